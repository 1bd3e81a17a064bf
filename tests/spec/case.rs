//! The format of a case: `tests/cases/<topic>/<a sentence>.yaml`, data in and data out.
//!
//! ```yaml
//! for: [StatefulSet, Deployment]    # runs once per kind, $KIND (in lower case $kind, its version $API_VERSION) stands
//!                                   # for it; may be left out
//! cluster:                          # what is stored before: partial objects, put there with the glass broken
//!   - {kind: $KIND, metadata: {name: ledger, labels: {$MARK: "true"}}, spec: {replicas: 1}}
//! configuration: {release: free}    # fields of the configuration file that are not their defaults; may be left out
//! steps:
//!   - request: {scale: {kind: $KIND, name: ledger, replicas: 3}}
//!     asks: parent                  # the question that the decision needs: nothing, parent, owners, holder or target
//!     decision: deny                # or allow
//!     message: "SG001 ..."          # of a refusal, whole
//!     remedy: "set ..."             # what it says is to be done; may be left out
//!     warnings: [...]               # of an allowed request; none unless stated
//! ```
//!
//! `$NS` is the namespace, `$MARK` the label key, `rs-of:web` the name of the ReplicaSet behind Deployment web and
//! `uid-of:web` that Deployment's uid. Parts of an object that do not matter (selector, template, apiVersion) are filled
//! in by [`complete`].

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use singleton_guard::configuration;
use singleton_guard::settings::Settings;

#[derive(Debug, Clone, Default)]
pub struct Case {
    /// `topic/sentence`, with the kind behind it where the case runs for several.
    pub name: String,
    /// The namespace that it must run in; one of its own unless stated.
    pub namespace: Option<String>,
    /// What the configuration says beside its defaults, as fields of the file.
    pub configuration: Option<Value>,
    pub cluster: Vec<Value>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "for")]
    kinds: Vec<String>,
    namespace: Option<String>,
    configuration: Option<Value>,
    #[serde(default)]
    cluster: Vec<Value>,
    steps: Vec<Step>,
}

/// One thing that happens: a request with its outcome, something that comes about, or something that must be so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    pub request: Option<Request>,
    /// The request is a dry run.
    #[serde(default)]
    pub dry_run: bool,
    /// Who asks; the administrator unless stated.
    #[serde(rename = "as")]
    pub user: Option<User>,
    pub asks: Option<Asks>,
    pub decision: Option<Verdict>,
    pub message: Option<String>,
    /// What a refusal says is to be done, without the code before it.
    pub remedy: Option<String>,
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The request leaves the object as it was.
    #[serde(default)]
    pub changes_nothing: bool,
    /// Comes about by itself, by the work of controllers: the live run waits for it, the others assume it.
    #[serde(rename = "await")]
    pub comes_about: Option<Value>,
    /// Must be so now: an object, as far as it is spelled out.
    pub holds: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Request {
    Create(Value),
    /// PUT of a whole object.
    Replace(Value),
    /// Client-side apply.
    Apply(Value),
    Patch(Patch),
    Scale(Scale),
    Delete(Delete),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    pub kind: String,
    pub name: String,
    pub subresource: Option<String>,
    #[serde(rename = "type")]
    pub type_: PatchType,
    pub body: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchType {
    Merge,
    Json,
    Strategic,
    /// Server-side apply; creates the object where it does not exist.
    Apply,
}

/// Of the `/scale` subresource: by merge patch like `kubectl scale`, or by PUT like an autoscaler.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    pub kind: String,
    pub name: String,
    pub replicas: Value,
    #[serde(default)]
    pub put: bool,
    /// Metadata that the client claims for the Scale beside its name.
    #[serde(default)]
    pub claims: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    pub kind: String,
    pub name: String,
    /// `propagationPolicy`.
    pub propagation: Option<String>,
    /// `gracePeriodSeconds`.
    pub grace: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub name: String,
    #[serde(default)]
    pub groups: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asks {
    Nothing,
    Parent,
    Owners,
    Holder,
    Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Deny,
}

/// What came of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub allowed: bool,
    pub message: String,
    pub warnings: Vec<String>,
    pub changed: bool,
}

impl Step {
    /// Compares what came of the step's request with what it states.
    pub fn check(&self, outcome: &Outcome, names: &dyn Fn(&str) -> String) -> Result<(), String> {
        let allow = self.decision.ok_or("a step with a request must state a decision")? == Verdict::Allow;
        if allow != outcome.allowed {
            return Err(format!("expected {:?}, got {outcome:#?}", self.decision));
        }
        if !allow {
            let expected = names(self.message.as_deref().ok_or("a refusal must state its message")?);
            if outcome.message != expected {
                return Err(format!("expected the message\n  {expected}\ngot\n  {}", outcome.message));
            }
            let said = |remedy: &String| {
                outcome.warnings.iter().any(|warning| warning.ends_with(&format!(": {}", names(remedy))))
            };
            if self.remedy.as_ref().is_some_and(|remedy| !said(remedy)) {
                return Err(format!("expected the remedy {:?} among {:#?}", self.remedy, outcome.warnings));
            }
            return Ok(());
        }
        let expected: Vec<_> = self.warnings.iter().map(|warning| names(warning)).collect();
        if outcome.warnings != expected {
            return Err(format!("expected the warnings {expected:#?}\ngot {:#?}", outcome.warnings));
        }
        if self.changes_nothing && outcome.changed {
            return Err("expected that nothing changes, but the object did".to_owned());
        }
        Ok(())
    }
}

/// All cases below `tests/cases`, sorted, with the placeholders but the namespace filled in.
pub fn load(directory: &Path) -> Vec<Case> {
    load_as(directory, &|text| text.to_owned())
}

/// The same with the other value that means a singleton.
pub fn load_enabled(directory: &Path) -> Vec<Case> {
    let as_enabled = |text: &str| {
        let places = ["$MARK: ", "$MARK=", "requested "];
        places.iter().fold(text.to_owned(), |text, before| {
            text.replace(&format!("{before}\"true\""), &format!("{before}\"enabled\""))
        })
    };
    let mut cases = load_as(directory, &as_enabled);
    for case in &mut cases {
        case.name.push_str(" (enabled)");
    }
    cases
}

fn load_as(directory: &Path, rewrite: &dyn Fn(&str) -> String) -> Vec<Case> {
    let mut files = Vec::new();
    for topic in sorted_entries(directory) {
        files.extend(sorted_entries(&topic).into_iter().filter(|file| file.extension().is_some_and(|e| e == "yaml")));
    }
    files.iter().flat_map(|file| read(directory, file, rewrite)).collect()
}

fn sorted_entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("directory entry").path()).collect();
    entries.sort();
    entries
}

fn read(directory: &Path, file: &Path, rewrite: &dyn Fn(&str) -> String) -> Vec<Case> {
    let text = rewrite(&std::fs::read_to_string(file).expect("readable case")).replace("$MARK", MARK);
    let name = file.with_extension("").strip_prefix(directory).expect("below the cases").display().to_string();
    let parse = |name: String, text: &str| {
        let document: Document =
            serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let Document { namespace, configuration, cluster, steps, .. } = document;
        Case { name, namespace, configuration, cluster, steps }
    };
    let kinds: Document = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    if kinds.kinds.is_empty() {
        return vec![parse(name, &text)];
    }
    kinds
        .kinds
        .iter()
        .map(|kind| {
            let text = text.replace("$KIND", kind).replace("$kind", &kind.to_lowercase());
            parse(format!("{name} ({kind})"), &text.replace("$API_VERSION", api_version(kind)))
        })
        .collect()
}

impl Case {
    /// The configuration file that the case asks for.
    pub fn file(&self) -> String {
        let head = json!({"apiVersion": "singleton-guard.io/v1", "kind": "GuardConfiguration"});
        // JSON is YAML.
        with(&head, self.configuration.clone().unwrap_or_else(|| json!({}))).to_string()
    }

    /// Whether it stores or asks for an object of this kind.
    pub fn speaks_of(&self, kind: &str) -> bool {
        let of_kind = |object: &Value| object["kind"] == kind;
        let asked = |step: &Step| matches!(&step.request, Some(Request::Create(object)) if of_kind(object));
        self.cluster.iter().any(of_kind) || self.steps.iter().any(asked)
    }

    /// What it says.
    pub fn settings(&self) -> Settings {
        configuration::parse(self.file().as_bytes()).unwrap_or_else(|fault| panic!("{}: {fault}", self.name))
    }
}

/// Fills in what a case leaves out because it does not matter.
pub fn complete(partial: &Value, namespace: &str) -> Value {
    let kind = partial["kind"].as_str().expect("a case's object has a kind");
    let name = partial["metadata"]["name"].as_str().expect("a case's object has a name").to_owned();
    let labels = json!({"app": name});
    // A strict singleton is given time to end; nobody else need wait for a Pod of a test.
    let strict = partial["metadata"]["labels"][MARK] == "strict";
    let pod = json!({
        "terminationGracePeriodSeconds": i32::from(strict || kind == "Pod"),
        "containers": [{"name": "main", "image": "registry.example/app:1"}],
    });
    let template = json!({"metadata": {"labels": labels}, "spec": pod});
    let spec = match kind {
        "Pod" => pod,
        "ReplicationController" => json!({"selector": labels, "template": template}),
        "Job" => json!({"suspend": true, "template": {"spec": with(&pod, json!({"restartPolicy": "Never"}))}}),
        "HorizontalPodAutoscaler" => json!({}),
        // What it scales by does not matter, but it must say something.
        "ScaledObject" => json!({"triggers": [{"type": "cron", "metadata": {}}]}),
        "CronJob" => json!({"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {
            "spec": {"template": {"spec": with(&pod, json!({"restartPolicy": "Never"}))}}}}),
        _ => json!({"selector": {"matchLabels": labels}, "template": template}),
    };
    let skeleton = json!({
        "apiVersion": api_version(kind), "kind": kind, "metadata": {"namespace": namespace}, "spec": spec,
    });
    with(&skeleton, partial.clone())
}

/// The overlay laid over the base, objects member by member.
pub fn with(base: &Value, overlay: Value) -> Value {
    match (base, overlay) {
        (Value::Object(base), Value::Object(overlay)) => {
            let mut merged = base.clone();
            for (key, value) in overlay {
                let below = merged.remove(&key).unwrap_or_default();
                merged.insert(key, with(&below, value));
            }
            Value::Object(merged)
        }
        (_, overlay) => overlay,
    }
}

/// Splits `{kind: K, name: N, ...}` into what it addresses and what it says.
pub fn addressed(mut value: Value) -> ((String, String), Value) {
    let members = value.as_object_mut().expect("a mapping");
    let mut take = |key: &str| members.remove(key).and_then(|v| v.as_str().map(str::to_owned)).expect("kind and name");
    let key = (take("kind"), take("name"));
    (key, value)
}

/// Whether the object is as the pattern spells out; `null` stands for "absent".
pub fn matches(pattern: &Value, object: &Value) -> bool {
    match (pattern, object) {
        (Value::Object(pattern), object) => {
            pattern.iter().all(|(key, value)| matches(value, object.get(key).unwrap_or(&Value::Null)))
        }
        (pattern, object) => pattern == object,
    }
}

/// The text with each `marker` and the name behind it replaced.
pub fn placeholders(text: &str, marker: &str, replace: &dyn Fn(&str) -> String) -> String {
    let Some((before, after)) = text.split_once(marker) else { return text.to_owned() };
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(after.len());
    let (name, rest) = after.split_at(end);
    format!("{before}{}{}", replace(name), placeholders(rest, marker, replace))
}

pub fn api_version(kind: &str) -> &'static str {
    match kind {
        "Pod" | "ReplicationController" | "Secret" | "Service" | "ConfigMap" => "v1",
        "PodDisruptionBudget" => "policy/v1",
        "Event" => "events.k8s.io/v1",
        "Job" | "CronJob" => "batch/v1",
        "Scale" => "autoscaling/v1",
        "HorizontalPodAutoscaler" => "autoscaling/v2",
        "ScaledObject" => "keda.sh/v1alpha1",
        _ => "apps/v1",
    }
}

pub fn plural(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

/// The label key that the cases write as `$MARK`.
pub const MARK: &str = "singleton-guard.io/singleton";
