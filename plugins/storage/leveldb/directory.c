/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of a store: who holds it, what is in it, and how an opening is
 * made all or nothing.
 *
 * leveldb's opening writes a new manifest, points CURRENT at it and removes the
 * old manifest and logs, and nothing orders these on disk. So hard links in the
 * folder `opening` keep the files as they were, on disk before leveldb begins.
 * Once it is done and the directory is synced, the folder goes. If it is there
 * at the next start, the opening was torn apart (or found no store of ours) and
 * the files of before come back. leveldb never changes a file that it had
 * before the opening, so links are enough.
 */
#include "level.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define GUARD "opening"
#define GUARD_NEW "opening.new"
#define GUARD_DONE "opening.done"

/* The last bytes of every leveldb table. */
static const unsigned char table_magic[8] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};

DIR *directory_list(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = own < 0 ? NULL : fdopendir(own);

	if (!directory && own >= 0)
		close(own);
	return directory;
}

bool directory_number(const char *name, const char *ending, uint64_t *number)
{
	size_t digits = strspn(name, "0123456789");

	if (digits == 0 || digits > 18 || strcmp(name + digits, ending) != 0)
		return false;
	for (*number = 0; *name >= '0' && *name <= '9'; name++)
		*number = *number * 10 + (uint64_t)(*name - '0');
	return true;
}

static bool is_table(const char *name)
{
	uint64_t number;

	return directory_number(name, ".ldb", &number) || directory_number(name, ".sst", &number);
}

/* Whether leveldb would take the file for part of the database. */
static bool is_data(const char *name)
{
	uint64_t number;

	return strcmp(name, "CURRENT") == 0 || cox_starts_with(name, "MANIFEST-") ||
	       is_table(name) || directory_number(name, ".log", &number);
}

static bool is_data_or_temporary(const char *name)
{
	return is_data(name) || cox_ends_with(name, ".dbtmp");
}

static bool is_any(const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int fail_errno(const struct level *level, struct cox_error *err, const char *what)
{
	int number = errno;

	return level->host->fail(err,
				 number == ENOSPC || number == EDQUOT
					 ? COX_REASON_INSUFFICIENT_STORAGE
					 : COX_REASON_INTERNAL_ERROR,
				 "cannot %s %s: %s", what, level->directory, strerror(number));
}

int directory_damaged(const struct level *level, struct cox_error *err, const char *format, ...)
{
	cox_autobuf what = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&what, format, args);
	va_end(args);
	return level->host->fail(err, COX_REASON_STORE_READ_ERROR,
				 "the store %s is damaged: %s; restore a snapshot: mv %s "
				 "%s.damaged && cp -a SNAPSHOT %s",
				 level->directory, cox_buf_cstr(&what), level->directory,
				 level->directory, level->directory);
}

int directory_foreign(const struct level *level, struct cox_error *err)
{
	return level->host->fail(err, COX_REASON_INVALID,
				 "%s holds a leveldb database that is not a coxswain store; it was "
				 "left as it is, choose another directory",
				 level->directory);
}

/* Holding */

/* Puts the directory's own name on disk. */
static int sync_parent(const char *path)
{
	cox_autobuf parent = COX_BUF_INIT;
	cox_autoclose int fd = -1;
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		size--;
	while (size > 1 && path[size - 1] != '/')
		size--;
	cox_buf_add(&parent, path, size);
	fd = open(parent.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : fsync(fd);
}

static int open_directory(struct level *level, struct cox_error *err)
{
	struct stat status;

	if (mkdir(level->directory, 0700) == 0) {
		if (sync_parent(level->directory))
			return fail_errno(level, err, "sync the directory above");
	} else if (errno != EEXIST) {
		return fail_errno(level, err, "create the directory");
	}
	level->directory_fd = open(level->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (level->directory_fd < 0 || fstat(level->directory_fd, &status))
		return fail_errno(level, err, "open the directory");
	if (!(status.st_mode & 077))
		return 0;
	/* It holds every secret of the cluster. */
	if (fchmod(level->directory_fd, 0700))
		return fail_errno(level, err, "take the rights of others from");
	level->host->log(level->host->context, COX_LOG_WARNING,
			 "%s could be read by others (mode %04o); it is 0700 now", level->directory,
			 (unsigned)(status.st_mode & 07777));
	return 0;
}

/*
 * An open file description lock, taken before leveldb's own: that one is of the
 * process, so a second open in it would take the lock and drop it again.
 */
int directory_lock(struct level *level, struct cox_error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char holder[32] = "";
	ssize_t size;

	if (open_directory(level, err))
		return -1;
	level->lock_fd = openat(level->directory_fd, "coxswain.lock",
				O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (level->lock_fd < 0)
		return fail_errno(level, err, "open coxswain.lock in");
	if (fcntl(level->lock_fd, F_OFD_SETLK, &lock)) {
		if (errno != EAGAIN && errno != EACCES)
			return fail_errno(level, err, "lock");
		size = pread(level->lock_fd, holder, sizeof(holder) - 1, 0);
		holder[size > 0 ? strspn(holder, "0123456789") : 0] = '\0';
		return level->host->fail(
			err, COX_REASON_CONFLICT,
			"the store %s is in use by process %s; stop that one first",
			level->directory, holder[0] ? holder : "(unknown)");
	}
	size = snprintf(holder, sizeof(holder), "%d\n", (int)getpid());
	/* Only for the message above. */
	if (ftruncate(level->lock_fd, 0) || pwrite(level->lock_fd, holder, (size_t)size, 0) < 0)
		level->host->log_verbose(level->host->context, 2, "coxswain.lock: %s",
					 strerror(errno));
	return 0;
}

void directory_unlock(struct level *level)
{
	if (level->lock_fd >= 0)
		close(level->lock_fd);
	if (level->directory_fd >= 0)
		close(level->directory_fd);
	level->lock_fd = level->directory_fd = -1;
}

/* Walking */

/* Calls `each` for every name that `wanted` takes, until it fails. */
static int for_each_name(int fd, bool (*wanted)(const char *),
			 int (*each)(int fd, const char *name, void *argument), void *argument)
{
	DIR *directory = directory_list(fd);
	struct dirent *entry;
	int failed = 0;

	if (!directory)
		return -1;
	while (!failed && (entry = readdir(directory)))
		if (wanted(entry->d_name))
			failed = each(fd, entry->d_name, argument);
	closedir(directory);
	return failed;
}

static int remove_name(int fd, const char *name, void *argument)
{
	(void)argument;
	return unlinkat(fd, name, 0);
}

static int link_name(int fd, const char *name, void *argument)
{
	const int *to = argument;

	return linkat(fd, name, *to, name, 0);
}

static int remove_folder(const struct level *level, const char *name)
{
	cox_autoclose int fd =
		openat(level->directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (for_each_name(fd, is_any, remove_name, NULL))
		return -1;
	return unlinkat(level->directory_fd, name, AT_REMOVEDIR);
}

/* The guard of an opening */

int directory_guard(struct level *level, struct cox_error *err)
{
	cox_autoclose int fd = -1;

	if (mkdirat(level->directory_fd, GUARD_NEW, 0700))
		return fail_errno(level, err, "make the folder " GUARD_NEW " in");
	fd = openat(level->directory_fd, GUARD_NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || for_each_name(level->directory_fd, is_data, link_name, &fd) || fsync(fd) ||
	    renameat(level->directory_fd, GUARD_NEW, level->directory_fd, GUARD) ||
	    fsync(level->directory_fd))
		return fail_errno(level, err, "keep the files from before the opening of");
	return 0;
}

static int drop_guard(struct level *level, struct cox_error *err)
{
	if (renameat(level->directory_fd, GUARD, level->directory_fd, GUARD_DONE) ||
	    fsync(level->directory_fd))
		return fail_errno(level, err, "end the opening of");
	/* What stays of it is removed by the next opening. */
	if (remove_folder(level, GUARD_DONE))
		level->host->log(level->host->context, COX_LOG_WARNING, "cannot remove %s/%s: %s",
				 level->directory, GUARD_DONE, strerror(errno));
	return 0;
}

int directory_release(struct level *level, struct cox_error *err)
{
	if (fsync(level->directory_fd))
		return fail_errno(level, err, "sync the directory");
	return drop_guard(level, err);
}

int directory_undo(struct level *level, struct cox_error *err)
{
	cox_autoclose int fd =
		openat(level->directory_fd, GUARD, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(level, err, "open the folder " GUARD " in");
	if (for_each_name(level->directory_fd, is_data_or_temporary, remove_name, NULL) ||
	    for_each_name(fd, is_data, link_name, &level->directory_fd) ||
	    fsync(level->directory_fd))
		return fail_errno(level, err, "bring back the files from before the opening of");
	return drop_guard(level, err);
}

int directory_recover(struct level *level, struct cox_error *err)
{
	if (remove_folder(level, GUARD_NEW) || remove_folder(level, GUARD_DONE))
		return fail_errno(level, err, "remove the rest of an opening of");
	return directory_undo(level, err);
}

/* Checks */

static int see_data(int fd, const char *name, void *argument)
{
	bool *any = argument;

	(void)fd;
	(void)name;
	*any = true;
	return 0;
}

static int check_table(const struct level *level, uint64_t number, uint64_t size,
		       struct cox_error *err)
{
	cox_autoclose int file = -1;
	unsigned char tail[8];
	struct stat status;
	char name[32];

	snprintf(name, sizeof(name), "%06" PRIu64 ".ldb", number);
	file = openat(level->directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0) {
		snprintf(name, sizeof(name), "%06" PRIu64 ".sst", number);
		file = openat(level->directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (file < 0 || fstat(file, &status))
		return directory_damaged(level, err, "the table %s cannot be read: %s", name,
					 strerror(errno));
	if (status.st_size == 0)
		return directory_damaged(level, err, "the table %s is empty", name);
	if ((uint64_t)status.st_size != size)
		return directory_damaged(level, err,
					 "the table %s has %lld bytes and should have %" PRIu64,
					 name, (long long)status.st_size, size);
	if (pread(file, tail, 8, status.st_size - 8) != 8 || memcmp(tail, table_magic, 8) != 0)
		return directory_damaged(level, err, "the table %s does not end as a table does",
					 name);
	return 0;
}

/* Before leveldb: it would begin a new database where CURRENT is missing. */
int directory_check(struct level *level, struct cox_error *err)
{
	bool any = false;
	cox_autoclose int current = -1;
	char manifest[64] = "";
	ssize_t size;

	if (for_each_name(level->directory_fd, is_data, see_data, &any))
		return fail_errno(level, err, "list");
	if (!any)
		return 0;
	current = openat(level->directory_fd, "CURRENT", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (current < 0)
		return directory_damaged(level, err, "CURRENT is missing");
	size = read(current, manifest, sizeof(manifest) - 1);
	if (size < 10 || manifest[size - 1] != '\n' || !cox_starts_with(manifest, "MANIFEST-"))
		return directory_damaged(level, err, "CURRENT names no manifest");
	manifest[size - 1] = '\0';
	if (strchr(manifest, '/') || faccessat(level->directory_fd, manifest, R_OK, 0))
		return directory_damaged(level, err, "%s, which CURRENT names, is missing",
					 manifest);
	return 0;
}

/*
 * Whether the table is still part of the database: leveldb may be compacting
 * already, and a table that it has merged goes while we look.
 */
static bool still_uses(const struct level *level, uint64_t number, uint64_t size)
{
	char *text = leveldb_property_value(level->db, "leveldb.sstables");
	char line[64];
	bool uses;

	snprintf(line, sizeof(line), "\n %" PRIu64 ":%" PRIu64 "[", number, size);
	uses = strstr(text, line) != NULL;
	leveldb_free(text);
	return uses;
}

/*
 * After leveldb has read its manifest: are the tables the ones that it means?
 * Others may be there, unfinished; a crash leaves them and leveldb removes them.
 */
int directory_check_tables(struct level *level, struct cox_error *err)
{
	char *text = leveldb_property_value(level->db, "leveldb.sstables");
	char *next = text;
	int failed = 0;

	/* Lines " NUMBER:SIZE[first .. last]" under headings of levels. */
	for (char *line = strsep(&next, "\n"); line && !failed; line = strsep(&next, "\n")) {
		uint64_t number, size;

		if (sscanf(line, " %" SCNu64 ":%" SCNu64 "[", &number, &size) == 2 &&
		    check_table(level, number, size, NULL) && still_uses(level, number, size))
			failed = check_table(level, number, size, err);
	}
	leveldb_free(text);
	return failed;
}

/* Figures */

static bool is_log(const char *name)
{
	uint64_t number;

	return directory_number(name, ".log", &number);
}

static int take_newest(int fd, const char *name, void *argument)
{
	uint64_t *newest = argument, number = 0;

	(void)fd;
	if (directory_number(name, ".log", &number) && number > *newest)
		*newest = number;
	return 0;
}

int directory_newest_log(const struct level *level, uint64_t *number)
{
	*number = 0;
	return for_each_name(level->directory_fd, is_log, take_newest, number);
}

static int add_size(int fd, const char *name, void *argument)
{
	uint64_t *bytes = argument;
	struct stat status;

	if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		*bytes += (uint64_t)status.st_blocks * 512;
	return 0;
}

uint64_t directory_bytes(const struct level *level)
{
	uint64_t bytes = 0;

	return for_each_name(level->directory_fd, is_any, add_size, &bytes) ? 0 : bytes;
}

static int sync_name(int fd, const char *name, void *argument)
{
	cox_autoclose int file = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	(void)argument;
	return file < 0 || fsync(file) ? -1 : 0;
}

/* Every file of a directory, then the directory. */
int directory_sync_all(const char *path)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || for_each_name(fd, is_any, sync_name, NULL))
		return -1;
	return fsync(fd);
}
