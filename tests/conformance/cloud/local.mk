# SPDX-License-Identifier: Apache-2.0
# What every cloud plugin must do, and what local does besides. The suite takes
# another plugin, of the tree or not: suite NAME-OR-PATH [OPTION=VALUE]...

if CMOCKA
if PLUGIN_CLOUD_LOCAL
cloud_harness = tests/conformance/cloud/harness.c tests/conformance/cloud/harness.h

check_PROGRAMS += tests/conformance/cloud/suite
TESTS += tests/conformance/cloud/suite
tests_conformance_cloud_suite_SOURCES = %D%/suite.c $(cloud_harness)
tests_conformance_cloud_suite_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_conformance_cloud_suite_LDADD = $(UNIT_LDADD)

check_LTLIBRARIES += tests/conformance/cloud/cloud-gaps.la
tests_conformance_cloud_cloud_gaps_la_SOURCES = %D%/gaps.c
tests_conformance_cloud_cloud_gaps_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_conformance_cloud_cloud_gaps_la_LDFLAGS = $(PLUGIN_LDFLAGS) -rpath /nowhere

check_PROGRAMS += tests/conformance/cloud/local
TESTS += tests/conformance/cloud/local
tests_conformance_cloud_local_SOURCES = %D%/local.c $(cloud_harness)
tests_conformance_cloud_local_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_conformance_cloud_local_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/ranges
TESTS += tests/unit/ranges
tests_unit_ranges_SOURCES = tests/unit/ranges.c plugins/cloud/local/ranges.c
tests_unit_ranges_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/plugins/cloud/local
tests_unit_ranges_LDADD = $(UNIT_LDADD)
endif
endif
