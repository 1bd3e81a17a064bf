//! What the lock asks of a store, of each of them.

use anyhow::{Result, bail, ensure};
use singleton_guard::elect::record::{Cell, Revision};
use singleton_guard::elect::store::{Failed, Register as _, Store};

use crate::harness::{Group, Test};
use crate::rig::{Rig, record, store};
use crate::{etcd, lease};

type Run = fn(&Rig) -> Result<()>;

pub fn group() -> Group<Rig> {
    let tests: [(&str, Run); 8] = [
        ("a key of etcd is a register", |rig| rig.runtime.block_on(is_a_register(&etcd_store("register")?))),
        ("a Lease is a register", |rig| {
            rig.runtime.block_on(async {
                let token = rig.account("register", "get,create,update", None).await?;
                is_a_register(&rig.lease("register", "broker", &token)?).await
            })
        }),
        ("etcd: what is there is read", |rig| rig.runtime.block_on(etcd::what_is_there(rig))),
        ("etcd: another member is asked", |rig| rig.runtime.block_on(etcd::another_member(rig))),
        ("etcd: TLS and a password", |rig| rig.runtime.block_on(etcd::guarded(rig))),
        ("Lease: kubectl shows the holder", |rig| rig.runtime.block_on(lease::kubectl_shows_the_holder(rig))),
        ("Lease: what others write", |rig| rig.runtime.block_on(lease::what_others_write(rig))),
        ("Lease: rights on one by name are enough", |rig| rig.runtime.block_on(lease::rights(rig))),
    ];
    let tests = tests.into_iter().map(|(name, run)| Test::new(name, run)).collect();
    Group { name: "stores", side_by_side: 4, tests }
}

pub fn etcd_store(key: &str) -> Result<Store> {
    store(&format!("etcd://127.0.0.1:2379/elect/{key}"))
}

/// Only who knows the last revision writes, and each write has a higher one.
async fn is_a_register(store: &Store) -> Result<()> {
    ensure!(store.read().await? == Cell::Empty(None), "it was there");
    let (one, two) = (record(1, 1), record(2, 7));
    let first = won(store.swap(None, &one).await)?;
    ensure!(store.swap(None, &two).await?.is_none(), "it was made twice");
    ensure!(store.read().await? == Cell::Record(one.clone(), first), "{:?}", store.read().await);

    let second = won(store.swap(Some(first), &two).await)?;
    ensure!(second > first, "{second:?} after {first:?}");
    ensure!(store.swap(Some(first), &one).await?.is_none(), "an old revision has written");
    let released = singleton_guard::elect::record::Record { is_released: true, ..record(2, 8) };
    let third = won(store.swap(Some(second), &released).await)?;
    match store.read().await? {
        Cell::Record(read, at) => ensure!(read.is_released && read.beat == 8 && at == third, "{read:?} at {at:?}"),
        other => bail!("{other:?}"),
    }

    // Of two that know the same revision one writes.
    let (ours, theirs) = (record(3, 1), record(4, 1));
    let (left, right) = tokio::join!(store.swap(Some(third), &ours), store.swap(Some(third), &theirs));
    let written = [left, right].into_iter().filter(|swapped| matches!(swapped, Ok(Some(_)))).count();
    ensure!(written == 1, "{written} of two have written");
    Ok(())
}

pub fn won(swapped: Result<Option<Revision>, Failed>) -> Result<Revision> {
    match swapped? {
        Some(revision) => Ok(revision),
        None => bail!("it was not written"),
    }
}
