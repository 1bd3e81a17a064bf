//! What installed replicas say and do while the API server calls them, and does not answer them: it is slow, silent, or
//! cannot be reached. They decide what they can, say what they cannot, and stay ready.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::common::api::Answer;
use crate::common::installed::NAMESPACE;
use crate::common::route::{Quality, Route};
use crate::common::workloads::{both_ready, create, post, scale};
use crate::common::{eventually, new_namespace};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::stage::{API_ADDRESS, API_PORT};
use crate::stories::configuration::metrics;

stories!(Alone: cut_off_from_the_api_server_it_decides_what_it_can);

/// Every replica's own way to the API server goes through a route that goes bad in each way.
async fn cut_off_from_the_api_server_it_decides_what_it_can(lab: &Lab) -> Result<()> {
    let route = Route::lay(format!("{API_ADDRESS}:{API_PORT}").parse()?).await?;
    let (host, port) = (route.address.ip(), route.address.port());
    asks_through(lab, [&format!("KUBERNETES_SERVICE_HOST={host}"), &format!("KUBERNETES_SERVICE_PORT={port}")]).await?;
    let outcome = while_it_goes_bad(lab, &route).await;
    route.becomes(Quality::Good);
    asks_through(lab, ["KUBERNETES_SERVICE_HOST-", "KUBERNETES_SERVICE_PORT-"]).await?;
    both_ready(lab).await?;
    outcome
}

async fn while_it_goes_bad(lab: &Lab, route: &Route) -> Result<()> {
    let client = lab.client();
    // ReplicaSets: of the other kinds most is proven without a question. An unmarked one in a namespace without singletons:
    // there the API server would let an error pass.
    let (marked, unmarked) = (new_namespace(lab).await?, new_namespace(lab).await?);
    create(&client, &marked, "ReplicaSet", "ledger", true, 1).await?;
    create(&client, &unmarked, "ReplicaSet", "plain", false, 1).await?;
    let ask = async || {
        let started = Instant::now();
        let marked = scale(&client, &marked, "ReplicaSet", "ledger", 3, None).await?;
        let unmarked = scale(&client, &unmarked, "ReplicaSet", "plain", 3, None).await?;
        ensure!(!marked.succeeded(), "a scale above one was let through: {marked:?}");
        anyhow::Ok((marked, unmarked, started.elapsed()))
    };

    route.becomes(Quality::Slow(LATE));
    let (refused, allowed, took) = ask().await?;
    ensure!(refused.message().starts_with("SG001") && allowed.succeeded(), "{refused:?} {allowed:?}");
    ensure!(took >= 2 * LATE, "the replicas do not ask through the route: two answers came after {took:?}");
    scale(&client, &unmarked, "ReplicaSet", "plain", 1, None).await?.success()?;

    let pids = || lab.node().processes();
    let before = pids();
    for (quality, cause) in [
        (Quality::Slow(TOO_LATE), "the API server did not answer within "),
        (Quality::Silent, "the API server did not answer within "),
        (Quality::Cut, "the API server could not be reached ("),
    ] {
        route.becomes(quality);
        let (marked_answer, unmarked_answer, _) = ask().await?;
        says_that_it_does_not_know(&marked_answer, &format!("ReplicaSet {marked}/ledger"), cause)
            .and_then(|()| says_that_it_does_not_know(&unmarked_answer, &format!("ReplicaSet {unmarked}/plain"), cause))
            .with_context(|| format!("{quality:?}"))?;
        let refused = post(&client, &marked, "StatefulSet", "more", true, 3, None).await?;
        ensure!(refused.message().starts_with("SG001"), "what needs no look-up is decided: {quality:?}: {refused:?}");
    }

    // Cut off for so long that each replica has noticed it at its certificate.
    eventually("each replica to miss the API server", || async {
        let said = |pod: &str| {
            let output = lab.node().output(pod, "guard");
            output.lines().rfind(|line| line.contains("the certificate is ")).is_some_and(|it| it.contains("not right"))
        };
        Ok(before.iter().all(|process| said(&process.pod)).then_some(()))
    })
    .await?;
    let ready = metrics(lab).await?.values().filter(|text| text.contains("singleton_guard_ready 1\n")).count();
    ensure!(ready == before.len() && before.len() == 2, "{ready} of {} replicas are ready", before.len());
    ensure!(pids() == before, "a Pod was restarted: {before:?} and now {:?}", pids());

    route.becomes(Quality::Good);
    eventually("the verdict to come back", || async {
        let (marked, unmarked, _) = ask().await?;
        Ok((marked.message().starts_with("SG001") && unmarked.succeeded()).then_some(()))
    })
    .await
}

/// An answer of ours: after its own deadline the API server would have had words of its own.
fn says_that_it_does_not_know(answer: &Answer, about: &str, cause: &str) -> Result<()> {
    let message = answer.message();
    let whole = message.starts_with(&format!("could not decide whether {about} "))
        && message.contains(cause)
        && message.ends_with("nothing was changed");
    ensure!(whole && answer.code == 500, "{answer:?}");
    Ok(())
}

/// Changes the variables by which the replicas find the API server, and waits for those that go by them.
async fn asks_through(lab: &Lab, variables: [&str; 2]) -> Result<()> {
    let deployment = "deployment/singleton-guard";
    lab.kubectl(&["-n", NAMESPACE, "set", "env", deployment, variables[0], variables[1]]).await?.success()?;
    let arguments = ["-n", NAMESPACE, "rollout", "status", deployment, "--timeout=90s"];
    lab.kubectl(&arguments).await?.success()?;
    // Those that end still answer.
    eventually("two replicas", || async { Ok((lab.node().processes().len() == 2).then_some(())) }).await
}

/// In time still: a handshake and two answers fit into the look-up's 2.4 s several times.
const LATE: Duration = Duration::from_millis(150);
/// Longer than the API server waits.
const TOO_LATE: Duration = Duration::from_secs(5);
