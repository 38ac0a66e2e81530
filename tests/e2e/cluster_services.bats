#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Replication controllers and services in a whole cluster: who answers, from
# where, and what stays the same while pods come and go.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"

setup_file() {
	requires_containers
	make_dir
	use_kubectl 1.35
	start_cluster
	# Who asks from a pod.
	create "$(simple_pod client 'exec sleep 3600')"
	retry 30 pod_is_ready client
}

teardown_file() {
	end_hosts
}

# controller NAME REPLICAS LABELS-JSON [JQ-PROGRAM]: web servers
controller() {
	simple_pod "$1" 'exec web' | jq -c --arg name "$1" --argjson replicas "$2" \
		--argjson labels "$3" '{apiVersion: "v1", kind: "ReplicationController",
		metadata: {$name}, spec: {$replicas, selector: $labels,
		template: {metadata: {$labels}, spec}}}' | jq -c "${4:-.}"
}

# service NAME SPEC-JSON
service() {
	jq -nc --arg name "$1" --argjson spec "$2" \
		'{apiVersion: "v1", kind: "Service", metadata: {$name}, $spec}'
}

address_of() {
	curl -sf "$server/api/v1/namespaces/default/services/$1" | jq -r .spec.clusterIP
}

# names_of SELECTOR: of the pods that are ready and stay, in order
names_of() {
	curl -sf "$server/api/v1/namespaces/default/pods?labelSelector=$1" | jq -r '.items[] |
		select(.metadata.deletionTimestamp == null) | select(any(.status.conditions[]?;
		.type == "Ready" and .status == "True")) | .metadata.name' | sort
}

# pods_are COUNT SELECTOR: so many, all ready, and no others
pods_are() {
	[ "$(names_of "$2" | wc -l)" = "$1" ] && [ "$(curl -sf \
		"$server/api/v1/namespaces/default/pods?labelSelector=$2" | jq '.items | length')" = "$1" ]
}

endpoints_are() {
	[ "$(curl -sf "$server/api/v1/namespaces/default/endpoints/$2" |
		jq '[.subsets[]?.addresses[]?] | length')" = "$1" ]
}

# inside POD COMMAND...: in its network, with its environment of programs
inside() {
	local id
	id=$(pod_says '.status.containerStatuses[0].containerID' "$1")
	on one sh -c 'pid=$(jq -r .pid "/var/lib/coxswain/oci/containers/$1/record.json") && shift &&
		exec nsenter --target "$pid" --mount --uts --ipc --net --pid "$@"' sh "${id#oci://}" "${@:2}"
}

# ask URL [HOST]: what comes back, one line
ask() {
	on_net "${2:-one}" "$(type -P curl)" -s --max-time 5 "$1"
}

# answered_by_all COUNT NAMES COMMAND...: COUNT answers in a row, each of NAMES
# as often as the others
answered_by_all() {
	local count=$1 names=$2 i
	shift 2
	for ((i = 0; i < count; i++)); do
		"$@" || return 1
	done | sort | uniq -c | awk '{ print $2, $1 }' >"$dir/answers"
	same "$(awk -v n="$((count / $(wc -l <<<"$names")))" '{ print $1, n }' <<<"$names")" \
		"$(cat "$dir/answers")"
}

# rows: 1 57 254
@test "the node, of no cloud: its row, its label, its description" {
	local text row
	kubectl get nodes --show-labels >"$dir/nodes"
	row=$(sed 1d "$dir/nodes")
	[[ $row =~ ^one\ +Ready\ +\<none\>\ +[0-9]+s\ +v1\.36\.2\+coxswain\ .*kubernetes.io/hostname=one ]]
	same "NAME STATUS ROLES AGE VERSION LABELS" "$(head -n 1 "$dir/nodes" | xargs)"
	text=$(kubectl describe node one)
	for row in 'InternalIP: +192.168.1.11' 'Hostname: +one' "Kernel Version: +$(uname -r)" \
		'OS Image: +.*[A-Za-z]' 'Container Runtime Version: +oci://[0-9]' \
		'Kubelet Version: +v1\.36\.2\+coxswain' 'Ready +True .*KubeletReady'; do
		grep -qE "$row" <<<"$text" || {
			printf 'no line like "%s" in\n%s\n' "$row" "$text" >&2
			return 1
		}
	done
	lacks "ProviderID:  " "$text"
}

# rows: 9 23 201 205
@test "the document's controller and service: inside and outside, all pods in turn" {
	local names address
	kubectl create -f "$srcdir/config/examples/nginx-rc.yaml"
	same "service/nginx-service created" \
		"$(kubectl create -f "$srcdir/config/examples/nginx-service.yaml")"
	retry 30 pods_are 2 app=nginx
	retry 10 endpoints_are 2 nginx-service
	names=$(names_of app=nginx)
	address=$(address_of nginx-service)
	# From the node, from a pod, and from the world by the node's port.
	retry 10 answered_by_all 6 "$names" ask "http://$address/"
	answered_by_all 6 "$names" inside client wget -qO- "http://$address/"
	answered_by_all 6 "$names" ask "http://$master:30001/" world
	answered_by_all 6 "$names" ask "http://$master:30001/"
}

# rows: 202
@test "with ClientIP affinity a client stays with one pod" {
	kubectl patch service nginx-service -p '{"spec":{"sessionAffinity":"ClientIP"}}'
	same 10800 "$(curl -s "$server/api/v1/namespaces/default/services/nginx-service" |
		jq .spec.sessionAffinityConfig.clientIP.timeoutSeconds)"
	stays() {
		local i
		for i in 1 2 3 4 5 6; do
			ask "http://$master:30001/" world
		done | sort -u | wc -l | grep -qx 1
	}
	retry 10 stays
	stays
	kubectl patch service nginx-service -p '{"spec":{"sessionAffinity":"None"}}'
}

# rows: 7 10 185 197
@test "the address goes on working while its pods are replaced, and stays what it was" {
	local before address old
	address=$(address_of nginx-service)
	before=$(names_of app=nginx)
	# A connection may end with the pod that has it; the next one must not fail.
	create "$(simple_pod asker "ask() { timeout 5 wget -qO- http://$address/; }
		while :; do ask || ask || echo failed; usleep 20000; done")"
	retry 30 pod_is_ready asker
	have_answered() {
		log_of asker >"$dir/asked" &&
			same "" "$(comm -23 <(sort <<<"$1") <(sort -u "$dir/asked"))" 2>"$dir/differ"
	}
	retry 20 have_answered "$before"
	for old in $before; do
		kubectl delete pod "$old" --grace-period=1 --wait=true
		retry 30 pods_are 2 app=nginx
		retry 10 endpoints_are 2 nginx-service
	done
	same "" "$(comm -12 <(names_of app=nginx) - <<<"$before")"
	same "$address" "$(address_of nginx-service)"
	# It was asking all the time: those that went answered, and those that came.
	retry 20 have_answered "$(printf '%s\n%s' "$before" "$(names_of app=nginx)")"
	lacks failed "$(cat "$dir/asked")"
	kubectl delete pod asker --grace-period=1
	answered_by_all 4 "$(names_of app=nginx)" ask "http://$address/"
}

# rows: 88 189
@test "scale to five, all serve; to one, four go" {
	kubectl scale rc nginx-controller --replicas=5
	retry 30 pods_are 5 app=nginx
	retry 10 endpoints_are 5 nginx-service
	all_five() {
		answered_by_all 10 "$(names_of app=nginx)" ask "http://$master:30001/" world
	}
	retry 10 all_five
	kubectl scale rc nginx-controller --replicas=1
	retry 30 pods_are 1 app=nginx
	retry 10 endpoints_are 1 nginx-service
	has "nginx-controller   1         1         1" "$(kubectl get rc nginx-controller)"
}

# rows: 70
@test "a controller that is deleted takes its pods along; nobody answers then" {
	kubectl delete rc nginx-controller
	retry 30 pods_are 0 app=nginx
	retry 10 endpoints_are 0 nginx-service
	closed() {
		local status=0
		ask "http://$master:30001/" world || status=$?
		[ "$status" = 52 ] || [ "$status" = 56 ]
	}
	retry 10 closed
	kubectl delete service nginx-service
	refused() {
		local status=0
		ask "http://$master:30001/" world || status=$?
		[ "$status" = 7 ]
	}
	retry 10 refused
}

# rows: 8
@test "three pods with a label: the controller counts them, the service lists them" {
	local i
	for i in 1 2 3; do
		create "$(simple_pod "backend-$i" 'exec web' '.metadata.labels = {app: "backend"}')"
	done
	create "$(controller backend 3 '{"app":"backend"}')"
	create "$(service backend '{"selector":{"app":"backend"},"ports":[{"port":80}]}')"
	retry 30 endpoints_are 3 backend
	counted() {
		[ "$(curl -s "$server/api/v1/namespaces/default/replicationcontrollers/backend" |
			jq -c '[.status.replicas, .status.readyReplicas]')" = "[3,3]" ]
	}
	retry 10 counted
	same "backend-1
backend-2
backend-3" "$(names_of app=backend)"
	retry 10 answered_by_all 6 "$(names_of app=backend)" inside client wget -qO- "http://$(address_of backend)/"
	kubectl delete rc,service backend
}

# rows: 191 278
@test "two releases behind one service serve at the same time" {
	create "$(controller v1 1 '{"app":"shop","version":"v1"}')"
	create "$(controller v2 1 '{"app":"shop","version":"v2"}')"
	create "$(service shop '{"selector":{"app":"shop"},"ports":[{"port":8080,"targetPort":80}]}')"
	retry 30 endpoints_are 2 shop
	retry 10 answered_by_all 4 "$(names_of app=shop)" ask "http://$(address_of shop):8080/"
	same "$(names_of app=shop | sed 's/-.*//')" "v1
v2"
	# What the rules catch is the service's own port, not that of its pods.
	has "--dport 8080 " "$(on one iptables-save -t nat | grep 'KUBE-PORTALS-CONTAINER .*"default/shop:"')"
	kubectl delete rc v1 v2
	kubectl delete service shop
}

# rows: 203
@test "a service without a selector brings what endpoints say, outside of the cluster" {
	mkdir "$dir/outside"
	echo outside >"$dir/outside/index.html"
	chmod -R a+rX "$dir/outside"
	start_on outside world "$(type -P busybox)" httpd -f -p 8000 -h "$dir/outside"
	create "$(service outside '{"ports":[{"port":80}]}')"
	create "{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\",\"metadata\":{\"name\":\"outside\"},
		\"subsets\":[{\"addresses\":[{\"ip\":\"$world_address\"}],\"ports\":[{\"port\":8000}]}]}"
	served() {
		same outside "$(inside client timeout 5 wget -qO- "http://$(address_of outside)/")"
	}
	retry 10 served
	kill_daemon outside
}

# rows: 207
@test "a node port that nobody chose is one of the range, and serves" {
	local port
	create "$(simple_pod chosen 'exec web' '.metadata.labels = {app: "chosen"}')"
	create "$(service chosen '{"type":"NodePort","selector":{"app":"chosen"},"ports":[{"port":80}]}')"
	port=$(curl -s "$server/api/v1/namespaces/default/services/chosen" | jq '.spec.ports[0].nodePort')
	[ "$port" -ge 30000 ] && [ "$port" -le 32767 ]
	served() {
		same chosen "$(ask "http://$master:$port/" world)"
	}
	retry 30 served
}

# rows: 250
@test "the guestbook: a front end finds its master and its slaves by the names of their services" {
	local name
	for name in redis-master redis-slave; do
		create "$(service "$name" "{\"selector\":{\"name\":\"$name\"},\"ports\":[{\"port\":6379,\"targetPort\":80}]}")"
	done
	create "$(controller redis-master 1 '{"name":"redis-master"}')"
	create "$(controller redis-slave 2 '{"name":"redis-slave"}')"
	retry 30 endpoints_are 1 redis-master
	retry 30 endpoints_are 2 redis-slave
	create "$(controller frontend 1 '{"name":"frontend"}' '.spec.template.spec.containers[0].command[2] =
		"while :; do timeout 5 wget -qO- http://$REDIS_MASTER_SERVICE_HOST:$REDIS_MASTER_SERVICE_PORT/; timeout 5 wget -qO- http://$REDIS_SLAVE_SERVICE_HOST:$REDIS_SLAVE_SERVICE_PORT/; usleep 200000; done"')"
	retry 30 pods_are 1 name=frontend
	reached() {
		same "$(names_of 'name+in+(redis-master,redis-slave)')" \
			"$(log_of "$(names_of name=frontend)" | sort -u)"
	}
	retry 20 reached
	kubectl delete rc redis-master redis-slave frontend
}

# rows: 13 124 258 259 260
@test "a node selector that no node has: said in log and events; a label, and the pod runs" {
	create "$(simple_pod redis-master-1nd8y 'exec sleep 600' '.spec.nodeSelector = {zone: "minion01"}')"
	unfit() {
		grep -q 'scheduler.c:[0-9]*\] failed to find fit for pod redis-master-1nd8y on node one: MatchNodeSelector$' \
			"$dir/up.log"
	}
	retry 10 unfit
	retry 10 event FailedScheduling redis-master-1nd8y
	has "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector" \
		"$(kubectl get events --field-selector involvedObject.name=redis-master-1nd8y)"
	same Pending "$(pod_says .status.phase redis-master-1nd8y)"
	has 'node/one labeled' "$(kubectl label nodes one zone=minion01)"
	retry 30 pod_is_ready redis-master-1nd8y
	retry 10 event Scheduled redis-master-1nd8y
	has "Successfully assigned default/redis-master-1nd8y to one" \
		"$(kubectl get events --field-selector involvedObject.name=redis-master-1nd8y,reason=Scheduled)"
}

# rows: 162
@test "a disk that one pod writes to is no other pod's on this node" {
	# disk_pod NAME VOLUME-SOURCE-JSON
	disk_pod() {
		create "$(simple_pod "$1" 'exec sleep 600' ".spec.volumes = [{name: \"d\"} + $2]")"
	}
	is_scheduled() {
		[ "$(pod_says .spec.nodeName "$1")" = one ]
	}
	waits_for_disk() {
		grep -q "failed to find fit for pod $1 on node one: NoDiskConflict\$" "$dir/up.log" &&
			[ "$(pod_says .spec.nodeName "$1")" = null ]
	}
	disk_pod writer '{gcePersistentDisk: {pdName: "shared", fsType: "ext4"}}'
	retry 20 is_scheduled writer
	disk_pod second '{gcePersistentDisk: {pdName: "shared", fsType: "ext4", readOnly: true}}'
	disk_pod ebs '{awsElasticBlockStore: {volumeID: "v", readOnly: true}}'
	retry 20 is_scheduled ebs
	disk_pod ebs-too '{awsElasticBlockStore: {volumeID: "v", readOnly: true}}'
	retry 20 waits_for_disk second
	retry 20 waits_for_disk ebs-too
	# Two that only read one GCE disk may share it.
	disk_pod reader '{gcePersistentDisk: {pdName: "read", readOnly: true}}'
	disk_pod reader-too '{gcePersistentDisk: {pdName: "read", readOnly: true}}'
	retry 20 is_scheduled reader
	retry 20 is_scheduled reader-too
	kubectl delete pod writer second ebs ebs-too reader reader-too --grace-period=1
}

# rows: 124
@test "what happens again and again is one event with a count" {
	create "$(simple_pod crash 'exit 1')"
	counted() {
		[ "$(curl -sf "$server/api/v1/namespaces/default/events" | jq '[.items[] |
			select(.involvedObject.name == "crash" and .reason == "Started").count] | max')" -ge 2 ]
	}
	retry 30 counted
	same 1 "$(curl -sf "$server/api/v1/namespaces/default/events" | jq '[.items[] |
		select(.involvedObject.name == "crash" and .reason == "Started")] | length')"
	has "LAST SEEN   TYPE      REASON" "$(kubectl get events)"
	kubectl delete pod crash --grace-period=1
}
