//! Not ready, draining, stopping.

use std::sync::Arc;
use std::time::{Duration, Instant};

use singleton_guard::server::Limits;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::fixture::{Answers, PATIENCE, Running, head, scale_up};

#[tokio::test]
async fn before_it_is_ready_a_call_is_to_be_repeated_elsewhere() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    let condition = server.readiness.require("certificate");
    let mut client = server.connect().await;
    let answer = client.review("/validate", &scale_up()).await;
    assert_eq!(
        (answer.status, answer.header("retry-after"), answer.header("connection")),
        (503, Some("1"), Some("close"))
    );
    assert!(client.ends().await);
    condition.meet();
    assert_eq!(server.connect().await.review("/validate", &scale_up()).await.status, 200);
}

#[tokio::test]
async fn a_drain_answers_truly_and_asks_to_close() {
    let server = Running::start(Answers::Marked, Limits::default()).await;
    let mut old = server.connect().await;
    let before = old.review("/validate", &scale_up()).await;
    assert_eq!(before.header("connection"), None);
    server.readiness.drain();
    assert!(!server.readiness.is_ready());
    let mut new = server.connect().await;
    for client in [&mut old, &mut new] {
        let answer = client.review("/validate", &scale_up()).await;
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.response()["status"]["code"], 403);
        assert!(client.ends().await);
    }
}

#[tokio::test]
async fn the_end_waits_for_the_answer_under_way() {
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = Running::start(Answers::When(Arc::clone(&asked), Arc::clone(&answer)), Limits::default()).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    let body = scale_up();
    busy.send(&head("/validate", body.len())).await;
    busy.send(&body).await;
    asked.notified().await;

    server.readiness.drain();
    server.stop.send(()).unwrap();
    assert!(idle.ends().await, "an idle connection is closed at once");
    assert!(!server.task.is_finished());
    answer.notify_one();
    assert_eq!(busy.answer().await.response()["status"]["code"], 403);
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let finish = Duration::from_millis(200);
    let asked = Arc::new(Notify::new());
    let answers = Answers::When(Arc::clone(&asked), Arc::new(Notify::new()));
    let server = Running::start(answers, Limits { finish, ..Limits::default() }).await;
    let mut client = server.connect().await;
    let body = scale_up();
    client.send(&head("/validate?timeout=30s", body.len())).await;
    client.send(&body).await;
    asked.notified().await;
    let stopped = Instant::now();
    server.stop.send(()).unwrap();
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
    assert!(stopped.elapsed() >= finish);
}
