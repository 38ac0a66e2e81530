# SPDX-License-Identifier: Apache-2.0
# Real containers, so root is needed; each run has directories of its own.

if CMOCKA
if PLUGIN_RUNTIME_OCI
check_PROGRAMS += tests/conformance/runtime/oci
TESTS += tests/conformance/runtime/oci-crun.sh tests/conformance/runtime/oci-runc.sh
EXTRA_DIST += tests/conformance/runtime/oci-crun.sh tests/conformance/runtime/oci-runc.sh
tests_conformance_runtime_oci_SOURCES = \
	%D%/escapes.c \
	%D%/harness.c \
	%D%/harness.h \
	%D%/images.c \
	%D%/registry.c \
	%D%/suite.c
tests_conformance_runtime_oci_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_conformance_runtime_oci_LDADD = $(UNIT_LDADD)
endif
endif
