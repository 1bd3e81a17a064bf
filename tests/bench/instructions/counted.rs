//! What was counted, beside what was counted before and what is aimed at.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::{Context as _, Result};

use crate::reviews::{SCALE_DOWN, SCALE_UP, UPDATE_LARGE, UPDATE_SMALL};
use crate::work::{MARKED_EVENT, UNMARKED_EVENT};

/// One kind of work.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) bytes: usize,
    pub(crate) instructions: u64,
}

/// Instructions by name, as in `instructions.txt`: a line each, the number first.
#[derive(Default)]
pub(crate) struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub(crate) fn read(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| {
            let (count, name) = line.trim_start().split_once(' ').context("a line without a name")?;
            Ok((name.to_owned(), count.parse().with_context(|| line.to_owned())?))
        });
        pairs.collect::<Result<_>>().map(Self)
    }

    /// What was counted now in the place of what was counted before; what was not counted stays.
    pub(crate) fn with(mut self, rows: &[Row]) -> Self {
        self.0.extend(rows.iter().map(|row| (row.name.to_owned(), row.instructions)));
        self
    }

    fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "# Instructions of one decision, by callgrind. Compared by tests/bench/instructions; UPDATE=1 rewrites.\n",
        )?;
        self.0.iter().try_for_each(|(name, count)| writeln!(f, "{count:>8} {name}"))
    }
}

/// A table for people.
pub(crate) fn table(rows: &[Row], recorded: &Counts) -> String {
    let mut text =
        format!("{:<32} {:>6} {:>12} {:>9} {:>8}   target\n", "", "bytes", "instructions", "per byte", "recorded");
    for Row { name, bytes, instructions } in rows {
        let per_byte = ratio(*instructions, u64::try_from(*bytes).unwrap_or(u64::MAX));
        let before = recorded.get(name).map_or_else(|| "-".to_owned(), |count| count.to_string());
        let _ = write!(text, "{name:<32} {bytes:>6} {instructions:>12} {per_byte:>9.1} {before:>8}   ");
        let targets = targets(name, *bytes, rows, recorded);
        let words = targets.iter().map(|target| format!("{}: {}", target.words, target.verdict(*instructions)));
        let _ = writeln!(text, "{}", words.collect::<Vec<_>>().join(", "));
    }
    text
}

/// Each in a sentence.
pub(crate) fn faults(rows: &[Row], recorded: &Counts) -> Vec<String> {
    let mut faults = Vec::new();
    for Row { name, instructions, .. } in rows {
        match recorded.get(name) {
            None => faults.push(format!("{name} is not recorded: UPDATE=1 writes it down")),
            Some(before) if *instructions > before + before * GATE_PERCENT / 100 => {
                let more = ratio(*instructions * 100, before) - 100.0;
                faults
                    .push(format!("{name}: {instructions} instructions, {more:.1} % more than the {before} recorded"));
            }
            Some(_) => {}
        }
    }
    faults
}

/// A bound and how it came about.
struct Target {
    words: String,
    most: u64,
}

impl Target {
    fn verdict(&self, instructions: u64) -> &'static str {
        if instructions <= self.most { "reached" } else { "missed" }
    }
}

fn targets(name: &str, bytes: usize, rows: &[Row], recorded: &Counts) -> Vec<Target> {
    let mut targets = Vec::new();
    if [SCALE_DOWN, SCALE_UP].contains(&name) {
        targets.push(Target { words: format!("at most {SCALE_MOST}"), most: SCALE_MOST });
    }
    if [UPDATE_SMALL, UPDATE_LARGE].contains(&name) {
        let most = PER_BYTE_MOST * u64::try_from(bytes).unwrap_or(u64::MAX);
        targets.push(Target { words: format!("at most {PER_BYTE_MOST} per byte"), most });
    }
    if [UNMARKED_EVENT, MARKED_EVENT].contains(&name) {
        let most = EVENT_PER_BYTE_MOST * u64::try_from(bytes).unwrap_or(u64::MAX);
        targets.push(Target { words: format!("at most {EVENT_PER_BYTE_MOST} per byte"), most });
    }
    if name == UPDATE_SMALL {
        let by_kube = format!("kube: {UPDATE_SMALL}");
        let now = rows.iter().find(|row| row.name == by_kube).map(|row| row.instructions);
        if let Some(kube) = now.or_else(|| recorded.get(&by_kube)) {
            let words = format!("at most 1/{KUBE_TIMES} of kube's {kube}");
            targets.push(Target { words, most: kube / KUBE_TIMES });
        }
    }
    targets
}

/// For people: these numbers are small.
fn ratio(a: u64, b: u64) -> f64 {
    let small = |number| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    small(a) / small(b)
}

const SCALE_MOST: u64 = 32_000;
const PER_BYTE_MOST: u64 = 18;
const EVENT_PER_BYTE_MOST: u64 = 12;
const KUBE_TIMES: u64 = 5;
/// What a change may cost before somebody has to look at it.
const GATE_PERCENT: u64 = 2;
