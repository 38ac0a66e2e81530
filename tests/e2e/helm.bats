#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A real helm, the one that comes with kubectl $KUBECTL_VERSION (3 with 1.31, 4 with 1.35),
# with a chart of many kinds and a hook for every moment. It comes over TLS, as
# users do; the nodes' containers are hollow.
source "$srcdir/tests/lib/functions.bash"

version=${KUBECTL_VERSION:-1.35}
chart=$srcdir/tests/e2e/chart
objects=(rc/shop svc/shop cm/shop secret/shop sa/shop role/shop rolebinding/shop ingress/shop
	netpol/shop pdb/shop)

setup_file() {
	make_dir
	use_helm "$version"
	use_kubectl "$version"
	echo secret,tester,1,system:masters >"$dir/tokens"
	# Pods have the node's address, which must not be a loopback one.
	start_apiserver --token-auth-file="$dir/tokens" --kubelet-preferred-address-types=Hostname \
		--admission-control=NamespaceLifecycle,LimitRanger,ServiceAccount,ResourceQuota
	start_controller_manager --leader-elect=false --secure-port=0 \
		--root-ca-file="$dir/data/pki/ca.crt" --service-account-private-key-file="$dir/data/pki/sa.key"
	start_daemon scheduler "$program" kube-scheduler --plugin-dir="$plugins" --master="$server" \
		--port=0 --secure-port=0 --leader-elect=false
	start_daemon kubelet "$program" kubelet --plugin-dir="$plugins" --api-servers="$server" \
		--container-runtime=hollow --plugin-option=runtime/hollow:failing-images=broken \
		--hostname-override=localhost --node-ip=192.0.2.1 --address=127.0.0.1 \
		--root-dir="$dir/kubelet" --pod-logs-dir="$dir/logs" \
		--client-ca-file="$dir/data/pki/ca.crt" --port="$(free_port)" --healthz-port="$(free_port)"
	retry 20 node_is_ready
	cat >"$dir/kubeconfig" <<-END
		apiVersion: v1
		kind: Config
		current-context: it
		clusters: [{name: it, cluster: {server: "$secure", certificate-authority: "$dir/data/pki/ca.crt"}}]
		users: [{name: it, user: {token: secret}}]
		contexts: [{name: it, context: {cluster: it, user: it, namespace: shop}}]
	END
	chmod 600 "$dir/kubeconfig" # or helm warns
	major=$(helm version --template '{{.Version}}' | sed 's/^v\([0-9]*\).*/\1/')
	export major
}

node_is_ready() {
	[ "$(curl -sf "$server/api/v1/nodes/localhost" |
		jq -r '.status.conditions[]? | select(.type == "Ready").status')" = True ]
}

kubectl() {
	timeout 60 "$KUBECTL" --kubeconfig="$dir/kubeconfig" --cache-dir="$dir/cache" "$@"
}

# watch_all: what is made and deleted in the namespace goes to $dir/seen.RESOURCE
watch_all() {
	local resource revision
	seen=()
	for resource in pods configmaps; do
		api GET "/api/v1/namespaces/shop/$resource?limit=1"
		revision=$(query .metadata.resourceVersion)
		setpriv --pdeathsig KILL curl -sN --max-time 100 -o "$dir/seen.$resource" \
			"$server/api/v1/namespaces/shop/$resource?watch=true&resourceVersion=$revision" 3>&- &
		seen+=($!)
	done
}

# all_seen: what of it has come by now, in order; pods of a controller left out
all_seen() {
	cat "$dir"/seen.* 2>/dev/null |
		jq -r 'select(.type != "MODIFIED" and .object.metadata.ownerReferences == null) | .object.metadata as $of |
			"\($of.resourceVersion) \(.type) \(.object.kind)/\($of.name)"' |
		sort -n | cut -d' ' -f2- | grep -v kube-root-ca.crt
}

all_seen_is() {
	[ "$(all_seen)" = "$1" ]
}

# saw EXPECTED: all of it is seen, and nothing else; ends the watches
saw() {
	local status=0
	retry 10 all_seen_is "$1" || status=1
	kill "${seen[@]}"
	wait "${seen[@]}" 2>/dev/null || :
	[ "$status" = 0 ] || same "$1" "$(all_seen)" || :
	rm -f "$dir"/seen.*
	return "$status"
}

# hooks MOMENT: what two pods of that moment look like from outside
hooks() {
	printf '%s\n' "ADDED Pod/$1-before" "ADDED Pod/$1-after" "DELETED Pod/$1-before"
}

# again MOMENT: the pod of that moment that is there from an earlier time goes first
again() {
	printf '%s\n' "ADDED Pod/$1-before" "DELETED Pod/$1-after" "ADDED Pod/$1-after" "DELETED Pod/$1-before"
}

# field RESOURCE/NAME JSONPATH
field() {
	kubectl get "$1" -o jsonpath="{$2}"
}

is_gone() {
	api GET "$1"
	[ "$code" = 404 ]
}

# has_pods COUNT: of the controller
has_pods() {
	api GET "/api/v1/namespaces/shop/pods?labelSelector=app%3Dshop"
	same "$1" "$(query '[.items[] | select(.metadata.deletionTimestamp == null)] | length')"
}

# revisions: number, status and words of each, of which helm keeps ten
revisions() {
	helm history shop -o json |
		jq -r '.[] | "\(.revision) \(.status) \(.description | gsub("\n"; " "))"'
}

# last_revision: the number, status and words of the newest
last_revision() {
	revisions | tail -n 1
}

all_releases() {
	if [ "$major" = 3 ]; then
		helm list --all -q # what 4 does without the word
	else
		helm list -q
	fi
}

@test "lint, template and a dry run on the server make nothing" {
	run -0 helm lint "$chart"
	has "1 chart(s) linted, 0 chart(s) failed" "$output"
	run -0 helm template shop "$chart"
	has "kind: ReplicationController" "$output"
	run -0 helm template --validate shop "$chart"
	has "kind: PodDisruptionBudget" "$output"
	if helm install --help | grep -q 'dry-run.*server'; then
		run -0 helm install --dry-run=server --namespace default shop "$chart"
		has "It has been asked: default is Active." "$output"
	else
		run -0 helm install --dry-run --namespace default shop "$chart"
	fi
	has "The server is v1.36.2+coxswain." "$output"
	run -1 kubectl get namespace shop
	run -0 kubectl get secrets -n default -o name
	same "" "$output"
}

@test "install --wait: hooks before and after, in order; the release is a secret" {
	run -0 kubectl create namespace shop
	watch_all
	run -0 helm install --wait --timeout 30s shop "$chart"
	has "STATUS: deployed" "$output"
	has "shop greets with hello." "$output"
	has "The server is v1.36.2+coxswain." "$output"
	saw "$(hooks pre-install)
ADDED ConfigMap/shop
$(hooks post-install)"
	run -0 kubectl get "${objects[@]}" -o name
	same 10 "${#lines[@]}"
	has_pods 2
	[ "$major" != 3 ] || same 2 "$(field rc/shop .status.readyReplicas)"
	same Helm "$(field ingress/shop '.metadata.labels.app\.kubernetes\.io/managed-by')"
	same "shop shop" "$(field rolebinding/shop '.metadata.annotations.meta\.helm\.sh/release-name') $(field rolebinding/shop '.metadata.annotations.meta\.helm\.sh/release-namespace')"
	run -0 kubectl get secret sh.helm.release.v1.shop.v1 -o json
	same "helm.sh/release.v1 helm shop deployed 1" \
		"$(jq -r '"\(.type) \(.metadata.labels | "\(.owner) \(.name) \(.status) \(.version)")"' <<<"$output")"
	same "shop 8" "$(jq -r .data.release <<<"$output" | base64 -d | base64 -d | gunzip |
		jq -r '"\(.name) \([.hooks[].events[] | select(. != "test")] | unique | length)"')"
	run -1 helm install shop "$chart"
	has "INSTALLATION FAILED" "$output"
	has "name" "$output"
	same "1 deployed Install complete" "$(revisions)"
}

@test "list, status and get tell of it" {
	run -0 helm list
	[[ ${lines[1]} =~ ^shop[[:space:]]+shop[[:space:]]+1[[:space:]].*deployed[[:space:]]+web-1\.2\.3[[:space:]]+7 ]]
	same shop "$(helm list -A -q)"
	same "" "$(helm list -q -n default)"
	same '["shop"]' "$(helm list --filter '^sh' -o json | jq -c '[.[].name]')"
	run -0 helm status shop
	has "REVISION: 1" "$output"
	if [ "$major" = 3 ]; then
		run -0 helm status shop --show-resources
	fi
	has "==> v1/ReplicationController" "$output"
	[[ $output =~ shop-[a-z0-9]{5}\ +1/1\ +Running ]]
	run -0 helm get values shop --all -o json
	same hello "$(jq -r .greeting <<<"$output")"
	run -0 helm get manifest shop
	same 10 "$(grep -c ^kind: <<<"$output")"
	run -0 helm get hooks shop
	same 17 "$(grep -c '^kind: Pod' <<<"$output")"
	run -0 helm get notes shop
	has "shop greets with hello." "$output"
	run -0 helm get all shop
	has "STATUS: deployed" "$output"
}

@test "helm test runs its pod and reads its log" {
	run -0 helm test shop --logs
	has "Phase:          Succeeded" "$output"
	has "the test says hello" "$output"
}

@test "upgrade: objects change in place, more come, hooks run again" {
	local address port
	address=$(field svc/shop .spec.clusterIP)
	port=$(field svc/shop '.spec.ports[0].nodePort')
	watch_all
	run -0 helm upgrade --wait --timeout 30s shop "$chart" --set greeting=bye,replicas=3,metrics=true
	has "has been upgraded. Happy Helming!" "$output"
	has "shop greets with bye." "$output"
	saw "$(hooks pre-upgrade)
ADDED ConfigMap/shop-metrics
$(hooks post-upgrade)"
	same "bye 2" "$(field cm/shop .data.greeting) $(field cm/shop .data.revision)"
	retry 20 has_pods 3
	same "$address $port" "$(field svc/shop .spec.clusterIP) $(field svc/shop '.spec.ports[0].nodePort')"
	same "http metrics" "$(field svc/shop '.spec.ports[*].name')"
	same "1 superseded Install complete
2 deployed Upgrade complete" "$(revisions)"
	same "superseded deployed" \
		"$(kubectl get secrets -l owner=helm,name=shop --sort-by=.metadata.name -o 'jsonpath={.items[*].metadata.labels.status}')"
	same null "$(helm get values shop --revision 1 -o json)"
	# The same again, with what was set then; what is left out goes, but what is to be kept.
	watch_all
	run -0 helm upgrade --install --wait --timeout 30s shop "$chart" --reuse-values --set metrics=false
	saw "$(again pre-upgrade)
DELETED ConfigMap/shop-metrics
$(again post-upgrade)"
	same "bye http" "$(field cm/shop .data.greeting) $(field svc/shop '.spec.ports[*].name')"
	run -0 kubectl get secret shop-kept
	run -0 kubectl delete secret shop-kept
}

@test "a field that another holds: 3 takes it, 4 is told of the conflict" {
	api PATCH '/api/v1/namespaces/shop/configmaps/shop?fieldManager=other&force=true' \
		-H 'Content-Type: application/apply-patch+yaml' \
		-d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"shop"},"data":{"greeting":"other","more":"kept"}}'
	expect 200
	if [ "$major" = 3 ]; then
		run -0 helm upgrade --wait shop "$chart" --set greeting=third
	else
		run -1 helm upgrade --wait shop "$chart" --set greeting=third
		has 'conflict with "other": .data.greeting' "$output"
		run -0 helm upgrade --wait --force-conflicts shop "$chart" --set greeting=third
	fi
	same "third kept" "$(field cm/shop .data.greeting) $(field cm/shop .data.more)"
	retry 20 has_pods 2
}

@test "rollback brings back what was, with its hooks" {
	watch_all
	run -0 helm rollback --wait --timeout 30s shop 1
	has "Rollback was a success! Happy Helming!" "$output"
	saw "$(hooks pre-rollback)
$(hooks post-rollback)"
	same "hello 1" "$(field cm/shop .data.greeting) $(field cm/shop .data.revision)"
	[[ $(last_revision) =~ ^[0-9]+\ deployed\ Rollback\ to\ 1$ ]]
	run -1 helm rollback shop 77
	has Error: "$output"
}

@test "an upgrade that fails is rolled back when it is asked for, and told when not" {
	local back=--rollback-on-failure moment number
	[ "$major" != 3 ] || back=--atomic
	for moment in pre-upgrade post-upgrade; do
		run -1 helm upgrade --wait $back --timeout 30s shop "$chart" --set greeting=bad,broken=$moment
		has "$moment hooks failed" "$output"
		has "has been rolled back due to" "$output"
		same hello "$(field cm/shop .data.greeting)"
		has " failed " "$(revisions | tail -n 2 | head -n 1)"
		has " deployed Rollback to " "$(last_revision)"
	done
	# What the server refuses.
	read -r number _ <<<"$(last_revision)"
	run -1 helm upgrade shop "$chart" --set replicas=-1
	has "spec.replicas: Invalid value: -1: must be greater than or equal to 0" "$output"
	has " failed " "$(last_revision)"
	same $((number + 1)) "$(last_revision | cut -d' ' -f1)"
	# 3 leaves it to the server, and does not ask it to be strict.
	run helm upgrade shop "$chart" --set misspelt=true
	same $((major > 3)) "$status"
	has daat "$output"
	has field "$output"
	same 2 "$(field rc/shop .spec.replicas)"
	run -0 helm upgrade --wait --timeout 30s shop "$chart"
	has "STATUS: deployed" "$output"
	same 10 "$(revisions | wc -l)"
	same 10 "$(kubectl get secrets -l owner=helm,name=shop -o name | wc -l)"
}

@test "uninstall --keep-history, back from there, and uninstall for good" {
	local number
	read -r number _ <<<"$(last_revision)"
	watch_all
	run -0 helm uninstall --keep-history --wait --timeout 30s shop
	same 'release "shop" uninstalled' "$output"
	saw "$(hooks pre-delete)
DELETED ConfigMap/shop
$(hooks post-delete)"
	run -1 kubectl get "${objects[@]}" -o name
	same "" "$(grep -v NotFound <<<"$output")"
	retry 20 has_pods 0
	same '["shop"]' "$(helm list --uninstalled -o json | jq -c '[.[].name]')"
	has "STATUS: uninstalled" "$(helm status shop)"
	run -0 helm rollback --wait --timeout 30s shop "$number"
	run -0 kubectl get "${objects[@]}" -o name
	same 10 "${#lines[@]}"
	run -0 helm uninstall --cascade foreground --wait --timeout 30s shop
	same "" "$(kubectl get pods -l app=shop -o name)"
	same "" "$(kubectl get secrets -l owner=helm -o name)"
	run -1 helm status shop
	has "release: not found" "$output"
	run -1 helm uninstall shop
	has "not found" "$output"
	if helm uninstall --help | grep -q ignore-not-found; then
		run -0 helm uninstall --ignore-not-found shop
	fi
}

@test "an install that fails leaves nothing if that is asked for" {
	local back=--rollback-on-failure
	[ "$major" != 3 ] || back=--atomic
	# Never ready.
	run -1 helm install --wait $back --timeout 3s shop "$chart" --set single=true,image=broken
	has "has been uninstalled due to" "$output"
	retry 20 has_pods 0
	run -1 kubectl get "${objects[@]}" -o name
	same "" "$(grep -v NotFound <<<"$output")"
	same "" "$(all_releases)"
	run -1 helm install --wait --timeout 30s shop "$chart" --set broken=pre-install
	has "failed pre-install" "$output"
	run -1 kubectl get cm shop
	same "failed" "$(helm status shop -o json | jq -r .info.status)"
	run -0 helm upgrade --install --wait --timeout 30s shop "$chart" --set broken=test
	run -1 helm test shop --logs
	has "shop-test" "$output"
	run -0 helm uninstall --wait shop
}

@test "a namespace that is made on the way, and releases kept in config maps" {
	run -0 helm install --create-namespace -n fresh --wait --timeout 30s shop "$chart" --set replicas=1
	same "fresh" "$(helm list -A -o json | jq -r '.[].namespace')"
	run -0 helm uninstall -n fresh shop
	HELM_DRIVER=configmap run -0 helm install --no-hooks mapped "$chart"
	same "deployed helm" "$(kubectl get cm sh.helm.release.v1.mapped.v1 -o 'jsonpath={.metadata.labels.status} {.metadata.labels.owner}')"
	same "" "$(helm list -q)"
	same mapped "$(HELM_DRIVER=configmap helm list -q)"
	HELM_DRIVER=configmap run -0 helm uninstall --no-hooks --wait mapped
}

@test "a release up to what a secret may be; more is told" {
	head -c 450000 /dev/urandom | base64 -w 0 >"$dir/large"
	run -0 helm install --no-hooks large "$chart" --set-file unused="$dir/large" --set replicas=0
	same 600000 "$(helm get values large -o json | jq '.unused | length')"
	run -0 helm uninstall --no-hooks large
	head -c 800000 /dev/urandom | base64 -w 0 >"$dir/large"
	run -1 helm install --no-hooks large "$chart" --set-file unused="$dir/large" --set replicas=0
	has "data: Too long: may not be more than 1048576 bytes" "$output"
	same "" "$(all_releases)"
	run -1 kubectl get cm large
}

@test "4 takes over what 3 installed, and lets go of it" {
	local four=$HELM manager
	[ "$major" != 3 ] || skip "only with 4"
	use_helm 1.31
	run -0 helm install --wait --timeout 30s shop "$chart"
	HELM=$four
	run -0 helm upgrade --wait --timeout 30s shop "$chart" --set greeting=four
	same four "$(field cm/shop .data.greeting)"
	run -0 helm upgrade --wait --timeout 30s --server-side=true --force-conflicts shop "$chart" --set greeting=applied
	same applied "$(field cm/shop .data.greeting)"
	manager=$(kubectl get cm shop --show-managed-fields -o json |
		jq -r '.metadata.managedFields[] | select(.fieldsV1["f:data"]["f:greeting"] != null) | "\(.manager) \(.operation)"')
	same "helm Apply" "$manager"
	run -0 helm upgrade --wait --timeout 30s --server-side=false shop "$chart" --set greeting=updated
	same updated "$(field cm/shop .data.greeting)"
	run -0 helm rollback --wait --timeout 30s shop 1
	same hello "$(field cm/shop .data.greeting)"
	run -0 helm uninstall --wait --timeout 30s shop
}
