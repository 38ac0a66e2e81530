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
		grep -vx kubectl | sort) \
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

# What coxswain-troubleshooting(7) tells people to look for, where the words are
# this product's; they may be spread over the lines of a string.
@test "the messages of the troubleshooting page are those that are printed" {
	page=$(sed 's/\\(dq/"/g; s/\\://g' "$srcdir/core/preflight/coxswain-troubleshooting.7")
	code=$(find "$srcdir/core" "$srcdir/plugins" -name '*.c' -exec cat {} + | tr '\n\t' '  ' |
		sed 's/" *"//g; s/\\"/"/g')
	while read -r message; do
		[[ $page == *"$message"* ]] || { echo "not in the page: $message"; return 1; }
		[[ $code == *"$message"* ]] || { echo "never printed: $message"; return 1; }
	done <<-'END'
		is active: its rules may refuse what nodes, pods and services say to each other
		more than one is installed:
		runs (pid
		but the kubelet uses its own oci runtime
		no address:
		Unable to generate self signed cert:
		Unable to listen for secure (
		); will try again.
		is forbidden: no API token found for service account
		retry after the token is automatically created and added to the service account
		Unknown admission plugin:
		an empty name in the list; remove the stray comma
		list and watch
		the server could not find the requested resource
		container runtime is down:
		no OCI runtime works
		Missing timestamp for Node
		Assuming now as a timestamp.
		Kubelet stopped posting node status.
		Failed to pull image "
		unable to ping registry endpoint
		failed to find fit for pod
		nodes are available
		node(s) didn't match Pod's node affinity/selector
		MatchNodeSelector
		FailedScheduling
		--cloud-provider names no cloud plugin: services of the type LoadBalancer get no load balancer
		Error syncing load balancer:
		SyncLoadBalancerFailed
	END
}

@test "a flag that nothing reads says so" {
	run -0 python3 - "$srcdir/core" <<-'PYTHON'
		import pathlib, re, sys

		core = pathlib.Path(sys.argv[1])
		flags = sorted(core.glob("*/flags.c"))
		rest = "".join(p.read_text() for p in core.rglob("*.[ch]")
		               if p.name not in ("flags.c", "flags.h"))
		seen = 0
		for path in flags:
		    for entry in re.findall(r"\tENTRY\(([A-Z]+, .*?)\),\n", path.read_text(), re.S):
		        name, member = re.match(r'[A-Z]+, "([^"]+)",\s*(\w+)', entry).groups()
		        seen += 1
		        told = "NO_EFFECT" in entry or "NOT_OFFERED" in entry
		        # By its member, or by its name as an option of a plugin.
		        read = re.search(r"(->|\.|, )" + member + r"\b", rest) or f'"{name}"' in rest
		        if not told and not read:
		            print(f"{path}: --{name} is never read")
		assert seen > 200, seen
	PYTHON
	[ "$output" = "" ]
}
