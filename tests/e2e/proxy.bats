#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kube-proxy in its userspace mode, on a node of the test's own: one network
# namespace is the node (192.168.1.124), one holds two pods (172.18.0.9 and .10),
# one is a machine outside (192.168.1.50). The tests use one service after the
# other and run in their order.
source "$srcdir/tests/lib/functions.bash"

services=/api/v1/namespaces/default/services
endpoints=/api/v1/namespaces/default/endpoints
address=10.254.217.168

# The library's requests come from the node.
curl() {
	on node "$(type -P curl)" "$@"
}

on() {
	ip netns exec "$ns-$1" "${@:2}"
}

make_network() {
	local name
	for name in node pods world; do
		ip netns add "$ns-$name"
		on "$name" ip link set lo up
	done
	on node ip link add pods type veth peer name eth0 netns "$ns-pods"
	on node ip link add eth0 type veth peer name eth0 netns "$ns-world"
	on node ip address add 172.18.0.1/16 dev pods
	on node ip address add 192.168.1.124/24 dev eth0
	on node ip link set pods up
	on node ip link set eth0 up
	on node ip route add default via 192.168.1.50
	on pods ip address add 172.18.0.9/16 dev eth0
	on pods ip address add 172.18.0.10/16 dev eth0
	on pods ip link set eth0 up
	on pods ip route add default via 172.18.0.1
	on world ip address add 192.168.1.50/24 dev eth0
	on world ip link set eth0 up
}

# start_on NAME NAMESPACE COMMAND...
start_on() {
	start_daemon "$1" ip netns exec "$ns-$2" "${@:3}"
}

# shellcheck disable=SC2016
# pod_server NAME ADDRESS: says its name at /name and who asks at /cgi-bin/peer
pod_server() {
	mkdir -p "$dir/$1/cgi-bin"
	printf '%s' "$1" >"$dir/$1/name"
	head -c 20000000 /dev/zero >"$dir/$1/big"
	printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n$REMOTE_ADDR"\n' \
		>"$dir/$1/cgi-bin/peer"
	chmod -R a+rx "$dir/$1"
	start_on "$1" pods busybox httpd -f -p "$2:80" -h "$dir/$1"
}

start_proxy() {
	start_on proxy node "$dir/kube-proxy" --plugin-dir="$plugins" --master="$server" \
		--healthz-port=10249 --iptables-sync-period=500ms "$@"
	retry 10 curl -sf -o "$dir/ready" http://127.0.0.1:10249/readyz
}

setup_file() {
	requires busybox ip iptables
	make_dir
	chmod 755 "$dir" # pods run as nobody
	ns=cxp-$$
	export ns
	make_network
	printf '#!/bin/sh\nexec ip netns exec %s-node %s "$@"\n' "$ns" "$program" >"$dir/coxswain"
	chmod +x "$dir/coxswain"
	ln -s "$program" "$dir/kube-proxy"
	program=$dir/coxswain start_apiserver --advertise-address=192.168.1.124
	pod_server nine 172.18.0.9
	pod_server ten 172.18.0.10
	start_on echo pods "$builddir/tests/e2e/udp_echo" 172.18.0.9 53
	start_proxy
}

teardown_file() {
	local status=0 name
	for name in nine ten echo; do
		kill_daemon "$name"
	done
	clean_up || status=1
	for name in node pods world; do
		ip netns delete "$ns-$name" || status=1
	done
	return "$status"
}

# service NAME SPEC
service() {
	printf '{"apiVersion":"v1","kind":"Service","metadata":{"name":"%s"},"spec":%s}' "$1" "$2"
}

# endpoints_of NAME PORT-JSON IP...
endpoints_of() {
	local name=$1 port=$2 list='' ip
	shift 2
	for ip; do
		list="$list${list:+,}{\"ip\":\"$ip\"}"
	done
	printf '{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"%s"},' "$name"
	printf '"subsets":[%s]}' "${list:+{\"addresses\":[$list],\"ports\":[$port]\}}"
}

# rules CHAIN SERVICE: as iptables-save has them
rules() {
	on node "${iptables:-iptables}-save" -t nat | grep -- "^-A $1 .*\"$2" || :
}

local_port() {
	rules KUBE-PORTALS-CONTAINER "$1" | sed -n 's/.*--to-ports //p' | head -n 1
}

has_rules() {
	[ -n "$(rules "$1" "$2")" ]
}

lacks_rules() {
	[ -z "$(rules "$1" "$2")" ]
}

answers() {
	same "$1" "$(on "${@:2:1}" "$(type -P curl)" -s --max-time 5 "${@:3}")"
}

# rows: 249 261 262
@test "the chains and where they hang" {
	same ":KUBE-NODEPORT-CONTAINER - [0:0]
:KUBE-NODEPORT-HOST - [0:0]
:KUBE-PORTALS-CONTAINER - [0:0]
:KUBE-PORTALS-HOST - [0:0]" "$(on node iptables-save -t nat | grep ':KUBE' | sort)"
	same '-A PREROUTING -m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules" -j KUBE-PORTALS-CONTAINER
-A PREROUTING -m addrtype --dst-type LOCAL -m comment --comment "handle service NodePorts; NOTE: this must be the last rule in the chain" -j KUBE-NODEPORT-CONTAINER' \
		"$(on node iptables-save -t nat | grep '^-A PREROUTING')"
	same '-A OUTPUT -m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules" -j KUBE-PORTALS-HOST
-A OUTPUT -m addrtype --dst-type LOCAL -m comment --comment "handle service NodePorts; NOTE: this must be the last rule in the chain" -j KUBE-NODEPORT-HOST' \
		"$(on node iptables-save -t nat | grep '^-A OUTPUT')"
	# Nothing but the nat table is touched.
	same "" "$(on node iptables-save -t filter | grep KUBE)"
}

# rows: 263 264 265 266 267
@test "the four rules of a service with a node port" {
	local port
	api POST $services -d "$(service frontend "{\"type\":\"NodePort\",\"clusterIP\":\"$address\",\"ports\":[{\"port\":80,\"nodePort\":30002}]}")"
	expect 201
	api POST $endpoints -d "$(endpoints_of frontend '{"port":80}' 172.18.0.9)"
	expect 201
	retry 10 has_rules KUBE-NODEPORT-HOST default/frontend:
	port=$(local_port default/frontend:)
	[ "$port" -gt 1024 ]
	same "-A KUBE-PORTALS-CONTAINER -d 10.254.217.168/32 -p tcp -m comment --comment \"default/frontend:\" -m tcp --dport 80 -j REDIRECT --to-ports $port" \
		"$(rules KUBE-PORTALS-CONTAINER default/frontend:)"
	same "-A KUBE-PORTALS-HOST -d 10.254.217.168/32 -p tcp -m comment --comment \"default/frontend:\" -m tcp --dport 80 -j DNAT --to-destination 192.168.1.124:$port" \
		"$(rules KUBE-PORTALS-HOST default/frontend:)"
	same "-A KUBE-NODEPORT-CONTAINER -p tcp -m comment --comment \"default/frontend:\" -m tcp --dport 30002 -j REDIRECT --to-ports $port" \
		"$(rules KUBE-NODEPORT-CONTAINER default/frontend:)"
	same "-A KUBE-NODEPORT-HOST -p tcp -m comment --comment \"default/frontend:\" -m tcp --dport 30002 -j DNAT --to-destination 192.168.1.124:$port" \
		"$(rules KUBE-NODEPORT-HOST default/frontend:)"
}

# rows: 203 274 275 276
@test "the node, pods and the world outside reach it, and the pod sees the node" {
	retry 10 answers nine node "http://$address/name"
	answers nine pods "http://$address/name"
	answers nine world http://192.168.1.124:30002/name
	answers nine node http://192.168.1.124:30002/name
	answers 172.18.0.1 world http://192.168.1.124:30002/cgi-bin/peer
	answers 172.18.0.1 pods "http://$address/cgi-bin/peer"
	# Much, both ways by turns, arrives whole.
	on world "$(type -P curl)" -s --max-time 20 -o "$dir/got" http://192.168.1.124:30002/big
	cmp "$dir/got" "$dir/nine/big"
}

# rows: 272 273
@test "netstat shows two connections of kube-proxy, the first dual-stack" {
	local port pid silent
	requires ss
	port=$(local_port default/frontend:)
	pid=$(daemon_pid proxy)
	two() {
		on node ss -tnp state established >"$dir/ss"
		grep -qE "\[::ffff:192.168.1.124\]:$port +\[::ffff:192.168.1.50\]:.*\"kube-proxy\",pid=$pid" "$dir/ss" &&
			grep -qE " 172.18.0.1:[0-9]+ +172.18.0.9:80 .*\"kube-proxy\",pid=$pid" "$dir/ss"
	}
	# A client that says nothing keeps both open.
	ip netns exec "$ns-world" bash -c 'exec 3<>/dev/tcp/192.168.1.124/30002; exec cat <&3' >/dev/null &
	silent=$!
	retry 15 two
	kill "$silent"
	wait "$silent" || :
	same "kube-proxy" "$(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1 | sed 's,.*/,,')"
}

# rows: 201
@test "endpoints take turns" {
	local i
	api PUT $endpoints/frontend -d "$(endpoints_of frontend '{"port":80}' 172.18.0.9 172.18.0.10)"
	expect 200
	retry 10 answers ten node "http://$address/name"
	for i in 1 2 3 4 5 6; do
		on node "$(type -P curl)" -s "http://$address/name"
		echo
	done >"$dir/turns"
	same "3 nine
3 ten" "$(sort "$dir/turns" | uniq -c | sed 's/^ *//')"
	same "" "$(uniq -d "$dir/turns")"
}

# rows: 202
@test "with ClientIP affinity a client stays" {
	local i
	api PATCH $services/frontend -H 'Content-Type: application/merge-patch+json' \
		-d '{"spec":{"sessionAffinity":"ClientIP"}}'
	expect 200
	stays() {
		for i in 1 2 3 4 5 6; do
			on world "$(type -P curl)" -s http://192.168.1.124:30002/name
			echo
		done >"$dir/turns"
		[ "$(sort -u "$dir/turns" | wc -l)" = 1 ]
	}
	retry 10 stays
	stays
	api PATCH $services/frontend -H 'Content-Type: application/merge-patch+json' \
		-d '{"spec":{"sessionAffinity":"None","sessionAffinityConfig":null}}'
	expect 200
}

# rows: 280
@test "an endpoint that does not answer is passed over" {
	# Nobody is at .77, so that a connection there hangs.
	api PUT $endpoints/frontend -d "$(endpoints_of frontend '{"port":80}' 172.18.0.77 172.18.0.10)"
	expect 200
	passed() {
		answers ten node "http://$address/name" && answers ten node "http://$address/name" &&
			grep -q 'Dial failed for default/frontend:: endpoint 172.18.0.77:80' "$dir/proxy.log"
	}
	retry 10 passed
}

# rows: 279
@test "without endpoints a connection is accepted and closed, and the log says why" {
	api PUT $endpoints/frontend -d "$(endpoints_of frontend '{"port":80}')"
	expect 200
	empty() {
		local status=0
		on world "$(type -P curl)" -s --max-time 5 http://192.168.1.124:30002/name || status=$?
		# Closed without an answer, or reset; not refused (7), not too late (28).
		[ "$status" = 52 ] || [ "$status" = 56 ]
	}
	retry 10 empty
	has "Couldn't find an endpoint for default/frontend:: missing endpoints" "$(cat "$dir/proxy.log")"
}

# rows: 268
@test "named ports, external addresses, and what is left out" {
	api POST $services -d "$(service two '{"clusterIP":"10.254.0.20","externalIPs":["192.168.1.200"],"ports":[{"name":"web","port":80},{"name":"admin","port":81}]}')"
	expect 201
	api POST $services -d "$(service headless '{"clusterIP":"None","ports":[{"port":80}]}')"
	expect 201
	api POST $endpoints -d "$(endpoints_of two '{"name":"web","port":80}' 172.18.0.9)"
	expect 201
	retry 10 has_rules KUBE-PORTALS-HOST default/two:web
	local port
	port=$(local_port default/two:web)
	same "-A KUBE-PORTALS-CONTAINER -d 10.254.0.20/32 -p tcp -m comment --comment \"default/two:web\" -m tcp --dport 80 -j REDIRECT --to-ports $port
-A KUBE-PORTALS-CONTAINER -d 192.168.1.200/32 -p tcp -m comment --comment \"default/two:web\" -m tcp --dport 80 -j REDIRECT --to-ports $port" \
		"$(rules KUBE-PORTALS-CONTAINER default/two:web)"
	retry 15 has_rules KUBE-PORTALS-HOST default/two:admin
	[ "$port" != "$(local_port default/two:admin)" ]
	retry 10 answers nine node http://192.168.1.200/name
	lacks_rules KUBE-PORTALS-HOST default/headless:
}

# balanced NAME INGRESS-JSON: a load balancer of somebody else's, and what it says of itself
balanced() {
	api POST $services -d "$(service "$1" '{"type":"LoadBalancer","loadBalancerClass":"example.com/theirs","ports":[{"port":80}]}')"
	expect 201
	api PATCH "$services/$1/status" -H 'Content-Type: application/merge-patch+json' \
		-d "{\"status\":{\"loadBalancer\":{\"ingress\":[$2]}}}"
	expect 200
	api POST $endpoints -d "$(endpoints_of "$1" '{"port":80}' 172.18.0.10)"
	expect 201
}

@test "addresses of load balancers, but not of those that send packets on under another" {
	balanced given '{"ip":"192.0.2.60"},{"ip":"192.0.2.61","ipMode":"Proxy"},{"hostname":"x.example.com"}'
	is_there() {
		rules KUBE-PORTALS-HOST default/given: | grep -q 192.0.2.60
	}
	retry 15 is_there
	same 2 "$(rules KUBE-PORTALS-CONTAINER default/given: | wc -l)"
	lacks 192.0.2.61 "$(on node iptables-save -t nat)"
	retry 10 answers ten node http://192.0.2.60/name
	api DELETE $services/given
	expect 200
	retry 10 lacks_rules 'KUBE-.*' default/given:
}

# rows: 213
@test "a load balancer of the cloud plugin, from the node, from pods and from outside" {
	start_on manager node "$program" kube-controller-manager --plugin-dir="$plugins" \
		--master="$server" --port=0 --leader-elect=false --controllers=service,endpointslice \
		--cloud-provider=local --plugin-option=cloud/local:addresses=192.0.2.50
	api POST $services -d "$(service front '{"type":"LoadBalancer","ports":[{"port":8000}]}')"
	expect 201
	api POST $endpoints -d "$(endpoints_of front '{"port":80}' 172.18.0.10)"
	expect 201
	is_there() {
		rules KUBE-PORTALS-HOST default/front: | grep -q 192.0.2.50
	}
	retry 20 is_there
	# The network brings it to the node; nothing there has this address.
	on world ip route add 192.0.2.50/32 via 192.168.1.124
	retry 10 answers ten node http://192.0.2.50:8000/name
	answers ten pods http://192.0.2.50:8000/name
	answers ten world http://192.0.2.50:8000/name
	# No other port, and none of it when the service is another's.
	! on world timeout 3 busybox wget -q -O "$dir/other" http://192.0.2.50:8001/ || return 1
	api PATCH $services/front -H 'Content-Type: application/merge-patch+json' \
		-d '{"spec":{"type":"ClusterIP"}}'
	expect 200
	is_gone() {
		! rules 'KUBE-.*' default/front: | grep -q 192.0.2.50
	}
	retry 15 is_gone
	on world ip route del 192.0.2.50/32
	api DELETE $services/front
	expect 200
	retry 10 lacks_rules 'KUBE-.*' default/front:
	stop_daemon manager
}

# rows: 271
@test "UDP" {
	local port
	api POST $services -d "$(service dns '{"clusterIP":"10.254.0.10","ports":[{"name":"dns","protocol":"UDP","port":53}]}')"
	expect 201
	api POST $endpoints -d "$(endpoints_of dns '{"name":"dns","protocol":"UDP","port":53}' 172.18.0.9)"
	expect 201
	retry 10 has_rules KUBE-PORTALS-HOST default/dns:dns
	port=$(local_port default/dns:dns)
	same "-A KUBE-PORTALS-CONTAINER -d 10.254.0.10/32 -p udp -m comment --comment \"default/dns:dns\" -m udp --dport 53 -j REDIRECT --to-ports $port" \
		"$(rules KUBE-PORTALS-CONTAINER default/dns:dns)"
	same "-A KUBE-PORTALS-HOST -d 10.254.0.10/32 -p udp -m comment --comment \"default/dns:dns\" -m udp --dport 53 -j DNAT --to-destination 192.168.1.124:$port" \
		"$(rules KUBE-PORTALS-HOST default/dns:dns)"
	echoes() {
		same hello "$(on "$1" bash -c 'exec 3<>/dev/udp/10.254.0.10/53; echo hello >&3; timeout 2 head -n 1 <&3')"
	}
	retry 20 echoes node
	retry 20 echoes pods
}

# rows: 277
@test "what is deleted by hand comes back" {
	local before
	before=$(on node iptables-save -t nat | grep KUBE)
	on node iptables -t nat -F KUBE-PORTALS-HOST
	on node iptables -t nat -D PREROUTING 1
	on node iptables -t nat -A KUBE-NODEPORT-HOST -p tcp -j RETURN
	restored() {
		[ "$before" = "$(on node iptables-save -t nat | grep KUBE)" ]
	}
	retry 10 restored
	has "The rules of the nat table were not as they should be: put back" "$(cat "$dir/proxy.log")"
}

@test "a node port that somebody else has is said, and taken when it is free" {
	start_on thief node busybox nc -l -p 30003
	taken() {
		on node ss -tln | grep -q ':30003 '
	}
	retry 15 taken
	api POST $services -d "$(service stolen '{"type":"NodePort","clusterIP":"10.254.0.30","ports":[{"port":80,"nodePort":30003}]}')"
	expect 201
	said() {
		grep -q "can't open node port for 0.0.0.0:30003/TCP: Address already in use" "$dir/proxy.log"
	}
	retry 10 said
	retry 15 has_rules KUBE-PORTALS-HOST default/stolen:
	lacks_rules KUBE-NODEPORT-HOST default/stolen:
	kill_daemon thief
	retry 10 has_rules KUBE-NODEPORT-HOST default/stolen:
}

# rows: 269
@test "a deleted service takes its rules with it, the chains stay" {
	api DELETE $services/stolen
	expect 200
	retry 10 lacks_rules 'KUBE-.*' default/stolen:
	same 4 "$(on node iptables-save -t nat | grep -c '^:KUBE')"
}

@test "health, metrics and mode" {
	same ok "$(curl -s http://127.0.0.1:10249/healthz)"
	same userspace "$(curl -s http://127.0.0.1:10249/proxyMode)"
	has 'coxswain_plugin_proxy_connections_total{kind="proxy",name="userspace"}' \
		"$(curl -s http://127.0.0.1:10249/metrics)"
}

# rows: 270
@test "a restart makes the rules anew with another port" {
	local before
	before=$(local_port default/frontend:)
	stop_daemon proxy
	same "$before" "$(local_port default/frontend:)"
	start_proxy
	retry 10 has_rules KUBE-NODEPORT-HOST default/frontend:
	[ "$before" != "$(local_port default/frontend:)" ]
	same 1 "$(rules KUBE-PORTALS-HOST default/frontend: | wc -l)"
	api PUT $endpoints/frontend -d "$(endpoints_of frontend '{"port":80}' 172.18.0.9)"
	expect 200
	retry 10 answers nine world http://192.168.1.124:30002/name
}

@test "a range of ports to proxy on" {
	stop_daemon proxy
	start_proxy --proxy-port-range=42000-42019
	retry 10 has_rules KUBE-NODEPORT-HOST default/frontend:
	[[ $(local_port default/frontend:) == 420[01][0-9] ]]
	answers nine world http://192.168.1.124:30002/name
}

@test "one bind address: DNAT to it instead of a redirect" {
	local port
	stop_daemon proxy
	start_proxy --bind-address=192.168.1.124
	retry 10 has_rules KUBE-NODEPORT-HOST default/frontend:
	port=$(rules KUBE-PORTALS-HOST default/frontend: | sed 's/.*://')
	same "-A KUBE-PORTALS-CONTAINER -d 10.254.217.168/32 -p tcp -m comment --comment \"default/frontend:\" -m tcp --dport 80 -j DNAT --to-destination 192.168.1.124:$port" \
		"$(rules KUBE-PORTALS-CONTAINER default/frontend:)"
	answers nine pods "http://$address/name"
}

@test "cleaning up takes all away" {
	stop_daemon proxy
	on node "$dir/kube-proxy" --plugin-dir="$plugins" --cleanup-iptables
	same "" "$(on node iptables-save -t nat | grep KUBE)"
}

@test "the legacy back end" {
	iptables=iptables-legacy
	start_proxy --plugin-option=proxy/userspace:iptables=/usr/sbin/iptables-legacy
	retry 10 has_rules KUBE-NODEPORT-HOST default/frontend:
	answers nine world http://192.168.1.124:30002/name
	on node iptables-legacy -t nat -F KUBE-PORTALS-HOST
	retry 10 has_rules KUBE-PORTALS-HOST default/frontend:
	stop_daemon proxy
	on node "$dir/kube-proxy" --plugin-dir="$plugins" --cleanup-iptables \
		--plugin-option=proxy/userspace:iptables=/usr/sbin/iptables-legacy
	same "" "$(on node iptables-legacy-save -t nat | grep KUBE)"
}

@test "what cannot work is refused at the start" {
	local text
	text=$(! on node "$dir/kube-proxy" --plugin-dir="$plugins" --bind-address=127.0.0.1 2>&1)
	has 'cannot proxy on localhost' "$text"
	text=$(! on node "$dir/kube-proxy" --plugin-dir="$plugins" --proxy-port-range=9-8 2>&1)
	has 'port-range: want two ports as in 30000-32767, got "9-8"' "$text"
	text=$(! on world "$dir/kube-proxy" --plugin-dir="$plugins" --master="$server" \
		--healthz-port=0 --hostname-override=127.0.0.1 2>&1)
	has 'cannot tell the address of this machine' "$text"
}
