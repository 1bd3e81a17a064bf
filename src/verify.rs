//! `singleton-guard verify`: proves on the cluster that refusals work, by asking for what must be refused.
//!
//! One request, always a dry run: the API server asks the webhooks and stores nothing, also where it would have let it
//! through. It goes the whole way of a user's request: conditions, Service, TLS with the stored caBundle, verdict.
//! What it does not see: another API server of the same cluster, which may learn of the configurations a moment later;
//! and, with the native floor, the webhooks, because the API server refuses before it would call them.

use std::io;
use std::time::Duration;

use http::{Request, header};
use kube::Client;
use serde_json::{Value, json};
use tokio::runtime;
use tokio::time::{Instant, sleep, timeout};

use crate::api::mark::{MarkKey, TRUE};
use crate::args::Verify;
use crate::cluster::{Clock, ConnectError, connect, words};
use crate::policy::code::Code;

/// Tries until a singleton with two replicas is refused by this guard, or the time is over.
///
/// # Errors
/// [`VerifyError`]: what the last answer was instead.
pub fn verify(arguments: &Verify) -> Result<String, VerifyError> {
    let key = MarkKey::parse(&arguments.mark_key)
        .map_err(|cause| VerifyError::MarkKey { key: arguments.mark_key.clone(), cause })?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(VerifyError::Threads)?;
    runtime.block_on(async {
        let client = connect(arguments.kubeconfig.as_deref(), &Clock::default()).await?;
        // None: for ever, as far as a clock can tell.
        let until = Instant::now().checked_add(Duration::from_secs(arguments.wait_seconds));
        loop {
            match attempt(&client, &arguments.namespace, &key).await {
                Ok(refusal) => return Ok(refusal),
                // The last answer is the one to tell: the first ones are often of a start that was not over.
                Err(error) if until.is_some_and(|until| Instant::now() + PAUSE > until) => return Err(error),
                Err(_) => sleep(PAUSE).await,
            }
        }
    })
}

/// Why refusals were not seen to work.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The operating system refuses what every program needs.
    #[error("cannot start: {0}")]
    Threads(#[source] io::Error),
    /// No API server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The label key.
    #[error("--mark-key {key}: {cause}")]
    MarkKey {
        /// As given.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Nobody refused.
    #[error(
        "nothing is guarded: a Deployment in namespace {namespace} with the label {key}=true and two replicas would \
         have been created (it was not: this was a dry run). Is the namespace exempt, or the label another one?"
    )]
    LetThrough {
        /// Where.
        namespace: String,
        /// The mark's key.
        key: String,
    },
    /// Somebody else refused, or the call of the webhook failed.
    #[error("expected {} of singleton-guard, got: {said}", EXPECTED.as_str())]
    Otherwise {
        /// What the API server answered.
        said: String,
    },
    /// No answer.
    #[error("the API server did not answer within {} s", ANSWER.as_secs())]
    Slow,
}

/// One attempt; the text of the refusal.
async fn attempt(client: &Client, namespace: &str, key: &MarkKey) -> Result<String, VerifyError> {
    let otherwise = |said: String| VerifyError::Otherwise { said };
    let request = Request::post(format!("/apis/apps/v1/namespaces/{namespace}/deployments?dryRun=All"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(singleton_with_two(key).to_string().into_bytes())
        .map_err(|error| otherwise(error.to_string()))?;
    match timeout(ANSWER, client.request::<Value>(request)).await {
        Err(_) => Err(VerifyError::Slow),
        Ok(Ok(_)) => Err(VerifyError::LetThrough { namespace: namespace.to_owned(), key: key.to_string() }),
        Ok(Err(kube::Error::Api(status))) if status.code == 403 && is_ours(&status.message) => Ok(status.message),
        Ok(Err(error)) => Err(otherwise(words(&error))),
    }
}

/// Whether the API server says that one of our webhooks refused by the rule, or the policy of the native floor, which it
/// evaluates first.
fn is_ours(message: &str) -> bool {
    let code = EXPECTED.as_str();
    message.contains(&format!(".singleton-guard.io\" denied the request: {code} "))
        || message.contains("ValidatingAdmissionPolicy '")
            && message.contains(&format!("-workload' denied request: {code} "))
}

/// A Deployment that breaks one rule and no other, and that other policies have little to say about. It has no name of
/// its own, so that there cannot be one of that name.
fn singleton_with_two(key: &MarkKey) -> Value {
    let labels = json!({"app.kubernetes.io/name": "singleton-guard-verify"});
    let marked = json!({"app.kubernetes.io/name": "singleton-guard-verify", (key.as_str()): TRUE});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"generateName": "singleton-guard-verify-", "labels": marked},
        "spec": {
            "replicas": 2,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": false,
                    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [{
                        "name": "none",
                        // A name that cannot be resolved (RFC 6761).
                        "image": "singleton-guard.invalid/none:none",
                        "resources": {
                            "requests": {"cpu": "1m", "memory": "1Mi"},
                            "limits": {"cpu": "1m", "memory": "1Mi"},
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "capabilities": {"drop": ["ALL"]},
                            "readOnlyRootFilesystem": true,
                        },
                    }],
                },
            },
        },
    })
}

const EXPECTED: Code = Code::Sg001;
const PAUSE: Duration = Duration::from_millis(500);
/// Longer than any timeout of ours in the API server, so that its own words are heard.
const ANSWER: Duration = Duration::from_secs(15);
