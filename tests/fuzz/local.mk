# SPDX-License-Identifier: Apache-2.0
# Each fuzzer is one file; libFuzzer brings main. Configure with CC=clang --enable-fuzzers
# --enable-sanitizer=address,undefined,fuzzer-no-link, then run it on tests/fuzz/seeds/NAME.

if FUZZERS
noinst_PROGRAMS += tests/fuzz/request
tests_fuzz_request_SOURCES = %D%/request.c
tests_fuzz_request_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_request_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_request_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
endif
EXTRA_DIST += %D%/seeds/request

# libFuzzer targets: ./configure --enable-fuzzers CC=clang
# --enable-sanitizer=address,undefined,fuzzer-no-link

if FUZZERS
noinst_PROGRAMS += tests/fuzz/config
tests_fuzz_config_SOURCES = %D%/config.c
tests_fuzz_config_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_config_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
endif
