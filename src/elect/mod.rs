//! At most one of many: of all replicas that name one lock, one has a living command. The half of the pattern that locks
//! inside the application, and nearly all of the program `elect`.
//!
//! The lock is one record in a store that can compare and swap, and the algorithm is the same for every store:
//!
//! * who is active writes the record anew every few seconds, and has its command ended before anybody may think it dead;
//! * who is passive takes over when the record was left untouched for the lease duration *by its own clock*, or when it
//!   was released, which nobody does before the last descendant of the command has ended.
//!
//! So the safety rests on the store's compare and swap and on clocks that run at nearly the same rate, and neither on
//! what time they show nor on sessions of the store: a copy that is read late only makes a candidate later.
//!
//! *Pure*, and compiled without the feature `elect`:
//!
//! * [`decide`]: the algorithm, whole; [`state`] has its words, and [`record`] what is written.
//! * [`lock`]: how a lock is named.
//! * [`status`]: how a replica is, for people and programs.
//! * [`store::lease`] and [`store::gateway`]: what the API server and etcd are asked, and what they answer.
//! * [`timing`]: from what a user asks for to the durations that are safe together; [`table`] says what they mean.
//! * [`wire`]: what the two processes of the program say to each other.
//!
//! *With the feature*, the elector (`elector`, over a `store` and a `clock`; `control`, `http` and `socket` show how it is) and
//! the `keeper`, which has the command.

#[cfg(feature = "elect")]
pub mod args;
#[cfg(feature = "elect")]
pub mod clock;
#[cfg(feature = "elect")]
pub mod control;
#[cfg(feature = "elect")]
pub mod daemon;
pub mod decide;
#[cfg(feature = "elect")]
pub mod elector;
#[cfg(feature = "elect")]
pub mod exit;
#[cfg(feature = "elect")]
pub mod http;
#[cfg(feature = "elect")]
pub mod keeper;
#[cfg(feature = "elect")]
pub mod link;
pub mod lock;
#[cfg(feature = "elect")]
pub mod metrics;
#[cfg(feature = "elect")]
pub mod process;
pub mod record;
#[cfg(feature = "elect")]
pub mod socket;
pub mod state;
pub mod status;
pub mod store;
pub mod table;
pub mod timing;
pub mod wire;
