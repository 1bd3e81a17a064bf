//! What the guard adds to a PUT of `/scale` through the API server: figures, measured on request (`--ignored`), with no
//! bound that fails. Of a release build:
//!
//! ```text
//! BINARY=target/release/singleton-guard cargo test --test live -- --ignored stories::scale_cost
//! ```
//!
//! The same calls are made in turn by somebody who is judged and by somebody who has broken the glass, whom a condition
//! of the webhook lets pass: the API server does all the rest for both.

use std::time::{Duration, Instant};

use anyhow::Result;
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use crate::common::{api, new_namespace, unguarded};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{User, complete};

stories!(Measured: figures);

/// Prints how long an increase of an unmarked StatefulSet takes with the guard and without, over connections that are
/// open and over new ones.
async fn figures(lab: &Lab) -> Result<()> {
    let scale = Scale::new(lab).await?;
    // The first one of each kind of user is slow.
    scale.up(true).await?;
    scale.up(false).await?;
    let (mut with, mut without, mut medians) = (Vec::new(), Vec::new(), Vec::new());
    for block in 0..BLOCKS {
        let (mut guarded, mut passing) = (Vec::new(), Vec::new());
        // Neither always comes first.
        for judged in [block % 2 == 0, block % 2 != 0] {
            for _ in 0..CALLS {
                let took = scale.up(judged).await?;
                if judged { guarded.push(took) } else { passing.push(took) }
            }
        }
        medians.push(percentile(&mut guarded, 50) - percentile(&mut passing, 50));
        with.append(&mut guarded);
        without.append(&mut passing);
    }
    medians.sort_by(f64::total_cmp);
    eprintln!(
        "added to the p50 of a PUT of /scale, warm: {:.2} ms (median of {BLOCKS} blocks, {:.2} - {:.2})",
        medians[BLOCKS / 2],
        medians[0],
        medians[BLOCKS - 1]
    );
    for part in [50, 99] {
        let (with, without) = (percentile(&mut with, part), percentile(&mut without, part));
        eprintln!("p{part}, warm: {with:.2} ms with, {without:.2} ms without, {:+.2} ms", with - without);
    }
    let mut added = Vec::new();
    for _ in 0..COLD {
        tokio::time::sleep(IDLE).await;
        // Without the guard first: so that only the guard's connection is cold.
        let without = scale.up(false).await?;
        added.push((scale.up(true).await?.as_secs_f64() - without.as_secs_f64()) * 1000.0);
    }
    added.sort_by(f64::total_cmp);
    eprintln!(
        "added over a new connection: {:.2} ms (median of {COLD}), {:.2} ms at most",
        added[COLD / 2],
        added[COLD - 1]
    );
    Ok(())
}

/// A StatefulSet whose first Pod never runs, so there is never a second one to make.
struct Scale {
    client: Client,
    namespace: String,
}

impl Scale {
    async fn new(lab: &Lab) -> Result<Self> {
        let scale = Self { client: lab.client(), namespace: new_namespace(lab).await? };
        let mut object: Value = complete(
            &json!({"kind": "StatefulSet", "metadata": {"name": NAME}, "spec": {"replicas": 1}}),
            &scale.namespace,
        );
        object["spec"]["template"]["spec"]["nodeSelector"] = json!({"no-node": "has-this"});
        let path = api::path("StatefulSet", &scale.namespace, None);
        api::post(&scale.client, &path, &object, Some(&unguarded())).await?.success()?;
        Ok(scale)
    }

    /// Puts it to two replicas, and says how long that took; it is at one before.
    async fn up(&self, judged: bool) -> Result<Duration> {
        self.put(1, &unguarded()).await?;
        let user = if judged { judged_user() } else { unguarded() };
        let started = Instant::now();
        self.put(2, &user).await?;
        Ok(started.elapsed())
    }

    async fn put(&self, replicas: u32, user: &User) -> Result<()> {
        let path = format!("{}/scale", api::path("StatefulSet", &self.namespace, Some(NAME)));
        let scale = json!({
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {"replicas": replicas},
        });
        let body = Some(("application/json", scale.to_string()));
        api::call(&self.client, Method::PUT, &path, body, Some(user)).await?.success()?;
        Ok(())
    }
}

/// Like the one who has broken the glass, but for that.
fn judged_user() -> User {
    User { groups: ["system:masters", "figures"].map(str::to_owned).to_vec(), ..unguarded() }
}

/// In milliseconds.
fn percentile(took: &mut [Duration], part: usize) -> f64 {
    took.sort();
    took.get(took.len() * part / 100).copied().unwrap_or_default().as_secs_f64() * 1000.0
}

const NAME: &str = "plain";
const BLOCKS: usize = 15;
/// In each half of a block.
const CALLS: usize = 200;
const COLD: usize = 6;
/// The API server closes a connection that was idle for 90 seconds.
const IDLE: Duration = Duration::from_secs(95);
