//! Both replicas dead, then hanging: what waits is exactly what could break a rule, everybody else works on, and all
//! comes back by itself.

use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use kube::Client;
use serde_json::{Value, json};

use super::hang;
use super::listed::until_listed;
use crate::common::api::{self, Answer};
use crate::common::installed::NAMESPACE;
use crate::common::workloads::{both_ready, create, guards, patch, post, scale};
use crate::common::{eventually, new_namespace};
use crate::harness::{is_long, stories};
use crate::lab::Lab;
use crate::lab::component::Signal;
use crate::lab::node::NODE_NAME;
use crate::spec::case::{self, User};

stories!(with_every_replica_dead_then_hanging_only_what_could_break_a_rule_waits);

/// The two, one after the other.
async fn with_every_replica_dead_then_hanging_only_what_could_break_a_rule_waits(lab: &Lab) -> Result<()> {
    let place = Place::prepare(lab).await?;
    let dead = guards(lab);
    for pod in &dead {
        lab.node().hold(pod);
        lab.node().kill(pod, Signal::Kill).await?;
    }
    // Nobody is left to say that an address is gone; the node's word takes a moment.
    let outcome = place.works_on("dead", QUICK).await;
    // What a drain of their nodes would do: new Pods come up without anybody's help.
    for pod in &dead {
        let (namespace, name) = pod.split_once('/').context("a Pod without a namespace")?;
        lab.kubectl(&["-n", namespace, "delete", "pod", name, "--wait=false"]).await?.success()?;
        lab.node().release(pod);
    }
    outcome?;
    place.recovers(lab).await?;

    let place = Place::prepare(lab).await?;
    let hang = hang::begin(lab).await?;
    // What has changed while it waited is judged again, so it may wait twice.
    let outcome = place.works_on("hanging", 2 * TIMEOUT + A_SECOND).await;
    hang.end(lab).await?;
    if !is_long() {
        // The long form waits for the liveness probe, which ends them after a minute.
        for pod in guards(lab) {
            lab.node().kill(&pod, Signal::Continue).await?;
        }
    }
    outcome?;
    place.recovers(lab).await
}

/// Namespaces with what an outage meets.
struct Place {
    client: Client,
    /// Holds singletons.
    pay: String,
    /// Holds none.
    free: String,
    /// Holds nothing.
    fresh: String,
}

impl Place {
    async fn prepare(lab: &Lab) -> Result<Self> {
        both_ready(lab).await?;
        let client = lab.client();
        let pay = new_namespace(lab).await?;
        let (free, fresh) = (new_namespace(lab).await?, new_namespace(lab).await?);
        create(&client, &pay, "Deployment", "web", true, 1).await?;
        create(&client, &pay, "StatefulSet", "ledger", true, 1).await?;
        for namespace in [&pay, &free] {
            for name in ["plain", "auto"] {
                create(&client, namespace, "Deployment", name, false, 1).await?;
            }
            create(&client, namespace, "StatefulSet", "idle", false, 1).await?;
        }
        // What changes while a webhook is waited for is judged again, and waits twice.
        let there = [
            (&pay, "StatefulSet", "ledger"),
            (&pay, "StatefulSet", "idle"),
            (&pay, "Deployment", "web"),
            (&pay, "Deployment", "plain"),
            (&free, "StatefulSet", "idle"),
            (&free, "Deployment", "plain"),
        ];
        for (namespace, kind, name) in there {
            eventually(&format!("{kind} {name} to be available"), || async {
                let object = api::get(&client, kind, namespace, name).await?.unwrap_or_default();
                Ok((object["status"]["availableReplicas"] == 1).then_some(()))
            })
            .await?;
        }
        until_listed(&client, &pay).await?;
        Ok(Self { client, pay, free, fresh })
    }

    /// `elsewhere`: how long a scale-up may take where there are no singletons.
    async fn works_on(&self, what: &str, elsewhere: Duration) -> Result<()> {
        let before = heartbeat(&self.client).await?;
        let mut clock = Clock::default();
        tokio::try_join!(self.autoscaler(&self.pay), self.autoscaler(&self.free))?;
        let longest_refusal = self.refuses().await?;
        self.lets_pass(&mut clock).await?;
        let unlisted = self.scales_elsewhere(elsewhere).await?;
        self.kube_system(&mut clock).await?;
        eventually("the autoscaler of a namespace without singletons to get two", || async {
            let auto = api::get(&self.client, "Deployment", &self.free, "auto").await?.unwrap_or_default();
            Ok((auto["spec"]["replicas"] == 2 && auto["status"]["replicas"] == 2).then_some(()))
        })
        .await?;
        eventually("the autoscaler of a namespace with singletons to be told", || async {
            let path = format!("{}/auto", autoscalers(&self.pay));
            let autoscaler = api::read(&self.client, &path).await?.success()?;
            let conditions = autoscaler["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let told = |condition: &Value| {
                condition["reason"] == "FailedUpdateScale"
                    && condition["message"].as_str().is_some_and(|text| text.contains("failed calling webhook"))
            };
            Ok(conditions.iter().any(told).then_some(()))
        })
        .await?;
        eventually("the Lease of the node to be renewed", || async {
            Ok((heartbeat(&self.client).await? > before).then_some(()))
        })
        .await?;
        let node = api::read(&self.client, &format!("/api/v1/nodes/{NODE_NAME}")).await?;
        let conditions = node.success()?["status"]["conditions"].as_array().cloned().unwrap_or_default();
        ensure!(
            conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True"),
            "the node is not ready: {conditions:?}"
        );
        eprintln!(
            "{what}: refused within {longest_refusal:.1?}; a scale-up without singletons took {unlisted:.1?}; of {} \
             other requests the longest took {:.1?}",
            clock.requests, clock.longest
        );
        Ok(())
    }

    /// What could break a rule; all at once, because each may take the whole time-out.
    async fn refuses(&self) -> Result<Duration> {
        let Self { client, pay, free, fresh } = self;
        let three = json!({"spec": {"replicas": 3}});
        let set = behind(client, pay, "plain").await?;
        let label = json!({"metadata": {"labels": {case::MARK: "true"}}});
        // What becomes a singleton is to be completed first: the mutating webhook is asked, for a second at most.
        let (limit, limit_of_a_mark) = (TIMEOUT + A_SECOND, TIMEOUT + 2 * A_SECOND);
        let requests: [(&str, Request<'_>, Duration); 8] = [
            ("scaling a StatefulSet", Box::pin(scale(client, pay, "StatefulSet", "ledger", 3, None)), limit),
            ("scaling a Deployment", Box::pin(scale(client, pay, "Deployment", "web", 3, None)), limit),
            ("scaling beside a singleton", Box::pin(scale(client, pay, "Deployment", "plain", 3, None)), limit),
            ("patching a singleton", Box::pin(patch(client, pay, "Deployment", "web", &three, None)), limit),
            ("patching a ReplicaSet", Box::pin(patch(client, pay, "ReplicaSet", &set, &three, None)), limit),
            (
                "a first mark by creation",
                Box::pin(post(client, fresh, "StatefulSet", "ledger", true, 1, None)),
                limit_of_a_mark,
            ),
            (
                "a first mark by label",
                Box::pin(patch(client, free, "Deployment", "plain", &label, None)),
                limit_of_a_mark,
            ),
            // Nothing is to be filled in here, and no rule is broken.
            (
                "a first mark by label on what is right",
                Box::pin(patch(client, free, "StatefulSet", "idle", &label, None)),
                limit_of_a_mark,
            ),
        ];
        let times = try_join_all(requests.map(|(what, request, within)| refused(what, request, within))).await?;
        Ok(times.into_iter().max().unwrap_or_default())
    }

    /// What cannot break a rule, or breaks it on purpose.
    async fn lets_pass(&self, clock: &mut Clock) -> Result<()> {
        let Self { client, pay, free, .. } = self;
        let rollout = json!({"spec": {"template": {"metadata": {"annotations": {"version": "two"}}}}});
        for (namespace, name) in [(pay, "web"), (free, "plain")] {
            clock.quick("a rollout", patch(client, namespace, "Deployment", name, &rollout, None)).await?;
            eventually("the rollout to finish", || async {
                let object = api::get(client, "Deployment", namespace, name).await?.unwrap_or_default();
                let status = &object["status"];
                let done = status["observedGeneration"] == object["metadata"]["generation"]
                    && status["updatedReplicas"] == 1
                    && status["replicas"] == 1;
                Ok((done && status["availableReplicas"] == 1).then_some(()))
            })
            .await?;
        }
        for replicas in [0, 1] {
            let down = scale(client, pay, "StatefulSet", "ledger", replicas, None);
            clock.quick("scaling a singleton to none and to one", down).await?;
        }
        let group = singleton_guard::policy::exemption::BREAK_GLASS;
        let alice =
            User { name: "alice".to_owned(), groups: vec!["system:authenticated".to_owned(), group.to_owned()] };
        clock.quick("breaking the glass", scale(client, pay, "StatefulSet", "ledger", 2, Some(&alice))).await?;
        clock.quick("scaling it back", scale(client, pay, "StatefulSet", "ledger", 1, None)).await?;
        // It is seen where it is born: the namespace is listed. It is to be completed, for a second at most.
        let second = post(client, pay, "StatefulSet", "second", true, 1, None);
        clock.within(2 * A_SECOND, "a second singleton where there is one", second).await?;
        let label = json!({"metadata": {"labels": {case::MARK: "true"}}});
        let third = patch(client, pay, "StatefulSet", "idle", &label, None);
        clock.within(2 * A_SECOND, "a third one, by label", third).await?;
        for namespace in [pay, free] {
            let three = json!({"spec": {"replicas": 3}});
            clock.quick("patching", patch(client, namespace, "Deployment", "plain", &three, None)).await?;
            clock.quick("scaling down", scale(client, namespace, "Deployment", "plain", 1, None)).await?;
            clock.quick("creating", post(client, namespace, "Deployment", "new", false, 2, None)).await?;
            let path = api::path("Deployment", namespace, Some("new"));
            clock.quick("deleting", api::delete(client, &path, None)).await?;
        }
        Ok(())
    }

    /// By `/scale` and behind a Deployment, where there are no singletons.
    async fn scales_elsewhere(&self, within: Duration) -> Result<Duration> {
        let Self { client, free, .. } = self;
        let set = behind(client, free, "plain").await?;
        let two = json!({"spec": {"replicas": 2}});
        let started = Instant::now();
        let (scaled, patched) = tokio::try_join!(
            scale(client, free, "Deployment", "plain", 2, None),
            patch(client, free, "ReplicaSet", &set, &two, None),
        )?;
        let took = started.elapsed();
        scaled.success().context("scaling up without singletons")?;
        patched.success().context("a person's patch of a ReplicaSet without singletons")?;
        ensure!(took <= within, "scaling up without singletons took {took:?}");
        Ok(took)
    }

    /// The control plane's own work.
    async fn kube_system(&self, clock: &mut Clock) -> Result<()> {
        let client = &self.client;
        clock.quick("creating", post(client, "kube-system", "Deployment", "drill", false, 1, None)).await?;
        clock.quick("scaling up", scale(client, "kube-system", "Deployment", "drill", 3, None)).await?;
        let path = api::path("Deployment", "kube-system", Some("drill"));
        clock.quick("deleting", api::delete(client, &path, None)).await?;
        let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "drill"}, "spec": {"leaseDurationSeconds": 15}});
        clock.quick("a Lease", api::post(client, leases, &lease, None)).await?;
        let path = format!("{leases}/drill");
        clock.quick("a Lease's end", api::delete(client, &path, None)).await
    }

    /// Wants two from the first moment on.
    async fn autoscaler(&self, namespace: &str) -> Result<()> {
        let autoscaler = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "auto"},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "auto"}, "minReplicas": 2, "maxReplicas": 4},
        });
        api::post(&self.client, &autoscalers(namespace), &autoscaler, None).await?.success().map(drop)
    }

    /// Nobody does anything.
    async fn recovers(&self, lab: &Lab) -> Result<()> {
        let Self { client, pay, fresh, .. } = self;
        let started = Instant::now();
        if is_long() {
            eventually("the replicas to be there again", || async { Ok((guards(lab).len() == 2).then_some(())) })
                .await?;
        }
        both_ready(lab).await?;
        eventually("verdicts to come again", || async {
            let answer = scale(client, pay, "StatefulSet", "ledger", 3, None).await?;
            ensure!(!answer.succeeded(), "a singleton was scaled above one: {answer:?}");
            Ok(answer.message().starts_with("SG001").then_some(()))
        })
        .await?;
        eprintln!("verdicts came again after {:.1?}", started.elapsed());
        eventually("the autoscaler that waited to get two", || async {
            let auto = api::get(client, "Deployment", pay, "auto").await?.unwrap_or_default();
            Ok((auto["status"]["replicas"] == 2).then_some(()))
        })
        .await?;
        post(client, fresh, "StatefulSet", "ledger", true, 1, None).await?.success().context("the first mark again")?;
        until_listed(client, fresh).await?;
        for (kind, name) in
            [("StatefulSet", "ledger"), ("Deployment", "web"), ("StatefulSet", "second"), ("StatefulSet", "idle")]
        {
            let object = api::get(client, kind, pay, name).await?.unwrap_or_default();
            ensure!(object["spec"]["replicas"] == 1, "{kind} {name} was scaled to {}", object["spec"]["replicas"]);
        }
        let pods = lab.kubectl(&["-n", NAMESPACE, "get", "pods", "--no-headers"]).await?.success()?;
        ensure!(pods.lines().filter(|line| line.contains("1/1")).count() == 2, "our own Pods: {pods}");
        Ok(())
    }
}

type Request<'a> = Pin<Box<dyn Future<Output = Result<Answer>> + 'a>>;

/// How long the requests took that nothing may hold up.
#[derive(Default)]
struct Clock {
    requests: usize,
    longest: Duration,
}

impl Clock {
    async fn quick(&mut self, what: &str, request: impl Future<Output = Result<Answer>>) -> Result<()> {
        self.within(QUICK, what, request).await
    }

    async fn within(
        &mut self,
        limit: Duration,
        what: &str,
        request: impl Future<Output = Result<Answer>>,
    ) -> Result<()> {
        let started = Instant::now();
        request.await?.success().with_context(|| what.to_owned())?;
        let took = started.elapsed();
        ensure!(took < limit, "{what} took {took:?}");
        self.requests += 1;
        self.longest = self.longest.max(took);
        Ok(())
    }
}

async fn refused(what: &str, request: Request<'_>, within: Duration) -> Result<Duration> {
    let started = Instant::now();
    let answer = request.await?;
    let took = started.elapsed();
    ensure!(answer.message().contains("failed calling webhook"), "{what} must wait: {answer:?}");
    ensure!(took <= within, "{what} was refused after {took:?}");
    Ok(took)
}

/// The newest ReplicaSet behind a Deployment.
async fn behind(client: &Client, namespace: &str, deployment: &str) -> Result<String> {
    let sets = api::list(client, &api::path("ReplicaSet", namespace, None)).await?;
    let ours =
        |set: &&Value| set["metadata"]["ownerReferences"][0]["name"] == deployment && set["spec"]["replicas"] != 0;
    let set = sets.iter().find(ours).context("no ReplicaSet")?;
    Ok(set["metadata"]["name"].as_str().unwrap_or_default().to_owned())
}

/// When the node's Lease was renewed; the form of the time can be compared.
async fn heartbeat(client: &Client) -> Result<String> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE_NAME}");
    let lease = api::read(client, &path).await?.success()?;
    Ok(lease["spec"]["renewTime"].as_str().unwrap_or_default().to_owned())
}

fn autoscalers(namespace: &str) -> String {
    format!("/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")
}

/// `webhook.timeoutSeconds`, as the chart has it.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Less than the time-out of a webhook that refuses: whoever takes longer has waited for one.
const QUICK: Duration = Duration::from_secs(2);
const A_SECOND: Duration = Duration::from_secs(1);
