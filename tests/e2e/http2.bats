#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# HTTP/2 on the secure port: who gets it, real clients on it, watches that share
# a connection, clients that mean no good, and the end of the server.
source "$srcdir/tests/lib/functions.bash"

maps=/api/v1/namespaces/default/configmaps
token='Authorization: Bearer tok-root'

setup_file() {
	make_dir
	printf 'tok-root,root,1,system:masters\n' >"$dir/tokens.csv"
	start_apiserver --token-auth-file="$dir/tokens.csv" --http2-max-streams-per-connection=60
	ca=$dir/certs/apiserver.crt
	export ca
}

# h2 METHOD PATH [CURL WORDS...]: as api(), on the secure port
h2() {
	local base=$secure
	api "$@" --http2 --cacert "$ca" -H "$token"
}

# protocol [CURL WORDS...]: the version that was spoken, and the answer's code
protocol() {
	curl -s -o /dev/null -w '%{http_version} %{http_code}' --cacert "$ca" -H "$token" "$@" "$secure/version"
}

# attack NAME: a client without manners; says what it was told: "goaway CODE", or "closed"
attack() {
	timeout 60 python3 - "$secure_port" "$1" <<'END'
import socket, ssl, struct, sys

def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

attacks = {
    "pings": frame(6, 0, 0, b"12345678") * 5000,
    "settings": frame(4, 0, 0) * 5000,
    "continuations": frame(1, 0, 1, b"\x82") + frame(9, 0, 1, b"\x84") * 5000,
    "empty": frame(1, 4, 1, b"\x83\x84\x87\x41\x01a") + frame(0, 0, 1) * 5000,
    "resets": b"".join(frame(1, 5, 2 * i + 1, b"\x82\x84\x87\x41\x01a") +
                       frame(3, 0, 2 * i + 1, b"\0\0\0\x08") for i in range(5000)),
    "nonsense": b"\xff" * 5000,
}
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.set_alpn_protocols(["h2"])
peer = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
heard, said = b"", "closed"
peer.settimeout(30)
try:
    peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
    data = attacks[sys.argv[2]]
    for at in range(0, len(data), 8192):
        peer.sendall(data[at:at + 8192])
except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
    pass
try:
    while more := peer.recv(65536):
        heard += more
except (ConnectionResetError, ssl.SSLError):
    pass
while len(heard) >= 9:
    size, kind = int.from_bytes(heard[:3], "big"), heard[3]
    if kind == 7:
        said = "goaway %d" % int.from_bytes(heard[13:17], "big")
    heard = heard[9 + size:]
print(said)
END
}

@test "HTTP/2 is for those who offer it, in TLS" {
	same "2 200" "$(protocol --http2)"
	same "2 200" "$(protocol --http2 --tls-max 1.2)"
	same "1.1 200" "$(protocol --http1.1)"
	same "1.1 200" "$(protocol --no-alpn)"
	same 1.1 "$(curl -s -o /dev/null -w '%{http_version}' --http2 "$server/version")"
}

@test "objects are written and read as they are by HTTP/1.1" {
	local i
	h2 POST $maps -d "$(config_map one)"
	expect 201
	h2 PATCH $maps/one -H 'Content-Type: application/merge-patch+json' -d '{"data":{"a":"b"}}'
	expect 200
	same b "$(query .data.a)"
	h2 GET $maps/one
	expect 200
	same "application/json" "$(header Content-Type)"
	cp "$dir/body" "$dir/by-h2"
	api GET $maps/one
	cmp "$dir/body" "$dir/by-h2"
	h2 HEAD $maps/one
	expect 200
	h2 DELETE $maps/one
	expect 200
	for i in $(seq 20); do
		config_map "large-$i" "$(head -c 100000 /dev/zero | tr '\0' x)" >"$dir/large"
		h2 POST $maps --data-binary "@$dir/large"
		expect 201
	done
	h2 GET $maps
	expect 200
	same 20 "$(query '.items | length')"
	h2 DELETE $maps
	expect 200
}

@test "requests are refused as they are by HTTP/1.1" {
	local path
	for path in /api/v1/../v1/pods /api//v1/pods /api/v1/%2e%2e/pods \
		/api/v1/namespaces/a%2fb/pods /api/v1/pods%00 /api/v1/%zz; do
		h2 GET "$path" --path-as-is
		expect 400 BadRequest
	done
	h2 GET /version -H 'Authorization: Bearer another'
	expect 400 BadRequest
	base=$secure api GET /version --http2 --cacert "$ca"
	expect 401 Unauthorized
	printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"big"},"data":{"k":"' >"$dir/big"
	head -c 3200000 /dev/zero | tr '\0' x >>"$dir/big"
	printf '"}}' >>"$dir/big"
	h2 POST $maps --data-binary "@$dir/big"
	expect 413 RequestEntityTooLarge
	h2 POST $maps --data-binary @- <"$dir/big" -H 'Content-Length:'
	expect 413 RequestEntityTooLarge
}

@test "kubectl speaks it with all that it does" {
	local watcher
	use_kubectl 1.35
	printf 'apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: "%s", certificate-authority: "%s"}}]\nusers: [{name: u, user: {token: tok-root}}]\n' \
		"$secure" "$ca" >"$dir/kubeconfig"
	k() {
		(cd "$dir" && timeout 60 "$KUBECTL" --kubeconfig="$dir/kubeconfig" --cache-dir="$dir/cache" "$@")
	}
	GODEBUG=http2debug=1 k get ns 2>"$dir/frames"
	grep -q 'http2: Transport received HEADERS.*END_HEADERS' "$dir/frames"
	k get configmaps -w -o name >"$dir/watched" 3>&- &
	watcher=$!
	k create configmap seen --from-literal=a=b
	retry 10 grep -q configmap/seen "$dir/watched"
	k label configmap seen x=y
	k patch configmap seen -p '{"data":{"c":"d"}}'
	same d "$(k get configmap seen -o 'jsonpath={.data.c}')"
	k get configmap seen -o yaml | k apply -f - 2>/dev/null
	k wait --for=jsonpath='{.data.c}'=d configmap/seen --timeout=10s
	k api-resources >"$dir/resources"
	grep -q '^pods' "$dir/resources"
	k explain pod.spec >/dev/null
	k delete configmap seen
	kill "$watcher"
	wait "$watcher" || :
}

@test "as many watches share a connection as the flag says" {
	local urls=() i
	requires nghttp
	nghttp -nv -H "$token" "$secure/version" >"$dir/frames"
	grep -q 'SETTINGS_MAX_CONCURRENT_STREAMS(0x03):60' "$dir/frames"
	h2 POST $maps -d "$(config_map watched)"
	expect 201
	for i in $(seq 50); do
		urls+=("$secure$maps?watch=true&timeoutSeconds=2&n=$i")
	done
	nghttp --no-dep -H "$token" "${urls[@]}" >"$dir/watched"
	same 50 "$(jq -r .type "$dir/watched" | grep -c ADDED)"
}

@test "a client without manners is told so, and the others do not notice" {
	same "goaway 11" "$(attack pings)"
	same "goaway 11" "$(attack settings)"
	same "goaway 11" "$(attack empty)"
	same "goaway 11" "$(attack resets)"
	[[ $(attack continuations) == goaway* ]]
	[[ $(attack nonsense) == goaway* ]]
	same "2 200" "$(protocol --http2)"
	api GET /readyz
	expect 200
}

@test "a silent handshake costs no time of the processor" {
	local before after
	[ "${COX_SANITIZER:-no}" = no ] || skip "it is another program's time"
	spent() {
		awk '{ print $14 + $15 }' "/proc/$(daemon_pid apiserver)/stat"
	}
	exec 5<>"/dev/tcp/127.0.0.1/$secure_port"
	printf '\x16' >&5
	before=$(spent)
	# The server ends it after ten seconds, of which it could spend a thousand ticks.
	timeout 20 cat <&5 >/dev/null
	after=$(spent)
	exec 5>&-
	[ $((after - before)) -lt 200 ]
}

@test "when the server ends, watches end as they should" {
	local watcher
	api POST $maps -d "$(config_map last)"
	expect 201
	curl -svN --http2 --cacert "$ca" -H "$token" -o "$dir/ended" \
		"$secure$maps?watch=true" 2>"$dir/watcher.log" 3>&- &
	watcher=$!
	retry 10 test -s "$dir/ended"
	stop_daemon apiserver
	wait "$watcher"
	same "ADDED" "$(jq -r .type "$dir/ended" | head -1)"
}
