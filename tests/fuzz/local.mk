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

# The same functions over the kept seeds, without libFuzzer, in make check.
EXTRA_DIST += %D%/seeds/hello
EXTRA_DIST += %D%/seeds/config %D%/seeds/json %D%/seeds/protobuf %D%/seeds/selector %D%/seeds/patch %D%/seeds/yaml
EXTRA_DIST += %D%/seeds/apply %D%/seeds/quantity

check_PROGRAMS += tests/fuzz/config_replay
TESTS += tests/fuzz/config_replay
tests_fuzz_config_replay_SOURCES = %D%/config.c %D%/replay.c
tests_fuzz_config_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_config_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

EXTRA_DIST += %D%/seeds/accept
check_PROGRAMS += tests/fuzz/accept_replay
TESTS += tests/fuzz/accept_replay
tests_fuzz_accept_replay_SOURCES = %D%/accept.c %D%/replay.c
tests_fuzz_accept_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_accept_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

check_PROGRAMS += tests/fuzz/request_replay
TESTS += tests/fuzz/request_replay
tests_fuzz_request_replay_SOURCES = %D%/request.c %D%/replay.c
tests_fuzz_request_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_request_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

check_PROGRAMS += tests/fuzz/hello_replay
TESTS += tests/fuzz/hello_replay
tests_fuzz_hello_replay_SOURCES = %D%/hello.c %D%/replay.c
tests_fuzz_hello_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_hello_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

check_PROGRAMS += tests/fuzz/json_replay
TESTS += tests/fuzz/json_replay
tests_fuzz_json_replay_SOURCES = %D%/json.c %D%/replay.c
tests_fuzz_json_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_json_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

check_PROGRAMS += tests/fuzz/protobuf_replay
TESTS += tests/fuzz/protobuf_replay
tests_fuzz_protobuf_replay_SOURCES = %D%/protobuf.c %D%/replay.c
tests_fuzz_protobuf_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_protobuf_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

check_PROGRAMS += tests/fuzz/quantity_replay
TESTS += tests/fuzz/quantity_replay
tests_fuzz_quantity_replay_SOURCES = %D%/quantity.c %D%/replay.c
tests_fuzz_quantity_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_quantity_replay_LDADD = api/libcoxkit.la

check_PROGRAMS += tests/fuzz/selector_replay
TESTS += tests/fuzz/selector_replay
tests_fuzz_selector_replay_SOURCES = %D%/selector.c %D%/replay.c
tests_fuzz_selector_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_selector_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

check_PROGRAMS += tests/fuzz/patch_replay
TESTS += tests/fuzz/patch_replay
tests_fuzz_patch_replay_SOURCES = %D%/patch.c %D%/replay.c
tests_fuzz_patch_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_patch_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

check_PROGRAMS += tests/fuzz/apply_replay
TESTS += tests/fuzz/apply_replay
tests_fuzz_apply_replay_SOURCES = %D%/apply.c %D%/replay.c
tests_fuzz_apply_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_apply_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

check_PROGRAMS += tests/fuzz/yaml_replay
TESTS += tests/fuzz/yaml_replay
tests_fuzz_yaml_replay_SOURCES = %D%/yaml.c %D%/replay.c
tests_fuzz_yaml_replay_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_yaml_replay_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

if FUZZERS
noinst_PROGRAMS += tests/fuzz/accept
tests_fuzz_accept_SOURCES = %D%/accept.c
tests_fuzz_accept_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_accept_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_accept_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_accept_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
noinst_PROGRAMS += tests/fuzz/hello
tests_fuzz_hello_SOURCES = %D%/hello.c
tests_fuzz_hello_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_hello_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_hello_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_hello_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
noinst_PROGRAMS += tests/fuzz/json
tests_fuzz_json_SOURCES = %D%/json.c
tests_fuzz_json_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_json_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_json_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_json_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
noinst_PROGRAMS += tests/fuzz/protobuf
tests_fuzz_protobuf_SOURCES = %D%/protobuf.c
tests_fuzz_protobuf_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_protobuf_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_protobuf_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_protobuf_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
noinst_PROGRAMS += tests/fuzz/selector
tests_fuzz_selector_SOURCES = %D%/selector.c
tests_fuzz_selector_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_selector_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_selector_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_selector_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
noinst_PROGRAMS += tests/fuzz/quantity
tests_fuzz_quantity_SOURCES = %D%/quantity.c
tests_fuzz_quantity_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_quantity_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_quantity_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_quantity_LDADD = api/libcoxkit.la
noinst_PROGRAMS += tests/fuzz/patch
tests_fuzz_patch_SOURCES = %D%/patch.c
tests_fuzz_patch_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_patch_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_patch_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_patch_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
noinst_PROGRAMS += tests/fuzz/apply
tests_fuzz_apply_SOURCES = %D%/apply.c
tests_fuzz_apply_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_apply_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_apply_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_apply_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
noinst_PROGRAMS += tests/fuzz/yaml
tests_fuzz_yaml_SOURCES = %D%/yaml.c
tests_fuzz_yaml_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
tests_fuzz_yaml_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_yaml_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_yaml_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)
endif

# Of the authenticator plugins: their parsers are compiled in.
EXTRA_DIST += %D%/seeds/accounts %D%/seeds/jwt
FUZZ_ACCOUNTS_SOURCES = %D%/accounts.c $(authenticator_accounts_sources)
FUZZ_ACCOUNTS_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(top_srcdir)/plugins/authenticator/common
FUZZ_JWT_SOURCES = %D%/jwt.c $(authenticator_serviceaccount_parsers)
FUZZ_JWT_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(JSONC_CFLAGS) \
	-I$(top_srcdir)/plugins/authenticator/serviceaccount

check_PROGRAMS += tests/fuzz/accounts_replay tests/fuzz/jwt_replay
TESTS += tests/fuzz/accounts_replay tests/fuzz/jwt_replay
tests_fuzz_accounts_replay_SOURCES = $(FUZZ_ACCOUNTS_SOURCES) %D%/replay.c
tests_fuzz_accounts_replay_CPPFLAGS = $(FUZZ_ACCOUNTS_CPPFLAGS)
tests_fuzz_accounts_replay_LDADD = api/libcoxkit.la -lpthread
tests_fuzz_jwt_replay_SOURCES = $(FUZZ_JWT_SOURCES) %D%/replay.c
tests_fuzz_jwt_replay_CPPFLAGS = $(FUZZ_JWT_CPPFLAGS)
tests_fuzz_jwt_replay_LDADD = api/libcoxkit.la $(JSONC_LIBS)

if FUZZERS
noinst_PROGRAMS += tests/fuzz/accounts tests/fuzz/jwt
tests_fuzz_accounts_SOURCES = $(FUZZ_ACCOUNTS_SOURCES)
tests_fuzz_accounts_CPPFLAGS = $(FUZZ_ACCOUNTS_CPPFLAGS)
tests_fuzz_accounts_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_accounts_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_accounts_LDADD = api/libcoxkit.la -lpthread
tests_fuzz_jwt_SOURCES = $(FUZZ_JWT_SOURCES)
tests_fuzz_jwt_CPPFLAGS = $(FUZZ_JWT_CPPFLAGS)
tests_fuzz_jwt_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_jwt_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_jwt_LDADD = api/libcoxkit.la $(JSONC_LIBS)
endif

# Each of them for a while, from the seeds; what `./bootstrap check` does last.
FUZZ_NAMES = accept accounts apply config hello json jwt patch protobuf quantity request selector \
	yaml
EXTRA_DIST += %D%/run.sh
fuzzers: $(FUZZ_NAMES:%=tests/fuzz/%)
.PHONY: fuzzers
