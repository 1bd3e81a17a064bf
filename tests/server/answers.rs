//! What a review is answered with when something is wrong with it, or with us.

use std::time::Duration;

use serde_json::json;
use singleton_guard::server::Limits;
use singleton_guard::telemetry::exposition::Exposition;

use crate::fixture::{Answers, PATIENCE, Running, head, scale, scale_up};

#[tokio::test]
async fn a_denial_comes_back_with_the_uid() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    let response = server.connect().await.review("/validate?timeout=3s", &scale_up()).await.response();
    assert_eq!(response["uid"], "705ab4f5");
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 403);
    assert!(response["status"]["message"].as_str().unwrap().starts_with("SG001 StatefulSet pay/ledger"), "{response}");
}

#[tokio::test]
async fn a_question_is_counted_with_its_time() {
    let server = Running::start(Answers::Late, Limits::default()).await;
    server.connect().await.review("/validate?timeout=1s", &scale_up()).await;
    let metrics = server.metrics.encode(true, Exposition::Text).unwrap();
    let sum = metrics.lines().find_map(|line| line.strip_prefix("singleton_guard_parent_lookup_duration_seconds_sum "));
    let sum: f64 = sum.unwrap().parse().unwrap();
    assert!((0.1..10.0).contains(&sum), "the question was waited for, but this is {sum} s");
    assert!(metrics.contains("singleton_guard_parent_lookup_duration_seconds_count 1\n"), "{metrics}");
    assert!(metrics.contains("singleton_guard_parent_lookups_total{result=\"slow\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_panic_is_answered_with_the_uid_and_counted_and_the_connection_lives_on() {
    let server = Running::start(Answers::Panic, Limits::default()).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        let response = client.review("/validate", &scale_up()).await.response();
        assert_eq!(response["uid"], "705ab4f5");
        assert_eq!(response["allowed"], false);
        assert_eq!(response["status"]["code"], 500);
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.starts_with("could not decide because of an internal error"), "{message}");
        assert!(!message.contains("a fault of ours"), "a panic's own words are for the log: {message}");
    }
    let metrics = server.metrics.encode(true, Exposition::Text).unwrap();
    assert!(metrics.contains("singleton_guard_panics_total 2\n"), "{metrics}");
    assert!(metrics.contains("singleton_guard_admission_requests_in_flight 0\n"), "{metrics}");
    assert!(metrics.contains("decision=\"undecided\""), "{metrics}");
}

#[tokio::test]
async fn our_words_come_before_the_timeout_of_the_api_server() {
    let server = Running::start(Answers::Late, Limits::default()).await;
    let response = server.connect().await.review("/validate?timeout=1s", &scale_up()).await.response();
    assert_eq!(response["allowed"], false);
    let message = response["status"]["message"].as_str().unwrap();
    // How long it was waited for, whatever a busy machine adds to it.
    let waited = message.split_once("did not answer within ").and_then(|(_, rest)| rest.split_once(" ms"));
    let waited: u64 = waited.and_then(|(number, _)| number.parse().ok()).expect(message);
    assert!((1..=800).contains(&waited), "{message}");
}

#[tokio::test]
async fn a_body_that_is_no_review_is_answered_with_its_uid_if_it_has_one() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    let mut client = server.connect().await;
    let odd =
        serde_json::to_vec(&json!({ "kind": "AdmissionReview", "request": { "uid": "1", "operation": 7 } })).unwrap();
    let response = client.review("/validate", &odd).await.response();
    assert_eq!((response["uid"].as_str(), response["allowed"].as_bool()), (Some("1"), Some(false)));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("could not decide because the AdmissionReview could not be read"), "{message}");
    // While mutating nothing is judged, so nothing is refused.
    let response = client.review("/mutate", &odd).await.response();
    assert_eq!((response["uid"].as_str(), response["allowed"].as_bool()), (Some("1"), Some(true)));
    assert_eq!(response["warnings"].as_array().unwrap().len(), 1);
    for body in [b"".as_slice(), b"{", b"[]", b"\xff\xfe"] {
        let answer = client.review("/validate", body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().starts_with("the AdmissionReview could not be read: "), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_body_of_seven_and_a_half_mebibytes_is_judged() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    let body = scale(&json!({ "note": "x".repeat(15 << 18) }));
    assert!(body.len() > 15 << 19);
    let response = server.connect().await.review("/validate", &body).await.response();
    assert_eq!(response["status"]["code"], 403);
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_in_words_that_arrive() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    // Of fifteen, more is on its way after the refusal than the kernel takes: the client must not be cut off.
    for size in [9 << 20, 15 << 20] {
        let answer = server.connect().await.review("/validate", &vec![b' '; size]).await;
        assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
        assert!(answer.text().contains("larger than 8388608 bytes"), "{}", answer.text());
    }

    let mut client = server.connect().await;
    client.send(b"POST /validate HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let mebibyte = vec![b' '; 1 << 20];
    for _ in 0..9 {
        client.send(format!("{:x}\r\n", 1 << 20).as_bytes()).await;
        client.send(&mebibyte).await;
        client.send(b"\r\n").await;
    }
    client.send(b"0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 413);
    assert!(client.ends().await);
}

#[tokio::test]
async fn large_bodies_share_a_budget_and_small_ones_do_not_wait_for_them() {
    let note = |length: usize| scale(&json!({ "note": "x".repeat(length) }));
    let server = Running::start(Answers::Marked, Limits { bodies_bytes: 1 << 20, ..Limits::default() }).await;
    let (large, other) = (note(400 << 10), note(200 << 10));
    // It announces much and sends little.
    let mut idler = server.connect().await;
    idler.send(&head("/validate", large.len())).await;
    let begun = large.len() / 2;
    let mut first = server.connect().await;
    first.send(&head("/validate", large.len())).await;
    first.send(&large[..begun]).await;

    // No room, and none in time. The first may still be on its way, so it is asked until that has come.
    let mut second = server.connect().await;
    let refused = async {
        loop {
            let answer = second.review("/validate?timeout=1s", &other).await;
            if answer.status != 200 {
                break answer;
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, refused).await.expect("there is always room");
    let headers = (answer.header("retry-after"), answer.header("connection"));
    assert_eq!((answer.status, headers), (503, (Some("1"), Some("close"))), "{}", answer.text());
    assert!(answer.text().starts_with("there is no room for a body of this size"), "{}", answer.text());
    assert_eq!(server.connect().await.review("/validate", &scale_up()).await.status, 200);

    // Room comes in time, because the first one ends.
    let mut third = server.connect().await;
    third.send(&head("/validate", other.len())).await;
    third.send(&other).await;
    first.send(&large[begun..]).await;
    assert_eq!(first.answer().await.response()["status"]["code"], 403);
    assert_eq!(third.answer().await.response()["status"]["code"], 403);
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let limits = Limits { body: Duration::from_millis(100), ..Limits::default() };
    let server = Running::start(Answers::Marked, limits).await;
    let mut client = server.connect().await;
    client.send(&head("/validate", 100)).await;
    client.send(b"{").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert!(client.ends().await);
}

#[tokio::test]
async fn what_the_api_server_never_sends_is_refused() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    let mut client = server.connect().await;
    client.send(b"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 415);
    let mut client = server.connect().await;
    client.send(b"GET /validate HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 405);
    assert_eq!(client.review("/healthz", b"").await.status, 404);
}

#[tokio::test]
async fn reviews_that_wait_for_the_cluster_do_not_hold_up_the_others() {
    let server = Running::start(Answers::Never, Limits::default()).await;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut client = server.connect().await;
        let body = scale_up();
        client.send(&head("/validate?timeout=30s", body.len())).await;
        client.send(&body).await;
        waiting.push(client);
    }
    let free = String::from_utf8(scale_up()).unwrap().replace("\"replicas\":3", "\"replicas\":0");
    let mut client = server.connect().await;
    let answer = client.review("/validate", free.as_bytes());
    let response = tokio::time::timeout(PATIENCE, answer).await.unwrap().response();
    assert_eq!(response["allowed"], true);
}
