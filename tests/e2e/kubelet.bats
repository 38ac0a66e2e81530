#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A kubelet with hollow containers and a real API server: what a user sees of
# nodes, pods and logs.
source "$srcdir/tests/lib/functions.bash"

pods=/api/v1/namespaces/default/pods

setup_file() {
	requires curl jq setpriv busybox
	make_dir
	start_apiserver --authorization-mode=AlwaysAllow --admission-control=AlwaysAdmit
	node_port=$(free_port)
	health_port=$(free_port)
	export node_port health_port
	start_daemon kubelet "$program" kubelet --plugin-dir="$plugins" --api-servers="$server" \
		--container-runtime=hollow --hostname-override=Node-A --node-ip=127.0.0.1 \
		--root-dir="$dir/kubelet" --pod-logs-dir="$dir/logs" --address=127.0.0.1 \
		--client-ca-file="$dir/data/pki/ca.crt" --port="$node_port" \
		--healthz-port="$health_port" --config="$dir/manifests" --file-check-frequency=50ms
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
	# Whose status it is.
	is_said "kubelet Update status v1" "$pods/web" \
		'.metadata.managedFields[] | [.manager, .operation, .subresource, .apiVersion] | join(" ")'
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

@test "a manifest in a file is a pod, shown by a mirror that nobody can end" {
	mkdir -p "$dir/manifests"
	cat >"$dir/manifests/web.yaml" <<-'END'
		apiVersion: v1
		kind: Pod
		metadata:
		  name: static
		spec:
		  terminationGracePeriodSeconds: 1
		  containers:
		  - name: c
		    image: i
		    args: ["say=from a file"]
	END
	retry 20 is_said Running "$pods/static-node-a" .status.phase
	is_said file "$pods/static-node-a" '.metadata.annotations["kubernetes.io/config.source"]'
	same "from a file" "$(curl -sf "$server$pods/static-node-a/log")"
	id=$(curl -sf "$server$pods/static-node-a" | jq -r '.status.containerStatuses[0].containerID')
	uid=$(curl -sf "$server$pods/static-node-a" | jq -r .metadata.uid)
	curl -sf -X DELETE "$server$pods/static-node-a" >/dev/null
	retry 20 is_another_mirror "$uid"
	retry 20 is_said "$id" "$pods/static-node-a" '.status.containerStatuses[0].containerID'
	rm "$dir/manifests/web.yaml"
	retry 20 pod_is_gone static-node-a
}

# rows: 128
@test "a manifest with a no-break space is told with file, line and character, and no pod" {
	local file=$dir/manifests/pasted.yaml
	printf 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: pasted\nspec:\n  containers:\n%s\n    image: i\n' \
		$'  -\xc2\xa0name: c' >"$file"
	retry 10 grep -q "static pods: $file: invalid YAML at line 7.*(U+00A0, a no-break space)" \
		"$dir/kubelet.log"
	pod_is_gone pasted-node-a
	sed -i $'s/\xc2\xa0/ /' "$file"
	retry 20 is_said Running "$pods/pasted-node-a" .status.phase
	rm "$file"
	retry 20 pod_is_gone pasted-node-a
}

is_another_mirror() {
	[ "$(curl -s "$server$pods/static-node-a" | jq -r .metadata.uid)" != "$1" ] &&
		! pod_is_gone static-node-a
}

@test "events about the node say what became of it" {
	retry 10 is_said "Starting kubelet." /api/v1/namespaces/default/events \
		'.items[] | select(.involvedObject.kind == "Node") | .message'
	is_said "Node node-a status is now: NodeReady" /api/v1/namespaces/default/events \
		'.items[] | select(.involvedObject.kind == "Node") | .message'
}

# alone NAME FLAGS...: a kubelet without an API server
alone() {
	local name=$1
	shift
	start_daemon "$name" "$program" kubelet --plugin-dir="$plugins" --container-runtime=hollow \
		--hostname-override=alone --root-dir="$dir/$name" --pod-logs-dir="$dir/$name-logs" \
		--kubeconfig= --enable-server=false --healthz-port=0 "$@"
}

has_said() {
	cat "$dir/alone-logs"/default_"$1"_*/c/0.log 2>/dev/null | grep -qF "$2"
}

# rows: 53
@test "without an API server a kubelet says so, and runs the pods of a file and a URL" {
	mkdir -p "$dir/www" "$dir/alone-manifests"
	jq -nc '{apiVersion: "v1", kind: "Pod", metadata: {name: "web"}, spec: {containers:
		[{name: "c", image: "i", args: ["say=from a URL"]}]}}' >"$dir/www/pod.json"
	jq -nc '{apiVersion: "v1", kind: "Pod", metadata: {name: "file"}, spec: {containers:
		[{name: "c", image: "i", args: ["say=from a file"]}]}}' >"$dir/alone-manifests/pod"
	www_port=$(free_port)
	start_daemon www busybox httpd -f -p "127.0.0.1:$www_port" -h "$dir/www"
	alone alone --config="$dir/alone-manifests" --file-check-frequency=50ms \
		--manifest-url="http://127.0.0.1:$www_port/pod.json" --http-check-frequency=50ms
	retry 20 has_said file-alone "from a file"
	retry 20 has_said web-alone "from a URL"
	has "No API client" "$(cat "$dir/alone.log")"
	# A server that is gone changes nothing; a pod that is gone there is gone here.
	kill_daemon www
	retry 10 grep -q "static pods: http://127.0.0.1:$www_port/pod.json" "$dir/alone.log"
	has_said web-alone "from a URL"
	printf '{"apiVersion": "v1", "kind": "PodList", "items": []}' >"$dir/www/pod.json"
	start_daemon www busybox httpd -f -p "127.0.0.1:$www_port" -h "$dir/www"
	retry 40 logs_are_gone web-alone
	has_said file-alone "from a file"
	kill_daemon www
	stop_daemon alone
}

logs_are_gone() {
	! compgen -G "$dir/alone-logs/default_$1_*" >/dev/null
}

# once NAME FLAGS...: --runonce; sets $status
once() {
	local name=$1
	shift
	run timeout 60 "$program" kubelet --plugin-dir="$plugins" --container-runtime=hollow \
		--hostname-override=alone --root-dir="$dir/$name" \
		--pod-logs-dir="$dir/$name-logs" --healthz-port=0 --runonce "$@"
}

# manifest NAME ARGUMENTS...: of a pod whose container ends once
manifest() {
	mkdir -p "$dir/once"
	jq -nc --arg name "$1" '{apiVersion: "v1", kind: "Pod", metadata: {$name}, spec: {
		restartPolicy: "Never", containers: [{name: "c", image: "i",
		args: $ARGS.positional}]}}' --args "${@:2}" >"$dir/once/$1"
}

@test "--runonce: the pods of files are started, and then the kubelet ends" {
	manifest one "say=one"
	manifest two "exit-after=10ms"
	once good --config="$dir/once"
	same 0 "$status"
	has "--runonce: all pods run" "$output"
	grep -qF one "$dir"/good-logs/default_one-alone_*/c/0.log
	# One that fails is named, and so is what cannot be read.
	manifest bad
	# One that runs and then fails has run: this one never does.
	jq -c '.spec.initContainers = [{name: "before", image: "i", args: ["exit-after=10ms", "exit-code=3"]}]' \
		"$dir/once/bad" >"$dir/bad"
	mv "$dir/bad" "$dir/once/bad"
	once failing --config="$dir/once"
	same 1 "$status"
	has "--runonce: pods failed: default/bad-alone" "$output"
	rm "$dir/once/bad"
	echo '{"kind": "Pod"' >"$dir/once/broken"
	once broken --config="$dir/once"
	same 1 "$status"
	has "--runonce: not all static pods could be read" "$output"
}

@test "--runonce: nobody else gives pods, and nobody is answered" {
	once api --config="$dir/once" --api-servers="$server"
	same 1 "$status"
	has "--runonce and an API server exclude each other" "$output"
	once serve --config="$dir/once" --enable-server
	same 1 "$status"
	has "--runonce and --enable-server exclude each other" "$output"
	once nothing
	same 1 "$status"
	has "--runonce needs --config or --manifest-url" "$output"
	once hasty --config="$dir/once" --event_qps=-1
	has "--event-qps must not be negative" "$output"
}

@test "a manifest URL of another kind is refused" {
	alone bad --manifest-url=ftp://x/pod
	retry 10 has_ended bad
	has '--manifest-url "ftp://x/pod" is no http or https URL' "$(cat "$dir/bad.log")"
	rm -f "$dir/bad.pid"
}

@test "the health port says ok; the other port takes nobody without a certificate" {
	same ok "$(curl -sf "http://127.0.0.1:$health_port/healthz")"
	same 401 "$(curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:$node_port/pods")"
}
