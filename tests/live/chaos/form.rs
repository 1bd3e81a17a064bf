//! How much of it there is: two minutes, as long as it takes to believe it, or so many minutes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// A form: what one seed is, and when there have been enough.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// How long a seed goes on.
    pub span: Duration,
    /// With eight singletons of each kind in each.
    pub namespaces: usize,
    /// One that is declared dead comes back after more than a minute.
    pub nodes_die: bool,
    /// The longest time without a fault of a component of the control plane, in seconds. While one is away hardly a Pod is
    /// made.
    pub calm: u64,
    /// Whether our replicas look after companions, which take the API server time that Pods need.
    pub companions: bool,
    enough: Enough,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enough {
    OneSeed,
    Reached,
    Minutes(u64),
}

/// What has happened.
#[derive(Debug, Default)]
pub struct Sum {
    pub seeds: u64,
    pub creations: u64,
    pub faults: u64,
    pub elapsed: Duration,
}

impl Form {
    /// What the environment wants: `LONG=1`, `LONG=MINUTES`, or nothing.
    pub fn wanted() -> Result<Self> {
        let long = |enough| Self {
            span: Duration::from_secs(170),
            namespaces: 6,
            nodes_die: true,
            calm: 12,
            companions: false,
            enough,
        };
        Ok(match std::env::var("LONG").as_deref() {
            Err(_) => Self {
                span: Duration::from_secs(45),
                namespaces: 3,
                nodes_die: false,
                calm: 6,
                companions: true,
                enough: Enough::OneSeed,
            },
            Ok("1") => long(Enough::Reached),
            Ok(minutes) => {
                let minutes = minutes.parse().context("LONG is neither 1 nor a number of minutes")?;
                long(Enough::Minutes(minutes))
            }
        })
    }

    /// Whether there is to be another seed.
    pub fn goes_on(&self, so_far: &Sum) -> bool {
        match self.enough {
            Enough::OneSeed => so_far.seeds == 0,
            Enough::Reached => !so_far.suffices() && so_far.elapsed < PATIENCE,
            Enough::Minutes(minutes) => so_far.elapsed < Duration::from_secs(60 * minutes),
        }
    }

    /// # Errors
    /// Too little has happened to believe anything.
    pub fn judge(&self, so_far: &Sum) -> Result<()> {
        if self.enough == Enough::Reached {
            let Sum { seeds, creations, faults, .. } = ENOUGH;
            ensure!(so_far.suffices(), "{seeds} seeds, {creations} Pods and {faults} faults were to be reached");
        }
        // Or it was no chaos; little on a busy machine.
        ensure!(so_far.creations >= 50 && so_far.faults >= 12, "too little has happened");
        Ok(())
    }
}

impl Sum {
    const fn suffices(&self) -> bool {
        self.seeds >= ENOUGH.seeds && self.creations >= ENOUGH.creations && self.faults >= ENOUGH.faults
    }
}

/// What the long form has to reach.
const ENOUGH: Sum = Sum { seeds: 20, creations: 100_000, faults: 10_000, elapsed: Duration::ZERO };
/// After that no other seed begins, and it has failed.
const PATIENCE: Duration = Duration::from_secs(5 * 60 * 60);
