//! For arbitrary manifests `check` gives the verdict of `policy::evaluate`: the same codes at the same fields, whether a default
//! is written out or left to the API server.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use singleton_guard::api::kind::Kinds;
use singleton_guard::cli::check::Check;
use singleton_guard::cli::finding::Level;
use singleton_guard::configuration;
use singleton_guard::policy::decision::Verdict;
use singleton_guard::policy::lookup::{Found, Lookup};
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::{Mode, Settings};

use super::case::{MARK, api_version, plural};

#[test]
fn check_says_what_evaluate_decides() {
    let settings = settings();
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(6_000)
    });
    let counted = std::cell::RefCell::new(&mut seen);
    runner
        .run(&(object(), any::<u8>(), any::<bool>()), |(object, leaves_out, as_json)| {
            let expected = expected(&object, &settings);
            let written = left_out(&object, leaves_out);
            let text = if as_json { written.to_string() } else { block(&written) };
            let mut check = Check::new(&settings, "pay", now());
            check.file("a.yaml", &text);
            let found = check.report().findings.into_iter().filter(|finding| !finding.code.contains("mark-without"));
            let found: Vec<_> = found.map(|it| (it.level, it.code.to_owned(), it.field)).collect();
            let mut found: Vec<_> = found.into_iter().filter(|(_, code, _)| code != "warning").collect();
            found.sort();
            prop_assert_eq!(&found, &expected, "{}\n{}", text, object);
            for (level, code, _) in found {
                *counted.borrow_mut().entry(format!("{} {code}", level.word())).or_default() += 1;
            }
            Ok(())
        })
        .unwrap();
    // A property that never meets a rule shows nothing.
    for wanted in [
        "refused SG001",
        "refused SG002",
        "refused SG006",
        "refused SG011",
        "refused SG012",
        "warning SG001",
        "undecided undecided",
        "unreadable unreadable",
    ] {
        assert!(seen.contains_key(wanted), "never met: {wanted} in {seen:?}");
    }
}

type Said = Vec<(Level, String, String)>;

/// What the webhook answers to the review of this very object, sorted.
fn expected(object: &Value, settings: &Settings) -> Said {
    let mut object = object.clone();
    let mut said = Said::new();
    match evaluated(Phase::Mutate, &object, settings) {
        Err(unreadable) => return vec![unreadable],
        Ok(Some((verdict, _, warnings))) => {
            if let Verdict::Completed(patch) = &verdict {
                json_patch::patch(&mut object, patch).unwrap();
            }
            said.extend(warnings.iter().map(|_| (Level::Warning, "SG002".to_owned(), "spec.strategy".to_owned())));
        }
        Ok(None) => {}
    }
    if object["metadata"]["name"].is_null() {
        object["metadata"]["name"] = json!(format!("{}xxxxx", object["metadata"]["generateName"].as_str().unwrap()));
    }
    match evaluated(Phase::Validate, &object, settings) {
        Err(unreadable) => return vec![unreadable],
        Ok(None) => said.push((Level::Undecided, "undecided".to_owned(), String::new())),
        Ok(Some((Verdict::Denied(denial), mode, _))) => {
            let level = if mode == Mode::Warn { Level::Warning } else { Level::Refused };
            said.extend(
                denial
                    .broken()
                    .map(|it| &it.violation)
                    .map(|it| (level, it.code().to_string(), it.field(&settings.mark))),
            );
        }
        Ok(Some(_)) => {}
    }
    said.sort();
    said
}

type Answer = Result<Option<(Verdict, Mode, Vec<String>)>, (Level, String, String)>;

fn evaluated(phase: Phase, object: &Value, settings: &Settings) -> Answer {
    let kind = object["kind"].as_str().unwrap();
    let group = api_version(kind).split_once('/').map_or("", |(group, _)| group);
    let body = json!({"kind": "AdmissionReview", "request": {
        "uid": "1", "operation": "CREATE", "resource": {"group": group, "version": "v1", "resource": plural(kind)},
        "namespace": object["metadata"]["namespace"], "name": object["metadata"]["name"].as_str().unwrap_or_default(),
        "object": object,
    }});
    let body = body.to_string();
    let review = review::read(body.as_bytes(), Kinds::BUILT_IN)
        .map_err(|_| (Level::Unreadable, "unreadable".to_owned(), String::new()))?;
    Ok(match evaluate(phase, review.request, settings, now()) {
        Step::Decided(decision) => Some((decision.verdict().clone(), decision.mode(), decision.warnings().to_vec())),
        Step::Ask(Lookup::Autoscaler(_), pending) => {
            let decision = pending.resume(Ok(Found::Autoscaler(None)));
            Some((decision.verdict().clone(), decision.mode(), decision.warnings().to_vec()))
        }
        Step::Ask(..) => None,
    })
}

fn settings() -> Settings {
    configuration::parse(
        b"{apiVersion: singleton-guard.io/v1, kind: GuardConfiguration, warnNamespaces: [warned], companions: {block: deny}}",
    )
    .unwrap()
}

/// A new object with every default of the API server written out.
fn object() -> impl Strategy<Value = Value> {
    let kinds =
        ["StatefulSet", "Deployment", "ReplicaSet", "ReplicationController", "DaemonSet", "Job", "CronJob", "Pod"];
    let mark = select(vec![
        Value::Null,
        json!("enabled"),
        json!("enabled"),
        json!("true"),
        json!("strict"),
        json!("strict"),
        json!("yes"),
        json!(""),
        json!(true),
    ]);
    let replicas = select(vec![json!(0), json!(1), json!(1), json!(2), json!(3), json!("2"), json!(1.5), json!(-1)]);
    let strategy = select(vec![
        json!({"type": "Recreate"}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "25%"}}),
    ]);
    let annotation = select(vec![
        json!({}),
        json!({}),
        json!({"singleton-guard.io/disruption": "never"}),
        json!({"singleton-guard.io/disruption": "block"}),
        json!({"singleton-guard.io/headless-service": "Not A Name"}),
        json!({"singleton-guard.io/headless-service": "ledger-x"}),
        json!({"singleton-guard.io/headless-service": "other"}),
        json!({"singleton-guard.io/disruption-allowed-until": "2020-01-01T00:00:00Z"}),
        json!({"singleton-guard.io/disruption-allowed-until": "2199-01-01T00:00:00Z"}),
    ]);
    let owner = select(vec!["", "", "", "apps/v1 Deployment", "example.com/v1 Rollout"]);
    let key = select(vec![Value::Null, Value::Null, json!("ledger-0"), json!("ledger"), json!("Not-A-Key")]);
    let place = (select(vec!["pay", "pay", "warned", "kube-system"]), any::<bool>());
    let rest =
        (select(vec![json!(30), json!(30), json!(0)]), select(vec![json!(0), json!(2)]), select(vec!["", "own"]));
    ((select(kinds.to_vec()), mark, replicas, strategy), (annotation, owner, key), place, rest).prop_map(
        |(
            (kind, mark, replicas, strategy),
            (annotations, owner, key),
            (namespace, is_named),
            (grace, start, service),
        )| {
            let mut template = json!({"app": "ledger"});
            if !key.is_null() {
                template["singleton-guard.io/key"] = key;
            }
            let mut labels = template.clone();
            if !mark.is_null() {
                labels[MARK] = mark;
            }
            let mut metadata = json!({"namespace": namespace, "labels": labels, "annotations": annotations});
            metadata[if is_named { "name" } else { "generateName" }] = json!("ledger");
            if let Some((api_version, kind)) = owner.split_once(' ') {
                metadata["ownerReferences"] = json!([
                    {"apiVersion": api_version, "kind": kind, "name": "web", "uid": "1", "controller": true}
                ]);
            }
            let pod = json!({"terminationGracePeriodSeconds": grace, "containers": [{"name": "c", "image": "i"}]});
            let mut spec = json!({"template": {"metadata": {"labels": template}, "spec": pod}});
            match kind {
                "Pod" => spec = pod,
                "Job" | "CronJob" | "DaemonSet" => {}
                _ => spec["replicas"] = replicas,
            }
            match kind {
                "Deployment" => spec["strategy"] = strategy,
                "StatefulSet" => {
                    spec["ordinals"] = json!({"start": start});
                    spec["serviceName"] = json!(service);
                }
                "ReplicationController" => spec["selector"] = json!({"app": "ledger"}),
                _ => {}
            }
            json!({"apiVersion": api_version(kind), "kind": kind, "metadata": metadata, "spec": spec})
        },
    )
}

/// The same without some of what the API server fills in.
fn left_out(object: &Value, leaves_out: u8) -> Value {
    let mut object = object.clone();
    let mut leave = |bit: u8, pointer: &str, key: &str, default: &Value| {
        let parent = object.pointer_mut(pointer).and_then(Value::as_object_mut);
        if let Some(parent) = parent.filter(|parent| leaves_out & bit != 0 && parent.get(key) == Some(default)) {
            parent.remove(key);
        }
    };
    let rolling = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
    leave(1, "/metadata", "namespace", &json!("pay"));
    leave(2, "/spec", "replicas", &json!(1));
    leave(4, "/spec/strategy/rollingUpdate", "maxUnavailable", &json!("25%"));
    leave(8, "/spec", "strategy", &json!({"type": "RollingUpdate", "rollingUpdate": rolling}));
    leave(16, "/spec/strategy", "rollingUpdate", &rolling);
    if object["kind"] == "ReplicationController" && leaves_out & 32 != 0 {
        object["spec"]["template"]["metadata"]["labels"] = object["metadata"]["labels"].clone();
        object["metadata"].as_object_mut().unwrap().remove("labels");
    }
    object
}

/// As a person writes it.
fn block(object: &Value) -> String {
    fn write(value: &Value, indent: usize, out: &mut String) {
        let pad = "  ".repeat(indent);
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let _ = write!(out, "\n{pad}{}:", json!(key));
                    write(value, indent + 1, out);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for item in items {
                    let _ = write!(out, "\n{pad}- {item}");
                }
            }
            other => {
                let _ = write!(out, " {other}");
            }
        }
    }
    let mut out = String::from("---");
    write(object, 0, &mut out);
    out
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}
