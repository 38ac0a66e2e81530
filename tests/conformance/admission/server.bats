#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The admission plugins inside a real API server: the list of the packages.
source "$srcdir/tests/lib/functions.bash"

packaged=NamespaceLifecycle,NamespaceExists,LimitRanger,SecurityContextDeny,ServiceAccount,ResourceQuota
core=/api/v1/namespaces/default
pods=$core/pods

setup_file() {
	requires curl jq
	dir=$(mktemp -d)
	export dir
	start_apiserver --admission-control="$packaged"
}

# make KIND NAME BODY-MEMBERS: in the namespace default
make() {
	api POST "$core/$3" -d "{\"apiVersion\":\"v1\",\"kind\":\"$1\",\"metadata\":{\"name\":\"$2\"}$4}"
}

# set_status NAME HARD USED: of a quota, as its controller does
set_status() {
	api PATCH "$core/resourcequotas/$1/status" -H 'Content-Type: application/merge-patch+json' \
		-d "{\"status\":{\"hard\":$2,\"used\":$3}}"
	expect 200
}

# Until admission has seen what was just made.
refused_with() {
	api POST "$pods?dryRun=All" -d "$(pod tried)"
	[ "$code" = 403 ] && [[ $body == *"$1"* ]]
}

used() {
	api GET "$core/resourcequotas/$1"
	query ".status.used[\"$2\"]"
}

# rows: 230
@test "an unknown plugin ends the server in words that are known" {
	run "$program" kube-apiserver --plugin-dir="$plugins" --storage-backend=memory \
		--service-cluster-ip-range=10.254.0.0/16 --data-dir="$dir/other" \
		--cert-dir="$dir/other" --admission-control=NamespaceLifecycle,Nonsense --check-config
	[ "$status" -ne 0 ]
	has 'Unknown admission plugin: Nonsense' "$output"
}

@test "a pod waits for its account in vain, then is refused" {
	api POST "$pods" -d "$(pod early)"
	expect 403 Forbidden
	message 'pods "early" is forbidden: error looking up service account default/default: serviceaccount "default" not found'
}

@test "a pod gets account, token and mount" {
	make ServiceAccount default serviceaccounts ''
	expect 201
	api POST "$pods" -d "$(pod web)"
	expect 201
	same default "$(query .spec.serviceAccountName)"
	same 'token ca.crt namespace' "$(query '[.spec.volumes[0].projected.sources[]
		| .serviceAccountToken.path // .configMap.items[0].path // .downwardAPI.items[0].path] | join(" ")')"
	same "$(query .spec.volumes[0].name) true /var/run/secrets/kubernetes.io/serviceaccount" \
		"$(query '.spec.containers[0].volumeMounts[0] | "\(.name) \(.readOnly) \(.mountPath)"')"
}

@test "namespaces: missing, kept, on their way out" {
	api POST /api/v1/namespaces/nowhere/pods -d "$(pod web)"
	expect 404 NotFound
	message 'namespaces "nowhere" not found'
	same nowhere "$(query .details.name)"
	api DELETE /api/v1/namespaces/default
	expect 403 Forbidden
	message 'namespaces "default" is forbidden: this namespace may not be deleted'
	api POST /api/v1/namespaces -d '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"going"}}'
	expect 201
	api DELETE /api/v1/namespaces/going
	expect 200
	api POST /api/v1/namespaces/going/configmaps -d '{"metadata":{"name":"m"}}'
	expect 403 Forbidden
	message 'configmaps "m" is forbidden: unable to create new content in namespace going because it is being terminated'
	same NamespaceTerminating "$(query '.details.causes[0].reason')"
}

@test "a security context is refused" {
	api POST "$pods" -d "$(pod root | jq -c '.spec.securityContext = {"runAsUser": 0}')"
	expect 403 Forbidden
	message 'pods "root" is forbidden: pod.Spec.SecurityContext.RunAsUser is forbidden'
}

@test "limit ranges give and forbid" {
	make LimitRange l limitranges \
		',"spec":{"limits":[{"type":"Container","max":{"cpu":"2"},"default":{"cpu":"1"},"defaultRequest":{"cpu":"100m"}}]}'
	expect 201
	big=$(pod big | jq -c '.spec.containers[0].resources = {"limits": {"cpu": "3"}}')
	is_limited() {
		api POST "$pods?dryRun=All" -d "$big"
		[ "$code" = 403 ]
	}
	retry 10 is_limited
	message 'pods "big" is forbidden: [maximum cpu usage per Container is 2, but limit is 3, maximum cpu usage per Container is 2, but request is 3]'
	api POST "$pods" -d "$(pod given)"
	expect 201
	same '{"limits":{"cpu":"1"},"requests":{"cpu":"100m"}}' \
		"$(query '.spec.containers[0].resources | tojson')"
	same 'LimitRanger plugin set: cpu request for container c; cpu limit for container c' \
		"$(query '.metadata.annotations["kubernetes.io/limit-ranger"]')"
	api DELETE "$core/limitranges/l"
	expect 200
}

@test "a quota holds against a crowd" {
	make ResourceQuota q resourcequotas ',"spec":{"hard":{"pods":"10"}}'
	expect 201
	set_status q '{"pods":"10"}' '{"pods":"10"}'
	retry 10 refused_with 'exceeded quota: q, requested: pods=1, used: pods=10, limited: pods=10'
	set_status q '{"pods":"10"}' '{"pods":"0"}'
	crowd() {
		for i in 1 2 3 4 5 6; do
			curl -s -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/json' \
				-d "$(pod "crowd-$1-$i")" "$server$pods"
		done
	}
	for i in 1 2 3 4; do
		crowd "$i" >"$dir/codes.$i" &
		crowds+=($!)
	done
	wait "${crowds[@]}"
	same 10 "$(cat "$dir"/codes.* | grep -c 201)"
	same 14 "$(cat "$dir"/codes.* | grep -c 403)"
	same 10 "$(used q pods)"
	api POST "$pods" -d "$(pod late)"
	expect 403 Forbidden
	message 'pods "late" is forbidden: exceeded quota: q, requested: pods=1, used: pods=10, limited: pods=10'
}

# The server checks tokens of others and signs none.
# rows: 226
@test "without a key that signs, a pod is refused in the old words" {
	cp "$dir/data/pki/sa.pub" "$dir/theirs.pub"
	stop_daemon apiserver
	start_apiserver --admission-control="$packaged" --service-account-key-file="$dir/theirs.pub"
	make ServiceAccount default serviceaccounts ''
	expect 201
	api POST "$pods" -d "$(pod nginx)"
	expect 403 Forbidden
	message 'Pod "nginx" is forbidden: no API token found for service account default/default, retry after the token is automatically created and added to the service account'
}
