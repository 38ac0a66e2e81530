#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A whole cluster that is stopped and started again, as Ctrl-C and the next
# `./bootstrap run` do: nothing is left in between, and then everything goes on.
source "$srcdir/tests/lib/functions.bash"
source "$srcdir/tests/lib/cluster.bash"

setup_file() {
	requires_containers
	make_dir
	use_kubectl 1.35
	start_cluster
}

teardown_file() {
	end_hosts
}

# of_pods: who they are, and how often their containers were started
of_pods() {
	kubectl get pods "$@" --sort-by=.metadata.name -o \
		'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[0].restartCount}{"\n"}{end}'
}

pods_are() {
	[ "$(of_pods "${@:2}")" = "$1" ]
}

all_are_ready() {
	[ "$(kubectl get pods -l app=nginx -o 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}')" = "True True" ]
}

# counts_runs NAME POLICY: each start leaves a line in its volume; TERM ends it with 0
counts_runs() {
	simple_pod "$1" 'echo run >>/data/runs; grep -c run /data/runs; trap "exit 0" TERM; sleep 600 & wait $!' \
		".spec.restartPolicy = \"$2\" | .spec.volumes = [{name: \"data\", emptyDir: {}}, {name: \"memory\", emptyDir: {medium: \"Memory\"}}] |
		.spec.containers[0].volumeMounts = [{name: \"data\", mountPath: \"/data\", subPath: \"below\"}, {name: \"memory\", mountPath: \"/memory\"}]"
}

restart_up() {
	stop_seconds=45 stop_daemon up
	is_clean one
	start_up
	retry 30 node_is_ready one
}

@test "pods that restart their containers are the same ones after a stop of everything" {
	local before
	kubectl create -f "$srcdir/config/examples/nginx-pod.yaml"
	kubectl create -f "$srcdir/config/examples/nginx-rc.yaml"
	create "$(counts_runs patient OnFailure)"
	retry 60 all_are_ready
	retry 30 logged 1 patient
	before=$(of_pods)
	same 3 "$(grep -c ' 0$' <<<"$before")"
	restart_up
	retry 60 all_are_ready
	retry 30 logged 2 patient
	retry 30 pods_are "$(sed "s/ 0$/ 1/" <<<"$before")"
	same Running "$(pod_says .status.phase nginx)"
	same nginx "$(curl -s "http://$(pod_says .status.podIP nginx)/")"
	same "serving on port 80" "$(kubectl logs nginx)"
	same "serving on port 80" "$(kubectl logs --previous nginx)"
	same "0 Completed" "$(pod_says '.status.containerStatuses[0].lastState.terminated | "\(.exitCode) \(.reason)"' patient)"
}

@test "pods that never do have failed, and what was over before stays readable" {
	create "$(simple_pod once 'trap "exit 0" TERM; echo begun; sleep 600 & wait $!' '.spec.restartPolicy = "Never"')"
	create "$(simple_pod over 'echo done' '.spec.restartPolicy = "Never"')"
	create "$(counts_runs twice OnFailure | jq '.spec.containers[0].command[2] = "[ ! -e /data/ran ] || exit 0; touch /data/ran; echo begun; sleep 600"')"
	retry 30 logged begun twice
	retry 30 logged begun once
	retry 30 pod_is Succeeded over
	restart_up
	same "Failed Terminated" "$(pod_says '.status | "\(.phase) \(.reason)"' once)"
	same Succeeded "$(pod_says .status.phase over)"
	retry 30 logged done over # the node counts as ready before its kubelet serves again
	same begun "$(log_of once)"
	retry 30 pod_is Succeeded twice
	same null "$(pod_says .status.reason twice)"
	retry 60 all_are_ready
	retry 30 pods_are "$(of_pods -l app=nginx | sed 's/ [0-9]*$/ 2/')" -l app=nginx
	kubectl delete pod once over twice patient nginx --grace-period=1
}
