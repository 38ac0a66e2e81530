# SPDX-License-Identifier: Apache-2.0
if PLUGIN_SCHEDULER_DEFAULT
pluginexec_LTLIBRARIES += plugins/scheduler-default.la
plugins_scheduler_default_la_SOURCES = \
	%D%/affinity.c \
	%D%/claims.c \
	%D%/claims.h \
	%D%/default.c \
	%D%/default.h \
	%D%/filters.c \
	%D%/match.c \
	%D%/near.c \
	%D%/owners.c \
	%D%/scores.c \
	%D%/spread.c
plugins_scheduler_default_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_scheduler_default_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_scheduler_default_la_LIBADD = $(PLUGIN_LIBADD)
dist_man_MANS += %D%/cox-scheduler-default.7
endif
