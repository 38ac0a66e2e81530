/* SPDX-License-Identifier: Apache-2.0 */
/* Name servers of pods: the cluster's, the machine's, or their own. */
#include "kubelet/sandbox.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 32, LINE_SIZE = 4096 };

struct words {
	const char *items[WORDS_MAX];
	size_t count;
};

struct dns {
	struct words servers, searches, options;
};

static void add(struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++)
		if (!strcmp(words->items[i], word))
			return;
	if (words->count < WORDS_MAX)
		words->items[words->count++] = word;
}

static void read_line(struct dns *dns, struct arena *arena, char *line)
{
	char *at = line, *word, *key = NULL;

	line[strcspn(line, "#;\n")] = '\0';
	while ((word = strsep(&at, " \t"))) {
		if (!*word)
			continue;
		if (!key) {
			key = word;
			if (!strcmp(key, "search"))
				dns->searches.count = 0; /* the last line counts */
			continue;
		}
		word = arena_strdup(arena, word);
		if (!strcmp(key, "nameserver"))
			add(&dns->servers, word);
		else if (!strcmp(key, "search"))
			add(&dns->searches, word);
		else if (!strcmp(key, "options"))
			add(&dns->options, word);
	}
}

static void read_host(struct dns *dns, struct arena *arena, const char *path)
{
	cox_autofclose FILE *file = *path ? fopen(path, "re") : NULL;
	char line[LINE_SIZE];

	while (file && fgets(line, sizeof(line), file))
		read_line(dns, arena, line);
}

/* The cluster's servers and domains before the machine's own domains. */
static void use_cluster(struct kubelet *kubelet, const char *namespace, struct dns *dns,
			struct arena *arena)
{
	const char *domain = kubelet->config->cluster_domain;
	struct words host = dns->searches;

	memset(dns, 0, sizeof(*dns));
	for (size_t i = 0; i < kubelet->config->cluster_dns.count; i++)
		add(&dns->servers, kubelet->config->cluster_dns.items[i]);
	if (*domain) {
		add(&dns->searches, arena_printf(arena, "%s.svc.%s", namespace, domain));
		add(&dns->searches, arena_printf(arena, "svc.%s", domain));
		add(&dns->searches, domain);
	}
	for (size_t i = 0; i < host.count; i++)
		add(&dns->searches, host.items[i]);
	add(&dns->options, "ndots:5");
}

static void add_own(struct dns *dns, struct arena *arena, const struct value *config)
{
	const struct value *item;

	for (size_t i = 0; (item = value_at(value_get(config, "nameservers"), i)); i++)
		add(&dns->servers, value_text(item));
	for (size_t i = 0; (item = value_at(value_get(config, "searches"), i)); i++)
		add(&dns->searches, value_text(item));
	for (size_t i = 0; (item = value_at(value_get(config, "options"), i)); i++) {
		const char *name = value_get_text(item, "name");
		const char *value = value_get_text(item, "value");
		size_t size = strlen(name), at = 0;

		/* The same option of the pod's own counts. */
		while (at < dns->options.count &&
		       (strncmp(dns->options.items[at], name, size) ||
			(dns->options.items[at][size] && dns->options.items[at][size] != ':')))
			at++;
		if (at < dns->options.count)
			dns->options.items[at] = dns->options.items[--dns->options.count];
		add(&dns->options,
		    *value ? arena_printf(arena, "%s:%s", name, value) : arena_strdup(arena, name));
	}
}

static struct cox_strings keep(struct arena *arena, const struct words *words)
{
	const char **items = arena_alloc(arena, (words->count + 1) * sizeof(*items));

	memcpy(items, words->items, words->count * sizeof(*items));
	return (struct cox_strings){items, words->count};
}

void dns_configure(struct kubelet *kubelet, const struct cox_object *object, struct arena *arena,
		   struct cox_sandbox_config *config)
{
	const struct value *spec = object_path(object_root(object), "spec");
	const char *policy = value_get_text(spec, "dnsPolicy");
	bool cluster = !strcmp(policy, "ClusterFirstWithHostNet") ||
		       ((!*policy || !strcmp(policy, "ClusterFirst")) &&
			!value_get_bool(spec, "hostNetwork"));
	struct dns dns = {0};

	if (strcmp(policy, "None") != 0)
		read_host(&dns, arena, kubelet->config->resolv_conf);
	if (cluster && kubelet->config->cluster_dns.count)
		use_cluster(kubelet, object_namespace(object), &dns, arena);
	add_own(&dns, arena, value_get(spec, "dnsConfig"));
	config->dns_servers = keep(arena, &dns.servers);
	config->dns_searches = keep(arena, &dns.searches);
	config->dns_options = keep(arena, &dns.options);
}
