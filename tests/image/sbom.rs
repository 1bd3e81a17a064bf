//! What is in the program, from the locked dependency graph as cargo resolves it for one target: `CycloneDX` 1.5.
//!
//! Without a time and a serial number, so that the same graph gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// The file.
pub(crate) fn write(target: &str) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .context("starting cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    bill(&serde_json::from_slice(&output.stdout)?)
}

/// The bill of what `cargo metadata` says.
fn bill(metadata: &Value) -> Result<String> {
    let root = metadata["resolve"]["root"].as_str().context("no root")?;
    let edges: BTreeMap<&str, Vec<&str>> = array(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, array(&node["deps"]).filter_map(linked).collect())))
        .collect();
    let (mut inside, mut next) = (BTreeSet::new(), vec![root]);
    while let Some(id) = next.pop() {
        if inside.insert(id) {
            next.extend(edges.get(id).into_iter().flatten());
        }
    }
    let packages: BTreeMap<&str, &Value> =
        array(&metadata["packages"]).filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let named = |id: &&str| packages.get(*id).map(|package| (purl(package), *package));
    let components: BTreeMap<String, &Value> = inside.iter().filter(|id| **id != root).filter_map(named).collect();
    let dependencies: BTreeMap<String, BTreeSet<String>> = inside
        .iter()
        .filter_map(|id| {
            let on = edges.get(id).into_iter().flatten().filter_map(named).map(|(purl, _)| purl).collect();
            Some((named(id)?.0, on))
        })
        .collect();
    let component = |package: &Value, kind: &str| {
        let mut component = json!({
            "type": kind, "bom-ref": purl(package), "name": package["name"], "version": package["version"],
            "purl": purl(package),
        });
        if let Some(license) = package["license"].as_str() {
            // Older crates write "MIT/Apache-2.0", which is no SPDX expression.
            component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
        }
        component
    };
    let (_, program) = named(&root).context("no package for the root")?;
    let components: Vec<_> = components.values().map(|package| component(package, "library")).collect();
    let dependencies: Vec<_> = dependencies.into_iter().map(|(of, on)| json!({ "ref": of, "dependsOn": on })).collect();
    let bill = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": component(program, "application") },
        "components": components,
        "dependencies": dependencies,
    });
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}

/// The package that an edge leads to, if it is there when the program runs: no tests' and no build scripts'.
fn linked(edge: &Value) -> Option<&str> {
    array(&edge["dep_kinds"]).any(|kind| kind["kind"].is_null()).then(|| edge["pkg"].as_str())?
}

fn purl(package: &Value) -> String {
    let field = |name: &str| package[name].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", field("name"), field("version"))
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
