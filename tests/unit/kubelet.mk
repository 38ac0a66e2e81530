# SPDX-License-Identifier: Apache-2.0
if PLUGIN_RUNTIME_HOLLOW
check_PROGRAMS += tests/unit/kubelet
TESTS += tests/unit/kubelet
tests_unit_kubelet_SOURCES = %D%/kubelet.c %D%/kubelet_fixture.c %D%/kubelet_fixture.h \
	tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_kubelet_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_kubelet_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/kubelet_node
TESTS += tests/unit/kubelet_node
tests_unit_kubelet_node_SOURCES = %D%/kubelet_node.c %D%/kubelet_fixture.c \
	%D%/kubelet_fixture.h tests/lib/fake_server.c tests/lib/fake_server.h
tests_unit_kubelet_node_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_kubelet_node_LDADD = $(UNIT_LDADD)
endif

check_PROGRAMS += tests/unit/subpath
TESTS += tests/unit/subpath
tests_unit_subpath_SOURCES = %D%/subpath.c
tests_unit_subpath_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_subpath_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/grpc
TESTS += tests/unit/grpc
tests_unit_grpc_SOURCES = %D%/grpc.c
tests_unit_grpc_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_grpc_LDADD = $(UNIT_LDADD)
