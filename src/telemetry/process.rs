//! The process metrics that every Prometheus client library exports, read from `/proc/self` (proc(5)) at each
//! scrape. Where that is not mounted they are absent.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Memory, processor time, open files and start of this process.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let stat = stat();
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory", resident_bytes()),
            ("process_virtual_memory_bytes", "Virtual memory", stat.as_deref().and_then(|stat| number(stat, 23))),
            ("process_open_fds", "Open file descriptors", open_files()),
            ("process_max_fds", "The most file descriptors that may be open", most_files()),
            (
                "process_start_time_seconds",
                "When the process was started, in seconds since 1970",
                stat.as_deref().and_then(started),
            ),
        ] {
            let Some(gauge) = value.map(ConstGauge::new) else { continue };
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        if let Some(counter) = stat.as_deref().and_then(processor).map(ConstCounter::new) {
            let (name, help) = ("process_cpu_seconds", "User and system time");
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<f64> {
    Some(named("/proc/self/status", "VmRSS:")?.strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

fn open_files() -> Option<f64> {
    u32::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok().map(f64::from)
}

/// The soft limit. Without one there is no number.
fn most_files() -> Option<f64> {
    named("/proc/self/limits", "Max open files")?.split_whitespace().next()?.parse().ok()
}

/// Field 22 is in ticks since the machine was started.
fn started(stat: &[String]) -> Option<f64> {
    Some(named("/proc/stat", "btime ")?.parse::<f64>().ok()? + seconds(stat, 22)?)
}

/// Fields 14 and 15: in user mode, and in the kernel.
fn processor(stat: &[String]) -> Option<f64> {
    Some(seconds(stat, 14)? + seconds(stat, 15)?)
}

/// The fields from the third on: the second is the program's name, which may itself contain spaces.
fn stat() -> Option<Vec<String>> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(ToOwned::to_owned).collect())
}

/// A field that counts ticks, by its number in proc(5).
fn seconds(stat: &[String], field: usize) -> Option<f64> {
    Some(number(stat, field)? / TICKS_PER_SECOND)
}

/// A field by its number in proc(5): 23 is the size of virtual memory in bytes.
fn number(stat: &[String], field: usize) -> Option<f64> {
    stat.get(field.checked_sub(3)?)?.parse().ok()
}

/// What follows the name on its line.
fn named(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned())
}

/// `USER_HZ`, which is 100 in Linux' interface on every architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;
