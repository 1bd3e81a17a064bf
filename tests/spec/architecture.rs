//! Rules about the code itself that neither the compiler nor a lint can hold.

use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Of the program for people, what reads files and the command line, and writes.
const CLI_SHELL: [&str; 2] = ["src/cli/program.rs", "src/cli/source.rs"];

/// The pure rooms name no crate that does IO, and no clock.
#[test]
fn pure_rooms_stay_pure() -> Result<(), String> {
    let root = crate::root();
    let mut faults = Vec::new();
    for file in rust_files(&root.join("src")) {
        let name = relative(root, &file);
        let pure = PURE.iter().any(|room| name.starts_with(room))
            || name.starts_with("src/cli/") && !CLI_SHELL.contains(&name.as_str());
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if let Some(word) = IMPURE.iter().find(|word| pure && line.contains(**word)) {
                faults.push(format!("{name}:{}: {word} in a pure room", number + 1));
            }
        }
    }
    report(&faults)
}

/// Only the certificates, the companions, the Events, the list of namespaces and what keeps strict singletons alive write to
/// the API server, a check of the installation as a dry run, and the program `elect`: a review has no side effects.
#[test]
fn reviews_have_no_side_effects() -> Result<(), String> {
    let root = crate::root();
    let mut faults = Vec::new();
    for file in rust_files(&root.join("src")) {
        let name = relative(root, &file);
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        if WRITES.iter().any(|word| text.contains(word)) && !WRITERS.iter().any(|room| name.starts_with(room)) {
            faults.push(format!("{name} writes to the API server"));
        }
    }
    report(&faults)
}

/// Every file says what it is for, and has one concern's length.
#[test]
fn files_are_introduced_and_short() -> Result<(), String> {
    let root = crate::root();
    let mut faults = Vec::new();
    for file in ["src", "tests"].iter().flat_map(|directory| rust_files(&root.join(directory))) {
        let name = relative(root, &file);
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        if !text.starts_with("//! ") {
            faults.push(format!("{name} does not open with what it is for"));
        }
        let (lines, most) = (text.lines().count(), if name.starts_with("src/") { SRC_LINES_MAX } else { LINES_MAX });
        if lines > most {
            faults.push(format!("{name} has {lines} lines, more than {most}"));
        }
    }
    report(&faults)
}

/// Every function fits on a screen.
#[test]
fn functions_are_short() -> Result<(), String> {
    let root = crate::root();
    let mut faults = Vec::new();
    for file in rust_files(&root.join("src")) {
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let mut functions = Functions::default();
        functions.visit_file(&syn::parse_file(&text).map_err(|error| format!("{}: {error}", file.display()))?);
        let long = functions.lines.iter().filter(|(_, lines)| *lines > FUNCTION_MAX);
        let name = relative(root, &file);
        faults.extend(
            long.map(|(function, lines)| format!("{name}: {function} has {lines} lines, more than {FUNCTION_MAX}")),
        );
    }
    report(&faults)
}

/// The functions of a file, each with its lines from `fn` to the last brace.
#[derive(Default)]
struct Functions {
    lines: Vec<(String, usize)>,
}

impl Functions {
    fn count(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (first, last) = (signature.fn_token.span.start().line, block.brace_token.span.close().end().line);
        self.lines.push((signature.ident.to_string(), last + 1 - first));
    }
}

impl Visit<'_> for Functions {
    fn visit_item_fn(&mut self, function: &syn::ItemFn) {
        self.count(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &syn::ImplItemFn) {
        self.count(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.count(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// The versions of the crate and of the chart are one number.
#[test]
fn the_versions_of_crate_and_chart_are_one_number() -> Result<(), String> {
    let chart = std::fs::read_to_string(crate::root().join("charts/singleton-guard/Chart.yaml"))
        .map_err(|error| error.to_string())?;
    let expected = env!("CARGO_PKG_VERSION");
    let found = |key: &str| {
        let line = chart.lines().find_map(|line| line.strip_prefix(&format!("{key}: ")));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    // Artifact Hub looks for vulnerabilities in the images that are named there.
    let image = format!("image: singleton-guard:{expected}");
    match (found("version").as_deref(), found("appVersion").as_deref()) {
        (Some(version), Some(app)) if version == expected && app == expected && chart.contains(&image) => Ok(()),
        other => Err(format!("Cargo.toml has {expected}, Chart.yaml {other:?}")),
    }
}

fn report(faults: &[String]) -> Result<(), String> {
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

pub(super) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        // The count of instructions is a package of its own, and builds there.
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn relative(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

const PURE: [&str; 30] = [
    "src/api/",
    "src/chart/",
    "src/policy/",
    "src/review/",
    "src/settings/",
    "src/certs/lifetimes.rs",
    "src/certs/plan.rs",
    "src/cluster/line.rs",
    "src/cluster/revision.rs",
    "src/cluster/seen.rs",
    "src/cluster/sieve/",
    "src/companions/backoff.rs",
    "src/companions/plan/",
    "src/elect/decide.rs",
    "src/elect/lock.rs",
    "src/elect/record.rs",
    "src/elect/state.rs",
    "src/elect/status.rs",
    "src/elect/store/gateway.rs",
    "src/elect/store/lease.rs",
    "src/elect/store/register.rs",
    "src/elect/table.rs",
    "src/elect/timing.rs",
    "src/elect/wire.rs",
    "src/freshness/change.rs",
    "src/freshness/snapshot.rs",
    "src/index/marked.rs",
    "src/namespaces/plan.rs",
    "src/namespaces/selectors.rs",
    "src/strict/liveness.rs",
];
const IMPURE: [&str; 12] = [
    "kube::",
    "k8s_openapi",
    "axum",
    "tokio",
    "rustls",
    "hyper",
    "tracing",
    "std::fs",
    "std::net",
    "std::env",
    "Instant::now",
    "SystemTime::now",
];
const WRITES: [&str; 12] = [
    ".patch(",
    ".replace(&",
    ".create(",
    ".delete(",
    "Method::PUT",
    "Method::POST",
    "Method::PATCH",
    "Method::DELETE",
    "Request::put(",
    "Request::post(",
    "Request::patch(",
    "Request::delete(",
];
const WRITERS: [&str; 7] = [
    "src/certs/",
    "src/companions/",
    "src/elect/store/",
    "src/events/",
    "src/namespaces/store.rs",
    "src/strict/actions.rs",
    "src/verify.rs",
];
/// Above this a file has more than one concern.
const SRC_LINES_MAX: usize = 280;
/// The same for tests, which are tables more often.
const LINES_MAX: usize = 400;
/// Above this a function does not fit on a screen.
const FUNCTION_MAX: usize = 60;
