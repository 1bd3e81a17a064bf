//! What the headless Service is for: the name of a singleton is its Pod, by CoreDNS from what the controllers write.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::common::place::{KINDS, Place, service_name};
use crate::harness::stories;
use crate::lab::Lab;

stories!(the_name_is_the_pod_and_nobody_while_it_ends);

/// The Pod's address; nothing while it terminates; the next one's afterwards. For every kind.
async fn the_name_is_the_pod_and_nobody_while_it_ends(lab: &Lab) -> Result<()> {
    for kind in KINDS {
        let place = Place::new(lab).await?;
        // Long enough to see nothing.
        let slow = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 600}}}});
        place.create(kind, "ledger", slow).await?;
        let name = format!("{}.{}.svc.cluster.local", service_name("ledger"), place.namespace);
        let first = pod(&place).await?;
        place
            .until(&format!("{name} is {}", first.address), async || Ok(lab.resolve(&name).await? == [first.address]))
            .await?;

        // By scaling: some kinds would start the next Pod beside the one that ends.
        let scaled = lab.kubectl(&["-n", &place.namespace, "scale", kind, "ledger", "--replicas=0"]).await?;
        scaled.success()?;
        place.until(&format!("{name} is nobody"), async || Ok(lab.resolve(&name).await?.is_empty())).await?;
        let ending = place.get("Pod", &first.name).await?.context("the Pod terminates for long")?;
        ensure!(ending["metadata"].get("deletionTimestamp").is_some(), "{kind}: {ending}");
        let at_once = ["-n", &place.namespace, "delete", "pod", &first.name, "--grace-period=1", "--wait=false"];
        lab.kubectl(&at_once).await?.success()?;
        place.until("the Pod is gone", async || Ok(place.get("Pod", &first.name).await?.is_none())).await?;
        lab.kubectl(&["-n", &place.namespace, "scale", kind, "ledger", "--replicas=1"]).await?.success()?;
        let next = pod(&place).await?;
        place
            .until(&format!("{name} is {}", next.address), async || Ok(lab.resolve(&name).await? == [next.address]))
            .await?;
        ensure!(first.address != next.address, "the lab gives each Pod an address of its own");
    }
    Ok(())
}

struct Pod {
    name: String,
    address: IpAddr,
}

/// The one Pod that runs.
async fn pod(place: &Place<'_>) -> Result<Pod> {
    let ready =
        |pod: &&Value| pod["metadata"].get("deletionTimestamp").is_none() && pod["status"]["phase"] == "Running";
    place.until("a Pod runs", async || Ok(place.list("Pod").await?.iter().any(|pod| ready(&pod)))).await?;
    let pods = place.list("Pod").await?;
    let pod = pods.iter().find(ready).context("it runs")?;
    Ok(Pod {
        name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        address: pod["status"]["podIP"].as_str().unwrap_or_default().parse()?,
    })
}
