#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The secure port: its certificate, the credentials that it takes, what those
# without get, and what a connection's end leaves behind.
source "$srcdir/tests/lib/functions.bash"

setup_file() {
	make_dir
	printf '%s\n' 'tok-alice,alice,1001,"dev,ops"' 'tok-bob,bob,1002' \
		'tok-root,root,1,system:masters' >"$dir/tokens.csv"
	printf 'secret,carol,1003,"dev"\n' >"$dir/passwords.csv"
	start_apiserver --token-auth-file="$dir/tokens.csv" --basic-auth-file="$dir/passwords.csv"
	ca=$dir/data/pki/ca.crt
	export ca
	make_client_certificate
}

# dave's certificate, signed by the cluster's CA; and one by a stranger
make_client_certificate() {
	certtool --generate-privkey --key-type=ecdsa --outfile "$dir/dave.key" 2>/dev/null
	printf 'cn = "dave"\norganization = "dev"\norganization = "night"\ntls_www_client\nsigning_key\nexpiration_days = 2\n' >"$dir/dave.cfg"
	certtool --generate-certificate --load-privkey "$dir/dave.key" --template "$dir/dave.cfg" \
		--load-ca-certificate "$ca" --load-ca-privkey "$dir/data/pki/ca.key" \
		--outfile "$dir/dave.crt" 2>/dev/null
	printf 'cn = "dave"\ntls_www_client\nsigning_key\nexpiration_days = 2\n' >"$dir/self.cfg"
	certtool --generate-self-signed --load-privkey "$dir/dave.key" --template "$dir/self.cfg" \
		--outfile "$dir/self.crt" 2>/dev/null
}

# tls METHOD PATH [CURL WORDS...]: as api(), on the secure port
tls() {
	local base=$secure
	api "$@" --cacert "$dir/certs/apiserver.crt"
}

# whoami [CURL WORDS...]: user, uid and groups as the server sees them
whoami() {
	tls POST /apis/authentication.k8s.io/v1/selfsubjectreviews \
		-d '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}' "$@"
	[ "$code" = 201 ] || return 1
	query '.status.userInfo | "\(.username) \(.uid) \(.groups | sort | join(","))"'
}

@test "without credentials: 401, as a Status, without a challenge for a password that nobody asked for" {
	tls GET /api/v1/namespaces
	expect 401 Unauthorized
	message Unauthorized
	same "application/json" "$(header Content-Type)"
	tls GET /version
	expect 401
	tls GET /nothing
	expect 401
}

@test "a bearer token" {
	same "alice 1001 dev,ops,system:authenticated" "$(whoami -H 'Authorization: Bearer tok-alice')"
	same "bob 1002 system:authenticated" "$(whoami -H 'Authorization: Bearer tok-bob')"
	tls GET /api/v1/namespaces -H 'Authorization: Bearer tok-mallory'
	expect 401 Unauthorized
	tls GET /api/v1/namespaces -H 'Authorization: Bearer '
	expect 401
	tls GET /api/v1/namespaces -H 'Authorization: Bearer tok-alice'
	expect 200
}

@test "a name and password" {
	same "carol 1003 dev,system:authenticated" "$(whoami -u carol:secret)"
	tls GET /api/v1/namespaces -u carol:wrong
	expect 401
}

@test "a client certificate: CN is the user, O are the groups" {
	same "dave null dev,night,system:authenticated" \
		"$(whoami --cert "$dir/dave.crt" --key "$dir/dave.key" | sed 's/dave  /dave null /')"
	tls GET /api/v1/namespaces --cert "$dir/self.crt" --key "$dir/dave.key"
	[[ $code == 401 || $code == 000 ]]
}

@test "a token of a service account, asked for and used" {
	local token
	api POST /api/v1/namespaces/default/serviceaccounts -d '{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"robot"}}'
	expect 201
	api POST /api/v1/namespaces/default/serviceaccounts/robot/token \
		-d '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":600}}'
	expect 201
	token=$(query .status.token)
	same "system:serviceaccount:default:robot" "$(whoami -H "Authorization: Bearer $token" | cut -d' ' -f1)"
	has "system:serviceaccounts,system:serviceaccounts:default" "$(whoami -H "Authorization: Bearer $token")"
	# One letter of the signature changed
	tls GET /api/v1/namespaces -H "Authorization: Bearer ${token%??}xx"
	expect 401
	# The account is gone, and so is what its tokens are good for.
	api DELETE /api/v1/namespaces/default/serviceaccounts/robot
	refused() {
		tls GET /api/v1/namespaces -H "Authorization: Bearer $token"
		[ "$code" = 401 ]
	}
	retry 15 refused
}

@test "the certificate names the host, the service and the addresses that lead here" {
	certtool --certificate-info --infile "$dir/certs/apiserver.crt" >"$dir/info" 2>&1
	for name in "DNSname: kubernetes" "DNSname: kubernetes.default" "DNSname: kubernetes.default.svc" \
		"IPAddress: 10.254.0.1" "IPAddress: 127.0.0.1"; do
		grep -qF "$name" "$dir/info" || {
			cat "$dir/info" >&2
			return 1
		}
	done
	same 600 "$(stat -c %a "$dir/certs/apiserver.key")"
	same 600 "$(stat -c %a "$dir/data/pki/ca.key")"
	same 600 "$(stat -c %a "$dir/data/pki/sa.key")"
}

@test "old TLS is refused, today's is spoken" {
	tls GET /version -H 'Authorization: Bearer tok-alice' --tls-max 1.1
	same 000 "$code"
	tls GET /version -H 'Authorization: Bearer tok-alice' --tlsv1.3
	expect 200
}

@test "kubectl by kubeconfig: CA and token, CA and certificate" {
	use_kubectl 1.35
	printf 'apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: "%s", certificate-authority: "%s"}}]\nusers: [{name: u, user: {token: tok-alice}}]\n' \
		"$secure" "$dir/certs/apiserver.crt" >"$dir/kubeconfig"
	run -0 "$KUBECTL" --kubeconfig="$dir/kubeconfig" --cache-dir="$dir/cache" auth whoami
	has "alice" "$output"
	run -0 "$KUBECTL" --kubeconfig="$dir/kubeconfig" --cache-dir="$dir/cache" get ns
	has default "$output"
	sed -i "s#{token: tok-alice}#{client-certificate: $dir/dave.crt, client-key: $dir/dave.key}#" "$dir/kubeconfig"
	run -0 "$KUBECTL" --kubeconfig="$dir/kubeconfig" --cache-dir="$dir/cache" auth whoami
	has "dave" "$output"
	has "night" "$output"
}

@test "watches and large lists through TLS" {
	local maps=/api/v1/namespaces/default/configmaps i
	for i in $(seq 20); do
		config_map "large-$i" "$(head -c 20000 /dev/zero | tr '\0' x)" >"$dir/large"
		api POST $maps --data-binary "@$dir/large"
		expect 201
	done
	tls GET $maps -H 'Authorization: Bearer tok-alice'
	expect 200
	same 20 "$(query '.items | length')"
	curl -sN --cacert "$dir/certs/apiserver.crt" -H 'Authorization: Bearer tok-alice' -o "$dir/watched" \
		"$secure$maps?watch=true&timeoutSeconds=2"
	same 20 "$(jq -r .type "$dir/watched" | grep -c ADDED)"
	# Past 128 KB it is worth packing, if not to this host.
	tls GET $maps -H 'Authorization: Bearer tok-alice' --compressed
	same 20 "$(query '.items | length')"
}

@test "what is in a token is not in a log" {
	tls GET /api/v1/nothing -H 'Authorization: Bearer tok-alice'
	expect 404
	! grep -q 'tok-alice\|secret' "$dir/apiserver.log"
}

# may USER GROUP: what the server says of reading nodes
may() {
	api POST /apis/authorization.k8s.io/v1/subjectaccessreviews -d "$(jq -nc \
		--arg user "$1" --arg group "$2" '{spec: {$user, groups: [$group],
			resourceAttributes: {verb: "list", resource: "nodes"}}}')"
	query .status.allowed
}

@test "where everybody is denied everything, system:masters are not" {
	stop_daemon apiserver
	start_apiserver --token-auth-file="$dir/tokens.csv" --authorization-mode=AlwaysDeny
	tls GET /api/v1/namespaces/default -H 'Authorization: Bearer tok-root'
	expect 200
	tls GET /api/v1/namespaces/default -H 'Authorization: Bearer tok-alice'
	expect 403 Forbidden
	has "Everything is forbidden." "$(query .message)"
	tls GET /api/v1/namespaces -H 'Authorization: Bearer tok-alice'
	expect 403 Forbidden
	has 'namespaces is forbidden: User "alice" cannot list resource "namespaces" in API group "" at the cluster scope' \
		"$(query .message)"
	same true "$(may root system:masters)"
	same false "$(may alice system:master)"
}
