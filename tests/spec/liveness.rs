//! What a strict singleton that waits for its Pod gets, and when. Tables, data in and data out.

use std::time::{Duration, SystemTime};

use serde_json::json;
use singleton_guard::policy::holder::{Asked, Holder, State};
use singleton_guard::strict::liveness::{Reminders, Step, step};
use time::OffsetDateTime;

use self::Reminder::{Given, Seen};
use super::case;

/// What has ended goes at once; who has reason to wait is waited for; the rest is said.
#[test]
fn each_holder_of_a_name_has_its_step() {
    let strict = |state| Some(Holder { node: "a".to_owned(), is_strict: true, state, controller: String::new() });
    let (ends, lingers) = (State::Ends(Duration::from_secs(9)), State::Lingers(Duration::from_secs(9)));
    let finalizes = State::Finalizes(Duration::from_secs(9));
    let nowhere = Some(Holder { node: String::new(), is_strict: true, state: State::Ended, controller: String::new() });
    let foreign =
        Some(Holder { node: "a".to_owned(), is_strict: false, state: State::Ended, controller: String::new() });
    for (what, holder, milliseconds, expected) in [
        ("the name has just become free", None, 999, Step::Wait),
        ("its controller had its moment", None, 1_000, Step::Remind),
        ("the Pod has ended, and its kubelet may still clean up", strict(State::Ended), 9_999, Step::Wait),
        ("the Pod has ended", strict(State::Ended), 10_000, Step::Delete),
        ("the Pod has ended on no node", nowhere, 0, Step::Delete),
        ("the Pod ends", strict(ends), 59_999, Step::Wait),
        ("the Pod does not end", strict(ends), 60_000, Step::Tell),
        ("the Pod has ended, and its kubelet is about to say so", strict(lingers), 59_999, Step::Wait),
        ("the Pod has ended, and its kubelet is gone", strict(lingers), 60_000, Step::Delete),
        ("the Pod has finalizers, and nobody who takes them off", strict(finalizes), 60_000, Step::Tell),
        ("the Pod is there", strict(State::Stays), 59_999, Step::Wait),
        ("the Pod stays", strict(State::Stays), 60_000, Step::Tell),
        ("the Pod is not ours to delete", foreign, 0, Step::Tell),
    ] {
        let found = step(holder.as_ref(), Duration::from_millis(milliseconds));
        assert!(found == expected, "{what}: {found:?} instead of {expected:?}");
    }
}

/// Every one counts once, and the pause grows, whoever gave it.
#[test]
fn reminders_count_once_whoever_gives_them() {
    let at = |second| Some(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(second));
    for (what, begun, steps, seconds) in [
        ("none", None, &[][..], 1),
        ("that of an earlier wait", at(100), &[Seen(at(100))], 1),
        ("the first of another replica", None, &[Seen(at(100))], 2),
        ("another replica's, seen twice", at(90), &[Seen(at(100)), Seen(at(100))], 2),
        ("ours, seen before what is later in the watch", at(90), &[Given(109), Seen(at(105)), Seen(at(109))], 2),
        ("one of each", at(90), &[Given(100), Seen(at(100)), Seen(at(102))], 4),
        ("ours twice within a second", at(90), &[Given(100), Given(100)], 4),
        ("one of a clock far behind", at(90), &[Given(100), Seen(at(10))], 2),
        ("ours, of a clock behind the other's", at(90), &[Seen(at(100)), Given(95), Seen(at(95))], 4),
        ("an annotation that is gone", at(90), &[Seen(None)], 1),
        ("many in vain", None, &[Given(1); 100], 60),
    ] {
        let mut reminders = Reminders::none_since(begun);
        for step in steps {
            match *step {
                Seen(at) => _ = reminders.see(at),
                Given(second) => reminders.give(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(second)),
            }
        }
        assert!(
            reminders.pause() == Duration::from_secs(seconds),
            "{what}: a pause of {:?} instead of {seconds} s",
            reminders.pause()
        );
    }
}

/// Whoever may delete a Pod gives any grace, and what is said of it has to hold.
#[test]
fn any_grace_can_be_told() -> Result<(), String> {
    // 2027-01-15T08:00:00Z
    let gone_by = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let now = gone_by + Duration::from_secs(60);
    for (what, grace, since) in [
        ("the usual", 30, "2027-01-15T07:59:30Z"),
        ("none", 0, "2027-01-15T08:00:00Z"),
        ("longer than there are years to say it in", 1_000_000_000_000, "2027-01-15T08:00:00Z"),
        ("the longest", u64::MAX, "2027-01-15T08:00:00Z"),
    ] {
        let state = State::of(Some(Asked::read(gone_by, Some(grace), false)), "a", false, now);
        let holder = Holder { node: "a".to_owned(), is_strict: true, state, controller: String::new() };
        let said = holder.blocks("cron", now);
        if !said.contains(&format!("terminates since {since}: ")) {
            return Err(format!("{what}: {said}"));
        }
    }
    Ok(())
}

/// What the metadata and the phase of a Pod say of it.
#[test]
fn each_pod_that_holds_a_name_is_in_one_state() -> Result<(), String> {
    let asked = json!({"deletionTimestamp": "1970-01-01T00:01:00Z", "deletionGracePeriodSeconds": 30});
    let over = json!({"deletionTimestamp": "1970-01-01T00:00:30Z", "deletionGracePeriodSeconds": 0});
    let kept = case::with(&over, json!({"finalizers": ["example.com/archive"]}));
    let since = Duration::from_secs(12);
    let kept_on = case::with(&kept, asked.clone());
    for (what, metadata, node, phase, expected) in [
        ("it runs", &json!({"finalizers": null}), "a", "Running", State::Stays),
        ("it has ended", &json!({}), "a", "Succeeded", State::Ended),
        ("it ends", &asked, "a", "Running", State::Ends(since)),
        ("it ends and has a finalizer", &kept_on, "a", "Running", State::Ends(since)),
        ("it has ended since", &asked, "a", "Failed", State::Lingers(since)),
        ("it has ended since and has a finalizer", &kept_on, "a", "Failed", State::Lingers(since)),
        ("its deletion was cut short", &over, "a", "Failed", State::Lingers(since)),
        ("its finalizers are all that is left", &kept, "a", "Failed", State::Finalizes(since)),
        ("it never ran, and has a finalizer", &kept, "", "Pending", State::Finalizes(since)),
        ("it was forced, may run, and has a finalizer", &kept, "a", "Running", State::Ends(since)),
    ] {
        let pod = json!({"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase}}).to_string();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(42);
        let found = Holder::read(pod.as_bytes(), now).map_err(|error| format!("{what}: {error}"))?.state;
        assert!(found == expected, "{what}: {found:?} instead of {expected:?}");
    }
    Ok(())
}

/// What happens to the reminders of one workload.
#[derive(Clone, Copy)]
enum Reminder {
    /// In the watch.
    Seen(Option<OffsetDateTime>),
    /// By this replica.
    Given(u64),
}
