# SPDX-License-Identifier: Apache-2.0
# Whole clusters for the end-to-end tests. A bats file sources it behind the
# other library:
#
#   source "$srcdir/tests/lib/functions.bash"
#   source "$srcdir/tests/lib/cluster.bash"
#
# A host is a set of namespaces: it has processes, mounts, a name and a network
# of its own, and its /var/lib, /var/log and /run are $dir/NAME/{lib,log,run}.
# So the daemons have their usual ports, paths and rules, and any number of
# tests run at a time. All hosts are on one wire with the machine "world"
# (192.168.1.1); the first host is 192.168.1.11, the second 192.168.1.12.
#
# A host dies with the shell that made it, and all that runs on it dies with
# it: processes in any depth, mounts, addresses, rules. That is for a test that
# is killed; whoever ends in order calls end_hosts, which looks for everything
# that should not be there any more before it ends them.
# shellcheck shell=bash disable=SC2154

master=192.168.1.11
world_address=192.168.1.1

# What a cluster of real containers needs of the machine.
requires_containers() {
	requires busybox conmon curl ip iptables jq nsenter setpriv tar unshare
	command -v crun >/dev/null || command -v runc >/dev/null ||
		skip "neither crun nor runc is installed"
	[ "$(id -u)" = 0 ] || skip "containers need root"
	case $builddir/$srcdir in
	/var/lib/* | /var/log/* | /run/* | */var/lib/* | */run/*)
		skip "hosts of the tests have a /var/lib and a /run of their own" ;;
	esac
}

# Hosts

# host_pid NAME: the first process of a host
host_pid() {
	cat "$dir/$1.init"
}

# on NAME COMMAND...: on that host, as any process there would
on() {
	nsenter --target "$(host_pid "$1")" --mount --uts --ipc --net --pid -- "${@:2}"
}

# on_net NAME COMMAND...: in its network alone, with this machine's files
on_net() {
	nsenter --net="/proc/$(host_pid "$1")/ns/net" -- "${@:2}"
}

# The library's requests, and the client's, come from the first host.
curl() {
	on_net "${from:-one}" "$(type -P curl)" "$@"
}

kubectl() {
	(cd "$dir" && timeout 60 nsenter --net="/proc/$(host_pid one)/ns/net" -- \
		"$KUBECTL" --server="$server" --cache-dir="$dir/cache" "$@")
}

# child_of PID FILE: writes the one process that it started to FILE
child_of() {
	retry 10 has_child "$@"
}

has_child() {
	ps --ppid "$1" -o pid= | tr -d ' ' >"$2" && [ -s "$2" ]
}

# new_host NAME: only the namespaces; its first process does nothing but reap.
new_host() {
	setpriv --pdeathsig KILL unshare --mount --uts --ipc --net --pid --fork --kill-child \
		--mount-proc env --ignore-signal=CHLD sleep infinity \
		>>"$dir/$1.log" 2>&1 3>&- </dev/null &
	printf '%s\n' $! >"$dir/$1.holder"
	child_of $! "$dir/$1.init"
	retry 10 is_asleep "$1"
	on "$1" hostname "$1"
	on "$1" ip link set lo up
}

is_asleep() {
	[ "$(tr '\0' ' ' <"/proc/$(host_pid "$1")/cmdline")" = "sleep infinity " ]
}

# The wire, and a machine on it that is no part of any cluster.
make_world() {
	new_host world
	on world ip link add wire type bridge
	on world ip address add $world_address/24 dev wire
	on world ip link set wire up
}

# make_host NAME NUMBER: a host on the wire, with address 192.168.1.(10 + NUMBER)
make_host() {
	local directory
	[ -e "$dir/world.init" ] || make_world
	chmod 755 "$dir" # the control plane is not root
	new_host "$1"
	for directory in lib log run; do
		mkdir -p "$dir/$1/$directory"
	done
	on "$1" mount --bind "$dir/$1/lib" /var/lib
	on "$1" mount --bind "$dir/$1/log" /var/log
	on "$1" mount --bind "$dir/$1/run" /run
	give_user "$1"
	on_net world ip link add "$1" type veth peer name eth0 netns "$(host_pid "$1")"
	on world ip link set "$1" master wire up
	on "$1" ip address add "192.168.1.$((10 + $2))/24" dev eth0
	on "$1" ip link set eth0 up
	on "$1" ip route add default via $world_address
	# What it is like when nothing runs there.
	mounts_of "$1" >"$dir/$1.mounts"
}

# give_user HOST: the one of the control plane, which this machine need not have
give_user() {
	! on "$1" id kube >/dev/null 2>&1 || return 0
	cp /etc/passwd /etc/group "$dir/$1/"
	printf 'kube:x:60777:60777::/nonexistent:/usr/sbin/nologin\n' >>"$dir/$1/passwd"
	printf 'kube:x:60777:\n' >>"$dir/$1/group"
	on "$1" mount --bind "$dir/$1/passwd" /etc/passwd
	on "$1" mount --bind "$dir/$1/group" /etc/group
}

# start_on NAME HOST COMMAND...: a daemon there; stop_daemon NAME ends it
start_on() {
	local name=$1
	start_daemon "$name" nsenter --target "$(host_pid "$2")" --mount --uts --ipc --net \
		--pid --wd="$dir" -- "${@:3}"
	mv "$dir/$name.pid" "$dir/$name.parent"
	child_of "$(cat "$dir/$name.parent")" "$dir/$name.pid"
}

mounts_of() {
	on "$1" cut -d' ' -f2,3 /proc/mounts
}

# processes_of HOST: all but its first, and those that look
processes_of() {
	on "$1" ps -e -o pid=,stat=,args= | awk '$1 != 1 && $2 !~ /^Z/ && !/ps -e -o pid=/'
}

has_no_processes() {
	[ -z "$(processes_of "$1")" ]
}

# mounts_left HOST: those that a cluster made. Others may go by themselves, when
# another test removes the directory that they were copied from.
mounts_left() {
	mounts_of "$1" | grep -vxFf "$dir/$1.mounts"
}

has_no_mounts_left() {
	! mounts_left "$1" >/dev/null
}

cgroup_of() {
	printf '/%s-%s' "${dir##*/}" "$1"
}

# cgroups_of HOST: the directories of its containers
cgroups_of() {
	find /sys/fs/cgroup -path "*$(cgroup_of "$1")/*" -type d -printf '/%P\n' 2>/dev/null |
		sed "s,.*$(cgroup_of "$1")/,," | sort -u
}

links_of() {
	on "$1" ip -o link show type veth | awk -F': ' '{ print $2 }' | grep -v '^eth0@' || :
}

# is_clean HOST: nothing of a cluster is left, but what is left on purpose:
# data, and the bridge and the rules for the next daemons.
is_clean() {
	local status=0
	retry 15 has_no_processes "$1" || {
		processes_of "$1" >&2
		status=1
	}
	retry 15 has_no_mounts_left "$1" || {
		mounts_left "$1" >&2
		status=1
	}
	same "" "$(cgroups_of "$1")" || status=1
	same "" "$(links_of "$1")" || status=1
	on "$1" "$program" kube-proxy --plugin-dir="$plugins" --cleanup-iptables || status=1
	same "" "$(on "$1" iptables-save | grep KUBE)" || status=1
	return $status
}

# remove_cgroups HOST: the root of its containers, which a kubelet leaves, and
# after a failure whatever is in it
remove_cgroups() {
	local group
	find /sys/fs/cgroup -depth \( -path "*$(cgroup_of "$1")" -o -path "*$(cgroup_of "$1")/*" \) \
		-type d 2>/dev/null |
		while read -r group; do
			rmdir "$group" || return 1
		done
}

end_host() {
	local holder
	holder=$(cat "$dir/$1.holder")
	kill -KILL "$(host_pid "$1")" "$holder" 2>/dev/null || :
	{ wait "$holder"; } 2>/dev/null || :
	rm -f "$dir/$1.holder" "$dir/$1.init"
	! [ -e "$dir/$1.mounts" ] || retry 10 remove_cgroups "$1" 2>>"$dir/end" ||
		{ cat "$dir/end" >&2; return 1; }
}

# end_hosts: stops the daemons, then finds nothing left, then ends the hosts.
end_hosts() {
	local status=0 file name
	[ -n "${dir-}" ] || return 0
	stop_seconds=45 stop_daemons || status=1
	for file in "$dir"/*.mounts; do
		[ -e "$file" ] || continue
		name=$(basename "$file" .mounts)
		[ -e "$dir/$name.init" ] || continue
		is_clean "$name" || status=1
		end_host "$name" || status=1
	done
	[ ! -e "$dir/world.init" ] || end_host world || status=1
	rm -rf --one-file-system "$dir" || status=1
	return $status
}

# Images

# image_config NAME:TAG WORDS-JSON LAYER-SHA256: writes its configuration and
# says its entry of the archive's list
image_config() {
	local file=${1//[:\/]/-}.json
	jq -n --argjson words "$2" --arg sum "sha256:$3" \
		--arg arch "$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')" \
		'{architecture: $arch, os: "linux", config: ({Env: ["PATH=/bin"]} + $words),
		rootfs: {type: "layers", diff_ids: [$sum]}}' >"$dir/image/$file"
	jq -n --arg file "$file" --arg name "$1" \
		'{Config: $file, RepoTags: [$name], Layers: ["layer.tar"]}'
}

# make_images FILE: an archive of small images under the names that the examples
# use. All have busybox. The program "web [PORT]" serves the pod's name.
make_images() {
	local root=$dir/image/root applet sum
	mkdir -p "$root"/{bin,etc,tmp,www/cgi-bin}
	cp "$(type -P busybox)" "$root/bin/busybox"
	for applet in $("$(type -P busybox)" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
	done
	chmod 1777 "$root/tmp"
	printf 'root:x:0:0::/:/bin/sh\nworker:x:1234:2345::/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\nteam:x:2345:\n' >"$root/etc/group"
	# The first process of a container ends on TERM only if it says so.
	cat >"$root/bin/web" <<-'END'
		#!/bin/sh
		hostname >/www/index.html
		echo "serving on port ${1:-80}"
		trap 'kill $!; exit 0' TERM
		httpd -f -p "${1:-80}" -h /www &
		wait $!
	END
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n$REMOTE_ADDR\\n"\n' \
		>"$root/www/cgi-bin/peer"
	printf '#!/bin/sh\nexec web 8000\n' >"$root/bin/python3"
	chmod 755 "$root/bin/web" "$root/bin/python3" "$root/www/cgi-bin/peer"
	tar --owner=0 --group=0 --numeric-owner -C "$root" -cf "$dir/image/layer.tar" .
	sum=$(sha256sum "$dir/image/layer.tar" | cut -d' ' -f1)
	{
		image_config nginx:1.22 '{"Cmd": ["web"]}' "$sum"
		image_config redis:7 '{"Cmd": ["web", "6379"]}' "$sum"
		image_config python:3.11-slim '{"Cmd": ["sh"]}' "$sum"
		image_config busybox:1 '{"Cmd": ["sh"]}' "$sum"
		image_config entry:1 '{"Entrypoint": ["echo", "entry"], "Cmd": ["a"]}' "$sum"
	} | jq -s . >"$dir/image/manifest.json"
	rm -r "$root"
	tar -C "$dir/image" -cf "$1" .
	rm -r "$dir/image"
}

# Clusters

# node_settings HOST SERVER-URL [FLAGS...]: the shipped files, and what this
# kubelet has to be told besides
node_settings() {
	local host=$1 url=$2
	shift 2
	mkdir -p "$dir/$host/kubernetes"
	cp "$srcdir"/config/kubernetes/* "$dir/$host/kubernetes/"
	cat >"$dir/$host/kubernetes/kubelet" <<-END
		KUBELET_ADDRESS="--address=0.0.0.0"
		KUBELET_API_SERVER="--api_servers=$url"
		KUBELET_ARGS="--client-ca-file=$dir/ca.crt --cert-dir=/var/lib/kubelet/pki --cgroup-root=$(cgroup_of "$host") --stop-pods-on-exit --import-images=$dir/images.tar --plugin-option=runtime/oci:helper-directory=$builddir/plugins/runtime/oci $*"
	END
}

# set_key HOST FILE KEY VALUE: another value for one key of its settings
set_key() {
	sed -i "/^$3=/d" "$dir/$1/kubernetes/$2"
	printf '%s="%s"\n' "$3" "$4" >>"$dir/$1/kubernetes/$2"
}

# cluster_settings [KUBELET-FLAGS...]: those of host one, a cluster in itself
cluster_settings() {
	[ -e "$dir/images.tar" ] || make_images "$dir/images.tar"
	node_settings one http://127.0.0.1:8080 "$@"
	rm -f "$dir/ca.crt"
	ln -s "$dir/one/lib/kubernetes/pki/ca.crt" "$dir/ca.crt"
	set_key one apiserver KUBE_API_ADDRESS --insecure-bind-address=0.0.0.0
	set_key one controller-manager KUBE_CONTROLLER_MANAGER_ARGS \
		"--root-ca-file=/var/lib/kubernetes/pki/ca.crt --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16"
	server=http://127.0.0.1:8080
	export server
}

# start_up: `coxswain up` on host one
start_up() {
	start_on up one "$program" up --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins"
	if ! retry 30 ready_or_dead up "$server" || has_ended up; then
		cat "$dir/up.log" >&2
		return 1
	fi
}

# start_cluster [KUBELET-FLAGS...]: host one, with a node that is ready
start_cluster() {
	make_host one 1
	cluster_settings "$@"
	start_up
	retry 30 node_is_ready one
	retry 30 has_account
}

# add_node HOST NUMBER [KUBELET-FLAGS...]: a second machine: kubelet and
# kube-proxy, and the routes that bring the pods of both together
add_node() {
	local host=$1 number=$2 node
	shift 2
	make_host "$host" "$number"
	node_settings "$host" "http://$master:8080" "$@"
	set_key "$host" config KUBE_MASTER "--master=http://$master:8080"
	for node in kubelet kube-proxy; do
		start_on "$node-$host" "$host" "$program" "$node" \
			--config-dir="$dir/$host/kubernetes" --plugin-dir="$plugins"
	done
	retry 30 node_is_ready "$host"
	on one ip route add "$(node_range "$host")" via "192.168.1.$((10 + number))"
	on "$host" ip route add "$(node_range one)" via $master
}

node_range() {
	curl -s "$server/api/v1/nodes/$1" | jq -r .spec.podCIDR
}

node_is_ready() {
	curl -sf "$server/api/v1/nodes/$1" |
		jq -e '.spec.podCIDR and (.status.conditions[]? | select(.type == "Ready").status == "True")' >/dev/null
}

# Pods are refused before their account is there.
has_account() {
	curl -sf -o "$dir/account" "$server/api/v1/namespaces/default/serviceaccounts/default"
}

# Objects

# create JSON-OR-YAML: by the real client, from its standard input
create() {
	kubectl create -f - <<<"$1"
}

# simple_pod NAME SHELL-COMMAND [JQ-PROGRAM]: one container "c" of busybox that
# runs the command; the program changes what it likes of it
simple_pod() {
	jq -nc --arg name "$1" --arg command "$2" '{apiVersion: "v1", kind: "Pod", metadata: {$name},
		spec: {terminationGracePeriodSeconds: 1, containers: [{name: "c", image: "busybox:1",
		command: ["sh", "-c", $command]}]}}' | jq -c "${3:-.}"
}

# pod_says JQ-PROGRAM POD: what the program finds in the pod
pod_says() {
	curl -sf "$server/api/v1/namespaces/default/pods/$2" | jq -r "$1"
}

# pod_is PHASE POD
pod_is() {
	[ "$(pod_says .status.phase "$2")" = "$1" ]
}

pod_is_ready() {
	[ "$(pod_says '.status.conditions[]? | select(.type == "Ready").status' "$1")" = True ]
}

pod_is_gone() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$server/api/v1/namespaces/default/pods/$1")" = 404 ]
}

# logged TEXT POD [CONTAINER]: a line of its log is TEXT
logged() {
	curl -sf "$server/api/v1/namespaces/default/pods/$2/log?container=${3:-c}" | grep -qxF -- "$1"
}

# log_of POD [CONTAINER]
log_of() {
	curl -sf "$server/api/v1/namespaces/default/pods/$1/log?container=${2:-c}"
}

# event REASON NAME: an event of that reason about an object of that name
event() {
	curl -sf "$server/api/v1/namespaces/default/events" | jq -e --arg reason "$1" --arg name "$2" \
		'any(.items[]; .reason == $reason and .involvedObject.name == $name)' >/dev/null
}
