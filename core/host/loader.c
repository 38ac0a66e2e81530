/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a name in a configuration file to a shared object in memory. Only what
 * is named is opened: no directory is read and no path searched. What is
 * checked is what is loaded: owner and mode are taken from the descriptor, and a
 * file that has replaced one already loaded is opened through that very
 * descriptor, because glibc would hand back the old library for the old path.
 */
#include "host/internal.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

enum { NAME_SIZE_MAX = 63 };

bool host_name_valid(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-";
	size_t size = strnlen(name, NAME_SIZE_MAX + 1);

	return size > 0 && size <= NAME_SIZE_MAX && strspn(name, allowed) == size &&
	       name[0] != '-' && name[size - 1] != '-';
}

int host_add_origin(struct cox_error *err, const char *origin)
{
	cox_autobuf text = COX_BUF_INIT;

	if (!err || !err->message || !origin)
		return -1;
	cox_buf_printf(&text, "%s (%s%s)", err->message,
		       strcmp(origin, "command line") == 0 ? "from the " : "set in ", origin);
	free(err->message);
	err->message = cox_buf_steal(&text);
	return -1;
}

static int not_found(const struct host *host, const char *kind, const char *name,
		     const char *origin, struct cox_error *err)
{
	cox_autobuf more = COX_BUF_INIT;

	if (name[0] == '/') {
		error_set(err, COX_REASON_NOT_FOUND, "%s: not found", name);
		return host_add_origin(err, origin);
	}
	present_hint(host->directory, kind, name, &more);
	if (origin && more.size)
		cox_buf_str(&more, cox_ends_with(cox_buf_cstr(&more), "?") ? " " : "; ");
	if (origin)
		cox_buf_printf(&more, "%s%s",
			       strcmp(origin, "command line") == 0 ? "from the " : "set in ",
			       origin);
	return error_set(err, COX_REASON_NOT_FOUND, "%s-%s: not found in %s%s%s%s", kind, name,
			 host->directory, more.size ? " (" : "", cox_buf_cstr(&more),
			 more.size ? ")" : "");
}

/* What root loads, nobody else may be able to change. */
static int check_owner(const char *path, const struct stat *info, struct cox_error *err)
{
	if (geteuid() != 0)
		return 0;
	if (info->st_uid != 0)
		return error_set(err, COX_REASON_INVALID,
				 "%s: belongs to user %u; what root loads must belong to root "
				 "(chown root)",
				 path, info->st_uid);
	if (info->st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, COX_REASON_INVALID,
				 "%s: mode %04o lets others than root write; chmod go-w", path,
				 (unsigned)info->st_mode & 07777);
	return 0;
}

static int check_directory(const char *path, struct cox_error *err)
{
	cox_autofree char *directory = cox_strdup(path);
	struct stat info;

	*strrchr(directory, '/') = '\0';
	if (stat(directory[0] ? directory : "/", &info) < 0)
		return error_errno(err, errno, "%s", directory);
	return check_owner(directory[0] ? directory : "/", &info, err);
}

static int check_file(const char *path, int fd, struct stat *info, struct cox_error *err)
{
	if (fstat(fd, info) < 0)
		return error_errno(err, errno, "%s", path);
	if (!S_ISREG(info->st_mode))
		return error_set(err, COX_REASON_INVALID, "%s: not a regular file", path);
	if (check_owner(path, info, err) < 0)
		return -1;
	return geteuid() == 0 ? check_directory(path, err) : 0;
}

struct build_id_search {
	ElfW(Addr) base;
	char *out;
};

static int find_build_id(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct build_id_search *search = arg;

	(void)size;
	if (info->dlpi_addr != search->base)
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		const char *at = (const char *)(info->dlpi_addr + header->p_vaddr);
		size_t left = header->p_memsz;

		while (header->p_type == PT_NOTE && left >= sizeof(ElfW(Nhdr))) {
			ElfW(Nhdr) note;
			size_t name_size, total;

			memcpy(&note, at, sizeof(note));
			name_size = ((size_t)note.n_namesz + 3) & ~(size_t)3;
			total = sizeof(note) + name_size +
				(((size_t)note.n_descsz + 3) & ~(size_t)3);
			if (total > left)
				break;
			if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
			    memcmp(at + sizeof(note), "GNU", 4) == 0 &&
			    note.n_descsz < HOST_BUILD_ID_SIZE / 2) {
				const unsigned char *id =
					(const unsigned char *)at + sizeof(note) + name_size;

				for (size_t k = 0; k < note.n_descsz; k++)
					snprintf(search->out + 2 * k, 3, "%02x", id[k]);
				return 1;
			}
			at += total;
			left -= total;
		}
	}
	return 1;
}

static void read_build_id(struct library *library)
{
	struct build_id_search search = {.out = library->build_id};
	struct link_map *map = NULL;

	memcpy(library->build_id, "none", 5);
	if (dlinfo(library->handle, RTLD_DI_LINKMAP, &map) < 0)
		return;
	search.base = map->l_addr;
	dl_iterate_phdr(find_build_id, &search);
}

static bool path_known(const char *path)
{
	for (const struct library *library = registry_first(); library; library = library->next)
		if (strcmp(library->path, path) == 0)
			return true;
	return false;
}

/* dlerror() begins with the name that was opened, which may be /proc/self/fd/N. */
static const char *without_path(const char *text, const char *path)
{
	size_t size = strlen(path);

	return strncmp(text, path, size) == 0 && strncmp(text + size, ": ", 2) == 0
		       ? text + size + 2
		       : text;
}

/* With the registry locked. Takes `*fd` if the library needs it kept. */
static struct library *open_library(const char *path, int *fd, const struct stat *info,
				    struct cox_error *err)
{
	bool replaced = path_known(path);
	struct library *library;
	char through[32];
	const char *opened = path;
	const char *problem;
	void *handle;

	snprintf(through, sizeof(through), "/proc/self/fd/%d", *fd);
	if (replaced)
		opened = through;
	handle = dlopen(opened, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		problem = dlerror();
		error_set(err, COX_REASON_INVALID, "%s: cannot be loaded: %s", path,
			  problem ? without_path(problem, opened) : "for no reason given");
		return NULL;
	}
	library = cox_new(struct library);
	library->path = cox_strdup(path);
	library->device = info->st_dev;
	library->inode = info->st_ino;
	library->changed = info->st_mtim;
	library->fd = replaced ? cox_steal_fd(fd) : -1;
	library->handle = handle;
	pthread_mutex_init(&library->serial, NULL);
	read_build_id(library);
	dlerror();
	library->raw = dlsym(handle, "cox_plugin");
	registry_add(library);
	return library;
}

/* With the registry locked. */
static struct library *find_or_open(const struct host *host, const char *path, int *fd,
				    struct cox_error *err)
{
	struct library *library;
	struct stat info;

	if (check_file(path, *fd, &info, err) < 0)
		return NULL;
	for (library = registry_first(); library; library = library->next)
		if (library->device == info.st_dev && library->inode == info.st_ino)
			break;
	if (!library)
		return open_library(path, fd, &info, err);
	if (library->changed.tv_sec != info.st_mtim.tv_sec ||
	    library->changed.tv_nsec != info.st_mtim.tv_nsec) {
		error_set(err, COX_REASON_INVALID,
			  "%s: was written over while it is loaded; restart %s (and install "
			  "plugins under a new name, then rename)",
			  path, host->program);
		return NULL;
	}
	return library;
}

static struct library *load_path(const struct host *host, const char *kind, const char *name,
				 const char *path, struct cox_error *err)
{
	cox_autofree char *real = realpath(path, NULL);
	cox_autoclose int fd = -1;
	struct library *library;

	if (real)
		fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			not_found(host, kind, name, NULL, err);
		else
			error_errno(err, errno, "%s", path);
		return NULL;
	}
	registry_lock();
	library = find_or_open(host, real, &fd, err);
	if (library && !library->raw) {
		error_set(err, COX_REASON_INVALID,
			  "%s: not a Coxswain plugin (exports no \"cox_plugin\")", real);
		library = NULL;
	}
	if (library &&
	    descriptor_check(library, host->program, kind, name[0] == '/' ? NULL : name, err) < 0)
		library = NULL;
	registry_unlock();
	return library;
}

struct library *loader_load(struct host *host, const char *kind, const char *name,
			    const char *origin, struct cox_error *err)
{
	cox_autobuf path = COX_BUF_INIT;
	struct cox_error why = COX_ERROR_INIT;
	struct library *library;

	if (kind && !host_kind_find(kind)) {
		error_set(err, COX_REASON_INVALID, "\"%s\" is no kind of plugin; known are %s",
			  kind, host_kind_names());
		host_add_origin(err, origin);
		return NULL;
	}
	if (name[0] == '/') {
		cox_buf_str(&path, name);
	} else if (host_name_valid(name)) {
		cox_buf_printf(&path, "%s/%s-%s.so", host->directory, kind, name);
	} else {
		error_set(err, COX_REASON_INVALID,
			  "\"%s\" is no name of a %s plugin; use letters, digits and '-', or a "
			  "path that begins with '/'",
			  name, kind);
		host_add_origin(err, origin);
		return NULL;
	}
	library = load_path(host, kind, name, cox_buf_cstr(&path), &why);
	if (!library && why.reason == COX_REASON_NOT_FOUND)
		not_found(host, kind, name, origin, &why);
	else if (!library)
		host_add_origin(&why, origin);
	if (!library)
		error_move(err, &why);
	return library;
}

struct host *host_new(const char *program, const char *directory)
{
	struct host *host = cox_new(struct host);
	const char *chosen = directory && directory[0] ? directory : NULL;

	/* For tests; somebody else's environment must not choose what root loads. */
	if (!chosen && geteuid() != 0 && !getauxval(AT_SECURE))
		chosen = getenv("COX_PLUGIN_DIR");
	host->program = program;
	host->directory = cox_strdup(chosen && chosen[0] ? chosen : COX_PLUGIN_DIRECTORY);
	return host;
}

void host_free(struct host *host)
{
	if (!host)
		return;
	free(host->directory);
	free(host);
}

const char *host_program(const struct host *host)
{
	return host->program;
}

const char *host_directory(const struct host *host)
{
	return host->directory;
}
