/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime plugin: pod sandboxes, containers and images on this machine,
 * in the shape of the container runtime interface (CRI) v1, whose names and
 * numbers the fields and enums below have.
 *
 * Identifiers are chosen by the plugin: text without blanks, shorter than
 * COX_RUNTIME_ID_SIZE. Every create-like operation is complete when it
 * returns; what failed leaves nothing behind. Stop and remove operations are
 * idempotent: an object that is gone is success. Other operations on unknown
 * identifiers fail with COX_REASON_NOT_FOUND.
 *
 * Everything the plugin knows survives the end of this process; containers go
 * on running, and the next instance with the same options finds them.
 *
 * Times are nanoseconds since 1970; 0: not yet. Strings are UTF-8 and never
 * NULL unless the comment says so; "" is "not set". Structs given to sinks are
 * borrowed for the call of the sink. A sink returns 0 to go on, anything else
 * to be called no more (the operation then returns 0).
 *
 * Descriptors that the host passes in stay the host's; the plugin duplicates
 * what it keeps. Descriptors that a plugin returns belong to the host.
 */
#ifndef COXSWAIN_RUNTIME_H
#define COXSWAIN_RUNTIME_H

#include <coxswain/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_RUNTIME_OPS_ABI 0u
#define COX_RUNTIME_ID_SIZE 128u /* with the zero byte */
#define COX_IMAGE_REF_SIZE 1024u /* with the zero byte */

/* An entry of a map: labels, annotations, environment. */
struct cox_pair {
	const char *key;
	const char *value;
};

/* The maps and lists below: `items` may be NULL if `count` is 0. */
struct cox_pairs {
	const struct cox_pair *items;
	size_t count;
};

struct cox_strings {
	const char *const *items;
	size_t count;
};

struct cox_integers {
	const int64_t *items;
	size_t count;
};

enum cox_namespace_mode {
	COX_NAMESPACE_POD = 0,	     /* the sandbox's */
	COX_NAMESPACE_CONTAINER = 1, /* one of its own */
	COX_NAMESPACE_NODE = 2,	     /* the machine's */
	COX_NAMESPACE_TARGET = 3     /* that of container `target_id` */
};

enum cox_profile_type {
	COX_PROFILE_RUNTIME_DEFAULT = 0,
	COX_PROFILE_UNCONFINED = 1,
	COX_PROFILE_LOCALHOST = 2
};

enum cox_mount_propagation {
	COX_PROPAGATION_PRIVATE = 0,
	COX_PROPAGATION_HOST_TO_CONTAINER = 1,
	COX_PROPAGATION_BIDIRECTIONAL = 2
};

enum cox_sandbox_state { COX_SANDBOX_READY = 0, COX_SANDBOX_NOT_READY = 1 };

enum cox_container_state {
	COX_CONTAINER_CREATED = 0,
	COX_CONTAINER_RUNNING = 1,
	COX_CONTAINER_EXITED = 2,
	COX_CONTAINER_UNKNOWN = 3
};

enum cox_container_event_type {
	COX_CONTAINER_EVENT_CREATED = 0,
	COX_CONTAINER_EVENT_STARTED = 1,
	COX_CONTAINER_EVENT_STOPPED = 2,
	COX_CONTAINER_EVENT_DELETED = 3,
	COX_CONTAINER_EVENT_LOST = 100 /* events are gone: list again */
};

/* -1 is "not set" wherever 0 has a meaning of its own. */
struct cox_resources {
	uint32_t struct_size;
	uint32_t reserved;
	int64_t cpu_period;	   /* microseconds; 0: not set */
	int64_t cpu_quota;	   /* microseconds a period; 0: not set */
	int64_t cpu_shares;	   /* 0: not set */
	int64_t memory_limit;	   /* bytes; 0: not set */
	int64_t memory_swap_limit; /* bytes, memory included; 0: not set */
	int64_t oom_score_adj;	   /* -1000..1000 */
	int64_t pids_limit;	   /* 0: not set */
	const char *cpuset_cpus;
	const char *cpuset_mems;
	struct cox_pairs unified;   /* cgroup v2 files */
	struct cox_pairs hugepages; /* "2MB" → bytes in decimal */
};

/* Who a process is and what it may do. */
struct cox_security {
	uint32_t struct_size;
	uint32_t privileged;   /* 1: all rights */
	uint32_t network_mode; /* enum cox_namespace_mode */
	uint32_t pid_mode;     /* POD: shared by the pod's containers */
	uint32_t ipc_mode;
	uint32_t readonly_rootfs;
	uint32_t no_new_privileges;
	uint32_t strict_groups; /* 1: the image's /etc/group does not add any */
	uint32_t seccomp_type;	/* enum cox_profile_type */
	uint32_t apparmor_type;
	int64_t run_as_user;  /* -1: not set */
	int64_t run_as_group; /* -1: not set */
	const char *run_as_username;
	const char *target_id;	      /* for COX_NAMESPACE_TARGET */
	const char *seccomp_profile;  /* path, for LOCALHOST */
	const char *apparmor_profile; /* name, for LOCALHOST */
	struct cox_integers supplemental_groups;
	struct cox_strings capabilities_add; /* without CAP_; "ALL" */
	struct cox_strings capabilities_drop;
	struct cox_strings masked_paths;   /* used if the two lists are set, */
	struct cox_strings readonly_paths; /* else the runtime's defaults */
	uint32_t paths_set;
	uint32_t reserved;
};

struct cox_sandbox_config {
	uint32_t struct_size;
	uint32_t attempt;
	const char *name; /* the pod's */
	const char *uid;
	const char *namespace_name;
	const char *hostname;	   /* "": the machine's */
	const char *log_directory; /* logs of its containers; absolute */
	const char *cgroup_parent; /* the pod's cgroup, "/a/b"; "": the plugin's choice */
	const char *runtime_handler;
	struct cox_strings dns_servers;
	struct cox_strings dns_searches;
	struct cox_strings dns_options;
	struct cox_pairs sysctls;
	struct cox_pairs labels;
	struct cox_pairs annotations;
	const struct cox_security *security;   /* NULL: defaults */
	const struct cox_resources *resources; /* of the whole pod; NULL: none */
};

struct cox_mount {
	const char *container_path;
	const char *host_path;
	uint32_t readonly;
	uint32_t propagation; /* enum cox_mount_propagation */
	uint32_t recursive_readonly;
	uint32_t reserved;
};

struct cox_device {
	const char *container_path;
	const char *host_path;
	const char *permissions; /* of "rwm" */
};

struct cox_container_config {
	uint32_t struct_size;
	uint32_t attempt;
	const char *name;
	const char *image;	    /* as the user wrote it, kept for status */
	const char *image_ref;	    /* what pull or status gave; "": look `image` up */
	struct cox_strings command; /* empty: the image's */
	struct cox_strings args;
	const char *working_dir; /* "": the image's */
	struct cox_pairs env;
	const struct cox_mount *mounts;
	size_t mount_count;
	const struct cox_device *devices;
	size_t device_count;
	struct cox_pairs labels;
	struct cox_pairs annotations;
	const char *log_path;	 /* below the sandbox's log directory; "": no log */
	const char *stop_signal; /* "SIGTERM"; "": the image's */
	uint32_t stdin_open;
	uint32_t stdin_once;
	uint32_t tty;
	uint32_t reserved;
	const struct cox_security *security;   /* NULL: defaults */
	const struct cox_resources *resources; /* NULL: none */
};

struct cox_sandbox_status {
	uint32_t struct_size;
	uint32_t state; /* enum cox_sandbox_state */
	uint32_t attempt;
	uint32_t network_mode; /* NODE: there is no namespace to set up */
	const char *id;
	const char *name;
	const char *uid;
	const char *namespace_name;
	const char *runtime_handler;
	int64_t created_at;
	int64_t pid;		       /* of the process that holds it; 0: none */
	const char *network_namespace; /* path for the network plugin; "": none */
	const char *cgroup_parent;
	struct cox_pairs labels;
	struct cox_pairs annotations;
};

struct cox_container_status {
	uint32_t struct_size;
	uint32_t state; /* enum cox_container_state */
	uint32_t attempt;
	int32_t exit_code;
	const char *id;
	const char *sandbox_id;
	const char *name;
	const char *image;
	const char *image_ref; /* name@digest, or the id */
	const char *image_id;  /* sha256:… of its configuration */
	const char *reason;    /* "Completed", "Error", "OOMKilled", … */
	const char *message;
	const char *log_path; /* absolute; "": none */
	const char *cgroup;
	int64_t created_at;
	int64_t started_at;
	int64_t finished_at;
	int64_t pid; /* 0: none */
	int64_t uid; /* what the first process ran as */
	int64_t gid;
	struct cox_integers groups;
	struct cox_pairs labels;
	struct cox_pairs annotations;
};

struct cox_container_stats {
	uint32_t struct_size;
	uint32_t reserved;
	const char *id;
	const char *sandbox_id;
	const char *name;
	int64_t timestamp;
	uint64_t cpu_nanoseconds;
	uint64_t memory_usage;
	uint64_t memory_working_set;
	uint64_t memory_rss;
	uint64_t page_faults;
	uint64_t major_page_faults;
	uint64_t processes;
	uint64_t layer_bytes; /* written by the container */
	uint64_t layer_inodes;
};

struct cox_image {
	uint32_t struct_size;
	uint32_t pinned;
	const char *id;		    /* sha256:… */
	struct cox_strings tags;    /* docker.io/library/busybox:latest */
	struct cox_strings digests; /* docker.io/library/busybox@sha256:… */
	uint64_t size;		    /* bytes on disk */
	int64_t uid;		    /* -1: see username */
	const char *username;
};

/* Selects what a list gives; unset parts match everything. NULL: all. */
struct cox_runtime_filter {
	uint32_t struct_size;
	int32_t state; /* -1: any */
	const char *id;
	const char *sandbox_id;
	struct cox_pairs labels; /* all of them */
};

struct cox_runtime_condition {
	const char *type; /* "RuntimeReady", "NetworkReady" */
	uint64_t status;  /* 1: true */
	const char *reason;
	const char *message;
};

struct cox_runtime_version {
	uint32_t struct_size;
	uint32_t cgroup_version; /* 1 (hybrid too) or 2 */
	char runtime_name[64];
	char runtime_version[64];
};

/* Credentials for a pull. "" where not set. */
struct cox_registry_auth {
	uint32_t struct_size;
	uint32_t reserved;
	const char *username;
	const char *password;
	const char *identity_token; /* exchanged for a token */
	const char *registry_token; /* sent as it is */
};

enum cox_pull_phase {
	COX_PULL_RESOLVING = 1,
	COX_PULL_DOWNLOADING = 2,
	COX_PULL_UNPACKING = 3,
	COX_PULL_DONE = 4
};

struct cox_pull_progress {
	uint32_t struct_size;
	uint32_t phase; /* enum cox_pull_phase */
	uint32_t layer; /* 1.. */
	uint32_t layers;
	const char *digest;
	uint64_t done; /* bytes of this blob */
	uint64_t total;
};

struct cox_filesystem_usage {
	const char *mountpoint; /* where images and containers lie */
	int64_t timestamp;
	uint64_t used_bytes;
	uint64_t used_inodes;
	uint64_t free_bytes;
	uint64_t capacity_bytes;
};

struct cox_sandbox_sink {
	uint32_t struct_size;
	uint32_t reserved;
	int (*sandbox)(const struct cox_sandbox_sink *sink,
		       const struct cox_sandbox_status *status);
};

struct cox_container_sink {
	uint32_t struct_size;
	uint32_t reserved;
	int (*container)(const struct cox_container_sink *sink,
			 const struct cox_container_status *status);
};

struct cox_stats_sink {
	uint32_t struct_size;
	uint32_t reserved;
	int (*stats)(const struct cox_stats_sink *sink, const struct cox_container_stats *stats);
};

struct cox_image_sink {
	uint32_t struct_size;
	uint32_t reserved;
	int (*image)(const struct cox_image_sink *sink, const struct cox_image *image);
};

struct cox_condition_sink {
	uint32_t struct_size;
	uint32_t reserved;
	int (*condition)(const struct cox_condition_sink *sink,
			 const struct cox_runtime_condition *condition);
};

struct cox_progress_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*progress)(const struct cox_progress_sink *sink,
			 const struct cox_pull_progress *progress);
};

/* `stream` is 1 (stdout) or 2 (stderr). */
struct cox_output_sink {
	uint32_t struct_size;
	uint32_t reserved;
	int (*output)(const struct cox_output_sink *sink, int stream, struct cox_bytes data);
};

struct cox_container_event {
	uint32_t struct_size;
	uint32_t type;		  /* enum cox_container_event_type */
	const char *container_id; /* a sandbox's own process: its sandbox id */
	const char *sandbox_id;
	int64_t time;
};

/* Called from a thread of the plugin, one event at a time. */
struct cox_runtime_event_sink {
	uint32_t struct_size;
	uint32_t reserved;
	void (*event)(const struct cox_runtime_event_sink *sink,
		      const struct cox_container_event *event);
};

/* What is written into `resize`: one record for each new size. */
struct cox_window_size {
	uint16_t columns;
	uint16_t rows;
};

/*
 * The streams of exec and attach; -1: not wanted. With `tty`, stderr_fd is
 * -1 and all output comes on stdout_fd. Descriptors may be blocking or not.
 */
struct cox_streams {
	uint32_t struct_size;
	uint32_t tty;
	int32_t stdin_fd;
	int32_t stdout_fd;
	int32_t stderr_fd;
	int32_t resize_fd; /* a pipe of struct cox_window_size */
};

struct cox_runtime_ops {
	/* Required, like everything that is not marked optional. */
	int (*version)(void *self, const struct cox_call *call, struct cox_runtime_version *version,
		       struct cox_error *err);
	int (*status)(void *self, const struct cox_call *call,
		      const struct cox_condition_sink *sink, struct cox_error *err);

	/*
	 * Makes the namespaces and the process that holds them. `id` has room
	 * for COX_RUNTIME_ID_SIZE bytes. The network is set up by the host
	 * afterwards, in the namespace that the status names.
	 */
	int (*sandbox_run)(void *self, const struct cox_call *call,
			   const struct cox_sandbox_config *config, char *id,
			   struct cox_error *err);
	/*
	 * Ends all its containers (SIGKILL) and its own process. What is known
	 * of them, their logs and what they wrote stays; nothing else does: no
	 * process, mount or cgroup, as after a reboot of the machine.
	 */
	int (*sandbox_stop)(void *self, const struct cox_call *call, const char *id,
			    struct cox_error *err);
	/* Stops if needed, then removes it with all its containers. */
	int (*sandbox_remove)(void *self, const struct cox_call *call, const char *id,
			      struct cox_error *err);
	int (*sandbox_list)(void *self, const struct cox_call *call,
			    const struct cox_runtime_filter *filter,
			    const struct cox_sandbox_sink *sink, struct cox_error *err);

	int (*container_create)(void *self, const struct cox_call *call, const char *sandbox_id,
				const struct cox_container_config *config, char *id,
				struct cox_error *err);
	int (*container_start)(void *self, const struct cox_call *call, const char *id,
			       struct cox_error *err);
	/* The stop signal, and SIGKILL after `grace_ns`. Returns when it has ended. */
	int (*container_stop)(void *self, const struct cox_call *call, const char *id,
			      uint64_t grace_ns, struct cox_error *err);
	/* Kills it if it runs. The log file stays. */
	int (*container_remove)(void *self, const struct cox_call *call, const char *id,
				struct cox_error *err);
	int (*container_list)(void *self, const struct cox_call *call,
			      const struct cox_runtime_filter *filter,
			      const struct cox_container_sink *sink, struct cox_error *err);
	int (*container_stats)(void *self, const struct cox_call *call,
			       const struct cox_runtime_filter *filter,
			       const struct cox_stats_sink *sink, struct cox_error *err);
	int (*container_update)(void *self, const struct cox_call *call, const char *id,
				const struct cox_resources *resources, struct cox_error *err);
	/* The log file was renamed away: open a new one. */
	int (*container_reopen_log)(void *self, const struct cox_call *call, const char *id,
				    struct cox_error *err);

	/*
	 * Runs a command in a running container and returns when it has ended.
	 * -1 means that it could not be started; a command that failed is 0
	 * with its exit code. Cancelling kills it.
	 */
	int (*exec)(void *self, const struct cox_call *call, const char *id,
		    const struct cox_strings *command, const struct cox_streams *streams,
		    int32_t *exit_code, struct cox_error *err);
	/*
	 * The same with the output, at most 16 MiB, collected. After
	 * `timeout_ns` (0: none) it is killed: COX_REASON_TIMEOUT.
	 */
	int (*exec_sync)(void *self, const struct cox_call *call, const char *id,
			 const struct cox_strings *command, uint64_t timeout_ns,
			 const struct cox_output_sink *sink, int32_t *exit_code,
			 struct cox_error *err);
	/* Joins the streams of the container's first process until it ends. */
	int (*attach)(void *self, const struct cox_call *call, const char *id,
		      const struct cox_streams *streams, struct cox_error *err);
	/* A stream socket connected to `port` on the sandbox's loopback. */
	int (*port_forward)(void *self, const struct cox_call *call, const char *sandbox_id,
			    uint16_t port, int *fd, struct cox_error *err);

	int (*image_list)(void *self, const struct cox_call *call,
			  const struct cox_image_sink *sink, struct cox_error *err);
	/* By any name it has: tag, digest or id. One call of the sink, or NotFound. */
	int (*image_status)(void *self, const struct cox_call *call, const char *image,
			    const struct cox_image_sink *sink, struct cox_error *err);
	/* `ref` has room for COX_IMAGE_REF_SIZE bytes. `auth`, `sink`: may be NULL. */
	int (*image_pull)(void *self, const struct cox_call *call, const char *image,
			  const struct cox_registry_auth *auth,
			  const struct cox_progress_sink *sink, char *ref, struct cox_error *err);
	/*
	 * By tag or digest: takes the name away, and the image with its last
	 * one; by id: all of it. COX_REASON_CONFLICT while a container uses it.
	 */
	int (*image_remove)(void *self, const struct cox_call *call, const char *image,
			    struct cox_error *err);
	/*
	 * Reads an archive as `docker save` writes it, or an OCI layout in a
	 * tar file, from a regular file. `name` (may be NULL) names an image
	 * that has no name in the archive. Every image goes to the sink.
	 */
	int (*image_import)(void *self, const struct cox_call *call, int fd, const char *name,
			    const struct cox_image_sink *sink, struct cox_error *err);
	int (*image_filesystem)(void *self, const struct cox_call *call,
				struct cox_filesystem_usage *usage, struct cox_error *err);

	/*
	 * Streams events until cancelled, as a hint: the host lists at the
	 * start, after COX_CONTAINER_EVENT_LOST and now and then.
	 */
	void *(*watch)(void *self, const struct cox_call *call,
		       const struct cox_runtime_event_sink *sink, struct cox_error *err);
	/* No event is delivered after it returned; not from inside the sink. */
	void (*watch_cancel)(void *self, void *watch);
};

COX_STATIC_ASSERT(sizeof(struct cox_runtime_ops) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_container_config) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_sandbox_config) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_security) % sizeof(void *) == 0, "no tail padding");

#define COX_RUNTIME_PLUGIN(ops_table, ...)                                                         \
	COX_PLUGIN_DESCRIPTOR("runtime", COX_RUNTIME_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
