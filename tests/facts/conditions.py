# SPDX-License-Identifier: Apache-2.0
"""Defaults that depend on something: for each row of defaults.tsv with a condition,
or with a value made of another, an object to send and what must come back.

A case is (type, field, kind, changes, path, expected): `changes` are merged over the
small sample of the kind, `path` leads to the value in the answer; `expected` is a
value, or a function of the value and the answer. Rows of one type and field that
differ in their condition have a case each, in the order of the table.
"""


def same_as(path):
    return lambda value, body: value == at(body, path)


def at(body, path):
    for part in path:
        if body is None:
            return None
        if isinstance(part, int):
            body = body[part] if isinstance(body, list) and len(body) > part else None
        else:
            body = body.get(part)
    return body


def is_text(value, _body):
    return isinstance(value, str) and value != ""


C = ["spec", "containers", 0]
CONTAINER = {"name": "c", "image": "nginx"}
TINY = {"cpu": "0.0001"}
MILLI = {"cpu": "1m"}


def pod(**container):
    return {"spec": {"containers": [dict(CONTAINER, **container)]}}


def volume(**source):
    return {"spec": {"volumes": [dict(source, name="v")]}}


def limits(**item):
    return {"spec": {"limits": [dict({"type": "Container", "max": None}, **item)]}}


def limit(field):
    return ["spec", "limits", 0, field]


def hpa(**behavior):
    return {"spec": {"behavior": behavior}}


LABELS = ["spec", "template", "metadata", "labels"]
RULES = [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]
BEHAVIOR = ["spec", "behavior"]
REQUEST = ["spec", "devices", "requests", 0]
CHOICE = {"spec": {"devices": {"requests": [{"name": "r", "firstAvailable": [
    {"name": "a", "deviceClassName": "c", "count": 0}]}]}}}
NO_COUNT = {"spec": {"devices": {"requests": [{"name": "r", "exactly": {
    "deviceClassName": "c", "count": 0}}]}}}
UP = [{"type": "Pods", "value": 4, "periodSeconds": 15},
      {"type": "Percent", "value": 100, "periodSeconds": 15}]
DOWN = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
CPU = [{"type": "Resource", "resource": {"name": "cpu", "target": {
    "type": "Utilization", "averageUtilization": 80}}}]
QUEUING = ["spec", "limited", "limitResponse", "queuing"]
ZERO_QUEUES = {"spec": {"limited": {"limitResponse": {"queuing": {
    "queues": 0, "handSize": 0, "queueLengthLimit": 0}}}}}
OTHER = {"apiGroup": None, "kind": "PersistentVolumeClaim", "name": "o"}
DEFINITION = ["spec", "names"]
JOB_ID = "batch.kubernetes.io/controller-uid"


def by_uid(value, _body):
    return is_text(value, None) and len(value) == 36


def service(**spec):
    return {"spec": spec}


# type, field, kind, changes, path, expected
CASES = [
    ("apiextensions.v1.CustomResourceDefinition", "status.storedVersions",
     "CustomResourceDefinition", {}, ["status", "storedVersions"], ["v1"]),
    ("apiextensions.v1.CustomResourceDefinitionSpec", "names.singular",
     "CustomResourceDefinition", {}, DEFINITION + ["singular"], "widget"),
    ("apiextensions.v1.CustomResourceDefinitionSpec", "names.listKind",
     "CustomResourceDefinition", {}, DEFINITION + ["listKind"], "WidgetList"),
    ("apps.v1.DaemonSet", "spec.updateStrategy.rollingUpdate", "DaemonSet", {},
     ["spec", "updateStrategy", "rollingUpdate"], {"maxUnavailable": 1, "maxSurge": 0}),
    ("apps.v1.DaemonSet", "spec.updateStrategy.rollingUpdate.maxUnavailable", "DaemonSet", {},
     ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"], 1),
    ("apps.v1.DaemonSet", "spec.updateStrategy.rollingUpdate.maxSurge", "DaemonSet", {},
     ["spec", "updateStrategy", "rollingUpdate", "maxSurge"], 0),
    ("apps.v1.DaemonSet", "metadata.annotations[deprecated.daemonset.template.generation]",
     "DaemonSet", {},
     ["metadata", "annotations", "deprecated.daemonset.template.generation"], "1"),
    ("apps.v1.Deployment", "spec.strategy.rollingUpdate", "Deployment", {},
     ["spec", "strategy", "rollingUpdate"], {"maxUnavailable": "25%", "maxSurge": "25%"}),
    ("apps.v1.Deployment", "spec.strategy.rollingUpdate.maxUnavailable", "Deployment", {},
     ["spec", "strategy", "rollingUpdate", "maxUnavailable"], "25%"),
    ("apps.v1.Deployment", "spec.strategy.rollingUpdate.maxSurge", "Deployment", {},
     ["spec", "strategy", "rollingUpdate", "maxSurge"], "25%"),
    ("apps.v1.StatefulSet", "spec.updateStrategy.rollingUpdate", "StatefulSet", {},
     ["spec", "updateStrategy", "rollingUpdate"], {"partition": 0}),
    ("apps.v1.StatefulSet", "spec.updateStrategy.rollingUpdate.partition", "StatefulSet",
     {"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {}}}},
     ["spec", "updateStrategy", "rollingUpdate", "partition"], 0),
    ("apps.v1.StatefulSet", "spec.updateStrategy.rollingUpdate.maxUnavailable", "StatefulSet",
     {}, ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"], None),
    ("autoscaling.v1.HorizontalPodAutoscaler", "spec.targetCPUUtilizationPercentage",
     "v1 HorizontalPodAutoscaler", {}, ["spec", "targetCPUUtilizationPercentage"], 80),
    ("autoscaling.v2.HorizontalPodAutoscaler", "spec.metrics", "v2 HorizontalPodAutoscaler",
     {}, ["spec", "metrics"], CPU),
    ("autoscaling.v2.HorizontalPodAutoscaler", "spec.behavior.scaleUp.stabilizationWindowSeconds",
     "v2 HorizontalPodAutoscaler", hpa(),
     BEHAVIOR + ["scaleUp", "stabilizationWindowSeconds"], 0),
    ("autoscaling.v2.HorizontalPodAutoscaler", "spec.behavior.scaleUp.selectPolicy",
     "v2 HorizontalPodAutoscaler", hpa(), BEHAVIOR + ["scaleUp", "selectPolicy"], "Max"),
    ("autoscaling.v2.HorizontalPodAutoscaler", "spec.behavior.scaleUp.policies",
     "v2 HorizontalPodAutoscaler", hpa(), BEHAVIOR + ["scaleUp", "policies"], UP),
    ("autoscaling.v2.HorizontalPodAutoscaler", "spec.behavior.scaleDown.selectPolicy",
     "v2 HorizontalPodAutoscaler", hpa(), BEHAVIOR + ["scaleDown", "selectPolicy"], "Max"),
    ("autoscaling.v2.HorizontalPodAutoscaler", "spec.behavior.scaleDown.policies",
     "v2 HorizontalPodAutoscaler", hpa(), BEHAVIOR + ["scaleDown", "policies"], DOWN),
    ("batch.v1.Job", "spec.completions", "Job", {}, ["spec", "completions"], 1),
    ("batch.v1.Job", "spec.backoffLimit", "Job",
     {"spec": {"completionMode": "Indexed", "completions": 2, "backoffLimitPerIndex": 1}},
     ["spec", "backoffLimit"], 2147483647),
    ("batch.v1.Job", "spec.backoffLimit", "Job", {}, ["spec", "backoffLimit"], 6),
    ("batch.v1.Job", "metadata.labels", "Job",
     {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}, ["metadata", "labels"],
     lambda value, body: value == {"a": "b"}),
    ("batch.v1.Job", "spec.podReplacementPolicy", "Job",
     {"spec": {"podFailurePolicy": {"rules": RULES}}}, ["spec", "podReplacementPolicy"],
     "Failed"),
    ("batch.v1.Job", "spec.podReplacementPolicy", "Job", {}, ["spec", "podReplacementPolicy"],
     "TerminatingOrFailed"),
    ("batch.v1.Job", "spec.template.metadata.labels[job-name]", "Job", {},
     LABELS + ["job-name"], "facts"),
    ("batch.v1.Job", "spec.template.metadata.labels[batch.kubernetes.io/job-name]", "Job", {},
     LABELS + ["batch.kubernetes.io/job-name"], "facts"),
    ("batch.v1.Job", "spec.template.metadata.labels[controller-uid]", "Job", {},
     LABELS + ["controller-uid"], same_as(["metadata", "uid"])),
    ("batch.v1.Job", f"spec.template.metadata.labels[{JOB_ID}]", "Job", {},
     LABELS + [JOB_ID], same_as(["metadata", "uid"])),
    ("batch.v1.Job", f"spec.selector.matchLabels[{JOB_ID}]", "Job", {},
     ["spec", "selector", "matchLabels", JOB_ID], same_as(["metadata", "uid"])),
    ("certificates.v1.CertificateSigningRequest", "spec.username", "CertificateSigningRequest",
     {"spec": {"username": "me"}}, ["spec", "username"],
     lambda value, body: value != "me" and is_text(value, body)),
    ("certificates.v1.CertificateSigningRequest", "spec.uid", "CertificateSigningRequest",
     {"spec": {"uid": "me"}}, ["spec", "uid"], lambda value, body: value != "me"),
    ("certificates.v1.CertificateSigningRequest", "spec.groups", "CertificateSigningRequest",
     {"spec": {"groups": ["me"]}}, ["spec", "groups"],
     lambda value, body: value and "me" not in value),
    ("certificates.v1.CertificateSigningRequest", "spec.extra", "CertificateSigningRequest",
     {"spec": {"extra": {"me": ["x"]}}}, ["spec", "extra"],
     lambda value, body: "me" not in (value or {})),
    ("core.v1.Container", "imagePullPolicy", "Pod", {}, C + ["imagePullPolicy"], "Always"),
    ("core.v1.Container", "imagePullPolicy", "Pod", pod(image="nginx:1"),
     C + ["imagePullPolicy"], "IfNotPresent"),
    ("core.v1.LimitRange", "metadata.name", "LimitRange", {"metadata": {"name": None}},
     ["metadata", "name"], by_uid),
    ("core.v1.LimitRangeItem", "default", "LimitRange", limits(max={"cpu": "1"}),
     limit("default"), {"cpu": "1"}),
    ("core.v1.LimitRangeItem", "defaultRequest", "LimitRange", limits(max={"cpu": "1"}),
     limit("defaultRequest"), {"cpu": "1"}),
    ("core.v1.LimitRangeItem", "default[]", "LimitRange", limits(max={"cpu": "2"}),
     limit("default"), {"cpu": "2"}),
    ("core.v1.LimitRangeItem", "defaultRequest[]", "LimitRange", limits(default={"cpu": "2"}),
     limit("defaultRequest"), {"cpu": "2"}),
    ("core.v1.LimitRangeItem", "defaultRequest[]", "LimitRange", limits(min={"cpu": "2"}),
     limit("defaultRequest"), {"cpu": "2"}),
    ("core.v1.LimitRangeItem", "max[]", "LimitRange", limits(max=TINY), limit("max"), MILLI),
    ("core.v1.LimitRangeItem", "min[]", "LimitRange", limits(min=TINY), limit("min"), MILLI),
    ("core.v1.LimitRangeItem", "default[]", "LimitRange", limits(default=TINY),
     limit("default"), MILLI),
    ("core.v1.LimitRangeItem", "defaultRequest[]", "LimitRange", limits(defaultRequest=TINY),
     limit("defaultRequest"), MILLI),
    ("core.v1.LimitRangeItem", "maxLimitRequestRatio[]", "LimitRange",
     limits(maxLimitRequestRatio={"cpu": "1.0001"}), limit("maxLimitRequestRatio"),
     {"cpu": "1001m"}),
    ("core.v1.Namespace", "metadata.labels[kubernetes.io/metadata.name]", "Namespace",
     {"metadata": {"labels": {"kubernetes.io/metadata.name": "x"}}},
     ["metadata", "labels", "kubernetes.io/metadata.name"], "facts"),
    ("core.v1.Namespace", "status", "Namespace", {"status": {"phase": "Terminating"}},
     ["status"], {"phase": "Active"}),
    ("core.v1.Namespace", "spec.finalizers", "Namespace",
     {"spec": {"finalizers": ["example.com/a"]}}, ["spec", "finalizers"],
     ["example.com/a", "kubernetes"]),
    ("core.v1.NodeStatus", "allocatable", "Node", {"status": {"capacity": {"cpu": "2"}}},
     ["status", "allocatable"], {"cpu": "2"}),
    ("core.v1.NodeStatus", "capacity[]", "Node", {"status": {"capacity": TINY}},
     ["status", "capacity"], MILLI),
    ("core.v1.NodeStatus", "allocatable[]", "Node", {"status": {"allocatable": TINY}},
     ["status", "allocatable"], MILLI),
    ("core.v1.PersistentVolume", "status", "PersistentVolume", {"status": {"phase": "Bound"}},
     ["status"], lambda value, body: value["phase"] == "Pending" and
     is_text(value.get("lastPhaseTransitionTime"), body)),
    ("core.v1.PersistentVolumeClaim", "spec.dataSourceRef", "PersistentVolumeClaim",
     {"spec": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "o"}}},
     ["spec", "dataSourceRef"], OTHER),
    ("core.v1.PersistentVolumeClaim", "spec.dataSource", "PersistentVolumeClaim",
     {"spec": {"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "o"}}},
     ["spec", "dataSource"], OTHER),
    ("core.v1.PersistentVolumeSpec", "capacity[]", "PersistentVolume",
     {"spec": {"capacity": {"storage": "1.0001"}}}, ["spec", "capacity"],
     {"storage": "1001m"}),
    ("core.v1.Pod", "spec.containers[].resources.requests[]", "Pod",
     pod(resources={"limits": {"cpu": "1"}}), C + ["resources", "requests"], {"cpu": "1"}),
    ("core.v1.Pod", "spec.initContainers[].resources.requests[]", "Pod",
     {"spec": {"initContainers": [dict(CONTAINER, name="i",
                                       resources={"limits": {"cpu": "1"}})]}},
     ["spec", "initContainers", 0, "resources", "requests"], {"cpu": "1"}),
    ("core.v1.Pod", "spec.resources.limits[hugepages-*]", "Pod",
     {"spec": {"resources": {"limits": {"cpu": "1"}}, "containers": [dict(
         CONTAINER, resources={"limits": {"hugepages-2Mi": "2Mi", "cpu": "1"}})]}},
     ["spec", "resources", "limits", "hugepages-2Mi"], "2Mi"),
    ("core.v1.Pod", "spec.resources.requests[]", "Pod",
     {"spec": {"resources": {"limits": {"cpu": "1"}}, "containers": [dict(
         CONTAINER, resources={"requests": {"cpu": "300m"}})]}},
     ["spec", "resources", "requests"], {"cpu": "300m"}),
    ("core.v1.Pod", "spec.resources.requests[]", "Pod",
     {"spec": {"resources": {"limits": {"cpu": "1"}}}}, ["spec", "resources", "requests"],
     {"cpu": "1"}),
    ("core.v1.Pod", "spec.containers[].ports[].hostPort", "Pod",
     {"spec": {"hostNetwork": True, "containers": [dict(CONTAINER,
                                                       ports=[{"containerPort": 80}])]}},
     C + ["ports", 0, "hostPort"], 80),
    ("core.v1.Pod", "spec.initContainers[].ports[].hostPort", "Pod",
     {"spec": {"hostNetwork": True, "initContainers": [dict(
         CONTAINER, name="i", ports=[{"containerPort": 81}])]}},
     ["spec", "initContainers", 0, "ports", 0, "hostPort"], 81),
    ("core.v1.Pod", "status", "Pod", {"status": {"phase": "Running"}}, ["status"],
     {"phase": "Pending", "qosClass": "BestEffort"}),
    ("core.v1.PodSpec", "overhead[]", "Pod", {"spec": {"overhead": TINY}},
     ["spec", "overhead"], MILLI),
    ("core.v1.PodSpec", "serviceAccount", "Pod", {"spec": {"serviceAccountName": "r"}},
     ["spec", "serviceAccount"], "r"),
    ("core.v1.PodSpec", "serviceAccountName", "Pod", {"spec": {"serviceAccount": "r"}},
     ["spec", "serviceAccountName"], "r"),
    ("core.v1.ReplicationController", "spec.selector", "ReplicationController",
     {"spec": {"selector": None}}, ["spec", "selector"], {"app": "a"}),
    ("core.v1.ReplicationController", "metadata.labels", "ReplicationController", {},
     ["metadata", "labels"], {"app": "a"}),
    ("core.v1.ResourceQuotaSpec", "hard[]", "ResourceQuota",
     {"spec": {"hard": {"requests.cpu": "0.0001"}}}, ["spec", "hard", "requests.cpu"], "1m"),
    ("core.v1.ResourceRequirements", "limits[]", "Pod", pod(resources={"limits": TINY}),
     C + ["resources", "limits"], MILLI),
    ("core.v1.ResourceRequirements", "requests[]", "Pod", pod(resources={"requests": TINY}),
     C + ["resources", "requests"], MILLI),
    ("core.v1.Secret", "data[]", "Secret", {"stringData": {"a": "c"}, "data": {"a": "AAEC"}},
     ["data"], {"a": "Yw=="}),
    ("core.v1.Service", "spec.sessionAffinityConfig", "Service",
     service(sessionAffinity="None", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 9}}),
     ["spec", "sessionAffinityConfig"], None),
    ("core.v1.Service", "spec.sessionAffinityConfig.clientIP.timeoutSeconds", "Service",
     service(sessionAffinity="ClientIP"),
     ["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"], 10800),
    ("core.v1.Service", "spec.ports[].targetPort", "Service",
     service(ports=[{"port": 80, "targetPort": 0}]), ["spec", "ports", 0, "targetPort"], 80),
    ("core.v1.Service", "spec.externalTrafficPolicy", "Service", service(type="NodePort"),
     ["spec", "externalTrafficPolicy"], "Cluster"),
    ("core.v1.Service", "spec.internalTrafficPolicy", "Service", service(),
     ["spec", "internalTrafficPolicy"], "Cluster"),
    ("core.v1.Service", "spec.allocateLoadBalancerNodePorts", "Service",
     service(type="LoadBalancer"), ["spec", "allocateLoadBalancerNodePorts"], True),
    ("core.v1.Volume", "emptyDir", "Pod", volume(), ["spec", "volumes", 0, "emptyDir"], {}),
    ("core.v1.Volume", "image.pullPolicy", "Pod", volume(image={"reference": "i"}),
     ["spec", "volumes", 0, "image", "pullPolicy"], "Always"),
    ("core.v1.Volume", "image.pullPolicy", "Pod", volume(image={"reference": "i:1"}),
     ["spec", "volumes", 0, "image", "pullPolicy"], "IfNotPresent"),
    ("core.v1.VolumeResourceRequirements", "limits[]", "PersistentVolumeClaim",
     {"spec": {"resources": {"limits": {"storage": "2.0001Gi"}}}},
     ["spec", "resources", "limits", "storage"], lambda value, body: value.endswith("m")),
    ("core.v1.VolumeResourceRequirements", "requests[]", "PersistentVolumeClaim",
     {"spec": {"resources": {"requests": {"storage": "1.0001"}}}},
     ["spec", "resources", "requests", "storage"], "1001m"),
    ("flowcontrol.v1.FlowSchemaSpec", "matchingPrecedence", "FlowSchema",
     {"spec": {"matchingPrecedence": 0}}, ["spec", "matchingPrecedence"], 1000),
    ("flowcontrol.v1.QueuingConfiguration", "handSize", "PriorityLevelConfiguration",
     ZERO_QUEUES, QUEUING + ["handSize"], 8),
    ("flowcontrol.v1.QueuingConfiguration", "queues", "PriorityLevelConfiguration",
     ZERO_QUEUES, QUEUING + ["queues"], 64),
    ("flowcontrol.v1.QueuingConfiguration", "queueLengthLimit", "PriorityLevelConfiguration",
     ZERO_QUEUES, QUEUING + ["queueLengthLimit"], 50),
    ("networking.v1.IngressClass", "spec.parameters.scope", "IngressClass",
     {"spec": {"parameters": {"kind": "K", "name": "n"}}}, ["spec", "parameters", "scope"],
     "Cluster"),
    ("networking.v1.NetworkPolicy", "spec.policyTypes", "NetworkPolicy", {},
     ["spec", "policyTypes"], ["Ingress"]),
    ("networking.v1.NetworkPolicy", "spec.policyTypes", "NetworkPolicy",
     {"spec": {"egress": [{}]}}, ["spec", "policyTypes"], ["Ingress", "Egress"]),
    ("rbac.v1.Subject", "apiGroup", "RoleBinding",
     {"subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "n"}]},
     ["subjects", 0, "apiGroup"], None),
    ("rbac.v1.Subject", "apiGroup", "RoleBinding", {"subjects": [{"kind": "User", "name": "u"}]},
     ["subjects", 0, "apiGroup"], "rbac.authorization.k8s.io"),
    ("resource.v1.DeviceSubRequest", "count", "ResourceClaim", CHOICE,
     REQUEST + ["firstAvailable", 0, "count"], 1),
    ("resource.v1.ExactDeviceRequest", "count", "ResourceClaim", NO_COUNT,
     REQUEST + ["exactly", "count"], 1),
    ("resource.v1.DeviceTaint", "timeAdded", "ResourceSlice",
     {"spec": {"devices": [{"name": "d", "taints": [{"key": "k", "effect": "NoSchedule"}]}]}},
     ["spec", "devices", 0, "taints", 0, "timeAdded"], is_text),
    ("storage.v1.CSIDriver", "spec.volumeLifecycleModes", "CSIDriver",
     {"spec": {"volumeLifecycleModes": []}}, ["spec", "volumeLifecycleModes"], ["Persistent"]),
    ("storage.v1.CSIDriver", "spec.seLinuxMount", "CSIDriver", {}, ["spec", "seLinuxMount"],
     False),
    ("storage.v1.CSIDriver", "spec.preventPodSchedulingIfMissing", "CSIDriver", {},
     ["spec", "preventPodSchedulingIfMissing"], None),
]

# The same through the status, which a create drops: `changes` are of the status.
STATUS_CASES = [
    ("core.v1.ContainerStatus", "allocatedResources[]", "Pod",
     {"containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": True,
                             "restartCount": 0, "allocatedResources": TINY}]},
     ["status", "containerStatuses", 0, "allocatedResources"], MILLI),
    ("core.v1.PodStatus", "allocatedResources[]", "Pod", {"allocatedResources": TINY},
     ["status", "allocatedResources"], MILLI),
    ("core.v1.PersistentVolumeClaimStatus", "capacity[]", "PersistentVolumeClaim",
     {"capacity": {"storage": "1.0001"}}, ["status", "capacity", "storage"], "1001m"),
    ("core.v1.PersistentVolumeClaimStatus", "allocatedResources[]", "PersistentVolumeClaim",
     {"allocatedResources": {"storage": "1.0001"}},
     ["status", "allocatedResources", "storage"], "1001m"),
    ("core.v1.ResourceQuotaStatus", "hard[]", "ResourceQuota",
     {"hard": {"requests.cpu": "0.0001"}}, ["status", "hard", "requests.cpu"], "1m"),
    ("core.v1.ResourceQuotaStatus", "used[]", "ResourceQuota",
     {"used": {"requests.cpu": "0.0001"}}, ["status", "used", "requests.cpu"], "1m"),
    ("core.v1.Service", "status.loadBalancer.ingress[].ipMode", "Service",
     {"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}},
     ["status", "loadBalancer", "ingress", 0, "ipMode"], "VIP"),
]

# Rows that no write shows: an option of reads, and containers that a subresource adds
# (check_defaults sees them).
ELSEWHERE = {
    ("core.v1.PodLogOptions", "stream"),
    ("core.v1.EphemeralContainer", "imagePullPolicy"),
}
