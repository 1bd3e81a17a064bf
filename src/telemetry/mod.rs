//! What people see of a running process: log lines ([`log`]) and metrics ([`metrics`]). Nothing is decided here, and
//! nothing is written for a request that is allowed.

pub mod exposition;
mod gauges;
mod labels;
pub mod log;
pub mod metrics;
mod process;
