{{- define "infra-operator.labels" -}}
app.kubernetes.io/name: infra-operator
app.kubernetes.io/part-of: infra-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The pods; never changed, because a Deployment's selector cannot be. */}}
{{- define "infra-operator.selector" -}}
app.kubernetes.io/name: infra-operator
app.kubernetes.io/component: controller-manager
{{- end }}

{{- define "infra-operator.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* A binding of a role to the operator's ServiceAccount. Takes: context, kind (of the role), role, namespace ("" for the whole cluster). */}}
{{- define "infra-operator.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ if .namespace }}RoleBinding{{ else }}ClusterRoleBinding{{ end }}
metadata:
  name: {{ .role }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "infra-operator.labels" .context | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .role }}
subjects:
  - kind: ServiceAccount
    name: infra-operator-controller-manager
    namespace: {{ .context.Release.Namespace }}
{{- end }}

{{/* The objects of a manifest that chart and kustomize share, with the chart's labels and the release's namespace. Takes: context, file, kinds. */}}
{{- define "infra-operator.shared" -}}
{{- range $text := splitList "\n---\n" (.context.Files.Get .file) }}
{{- $object := fromYaml $text }}
{{- if has $object.kind $.kinds }}
{{- $labels := merge (include "infra-operator.labels" $.context | fromYaml) ($object.metadata.labels | default dict) }}
{{- $_ := set $object.metadata "labels" $labels }}
{{- if hasKey $object.metadata "namespace" }}
{{- $_ := set $object.metadata "namespace" $.context.Release.Namespace }}
{{- end }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}
