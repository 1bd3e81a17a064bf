//! Writing the answer. It cannot be built without a uid, and a validating answer never carries a patch: both would
//! make the API server take the call as failed.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::policy::decision::{Decision, Verdict};
use crate::policy::denial::{Broken, Denial};

/// The whole `AdmissionReview` that answers the review of this uid.
///
/// Follows `AdmissionResponse` and `Status`: code 403 and reason `Forbidden` for a verdict, code 500 and reason
/// `InternalError` for "could not decide". Never 409, on which `kubectl scale` hangs, and never 429.
///
/// ```
/// # use singleton_guard::{policy::decision::Decision, review::write};
/// let answer: serde_json::Value = serde_json::from_slice(&write("1", &Decision::ALLOWED))?;
/// assert_eq!(answer["response"]["uid"], "1");
/// assert_eq!(answer["response"]["allowed"], true);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn write(uid: &str, decision: &Decision) -> Vec<u8> {
    let patch = match decision.verdict() {
        Verdict::Completed(patch) => serde_json::to_vec(patch).ok().map(|json| BASE64_STANDARD.encode(json)),
        _ => None,
    };
    let review = AdmissionReview {
        api_version: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: AdmissionResponse {
            uid,
            allowed: decision.allowed(),
            status: status(decision),
            patch_type: patch.is_some().then_some("JSONPatch"),
            patch,
            warnings: decision.warnings(),
            audit_annotations: decision.annotations().into_iter().collect(),
        },
    };
    let mut bytes = Vec::with_capacity(USUAL);
    // Strings, numbers and booleans only: nothing in it can fail to serialise.
    if serde_json::to_writer(&mut bytes, &review).is_err() {
        bytes.clear();
    }
    bytes
}

fn status(decision: &Decision) -> Option<Status<'_>> {
    let message = decision.message().filter(|_| !decision.allowed())?;
    Some(match decision.verdict() {
        Verdict::Denied(denial) => {
            Status { outcome: "Failure", message, reason: "Forbidden", code: 403, details: Some(details(denial)) }
        }
        _ => Status { outcome: "Failure", message, reason: "InternalError", code: 500, details: None },
    })
}

fn details(denial: &Denial) -> StatusDetails<'_> {
    let causes = denial.broken().map(|Broken { violation, line }| StatusCause {
        reason: violation.code().as_str(),
        message: line,
        field: denial.field(violation),
    });
    StatusDetails {
        name: &denial.subject.name,
        group: denial.subject.group,
        kind: denial.subject.kind,
        uid: &denial.subject.uid,
        causes: causes.collect(),
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionReview<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: AdmissionResponse<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionResponse<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    /// The API server stores each as `<name of the webhook>/<key>`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
}

#[derive(serde::Serialize)]
struct Status<'a> {
    #[serde(rename = "status")]
    outcome: &'static str,
    message: &'a str,
    reason: &'static str,
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<StatusDetails<'a>>,
}

#[derive(serde::Serialize)]
struct StatusDetails<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    uid: &'a str,
    causes: Vec<StatusCause<'a>>,
}

#[derive(serde::Serialize)]
struct StatusCause<'a> {
    reason: &'static str,
    message: &'a str,
    field: String,
}

/// A refusal with its causes has some 800 bytes: it is written without growing.
const USUAL: usize = 1024;
