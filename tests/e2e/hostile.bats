#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Requests that no good client sends: what is ambiguous, too large, too deep,
# broken or slow is refused, and the server goes on.
source "$srcdir/tests/lib/functions.bash"

maps=/api/v1/namespaces/default/configmaps

teardown() {
	local intact=0
	api GET /readyz
	[ "$code" = 200 ] || intact=1
	show_logs
	return "$intact"
}

# BYTES are answered by 400 and nothing else.
refused() {
	same "HTTP/1.1 400 Bad Request" "$(raw "$1" | grep '^HTTP/')"
}

@test "requests that two programs could read in two ways are refused" {
	local end='Connection: close\r\n\r\n'
	# A good one is answered in the same way.
	raw "GET /version HTTP/1.1\r\nHost: a\r\n$end" | grep -q '^HTTP/1.1 200 OK'
	refused "GET /version HTTP/1.1\r\nHost: a\r\nHost: b\r\n$end"
	refused "GET /version HTTP/1.1\r\n$end"
	refused "POST $maps HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n$end{}"
	refused "POST $maps HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n$end{}"
	refused "GET /version HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n$end"
	refused "GET /version HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n$end"
}

@test "paths that could mean another path are refused" {
	local path
	for path in /api/v1/../v1/pods /api/v1/./pods /api//v1/pods /api/v1/%2e%2e/pods \
		/api/v1/namespaces/%2e%2e/pods /api/v1/namespaces/a%2fb/pods /api/v1/pods%00 \
		/api/v1/%zz /api/v1/%ff; do
		api GET "$path" --path-as-is
		expect 400 BadRequest
	done
}

@test "namespaces and names that could leave their place in the store are refused" {
	local name
	for name in .. . 'a/b' 'A' '%2e%2e' '..%2f'; do
		api POST $maps -d "$(config_map "$name")"
		expect 422 Invalid
		api POST /api/v1/namespaces -d "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"$name\"}}"
		expect 422 Invalid
	done
}

@test "a body over 3 MB is 413" {
	printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"big"},"data":{"k":"' >"$dir/big"
	head -c 3200000 /dev/zero | tr '\0' x >>"$dir/big"
	printf '"}}' >>"$dir/big"
	api POST $maps --data-binary "@$dir/big"
	expect 413 RequestEntityTooLarge
	# Chunked it is as large.
	api POST $maps --data-binary "@$dir/big" -H 'Transfer-Encoding: chunked'
	expect 413 RequestEntityTooLarge
	api GET $maps/big
	expect 404
}

@test "a body deeper than 256 is 400, one of 200 is read" {
	nested() {
		printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"deep"},"x":'
		printf '[%.0s' $(seq "$1")
		printf ']%.0s' $(seq "$1")
		printf '}'
	}
	nested 300 >"$dir/deep"
	api POST "$maps?dryRun=All" --data-binary "@$dir/deep"
	expect 400 BadRequest
	nested 200 >"$dir/deep"
	api POST "$maps?dryRun=All" --data-binary "@$dir/deep"
	expect 201
	same '299 - "unknown field \"x\""' "$(header Warning)"
}

@test "bodies that are not JSON, or not UTF-8, or have zero bytes" {
	api POST $maps -d '{"apiVersion":"v1",'
	expect 400 BadRequest
	api POST $maps -d "{'apiVersion':'v1'}"
	expect 400 BadRequest
	has "line 1, column 2" "$(query .message)"
	printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad"},"data":{"k":"\xff\xfe"}}' >"$dir/bad"
	api POST $maps --data-binary "@$dir/bad"
	expect 400 BadRequest
	printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad\0"}}' >"$dir/bad"
	api POST $maps --data-binary "@$dir/bad"
	expect 400 BadRequest
	api POST $maps -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad\u0000"}}'
	[[ $code == 4[02][02] ]]
	api POST $maps -d '[]'
	expect 400 BadRequest
	api POST $maps
	expect 400 BadRequest
	api POST $maps -d '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"other"}}'
	expect 400 BadRequest
}

@test "wrong types say where" {
	api POST $maps -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"t"},"data":{"k":5}}'
	expect 400 BadRequest
	has "data" "$(query .message)"
	api POST /api/v1/namespaces/default/replicationcontrollers \
		-d '{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"t"},"spec":{"replicas":99999999999}}'
	expect 400 BadRequest
	has "spec.replicas" "$(query .message)"
}

@test "headers and targets of any size are refused, not stored" {
	local long
	long=$(head -c 70000 /dev/zero | tr '\0' a)
	api GET "/api/v1/$long"
	[[ $code == 414 || $code == 431 || $code == 400 || $code == 000 ]]
	api GET /version -H "X-Long: $long"
	[[ $code == 431 || $code == 400 || $code == 413 || $code == 000 ]]
	# Thousands of parameters are none.
	api GET "/api/v1/pods?$(printf 'a=b&%.0s' $(seq 800))"
	expect 400 BadRequest
	message "the request query has too many parameters"
	api GET "/api/v1/pods?$(printf 'a=b&%.0s' $(seq 8000))"
	[[ $code == 414 || $code == 400 || $code == 000 ]]
}

@test "a client that sends its headers for ever is cut" {
	local begin=$SECONDS
	[ "${COX_SANITIZER:-no}" = no ] || skip "long enough once"
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET /version HTTP/1.1\r\nHost: a\r\nX-Slow: ' >&5
	(
		for _ in $(seq 40); do
			printf a >&5 2>/dev/null || break
			sleep 0.5
		done
	) 3>&- &
	timeout 20 cat <&5 >"$dir/slow"
	[ $((SECONDS - begin)) -ge 5 ]
	[ $((SECONDS - begin)) -le 18 ]
	exec 5>&-
	kill $! 2>/dev/null || :
}

@test "upgrades that are not there yet are told by a Status" {
	api POST /api/v1/namespaces/default/pods -d "$(pod target)"
	api GET "/api/v1/namespaces/default/pods/target/exec?command=ls&stdout=true" \
		-H 'Connection: Upgrade' -H 'Upgrade: websocket' \
		-H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='
	[ "$code" -ge 400 ]
	same Status "$(query .kind)"
	[ -n "$(query .message)" ]
}
