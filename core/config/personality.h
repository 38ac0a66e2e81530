/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A personality: one of the daemons that the executable can be. Each room of
 * floor 5 defines one constant; main.c lists them. core/daemon.c does what all
 * daemons have in common, and calls these functions.
 */
#ifndef COX_CONFIG_PERSONALITY_H
#define COX_CONFIG_PERSONALITY_H

#include "config/flags.h"

struct client_local;
struct host;
struct host_plugin;

/* What a personality is given; valid until stop() has returned. */
struct daemon {
	const struct personality *personality;
	struct host *host;
	const struct flag_set *flags;
	void *config; /* the personality's struct, filled from its flags */
	void *state;  /* the personality's own */
	/* The API server in this process (client/client.h); NULL: there is none. */
	const struct client_local *local;
	/*
	 * The abstract socket of an API server that this process started and that
	 * takes its word (up.h); NULL: there is none. `own_socket` is that
	 * server's side: a listening socket, or -1.
	 */
	const char *server_socket;
	int own_socket;
	/* common flags */
	struct flag_list plugin_options; /* KIND/NAME:KEY=VALUE */
	struct flag_list plugin_threads; /* KIND/NAME=MODEL */
	struct flag_list allow_missing;	 /* KIND/NAME */
};

struct personality {
	const char *name;	 /* "kube-apiserver" */
	const char *description; /* one line for --help */
	const struct flag *flags;
	const size_t *flag_count; /* beside the flags, which only their file can count */
	size_t config_size;
	/* 0: 077. Others read what a node makes for their containers: 022. */
	unsigned umask;

	/*
	 * The files of a unit: DIR/config and DIR/<env_file>, and the keys that
	 * its command line names, in that order.
	 */
	const char *env_file;
	const char *const *env_keys; /* ends with NULL */

	/* Checks that need several flags at once. May be NULL. */
	int (*check)(struct daemon *daemon, struct cox_error *err);
	/*
	 * No daemon, but a command that does its work here and ends with this exit
	 * status; nothing below is called. NULL: a daemon.
	 */
	int (*run)(struct daemon *daemon);
	/* Opens and configures the plugins; --check-config ends behind it. */
	int (*prepare)(struct daemon *daemon, struct cox_error *err);
	/* Gets plugins ready, starts them and the service; does not block. */
	int (*start)(struct daemon *daemon, struct cox_error *err);
	/* SIGHUP. `daemon->config` holds the new values. May be NULL. */
	int (*reload)(struct daemon *daemon, struct cox_error *err);
	/* Orderly end; also after a prepare or start that failed. */
	void (*stop)(struct daemon *daemon);
};

/*
 * host_open with what the common flags say of this plugin: its options and its
 * thread model. `flag` is the flag that names the plugin; its origin goes into
 * messages. If the plugin cannot be loaded but --allow-missing-plugins has it,
 * that is logged, `*plugin` is NULL, and the result 0.
 */
int daemon_open_plugin(struct daemon *daemon, const char *kind, const char *name, const char *flag,
		       struct host_plugin **plugin, struct cox_error *err) COX_MUST_CHECK;

/* Asks the daemon to stop, as SIGTERM does. Any thread. */
void daemon_stop(void);
/* The same, because it cannot do what it is for: its exit status will say so. */
void daemon_fail(void);

#endif
