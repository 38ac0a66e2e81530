# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_RESOURCEQUOTA
pluginexec_LTLIBRARIES += plugins/admission-ResourceQuota.la
plugins_admission_ResourceQuota_la_SOURCES = \
	%D%/resourcequota.c \
	%D%/resourcequota.h \
	%D%/charge.c \
	%D%/evaluate.c \
	%D%/usage.c \
	%D%/scope.c \
	%D%/store.c \
	$(admission_lookup_sources) \
	$(admission_amounts_sources)
plugins_admission_ResourceQuota_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(srcdir)/plugins/admission/common
plugins_admission_ResourceQuota_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_ResourceQuota_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-ResourceQuota.7
endif
