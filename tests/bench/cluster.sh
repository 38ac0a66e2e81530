#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `coxswain up` with real containers: how long it takes to start, how soon a pod
# runs, what it takes of memory, and what it does when there is nothing to do.
# Each line is a figure and its bar of the design.
#
#   BENCH_IDLE=60 BENCH_LOAD=60 cluster.sh
#
# are the seconds that it is watched idle, and under load before its memory is
# read again (the design says 600).
set -euo pipefail

: "${builddir:=$PWD}"
: "${srcdir:=$(dirname "${BASH_SOURCE[0]}")/../..}"
srcdir=$(cd "$srcdir" && pwd)
export builddir srcdir COX_SANITIZER=no
idle=${BENCH_IDLE:-60}
load=${BENCH_LOAD:-60}

# What the libraries of the tests have from bats.
bats_require_minimum_version() { :; }
skip() {
	echo "cluster: $1, nothing measured"
	exit 0
}
# shellcheck source=tests/lib/functions.bash
source "$srcdir/tests/lib/functions.bash"
# shellcheck source=tests/lib/cluster.bash
source "$srcdir/tests/lib/cluster.bash"
requires_containers
requires wrk
make_dir
trap end_hosts EXIT

# milliseconds since an event long ago
now() {
	date +%s%3N
}

# The two processes: the node's, and the control plane that it started.
processes() {
	local node
	node=$(daemon_pid up)
	echo "$node" "$(pgrep -P "$node" -f control-plane)"
}

# memory: of each process and of both, private dirty / RSS
memory() {
	local pid files=()
	for pid in $(processes); do
		files+=("/proc/$pid/smaps_rollup")
	done
	awk '/^Rss:/ { rss[FILENAME] = $2 } /^Private_Dirty:/ { dirty[FILENAME] = $2 }
		END {
			for (i = 1; i < ARGC; i++) {
				printf "%s %.1f / %.1f, ", i == 1 ? "node" : "control plane",
					dirty[ARGV[i]] / 1024, rss[ARGV[i]] / 1024
				d += dirty[ARGV[i]]; r += rss[ARGV[i]]
			}
			printf "together %.1f / %.1f MB", d / 1024, r / 1024
		}' "${files[@]}"
}

# Hundredths of a second of processor time, and bytes written to disk.
used() {
	local pid
	for pid in $(processes); do
		cat "/proc/$pid/stat" "/proc/$pid/io"
	done | awk '/\) [A-Z] / { sub(/.*\) /, ""); cpu += $12 + $13 } /^write_bytes/ { bytes += $2 }
		END { print cpu, bytes }'
}

# start: milliseconds from the start of the program to /readyz
start() {
	local begin
	begin=$(now)
	start_on up one "$program" up --config-dir="$dir/one/kubernetes" --plugin-dir="$plugins"
	on one bash -c "until curl -sf -o /dev/null $server/readyz; do :; done"
	echo $(($(now) - begin))
}

# One pod: milliseconds from the request to the event that says Running.
run_pod() {
	local begin version event pods=$server/api/v1/namespaces/default/pods
	version=$(curl -s "$pods?limit=1" | jq -r .metadata.resourceVersion)
	begin=$(now)
	simple_pod "pod-$1" "exec sleep 1000" |
		curl -sf -o /dev/null -H 'Content-Type: application/json' -d @- "$pods"
	exec 5< <(curl -sN --max-time 60 \
		"$pods?watch=true&fieldSelector=metadata.name=pod-$1&resourceVersion=$version")
	while read -r -u 5 event && [[ $event != *'"phase":"Running"'* ]]; do :; done
	exec 5<&-
	echo $(($(now) - begin))
}

spread() {
	sort -n | awk '{ v[NR] = $1 } END { printf "p50 %d, least %d, most %d ms of %d", v[int((NR + 1) / 2)], v[1], v[NR], NR }'
}

put_under_load() {
	local end=$((SECONDS + load)) replicas=10 url
	create "$(cat "$srcdir/config/examples/nginx-rc.yaml")" >"$dir/made"
	on one wrk -t1 -c16 -d"${load}s" "$server/api/v1/namespaces/default/pods" >"$dir/wrk" &
	url=$server/api/v1/namespaces/default/replicationcontrollers/nginx-controller
	while [ "$SECONDS" -lt "$end" ]; do
		curl -sf -o /dev/null -X PATCH -H 'Content-Type: application/merge-patch+json' \
			-d "{\"spec\":{\"replicas\":$replicas}}" "$url"
		retry 20 has_replicas "$url" "$replicas"
		replicas=$((12 - replicas))
	done
	wait $!
	awk '/requests in/ { printf "%s lists", $1 }' "$dir/wrk"
}

has_replicas() {
	[ "$(curl -s "$1" | jq .status.readyReplicas)" = "$2" ]
}

KUBECTL=$("$srcdir/tests/lib/kubectl.sh" 1.35 2>/dev/null || type -P kubectl) || skip "there is no kubectl"
make_host one 1
cluster_settings
start >"$dir/first"
retry 30 node_is_ready one
stop_seconds=45 stop_daemon up
for _ in 1 2 3 4 5 6 7; do
	start
	retry 30 node_is_ready one
	stop_seconds=45 stop_daemon up
done >"$dir/starts"
echo "start to /readyz: $(spread <"$dir/starts") (bar 300 ms); the very first, with keys to make: $(cat "$dir/first") ms"

start >/dev/null
retry 30 node_is_ready one
retry 30 has_account
before=$(used)
sleep "$idle"
after=$(used)
echo "memory $idle s after the start, private dirty / RSS: $(memory) (bar 17 / 36 MB)"
awk -v before="$before" -v after="$after" -v idle="$idle" 'BEGIN {
	split(before, b); split(after, a)
	printf "idle for %d s: %.2f %% of a core (bar 0.5 %%), %d KB written (bar: none but leases)\n",
		idle, (a[1] - b[1]) / idle, (a[2] - b[2]) / 1024 }'
for i in $(seq 20); do
	run_pod "$i"
done >"$dir/pods"
echo "a pod, from its request to Running, image present: $(spread <"$dir/pods") (bar p50 300 ms)"
lists=$(put_under_load)
echo "memory at the end of $load s of load ($lists, pods come and go): $(memory) (bar 17 / 36 MB)"
sleep "$idle"
echo "$idle s later: $(memory)"
