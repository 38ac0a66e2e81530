#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The leveldb store under a server that is killed: what was acknowledged is
# there, versions go on, and a watch goes on where it was.
source "$srcdir/tests/lib/functions.bash"

maps=/api/v1/namespaces/default/configmaps

setup_file() {
	make_dir
}

setup() {
	rm -rf "$dir/data" "$dir/certs" "$dir/apiserver.log"
	start_apiserver --storage-backend=leveldb --secure-port=0
}

teardown() {
	show_logs
	stop_daemon apiserver
}

# Starts the server again on the data that the last one left.
again() {
	start_apiserver --storage-backend=leveldb --secure-port=0 "$@"
}

# write_until_dead WRITER: one object after the other; the names and versions
# that were acknowledged are in $dir/acknowledged.WRITER
write_until_dead() {
	local i=0 answer
	while answer=$(curl -sf --max-time 10 -X POST -H 'Content-Type: application/json' \
		-d "$(config_map "w$1-$i")" "$server$maps"); do
		jq -r '"\(.metadata.name) \(.metadata.resourceVersion)"' <<<"$answer"
		i=$((i + 1))
	done >"$dir/acknowledged.$1"
}

written() {
	[ "$(cat "$dir"/acknowledged.* 2>/dev/null | wc -l)" -ge "$1" ]
}

# rows: 11
@test "every acknowledged write is there after kill -9, with its version" {
	local round i writers=() highest=0
	for round in 1 2 3; do
		writers=()
		rm -f "$dir"/acknowledged.*
		for i in 1 2 3 4; do
			write_until_dead "$round$i" 3>&- &
			writers+=($!)
		done
		retry 20 written 60
		kill_daemon apiserver
		wait "${writers[@]}"
		again
		api GET $maps
		expect 200
		query '.items[] | "\(.metadata.name) \(.metadata.resourceVersion)"' | sort >"$dir/there"
		sort "$dir"/acknowledged.* >"$dir/acknowledged"
		[ -s "$dir/acknowledged" ]
		same "" "$(comm -23 "$dir/acknowledged" "$dir/there")"
		# At most what was under way may be there besides.
		[ "$(comm -13 "$dir/acknowledged" "$dir/there" | grep -c "^w$round")" -le 4 ]
		# Versions never go back.
		highest=$(cut -d' ' -f2 "$dir/there" | sort -n | tail -1)
		api POST $maps -d "$(config_map "after-$round")"
		expect 201
		[ "$(query .metadata.resourceVersion)" -gt "$highest" ]
	done
}

# rows: 11
@test "a restart keeps every object, its version and its reservations" {
	local address
	api POST /api/v1/namespaces/default/services -d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"kept"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30005}]}}'
	expect 201
	address=$(query .spec.clusterIP)
	api POST $maps -d "$(config_map kept)"
	api GET $maps
	cp "$dir/body" "$dir/before"
	stop_daemon apiserver
	again
	api GET $maps
	same "$(jq -cS .items "$dir/before")" "$(jq -cS .items "$dir/body")"
	api POST /api/v1/namespaces/default/services -d "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"thief\"},\"spec\":{\"clusterIP\":\"$address\",\"ports\":[{\"port\":80}]}}"
	expect 422 Invalid
	has "provided IP is already allocated" "$(query .message)"
	api POST /api/v1/namespaces/default/services -d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"thief"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30005}]}}'
	expect 422 Invalid
	has "provided port is already allocated" "$(query .message)"
}

@test "a client that watches across a restart misses nothing: it is told to list again, or goes on" {
	local version
	api POST $maps -d "$(config_map first)"
	version=$(query .metadata.resourceVersion)
	api POST $maps -d "$(config_map second)"
	api DELETE $maps/first
	kill_daemon apiserver
	again
	api POST $maps -d "$(config_map third)"
	api GET "$maps?watch=true&resourceVersion=$version&timeoutSeconds=1"
	expect 200
	if [ "$(jq -sr '.[0].type' "$dir/body")" = ERROR ]; then
		same "1 410 Expired" "$(jq -sr '"\(length) \(.[0].object.code) \(.[0].object.reason)"' "$dir/body")"
	else
		same "ADDED second DELETED first ADDED third" \
			"$(jq -sr '[.[] | "\(.type) \(.object.metadata.name)"] | join(" ")' "$dir/body")"
	fi
	# A list and the watch behind it see the rest.
	api GET $maps
	version=$(query .metadata.resourceVersion)
	same "second third" "$(query '[.items[].metadata.name] | join(" ")')"
	api DELETE $maps/second
	api GET "$maps?watch=true&resourceVersion=$version&timeoutSeconds=1"
	same "DELETED second" "$(query '"\(.type) \(.object.metadata.name)"')"
}

@test "events are forgotten after their time, other objects are not" {
	stop_daemon apiserver
	again --event-ttl=2s
	api POST /api/v1/namespaces/default/events -d '{"apiVersion":"v1","kind":"Event","metadata":{"name":"short"},"involvedObject":{"namespace":"default"},"reason":"R","message":"m"}'
	expect 201
	api POST $maps -d "$(config_map long)"
	gone() {
		api GET /api/v1/namespaces/default/events/short
		[ "$code" = 404 ]
	}
	retry 20 gone
	api GET $maps/long
	expect 200
}

@test "a second server on the same data is refused" {
	run -1 timeout 20 "$program" kube-apiserver --plugin-dir="$plugins" --storage-backend=leveldb \
		--service-cluster-ip-range=10.254.0.0/16 --insecure-port="$(free_port)" --secure-port=0 \
		--cert-dir="$dir/certs2" --data-dir="$dir/data" --admission-control=
	has "kube-apiserver: " "$output"
	has "leveldb" "$output"
	api GET /readyz
	expect 200
}
