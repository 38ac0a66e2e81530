# SPDX-License-Identifier: Apache-2.0
# The contract: installed headers and the helper library for plugins.

coxincludedir = $(includedir)/coxswain
coxinclude_HEADERS = \
	%D%/coxswain/admission.h \
	%D%/coxswain/cloud.h \
	%D%/coxswain/cluster.h \
	%D%/coxswain/controller.h \
	%D%/coxswain/object.h \
	%D%/coxswain/authenticator.h \
	%D%/coxswain/authorizer.h \
	%D%/coxswain/network.h \
	%D%/coxswain/plugin.h \
	%D%/coxswain/proxy.h \
	%D%/coxswain/runtime.h \
	%D%/coxswain/scheduler.h \
	%D%/coxswain/storage.h \
	%D%/coxswain/volume.h
coxkitincludedir = $(includedir)/coxswain/kit
coxkitinclude_HEADERS = \
	%D%/coxswain/kit/alloc.h \
	%D%/coxswain/kit/buf.h \
	%D%/coxswain/kit/claims.h \
	%D%/coxswain/kit/cleanup.h \
	%D%/coxswain/kit/discovery.h \
	%D%/coxswain/kit/expect.h \
	%D%/coxswain/kit/json.h \
	%D%/coxswain/kit/meta.h \
	%D%/coxswain/kit/pods.h \
	%D%/coxswain/kit/request.h \
	%D%/coxswain/kit/map.h \
	%D%/coxswain/kit/netlink.h \
	%D%/coxswain/kit/quantity.h \
	%D%/coxswain/kit/select.h \
	%D%/coxswain/kit/text.h \
	%D%/coxswain/kit/time.h \
	%D%/coxswain/kit/vec.h

# Convenience library for the tree; the installed archive has the same objects.
noinst_LTLIBRARIES += api/libcoxkit.la
api_libcoxkit_la_SOURCES = \
	%D%/kit/alloc.c \
	%D%/kit/buf.c \
	%D%/kit/claims.c \
	%D%/kit/discovery.c \
	%D%/kit/expect.c \
	%D%/kit/json.c \
	%D%/kit/meta.c \
	%D%/kit/pods.c \
	%D%/kit/request.c \
	%D%/kit/map.c \
	%D%/kit/netlink.c \
	%D%/kit/quantity.c \
	%D%/kit/select.c \
	%D%/kit/text.c \
	%D%/kit/time.c
api_libcoxkit_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)

coxkitlibdir = $(libdir)
nodist_coxkitlib_DATA = api/libcoxkit.a
api/libcoxkit.a: api/libcoxkit.la
	$(AM_V_GEN)rm -f $@ && $(AR) cr $@ $$(for object in $(api_libcoxkit_la_OBJECTS); do \
		. ./$$object; dir=$$(dirname $$object); echo $$dir/$$pic_object; done) && $(RANLIB) $@
CLEANFILES += api/libcoxkit.a

nodist_pkgconfig_DATA += api/coxswain.pc

include api/gen/local.mk
