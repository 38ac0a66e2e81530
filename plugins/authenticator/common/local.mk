# SPDX-License-Identifier: Apache-2.0
# Linked into the authenticator plugins that read a file.
authenticator_watched_sources = %D%/watched.c %D%/watched.h
authenticator_accounts_sources = \
	%D%/accounts.c \
	%D%/accounts.h \
	%D%/csv.c \
	%D%/csv.h \
	$(authenticator_watched_sources)
