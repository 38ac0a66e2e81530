# SPDX-License-Identifier: Apache-2.0
if PLUGIN_RUNTIME_HOLLOW
check_PROGRAMS += tests/unit/kubelet
TESTS += tests/unit/kubelet
tests_unit_kubelet_SOURCES = %D%/kubelet.c tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_kubelet_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_kubelet_LDADD = $(UNIT_LDADD)
endif
