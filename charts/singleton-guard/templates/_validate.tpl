{{- /*
What values.schema.json cannot say, or says in a way that helps nobody. Each message names the value, what it is, why
that does not work, and what would.
*/ -}}

{{- define "singleton-guard.validate" -}}
{{- include "singleton-guard.validate.names" . -}}
{{- include "singleton-guard.validate.place" . -}}
{{- include "singleton-guard.validate.labels" . -}}
{{- include "singleton-guard.validate.reach" . -}}
{{- include "singleton-guard.validate.operations" . -}}
{{- if lt (int .Values.replicaCount) 1 -}}
  {{- fail (printf "replicaCount is %d: nobody would answer the API server, and with webhook.failurePolicy Fail every request that could break a rule would be refused. Set 1 or more (2 is the default). To switch the guard off, uninstall the release." (int .Values.replicaCount)) -}}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
  {{- fail "serviceAccount.create is false and serviceAccount.name is empty: the rights would go to the namespace's ServiceAccount \"default\" and so to every Pod that names none. Name an existing ServiceAccount." -}}
{{- end -}}
{{- end -}}

{{- /* The Service has the strictest name of all objects. */ -}}
{{- define "singleton-guard.validate.names" -}}
{{- $name := include "singleton-guard.name" . -}}
{{- if not (regexMatch "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$" $name) -}}
  {{- fail (printf "nameOverride is %q, which cannot be a label's value: it must consist of letters, digits, '-', '_' or '.', and begin and end with a letter or digit." .Values.nameOverride) -}}
{{- end -}}
{{- $fullname := include "singleton-guard.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $fullname) -}}
  {{- fail (printf "the objects would be called %q, which cannot be the name of a Service: it must consist of lowercase letters, digits and '-', begin with a letter and end with a letter or digit. Set fullnameOverride, or choose another release name." $fullname) -}}
{{- end -}}
{{- end -}}

{{- define "singleton-guard.validate.place" -}}
{{- $namespace := .Release.Namespace -}}
{{- $instead := printf "Give it a namespace of its own: helm install %s ... --namespace singleton-guard --create-namespace" .Release.Name -}}
{{- if has $namespace (list "kube-node-lease" "kube-public" "kube-system") -}}
  {{- fail (printf "singleton-guard cannot be installed into %q: that namespace belongs to Kubernetes itself, and what runs there must not depend on a webhook. %s" $namespace $instead) -}}
{{- end -}}
{{- if has $namespace (default list .Values.exemptNamespaces) -}}
  {{- fail (printf "singleton-guard cannot be installed into %q: it is in exemptNamespaces, and the namespace of the guard has to stay guarded. %s" $namespace $instead) -}}
{{- end -}}
{{- end -}}

{{- /* A label set twice is two keys in one map, or a selector that no longer selects. */ -}}
{{- define "singleton-guard.validate.labels" -}}
{{- $ours := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/part-of" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- $common := keys (default dict .Values.global.commonLabels) -}}
{{- range $key := sortAlpha $common -}}
  {{- if has $key $ours -}}
    {{- fail (printf "global.commonLabels has the key %q, which the chart sets itself. Leave it out." $key) -}}
  {{- end -}}
  {{- if eq $key $.Values.mark.key -}}
    {{- fail (printf "global.commonLabels has the key %q, which is mark.key: the guard runs several replicas and cannot be a singleton itself. Leave it out." $key) -}}
  {{- end -}}
{{- end -}}
{{- $metrics := .Values.metrics -}}
{{- $more := dict "podLabels" .Values.podLabels -}}
{{- range $object := list "serviceMonitor" "podMonitor" "prometheusRule" "grafanaDashboard" -}}
  {{- $_ := set $more (printf "metrics.%s.labels" $object) (get $metrics $object).labels -}}
{{- end -}}
{{- range $field, $labels := $more -}}
  {{- range $key := keys (default dict $labels) | sortAlpha -}}
    {{- if or (has $key $ours) (has $key $common) -}}
      {{- fail (printf "%s has the key %q, which the chart or global.commonLabels sets already. Leave it out." $field $key) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "singleton-guard.validate.reach" -}}
{{- if eq (int .Values.webhook.port) (int (include "singleton-guard.operationsPort" .)) -}}
  {{- fail (printf "webhook.port is %d, the port of the probes and the metrics. Choose another one; 10250 is the default." (int .Values.webhook.port)) -}}
{{- end -}}
{{- with .Values.webhook.url -}}
  {{- if not (regexMatch "^https://[^/?#@\\s]+/?$" .) -}}
    {{- fail (printf "webhook.url is %q: it must be https://, a host and perhaps a port, as in https://guard.example.com:8443. The Pods end TLS themselves, so nothing in between could take a path off, and the API server accepts no user, query or fragment." .) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "singleton-guard.validate.operations" -}}
{{- $window := .Values.companions.consentWindowMax -}}
{{- $minutes := mul (int64 (regexFind "^[0-9]+" $window)) (hasSuffix "h" $window | ternary 60 1) -}}
{{- if gt $minutes 44640 -}}
  {{- fail (printf "companions.consentWindowMax is %q: at most 744h (31 days), which is 44640m." $window) -}}
{{- end -}}
{{- $metrics := .Values.metrics -}}
{{- if and $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled -}}
  {{- fail "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: every replica would be scraped twice, and every sum over replicas would be wrong. Choose one." -}}
{{- end -}}
{{- if not .Values.networkPolicy.apiServerPorts -}}
  {{- fail "networkPolicy.apiServerPorts is empty: an empty list of ports means all of them. Name the ports of the API server; [443, 6443] is the default." -}}
{{- end -}}
{{- end -}}

{{- /* A label key: [prefix/]name. Takes the key; the text goes into conditions, so nothing else may pass. */ -}}
{{- define "singleton-guard.validate.markKey" -}}
{{- $label := "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?" -}}
{{- $pattern := printf "^(%s([.]%s)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$" $label $label -}}
{{- $prefix := regexFind "^[^/]*/" . | trimSuffix "/" -}}
{{- if or (not (regexMatch $pattern .)) (gt (len $prefix) 253) -}}
  {{- fail (printf "mark.key is %q, which is not a label key: it must be a name of at most 63 letters, digits, '-', '_' or '.' that begins and ends with a letter or digit, best after a DNS name and '/', as in singleton-guard.io/singleton" .) -}}
{{- end -}}
{{- end -}}

{{- /* The name of a namespace. Takes the name; the text goes into conditions, so nothing else may pass. */ -}}
{{- define "singleton-guard.validate.namespace" -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .) -}}
  {{- fail (printf "exemptNamespaces has %q, which is not the name of a namespace: lowercase letters, digits and '-' only, at most 63. Patterns are not supported." .) -}}
{{- end -}}
{{- end -}}
