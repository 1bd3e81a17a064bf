//! A mark that has no effect, on a real API server with kinds that it had never heard of: who brings it is told, nobody else,
//! and nobody is refused, whatever is wrong with the policies.

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use singleton_guard::chart::warnings::WarningPolicy;
use singleton_guard::policy::exemption::BREAK_GLASS;

use crate::common::api::{self, Answer};
use crate::common::definitions::{definition, establish};
use crate::common::{eventually, new_namespace};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, User, complete, with};
use crate::spec::sentence::{prefix, said};

stories!(a_mark_without_effect_is_told);

/// Every way to bring it, and what only looks like one.
async fn a_mark_without_effect_is_told(lab: &Lab) -> Result<()> {
    define(lab).await?;
    let namespace = new_namespace(lab).await?;
    let at = Place { lab, namespace: &namespace };
    let marked = json!({"metadata": {"labels": {MARK: "true"}}});
    let unmarked = json!({"metadata": {"labels": {MARK: null}}});
    let template = json!({"spec": {"template": {"metadata": {"labels": {MARK: "true"}}}}});

    // The kind is known to the API server a moment before its policies see it.
    let (other, pod) = ("Rollout", "Pod");
    eventually("a warning about another kind", || async {
        let answer = at.create(other, "first", &marked).await?;
        at.delete(other, "first").await?;
        Ok((!answer.warnings.is_empty()).then_some(()))
    })
    .await?;
    at.told(other, "ro", &at.create(other, "ro", &marked).await?)?;
    at.silent(&at.patch(other, "ro", "", &json!({"metadata": {"labels": {"more": "true"}}})).await?)?;
    at.silent(&at.patch(other, "ro", "/scale", &json!({"spec": {"replicas": 3}})).await?)?;
    at.silent(&at.patch(other, "ro", "/status", &json!({"status": {"replicas": 3}})).await?)?;
    at.silent(&at.patch(other, "ro", "", &unmarked).await?)?;
    at.told(other, "ro", &at.patch(other, "ro", "", &marked).await?)?;
    // No replicas and no scale, but a template.
    at.told("CloneSet", "cl", &at.create("CloneSet", "cl", &marked).await?)?;
    at.told(pod, "bare", &at.create(pod, "bare", &marked).await?)?;

    // What a tool labels with the rest, and what a controller makes.
    for kind in ["Service", "ConfigMap", "Note"] {
        at.silent(&at.create(kind, "common", &marked).await?).context(kind)?;
    }
    let by = json!([{"apiVersion": "example.com/v1", "kind": "Rollout", "name": "ro", "uid": "1", "controller": true}]);
    let owned = with(&marked, json!({"metadata": {"ownerReferences": by}}));
    at.silent(&at.create(pod, "owned", &owned).await?)?;
    // Of these the webhook speaks: it refuses.
    let refused = at.create("DaemonSet", "ds", &marked).await?;
    ensure!(
        refused.message().starts_with("SG006") && !refused.warnings.iter().any(|it| it.contains("nothing guards")),
        "{refused:?}"
    );

    for kind in ["StatefulSet", "Deployment", "ReplicaSet"] {
        at.told_of_template(kind, "pt", &at.create(kind, "pt", &template).await?)?;
        at.silent(&at.patch(kind, "pt", "", &json!({"spec": {"replicas": 0}})).await?).context(kind)?;
        at.create(kind, "later", &json!({"spec": {"replicas": 0}})).await?.success()?;
        at.told_of_template(kind, "later", &at.patch(kind, "later", "", &template).await?)?;
        let both = at.create(kind, "both", &with(&template, marked.clone())).await?;
        ensure!(!both.warnings.iter().any(|it| it.contains("nothing guards")), "{kind}: {both:?}");
    }

    // Who is never judged is not warned.
    let glass = User { name: "on-call".to_owned(), groups: vec!["system:masters".to_owned(), BREAK_GLASS.to_owned()] };
    at.silent(&at.create_as(other, "glass", &marked, Some(&glass)).await?)?;
    let exempt = Place { lab, namespace: "kube-public" };
    at.silent(&exempt.create(other, "exempt", &marked).await?)?;
    exempt.delete(other, "exempt").await?;
    broken_ones_refuse_nothing(&at).await
}

/// The policies as they are rendered, each broken in another way: what was warned of is allowed as before.
async fn broken_ones_refuse_nothing(at: &Place<'_>) -> Result<()> {
    let client = at.lab.client();
    let name = "singleton-guard-unguarded";
    let read = async |kind: &str| {
        let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}/{name}");
        api::read(&client, &path).await?.success()
    };
    let policy = read("validatingadmissionpolicies").await?;
    let binding = read("validatingadmissionpolicybindings").await?;
    let breaks = [
        ("its condition", json!({"matchConditions": [{"name": "x", "expression": "object.nowhere.to.be.found == 1"}]})),
        ("its expression", json!({"validations": [{"expression": "object.nowhere.to.be.found == 1"}]})),
        (
            "its message",
            json!({"validations": [{"expression": "false", "messageExpression": "string(object.nowhere.found)"}]}),
        ),
        (
            "the kind of its parameters",
            json!({"paramKind": {"apiVersion": "nowhere.example.com/v1", "kind": "Missing"}}),
        ),
        ("its parameters", json!({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}})),
    ];
    for (index, (what, broken)) in breaks.iter().enumerate() {
        let (broken_name, probe) = (format!("broken-{index}"), format!("probe-{index}"));
        let metadata = json!({"name": broken_name});
        let (mut policy, mut binding) = (policy.clone(), binding.clone());
        (policy["metadata"], binding["metadata"]) = (metadata.clone(), metadata);
        policy["status"] = json!({});
        for (field, value) in broken.as_object().into_iter().flatten() {
            policy["spec"][field] = value.clone();
        }
        binding["spec"]["policyName"] = json!(broken_name);
        binding["spec"]["matchResources"] =
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": at.namespace}}});
        if broken.get("paramKind").is_some() {
            binding["spec"]["paramRef"] =
                json!({"name": "absent", "namespace": at.namespace, "parameterNotFoundAction": "Deny"});
        }
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": [policy, binding]}).to_string();
        at.lab.kubectl_with_input(&["create", "-f", "-"], &objects).await?.success()?;
        // A policy is in force a moment after it is stored; one that cannot be evaluated does nothing to be waited for.
        for _ in 0..20 {
            let answer = at.create("Rollout", &probe, &json!({"metadata": {"labels": {MARK: "true"}}})).await?;
            ensure!(answer.succeeded(), "a policy with {what} broken refuses: {answer:?}");
            at.delete("Rollout", &probe).await?;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        at.lab.kubectl_with_input(&["delete", "-f", "-"], &objects).await?.success()?;
    }
    Ok(())
}

/// A namespace.
struct Place<'a> {
    lab: &'a Lab,
    namespace: &'a str,
}

impl Place<'_> {
    async fn create(&self, kind: &str, name: &str, more: &Value) -> Result<Answer> {
        self.create_as(kind, name, more, None).await
    }

    async fn create_as(&self, kind: &str, name: &str, more: &Value, user: Option<&User>) -> Result<Answer> {
        let partial = with(&json!({"kind": kind, "metadata": {"name": name}}), more.clone());
        let custom = |spec: Value| {
            let head = json!({"apiVersion": "silence.example.com/v1", "metadata": {"namespace": self.namespace}, "spec": spec});
            with(&head, partial.clone())
        };
        let object = match kind {
            "Rollout" => custom(json!({"replicas": 2})),
            "CloneSet" => custom(json!({"template": {"spec": {}}})),
            "Note" => custom(json!({"text": "replicas"})),
            "Service" => with(&json!({"apiVersion": "v1", "spec": {"ports": [{"port": 80}]}}), partial),
            "ConfigMap" => with(&json!({"apiVersion": "v1"}), partial),
            _ => complete(&partial, self.namespace),
        };
        let content = Some(("application/json", object.to_string()));
        let answer = api::call(&self.lab.client(), Method::POST, &self.path(kind, ""), content, user).await?;
        ensure!(answer.succeeded() || kind == "DaemonSet", "{kind} {name}: {answer:?}");
        Ok(answer)
    }

    async fn patch(&self, kind: &str, name: &str, subresource: &str, body: &Value) -> Result<Answer> {
        let path = format!("{}{subresource}", self.path(kind, name));
        let answer = api::merge(&self.lab.client(), &path, body, None).await?;
        ensure!(answer.succeeded(), "{path}: {answer:?}");
        Ok(answer)
    }

    async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        api::delete(&self.lab.client(), &self.path(kind, name), None).await?.success().map(drop)
    }

    fn path(&self, kind: &str, name: &str) -> String {
        let plural = format!("{}s", kind.to_lowercase());
        let collection = match kind {
            "Rollout" | "CloneSet" | "Note" => {
                format!("/apis/silence.example.com/v1/namespaces/{}/{plural}", self.namespace)
            }
            _ => api::path(kind, self.namespace, None),
        };
        if name.is_empty() { collection } else { format!("{collection}/{name}") }
    }

    /// One warning, that nothing guards this kind.
    fn told(&self, kind: &str, name: &str, answer: &Answer) -> Result<()> {
        self.warns(WarningPolicy::Unguarded, usize::from(kind == "Pod"), (kind, name), answer)
    }

    /// One warning, that the label is in the wrong place.
    fn told_of_template(&self, kind: &str, name: &str, answer: &Answer) -> Result<()> {
        self.warns(WarningPolicy::TemplateOnly, 0, (kind, name), answer)
    }

    fn warns(&self, policy: WarningPolicy, sentence: usize, (kind, name): (&str, &str), answer: &Answer) -> Result<()> {
        let sentence = &policy.sentences()[sentence];
        let expected = format!("{}{}", prefix(policy), said(sentence, kind, name));
        ensure!(
            answer.warnings == [expected.clone()],
            "in {}: expected {expected}, got {:?}",
            self.namespace,
            answer.warnings
        );
        Ok(())
    }

    fn silent(&self, answer: &Answer) -> Result<()> {
        ensure!(answer.warnings.is_empty(), "in {}: {:?} about {}", self.namespace, answer.warnings, answer.body);
        Ok(())
    }
}

/// Kinds as others bring them: one that can be scaled, one that cannot, and one that runs nothing.
async fn define(lab: &Lab) -> Result<()> {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let scale = json!({"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}});
    let kinds = [("Rollout", scale), ("CloneSet", json!({})), ("Note", json!({}))];
    let definitions = kinds.map(|(kind, subresources)| {
        let version = json!({"schema": {"openAPIV3Schema": any}, "subresources": subresources});
        definition("silence.example.com", kind, "Namespaced", version)
    });
    establish(lab, &definitions).await
}
