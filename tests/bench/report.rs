//! What was measured, as tables in Markdown. Ratios are taken within a round, so what slows the machine down slows both
//! sides down; medians and ranges are taken over the rounds.

use std::fmt::Write as _;
use std::time::Duration;

use super::contender::{NAMES, Name, Slice, Start};
use super::process::Memory;
use super::spread::{Spread, figure, range};

/// One review sent in one way, to all servers.
#[derive(Debug)]
pub(crate) struct Row {
    /// Name of the review.
    pub(crate) review: &'static str,
    /// Its size.
    pub(crate) bytes: usize,
    /// How it was sent.
    pub(crate) way: Way,
    /// For each server in the order of [`NAMES`], one entry a round.
    samples: [Vec<Sample>; NAMES.len()],
}

/// How a review was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over so many open connections, each busy all the time.
    Warm(usize),
    /// Over a new connection each time.
    Cold,
    /// All at once, each over a new connection.
    Burst(usize),
}

/// One server in one round; all times in microseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    cpu: f64,
    p50: f64,
    p99: f64,
}

/// What else there is to say about a server.
#[derive(Debug)]
pub(crate) struct Footprint {
    /// Which.
    pub(crate) name: Name,
    /// Size of its file in bytes.
    pub(crate) size: u64,
    /// Every start that was timed.
    pub(crate) starts: Vec<Start>,
    /// Before the first connection.
    pub(crate) idle: Memory,
    /// After the last review.
    pub(crate) loaded: Memory,
    /// After the bursts.
    pub(crate) burst: Memory,
    /// Reviews of the bursts that were not answered.
    pub(crate) errors: usize,
    /// Connections that outlived the pause.
    pub(crate) kept: usize,
    /// From when a review was due, at a fixed rate.
    pub(crate) fixed_rate: Vec<Duration>,
}

impl Row {
    /// Without figures yet.
    pub(crate) const fn new(review: &'static str, bytes: usize, way: Way) -> Self {
        Self { review, bytes, way, samples: [const { Vec::new() }; NAMES.len()] }
    }

    /// Adds what a round saw of one server.
    pub(crate) fn add(&mut self, name: Name, mut slice: Slice) {
        slice.latencies.sort_unstable();
        let count = u32::try_from(slice.latencies.len()).unwrap_or(u32::MAX).max(1);
        let sample = Sample {
            cpu: microseconds(slice.cpu) / f64::from(count),
            p50: microseconds(permille(&slice.latencies, 500)),
            p99: microseconds(permille(&slice.latencies, 990)),
        };
        for (column, samples) in NAMES.iter().zip(&mut self.samples) {
            if *column == name {
                samples.push(sample);
            }
        }
    }

    /// CPU of one by CPU of the other, round by round.
    pub(crate) fn ratio(&self, a: Name, b: Name) -> Spread {
        let (a, b) = (self.samples(a).iter(), self.samples(b).iter());
        Spread::of(a.zip(b).map(|(a, b)| a.cpu / b.cpu))
    }

    fn samples(&self, name: Name) -> &[Sample] {
        let mut columns = NAMES.iter().zip(&self.samples);
        columns.find_map(|(column, samples)| (*column == name).then_some(samples.as_slice())).unwrap_or_default()
    }

    fn median(&self, name: Name, of: impl Fn(&Sample) -> f64) -> f64 {
        Spread::of(self.samples(name).iter().map(of)).median
    }

    fn head(&self) -> String {
        let way = match self.way {
            Way::Warm(1) => "1 connection".to_owned(),
            Way::Warm(connections) => format!("{connections} connections"),
            Way::Cold => "a new connection each".to_owned(),
            Way::Burst(reviews) => format!("{reviews} at once"),
        };
        format!("{}, {} bytes, {way}", self.review, self.bytes)
    }
}

impl Footprint {
    /// From exec to ready, in milliseconds.
    pub(crate) fn ready(&self) -> Spread {
        self.start(|start| start.ready)
    }

    fn start(&self, of: fn(&Start) -> Duration) -> Spread {
        Spread::of(self.starts.iter().map(|start| microseconds(of(start)) / 1e3))
    }
}

/// CPU per review.
pub(crate) fn cpu(rows: &[Row]) -> String {
    let mut text = head("server CPU per review in us, median of the rounds");
    for row in rows {
        let cells = NAMES.map(|name| figure(row.median(name, |sample| sample.cpu), 1));
        let _ = writeln!(text, "| {} | {} |", row.head(), cells.join(" | "));
    }
    text
}

/// Latency seen by the client.
pub(crate) fn latency(rows: &[Row]) -> String {
    let mut text = head("latency in us, p50 / p99, medians of the rounds");
    for row in rows {
        let cells = NAMES.map(|name| {
            let (p50, p99) = (row.median(name, |sample| sample.p50), row.median(name, |sample| sample.p99));
            format!("{} / {}", figure(p50, 0), figure(p99, 0))
        });
        let _ = writeln!(text, "| {} | {} |", row.head(), cells.join(" | "));
    }
    text
}

/// Everything else, one row a property.
pub(crate) fn footprint(footprints: &[Footprint]) -> String {
    let mut text = head("one process");
    let mut line = |what: &str, cell: &dyn Fn(&Footprint) -> String| {
        let of = |name| footprints.iter().find(|footprint| footprint.name == name).map_or_else(|| "-".to_owned(), cell);
        let _ = writeln!(text, "| {what} | {} |", NAMES.map(of).join(" | "));
    };
    line("size of the program, MB", &|footprint| figure(megabytes(footprint.size), 1));
    line("from exec to accepting, ms", &|footprint| range(footprint.start(|start| start.accepting), 1));
    line("from exec to ready, ms", &|footprint| range(footprint.ready(), 1));
    line("RSS idle, MiB", &|footprint| figure(mebibytes(footprint.idle.resident), 1));
    line("RSS after the reviews, MiB", &|footprint| figure(mebibytes(footprint.loaded.resident), 1));
    line("RSS, most of all, MiB", &|footprint| figure(mebibytes(footprint.burst.peak), 1));
    line("reviews of the bursts not answered", &|footprint| footprint.errors.to_string());
    line("connections that outlive the pause", &|footprint| footprint.kept.to_string());
    for (what, part) in [("p50", 500), ("p99", 990), ("p99.9", 999)] {
        line(&format!("fixed rate, {what}, us"), &|footprint| {
            figure(microseconds(permille(&footprint.fixed_rate, part)), 0)
        });
    }
    text
}

/// The first lines of a table with a column for each server.
fn head(what: &str) -> String {
    let names = NAMES.map(Name::as_str).join(" | ");
    format!("| {what} | {names} |\n|---|{}\n", "--:|".repeat(NAMES.len()))
}

/// Of sorted figures.
fn permille(sorted: &[Duration], part: usize) -> Duration {
    sorted.get(sorted.len() * part / 1000).or(sorted.last()).copied().unwrap_or_default()
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Exact: no process has more than 2^53 bytes.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0
}

/// As files are measured.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1000.0
}
