# SPDX-License-Identifier: Apache-2.0
# The core: one library of all floors, so that a test links just what it uses.

noinst_LTLIBRARIES += core/libcoxcore.la
core_libcoxcore_la_SOURCES = \
	%D%/compose.c %D%/compose.h \
	%D%/daemon.c %D%/daemon.h \
	%D%/service.c \
	%D%/settings.c
nodist_core_libcoxcore_la_SOURCES =
core_libcoxcore_la_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(GNUTLS_CFLAGS) $(JSONC_CFLAGS) \
	$(YAML_CFLAGS) $(ZLIB_CFLAGS) $(NGHTTP2_CFLAGS)
core_libcoxcore_la_LIBADD =

include core/base/local.mk
include core/host/local.mk
include core/config/local.mk
include core/machinery/local.mk
include core/pki/local.mk
include core/net/local.mk
include core/store/local.mk
include core/access/local.mk
include core/client/local.mk
include core/apiserver/local.mk
include core/scheduler/local.mk
include core/controller/local.mk
include core/kubelet/local.mk
include core/proxy/local.mk
include core/preflight/local.mk

bin_PROGRAMS += core/coxswain
core_coxswain_SOURCES = %D%/main.c %D%/preflight.c %D%/preflight.h %D%/up.c %D%/up.h
core_coxswain_CPPFLAGS = $(core_libcoxcore_la_CPPFLAGS)
core_coxswain_LDADD = core/libcoxcore.la api/libcoxkit.la $(CORE_LIBS)

dist_man_MANS += %D%/coxswain.8
