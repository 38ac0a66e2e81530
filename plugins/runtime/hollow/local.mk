# SPDX-License-Identifier: Apache-2.0
if PLUGIN_RUNTIME_HOLLOW
pluginexec_LTLIBRARIES += plugins/runtime-hollow.la
plugins_runtime_hollow_la_SOURCES = \
	%D%/container.c \
	%D%/exec.c \
	%D%/hollow.c \
	%D%/hollow.h \
	%D%/image.c
plugins_runtime_hollow_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_runtime_hollow_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_runtime_hollow_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/cox-runtime-hollow.7
endif
