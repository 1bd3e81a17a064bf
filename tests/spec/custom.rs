//! The webhook configurations of custom kinds as the chart's templates.

use singleton_guard::api::kind::{Description, Kind, KindInfo, Kinds, entries};
use singleton_guard::policy::entry::Row;

use super::generated::template;
use super::snapshot;

/// One template per row that a kind of others has. It makes an object of its own for each such kind, so that all of it goes
/// with the kind: helm could not take an entry out of an object.
#[test]
fn the_charts_configurations_of_custom_kinds_are_those_of_the_registries() -> Result<(), String> {
    for row in [Row::Workload, Row::Scale, Row::First, Row::Owned] {
        let path = format!("charts/singleton-guard/templates/custom/{}.yaml", row.name());
        snapshot::file(crate::root(), &path, &custom(row))?;
    }
    Ok(())
}

/// The template of a row for each of the values' kinds.
fn custom(row: Row) -> String {
    let written = |field: &str| format!("{{{{ $kind.{field} }}}}");
    let described = Description {
        group: written("group"),
        version: written("version"),
        resource: written("resource"),
        kind: written("kind"),
        replicas_path: "{{ $path }}".to_owned(),
        replicas_absent: ABSENT,
        controller_user: Some("{{ default \"\" $kind.controllerUser }}".to_owned()),
        owns_replica_sets: row == Row::Owned,
        has_template: false,
    };
    let kind = entries(vec![described], 4)[0];
    let kinds = match row {
        // A ReplicaSet is what it is behind whatever kind.
        Row::Owned => {
            let kind = Kind::new(KindInfo { replicas: Kind::REPLICA_SET.info().replicas, ..kind.info().clone() });
            Kinds::only([Kind::REPLICA_SET, kind])
        }
        _ => Kinds::only([kind]),
    };
    let name = format!("\"row\" (printf \"{}-%s.%s\" $kind.resource $kind.group)", row.name());
    let text = template(row, kinds).replace(&format!("\"row\" \"{}\"", row.name()), &name);
    let begin = match row {
        Row::Owned => "{{- range $kind := .Values.customKinds }}\n{{- if $kind.ownsReplicaSets }}\n",
        _ => {
            "{{- range $kind := .Values.customKinds }}\n\
             {{- $path := $kind.replicasPath | default \".spec.replicas\" | replace \".\" \".?\" | trimPrefix \".\" }}\n\
             {{- $absent := int (ternary $kind.replicasAbsent 1 (hasKey $kind \"replicasAbsent\")) }}\n"
        }
    };
    let end = if row == Row::Owned { "{{- end }}\n" } else { "" };
    let (head, body) = text.split_at(text.find("apiVersion: ").unwrap_or_default());
    format!("{head}{begin}{{{{- with $ }}}}\n---\n{body}{{{{- end }}}}\n{end}{{{{- end }}}}\n")
        .replace(&ABSENT.to_string(), "{{ $absent }}")
}

/// A number that stands for the value's.
const ABSENT: i64 = 987_654_321;

/// The rows of the kinds of others.
pub const CUSTOM_ROWS: &str = "{{ range .Values.customKinds }}{{ $name := printf \"%s.%s\" .resource .group }}\
    , workload-{{ $name }}, scale-{{ $name }}, first-{{ $name }}\
    {{ if .ownsReplicaSets }}, owned-{{ $name }}{{ end }}{{ end }}";
