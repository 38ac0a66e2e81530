#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a list or watch may show at which version: unset, "0", not older, exact,
# of the future, of long ago; pages are pinned to the first one's version.
source "$srcdir/tests/lib/functions.bash"

maps=/api/v1/namespaces/pages/configmaps

setup_file() {
	make_dir
	start_apiserver
	api POST /api/v1/namespaces -d '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"pages"}}'
	local i
	for i in 1 2 3 4 5; do
		api POST $maps -d "$(config_map "m$i" "$i")"
		expect 201
	done
}

names() {
	query '[.items[].metadata.name] | join(" ")'
}

@test "pages: every page shows the state of the first one" {
	local version next
	api GET "$maps?limit=2"
	expect 200
	same "m1 m2" "$(names)"
	same 3 "$(query .metadata.remainingItemCount)"
	version=$(query .metadata.resourceVersion)
	next=$(query .metadata.continue)
	# What happens meanwhile is not seen.
	api DELETE $maps/m4
	api POST $maps -d "$(config_map m3a new)"
	api GET "$maps?limit=2&continue=$next"
	expect 200
	same "m3 m4" "$(names)"
	same "$version" "$(query .metadata.resourceVersion)"
	next=$(query .metadata.continue)
	api GET "$maps?limit=2&continue=$next"
	same "m5" "$(names)"
	same "null null" "$(query '"\(.metadata.continue) \(.metadata.remainingItemCount)"')"
	api GET "$maps"
	same "m1 m2 m3 m3a m5" "$(names)"
	api DELETE $maps/m3a
	api POST $maps -d "$(config_map m4 4)"
}

@test "a selector counts what it selects; what remains is then not told" {
	api GET "$maps?limit=1&fieldSelector=metadata.name!%3Dm1"
	same "m2" "$(names)"
	same null "$(query .metadata.remainingItemCount)"
	[ "$(query .metadata.continue)" != null ]
}

@test "a page token that nobody made is refused, also for another collection" {
	api GET "$maps?limit=2&continue=AAAA"
	expect 400 BadRequest
	message "continue key is not valid"
	local token
	token=$(printf '{"v":"meta.k8s.io/v1","rv":-5,"start":"x"}' | base64 -w0 | tr '+/' '-_')
	api GET "$maps?limit=2&continue=$token"
	expect 400 BadRequest
}

@test "a token whose state is gone is 410, with one that goes on at the present state" {
	local token
	token=$(printf '{"v":"meta.k8s.io/v1","rv":1,"start":"pages/m2"}' | base64 -w0 | tr '+/' '-_' | tr -d =)
	api GET "$maps?limit=2&continue=$token"
	expect 410 Expired
	token=$(query .metadata.continue)
	[ -n "$token" ] && [ "$token" != null ]
	api GET "$maps?limit=2&continue=$token"
	expect 200
	same "m3 m4" "$(names)"
}

@test "limit is ignored for version 0, which the cache answers" {
	api GET "$maps?limit=2&resourceVersion=0"
	same "m1 m2 m3 m4 m5" "$(names)"
	same null "$(query .metadata.continue)"
}

@test "Exact shows the state of then, NotOlderThan that of now" {
	local past
	api GET $maps
	past=$(query .metadata.resourceVersion)
	api PUT $maps/m1 -d "$(config_map m1 changed)"
	expect 200
	api GET "$maps?resourceVersion=$past&resourceVersionMatch=Exact"
	expect 200
	same 1 "$(query '.items[0].data.key')"
	same "$past" "$(query .metadata.resourceVersion)"
	api GET "$maps?resourceVersion=$past&resourceVersionMatch=NotOlderThan"
	same changed "$(query '.items[0].data.key')"
	[ "$(query .metadata.resourceVersion)" -gt "$past" ]
	api GET "$maps?resourceVersion=$past"
	same changed "$(query '.items[0].data.key')"
	api PUT $maps/m1 -d "$(config_map m1 1)"
}

@test "Exact with limit: an unset match of old clients means exact for pages" {
	local past
	api GET $maps
	past=$(query .metadata.resourceVersion)
	api PUT $maps/m1 -d "$(config_map m1 changed)"
	api GET "$maps?resourceVersion=$past&resourceVersionMatch=Exact&limit=1"
	same 1 "$(query '.items[0].data.key')"
	api GET "$maps?limit=4&continue=$(query .metadata.continue)"
	same "m2 m3 m4 m5" "$(names)"
	same "$past" "$(query .metadata.resourceVersion)"
	api PUT $maps/m1 -d "$(config_map m1 1)"
}

@test "what may not be combined is 422" {
	api GET "$maps?resourceVersionMatch=Exact"
	expect 422 Invalid
	api GET "$maps?resourceVersionMatch=Exact&resourceVersion=0"
	expect 422 Invalid
	has 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"' "$(query .message)"
	api GET "$maps?limit=2"
	api GET "$maps?continue=$(query .metadata.continue)&resourceVersion=5&resourceVersionMatch=NotOlderThan"
	expect 422 Invalid
	api GET "$maps?limit=2"
	api GET "$maps?continue=$(query .metadata.continue)&resourceVersion=5"
	expect 400 BadRequest
	message "specifying resource version is not allowed when using continue"
}

@test "Exact of a version before history began is 410" {
	api GET "$maps?resourceVersion=1&resourceVersionMatch=Exact"
	expect 410 Expired
}

@test "a version of the future is waited for, then 504 that clients try again" {
	local now begin path
	api GET $maps
	now=$(query .metadata.resourceVersion)
	for path in "$maps?resourceVersion=$((now + 1000))" "$maps/m1?resourceVersion=$((now + 1000))" \
		"$maps?resourceVersion=$((now + 1000))&resourceVersionMatch=Exact"; do
		begin=$SECONDS
		api GET "$path"
		expect 504 Timeout
		has "Too large resource version: $((now + 1000))" "$(query .message)"
		same ResourceVersionTooLarge "$(query '.details.causes[0].reason')"
		[ $((SECONDS - begin)) -le 5 ]
	done
	same 1 "$(header Retry-After)"
	# One that is reached meanwhile is answered.
	curl -s -o "$dir/later" "$server$maps?resourceVersion=$((now + 1))" 3>&- &
	api PUT $maps/m5 -d "$(config_map m5 later)"
	wait $!
	same later "$(jq -r '.items[4].data.key' "$dir/later")"
}

@test "a write is seen by the next read of another connection" {
	local i
	for i in $(seq 30); do
		api PUT $maps/m2 -d "$(config_map m2 "round-$i")"
		expect 200
		api GET $maps/m2
		same "round-$i" "$(query .data.key)"
		api GET "$maps"
		same "round-$i" "$(query '.items[] | select(.metadata.name=="m2") | .data.key')"
	done
}

# What lists show must be what the store holds: the state at a version is read
# from the cache, then exactly, while others write.
@test "the cache and the store agree while there is writing" {
	local i version
	write_all() {
		local i
		for i in $(seq 60); do
			curl -s -o /dev/null -X PUT -H 'Content-Type: application/json' \
				-d "$(config_map m3 "w$1-$i")" "$server$maps/m3"
			curl -s -o /dev/null -X POST -H 'Content-Type: application/json' \
				-d "$(config_map "x$1-$i")" "$server$maps"
			curl -s -o /dev/null -X DELETE "$server$maps/x$1-$i"
		done
	}
	write_all 1 3>&- &
	local first=$!
	write_all 2 3>&- &
	for i in $(seq 20); do
		api GET "$maps?resourceVersion=0"
		version=$(query .metadata.resourceVersion)
		cp "$dir/body" "$dir/cached"
		api GET "$maps?resourceVersion=$version&resourceVersionMatch=Exact"
		expect 200
		same "$(jq -cS . "$dir/cached")" "$(jq -cS . "$dir/body")"
	done
	wait $! $first
}

@test "versions only grow, and each write has its own" {
	local i
	for i in $(seq 20); do
		api PUT $maps/m4 -d "$(config_map m4 "v$i")"
		query .metadata.resourceVersion
	done >"$dir/versions"
	same "$(sort -nu "$dir/versions")" "$(cat "$dir/versions")"
}

@test "of writers that name the same version exactly one wins" {
	local version i won=0
	api GET $maps/m5
	version=$(query .metadata.resourceVersion)
	for i in $(seq 20); do
		curl -s -o /dev/null -w '%{http_code}\n' -X PUT -H 'Content-Type: application/json' \
			-d "$(config_map m5 "race-$i" | jq -c ".metadata.resourceVersion=\"$version\"")" \
			"$server$maps/m5" >"$dir/race.$i" 3>&- &
	done
	for i in $(jobs -p); do
		[ "$i" = "$(daemon_pid apiserver)" ] || wait "$i"
	done
	cat "$dir"/race.* >"$dir/race"
	same "1 19" "$(grep -c 200 "$dir/race") $(grep -c 409 "$dir/race")"
}

@test "of creators of one name exactly one wins" {
	local i
	for i in $(seq 20); do
		curl -s -o /dev/null -w '%{http_code}\n' -X POST -H 'Content-Type: application/json' \
			-d "$(config_map only)" "$server$maps" >"$dir/create.$i" 3>&- &
	done
	wait
	cat "$dir"/create.* >"$dir/create"
	same "1 19" "$(grep -c 201 "$dir/create") $(grep -c 409 "$dir/create")"
}
