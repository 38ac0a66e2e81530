/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hollow runtime's own house: sandboxes, containers and images that are
 * records in memory and nothing else.
 *
 * Lock: hollow.lock guards every record; `changed` is signalled when one
 * changes. Sinks are never called with it held, because they belong to the
 * host: what they get is copied first, but for strings of records, which stay
 * until the instance ends (a removed record is kept in the graveyard).
 */
#ifndef HOLLOW_H
#define HOLLOW_H

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/vec.h>
#include <coxswain/runtime.h>
#include <pthread.h>
#include <stdbool.h>

enum { HOLLOW_MAX = 100000 }; /* sandboxes, containers, images: of each */

struct hollow_pairs {
	struct cox_pair *items;
	size_t count;
};

struct hollow_sandbox {
	char id[COX_RUNTIME_ID_SIZE];
	char *name, *uid, *namespace_name, *handler, *log_directory, *cgroup_parent;
	uint32_t attempt, network_mode, state;
	int64_t created_at;
	struct hollow_pairs labels, annotations;
	bool gone;
};

/* What a container does, said by words among its command and arguments. */
struct hollow_script {
	uint64_t exit_after; /* ns after its start; UINT64_MAX: never by itself */
	int exit_code;
	bool deaf;   /* does not hear the stop signal */
	bool polite; /* ends at it, with 0 */
	char *text;  /* what it writes at its start; NULL: nothing */
};

struct hollow_container {
	char id[COX_RUNTIME_ID_SIZE];
	struct hollow_sandbox *sandbox;
	char *name, *image, *image_id, *log_path, *command;
	uint32_t attempt, state;
	int exit_code;
	const char *reason;
	int64_t created_at, started_at, finished_at;
	uint64_t ends_at; /* monotonic; UINT64_MAX: not by itself */
	struct hollow_script script;
	struct hollow_pairs labels, annotations;
	bool gone;
};

struct hollow_image {
	char *name, *id;
	bool gone;
};

struct hollow_watch {
	struct hollow *hollow;
	const struct cox_runtime_event_sink *sink;
	bool busy; /* the sink is being called */
	bool cancelled;
};

struct hollow_event {
	uint32_t type;
	char container[COX_RUNTIME_ID_SIZE];
	char sandbox[COX_RUNTIME_ID_SIZE];
	int64_t time;
};

struct hollow {
	const struct cox_host *host;
	/* options */
	uint64_t start_delay, exit_after, pull_delay;
	int64_t exit_code, disk;
	bool images_present;
	char *failing_images; /* "a,b": a pull of these fails */
	char *failing_starts; /* images whose containers cannot be started */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t clock; /* ends containers, delivers events */
	bool running, stopping;
	uint64_t numbers; /* identifiers given out */
	COX_VEC(struct hollow_sandbox *) sandboxes;
	COX_VEC(struct hollow_container *) containers;
	COX_VEC(struct hollow_image *) images;
	COX_VEC(struct hollow_watch *) watches;
	COX_VEC(struct hollow_event) events;
};

/* hollow.c, with the lock held */
struct hollow_sandbox *hollow_find_sandbox(struct hollow *hollow, const char *id);
struct hollow_container *hollow_find_container(struct hollow *hollow, const char *id);
void hollow_tell(struct hollow *hollow, uint32_t type, const struct hollow_container *container,
		 const struct hollow_sandbox *sandbox);
void hollow_new_id(struct hollow *hollow, char id[COX_RUNTIME_ID_SIZE]);
/* Waits until `until` (monotonic) or a change. */
void hollow_wait(struct hollow *hollow, uint64_t until);
/* Whether `item` is in the comma list. */
bool hollow_listed(const char *list, const char *item);
/* Without the lock: a bounded wait that a stop or a cancelled call cuts short. */
int hollow_pause(struct hollow *hollow, const struct cox_call *call, uint64_t length,
		 struct cox_error *err);

/* container.c */
void hollow_end(struct hollow *hollow, struct hollow_container *container, int exit_code);
int hollow_container_create(void *self, const struct cox_call *call, const char *sandbox_id,
			    const struct cox_container_config *config, char *id,
			    struct cox_error *err);
int hollow_container_start(void *self, const struct cox_call *call, const char *id,
			   struct cox_error *err);
int hollow_container_stop(void *self, const struct cox_call *call, const char *id,
			  uint64_t grace_ns, struct cox_error *err);
int hollow_container_remove(void *self, const struct cox_call *call, const char *id,
			    struct cox_error *err);
int hollow_container_list(void *self, const struct cox_call *call,
			  const struct cox_runtime_filter *filter,
			  const struct cox_container_sink *sink, struct cox_error *err);
int hollow_container_stats(void *self, const struct cox_call *call,
			   const struct cox_runtime_filter *filter,
			   const struct cox_stats_sink *sink, struct cox_error *err);
int hollow_container_update(void *self, const struct cox_call *call, const char *id,
			    const struct cox_resources *resources, struct cox_error *err);
int hollow_container_reopen_log(void *self, const struct cox_call *call, const char *id,
				struct cox_error *err);
void hollow_pairs_copy(struct hollow_pairs *to, const struct cox_pairs *from);
bool hollow_pairs_match(const struct hollow_pairs *have, const struct cox_pairs *wanted);
void hollow_pairs_free(struct hollow_pairs *pairs);
void hollow_container_free(struct hollow_container *container);

/* exec.c */
int hollow_exec(void *self, const struct cox_call *call, const char *id,
		const struct cox_strings *command, const struct cox_streams *streams,
		int32_t *exit_code, struct cox_error *err);
int hollow_exec_sync(void *self, const struct cox_call *call, const char *id,
		     const struct cox_strings *command, uint64_t timeout_ns,
		     const struct cox_output_sink *sink, int32_t *exit_code, struct cox_error *err);
int hollow_attach(void *self, const struct cox_call *call, const char *id,
		  const struct cox_streams *streams, struct cox_error *err);
int hollow_port_forward(void *self, const struct cox_call *call, const char *sandbox_id,
			uint16_t port, int *fd, struct cox_error *err);

/* image.c */
/* With the lock held; NULL: there is none of that name. */
const struct hollow_image *hollow_find_image(struct hollow *hollow, const char *name);
int hollow_image_list(void *self, const struct cox_call *call, const struct cox_image_sink *sink,
		      struct cox_error *err);
int hollow_image_status(void *self, const struct cox_call *call, const char *image,
			const struct cox_image_sink *sink, struct cox_error *err);
int hollow_image_pull(void *self, const struct cox_call *call, const char *image,
		      const struct cox_registry_auth *auth, const struct cox_progress_sink *sink,
		      char *ref, struct cox_error *err);
int hollow_image_remove(void *self, const struct cox_call *call, const char *image,
			struct cox_error *err);
int hollow_image_import(void *self, const struct cox_call *call, int fd, const char *name,
			const struct cox_image_sink *sink, struct cox_error *err);
int hollow_image_filesystem(void *self, const struct cox_call *call,
			    struct cox_filesystem_usage *usage, struct cox_error *err);

#endif
