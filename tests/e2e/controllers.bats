#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
bats_require_minimum_version 1.5.0
# The controllers against the real API server, as a user sees them.

setup() {
	dir=$(mktemp -d /tmp/coxswain-controllers.XXXXXX)
	libs=$(realpath "$builddir/plugins/.libs")
	pids=()
	mkdir "$dir/etc"
	export KUBECONFIG=/dev/null HOME=$dir
	command -v kubectl > /dev/null || skip "no kubectl"
	command -v jq > /dev/null || skip "no jq"
}

teardown() {
	local pid
	for pid in "${pids[@]}"; do
		kill -TERM "$pid" 2> /dev/null || :
		wait "$pid" 2> /dev/null || :
	done
	rm -rf "$dir"
}

# Tries a command until it succeeds, 30 seconds at the most.
retry() {
	local end=$((SECONDS + 30))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# Another process may take the port between the look and the start: try again.
start_apiserver() {
	local try
	for try in 1 2 3; do
		port=$(free_port)
		url=http://127.0.0.1:$port
		"$builddir/core/coxswain" kube-apiserver --config-dir="$dir/etc" \
			--plugin-dir="$libs" --storage-backend=memory --data-dir="$dir/data" \
			--cert-dir="$dir/certs" --insecure-port="$port" --secure-port=0 \
			--service-cluster-ip-range=10.254.0.0/16 "$@" 2> "$dir/api.log" &
		pids+=($!)
		retry served $! && curl -fsS -o /dev/null "$url/api/v1/namespaces/default" && return
	done
	cat "$dir/api.log"
	return 1
}

# It answers with its first namespace, or it has ended.
served() {
	curl -fsS -o /dev/null "$url/api/v1/namespaces/default" 2> /dev/null ||
		! kill -0 "$1" 2> /dev/null
}

start_controllers() {
	"$builddir/core/coxswain" kube-controller-manager --config-dir="$dir/etc" \
		--plugin-dir="$libs" --master="$url" --leader-elect=false --port=0 \
		--secure-port=0 "$@" 2> "$dir/cm.log" &
	pids+=($!)
}

k() {
	kubectl --server="$url" "$@"
}

# is KIND NAME JQ-EXPRESSION VALUE, in namespace t.
is() {
	[ "$(k -n t get "$1" "$2" -o json 2> /dev/null | jq -r "$3" 2> /dev/null)" = "$4" ]
}

# are KIND JQ-EXPRESSION VALUE, of the list of all in namespace t.
are() {
	[ "$(k -n t get "$1" -o json 2> /dev/null | jq -r "$2" 2> /dev/null)" = "$3" ]
}

count() {
	[ "$(k -n t get "$1" -o json 2> /dev/null | jq '.items | length')" = "$2" ]
}

gone() {
	run k -n t get "$1" "$2"
	[ "$status" -ne 0 ] && [[ $output == *NotFound* ]]
}

make_namespace() {
	k create namespace t > /dev/null
	retry k -n t get serviceaccount default > /dev/null 2>&1
}

make_rc() {
	k -n t create -f - > /dev/null << EOF
{"kind": "ReplicationController", "apiVersion": "v1", "metadata": {"name": "$1"}, "spec": {
 "replicas": $2, "selector": {"app": "$1"}, "template": {"metadata": {"labels": {"app": "$1"}},
 "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"name": "http",
 "containerPort": 8080}]}]}}}}
EOF
}

# make_ready POD ADDRESS: what the kubelet would say.
make_ready() {
	k -n t patch pod "$1" --subresource=status --type=strategic -p "{\"status\": {
		\"phase\": \"Running\", \"podIP\": \"$2\", \"podIPs\": [{\"ip\": \"$2\"}],
		\"conditions\": [{\"type\": \"Ready\", \"status\": \"True\"}]}}" > /dev/null
}

pod_names() {
	k -n t get pods -o json | jq -r '.items[].metadata.name'
}

# rows: 22
@test "every namespace gets its account and the CA; a deleted one is emptied" {
	start_apiserver
	printf -- '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n' > "$dir/ca.crt"
	start_controllers --root-ca-file="$dir/ca.crt"
	make_namespace
	retry is configmap kube-root-ca.crt '.data["ca.crt"] | startswith("-----BEGIN")' true
	make_rc web 2
	k -n t create configmap own --from-literal=a=b
	retry count pods 2
	k delete namespace t --wait=false
	retry gone namespace t
	[ "$(k get pods,configmaps -n t -o json | jq '.items | length')" = 0 ]
	k get namespace default
}

# user_is TOKEN NAME: whom the secure port takes who brings the token for, or why not.
user_is() {
	[ "$(curl -sS --cacert "$dir/certs/apiserver.crt" -H "Authorization: Bearer $1" \
		-H 'Content-Type: application/json' \
		-d '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}' \
		"https://127.0.0.1:$secure/apis/authentication.k8s.io/v1/selfsubjectreviews" |
		jq -r '.reason // .status.userInfo.username')" = "$2" ]
}

make_token_secret() {
	k -n t create -f - > /dev/null << EOF
{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "$1", "annotations": {
 "kubernetes.io/service-account.name": "$2"}}, "type": "kubernetes.io/service-account-token"}
EOF
}

# rows: 228
@test "a secret that asks for a token gets one, which is good while the secret is there" {
	local token secure
	secure=$(free_port)
	start_apiserver --secure-port="$secure"
	start_controllers --service-account-private-key-file="$dir/data/pki/sa.key" \
		--root-ca-file="$dir/data/pki/ca.crt"
	make_namespace
	k -n t create serviceaccount robot
	make_token_secret robot-token robot
	retry is secret robot-token '.data | keys | join(",")' ca.crt,namespace,token
	is secret robot-token '.data["ca.crt"]' "$(base64 -w0 "$dir/data/pki/ca.crt")"
	k -n t get secret robot-token -o json | jq -r .data.token | base64 -d > "$dir/token"
	token=$(cat "$dir/token")
	user_is "$token" system:serviceaccount:t:robot
	user_is "${token%??}xx" Unauthorized
	# Another secret of the account holds another token, which outlives the first.
	make_token_secret second robot
	retry is secret second '.data | keys | join(",")' ca.crt,namespace,token
	k -n t delete secret robot-token
	retry user_is "$token" Unauthorized
	token=$(k -n t get secret second -o json | jq -r .data.token | base64 -d)
	user_is "$token" system:serviceaccount:t:robot
	# With the account goes its secret, and the secrets of accounts that never were.
	make_token_secret nobodys nobody
	retry gone secret nobodys
	k -n t delete serviceaccount robot
	retry gone secret second
	retry user_is "$token" Unauthorized
}

# rows: 15
@test "a service's pods are in its endpoints and slices while they are ready" {
	start_apiserver
	start_controllers
	make_namespace
	k -n t create -f - << 'EOF'
{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {
 "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}}
EOF
	make_rc web 2
	retry count pods 2
	mapfile -t pods < <(pod_names)
	make_ready "${pods[0]}" 10.1.0.1
	make_ready "${pods[1]}" 10.1.0.2
	retry is endpoints web '[.subsets[0].addresses[].ip] | sort | join(" ")' "10.1.0.1 10.1.0.2"
	is endpoints web '.subsets[0].ports[0].port' 8080
	slice='[.items[] | select(.metadata.labels["kubernetes.io/service-name"] == "web")]'
	retry are endpointslices "$slice[0].endpoints | length" 2
	are endpointslices "$slice | length" 1
	are endpointslices "$slice[0].endpoints[0].conditions.ready" true
	# What does not concern the service leads to no write.
	revision=$(k -n t get endpoints web -o jsonpath='{.metadata.resourceVersion}')
	k -n t annotate pod "${pods[0]}" note=1
	make_rc other 1
	retry count pods 3
	is endpoints web .metadata.resourceVersion "$revision"
	k -n t delete rc other
	retry count pods 2
	k -n t scale rc web --replicas=1
	retry count pods 1
	retry is endpoints web '.subsets[0].addresses | length' 1
	k -n t delete service web
	retry gone endpoints web
	retry are endpointslices "$slice | length" 0
}

@test "dependents go with their owner, before it, or stay without it" {
	start_apiserver
	start_controllers
	make_namespace
	make_rc back 2
	make_rc fore 1
	make_rc free 1
	retry count pods 4
	k -n t delete rc back --cascade=background
	retry count pods 2
	k -n t delete rc fore --cascade=foreground --wait=false
	retry gone rc fore
	retry count pods 1
	k -n t delete rc free --cascade=orphan
	retry gone rc free
	count pods 1
	are pods '.items[0].metadata.ownerReferences // [] | length' 0
}

# rows: 22 241
@test "a silent node is Unknown and tainted, and its pods move" {
	start_apiserver
	for node in lost alive; do
		k create -f - << EOF
{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "$node"}}
EOF
		k patch node "$node" --subresource=status --type=strategic -p '{"status":
			{"conditions": [{"type": "Ready", "status": "True"}]}}'
	done
	start_controllers --node-monitor-period=100ms --node-monitor-grace-period=3s \
		--pod-eviction-timeout=1s --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16
	make_namespace
	retry is node alive '.spec.podCIDR // "" | startswith("10.244.")' true
	retry grep -q 'nodecontroller.c:[0-9]*\] Missing timestamp for Node lost. Assuming now as a timestamp.$' "$dir/cm.log"
	k -n t create -f - << 'EOF'
{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"nodeName": "lost",
 "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "i"}]}}
EOF
	make_ready p 10.1.0.9
	beat=0
	moved() {
		beat=$((beat + 1))
		k patch node alive --subresource=status --type=strategic -p "{\"status\":
			{\"conditions\": [{\"type\": \"Ready\", \"status\": \"True\",
			\"lastHeartbeatTime\": \"2026-01-01T00:$((beat / 60 % 60 + 10)):$((beat % 50 + 10))Z\"}]}}" > /dev/null
		"$@"
	}
	condition='.status.conditions[] | select(.type == "Ready")'
	retry moved is node lost "$condition | .reason" NodeStatusUnknown
	is node lost "$condition | .status + \": \" + .message" \
		"Unknown: Kubelet stopped posting node status."
	retry moved is node lost '[.spec.taints[] | .key + ":" + .effect] | sort | join(" ")' \
		"node.kubernetes.io/unreachable:NoExecute node.kubernetes.io/unreachable:NoSchedule"
	retry moved gone pod p
	is node alive "$condition | .status" True
}

# rows: 22
@test "a quota knows what is used, and what is free again" {
	start_apiserver
	start_controllers --resource-quota-sync-period=500ms
	make_namespace
	k -n t create quota q --hard=pods=5,configmaps=9
	retry is quota q '.status.used.configmaps' 1
	make_rc web 2
	retry is quota q '.status.used.pods' 2
	k -n t scale rc web --replicas=0
	retry is quota q '.status.used.pods' 0
}
