{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* A name leaves room for what a StatefulSet or a CronJob adds to it. */ -}}
{{- define "exporter.fullname" -}}
{{- $name := include "exporter.name" . -}}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $both .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.podLabels" -}}
{{ include "exporter.selectorLabels" . }}
{{- with mergeOverwrite (dict) .Values.commonLabels .Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.serviceAccountName" -}}
{{- default (ternary (include "exporter.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "exporter.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "exporter.configMapName" -}}
{{- default (include "exporter.fullname" .) .Values.existingConfigMap.name -}}
{{- end -}}

{{- /* Whether pods stay and are scraped, as those of a CronJob do not. */ -}}
{{- define "exporter.serves" -}}
{{- if ne .Values.mode "cronjob" }}true{{ end -}}
{{- end -}}
