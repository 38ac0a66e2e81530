# SPDX-License-Identifier: Apache-2.0
# Where everything lies in the structs of ABI 1: what released plugins rely on.

check_PROGRAMS += tests/abi/layout
TESTS += tests/abi/layout
tests_abi_layout_SOURCES = %D%/layout.c
tests_abi_layout_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_abi_layout_LDADD = $(UNIT_LDADD)
