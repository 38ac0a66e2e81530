# SPDX-License-Identifier: Apache-2.0
# Real rules in a network namespace of the test's own, so root is needed.

if CMOCKA
if PLUGIN_PROXY_USERSPACE
check_PROGRAMS += tests/conformance/proxy/userspace
TESTS += tests/conformance/proxy/userspace
tests_conformance_proxy_userspace_SOURCES = %D%/suite.c
tests_conformance_proxy_userspace_CPPFLAGS = $(UNIT_CPPFLAGS) -DPROXY_NAME='"userspace"'
tests_conformance_proxy_userspace_LDADD = $(UNIT_LDADD)
endif
endif
