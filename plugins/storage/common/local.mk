# SPDX-License-Identifier: Apache-2.0
# Linked into every storage plugin that owns its data.
storage_common_sources = \
	%D%/engine.c \
	%D%/engine.h \
	%D%/hub.c \
	%D%/hub.h \
	%D%/version.h
