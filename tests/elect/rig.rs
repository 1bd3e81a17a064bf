//! The lab, and beside its own etcd another one that wants TLS, a client's certificate and a password.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use singleton_guard::elect::lock::Lock;
use singleton_guard::elect::record::{Record, Term};
use singleton_guard::elect::store::Store;
use tokio::runtime::Runtime;

use crate::harness::Cluster;
use crate::lab::component::Component;
use crate::lab::progress::Progress;
use crate::lab::stage::{API_ADDRESS, API_PORT, Entered};
use crate::lab::{Lab, Options};

/// A lab without the guard.
pub struct Rig {
    pub runtime: Runtime,
    pub lab: Lab,
    pub work: PathBuf,
    guarded: Component,
}

impl Cluster for Rig {
    fn boot(entered: Entered, progress: &Progress) -> Result<Self> {
        let runtime = Runtime::new().context("starting a runtime")?;
        let work = entered.work.clone();
        let etcd = entered.binaries.tools.join("etcd");
        let options = Options {
            guard_binary: env!("CARGO_BIN_EXE_singleton-guard").into(),
            image: "registry.example/nobody:none".to_owned(),
            progress: progress.clone(),
            nodes: &[],
            flags: |_| &[],
        };
        let lab = runtime.block_on(Lab::boot(entered, options))?;
        let file = |name: &str| work.join("pki").join(name).display().to_string();
        let flags = [
            format!("--data-dir={}", work.join("etcd-guarded").display()),
            format!("--listen-client-urls=https://{GUARDED}"),
            format!("--advertise-client-urls=https://{GUARDED}"),
            "--listen-peer-urls=http://127.0.0.1:22380".to_owned(),
            "--initial-advertise-peer-urls=http://127.0.0.1:22380".to_owned(),
            "--initial-cluster=default=http://127.0.0.1:22380".to_owned(),
            format!("--cert-file={}", file("apiserver.crt")),
            format!("--key-file={}", file("apiserver.key")),
            "--unsafe-no-fsync=true".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let guarded = {
            let _inside = runtime.enter();
            Component::start("etcd-guarded", &etcd, &flags, lab.logs())?
        };
        Ok(Self { runtime, lab, work, guarded })
    }

    fn check(&self) -> Result<()> {
        self.runtime.block_on(self.lab.check())
    }

    fn shutdown(mut self) -> Result<()> {
        self.runtime.block_on(async {
            self.guarded.stop(Duration::from_secs(2)).await?;
            self.lab.shutdown().await
        })
    }
}

impl Rig {
    /// A Lease, for who has this token.
    pub fn lease(&self, namespace: &str, name: &str, token: &str) -> Result<Store> {
        store(&self.lease_lock(namespace, name, token)?)
    }

    /// Its `--lock`.
    pub fn lease_lock(&self, namespace: &str, name: &str, token: &str) -> Result<String> {
        let file = self.work.join(format!("token-{namespace}-{name}"));
        std::fs::write(&file, token)?;
        let (ca, file) = (self.work.join("pki/ca.crt"), file.display());
        let server = format!("{API_ADDRESS}:{API_PORT}");
        Ok(format!("lease://{namespace}/{name}?server={server}&ca={}&token-file={file}", ca.display()))
    }

    /// A token of a ServiceAccount that may do this with the Leases of its namespace, or with one of them.
    pub async fn account(&self, name: &str, verbs: &str, lease: Option<&str>) -> Result<String> {
        let namespace = name;
        self.lab.namespace(namespace).await?;
        let kubectl = async |arguments: &[&str]| self.lab.kubectl(arguments).await?.success();
        let (verbs, only) = (format!("--verb={verbs}"), lease.map(|lease| format!("--resource-name={lease}")));
        let mut role =
            vec!["create", "role", "elect", "-n", namespace, &verbs, "--resource=leases.coordination.k8s.io"];
        role.extend(only.as_deref());
        kubectl(&role).await?;
        let account = format!("--serviceaccount={namespace}:default");
        kubectl(&["create", "rolebinding", "elect", "-n", namespace, "--role=elect", &account]).await?;
        kubectl(&["create", "token", "default", "-n", namespace]).await
    }
}

/// What `--lock` opens.
pub fn store(lock: &str) -> Result<Store> {
    Ok(Store::open(&lock.parse::<Lock>()?)?)
}

/// A record of the replica that has drawn this number.
pub fn record(by: u64, beat: u64) -> Record {
    let holder = Some(Arc::from(format!("broker-{by}")));
    let lease = Duration::from_secs(15);
    Record { holder, term: Term { by, number: 1 }, beat, is_released: false, lease }
}

/// Once more until it is so.
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) -> Result<()> {
    for _ in 0..200 {
        if is_so().await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{what}: not within 20 s")
}

/// Where the etcd that wants TLS and a password is.
pub const GUARDED: &str = "127.0.0.1:22379";
