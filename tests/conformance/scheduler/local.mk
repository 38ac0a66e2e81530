# SPDX-License-Identifier: Apache-2.0

if CMOCKA
SCHEDULER_TEST_SOURCES = tests/conformance/scheduler/suite.c \
	tests/conformance/scheduler/harness.c tests/conformance/scheduler/harness.h \
	tests/lib/fake_server.c tests/lib/fake_server.h

if PLUGIN_SCHEDULER_DEFAULT
check_PROGRAMS += tests/conformance/scheduler/default tests/conformance/scheduler/policies \
	tests/conformance/scheduler/places tests/conformance/scheduler/claims
TESTS += tests/conformance/scheduler/default tests/conformance/scheduler/policies \
	tests/conformance/scheduler/places tests/conformance/scheduler/claims
tests_conformance_scheduler_default_SOURCES = $(SCHEDULER_TEST_SOURCES)
tests_conformance_scheduler_default_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests \
	-DPLUGIN='"default"'
tests_conformance_scheduler_default_LDADD = $(UNIT_LDADD)
tests_conformance_scheduler_policies_SOURCES = %D%/policies.c %D%/harness.c %D%/harness.h \
	tests/lib/fake_server.c tests/lib/fake_server.h
tests_conformance_scheduler_policies_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_conformance_scheduler_policies_LDADD = $(UNIT_LDADD)
tests_conformance_scheduler_places_SOURCES = %D%/places.c %D%/harness.c %D%/harness.h \
	tests/lib/fake_server.c tests/lib/fake_server.h
tests_conformance_scheduler_places_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_conformance_scheduler_places_LDADD = $(UNIT_LDADD)
tests_conformance_scheduler_claims_SOURCES = %D%/claims.c %D%/harness.c %D%/harness.h \
	tests/lib/fake_server.c tests/lib/fake_server.h
tests_conformance_scheduler_claims_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_conformance_scheduler_claims_LDADD = $(UNIT_LDADD)
endif
if PLUGIN_SCHEDULER_PACKED
check_PROGRAMS += tests/conformance/scheduler/packed
TESTS += tests/conformance/scheduler/packed
tests_conformance_scheduler_packed_SOURCES = $(SCHEDULER_TEST_SOURCES)
tests_conformance_scheduler_packed_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests \
	-DPLUGIN='"packed"'
tests_conformance_scheduler_packed_LDADD = $(UNIT_LDADD)
endif
endif
