# SPDX-License-Identifier: Apache-2.0
# The plugin and its three programs, which lie in HELPER_DIRECTORY.

if PLUGIN_RUNTIME_OCI
helperexecdir = $(libexecdir)/coxswain
helperexec_PROGRAMS = \
	plugins/runtime/oci/coxswain-oci-helper \
	plugins/runtime/oci/coxswain-oci-fetch \
	plugins/runtime/oci/coxswain-pause

pluginexec_LTLIBRARIES += plugins/runtime-oci.la
plugins_runtime_oci_la_SOURCES = \
	%D%/cgroup.c \
	%D%/container.c \
	%D%/exec.c \
	%D%/files.c \
	%D%/image.c \
	%D%/import.c \
	%D%/list.c \
	%D%/oci.c \
	%D%/oci.h \
	%D%/process.c \
	%D%/pull.c \
	%D%/record.c \
	%D%/reference.c \
	%D%/sandbox.c \
	%D%/seccomp.c \
	%D%/spec.c \
	%D%/unit.c \
	%D%/users.c
plugins_runtime_oci_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(JSONC_CFLAGS) $(GNUTLS_CFLAGS) \
	-DOCI_HELPER_DIRECTORY='"$(helperexecdir)"'
plugins_runtime_oci_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_runtime_oci_la_LIBADD = $(PLUGIN_LIBADD) $(JSONC_LIBS) $(GNUTLS_LIBS) -lpthread

plugins_runtime_oci_coxswain_oci_helper_SOURCES = \
	%D%/copy.c \
	%D%/helper.c \
	%D%/helper.h \
	%D%/unpack.c
plugins_runtime_oci_coxswain_oci_helper_CPPFLAGS = -D_GNU_SOURCE $(ARCHIVE_CFLAGS) $(GNUTLS_CFLAGS)
plugins_runtime_oci_coxswain_oci_helper_LDADD = $(ARCHIVE_LIBS) $(GNUTLS_LIBS)

plugins_runtime_oci_coxswain_oci_fetch_SOURCES = \
	%D%/fetch.c \
	%D%/fetch.h \
	%D%/fetchhttp.c
plugins_runtime_oci_coxswain_oci_fetch_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(CURL_CFLAGS) $(JSONC_CFLAGS) \
	$(GNUTLS_CFLAGS)
plugins_runtime_oci_coxswain_oci_fetch_LDADD = $(PLUGIN_LIBADD) $(CURL_LIBS) $(JSONC_LIBS) \
	$(GNUTLS_LIBS)

# Alone in its root file system, and without a C library.
plugins_runtime_oci_coxswain_pause_SOURCES = %D%/pause.c
plugins_runtime_oci_coxswain_pause_CFLAGS = -std=gnu11 -ffreestanding -fno-stack-protector \
	-fno-pie -fno-asynchronous-unwind-tables -U_FORTIFY_SOURCE -Wall -Wextra
plugins_runtime_oci_coxswain_pause_LDFLAGS = -static -nostdlib -no-pie -Wl,-z,noexecstack

dist_man_MANS += %D%/cox-runtime-oci.7
endif
