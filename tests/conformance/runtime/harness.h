/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtime suite needs: the plugin under the real plugin host, a
 * directory of its own, images made on the spot, a registry.
 */
#ifndef TESTS_RUNTIME_HARNESS_H
#define TESTS_RUNTIME_HARNESS_H

#include "../../unit/unit.h"

#include "base/error.h"
#include "host/host.h"

#include <coxswain/kit/buf.h>
#include <coxswain/runtime.h>
#include <stdbool.h>

#define SECOND 1000000000ull

struct fixture {
	struct host *host;
	struct host_plugin *plugin;
	const struct cox_runtime_ops *ops;
	void *self;
};

extern char work_directory[256];   /* of this run */
extern const char *runtime_choice; /* crun or runc */
extern struct fixture runtime;
extern uint32_t pid_mode; /* of the containers that must_create makes */

/* Every path below the work directory; the texts live until the next 8 calls. */
const char *work_path(const char *name);
void harness_begin(const char *choice);
void harness_join(const char *directory); /* the work of another process */
/* Removes what is left; how many mounts, groups and processes that were. */
int harness_end(void);
void runtime_open(void);
void runtime_close(void);
uint64_t now_ns(void);
/* Runs a shell command; its exit code. */
int run_shell(const char *format, ...) COX_PRINTF(1, 2);
char *read_text(const char *path); /* "" if it is not there */

/* images.c: an image with busybox, in both archive formats. */
void images_make(void);
int import_file(const char *path, const char *name, struct cox_error *err);

/* registry.c: Debian's docker-registry on a free port of loopback. */
struct registry {
	int pidfd;
	int port;
	char directory[256];
};
/* `tls`: with a certificate of the test's own CA, at work_path("ca.crt"). */
void registry_start(struct registry *registry, const char *name, bool tls, bool password);
void registry_stop_all(void);
/* Pushes the OCI layout's image as NAME:TAG. */
void registry_push(const struct registry *registry, bool tls, const char *repository,
		   const char *tag, const char *user);

/* Short ways to the operations; they fail the test with the plugin's text. */
void must_run_sandbox(const char *name, char *id);
void must_create(const char *sandbox, const char *name, const char *script, char *id);
void must_start(const char *id);
/* Waits until it has ended; its exit code. */
int must_wait_exit(const char *id);
int remove_sandboxes(void);	     /* all there are; 0 or -1 */
int sandbox_state(const char *id);   /* -1: there is none */
int container_state(const char *id); /* -1: there is none */
/* The reason of its end; "" while it runs. */
const char *container_reason(const char *id);
int64_t container_pid(const char *id);
/* Runs `sh -c script` in the container; the output goes to `out`. */
int must_exec(const char *id, const char *script, struct cox_buf *out);

/* escapes.c */
void test_overwrite(void **state);
void test_hidden(void **state);
void test_links(void **state);

#endif
