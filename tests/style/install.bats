#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What `make install` puts where, what it leaves alone, that `make uninstall`
# takes everything away again, and that the shipped files are what the daemons
# and the service manager understand.
bats_require_minimum_version 1.5.0

setup() {
	dir=$(mktemp -d /tmp/coxswain-install.XXXXXX)
	unset MAKEFLAGS MAKELEVEL MFLAGS
	prefix=$(configured prefix)
	etc=$(configured sysconfdir)
	bin=$dir$(configured exec_prefix)/bin
	units=$dir$prefix/lib/systemd/system
}

teardown() {
	rm -rf "$dir"
}

# configured NAME: a folder as ./configure was told, or took by itself
configured() {
	local value prefix
	value=$(sed -n "s/^$1 = //p" "$builddir/Makefile")
	prefix=$(sed -n 's/^prefix = //p' "$builddir/Makefile")
	printf '%s\n' "${value//'${prefix}'/$prefix}"
}

install_all() {
	make -C "$builddir" -s "$@" DESTDIR="$dir" >"$dir.log" 2>&1 || {
		cat "$dir.log"
		rm -f "$dir.log"
		return 1
	}
	rm -f "$dir.log"
}

# dump DAEMON: its values as the shipped files give them
dump() {
	"$builddir/core/coxswain" "$1" --config-dir="$srcdir/config/kubernetes" --dump-config
}

# rows: 25
@test "an installation has the names, settings, units, scripts and examples; settings are kept" {
	install_all install
	for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do
		[ "$(readlink "$bin/$name")" = coxswain ]
		[ -f "$units/$name.service" ]
	done
	for name in config apiserver controller-manager scheduler kubelet proxy; do
		cmp "$srcdir/config/kubernetes/$name" "$dir$etc/kubernetes/$name"
	done
	[ -x "$dir$etc/init.d/kubernetes-master" ]
	[ -x "$dir$etc/init.d/kubernetes-minion" ]
	run -0 "$bin/kube-apiserver" --version
	[ "$output" = "Kubernetes v1.36.2+coxswain" ]
	run -1 grep -rl '@[a-z]*dir@' "$units"
	grep -qxF "EnvironmentFile=-$etc/kubernetes/apiserver" "$units/kube-apiserver.service"
	grep -qE '^u kube ' "$dir$prefix/lib/sysusers.d/coxswain.conf"

	echo '# mine' >>"$dir$etc/kubernetes/proxy"
	install_all install
	[ "$(tail -1 "$dir$etc/kubernetes/proxy")" = '# mine' ]
	install_all uninstall
	run -0 find "$dir" ! -type d
	[ "$output" = "$dir$etc/kubernetes/proxy" ]
	run -0 find "$dir" -type d -name coxswain
	[ "$output" = "" ]
}

# rows: 34
@test "the units name the files and keys of the daemons, in their order" {
	for daemon in apiserver controller-manager scheduler proxy; do
		unit=$srcdir/config/systemd/kube-$daemon.service.in
		run -0 grep -c '^EnvironmentFile=-@sysconfdir@/kubernetes/\(config\|'$daemon'\)$' "$unit"
		[ "$output" = 2 ]
		case $daemon in
		controller-manager) room=controller ;;
		*) room=$daemon ;;
		esac
		diff <(grep -o '\$KUBE[A-Z_]*' "$unit" | tr -d '$') \
			<(sed -n '/_env_keys\[\]/,$p' "$srcdir/core/$room/flags.c" | grep -o 'KUBE[A-Z_]*')
	done
	diff <(grep -o '\$KUBE[A-Z_]*' "$srcdir/config/systemd/kubelet.service.in" | tr -d '$') \
		<(sed -n '/_env_keys\[\]/,$p' "$srcdir/core/kubelet/flags.c" | grep -o 'KUBE[A-Z_]*')
}

@test "systemd finds nothing wrong with the units" {
	command -v systemd-analyze >/dev/null || skip "systemd-analyze is not here"
	mkdir "$dir/units"
	for unit in "$srcdir"/config/systemd/*.service.in; do
		sed -e "s|@bindir@/[a-z-]*|/bin/true|" -e "s|@sysconfdir@|/etc|" "$unit" \
			-e '/^Documentation=/d' >"$dir/units/$(basename "$unit" .in)"
	done
	run -0 systemd-analyze verify "$dir"/units/*.service
	run -1 grep -F "$dir/units" <<<"$output"
}

@test "the shipped files say what the packages of old said, and name the authorizers" {
	run -0 dump kube-apiserver
	[[ $output == *"insecure-bind-address=127.0.0.1 # $srcdir/config/kubernetes/apiserver:"* ]]
	[[ $output == *"service-cluster-ip-range=10.254.0.0/16 # "* ]]
	[[ $output == *"authorization-mode=AlwaysAllow # $srcdir/config/kubernetes/apiserver:"* ]]
	[[ $output == *"admission-control=NamespaceLifecycle,NamespaceExists,LimitRanger,SecurityContextDeny,ServiceAccount,ResourceQuota # "* ]]
	[[ $output == *"etcd-servers= # default"* ]]
	run -0 dump kube-controller-manager
	[[ $output == *"master=http://127.0.0.1:8080 # $srcdir/config/kubernetes/config:"* ]]
	[[ $output == *"root-ca-file=/var/lib/kubernetes/pki/ca.crt # "* ]]
	[[ $output == *"service-account-private-key-file=/var/lib/kubernetes/pki/sa.key # "* ]]
	[[ $output == *"allocate-node-cidrs=true # "* ]]
	[[ $output == *"cluster-cidr=10.244.0.0/16 # "* ]]
}

@test "the plugins that the shipped files name load, and take what they are told" {
	libs=$(realpath "$builddir/plugins/.libs")
	run -0 "$builddir/core/coxswain" kube-apiserver --config-dir="$srcdir/config/kubernetes" \
		--plugin-dir="$libs" --data-dir="$dir/data" --cert-dir="$dir/certs" --check-config
}

# rows: 43 44 45 46
@test "the init scripts print their usage, and pass the word on to every service" {
	cat >"$dir/systemctl" <<'STUB'
#!/bin/sh
case $1 in
cat) [ "$2" = docker ] && exit 1; exit 0 ;;
esac
echo "$*"
[ "$3" != kube-apiserver ] || exit 3
STUB
	chmod +x "$dir/systemctl"
	PATH=$dir:$PATH
	for word in "" frobnicate startall; do
		run -1 --separate-stderr "$srcdir/config/init.d/kubernetes-master" $word
		[ -z "$output" ]
		[ "$stderr" = "Usage: $srcdir/config/init.d/kubernetes-master {start|stop|restart|status|enable}" ]
	done
	run -3 "$srcdir/config/init.d/kubernetes-master" start
	[ "$output" = "--no-pager start etcd
--no-pager start kube-apiserver
--no-pager start kube-controller-manager
--no-pager start kube-scheduler" ]
	run -0 "$srcdir/config/init.d/kubernetes-minion" restart
	[ "$output" = "--no-pager restart kube-proxy
--no-pager restart kubelet" ]
}
