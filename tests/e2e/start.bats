#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# How kube-apiserver starts, or says in one line why it does not.
source "$srcdir/tests/lib/functions.bash"

setup_file() {
	make_dir
}

setup() {
	rm -rf "$dir/data" "$dir/certs" "$dir"/*.log
}

teardown() {
	show_logs
	stop_daemons
}

# start_fails FLAGS...: $output has the line
start_fails() {
	run timeout 30 "$program" kube-apiserver --plugin-dir="$plugins" --storage-backend=memory \
		--service-cluster-ip-range=10.254.0.0/16 --insecure-port="$(free_port)" --secure-port=0 \
		--cert-dir="$dir/certs" --data-dir="$dir/data" --admission-control= "$@"
	[ "$status" != 0 ] && [ "$status" != 124 ]
}

# rows: 36 37
@test "--address and --port are the insecure port's" {
	local old
	old=$(free_port)
	start_daemon apiserver "$program" kube-apiserver --plugin-dir="$plugins" --storage-backend=memory \
		--portal-net=10.254.0.0/16 --address=0.0.0.0 --port="$old" --secure-port=0 \
		--cert-dir="$dir/certs" --data-dir="$dir/data" --admission_control=
	retry 20 is_ready "http://127.0.0.1:$old"
}

# rows: 29
@test "an underscore in a flag is a dash" {
	start_apiserver --service_node_port_range=31000-31010
	api POST /api/v1/namespaces/default/services -d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"type":"NodePort","ports":[{"port":80}]}}'
	expect 201
	[ "$(query '.spec.ports[0].nodePort')" -ge 31000 ] && [ "$(query '.spec.ports[0].nodePort')" -le 31010 ]
}

# rows: 211
@test "--service-node-port-range: both ends count, and nothing else" {
	local i
	start_apiserver --service-node-port-range=40000-40001
	for i in 40000 40001; do
		api POST /api/v1/namespaces/default/services -d "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"s$i\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":$i}]}}"
		expect 201
	done
	api POST /api/v1/namespaces/default/services -d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"full"},"spec":{"type":"NodePort","ports":[{"port":80}]}}'
	[ "$code" -ge 400 ]
	has "range is full" "$(query .message)"
	api POST /api/v1/namespaces/default/services -d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"off"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":40002}]}}'
	expect 422 Invalid
}

# rows: 212
@test "a port range without a hyphen, or backwards, is an error" {
	start_fails --service-node-port-range=40000
	has 'expected hyphen in port range: "40000"' "$output"
	start_fails --service-node-port-range=9-1
	has "end port cannot be less than start port: 9-1" "$output"
}

# rows: 224
@test "--secure-port=0: no port, no certificate, no error" {
	start_apiserver --secure-port=0
	[ ! -e "$dir/certs" ]
	! grep -q '^[EW]' "$dir/apiserver.log"
	! grep -q 'Serving securely' "$dir/apiserver.log"
}

# rows: 221 222 225
@test "a certificate directory that cannot be made: said, tried again, the insecure port serves" {
	[ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
	mkdir -p "$dir/closed" "$dir/data"
	chmod 755 "$dir"
	chown nobody "$dir/data"
	chmod 755 "$dir/closed"
	port=$(free_port)
	server=http://127.0.0.1:$port
	start_daemon apiserver setpriv --reuid=nobody --clear-groups "$program" kube-apiserver \
		--plugin-dir="$plugins" --storage-backend=memory --service-cluster-ip-range=10.254.0.0/16 \
		--insecure-port="$port" --secure-port="$(free_port)" --cert-dir="$dir/closed/kubernetes" \
		--data-dir="$dir/data" --admission-control=
	retry 20 is_ready "$server"
	retry 15 grep -q 'Unable to listen for secure' "$dir/apiserver.log"
	grep -qE "^E[0-9]{4} .*\] Unable to generate self signed cert: open $dir/closed/kubernetes/apiserver\.crt: permission denied" "$dir/apiserver.log"
	grep -qE "\] Unable to listen for secure \(open $dir/closed/kubernetes/apiserver\.crt: no such file or directory\); will try again\." "$dir/apiserver.log"
	# It comes by itself once the directory can be made.
	chown nobody "$dir/closed"
	retry 20 grep -q 'Serving securely on' "$dir/apiserver.log"
	[ -s "$dir/closed/kubernetes/apiserver.crt" ]
}

# rows: 230
@test "an unknown admission plugin" {
	start_fails --admission-control=NoSuchThing
	has "Unknown admission plugin: NoSuchThing" "$output"
}

# rows: 229
@test "an empty name in the list of admission plugins" {
	start_fails --admission-control=AlwaysAdmit,,AlwaysDeny
	has "--admission-control=AlwaysAdmit,,AlwaysDeny" "$output"
	has "an empty name in the list; remove the stray comma" "$output"
}

# rows: 2
@test "an unknown storage, authorizer: named, with what was meant" {
	start_fails --storage-backend=memry
	has 'storage-memry: not found in' "$output"
	has 'did you mean "memory"' "$output"
	start_fails --authorization-mode=RBCA
	has "authorizer-RBCA: not found in" "$output"
}

@test "protection that is not there is refused; what else has no effect is named" {
	local flag
	for flag in encryption-provider-config=/x audit-policy-file=/x audit-log-path=- \
		tls-min-version=VersionTLS13 tls-cipher-suites=x \
		admission-control-config-file=/x service-account-max-token-expiration=1h; do
		start_fails "--$flag"
		same "kube-apiserver: --${flag%%=*} is not offered by this kube-apiserver yet: take it out
See 'coxswain kube-apiserver --help' for usage." "$output"
	done
	mkdir "$dir/etc"
	printf '%s\n' '' 'KUBE_API_ARGS="--encryption-provider-config=/x"' >"$dir/etc/apiserver"
	run -2 "$program" kube-apiserver --plugin-dir="$plugins" --config-dir="$dir/etc" --check-config
	same "kube-apiserver: --encryption-provider-config is not offered by this kube-apiserver yet: take it out (set in $dir/etc/apiserver:2)" \
		"$output"
	# What happens anyway may be asked for.
	run -0 "$program" kube-apiserver --plugin-dir="$plugins" --storage-backend=memory \
		--service-cluster-ip-range=10.254.0.0/16 --data-dir="$dir/data" --admission-control= \
		--tls-min-version=VersionTLS12 --audit-log-path= --check-config
	start_apiserver --max-requests-inflight=7 --audit-log-maxage=0
	grep -q "Flag --max-requests-inflight is accepted and has no effect" "$dir/apiserver.log"
	run -1 grep -q audit-log-maxage "$dir/apiserver.log"
}

@test "no address range for services" {
	run -1 "$program" kube-apiserver --plugin-dir="$plugins" --storage-backend=memory --data-dir="$dir/data"
	has "No --service-cluster-ip-range specified" "$output"
}

# rows: 34 38 39 240 245
@test "the files of /etc/kubernetes: keys of the unit, later files win, comments, single quotes" {
	local p
	mkdir -p "$dir/etc"
	p=$(free_port)
	printf 'KUBE_LOGTOSTDERR="--logtostderr=true"\nKUBE_MASTER="--master=http://nobody:1"\n# KUBE_API_PORT="--port=1"\nKUBE_ETCD_SERVERS="--storage-backend=nothing"\n' >"$dir/etc/config"
	printf "KUBE_API_ADDRESS=\"--address=127.0.0.1\"\nKUBE_API_PORT='--port=%s'\nKUBE_ETCD_SERVERS=--storage-backend=memory\nKUBE_SERVICE_ADDRESSES=\"--service-cluster-ip-range=10.254.0.0/16\"\nKUBE_ADMISSION_CONTROL=\"--admission_control=\"\nKUBE_API_ARGS=\"--secure-port=0 --data-dir=%s\"\n" \
		"$p" "$dir/data" >"$dir/etc/apiserver"
	start_daemon apiserver "$program" kube-apiserver --config-dir="$dir/etc" --plugin-dir="$plugins"
	retry 20 is_ready "http://127.0.0.1:$p"
}

# rows: 30 31 32 33
@test "typographic quotes and dashes, text behind a quote: file, line and character" {
	local line found
	mkdir -p "$dir/etc"
	: >"$dir/etc/config"
	while IFS='|' read -r line found; do
		printf '%b\n' "$line" >"$dir/etc/apiserver"
		run timeout 20 "$program" kube-apiserver --config-dir="$dir/etc" --plugin-dir="$plugins" --data-dir="$dir/data"
		[ "$status" != 0 ] && [ "$status" != 124 ]
		has "$dir/etc/apiserver:1" "$output"
		has "$found" "$output"
	done <<-'END'
		KUBE_API_PORT="--port=8080"   #comment|#comment
		KUBE_API_PORT=”--port=8080″|U+201D
		KUBE_API_PORT="–port=8080"|U+2013
		KUBE_API_PORT="--port=8080“|U+201C
	END
}

# rows: 42
@test "log lines have the header that users know" {
	start_apiserver
	! grep -vqE '^[IWEF][01][0-9][0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6} {1,7}[0-9]+ [a-z_]+\.c:[0-9]+\] ' "$dir/apiserver.log"
}

@test "SIGTERM ends open watches and the server, with status 0" {
	start_apiserver
	curl -sN -o "$dir/watched" "$server/api/v1/namespaces?watch=true" 3>&- &
	retry 10 test -s "$dir/watched"
	stop_daemon apiserver
	wait $! || :
}

@test "--dump-config says every value and where it is from" {
	run -0 "$program" kube-apiserver --plugin-dir="$plugins" --service-cluster-ip-range=10.254.0.0/16 --dump-config
	has "service-cluster-ip-range" "$output"
	has "10.254.0.0/16" "$output"
}
