//! How far a watch has come, and what it remembers from one turn to the next.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tokio::time::Instant;

use super::exchange::Trouble;
use super::revision::Revision;

/// What one watch remembers from one turn to the next.
#[derive(Default)]
pub(super) struct Progress {
    /// The revision up to which everything was heard; none where it has to begin with a list.
    pub(super) from: Option<String>,
    /// Whether the last watch ran its full time.
    pub(super) ran_out: bool,
    /// The last trouble that was said.
    pub(super) said: Option<String>,
    /// Hashes of the names of objects that cannot be read.
    pub(super) unread: BTreeSet<u64>,
    /// When one of them was said last.
    pub(super) unread_said: Option<Instant>,
}

impl Progress {
    /// Nothing older may come than what came.
    pub(super) fn advance(&mut self, revision: &str) -> Result<(), Trouble> {
        let Some(from) = &mut self.from else { return Ok(()) };
        if !is_no_older(revision, from) {
            return Err(Trouble::Lost("the watch went back to an earlier revision".to_owned()));
        }
        from.clear();
        from.push_str(revision);
        Ok(())
    }
}

pub(super) fn hash(namespace: &str, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (namespace, name).hash(&mut hasher);
    hasher.finish()
}

/// Whether a revision is at least as new as another one. Where they are no numbers nobody knows.
pub(super) fn is_no_older(now: &str, from: &str) -> bool {
    matches!((Revision::parse(now), Revision::parse(from)), (Some(now), Some(from)) if now >= from)
}
