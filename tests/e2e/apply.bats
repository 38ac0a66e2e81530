#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Server-side apply and field ownership, request by request. What kubectl makes
# of it is in kubectl.bats.
source "$srcdir/tests/lib/functions.bash"

maps=/api/v1/namespaces/default/configmaps
rcs=/api/v1/namespaces/default/replicationcontrollers
apply_type='Content-Type: application/apply-patch+yaml'
merge='Content-Type: application/merge-patch+json'

# map_of NAME DATA-JSON: a configuration
map_of() {
	printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s"},"data":%s}' "$1" "$2"
}

# apply_map NAME MANAGER DATA-JSON [QUERY]
apply_map() {
	api PATCH "$maps/$1?fieldManager=$2${4-}" -H "$apply_type" -d "$(map_of "$1" "$3")"
}

rc_of() {
	printf '{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"%s"},"spec":{%s
		"selector":{"app":"%s"},"template":{"metadata":{"labels":{"app":"%s"}},"spec":
		{"containers":[{"name":"c","image":"nginx"}]}}}}' "$1" "${2-}" "$1" "$1"
}

# managers: one a line, as NAME OPERATION[/SUBRESOURCE]
managers() {
	query '.metadata.managedFields[]? | .manager + " " + .operation +
		(if .subresource then "/" + .subresource else "" end)'
}

# fields MANAGER: what it has, as FieldsV1
fields() {
	jq -c --arg name "$1" '.metadata.managedFields[] | select(.manager == $name) | .fieldsV1' "$dir/body"
}

@test "apply creates what is not there, and changes nothing the second time" {
	api PATCH "$maps/made?fieldManager=me" -H "$apply_type" -d 'apiVersion: v1
kind: ConfigMap
metadata:
  name: made
  labels: {app: a}
data:
  key: value # a comment'
	expect 201
	same default "$(query .metadata.namespace)"
	same '{"f:data":{"f:key":{}},"f:metadata":{"f:labels":{"f:app":{}}}}' "$(fields me)"
	same "me Apply v1 FieldsV1" "$(query '.metadata.managedFields[0] | [.manager, .operation, .apiVersion, .fieldsType] | join(" ")')"
	cp "$dir/body" "$dir/first"
	api PATCH "$maps/made?fieldManager=me" -H "$apply_type" \
		-d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"made","labels":{"app":"a"}},"data":{"key":"value"}}'
	expect 200
	same "$(jq -S . "$dir/first")" "$(jq -S . "$dir/body")"
	# Whoever says the same shares it, which is a change of who manages what.
	apply_map made other '{"key":"value"}'
	expect 200
	same "me Apply
other Apply" "$(managers | sort)"
	[ "$(query .metadata.resourceVersion)" != "$(jq -r .metadata.resourceVersion "$dir/first")" ]
	api GET "$maps/made"
	same "me Apply
other Apply" "$(managers | sort)"
}

@test "conflicts name the managers and their fields; force takes them" {
	apply_map fought one '{"a":"1","b":"1"}'
	expect 201
	apply_map fought two '{"a":"2"}'
	expect 409 Conflict
	message 'Apply failed with 1 conflict: conflict with "one": .data.a'
	same '[{"reason":"FieldManagerConflict","message":"conflict with \"one\"","field":".data.a"}]' "$(query '.details.causes | tojson')"
	api PATCH "$maps/fought?fieldManager=three" -H "$merge" -d '{"data":{"b":"3"}}'
	expect 200
	apply_map fought two '{"a":"2","b":"2"}'
	expect 409 Conflict
	message 'Apply failed with 2 conflicts: conflicts with "one":
- .data.a
conflicts with "three" using v1:
- .data.b'
	apply_map fought two '{"a":"2","b":"2"}' '&force=true'
	expect 200
	same "two Apply" "$(managers)"
	same '{"a":"2","b":"2"}' "$(query '.data | tojson')"
	# Nothing of a refused apply was done.
	apply_map fought one '{"a":"1","c":"1"}'
	expect 409
	api GET "$maps/fought"
	same '{"a":"2","b":"2"}' "$(query '.data | tojson')"
}

@test "what an applier does not say any more goes, unless it is somebody else's, too" {
	apply_map left one '{"a":"1","b":"1","c":"1"}'
	apply_map left two '{"b":"1"}'
	api PATCH "$maps/left" -H "$merge" -H 'User-Agent: tool/1.2 (x)' -d '{"data":{"c":"2","d":"2"}}'
	expect 200
	same '{"f:data":{"f:c":{},"f:d":{}}}' "$(fields tool)"
	apply_map left one '{}'
	expect 200
	same '{"b":"1","c":"2","d":"2"}' "$(query '.data | tojson')"
	same '{"f:data":{"f:b":{}}}' "$(fields two)"
}

@test "the options of an apply and what it refuses" {
	api PATCH "$maps/no" -H "$apply_type" -d "$(map_of no '{}')"
	expect 422 Invalid
	message 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
	api PATCH "$maps/no?fieldManager=$(printf 'x%.0s' {1..129})" -H "$apply_type" -d "$(map_of no '{}')"
	expect 422 Invalid
	message 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes'
	api PATCH "$maps/no?fieldManager=a%0Ab" -H "$apply_type" -d "$(map_of no '{}')"
	expect 422 Invalid
	apply_map no me '{"a":"1"}' '&dryRun=All'
	expect 201
	api GET "$maps/no"
	expect 404
	api PATCH "$maps/no?fieldManager=me" -H 'Content-Type: application/apply-patch+cbor' -d "$(map_of no '{}')"
	expect 415 UnsupportedMediaType
	has "application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml" "$(query .message)"
	api PATCH "$maps/no?fieldManager=me" -H "$apply_type" -d $'a: b\n- c'
	expect 400 BadRequest
	has "error decoding YAML" "$(query .message)"
	api PATCH "$maps/no?fieldManager=me" -H "$apply_type" -d '{"kind":"ConfigMap","metadata":{"name":"no"}}'
	expect 400 BadRequest
	message 'invalid object type: /, Kind=ConfigMap'
	api PATCH "$maps/no?fieldManager=me" -H "$apply_type" -d '{"kind":"Secret","apiVersion":"v1","metadata":{"name":"no"}}'
	expect 400 BadRequest
	message 'invalid object type: /v1, Kind=Secret'
	api PATCH "$maps/no?fieldManager=me" -H "$apply_type" -d "$(map_of other '{}')"
	expect 400 BadRequest
	message 'the name of the object (other) does not match the name on the URL (no)'
	api PATCH "$maps/no?fieldManager=me" -H "$apply_type" -d '{"kind":"ConfigMap","apiVersion":"v1"}'
	expect 400 BadRequest
	message 'the name of the object (no based on URL) was undeterminable: name must be provided'
	api PATCH "$maps/no?fieldManager=me" -H "$apply_type" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"no","managedFields":[{}]}}'
	expect 400 BadRequest
	message 'metadata.managedFields must be nil'
	api PATCH "$maps/no?fieldManager=me" -H "$apply_type" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"no"},"dat":{"a":"1"},"data":{"b":1}}'
	expect 500
	message 'failed to create typed patch object (/no; /v1, Kind=ConfigMap): errors:
  .dat: field not declared in schema
  .data.b: expected string, got 1'
	api PATCH "$maps/no?fieldManager=me&fieldValidation=Strict" -H "$apply_type" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"no"},"data":{"a":"1","a":"2"}}'
	expect 400 BadRequest
	message 'strict decoding error: duplicate field "data.a"'
	api PATCH "$maps/no?fieldManager=me" -H "$apply_type" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"no"},"data":{"a":"1","a":"2"}}'
	expect 201
	has 'duplicate field' "$(header Warning)"
	api PATCH "$maps/no?force=true" -H "$merge" -d '{}'
	expect 422 Invalid
	message 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
	# Validation is that of every write.
	api PATCH "$maps/No?fieldManager=me" -H "$apply_type" -d "$(map_of No '{}')"
	expect 422 Invalid
}

@test "a uid and a version in the configuration are preconditions" {
	local uid version
	apply_map held me '{"a":"1"}'
	uid=$(query .metadata.uid) version=$(query .metadata.resourceVersion)
	api PATCH "$maps/held?fieldManager=me" -H "$apply_type" -d "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"held\",\"uid\":\"$uid\",\"resourceVersion\":\"$version\"},\"data\":{\"a\":\"2\"}}"
	expect 200
	same '{"f:data":{"f:a":{}}}' "$(fields me)"
	api PATCH "$maps/held?fieldManager=me" -H "$apply_type" -d "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"held\",\"resourceVersion\":\"$version\"},\"data\":{\"a\":\"3\"}}"
	expect 409 Conflict
	has "the object has been modified" "$(query .message)"
	api PATCH "$maps/held?fieldManager=me" -H "$apply_type" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"held","uid":"other"},"data":{"a":"3"}}'
	expect 409 Conflict
	api PATCH "$maps/none?fieldManager=me" -H "$apply_type" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"none","uid":"other"}}'
	expect 409 Conflict
	has "uid mismatch: the provided object specified uid other, and no existing object was found" "$(query .message)"
	api GET "$maps/held"
	same 2 "$(query .data.a)"
}

@test "creates and updates are tracked under fieldManager, else under what User-Agent begins with" {
	api POST "$maps?fieldManager=maker" -d "$(map_of tracked '{"a":"1"}')"
	expect 201
	same "maker Update" "$(managers)"
	same '{"f:data":{".":{},"f:a":{}}}' "$(fields maker)"
	api GET "$maps/tracked"
	jq -c '.data.b = "2" | del(.metadata.managedFields)' "$dir/body" >"$dir/next"
	api PUT "$maps/tracked" -H 'User-Agent: writer' -d "@$dir/next"
	expect 200
	same '{"f:data":{".":{},"f:a":{}}}' "$(fields maker)"
	same '{"f:data":{"f:b":{}}}' "$(fields writer)"
	api PATCH "$maps/tracked?fieldManager=json" -H 'Content-Type: application/json-patch+json' \
		-d '[{"op":"replace","path":"/data/a","value":"3"},{"op":"remove","path":"/data/b"}]'
	expect 200
	same "json Update
maker Update" "$(managers | sort)"
	same '{"f:data":{"f:a":{}}}' "$(fields json)"
	same '{"f:data":{}}' "$(fields maker)"
	api PATCH "$maps/tracked?fieldManager=strategic" -H 'Content-Type: application/strategic-merge-patch+json' \
		-d '{"metadata":{"labels":{"l":"1"},"finalizers":["x/y"]}}'
	expect 200
	same '{"f:metadata":{"f:finalizers":{".":{},"v:\"x/y\"":{}},"f:labels":{".":{},"f:l":{}}}}' "$(fields strategic)"
	# What changes nothing is nobody's doing, at no time.
	cp "$dir/body" "$dir/before"
	api PATCH "$maps/tracked?fieldManager=idle" -H "$merge" -d '{"data":{"a":"3"}}'
	same "$(cat "$dir/before")" "$(cat "$dir/body")"
	api PATCH "$maps/tracked" -H "$merge" -d '{"metadata":{"finalizers":null}}'
	expect 200
}

@test "an empty list of managers, or one of an empty entry, wipes them out until somebody applies" {
	local list
	for list in '[]' '[{}]'; do
		api DELETE "$maps/wiped"
		api POST "$maps?fieldManager=maker" -d "$(map_of wiped '{"a":"1"}')"
		expect 201
		api PATCH "$maps/wiped" -H "$merge" -d "{\"metadata\":{\"managedFields\":$list}}"
		expect 200
		same "" "$(managers)"
		api PATCH "$maps/wiped" -H "$merge" -d '{"data":{"a":"2"}}'
		same "" "$(managers)"
		apply_map wiped me '{"a":"3"}'
		expect 409 Conflict
		message 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a'
		apply_map wiped me '{"a":"2"}'
		expect 200
		same "before-first-apply Update
me Apply" "$(managers | sort)"
	done
	# null is as if it had not been sent.
	api PATCH "$maps/wiped" -H "$merge" -d '{"metadata":{"managedFields":null}}'
	expect 200
	same "before-first-apply Update
me Apply" "$(managers | sort)"
}

@test "managers that a client sends are taken over if they can be read" {
	api POST "$maps?fieldManager=maker" -d "$(map_of sent '{"a":"1","b":"1"}')"
	api PATCH "$maps/sent" -H "$merge" -d '{"metadata":{"managedFields":[{"manager":"set","operation":"Apply","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:b":{},"f:a":{}}}}]}}'
	expect 200
	same "set Apply" "$(managers)"
	same '{"f:data":{"f:a":{},"f:b":{}}}' "$(fields set)"
	for wrong in '{"operation":"Guess","apiVersion":"v1","fieldsType":"FieldsV1"}' \
		'{"operation":"Apply","fieldsType":"FieldsV1"}' \
		'{"operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV9"}' \
		'{"operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"bad":{}}}'; do
		api PATCH "$maps/sent" -H "$merge" -d "{\"metadata\":{\"managedFields\":[$wrong]}}"
		expect 200
		same "set Apply" "$(managers)"
	done
	api PATCH "$maps/sent" -H "$merge" -d "{\"metadata\":{\"managedFields\":[{\"manager\":\"$(printf 'x%.0s' {1..129})\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{}}}]}}"
	expect 422 Invalid
	has "metadata.managedFields[0].manager: Too long" "$(query .message)"
}

# Which are the oldest is told by whole seconds: see the unit test.
@test "more than ten that updated: some become one" {
	local i
	api POST "$maps?fieldManager=maker" -d "$(map_of many '{"a":"1"}')"
	for i in {1..13}; do
		api PATCH "$maps/many?fieldManager=m$i" -H "$merge" -d "{\"data\":{\"k$i\":\"1\"}}"
		expect 200
	done
	same 10 "$(query '.metadata.managedFields | length')"
	same 1 "$(managers | grep -c '^ancient-changes Update$')"
}

@test "replicas: from the applier to who scales, and back" {
	api PATCH "$rcs/scaled?fieldManager=user" -H "$apply_type" -d "$(rc_of scaled '"replicas":2,')"
	expect 201
	api PATCH "$rcs/scaled/scale?fieldManager=scaler" -H "$merge" -d '{"spec":{"replicas":5}}'
	expect 200
	api GET "$rcs/scaled"
	same "user Apply
scaler Update/scale" "$(managers)"
	same '{"f:spec":{"f:replicas":{}}}' "$(fields scaler)"
	same v1 "$(query '.metadata.managedFields[1].apiVersion')"
	lacks '"f:replicas"' "$(fields user)"
	api PATCH "$rcs/scaled?fieldManager=user" -H "$apply_type" -d "$(rc_of scaled '"replicas":2,')"
	expect 409 Conflict
	message 'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using v1: .spec.replicas'
	# Without the number it is the scaler's alone.
	api PATCH "$rcs/scaled?fieldManager=user" -H "$apply_type" -d "$(rc_of scaled)"
	expect 200
	same 5 "$(query .spec.replicas)"
	api PUT "$rcs/scaled/scale?fieldManager=scaler" -d '{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"scaled"},"spec":{"replicas":3}}'
	expect 200
	# The scale itself can be applied.
	api PATCH "$rcs/scaled/scale?fieldManager=other" -H "$apply_type" -d '{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"scaled"},"spec":{"replicas":7}}'
	expect 409 Conflict
	message 'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using autoscaling/v1: .spec.replicas'
	api PATCH "$rcs/scaled/scale?fieldManager=other&force=true" -H "$apply_type" -d '{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"scaled"},"spec":{"replicas":7}}'
	expect 200
	same 7 "$(query .spec.replicas)"
	api GET "$rcs/scaled"
	same "other Apply/scale
user Apply" "$(managers | sort)"
	same '{"f:spec":{"f:replicas":{}}}' "$(fields other)"
	api PATCH "$rcs/none/scale?fieldManager=other" -H "$apply_type" -d '{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"none"},"spec":{"replicas":7}}'
	expect 404
}

@test "the status is applied by itself, and is nothing of the object's own apply" {
	api PATCH "$rcs/told?fieldManager=user" -H "$apply_type" -d "$(rc_of told | sed 's/}$/,"status":{"replicas":9}}/')"
	expect 201
	same 0 "$(query .status.replicas)"
	lacks '"f:status"' "$(fields user)"
	api PATCH "$rcs/told/status?fieldManager=controller" -H "$apply_type" -d '{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"told"},"spec":{"replicas":9},"status":{"replicas":4}}'
	expect 200
	same 4 "$(query .status.replicas)"
	same 1 "$(query .spec.replicas)"
	same '{"f:status":{"f:replicas":{}}}' "$(fields controller)"
	same "controller Apply/status" "$(managers | grep controller)"
	api PATCH "$rcs/told/status?fieldManager=else" -H "$merge" -d '{"status":{"replicas":5}}'
	same "else Update/status" "$(managers | grep else)"
	api PATCH "$rcs/none/status?fieldManager=controller" -H "$apply_type" -d '{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"none"},"status":{"replicas":4}}'
	expect 404
}

@test "what the server puts in is nobody's; lists, watches and other shapes tell the managers" {
	api PATCH "/api/v1/namespaces/default/services/seen?fieldManager=me" -H "$apply_type" \
		-d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"seen"},"spec":{"ports":[{"port":80}]}}'
	expect 201
	same '{"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}}' "$(fields me)"
	[ -n "$(query .spec.clusterIP)" ]
	# A second time, without what was put in: it stays.
	api PATCH "/api/v1/namespaces/default/services/seen?fieldManager=me" -H "$apply_type" \
		-d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"seen"},"spec":{"ports":[{"port":81}]}}'
	expect 200
	same 81 "$(query '[.spec.ports[].port] | tostring' | tr -d '[]')"
	[ -n "$(query .spec.clusterIP)" ]
	apply_map shown me '{"a":"1"}'
	api GET "$maps?fieldSelector=metadata.name=shown"
	same me "$(query '.items[0].metadata.managedFields[0].manager')"
	api GET "$maps/shown" -H 'Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
	same PartialObjectMetadata "$(query .kind)"
	same '{"f:data":{"f:a":{}}}' "$(fields me)"
	api GET "$maps/shown" -H 'Accept: application/json;as=Table;v=v1;g=meta.k8s.io'
	same me "$(query '.rows[0].object.metadata.managedFields[0].manager')"
	api GET "$maps?watch=true&timeoutSeconds=1&fieldSelector=metadata.name=shown"
	same me "$(query '.object.metadata.managedFields[0].manager')"
	# In protobuf the fields are the same JSON.
	api GET "$maps/shown" -H 'Accept: application/vnd.kubernetes.protobuf'
	expect 200
	has '{"f:data":{"f:a":{}}}' "$body"
}

@test "the two versions of events have their managers' fields under the names of each" {
	local event='"metadata":{"name":"e"},"eventTime":"2026-01-01T00:00:00.000000Z","reportingController":"a/b","reportingInstance":"i","action":"act","type":"Normal","reason":"r"'
	api PATCH "/apis/events.k8s.io/v1/namespaces/default/events/e?fieldManager=new" -H "$apply_type" \
		-d "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",$event,\"note\":\"one\"}"
	expect 201
	has '"f:note":{}' "$(fields new)"
	api PATCH "/api/v1/namespaces/default/events/e?fieldManager=old" -H "$apply_type" \
		-d '{"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"message":"two"}'
	expect 409 Conflict
	message 'Apply failed with 1 conflict: conflict with "new": .note'
	api PATCH "/api/v1/namespaces/default/events/e?fieldManager=old&force=true" -H "$apply_type" \
		-d '{"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"message":"two"}'
	expect 200
	same '{"f:message":{}}' "$(fields old)"
	lacks '"f:note"' "$(fields new)"
	# The same one who applies in the other version takes its fields along.
	api PATCH "/api/v1/namespaces/default/events/e?fieldManager=old" -H "$apply_type" \
		-d '{"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"source":{"component":"c"}}'
	expect 200
	same null "$(query .message)"
	same "new Apply
old Apply" "$(managers | sort)"
}

@test "who applies an autoscaler in one version meets those of the other" {
	local scalers=horizontalpodautoscalers/h target='"scaleTargetRef":{"kind":"Deployment","name":"web","apiVersion":"apps/v1"}'
	api PATCH "/apis/autoscaling/v2/namespaces/default/$scalers?fieldManager=new" -H "$apply_type" \
		-d "{\"apiVersion\":\"autoscaling/v2\",\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{\"name\":\"h\"},\"spec\":{$target,\"maxReplicas\":5,\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\",\"averageUtilization\":50}}}]}}"
	expect 201
	api PATCH "/apis/autoscaling/v1/namespaces/default/$scalers?fieldManager=old" -H "$apply_type" \
		-d "{\"apiVersion\":\"autoscaling/v1\",\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{\"name\":\"h\"},\"spec\":{$target,\"maxReplicas\":5,\"targetCPUUtilizationPercentage\":60}}"
	expect 409 Conflict
	message 'Apply failed with 1 conflict: conflict with "new": .spec.metrics'
	api PATCH "/apis/autoscaling/v1/namespaces/default/$scalers?fieldManager=old&force=true" -H "$apply_type" \
		-d "{\"apiVersion\":\"autoscaling/v1\",\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{\"name\":\"h\"},\"spec\":{$target,\"maxReplicas\":5,\"targetCPUUtilizationPercentage\":60}}"
	expect 200
	has '"f:targetCPUUtilizationPercentage":{}' "$(fields old)"
	lacks '"f:metrics"' "$(fields new)"
	has '"f:maxReplicas"' "$(fields new)"
	api GET "/apis/autoscaling/v2/namespaces/default/$scalers"
	same 60 "$(query '.spec.metrics[0].resource.target.averageUtilization')"
}

@test "several who apply to one object at once: none is lost" {
	local i pids=()
	for i in {1..24}; do
		curl -sS -o "$dir/at-once.$i" -X PATCH -H "$apply_type" \
			"$server$maps/shared?fieldManager=m$i" -d "$(map_of shared "{\"k$i\":\"$i\"}")" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	same "" "$(jq -c 'select(.kind != "ConfigMap")' "$dir"/at-once.*)"
	api GET "$maps/shared"
	same 24 "$(query '.data | length')"
	same 24 "$(query '.metadata.managedFields | length')"
}

@test "the server's own objects and the controllers' tell who made them" {
	api GET /api/v1/namespaces/default/services/kubernetes
	same "kube-apiserver Update" "$(managers)"
	start_controller_manager
	api POST "$rcs?fieldManager=user" -d "$(rc_of run '"replicas":1,')"
	expect 201
	has_pod() {
		api GET "/api/v1/namespaces/default/pods?labelSelector=app=run"
		[ "$(query '.items | length')" = 1 ]
	}
	retry 20 has_pod
	same "kube-controller-manager Update" "$(query '.items[0].metadata.managedFields[] | .manager + " " + .operation')"
	has '"k:{\"uid\":' "$(query '.items[0].metadata.managedFields[0].fieldsV1["f:metadata"]["f:ownerReferences"] | tojson')"
	has_status() {
		api GET "$rcs/run"
		managers | grep -qx 'kube-controller-manager Update/status'
	}
	retry 20 has_status
}
