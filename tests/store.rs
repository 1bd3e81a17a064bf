//! What the watches have told, as their readers find it: whole, told once however often it changed, and bounded for each
//! namespace.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use singleton_guard::cluster::store::{Kept, Key, Reader, Store, WEIGHT_MAX};

/// An object of this many bytes, or one of which less is kept.
#[derive(Debug, Clone, PartialEq)]
struct Object(usize);

impl Kept for Object {
    fn weight(&self) -> usize {
        self.0
    }

    fn lighten(&mut self) -> Option<&'static str> {
        self.0 = 0;
        Some("too much")
    }
}

fn key(namespace: &str, name: &str) -> Key<u8> {
    Key { namespace: namespace.to_owned(), name: name.to_owned(), of: 0 }
}

async fn heard(reader: &mut Reader<u8, Object>) -> Vec<String> {
    let size = |object: Option<Arc<Object>>| object.map_or_else(|| "-".to_owned(), |object| object.0.to_string());
    let changes = reader.changed().await.into_iter();
    changes.map(|change| format!("{} {} to {}", change.key.name, size(change.before), size(change.after))).collect()
}

#[tokio::test]
async fn what_changed_often_is_told_once() {
    let store = Store::new([0]);
    let (mut all, mut none) =
        (store.reader(|_, _| true), store.reader(|before, after| before.is_some() != after.is_some()));
    store.lock().set(&key("a", "x"), Object(1));
    assert_eq!(
        (heard(&mut all).await, heard(&mut none).await),
        (vec!["x - to 1".to_owned()], vec!["x - to 1".to_owned()])
    );
    store.lock().set(&key("a", "x"), Object(1));
    store.lock().set(&key("a", "x"), Object(2));
    store.lock().set(&key("a", "x"), Object(3));
    assert_eq!(heard(&mut all).await, ["x 1 to 3"]);
    store.lock().unset(&key("a", "x"));
    // It was not interested in what came between.
    assert_eq!(
        (heard(&mut all).await, heard(&mut none).await),
        (vec!["x 3 to -".to_owned()], vec!["x 3 to -".to_owned()])
    );
}

#[tokio::test]
async fn what_a_list_does_not_show_is_gone_when_it_is_whole() {
    let store = Store::new([0]);
    let mut reader = store.reader(|_, _| true);
    let names = || store.lock().entries().map(|(key, _)| key.name.clone()).collect::<Vec<_>>();
    store.lock().begin(0);
    store.lock().set(&key("a", "x"), Object(1));
    assert!(!store.lock().is_synced(), "nothing is known to be absent yet");
    store.lock().end(0);
    assert!(store.lock().is_synced());
    assert_eq!(heard(&mut reader).await, ["x - to 1"]);
    store.lock().begin(0);
    store.lock().set(&key("a", "y"), Object(1));
    assert_eq!(names(), ["x", "y"], "the list has not come to x yet");
    store.lock().end(0);
    assert_eq!(names(), ["y"]);
    assert_eq!(heard(&mut reader).await, ["x 1 to -", "y - to 1"]);
}

#[test]
fn of_one_namespace_no_more_is_kept_than_is_allowed_and_others_do_not_pay() {
    let store = Store::new([0]);
    let mut state = store.lock();
    let half = WEIGHT_MAX / 2;
    assert_eq!(state.set(&key("a", "x"), Object(half)), None);
    assert_eq!(state.set(&key("a", "y"), Object(half)), None);
    assert_eq!(state.set(&key("a", "z"), Object(1)), Some("too much"));
    assert_eq!(state.get(&key("a", "z")), Some(&Object(0)));
    assert_eq!(state.set(&key("b", "z"), Object(half)), None, "another namespace");
    // What goes makes room, and so does what shrinks.
    state.unset(&key("a", "x"));
    assert_eq!(state.set(&key("a", "y"), Object(1)), None);
    assert_eq!(state.set(&key("a", "z"), Object(half)), None);
}
