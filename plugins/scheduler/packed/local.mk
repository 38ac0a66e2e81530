# SPDX-License-Identifier: Apache-2.0
if PLUGIN_SCHEDULER_PACKED
pluginexec_LTLIBRARIES += plugins/scheduler-packed.la
plugins_scheduler_packed_la_SOURCES = \
	%D%/packed.c
plugins_scheduler_packed_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_scheduler_packed_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_scheduler_packed_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-scheduler-packed.7
endif
