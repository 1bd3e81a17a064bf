//! The Lease of a real API server.

use anyhow::{Context as _, Result, bail, ensure};
use singleton_guard::elect::record::{Cell, Record};
use singleton_guard::elect::store::{Failed, Register as _};

use crate::rig::{Rig, record};
use crate::stores::won;

/// As it shows those of the control plane; what others have written on it stays.
pub async fn kubectl_shows_the_holder(rig: &Rig) -> Result<()> {
    let token = rig.account("shown", "get,create,update", None).await?;
    let store = rig.lease("shown", "broker", &token)?;
    let kubectl = async |arguments: &[&str]| rig.lab.kubectl(arguments).await?.success();
    let field = async |path: &str| {
        let path = format!("jsonpath={path}");
        kubectl(&["get", "lease", "broker", "-n", "shown", "-o", &path]).await
    };

    // A record that was only made is nobody's.
    let at = won(store.swap(None, &Record { holder: None, ..record(7, 1) }).await)?;
    ensure!(field("{.spec.holderIdentity}").await?.is_empty(), "it is somebody's");
    won(store.swap(Some(at), &record(1, 2)).await)?;
    let shown = kubectl(&["get", "lease", "broker", "-n", "shown"]).await?;
    ensure!(shown.contains("HOLDER") && shown.contains("broker-1"), "{shown}");
    ensure!(field("{.spec.leaseDurationSeconds} {.spec.leaseTransitions}").await? == "15 1", "{shown}");
    let acquired = field("{.spec.acquireTime}").await?;
    ensure!(!acquired.is_empty() && acquired == field("{.spec.renewTime}").await?, "{acquired}");

    kubectl(&["annotate", "lease", "broker", "-n", "shown", "example.com/note=kept"]).await?;
    kubectl(&["label", "lease", "broker", "-n", "shown", "team=blue"]).await?;
    let Cell::Record(read, at) = store.read().await? else { bail!("it is no record") };
    ensure!(read == record(1, 2), "an annotation has changed it: {read:?}");
    let at = won(store.swap(Some(at), &record(1, 3)).await)?;
    ensure!(field("{.spec.acquireTime} {.spec.leaseTransitions}").await? == format!("{acquired} 1"), "renewed");
    let at = won(store.swap(Some(at), &Record { is_released: true, ..record(1, 4) }).await)?;
    ensure!(field("{.spec.holderIdentity}").await?.is_empty(), "it is held after it was released");
    won(store.swap(Some(at), &record(2, 1)).await)?;
    let kept =
        field("{.metadata.annotations.example\\.com/note} {.metadata.labels.team} {.spec.leaseTransitions}").await?;
    ensure!(kept == "kept blue 2", "{kept}");
    Ok(())
}

/// None of it is a release, and none of it is taken for a record.
pub async fn what_others_write(rig: &Rig) -> Result<()> {
    let token = rig.account("others", "get,create,update", None).await?;
    let kubectl = async |arguments: &[&str]| rig.lab.kubectl(arguments).await?.success();
    let patch =
        async |patch: &str| kubectl(&["patch", "lease", "broker", "-n", "others", "--type=merge", "-p", patch]).await;
    let store = rig.lease("others", "broker", &token)?;
    let made = won(store.swap(None, &record(1, 1)).await)?;

    patch("{\"spec\":{\"holderIdentity\":\"\"}}").await?;
    let Cell::Record(read, at) = store.read().await? else { bail!("emptied by hand, it is no record") };
    ensure!(!read.is_released && read.write() == record(1, 1).write() && at > made, "{read:?}");
    for released in ["true", "2", ""] {
        patch(&format!(
            "{{\"metadata\":{{\"annotations\":{{\"singleton-guard.io/elect-released\":\"{released}\"}}}}}}"
        ))
        .await?;
        let Cell::Record(read, _) = store.read().await? else { bail!("it is no record") };
        ensure!(!read.is_released, "released by hand with {released:?}");
    }
    patch("{\"metadata\":{\"annotations\":{\"singleton-guard.io/elect-beat\":\"x\"}}}").await?;
    ensure!(matches!(store.read().await?, Cell::Foreign(_)), "it was edited");
    patch("{\"metadata\":{\"annotations\":null},\"spec\":{\"holderIdentity\":\"client-go\"}}").await?;
    let Cell::Foreign(why) = store.read().await? else { bail!("it is somebody else's") };
    ensure!(why.contains("held by \"client-go\", which is not elect"), "{why}");
    // What nobody has used is made, from the revision that it has.
    patch("{\"spec\":{\"holderIdentity\":null}}").await?;
    let Cell::Empty(Some(at)) = store.read().await? else { bail!("nobody uses it") };
    let at = won(store.swap(Some(at), &record(2, 1)).await)?;

    // What was deleted and made again is another one.
    kubectl(&["delete", "lease", "broker", "-n", "others"]).await?;
    ensure!(store.read().await? == Cell::Empty(None), "it was deleted");
    ensure!(store.swap(Some(at), &record(2, 2)).await?.is_none(), "written although it is gone");
    let again = won(store.swap(None, &record(3, 1)).await)?;
    ensure!(again > at, "{again:?} after {at:?}");
    ensure!(store.swap(Some(at), &record(2, 3)).await?.is_none(), "written over another one");
    Ok(())
}

/// The workload never makes its Lease, so it may do no more than get and update that one.
pub async fn rights(rig: &Rig) -> Result<()> {
    let token = rig.account("rights", "get,update", Some("broker")).await?;
    let store = rig.lease("rights", "broker", &token)?;
    ensure!(store.read().await? == Cell::Empty(None), "it is there");
    let said = store.swap(None, &record(1, 1)).await.err().context("it may not make one")?;
    ensure!(matches!(&said, Failed::Forbidden("create", _)), "{said}");
    ensure!(said.to_string().starts_with("no right to create the record (403: leases"), "{said}");

    let manifest = "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: broker, namespace: rights}\n";
    rig.lab.kubectl_with_input(&["apply", "-f", "-"], manifest).await?.success()?;
    let Cell::Empty(Some(at)) = store.read().await? else { bail!("nobody has used it") };
    let at = won(store.swap(Some(at), &record(1, 1)).await)?;
    won(store.swap(Some(at), &record(1, 2)).await)?;

    let other = rig.lease("rights", "other", &token)?;
    let said = other.read().await.err().context("it may not see another one")?;
    ensure!(said.to_string().starts_with("no right to get the record (403"), "{said}");
    let nobody = rig.lease("rights", "nobody", "no token")?;
    let said = nobody.read().await.err().context("nobody knows it")?;
    ensure!(said.to_string().contains("does not accept who asks (401"), "{said}");
    Ok(())
}
