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

# check MESSAGE: $dir/text (protoc's form) and $dir/json are the same object
check() {
	{
		printf 'k8s\0'
		protoc -I "$(dirname "$proto")" --encode="$1" "$proto" <"$dir/text"
	} >"$dir/bytes"
	cp "$dir/json" "$dir/wanted"
	"$tool" decode <"$dir/bytes" >"$dir/got" 2>&1
	same "$1 from protoc"
	"$tool" encode <"$dir/json" 2>&1 | tail -c +5 |
		protoc -I "$(dirname "$proto")" --decode="$1" "$proto" >"$dir/got" 2>&1
	protoc -I "$(dirname "$proto")" --encode="$1" "$proto" <"$dir/text" |
		protoc -I "$(dirname "$proto")" --decode="$1" "$proto" >"$dir/wanted"
	same "$1 to protoc"
}

echo 1..4
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
{"name":"d","livenessProbe":{"httpGet":{"port":8080}}}],"restartPolicy":"Always",
"terminationGracePeriodSeconds":-1,"hostNetwork":true}}
END
echo >>"$dir/json"
check PodEnvelope

cat >"$dir/text" <<'END'
typeMeta { apiVersion: "v1" kind: "Secret" }
raw {
  metadata { name: "s" }
  data { key: "a" value: "\000\001\377" }
  data { key: "b" value: "" }
  type: "Opaque"
  immutable: false
}
contentEncoding: "" contentType: ""
END
tr -d '\n' >"$dir/json" <<'END'
{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s"},"data":{"a":"AAH/","b":""},
"type":"Opaque","immutable":false}
END
echo >>"$dir/json"
check SecretEnvelope
