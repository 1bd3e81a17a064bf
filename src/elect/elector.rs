//! The elector: drives [`decide`] over a store and a keeper. One thing happens after the other, and at most one call of the
//! store is under way.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::clock::now;
use super::control::Control;
use super::decide::decide;
use super::metrics::{Outcome, StepDown, Takeover};
use super::record::{Cell, Record, Revision, Term};
use super::state::{Action, Call, Candidate, Event, Held, Phase, State, Why, Word};
use super::status::{Role, Status};
use super::store::{Failed, Register};
use super::wire::{ToElector, ToKeeper};

/// The keeper, as the elector knows it.
pub trait Keeper {
    /// Tells it something, without waiting. What is lost is said again, or the keeper acts without it.
    fn tell(&self, message: ToKeeper) -> io::Result<()>;
    /// What it says next; none once it has ended. May be dropped and called again.
    fn hears(&self) -> impl Future<Output = Option<ToElector>>;
    /// It has not done what it had to: ends it, and whatever it keeps.
    fn kill(&self);
}

/// Runs until the command has ended and the record says so, or the keeper has ended.
pub async fn run(me: Candidate, register: &impl Register, keeper: &impl Keeper, control: &Control) {
    let within = me.timing.call;
    let mut elector = Elector::new(me, keeper, control);
    let mut call: Option<Asked<'_>> = None;
    let mut event = Event::Woken;
    loop {
        for action in elector.decides(event) {
            match action {
                Action::Read => call = Some(Box::pin(reads(register, within))),
                Action::Swap(from, next) => call = Some(Box::pin(swaps(register, from, next, within))),
                Action::Leave => return,
                other => elector.carries_out(other),
            }
        }
        elector.puts_up();
        event = loop {
            tokio::select! {
                biased;
                heard = keeper.hears() => match heard.map(|heard| elector.hears(heard)) {
                    None => return,
                    Some(None) => elector.puts_up(),
                    Some(Some(event)) => break event,
                },
                answer = answer(&mut call) => {
                    call = None;
                    break elector.is_answered(answer);
                }
                () = control.asked_to_hand_over() => break Event::StopAsked,
                () = sleep(elector.pause()) => break Event::Woken,
            }
        };
    }
}

type Asked<'r> = Pin<Box<dyn Future<Output = Result<Event, Failed>> + 'r>>;

async fn reads(register: &impl Register, within: Duration) -> Result<Event, Failed> {
    Ok(Event::Read(in_time(register.read(), within).await?))
}

async fn swaps(
    register: &impl Register,
    from: Option<Revision>,
    next: Record,
    within: Duration,
) -> Result<Event, Failed> {
    Ok(in_time(register.swap(from, &next), within).await?.map_or(Event::Lost, Event::Won))
}

async fn in_time<T>(call: impl Future<Output = Result<T, Failed>>, within: Duration) -> Result<T, Failed> {
    let late = Failed::Unreached("the store".to_owned(), format!("no answer within {within:?}"));
    timeout(within, call).await.unwrap_or(Err(late))
}

/// The answer of the call under way; never, if there is none.
async fn answer(call: &mut Option<Asked<'_>>) -> Result<Event, Failed> {
    match call {
        Some(call) => call.await,
        None => pending().await,
    }
}

struct Elector<'e, K> {
    me: Candidate,
    state: State,
    keeper: &'e K,
    control: &'e Control,
    /// When the call under way was sent.
    called: Duration,
    /// Whether the record that was read last was released.
    was_released: bool,
    /// Whether the keeper was told to end the command by somebody else.
    is_told: bool,
    is_started: bool,
    /// What was said last, which is not said again.
    said: Option<String>,
}

impl<'e, K: Keeper> Elector<'e, K> {
    fn new(me: Candidate, keeper: &'e K, control: &'e Control) -> Self {
        let (state, called) = (State::new(now()), now().boot);
        Self { me, state, keeper, control, called, was_released: false, is_told: false, is_started: false, said: None }
    }

    fn decides(&mut self, event: Event) -> Vec<Action> {
        let actions = decide(&self.me, &mut self.state, event, now());
        if actions.iter().any(|action| matches!(action, Action::Read | Action::Swap(..))) {
            self.called = now().boot;
        }
        actions
    }

    /// Until something is due. A sleep stops with the machine and its clock does not, so it is never a long one.
    fn pause(&self) -> Duration {
        let now = now();
        self.state.wakes(&self.me.timing, now).saturating_sub(now.boot).min(self.me.timing.look())
    }

    fn carries_out(&mut self, action: Action) {
        let told = match action {
            Action::Run { until, token, term } => {
                info!("active, with the token {}", token.0);
                let why = if self.was_released { Takeover::Released } else { Takeover::Expired };
                self.control.metrics.takeover(why);
                self.keeper.tell(ToKeeper::Run { until: nanoseconds(until), token: token.0, term: number(term) })
            }
            Action::Until(until) => self.keeper.tell(ToKeeper::Until { at: nanoseconds(until) }),
            Action::Stop(why) => self.stops(why),
            Action::Kill => {
                warn!("the keeper has not ended the command in time, so both are killed");
                self.keeper.kill();
                Ok(())
            }
            Action::Say(word) => {
                self.says(match word {
                    Word::Foreign(what) => format!("the lock cannot be taken: {what}"),
                    Word::RolledBack(at, highest) => format!(
                        "the store has lost writes: it is at revision {} and was at {}, so tokens may come back",
                        at.0, highest.0
                    ),
                });
                Ok(())
            }
            Action::Read | Action::Swap(..) | Action::Leave => Ok(()),
        };
        if let Err(error) = told {
            warn!("the keeper does not hear: {error}");
        }
    }

    fn stops(&self, why: Why) -> io::Result<()> {
        let (step_down, message) = match why {
            Why::Asked => (StepDown::Asked, ToKeeper::Stop { grace: nanoseconds(self.me.timing.stop_grace) }),
            Why::Outlived => (StepDown::Deadline, ToKeeper::Lost),
            Why::Taken => (StepDown::Taken, ToKeeper::Lost),
        };
        match why {
            Why::Asked => info!("asked to stop: the command ends, and then the lock is released"),
            Why::Outlived => warn!("the lock is lost: no renewal came through in time"),
            Why::Taken => warn!("the lock is lost: its record is gone, or somebody else's"),
        }
        self.control.metrics.step_down(step_down);
        if why == Why::Asked && self.is_told {
            return Ok(());
        }
        self.keeper.tell(message)
    }

    fn hears(&mut self, heard: ToElector) -> Option<Event> {
        match heard {
            ToElector::Alive => None,
            ToElector::Started { .. } => {
                self.is_started = true;
                self.control.update(|status| status.active_since = Some(now().boot));
                None
            }
            ToElector::StopAsked => {
                self.is_told = true;
                Some(Event::StopAsked)
            }
            ToElector::Gone { .. } => {
                if matches!(self.state.phase, Phase::Active(Held { ending: None, .. })) {
                    self.control.metrics.step_down(StepDown::Ended);
                }
                Some(Event::Gone)
            }
        }
    }

    fn is_answered(&mut self, answer: Result<Event, Failed>) -> Event {
        let at = now().boot;
        let (event, outcome) = match answer {
            Err(failed) => {
                self.says(failed.to_string());
                self.control.update(|status| status.failed = Some((at, failed.to_string())));
                (Event::Unanswered, Outcome::Unanswered)
            }
            Ok(event) => {
                if !matches!(event, Event::Read(Cell::Foreign(_))) {
                    self.said = None;
                }
                if let Event::Read(Cell::Record(record, _)) = &event {
                    self.was_released = record.is_released;
                    self.control.update(|status| status.holder = record.holder.as_deref().map(str::to_owned));
                }
                self.control.update(|status| status.heard = Some(at));
                let outcome = if event == Event::Lost { Outcome::Refused } else { Outcome::Written };
                (event, outcome)
            }
        };
        if self.state.call == Some(Call::Write) && matches!(self.state.phase, Phase::Active(_)) {
            self.control.metrics.renewal(outcome, at.saturating_sub(self.called));
        }
        event
    }

    fn says(&mut self, what: String) {
        if self.said.as_ref() != Some(&what) {
            warn!("{what}");
            self.said = Some(what);
        }
    }

    fn puts_up(&self) {
        self.control.update(|status: &mut Status| match &self.state.phase {
            Phase::Passive(_) => status.role = Role::Passive,
            Phase::Active(held) => {
                status.role = match (&held.ending, self.is_started) {
                    (Some(_), _) => Role::Stopping,
                    (None, true) => Role::Active,
                    (None, false) => Role::Starting,
                };
                status.holder = Some(self.me.holder.to_string());
                (status.token, status.valid_until) = (Some(held.token.0), Some(held.told));
            }
            Phase::Releasing { .. } | Phase::Over => {
                status.role = Role::Stopping;
                (status.token, status.valid_until, status.active_since) = (None, None, None);
            }
        });
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// One number for one term.
fn number(term: Term) -> u128 {
    u128::from(term.by) << u32::BITS | u128::from(term.number)
}
