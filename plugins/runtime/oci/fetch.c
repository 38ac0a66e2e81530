/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloads one image from a registry, as a process of its own: what a foreign
 * server sends is parsed by nobody (user 65534, no capabilities), never in the
 * daemon, and the HTTP library's memory is gone when the image is here.
 *
 * The conversation. Descriptor 0 gives the request, one line of JSON (struct
 * fetch_request). The files `manifest` and `config` are written into the
 * directory on descriptor 3, then this is said on descriptor 1:
 *   manifest DIGEST TOP      TOP is what the reference names (an index, maybe)
 * The plugin answers on descriptor 0 with one line, the numbers (from 1) of
 * the layers that it does not have yet. Then for each of them:
 *   progress N DIGEST DONE TOTAL
 *   blob N                   file `N` is complete and has its digest
 * and at the end `done`; or at any time `error REASON text`, with the number
 * of an enum cox_reason.
 */
#include "fetch.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534
#define MAX_LAYERS 127

struct fetch_request fetch_request;

struct blob {
	char digest[FETCH_DIGEST_SIZE];
	uint64_t size;
};

void fetch_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	if (fflush(stdout) != 0)
		_exit(1); /* nobody listens any more */
}

void fetch_die(enum cox_reason reason, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < ' ')
			text.data[i] = ' ';
	fetch_say("error %d %s", (int)reason, cox_buf_cstr(&text));
	_exit(1);
}

static char *read_line(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size = getline(&line, &room, stdin);

	if (size <= 0)
		_exit(1);
	if (line[size - 1] == '\n')
		line[size - 1] = '\0';
	return line;
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;
	const char *text;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	text = json_object_get_string(value);
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : "";
}

static struct json_object *part_of(struct json_object *object, const char *key, json_type type)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
		return NULL;
	return value;
}

static struct json_object *parse(const char *text, size_t size, const char *what)
{
	struct json_tokener *tokener = json_tokener_new_ex(32);
	struct json_object *object = json_tokener_parse_ex(tokener, text, (int)size);

	json_tokener_free(tokener);
	if (!object || !json_object_is_type(object, json_type_object))
		fetch_die(COX_REASON_INTERNAL_ERROR, "%s is not a JSON object", what);
	return object;
}

static void read_pem(const char *path, struct cox_buf *out)
{
	FILE *file = *path ? fopen(path, "re") : NULL;
	size_t got;

	if (*path && !file)
		fetch_die(COX_REASON_INTERNAL_ERROR, "%s: %s", path, strerror(errno));
	while (file && (got = fread(cox_buf_reserve(out, 65536), 1, 65536, file)) > 0) {
		cox_buf_added(out, got);
		if (out->size > FETCH_MANIFEST_MAX)
			fetch_die(COX_REASON_INTERNAL_ERROR, "%s is too large", path);
	}
	if (file)
		fclose(file);
}

/* The request lives as long as the process. */
static void read_request(void)
{
	char *line = read_line();
	struct json_object *request = parse(line, strlen(line), "the request");

	free(line);
	fetch_request.registry = text_of(request, "registry");
	fetch_request.repository = text_of(request, "repository");
	fetch_request.reference = text_of(request, "reference");
	fetch_request.username = text_of(request, "username");
	fetch_request.password = text_of(request, "password");
	fetch_request.identity_token = text_of(request, "identityToken");
	fetch_request.registry_token = text_of(request, "registryToken");
	fetch_request.architecture = text_of(request, "architecture");
	fetch_request.os = text_of(request, "os");
	fetch_request.variant = text_of(request, "variant");
	fetch_request.insecure =
		part_of(request, "insecure", json_type_boolean) &&
		json_object_get_boolean(part_of(request, "insecure", json_type_boolean));
	fetch_request.maximum =
		(uint64_t)json_object_get_int64(part_of(request, "maximum", json_type_int));
	read_pem(text_of(request, "ca"), &fetch_request.ca);
	read_pem(text_of(request, "certificate"), &fetch_request.certificate);
	read_pem(text_of(request, "key"), &fetch_request.key);
}

/* After this the process is nobody, also in the eyes of ptrace. */
static void give_up_rights(void)
{
	if (fchdir(3) != 0)
		fetch_die(COX_REASON_INTERNAL_ERROR, "enter the directory: %s", strerror(errno));
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
		fetch_die(COX_REASON_INTERNAL_ERROR, "cannot become user %d: %s", NOBODY,
			  strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
		fetch_die(COX_REASON_INTERNAL_ERROR, "cannot give up rights: %s", strerror(errno));
}

static int create_file(const char *name)
{
	int fd = openat(3, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		fetch_die(COX_REASON_INTERNAL_ERROR, "create %s: %s", name, strerror(errno));
	return fd;
}

static void write_file(const char *name, const struct cox_buf *body)
{
	int fd = create_file(name);
	size_t done = 0;

	while (done < body->size) {
		ssize_t n = write(fd, body->data + done, body->size - done);

		if (n <= 0)
			fetch_die(COX_REASON_INSUFFICIENT_STORAGE, "write %s: %s", name,
				  strerror(errno));
		done += (size_t)n;
	}
	close(fd);
}

static bool digest_valid(const char *digest)
{
	if (strncmp(digest, "sha256:", 7) != 0 || strlen(digest) != 71)
		return false;
	return strspn(digest + 7, "0123456789abcdef") == 64;
}

static void read_descriptor(struct json_object *descriptor, struct blob *blob)
{
	const char *digest = text_of(descriptor, "digest");
	struct json_object *size = part_of(descriptor, "size", json_type_int);

	if (!digest_valid(digest) || !size || json_object_get_int64(size) < 0)
		fetch_die(COX_REASON_INTERNAL_ERROR,
			  "the manifest of %s/%s has a descriptor without sha256 digest or size",
			  fetch_request.registry, fetch_request.repository);
	snprintf(blob->digest, sizeof(blob->digest), "%s", digest);
	blob->size = (uint64_t)json_object_get_int64(size);
}

/* The entry of an index for this machine; fails with a list of what there is. */
static const char *choose_platform(struct json_object *manifests)
{
	cox_autobuf offered = COX_BUF_INIT;
	const char *best = NULL;

	for (size_t i = 0; i < json_object_array_length(manifests); i++) {
		struct json_object *entry = json_object_array_get_idx(manifests, i);
		struct json_object *platform = part_of(entry, "platform", json_type_object);
		const char *os = platform ? text_of(platform, "os") : "linux";
		const char *architecture =
			platform ? text_of(platform, "architecture") : fetch_request.architecture;
		const char *variant = platform ? text_of(platform, "variant") : "";

		cox_buf_printf(&offered, "%s%s/%s", offered.size ? ", " : "", os, architecture);
		if (strcmp(os, fetch_request.os) != 0 ||
		    strcmp(architecture, fetch_request.architecture) != 0)
			continue;
		if (!best || strcmp(variant, fetch_request.variant) == 0)
			best = text_of(entry, "digest");
	}
	if (!best || !digest_valid(best))
		fetch_die(COX_REASON_NOT_FOUND, "no image for platform %s/%s in it (it has %s)",
			  fetch_request.os, fetch_request.architecture, cox_buf_cstr(&offered));
	return best;
}

static void check_digest(const char *what, const char *wanted, const char *got)
{
	if (strcmp(wanted, got) != 0)
		fetch_die(COX_REASON_INTERNAL_ERROR, "%s has digest %s, expected %s", what, got,
			  wanted);
}

/* Gets the manifest of this platform; `top` is the digest of the reference. */
static struct json_object *get_manifest(char digest[FETCH_DIGEST_SIZE], char top[FETCH_DIGEST_SIZE])
{
	const char *reference = fetch_request.reference;
	char wanted[FETCH_DIGEST_SIZE] = "";

	for (int depth = 0; depth < 3; depth++) {
		cox_autobuf body = COX_BUF_INIT;
		struct json_object *manifest, *list;

		fetch_get("manifests", depth ? wanted : reference, &body, -1, 0, 0, digest);
		if (depth == 0)
			memcpy(top, digest, FETCH_DIGEST_SIZE);
		if (depth || digest_valid(reference))
			check_digest("the manifest", depth ? wanted : reference, digest);
		manifest = parse(cox_buf_cstr(&body), body.size, "the manifest");
		list = part_of(manifest, "manifests", json_type_array);
		if (!list) {
			struct json_object *version =
				part_of(manifest, "schemaVersion", json_type_int);

			if (!version || json_object_get_int(version) != 2)
				fetch_die(COX_REASON_INTERNAL_ERROR,
					  "the manifest is of schema 1, which is not supported");
			write_file("manifest", &body);
			return manifest;
		}
		snprintf(wanted, sizeof(wanted), "%s", choose_platform(list));
		json_object_put(manifest);
	}
	fetch_die(COX_REASON_INTERNAL_ERROR, "the index leads to another index, and so on");
}

static void get_config(struct json_object *manifest)
{
	struct json_object *descriptor = part_of(manifest, "config", json_type_object);
	cox_autobuf body = COX_BUF_INIT;
	char digest[FETCH_DIGEST_SIZE];
	struct blob config;

	if (!descriptor)
		fetch_die(COX_REASON_INTERNAL_ERROR, "the manifest names no configuration");
	read_descriptor(descriptor, &config);
	fetch_get("blobs", config.digest, &body, -1, config.size, 0, digest);
	check_digest("the configuration", config.digest, digest);
	write_file("config", &body);
}

static void get_layers(const struct blob *layers, size_t count)
{
	char *wanted = read_line();

	for (char *at = wanted; *at;) {
		char *end, name[24], digest[FETCH_DIGEST_SIZE];
		unsigned long number = strtoul(at, &end, 10);
		const struct blob *layer = &layers[number - 1];
		int fd;

		if (end == at || number < 1 || number > count)
			fetch_die(COX_REASON_INTERNAL_ERROR, "there is no layer \"%s\"", at);
		snprintf(name, sizeof(name), "%lu", number);
		fd = create_file(name);
		fetch_get("blobs", layer->digest, NULL, fd, layer->size, (unsigned)number, digest);
		check_digest("the layer", layer->digest, digest);
		close(fd);
		fetch_say("blob %lu", number);
		for (at = end; *at == ' ';)
			at++;
	}
	free(wanted);
}

int main(void)
{
	char digest[FETCH_DIGEST_SIZE], top[FETCH_DIGEST_SIZE] = "";
	struct blob layers[MAX_LAYERS];
	struct json_object *manifest, *list;
	uint64_t total = 0;
	size_t count;

	umask(077);
	read_request();
	fetch_start();
	give_up_rights();
	write_file(FETCH_CA_FILE, &fetch_request.ca);
	if (fetch_request.certificate.size) {
		write_file(FETCH_CERTIFICATE_FILE, &fetch_request.certificate);
		write_file(FETCH_KEY_FILE, &fetch_request.key);
	}
	manifest = get_manifest(digest, top);
	list = part_of(manifest, "layers", json_type_array);
	count = list ? json_object_array_length(list) : 0;
	if (count > MAX_LAYERS)
		fetch_die(COX_REASON_INTERNAL_ERROR, "the image has %zu layers, at most %d work",
			  count, MAX_LAYERS);
	for (size_t i = 0; i < count; i++) {
		read_descriptor(json_object_array_get_idx(list, i), &layers[i]);
		total += layers[i].size;
		if (layers[i].size > fetch_request.maximum || total > fetch_request.maximum)
			fetch_die(COX_REASON_ENTITY_TOO_LARGE,
				  "the image is larger than the limit of %" PRIu64 " bytes",
				  fetch_request.maximum);
	}
	get_config(manifest);
	json_object_put(manifest);
	fetch_say("manifest %s %s", digest, top);
	get_layers(layers, count);
	fetch_say("done");
	fetch_end();
	/* As nobody, exit handlers may not look at anything. */
	_exit(0);
}
