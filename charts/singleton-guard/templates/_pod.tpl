{{- /*
Parts of the Pod that are long enough to hide the rest of it.
*/ -}}

{{- /* Plain HTTP: probes and metrics. */ -}}
{{- define "singleton-guard.operationsPort" -}}{{ .Values.operationsPort }}{{- end -}}

{{- /* The command line. The certificate's Secret and the configurations are named, so that the rights can be too. */ -}}
{{- define "singleton-guard.args" -}}
{{- $root := . -}}
{{- $rows := include "singleton-guard.webhook.rows" . | fromYaml -}}
- serve
- --bind-address=$(POD_IP)
- --port={{ .Values.webhook.port }}
- --operations-port={{ include "singleton-guard.operationsPort" . }}
- --config=/etc/singleton-guard/config.yaml
- --namespace=$(POD_NAMESPACE)
{{- if eq .Values.tls.mode "self-managed" }}
- --service={{ include "singleton-guard.fullname" . }}
- --certificate-secret={{ include "singleton-guard.certificateSecretName" . }}
- --certificate-life={{ .Values.tls.selfManaged.certificateLife }}
- --authority-life={{ .Values.tls.selfManaged.authorityLife }}
{{- with .Values.webhook.url }}
- --certificate-name={{ get (urlParse .) "hostname" }}
{{- end }}
{{- else }}
- --certificate-directory={{ include "singleton-guard.tls.directory" . }}
{{- end }}
{{- range $rows.validating }}
- --validating-configuration={{ include "singleton-guard.webhook.name" (dict "root" $root "row" .) }}
{{- end }}
{{- range $rows.mutating }}
- --mutating-configuration={{ include "singleton-guard.webhook.name" (dict "root" $root "row" .) }}
{{- end }}
- --log-format={{ .Values.log.format }}
- --drain-seconds={{ .Values.drainSeconds }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "singleton-guard.env" -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: status.podIP
- name: POD_NAME
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.namespace
- name: POD_UID
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.uid
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /*
Startup and liveness ask only whether the process answers: no restart mends an API server that is slow or a Secret that
is missing. Readiness is asked often, because it decides who is sent reviews.
*/ -}}
{{- define "singleton-guard.probes" -}}
startupProbe:
  httpGet:
    path: /livez
    port: operations
  periodSeconds: 1
  timeoutSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /livez
    port: operations
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: operations
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{- /* matchLabelKeys: a rollout spreads its own Pods, whatever the ones it replaces do. */ -}}
{{- define "singleton-guard.topologySpreadConstraints" -}}
{{- with .Values.topologySpreadConstraints -}}
{{ toYaml . }}
{{- else -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "singleton-guard.selectorLabels" . | nindent 6 }}
  matchLabelKeys:
    - pod-template-hash
{{- end -}}
{{- end -}}
