#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `coxswain up` when one of its two processes is killed without a warning.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"

setup_file() {
	local lease='--leader-elect-lease-duration=3s --leader-elect-renew-deadline=2s --leader-elect-retry-period=500ms'
	make_dir
	requires_containers
	make_host one 1
	cluster_settings
	# The successor of one that was killed waits for its lease.
	set_key one controller-manager KUBE_CONTROLLER_MANAGER_ARGS \
		"--root-ca-file=/var/lib/kubernetes/pki/ca.crt --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16 $lease"
	set_key one scheduler KUBE_SCHEDULER_ARGS "$lease"
	start_up
	retry 30 node_is_ready one
	retry 30 has_account
	make first
	retry 30 pod_is_ready first
	identity >"$dir/identity"
}

teardown_file() {
	end_hosts
}

make() {
	simple_pod "$1" 'exec sleep 9999' >"$dir/pod.json"
	api POST /api/v1/namespaces/default/pods -d @"$dir/pod.json"
	expect 201
}

# The container of "first", and its process with its start.
identity() {
	pod_says '.status.containerStatuses[0] | "\(.containerID) \(.state.running.startedAt) \(.restartCount)"' first
	processes
}

processes() {
	on one ps -C sleep -o pid=,lstart=,args= | grep 9999 | head -n 1
}

control_plane() {
	on one ps -e -o pid=,args= | sed -n 's/^ *\([0-9]*\) coxswain control-plane.*/\1/p'
}

has_no_control_plane() {
	[ -z "$(control_plane)" ]
}

@test "the node's process: the control plane ends, containers run, and the next start adopts them" {
	[ -n "$(control_plane)" ]
	kill_daemon up
	same "$(tail -n 1 "$dir/identity")" "$(processes)"
	retry 20 has_no_control_plane
	# In order, not in the midst of something.
	grep -q 'The process that started the control plane has ended: stopping' "$dir/up.log"
	lacks 'ending now' "$(cat "$dir/up.log")"
	start_up
	retry 30 node_is_ready one
	make second
	retry 40 pod_is_ready second
	same "$(cat "$dir/identity")" "$(identity)"
}

# rows: 11
@test "the control plane's process: it is started again, with all objects" {
	local old
	old=$(control_plane)
	on one kill -KILL "$old"
	retry 20 is_another "$old"
	retry 30 is_ready "$server"
	pod_is_ready first
	make third
	retry 40 pod_is_ready third
	same "$(cat "$dir/identity")" "$(identity)"
	is_running up
}

is_another() {
	local now
	now=$(control_plane)
	[ -n "$now" ] && [ "$now" != "$1" ]
}
