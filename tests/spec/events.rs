//! Denials as Events: which are told, how they are folded, and that there is a bound to all of it. Data in, data out; the
//! clock is passed in.

use std::time::Duration;

use singleton_guard::api::mark::MarkKey;
use singleton_guard::api::reference::Regarding;
use singleton_guard::events::aggregator::{Added, Aggregator, Denied, PERIOD, QUIET, WAITING_MAX, WRITTEN_MAX};
use singleton_guard::events::lookup_limit::{ASKED_MAX, LookupLimit};
use singleton_guard::events::{RefusedRequest, denied_event};
use singleton_guard::policy::decision::Decision;
use singleton_guard::policy::denial::Denial;
use singleton_guard::policy::request::Operation;
use singleton_guard::policy::violation::{More, Sg001, Violation};
use singleton_guard::settings::Mode;
use tokio::time::Instant;

use super::generated::every_violation;

/// The first of a kind is told at once; what repeats it is told together, and not more often than every few seconds.
#[test]
fn a_denial_is_one_event_however_often_it_happens() -> Result<(), String> {
    let (mut aggregator, start) = (Aggregator::default(), Instant::now());
    let said = about("pay", "ledger", "o-1")?;
    let mut told = Vec::new();
    // An autoscaler tries every 15 s for five minutes; in the third minute it is joined by somebody with a loop.
    for second in 0..300 {
        let now = start + Duration::from_secs(second);
        let times = if (120..130).contains(&second) { 100 } else { u32::from(second % 15 == 0) };
        for _ in 0..times {
            aggregator.add(said.clone(), now);
        }
        if let Some((_, times)) = aggregator.take(now) {
            told.push((second, times));
        }
    }
    let all: u32 = told.iter().map(|(_, times)| times).sum();
    let gaps_are_kept = told.windows(2).all(|pair| pair[1].0 - pair[0].0 >= QUIET.as_secs());
    (told.first() == Some(&(0, 1)) && all == 19 + 1_000 && gaps_are_kept && aggregator.next_at().is_none())
        .then_some(())
        .ok_or_else(|| format!("{all} in {told:?}, next {:?}", aggregator.next_at()))
}

/// However many objects are named, no more waits, and no more is written in a minute, than the limits say.
#[test]
fn what_waits_to_be_told_is_bounded_and_what_is_written() -> Result<(), String> {
    let (mut aggregator, start) = (Aggregator::default(), Instant::now());
    let mut dropped = 0;
    for number in 0..10_000 {
        let said = about("pay", &format!("forged-{number}"), &format!("o-{number}"))?;
        dropped += u32::from(aggregator.add(said, start) == Added::Dropped);
    }
    assert!(dropped == 10_000 - u32::try_from(WAITING_MAX).unwrap_or_default(), "{dropped} dropped");
    let mut written = Vec::new();
    for second in 0..300 {
        let now = start + Duration::from_secs(second);
        for number in 0..100 {
            aggregator.add(about("pay", &format!("more-{second}-{number}"), "o-1")?, now);
        }
        while let Some((_, times)) = aggregator.take(now) {
            written.push((second, times));
        }
    }
    let most = written.iter().map(|(from, _)| {
        written.iter().filter(|(second, _)| (*from..from + PERIOD.as_secs()).contains(second)).count()
    });
    let most = most.max().unwrap_or_default();
    if most == WRITTEN_MAX { Ok(()) } else { Err(format!("{most} written in {PERIOD:?}, the limit is {WRITTEN_MAX}")) }
}

/// Questions about objects have a bound of their own, in every minute.
#[test]
fn questions_about_what_is_to_be_told_are_bounded() -> Result<(), String> {
    let (mut lookup_limit, start) = (LookupLimit::default(), Instant::now());
    let asked = |lookup_limit: &mut LookupLimit, second| {
        (0..1_000).filter(|_| lookup_limit.may_ask(start + Duration::from_secs(second))).count()
    };
    let seen = [0, 30, 59, 60, 61].map(|second| asked(&mut lookup_limit, second));
    if seen == [ASKED_MAX, 0, 0, ASKED_MAX, 0] { Ok(()) } else { Err(format!("{seen:?} questions")) }
}

/// Told is a refusal of a change to an object that exists; its names cannot lead a path anywhere else.
#[test]
fn an_event_is_about_what_exists_and_can_be_named() -> Result<(), String> {
    let denied = |namespace: &str, name: &str, uid: &str, first: Violation| {
        let [namespace, name, uid] = [namespace, name, uid].map(str::to_owned);
        let subject = Regarding { group: "apps", version: "v1", kind: "StatefulSet", namespace, name, uid };
        Decision::denied(Denial::new(subject, MarkKey::default(), first, [], None, "spec.replicas"))
    };
    let too_many = || Sg001::TooMany { requested: "3".to_owned(), more: More::Release }.into();
    let told = denied("pay", "ledger.v2", "7f3c-0a", too_many());
    let silent = [
        ("a dry run", denied_event(&asked(Operation::Update, true), &told)),
        ("a creation", denied_event(&asked(Operation::Create, false), &told)),
        ("a warning", denied_event(&asked(Operation::Update, false), &told.clone().under(Mode::Warn, false))),
        ("what is allowed", denied_event(&asked(Operation::Update, false), &Decision::ALLOWED)),
        ("what is not known", denied_event(&asked(Operation::Update, false), &Decision::could_not_decide("because"))),
    ];
    if let Some((what, _)) = silent.iter().find(|(_, said)| said.is_some()) {
        return Err(format!("{what} is told"));
    }
    for (namespace, name, uid) in [
        ("", "ledger", "o-1"),
        ("pay", "", "o-1"),
        ("pay", "ledger", ""),
        ("pay/../kube-system", "ledger", "o-1"),
        ("..", "ledger", "o-1"),
        ("pay?dryRun=All", "ledger", "o-1"),
        ("pay", "ledger/status", "o-1"),
        ("pay", "..", "o-1"),
        ("pay", "a%2fb", "o-1"),
        ("pay", "Ledger", "o-1"),
        ("pay", "led ger", "o-1"),
        ("pay", &"n".repeat(254), "o-1"),
        ("pay", "ledger", "o/1"),
        ("pay", "ledger", &"u".repeat(65)),
    ] {
        assert!(
            denied_event(&asked(Operation::Update, false), &denied(namespace, name, uid, too_many())).is_none(),
            "{namespace:?} {name:?} {uid:?} is told"
        );
    }
    // An autoscaler may not be read by its name; one that is there is told of by who watches them.
    let (scalers, others): (Vec<_>, Vec<_>) =
        every_violation().into_iter().partition(|violation| matches!(violation, Violation::Sg003(_)));
    let told = |violation| denied_event(&asked(Operation::Update, false), &denied("pay", "ledger", "o-1", violation));
    if scalers.is_empty() || scalers.into_iter().any(|violation| told(violation).is_some()) {
        return Err("an autoscaler that is refused is told of".to_owned());
    }
    for violation in others {
        let (code, remedy) = (violation.code(), violation.remedy());
        let said = told(violation).ok_or_else(|| format!("{code} is not told"))?;
        let reason = if code.as_str() == "SG001" { "SingletonScaleDenied" } else { "SingletonChangeDenied" };
        let note = &said.event.note;
        assert!(said.event.reason == reason && note.starts_with(code.as_str()) && note.contains(remedy), "{said:?}");
    }
    Ok(())
}

/// Who asked is said of what Kubernetes itself has named, of people only where the settings say so; so people who ask for the
/// same are told of in one Event, and a name cannot make a note longer than an Event may have it.
#[test]
fn an_event_says_who_asked_and_no_person_unless_it_is_to() -> Result<(), String> {
    let subject = |name: &str| Regarding {
        group: "apps",
        version: "v1",
        kind: "StatefulSet",
        namespace: "pay".to_owned(),
        name: name.to_owned(),
        uid: "o-1".to_owned(),
    };
    let first = Sg001::TooMany { requested: "3".to_owned(), more: More::Release }.into();
    let denial = Denial::new(subject("ledger"), MarkKey::default(), first, [], None, "spec.replicas");
    let decision = Decision::denied(denial);
    let note = |user: &str, names_people: bool| {
        let asked = RefusedRequest { user: user.to_owned().into(), names_people, ..asked(Operation::Update, false) };
        denied_event(&asked, &decision).map(|said| said.event.note).unwrap_or_default()
    };
    let autoscaler = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
    let longest = format!("system:serviceaccount:{}:{}", "n".repeat(63), "s".repeat(253));
    for (user, names_people, ends) in [
        (autoscaler, false, format!("; asked by {autoscaler}")),
        (&longest, false, format!("; asked by {longest}")),
        ("mara@example.com", true, "; asked by mara@example.com".to_owned()),
        ("mara@example.com", false, ")".to_owned()),
        ("system", false, ")".to_owned()),
    ] {
        let said = note(user, names_people);
        assert!(said.ends_with(&ends) && said.len() <= 1024, "{user}, {names_people}: {said}");
    }
    let endless = note(&"a\nb".repeat(10_000), true);
    if endless.len() > 1024 || endless.contains('\n') {
        return Err(endless);
    }
    assert!(
        note("mara@example.com", false) == note("timo@example.com", false),
        "people who ask for the same make two Events"
    );
    // However many users there are, no more waits than a limit says.
    let (mut aggregator, now) = (Aggregator::default(), Instant::now());
    let waiting = (0..10_000).filter(|number| {
        let user = format!("system:serviceaccount:pay:{number}");
        let asked = RefusedRequest { user: user.into(), ..asked(Operation::Update, false) };
        denied_event(&asked, &decision).is_some_and(|said| aggregator.add(said, now) == Added::Waiting)
    });
    let waiting = waiting.count();
    if waiting == WAITING_MAX { Ok(()) } else { Err(format!("{waiting} wait")) }
}

fn asked(operation: Operation, dry_run: bool) -> RefusedRequest<'static> {
    RefusedRequest { operation, dry_run, user: "kubernetes-admin".into(), names_people: false }
}

fn about(namespace: &str, name: &str, uid: &str) -> Result<Denied, String> {
    let [namespace, name, uid] = [namespace, name, uid].map(str::to_owned);
    let subject = Regarding { group: "apps", version: "v1", kind: "StatefulSet", namespace, name, uid };
    let first = Sg001::TooMany { requested: "3".to_owned(), more: More::Release }.into();
    let denial = Denial::new(subject, MarkKey::default(), first, [], None, "spec.replicas");
    denied_event(&asked(Operation::Update, false), &Decision::denied(denial)).ok_or_else(|| "it is not told".to_owned())
}
