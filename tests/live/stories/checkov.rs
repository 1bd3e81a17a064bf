//! What a scanner of manifests says about the chart: nothing that is not explained in tests/checkov.txt.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::common::on_path;
use crate::harness::left_out::LeftOut;
use crate::harness::stories;
use crate::lab::Lab;
use crate::stories::chart::{render, values_files};

stories!(checkov_finds_nothing_unexplained);

/// Renders every values file and scans them all at once.
async fn checkov_finds_nothing_unexplained(lab: &Lab) -> Result<()> {
    let Some(checkov) = on_path("checkov") else {
        bail!(LeftOut("checkov is not there (`pip install checkov`)".to_owned()));
    };
    let directory = lab.logs().join("rendered");
    std::fs::create_dir_all(&directory)?;
    for file in values_files()? {
        let name = file.file_name().context("a values file without a name")?;
        std::fs::write(directory.join(name), render(lab, &file).await?)?;
    }
    let done = Command::new(checkov)
        .args("--framework kubernetes --skip-download --compact --quiet --soft-fail -o json -d".split(' '))
        .arg(&directory)
        .output()
        .await?;
    let report: Value = serde_json::from_slice(&done.stdout)
        .with_context(|| format!("reading checkov's report; it said {}", String::from_utf8_lossy(&done.stderr)))?;
    ensure!(report["summary"]["parsing_errors"] == 0, "checkov cannot read the render: {}", report["summary"]);
    ensure!(report["summary"]["passed"].as_u64().is_some_and(|passed| passed > 1000), "it has looked at little");

    let found: BTreeSet<(String, String)> = report["results"]["failed_checks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|finding| {
            let resource = finding["resource"].as_str().unwrap_or_default();
            let kind = resource.split('.').next().unwrap_or_default();
            (finding["check_id"].as_str().unwrap_or_default().to_owned(), kind.to_owned())
        })
        .collect();
    let explained = explained()?;
    ensure!(
        found == explained,
        "not explained in tests/checkov.txt: {:?}\nexplained, but not found: {:?}",
        found.difference(&explained).collect::<Vec<_>>(),
        explained.difference(&found).collect::<Vec<_>>()
    );
    Ok(())
}

/// Check and kind of each line with a reason.
fn explained() -> Result<BTreeSet<(String, String)>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkov.txt");
    let text = std::fs::read_to_string(file)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let (check, kind, reason) = (words.next(), words.next(), words.next());
            let (Some(check), Some(kind), Some(_)) = (check, kind, reason) else {
                anyhow::bail!("tests/checkov.txt: not check, kind and reason: {line:?}");
            };
            Ok((check.to_owned(), kind.to_owned()))
        })
        .collect()
}
