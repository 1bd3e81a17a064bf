//! The one Secret that all replicas share: read it, and write it only in the state in which it was read.
//!
//! The chart creates it empty, so that `get` and `update` on this one name are all the rights that are needed.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::{Api, Client};
use rustls::crypto::CryptoProvider;
use serde_json::{Map, Value};

use super::authority::Material;
use super::facts;
use super::plan::Stored;
use crate::cluster::words;

/// Which Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// Its namespace: ours.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The Secret as it was read. Everything in it that is not ours goes back as it came.
#[derive(Debug)]
pub(super) struct Snapshot {
    object: DynamicObject,
    /// The four values, if all of them are there and are text.
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
    /// Reads it.
    pub(super) async fn read(&self, client: &Client) -> Result<Snapshot, SecretError> {
        let object = self.api(client).get(&self.name).await.map_err(|cause| self.error("get", cause))?;
        Ok(Snapshot { material: material(&object), object })
    }

    /// Puts the material into it. The object carries the `resourceVersion` that was read, so the API server refuses
    /// the write if the Secret has changed since.
    pub(super) async fn write(
        &self,
        client: &Client,
        snapshot: Snapshot,
        material: &Material,
    ) -> Result<Written, SecretError> {
        let mut object = snapshot.object;
        let entry = |(key, value): (&str, &String)| (key.to_owned(), Value::from(BASE64_STANDARD.encode(value)));
        let ours = entries(material).map(entry);
        if let Value::Object(fields) = &mut object.data {
            match fields.entry("data").or_insert_with(|| Value::Object(Map::new())) {
                Value::Object(data) => data.extend(ours),
                other => *other = Value::Object(ours.into_iter().collect()),
            }
        }
        match self.api(client).replace(&self.name, &PostParams::default(), &object).await {
            Ok(_) => Ok(Written::Stored),
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(Written::Conflict),
            Err(cause) => Err(self.error("update", cause)),
        }
    }

    fn api(&self, client: &Client) -> Api<DynamicObject> {
        Api::namespaced_with(client.clone(), &self.namespace, &ApiResource::erase::<Secret>(&()))
    }

    fn error(&self, verb: &'static str, cause: kube::Error) -> SecretError {
        let hint = match &cause {
            kube::Error::Api(status) if status.is_not_found() => "; the chart creates it empty, with this name",
            kube::Error::Api(status) if status.is_forbidden() => {
                "; the ServiceAccount needs get and update on this Secret, which the chart's Role grants"
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
            None => Stored::Garbage { cause: format!("not all of {} are there as text", KEYS.join(", ")) },
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
    let [authority, authority_key, leaf, leaf_key] = KEYS.map(text);
    Some(Material { authority: authority?, authority_key: authority_key?, leaf: leaf?, leaf_key: leaf_key? })
}

fn entries(material: &Material) -> [(&'static str, &String); 4] {
    let Material { authority, authority_key, leaf, leaf_key } = material;
    let [ca, ca_key, crt, key] = KEYS;
    [(ca, authority), (ca_key, authority_key), (crt, leaf), (key, leaf_key)]
}

/// `tls.crt` and `tls.key` as in a Secret of type `kubernetes.io/tls`; `ca.crt` as cert-manager adds it.
const KEYS: [&str; 4] = ["ca.crt", "ca.key", "tls.crt", "tls.key"];
