# SPDX-License-Identifier: Apache-2.0
"""The objects that facts.py sends: of each kind a small one that can be stored,
and full ones for what becomes of every field. Defaulted fields are left out."""
import copy

import groups

PROBE = {"httpGet": {"port": 80}, "initialDelaySeconds": 1}

CONTAINER = {
    "name": "c",
    "image": "nginx",
    "command": ["a"],
    "args": ["b", ""],
    "workingDir": "/w",
    "ports": [{"containerPort": 80, "name": "http"}],
    "env": [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
        {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k"}}},
        {"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {
            "name": "F",
            "valueFrom": {"fileKeyRef": {"volumeName": "none", "path": "p", "key": "k"}},
        },
    ],
    "envFrom": [{"prefix": "P_", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}}],
    "resources": {"limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "0.1"}},
    "volumeMounts": [{"name": "emptydir", "mountPath": "/e", "readOnly": True}],
    "volumeDevices": [{"name": "claim", "devicePath": "/dev/x"}],
    "livenessProbe": dict(PROBE, terminationGracePeriodSeconds=5),
    "readinessProbe": {"tcpSocket": {"port": "http"}},
    "startupProbe": {"grpc": {"port": 90}},
    "lifecycle": {
        "postStart": {"exec": {"command": ["x"]}},
        "preStop": {"httpGet": {"port": "http", "httpHeaders": [{"name": "h", "value": "v"}]}},
    },
    "securityContext": {
        "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
        "privileged": False,
        "runAsUser": 0,
        "seLinuxOptions": {"level": "s0"},
        "seccompProfile": {"type": "RuntimeDefault"},
        "appArmorProfile": {"type": "Unconfined"},
    },
    "stdin": True,
    "tty": True,
}

VOLUMES = [
    {"name": "none"},
    {"name": "emptydir", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    {"name": "hostpath", "hostPath": {"path": "/p"}},
    {"name": "secret", "secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}]}},
    {"name": "configmap", "configMap": {"name": "m"}},
    {
        "name": "downward",
        "downwardAPI": {
            "items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]
        },
    },
    {
        "name": "projected",
        "projected": {
            "sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"secret": {"name": "s"}},
                {"configMap": {"name": "m", "items": [{"key": "a", "path": "b", "mode": 256}]}},
            ]
        },
    },
    {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}},
    {"name": "gce", "gcePersistentDisk": {"pdName": "d"}},
    {"name": "aws", "awsElasticBlockStore": {"volumeID": "v"}},
    {"name": "nfs", "nfs": {"server": "s", "path": "/p"}},
    {
        "name": "iscsi",
        "iscsi": {"targetPortal": "10.0.0.1:1", "iqn": "iqn.2001-04.com.example:a", "lun": 0},
    },
    {"name": "gluster", "glusterfs": {"endpoints": "e", "path": "p"}},
    {"name": "rbd", "rbd": {"monitors": ["m"], "image": "i"}},
    {"name": "flex", "flexVolume": {"driver": "d/e", "options": {"a": "b"}}},
    {"name": "cinder", "cinder": {"volumeID": "v"}},
    {"name": "cephfs", "cephfs": {"monitors": ["m"]}},
    {"name": "flocker", "flocker": {"datasetName": "d"}},
    {"name": "fc", "fc": {"targetWWNs": ["w"], "lun": 1}},
    {"name": "azurefile", "azureFile": {"secretName": "s", "shareName": "n"}},
    {"name": "vsphere", "vsphereVolume": {"volumePath": "p"}},
    {"name": "quobyte", "quobyte": {"registry": "r:1", "volume": "v"}},
    {"name": "azuredisk", "azureDisk": {"diskName": "d", "diskURI": "/subscriptions/u"}},
    {"name": "photon", "photonPersistentDisk": {"pdID": "p"}},
    {"name": "portworx", "portworxVolume": {"volumeID": "v"}},
    {"name": "scaleio", "scaleIO": {"gateway": "g", "system": "s", "secretRef": {"name": "n"},
                                    "volumeName": "v"}},
    {"name": "storageos", "storageos": {"volumeName": "v", "volumeNamespace": "n"}},
    {"name": "csi", "csi": {"driver": "d.example.com"}},
    {
        "name": "ephemeral",
        "ephemeral": {
            "volumeClaimTemplate": {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                }
            }
        },
    },
    {"name": "image", "image": {"reference": "nginx:1"}},
]

FULL_POD = {
    "volumes": VOLUMES,
    "containers": [CONTAINER, {"name": "d", "image": "nginx:1.9"}],
    "initContainers": [{"name": "i", "image": "i", "restartPolicy": "Always"}],
    "nodeSelector": {"a": "b"},
    "serviceAccountName": "robot",
    "automountServiceAccountToken": False,
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["h"]}],
    "imagePullSecrets": [{"name": "s"}],
    "hostname": "h",
    "subdomain": "s",
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}
                ]
            }
        },
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 5,
                    "podAffinityTerm": {
                        "topologyKey": "zone",
                        "labelSelector": {"matchLabels": {"a": "b"}},
                    },
                }
            ]
        },
    },
    "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute",
                     "tolerationSeconds": 3}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
         "labelSelector": {"matchLabels": {"a": "b"}}}
    ],
    "readinessGates": [{"conditionType": "example.com/ready"}],
    "dnsConfig": {"nameservers": ["10.0.0.1"], "options": [{"name": "ndots", "value": "2"}]},
    "shareProcessNamespace": True,
    "activeDeadlineSeconds": 100,
}

SELECTOR = {"matchLabels": {"app": "a"}}

PERSISTENT = {
    "hostPath": {"hostPath": {"path": "/p"}},
    "iscsi": {"iscsi": {"targetPortal": "10.0.0.1:1", "iqn": "iqn.2001-04.com.example:a",
                        "lun": 0}},
    "rbd": {"rbd": {"monitors": ["m"], "image": "i"}},
    "azureDisk": {"azureDisk": {"diskName": "d", "diskURI": "/subscriptions/u"}},
    "scaleIO": {"scaleIO": {"gateway": "g", "system": "s", "volumeName": "v",
                            "secretRef": {"name": "n"}}},
    "nfs": {"nfs": {"server": "s", "path": "/p"}},
}


def volume(source):
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    spec.update(PERSISTENT[source])
    return {"spec": spec}


def template(spec):
    return {"metadata": {"labels": {"app": "a"}}, "spec": spec}


SMALL_POD = {"containers": [{"name": "c", "image": "nginx"}]}

SMALL = {
    **groups.SMALL,
    "ConfigMap": {"data": {"a": "b"}},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    "Namespace": {},
    "Node": {"spec": {"unschedulable": True}},
    "PersistentVolumeClaim": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "c",
        }
    },
    "PersistentVolume": volume("hostPath"),
    "Pod": {"spec": SMALL_POD},
    "PodTemplate": {"template": template(SMALL_POD)},
    "ReplicationController": {"spec": {"selector": {"app": "a"}, "template": template(SMALL_POD)}},
    "ResourceQuota": {"spec": {"hard": {"pods": "10", "requests.cpu": "0.5"}}},
    "Secret": {"stringData": {"a": "b"}},
    "ServiceAccount": {"imagePullSecrets": [{"name": "s"}]},
    "Service": {"spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}},
    "Lease": {"spec": {"holderIdentity": "h", "leaseDurationSeconds": 10,
                       "renewTime": "2024-01-02T03:04:05.123456Z"}},
    "EndpointSlice": {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
        "ports": [{"port": 80}],
    },
    "IPAddress": {
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "x"}}
    },
    "ServiceCIDR": {"spec": {"cidrs": ["10.77.0.0/24"]}},
}

EVENT = {
    "involvedObject": {
        "kind": "Pod", "namespace": "default", "name": "p", "uid": "u", "apiVersion": "v1",
        "resourceVersion": "7", "fieldPath": "spec.containers{c}",
    },
    "reason": "Started",
    "message": "m",
    "type": "Normal",
    "source": {"component": "kubelet", "host": "n"},
    "reportingComponent": "kubelet",
    "reportingInstance": "n",
    "firstTimestamp": "2024-01-02T03:04:05Z",
    "lastTimestamp": "2024-01-02T03:04:06Z",
    "count": 2,
}

NEW_EVENT = {
    "regarding": EVENT["involvedObject"],
    "reason": "Started",
    "action": "Start",
    "type": "Normal",
    "note": "m",
    "reportingController": "kubelet",
    "reportingInstance": "n",
    "eventTime": "2024-01-02T03:04:05.000001Z",
}

NAMES = {**groups.NAMES, "IPAddress": "10.254.77.77", "LimitRange": "limits"}

FULL = {
    **groups.FULL,
    "Pod": [
        {"spec": FULL_POD},
        {"spec": dict(SMALL_POD, hostNetwork=True)},
        {"spec": dict(SMALL_POD, securityContext={
            "runAsUser": 1, "fsGroup": 2, "supplementalGroups": [3],
            "sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]})},
    ],
    "PodTemplate": [{"template": template(FULL_POD)}],
    "ReplicationController": [
        {"spec": {"selector": {"app": "a"},
                  "template": template({k: v for k, v in FULL_POD.items()
                                        if k != "activeDeadlineSeconds"})}}
    ],
    "PersistentVolume": [volume(source) for source in PERSISTENT],
    "Service": [
        {"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30077, "name": "a"},
                                                {"port": 81, "targetPort": "x", "name": "b"}]}},
        {"spec": {"type": "LoadBalancer", "ports": [{"port": 80}],
                  "sessionAffinity": "ClientIP"}},
        {"spec": {"type": "ExternalName", "externalName": "example.com"}},
        {"spec": {"clusterIP": "None", "selector": {"a": "b"}, "ports": [{"port": 80}]}},
    ],
    "LimitRange": [
        {"spec": {"limits": [
            {"type": "Pod", "max": {"cpu": "2", "memory": "1Gi"}, "min": {"cpu": "100m"}},
            {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}}]}}
    ],
    "ConfigMap": [{"binaryData": {"k": "AAEC"}, "data": {"t": "x\ny"},
                   "immutable": True}],
    "Secret": [{"data": {"k": "AAEC"}, "type": "example.com/t"}],
    "Endpoints": [
        {"subsets": [{"notReadyAddresses": [{"ip": "10.1.2.3", "hostname": "h", "nodeName": "n",
                                             "targetRef": {"kind": "Pod", "name": "p"}}],
                      "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81,
                                                            "protocol": "UDP"}]}]}
    ],
    "EndpointSlice": [
        {"addressType": "FQDN", "endpoints": [{"addresses": ["a.example.com"], "zone": "z",
                                               "hints": {"forZones": [{"name": "z"}]}}],
         "ports": [{"name": "a", "port": 80, "appProtocol": "http"}, {"name": "b", "port": 81}]}
    ],
    "Node": [
        {"spec": {"podCIDR": "10.3.0.0/24", "podCIDRs": ["10.3.0.0/24"], "providerID": "p://1",
                  "taints": [{"key": "k", "effect": "NoSchedule"}]},
         "status": {"capacity": {"cpu": "2", "memory": "1Gi"},
                    "nodeInfo": {"machineID": "m", "systemUUID": "s", "bootID": "b",
                                 "kernelVersion": "k", "osImage": "o",
                                 "containerRuntimeVersion": "c", "kubeletVersion": "v",
                                 "kubeProxyVersion": "", "operatingSystem": "linux",
                                 "architecture": "amd64"},
                    "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}
    ],
    "ResourceQuota": [
        {"spec": {"hard": {"pods": "10"}, "scopes": ["BestEffort"]}},
        {"spec": {"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}},
    ],
    "PersistentVolumeClaim": [
        {"spec": {"accessModes": ["ReadWriteMany"], "selector": SELECTOR,
                  "resources": {"requests": {"storage": "1500m"}}, "volumeName": "v",
                  "dataSource": {"kind": "PersistentVolumeClaim", "name": "other"}}}
    ],
}

STATUS = {
    **groups.STATUS,
    "Pod": {"phase": "Running", "podIP": "10.3.0.1", "podIPs": [{"ip": "10.3.0.1"}]},
    "Node": {"phase": "Running"},
    "Namespace": {"phase": "Terminating"},
    "ReplicationController": {"replicas": 3},
    "PersistentVolume": {"phase": "Available"},
    "PersistentVolumeClaim": {"phase": "Bound"},
    "ResourceQuota": {"hard": {"pods": "3"}},
    "Service": {"loadBalancer": {"ingress": [{"ip": "10.0.0.9", "ipMode": "VIP"}]}},
}

# What the server chooses anew each time.
CHOSEN = {"name", "uid", "creationTimestamp", "clusterIP", "clusterIPs", "nodePort",
          "healthCheckNodePort", "lastPhaseTransitionTime",
          "controller-uid", "io/controller-uid"}

# Defaults that no answer shows: an empty map is left out.
NOT_SEEN = {("core.v1.ConfigMap", "data")}


# What the tables of the programs call types that are no messages with fields.
FORMS = {
    "runtime.RawExtension": "raw",
    "meta.v1.FieldsV1": "raw",
    "meta.v1.Verbs": "repeated string",
    "apiextensions.v1.JSON": "any",
    "apiextensions.v1.JSONSchemaPropsOrArray": "any",
    "apiextensions.v1.JSONSchemaPropsOrBool": "any",
    "apiextensions.v1.JSONSchemaPropsOrStringArray": "any",
    "authentication.v1.ExtraValue": "strings",
    "authorization.v1.ExtraValue": "strings",
    "certificates.v1.ExtraValue": "strings",
}

# What is no list of its own: a subresource, an answer, custom resources, and the rule
# for what has no columns.
NO_LISTS = {("autoscaling", "Scale"), ("meta", "Status"), ("*", "(default convertor)"),
            ("*", "(custom resource)")}

# Published, but for resources without a stable version only.
NOT_REACHED = {"meta.v1.GroupResource"}

# Gates that are gone: the one is always on, the other has a new name and is off.
GATES = {"CSIStorageCapacity": True, "PodCertificateProjection": False}


def finish(resource, body):
    body = copy.deepcopy(body)
    metadata = body.setdefault("metadata", {})
    metadata.setdefault("name", NAMES.get(resource.kind, "facts"))
    if resource.kind == "IPAddress":
        metadata.setdefault("labels", {"ipaddress.kubernetes.io/ip-family": "IPv4",
                                       "ipaddress.kubernetes.io/managed-by": "x"})
    body["apiVersion"] = resource.api_version
    body["kind"] = resource.kind
    return body


def small(resource):
    if resource.kind == "Event":
        return EVENT if not resource.group else NEW_EVENT
    return SMALL[resource.kind]


def sample(resource):
    return finish(resource, small(resource))


def all_of(resource):
    bodies = [small(resource)]
    if resource.kind != "Event":
        # Of a kind with several versions there is one for each.
        more = FULL.get(resource.kind, [])
        bodies += [body.get(resource.version, body) for body in more]
    return [finish(resource, body) for body in bodies]
