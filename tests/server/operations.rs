//! The plain port.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use http::{HeaderValue, Request, header};
use http_body_util::BodyExt as _;
use singleton_guard::server::{Readiness, operations};
use singleton_guard::telemetry::exposition::Exposition;
use singleton_guard::telemetry::metrics::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::fixture::{LOOPBACK, PATIENCE};

async fn get(readiness: &Readiness, path: &str) -> (u16, String) {
    let router = operations::router(readiness.clone(), Metrics::new());
    let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn readyz_names_what_is_missing_one_per_line() {
    let readiness = Readiness::default();
    let (certificate, watch) = (readiness.require("certificate"), readiness.require("watch"));
    certificate.withdraw("Secret guard/pair was not found");
    let expected = "certificate: Secret guard/pair was not found\nwatch: not started yet\n";
    assert_eq!(get(&readiness, "/readyz").await, (503, expected.to_owned()));
    certificate.meet();
    assert_eq!(get(&readiness, "/readyz").await, (503, "watch: not started yet\n".to_owned()));
    watch.meet();
    assert_eq!(get(&readiness, "/readyz").await, (200, "ok\n".to_owned()));
    watch.withdraw("too old");
    assert_eq!(get(&readiness, "/readyz").await, (503, "watch: too old\n".to_owned()));
    watch.meet();
    readiness.drain();
    assert_eq!(get(&readiness, "/readyz").await, (503, "drain: shutting down\n".to_owned()));
}

#[tokio::test]
async fn a_condition_that_was_given_up_stays_missing() {
    let readiness = Readiness::default();
    drop(readiness.require("certificate"));
    assert!(!readiness.is_ready());
}

#[tokio::test]
async fn it_is_alive_while_it_is_not_ready() {
    let readiness = Readiness::default();
    let _condition = readiness.require("certificate");
    assert_eq!(get(&readiness, "/livez").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn the_metrics_have_their_names() {
    let (status, text) = get(&Readiness::default(), "/metrics").await;
    assert_eq!(status, 200);
    let revision = option_env!("SINGLETON_GUARD_REVISION").unwrap_or_default();
    let build = format!("build_info{{version=\"{}\",revision=\"{revision}\",rustc=\"1.", env!("CARGO_PKG_VERSION"));
    for name in [
        "singleton_guard_admission_duration_seconds_bucket{le=\"0.00005\",phase=\"validate\"}",
        "singleton_guard_admission_duration_seconds_bucket{le=\"10.0\",phase=\"validate\"}",
        "# TYPE singleton_guard_panics_total counter\n",
        "singleton_guard_admission_requests_in_flight 0",
        &build,
        "singleton_guard_connections_open 0",
        "singleton_guard_panics_total 0",
        "singleton_guard_parent_lookup_duration_seconds_bucket{le=\"10.0\"} 0",
        "singleton_guard_ready 1",
        "process_open_fds ",
        "process_max_fds ",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_virtual_memory_bytes ",
    ] {
        assert!(text.contains(name), "{name} is not in\n{text}");
    }
    for name in ["certificate_expiry_timestamp_seconds", "# EOF", "# UNIT", "_total_total"] {
        assert!(!text.contains(name), "{name} is in\n{text}");
    }
    let started = text.lines().find_map(|line| line.strip_prefix("process_start_time_seconds ")?.parse::<f64>().ok());
    let ago = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() - started.unwrap();
    assert!((-1.0..3600.0).contains(&ago), "this process was started {ago} s ago");
}

#[tokio::test]
async fn the_metrics_come_in_the_form_that_is_asked_for() {
    use Exposition::{OpenMetrics, Text};
    // As versions 2.42 and 3.5 of Prometheus ask for what they read best.
    let before = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                  text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let since = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    for (accept, form) in [
        (&[][..], Text),
        (&["*/*"], Text),
        (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Text),
        (&[before], OpenMetrics),
        (&[since], OpenMetrics),
        (&["text/plain;version=0.0.4"], Text),
        (&["application/openmetrics-text"], OpenMetrics),
        (&["Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.3, */*;q=0.2"], OpenMetrics),
        (&["application/openmetrics-text, */*"], OpenMetrics),
        (&["text/plain;q=0.2", "application/openmetrics-text;q=0.4"], OpenMetrics),
        (&["application/openmetrics-text;q=0.4,text/plain"], Text),
        (&["application/openmetrics-text;version=0.0.1"], Text),
        (&["application/openmetrics-text;q=0"], Text),
        (&["application/openmetrics-text;q=nan", "application/openmetrics-text;q=2"], Text),
        (&["application/openmetrics-text;q=\u{e9}"], Text),
        (&[";;,,=;q"], Text),
    ] {
        let values = accept.iter().map(|value| (header::ACCEPT, HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        let mut request = Request::get("/metrics").body(Body::empty()).unwrap();
        for (name, value) in values {
            request.headers_mut().append(name, value);
        }
        let response = operations::router(Readiness::default(), Metrics::new()).oneshot(request).await.unwrap();
        let said = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            (said.as_str(), body.ends_with(b"# EOF\n")),
            (form.content_type(), form == OpenMetrics),
            "{accept:?}"
        );
    }
}

/// The real port.
fn served() -> std::net::SocketAddr {
    let listener = operations::listen(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(operations::serve(listener, operations::router(Readiness::default(), Metrics::new())));
    address
}

async fn probe(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn the_connection_that_has_been_silent_for_longest_gives_way() {
    // Both ends of a connection are of this process.
    assert!(rlimit::increase_nofile_limit(8_192).unwrap() >= 8_192);
    let address = served();
    let started = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..2_100 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(probe(&mut TcpStream::connect(address).await.unwrap()).await.starts_with("HTTP/1.1 200"));
    // Whoever has come last is still welcome, unless this machine was slow.
    let mut last = silent.pop().unwrap();
    assert!(started.elapsed() > Duration::from_millis(900) || probe(&mut last).await.starts_with("HTTP/1.1 200"));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}: others were waited for", started.elapsed());
    let first = timeout(PATIENCE, silent[0].read(&mut [0; 16])).await.unwrap();
    assert!(matches!(first, Ok(0) | Err(_)), "{first:?}");
}

#[tokio::test]
async fn headers_that_come_byte_by_byte_are_not_waited_for() {
    let address = served();
    for first in [&b""[..], b"GET /livez HTTP/1.1\r\nx: "] {
        let started = Instant::now();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(first).await.unwrap();
        while slow.write_all(b"G").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
        let took = started.elapsed();
        assert!(Duration::from_millis(900) < took && took < Duration::from_secs(5), "{took:?}");
    }
}
