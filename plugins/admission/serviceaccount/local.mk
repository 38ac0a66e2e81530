# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_SERVICEACCOUNT
pluginexec_LTLIBRARIES += plugins/admission-ServiceAccount.la
plugins_admission_ServiceAccount_la_SOURCES = \
	%D%/serviceaccount.c \
	%D%/serviceaccount.h \
	%D%/mount.c \
	%D%/secrets.c \
	$(admission_lookup_sources)
plugins_admission_ServiceAccount_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(srcdir)/plugins/admission/common
plugins_admission_ServiceAccount_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_ServiceAccount_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-ServiceAccount.7
endif
