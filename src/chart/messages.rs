//! What a policy says where it refuses: the sentences of the webhook, as CEL expressions.

use crate::api::kind::SPEC_REPLICAS;
use crate::api::mark::MarkKey;
use crate::api::reference::Regarding;
use crate::policy::denial::Denial;
use crate::policy::entry::{Place, Refusal};

impl Refusal {
    /// The CEL expression of the whole message: the webhook's, and the remedy behind it, because a policy that denies
    /// cannot warn.
    #[must_use]
    pub fn message(&self, place: Place) -> String {
        let subject = Regarding {
            group: "",
            version: "v1",
            kind: place.kind_name(),
            namespace: "{namespace}".to_owned(),
            name: "{name}".to_owned(),
            uid: String::new(),
        };
        // Four characters that the chart replaces, and a key that can be parsed.
        let key = MarkKey::parse("MARK").unwrap_or_default();
        let denial = Denial::new(subject, key, self.violation.clone(), [], None, SPEC_REPLICAS.path);
        let text = format!("{}; {}", denial.first().line, self.violation.remedy());
        let mut values = vec![
            ("{kind}", "object.kind".to_owned()),
            ("{namespace}", "request.namespace".to_owned()),
            ("{name}", place.object_name().to_owned()),
        ];
        values.extend(self.values.iter().cloned());
        concatenation(&text, &values)
    }

    /// What is shown where the expression cannot be evaluated.
    #[must_use]
    pub fn fallback(&self) -> String {
        format!("{}: {}", self.violation.code(), self.violation.remedy())
    }
}

/// The CEL expression of a text in which some texts stand for values.
pub(crate) fn concatenation(text: &str, values: &[(&'static str, String)]) -> String {
    let quoted = |literal: &str| format!("'{}'", literal.replace('\\', r"\\").replace('\'', r"\'"));
    let mut pieces = Vec::new();
    let mut rest = text;
    let next = |rest: &str| {
        let found = values.iter().filter_map(|(name, value)| rest.find(name).map(|at| (at, *name, value.clone())));
        found.min_by_key(|(at, ..)| *at)
    };
    while let Some((at, name, value)) = next(rest) {
        let (before, after) = rest.split_at(at);
        pieces.extend((!before.is_empty()).then(|| quoted(before)));
        pieces.push(value);
        rest = after.strip_prefix(name).unwrap_or_default();
    }
    pieces.extend((!rest.is_empty()).then(|| quoted(rest)));
    pieces.join("\n+ ")
}
