#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Volumes of real containers: what is in them, what they are, how long they live.
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

# volume_pod NAME SHELL-COMMAND VOLUME-JSON [JQ-PROGRAM]: a pod with the volume
# "v" at /v of its container
volume_pod() {
	create "$(simple_pod "$1" "$2" ".spec.volumes = [{name: \"v\"} + $3] |
		.spec.containers[0].volumeMounts = [{name: \"v\", mountPath: \"/v\"}] | ${4:-.}")"
}

# directory_of POD: where the node keeps it
directory_of() {
	printf '/var/lib/kubelet/pods/%s' "$(pod_says .metadata.uid "$1")"
}

delete_pod() {
	kubectl delete pod "$1" --grace-period=1 >"$dir/deleted"
	pod_is_gone "$1"
}

# said POD: its log, once it has ended
said() {
	retry 30 logged end "$1" && log_of "$1" | grep -vx end
}

is_absent() {
	! on one test -e "$1"
}

restarts() {
	[ "$(pod_says '.status.containerStatuses[0].restartCount // 0' "$2")" -ge "$1" ]
}

# rows: 149 150 151 174
@test "an emptyDir begins empty, outlives its container and ends with its pod" {
	local place
	volume_pod crash 'ls -A /v | wc -l; echo more >>/v/file; wc -l </v/file; sleep 1; exit 1' \
		'{emptyDir: {}}'
	retry 30 restarts 1 crash
	retry 30 logged 1 crash
	place=$(directory_of crash)/volumes/kubernetes.io~empty-dir/v
	retry 30 two_lines crash
	on one test -s "$place/file"
	delete_pod crash
	retry 10 is_absent "$place"
	is_absent "${place%/volumes/*}"
}

# The second life of the container found the file of the first.
two_lines() {
	same "1
2" "$(log_of crash)" 2>/dev/null
}

# rows: 152
@test "an emptyDir in memory is a tmpfs, with its limit" {
	volume_pod memory 'grep " /v " /proc/mounts; df -k /v | tail -n 1; echo end; exec sleep 600' \
		'{emptyDir: {medium: "Memory", sizeLimit: "1Mi"}}'
	has "tmpfs /v tmpfs rw" "$(said memory)"
	has " 1024 " "$(said memory)"
	delete_pod memory
}

# rows: 153
@test "a volume without a source is an emptyDir" {
	volume_pod bare 'touch /v/file && ls /v; echo end; exec sleep 600' '{}'
	same file "$(said bare)"
	same '{}' "$(pod_says '.spec.volumes[0].emptyDir | tojson' bare)"
	delete_pod bare
}

# rows: 138
@test "containers of a pod share a volume" {
	volume_pod share 'echo from c >/v/letter; exec sleep 600' '{emptyDir: {}}' \
		'.spec.containers += [.spec.containers[0] + {name: "d", command: ["sh", "-c",
		"until [ -s /v/letter ]; do usleep 50000; done; cat /v/letter; exec sleep 600"]}]'
	retry 30 logged "from c" share d
	delete_pod share
}

# rows: 154 155 158
@test "a hostPath is the node's directory or file, and stays when the pod goes" {
	mkdir -p "$dir/one/lib/docker"
	echo here >"$dir/one/lib/docker/file"
	volume_pod host 'cat /v/file; echo "by the pod" >/v/made; echo end; exec sleep 600' \
		'{hostPath: {path: "/var/lib/docker"}}'
	same here "$(said host)"
	volume_pod one-file 'cat /v; echo end; exec sleep 600' \
		'{hostPath: {path: "/var/lib/docker/file", type: "File"}}'
	same here "$(said one-file)"
	delete_pod host
	delete_pod one-file
	same "by the pod" "$(cat "$dir/one/lib/docker/made")"
	same here "$(cat "$dir/one/lib/docker/file")"
}

@test "a hostPath that is not there, or is something else, keeps the pod waiting with the reason" {
	mkdir -p "$dir/one/lib/docker"
	volume_pod missing true '{hostPath: {path: "/var/lib/nothing", type: "Directory"}}'
	retry 20 event_says missing FailedMount \
		'hostPath type check failed: /var/lib/nothing is not a directory'
	same Pending "$(pod_says .status.phase missing)"
	kubectl delete pod missing --grace-period=0 --force
}

# event_says POD REASON TEXT
event_says() {
	curl -sf "$server/api/v1/namespaces/default/events" | jq -e --arg pod "$1" \
		--arg reason "$2" --arg text "$3" 'any(.items[]; .involvedObject.name == $pod and
		.reason == $reason and (.message | contains($text)))' >/dev/null
}

# rows: 166
@test "the keys of a secret are files on a tmpfs, which a node never writes to its disk" {
	kubectl create secret generic login --from-literal=name=admin --from-literal=word=s3cret
	volume_pod secret 'grep " /v " /proc/mounts; cat /v/name /v/word; stat -L -c " %a" /v/word; echo end; exec sleep 600' \
		'{secret: {secretName: "login", defaultMode: 256}}'
	has "tmpfs /v tmpfs ro" "$(said secret)"
	has "admins3cret 400" "$(said secret | tr -d '\n')"
	# Below the pod's directory, as the machine's own disk has it: nothing.
	same "" "$(grep -rl s3cret "$dir/one/lib/kubelet" "$dir/one/lib/coxswain" 2>/dev/null)"
	delete_pod secret
	text=$(! create "$(simple_pod wrong true '.spec.volumes = [{name: "v", secrets: {secretName: "login"}}]')" 2>&1)
	has 'unknown field "spec.volumes[0].secrets"' "$text"
}

# rows: 167
@test "a secret that is missing keeps the pod Pending, with an event, until it is there" {
	volume_pod late 'cat /v/key; echo; echo end; exec sleep 600' '{secret: {secretName: "tardy"}}'
	retry 20 event_says late FailedMount 'secret "tardy" not found'
	same Pending "$(pod_says .status.phase late)"
	kubectl create secret generic tardy --from-literal=key=arrived
	retry 60 logged arrived late
	delete_pod late
}

@test "configMap, downward API, token and CA: files, together in one volume, that nobody writes" {
	kubectl create configmap settings --from-literal=colour=blue
	volume_pod files 'cd /v; cat colour labels; echo; tr . "\n" <token | grep -c .; head -n 1 ca.crt; touch new; echo end; exec sleep 600' \
		'{projected: {sources: [{configMap: {name: "settings"}},
		{downwardAPI: {items: [{path: "labels", fieldRef: {fieldPath: "metadata.labels"}}]}},
		{serviceAccountToken: {path: "token"}},
		{configMap: {name: "kube-root-ca.crt", items: [{key: "ca.crt", path: "ca.crt"}]}}]}}' \
		'.metadata.labels = {app: "files"}'
	same 'blueapp="files"
3
-----BEGIN CERTIFICATE-----
touch: new: Read-only file system' "$(said files)"
	volume_pod map 'cat /v/colour; echo; touch /v/new; echo end; exec sleep 600' \
		'{configMap: {name: "settings"}}'
	same 'blue
touch: /v/new: Read-only file system' "$(said map)"
	delete_pod files
	delete_pod map
}

# rows: 170
@test "the document's redis: /data/redis is the volume" {
	local place
	kubectl create -f "$srcdir/config/examples/redis-pod.yaml"
	retry 30 pod_is_ready redis
	place=$(directory_of redis)/volumes/kubernetes.io~empty-dir/redis-persistent-storage
	on one touch "$place/dump.rdb"
	pid=$(on one jq -r .pid "/var/lib/coxswain/oci/containers/$(pod_says '.status.containerStatuses[0].containerID' redis | sed 's,.*/,,')/record.json")
	same dump.rdb "$(on one ls "/proc/$pid/root/data/redis")"
	delete_pod redis
}

# rows: 157 160 175
@test "kinds of volumes: wrong names are refused, those that this node has not are an event" {
	text=$(! volume_pod typo true '{hostpath: {path: "/"}}' 2>&1)
	has 'unknown field "spec.volumes[0].hostpath"' "$text"
	text=$(! volume_pod typo true '{awkElasticBlockStore: {volumeID: "x"}}' 2>&1)
	has 'unknown field "spec.volumes[0].awkElasticBlockStore"' "$text"
	volume_pod remote true '{nfs: {server: "192.168.1.1", path: "/export"}}'
	retry 20 event_says remote FailedMount nfs
	same Pending "$(pod_says .status.phase remote)"
	kubectl delete pod remote --grace-period=0 --force
}
