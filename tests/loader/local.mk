# SPDX-License-Identifier: Apache-2.0
# The loader's tests: plugins that must be refused, all from bad.c, a good one,
# and a daemon with nothing in it but what all daemons share. -rpath makes
# libtool build a shared object of what is not installed.

LOADER_CPPFLAGS = $(PLUGIN_CPPFLAGS)
LOADER_LDFLAGS = $(PLUGIN_LDFLAGS) -rpath /nowhere

check_LTLIBRARIES += tests/loader/storage-good.la
tests_loader_storage_good_la_SOURCES = %D%/bad.c
tests_loader_storage_good_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=0 -DPLUGIN_NAME='"good"'
tests_loader_storage_good_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-magic.la
tests_loader_storage_magic_la_SOURCES = %D%/bad.c
tests_loader_storage_magic_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=1 -DPLUGIN_NAME='"magic"'
tests_loader_storage_magic_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-abi.la
tests_loader_storage_abi_la_SOURCES = %D%/bad.c
tests_loader_storage_abi_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=2 -DPLUGIN_NAME='"abi"'
tests_loader_storage_abi_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-host.la
tests_loader_storage_host_la_SOURCES = %D%/bad.c
tests_loader_storage_host_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=3 -DPLUGIN_NAME='"host"'
tests_loader_storage_host_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-kind.la
tests_loader_storage_kind_la_SOURCES = %D%/bad.c
tests_loader_storage_kind_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=4 -DPLUGIN_NAME='"kind"'
tests_loader_storage_kind_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-name.la
tests_loader_storage_name_la_SOURCES = %D%/bad.c
tests_loader_storage_name_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=5 -DPLUGIN_NAME='"name"'
tests_loader_storage_name_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-ops-abi.la
tests_loader_storage_ops_abi_la_SOURCES = %D%/bad.c
tests_loader_storage_ops_abi_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=6 -DPLUGIN_NAME='"ops-abi"'
tests_loader_storage_ops_abi_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-release.la
tests_loader_storage_release_la_SOURCES = %D%/bad.c
tests_loader_storage_release_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=7 -DPLUGIN_NAME='"release"'
tests_loader_storage_release_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-ops-size.la
tests_loader_storage_ops_size_la_SOURCES = %D%/bad.c
tests_loader_storage_ops_size_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=8 -DPLUGIN_NAME='"ops-size"'
tests_loader_storage_ops_size_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-lacks-op.la
tests_loader_storage_lacks_op_la_SOURCES = %D%/bad.c
tests_loader_storage_lacks_op_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=9 -DPLUGIN_NAME='"lacks-op"'
tests_loader_storage_lacks_op_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-lacks-create.la
tests_loader_storage_lacks_create_la_SOURCES = %D%/bad.c
tests_loader_storage_lacks_create_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=10 -DPLUGIN_NAME='"lacks-create"'
tests_loader_storage_lacks_create_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-threads.la
tests_loader_storage_threads_la_SOURCES = %D%/bad.c
tests_loader_storage_threads_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=11 -DPLUGIN_NAME='"threads"'
tests_loader_storage_threads_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-flags.la
tests_loader_storage_flags_la_SOURCES = %D%/bad.c
tests_loader_storage_flags_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=12 -DPLUGIN_NAME='"flags"'
tests_loader_storage_flags_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-option-name.la
tests_loader_storage_option_name_la_SOURCES = %D%/bad.c
tests_loader_storage_option_name_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=13 -DPLUGIN_NAME='"option-name"'
tests_loader_storage_option_name_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-option-type.la
tests_loader_storage_option_type_la_SOURCES = %D%/bad.c
tests_loader_storage_option_type_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=14 -DPLUGIN_NAME='"option-type"'
tests_loader_storage_option_type_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-option-twice.la
tests_loader_storage_option_twice_la_SOURCES = %D%/bad.c
tests_loader_storage_option_twice_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=15 -DPLUGIN_NAME='"option-twice"'
tests_loader_storage_option_twice_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-option-default.la
tests_loader_storage_option_default_la_SOURCES = %D%/bad.c
tests_loader_storage_option_default_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=16 -DPLUGIN_NAME='"option-default"'
tests_loader_storage_option_default_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-option-size.la
tests_loader_storage_option_size_la_SOURCES = %D%/bad.c
tests_loader_storage_option_size_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=17 -DPLUGIN_NAME='"option-size"'
tests_loader_storage_option_size_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-option-help.la
tests_loader_storage_option_help_la_SOURCES = %D%/bad.c
tests_loader_storage_option_help_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=18 -DPLUGIN_NAME='"option-help"'
tests_loader_storage_option_help_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-symbol.la
tests_loader_storage_symbol_la_SOURCES = %D%/bad.c
tests_loader_storage_symbol_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=19 -DPLUGIN_NAME='"symbol"'
tests_loader_storage_symbol_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

check_LTLIBRARIES += tests/loader/storage-struct-size.la
tests_loader_storage_struct_size_la_SOURCES = %D%/bad.c
tests_loader_storage_struct_size_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=20 -DPLUGIN_NAME='"struct-size"'
tests_loader_storage_struct_size_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-no-ops.la
tests_loader_storage_no_ops_la_SOURCES = %D%/bad.c
tests_loader_storage_no_ops_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=21 -DPLUGIN_NAME='"no-ops"'
tests_loader_storage_no_ops_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-short-ops.la
tests_loader_storage_short_ops_la_SOURCES = %D%/bad.c
tests_loader_storage_short_ops_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=22 -DPLUGIN_NAME='"short-ops"'
tests_loader_storage_short_ops_la_LDFLAGS = $(LOADER_LDFLAGS)

check_LTLIBRARIES += tests/loader/storage-single.la
tests_loader_storage_single_la_SOURCES = %D%/bad.c
tests_loader_storage_single_la_CPPFLAGS = $(LOADER_CPPFLAGS) -DBAD=0 -DPLUGIN_NAME='"single"' \
	-DTHREAD_MODEL=COX_THREADS_PER_INSTANCE
tests_loader_storage_single_la_LDFLAGS = $(LOADER_LDFLAGS)

check_PROGRAMS += tests/loader/loader
TESTS += tests/loader/loader
tests_loader_loader_SOURCES = %D%/loader.c
tests_loader_loader_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/tests/unit
tests_loader_loader_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/loader/toy-daemon
tests_loader_toy_daemon_SOURCES = %D%/toy_daemon.c
tests_loader_toy_daemon_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_loader_toy_daemon_LDADD = $(UNIT_LDADD)

TESTS += %D%/daemon.bats
EXTRA_DIST += %D%/daemon.bats

check_PROGRAMS += tests/unit/config
TESTS += tests/unit/config
tests_unit_config_SOURCES = tests/unit/config.c
tests_unit_config_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_LDADD = $(UNIT_LDADD)

check_PROGRAMS += tests/unit/process
TESTS += tests/unit/process
tests_unit_process_SOURCES = tests/unit/process.c
tests_unit_process_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_process_LDADD = $(UNIT_LDADD)
