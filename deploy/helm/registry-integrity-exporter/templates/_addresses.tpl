{{- /* The port of a URL, as text. */ -}}
{{- define "exporter.portOf" -}}
{{- $host := regexReplaceAll "^[A-Za-z]+://([^/]*).*$" . "${1}" -}}
{{- $standard := ternary "443" "80" (hasPrefix "https:" (lower .)) -}}
{{- default $standard (regexFind ":[0-9]+$" $host | trimPrefix ":") -}}
{{- end -}}

{{- /* The URLs in `config` whose port the NetworkPolicy does not open, one a line; empty where there is no policy. */ -}}
{{- define "exporter.closedAddresses" -}}
{{- if and .Values.networkPolicy.enabled .Values.config -}}
{{- $open := list -}}
{{- range .Values.networkPolicy.egressPorts }}{{ $open = append $open (int . | toString) }}{{ end -}}
{{- $urls := list -}}
{{- range .Values.config.registries }}{{ $urls = append $urls .url }}{{ end -}}
{{- with .Values.config.pushgateway }}{{ $urls = append $urls .url }}{{ end -}}
{{- range compact $urls | uniq -}}
{{- if not (has (include "exporter.portOf" .) $open) }}
{{ . }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
