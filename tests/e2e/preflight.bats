#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `coxswain preflight` on a host of the test's own, on which each fault is made
# for real, and the line that tells it with what to do against it.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"

setup_file() {
	requires_containers
	make_dir
	make_host one 1
	# The same users on every machine that runs this.
	printf 'root:x:0:0::/root:/bin/sh\nkube:x:77:77::/:/bin/false\n' >"$dir/passwd"
	printf 'root:x:0:0::/root:/bin/sh\n' >"$dir/passwd.without"
	printf 'root:x:0:\nkube:x:77:\n' >"$dir/group"
	printf 'passwd: files\ngroup: files\nhosts: files\n' >"$dir/nsswitch.conf"
	printf '127.0.0.1 localhost\n' >"$dir/hosts"
	on one mount --bind "$dir/passwd" /etc/passwd
	on one mount --bind "$dir/group" /etc/group
	on one mount --bind "$dir/hosts" /etc/hosts
	on one mount --bind "$dir/nsswitch.conf" /etc/nsswitch.conf
	mkfifo "$dir/never" # whoever reads from it waits
	mounts_of one >"$dir/one.mounts"
}

setup() {
	mkdir -p "$dir/one/kubernetes"
	cp "$srcdir"/config/kubernetes/* "$dir/one/kubernetes/"
	set_key one controller-manager KUBE_CONTROLLER_MANAGER_ARGS --cluster-cidr=10.244.0.0/16
}

teardown() {
	show_logs
	stop_daemons
	on one iptables -F
	on one iptables -P FORWARD ACCEPT
	on one ip6tables -F
	on one ip6tables -P FORWARD ACCEPT
	on one ip -6 address flush dev eth0 scope global
}

teardown_file() {
	end_hosts
}

# preflight [FLAGS...]: sets $status and $output
preflight() {
	run on one "$program" preflight --config-dir="$dir/one/kubernetes" \
		--plugin-dir="$plugins" "$@"
}

# line THING: what is said of it, all of it
line() {
	awk -F'\t' -v thing="$1" '$2 == thing' <<<"$output"
}

# says LEVEL THING FOUND [REMEDY]: the line about the thing has these texts
says() {
	local parts
	mapfile -t -d $'\t' parts <<<"$(line "$2")"
	[ "${#parts[@]}" -ge 3 ] || { printf 'nothing of %s in:\n%s\n' "$2" "$output" >&2; return 1; }
	same "$1" "${parts[0]}"
	has "$3" "${parts[2]}"
	[ $# -lt 4 ] || has "$4" "${parts[3]-}"
}

# script NAME LINE...: a program of the shell
script() {
	printf '%s\n' '#!/bin/sh' "${@:2}" >"$dir/$1"
	chmod 755 "$dir/$1"
}

# serve NAME HOST PORT LINE...: a server that gives these lines to everybody
serve() {
	# shellcheck disable=SC2016
	script "answer-$1" 'while read -r line && [ ${#line} -gt 1 ]; do :; done' "cat <<'END'" \
		"${@:4}" '' END
	start_on "$1" "$2" busybox nc -ll -p "$3" -e "$dir/answer-$1"
	retry 15 listens "$2" "$3"
}

# listens HOST PORT
listens() {
	on "$1" ss -tlnH "sport = :$2" | grep -q .
}

reach_web() {
	from=world curl -s --max-time 5 http://192.168.1.11:9000/
}

# named_process NAME: a process of that name on the host, which only waits
named_process() {
	script "$1" "read -r _ <$dir/never"
	start_on "$1" one "$dir/$1"
	retry 15 is_named "$1"
}

is_named() {
	[ "$(cat "/proc/$(daemon_pid "$1")/comm")" = "$1" ]
}

no_errors() {
	[ "$status" = 0 ] || { printf '%s\n' "$output" >&2; return 1; }
	lacks $'error\t' "$output"
}

@test "a clean machine has no errors, as a master, as a node and as both" {
	local role
	for role in master node both; do
		preflight --role=$role
		no_errors
		# A line is a level, a thing, what was found, and perhaps what to do.
		same "" "$(awk -F'\t' '$1 !~ /^(ok|warning|error)$/ || NF < 3 || NF > 4 ||
			$2 == "" || $3 == "" || ($1 == "error" && NF != 4)' <<<"$output")"
	done
	for thing in "configuration kubelet" "user kube" "port 8080" "port 6443" "port 10248" \
		"port 10249" "port 10250" "port 10251" "port 10252" "kernel overlay" \
		"kernel bridge" "kernel veth" "kernel nat" cgroups "OCI runtime" conmon iptables; do
		says ok "$thing" ""
	done
	preflight
	says ok "apiserver http://127.0.0.1:8080" "not there yet: it is to be this machine's own"
	preflight --role=master
	same "" "$(line "port 10250")$(line "kernel overlay")$(line "configuration kubelet")"
	preflight --role=node
	same "" "$(line "port 8080")$(line "user kube")$(line "configuration kube-apiserver")"
}

@test "the command line" {
	preflight --role=nodes
	same 1 "$status"
	has 'preflight: --role=nodes: want one of "master", "node", "both"' "$output"
	preflight --check-config
	same 1 "$status"
	has "ask a daemon for that" "$output"
	preflight --no-such
	same 2 "$status"
}

# rows: 246 247
@test "a REJECT at the end of INPUT and FORWARD: rule numbers, and the commands that help" {
	local accept=(-j ACCEPT) reject=(-j REJECT --reject-with icmp-host-prohibited) remedy
	on one iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED "${accept[@]}"
	on one iptables -A INPUT -p icmp "${accept[@]}"
	on one iptables -A INPUT -i lo "${accept[@]}"
	on one iptables -A INPUT -p tcp --dport 22 "${accept[@]}"
	on one iptables -A INPUT "${reject[@]}"
	on one iptables -A FORWARD "${reject[@]}"
	preflight
	same 1 "$status"
	says error "firewall rules" \
		"rule 5 of INPUT (REJECT icmp-host-prohibited) and rule 1 of FORWARD (REJECT icmp-host-prohibited)" \
		"iptables -D INPUT 5 && iptables -D FORWARD 1; "
	# A master forwards nothing.
	preflight --role=master
	says error "firewall rules" "rule 5 of INPUT" "iptables -D INPUT 5; "
	# As it is told, so it is done: the world comes through then.
	serve web one 9000 "HTTP/1.0 200 OK"
	run -7 reach_web
	preflight
	remedy=$(line "firewall rules" | cut -f4)
	on one sh -c "${remedy%%; *}"
	reach_web
	kill_daemon web
	preflight
	no_errors
	says ok "firewall rules" "INPUT and FORWARD end without a refusal"
}

# rows: 248
@test "production lets in the networks of nodes, pods and services, which are named" {
	local network
	on one iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited
	on one iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited
	preflight
	says error "firewall rules" "rule 1 of INPUT" \
		"let in the networks of nodes (192.168.1.0/24), pods (10.244.0.0/16), services (10.254.0.0/16)"
	for network in 192.168.1.0/24 10.244.0.0/16; do
		on one iptables -I INPUT -s "$network" -j ACCEPT
		on one iptables -I FORWARD -s "$network" -j ACCEPT
	done
	preflight
	says error "firewall rules" "rule 3 of INPUT (REJECT icmp-host-prohibited) and rule 3 of FORWARD"
	on one iptables -I INPUT -s 10.254.0.0/16 -j ACCEPT
	on one iptables -I FORWARD -s 10.254.0.0/16 -j ACCEPT
	preflight
	no_errors
	says ok "firewall rules" "INPUT and FORWARD let in the networks of nodes (192.168.1.0/24)"
	on one iptables -F
	on one iptables -P FORWARD DROP
	preflight
	no_errors
	says warning "firewall rules" "the policy of FORWARD is DROP" "iptables -P FORWARD ACCEPT"
}

@test "IPv6 has rules of its own: a warning where this machine has it, an error where pods do" {
	local network
	preflight
	says ok "firewall rules IPv6" "neither this machine nor the cluster uses IPv6"
	on one ip -6 address add 2001:db8:1::11/64 dev eth0 nodad
	preflight
	no_errors
	says ok "firewall rules IPv6" "INPUT and FORWARD end without a refusal"
	on one ip6tables -A INPUT -p ipv6-icmp -j ACCEPT
	on one ip6tables -A INPUT -j REJECT --reject-with icmp6-adm-prohibited
	on one ip6tables -P FORWARD DROP
	preflight
	no_errors
	says ok "firewall rules" "INPUT and FORWARD end without a refusal"
	has $'warning\tfirewall rules IPv6\trule 2 of INPUT (REJECT icmp6-adm-prohibited)' "$output"
	has "ip6tables -D INPUT 2; or" "$(line "firewall rules IPv6")"
	has "nodes (2001:db8:1::/64): for each" "$(line "firewall rules IPv6")"
	has "ip6tables -P FORWARD ACCEPT" "$(line "firewall rules IPv6")"
	set_key one controller-manager KUBE_CONTROLLER_MANAGER_ARGS \
		--cluster-cidr=10.244.0.0/16,fd00:10::/56
	preflight
	same 1 "$status"
	has $'error\tfirewall rules IPv6\trule 2 of INPUT' "$output"
	says ok "firewall rules" "INPUT and FORWARD end without a refusal"
	for network in 2001:db8:1::/64 fd00:10::/56; do
		on one ip6tables -I INPUT -s "$network" -j ACCEPT
	done
	on one ip6tables -P FORWARD ACCEPT
	preflight
	no_errors
	says ok "firewall rules IPv6" \
		"INPUT and FORWARD let in the networks of nodes (2001:db8:1::/64), pods (fd00:10::/56)"
}

# rows: 27
@test "firewalld and iptables-services: a warning while they are active" {
	preflight
	says ok "firewall service" "none is active"
	named_process firewalld
	mkdir -p "$dir/one/run/systemd/units"
	ln -s 0123456789abcdef "$dir/one/run/systemd/units/invocation:iptables.service"
	preflight
	no_errors
	[ "$(line "firewall service" | grep -c ^warning)" = 2 ]
	has "firewalld is active" "$(line "firewall service")"
	has "systemctl disable --now firewalld" "$(line "firewall service")"
	has "systemctl disable --now iptables" "$(line "firewall service")"
	kill_daemon firewalld
	rm -r "$dir/one/run/systemd"
	preflight
	says ok "firewall service" "none is active"
}

# rows: 26
@test "another container engine that runs, and a Docker that is there twice" {
	preflight
	says ok "container engine" "no other"
	same "" "$(line "docker copies")"
	named_process dockerd
	on one mount -t tmpfs tmpfs /usr/local/bin
	on one mount -t tmpfs tmpfs /usr/local/sbin
	on one cp /bin/true /usr/local/bin/dockerd
	preflight
	same "" "$(line "docker copies")"
	on one cp /bin/true /usr/local/sbin/dockerd
	preflight
	on one umount /usr/local/bin /usr/local/sbin
	no_errors
	says warning "container engine" "dockerd runs (pid " "stop it and disable its unit"
	says warning "docker copies" "/usr/local/bin/dockerd, /usr/local/sbin/dockerd" \
		"remove the package that is not meant"
	kill_daemon dockerd
}

# rows: 238 239
@test "a Docker that is down, for a kubelet that is to use it" {
	set_key one kubelet KUBELET_ARGS --container-runtime=docker
	preflight --role=node
	same 1 "$status"
	says error docker "does not answer at /var/run/docker.sock: connect: No such file" \
		"systemctl start docker"
	says error docker "the node will not be ready" \
		"extend it (vgextend), or take DOCKER_STORAGE_OPTIONS out of /etc/sysconfig/docker-storage, then systemctl daemon-reload"
	says error docker "" "dmsetup status, take the name that ends with tpool"
	says error docker "" "dm.thinpooldev=/dev/mapper/NAME in /etc/sysconfig/docker-storage"
	same "" "$(line "OCI runtime")$(line "container engine")"
}

@test "a missing user" {
	on one mount --bind "$dir/passwd.without" /etc/passwd
	preflight
	on one umount /etc/passwd
	same 1 "$status"
	says error "user kube" 'there is no user "kube"' "adduser --system --group kube"
}

# rows: 223
@test "directories that are not the control plane's: as whom it starts they are told, and it serves then" {
	local remedy
	mkdir -p "$dir/one/run/kubernetes" "$dir/one/lib/kubernetes"
	preflight
	same 1 "$status"
	says error "directory /var/run/kubernetes" 'belongs to user 0, so kube gets "permission denied"' \
		"mkdir -p /var/run/kubernetes && chown -R kube:kube /var/run/kubernetes"
	says error "directory /var/lib/kubernetes" "belongs to user 0" "chown -R kube:kube"
	for remedy in /var/run/kubernetes /var/lib/kubernetes; do
		on one sh -c "$(line "directory $remedy" | cut -f4)"
	done
	preflight
	no_errors
	says ok "directory /var/run/kubernetes" "kube may write there"
	start_on apiserver one setpriv --reuid=77 --regid=77 --clear-groups "$program" \
		kube-apiserver --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins"
	retry 20 grep -q 'Serving securely on' "$dir/apiserver.log"
	[ -s "$dir/one/run/kubernetes/apiserver.crt" ]
	# A port that its own daemon has is no mistake.
	preflight
	no_errors
	says ok "port 6443" "kube-apiserver runs already: "
	says ok "port 8080" "kube-apiserver runs already: "
	says ok "apiserver http://127.0.0.1:8080" "answers, and its clock is this one's"
	stop_daemon apiserver
	rm -r "$dir/one/run/kubernetes" "$dir/one/lib/kubernetes"
}

@test "what is in the place of a directory" {
	: >"$dir/one/lib/kubelet"
	preflight
	rm "$dir/one/lib/kubelet"
	same 1 "$status"
	says error "directory /var/lib/kubelet" "--root-dir of the kubelet: Not a directory"
}

@test "a port that somebody else has, and who that is" {
	serve other one 10250 "HTTP/1.0 200 OK"
	preflight
	same 1 "$status"
	says error "port 10250" "wanted by kubelet --port, but taken by busybox (pid " \
		"end that process, or set --port of kubelet in $dir/one/kubernetes/kubelet"
	says ok "port 10248" "free for kubelet --healthz-port"
	set_key one kubelet KUBELET_PORT --port=10350
	preflight
	no_errors
	says ok "port 10350" "free for kubelet --port"
	kill_daemon other
}

@test "a file with a mistake: in the daemon's own words, with file and line" {
	printf 'KUBE_SCHEDULER_ARGS="--v=1"   #loud\n' >"$dir/one/kubernetes/scheduler"
	set_key one proxy KUBE_PROXY_ARGS --proxy-mod=userspace
	preflight
	same 1 "$status"
	says error "configuration kube-scheduler" "$dir/one/kubernetes/scheduler:1" \
		"kube-scheduler --config-dir=$dir/one/kubernetes --check-config"
	says error "configuration kube-proxy" "unknown flag: --proxy-mod (did you mean --proxy-mode?)"
	says ok "configuration kubelet" "its files in $dir/one/kubernetes are right"
	# The others still make sense.
	says ok "port 10251" "free for kube-scheduler"
	set_key one kubelet KUBELET_ARGS --container-runtime=dokcer
	preflight --role=node
	says error "configuration kubelet" "runtime-dokcer: not found in"
}

# rows: 24
@test "a name in a URL that has no address" {
	set_key one config KUBE_MASTER --master=http://centos-master:8080
	preflight
	same 1 "$status"
	says error "name centos-master" "no address: " 'write "ADDRESS centos-master" in /etc/hosts'
	has "(--master=http://centos-master:8080 of kube-controller-manager, set in $dir/one/kubernetes/config:" \
		"$(line "name centos-master")"
	printf '192.168.1.11 centos-master\n' >>"$dir/hosts"
	preflight
	no_errors
	says ok "name centos-master" "has an address"
	set_key one config KUBE_MASTER --master=htp://centos-master:8080
	preflight
	says error URL '"htp://centos-master:8080" is none (--master of kube-controller-manager'
}

@test "an etcd that does not answer, or on the other port" {
	set_key one apiserver KUBE_ETCD_SERVERS --etcd_servers=http://127.0.0.1:4001
	preflight --role=master
	same 1 "$status"
	says error "etcd http://127.0.0.1:4001" "connect: Connection refused" "start etcd"
	has "correct --etcd-servers in $dir/one/kubernetes/apiserver:" "$(line "etcd http://127.0.0.1:4001")"
	serve etcd one 2379 "HTTP/1.0 200 OK" "" '{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}'
	preflight --role=master
	says error "etcd http://127.0.0.1:4001" "connect" "an etcd answers on port 2379 of that host"
	set_key one apiserver KUBE_ETCD_SERVERS --etcd_servers=http://127.0.0.1:2379
	preflight --role=master
	says ok "etcd http://127.0.0.1:2379" "answers"
	kill_daemon etcd
	serve other one 2379 "HTTP/1.0 404 Not Found"
	preflight --role=master
	says error "etcd http://127.0.0.1:2379" "somebody answers, but it is no etcd"
	kill_daemon other
}

@test "a master that is not there, and one with another clock" {
	set_key one kubelet KUBELET_API_SERVER "--api_servers=http://$world_address:8080"
	set_key one config KUBE_MASTER "--master=http://$world_address:8080"
	preflight --role=node
	no_errors
	says warning "apiserver http://$world_address:8080" "connect: Connection refused" "start it"
	preflight
	says warning "apiserver http://$world_address:8080" "connect: Connection refused" "start it"
	serve master world 8080 "HTTP/1.0 200 OK" "Date: Tue, 15 Nov 1994 08:12:31 GMT"
	preflight --role=node
	same 1 "$status"
	says error "apiserver http://$world_address:8080" "s behind this one's: the node will look dead" \
		"set the clock of the machine that is wrong"
	kill_daemon master
	serve master world 8080 "HTTP/1.0 200 OK" "Date: Mon, 15 Nov 2094 08:12:31 GMT"
	preflight --role=node
	says error "apiserver http://$world_address:8080" "s ahead of this one's"
	kill_daemon master
	# Whoever takes a connection and says nothing is waited for, but not for ever.
	script answer-silent "read -r _ <$dir/never"
	start_on silent world busybox nc -ll -p 8080 -e "$dir/answer-silent"
	retry 15 listens world 8080
	preflight --role=node
	says warning "apiserver http://$world_address:8080" "receive: Connection timed out"
	kill_tree silent
}

# kill_tree NAME: with what it started
kill_tree() {
	local child
	for child in $(pgrep -P "$(daemon_pid "$1")"); do
		kill -KILL "$child"
	done
	kill_daemon "$1"
}

@test "no room on a disk: bytes and inodes" {
	mkdir -p "$dir/one/lib/kubelet"
	on one mount -t tmpfs -o size=1m tmpfs /var/lib/kubelet
	preflight
	on one umount /var/lib/kubelet
	same 1 "$status"
	says error "space /var/lib/kubelet" "1 MiB free, and less than 256 MiB is too little"
	on one mount -t tmpfs -o size=1g,nr_inodes=100 tmpfs /var/lib/kubelet
	# shellcheck disable=SC2016
	on one sh -c 'for i in $(seq 97); do : >/var/lib/kubelet/$i; done'
	preflight
	on one umount /var/lib/kubelet
	no_errors
	says warning "space /var/lib/kubelet" "2 inodes free of 100: the node will have DiskPressure"
	on one mount -t tmpfs -o ro tmpfs /var/lib/kubelet
	preflight
	on one umount /var/lib/kubelet
	says error "space /var/lib/kubelet" "its file system is read-only"
	rmdir "$dir/one/lib/kubelet"
}

@test "programs of the runtime that are missing, fail or do not end" {
	script bad 'echo no such luck >&2' 'exit 3'
	script slow "read -r _ <$dir/never"
	set_key one kubelet KUBELET_ARGS \
		"--plugin-option=runtime/oci:runtime=$dir/bad --plugin-option=runtime/oci:conmon=/no/conmon"
	preflight --role=node
	same 1 "$status"
	says error "OCI runtime" "$dir/bad: it ends with status 3: no such luck" "install the package crun or runc"
	says error conmon "/no/conmon: it is not there" "install the package conmon"
	set_key one kubelet KUBELET_ARGS "--plugin-option=runtime/oci:runtime=$dir/slow"
	preflight --role=node
	says error "OCI runtime" "$dir/slow did not end within 10 s"
}

@test "a machine without cgroups" {
	run on one unshare --mount --propagation private sh -c 'umount -l -R /sys/fs/cgroup && exec "$@"' sh \
		"$program" preflight --role=node --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins"
	same 1 "$status"
	says error cgroups "no hierarchy is mounted" "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
}

@test "without root's rights it says so, and does not fail for that" {
	run on one setpriv --reuid=65534 --regid=65534 --clear-groups "$program" preflight \
		--role=node --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins"
	says warning rights "not root" "start it as root"
	says warning "kernel namespaces" "none can be made (Operation not permitted)"
	says warning "firewall rules" "not to be seen: "
}
