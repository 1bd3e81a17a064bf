//! The command line of the program for people.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Says what singleton-guard will say of manifests, before a cluster refuses them.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-singleton_guard",
    bin_name = "kubectl singleton-guard",
    version,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// When the output has colours; `NO_COLOR` and `CLICOLOR_FORCE` count too.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks manifests: what will be refused, and what contradicts itself.
    Check(Box<Check>),
    /// Explains a code: what it means, why, and what to do. Without a code: lists them all.
    Explain {
        /// As in SG001, or the name of another finding of check.
        code: Option<String>,
    },
    /// Prints the version.
    Version {
        /// Form of the output.
        #[arg(short, long, value_enum, default_value_t = Form::Text)]
        output: Form,
    },
    /// Prints a script that completes the arguments of kubectl-singleton_guard in a shell.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page.
    Man,
}

/// `check`.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = CHECK_EXAMPLES)]
pub struct Check {
    /// Files, folders (every .yaml, .yml and .json file below), or - for standard input.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub manifests: Vec<PathBuf>,
    /// Namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// The guard's configuration file: the key of the mark, exempt namespaces, and those that are only warned.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Ends with 1 on a warning too.
    #[arg(long)]
    pub warnings_as_errors: bool,
    /// Ends with 1 where only the cluster could decide.
    #[arg(long)]
    pub strict: bool,
}

/// Forms of the output of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: each finding with its line.
    Text,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
    /// JUnit, for CI servers.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
}

/// Forms of the output of `version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  # a file, and a folder with all that is below it
  kubectl singleton-guard check ledger.yaml deploy/

  # what helm or kustomize would apply
  helm template pay ./chart -n pay | kubectl singleton-guard check -n pay -
  kustomize build overlays/prod | kubectl singleton-guard check -

  # with the settings of the cluster
  kubectl -n singleton-guard get configmap singleton-guard -o jsonpath='{.data.config\\.yaml}' > guard.yaml
  kubectl singleton-guard check --config guard.yaml deploy/

Exit code:
  0  nothing is refused
  1  something is refused; or there is a warning (--warnings-as-errors), or something undecided (--strict)
  2  something could not be read, or the command line is wrong";
