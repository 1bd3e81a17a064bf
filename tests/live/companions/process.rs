//! The companions' controller as a process of the test: started with a configuration and an identity, read by its log
//! and its metrics, killed when it is dropped. Nobody calls its webhook.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use singleton_guard::certs::authority::{make, service_names};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::common::binary::guard_binary;
use crate::common::eventually;
use crate::lab::Lab;
use crate::spec::case::with;

/// A controller of the test's own.
pub struct Process {
    child: Child,
    started: Instant,
    log: PathBuf,
}

impl Process {
    /// Starts one that is called `name`, with a configuration of the defaults and this overlay. It acts as the
    /// administrator, or as a user that the administrator impersonates and whose rights are RBAC's.
    pub fn start(lab: &Lab, name: &str, overlay: Value, user: Option<&str>) -> Result<Self> {
        let user = user.map(|user| (user.to_owned(), "system:authenticated"));
        Self::start_as(lab, name, overlay, Nature { user, ..Nature::default() })
    }

    /// Starts one of another nature.
    pub fn start_as(lab: &Lab, name: &str, overlay: Value, nature: Nature) -> Result<Self> {
        let directory = lab.logs().join(name);
        std::fs::create_dir_all(&directory)?;
        let config = directory.join("config.yaml");
        let base = json!({"apiVersion": "singleton-guard.io/v1", "kind": "GuardConfiguration"});
        std::fs::write(&config, with(&base, overlay).to_string())?;
        let mut kubeconfig = lab.logs().parent().context("a work directory")?.join("pki/admin.kubeconfig");
        if let Some((user, group)) = nature.user {
            let mut access: Value = serde_json::from_slice(&std::fs::read(&kubeconfig)?)?;
            access["users"][0]["user"]["as"] = user.into();
            access["users"][0]["user"]["as-groups"] = json!([group]);
            kubeconfig = directory.join("kubeconfig");
            std::fs::write(&kubeconfig, access.to_string())?;
        }
        let log = directory.join("log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let material = make(&service_names("singleton-guard", name), SystemTime::now())?;
        std::fs::write(directory.join("tls.crt"), &material.leaf)?;
        std::fs::write(directory.join("tls.key"), &material.leaf_key)?;
        let started = Instant::now();
        let mut command = Command::new(nature.program);
        if nature.clock != 0 {
            command.env("LD_PRELOAD", shifted_clock(&directory)?).env("SHIFT_SECONDS", nature.clock.to_string());
        }
        let child = command
            .args(["serve", "--bind-address=127.0.0.1", "--port=0", "--operations-port=0"])
            .arg(format!("--config={}", config.display()))
            .arg(format!("--certificate-directory={}", directory.display()))
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg(format!("--instance={name}"))
            // From the Dockerfile.
            .env("MIMALLOC_ALLOW_THP", "0")
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, started, log })
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("killing a controller")
    }

    /// The lines of its log so far that are JSON and have a message that begins like this.
    pub fn lines(&self, message: &str) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(&self.log)?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.filter(|line| line["message"].as_str().is_some_and(|text| text.starts_with(message))).collect())
    }

    /// The sum of all series of a metric whose labels contain this text.
    pub async fn metric(&self, name: &str, labels: &str) -> Result<f64> {
        let address = eventually("the operations port", || async { self.operations() }).await?;
        let text = get(address, "/metrics").await?;
        ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
        let series = text.lines().filter(|line| line.starts_with(name) && line.contains(labels));
        Ok(series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Where its operations port is, once it has said so.
    fn operations(&self) -> Result<Option<SocketAddr>> {
        let lines = self.lines("listening")?;
        let line = lines.iter().find(|line| line["flag"] == "operations-port");
        Ok(line.and_then(|line| line["address"].as_str()?.parse().ok()))
    }

    /// How long it took from exec until it was ready; looks every half of a millisecond.
    pub async fn until_ready(&self) -> Result<Duration> {
        let mut address = None;
        for _ in 0..PATIENCE {
            address = if address.is_some() { address } else { self.operations()? };
            if let Some(address) = address
                && get(address, "/readyz").await?.starts_with("HTTP/1.1 200")
            {
                return Ok(self.started.elapsed());
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        bail!("never ready: {}", std::fs::read_to_string(&self.log)?)
    }

    /// Memory by this name, as proc(5) shows it: `VmRSS` what is resident, `VmHWM` the most that ever was.
    pub fn memory(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap_or_default()));
        let status = status.unwrap_or_default();
        status.lines().find(|line| line.starts_with(name)).unwrap_or("gone").to_owned()
    }

    /// CPU time in ticks of 10 ms, as proc(5) counts it.
    pub fn cpu(&self) -> Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id().context("it runs")?))?;
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
    }
}

/// What a process is like.
pub struct Nature {
    /// Its program.
    pub program: PathBuf,
    /// Whom it acts as, and in which group; the administrator if nobody is named.
    pub user: Option<(String, &'static str)>,
    /// By how many seconds its clock is ahead.
    pub clock: i64,
}

impl Default for Nature {
    fn default() -> Self {
        Self { program: guard_binary(), user: None, clock: 0 }
    }
}

/// The library that makes a clock wrong, compiled into this directory.
fn shifted_clock(directory: &Path) -> Result<PathBuf> {
    let (source, library) = (directory.join("shift.c"), directory.join("shift.so"));
    std::fs::write(&source, include_str!("../../clock/shift.c"))?;
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .output()
        .context("starting cc")?;
    ensure!(compiled.status.success(), "cc: {}", String::from_utf8_lossy(&compiled.stderr));
    Ok(library)
}

async fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// Looks, before something is wrong.
const PATIENCE: usize = 40_000;
