//! What needs more than requests and answers: controllers at work around a singleton, and the words of real tools.

use anyhow::{Context as _, Result, ensure};
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use crate::common::{api, eventually, new_namespace};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::binaries::is_oldest;
use crate::spec::case::{self, complete, with};

stories!(
    the_release_is_the_one_asked_for,
    an_unquoted_true_is_answered_by_the_docs,
    who_is_on_call_breaks_the_glass,
    marking_does_not_restart_the_pod,
    a_namespace_of_singletons_can_be_deleted,
    a_deployment_can_be_deleted_in_every_mode,
    kubectl_shows_one_line_and_what_to_do,
);

/// The control plane is of the release that `KUBERNETES` names, and without it of a newer one.
async fn the_release_is_the_one_asked_for(lab: &Lab) -> Result<()> {
    let release = lab.client().apiserver_version().await?.git_version;
    let oldest = is_oldest();
    ensure!(oldest == release.starts_with("v1.30."), "asked for the oldest release: {oldest}, got {release}");
    Ok(())
}

/// Marking a workload that runs does not touch its Pod.
async fn marking_does_not_restart_the_pod(lab: &Lab) -> Result<()> {
    for kind in KINDS {
        let namespace = new_namespace(lab).await?;
        let client = lab.client();
        create(&client, &namespace, kind, false).await?;
        let before = pod(&client, &namespace).await?;
        let path = api::path(kind, &namespace, Some("ledger"));
        api::merge(&client, &path, &json!({"metadata": {"labels": {case::MARK: "true"}}}), None).await?.success()?;
        eventually("the controller to have seen the mark", || async {
            let object = api::get(&client, kind, &namespace, "ledger").await?.unwrap_or_default();
            Ok((object["status"]["observedGeneration"] == object["metadata"]["generation"]).then_some(()))
        })
        .await?;
        let after = pod(&client, &namespace).await?;
        ensure!(before == after, "{kind}: Pod {before} became {after}");
    }
    Ok(())
}

/// A namespace full of singletons can be deleted.
async fn a_namespace_of_singletons_can_be_deleted(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    create(&client, &namespace, "Deployment", true).await?;
    for kind in ["StatefulSet", "ReplicationController", "ReplicaSet"] {
        let object = complete(
            &json!({"kind": kind, "metadata": {"name": format!("b-{}", kind.to_lowercase()), "labels": {case::MARK: "strict"}}}),
            &namespace,
        );
        api::post(&client, &api::path(kind, &namespace, None), &object, None).await?.success()?;
    }
    let path = format!("/api/v1/namespaces/{namespace}");
    api::delete(&client, &path, None).await?.success()?;
    eventually("the namespace to be gone", || async {
        Ok((api::read(&client, &path).await?.code == 404).then_some(()))
    })
    .await
}

/// Deleting a Deployment works in every mode: what is orphaned runs on, what is collected goes.
async fn a_deployment_can_be_deleted_in_every_mode(lab: &Lab) -> Result<()> {
    for mode in ["Orphan", "Foreground", "Background"] {
        let namespace = new_namespace(lab).await?;
        let client = lab.client();
        create(&client, &namespace, "Deployment", true).await?;
        let before = pod(&client, &namespace).await?;
        let path = api::path("Deployment", &namespace, Some("ledger"));
        let options = json!({"propagationPolicy": mode}).to_string();
        api::call(&client, Method::DELETE, &path, Some((JSON, options)), None).await?.success()?;
        eventually(&format!("{mode}: the Deployment to be gone"), || async {
            let gone = api::get(&client, "Deployment", &namespace, "ledger").await?.is_none();
            let sets = api::list(&client, &api::path("ReplicaSet", &namespace, None)).await?;
            let as_it_should = match mode {
                "Orphan" => sets.len() == 1 && sets[0]["metadata"].get("ownerReferences").is_none(),
                _ => sets.is_empty(),
            };
            Ok((gone && as_it_should).then_some(()))
        })
        .await?;
        if mode == "Orphan" {
            ensure!(before == pod(&client, &namespace).await?, "the orphaned Pod was replaced");
        }
    }
    Ok(())
}

/// What a person reads in front of a real kubectl.
async fn kubectl_shows_one_line_and_what_to_do(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    create(&lab.client(), &namespace, "StatefulSet", true).await?;
    for extra in [&[][..], &["--current-replicas=1"][..], &["--dry-run=server"][..]] {
        let mut arguments = vec!["-n", &namespace, "scale", "statefulset/ledger", "--replicas=3"];
        arguments.extend(extra);
        let done = lab.kubectl(&arguments).await?;
        ensure!(done.code == 1, "kubectl {arguments:?} exited with {}", done.code);
        let expected = format!(
            "Warning: SG001: to run more than one copy take the singleton label off first, in a request of its own, then scale\n\
             Error from server (Forbidden): admission webhook \"scale.singleton-guard.io\" denied the request: SG001 StatefulSet {namespace}/ledger \
             is a singleton: spec.replicas must be less than or equal to 1, requested 3\n"
        );
        // Which of a pair is asked depends on whether the namespace is listed yet.
        let printed = done.stderr.replace("\"scale-elsewhere.", "\"scale.");
        ensure!(printed == expected, "kubectl {arguments:?} printed\n{}", done.stderr);
    }
    Ok(())
}

/// What kubectl prints where the value is a boolean is what the page on labels says that it prints.
async fn an_unquoted_true_is_answered_by_the_docs(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let page = std::fs::read_to_string("docs/reference/labels.md")?;
    let said = page.split('`').find(|words| words.starts_with("cannot unmarshal")).context("no error on the page")?;
    let object = complete(&json!({"kind": "StatefulSet", "metadata": {"name": "ledger"}}), &namespace);
    for (value, is_accepted) in [(json!(true), false), (json!("enabled"), true)] {
        let labelled = with(&object, json!({"metadata": {"labels": {case::MARK: value}}}));
        let done = lab.kubectl_with_input(&["apply", "-f", "-"], &labelled.to_string()).await?;
        ensure!((done.code == 0) == is_accepted, "{value}: {done:?}");
        ensure!(is_accepted || done.stderr.contains(said), "the page says {said:?}, kubectl {done:?}");
    }
    Ok(())
}

/// Whoever has the role that the page on break-glass gives, and no other right, scales a singleton by the command beside it.
async fn who_is_on_call_breaks_the_glass(lab: &Lab) -> Result<()> {
    let page = std::fs::read_to_string("docs/break-glass.md")?;
    let mut manifests = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let role = manifests.find(|manifest| manifest.contains("impersonate")).context("no role on the page")?;
    let command = page.lines().find_map(|line| line.strip_prefix("kubectl --as=")).context("no command there")?;
    let namespace = new_namespace(lab).await?;
    create(&lab.client(), &namespace, "StatefulSet", true).await?;

    lab.kubectl(&["-n", &namespace, "create", "serviceaccount", "on-call"]).await?.success()?;
    let token = lab.kubectl(&["-n", &namespace, "create", "token", "on-call"]).await?.success()?;
    let mut access: Value = serde_json::from_slice(&std::fs::read(lab.kubeconfig())?)?;
    access["users"][0]["user"] = json!({"token": token.trim()});
    let file = lab.logs().join(format!("{namespace}.kubeconfig"));
    std::fs::write(&file, access.to_string())?;
    let (file, command) = (file.display().to_string(), format!("--as={command}"));
    let arguments: Vec<_> = ["--kubeconfig", &file, "-n", &namespace].into_iter().chain(command.split(' ')).collect();

    let done = lab.kubectl(&arguments).await?;
    ensure!(done.stderr.contains("cannot impersonate"), "without the role: {done:?}");
    lab.kubectl_with_input(&["apply", "-f", "-"], role).await?.success()?;
    let (name, subject) = (format!("{namespace}-on-call"), format!("--serviceaccount={namespace}:on-call"));
    let bind = page.lines().find_map(|line| line.strip_prefix("kubectl create clusterrolebinding break-glass "));
    let bind = bind.context("no binding on the page")?.replace("--group=on-call", &subject);
    let arguments_of_bind: Vec<_> =
        ["create", "clusterrolebinding", &name].into_iter().chain(bind.split(' ')).collect();
    lab.kubectl(&arguments_of_bind).await?.success()?;
    // The authorizer hears of it a moment later.
    eventually("the glass to be broken", || async {
        Ok((lab.kubectl(&arguments).await?.stdout == "statefulset.apps/ledger scaled\n").then_some(()))
    })
    .await
}

/// Creates `ledger` with one replica, and waits for its Pod to run.
async fn create(client: &Client, namespace: &str, kind: &str, marked: bool) -> Result<()> {
    let labels = if marked { json!({case::MARK: "true"}) } else { json!({}) };
    let object = complete(&json!({"kind": kind, "metadata": {"name": "ledger", "labels": labels}}), namespace);
    let path = api::path(kind, namespace, None);
    api::post(client, &path, &object, None).await?.success()?;
    eventually(&format!("the Pod of {kind} ledger to run"), || async {
        let pods = api::list(client, &format!("/api/v1/namespaces/{namespace}/pods")).await?;
        Ok((pods.len() == 1 && pods[0]["status"]["phase"] == "Running").then_some(()))
    })
    .await
}

/// The uid of the only Pod.
async fn pod(client: &Client, namespace: &str) -> Result<String> {
    let pods = api::list(client, &format!("/api/v1/namespaces/{namespace}/pods")).await?;
    ensure!(pods.len() == 1, "expected one Pod, found {}", pods.len());
    Ok(pods[0]["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
}

const JSON: &str = "application/json";
const KINDS: [&str; 4] = ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"];
