{{- /*
The value strict.nodeUsers: checked once, then written into the file of the process and into the policy on deletions.
The same rules as src/policy/node_users.rs.
*/ -}}

{{- /* As the file has it, in JSON. */ -}}
{{- define "singleton-guard.strict.nodeUsers" -}}
{{- $entries := default list .Values.strict.nodeUsers -}}
{{- $label := "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?" -}}
{{- range $index, $entry := $entries -}}
  {{- $field := printf "strict.nodeUsers[%d]" $index -}}
  {{- if eq (hasKey $entry "user") (hasKey $entry "group") -}}
    {{- fail (printf "%s must have a user or a group, and not both: each has an entry of its own." $field) -}}
  {{- end -}}
  {{- if hasKey $entry "user" -}}
    {{- include "singleton-guard.validate.nodeUser" (dict "field" $field "name" $entry.user) -}}
  {{- else if not (regexMatch (printf "^system:serviceaccounts:%s$" $label) $entry.group) -}}
    {{- fail (printf "%s.group is %q, which is not the ServiceAccounts of one namespace: right is system:serviceaccounts:NAMESPACE; anybody else is named as user." $field $entry.group) -}}
  {{- end -}}
  {{- range $prefix := default list $entry.nodeNamePrefixes -}}
    {{- if or (eq $prefix "") (gt (len $prefix) 252) (not (regexMatch (printf "^%s([.]%s)*$" $label $label) (printf "%sa" $prefix))) -}}
      {{- fail (printf "%s.nodeNamePrefixes has %q, which is not how the name of a node begins: lowercase letters, digits, '-' and '.' only. Patterns are not supported." $field $prefix) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toJson $entries -}}
{{- end -}}

{{- /* The whole name of a user. Takes field and name. */ -}}
{{- define "singleton-guard.validate.nodeUser" -}}
{{- $label := "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?" -}}
{{- $groups := list "system:masters" "system:authenticated" "system:unauthenticated" "system:nodes" "system:monitoring" -}}
{{- $problem := "" -}}
{{- if or (has .name $groups) (hasPrefix "system:serviceaccounts" .name) -}}
  {{- $problem = "is a group: write it as group if it is that of the ServiceAccounts of one namespace, and name each user otherwise" -}}
{{- else if eq .name "system:anonymous" -}}
  {{- $problem = "is everybody without credentials: name the user that the API server's audit log shows for the node" -}}
{{- else if hasPrefix "system:node:" .name -}}
  {{- $problem = "is the user of a kubelet, which needs no entry for the Pods of its own node and must not end those of others: leave it out" -}}
{{- else if and (hasPrefix "system:serviceaccount:" .name) (not (regexMatch (printf "^system:serviceaccount:%s:%s([.]%s)*$" $label $label $label) .name)) -}}
  {{- $problem = "is no ServiceAccount: right is system:serviceaccount:NAMESPACE:NAME" -}}
{{- else if or (eq .name "") (contains "*" .name) (regexMatch "\\p{Cc}" .name) -}}
  {{- $problem = "is not the whole name of a user; patterns are not supported" -}}
{{- end -}}
{{- with $problem -}}
  {{- fail (printf "%s.user is %q, which %s." $.field $.name .) -}}
{{- end -}}
{{- end -}}

{{- /* As conditions on a deletion, a line an entry: it is not this one who asks. A string of JSON is one of CEL. */ -}}
{{- define "singleton-guard.strict.nodeUsers.conditions" -}}
{{- range $index, $entry := include "singleton-guard.strict.nodeUsers" . | fromJsonArray -}}
{{- if $index }}{{ "\n" }}{{ end -}}
&& !(
{{- with $entry.user }}request.userInfo.username == {{ toJson . }}{{ end -}}
{{- with $entry.group }}{{ toJson . }} in request.userInfo.?groups.orValue([]){{ end -}}
{{- with $entry.nodeNamePrefixes }} && {{ toJson . }}.exists(prefix, oldObject.spec.nodeName.startsWith(prefix)){{ end -}}
)
{{- end -}}
{{- end -}}
