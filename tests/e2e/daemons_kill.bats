#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every daemon in its turn is killed without a warning while containers run. The
# containers do not notice, and what was under way goes on with the next daemon.
# The tests run in their order on one cluster.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"
source "$srcdir/tests/lib/daemons.bash"

setup_file() {
	make_dir
	use_kubectl 1.31
	make_images "$dir/images.tar"
	machines centos-master centos-minion
	master_settings
	minion_settings centos-minion
	# Nobody waits for the lease of a daemon of the same machine that was killed.
	setting centos-master controller-manager 'KUBE_CONTROLLER_MANAGER_ARGS="--allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16 --root-ca-file=/var/lib/kubernetes/pki/ca.crt --leader-elect-lease-duration=300s --leader-elect-renew-deadline=10s --leader-elect-retry-period=500ms"'
	setting centos-master scheduler 'KUBE_SCHEDULER_ARGS="--leader-elect-lease-duration=300s --leader-elect-renew-deadline=10s --leader-elect-retry-period=500ms"'
	master
	minion centos-minion
	web nginx
	kubectl create -f - <<-END
		{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nginx-service"},
		 "spec": {"clusterIP": "10.254.217.168", "selector": {"app": "web"}, "ports": [{"port": 80}]}}
	END
	retry 30 pod_is_ready nginx
	retry 10 serves
	identity >"$dir/identity"
}

teardown_file() {
	end_machines
}

# The container's id and start, and the processes that it is, with theirs.
identity() {
	pod_says '.status.containerStatuses[0] | "\(.containerID) \(.state.running.startedAt) \(.restartCount)"' nginx
	processes
}

processes() {
	on centos-minion ps -C httpd,pause,conmon -o stat=,pid=,lstart=,comm= |
		awk '$1 !~ /^Z/ { $1 = ""; print }'
}

is_the_same() {
	same "$(cat "$dir/identity")" "$(identity)"
}

serves() {
	[ "$(from=centos-minion curl -s -m 2 http://10.254.217.168/)" = nginx ]
}

replicas_are() {
	says "$1" '/api/v1/namespaces/default/pods?labelSelector=app%3Drc' \
		'[.items[] | select(.metadata.deletionTimestamp == null and any(.status.conditions[]?; .type == "Ready" and .status == "True"))] | length'
}

# rows: 11 20
@test "kube-apiserver: every object is still there, the others come back by themselves" {
	local before name
	before=$(get /api/v1/namespaces/default/services/nginx-service .metadata.uid)
	kill_daemon centos-master-kube-apiserver
	is_the_same_but_api
	serves
	daemon centos-master kube-apiserver
	retry 20 is_ready "$server"
	same "$before" "$(get /api/v1/namespaces/default/services/nginx-service .metadata.uid)"
	is_the_same
	# Each of the four does its part on what is made now.
	kubectl create -f - <<-END
		{"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "rc"},
		 "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "rc"}},
		  "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "busybox:1", "command": ["sleep", "9999"]}]}}}}
	END
	retry 40 replicas_are 1
	for name in centos-master-kube-controller-manager centos-master-kube-scheduler \
		centos-minion-kubelet centos-minion-kube-proxy; do
		is_running $name
	done
}

# While nobody can be asked for the rest.
is_the_same_but_api() {
	same "$(tail -n +2 "$dir/identity")" "$(processes)"
}

# rows: 10
@test "kube-controller-manager: its successor makes what is missing" {
	kill_daemon centos-master-kube-controller-manager
	kubectl delete pods -l app=rc --now
	retry 10 replicas_are 0
	daemon centos-master kube-controller-manager
	retry 30 replicas_are 1
	kubectl delete rc rc
	retry 20 replicas_are 0
	retry 10 is_the_same
}

@test "kube-scheduler: pods wait, and its successor places them" {
	kill_daemon centos-master-kube-scheduler
	web waiting
	same null "$(pod_says .spec.nodeName waiting)"
	daemon centos-master kube-scheduler
	retry 30 pod_is_ready waiting
	kubectl delete pod waiting --now
	retry 10 is_the_same
}

# rows: 20
@test "kubelet: its successor takes the containers over" {
	kill_daemon centos-minion-kubelet
	is_the_same
	serves
	# What is asked for meanwhile waits for it.
	web meanwhile
	daemon centos-minion kubelet
	retry 30 pod_is_ready meanwhile
	kubectl delete pod meanwhile --now
	retry 20 is_the_same
	# A container that ends is noticed, as by the old one.
	on centos-minion pkill -KILL -x httpd
	retry 30 has_restarted
	retry 30 pod_is_ready nginx
	identity >"$dir/identity"
}

has_restarted() {
	[ "$(pod_says '.status.containerStatuses[0].restartCount' nginx)" = 1 ]
}

@test "kube-proxy: services answer again, under the same address" {
	kill_daemon centos-minion-kube-proxy
	is_the_same
	daemon centos-minion kube-proxy
	retry 20 serves
}

# rows: 256
@test "all five at once, and started in the wrong order: they wait for the apiserver" {
	local name
	for name in apiserver controller-manager scheduler; do
		kill_daemon centos-master-kube-$name
	done
	kill_daemon centos-minion-kubelet
	kill_daemon centos-minion-kube-proxy
	is_the_same_but_api
	daemon centos-minion kube-proxy
	daemon centos-minion kubelet
	daemon centos-master kube-scheduler
	daemon centos-master kube-controller-manager
	retry 20 log_has centos-master kube-scheduler \
		'list and watch [a-z]*: .*Failed to connect to centos-master port 8080'
	retry 20 log_has centos-master kube-controller-manager \
		'list and watch [a-z]*: .*Failed to connect to centos-master port 8080'
	daemon centos-master kube-apiserver
	retry 40 node_is centos-minion True
	retry 20 serves
	retry 20 is_the_same
	web last
	retry 40 pod_is_ready last
}
