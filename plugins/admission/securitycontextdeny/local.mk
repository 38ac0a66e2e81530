# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_SECURITYCONTEXTDENY
pluginexec_LTLIBRARIES += plugins/admission-SecurityContextDeny.la
plugins_admission_SecurityContextDeny_la_SOURCES = %D%/securitycontextdeny.c
plugins_admission_SecurityContextDeny_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_admission_SecurityContextDeny_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_SecurityContextDeny_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-SecurityContextDeny.7
endif
