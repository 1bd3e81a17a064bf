//! The loop that keeps the list: at once when a namespace gets its first singleton, and every few seconds whatever
//! anybody has done to the configurations. A quiet cluster sees no write.
//!
//! Every write names the revision that was read, so that of two replicas one looks again. A write after which an outage
//! may refuse less is made only while what the watches have told is not behind the store itself: a replica that was
//! stopped for an hour knows nothing of the namespaces of that hour.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use kube::Client;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout};

use super::plan::{Absences, NAMES_MAX, Selection, Step, listed, step, target};
use super::{FIELD_MANAGER, selectors};
use crate::api::kind::KINDS;
use crate::api::mark::MarkKey;
use crate::certs::Configuration;
use crate::cluster::line::Object;
use crate::cluster::list::Asked;
use crate::cluster::seen::Meta;
use crate::cluster::sieve::Keep;
use crate::cluster::{exchange, words};
use crate::configuration::Current;
use crate::index::{Entry, Index};

/// Keeps the list of namespaces.
pub struct Upkeep {
    client: Client,
    settings: Current,
    /// Always listed: a list must not be empty.
    own: String,
    configurations: Vec<Configuration>,
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

/// A configuration with entries that are called by namespace.
struct Read {
    configuration: Configuration,
    object: DynamicObject,
    selection: Selection,
}

impl Upkeep {
    /// `own` is the namespace of this process, `configurations` are those of its release.
    #[must_use]
    pub fn new(
        client: Client,
        index: Index,
        settings: Current,
        own: String,
        configurations: Vec<Configuration>,
    ) -> Self {
        let absences = Absences::default();
        Self { client, settings, own, configurations, index, absences, narrowed: None, too_many: false, trouble: None }
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
        let (mut read, mut whole) = self.read().await;
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
                whole = whole.and(self.write(read, &next).await);
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
        let found = self.now(mark).await?;
        if !found.is_subset(&held) || !read.iter().all(|read| selectors::answer_alike(&read.object.data)) {
            return Err(Trouble::Behind);
        }
        for read in read.iter_mut().rev() {
            if step(&read.selection, &next) != Step::Keep {
                self.write(read, &next).await?;
            }
        }
        if was_everywhere {
            self.narrowed = Some(Instant::now());
        }
        Ok(())
    }

    /// The namespaces that hold a marked workload at this moment, from the store itself.
    async fn now(&self, mark: &MarkKey) -> Result<BTreeSet<String>, Trouble> {
        let mut namespaces = BTreeSet::new();
        for info in KINDS {
            let asked = Asked {
                collection: info.collection(),
                selector: mark.to_string(),
                metadata_only: true,
                keep: Keep::fields([("metadata", Meta::keep([]))]),
            };
            let listed = asked.list(&self.client, |object: Object<'_>| {
                namespaces.insert(object.into_metadata().namespace.into_owned());
            });
            listed.await.map_err(Trouble::List)?;
        }
        Ok(namespaces)
    }

    /// The configurations that matter, and whether all could be read: one that cannot must not keep the others that
    /// refuse from learning of a namespace. Whoever refuses in the namespaces of the list comes first: it is the first
    /// to know of one, and the last to forget it.
    async fn read(&self) -> (Vec<Read>, Result<(), Trouble>) {
        let get = async |configuration: &Configuration| configuration.api(&self.client).get(&configuration.name).await;
        // Together: a new namespace is to be listed soon.
        let objects = join_all(self.configurations.iter().map(get)).await;
        let (mut read, mut whole) = (Vec::new(), Ok(()));
        for (configuration, object) in self.configurations.iter().zip(objects) {
            match object {
                Ok(object) => {
                    if let Some(selection) = selectors::selection(&object.data) {
                        read.push(Read { configuration: configuration.clone(), object, selection });
                    }
                }
                Err(cause) => whole = whole.and(Err(Trouble::api("get", configuration, &cause))),
            }
        }
        read.sort_by_key(|read| !selectors::refuses_in_listed(&read.object.data));
        (read, whole)
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

    async fn write(&self, read: &mut Read, selection: &Selection) -> Result<(), Trouble> {
        let Read { configuration, object, .. } = &*read;
        let resource = configuration.resource();
        let patch = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": { "name": configuration.name, "resourceVersion": object.metadata.resource_version },
            "webhooks": selectors::written(&object.data, selection),
        });
        // By force: a manager that wrote another selector here does not know where the singletons are.
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let api = configuration.api(&self.client);
        let written = api.patch(&configuration.name, &parameters, &Patch::Apply(&patch)).await;
        let written = written.map_err(|cause| match &cause {
            kube::Error::Api(status) if status.is_conflict() => Trouble::Overtaken,
            _ => Trouble::api("patch", configuration, &cause),
        })?;
        let namespaces = listed([selection]).len();
        tracing::info!(configuration = %read.configuration, namespaces, "wrote namespaceSelector");
        read.object = written;
        read.selection = selection.clone();
        Ok(())
    }
}

/// What went wrong; for the log.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// A configuration cannot be read or written.
    #[error("cannot {verb} {configuration}: {cause}")]
    Api { verb: &'static str, configuration: String, cause: String },
    /// The store cannot be asked.
    #[error("cannot list marked workloads: {0}")]
    List(exchange::Trouble),
    /// The configuration has changed since it was read.
    #[error("another replica was faster")]
    Overtaken,
    /// The store knows of a namespace that the watches have not told of, or an entry has not got its caBundle yet.
    #[error("the watches are behind")]
    Behind,
    /// No answer.
    #[error("the API server did not answer within {} s", LOOK.as_secs())]
    Slow,
}

impl Trouble {
    fn api(verb: &'static str, configuration: &Configuration, cause: &kube::Error) -> Self {
        Self::Api { verb, configuration: configuration.to_string(), cause: words(cause) }
    }
}

const EVERY: Duration = Duration::from_secs(10);
/// For how long a replica that cannot follow the marked workloads leaves the list as it is.
const BLIND: Duration = Duration::from_secs(30);
/// How often a list is written where an outage refuses everywhere: another replica, which cannot follow, may have said so.
const NARROW_EVERY: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(10);
/// Each lost race means that another replica has written.
const ATTEMPTS: usize = 5;
