#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs with the client libraries that people use: the official one for
# Python (Debian's package), and with CLIENT_NODE the one for JavaScript, which
# npm has to bring (make check-kubectl).
source "$srcdir/tests/lib/functions.bash"

setup_file() {
	make_dir
	echo secret,tester,1,system:masters >"$dir/tokens"
	start_apiserver --token-auth-file="$dir/tokens"
}

python() {
	/usr/bin/python3 -c 'import kubernetes' 2>/dev/null || skip "python3-kubernetes is not installed"
	PYTHONDONTWRITEBYTECODE=1 timeout 60 /usr/bin/python3 "$srcdir/tests/lib/client.py" "$server" "$1"
}

javascript() {
	local modules
	[ -n "${CLIENT_NODE-}" ] || skip "only in make check-kubectl"
	modules=$("$srcdir/tests/lib/client-node.sh") || skip "@kubernetes/client-node cannot be had here"
	cp "$srcdir/tests/lib/client.mjs" "$dir/client.mjs"
	ln -sfn "$modules" "$dir/node_modules"
	timeout 60 node "$dir/client.mjs" "$secure" "$dir/data/pki/ca.crt" secret "$1"
}

@test "Python: objects are made, read, changed and deleted" {
	python objects
}

@test "Python: patches" {
	python patches
}

@test "Python: lists in pages, selectors, and delete of a collection" {
	python lists
}

@test "Python: watches, from now and from too long ago" {
	python watches
}

@test "Python: pods by their types, their status and binding" {
	python pods
}

@test "Python: the dynamic client finds its way by discovery" {
	python dynamic
}

@test "JavaScript: objects are made, read, changed and deleted" {
	javascript objects
}

@test "JavaScript: patches" {
	javascript patches
}

@test "JavaScript: watches and an informer" {
	javascript watches
}
