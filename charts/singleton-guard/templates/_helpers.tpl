{{- /*
Names, labels and the image: what every template of the chart shares.
*/ -}}

{{- /* Longest name that, with the longest suffix we add ("-certificate", "-break-glass"), is still a DNS label of 63 characters. */ -}}
{{- define "singleton-guard.nameMax" -}}51{{- end -}}

{{- define "singleton-guard.name" -}}
{{- regexReplaceAll "[-.]+$" (default .Chart.Name .Values.nameOverride | trunc (int (include "singleton-guard.nameMax" .))) "" -}}
{{- end -}}

{{- /* The name of most objects. One rule for all of them: it has to suit a Service (DNS label, RFC 1035). */ -}}
{{- define "singleton-guard.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
  {{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- end -}}
{{- regexReplaceAll "[-.]+$" ($full | trunc (int (include "singleton-guard.nameMax" .))) "" -}}
{{- end -}}

{{- define "singleton-guard.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "singleton-guard.serviceAccountName" -}}
{{- default (include "singleton-guard.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- /* The Secret in which the process keeps its certificates. */ -}}
{{- define "singleton-guard.certificateSecretName" -}}
{{- printf "%s-certificate" (include "singleton-guard.fullname" .) -}}
{{- end -}}

{{- /* The Secret that is mounted where somebody else keeps the certificate, and with cert-manager its Certificate. */ -}}
{{- define "singleton-guard.tls.secretName" -}}
{{- if eq .Values.tls.mode "provided" -}}
{{- .Values.tls.provided.secretName -}}
{{- else -}}
{{- printf "%s-tls" (include "singleton-guard.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "singleton-guard.tls.directory" -}}/etc/singleton-guard-tls{{- end -}}

{{- define "singleton-guard.breakGlass.name" -}}
{{- printf "%s-break-glass" (include "singleton-guard.fullname" .) -}}
{{- end -}}

{{- /* The group that the webhooks let pass. Part of the product: the program knows it by the same name. */ -}}
{{- define "singleton-guard.breakGlass.group" -}}singleton-guard:break-glass{{- end -}}

{{- /* Labels that never change in the life of a release: a Deployment's selector is immutable. */ -}}
{{- define "singleton-guard.selectorLabels" -}}
app.kubernetes.io/name: {{ include "singleton-guard.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: webhook
{{- end -}}

{{- /* The recommended labels of every object; commonLabels cannot replace one of them (_validate.tpl). */ -}}
{{- define "singleton-guard.labels" -}}
{{ include "singleton-guard.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: singleton-guard
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- with .Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /*
Labels and annotations of an object. Takes root, and what this one has beside the others: component, labels, annotations. Of
two annotations with one key the object's own counts.
*/ -}}
{{- define "singleton-guard.metadata" -}}
{{- $labels := include "singleton-guard.labels" .root -}}
{{- with .component -}}
  {{- $labels = $labels | replace "app.kubernetes.io/component: webhook" (printf "app.kubernetes.io/component: %s" .) -}}
{{- end -}}
labels:
  {{- $labels | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default dict .annotations) (default dict .root.Values.global.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "singleton-guard.image" -}}
{{- $image := .Values.image -}}
{{- $reference := printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- with .Values.global.imageRegistry -}}
  {{- $reference = printf "%s/%s" (trimSuffix "/" .) $reference -}}
{{- end -}}
{{- with $image.digest -}}
  {{- $reference = printf "%s@%s" $reference . -}}
{{- end -}}
{{- $reference -}}
{{- end -}}

{{- /* What an autoscaler comes to that could newly scale a singleton above one. A bare `off` is false in YAML 1.1. */ -}}
{{- define "singleton-guard.autoscalers" -}}
{{- ternary "off" .Values.autoscalers (eq (toString .Values.autoscalers) "false") -}}
{{- end -}}

{{- /* The file that the process reads, again whenever it changes. */ -}}
{{- define "singleton-guard.configuration" -}}
apiVersion: singleton-guard.io/v1
kind: GuardConfiguration
mark:
  key: {{ include "singleton-guard.markKey" . | quote }}
exemptNamespaces: {{ include "singleton-guard.exemptNamespaces" . }}
warnNamespaces: {{ include "singleton-guard.warnNamespaces" . }}
release: {{ .Values.release | quote }}
{{- /* Only where it is not the default: a program from before the value would refuse the file. */}}
{{- if ne (include "singleton-guard.autoscalers" .) "deny" }}
autoscalers: {{ include "singleton-guard.autoscalers" . | quote }}
{{- end }}
strict:
  enabled: {{ .Values.strict.enabled }}
  {{- /* Not where there are none: a program from before the value would refuse the file. */}}
  {{- if .Values.strict.nodeUsers }}
  nodeUsers: {{ include "singleton-guard.strict.nodeUsers" . }}
  {{- end }}
{{- /* A program from before the value would refuse the file, too. */}}
{{- with .Values.customKinds }}
customKinds: {{ toJson . }}
{{- end }}
freshnessProof:
  enabled: {{ .Values.freshnessProof.enabled }}
companions:
  enabled: {{ .Values.companions.enabled }}
  headlessService: {{ .Values.companions.headlessService }}
  disruption: {{ .Values.companions.disruption | quote }}
  consentWindowMax: {{ .Values.companions.consentWindowMax | quote }}
  block: {{ .Values.companions.block | quote }}
  foreignNames: {{ .Values.companions.foreignNames | quote }}
events:
  denials: {{ .Values.events.denials }}
  includeUsers: {{ .Values.events.includeUsers }}
log:
  level: {{ .Values.log.level | quote }}
{{- end -}}
