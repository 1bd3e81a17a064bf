//! `cargo run --example demo`: a newcomer's first look at the guard, on a real control plane on this machine.
//!
//! ```text
//! arguments   what was asked for
//! guard       the guard's own program, built before the lab's walls go up
//! story       what is typed and what must come of it: start reading here
//! teller      tells it, and checks it
//! census      counts Pods at every revision
//! screen      how it looks
//! ```
//!
//! Nothing is staged: the commands are run by the real kubectl as they are printed, and the program exits with 0 only
//! if the cluster did what the story says. It must know nothing of how the guard decides.

#[path = "lab/mod.rs"]
mod lab;
mod demo {
    pub(crate) mod arguments;
    pub(crate) mod census;
    pub(crate) mod guard;
    pub(crate) mod screen;
    pub(crate) mod story;
    pub(crate) mod teller;
}

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::runtime::Runtime;

use demo::arguments::{Arguments, End, FLAGS, HELP, NoStory, World};
use demo::guard;
use demo::screen::Screen;
use demo::story::WORKLOADS;
use demo::teller::{Teller, Told};
use lab::binaries::Names;
use lab::progress::Progress;
use lab::stage::{self, Entered, Reach};
use lab::{Lab, Options};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(NoStory::Help) => {
            let _ = write!(std::io::stdout(), "{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(NoStory::Unknown(word)) => {
            let _ = writeln!(std::io::stderr(), "error: there is no argument `{word}`; there are {FLAGS}");
            return ExitCode::from(2);
        }
    };
    let screen = Screen::new();
    match run(arguments, screen) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Goes through the lab's door. Only the program inside comes back from [`stage::enter`].
fn run(arguments: Arguments, screen: Screen) -> Result<ExitCode> {
    let is_outside = std::env::var_os(INSIDE).is_none();
    let heading = if is_outside { "Building" } else { "A Kubernetes control plane on this machine" };
    screen.heading(heading);
    let progress = screen.progress();
    if is_outside {
        guard::build()?;
        progress.step("the guard's own program is built");
    }
    let reach = match arguments.end {
        End::Leave => Reach::Inside,
        End::Stay => Reach::Outside,
    };
    let entered = stage::enter(reach, Names::Unserved, &progress)?;
    Runtime::new().context("starting a runtime")?.block_on(inside(entered, arguments, screen, progress))
}

async fn inside(entered: Entered, arguments: Arguments, screen: Screen, progress: Progress) -> Result<ExitCode> {
    let started = Instant::now();
    let kubectl_directory = entered.work.join("home");
    let options = Options {
        guard_binary: guard::path()?,
        image: format!("{REPOSITORY}:{TAG}"),
        progress: progress.clone(),
        nodes: &[],
        flags: |_| &[],
    };
    let lab = Lab::boot(entered, options).await?;
    let version = lab.client().apiserver_version().await.context("asking for the version of Kubernetes")?;
    progress.step(&format!("this is Kubernetes {}", version.git_version));
    let (file, text) = WORKLOADS;
    std::fs::write(kubectl_directory.join(file), text).with_context(|| format!("writing {file}"))?;
    match arguments.world {
        World::Guarded => {
            let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/singleton-guard");
            let values = json!({ "image": { "repository": REPOSITORY, "tag": TAG } });
            lab.install_chart(&chart, RELEASE, RELEASE, &values).await?;
            progress.step("helm has installed the guard");
        }
        World::Plain => progress.step("the guard is left out"),
    }
    let told = match Teller::new(&lab, screen, arguments.world).await {
        Ok(teller) => teller.tell().await,
        Err(error) => Err(error),
    };
    let code = sum_up(told, arguments.world, screen, started.elapsed());
    if arguments.end == End::Stay {
        invite(&lab, screen)?;
        // The program outside ends this one when it is interrupted.
        std::future::pending::<()>().await;
    }
    lab.shutdown().await.context("the cluster did not end well")?;
    Ok(code)
}

/// The last lines, and the exit code.
fn sum_up(told: Result<Told>, world: World, screen: Screen, took: Duration) -> ExitCode {
    let told = match told {
        Ok(told) => told,
        Err(error) => {
            screen.wrong(&format!("{error:#}"));
            screen.heading("The cluster did not do what the story says.");
            return ExitCode::FAILURE;
        }
    };
    let Told { steps, refusals, doubled, most, revisions } = told;
    let took = took.as_secs();
    match world {
        World::Guarded => {
            screen.heading("The cluster did what the story says.");
            screen.good(&format!(
                "{steps} steps, {refusals} refusals, never more than {most} Pod of a singleton in {revisions} \
                 revisions, {took} s"
            ));
            screen.note(LIMITS);
        }
        World::Plain => {
            screen.heading("Without the guard the label is only a label.");
            screen.trouble(&format!(
                "{steps} steps, no refusal, {doubled} times a second copy, up to {most} Pods of a singleton, {took} s"
            ));
        }
    }
    ExitCode::SUCCESS
}

/// How to use the cluster from an ordinary shell.
fn invite(lab: &Lab, screen: Screen) -> Result<()> {
    let kubeconfig = lab.outside_kubeconfig().context("the lab has no door to the outside")?;
    screen.heading("The cluster stays up until Ctrl-C. In another shell on this machine:");
    screen.shell(&format!("export KUBECONFIG={}", quoted(kubeconfig)));
    screen.shell(&format!("export PATH={}:$PATH", quoted(lab.binaries())));
    screen.shell("kubectl scale statefulset ledger --replicas=2");
    Ok(())
}

/// A path as a POSIX shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-+".contains(letter));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// The variable that the lab sets for the program inside.
const INSIDE: &str = "SINGLETON_GUARD_LAB";
/// The name of the release, and of the namespace that it is installed in.
const RELEASE: &str = "singleton-guard";
const REPOSITORY: &str = "registry.example/singleton-guard";
const TAG: &str = "demo";
/// What the figure does not say.
const LIMITS: &str = "Terminating Pods do not count as copies. A Recreate rollout waits until the old Pod is gone; a \
     Pod that is deleted or evicted is replaced while it still terminates (see docs/guarantees.md).";
