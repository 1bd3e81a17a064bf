{{- /*
What the webhook configurations share. They are generated, one file a row, and call these templates.
But for those about Pods none of them renders a namespaceSelector, and none (but where the certificate is provided) a
caBundle: others own these fields.
*/ -}}

{{- /* The label key of the mark: the one source for selectors, conditions and the process. */ -}}
{{- define "singleton-guard.markKey" -}}
{{- $key := .Values.mark.key -}}
{{- include "singleton-guard.validate.markKey" $key -}}
{{- $key -}}
{{- end -}}

{{- /* The exempt namespaces as a JSON list, sorted, each once. */ -}}
{{- define "singleton-guard.exemptNamespaces" -}}
{{- $namespaces := default list .Values.exemptNamespaces -}}
{{- range $namespaces -}}
  {{- include "singleton-guard.validate.namespace" (dict "value" "exemptNamespaces" "name" .) -}}
{{- end -}}
{{- $namespaces | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- /* The warn-only ones in the same form. The API server asks us about them as about all others. */ -}}
{{- define "singleton-guard.warnNamespaces" -}}
{{- $namespaces := default list .Values.warnNamespaces -}}
{{- range $namespaces -}}
  {{- include "singleton-guard.validate.namespace" (dict "value" "warnNamespaces" "name" .) -}}
  {{- if has . (default list $.Values.exemptNamespaces) -}}
    {{- fail (printf "warnNamespaces has %q, which is in exemptNamespaces too: nothing is judged there, so there is nothing to warn of. Name it in one of the two." .) -}}
  {{- end -}}
{{- end -}}
{{- $namespaces | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- /* Name of a row's configuration object. Takes root and row; where the whole is too long, the row's name stays. */ -}}
{{- define "singleton-guard.webhook.name" -}}
{{- $room := int (sub 62 (len .row)) -}}
{{- printf "%s-%s" (include "singleton-guard.fullname" .root | trunc $room | trimSuffix "-") .row -}}
{{- end -}}

{{- define "singleton-guard.webhook.metadata" -}}
{{- $annotations := deepCopy (default dict .Values.webhook.annotations) -}}
{{- if eq .Values.tls.mode "cert-manager" -}}
  {{- $_ := set $annotations "cert-manager.io/inject-ca-from" (printf "%s/%s" (include "singleton-guard.namespace" .) (include "singleton-guard.tls.secretName" .)) -}}
{{- end -}}
{{- include "singleton-guard.metadata" (dict "root" . "annotations" $annotations) -}}
{{- end -}}

{{- /* Where the API server finds us. Takes root and path, which begins with "/". */ -}}
{{- define "singleton-guard.webhook.clientConfig" -}}
{{- $root := .root -}}
{{- if $root.Values.webhook.url -}}
url: {{ printf "%s%s" (trimSuffix "/" $root.Values.webhook.url) .path | quote }}
{{- else -}}
service:
  name: {{ include "singleton-guard.fullname" $root }}
  namespace: {{ include "singleton-guard.namespace" $root | quote }}
  path: {{ .path }}
  port: 443
{{- end -}}
{{- if eq $root.Values.tls.mode "provided" }}
{{- $bundle := $root.Values.tls.provided.caBundle }}
caBundle: {{ ternary (b64enc $bundle) (regexReplaceAll "\\s" $bundle "") (contains "-----BEGIN CERTIFICATE-----" $bundle) }}
{{- end -}}
{{- end -}}

{{- /*
For the validating rows. Takes root and row. The mutating ones are always Ignore: what they fill in, the validating ones
judge. With the native floor those that also hear of unmarked workloads, or of their namespaces, hold nothing up.
*/ -}}
{{- define "singleton-guard.webhook.failurePolicy" -}}
{{- if and .root.Values.nativeFloor.enabled (has .row (list "scale" "owned" "first")) -}}
Ignore
{{- else -}}
{{- .root.Values.webhook.failurePolicy -}}
{{- end -}}
{{- end -}}

{{- /* Of the validating rows: beside its answer a refusal is told in an Event, never on a dry run. */ -}}
{{- define "singleton-guard.webhook.sideEffects" -}}
{{- ternary "NoneOnDryRun" "None" .Values.events.denials -}}
{{- end -}}

{{- define "singleton-guard.webhook.timeoutSeconds" -}}
{{- .Values.webhook.timeoutSeconds -}}
{{- end -}}

{{- /* The namespaces in which nothing is judged, as a matchCondition. */ -}}
{{- define "singleton-guard.webhook.namespaces" -}}
{{- $namespaces := include "singleton-guard.exemptNamespaces" . | replace "\"" "'" | replace "," ", " -}}
- name: not-exempt-namespace
  expression: {{ printf "!(request.namespace in %s)" $namespaces | quote }}
{{- end -}}

{{- /*
And as a selector, for the rows about Pods, in which the process writes none: who looks for webhooks that could hold up the
Pods of the control plane, as GKE does, may read no conditions.
*/ -}}
{{- define "singleton-guard.webhook.namespaceSelector" -}}
{{- with include "singleton-guard.exemptNamespaces" . | fromJsonArray -}}
namespaceSelector:
  matchExpressions:
    - {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ toJson . }}}
{{- else -}}
namespaceSelector: {}
{{- end -}}
{{- end -}}

{{- /*
The matchConditions that every row has: who and what is never judged. The API server decides them, so they hold while
we are down. The last one is for our own start: the namespace we live in stays guarded. A ReplicaSet's name is its
Deployment's and a hash of at most ten characters (pod-template-hash).
*/ -}}
{{- define "singleton-guard.webhook.exemptions" -}}
{{- $fullname := include "singleton-guard.fullname" . -}}
{{- $ours := printf "(request.resource.resource == 'deployments' && request.?name.orValue('') == '%s')" $fullname -}}
{{- $theirs := printf "(request.resource.resource == 'replicasets' && request.?name.orValue('').matches('^%s-[a-z0-9]{1,10}$'))" $fullname -}}
{{ include "singleton-guard.webhook.namespaces" . }}
- name: not-break-glass
  expression: {{ printf "!('%s' in request.userInfo.?groups.orValue([]))" (include "singleton-guard.breakGlass.group" .) | quote }}
- name: not-singleton-guard
  expression: {{ printf "!(request.namespace == '%s' && (%s || %s))" (include "singleton-guard.namespace" .) $ours $theirs | quote }}
{{- end -}}

{{- /* The same for the policies of the native floor, which refuse and never warn: where we would only warn they do not judge. */ -}}
{{- define "singleton-guard.floor.exemptions" -}}
{{- include "singleton-guard.webhook.exemptions" . -}}
{{- include "singleton-guard.floor.warnNamespaces" . -}}
{{- end -}}

{{- /* And for those policies that hold for everybody: with the glass broken too a strict singleton has one Pod. */ -}}
{{- define "singleton-guard.strict.exemptions" -}}
{{- include "singleton-guard.webhook.namespaces" . -}}
{{- include "singleton-guard.floor.warnNamespaces" . -}}
{{- end -}}

{{- define "singleton-guard.floor.warnNamespaces" -}}
{{- with .Values.warnNamespaces }}
- name: not-warn-namespace
  expression: {{ printf "!(request.namespace in %s)" (uniq . | sortAlpha | toJson | replace "\"" "'" | replace "," ", ") | quote }}
{{- end }}
{{- end -}}
