# SPDX-License-Identifier: Apache-2.0
if PLUGIN_ADMISSION_STORAGEOBJECTINUSEPROTECTION
pluginexec_LTLIBRARIES += plugins/admission-StorageObjectInUseProtection.la
plugins_admission_StorageObjectInUseProtection_la_SOURCES = \
	%D%/storageobjectinuseprotection.c
plugins_admission_StorageObjectInUseProtection_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_admission_StorageObjectInUseProtection_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_admission_StorageObjectInUseProtection_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-admission-StorageObjectInUseProtection.7
endif
