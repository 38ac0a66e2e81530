# SPDX-License-Identifier: Apache-2.0
# End-to-end tests: real daemons, real clients.

E2E_TESTS = %D%/wire.bats %D%/watch.bats %D%/hostile.bats %D%/consistency.bats \
	%D%/objects.bats %D%/apply.bats %D%/secure.bats %D%/http2.bats %D%/durable.bats %D%/start.bats %D%/cascade.bats
E2E_TESTS += %D%/kubelet.bats %D%/proxy.bats %D%/ends.bats %D%/reload.bats \
	%D%/controllers.bats %D%/balancers.bats %D%/up.bats %D%/preflight.bats \
	%D%/answers.bats %D%/claims.bats %D%/clients.bats \
	%D%/resources.bats
TESTS += $(E2E_TESTS)
EXTRA_DIST += $(E2E_TESTS) %D%/kubectl.bats %D%/kinds.yaml \
	%D%/helm.bats $(HELM_CHART) tests/lib/functions.bash tests/lib/cluster.bash \
	tests/lib/daemons.bash tests/lib/kubectl.sh tests/lib/rows.sh tests/lib/threads.supp \
	tests/lib/frames.py tests/lib/.curlrc tests/lib/client.py tests/lib/client.mjs \
	tests/lib/client-node.sh

# What helm.bats installs.
HELM_CHART = %D%/chart/Chart.yaml %D%/chart/values.yaml %D%/chart/templates/_names.tpl \
	%D%/chart/templates/access.yaml %D%/chart/templates/hooks.yaml \
	%D%/chart/templates/settings.yaml %D%/chart/templates/web.yaml \
	%D%/chart/templates/NOTES.txt

# Whole clusters with real containers: `make check CLUSTER_TESTS=` leaves them out.
CLUSTER_TESTS = %D%/node.bats %D%/cluster_pods.bats \
	%D%/cluster_claims.bats %D%/cluster_volumes.bats %D%/cluster_services.bats %D%/cluster_again.bats
# The five daemons by their names, with the files of /etc/kubernetes.
CLUSTER_TESTS += %D%/daemons.bats %D%/daemons_nodes.bats %D%/daemons_kill.bats \
	%D%/daemons_up.bats %D%/daemons_plugins.bats %D%/daemons_service.bats \
	%D%/daemons_pull.bats
TESTS += $(CLUSTER_TESTS)
EXTRA_DIST += $(CLUSTER_TESTS)

# Says back what it hears, for the test of kube-proxy.
check_PROGRAMS += tests/e2e/udp_echo
tests_e2e_udp_echo_SOURCES = %D%/udp_echo.c

# The same file for one release each: of kubectl an old one, one of the middle and
# a new one, of helm the ones that come with the latter two (3 and 4). All that
# there are run with make check-kubectl.
KUBECTL_ALL = 1.20 1.27 1.28 1.29 1.30 1.31 1.32 1.33 1.34 1.35 1.36
KUBECTL_TESTS = tests/e2e/kubectl-1.20.sh tests/e2e/kubectl-1.31.sh tests/e2e/kubectl-1.35.sh \
	tests/e2e/helm-1.31.sh tests/e2e/helm-1.35.sh
TESTS += $(KUBECTL_TESTS)
CLEANFILES += $(KUBECTL_TESTS)

$(KUBECTL_TESTS): tests/e2e/local.mk
	@mkdir -p tests/e2e
	@version=`echo $@ | sed 's/.*-//; s/\.sh$$//'`; \
	program=`echo $@ | sed 's/.*\///; s/-.*//'`; { \
		echo '#!/bin/sh'; \
		echo "KUBECTL_VERSION=$$version exec bats --tap \"\$$srcdir/tests/e2e/$$program.bats\""; \
	} >$@
	@chmod +x $@

check-kubectl: all
	@status=0; for version in $(KUBECTL_ALL); do echo "kubectl $$version"; \
		$(AM_TESTS_ENVIRONMENT) KUBECTL_VERSION=$$version \
		bats --tap $(top_srcdir)/tests/e2e/kubectl.bats || status=1; \
		[ $$version = 1.20 ] || { echo "helm that comes with it"; \
		$(AM_TESTS_ENVIRONMENT) KUBECTL_VERSION=$$version \
		bats --tap $(top_srcdir)/tests/e2e/helm.bats || status=1; }; \
	done; echo "@kubernetes/client-node"; \
	$(AM_TESTS_ENVIRONMENT) CLIENT_NODE=yes \
		bats --tap -f JavaScript $(top_srcdir)/tests/e2e/clients.bats || status=1; \
	exit $$status
.PHONY: check-kubectl

clean-local:
	rm -rf tests/kubectl
