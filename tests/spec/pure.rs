//! The first boundary: bytes into the pure core, bytes out of it.

use std::time::SystemTime;

use serde_json::Value;
use singleton_guard::api::kind::Kinds;
use singleton_guard::policy::lookup::Lookup;
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

use super::case::{Asks, Case};
use super::model::{Model, Webhook};

/// The pure core itself.
pub struct Core(pub Settings);

impl Webhook for Core {
    fn call(&self, phase: Phase, body: Vec<u8>, cluster: &Model) -> Value {
        let review = review::read(&body, Kinds::BUILT_IN).expect("a readable review");
        let decision = match evaluate(phase, review.request, &self.0, SystemTime::now()) {
            Step::Decided(decision) => decision,
            Step::Ask(lookup, pending) => pending.resume(cluster.answer(&lookup)),
        };
        serde_json::from_slice(&review::write(&review.uid, &decision)).expect("a readable answer")
    }

    fn settings(&self) -> &Settings {
        &self.0
    }
}

/// Runs a case.
pub fn run(case: &Case) -> Result<(), String> {
    run_with(case, &Core(case.settings()))
}

/// Runs a case against another webhook.
pub fn run_with(case: &Case, webhook: &dyn Webhook) -> Result<(), String> {
    let mut model = Model::new(case);
    for (index, step) in case.steps.iter().enumerate() {
        model.run(step, webhook).map_err(|error| format!("step {}: {error}", index + 1))?;
    }
    Ok(())
}

/// The question that a validating review raises.
pub fn asks(body: &[u8], settings: &Settings) -> Asks {
    let Ok(review) = review::read(body, Kinds::BUILT_IN) else { return Asks::Nothing };
    match evaluate(Phase::Validate, review.request, settings, SystemTime::now()) {
        // The mutating phase alone asks about an autoscaler.
        Step::Decided(_) | Step::Ask(Lookup::Autoscaler(_), _) => Asks::Nothing,
        Step::Ask(Lookup::Parent(_), _) => Asks::Parent,
        Step::Ask(Lookup::Owners { .. }, _) => Asks::Owners,
        Step::Ask(Lookup::Holder(_), _) => Asks::Holder,
        Step::Ask(Lookup::Target(_), _) => Asks::Target,
    }
}
