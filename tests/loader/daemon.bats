#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
bats_require_minimum_version 1.5.0
# What all daemons share, seen from outside: a personality with one plugin.

setup() {
	dir=$(mktemp -d /tmp/coxswain-daemon.XXXXXX)
	libs=$(realpath "$builddir/tests/loader/.libs")
	toy=$builddir/tests/loader/toy-daemon
	pid=
}

teardown() {
	if [ -n "$pid" ]; then
		kill -KILL "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	fi
	rm -rf "$dir"
}

# Tries a command until it succeeds, 20 seconds at the most.
retry() {
	local end=$((SECONDS + 20))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

files() {
	printf '%s\n' "$1" > "$dir/config"
	printf '%s\n' "$2" > "$dir/toy"
}

start() {
	"$toy" --config-dir="$dir" --plugin-dir="$libs" \
		--plugin-option=storage/good:directory=/x "$@" 2> "$dir/log" &
	pid=$!
	retry grep -q '] says' "$dir/log"
}

@test "--version prints the version of Kubernetes" {
	run -0 "$toy" --version
	[ "$output" = "Kubernetes v1.36.2+coxswain" ]
	run -0 "$builddir/core/coxswain" --version
	[ "$output" = "Kubernetes v1.36.2+coxswain" ]
}

@test "an unknown flag is named, a second line leads to the others, the status is 2" {
	run -2 "$toy" --greetign=x
	[ "${lines[0]}" = "toy-daemon: unknown flag: --greetign (did you mean --greeting?)" ]
	[ "${lines[1]}" = "See 'toy-daemon --help' for usage." ]
	[ "${#lines[@]}" = 2 ]
	run -2 "$builddir/core/coxswain" up --signle-process
	[ "${lines[0]}" = "up: unknown flag: --signle-process (did you mean --single-process?)" ]
	[ "${lines[1]}" = "See 'coxswain up --help' for usage." ]
	[ "${#lines[@]}" = 2 ]
}

@test "one dash is for one letter" {
	run -2 "$toy" -greeting=x
	[ "${lines[0]}" = "toy-daemon: unknown shorthand flag: 'g' in -greeting=x (did you mean --greeting?)" ]
}

@test "an argument is refused" {
	run -2 "$toy" hello
	[ "${lines[0]}" = "toy-daemon: unexpected argument \"hello\": a flag begins with \"--\"" ]
}

@test "an unknown command of coxswain is refused" {
	run -2 "$builddir/core/coxswain" frobnicate
	[ "${lines[0]}" = "coxswain: unknown command \"frobnicate\"" ]
	run -2 "$builddir/core/coxswain" --list-plugins
	[ "${lines[0]}" = "coxswain: --list-plugins is no flag without a command before it" ]
}

# rows: 34
@test "values come from the files in the unit's order, then from the command line" {
	files 'TOY_FIRST="--greeting=one --fixed=f"
TOY_OTHER="--nonsense"' '# c
TOY_ARGS="--greeting=two"'
	run -0 "$toy" --config-dir="$dir" --dump-config
	[[ $output == *"greeting=two # $dir/toy:2"* ]]
	[[ $output == *"fixed=f # $dir/config:1"* ]]
	[[ $output == *"storage-backend=good # default"* ]]
	run -0 "$toy" --config-dir="$dir" --dump-config --greeting=three
	[[ $output == *"greeting=three # command line"* ]]
	run -0 "$toy" --greeting=three --fixed=d --config-dir="$dir" --dump-config
	[[ $output == *"greeting=two # $dir/toy:2"* ]]
}

# rows: 38
@test "a key in the later file wins" {
	files 'TOY_FIRST=--fixed=a' 'TOY_FIRST=--fixed=b'
	run -0 "$toy" --config-dir="$dir" --dump-config
	[[ $output == *"fixed=b # $dir/toy:1"* ]]
}

@test "a mistake in a file is told with file and line" {
	files '' $'\nTOY_ARGS="--greetign=x"'
	run -2 "$toy" --config-dir="$dir" --dump-config
	[ "$output" = "toy-daemon: unknown flag: --greetign (did you mean --greeting?) (set in $dir/toy:2)" ]
	files 'TOY_ARGS=”--greeting=x”' ''
	run -2 "$toy" --config-dir="$dir" --dump-config
	[ "$output" = "toy-daemon: $dir/config:1: U+201D (right double quotation mark) in place of '\"'" ]
}

@test "--check-config loads and configures, and tells what is wrong" {
	run -0 "$toy" --plugin-dir="$libs" --check-config --plugin-option=storage/good:directory=/x
	files '' 'TOY_ARGS="--storage-backend=magic"'
	run -1 "$toy" --plugin-dir="$libs" --config-dir="$dir" --check-config
	[[ ${lines[-1]} == "toy-daemon: $libs/storage-magic.so: not a Coxswain plugin"*"(set in $dir/toy:1)"* ]]
	run -1 "$toy" --plugin-dir="$libs" --check-config
	[ "${lines[-1]}" = 'toy-daemon: storage plugin "good" needs the option "directory" (Where to keep it)' ]
	run -1 "$toy" --plugin-dir="$libs" --check-config --plugin-option=storage/good:cache=x
	[[ $output == *'option "cache": invalid value "x", want a size such as 512, 64Ki, 8Mi or 2Gi (from the command line)'* ]]
}

@test "options of a plugin come from files and command line, one by one" {
	files "TOY_FIRST=\"--plugin-option=storage/good:directory=$dir/x\"" \
		'TOY_ARGS="--plugin-option=storage/good:cache=y --plugin-option=storage/good:directory=/y"'
	# The one that only a file has is still there, with its place.
	run -1 "$toy" --plugin-dir="$libs" --config-dir="$dir" --check-config \
		--plugin-option=storage/good:directory=/z
	[[ ${lines[-1]} == *'option "cache": invalid value "y", want a size'*"(set in $dir/toy:1)"* ]]
	# The command line's takes the place of the file's.
	run -0 "$toy" --plugin-dir="$libs" --config-dir="$dir" --check-config \
		--plugin-option=storage/good:cache=64Mi
	# And the other way round for what stands before the files.
	run -1 "$toy" --plugin-option=storage/good:cache=64Mi --plugin-dir="$libs" \
		--config-dir="$dir" --check-config
	[[ ${lines[-1]} == *"(set in $dir/toy:1)"* ]]
}

@test "storage is never optional" {
	run -1 "$toy" --plugin-dir="$libs" --check-config --allow-missing-plugins=storage/good
	[ "$output" = "toy-daemon: --allow-missing-plugins=storage/good: storage plugins are never optional" ]
}

@test "--list-plugins and --dump-plugin print key=value lines" {
	run -0 --separate-stderr "$toy" --plugin-dir="$libs" --list-plugins --plugin-option=storage/good:directory=/x
	[ "${lines[0]}" = "path=$libs/storage-good.so" ]
	run -0 "$toy" --dump-plugin "$libs/storage-good.so"
	[[ $output == *$'\nkind=storage\nname=good\n'* ]]
	run -1 "$toy" --dump-plugin "$libs/storage-magic.so"
	[[ ${lines[-1]} == "toy-daemon: $libs/storage-magic.so: not a Coxswain plugin"* ]]
}

@test "SIGTERM stops in order" {
	files '' ''
	start
	kill -TERM "$pid"
	wait "$pid"
	pid=
	grep -q '] SIGTERM: stopping' "$dir/log"
	grep -q '] said goodbye' "$dir/log"
}

# done_times N: so many reloads are over
done_times() {
	[ "$(grep -c '] Reload: done' "$dir/log")" -ge "$1" ]
}

@test "SIGHUP takes over what can change and lists what cannot" {
	files '' 'TOY_ARGS="--greeting=one"'
	start
	files '' 'TOY_ARGS="--greeting=two --fixed=sand"'
	kill -HUP "$pid"
	retry grep -q '] now says two' "$dir/log"
	retry grep -q '] Reload: --fixed has changed, which needs a restart' "$dir/log"
	# It is told again while it is so, and not once it is taken back.
	files '' 'TOY_ARGS="--greeting=three --fixed=sand"'
	kill -HUP "$pid"
	retry grep -q '] now says three' "$dir/log"
	retry done_times 2
	[ "$(grep -c 'fixed has changed' "$dir/log")" = 2 ]
	files '' 'TOY_ARGS="--greeting=four"'
	kill -HUP "$pid"
	retry done_times 3
	[ "$(grep -c 'fixed has changed' "$dir/log")" = 2 ]
	files '' 'TOY_ARGS="--greeting=rude"'
	kill -HUP "$pid"
	retry grep -q '] Reload: nothing was changed: that is no greeting' "$dir/log"
	files '' 'TOY_ARGS="--greeting=three'
	kill -HUP "$pid"
	retry grep -q "Reload: nothing was changed: $dir/toy:1: the quote \" is never closed" "$dir/log"
	kill -TERM "$pid"
	wait "$pid"
	pid=
}

@test "a failed start is one line, the last" {
	run -1 "$toy" --plugin-dir="$libs" --fixed=x
	[ "${lines[-1]}" = 'toy-daemon: storage plugin "good" needs the option "directory" (Where to keep it)' ]
}

@test "a crash report names the plugin being called, what is loaded and the last lines" {
	[ "$COX_SANITIZER" = no ] || skip "the sanitizer has a report of its own"
	"$toy" --plugin-dir="$libs" --plugin-option=storage/good:directory=/x --crash \
		2> "$dir/log" &
	pid=$!
	status=0
	wait "$pid" || status=$?
	pid=
	[ "$status" -eq 139 ]
	grep -q '^toy-daemon v1.36.2+coxswain crashed: SIGSEGV at address 0x[0-9a-f]*, thread' "$dir/log"
	grep -q '^plugin being called: storage/good$' "$dir/log"
	grep -q "^  $libs/storage-good.so inode [0-9]* build-id [0-9a-f]*$" "$dir/log"
	sed '1,/^last log lines:/d' "$dir/log" | grep -q '] says hello'
}
