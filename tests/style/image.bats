#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The demo image: what `docker save` would write, whole, and its nginx starts.
bats_require_minimum_version 1.5.0

setup() {
	dir=$(mktemp -d /tmp/coxswain-demo.XXXXXX)
}

teardown() {
	rm -rf "$dir"
}

@test "make-image makes an image whose layer is the one it names, with an nginx that works" {
	(cd "$dir" && apt-get -q download zlib1g >/dev/null 2>&1) || skip "apt reaches no packages"
	run -0 "$srcdir/config/demo/make-image" "$dir/nginx.tar" example/nginx:test
	tar -C "$dir" -xf "$dir/nginx.tar"
	[ "$(jq -r '.[0].RepoTags[0]' "$dir/manifest.json")" = example/nginx:test ]
	layer=$(jq -r '.[0].Layers[0]' "$dir/manifest.json")
	config=$(jq -r '.[0].Config' "$dir/manifest.json")
	[ "$(jq -r '.rootfs.diff_ids[0]' "$dir/$config")" = \
		"sha256:$(sha256sum "$dir/$layer" | cut -d' ' -f1)" ]
	[ "$(jq -r '.config.Cmd[0]' "$dir/$config")" = /usr/sbin/nginx ]
	[ "$(id -u)" = 0 ] || skip "chroot needs root"
	mkdir -p "$dir/root/dev"
	touch "$dir/root/dev/stdout" # a container has it
	tar -C "$dir/root" -xf "$dir/$layer"
	run -0 chroot "$dir/root" /usr/sbin/nginx -e stderr -t -c /etc/nginx/nginx.conf
	[[ $output == *"test is successful"* ]]
}

@test "make-image without a file name prints its usage" {
	run -2 "$srcdir/config/demo/make-image"
	[ "$output" = "usage: make-image FILE.tar [NAME:TAG]" ]
}
