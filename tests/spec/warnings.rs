//! The policies that only warn as the chart's templates, and their sentences.

use std::fmt::Write as _;

use singleton_guard::api::kind::Kinds;
use singleton_guard::chart::warnings::{WARNING_POLICIES, WarningPolicy};
use singleton_guard::chart::webhooks::Watched;

use super::generated::{GENERATED, block, object_selector, policy_head, policy_name, with_values};
use super::sentence::{prefix, said};
use super::snapshot;

/// One template per policy.
#[test]
fn the_charts_policies_that_warn_are_those_of_the_registry() -> Result<(), String> {
    let root = crate::root();
    for policy in WARNING_POLICIES {
        let path = format!("charts/singleton-guard/templates/warnings/{}.yaml", policy.name());
        snapshot::file(root, &path, &template(policy, Kinds::BUILT_IN))?;
    }
    Ok(())
}

/// With what the API server puts before it, and names as people give them, a warning is one line.
#[test]
fn each_fits_into_a_line() -> Result<(), String> {
    for policy in WARNING_POLICIES {
        for sentence in policy.sentences() {
            let line = format!("{}{}", prefix(policy), said(&sentence, "StatefulSet", "ledger-0"));
            if line.len() > 250 {
                return Err(format!("{} characters: {line}", line.len()));
            }
        }
    }
    Ok(())
}

pub fn template(policy: WarningPolicy, kinds: Kinds) -> String {
    let name = policy_name(policy.name());
    let head = |kind: &str| policy_head(kind, &name);
    let mut yaml = format!(
        r#"{GENERATED}{{{{- if .Values.warnings.enabled -}}}}
{{{{- $mark := include "singleton-guard.markKey" . -}}}}
{}  # With Fail a policy that cannot be evaluated refuses, whatever its binding says.
  failurePolicy: Ignore
  matchConstraints:
    matchPolicy: Equivalent
    namespaceSelector: {{}}
{}    resourceRules:
"#,
        head("ValidatingAdmissionPolicy"),
        object_selector(policy.selected()),
    );
    match policy.watched(kinds) {
        watched if watched.is_empty() => yaml.push_str(&rule("*", "'*'", "'*'")),
        watched => yaml.extend(watched.iter().map(of_group)),
    }
    let left_out = policy.left_out(kinds);
    if !left_out.is_empty() {
        yaml.push_str("    excludeResourceRules:\n");
    }
    yaml.extend(left_out.iter().map(of_group));
    if !left_out.is_empty() {
        let custom = rule("{{ .group }}", "'*'", "{{ .resource }}");
        for part in ["      {{- range .Values.customKinds }}\n", &custom, "      {{- end }}\n"] {
            yaml.push_str(part);
        }
    }
    // Breaking the glass is known to be outside of the rules, and where only warnings are given these are too.
    yaml.push_str("  matchConditions:\n    {{- include \"singleton-guard.webhook.exemptions\" . | nindent 4 }}\n");
    for condition in policy.conditions() {
        let _ =
            writeln!(yaml, "    - name: {}\n      expression: |-\n{}", condition.name, block(&condition.expression));
    }
    yaml.push_str("  validations:\n");
    for sentence in policy.sentences() {
        let _ = writeln!(
            yaml,
            "    - expression: |-\n{}\n      message: {:?}\n      messageExpression: |-\n{}",
            block(&format!("!({})", sentence.when)),
            with_values(&sentence.fallback()),
            block(&sentence.message()),
        );
    }
    let _ = write!(
        yaml,
        "---\n{}  policyName: {name}\n  validationActions: [Warn]\n{{{{- end }}}}\n",
        head("ValidatingAdmissionPolicyBinding")
    );
    yaml
}

fn of_group(watched: &Watched) -> String {
    rule(watched.group, watched.version, &watched.resources.join(", "))
}

fn rule(group: &str, version: &str, resources: &str) -> String {
    format!(
        "      - apiGroups: [\"{group}\"]\n        apiVersions: [{version}]\n        operations: [CREATE, UPDATE]\n        \
         resources: [{resources}]\n        scope: Namespaced\n"
    )
}
