/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks share; see preflight.c and reach.c. */
#ifndef COX_PREFLIGHT_INTERNAL_H
#define COX_PREFLIGHT_INTERNAL_H

#include "preflight/parse.h"
#include "preflight/preflight.h"

#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <stdint.h>
#include <sys/types.h>

enum preflight_level { PREFLIGHT_OK, PREFLIGHT_WARNING, PREFLIGHT_ERROR };

/* The user of the control plane, as its units say. */
#define PREFLIGHT_USER "kube"
/* Anything bigger is no file or output that a check reads. */
enum { PREFLIGHT_TEXT_MAX = 4 << 20, PREFLIGHT_PATH_SIZE = 4096 };

/* One line. `remedy` is NULL where there is nothing to do. */
void preflight_say(struct preflight *preflight, enum preflight_level level, const char *thing,
		   const char *remedy, const char *format, ...) COX_PRINTF(5, 6);

/* A flag of a daemon as its files say it; NULL: it does not belong to this role. */
const char *preflight_flag(const struct preflight *preflight, const char *daemon, const char *flag);
/* The same whether it belongs to the role or not. */
const char *preflight_any_flag(const struct preflight *preflight, const char *daemon,
			       const char *flag);
/* Where that value comes from: "FILE:LINE" or "default". */
const char *preflight_origin(const struct preflight *preflight, const char *daemon,
			     const char *flag);
/* An option of a plugin of the kubelet or the proxy, or `fallback`; into `out`. */
void preflight_plugin_option(const struct preflight *preflight, const char *daemon,
			     const char *option, const char *fallback, struct cox_buf *out);

/* The first PREFLIGHT_TEXT_MAX bytes of a file. -1: errno says why. */
int preflight_read(const char *path, struct cox_buf *out) COX_MUST_CHECK;

/*
 * Runs a program and waits at most `seconds` for it. `*status` is its exit
 * status; what it says goes to `out` and `errors`, which may be NULL.
 */
int preflight_run(const char *const *argv, unsigned seconds, struct cox_buf *out,
		  struct cox_buf *errors, int *status, struct cox_error *err) COX_MUST_CHECK;
/* The path of a program that a daemon would find by this name, or -1. */
int preflight_find_program(const char *name, struct cox_buf *path) COX_MUST_CHECK;
/* The last line that is not empty; "" if there is none. */
const char *preflight_last_line(struct cox_buf *text);

/* A process by its short name (/proc/PID/comm); 0: there is none. */
pid_t preflight_find_process(const char *name);

/* Looks up a name; at most 5 seconds. */
int preflight_resolve(const char *host, struct cox_error *err) COX_MUST_CHECK;
/* A connection, made within 3 seconds. The descriptor, or -1. */
int preflight_connect(const struct preflight_url *url, struct cox_error *err) COX_MUST_CHECK;
int preflight_connect_unix(const char *path, struct cox_error *err) COX_MUST_CHECK;
/* Asks for `path` on a connection; the answer with its head. Within 3 seconds. */
int preflight_get(int fd, const char *host, const char *path, struct cox_buf *answer,
		  struct cox_error *err) COX_MUST_CHECK;

/* The checks, in the order that they are made. */
void preflight_check_files(struct preflight *preflight);
void preflight_check_user(struct preflight *preflight);
void preflight_check_directories(struct preflight *preflight);
void preflight_check_space(struct preflight *preflight);
void preflight_check_memory(struct preflight *preflight);
void preflight_check_clock(struct preflight *preflight);
void preflight_check_names(struct preflight *preflight);
void preflight_check_servers(struct preflight *preflight);
void preflight_check_ports(struct preflight *preflight);
void preflight_check_firewall(struct preflight *preflight);
void preflight_check_kernel(struct preflight *preflight);
void preflight_check_cgroups(struct preflight *preflight);
void preflight_check_runtime(struct preflight *preflight);
void preflight_check_docker(struct preflight *preflight);

#endif
