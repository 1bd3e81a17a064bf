//! The native floor on a live API server: alone, where the cases run against it, and under the webhooks.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use serde_json::{Value, json};
use singleton_guard::api::kind::Kinds;
use singleton_guard::chart::policies::{STRICT_PLACES, places};
use singleton_guard::chart::warnings::WARNING_POLICIES;

use crate::common::installed::{RELEASE, roll_back, upgrade};
use crate::common::workloads::{both_ready, create, patch, scale};
use crate::common::{api, eventually, new_namespace};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::binaries::is_oldest;
use crate::lab::component::Signal;
use crate::spec::case::{MARK, complete};

stories!(
    Alone:
    an_upgrade_keeps_every_policy,
    it_speaks_first_and_the_webhook_knows_more,
    an_outage_holds_up_nothing_that_is_not_marked;
);

/// Why a case cannot end alike with the floor alone; `None` where it must.
pub fn why_it_is_not_held(case: &str) -> Option<&'static str> {
    let by_release = if is_oldest() { &NOT_NAMED[..] } else { &[] };
    NOT_HELD.iter().chain(by_release).find(|(name, _)| case.starts_with(name)).map(|(_, why)| *why)
}

/// Whatever values change, a policy or binding is never made anew: a parameter kind that no policy uses for a moment
/// would be watched no longer until the API server restarts (kubernetes#130887).
async fn an_upgrade_keeps_every_policy(lab: &Lab) -> Result<()> {
    let client = lab.client();
    let before = identities(&client).await?;
    let policies = places(Kinds::BUILT_IN).len() + STRICT_PLACES.len() + WARNING_POLICIES.len();
    ensure!(before.len() == 2 * policies, "expected a policy and a binding for each place: {before:?}");
    for changed in [
        "log.level=debug,webhook.failurePolicy=Ignore",
        "exemptNamespaces={kube-system,elsewhere},mark.key=example.com/only-one",
    ] {
        // Not the values before it: each change is undone by the next.
        upgrade(lab, &["--set", IMAGE, "--set", "nativeFloor.enabled=true", "--set", changed]).await?;
        let after = identities(&client).await?;
        ensure!(before == after, "{changed} made policies anew:\nbefore {before:#?}\nafter {after:#?}");
    }
    roll_back(lab, Some("1")).await?;
    ensure!(before == identities(&client).await?, "a rollback made policies anew");
    both_ready(lab).await.map(drop)
}

/// Where both would refuse, a person reads the floor's line; a mark that the floor has not seen yet is the webhook's.
async fn it_speaks_first_and_the_webhook_knows_more(lab: &Lab) -> Result<()> {
    let (namespace, client) = (new_namespace(lab).await?, lab.client());
    create(&client, &namespace, "StatefulSet", "ledger", true, 1).await?;
    let line = format!(
        "Error from server (Forbidden): statefulsets.apps \"ledger\" is forbidden: ValidatingAdmissionPolicy \
         '{RELEASE}-scale-statefulsets' with binding '{RELEASE}-scale-statefulsets' denied request: SG001 StatefulSet \
         {namespace}/ledger is a singleton: spec.replicas must be less than or equal to 1, requested 3; to run more than \
         one copy take the singleton label off first, in a request of its own, then scale"
    );
    eventually("the floor to speak", || async {
        let arguments = ["-n", &namespace, "scale", "statefulset", "ledger", "--replicas=3"];
        let done = lab.kubectl(&arguments).await?;
        ensure!(!done.succeeded(), "it was scaled");
        Ok((done.stderr.lines().last() == Some(line.as_str())).then_some(()))
    })
    .await?;
    let mut spoke: BTreeMap<bool, u32> = BTreeMap::new();
    for round in 0..FRESH_MARKS {
        let name = format!("fresh-{round}");
        create(&client, &namespace, "StatefulSet", &name, false, 1).await?;
        let marked = json!({"metadata": {"labels": {MARK: "true"}}});
        patch(&client, &namespace, "StatefulSet", &name, &marked, None).await?.success()?;
        let answer = scale(&client, &namespace, "StatefulSet", &name, 3, None).await?;
        ensure!(answer.message().starts_with("SG001"), "a scale right after the mark was let through: {answer:?}");
        let by_webhook = answer.body["message"].as_str().is_some_and(|text| text.starts_with("admission webhook"));
        *spoke.entry(by_webhook).or_default() += 1;
    }
    eprintln!("of {FRESH_MARKS} scales right after the mark the webhook refused {:?}", spoke.get(&true).unwrap_or(&0));
    Ok(())
}

/// With every replica dead unmarked work goes on, a singleton is scaled by nobody, and one can be born.
async fn an_outage_holds_up_nothing_that_is_not_marked(lab: &Lab) -> Result<()> {
    let (namespace, client) = (new_namespace(lab).await?, lab.client());
    create(&client, &namespace, "StatefulSet", "ledger", true, 1).await?;
    create(&client, &namespace, "Deployment", "plain", false, 1).await?;
    let pods = both_ready(lab).await?;
    for pod in &pods {
        lab.node().hold(pod);
        lab.node().kill(pod, Signal::Kill).await?;
    }
    let outcome = while_dead(&client, &namespace).await;
    for pod in &pods {
        lab.node().release(pod);
    }
    both_ready(lab).await?;
    outcome
}

async fn while_dead(client: &Client, namespace: &str) -> Result<()> {
    scale(client, namespace, "Deployment", "plain", 3, None)
        .await?
        .success()
        .context("scaling an unmarked workload")?;
    create(client, namespace, "Deployment", "new", false, 2).await.context("creating an unmarked workload")?;
    let born =
        json!({"kind": "StatefulSet", "metadata": {"name": "born", "labels": {MARK: "true"}}, "spec": {"replicas": 1}});
    let path = api::path("StatefulSet", namespace, None);
    api::post(client, &path, &complete(&born, namespace), None).await?.success().context("creating a singleton")?;
    for (what, name) in [("a singleton", "ledger"), ("a singleton born in the outage", "born")] {
        eventually(&format!("the floor to know {what}"), || async {
            let dry = format!("{}/scale?dryRun=All", api::path("StatefulSet", namespace, Some(name)));
            let answer = api::merge(client, &dry, &json!({"spec": {"replicas": 3}}), None).await?;
            Ok((!answer.succeeded()).then_some(()))
        })
        .await?;
        let answer = scale(client, namespace, "StatefulSet", name, 3, None).await?;
        ensure!(answer.message().starts_with("SG001") && answer.code == 403, "scaling {what}: {answer:?}");
    }
    // `webhook.failurePolicy` decides what only the webhook knows how to answer.
    let released = json!({"metadata": {"labels": {MARK: null}}});
    let answer = patch(client, namespace, "StatefulSet", "ledger", &released, None).await?;
    ensure!(answer.message().contains("failed calling webhook"), "a release has to wait: {answer:?}");
    Ok(())
}

/// The uid of every policy and binding of ours.
async fn identities(client: &Client) -> Result<BTreeMap<String, Value>> {
    let mut identities = BTreeMap::new();
    for resource in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        let path = format!("{REGISTRATION}/{resource}?labelSelector=app.kubernetes.io/instance={RELEASE}");
        for object in api::list(client, &path).await? {
            let metadata = &object["metadata"];
            identities.insert(format!("{resource} {}", metadata["name"]), metadata["uid"].clone());
        }
    }
    Ok(identities)
}

/// The cases that end otherwise with the floor alone, with the reason. One that holds must leave the list.
const NOT_HELD: [(&str, &str); 24] = [
    ("autoscaler/", NO_TARGET),
    ("remedy/an-autoscaler-that-reaches-beyond-one", NO_TARGET),
    ("companions/consent-to-a-disruption-must-be-a-time-that-is-not-too-far-ahead", NO_CLOCK),
    ("owned/a-ReplicaSet-whose-owner-is-gone-is-judged-by-its-own-mark", NO_LOOK_UP),
    ("mark/marking-a-Deployment-with-one-replica-is-free-and-sets-its-strategy", NOTHING_FILLED_IN),
    ("mark/a-rollout-that-hangs-is-mended-by-the-mark", NOTHING_FILLED_IN),
    ("mark/one-request-makes-a-singleton-of-a-Deployment-of-two-without-a-strategy", NOTHING_FILLED_IN),
    ("release/the-unmarked-original-of-a-Deployment-can-be-applied-again-after-a-release", NOTHING_FILLED_IN),
    ("remedy/annotations-that-mean-nothing", NO_CLOCK),
    ("service-name/a-StatefulSet-may-name-its-Service-in-an-annotation", NOTHING_FILLED_IN),
    ("service-name/a-name-that-cannot-be-a-Service-s-is-made-one", NOTHING_FILLED_IN),
    ("service-name/a-StatefulSet-is-governed-by-a-Service-of-ours", NOTHING_FILLED_IN),
    ("service-name/a-released-StatefulSet-keeps-its-serviceName", NOTHING_FILLED_IN),
    ("service-name/a-server-side-apply-without-a-serviceName-can-be-repeated", NOTHING_FILLED_IN),
    ("strict/a-new-", NOTHING_FILLED_IN),
    ("strict/two-kinds-of-one-name-have-two-keys", NOTHING_FILLED_IN),
    ("strict/the-key-does-not-change-and-one-that-is-lost-is-put-back", NOTHING_FILLED_IN),
    ("strategy/a-Deployment-without-a-strategy-is-recreated", NOTHING_FILLED_IN),
    ("strategy/a-merge-patch-may-bring-only-", NOTHING_FILLED_IN),
    ("strategy/a-server-side-apply-may-bring-only-", NOTHING_FILLED_IN),
    ("strategy/a-strategic-merge-patch-may-bring-only-", NOTHING_FILLED_IN),
    ("strategy/a-server-side-apply-without-a-strategy-can-be-repeated", NOTHING_FILLED_IN),
    ("strategy/a-strategy-that-spells-out-the-servers-default", NOTHING_FILLED_IN),
    ("strategy/a-percentage-brought-to-Recreate-is-kept-as-it-was-written", NOTHING_FILLED_IN),
];
/// Those that end otherwise before Kubernetes 1.36 too: each begins with a strict workload that has its Pod.
const NOT_NAMED: [(&str, &str); 4] = [
    ("strict/a-grace-of-zero-is-refused (ReplicaSet)", NOBODY_NAMES),
    ("strict/a-grace-of-zero-is-refused (ReplicationController)", NOBODY_NAMES),
    ("strict/a-strict-Deployment-is-recreated-and-nothing-else", NOBODY_NAMES),
    ("strict/who-is-strict-no-longer-", NOBODY_NAMES),
];
const NOBODY_NAMES: &str = "without a MutatingAdmissionPolicy only the webhook names the Pod of a strict ReplicaSet, and one without is refused";
const NO_TARGET: &str = "what an autoscaler scales is another object, and a policy knows of no other";
const NO_CLOCK: &str = "CEL has no clock: how far ahead consent is given cannot be told";
const NO_LOOK_UP: &str =
    "a parameter that is not there may be unmarked or gone: whether the owner exists cannot be told";
const NOTHING_FILLED_IN: &str = "a policy that validates fills nothing in";
const REGISTRATION: &str = "/apis/admissionregistration.k8s.io/v1";
const IMAGE: &str = "image.repository=registry.example/singleton-guard,image.tag=test";
const FRESH_MARKS: u32 = 30;
