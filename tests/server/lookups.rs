//! Look-ups that find no API server at the other end, and the gate in front of them. What a real API server answers is
//! in the live cases.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use singleton_guard::api::kind::{Kind, Kinds};
use singleton_guard::api::mark::MarkKey;
use singleton_guard::api::reference::ObjectRef;
use singleton_guard::cluster::{ApiServer, Cluster as _, Gate};
use singleton_guard::policy::lookup::{Found, Lookup, Owner, Parent, Unknown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::fixture::PATIENCE;

fn object(name: &str) -> ObjectRef<'_> {
    ObjectRef {
        kind: Kind::DEPLOYMENT,
        namespace: Cow::Borrowed("pay"),
        name: Cow::Borrowed(name),
        uid: Cow::Borrowed("u"),
    }
}

fn parent(name: &str) -> Parent<'_> {
    Parent { object: object(name), version: Cow::Borrowed("7") }
}

async fn ask(address: SocketAddr, gate: Gate, lookup: &Lookup<'_>, limit: Duration) -> Result<Found, Unknown> {
    let url = format!("http://{address}").parse().unwrap();
    let mut config = kube::Config::new(url);
    config.default_retry = false;
    let cluster = ApiServer::new(kube::Client::try_from(config).unwrap(), gate, Kinds::BUILT_IN);
    let mark = MarkKey::default();
    let answer = cluster.answer(lookup, &mark, Instant::now() + limit);
    timeout(PATIENCE, answer).await.expect("the deadline was missed")
}

/// Answers every request with these bytes, each on a connection of its own.
async fn speaker(status: &'static str, body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _request = stream.read(&mut [0; 4096]).await;
            let answer =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _sent = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

async fn said(status: &'static str, body: &'static str) -> Result<Found, Unknown> {
    ask(speaker(status, body).await, Gate::default(), &Lookup::Parent(parent("ledger")), PATIENCE).await
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let answer = ask(address, Gate::default(), &Lookup::Parent(parent("ledger")), PATIENCE).await;
    assert!(matches!(&answer, Err(Unknown::Unreachable(cause)) if cause.contains("refused")), "{answer:?}");
}

#[tokio::test]
async fn somebody_listens_and_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limit = Duration::from_millis(200);
    let answer = ask(listener.local_addr().unwrap(), Gate::default(), &Lookup::Parent(parent("ledger")), limit).await;
    assert!(matches!(answer, Err(Unknown::Slow(waited)) if waited <= limit), "{answer:?}");
}

#[tokio::test]
async fn somebody_else_answers() {
    for body in ["", "hello", "[]", "{}", r#"{"metadata":{"name":"ledger"}}"#] {
        let answer = said("200 OK", body).await;
        assert!(matches!(answer, Err(Unknown::Unreadable(_))), "{body}: {answer:?}");
    }
    let answer = said("503 Service Unavailable", "busy").await;
    assert!(matches!(answer, Err(Unknown::Refused { code: 503, .. })), "{answer:?}");
}

/// An owner that is gone no longer counts, so only the API server's word on this very object may make it so.
#[tokio::test]
async fn a_404_that_is_not_about_the_object_is_no_answer() {
    let elsewhere = r#"{"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":"the server could not find the requested resource","details":{}}"#;
    for body in ["404 page not found", elsewhere] {
        let owners = Lookup::Owners { before: Some(object("web")), after: None };
        let answer = ask(speaker("404 Not Found", body).await, Gate::default(), &owners, PATIENCE).await;
        assert!(matches!(answer, Err(Unknown::Refused { code: 404, .. })), "{answer:?}");
    }
    let gone = r#"{"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":"deployments.apps \"web\" not found","details":{"name":"web","group":"apps","kind":"deployments"}}"#;
    let owners = Lookup::Owners { before: Some(object("web")), after: None };
    let answer = ask(speaker("404 Not Found", gone).await, Gate::default(), &owners, PATIENCE).await;
    assert_eq!(answer, Ok(Found::Owners { before: Some(Owner::Gone), after: None }));
}

/// The name comes from a request, and requests can be forged.
#[tokio::test]
async fn a_name_that_is_none_reaches_no_path() {
    let address = speaker("200 OK", r#"{"metadata":{"uid":"u"}}"#).await;
    for name in ["", "..", "a/b", "../secrets/x", "a?b", "a%2fb", "A", "-a", "ä"] {
        let answer = ask(address, Gate::default(), &Lookup::Parent(parent(name)), PATIENCE).await;
        assert_eq!(answer, Err(Unknown::NotFound), "{name}");
    }
    let answer = ask(address, Gate::default(), &Lookup::Parent(parent("ledger.v2")), PATIENCE).await;
    assert_eq!(answer, Ok(Found::Parent { marked: false, owner: None, custom: None }));
}

#[tokio::test]
async fn the_gate_has_a_queue_and_the_queue_an_end() {
    let gate = Gate::new(1, 1);
    let now = Instant::now();
    let running = gate.enter(now + PATIENCE).await.unwrap();
    let waiting = gate.enter(now + PATIENCE);
    tokio::pin!(waiting);
    // Polled once, so that it stands in the queue.
    assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
    let third = timeout(PATIENCE / 2, gate.enter(now + PATIENCE)).await.expect("no place, and no answer");
    assert_eq!(third.err(), Some(Unknown::Busy), "the queue is full");
    drop(running);
    let running = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    let late = gate.enter(Instant::now() + Duration::from_millis(20)).await;
    assert_eq!(late.err(), Some(Unknown::Busy), "its turn did not come in time");
    drop(running);
    assert!(gate.enter(Instant::now() + PATIENCE).await.is_ok());
}
