//! What is counted: the decision on each review of the bench, and on one that is refused.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail, ensure};
use singleton_guard::api::kind::{Kind, Kinds};
use singleton_guard::api::mark::{DEFAULT_KEY, MarkKey};
use singleton_guard::cluster::line::{Line, Object};
use singleton_guard::cluster::seen::Nothing;
use singleton_guard::cluster::sieve::{Part, Sieve};
use singleton_guard::freshness::change::{self, Change};
use singleton_guard::index::marked::{self, Marked, WorkloadSpec, WorkloadStatus};
use singleton_guard::policy::lookup::{Found, Lookup, Metadata};
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

use crate::reviews;

/// Something to be done again and again.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// What it is done with.
    pub(crate) body: String,
    what: What,
}

enum What {
    /// `decide`; the parent of a Scale is marked or not.
    Decide { marked: bool },
    /// Reading the answer to the question about a Scale's parent.
    ReadParent,
    /// Reading a line of the watch behind the freshness proof.
    Prove,
    /// Reading a line of the watch of the marked workloads.
    Index,
    /// The same review in kube's type, and an answer in kube's type.
    #[cfg(feature = "kube")]
    Kube,
}

impl Work {
    pub(crate) fn all() -> Result<Vec<Self>> {
        let all = reviews::all()?;
        let mut works: Vec<Self> = all
            .iter()
            .map(|review| Self { name: review.name, body: review.body.clone(), what: What::Decide { marked: false } })
            .collect();
        let scale_up = all.iter().find(|review| review.name == reviews::SCALE_UP).map(|review| review.body.clone());
        works.push(Self {
            name: "scale up of a singleton",
            body: scale_up.unwrap_or_default(),
            what: What::Decide { marked: true },
        });
        works.push(Self { name: PARENT, body: reviews::parent()?, what: What::ReadParent });
        works.push(Self { name: UNMARKED_EVENT, body: reviews::metadata_line()?, what: What::Prove });
        works.push(Self { name: MARKED_EVENT, body: reviews::object_line(), what: What::Index });
        #[cfg(feature = "kube")]
        for (review, name) in all.iter().zip(KUBE) {
            works.push(Self { name, body: review.body.clone(), what: What::Kube });
        }
        Ok(works)
    }

    /// Does it this many times.
    pub(crate) fn repeat(&self, times: u64) -> Result<()> {
        let (settings, key, body) = (Settings::default(), MarkKey::default(), self.body.as_bytes());
        let mut answer = Vec::new();
        let keep = match self.what {
            What::Index => Line::<WorkloadSpec, WorkloadStatus>::keep(&marked::keep(Kind::STATEFUL_SET, &key)),
            _ => Line::<Nothing, Nothing>::keep(&change::keep(&key)),
        };
        let mut sieve = Sieve::new(&keep);
        for _ in 0..times {
            match self.what {
                What::Decide { marked } => {
                    answer = black_box(decide(black_box(body), &settings, marked)?);
                }
                What::ReadParent => {
                    let parent = Metadata::read(black_box(body))?;
                    ensure!(!black_box(parent).marked(&key), "the parent carries {DEFAULT_KEY}");
                }
                What::Prove => sieve.push(black_box(body), |part| {
                    let Part::Value(line) = part else { bail!("an item of no list") };
                    let Line::<Nothing, Nothing>::Is(Object::Read(seen)) = Line::read(line)? else {
                        bail!("unreadable")
                    };
                    let Change::Written(_, version) = black_box(Change::written(seen.metadata, &key)?) else {
                        bail!("no change")
                    };
                    ensure!(!version.marked, "it carries {DEFAULT_KEY}");
                    Ok(())
                })?,
                What::Index => sieve.push(black_box(body), |part| {
                    let Part::Value(line) = part else { bail!("an item of no list") };
                    let Line::Is(Object::Read(seen)) = Line::read(line)? else { bail!("unreadable") };
                    let read = Marked::read(seen, Kind::STATEFUL_SET, &key, "", SystemTime::UNIX_EPOCH);
                    ensure!(black_box(read).is_ok_and(|marked| marked.replicas == 1), "not a singleton");
                    Ok(())
                })?,
                #[cfg(feature = "kube")]
                What::Kube => {
                    black_box(by_kube(black_box(body))?);
                }
            }
        }
        if let What::Decide { marked } = self.what {
            let answer = String::from_utf8(answer)?;
            ensure!(answer.contains(r#""allowed":true"#) != marked, "{}: {answer}", self.name);
        }
        Ok(())
    }
}

/// As `server::guard` does it, but that the cluster answers at once.
fn decide(body: &[u8], settings: &Settings, marked: bool) -> Result<Vec<u8>> {
    let review = review::read(body, Kinds::BUILT_IN)?;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let decision = match evaluate(Phase::Validate, review.request, settings, now) {
        Step::Decided(decision) => decision,
        Step::Ask(Lookup::Parent(_), pending) => {
            pending.resume(Ok(Found::Parent { marked, owner: None, custom: None }))
        }
        Step::Ask(lookup, _) => bail!("a question that no review here asks: {lookup:?}"),
    };
    Ok(review::write(&review.uid, &decision))
}

/// The way its documentation shows, without any rule.
#[cfg(feature = "kube")]
fn by_kube(body: &[u8]) -> Result<Vec<u8>> {
    use kube_core::DynamicObject;
    use kube_core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};

    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body)?;
    let request: AdmissionRequest<DynamicObject> = review.try_into()?;
    Ok(serde_json::to_vec(&AdmissionResponse::from(&request).into_review())?)
}

/// What a look-up reads, beside its decision.
pub(crate) const PARENT: &str = "metadata of a parent";
/// What a watch hears, beside all decisions.
pub(crate) const UNMARKED_EVENT: &str = "an event of an unmarked one";
pub(crate) const MARKED_EVENT: &str = "an event of a marked one";
/// In the order of [`reviews::all`].
#[cfg(feature = "kube")]
const KUBE: [&str; 4] =
    ["kube: scale down", "kube: scale up", "kube: update of a StatefulSet", "kube: update of a large one"];
