//! The configuration file: what is wrong with one is said in full, and a changed one comes into force while the process
//! runs.

use std::os::unix::fs::symlink;
use std::path::Path;

use singleton_guard::api::annotation::Disruption;
use singleton_guard::configuration::{self, ConfigurationError, Reloader};
use singleton_guard::settings::Settings;
use singleton_guard::telemetry::exposition::Exposition;
use singleton_guard::telemetry::log::Level;
use singleton_guard::telemetry::metrics::Metrics;

/// A wrong file names the line, the field and what would be right; so at every field and at every level.
#[test]
fn a_wrong_configuration_names_the_line_the_field_and_what_would_be_right() -> Result<(), String> {
    for (text, says) in HEADS {
        refused(text, says)?;
    }
    for (text, says) in FIELDS {
        refused(&format!("{HEAD}{text}\n"), says)?;
    }
    let settings = configuration::parse(HEAD.as_bytes()).map_err(|fault| fault.to_string())?;
    assert!(settings == Settings::default(), "the defaults differ");
    // The file's own list of what it knows, so that a new field wants a row here.
    for field in fields(&[])? {
        let is_wrong_in = |says: &&str| says.contains(&format!("{field}: ")) || says.contains(&format!("{field}["));
        assert!(
            HEADS.iter().chain(&FIELDS).any(|(_, says)| is_wrong_in(says)),
            "nobody has tried what is said where {field} is wrong"
        );
    }
    Ok(())
}

/// The fields below this one, with those below them.
fn fields(path: &[&str]) -> Result<Vec<String>, String> {
    let text =
        path.iter().enumerate().fold(HEAD.to_owned(), |text, (depth, key)| text + &"  ".repeat(depth) + key + ":\n");
    let fault = configuration::parse(format!("{text}{}tpyo: 1\n", "  ".repeat(path.len())).as_bytes());
    let problem = fault.err().ok_or_else(|| format!("a typo in {path:?} passes"))?.problem;
    let Some((_, known)) = problem.split_once("unknown field `tpyo`, expected one of ") else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for name in known.split(", ") {
        let path = [path, &[name]].concat();
        found.push(path.join("."));
        found.extend(fields(&path)?);
    }
    Ok(found)
}

/// A changed file comes into force, the way a kubelet changes it; a wrong one, or none, changes nothing and is counted.
#[test]
fn a_configuration_is_read_again_and_a_wrong_one_changes_nothing() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    runtime.block_on(read_again()).map_err(|error| error.to_string())
}

async fn read_again() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("singleton-guard-configuration-{}", std::process::id()));
    let _left_behind = std::fs::remove_dir_all(&directory);
    let path = directory.join("config.yaml");
    std::fs::create_dir_all(&directory)?;
    symlink("..data/config.yaml", &path)?;
    mount(&directory, "one", Some(HEAD))?;

    let metrics = Metrics::new();
    let (_filter, level) = Level::new("error")?;
    let (bytes, settings) = configuration::read(&path)?;
    let mut reload = Reloader::new(path.clone(), bytes, settings, level.clone(), metrics.clone());
    let current = reload.current();
    let blocks = || current.get().companions.disruption == Disruption::Block;
    let counted = |success: u32, failure: u32, is_good: u32| {
        let text = metrics.encode(true, Exposition::Text).unwrap_or_default();
        let zero = |line: &str| line.ends_with(" 0") && !text.contains(line.trim_end_matches(" 0"));
        let lines = [
            format!("singleton_guard_config_reloads_total{{result=\"success\"}} {success}"),
            format!("singleton_guard_config_reloads_total{{result=\"failure\"}} {failure}"),
            format!("singleton_guard_config_last_reload_successful {is_good}"),
        ];
        let missing = lines.iter().find(|line| !text.contains(&format!("{line}\n")) && !zero(line));
        missing.map_or(Ok(()), |line| Err(format!("{line} is not in\n{text}")))
    };

    // As bits, which are ordered as the numbers are.
    let read_at = || {
        let text = metrics.encode(true, Exposition::Text).unwrap_or_default();
        let name = "singleton_guard_config_last_reload_success_timestamp_seconds ";
        text.lines().find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok()).map(f64::to_bits)
    };

    reload.look().await;
    counted(0, 0, 1)?;
    let at_first = read_at();
    assert!(at_first.is_some(), "nobody says when the first one was read");
    mount(&directory, "two", Some(&format!("{HEAD}companions: {{disruption: block}}\nlog: {{level: debug}}\n")))?;
    reload.look().await;
    counted(1, 0, 1)?;
    assert!(blocks(), "the new file is not in force");
    assert_eq!(level.get(), "debug", "the level is not the file's");
    let in_force = read_at();
    assert!(in_force > at_first, "another file is in force since the same moment");

    for wrong in [Some("mark: [\n"), None] {
        mount(&directory, "three", wrong)?;
        // Said once, however often it is seen.
        reload.look().await;
        reload.look().await;
        assert!(blocks(), "a wrong file has changed something");
    }
    counted(1, 2, 0)?;
    assert_eq!(read_at(), in_force, "what is in force was read before");
    // Right again, though nothing in it has changed.
    mount(&directory, "two", Some(&format!("{HEAD}companions: {{disruption: block}}\n")))?;
    reload.look().await;
    counted(2, 2, 1)?;
    assert!(read_at() > in_force, "the file was read again");
    assert!(blocks(), "the file as it was is not in force");
    assert_eq!(level.get(), "error", "the level is not that of the command line");

    std::fs::remove_dir_all(&directory)?;
    let gone = configuration::read(&path).expect_err("a file that does not exist was read");
    assert!(matches!(gone, ConfigurationError::Read { .. }), "{gone}");
    Ok(())
}

/// Brings another version of the file, or none, as a kubelet does.
fn mount(directory: &Path, version: &str, text: Option<&str>) -> std::io::Result<()> {
    let (data, next) = (directory.join("..data"), directory.join("..data_tmp"));
    std::fs::create_dir_all(directory.join(version))?;
    let file = directory.join(version).join("config.yaml");
    match text {
        Some(text) => std::fs::write(file, text)?,
        None => std::fs::remove_file(file)?,
    }
    symlink(version, &next)?;
    std::fs::rename(next, data)
}

fn refused(text: &str, says: &str) -> Result<(), String> {
    match configuration::parse(text.as_bytes()) {
        Ok(settings) => Err(format!("{text:?} was accepted: {settings:?}")),
        Err(fault) if fault.to_string() == says => Ok(()),
        Err(fault) => Err(format!("{text:?}\nexpected {says}\ngot      {fault}")),
    }
}

const HEAD: &str = "apiVersion: singleton-guard.io/v1\nkind: GuardConfiguration\n";
/// Files that are wrong from their beginning.
const HEADS: [(&str, &str); 8] = [
    (
        "",
        r#"line 1: it is empty; a configuration begins with "apiVersion: singleton-guard.io/v1" and "kind: GuardConfiguration""#,
    ),
    ("- a", r#"line 1: must have fields below it, each as "name: value""#),
    (
        "kind: GuardConfiguration",
        r#"line 1: apiVersion is missing; a configuration begins with "apiVersion: singleton-guard.io/v1" and "kind: GuardConfiguration""#,
    ),
    (
        "apiVersion: singleton-guard.io/v1",
        r#"line 1: kind is missing; a configuration begins with "apiVersion: singleton-guard.io/v1" and "kind: GuardConfiguration""#,
    ),
    (
        "apiVersion: v1\nkind: GuardConfiguration",
        "line 1: apiVersion: unknown variant `v1`, expected one of singleton-guard.io/v1",
    ),
    (
        "apiVersion: singleton-guard.io/v1\nkind: Configuration",
        "line 2: kind: unknown variant `Configuration`, expected one of GuardConfiguration",
    ),
    (
        "apiVersion: singleton-guard.io/v1\nkind: GuardConfiguration\n---\nkind: b",
        "line 4: only single YAML document expected but multiple found",
    ),
    (
        "apiVersion: singleton-guard.io/v1\nkind: GuardConfiguration\nkind: GuardConfiguration",
        "line 3: duplicate mapping key `kind` is not allowed here",
    ),
];
/// What may follow the beginning, wrong in one field each.
const FIELDS: [(&str, &str); 59] = [
    ("customKinds: all", "line 3: customKinds: must be a list, as in [a, b]"),
    (
        "customKinds: [{group: a.b, version: v1, resource: as, kind: A, replicaPath: .spec.x}]",
        "line 3: customKinds[0].replicaPath: unknown field `replicaPath`, expected one of group, version, resource, kind, replicasPath, replicasAbsent, controllerUser, ownsReplicaSets, templatePath",
    ),
    (
        "customKinds: [{group: a.b, version: v1, resource: as, kind: a}]",
        r#"customKinds[0].kind: "a" is not a kind, as in "Rollout""#,
    ),
    (
        "customKinds: [{group: a.b, version: v1, resource: as, kind: A, replicasPath: .status.replicas}]",
        r#"customKinds[0].replicasPath: ".status.replicas" is not a path below .spec, as in ".spec.replicas""#,
    ),
    (
        "customKinds: [{group: a.b, version: v1, resource: as, kind: A}, {group: a.b, version: v2, resource: as, kind: B}]",
        r#"customKinds[1].resource: "as.a.b" is there twice, by its resource or its kind; leave one of them out"#,
    ),
    (
        "customKinds: [{group: apps, version: v1, resource: deployments, kind: Deployment}]",
        r#"customKinds[0].resource: "deployments.apps" is one of Kubernetes' own; leave it out"#,
    ),
    (
        "customKinds: [{group: a.b, version: v1, resource: as, kind: A, templatePath: .spec.pods}]",
        r#"customKinds[0].templatePath: ".spec.pods" is not read: only ".spec.template" is"#,
    ),
    (
        "exemptNamespace: []",
        "line 3: exemptNamespace: unknown field `exemptNamespace`, expected one of apiVersion, kind, customKinds, mark, exemptNamespaces, warnNamespaces, release, autoscalers, strict, freshnessProof, companions, events, log",
    ),
    ("exemptNamespaces: kube-system", "line 3: exemptNamespaces: must be a list, as in [a, b]"),
    (
        "exemptNamespaces:\n  - kube-system\n  - Team_A",
        r#"line 5: exemptNamespaces[1]: "Team_A" is not the name of a namespace: lowercase letters, digits and '-' only, at most 63; patterns are not supported"#,
    ),
    (
        "exemptNamespaces: ['team-*']",
        r#"line 3: exemptNamespaces[0]: "team-*" is not the name of a namespace: lowercase letters, digits and '-' only, at most 63; patterns are not supported"#,
    ),
    ("warnNamespaces:\n  - pay\n  -", "line 5: warnNamespaces[1]: null is not allowed here"),
    (
        "warnNamespaces: [pay, Pay]",
        r#"line 3: warnNamespaces[1]: "Pay" is not the name of a namespace: lowercase letters, digits and '-' only, at most 63; patterns are not supported"#,
    ),
    (
        "exemptNamespaces: [ops]\nwarnNamespaces: [pay, ops]",
        r#"warnNamespaces[1]: "ops" is in exemptNamespaces too: nothing is judged there, so there is nothing to warn of; name it in one of the two"#,
    ),
    (
        "warnNamespaces: [kube-system]",
        r#"warnNamespaces[0]: "kube-system" is in exemptNamespaces too: nothing is judged there, so there is nothing to warn of; name it in one of the two"#,
    ),
    ("release: never", "line 3: release: unknown variant `never`, expected one of free, break-glass"),
    ("autoscalers: maybe", "line 3: autoscalers: unknown variant `maybe`, expected one of deny, warn, off"),
    ("mark: singleton", r#"line 3: mark: must have fields below it, each as "name: value""#),
    ("mark:\n  label: a", "line 4: mark.label: unknown field `label`, expected one of key"),
    (
        "mark:\n  key: Not/A/Key",
        r#"line 4: mark.key: "Not/A/Key" is not a label key: the name part must consist of letters, digits, '-', '_' or '.', and begin and end with a letter or digit"#,
    ),
    ("mark:\n  key: ''", r#"line 4: mark.key: "" is not a label key: the name part must have 1 to 63 characters"#),
    ("strict: true", r#"line 3: strict: must have fields below it, each as "name: value""#),
    ("strict:\n  forced: true", "line 4: strict.forced: unknown field `forced`, expected one of enabled, nodeUsers"),
    ("strict:\n  enabled: maybe", "line 4: strict.enabled: invalid boolean (true or false expected)"),
    ("strict:\n  nodeUsers: kwok", "line 4: strict.nodeUsers: must be a list, as in [a, b]"),
    (
        "strict:\n  nodeUsers:\n    - {user: a, node: b}",
        "line 5: strict.nodeUsers[0].node: unknown field `node`, expected one of user, group, nodeNamePrefixes",
    ),
    (
        "strict:\n  nodeUsers: [{user: a}, {nodeNamePrefixes: [b]}]",
        "line 4: strict.nodeUsers[1]: must have a user or a group, and not both: each has an entry of its own",
    ),
    (
        "strict:\n  nodeUsers: [{user: a, group: 'system:serviceaccounts:b'}]",
        "line 4: strict.nodeUsers[0]: must have a user or a group, and not both: each has an entry of its own",
    ),
    (
        "strict:\n  nodeUsers: [{user: 'system:serviceaccount:vk:*'}]",
        r#"line 4: strict.nodeUsers[0].user: "system:serviceaccount:vk:*" is no ServiceAccount: right is system:serviceaccount:NAMESPACE:NAME"#,
    ),
    (
        "strict:\n  nodeUsers: [{user: 'virtual-*'}]",
        r#"line 4: strict.nodeUsers[0].user: "virtual-*" is not the whole name of a user; patterns are not supported"#,
    ),
    (
        "strict:\n  nodeUsers: [{user: ''}]",
        r#"line 4: strict.nodeUsers[0].user: "" is not the whole name of a user; patterns are not supported"#,
    ),
    (
        "strict:\n  nodeUsers: [{user: 'system:serviceaccounts:vk'}]",
        r#"line 4: strict.nodeUsers[0].user: "system:serviceaccounts:vk" is a group: write it as group if it is that of the ServiceAccounts of one namespace, and name each user otherwise"#,
    ),
    (
        "strict:\n  nodeUsers: [{user: 'system:anonymous'}]",
        r#"line 4: strict.nodeUsers[0].user: "system:anonymous" is everybody without credentials: name the user that the API server's audit log shows for the node"#,
    ),
    (
        "strict:\n  nodeUsers: [{user: 'system:node:worker-1'}]",
        r#"line 4: strict.nodeUsers[0].user: "system:node:worker-1" is the user of a kubelet, which needs no entry for the Pods of its own node and must not end those of others: leave it out"#,
    ),
    (
        "strict:\n  nodeUsers: [{group: 'system:authenticated'}]",
        r#"line 4: strict.nodeUsers[0].group: "system:authenticated" is not the ServiceAccounts of one namespace: right is system:serviceaccounts:NAMESPACE; anybody else is named as user"#,
    ),
    (
        "strict:\n  nodeUsers: [{group: 'system:serviceaccounts'}]",
        r#"line 4: strict.nodeUsers[0].group: "system:serviceaccounts" is not the ServiceAccounts of one namespace: right is system:serviceaccounts:NAMESPACE; anybody else is named as user"#,
    ),
    (
        "strict:\n  nodeUsers: [{user: a, nodeNamePrefixes: []}]",
        "line 4: strict.nodeUsers[0].nodeNamePrefixes: is empty: name a prefix, or leave it out for all nodes",
    ),
    (
        "strict:\n  nodeUsers: [{user: a, nodeNamePrefixes: [virtual-, 'kwok-*']}]",
        r#"line 4: strict.nodeUsers[0].nodeNamePrefixes[1]: "kwok-*" is not how the name of a node begins: lowercase letters, digits, '-' and '.' only; patterns are not supported"#,
    ),
    ("freshnessProof: true", r#"line 3: freshnessProof: must have fields below it, each as "name: value""#),
    ("freshnessProof:\n  on: true", "line 4: freshnessProof.on: unknown field `on`, expected one of enabled"),
    ("freshnessProof:\n  enabled: 1", "line 4: freshnessProof.enabled: invalid boolean (true or false expected)"),
    ("companions: true", r#"line 3: companions: must have fields below it, each as "name: value""#),
    (
        "companions:\n  enable: true",
        "line 4: companions.enable: unknown field `enable`, expected one of enabled, headlessService, disruption, consentWindowMax, foreignNames, block",
    ),
    ("companions:\n  enabled: maybe", "line 4: companions.enabled: invalid boolean (true or false expected)"),
    (
        "companions:\n  headlessService: none",
        "line 4: companions.headlessService: invalid boolean (true or false expected)",
    ),
    (
        "companions:\n  disruption: never",
        "line 4: companions.disruption: unknown variant `never`, expected one of allow, block, none",
    ),
    (
        "companions:\n  consentWindowMax: 24",
        r#"line 4: companions.consentWindowMax: "24" is not a time between 1 minute and 744 hours: right is a number with m or h, as in "24h""#,
    ),
    (
        "companions:\n  consentWindowMax: 0h",
        r#"line 4: companions.consentWindowMax: "0h" is not a time between 1 minute and 744 hours: right is a number with m or h, as in "24h""#,
    ),
    (
        "companions:\n  consentWindowMax: 745h",
        r#"line 4: companions.consentWindowMax: "745h" is not a time between 1 minute and 744 hours: right is a number with m or h, as in "24h""#,
    ),
    (
        "companions:\n  foreignNames: maybe",
        "line 4: companions.foreignNames: unknown variant `maybe`, expected one of allow, deny",
    ),
    ("companions:\n  block: false", "line 4: companions.block: unknown variant `false`, expected one of allow, deny"),
    (
        "companions:\n  disruption: block\n  block: deny",
        r#"companions.disruption: "block" is what companions.block denies; choose "allow" or "none", or allow it"#,
    ),
    ("events: true", r#"line 3: events: must have fields below it, each as "name: value""#),
    ("events:\n  denial: true", "line 4: events.denial: unknown field `denial`, expected one of denials, includeUsers"),
    ("events:\n  includeUsers: people", "line 4: events.includeUsers: invalid boolean (true or false expected)"),
    ("events:\n  denials: often", "line 4: events.denials: invalid boolean (true or false expected)"),
    ("log: info", r#"line 3: log: must have fields below it, each as "name: value""#),
    ("log:\n  levels: info", "line 4: log.levels: unknown field `levels`, expected one of level"),
    (
        "log:\n  level: verbose",
        "line 4: log.level: unknown variant `verbose`, expected one of error, warn, info, debug, trace",
    ),
];
