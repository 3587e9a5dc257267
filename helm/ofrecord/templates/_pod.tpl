{{/*
One Deployment of a long-running role. Arguments (dict): root, role, command, args, replicas, resources, env (list of {name,
value}), secretItems (list of {key, path}), keys (whether it reads the keys database, with the master key), custody (whether it
destroys keys there, without), publishes (whether it copies the log for everybody), asks (whether it has a counterfactual server
of its own beside it), probes (text).
*/}}
{{- define "ofrecord.deployment" -}}
{{- $v := .root.Values -}}
{{- $asks := and .asks $v.propose.enabled -}}
{{- $claim := and .publishes $v.log.publishClaim -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "ofrecord.name" . }}
  labels: {{- include "ofrecord.labels" . | nindent 4 }}
spec:
  replicas: {{ .replicas }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: {{ .maxUnavailable | default 0 }}, maxSurge: 1}
  selector:
    matchLabels: {{- include "ofrecord.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "ofrecord.labels" . | nindent 8 }}
      annotations:
        ofrecord/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
        {{- with $v.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      serviceAccountName: {{ .root.Release.Name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $v.terminationGraceSeconds }}
      securityContext: {{- include "ofrecord.podSecurity" . | nindent 8 }}
      {{- with $v.image.pullSecrets }}
      imagePullSecrets: {{ range . }}
        - name: {{ . }}{{ end }}
      {{- end }}
      {{- with $v.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "ofrecord.selector" $ | nindent 14 }}
        {{- end }}
      {{- if .keys }}
      initContainers:
        # An empty volume hides what the image brings: the kernels compiled at build are put back into it.
        - name: kernels
          image: {{ include "ofrecord.image" .root }}
          imagePullPolicy: {{ $v.image.pullPolicy }}
          command: [cp, --recursive, --preserve=timestamps, /opt/ofrecord/kernels/., /var/cache/ofrecord/]
          securityContext: {{- include "ofrecord.containerSecurity" . | nindent 12 }}
          resources: {requests: {cpu: 50m, memory: 32Mi}, limits: {memory: 64Mi}}
          volumeMounts:
            - {name: cache, mountPath: /var/cache/ofrecord}
      {{- end }}
      {{- if $asks }}
        {{- include "ofrecord.propose" . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .role }}
          image: {{ include "ofrecord.image" .root }}
          imagePullPolicy: {{ $v.image.pullPolicy }}
          args: {{ .args | toJson }}
          securityContext: {{- include "ofrecord.containerSecurity" . | nindent 12 }}
          envFrom:
            - configMapRef: {name: {{ .root.Release.Name }}}
          env:
            - name: OFRECORD_DATABASE_URL
              value: {{ include "ofrecord.databaseUrl" (dict "database" $v.database "user" .user "folder" "database") }}
            - name: OFRECORD_DATABASE_PASSWORD_FILE
              value: /run/secrets/ofrecord/database-password
            {{- if or .keys .custody }}
            - name: OFRECORD_KEYS_DATABASE_URL
              value: {{ include "ofrecord.databaseUrl" (dict "database" $v.keysDatabase "user" .user "folder" "keys-database") }}
            {{- end }}
            {{- if .keys }}
            - name: OFRECORD_MASTER_KEY_FILE
              value: /run/secrets/ofrecord/master-key
            {{- end }}
            {{- if .queue }}
            - name: OFRECORD_BROKER_URL
              value: {{ include "ofrecord.brokerUrl" .root }}
            - name: OFRECORD_BROKER_PASSWORD_FILE
              value: /run/secrets/ofrecord/broker-password
            {{- end }}
            {{- if $asks }}
            - name: OFRECORD_COUNTERFACTUAL_SOCKET
              value: /run/ofrecord/propose.sock
            {{- end }}
            {{- if $claim }}
            - name: OFRECORD_PUBLISH_DIR
              value: /var/lib/ofrecord/public
            {{- end }}
            {{- with .env }}{{ toYaml . | nindent 12 }}{{ end }}
          {{- with .ports }}
          ports: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- .probes | nindent 10 }}
          {{- with .lifecycle }}
          lifecycle: {{- toYaml . | nindent 12 }}
          {{- end }}
          resources: {{- toYaml .resources | nindent 12 }}
          volumeMounts:
            - {name: secrets, mountPath: /run/secrets/ofrecord, readOnly: true}
            - {name: cache, mountPath: /var/cache/ofrecord}
            - {name: tmp, mountPath: /tmp}
            {{- if $asks }}
            - {name: proposals, mountPath: /run/ofrecord}
            {{- end }}
            {{- if $claim }}
            - {name: public, mountPath: /var/lib/ofrecord/public}
            {{- end }}
            {{- include "ofrecord.caMounts" .root | nindent 12 }}
      volumes:
        - name: secrets
          secret:
            secretName: {{ index $v.secrets .role }}
            defaultMode: 0440
            items: {{- range .secretItems }}
              - {key: {{ . }}, path: {{ . }}}{{ end }}
        - name: cache
          emptyDir: {sizeLimit: {{ $v.cache.sizeLimit }}}
        - name: tmp
          emptyDir: {medium: Memory, sizeLimit: 64Mi}
        {{- if $asks }}
        - name: proposals
          emptyDir: {medium: Memory, sizeLimit: 1Mi}
        - name: propose-tmp
          emptyDir: {medium: Memory, sizeLimit: 64Mi}
        {{- end }}
        {{- if $claim }}
        - name: public
          persistentVolumeClaim: {claimName: {{ $claim }}}
        {{- end }}
        {{- include "ofrecord.caVolumes" .root | nindent 8 }}
{{- end -}}

{{/*
The counterfactual server: a sidecar, so that it is there before who asks it and until after. It shares the socket with that
container, reads its cache, and holds no secret. It has no readiness probe: without it, explanations go on.
*/}}
{{- define "ofrecord.propose" -}}
{{- $v := .root.Values -}}
- name: propose
  image: {{ include "ofrecord.image" .root }}
  imagePullPolicy: {{ $v.image.pullPolicy }}
  restartPolicy: Always
  args: [propose, --socket, /run/ofrecord/propose.sock]
  securityContext: {{- include "ofrecord.containerSecurity" . | nindent 4 }}
  env:
    - {name: OFRECORD_CACHE_DIR, value: /var/cache/ofrecord}
    - {name: OFRECORD_LOG_LEVEL, value: {{ $v.log.level | quote }}}
    - {name: OFRECORD_THREADS, value: {{ $v.propose.threads | quote }}}
  livenessProbe:
    exec: {command: [python, -S, -E, /opt/ofrecord/accepting.py, /run/ofrecord/propose.sock]}
    initialDelaySeconds: 60
    periodSeconds: 15
    timeoutSeconds: 5
    failureThreshold: 4
  resources: {{- toYaml $v.propose.resources | nindent 4 }}
  volumeMounts:
    - {name: cache, mountPath: /var/cache/ofrecord, readOnly: true}
    - {name: proposals, mountPath: /run/ofrecord}
    - {name: propose-tmp, mountPath: /tmp}
{{- end -}}
