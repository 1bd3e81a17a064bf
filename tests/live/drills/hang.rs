//! A webhook that hangs: connections are accepted, requests are taken, and nothing is ever answered. The replicas are
//! stopped, so those who are connected to them wait; and where they stood in the Service stands a listener that does no
//! more, so that their failing probes do not turn the drill into one of dead replicas.

use anyhow::Result;
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::common::api;
use crate::common::installed::{NAMESPACE, RELEASE};
use crate::common::workloads::guards;
use crate::lab::Lab;
use crate::lab::component::Signal;
use crate::lab::stage::NODE_ADDRESS;

/// While it lasts.
pub struct Hang {
    selector: Value,
    _listener: JoinSet<()>,
}

/// Begins it.
pub async fn begin(lab: &Lab) -> Result<Hang> {
    let client = lab.client();
    let listener = TcpListener::bind((NODE_ADDRESS, 0)).await?;
    let port = listener.local_addr()?.port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut taken = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            taken.push(connection);
        }
    });
    for pod in guards(lab) {
        lab.node().kill(&pod, Signal::Stop).await?;
    }
    let service = api::read(&client, &service()).await?.success()?;
    select(lab, &Value::Null).await?;
    api::delete(&client, &of_service(), None).await?.success()?;
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "hangs", "labels": {"kubernetes.io/service-name": RELEASE}},
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": true}}],
        "ports": [{"name": "webhook", "port": port, "protocol": "TCP"}],
    });
    api::post(&client, &slices(), &slice, None).await?.success()?;
    Ok(Hang { selector: service["spec"]["selector"].clone(), _listener: tasks })
}

impl Hang {
    /// The Service finds the replicas again; they are still stopped.
    pub async fn end(self, lab: &Lab) -> Result<()> {
        api::delete(&lab.client(), &of_service(), None).await?.success()?;
        select(lab, &self.selector).await
    }
}

async fn select(lab: &Lab, selector: &Value) -> Result<()> {
    let body = json!({"spec": {"selector": selector}}).to_string();
    let content = Some(("application/merge-patch+json", body));
    api::call(&lab.client(), Method::PATCH, &service(), content, None).await?.success().map(drop)
}

fn service() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}")
}

fn slices() -> String {
    format!("/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices")
}

fn of_service() -> String {
    format!("{}?labelSelector=kubernetes.io/service-name%3D{RELEASE}", slices())
}
