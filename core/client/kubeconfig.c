/* SPDX-License-Identifier: Apache-2.0 */
/* Reading kubeconfig files. */
#include "client/kubeconfig.h"

#include "machinery/yaml.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 20 };

static int read_file(const char *path, struct cox_buf *text, struct cox_error *err)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat state;
	ssize_t got;

	if (fd < 0 || fstat(fd, &state))
		return error_errno(err, errno, "%s", path);
	if (!S_ISREG(state.st_mode) || state.st_size > FILE_MAX)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "%s: a file of at most 1 MiB is needed", path);
	while ((got = read(fd, cox_buf_reserve(text, 4096), 4096)) > 0 && text->size <= FILE_MAX)
		cox_buf_added(text, (size_t)got);
	return got < 0 ? error_errno(err, errno, "%s", path) : 0;
}

/* The member `what` of the entry called `name` of the list `list`. */
static const struct value *named(const struct value *root, const char *list, const char *what,
				 const char *name)
{
	const struct value *entries = value_get(root, list), *entry;

	for (size_t i = 0; (entry = value_at(entries, i)); i++) {
		if (!strcmp(value_get_text(entry, "name"), name))
			return value_get(entry, what);
	}
	return NULL;
}

static const char *text_of(const struct value *from, const char *key)
{
	const char *text = value_get_text(from, key);

	return *text ? text : NULL;
}

/* A file name, made absolute by the kubeconfig's own directory. */
static const char *file_of(const struct value *from, const char *key, const char *path,
			   struct arena *arena)
{
	const char *name = text_of(from, key);
	const char *slash = strrchr(path, '/');

	if (!name || *name == '/' || !slash)
		return name;
	return arena_printf(arena, "%.*s/%s", (int)(slash - path), path, name);
}

/* Base64 of PEM text. */
static int data_of(const struct value *from, const char *key, struct arena *arena,
		   const char **data, struct cox_error *err)
{
	const char *text = text_of(from, key);
	size_t size = text ? strlen(text) : 0;
	int64_t decoded;
	char *room;

	if (!text)
		return 0;
	room = arena_alloc(arena, size + 1);
	decoded = cox_base64_decode(text, size, room);
	if (decoded < 0 || memchr(room, '\0', (size_t)decoded))
		return error_set(err, COX_REASON_BAD_REQUEST, "%s is not base64 of PEM text", key);
	room[decoded] = '\0';
	*data = room;
	return 0;
}

static int refuse(const struct value *from, const char *const *keys, const char *who,
		  struct cox_error *err)
{
	for (; *keys; keys++) {
		if (value_get(from, *keys))
			return error_set(err, COX_REASON_BAD_REQUEST, "%s: %s is not supported",
					 who, *keys);
	}
	return 0;
}

static int take_cluster(const struct value *cluster, const char *path, struct arena *arena,
			struct client_http_config *config, struct cox_error *err)
{
	static const char *const unsupported[] = {"proxy-url", NULL};

	config->server = text_of(cluster, "server");
	config->ca_file = file_of(cluster, "certificate-authority", path, arena);
	config->tls_server_name = text_of(cluster, "tls-server-name");
	config->insecure = value_get_bool(cluster, "insecure-skip-tls-verify");
	if (data_of(cluster, "certificate-authority-data", arena, &config->ca_data, err))
		return -1;
	if (config->insecure && (config->ca_file || config->ca_data))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "insecure-skip-tls-verify with a certificate authority: only "
				 "one of them makes sense");
	return refuse(cluster, unsupported, "cluster", err);
}

static int take_user(const struct value *user, const char *path, struct arena *arena,
		     struct client_http_config *config, struct cox_error *err)
{
	static const char *const unsupported[] = {"exec",      "auth-provider", "as", "as-uid",
						  "as-groups", "as-user-extra", NULL};

	config->certificate_file = file_of(user, "client-certificate", path, arena);
	config->key_file = file_of(user, "client-key", path, arena);
	config->token = text_of(user, "token");
	config->token_file = file_of(user, "tokenFile", path, arena);
	config->username = text_of(user, "username");
	config->password = text_of(user, "password");
	if (data_of(user, "client-certificate-data", arena, &config->certificate_data, err) ||
	    data_of(user, "client-key-data", arena, &config->key_data, err))
		return -1;
	return refuse(user, unsupported, "user", err);
}

static int take_context(const struct value *root, const char *name, const char *path,
			struct arena *arena, struct client_http_config *config,
			struct cox_error *err)
{
	const struct value *context, *cluster, *user;

	if (!name || !*name)
		name = value_get_text(root, "current-context");
	if (!*name)
		return error_set(err, COX_REASON_BAD_REQUEST, "no current-context is set");
	context = named(root, "contexts", "context", name);
	if (!context)
		return error_set(err, COX_REASON_BAD_REQUEST, "there is no context \"%s\"", name);
	cluster = named(root, "clusters", "cluster", value_get_text(context, "cluster"));
	if (!cluster)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "context \"%s\": there is no cluster \"%s\"", name,
				 value_get_text(context, "cluster"));
	user = named(root, "users", "user", value_get_text(context, "user"));
	if (!user && text_of(context, "user"))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "context \"%s\": there is no user \"%s\"", name,
				 value_get_text(context, "user"));
	config->namespace = text_of(context, "namespace");
	if (take_cluster(cluster, path, arena, config, err))
		return -1;
	return take_user(user, path, arena, config, err);
}

int kubeconfig_read(const char *path, const char *context, struct arena *arena,
		    struct client_http_config *config, struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;
	const struct value *root;

	if (read_file(path, &text, err))
		return -1;
	root = yaml_parse(arena, cox_buf_cstr(&text), text.size, NULL, err);
	if (!root || take_context(root, context, path, arena, config, err))
		return error_wrap(err, "%s", path);
	return 0;
}

int kubeconfig_for_daemon(const char *path, const char *master, struct arena *arena,
			  struct client_http_config *config, struct cox_error *err)
{
	if (path && *path && kubeconfig_read(path, NULL, arena, config, err))
		return -1;
	if (master && *master) {
		size_t size = strcspn(master, ",");

		while (size && master[size - 1] == '/')
			size--;
		config->server = arena_printf(
			arena, "%s%.*s", strstr(master, "://") ? "" : "http://", (int)size, master);
	}
	if (config->server)
		return 0;
	return error_set(err, COX_REASON_BAD_REQUEST,
			 "no API server is known: set --master (or --api-servers) or --kubeconfig");
}
