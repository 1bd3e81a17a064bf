//! The marked workloads that there are, as the watches tell: names only. Pure.

use std::collections::BTreeSet;

use crate::policy::kind::KINDS;

/// Namespace and name.
pub type Name = (String, String);

/// What a watch says about one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A list begins.
    Begin,
    /// One of the list.
    Listed(Name),
    /// The list is whole: it takes the place of what there was.
    End,
    /// It is there, and marked.
    Set(Name),
    /// It is gone, or not marked any more.
    Unset(Name),
}

/// The marked workloads of every kind.
#[derive(Debug, Default)]
pub struct View {
    kinds: [Marked; KINDS.len()],
}

#[derive(Debug, Default)]
struct Marked {
    names: BTreeSet<Name>,
    incoming: BTreeSet<Name>,
    is_synced: bool,
}

impl View {
    /// Takes in what was heard about the kind at this position of the registry. Says whether another workload is there
    /// than before.
    pub fn hear(&mut self, kind: usize, heard: Heard) -> bool {
        let Some(Marked { names, incoming, is_synced }) = self.kinds.get_mut(kind) else { return false };
        match heard {
            Heard::Begin => {
                incoming.clear();
                false
            }
            Heard::Listed(name) => {
                incoming.insert(name);
                false
            }
            Heard::End => {
                let before = std::mem::replace(names, std::mem::take(incoming));
                !std::mem::replace(is_synced, true) || before != *names
            }
            Heard::Set(name) => names.insert(name),
            Heard::Unset(name) => names.remove(&name),
        }
    }

    /// Whether every watch has listed once. Before that nothing is known to be absent.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.kinds.iter().all(|kind| kind.is_synced)
    }

    /// The namespaces that hold one.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.kinds.iter().flat_map(|kind| &kind.names).map(|(namespace, _)| namespace.clone()).collect()
    }
}
