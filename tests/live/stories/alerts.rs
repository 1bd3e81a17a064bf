//! The alerts and the metrics as promtool judges them. They need no cluster, but a tool that may be missing, and a test that
//! was not run has to be able to say so.

use anyhow::{Error, Result};

use crate::common::promtool::{self, promtool};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::metrics_table;
use crate::spec::rules::{RULES, TESTS};

stories!(alerts_fire_when_they_should, every_metric_is_named_and_described_as_is_usual);

async fn alerts_fire_when_they_should(_: &Lab) -> Result<()> {
    let promtool = promtool()?;
    promtool::run(&promtool, &["check", "rules", RULES], "")?;
    promtool::run(&promtool, &["test", "rules", TESTS], "")
}

async fn every_metric_is_named_and_described_as_is_usual(_: &Lab) -> Result<()> {
    promtool::well_formed(&promtool()?, &metrics_table::text().map_err(Error::msg)?)
}
