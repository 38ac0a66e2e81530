#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Services of the type LoadBalancer with the cloud plugin "local": apiserver and
# controller manager. The tests use one cluster and run in their order.
source "$srcdir/tests/lib/functions.bash"

services=/api/v1/namespaces/default/services

setup_file() {
	requires curl jq
	make_dir
	start_apiserver
	api POST /api/v1/nodes -d '{"apiVersion":"v1","kind":"Node","metadata":{"name":"one"},
		"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
	expect 201
	# A range of two addresses, and one more.
	printf '# for the tests\naddresses="192.0.2.16/30,192.0.2.40"\n' >"$dir/cloud"
	start_manager
}

start_manager() {
	start_controller_manager --leader-elect=false --controllers=service \
		--cloud-provider=local --cloud-config="$dir/cloud" "$@"
}

# service NAME [SPEC-MEMBERS]: posts it
service() {
	api POST $services -d "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":
		\"$1\"},\"spec\":{\"type\":\"LoadBalancer\",\"selector\":{\"app\":\"$1\"},
		\"ports\":[{\"port\":80}]${2:+,$2}}}"
	expect 201
}

# says TEXT NAME JQ-PROGRAM: of a service
says() {
	[ "$(curl -sf "$server$services/$2" | jq -rc "$3")" = "$1" ]
}

has_address() {
	says "$1" "$2" '.status.loadBalancer.ingress[0].ip'
}

is_gone() {
	[ "$(curl -s -o "$dir/gone" -w '%{http_code}' "$server$services/$1")" = 404 ]
}

# event REASON NAME [TEXT]: about a service, with TEXT in it
event() {
	curl -sf "$server/api/v1/namespaces/default/events" | jq -e --arg reason "$1" \
		--arg name "$2" --arg text "${3-}" 'any(.items[]; .reason == $reason and
		.involvedObject.name == $name and (.message | contains($text)))' >"$dir/event"
}

remove() {
	api DELETE "$services/$1"
	expect 200
}

# rows: 22 213
@test "a service gets a cluster IP, a node port and an ingress IP in its status" {
	service web
	retry 10 has_address 192.0.2.17 web
	api GET "$services/web"
	expect 200
	[[ $(query .spec.clusterIP) == 10.254.* ]]
	[[ $(query '.spec.ports[0].nodePort') =~ ^3[0-2][0-9]{3}$ ]]
	same '{"ingress":[{"ip":"192.0.2.17","ipMode":"VIP"}]}' "$(query '.status.loadBalancer | tojson')"
	same '["service.kubernetes.io/load-balancer-cleanup"]' "$(query '.metadata.finalizers | tojson')"
	retry 10 event EnsuredLoadBalancer web 'Ensured load balancer'
	event EnsuringLoadBalancer web 'Ensuring load balancer'
}

@test "the table shows it" {
	local row
	use_kubectl 1.35
	row=$(kubectl get service web --no-headers)
	[[ $row =~ ^web\ +LoadBalancer\ +10\.254\.[0-9.]+\ +192\.0\.2\.17\ +80:3[0-9]+/TCP ]]
}

@test "a class of its own makes it somebody else's" {
	service theirs '"loadBalancerClass":"example.com/theirs"'
	service more
	retry 10 has_address 192.0.2.18 more
	says null theirs .metadata.finalizers
	says '{}' theirs .status.loadBalancer
	remove theirs
	retry 10 is_gone theirs
}

@test "the address that a service asks for, and one that it cannot have" {
	service asks '"loadBalancerIP":"192.0.2.17"'
	retry 10 event SyncLoadBalancerFailed asks 'Error syncing load balancer: failed to ensure load balancer: loadBalancerIP 192.0.2.17 belongs to default/web'
	says '{}' asks .status.loadBalancer
	api PATCH "$services/asks" -H 'Content-Type: application/merge-patch+json' \
		-d '{"spec":{"loadBalancerIP":"192.0.2.40"}}'
	expect 200
	# At once: it is another wish.
	retry 4 has_address 192.0.2.40 asks
}

@test "a full range is told, and whoever waits gets what is given back" {
	service late
	retry 10 event SyncLoadBalancerFailed late 'no IPv4 address is free in the ranges for load balancers (192.0.2.16/30,192.0.2.40)'
	says '{}' late .status.loadBalancer
	remove more
	retry 10 is_gone more
	retry 4 has_address 192.0.2.18 late
	retry 10 event DeletedLoadBalancer more 'Deleted load balancer'
	event DeletingLoadBalancer more 'Deleting load balancer'
}

@test "another type gives address, node port and finalizer back" {
	api PATCH "$services/web" -H 'Content-Type: application/merge-patch+json' \
		-d '{"spec":{"type":"ClusterIP"}}'
	expect 200
	retry 10 says null web .metadata.finalizers
	says '{}' web .status.loadBalancer
	says null web '.spec.ports[0].nodePort'
	service next
	retry 10 has_address 192.0.2.17 next
	api PATCH "$services/web" -H 'Content-Type: application/merge-patch+json' \
		-d '{"spec":{"type":"LoadBalancer"}}'
	expect 200
	retry 10 event SyncLoadBalancerFailed web 'no IPv4 address is free'
	remove next
	retry 4 has_address 192.0.2.17 web
}

@test "source ranges are refused, not passed over" {
	service open '"loadBalancerSourceRanges":["10.0.0.0/8"]'
	retry 10 event SyncLoadBalancerFailed open 'loadBalancerSourceRanges is set'
	says '{}' open .status.loadBalancer
	remove open
	retry 10 is_gone open
}

@test "other nodes are told; those that are not ready do not count" {
	! event UpdatedLoadBalancer late || return 1
	api POST /api/v1/nodes -d '{"apiVersion":"v1","kind":"Node","metadata":{"name":"two"}}'
	expect 201
	api PATCH /api/v1/nodes/two/status -H 'Content-Type: application/merge-patch+json' \
		-d '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
	expect 200
	retry 10 event UpdatedLoadBalancer late 'Updated load balancer with new hosts'
}

@test "a killed controller manager comes back to the same addresses" {
	kill_daemon controller-manager
	# What happens meanwhile: one goes, two come that want what others have.
	remove web
	says '["service.kubernetes.io/load-balancer-cleanup"]' web .metadata.finalizers
	service new
	start_manager --concurrent-service-syncs=4
	retry 20 is_gone web
	retry 10 has_address 192.0.2.17 new
	has_address 192.0.2.40 asks
	has_address 192.0.2.18 late
	# Nothing was given to two.
	same '["192.0.2.17","192.0.2.18","192.0.2.40"]' "$(curl -sf "$server$services" |
		jq -c '[.items[].status.loadBalancer.ingress[]?.ip] | sort')"
	stop_daemon controller-manager
}

@test "the plugin and its file are shown and checked" {
	cm() {
		run "$1" "$program" kube-controller-manager --plugin-dir="$plugins" \
			--controllers=service "${@:2}"
	}
	cm -0 --cloud-provider=local --cloud-config="$dir/cloud" --list-plugins
	has $'\nkind=cloud\nname=local\n' "$output"
	cm -0 --cloud-provider=external --check-config
	cm -1 --cloud-provider=locla --check-config
	has 'cloud-locla: not found in ' "$output"
	has '(did you mean "local"? from the command line)' "$output"
	printf 'addresses=192.0.2.0/30\nadresses=192.0.2.4\n' >"$dir/wrong"
	cm -1 --cloud-provider=local --cloud-config="$dir/wrong" --check-config
	same "kube-controller-manager: cloud plugin \"local\" has no option \"adresses\", did you mean \"addresses\"? (set in $dir/wrong:2)" "$output"
	cm -1 --cloud-provider=local --cloud-config="$dir/missing" --check-config
	same "kube-controller-manager: --cloud-config: open $dir/missing: No such file or directory" "$output"
	cm -1 --cloud-config="$dir/cloud" --check-config
	same "kube-controller-manager: --cloud-config=$dir/cloud: nothing reads it without a cloud plugin in --cloud-provider" "$output"
	cm -1 --cloud-provider=local --plugin-option=cloud/local:addresses=192.0.2.1/24 --check-config
	same 'kube-controller-manager: cloud plugin "local": option "addresses": "192.0.2.1/24": bits are set behind the prefix' "$output"
}

@test "zones of nodes, and the taint of those that wait for the cloud" {
	local node
	for node in three four; do
		api POST /api/v1/nodes -d "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{
			\"name\":\"$node\"},\"spec\":{\"taints\":[{\"key\":
			\"node.cloudprovider.kubernetes.io/uninitialized\",\"value\":\"true\",
			\"effect\":\"NoSchedule\"},{\"key\":\"mine\",\"effect\":\"NoSchedule\"}]}}"
		expect 201
	done
	start_controller_manager --leader-elect=false --controllers=cloudnode \
		--cloud-provider=local --plugin-option=cloud/local:region=home \
		--plugin-option=cloud/local:zone=hall --plugin-option=cloud/local:node-zones=four=attic
	label() {
		[ "$(curl -sf "$server/api/v1/nodes/$1" | jq -rc \
			".metadata.labels.\"topology.kubernetes.io/$2\"")" = "$3" ]
	}
	retry 10 label three zone hall
	retry 10 label four zone attic
	label four region home
	same '["mine"]' "$(curl -sf "$server/api/v1/nodes/four" | jq -c '[.spec.taints[].key]')"
	stop_daemon controller-manager
}

has_account() {
	curl -sf -o "$dir/account" "$server/api/v1/namespaces/fresh/serviceaccounts/default"
}

@test "without a cloud that is said once, and the others work" {
	rm -f "$dir/controller-manager.log"
	service alone
	start_controller_manager --leader-elect=false
	api POST /api/v1/namespaces -d '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"fresh"}}'
	expect 201
	retry 20 has_account
	same 1 "$(grep -c 'no cloud plugin: services of the type LoadBalancer get no load balancer' "$dir/controller-manager.log")"
	says '{}' alone .status.loadBalancer
	says null alone .metadata.finalizers
	# What the cloud gave is not taken away by its absence.
	has_address 192.0.2.18 late
}
