# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_ALWAYSADMIT
pluginexec_LTLIBRARIES += plugins/admission-AlwaysAdmit.la
plugins_admission_AlwaysAdmit_la_SOURCES = %D%/alwaysadmit.c
plugins_admission_AlwaysAdmit_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_admission_AlwaysAdmit_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_AlwaysAdmit_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-AlwaysAdmit.7
endif
