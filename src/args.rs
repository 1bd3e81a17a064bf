//! The command line. Process matters only: what the policy does is in the configuration file.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::api::mark::DEFAULT_KEY;
use crate::certs::lifetimes;
use crate::telemetry::log::Format;

/// Keeps marked workloads at one replica, whichever way the request comes.
#[derive(Debug, Parser)]
#[command(name = "singleton-guard", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves the admission webhook.
    Serve(Box<Serve>),
    /// Proves on the cluster that refusals work: as a dry run, asks for a singleton with two replicas.
    Verify(Verify),
    /// Prints the version.
    Version,
}

/// `singleton-guard serve`.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Address to listen on, for both ports.
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    pub bind_address: IpAddr,
    /// Port of the webhook (HTTPS).
    #[arg(long, default_value_t = 10250)]
    pub port: u16,
    /// Port of /livez, /readyz and /metrics (HTTP).
    #[arg(long, default_value_t = 8080)]
    pub operations_port: u16,
    /// File with a `GuardConfiguration` (YAML), which is read again when it changes. Without it the defaults apply.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Namespace of the Secret and of the Service.
    #[arg(long, env = "POD_NAMESPACE", required_unless_present = "certificate_directory")]
    pub namespace: Option<String>,
    /// Name of this replica, for Events.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub instance: Option<String>,
    /// Uid of this replica's Pod: Events about it are found by that.
    #[arg(long, env = "POD_UID", value_name = "UID")]
    pub pod_uid: Option<String>,
    /// Service through which the API server calls: the certificate carries its names.
    #[arg(long, value_name = "NAME", required_unless_present = "certificate_directory")]
    pub service: Option<String>,
    /// Secret that holds the certificate. It must exist; it may be empty.
    #[arg(long, value_name = "NAME", required_unless_present = "certificate_directory")]
    pub certificate_secret: Option<String>,
    /// Another DNS name or IP address for the certificate, for webhooks that are called by URL. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub certificate_name: Vec<String>,
    /// How long a certificate of our own is valid: a number with s, m, h or d. It is made anew after two thirds of it.
    #[arg(long, value_name = "DURATION", default_value = "365d", value_parser = lifetimes::read)]
    pub certificate_life: Duration,
    /// How long the authority that signs it is valid, at least four times as long.
    #[arg(long, value_name = "DURATION", default_value = "3650d", value_parser = lifetimes::read)]
    pub authority_life: Duration,
    /// `ValidatingWebhookConfiguration` whose caBundle to keep. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub validating_configuration: Vec<String>,
    /// `MutatingWebhookConfiguration` whose caBundle to keep. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub mutating_configuration: Vec<String>,
    /// Directory with tls.crt and tls.key that somebody else keeps. Then no Secret is read and no caBundle written, only
    /// looked at.
    #[arg(long, value_name = "DIRECTORY")]
    pub certificate_directory: Option<PathBuf>,
    /// Kubeconfig file. Without it the Pod's ServiceAccount is used.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub log_format: Format,
    /// What is logged, unless log.level of the configuration says otherwise: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
    /// Seconds to go on answering after SIGTERM, until no API server sends anything here any more.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub drain_seconds: u64,
}

/// `singleton-guard verify`.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Namespace to try it in: one that is guarded, where the caller may create Deployments.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,
    /// Label key that makes a workload a singleton.
    #[arg(long, value_name = "KEY", default_value = DEFAULT_KEY)]
    pub mark_key: String,
    /// Seconds to go on trying until it is refused. 0: one attempt.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait_seconds: u64,
    /// Kubeconfig file. Without it the Pod's ServiceAccount is used.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}
