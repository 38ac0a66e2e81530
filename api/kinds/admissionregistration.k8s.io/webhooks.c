/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: where they are, what they are asked about, and for how long one waits. */
#include "admission.h"

#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

enum { SECONDS_MAX = 30, CONDITIONS_MAX = 64 };

static void validate_list(struct validation *v, const struct field_path *at,
			  const struct value *list, const char *others)
{
	if (is_unset(list))
		field_required(v, at, "");
	else if (list->count > 1 && list_has_text(list, "*"))
		field_invalid(v, at, list, "if '*' is present, must not specify other %s", others);
}

/* "pods", "pods/log", with * for the one or the other: all of it leaves nothing to add. */
static void validate_resources_of(struct validation *v, const struct field_path *at,
				  const struct value *resources)
{
	struct cox_map whole = COX_MAP_INIT; /* those of which every subresource is meant */

	if (is_unset(resources))
		field_required(v, at, "");
	for
		each_entry(resources, i)
		{
			const char *text = value_text(value_at(resources, i));
			const char *slash = strchr(text, '/');
			size_t size = slash ? (size_t)(slash - text) : strlen(text);

			if (*text == '\0')
				field_required(v, FIELD_INDEX(at, i), "");
			else if (slash && cox_map_get(&whole, text, size) &&
				 strcmp(slash, "/*") != 0)
				field_invalid(v, FIELD_INDEX(at, i), value_at(resources, i),
					      "if '%.*s/*' is present, must not specify %s",
					      (int)size, text, text);
			if (slash && strcmp(slash, "/*") == 0)
				cox_map_put(&whole, text, size, &whole);
		}
	cox_map_free(&whole);
	if (value_is(resources, VALUE_ARRAY) && resources->count > 1 &&
	    list_has_text(resources, "*/*"))
		field_invalid(v, at, resources,
			      "if '*/*' is present, must not specify other resources");
}

void validate_admission_rule(struct validation *v, const struct field_path *at,
			     const struct value *rule)
{
	const struct value *versions = value_get(rule, "apiVersions");

	validate_list(v, FIELD(at, "operations"), value_get(rule, "operations"), "operations");
	validate_list(v, FIELD(at, "apiGroups"), value_get(rule, "apiGroups"), "API groups");
	validate_list(v, FIELD(at, "apiVersions"), versions, "API versions");
	for
		each_entry(versions, i)
		{
			if (is_unset(value_at(versions, i)))
				field_required(v, FIELD_INDEX(FIELD(at, "apiVersions"), i), "");
		}
	validate_resources_of(v, FIELD(at, "resources"), value_get(rule, "resources"));
}

void validate_match_conditions(struct validation *v, const struct field_path *at,
			       const struct value *conditions)
{
	struct cox_map seen = COX_MAP_INIT;

	if (value_is(conditions, VALUE_ARRAY) && conditions->count > CONDITIONS_MAX)
		field_too_many(v, at, conditions->count, CONDITIONS_MAX);
	for
		each_entry(conditions, i)
		{
			const struct value *one = value_at(conditions, i);
			const struct value *name = value_get(one, "name");
			const struct field_path *here = FIELD_INDEX(at, i);

			if (is_unset(value_get(one, "expression")))
				field_required(v, FIELD(here, "expression"), "");
			if (is_unset(name)) {
				field_required(v, FIELD(here, "name"), "");
				continue;
			}
			validate_text(v, FIELD(here, "name"), name, names_qualified);
			if (cox_map_put(&seen, name->text, name->count, &seen))
				field_duplicate(v, FIELD(here, "name"), name);
		}
	cox_map_free(&seen);
}

void validate_webhook_url(struct validation *v, const struct field_path *at,
			  const struct value *url)
{
	static const char form[] = "desired format: https://host[:port]/path";
	const char *text = value_text(url), *host;

	if (!cox_starts_with(text, "https://")) {
		field_invalid(v, at, url, "'https' is the only allowed URL scheme; %s", form);
		return;
	}
	host = text + strlen("https://");
	if (strcspn(host, "/?#") == 0)
		field_invalid(v, at, url, "host must be specified; %s", form);
	if (memchr(host, '@', strcspn(host, "/?#")))
		field_invalid(v, at, url, "user information is not permitted in the URL");
	if (strchr(text, '#'))
		field_invalid(v, at, url, "fragments are not permitted in the URL");
	if (strchr(text, '?'))
		field_invalid(v, at, url, "query parameters are not permitted in the URL");
}

static void validate_service(struct validation *v, const struct field_path *at,
			     const struct value *service)
{
	const struct value *path = value_get(service, "path");
	const struct value *port = value_get(service, "port");

	if (is_unset(value_get(service, "name")))
		field_required(v, FIELD(at, "name"), "service name is required");
	if (is_unset(value_get(service, "namespace")))
		field_required(v, FIELD(at, "namespace"), "service namespace is required");
	if (port && (port->integer < 1 || port->integer > 65535))
		field_invalid(v, FIELD(at, "port"), port,
			      "port is not valid: must be between 1 and 65535, inclusive");
	if (!path || value_string_is(path, "/"))
		return;
	if (value_text(path)[0] != '/')
		field_invalid(v, FIELD(at, "path"), path, "must start with a '/'");
	else if (strstr(value_text(path), "//"))
		field_invalid(v, FIELD(at, "path"), path, "segment[%d] may not be empty", 0);
}

void validate_webhook_client(struct validation *v, const struct field_path *at,
			     const struct value *client)
{
	const struct value *url = value_get(client, "url");
	const struct value *service = value_get(client, "service");

	if (!url == !service)
		field_required(v, at, "exactly one of url or service is required");
	else if (url)
		validate_webhook_url(v, FIELD(at, "url"), url);
	else
		validate_service(v, FIELD(at, "service"), service);
}

static void validate_review_versions(struct validation *v, const struct field_path *at,
				     const struct value *versions)
{
	struct cox_map seen = COX_MAP_INIT;

	if (is_unset(versions))
		field_required(v, at, "must specify one of v1, v1beta1");
	else if (!list_has_text(versions, "v1") && !list_has_text(versions, "v1beta1"))
		field_invalid(v, at, versions, "must include at least one of v1, v1beta1");
	for
		each_entry(versions, i)
		{
			const struct value *one = value_at(versions, i);

			if (cox_map_put(&seen, value_text(one), one->count, &seen))
				field_invalid(v, FIELD_INDEX(at, i), one, "duplicate version");
			validate_text(v, FIELD_INDEX(at, i), one, names_service);
		}
	cox_map_free(&seen);
}

/* A name of three labels or more, so that nobody takes another's. */
static void validate_hook_name(struct validation *v, const struct field_path *at,
			       const struct value *name)
{
	unsigned dots = 0;

	if (is_unset(name)) {
		field_required(v, at, "");
		return;
	}
	validate_text(v, at, name, names_dns_subdomain);
	for (const char *c = name->text; *c; c++)
		dots += *c == '.';
	if (dots < 2)
		field_invalid(v, at, name,
			      "should be a domain with at least three segments separated by dots");
}

static void validate_hook(struct validation *v, const struct field_path *at,
			  const struct value *hook)
{
	static const char *const quiet[] = {"None", "NoneOnDryRun", NULL};
	const struct value *effects = value_get(hook, "sideEffects");
	const struct value *seconds = value_get(hook, "timeoutSeconds");
	const struct value *rules = value_get(hook, "rules");

	validate_hook_name(v, FIELD(at, "name"), value_get(hook, "name"));
	for
		each_entry(rules, i) validate_admission_rule(v, FIELD_INDEX(FIELD(at, "rules"), i),
							     value_at(rules, i));
	if (!effects)
		field_required(v, FIELD(at, "sideEffects"),
			       "must specify one of None, NoneOnDryRun");
	else if (!value_string_is(effects, quiet[0]) && !value_string_is(effects, quiet[1]))
		field_not_supported(v, FIELD(at, "sideEffects"), effects, quiet);
	if (seconds && (seconds->integer < 1 || seconds->integer > SECONDS_MAX))
		field_invalid(v, FIELD(at, "timeoutSeconds"), seconds,
			      "the timeout value must be between 1 and %d seconds", SECONDS_MAX);
	validate_label_selector(v, FIELD(at, "namespaceSelector"),
				value_get(hook, "namespaceSelector"));
	validate_label_selector(v, FIELD(at, "objectSelector"), value_get(hook, "objectSelector"));
	validate_webhook_client(v, FIELD(at, "clientConfig"), value_get(hook, "clientConfig"));
	validate_review_versions(v, FIELD(at, "admissionReviewVersions"),
				 value_get(hook, "admissionReviewVersions"));
	validate_match_conditions(v, FIELD(at, "matchConditions"),
				  value_get(hook, "matchConditions"));
}

static void validate_hooks(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "webhooks");
	const struct value *hooks = value_get(object, "webhooks");
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(hooks, i)
		{
			const struct value *name = value_get(value_at(hooks, i), "name");

			validate_hook(v, FIELD_INDEX(at, i), value_at(hooks, i));
			if (!is_unset(name) && cox_map_put(&seen, name->text, name->count, &seen))
				field_duplicate(v, FIELD(FIELD_INDEX(at, i), "name"), name);
		}
	cox_map_free(&seen);
}

const struct kind_rules rules_mutatingwebhookconfigurations = {
	"admissionregistration.k8s.io", "mutatingwebhookconfigurations", validate_hooks, NULL};
const struct kind_rules rules_validatingwebhookconfigurations = {
	"admissionregistration.k8s.io", "validatingwebhookconfigurations", validate_hooks, NULL};
