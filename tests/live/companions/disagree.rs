//! Replicas that disagree, as processes in one cluster: by their configuration, by their version and by their clocks.
//! Every one acts as a user of its own, so the audit log tells who has written what.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::process::{Nature, Process};
use crate::common::before::{self, Profile};
use crate::common::binary::guard_binary;
use crate::common::place::{Place, budget_name};
use crate::harness::left_out::LeftOut;
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::progress::Progress;
use crate::spec::case::complete;

stories!(
    replicas_of_two_configurations_and_versions_write_seldom after before::prepare,
    windows_close_whatever_the_clocks_say
);

/// Pairs of replicas that want different budgets: two of ours, and one of ours with one of before. Each pair has a mark
/// of its own, so all of them are at it at the same time.
async fn replicas_of_two_configurations_and_versions_write_seldom(lab: &Lab) -> Result<()> {
    let before = before::program(&Progress::silent(), Profile::Dev).map_err(LeftOut)?;
    let place = Place::new(lab).await?;
    let pairs = [
        ("allow", "block", None),
        ("allow", "none", None),
        ("allow", "block", Some(&before)),
        ("none", "allow", Some(&before)),
    ];
    let mut running = Vec::new();
    for (number, (one, other, program)) in pairs.into_iter().enumerate() {
        let mark = format!("example.com/disagree-{number}");
        for (disruption, program) in [(one, None), (other, program)] {
            let name = user(&place, number, disruption);
            let overlay = json!({"mark": {"key": mark}, "companions": {"disruption": disruption}});
            let program = program.map_or_else(guard_binary, PathBuf::clone);
            let nature = Nature { program, user: Some((name.clone(), ADMINISTRATORS)), clock: 0 };
            running.push(Process::start_as(lab, &name, overlay, nature)?);
        }
        let object = json!({"kind": "StatefulSet", "metadata": {"name": format!("s{number}"), "labels": {mark: "true"}}, "spec": {"replicas": 0}});
        place.make(complete(&object, &place.namespace)).await?;
    }
    let both_have_written = async || {
        let writes = Writes::read(&place)?;
        let mut all = (0..pairs.len()).zip(&pairs);
        Ok(all.all(|(number, (one, other, _))| {
            [one, other].iter().all(|disruption| !writes.of(&place, number, &[disruption]).is_empty())
        }))
    };
    place.until("both of each pair have written", both_have_written).await?;
    tokio::time::sleep(WATCHED).await;
    let writes = Writes::read(&place)?;
    drop(running);
    for (number, (one, other, program)) in pairs.into_iter().enumerate() {
        let (ours, theirs) = if program.is_some() { (vec![one], vec![other]) } else { (vec![one, other], Vec::new()) };
        let (ours, theirs) = (writes.of(&place, number, &ours), writes.of(&place, number, &theirs));
        let first = *ours.first().context("nobody has written")?;
        let within = |begin: Duration, end: Duration| {
            ours.iter().filter(|at| (first + begin..first + end).contains(*at)).count()
        };
        let counts = [within(Duration::ZERO, MINUTE), within(MINUTE, 2 * MINUTE)];
        let what = format!("{one} against {other}{}", if program.is_some() { " of before" } else { "" });
        eprintln!(
            "{what}: {counts:?} writes of ours in the first minute and in the second, {} of theirs",
            theirs.len()
        );
        ensure!(counts[0] <= 5 && counts[1] <= 1, "{what}: {counts:?} writes in the first minute and in the second");
        ensure!(counts[0] >= 2 && counts[1] >= 1, "{what}: they do not disagree, {counts:?}");
        ensure!(program.is_none() || theirs.len() >= 2, "{what}: the other one has not answered");
    }
    Ok(())
}

/// One clock is right, one is ten minutes behind and one ten minutes ahead: windows of consent are open until their end, no
/// eviction passes more than two seconds after it, and nobody writes to and fro.
async fn windows_close_whatever_the_clocks_say(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut running = Vec::new();
    for clock in [0, -TEN_MINUTES, TEN_MINUTES] {
        let name = format!("{}-clock-{clock}", place.namespace);
        let nature = Nature { user: Some((name.clone(), ADMINISTRATORS)), clock, ..Nature::default() };
        let process = Process::start_as(lab, &name, json!({}), nature)?;
        process.until_ready().await?;
        let lines = process.lines("")?;
        let said = lines.iter().find_map(|line| OffsetDateTime::parse(line["timestamp"].as_str()?, &Rfc3339).ok());
        let wrong_by = (said.context("a time in its log")? - OffsetDateTime::now_utc()).whole_seconds();
        ensure!((wrong_by - clock).abs() < 60, "its clock is wrong by {wrong_by} s instead of {clock}");
        running.push(process);
    }
    let names = ["one", "two", "three"];
    let wait = json!({"metadata": {"annotations": {"singleton-guard.io/disruption": "block"}}});
    for name in names {
        place.create("StatefulSet", name, wait.clone()).await?;
    }
    for name in names {
        place.until("an eviction has to wait", async || Ok(evict(&place, name).await? == REFUSED)).await?;
    }
    // Later ones end later: each is at its end while the others are quiet.
    let ends = [15, 18, 21].map(|seconds| SystemTime::now() + Duration::from_secs(seconds));
    for (name, end) in names.iter().zip(ends) {
        let until = OffsetDateTime::from(end).format(&Rfc3339)?;
        place.annotate("StatefulSet", name, json!({"singleton-guard.io/disruption-allowed-until": until})).await?;
    }
    let mut passed = BTreeMap::new();
    let last = ends[2] + Duration::from_secs(20);
    while SystemTime::now() < last {
        for (name, end) in names.iter().zip(ends) {
            let asked = SystemTime::now();
            if evict(&place, name).await? == PASSES {
                let after = asked.duration_since(end).unwrap_or_default();
                let (times, latest) = passed.entry(*name).or_insert((0, Duration::ZERO));
                (*times, *latest) = (*times + 1, after.max(*latest));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let writes = Writes::read(&place)?;
    drop(running);
    for name in names {
        let (times, latest) = *passed.get(name).with_context(|| format!("no eviction of {name} has passed"))?;
        let written = writes.about(&budget_name(name, "StatefulSet"));
        eprintln!(
            "{name}: {times} evictions passed, the last {latest:.1?} after the end; {written} writes of its budget"
        );
        ensure!(times >= 5, "{name}: only {times} evictions have passed, the window was hardly open");
        ensure!(latest < Duration::from_secs(2), "{name}: an eviction passed {latest:?} after the end of consent");
        ensure!(written <= 5, "{name}: {written} writes of its budget, where it is made, opened and closed");
    }
    Ok(())
}

/// The answer to an eviction that would change nothing.
async fn evict(place: &Place<'_>, name: &str) -> Result<u16> {
    Ok(place.evict(&format!("{name}-0"), &json!({"dryRun": ["All"]}), None).await?.code)
}

fn user(place: &Place<'_>, number: usize, disruption: &str) -> String {
    format!("{}-{number}-{disruption}", place.namespace)
}

/// What was written in a namespace by users that are called after it: when, who and what.
struct Writes(Vec<(SystemTime, String, String)>);

impl Writes {
    fn read(place: &Place<'_>) -> Result<Self> {
        let log = std::fs::read_to_string(place.lab.logs().join("audit.log"))?;
        let mut writes = Vec::new();
        for line in log.lines().filter(|line| line.contains(&place.namespace)) {
            let entry: Value = serde_json::from_str(line).unwrap_or_default();
            let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
            let resource = &entry["objectRef"]["resource"];
            let code = entry["responseStatus"]["code"].as_i64().unwrap_or_default();
            if entry["objectRef"]["namespace"] == *place.namespace
                && entry["stage"] == "ResponseComplete"
                && (resource == "poddisruptionbudgets" || resource == "services")
                && (200..300).contains(&code)
            {
                let at = OffsetDateTime::parse(&text(&entry["stageTimestamp"]), &Rfc3339)?.into();
                writes.push((at, text(&entry["impersonatedUser"]["username"]), text(&entry["objectRef"]["name"])));
            }
        }
        Ok(Self(writes))
    }

    /// Those of the budget of a pair, by those of it who want this.
    fn of(&self, place: &Place<'_>, number: usize, disruptions: &[&str]) -> Vec<SystemTime> {
        let users: Vec<_> = disruptions.iter().map(|disruption| user(place, number, disruption)).collect();
        let name = budget_name(&format!("s{number}"), "StatefulSet");
        let theirs = self.0.iter().filter(|(_, user, object)| users.contains(user) && *object == name);
        theirs.map(|(at, ..)| *at).collect()
    }

    /// How many there were of an object.
    fn about(&self, name: &str) -> usize {
        self.0.iter().filter(|(_, user, object)| !user.is_empty() && object == name).count()
    }
}

/// May do everything.
const ADMINISTRATORS: &str = "system:masters";
const TEN_MINUTES: i64 = 600;
const MINUTE: Duration = Duration::from_secs(60);
/// Two minutes of the one who has written first, and a little.
const WATCHED: Duration = Duration::from_secs(122);
const PASSES: u16 = 201;
const REFUSED: u16 = 429;
