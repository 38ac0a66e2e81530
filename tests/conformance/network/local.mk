# SPDX-License-Identifier: Apache-2.0
# Real links in network namespaces of the test's own, so root is needed.

if CMOCKA
if PLUGIN_NETWORK_BRIDGE
check_PROGRAMS += tests/conformance/network/bridge
TESTS += tests/conformance/network/bridge
tests_conformance_network_bridge_SOURCES = %D%/suite.c
tests_conformance_network_bridge_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_conformance_network_bridge_LDADD = $(UNIT_LDADD)
endif
endif
