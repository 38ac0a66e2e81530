# SPDX-License-Identifier: Apache-2.0
# Volume plugins; the code that they share is compiled into each.

VOLUME_COMMON = \
	plugins/volume/common/common.h \
	plugins/volume/common/mount.c \
	plugins/volume/common/payload.c \
	plugins/volume/common/sources.c

if PLUGIN_VOLUME_EMPTYDIR
pluginexec_LTLIBRARIES += plugins/volume-emptydir.la
plugins_volume_emptydir_la_SOURCES = %D%/emptydir/emptydir.c $(VOLUME_COMMON)
plugins_volume_emptydir_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_volume_emptydir_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_volume_emptydir_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/emptydir/cox-volume-emptydir.7
endif

if PLUGIN_VOLUME_HOSTPATH
pluginexec_LTLIBRARIES += plugins/volume-hostpath.la
plugins_volume_hostpath_la_SOURCES = %D%/hostpath/hostpath.c $(VOLUME_COMMON)
plugins_volume_hostpath_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_volume_hostpath_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_volume_hostpath_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/hostpath/cox-volume-hostpath.7
endif

if PLUGIN_VOLUME_LOCAL
pluginexec_LTLIBRARIES += plugins/volume-local.la
plugins_volume_local_la_SOURCES = %D%/local/local.c $(VOLUME_COMMON)
plugins_volume_local_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_volume_local_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_volume_local_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/local/cox-volume-local.7
endif

if PLUGIN_VOLUME_SECRET
pluginexec_LTLIBRARIES += plugins/volume-secret.la
plugins_volume_secret_la_SOURCES = %D%/secret/secret.c $(VOLUME_COMMON)
plugins_volume_secret_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_volume_secret_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_volume_secret_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/secret/cox-volume-secret.7
endif

if PLUGIN_VOLUME_CONFIGMAP
pluginexec_LTLIBRARIES += plugins/volume-configmap.la
plugins_volume_configmap_la_SOURCES = %D%/configmap/configmap.c $(VOLUME_COMMON)
plugins_volume_configmap_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_volume_configmap_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_volume_configmap_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/configmap/cox-volume-configmap.7
endif

if PLUGIN_VOLUME_PROJECTED
pluginexec_LTLIBRARIES += plugins/volume-projected.la
plugins_volume_projected_la_SOURCES = %D%/projected/projected.c $(VOLUME_COMMON)
plugins_volume_projected_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_volume_projected_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_volume_projected_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/projected/cox-volume-projected.7
endif

if PLUGIN_VOLUME_DOWNWARDAPI
pluginexec_LTLIBRARIES += plugins/volume-downwardapi.la
plugins_volume_downwardapi_la_SOURCES = %D%/downwardapi/downwardapi.c $(VOLUME_COMMON)
plugins_volume_downwardapi_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_volume_downwardapi_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_volume_downwardapi_la_LIBADD = $(PLUGIN_LIBADD) -lpthread
dist_man_MANS += %D%/downwardapi/cox-volume-downwardapi.7
endif

