#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `coxswain up` as two processes and as one: how they reach each other, who may
# use that way, and what they pass on. Containers are hollow here.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"

setup_file() {
	requires_containers
	make_dir
	make_host one 1
	cluster_settings
	set_key one kubelet KUBELET_ARGS "--container-runtime=hollow --cert-dir=/var/lib/kubelet/pki --stop-pods-on-exit"
	# Nobody is there: the node has to come another way.
	set_key one kubelet KUBELET_API_SERVER "--api_servers=http://127.0.0.1:1"
	set_key one config KUBE_MASTER "--master=http://127.0.0.1:1"
	start_up
	retry 30 node_is_ready one
}

teardown_file() {
	end_hosts
}

# own_socket: the name that the node connects to
own_socket() {
	on one ss -xlH | awk '$1 == "u_str" && $5 ~ /^@/ { print substr($5, 2); exit }'
}

# by_socket USER CURL-WORDS...: the status of an answer, as that user of the machine
by_socket() {
	local user=$1
	shift
	on one setpriv --reuid="$user" --clear-groups "$(type -P curl)" -s -o "$dir/answer" \
		-w '%{http_code}' --abstract-unix-socket "$(own_socket)" "$@"
}

control_plane() {
	pgrep -P "$(daemon_pid up)"
}

control_plane_is_not() {
	[ "$(control_plane)" != "$1" ] && is_ready "$server"
}

@test "the node comes by a socket of their own, as itself" {
	retry 10 same one "$(curl -s "$server/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/one" | jq -r .spec.holderIdentity)"
	[ "$(control_plane | wc -l)" = 1 ]
	same "$(on one id -u kube)" "$(ps -o uid= -p "$(control_plane)" | tr -d ' ')"
	same 0 "$(ps -o uid= -p "$(daemon_pid up)" | tr -d ' ')"
	# As tools list it: no single part's name.
	same coxswain "$(ps -o comm= -p "$(daemon_pid up)")"
}

@test "every part says at its port how it is, and the server has heard it" {
	local port
	for port in 10248 10249 10251 10252; do
		same ok "$(curl -s "http://127.0.0.1:$port/healthz")"
	done
	for port in 10249 10251 10252; do
		has "# TYPE" "$(curl -s "http://127.0.0.1:$port/metrics")"
	done
	same "controller-manager True ok etcd-0 True ok scheduler True ok" "$(curl -s \
		"$server/api/v1/componentstatuses" |
		jq -r '[.items[] | .metadata.name, (.conditions[0] | .status, .message)] | join(" ")')"
}

# manages NAME PATH: whoever manages anything of the object is NAME
manages() {
	same "$1" "$(curl -s "$server$2" | jq -r '[.metadata.managedFields[]?.manager] | unique | join(" ")')"
}

@test "each part changes objects under its own name" {
	retry 10 manages kubelet /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/one
	retry 10 manages kube-apiserver /api/v1/namespaces/default/services/kubernetes
	retry 10 manages "kube-controller-manager kubelet" /api/v1/nodes/one
}

@test "on that socket root says who it is, and nobody else says anything" {
	chmod 777 "$dir"
	same 401 "$(by_socket nobody -H 'X-Remote-User: admin' http://x/api/v1/nodes)"
	same 401 "$(by_socket root http://x/api/v1/nodes)"
	same 200 "$(by_socket root -H 'X-Remote-User: system:node:one' http://x/api/v1/nodes)"
}

@test "on other ports these headers mean nothing" {
	same 401 "$(curl -sk -o "$dir/answer" -w '%{http_code}' -H 'X-Remote-User: admin' \
		https://127.0.0.1:6443/api/v1/nodes)"
}

@test "a control plane that dies is started again, and the node finds it" {
	local before seen
	before=$(control_plane)
	kill -KILL "$before"
	retry 20 control_plane_is_not "$before"
	seen=$(curl -s "$server/api/v1/nodes/one" | jq -r .status.conditions[0].lastHeartbeatTime)
	create_hollow after-death
	retry 20 pod_is Running after-death
	[ -n "$seen" ]
}

# create_hollow NAME: a pod for the runtime that has no containers
create_hollow() {
	jq -nc --arg name "$1" '{apiVersion: "v1", kind: "Pod", metadata: {$name},
		spec: {containers: [{name: "c", image: "i"}]}}' |
		curl -sf -o "$dir/created" -H 'Content-Type: application/json' -d @- \
			"$server/api/v1/namespaces/default/pods"
}

pods_are_refused() {
	! create_hollow "try-$RANDOM"
}

@test "SIGHUP reaches both processes" {
	retry 20 has_account
	create_hollow before-change
	set_key one apiserver KUBE_ADMISSION_CONTROL --admission_control=AlwaysDeny
	kill -HUP "$(daemon_pid up)"
	retry 20 pods_are_refused
	set_key one apiserver KUBE_ADMISSION_CONTROL --admission_control=NamespaceExists
	kill -HUP "$(daemon_pid up)"
	retry 20 create_hollow after-change
}

@test "what the node may do is asked of the authorizers, too" {
	stop_daemon up
	set_key one apiserver KUBE_API_ARGS --authorization-mode=AlwaysDeny
	start_up
	node_is_told() {
		grep -q 'User "system:node:one" cannot .* "nodes"' "$dir/up.log"
	}
	retry 20 node_is_told
	stop_daemon up
	set_key one apiserver KUBE_API_ARGS --authorization-mode=AlwaysAllow
}

@test "--check-config looks at every part, and flags of plugins reach the parts" {
	set_key one apiserver KUBE_ADMISSION_CONTROL --admission_control=NamespaceExist
	run -1 on one "$program" up --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins" \
		--check-config
	has "Unknown admission plugin: NamespaceExist" "$output"
	set_key one apiserver KUBE_ADMISSION_CONTROL --admission_control=NamespaceExists
	run -0 on one "$program" up --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins" \
		--check-config
	run -1 on one "$program" up --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins" \
		--check-config --plugin-option=runtime/hollow:colour=blue
	has colour "$output"
}

@test "--single-process: one process, the same data" {
	start_on up one "$program" up --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins" \
		--single-process
	retry 30 ready_or_dead up "$server"
	retry 30 node_is_ready one
	same "" "$(control_plane)"
	pod_says .metadata.name after-change
	create_hollow alone
	retry 20 pod_is Running alone
}
