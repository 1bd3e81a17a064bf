//! What people see of a running process: log lines ([`log`]) and metrics ([`metrics`]). Nothing is decided here. Every
//! request is counted; which have a line too is said in [`log`], and of those that are allowed few do.

pub mod exposition;
mod gauges;
mod labels;
pub mod log;
pub mod metrics;
mod process;
mod register;
