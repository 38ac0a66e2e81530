#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Persistent volumes in real containers: what pods leave each other, and what
# becomes of it when the claim goes.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"

setup_file() {
	requires_containers
	make_dir
	use_kubectl 1.35
	make_host one 1
	cluster_settings
	set_key one controller-manager KUBE_CONTROLLER_MANAGER_ARGS \
		"--root-ca-file=/var/lib/kubernetes/pki/ca.crt --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16 --plugin-option=controller/persistentvolume:recycler-image=busybox:1"
	# Pods say here which group their files have.
	set_key one apiserver KUBE_ADMISSION_CONTROL \
		--admission-control=NamespaceLifecycle,LimitRanger,ServiceAccount,ResourceQuota
	start_up
	retry 30 node_is_ready one
	retry 30 has_account
}

teardown_file() {
	end_hosts
}

# volume NAME JQ-PROGRAM: below /var/lib, which is $dir/one/lib
volume() {
	create "$(jq -nc --arg name "$1" '{apiVersion: "v1", kind: "PersistentVolume",
		metadata: {$name}, spec: {capacity: {storage: "1Gi"}, accessModes: ["ReadWriteOnce"]}}' |
		jq -c "$2")"
}

claim() {
	create "$(jq -nc --arg name "$1" '{apiVersion: "v1", kind: "PersistentVolumeClaim",
		metadata: {$name}, spec: {accessModes: ["ReadWriteOnce"], storageClassName: "",
		resources: {requests: {storage: "1Gi"}}}}' | jq -c "${2:-.}")"
}

# claim_pod NAME COMMAND CLAIM [JQ-PROGRAM]: the claim is at /v
claim_pod() {
	create "$(simple_pod "$1" "$2" ".spec.volumes = [{name: \"v\",
		persistentVolumeClaim: {claimName: \"$3\"}}] | .spec.restartPolicy = \"Never\" |
		.spec.containers[0].volumeMounts = [{name: \"v\", mountPath: \"/v\"}] | ${4:-.}")"
}

volume_is() {
	[ "$(curl -sf "$server/api/v1/persistentvolumes/$2" | jq -r .status.phase)" = "$1" ]
}

claim_is() {
	[ "$(curl -sf "$server/api/v1/namespaces/default/persistentvolumeclaims/$2" |
		jq -r .status.phase)" = "$1" ]
}

claim_is_gone() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' \
		"$server/api/v1/namespaces/default/persistentvolumeclaims/$1")" = 404 ]
}

delete_pod() {
	kubectl delete pod "$1" --grace-period=1 >"$dir/deleted"
	pod_is_gone "$1"
}

said() {
	retry 30 logged end "$1" && log_of "$1" | grep -vx end
}

event_says() {
	curl -sf "$server/api/v1/namespaces/default/events" | jq -e --arg name "$1" \
		--arg reason "$2" --arg text "$3" 'any(.items[]; .involvedObject.name == $name and
		.reason == $reason and (.message | contains($text)))' >/dev/null
}

@test "what one pod leaves in its claim the next one finds" {
	volume keep '.spec.hostPath = {path: "/var/lib/keep"}'
	claim keep
	retry 20 claim_is Bound keep
	claim_pod writer 'echo "from the first" >/v/letter; echo end; exec sleep 600' keep
	retry 30 logged end writer
	delete_pod writer
	claim_pod reader 'cat /v/letter; echo more >/v/letter && echo written; echo end; exec sleep 600' \
		keep '.spec.volumes[0].persistentVolumeClaim.readOnly = true'
	text=$(said reader)
	has "from the first" "$text"
	has "Read-only file system" "$text"
	lacks written "$text"
	delete_pod reader
	kubectl delete pvc keep
	retry 20 volume_is Released keep
	same "from the first" "$(cat "$dir/one/lib/keep/letter")"
}

@test "a local volume has to be there, and becomes its group's" {
	volume local '.spec.local = {path: "/var/lib/disk"} | .spec.nodeAffinity = {required: {
		nodeSelectorTerms: [{matchFields: [{key: "metadata.name", operator: "In",
		values: ["one"]}]}]}} | .spec.storageClassName = "disks"'
	claim local '.spec.storageClassName = "disks"'
	retry 20 claim_is Bound local
	claim_pod local 'stat -c "%g %a" /v /v/old; touch /v/new && echo written; echo end; exec sleep 600' \
		local '.spec.securityContext = {runAsUser: 1000, runAsGroup: 1000, fsGroup: 5555}'
	retry 20 event_says local FailedMount 'path "/var/lib/disk" does not exist'
	mkdir -p "$dir/one/lib/disk"
	chmod 700 "$dir/one/lib/disk"
	(umask 077 && : >"$dir/one/lib/disk/old")
	same "5555 2770
5555 660
written" "$(said local)"
	delete_pod local
}

@test "a volume that is recycled is emptied by a pod, and can be had again" {
	mkdir -p "$dir/one/lib/again/inner"
	echo secret >"$dir/one/lib/again/inner/.hidden"
	volume again '.spec.hostPath = {path: "/var/lib/again"} |
		.spec.persistentVolumeReclaimPolicy = "Recycle" | .spec.storageClassName = "again"'
	claim first '.spec.storageClassName = "again"'
	retry 20 claim_is Bound first
	claim_pod user 'ls -A /v; echo end; exec sleep 600' first
	same inner "$(said user)"
	delete_pod user
	kubectl delete pvc first
	retry 60 volume_is Available again
	same "" "$(ls -A "$dir/one/lib/again")"
	pod_is_gone recycler-for-again
	claim second '.spec.storageClassName = "again"'
	retry 20 claim_is Bound second
}
