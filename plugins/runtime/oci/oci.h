/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oci runtime plugin: what its files share. On disk, below `root`:
 *   layers/NAME/        an unpacked layer; NAME is made of its diff id
 *   layers/NAME.info    "DIFFID BYTES INODES"
 *   images/HEX/         config.json, record.json of an image
 *   containers/ID/      bundle of a container: record.json, config.json, upper,
 *                       work, rootfs, pidfile, conmon.pid, attach, ctl, exits/
 *   sandboxes/ID/       the same for a sandbox, with resolv.conf, hostname, shm
 *   tmp/                emptied at start
 * and below `state`, which a reboot empties: the runtime's own state.
 * A record is written whole, by rename; what has no record is garbage of a
 * crash and is removed at start.
 *
 * Locks, in this order: an object's `op` (one operation at a time changes an
 * object; held while processes run), then `lock` (tables and the changing
 * fields; never held while waiting), then images' `gc` on its own.
 */
#ifndef OCI_H
#define OCI_H

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/vec.h>
#include <coxswain/runtime.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define OCI_ID_LENGTH 64
#define OCI_DIGEST_SIZE 72 /* "sha256:", 64 digits, zero byte */
#define OCI_MAX_LAYERS 127
#define OCI_RECORD_MAX (8u << 20)

COX_STATIC_ASSERT(OCI_ID_LENGTH < COX_RUNTIME_ID_SIZE, "an id fits");

/* Owned texts; grows with cox_vec_push. */
struct oci_list {
	char **items;
	size_t count;
	size_t capacity;
};

/* How a container came to its end. */
enum oci_end {
	OCI_END_NORMAL,
	OCI_END_OOM,	 /* the kernel killed for memory */
	OCI_END_UNKNOWN, /* nobody saw its exit code */
	OCI_END_UNBORN	 /* it could not be started */
};

/* A process that may be gone; `start` tells it from a later one of that pid. */
struct oci_process {
	int64_t pid; /* 0: none */
	int64_t start;
	int fd; /* pidfd; -1: none, or seen to have ended */
};

/* A container, or (sandbox NULL) the sandbox's own process. */
struct oci_unit {
	char id[OCI_ID_LENGTH + 1];
	bool sandbox;
	bool removed;
	int refs;
	pthread_mutex_t op;

	/* Set when made, then constant. */
	char *sandbox_id, *name, *uid_text, *namespace_name, *runtime_handler;
	char *image, *image_ref, *image_id, *log_path, *cgroup, *cgroup_parent, *log_directory;
	char *hostname;
	int64_t attempt, created_at, uid, gid, stop_signal, tty, stdin_open;
	int64_t network_mode, pid_mode, ipc_mode, privileged;
	struct cox_pairs labels, annotations;
	struct cox_integers groups;

	/* Change under `lock`. */
	int64_t state; /* enum cox_container_state */
	int64_t exit_code, started_at, finished_at;
	int64_t end; /* enum oci_end */
	char message[256];
	bool unsaid;	/* it has ended, and no event has said so */
	int64_t let_go; /* no mount, cgroup or state of crun is left; `op` as well */
	struct oci_process init, conmon;
};

struct oci_image {
	char *id;
	struct cox_strings tags, digests, layers; /* layers: diff ids */
	int64_t size, uid;
	char *username;
};

struct oci_hierarchy {
	char *mount; /* /sys/fs/cgroup/memory */
	bool v2;
	bool cpuset, memory, cpuacct, pids;
};

struct oci_watch {
	struct oci_watch *next;
	const struct cox_runtime_event_sink *sink;
};

struct oci {
	const struct cox_host *host;
	/* options */
	char *root, *state, *runtime, *conmon, *helpers, *insecure, *certificates, *ca_file;
	uint64_t max_image;
	/* found at start */
	char *runtime_path; /* what is run: the binary or the wrapper */
	char *runtime_env;  /* COX_OCI_CRUN=… for the wrapper, or NULL */
	char runtime_name[32], runtime_version[64];
	char problem[512]; /* why no runtime works; "": one does */
	bool overlay;
	bool can_raise; /* CAP_SYS_RESOURCE */
	bool oom_said;
	uint64_t capabilities; /* our own bounding set */
	COX_VEC(struct oci_hierarchy) hierarchies;
	int cgroup_version;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* on the monotonic clock */
	struct cox_map units;	/* id → struct oci_unit: sandboxes and containers */
	struct cox_map images;	/* id → struct oci_image */
	pthread_rwlock_t gc;	/* read: layers come; write: unused ones go */
	bool gc_due;

	pthread_mutex_t watch_lock; /* held while sinks run */
	struct oci_watch *watches;
	pthread_t monitor;
	bool monitoring;
	atomic_bool stopping;
	int poll_fd, wake_fd;
};

/* files.c */
int oci_write_file(struct oci *oci, const char *path, const void *data, size_t size, int mode,
		   struct cox_error *err);
char *oci_read_file(const char *path, size_t maximum, size_t *size); /* NULL: errno */
int oci_make_directories(struct oci *oci, const char *path, int mode, struct cox_error *err);
void oci_remove_tree(const char *path); /* does not leave the file system */
char *oci_format(const char *format, ...) COX_PRINTF(1, 2);
char *oci_next_line(char **rest); /* cuts a text into lines; NULL at the end */
int oci_fail_errno(struct oci *oci, struct cox_error *err, const char *format, ...)
	COX_PRINTF(3, 4);
void oci_sha256(const void *data, size_t size, char digest[OCI_DIGEST_SIZE]);
bool oci_digest_valid(const char *digest);
struct json_object *oci_parse(const char *text, size_t size);	   /* an object, or NULL */
const char *oci_text(struct json_object *object, const char *key); /* "" if absent */
struct json_object *oci_part(struct json_object *object, const char *key, json_type type);

/* record.c */
char *oci_strdup(const char *text); /* NULL is "" */
struct cox_pairs oci_copy_pairs(struct cox_pairs from);
struct cox_integers oci_copy_integers(const int64_t *items, size_t count);
struct cox_strings oci_copy_strings(struct cox_strings from);
void oci_free_pairs(struct cox_pairs pairs);
void oci_free_strings(struct cox_strings strings);
int oci_save_unit(struct oci *oci, struct oci_unit *unit, struct cox_error *err);
struct oci_unit *oci_load_unit(struct oci *oci, const char *id, bool sandbox);
void oci_free_unit(struct oci_unit *unit);
int oci_save_image(struct oci *oci, const struct oci_image *image, struct cox_error *err);
struct oci_image *oci_load_image(struct oci *oci, const char *hex);
void oci_free_image(struct oci_image *image);
char *oci_unit_path(struct oci *oci, const struct oci_unit *unit, const char *file);

/* process.c */
struct oci_command {
	const char *const *argv; /* argv[0] is the path */
	const char *const *env;	 /* added to PATH */
	const struct cox_spawn_fd *fds;
	size_t fd_count;
	uint64_t timeout_ns;
};
/* Starts it; 0 or -1. */
int oci_spawn(struct oci *oci, const struct oci_command *command, int *pidfd, int32_t *pid,
	      struct cox_error *err);
/*
 * Runs it to its end; stdout and stderr (the last bytes of either) go to the
 * buffers, which may be NULL. Returns the exit code (128 + signal), or -1 if it
 * did not start or took too long.
 */
int oci_run(struct oci *oci, const struct cox_call *call, const struct oci_command *command,
	    struct cox_buf *out, struct cox_buf *errors, struct cox_error *err);
int oci_exit_code(int pidfd);			    /* waits; 128 + signal; -1: not our child */
int64_t oci_process_start(int64_t pid);		    /* in ticks since boot; 0: gone */
bool oci_process_open(struct oci_process *process); /* false: it is gone */
void oci_process_close(struct oci_process *process);
bool oci_process_ended(const struct oci_process *process);
int64_t oci_read_pidfile(const char *path);
/* Takes the runtime's first meaningful line of output as the reason. */
int oci_fail_output(struct oci *oci, struct cox_error *err, const char *what,
		    const struct cox_buf *output);
/* Runs a subcommand of the OCI runtime. */
int oci_runtime(struct oci *oci, const struct cox_call *call, const char *const *arguments,
		struct cox_buf *errors, struct cox_error *err);
uint64_t oci_timeout(const struct oci *oci, const struct cox_call *call, uint64_t most_ns);

/* cgroup.c */
int oci_cgroup_find(struct oci *oci, struct cox_error *err);
int oci_cgroup_add(struct oci *oci, const char *path, int64_t pid, struct cox_error *err);
void oci_cgroup_remove(struct oci *oci, const char *path);
void oci_cgroup_prune(struct oci *oci, const char *path); /* if it is empty */
void oci_cgroup_kill(struct oci *oci, const char *path);
void oci_cgroup_stats(struct oci *oci, const char *path, struct cox_container_stats *stats);
bool oci_path_is_plain(const char *path); /* absolute, without "." and ".." */

/* spec.c, seccomp.c, users.c */
struct oci_spec {
	const struct cox_sandbox_config *sandbox_config; /* for a sandbox */
	const struct cox_container_config *config;	 /* for a container */
	struct oci_unit *unit;
	struct oci_unit *sandbox;  /* of a container */
	struct json_object *image; /* its configuration, or NULL */
	int64_t target_pid;	   /* for COX_NAMESPACE_TARGET */
	const char *rootfs;
};
int oci_write_spec(struct oci *oci, struct oci_spec *spec, struct cox_error *err);
struct json_object *oci_resources_json(struct oci *oci, const struct cox_resources *resources);
struct json_object *oci_seccomp(bool sys_admin);
const char *oci_capability_name(unsigned number); /* NULL past the last */
struct oci_user {
	int64_t uid, gid;
	int64_t groups[64];
	size_t group_count;
	char home[256];
};
int oci_find_user(struct oci *oci, const char *rootfs, const struct cox_security *security,
		  const char *image_user, struct oci_user *user, struct cox_error *err);
int oci_signal_number(const char *name); /* "SIGTERM", "TERM", "15"; 0: none */

/* unit.c: the table and the life of processes */
struct oci_unit *oci_new_unit(struct oci *oci, bool sandbox);
struct oci_unit *oci_get_unit(struct oci *oci, const char *id, bool sandbox,
			      struct cox_error *err); /* counted */
void oci_put_unit(struct oci *oci, struct oci_unit *unit);
void oci_publish_unit(struct oci *oci, struct oci_unit *unit);
void oci_forget_unit(struct oci *oci, struct oci_unit *unit);
/* Counted units of one sandbox (NULL: all); free with oci_put_units. */
size_t oci_list_units(struct oci *oci, bool sandbox, const char *sandbox_id,
		      struct oci_unit ***units);
void oci_put_units(struct oci *oci, struct oci_unit **units, size_t count);
int oci_load_units(struct oci *oci, struct cox_error *err);
/* Looks whether its processes have ended; needs `lock`. */
void oci_refresh(struct oci *oci, struct oci_unit *unit);
/* Watches its processes from now on. */
void oci_follow(struct oci *oci, struct oci_unit *unit);
bool oci_wait_exit(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		   uint64_t nanoseconds);
void oci_end_group(struct oci *oci, const struct oci_unit *unit);
void oci_event(struct oci *oci, const struct oci_unit *unit, uint32_t type);
int oci_start_monitor(struct oci *oci, struct cox_error *err);
void oci_stop_monitor(struct oci *oci);
void *oci_watch(void *self, const struct cox_call *call, const struct cox_runtime_event_sink *sink,
		struct cox_error *err);
void oci_watch_cancel(void *self, void *watch);

/* sandbox.c, container.c, list.c, exec.c */
int oci_probe(struct oci *oci, struct cox_error *err);
int oci_sandbox_run(void *self, const struct cox_call *call,
		    const struct cox_sandbox_config *config, char *id, struct cox_error *err);
int oci_sandbox_stop(void *self, const struct cox_call *call, const char *id,
		     struct cox_error *err);
int oci_sandbox_remove(void *self, const struct cox_call *call, const char *id,
		       struct cox_error *err);
int oci_sandbox_list(void *self, const struct cox_call *call,
		     const struct cox_runtime_filter *filter, const struct cox_sandbox_sink *sink,
		     struct cox_error *err);
int oci_container_create(void *self, const struct cox_call *call, const char *sandbox_id,
			 const struct cox_container_config *config, char *id,
			 struct cox_error *err);
int oci_container_start(void *self, const struct cox_call *call, const char *id,
			struct cox_error *err);
int oci_container_stop(void *self, const struct cox_call *call, const char *id, uint64_t grace_ns,
		       struct cox_error *err);
int oci_container_remove(void *self, const struct cox_call *call, const char *id,
			 struct cox_error *err);
/* The pause program's root file system. */
int oci_prepare_pause(struct oci *oci, struct cox_error *err);
/* Stops and removes; `op` is held. */
int oci_destroy_unit(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		     struct cox_error *err);
int oci_stop_unit(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		  uint64_t grace_ns, struct cox_error *err);
/* Stops it for good: what stays are its record and its files. `op` is held. */
int oci_let_go(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
	       struct cox_error *err);
int oci_container_list(void *self, const struct cox_call *call,
		       const struct cox_runtime_filter *filter,
		       const struct cox_container_sink *sink, struct cox_error *err);
int oci_container_stats(void *self, const struct cox_call *call,
			const struct cox_runtime_filter *filter, const struct cox_stats_sink *sink,
			struct cox_error *err);
int oci_container_update(void *self, const struct cox_call *call, const char *id,
			 const struct cox_resources *resources, struct cox_error *err);
int oci_container_reopen_log(void *self, const struct cox_call *call, const char *id,
			     struct cox_error *err);
int oci_exec(void *self, const struct cox_call *call, const char *id,
	     const struct cox_strings *command, const struct cox_streams *streams,
	     int32_t *exit_code, struct cox_error *err);
int oci_exec_sync(void *self, const struct cox_call *call, const char *id,
		  const struct cox_strings *command, uint64_t timeout_ns,
		  const struct cox_output_sink *sink, int32_t *exit_code, struct cox_error *err);
int oci_attach(void *self, const struct cox_call *call, const char *id,
	       const struct cox_streams *streams, struct cox_error *err);
int oci_port_forward(void *self, const struct cox_call *call, const char *sandbox_id, uint16_t port,
		     int *fd, struct cox_error *err);
int oci_control(struct oci *oci, struct oci_unit *unit, const char *line, struct cox_error *err);

/* image.c, import.c, pull.c, reference.c */
struct oci_reference {
	char registry[256]; /* as in names: docker.io */
	char repository[512];
	char tag[129]; /* "" with a digest only */
	char digest[OCI_DIGEST_SIZE];
};
int oci_parse_reference(struct oci *oci, const char *text, struct oci_reference *out,
			struct cox_error *err);
int oci_load_images(struct oci *oci, struct cox_error *err);
void oci_layer_name(const char *diff_id, char name[32]);
bool oci_have_layer(struct oci *oci, const char *diff_id);
/* Unpacks the file into layers/, which must give `diff_id`. */
int oci_add_layer(struct oci *oci, const struct cox_call *call, int fd, const char *diff_id,
		  struct cox_error *err);
/* Registers what is complete; `gc` is held for reading. `id` gets its id. */
int oci_add_image(struct oci *oci, const char *config, size_t size, const char *const *tags,
		  size_t tag_count, const char *digest_name, char id[OCI_DIGEST_SIZE],
		  struct cox_error *err);
struct json_object *oci_read_config(struct oci *oci, const char *id, struct cox_error *err);
/* The diff ids of a configuration; checked. */
int oci_diff_ids(struct oci *oci, struct json_object *config, struct oci_list *out,
		 struct cox_error *err);
void oci_free_list(struct oci_list *list);
/* Copies the id, the layers top first, and a reference name. */
int oci_resolve_image(struct oci *oci, const char *name, char id[OCI_DIGEST_SIZE],
		      struct oci_list *layers, char *ref, struct cox_error *err);
void oci_enter_store(struct oci *oci); /* images come */
void oci_leave_store(struct oci *oci);
int oci_image_list(void *self, const struct cox_call *call, const struct cox_image_sink *sink,
		   struct cox_error *err);
int oci_image_status(void *self, const struct cox_call *call, const char *image,
		     const struct cox_image_sink *sink, struct cox_error *err);
int oci_image_pull(void *self, const struct cox_call *call, const char *image,
		   const struct cox_registry_auth *auth, const struct cox_progress_sink *sink,
		   char *ref, struct cox_error *err);
int oci_image_remove(void *self, const struct cox_call *call, const char *image,
		     struct cox_error *err);
int oci_image_import(void *self, const struct cox_call *call, int fd, const char *name,
		     const struct cox_image_sink *sink, struct cox_error *err);
int oci_image_filesystem(void *self, const struct cox_call *call,
			 struct cox_filesystem_usage *usage, struct cox_error *err);

#endif
