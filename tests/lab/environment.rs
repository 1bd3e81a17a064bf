//! The environment of a container, as Kubernetes defines it: `env`, `envFrom`, the downward API, `$(VAR)`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail};
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVarSource, Pod, Secret};
use kube::ResourceExt as _;
use kube::api::Api;

use super::kubelet::Kubelet;
use super::node::NODE_NAME;
use super::stage::{API_ADDRESS, API_PORT, NODE_ADDRESS};

/// All variables of a container. Later ones win, and may refer to earlier ones.
pub(super) async fn variables(
    kubelet: &Kubelet,
    pod: &Pod,
    container: &Container,
    address: &str,
) -> Result<BTreeMap<String, String>> {
    // What every container is told about the Service `default/kubernetes`.
    let port = API_PORT.to_string();
    let mut variables = BTreeMap::from(
        [("HOST", API_ADDRESS), ("PORT", port.as_str()), ("PORT_HTTPS", port.as_str())]
            .map(|(name, value)| (format!("KUBERNETES_SERVICE_{name}"), value.to_owned())),
    );
    let namespace = pod.namespace().unwrap_or_default();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.clone().unwrap_or_default();
        let found = if let Some(from) = &source.config_map_ref {
            config_map(kubelet, &namespace, &from.name, from.optional).await?
        } else if let Some(from) = &source.secret_ref {
            secret(kubelet, &namespace, &from.name, from.optional).await?
        } else {
            bail!("the node of the lab plays only configMapRef and secretRef in envFrom");
        };
        for (name, value) in found {
            variables.insert(format!("{prefix}{name}"), text(value)?);
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) => Some(expand(value, &variables)),
            (None, Some(source)) => {
                let context = || format!("env {}", variable.name);
                from_source(kubelet, pod, &namespace, address, source).await.with_context(context)?
            }
            (None, None) => Some(String::new()),
        };
        if let Some(value) = value {
            variables.insert(variable.name.clone(), value);
        }
    }
    Ok(variables)
}

/// Replaces `$(NAME)` by the variable's value and `$$` by `$`; what names no variable stays as it is.
pub(super) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('(').and_then(|reference| reference.split_once(')')) {
            match variables.get(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded + rest
}

/// The value of a field of the Pod (`fieldRef.fieldPath`): the ones that the downward API knows.
pub(super) fn field(pod: &Pod, address: &str, path: &str) -> Result<String> {
    let spec = pod.spec.as_ref();
    let value = match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "metadata.labels" => lines(pod.labels()),
        "metadata.annotations" => lines(pod.annotations()),
        "spec.nodeName" => NODE_NAME.to_owned(),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" => NODE_ADDRESS.to_owned(),
        "status.podIP" | "status.podIPs" => address.to_owned(),
        _ => {
            let entry = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
            let found = if let Some(key) = entry("metadata.labels['") {
                pod.labels().get(key)
            } else if let Some(key) = entry("metadata.annotations['") {
                pod.annotations().get(key)
            } else {
                bail!("the node of the lab does not play the field {path}");
            };
            found.cloned().unwrap_or_default()
        }
    };
    Ok(value)
}

/// The data of a ConfigMap, `binaryData` included.
pub(super) async fn config_map(
    kubelet: &Kubelet,
    namespace: &str,
    name: &str,
    optional: Option<bool>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let api: Api<ConfigMap> = Api::namespaced(kubelet.client.clone(), namespace);
    let Some(found) = api.get_opt(name).await.with_context(|| format!("ConfigMap {namespace}/{name}"))? else {
        return absent(optional, || format!("ConfigMap {namespace}/{name} does not exist"));
    };
    let data = found.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
    let binary = found.binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
    Ok(data.chain(binary).collect())
}

/// The data of a Secret.
pub(super) async fn secret(
    kubelet: &Kubelet,
    namespace: &str,
    name: &str,
    optional: Option<bool>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let api: Api<Secret> = Api::namespaced(kubelet.client.clone(), namespace);
    let Some(found) = api.get_opt(name).await.with_context(|| format!("Secret {namespace}/{name}"))? else {
        return absent(optional, || format!("Secret {namespace}/{name} does not exist"));
    };
    Ok(found.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect())
}

/// The value of `valueFrom`, or `None` if it is optional and not there.
async fn from_source(
    kubelet: &Kubelet,
    pod: &Pod,
    namespace: &str,
    address: &str,
    source: &EnvVarSource,
) -> Result<Option<String>> {
    let (mut found, key, optional) = if let Some(from) = &source.field_ref {
        return field(pod, address, &from.field_path).map(Some);
    } else if let Some(from) = &source.config_map_key_ref {
        (config_map(kubelet, namespace, &from.name, from.optional).await?, &from.key, from.optional)
    } else if let Some(from) = &source.secret_key_ref {
        (secret(kubelet, namespace, &from.name, from.optional).await?, &from.key, from.optional)
    } else {
        bail!("the node of the lab plays only fieldRef, configMapKeyRef and secretKeyRef in valueFrom");
    };
    match found.remove(key) {
        Some(value) => text(value).map(Some),
        None if optional == Some(true) => Ok(None),
        None => Err(anyhow!("there is no key {key}")),
    }
}

fn absent<T: Default>(optional: Option<bool>, what: impl FnOnce() -> String) -> Result<T> {
    if optional == Some(true) { Ok(T::default()) } else { Err(anyhow!(what())) }
}

fn text(value: Vec<u8>) -> Result<String> {
    String::from_utf8(value).context("the value is not text")
}

/// The form of `metadata.labels` in a downward API volume: `key="value"`, one per line.
fn lines(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key}={value:?}")).collect::<Vec<_>>().join("\n")
}
