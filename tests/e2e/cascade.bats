#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The controllers as a user of kubectl sees them: pods of a controller come and
# go, what is deleted takes along what it owns or leaves it, endpoints follow.
source "$srcdir/tests/lib/functions.bash"

pods=/api/v1/namespaces/default/pods

setup_file() {
	make_dir
	use_kubectl 1.35
	start_apiserver
	start_controller_manager --leader-elect=false --secure-port=0
	api POST /api/v1/namespaces -d '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ready"}}'
	has_account() {
		api GET /api/v1/namespaces/ready/serviceaccounts/default
		[ "$code" = 200 ]
	}
	retry 20 has_account
}

# controller NAME REPLICAS
controller() {
	printf '{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"%s"},"spec":{"replicas":%s,' "$1" "$2"
	printf '"template":{"metadata":{"labels":{"app":"%s"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}' "$1"
}

# pod_names APP: of those that are not on their way out
pod_names() {
	api GET "$pods?labelSelector=app%3D$1"
	query '[.items[] | select(.metadata.deletionTimestamp == null) | .metadata.name] | sort | join(" ")'
}

has_pods() {
	local names
	names=$(pod_names "$1")
	# shellcheck disable=SC2086 # words are counted
	set -- "$2" $names
	[ $(($# - 1)) = "$1" ]
}

make_controller() {
	api POST /api/v1/namespaces/default/replicationcontrollers -d "$(controller "$1" "$2")"
	expect 201
	retry 20 has_pods "$1" "$2"
}

is_gone() {
	api GET "$1"
	[ "$code" = 404 ]
}

# rows: 184
@test "a controller makes its pods, with names of its own and five characters" {
	local name
	make_controller nginx-controller 2
	for name in $(pod_names nginx-controller); do
		[[ $name =~ ^nginx-controller-[a-z0-9]{5}$ ]]
	done
	api GET "$pods?labelSelector=app%3Dnginx-controller"
	same "ReplicationController nginx-controller true" \
		"$(query '.items[0].metadata.ownerReferences[0] | "\(.kind) \(.name) \(.controller)"')"
	run -0 kubectl describe rc nginx-controller
	has "Replicas: 2 current / 2 desired" "$(tr -s ' ' <<<"$output")"
	has "SuccessfulCreate" "$output"
	has "Created pod: nginx-controller-" "$output"
	run -0 kubectl delete rc nginx-controller
}

# rows: 10 185 186
@test "pods that are deleted are replaced by others" {
	local before after
	make_controller replaced 2
	before=$(pod_names replaced)
	replaced() {
		after=$(pod_names replaced)
		[ "$(wc -w <<<"$after")" = 2 ] && ! grep -qF "$1" <<<"$after"
	}
	run -0 kubectl delete pod "${before% *}"
	retry 20 replaced "${before% *}"
	has "${before#* }" "$after"
	run -0 kubectl delete pods -l app=replaced
	retry 20 replaced "${before#* }"
	run -0 kubectl delete rc replaced
}

# rows: 16 187 189
@test "replicas up, down, and one pod too many" {
	make_controller scaled 2
	run -0 kubectl scale rc scaled --replicas=5
	retry 20 has_pods scaled 5
	run -0 kubectl scale rc scaled --replicas=1
	retry 20 has_pods scaled 1
	api POST $pods -d "$(pod surplus '{"app":"scaled"}')"
	expect 201
	retry 20 has_pods scaled 1
	run -0 kubectl delete rc scaled
}

# rows: 89
@test "of too many pods those go first that have no node, do not run, or are not ready" {
	local name running
	make_controller chosen 4
	# run_pod NAME READY: as a scheduler and a kubelet would say it
	run_pod() {
		api POST "$pods/$1/binding" \
			-d "{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"$1\"},\"target\":{\"kind\":\"Node\",\"name\":\"n\"}}"
		expect 201
		api PATCH "$pods/$1/status" -H 'Content-Type: application/merge-patch+json' \
			-d "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"$2\"}]}}"
		expect 200
	}
	read -r name running <<<"$(pod_names chosen)"
	# The first stays without a node, the second is not ready, two are.
	run_pod "${running%% *}" False
	running=${running#* }
	for name in $running; do
		run_pod "$name" True
	done
	is_counted() {
		api GET /api/v1/namespaces/default/replicationcontrollers/chosen
		[ "$(query .status.readyReplicas)" = 2 ]
	}
	retry 20 is_counted
	run -0 kubectl scale rc chosen --replicas=2
	retry 20 has_pods chosen 2
	same "$running" "$(pod_names chosen)"
	run -0 kubectl delete rc chosen --now
}

# rows: 70
@test "deleting a controller takes its pods along" {
	make_controller background 3
	run -0 kubectl delete rc background
	[[ $output == 'replicationcontroller "background" deleted'* ]]
	retry 30 has_pods background 0
}

@test "in the foreground the pods go first" {
	make_controller foreground 2
	run -0 kubectl delete rc foreground --cascade=foreground --timeout=40s
	is_gone /api/v1/namespaces/default/replicationcontrollers/foreground
	same "" "$(pod_names foreground)"
}

# rows: 71
@test "orphaned pods stay, without their owner" {
	make_controller orphaning 2
	run -0 kubectl delete rc orphaning --cascade=orphan
	retry 20 is_gone /api/v1/namespaces/default/replicationcontrollers/orphaning
	has_pods orphaning 2
	api GET "$pods?labelSelector=app%3Dorphaning"
	same "null null" "$(query '[.items[].metadata.ownerReferences | tostring] | join(" ")')"
	# A controller of the same selector adopts them.
	make_controller orphaning 2
	run -0 kubectl delete rc orphaning
	retry 30 has_pods orphaning 0
}

# rows: 8 15 181
@test "endpoints follow the pods that a service selects" {
	local i
	endpoints() {
		api GET /api/v1/namespaces/default/endpoints/backend
		query '[.subsets[]?.addresses[]?.ip] | sort | join(" ")'
	}
	endpoints_are() {
		[ "$(endpoints)" = "$1" ]
	}
	api POST /api/v1/namespaces/default/services -d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"backend"},"spec":{"selector":{"tier":"backend"},"ports":[{"port":80,"targetPort":8080}]}}'
	expect 201
	for i in 1 2 3; do
		api POST $pods -d "$(pod "b$i" '{"tier":"backend"}')"
	done
	api POST $pods -d "$(pod b4)"
	for i in 1 2 3 4; do
		api POST $pods/b$i/binding -d "{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"b$i\"},\"target\":{\"kind\":\"Node\",\"name\":\"n\"}}"
		api PATCH $pods/b$i/status -H 'Content-Type: application/merge-patch+json' \
			-d "{\"status\":{\"phase\":\"Running\",\"podIP\":\"10.1.0.$i\",\"podIPs\":[{\"ip\":\"10.1.0.$i\"}],\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"
		expect 200
	done
	retry 20 endpoints_are "10.1.0.1 10.1.0.2 10.1.0.3"
	same "8080 TCP" "$(query '.subsets[0].ports[0] | "\(.port) \(.protocol)"')"
	api DELETE $pods/b2 -d '{"gracePeriodSeconds":0}'
	retry 20 endpoints_are "10.1.0.1 10.1.0.3"
	api PATCH $pods/b1/status -H 'Content-Type: application/strategic-merge-patch+json' \
		-d '{"status":{"conditions":[{"type":"Ready","status":"False"}]}}'
	retry 20 endpoints_are "10.1.0.3"
	run -0 kubectl describe svc backend
	has "10.1.0.3:8080" "$output"
	run -0 kubectl delete svc backend
	retry 20 is_gone /api/v1/namespaces/default/endpoints/backend
}

@test "a namespace goes with all that is in it" {
	run -0 kubectl create namespace doomed
	run -0 kubectl -n doomed create configmap a
	run -0 kubectl -n doomed create secret generic b
	api POST /api/v1/namespaces/doomed/replicationcontrollers -d "$(controller c 2)"
	expect 201
	run -0 kubectl delete namespace doomed --timeout=50s
	is_gone /api/v1/namespaces/doomed
	api GET /api/v1/namespaces/doomed/pods
	same 0 "$(query '.items | length')"
	api GET /api/v1/namespaces/doomed/configmaps
	same 0 "$(query '.items | length')"
}
