/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges the descriptor of a shared object, in an order in which nothing is
 * read that has not been vouched for: magic and ABI lie in the same place for
 * ever, the struct's size says how much else there is. The plugin's own structs
 * are never used after this: the host works with copies.
 */
#include "host/internal.h"

#include <coxswain/kit/alloc.h>
#include <string.h>

/* The structs as the first release of ABI 1 had them. */
enum {
	FIRST_PLUGIN_SIZE = offsetof(struct cox_plugin, dump) + sizeof(void (*)(void)),
	FIRST_OPTION_SIZE = offsetof(struct cox_option, flags) + sizeof(uint32_t),
	OPTION_SIZE_MAX = 1024
};

static int refuse(struct cox_error *err, const struct library *library, const char *format, ...)
	COX_PRINTF(3, 4);

static int refuse(struct cox_error *err, const struct library *library, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_vset(err, COX_REASON_INVALID, format, args);
	va_end(args);
	return error_wrap(err, "%s", library->path);
}

static const char *text_or(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static int check_frame(const struct library *library, const char *program, struct cox_plugin *copy,
		       struct cox_error *err)
{
	const struct cox_plugin *raw = library->raw;

	if (raw->magic != COX_PLUGIN_MAGIC)
		return refuse(err, library,
			      "not a Coxswain plugin (magic 0x%08x, 0x%08x needed); build it with "
			      "the headers of <coxswain/>",
			      raw->magic, COX_PLUGIN_MAGIC);
	if (raw->abi != COX_PLUGIN_ABI)
		return refuse(err, library,
			      "plugin ABI %u, this %s speaks %u; rebuild the plugin or upgrade %s",
			      raw->abi, program, COX_PLUGIN_ABI, program);
	if (raw->struct_size < FIRST_PLUGIN_SIZE)
		return refuse(err, library,
			      "descriptor of %u bytes, at least %u needed; rebuild "
			      "the plugin",
			      raw->struct_size, (unsigned)FIRST_PLUGIN_SIZE);
	if (raw->host_size > sizeof(struct cox_host))
		return refuse(err, library, "needs a newer %s (host table %u bytes, have %zu)",
			      program, raw->host_size, sizeof(struct cox_host));
	memset(copy, 0, sizeof(*copy));
	memcpy(copy, raw, raw->struct_size < sizeof(*copy) ? raw->struct_size : sizeof(*copy));
	return 0;
}

static int check_identity(const struct library *library, const struct cox_plugin *plugin,
			  const char *kind, const char *name, struct cox_error *err)
{
	if (!plugin->kind || !host_kind_find(plugin->kind))
		return refuse(err, library, "is of the unknown kind \"%s\"; known are %s",
			      text_or(plugin->kind, ""), host_kind_names());
	if (kind && strcmp(plugin->kind, kind) != 0)
		return refuse(err, library, "is of the kind %s, %s is needed", plugin->kind, kind);
	if (!plugin->name || !host_name_valid(plugin->name))
		return refuse(err, library, "calls itself \"%s\", which is no plugin name",
			      text_or(plugin->name, ""));
	if (name && strcmp(plugin->name, name) != 0)
		return refuse(
			err, library,
			"calls itself \"%s\", \"%s\" is needed; name the file after the plugin",
			plugin->name, name);
	return 0;
}

static int check_ops(const struct library *library, const struct cox_plugin *plugin,
		     const char *program, const struct host_kind *kind, struct cox_error *err)
{
	if (plugin->ops_abi != kind->ops_abi)
		return refuse(err, library,
			      "%s operations ABI %u, this %s speaks %u; rebuild the plugin or "
			      "upgrade %s",
			      kind->name, plugin->ops_abi, program, kind->ops_abi, program);
	if (kind->ops_abi == 0 && (!plugin->release || strcmp(plugin->release, COX_RELEASE) != 0))
		return refuse(err, library,
			      "built for release %s, this %s is %s; the %s operations are not "
			      "frozen yet, so rebuild the plugin",
			      text_or(plugin->release, "unknown"), program, COX_RELEASE,
			      kind->name);
	if (!plugin->ops)
		return refuse(err, library, "%s plugin has no table of operations", kind->name);
	if (!plugin->ops_size || plugin->ops_size % sizeof(void *) != 0 ||
	    plugin->ops_size > HOST_OPS_SIZE_MAX)
		return refuse(err, library,
			      "%s operations table of %u bytes; it must be a multiple of %zu, at "
			      "most %u",
			      kind->name, plugin->ops_size, sizeof(void *),
			      (unsigned)HOST_OPS_SIZE_MAX);
	for (size_t i = 0; i < kind->op_count; i++) {
		const struct host_op *op = &kind->ops[i];
		void (*function)(void) = NULL;

		if (op->offset + sizeof(function) <= plugin->ops_size)
			memcpy(&function, (const char *)plugin->ops + op->offset, sizeof(function));
		if (op->required && !function)
			return refuse(err, library, "%s plugin lacks the required \"%s\" operation",
				      kind->name, op->name);
	}
	if (!plugin->create)
		return refuse(err, library, "%s plugin lacks the required \"create\" function",
			      kind->name);
	return 0;
}

static int check_threads_and_flags(const struct library *library, const struct cox_plugin *plugin,
				   const char *program, struct cox_error *err)
{
	if (plugin->thread_model < COX_THREADS_SERIAL ||
	    plugin->thread_model > COX_THREADS_PARALLEL)
		return refuse(err, library,
			      "thread model %u; known are 1 (serial), 2 (per instance) and 3 "
			      "(parallel)",
			      plugin->thread_model);
	if (plugin->flags & ~(COX_EXCLUSIVE | COX_FAST))
		return refuse(err, library,
			      "plugin flags 0x%x are not known to this %s; upgrade %s",
			      plugin->flags & ~(COX_EXCLUSIVE | COX_FAST), program, program);
	return 0;
}

static bool option_name_valid(const char *name)
{
	size_t size = strlen(name);

	if (!size || size > 63 || name[0] == '-' || name[size - 1] == '-' || strstr(name, "--"))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

static int check_option(const struct library *library, const struct cox_option *options,
			size_t index, struct cox_error *err)
{
	const struct cox_option *option = &options[index];
	char *converted = NULL;

	if (!option_name_valid(option->name))
		return refuse(err, library,
			      "option \"%s\": a name is lower-case words joined by '-'",
			      option->name);
	if (option->type < COX_OPT_STRING || option->type > COX_OPT_DOCUMENT)
		return refuse(err, library, "option \"%s\" is of the unknown type %u", option->name,
			      option->type);
	if (option->flags & ~(COX_OPTION_REQUIRED | COX_OPTION_SECRET))
		return refuse(err, library, "option \"%s\" has the unknown flags 0x%x",
			      option->name, option->flags);
	if (!option->help || !option->help[0])
		return refuse(err, library, "option \"%s\" has no help text", option->name);
	for (size_t i = 0; i < index; i++)
		if (strcmp(options[i].name, option->name) == 0)
			return refuse(err, library, "option \"%s\" is listed twice", option->name);
	if (option->fallback && option->flags & COX_OPTION_REQUIRED)
		return refuse(err, library, "option \"%s\" is required and has a default",
			      option->name);
	if (option->fallback && options_convert(option, option->fallback, &converted, err) < 0)
		return error_wrap(err, "%s: default of", library->path);
	free(converted);
	return 0;
}

/* Copies the options, whatever their stride, into an array of ours. */
static int copy_options(struct library *library, const struct cox_plugin *plugin,
			struct cox_error *err)
{
	size_t stride = plugin->option_size;
	size_t copied = stride < sizeof(struct cox_option) ? stride : sizeof(struct cox_option);
	COX_VEC(struct cox_option) options = {0};

	if (!plugin->options)
		return 0;
	if (stride < FIRST_OPTION_SIZE || stride > OPTION_SIZE_MAX || stride % sizeof(void *) != 0)
		return refuse(err, library,
			      "options of %zu bytes each, at least %u needed; "
			      "rebuild the plugin",
			      stride, (unsigned)FIRST_OPTION_SIZE);
	for (const char *at = (const char *)plugin->options;; at += stride) {
		struct cox_option option = {0};

		memcpy(&option, at, copied);
		if (!option.name)
			break;
		if (options.count == HOST_OPTIONS_MAX) {
			cox_vec_free(&options);
			return refuse(err, library,
				      "more than %u options; end the list with an empty entry",
				      (unsigned)HOST_OPTIONS_MAX);
		}
		cox_vec_push(&options, option);
		if (check_option(library, options.items, options.count - 1, err) < 0) {
			cox_vec_free(&options);
			return -1;
		}
	}
	library->options = options.items;
	library->option_count = options.count;
	return 0;
}

int descriptor_check(struct library *library, const char *program, const char *kind,
		     const char *name, struct cox_error *err)
{
	const struct host_kind *known;
	struct cox_plugin plugin;

	if (library->checked)
		return check_identity(library, &library->plugin, kind, name, err);
	if (check_frame(library, program, &plugin, err) < 0 ||
	    check_identity(library, &plugin, kind, name, err) < 0)
		return -1;
	known = host_kind_find(plugin.kind);
	if (check_ops(library, &plugin, program, known, err) < 0 ||
	    check_threads_and_flags(library, &plugin, program, err) < 0 ||
	    copy_options(library, &plugin, err) < 0)
		return -1;
	library->plugin = plugin;
	library->plugin.options = library->options;
	library->kind = known;
	library->checked = true;
	return 0;
}
