#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The JavaScript client library for the tests, fetched once into the build tree,
# or into $COX_KUBECTL_STORE as kubectl.sh does: prints the directory of modules.
# Exit status 77 says that it cannot be had here; a failure is remembered for an
# hour.
set -euo pipefail

store=${COX_KUBECTL_STORE:-${builddir:?the build tree}/tests/kubectl}
mkdir -p "$store"
target=$store/client-node

fetch() {
	local temporary
	[ ! -d "$target/node_modules" ] || return 0
	[ -z "$(find "$store" -name client-node.failed -mmin -60)" ] || return 77
	temporary=$(mktemp -d "$store/fetch.XXXXXX")
	# Nothing of what comes along is run.
	npm install --silent --ignore-scripts --no-audit --no-fund --cache "$temporary/cache" \
		--prefix "$temporary/tree" @kubernetes/client-node@1 >"$store/client-node.log" 2>&1 || {
		rm -rf "$temporary"
		touch "$store/client-node.failed"
		return 77
	}
	rm -rf "$target"
	mv "$temporary/tree" "$target"
	rm -rf "$temporary" "$store/client-node.failed"
}

(
	flock 9
	fetch
) 9>"$store/client-node.lock" || exit 77
printf '%s\n' "$target/node_modules"
