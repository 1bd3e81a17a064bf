//! The trust of the API server: `clientConfig.caBundle` of every entry in our own webhook configurations.
//!
//! Only the fields that are ours are applied, under our own field manager, so helm and the process do not undo each
//! other. Which entries there are is read, never assumed: an older replica serves a newer chart's entries, too.

use std::fmt;
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::handshake::Expected;
use crate::cluster::words;

/// Which of the two kinds of webhook configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookConfigurationKind {
    /// `ValidatingWebhookConfiguration`.
    Validating,
    /// `MutatingWebhookConfiguration`.
    Mutating,
}

/// One of our webhook configurations, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfiguration {
    /// Its kind.
    pub kind: WebhookConfigurationKind,
    /// Its name.
    pub name: String,
}

/// A configuration that trusts what it should.
pub(super) struct Trusted {
    /// Counts the changes of the entries, whoever made them.
    pub(super) generation: Option<i64>,
    /// Whether it had to be written.
    pub(super) written: bool,
    /// What it has API servers expect, as it is stored now.
    pub(super) expected: Vec<Expected>,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The API server does not do it.
    #[error("cannot {verb} {configuration}: {}{hint}", words(cause))]
    Api {
        /// What was wanted.
        verb: &'static str,
        /// Of which one.
        configuration: WebhookConfiguration,
        /// Why not.
        #[source]
        cause: Box<kube::Error>,
        /// What to do about it.
        hint: &'static str,
    },
    /// Too much time has passed.
    #[error("did not write {configuration}: what was to be trusted was read too long ago")]
    Late {
        /// Which one.
        configuration: WebhookConfiguration,
    },
}

impl WebhookConfiguration {
    /// Makes every entry trust these authorities (PEM). Says what came of it.
    ///
    /// Nothing is written after `fresh`, or over what has changed since it was read: a replica that was stopped in
    /// between would bring back a trust that others have left behind.
    pub(super) async fn trust(
        &self,
        client: &Client,
        authorities: &str,
        fresh: Instant,
    ) -> Result<Trusted, BundleError> {
        let (api, bundle) = (self.api(client), BASE64_STANDARD.encode(authorities));
        loop {
            match self.write(&api, &bundle, fresh).await {
                // Another replica was first, with the same most likely: all of them want to write at the same time.
                Err(BundleError::Api { cause, .. }) if is_conflict(&cause) => {}
                trusted => return trusted,
            }
        }
    }

    /// One attempt.
    async fn write(&self, api: &Api<DynamicObject>, bundle: &str, fresh: Instant) -> Result<Trusted, BundleError> {
        let object = api.get(&self.name).await.map_err(|cause| self.error("get", cause))?;
        let Some(webhooks) = with_bundle(&object.data, bundle) else {
            return Ok(Trusted::new(&object, false));
        };
        if Instant::now() > fresh {
            return Err(BundleError::Late { configuration: self.clone() });
        }
        let resource = self.resource();
        let patch = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": { "name": self.name, "resourceVersion": object.metadata.resource_version },
            "webhooks": webhooks,
        });
        // By force: a manager that wrote another bundle here is mistaken, it has not got our key.
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patched = api.patch(&self.name, &parameters, &Patch::Apply(&patch)).await;
        let patched = patched.map_err(|cause| self.error("patch", cause))?;
        Ok(Trusted::new(&patched, true))
    }

    /// What it has API servers expect. Nothing is written.
    pub(super) async fn expected(&self, client: &Client) -> Result<Vec<Expected>, BundleError> {
        let object = self.api(client).get(&self.name).await.map_err(|cause| self.error("get", cause))?;
        Ok(Expected::read(&object.data).collect())
    }

    pub(crate) fn api(&self, client: &Client) -> Api<DynamicObject> {
        Api::all_with(client.clone(), &self.resource())
    }

    pub(crate) fn resource(&self) -> ApiResource {
        match self.kind {
            WebhookConfigurationKind::Validating => ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
            WebhookConfigurationKind::Mutating => ApiResource::erase::<MutatingWebhookConfiguration>(&()),
        }
    }

    fn error(&self, verb: &'static str, cause: kube::Error) -> BundleError {
        let hint = match &cause {
            kube::Error::Api(status) if status.is_not_found() => "; the chart creates it, with this name",
            kube::Error::Api(status) if status.is_forbidden() => {
                "; the ServiceAccount needs get and patch on it, which the chart's ClusterRole grants"
            }
            _ => "",
        };
        BundleError::Api { verb, configuration: self.clone(), cause: Box::new(cause), hint }
    }
}

impl Trusted {
    fn new(object: &DynamicObject, written: bool) -> Self {
        Self { generation: object.metadata.generation, written, expected: Expected::read(&object.data).collect() }
    }
}

impl fmt::Display for WebhookConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            WebhookConfigurationKind::Validating => "ValidatingWebhookConfiguration",
            WebhookConfigurationKind::Mutating => "MutatingWebhookConfiguration",
        };
        write!(f, "{kind} {}", self.name)
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

/// The entries to apply, or none if each has the bundle already. All entries or none: one that is left out of an
/// apply would lose the field again.
fn with_bundle(configuration: &Value, bundle: &str) -> Option<Vec<Value>> {
    let webhooks = configuration.get("webhooks").and_then(Value::as_array)?;
    let written = |webhook: &Value| webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str) == Some(bundle);
    if webhooks.iter().all(written) {
        return None;
    }
    let entry = |webhook: &Value| json!({ "name": webhook.get("name"), "clientConfig": { "caBundle": bundle } });
    Some(webhooks.iter().map(entry).collect())
}

const FIELD_MANAGER: &str = "singleton-guard";
