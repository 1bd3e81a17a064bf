{{- /* Generated from the registries in src: `UPDATE=1 cargo test` rewrites it. */ -}}

{{- /* The kinds that can be singletons: per API group the plural names. */ -}}
{{- define "singleton-guard.guardedResources" -}}
- group: apps
  resources: [statefulsets, replicasets, deployments]
- group: ""
  resources: [replicationcontrollers]
{{- end -}}

{{- /* The rows: one webhook configuration object each, by phase. */ -}}
{{- define "singleton-guard.webhook.rows" -}}
validating: [workload, scale, owned, first, status{{ if .Values.strict.enabled }}, pods{{ end }}{{ if ne (include "singleton-guard.autoscalers" .) "off" }}, autoscalers{{ end }}{{ range .Values.customKinds }}{{ $name := printf "%s.%s" .resource .group }}, workload-{{ $name }}, scale-{{ $name }}, first-{{ $name }}{{ if .ownsReplicaSets }}, owned-{{ $name }}{{ end }}{{ end }}]
mutating: [defaults, released{{ if .Values.strict.enabled }}, pod-names{{ end }}]
{{- end -}}
