/* SPDX-License-Identifier: Apache-2.0 */
/* --dump-plugin and --list-plugins: what is known of a plugin, as key=value lines. */
#include "host/internal.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

const char *host_thread_model_name(uint32_t model)
{
	switch (model) {
	case COX_THREADS_SERIAL:
		return "serial";
	case COX_THREADS_PER_INSTANCE:
		return "per_instance";
	case COX_THREADS_PARALLEL:
		return "parallel";
	default:
		return "unknown";
	}
}

static const char *const type_names[] = {
	[COX_OPT_STRING] = "string", [COX_OPT_BOOL] = "bool",	      [COX_OPT_INT] = "int",
	[COX_OPT_SIZE] = "size",     [COX_OPT_DURATION] = "duration", [COX_OPT_PATH] = "path",
	[COX_OPT_LIST] = "list",     [COX_OPT_DOCUMENT] = "document",
};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void put_origin(const struct library *library, struct cox_buf *out)
{
	cox_buf_printf(out, "path=%s\ninode=%lu\nbuild_id=%s\n", library->path,
		       (unsigned long)library->inode, library->build_id);
	if (!library->checked)
		return;
	cox_buf_printf(out, "kind=%s\nname=%s\nversion=%s\ndescription=%s\nthread_model=%s\n",
		       library->plugin.kind, library->plugin.name,
		       or_empty(library->plugin.version), or_empty(library->plugin.description),
		       host_thread_model_name(library->plugin.thread_model));
}

static void put_options(const struct library *library, struct cox_buf *out)
{
	for (size_t i = 0; i < library->option_count; i++) {
		const struct cox_option *option = &library->options[i];

		cox_buf_printf(out, "option_%s=%s%s%s\n", option->name, type_names[option->type],
			       option->flags & COX_OPTION_REQUIRED ? ",required" : "",
			       option->flags & COX_OPTION_SECRET ? ",secret" : "");
		if (option->fallback)
			cox_buf_printf(out, "option_%s_default=%s\n", option->name,
				       option->fallback);
		cox_buf_printf(out, "option_%s_help=%s\n", option->name, option->help);
	}
}

static void put_library(const struct library *library, struct cox_buf *out)
{
	const struct cox_plugin *plugin = &library->plugin;

	put_origin(library, out);
	cox_buf_printf(out,
		       "abi=%u\nstruct_size=%u\nhost_size=%u\nops_abi=%u\nops_size=%u\nrelease=%s\n"
		       "exclusive=%s\n",
		       plugin->abi, plugin->struct_size, plugin->host_size, plugin->ops_abi,
		       plugin->ops_size, or_empty(plugin->release),
		       plugin->flags & COX_EXCLUSIVE ? "true" : "false");
	put_options(library, out);
	for (size_t i = 0; i < library->kind->op_count; i++) {
		const struct host_op *op = &library->kind->ops[i];
		void (*function)(void) = NULL;

		if (op->offset + sizeof(function) <= plugin->ops_size)
			memcpy(&function, (const char *)plugin->ops + op->offset, sizeof(function));
		cox_buf_printf(out, "has_%s=%s\n", op->name, function ? "true" : "false");
	}
}

int host_dump(struct host *host, const char *what, struct cox_buf *out, struct cox_error *err)
{
	const char *slash = strchr(what, '/');
	struct cox_dump dump = {out};
	struct library *library;
	struct host_plugin *plugin;

	if (!slash)
		return error_set(err, COX_REASON_INVALID,
				 "--dump-plugin wants KIND/NAME or a path that begins with '/', "
				 "not \"%s\"",
				 what);
	if (slash == what) {
		library = loader_load(host, NULL, what, NULL, err);
	} else {
		cox_autofree char *kind = cox_strndup(what, (size_t)(slash - what));

		library = loader_load(host, kind, slash + 1, NULL, err);
	}
	if (!library)
		return -1;
	put_library(library, out);
	if (!library->plugin.dump)
		return 0;
	plugin = instance_create(host, library, err);
	if (!plugin)
		return -1;
	{
		host_call_scope(plugin);
		library->plugin.dump(plugin->self, &dump);
	}
	host_close(plugin);
	return 0;
}

void host_list(struct cox_buf *out)
{
	for (const struct library *library = registry_first(); library; library = library->next) {
		if (out->size)
			cox_buf_char(out, '\n');
		put_origin(library, out);
	}
}
