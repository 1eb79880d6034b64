{{- define "windlass.labels" -}}
app.kubernetes.io/name: windlass
app.kubernetes.io/instance: {{ .Values.instance }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: windlass
{{- end -}}

{{- /* Roles and bindings are cluster-wide, so their name tells installs of several namespaces apart. */ -}}
{{- define "windlass.clusterName" -}}
{{ .Release.Namespace }}-{{ .Values.instance }}
{{- end -}}

{{- define "windlass.subjects" -}}
- kind: ServiceAccount
  name: {{ .Values.instance }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
