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

claim_is_going() {
	[ -n "$(curl -sf "$server/api/v1/namespaces/default/persistentvolumeclaims/$1" |
		jq -r '.metadata.deletionTimestamp // empty')" ]
}

@test "a claim that is deleted under a pod goes with that pod, and a volume after its claim" {
	volume used '.spec.hostPath = {path: "/var/lib/used"}'
	claim used
	retry 20 claim_is Bound used
	claim_pod user 'touch /v/here && echo written; echo end; exec sleep 600' used
	same written "$(said user)"
	kubectl delete pv used --wait=false
	kubectl delete pvc used --wait=false
	claim_is_going used
	same Terminating "$(kubectl get pvc used --no-headers | awk '{ print $2 }')"
	# Nobody else gets at it.
	claim_pod late 'echo end' used
	retry 20 event_says late FailedScheduling 'persistentvolumeclaim "used" is being deleted'
	kubectl delete pod late --grace-period=0 --force 2>"$dir/warned"
	claim_is_going used
	volume_is Bound used
	delete_pod user
	retry 20 claim_is_gone used
	retry 20 volume_is_gone used
	[ -e "$dir/one/lib/used/here" ]
}

volume_is_gone() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$server/api/v1/persistentvolumes/$1")" = 404 ]
}

@test "a claim that waits for a pod gets a volume of the pod's node; so does one that comes with a pod" {
	create '{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "late"},
		"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}'
	local name
	for name in elsewhere here; do
		volume "$name" ".spec.hostPath = {path: \"/var/lib/$name\"} | .spec.storageClassName = \"late\" |
			.spec.nodeAffinity = {required: {nodeSelectorTerms: [{matchFields: [{key: \"metadata.name\",
			operator: \"In\", values: [if \"$name\" == \"here\" then \"one\" else \"two\" end]}]}]}}"
		retry 20 volume_is Available "$name"
	done
	claim waits '.spec.storageClassName = "late"'
	retry 20 event_says waits WaitForFirstConsumer "waiting for first consumer"
	claim_is Pending waits
	claim_pod first 'echo hello >/v/letter; echo end; exec sleep 600' waits
	retry 30 logged end first
	claim_is Bound waits
	same hello "$(cat "$dir/one/lib/here/letter")"
	# Only the other node's volume is left.
	create "$(simple_pod second 'echo end; exec sleep 600' '.spec.volumes = [{name: "v", ephemeral: {
		volumeClaimTemplate: {spec: {accessModes: ["ReadWriteOnce"], storageClassName: "late",
		resources: {requests: {storage: "1Gi"}}}}}}] |
		.spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}]')"
	retry 20 event_says second FailedScheduling "didn't find available persistent volumes to bind"
	volume another '.spec.hostPath = {path: "/var/lib/another"} | .spec.storageClassName = "late"'
	retry 30 logged end second
	same another "$(curl -s "$server/api/v1/namespaces/default/persistentvolumeclaims/second-v" |
		jq -r .spec.volumeName)"
	delete_pod second
	retry 30 claim_is_gone second-v
	delete_pod first
}
