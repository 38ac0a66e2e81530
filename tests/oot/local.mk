# SPDX-License-Identifier: Apache-2.0
# A plugin outside of the tree: with the build tree's files in `make check`, with
# the installed ones in `make installcheck`.

check_PROGRAMS += tests/oot/use
tests_oot_use_SOURCES = %D%/use.c
tests_oot_use_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_oot_use_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

TESTS += %D%/oot.bats
EXTRA_DIST += %D%/oot.bats %D%/owner.c
dist_man_MANS += api/coxswain/cox-plugin.3

installcheck-local: tests/oot/use
	srcdir='$(abs_top_srcdir)' builddir='$(abs_top_builddir)' CC='$(CC)' CXX='$(CXX)' \
		COX_SANITIZER='$(SANITIZER)' COX_PKG_CONFIG_PATH='$(pkgconfigdir)' \
		bats $(top_srcdir)/tests/oot/oot.bats
