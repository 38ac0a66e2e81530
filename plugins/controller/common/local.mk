# SPDX-License-Identifier: Apache-2.0
# Linked into the controllers that find the pods of services.
controller_common_sources = \
	%D%/services.c \
	%D%/services.h
