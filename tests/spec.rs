//! The specification, run: every case at every boundary, the properties, and what the code makes.

#![allow(unreachable_pub, missing_docs, reason = "one program; its rooms are described at their heads")]

mod spec {
    pub mod case;
    pub mod generated;
    pub mod model;
    pub mod properties;
    pub mod pure;
    pub mod snapshot;
}

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use spec::{case, generated, properties, pure};

type Check = fn(&Path) -> Result<(), String>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut trials = Vec::new();
    for (name, check) in CHECKS {
        trials.push(Trial::test(name, move || Ok(check(root)?)));
    }
    for (name, property) in PROPERTIES {
        trials.push(Trial::test(format!("property::{name}"), move || Ok(property()?)));
    }
    for case in case::load(&root.join("tests/cases")) {
        trials.push(Trial::test(format!("pure::{}", case.name), move || Ok(pure::run(&case)?)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What holds for every request.
const PROPERTIES: [(&str, fn() -> Result<(), String>); 6] = [
    ("any bytes are answered", properties::any_bytes_are_answered),
    ("any type at any field is answered", properties::any_type_at_any_field_is_answered),
    ("no sequence of requests takes a singleton past one", properties::no_sequence_passes_one),
    ("completing twice changes nothing more", properties::defaults_are_idempotent),
    ("field order, unknown fields and nesting do not matter", properties::form_does_not_matter),
    ("texts keep their limits", properties::texts_keep_their_limits),
];

/// Checks of single files.
const CHECKS: [(&str, Check); 4] = [
    ("generated::the chart's webhook configurations are those of the registries", generated::webhook_templates),
    ("generated::the README's rules are those of the registry", generated::rule_table),
    ("generated::the README's webhooks are those of the registry", generated::webhook_table),
    ("generated::the message catalogue is the one that was reviewed", generated::catalogue),
];
