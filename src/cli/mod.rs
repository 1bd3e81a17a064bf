//! The program for people, `kubectl-singleton_guard`: what the guard will say of manifests, before a cluster refuses them.
//!
//! It decides nothing by itself. What the API server does to an object before it asks a webhook is played
//! ([`defaulting`]), the review is read and judged by the rooms that the webhook ships ([`judged`]), and what only the cluster
//! knows stays undecided. Because it sees a whole set of manifests at once, it also says what no webhook can ([`set`]).
//!
//! Only [`source`] and [`program`] do IO. The rest is pure, and takes the time as data.

pub mod about;
pub mod arguments;
pub mod check;
pub mod defaulting;
pub mod example;
pub mod explain;
pub mod finding;
pub mod judged;
pub mod manifest;
pub mod object;
pub mod program;
pub mod report;
pub mod set;
pub mod source;
pub mod yaml;
