{{- /* Where the files of `secrets` are: one folder for each part. */ -}}
{{- define "exporter.secretsFolder" -}}/etc/registry-integrity-exporter/secrets{{- end -}}

{{- /* The settings that name the files of one part of `secrets`; takes (dict "part" … "folder" …). */ -}}
{{- define "exporter.fileSettings" -}}
{{- $folder := printf "%s/%s" (include "exporter.secretsFolder" .) .folder -}}
{{- $settings := dict -}}
{{- if .part.password }}{{ $_ := set $settings "password_file" (printf "%s/password" $folder) }}{{ end -}}
{{- if .part.dockerConfig }}{{ $_ := set $settings "docker_config" (printf "%s/config.json" $folder) }}{{ end -}}
{{- if .part.ca }}{{ $_ := set $settings "ca_file" (printf "%s/ca.crt" $folder) }}{{ end -}}
{{- if .part.clientCertificate -}}
{{- $_ := set $settings "client_certificate_file" (printf "%s/tls.crt" $folder) -}}
{{- $_ := set $settings "client_key_file" (printf "%s/tls.key" $folder) -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{- /* The name of a registry in the list form of `registries`, as the program names it. */ -}}
{{- define "exporter.registryName" -}}
{{- default (get (urlParse .url) "host" | lower) .name -}}
{{- end -}}

{{- /* The configuration file: `config`, and the files of `secrets`. */ -}}
{{- define "exporter.config" -}}
{{- $config := deepCopy (default dict .Values.config) -}}
{{- if not $config.registries -}}
{{- fail "config.registries: give at least one registry, or existingConfigMap.name" -}}
{{- end -}}
{{- $names := list -}}
{{- if kindIs "map" $config.registries -}}
{{- $names = keys $config.registries | sortAlpha -}}
{{- range $name, $part := .Values.secrets.registries -}}
{{- if has $name $names -}}
{{- $files := include "exporter.fileSettings" (dict "part" $part "folder" (printf "registries/%s" $name)) | fromYaml -}}
{{- $_ := set $config.registries $name (mergeOverwrite (get $config.registries $name) $files) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- range $registry := $config.registries -}}
{{- $name := include "exporter.registryName" $registry -}}
{{- $names = append $names $name -}}
{{- with get $.Values.secrets.registries $name -}}
{{- $files := include "exporter.fileSettings" (dict "part" . "folder" (printf "registries/%s" $name)) | fromYaml -}}
{{- $_ := mergeOverwrite $registry $files -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $part := .Values.secrets.registries -}}
{{- if not (has $name $names) -}}
{{- fail (printf "secrets.registries.%s: config.registries has no registry of this name, only %s" $name (join ", " $names)) -}}
{{- end -}}
{{- end -}}
{{- with .Values.secrets.all -}}
{{- $config = mergeOverwrite $config (include "exporter.fileSettings" (dict "part" . "folder" "all") | fromYaml) -}}
{{- end -}}
{{- with .Values.secrets.pushgateway -}}
{{- $files := include "exporter.fileSettings" (dict "part" . "folder" "pushgateway") | fromYaml -}}
{{- $config = mergeOverwrite $config (dict "pushgateway" $files) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- /* One part of `secrets` as sources of a projected volume; takes (dict "part" … "folder" …). */ -}}
{{- define "exporter.secretSources" -}}
{{- $folder := .folder -}}
{{- with .part.password }}
- secret:
    name: {{ .secret | quote }}
    items:
      - key: {{ default "password" .key | quote }}
        path: {{ printf "%s/password" $folder | quote }}
{{- end }}
{{- with .part.dockerConfig }}
{{ include "exporter.fileSource" (dict "from" . "key" ".dockerconfigjson" "path" (printf "%s/config.json" $folder)) }}
{{- end }}
{{- with .part.ca }}
{{ include "exporter.fileSource" (dict "from" . "key" "ca.crt" "path" (printf "%s/ca.crt" $folder)) }}
{{- end }}
{{- with .part.clientCertificate }}
- secret:
    name: {{ .secret | quote }}
    items:
      - key: {{ default "tls.crt" .certificateKey | quote }}
        path: {{ printf "%s/tls.crt" $folder | quote }}
      - key: {{ default "tls.key" .privateKey | quote }}
        path: {{ printf "%s/tls.key" $folder | quote }}
{{- end }}
{{- end -}}

{{- /* One file of a Secret or a ConfigMap; takes (dict "from" … "key" … "path" …). */ -}}
{{- define "exporter.fileSource" -}}
- {{ ternary "secret" "configMap" (hasKey .from "secret") }}:
    name: {{ default .from.configMap .from.secret | quote }}
    items:
      - key: {{ default .key .from.key | quote }}
        path: {{ .path | quote }}
{{- end -}}

{{- /* All of `secrets` as sources of a projected volume; empty where there are none. */ -}}
{{- define "exporter.allSecretSources" -}}
{{- with .Values.secrets.all }}{{ include "exporter.secretSources" (dict "part" . "folder" "all") }}{{ end -}}
{{- range $name, $part := .Values.secrets.registries -}}
{{- include "exporter.secretSources" (dict "part" $part "folder" (printf "registries/%s" $name)) -}}
{{- end -}}
{{- with .Values.secrets.pushgateway -}}
{{- include "exporter.secretSources" (dict "part" . "folder" "pushgateway") -}}
{{- end -}}
{{- end -}}
