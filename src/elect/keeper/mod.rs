//! The keeper: starts the command, passes signals on, reaps, and ends all that descends from it before the lock can be
//! anybody else's. It is one thread that waits in one place, and it knows no store: the elector, its child, tells it by
//! when. It needs no message to kill, only messages to let live, and says nothing while the command lives, because a full
//! pipe would hold it up.
//!
//! * [`schedule`] says what is due, and is pure.
//! * `child` starts the command and `shim` becomes it; [`tree`] finds and kills what descends from it.
//! * `work` is the loop, `reap` what has ended, `elector` the other process as it sees it.
//! * `deadline` is the clock, `signals` what comes in from outside.
//! * [`parent`] is there where the keeper is not process 1, and [`fallback`] where it was stopped.

mod child;
mod deadline;
mod elector;
pub mod fallback;
pub mod parent;
mod reap;
pub mod schedule;
mod settings;
pub mod shim;
pub mod signals;
pub mod tree;
mod work;

pub use self::deadline::boottime;
pub use self::settings::{OURSELVES, Settings};
pub use self::work::run;
