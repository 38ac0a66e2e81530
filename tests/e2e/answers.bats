#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The forms of answers: protobuf as protoc reads it, with a schema written by
# hand (tests/unit/protobuf.proto), YAML, gzip, what is refused, and warnings.
source "$srcdir/tests/lib/functions.bash"

maps=/api/v1/namespaces/default/configmaps
protobuf='application/vnd.kubernetes.protobuf'
partial='as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
many=/api/v1/namespaces/many/configmaps

setup_file() {
	requires protoc jq python3
	make_dir
	echo secret,tester,1,system:masters >"$dir/tokens"
	start_apiserver --token-auth-file="$dir/tokens"
	api POST $maps -d '{"metadata":{"name":"one","labels":{"b":"2","a":"1"},"finalizers":["example.com/f"]},"data":{"k":"é","n":"5"},"binaryData":{"z":"AAH/"},"immutable":false}'
	expect 201
	api POST /api/v1/namespaces -d '{"metadata":{"name":"many"}}'
	expect 201
	# 300 objects of about 1 KB: more than an answer that is made whole.
	local filler i
	filler=$(printf '%0800d' 0)
	for ((i = 0; i < 300; i++)); do
		printf -- '--next\nurl = "%s%s"\nheader = "Content-Type: application/json"\ndata = "{\\"metadata\\":{\\"name\\":\\"m%03d\\",\\"labels\\":{\\"odd\\":\\"%d\\"}},\\"data\\":{\\"filler\\":\\"%s\\"}}"\nfail\nsilent\noutput = /dev/null\n' \
			"$server" "$many" "$i" $((i % 2)) "$filler"
	done | sed 1d >"$dir/curl"
	curl -sf -K "$dir/curl"
}

setup() {
	watcher=
}

teardown() {
	show_logs
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null || :
}

# decode MESSAGE: the last body, behind its magic, as protoc's text
decode() {
	same 6b387300 "$(head -c 4 "$dir/body" | od -An -tx1 | tr -d ' ')"
	tail -c +5 "$dir/body" | protoc -I "$srcdir/tests/unit" --decode="$1" protobuf.proto
}

# names: of the objects in what decode printed
names() {
	sed -n 's/^    metadata {$/&/p; s/^      name: "\(.*\)"$/\1/p' | grep -v metadata
}

@test "an object in protobuf is what it is in JSON" {
	api GET $maps/one
	local json=$body text
	api GET $maps/one -H "Accept: $protobuf"
	expect 200
	same $protobuf "$(header Content-Type)"
	text=$(decode ConfigMapEnvelope)
	has 'apiVersion: "v1"
  kind: "ConfigMap"' "$text"
	has "uid: \"$(jq -r .metadata.uid <<<"$json")\"" "$text"
	has "resourceVersion: \"$(jq -r .metadata.resourceVersion <<<"$json")\"" "$text"
	has "seconds: $(date -d "$(jq -r .metadata.creationTimestamp <<<"$json")" +%s)" "$text"
	has 'finalizers: "example.com/f"' "$text"
	# keys in order, and what is empty all the same
	has 'labels {
      key: "a"
      value: "1"
    }
    labels {
      key: "b"
      value: "2"
    }' "$text"
	has 'generateName: ""' "$text"
	has 'value: "\000\001\377"' "$text"
	has 'immutable: false' "$text"
	[[ ! $text =~ [[:space:]][0-9]+:\  ]] # a field that the schema does not know
	# The second time it comes from the cache of forms, and is the same.
	cp "$dir/body" "$dir/first"
	api GET $maps/one -H "Accept: $protobuf"
	cmp "$dir/first" "$dir/body"
}

@test "what is sent in protobuf and comes back in it is the same bytes" {
	{
		printf 'k8s\0'
		protoc -I "$srcdir/tests/unit" --encode=ConfigMapEnvelope protobuf.proto <<'END'
typeMeta { apiVersion: "v1" kind: "ConfigMap" }
raw { metadata { name: "sent" } data { key: "a" value: "" } binaryData { key: "b" value: "\001" } }
END
	} >"$dir/sent"
	api POST $maps -H "Content-Type: $protobuf" -H "Accept: $protobuf" --data-binary @"$dir/sent"
	expect 201
	has 'name: "sent"' "$(decode ConfigMapEnvelope)"
	cp "$dir/body" "$dir/sent"
	api PUT $maps/sent -H "Content-Type: $protobuf" -H "Accept: $protobuf" --data-binary @"$dir/sent"
	expect 200
	has 'key: "b"
    value: "\001"' "$(decode ConfigMapEnvelope)"
	api PATCH $maps/sent -H 'Content-Type: application/merge-patch+json' -H "Accept: $protobuf" -d '{"data":{"a":null,"c":"d"}}'
	expect 200
	has 'key: "c"' "$(decode ConfigMapEnvelope)"
	lacks 'key: "a"' "$(decode ConfigMapEnvelope)"
	# Options are of the version of the group that is asked.
	api POST $maps -d "$(config_map kept 1)"
	printf 'k8s\0\n\x13\n\2v1\x12\rDeleteOptions\x12\2"\0' >"$dir/options"
	api DELETE $maps/kept -H "Content-Type: $protobuf" -H "Accept: $protobuf" --data-binary @"$dir/options"
	expect 200
	has 'status: "Success"' "$(decode StatusEnvelope)"
	api DELETE $maps/sent -H "Accept: $protobuf"
	expect 200
	has 'status: "Success"' "$(decode StatusEnvelope)"
}

@test "lists in protobuf: none, some, pages, and a long one that is streamed" {
	api GET "$maps?labelSelector=none" -H "Accept: $protobuf"
	expect 200
	same "$(wc -c <"$dir/body")" "$(header Content-Length)"
	lacks items "$(decode ConfigMapListEnvelope)"
	has 'resourceVersion: "' "$(decode ConfigMapListEnvelope)"
	api GET "$many" -H "Accept: $protobuf"
	expect 200
	same chunked "$(header Transfer-Encoding)"
	same "$(seq -f 'm%03g' 0 299)" "$(decode ConfigMapListEnvelope | names)"
	api GET "$many?labelSelector=odd%3D1" -H "Accept: $protobuf"
	same 150 "$(decode ConfigMapListEnvelope | names | wc -l)"
	api GET "$many?limit=7" -H "Accept: $protobuf"
	same "$(seq -f 'm%03g' 0 6)" "$(decode ConfigMapListEnvelope | names)"
	has 'remainingItemCount: 293' "$(decode ConfigMapListEnvelope)"
	local token
	token=$(decode ConfigMapListEnvelope | sed -n 's/^ *continue: "\(.*\)"$/\1/p')
	api GET "$many?limit=290&continue=$token" -H "Accept: $protobuf"
	same "$(seq -f 'm%03g' 7 296)" "$(decode ConfigMapListEnvelope | names)"
}

@test "every form of a long list tells the same objects" {
	local accept
	api GET $many
	expect 200
	same chunked "$(header Transfer-Encoding)"
	same "$(seq -f 'm%03g' 0 299)" "$(query '.items[].metadata.name')"
	for accept in "application/json;as=Table;g=meta.k8s.io;v=v1" \
		"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" \
		"application/json;pretty=1"; do
		api GET $many -H "Accept: $accept"
		expect 200
		same "$(seq -f 'm%03g' 0 299)" \
			"$(query '.items // .rows | .[] | (.metadata // .object.metadata).name')"
	done
	api GET $many -H "Accept: $protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	same "$(seq -f 'm%03g' 0 299)" "$(decode ConfigMapListEnvelope | names)"
	has 'kind: "PartialObjectMetadataList"' "$(decode ConfigMapListEnvelope)"
	api GET $many -H "Accept: application/yaml"
	same "$(seq -f 'm%03g' 0 299)" "$(sed -n 's/^    name: //p' "$dir/body")"
}

@test "a short list says its length, a long one is streamed" {
	api GET "$many?limit=3"
	same "$(wc -c <"$dir/body")" "$(header Content-Length)"
	same 3 "$(query '.items | length')"
	api GET "$many?labelSelector=odd%3D0&limit=500"
	same chunked "$(header Transfer-Encoding)"
	same 150 "$(query '.items | length')"
}

@test "metadata alone in protobuf" {
	api GET $maps/one -H "Accept: $protobuf;$partial"
	expect 200
	same "$protobuf;g=meta.k8s.io;v=v1;as=PartialObjectMetadata" "$(header Content-Type)"
	has 'apiVersion: "meta.k8s.io/v1"
  kind: "PartialObjectMetadata"' "$(decode PartialObjectMetadataEnvelope)"
	has 'name: "one"' "$(decode PartialObjectMetadataEnvelope)"
	api GET $maps/one -H "Accept: $protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1beta1"
	has 'apiVersion: "meta.k8s.io/v1beta1"' "$(decode PartialObjectMetadataEnvelope)"
}

# Frames, into $dir/frames; their number has to become $1
frames() {
	[ "$(python3 "$srcdir/tests/lib/frames.py" "$watched" "$dir/frames")" -ge "$1" ]
}

# event N: its type, and its object into $dir/body
event() {
	local text
	text=$(protoc -I "$srcdir/tests/unit" --decode=WatchEvent protobuf.proto <"$dir/frames/$1")
	sed -n 's/^type: "\(.*\)"$/\1/p' <<<"$text"
	python3 - "$dir/frames/$1" >"$dir/body" <<'END'
import sys
data = open(sys.argv[1], "rb").read()
sys.stdout.buffer.write(data[data.index(b"k8s\0"):])
END
}

watch() {
	local path=$1
	shift
	watched=$dir/watched
	rm -rf "$watched" "$dir/frames"
	mkdir "$dir/frames"
	curl -sN -D "$watched.headers" -o "$watched" "$@" "$server$path" 3>&- &
	watcher=$!
	retry 10 test -s "$watched.headers"
}

@test "a watch in protobuf: frames with a length, and an object in its envelope" {
	watch "$maps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dframed" \
		-H "Accept: $protobuf;stream=watch"
	retry 10 frames 1
	has "$protobuf;stream=watch" "$(cat "$watched.headers")"
	same BOOKMARK "$(event 0)"
	has 'key: "k8s.io/initial-events-end"' "$(decode ConfigMapEnvelope)"
	api POST $maps -d "$(config_map framed 1)"
	api PATCH $maps/framed -H 'Content-Type: application/merge-patch+json' -d '{"data":{"key":"2"}}'
	api DELETE $maps/framed
	retry 10 frames 4
	same ADDED "$(event 1)"
	has 'value: "1"' "$(decode ConfigMapEnvelope)"
	same MODIFIED "$(event 2)"
	has 'value: "2"' "$(decode ConfigMapEnvelope)"
	same DELETED "$(event 3)"
	has 'name: "framed"' "$(decode ConfigMapEnvelope)"
}

@test "a watch of metadata in protobuf, as metadata informers ask for it" {
	watch "$maps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name%3Done" \
		-H "Accept: $protobuf;$partial,application/json;$partial,application/json"
	retry 10 frames 2
	same ADDED "$(event 0)"
	has 'kind: "PartialObjectMetadata"' "$(decode PartialObjectMetadataEnvelope)"
	has 'name: "one"' "$(decode PartialObjectMetadataEnvelope)"
	same BOOKMARK "$(event 1)"
	has 'key: "k8s.io/initial-events-end"' "$(decode PartialObjectMetadataEnvelope)"
}

@test "a watch from too long ago ends with a Status in protobuf" {
	watch "$maps?watch=true&resourceVersion=1" -H "Accept: $protobuf"
	retry 10 frames 1
	same ERROR "$(event 0)"
	has 'reason: "Expired"' "$(decode StatusEnvelope)"
	has 'code: 410' "$(decode StatusEnvelope)"
}

@test "errors come in the form that is accepted" {
	api GET $maps/none -H "Accept: $protobuf"
	expect 404
	has 'reason: "NotFound"' "$(decode StatusEnvelope)"
	has 'kind: "configmaps"' "$(decode StatusEnvelope)"
	api GET $maps/none -H "Accept: application/yaml"
	expect 404
	same application/yaml "$(header Content-Type)"
	has 'reason: NotFound' "$body"
	api POST $maps -H "Accept: $protobuf" -d '{"metadata":{"name":"A_B"}}'
	expect 422
	has 'field: "metadata.name"' "$(decode StatusEnvelope)"
	api GET "$maps?limit=x" -H "Accept: $protobuf;stream=watch"
	expect 400
	has 'reason: "BadRequest"' "$(decode StatusEnvelope)"
	base=$secure api GET $maps -k -H "Accept: $protobuf"
	expect 401
	has 'reason: "Unauthorized"' "$(decode StatusEnvelope)"
	# Whoever takes nothing that there is gets JSON.
	api GET $maps/none -H 'Accept: image/png'
	expect 406 NotAcceptable
	same application/json "$(header Content-Type)"
}

@test "a Table is JSON or YAML, never protobuf" {
	local table='as=Table;g=meta.k8s.io;v=v1'
	api GET $maps -H "Accept: $protobuf;$table,application/json;$table"
	expect 200
	same Table "$(query .kind)"
	api GET $maps -H "Accept: $protobuf;$table"
	expect 406 NotAcceptable
	message 'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf'
	api GET $maps/one -H "Accept: application/yaml;$table"
	expect 200
	has 'kind: Table' "$body"
	has '- one' "$body"
	api GET $maps -H "Accept: application/yaml;$table"
	has 'columnDefinitions:' "$body"
	has 'rows:
- cells:
  - ' "$body"
}

@test "YAML: an object, lists, and what could be taken for something else" {
	api POST $maps -H 'Content-Type: application/yaml' -H 'Accept: application/yaml' --data-binary '
metadata: {name: quoted, labels: {yes: "no"}}
data: {on: "off", number: "5", date: "2026-01-02", time: "1:30", lines: "a\nb\n", "null": "~", blank: ""}'
	expect 201
	same application/yaml "$(header Content-Type)"
	has 'data:
  blank: ""
  date: "2026-01-02"
  lines: |
    a
    b
  "null": "~"
  number: "5"
  "on": "off"
  time: "1:30"
kind: ConfigMap' "$body"
	# What came out goes in again.
	cp "$dir/body" "$dir/quoted.yaml"
	api PUT $maps/quoted -H 'Content-Type: application/yaml' --data-binary @"$dir/quoted.yaml"
	expect 200
	same '{"blank":"","date":"2026-01-02","lines":"a\nb\n","null":"~","number":"5","on":"off","time":"1:30"}' \
		"$(query '.data | tojson')"
	api GET "$maps?labelSelector=none" -H 'Accept: application/yaml'
	has 'apiVersion: v1
items: []
kind: ConfigMapList
metadata:
  resourceVersion: ' "$body"
	api GET "$maps?fieldSelector=metadata.name%3Dquoted" -H 'Accept: application/yaml'
	has 'items:
- apiVersion: v1
  data:
    blank: ""' "$body"
}

@test "YAML bodies: several documents, aliases without end and tabs are refused" {
	api POST $maps -H 'Content-Type: application/yaml' --data-binary $'metadata: {name: a}\n---\nmetadata: {name: b}\n'
	expect 400 BadRequest
	{
		echo 'a: &a [x,x,x,x,x,x,x,x,x,x]'
		local i
		for i in b c d e f g h; do
			printf '%s: &%s [' "$i" "$i"
			printf "*$(printf '%b' "\\x$(printf %x $(($(printf %d "'$i") - 1)))")%.0s," {1..9}
			echo ']'
		done
	} >"$dir/laughs.yaml"
	api POST $maps -H 'Content-Type: application/yaml' --data-binary @"$dir/laughs.yaml"
	expect 400 BadRequest
	has "values" "$(query .message)"
	api POST $maps -H 'Content-Type: application/yaml' --data-binary $'metadata:\n\tname: a\n'
	expect 400 BadRequest
}

@test "a watch has no YAML" {
	api GET "$maps?watch=true&timeoutSeconds=1" -H 'Accept: application/yaml'
	expect 406
	has 'only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch' "$body"
}

@test "CBOR is neither taken nor given" {
	api GET $maps -H 'Accept: application/cbor'
	expect 406 NotAcceptable
	printf '\xd9\xd9\xf7\xa0' >"$dir/cbor"
	api POST $maps -H 'Content-Type: application/cbor' --data-binary @"$dir/cbor"
	expect 415 UnsupportedMediaType
	base=$secure api POST $maps -k -H 'Authorization: Bearer secret' \
		-H 'Content-Type: application/cbor' --data-binary @"$dir/cbor"
	expect 415 UnsupportedMediaType
	message 'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf'
	api PATCH $maps/one -H 'Content-Type: application/apply-patch+cbor' --data-binary @"$dir/cbor"
	expect 415 UnsupportedMediaType
}

@test "subresources and reviews in protobuf" {
	api POST /api/v1/namespaces/default/replicationcontrollers -d '{"metadata":{"name":"rc"},"spec":{"replicas":2,"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}'
	expect 201
	api GET /api/v1/namespaces/default/replicationcontrollers/rc/scale -H "Accept: $protobuf"
	expect 200
	has 'apiVersion: "autoscaling/v1"
  kind: "Scale"' "$(decode Unknown)"
	cp "$dir/body" "$dir/scale"
	api PUT /api/v1/namespaces/default/replicationcontrollers/rc/scale -H "Content-Type: $protobuf" -H "Accept: application/yaml" --data-binary @"$dir/scale"
	expect 200
	has 'replicas: 2' "$body"
	api POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews -H "Accept: $protobuf" \
		-d '{"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}}'
	expect 201
	has 'kind: "SelfSubjectAccessReview"' "$(decode Unknown)"
	api POST /api/v1/namespaces/default/pods -d "$(pod bound)"
	api POST /api/v1/namespaces/default/pods/bound/binding -H "Accept: $protobuf" -d '{"target":{"kind":"Node","name":"n"}}'
	expect 201
	has 'status: "Success"' "$(decode StatusEnvelope)"
	api POST /api/v1/namespaces/default/pods/bound/eviction -H "Accept: $protobuf" -d '{"metadata":{"name":"bound"}}'
	expect 201
	has 'code: 201' "$(decode StatusEnvelope)"
	api DELETE "$many?labelSelector=none" -H "Accept: $protobuf"
	expect 200
	has 'kind: "ConfigMapList"' "$(decode ConfigMapListEnvelope)"
}

@test "discovery in protobuf and YAML" {
	api GET /api/v1 -H "Accept: $protobuf"
	expect 200
	has 'name: "configmaps"
    namespaced: true
    kind: "ConfigMap"
    verbs {
      items: "create"' "$(decode APIResourceListEnvelope)"
	api GET /apis -H "Accept: application/yaml"
	expect 200
	has 'kind: APIGroupList' "$body"
	api GET /apis -H "Accept: $protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	expect 200
	has 'as=APIGroupDiscoveryList' "$(header Content-Type)"
	has 'apiVersion: "apidiscovery.k8s.io/v2"' "$(decode Unknown)"
	[ -n "$(header Etag)" ]
	api GET /apis -H "Accept: $protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" -H "If-None-Match: $(header Etag)"
	expect 304
	api GET /api -H "Accept: $protobuf"
	has 'kind: "APIVersions"' "$(decode Unknown)"
}

@test "pretty is for people: indented all through, in lists too" {
	api GET "$maps/one?pretty=true"
	has '{
  "kind": "ConfigMap",
  "apiVersion": "v1",
  "metadata": {
    "name": "one",' "$body"
	api GET "$maps?pretty=1&fieldSelector=metadata.name%3Done"
	has '"items": [
    {
      "kind": "ConfigMap",' "$body"
	same "$(jq . "$dir/body")" "$body"
	api GET "$maps/none?pretty=true"
	has '"reason": "NotFound"' "$body"
	api GET "$maps/one?pretty=false" -H 'Accept: application/json;pretty=1'
	lacks $'\n' "$body"
}

@test "people's programs get it indented unless they say otherwise" {
	local agent
	for agent in curl/8.5.0 Wget/1.21.3 'Mozilla/5.0 (X11; Linux x86_64)'; do
		api GET "$maps/one" -A "$agent"
		has $'{\n  "kind": "ConfigMap",' "$body"
		api GET "$maps/none" -A "$agent"
		has $'{\n  "kind": "Status",' "$body"
		api GET "$maps/one?pretty=false" -A "$agent"
		lacks $'\n' "$body"
	done
	api GET "$maps/one" -A 'kubectl/v1.36.0 (linux/amd64)'
	lacks $'\n' "$body"
	api GET "$maps/one" -H 'User-Agent:'
	lacks $'\n' "$body"
	api GET "$maps/one" -A curl/8.5.0 -H 'Accept: application/json;q=0, */*'
	same application/yaml "$(header Content-Type)"
	api GET "$maps/one" -H 'Accept: application/json;q=0'
	expect 406
}

@test "a compressed body is refused by its name" {
	printf '{"metadata":{"name":"packed"}}' | gzip >"$dir/packed"
	api POST $maps -H 'Content-Encoding: gzip' --data-binary @"$dir/packed"
	expect 400 BadRequest
	has 'Content-Encoding: gzip' "$(query .message)"
}

# warnings: of the last answer, one a line
warnings() {
	sed -n 's/^Warning: 299 - //Ip' "$dir/headers"
}

@test "what is old is said with every request, also with errors and watches" {
	local old='"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
	api GET /api/v1/namespaces/default/endpoints
	expect 200
	same "$old" "$(warnings)"
	api GET /api/v1/namespaces/default/endpoints/none
	expect 404
	same "$old" "$(warnings)"
	api GET "/api/v1/endpoints?watch=true&timeoutSeconds=1"
	same "$old" "$(warnings)"
	api GET /api/v1/componentstatuses
	same '"v1 ComponentStatus is deprecated in v1.19+"' "$(warnings)"
	api GET $maps
	same "" "$(warnings)"
}

@test "warnings are quoted, told once, and bounded" {
	api POST "$maps?fieldValidation=Warn&dryRun=All" -d '{"metadata":{"name":"w"},"a\"\\b\né":1,"data":{"k":"1","k":"2"}}'
	expect 201
	has '\"' "$(warnings)"
	has 'duplicate field \"data.k\"' "$(warnings)"
	same 2 "$(warnings | wc -l)"
	has 'é' "$(warnings)"
	# Both a field and the same again in a list: each is a warning of its own.
	api POST "/api/v1/namespaces/default/pods?fieldValidation=Warn&dryRun=All" \
		-d '{"metadata":{"name":"w"},"spec":{"containers":[{"name":"c","image":"i","imagee":1},{"name":"d","image":"i","imagee":1}]}}'
	expect 201
	same 2 "$(warnings | grep -c imagee)"
	# Hundreds of unknown fields with long names
	python3 -c 'import json
print(json.dumps({"metadata":{"name":"w"}, **{"f%03d" % n + "é" * 600: 1 for n in range(300)}}))' >"$dir/long.json"
	api POST "$maps?fieldValidation=Warn&dryRun=All" --data-binary @"$dir/long.json"
	expect 201
	[ "$(warnings | wc -l)" -gt 4 ]
	[ "$(warnings | wc -c)" -lt 8000 ]
	warnings | iconv -f UTF-8 -t UTF-8 >/dev/null
}

# Nothing is compressed for this host, so the client has to be another one: a
# server and a client in a network of their own, at an address that is not loopback.
@test "gzip: long answers in every form, for clients that want it, and no watches" {
	requires ip gzip
	namespace=cox-${dir##*.}
	local far=http://10.99.0.1:8080 accept plain
	ip netns add "$namespace"
	ip -n "$namespace" link set lo up
	ip -n "$namespace" address add 10.99.0.1/32 dev lo
	start_daemon far ip netns exec "$namespace" "$program" kube-apiserver --plugin-dir="$plugins" \
		--storage-backend=memory --service-cluster-ip-range=10.254.0.0/16 \
		--insecure-bind-address=10.99.0.1 --insecure-port=8080 --secure-port=6443 \
		--cert-dir="$dir/far-certs" --data-dir="$dir/far-data" --admission-control=
	retry 20 ip netns exec "$namespace" curl -sf -o /dev/null "$far/readyz"
	sed "s|$server|$far|; s|/namespaces/many/|/namespaces/default/|" "$dir/curl" >"$dir/far.curl"
	ip netns exec "$namespace" curl -sf -K "$dir/far.curl"
	base=$far
	for accept in application/json "$protobuf" application/yaml; do
		far_api GET $maps -H "Accept: $accept"
		same "" "$(header Content-Encoding)"
		plain=$(sha256sum <"$dir/body")
		far_api GET $maps -H "Accept: $accept" -H 'Accept-Encoding: gzip'
		same gzip "$(header Content-Encoding)"
		same Accept-Encoding "$(header Vary)"
		[ "$(wc -c <"$dir/body")" -lt 100000 ]
		same "$plain" "$(gzip -dc "$dir/body" | sha256sum)"
	done
	far_api GET $maps -H 'Accept-Encoding: gzip;q=0, identity'
	same "" "$(header Content-Encoding)"
	far_api GET "$maps?limit=20" -H 'Accept-Encoding: gzip'
	same "" "$(header Content-Encoding)"
	same 20 "$(query '.items | length')"
	# In another form, too, it is the length of the answer that counts.
	far_api GET "$maps?limit=20" -H "Accept: $protobuf" -H 'Accept-Encoding: gzip'
	same "" "$(header Content-Encoding)"
	far_api GET "$maps?watch=true&timeoutSeconds=1" -H 'Accept-Encoding: gzip'
	same "" "$(header Content-Encoding)"
	same 300 "$(grep -c '"type":"ADDED"' "$dir/body")"
	stop_daemon far
}

# Like api, in the network of the server that is far.
far_api() {
	# shellcheck disable=SC2317 # api calls it
	curl() {
		command ip netns exec "$namespace" curl "$@"
	}
	api "$@"
	unset -f curl
}

teardown_file() {
	local status=0
	clean_up || status=1
	[ ! -e "/run/netns/cox-${dir##*.}" ] || ip netns delete "cox-${dir##*.}" || status=1
	return "$status"
}

# What kubectl explain shows.
@test "every kind and every field of its first level is described" {
	api GET /openapi/v2
	expect 200
	jq '[.definitions | to_entries[] | select(.value["x-kubernetes-group-version-kind"] != null and
		(.value.properties.metadata["$ref"] // "" | endswith(".ObjectMeta")))]' "$dir/body" >"$dir/kinds"
	[ "$(jq length "$dir/kinds")" -ge 60 ]
	same "" "$(jq -r '.[] | .key as $kind | select((.value.description // "") == "") | $kind' "$dir/kinds")"
	same "" "$(jq -r '.[] | .key as $kind | .value.properties | to_entries[] |
		select((.value.description // "") == "") | "\($kind) \(.key)"' "$dir/kinds")"
}

@test "a scale as a table and as metadata alone" {
	local scale=/api/v1/namespaces/default/replicationcontrollers/sized/scale
	local table='application/json;as=Table;g=meta.k8s.io;v=v1'
	api POST /api/v1/namespaces/default/replicationcontrollers -d '{"metadata":{"name":"sized"},"spec":{"replicas":3,
		"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}'
	expect 201
	api GET $scale -H "Accept: $table"
	expect 200
	same "application/json;g=meta.k8s.io;v=v1;as=Table" "$(header Content-Type)"
	same "Table Name,Desired,Available,Age sized,3,0 PartialObjectMetadata sized" \
		"$(query '"\(.kind) \([.columnDefinitions[].name] | join(",")) \(.rows[0].cells[:3] | map(tostring) | join(",")) \(.rows[0].object | "\(.kind) \(.metadata.name)")"')"
	same '[["","string"],["","integer"],["","integer"],["","string"]]' \
		"$(query '[.columnDefinitions[] | [.format, .type]] | tostring')"
	[[ $(query '.rows[0].cells[3]') =~ ^[0-9]+s$ ]]
	api GET "$scale?includeObject=Object" -H "Accept: $table"
	same "Scale 3" "$(query '.rows[0].object | "\(.kind) \(.spec.replicas)"')"
	api GET "$scale?includeObject=None" -H "Accept: $table"
	same null "$(query '.rows[0].object')"
	api GET "$scale?includeObject=Some" -H "Accept: $table"
	expect 400 BadRequest
	api GET $scale -H "Accept: application/json;$partial"
	same "PartialObjectMetadata sized null" "$(query '"\(.kind) \(.metadata.name) \(.spec)"')"
	api GET $scale
	same "Scale 3 a=b" "$(query '"\(.kind) \(.spec.replicas) \(.status.selector)"')"
	api GET ${scale%sized/scale}nobody/scale -H "Accept: $table"
	expect 404 NotFound
}
