# SPDX-License-Identifier: Apache-2.0
if PLUGIN_CONTROLLER_PERSISTENTVOLUME
pluginexec_LTLIBRARIES += plugins/controller-persistentvolume.la
plugins_controller_persistentvolume_la_SOURCES = \
	%D%/claims.c \
	%D%/persistentvolume.c \
	%D%/persistentvolume.h \
	%D%/reclaim.c \
	%D%/remove.c \
	%D%/volumes.c \
	%D%/write.c
plugins_controller_persistentvolume_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_controller_persistentvolume_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_controller_persistentvolume_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-controller-persistentvolume.7
endif
