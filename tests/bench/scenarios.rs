//! The ways in which the servers are called. Each review goes to each server in turn, in an order that rotates with the
//! rounds.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::contender::{Contender, Name};
use super::report::{Row, Way};
use super::reviews::Review;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// How often everything is done.
    pub(crate) rounds: usize,
    /// By which a review's weight is multiplied.
    factor: usize,
    /// New connections in a round.
    cold: usize,
    /// Bursts, and reviews in each.
    bursts: (usize, usize),
    /// Reviews at a fixed rate.
    fixed_rate: usize,
    /// Without any call.
    pub(crate) pause: Duration,
}

impl Effort {
    /// Under 90 seconds.
    pub(crate) const SHORT: Self =
        Self { rounds: 9, factor: 1, cold: 30, bursts: (1, 1000), fixed_rate: 500, pause: Duration::from_secs(2) };
    /// For the page on performance. The API server itself closes what was idle for 90 seconds.
    pub(crate) const LONG: Self = Self {
        rounds: 15,
        factor: 6,
        cold: 200,
        bursts: (5, 1000),
        fixed_rate: 15_000,
        pause: Duration::from_secs(85),
    };
}

/// Every review over open connections. One row for each review and number of connections.
pub(crate) fn warm(
    contenders: &mut [Contender],
    reviews: &[Review],
    connections: &[usize],
    effort: &Effort,
) -> Result<Vec<Row>> {
    let row = |review: &Review, number: usize| {
        Row::new(review.name, review.body.len(), Way::Warm(number.clamp(1, IDLE_CONNECTIONS)))
    };
    let mut rows: Vec<(&Review, Row)> = reviews
        .iter()
        .flat_map(|review| connections.iter().map(move |number| (review, row(review, *number))))
        .collect();
    for contender in contenders.iter_mut() {
        contender.connect(IDLE_CONNECTIONS)?;
        for review in reviews {
            contender.measure(&review.body, IDLE_CONNECTIONS, WARM_UP)?;
        }
    }
    for round in 0..effort.rounds {
        for (review, row) in &mut rows {
            let Way::Warm(connections) = row.way else { continue };
            in_turn(contenders, round, |contender| {
                // Its key makes no difference to an open connection.
                if contender.name() != Name::GoRsa {
                    let slice = contender.measure(&review.body, connections, review.weight * effort.factor)?;
                    row.add(contender.name(), slice);
                }
                Ok(())
            })?;
        }
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// A new connection for each review.
pub(crate) fn cold(contenders: &mut [Contender], review: &Review, effort: &Effort) -> Result<Row> {
    let mut row = Row::new(review.name, review.body.len(), Way::Cold);
    for round in 0..effort.rounds {
        in_turn(contenders, round, |contender| {
            row.add(contender.name(), contender.cold(&review.body, effort.cold)?);
            Ok(())
        })?;
    }
    Ok(row)
}

/// Many at the same time, and how many each server left without an answer.
pub(crate) fn burst(contenders: &mut [Contender], review: &Review, effort: &Effort) -> Result<(Row, Vec<usize>)> {
    let (rounds, reviews) = effort.bursts;
    let mut row = Row::new(review.name, review.body.len(), Way::Burst(reviews));
    let mut errors = vec![0; contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let index = (turn + round) % contenders.len();
            if let (Some(contender), Some(errors)) = (contenders.get_mut(index), errors.get_mut(index)) {
                let (slice, unanswered) = contender.burst(&review.body, reviews)?;
                row.add(contender.name(), slice);
                *errors += unanswered;
            }
        }
    }
    Ok((row, errors))
}

/// How many connections of each server are still good when nobody has called for a while.
pub(crate) fn pause(contenders: &mut [Contender], review: &Review, effort: &Effort) -> Result<Vec<usize>> {
    for contender in contenders.iter_mut() {
        contender.connect(IDLE_CONNECTIONS)?;
        contender.measure(&review.body, IDLE_CONNECTIONS, IDLE_CONNECTIONS)?;
    }
    sleep(effort.pause);
    contenders.iter_mut().map(|contender| contender.kept(&review.body)).collect()
}

/// Sorted latencies at a rate that leaves every server time to spare.
pub(crate) fn fixed_rate(contenders: &mut [Contender], review: &Review, effort: &Effort) -> Result<Vec<Vec<Duration>>> {
    let mut all = Vec::new();
    for contender in contenders {
        contender.connect(IDLE_CONNECTIONS)?;
        let mut latencies = contender.fixed_rate(&review.body, RATE, effort.fixed_rate)?;
        latencies.sort_unstable();
        all.push(latencies);
    }
    Ok(all)
}

fn in_turn(
    contenders: &mut [Contender],
    round: usize,
    mut one: impl FnMut(&mut Contender) -> Result<()>,
) -> Result<()> {
    let count = contenders.len();
    for turn in 0..count {
        if let Some(contender) = contenders.get_mut((turn + round) % count) {
            one(contender)?;
        }
    }
    Ok(())
}

/// client-go's `idleConnsPerHost`: the API server keeps no more.
const IDLE_CONNECTIONS: usize = 25;
/// Reviews before the first round: each connection and each path through the servers is used.
const WARM_UP: usize = 100;
/// Reviews a second, about a quarter of what the slowest server can do with a large core.
pub(crate) const RATE: u32 = 500;
