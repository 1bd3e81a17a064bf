//! The attacker: a user with the ClusterRole `edit` in one namespace, and with nothing else.

use anyhow::{Context as _, Result, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use serde_json::{Value, json};

use crate::common::api::MERGE;
use crate::common::api::{self, Answer};
use crate::common::eventually;
use crate::common::place::Place;
use crate::lab::Lab;
use crate::spec::case::User;

/// She, in a namespace of her own.
pub struct Eve<'a> {
    place: Place<'a>,
    user: User,
}

impl<'a> Eve<'a> {
    /// Makes the namespace, and waits until she may write in it.
    pub async fn new(lab: &'a Lab) -> Result<Self> {
        let place = Place::new(lab).await?;
        let binding = ["create", "rolebinding", "eve", "--clusterrole=edit", "--user=eve", "-n", &place.namespace];
        lab.kubectl(&binding).await?.success()?;
        let eve = Self { place, user: User { name: "eve".to_owned(), groups: Vec::new() } };
        let path = eve.place.path("Service", None);
        eventually("eve's rights", || async {
            Ok(api::call(&lab.client(), Method::GET, &path, None, Some(&eve.user)).await?.succeeded().then_some(()))
        })
        .await?;
        let nodes = api::call(&lab.client(), Method::GET, "/api/v1/nodes", None, Some(&eve.user)).await?;
        anyhow::ensure!(nodes.code == 403, "eve may do more than she is meant to: {nodes:?}");
        Ok(eve)
    }

    /// Creates an object. It is sent as it is: kubectl would escape `<` itself, and the request would be too large. On a busy
    /// machine a large review takes longer than the webhook has, and she tries again.
    pub async fn create(&self, object: &Value) -> Result<()> {
        let kind = object["kind"].as_str().unwrap_or_default();
        let path = format!("{}?fieldManager=eve-writes", self.place.path(kind, None));
        let mut answer = self.call(Method::POST, &path, ("application/json", object.to_string())).await?;
        for _ in 0..TRIES {
            if !answer.message().contains("deadline exceeded") {
                break;
            }
            answer = self.call(Method::POST, &path, ("application/json", object.to_string())).await?;
        }
        answer.success().map(drop).with_context(|| format!("{kind} {}", object["metadata"]["name"]))
    }

    /// Creates a ConfigMap, and says its uid.
    pub async fn create_map(&self, map: &Value) -> Result<Value> {
        let path = format!("/api/v1/namespaces/{}/configmaps", self.place.namespace);
        let made = self.call(Method::POST, &path, ("application/json", map.to_string())).await?.success()?;
        Ok(made["metadata"]["uid"].clone())
    }

    /// Reads an object, lets it be changed, and writes it back as another manager: what that has written is dated anew.
    /// Says what is stored then, as text: not every parser reads it.
    pub async fn replace(&self, kind: &str, name: &str, change: impl Fn(&mut Value)) -> Result<String> {
        let path = self.place.path(kind, Some(name));
        for _ in 0..CONFLICTS {
            let mut object =
                api::call(&self.place.lab.client(), Method::GET, &path, None, Some(&self.user)).await?.success()?;
            change(&mut object);
            let put = format!("{path}?fieldManager=eve-spoils");
            let answer = self.call(Method::PUT, &put, ("application/json", object.to_string())).await?;
            if answer.code != 409 {
                answer.success()?;
                return Ok(self.place.lab.client().request_text(http::Request::get(&path).body(Vec::new())?).await?);
            }
        }
        bail!("{CONFLICTS} conflicts in a row on {path}")
    }

    /// Merges into an object, as a manager of its own, so that what the others are said to have written stays.
    pub async fn patch(&self, kind: &str, name: &str, body: &Value) -> Result<Answer> {
        let path = format!("{}?fieldManager=eve-churns", self.place.path(kind, Some(name)));
        self.call(Method::PATCH, &path, (MERGE, body.to_string())).await
    }

    /// Merges a label that always changes.
    pub async fn touch(&self, kind: &str, name: &str, round: usize) -> Result<()> {
        let body = json!({"metadata": {"labels": {"round": round.to_string()}}});
        self.patch(kind, name, &body).await?.success().map(drop)
    }

    /// Creates many.
    pub async fn create_all(&self, objects: impl Iterator<Item = Value>) -> Result<()> {
        self.in_parallel(objects, async |object| self.create(&object).await).await
    }

    /// Does many things.
    pub async fn in_parallel<T>(
        &self,
        things: impl Iterator<Item = T>,
        work: impl AsyncFn(T) -> Result<()>,
    ) -> Result<()> {
        let work = &work;
        let done = stream::iter(things).map(|thing| async move { work(thing).await });
        done.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Her namespace.
    pub fn place(&self) -> &Place<'a> {
        &self.place
    }

    /// Takes all of it away, and waits until it is gone.
    pub async fn leave(self) -> Result<()> {
        let Place { lab, namespace } = self.place;
        lab.kubectl(&["delete", "namespace", &namespace, "--wait", "--timeout=180s"]).await?.success().map(drop)
    }

    async fn call(&self, method: Method, path: &str, content: (&str, String)) -> Result<Answer> {
        api::call(&self.place.lab.client(), method, path, Some(content), Some(&self.user)).await
    }
}

const CONFLICTS: usize = 20;
const TRIES: usize = 5;
/// She does not need to be patient.
const AT_ONCE: usize = 8;
