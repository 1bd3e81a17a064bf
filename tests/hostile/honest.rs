//! The API server's side: calls that must be answered, and how long that took.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::client::{Answer, Call, Connection};
use super::reviews;
use super::target::Target;

/// The latencies of calls that were all answered as they should be.
pub(crate) struct Calls(Vec<Duration>);

/// Calls over so many connections, each kept for a hundred calls: somebody scales up an unmarked workload, so there is
/// a look-up too.
pub(crate) fn ask(target: &Target, connections: usize, calls: usize) -> Calls {
    let client = target.client();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let mut latencies = Vec::new();
                    while latencies.len() < calls / connections {
                        let mut connection = client.connect().unwrap();
                        for _ in 0..100 {
                            latencies.push(once(&mut connection).unwrap());
                        }
                    }
                    latencies
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>().into()
    })
}

/// So many calls at the same time, each on a connection of its own, as when the API server has none.
pub(crate) fn burst(target: &Target, calls: usize) -> Calls {
    let client = target.client();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..calls)
            .map(|_| {
                scope.spawn(|| {
                    let started = Instant::now();
                    once(&mut client.connect().unwrap()).unwrap();
                    started.elapsed()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>().into()
    })
}

/// One call.
pub(crate) fn once(connection: &mut Connection) -> Result<Duration> {
    let all = reviews::all()?;
    let review = all.iter().find(|review| review.name == reviews::SCALE_UP).context("no such review")?;
    let call = Call::new(&review.body, Answer::Uid)?;
    let started = Instant::now();
    connection.call(&call)?;
    Ok(started.elapsed())
}

impl Calls {
    /// The latency that so many of a hundred calls do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let index = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn report(&self, what: &str) {
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent));
        println!("{} calls {what}: p50 {half:.1?}, p99 {most:.1?}, longest {all:.1?}", self.0.len());
    }
}

impl From<Vec<Duration>> for Calls {
    fn from(mut latencies: Vec<Duration>) -> Self {
        latencies.sort();
        Self(latencies)
    }
}
