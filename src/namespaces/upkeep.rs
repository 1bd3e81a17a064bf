//! The loop that keeps the list: at once when a namespace gets its first singleton, and every few seconds whatever
//! anybody has done to the configurations. A quiet cluster sees no write.
//!
//! Every write names the revision that was read, so that of two replicas one looks again. A write after which an outage
//! may refuse less is made only while what the watches have told is not behind the store itself: a replica that was
//! stopped for an hour knows nothing of the namespaces of that hour.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use tokio::time::{Instant, sleep_until, timeout};

use super::plan::{Absences, NAMES_MAX, Selection, Step, listed, step, target};
use super::selectors;
use super::store::{LOOK, Trouble, holding, read_all};
use crate::api::kind::Kinds;
use crate::api::mark::MarkKey;
use crate::certs::WebhookConfiguration;
use crate::configuration::Current;
use crate::index::{Entry, Index};

/// Keeps the list of namespaces.
pub struct Upkeep {
    client: Client,
    settings: Current,
    /// Always listed: a list must not be empty.
    own: String,
    configurations: Vec<WebhookConfiguration>,
    kinds: Kinds,
    index: Index,
    absences: Absences,
    /// When a list was last written where there was none.
    narrowed: Option<Instant>,
    /// Whether it was said that there are too many to list.
    too_many: bool,
    /// The last thing that went wrong, so that it is said once and not with every attempt.
    trouble: Option<String>,
}

/// Whether a workload is there that was not, or the other way round.
fn comes_or_goes(before: Option<&Entry>, after: Option<&Entry>) -> bool {
    before.is_some() != after.is_some()
}

impl Upkeep {
    /// `own` is the namespace of this process, `configurations` are those of its release.
    #[must_use]
    pub fn new(
        client: Client,
        index: Index,
        settings: Current,
        own: String,
        configurations: Vec<WebhookConfiguration>,
    ) -> Self {
        let (absences, kinds) = (Absences::default(), settings.get().kinds);
        Self {
            client,
            settings,
            own,
            configurations,
            kinds,
            index,
            absences,
            narrowed: None,
            too_many: false,
            trouble: None,
        }
    }

    /// Never ends. Another mark is another list.
    pub async fn run(mut self) {
        let mut settings = self.settings.clone();
        loop {
            let mark = settings.get().mark.clone();
            self.absences = Absences::default();
            let other_mark = async {
                while settings.get().mark == mark {
                    settings.changed().await;
                }
            };
            tokio::select! {
                () = self.keep(&mark) => {}
                () = other_mark => {}
            }
        }
    }

    async fn keep(&mut self, mark: &MarkKey) {
        let mut reader = self.index.reader(comes_or_goes);
        let mut known = BTreeSet::new();
        let mut due = Instant::now();
        loop {
            tokio::select! {
                _ = reader.changed() => {
                    let held = self.index.namespaces();
                    let is_new = !held.is_subset(&known);
                    known = held;
                    if !is_new {
                        continue;
                    }
                }
                () = sleep_until(due) => {}
            }
            let done = self.look(mark).await;
            due = Instant::now() + if done { EVERY } else { AGAIN };
        }
    }

    /// Looks once, and puts right what is not. Says whether all is as it should be.
    async fn look(&mut self, mark: &MarkKey) -> bool {
        let mut outcome = Err(Trouble::Overtaken);
        for _ in 0..ATTEMPTS {
            if matches!(outcome, Err(Trouble::Overtaken)) {
                // kube has no time limit for an answer.
                outcome = timeout(LOOK, self.pass(mark)).await.unwrap_or(Err(Trouble::Slow));
            }
        }
        let Err(trouble) = outcome else {
            if self.trouble.take().is_some() {
                tracing::info!("the list of namespaces with singletons is right again");
            }
            return true;
        };
        // Another replica was faster, or the watches are slower than the store: no trouble, and over in a moment.
        if !matches!(trouble, Trouble::Overtaken | Trouble::Behind) {
            let trouble = trouble.to_string();
            if self.trouble.as_ref() != Some(&trouble) {
                tracing::error!(cause = trouble, "the list of namespaces with singletons is not kept; trying again");
            }
            self.trouble = Some(trouble);
        }
        false
    }

    async fn pass(&mut self, mark: &MarkKey) -> Result<(), Trouble> {
        let mut held = self.index.namespaces();
        held.insert(self.own.clone());
        let blind_for = self.index.blind_for();
        let (mut read, mut whole) = read_all(&self.client, &self.configurations).await;
        // Who does not see where the singletons are must let an outage refuse everywhere.
        let next = if blind_for.is_some_and(|blind_for| blind_for >= BLIND) {
            Selection::Everywhere
        } else {
            let next = target(read.iter().map(|read| &read.selection), &held, &BTreeSet::new());
            self.say_whether_too_many(&next);
            next
        };
        for read in &mut read {
            // Where one that refuses there may not know of a namespace, the others must not either: what could not be
            // read may be such a one.
            let may = whole.is_ok() || selectors::refuses_in_listed(&read.object.data);
            if may && step(&read.selection, &next) == Step::Widen {
                whole = whole.and(read.write(&self.client, &next).await);
            }
        }
        whole?;
        if blind_for.is_some() {
            return Err(Trouble::Behind);
        }
        let stored = listed(read.iter().map(|read| &read.selection));
        let gone = self.absences.gone(&stored, &held, Instant::now().into_std());
        let next = target(read.iter().map(|read| &read.selection), &held, &gone);
        if read.iter().all(|read| step(&read.selection, &next) == Step::Keep) {
            return Ok(());
        }
        let was_everywhere = read.iter().any(|read| read.selection == Selection::Everywhere);
        if was_everywhere && self.narrowed.is_some_and(|narrowed| narrowed.elapsed() < NARROW_EVERY) {
            return Err(Trouble::Behind);
        }
        let found = holding(&self.client, mark, self.kinds).await?;
        if !found.is_subset(&held) || !read.iter().all(|read| selectors::answer_alike(&read.object.data)) {
            return Err(Trouble::Behind);
        }
        for read in read.iter_mut().rev() {
            if step(&read.selection, &next) != Step::Keep {
                read.write(&self.client, &next).await?;
            }
        }
        if was_everywhere {
            self.narrowed = Some(Instant::now());
        }
        Ok(())
    }

    fn say_whether_too_many(&mut self, target: &Selection) {
        let too_many = *target == Selection::Everywhere;
        if too_many && !self.too_many {
            tracing::warn!(
                most = NAMES_MAX,
                "too many namespaces hold singletons to list them: an outage would refuse scaling above one everywhere"
            );
        }
        self.too_many = too_many;
    }
}

const EVERY: Duration = Duration::from_secs(10);
/// For how long a replica that cannot follow the marked workloads leaves the list as it is.
const BLIND: Duration = Duration::from_secs(30);
/// How often a list is written where an outage refuses everywhere: another replica, which cannot follow, may have said so.
const NARROW_EVERY: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(1);
/// Each lost race means that another replica has written.
const ATTEMPTS: usize = 5;
