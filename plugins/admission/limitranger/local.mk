# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_LIMITRANGER
pluginexec_LTLIBRARIES += plugins/admission-LimitRanger.la
plugins_admission_LimitRanger_la_SOURCES = \
	%D%/limitranger.c \
	%D%/limits.c \
	%D%/limits.h \
	$(admission_lookup_sources) \
	$(admission_amounts_sources)
plugins_admission_LimitRanger_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(srcdir)/plugins/admission/common
plugins_admission_LimitRanger_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_LimitRanger_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-LimitRanger.7
endif
