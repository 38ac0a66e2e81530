#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A master and two minions: what happens on one of them and not on the other, and
# what becomes of the pods of one that is lost. Times are shortened by flags. The
# tests build on one another and run in their order.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"
source "$srcdir/tests/lib/daemons.bash"

setup_file() {
	make_dir
	use_kubectl 1.31
	make_images "$dir/images.tar"
	machines centos-master centos-minion centos-minion01
	master_settings
	setting centos-master controller-manager 'KUBE_CONTROLLER_MANAGER_ARGS="--allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16 --root-ca-file=/var/lib/kubernetes/pki/ca.crt --node-monitor-period=500ms --node-monitor-grace-period=15s --node-startup-grace-period=20s --pod-eviction-timeout=2s --deleting-pods-qps=10"'
	master
	# The network between the minions, which is the administrator's part.
	for name in centos-minion centos-minion01; do
		minion_settings $name
		minion $name
	done
	on centos-minion ip route add "$(node_range centos-minion01)" via 10.20.161.99
	on centos-minion01 ip route add "$(node_range centos-minion)" via 10.20.161.88
}

teardown_file() {
	end_machines
}

# rows: 156
@test "a directory of the host: each pod sees that of its own node" {
	local name
	for name in centos-minion centos-minion01; do
		on $name mkdir -p /var/lib/docker
		on $name sh -c 'uname -n >/var/lib/docker/name'
		web at-$name ",\"nodeName\":\"$name\",\"volumes\":[{\"name\":\"d\",\"hostPath\":{\"path\":\"/var/lib/docker\"}}]" \
			'"volumeMounts":[{"name":"d","mountPath":"/www/host"}]'
	done
	for name in centos-minion centos-minion01; do
		retry 30 pod_is_ready at-$name
		same $name "$(from=$name curl -s -m 5 "http://$(pod_says .status.podIP at-$name)/host/name")"
	done
	kubectl delete pod at-centos-minion at-centos-minion01 --now
}

# rows: 258 259 260
@test "a node selector: no node fits, then one is labelled" {
	web chooser ',"nodeSelector":{"zone":"minion01"}'
	retry 10 log_has centos-master kube-scheduler 'failed to find fit for pod chooser on node centos-minion01: MatchNodeSelector$'
	log_has centos-master kube-scheduler 'failed to find fit for pod chooser on node centos-minion: MatchNodeSelector$'
	retry 10 event FailedScheduling chooser
	same Pending "$(pod_says .status.phase chooser)"
	kubectl label nodes centos-minion01 zone=minion01
	retry 30 pod_is_ready chooser
	same centos-minion01 "$(pod_says .spec.nodeName chooser)"
	kubectl delete pod chooser --now
}

# rows: 206 7
@test "a node port answers on every node, also on one without the pod" {
	local name
	web nginx ',"nodeName":"centos-minion"'
	kubectl create -f - <<-END
		{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nginx-service"},
		 "spec": {"type": "NodePort", "selector": {"app": "web"},
		  "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}]}}
	END
	retry 30 pod_is_ready nginx
	for name in centos-minion centos-minion01; do
		retry 10 answers nginx "http://$name:30001/"
	done
	kubectl delete pod nginx --now
}

# answers TEXT URL: to the master
answers() {
	[ "$(curl -s -m 2 "$2")" = "$1" ]
}

# rows: 241
@test "a controller-manager that starts anew has not seen the nodes yet" {
	stop_daemon centos-master-kube-controller-manager
	daemon centos-master kube-controller-manager
	retry 20 log_has centos-master kube-controller-manager \
		'^W.* nodecontroller\.[a-z]*:[0-9]+\] Missing timestamp for Node centos-minion01\. Assuming now as a timestamp\.$'
}

# on_node NODE: whether all ready pods of the controller, two, are there
are_on() {
	says "$1 $1" '/api/v1/namespaces/default/pods?labelSelector=app%3Dmoving' \
		'[.items[] | select(.metadata.deletionTimestamp == null and .status.phase == "Running" and any(.status.conditions[]; .type == "Ready" and .status == "True")) | .spec.nodeName] | join(" ")'
}

# rows: 4 188 242
@test "a node that is lost: unknown, and its pods replaced on the other" {
	kubectl cordon centos-minion
	kubectl create -f - <<-END
		{"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "moving"},
		 "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "moving"}},
		  "spec": {"terminationGracePeriodSeconds": 1,
		   "containers": [{"name": "web", "image": "nginx:1.22"}]}}}}
	END
	retry 30 are_on centos-minion01
	kubectl uncordon centos-minion
	kill_daemon centos-minion01-kubelet
	kill_daemon centos-minion01-kube-proxy
	retry 40 node_is centos-minion01 Unknown
	says 'NodeStatusUnknown Kubelet stopped posting node status.' /api/v1/nodes/centos-minion01 \
		'.status.conditions[] | select(.type == "Ready") | "\(.reason) \(.message)"'
	[[ $(kubectl get nodes --no-headers) =~ centos-minion01\ +NotReady ]]
	retry 30 are_on centos-minion
}

# rows: 243
@test "the node comes back: ready again, and the pods that were replaced are ended" {
	minion centos-minion01
	retry 20 has_no_pods centos-minion01
	are_on centos-minion
	retry 20 has_no_containers centos-minion01
}

has_no_pods() {
	says 0 "/api/v1/pods?fieldSelector=spec.nodeName%3D$1" '.items | length'
}

has_no_containers() {
	! on "$1" ps -C conmon -o stat= | grep -qv Z
}
