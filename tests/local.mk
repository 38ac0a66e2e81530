# SPDX-License-Identifier: Apache-2.0
# Tests speak TAP. C tests use cmocka; end-to-end tests are bats files.

TEST_EXTENSIONS = .bats .sh
TAP_LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP_LOG_DRIVER)
SH_LOG_DRIVER = $(TAP_LOG_DRIVER)
BATS_LOG_DRIVER = $(TAP_LOG_DRIVER)
BATS_LOG_COMPILER = bats
AM_BATS_LOG_FLAGS = --tap
AM_TESTS_ENVIRONMENT = \
	CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
	srcdir='$(abs_top_srcdir)'; export srcdir; \
	builddir='$(abs_top_builddir)'; export builddir; \
	CC='$(CC)'; export CC; \
	CXX='$(CXX)'; export CXX; \
	COX_SANITIZER='$(SANITIZER)'; export COX_SANITIZER;

# A C unit test: check_PROGRAMS += tests/unit/x, TESTS += tests/unit/x,
# tests_unit_x_SOURCES = %D%/x.c, tests_unit_x_CPPFLAGS/LDADD = the two below.
UNIT_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS) -I$(top_srcdir)/tests $(CMOCKA_CFLAGS)
UNIT_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS) $(CMOCKA_LIBS)

include tests/style/local.mk
include tests/unit/local.mk
include tests/loader/local.mk
include tests/abi/local.mk
include tests/conformance/local.mk
include tests/oot/local.mk
include tests/e2e/local.mk
include tests/facts/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/vm/local.mk
