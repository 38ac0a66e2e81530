#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What clients send and what they must get, byte by byte, by curl: how forms
# are negotiated, how discovery, lists, watches and errors look on the wire.
source "$srcdir/tests/lib/functions.bash"

setup_file() {
	make_dir
	start_apiserver
	api POST /api/v1/namespaces/default/pods -d "$(pod seen '{"app":"a"}')"
	expect 201
}

table='application/json;as=Table;v=v1;g=meta.k8s.io'
partial='application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
pods=/api/v1/namespaces/default/pods

# The protobuf envelope of TYPE META around what follows on standard input.
# $1: bytes of TypeMeta, as printf writes them
envelope() {
	local object meta=$1
	object=$(cat | base64 -w0)
	printf 'k8s\0'
	# field 1: TypeMeta, field 2: the object
	printf '\x0a'"$(printf '\\x%02x' "$(printf '%b' "$meta" | wc -c)")"
	printf '%b' "$meta"
	printf '\x12'"$(printf '\\x%02x' "$(base64 -d <<<"$object" | wc -c)")"
	base64 -d <<<"$object"
}

# rows: 6
@test "an object is created, read, changed and deleted with nothing but curl" {
	local maps=/api/v1/namespaces/default/configmaps version
	api POST $maps -d "$(config_map plain one)"
	expect 201
	same "ConfigMap v1 plain default one" \
		"$(query '"\(.kind) \(.apiVersion) \(.metadata.name) \(.metadata.namespace) \(.data.key)"')"
	version=$(query .metadata.resourceVersion)
	api GET $maps/plain
	expect 200
	same "$version" "$(query .metadata.resourceVersion)"
	api PUT $maps/plain -d "$(config_map plain two)"
	expect 200
	same two "$(query .data.key)"
	[ "$(query .metadata.resourceVersion)" -gt "$version" ]
	api PUT $maps/plain -d "$(config_map plain three | jq -c ".metadata.resourceVersion=\"$version\"")"
	expect 409 Conflict
	message 'Operation cannot be fulfilled on configmaps "plain": the object has been modified; please apply your changes to the latest version and try again'
	api DELETE $maps/plain
	expect 200
	same "Status Success plain configmaps" \
		"$(query '"\(.kind) \(.status) \(.details.name) \(.details.kind)"')"
	api GET $maps/plain
	expect 404 NotFound
	message 'configmaps "plain" not found'
}

@test "an update that changes nothing writes nothing" {
	local maps=/api/v1/namespaces/default/configmaps version
	api POST $maps -d "$(config_map same one)"
	expect 201
	version=$(query .metadata.resourceVersion)
	api PUT $maps/same -d "$(config_map same one)"
	expect 200
	same "$version" "$(query .metadata.resourceVersion)"
	api PATCH $maps/same -H 'Content-Type: application/merge-patch+json' -d '{"data":{"key":"one"}}'
	expect 200
	same "$version" "$(query .metadata.resourceVersion)"
}

@test "every answer has an Audit-Id, is not cached and says its type" {
	api GET $pods/seen
	expect 200
	[[ $(header Audit-Id) =~ ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
	same "no-cache, private" "$(header Cache-Control)"
	same "application/json" "$(header Content-Type)"
	api GET $pods/none
	expect 404
	[ -n "$(header Audit-Id)" ]
	same "application/json" "$(header Content-Type)"
	api GET $pods/seen -H 'Audit-ID: mine-1'
	same mine-1 "$(header Audit-Id)"
}

@test "a path that nothing serves is plain text, a name in a known group is a Status" {
	local path
	for path in /nothing /api/v2 /apis/nobody.example/v1 /apis/nobody.example; do
		api GET "$path"
		expect 404
		same "404 page not found" "$body"
		same "text/plain; charset=utf-8" "$(header Content-Type)"
	done
	api GET /api/v1/nonsense
	expect 404 NotFound
	message "the server could not find the requested resource"
	same Status "$(query .kind)"
}

@test "a method that a path does not know is 405" {
	api POST /version -d '{}'
	expect 405 MethodNotAllowed
	api PUT $pods -d '{}'
	expect 405 MethodNotAllowed
	message "the server does not allow this method on the requested resource"
	api POST /api/v1/pods -d "$(pod nowhere)"
	expect 405 MethodNotAllowed
	api PUT /api/v1/pods/seen -d "$(pod seen)"
	expect 404 NotFound
	api POST $pods/seen -d "$(pod seen)"
	expect 405 MethodNotAllowed
	api OPTIONS $pods
	expect 405 MethodNotAllowed
	api DELETE /api/v1/componentstatuses/etcd-0
	expect 405 MethodNotAllowed
}

@test "HEAD is GET without the body" {
	local size
	api HEAD $pods/seen
	expect 200
	size=$(header Content-Length)
	api GET $pods/seen
	same "$size" "$(wc -c <"$dir/body")"
	same "$size" "$(header Content-Length)"
	# The next answer begins right behind the empty line.
	run raw "HEAD $pods/none HTTP/1.1\r\nHost: x\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	has "HTTP/1.1 404 Not Found" "$output"
	has $'\n\nHTTP/1.1 200 OK' "$output"
	lacks '"NotFound"' "$output"
}

@test "Accept: the first acceptable wins, weights count, unknown parameters do not" {
	api GET $pods/seen -H "Accept: text/html,application/json;profile=nopeer"
	expect 200
	same Pod "$(query .kind)"
	api GET $pods/seen -H "Accept: $table,application/json"
	expect 200
	same Table "$(query .kind)"
	same "application/json;g=meta.k8s.io;v=v1;as=Table" "$(header Content-Type)"
	api GET $pods/seen -H "Accept: $table;q=0.2,application/json;q=0.8"
	same Pod "$(query .kind)"
	api GET $pods/seen -H "Accept: application/json;as=Table;v=v9;g=meta.k8s.io,application/json"
	same Pod "$(query .kind)"
	api GET $pods/seen -H 'Accept: application/vnd.kubernetes.protobuf,application/json'
	expect 200
	same "application/vnd.kubernetes.protobuf" "$(header Content-Type)"
	api GET $pods/seen -H 'Accept: application/cbor,application/json'
	same "application/json" "$(header Content-Type)"
	api GET $pods/seen -H 'Accept: */*, application/yaml'
	same "application/yaml" "$(header Content-Type)"
	api GET $pods/seen -H 'Accept: */*'
	same Pod "$(query .kind)"
	api GET $pods/seen -H 'Accept: application/*'
	same Pod "$(query .kind)"
}

@test "what cannot be had in an accepted form is 406" {
	api GET $pods/seen -H 'Accept: text/html'
	expect 406 NotAcceptable
	api GET $pods/seen -H 'Accept: application/json;as=Table;v=v9;g=meta.k8s.io'
	expect 406 NotAcceptable
	api POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews -H "Accept: $table" \
		-d '{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}}'
	expect 406 NotAcceptable
}

@test "metadata alone, of one object and of a list" {
	api GET $pods/seen -H "Accept: $partial"
	expect 200
	same "PartialObjectMetadata meta.k8s.io/v1 seen null" \
		"$(query '"\(.kind) \(.apiVersion) \(.metadata.name) \(.spec)"')"
	api GET "$pods" -H "Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	expect 200
	same "PartialObjectMetadataList" "$(query .kind)"
	same "null" "$(query '.items[0].spec')"
}

# rows: 123
@test "a Table has columns, cells and metadata; includeObject says which object" {
	api GET "$pods?fieldSelector=metadata.name=seen" -H "Accept: $table"
	expect 200
	same "Name Ready Status Restarts Age IP Node Nominated Node Readiness Gates" \
		"$(query '[.columnDefinitions[].name] | join(" ")')"
	same '["seen","0/1","Pending"]' "$(query '.rows[0].cells[0:3] | tojson')"
	same "PartialObjectMetadata seen" "$(query '.rows[0].object | "\(.kind) \(.metadata.name)"')"
	[ "$(query .metadata.resourceVersion)" -gt 0 ]
	api GET "$pods/seen?includeObject=Object" -H "Accept: $table"
	same "Pod nginx" "$(query '.rows[0].object | "\(.kind) \(.spec.containers[0].image)"')"
	api GET "$pods/seen?includeObject=None" -H "Accept: $table"
	same "null" "$(query '.rows[0].object')"
	api GET "$pods/seen?includeObject=All" -H "Accept: $table"
	expect 400 BadRequest
}

@test "bodies of an unknown type are 415" {
	api POST $pods -H 'Content-Type: text/csv' -d 'a,b'
	expect 415 UnsupportedMediaType
	api PATCH $pods/seen -H 'Content-Type: application/json' -d '{}'
	expect 415 UnsupportedMediaType
	has "application/strategic-merge-patch+json" "$(query .message)"
	api POST $pods -H 'Content-Type: application/x-www-form-urlencoded' -d 'a=b'
	expect 415 UnsupportedMediaType
}

# Older kubectl creates, and every kubectl scales, without saying a type.
@test "a body without a Content-Type is JSON" {
	api POST /api/v1/namespaces/default/configmaps -H 'Content-Type:' -d "$(config_map typeless)"
	expect 201
	same typeless "$(query .metadata.name)"
}

@test "the insecure port is closed to pages in a browser" {
	api GET $pods -H 'Origin: http://evil.example'
	expect 403 Forbidden
	api GET $pods -H 'Origin: null'
	expect 403 Forbidden
	api GET $pods -H "Origin: http://127.0.0.1:$((port + 1))"
	expect 403 Forbidden
	# Python's WebSocket client names the server itself.
	api GET $pods -H "Origin: $server"
	expect 200
	api GET $pods -H 'Host: evil.example'
	expect 403 Forbidden
	api GET $pods -H 'Host: evil.example' -H 'Origin: http://evil.example'
	expect 403 Forbidden
	api POST /api/v1/namespaces/default/configmaps -H 'Content-Type:' -H 'Sec-Fetch-Site: cross-site' \
		-d "$(config_map forged)"
	expect 403 Forbidden
	message "the insecure port takes no cross-site request from a page"
	api GET /api/v1/namespaces/default/configmaps/forged
	expect 404
}

# rows: 128
@test "YAML is a body, too, and a no-break space in it is named" {
	api POST /api/v1/namespaces/default/configmaps -H 'Content-Type: application/yaml' --data-binary \
		$'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-yaml   #comment\ndata:\n   key: "1"\n'
	expect 201
	same 1 "$(query .data.key)"
	api POST /api/v1/namespaces/default/configmaps -H 'Content-Type: application/yaml' --data-binary \
		$'apiVersion: v1\nkind: ConfigMap\nmetadata:\n\xc2\xa0 name: nbsp\n'
	expect 400 BadRequest
	has "line 4" "$(query .message)"
	has "U+00A0" "$(query .message)"
}

@test "protobuf bodies are taken: the envelope and the object in it" {
	# Namespace{metadata{name: "proto"}}
	printf '\x0a\x07\x0a\x05proto' |
		envelope '\x0a\x02v1\x12\x09Namespace' >"$dir/namespace.pb"
	api POST /api/v1/namespaces?fieldManager=kubectl-create \
		-H 'Content-Type: application/vnd.kubernetes.protobuf' --data-binary "@$dir/namespace.pb"
	expect 201
	same "Namespace proto Active" "$(query '"\(.kind) \(.metadata.name) \(.status.phase)"')"
	# DeleteOptions{propagationPolicy: "Background"}
	printf '\x22\x0aBackground' |
		envelope '\x0a\x02v1\x12\x0dDeleteOptions' >"$dir/options.pb"
	api DELETE /api/v1/namespaces/proto \
		-H 'Content-Type: application/vnd.kubernetes.protobuf' --data-binary "@$dir/options.pb"
	expect 200
	printf 'k8s\0\x0a\xff\xff' >"$dir/broken.pb"
	api POST /api/v1/namespaces -H 'Content-Type: application/vnd.kubernetes.protobuf' \
		--data-binary "@$dir/broken.pb"
	expect 400 BadRequest
}

@test "unknown and twice given fields: Strict refuses, Warn warns, Ignore keeps quiet" {
	local maps=/api/v1/namespaces/default/configmaps
	local twice='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"odd","lables":{}},"data":{},"data":{"a":"b"}}'
	api POST "$maps?fieldValidation=Strict" -d "$twice"
	expect 400 BadRequest
	has 'unknown field "metadata.lables"' "$(query .message)"
	has 'did you mean "labels"' "$(query .message)"
	has 'duplicate field "data"' "$(query .message)"
	api POST "$maps?dryRun=All" -d "$twice"
	expect 201
	has '299 - "unknown field \"metadata.lables\"' "$(header Warning)"
	has '299 - "duplicate field \"data\"' "$(header Warning)"
	api POST "$maps?dryRun=All&fieldValidation=Ignore" -d "$twice"
	expect 201
	same "" "$(header Warning)"
	api POST "$maps?fieldValidation=Loose" -d "$twice"
	expect 422 Invalid
	api GET $maps/odd
	expect 404
}

@test "dry runs write nothing, and nothing but All is a dry run" {
	api POST "$pods?dryRun=All" -d "$(pod dry)"
	expect 201
	api GET $pods/dry
	expect 404
	api DELETE "$pods/seen?dryRun=All"
	expect 200
	api GET $pods/seen
	expect 200
	api POST "$pods?dryRun=Some" -d "$(pod dry)"
	expect 422 Invalid
}

@test "a delete says what is gone, with its uid" {
	local maps=/api/v1/namespaces/default/configmaps uid
	api POST $maps -d "$(config_map gone)"
	uid=$(query .metadata.uid)
	api DELETE $maps/gone -d '{"propagationPolicy":"Background"}'
	expect 200
	same "Status v1 Success gone configmaps $uid" \
		"$(query '"\(.kind) \(.apiVersion) \(.status) \(.details.name) \(.details.kind) \(.details.uid)"')"
	# The object itself where it goes later.
	api POST $maps -d "$(config_map held | jq -c '.metadata.finalizers=["example.com/held"]')"
	api DELETE $maps/held -d '{"propagationPolicy":"Background"}'
	expect 200
	same "ConfigMap held" "$(query '"\(.kind) \(.metadata.name)"')"
	api PATCH $maps/held -H 'Content-Type: application/merge-patch+json' -d '{"metadata":{"finalizers":null}}'
	expect 200
}

# Old kubectl validates against v2 as protobuf, from one of two places.
@test "OpenAPI v2: protobuf for the one form that old clients accept, JSON else" {
	local form='application/com.github.proto-openapi.spec.v2@v1.0+protobuf' first
	api GET /openapi/v2?timeout=32s -H "Accept: $form"
	expect 200
	same "application/com.github.proto-openapi.spec.v2.v1.0+protobuf" "$(header Content-Type)"
	first=$(sha256sum <"$dir/body")
	grep -qa 'io.k8s.api.core.v1.Pod' "$dir/body"
	api GET /swagger-2.0.0.pb-v1
	expect 200
	same "$first" "$(sha256sum <"$dir/body")"
	api GET /openapi/v2 -H "Accept: $form" -H "If-None-Match: $(header Etag)"
	expect 304
	api GET /openapi/v2
	expect 200
	same "2.0 true" "$(query '"\(.swagger) \(.definitions | has("io.k8s.api.core.v1.ReplicationController"))"')"
	api GET /openapi/v2 -H 'Accept: text/html'
	expect 406 NotAcceptable
}

@test "OpenAPI v3: found by its hash, kept for good, and kubectl believes it" {
	local path
	api GET /openapi/v3
	expect 200
	for path in api/v1 apis/coordination.k8s.io/v1 apis/discovery.k8s.io/v1; do
		path=$(query ".paths[\"$path\"].serverRelativeURL")
		[[ $path =~ \?hash=[0-9A-F]{32}$ ]]
	done
	path=$(query '.paths["api/v1"].serverRelativeURL')
	api GET "$path"
	expect 200
	same "public, immutable" "$(header Cache-Control)"
	same "\"${path##*hash=}\"" "$(header Etag)"
	# What field validation by the server is found by: an object, and a parameter.
	same "/v1/Pod 1" \
		"$(query '.paths["/api/v1/namespaces/{namespace}/pods/{name}"].patch |
			(.["x-kubernetes-group-version-kind"] | "\(.group)/\(.version)/\(.kind)") +
			" \([.parameters[] | select(.name=="fieldValidation" and .in=="query")] | length)"')"
	api GET "${path%=*}=0000"
	expect 200
	same "no-cache, private" "$(header Cache-Control)"
	api GET "$path" -H 'Accept-Encoding: gzip'
	same gzip "$(header Content-Encoding)"
	same 3.0.0 "$(gzip -dc <"$dir/body" | jq -r .openapi)"
	api GET /openapi/v3/api/v9
	expect 404
}

@test "discovery: aggregated in both versions, and plain" {
	local v
	for v in v2 v2beta1; do
		api GET /apis?timeout=32s -H "Accept: application/json;g=apidiscovery.k8s.io;v=$v;as=APIGroupDiscoveryList,application/json"
		expect 200
		same "APIGroupDiscoveryList apidiscovery.k8s.io/$v" "$(query '"\(.kind) \(.apiVersion)"')"
		same "application/json;g=apidiscovery.k8s.io;v=$v;as=APIGroupDiscoveryList" "$(header Content-Type)"
		same Current "$(query '[.items[].versions[].freshness] | unique | join(",")')"
		api GET /api?timeout=32s -H "Accept: application/json;g=apidiscovery.k8s.io;v=$v;as=APIGroupDiscoveryList,application/json"
		same "pods Namespaced pod Pod" \
			"$(query '.items[0].versions[0].resources[] | select(.resource=="pods") | "\(.resource) \(.scope) \(.singularResource) \(.responseKind.kind)"')"
	done
	api GET /api -H 'Accept: application/json'
	same "APIVersions v1" "$(query '"\(.kind) \(.versions[0])"')"
	api GET /apis -H 'Accept: application/json'
	same "APIGroupList" "$(query .kind)"
	api GET /api/v1
	same "APIResourceList v1" "$(query '"\(.kind) \(.groupVersion)"')"
	same "po Pod true" "$(query '.resources[] | select(.name=="pods") | "\(.shortNames[0]) \(.kind) \(.namespaced)"')"
	same "autoscaling v1 Scale" \
		"$(query '.resources[] | select(.name=="replicationcontrollers/scale") | "\(.group) \(.version) \(.kind)"')"
	api GET /apis/coordination.k8s.io
	same "APIGroup coordination.k8s.io/v1" "$(query '"\(.kind) \(.preferredVersion.groupVersion)"')"
}

@test "an unchanged discovery document is 304" {
	local etag
	api GET /api/v1
	etag=$(header Etag)
	[ -n "$etag" ]
	api GET /api/v1 -H "If-None-Match: $etag"
	expect 304
	same "" "$body"
}

@test "/version, health and metrics" {
	api GET /version
	same "1 36 v1.36.2+coxswain" "$(query '"\(.major) \(.minor) \(.gitVersion)"')"
	for path in /healthz /livez /readyz /readyz/ping /livez/etcd; do
		api GET $path
		expect 200
		same ok "$body"
	done
	api GET '/readyz?verbose'
	has "[+]etcd ok" "$body"
	has "readyz check passed" "$body"
	api GET /readyz/none
	expect 404
	api GET /metrics
	expect 200
	has "apiserver_storage_objects" "$body"
}

# rows: 143 178 179
@test "lists: label and field selectors, and what they refuse" {
	api GET "$pods?labelSelector=app%3Da"
	same seen "$(query '[.items[].metadata.name] | join(",")')"
	for selector in 'app!=a' 'app notin (a)' '!app' 'app in (b,c)'; do
		api GET "$pods" --get --data-urlencode "labelSelector=$selector"
		expect 200
		same 0 "$(query '.items | length')"
	done
	for selector in 'app==a' 'app in (a,b)' app 'app,app!=b'; do
		api GET "$pods" --get --data-urlencode "labelSelector=$selector"
		same 1 "$(query '.items | length')"
	done
	api GET "$pods?labelSelector=app%20in%20("
	expect 400 BadRequest
	api GET "$pods?fieldSelector=metadata.name%3Dseen,status.phase!%3DRunning"
	same 1 "$(query '.items | length')"
	api GET "$pods?fieldSelector=status.phase%3DSuccessed"
	same 0 "$(query '.items | length')"
	api GET "$pods?fieldSelector=spec.hostname%3Dx"
	expect 400 BadRequest
	has 'field label not supported: spec.hostname' "$(query .message)"
	api GET "/api/v1/configmaps?fieldSelector=spec.hostname%3Dx"
	expect 400 BadRequest
	has '"spec.hostname" is not a known field selector: only "metadata.name", "metadata.namespace"' "$(query .message)"
}

@test "no list parameter is silently ignored" {
	api GET "/api/v1/componentstatuses?labelSelector=a"
	expect 200
	same 0 "$(query '.items | length')"
	api GET "/api/v1/componentstatuses?fieldSelector=metadata.name%3Detcd-0"
	same "etcd-0" "$(query '[.items[].metadata.name] | join(" ")')"
	api GET "/api/v1/componentstatuses?limit=x"
	expect 400
	api GET "$pods?limit=x"
	expect 400
	api GET "$pods?limit=-1"
	expect 400
	api GET "$pods?watch=maybe"
	expect 400
	api GET "$pods?resourceVersion=abc"
	expect 400
	api GET "$pods?continue=zzz"
	expect 400
	message "continue key is not valid"
	api GET "$pods?resourceVersionMatch=Soon&resourceVersion=1"
	expect 422 Invalid
	api GET "$pods?timeoutSeconds=soon"
	expect 400
}

@test "a Table of no rows still has its columns and version" {
	api GET "$pods?labelSelector=none" -H "Accept: $table"
	expect 200
	same 0 "$(query '.rows | length')"
	same 9 "$(query '.columnDefinitions | length')"
	[ "$(query .metadata.resourceVersion)" -gt 0 ]
}

@test "gzip only for large answers, and never on loopback unless it pays" {
	api GET $pods/seen -H 'Accept-Encoding: gzip'
	expect 200
	same "" "$(header Content-Encoding)"
	same Pod "$(query .kind)"
}

# rows: 90
@test "the scale of a replication controller is read and written" {
	local rcs=/api/v1/namespaces/default/replicationcontrollers
	api POST $rcs -d '{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"scaled"},"spec":{"template":{"metadata":{"labels":{"x":"y"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}'
	expect 201
	same '1 {"x":"y"}' "$(query '"\(.spec.replicas) \(.spec.selector | tojson)"')"
	api GET $rcs/scaled/scale
	same "Scale autoscaling/v1 1 x=y" "$(query '"\(.kind) \(.apiVersion) \(.spec.replicas) \(.status.selector)"')"
	jq -c '.spec.replicas=4' "$dir/body" >"$dir/scale"
	api PUT $rcs/scaled/scale -d "@$dir/scale"
	expect 200
	same 4 "$(query .spec.replicas)"
	api PUT $rcs/scaled/scale -d "@$dir/scale"
	expect 409 Conflict
	api PATCH $rcs/scaled/scale -H 'Content-Type: application/merge-patch+json' -d '{"spec":{"replicas":2}}'
	expect 200
	api GET $rcs/scaled
	same 2 "$(query .spec.replicas)"
	api PATCH $rcs/scaled/scale -H 'Content-Type: application/merge-patch+json' -d '{"spec":{"replicas":-1}}'
	expect 422 Invalid
}

@test "patches: merge, strategic and JSON, and their errors" {
	local merge='Content-Type: application/merge-patch+json'
	local strategic='Content-Type: application/strategic-merge-patch+json'
	local json='Content-Type: application/json-patch+json'
	api POST $pods -d "$(pod patched '{"a":"1","b":"2"}')"
	expect 201
	api PATCH $pods/patched -H "$merge" -d '{"metadata":{"labels":{"a":null,"c":"3"}}}'
	expect 200
	same '{"b":"2","c":"3"}' "$(query '.metadata.labels | tojson')"
	api PATCH $pods/patched -H "$strategic" -d '{"spec":{"containers":[{"name":"c","image":"other"}]}}'
	expect 200
	same "1 other" "$(query '.spec.containers | "\(length) \(.[0].image)"')"
	api PATCH $pods/patched -H "$json" -d '[{"op":"test","path":"/metadata/labels/b","value":"2"},{"op":"replace","path":"/metadata/labels/b","value":"5"}]'
	expect 200
	same 5 "$(query .metadata.labels.b)"
	api PATCH $pods/patched -H "$json" -d '[{"op":"test","path":"/metadata/labels/b","value":"2"}]'
	expect 422 Invalid
	api PATCH $pods/patched -H "$json" -d '{"op":"remove"}'
	expect 400 BadRequest
	api PATCH $pods/patched -H "$merge" -d '{"metadata":{"name":"else"}}'
	expect 400 BadRequest
	api PATCH $pods/none -H "$merge" -d '{}'
	expect 404 NotFound
	api PATCH $pods/patched -H "$strategic" -d '{"spec":{"nodeSelector":{"a":"b"}}}'
	expect 422 Invalid
	same FieldValueForbidden "$(query '.details.causes[0].reason')"
}

@test "a patch of no known kind answers 415 with the types that are taken" {
	api PATCH "$pods/applied?fieldManager=x&force=false" \
		-H 'Content-Type: application/apply-patch+cbor' -d "$(pod applied)"
	expect 415 UnsupportedMediaType
	has "application/merge-patch+json" "$(query .message)"
	has "application/strategic-merge-patch+json" "$(query .message)"
	has "application/apply-patch+yaml" "$(query .message)"
	# Where it is no apply, force is none of the options.
	api PATCH "$pods/seen?force=false" -H 'Content-Type: application/merge-patch+json' -d '{}'
	expect 422 Invalid
	has "force: Forbidden: may not be specified for non-apply patch" "$(query .message)"
}

@test "nobody acts as somebody else unnoticed" {
	local name
	for name in Impersonate-User impersonate-group Impersonate-Extra-Scopes; do
		api GET $pods -H "$name: bob"
		expect 403 Forbidden
		has "the header $name is refused" "$(query .message)"
	done
}
