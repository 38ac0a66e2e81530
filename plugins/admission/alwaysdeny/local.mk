# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_ALWAYSDENY
pluginexec_LTLIBRARIES += plugins/admission-AlwaysDeny.la
plugins_admission_AlwaysDeny_la_SOURCES = %D%/alwaysdeny.c
plugins_admission_AlwaysDeny_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_admission_AlwaysDeny_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_AlwaysDeny_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-AlwaysDeny.7
endif
