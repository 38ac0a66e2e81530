#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pods as real containers in a whole cluster, as its user meets them.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"

setup_file() {
	requires_containers
	make_dir
	use_kubectl 1.35
	start_cluster
}

teardown_file() {
	end_hosts
}

# create_pod NAME SHELL-COMMAND [JQ-PROGRAM]
create_pod() {
	same "pod/$1 created" "$(create "$(simple_pod "$@")")"
}

# address_of POD
address_of() {
	pod_says .status.podIP "$1"
}

# state_of POD CONTAINER: one line of what its status says
state_of() {
	pod_says ".status.containerStatuses[] | select(.name == \"$2\") | \
		[.restartCount, .ready, (.state | keys[0]), (.state[].reason // empty), \
		(.state.terminated.exitCode // empty)] | join(\" \")" "$1"
}

is_in_state() {
	[ "$(state_of "$1" "$2")" = "$3" ]
}

ends() {
	pod_is Succeeded "$1" || pod_is Failed "$1"
}

# rows: 109 127 139 140
@test "the document's pod: created, Pending, Running; it answers; deleted, it is gone" {
	local watcher
	kubectl get pods -w -o 'jsonpath={.metadata.name} {.status.phase}{"\n"}' \
		>"$dir/phases" 2>&1 3>&- &
	watcher=$!
	same "pod/nginx created" "$(kubectl create -f "$srcdir/config/examples/nginx-pod.yaml")"
	retry 30 pod_is_ready nginx
	has "nginx   1/1     Running   0" "$(kubectl get pods nginx)"
	same nginx "$(curl -s "http://$(address_of nginx)/")"
	same "serving on port 80" "$(kubectl logs nginx)"
	same 'pod "nginx" deleted from default namespace' \
		"$(kubectl delete pod nginx --grace-period=1)"
	has 'pods "nginx" not found' "$(! kubectl get pod nginx 2>&1)"
	kill "$watcher" 2>/dev/null || :
	wait "$watcher" || :
	same "nginx Pending
nginx Running" "$(uniq "$dir/phases" | head -n 2)"
}

# rows: 121
@test "describe says where it runs, of what, and what happened to it" {
	local text
	create_pod told "exec sleep 600" '.metadata.labels = {app: "told"}'
	retry 30 pod_is_ready told
	retry 10 event Started told
	text=$(kubectl describe pod told)
	for line in 'Name: +told' 'Namespace: +default' "Node: +one/$master" 'Labels: +app=told' \
		'Status: +Running' "IP: +$(address_of told)" ' +Container ID: +oci://[0-9a-f]{64}' \
		' +Image: +busybox:1' ' +Image ID: +[a-z0-9:]+' ' +State: +Running' \
		' +Restart Count: +0' ' +Ready +True' \
		' +Normal +Scheduled .*Successfully assigned default/told to one' \
		' +Normal +Pulled .*' ' +Normal +Created .*' ' +Normal +Started .*'; do
		grep -qE "^$line" <<<"$text" || {
			printf 'no line like "%s" in\n%s\n' "$line" "$text" >&2
			return 1
		}
	done
}

# rows: 131 132 141
@test "command replaces the entry point, args its words; an end without fault is Succeeded" {
	create "$(simple_pod echo '' '.spec.restartPolicy = "Never" |
		.spec.containers[0] += {command: ["/bin/echo"], args: ["hello", "world"]}')"
	# The image's command is "web"; args alone go to the image's entry point,
	# and where it has none they are the whole command.
	create "$(simple_pod args '' '.spec.restartPolicy = "Never" |
		.spec.containers[0] |= (del(.command) + {image: "entry:1", args: ["b", "c"]})')"
	retry 30 ends echo
	retry 30 ends args
	same "hello world" "$(kubectl logs echo)"
	same "entry b c" "$(kubectl logs args)"
	same "Succeeded Succeeded" "$(pod_says .status.phase echo) $(pod_says .status.phase args)"
	same "0 false terminated Completed 0" "$(state_of echo c)"
	has "echo   0/1     Completed   0" "$(kubectl get pod echo)"
}

# rows: 142
@test "one container that fails makes the pod Failed, with its exit code" {
	create_pod broken "exit 3" '.spec.restartPolicy = "Never" |
		.spec.containers += [.spec.containers[0] + {name: "good", command: ["true"]}]'
	retry 30 ends broken
	same Failed "$(pod_says .status.phase broken)"
	same "0 false terminated Error 3" "$(state_of broken c)"
	same "0 false terminated Completed 0" "$(state_of broken good)"
	has "Exit Code:    3" "$(kubectl describe pod broken)"
}

# rows: 5 133
@test "three tiers in one pod: one node, READY 3/3, each finds the others at 127.0.0.1" {
	kubectl create -f "$srcdir/config/examples/three-tiers-pod.yaml"
	retry 30 pod_is_ready shop
	has "shop   3/3     Running   0" "$(kubectl get pod shop)"
	same one "$(pod_says .spec.nodeName shop)"
	create_pod talk 'until wget -qO- http://127.0.0.1:81/; do usleep 50000; done' \
		'.spec.restartPolicy = "Never" |
		.spec.containers += [.spec.containers[0] + {name: "server", command: ["timeout", "20", "web", "81"]}]'
	retry 30 logged talk talk
}

# rows: 134
@test "two containers of a pod cannot have one port" {
	create_pod clash 'exec web 80' '.spec.restartPolicy = "Never" |
		.spec.containers += [.spec.containers[0] + {name: "second", command: ["sh", "-c",
		"until wget -qO- http://127.0.0.1/; do usleep 50000; done; exec web 80"]}]'
	fails() {
		is_in_state clash second "0 false terminated Error 1"
	}
	retry 30 fails
	has "bind: Address already in use" "$(kubectl logs clash -c second)"
	is_in_state clash c "0 true running"
}

# rows: 135 136
@test "containers of a pod share IPC and the host name, which is the pod's" {
	local command='echo $(hostname) $(readlink /proc/self/ns/ipc) $(readlink /proc/self/ns/uts) $(readlink /proc/self/ns/net) $(cat /proc/sys/kernel/shmmni); exec sleep 600'
	create_pod pair "$command" '.spec.containers += [.spec.containers[0] + {name: "d"}]'
	create_pod shm 'echo from c >/dev/shm/letter; exec sleep 600' \
		'.spec.containers += [.spec.containers[0] + {name: "d", command: ["sh", "-c",
		"until [ -s /dev/shm/letter ]; do usleep 50000; done; cat /dev/shm/letter; exec sleep 600"]}]'
	retry 30 pod_is_ready pair
	retry 10 log_has pair c "pair ipc:"
	retry 10 log_has pair d "pair ipc:"
	same "$(log_of pair c)" "$(log_of pair d)"
	# Not the node's.
	lacks "$(on one readlink /proc/self/ns/ipc)" "$(log_of pair c)"
	lacks "$(on one readlink /proc/self/ns/uts)" "$(log_of pair c)"
	retry 30 logged "from c" shm d
}

log_has() {
	log_of "$1" "$2" | grep -q "$3"
}

# rows: 137
@test "containers see each other's processes if the pod says so, and not else" {
	local more='.spec.containers += [.spec.containers[0] + {name: "d", command: ["sleep", "777"]}]'
	local look='until ps | grep -q "[s]leep 777"; do usleep 100000; done; echo seen; exec sleep 600'
	create_pod together "$look" "$more | .spec.shareProcessNamespace = true"
	create_pod apart 'readlink /proc/self/ns/pid; ps; exec sleep 600' "$more"
	retry 30 logged seen together
	retry 30 pod_is_ready apart
	retry 10 log_has apart c "PID"
	lacks "sleep 777" "$(log_of apart)"
}

# rows: 3
@test "a container that is killed is started again on its node, and counted" {
	local pid
	create_pod hardy "exec sleep 600"
	retry 30 pod_is_ready hardy
	pid=$(init_of hardy c)
	on one kill -KILL "$pid"
	retry 30 is_in_state hardy c "1 true running"
	same one "$(pod_says .spec.nodeName hardy)"
	has "hardy   1/1     Running   1" "$(kubectl get pod hardy)"
	same 137 "$(pod_says '.status.containerStatuses[0].lastState.terminated.exitCode' hardy)"
	[ "$(init_of hardy c)" != "$pid" ]
}

# init_of POD CONTAINER: the first process of a container that runs, as the
# node has it
init_of() {
	local id
	id=$(pod_says ".status.containerStatuses[] | select(.name == \"$2\").containerID" "$1")
	on one jq -r .pid "/var/lib/coxswain/oci/containers/${id#oci://}/record.json"
}

# rows: 251
@test "the first process of a container is a real one, that nsenter takes" {
	local pid
	create_pod entered 'echo inside >/tmp/file; exec sleep 600'
	retry 30 pod_is_ready entered
	pid=$(init_of entered c)
	same "sleep 600 " "$(on one cat "/proc/$pid/cmdline" | tr '\0' ' ')"
	same "entered inside $(address_of entered)" "$(on one nsenter --target "$pid" --mount --uts \
		--ipc --net --pid sh -c 'echo $(hostname) $(cat /tmp/file) $(hostname -i)')"
	same "1" "$(on one nsenter --target "$pid" --mount --uts --ipc --net --pid \
		sh -c 'ps | grep -c "[s]leep 600"')"
}

# by_runtime CONTAINER-ID COMMAND...: as its user does by hand, with the runtime
# that the node says it has
by_runtime() {
	local id=$1 name
	shift
	name=$(curl -s "$server/api/v1/nodes/one" |
		jq -r '.status.nodeInfo.containerRuntimeVersion | split("://")[0]')
	case $name in crun | runc) ;; *) name=$(command -v crun >/dev/null && echo crun || echo runc) ;; esac
	on one "$name" --root /run/coxswain/oci/runtime exec "$id" "$@"
}

serves() {
	[ "$(curl -s -m 2 "http://$(address_of "$1"):8080/")" = "$2" ]
}

# rows: 252
@test "a page that is edited by hand in the running container is served" {
	local pid id
	create_pod edited 'mkdir -p /var/www/html; echo first >/var/www/html/index.html; exec httpd -f -p 8080 -h /var/www/html'
	retry 30 pod_is_ready edited
	retry 10 serves edited first
	pid=$(init_of edited c)
	on one nsenter --target "$pid" --mount --uts --ipc --net --pid \
		sh -c 'echo second >/var/www/html/index.html'
	serves edited second
	id=$(pod_says '.status.containerStatuses[0].containerID' edited)
	by_runtime "${id#oci://}" sh -c 'echo third >/var/www/html/index.html'
	serves edited third
	same "0 true running" "$(state_of edited c)"
}

# rows: 56
@test "each pod has one pause process besides its own" {
	local pod pauses
	pauses=$(on one ps -e -o args= | grep -cx /pause)
	pods=$(curl -s "$server/api/v1/namespaces/default/pods" |
		jq '[.items[] | select(.status.phase == "Running")] | length')
	[ "$pods" -gt 1 ]
	same "$pods" "$pauses"
}

# rows: 198 199
@test "services that are there before a pod are in its environment" {
	local address
	create_pod early 'env; echo end; exec sleep 600'
	retry 30 logged end early
	create '{"apiVersion":"v1","kind":"Service","metadata":{"name":"redis-master"},
		"spec":{"ports":[{"name":"db","port":6379}]}}'
	address=$(curl -s "$server/api/v1/namespaces/default/services/redis-master" | jq -r .spec.clusterIP)
	lacks REDIS_MASTER "$(log_of early)"
	# The kubelet hears of the service by its watch, in its own time.
	hears() {
		create "$(simple_pod late 'env; echo end; exec sleep 600')" && retry 30 logged end late || return 1
		logged "REDIS_MASTER_SERVICE_HOST=$address" late && return
		kubectl delete pod late --grace-period=1
		return 1
	}
	retry 20 hears
	same "REDIS_MASTER_PORT=tcp://$address:6379
REDIS_MASTER_PORT_6379_TCP=tcp://$address:6379
REDIS_MASTER_PORT_6379_TCP_ADDR=$address
REDIS_MASTER_PORT_6379_TCP_PORT=6379
REDIS_MASTER_PORT_6379_TCP_PROTO=tcp
REDIS_MASTER_SERVICE_HOST=$address
REDIS_MASTER_SERVICE_PORT=6379
REDIS_MASTER_SERVICE_PORT_DB=6379" "$(log_of late | grep REDIS_MASTER | sort)"
	has "KUBERNETES_SERVICE_HOST=10.254.0.1" "$(log_of early)"
}

# rows: 125
@test "the log of a container that waits, and of a pod without a node" {
	create_pod waits 'true' '.spec.containers[0] += {image: "nowhere.invalid/none:1", imagePullPolicy: "Never"}'
	create_pod nowhere 'true' '.spec.nodeSelector = {none: "such"}'
	waits() {
		is_in_state waits c "0 false waiting ErrImageNeverPull"
	}
	retry 30 waits
	has 'container "c" in pod "waits" is waiting to start: ErrImageNeverPull' \
		"$(! kubectl logs waits 2>&1)"
	! kubectl logs nowhere >"$dir/said" 2>&1
	has 'pod nowhere does not have a host assigned' "$(cat "$dir/said")"
}

# rows: 73
@test "logs: of one container of several, as they come, and of the one before" {
	local follower
	create_pod talks 'echo first; while [ ! -e /tmp/go ]; do usleep 50000; done; echo second; exec sleep 600' \
		'.spec.containers += [{name: "other", image: "busybox:1", command: ["sh", "-c", "echo aside; exec sleep 600"]}]'
	retry 30 pod_is_ready talks
	has "a container name must be specified" \
		"$(curl -s "$server/api/v1/namespaces/default/pods/talks/log" | jq -r .message)"
	same aside "$(kubectl logs talks -c other)"
	kubectl logs -f talks -c c >"$dir/followed" 2>&1 3>&- &
	follower=$!
	retry 20 grep -qx first "$dir/followed"
	lacks second "$(cat "$dir/followed")"
	on one touch "/proc/$(init_of talks c)/root/tmp/go"
	retry 20 grep -qx second "$dir/followed"
	same second "$(kubectl logs talks -c c --tail=1)"
	kubectl delete pod talks --grace-period=1
	wait "$follower" || :
	create_pod again 'if [ -e /v/run ]; then echo "second run"; exec sleep 600; fi; : >/v/run; echo "first run"' \
		'.spec += {volumes: [{name: "v", emptyDir: {}}]} | .spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}]'
	retry 40 logged "second run" again
	same "first run" "$(kubectl logs again -p)"
}

@test "what is not there yet says so" {
	has "MethodNotAllowed): pods/exec is not offered" "$(! kubectl exec entered -- true 2>&1)"
	has "pods/portforward is not offered by this server" \
		"$(! kubectl port-forward entered 8888:80 2>&1)"
}
