/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulls an image: coxswain-oci-fetch talks to the registry as nobody, this
 * side tells it which layers are wanted, checks what comes and unpacks it.
 */
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SECOND 1000000000ull
#define NOBODY 65534
#define PULL_TIMEOUT (4 * 3600 * SECOND)

struct pull {
	struct oci *oci;
	const struct cox_call *call;
	const struct cox_progress_sink *sink;
	struct oci_reference ref;
	char *work; /* the directory the files come to */
	int pidfd, in, out;
	struct cox_buf lines; /* read from the fetcher, not yet used */
	uint64_t end;
	struct oci_list layers; /* diff ids */
	char *config;
	size_t config_size;
	char top[OCI_DIGEST_SIZE];
};

static const char *architecture(const char **variant)
{
	*variant = "";
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	*variant = "v8";
	return "arm64";
#elif defined(__arm__)
	*variant = "v7";
	return "arm";
#elif defined(__i386__)
	return "386";
#else
	return "unknown";
#endif
}

static void tell(const struct pull *pull, uint32_t phase, uint32_t layer, const char *digest,
		 uint64_t done, uint64_t total)
{
	struct cox_pull_progress progress = {.struct_size = sizeof(progress),
					     .phase = phase,
					     .layer = layer,
					     .layers = (uint32_t)pull->layers.count,
					     .digest = digest,
					     .done = done,
					     .total = total};

	if (pull->sink)
		pull->sink->progress(pull->sink, &progress);
}

static bool is_insecure(const struct oci *oci, const char *registry)
{
	size_t host = strcspn(registry, ":");

	if (*registry == '[')
		host = strcspn(registry, "]") + 1;
	for (const char *at = oci->insecure; *at;) {
		size_t size = strcspn(at, ",");

		if ((size == host && strncmp(at, registry, size) == 0) ||
		    (size == strlen(registry) && strncmp(at, registry, size) == 0))
			return true;
		at += size + (at[size] == ',');
	}
	return false;
}

/* certificates/HOST[:PORT]/FILE if it is there, else "". */
static char *certificate(const struct oci *oci, const char *registry, const char *file)
{
	char *path = oci_format("%s/%s/%s", oci->certificates, registry, file);

	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return cox_strdup("");
}

static void set(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text ? text : ""));
}

static char *make_request(const struct pull *pull, const struct cox_registry_auth *auth)
{
	const struct oci *oci = pull->oci;
	const char *registry = strcmp(pull->ref.registry, "docker.io") == 0 ? "registry-1.docker.io"
									    : pull->ref.registry;
	cox_autofree char *ca = certificate(oci, pull->ref.registry, "ca.crt");
	cox_autofree char *own = certificate(oci, pull->ref.registry, "client.cert");
	cox_autofree char *key = certificate(oci, pull->ref.registry, "client.key");
	struct json_object *request = json_object_new_object();
	const char *variant;
	char *text;

	set(request, "registry", registry);
	set(request, "repository", pull->ref.repository);
	set(request, "reference", *pull->ref.digest ? pull->ref.digest : pull->ref.tag);
	if (auth) {
		set(request, "username", auth->username);
		set(request, "password", auth->password);
		set(request, "identityToken", auth->identity_token);
		set(request, "registryToken", auth->registry_token);
	}
	set(request, "os", "linux");
	set(request, "architecture", architecture(&variant));
	set(request, "variant", variant);
	set(request, "ca", *ca || access(oci->ca_file, R_OK) != 0 ? ca : oci->ca_file);
	set(request, "certificate", *own && *key ? own : "");
	set(request, "key", *own && *key ? key : "");
	json_object_object_add(request, "insecure",
			       json_object_new_boolean(is_insecure(oci, pull->ref.registry)));
	json_object_object_add(request, "maximum", json_object_new_int64((int64_t)oci->max_image));
	text = oci_format("%s\n", json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN));
	json_object_put(request);
	return text;
}

static int send_text(struct pull *pull, const char *text, struct cox_error *err)
{
	size_t size = strlen(text);

	/* Short of a pipe's room, and the other side reads it at once. */
	if (write(pull->in, text, size) != (ssize_t)size)
		return oci_fail_errno(pull->oci, err, "talk to coxswain-oci-fetch");
	return 0;
}

/* The next line, without its end; NULL with an error. Free it. */
static char *next_line(struct pull *pull, struct cox_error *err)
{
	for (;;) {
		const char *text = cox_buf_cstr(&pull->lines), *end = strchr(text, '\n');
		struct pollfd wait = {pull->out, POLLIN, 0};
		ssize_t got;

		if (end) {
			size_t size = (size_t)(end - text);
			char *line = cox_strndup(text, size);

			memmove(pull->lines.data, end + 1, pull->lines.size - size);
			cox_buf_truncate(&pull->lines, pull->lines.size - size - 1);
			return line;
		}
		if (pull->oci->host->monotonic_ns() >= pull->end ||
		    (pull->call && pull->oci->host->cancelled(pull->call))) {
			pull->oci->host->fail(err, COX_REASON_TIMEOUT,
					      "pull of %s/%s cancelled or out of time",
					      pull->ref.registry, pull->ref.repository);
			return NULL;
		}
		if (poll(&wait, 1, 100) <= 0)
			continue;
		got = pull->lines.size > 65536
			      ? 0
			      : read(pull->out, cox_buf_reserve(&pull->lines, 4096), 4096);
		if (got <= 0) {
			pull->oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
					      "coxswain-oci-fetch ended without a word");
			return NULL;
		}
		cox_buf_added(&pull->lines, (size_t)got);
	}
}

static int start_fetch(struct pull *pull, const struct cox_registry_auth *auth,
		       struct cox_error *err)
{
	struct oci *oci = pull->oci;
	cox_autofree char *program = oci_format("%s/coxswain-oci-fetch", oci->helpers);
	cox_autofree char *request = make_request(pull, auth);
	cox_autoclose int directory = -1;
	const char *argv[] = {program, NULL};
	int in[2] = {-1, -1}, out[2] = {-1, -1}, result;

	/* It writes as nobody; the way here leads through root's directories. */
	if (oci_make_directories(oci, pull->work, 0700, err) != 0)
		return -1;
	if (geteuid() == 0 && chown(pull->work, NOBODY, NOBODY) != 0)
		return oci_fail_errno(oci, err, "%s", pull->work);
	directory = open(pull->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
		result = oci_fail_errno(oci, err, "make a pipe");
	} else {
		const struct cox_spawn_fd fds[] = {{in[0], 0}, {out[1], 1}, {directory, 3}};
		struct oci_command command = {.argv = argv, .fds = fds, .fd_count = 3};

		pull->in = cox_steal_fd(&in[1]);
		pull->out = cox_steal_fd(&out[0]);
		result = oci_spawn(oci, &command, &pull->pidfd, NULL, err);
		if (result == 0)
			result = send_text(pull, request, err);
	}
	for (int i = 0; i < 2; i++) {
		cox_cleanup_close(&in[i]);
		cox_cleanup_close(&out[i]);
	}
	return result;
}

/* "error REASON text" becomes our error. */
static int take_error(struct pull *pull, const char *line, struct cox_error *err)
{
	char *text;
	long reason = strtol(line + 6, &text, 10);

	if (reason <= COX_REASON_NONE || reason > COX_REASON_STORE_READ_ERROR)
		reason = COX_REASON_INTERNAL_ERROR;
	return pull->oci->host->fail(err, (enum cox_reason)reason, "%s",
				     *text == ' ' ? text + 1 : text);
}

/* Opens what the fetcher wrote, if it is a plain file. */
static int open_file(struct pull *pull, const char *name)
{
	cox_autofree char *path = oci_format("%s/%s", pull->work, name);
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static char *read_file(struct pull *pull, const char *name, size_t *size, struct cox_error *err)
{
	cox_autoclose int fd = open_file(pull, name);
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	text = fd >= 0 ? oci_read_file(path, OCI_RECORD_MAX, size) : NULL;
	if (!text)
		oci_fail_errno(pull->oci, err, "%s/%s", pull->work, name);
	return text;
}

/* Reads manifest and configuration, which must be what their digests say. */
static int take_manifest(struct pull *pull, const char *digest, struct cox_error *err)
{
	struct oci *oci = pull->oci;
	size_t size;
	cox_autofree char *text = read_file(pull, "manifest", &size, err);
	struct json_object *manifest, *layers, *config;
	char got[OCI_DIGEST_SIZE], config_digest[OCI_DIGEST_SIZE];
	int result = -1;

	if (!text)
		return -1;
	pull->config = read_file(pull, "config", &pull->config_size, err);
	if (!pull->config)
		return -1;
	manifest = oci_parse(text, size);
	config = oci_parse(pull->config, pull->config_size);
	layers = oci_part(manifest, "layers", json_type_array);
	oci_sha256(text, size, got);
	oci_sha256(pull->config, pull->config_size, config_digest);
	if (strcmp(got, digest) != 0 ||
	    strcmp(oci_text(oci_part(manifest, "config", json_type_object), "digest"),
		   config_digest) != 0)
		oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
				"the manifest or the configuration has another digest than said");
	else if (oci_diff_ids(oci, config, &pull->layers, err) == 0)
		result = 0;
	if (result == 0 && pull->layers.count != (layers ? json_object_array_length(layers) : 0))
		result = oci->host->fail(
			err, COX_REASON_INTERNAL_ERROR,
			"the manifest and the configuration do not agree on the number of layers");
	json_object_put(manifest);
	json_object_put(config);
	return result;
}

static int ask_for_layers(struct pull *pull, struct cox_error *err)
{
	cox_autobuf wanted = COX_BUF_INIT;

	for (size_t i = 0; i < pull->layers.count; i++)
		if (!oci_have_layer(pull->oci, pull->layers.items[i]))
			cox_buf_printf(&wanted, "%s%zu", wanted.size ? " " : "", i + 1);
	cox_buf_char(&wanted, '\n');
	return send_text(pull, wanted.data, err);
}

static int take_blob(struct pull *pull, const char *name, struct cox_error *err)
{
	unsigned long number = strtoul(name, NULL, 10);
	cox_autoclose int fd = -1;
	cox_autofree char *path = oci_format("%s/%lu", pull->work, number);
	int result;

	if (number < 1 || number > pull->layers.count)
		return pull->oci->host->fail(
			err, COX_REASON_INTERNAL_ERROR,
			"coxswain-oci-fetch has layer %lu, which nobody asked for", number);
	fd = open_file(pull, strrchr(path, '/') + 1);
	if (fd < 0)
		return oci_fail_errno(pull->oci, err, "%s", path);
	tell(pull, COX_PULL_UNPACKING, (uint32_t)number, pull->layers.items[number - 1], 0, 0);
	result = oci_add_layer(pull->oci, pull->call, fd, pull->layers.items[number - 1], err);
	unlink(path);
	return result;
}

/* 0: go on, 1: done, -1: failed. */
static int take_line(struct pull *pull, const char *line, struct cox_error *err)
{
	char digest[OCI_DIGEST_SIZE];
	uint64_t done, total;
	unsigned layer;

	if (strncmp(line, "error ", 6) == 0)
		return take_error(pull, line, err);
	if (sscanf(line, "progress %u %71s %" SCNu64 " %" SCNu64, &layer, digest, &done, &total) ==
	    4) {
		tell(pull, COX_PULL_DOWNLOADING, layer, digest, done, total);
		return 0;
	}
	if (sscanf(line, "manifest %71s %71s", digest, pull->top) == 2)
		return !oci_digest_valid(pull->top) || take_manifest(pull, digest, err) != 0
			       ? -1
			       : ask_for_layers(pull, err);
	if (strncmp(line, "blob ", 5) == 0)
		return take_blob(pull, line + 5, err);
	if (strcmp(line, "done") == 0 && pull->config)
		return 1;
	return pull->oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
				     "coxswain-oci-fetch says \"%.100s\"", line);
}

static int run_pull(struct pull *pull, const struct cox_registry_auth *auth, char *ref,
		    struct cox_error *err)
{
	struct oci *oci = pull->oci;
	cox_autofree char *tag = NULL, *name = NULL;
	const char *tags[1];
	char id[OCI_DIGEST_SIZE];
	int step = 0;

	tell(pull, COX_PULL_RESOLVING, 0, "", 0, 0);
	if (start_fetch(pull, auth, err) != 0)
		return -1;
	while (step == 0) {
		cox_autofree char *line = next_line(pull, err);

		step = line ? take_line(pull, line, err) : -1;
	}
	if (step < 0)
		return -1;
	tag = oci_format("%s/%s:%s", pull->ref.registry, pull->ref.repository, pull->ref.tag);
	name = oci_format("%s/%s@%s", pull->ref.registry, pull->ref.repository, pull->top);
	tags[0] = tag;
	/* With a digest the tag is only what the user wrote beside it. */
	if (oci_add_image(oci, pull->config, pull->config_size, tags, *pull->ref.digest ? 0 : 1,
			  name, id, err) != 0)
		return -1;
	if (ref)
		snprintf(ref, COX_IMAGE_REF_SIZE, "%s", name);
	tell(pull, COX_PULL_DONE, (uint32_t)pull->layers.count, id, 0, 0);
	return 0;
}

int oci_image_pull(void *self, const struct cox_call *call, const char *image,
		   const struct cox_registry_auth *auth, const struct cox_progress_sink *sink,
		   char *ref, struct cox_error *err)
{
	struct oci *oci = self;
	struct pull pull = {
		.oci = oci, .call = call, .sink = sink, .pidfd = -1, .in = -1, .out = -1};
	uint64_t random;
	int result;

	if (oci_parse_reference(oci, image, &pull.ref, err) != 0)
		return -1;
	oci->host->random(&random, sizeof(random));
	pull.work = oci_format("%s/tmp/pull-%016" PRIx64, oci->root, random);
	pull.end = oci->host->monotonic_ns() + oci_timeout(oci, call, PULL_TIMEOUT);
	oci_enter_store(oci);
	result = run_pull(&pull, auth, ref, err);
	oci_leave_store(oci);
	if (pull.pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, pull.pidfd, SIGKILL, NULL, 0);
		(void)oci_exit_code(pull.pidfd);
	}
	cox_cleanup_close(&pull.pidfd);
	cox_cleanup_close(&pull.in);
	cox_cleanup_close(&pull.out);
	oci_remove_tree(pull.work);
	oci_free_list(&pull.layers);
	cox_buf_free(&pull.lines);
	free(pull.config);
	free(pull.work);
	return result;
}
