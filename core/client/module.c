/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening internal-curl.so. It is found where plugins are: in --plugin-dir or
 * COX_PLUGIN_DIR (unless privileged), then in the built-in directory. The
 * module is never closed.
 */
#include "client/module.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static pthread_mutex_t module_mutex = PTHREAD_MUTEX_INITIALIZER;
static const struct curl_module *module;
static const char *module_directory;

void client_module_directory(const char *directory)
{
	cox_lock_scope(&module_mutex);
	module_directory = directory;
}

/* As root, code comes only from files that nobody else can write. */
static int check_file(const char *path, struct cox_error *err)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat state;

	if (fd < 0 || fstat(fd, &state))
		return error_errno(err, errno, "%s", path);
	if (!S_ISREG(state.st_mode))
		return error_set(err, COX_REASON_INTERNAL_ERROR, "%s: not a regular file", path);
	if (geteuid() == 0 && (state.st_uid != 0 || (state.st_mode & (S_IWGRP | S_IWOTH))))
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "%s: as root only files are loaded that belong to root and that "
				 "nobody else can write",
				 path);
	return 0;
}

static const struct curl_module *module_open(const char *path, struct cox_error *err)
{
	const struct curl_module *found;
	void *handle;

	if (check_file(path, err))
		return NULL;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	found = handle ? dlsym(handle, CURL_MODULE_SYMBOL) : NULL;
	if (!found) {
		error_set(err, COX_REASON_INTERNAL_ERROR, "%s: %s", path, dlerror());
		return NULL;
	}
	if (found->abi == CURL_MODULE_ABI && found->size == sizeof(*found))
		return found;
	error_set(err, COX_REASON_INTERNAL_ERROR, "%s: is not of this release; reinstall", path);
	return NULL;
}

const struct curl_module *client_curl_module(struct cox_error *err)
{
	cox_autobuf path = COX_BUF_INIT;
	const char *directory;

	cox_lock_scope(&module_mutex);
	if (module)
		return module;
	directory = module_directory && *module_directory ? module_directory
							  : secure_getenv("COX_PLUGIN_DIR");
	if (directory && *directory) {
		cox_buf_printf(&path, "%s/" CURL_MODULE_FILE, directory);
		if (access(path.data, F_OK))
			cox_buf_clear(&path);
	}
	if (!path.size)
		cox_buf_str(&path, COX_PLUGIN_DIRECTORY "/" CURL_MODULE_FILE);
	module = module_open(path.data, err);
	return module;
}
