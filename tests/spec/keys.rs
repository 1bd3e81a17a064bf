//! Keys of strict singletons that are derived from their workloads.

use proptest::prelude::*;
use serde_json::json;
use singleton_guard::api::key;
use singleton_guard::api::kind::Kind;
use singleton_guard::api::object::Object;

use super::properties::check;

/// A derived key is the name of a Pod, and tells apart workloads whatever they are called.
#[test]
fn derived_keys_are_names() -> Result<(), String> {
    let name = "[a-z0-9]([a-z0-9.-]{0,100}[a-z0-9])?";
    let kinds = prop::sample::select(vec![Kind::REPLICA_SET, Kind::DEPLOYMENT, Kind::REPLICATION_CONTROLLER]);
    check(2_000, (name, name, kinds.clone(), kinds), |(one, other, kind, another)| {
        let key = |kind, name: &str| {
            let object = json!({"metadata": {"name": name}}).to_string();
            let object: Object<'_> = serde_json::from_str(&object).expect("an object");
            key::derived(kind, &object).expect("a key")
        };
        let (a, b) = (key(kind, &one), key(another, &other));
        prop_assert!(key::is_key(&a), "{} gives {}", one, a);
        prop_assert!((kind, one) == (another, other) || a != b, "{} for both", a);
        Ok(())
    })
}
