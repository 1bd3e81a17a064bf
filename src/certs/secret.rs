//! The one Secret that all replicas share: read it, and write it only in the state in which it was read.
//!
//! The chart creates it empty. `get`, `update` and, should somebody delete it, `patch` and `create` on this one name are
//! all the rights that are needed: a server-side apply names what it creates, so RBAC can restrict it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::StatusCode;
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, GetParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::core::{Request, Status};
use kube::{Api, Client};
use rustls::crypto::CryptoProvider;
use serde_json::{Map, Value, json};

use super::facts;
use super::material::{Material, Next, Previous};
use super::plan::Stored;
use crate::cluster::{clock, words};

/// Which Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// Its namespace: ours.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What a GET has shown.
pub(super) struct Reading {
    /// The Secret, unless there is none.
    pub(super) snapshot: Option<Snapshot>,
    /// The API server's own time. It verifies the certificate, so its clock is the one that counts; ours may be wrong.
    pub(super) now: SystemTime,
}

/// The Secret as it was read. Everything in it that is not ours goes back as it came.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    object: DynamicObject,
    /// Our values, if those that must be there are there and are text.
    pub(super) material: Option<Material>,
}

/// What came of writing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is stored.
    Stored,
    /// Another replica was first (409): read again.
    Conflict,
}

/// The Secret cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} Secret {secret}: {}{hint}", words(cause))]
pub struct SecretError {
    verb: &'static str,
    secret: SecretRef,
    #[source]
    cause: Box<kube::Error>,
    hint: &'static str,
}

impl SecretRef {
    /// Reads it, with the time.
    pub(super) async fn read(&self, client: &Client) -> Result<Reading, SecretError> {
        let wrong = |cause| self.error("get", cause);
        let request = Request::new(self.api(client).resource_url()).get(&self.name, &GetParams::default());
        let request = request.map_err(|error| wrong(kube::Error::BuildRequest(error)))?;
        let response = client.send(request.map(Body::from)).await.map_err(wrong)?;
        let (code, now) = (response.status(), clock::date(response.headers()).unwrap_or_else(SystemTime::now));
        let body = response.into_body().collect().await.map_err(wrong)?.to_bytes();
        let unreadable = |error| wrong(kube::Error::SerdeError(error));
        if code == StatusCode::OK {
            let object: DynamicObject = serde_json::from_slice(&body).map_err(unreadable)?;
            return Ok(Reading { snapshot: Some(Snapshot { material: material(&object), object }), now });
        }
        let status: Status = serde_json::from_slice(&body).map_err(unreadable)?;
        if status.is_not_found() {
            return Ok(Reading { snapshot: None, now });
        }
        Err(wrong(kube::Error::Api(Box::new(status))))
    }

    /// Puts the material into it. The object carries the `resourceVersion` that was read, so the API server refuses
    /// the write if the Secret has changed since.
    pub(super) async fn write(
        &self,
        client: &Client,
        snapshot: &Snapshot,
        material: &Material,
    ) -> Result<Written, SecretError> {
        let mut object = snapshot.object.clone();
        if let Value::Object(fields) = &mut object.data {
            let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
            if !data.is_object() {
                *data = Value::Object(Map::new());
            }
            if let Value::Object(data) = data {
                data.retain(|key, _| !KEYS.contains(&key.as_str()));
                data.extend(entries(material));
            }
        }
        match self.api(client).replace(&self.name, &PostParams::default(), &object).await {
            Ok(_) => Ok(Written::Stored),
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(Written::Conflict),
            Err(cause) => Err(self.error("update", cause)),
        }
    }

    /// Makes it again after somebody has deleted it, with the labels and annotations that it had if that is known.
    /// Whoever does the same at the same time writes over this; so read it again.
    pub(super) async fn create(&self, client: &Client, before: Option<&Snapshot>) -> Result<(), SecretError> {
        let metadata = before.map(|snapshot| &snapshot.object.metadata);
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.name,
                "labels": metadata.and_then(|metadata| metadata.labels.as_ref()),
                "annotations": metadata.and_then(|metadata| metadata.annotations.as_ref()),
            },
            "type": "Opaque",
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let applied = self.api(client).patch(&self.name, &parameters, &Patch::Apply(&object)).await;
        applied.map(drop).map_err(|cause| self.error("create", cause))
    }

    fn api(&self, client: &Client) -> Api<DynamicObject> {
        Api::namespaced_with(client.clone(), &self.namespace, &ApiResource::erase::<Secret>(&()))
    }

    fn error(&self, verb: &'static str, cause: kube::Error) -> SecretError {
        let hint = match &cause {
            kube::Error::Api(status) if status.is_forbidden() => {
                "; the ServiceAccount needs get, update, patch and create on this Secret, which the chart's Role grants"
            }
            _ => "",
        };
        SecretError { verb, secret: self.clone(), cause: Box::new(cause), hint }
    }
}

impl Snapshot {
    /// What the plan needs to know.
    pub(super) fn stored(&self, provider: &CryptoProvider) -> Stored {
        let empty = self.object.data.get("data").and_then(Value::as_object).is_none_or(Map::is_empty);
        match &self.material {
            Some(material) => facts::read(material, provider),
            None if empty => Stored::Nothing,
            None => {
                Stored::Garbage { cause: "not all of ca.crt, ca.key, tls.crt, tls.key are there as text".to_owned() }
            }
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

fn material(object: &DynamicObject) -> Option<Material> {
    let data = object.data.get("data")?;
    let text = |key: &str| {
        let bytes = BASE64_STANDARD.decode(data.get(key)?.as_str()?).ok()?;
        String::from_utf8(bytes).ok()
    };
    let [authority, authority_key, leaf, leaf_key, next, next_key, previous, until] = KEYS.map(text);
    let next = next.zip(next_key).map(|(authority, authority_key)| Next { authority, authority_key });
    let until = until.and_then(|until| UNIX_EPOCH.checked_add(Duration::from_secs(until.parse().ok()?)));
    let previous = previous.zip(until).map(|(authority, until)| Previous { authority, until });
    Some(Material {
        authority: authority?,
        authority_key: authority_key?,
        leaf: leaf?,
        leaf_key: leaf_key?,
        next,
        previous,
    })
}

/// What there is, under its key, as `data` of a Secret has it.
fn entries(material: &Material) -> impl Iterator<Item = (String, Value)> {
    let Material { authority, authority_key, leaf, leaf_key, next, previous } = material.clone();
    let (next, next_key) = next.map(|next| (next.authority, next.authority_key)).unzip();
    let seconds = |until: SystemTime| until.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
    let (previous, until) = previous.map(|previous| (previous.authority, seconds(previous.until))).unzip();
    let values = [Some(authority), Some(authority_key), Some(leaf), Some(leaf_key), next, next_key, previous, until];
    let entry =
        |(key, value): (&str, Option<String>)| Some((key.to_owned(), Value::from(BASE64_STANDARD.encode(value?))));
    KEYS.into_iter().zip(values).filter_map(entry)
}

/// `tls.crt` and `tls.key` as in a Secret of type `kubernetes.io/tls`; `ca.crt` as cert-manager adds it. The last four
/// are there during a rotation only; `previous-ca.until` is in seconds since 1970.
const KEYS: [&str; 8] =
    ["ca.crt", "ca.key", "tls.crt", "tls.key", "next-ca.crt", "next-ca.key", "previous-ca.crt", "previous-ca.until"];
const FIELD_MANAGER: &str = "singleton-guard";
