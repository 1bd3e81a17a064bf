//! Raw calls to the API server, as the cases make them: any path, any patch, any user, and all that comes back.

use anyhow::{Context as _, Result};
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use crate::spec::case::{User, api_version, plural};

/// What the API server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status code.
    pub code: u16,
    /// The object, or the `Status` of a refusal.
    pub body: Value,
    /// Its warnings.
    pub warnings: Vec<String>,
}

impl Answer {
    /// Whether the request was carried out.
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The object.
    ///
    /// # Errors
    /// The request was refused.
    pub fn success(self) -> Result<Value> {
        anyhow::ensure!(self.succeeded(), "the API server answered {}: {}", self.code, self.body);
        Ok(self.body)
    }

    /// The message of a refusal, without what the API server puts before the webhook's own.
    pub fn message(&self) -> String {
        refusal(self.body["message"].as_str().unwrap_or_default()).to_owned()
    }
}

/// Makes one call.
pub async fn call(
    client: &Client,
    method: Method,
    path: &str,
    content: Option<(&str, String)>,
    user: Option<&User>,
) -> Result<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(user) = user {
        request = request.header("Impersonate-User", &user.name);
        for group in &user.groups {
            request = request.header("Impersonate-Group", group);
        }
    }
    let body = match content {
        Some((type_, body)) => {
            request = request.header(header::CONTENT_TYPE, type_);
            body.into_bytes()
        }
        None => Vec::new(),
    };
    let response = client.send(request.body(Body::from(body))?).await.with_context(|| format!("calling {path}"))?;
    let warnings =
        response.headers().get_all(header::WARNING).iter().filter_map(|value| warning(value.to_str().ok()?)).collect();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(Answer { code, body: serde_json::from_slice(&bytes).unwrap_or_default(), warnings })
}

/// GET of whatever is there.
pub async fn read(client: &Client, path: &str) -> Result<Answer> {
    call(client, Method::GET, path, None, None).await
}

/// POST of an object.
pub async fn post(client: &Client, path: &str, object: &Value, user: Option<&User>) -> Result<Answer> {
    call(client, Method::POST, path, Some(("application/json", object.to_string())), user).await
}

/// PATCH with what a JSON merge patch says.
pub async fn merge(client: &Client, path: &str, changes: &Value, user: Option<&User>) -> Result<Answer> {
    call(client, Method::PATCH, path, Some((MERGE, changes.to_string())), user).await
}

/// DELETE without options.
pub async fn delete(client: &Client, path: &str, user: Option<&User>) -> Result<Answer> {
    call(client, Method::DELETE, path, None, user).await
}

/// GET of a collection.
pub async fn list(client: &Client, path: &str) -> Result<Vec<Value>> {
    let list = read(client, path).await?.success()?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// GET of one object; `None` where it does not exist.
pub async fn find(client: &Client, path: &str) -> Result<Option<Value>> {
    let answer = read(client, path).await?;
    if answer.code == 404 { Ok(None) } else { answer.success().map(Some) }
}

/// The same of a kind that can be a singleton.
pub async fn get(client: &Client, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>> {
    find(client, &path(kind, namespace, Some(name))).await
}

/// The path of a kind's collection, or of one object.
pub fn path(kind: &str, namespace: &str, name: Option<&str>) -> String {
    let version = api_version(kind);
    let root = if version.contains('/') { "apis" } else { "api" };
    let collection = format!("/{root}/{version}/namespaces/{namespace}/{}", plural(kind));
    name.map_or(collection.clone(), |name| format!("{collection}/{name}"))
}

/// What follows the words with which the API server reports a webhook's refusal, or a policy's.
pub fn refusal(message: &str) -> &str {
    let own = REFUSED.iter().find_map(|words| message.split_once(words).map(|(_, own)| own));
    own.unwrap_or(message)
}

/// The type of a JSON merge patch.
pub const MERGE: &str = "application/merge-patch+json";
const REFUSED: [&str; 2] = ["denied the request: ", "denied request: "];

/// The text of a `Warning` header: `299 - "text"` (RFC 7234).
fn warning(header: &str) -> Option<String> {
    serde_json::from_str(header.strip_prefix("299 - ")?).ok()
}
