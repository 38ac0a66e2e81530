# SPDX-License-Identifier: Apache-2.0
# make bench: builds and runs every benchmark; their lines are for reading.

BENCHES =
SCRIPTED_BENCHES = tests/bench/apiserver.sh tests/bench/memory.sh tests/bench/cluster.sh
EXTRA_DIST += $(SCRIPTED_BENCHES)
EXTRA_PROGRAMS =
bench: $(BENCHES) tests/bench/watchers tests/bench/fill
	@for one in $(BENCHES); do ./$$one || exit 1; done
	@for one in $(SCRIPTED_BENCHES); do builddir=$(abs_top_builddir) $(srcdir)/$$one || exit 1; done
.PHONY: bench

BENCHES += tests/bench/json
EXTRA_PROGRAMS += tests/bench/json
tests_bench_json_SOURCES = %D%/json.c %D%/pod.h
tests_bench_json_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_bench_json_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

if CMOCKA
BENCHES += tests/bench/storage
EXTRA_PROGRAMS += tests/bench/storage
tests_bench_storage_SOURCES = %D%/storage.c tests/conformance/storage/harness.c
tests_bench_storage_CPPFLAGS = $(STORAGE_TEST_CPPFLAGS)
tests_bench_storage_LDADD = $(STORAGE_TEST_LDADD)
EXTRA_tests_bench_storage_DEPENDENCIES = $(pluginexec_LTLIBRARIES)
endif

BENCHES += tests/bench/http
EXTRA_PROGRAMS += tests/bench/http
tests_bench_http_SOURCES = %D%/http.c
tests_bench_http_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_bench_http_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

BENCHES += tests/bench/store
EXTRA_PROGRAMS += tests/bench/store
tests_bench_store_SOURCES = %D%/store.c %D%/pod.h tests/unit/fake_storage.c tests/unit/fake_storage.h
tests_bench_store_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_store_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

BENCHES += tests/bench/scheduler
EXTRA_PROGRAMS += tests/bench/scheduler
tests_bench_scheduler_SOURCES = %D%/scheduler.c %D%/pod.h
tests_bench_scheduler_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_bench_scheduler_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
EXTRA_tests_bench_scheduler_DEPENDENCIES = $(pluginexec_LTLIBRARIES)

# Clients for the scripts.
EXTRA_PROGRAMS += tests/bench/watchers tests/bench/fill
tests_bench_fill_SOURCES = %D%/fill.c
tests_bench_watchers_SOURCES = %D%/watchers.c
tests_bench_watchers_LDADD = $(GNUTLS_LIBS) $(NGHTTP2_LIBS)
