# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_NAMESPACELIFECYCLE
pluginexec_LTLIBRARIES += plugins/admission-NamespaceLifecycle.la
plugins_admission_NamespaceLifecycle_la_SOURCES = \
	%D%/namespacelifecycle.c \
	$(admission_lookup_sources)
plugins_admission_NamespaceLifecycle_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(srcdir)/plugins/admission/common
plugins_admission_NamespaceLifecycle_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_NamespaceLifecycle_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-NamespaceLifecycle.7
endif
