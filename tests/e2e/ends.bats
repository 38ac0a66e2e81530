#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# How things end: objects, what was reserved for them, whole collections, and
# the server itself while it is busy or hardly up.
source "$srcdir/tests/lib/functions.bash"

services=/api/v1/namespaces/default/services
addresses=/apis/networking.k8s.io/v1/ipaddresses
merge='Content-Type: application/merge-patch+json'

service() {
	printf '{"apiVersion":"v1","kind":"Service","metadata":{"name":"%s"%s},"spec":{%s}}' \
		"$1" "$2" '"type":"NodePort","ports":[{"port":80}]'
}

@test "a service whose last finalizer goes by way of the status gives its address back" {
	local address
	api POST $services -d "$(service held ',"finalizers":["example.com/held"]')"
	expect 201
	address=$(query .spec.clusterIP)
	api GET "$addresses/$address"
	expect 200
	api DELETE $services/held
	expect 200
	api GET "$addresses/$address"
	expect 200
	api PATCH $services/held/status -H "$merge" -d '{"metadata":{"finalizers":null}}'
	expect 200
	api GET $services/held
	expect 404
	api GET "$addresses/$address"
	expect 404
}

@test "a collection is deleted whole, and the answer names all of it" {
	local maps=/api/v1/namespaces/default/configmaps i
	for i in $(seq 60); do
		api POST $maps -d "$(config_map "many$i" "$i")"
		expect 201
	done
	api DELETE $maps
	expect 200
	same 60 "$(query '[.items[].metadata.name | select(startswith("many"))] | unique | length')"
	api GET $maps
	same 0 "$(query '.items | length')"
}

@test "a grace period beyond all times is a lifetime" {
	local pods=/api/v1/namespaces/default/pods
	api POST /api/v1/namespaces/default/serviceaccounts -d '{"metadata":{"name":"default"}}'
	api POST $pods -d '{"metadata":{"name":"slow"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}}'
	expect 201
	api DELETE "$pods/slow?gracePeriodSeconds=9223372036854775807"
	expect 200
	same 3153600000 "$(query .metadata.deletionGracePeriodSeconds)"
	same 21 "$(query .metadata.deletionTimestamp | cut -c1-2)"
	api DELETE "$pods/slow?gracePeriodSeconds=0"
	expect 200
}

@test "a second delete changes nothing unless it is to be quicker" {
	local pods=/api/v1/namespaces/default/pods version
	api POST /api/v1/namespaces/default/serviceaccounts -d '{"metadata":{"name":"default"}}'
	api POST $pods -d '{"metadata":{"name":"twice"},"spec":{"nodeName":"n","terminationGracePeriodSeconds":60,"containers":[{"name":"c","image":"i"}]}}'
	expect 201
	api DELETE $pods/twice
	expect 200
	same 60 "$(query .metadata.deletionGracePeriodSeconds)"
	version=$(query .metadata.resourceVersion)
	api DELETE "$pods/twice?gracePeriodSeconds=100"
	expect 200
	same "60 $version" "$(query '.metadata | "\(.deletionGracePeriodSeconds) \(.resourceVersion)"')"
	api DELETE "$pods/twice?gracePeriodSeconds=10"
	expect 200
	same 10 "$(query .metadata.deletionGracePeriodSeconds)"
	[ "$(query .metadata.resourceVersion)" -gt "$version" ]
	api DELETE $pods/twice -d '{"gracePeriodSeconds":0}'
	expect 200
	api GET $pods/twice
	expect 404
}

@test "an option of a delete that nobody knows here is told, and no reason to keep the object" {
	local maps=/api/v1/namespaces/default/configmaps
	api POST $maps -d "$(config_map optional)"
	expect 201
	api DELETE $maps/optional -d '{"propagationPolicy":"Background","ofTomorrow":true}'
	expect 200
	has '299 - "unknown field \"ofTomorrow\"' "$(header Warning)"
	api GET $maps/optional
	expect 404
}

@test "nothing lies below a subresource, and /watch/ only watches" {
	api GET /api/v1/namespaces/default/services/kubernetes/status
	expect 200
	api GET /api/v1/namespaces/default/services/kubernetes/status/more
	expect 404
	api POST /api/v1/watch/namespaces/default/configmaps -d "$(config_map stray 1)"
	expect 405
	api GET /readyz/poststarthook/start
	expect 200
}

@test "whoever is denied everything, the server itself is not" {
	stop_daemon apiserver
	start_apiserver --authorization-mode=AlwaysDeny
	api GET /api/v1/namespaces/default
	expect 200
	stop_daemon apiserver
	start_apiserver
}

@test "it starts and stops again and again, with plugins that ask it from the first moment on" {
	local i
	stop_daemon apiserver
	for i in 1 2 3 4 5; do
		start_apiserver --admission-control=NamespaceLifecycle,NamespaceExists,LimitRanger,SecurityContextDeny,ServiceAccount,ResourceQuota
		stop_daemon apiserver
	done
	start_apiserver
}
