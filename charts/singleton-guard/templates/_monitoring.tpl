{{- /*
What the objects of the Prometheus Operator are made of.
*/ -}}

{{- /* How a replica is scraped. Takes the values of the monitor. */ -}}
{{- define "singleton-guard.monitor.scrape" -}}
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /*
The alerts of files/rules.yaml without those that are switched off, with the labels of the values, and with their address
of the runbooks.
*/ -}}
{{- define "singleton-guard.rules" -}}
{{- $values := .Values.metrics.prometheusRule -}}
{{- $file := .Files.Get "files/rules.yaml" | fromYaml -}}
{{- $known := list -}}
{{- range $group := $file.groups -}}
  {{- $rules := list -}}
  {{- range $rule := $group.rules -}}
    {{- $known = append $known $rule.alert -}}
    {{- $_ := set $rule "labels" (merge (dict) (default dict $values.ruleLabels) (default dict $rule.labels)) -}}
    {{- $runbook := replace "https://singleton-guard.io/" (printf "%s/" (trimSuffix "/" $values.runbookBaseUrl)) $rule.annotations.runbook_url -}}
    {{- $_ := set $rule.annotations "runbook_url" $runbook -}}
    {{- if not (has $rule.alert (default list $values.disabled)) -}}
      {{- $rules = append $rules $rule -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := set $group "rules" $rules -}}
{{- end -}}
{{- range $alert := default list $values.disabled -}}
  {{- if not (has $alert $known) -}}
    {{- fail (printf "metrics.prometheusRule.disabled has %q, which is no alert of this chart. There are %s." $alert (join ", " $known)) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $file -}}
{{- end -}}
