#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Another policy without a restart: the files are edited and the server gets
# SIGHUP. Watches stay connected, a broken file changes nothing.
source "$srcdir/tests/lib/functions.bash"

maps=/api/v1/namespaces/default/configmaps

setup_file() {
	make_dir
	mkdir "$dir/etc"
	: >"$dir/etc/config"
	printf 'alice-token,alice,1\n' >"$dir/tokens"
	settings AlwaysAdmit AlwaysAllow
	port=$(free_port) secure_port=$(free_port)
	server=http://127.0.0.1:$port
	secure=https://127.0.0.1:$secure_port
	export server secure port secure_port
	start_with_files
}

start_with_files() {
	start_daemon apiserver "$program" kube-apiserver --config-dir="$dir/etc" \
		--plugin-dir="$plugins" --storage-backend=memory --insecure-port="$port" \
		--service-cluster-ip-range=10.254.0.0/16 --secure-port="$secure_port" \
		--bind-address=127.0.0.1 --cert-dir="$dir/certs" --data-dir="$dir/data" \
		--token-auth-file="$dir/tokens"
	retry 20 is_ready "$server"
	retry 20 grep -q 'Serving securely' "$dir/apiserver.log"
}

# settings ADMISSION AUTHORIZATION [MORE]
settings() {
	printf 'KUBE_ADMISSION_CONTROL="--admission-control=%s"\n' "$1"
	printf 'KUBE_API_ARGS="--authorization-mode=%s%s"\n' "$2" "${3:+ $3}"
} >"$dir/etc/apiserver"

reloads() {
	grep -cE '\] Reload: (done|nothing was changed)' "$dir/apiserver.log" || :
}

more_reloads() {
	[ "$(reloads)" -gt "$1" ]
}

# The server takes the files over, or says why not.
reload() {
	local before
	before=$(reloads)
	kill -HUP "$(daemon_pid apiserver)"
	retry 30 more_reloads "$before"
}

# answer NAME: of creating an object of that name, through the port without credentials
answer() {
	api POST $maps -d "$(config_map "$1")"
	printf '%s\n' "$code"
}

as_alice() {
	base=$secure api GET $maps --cacert "$dir/certs/apiserver.crt" \
		-H "Authorization: Bearer ${1-alice-token}"
	printf '%s\n' "$code"
}

events_are() {
	[ "$(jq -r .object.metadata.name "$dir/watched" | paste -sd' ')" = "$1" ]
}

# rows: 2
@test "admission, authorization and tokens change under an open watch" {
	curl -sN -o "$dir/watched" "$server$maps?watch=true" 3>&- &
	same 201 "$(answer one)"
	same 200 "$(as_alice)"
	retry 10 events_are one
	settings AlwaysDeny AlwaysAllow
	reload
	same 403 "$(answer two)"
	settings AlwaysAdmit AlwaysDeny
	reload
	same 201 "$(answer three)"
	same 403 "$(as_alice)"
	settings AlwaysAdmit AlwaysAllow
	printf 'bob-token,bob,2\n' >"$dir/tokens"
	reload
	same 401 "$(as_alice)"
	same 200 "$(as_alice bob-token)"
	same 201 "$(answer four)"
	retry 10 events_are "one three four"
	kill "$!"
}

@test "a broken file changes nothing, and the log says why" {
	settings NoSuchThing AlwaysDeny
	reload
	has "Reload: nothing was changed: Unknown admission plugin: NoSuchThing" \
		"$(tail -1 "$dir/apiserver.log")"
	same 201 "$(answer five)"
	same 200 "$(as_alice bob-token)"
	settings AlwaysAdmit AlwaysAllow
	echo 'KUBE_API_PORT="--port=1' >>"$dir/etc/apiserver"
	reload
	has "$dir/etc/apiserver:3: the quote \" is never closed" "$(tail -1 "$dir/apiserver.log")"
	same 201 "$(answer six)"
}

@test "what needs a restart is listed as long as it differs" {
	settings AlwaysAdmit AlwaysAllow --event-ttl=5m
	reload
	grep -q '] Reload: --event-ttl has changed, which needs a restart' "$dir/apiserver.log"
	settings AlwaysAdmit AlwaysAllow
	reload
	same 1 "$(grep -c 'event-ttl has changed' "$dir/apiserver.log")"
	same 201 "$(answer seven)"
}

has_namespace() {
	api GET /api/v1/namespaces/default
	[ "$code" = 200 ]
}

@test "a server that may make nothing starts all the same, and makes it once it may" {
	stop_daemon apiserver
	settings AlwaysDeny AlwaysDeny
	start_with_files
	grep -q 'every cluster has: .*denying all modifications' "$dir/apiserver.log"
	run ! has_namespace
	same 403 "$(answer eight)"
	settings AlwaysAdmit AlwaysDeny
	reload
	retry 30 has_namespace
	same 201 "$(answer eight)"
}
