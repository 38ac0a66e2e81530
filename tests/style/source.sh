#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The look of the tree, and its floors. Speaks TAP; a failed check lists the
# places. Where a rule has exceptions, they stand here with their reason.
set -uo pipefail
shopt -s lastpipe # so that verdict counts here
export LC_ALL=C.UTF-8
cd "${srcdir:-$(dirname "$0")/../..}" || exit 99

number=0

# verdict NAME: passes if nothing comes on standard input
verdict() {
	local places
	places=$(cat)
	number=$((number + 1))
	if [ -z "$places" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		head -40 <<<"$places" | sed 's/^/#   /'
	fi
}

# The sources: what is tracked, or in a release what it unpacked.
sources() {
	find api config core plugins tests -type f \( "$@" \) ! -path '*/seeds/*' | sort
}

c_files() {
	sources -name '*.c' -o -name '*.h'
}

# code PATTERN FILES...: lines that match outside of comments and strings
code() {
	local pattern=$1
	shift
	awk -v pattern="$pattern" '
		FNR == 1 { comment = 0 }
		{
			line = $0
			gsub(/\\./, "", line)
			gsub(/"[^"]*"/, "\"\"", line)
			if (comment) {
				if (!sub(/^.*\*\//, "", line)) next
				comment = 0
			}
			gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
			if (sub(/\/\*.*$/, "", line)) comment = 1
			sub(/\/\/.*$/, "", line)
			if (line ~ pattern) print FILENAME ":" FNR ": " $0
		}' "$@"
}

echo 1..13

{
	sources -name '*.c' -o -name '*.h' -o -name '*.mk' -o -name '*.sh' -o -name '*.bats' \
		-o -name '*.bash' -o -name '*.[1-8]' -o -name '*.yaml' -o -name '*.in'
	ls configure.ac Makefile.am bootstrap
	ls config/init.d/* config/kubernetes/* config/systemd/*
} | sort -u | while read -r file; do
	head -5 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file"
done | verdict "every source says its licence"

sources -name '*.c' | xargs wc -l | awk '$2 != "total" && $1 > 1000 { print $2 ": " $1 }' |
	verdict "no .c file is longer than 1000 lines"

# The contract's headers are long because they teach: a declaration there has as
# many comment lines as it needs. The other three are one struct and its parts.
sources -name '*.h' | xargs wc -l | awk '
	BEGIN {
		limit["core/net/http.h"] = 220
		limit["core/store/internal.h"] = 225
		limit["plugins/runtime/oci/oci.h"] = 360
	}
	$2 != "total" && $1 > ($2 in limit ? limit[$2] : $2 ~ /^api\/coxswain\// ? 600 : 200) {
		print $2 ": " $1
	}' | verdict "no header is longer than 200 lines"

c_files | while read -r file; do
	expand "$file" | grep -nE '^.{101}' | sed "s|^|$file:|"
done | verdict "no line is wider than 100 columns"

c_files | xargs grep -nE '[[:blank:]]+$' | verdict "no line ends with blanks"

mapfile -t files < <(c_files)
code '(^|[^A-Za-z0-9_.>])(strcpy|strcat|sprintf|vsprintf|strtok|system|alloca|gets|popen|mktemp|tmpnam)[[:blank:]]*\(' \
	"${files[@]}" | verdict "calls that cannot be made safe are not made"

# A helper is a program of its own, started by spawn.c, and becomes another.
mapfile -t files < <(c_files | grep -v -e '^tests/' -e '^core/base/spawn\.c$' \
	-e '^plugins/runtime/oci/helper\.c$')
code '(^|[^A-Za-z0-9_.>])(v?fork|exec(l|le|lp|v|ve|vp|vpe|veat)|fexecve|posix_spawnp?|clone3?)[[:blank:]]*\(' \
	"${files[@]}" | verdict "processes are started in core/base/spawn.c alone"

mapfile -t files < <(c_files | grep '^core/\|^plugins/\|^api/kit/')
for file in "${files[@]}"; do
	# A call may go over several lines: look at it up to its semicolon.
	awk '{
		if ($0 ~ /(^|[^A-Za-z0-9_.>])(open|openat|accept4|pipe2|eventfd|epoll_create1|signalfd|memfd_create)\(/ &&
		    $0 !~ /^[ \t]*(\*|\/\*)/) { text = ""; from = FNR; want = 1 }
		if (want) {
			text = text $0
			if ($0 ~ /;|\{/) {
				if (text !~ /CLOEXEC/) print FILENAME ":" from ": " text
				want = 0
			}
		}
	}' "$file"
done | verdict "descriptors are closed by exec"

# Two words that mean "not done", spelt so that this line is none of them.
{ c_files; sources -name '*.sh' -o -name '*.bats' -o -name '*.mk'; } |
	xargs grep -nwE 'TO''DO|FIX''ME' | verdict "nothing is left for later"

# shellcheck disable=SC2046 # no name has a blank
grep -nE '#include "(access|apiserver|base|client|config|controller|host|kubectl|kubelet|machinery|net|pki|preflight|proxy|scheduler|store)/|#include .*core/' \
	$(sources -name '*.c' -o -name '*.h' | grep '^plugins/\|^api/') |
	grep -v '^api/gen/\|^api/kinds/' | verdict "plugins and the contract know nothing of the core"

# shellcheck disable=SC2046
grep -nE '#include .*plugins/' $(c_files | grep '^core/') |
	verdict "the core knows nothing of plugins"

# A room may use its own files, every room of a lower floor, and the rooms of its
# own floor that are named behind it. Only the apiserver uses the store.
c_files | grep '^core/[a-z]*/' | xargs grep -oE '^#include "[a-z]+/' | awk -F'[/:"]' '
	BEGIN {
		floor["base"] = 1
		floor["host"] = floor["config"] = floor["machinery"] = 2
		floor["pki"] = floor["net"] = 2
		floor["store"] = floor["access"] = 3
		floor["client"] = 4
		floor["apiserver"] = floor["scheduler"] = floor["controller"] = 5
		floor["kubelet"] = floor["proxy"] = floor["kubectl"] = floor["preflight"] = 5
		beside["host", "config"] = beside["host", "pki"] = 1
		beside["net", "config"] = beside["net", "pki"] = 1
		beside["pki", "machinery"] = 1 # tokens are JSON
	}
	{
		room = $2
		used = $(NF - 1)
		if (room == used) next
		if (!(used in floor) || !(room in floor)) why = "a room without a floor"
		else if (used == "store" && room != "apiserver") why = "the store is the apiserver'\''s"
		else if (floor[used] < floor[room] || (room, used) in beside) next
		else why = "floor " floor[room] " uses floor " floor[used]
		print $1 "/" $2 "/" $3 " includes " used "/: " why
	}' | sort -u | verdict "a room uses what lies below it"

{
	echo bootstrap
	echo .ci/run
	sources -path 'config/init.d/*' -o -path 'config/demo/make-*' -o -path 'tests/vm/[!l]*' -o -name '*.sh' -o -name '*.bash'
} >"${TMPDIR:-/tmp}/coxswain-scripts.$$"
# SC2154: srcdir and builddir come from make. SC1091: no source is followed.
xargs shellcheck -e SC2154,SC1091 <"${TMPDIR:-/tmp}/coxswain-scripts.$$" 2>&1 |
	verdict "shellcheck finds nothing in the scripts"
rm -f "${TMPDIR:-/tmp}/coxswain-scripts.$$"
