#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A kubelet with hollow containers and a real API server: what a user sees of
# nodes, pods and logs.
source "$srcdir/tests/lib/functions.bash"

pods=/api/v1/namespaces/default/pods

setup_file() {
	requires curl jq setpriv
	make_dir
	start_apiserver --authorization-mode=AlwaysAllow --admission-control=AlwaysAdmit
	node_port=$(free_port)
	health_port=$(free_port)
	export node_port health_port
	start_daemon kubelet "$program" kubelet --plugin-dir="$plugins" --api-servers="$server" \
		--container-runtime=hollow --hostname-override=Node-A --node-ip=127.0.0.1 \
		--root-dir="$dir/kubelet" --pod-logs-dir="$dir/logs" --address=127.0.0.1 \
		--client-ca-file="$dir/data/pki/ca.crt" --port="$node_port" \
		--healthz-port="$health_port"
	retry 20 is_said Ready /api/v1/nodes/node-a '.status.conditions[] | select(.status == "True") | .type'
}

# is_said TEXT PATH JQ-PROGRAM: TEXT is among what the program finds
is_said() {
	curl -sf "$server$2" | jq -r "$3" | grep -qxF "$1"
}

# put NAME JQ-PROGRAM: a pod bound to the node
put() {
	jq -nc --arg name "$1" '{apiVersion: "v1", kind: "Pod", metadata: {$name},
		spec: {nodeName: "node-a", terminationGracePeriodSeconds: 1,
		containers: [{name: "c", image: "i"}]}}' | jq -c "$2" |
		curl -sf -H 'Content-Type: application/json' -d @- "$server$pods" >/dev/null
}

# rows: 50
@test "the node registers under a name in lower case, with a lease" {
	is_said node-a /api/v1/nodes/node-a '.metadata.labels["kubernetes.io/hostname"]'
	is_said "hollow://0.1.0" /api/v1/nodes/node-a .status.nodeInfo.containerRuntimeVersion
	retry 10 is_said node-a /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-a \
		.spec.holderIdentity
}

# rows: 20 52
@test "a bound pod runs, is ready, and its log is read through the API server" {
	put web '.spec.containers[0].args = ["say=hello from the pod"]'
	retry 20 is_said Running "$pods/web" .status.phase
	retry 20 is_said True "$pods/web" '.status.conditions[] | select(.type == "Ready") | .status'
	same "hello from the pod" "$(curl -sf "$server$pods/web/log")"
}

@test "a container that fails is started again, with a growing pause" {
	put loop '.spec.containers[0].args = ["exit-after=10ms", "exit-code=1"]'
	retry 20 is_said CrashLoopBackOff "$pods/loop" \
		'.status.containerStatuses[0].state.waiting.reason'
	is_said 1 "$pods/loop" '.status.containerStatuses[0].lastState.terminated.exitCode'
}

# rows: 20
@test "a deleted pod is ended and then gone" {
	put doomed .
	retry 20 is_said Running "$pods/doomed" .status.phase
	curl -sf -X DELETE "$server$pods/doomed" >/dev/null
	retry 20 pod_is_gone doomed
}

pod_is_gone() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$server$pods/$1")" = 404 ]
}

@test "the health port says ok; the other port takes nobody without a certificate" {
	same ok "$(curl -sf "http://127.0.0.1:$health_port/healthz")"
	same 401 "$(curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:$node_port/pods")"
}
