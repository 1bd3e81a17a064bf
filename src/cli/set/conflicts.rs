//! Two workloads that want one thing: one key, or one name of a Service. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::singleton::{Singleton, beside, said};
use super::topic::Topic;
use crate::api::key::KEY;
use crate::cli::finding::{At, Finding, Spot, Subject};
use crate::cli::manifest::Manifest;
use crate::settings::Settings;

/// A StatefulSet that names a Service.
#[derive(Debug)]
pub(super) struct Named {
    subject: Subject,
    spot: Spot,
    service: String,
    is_singleton: bool,
}

impl Named {
    pub(super) fn of(
        at: &At<'_, '_>,
        manifest: &Manifest<'_, '_>,
        object: &Value,
        settings: &Settings,
    ) -> Option<Self> {
        let service = object.pointer("/spec/serviceName")?.as_str().filter(|name| !name.is_empty())?.to_owned();
        let is_singleton = object.pointer("/metadata/labels").and_then(|it| it.get(settings.mark.as_str())).is_some();
        let spot = at.spot(manifest.node.locate("spec.serviceName"));
        Some(Self { subject: manifest.subject(), spot, service, is_singleton })
    }
}

/// Strict workloads that have the key of one before them.
pub(super) fn shared_keys(singletons: &[Singleton]) -> Vec<Finding> {
    let mut first: BTreeMap<(&str, &str), &Singleton> = BTreeMap::new();
    let mut findings = Vec::new();
    for singleton in singletons {
        let Some((key, spot)) = &singleton.key else { continue };
        let Some(other) = first.get(&(singleton.subject.namespace.as_str(), key)) else {
            first.insert((&singleton.subject.namespace, key), singleton);
            continue;
        };
        if other.subject == singleton.subject {
            continue;
        }
        let message =
            format!("{} and {} have one key, {key}: only one of them gets its Pod", other.subject, singleton.subject);
        let field = format!("spec.template.metadata.labels[{KEY}]");
        let finding = said(Topic::SharedKey, message, singleton.subject.clone(), &field, spot.clone());
        findings.push(Finding { other: Some(beside(&other.subject, &other.spot)), ..finding });
    }
    findings
}

/// StatefulSets that name the Service of one before them, where one of the two is a singleton.
pub(super) fn shared_service_names(stateful: &[Named]) -> Vec<Finding> {
    let mut by_name: BTreeMap<(&str, &str), Vec<&Named>> = BTreeMap::new();
    for named in stateful {
        by_name.entry((&named.subject.namespace, &named.service)).or_default().push(named);
    }
    let mut findings = Vec::new();
    for ((_, service), named) in by_name {
        let Some((first, others)) = named.split_first().filter(|_| named.iter().any(|one| one.is_singleton)) else {
            continue;
        };
        for other in others.iter().filter(|other| other.subject != first.subject) {
            let message = format!(
                "{} and {} have one spec.serviceName, {service}: behind this name are the Pods of both",
                first.subject, other.subject
            );
            let finding =
                said(Topic::SharedServiceName, message, other.subject.clone(), "spec.serviceName", other.spot.clone());
            findings.push(Finding { other: Some(beside(&first.subject, &first.spot)), ..finding });
        }
    }
    findings
}
