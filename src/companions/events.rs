//! What is said in Events about the companions of a workload.

use super::backoff::object;
use super::write::Written;
use crate::api::kind::Kind;
use crate::api::reference::Regarding;
use crate::companions::plan::{Companion, Step, Why, let_go_of, made, none_of_ours};
use crate::events::{Saying, Voice};

/// What there is to say of a step that was carried out, beside the states of now, and knowing those that were said. One
/// budget of a user may make the companions of many step aside and come back, so each of both is one saying, and is
/// written once however often it happens.
pub(super) fn happened(
    (workload, kind): (&str, Kind),
    step: &Step,
    written: &Written,
    (states, said): (&[Saying], &[Saying]),
) -> Option<Saying> {
    let (companion, name) = object(step);
    let happening = |reason, note| Saying { reason, note, is_warning: false, is_state: false };
    match (written, step) {
        (Written::Created, _) if said.iter().any(|saying| is_about_none(saying, companion)) => {
            let note = format!("made {companion} {name}: nothing is in its way any more");
            Some(Saying { is_state: true, ..happening("SingletonCompanionCreated", note) })
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

pub(super) async fn say(voice: &Voice, about: &Regarding, saying: &Saying) {
    let Regarding { namespace, name, .. } = about;
    tracing::info!(namespace, name, reason = saying.reason, note = saying.note, "companions");
    voice.say(about, saying).await;
}

pub(super) fn skipped(companion: Companion, why: &Why) -> Saying {
    let (note, is_warning) = (why.sentence(companion), why.is_warning());
    Saying { reason: SKIPPED, note, is_warning, is_state: true }
}

/// Whether it says that there is none of this companion.
pub(super) fn is_about_none(saying: &Saying, companion: Companion) -> bool {
    saying.reason == SKIPPED && saying.note.starts_with(&none_of_ours(companion))
}

/// Nothing of what is there is lost by it.
pub(super) fn refused(step: &Step, message: String) -> Saying {
    let why = Why::Refused { message };
    if matches!(step, Step::Apply { exists: false, .. }) {
        return skipped(step.companion(), &why);
    }
    let note = format!("{} of ours stays as it is: {why}", step.companion());
    Saying { note, ..skipped(step.companion(), &why) }
}

const SKIPPED: &str = "SingletonCompanionSkipped";
