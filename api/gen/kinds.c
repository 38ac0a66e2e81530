/* SPDX-License-Identifier: Apache-2.0 */
/* api/kinds: groups and resources. */
#include "gen.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <string.h>

static const char *const verbs[] = {"create", "delete", "deletecollection", "get",
				    "list",   "patch",	"update",	    "watch"};

static uint32_t verbs_read(struct source *source, yaml_node_t *node)
{
	uint32_t bits = 0;

	if (node->type == YAML_SCALAR_NODE) {
		if (strcmp(source_text(source, node), "all") != 0)
			source_fail(source, node, "verbs are \"all\" or a sequence");
		return (1u << (sizeof(verbs) / sizeof(*verbs))) - 1;
	}
	for (size_t i = 0; i < source_count(source, node); i++) {
		yaml_node_t *item = source_item(source, node, i);
		size_t at = 0;

		while (at < sizeof(verbs) / sizeof(*verbs) &&
		       strcmp(verbs[at], source_text(source, item)) != 0)
			at++;
		if (at == sizeof(verbs) / sizeof(*verbs))
			source_fail(source, item, "unknown verb \"%s\"", source_text(source, item));
		bits |= 1u << at;
	}
	return bits;
}

void groups_build(struct gen *gen, struct source *source)
{
	static const char *const allowed[] = {"name", "versions", NULL};
	yaml_node_t *groups = source_need(source, source->root, "groups");

	for (size_t i = 0; i < source_count(source, groups); i++) {
		yaml_node_t *group = source_item(source, groups, i);
		yaml_node_t *list;

		source_keys(source, group, allowed);
		list = source_need(source, group, "versions");
		cox_vec_push(&gen->groups,
			     (struct schema_group){
				     .name = pool_text(
					     gen, source_text(source,
							      source_need(source, group, "name"))),
				     .versions = pool_sequence(gen, source, list)});
	}
}

/* "core/v1/events": the resource whose form is stored. */
static void stored_read(struct gen *gen, struct source *source, yaml_node_t *node,
			struct schema_resource *resource)
{
	const char *text = source_text(source, node);
	const char *version = strchr(text, '/');
	const char *name = version ? strchr(version + 1, '/') : NULL;

	if (!name)
		source_fail(source, node, "\"%s\" is not GROUP/VERSION/RESOURCE", text);
	cox_autofree char *group = cox_strndup(text, (size_t)(version - text));
	cox_autofree char *middle = cox_strndup(version + 1, (size_t)(name - version - 1));

	resource->storage_group = pool_text(gen, strcmp(group, "core") == 0 ? "" : group);
	resource->storage_version = pool_text(gen, middle);
	resource->storage_resource = pool_text(gen, name + 1);
}

/* "Pod" of the resource's own group and version, or "policy/v1/Eviction". */
static void subresource_kind(struct gen *gen, struct source *source, yaml_node_t *node,
			     const struct schema_resource *resource, struct schema_subresource *sub)
{
	const char *text = source_text(source, node);
	const char *version = strchr(text, '/');
	const char *kind = version ? strchr(version + 1, '/') : NULL;

	sub->group = resource->group;
	sub->version = resource->version;
	if (!version) {
		sub->kind = pool_text(gen, text);
	} else if (!kind) {
		source_fail(source, node, "\"%s\" is not [GROUP/VERSION/]KIND", text);
	} else {
		cox_autofree char *group = cox_strndup(text, (size_t)(version - text));
		cox_autofree char *middle = cox_strndup(version + 1, (size_t)(kind - version - 1));

		sub->group = pool_text(gen, strcmp(group, "core") == 0 ? "" : group);
		sub->version = pool_text(gen, middle);
		sub->kind = pool_text(gen, kind + 1);
	}
	sub->type = types_of_kind(gen, pool_get(gen, sub->group), pool_get(gen, sub->version),
				  pool_get(gen, sub->kind));
	if (!sub->type)
		source_fail(source, node, "there is no type for %s", text);
}

static void subresources_read(struct gen *gen, struct source *source,
			      struct schema_resource *resource)
{
	static const char *const allowed[] = {"kind", "verbs", NULL};
	yaml_node_t *list = source_get(source, source->root, "subresources");
	size_t count = source_pairs(source, list);

	source_keys(source, list, NULL);
	resource->subresources = (uint32_t)gen->subresources.count;
	resource->subresource_count = (uint16_t)count;
	for (size_t i = 0; i < count; i++) {
		struct schema_subresource sub = {0};
		yaml_node_t *body;
		const char *name = source_text(source, source_pair(source, list, i, &body));

		source_keys(source, body, allowed);
		sub.name = pool_text(gen, name);
		sub.verbs = verbs_read(source, source_need(source, body, "verbs"));
		subresource_kind(gen, source, source_need(source, body, "kind"), resource, &sub);
		if (strcmp(name, "status") == 0)
			resource->flags |= SCHEMA_HAS_STATUS;
		cox_vec_push(&gen->subresources, sub);
	}
}

static void columns_read(struct gen *gen, struct source *source, struct schema_resource *resource)
{
	static const char *const allowed[] = {"name", "type", "format", "priority", "about", NULL};
	yaml_node_t *list = source_get(source, source->root, "columns");
	size_t count = source_count(source, list);

	resource->columns = (uint32_t)gen->columns.count;
	resource->column_count = (uint16_t)count;
	for (size_t i = 0; i < count; i++) {
		yaml_node_t *body = source_item(source, list, i);
		struct schema_column column = {0};
		const char *format, *about;

		source_keys(source, body, allowed);
		format = source_get_text(source, body, "format");
		about = source_get_text(source, body, "about");
		column.name =
			pool_text(gen, source_text(source, source_need(source, body, "name")));
		column.type =
			pool_text(gen, source_text(source, source_need(source, body, "type")));
		column.format = pool_text(gen, format ? format : "");
		column.description = pool_text(gen, about ? about : "");
		(void)source_get_number(source, body, "priority", &column.priority);
		cox_vec_push(&gen->columns, column);
	}
}

static void labels_read(struct gen *gen, struct source *source, struct schema_resource *resource)
{
	static const char *const allowed[] = {"is",	  "from",    "boolean", "number",
					      "accepted", "matched", NULL};
	yaml_node_t *list = source_get(source, source->root, "labels");
	size_t count = source_pairs(source, list);

	source_keys(source, list, NULL);
	resource->labels = (uint32_t)gen->labels.count;
	resource->label_count = (uint16_t)count;
	for (size_t i = 0; i < count; i++) {
		struct schema_label label = {0};
		yaml_node_t *body, *from;
		const char *name = source_text(source, source_pair(source, list, i, &body));
		const char *is;

		source_keys(source, body, allowed);
		is = source_get_text(source, body, "is");
		from = source_get(source, body, "from");
		label.name = pool_text(gen, name);
		label.maps_to = pool_text(gen, is ? is : name);
		label.values =
			from ? pool_sequence(gen, source, from) : pool_list(gen, &label.name, 1);
		if (source_get_bool(source, body, "accepted", true))
			label.flags |= SCHEMA_LABEL_ACCEPTED;
		if (source_get_bool(source, body, "matched", true))
			label.flags |= SCHEMA_LABEL_MATCHED;
		if (source_get_bool(source, body, "boolean", false))
			label.flags |= SCHEMA_LABEL_BOOLEAN;
		if (source_get_bool(source, body, "number", false))
			label.flags |= SCHEMA_LABEL_NUMBER;
		cox_vec_push(&gen->labels, label);
	}
}

static void strategy_read(struct source *source, struct schema_resource *resource)
{
	static const char *const names[] = {"createOnUpdate", "unconditionalUpdate", "generation",
					    "statusDropped"};
	static const uint16_t bits[] = {SCHEMA_CREATE_ON_UPDATE, SCHEMA_UNCONDITIONAL_UPDATE,
					SCHEMA_GENERATION, SCHEMA_STATUS_DROPPED};
	yaml_node_t *list = source_get(source, source->root, "strategy");

	for (size_t i = 0; i < source_count(source, list); i++) {
		yaml_node_t *item = source_item(source, list, i);
		size_t at = 0;

		while (at < 4 && strcmp(names[at], source_text(source, item)) != 0)
			at++;
		if (at == 4)
			source_fail(source, item, "unknown strategy \"%s\"",
				    source_text(source, item));
		resource->flags |= bits[at];
	}
}

static uint32_t conversion_read(struct gen *gen, struct source *source)
{
	COX_VEC(uint32_t) pairs = {0};
	yaml_node_t *list = source_get(source, source->root, "convert");
	uint32_t result;

	source_keys(source, list, NULL);
	for (size_t i = 0; i < source_pairs(source, list); i++) {
		cox_autobuf pair = COX_BUF_INIT;
		yaml_node_t *stored;
		yaml_node_t *name = source_pair(source, list, i, &stored);

		cox_buf_printf(&pair, "%s=%s", source_text(source, name),
			       source_text(source, stored));
		cox_vec_push(&pairs, pool_text(gen, pair.data));
	}
	result = pool_list(gen, pairs.items, pairs.count);
	cox_vec_free(&pairs);
	return result;
}

static uint32_t need_text(struct gen *gen, struct source *source, const char *key)
{
	return pool_text(gen, source_text(source, source_need(source, source->root, key)));
}

static void storage_read(struct gen *gen, struct source *source, struct schema_resource *resource)
{
	yaml_node_t *root = source->root;
	cox_autobuf prefix = COX_BUF_INIT;

	if (source_get_bool(source, root, "virtual", false)) {
		resource->flags |= SCHEMA_VIRTUAL;
		return;
	}
	stored_read(gen, source, source_need(source, root, "stored"), resource);
	cox_buf_printf(&prefix, "/registry/%s/",
		       source_text(source, source_need(source, root, "key")));
	resource->prefix = pool_text(gen, prefix.data);
	resource->storage_hash = need_text(gen, source, "hash");
	resource->conversion = conversion_read(gen, source);
}

static void version_build(struct gen *gen, struct source *source, yaml_node_t *version)
{
	struct schema_resource resource = {0};
	yaml_node_t *root = source->root, *scope;
	cox_autobuf list_kind = COX_BUF_INIT;
	const char *about = source_get_text(source, root, "about");
	const char *deprecated = source_get_text(source, root, "deprecated");
	const char *name_format;

	resource.group = need_text(gen, source, "group");
	resource.version = pool_text(gen, source_text(source, version));
	resource.name = need_text(gen, source, "resource");
	resource.kind = need_text(gen, source, "kind");
	resource.singular = need_text(gen, source, "singular");
	resource.description = pool_text(gen, about ? about : "");
	name_format = source_get_text(source, root, "name");
	resource.name_format = pool_text(gen, name_format ? name_format : "");
	resource.deprecated = pool_text(gen, deprecated ? deprecated : "");
	cox_buf_printf(&list_kind, "%sList", pool_get(gen, resource.kind));
	resource.list_kind = pool_text(gen, list_kind.data);
	resource.type =
		types_of_kind(gen, pool_get(gen, resource.group), pool_get(gen, resource.version),
			      pool_get(gen, resource.kind));
	if (!resource.type)
		source_fail(source, version, "there is no type for this kind in version %s",
			    pool_get(gen, resource.version));
	scope = source_need(source, root, "scope");
	if (strcmp(source_text(source, scope), "namespace") == 0)
		resource.flags |= SCHEMA_NAMESPACED;
	else if (strcmp(source_text(source, scope), "cluster") != 0)
		source_fail(source, scope, "scope is namespace or cluster");
	resource.short_names = pool_sequence(gen, source, source_get(source, root, "short"));
	resource.categories = pool_sequence(gen, source, source_get(source, root, "categories"));
	resource.verbs = verbs_read(source, source_need(source, root, "verbs"));
	storage_read(gen, source, &resource);
	strategy_read(source, &resource);
	subresources_read(gen, source, &resource);
	columns_read(gen, source, &resource);
	labels_read(gen, source, &resource);
	cox_vec_push(&gen->resources, resource);
}

void kinds_build(struct gen *gen, struct source *source)
{
	static const char *const allowed[] = {
		"about",   "group",	   "resource",	 "kind",       "singular", "versions",
		"virtual", "stored",	   "key",	 "hash",       "scope",	   "short",
		"verbs",   "name",	   "convert",	 "categories", "strategy", "columns",
		"labels",  "subresources", "deprecated", NULL};
	yaml_node_t *versions;

	source_keys(source, source->root, allowed);
	versions = source_need(source, source->root, "versions");
	for (size_t i = 0; i < source_count(source, versions); i++)
		version_build(gen, source, source_item(source, versions, i));
}

static const struct gen *sort_gen; /* for qsort, which hands no context through */

static size_t place(const struct schema_resource *resource)
{
	for (size_t group = 0; group < sort_gen->groups.count; group++) {
		const uint32_t *list =
			sort_gen->lists.items + sort_gen->groups.items[group].versions;

		if (sort_gen->groups.items[group].name != resource->group)
			continue;
		for (uint32_t version = 0; version < list[0]; version++) {
			if (list[version + 1] == resource->version)
				return group * 16 + version;
		}
	}
	fprintf(stderr, "api/kinds/groups.yaml: %s/%s is missing\n",
		pool_get(sort_gen, resource->group), pool_get(sort_gen, resource->version));
	exit(EXIT_FAILURE);
}

static int resource_compare(const void *left, const void *right)
{
	const struct schema_resource *a = left, *b = right;
	size_t first = place(a), second = place(b);

	if (first != second)
		return first < second ? -1 : 1;
	return strcmp(pool_get(sort_gen, a->name), pool_get(sort_gen, b->name));
}

void kinds_sort(struct gen *gen)
{
	sort_gen = gen;
	qsort(gen->resources.items, gen->resources.count, sizeof(*gen->resources.items),
	      resource_compare);
}
