#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Volumes and claims through the real API server and the real binder, which is
# killed in the middle of its work.
source "$srcdir/tests/lib/functions.bash"

setup_file() {
	requires curl jq setpriv
	make_dir
	# Nothing here protects them, and nobody else lets them go.
	start_apiserver --storage-backend=leveldb \
		--disable-admission-plugins=StorageObjectInUseProtection
	api POST /api/v1/namespaces -d '{"metadata":{"name":"n"}}'
	expect 201
}

teardown() {
	show_logs
	stop_daemon controller-manager
	remove_all
}

binder() {
	start_controller_manager --controllers=persistentvolume --leader-elect=false \
		--plugin-option=controller/persistentvolume:workers=1
}

# volume NAME SIZE [JQ-PROGRAM]
volume() {
	api POST /api/v1/persistentvolumes -d "$(jq -nc --arg name "$1" --arg size "$2" \
		'{metadata: {$name}, spec: {capacity: {storage: $size}, accessModes: ["ReadWriteOnce"],
		hostPath: {path: "/srv/data"}}}' | jq -c "${3:-.}")"
	expect 201
}

# claim NAME SIZE [JQ-PROGRAM]
claim() {
	api POST /api/v1/namespaces/n/persistentvolumeclaims -d "$(jq -nc --arg name "$1" \
		--arg size "$2" '{metadata: {$name}, spec: {accessModes: ["ReadWriteOnce"],
		resources: {requests: {storage: $size}}}}' | jq -c "${3:-.}")"
	expect 201
}

# volume_says JQ-PROGRAM NAME
volume_says() {
	curl -sf "$server/api/v1/persistentvolumes/$2" | jq -r "$1"
}

claim_says() {
	curl -sf "$server/api/v1/namespaces/n/persistentvolumeclaims/$2" | jq -r "$1"
}

volume_is() {
	[ "$(volume_says .status.phase "$2")" = "$1" ]
}

claim_is() {
	[ "$(claim_says .status.phase "$2")" = "$1" ]
}

remove_all() {
	api DELETE /api/v1/namespaces/n/persistentvolumeclaims
	api DELETE /api/v1/persistentvolumes
}

# Every claim is Bound, and every pair agrees on both sides.
all_agree() {
	curl -sf "$server/api/v1/persistentvolumes" >"$dir/volumes"
	curl -sf "$server/api/v1/persistentvolumeclaims" >"$dir/claims"
	jq -en --argjson wanted "$1" --slurpfile volumes "$dir/volumes" --slurpfile claims "$dir/claims" '
		($volumes[0].items | map({key: .metadata.name, value: .}) | from_entries) as $of |
		($claims[0].items | length) == $wanted and
		([$claims[0].items[].spec.volumeName] | unique | length) == $wanted and
		all($claims[0].items[]; . as $claim | .status.phase == "Bound" and
			.status.capacity.storage != null and
			($of[.spec.volumeName] | .status.phase == "Bound" and
			.spec.claimRef.uid == $claim.metadata.uid))' >"$dir/agreed"
}

# rows: 22
@test "a claim gets the smallest volume that will do, and both say so" {
	volume large 10Gi
	volume right 4Gi
	volume small 1Gi
	binder
	# what is not known to be there yet is not chosen from
	retry 10 volume_is Available large
	retry 10 volume_is Available right
	claim c 3Gi
	retry 10 claim_is Bound c
	same right "$(claim_says .spec.volumeName c)"
	same 4Gi "$(claim_says .status.capacity.storage c)"
	retry 10 volume_is Bound right
	same "n/c" "$(volume_says '.spec.claimRef | .namespace + "/" + .name' right)"
	retry 10 volume_is Available large
	api DELETE /api/v1/namespaces/n/persistentvolumeclaims/c
	retry 10 volume_is Released right
}

@test "a binder that is killed again and again ends with every claim bound once" {
	local i round=0 revision watch
	for i in $(seq 1 40); do
		volume "v$i" "${i}Gi"
		claim "c$i" 1Gi
	done
	# Each binder has a few writes' time before it is killed.
	until all_agree 40; do
		[ "$round" -lt 100 ]
		revision=$(curl -sf "$server/api/v1/persistentvolumes" | jq -r .metadata.resourceVersion)
		exec 5< <(exec curl -sN "$server/api/v1/persistentvolumes?watch=1&resourceVersion=$revision")
		watch=$!
		binder
		for i in $(seq 0 $((round % 5))); do
			read -r -t 2 _ <&5 || break
		done
		kill_daemon controller-manager
		kill "$watch"
		exec 5<&-
		((++round))
	done
	echo "killed $round times" >&2
	[ "$round" -ge 3 ]
}

@test "a volume is deleted with what is in it, or says why not" {
	place=$(mktemp -d /tmp/coxswain-volume.XXXXXX)
	mkdir "$place/inner"
	echo data >"$place/inner/.file"
	volume gone 1Gi ".spec.persistentVolumeReclaimPolicy = \"Delete\" |
		.spec.hostPath.path = \"$place\" | .spec.claimRef = {namespace: \"n\", name: \"a\"}"
	volume stays 1Gi '.spec.persistentVolumeReclaimPolicy = "Delete" |
		.spec.claimRef = {namespace: "n", name: "b"}'
	binder
	claim a 1Gi
	claim b 1Gi
	retry 10 claim_is Bound a
	retry 10 claim_is Bound b
	[ -e "$place/inner/.file" ]
	api DELETE /api/v1/namespaces/n/persistentvolumeclaims
	retry 10 volume_is_gone gone
	[ ! -e "$place" ]
	retry 10 volume_is Failed stays
	retry 10 event_says stays VolumeFailedDelete
	same 'host_path deleter only supports /tmp/.+ but received provided /srv/data' \
		"$(volume_says .status.message stays)"
}

# event_says NAME REASON
event_says() {
	curl -sf "$server/api/v1/events" | jq -e --arg name "$1" --arg reason "$2" 'any(.items[];
		.involvedObject.name == $name and .reason == $reason)' >"$dir/event"
}

volume_is_gone() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$server/api/v1/persistentvolumes/$1")" = 404 ]
}
