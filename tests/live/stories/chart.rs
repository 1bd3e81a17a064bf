//! The chart, with the real helm: what it refuses, that it is deterministic, and that the API server takes every
//! object of every values file.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use singleton_guard::api::annotation::Disruption;
use singleton_guard::api::key::KEY;
use singleton_guard::api::kind::Kinds;
use singleton_guard::chart::rows::ROWS;
use singleton_guard::chart::webhooks::Only;
use singleton_guard::configuration;
use singleton_guard::policy::entry::Row;
use singleton_guard::settings::{Autoscalers, Companions, Mode};

use crate::common::installed::{NAMESPACE, RELEASE, chart, roll_back, upgrade};
use crate::common::{api, issuers, monitors};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::snapshot;

stories!(
    Beside:
    file_and_webhooks_agree,
    every_values_file_renders_and_is_accepted,
    the_rendered_rights_are_the_reviewed_ones,
    rights_are_the_least;
    Alone: an_upgrade_keeps_the_certificate;
);

/// `helm lint --strict`, two equal renders, and a server-side dry run of every object, for every values file.
async fn every_values_file_renders_and_is_accepted(lab: &Lab) -> Result<()> {
    monitors::install(lab).await?;
    let monitoring = lab.kubectl(&["create", "namespace", "monitoring"]).await?;
    ensure!(monitoring.succeeded() || monitoring.stderr.contains("AlreadyExists"), "{monitoring:?}");
    issuers::install(lab).await?;
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/certs/cert-manager.yaml"))?;
    let example = example.replace("namespace: cert-manager", "namespace: default");
    lab.kubectl_with_input(&["apply", "--dry-run=server", "--server-side", "-f", "-"], &example).await?.success()?;
    for file in values_files()? {
        let first = render(lab, &file).await?;
        ensure!(first == render(lab, &file).await?, "{}: two renders differ", file.display());
        let file = path(&file);
        lab.helm(&["lint", "--strict", &path(&chart()), "--values", &file]).await?.success()?;
        // A Pod needs its ServiceAccount even for a dry run; `helm test` is a test of its own.
        let objects: Vec<&str> = first.split("\n---\n").filter(|object| !object.contains("\nkind: Pod\n")).collect();
        let dry_run = ["apply", "--dry-run=server", "--server-side", "--force-conflicts", "-f", "-"];
        let done = lab.kubectl_with_input(&dry_run, &objects.join("\n---\n")).await?;
        done.success().with_context(|| format!("{file}: the API server refuses the render"))?;
    }
    Ok(())
}

/// One value reaches the selectors, the conditions and the process: the file, read as the process reads it, and the webhook
/// configurations say the same, whatever the values.
async fn file_and_webhooks_agree(lab: &Lab) -> Result<()> {
    let sets: [&[&str]; 3] = [
        &[],
        &[
            "mark.key=example.com/only-one",
            "exemptNamespaces={ops,kube-system,ops}",
            "warnNamespaces={staging}",
            "companions.headlessService=false",
            "companions.disruption=block",
            "companions.consentWindowMax=90m",
            "companions.foreignNames=allow",
        ],
        &[
            "exemptNamespaces={ops}",
            "warnNamespaces={b,a}",
            "release=break-glass",
            "strict.enabled=false",
            "autoscalers=off",
            "freshnessProof.enabled=false",
            "companions.enabled=false",
            "companions.block=deny",
            "events.denials=false",
        ],
    ];
    for set in sets {
        let chart = path(&chart());
        let mut arguments = vec!["template", RELEASE, &chart, "--namespace", NAMESPACE];
        arguments.extend(set.iter().flat_map(|value| ["--set", value]));
        let render = lab.helm(&arguments).await?.success()?;
        let objects: Vec<Value> = serde_saphyr::from_multiple(&render)?;
        let map = objects.iter().find(|object| object["kind"] == "ConfigMap").context("no ConfigMap")?;
        let file = map["data"]["config.yaml"].as_str().context("no config.yaml")?;
        let settings = configuration::parse(file.as_bytes()).map_err(|fault| anyhow!("{set:?}: {fault}\n{file}"))?;
        let key = settings.mark.as_str();

        let webhooks: Vec<&Value> = objects
            .iter()
            .filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("WebhookConfiguration")))
            .flat_map(|object| object["webhooks"].as_array().into_iter().flatten())
            .collect();
        let is_there = |row: &&Row| match row.only_for() {
            Some(Only::Strict) => settings.strict,
            Some(Only::Autoscalers) => settings.autoscalers != Autoscalers::Off,
            None => true,
        };
        let rows = ROWS.iter().filter(is_there);
        let entries: usize = rows.map(|row| row.entries().len()).sum();
        ensure!(webhooks.len() == entries, "{set:?}: {} webhooks instead of {entries}", webhooks.len());
        for webhook in webhooks {
            let name = &webhook["name"];
            let mutating = ["defaults.", "released.", "pod-names."].iter().any(|row| name.to_string().contains(row));
            let told = settings.events.denials && !mutating;
            let side_effects = if told { "NoneOnDryRun" } else { "None" };
            ensure!(webhook["sideEffects"] == side_effects, "{set:?}: {name} declares {}", webhook["sideEffects"]);
            let conditions: Vec<_> = webhook["matchConditions"].as_array().into_iter().flatten().collect();
            let exempt = conditions.iter().find(|condition| condition["name"] == "not-exempt-namespace");
            let exempt = exempt.and_then(|condition| condition["expression"].as_str()).context("no exemption")?;
            for namespace in NAMESPACES {
                let named = exempt.contains(&format!("'{namespace}'"));
                ensure!(named == settings.exempts(namespace), "{set:?}: {name} and the file differ about {namespace}");
            }
            for expression in webhook["objectSelector"]["matchExpressions"].as_array().into_iter().flatten() {
                ensure!(
                    expression["key"] == key || expression["key"] == KEY,
                    "{set:?}: {name} selects by {}",
                    expression["key"]
                );
            }
            let text = json!(conditions).to_string();
            for (index, _) in text.match_indices("labels[?'") {
                let named = [key, KEY].iter().any(|label| text[index..].starts_with(&format!("labels[?'{label}']")));
                ensure!(named, "{set:?}: {name} has a condition about another label: {}", &text[index..]);
            }
        }
        for namespace in NAMESPACES {
            let named = |value: &&str| {
                value.starts_with("warnNamespaces=") && value.split(['{', ',', '}']).any(|name| name == namespace)
            };
            let warns = set.iter().any(named);
            ensure!((settings.mode(namespace) == Mode::Warn) == warns, "{set:?}: the file differs about {namespace}");
        }
        let watches = objects.iter().any(|object| {
            object["kind"] == "ClusterRole" && object["rules"].to_string().contains("poddisruptionbudgets")
        });
        ensure!(watches == settings.companions.enabled, "{set:?}: the rights and the file differ about companions");
        let usual = Companions::default();
        let expected = if set.contains(&"companions.disruption=block") {
            (false, Disruption::Block, Duration::from_secs(90 * 60), true, true)
        } else {
            (usual.headless_service, usual.disruption, usual.consent_window_max, false, settings.companions.enabled)
        };
        let Companions { headless_service, disruption, consent_window_max, allowed, .. } = settings.companions;
        let found = (headless_service, disruption, consent_window_max, allowed.foreign_names, allowed.block);
        ensure!(found == expected, "{set:?}: of companions the file says {found:?}");
        let tells = objects
            .iter()
            .any(|object| object["kind"] == "ClusterRole" && object["rules"].to_string().contains("events.k8s.io"));
        let wanted = settings.strict || settings.companions.enabled || settings.events.denials;
        ensure!(tells == wanted, "{set:?}: the rights and the file differ about Events");
        let proves = !set.contains(&"freshnessProof.enabled=false");
        ensure!(settings.freshness_proof == proves, "{set:?}: the file differs about the freshness proof");
    }
    Ok(())
}

/// The rights are those that the registry's kinds need, and no Secret but our own.
async fn rights_are_the_least(lab: &Lab) -> Result<()> {
    let account = format!("system:serviceaccount:{NAMESPACE}:{RELEASE}");
    let list = lab
        .kubectl(&["auth", "can-i", "--list", "--as", &account, "-n", "default", "--no-headers"])
        .await?
        .success()?;
    let granted: BTreeSet<String> = list
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        // What every authenticated user may.
        .filter(|line| {
            !line.contains("selfsubject") && !line.starts_with("[/") && !line.contains("clustertrustbundles")
        })
        .collect();
    let mut expected: BTreeSet<String> = Kinds::BUILT_IN
        .that(|_| true)
        .map(|info| {
            let group = if info.group.is_empty() { String::new() } else { format!(".{}", info.group) };
            let verbs = if info.resource == "replicasets" { "get list watch patch" } else { "get list watch" };
            format!("{}{group} [] [] [{verbs}]", info.resource)
        })
        .collect();
    // What strict singletons take, and what the companions do.
    expected.extend(
        [
            "pods [] [] [get list watch delete]",
            "services [] [] [list watch create patch delete]",
            "poddisruptionbudgets.policy [] [] [list watch create patch delete]",
            "horizontalpodautoscalers.autoscaling [] [] [list watch]",
            "scaledobjects.keda.sh [] [] [list watch]",
            "events.events.k8s.io [] [] [create patch]",
        ]
        .map(str::to_owned),
    );
    for (kind, rows) in [
        ("validating", &["workload", "scale", "owned", "first", "status", "autoscalers", "pods"][..]),
        ("mutating", &["defaults", "released", "pod-names"][..]),
    ] {
        for row in rows {
            expected.insert(format!(
                "{kind}webhookconfigurations.admissionregistration.k8s.io [] [{RELEASE}-{row}] [get patch]"
            ));
        }
    }
    ensure!(
        granted == expected,
        "granted but not needed: {:#?}\nneeded but not granted: {:#?}",
        granted.difference(&expected).collect::<Vec<_>>(),
        expected.difference(&granted).collect::<Vec<_>>()
    );
    for (verb, secret) in
        [("get", "secret/other"), ("patch", "secret/other"), ("create", "secret/other"), ("create", "secrets")]
    {
        let may = lab.kubectl(&["auth", "can-i", verb, secret, "--as", &account, "-n", NAMESPACE]).await?;
        ensure!(may.stdout.trim() == "no", "it may {verb} {secret} in its namespace");
    }
    Ok(())
}

/// Everything that the chart grants, for each values file, is what somebody has looked at: `tests/rights`.
async fn the_rendered_rights_are_the_reviewed_ones(lab: &Lab) -> Result<()> {
    for file in values_files()? {
        let rendered = render(lab, &file).await?;
        let grants = |document: &&str| {
            let kind = document.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap_or_default();
            ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"].contains(&kind)
        };
        let rights: Vec<&str> = rendered.split("---\n").filter(grants).collect();
        let granted = !std::fs::read_to_string(&file)?.contains("rbac:\n  create: false");
        ensure!(rights.is_empty() != granted, "{}: granted are {rights:?}", file.display());
        let name = file.file_name().and_then(|name| name.to_str()).context("a values file has a name")?;
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        snapshot::file(root, &format!("tests/rights/{name}"), &rights.join("---\n")).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

/// An upgrade and a rollback keep the certificate and its trust.
async fn an_upgrade_keeps_the_certificate(lab: &Lab) -> Result<()> {
    let before = trust(lab).await?;
    upgrade(lab, &["--reuse-values", "--set", "log.format=text"]).await?;
    ensure!(before == trust(lab).await?, "an upgrade changed the certificate or its trust");
    roll_back(lab, None).await?;
    ensure!(before == trust(lab).await?, "a rollback changed the certificate or its trust");
    Ok(())
}

/// The Secret's data and every caBundle.
async fn trust(lab: &Lab) -> Result<Vec<Value>> {
    let client = lab.client();
    let secret = format!("/api/v1/namespaces/{NAMESPACE}/secrets/{RELEASE}-certificate");
    let mut trust = vec![api::read(&client, &secret).await?.success()?["data"].clone()];
    for kind in ["validating", "mutating"] {
        let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations");
        for configuration in api::list(&client, &path).await? {
            let bundle = &configuration["webhooks"][0]["clientConfig"]["caBundle"];
            ensure!(
                bundle.as_str().is_some_and(|bundle| !bundle.is_empty()),
                "no caBundle in {}",
                configuration["metadata"]["name"]
            );
            trust.push(json!([configuration["metadata"]["name"], bundle]));
        }
    }
    Ok(trust)
}

/// The chart with a values file, hooks included.
pub async fn render(lab: &Lab, file: &std::path::Path) -> Result<String> {
    let (chart, file) = (path(&chart()), path(file));
    let release = lab.client().apiserver_version().await?.git_version;
    let arguments =
        ["template", "candidate", &chart, "--namespace", NAMESPACE, "--values", &file, "--kube-version", &release];
    lab.helm(&arguments).await?.success()
}

/// One file for each way to use the chart.
pub fn values_files() -> Result<Vec<PathBuf>> {
    let entries: Result<Vec<_>, _> =
        std::fs::read_dir(chart().join("ci"))?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = entries?;
    files.sort();
    ensure!(files.len() >= 3, "the chart's values files are gone: {files:?}");
    Ok(files)
}

fn path(path: &std::path::Path) -> String {
    path.display().to_string()
}

/// What the values above are about, and what they are not.
const NAMESPACES: [&str; 6] = ["kube-system", "ops", "staging", "a", "b", "pay"];
