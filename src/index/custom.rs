//! A marked workload of a kind of others, as the watches read it. Its fields may have any type, so each is read by itself, and
//! one that cannot be read takes nothing away but itself. Pure.

use serde_json::value::RawValue;

use super::marked::{WorkloadSpec, WorkloadStatus, keep_metadata};
use crate::api::kind::{Kind, KindInfo};
use crate::api::mark::MarkKey;
use crate::api::path::find;
use crate::cluster::seen::{Seen, TERMS_BYTES};
use crate::cluster::sieve::Keep;

/// A part of an object as it was written.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Part(Option<Box<RawValue>>);

/// What is kept of a workload as it streams in.
pub(super) fn keep(kind: Kind, mark: &MarkKey) -> Keep {
    let status = Keep::shorts(["replicas"]);
    Keep::fields([("metadata", keep_metadata(kind, mark)), ("spec", keep_spec(kind.info())), ("status", status)])
}

/// What is kept of the spec: the number of Pods, and the labels of the template where there is one.
fn keep_spec(info: &KindInfo) -> Keep {
    let path = info.replicas.path.split('.').skip(1).collect::<Vec<_>>();
    let replicas = nested(&path);
    let labels = Keep::fields([("metadata", Keep::fields([("labels", Keep::whole(TERMS_BYTES))]))]);
    let has_template = info.custom.as_ref().is_some_and(|custom| custom.has_template);
    match path.first() {
        Some(first) if has_template => Keep::fields([(*first, replicas), ("template", labels)]),
        Some(first) => Keep::fields([(*first, replicas)]),
        None => Keep::presence(),
    }
}

/// From its second field on: the first is its name.
fn nested(path: &[&str]) -> Keep {
    match path {
        [_, next, ..] => Keep::fields([(*next, nested(path.get(1..).unwrap_or_default()))]),
        _ => Keep::short(),
    }
}

/// The same as other workloads are read.
pub(super) fn read<'a>(seen: Seen<'a, Part, Part>, info: &KindInfo) -> Seen<'a, WorkloadSpec, WorkloadStatus> {
    let Seen { metadata, spec, status } = seen;
    let path = info.replicas.path.split_once('.').map_or("", |(_, path)| path);
    let template = spec.at("template").and_then(|template| serde_json::from_str(template.get()).ok());
    let spec = WorkloadSpec { replicas: spec.number(path), template, ..WorkloadSpec::default() };
    Seen { metadata, spec, status: WorkloadStatus { replicas: status.number("replicas") } }
}

impl Part {
    fn at(&self, path: &str) -> Option<&RawValue> {
        find(self.0.as_ref()?.get(), path).ok().flatten()
    }

    fn number(&self, path: &str) -> Option<i64> {
        self.at(path)?.get().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::api::kind::{Description, entries};
    use crate::cluster::line::Object;
    use crate::cluster::sieve::{Malformed, Part as Piece, Sieve};
    use crate::index::marked::Marked;

    #[test]
    fn a_template_of_others_says_which_pods_there_are() {
        let widget = Description {
            group: "example.com".to_owned(),
            version: "v1".to_owned(),
            resource: "widgets".to_owned(),
            kind: "Widget".to_owned(),
            replicas_path: "spec.replicas".to_owned(),
            replicas_absent: 1,
            controller_user: None,
            owns_replica_sets: false,
            has_template: true,
        };
        let kind = entries(vec![widget], 4).pop().unwrap();
        let mark = MarkKey::default();
        let stored = r#"{"metadata":{"namespace":"pay","name":"web","uid":"u","resourceVersion":"7","labels":{"singleton-guard.io/singleton":"enabled"}},"spec":{"replicas":1,"serviceName":{"any":"type"},"template":{"metadata":{"labels":{"app":"web"}}}}}"#;
        let keep = keep(kind, &mark);
        let mut kept = Vec::new();
        Sieve::new(&keep)
            .push(stored.as_bytes(), |piece| {
                if let Piece::Value(value) = piece {
                    kept = value.to_vec();
                }
                Ok::<(), Malformed>(())
            })
            .unwrap();
        let object = Object::<Part, Part>::read(&kept);
        let Object::Read(seen) = object else { panic!("{object:?}") };
        let marked = Marked::read(read(seen, kind.info()), kind, &mark, "stamp", SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(marked.workload.pod.known.get("app").map(String::as_str), Some("web"));
    }
}
