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
{{- include "singleton-guard.validate.tls" . -}}
{{- include "singleton-guard.validate.customKinds" . -}}
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
{{- $namespace := include "singleton-guard.namespace" . -}}
{{- $instead := printf "Give it a namespace of its own: helm install %s ... --namespace singleton-guard --create-namespace" .Release.Name -}}
{{- if has $namespace (list "kube-node-lease" "kube-public" "kube-system") -}}
  {{- fail (printf "singleton-guard cannot be installed into %q: that namespace belongs to Kubernetes itself, and what runs there must not depend on a webhook. %s" $namespace $instead) -}}
{{- end -}}
{{- if has $namespace (default list .Values.exemptNamespaces) -}}
  {{- fail (printf "singleton-guard cannot be installed into %q: it is in exemptNamespaces, and the namespace of the guard has to stay guarded. %s" $namespace $instead) -}}
{{- end -}}
{{- if has $namespace (default list .Values.warnNamespaces) -}}
  {{- fail (printf "singleton-guard cannot be installed into %q: it is in warnNamespaces, and the namespace of the guard has to stay guarded. %s" $namespace $instead) -}}
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
{{- if and (eq .Values.companions.disruption "block") (eq .Values.companions.block "deny") -}}
  {{- fail "companions.disruption is block, which companions.block denies. Choose allow or none, or allow it." -}}
{{- end -}}
{{- range $key := keys (default dict .Values.global.commonAnnotations) | sortAlpha -}}
  {{- if hasPrefix "helm.sh/hook" $key -}}
    {{- fail (printf "global.commonAnnotations has the key %q: every object would be a hook, and nothing of the release would stay. Leave it out." $key) -}}
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
  {{- fail (printf "webhook.port and operationsPort are both %d: one is for the API server, the other for probes and metrics. Choose another one for either." (int .Values.webhook.port)) -}}
{{- end -}}
{{- if and .Values.hostNetwork (eq (int .Values.webhook.port) 10250) -}}
  {{- fail "hostNetwork is true and webhook.port is 10250, which the kubelet of every node has. Choose a port that is free on the nodes, as 9443." -}}
{{- end -}}
{{- range .Values.extraVolumes -}}
  {{- if has .name (list "configuration" "certificate") -}}
    {{- fail (printf "extraVolumes has the name %q, which is a volume of the chart. Choose another one." .name) -}}
  {{- end -}}
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
{{- range $name := list "serviceMonitor" "podMonitor" -}}
  {{- $monitor := get $metrics $name -}}
  {{- with $monitor.scrapeTimeout -}}
    {{- if gt (include "singleton-guard.milliseconds" . | int64) (include "singleton-guard.milliseconds" $monitor.interval | int64) -}}
      {{- fail (printf "metrics.%s.scrapeTimeout is %q, longer than metrics.%s.interval, which is %q: the Prometheus Operator leaves such a monitor out. Take a shorter one." $name . $name $monitor.interval) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled -}}
  {{- fail "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: every replica would be scraped twice, and every sum over replicas would be wrong. Choose one." -}}
{{- end -}}
{{- if not .Values.networkPolicy.apiServerPorts -}}
  {{- fail "networkPolicy.apiServerPorts is empty: an empty list of ports means all of them. Name the ports of the API server; [443, 6443] is the default." -}}
{{- end -}}
{{- end -}}

{{- /* What src/settings/custom_kinds.rs refuses, with which no process starts, and the schema cannot say. */ -}}
{{- define "singleton-guard.validate.customKinds" -}}
{{- $guarded := include "singleton-guard.guardedResources" . | fromYamlArray -}}
{{- $seen := list -}}
{{- range $index, $kind := .Values.customKinds -}}
  {{- $full := printf "%s.%s" $kind.resource $kind.group -}}
  {{- if gt (add (len $kind.resource) (len $kind.group)) 48 -}}
    {{- fail (printf "customKinds[%d] is %q: group and resource have more than 48 characters together, which is too long for the names of the guard's own objects." $index $full) -}}
  {{- end -}}
  {{- range $guarded -}}
    {{- if and (eq .group $kind.group) (has $kind.resource .resources) -}}
      {{- fail (printf "customKinds[%d] is %q, which is one of Kubernetes' own and guarded anyway. Leave it out." $index $full) -}}
    {{- end -}}
  {{- end -}}
  {{- range $name := list $full (printf "%s.%s" $kind.kind $kind.group) -}}
    {{- if has $name $seen -}}
      {{- fail (printf "customKinds has %q twice. Leave one of them out." $name) -}}
    {{- end -}}
  {{- end -}}
  {{- $seen = concat $seen (list $full (printf "%s.%s" $kind.kind $kind.group)) -}}
{{- end -}}
{{- end -}}

{{- /* One mode, and only what belongs to it: what would be ignored is refused. */ -}}
{{- define "singleton-guard.validate.tls" -}}
{{- $mode := .Values.tls.mode -}}
{{- $provided := .Values.tls.provided -}}
{{- if ne $mode "provided" -}}
  {{- range $field := list "secretName" "caBundle" -}}
    {{- if get $provided $field -}}
      {{- fail (printf "tls.provided.%s is set, but tls.mode is %q, so it would be ignored. Set tls.mode to provided, or leave it out." $field $mode) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.tls.certManager.issuerRef (ne $mode "cert-manager") -}}
  {{- fail (printf "tls.certManager.issuerRef is set, but tls.mode is %q, so it would be ignored. Set tls.mode to cert-manager, or leave it out." $mode) -}}
{{- end -}}
{{- if and .Values.tls.certManager.issuerRef (not .Values.tls.certManager.issuerRef.name) -}}
  {{- fail "tls.certManager.issuerRef has no name: cert-manager would not know who signs. Name an Issuer or ClusterIssuer, or leave issuerRef out for an authority of this release alone." -}}
{{- end -}}
{{- if eq $mode "self-managed" -}}
  {{- include "singleton-guard.validate.selfManaged" .Values.tls.selfManaged -}}
{{- end -}}
{{- if eq $mode "provided" -}}
  {{- include "singleton-guard.validate.provided" . -}}
{{- end -}}
{{- end -}}

{{- /* The bounds of src/certs/lifetimes.rs, outside of which no process starts. */ -}}
{{- define "singleton-guard.validate.selfManaged" -}}
{{- $certificate := include "singleton-guard.seconds" .certificateLife | int64 -}}
{{- $authority := include "singleton-guard.seconds" .authorityLife | int64 -}}
{{- if or (lt $certificate 6) (gt $certificate 315360000) -}}
  {{- fail (printf "tls.selfManaged.certificateLife is %q: at least 6s, at most 3650d (ten years)." .certificateLife) -}}
{{- end -}}
{{- if or (lt $authority (mul 4 $certificate)) (gt $authority 3153600000) -}}
  {{- fail (printf "tls.selfManaged.authorityLife is %q: at least four times tls.selfManaged.certificateLife, which is %q, for the last third of it has to hold a whole rotation; at most 36500d (a hundred years)." .authorityLife .certificateLife) -}}
{{- end -}}
{{- end -}}

{{- /* Of a whole number with ms, s, m or h. */ -}}
{{- define "singleton-guard.milliseconds" -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) (regexFind "[a-z]+$" .)) -}}
{{- end -}}

{{- /* Of a whole number with s, m, h or d. */ -}}
{{- define "singleton-guard.seconds" -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) (regexFind "[smhd]$" .)) -}}
{{- end -}}

{{- define "singleton-guard.validate.provided" -}}
{{- $provided := .Values.tls.provided -}}
{{- if not $provided.secretName -}}
  {{- fail "tls.mode is provided and tls.provided.secretName is empty: the Pods would have no certificate. Name a Secret with tls.crt and tls.key in the namespace of the release." -}}
{{- end -}}
{{- if eq $provided.secretName (include "singleton-guard.certificateSecretName" .) -}}
  {{- fail (printf "tls.provided.secretName is %q, which the chart itself makes where tls.mode is self-managed, and deletes where it is not. Give the Secret another name." $provided.secretName) -}}
{{- end -}}
{{- if not $provided.caBundle -}}
  {{- fail "tls.mode is provided and tls.provided.caBundle is empty: the API server would not believe any certificate. Give the authority that signs it, as in --set-file tls.provided.caBundle=ca.crt" -}}
{{- end -}}
{{- $pem := $provided.caBundle -}}
{{- if not (contains "-----BEGIN" $pem) -}}
  {{- $pem = regexReplaceAll "\\s" $pem "" | b64dec -}}
{{- end -}}
{{- if contains "PRIVATE KEY" $pem -}}
  {{- fail "tls.provided.caBundle holds a private key, which everybody who can read webhook configurations would read. Give certificates only, and make another key." -}}
{{- end -}}
{{- if not (contains "-----BEGIN CERTIFICATE-----" $pem) -}}
  {{- fail "tls.provided.caBundle holds no certificate: it must be PEM (-----BEGIN CERTIFICATE-----), or the same in base64." -}}
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

{{- /* The name of a namespace. Takes value and name; the text goes into conditions, so nothing else may pass. */ -}}
{{- define "singleton-guard.validate.namespace" -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .name) -}}
  {{- fail (printf "%s has %q, which is not the name of a namespace: lowercase letters, digits and '-' only, at most 63. Patterns are not supported." .value .name) -}}
{{- end -}}
{{- end -}}
