# SPDX-License-Identifier: Apache-2.0
# What the end-to-end tests share. A bats file sources it first:
#
#   source "$srcdir/tests/lib/functions.bash"
#
# and uses the hooks as they are, or calls them from its own: setup_file makes
# $dir, a private directory for the file; teardown shows the logs of a failed
# test; teardown_file ends every daemon and looks at how it ended.
#
# Daemons run in the background with their log in $dir/NAME.log and their pid
# in $dir/NAME.pid. They die with the shell that started them, whatever becomes
# of it.
# shellcheck shell=bash disable=SC2154,SC2119,SC2120
bats_require_minimum_version 1.5.0

program=$builddir/core/coxswain
plugins=$builddir/plugins/.libs

# Where nothing of the host's configuration can leak in.
export HOME=/nonexistent KUBECONFIG=/dev/null LC_ALL=C TZ=UTC
# The server indents what curl asks for by its own name; the tests are a program.
CURL_HOME=$(cd "$srcdir/tests/lib" && pwd)
export CURL_HOME
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY

# Leaves the file out unless every command is there.
requires() {
	local command
	for command; do
		command -v "$command" >/dev/null || skip "$command is not installed"
	done
}

# retry SECONDS COMMAND...: until it succeeds, SECONDS at the most. A sanitized
# program may take longer.
retry() {
	local seconds=$1 end
	shift
	[ -z "${COX_SANITIZER#no}" ] || seconds=$((seconds * 3))
	end=$((SECONDS + seconds))
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			printf 'not within %s s: %s\n' "$seconds" "$*" >&2
			return 1
		fi
		sleep 0.05
	done
}

# same EXPECTED FOUND: with both shown when they differ.
same() {
	[ "$1" = "$2" ] || {
		printf -- '-- expected --\n%s\n-- found --\n%s\n' "$1" "$2" >&2
		return 1
	}
}

# has TEXT FOUND: FOUND has TEXT in it.
has() {
	[[ $2 == *"$1"* ]] || {
		printf -- '-- expected in the text --\n%s\n-- found --\n%s\n' "$1" "$2" >&2
		return 1
	}
}

lacks() {
	[[ $2 != *"$1"* ]] || {
		printf -- '-- not expected in the text --\n%s\n-- found --\n%s\n' "$1" "$2" >&2
		return 1
	}
}

# A TCP port that nobody listens on, below those that connections are given.
free_port() {
	local port
	while :; do
		port=$((RANDOM % 20000 + 11000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			printf '%s\n' "$port"
			return
		fi
	done
}

# Daemons

# start_daemon NAME PROGRAM ARGUMENTS...
start_daemon() {
	local name=$1
	shift
	setpriv --pdeathsig KILL "$@" >>"$dir/$name.log" 2>&1 3>&- </dev/null &
	printf '%s\n' $! >"$dir/$name.pid"
}

daemon_pid() {
	cat "$dir/$1.pid"
}

is_running() {
	local stat
	stat=$(cat "/proc/$(daemon_pid "$1")/stat" 2>/dev/null) && [[ $stat != *") Z "* ]]
}

has_ended() {
	! is_running "$1"
}

# Whether a daemon left what a sanitizer or the crash handler writes.
log_is_clean() {
	local bad='AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|died of signal'
	if grep -nE "$bad" "$dir/$1.log" >&2; then
		sed 's/^/  /' "$dir/$1.log" | tail -60 >&2
		return 1
	fi
}

# stop_daemon NAME: politely; it must end by itself, cleanly and with status 0,
# within $stop_seconds. NAME.parent is the process of ours that waits for it, if
# the daemon itself is not ours.
stop_daemon() {
	local pid parent status=0
	[ -e "$dir/$1.pid" ] || return 0
	pid=$(daemon_pid "$1")
	parent=$(cat "$dir/$1.parent" 2>/dev/null) || parent=$pid
	kill -TERM "$pid" 2>/dev/null || :
	if ! retry "${stop_seconds:-15}" has_ended "$1"; then
		kill -KILL "$pid" 2>/dev/null || :
		rm -f "$dir/$1.pid" "$dir/$1.parent"
		return 1
	fi
	wait "$parent" 2>/dev/null || status=$?
	rm -f "$dir/$1.pid" "$dir/$1.parent"
	# 127: not a child of this shell, so its status is not ours to have.
	if [ "$status" != 0 ] && [ "$status" != 127 ]; then
		printf '%s ended with status %s\n' "$1" "$status" >&2
		tail -20 "$dir/$1.log" >&2
		return 1
	fi
	log_is_clean "$1"
}

# kill_daemon NAME: without a warning, as a power cut would.
kill_daemon() {
	local pid
	pid=$(daemon_pid "$1")
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || :
	rm -f "$dir/$1.pid" "$dir/$1.parent"
}

stop_daemons() {
	local file status=0
	for file in "$dir"/*.pid; do
		[ -e "$file" ] || continue
		file=${file##*/}
		stop_daemon "${file%.pid}" || status=1
	done
	return "$status"
}

is_ready() {
	curl -sf -o "$dir/ready" "$1/readyz"
}

ready_or_dead() {
	is_ready "$2" || has_ended "$1"
}

# start_apiserver [FLAGS...]: sets $server and $secure, the two base URLs, and
# $port and $secure_port. A storage plugin, a secure port and admission given in
# FLAGS come last and win. Ports that somebody else was quicker to take are
# replaced.
start_apiserver() {
	local _
	for _ in 1 2 3 4; do
		port=$(free_port)
		secure_port=$(free_port)
		server=http://127.0.0.1:$port
		secure=https://127.0.0.1:$secure_port
		start_daemon apiserver "$program" kube-apiserver --plugin-dir="$plugins" \
			--storage-backend=memory --service-cluster-ip-range=10.254.0.0/16 \
			--insecure-port="$port" --secure-port="$secure_port" \
			--bind-address=127.0.0.1 --cert-dir="$dir/certs" --data-dir="$dir/data" \
			--admission-control= "$@"
		retry 20 ready_or_dead apiserver "$server" || return 1
		if is_running apiserver; then
			export port secure_port server secure
			return 0
		fi
		grep -qi 'address already in use' "$dir/apiserver.log" || break
	done
	cat "$dir/apiserver.log" >&2
	return 1
}

# start_controller_manager [FLAGS...]
start_controller_manager() {
	start_daemon controller-manager "$program" kube-controller-manager \
		--plugin-dir="$plugins" --master="$server" --port=0 "$@"
}

# Requests

# api METHOD PATH [CURL WORDS...]: sets $code and $body; headers are in
# $dir/headers, without carriage returns. A body in -d goes out as JSON unless
# a Content-Type is given.
api() {
	local method=$1 path=$2 type=()
	shift 2
	case " $* " in
	*[Cc]ontent-[Tt]ype:*) ;;
	*) type=(-H 'Content-Type: application/json') ;;
	esac
	[ "$method" != HEAD ] || type+=(--head)
	: >"$dir/body"
	code=$(curl -s --max-time 60 -X "$method" -D "$dir/headers.raw" -o "$dir/body" \
		-w '%{http_code}' "${type[@]}" "$@" "${base:-$server}$path") || :
	tr -d '\r' <"$dir/headers.raw" >"$dir/headers"
	[ "$method" != HEAD ] || : >"$dir/body" # curl puts the headers there
	body=$(tr -d '\0' <"$dir/body")
}

# header NAME: its value in the last answer of api().
header() {
	sed -n "s/^$1: //Ip" "$dir/headers"
}

# query JQ-PROGRAM: on the last body.
query() {
	jq -r "$1" "$dir/body"
}

# expect CODE [REASON]: of the last answer, with the body shown if not.
expect() {
	if [ "$code" != "$1" ]; then
		printf 'expected status %s, got %s: %s\n' "$1" "$code" "$body" >&2
		return 1
	fi
	[ $# -lt 2 ] || same "$2" "$(query .reason)"
}

# message TEXT: of the last answer, exactly.
message() {
	same "$1" "$(query .message)"
}

# raw BYTES: sent to the insecure port as they are and in one piece; what comes
# back until the server closes, or 10 seconds.
raw() {
	printf '%b' "$1" >"$dir/request"
	exec 4<>"/dev/tcp/127.0.0.1/$port"
	cat "$dir/request" >&4
	timeout 10 cat <&4 | tr -d '\r'
	exec 4>&-
}

# Objects

# pod NAME [LABELS-JSON]: on standard output
pod() {
	printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","labels":%s},' \
		"$1" "${2-{\}}"
	printf '"spec":{"containers":[{"name":"c","image":"nginx"}]}}'
}

config_map() {
	printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s"},' "$1"
	printf '"data":{"key":"%s"}}' "${2-value}"
}

# Real clients

# use_kubectl VERSION: the function kubectl is that release from here on.
use_kubectl() {
	KUBECTL=$("$srcdir/tests/lib/kubectl.sh" "$1") ||
		skip "kubectl $1 cannot be fetched here"
	export KUBECTL
}

# use_helm VERSION: the function helm is the one that comes with that kubectl.
use_helm() {
	HELM=$("$srcdir/tests/lib/kubectl.sh" "helm-$1") ||
		skip "the helm of kubectl $1 cannot be fetched here"
	export HELM
}

# Everything that it keeps, and the server, are in $dir. Its library notes watches
# that it ended itself in the middle of an event, now and then; helm has not said that.
helm() {
	HOME=$dir/helm HELM_CACHE_HOME=$dir/helm HELM_CONFIG_HOME=$dir/helm HELM_DATA_HOME=$dir/helm \
		KUBECONFIG=$dir/kubeconfig timeout 90 "$HELM" "$@" \
		2> >(grep -vE 'reflector\.go:[0-9]+\] .*context canceled' >&2)
}

kubectl() {
	(cd "$dir" && timeout 60 "$KUBECTL" --server="$server" --cache-dir="$dir/cache" "$@")
}

# Hooks

make_dir() {
	dir=$(mktemp -d /tmp/coxswain-e2e.XXXXXX)
	export dir
}

show_logs() {
	local file
	[ -z "${BATS_TEST_COMPLETED-}" ] || return 0
	for file in "$dir"/*.log; do
		[ -s "$file" ] || continue
		printf -- '-- end of %s --\n' "${file##*/}" >&2
		tail -n 15 "$file" >&2
	done
}

clean_up() {
	local status=0
	[ -n "${dir-}" ] || return 0
	stop_daemons || status=1
	rm -rf "$dir"
	return "$status"
}

setup_file() {
	make_dir
	start_apiserver
}

teardown() {
	show_logs
}

teardown_file() {
	clean_up
}
