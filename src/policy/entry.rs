//! By which ways a request comes to be judged: a row of the webhook configuration, or a place of the API server's own
//! policies. A rule states for each when it has to be asked, or what it refuses there; what is generated from that is in
//! [`crate::chart`].

use super::violation::Violation;
use crate::api::kind::Kind;

/// One webhook configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Row {
    /// The workloads themselves.
    Workload,
    /// New singletons in namespaces that held none. It matters only in an outage: they are refused then, so that none
    /// is made unseen.
    First,
    /// The `/scale` of the workloads.
    Scale,
    /// ReplicaSets behind a Deployment, whatever their own labels.
    Owned,
    /// The `/status` of the workloads, of the kinds whose labels can be written there.
    Status,
    /// The workloads, to fill in what a singleton needs.
    Defaults,
    /// Autoscalers, which may be about to ask for more than a singleton may have.
    Autoscalers,
    /// Released StatefulSets, to put back what they may not lose.
    Released,
    /// New Pods of strict singletons, to say who holds their name.
    Pods,
    /// New Pods of strict singletons, to give them their name where the API server cannot do so by itself.
    PodNames,
}

/// One policy of the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The workloads themselves, judged by their own mark.
    Workload,
    /// The `/status` of the workloads.
    Status,
    /// The `/scale` of a kind; the parameters are the marked workloads of that kind.
    Scale(Kind),
    /// The `/scale` of ReplicaSets; the parameters are the marked Deployments.
    ScaleBehind,
    /// ReplicaSets; the parameters are the marked Deployments.
    Behind,
    /// Strict workloads: what their Pods' one name depends on. Not even breaking the glass changes that.
    Strict,
    /// The ReplicaSets of Deployments whose template has a key: a ReplicaSet takes on the labels of the template.
    StrictBehind,
    /// The Pods of strict singletons, created or changed. Not even breaking the glass changes what is refused there.
    Pods,
    /// The deletion of the Pods of strict singletons.
    Deletion,
    /// The eviction of the Pods of strict singletons; the parameters are those Pods.
    Eviction,
    /// The workloads themselves, judged by what their author may do.
    ServiceRight,
}

/// One way to break a rule, as the API server can see it.
///
/// `variables.before` and `variables.after` say whether the workload was and will be a singleton, and
/// `variables.behind` whether it was one by its Deployment: [`crate::policy::standing::Standing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is broken, with texts that stand for values, as in `{replicas}`.
    pub violation: Violation,
    /// The CEL condition under which it is.
    pub when: String,
    /// The texts that stand for values, each with the CEL expression of the value.
    pub values: Vec<(&'static str, String)>,
}

impl Refusal {
    /// Puts the three together.
    pub(crate) fn new(violation: impl Into<Violation>, when: String, values: Vec<(&'static str, String)>) -> Self {
        Self { violation: violation.into(), when, values }
    }
}
