# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_DEFAULTSTORAGECLASS
pluginexec_LTLIBRARIES += plugins/admission-DefaultStorageClass.la
plugins_admission_DefaultStorageClass_la_SOURCES = \
	%D%/defaultstorageclass.c
plugins_admission_DefaultStorageClass_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_admission_DefaultStorageClass_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_DefaultStorageClass_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-DefaultStorageClass.7
endif
