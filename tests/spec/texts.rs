//! The limits of everything that a person may read: lines, remedies and warnings.

use singleton_guard::api::mark::MarkKey;
use singleton_guard::api::metadata::OwnerReference;
use singleton_guard::api::reference::Regarding;
use singleton_guard::policy::decision::Decision;
use singleton_guard::policy::denial::Denial;
use singleton_guard::policy::lookup::Unknown;
use singleton_guard::settings::Mode;

use super::generated::every_violation;

/// Every line is one line of at most 250 characters and keeps its code and its value; every remedy has at most 120.
#[test]
fn texts_keep_their_limits() -> Result<(), String> {
    let long = |length: usize| "n".repeat(length);
    let key = MarkKey::parse(&format!("{}.example/{}", vec![long(60); 4].join("."), long(63))).expect("a valid key");
    let owner = OwnerReference {
        api_version: "metering.example/v1".into(),
        kind: long(63).into(),
        name: format!("\u{1b}{}", long(252)).into(),
        ..OwnerReference::default()
    };
    let built_in = OwnerReference { api_version: "apps/v1".into(), ..OwnerReference::default() };
    let owner = owner.custom();
    if owner.is_none() || built_in.custom().is_some() {
        return Err("a custom resource is not told from what the guard judges itself".to_owned());
    }
    for (kind, owner) in [("ReplicationController", None), ("StatefulSet", owner)] {
        for name in [long(253), "a\nb\u{1b}[31m".to_owned(), String::new()] {
            for first in every_violation() {
                let subject = Regarding {
                    group: "apps",
                    version: "v1",
                    kind,
                    namespace: long(63),
                    name: name.clone(),
                    uid: String::new(),
                };
                let code = first.code();
                let decision =
                    Decision::denied(Denial::new(subject, key.clone(), first, [], owner.clone(), "spec.replicas"));
                let warned = decision.clone().under(Mode::Warn, false);
                let message = decision.message().unwrap_or_default();
                let fits = message.chars().count() <= 250 && !message.chars().any(char::is_control);
                if !fits || !message.starts_with(code.as_str()) {
                    return Err(format!("{} characters: {message}", message.chars().count()));
                }
                let mut warnings = decision.warnings().iter().chain(warned.warnings());
                if let Some(warning) =
                    warnings.find(|warning| warning.chars().count() > 120 || warning.chars().any(char::is_control))
                {
                    return Err(format!("{} characters: {warning}", warning.chars().count()));
                }
                // A verdict that is only a warning still says it all: the code with every piece, and what was asked for.
                let pieces = warned.warnings().iter().filter(|warning| !warning.starts_with(&format!("{code}:")));
                let pieces: Vec<_> = pieces.collect();
                let last = message.rsplit(' ').next().unwrap_or_default();
                if !pieces.iter().all(|piece| piece.starts_with(code.as_str()))
                    || pieces.last().is_none_or(|piece| !piece.ends_with(last))
                {
                    return Err(format!("{message} became {pieces:?}"));
                }
            }
        }
    }
    let subject = Regarding {
        group: "",
        version: "v1",
        kind: "ReplicationController",
        namespace: long(63),
        name: long(253),
        uid: String::new(),
    };
    for unknown in
        [Unknown::Refused { code: 403, message: long(4_000) }, Unknown::Unreachable(long(4_000)), Unknown::NotFound]
    {
        let decision = Decision::unknown(&subject, &unknown);
        let message = decision.message().unwrap_or_default();
        if message.chars().count() > 250 || !message.starts_with("could not decide") {
            return Err(message.to_owned());
        }
    }
    if Decision::release(&subject, true).warnings().iter().any(|warning| warning.chars().count() > 120) {
        return Err("the warning of a release is too long".to_owned());
    }
    Ok(())
}
