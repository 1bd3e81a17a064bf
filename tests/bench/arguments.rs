//! The command line: of the bench, and of the servers that it starts from itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Measures singleton-guard beside a server that does nothing and those that are written the obvious ways.
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo bench --bench bench --")]
pub(crate) struct Arguments {
    /// Less of everything: under 90 seconds. It fails if a ratio is far below its target.
    #[arg(long)]
    pub(crate) short: bool,
    /// The singleton-guard to measure. Without it, the one that cargo built for this bench.
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_singleton-guard"))]
    pub(crate) binary: PathBuf,
    /// Only reviews whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// Only with this many connections, at most 25. May be repeated.
    #[arg(long, value_name = "NUMBER", default_values_t = [1, 25])]
    pub(crate) connections: Vec<usize>,
    /// cargo gives this to every bench.
    #[arg(long, hide = true)]
    bench: bool,
    /// One of the servers.
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// The servers that are part of this program.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Answers without reading.
    #[command(hide = true)]
    Floor(Place),
    /// Answers the obvious way.
    #[command(hide = true)]
    Naive(Place),
    /// Plays the API server.
    #[command(hide = true)]
    StandIn(Place),
}

/// Where a server is.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Where it listens.
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// With `tls.crt`, `tls.key` and `kubeconfig`.
    #[arg(long)]
    pub(crate) directory: PathBuf,
}
