#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Rules of the objects that the document makes: names, pods, volumes, labels,
# controllers, services; what is defaulted and what is refused, in which words.
source "$srcdir/tests/lib/functions.bash"

pods=/api/v1/namespaces/default/pods
rcs=/api/v1/namespaces/default/replicationcontrollers
services=/api/v1/namespaces/default/services
maps=/api/v1/namespaces/default/configmaps

# change JQ-PROGRAM: a good pod, changed, sent as a dry run
try_pod() {
	api POST "$pods?dryRun=All" -d "$(pod tried | jq -c "$1")"
}

rc() {
	printf '{"apiVersion":"v1","kind":"ReplicationController","metadata":{"name":"%s"},"spec":{' "$1"
	printf '"selector":{"app":"a"},"template":{"metadata":{"labels":{"app":"a"}},'
	printf '"spec":{"containers":[{"name":"c","image":"i"}]}}}}'
}

try_rc() {
	api POST "$rcs?dryRun=All" -d "$(rc tried | jq -c "$1")"
}

# service NAME [PORTS-JSON]
service() {
	printf '{"apiVersion":"v1","kind":"Service","metadata":{"name":"%s"},"spec":{"selector":{"app":"a"},' "$1"
	printf '"ports":%s}}' "${2-[{\"port\":80\}]}"
}

# make_service NAME JQ-PROGRAM
make_service() {
	api POST "$services" -d "$(service "$1" | jq -c "$2")"
}

# invalid TEXT [REASON [FIELD]]: the last answer says TEXT, with a cause
invalid() {
	expect 422 Invalid
	message "$1"
	[ $# -lt 2 ] || same "$2" "$(query '.details.causes[0].reason')"
	[ $# -lt 3 ] || same "$3" "$(query '.details.causes[0].field')"
}

# rows: 144
@test "a pod without a name, containers, image: the field is named" {
	try_pod 'del(.metadata.name)'
	invalid 'Pod "" is invalid: metadata.name: Required value: name or generateName is required' \
		FieldValueRequired metadata.name
	try_pod 'del(.spec.containers)'
	invalid 'Pod "tried" is invalid: spec.containers: Required value' FieldValueRequired spec.containers
	try_pod 'del(.spec.containers[0].image)'
	invalid 'Pod "tried" is invalid: spec.containers[0].image: Required value' \
		FieldValueRequired 'spec.containers[0].image'
	try_pod 'del(.spec.containers[0].name)'
	invalid 'Pod "tried" is invalid: spec.containers[0].name: Required value' \
		FieldValueRequired 'spec.containers[0].name'
}

# rows: 145
@test "a name that is no DNS name is refused with the rule" {
	try_pod '.metadata.name="Nginx_1"'
	expect 422 Invalid
	has "Pod \"Nginx_1\" is invalid: metadata.name: Invalid value: \"Nginx_1\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '" "$(query .message)"
	same FieldValueInvalid "$(query '.details.causes[0].reason')"
	api POST "$services?dryRun=All" -d "$(service 1nginx)"
	expect 422 Invalid
	has "metadata.name" "$(query .message)"
	api POST /api/v1/namespaces -d '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a.b"}}'
	expect 422 Invalid
}

# rows: 146
@test "the same pod twice" {
	api POST $pods -d "$(pod twice)"
	expect 201
	api POST $pods -d "$(pod twice)"
	expect 409 AlreadyExists
	message 'pods "twice" already exists'
	same "twice pods" "$(query '"\(.details.name) \(.details.kind)"')"
}

@test "generateName makes names, each another" {
	local i
	for i in 1 2 3; do
		api POST $pods -d "$(pod x | jq -c 'del(.metadata.name) | .metadata.generateName="made-"')"
		expect 201
		[[ $(query .metadata.name) =~ ^made-[bcdfghjklmnpqrstvwxz2456789]{5}$ ]]
		query .metadata.name
	done >"$dir/made"
	same 3 "$(sort -u "$dir/made" | wc -l)"
}

@test "what is created without being named: limit ranges, and a namespace's own label" {
	api POST /api/v1/namespaces/default/limitranges -d '{"metadata":{},"spec":{"limits":[{"type":"Pod","max":{"cpu":"1"}}]}}'
	expect 201
	[[ $(query .metadata.name) =~ ^[0-9a-f]{8}-[0-9a-f-]{27}$ ]]
	api GET "/api/v1/namespaces/default/limitranges/$(query .metadata.name)"
	expect 200
	api POST /api/v1/namespaces -d '{"metadata":{"generateName":"made-"}}'
	expect 201
	same true "$(query '.metadata.labels["kubernetes.io/metadata.name"] == .metadata.name')"
	api DELETE "/api/v1/namespaces/default/limitranges"
	expect 200
}

@test "amounts of the pod as a whole: what it limits and its containers ask for" {
	try_pod '.spec.resources={limits:{cpu:"2"}} | .spec.containers[0].resources={requests:{cpu:"1",memory:"64Mi"}}'
	expect 201
	same '{"limits":{"cpu":"2"},"requests":{"cpu":"1","memory":"64Mi"}}' \
		"$(query '.spec.resources' | jq -cS .)"
	try_pod '.spec.resources={limits:{cpu:"2"}}'
	expect 201
	same '{"limits":{"cpu":"2"},"requests":{"cpu":"2"}}' "$(query '.spec.resources' | jq -cS .)"
}

# rows: 153
@test "a volume without a source is an emptyDir" {
	try_pod '.spec.volumes=[{name:"v"}]'
	expect 201
	same '{"emptyDir":{},"name":"v"}' "$(query '.spec.volumes[0]' | jq -cS .)"
}

# rows: 159 161 163 164 165
@test "volume sources: what is taken, what is missing" {
	try_pod '.spec.volumes=[{name:"v",gcePersistentDisk:{pdName:"d",fsType:"ext4",partition:1,readOnly:true}}]'
	expect 201
	try_pod '.spec.volumes=[{name:"v",gcePersistentDisk:{fsType:"ext4"}}]'
	invalid 'Pod "tried" is invalid: spec.volumes[0].gcePersistentDisk.pdName: Required value' \
		FieldValueRequired 'spec.volumes[0].gcePersistentDisk.pdName'
	try_pod '.spec.volumes=[{name:"v",awsElasticBlockStore:{volumeID:"a",fsType:"ext4",partition:1}}]'
	expect 201
	try_pod '.spec.volumes=[{name:"v",nfs:{server:"s",path:"/p",readOnly:true}}]'
	expect 201
	try_pod '.spec.volumes=[{name:"v",nfs:{server:"s",path:"p"}}]'
	invalid 'Pod "tried" is invalid: spec.volumes[0].nfs.path: Invalid value: "p": must be an absolute path' \
		FieldValueInvalid 'spec.volumes[0].nfs.path'
	try_pod '.spec.volumes=[{name:"v",iscsi:{targetPortal:"10.0.0.1:3260",iqn:"iqn.2001-04.com.example:d",lun:0,fsType:"ext4"}}]'
	expect 201
	try_pod '.spec.volumes=[{name:"v",iscsi:{targetPortal:"10.0.0.1",iqn:"iqn.2001-04.com.example:d",lun:300}}]'
	expect 422 Invalid
	has 'spec.volumes[0].iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive' "$(query .message)"
	try_pod '.spec.volumes=[{name:"v",glusterfs:{endpoints:"e",path:"p"}}]'
	expect 201
	try_pod '.spec.volumes=[{name:"v",secret:{}}]'
	expect 422 Invalid
	has 'spec.volumes[0].secret.secretName: Required value' "$(query .message)"
}

# rows: 168 172 173
@test "volumes: two sources, a name that is not there, a name that is there twice" {
	try_pod '.spec.volumes=[{name:"v",emptyDir:{},hostPath:{path:"/a"}}]'
	expect 422 Invalid
	has 'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type' "$(query .message)"
	try_pod '.spec.containers[0].volumeMounts=[{name:"none",mountPath:"/a"}]'
	invalid 'Pod "tried" is invalid: spec.containers[0].volumeMounts[0].name: Not found: "none"' \
		FieldValueNotFound 'spec.containers[0].volumeMounts[0].name'
	try_pod '.spec.volumes=[{name:"v"},{name:"v"}]'
	invalid 'Pod "tried" is invalid: spec.volumes[1].name: Duplicate value: "v"' \
		FieldValueDuplicate 'spec.volumes[1].name'
	try_pod '.spec.volumes=[{name:"v"}] | .spec.containers[0].volumeMounts=[{name:"v",mountPath:"/a"}]'
	expect 201
}

# rows: 147
@test "images: the pull policy follows the tag, also behind a registry with a port" {
	local image policy
	while read -r image policy; do
		try_pod ".spec.containers[0].image=\"$image\""
		expect 201
		same "$policy" "$(query '.spec.containers[0].imagePullPolicy')"
	done <<-'END'
		nginx Always
		nginx:latest Always
		nginx:1.9 IfNotPresent
		10.20.161.77:5000/nginx Always
		10.20.161.77:5000/nginx:1 IfNotPresent
		nginx@sha256:0123456789012345678901234567890123456789012345678901234567890123 IfNotPresent
	END
}

@test "values out of a closed set are refused with the set" {
	try_pod '.spec.restartPolicy="Sometimes"'
	invalid 'Pod "tried" is invalid: spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"' \
		FieldValueNotSupported spec.restartPolicy
	try_pod '.spec.containers[0].ports=[{containerPort:80,protocol:"tcp"}]'
	expect 422 Invalid
	has 'spec.containers[0].ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"' "$(query .message)"
	try_pod '.spec.containers[0].ports=[{containerPort:70000}]'
	expect 422 Invalid
	has 'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive' "$(query .message)"
}

@test "several faults are all told, each as a cause" {
	try_pod '.spec.restartPolicy="No" | del(.spec.containers[0].image) | .metadata.labels={"a b":"c"}'
	expect 422 Invalid
	same "metadata.labels spec.containers[0].image spec.restartPolicy" \
		"$(query '[.details.causes[].field] | sort | join(" ")')"
	has "[" "$(query .message)"
}

# rows: 180
@test "label keys and values have a form" {
	try_pod ".metadata.labels={app:\"$(printf 'x%.0s' $(seq 64))\"}"
	expect 422 Invalid
	has "metadata.labels: Invalid value: \"$(printf 'x%.0s' $(seq 64))\": must be no more than 63 " "$(query .message)"
	try_pod '.metadata.labels={app:"a b"}'
	expect 422 Invalid
	has "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character" "$(query .message)"
	try_pod '.metadata.labels={"example.com/app":""}'
	expect 201
}

# rows: 192 193 194
@test "controllers: selector, template, replicas, restart policy" {
	try_rc '.spec.template.metadata.labels.app="b"'
	expect 422 Invalid
	has '`selector` does not match template `labels`' "$(query .message)"
	try_rc 'del(.spec.selector)'
	expect 201
	same '1 {"app":"a"} {"app":"a"}' "$(query '"\(.spec.replicas) \(.spec.selector|tojson) \(.metadata.labels|tojson)"')"
	try_rc '.spec.template.spec.restartPolicy="Never"'
	invalid 'ReplicationController "tried" is invalid: spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"' \
		FieldValueNotSupported spec.template.spec.restartPolicy
	try_rc '.spec.replicas=-1'
	invalid 'ReplicationController "tried" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0' \
		FieldValueInvalid spec.replicas
}

# rows: 196 215
@test "a service gets its address from the range, and targetPort from port" {
	local first
	make_service plain .
	expect 201
	first=$(query .spec.clusterIP)
	[[ $first =~ ^10\.254\.[0-9]+\.[0-9]+$ ]]
	same "ClusterIP TCP 80 None SingleStack IPv4 [\"$first\"]" \
		"$(query '"\(.spec.type) \(.spec.ports[0].protocol) \(.spec.ports[0].targetPort) \(.spec.sessionAffinity) \(.spec.ipFamilyPolicy) \(.spec.ipFamilies[0]) \(.spec.clusterIPs|tojson)"')"
	make_service another .
	[ "$(query .spec.clusterIP)" != "$first" ]
	# The address is free again with its service, and not before.
	make_service wants ".spec.clusterIP=\"$first\""
	expect 422 Invalid
	has "spec.clusterIPs: Invalid value: [\"$first\"]: failed to allocate IP $first: provided IP is already allocated" "$(query .message)"
	api DELETE $services/plain
	make_service wants ".spec.clusterIP=\"$first\""
	expect 201
	api DELETE $services/wants
	api DELETE $services/another
	make_service outside '.spec.clusterIP="10.1.2.3"'
	expect 422 Invalid
	has "10.1.2.3" "$(query .message)"
	has "10.254.0.0/16" "$(query .message)"
}

# rows: 197
@test "the address of a service stays, whatever else changes" {
	local address
	make_service stays .
	address=$(query .spec.clusterIP)
	api PUT $services/stays -d "$(service stays '[{"port":81}]')"
	expect 200
	same "$address 81" "$(query '"\(.spec.clusterIP) \(.spec.ports[0].port)"')"
	api PATCH $services/stays -H 'Content-Type: application/merge-patch+json' -d '{"spec":{"clusterIP":"10.254.9.9"}}'
	expect 422 Invalid
	api DELETE $services/stays
}

# rows: 203 204
@test "services: headless, and without a selector" {
	make_service headless '.spec.clusterIP="None"'
	expect 201
	same 'None ["None"]' "$(query '"\(.spec.clusterIP) \(.spec.clusterIPs|tojson)"')"
	make_service external 'del(.spec.selector)'
	expect 201
	api POST /api/v1/namespaces/default/endpoints \
		-d '{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"external"},"subsets":[{"addresses":[{"ip":"192.0.2.10"}],"ports":[{"port":8080}]}]}'
	expect 201
	same "192.0.2.10 8080 TCP" "$(query '.subsets[0] | "\(.addresses[0].ip) \(.ports[0].port) \(.ports[0].protocol)"')"
	api DELETE $services/headless
	api DELETE $services/external
}

@test "a service has the families that the cluster has, and a name has no address" {
	make_service six '.spec.ipFamilies=["IPv6"]'
	invalid 'Service "six" is invalid: spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster' \
		FieldValueInvalid 'spec.ipFamilies[0]'
	make_service both '.spec.ipFamilyPolicy="RequireDualStack"'
	invalid 'Service "both" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services' \
		FieldValueInvalid spec.ipFamilyPolicy
	make_service prefers '.spec.ipFamilyPolicy="PreferDualStack"'
	expect 201
	same '["IPv4"]' "$(query '.spec.ipFamilies | tojson')"
	api DELETE $services/prefers
	make_service differ '.spec.clusterIP="10.254.7.1" | .spec.clusterIPs=["10.254.7.2"]'
	invalid 'Service "differ" is invalid: spec.clusterIPs: Invalid value: ["10.254.7.2"]: first value must match `clusterIP`' \
		FieldValueInvalid spec.clusterIPs
	make_service named '.spec = {type:"ExternalName",externalName:"example.com",clusterIP:"10.254.7.1"}'
	invalid 'Service "named" is invalid: spec.clusterIPs: Forbidden: may not be set for ExternalName services' \
		FieldValueForbidden spec.clusterIPs
	# One that had an address may become a name all the same: the address goes.
	make_service named '.spec.clusterIP="10.254.7.1"'
	expect 201
	api PATCH $services/named -H 'Content-Type: application/merge-patch+json' \
		-d '{"spec":{"type":"ExternalName","externalName":"example.com"}}'
	expect 200
	same "null null null" "$(query '"\(.spec.clusterIP) \(.spec.clusterIPs) \(.spec.ipFamilies)"')"
	make_service takes '.spec.clusterIP="10.254.7.1"'
	expect 201
	api DELETE $services/named
	api DELETE $services/takes
}

# rows: 207 208 209 210
@test "node ports: made, asked for, out of range, taken, on the wrong type" {
	local port
	make_service ported '.spec.type="NodePort"'
	expect 201
	port=$(query '.spec.ports[0].nodePort')
	[ "$port" -ge 30000 ] && [ "$port" -le 32767 ]
	make_service fixed '.spec.type="NodePort" | .spec.ports[0].nodePort=30001'
	expect 201
	same 30001 "$(query '.spec.ports[0].nodePort')"
	make_service low '.spec.type="NodePort" | .spec.ports[0].nodePort=80'
	invalid 'Service "low" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767' \
		FieldValueInvalid 'spec.ports[0].nodePort'
	make_service taken '.spec.type="NodePort" | .spec.ports[0].nodePort=30001'
	invalid 'Service "taken" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated' \
		FieldValueInvalid 'spec.ports[0].nodePort'
	make_service wrong '.spec.ports[0].nodePort=30002'
	invalid "Service \"wrong\" is invalid: spec.ports[0].nodePort: Forbidden: may not be used when \`type\` is 'ClusterIP'" \
		FieldValueForbidden 'spec.ports[0].nodePort'
	# The port of a service that is gone is free.
	api DELETE $services/fixed
	make_service taken '.spec.type="NodePort" | .spec.ports[0].nodePort=30001'
	expect 201
	# Changing the type gives the port back.
	api PATCH $services/taken -H 'Content-Type: application/strategic-merge-patch+json' -d '{"spec":{"type":"ClusterIP"}}'
	expect 200
	same null "$(query '.spec.ports[0].nodePort')"
	make_service fixed '.spec.type="NodePort" | .spec.ports[0].nodePort=30001'
	expect 201
	api DELETE $services/fixed
	api DELETE $services/taken
	api DELETE $services/ported
}

# rows: 214 216
@test "protocols of service ports" {
	make_service proto '.spec.ports[0].protocol="tcp"'
	invalid 'Service "proto" is invalid: spec.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"' \
		FieldValueNotSupported 'spec.ports[0].protocol'
	make_service proto '.spec.type="NodePort" | .spec.ports[0].protocol="UDP"'
	expect 201
	api DELETE $services/proto
}

# rows: 202
@test "session affinity has its time-out" {
	make_service sticky '.spec.sessionAffinity="ClientIP"'
	expect 201
	same 10800 "$(query .spec.sessionAffinityConfig.clientIP.timeoutSeconds)"
	api DELETE $services/sticky
}

# rows: 220
@test "several ports need names, each its own" {
	api POST $services -d "$(service many '[{"port":80},{"port":81}]')"
	expect 422 Invalid
	has 'spec.ports[0].name: Required value' "$(query .message)"
	has 'spec.ports[1].name: Required value' "$(query .message)"
	api POST $services -d "$(service many '[{"name":"a","port":80},{"name":"a","port":81}]')"
	expect 422 Invalid
	has 'spec.ports[1].name: Duplicate value: "a"' "$(query .message)"
	api POST $services -d "$(service many '[{"name":"a","port":80},{"name":"b","port":81}]')"
	expect 201
	api DELETE $services/many
}

# rows: 6
@test "a binding gives a pod its node, once" {
	api POST $pods -d "$(pod bound)"
	api POST $pods/bound/binding -d '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"bound"},"target":{"kind":"Node","name":"n1"}}'
	expect 201
	api GET $pods/bound
	same "n1 True" "$(query '"\(.spec.nodeName) \(.status.conditions[] | select(.type=="PodScheduled") | .status)"')"
	api POST $pods/bound/binding -d '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"bound"},"target":{"kind":"Node","name":"n2"}}'
	expect 409 Conflict
	# A bound pod goes gracefully: its kubelet has the last word.
	api DELETE $pods/bound
	expect 200
	same "Pod 30" "$(query '"\(.kind) \(.metadata.deletionGracePeriodSeconds)"')"
	api DELETE $pods/bound -d '{"gracePeriodSeconds":0}'
	expect 200
	api GET $pods/bound
	expect 404
}

@test "finalizers keep an object until the last one is gone" {
	api POST $maps -d "$(config_map kept | jq -c '.metadata.finalizers=["example.com/keep"]')"
	expect 201
	api DELETE $maps/kept
	expect 200
	[ "$(query .metadata.deletionTimestamp)" != null ]
	api PATCH $maps/kept -H 'Content-Type: application/merge-patch+json' -d '{"metadata":{"finalizers":["example.com/other"]}}'
	expect 422 Invalid
	api PATCH $maps/kept -H 'Content-Type: application/merge-patch+json' -d '{"metadata":{"finalizers":null}}'
	expect 200
	api GET $maps/kept
	expect 404
}

@test "preconditions of a delete" {
	api POST $maps -d "$(config_map guarded)"
	api DELETE $maps/guarded -d '{"preconditions":{"uid":"00000000-0000-4000-8000-000000000000"}}'
	expect 409 Conflict
	api DELETE $maps/guarded -d '{"preconditions":{"resourceVersion":"1"}}'
	expect 409 Conflict
	api GET $maps/guarded
	api DELETE $maps/guarded -d "{\"preconditions\":{\"uid\":\"$(query .metadata.uid)\",\"resourceVersion\":\"$(query .metadata.resourceVersion)\"}}"
	expect 200
}

@test "an object that says immutable is" {
	api POST $maps -d "$(config_map fixed | jq -c .immutable=true)"
	expect 201
	api PUT $maps/fixed -d "$(config_map fixed other | jq -c .immutable=true)"
	expect 422 Invalid
	has "field is immutable when \`immutable\` is set" "$(query .message)"
	api DELETE $maps/fixed
}

@test "system fields cannot be written" {
	local uid
	api POST $maps -d "$(config_map system | jq -c '.metadata += {uid:"mine", creationTimestamp:"2000-01-01T00:00:00Z", selfLink:"/x"}')"
	expect 201
	uid=$(query .metadata.uid)
	[[ $uid =~ ^[0-9a-f-]{36}$ ]]
	lacks 2000-01-01 "$body"
	api PATCH $maps/system -H 'Content-Type: application/merge-patch+json' -d '{"metadata":{"uid":"00000000-0000-4000-8000-000000000000"}}'
	[[ $code == 409 || $code == 422 ]]
	api POST $maps -d "$(config_map system | jq -c '.metadata += {resourceVersion:"5"}')"
	expect 400 BadRequest
	message "resourceVersion should not be set on objects to be created"
	api PUT $maps/system -d "$(config_map other)"
	expect 400 BadRequest
}

@test "a status is written by its own path only" {
	api POST $pods -d "$(pod stated | jq -c '.status={phase:"Running"}')"
	expect 201
	same Pending "$(query .status.phase)"
	api PATCH $pods/stated -H 'Content-Type: application/merge-patch+json' -d '{"status":{"phase":"Running"}}'
	expect 200
	same Pending "$(query .status.phase)"
	api PATCH $pods/stated/status -H 'Content-Type: application/merge-patch+json' -d '{"status":{"phase":"Running"},"spec":{"containers":[{"name":"c","image":"sneaked"}]}}'
	expect 200
	same "Running nginx" "$(query '"\(.status.phase) \(.spec.containers[0].image)"')"
}

@test "a pod has its first address under the old name and in the list" {
	local merge='Content-Type: application/merge-patch+json'
	api POST $pods -d "$(pod addressed)"
	api PATCH $pods/addressed/status -H "$merge" -d '{"status":{"podIP":"10.1.2.3"}}'
	expect 200
	same '10.1.2.3 [{"ip":"10.1.2.3"}]' "$(query '.status | "\(.podIP) \(.podIPs | tojson)"')"
	api PATCH $pods/addressed/status -H "$merge" -d '{"status":{"podIP":null,"podIPs":[{"ip":"10.1.2.4"},{"ip":"fd00::4"}]}}'
	expect 200
	same '10.1.2.4 2' "$(query '.status | "\(.podIP) \(.podIPs | length)"')"
	api GET "$pods?fieldSelector=status.podIP%3D10.1.2.4"
	same addressed "$(query '[.items[].metadata.name] | join(" ")')"
}

@test "a token is asked for with a time that it can have, and for an object that is there" {
	local token=/api/v1/namespaces/default/serviceaccounts/default/token
	api POST /api/v1/namespaces/default/serviceaccounts -d '{"metadata":{"name":"default"}}'
	api POST $token -d '{"spec":{"expirationSeconds":5}}'
	invalid 'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes' \
		FieldValueInvalid spec.expirationSeconds
	api POST $token -d '{"spec":{"boundObjectRef":{"kind":"Service","name":"kubernetes"}}}'
	invalid 'TokenRequest.authentication.k8s.io "" is invalid: spec.boundObjectRef.kind: Unsupported value: "Service": supported values: "Node", "Pod", "Secret"' \
		FieldValueNotSupported spec.boundObjectRef.kind
	api POST $token -d '{"spec":{"boundObjectRef":{"kind":"Pod","name":"none"}}}'
	expect 404 NotFound
}

@test "an event in its newer form is made, checked in its own words, and one with the older form" {
	local events=/apis/events.k8s.io/v1/namespaces/other/events
	local event='{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"new"},"regarding":{"kind":"Pod","name":"p","namespace":"other"},"reason":"Started","action":"Start","type":"Normal","note":"well","reportingController":"example.com/x","reportingInstance":"n","eventTime":"2024-01-02T03:04:05.000001Z"}'
	api POST $events -d "$event"
	expect 201
	same "events.k8s.io/v1 p well example.com/x" \
		"$(query '"\(.apiVersion) \(.regarding.name) \(.note) \(.reportingController)"')"
	api GET /api/v1/namespaces/other/events/new
	expect 200
	same "v1 p well example.com/x" \
		"$(query '"\(.apiVersion) \(.involvedObject.name) \(.message) \(.reportingComponent)"')"
	api PATCH $events/new -H 'Content-Type: application/merge-patch+json' \
		-d '{"series":{"count":2,"lastObservedTime":"2024-01-02T03:04:06.000000Z"}}'
	expect 200
	api POST $events -d "$(jq -c '.metadata.name="bad" | .regarding.namespace="x" | del(.reportingController)' <<<"$event")"
	expect 422 Invalid
	same "regarding.namespace reportingController" \
		"$(query '[.details.causes[].field] | sort | join(" ")')"
}
