/* SPDX-License-Identifier: Apache-2.0 */
/* Files, JSON and digests, for all of the plugin. */
#include "oci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

char *oci_format(const char *format, ...)
{
	struct cox_buf buf = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&buf, format, args);
	va_end(args);
	return cox_buf_steal(&buf);
}

int oci_fail_errno(struct oci *oci, struct cox_error *err, const char *format, ...)
{
	int number = errno;
	cox_autobuf buf = COX_BUF_INIT;
	char text[128];
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&buf, format, args);
	va_end(args);
	return oci->host->fail(
		err,
		number == ENOSPC || number == EDQUOT ? COX_REASON_INSUFFICIENT_STORAGE
						     : COX_REASON_INTERNAL_ERROR,
		"%s: %s", cox_buf_cstr(&buf), strerror_r(number, text, sizeof(text)));
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int oci_write_file(struct oci *oci, const char *path, const void *data, size_t size, int mode,
		   struct cox_error *err)
{
	cox_autofree char *temporary = oci_format("%s.new", path);
	cox_autoclose int fd =
		open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || write_all(fd, data, size) != 0 || fchmod(fd, (mode_t)mode) != 0 ||
	    fdatasync(fd) != 0 || rename(temporary, path) != 0)
		return oci_fail_errno(oci, err, "write %s", path);
	return 0;
}

char *oci_read_file(const char *path, size_t maximum, size_t *size)
{
	cox_autobuf buf = COX_BUF_INIT;
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return NULL;
	for (;;) {
		ssize_t n = read(fd, cox_buf_reserve(&buf, 4096), 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return NULL;
		if (n == 0)
			break;
		cox_buf_added(&buf, (size_t)n);
		if (buf.size > maximum) {
			errno = EFBIG;
			return NULL;
		}
	}
	if (size)
		*size = buf.size;
	return cox_buf_steal(&buf);
}

int oci_make_directories(struct oci *oci, const char *path, int mode, struct cox_error *err)
{
	cox_autofree char *copy = cox_strdup(path);

	for (char *at = copy + 1;; at++) {
		char kept = *at;

		if (kept != '/' && kept)
			continue;
		*at = '\0';
		if (mkdir(copy, kept ? 0755 : (mode_t)mode) != 0 && errno != EEXIST)
			return oci_fail_errno(oci, err, "create directory %s", copy);
		if (!kept)
			return 0;
		*at = kept;
	}
}

static void remove_below(int directory, const char *name, dev_t device, int depth)
{
	int fd;
	DIR *entries;
	struct dirent *entry;
	struct stat info;

	if (unlinkat(directory, name, 0) == 0 || depth > 1024)
		return;
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Something mounted here is not ours to empty. */
	if (fstat(fd, &info) != 0 || info.st_dev != device || !(entries = fdopendir(fd))) {
		close(fd);
		return;
	}
	while ((entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_below(fd, entry->d_name, device, depth + 1);
	closedir(entries);
	unlinkat(directory, name, AT_REMOVEDIR);
}

void oci_remove_tree(const char *path)
{
	struct stat info;

	if (lstat(path, &info) == 0)
		remove_below(AT_FDCWD, path, info.st_dev, 0);
}

char *oci_next_line(char **rest)
{
	char *line = *rest, *end = line ? strchr(line, '\n') : NULL;

	if (!line || !*line)
		return NULL;
	if (end)
		*end = '\0';
	*rest = end ? end + 1 : NULL;
	return line;
}

void oci_sha256(const void *data, size_t size, char digest[OCI_DIGEST_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char hash[32] = {0};

	gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size, hash);
	memcpy(digest, "sha256:", 7);
	for (size_t i = 0; i < sizeof(hash); i++) {
		digest[7 + 2 * i] = hex[hash[i] >> 4];
		digest[8 + 2 * i] = hex[hash[i] & 15];
	}
	digest[71] = '\0';
}

bool oci_digest_valid(const char *digest)
{
	return strncmp(digest, "sha256:", 7) == 0 && strlen(digest) == 71 &&
	       strspn(digest + 7, "0123456789abcdef") == 64;
}

struct json_object *oci_parse(const char *text, size_t size)
{
	struct json_tokener *tokener;
	struct json_object *object;

	if (size > OCI_RECORD_MAX)
		return NULL;
	tokener = json_tokener_new_ex(32);
	object = json_tokener_parse_ex(tokener, text, (int)size);
	json_tokener_free(tokener);
	if (object && !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return NULL;
	}
	return object;
}

struct json_object *oci_part(struct json_object *object, const char *key, json_type type)
{
	struct json_object *value;

	if (!object || !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, type))
		return NULL;
	return value;
}

const char *oci_text(struct json_object *object, const char *key)
{
	struct json_object *value = oci_part(object, key, json_type_string);
	const char *text = value ? json_object_get_string(value) : "";

	/* A zero byte inside would make two readers see two texts. */
	if (value && strlen(text) != (size_t)json_object_get_string_len(value))
		return "";
	return text;
}
