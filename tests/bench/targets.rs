//! What is aimed at, beside what was measured. Nothing is measured here.

use std::fmt::Write as _;

use super::contender::Name;
use super::report::{Footprint, Row, Way, mebibytes, megabytes};
use super::reviews::{SCALE_DOWN, UPDATE_LARGE, UPDATE_SMALL};
use super::spread::{Spread, range};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Target {
    what: String,
    measured: Spread,
    digits: usize,
    bound: Bound,
    /// Beyond this something is badly wrong, whatever the machine was doing: the program fails.
    gross: f64,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, figure: f64, limit: f64) -> bool {
        match self {
            Self::AtLeast(_) => figure >= limit,
            Self::AtMost(_) => figure <= limit,
        }
    }

    const fn limit(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }
}

impl Target {
    fn is_met(&self) -> bool {
        self.bound.holds(self.measured.median, self.bound.limit())
    }

    /// Whether no noise explains it.
    pub(crate) fn is_gross(&self) -> bool {
        !self.measured.median.is_nan() && !self.bound.holds(self.measured.median, self.gross)
    }

    /// In a line.
    pub(crate) fn words(&self) -> String {
        format!("{}: {}", self.what, range(self.measured, self.digits))
    }
}

/// All of them, for what was measured.
pub(crate) fn all(rows: &[Row], ours: Option<&Footprint>) -> Vec<Target> {
    let mut targets: Vec<Target> = rows.iter().flat_map(of_row).collect();
    targets.extend(ours.into_iter().flat_map(of_process));
    targets
}

/// As Markdown.
pub(crate) fn table(targets: &[Target]) -> String {
    let mut text = "| what | target | measured: median (range) | |\n|---|--:|--:|---|\n".to_owned();
    for target in targets {
        let Target { what, measured, digits, bound, .. } = target;
        let sign = match bound {
            Bound::AtLeast(_) => ">=",
            Bound::AtMost(_) => "<=",
        };
        let (limit, measured) = (bound.limit(), range(*measured, *digits));
        let verdict = if target.is_met() { "reached" } else { "missed" };
        let _ = writeln!(text, "| {what} | {sign} {limit:.digits$} | {measured} | {verdict} |");
    }
    text
}

fn of_row(row: &Row) -> Vec<Target> {
    let ratio = |what: &str, a, b, bound, gross| Target {
        what: format!("{what}, {} bytes{}", row.bytes, way(row.way)),
        measured: row.ratio(a, b),
        digits: 2,
        bound,
        gross,
    };
    let floor = |limit, gross| ratio("CPU, floor / ours", Name::Floor, Name::Ours, Bound::AtLeast(limit), gross);
    match (row.review, row.way) {
        (SCALE_DOWN, Way::Warm(_)) => vec![floor(0.90, 0.40)],
        (UPDATE_SMALL, Way::Warm(_)) => vec![
            floor(0.75, 0.30),
            ratio("CPU, bare Go / ours", Name::Go, Name::Ours, Bound::AtLeast(4.0), 2.0),
            ratio("CPU, controller-runtime / ours", Name::ControllerRuntime, Name::Ours, Bound::AtLeast(6.0), 3.0),
        ],
        (UPDATE_LARGE, Way::Warm(_)) => vec![floor(0.40, 0.20)],
        (_, Way::Cold) => vec![
            ratio("CPU, ours / bare Go with RSA-2048", Name::Ours, Name::GoRsa, Bound::AtMost(0.20), 0.60),
            ratio("CPU, ours / bare Go with P-256", Name::Ours, Name::Go, Bound::AtMost(0.65), 1.20),
        ],
        _ => Vec::new(),
    }
}

fn way(way: Way) -> String {
    match way {
        Way::Warm(connections) => format!(", warm, {connections} at once"),
        Way::Cold => ", a new connection each".to_owned(),
        Way::Burst(reviews) => format!(", {reviews} at once"),
    }
}

fn of_process(ours: &Footprint) -> Vec<Target> {
    let at_most = |what: &str, figure, digits, limit, gross| Target {
        what: what.to_owned(),
        measured: figure,
        digits,
        bound: Bound::AtMost(limit),
        gross,
    };
    let one = |figure| Spread { lowest: figure, median: figure, highest: figure };
    let errors = f64::from(u32::try_from(ours.errors).unwrap_or(u32::MAX));
    let mut targets = vec![
        at_most("reviews of a burst that are not answered", one(errors), 0, 0.0, 0.0),
        at_most("RSS at the peak of all, MiB", one(mebibytes(ours.burst.peak)), 1, 48.0, 96.0),
        at_most("RSS idle, MiB", one(mebibytes(ours.idle.resident)), 1, 16.0, 40.0),
        at_most("exec to ready, API server without objects, ms", ours.ready(), 1, 20.0, f64::INFINITY),
    ];
    if cfg!(target_env = "musl") {
        targets.push(at_most("static binary (aws-lc), MB", one(megabytes(ours.size)), 1, 10.0, 20.0));
    }
    targets
}
