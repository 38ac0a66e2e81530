#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Everyday commands of one real kubectl release, $KUBECTL_VERSION (1.35 if not
# set). Texts that differ between releases are matched where they agree.
source "$srcdir/tests/lib/functions.bash"

version=${KUBECTL_VERSION:-1.35}

setup_file() {
	make_dir
	use_kubectl "$version"
	start_apiserver
	write_files
}

# The document's own examples, with the odd indents that it has.
write_files() {
	cat >"$dir/nginx-pod.yaml" <<-'END'
		apiVersion: v1
		kind: Pod
		metadata:
		    name: nginx   #the name
		    labels:
		       app: nginx
		spec:
		    containers:
		    - name: nginx
		      image: nginx
		      ports:
		      - containerPort: 80
	END
	cat >"$dir/nginx-rc.yaml" <<-'END'
		apiVersion: v1
		kind: ReplicationController
		metadata:
		  name: nginx-controller
		spec:
		  replicas: 2
		  selector:
		    app: nginx
		  template:
		    metadata:
		      labels:
		        app: nginx
		    spec:
		      containers:
		      - name: nginx
		        image: nginx
		        ports:
		        - containerPort: 80
	END
	cat >"$dir/nginx-service.yaml" <<-'END'
		apiVersion: v1
		kind: Service
		metadata:
		  name: nginx-service
		spec:
		  type: NodePort
		  selector:
		    app: nginx
		  ports:
		  - port: 8000
		    targetPort: 80
		    protocol: TCP
		    nodePort: 30001
	END
}

# older MINOR: whether this kubectl is of before 1.MINOR
older() {
	[ "${version#1.}" -lt "$1" ]
}

# make_pod NAME [KEY=VALUE]: without a client, for the tests that need one
make_pod() {
	local labels=${2-app=$1}
	api DELETE "/api/v1/namespaces/default/pods/$1"
	api POST /api/v1/namespaces/default/pods \
		-d "$(pod "$1" "{\"${labels%=*}\":\"${labels#*=}\"}")"
	expect 201
}

get() {
	kubectl get "$@" -o jsonpath="{$path}"
}

# apart TEXT: each run of blanks is one, none at the end of a line
apart() {
	sed 's/  */ /g; s/ $//' <<<"$1"
}

# watching NAME WORDS...: that kubectl runs until it is ended; $watcher is its pid,
# $dir/NAME what it prints
watching() {
	local name=$1
	shift
	(cd "$dir" && exec setpriv --pdeathsig KILL "$KUBECTL" --server="$server" \
		--cache-dir="$dir/cache" "$@" >"$dir/$name" 2>&1 3>&-) &
	watcher=$!
}

# is_watching [COUNT]: so many watches are open; nobody else opens any here
is_watching() {
	[ "$(curl -sf "$server/metrics" |
		awk '/^apiserver_longrunning_requests/ { n += $NF } END { print n + 0 }')" = "${1-1}" ]
}

# end_watching PID...
end_watching() {
	kill "$@"
	wait "$@" 2>/dev/null || :
}

# rows: 64 114 122 123 127 129 130 139 146 182 183 219
@test "create -f: a pod, a controller and a service; get them in one table each" {
	run -0 kubectl create -f nginx-pod.yaml
	same "pod/nginx created" "$output"
	run -1 kubectl create -f nginx-pod.yaml
	same 'Error from server (AlreadyExists): error when creating "nginx-pod.yaml": pods "nginx" already exists' "$output"
	run -0 kubectl create -f nginx-rc.yaml -f nginx-service.yaml
	same "replicationcontroller/nginx-controller created
service/nginx-service created" "$output"
	run -0 kubectl get po,rc,svc
	[[ ${lines[0]} =~ ^NAME\ +READY\ +STATUS\ +RESTARTS\ +AGE$ ]]
	[[ ${lines[1]} =~ ^pod/nginx\ +0/1\ +Pending\ +0\ +[0-9]+s$ ]]
	[[ ${lines[2]} =~ ^NAME\ +DESIRED\ +CURRENT\ +READY\ +AGE$ ]]
	[[ ${lines[3]} =~ ^replicationcontroller/nginx-controller\ +2\ +0\ +0\ +[0-9]+s$ ]]
	[[ ${lines[4]} =~ ^NAME\ +TYPE\ +CLUSTER-IP\ +EXTERNAL-IP\ +PORT\(S\)\ +AGE$ ]]
	[[ ${lines[5]} =~ ^service/kubernetes\ +ClusterIP\ +10\.254\.0\.1\ +\<none\>\ +443/TCP\ +[0-9]+s$ ]]
	[[ ${lines[6]} =~ ^service/nginx-service\ +NodePort\ +10\.254\.[0-9]+\.[0-9]+\ +\<none\>\ +8000:30001/TCP\ +[0-9]+s$ ]]
	run -0 kubectl get pod nginx -o wide
	[[ ${lines[0]} =~ \ NODE\ +NOMINATED\ NODE\ +READINESS\ GATES$ ]]
	run -0 kubectl get pod nginx -o yaml
	has "apiVersion: v1
kind: Pod
metadata:" "$output"
	for word in "restartPolicy: Always" "dnsPolicy: ClusterFirst" "imagePullPolicy: Always" \
		"terminationGracePeriodSeconds: 30" "phase: Pending" "qosClass: BestEffort" "protocol: TCP"; do
		has "$word" "$output"
	done
	run -0 kubectl get pod nginx -o json
	same nginx "$(jq -r .spec.containers[0].image <<<"$output")"
	run -0 kubectl get pod nginx -o template --template='{{.metadata.name}}:{{.status.phase}}'
	same nginx:Pending "$output"
	run -0 kubectl get rc nginx-controller -o jsonpath='{.spec.replicas}'
	same 2 "$output"
	run -0 kubectl get all -o name
	has replicationcontroller/nginx-controller "$output"
}

# rows: 64
@test "create reads standard input, directories and lists" {
	mkdir -p "$dir/many"
	config_map from-dir-1 >"$dir/many/a.json"
	printf 'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: listed\n' >"$dir/many/b.yaml"
	run -0 kubectl create -f many
	same "configmap/from-dir-1 created
configmap/listed created" "$output"
	config_map piped >"$dir/piped"
	run -0 kubectl create -f - <"$dir/piped"
	same "configmap/piped created" "$output"
	run -0 kubectl delete cm from-dir-1 listed piped
}

# rows: 122 123 139 176
@test "get in every format" {
	local format
	make_pod shown-a set=shown
	api POST /api/v1/namespaces/default/pods -d "$(pod shown-b '{"set":"shown"}' |
		jq -c '.spec.containers[0].image="httpd"')"
	expect 201
	run -0 kubectl get pods -l set=shown -o json
	same "v1 List shown-a,shown-b" \
		"$(jq -r '"\(.apiVersion) \(.kind) " + ([.items[].metadata.name] | join(","))' <<<"$output")"
	same "v1 Pod nginx" \
		"$(jq -r '.items[0] | "\(.apiVersion) \(.kind) \(.spec.containers[0].image)"' <<<"$output")"
	run -0 kubectl get pod shown-b -o yaml
	has "
  - image: httpd
    imagePullPolicy: Always
    name: c
" "$output"
	run -0 kubectl get pods -l set=shown -o wide
	same "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES" "$(apart "${lines[0]}")"
	[[ ${lines[1]} =~ ^shown-a\ +0/1\ +Pending\ +0\ +[0-9]+s\ +\<none\>\ +\<none\>\ +\<none\>\ +\<none\>$ ]]
	same 3 "${#lines[@]}"
	printf '{range .items[*]}{.metadata.name}={.spec.containers[0].image};{end}' >"$dir/jsonpath"
	printf '{{range .items}}{{.metadata.name}}={{(index .spec.containers 0).image}};{{end}}' >"$dir/template"
	printf 'NAME IMAGES\n.metadata.name .spec.containers[*].image\n' >"$dir/columns"
	for format in "jsonpath=$(cat "$dir/jsonpath")" jsonpath-file=jsonpath \
		"go-template=$(cat "$dir/template")" go-template-file=template \
		"template=$(cat "$dir/template")" templatefile=template; do
		run -0 kubectl get pods -l set=shown -o "$format"
		same "shown-a=nginx;shown-b=httpd;" "$output"
	done
	run -0 kubectl get pods -l set=shown -o 'jsonpath-as-json={.items[*].metadata.name}'
	same '["shown-a","shown-b"]' "$(jq -c . <<<"$output")"
	for format in custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image \
		custom-columns-file=columns; do
		run -0 kubectl get pods -l set=shown -o "$format"
		same "NAME IMAGES
shown-a nginx
shown-b httpd" "$(apart "$output")"
	done
	run -0 kubectl get pods -l set=shown -o name
	same "pod/shown-a
pod/shown-b" "$output"
	run -0 kubectl get pods -l set=shown --show-labels
	[[ ${lines[0]} == *" LABELS" && ${lines[2]} == *" set=shown" ]]
	run -0 kubectl get pods -l set=shown --show-kind --no-headers
	[[ ${lines[0]} == "pod/shown-a "* && ${lines[1]} == "pod/shown-b "* ]]
	run -0 kubectl get pods -l set=shown --sort-by='{.spec.containers[0].image}' --no-headers
	[[ ${lines[0]} == "shown-b "* && ${lines[1]} == "shown-a "* ]]
	run -0 kubectl get pods -l set=shown --sort-by=.metadata.name -o name
	same "pod/shown-a
pod/shown-b" "$output"
	if ! older 35; then
		run -0 kubectl get pods -l set=shown -o kyaml
		has 'name: "shown-a",' "$output"
	fi
	run -1 kubectl get pods -o nonsense
	has 'unable to match a printer suitable for the output format "nonsense"' "$output"
	# What is shown can be made again.
	kubectl get pod shown-b -o yaml >"$dir/shown.yaml"
	run -0 kubectl delete pods -l set=shown
	run -0 kubectl create -f shown.yaml
	same "pod/shown-b created" "$output"
	run -0 kubectl delete -f shown.yaml
}

# rows: 122
@test "get -A, of several types, and of objects by type and name" {
	config_map shown-everywhere >"$dir/everywhere.json"
	run -0 kubectl create -n kube-public -f everywhere.json
	run -0 kubectl create -f everywhere.json
	run -0 kubectl get configmaps -A --field-selector=metadata.name=shown-everywhere
	same "NAMESPACE NAME DATA AGE" "$(apart "${lines[0]}")"
	[[ ${lines[1]} =~ ^default\ +shown-everywhere\ +1\ +[0-9]+s$ ]]
	[[ ${lines[2]} =~ ^kube-public\ +shown-everywhere\ +1\ +[0-9]+s$ ]]
	same 3 "${#lines[@]}"
	run -0 kubectl get cm,svc -A --no-headers
	[[ $output =~ kube-public\ +configmap/shown-everywhere\ +1\ + ]]
	[[ $output =~ default\ +service/kubernetes\ +ClusterIP\ + ]]
	run -0 kubectl get cm/shown-everywhere svc/kubernetes -o name
	same "configmap/shown-everywhere
service/kubernetes" "$output"
	run -1 kubectl get cm/shown-everywhere cm/nowhere
	[[ ${lines[1]} == "shown-everywhere "* ]]
	same 'Error from server (NotFound): configmaps "nowhere" not found' "${lines[2]}"
	run -0 kubectl get cm nowhere --ignore-not-found
	same "" "$output"
	run -0 kubectl get cm -n nowhere
	same "No resources found in nowhere namespace." "$output"
	run -0 kubectl delete -f everywhere.json
	run -0 kubectl delete -n kube-public -f everywhere.json
}

# Each kind is in its group's newest version, whatever this kubectl knows of it.
# Where describe asks for a version that is no more, it says what any server says.
@test "many kinds at once: create, their tables, apply, diff, describe, explain, delete" {
	local kind name line
	cp "$srcdir/tests/e2e/kinds.yaml" "$dir/kinds.yaml"
	run -0 kubectl create -f kinds.yaml
	same "$(grep -c '^kind:' "$dir/kinds.yaml")" "$(grep -c ' created$' <<<"$output")"
	has "deployment.apps/dep created" "$output"
	has "persistentvolume/pv created" "$output"
	run -0 kubectl get -f kinds.yaml -o wide
	same "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR
NAME READY AGE CONTAINERS IMAGES
NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE CONTAINERS IMAGES SELECTOR
NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR
NAME STATUS COMPLETIONS DURATION AGE CONTAINERS IMAGES SELECTOR
NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE CONTAINERS IMAGES SELECTOR
NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE
NAME CLASS HOSTS ADDRESS PORTS AGE
NAME POD-SELECTOR AGE
NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE
NAME CREATED AT
NAME ROLE AGE USERS GROUPS SERVICEACCOUNTS
NAME CREATED AT
NAME ROLE AGE USERS GROUPS SERVICEACCOUNTS
NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE
NAME CAPACITY ACCESS MODES RECLAIM POLICY STATUS CLAIM STORAGECLASS VOLUMEATTRIBUTESCLASS REASON AGE VOLUMEMODE
NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE VOLUMEMODE
NAME CREATED AT
NAME REQUEST LIMIT AGE
NAME AGE
NAME TYPE DATA AGE
NAME DATA AGE
NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY
NAME HOLDER AGE
NAME ADDRESSTYPE PORTS ENDPOINTS AGE
NAME ENDPOINTS AGE
NAME CONTAINERS IMAGES POD LABELS
NAME HANDLER AGE
NAME CONTROLLER PARAMETERS AGE" "$(apart "$(grep '^NAME ' <<<"$output")")"
	for line in 'deployment.apps/dep 0/2 0 0 [0-9]+s c nginx app=dep' \
		'job.batch/job Running 0/1 [0-9]+s c nginx batch.kubernetes.io/controller-uid=.*' \
		'cronjob.batch/cron \*/5 \* \* \* \* <none> False 0 <none> [0-9]+s c nginx <none>' \
		'horizontalpodautoscaler.autoscaling/hpa Deployment/dep cpu: <unknown>/50% 1 3 0 [0-9]+s' \
		'ingress.networking.k8s.io/ing <none> a.example.com 80 [0-9]+s' \
		'poddisruptionbudget.policy/pdb 1 N/A 0 [0-9]+s' \
		'rolebinding.rbac.authorization.k8s.io/rb Role/role [0-9]+s me' \
		'persistentvolume/pv 1Gi RWO Retain [A-Z][a-z]+ sc <unset> [0-9]+s Filesystem' \
		'endpointslice.discovery.k8s.io/eps IPv4 80 10.0.0.1 [0-9]+s'; do
		grep -qxE "$line" <<<"$(apart "$output")"
	done
	# The same, again and by the other way of applying, changes nothing.
	run -0 kubectl apply --server-side --force-conflicts -f kinds.yaml
	same "$(grep -c '^kind:' "$dir/kinds.yaml")" "$(grep -c ' serverside-applied$' <<<"$output")"
	run -0 kubectl diff --server-side -f kinds.yaml
	same "" "$(grep -v ^Warning: <<<"$output")"
	for kind in Deployment:dep StatefulSet:sts DaemonSet:ds ReplicaSet:rs Job:job NetworkPolicy:np \
		Role:role RoleBinding:rb ClusterRole:crole ClusterRoleBinding:crb StorageClass:sc \
		PersistentVolume:pv PersistentVolumeClaim:pvc LimitRange:lim ResourceQuota:quo \
		ServiceAccount:sa Secret:sec ConfigMap:cm PriorityClass:pc Lease:lease Endpoints:eep \
		PodTemplate:pt RuntimeClass:rc IngressClass:ic Ingress:ing \
		CronJob:cron PodDisruptionBudget:pdb EndpointSlice:eps HorizontalPodAutoscaler:hpa; do
		printf '%s/%s ' "${kind%:*}" "${kind#*:}"
	done >"$dir/kinds"
	# shellcheck disable=SC2046 # one word a kind
	run kubectl describe $(cat "$dir/kinds")
	for name in dep sts ds rs job np role rb crole crb sc pv pvc lim quo sa sec cm pc lease eep pt rc ic; do
		grep -qxE "Name: +$name" <<<"$output" || { printf 'no %s in %s\n' "$name" "$output" >&2; return 1; }
	done
	for line in 'Replicas: 2 desired | 0 updated | 0 total | 0 available | 0 unavailable' \
		'RollingUpdateStrategy: 25% max unavailable, 25% max surge' \
		'Allowing ingress traffic:' 'VolumeBindingMode: Immediate' 'Type: HostPath (bare host directory volume)' \
		'Container cpu - 1 1 1 -' 'a: 1 bytes' 'Holder Identity: me' 'Controller: example.com/x'; do
		has "$line" "$(apart "$output")"
	done
	if ! older 27; then
		same 0 "$status"
		for line in 'Schedule: */5 * * * *' '/ s:80 (' 'Min available: 1' '- Addresses: 10.0.0.1' \
			'resource cpu on pods (as a percentage of request): <unknown> / 50%'; do
			has "$line" "$(apart "$output")"
		done
	fi
	run -0 kubectl delete -f kinds.yaml
	same "$(grep -c '^kind:' "$dir/kinds.yaml")" "$(grep -c ' deleted' <<<"$output")"
	run -1 kubectl get -f kinds.yaml
	lacks "NAME" "$output"
}

@test "create namespace, configmap, secret, serviceaccount, quota" {
	run -0 kubectl create namespace made
	same "namespace/made created" "$output"
	run -0 kubectl create configmap made --from-literal=a=b
	same "configmap/made created" "$output"
	run -0 kubectl create secret generic made --from-literal=a=b
	same "secret/made created" "$output"
	run -0 kubectl create serviceaccount made
	same "serviceaccount/made created" "$output"
	run -0 kubectl create quota made --hard=pods=3
	same "resourcequota/made created" "$output"
	run -0 kubectl get cm/made secret/made sa/made quota/made -o name
	same "configmap/made
secret/made
serviceaccount/made
resourcequota/made" "$output"
	run -0 kubectl create service clusterip made --tcp=80:8080
	same "service/made created" "$output"
	run -0 kubectl create deployment made --image=nginx
	same "deployment.apps/made created" "$output"
	run -0 kubectl create job made --image=busybox -- date
	same "job.batch/made created" "$output"
	run -0 kubectl create role made --verb=get --resource=pods
	same "role.rbac.authorization.k8s.io/made created" "$output"
	run -0 kubectl create rolebinding made --role=made --user=me
	same "rolebinding.rbac.authorization.k8s.io/made created" "$output"
	run -0 kubectl create ingress made --rule=a.example.com/=made:80
	same "ingress.networking.k8s.io/made created" "$output"
	run -0 kubectl create priorityclass made --value=7
	same "priorityclass.scheduling.k8s.io/made created" "$output"
	if ! older 24; then
		run -0 kubectl create token made
		same 2 "$(tr -cd . <<<"$output" | wc -c)"
	fi
	run -0 kubectl delete cm/made secret/made sa/made quota/made svc/made deploy/made job/made \
		role/made rolebinding/made ingress/made priorityclass/made
}

@test "a dry run on either side makes nothing, and says what would be" {
	run -0 kubectl create configmap dry --from-literal=a=b --dry-run=client -o yaml
	has "
  name: dry" "$output"
	run -0 kubectl create configmap dry --from-literal=a=b --dry-run=server
	same "configmap/dry created (server dry run)" "$output"
	run -0 kubectl create configmap dry --from-literal=a=b --dry-run=server -o json
	[ "$(jq -r .metadata.uid <<<"$output")" != null ]
	config_map dry >"$dir/dry.json"
	run -0 kubectl apply --dry-run=server -f dry.json
	same "configmap/dry created (server dry run)" "$output"
	run -1 kubectl get cm dry
	run -0 kubectl create -f dry.json
	run -0 kubectl delete cm dry --dry-run=server
	[[ $output == 'configmap "dry" deleted'*' (server dry run)' ]]
	run -0 kubectl label cm dry a=b --dry-run=server
	run -0 kubectl patch cm dry -p '{"data":{"key":"changed"}}' --dry-run=server
	path=.data.key
	same value "$(get cm dry)"
	path=.metadata.labels
	same "" "$(get cm dry)"
	run -0 kubectl delete cm dry
}

# rows: 121
@test "describe a pod with its events" {
	make_pod described
	api GET /api/v1/namespaces/default/pods/described
	api POST /api/v1/namespaces/default/events -d "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"told.1\"},
		\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"default\",\"name\":\"described\",\"uid\":\"$(query .metadata.uid)\"},
		\"reason\":\"Told\",\"message\":\"a thing was told\",\"type\":\"Normal\",\"count\":3,
		\"source\":{\"component\":\"tester\"},\"firstTimestamp\":\"2026-01-01T00:00:00Z\",\"lastTimestamp\":\"2026-01-01T00:01:00Z\"}"
	expect 201
	run -0 kubectl describe pod described
	for word in "Name:         described" "Namespace:    default" "Labels:       app=described" \
		"Status:       Pending" "Image:        nginx" "QoS Class:        BestEffort" \
		"Events:" "Told" "tester  a thing was told" "(x3 over"; do
		# Columns are wider in some releases.
		has "$(tr -s ' ' <<<"$word")" "$(tr -s ' ' <<<"$output")"
	done
	run -0 kubectl get events
	[[ ${lines[0]} =~ ^LAST\ SEEN\ +TYPE\ +REASON\ +OBJECT\ +MESSAGE$ ]]
	[[ $output =~ Normal\ +Told\ +pod/described\ +a\ thing\ was\ told ]]
	run -1 kubectl describe pod nothing
	same 'Error from server (NotFound): pods "nothing" not found' "$output"
	run -0 kubectl delete pod described
}

# rows: 63
@test "describe takes a prefix of names" {
	make_pod prefix-one
	make_pod prefix-two
	run -0 kubectl describe pod prefix-
	has "prefix-one" "$output"
	has "prefix-two" "$output"
	run -0 kubectl delete pod prefix-one prefix-two
}

# rows: 195 218
@test "describe a controller and a service" {
	run -0 kubectl describe rc nginx-controller
	has "Replicas: 0 current / 2 desired" "$(tr -s ' ' <<<"$output")"
	has "Pods Status: 0 Running / 0 Waiting / 0 Succeeded / 0 Failed" "$(tr -s ' ' <<<"$output")"
	run -0 kubectl describe svc nginx-service
	for word in "Type: NodePort" "IP: 10.254." "NodePort: <unset> 30001/TCP" "Endpoints:" \
		"Session Affinity: None" "Port: <unset> 8000/TCP" "TargetPort: 80/TCP"; do
		has "$word" "$(tr -s ' ' <<<"$output")"
	done
}

# rows: 88 90 91
@test "scale a controller, also with the number it must have now" {
	run -0 kubectl scale rc nginx-controller --replicas=5
	same "replicationcontroller/nginx-controller scaled" "$output"
	run -1 kubectl scale rc nginx-controller --current-replicas=2 --replicas=6
	has "xpected replicas to be 2, was 5" "$output"
	path=.spec.replicas
	same 5 "$(get rc nginx-controller)"
	run -0 kubectl scale rc nginx-controller --current-replicas=5 --replicas=3
	same "replicationcontroller/nginx-controller scaled" "$output"
	same 3 "$(get rc nginx-controller)"
	run -0 kubectl scale -f nginx-rc.yaml --replicas=2
	same 2 "$(get rc nginx-controller)"
	run -0 kubectl create deployment scaled --image=nginx
	run -0 kubectl scale deployment scaled --replicas=4
	same "deployment.apps/scaled scaled" "$output"
	same 4 "$(get deployment scaled)"
	if ! older 24; then
		run -0 kubectl get deployment scaled --subresource=scale
		same "NAME DESIRED AVAILABLE AGE" "$(apart "${lines[0]}")"
		[[ ${lines[1]} =~ ^scaled\ +4\ +0\ +[0-9]+s$ ]]
		run -0 kubectl get deployment scaled --subresource=scale -o yaml
		has "kind: Scale" "$output"
	fi
	run -0 kubectl delete deployment scaled
	run -1 kubectl scale rc nginx-controller
	make_pod lonely
	run -1 kubectl scale pod lonely --replicas=2
	has "could not find the requested resource" "$output"
	run -0 kubectl delete pod lonely
}

# rows: 82 116 117 118 119 120
@test "label and annotate: set, refuse, overwrite, remove" {
	make_pod marked
	run -0 kubectl label pod marked zone=minion01
	same "pod/marked labeled" "$output"
	run -1 kubectl label pod marked zone=minion02
	same "error: 'zone' already has a value (minion01), and --overwrite is false" "$output"
	run -0 kubectl label --overwrite pod marked zone=minion02
	path=.metadata.labels.zone
	same minion02 "$(get pod marked)"
	run -0 kubectl label pod marked zone-
	same "" "$(get pod marked)"
	run -1 kubectl label pod marked
	has "at least one label update is required" "$output"
	run -1 kubectl label pod marked "zone=bad value"
	has "invalid label value" "$output"
	run -1 kubectl label pods --all --resource-version=1 a=b
	run -0 kubectl annotate pod marked note=one
	[[ $output == pod/marked\ annotate* ]]
	path=.metadata.annotations.note
	same one "$(get pod marked)"
	run -0 kubectl label pod marked --list
	same app=marked "$output"
	run -0 kubectl annotate pod marked --list
	same note=one "$output"
	run -0 kubectl annotate pod marked note-
	same "" "$(get pod marked)"
	# Nothing to change is no change.
	path=.metadata.resourceVersion
	revision=$(get pod marked)
	run -0 kubectl label --overwrite pod marked app=marked
	same "$revision" "$(get pod marked)"
	run -0 kubectl label pods -l app=marked tier=front
	same "pod/marked labeled" "$output"
	kubectl get pod marked -o yaml >"$dir/marked.yaml"
	run -0 kubectl annotate -f marked.yaml note=two
	path='.metadata.labels.tier}{.metadata.annotations.note'
	same fronttwo "$(get pod marked)"
	run -0 kubectl delete pod marked
}

# nbsp FILE LINE PATTERN WITH: the document's pod with no-break spaces ("_" in WITH)
nbsp() {
	sed "4s/nginx/pasted/; $2s/$3/$(sed 's/_/\xc2\xa0/g' <<<"$4")/" "$dir/nginx-pod.yaml" >"$dir/$1"
	grep -q $'\xc2\xa0' "$dir/$1"
}

# told FILE PATTERN: creating it is refused with these words, and nothing is made
told() {
	run -1 kubectl create -f "$dir/$1"
	[[ $output =~ $2 ]] || { printf '%s: %s\n' "$1" "$output" >&2; return 1; }
	run -1 kubectl get pod pasted
}

# The client reads the YAML: what it cannot parse it tells with the line. What it
# takes for a part of a name or of a text comes here, where the character is named.
# rows: 128
@test "no-break spaces that were pasted are told, and never another object" {
	local named='U\+00A0, a no-break space|\\u00a0'
	nbsp line.yaml 4 '^    name' '____name'
	told line.yaml 'yaml: line 4:'
	nbsp colon.yaml 4 'name: ' 'name:_'
	told colon.yaml 'yaml: line 4:'
	nbsp among.yaml 10 '^      ' '    _ '
	told among.yaml 'yaml: line 11:'
	nbsp label.yaml 6 '^       app' '    _  app'
	told label.yaml "unknown field.*($named)"
	nbsp image.yaml 10 'nginx$' 'nginx_'
	told image.yaml "spec.containers\\[0\\].image: Invalid value.*($named)"
	nbsp value.yaml 6 'nginx$' 'nginx_'
	told value.yaml "metadata.labels: Invalid value.*($named)"
	# As a browser copies it: every indent.
	awk '{ match($0, /^ */); for (i = 0; i < RLENGTH; i++) printf "\302\240"; print substr($0, RLENGTH + 1) }' \
		"$dir/nginx-pod.yaml" >"$dir/all.yaml"
	told all.yaml "unknown field.*($named)"
}

# rows: 143 176 178 179
@test "selectors: -l with every operator, -L, --field-selector" {
	make_pod picked app=web
	make_pod other app=db
	run -0 kubectl get pods -l app=web -o name
	same pod/picked "$output"
	run -0 kubectl get pods -l 'app!=web,app' -o name
	lacks pod/picked "$output"
	has pod/other "$output"
	run -0 kubectl get pods -l 'app in (web,db)' -o name
	same "pod/other
pod/picked" "$output"
	run -0 kubectl get pods -l 'app notin (web,db),app' -o name
	lacks pod/picked "$output"
	run -0 kubectl get pods -l '!app' -o name
	same "" "$output"
	run -0 kubectl get pods picked -L app
	[[ ${lines[0]} == *APP && ${lines[1]} == *web ]]
	run -0 kubectl get pods --field-selector=metadata.name=picked,status.phase=Pending -o name
	same pod/picked "$output"
	run -0 kubectl get pods --field-selector=status.phase=Successed
	has "No resources found" "$output"
	run -0 kubectl delete pods -l 'app in (web,db)'
	same 2 "$(grep -c deleted <<<"$output")"
}

# rows: 69 105 106 107 108
@test "patch: strategic, merge, JSON, and what it refuses" {
	make_pod valid-pod
	run -0 kubectl patch pod valid-pod -p '{"spec":{"containers":[{"name":"c","image":"new image"}]}}'
	same "pod/valid-pod patched" "$output"
	path=".spec.containers[*].image"
	same "new image" "$(get pod valid-pod)"
	run -0 kubectl patch pod valid-pod --type=merge -p '{"metadata":{"labels":{"merged":"1"}}}'
	run -0 kubectl patch pod valid-pod --type=json -p '[{"op":"replace","path":"/metadata/labels/merged","value":"2"}]'
	path=.metadata.labels.merged
	same 2 "$(get pod valid-pod)"
	run -1 kubectl patch pod valid-pod -p '{"spec":{"restartPolicy":"Never"}}'
	has 'The Pod "valid-pod" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`' "$output"
	run -1 kubectl patch pod valid-pod -p '{“spec”:{}}'
	has "U+201C" "$output"
	run -1 kubectl patch pod vaild-pod -p '{"metadata":{}}'
	has 'pods "vaild-pod" not found' "$output"
	run -1 kubectl patch pod valid-pod
	has "ust specify" "$output"
	run -0 kubectl patch pod valid-pod --type=merge -p '{"metadata":{"labels":{"merged":"2"}}}'
	same "pod/valid-pod patched (no change)" "$output"
	run -1 kubectl patch pod valid-pod --type=json -p '[{"op":"remove","path":"/metadata/labels/nothing"}]'
	run -1 kubectl patch pod valid-pod --type=json \
		-p '[{"op":"test","path":"/metadata/labels/merged","value":"3"},{"op":"remove","path":"/metadata/labels/merged"}]'
	path=.metadata.labels.merged
	same 2 "$(get pod valid-pod)"
	# By the key of a list: the other container stays.
	run -0 kubectl create deployment two --image=nginx
	run -0 kubectl patch deployment two -p '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"httpd"}]}}}}'
	path=".spec.template.spec.containers[*].name"
	same "side nginx" "$(get deployment two)"
	run -0 kubectl patch deployment two \
		-p '{"spec":{"template":{"spec":{"containers":[{"name":"side","$patch":"delete"}]}}}}'
	same nginx "$(get deployment two)"
	run -0 kubectl delete deployment two
	if ! older 24; then
		run -0 kubectl patch pod valid-pod --subresource=status --type=merge -p '{"status":{"message":"told"}}'
		same "pod/valid-pod patched" "$output"
		run -0 kubectl get pod valid-pod --subresource=status -o jsonpath='{.status.message}'
		same told "$output"
	fi
	run -0 kubectl delete pod valid-pod
}

# rows: 66 67
@test "replace, replace --force, and a stale version" {
	config_map replaced one >"$dir/replaced.json"
	run -0 kubectl create -f replaced.json
	config_map replaced two >"$dir/replaced.json"
	run -0 kubectl replace -f replaced.json
	same "configmap/replaced replaced" "$output"
	kubectl get cm replaced -o json >"$dir/stale.json"
	config_map replaced three >"$dir/replaced.json"
	run -0 kubectl replace -f replaced.json
	run -1 kubectl replace -f stale.json
	has 'Operation cannot be fulfilled on configmaps "replaced": the object has been modified; please apply your changes to the latest version and try again' "$output"
	run -0 kubectl replace --force -f replaced.json
	has "configmap/replaced replaced" "$output"
	run -0 kubectl delete -f replaced.json
}

@test "apply: create, nothing to do, change, remove a field; diff" {
	config_map applied one | jq '.data.more="x"' >"$dir/applied.json"
	run -0 kubectl apply -f applied.json
	same "configmap/applied created" "$output"
	run -0 kubectl apply -f applied.json
	same "configmap/applied unchanged" "$output"
	run -0 kubectl diff -f applied.json
	same "" "$output"
	config_map applied two >"$dir/applied.json"
	run -1 kubectl diff -f applied.json
	has "-  key: one" "$output"
	has "+  key: two" "$output"
	run -0 kubectl apply -f applied.json
	same "configmap/applied configured" "$output"
	path=.data
	same '{"key":"two"}' "$(get cm applied)"
	run -0 kubectl apply -f nginx-service.yaml
	run -0 kubectl apply -f nginx-service.yaml
	same "service/nginx-service unchanged" "$output"
	config_map unapplied >"$dir/unapplied.json"
	run -1 kubectl diff -f unapplied.json
	has "+  name: unapplied" "$output"
	run -1 kubectl get cm unapplied
	# Of an object that came another way.
	run -0 kubectl create -f unapplied.json
	run -0 kubectl apply -f unapplied.json
	has "missing the kubectl.kubernetes.io/last-applied-configuration annotation" "$output"
	same "configmap/unapplied configured" "${lines[-1]}"
	run -1 kubectl apply edit-last-applied cm/nothing
	mkdir -p "$dir/whole"
	printf 'resources: [../unapplied.json]\nnamePrefix: whole-\n' >"$dir/whole/kustomization.yaml"
	cp "$dir/unapplied.json" "$dir/whole/unapplied.json"
	sed -i 's|\.\./||' "$dir/whole/kustomization.yaml"
	run -0 kubectl apply -k whole
	same "configmap/whole-unapplied created" "$output"
	run -0 kubectl delete -k whole
	run -0 kubectl delete -f applied.json -f unapplied.json
}

# What conflicts and how they are told is in apply.bats.
@test "apply --server-side: create, again, conflicts, force, removal" {
	config_map server-side one | jq '.data.more="x"' >"$dir/server-side.json"
	run -0 kubectl apply --server-side -f server-side.json
	same "configmap/server-side serverside-applied" "$output"
	path=.metadata.resourceVersion
	revision=$(get cm server-side)
	run -0 kubectl apply --server-side -f server-side.json
	same "configmap/server-side serverside-applied" "$output"
	same "$revision" "$(get cm server-side)"
	config_map server-side two >"$dir/other.json"
	run -1 kubectl apply --server-side --field-manager=other -f other.json
	has 'Apply failed with 1 conflict: conflict with "kubectl": .data.key' "$output"
	run -0 kubectl apply --server-side --field-manager=other --force-conflicts -f other.json
	path=.data
	same '{"key":"two","more":"x"}' "$(get cm server-side)"
	# kubectl has only what is left to it, and takes it along.
	jq 'del(.data)' "$dir/server-side.json" >"$dir/less.json"
	run -0 kubectl apply --server-side -f less.json
	same '{"key":"two"}' "$(get cm server-side)"
	# A label is another manager's, by an update.
	run -0 kubectl label cm server-side l=1
	jq '.metadata.labels.l="2"' "$dir/less.json" >"$dir/label.json"
	run -1 kubectl apply --server-side -f label.json
	has 'conflict with "kubectl-label" using v1: .metadata.labels.l' "$output"
	run -0 kubectl apply --server-side --force-conflicts -f label.json
	path=.metadata.labels.l
	same 2 "$(get cm server-side)"
	run -0 kubectl apply --server-side --dry-run=server -f other.json
	has "serverside-applied (server dry run)" "$output"
	run -1 kubectl diff --server-side --force-conflicts -f server-side.json
	has "-  key: two" "$output"
	has "+  key: one" "$output"
	path=.data
	same '{"key":"two"}' "$(get cm server-side)"
	if ! older 21; then
		run -0 kubectl get cm server-side -o yaml
		lacks managedFields "$output"
		run -0 kubectl get cm server-side -o yaml --show-managed-fields
		has "manager: other" "$output"
	fi
	run -0 kubectl delete cm server-side
}

@test "from client-side apply to server-side apply, and back" {
	config_map migrated one | jq '.data.more="x"' >"$dir/migrated.json"
	run -0 kubectl apply -f migrated.json
	run -0 kubectl apply view-last-applied cm/migrated
	has "more: x" "$output"
	config_map migrated two >"$dir/migrated.json"
	run -0 kubectl apply --server-side -f migrated.json
	path=.data
	same two "$(get cm migrated | jq -r .key)"
	# The releases that move what the other way of applying managed take it out, too.
	older 26 || same '{"key":"two"}' "$(get cm migrated)"
	run -0 kubectl apply view-last-applied cm/migrated
	lacks "more: x" "$output"
	run -0 kubectl apply -f migrated.json
	run -0 kubectl delete cm migrated
}

@test "edit with an editor that is a program" {
	make_pod edited
	EDITOR="sed -i 's/image: nginx/image: httpd/'" KUBE_EDITOR="sed -i s/image:.nginx/image:\ httpd/" \
		run -0 kubectl edit pod edited
	same "pod/edited edited" "$output"
	path=".spec.containers[0].image"
	same httpd "$(get pod edited)"
	KUBE_EDITOR="true" run -0 kubectl edit pod edited
	has "no changes" "$output"
	# What the server refuses is kept for the user, with the reason in it.
	mkdir -p "$dir/tmp"
	TMPDIR=$dir/tmp KUBE_EDITOR="sed -i s/restartPolicy:.Always/restartPolicy:\ Never/" \
		run -1 kubectl edit pod edited
	has "A copy of your changes has been stored to" "$output"
	grep -qF 'pods "edited" was not valid' "$dir"/tmp/kubectl-edit-*
	grep -qF 'pod updates may not change fields other than' "$dir"/tmp/kubectl-edit-*
	api POST /api/v1/namespaces/default/configmaps -d "$(config_map edited)"
	KUBE_EDITOR='sed -i s/"value"/"other"/' run -0 kubectl edit -o json cm/edited
	same other "$(jq -r .data.key <<<"$output")"
	printf '#!/bin/sh\nexec sed -i "s/^metadata:/&\\n  labels: {by: edit}/" "$1"\n' >"$dir/editor"
	chmod +x "$dir/editor"
	KUBE_EDITOR=$dir/editor run -0 kubectl edit cm/edited
	same "configmap/edited edited" "$output"
	path='.data.key}{.metadata.labels.by'
	same otheredit "$(get cm edited)"
	run -0 kubectl delete pod/edited cm/edited
}

@test "wait for a condition and for a deletion" {
	make_pod awaited
	api PATCH /api/v1/namespaces/default/pods/awaited/status -H 'Content-Type: application/merge-patch+json' \
		-d '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}'
	expect 200
	run -0 kubectl wait --for=condition=Ready pod/awaited --timeout=10s
	same "pod/awaited condition met" "$output"
	run -1 kubectl wait --for=condition=Initialized pod/awaited --timeout=1s
	has "timed out waiting for the condition" "$output"
	# Before it is so.
	watching waited wait --for=condition=Ready=False pod -l app=awaited --timeout=30s
	retry 10 is_watching
	api PATCH /api/v1/namespaces/default/pods/awaited/status -H 'Content-Type: application/strategic-merge-patch+json' \
		-d '{"status":{"conditions":[{"type":"Ready","status":"False"}]}}'
	wait "$watcher"
	same "pod/awaited condition met" "$(cat "$dir/waited")"
	if ! older 23; then
		run -0 kubectl wait --for=jsonpath='{.status.phase}'=Running pod/awaited --timeout=10s
		same "pod/awaited condition met" "$output"
		run -1 kubectl wait --for=jsonpath='{.status.phase}'=Failed pod/awaited --timeout=1s
		has "timed out waiting for the condition" "$output"
	fi
	if ! older 31; then
		run -0 kubectl wait --for=jsonpath='{.status.phase}' pod/awaited --timeout=10s
		run -0 kubectl wait --for=create pod/awaited --timeout=10s
	fi
	watching waited wait --for=delete pod/awaited --timeout=30s
	retry 10 is_watching
	run -0 kubectl delete pod awaited
	wait "$watcher"
	same "pod/awaited condition met" "$(cat "$dir/waited")"
	if ! older 21; then
		run -0 kubectl wait --for=delete pod/awaited --timeout=10s
	fi
}

@test "get -w shows what happens, --watch-only no more than that, with the kind of event" {
	local all only events
	make_pod watched
	watching all get pods -w -l app=watched
	all=$watcher
	retry 10 grep -q '^watched ' "$dir/all"
	watching only get pods --watch-only -l app=watched
	only=$watcher
	watching events get pods -w --output-watch-events -l app=watched
	events=$watcher
	retry 10 grep -q '^ADDED ' "$dir/events"
	retry 10 is_watching 3
	api PATCH /api/v1/namespaces/default/pods/watched/status -H 'Content-Type: application/merge-patch+json' \
		-d '{"status":{"phase":"Running"}}'
	retry 10 grep -qE '^watched +0/1 +Running' "$dir/all"
	retry 10 grep -qE '^watched +0/1 +Running' "$dir/only"
	retry 10 grep -qE '^MODIFIED +watched +0/1 +Running' "$dir/events"
	api DELETE /api/v1/namespaces/default/pods/watched -d '{"gracePeriodSeconds":0}'
	expect 200
	retry 10 grep -qE '^DELETED +watched ' "$dir/events"
	end_watching "$all" "$only" "$events"
	same "NAME READY STATUS RESTARTS AGE" "$(apart "$(sed -n 1p "$dir/all")")"
	same 1 "$(grep -c ^NAME "$dir/all")"
	same "EVENT NAME READY STATUS RESTARTS AGE" "$(apart "$(sed -n 1p "$dir/events")")"
	lacks Pending "$(cat "$dir/only")"
	# As documents.
	make_pod watched
	watching documents get pod watched -w -o json --output-watch-events
	retry 10 grep -q ADDED "$dir/documents"
	retry 10 is_watching
	api DELETE /api/v1/namespaces/default/pods/watched -d '{"gracePeriodSeconds":0}'
	retry 10 grep -q DELETED "$dir/documents"
	end_watching "$watcher"
	same "ADDED watched
DELETED watched" "$(jq -r '"\(.type) \(.object.metadata.name)"' "$dir/documents")"
}

@test "--chunk-size reads a list in pages" {
	local i
	for i in $(seq 7); do
		api POST /api/v1/namespaces/default/configmaps -d "$(config_map "chunk-$i" | jq -c '.metadata.labels={chunk:"1"}')"
	done
	run -0 kubectl get cm -l chunk=1 --chunk-size=2 -o name
	same 7 "${#lines[@]}"
	run -0 kubectl get cm -l chunk=1 --chunk-size=2 -o name -v=6
	same 4 "$(grep -c 'limit=2' <<<"$output")"
	same 3 "$(grep -c 'continue=' <<<"$output")"
	run -0 kubectl get cm -l chunk=1 --chunk-size=0 -o name
	same 7 "${#lines[@]}"
	run -0 kubectl get cm -l chunk=1 --chunk-size=3
	same 8 "${#lines[@]}"
	run -0 kubectl delete cm -l chunk=1
}

@test "get --raw, and the sort and column flags" {
	run -0 kubectl get --raw /version
	same v1.36.2+coxswain "$(jq -r .gitVersion <<<"$output")"
	run -0 kubectl get --raw /readyz
	same ok "$output"
	run -0 kubectl get --raw '/api/v1/namespaces/default/services?limit=1'
	same "ServiceList 1" "$(jq -r '"\(.kind) \(.items | length)"' <<<"$output")"
	run -0 kubectl get --raw /openapi/v2
	same 2.0 "$(jq -r .swagger <<<"$output")"
	config_map raw >"$dir/raw.json"
	run -0 kubectl create --raw /api/v1/namespaces/default/configmaps -f raw.json
	same raw "$(jq -r .metadata.name <<<"$output")"
	config_map raw other >"$dir/raw.json"
	run -0 kubectl replace --raw /api/v1/namespaces/default/configmaps/raw -f raw.json
	same other "$(jq -r .data.key <<<"$output")"
	run -0 kubectl delete --raw /api/v1/namespaces/default/configmaps/raw
	same Success "$(jq -r .status <<<"$output")"
	run -0 kubectl get ns --sort-by=.metadata.name -o custom-columns=N:.metadata.name,P:.status.phase
	[[ ${lines[1]} =~ ^default\ +Active$ ]]
	run -0 kubectl get pods -A --no-headers
}

# rows: 85
@test "api-versions and api-resources" {
	run -0 kubectl api-versions
	has "coordination.k8s.io/v1" "$output"
	same v1 "${lines[-1]}"
	run -0 kubectl api-resources
	[[ $output =~ $'\n'pods\ +po\ +v1\ +true\ +Pod ]]
	[[ $output =~ $'\n'replicationcontrollers\ +rc\ +v1\ +true\ +ReplicationController ]]
	run -0 kubectl api-resources --namespaced=false -o name
	has nodes "$output"
	lacks pods "$output"
	run -0 kubectl api-resources --api-group=apps --no-headers
	same "controllerrevisions apps/v1 true ControllerRevision
daemonsets ds apps/v1 true DaemonSet
deployments deploy apps/v1 true Deployment
replicasets rs apps/v1 true ReplicaSet
statefulsets sts apps/v1 true StatefulSet" "$(apart "$output")"
	run -0 kubectl api-resources --api-group=apps -o wide --no-headers
	[[ $output =~ "create"[,\ ]"delete"[,\ ]"deletecollection"[,\ ]"get"[,\ ]"list"[,\ ]"patch"[,\ ]"update"[,\ ]"watch" ]]
	run -0 kubectl api-resources --verbs=create --namespaced=false -o name
	has selfsubjectaccessreviews.authorization.k8s.io "$output"
	lacks componentstatuses "$output"
}

# rows: 115
@test "short names" {
	local name
	for name in po rc svc no ev ep cs limits pv pvc quota ns sa cm; do
		run -0 kubectl get "$name"
	done
}

# rows: 61
@test "an unknown type, and minions" {
	# rows: 19
	run -1 kubectl get minions
	same "error: the server doesn't have a resource type \"minions\"" "$output"
}

# rows: 148
@test "explain" {
	run -0 kubectl explain pod.spec.containers
	has "image" "$output"
	has "volumeMounts" "$output"
	run -0 kubectl explain rc.spec.replicas
	has "<integer>" "$output"
	run -1 kubectl explain pod.spec.nothing
	has 'field "nothing" does not exist' "$output"
	run -0 kubectl explain pod.spec.nodeName
	has "The node that it runs on" "$(tr -s ' \n' ' ' <<<"$output")"
	run -0 kubectl explain pod --recursive
	for line in "FIELDS:" "spec <" "containers <[]" "livenessProbe <" "httpGet <" "scheme <string>"; do
		has "$line" "$(tr -s '\t ' ' ' <<<"$output")"
	done
	run -0 kubectl explain deployment.spec.strategy
	has "rollingUpdate" "$output"
	run -0 kubectl explain hpa --api-version=autoscaling/v1
	has "Keeps the number of pods in step with their use of the processor." "$(tr -s ' \n' ' ' <<<"$output")"
	[[ $output =~ VERSION:\ +(autoscaling/)?v1$'\n' ]]
	run -0 kubectl explain hpa.spec --api-version=autoscaling/v2
	has metrics "$output"
	run -0 kubectl explain hpa.spec --api-version=autoscaling/v1
	has targetCPUUtilizationPercentage "$output"
	run -1 kubectl explain hpa --api-version=autoscaling/v9
	has "couldn't find resource for \"autoscaling/v9" "$output"
	run -1 kubectl explain nosuch
	has "the server doesn't have a resource type \"nosuch\"" "$output"
}

# Until there are metrics, and ways into containers.
@test "top, exec, attach, cp and logs of a pod without a node are refused with reasons" {
	local words
	make_pod idle
	run -1 kubectl top node
	same "error: Metrics API not available" "$output"
	run -1 kubectl top pod
	same "error: Metrics API not available" "$output"
	for words in "exec idle -- ls" "cp idle:/etc/hosts hosts" "attach idle"; do
		# shellcheck disable=SC2086 # words
		run -1 kubectl $words
		[[ $output =~ (Error\ from\ server \(MethodNotAllowed\)|unable to upgrade connection):\ pods/(exec|attach)\ is\ not\ offered\ by\ this\ server ]]
	done
	run -1 kubectl logs idle
	same "Error from server (BadRequest): pod idle does not have a host assigned" "$output"
	run -0 kubectl delete pod idle
}

# rows: 84 86 255
@test "cluster-info and version" {
	run -0 kubectl cluster-info
	has "$server" "$output"
	run -0 kubectl version -o json
	same v1.36.2+coxswain "$(jq -r .serverVersion.gitVersion <<<"$output")"
	run -1 kubectl --match-server-version get pods
	has "server version" "$output"
}

# rows: 126
@test "a server that is not there" {
	local server
	server=http://127.0.0.1:$(free_port)
	run -1 kubectl get pods
	has "The connection to the server ${server#http://} was refused - did you specify the right host or port?" "$output"
}

# rows: 81
@test "expose makes a service with the object's selector" {
	run -0 kubectl expose rc nginx-controller --port=80 --name=exposed
	same "service/exposed exposed" "$output"
	path=.spec.selector
	same '{"app":"nginx"}' "$(get svc exposed)"
	api POST /api/v1/namespaces/default/pods -d "$(pod bare)"
	run -1 kubectl expose pod bare --port=80
	has "has no labels" "$output"
	run -0 kubectl delete svc/exposed pod/bare
}

@test "run, cordon, taint, auth" {
	run -0 kubectl run runner --image=nginx --restart=Never
	same "pod/runner created" "$output"
	run -0 kubectl delete pod runner
	api POST /api/v1/nodes -d '{"apiVersion":"v1","kind":"Node","metadata":{"name":"worker"}}'
	run -0 kubectl cordon worker
	same "node/worker cordoned" "$output"
	run -0 kubectl get node worker
	has "SchedulingDisabled" "$output"
	run -0 kubectl uncordon worker
	run -0 kubectl taint node worker a=b:NoSchedule
	same "node/worker tainted" "$output"
	run -0 kubectl describe node worker
	has "a=b:NoSchedule" "$output"
	run -0 kubectl drain worker --force
	run -0 kubectl delete node worker
	run -0 kubectl auth can-i create pods
	same yes "$output"
}

# rows: 157 160 166 169 171 177
@test "misspelt fields are refused, with the right name where the server says it" {
	local line wrong right
	while read -r wrong right line; do
		printf 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: wrong\n%b' "$line" >"$dir/wrong.yaml"
		run -1 kubectl create -f wrong.yaml
		has "$wrong" "$output"
		if ! older 27; then
			has "unknown field \"" "$output"
			has "did you mean \"$right\"" "$output"
		fi
	done <<-'END'
		lables labels \x20 lables: {a: b}\nspec:\n  containers: [{name: c, image: i}]\n
		Volumes volumes spec:\n  containers: [{name: c, image: i}]\n  Volumes: [{name: v, emptyDir: {}}]\n
		VolumeMounts volumeMounts spec:\n  containers: [{name: c, image: i, VolumeMounts: [{name: v, mountPath: /a}]}]\n  volumes: [{name: v, emptyDir: {}}]\n
		mountpath mountPath spec:\n  containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /b, mountpath: /a}]}]\n  volumes: [{name: v, emptyDir: {}}]\n
		hostpath hostPath spec:\n  containers: [{name: c, image: i}]\n  volumes: [{name: v, hostpath: {path: /a}}]\n
		awkElasticBlockStore awsElasticBlockStore spec:\n  containers: [{name: c, image: i}]\n  volumes: [{name: v, awkElasticBlockStore: {volumeID: a}}]\n
		secrets secret spec:\n  containers: [{name: c, image: i}]\n  volumes: [{name: v, secrets: {secretName: a}}]\n
	END
	run kubectl get pod wrong
	same 'Error from server (NotFound): pods "wrong" not found' "$output"
}

# rows: 113 217
@test "a service port without a nodePort passes validation" {
	printf 'apiVersion: v1\nkind: Service\nmetadata: {name: plain}\nspec:\n  ports: [{port: 80}]\n' >"$dir/plain.yaml"
	run -0 kubectl create -f plain.yaml --validate=true
	same "service/plain created" "$output"
	run -0 kubectl delete svc plain
}

# rows: 109
@test "delete by name, file, selector, and all" {
	make_pod one group=g
	make_pod two group=g
	make_pod three group=h
	run -0 kubectl delete pod one
	[[ $output == 'pod "one" deleted'* ]]
	run -1 kubectl get pod one
	same 'Error from server (NotFound): pods "one" not found' "$output"
	run -0 kubectl delete pods -l group=g
	run -0 kubectl delete -f nginx-pod.yaml
	run -0 kubectl delete pods --all
	has '"three" deleted' "$output"
	run -0 kubectl get pods
	has "No resources found" "$output"
	run -0 kubectl delete rc,svc -l app=nginx
	run -0 kubectl delete svc nginx-service
	run -1 kubectl delete pod nothing
	same 'Error from server (NotFound): pods "nothing" not found' "$output"
	run -0 kubectl delete pod nothing --ignore-not-found
	same "" "$output"
}

# owned NAME: a controller without its pods' controller, and one pod of its own
owned() {
	api POST /api/v1/namespaces/default/replicationcontrollers \
		-d "{\"apiVersion\":\"v1\",\"kind\":\"ReplicationController\",\"metadata\":{\"name\":\"$1\"},\"spec\":{\"replicas\":1,
		\"template\":{\"metadata\":{\"labels\":{\"app\":\"$1\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"
	expect 201
	api POST /api/v1/namespaces/default/pods -d "$(pod "$1" "{\"app\":\"$1\"}" |
		jq -c --arg uid "$(query .metadata.uid)" --arg name "$1" '.metadata.ownerReferences = [{apiVersion: "v1",
			kind: "ReplicationController", $name, $uid, controller: true, blockOwnerDeletion: true}]')"
	expect 201
}

is_gone() {
	api GET "/api/v1/namespaces/default/$1"
	[ "$code" = 404 ]
}

# The garbage collector runs later here, so that it is seen what each asks of it.
# rows: 70 71
@test "delete --cascade: background, foreground, orphan" {
	local name
	for name in background foreground orphan default; do
		owned $name
	done
	path='.metadata.finalizers[*]'
	run -0 kubectl delete rc default
	run -0 kubectl delete rc background --cascade=background
	[[ $output == 'replicationcontroller "background" deleted'* ]]
	run -1 kubectl get rc background default
	for name in foreground:foregroundDeletion orphan:orphan; do
		run -0 kubectl delete rc "${name%:*}" "--cascade=${name%:*}" --wait=false
		same "${name#*:}" "$(get rc "${name%:*}")"
	done
	if older 21; then
		# As it was said before.
		owned old
		run -0 kubectl delete rc old --cascade=false --wait=false
		same orphan "$(get rc old)"
	fi
	run -0 kubectl get pods background foreground orphan default
	start_controller_manager --leader-elect=false --secure-port=0 --controllers=garbagecollector
	for name in pods/background pods/default pods/foreground \
		replicationcontrollers/foreground replicationcontrollers/orphan; do
		retry 20 is_gone $name
	done
	path='.metadata.ownerReferences'
	same "" "$(get pod orphan)"
	# While it runs, kubectl waits for it.
	owned again
	run -0 kubectl delete rc again --cascade=foreground
	is_gone pods/again
	stop_daemon controller-manager
	run -0 kubectl delete pods --all
}

# rows: 60 62 65 87
@test "help, and what is said to commands that lack something" {
	# Before any server is asked.
	run -0 "$KUBECTL" help create
	has "Usage:" "$output"
	has "--filename" "$output"
	same "$output" "$("$KUBECTL" create -h)"
	run -1 kubectl get
	has "You must specify the type of resource to get" "$output"
	run -1 kubectl create
	has "must specify one of -f and -k" "$output"
	run -1 "$KUBECTL" frobnicate
	has 'unknown command "frobnicate" for "kubectl"' "$output"
}

# rows: 253
@test "what this server does not have is said so" {
	run -1 kubectl get --raw /apis/future.example/v7/namespaces/default/things
	has "the server could not find the requested resource" "$output"
	printf 'apiVersion: future.example/v7\nkind: Thing\nmetadata:\n  name: x\n' >"$dir/thing.yaml"
	run -1 kubectl create -f "$dir/thing.yaml"
	has 'no matches for kind "Thing" in version "future.example/v7"' "$output"
}

# rows: 83
@test "config: clusters, contexts and credentials, seen by every other command" {
	local file=$dir/kubeconfig
	! older 27 || skip "this build of kubectl crashes when it writes a second entry"
	# The server comes from the file this time.
	from_file() {
		(cd "$dir" && timeout 60 "$KUBECTL" --kubeconfig="$file" --cache-dir="$dir/cache" "$@")
	}
	from_file config set-cluster here --server="$server"
	from_file config set-credentials me --token=secret
	from_file config set-context work --cluster=here --user=me --namespace=kube-public
	from_file config use-context work
	from_file config view | grep -qx "    server: $server"
	same work "$(from_file config current-context)"
	run -0 from_file create configmap from-file --from-literal=a=b
	api GET /api/v1/namespaces/kube-public/configmaps/from-file
	expect 200
	from_file config set contexts.work.namespace default
	run -1 from_file get configmap from-file
	has 'configmaps "from-file" not found' "$output"
	from_file config unset contexts.work.namespace
	run -1 grep -q 'namespace: default' "$file"
	api DELETE /api/v1/namespaces/kube-public/configmaps/from-file
	expect 200
}

# rows: 78
@test "proxy: the API on a local port" {
	local port pid
	make_pod proxied
	(cd "$dir" && exec setpriv --pdeathsig KILL "$KUBECTL" --server="$server" \
		--cache-dir="$dir/cache" proxy --port=0 >"$dir/proxy.out" 2>&1 3>&-) &
	pid=$!
	retry 20 grep -q 'Starting to serve on' "$dir/proxy.out"
	port=$(sed -n 's/^Starting to serve on .*://p' "$dir/proxy.out")
	same proxied "$(curl -s "http://127.0.0.1:$port/api/v1/namespaces/default/pods/proxied" |
		jq -r .metadata.name)"
	# A watch goes through it, too.
	same ADDED "$(curl -sN --max-time 20 \
		"http://127.0.0.1:$port/api/v1/namespaces/default/pods?watch=true&timeoutSeconds=1" |
		jq -r 'select(.object.metadata.name == "proxied").type' | head -1)"
	kill "$pid"
	wait "$pid" 2>/dev/null || :
}
