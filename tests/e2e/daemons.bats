#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The five daemons by their names, each with the files of /etc/kubernetes as the
# document edits them: centos-master has the three of a master, centos-minion the
# two of a minion. The tests build on one another and run in their order.
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
}

teardown_file() {
	end_machines
}

# names MACHINE: of the daemons that run there, one a line
names() {
	on "$1" ps -e -o args= | sed -n "s,^$dir/bin/\([a-z-]*\).*,\1,p" | sort
}

# rows: 1 24 28 29 34 36 37 38 39
@test "the apiserver: the files that the package brings, edited as the document says" {
	daemon centos-master kube-apiserver
	from=centos-minion retry 20 is_ready "$server"
	listens centos-master 8080 0.0.0.0
	run -0 on centos-master "$dir/bin/kube-apiserver" --config-dir=/etc/kubernetes --dump-config
	[[ $output =~ storage-backend[^$'\n']*leveldb[^$'\n']*/etc/kubernetes/apiserver:[0-9]+ ]]
	lacks centos-master:4001 "$output"
	on centos-master grep -q '^#KUBE_ETCD_SERVERS="--etcd_servers=http://127.0.0.1:2379"' \
		/etc/kubernetes/apiserver
	on centos-master test -e /var/lib/kubernetes/pki/ca.crt
	on centos-master test -e /var/run/kubernetes/apiserver.crt
}

# rows: 58
@test "before a minion is there: no node" {
	has "No resources found" "$(kubectl get nodes 2>&1)"
}

# rows: 17 28
@test "the other two of a master find it by KUBE_MASTER" {
	daemon centos-master kube-controller-manager
	daemon centos-master kube-scheduler
	retry 20 has_account
	same "kube-apiserver
kube-controller-manager
kube-scheduler" "$(names centos-master)"
}

# rows: 18 28 48 49 50 52 57
@test "the two of a minion: the node registers as the file says, and is ready" {
	minion centos-minion
	same "kube-proxy
kubelet" "$(names centos-minion)"
	# The port opens when the cluster's CA is there, and takes the apiserver alone.
	retry 20 listens centos-minion 10250 0.0.0.0
	same 401 "$(curl -sk -o /dev/null -w '%{http_code}' https://centos-minion:10250/pods)"
	run -0 kubectl get nodes --show-labels
	[[ ${lines[0]} =~ ^NAME\ +STATUS\ +ROLES\ +AGE\ +VERSION\ +LABELS$ ]]
	[[ ${lines[1]} =~ ^centos-minion\ +Ready\ .*kubernetes.io/hostname=centos-minion ]]
	same 2 "${#lines[@]}"
}

# rows: 254
@test "describe says what the node is made of" {
	run -0 kubectl describe node centos-minion
	[[ $output =~ "Kernel Version:"\ +"$(uname -r)" ]]
	# shellcheck disable=SC1091
	[[ $output =~ "OS Image:"\ +"$(. /etc/os-release && echo "$PRETTY_NAME")" ]]
	[[ $output =~ "Container Runtime Version:"\ +[a-z]+://[0-9] ]]
	[[ $output =~ "Kubelet Version:"\ +v1\.[0-9]+\.[0-9]+ ]]
	[[ $output =~ InternalIP:\ +10\.20\.161\.88 ]]
	[[ $output =~ Hostname:\ +centos-minion ]]
}

# rows: 13 20
@test "a pod is scheduled to the minion, runs there and answers" {
	web nginx
	retry 30 pod_is_ready nginx
	same nginx "$(from=centos-minion curl -s -m 5 "http://$(pod_says .status.podIP nginx)/")"
	has "Successfully assigned default/nginx to centos-minion" "$(kubectl get events)"
	same 10.20.161.88 "$(pod_says .status.hostIP nginx)"
	same "serving on port 80" "$(kubectl logs nginx)"
}

# pid_there MACHINE DAEMON: as that machine counts
pid_there() {
	on "$1" ps -e -o pid=,args= | awk -v program="$dir/bin/$2" '$2 == program { print $1 }'
}

# peers MACHINE DAEMON: whom it has connected to
peers() {
	on "$1" ss -Htnp state established |
		awk -v pid="pid=$(pid_there "$1" "$2")," 'index($0, pid) && $3 !~ /:10250$/ { print $4 }' | sort -u
}

# opens_store MACHINE DAEMON: it has a file of the store open
opens_store() {
	on "$1" find "/proc/$(pid_there "$1" "$2")/fd" -lname '/var/lib/kubernetes/*' | grep -q .
}

speaks_to_apiserver() {
	[ "$(peers "$1" "$2")" = 10.20.161.77:8080 ]
}

# rows: 21
@test "the apiserver alone has the store; the others connect to it, and to nothing else" {
	local machine name
	on centos-minion grep -q '^KUBE_ETCD_SERVERS="--etcd_servers=http://centos-master:4001"' \
		/etc/kubernetes/config
	opens_store centos-master kube-apiserver
	while read -r machine name; do
		retry 10 speaks_to_apiserver "$machine" "$name"
		run -1 opens_store "$machine" "$name"
	done <<-'END'
		centos-master kube-controller-manager
		centos-master kube-scheduler
		centos-minion kubelet
		centos-minion kube-proxy
	END
	# Nor does the document's server of the store have to be there for them.
	run -0 on centos-minion "$dir/bin/kubelet" --config-dir=/etc/kubernetes --dump-config
	lacks etcd "$output"
	# And so say their manuals.
	grep -qx 'All it knows of the cluster it lists and watches at the API server; the store is' \
		"$srcdir/core/kubelet/kubelet.8"
	grep -qx 'It lists and watches both at the API server, and never speaks to the store.' \
		"$srcdir/core/proxy/kube-proxy.8"
}

# rows: 12
@test "the store has objects where users of the first release look for them" {
	local key
	kubectl create -f "$srcdir/config/examples/nginx-rc.yaml"
	kubectl delete rc nginx-controller --now
	on centos-master sh -c 'cat /var/lib/kubernetes/leveldb/*.log' | grep -aoE '/registry/[a-z0-9./-]+' | sort -u >"$dir/keys"
	for key in pods/default/nginx minions/centos-minion services/specs/default/kubernetes \
		services/endpoints/default/kubernetes controllers/default/nginx-controller \
		namespaces/default serviceaccounts/default/default; do
		grep -qxF "/registry/$key" "$dir/keys"
	done
}

# rows: 237
@test "a kubelet whose runtime does not work: not ready, and why, and not crashed" {
	local file files
	files=$(type -P crun runc)
	stop_daemon centos-minion-kubelet
	for file in $files; do
		on centos-minion mount --bind /bin/false "$file"
	done
	daemon centos-minion kubelet
	retry 20 node_is centos-minion False
	has "container runtime is down" "$(kubectl describe node centos-minion)"
	has NotReady "$(kubectl get nodes)"
	is_running centos-minion-kubelet
	stop_daemon centos-minion-kubelet
	for file in $files; do
		on centos-minion umount "$file"
	done
	daemon centos-minion kubelet
	retry 20 node_is centos-minion True
}

# rows: 51
@test "without KUBELET_HOSTNAME the node is called as the host is" {
	stop_daemon centos-minion-kubelet
	setting centos-minion kubelet '#KUBELET_HOSTNAME="--hostname_override=other"'
	on centos-minion sed -i '/^KUBELET_HOSTNAME=/d' /etc/kubernetes/kubelet
	on centos-minion hostname CentOS-Minion01
	daemon centos-minion kubelet
	retry 20 node_is centos-minion01 True
	stop_daemon centos-minion-kubelet
}

# rows: 53
@test "without --api_servers a kubelet warns that it has no apiserver, and runs" {
	setting centos-minion kubelet 'KUBELET_API_SERVER=""'
	daemon centos-minion kubelet
	retry 10 log_has centos-minion kubelet '^W.*No API client: neither --api-servers nor a kubeconfig says'
	retry 10 log_has centos-minion kubelet 'Starting kubelet for node centos-minion01'
	is_running centos-minion-kubelet
	stop_daemon centos-minion-kubelet
}

@test "SIGTERM ends each of them with status 0" {
	local name
	stop_daemons
	minion_settings centos-minion
	master
	minion centos-minion
	for name in centos-minion-kubelet centos-minion-kube-proxy centos-master-kube-scheduler \
		centos-master-kube-controller-manager centos-master-kube-apiserver; do
		stop_daemon "$name"
	done
}
