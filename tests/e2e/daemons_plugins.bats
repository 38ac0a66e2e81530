#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Another plugin is another word in /etc/kubernetes: admission and scheduler
# plugins are exchanged on a master, by a restart or by SIGHUP, and nothing else
# changes. The nodes are objects without machines.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"
source "$srcdir/tests/lib/daemons.bash"

core=/api/v1/namespaces/default
pods=$core/pods

setup_file() {
	make_dir
	use_kubectl 1.31
	machines centos-master
	master_settings
}

teardown() {
	show_logs
	stop_daemons
	on centos-master rm -rf /var/lib/kubernetes
}

teardown_file() {
	end_machines
}

admission() {
	setting centos-master apiserver "KUBE_ADMISSION_CONTROL=\"--admission_control=$1\""
}

start_server() {
	daemon centos-master kube-apiserver
	retry 20 is_ready "$server"
}

# reload DAEMON LINE: by SIGHUP; LINE is what it says then
reload() {
	: >"$dir/centos-master-$1.log"
	kill -HUP "$(daemon_pid "centos-master-$1")"
	retry 20 log_has centos-master "$1" "$2"
}

# rows: 2 226 227
@test "ServiceAccount taken out of the list, as the document does: restart, and the pod is created" {
	local all=NamespaceLifecycle,NamespaceExists,LimitRanger,SecurityContextDeny,ServiceAccount,ResourceQuota
	on centos-master grep -qxF "KUBE_ADMISSION_CONTROL=\"--admission_control=$all\"" /etc/kubernetes/apiserver
	start_server
	# Keys that only verify: somebody else would have to make tokens.
	on centos-master mv /var/lib/kubernetes/pki/sa.pub /var/lib/theirs.pub
	stop_daemon centos-master-kube-apiserver
	setting centos-master apiserver 'KUBE_API_ARGS="--authorization-mode=AlwaysAllow --service-account-key-file=/var/lib/theirs.pub"'
	start_server
	api POST $core/serviceaccounts -d '{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}'
	expect 201
	cp "$srcdir/config/examples/nginx-pod.yaml" "$dir/nginx-pod.yaml"
	run -1 kubectl create -f "$dir/nginx-pod.yaml"
	has 'forbidden: no API token found for service account default/default, retry after the token is automatically created and added to the service account' "$output"
	has 'Error from server' "$output"
	admission "${all/ServiceAccount,/}"
	stop_daemon centos-master-kube-apiserver
	start_server
	run -0 kubectl create -f "$dir/nginx-pod.yaml"
	same "pod/nginx created" "$output"
	setting centos-master apiserver 'KUBE_API_ARGS="--authorization-mode=AlwaysAllow"'
}

# rows: 2 230
@test "SIGHUP: the new list holds at once, watches stay, and a broken list changes nothing" {
	local pid
	admission AlwaysAdmit
	start_server
	pid=$(daemon_pid centos-master-kube-apiserver)
	(curl -sN -m 60 "$server$core/configmaps?watch=true" >"$dir/watched" 3>&- || :) &
	api POST "$pods" -d "$(pod one | jq -c '.spec.securityContext = {"runAsUser": 0}')"
	expect 201
	admission SecurityContextDeny
	reload kube-apiserver 'Reload: done'
	api POST "$pods" -d "$(pod two | jq -c '.spec.securityContext = {"runAsUser": 0}')"
	expect 403 Forbidden
	message 'pods "two" is forbidden: pod.Spec.SecurityContext.RunAsUser is forbidden'
	admission SecurityContextDeny,NamespaceLifecycel
	reload kube-apiserver 'Reload: nothing was changed: Unknown admission plugin: NamespaceLifecycel .*did you mean "NamespaceLifecycle"'
	api POST "$pods" -d "$(pod two | jq -c '.spec.securityContext = {"runAsUser": 0}')"
	expect 403 Forbidden
	api POST $core/configmaps -d "$(config_map seen)"
	expect 201
	retry 10 grep -q '"name":"seen"' "$dir/watched"
	same "$pid" "$(daemon_pid centos-master-kube-apiserver)"
	is_running centos-master-kube-apiserver
}

# rows: 2 230
@test "a misspelt plugin in a file: one line that names file and line, status 1" {
	admission NamespaceLifecycel
	run -1 on centos-master timeout 20 "$dir/bin/kube-apiserver" --plugin-dir="$plugins" --config-dir=/etc/kubernetes
	same 1 "$(grep -c '^kube-apiserver: ' <<<"$output")"
	[[ $output =~ "kube-apiserver: Unknown admission plugin: NamespaceLifecycel ".*"/etc/kubernetes/apiserver:"[0-9]+ ]]
	admission AlwaysAdmit
	start_server
	setting centos-master scheduler 'KUBE_SCHEDULER_ARGS="--scheduler-plugins=pakced"'
	run -1 on centos-master timeout 20 "$dir/bin/kube-scheduler" --plugin-dir="$plugins" --config-dir=/etc/kubernetes
	[[ $output =~ "kube-scheduler: scheduler-pakced: not found in ".*'did you mean "packed"'.*"/etc/kubernetes/scheduler:"[0-9]+ ]]
	same 1 "$(grep -c '^kube-scheduler: ' <<<"$output")"
}

# rows: 231
@test "each of the six plugins alone" {
	local plugin
	for plugin in NamespaceLifecycle NamespaceExists LimitRanger SecurityContextDeny ServiceAccount ResourceQuota; do
		admission $plugin
		if [ $plugin = NamespaceLifecycle ]; then
			start_server
		else
			reload kube-apiserver 'Reload: done'
		fi
		alone_$plugin
	done
}

alone_NamespaceLifecycle() {
	api POST /api/v1/namespaces/nowhere/pods -d "$(pod web)"
	expect 404 NotFound
	api DELETE /api/v1/namespaces/default
	expect 403 Forbidden
	message 'namespaces "default" is forbidden: this namespace may not be deleted'
	context_is_allowed
}

context_is_allowed() {
	api POST "$pods?dryRun=All" -d "$(pod context | jq -c '.spec.securityContext = {"runAsUser": 0}')"
	expect 201
}

alone_NamespaceExists() {
	api POST /api/v1/namespaces/nowhere/pods -d "$(pod web)"
	expect 404 NotFound
	api DELETE "/api/v1/namespaces/default?dryRun=All"
	expect 200
	context_is_allowed
}

is_limited() {
	api POST "$pods?dryRun=All" -d "$(pod big | jq -c '.spec.containers[0].resources = {"limits": {"cpu": "3"}}')"
	[ "$code" = 403 ]
}

alone_LimitRanger() {
	api POST $core/limitranges -d '{"apiVersion":"v1","kind":"LimitRange","metadata":{"name":"l"},"spec":{"limits":[{"type":"Container","max":{"cpu":"2"}}]}}'
	expect 201
	retry 10 is_limited
	has 'maximum cpu usage per Container is 2, but limit is 3' "$(query .message)"
	context_is_allowed
}

alone_SecurityContextDeny() {
	# The limit range is there still, and nobody looks at it.
	api POST "$pods?dryRun=All" -d "$(pod big | jq -c '.spec.containers[0].resources = {"limits": {"cpu": "3"}}')"
	expect 201
	api POST "$pods?dryRun=All" -d "$(pod context | jq -c '.spec.securityContext = {"runAsUser": 0}')"
	expect 403 Forbidden
}

alone_ServiceAccount() {
	api POST "$pods?dryRun=All" -d "$(pod context)"
	expect 403 Forbidden
	message 'pods "context" is forbidden: error looking up service account default/default: serviceaccount "default" not found'
}

is_over_quota() {
	api POST "$pods?dryRun=All" -d "$(pod more)"
	[ "$code" = 403 ] && [[ $body == *"exceeded quota: q"* ]]
}

alone_ResourceQuota() {
	api POST $core/resourcequotas -d '{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"pods":"0"}}}'
	expect 201
	api PATCH $core/resourcequotas/q/status -H 'Content-Type: application/merge-patch+json' \
		-d '{"status":{"hard":{"pods":"0"},"used":{"pods":"0"}}}'
	expect 200
	retry 10 is_over_quota
}

# rows: 232
@test "plugins run in the listed order: the first refusal is the one that is heard" {
	local both
	both=$(pod both | jq -c '.spec.securityContext = {"runAsUser": 0}')
	admission SecurityContextDeny,NamespaceExists
	start_server
	api POST /api/v1/namespaces/nowhere/pods -d "$both"
	expect 403 Forbidden
	message 'pods "both" is forbidden: pod.Spec.SecurityContext.RunAsUser is forbidden'
	admission NamespaceExists,SecurityContextDeny
	reload kube-apiserver 'Reload: done'
	api POST /api/v1/namespaces/nowhere/pods -d "$both"
	expect 404 NotFound
	message 'namespaces "nowhere" not found'
}

# make_node NAME: ready, as a kubelet would say
make_node() {
	api POST /api/v1/nodes -d "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"$1\"}}"
	expect 201
	api PATCH "/api/v1/nodes/$1/status" -H 'Content-Type: application/merge-patch+json' -d '{"status":{
		"capacity":{"cpu":"4","memory":"8Gi","pods":"110"},"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"},
		"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","message":""}]}}'
	expect 200
}

# place NAME: a pod that asks for something; where it went is then $place
place() {
	api POST "$pods" -d "$(pod "$1" | jq -c '.spec.containers[0].resources = {"requests": {"cpu": "500m", "memory": "512Mi"}}')"
	expect 201
	retry 15 is_placed "$1"
	place=$(get "$pods/$1" .spec.nodeName)
}

is_placed() {
	! says null "$pods/$1" .spec.nodeName
}

# rows: 2
@test "the scheduler: default spreads, packed fills, a policy file says otherwise" {
	local first
	admission AlwaysAdmit
	setting centos-master scheduler 'KUBE_SCHEDULER_ARGS=""'
	start_server
	make_node one
	make_node two
	daemon centos-master kube-scheduler
	place a
	first=$place
	place b
	[ "$place" != "$first" ]
	# packed, after a restart
	stop_daemon centos-master-kube-scheduler
	setting centos-master scheduler 'KUBE_SCHEDULER_ARGS="--scheduler-plugins=packed"'
	daemon centos-master kube-scheduler
	place c
	first=$place
	for name in d e f; do
		place $name
		same "$first" "$place"
	done
	# default again, by SIGHUP: the emptier one is filled
	setting centos-master scheduler 'KUBE_SCHEDULER_ARGS="--scheduler-plugins=default"'
	reload kube-scheduler 'Reload: done'
	place g
	[ "$place" != "$first" ]
	# A policy that does not know node selectors
	api POST "$pods" -d "$(pod choosy | jq -c '.spec.nodeSelector = {"zone": "nowhere"}')"
	expect 201
	retry 15 log_has centos-master kube-scheduler 'failed to find fit for pod choosy on node one: MatchNodeSelector'
	on centos-master tee /etc/kubernetes/policy.json <<-'END'
		{"kind": "Policy", "apiVersion": "v1", "predicates": [{"name": "PodFitsResources"}],
		 "priorities": [{"name": "LeastRequestedPriority", "weight": 1}]}
	END
	setting centos-master scheduler 'KUBE_SCHEDULER_ARGS="--policy-config-file=/etc/kubernetes/policy.json"'
	reload kube-scheduler 'Reload: done'
	api POST "$pods" -d "$(pod choosy2 | jq -c '.spec.nodeSelector = {"zone": "nowhere"}')"
	expect 201
	retry 15 is_placed choosy2
	# A policy that is wrong changes nothing.
	on centos-master sed -i 's/PodFitsResources/PodFitsResourcse/' /etc/kubernetes/policy.json
	reload kube-scheduler 'Reload: nothing was changed: .*PodFitsResourcse'
	place h
	setting centos-master scheduler 'KUBE_SCHEDULER_ARGS=""'
}

# rows: 13 14
@test "another scheduler, that posts bindings by hand" {
	admission AlwaysAdmit
	start_server
	make_node one
	make_node two
	api POST "$pods" -d "$(pod mine)"
	expect 201
	same null "$(query .spec.nodeName)"
	api POST "$pods/mine/binding" -d '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"mine"},"target":{"kind":"Node","name":"two"}}'
	expect 201
	same two "$(get "$pods/mine" .spec.nodeName)"
	same True "$(get "$pods/mine" '.status.conditions[] | select(.type == "PodScheduled").status')"
	api POST "$pods/mine/binding" -d '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"mine"},"target":{"kind":"Node","name":"one"}}'
	expect 409 Conflict
	# The one of the package goes on with the next pod, and counts this one.
	daemon centos-master kube-scheduler
	place next
	same two "$(get "$pods/mine" .spec.nodeName)"
}
