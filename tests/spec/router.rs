//! The second boundary: HTTP requests into the router that the process serves, without a socket.

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use singleton_guard::api::mark::MarkKey;
use singleton_guard::cluster::Cluster;
use singleton_guard::policy::lookup::{Found, Lookup, Unknown};
use singleton_guard::policy::request::Phase;
use singleton_guard::server::{Handler, Limits, Readiness, router};
use singleton_guard::settings::Settings;
use singleton_guard::telemetry::metrics::Metrics;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::case::Case;
use super::model::{Model, Webhook};
use super::pure;

/// Runs a case.
pub fn run(case: &Case) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    pure::run_with(case, &Served { runtime, settings: case.settings() })
}

struct Served {
    runtime: tokio::runtime::Runtime,
    settings: Settings,
}

impl Webhook for Served {
    fn call(&self, phase: Phase, body: Vec<u8>, cluster: &Model) -> Value {
        let guard = Handler::new(self.settings.clone(), Asked(cluster.clone()), Metrics::new());
        let router = router(guard, Readiness::default(), Limits::default());
        let path = match phase {
            Phase::Mutate => "/mutate?timeout=1s",
            Phase::Validate => "/validate?timeout=3s",
        };
        let request =
            Request::post(path).header("content-type", "application/json").body(Body::from(body)).expect("a request");
        self.runtime.block_on(async {
            let response = router.oneshot(request).await.expect("the router never fails");
            assert_eq!(response.status(), StatusCode::OK);
            let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
            serde_json::from_slice(&bytes).expect("an answer is JSON")
        })
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// The model answers what the API server would.
struct Asked(Model);

impl Cluster for Asked {
    async fn answer(&self, lookup: &Lookup<'_>, _: &MarkKey, _: Instant) -> Result<Found, Unknown> {
        self.0.answer(lookup)
    }
}
