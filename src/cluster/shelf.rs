//! What a watch has told, by namespace and name. It answers what changed with each word of it.

use std::collections::BTreeMap;

use super::follow::Heard;

/// One change of one object: how it was and how it is.
#[derive(Debug)]
pub(crate) struct Change<V> {
    pub(crate) namespace: String,
    pub(crate) before: Option<V>,
    pub(crate) after: Option<V>,
}

/// The objects of one watch, by namespace and name. A list that runs is kept apart until it is whole.
#[derive(Debug)]
pub(crate) struct Shelf<V> {
    items: BTreeMap<(String, String), V>,
    incoming: Option<BTreeMap<(String, String), V>>,
    pub(crate) is_synced: bool,
}

impl<V: PartialEq + Clone> Shelf<V> {
    /// Puts what was heard on the shelf; `settle` may carry something over from the object as it was.
    pub(crate) fn heed(&mut self, heard: Heard<V>, settle: impl Fn(Option<&V>, &mut V)) -> Vec<Change<V>> {
        let settled = |shelf: &Self, key: &(String, String), mut value: V| {
            settle(shelf.get(&key.0, &key.1), &mut value);
            value
        };
        match heard {
            Heard::Begin => self.begin(),
            Heard::Listed(key, value) => {
                let value = settled(self, &key, value);
                self.listed(key, value);
            }
            Heard::End => return self.end(),
            Heard::Set(key, value) => {
                let value = settled(self, &key, value);
                return self.set(key, value).into_iter().collect();
            }
            Heard::Unset(key) => return self.unset(&key).into_iter().collect(),
        }
        Vec::new()
    }

    /// A list begins.
    fn begin(&mut self) {
        self.incoming = Some(BTreeMap::new());
    }

    /// An object of the list.
    fn listed(&mut self, key: (String, String), value: V) {
        self.incoming.get_or_insert_default().insert(key, value);
    }

    /// The list is whole: it takes the place of what there was.
    fn end(&mut self) -> Vec<Change<V>> {
        self.is_synced = true;
        let fresh = self.incoming.take().unwrap_or_default();
        let mut before = std::mem::replace(&mut self.items, fresh);
        let mut changes = Vec::new();
        for ((namespace, name), value) in &self.items {
            let old = before.remove(&(namespace.clone(), name.clone()));
            if old.as_ref() != Some(value) {
                changes.push(Change { namespace: namespace.clone(), before: old, after: Some(value.clone()) });
            }
        }
        let gone = before.into_iter();
        changes.extend(gone.map(|((namespace, _), old)| Change { namespace, before: Some(old), after: None }));
        changes
    }

    /// An object is new or has changed. Nothing if not in what is kept of it.
    fn set(&mut self, key: (String, String), value: V) -> Option<Change<V>> {
        let namespace = key.0.clone();
        let before = self.items.insert(key, value.clone());
        (before.as_ref() != Some(&value)).then_some(Change { namespace, before, after: Some(value) })
    }

    /// An object is gone.
    fn unset(&mut self, key: &(String, String)) -> Option<Change<V>> {
        let before = self.items.remove(key)?;
        Some(Change { namespace: key.0.clone(), before: Some(before), after: None })
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&V> {
        self.items.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// All, each with its namespace and name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&(String, String), &V)> {
        self.items.iter()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &V> {
        self.items.values()
    }

    pub(crate) fn within(&self, namespace: &str) -> impl Iterator<Item = &V> {
        let first = (namespace.to_owned(), String::new());
        let namespace = namespace.to_owned();
        self.items.range(first..).take_while(move |((of, _), _)| *of == namespace).map(|(_, value)| value)
    }
}

impl<V> Default for Shelf<V> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), incoming: None, is_synced: false }
    }
}
