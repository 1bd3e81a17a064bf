//! A kind is one entry of a table: a made-up one, with a group, a version and a field of its own, is found in everything
//! that is made from the table, and the decision holds it.

use std::time::SystemTime;

use serde_json::json;
use singleton_guard::api::kind::{
    Kind, KindInfo, Kinds, Makes, MetricNames, PodNames, ReplicasField, Resource, Rollout, SelectorForm,
};
use singleton_guard::api::mark::MarkKey;
use singleton_guard::chart::policies::{COMPANION_PLACES, STRICT_PLACES, places};
use singleton_guard::chart::warnings::WARNING_POLICIES;
use singleton_guard::policy::decision::Decision;
use singleton_guard::policy::entry::{Place, Refusal, Row};
use singleton_guard::policy::lookup::{Found, Lookup, Metadata};
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::rules::RULES;
use singleton_guard::policy::violation::{Sg006, Violation};
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

use super::{floor, generated, warnings};

/// A template of the chart that has to do with a kind names it, with its group and its version.
#[test]
fn one_entry_is_in_every_template_of_the_chart() -> Result<(), String> {
    let (kinds, rule) = (kinds(), "- apiGroups: [\"example.com\"]\n        apiVersions: [v1alpha1]");
    let mut made = Vec::new();
    for row in [Row::Workload, Row::First, Row::Scale, Row::Status, Row::Owned, Row::Defaults, Row::Released] {
        made.push((row.name().to_owned(), generated::template(row, kinds), rule));
    }
    let of_all = [Place::Workload, Place::Status, Place::Behind, Place::Strict, Place::StrictBehind];
    for place in of_all.into_iter().chain(COMPANION_PLACES) {
        made.push((place.name(), floor::template(place, kinds), rule));
    }
    for place in places(kinds).into_iter().filter(|place| matches!(place, Place::Scale(kind) if *kind >= gizmo())) {
        made.push((place.name(), floor::template(place, kinds), rule));
        made.push((
            place.name(),
            floor::template(place, kinds),
            "paramKind: {apiVersion: example.com/v1alpha1, kind: ",
        ));
    }
    made.extend(WARNING_POLICIES.map(|policy| (policy.name().to_owned(), warnings::template(policy, kinds), rule)));
    made.push(("rights".to_owned(), generated::registry(kinds), "- group: example.com\n  resources: [gizmos, gadgets"));
    let scales = made.iter().filter(|(name, ..)| name.starts_with("scale-") && name.ends_with(".example.com")).count();
    if scales != 2 * MADE_UP {
        return Err(format!("{scales} checks of the floor about /scale"));
    }
    let lacking = made.iter().filter(|(_, text, wanted)| !text.contains(wanted));
    none(lacking.map(|(name, ..)| format!("{name} leaves out the made-up kinds")))
}

/// Where a condition depends on how a kind is made, the made-up kind that is made so is in it, with its own field.
#[test]
fn one_entry_is_in_every_condition() -> Result<(), String> {
    let kinds = kinds();
    let conditions = |row: Row| -> String { row.conditions(kinds).into_iter().map(|it| it.expression).collect() };
    let refusals = |place: Place| -> String {
        let said = |refusal: Refusal| -> String {
            refusal.when + &refusal.values.into_iter().map(|(_, value)| value).collect::<String>()
        };
        place.refusals(kinds).into_iter().map(said).collect()
    };
    let strict: String = STRICT_PLACES.into_iter().map(refusals).collect();
    let (workload, floor) = (conditions(Row::Workload), refusals(Place::Workload));
    let instances = "request.resource.resource == 'gizmos' ? object.spec.?instances.orValue(3) :";
    let rolled = "request.resource.resource in ['deployments', 'gizmos']";
    let numbered = "request.resource.resource in ['statefulsets', 'gadgets']";
    let mapped = "request.resource.resource in ['replicationcontrollers', 'widgets']";
    let owners = "(r.kind == 'Deployment' && r.apiVersion.startsWith('apps/') || r.kind == 'Gizmo' && r.apiVersion.startsWith('example.com/'))";
    let wanted = [
        (&workload, vec![instances, rolled, numbered, mapped]),
        (&floor, vec![instances, rolled, numbered, mapped]),
        (&strict, vec![rolled, numbered, "'gizmos': '-gz'"]),
        (&conditions(Row::Owned), vec![owners]),
        (&conditions(Row::First), vec![owners]),
        (&conditions(Row::Defaults), vec![rolled, numbered]),
    ];
    let lacking = wanted.iter().flat_map(|(text, pieces)| pieces.iter().filter(|piece| !text.contains(**piece)));
    none(lacking.map(|piece| format!("no condition says {piece}")))
}

/// What is watched, asked for, counted and said of it.
#[test]
fn one_entry_is_watched_counted_and_named() -> Result<(), String> {
    let (kinds, info) = (kinds(), gizmo().info());
    let unmarkable = &kinds.unmarkable()[0];
    let sentence: Violation =
        Sg006::UnmarkableKind { kind: unmarkable, guarded: kinds, requested: "enabled".to_owned() }.into();
    let about = |subresource| {
        let body = body("gizmos", subresource, &json!({}), &json!({}));
        review::read(body.as_bytes(), kinds).map(|read| read.request.resource()).map_err(|error| error.to_string())
    };
    let summaries: String = RULES.iter().map(|rule| rule.demands(kinds)).collect();
    let expected = [
        (info.collection(), "/apis/example.com/v1alpha1/gizmos".to_owned()),
        (info.object("pay", "ledger"), "/apis/example.com/v1alpha1/namespaces/pay/gizmos/ledger".to_owned()),
        (about("")?.to_owned(), "gizmos.example.com".to_owned()),
        (about("scale")?.to_owned(), "gizmos.example.com/scale".to_owned()),
        (about("status")?.to_owned(), "gizmos.example.com/status".to_owned()),
    ];
    let wrong = expected.iter().filter(|(is, wanted)| is != wanted).map(|(is, wanted)| format!("{is}, not {wanted}"));
    let unsaid = [sentence.sentence(&MarkKey::default()), summaries];
    let unsaid = unsaid.iter().filter(|text| !text.contains("Gizmo")).map(|text| format!("no kind in: {text}"));
    none(wrong.chain(unsaid))
}

/// The decision reads its own field, and holds it by every way.
#[test]
fn one_entry_is_held() -> Result<(), String> {
    let marked = |instances: i64| {
        json!({"metadata": {"uid": "u", "labels": {MarkKey::default().as_str(): "enabled"}},
               "spec": {"instances": instances, "replicas": 9, "strategy": {"type": "Recreate"}}})
    };
    let line = |decision: &Decision| decision.message().unwrap_or_default().to_owned();
    let up = decide("gizmos", "", &marked(1), &marked(2), None)?;
    let absent = {
        let mut without = marked(1);
        without["spec"] = json!({"strategy": {"type": "Recreate"}});
        decide("gizmos", "", &marked(1), &without, None)?
    };
    let scale = |replicas: i64| json!({"metadata": {"uid": "u"}, "spec": {"replicas": replicas}});
    let found = |marked| Some(Found::Parent { marked, owner: None, custom: None });
    let scaled = decide("gizmos", "scale", &scale(1), &scale(2), found(true))?;
    let free = decide("gizmos", "scale", &scale(1), &scale(2), found(false))?;
    let owner = json!({"metadata": {"uid": "s", "ownerReferences": [
        {"apiVersion": "example.com/v1alpha1", "kind": "Gizmo", "name": "led", "uid": "u", "controller": true}
    ]}});
    let owner = owner.to_string();
    let metadata = Metadata::read(owner.as_bytes()).map_err(|error| error.to_string())?;
    let made_by = metadata.made_by(&"pay".into(), kinds()).map(|owner| owner.kind);
    let expected = "SG001 Gizmo pay/led is a singleton: spec.instances must be less than or equal to 1, requested ";
    let checks = [
        (line(&up) == format!("{expected}2"), "it is scaled on itself"),
        (line(&absent) == format!("{expected}3"), "what is absent is not what its kind says"),
        (line(&scaled) == format!("{expected}2"), "it is scaled by /scale"),
        (free.allowed(), "one that is not marked is refused"),
        (decide("gizmos", "", &marked(2), &marked(1), None)?.allowed(), "it is not scaled down"),
        (made_by == Some(gizmo()), "a ReplicaSet of its is not behind it"),
    ];
    none(checks.iter().filter(|(holds, _)| !holds).map(|(_, what)| format!("{what}: {}", line(&up))))
}

fn none(faults: impl Iterator<Item = String>) -> Result<(), String> {
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn decide(
    resource: &str,
    subresource: &str,
    old: &serde_json::Value,
    new: &serde_json::Value,
    found: Option<Found>,
) -> Result<Decision, String> {
    let body = body(resource, subresource, old, new);
    let kinds = kinds();
    let mut settings = Settings::default();
    settings.kinds = kinds;
    let read = review::read(body.as_bytes(), kinds).map_err(|error| error.to_string())?;
    if !matches!(read.request.resource, Resource::Guarded(_)) {
        return Err(format!("{resource} is not guarded"));
    }
    match (evaluate(Phase::Validate, read.request, &settings, SystemTime::now()), found) {
        (Step::Decided(decision), None) => Ok(decision),
        (Step::Ask(Lookup::Parent(parent), pending), Some(found)) if parent.object.kind == gizmo() => {
            Ok(pending.resume(Ok(found)))
        }
        (step, _) => Err(format!("{step:?}")),
    }
}

fn body(resource: &str, subresource: &str, old: &serde_json::Value, new: &serde_json::Value) -> String {
    json!({"kind": "AdmissionReview", "request": {
        "uid": "1", "operation": "UPDATE", "namespace": "pay", "name": "led", "subResource": subresource,
        "resource": {"group": "example.com", "version": "v1alpha1", "resource": resource},
        "oldObject": old, "object": new,
    }})
    .to_string()
}

/// The kinds that every cluster serves, and one like each of them that differ most.
fn kinds() -> Kinds {
    let like = |resource, name, metrics, of: Kind| KindInfo {
        order: 0,
        name,
        group: "example.com",
        version: "v1alpha1",
        resource,
        metrics,
        ..of.info().clone()
    };
    let gadget = MetricNames {
        main: "gadgets.example.com",
        scale: "gadgets.example.com/scale",
        status: "gadgets.example.com/status",
        every: None,
    };
    let widget = MetricNames { main: "widgets.example.com", scale: "widgets.example.com/scale", ..gadget };
    let set = MetricNames { main: "sets.example.com", scale: "sets.example.com/scale", ..gadget };
    let more = [
        KindInfo { order: 5, ..like("gadgets", "Gadget", gadget, Kind::STATEFUL_SET) },
        KindInfo { order: 6, ..like("widgets", "Widget", widget, Kind::REPLICATION_CONTROLLER) },
        KindInfo { order: 7, ..like("sets", "Set", set, Kind::REPLICA_SET) },
    ];
    Kinds::with(std::iter::once(gizmo()).chain(more.map(Kind::new)))
}

const MADE_UP: usize = 4;

fn gizmo() -> Kind {
    Kind::new(KindInfo {
        order: 4,
        name: "Gizmo",
        group: "example.com",
        version: "v1alpha1",
        resource: "gizmos",
        metrics: MetricNames {
            main: "gizmos.example.com",
            scale: "gizmos.example.com/scale",
            status: "gizmos.example.com/status",
            every: Some("every gizmo.example.com"),
        },
        suffix: "gizmo-example-com",
        replicas: ReplicasField { path: "spec.instances", absent: 3 },
        status_writes_labels: true,
        makes: Makes::ReplicaSets,
        rollout: Some(Rollout::Strategy),
        pod_names: PodNames::Key("-gz"),
        selector: SelectorForm::LabelSelector,
        hash_label: None,
        revision: None,
        custom: None,
    })
}
