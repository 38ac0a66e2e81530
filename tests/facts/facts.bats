#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A running server against the tables of API facts, row by row: facts.py asks,
# samples.py has the objects that it sends. The tables are not part of the tree:
# they are looked for beside it, or in $COX_FACTS, and without them the tests
# are skipped.
source "$srcdir/tests/lib/functions.bash"

setup_file() {
	make_dir
	start_apiserver
}

setup() {
	facts=${COX_FACTS:-$srcdir/../shared/facts}
	[ -r "$facts/resources.tsv" ] || skip "no tables of facts beside the source tree"
	requires python3
}

compare() {
	PYTHONDONTWRITEBYTECODE=1 timeout 300 \
		python3 "$srcdir/tests/facts/facts.py" "$server" "$facts" "$@"
}

@test "facts: discovery names every resource, verb, short name, category and hash" {
	compare discovery
}

@test "facts: aggregated discovery says the same" {
	compare aggregated
}

@test "facts: the columns of every table" {
	compare columns
}

@test "facts: the field selectors of every kind, and what they match" {
	compare labels
}

@test "facts: create by update, updates without a version, generation, status on create" {
	compare strategy
}

@test "facts: every verb of every kind, and 405 for the others" {
	compare verbs
}

@test "facts: every constant default, wherever its type occurs" {
	compare defaults
}

@test "facts: every default that depends on something" {
	compare conditions
}

@test "facts: what is sent as protobuf becomes what it becomes as JSON" {
	compare protobuf
}

@test "facts: every type and field in OpenAPI v2 and v3" {
	compare schema
}

@test "facts: what the tables in the programs say of every field, enum, gate and message" {
	"$builddir/tests/facts/tables" >"$dir/tables"
	compare tables "$dir/tables"
}
