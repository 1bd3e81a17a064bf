//! The labels of the metrics. Every one has a bounded set of values: no name, no namespace, no text that a user can choose.

use prometheus_client::encoding::EncodeLabelSet;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) phase: &'static str,
    pub(super) resource: &'static str,
    pub(super) operation: &'static str,
    pub(super) decision: &'static str,
    pub(super) code: &'static str,
    pub(super) dry_run: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Phase {
    pub(super) phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Resource {
    pub(super) resource: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Reconcile {
    pub(super) resource: &'static str,
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Write {
    pub(super) companion: &'static str,
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Build {
    pub(super) version: &'static str,
    pub(super) revision: &'static str,
    pub(super) rustc: &'static str,
}

impl Build {
    /// This one. The revision is told by whoever builds (see the Dockerfile): looking for it would make the program depend
    /// on where its sources lie. An empty label is none, to Prometheus.
    pub(super) const THIS: Self = Self {
        version: env!("CARGO_PKG_VERSION"),
        revision: match option_env!("SINGLETON_GUARD_REVISION") {
            Some(revision) => revision,
            None => "",
        },
        rustc: env!("SINGLETON_GUARD_RUSTC"),
    };
}
