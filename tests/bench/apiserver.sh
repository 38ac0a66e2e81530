#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The API server with real clients on this machine: each line is a figure, its
# bar of the design and, where there is one, what the machine itself can do.
set -euo pipefail
# Answers are for programs here: curl says who it is otherwise, and they are not indented.
CURL_HOME=$(cd "${BASH_SOURCE%/*}/../lib" && pwd)
export CURL_HOME

: "${builddir:=$PWD}"
program=$builddir/core/coxswain
seconds=${BENCH_SECONDS:-10}
command -v wrk >/dev/null || {
	echo "apiserver: wrk is not installed, nothing measured"
	exit 0
}
dir=$(mktemp -d /tmp/coxswain-bench.XXXXXX)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || :; rm -rf "$dir"' EXIT

free_port() {
	local port
	while port=$((RANDOM % 20000 + 11000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
	echo "$port"
}

# milliseconds since an event long ago
now() {
	date +%s%3N
}

start() {
	local begin
	port=$(free_port)
	secure_port=$(free_port)
	begin=$(now)
	"$program" kube-apiserver --plugin-dir="$builddir/plugins/.libs" --storage-backend="$1" \
		--service-cluster-ip-range=10.254.0.0/16 --insecure-port="$port" \
		--secure-port="$secure_port" --cert-dir="$dir/certs" --data-dir="$dir/data" \
		--token-auth-file="$dir/tokens" --admission-control= 2>>"$dir/log" &
	pid=$!
	until curl -sf -o /dev/null "http://127.0.0.1:$port/readyz"; do
		kill -0 "$pid" 2>/dev/null || {
			cat "$dir/log" >&2
			exit 1
		}
		sleep 0.01
	done
	ready=$(($(now) - begin))
}

stop() {
	kill "$pid"
	wait "$pid" || :
	pid=
}

memory() {
	awk '/^Rss:/ { rss = $2 } /^Private_Dirty:/ { dirty = $2 }
		END { printf "%.1f / %.1f MB", dirty / 1024, rss / 1024 }' "/proc/$pid/smaps_rollup"
}

# Writes of many threads, each of objects of its own: "create" makes pods of
# everyday size (labels, a volume, probes; what its creator manages is put in by
# the server), "patch" changes a label of a thousand of them by a merge
# patch, and "apply" makes and changes a thousand maps by server-side apply.
cat >"$dir/write.lua" <<'END'
local thread_count = 0
function setup(thread)
	thread:set("id", thread_count)
	thread_count = thread_count + 1
end
local space = "/api/v1/namespaces/default/"
local count = 0
local headers = {["User-Agent"] = "bench/1"}
local requests = {
	create = function()
		headers["Content-Type"] = "application/json"
		return "POST", space .. "pods",
			'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pod-' .. run .. "-" .. id .. "-" .. count ..
			'","labels":{"app":"bench","tier":"backend"}},' ..
			'"spec":{"containers":[{"name":"c","image":"registry.example/team/image:1.2.3","ports":[{"containerPort":8080}],' ..
			'"env":[{"name":"A","value":"b"},{"name":"C","value":"d"}],"volumeMounts":[{"name":"data","mountPath":"/data"}],' ..
			'"readinessProbe":{"httpGet":{"path":"/ready","port":8080}}}],"volumes":[{"name":"data","emptyDir":{}}]}}'
	end,
	patch = function()
		headers["Content-Type"] = "application/merge-patch+json"
		return "PATCH", space .. "pods/pod-" .. run .. "-" .. id .. "-" .. (count % 1000 + 2),
			'{"metadata":{"labels":{"turn":"' .. count .. '"}}}'
	end,
	apply = function()
		local name = "map-" .. run .. "-" .. id .. "-" .. (count % 1000)
		headers["Content-Type"] = "application/apply-patch+yaml"
		return "PATCH", space .. "configmaps/" .. name .. "?fieldManager=bench&force=true",
			'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"' .. name .. '","labels":{"app":"bench"}},' ..
			'"data":{"turn":"' .. count .. '","other":"text"}}'
	end
}
function request()
	count = count + 1
	local method, path, body = requests[what]()
	return wrk.format(method, path, headers, body)
end
function init(args)
	what = args[1]
	run = args[2]
	if args[3] then headers["Authorization"] = "Bearer " .. args[3] end
end
function done(summary, latency)
	io.write(string.format("figures %d %d %d %.2f %.2f %.2f\n", summary.requests / summary.duration * 1e6,
		summary.errors.status, summary.errors.timeout, latency:percentile(99) / 1000,
		latency:percentile(99.9) / 1000, latency.max / 1000))
end
END

rate() {
	wrk "$@" 2>&1 | awk '/^Requests\/sec:/ { printf "%.1f k/s", $2 / 1000 } /Non-2xx/ { printf " (%s)", $0 }'
}

h2rate() {
	h2load "$@" 2>&1 | awk '/^finished in/ { printf "%.1f k/s", $4 / 1000 } /^status codes:/ && $5 + $7 + $9 { printf " (%s)", $0 }'
}

# writes WHAT RUN [tls]
writes() {
	local url=http://127.0.0.1:$port token=()
	[ $# -lt 3 ] || {
		url=https://127.0.0.1:$secure_port
		token=(bench)
	}
	wrk -t2 -c64 -d"${seconds}s" -s "$dir/write.lua" "$url" -- "$1" "$2" "${token[@]}" |
		awk '/^figures/ { printf "%.1f k/s, p99 %s ms, p99.9 %s ms, longest %s ms, %d refused", $2 / 1000, $5, $6, $7, $3 + $4 }'
}

printf 'bench,bench,1\n' >"$dir/tokens"
pods=/api/v1/namespaces/default/pods

start memory
stop
start memory # with keys made
echo "start to /readyz: $ready ms (bar for the whole cluster: 300 ms)"
sleep 2
echo "memory after start, private dirty / RSS: $(memory) (bar 6 / 16 MB)"
curl -sf -o /dev/null -X POST -H 'Content-Type: application/json' "http://127.0.0.1:$port$pods" \
	-d '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"one","labels":{"app":"a"}},"spec":{"containers":[{"name":"c","image":"i"}]}}'
echo "GET one pod, 32 connections, plain: $(rate -t2 -c32 -d"${seconds}s" "http://127.0.0.1:$port$pods/one") (bar 50 k/s; the HTTP library alone 86-114)"
echo "GET one pod, 32 connections, TLS and a token: $(rate -t2 -c32 -d"${seconds}s" -H 'Authorization: Bearer bench' "https://127.0.0.1:$secure_port$pods/one") (bar 30 k/s; the HTTP library alone 48)"
if command -v h2load >/dev/null; then
	for many in 1 8; do
		echo "GET one pod, 32 connections, HTTP/2 and a token, $many at a time on each: $(h2rate -t2 -c32 -m"$many" -D"$seconds" -H 'Authorization: Bearer bench' "https://127.0.0.1:$secure_port$pods/one")"
	done
fi
if [ -x "$builddir/tests/bench/watchers" ]; then
	delete_map() {
		curl -sf -o /dev/null -X DELETE "http://127.0.0.1:$port/api/v1/namespaces/default/configmaps/bench"
	}
	for watches in 1 100 5000; do
		echo "watches, plain: $watches, memory and, one object changed, deliveries: $("$builddir/tests/bench/watchers" "$port" $watches 20 "$pid") (bars of 5,000: 5 KB, 80 k/s)"
		delete_map
		echo "watches, TLS and a token: $watches: $("$builddir/tests/bench/watchers" "$port" $watches 20 "$pid" "$secure_port" bench) (bars of 5,000: 16 KB, 60 k/s)"
		delete_map
	done
	echo "5,000 watches, TLS and a token, 4 of them on each HTTP/2 connection: $("$builddir/tests/bench/watchers" "$port" 5000 20 "$pid" "$secure_port" bench 4) (of 5,000 nodes 200 MB: 10 KB a watch)"
fi
echo "create pod, memory, 64 connections: $(writes create m)"
echo "patch pod, memory, 64 connections: $(writes patch m)"
echo "apply map, memory, 64 connections: $(writes apply m)"

# A list of 10,000 pods with the given curl words, five times on one connection:
# what came in which time, the first with its connection's, then the median of the others.
listed() {
	local url=${*: -1} urls=()
	for _ in 1 2 3 4 5; do
		urls+=(-o /dev/null "$url")
	done
	curl -s -w '%{size_download} %{time_total}\n' "${@:1:$#-1}" "${urls[@]}" | {
		read -r size first
		sort -k2n | awk -v size="$size" -v first="$first" '{ time[NR] = $2 }
			END { printf "%.0f MB in %.3f s = %.0f MB/s, again in %.3f s = %.0f MB/s", size / 1e6,
				first, size / 1e6 / first, time[2], size / 1e6 / time[2] }'
	}
}

count=$(curl -sf "http://127.0.0.1:$port$pods?limit=1" | sed 's/.*"remainingItemCount":\([0-9]*\).*/\1/')
echo "pods there now: $((count + 1)), memory $(memory)"
echo "LIST 10,000 pods, plain: $(listed "http://127.0.0.1:$port$pods?limit=10000") (bar 1 GB/s)"
echo "LIST 10,000 pods, TLS: $(listed -k --http1.1 -H 'Authorization: Bearer bench' "https://127.0.0.1:$secure_port$pods?limit=10000") (bar 400 MB/s)"
echo "LIST 10,000 pods, HTTP/2: $(listed -k --http2 -H 'Authorization: Bearer bench' "https://127.0.0.1:$secure_port$pods?limit=10000") (bar 400 MB/s)"
echo "LIST 10,000 pods, protobuf: $(listed -H 'Accept: application/vnd.kubernetes.protobuf' "http://127.0.0.1:$port$pods?limit=10000")"
echo "LIST 10,000 pods, protobuf, TLS: $(listed -k --http1.1 -H 'Authorization: Bearer bench' -H 'Accept: application/vnd.kubernetes.protobuf' "https://127.0.0.1:$secure_port$pods?limit=10000")"
echo "LIST 10,000 pods, metadata alone: $(listed -H 'Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' "http://127.0.0.1:$port$pods?limit=10000")"
echo "LIST 10,000 pods, Table: $(listed -H 'Accept: application/json;as=Table;g=meta.k8s.io;v=v1' "http://127.0.0.1:$port$pods?limit=10000")"
echo "LIST 10,000 pods, YAML: $(listed -H 'Accept: application/yaml' "http://127.0.0.1:$port$pods?limit=10000")"
echo "GET one pod in protobuf, 32 connections: $(rate -t2 -c32 -d"${seconds}s" -H 'Accept: application/vnd.kubernetes.protobuf' "http://127.0.0.1:$port$pods/one")"
echo "memory after lists in every form: $(memory)"
stop

start leveldb
echo "create pod, durable, 64 connections: $(writes create d) (bar 6 k/s, p99 50 ms, p99.9 200 ms)"
echo "patch pod, durable, 64 connections: $(writes patch d)"
echo "apply map, durable, 64 connections: $(writes apply d)"
echo "create pod, durable, 64 connections, TLS: $(writes create s tls)"
echo "patch pod, durable, 64 connections, TLS: $(writes patch s tls)"
echo "apply map, durable, 64 connections, TLS: $(writes apply s tls)"
echo "memory after that, private dirty / RSS: $(memory)"
stop
echo "synced writes of 4 KB, one after the other: $(dd if=/dev/zero of="$dir/synced" bs=4k count=500 oflag=dsync 2>&1 | awk -F, '/copied/ { split($(NF - 1), t, " "); printf "%.1f k/s", 0.5 / t[1] }') (the disk's limit without groups)"
