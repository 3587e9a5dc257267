{{- define "ofrecord.name" -}}
{{- printf "%s-%s" .root.Release.Name .role | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ofrecord.selector" -}}
app.kubernetes.io/name: ofrecord
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "ofrecord.labels" -}}
{{ include "ofrecord.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "ofrecord.image" -}}
{{- $image := .Values.image -}}
{{- $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}{{ if $image.digest }}@{{ $image.digest }}{{ end -}}
{{- end -}}

{{/* An address without a password: that comes from a file. Arguments: root, database, role, folder of the CA. */}}
{{- define "ofrecord.databaseUrl" -}}
{{- $db := .database -}}
{{- $root := "" -}}
{{- if hasPrefix "verify" $db.sslmode -}}
{{- $root = printf "&sslrootcert=/etc/ofrecord/%s/ca.crt" .folder -}}
{{- end -}}
postgresql://{{ .user }}@{{ $db.host }}:{{ $db.port }}/{{ $db.name }}?sslmode={{ $db.sslmode }}{{ $root }}
{{- end -}}

{{- define "ofrecord.brokerUrl" -}}
{{- with .Values.broker }}{{ if .tls }}rediss{{ else }}redis{{ end }}://{{ .host }}:{{ .port }}/{{ .database }}{{ if .tls }}?ssl_cert_reqs=CERT_REQUIRED{{ end }}{{ end -}}
{{- end -}}

{{- define "ofrecord.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "ofrecord.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Certificate authorities, from ConfigMaps that exist before the release does. */}}
{{- define "ofrecord.caVolumes" -}}
{{- if .Values.database.caConfigMap }}
- name: database-ca
  configMap: {name: {{ .Values.database.caConfigMap }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- if .Values.keysDatabase.caConfigMap }}
- name: keys-database-ca
  configMap: {name: {{ .Values.keysDatabase.caConfigMap }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end -}}

{{- define "ofrecord.caMounts" -}}
{{- if .Values.database.caConfigMap }}
- {name: database-ca, mountPath: /etc/ofrecord/database, readOnly: true}
{{- end }}
{{- if .Values.keysDatabase.caConfigMap }}
- {name: keys-database-ca, mountPath: /etc/ofrecord/keys-database, readOnly: true}
{{- end }}
{{- end -}}

{{/*
Worker, scheduler and integrator listen on nothing: ready means connected to what they live on. There is no liveness probe:
they outlive an absent database on purpose, and one that ends is started again anyway. Argument: the port.
*/}}
{{- define "ofrecord.connectedProbes" -}}
{{- $command := list "python" "-S" "-E" "/opt/ofrecord/connected.py" (. | toString) | toJson }}
startupProbe:
  exec: {command: {{ $command }}}
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 60
readinessProbe:
  exec: {command: {{ $command }}}
  periodSeconds: 15
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}
