#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The rules of source.sh find what they are there to find: a tree with one
# offence against each.
bats_require_minimum_version 1.5.0

setup() {
	dir=$(mktemp -d /tmp/coxswain-style.XXXXXX)
	mkdir -p "$dir"/{api,core/base,core/store,core/kubelet,plugins/runtime/x,tests}
	mkdir -p "$dir"/config/{init.d,kubernetes,systemd,demo} "$dir/.ci"
	for file in configure.ac Makefile.am bootstrap .ci/run config/init.d/a config/kubernetes/a \
		config/systemd/a core/base/good.c; do
		printf '%s\n' '#!/bin/sh' '# SPDX-License-Identifier: Apache-2.0' >"$dir/$file"
	done
}

teardown() {
	rm -rf "$dir"
}

# bad FILE TEXT...: a file with a licence line and these lines
bad() {
	local file=$dir/$1
	shift
	printf '%s\n' '/* SPDX-License-Identifier: Apache-2.0 */' "$@" >"$file"
}

# offence NAME: exactly this rule is broken
offence() {
	srcdir=$dir run -0 bash "$srcdir/tests/style/source.sh"
	[ "$(grep -c '^ok' <<<"$output")" = 12 ]
	run -0 grep '^not ok' <<<"$output"
	[[ $output == "not ok "*" - $1" ]]
}

@test "a tree without offences passes" {
	srcdir=$dir run -0 bash "$srcdir/tests/style/source.sh"
	[ "$(grep -c '^ok' <<<"$output")" = 13 ]
	[ "${lines[-1]%% -*}" = "ok 13" ]
}

@test "each rule finds its offence" {
	echo 'int x;' >"$dir/core/base/bad.c"
	offence "every source says its licence"
	bad core/base/bad.c "$(yes | head -1000)"
	offence "no .c file is longer than 1000 lines"
	rm "$dir/core/base/bad.c"
	bad core/base/bad.h "$(yes | head -200)"
	offence "no header is longer than 200 lines"
	rm "$dir/core/base/bad.h"
	bad core/base/bad.c "$(printf '%0101d' 0)"
	offence "no line is wider than 100 columns"
	bad core/base/bad.c 'int x; '
	offence "no line ends with blanks"
	bad core/base/bad.c '	strcpy(a, b);'
	offence "calls that cannot be made safe are not made"
	bad core/base/bad.c '	return fork();'
	offence "processes are started in core/base/spawn.c alone"
	bad core/base/bad.c '	fd = open(path,' '		O_RDONLY);'
	offence "descriptors are closed by exec"
	bad core/base/bad.c '/* TO''DO: later */'
	offence "nothing is left for later"
	bad core/base/bad.c '#include "../../plugins/runtime/x/x.h"'
	offence "the core knows nothing of plugins"
	rm "$dir/core/base/bad.c"
	bad plugins/runtime/x/bad.c '#include "base/log.h"'
	offence "plugins and the contract know nothing of the core"
	rm "$dir/plugins/runtime/x/bad.c"
	bad core/kubelet/bad.c '#include "store/store.h"'
	offence "a room uses what lies below it"
	bad core/kubelet/bad.c '#include "proxy/proxy.h"'
	offence "a room uses what lies below it"
	rm "$dir/core/kubelet/bad.c"
	printf '%s\n' '#!/bin/sh' '# SPDX-License-Identifier: Apache-2.0' 'rm $1' >"$dir/.ci/run"
	offence "shellcheck finds nothing in the scripts"
}

@test "words in comments and strings are no offence" {
	bad core/base/bad.c '/* fork() and' ' * strcpy(a, b)' ' */' '	log("system(x)"); /* popen(x) */'
	srcdir=$dir run -0 bash "$srcdir/tests/style/source.sh"
	[ "$(grep -c '^ok' <<<"$output")" = 13 ]
}
