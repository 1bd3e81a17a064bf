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
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: verify
    image: {{ include "singleton-guard.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      - verify
      - --namespace={{ $root.Release.Namespace }}
      - --mark-key={{ include "singleton-guard.markKey" $root }}
      - --wait-seconds={{ .wait }}
    terminationMessagePolicy: FallbackToLogsOnError
    {{- with $root.Values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        drop:
          - ALL
      privileged: false
      readOnlyRootFilesystem: true
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
