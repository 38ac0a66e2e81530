#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a node does besides running containers, on a host with real ones: ports,
# logs, files of its own, and what it refuses.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"

pods=/api/v1/namespaces/default/pods

setup_file() {
	requires_containers
	make_dir
	start_cluster --config=/var/lib/manifests --file-check-frequency=100ms \
		--container-log-max-size-mb=1 --container-log-max-files=2
}

teardown_file() {
	end_hosts
}

# post PATH JSON
post() {
	curl -sf -o "$dir/answer" -H 'Content-Type: application/json' -d "$2" "$server$1"
}

# answers TEXT ARGUMENTS...: what a request to a pod says, from wherever it is made
answers() {
	[ "$("${@:2}" 2>/dev/null)" = "$1" ]
}

@test "a host port leads to its pod, from the world, the node and pods" {
	post "$pods" "$(simple_pod web 'hostname >/www/index.html; exec httpd -f -p 80 -h /www' \
		'.spec.containers[0].ports = [{containerPort: 80, hostPort: 8088}]')"
	post "$pods" "$(simple_pod client 'while :; do wget -qO- http://192.168.1.11:8088/ && break;
		sleep 0.1; done; exec sleep 600')"
	retry 30 pod_is Running web
	retry 10 answers web on_net world curl -sf -m 2 http://192.168.1.11:8088/
	retry 10 answers web on_net one curl -sf -m 2 http://192.168.1.11:8088/
	retry 30 logged web client
	retry 10 answers web on_net one curl -sf -m 2 http://127.0.0.1:8088/
	same 0 "$(on one cat /proc/sys/net/ipv4/conf/all/route_localnet)"
	curl -sf -o "$dir/answer" -X DELETE "$server$pods/web"
	retry 30 pod_is_gone web
	run ! on_net world curl -sf -m 2 http://192.168.1.11:8088/
	run ! on_net one curl -sf -m 2 http://127.0.0.1:8088/
	same 0 "$(on one cat /proc/sys/net/ipv4/conf/cox0/route_localnet)"
}

@test "a key of a ConfigMap is a file by subPath, and cannot be written" {
	post /api/v1/namespaces/default/configmaps '{"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": {"name": "settings"}, "data": {"app.conf": "color=red\n"}}'
	post "$pods" "$(simple_pod reader 'cat /etc/app.conf; (echo x >/etc/app.conf) 2>/dev/null || echo refused;
		(echo x >/all/app.conf) 2>/dev/null || echo refused too; ls /all; exec sleep 600' \
		'.spec.volumes = [{name: "c", configMap: {name: "settings"}}] |
		.spec.containers[0].volumeMounts = [
			{name: "c", mountPath: "/etc/app.conf", subPath: "app.conf"},
			{name: "c", mountPath: "/all"}]')"
	retry 30 logged app.conf reader
	logged color=red reader
	logged refused reader
	logged "refused too" reader
}

has_rotated() {
	[ "$(compgen -G "$dir/one/log/pods/default_chatty_*/c/0.log.*" | wc -l)" = 1 ] &&
		[ -s "$(compgen -G "$dir/one/log/pods/default_chatty_*/c/0.log")" ]
}

@test "a log that is full gets a new file, and is there no more with its pod" {
	post "$pods" "$(simple_pod chatty 'i=0; while :; do head -c 100000 /dev/zero | tr "\0" x;
		echo; i=$((i + 1)); echo "round $i"; sleep 0.1; done')"
	retry 40 has_rotated
	# The container goes on in the new file.
	retry 10 log_has_round
	curl -sf -o "$dir/answer" -X DELETE "$server$pods/chatty"
	retry 30 has_no_logs chatty
}

log_has_round() {
	log_of chatty | grep -q '^round [0-9]*$'
}

has_no_logs() {
	! compgen -G "$dir/one/log/pods/default_$1_*" >/dev/null
}

@test "why a container failed is the end of its log, if it wants so" {
	post "$pods" "$(simple_pod broken 'echo no such table; exit 3' \
		'.spec.restartPolicy = "Never" |
		.spec.containers[0].terminationMessagePolicy = "FallbackToLogsOnError"')"
	retry 30 pod_is Failed broken
	same "no such table" "$(pod_says \
		'.status.containerStatuses[0].state.terminated.message' broken)"
}

@test "sysctls of a pod's own namespaces are set, others are refused" {
	post "$pods" "$(simple_pod tuned 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start; sleep 600' \
		'.spec.securityContext.sysctls = [{name: "net.ipv4.ip_unprivileged_port_start",
		value: "81"}]')"
	post "$pods" "$(simple_pod greedy 'sleep 600' \
		'.spec.securityContext.sysctls = [{name: "kernel.msgmax", value: "9000"}]')"
	retry 30 logged 81 tuned
	retry 30 pod_is Failed greedy
	same SysctlForbidden "$(pod_says .status.reason greedy)"
}

@test "a file in the node's directory is a pod" {
	mkdir -p "$dir/one/lib/manifests"
	simple_pod static 'echo from a file; exec sleep 600' >"$dir/one/lib/manifests/static.json"
	retry 30 pod_is_ready static-one
	retry 10 logged "from a file" static-one
	rm "$dir/one/lib/manifests/static.json"
	retry 30 pod_is_gone static-one
}

@test "the node says which images it has, and what became of it" {
	same docker.io/library/busybox:1 "$(curl -sf "$server/api/v1/nodes/one" |
		jq -r '.status.images[].names[] | select(endswith("/busybox:1"))')"
	event Starting one
	event NodeReady one
}
