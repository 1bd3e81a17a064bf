//! The files that the servers need: a certificate like the one that is shipped, and a kubeconfig. In a private directory that
//! goes when the fixture goes.

use std::fs::{self, DirBuilder};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde_json::json;
use singleton_guard::certs::authority::{make, service_names};
use singleton_guard::certs::material::Material;

/// The directory. Shared by all servers, so all handshakes cost the same.
#[derive(Debug)]
pub(crate) struct Fixture {
    directory: PathBuf,
    api_server: SocketAddr,
    material: Material,
}

impl Fixture {
    /// Makes it. `api_server` is where the kubeconfig leads.
    pub(crate) fn create(api_server: SocketAddr) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("singleton-guard-bench-{}", std::process::id()));
        // It holds a private key.
        DirBuilder::new().mode(0o700).create(&directory).with_context(|| format!("making {}", directory.display()))?;
        let mut names = service_names("singleton-guard", "singleton-guard");
        names.push(api_server.ip().to_string());
        let fixture = Self { directory, api_server, material: make(&names, SystemTime::now())? };
        fixture.write("ca.crt", &fixture.material.authority)?;
        fixture.write("tls.crt", &fixture.material.leaf)?;
        fixture.write("tls.key", &fixture.material.leaf_key)?;
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "bench", "cluster": {
                "server": format!("https://{api_server}"),
                "certificate-authority": fixture.authority(),
            } }],
            "users": [{ "name": "bench", "user": { "token": "bench" } }],
            "contexts": [{ "name": "bench", "context": { "cluster": "bench", "user": "bench" } }],
            "current-context": "bench",
        });
        // JSON is YAML.
        fixture.write("kubeconfig", &kubeconfig.to_string())?;
        Ok(fixture)
    }

    /// With `tls.crt` and `tls.key`.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the API server listens.
    pub(crate) fn api_server(&self) -> SocketAddr {
        self.api_server
    }

    /// The authority, with its key.
    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    /// What clients trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// How to reach the API server.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.directory.join(name), text).with_context(|| format!("writing {name}"))
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // What is left in the temporary directory hurts nobody.
        let _left = fs::remove_dir_all(&self.directory);
    }
}

/// The name by which the API server calls a webhook behind a Service.
pub(crate) const SERVER_NAME: &str = "singleton-guard.singleton-guard.svc";
