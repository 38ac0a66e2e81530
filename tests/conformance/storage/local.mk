# SPDX-License-Identifier: Apache-2.0
# Plays the host, so it links nothing of the core.

storage_suite_sources = %D%/suite.c %D%/harness.c %D%/harness.h
STORAGE_TEST_CPPFLAGS = -D_GNU_SOURCE -I$(top_srcdir)/api $(CMOCKA_CFLAGS)
STORAGE_TEST_LDADD = api/libcoxkit.la $(CMOCKA_LIBS) -ldl -lpthread

if CMOCKA
if PLUGIN_STORAGE_MEMORY
check_PROGRAMS += tests/conformance/storage/memory
TESTS += tests/conformance/storage/memory
tests_conformance_storage_memory_SOURCES = $(storage_suite_sources)
tests_conformance_storage_memory_CPPFLAGS = $(STORAGE_TEST_CPPFLAGS) \
	-DSTORAGE_PLUGIN_NAME='"memory"'
tests_conformance_storage_memory_LDADD = $(STORAGE_TEST_LDADD)
endif

if PLUGIN_STORAGE_LEVELDB
check_PROGRAMS += tests/conformance/storage/leveldb
TESTS += tests/conformance/storage/leveldb
tests_conformance_storage_leveldb_SOURCES = $(storage_suite_sources)
tests_conformance_storage_leveldb_CPPFLAGS = $(STORAGE_TEST_CPPFLAGS) \
	-DSTORAGE_PLUGIN_NAME='"leveldb"'
tests_conformance_storage_leveldb_LDADD = $(STORAGE_TEST_LDADD)

check_PROGRAMS += tests/conformance/storage/faults
TESTS += tests/conformance/storage/faults
tests_conformance_storage_faults_SOURCES = %D%/faults.c %D%/files.c %D%/files.h \
	%D%/harness.c %D%/harness.h %D%/workload.c %D%/workload.h
tests_conformance_storage_faults_CPPFLAGS = $(STORAGE_TEST_CPPFLAGS)
tests_conformance_storage_faults_LDADD = $(STORAGE_TEST_LDADD) -lleveldb

# The recorder is preloaded by the test, so it is a shared object of its own.
check_PROGRAMS += tests/conformance/storage/powercut
TESTS += tests/conformance/storage/powercut
tests_conformance_storage_powercut_SOURCES = %D%/powercut.c %D%/record.h %D%/harness.c \
	%D%/harness.h %D%/workload.c %D%/workload.h
tests_conformance_storage_powercut_CPPFLAGS = $(STORAGE_TEST_CPPFLAGS)
tests_conformance_storage_powercut_LDADD = $(STORAGE_TEST_LDADD)
check_LTLIBRARIES += tests/conformance/storage/recorder.la
tests_conformance_storage_recorder_la_SOURCES = %D%/recorder.c %D%/record.h
tests_conformance_storage_recorder_la_CPPFLAGS = -D_GNU_SOURCE
tests_conformance_storage_recorder_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
endif
endif
