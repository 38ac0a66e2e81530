#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the service manager and its users see of the daemons: READY, RELOADING and
# STOPPING on the notify socket, and the two scripts of /etc/init.d.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"
source "$srcdir/tests/lib/daemons.bash"

setup_file() {
	requires python3
	make_dir
	make_images "$dir/images.tar"
	machines centos-master centos-minion
	master_settings
	minion_settings centos-minion
}

teardown_file() {
	end_machines
}

# listen NAME: a notify socket; what is sent there goes to $dir/NAME.said
listen() {
	rm -f "$dir/$1.socket"
	start_on "$1.manager" centos-master python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "w", buffering=1) as out:
    while True:
        out.write(s.recv(4096).decode().replace("\n", " ") + "\n")' \
		"$dir/$1.socket" "$dir/$1.said"
	retry 10 test -S "$dir/$1.socket"
}

# managed MACHINE DAEMON: started as its unit of Type=notify would
managed() {
	listen "$2"
	NOTIFY_SOCKET=$dir/$2.socket daemon "$1" "$2"
}

has_said() {
	grep -qx -- "$2" "$dir/$1.said"
}

# rows: 40
@test "kube-apiserver says READY=1 when it serves, and not before" {
	managed centos-master kube-apiserver
	retry 20 has_said kube-apiserver READY=1
	is_ready "$server"
	has_said kube-apiserver 'READY=1'
	kill -HUP "$(daemon_pid centos-master-kube-apiserver)"
	retry 10 has_said kube-apiserver 'RELOADING=1 MONOTONIC_USEC=[0-9]*'
	retry 10 has_said_twice kube-apiserver READY=1
}

has_said_twice() {
	[ "$(grep -cx -- "$2" "$dir/$1.said")" = 2 ]
}

# rows: 40
@test "so do the other four" {
	local at
	for at in centos-master/kube-controller-manager centos-master/kube-scheduler \
		centos-minion/kubelet centos-minion/kube-proxy; do
		managed "${at%/*}" "${at#*/}"
		retry 20 has_said "${at#*/}" READY=1
	done
}

@test "SIGTERM: STOPPING=1, status 0, and no child has spoken for them" {
	local at name
	for at in centos-minion/kube-proxy centos-minion/kubelet centos-master/kube-scheduler \
		centos-master/kube-controller-manager centos-master/kube-apiserver; do
		name=${at#*/}
		stop_daemon "${at%/*}-$name"
		retry 15 has_said "$name" STOPPING=1
		same "" "$(grep -vxE 'READY=1|STOPPING=1|RELOADING=1 .*' "$dir/$name.said")"
		kill_daemon "$name.manager"
	done
}

# journal MACHINE: a journal of its own, whose lines go to a syslog daemon, too, as
# they do on a machine with /var/log/messages
journal() {
	# shellcheck disable=SC2016 # a script for there
	on "$1" sh -c 'mkdir -p /etc/systemd /run/systemd/journal
		printf "[Journal]\n%s\n" "$1" >/etc/systemd/journald.conf' journal \
		$'Storage=volatile\nReadKMsg=no\nAudit=no\nForwardToSyslog=yes\nRateLimitBurst=0'
	start_on "$1-syslog" "$1" python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/syslog")
with open("/var/log/messages", "w", buffering=1) as out:
    while True:
        out.write(s.recv(65536).decode().split(">", 1)[1] + "\n")'
	start_on "$1-journald" "$1" /lib/systemd/systemd-journald
	retry 10 on "$1" test -S /run/systemd/journal/stdout -a -S /run/systemd/journal/syslog
}

# tagged MACHINE DAEMON: the journal and the syslog have a line of its log (with
# klog's header) under its name and its pid
tagged() {
	local pid line
	pid=$(on "$1" ps -e -o pid=,args= | awk -v program="$dir/bin/$2" '$2 == program { print $1 }')
	line="[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} ([^ ]+ )?$2\\[$pid\\]: [IWE][0-9]{4} [0-9:.]{15} +$pid [a-z_]+\\.c:[0-9]+\\] .+"
	on "$1" journalctl --no-pager --quiet -o short | grep -qxE "$line" &&
		grep kube "$dir/$1/log/messages" | grep -qxE "$line"
}

# rows: 41 42
@test "log lines are in the journal and the syslog under the name of the daemon and its pid" {
	local at machine name unit starter
	[ -x /lib/systemd/systemd-journald ] || skip "there is no systemd-journald"
	requires systemd-cat journalctl
	grep -qx 'KUBE_LOGTOSTDERR="--logtostderr=true"' "$srcdir/config/kubernetes/config"
	journal centos-master
	journal centos-minion
	for at in centos-master/kube-apiserver centos-master/kube-controller-manager \
		centos-master/kube-scheduler centos-minion/kubelet centos-minion/kube-proxy; do
		machine=${at%/*} name=${at#*/} unit=$srcdir/config/systemd/$name.service.in
		run -1 grep -E '^Standard(Output|Error)=' "$unit"
		# As systemd itself connects a service's stderr with the journal.
		starter=(systemd-cat --identifier="$(sed -n 's/^SyslogIdentifier=//p' "$unit")")
		daemon "$machine" "$name"
		retry 20 tagged "$machine" "$name"
	done
	for at in centos-minion/kube-proxy centos-minion/kubelet centos-master/kube-scheduler \
		centos-master/kube-controller-manager centos-master/kube-apiserver; do
		stop_daemon "${at%/*}-${at#*/}"
	done
	for machine in centos-master centos-minion; do
		stop_daemon "$machine-journald"
		kill_daemon "$machine-syslog"
	done
}

# rows: 40
@test "a daemon that cannot start never says READY" {
	setting centos-master apiserver 'KUBE_API_ARGS="--authorization-mode=Nonsense"'
	listen kube-apiserver
	NOTIFY_SOCKET=$dir/kube-apiserver.socket run -1 on centos-master timeout 20 \
		"$dir/bin/kube-apiserver" --plugin-dir="$plugins" --config-dir=/etc/kubernetes
	has 'authorizer-Nonsense: not found' "$output"
	same "" "$(cat "$dir/kube-apiserver.said")"
	kill_daemon kube-apiserver.manager
}

# The scripts, with a systemctl that writes down what it is asked; it knows etcd
# and docker only if $known says so, and fails for the service $broken.

# shellcheck disable=SC2016
stub() {
	mkdir -p "$dir/stub"
	printf '%s\n' '#!/bin/sh' 'printf "%s\n" "$*" >>"$0.asked"' \
		'case $1 in cat) case " $known " in *" $2 "*) exit 0 ;; *) exit 1 ;; esac ;; esac' \
		'for word; do [ "$word" != "$broken" ] || exit 5; done' >"$dir/stub/systemctl"
	chmod +x "$dir/stub/systemctl"
	rm -f "$dir/stub/systemctl.asked"
}

script() {
	stub
	run env PATH="$dir/stub:$PATH" known="${known-}" broken="${broken-}" \
		"$srcdir/config/init.d/kubernetes-$1" "${@:2}"
	asked=$(sed -n 's/^--no-pager //p' "$dir/stub/systemctl.asked" 2>/dev/null) || asked=
}

# rows: 43 47
@test "start, stop, restart, status and enable go to every service, in the order of the document" {
	local word
	for word in start stop restart status enable; do
		known="etcd docker" script master $word
		same 0 "$status"
		same "$word etcd
$word kube-apiserver
$word kube-controller-manager
$word kube-scheduler" "$asked"
		known="etcd docker" script minion $word
		same 0 "$status"
		same "$word kube-proxy
$word kubelet
$word docker" "$asked"
	done
}

# rows: 44 45 46
@test "no word, another word, and one that only begins like one: the usage, status 1" {
	local word
	for word in "" frobnicate startall; do
		for role in master minion; do
			# shellcheck disable=SC2086
			script $role $word
			same 1 "$status"
			same "Usage: $srcdir/config/init.d/kubernetes-$role {start|stop|restart|status|enable}" "$output"
			same "" "$asked"
		done
	done
	[ -z "$("$srcdir/config/init.d/kubernetes-master" 2>/dev/null)" ]
}

@test "what is not installed is left out, and a failure is told" {
	script master start
	lacks etcd "$asked"
	broken=kube-apiserver script master start
	same 5 "$status"
	has "start kube-scheduler" "$asked"
}
