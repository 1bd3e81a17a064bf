//! When the keeper does what to its command: pure. Times are absolute, in nanoseconds of `CLOCK_BOOTTIME`.
//!
//! Two rules: a deadline needs no message to be kept, only messages to be moved; and whoever has begun to kill, or has lost
//! the lock, is moved by none.

use std::time::Duration;

use crate::elect::timing::Timing;

/// Where a keeper is with its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    phase: Phase,
    /// When the lock is lost.
    until: u64,
    lost: bool,
    lost_grace: u64,
    stop_grace: u64,
    margin: u64,
    farewell: u64,
}

/// What a keeper has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not been told to start the command.
    Waiting,
    /// The command runs.
    Running,
    /// The command was told to end.
    Ending {
        /// When it is killed.
        kill_at: u64,
    },
    /// Everything that descends from the command is being killed.
    Killing {
        /// When that began.
        since: u64,
    },
    /// Nothing of a command is alive, and nothing will be. The elector may release the lock until `by`.
    Leaving {
        /// When the elector is killed.
        by: u64,
    },
}

/// What the time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing, before [`Schedule::next`].
    Nothing,
    /// The signal to stop.
    Stop,
    /// SIGKILL to all, again and again.
    Kill,
    /// It could not be killed in time: there must be no release.
    GiveUp,
    /// The elector has had its time.
    Leave,
}

impl Schedule {
    /// Before the command.
    #[must_use]
    pub fn new(timing: &Timing) -> Self {
        // A release is a read and a swap, and one more try.
        let farewell = nanoseconds(timing.call).saturating_mul(3);
        Self {
            phase: Phase::Waiting,
            until: 0,
            lost: false,
            lost_grace: nanoseconds(timing.lost_grace),
            stop_grace: nanoseconds(timing.stop_grace),
            margin: nanoseconds(timing.margin),
            farewell,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the command was ended because the lock was lost.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.lost
    }

    /// Whether the command may be started. It is started once in the life of a keeper.
    pub fn run(&mut self, until: u64, now: u64) -> bool {
        let may = self.phase == Phase::Waiting && now < until;
        if may {
            self.until = until;
            self.phase = Phase::Running;
        }
        may
    }

    /// The lock was renewed. What is lost stays lost.
    pub fn renewed(&mut self, until: u64) {
        if !self.lost {
            self.until = self.until.max(until);
        }
    }

    /// The machine was stopped for so long, and the clock has not shown it: every deadline is that much nearer.
    pub fn paused(&mut self, pause: u64) {
        self.until = self.until.saturating_sub(pause);
        if let Phase::Ending { kill_at } = &mut self.phase {
            *kill_at = kill_at.saturating_sub(pause);
        }
    }

    /// Somebody wants the command to end. Whether it has to be told now.
    pub fn stop(&mut self, now: u64, grace: Option<u64>) -> bool {
        let kill_at = now.saturating_add(grace.unwrap_or(self.stop_grace));
        match self.phase {
            Phase::Running => {
                self.phase = Phase::Ending { kill_at };
                true
            }
            // Who is in more of a hurry is heard.
            Phase::Ending { kill_at: before } => {
                self.phase = Phase::Ending { kill_at: before.min(kill_at) };
                false
            }
            Phase::Waiting => {
                self.leave(now);
                false
            }
            Phase::Killing { .. } | Phase::Leaving { .. } => false,
        }
    }

    /// Nobody renews the lock any more.
    pub fn abandoned(&mut self, now: u64) -> bool {
        let told = self.stop(now, Some(self.lost_grace));
        if matches!(self.phase, Phase::Ending { .. } | Phase::Killing { .. }) {
            self.lost = true;
        }
        told
    }

    /// The command has ended, and has left others behind. Whether they have to be told to end.
    pub fn left_behind(&mut self, now: u64) -> bool {
        self.stop(now, Some(self.lost_grace))
    }

    /// Nothing is alive.
    pub fn leave(&mut self, now: u64) {
        self.phase = Phase::Leaving { by: now.saturating_add(self.farewell) };
    }

    /// What the time asks for.
    pub fn due(&mut self, now: u64) -> Due {
        if matches!(self.phase, Phase::Running | Phase::Ending { .. }) && now >= self.until {
            self.lost = true;
        }
        match self.phase {
            Phase::Running if self.lost => {
                self.phase = Phase::Ending { kill_at: self.killed_by() };
                // Whoever slept over both deadlines kills at once.
                if now >= self.killed_by() { self.due(now) } else { Due::Stop }
            }
            Phase::Ending { kill_at } if now >= kill_at.min(self.killed_by()) => {
                self.phase = Phase::Killing { since: now };
                self.due(now)
            }
            Phase::Killing { since } if now >= self.dead_by(since) => Due::GiveUp,
            Phase::Killing { .. } => Due::Kill,
            Phase::Leaving { by } if now >= by => Due::Leave,
            Phase::Waiting | Phase::Running | Phase::Ending { .. } | Phase::Leaving { .. } => Due::Nothing,
        }
    }

    /// When to look again.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        match self.phase {
            Phase::Waiting => None,
            Phase::Running => Some(self.until),
            Phase::Ending { kill_at } if self.lost => Some(kill_at.min(self.killed_by())),
            Phase::Ending { kill_at } => Some(kill_at.min(self.until)),
            Phase::Killing { since } => Some(self.dead_by(since)),
            Phase::Leaving { by } => Some(by),
        }
    }

    fn killed_by(&self) -> u64 {
        self.until.saturating_add(self.lost_grace)
    }

    /// Whoever was asleep until after that has still to try.
    fn dead_by(&self, since: u64) -> u64 {
        self.killed_by().max(since).saturating_add(self.margin)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
