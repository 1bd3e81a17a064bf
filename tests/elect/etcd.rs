//! etcd by its JSON gateway.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use singleton_guard::elect::record::Cell;
use singleton_guard::elect::store::{Failed, Register as _};
use tokio::process::Command;
use tokio::time::timeout;

use crate::lab::etcd::Etcd;
use crate::rig::{GUARDED, Rig, record, store, until};
use crate::stores::{etcd_store, won};

/// Something else under the key is nobody's to take, and an empty value is as good as none.
pub async fn what_is_there(_rig: &Rig) -> Result<()> {
    let etcd = Etcd::client()?;
    etcd.write([("elect/other".to_owned(), b"{\"holder\":\"somebody\"}".to_vec())]).await?;
    let Cell::Foreign(why) = etcd_store("other")?.read().await? else { bail!("it was taken for ours") };
    ensure!(why.starts_with("it is no record of elect"), "{why}");

    etcd.write([("elect/empty".to_owned(), Vec::new())]).await?;
    let store = etcd_store("empty")?;
    let Cell::Empty(Some(at)) = store.read().await? else { bail!("it is not empty") };
    ensure!(store.swap(None, &record(1, 1)).await?.is_none(), "it was made although it is there");
    won(store.swap(Some(at), &record(1, 2)).await)?;
    Ok(())
}

/// One that nobody listens at, one that listens and never answers, and the real one.
pub async fn another_member(_rig: &Rig) -> Result<()> {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let members = format!("127.0.0.1:9,{},127.0.0.1:2379", silent.local_addr()?);
    let store = store(&format!("etcd://{members}/elect/members"))?;
    let Err(Failed::Unreached(member, _)) = store.read().await else { bail!("nobody listens there") };
    ensure!(member == "127.0.0.1:9", "{member}");
    ensure!(timeout(Duration::from_millis(300), store.read()).await.is_err(), "it has answered");
    // And from then on it stays with the one that answers.
    for _ in 0..3 {
        ensure!(store.read().await? == Cell::Empty(None), "{:?}", store.read().await);
    }
    Ok(())
}

/// Its words for who is not let in, and the password is read again when it has changed.
pub async fn guarded(rig: &Rig) -> Result<()> {
    let file = rig.work.join("password");
    std::fs::write(&file, "wrong\n")?;
    let ca = rig.work.join("pki/ca.crt");
    let lock = format!("etcd://{GUARDED}/elect/guarded?ca={}", ca.display());
    let open = store(&lock)?;
    until("etcd with TLS answers", async || open.read().await.is_ok()).await?;
    protect(rig).await?;

    let said = format!("{}", open.read().await.err().context("it was read by nobody")?);
    ensure!(said.contains("the store cannot answer") || said.contains("does not accept"), "{said}");
    let user = store(&format!("{lock}&user=elect&password-file={}", file.display()))?;
    let said = format!("{}", user.read().await.err().context("the password is wrong")?);
    ensure!(said.contains("does not accept who asks"), "{said}");
    std::fs::write(&file, "secret\n")?;
    ensure!(user.read().await? == Cell::Empty(None), "{:?}", user.read().await);
    won(user.swap(None, &record(1, 1)).await)?;

    // It has a right on this one key.
    let lock = format!("etcd://{GUARDED}/other?ca={}", ca.display());
    let other = store(&format!("{lock}&user=elect&password-file={}", file.display()))?;
    let said = format!("{}", other.read().await.err().context("it may not")?);
    ensure!(said.contains("no right to read the record"), "{said}");
    let said = format!("{}", store(&format!("etcd://{GUARDED}/elect/guarded"))?.read().await.err().context("no TLS")?);
    ensure!(said.contains("cannot be reached") || said.contains("cannot answer"), "{said}");
    Ok(())
}

/// Two users, one of them with a right on one key; from then on etcd asks who it is.
async fn protect(rig: &Rig) -> Result<()> {
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "elect/guarded");
    let permission = json!({"permType": "READWRITE", "key": key});
    for (what, body) in [
        ("user/add", json!({"name": "root", "password": "root"})),
        ("role/add", json!({"name": "root"})),
        ("user/grant", json!({"user": "root", "role": "root"})),
        ("user/add", json!({"name": "elect", "password": "secret"})),
        ("role/add", json!({"name": "elect"})),
        ("role/grant", json!({"name": "elect", "perm": permission})),
        ("user/grant", json!({"user": "elect", "role": "elect"})),
        ("enable", json!({})),
    ] {
        let (url, body) = (format!("https://{GUARDED}/v3/auth/{what}"), body.to_string());
        let ca = rig.work.join("pki/ca.crt");
        let mut curl = Command::new("curl");
        let asked =
            curl.args(["-sS", "--fail-with-body", "--cacert"]).arg(ca).args(["-d", &body, &url]).output().await?;
        ensure!(asked.status.success(), "{what}: {}", String::from_utf8_lossy(&asked.stdout));
    }
    Ok(())
}
