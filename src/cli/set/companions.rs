//! What the guard will say about the Service and the budget of a singleton, planned as it plans them in a cluster, from the
//! Services and budgets of the set. Only what somebody has to do something about is said. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::singleton::{Singleton, at_pointer, beside, said};
use super::topic::Topic;
use crate::cli::finding::{At, Finding, Spot, Subject};
use crate::cli::manifest::Manifest;
use crate::cli::yaml::Node;
use crate::companions::plan::selector::{Labels, Selector};
use crate::companions::plan::{BudgetSpec, Companion, Existing, ServiceSpec, Surroundings, Why, lets_none_go, plan};
use crate::settings::Settings;

/// The Services and budgets of a set, by namespace.
#[derive(Debug, Default)]
pub(super) struct Around {
    services: BTreeMap<String, Vec<Seen<ServiceSpec>>>,
    budgets: BTreeMap<String, Vec<Seen<BudgetSpec>>>,
}

#[derive(Debug)]
struct Seen<S> {
    existing: Existing<S>,
    subject: Subject,
    spot: Spot,
}

impl Around {
    pub(super) fn add(&mut self, at: &At<'_, '_>, manifest: &Manifest<'_, '_>) {
        let spec = || manifest.node.get("spec").map(Node::json).unwrap_or_default();
        match (manifest.group.as_str(), manifest.kind.as_ref()) {
            ("", "Service") => {
                let spec = spec();
                let selector = match at_pointer(&spec, "/selector") {
                    Value::Null => Some(Labels::new()),
                    selector => serde_json::from_value(selector.clone()).ok(),
                };
                let is_headless = at_pointer(&spec, "/clusterIP") == "None";
                let spec = ServiceSpec { is_headless, selector, ..ServiceSpec::default() };
                self.services.entry(manifest.namespace.to_string()).or_default().push(seen(
                    at,
                    manifest,
                    "spec.clusterIP",
                    spec,
                ));
            }
            ("policy", "PodDisruptionBudget") => {
                let spec = spec();
                let selector: Option<Selector> = serde_json::from_value(at_pointer(&spec, "/selector").clone()).ok();
                let lets_none_go = lets_none_go(bound(&spec, "/minAvailable"), bound(&spec, "/maxUnavailable"), 1);
                let field =
                    if bound(&spec, "/maxUnavailable").is_none() { "spec.minAvailable" } else { "spec.maxUnavailable" };
                let spec = BudgetSpec { selector, lets_none_go, ..BudgetSpec::default() };
                self.budgets.entry(manifest.namespace.to_string()).or_default().push(seen(at, manifest, field, spec));
            }
            _ => {}
        }
    }

    pub(super) fn findings(&self, singletons: &[Singleton], settings: &Settings) -> Vec<Finding> {
        if !settings.companions.enabled {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for singleton in singletons {
            let Some(workload) = &singleton.workload else { continue };
            let namespace = &singleton.subject.namespace;
            let (services, budgets) = (of(&self.services, namespace), of(&self.budgets, namespace));
            let around = Surroundings {
                // Who comes first by name among singletons decides about names of ours, which are in no manifest.
                workloads: vec![workload],
                services: services.iter().map(|seen| &seen.existing).collect(),
                budgets: budgets.iter().map(|seen| &seen.existing).collect(),
                keys_hold: settings.holds_keys(namespace),
                deleted: Vec::new(),
            };
            for (companion, why) in plan(workload, &around, &settings.companions, settled()).skipped {
                let found = match &why {
                    Why::NameTaken { name, .. } if companion == Companion::Service => place(services, name),
                    Why::NameTaken { name, .. } | Why::BudgetSelects { name, .. } => place(budgets, name),
                    _ => None,
                };
                let Some((subject, spot)) = found.filter(|_| why.is_warning()) else { continue };
                let topic = match companion {
                    Companion::Service => Topic::ServiceOfSingleton,
                    Companion::Budget => Topic::BudgetOfSingleton,
                };
                // An Event speaks for the guard, this program about it.
                let why = why.to_string().replace("of ours", "of the guard's");
                let message = format!("the guard makes no {companion} for {}: {why}", singleton.subject);
                let finding = said(topic, message, subject.clone(), "", spot.clone());
                findings.push(Finding { other: Some(beside(&singleton.subject, &singleton.spot)), ..finding });
            }
        }
        findings
    }
}

fn seen<S>(at: &At<'_, '_>, manifest: &Manifest<'_, '_>, field: &str, spec: S) -> Seen<S> {
    let subject = manifest.subject();
    let existing = Existing::of_somebody(subject.name.clone(), spec);
    Seen { existing, subject, spot: at.spot(manifest.node.locate(field)) }
}

fn of<'s, S>(seen: &'s BTreeMap<String, Vec<Seen<S>>>, namespace: &str) -> &'s [Seen<S>] {
    seen.get(namespace).map(Vec::as_slice).unwrap_or_default()
}

fn place<'s, S>(seen: &'s [Seen<S>], name: &str) -> Option<(&'s Subject, &'s Spot)> {
    seen.iter().find(|it| it.existing.name == name).map(|it| (&it.subject, &it.spot))
}

fn bound<'v>(spec: &'v Value, pointer: &str) -> Option<&'v Value> {
    spec.pointer(pointer).filter(|value| !value.is_null())
}

/// Long after all of the set was applied.
fn settled() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(24 * 60 * 60)
}
