# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_NAMESPACEEXISTS
pluginexec_LTLIBRARIES += plugins/admission-NamespaceExists.la
plugins_admission_NamespaceExists_la_SOURCES = \
	%D%/namespaceexists.c \
	$(admission_lookup_sources)
plugins_admission_NamespaceExists_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(srcdir)/plugins/admission/common
plugins_admission_NamespaceExists_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_NamespaceExists_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-NamespaceExists.7
endif
