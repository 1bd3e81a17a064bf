//! From a watch into a store, for one kind of object.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::line::Object;
use super::listener::{Heard, Listener, Refused};
use super::seen::{Meta, Seen};
use super::store::{Kept, Key, Store};

/// Turns an object into what is kept of it, or says why it cannot.
pub(crate) trait Reduce: Send {
    /// The part of `spec` that is read.
    type Spec: DeserializeOwned + Default + Send;
    /// The part of `status` that is read.
    type Status: DeserializeOwned + Default + Send;
    /// What is kept.
    type Value: Kept + Send + Sync;

    /// Of an object that could be read.
    ///
    /// # Errors
    /// Why it cannot be used; names no content.
    fn read(&self, seen: Seen<'_, Self::Spec, Self::Status>) -> Result<Self::Value, &'static str>;

    /// Of an object that cannot be used: what is kept in its place, if anything is.
    fn unread(&self, _uid: String, _why: &'static str) -> Option<Self::Value> {
        None
    }
}

/// Fills a store from one watch.
pub(crate) struct Feed<F, R: Reduce> {
    /// The store.
    pub(crate) store: Arc<Store<F, R::Value>>,
    /// Under which name the store has this watch.
    pub(crate) of: F,
    pub(crate) reduce: R,
}

impl<F: Copy + Ord + Send + Sync, R: Reduce> Feed<F, R> {
    fn key(&self, metadata: &Meta<'_>) -> Key<F> {
        Key { namespace: metadata.namespace.to_string(), name: metadata.name.to_string(), of: self.of }
    }

    /// What was known of it does not count any more.
    fn unread(&self, key: &Key<F>, uid: String, why: &'static str) -> Result<(), Refused> {
        let refused = Refused::Unread { namespace: key.namespace.clone(), name: key.name.clone(), why };
        match self.reduce.unread(uid, why) {
            Some(value) => {
                let _nothing_more_is_lost = self.store.lock().set(key, value);
            }
            None => self.store.lock().unset(key),
        }
        Err(refused)
    }
}

impl<F: Copy + Ord + Send + Sync, R: Reduce> Listener for Feed<F, R> {
    type Spec = R::Spec;
    type Status = R::Status;

    fn hear(&mut self, heard: Heard<'_, R::Spec, R::Status>) -> Result<(), Refused> {
        match heard {
            Heard::Begin => self.store.lock().begin(self.of),
            Heard::Is(Object::Read(seen)) => {
                let (key, uid) = (self.key(&seen.metadata), seen.metadata.uid.to_string());
                match self.reduce.read(seen) {
                    Ok(value) => {
                        let lost = self.store.lock().set(&key, value);
                        if let Some(why) = lost {
                            return Err(Refused::Unread { namespace: key.namespace, name: key.name, why });
                        }
                    }
                    Err(why) => return self.unread(&key, uid, why),
                }
            }
            Heard::Is(Object::Unread(metadata, why)) => {
                return self.unread(&self.key(&metadata), metadata.uid.to_string(), why);
            }
            Heard::Gone(metadata) => self.store.lock().unset(&self.key(&metadata)),
            Heard::Whole(_) => self.store.lock().end(self.of),
            Heard::Nothing(_) => {}
            Heard::Follows(follows) => self.store.lock().follows(self.of, follows),
        }
        Ok(())
    }
}
