# SPDX-License-Identifier: Apache-2.0
# What admission plugins that look things up, or count, are linked with.
admission_lookup_sources = \
	%D%/lookup.c \
	%D%/lookup.h
admission_amounts_sources = \
	%D%/amounts.c \
	%D%/amounts.h
