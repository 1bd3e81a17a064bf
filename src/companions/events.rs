//! What is said in Events about the companions of a workload.

use super::backoff::object;
use super::write::Written;
use crate::api::kind::Kind;
use crate::api::reference::Regarding;
use crate::companions::plan::{Companion, Step, Why, let_go_of, made, none_of_ours};
use crate::events::{Event, Recorder};

/// What there is to say of a step that was carried out, beside the states of now, and knowing those that were said. One
/// budget of a user may make the companions of many step aside and come back, so each of both is one event, and is
/// written once however often it happens.
pub(super) fn happened(
    (workload, kind): (&str, Kind),
    step: &Step,
    written: &Written,
    (states, said): (&[Event], &[Event]),
) -> Option<Event> {
    let (companion, name) = object(step);
    let happening = |reason, note| Event { reason, note, is_warning: false, is_state: false };
    match (written, step) {
        (Written::Created, _) if said.iter().any(|event| is_about_none(event, companion)) => {
            let note = format!("made {companion} {name}: nothing is in its way any more");
            Some(Event { is_state: true, ..happening("SingletonCompanionCreated", note) })
        }
        (Written::Created, _) => {
            let note = made(companion, &name, step.takes_a_written_name(workload, kind));
            Some(happening("SingletonCompanionCreated", note))
        }
        (Written::Removed, Step::Remove { why, .. }) if !states.contains(&skipped(companion, why)) => {
            Some(happening("SingletonCompanionRemoved", format!("removed {companion} {name}: {why}")))
        }
        (Written::LetGo, Step::LetGo { by, .. }) => {
            Some(happening("SingletonCompanionLetGo", let_go_of(companion, &name, by)))
        }
        _ => None,
    }
}

pub(super) async fn say(recorder: &Recorder, about: &Regarding, event: &Event) {
    let Regarding { namespace, name, .. } = about;
    tracing::info!(namespace, name, reason = event.reason, note = event.note, "companions");
    recorder.record(about, event).await;
}

pub(super) fn skipped(companion: Companion, why: &Why) -> Event {
    let (note, is_warning) = (why.sentence(companion), why.is_warning());
    Event { reason: SKIPPED, note, is_warning, is_state: true }
}

/// Whether it says that there is none of this companion.
pub(super) fn is_about_none(event: &Event, companion: Companion) -> bool {
    event.reason == SKIPPED && event.note.starts_with(&none_of_ours(companion))
}

/// Nothing of what is there is lost by it.
pub(super) fn refused(step: &Step, message: String) -> Event {
    let why = Why::Refused { message };
    if matches!(step, Step::Apply { exists: false, .. }) {
        return skipped(step.companion(), &why);
    }
    let note = format!("{} of ours stays as it is: {why}", step.companion());
    Event { note, ..skipped(step.companion(), &why) }
}

const SKIPPED: &str = "SingletonCompanionSkipped";
