//! A replica as a process of its own that follows the lab's API server. Nobody calls its webhook.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use singleton_guard::certs::authority::{make, service_names};

use crate::lab::Lab;
use crate::process::{Memory, Process, free_address};
use crate::{post, settle};

/// What is run.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) file: PathBuf,
}

/// One that runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Replica(Process);

/// When something was looked at, and the CPU time up to then of each replica.
#[derive(Debug)]
pub(crate) struct Look<const N: usize> {
    at: Instant,
    cpu: [Duration; N],
}

impl Replica {
    /// Starts one, and waits until it is ready.
    pub(crate) fn start(lab: &Lab, Program { name, file }: &Program) -> Result<Self> {
        let operations = free_address()?;
        let mut command = Command::new(file);
        command.args(["serve", "--bind-address=127.0.0.1", "--port=0", "--namespace=default"]);
        command.arg(format!("--operations-port={}", operations.port()));
        command.arg(format!("--certificate-directory={}", lab.logs().display()));
        command.arg(format!("--kubeconfig={}", lab.kubeconfig().display()));
        command.arg(format!("--instance={name}"));
        command.arg(format!("--validating-configuration={CONFIGURATION}"));
        // From the Dockerfile.
        command.env("MIMALLOC_ALLOW_THP", "0");
        let mut process = Process::start(&mut command)?;
        process.until_ready(operations)?;
        Ok(Self(process))
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        self.0.memory()
    }
}

impl<const N: usize> Look<N> {
    pub(crate) fn at(replicas: &[Replica; N]) -> Result<Self> {
        let mut cpu = [Duration::ZERO; N];
        for (cpu, Replica(process)) in cpu.iter_mut().zip(replicas) {
            *cpu = Duration::from_nanos(process.cpu_nanoseconds()?);
        }
        Ok(Self { at: Instant::now(), cpu })
    }

    /// How long ago that was, and the CPU time of each since then, in seconds.
    pub(crate) fn since(&self, replicas: &[Replica; N]) -> Result<(f64, [f64; N])> {
        let now = Self::at(replicas)?;
        let mut cpu = [0.0; N];
        for (cpu, (now, then)) in cpu.iter_mut().zip(now.cpu.iter().zip(self.cpu)) {
            *cpu = now.saturating_sub(then).as_secs_f64();
        }
        Ok(((now.at - self.at).as_secs_f64(), cpu))
    }
}

/// Replicas share a certificate, and a webhook configuration that is never called, so that they have a list of namespaces
/// to keep.
pub(crate) async fn configuration(lab: &Lab) -> Result<()> {
    let material = make(&service_names("singleton-guard", "default"), SystemTime::now())?;
    std::fs::write(lab.logs().join("tls.crt"), &material.leaf)?;
    std::fs::write(lab.logs().join("tls.key"), &material.leaf_key)?;
    let entry = json!({
        "name": "scale.singleton-guard.io",
        "clientConfig": {
            "service": {"namespace": "default", "name": "singleton-guard"},
            "caBundle": STANDARD.encode(&material.authority),
        },
        "rules": [
            {"apiGroups": ["nobody.example"], "apiVersions": ["v1"], "resources": ["nothings"], "operations": ["CREATE"]},
        ],
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    });
    let object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [entry],
    });
    post(&lab.client(), "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", &object).await?;
    settle(1).await;
    Ok(())
}

const CONFIGURATION: &str = "following";
