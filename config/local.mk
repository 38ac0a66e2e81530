# SPDX-License-Identifier: Apache-2.0
# What an installation consists of besides programs: the files of
# /etc/kubernetes, units, init scripts, examples, and the daemons' names.

# Every daemon is a name of the one program.
COX_NAMES = kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy

COX_SETTINGS = config apiserver controller-manager scheduler kubelet proxy
COX_UNITS = coxswain.service kube-apiserver.service kube-controller-manager.service \
	kube-scheduler.service kubelet.service kube-proxy.service
COX_INIT_FILES = kubernetes-master kubernetes-minion

settingsdir = $(sysconfdir)/kubernetes
initdir = $(sysconfdir)/init.d
unitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d

EXTRA_DIST += %D%/packages %D%/demo/make-image \
	$(COX_SETTINGS:%=%D%/kubernetes/%) \
	$(COX_UNITS:%=%D%/systemd/%.in) \
	%D%/systemd/coxswain.sysusers \
	$(COX_INIT_FILES:%=%D%/init.d/%)

nodist_unit_DATA = $(COX_UNITS:%=config/systemd/%)
CLEANFILES += $(COX_UNITS:%=config/systemd/%)
$(nodist_unit_DATA): config/systemd/%: $(top_srcdir)/config/systemd/%.in Makefile
	$(AM_V_GEN)$(MKDIR_P) config/systemd && sed -e 's|@bindir[@]|$(bindir)|g' \
		-e 's|@sysconfdir[@]|$(sysconfdir)|g' $< >$@

init_SCRIPTS = $(COX_INIT_FILES:%=%D%/init.d/%)

examplesdir = $(docdir)/examples
dist_examples_DATA = \
	%D%/examples/nginx-pod.yaml \
	%D%/examples/nginx-rc.yaml \
	%D%/examples/nginx-service.yaml \
	%D%/examples/quota.yaml \
	%D%/examples/redis-pod.yaml \
	%D%/examples/three-tiers-pod.yaml \
	%D%/examples/volume-claim.yaml

# The files belong to the administrator once they are there.
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(settingsdir)" "$(DESTDIR)$(sysusersdir)"
	@for name in $(COX_SETTINGS); do \
		test -e "$(DESTDIR)$(settingsdir)/$$name" || \
		$(INSTALL_DATA) "$(top_srcdir)/config/kubernetes/$$name" \
			"$(DESTDIR)$(settingsdir)/$$name" || exit 1; \
	done
	$(INSTALL_DATA) "$(top_srcdir)/config/systemd/coxswain.sysusers" \
		"$(DESTDIR)$(sysusersdir)/coxswain.conf"

install-names:
	@for name in $(COX_NAMES); do \
		(cd "$(DESTDIR)$(bindir)" && rm -f $$name && $(LN_S) coxswain $$name) || exit 1; \
	done

# What was changed is kept; folders go when they are empty.
uninstall-local:
	@for name in $(COX_NAMES); do \
		test ! -L "$(DESTDIR)$(bindir)/$$name" || rm -f "$(DESTDIR)$(bindir)/$$name"; \
	done
	@for name in $(COX_SETTINGS); do \
		file="$(DESTDIR)$(settingsdir)/$$name"; \
		if cmp -s "$(top_srcdir)/config/kubernetes/$$name" "$$file"; then rm -f "$$file"; \
		elif test -e "$$file"; then echo "kept, because it was changed: $$file"; fi; \
	done
	rm -f "$(DESTDIR)$(sysusersdir)/coxswain.conf"
	-rmdir "$(DESTDIR)$(settingsdir)" "$(DESTDIR)$(examplesdir)" "$(DESTDIR)$(docdir)" \
		"$(DESTDIR)$(includedir)/coxswain/kit" "$(DESTDIR)$(includedir)/coxswain" \
		2>/dev/null
.PHONY: install-names

dist_man_MANS += %D%/kubernetes-config.5
