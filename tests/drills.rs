//! The drills: what a cluster goes through while replicas die, hang, restart and are replaced, with the guard installed
//! from the chart.
//!
//! `LONG=1` runs each for as long as it takes to believe it, and prints its figures. A filter runs one:
//! `LONG=1 cargo test --test drills -- kill`.

#![allow(unreachable_pub, missing_docs, dead_code, reason = "one program that shares rooms with the specification")]
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
mod spec {
    pub mod api;
    pub mod before;
    pub mod binary;
    pub mod case;
    pub mod in_lab;
    pub mod installed;
    pub mod left_out;
    pub mod live;
    pub mod workloads;
}
#[path = "live/drills"]
mod drill {
    pub mod accelerated_life;
    pub mod cert_manager;
    pub mod crowd;
    pub mod drains;
    pub mod handshakes;
    pub mod hang;
    pub mod kills;
    pub mod listed;
    pub mod lists;
    pub mod load;
    pub mod names;
    pub mod outage;
    pub mod upgrades;
}

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use drill::{accelerated_life, cert_manager, drains, kills, lists, names, outage, upgrades};
use lab::Lab;
use lab::progress::Progress;
use libtest_mimic::{Arguments, Trial};
use spec::installed::Installed;
use spec::{before, in_lab, left_out, workloads};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each needs the guard for itself.
    arguments.test_threads = Some(1);
    let mut stubs: Vec<_> = DRILLS.map(|(name, _)| left_out::stub(name)).into();
    stubs.push(left_out::stub(CERT_MANAGER.0).with_ignored_flag(!is_long()));
    if arguments.list || !left_out::any_wanted(&arguments, &stubs) {
        return libtest_mimic::run(&arguments, stubs).exit_code();
    }
    let progress = Progress::to_stderr();
    if left_out::any_wanted(&arguments, &stubs[DRILLS.len()..]) {
        // Go may need the network, which is out of reach after that. What goes wrong is said by the drill.
        let _built = cert_manager::program();
    }
    if left_out::any_wanted(&arguments, &[left_out::stub(NAMES)]) {
        let _built = before::program(&progress, before::Profile::Dev);
    }
    in_lab::run(arguments, ("the drills", Vec::new()), &progress, |arguments, _, installed| {
        let mut trials: Vec<_> = DRILLS.map(|(name, drill)| trial(name, installed, drill)).into();
        trials.push(trial(CERT_MANAGER.0, installed, CERT_MANAGER.1).with_ignored_flag(!is_long()));
        libtest_mimic::run(&arguments, trials)
    })
}

type Drill = for<'a> fn(&'a Lab) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

fn trial(name: &str, installed: &Arc<Installed>, drill: Drill) -> Trial {
    let installed = Arc::clone(installed);
    Trial::test(name, move || {
        let lab = installed.lab();
        let run = async {
            // Whatever the drill before has done to them.
            workloads::both_ready(lab).await?;
            drill(lab).await
        };
        installed.block_on(run).map_err(|error| format!("{error:#}").into())
    })
}

/// Whether the long forms are asked for.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| value == "1")
}

/// Only in the long form, because it takes minutes to build.
const CERT_MANAGER: (&str, Drill) =
    ("a certificate that cert-manager renews fails no call", |lab| Box::pin(cert_manager::run(lab)));
const NAMES: &str = "an upgrade and a rollback lose no name";
const DRILLS: [(&str, Drill); 11] = [
    ("a namespace is listed within a second of its first mark", |lab| Box::pin(lists::a_first_mark_is_listed(lab))),
    ("the list comes back, whatever is done to it", |lab| Box::pin(lists::the_list_comes_back(lab))),
    ("a list that cannot be written keeps only those from knowing that must not", |lab| {
        Box::pin(lists::one_cannot_be_written(lab))
    }),
    ("where a replica cannot follow the singletons an outage refuses everywhere, until it can again", |lab| {
        Box::pin(lists::who_cannot_follow(lab))
    }),
    ("a kill of one replica fails calls for a second at most", |lab| Box::pin(kills::one_replica(lab))),
    ("with every replica dead, then hanging, only what could break a rule waits", |lab| {
        Box::pin(outage::dead_then_hanging(lab))
    }),
    ("a rolling restart and upgrades lose no call", |lab| Box::pin(upgrades::the_same_rows(lab))),
    ("an upgrade to other rows loses no call", |lab| Box::pin(upgrades::other_rows(lab))),
    (NAMES, |lab| Box::pin(names::outlive_an_upgrade(lab))),
    ("a replica that drains stores no certificate", |lab| Box::pin(drains::stores_nothing(lab))),
    ("years of certificates in minutes fail no call", |lab| Box::pin(accelerated_life::run(lab))),
];
