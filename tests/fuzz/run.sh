#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the fuzzers of a build tree that was configured with --enable-fuzzers, as
# many at a time as there are processors; speaks TAP.
#
#   FUZZ_SECONDS  for how long each is run (default: 30)
#   FUZZ_NAMES    which (default: all that are built)
#
# What they learn is kept in fuzz-corpus below the build tree, for the next run;
# what breaks one is left in fuzz-found: it belongs into tests/fuzz/seeds once it is mended.
set -euo pipefail

: "${builddir:=$PWD}"
: "${srcdir:=$(dirname "${BASH_SOURCE[0]}")/../..}"
srcdir=$(cd "$srcdir" && pwd)
builddir=$(cd "$builddir" && pwd)
seconds=${FUZZ_SECONDS:-30}
export srcdir builddir seconds

fuzz() {
	local name=$1 log=$builddir/fuzz-found/$1.log corpus=$builddir/fuzz-corpus/$1
	mkdir -p "$corpus"
	# A slow machine may be no finding: what takes 20 s for one input is one.
	if "$builddir/tests/fuzz/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$builddir/fuzz-found/$name-" \
		"$corpus" "$srcdir/tests/fuzz/seeds/$name" >"$log" 2>&1; then
		echo "ok - $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
	else
		echo "not ok - $name"
		tail -40 "$log" | sed 's/^/# /'
	fi
}
export -f fuzz

read -ra names <<<"${FUZZ_NAMES:-$(cd "$srcdir/tests/fuzz/seeds" && echo *)}"
mkdir -p "$builddir/fuzz-found"
echo "1..${#names[@]}"
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
