//! What was measured, as a table for people. Ratios are taken within a round, so what slows the machine down slows both
//! sides down; medians and ranges are taken over the rounds.

use std::fmt::Write as _;
use std::time::Duration;

use super::contender::{NAMES, Name, Slice, Start};
use super::process::Memory;
use super::reviews::Target;

/// One review sent over one number of connections, to all servers.
#[derive(Debug)]
pub(crate) struct Row {
    /// Name of the review.
    pub(crate) review: &'static str,
    /// Its size.
    pub(crate) bytes: usize,
    /// How many connections were busy at once.
    pub(crate) connections: usize,
    /// What is aimed at.
    pub(crate) target: Option<Target>,
    /// For each server in the order of [`NAMES`], one entry a round.
    samples: [Vec<Sample>; NAMES.len()],
}

/// One server in one round; all times in microseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    cpu: f64,
    p50: f64,
    p99: f64,
}

/// One server's start and memory.
#[derive(Debug)]
pub(crate) struct Footprint {
    /// Which.
    pub(crate) name: Name,
    /// Every start that was timed.
    pub(crate) starts: Vec<Start>,
    /// Before the first connection.
    pub(crate) idle: Memory,
    /// After the last review.
    pub(crate) loaded: Memory,
}

/// The middle and the ends of some figures.
#[derive(Debug, Clone, Copy)]
struct Spread {
    lowest: f64,
    median: f64,
    highest: f64,
}

impl Row {
    /// Without figures yet.
    pub(crate) const fn new(review: &'static str, bytes: usize, connections: usize, target: Option<Target>) -> Self {
        Self { review, bytes, connections, target, samples: [const { Vec::new() }; NAMES.len()] }
    }

    /// Adds what a round saw of one server.
    pub(crate) fn add(&mut self, name: Name, mut slice: Slice) {
        slice.latencies.sort_unstable();
        let count = u32::try_from(slice.latencies.len()).unwrap_or(u32::MAX).max(1);
        let sample = Sample {
            cpu: microseconds(slice.cpu) / f64::from(count),
            p50: microseconds(percentile(&slice.latencies, 50)),
            p99: microseconds(percentile(&slice.latencies, 99)),
        };
        for (column, samples) in NAMES.iter().zip(&mut self.samples) {
            if *column == name {
                samples.push(sample);
            }
        }
    }

    /// The ratio is so low that no noise explains it.
    pub(crate) fn is_gross(&self) -> bool {
        self.target.is_some_and(|target| self.ratio(Name::Floor, Name::Ours).median < target.gross)
    }

    fn samples(&self, name: Name) -> &[Sample] {
        let mut columns = NAMES.iter().zip(&self.samples);
        columns.find_map(|(column, samples)| (*column == name).then_some(samples.as_slice())).unwrap_or_default()
    }

    fn spread(&self, name: Name, of: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples(name).iter().map(of))
    }

    /// CPU of one by CPU of the other, round by round.
    fn ratio(&self, a: Name, b: Name) -> Spread {
        let (a, b) = (self.samples(a).iter(), self.samples(b).iter());
        Spread::of(a.zip(b).map(|(a, b)| a.cpu / b.cpu))
    }
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        Self { lowest: at(0), median: at(figures.len() / 2), highest: at(figures.len().saturating_sub(1)) }
    }
}

/// CPU per review, and whether the targets were reached.
pub(crate) fn cpu(rows: &[Row]) -> String {
    let mut text = format!(
        "server CPU per review in us (median), and its ratios within a round (median, lowest - highest)\n\
         {:<26} {:>6} {:>5} {:>8} {:>8} {:>8}   {:<19} {:<19} target\n",
        "review", "bytes", "conns", "floor", "ours", "naive", "floor/ours", "ours/naive"
    );
    for row in rows {
        let _ = write!(text, "{:<26} {:>6} {:>5}", row.review, row.bytes, row.connections);
        for name in NAMES {
            let _ = write!(text, " {:>8.1}", row.spread(name, |sample| sample.cpu).median);
        }
        let (floor, naive) = (row.ratio(Name::Floor, Name::Ours), row.ratio(Name::Ours, Name::Naive));
        let verdict = match row.target {
            Some(target) if floor.median >= target.aim => format!(">= {:.2}: reached", target.aim),
            Some(target) => format!(">= {:.2}: missed", target.aim),
            None => "-".to_owned(),
        };
        let _ = writeln!(text, "   {:<19} {:<19} {verdict}", ratio(floor), ratio(naive));
    }
    text
}

/// Latency seen by the client.
pub(crate) fn latency(rows: &[Row]) -> String {
    let mut text = format!(
        "latency in us, all connections busy: p50 / p99 (medians of the rounds)\n{:<26} {:>6} {:>5}",
        "review", "bytes", "conns"
    );
    for name in NAMES {
        let _ = write!(text, " {:>17}", name.as_str());
    }
    text.push('\n');
    for row in rows {
        let _ = write!(text, "{:<26} {:>6} {:>5}", row.review, row.bytes, row.connections);
        for name in NAMES {
            let (p50, p99) = (row.spread(name, |sample| sample.p50), row.spread(name, |sample| sample.p99));
            let _ = write!(text, " {:>8.0} /{:>7.0}", p50.median, p99.median);
        }
        text.push('\n');
    }
    text
}

/// Starts and memory.
pub(crate) fn footprint(footprints: &[Footprint]) -> String {
    let mut text = format!(
        "start in ms from exec (median, lowest - highest) and resident memory in MiB\n\
         {:<8} {:<22} {:<22} {:>8} {:>11} {:>6}\n",
        "server", "accepting", "ready", "idle", "after load", "peak"
    );
    for Footprint { name, starts, idle, loaded } in footprints {
        let spread = |of: fn(&Start) -> Duration| {
            let Spread { lowest, median, highest } = Spread::of(starts.iter().map(of).map(microseconds));
            format!("{:.1} ({:.1} - {:.1})", median / 1e3, lowest / 1e3, highest / 1e3)
        };
        let _ = writeln!(
            text,
            "{:<8} {:<22} {:<22} {:>8.1} {:>11.1} {:>6.1}",
            name.as_str(),
            spread(|start| start.accepting),
            spread(|start| start.ready),
            mebibytes(idle.resident),
            mebibytes(loaded.resident),
            mebibytes(loaded.peak),
        );
    }
    text
}

fn ratio(Spread { lowest, median, highest }: Spread) -> String {
    format!("{median:.2} ({lowest:.2} - {highest:.2})")
}

/// Of sorted figures.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or_default()
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Exact: no process has more than 2^53 bytes.
fn mebibytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0
}
