# SPDX-License-Identifier: Apache-2.0

authenticator_harness = %D%/harness.c %D%/harness.h

if CMOCKA
if PLUGIN_AUTHENTICATOR_TOKEN
if PLUGIN_AUTHENTICATOR_BASIC
check_PROGRAMS += tests/conformance/authenticator/accounts
TESTS += tests/conformance/authenticator/accounts
tests_conformance_authenticator_accounts_SOURCES = %D%/accounts.c $(authenticator_harness)
tests_conformance_authenticator_accounts_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_conformance_authenticator_accounts_LDADD = $(UNIT_LDADD)
endif
endif

if PLUGIN_AUTHENTICATOR_X509
check_PROGRAMS += tests/conformance/authenticator/x509
TESTS += tests/conformance/authenticator/x509
tests_conformance_authenticator_x509_SOURCES = %D%/x509.c $(authenticator_harness)
tests_conformance_authenticator_x509_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_conformance_authenticator_x509_LDADD = $(UNIT_LDADD)
endif

if PLUGIN_AUTHENTICATOR_SERVICEACCOUNT
check_PROGRAMS += tests/conformance/authenticator/serviceaccount
TESTS += tests/conformance/authenticator/serviceaccount
tests_conformance_authenticator_serviceaccount_SOURCES = %D%/serviceaccount.c \
	$(authenticator_harness) tests/lib/fake_server.c tests/lib/fake_server.h
tests_conformance_authenticator_serviceaccount_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests
tests_conformance_authenticator_serviceaccount_LDADD = $(UNIT_LDADD)
endif
endif
