#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our protobuf against protoc's: what one writes the other must read.
: "${srcdir:=.}" "${builddir:=.}"
tool=$builddir/tests/unit/protobuf_tool
proto=$srcdir/tests/unit/protobuf.proto

if ! command -v protoc >/dev/null; then
	echo "1..0 # SKIP protoc is not installed"
	exit 0
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
number=0

# same NAME: says whether $dir/wanted and $dir/got are equal
same() {
	number=$((number + 1))
	if cmp -s "$dir/wanted" "$dir/got"; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		diff "$dir/wanted" "$dir/got" | sed 's/^/# /'
	fi
}

# encoded MESSAGE: $dir/text as protoc writes it, behind the magic
encoded() {
	printf 'k8s\0'
	protoc -I "$(dirname "$proto")" --deterministic_output --encode="$1" "$proto" <"$dir/text"
}

# reads MESSAGE: $dir/text (protoc's form) becomes $dir/json
reads() {
	encoded "$1" >"$dir/bytes"
	cp "$dir/json" "$dir/wanted"
	"$tool" decode <"$dir/bytes" >"$dir/got" 2>&1
	same "$1 from protoc"
}

# both MESSAGE: and $dir/json becomes the very bytes, also where they say zero
both() {
	reads "$1"
	"$tool" encode <"$dir/json" >"$dir/bytes" 2>"$dir/got"
	encoded "$1" >"$dir/wanted.bytes"
	for which in wanted.bytes bytes; do
		tail -c +5 "$dir/$which" |
			protoc -I "$(dirname "$proto")" --decode="$1" "$proto" >"$dir/$which.text"
	done
	cp "$dir/wanted.bytes.text" "$dir/wanted"
	cat "$dir/bytes.text" >>"$dir/got"
	same "$1 to protoc"
	cmp "$dir/wanted.bytes" "$dir/bytes" >"$dir/got" 2>&1
	: >"$dir/wanted"
	same "$1 to protoc, byte for byte"
}

echo 1..31
cat >"$dir/text" <<'END'
typeMeta { apiVersion: "v1" kind: "Pod" }
raw {
  metadata {
    name: "web" namespace: "default" generation: 7
    creationTimestamp { seconds: 1790000000 nanos: 0 }
    labels { key: "app" value: "web" }
    labels { key: "tier" value: "" }
    finalizers: "a" finalizers: "b"
    managedFields {
      manager: "m" time { seconds: 1790000000 nanos: 0 } fieldsV1 { Raw: "{\"f:spec\":{}}" }
    }
  }
  spec {
    containers {
      name: "c" image: "i" command: "/x" command: "é"
      ports { name: "http" containerPort: 80 protocol: "TCP" }
      ports { containerPort: 443 }
      resources {
        limits { key: "cpu" value { string: "100m" } }
        limits { key: "memory" value { string: "64Mi" } }
      }
      livenessProbe {
        handler { httpGet { path: "/" port { type: 1 intVal: 0 strVal: "http" } } }
        timeoutSeconds: 3
      }
    }
    containers {
      name: "d"
      livenessProbe { handler { httpGet { port { type: 0 intVal: 8080 strVal: "" } } } }
    }
    restartPolicy: "Always" terminationGracePeriodSeconds: -1 hostNetwork: true
  }
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web","namespace":"default",
"generation":7,"creationTimestamp":"2026-09-21T14:13:20Z","labels":{"app":"web","tier":""},
"finalizers":["a","b"],"managedFields":[{"manager":"m","time":"2026-09-21T14:13:20Z",
"fieldsV1":{"f:spec":{}}}]},"spec":{"containers":[{"name":"c","image":"i",
"command":["/x","é"],"ports":[{"name":"http","containerPort":80,"protocol":"TCP"},
{"containerPort":443}],"resources":{"limits":{"cpu":"100m","memory":"64Mi"}},
"livenessProbe":{"httpGet":{"path":"/","port":"http"},"timeoutSeconds":3}},
{"name":"d","resources":{},"livenessProbe":{"httpGet":{"port":8080}}}],"restartPolicy":"Always",
"terminationGracePeriodSeconds":-1,"hostNetwork":true},"status":{}}
END
echo >>"$dir/json"
reads PodEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "v1" kind: "Secret" }
raw {
  metadata {
    name: "s" generateName: "" namespace: "" selfLink: "" uid: "" resourceVersion: ""
    generation: 0 creationTimestamp { }
  }
  data { key: "a" value: "\000\001\377" }
  data { key: "b" value: "" }
  type: "Opaque"
  immutable: false
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s"},"immutable":false,
"data":{"a":"AAH/","b":""},"type":"Opaque"}
END
echo >>"$dir/json"
both SecretEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "v1" kind: "ConfigMap" }
raw {
  metadata {
    name: "m" generateName: "g" namespace: "n" selfLink: "" uid: "u" resourceVersion: "7"
    generation: 3 creationTimestamp { seconds: 1790000000 nanos: 0 }
    deletionTimestamp { seconds: 1790000001 nanos: 0 } deletionGracePeriodSeconds: 0
    labels { key: "A" value: "" } labels { key: "a" value: "1" } labels { key: "a.b" value: "2" }
    annotations { key: "é" value: "\"" }
    ownerReferences {
      kind: "Pod" name: "p" uid: "v" apiVersion: "v1" controller: true
    }
    ownerReferences {
      kind: "Pod" name: "q" uid: "w" apiVersion: "v1" blockOwnerDeletion: false
    }
    finalizers: "f" finalizers: ""
    managedFields {
      manager: "m" operation: "Apply" apiVersion: "v1" time { seconds: 1790000000 nanos: 0 }
      fieldsType: "FieldsV1" fieldsV1 { Raw: "{\"f:data\":{}}" } subresource: ""
    }
  }
  data { key: "k" value: "v" }
  binaryData { key: "b" value: "\377" }
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m","generateName":"g",
"namespace":"n","uid":"u","resourceVersion":"7","generation":3,
"creationTimestamp":"2026-09-21T14:13:20Z","deletionTimestamp":"2026-09-21T14:13:21Z",
"deletionGracePeriodSeconds":0,"labels":{"A":"","a":"1","a.b":"2"},"annotations":{"é":"\""},
"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"v","controller":true},
{"apiVersion":"v1","kind":"Pod","name":"q","uid":"w","blockOwnerDeletion":false}],
"finalizers":["f",""],"managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1",
"time":"2026-09-21T14:13:20Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{}}}]},
"data":{"k":"v"},"binaryData":{"b":"/w=="}}
END
echo >>"$dir/json"
both ConfigMapEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "coordination.k8s.io/v1" kind: "Lease" }
raw {
  metadata {
    name: "l" generateName: "" namespace: "" selfLink: "" uid: "" resourceVersion: ""
    generation: 0 creationTimestamp { }
  }
  spec {
    holderIdentity: "" leaseDurationSeconds: -40
    renewTime { seconds: 1790000000 nanos: 123456000 } leaseTransitions: 0
  }
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"l"},
"spec":{"holderIdentity":"","leaseDurationSeconds":-40,"renewTime":"2026-09-21T14:13:20.123456Z",
"leaseTransitions":0}}
END
echo >>"$dir/json"
both LeaseEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "v1" kind: "ResourceQuota" }
raw {
  metadata {
    name: "q" generateName: "" namespace: "" selfLink: "" uid: "" resourceVersion: ""
    generation: 0 creationTimestamp { }
  }
  spec {
    hard { key: "cpu" value { string: "1500m" } }
    hard { key: "pods" value { string: "0" } }
    scopes: "BestEffort"
  }
  status { used { key: "pods" value { string: "4" } } }
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"ResourceQuota","apiVersion":"v1","metadata":{"name":"q"},"spec":{"hard":
{"cpu":"1500m","pods":"0"},"scopes":["BestEffort"]},"status":{"used":{"pods":"4"}}}
END
echo >>"$dir/json"
both ResourceQuotaEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "certificates.k8s.io/v1" kind: "CertificateSigningRequest" }
raw {
  metadata {
    name: "c" generateName: "" namespace: "" selfLink: "" uid: "" resourceVersion: ""
    generation: 0 creationTimestamp { }
  }
  spec {
    request: "\001\002" username: "u" uid: "" groups: "g" usages: "client auth"
    extra { key: "a" value { items: "x" items: "" } }
    extra { key: "b" value { } }
    signerName: "s" expirationSeconds: 600
  }
  status { }
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"CertificateSigningRequest","apiVersion":"certificates.k8s.io/v1",
"metadata":{"name":"c"},"spec":{"request":"AQI=","signerName":"s","expirationSeconds":600,
"usages":["client auth"],"username":"u","groups":["g"],"extra":{"a":["x",""],"b":[]}},
"status":{}}
END
echo >>"$dir/json"
both CertificateSigningRequestEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "apps/v1" kind: "ControllerRevision" }
raw {
  metadata {
    name: "r" generateName: "" namespace: "" selfLink: "" uid: "" resourceVersion: ""
    generation: 0 creationTimestamp { }
  }
  data { raw: "{\"b\":[1,null],\"a\":\"x\"}" }
  revision: 0
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"ControllerRevision","apiVersion":"apps/v1","metadata":{"name":"r"},
"data":{"b":[1,null],"a":"x"},"revision":0}
END
echo >>"$dir/json"
both ControllerRevisionEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "policy/v1" kind: "PodDisruptionBudget" }
raw {
  metadata {
    name: "b" generateName: "" namespace: "" selfLink: "" uid: "" resourceVersion: ""
    generation: 0 creationTimestamp { }
  }
  spec {
    minAvailable { type: 1 intVal: 0 strVal: "50%" }
    maxUnavailable { type: 0 intVal: -1 strVal: "" }
  }
  status {
    observedGeneration: 0 disruptedPods { key: "p" value { seconds: 1790000000 nanos: 0 } }
    disruptionsAllowed: 0 currentHealthy: 2 desiredHealthy: 0 expectedPods: 0
  }
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"PodDisruptionBudget","apiVersion":"policy/v1","metadata":{"name":"b"},
"spec":{"minAvailable":"50%","maxUnavailable":-1},"status":{"disruptedPods":
{"p":"2026-09-21T14:13:20Z"},"disruptionsAllowed":0,"currentHealthy":2,"desiredHealthy":0,
"expectedPods":0}}
END
echo >>"$dir/json"
both PodDisruptionBudgetEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "apiextensions.k8s.io/v1" kind: "CustomResourceDefinition" }
raw {
  metadata {
    name: "d" generateName: "" namespace: "" selfLink: "" uid: "" resourceVersion: ""
    generation: 0 creationTimestamp { }
  }
  spec {
    group: "g" names { plural: "ds" singular: "" kind: "D" listKind: "" } scope: "Cluster"
    versions {
      name: "v1" served: true storage: false deprecated: false schema {
      openAPIV3Schema { id: "" schema: "" description: "" type: "object" format: ""
      title: "" default { raw: "{\"a\":1}" } maximum: 1.5 exclusiveMaximum: false
      exclusiveMinimum: false maxLength: 9 pattern: "" uniqueItems: false enum { raw:
      "1" } enum { raw: "\"x\"" } required: "a" items { schemas { id: "" schema: ""
      description: "" type: "a" format: "" title: ""  exclusiveMaximum: false
      exclusiveMinimum: false  pattern: "" uniqueItems: false  nullable: false
      embeddedResource: false intOrString: false } schemas { id: "" schema: ""
      description: "" type: "b" format: "" title: ""  exclusiveMaximum: false
      exclusiveMinimum: false  pattern: "" uniqueItems: false  nullable: false
      embeddedResource: false intOrString: false } } properties { key: "p" value { id:
      "" schema: "" description: "" type: "array" format: "" title: ""
      exclusiveMaximum: false exclusiveMinimum: false  pattern: "" uniqueItems: false
      items { schema { id: "" schema: "" description: "" type: "c" format: "" title:
      ""  exclusiveMaximum: false exclusiveMinimum: false  pattern: "" uniqueItems:
      false  nullable: false  embeddedResource: false intOrString: false } } nullable:
      false  embeddedResource: false intOrString: false } } additionalProperties {
      allows: false } dependencies { key: "l" value { property: "x" } } dependencies {
      key: "s" value { schema { id: "" schema: "" description: "" type: "d" format: ""
      title: ""  exclusiveMaximum: false exclusiveMinimum: false  pattern: ""
      uniqueItems: false  nullable: false  embeddedResource: false intOrString: false
      } } } additionalItems { allows: true schema { id: "" schema: "" description: ""
      type: "e" format: "" title: ""  exclusiveMaximum: false exclusiveMinimum: false
      pattern: "" uniqueItems: false  nullable: false  embeddedResource: false
      intOrString: false } } nullable: false preserveUnknownFields: true
      embeddedResource: false intOrString: false }
      }
    }
    preserveUnknownFields: false
  }
  status {
    acceptedNames { plural: "" singular: "" kind: "" listKind: "" } observedGeneration: 0
  }
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1",
"metadata":{"name":"d"},"spec":{"group":"g","names":{"plural":"ds","kind":"D"},"scope":"Cluster",
"versions":[{"name":"v1","served":true,"storage":false,"schema":{"openAPIV3Schema":{
"type":"object","default":{"a":1},"maximum":1.5,"maxLength":9,"enum":[1,"x"],"required":["a"],
"items":[{"type":"a"},{"type":"b"}],"properties":{"p":{"type":"array","items":{"type":"c"}}},
"additionalProperties":false,"dependencies":{"l":["x"],"s":{"type":"d"}},
"additionalItems":{"type":"e"},"x-kubernetes-preserve-unknown-fields":true}}}]},
"status":{"conditions":null,"acceptedNames":{"plural":"","kind":""},"storedVersions":null}}
END
echo >>"$dir/json"
both CustomResourceDefinitionEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "v1" kind: "Status" }
raw {
  metadata { selfLink: "" resourceVersion: "" continue: "" }
  status: "Failure" message: "m" reason: "Invalid"
  details {
    name: "n" group: "" kind: "K" causes { reason: "R" message: "c" field: "f" }
    causes { reason: "" message: "" field: "g" } retryAfterSeconds: 0 uid: ""
  }
  code: 422
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"m",
"reason":"Invalid","details":{"name":"n","kind":"K","causes":[{"reason":"R","message":"c",
"field":"f"},{"field":"g"}]},"code":422}
END
echo >>"$dir/json"
both StatusEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "v1" kind: "APIResourceList" }
raw {
  groupVersion: "v1"
  resources {
    name: "pods" namespaced: true kind: "Pod" verbs { items: "get" items: "list" }
    shortNames: "po" singularName: "pod" categories: "all" group: "" version: ""
    storageVersionHash: "h"
  }
  resources {
    name: "nodes" namespaced: false kind: "Node" verbs { } singularName: "" group: ""
    version: "" storageVersionHash: ""
  }
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"v1","resources":[
{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get","list"],
"shortNames":["po"],"categories":["all"],"storageVersionHash":"h"},
{"name":"nodes","singularName":"","namespaced":false,"kind":"Node","verbs":[]}]}
END
echo >>"$dir/json"
both APIResourceListEnvelope
