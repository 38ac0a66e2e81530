# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_NAMESPACEAUTOPROVISION
pluginexec_LTLIBRARIES += plugins/admission-NamespaceAutoProvision.la
plugins_admission_NamespaceAutoProvision_la_SOURCES = \
	%D%/namespaceautoprovision.c \
	$(admission_lookup_sources)
plugins_admission_NamespaceAutoProvision_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(srcdir)/plugins/admission/common
plugins_admission_NamespaceAutoProvision_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_NamespaceAutoProvision_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-NamespaceAutoProvision.7
endif
