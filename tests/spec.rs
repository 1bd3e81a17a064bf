//! The specification, run: every case at every boundary, the properties, and what the code makes.
//!
//! `cargo test` is the whole of it. The live part boots one real control plane for the run; where that cannot be had
//! it is left out with the reason, and with `CI=true` that is a failure. `WITHOUT_GUARD=1` boots it without the guard,
//! and then every live case that expects a refusal must fail: a check that cannot fail checks nothing.
//! `ONLY_FLOOR=1` leaves only the native floor: every case must end alike but for those that are listed with a reason.
//! `KUBERNETES=1.30` boots the oldest release that the chart installs on instead of the newest. `-- --ignored` measures.

#![allow(unreachable_pub, missing_docs, reason = "one program; its rooms are described at their heads")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected has failed"
)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "fuzz/targets.rs"]
mod targets;
mod spec {
    #[path = "../live/common/api.rs"]
    pub mod api;
    pub mod architecture;
    #[path = "../live/stories/bad_values.rs"]
    pub mod bad_values;
    #[path = "../live/stories/becoming.rs"]
    pub mod becoming;
    #[path = "../live/common/binary.rs"]
    pub mod binary;
    pub mod case;
    #[path = "../live/stories/chart.rs"]
    pub mod chart;
    #[path = "../live/stories/checkov.rs"]
    pub mod checkov;
    pub mod codes;
    #[path = "../live/stories/companions/dns.rs"]
    pub mod companions_dns;
    #[path = "../live/stories/companions/drain.rs"]
    pub mod companions_drain;
    #[path = "../live/stories/companions/made.rs"]
    pub mod companions_live;
    pub mod companions_patience;
    #[path = "../live/common/place.rs"]
    pub mod companions_place;
    pub mod companions_plan;
    #[path = "../live/stories/companions/selectors.rs"]
    pub mod companions_selectors;
    #[path = "../live/stories/companions/mod.rs"]
    pub mod companions_stories;
    pub mod configuration;
    #[path = "../live/stories/configuration.rs"]
    pub mod configuration_live;
    #[path = "../live/stories/cut_off.rs"]
    pub mod cut_off;
    #[path = "../live/common/definitions.rs"]
    pub mod definitions;
    #[path = "../live/stories/denials.rs"]
    pub mod denials_live;
    pub mod deployment_controller;
    pub mod differential;
    pub mod documentation;
    pub mod events;
    pub mod floor;
    #[path = "../live/stories/floor_cost.rs"]
    pub mod floor_cost;
    #[path = "../live/stories/floor.rs"]
    pub mod floor_live;
    #[path = "../live/stories/freshness.rs"]
    pub mod freshness_live;
    pub mod generated;
    #[path = "../live/stories/hatches.rs"]
    pub mod hatches;
    #[path = "../live/common/https.rs"]
    pub mod https;
    pub mod imports;
    pub mod in_lab;
    #[path = "../live/common/installed.rs"]
    pub mod installed;
    #[path = "../live/common/issuers.rs"]
    pub mod issuers;
    #[path = "../live/harness/late.rs"]
    pub mod late;
    #[path = "../live/harness/left_out.rs"]
    pub mod left_out;
    #[path = "../live/cases/play.rs"]
    pub mod live;
    #[path = "../live/cases/mod.rs"]
    pub mod live_trials;
    pub mod liveness;
    pub mod mangled;
    pub mod metrics_table;
    pub mod model;
    #[path = "../live/stories/modes.rs"]
    pub mod modes;
    #[path = "../live/common/monitors.rs"]
    pub mod monitors;
    pub mod namespaces_plan;
    #[path = "../live/stories/operations.rs"]
    pub mod operations;
    #[path = "../live/stories/outage.rs"]
    pub mod outage;
    #[path = "../live/common/prometheus.rs"]
    pub mod prometheus;
    pub mod properties;
    pub mod pure;
    #[path = "../live/stories/quickstart.rs"]
    pub mod quickstart;
    pub mod readings;
    pub mod recorded;
    pub mod remedies;
    #[path = "../live/common/revisions.rs"]
    pub mod revisions;
    #[path = "../live/common/route.rs"]
    pub mod route;
    pub mod router;
    pub mod rules;
    #[path = "../live/stories/scale_cost.rs"]
    pub mod scale_cost;
    pub mod shapes;
    #[path = "../live/stories/strict/slow.rs"]
    pub mod slow;
    pub mod snapshot;
    #[path = "../live/stories/tools.rs"]
    pub mod stories;
    #[path = "../live/stories/strict/becoming.rs"]
    pub mod strict_becoming;
    #[path = "../live/stories/strict/figures.rs"]
    pub mod strict_figures;
    #[path = "../live/stories/strict/held_up.rs"]
    pub mod strict_held_up;
    #[path = "../live/stories/strict/mod.rs"]
    pub mod strict_live;
    #[path = "../live/stories/strict/nodes.rs"]
    pub mod strict_nodes;
    pub mod surplus;
    #[path = "../live/stories/takeover.rs"]
    pub mod takeover;
    pub mod texts;
    pub mod threats;
    pub mod values;
    pub mod warnings;
    #[path = "../live/stories/warnings.rs"]
    pub mod warnings_live;
    #[path = "../live/stories/watched.rs"]
    pub mod watched;
    #[path = "../live/common/workloads.rs"]
    pub mod workloads;
}

use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;

use lab::Lab;
use lab::progress::Progress;
use libtest_mimic::{Arguments, Trial};
use spec::case::{self, Case};
use spec::installed;
use spec::live_trials::{self, LiveTrial};
use spec::{
    architecture, bad_values, chart, checkov, codes, companions_patience, companions_plan, configuration,
    configuration_live, cut_off, denials_live, differential, documentation, events, floor, freshness_live, generated,
    hatches, imports, in_lab, late, left_out, liveness, metrics_table, modes, namespaces_plan, operations, outage,
    properties, pure, quickstart, readings, recorded, router, rules, stories, strict_live, takeover, texts, threats,
    values, warnings, warnings_live, watched,
};

type Check = fn(&Path) -> Result<(), String>;
type Property = fn() -> Result<(), String>;
type LiveTest = for<'a> fn(&'a Lab) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = case::load(&root.join("tests/cases"));
    // A live case waits more than it works; too many on a small machine only wait for each other.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert((2 * cores).min(8));
    let mut trials = local(root, &cases);
    let live = live_trials::all(&cases, installed::wanted());
    let stubs: Vec<_> = live.iter().map(LiveTrial::stub).collect();
    if arguments.list || !left_out::any_wanted(&arguments, &stubs) {
        trials.extend(stubs);
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let progress = Progress::to_stderr();
    // Go may need the network, which is out of reach after that. What goes wrong is said by the test that needs it.
    let _built = differential::program(root);
    in_lab::run(arguments, ("the live part", trials), &progress, |mut arguments, mut trials, installed| {
        let (alone, beside): (Vec<_>, Vec<_>) = live.into_iter().partition(|trial| trial.is_alone);
        trials.extend(beside.into_iter().map(|trial| trial.trial(installed)));
        let alone = alone.into_iter().map(|trial| trial.trial(installed)).collect();
        let mut conclusion = libtest_mimic::run(&arguments, trials);
        if !conclusion.has_failed() {
            arguments.test_threads = Some(1);
            conclusion = libtest_mimic::run(&arguments, alone);
        }
        conclusion
    })
}

/// What needs no cluster.
fn local(root: &'static Path, cases: &[Case]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, check) in CHECKS {
        trials.push(Trial::test(name, move || Ok(check(root)?)));
    }
    trials.extend(rules::trials(root));
    for (name, property) in PROPERTIES {
        trials.push(Trial::test(format!("property::{name}"), move || Ok(property()?)));
    }
    let facts = companions_plan::facts().chain(companions_patience::FACTS).chain(namespaces_plan::FACTS);
    for (name, fact) in facts {
        trials.push(Trial::test(format!("plan::{name}"), move || Ok(fact()?)));
    }
    for case in cases.iter().cloned().chain(case::load_enabled(&root.join("tests/cases"))) {
        let (at_core, at_router) = (case.clone(), case.clone());
        trials.push(Trial::test(format!("pure::{}", case.name), move || Ok(pure::run(&at_core)?)));
        trials.push(Trial::test(format!("router::{}", case.name), move || Ok(router::run(&at_router)?)));
    }
    trials
}

/// What holds for every request.
const PROPERTIES: [(&str, Property); 27] = [
    ("slow tests are run again a few times in a run", late::repeats_are_few),
    ("maxSurge is rounded up", readings::max_surge_is_rounded_up),
    ("the numbering moves only without a Pod", readings::the_numbering_moves_only_without_a_pod),
    ("reviews are read strictly", readings::reviews_are_read_strictly),
    ("only the guarded groups are judged", readings::only_the_guarded_groups_are_judged),
    ("no answer is no consent", readings::no_answer_is_no_consent),
    ("advice that does not come refuses nothing", readings::advice_that_does_not_come_refuses_nothing),
    ("a refusal is a whole Status", readings::a_refusal_is_a_whole_status),
    ("each holder of a name has its step", liveness::each_holder_has_its_step),
    ("reminders count once, whoever gives them", liveness::reminders_count_once),
    ("any grace can be told", liveness::any_grace_can_be_told),
    ("each Pod that holds a name is in one state", liveness::each_pod_is_in_one_state),
    ("a wrong configuration names the line, the field and what would be right", configuration::names_what_is_wrong),
    ("a denial is one Event, however often it happens", events::are_folded),
    ("what waits to be told is bounded, and what is written", events::are_bounded),
    ("an Event says who asked, and no person unless it is to", events::name_no_people),
    ("questions about what is to be told are bounded", events::are_doubted_within_bounds),
    ("an Event is about what exists and can be named", events::are_about_what_exists),
    ("a configuration is read again, and a wrong one changes nothing", configuration::is_read_again),
    ("any bytes are answered", properties::any_bytes_are_answered),
    ("any type at any field is answered", properties::any_type_at_any_field_is_answered),
    ("no sequence of requests takes a singleton past one", properties::no_sequence_passes_one),
    ("what may become a singleton ends at one", spec::surplus::what_may_become_a_singleton_ends_at_one),
    ("derived keys are names", properties::derived_keys_are_names),
    ("completing twice changes nothing more", properties::defaults_are_idempotent),
    ("field order, unknown fields and nesting do not matter", properties::form_does_not_matter),
    ("texts keep their limits", texts::keep_their_limits),
];

/// Controllers and tools at work around singletons; side by side with the cases.
const STORIES: [(&str, LiveTest); 22] = [
    ("operations::verify tells what it sees", |lab| Box::pin(operations::verify_tells_what_it_sees(lab))),
    ("story::the release is the one asked for", |lab| Box::pin(stories::the_release_is_the_one_asked_for(lab))),
    ("story::the quickstart prints what it says", |lab| Box::pin(quickstart::prints_what_it_says(lab))),
    ("story::an unquoted true is answered by the docs", |lab| {
        Box::pin(stories::an_unquoted_true_is_answered_by_the_docs(lab))
    }),
    ("story::who is on call breaks the glass", |lab| Box::pin(stories::who_is_on_call_breaks_the_glass(lab))),
    ("chart::file and webhooks agree", |lab| Box::pin(chart::file_and_webhooks_agree(lab))),
    ("recorded::the stored reviews are what the API server sends", |lab| {
        Box::pin(recorded::are_what_the_api_server_sends(lab))
    }),
    ("story::an autoscaler is told why not", |lab| Box::pin(stories::an_autoscaler_is_told_why_not(lab))),
    ("story::marking does not restart the Pod", |lab| Box::pin(stories::marking_does_not_restart_the_pod(lab))),
    ("story::a namespace of singletons can be deleted", |lab| {
        Box::pin(stories::a_namespace_of_singletons_can_be_deleted(lab))
    }),
    ("story::a Deployment can be deleted in every mode", |lab| {
        Box::pin(stories::a_deployment_can_be_deleted_in_every_mode(lab))
    }),
    ("warnings::a mark without effect is told", |lab| Box::pin(warnings_live::a_mark_without_effect_is_told(lab))),
    ("story::kubectl shows one line and what to do", |lab| {
        Box::pin(stories::kubectl_shows_one_line_and_what_to_do(lab))
    }),
    ("chart::every values file renders and is accepted", |lab| {
        Box::pin(chart::every_values_file_renders_and_is_accepted(lab))
    }),
    ("chart::checkov finds nothing unexplained", |lab| Box::pin(checkov::nothing_is_unexplained(lab))),
    ("chart::every value for a platform reaches its objects", |lab| {
        Box::pin(hatches::every_value_reaches_its_objects(lab))
    }),
    ("chart::no value for a platform changes anything else", |lab| Box::pin(hatches::nothing_else_is_changed(lab))),
    ("chart::every key of the values is known", |lab| Box::pin(bad_values::every_key_is_known(lab))),
    ("chart::every type of the values is checked", |lab| Box::pin(bad_values::every_type_is_checked(lab))),
    ("chart::values that cannot work are refused", |lab| Box::pin(bad_values::what_cannot_work_is_refused(lab))),
    ("chart::the rendered rights are the reviewed ones", |lab| {
        Box::pin(chart::the_rendered_rights_are_the_reviewed_ones(lab))
    }),
    ("chart::rights are the least", |lab| Box::pin(chart::rights_are_the_least(lab))),
];

/// Tests that need the guard for themselves, one after the other.
const ALONE: [(&str, LiveTest); 20] = [
    // First: what restarted processes have counted is gone.
    ("watched::every query is answered", |lab| Box::pin(watched::every_query_is_answered(lab))),
    ("configuration::a running Pod follows its configuration", |lab| {
        Box::pin(configuration_live::a_running_pod_follows_its_configuration(lab))
    }),
    ("denials::a denial is one Event on the workload", |lab| {
        Box::pin(denials_live::a_denial_is_one_event_on_the_workload(lab))
    }),
    ("denials::a forged review leaves no Event", |lab| Box::pin(denials_live::a_forged_review_leaves_none(lab))),
    ("denials::the audit log has the verdict", |lab| Box::pin(denials_live::the_audit_log_has_the_verdict(lab))),
    ("operations::a release comes, works and goes", |lab| Box::pin(operations::a_release_comes_works_and_goes(lab))),
    ("operations::an installation that guards nothing fails", |lab| {
        Box::pin(operations::an_installation_that_guards_nothing_fails(lab))
    }),
    ("operations::a second release of the name is refused", |lab| {
        Box::pin(operations::a_second_release_of_the_name_is_refused(lab))
    }),
    ("outage::without its rights it says so", |lab| Box::pin(outage::without_its_rights_it_says_so(lab))),
    ("outage::cut off from the API server it decides what it can", |lab| {
        Box::pin(cut_off::it_decides_what_it_can(lab))
    }),
    ("outage::unmarked work never reaches us", |lab| Box::pin(outage::unmarked_work_never_reaches_us(lab))),
    ("outage::with every replica dead scaling up waits", |lab| {
        Box::pin(outage::with_every_replica_dead_scaling_up_waits(lab))
    }),
    ("freshness::a mark and a scale-up never both win", |lab| {
        Box::pin(freshness_live::a_mark_and_a_scale_up_never_both_win(lab))
    }),
    ("freshness::increases are answered without a question", |lab| {
        Box::pin(freshness_live::increases_are_answered_without_a_question(lab))
    }),
    ("strict::of many creates one succeeds", |lab| Box::pin(strict_live::of_many_creates_one_succeeds(lab))),
    ("strict::with every replica dead the lock holds", |lab| {
        Box::pin(strict_live::with_every_replica_dead_the_lock_holds(lab))
    }),
    ("certificate::one that is provided is verified and exchanged", |lab| Box::pin(modes::a_provided_certificate(lab))),
    ("chart::an upgrade keeps the certificate", |lab| Box::pin(chart::an_upgrade_keeps_the_certificate(lab))),
    ("takeover::another manager finds no conflict", |lab| Box::pin(takeover::another_manager_finds_no_conflict(lab))),
    ("takeover::the only node can be drained", |lab| Box::pin(takeover::the_only_node_can_be_drained(lab))),
];

/// Checks of single files.
const CHECKS: [(&str, Check); 32] = [
    ("rules::every alert is tested and says what to do", rules::alerts_are_whole),
    ("rules::every panel shows what is chosen", rules::panels_show_what_is_chosen),
    ("values::the chart README's table is that of values.yaml", values::table),
    ("values::the schema knows every value by the same words", values::schema),
    ("documentation::every link leads somewhere", documentation::links_lead_somewhere),
    ("documentation::every page is found from the README", documentation::every_page_is_found),
    ("documentation::what is named exists", documentation::what_is_named_exists),
    ("documentation::every Event is explained", documentation::events_are_explained),
    ("documentation::the README is short", documentation::the_readme_is_short),
    ("SECURITY.md answers every threat, with tests that exist", threats::are_answered),
    (
        "differential::what the reference refuses we never allow",
        differential::what_the_reference_refuses_we_never_allow,
    ),
    ("differential::what holds for any bytes holds", differential::what_holds_for_any_bytes_holds),
    ("recorded::reviews are decided as they say", recorded::are_decided_as_they_say),
    ("recorded::the model's Scales are like the real ones", recorded::the_model_is_honest),
    ("architecture::pure rooms stay pure", architecture::pure_rooms_stay_pure),
    ("architecture::reviews have no side effects", architecture::reviews_have_no_side_effects),
    ("architecture::files are introduced and short", architecture::files_are_introduced_and_short),
    ("architecture::files import in one direction", imports::files_import_in_one_direction),
    ("architecture::rooms import in one direction", imports::rooms_import_in_one_direction),
    ("architecture::the versions of crate and chart are one number", architecture::versions_agree),
    ("generated::the chart's kinds and rows are those of the registries", generated::chart_registry),
    ("generated::the chart's webhook configurations are those of the registries", generated::webhook_templates),
    ("generated::the chart's native policies are those of the registries", floor::templates),
    ("generated::the chart's policies that warn are those of the registry", warnings::templates),
    ("warnings::each fits into a line", warnings::fit_into_a_line),
    ("floor::it holds every rule but what it cannot see", floor::holds_all_but_what_it_cannot),
    ("generated::the documented rules are those of the registry", generated::rule_table),
    ("generated::the page of codes is what rules and cases say", codes::page),
    ("generated::the documented webhooks are those of the registry", generated::webhook_table),
    ("generated::the table of metrics is what is exported", metrics_table::is_complete),
    ("remedies::each is followed, or listed with the reason", spec::remedies::are_followed),
    ("generated::the message catalogue is the one that was reviewed", generated::catalogue),
];
