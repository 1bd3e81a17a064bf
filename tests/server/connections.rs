//! Handshake, idleness and the number of connections.

use std::time::{Duration, Instant};

use rustls::ProtocolVersion;
use singleton_guard::server::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use crate::fixture::{Answers, PATIENCE, Running, scale_up};

const SHORT: Duration = Duration::from_millis(150);
/// For whoever must not be cut off: what a handshake and a review take on a busy machine is less.
const ENOUGH: Duration = Duration::from_secs(1);

#[tokio::test]
async fn only_http_1_1_is_spoken() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    for offered in [&["http/1.1"][..], &["h2", "http/1.1"]] {
        let mut client = server.connect_with(offered).await.unwrap();
        let (_, tls) = client.stream.get_ref();
        assert_eq!(tls.alpn_protocol(), Some(b"http/1.1".as_slice()));
        assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(client.review("/validate", &scale_up()).await.status, 200);
    }
    let mut client = server.connect_with(&[]).await.unwrap();
    assert_eq!(client.review("/validate", &scale_up()).await.status, 200);
    assert!(server.connect_with(&["h2"]).await.is_err());
    // The preface of HTTP/2 without an agreement on it.
    let mut client = server.connect_with(&[]).await.unwrap();
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(client.ends().await);
}

#[tokio::test]
async fn old_tls_and_none_are_not_answered() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    // The ClientHello of TLS 1.1 (RFC 4346, 7.4.1.2): a random number, no session, one cipher suite, no compression.
    let hello = [&[3, 2][..], &[7; 32], &[0, 0, 2, 0xc0, 0x13, 1, 0]].concat();
    let hello = [&[22, 3, 1, 0, 45, 1, 0, 0, 41][..], &hello].concat();
    for spoken in [hello.as_slice(), b"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"] {
        let mut client = server.tcp().await;
        client.write_all(spoken).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, client.read_to_end(&mut answer)).await.unwrap().unwrap();
        // An alert (21) that is fatal (2), and nothing else.
        assert!(answer.len() == 7 && answer[0] == 21 && answer[5] == 2, "{answer:?}");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_shake_hands_is_cut_off() {
    let server = Running::start(Answers::Marked, Limits { handshake: SHORT, ..Limits::default() }).await;
    let started = Instant::now();
    let mut silent = server.tcp().await;
    let read = timeout(PATIENCE, silent.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    assert!(started.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_peer_that_asks_nothing_is_cut_off_in_the_middle_of_its_headers_too() {
    let server = Running::start(Answers::Marked, Limits { first_request: SHORT, ..Limits::default() }).await;
    assert!(server.connect().await.ends().await);
    let mut client = server.connect().await;
    client.send(b"POST /validate HTTP/1.1\r\nhost: x\r\n").await;
    assert!(client.ends().await);
}

#[tokio::test]
async fn headers_that_do_not_end_are_not_kept() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    let mut client = server.connect().await;
    client.send(b"POST /validate HTTP/1.1\r\nx: ").await;
    client.send(&vec![b'x'; Limits::default().header_bytes]).await;
    assert_eq!(client.answer().await.status, 431);
    assert!(client.ends().await);
}

#[tokio::test]
async fn an_idle_connection_outlives_every_other_limit_and_ends_at_its_own() {
    let limits =
        Limits { handshake: ENOUGH, first_request: ENOUGH, body: ENOUGH, idle: 4 * ENOUGH, ..Limits::default() };
    let server = Running::start(Answers::Marked, limits).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        assert_eq!(client.review("/validate", &scale_up()).await.status, 200);
        sleep(ENOUGH + SHORT).await;
    }
    let asked = Instant::now();
    assert_eq!(client.review("/validate", &scale_up()).await.status, 200);
    assert!(client.ends().await);
    assert!(asked.elapsed() >= 4 * ENOUGH, "{:?}", asked.elapsed());
}

#[test]
fn by_default_the_api_server_is_the_one_who_closes_an_idle_connection() {
    assert!(Limits::default().idle > Duration::from_secs(90));
}

#[tokio::test]
async fn a_slow_answer_is_not_taken_for_an_idle_connection() {
    let limits = Limits { first_request: ENOUGH, idle: ENOUGH, body: ENOUGH, ..Limits::default() };
    let server = Running::start(Answers::Late, limits).await;
    // It is two and a half seconds late.
    let response = server.connect().await.review("/validate?timeout=3s", &scale_up()).await.response();
    assert_eq!(response["status"]["code"], 500);
}

#[tokio::test]
async fn above_the_limit_a_connection_waits_for_another_to_end() {
    let server = Running::start(Answers::Marked, Limits { connections: 1, ..Limits::default() }).await;
    let mut first = server.connect().await;
    assert_eq!(first.review("/validate", &scale_up()).await.status, 200);
    let second = async { server.connect().await.review("/validate", &scale_up()).await.status };
    tokio::pin!(second);
    assert!(timeout(SHORT, &mut second).await.is_err(), "a second connection was served beside the first");
    drop(first);
    assert_eq!(timeout(PATIENCE, second).await.unwrap(), 200);
}
