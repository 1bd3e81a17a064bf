//! Several companions' controllers in one cluster: two replicas against a user's budgets, one after a restart, and two
//! guards with marks of their own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::faults::settle;
use super::process::Process;
use super::storm::moment;
use crate::common::place::{MORE_THAN_ALL, Place, budget_name, chance, pick, service_name};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, complete};

stories!(two_budgets_for_one_pod_do_not_last, two_guards_leave_each_other_alone, an_open_window_of_consent_is_counted);

/// A user creates, changes and deletes budgets at random: ours is never beside one that selects the Pods for long.
async fn two_budgets_for_one_pod_do_not_last(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let replica = |name: &str| Process::start(lab, &format!("{}-{name}", place.namespace), json!({}), None);
    let _replicas = [replica("a")?, replica("b")?];
    place.create("StatefulSet", "ledger", json!({})).await?;
    let ours = budget_name("ledger", "StatefulSet");
    place.budget(&ours).await?;
    let mut chance = chance();
    let mut beside: Option<Instant> = None;
    let (mut longest, mut steps) = (Duration::ZERO, 0);
    let mut next = Instant::now();
    while steps < INTERLEAVINGS {
        let budgets = place.list("PodDisruptionBudget").await?;
        let selecting = |budget: &&Value| budget["spec"]["selector"]["matchLabels"]["app"] == "ledger";
        let count = budgets.iter().filter(selecting).count();
        let is_ours = budgets.iter().filter(selecting).any(|budget| budget["metadata"]["name"] == *ours);
        if is_ours && count > 1 {
            let since = *beside.get_or_insert_with(Instant::now);
            longest = longest.max(since.elapsed());
        } else {
            beside = None;
        }
        if next <= Instant::now() {
            let name = ["one", "two"][pick(&mut chance, 2)];
            let selects = pick(&mut chance, 2) == 0;
            let app = if selects { "ledger" } else { "other" };
            let spec = json!({"minAvailable": 0, "selector": {"matchLabels": {"app": app}}});
            match (place.get("PodDisruptionBudget", name).await?, pick(&mut chance, 3)) {
                (None, _) => drop(place.make(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec})).await?),
                (Some(_), 0) => drop(place.patch("PodDisruptionBudget", name, json!({"spec": spec})).await?),
                (Some(_), _) => place.delete("PodDisruptionBudget", name).await?,
            }
            steps += 1;
            next = Instant::now() + moment(&mut chance, 400);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    eprintln!("two budgets for one Pod: for {longest:?} at the longest, in {steps} steps");
    ensure!(longest < NOT_FOR_LONG, "two budgets for {longest:?}");
    for name in ["one", "two"] {
        if place.get("PodDisruptionBudget", name).await?.is_some() {
            place.delete("PodDisruptionBudget", name).await?;
        }
    }
    place.budget(&ours).await?;
    // And where theirs does not go again at once.
    let began = Instant::now();
    place.make(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "one"}, "spec": {"minAvailable": 0, "selector": {}}})).await?;
    place.until("ours is gone", async || Ok(place.get("PodDisruptionBudget", &ours).await?.is_none())).await?;
    ensure!(began.elapsed() < NOT_FOR_LONG, "two budgets for {:?}", began.elapsed());
    Ok(())
}

/// Two guards with marks of their own: each keeps the companions of its own singletons, and takes those of the other for
/// what they are, somebody else's.
async fn two_guards_leave_each_other_alone(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let start = |name: &str, mark: &str| {
        Process::start(lab, &format!("{}-{name}", place.namespace), json!({"mark": {"key": mark}}), None)
    };
    let _one = start("one", MARK)?;
    let other = start("other", OTHER)?;
    for (name, labels) in [
        ("one", json!({MARK: "true"})),
        ("other", json!({OTHER: "true"})),
        ("both", json!({MARK: "true", OTHER: "true"})),
    ] {
        let object =
            json!({"kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": {"replicas": 1}});
        place.make(complete(&object, &place.namespace)).await?;
        place.service(&service_name(name)).await?;
        place.budget(&budget_name(name, "Deployment")).await?;
        place
            .until("its ReplicaSet is stamped with every mark of its Deployment", async || {
                let sets = place.sets().await?;
                let set = sets.iter().find(|set| set["metadata"]["ownerReferences"][0]["name"] == name);
                let marks = labels.as_object().into_iter().flatten();
                Ok(set.is_some_and(|set| marks.clone().all(|(key, mark)| set["metadata"]["labels"][key] == *mark)))
            })
            .await?;
    }
    settle().await;
    let (before, written) = (stand(&place).await?, place.writes()?);
    drop(other);
    // It lists anew: what it does not know could look like the leavings of a singleton that was released.
    let _other = start("again", OTHER)?;
    settle().await;
    let after = stand(&place).await?;
    ensure!(after == before, "one guard has touched what the other one keeps:\n{before:#?}\n{after:#?}");
    ensure!(place.writes()? == written, "writes although nothing happens: {:#?}", place.writes()?);

    for (name, mark) in [("one", MARK), ("other", OTHER)] {
        place.patch("Deployment", name, json!({"metadata": {"labels": {mark: null}}})).await?;
        let budget = budget_name(name, "Deployment");
        place
            .until("a release takes the budget", async || {
                Ok(place.get("PodDisruptionBudget", &budget).await?.is_none())
            })
            .await?;
    }
    let budgets = place.list("PodDisruptionBudget").await?;
    ensure!(budgets.len() == 1, "that of the third must stay, alone: {budgets:#?}");
    Ok(())
}

/// A window of consent is counted from the start of a process to the end of the window, though nothing else happens.
async fn an_open_window_of_consent_is_counted(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    // Something that fails all the while, and is tried again ever more seldom.
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"count/services": "0"}}});
    lab.kubectl_with_input(&["-n", &place.namespace, "create", "-f", "-"], &quota.to_string()).await?.success()?;
    let replica = |name: &str| Process::start(lab, &format!("{}-{name}", place.namespace), json!({}), None);
    let open = async |replica: &Process| replica.metric("singleton_guard_consent_windows_open", "").await;
    let first = replica("first")?;
    let closes = SystemTime::now() + WINDOW;
    let until = OffsetDateTime::from(closes).format(&Rfc3339)?;
    let annotations =
        json!({"singleton-guard.io/disruption": "block", "singleton-guard.io/disruption-allowed-until": until});
    place
        .create("StatefulSet", "ledger", json!({"metadata": {"annotations": annotations}, "spec": {"replicas": 0}}))
        .await?;
    let name = budget_name("ledger", "StatefulSet");
    let budget = place.budget(&name).await?;
    ensure!(budget["spec"]["minAvailable"] == 0, "the window is open: {budget}");
    place.until("the window is counted", async || Ok(open(&first).await? >= 1.0)).await?;
    drop(first);
    let second = replica("second")?;
    place.until("it is counted after a restart", async || Ok(open(&second).await? >= 1.0)).await?;
    place.until("it is counted no longer", async || Ok(open(&second).await? == 0.0)).await?;
    place
        .until("the budget blocks", async || {
            let budget = place.get("PodDisruptionBudget", &name).await?.unwrap_or_default();
            Ok(budget["spec"]["minAvailable"] == MORE_THAN_ALL)
        })
        .await?;
    ensure!(SystemTime::now() < closes + SOON, "it was open for longer than was consented to");
    Ok(())
}

/// What there is, without what others move: a budget's revision moves with its status.
async fn stand(place: &Place<'_>) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for kind in ["Service", "PodDisruptionBudget", "ReplicaSet"] {
        for object in place.list(kind).await? {
            let of = |field: &str| object["metadata"][field].clone();
            all.insert(format!("{kind} {}", of("name")), json!([of("uid"), of("generation"), of("labels")]));
        }
    }
    Ok(all)
}

const INTERLEAVINGS: usize = 100;
/// What is promised. It is a tenth of a second, if nobody else needs the machine.
const NOT_FOR_LONG: Duration = Duration::from_secs(2);
/// [`NOT_FOR_LONG`], seen by a test on a busy machine.
const SOON: Duration = Duration::from_secs(5);
/// The mark of the other guard.
const OTHER: &str = "example.com/only-one";
/// Long enough for a budget and a restart.
const WINDOW: Duration = Duration::from_secs(20);
