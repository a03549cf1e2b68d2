{{- define "ccf-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "ccf-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "ccf-operator.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "ccf-operator.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "ccf-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ccf-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ccf-operator.labels" -}}
{{ include "ccf-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ccf-operator.serviceAccountName" -}}
{{- default (include "ccf-operator.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "ccf-operator.image" -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else -}}
{{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end -}}
{{- end }}

{{- define "ccf-operator.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ccf-operator.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "ccf-operator.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* What the operator does with the objects of networks: in every watched namespace. */ -}}
{{- define "ccf-operator.rules" -}}
- apiGroups: [ccf.dev]
  resources: [ccfnetworks]
  verbs: [get, list, watch, patch]
- apiGroups: [ccf.dev]
  resources: [ccfnetworks/status]
  verbs: [update]
# People's decisions about recoveries: read, and answered in their status. Making one is a person's right alone.
- apiGroups: [ccf.dev]
  resources: [ccfrecoverydecisions]
  verbs: [get, list, watch]
- apiGroups: [ccf.dev]
  resources: [ccfrecoverydecisions/status]
  verbs: [patch]
# Owner references that block the owner's deletion (admission plugin OwnerReferencesPermissionEnforcement).
- apiGroups: [ccf.dev]
  resources: [ccfnetworks/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
# No delete: a volume that may hold a ledger is never deleted by the operator.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, create, patch, delete]
# Listed for what members' plugins report of recovery shares, which CCF tells to nobody else, and for what keeps a pod
# or a claim that does not come further.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [list, create]
{{- end }}
