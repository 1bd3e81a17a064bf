//! Whose a companion is by its `managedFields`, read as a watch reads them, and what letting go of it changes.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use singleton_guard::api::kind::Kind;
use singleton_guard::cluster::seen::{Meta, Seen};
use singleton_guard::cluster::sieve::{Keep, Malformed, Part, Sieve};
use singleton_guard::companions::plan::theirs::{ANNOTATIONS, Found, Hand, LABELS, Whose};
use singleton_guard::companions::plan::{Companion, Existing, Owner, Step, Surroundings, let_go, plan};
use singleton_guard::settings::Companions;

use super::{made, now, same, workload};

const OURS: &str = "singleton-guard-companions";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Only what is written on purpose and not before us.
#[test]
fn who_writes_what_is_ours_has_it() -> Result<(), String> {
    let label = |key: &str| json!({"f:metadata": {"f:labels": {".": {}, (format!("f:{key}")): {}}}});
    let annotation = |key: &str| json!({"f:metadata": {"f:annotations": {(format!("f:{key}")): {}}}});
    let spec = json!({"f:spec": {"f:publishNotReadyAddresses": {}}});
    let table = [
        ("kubectl-patch", "", 1, spec.clone(), true),
        ("kubectl-edit", "", 1, spec.clone(), true),
        // Within the same second.
        ("kubectl", "", 0, json!({"f:spec": {"f:selector": {}}}), true),
        ("kube-controller-manager", "", 1, spec.clone(), true),
        ("helm", "", 1, label(MANAGED_BY), true),
        ("helm", "", 1, annotation("meta.helm.sh/release-name"), true),
        ("argocd-controller", "", 1, annotation("argocd.argoproj.io/tracking-id"), true),
        ("argocd-controller", "", 1, label("app.kubernetes.io/instance"), true),
        ("kustomize-controller", "", 1, label("kustomize.toolkit.fluxcd.io/name"), true),
        ("helm-controller", "", 1, label("helm.toolkit.fluxcd.io/namespace"), true),
        ("kubectl-client-side-apply", "", 1, annotation("kubectl.kubernetes.io/last-applied-configuration"), true),
        ("kubectl-label", "", 1, label("team"), false),
        ("kubectl-annotate", "", 1, annotation("note"), false),
        ("gke-l7", "", 1, annotation("cloud.google.com/neg-status"), false),
        ("kube-controller-manager", "", 1, json!({"f:metadata": {"f:finalizers": {"v:\"x/y\"": {}}}}), false),
        ("kube-controller-manager", "status", 1, json!({"f:status": {"f:conditions": {}}}), false),
        // What a subresource carries of the spec is not written through it.
        ("kube-controller-manager", "status", 1, spec.clone(), false),
        (OURS, "", 1, spec.clone(), false),
        // Restored from a backup, and adopted since.
        ("velero-server", "", -2, spec, false),
    ];
    for (manager, subresource, after, fields, taken) in table {
        let hand = entry(manager, subresource, after, fields);
        let theirs = whose(&object(Some("singleton-guard"), json!([entry(OURS, "", 0, json!({"f:spec": {}})), hand])))?;
        let by = if let Whose::Taken(taken) = &theirs { taken.by.as_str() } else { "" };
        same(&by, if taken { &manager } else { &"" }, &format!("who has it after {hand}"))?;
    }
    let ours = entry(OURS, "", 0, json!({"f:spec": {}}));
    let mut timeless = entry("kubectl", "", 0, json!({"f:spec": {}}));
    if let Some(entry) = timeless.as_object_mut() {
        entry.remove("time");
    }
    let helm = entry("helm", "", 1, label(MANAGED_BY));
    let read = |label, managed| {
        whose(&object(label, managed)).map(|whose| match whose {
            Whose::Taken(taken) => taken.by,
            other => format!("{other:?}"),
        })
    };
    same(&read(Some("Helm"), json!([ours, helm]))?.as_str(), &"helm", "with another's label")?;
    same(&read(None, json!([ours]))?.as_str(), &"somebody", "without the label")?;
    same(&read(Some("singleton-guard"), json!([timeless, ours]))?.as_str(), &"kubectl", "after an apply of the same")?;
    same(&read(None, json!([helm]))?.as_str(), &"Theirs", "without anything of ours")?;
    same(&read(Some("singleton-guard"), Value::Null)?.as_str(), &"Ours(None)", "with the label alone")
}

/// What is left is what there was, without what was ours, wherever it stands; of another version nothing changes.
#[test]
fn letting_go_changes_nothing_else() -> Result<(), String> {
    let ours = || entry(OURS, "", 0, json!({"f:spec": {"f:selector": {}, "f:ports": {}}}));
    let theirs = entry("kubectl", "", 1, json!({"f:spec": {}}));
    let status = entry("kube-controller-manager", "status", 1, json!({"f:status": {}}));
    for (managed, left) in [
        (json!([ours(), theirs]), json!([theirs])),
        (json!([status, ours(), theirs]), json!([status, theirs])),
        (json!([ours(), theirs, ours()]), json!([theirs])),
    ] {
        let before = object(Some("singleton-guard"), managed);
        let mut after = before.clone();
        patch(&mut after, &before)?;
        let mut expected = before.clone();
        expected["metadata"]["managedFields"] = left;
        expected["metadata"]["labels"] = json!({"team": "books"});
        expected["metadata"]["ownerReferences"] = json!([before["metadata"]["ownerReferences"][0]]);
        same(&after, &expected, "what is left")?;

        let mut newer = before.clone();
        newer["metadata"]["resourceVersion"] = json!("8");
        same(&patch(&mut newer, &before).is_err(), &true, "whether another version is refused")?;
    }
    // Nobody but us is left where the label alone was taken off.
    let before = object(None, json!([ours()]));
    let mut after = before.clone();
    patch(&mut after, &before)?;
    same(&after["metadata"]["managedFields"], &json!([{}]), "the entries where all were ours")
}

/// It is nobody's companion from then on, whatever the workload asks for; its owner may be a singleton no more.
#[test]
fn what_was_taken_is_let_go_of_once() -> Result<(), String> {
    let workload = workload(Kind::STATEFUL_SET, "ledger");
    let (Some(mut service), Some(mut budget)) = made(&workload, &Companions::default(), now()) else {
        return Err("both are made".to_owned());
    };
    let managed = json!([entry(OURS, "", 0, json!({})), entry("helm", "", 0, json!({"f:spec": {}}))]);
    let Whose::Taken(taken) = whose(&object(Some("singleton-guard"), managed))? else {
        return Err("it is taken".to_owned());
    };
    (service.is_ours, service.taken) = (false, Some(Box::new(taken.clone())));
    (budget.is_ours, budget.taken) = (false, Some(Box::new(taken)));
    for wish in [None, Some("none"), Some("ledger-other")] {
        let mut workload = workload.clone();
        workload.annotations.headless_service = wish.map(str::to_owned);
        workload.annotations.disruption = wish.map(|_| "block".to_owned());
        let around = Surroundings {
            workloads: vec![&workload],
            services: vec![&service],
            budgets: vec![&budget],
            ..Surroundings::default()
        };
        let about = |step: &Step| match step {
            Step::LetGo { companion, by, owner, .. } => Some((*companion, by.clone(), owner.clone())),
            Step::Remove { .. } => Some((step.companion(), "removed".to_owned(), String::new())),
            Step::Apply { .. } => None,
        };
        let steps: Vec<_> =
            plan(&workload, &around, &Companions::default(), now()).steps.iter().filter_map(about).collect();
        let of = |companion| (companion, "helm".to_owned(), workload.uid.clone());
        same(&steps, &vec![of(Companion::Service), of(Companion::Budget)], &format!("what is let go for {wish:?}"))?;
        let around = Surroundings { services: vec![&service], ..Surroundings::default() };
        let let_go = |kind, name| let_go(kind, name, &around).len();
        let counts = [
            let_go(Kind::STATEFUL_SET, "ledger"),
            let_go(Kind::DEPLOYMENT, "ledger"),
            let_go(Kind::STATEFUL_SET, "web"),
        ];
        same(&counts, &[1, 0, 0], "whose it was")?;
    }
    let theirs = |service: &Existing<_>| Existing { taken: None, controller: None::<Owner>, ..service.clone() };
    let service = theirs(&service);
    let around = Surroundings { workloads: vec![&workload], services: vec![&service], ..Surroundings::default() };
    let plan = plan(&workload, &around, &Companions::default(), now());
    let touched = plan.steps.iter().any(|step| step.companion() == Companion::Service);
    same(&touched, &false, "whether it is touched afterwards")
}

/// Or it would look as if they had written to what is ours.
#[test]
fn what_is_adopted_is_written_later_than_others_wrote() -> Result<(), String> {
    let restored = object(Some("singleton-guard"), json!([entry("velero-server", "", 0, json!({"f:spec": {}}))]));
    let Whose::Ours(adoptable) = whose(&restored)? else { return Err("it is ours".to_owned()) };
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600 + 10 + 2);
    same(&adoptable, &Some(at), "when it may be adopted")?;
    let workload = workload(Kind::STATEFUL_SET, "ledger");
    let (Some(mut service), Some(mut budget)) = made(&workload, &Companions::default(), now()) else {
        return Err("both are made".to_owned());
    };
    (service.controller, service.adoptable) = (None, adoptable);
    (budget.controller, budget.adoptable) = (None, adoptable);
    let around = Surroundings {
        workloads: vec![&workload],
        services: vec![&service],
        budgets: vec![&budget],
        ..Surroundings::default()
    };
    let at = |now| {
        let plan = plan(&workload, &around, &Companions::default(), now);
        (plan.steps.len(), plan.again)
    };
    same(&at(at_of(adoptable) - Duration::from_millis(1)), &(0, adoptable), "just before")?;
    same(&at(at_of(adoptable)), &(2, None), "then")?;
    // So is one under the name of earlier versions, beside the one that `serviceName` names.
    let mut governed = workload.clone();
    governed.service_name = Some("ledger-singleton".to_owned());
    let (Some(service), Some(budget)) = made(&governed, &Companions::default(), now()) else {
        return Err("both are made".to_owned());
    };
    let former = Existing { name: "ledger".to_owned(), controller: None, adoptable, ..service.clone() };
    let around = Surroundings { services: vec![&service, &former], budgets: vec![&budget], ..around };
    let at = |now| {
        let plan = plan(&governed, &around, &Companions::default(), now);
        (plan.steps.len(), plan.again)
    };
    same(&at(at_of(adoptable) - Duration::from_millis(1)), &(0, adoptable), "a former one just before")?;
    same(&at(at_of(adoptable)), &(1, None), "a former one then")
}

/// More than are read count as none: nothing is let go of on the strength of a part.
#[test]
fn no_managed_fields_are_too_many() -> Result<(), String> {
    let deep = (0..200).fold(json!({}), |inner, _| json!({"f:x": inner}));
    let large: serde_json::Map<_, _> = (0..2_000).map(|n| (format!("f:n{n}"), json!({}))).collect();
    let fields = json!({"f:spec": deep, "f:metadata": {"f:labels": large}});
    let ours = entry(OURS, "", 0, fields.clone());
    let few: Vec<_> = (0..40).map(|n| entry(&format!("m{n}"), "", 1, fields.clone())).collect();
    let taken = whose(&object(Some("singleton-guard"), json!([vec![ours.clone()], few].concat())))?;
    same(&matches!(taken, Whose::Taken(_)), &true, "whether forty large ones are read")?;
    let many: Vec<_> = (0..400).map(|n| entry(&format!("m{n}"), "", 1, json!({"f:spec": {}}))).collect();
    let whose = whose(&object(Some("singleton-guard"), json!([vec![ours], many].concat())))?;
    same(&whose, &Whose::Ours(None), "whose it is with more than are read")
}

fn at_of(time: Option<SystemTime>) -> SystemTime {
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// An entry whose time lies so many seconds behind ours.
fn entry(manager: &str, subresource: &str, after: i64, fields: Value) -> Value {
    let time = format!("2026-01-01T00:00:{:02}Z", 10 + after);
    let mut entry =
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1"});
    entry["fieldsV1"] = fields;
    if !subresource.is_empty() {
        entry["subresource"] = json!(subresource);
    }
    entry
}

/// A Service with two owners, of which the second is the controller.
fn object(managed_by: Option<&str>, managed: Value) -> Value {
    let mut labels = json!({"team": "books"});
    if let Some(managed_by) = managed_by {
        labels[MANAGED_BY] = json!(managed_by);
    }
    let owner = |uid: &str, controller: bool| json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "ledger", "uid": uid, "controller": controller});
    let mut object = json!({
        "metadata": {
            "name": "ledger", "namespace": "pay", "uid": "u", "resourceVersion": "7", "labels": labels,
            "ownerReferences": [owner("another", false), owner("uid-of-ledger", true)],
        },
        "spec": {"clusterIP": "None", "selector": {"app": "ledger"}, "ports": [{"port": 80}]},
    });
    object["metadata"]["managedFields"] = managed;
    object
}

/// As the watch reads it, through the sieve.
fn whose(object: &Value) -> Result<Whose, String> {
    let labels = Keep::shorts([MANAGED_BY]);
    let managers = Meta::keep_managers(&LABELS, &ANNOTATIONS);
    let keep = Keep::fields([("metadata", Meta::keep([("labels", labels), Meta::keep_owners(), managers]))]);
    let (mut sieve, mut read) = (Sieve::new(&keep), Vec::new());
    let pushed = sieve.push(object.to_string().as_bytes(), |part| {
        let (Part::Item(object) | Part::Value(object)) = part;
        read = object.to_vec();
        Ok::<_, Malformed>(())
    });
    pushed.map_err(|error| error.to_string())?;
    let seen: Seen<'_> = serde_json::from_slice(&read).map_err(|error| error.to_string())?;
    let metadata = &seen.metadata;
    let managers = metadata.managed_fields.as_ref().within().map(Vec::as_slice).unwrap_or_default();
    let hands: Vec<_> = managers
        .iter()
        .map(|entry| Hand {
            manager: &entry.manager,
            subresource: &entry.subresource,
            time: &entry.time,
            takes: entry.fields.is_any(),
        })
        .collect();
    let found = Found {
        uid: &metadata.uid,
        resource_version: &metadata.resource_version,
        label: metadata.labels.get(MANAGED_BY),
        owner: Some((1, "uid-of-ledger")),
        hands: &hands,
    };
    Ok(found.whose("singleton-guard"))
}

/// Lets go of what was seen, of how it is now.
fn patch(now: &mut Value, seen: &Value) -> Result<(), String> {
    let Whose::Taken(taken) = whose(seen)? else { return Err(format!("it is not taken: {seen}")) };
    let patch: json_patch::Patch = serde_json::from_value(taken.patch).map_err(|error| error.to_string())?;
    json_patch::patch(now, &patch).map_err(|error| error.to_string())
}
