/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks one image layer. The bytes are foreign, so the work is done inside a
 * chroot to the layer's own directory: no name and no link in the archive can
 * lead out. The archive is read twice at once: the compression is taken off by
 * one reader, whose output is hashed (the layer's diff id) and parsed by the
 * other.
 *
 * A whiteout of the OCI image layout (.wh.NAME) becomes what overlayfs reads,
 * a character device 0:0; an opaque whiteout becomes the attribute
 * user.overlay.opaque (mount option userxattr). Attributes of that name in the
 * archive itself are not taken over: they would forge whiteouts.
 */
#include "helper.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_ENTRIES 4000000u
#define BLOCK 65536

struct unpacking {
	struct archive *outer; /* takes the compression off */
	struct archive *disk;
	gnutls_hash_hd_t hash;
	uint64_t stream; /* bytes of the tar so far */
	uint64_t bytes;	 /* of file contents */
	uint64_t entries;
	uint64_t maximum;
	bool layer;
	char block[BLOCK];
};

static la_ssize_t read_outer(struct archive *inner, void *data, const void **out)
{
	struct unpacking *work = data;
	la_ssize_t got = archive_read_data(work->outer, work->block, sizeof(work->block));

	(void)inner;
	if (got < 0)
		die("decompress: %s", archive_error_string(work->outer));
	work->stream += (uint64_t)got;
	/* Headers and padding count too: empty files are not free. */
	if (work->stream / 2 > work->maximum)
		die("the layer is larger than %" PRIu64 " bytes", work->maximum);
	gnutls_hash(work->hash, work->block, (size_t)got);
	*out = work->block;
	return got;
}

/* The name without leading "./" and "/"; NULL: the root itself. */
static const char *clean_name(const char *name)
{
	if (!name)
		die("an entry has no name");
	for (;;) {
		if (*name == '/')
			name++;
		else if (name[0] == '.' && (name[1] == '/' || !name[1]))
			name += 1;
		else
			break;
	}
	for (const char *at = name; *at; at = strchr(at, '/') ? strchr(at, '/') + 1 : "")
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || !at[2]))
			die("the entry \"%s\" leads out of the layer", name);
	return *name ? name : NULL;
}

/* Inside the chroot; `path` has no "..". */
static void make_parents(const char *path)
{
	char copy[PATH_MAX];
	size_t size = strlen(path);

	if (size >= sizeof(copy))
		die("a name is longer than %d bytes", PATH_MAX);
	memcpy(copy, path, size + 1);
	for (char *at = strchr(copy, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			die("mkdir %s: %s", copy, strerror(errno));
		*at = '/';
	}
}

/* 1 if the entry was a whiteout and is done. */
static int apply_whiteout(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	int parent = (int)(base - path);
	char target[PATH_MAX];

	if (strncmp(base, ".wh.", 4) != 0)
		return 0;
	make_parents(path);
	if (strcmp(base, ".wh..wh..opq") == 0) {
		snprintf(target, sizeof(target), "%.*s.", parent, path);
		if (setxattr(target, "user.overlay.opaque", "y", 1, 0) != 0)
			die("mark %s opaque: %s", target, strerror(errno));
		return 1;
	}
	if (strncmp(base, ".wh..wh.", 8) == 0)
		return 1; /* other marks of old aufs layers say nothing */
	if (!base[4] || strcmp(base, ".wh...") == 0 || strcmp(base, ".wh..") == 0)
		die("the whiteout \"%s\" names nothing", path);
	if ((size_t)snprintf(target, sizeof(target), "%.*s%s", parent, path, base + 4) >=
	    sizeof(target))
		die("a name is longer than %d bytes", PATH_MAX);
	/* A layer must not both have and hide a file: what it has wins. */
	if (mknod(target, S_IFCHR | 0600, makedev(0, 0)) != 0 && errno != EEXIST)
		die("hide %s: %s", target, strerror(errno));
	return 1;
}

static void drop_attributes(struct archive_entry *entry)
{
	const char *name;
	const void *value;
	size_t size;
	struct {
		char name[256];
		void *value;
		size_t size;
	} kept[64];
	size_t count = 0;

	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		bool take =
			strcmp(name, "security.capability") == 0 ||
			(strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0);

		if (!take || count == 64 || strlen(name) >= sizeof(kept[0].name))
			continue;
		snprintf(kept[count].name, sizeof(kept[0].name), "%s", name);
		kept[count].value = malloc(size ? size : 1);
		if (!kept[count].value)
			die("out of memory");
		memcpy(kept[count].value, value, size);
		kept[count++].size = size;
	}
	archive_entry_xattr_clear(entry);
	for (size_t i = 0; i < count; i++) {
		archive_entry_xattr_add_entry(entry, kept[i].name, kept[i].value, kept[i].size);
		free(kept[i].value);
	}
}

static void write_contents(struct unpacking *work, struct archive *inner, const char *path)
{
	const void *block;
	size_t size;
	la_int64_t offset;
	int result;

	while ((result = archive_read_data_block(inner, &block, &size, &offset)) == ARCHIVE_OK) {
		work->bytes += size;
		if (work->bytes > work->maximum || offset < 0 || (uint64_t)offset > work->maximum)
			die("the layer is larger than %" PRIu64 " bytes", work->maximum);
		if (archive_write_data_block(work->disk, block, size, offset) < ARCHIVE_OK)
			die("write %s: %s", path, archive_error_string(work->disk));
	}
	if (result != ARCHIVE_EOF)
		die("read %s: %s", path, archive_error_string(inner));
}

static void unpack_entry(struct unpacking *work, struct archive *inner, struct archive_entry *entry)
{
	const char *path = clean_name(archive_entry_pathname(entry));
	const char *link = archive_entry_hardlink(entry);
	char name[PATH_MAX], target[PATH_MAX];
	mode_t type = archive_entry_filetype(entry);

	if (++work->entries > MAX_ENTRIES)
		die("the layer has more than %u entries", MAX_ENTRIES);
	if (!path) {
		if (work->layer) {
			if (chown(".", (uid_t)archive_entry_uid(entry),
				  (gid_t)archive_entry_gid(entry)) != 0 ||
			    chmod(".", archive_entry_perm(entry)) != 0)
				die("set the owner of the root: %s", strerror(errno));
		}
		return;
	}
	if (snprintf(name, sizeof(name), "%s", path) >= (int)sizeof(name))
		die("a name is longer than %d bytes", PATH_MAX);
	if (work->layer && apply_whiteout(name))
		return;
	if (!work->layer && !link && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
		return;
	make_parents(name);
	archive_entry_set_pathname(entry, name);
	if (link) {
		const char *clean = clean_name(link);

		if (!clean || snprintf(target, sizeof(target), "%s", clean) >= (int)sizeof(target))
			die("the link %s leads nowhere", name);
		archive_entry_set_hardlink(entry, target);
	}
	drop_attributes(entry);
	if (archive_write_header(work->disk, entry) < ARCHIVE_WARN)
		die("write %s: %s", name, archive_error_string(work->disk));
	if (type == AE_IFREG && archive_entry_size(entry) > 0)
		write_contents(work, inner, name);
	if (archive_write_finish_entry(work->disk) < ARCHIVE_WARN)
		die("write %s: %s", name, archive_error_string(work->disk));
}

static struct archive *open_outer(void)
{
	struct archive *outer = archive_read_new();
	struct archive_entry *entry;

	if (!outer)
		die("out of memory");
	archive_read_support_filter_gzip(outer);
	archive_read_support_filter_zstd(outer);
	archive_read_support_filter_bzip2(outer);
	archive_read_support_filter_xz(outer);
	archive_read_support_format_raw(outer);
	archive_read_support_format_empty(outer);
	if (archive_read_open_fd(outer, STDIN_FILENO, BLOCK) != ARCHIVE_OK ||
	    archive_read_next_header(outer, &entry) != ARCHIVE_OK)
		die("read the layer: %s", archive_error_string(outer));
	return outer;
}

/* Everything that loads code or reads /etc must happen before this. */
static void enter(const char *directory, bool layer)
{
	const struct rlimit none = {0, 0};
	uint64_t kept = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER |
			1ull << CAP_FSETID | 1ull << CAP_MKNOD | 1ull << CAP_SETFCAP;

	if (chdir(directory) != 0 || chroot(".") != 0)
		die("enter %s: %s", directory, strerror(errno));
	setrlimit(RLIMIT_CORE, &none);
	keep_capabilities(layer ? kept : 1ull << CAP_DAC_OVERRIDE);
}

void helper_unpack(const char *directory, uint64_t maximum, bool layer)
{
	static struct unpacking work;
	struct archive *inner = archive_read_new();
	struct archive_entry *entry;
	unsigned char digest[32];
	const void *rest;
	int result, flags = ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_UNLINK;

	work.maximum = maximum;
	work.layer = layer;
	if (layer)
		flags |= ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
			 ARCHIVE_EXTRACT_XATTR;
	if (gnutls_hash_init(&work.hash, GNUTLS_DIG_SHA256) != 0)
		die("no SHA-256");
	work.outer = open_outer();
	work.disk = archive_write_disk_new();
	if (!inner || !work.disk)
		die("out of memory");
	enter(directory, layer);
	archive_write_disk_set_options(work.disk, flags);
	archive_read_support_format_tar(inner);
	archive_read_support_format_empty(inner);
	if (archive_read_open(inner, &work, NULL, read_outer, NULL) != ARCHIVE_OK)
		die("read the layer: %s", archive_error_string(inner));
	while ((result = archive_read_next_header(inner, &entry)) == ARCHIVE_OK ||
	       result == ARCHIVE_WARN)
		unpack_entry(&work, inner, entry);
	if (result != ARCHIVE_EOF)
		die("read the layer: %s", archive_error_string(inner));
	if (archive_write_close(work.disk) != ARCHIVE_OK)
		die("write: %s", archive_error_string(work.disk));
	/* What follows the end mark belongs to the digest. */
	while (read_outer(inner, &work, &rest) > 0)
		continue;
	gnutls_hash_deinit(work.hash, digest);
	if (layer) {
		int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* The rename that follows must not be older than the files. */
		if (here < 0 || syncfs(here) != 0)
			die("sync: %s", strerror(errno));
		close(here);
	}
	archive_read_free(inner);
	archive_read_free(work.outer);
	archive_write_free(work.disk);
	printf("sha256:");
	for (size_t i = 0; i < sizeof(digest); i++)
		printf("%02x", digest[i]);
	printf(" %" PRIu64 " %" PRIu64 "\n", work.bytes, work.entries);
	if (fflush(stdout) != 0)
		die("write: %s", strerror(errno));
}
