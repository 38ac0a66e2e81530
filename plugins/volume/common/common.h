/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the volume plugins of this tree share: mounts, removing a directory,
 * and a directory of small files that changes all at once.
 *
 * Such a directory looks like this, so that a reader sees either all of the
 * old files or all of the new ones:
 *	..2026_11_23_16_00_00.123456789/key
 *	..data -> ..2026_11_23_16_00_00.123456789
 *	key -> ..data/key
 * It lies on a tmpfs, because what is in it may be a secret.
 */
#ifndef VOLUME_COMMON_H
#define VOLUME_COMMON_H

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/vec.h>
#include <coxswain/volume.h>
#include <stdbool.h>

enum {
	VOLUME_FILES_MAX = 10000,
	VOLUME_BYTES_MAX = 16 * 1024 * 1024,
	VOLUME_AGAIN_SECONDS = 60 /* how often sources are looked at again */
};

struct volume_file {
	char *path; /* below the volume; no "..", no leading '/' */
	struct cox_buf data;
	uint32_t mode;
};

struct volume_payload {
	COX_VEC(struct volume_file) files;
	size_t bytes;
};

/* One call of set_up. */
struct volume_pass {
	const struct cox_host *host;
	const struct cox_call *call;
	const struct cox_volume *volume;
	struct volume_payload payload;
	uint64_t again_ns; /* when a token must be fetched anew; 0: none */
};

/* A plugin without a state of its own. */
struct volume_plain {
	const struct cox_host *host;
};
void *volume_plain_create(const struct cox_host *host, struct cox_error *err);
void volume_plain_destroy(void *self);

/* What every set_up of a payload does after it has gathered its files. */
int volume_write(struct volume_pass *pass, struct cox_volume_result *result,
		 struct cox_error *err) COX_MUST_CHECK;
void volume_pass_free(struct volume_pass *pass);

/* Adds a file; a path that leaves the volume is refused. */
int volume_add(struct volume_pass *pass, const char *path, const void *data, size_t size,
	       int64_t mode, struct cox_error *err) COX_MUST_CHECK;

/* The sources, each with what a volume and a projection have alike. */
int volume_add_secret(struct volume_pass *pass, const struct cox_value *source, const char *name,
		      int64_t mode, struct cox_error *err) COX_MUST_CHECK;
int volume_add_config_map(struct volume_pass *pass, const struct cox_value *source, int64_t mode,
			  struct cox_error *err) COX_MUST_CHECK;
int volume_add_downward(struct volume_pass *pass, const struct cox_value *source, int64_t mode,
			struct cox_error *err) COX_MUST_CHECK;

/* Makes `directory`; mounts a tmpfs of `size` bytes (0: half of memory) once. */
int volume_mount_tmpfs(const struct cox_host *host, const char *directory, uint64_t size,
		       uint32_t mode, struct cox_error *err) COX_MUST_CHECK;
int volume_is_mounted(const char *directory);

/* For `readonly`: what is shown is somebody else's to change. */
int volume_always(void *self);

/* tear_down of every plugin here but hostPath: unmounts, then removes it all. */
int volume_tear_down(void *self, const struct cox_call *call, const char *directory,
		     struct cox_error *err) COX_MUST_CHECK;
/* release of those that mount: unmounts, whatever lies below stays. */
int volume_release(void *self, const struct cox_call *call, const char *directory,
		   struct cox_error *err) COX_MUST_CHECK;
int volume_fail(const struct cox_host *host, struct cox_error *err, const char *what,
		const char *path) COX_MUST_CHECK;

#endif
