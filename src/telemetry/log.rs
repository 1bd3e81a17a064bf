//! The log. A request has a line if it is denied, warned of in the place of a denial, releases a workload, or could not
//! be decided or completed; no other request has one.
//!
//! Names and users are values of fields, never part of the text: both formats escape them, so nobody can write a
//! line of their own.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, registry, reload};

use crate::api::text::clip;
use crate::policy::code::Code;
use crate::policy::decision::Decision;
use crate::policy::request::{Phase, Request};
use crate::settings::{LogLevel, Mode};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The level is not one.
#[derive(Debug, thiserror::Error)]
#[error(
    "--log-level {level:?}: {cause}; right is error, warn, info, debug or trace, or a list such as \"info,kube=debug\""
)]
pub struct LevelError {
    level: String,
    #[source]
    cause: ParseError,
}

/// The least severe line that is logged, for as long as the process runs.
///
/// It is changed by the configuration file alone: whoever may write that has a right that the API server checks. A path on
/// the operations port would let every Pod of the cluster silence the log, or flood it.
#[derive(Debug, Clone)]
pub struct Level {
    filter: reload::Handle<EnvFilter, Registry>,
    initial: String,
}

/// What a line says about a request. Borrows from the body, so nothing is copied for a request without a line.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// Which of the two phases asked.
    pub phase: Phase,
    /// `statefulsets`, `statefulsets/scale` and so on; from a bounded set.
    pub resource: &'static str,
    /// `CREATE`, `UPDATE` or `OTHER`.
    pub operation: &'static str,
    /// Whether nothing would have been stored.
    pub dry_run: bool,
    namespace: Cow<'a, str>,
    name: Cow<'a, str>,
    user: Cow<'a, str>,
}

impl Level {
    /// The filter of a subscriber, and what changes it later.
    ///
    /// # Errors
    /// [`LevelError`].
    pub fn new(level: &str) -> Result<(reload::Layer<EnvFilter, Registry>, Self), LevelError> {
        let filter =
            EnvFilter::builder().parse(level).map_err(|cause| LevelError { level: level.to_owned(), cause })?;
        let (layer, filter) = reload::Layer::new(filter);
        Ok((layer, Self { filter, initial: level.to_owned() }))
    }

    /// From now on this level; `None` is the one that the process was started with.
    pub fn set(&self, level: Option<LogLevel>) {
        let level = level.as_ref().map_or(self.initial.as_str(), |level| level.as_str());
        // Both have been parsed before, and the subscriber lives as long as the process.
        if let Ok(filter) = EnvFilter::builder().parse(level) {
            let _reloaded = self.filter.reload(filter);
        }
    }

    /// As it is now.
    #[must_use]
    pub fn get(&self) -> String {
        self.filter.with_current(ToString::to_string).unwrap_or_default()
    }
}

/// Starts logging to standard output. Does nothing if something else logs already.
///
/// A panic becomes a line, too, instead of text on standard error.
///
/// # Errors
/// [`LevelError`].
pub fn start(format: Format, level: &str) -> Result<Level, LevelError> {
    let (filter, level) = Level::new(level)?;
    let lines = fmt::layer().with_writer(io::stdout).with_target(false);
    let lines = match format {
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        Format::Text => lines.with_ansi(false).boxed(),
    };
    let lines = lines.with_filter(filter_fn(|line| !names_bodies(line.target())));
    let _already_logging = registry().with(filter).with(lines).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, cause = %panic_text(panic.payload()), "panic");
    }));
    Ok(level)
}

/// Whether lines of this origin may hold what an API server has answered: kube's client writes a whole list where it cannot
/// read one, and that is other people's objects.
fn names_bodies(target: &str) -> bool {
    target.starts_with("kube_client")
}

/// The words of a panic, where it has any.
#[must_use]
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}

/// Writes the line of a decision, if it is worth one.
pub fn decision(uid: &str, about: &About<'_>, decision: &Decision, latency: Duration) {
    if decision.message().is_none() && !decision.released() {
        return;
    }
    let About { resource, operation, dry_run, namespace, name, user, .. } = about;
    // Whoever reaches the port may write anything into them.
    let [uid, namespace, name, user] = [uid, namespace, name, user].map(|text| clip(text, FIELD_MAX));
    let (phase, code, reason) = (about.phase(), decision.code().map(Code::as_str), decision.message());
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    // The macro needs the level when it is compiled, hence the three arms.
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                uid, user, operation, resource, namespace, name, code, reason, dry_run, phase, latency_us, $text
            )
        };
    }
    if decision.released() {
        line!(info, "released: a workload is a singleton no longer");
    } else if decision.is_undecided() {
        line!(warn, "could not decide");
    } else if decision.mode() == Mode::Warn {
        line!(info, "warned: a rule is broken where that is only a warning");
    } else {
        line!(info, "denied");
    }
}

impl<'a> About<'a> {
    /// The part of a request that a line shows.
    #[must_use]
    pub fn new(phase: Phase, request: &Request<'a>) -> Self {
        Self {
            phase,
            resource: request.resource(),
            operation: request.operation(),
            dry_run: request.dry_run,
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            user: request.user.clone(),
        }
    }

    /// Of a request that could not be read.
    #[must_use]
    pub const fn unreadable(phase: Phase) -> Self {
        Self {
            phase,
            resource: "other",
            operation: "OTHER",
            dry_run: false,
            namespace: Cow::Borrowed(""),
            name: Cow::Borrowed(""),
            user: Cow::Borrowed(""),
        }
    }

    /// `validate` or `mutate`.
    #[must_use]
    pub const fn phase(&self) -> &'static str {
        match self.phase {
            Phase::Validate => "validate",
            Phase::Mutate => "mutate",
        }
    }
}

/// Longer than any name in Kubernetes (253).
const FIELD_MAX: usize = 256;
