//! What the list is read from and written to: our webhook configurations, and the marked workloads as the API server's own
//! store has them at this moment.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use kube::Client;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::json;

use super::plan::{Selection, listed};
use super::{FIELD_MANAGER, selectors};
use crate::api::kind::Kinds;
use crate::api::mark::MarkKey;
use crate::certs::WebhookConfiguration;
use crate::cluster::line::Object;
use crate::cluster::list::Asked;
use crate::cluster::seen::Meta;
use crate::cluster::sieve::Keep;
use crate::cluster::{exchange, words};

/// A configuration with entries that are called by namespace.
pub(super) struct Read {
    pub(super) configuration: WebhookConfiguration,
    pub(super) object: DynamicObject,
    pub(super) selection: Selection,
}

/// The namespaces that hold a marked workload at this moment, from the store itself.
pub(super) async fn holding(client: &Client, mark: &MarkKey, kinds: Kinds) -> Result<BTreeSet<String>, Trouble> {
    let mut namespaces = BTreeSet::new();
    for kind in kinds.iter() {
        let asked = Asked {
            collection: kind.info().collection(),
            selector: mark.to_string(),
            metadata_only: true,
            keep: Keep::fields([("metadata", Meta::keep([]))]),
        };
        let listed = asked.list(client, |object: Object<'_>| {
            namespaces.insert(object.into_metadata().namespace.into_owned());
        });
        match listed.await {
            // There is none of a kind that the cluster does not serve.
            Err(trouble) if kind.info().custom.is_some() && trouble.is_not_found() => {}
            listed => drop(listed.map_err(Trouble::List)?),
        }
    }
    Ok(namespaces)
}

/// The configurations that matter, and whether all could be read: one that cannot must not keep the others that
/// refuse from learning of a namespace. Whoever refuses in the namespaces of the list comes first: it is the first
/// to know of one, and the last to forget it.
pub(super) async fn read_all(
    client: &Client,
    configurations: &[WebhookConfiguration],
) -> (Vec<Read>, Result<(), Trouble>) {
    let get = async |configuration: &WebhookConfiguration| configuration.api(client).get(&configuration.name).await;
    // Together: a new namespace is to be listed soon.
    let objects = join_all(configurations.iter().map(get)).await;
    let (mut read, mut whole) = (Vec::new(), Ok(()));
    for (configuration, object) in configurations.iter().zip(objects) {
        match object {
            Ok(object) => {
                if let Some(selection) = selectors::selection(&object.data) {
                    read.push(Read { configuration: configuration.clone(), object, selection });
                }
            }
            Err(cause) => whole = whole.and(Err(Trouble::api("get", configuration, &cause))),
        }
    }
    read.sort_by_key(|read| !selectors::refuses_in_listed(&read.object.data));
    (read, whole)
}

impl Read {
    /// Writes another selection than the stored one.
    pub(super) async fn write(&mut self, client: &Client, selection: &Selection) -> Result<(), Trouble> {
        let Self { configuration, object, .. } = &*self;
        let resource = configuration.resource();
        let patch = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": { "name": configuration.name, "resourceVersion": object.metadata.resource_version },
            "webhooks": selectors::written(&object.data, selection),
        });
        // By force: a manager that wrote another selector here does not know where the singletons are.
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let api = configuration.api(client);
        let written = api.patch(&configuration.name, &parameters, &Patch::Apply(&patch)).await;
        let written = written.map_err(|cause| match &cause {
            kube::Error::Api(status) if status.is_conflict() => Trouble::Overtaken,
            _ => Trouble::api("patch", configuration, &cause),
        })?;
        let namespaces = listed([selection]).len();
        tracing::info!(configuration = %self.configuration, namespaces, "wrote namespaceSelector");
        self.object = written;
        self.selection = selection.clone();
        Ok(())
    }
}

/// What went wrong; for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// A configuration cannot be read or written.
    #[error("cannot {verb} {configuration}: {cause}")]
    Api { verb: &'static str, configuration: String, cause: String },
    /// The store cannot be asked.
    #[error("cannot list marked workloads: {0}")]
    List(exchange::Trouble),
    /// The configuration has changed since it was read.
    #[error("another replica was faster")]
    Overtaken,
    /// The store knows of a namespace that the watches have not told of, or an entry has not got its caBundle yet.
    #[error("the watches are behind")]
    Behind,
    /// No answer.
    #[error("the API server did not answer within {} s", LOOK.as_secs())]
    Slow,
}

impl Trouble {
    fn api(verb: &'static str, configuration: &WebhookConfiguration, cause: &kube::Error) -> Self {
        Self::Api { verb, configuration: configuration.to_string(), cause: words(cause) }
    }
}

/// How long the API server is given for all of it.
pub(super) const LOOK: Duration = Duration::from_secs(10);
