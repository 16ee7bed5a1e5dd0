{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{- /*
A name leaves room for what a StatefulSet or a CronJob adds to it. A Service is called by it, whose name has no dots and
begins with a letter, which a release's need not.
*/ -}}
{{- define "exporter.fullname" -}}
{{- $name := include "exporter.name" . -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- $both := ternary $release (printf "%s-%s" $release $name) (contains $name $release) -}}
{{- if regexMatch "^[0-9]" $both }}{{ $both = printf "%s-%s" $name $release }}{{ end -}}
{{- regexReplaceAll "-+$" (default $both .Values.fullnameOverride | trunc 52) "" -}}
{{- end -}}

{{- define "exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{ include "exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Those of every object and an object's own, which count more; takes (dict "root" … "labels" …). */ -}}
{{- define "exporter.labelsWith" -}}
{{- toYaml (mergeOverwrite (include "exporter.labels" .root | fromYaml) (default dict .labels)) -}}
{{- end -}}

{{- define "exporter.podLabels" -}}
{{ include "exporter.selectorLabels" . }}
{{- with mergeOverwrite (dict) (default dict .Values.commonLabels) (default dict .Values.podLabels) }}
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
