//! singleton-guard: a Kubernetes admission webhook that keeps a marked workload at one replica, whichever way the
//! request comes.
//!
//! # The map
//!
//! A request flows one way:
//!
//! ```text
//! bytes -> review::read -> policy::evaluate -> Decided(Decision) ----------------------> review::write -> bytes
//!                                           \-> Ask(Lookup, Pending)                    /
//!                                                  cluster answers -> Pending::resume --
//! ```
//!
//! *Pure rooms* compile without the feature `server`; they know neither kube nor axum, tokio or rustls. On the ground:
//!
//! * [`api`]: what is written in a cluster, Kubernetes' and ours, as far as it is read: [`api::kind`] the guarded kinds,
//!   [`api::mark`] the mark, [`api::annotation`] what else a workload may ask for, [`api::names`] names that never change.
//! * [`settings`]: the settings in force, and the file as it is written.
//!
//! Above it:
//!
//! * [`review`]: the wire, with own lean types borrowed from the body.
//! * [`policy`]: the decision and nothing else. `evaluate` is its control flow, [`policy::pod`] that of a request about a
//!   Pod, and [`policy::autoscaler`] of one about an autoscaler; [`policy::rules`] holds one file per rule, and says how
//!   another is added; [`policy::violation`] has what can be broken, `policy::words` how that is said, and
//!   [`policy::entry`] by which ways a request comes.
//! * [`chart`]: what is generated from the kinds and the rules: the webhook configurations and the policies.
//! * The plans of the rooms below, which decide what the shell carries out: [`companions::plan`] and
//!   [`companions::backoff`], [`autoscalers::found`], [`strict::liveness`], [`certs::plan`] and [`certs::lifetimes`],
//!   [`namespaces::plan`] and [`namespaces::selectors`].
//! * [`freshness::change`] and [`freshness::snapshot`]: which marked workloads there are, up to which revision, and what
//!   that proves.
//! * [`cluster::sieve`], [`cluster::line`], [`cluster::revision`], [`cluster::seen`]: what is read of a list and of a
//!   watch; [`index::marked`]: what is kept of a marked workload.
//!
//! *The shell*, only with the feature `server`, does the IO:
//!
//! * `run` builds everything once and starts the named tasks; `args` and `telemetry` are what they say.
//! * `server` terminates TLS, reads bodies, keeps deadlines and drains.
//! * `cluster` answers a look-up: the only thing a request ever waits for. It has the one machine that lists and
//!   watches, and a `Clock` that is the API server's, which all replicas have in common.
//! * `index` keeps the marked workloads, for all who need to know them.
//! * `freshness` makes most look-ups needless: it watches, and proves what a parent is.
//! * `configuration` reads the file, again whenever it changes; everybody else sees the settings in force.
//! * `events` says things in `events.k8s.io`: denials, folded, and what the other rooms have to say.
//! * `certs` makes, stores, publishes and serves certificates.
//! * `namespaces` writes into the webhook configurations which namespaces hold singletons.
//! * `companions` gives singletons the Service and the budget that [`companions::plan`] plans; of replicas that disagree
//!   each waits ([`companions::backoff`]) before it answers the other.
//! * `autoscalers` watches what could scale a singleton above one, and tells of it.
//! * `strict` keeps strict singletons alive, as [`strict::liveness`] says.
//! * `verify` is the other program in this one: it asks the cluster for what must be refused.
//!
//! Two programs stand beside the server, each with a feature and a room of its own:
//!
//! * `cli` is `kubectl-singleton_guard`, for people: it lets the pure rooms judge manifests before they reach a cluster.
//! * [`elect`] is `elect`, which locks inside the application: of many replicas one is active. [`elect::decide`] is the
//!   algorithm of its lock, and pure; it shares nothing with the guard.
//!
//! Two registries carry most of the growth: [`api::kind::Kinds`], the guarded kinds, and [`policy::rules::RULES`],
//! the rules. The chart's webhook configurations, its policies and its RBAC come from them, and from the rules also the
//! tables of the documentation; the tests compare, `UPDATE=1 cargo test` rewrites. A line is not all that either needs:
//! [`policy::rules`] says how a rule is added, and `CONTRIBUTING.md` which other places know a guarded kind.
//!
//! # Invariants
//!
//! | invariant | enforced by |
//! |---|---|
//! | pure rooms do no IO and read no clock | the compiler (`cargo check --lib --no-default-features`) and the architecture test |
//! | a decision always exists: neither a panic nor an unreadable body leaves a request without an answer in words | `tests/server`, the properties on arbitrary bytes |
//! | what is let become a singleton out of several Pods ends at one, whatever a Deployment's controller is at | `spec/surplus`, on a model of it; the live cases |
//! | at most one question per request, and only if its answer matters | the types of [`policy::Step`]; `asks` in the cases |
//! | an answer carries the uid of its review, a validating one never a patch | [`review::write`]; the cases |
//! | a review changes nothing but its answer; beside it a refusal is told to `events`, which nobody waits for, and a dry run to nobody | the architecture test: only `certs`, `companions`, `events`, `namespaces` and `strict` write to the API server, and `verify` as a dry run; `spec/events` |
//! | files, and rooms, import in one direction: nothing on the ground knows what is above it | the architecture test, which reads the imports |
//! | no `unwrap`, indexing or `as` on input | the lints in `Cargo.toml` |

pub mod api;
#[cfg(feature = "server")]
pub mod args;
pub mod autoscalers;
pub mod certs;
pub mod chart;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cluster;
pub mod companions;
#[cfg(any(feature = "server", feature = "cli"))]
pub mod configuration;
pub mod elect;
#[cfg(feature = "server")]
pub mod events;
pub mod freshness;
pub mod index;
pub mod namespaces;
pub mod policy;
pub mod review;
#[cfg(feature = "server")]
pub mod run;
#[cfg(feature = "server")]
pub mod server;
pub mod settings;
pub mod strict;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "server")]
pub mod verify;
