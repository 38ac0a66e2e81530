#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What README.md shows is true: the plugin compiles, loads and is short.
bats_require_minimum_version 1.5.0

setup() {
	dir=$(mktemp -d /tmp/coxswain-readme.XXXXXX)
	export PKG_CONFIG_PATH=$builddir/api
}

teardown() {
	rm -rf "$dir"
}

@test "the plugin of README.md is 40 lines at the most, compiles, and the server takes it" {
	sed -n '/^```c$/,/^```$/p' "$srcdir/README.md" | sed '1d; $d' >"$dir/readers.c"
	[ "$(wc -l <"$dir/readers.c")" -gt 20 ]
	[ "$(wc -l <"$dir/readers.c")" -le 40 ]
	read -ra cc <<<"$CC"
	read -ra cflags <<<"$(pkg-config --cflags coxswain)"
	read -ra libs <<<"$(pkg-config --libs coxswain)"
	[ "${COX_SANITIZER:-no}" = no ] || cflags+=("-fsanitize=$COX_SANITIZER")
	"${cc[@]}" -std=c11 -pedantic -Wall -Wextra -Werror -shared -fPIC "${cflags[@]}" \
		-o "$dir/authorizer-Readers.so" "$dir/readers.c" "${libs[@]}"
	cp -s "$(realpath "$builddir")"/plugins/.libs/*.so "$dir"
	run -0 "$builddir/core/coxswain" kube-apiserver --plugin-dir="$dir" \
		--dump-plugin authorizer/Readers
	[[ $output == *"description=everybody reads, the administrator writes"* ]]
	run -0 "$builddir/core/coxswain" kube-apiserver --plugin-dir="$dir" \
		--storage-backend=memory --authorization-mode=Readers \
		--service-cluster-ip-range=10.0.0.0/24 --data-dir="$dir/data" \
		--cert-dir="$dir/certs" --list-plugins
	[[ $output == *"authorizer/Readers"* || $output == *"authorizer-Readers.so"* ]]
}

@test "the rooms of README.md are those of core/" {
	diff <(grep -o '^| [1-5] | `[a-z]*/`' "$srcdir/README.md" | grep -o '[a-z]\+' | sort) \
		<(cd "$srcdir/core" && printf '%s\n' */ | tr -d / | grep -vx kubectl | sort)
}
