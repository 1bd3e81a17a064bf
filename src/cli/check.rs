//! From the text of files to findings: each object is judged by itself, then all of them as a set. Pure.

use std::sync::Arc;
use std::time::SystemTime;

use super::finding::{At, Finding, Level, Source, Spot, Subject, TWICE, UNREADABLE};
use super::judged::{Judged, Outcome, Target, judge};
use super::manifest::{Manifest, objects};
use super::object::About;
use super::set::Set;
use super::yaml::{self, Document, Fault};
use crate::api::autoscaler::{AUTOSCALERS, BOUNDS};
use crate::api::kind::Resource;
use crate::api::text::clip;
use crate::settings::Settings;

/// A check while it goes on.
#[derive(Debug)]
pub struct Check<'s> {
    settings: &'s Settings,
    /// The namespace of what names none.
    namespace: &'s str,
    now: SystemTime,
    set: Set,
    /// The autoscalers that were seen.
    waiting: Vec<Waiting>,
    report: Report,
}

/// An autoscaler that is judged when the whole set is known.
#[derive(Debug)]
struct Waiting {
    target: Target,
    subject: Subject,
    /// Where each field stands that it may break a rule by.
    places: Vec<(&'static str, Spot)>,
    /// Where it begins.
    whole: Spot,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What is said, by file and place.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub counts: Counts,
    /// The files that could be opened.
    pub files: Vec<Arc<str>>,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Files that could be opened.
    pub files: usize,
    /// Objects of any kind.
    pub objects: usize,
    /// Those of them that are singletons.
    pub singletons: usize,
}

impl<'s> Check<'s> {
    /// By these settings, at this time.
    #[must_use]
    pub fn new(settings: &'s Settings, namespace: &'s str, now: SystemTime) -> Self {
        Self { settings, namespace, now, set: Set::default(), waiting: Vec::new(), report: Report::default() }
    }

    /// Looks at a file.
    pub fn file(&mut self, name: &str, text: &str) {
        self.report.counts.files += 1;
        let source = Source::new(name, text);
        self.report.files.push(source.name());
        yaml::documents(text, |document| self.document(&source, &document));
    }

    /// Notes a file that cannot be read.
    pub fn unreadable(&mut self, name: &str, problem: &str) {
        self.fault(Spot::of_file(name), None, problem, None);
    }

    /// What is said of all of it.
    #[must_use]
    pub fn report(mut self) -> Report {
        self.autoscalers();
        self.report.findings.extend(self.set.findings(self.settings));
        let place = |finding: &Finding| (finding.spot.document, finding.spot.place.line, finding.spot.place.column);
        self.report.findings.sort_by(|a, b| {
            a.spot.file.cmp(&b.spot.file).then_with(|| place(a).cmp(&place(b))).then_with(|| a.level.cmp(&b.level))
        });
        self.report
    }

    fn document(&mut self, source: &Source<'_>, document: &Document<'_>) {
        let root = match &document.root {
            Ok(root) => root,
            Err(fault) => {
                let spot = source.spot(document.number, fault.place);
                let help = spot.line.contains("{{").then(|| TEMPLATE.to_owned());
                return self.fault(spot, None, &fault.problem, help);
            }
        };
        for (key, place) in &document.twice {
            self.report.findings.push(Finding {
                level: Level::Warning,
                code: TWICE,
                message: format!("the key {} comes twice in one mapping: the last one counts", clip(key, KEY_MAX)),
                help: None,
                subject: None,
                field: String::new(),
                spot: source.spot(document.number, *place),
                other: None,
            });
        }
        objects(root, self.namespace, &mut |manifest| match manifest {
            Ok(manifest) => self.object(&At::new(source, document.number), &manifest),
            Err(fault) => self.fault(source.spot(document.number, fault.place), None, &fault.problem, None),
        });
    }

    fn object(&mut self, at: &At<'_, '_>, manifest: &Manifest<'_, '_>) {
        self.report.counts.objects += 1;
        let resource = manifest.resource();
        let mark = self.settings.mark.as_str();
        if let Some(Fault { place, problem }) = manifest.ill_typed(mark) {
            return self.fault(at.spot(place), Some(manifest.subject()), &problem, None);
        }
        let mut object = None;
        if resource != Resource::Unknown {
            match judge(manifest, resource, self.settings, self.now) {
                Err(problem) => {
                    return self.fault(at.spot(manifest.node.place), Some(manifest.subject()), &problem, None);
                }
                Ok(judged) => object = Some(self.judged(at, manifest, judged)),
            }
        }
        if !self.settings.exempts(&manifest.namespace) {
            let is_singleton = self.set.add(at, manifest, resource, object.as_ref(), self.settings);
            self.report.counts.singletons += usize::from(is_singleton);
        }
    }

    /// Notes what the guard says of an object, and hands on what the object became.
    fn judged(&mut self, at: &At<'_, '_>, manifest: &Manifest<'_, '_>, judged: Judged) -> serde_json::Value {
        let Judged { object, warnings, outcome } = judged;
        let locate = |field: &str| at.spot(manifest.node.locate(field));
        let about = About { subject: manifest.subject(), locate: &locate };
        self.report.findings.extend(warnings.iter().map(|warning| about.warned(warning)));
        match outcome {
            Outcome::Asks(why) => self.report.findings.push(about.undecided(why)),
            Outcome::Decided(decision) => self.report.findings.extend(about.decided(&decision, &self.settings.mark)),
            Outcome::Targets(target) => {
                let fields = BOUNDS.iter().flat_map(|bound| AUTOSCALERS.map(|kind| bound.field(kind)));
                let places = fields.map(|field| (field, locate(field))).collect();
                self.waiting.push(Waiting { target, subject: manifest.subject(), places, whole: locate("") });
            }
        }
        object
    }

    /// Judges the autoscalers, now that the whole set is known.
    fn autoscalers(&mut self) {
        for Waiting { target, subject, places, whole } in std::mem::take(&mut self.waiting) {
            let place = |field: &str| places.iter().find(|(known, _)| *known == field).map_or(&whole, |(_, spot)| spot);
            let about = About { subject, locate: &|field| place(field).clone() };
            let is_singleton = self.set.is_singleton(&about.subject.namespace, target.kind, &target.name);
            let Some(is_singleton) = is_singleton else {
                let (kind, name) = (target.kind.info().name, clip(&target.name, KEY_MAX));
                let why =
                    format!("it depends on whether {kind} {name}, which it scales, is a singleton in the cluster");
                self.report.findings.push(about.undecided(why));
                continue;
            };
            match target.judge(is_singleton, self.settings, self.now) {
                Ok(decision) => self.report.findings.extend(about.decided(&decision, &self.settings.mark)),
                Err(problem) => self.fault(whole.clone(), Some(about.subject), &problem, None),
            }
        }
    }

    fn fault(&mut self, spot: Spot, subject: Option<Subject>, problem: &str, help: Option<String>) {
        self.report.findings.push(Finding {
            level: Level::Unreadable,
            code: UNREADABLE,
            message: clip(problem, PROBLEM_MAX),
            help,
            subject,
            field: String::new(),
            spot,
            other: None,
        });
    }
}

/// What to do with a file that no YAML reader takes.
const TEMPLATE: &str =
    "this looks like a template of Helm: render it first (helm template . | kubectl singleton-guard check -)";
const KEY_MAX: usize = 253;
const PROBLEM_MAX: usize = 400;
