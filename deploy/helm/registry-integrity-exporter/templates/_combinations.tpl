{{- /* What goes together with which mode; fails with what does not. */ -}}
{{- define "exporter.checkCombinations" -}}
{{- if and (eq .Values.mode "deployment") (gt (int .Values.shards) 1) -}}
{{- fail "shards: the pods of a Deployment have no numbers; use mode statefulset or cronjob" -}}
{{- end -}}
{{- if and (ne .Values.mode "deployment") (ne (int .Values.replicas) 1) -}}
{{- fail (printf "replicas: mode %s has none; shards says how many pods divide the repositories" .Values.mode) -}}
{{- end -}}
{{- if and .Values.existingConfigMap.name (default dict .Values.config).registries -}}
{{- fail "existingConfigMap.name: give either this or config.registries" -}}
{{- end -}}
{{- $type := .Values.updateStrategy.type -}}
{{- if or (and (eq .Values.mode "deployment") (eq $type "OnDelete")) (and (eq .Values.mode "statefulset") (eq $type "Recreate")) -}}
{{- fail (printf "updateStrategy.type: mode %s has no %s" .Values.mode $type) -}}
{{- end -}}
{{- if eq .Values.mode "cronjob" -}}
{{- if .Values.monitor.enabled -}}
{{- fail "monitor.enabled: the pods of a CronJob are not scraped; their metrics go to config.pushgateway.url" -}}
{{- end -}}
{{- if .Values.podDisruptionBudget.enabled -}}
{{- fail "podDisruptionBudget.enabled: the pods of a CronJob have no controller that a budget could count" -}}
{{- end -}}
{{- end -}}
{{- if gt (include "exporter.milliseconds" .Values.monitor.interval | float64) 120000.0 -}}
{{- fail "monitor.interval: the alerts need a scrape every two minutes at least" -}}
{{- end -}}
{{- if and .Values.monitor.enabled (eq .Values.monitor.kind "ServiceMonitor") (eq .Values.mode "deployment") (not .Values.service.enabled) -}}
{{- fail "monitor.kind: a ServiceMonitor needs service.enabled; a PodMonitor does not" -}}
{{- end -}}
{{- end -}}

{{- /* How long a duration such as 1m30s is, in milliseconds; none is 0. */ -}}
{{- define "exporter.milliseconds" -}}
{{- $text := default "" . -}}
{{- $total := 0.0 -}}
{{- range $unit, $length := dict "d" 86400000 "h" 3600000 "m" 60000 "s" 1000 "ms" 1 -}}
{{- $count := regexFind (printf "[0-9]+%s([0-9]|$)" $unit) $text | regexFind "^[0-9]+" | float64 -}}
{{- $total = addf $total (mulf $count $length) -}}
{{- end -}}
{{- $total -}}
{{- end -}}
