#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images from registries, as a user of the five daemons sees it: centos-master has
# one that speaks plain HTTP at port 5000 and one with TLS at port 5443. The tests
# build on one another and run in their order.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"
source "$srcdir/tests/lib/daemons.bash"

setup_file() {
	requires docker-registry certtool
	make_dir
	use_kubectl 1.31
	make_images "$dir/images.tar"
	machines centos-master centos-minion
	master_settings
	minion_settings centos-minion
	on centos-master mkdir -p /etc/registry
	registry plain 5000
	certificate
	registry secure 5443 ', "tls": {"certificate": "/etc/registry/server.crt", "key": "/etc/registry/server.key"}'
	mkdir "$dir/push"
	tar -C "$dir/push" -xf "$dir/images.tar"
	push http://10.20.161.77:5000 nginx latest nginx-1.22
	push http://10.20.161.77:5000 nginx 1.22 nginx-1.22
	push https://10.20.161.77:5443 mysql latest nginx-1.22
	master
	kubelet_args ""
	minion centos-minion
}

teardown_file() {
	kill_daemon registry-plain
	kill_daemon registry-secure
	end_machines
}

# registry NAME PORT [MORE-HTTP-SETTINGS]
registry() {
	on centos-master tee "/etc/registry/$1.yml" <<-END
		{"version": "0.1", "log": {"level": "error"},
		 "storage": {"filesystem": {"rootdirectory": "/var/lib/registry-$1"}},
		 "http": {"addr": "10.20.161.77:$2", "secret": "test"${3-}}}
	END
	serve "$1" "$2"
}

# serve NAME PORT
serve() {
	start_on "registry-$1" centos-master env OTEL_TRACES_EXPORTER=none \
		"$(type -P docker-registry)" serve "/etc/registry/$1.yml"
	retry 20 listens centos-master "$2" 10.20.161.77
}

certificate() {
	local at=$dir/certificates
	mkdir "$at"
	certtool --generate-privkey --ecc --outfile "$at/ca.key"
	printf 'cn = test CA\nca\ncert_signing_key\n' >"$at/ca.cfg"
	certtool --generate-self-signed --load-privkey "$at/ca.key" --template "$at/ca.cfg" --outfile "$at/ca.crt"
	certtool --generate-privkey --ecc --outfile "$at/server.key"
	printf 'cn = registry\nip_address = 10.20.161.77\ntls_www_server\nsigning_key\n' >"$at/server.cfg"
	certtool --generate-certificate --load-privkey "$at/server.key" --load-ca-certificate "$at/ca.crt" \
		--load-ca-privkey "$at/ca.key" --template "$at/server.cfg" --outfile "$at/server.crt"
	on centos-master cp "$at/server.crt" "$at/server.key" /etc/registry/
}

# push URL REPOSITORY TAG CONFIGURATION: the image of the archive with this
# configuration
push() {
	local config=$dir/push/$4.json layer=$dir/push/layer.tar file where sum sums=()
	for file in "$config" "$layer"; do
		sum=$(sha256sum "$file" | cut -d' ' -f1)
		sums+=("$sum" "$(stat -c %s "$file")")
		where=$(curl -skf -D - -o /dev/null -X POST "$1/v2/$2/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //Ip')
		curl -skf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$file" "$where&digest=sha256:$sum"
	done
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%s}]}' \
		"${sums[@]}" >"$dir/push/manifest"
	curl -skf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' \
		--data-binary "@$dir/push/manifest" "$1/v2/$2/manifests/$3"
}

# kubelet_args WORDS: in single quotes
kubelet_args() {
	local helper=--plugin-option=runtime/oci:helper-directory=$builddir/plugins/runtime/oci
	setting centos-minion kubelet "KUBELET_ARGS='--cert-dir=/var/lib/kubelet/pki $helper $1'"
}

restart_kubelet() {
	stop_daemon centos-minion-kubelet
	daemon centos-minion kubelet
	retry 20 node_is centos-minion True
}

# create NAME IMAGE
make() {
	jq -nc --arg name "$1" --arg image "$2" '{apiVersion: "v1", kind: "Pod", metadata: {$name},
		spec: {terminationGracePeriodSeconds: 0, containers: [{name: "c", $image}]}}' >"$dir/pod.json"
	api POST /api/v1/namespaces/default/pods -d @"$dir/pod.json"
	expect 201
}

# messages NAME REASON: of the events about a pod
messages() {
	get /api/v1/namespaces/default/events \
		".items[] | select(.involvedObject.name == \"$1\" and .reason == \"$2\") | .message"
}

# tells NAME REASON TEXT
tells() {
	[[ $(messages "$1" "$2") == *"$3"* ]]
}

waits() {
	[ "$(pod_says '.status.containerStatuses[0].state.waiting.reason' "$1")" = "$2" ]
}

# rows: 125 244
@test "a registry without TLS, that is not trusted: the event says so, the pod waits" {
	make nginx 10.20.161.77:5000/nginx
	retry 20 tells nginx Failed 'Failed to pull image "10.20.161.77:5000/nginx": '
	tells nginx Failed 'unable to ping registry endpoint https://10.20.161.77:5000/v2/: '
	tells nginx Failed 'name it in insecure-registries'
	retry 20 waits nginx ImagePullBackOff
	same Pending "$(pod_says .status.phase nginx)"
	retry 20 listens centos-minion 10250 0.0.0.0
	run -1 kubectl logs nginx
	has 'container "c" in pod "nginx" is waiting to start' "$output"
}

# rows: 147 245
@test "trusted in the file, in single quotes, and restarted: it is pulled, and runs" {
	kubelet_args --plugin-option=runtime/oci:insecure-registries=10.20.161.77:5000
	restart_kubelet
	retry 60 pod_is_ready nginx
	tells nginx Pulled 'Successfully pulled image "10.20.161.77:5000/nginx"'
	same Always "$(pod_says '.spec.containers[0].imagePullPolicy' nginx)"
	[[ $(pod_says '.status.containerStatuses[0].imageID' nginx) == *10.20.161.77:5000/nginx@sha256:* ]]
}

@test "a tag: pulled once, then it is there" {
	make first 10.20.161.77:5000/nginx:1.22
	retry 30 pod_is_ready first
	same IfNotPresent "$(pod_says '.spec.containers[0].imagePullPolicy' first)"
	kill_daemon registry-plain
	make second 10.20.161.77:5000/nginx:1.22
	retry 30 pod_is_ready second
	tells second Pulled 'Container image "10.20.161.77:5000/nginx:1.22" already present on machine'
}

@test "a registry that is down, and one that has no such image" {
	make down 10.20.161.77:5000/nginx
	retry 20 tells down Failed 'Failed to pull image "10.20.161.77:5000/nginx": '
	tells down Failed "unable to ping registry endpoint http://10.20.161.77:5000/v2/: Failed to connect"
	serve plain 5000
	make absent 10.20.161.77:5000/nothing:1
	retry 20 tells absent Failed 'Failed to pull image "10.20.161.77:5000/nothing:1": '
	tells absent Failed '10.20.161.77:5000/nothing:1: not found'
}

# rows: 244
@test "TLS by a CA that nobody knows, then by one that is known for this registry" {
	make mysql 10.20.161.77:5443/mysql
	retry 20 tells mysql Failed 'Failed to pull image "10.20.161.77:5443/mysql": '
	tells mysql Failed 'certificate verification failed'
	tells mysql Failed 'its CA belongs into the certificates directory'
	on centos-minion mkdir -p /etc/coxswain/certs.d/10.20.161.77:5443
	on centos-minion cp "$dir/certificates/ca.crt" /etc/coxswain/certs.d/10.20.161.77:5443/
	retry 60 pod_is_ready mysql
}

# rows: 233 234
@test "the image of the pause: the oci runtime needs none, and pulls none" {
	kubelet_args --pod-infra-container-image=docker3:5000/pause:latest
	restart_kubelet
	make pause 10.20.161.77:5000/nginx:1.22
	retry 30 pod_is_ready pause
	same "" "$(messages pause Failed)"
	lacks docker3 "$(cat "$dir/centos-minion-kubelet.log")"
}
