//! The two forms in which metrics are answered, and which of them a scrape asks for.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use http::{HeaderMap, header};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus' text format 0.0.4, which everything reads that reads metrics.
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// `OpenMetrics` where `Accept` names it and does not like plain text better (RFC 9110, section 12.5.1), else text.
    #[must_use]
    pub fn asked_for(headers: &HeaderMap) -> Self {
        let (mut open, mut plain) = (0.0_f32, 0.0_f32);
        let lines = headers.get_all(header::ACCEPT).into_iter().filter_map(|line| line.to_str().ok());
        for range in lines.flat_map(|line| line.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
            let value = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            let quality = value("q").map_or(Some(1.0), |(_, quality)| quality.parse::<f32>().ok());
            let quality = quality.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or_default();
            let is_version = |ours: &str| value("version").is_none_or(|(_, version)| *version == ours);
            match name.as_str() {
                "application/openmetrics-text" if is_version("1.0.0") => open = open.max(quality),
                "text/plain" | "text/*" | "*/*" if is_version("0.0.4") => plain = plain.max(quality),
                _ => {}
            }
        }
        if open > 0.0 && open >= plain { Self::OpenMetrics } else { Self::Text }
    }

    /// As each of the two specifications has it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    pub(super) fn encode(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut open = String::new();
        text::encode(&mut open, registry)?;
        match self {
            Self::Text => plain(&open),
            Self::OpenMetrics => Ok(open),
        }
    }
}

/// The library writes `OpenMetrics` alone. The older format differs in this: what describes a counter has the name of its
/// samples, and there are neither units nor an end.
fn plain(open: &str) -> Result<String, fmt::Error> {
    let mut text = String::with_capacity(open.len());
    let counters = open.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"));
    let counters: HashSet<&str> = counters.collect();
    for line in open.lines() {
        let mut words = line.splitn(4, ' ');
        match [words.next(), words.next(), words.next(), words.next()] {
            [Some("#"), Some("UNIT" | "EOF"), ..] => {}
            [Some("#"), Some(about), Some(name), Some(rest)] if counters.contains(name) => {
                writeln!(text, "# {about} {name}_total {rest}")?;
            }
            _ => writeln!(text, "{line}")?,
        }
    }
    Ok(text)
}
