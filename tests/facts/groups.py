# SPDX-License-Identifier: Apache-2.0
"""The objects that facts.py sends of the groups with a name; see samples.py."""
import base64

SELECTOR = {"matchLabels": {"app": "a"}}
POD = {"containers": [{"name": "c", "image": "nginx"}]}
JOB_POD = dict(POD, restartPolicy="Never")
STORAGE = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

# A request for a certificate of CN=facts, whose key nobody has.
REQUEST = """-----BEGIN CERTIFICATE REQUEST-----
MIHLMHICAQAwEDEOMAwGA1UEAwwFZmFjdHMwWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAAQFkS6005O4SQt26B80gFRncYFnOP+nv1qJZ25Da5qHAhw74stigEmQX1hB
ElDC5Kb2lnwxoXZ+76EhJwDXdmxXoAAwCgYIKoZIzj0EAwIDSQAwRgIhAJ/FUnJh
uRZ4KGFXqY0P5zGLuGUqsgv5TA+SVGlsoJ7gAiEAlh05OEPEUQdRTrsOpZBuaYWe
vgLpThjKugip1xSDE98=
-----END CERTIFICATE REQUEST-----
"""


def template(spec):
    return {"metadata": {"labels": {"app": "a"}}, "spec": spec}


def workload(**more):
    return {"spec": dict({"selector": SELECTOR, "template": template(POD)}, **more)}


WEBHOOK = {
    "name": "a.example.com",
    "clientConfig": {"url": "https://example.com/hook"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
               "resources": ["pods"]}],
}
SERVICE_HOOK = dict(WEBHOOK, name="b.example.com",
                    clientConfig={"service": {"namespace": "n", "name": "s", "path": "/p"}},
                    matchConditions=[{"name": "c", "expression": "true"}])
MATCH = {"resourceRules": [{"operations": ["CREATE"], "apiGroups": ["apps"],
                            "apiVersions": ["v1"], "resources": ["deployments"]}]}

COLUMN = {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
WIDGETS = {
    "group": "example.com",
    "names": {"plural": "widgets", "kind": "Widget"},
    "scope": "Namespaced",
    "versions": [{
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {
            "type": "object",
            "properties": {"spec": {"type": "object",
                                    "properties": {"size": {"type": "integer"}}}}}},
        "additionalPrinterColumns": [COLUMN],
    }],
}
WIDGETS_BY_HOOK = dict(WIDGETS, conversion={
    "strategy": "Webhook",
    "webhook": {"clientConfig": {"service": {"namespace": "n", "name": "s"}},
                "conversionReviewVersions": ["v1"]}})

REQUESTS = {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}
CHOICE = {"requests": [{"name": "r", "firstAvailable": [
    {"name": "a", "deviceClassName": "c"}, {"name": "b", "deviceClassName": "d"}]}]}
TOLERANT = {"requests": [{"name": "r", "exactly": {
    "deviceClassName": "c", "tolerations": [{"key": "k", "value": "v"}]}}]}

ROLE_RULES = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
SUBJECTS = [{"kind": "User", "name": "u"}, {"kind": "Group", "name": "g"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "default"}]

SMALL = {
    "ControllerRevision": {"data": {"a": "b"}, "revision": 1},
    "DaemonSet": workload(),
    "Deployment": workload(),
    "ReplicaSet": workload(),
    "StatefulSet": workload(serviceName="s"),
    "CronJob": {"spec": {"schedule": "*/5 * * * *",
                         "jobTemplate": {"spec": {"template": {"spec": JOB_POD}}}}},
    "Job": {"spec": {"template": {"spec": JOB_POD}}},
    "HorizontalPodAutoscaler": {"spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
        "maxReplicas": 3}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": SELECTOR}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    "IngressClass": {"spec": {"controller": "example.com/c"}},
    "NetworkPolicy": {"spec": {"podSelector": SELECTOR}},
    "ClusterRole": {"rules": ROLE_RULES},
    "Role": {"rules": ROLE_RULES},
    "ClusterRoleBinding": {"roleRef": {"kind": "ClusterRole", "name": "r"}},
    "RoleBinding": {"roleRef": {"kind": "Role", "name": "r"}, "subjects": SUBJECTS},
    "CSIDriver": {"spec": {}},
    "CSINode": {"spec": {"drivers": [{"name": "d.example.com", "nodeID": "n"}]}},
    "CSIStorageCapacity": {"storageClassName": "c", "capacity": "1Gi"},
    "StorageClass": {"provisioner": "example.com/p"},
    "VolumeAttachment": {"spec": {"attacher": "d.example.com", "nodeName": "n",
                                  "source": {"persistentVolumeName": "v"}}},
    "VolumeAttributesClass": {"driverName": "d.example.com", "parameters": {"a": "b"}},
    "PriorityClass": {"value": 7},
    "RuntimeClass": {"handler": "h"},
    "MutatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "MutatingAdmissionPolicy": {"spec": {
        "matchConstraints": MATCH, "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}]}},
    "MutatingAdmissionPolicyBinding": {"spec": {"policyName": "p"}},
    "ValidatingAdmissionPolicy": {"spec": {
        "matchConstraints": MATCH, "validations": [{"expression": "true"}]}},
    "ValidatingAdmissionPolicyBinding": {"spec": {"policyName": "p",
                                                  "validationActions": ["Deny"]}},
    "CustomResourceDefinition": {"spec": WIDGETS},
    "APIService": {"spec": {"group": "example.com", "version": "v1", "groupPriorityMinimum": 100,
                            "versionPriority": 10, "insecureSkipTLSVerify": True,
                            "service": {"namespace": "n", "name": "s"}}},
    "CertificateSigningRequest": {"spec": {
        "request": base64.b64encode(REQUEST.encode()).decode(),
        "signerName": "example.com/s", "usages": ["client auth"]}},
    "FlowSchema": {"spec": {
        "priorityLevelConfiguration": {"name": "p"},
        "rules": [{"subjects": [{"kind": "User", "user": {"name": "u"}}],
                   "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"],
                                      "namespaces": ["*"]}]}]}},
    "PriorityLevelConfiguration": {"spec": {
        "type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}},
    "DeviceClass": {"spec": {"selectors": [{"cel": {"expression": "true"}}]}},
    "ResourceClaim": {"spec": {"devices": REQUESTS}},
    "ResourceClaimTemplate": {"spec": {"spec": {"devices": CHOICE}}},
    "ResourceSlice": {"spec": {"driver": "d.example.com", "nodeName": "n",
                               "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
                               "devices": [{"name": "d"}]}},
}

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {
    "type": "Utilization", "averageUtilization": 50}}}

FULL = {
    "DaemonSet": [workload(updateStrategy={"type": "OnDelete"})],
    "Deployment": [workload(strategy={"type": "Recreate"}, paused=True)],
    "StatefulSet": [workload(serviceName="s", updateStrategy={"rollingUpdate": {}}, ordinals={
        "start": 2}, volumeClaimTemplates=[{"metadata": {"name": "v"}, "spec": STORAGE}])],
    "Job": [{"spec": {"template": {"spec": JOB_POD}, "completionMode": "Indexed",
                      "completions": 3, "backoffLimitPerIndex": 1,
                      "podFailurePolicy": {"rules": [
                          {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                          {"action": "FailJob", "onExitCodes": {"operator": "In",
                                                                "values": [1, 2]}}]}}}],
    "CronJob": [{"spec": {"schedule": "@daily", "timeZone": "UTC",
                          "jobTemplate": {"metadata": {"labels": {"a": "b"}},
                                          "spec": {"template": {"spec": JOB_POD}}}}}],
    "HorizontalPodAutoscaler": [
        {"v2": {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3,
                         "metrics": [CPU], "behavior": {}}},
         "v1": {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3,
                         "minReplicas": 2, "targetCPUUtilizationPercentage": 40}}}],
    "Ingress": [{"spec": {
        "ingressClassName": "c", "tls": [{"hosts": ["a.example.com"], "secretName": "s"}],
        "rules": [{"host": "a.example.com", "http": {"paths": [
            {"path": "/", "pathType": "Prefix",
             "backend": {"service": {"name": "s", "port": {"name": "p"}}}}]}}]}}],
    "IngressClass": [{"spec": {"controller": "example.com/c",
                               "parameters": {"kind": "K", "name": "n"}}}],
    "NetworkPolicy": [{"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}],
                                "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}}],
    "ClusterRole": [{"rules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]},
                    {"aggregationRule": {"clusterRoleSelectors": [SELECTOR]}}],
    "ClusterRoleBinding": [{"roleRef": {"kind": "ClusterRole", "name": "r"},
                            "subjects": SUBJECTS}],
    "CSIDriver": [{"spec": {"tokenRequests": [{"audience": "a"}], "requiresRepublish": True}}],
    "CSINode": [{"spec": {"drivers": [{"name": "d.example.com", "nodeID": "n",
                                       "topologyKeys": ["zone"], "allocatable": {"count": 3}}]}}],
    "StorageClass": [{"provisioner": "example.com/p", "parameters": {"a": "b"},
                      "allowVolumeExpansion": True, "mountOptions": ["ro"],
                      "allowedTopologies": [{"matchLabelExpressions": [
                          {"key": "zone", "values": ["a"]}]}]}],
    "RuntimeClass": [{"handler": "h", "overhead": {"podFixed": {"cpu": "100m"}},
                      "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [
                          {"key": "k", "operator": "Exists"}]}}],
    "MutatingWebhookConfiguration": [{"webhooks": [SERVICE_HOOK]}],
    "ValidatingWebhookConfiguration": [{"webhooks": [SERVICE_HOOK]}],
    "ValidatingAdmissionPolicy": [{"spec": {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}, "matchConstraints": MATCH,
        "validations": [{"expression": "true", "message": "m", "reason": "Invalid"}],
        "variables": [{"name": "v", "expression": "1"}],
        "auditAnnotations": [{"key": "k", "valueExpression": "'x'"}]}}],
    "ValidatingAdmissionPolicyBinding": [{"spec": {
        "policyName": "p", "validationActions": ["Deny"], "matchResources": MATCH,
        "paramRef": {"name": "n", "parameterNotFoundAction": "Deny"}}}],
    "MutatingAdmissionPolicyBinding": [{"spec": {"policyName": "p", "matchResources": MATCH}}],
    "CustomResourceDefinition": [{"spec": WIDGETS_BY_HOOK}],
    "PriorityLevelConfiguration": [
        {"spec": {"type": "Exempt", "exempt": {}}},
        {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}}],
    "ResourceClaim": [{"spec": {"devices": CHOICE}}, {"spec": {"devices": TOLERANT}}],
    "ResourceClaimTemplate": [{"spec": {"spec": {"devices": REQUESTS}}},
                              {"spec": {"spec": {"devices": TOLERANT}}}],
    "ResourceSlice": [{"spec": {
        "driver": "d.example.com", "allNodes": True,
        "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
        "devices": [{"name": "d", "attributes": {"model": {"string": "m"}, "size": {"int": 3}},
                     "capacity": {"memory": {"value": "1Gi"}},
                     "taints": [{"key": "k", "effect": "NoSchedule"}]}]}}],
}

CONDITION = {"type": "Ready", "status": "True", "reason": "R", "message": "m",
             "lastTransitionTime": "2024-01-02T03:04:05Z"}
OLD_CONDITION = {k: CONDITION[k] for k in ("type", "status", "reason", "message")}

STATUS = {
    "Deployment": {"replicas": 1},
    "ReplicaSet": {"replicas": 2},
    "StatefulSet": {"replicas": 1},
    "DaemonSet": {"numberReady": 1},
    "Job": {"active": 1},
    "CronJob": {"lastScheduleTime": "2024-01-02T03:04:05Z"},
    "HorizontalPodAutoscaler": {"currentReplicas": 1},
    "PodDisruptionBudget": {"currentHealthy": 1},
    "Ingress": {"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}},
    "ServiceCIDR": {"conditions": [CONDITION]},
    "VolumeAttachment": {"attached": True},
    "ValidatingAdmissionPolicy": {"observedGeneration": 1},
    "CustomResourceDefinition": {"conditions": [OLD_CONDITION]},
    "APIService": {"conditions": [OLD_CONDITION]},
    "CertificateSigningRequest": {"conditions": [OLD_CONDITION]},
    "FlowSchema": {"conditions": [OLD_CONDITION]},
    "PriorityLevelConfiguration": {"conditions": [OLD_CONDITION]},
    "ResourceClaim": {"reservedFor": []},
}

NAMES = {
    "CustomResourceDefinition": "widgets.example.com",
    "APIService": "v1.example.com",
}
