#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the API server takes of memory for many pods of about 6 KB, as clusters
# have them: after they were made, after lists of all, with a thousand watches,
# and after each was reported once more. A table; the last column is the private
# memory that is written to (private dirty) over the bytes of canonical JSON.
#
#   BENCH_PODS="10000 100000 150000" BENCH_STORES="leveldb memory" memory.sh
#
# The time is the server's own, of the processor, since its start.
set -euo pipefail

: "${builddir:=$PWD}"
program=$builddir/core/coxswain
tools=$builddir/tests/bench
CURL_HOME=$(cd "${BASH_SOURCE%/*}/../lib" && pwd)
export CURL_HOME
dir=$(mktemp -d /tmp/coxswain-memory.XXXXXX)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || :; rm -rf "$dir"' EXIT

free_port() {
	local port
	while port=$((RANDOM % 20000 + 11000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
	echo "$port"
}

start() {
	port=$(free_port)
	api=http://127.0.0.1:$port/api/v1
	rm -rf "$dir/data"
	"$program" kube-apiserver --plugin-dir="$builddir/plugins/.libs" --storage-backend="$1" \
		--service-cluster-ip-range=10.254.0.0/16 --insecure-port="$port" --secure-port=0 \
		--cert-dir="$dir/certs" --data-dir="$dir/data" --admission-control= 2>>"$dir/log" &
	pid=$!
	until curl -sf -o /dev/null "http://127.0.0.1:$port/readyz"; do
		kill -0 "$pid" 2>/dev/null || {
			cat "$dir/log" >&2
			exit 1
		}
		sleep 0.01
	done
	for ((i = 0; i < 100; i++)); do
		echo "next"
		echo "url = $api/namespaces"
		echo "data = \"{\\\"metadata\\\":{\\\"name\\\":\\\"bench-$i\\\"}}\""
		echo 'header = "Content-Type: application/json"'
		echo 'output = /dev/null'
	done | curl -sf -K - >/dev/null
}

stop() {
	kill "$pid"
	wait "$pid" || :
	pid=
}

# row WHAT: the figures now.
row() {
	awk -v what="$1" -v store="$store" -v pods="$pods" -v bytes="$bytes" \
		-v ticks="$(cut -d' ' -f14,15 "/proc/$pid/stat")" -v second="$(getconf CLK_TCK)" '
		/^Rss:/ { rss = $2 / 1024 } /^Private_Dirty:/ { dirty = $2 / 1024 }
		END {
			split(ticks, spent, " ")
			printf "%-8s %7d  %-34s %8.1f MB %8.1f MB %8.1f MB %6.2f %7.1f s\n", store, pods,
				what, bytes / 1048576, dirty, rss, dirty * 1048576 / bytes,
				(spent[1] + spent[2]) / second
		}' "/proc/$pid/smaps_rollup"
}

# The server gives back what a busy time left unused every half a minute.
settle() {
	sleep 32
}

list() {
	curl -sf -o /dev/null -H "Accept: $1" "$api/pods"
}

pages() {
	local token='' first=1
	while [ -n "$token" ] || [ "$first" = 1 ]; do
		first=
		curl -sf -o "$dir/page" "$api/pods?limit=500${token:+&continue=$token}"
		token=$(head -c 2000 "$dir/page" | sed -n 's/.*"continue":"\([^"]*\)".*/\1/p')
	done
}

printf '%-8s %7s  %-34s %11s %11s %11s %6s %9s\n' store pods after canonical 'priv. dirty' RSS ratio CPU
for store in ${BENCH_STORES:-leveldb memory}; do
	for pods in ${BENCH_PODS:-10000 100000 150000}; do
		start "$store"
		bytes=$("$tools/fill" "$port" "$pods" 64)
		row 'they were made'
		settle
		row 'half a minute'
		list application/json
		row 'a list of all'
		pages
		row 'lists of 500 each'
		list application/vnd.kubernetes.protobuf
		row 'a list of all in protobuf'
		"$tools/watchers" "$port" 1000 20 "$pid" >/dev/null
		row 'a thousand watches that are over'
		settle
		bytes=$("$tools/fill" "$port" "$pods" 64 again)
		row 'each was reported again'
		settle
		row 'half a minute'
		stop
	done
done
