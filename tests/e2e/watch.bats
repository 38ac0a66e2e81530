#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Watches as clients hold them: chunked JSON lines, the forms they come in, how
# they begin (at a version, now, with the present state), and how they end.
source "$srcdir/tests/lib/functions.bash"

table='application/json;as=Table;v=v1;g=meta.k8s.io'
maps=/api/v1/namespaces/default/configmaps

setup() {
	watched=$dir/watched
	rm -f "$watched"
	watcher=
}

teardown() {
	show_logs
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null || :
}

# watch PATH [CURL WORDS...]: in the background, into $watched
watch() {
	local path=$1
	shift
	curl -sN -D "$watched.headers" -o "$watched" "$@" "$server$path" 3>&- &
	watcher=$!
	retry 10 test -s "$watched.headers"
}

events_are() {
	[ "$(events)" = "$1" ]
}

# One line an event: type, name and value
events() {
	jq -r '"\(.type) \(.object.metadata.name) \(.object.data.key)"' "$watched" 2>/dev/null
}

seen() {
	[ "$(wc -l <"$watched" 2>/dev/null)" -ge "$1" ]
}

# expect_events TEXT: within 10 seconds, exactly
expect_events() {
	retry 10 events_are "$1" || same "$1" "$(events)"
}

@test "a watch from a version delivers what came after it, in order, chunked" {
	local version
	api GET $maps
	version=$(query .metadata.resourceVersion)
	api POST $maps -d "$(config_map one 1)"
	api PUT $maps/one -d "$(config_map one 2)"
	watch "$maps?watch=true&resourceVersion=$version"
	expect_events $'ADDED one 1\nMODIFIED one 2'
	api DELETE $maps/one
	expect_events $'ADDED one 1\nMODIFIED one 2\nDELETED one 2'
	has "Transfer-Encoding: chunked" "$(tr -d '\r' <"$watched.headers")"
	has "Content-Type: application/json" "$(cat "$watched.headers")"
	# A delete carries the version of the delete.
	same true "$(jq -s '.[2].object.metadata.resourceVersion > .[1].object.metadata.resourceVersion' "$watched")"
}

@test "a watch without a version begins with the present state" {
	api POST $maps -d "$(config_map present 1)"
	watch "$maps?watch=true&fieldSelector=metadata.name%3Dpresent"
	expect_events "ADDED present 1"
	api DELETE $maps/present
	expect_events $'ADDED present 1\nDELETED present 1'
}

@test "an object that leaves the selection is deleted for the watcher, one that enters is added" {
	api POST $maps -d "$(config_map labelled 1 | jq -c '.metadata.labels={a:"1"}')"
	api GET $maps
	watch "$maps?watch=1&labelSelector=a%3D1&resourceVersion=$(query .metadata.resourceVersion)"
	for value in 2 1; do
		api PATCH $maps/labelled -H 'Content-Type: application/merge-patch+json' \
			-d "{\"metadata\":{\"labels\":{\"a\":\"$value\"}}}"
		expect 200
	done
	expect_events $'DELETED labelled 1\nADDED labelled 1'
	# The deletion shows the object as it was when it still matched.
	same 1 "$(jq -sr '.[0].object.metadata.labels.a' "$watched")"
	api DELETE $maps/labelled
}

@test "sendInitialEvents: the state, a marked bookmark, then what happens" {
	local bookmark
	api POST $maps -d "$(config_map initial 1)"
	watch "$maps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dinitial"
	retry 10 seen 2
	same "ADDED BOOKMARK" "$(jq -sr '[.[].type] | join(" ")' "$watched")"
	bookmark=$(jq -sc '.[1].object' "$watched")
	same true "$(jq -r '.metadata.annotations["k8s.io/initial-events-end"]' <<<"$bookmark")"
	same "ConfigMap v1" "$(jq -r '"\(.kind) \(.apiVersion)"' <<<"$bookmark")"
	[ "$(jq -r .metadata.resourceVersion <<<"$bookmark")" -ge "$(query .metadata.resourceVersion)" ]
	api DELETE $maps/initial
	retry 10 seen 3
	same DELETED "$(jq -sr '.[2].type' "$watched")"
}

@test "sendInitialEvents: what may not be combined is 422" {
	api GET "$maps?watch=true&sendInitialEvents=true"
	expect 422 Invalid
	has "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" "$(query .message)"
	api GET "$maps?sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
	expect 422 Invalid
	has "sendInitialEvents is forbidden for list" "$(query .message)"
	api GET "$maps?watch=true&resourceVersionMatch=NotOlderThan&resourceVersion=1"
	expect 422 Invalid
	api GET "$maps?watch=true&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1"
	expect 422 Invalid
}

@test "a watch as Table sends its columns once" {
	api GET $maps
	watch "$maps?watch=true&resourceVersion=$(query .metadata.resourceVersion)" -H "Accept: $table"
	api POST $maps -d "$(config_map rowed 1)"
	api DELETE $maps/rowed
	retry 10 seen 2
	same "ADDED Table 3 rowed
DELETED Table 0 rowed" \
		"$(jq -r '"\(.type) \(.object.kind) \(.object.columnDefinitions | length) \(.object.rows[0].cells[0])"' "$watched")"
	has "as=Table" "$(cat "$watched.headers")"
}

# Informers that want metadata alone: what they ask for, and what they insist on.
@test "a watch of metadata alone, with its state, bookmark and changes" {
	local accept='application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json'
	api POST $maps -d "$(config_map bare 1)"
	watch "$maps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dbare" \
		-H "Accept: $accept"
	retry 10 seen 2
	api DELETE $maps/bare
	retry 10 seen 3
	same "ADDED PartialObjectMetadata meta.k8s.io/v1 bare null
BOOKMARK PartialObjectMetadata meta.k8s.io/v1 null null
DELETED PartialObjectMetadata meta.k8s.io/v1 bare null" \
		"$(jq -r '"\(.type) \(.object.kind) \(.object.apiVersion) \(.object.metadata.name) \(.object.data)"' "$watched")"
	same true "$(jq -sr '.[1].object.metadata.annotations["k8s.io/initial-events-end"]' "$watched")"
	has "as=PartialObjectMetadata" "$(grep -i content-type "$watched.headers")"
	# The form of lists is none of events.
	api GET "$maps?watch=true&timeoutSeconds=1" \
		-H 'Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
	expect 406 NotAcceptable
}

@test "a watch ends by itself after timeoutSeconds, with a last bookmark if wanted" {
	local begin=$SECONDS
	api GET $maps
	watch "$maps?watch=true&timeoutSeconds=2&allowWatchBookmarks=true&resourceVersion=$(query .metadata.resourceVersion)"
	wait "$watcher"
	watcher=
	[ $((SECONDS - begin)) -le 8 ]
	same BOOKMARK "$(jq -r .type "$watched")"
	same ConfigMap "$(jq -r .object.kind "$watched")"
}

@test "a version of long ago, and one of the future" {
	# The first is an event in the stream, as clients know it.
	api GET "$maps?watch=true&resourceVersion=1&timeoutSeconds=5"
	expect 200
	same "ERROR Status 410 Expired" \
		"$(query '"\(.type) \(.object.kind) \(.object.code) \(.object.reason)"')"
	api GET $maps
	api GET "$maps?watch=true&resourceVersion=$(($(query .metadata.resourceVersion) + 1000000))&timeoutSeconds=1"
	expect 504 Timeout
	same ResourceVersionTooLarge "$(query '.details.causes[0].reason')"
	same 1 "$(query .details.retryAfterSeconds)"
}

@test "a watch of one object by name, also in the old form of the path" {
	api POST $maps -d "$(config_map alone 1)"
	watch "/api/v1/watch/namespaces/default/configmaps/alone"
	expect_events "ADDED alone 1"
	api DELETE $maps/alone
}

@test "a watch of one object keeps to what is selected, too" {
	api POST $maps -d "$(config_map picked 1)"
	api POST $maps -d "$(config_map other 1)"
	api GET "$maps/picked?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dother"
	expect 200
	same "" "$body"
	api GET "$maps/picked?watch=true&timeoutSeconds=1&fieldSelector=metadata.namespace%3Ddefault"
	same picked "$(query .object.metadata.name)"
	api GET "$maps/picked?watch=true&timeoutSeconds=1&labelSelector=a"
	same "" "$body"
	api DELETE $maps/picked
	api DELETE $maps/other
}

@test "a watcher that is gone is noticed at once" {
	watches() {
		api GET /metrics
		sed -n 's/^apiserver_longrunning_requests //p' <<<"$body"
	}
	no_more_than() {
		[ "$(watches)" -le "$1" ]
	}
	local before
	before=$(watches)
	watch "$maps?watch=true"
	one_more() {
		[ "$(watches)" -eq $((before + 1)) ]
	}
	retry 15 one_more
	kill -KILL "$watcher"
	wait "$watcher" 2>/dev/null || :
	watcher=
	retry 3 no_more_than "$before"
}

@test "a hundred watchers see the same events in the same order" {
	local i version pids=()
	api GET $maps
	version=$(query .metadata.resourceVersion)
	for i in $(seq 100); do
		curl -sN --max-time 30 -o "$dir/many.$i" \
			"$server$maps?watch=true&timeoutSeconds=4&resourceVersion=$version" 3>&- &
		pids+=($!)
	done
	for i in 1 2 3 4 5; do
		api POST $maps -d "$(config_map "many-$i" "$i")"
		expect 201
	done
	wait "${pids[@]}"
	for i in $(seq 100); do
		cmp "$dir/many.1" "$dir/many.$i"
	done
	same "many-1 many-2 many-3 many-4 many-5" \
		"$(jq -sr '[.[].object.metadata.name] | join(" ")' "$dir/many.1")"
	api DELETE "$maps"
	expect 200
}
