//! The third boundary: the same cases against a real API server, with the guard installed by helm and the Pods made by
//! real controllers. Each case has a namespace of its own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use crate::common::api::{self, Answer};
use crate::common::installed::Guard;
use crate::common::{definitions, eventually, new_namespace, unguarded};
use crate::lab::Lab;
use crate::spec::case::{
    self, Case, Delete, Outcome, Patch, PatchType, Request, Scale, Step, User, addressed, complete, matches,
    placeholders, with,
};

/// Runs a case against what guards the lab.
pub async fn run(lab: &Lab, guard: Guard, case: &Case) -> Result<()> {
    let namespace = match &case.namespace {
        Some(namespace) => namespace.clone(),
        None => new_namespace(lab).await?,
    };
    let run = Run { lab, client: lab.client(), namespace, guard };
    if case.speaks_of("ScaledObject") {
        definitions::establish(lab, &[definitions::scaled_object()]).await?;
    }
    for partial in &case.cluster {
        run.store(partial).await.context("putting the case's cluster in place")?;
    }
    for (index, step) in case.steps.iter().enumerate() {
        run.step(step).await.with_context(|| format!("step {}", index + 1))?;
    }
    Ok(())
}

struct Run<'a> {
    lab: &'a Lab,
    client: Client,
    namespace: String,
    guard: Guard,
}

impl Run<'_> {
    async fn store(&self, partial: &Value) -> Result<()> {
        let object = complete(&self.resolved(partial).await?, &self.namespace);
        let (kind, name) = (text_of(&object["kind"]), text_of(&object["metadata"]["name"]));
        let path = api::path(&kind, &self.namespace, None);
        api::post(&self.client, &path, &object, Some(&unguarded())).await?.success()?;
        let settles = object["metadata"].get("ownerReferences").is_none() && guarded(&kind);
        if settles {
            let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
            eventually(&format!("{kind} {name} to have {wanted} Pods"), || async {
                let object = self.get(&kind, &name).await?.unwrap_or_default();
                if let Some(refusal) = names_refused(&object) {
                    bail!("its controller is not let make a Pod: {refusal}");
                }
                let settled =
                    object["status"]["observedGeneration"].as_i64() >= object["metadata"]["generation"].as_i64();
                Ok((settled && object["status"]["replicas"].as_i64().unwrap_or(0) == wanted).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    async fn step(&self, step: &Step) -> Result<()> {
        if let Some(pattern) = &step.comes_about {
            let ((kind, name), pattern) = addressed(self.resolved(pattern).await?);
            eventually(&format!("{kind} {name} to become {pattern}"), || async {
                let object = self.get(&kind, &name).await?.unwrap_or_default();
                // A count of 0 is left out.
                let running = with(&json!({"status": {"replicas": 0}}), object);
                Ok(matches(&pattern, &running).then_some(()))
            })
            .await?;
        }
        if let Some(request) = &step.request {
            // Who ends Pods for a node stands in a policy that may have changed for this case; and of autoscalers the guard
            // is told where it is known to hold singletons, and judges them by what its watches have seen.
            let is_of_a_pod = matches!(request, Request::Delete(Delete { kind, .. }) if kind == "Pod");
            if self.guard == Guard::Floor || is_of_a_pod || is_about_autoscalers(step) {
                self.until_it_is_known(step, request).await?;
            }
            let mut outcome = self.request(step, request).await?;
            let names = self.names(step).await?;
            let spelled =
                |text: &str| names.iter().fold(text.to_owned(), |text, (name, real)| text.replace(name, real));
            let mut step = step.clone();
            if self.guard == Guard::Floor {
                // A policy does not warn.
                (step.warnings, step.remedy, outcome.warnings) = (Vec::new(), None, Vec::new());
            }
            // The remedy stands in its one line.
            let expected = step.message.as_deref().map(spelled).unwrap_or_default();
            if let Some(remedy) = outcome.message.strip_prefix(&format!("{expected}; ")) {
                outcome.warnings.push(format!("the policy: {remedy}"));
                outcome.message = expected;
            }
            step.check(&outcome, &spelled).map_err(|difference| anyhow!(difference))?;
        }
        if let Some(pattern) = &step.holds {
            let ((kind, name), pattern) = addressed(self.resolved(pattern).await?);
            let object = self.get(&kind, &name).await?.unwrap_or_default();
            ensure!(matches(&pattern, &object), "expected {pattern:#}\ngot {object:#}");
        }
        Ok(())
    }

    /// Waits until a dry run ends as the step says. What the policies and the guard's watches know of other objects, and the API server of them, is
    /// a moment old.
    async fn until_it_is_known(&self, step: &Step, request: &Request) -> Result<()> {
        // kubectl is not asked twice, and the deletion of a workload is not judged.
        if matches!(request, Request::Apply(_)) || matches!(request, Request::Delete(it) if it.kind != "Pod") {
            return Ok(());
        }
        let rehearsal = Step { dry_run: true, ..step.clone() };
        let started = Instant::now();
        while started.elapsed() < FLOOR_LAG {
            let outcome = self.request(&rehearsal, request).await?;
            let is_allowed = step.decision == Some(case::Verdict::Allow);
            if outcome.allowed == is_allowed && (!is_allowed || outcome.warnings.len() == step.warnings.len()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn request(&self, step: &Step, request: &Request) -> Result<Outcome> {
        let dry_run = if step.dry_run { "dryRun=All" } else { "" };
        let user = step.user.as_ref();
        match request {
            Request::Create(partial) => {
                let object = complete(&self.resolved(partial).await?, &self.namespace);
                let path = format!("{}?{dry_run}", api::path(&text_of(&object["kind"]), &self.namespace, None));
                let answer = api::post(&self.client, &path, &object, user).await?;
                Ok(outcome(&answer, true))
            }
            Request::Replace(partial) => {
                let object = complete(&self.resolved(partial).await?, &self.namespace);
                let (kind, name) = (text_of(&object["kind"]), text_of(&object["metadata"]["name"]));
                let path = format!("{}?{dry_run}", api::path(&kind, &self.namespace, Some(&name)));
                self.write(Method::PUT, &kind, &name, &path, ("application/json", object.to_string()), user).await
            }
            Request::Apply(partial) => self.apply(&complete(&self.resolved(partial).await?, &self.namespace)).await,
            Request::Patch(patch) => self.patch(patch, dry_run, user).await,
            Request::Scale(scale) => self.scale(scale, dry_run, user).await,
            Request::Delete(Delete { kind, name, propagation, grace }) => {
                let name = self.resolved_text(name).await?;
                let path = api::path(kind, &self.namespace, Some(&name));
                let propagation = propagation.as_deref().unwrap_or("Background");
                // Where there is a body the API server reads no query.
                let dry_run: &[&str] = if step.dry_run { &["All"] } else { &[] };
                let options = json!({"propagationPolicy": propagation, "gracePeriodSeconds": grace, "dryRun": dry_run});
                let content = Some(("application/json", options.to_string()));
                Ok(outcome(&api::call(&self.client, Method::DELETE, &path, content, user).await?, true))
            }
        }
    }

    /// What the real kubectl does, also what it prints.
    async fn apply(&self, object: &Value) -> Result<Outcome> {
        let (kind, name) = (text_of(&object["kind"]), text_of(&object["metadata"]["name"]));
        let before = self.content(&kind, &name).await?;
        let done = self.lab.kubectl_with_input(&["apply", "-f", "-"], &object.to_string()).await?;
        let own = done.stderr.lines().filter_map(|line| line.strip_prefix("Warning: "));
        // Said of objects that were not made by `kubectl apply`; no business of ours.
        let warnings =
            own.filter(|warning| !warning.contains("last-applied-configuration")).map(str::to_owned).collect();
        let message = done.stderr.lines().map(|line| (line, api::refusal(line))).find(|(line, own)| line != own);
        Ok(Outcome {
            allowed: done.succeeded(),
            message: message.map_or(done.stderr.as_str(), |(_, own)| own).to_owned(),
            warnings,
            changed: before != self.content(&kind, &name).await?,
        })
    }

    async fn patch(&self, patch: &Patch, dry_run: &str, user: Option<&User>) -> Result<Outcome> {
        let Patch { kind, subresource, type_, body, .. } = patch;
        let name = self.resolved_text(&patch.name).await?;
        let mut body = self.resolved(body).await?;
        let (content_type, extra) = match type_ {
            PatchType::Merge => ("application/merge-patch+json", ""),
            PatchType::Json => ("application/json-patch+json", ""),
            PatchType::Strategic => ("application/strategic-merge-patch+json", ""),
            PatchType::Apply => {
                body = with(
                    &body,
                    json!({"apiVersion": case::api_version(kind), "kind": kind, "metadata": {"name": name}}),
                );
                if body["spec"].get("template").is_some() || self.get(kind, &name).await?.is_none() {
                    body = complete(&body, &self.namespace);
                }
                ("application/apply-patch+yaml", "fieldManager=case&force=true&")
            }
        };
        let object = api::path(kind, &self.namespace, Some(&name));
        let target = subresource.as_ref().map_or(object.clone(), |subresource| format!("{object}/{subresource}"));
        let target = format!("{target}?{extra}{dry_run}");
        self.write(Method::PATCH, kind, &name, &target, (content_type, body.to_string()), user).await
    }

    async fn scale(&self, scale: &Scale, dry_run: &str, user: Option<&User>) -> Result<Outcome> {
        let Scale { kind, replicas, put, claims, .. } = scale;
        let name = self.resolved_text(&scale.name).await?;
        let path = format!("{}/scale", api::path(kind, &self.namespace, Some(&name)));
        let wanted = json!({"spec": {"replicas": replicas}});
        if !put {
            let content = ("application/merge-patch+json", wanted.to_string());
            return self.write(Method::PATCH, kind, &name, &format!("{path}?{dry_run}"), content, user).await;
        }
        let before = self.content(kind, &name).await?;
        // Read, change, write, and once more if somebody wrote in between: as every autoscaler does.
        for _ in 0..CONFLICTS {
            let stored = api::read(&self.client, &path).await?.success()?;
            let claimed = if claims.is_null() { stored } else { with(&stored, json!({"metadata": claims})) };
            let content = ("application/json", with(&claimed, wanted.clone()).to_string());
            let path = format!("{path}?{dry_run}");
            let answer = api::call(&self.client, Method::PUT, &path, Some(content), user).await?;
            if answer.code != 409 {
                return Ok(outcome(&answer, before != self.content(kind, &name).await?));
            }
        }
        bail!("{CONFLICTS} conflicts in a row on {path}")
    }

    /// A call about one object, which may change it.
    async fn write(
        &self,
        method: Method,
        kind: &str,
        name: &str,
        path: &str,
        content: (&str, String),
        user: Option<&User>,
    ) -> Result<Outcome> {
        let before = self.content(kind, name).await?;
        let answer = api::call(&self.client, method, path, Some(content), user).await?;
        let changed = before != self.content(kind, name).await?;
        Ok(outcome(&answer, changed))
    }

    async fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        api::get(&self.client, kind, &self.namespace, name).await
    }

    async fn content(&self, kind: &str, name: &str) -> Result<String> {
        // Controllers write at any time, but only the status and their own annotation, whose loss in a PUT counts up
        // the generation.
        let object = self.get(kind, name).await?.unwrap_or_default();
        let metadata = &object["metadata"];
        let mut annotations = metadata["annotations"].as_object().cloned().unwrap_or_default();
        annotations.remove("deployment.kubernetes.io/revision");
        Ok(json!([object["spec"], metadata["labels"], annotations]).to_string())
    }

    async fn resolved(&self, value: &Value) -> Result<Value> {
        Ok(serde_json::from_str(&self.resolved_text(&value.to_string()).await?)?)
    }

    async fn resolved_text(&self, text: &str) -> Result<String> {
        let mut resolved = text.replace("$NS", &self.namespace);
        for (name, real) in self.named(text).await? {
            resolved = resolved.replace(&name, &real);
        }
        Ok(resolved)
    }

    /// The placeholders of a step's texts with what they stand for.
    async fn names(&self, step: &Step) -> Result<Vec<(String, String)>> {
        let mut names = vec![("$NS".to_owned(), self.namespace.clone())];
        names.extend(self.named(step.message.as_deref().unwrap_or_default()).await?);
        Ok(names)
    }

    async fn named(&self, text: &str) -> Result<Vec<(String, String)>> {
        let mut names = Vec::new();
        for marker in ["rs-of:", "uid-of:"] {
            let found = std::cell::RefCell::new(Vec::new());
            placeholders(text, marker, &|name| {
                found.borrow_mut().push(name.to_owned());
                String::new()
            });
            for name in found.into_inner() {
                let deployment =
                    self.get("Deployment", &name).await?.with_context(|| format!("there is no Deployment {name}"))?;
                let uid = text_of(&deployment["metadata"]["uid"]);
                let real = if marker == "uid-of:" { uid } else { self.replica_set(&uid).await? };
                names.push((format!("{marker}{name}"), real));
            }
        }
        Ok(names)
    }

    /// The ReplicaSet that the Deployment of this uid controls.
    async fn replica_set(&self, deployment: &str) -> Result<String> {
        eventually("a ReplicaSet of the Deployment", || async {
            let path = api::path("ReplicaSet", &self.namespace, None);
            let list = api::read(&self.client, &path).await?.success()?;
            let owned = |set: &&Value| set["metadata"]["ownerReferences"][0]["uid"] == deployment;
            let set = list["items"].as_array().into_iter().flatten().find(owned);
            Ok(set.map(|set| text_of(&set["metadata"]["name"])))
        })
        .await
    }
}

fn outcome(answer: &Answer, changed: bool) -> Outcome {
    Outcome {
        allowed: answer.succeeded(),
        message: if answer.succeeded() { String::new() } else { answer.message() },
        warnings: answer.warnings.clone(),
        changed: changed && answer.succeeded(),
    }
}

/// Why a Pod of a strict workload has no name that it may have, if its controller says so: no patience changes that.
fn names_refused(workload: &Value) -> Option<&str> {
    let conditions = workload["status"]["conditions"].as_array().into_iter().flatten();
    let mut messages = conditions.filter_map(|condition| condition["message"].as_str());
    messages.find(|message| message.contains("SG012"))
}

fn is_about_autoscalers(step: &Step) -> bool {
    step.message.iter().chain(&step.warnings).any(|line| line.starts_with("SG003"))
}

fn guarded(kind: &str) -> bool {
    singleton_guard::api::kind::Kinds::BUILT_IN.iter().any(|known| known.info().name == kind)
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// How old what the floor knows of other objects may be: far more than was ever seen.
const FLOOR_LAG: Duration = Duration::from_secs(5);
const CONFLICTS: usize = 20;
