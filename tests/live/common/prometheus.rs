//! A real Prometheus in the lab. It scrapes the replicas and the API server, and can be asked.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::installed::NAMESPACE;
use crate::lab::Lab;
use crate::lab::component::Component;

/// It runs until it is stopped, or dropped.
pub struct Prometheus {
    process: Component,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts this program, which is to scrape the Pods of these names and addresses.
    pub fn start(lab: &Lab, program: &Path, pods: &[(String, String)]) -> Result<Self> {
        let directory = lab.logs().join("prometheus");
        std::fs::create_dir_all(&directory)?;
        let file = directory.join("prometheus.yml");
        std::fs::write(&file, configuration(lab, &directory, pods)?.to_string())?;
        // Free a moment ago, and nobody else takes one here.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", directory.join("data").display()),
            format!("--web.listen-address={address}"),
        ];
        let process = Component::start("prometheus", program, &arguments, lab.logs())?;
        Ok(Self { process, address })
    }

    /// The labels of each series that it answers with; none while it does not answer yet.
    pub async fn ask(&self, query: &str) -> Result<Vec<Value>> {
        let Ok(mut stream) = TcpStream::connect(self.address).await else { return Ok(Vec::new()) };
        let encoded = query.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        // In HTTP/1.0 no answer comes in pieces.
        stream.write_all(format!("GET /api/v1/query?query={encoded} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        if head.contains(" 503 ") {
            return Ok(Vec::new());
        }
        let body: Value = serde_json::from_str(body).with_context(|| answer.clone())?;
        ensure!(body["status"] == "success", "{query}\n{body}");
        let series = body["data"]["result"].as_array().cloned().unwrap_or_default();
        Ok(series.into_iter().map(|series| series["metric"].clone()).collect())
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        self.process.stop(Duration::from_secs(10)).await
    }
}

/// Our Pods with the labels that a `PodMonitor` gives them, and the API server. (The program of Debian cannot look for Pods by
/// itself.) All are of one cluster, by the label that tells clusters apart.
fn configuration(lab: &Lab, directory: &Path, pods: &[(String, String)]) -> Result<Value> {
    let access: Value = serde_json::from_slice(&std::fs::read(lab.kubeconfig())?)?;
    let (cluster, user) = (&access["clusters"][0]["cluster"], &access["users"][0]["user"]);
    let keep = |name: &str, data: &Value| {
        let path = directory.join(name);
        std::fs::write(&path, STANDARD.decode(data.as_str().unwrap_or_default())?)?;
        anyhow::Ok(path)
    };
    let tls = json!({
        "ca_file": keep("ca.crt", &cluster["certificate-authority-data"])?,
        "cert_file": keep("client.crt", &user["client-certificate-data"])?,
        "key_file": keep("client.key", &user["client-key-data"])?,
    });
    let server = cluster["server"].as_str().and_then(|server| server.strip_prefix("https://"));
    let pods = pods.iter().map(|(pod, address)| {
        json!({"targets": [address], "labels": {"cluster": "lab", "namespace": NAMESPACE, "pod": pod}})
    });
    Ok(json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {"job_name": "singleton-guard", "static_configs": pods.collect::<Vec<_>>()},
            {
                "job_name": "apiserver", "scheme": "https", "tls_config": tls,
                "scrape_interval": "3s", "scrape_timeout": "3s",
                "static_configs": [{"targets": [server], "labels": {"cluster": "lab"}}],
                // The rest is megabytes.
                "metric_relabel_configs": [
                    {"source_labels": ["__name__"], "regex": "apiserver_admission_webhook_.+", "action": "keep"},
                ],
            },
        ],
    }))
}
