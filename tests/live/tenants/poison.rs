//! What one tenant may write and others may choke on: each kind that is watched, in each form that was once found to
//! break or to burden a reader.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use super::eve::Eve;
use crate::spec::case::{MARK, complete, with};

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A time that many libraries cannot read: in `managedFields`, of any object.
    Date,
    /// The same in the metadata of a Pod template.
    TemplateDate,
    /// More levels in `managedFields` than a parser goes down.
    Depth,
    /// A line of a watch that is longer than 6 MiB: JSON makes six bytes of `<`.
    Line,
    /// Very many terms: of a selector, or labels of a Pod.
    Selector,
    /// As many annotations as there may be, six times as long when they are read.
    Annotation,
    /// An environment that becomes 8 MiB when it is read.
    Environment,
}

/// All of them.
pub const FORMS: [Form; 7] =
    [Form::Date, Form::TemplateDate, Form::Depth, Form::Line, Form::Selector, Form::Annotation, Form::Environment];
/// Whatever is watched.
pub const CARRIERS: [&str; 7] =
    ["Service", "PodDisruptionBudget", "StatefulSet", "ReplicaSet", "Deployment", "ReplicationController", "Pod"];

impl Form {
    /// As a part of a name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::TemplateDate => "template-date",
            Self::Depth => "depth",
            Self::Line => "line",
            Self::Selector => "selector",
            Self::Annotation => "annotation",
            Self::Environment => "environment",
        }
    }

    /// An object of this kind in this form, if it can have it. Says its name.
    pub async fn write(self, eve: &Eve<'_>, kind: &str, number: usize) -> Result<Option<String>> {
        let name = format!("{}-{}-{number}", self.word(), kind.to_lowercase());
        let overlay = match self {
            Self::Date | Self::Depth => json!({}),
            Self::TemplateDate if has_template(kind) => {
                json!({"spec": {"template": {"metadata": {"creationTimestamp": FOR_EVER}}}})
            }
            Self::Line => {
                let owner =
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("of-{name}")}});
                let uid = eve.create_map(&owner).await?;
                let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "uid": uid, "name": "<".repeat(LINE)});
                json!({"metadata": {"ownerReferences": [reference]}})
            }
            Self::Selector => selecting(kind, &name),
            Self::Annotation => json!({"metadata": {"annotations": {"a": "<".repeat(ANNOTATION)}}}),
            Self::Environment if has_template(kind) => json!({"spec": {"template": {"spec": crowded()}}}),
            Self::Environment if kind == "Pod" => json!({"spec": crowded()}),
            Self::TemplateDate | Self::Environment => return Ok(None),
        };
        // A strict workload is seen by every watch that sees a marked one. But it is judged, and the webhook reads neither
        // very many labels nor 8 MiB.
        let mark = if matches!(self, Self::Selector | Self::Environment) { "true" } else { "strict" };
        eve.create(&with(&object(kind, &name, mark, &eve.place().namespace), overlay)).await?;
        let sign = match self {
            Self::Date => FOR_EVER.to_owned(),
            Self::Depth => "{\"f:deep\":".repeat(DEPTH),
            _ => return Ok(Some(name)),
        };
        let stored = eve.replace(kind, &name, |object| self.spoil(object)).await?;
        ensure!(stored.contains(&sign), "{kind} {name} was stored without its {self:?}: {stored:.1000}");
        Ok(Some(name))
    }

    /// Only with another change does the API server keep what a client says about managers.
    fn spoil(self, object: &mut Value) {
        object["metadata"]["labels"]["touched"] = "yes".into();
        let Some(entries) = object["metadata"]["managedFields"].as_array_mut() else { return };
        for entry in entries.iter_mut() {
            if self == Self::Date {
                entry["time"] = FOR_EVER.into();
            }
        }
        if self == Self::Depth
            && let Some(mut entry) = entries.first().cloned()
        {
            entry["manager"] = "deep".into();
            entry["fieldsV1"] = (0..DEPTH).fold(json!({}), |below, _| json!({"f:deep": below}));
            entries.push(entry);
        }
    }
}

/// What is right in every respect. Nothing of it runs.
pub fn object(kind: &str, name: &str, mark: &str, namespace: &str) -> Value {
    let selected = json!({"matchLabels": {"app": name}});
    let (version, partial) = match kind {
        // The lab has few addresses.
        "Service" => ("v1", json!({"spec": {"clusterIP": "None", "ports": [{"port": 80}], "selector": {"app": name}}})),
        "PodDisruptionBudget" => ("policy/v1", json!({"spec": {"maxUnavailable": 1, "selector": selected}})),
        "Pod" => {
            // The lab's node would have to read it.
            let gates = json!([{"name": "lab.example.com/never"}]);
            let pod = json!({"kind": kind, "metadata": {"name": name, "labels": {KEY: name}}, "spec": {"schedulingGates": gates}});
            return complete(&pod, namespace);
        }
        _ => {
            let mut spec = json!({"replicas": 0});
            match kind {
                "StatefulSet" => spec["serviceName"] = name.into(),
                "Deployment" => spec["strategy"] = json!({"type": "Recreate"}),
                _ => {}
            }
            if mark == "strict" {
                // Otherwise the webhook would have to put it there, and the review may be larger than it reads.
                let key = if kind == "StatefulSet" { format!("{name}-0") } else { name.to_owned() };
                spec["template"] = json!({"metadata": {"labels": {KEY: key}}});
            }
            let workload = json!({"kind": kind, "metadata": {"name": name, "labels": {MARK: mark}}, "spec": spec});
            return complete(&workload, namespace);
        }
    };
    let head = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}});
    with(&head, partial)
}

/// A selector, or labels, with as many terms as fit into an object.
pub fn selecting(kind: &str, name: &str) -> Value {
    let terms = |number: usize| -> Value {
        let all = (0..number).map(|number| (format!("a{number}"), Value::from("")));
        all.chain([("app".to_owned(), name.into())]).collect::<serde_json::Map<_, _>>().into()
    };
    match kind {
        "Service" => json!({"spec": {"selector": terms(TERMS)}}),
        "PodDisruptionBudget" => json!({"spec": {"selector": {"matchLabels": terms(TERMS)}}}),
        "Pod" => json!({"metadata": {"labels": terms(LABELS)}}),
        // The template has to be selected.
        "ReplicationController" => {
            json!({"spec": {"selector": terms(TERMS / 3), "template": {"metadata": {"labels": terms(TERMS / 3)}}}})
        }
        _ => {
            let selector = json!({"matchLabels": terms(TERMS / 3)});
            json!({"spec": {"selector": selector, "template": {"metadata": {"labels": terms(TERMS / 3)}}}})
        }
    }
}

/// The spec of a Pod whose environment is as large as an object may be.
pub fn crowded() -> Value {
    let variable = json!({"name": "A", "value": "<".repeat(ENVIRONMENT)});
    json!({"containers": [{"name": "main", "image": "registry.example/app:1", "env": [variable]}]})
}

fn has_template(kind: &str) -> bool {
    !matches!(kind, "Service" | "PodDisruptionBudget" | "Pod")
}

/// An ordinary way to say "for ever". Some libraries end their calendar a day earlier.
const FOR_EVER: &str = "9999-12-31T23:59:59Z";
/// A common parser stops at 128.
const DEPTH: usize = 150;
/// Times six it is more than 6 MiB, and etcd still takes it (1.5 MiB).
const LINE: usize = 1_200_000;
const TERMS: usize = 110_000;
/// Of a Pod with more the review is not read, and it is not made.
const LABELS: usize = 2_000;
/// All annotations together may have 256 KiB.
pub const ANNOTATION: usize = 254 << 10;
const ENVIRONMENT: usize = 1_400_000;
