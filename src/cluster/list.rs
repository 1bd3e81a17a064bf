//! A list, page by page and item by item: of no page more is held than the item that is being read.

use kube::Client;
use serde::de::DeserializeOwned;

use super::exchange::{self, BEGIN, Trouble};
use super::line::Object;
use super::sieve::{Keep, Part, Sieve};

/// What is asked for, of one resource in all namespaces.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The path of all objects of the resource.
    pub(crate) collection: String,
    /// The label selector, written for a URL; empty for everything.
    pub(crate) selector: String,
    /// Whether metadata is enough.
    pub(crate) metadata_only: bool,
    /// What is read of each object.
    pub(crate) keep: Keep,
}

#[derive(serde::Deserialize)]
struct Page {
    metadata: PageMetadata,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    resource_version: String,
    #[serde(default)]
    r#continue: String,
}

impl Asked {
    /// Lists all of it and answers the revision that the list shows. Without a `resourceVersion` that is not older than the
    /// request (Kubernetes API concepts, "Resource versions").
    pub(crate) async fn list<S, T>(
        &self,
        client: &Client,
        mut each: impl FnMut(Object<'_, S, T>),
    ) -> Result<String, Trouble>
    where
        S: DeserializeOwned + Default,
        T: DeserializeOwned + Default,
    {
        let keep = Keep::fields([
            ("metadata", Keep::fields([("resourceVersion", Keep::short()), ("continue", Keep::whole(CONTINUE_MAX))])),
            ("items", Keep::each(self.keep.clone())),
        ]);
        let mut token = String::new();
        loop {
            let query = format!("limit={PAGE}&continue={token}");
            let page = self.page(client, &keep, &query, |item| each(Object::read(item))).await?;
            if page.r#continue.is_empty() {
                return Ok(page.resource_version);
            }
            token = page.r#continue;
        }
    }

    /// The revision of the store at this moment: what a list of one object shows.
    pub(crate) async fn revision(&self, client: &Client) -> Result<String, Trouble> {
        let keep = Keep::fields([("metadata", Keep::fields([("resourceVersion", Keep::short())]))]);
        let any = Self { selector: String::new(), metadata_only: true, ..self.clone() };
        Ok(any.page(client, &keep, "limit=1", |_| ()).await?.resource_version)
    }

    async fn page(
        &self,
        client: &Client,
        keep: &Keep,
        query: &str,
        mut each: impl FnMut(&[u8]),
    ) -> Result<PageMetadata, Trouble> {
        let path = format!("{}?labelSelector={}&{query}", self.collection, self.selector);
        let accept = if self.metadata_only { METADATA_LIST } else { "application/json" };
        let mut body = exchange::get(client, &path, accept).await?.into_body();
        let (mut sieve, mut page) = (Sieve::new(keep), None);
        exchange::pieces(&mut body, BEGIN, |piece| {
            sieve.push(piece, |part| {
                match part {
                    Part::Item(item) => each(item),
                    Part::Value(value) => page = serde_json::from_slice::<Page>(value).ok(),
                }
                Ok(())
            })
        })
        .await?;
        page.map(|page| page.metadata).ok_or(Trouble::Cut)
    }
}

/// What is watched has the type of one; what is listed has the type of many.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// As many as kubectl and client-go ask for.
const PAGE: usize = 500;
/// The token holds a key of etcd, which holds a namespace and a name.
const CONTINUE_MAX: usize = 4_096;
