//! Reviews that no API server sends, made to cost as much as they can. Each asks to scale a singleton up, or for what
//! leads to it.

use std::fmt::Write as _;

use serde_json::json;

/// All of them, each of about so many bytes.
pub(crate) fn forged(size: usize) -> Vec<String> {
    let many = |piece: &str, room: usize| vec![piece; room / (piece.len() + 1)].join(",");
    let numbered = |before: &str, after: &str| {
        let mut text = String::new();
        for number in 0.. {
            if text.len() > size {
                break;
            }
            let _ = write!(text, "{}{before}{number:x}{after}", if number == 0 { "" } else { "," });
        }
        text
    };
    let labels = format!(r#""labels":{{"singleton-guard.io/singleton":"true",{}}}"#, numbered("\"", "\":\"\""));
    let owners =
        format!(r#""labels":{{"singleton-guard.io/singleton":"true"}},"ownerReferences":[{}]"#, many("{}", size));
    let template = |first: &str| format!(r#","template":[{first},{}]"#, many("0", size / 2));
    let selector = format!(r#","selector":{{"matchExpressions":[{}]}}"#, numbered("{\"key\":\"", "\"}"));
    let deep = format!(r#","template":{}{}"#, "[".repeat(size / 2), "]".repeat(size / 2));
    vec![
        review("statefulsets", &labels, "", "", "alice", ""),
        review("replicasets", &owners, "", "", "alice", ""),
        review("deployments", MARKED, &template("1"), &template("2"), "alice", ""),
        review("replicationcontrollers", MARKED, &selector, "", "alice", ""),
        review("statefulsets", MARKED, &deep, "", "alice", ""),
        review("statefulsets", MARKED, "", "", "alice", &many("\"\"", size)),
        review("statefulsets", MARKED, "", "", &"a".repeat(size), ""),
        review(
            "statefulsets",
            &format!(r#"{MARKED},"annotations":{{"x":"{}"}}"#, "\\n".repeat(size / 2)),
            "",
            "",
            "",
            "",
        ),
        "{\"kind\":\"AdmissionReview\",\"request\":".repeat(size / 40),
    ]
}

fn review(resource: &str, metadata: &str, new: &str, old: &str, user: &str, groups: &str) -> String {
    let object = |replicas: u32, more: &str| {
        format!(
            r#"{{"metadata":{{"name":"ledger","namespace":"pay",{metadata}}},"spec":{{"replicas":{replicas}{more}}}}}"#
        )
    };
    // The large part once, or there would be room for half of it.
    let (object, old_object) = (object(3, new), object(1, old).replace(metadata, MARKED));
    let resource =
        json!({ "group": if resource == "replicationcontrollers" { "" } else { "apps" }, "resource": resource });
    format!(
        r#"{{"kind":"AdmissionReview","request":{{"uid":"u","resource":{resource},"namespace":"pay","name":"ledger","operation":"UPDATE","userInfo":{{"username":"{user}","groups":[{groups}]}},"object":{object},"oldObject":{old_object}}}}}"#
    )
}

const MARKED: &str = r#""labels":{"singleton-guard.io/singleton":"true"}"#;
