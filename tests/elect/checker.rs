//! Who has lived when, from what the commands have written down themselves: on one machine, with one clock.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The life of one command, from its first to its last line.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    pub token: u64,
    pub replica: u64,
    pub first: u64,
    pub last: u64,
}

/// The lives in a file, in the order in which they began.
pub fn lives(file: &Path) -> Result<Vec<Life>> {
    let bytes = if file.exists() { std::fs::read(file).context("reading what was written down")? } else { Vec::new() };
    let mut lives: BTreeMap<(u64, u64), Life> = BTreeMap::new();
    for line in bytes.chunks_exact(24) {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| line[at * 8 + byte]));
        let (token, time, replica) = (number(0), number(1), number(2));
        let life = lives.entry((token, replica)).or_insert(Life { token, replica, first: time, last: time });
        (life.first, life.last) = (life.first.min(time), life.last.max(time));
    }
    let mut lives: Vec<_> = lives.into_values().collect();
    lives.sort_by_key(|life| life.first);
    Ok(lives)
}

/// Pairs that have lived at the same time, or whose tokens do not rise.
pub fn faults(lives: &[Life]) -> Vec<(Life, Life)> {
    let pairs = lives.iter().zip(lives.iter().skip(1));
    pairs
        .filter(|(one, next)| next.first <= one.last || next.token <= one.token)
        .map(|(one, next)| (*one, *next))
        .collect()
}

/// From the last line of each to the first of the next.
pub fn gaps(lives: &[Life]) -> Vec<Duration> {
    let pairs = lives.iter().zip(lives.iter().skip(1));
    pairs.map(|(one, next)| Duration::from_nanos(next.first.saturating_sub(one.last))).collect()
}
