#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A plugin outside of the tree, built with nothing but a C compiler, the headers
# and pkg-config: from the build tree in `make check`, from the installed files
# in `make installcheck`.

bats_require_minimum_version 1.5.0

setup() {
	dir=$(mktemp -d /tmp/coxswain-oot.XXXXXX)
	cp "$srcdir/tests/oot/owner.c" "$dir"
	export PKG_CONFIG_PATH=${COX_PKG_CONFIG_PATH:-$builddir/api}
	read -ra cc <<< "$CC"
	read -ra cflags <<< "$(pkg-config --cflags coxswain)"
	read -ra libs <<< "$(pkg-config --libs coxswain)"
	# The helper library of a sanitized build needs the sanitizer.
	[ "${COX_SANITIZER:-no}" = no ] || cflags+=("-fsanitize=$COX_SANITIZER")
}

teardown() {
	rm -rf "$dir"
}

build() {
	(cd "$dir" && "${cc[@]}" -std=c11 -pedantic -Wall -Wextra -Werror -shared -fPIC \
		"${cflags[@]}" -o authorizer-Owner.so owner.c "${libs[@]}")
}

@test "the example is built, loaded and used" {
	build
	run -0 "$builddir/tests/oot/use" "$dir/authorizer-Owner.so"
	[ "${lines[0]}" = "alice in home-alice: allow" ]
	[ "${lines[1]}" = "bob in home-alice (the namespace belongs to somebody else): deny" ]
	[ "${lines[2]}" = "bob in default: no opinion" ]
}

@test "the headers need no other flags, and each stands alone in C11 and in C++" {
	include=$(pkg-config --variable=includedir coxswain)
	read -ra cxx <<< "$CXX"
	for header in "$include"/coxswain/*.h; do
		echo "#include <coxswain/${header##*/}>" > "$dir/alone.c"
		cp "$dir/alone.c" "$dir/alone.cc"
		"${cc[@]}" -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only "${cflags[@]}" \
			"$dir/alone.c"
		"${cxx[@]}" -std=c++11 -pedantic -Wall -Wextra -Werror -fsyntax-only \
			"${cflags[@]}" "$dir/alone.cc"
	done
}

@test "the manual page shows the example as it is" {
	sed -n '/^\.Bd -literal -compact$/,/^\.Ed$/p' "$srcdir/api/coxswain/cox-plugin.3" |
		sed '1d; $d; s/\\e/\\/g' > "$dir/page.c"
	diff -u "$dir/owner.c" "$dir/page.c"
}

@test "the manual page is sound mdoc" {
	run -0 groff -mandoc -ww -z "$srcdir/api/coxswain/cox-plugin.3"
	[ -z "$output" ]
}
