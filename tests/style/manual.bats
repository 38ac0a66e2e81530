#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The manual says what the programs do: the options in each page are those of its
# daemon or plugin, both ways, and every page is sound mdoc.
bats_require_minimum_version 1.5.0

pages() {
	find "$srcdir/api" "$srcdir/config" "$srcdir/core" "$srcdir/plugins" -name "$1" | sort
}

# The daemons that this program can be.
daemons() {
	"$builddir/core/coxswain" --help | sed -n 's/^  \(kube[a-z-]*\) .*/\1/p' |
		grep -vx kubectl # no daemon
}

@test "every page is sound mdoc" {
	count=0
	while read -r page; do
		run -0 groff -mandoc -ww -z "$page"
		[ -z "$output" ]
		count=$((count + 1))
	done < <(pages '*.[1-8]')
	[ "$count" -gt 30 ]
}

@test "a daemon's page has the options of --help, and no others" {
	[ -n "$(daemons)" ]
	for daemon in $(daemons); do
		page=$(pages "$daemon.8")
		[ -n "$page" ]
		diff <("$builddir/core/coxswain" "$daemon" --help |
			grep -oE '^ +(-[a-z], )?--[a-z0-9-]+' | sed 's/.*--//' | sort) \
			<(sed -n '/^\.Sh OPTIONS/,/^\.Sh SIGNALS/s/^\.It .*Fl -\([a-z0-9-]*\).*/\1/p' \
				"$page" | sort)
	done
}

@test "every command has its place in coxswain(8)" {
	diff <("$builddir/core/coxswain" --help | sed -n 's/^  \([a-z-]*\) .*/\1/p' |
		grep -v '^kubectl$\|^preflight$' | sort) \
		<(sed -n 's/^\.It Cm //p' "$srcdir/core/coxswain.8" |
			grep -xFf <("$builddir/core/coxswain" --help | sed -n 's/^  \([a-z-]*\) .*/\1/p') |
			sort)
}

@test "a plugin's page has the options of --dump-plugin, and no others" {
	libs=$(realpath "$builddir/plugins/.libs")
	count=0
	while read -r page; do
		name=$(basename "$page" .7)
		name=${name#cox-}
		# Left out by configure, for want of a library.
		[ -e "$libs/$name.so" ] || continue
		run -0 "$builddir/core/coxswain" kube-apiserver --plugin-dir="$libs" \
			--dump-plugin "${name%%-*}/${name#*-}"
		diff <(sed -n 's/^option_\([^=]*\)=.*/\1/p' <<<"$output" |
			grep -v '_\(default\|help\)$' | sort) \
			<(awk '/^\.Sh /{ on = $2 == "OPTIONS" } on && /^\.It Cm/ { print $3 }' "$page" |
				sort)
		count=$((count + 1))
	done < <(pages 'cox-*.7')
	[ "$count" -gt 20 ]
}

@test "every plugin has a page" {
	for plugin in "$builddir"/plugins/.libs/*.so; do
		name=$(basename "$plugin" .so)
		[[ $name != internal-* ]] || continue # a part of the core, loaded at need
		[ -n "$(pages "cox-$name.7")" ] || {
			echo "no page: $name"
			return 1
		}
	done
}
