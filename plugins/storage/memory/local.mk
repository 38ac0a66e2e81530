# SPDX-License-Identifier: Apache-2.0
if PLUGIN_STORAGE_MEMORY
pluginexec_LTLIBRARIES += plugins/storage-memory.la
plugins_storage_memory_la_SOURCES = \
	%D%/memory.c \
	%D%/index.c \
	%D%/index.h \
	$(storage_common_sources)
plugins_storage_memory_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_storage_memory_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_storage_memory_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-storage-memory.7
endif
