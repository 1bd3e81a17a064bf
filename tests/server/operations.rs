//! The plain port.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use singleton_guard::server::{Readiness, operations};
use singleton_guard::telemetry::metrics::Metrics;
use tower::ServiceExt as _;

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
    for name in [
        "singleton_guard_admission_duration_seconds_bucket{le=\"0.00005\",phase=\"validate\"}",
        "singleton_guard_admission_in_flight 0",
        "singleton_guard_build_info{version=",
        "singleton_guard_certificate_expiry_timestamp_seconds 0.0",
        "singleton_guard_connections 0",
        "singleton_guard_panics_total 0",
        "singleton_guard_ready 1",
        "process_open_fds ",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "# EOF",
    ] {
        assert!(text.contains(name), "{name} is not in\n{text}");
    }
}
