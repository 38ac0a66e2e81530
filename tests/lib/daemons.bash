# SPDX-License-Identifier: Apache-2.0
# The daemons run apart, by their own names and from the files of /etc/kubernetes.
# A bats file sources it behind the other two libraries:
#
#   source "$srcdir/tests/lib/functions.bash"
#   source "$srcdir/tests/lib/cluster.bash"
#   source "$srcdir/tests/lib/daemons.bash"
#
# Machines are hosts of cluster.bash with an /etc of their own, too, and with the
# names and addresses of the document: centos-master is 10.20.161.77,
# centos-minion .88, centos-minion01 .99. Everything about a daemon is called
# MACHINE-DAEMON: its log, its pid file, and its name for functions.bash.
# shellcheck shell=bash disable=SC2154

server=http://centos-master:8080

# machines NAME...: in a fresh $dir
machines() {
	local name
	requires_containers
	mkdir -p "$dir/bin"
	for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do
		ln -s "$program" "$dir/bin/$name"
	done
	for name; do
		case $name in
		centos-master) machine "$name" 1 77 ;;
		centos-minion) machine "$name" 2 88 ;;
		centos-minion01) machine "$name" 3 99 ;;
		esac
	done
	export server
}

# machine NAME NUMBER ADDRESS
machine() {
	make_host "$1" "$2"
	on "$1" ip address replace "10.20.161.$3/24" dev eth0
	on "$1" ip address delete "192.168.1.$((10 + $2))/24" dev eth0
	on "$1" ip route replace default via "10.20.161.1" dev eth0 onlink
	mkdir "$dir/$1/etc"
	# shellcheck disable=SC2016 # a script for there
	on "$1" bash -ec 'mount -t tmpfs -o mode=755 tmpfs "$1"
		mkdir "$1/upper" "$1/work"
		cp /etc/passwd /etc/group "$1/upper/" # as mounted there
		mount -t overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" overlay /etc
		rm -rf /etc/kubernetes
		cp -r "$2" /etc/kubernetes
		cat >/etc/hosts' machine "$dir/$1/etc" "$srcdir/config/kubernetes" <<-END
			127.0.0.1       localhost
			10.20.161.77    centos-master
			10.20.161.88    centos-minion
			10.20.161.99    centos-minion01
		END
	mounts_of "$1" >"$dir/$1.mounts"
}

# end_machines: daemons politely, the machines without asking
end_machines() {
	local status=0 file
	[ -n "${dir-}" ] || return 0
	stop_daemons || status=1
	for file in "$dir"/*.init; do
		[ ! -e "$file" ] || end_host "$(basename "$file" .init)" || status=1
	done
	rm -rf --one-file-system "$dir" || status=1
	return $status
}

# setting MACHINE FILE LINE: a line KEY="VALUE" of /etc/kubernetes/FILE, in the
# place of the one that sets this key, or at the end
setting() {
	# shellcheck disable=SC2016 # a script for there
	on "$1" bash -ec 'file=/etc/kubernetes/$1 key=${2%%=*}
		kept=$(grep -v "^$key=" "$file")
		printf "%s\n" "$kept" "$2" >"$file"' setting "$2" "$3"
}

# master_settings: what the document edits on centos-master, and what our store
# and our network need besides
master_settings() {
	setting centos-master config 'KUBE_MASTER="--master=http://centos-master:8080"'
	setting centos-master config 'KUBE_ETCD_SERVERS="--etcd_servers=http://centos-master:4001"'
	setting centos-master apiserver 'KUBE_API_ADDRESS="--address=0.0.0.0"'
	setting centos-master apiserver 'KUBE_API_PORT="--port=8080"'
	# The store of this machine, in the place of the one that the file config names.
	setting centos-master apiserver 'KUBE_ETCD_SERVERS="--storage-backend=leveldb"'
}

# minion_settings MACHINE
minion_settings() {
	setting "$1" config 'KUBE_MASTER="--master=http://centos-master:8080"'
	setting "$1" config 'KUBE_ETCD_SERVERS="--etcd_servers=http://centos-master:4001"'
	setting "$1" kubelet 'KUBELET_ADDRESS="--address=0.0.0.0"'
	setting "$1" kubelet 'KUBELET_PORT="--port=10250"'
	setting "$1" kubelet "KUBELET_HOSTNAME=\"--hostname_override=$1\""
	setting "$1" kubelet 'KUBELET_API_SERVER="--api_servers=http://centos-master:8080"'
}

# daemon MACHINE DAEMON [WORDS...]: its log begins anew. What stands before
# --config-dir is weaker than the files, as in the units. The words in "starter",
# if there are any, are a command that starts it.
starter=()
daemon() {
	local machine=$1 name=$2 words=()
	shift 2
	if [ "$name" = kubelet ]; then
		words=("--cgroup-root=$(cgroup_of "$machine")" "--import-images=$dir/images.tar"
			"--plugin-option=runtime/oci:helper-directory=$builddir/plugins/runtime/oci")
	fi
	rm -f "$dir/$machine-$name.log"
	start_on "$machine-$name" "$machine" "${starter[@]}" "$dir/bin/$name" --plugin-dir="$plugins" \
		"${words[@]}" --config-dir=/etc/kubernetes "$@"
}

# master [WORDS...]: the three daemons of a master; WORDS are the apiserver's
master() {
	daemon centos-master kube-apiserver "$@"
	retry 20 is_ready "$server"
	daemon centos-master kube-controller-manager
	daemon centos-master kube-scheduler
	retry 20 has_account
}

# minion MACHINE [WORDS...]: the two daemons of a minion; WORDS are the kubelet's
minion() {
	daemon "$1" kubelet "${@:2}"
	daemon "$1" kube-proxy
	retry 20 node_is "$1" True
}

# The clients are on the master.
curl() {
	on "${from:-centos-master}" "$(type -P curl)" "$@"
}

kubectl() {
	on centos-master timeout 60 "$KUBECTL" --server="$server" --cache-dir="$dir/cache" "$@"
}

# get PATH JQ-PROGRAM: of what the apiserver says
get() {
	curl -sf -m 10 "$server$1" | jq -r "$2"
}

# says TEXT PATH JQ-PROGRAM: the program finds exactly this
says() {
	[ "$(get "$2" "$3" 2>/dev/null)" = "$1" ]
}

# node_is NAME STATUS: of its condition Ready: True, False, Unknown
node_is() {
	says "$2" "/api/v1/nodes/$1" '.status.conditions[] | select(.type == "Ready") | .status'
}

# log_has MACHINE DAEMON PATTERN
log_has() {
	grep -qE -- "$3" "$dir/$1-$2.log"
}

# listens MACHINE PORT ADDRESS
listens() {
	on "$1" ss -Hltn "sport = :$2" | grep -qF "$3:$2"
}

# web NAME [MORE-SPEC [MORE-CONTAINER]]: a pod that serves its name
web() {
	kubectl create -f - <<-END
		{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "$1", "labels": {"app": "web"}},
		 "spec": {"terminationGracePeriodSeconds": 0${2-},
		  "containers": [{"name": "web", "image": "nginx:1.22"${3+, $3}}]}}
	END
}
