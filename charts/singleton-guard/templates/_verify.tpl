{{- /*
The checks that refusals work: at the end of an installation (verify/job.yaml) and on request (verify/test.yaml).
*/ -}}

{{- define "singleton-guard.verify.name" -}}
{{- printf "%s-verify" (include "singleton-guard.fullname" .) -}}
{{- end -}}

{{- /* Another component than the webhook: the Service must not lead to these Pods. */ -}}
{{- define "singleton-guard.verify.labels" -}}
{{- include "singleton-guard.labels" . | replace "app.kubernetes.io/component: webhook" "app.kubernetes.io/component: verify" -}}
{{- end -}}

{{- /* The hooks during which the rights to check exist. */ -}}
{{- define "singleton-guard.verify.hooks" -}}
{{ .Values.startupCheck.enabled | ternary "post-install,test" "test" }}
{{- end -}}

{{- /* Metadata of an object that is there only while something is checked. Takes root and the annotations of its own. */ -}}
{{- define "singleton-guard.verify.metadata" -}}
name: {{ include "singleton-guard.verify.name" .root }}
namespace: {{ include "singleton-guard.namespace" .root | quote }}
{{ include "singleton-guard.metadata" (dict "root" .root "component" "verify" "labels" .labels "annotations" .annotations) }}
{{- end -}}

{{- /* Of the right to check. */ -}}
{{- define "singleton-guard.verify.right" -}}
{{- $hooks := dict "helm.sh/hook" (include "singleton-guard.verify.hooks" .) "helm.sh/hook-weight" "-1" -}}
{{- $_ := set $hooks "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded,hook-failed" -}}
{{- include "singleton-guard.verify.metadata" (dict "root" . "annotations" $hooks) -}}
{{- end -}}

{{- /* The Pod. Takes root and wait, the seconds that it goes on trying. */ -}}
{{- define "singleton-guard.verify.pod" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "singleton-guard.verify.name" $root }}
automountServiceAccountToken: true
enableServiceLinks: false
restartPolicy: Never
{{- with $root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: verify
    image: {{ include "singleton-guard.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      - verify
      - --namespace={{ include "singleton-guard.namespace" $root }}
      - --mark-key={{ include "singleton-guard.markKey" $root }}
      - --wait-seconds={{ .wait }}
    terminationMessagePolicy: FallbackToLogsOnError
    {{- with $root.Values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $root.Values.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
