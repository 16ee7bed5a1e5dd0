{{- /* The arguments of the program. */ -}}
{{- define "exporter.args" -}}
{{- $args := list (ternary "serve" "probe" (eq (include "exporter.serves" .) "true")) -}}
{{- $args = append $args "--config=/etc/registry-integrity-exporter/config/config.yml" -}}
{{- if include "exporter.serves" . -}}
{{- $args = append $args (printf "--listen-address=:%d" (int .Values.port)) -}}
{{- else -}}
{{- $args = append $args (printf "--interval=%s" .Values.cronJob.interval) -}}
{{- $args = append $args (printf "--deadline=%ds" (int .Values.cronJob.deadlineSeconds)) -}}
{{- end -}}
{{- if or (eq .Values.mode "statefulset") (gt (int .Values.shards) 1) -}}
{{- $args = append $args (printf "--shard=auto/%d" (int .Values.shards)) -}}
{{- end -}}
{{- toYaml (concat $args .Values.extraArgs) -}}
{{- end -}}

{{- define "exporter.hasHelpers" -}}
{{- with .Values.credentialHelpers -}}
{{- if and .image .volume -}}
{{- fail "credentialHelpers: give either an image or a volume" -}}
{{- end -}}
{{- if ne (empty .image) (empty .command) -}}
{{- fail "credentialHelpers: an image and its command go together" -}}
{{- end -}}
{{- if or .image .volume }}true{{ end -}}
{{- end -}}
{{- end -}}

{{- define "exporter.container" -}}
name: exporter
image: {{ include "exporter.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
args: {{- include "exporter.args" . | nindent 2 }}
{{- $helpers := include "exporter.hasHelpers" . }}
{{- if or $helpers .Values.extraEnv }}
env:
  {{- if $helpers }}
  - name: PATH
    value: /opt/credential-helpers:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin
  # Some of them keep what they were told.
  - name: HOME
    value: /tmp
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if include "exporter.serves" . }}
ports:
  - name: metrics
    containerPort: {{ .Values.port | int64 }}
    protocol: TCP
{{- with .Values.livenessProbe }}
livenessProbe:
  httpGet:
    path: /-/healthy
    port: metrics
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.readinessProbe }}
readinessProbe:
  httpGet:
    path: /-/ready
    port: metrics
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/registry-integrity-exporter/config
    readOnly: true
  {{- if include "exporter.allSecretSources" . }}
  - name: secrets
    mountPath: {{ include "exporter.secretsFolder" . }}
    readOnly: true
  {{- end }}
  {{- if $helpers }}
  - name: credential-helpers
    mountPath: /opt/credential-helpers
    readOnly: true
  - name: tmp
    mountPath: /tmp
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "exporter.initContainers" -}}
{{- with .Values.credentialHelpers.image }}
- name: credential-helpers
  image: {{ . | quote }}
  command: {{- toYaml $.Values.credentialHelpers.command | nindent 4 }}
  {{- with $.Values.resources }}
  resources: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.securityContext }}
  securityContext: {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - name: credential-helpers
      mountPath: /opt/credential-helpers
{{- end }}
{{- with .Values.extraInitContainers }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.volumes" -}}
- name: config
  configMap:
    name: {{ include "exporter.configMapName" . | quote }}
    items:
      - key: {{ ternary "config.yml" .Values.existingConfigMap.key (empty .Values.existingConfigMap.name) | quote }}
        path: config.yml
{{- with include "exporter.allSecretSources" . }}
- name: secrets
  projected:
    # For the group, which is the pod's fsGroup.
    defaultMode: 0440
    sources: {{- . | trim | nindent 6 }}
{{- end }}
{{- if include "exporter.hasHelpers" . }}
- name: credential-helpers
  {{- if .Values.credentialHelpers.image }}
  emptyDir: {}
  {{- else }}
  {{- toYaml .Values.credentialHelpers.volume | nindent 2 }}
  {{- end }}
- name: tmp
  emptyDir: {}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.topologySpreadConstraints" -}}
{{- range .Values.topologySpreadConstraints }}
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "exporter.selectorLabels" $ | fromYaml)) }}
- {{- mergeOverwrite (dict) $selector . | toYaml | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The pod template. */ -}}
{{- define "exporter.podTemplate" -}}
metadata:
  labels: {{- include "exporter.podLabels" . | nindent 4 }}
  {{- $annotations := deepCopy (default dict .Values.podAnnotations) }}
  {{- if and (include "exporter.serves" .) (not .Values.existingConfigMap.name) }}
  {{- $_ := set $annotations "checksum/config" (include "exporter.config" . | sha256sum) }}
  {{- end }}
  {{- with $annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "exporter.serviceAccountName" . | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- if not (include "exporter.serves" .) }}
  restartPolicy: Never
  {{- end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds | int64 }}
  {{- with .Values.podSecurityContext }}
  securityContext: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "exporter.initContainers" . }}
  initContainers: {{- . | trim | nindent 4 }}
  {{- end }}
  containers:
    - {{- include "exporter.container" . | nindent 6 }}
  volumes: {{- include "exporter.volumes" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "exporter.topologySpreadConstraints" . }}
  topologySpreadConstraints: {{- . | trim | nindent 4 }}
  {{- end }}
{{- end -}}
