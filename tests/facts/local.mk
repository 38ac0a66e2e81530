# SPDX-License-Identifier: Apache-2.0
# The running server against tables of API facts, where there are such tables.

check_PROGRAMS += tests/facts/tables
tests_facts_tables_SOURCES = %D%/tables.c
tests_facts_tables_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_facts_tables_LDADD = $(UNIT_LDADD)

TESTS += tests/facts/facts.bats
EXTRA_DIST += %D%/conditions.py %D%/facts.bats %D%/facts.py %D%/groups.py %D%/samples.py
