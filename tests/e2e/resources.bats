#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the server makes of objects of the groups with a name when they are
# written: what it sets, what it takes back, what counts generations, and other
# forms and parts of them. What it refuses is in tests/unit/cases.
source "$srcdir/tests/lib/functions.bash"

setup_file() {
	make_dir
	start_apiserver
}

spaced() {
	printf '/apis/%s/namespaces/default/%s' "$1" "$2"
}

# make PATH OBJECT: creates it
make() {
	api POST "$1" -d "$2"
	expect 201
}

merge() {
	api PATCH "$1" -H 'Content-Type: application/merge-patch+json' -d "$2"
}

template='{"metadata":{"labels":{"app":"a"}},"spec":{"containers":[{"name":"c","image":"i"}]}}'

@test "a generation counts changes of what is wanted, not of labels or status" {
	local path
	path=$(spaced apps/v1 deployments)
	make "$path" '{"metadata":{"name":"g","generation":7},"status":{"replicas":3},"spec":{
		"selector":{"matchLabels":{"app":"a"}},"template":'"$template"'}}'
	same '1 null' "$(query '"\(.metadata.generation) \(.status.replicas)"')"
	merge "$path/g" '{"metadata":{"labels":{"x":"y"}},"status":{"replicas":5}}'
	expect 200
	same '1 null' "$(query '"\(.metadata.generation) \(.status.replicas)"')"
	merge "$path/g/status" '{"spec":{"paused":true},"status":{"replicas":2}}'
	expect 200
	same '1 null 2' "$(query '"\(.metadata.generation) \(.spec.paused) \(.status.replicas)"')"
	merge "$path/g" '{"spec":{"paused":true}}'
	expect 200
	same 2 "$(query .metadata.generation)"
}

@test "the scale of whatever has replicas is read and written" {
	local plural path body
	for plural in deployments replicasets statefulsets; do
		path=$(spaced apps/v1 "$plural")
		make "$path" '{"metadata":{"name":"s"},"spec":{"serviceName":"s","replicas":2,
			"selector":{"matchLabels":{"app":"a"}},"template":'"$template"'}}'
		api GET "$path/s/scale"
		expect 200
		same 'Scale autoscaling/v1 2 app=a' \
			"$(query '"\(.kind) \(.apiVersion) \(.spec.replicas) \(.status.selector)"')"
		body=$(query '.spec.replicas = 4')
		api PUT "$path/s/scale" -d "$body"
		expect 200
		api GET "$path/s"
		same '4 2' "$(query '"\(.spec.replicas) \(.metadata.generation)"')"
		merge "$path/s/scale" '{"spec":{"replicas":-1}}'
		expect 422 Invalid
	done
}

@test "a job is found by its uid, and runs as its template says ever after" {
	local path uid
	path=$(spaced batch/v1 jobs)
	make "$path" '{"metadata":{"name":"j"},"spec":{"template":{"spec":{"restartPolicy":"Never",
		"containers":[{"name":"c","image":"i"}]}}}}'
	uid=$(query .metadata.uid)
	same "$uid" "$(query '.spec.selector.matchLabels["batch.kubernetes.io/controller-uid"]')"
	same "j j $uid" "$(query '.spec.template.metadata.labels |
		"\(.["job-name"]) \(.["batch.kubernetes.io/job-name"]) \(.["controller-uid"])"')"
	merge "$path/j" '{"spec":{"template":{"spec":{"hostNetwork":true}}}}'
	expect 422 Invalid
	same spec.template "$(query '.details.causes[0].field')"
	merge "$path/j" '{"spec":{"suspend":true}}'
	expect 200
}

@test "an autoscaler is one object in two versions" {
	local old new
	old=$(spaced autoscaling/v1 horizontalpodautoscalers)
	new=$(spaced autoscaling/v2 horizontalpodautoscalers)
	make "$old" '{"metadata":{"name":"h"},"spec":{"maxReplicas":3,"targetCPUUtilizationPercentage":40,
		"scaleTargetRef":{"kind":"Deployment","name":"d"}}}'
	api GET "$new/h"
	expect 200
	same 'cpu 40' "$(query '.spec.metrics[0].resource | "\(.name) \(.target.averageUtilization)"')"
	merge "$new/h" '{"spec":{"metrics":[{"type":"Pods","pods":{"metric":{"name":"q"},
		"target":{"type":"AverageValue","averageValue":"5"}}}]}}'
	expect 200
	api GET "$old/h"
	expect 200
	same null "$(query .spec.targetCPUUtilizationPercentage)"
	same q "$(query '.metadata.annotations["autoscaling.alpha.kubernetes.io/metrics"] |
		fromjson[0].pods.metricName')"
}

@test "a request for a certificate is decided by approval alone, and names who sent it" {
	local path=/apis/certificates.k8s.io/v1/certificatesigningrequests pem
	requires certtool
	echo 'cn = x' >"$dir/template"
	certtool --generate-privkey --key-type=ecdsa --outfile "$dir/key" >/dev/null 2>&1
	certtool --generate-request --load-privkey "$dir/key" --template "$dir/template" \
		--outfile "$dir/request" >/dev/null 2>&1
	pem=$(base64 -w0 "$dir/request")
	make "$path" '{"metadata":{"name":"r"},"spec":{"username":"root","signerName":"example.com/s",
		"usages":["client auth"],"request":"'"$pem"'"}}'
	[ "$(query .spec.username)" != root ]
	merge "$path/r/status" '{"status":{"conditions":[{"type":"Approved","status":"True"}]}}'
	expect 422 Invalid
	merge "$path/r/approval" '{"spec":{"signerName":"example.com/t"},
		"status":{"conditions":[{"type":"Approved","status":"True","reason":"R"}]}}'
	expect 200
	same 'example.com/s Approved true' "$(query '"\(.spec.signerName) \(.status.conditions[0] |
		"\(.type) \(.lastTransitionTime != null)")"')"
	merge "$path/r/approval" '{"status":{"conditions":[]}}'
	expect 422 Invalid
	api GET "$path/r" -H 'Accept: application/json;as=Table;v=v1;g=meta.k8s.io'
	same Approved "$(query '.rows[0].cells[5]')"
}

@test "a definition remembers every version that was ever stored" {
	local path=/apis/apiextensions.k8s.io/v1/customresourcedefinitions schema
	schema='"schema":{"openAPIV3Schema":{"type":"object"}}'
	make "$path" '{"metadata":{"name":"ws.example.com"},"spec":{"group":"example.com",
		"scope":"Cluster","names":{"plural":"ws","kind":"W"},
		"versions":[{"name":"v1","served":true,"storage":true,'"$schema"'}]}}'
	same v1 "$(query '.status.storedVersions | join(" ")')"
	merge "$path/ws.example.com" '{"spec":{"versions":[
		{"name":"v1","served":true,"storage":false,'"$schema"'},
		{"name":"v2","served":true,"storage":true,'"$schema"'}]}}'
	expect 200
	same 'v1 v2' "$(query '.status.storedVersions | join(" ")')"
	merge "$path/ws.example.com" '{"spec":{"versions":[
		{"name":"v2","served":true,"storage":true,'"$schema"'}]}}'
	expect 422 Invalid
	same 'status.storedVersions[0]' "$(query '.details.causes[0].field')"
}

@test "a daemon set counts its templates for old clients" {
	local path key=deprecated.daemonset.template.generation
	path=$(spaced apps/v1 daemonsets)
	make "$path" '{"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"app":"a"}},
		"template":'"$template"'}}'
	merge "$path/d" '{"spec":{"minReadySeconds":3}}'
	same 1 "$(query ".metadata.annotations[\"$key\"]")"
	merge "$path/d" '{"spec":{"template":{"spec":{"hostNetwork":true}}}}'
	same 2 "$(query ".metadata.annotations[\"$key\"]")"
}

@test "what is refused says where and why, for clients that look at causes" {
	local path
	path=$(spaced rbac.authorization.k8s.io/v1 rolebindings)
	make "$path" '{"metadata":{"name":"b"},"roleRef":{"kind":"Role","name":"r"}}'
	merge "$path/b" '{"roleRef":{"name":"other"}}'
	expect 422 Invalid
	same 'FieldValueInvalid roleRef' "$(query '.details.causes[0] | "\(.reason) \(.field)"')"
	same 'RoleBinding rbac.authorization.k8s.io b' \
		"$(query '.details | "\(.kind) \(.group) \(.name)"')"
}
