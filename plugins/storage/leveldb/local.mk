# SPDX-License-Identifier: Apache-2.0
if PLUGIN_STORAGE_LEVELDB
pluginexec_LTLIBRARIES += plugins/storage-leveldb.la
plugins_storage_leveldb_la_SOURCES = \
	%D%/directory.c \
	%D%/format.c \
	%D%/format.h \
	%D%/index.c \
	%D%/level.h \
	%D%/leveldb.c \
	%D%/logfile.c \
	%D%/maintain.c \
	%D%/open.c \
	%D%/read.c \
	%D%/write.c \
	$(storage_common_sources)
plugins_storage_leveldb_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_storage_leveldb_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_storage_leveldb_la_LIBADD = $(PLUGIN_LIBADD) -lleveldb
dist_man_MANS += %D%/cox-storage-leveldb.7
endif
