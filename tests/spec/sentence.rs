//! What a person reads of a policy that only warns.

use singleton_guard::chart::warnings::{Sentence, WarningPolicy};

use super::case::MARK;

/// What the API server puts before the words of a policy.
pub fn prefix(policy: WarningPolicy) -> String {
    let name = format!("singleton-guard-{}", policy.name());
    format!("Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{name}': ")
}

/// The words about this object.
pub fn said(sentence: &Sentence, kind: &str, name: &str) -> String {
    sentence.says.replace("{kind}", kind).replace("{name}", name).replace("MARK", MARK)
}
