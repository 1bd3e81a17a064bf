//! The volumes of a Pod as directories: configMap, secret, downwardAPI, projected (also the ServiceAccount token) and
//! emptyDir, read from the API server as the Node.
//!
//! Content is swapped the way a kubelet does it: files are links through `..data`, and `..data` is renamed over in one
//! step, so that a reader sees the old version or the new one. Not played: file modes and all other kinds of volume.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, DownwardAPIProjection, DownwardAPIVolumeFile, KeyToPath, Pod, SecretProjection,
    ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Api, PostParams};
use tokio::time::Instant;

use super::environment::{config_map, field, secret};
use super::kubelet::Kubelet;

/// All volumes of one Pod, each in a directory of its name.
pub(super) struct Volumes {
    kubelet: Arc<Kubelet>,
    pod: Arc<Pod>,
    address: String,
    directory: PathBuf,
    contents: Vec<Content>,
}

impl Volumes {
    /// Makes the directories and fills them.
    ///
    /// # Errors
    /// If something is not there yet, or not played. It may be tried again.
    pub(super) async fn fill(kubelet: &Arc<Kubelet>, pod: &Arc<Pod>, address: &str) -> Result<Self> {
        let directory = kubelet.pod_directory(&pod.uid().unwrap_or_default());
        let mut volumes = Self {
            kubelet: Arc::clone(kubelet),
            pod: Arc::clone(pod),
            address: address.to_owned(),
            directory,
            contents: Vec::new(),
        };
        for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
            std::fs::create_dir_all(volumes.directory.join(&volume.name))?;
            if volume.empty_dir.is_none() {
                volumes.contents.push(Content::new(volume)?);
            }
        }
        std::fs::create_dir_all(&volumes.directory)?;
        volumes.refresh().await?;
        Ok(volumes)
    }

    /// Where they are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Follows the API server's content for as long as it is polled.
    pub(super) async fn keep_fresh(mut self) {
        loop {
            tokio::time::sleep(REFRESH).await;
            if let Err(error) = self.refresh().await {
                self.kubelet.note(&format!("volumes of {}: {error:#}", self.pod.name_any()));
            }
        }
    }

    async fn refresh(&mut self) -> Result<()> {
        for content in &mut self.contents {
            let files = content.read(&self.kubelet, &self.pod, &self.address).await;
            let files = files.with_context(|| format!("volume {}", content.volume))?;
            if content.published.as_ref() != Some(&files) {
                let directory = self.directory.join(&content.volume);
                swap(&directory, &files).with_context(|| format!("writing {}", directory.display()))?;
                content.published = Some(files);
            }
        }
        Ok(())
    }
}

type Files = BTreeMap<String, Vec<u8>>;

/// Where the files of one volume come from, and which are there now.
struct Content {
    volume: String,
    sources: Vec<VolumeProjection>,
    published: Option<Files>,
    /// Tokens by their path, and when to ask for the next one.
    tokens: BTreeMap<String, (Vec<u8>, Instant)>,
}

impl Content {
    /// Every kind that can be played is a projection of one source.
    fn new(volume: &Volume) -> Result<Self> {
        let sources = if let Some(projected) = &volume.projected {
            projected.sources.clone().unwrap_or_default()
        } else if let Some(from) = &volume.config_map {
            let source =
                ConfigMapProjection { name: from.name.clone(), items: from.items.clone(), optional: from.optional };
            vec![VolumeProjection { config_map: Some(source), ..VolumeProjection::default() }]
        } else if let Some(from) = &volume.secret {
            let source = SecretProjection {
                name: from.secret_name.clone().unwrap_or_default(),
                items: from.items.clone(),
                optional: from.optional,
            };
            vec![VolumeProjection { secret: Some(source), ..VolumeProjection::default() }]
        } else if let Some(from) = &volume.downward_api {
            let source = DownwardAPIProjection { items: from.items.clone() };
            vec![VolumeProjection { downward_api: Some(source), ..VolumeProjection::default() }]
        } else {
            bail!("the node of the lab does not play the kind of volume {}", volume.name);
        };
        Ok(Self { volume: volume.name.clone(), sources, published: None, tokens: BTreeMap::new() })
    }

    async fn read(&mut self, kubelet: &Kubelet, pod: &Pod, address: &str) -> Result<Files> {
        let namespace = pod.namespace().unwrap_or_default();
        let mut files = Files::new();
        for source in &self.sources {
            if let Some(from) = &source.config_map {
                let data = config_map(kubelet, &namespace, &from.name, from.optional).await?;
                files.extend(chosen(data, from.items.as_deref(), from.optional)?);
            }
            if let Some(from) = &source.secret {
                let data = secret(kubelet, &namespace, &from.name, from.optional).await?;
                files.extend(chosen(data, from.items.as_deref(), from.optional)?);
            }
            if let Some(from) = &source.downward_api {
                for item in from.items.iter().flatten() {
                    files.insert(item.path.clone(), downward(pod, address, item)?);
                }
            }
            if let Some(from) = &source.service_account_token {
                let token = match self.tokens.get(&from.path) {
                    Some((token, renew_at)) if *renew_at > Instant::now() => token.clone(),
                    _ => {
                        let (token, lifetime) = service_account_token(kubelet, pod, &namespace, from).await?;
                        // A kubelet renews after 80 % of the lifetime.
                        let renew_at = Instant::now() + lifetime.mul_f64(0.8);
                        self.tokens.insert(from.path.clone(), (token.clone(), renew_at));
                        token
                    }
                };
                files.insert(from.path.clone(), token);
            }
            if source.cluster_trust_bundle.is_some() {
                bail!("the node of the lab does not play clusterTrustBundle");
            }
        }
        Ok(files)
    }
}

/// The keys that `items` names, at their paths; all keys without `items`.
fn chosen(mut data: Files, items: Option<&[KeyToPath]>, optional: Option<bool>) -> Result<Files> {
    let Some(items) = items else { return Ok(data) };
    let mut files = Files::new();
    for item in items {
        match data.remove(&item.key) {
            Some(value) => drop(files.insert(item.path.clone(), value)),
            None if optional == Some(true) => {}
            None => return Err(anyhow!("there is no key {}", item.key)),
        }
    }
    Ok(files)
}

fn downward(pod: &Pod, address: &str, item: &DownwardAPIVolumeFile) -> Result<Vec<u8>> {
    let path = item.field_ref.as_ref().map(|reference| reference.field_path.as_str());
    let path = path.ok_or_else(|| anyhow!("the node of the lab does not play resourceFieldRef"))?;
    field(pod, address, path).map(String::into_bytes)
}

/// A token of the Pod's ServiceAccount, bound to the Pod, by the `TokenRequest` API.
async fn service_account_token(
    kubelet: &Kubelet,
    pod: &Pod,
    namespace: &str,
    from: &ServiceAccountTokenProjection,
) -> Result<(Vec<u8>, Duration)> {
    let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
    let accounts: Api<ServiceAccount> = Api::namespaced(kubelet.client.clone(), namespace);
    let seconds = from.expiration_seconds.unwrap_or(3600);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: from.audience.iter().cloned().collect(),
            expiration_seconds: Some(seconds),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(pod.name_any()),
                uid: pod.uid(),
            }),
        },
        ..TokenRequest::default()
    };
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let status = answer.with_context(|| format!("a token of ServiceAccount {namespace}/{account}"))?.status;
    let token = status.ok_or_else(|| anyhow!("the TokenRequest was answered without a token"))?.token;
    Ok((token.into_bytes(), Duration::from_secs(u64::try_from(seconds)?)))
}

/// Puts `files` into `directory` in one step, as kubelet's atomic writer does.
fn swap(directory: &Path, files: &Files) -> io::Result<()> {
    let data = directory.join("..data");
    let old = std::fs::read_link(&data).ok();
    let version = format!("..{}", Timestamp::now().as_nanosecond());
    for (path, content) in files {
        let file = directory.join(&version).join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(directory))?;
        std::fs::write(file, content)?;
    }
    // Also for a volume without a file.
    std::fs::create_dir_all(directory.join(&version))?;
    let next = directory.join("..data_tmp");
    symlink(&version, &next)?;
    std::fs::rename(next, &data)?;

    let top = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let names: Vec<String> = files.keys().map(top).collect();
    for name in &names {
        let link = directory.join(name);
        if std::fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(name), link)?;
        }
    }
    for entry in std::fs::read_dir(directory)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !names.contains(&name) {
            std::fs::remove_file(entry.path())?;
        }
    }
    old.map_or(Ok(()), |old| std::fs::remove_dir_all(directory.join(old)))
}

/// A kubelet takes up to a minute.
const REFRESH: Duration = Duration::from_secs(2);
