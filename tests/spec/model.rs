//! A small model of the API server, for the two boundaries without one: it stores objects, fills in the server's
//! defaults, turns a case's request into AdmissionReviews, and applies what is admitted. The live run of the same
//! cases shows that it is faithful where it matters.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use singleton_guard::api::mark::MarkKey;
use singleton_guard::api::reference::ObjectRef;
use singleton_guard::policy::holder::Holder;
use singleton_guard::policy::lookup::{Found, Lookup, Metadata, Owner, Unknown};
use singleton_guard::policy::request::Phase;
use singleton_guard::settings::Settings;

use super::case::{
    Asks, Case, Delete, Outcome, Patch, PatchType, Request, Scale, Step, addressed, api_version, complete, matches,
    placeholders, plural, with,
};
use super::shapes::{HASH, counted, defaulted, observe, refuse_end, replica_set, scale_of, scaler, singleton};

/// What answers a review: the bytes of the answer, given a way to look things up.
pub trait Webhook {
    fn call(&self, phase: Phase, body: Vec<u8>, cluster: &Model) -> Value;

    /// What it works by.
    fn settings(&self) -> &Settings;
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    namespace: String,
    objects: BTreeMap<(String, String), Value>,
    /// What client-side apply last brought of an object.
    applied: BTreeMap<(String, String), Value>,
    next: u64,
}

impl Model {
    pub fn new(case: &Case) -> Self {
        let namespace = case.namespace.clone().unwrap_or_else(|| "pay".to_owned());
        let mut model = Self { namespace, ..Self::default() };
        for partial in &case.cluster {
            let name = partial["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let object = complete(&model.resolved(partial), &model.namespace);
            let object = defaulted(&object, &name);
            model.store(with(&object, json!({"status": counted(&object)})));
        }
        model
    }

    /// Runs one step; `Err` says how it differs from what the case states.
    pub fn run(&mut self, step: &Step, webhook: &dyn Webhook) -> Result<(), String> {
        if let Some(change) = &step.comes_about {
            let (key, change) = addressed(self.resolved(change));
            let object = self.objects.get(&key).ok_or_else(|| format!("await: there is no {key:?}"))?;
            let object = with(object, change);
            self.store(object);
        }
        if let Some(request) = &step.request {
            let asked = std::cell::Cell::new(Asks::Nothing);
            let outcome = self.admit(step, request, &Watching { webhook, asked: &asked })?;
            step.check(&outcome, &|text| self.resolved_text(text))?;
            if let Some(asks) = step.asks.filter(|asks| *asks != asked.get()) {
                return Err(format!("expected to ask {asks:?}, asked {:?}", asked.get()));
            }
        }
        if let Some(pattern) = &step.holds {
            let (key, pattern) = addressed(self.resolved(pattern));
            let object = self.objects.get(&key).cloned().unwrap_or_default();
            if !matches(&pattern, &object) {
                return Err(format!("expected {pattern:#}\ngot {object:#}"));
            }
        }
        Ok(())
    }

    /// Makes a step's request, and says what has come of it, whatever the step expects.
    pub fn outcome(&mut self, step: &Step, webhook: &dyn Webhook) -> Result<Outcome, String> {
        let request = step.request.as_ref().ok_or("a step without a request")?;
        self.admit(step, request, &Watching { webhook, asked: &std::cell::Cell::new(Asks::Nothing) })
    }

    /// The singletons that want more than one replica: none, ever. A bad value that was let in counts too.
    pub fn singletons_above_one(&self) -> Vec<String> {
        let marked =
            |object: &Value| object["metadata"]["labels"].get(super::case::MARK).is_some_and(|mark| !mark.is_null());
        let singleton = |object: &Value| {
            let owner = object["metadata"]["ownerReferences"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|owner| owner["controller"] == true);
            let owner = owner.and_then(|owner| {
                self.objects
                    .get(&("Deployment".to_owned(), owner["name"].as_str()?.to_owned()))
                    .filter(|o| o["metadata"]["uid"] == owner["uid"])
            });
            owner.map_or(marked(object), marked)
        };
        let above = self
            .objects
            .values()
            .filter(|object| singleton(object) && object["spec"]["replicas"].as_i64().is_none_or(|count| count > 1));
        above.map(Value::to_string).collect()
    }

    /// Answers a look-up as the cluster would.
    pub fn answer(&self, lookup: &Lookup<'_>) -> Result<Found, Unknown> {
        match lookup {
            Lookup::Parent(parent) => {
                let parent = &parent.object;
                let object = self.find(parent).ok_or(Unknown::NotFound)?;
                let bytes = object.to_string().into_bytes();
                let metadata = Metadata::read(&bytes).map_err(|error| Unknown::Unreadable(error.to_string()))?;
                if metadata.uid() != parent.uid {
                    return Err(Unknown::Replaced);
                }
                let owner = metadata.made_by(&parent.namespace.to_string().into(), Settings::default().kinds);
                let (owner, marked) = (owner.map(|owner| self.owner(&owner)), metadata.marked(&MarkKey::default()));
                Ok(Found::Parent { marked, owner, custom: metadata.custom_owner() })
            }
            Lookup::Holder(pod) => {
                let object = self.objects.get(&("Pod".to_owned(), pod.name.to_string()));
                let holder = object.map(|object| Holder::read(object.to_string().as_bytes(), SystemTime::now()));
                holder.transpose().map(Found::Holder).map_err(|error| Unknown::Unreadable(error.to_string()))
            }
            Lookup::Target(of) => Ok(Found::Target(singleton(of, &self.objects))),
            Lookup::Autoscaler(of) => Ok(Found::Autoscaler(scaler(of, self.objects.values()))),
            Lookup::Owners { before, after } => {
                let owner = |owner: &Option<ObjectRef<'_>>| owner.as_ref().map(|owner| self.owner(owner));
                Ok(Found::Owners { before: owner(before), after: owner(after) })
            }
        }
    }

    fn owner(&self, owner: &ObjectRef<'_>) -> Owner {
        match self.find(owner).filter(|object| object["metadata"]["uid"] == *owner.uid) {
            None => Owner::Gone,
            Some(object) if object["metadata"]["labels"].get(super::case::MARK).is_some() => Owner::Marked,
            Some(_) => Owner::Unmarked,
        }
    }

    fn find(&self, reference: &ObjectRef<'_>) -> Option<&Value> {
        self.objects.get(&(reference.kind.info().name.to_owned(), reference.name.to_string()))
    }

    fn admit(&mut self, step: &Step, request: &Request, webhook: &Watching<'_>) -> Result<Outcome, String> {
        let (kind, name, subresource, object) = self.wanted(request)?;
        let stored = self.objects.get(&(kind.clone(), name.clone())).cloned();
        let (operation, old) = match (&stored, request) {
            (_, Request::Delete(_)) => ("DELETE", stored.clone()),
            (Some(_), Request::Create(_)) => return Err(format!("{kind} {name} exists")),
            (Some(old), _) => ("UPDATE", Some(old.clone())),
            (None, _) => ("CREATE", None),
        };
        let object = object.map(|object| if subresource == "scale" { object } else { defaulted(&object, &name) });
        if let (Request::Delete(delete), "Pod", Some(pod)) = (request, kind.as_str(), &old)
            && let Some(refused) = refuse_end(pod, delete, step.user.as_ref(), webhook.webhook.settings())
        {
            return Ok(refused);
        }
        let shown_old = old.as_ref().map(|old| if subresource == "scale" { scale_of(old) } else { old.clone() });
        let review = |object: &Option<Value>| {
            let user = step.user.as_ref();
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                "uid": "7b6d2a0e-0000-4000-8000-00000000cafe",
                "resource": {"group": group(&kind), "version": "v1", "resource": plural(&kind)},
                "subResource": subresource, "name": name, "namespace": self.namespace, "operation": operation,
                "userInfo": {"username": user.map_or("kubernetes-admin", |user| &user.name),
                    "groups": user.map_or(vec!["system:masters".to_owned()], |user| user.groups.clone())},
                "object": object, "oldObject": shown_old, "dryRun": step.dry_run, "options": null,
            }})
        };
        let mut warnings = Vec::new();
        let mut object = object;
        if subresource.is_empty() {
            let answer = webhook.call(Phase::Mutate, review(&object).to_string().into_bytes(), self);
            warnings.extend(texts(&answer["response"]["warnings"]));
            if let Some(patch) = answer["response"]["patch"].as_str() {
                let patch = decoded(patch)?;
                let target = object.as_mut().ok_or("a patch for nothing")?;
                json_patch::patch(target, &patch).map_err(|error| format!("the patch does not apply: {error}"))?;
                *target = defaulted(target, &name);
            }
        }
        let answer = webhook.call(Phase::Validate, review(&object).to_string().into_bytes(), self);
        let response = &answer["response"];
        if response.get("patch").is_some() {
            return Err("a validating answer carries a patch".to_owned());
        }
        warnings.extend(texts(&response["warnings"]));
        let allowed = response["allowed"] == json!(true);
        let changed = allowed && !step.dry_run && self.commit(request, subresource, object, old);
        let message = response["status"]["message"].as_str().unwrap_or_default().to_owned();
        Ok(Outcome { allowed, message, warnings, changed })
    }

    /// What a request addresses, and the object that it wants.
    fn wanted(&self, request: &Request) -> Result<(String, String, &'static str, Option<Value>), String> {
        match request {
            Request::Create(partial) | Request::Replace(partial) => {
                let object = complete(&self.resolved(partial), &self.namespace);
                let (kind, name) = key(&object);
                // A PUT keeps the status of what it replaces, and may leave its uid out.
                let kept = self.objects.get(&(kind.clone(), name.clone()));
                let kept =
                    kept.map(|old| json!({"status": old["status"], "metadata": {"uid": old["metadata"]["uid"], "generation": old["metadata"]["generation"]}}));
                Ok((kind, name, "", Some(kept.map_or(object.clone(), |kept| with(&object, kept)))))
            }
            Request::Apply(partial) => {
                let object = complete(&self.resolved(partial), &self.namespace);
                let (kind, name) = key(&object);
                let key = (kind, name);
                let Some(mut target) = self.objects.get(&key).cloned() else {
                    return Ok((key.0, key.1, "", Some(object)));
                };
                let last = self.applied.get(&key).cloned().unwrap_or_default();
                json_patch::merge(&mut target, &with(&taken_out(&last, &object), object));
                Ok((key.0, key.1, "", Some(target)))
            }
            Request::Patch(patch) => self.patched(patch),
            Request::Scale(Scale { kind, name, replicas, .. }) => {
                let name = self.resolved_text(name);
                let stored = self.stored(kind, &name)?;
                // The API server rebuilds the Scale from the stored parent: what the client claims is gone.
                let mut scale = scale_of(stored);
                scale["spec"] = if *replicas == json!(0) { json!({}) } else { json!({"replicas": replicas}) };
                Ok((kind.clone(), name, "scale", Some(scale)))
            }
            Request::Delete(Delete { kind, name, .. }) => Ok((kind.clone(), self.resolved_text(name), "", None)),
        }
    }

    fn patched(&self, patch: &Patch) -> Result<(String, String, &'static str, Option<Value>), String> {
        let name = self.resolved_text(&patch.name);
        let body = self.resolved(&patch.body);
        let subresource = match patch.subresource.as_deref() {
            None => "",
            Some("status") => "status",
            Some("scale") => "scale",
            Some(other) => return Err(format!("unknown subresource {other}")),
        };
        let stored = match self.stored(&patch.kind, &name) {
            Ok(stored) => stored.clone(),
            Err(_) if patch.type_ == PatchType::Apply => {
                let partial = with(&body, json!({"kind": patch.kind, "metadata": {"name": name}}));
                return Ok((patch.kind.clone(), name, subresource, Some(complete(&partial, &self.namespace))));
            }
            Err(error) => return Err(error),
        };
        let mut object = if subresource == "scale" { scale_of(&stored) } else { stored };
        if patch.type_ == PatchType::Json {
            let patch: json_patch::Patch = serde_json::from_value(body).map_err(|error| error.to_string())?;
            json_patch::patch(&mut object, &patch).map_err(|error| error.to_string())?;
        } else if patch.type_ == PatchType::Apply && body["spec"].get("template").is_some() {
            json_patch::merge(
                &mut object,
                &complete(&with(&body, json!({"kind": patch.kind, "metadata": {"name": name}})), &self.namespace),
            );
        } else {
            json_patch::merge(&mut object, &body);
        }
        if subresource == "status" {
            object["spec"] = self.stored(&patch.kind, &name)?["spec"].clone();
        }
        Ok((patch.kind.clone(), name, subresource, Some(object)))
    }

    fn commit(&mut self, request: &Request, subresource: &str, object: Option<Value>, old: Option<Value>) -> bool {
        match (request, object, old) {
            (Request::Delete(_), _, Some(mut old)) => {
                if old["metadata"].get("finalizers").is_some() {
                    old["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                    self.store(old);
                } else {
                    self.objects.remove(&key(&old));
                }
                true
            }
            (_, Some(scale), Some(mut old)) if subresource == "scale" => {
                let replicas = scale["spec"].get("replicas").cloned().unwrap_or(json!(0));
                let changed = old["spec"]["replicas"] != replicas;
                old["spec"]["replicas"] = replicas;
                self.store(old);
                changed
            }
            (_, Some(object), old) => {
                if let Request::Apply(partial) = request {
                    self.applied.insert(key(&object), complete(&self.resolved(partial), &self.namespace));
                }
                let changed = old.as_ref() != Some(&object);
                let created = json!({"status": counted(&object)});
                self.store(if old.is_none() { with(&object, created) } else { object });
                changed
            }
            (_, None, _) => false,
        }
    }

    fn stored(&self, kind: &str, name: &str) -> Result<&Value, String> {
        self.objects.get(&(kind.to_owned(), name.to_owned())).ok_or_else(|| format!("there is no {kind} {name}"))
    }

    /// Stores an object, and does at once what the Deployment controller does sooner or later: a Deployment gets its
    /// ReplicaSet or adopts one without a controller, scales it, and counts its Pods.
    fn store(&mut self, mut object: Value) {
        let (kind, name) = key(&object);
        if object["metadata"].get("uid").is_none() {
            self.next += 1;
            object["metadata"]["uid"] = json!(format!("uid-{}", self.next));
        }
        observe(self.objects.get(&(kind.clone(), name.clone())), &mut object);
        let behind = ("ReplicaSet".to_owned(), format!("{name}-{HASH}"));
        match kind.as_str() {
            "Deployment" => {
                let new = replica_set(&object, self.next);
                let there = self.objects.entry(behind).or_insert_with(|| new.clone());
                let owners =
                    |object: &Value| object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
                if !owners(there).iter().any(|owner| owner["controller"] == true) {
                    there["metadata"]["ownerReferences"] = new["metadata"]["ownerReferences"].clone();
                }
                if owners(there).iter().any(|owner| owner["uid"] == object["metadata"]["uid"]) {
                    there["spec"]["replicas"] = object["spec"]["replicas"].clone();
                }
            }
            "ReplicaSet" => {
                let owner = ("Deployment".to_owned(), name.trim_end_matches(HASH).trim_end_matches('-').to_owned());
                let counted = counted(&object);
                self.objects.entry(owner).and_modify(|owner| *owner = with(owner, json!({"status": counted})));
            }
            _ => {}
        }
        self.objects.insert((kind, name), object);
    }

    fn resolved(&self, value: &Value) -> Value {
        let text = self.resolved_text(&value.to_string());
        serde_json::from_str(&text).expect("names need no escapes")
    }

    /// Fills in the placeholders.
    fn resolved_text(&self, text: &str) -> String {
        let uid = |name: &str| self.stored("Deployment", name).map(|object| object["metadata"]["uid"].clone());
        let text = text.replace("$NS", &self.namespace);
        let text = placeholders(&text, "rs-of:", &|name| format!("{name}-{HASH}"));
        placeholders(&text, "uid-of:", &|name| {
            uid(name).ok().and_then(|uid| uid.as_str().map(str::to_owned)).unwrap_or_default()
        })
    }
}

/// A merge patch that takes out what the last manifest had and the new one has not.
fn taken_out(last: &Value, new: &Value) -> Value {
    let Some(members) = last.as_object() else { return json!({}) };
    let gone = members.iter().filter_map(|(key, last)| match new.get(key) {
        None => Some((key.clone(), Value::Null)),
        Some(new) if last.is_object() => Some((key.clone(), taken_out(last, new))),
        Some(_) => None,
    });
    Value::Object(gone.collect())
}

/// The patch of an answer.
pub fn decoded(patch: &str) -> Result<json_patch::Patch, String> {
    let patch = BASE64_STANDARD.decode(patch).map_err(|error| error.to_string())?;
    serde_json::from_slice(&patch).map_err(|error| error.to_string())
}

/// Notes which question is asked.
struct Watching<'a> {
    webhook: &'a dyn Webhook,
    asked: &'a std::cell::Cell<Asks>,
}

impl Watching<'_> {
    fn call(&self, phase: Phase, body: Vec<u8>, cluster: &Model) -> Value {
        if phase == Phase::Validate {
            self.asked.set(super::pure::asks(&body, self.webhook.settings()));
        }
        self.webhook.call(phase, body, cluster)
    }
}

fn key(object: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["name"]))
}

fn group(kind: &str) -> &'static str {
    api_version(kind).split_once('/').map_or("", |(group, _)| group)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}
