# SPDX-License-Identifier: Apache-2.0
# The plugins of this tree, loaded by the real host, in front of a fake cluster.

if CMOCKA
if PLUGIN_ADMISSION_ALWAYSADMIT
if PLUGIN_ADMISSION_ALWAYSDENY
if PLUGIN_ADMISSION_DEFAULTSTORAGECLASS
if PLUGIN_ADMISSION_LIMITRANGER
if PLUGIN_ADMISSION_NAMESPACEAUTOPROVISION
if PLUGIN_ADMISSION_NAMESPACEEXISTS
if PLUGIN_ADMISSION_NAMESPACELIFECYCLE
if PLUGIN_ADMISSION_RESOURCEQUOTA
if PLUGIN_ADMISSION_SECURITYCONTEXTDENY
if PLUGIN_ADMISSION_SERVICEACCOUNT
if PLUGIN_ADMISSION_STORAGEOBJECTINUSEPROTECTION
check_PROGRAMS += tests/conformance/admission/suite
TESTS += tests/conformance/admission/suite
tests_conformance_admission_suite_SOURCES = \
	%D%/accounts.c \
	%D%/chain.c \
	%D%/harness.c \
	%D%/harness.h \
	%D%/limits.c \
	%D%/namespaces.c \
	%D%/pods.c \
	%D%/quotas.c \
	%D%/volumes.c \
	tests/lib/fake_server.c \
	tests/lib/fake_server.h
tests_conformance_admission_suite_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_conformance_admission_suite_LDADD = $(UNIT_LDADD)

TESTS += %D%/server.bats
endif
endif
endif
endif
endif
endif
endif
endif
endif
endif
endif
endif
EXTRA_DIST += %D%/server.bats
