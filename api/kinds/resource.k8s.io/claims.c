/* SPDX-License-Identifier: Apache-2.0 */
/* Claims on devices, templates of them, and classes of devices. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

enum {
	REQUESTS_MAX = 32,
	ALTERNATIVES_MAX = 8,
	SELECTORS_MAX = 32,
	CONSTRAINTS_MAX = 32,
	CONFIGS_MAX = 32,
	TOLERATIONS_MAX = 16,
	RESERVED_MAX = 256,
	EXPRESSION_MAX = 10 * 1024
};

/* The names of requests, and "request/alternative", that other parts can name. */
struct requests {
	struct cox_map names;
};

static bool has_many(struct validation *v, const struct field_path *at, const struct value *list,
		     size_t most)
{
	if (!value_is(list, VALUE_ARRAY) || list->count <= most)
		return false;
	field_too_many(v, at, list->count, most);
	return true;
}

static void validate_selectors(struct validation *v, const struct field_path *at,
			       const struct value *selectors)
{
	if (has_many(v, at, selectors, SELECTORS_MAX))
		return;
	for
		each_entry(selectors, i)
		{
			const struct value *cel = value_get(value_at(selectors, i), "cel");
			const struct value *text = value_get(cel, "expression");
			const struct field_path *here = FIELD(FIELD_INDEX(at, i), "cel");

			if (!cel)
				field_required(v, here, "");
			else if (is_unset(text))
				field_required(v, FIELD(here, "expression"), "");
			else if (text->count > EXPRESSION_MAX)
				field_too_long(v, FIELD(here, "expression"), EXPRESSION_MAX);
		}
}

static void validate_mode(struct validation *v, const struct field_path *at,
			  const struct value *request)
{
	static const char *const modes[] = {"All", "ExactCount", NULL};
	static const struct value zero = {.kind = VALUE_INT};
	const struct value *count = value_get(request, "count");
	int64_t number = value_get_int(request, "count", 0);

	if (text_is(request, "allocationMode", "All")) {
		if (number != 0)
			field_invalid(v, FIELD(at, "count"), count,
				      "must not be specified when allocationMode is 'All'");
	} else if (text_is(request, "allocationMode", "ExactCount")) {
		if (number <= 0)
			field_invalid(v, FIELD(at, "count"), count ? count : &zero,
				      "must be greater than zero");
	} else {
		field_not_supported(v, FIELD(at, "allocationMode"),
				    value_get(request, "allocationMode"), modes);
	}
}

static void validate_device_tolerations(struct validation *v, const struct field_path *at,
					const struct value *tolerations)
{
	static const char *const operators[] = {"Equal", "Exists", NULL};
	static const char *const effects[] = {"NoExecute", "NoSchedule", "None", NULL};

	if (has_many(v, at, tolerations, TOLERATIONS_MAX))
		return;
	for
		each_entry(tolerations, i)
		{
			const struct value *one = value_at(tolerations, i);
			const struct value *key = value_get(one, "key");
			const struct value *effect = value_get(one, "effect");
			const struct field_path *here = FIELD_INDEX(at, i);
			size_t e = 0;

			if (!is_unset(key))
				validate_text(v, FIELD(here, "key"), key, names_qualified);
			while (effects[e] && !value_string_is(effect, effects[e]))
				e++;
			if (!is_unset(effect) && !effects[e])
				field_not_supported(v, FIELD(here, "effect"), effect, effects);
			if (text_is(one, "operator", "Exists")) {
				if (!is_unset(value_get(one, "value")))
					field_invalid(v, FIELD(here, "value"),
						      value_get(one, "value"),
						      "must be empty for operator `Exists`");
			} else if (!text_is(one, "operator", "Equal")) {
				field_not_supported(v, FIELD(here, "operator"),
						    value_get(one, "operator"), operators);
			} else if (is_unset(key)) {
				field_required(v, FIELD(here, "key"), "");
			}
		}
}

static void validate_wanted(struct validation *v, const struct field_path *at,
			    const struct value *request)
{
	const struct value *class = value_get(request, "deviceClassName");

	if (is_unset(class))
		field_required(v, FIELD(at, "deviceClassName"), "");
	else
		validate_text(v, FIELD(at, "deviceClassName"), class, names_dns_subdomain);
	validate_selectors(v, FIELD(at, "selectors"), value_get(request, "selectors"));
	validate_mode(v, at, request);
	validate_device_tolerations(v, FIELD(at, "tolerations"), value_get(request, "tolerations"));
}

static void take_name(struct validation *v, const struct field_path *at, const struct value *name,
		      const char *full, struct requests *requests)
{
	if (is_unset(name)) {
		field_required(v, at, "");
		return;
	}
	validate_text(v, at, name, names_dns_label);
	if (cox_map_put(&requests->names, full, strlen(full), requests))
		field_duplicate(v, at, name);
}

static void validate_request(struct validation *v, const struct field_path *at,
			     const struct value *request, struct requests *requests)
{
	const struct value *name = value_get(request, "name");
	const struct value *exactly = value_get(request, "exactly");
	const struct value *choice = value_get(request, "firstAvailable");
	const struct field_path *list = FIELD(at, "firstAvailable");

	take_name(v, FIELD(at, "name"), name, value_text(name), requests);
	if (exactly && !is_unset(choice))
		field_wrong(v, at,
			    "exactly one of `exactly` or `firstAvailable` is required, but "
			    "multiple fields are set");
	else if (!exactly && is_unset(choice))
		field_required(v, at, "exactly one of `exactly` or `firstAvailable` is required");
	if (exactly)
		validate_wanted(v, FIELD(at, "exactly"), exactly);
	if (has_many(v, list, choice, ALTERNATIVES_MAX))
		return;
	for
		each_entry(choice, i)
		{
			const struct value *one = value_at(choice, i);
			const struct value *own = value_get(one, "name");

			take_name(
				v, FIELD(FIELD_INDEX(list, i), "name"), own,
				arena_printf(v->arena, "%s/%s", value_text(name), value_text(own)),
				requests);
			validate_wanted(v, FIELD_INDEX(list, i), one);
		}
}

/* Requests that a constraint or a configuration is about. */
static void validate_named(struct validation *v, const struct field_path *at,
			   const struct value *names, const struct requests *requests)
{
	has_many(v, at, names, REQUESTS_MAX);
	for
		each_entry(names, i)
		{
			const struct value *name = value_at(names, i);

			if (!cox_map_get(&requests->names, value_text(name), name->count))
				field_invalid(v, FIELD_INDEX(at, i), name,
					      "must be the name of a request in the claim or the "
					      "name of a request and a subrequest separated by "
					      "'/'");
		}
}

/* "driver.example.com/attribute" */
static void validate_full_name(struct validation *v, const struct field_path *at,
			       const struct value *name)
{
	if (is_unset(name))
		field_required(v, at, "");
	else if (!strchr(name->text, '/'))
		field_invalid(v, at, name, "must include domain");
	else
		validate_text(v, at, name, names_qualified);
}

static void validate_constraint(struct validation *v, const struct field_path *at,
				const struct value *constraint, const struct requests *requests)
{
	const struct value *match = value_get(constraint, "matchAttribute");
	const struct value *distinct = value_get(constraint, "distinctAttribute");

	validate_named(v, FIELD(at, "requests"), value_get(constraint, "requests"), requests);
	if (match)
		validate_full_name(v, FIELD(at, "matchAttribute"), match);
	if (distinct)
		validate_full_name(v, FIELD(at, "distinctAttribute"), distinct);
	if (!match && !distinct)
		field_required(v, at,
			       "exactly one of matchAttribute or distinctAttribute is required");
}

static void validate_opaque(struct validation *v, const struct field_path *at,
			    const struct value *opaque)
{
	const struct value *parameters = value_get(opaque, "parameters");

	if (!opaque) {
		field_required(v, at, "");
		return;
	}
	validate_driver_name(v, FIELD(at, "driver"), value_get(opaque, "driver"));
	if (!value_is(parameters, VALUE_OBJECT))
		field_required(v, FIELD(at, "parameters"), "");
}

static void validate_claim_spec(struct validation *v, const struct field_path *at,
				const struct value *spec)
{
	const struct value *devices = value_get(spec, "devices");
	const struct value *list = value_get(devices, "requests");
	const struct value *constraints = value_get(devices, "constraints");
	const struct value *configs = value_get(devices, "config");
	struct requests requests = {COX_MAP_INIT};

	at = FIELD(at, "devices");
	if (!has_many(v, FIELD(at, "requests"), list, REQUESTS_MAX))
		for
			each_entry(list, i)
				validate_request(v, FIELD_INDEX(FIELD(at, "requests"), i),
						 value_at(list, i), &requests);
	if (!has_many(v, FIELD(at, "constraints"), constraints, CONSTRAINTS_MAX))
		for
			each_entry(constraints, i)
				validate_constraint(v, FIELD_INDEX(FIELD(at, "constraints"), i),
						    value_at(constraints, i), &requests);
	if (!has_many(v, FIELD(at, "config"), configs, CONFIGS_MAX))
		for
			each_entry(configs, i)
			{
				const struct field_path *here = FIELD_INDEX(FIELD(at, "config"), i);

				validate_named(v, FIELD(here, "requests"),
					       value_get(value_at(configs, i), "requests"),
					       &requests);
				validate_opaque(v, FIELD(here, "opaque"),
						value_get(value_at(configs, i), "opaque"));
			}
	cox_map_free(&requests.names);
}

static void validate_claim(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(FIELD(NULL, "status"), "reservedFor");
	const struct value *status = value_get(object, "status");
	const struct value *users = value_get(status, "reservedFor");
	struct cox_map seen = COX_MAP_INIT;

	validate_claim_spec(v, FIELD(NULL, "spec"), value_get(object, "spec"));
	has_many(v, at, users, RESERVED_MAX);
	if (!is_unset(users) && !value_get(status, "allocation"))
		field_forbidden(v, at, "may not be specified when `allocated` is not set");
	for
		each_entry(users, i)
		{
			static const char *const parts[] = {"resource", "name", "uid"};
			const struct value *uid = value_get(value_at(users, i), "uid");

			for (size_t p = 0; p < 3; p++) {
				if (is_unset(value_get(value_at(users, i), parts[p])))
					field_required(v, FIELD(FIELD_INDEX(at, i), parts[p]), "");
			}
			if (!is_unset(uid) && cox_map_put(&seen, uid->text, uid->count, &seen))
				field_duplicate(v, FIELD(FIELD_INDEX(at, i), "uid"), uid);
		}
	cox_map_free(&seen);
}

/* What was allocated stays, until it is given back as a whole. */
static void validate_claim_update(struct validation *v, const struct value *object,
				  const struct value *old, const char *subresource)
{
	const struct value *now = value_path(object, "status.allocation");
	const struct value *before = value_path(old, "status.allocation");

	if (strcmp(subresource, "status") == 0 && now && before)
		validate_same(v, FIELD(FIELD(NULL, "status"), "allocation"), now, before);
}

const struct kind_rules rules_resourceclaims = {"resource.k8s.io", "resourceclaims", validate_claim,
						validate_claim_update};

static void validate_template(struct validation *v, const struct value *object)
{
	validate_claim_spec(v, FIELD(FIELD(NULL, "spec"), "spec"), value_path(object, "spec.spec"));
}

const struct kind_rules rules_resourceclaimtemplates = {"resource.k8s.io", "resourceclaimtemplates",
							validate_template, NULL};

static void validate_class(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *configs = value_get(spec, "config");
	const struct value *name = value_get(spec, "extendedResourceName");

	validate_selectors(v, FIELD(at, "selectors"), value_get(spec, "selectors"));
	if (!has_many(v, FIELD(at, "config"), configs, CONFIGS_MAX))
		for
			each_entry(configs, i) validate_opaque(
				v, FIELD(FIELD_INDEX(FIELD(at, "config"), i), "opaque"),
				value_get(value_at(configs, i), "opaque"));
	if (name)
		validate_full_name(v, FIELD(at, "extendedResourceName"), name);
}

const struct kind_rules rules_deviceclasses = {"resource.k8s.io", "deviceclasses", validate_class,
					       NULL};
