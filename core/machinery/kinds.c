/* SPDX-License-Identifier: Apache-2.0 */
/* The register of kinds with rules, and what those rules share. */
#include "machinery/kinds.h"

#include <arpa/inet.h>

#define KIND_RULES_ENTRY(name) &rules_##name,
static const struct kind_rules *const all_rules[] = {KIND_RULES(KIND_RULES_ENTRY)};

const struct kind_rules *kind_rules_get(const char *group, const char *resource)
{
	for (size_t i = 0; i < sizeof(all_rules) / sizeof(*all_rules); i++) {
		if (strcmp(all_rules[i]->resource, resource) == 0 &&
		    strcmp(all_rules[i]->group, group) == 0)
			return all_rules[i];
	}
	return NULL;
}

bool is_unset(const struct value *value)
{
	return values_same(value, NULL);
}

bool text_is(const struct value *object, const char *key, const char *text)
{
	return value_string_is(value_get(object, key), text);
}

bool list_has_text(const struct value *list, const char *text)
{
	for
		each_entry(list, i)
		{
			if (value_string_is(value_at(list, i), text))
				return true;
		}
	return false;
}

size_t count_set(const struct value *object, const char *except)
{
	size_t count = 0;

	for
		each_member(object, i)
		{
			const struct value_member *member = &object->object.members[i];

			if (member->value->kind != VALUE_NULL &&
			    (!except || strcmp(member->key, except) != 0))
				count++;
		}
	return count;
}

struct cox_quantity quantity_of(const struct value *value)
{
	struct cox_quantity quantity = {0};

	if (!value || quantity_from_value(value, &quantity, NULL))
		return (struct cox_quantity){0};
	return quantity;
}

void validate_not_negative(struct validation *v, const struct field_path *at,
			   const struct value *amount)
{
	struct cox_quantity quantity = quantity_of(amount);

	if (cox_quantity_sign(&quantity) < 0)
		field_invalid(v, at, amount, "must be greater than or equal to 0");
}

bool is_counted_resource(const char *name)
{
	static const char *const counted[] = {"pods",
					      "services",
					      "replicationcontrollers",
					      "resourcequotas",
					      "secrets",
					      "configmaps",
					      "persistentvolumeclaims",
					      "services.nodeports",
					      "services.loadbalancers"};

	for (size_t i = 0; i < sizeof(counted) / sizeof(*counted); i++) {
		if (strcmp(counted[i], name) == 0)
			return true;
	}
	return cox_starts_with(name, "count/");
}

static bool is_standard_resource(const char *name)
{
	static const char *const standard[] = {"cpu",
					       "memory",
					       "ephemeral-storage",
					       "storage",
					       "requests.cpu",
					       "requests.memory",
					       "requests.storage",
					       "requests.ephemeral-storage",
					       "limits.cpu",
					       "limits.memory",
					       "limits.ephemeral-storage"};

	for (size_t i = 0; i < sizeof(standard) / sizeof(*standard); i++) {
		if (strcmp(standard[i], name) == 0)
			return true;
	}
	return is_counted_resource(name) || cox_starts_with(name, "hugepages-") ||
	       cox_starts_with(name, "requests.hugepages-") ||
	       cox_starts_with(name, "limits.hugepages-");
}

void validate_resource_name(struct validation *v, const struct field_path *at, const char *name)
{
	struct names_problems problems = {.count = 0};

	names_qualified(name, strlen(name), &problems);
	for (size_t i = 0; i < problems.count; i++)
		field_invalid_text(v, at, name, "%s", problems.text[i]);
	if (problems.count == 0 && !strchr(name, '/') && !is_standard_resource(name))
		field_invalid_text(v, at, name,
				   "must be a standard resource type or fully qualified");
}

static bool is_container_resource(const char *name)
{
	return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0 ||
	       strcmp(name, "ephemeral-storage") == 0 || cox_starts_with(name, "hugepages-");
}

static void validate_amounts(struct validation *v, const struct field_path *at,
			     const struct value *amounts)
{
	for
		each_member(amounts, i)
		{
			const struct value_member *member = &amounts->object.members[i];
			struct cox_quantity amount = quantity_of(member->value);

			validate_resource_name(v, FIELD_KEY(at, member->key), member->key);
			if (!strchr(member->key, '/') && is_standard_resource(member->key) &&
			    !is_container_resource(member->key))
				field_invalid_text(v, FIELD_KEY(at, member->key), member->key,
						   "must be a standard resource for containers");
			validate_not_negative(v, FIELD_KEY(at, member->key), member->value);
			if (strchr(member->key, '/') && !cox_quantity_is_whole(&amount))
				field_invalid(v, FIELD_KEY(at, member->key), member->value,
					      "must be an integer");
		}
}

void validate_resources(struct validation *v, const struct field_path *at,
			const struct value *resources)
{
	const struct value *limits = value_get(resources, "limits");
	const struct value *requests = value_get(resources, "requests");

	validate_amounts(v, FIELD(at, "limits"), limits);
	validate_amounts(v, FIELD(at, "requests"), requests);
	for
		each_member(requests, i)
		{
			const struct value_member *member = &requests->object.members[i];
			const struct value *limit = value_get(limits, member->key);
			struct cox_quantity wanted = quantity_of(member->value),
					    most = quantity_of(limit);
			bool shared = strcmp(member->key, "cpu") == 0 ||
				      strcmp(member->key, "memory") == 0 ||
				      strcmp(member->key, "ephemeral-storage") == 0;

			if (!limit)
				continue;
			if (!shared && cox_quantity_compare(&wanted, &most) != 0)
				field_invalid(v, FIELD(at, "requests"), member->value,
					      "must be equal to %s limit of %s", member->key,
					      value_text(limit));
			else if (cox_quantity_compare(&wanted, &most) > 0)
				field_invalid(v, FIELD(at, "requests"), member->value,
					      "must be less than or equal to %s limit of %s",
					      member->key, value_text(limit));
		}
}

void validate_port_or_name(struct validation *v, const struct field_path *at,
			   const struct value *port)
{
	const struct value zero = {.kind = VALUE_INT};

	if (value_is(port, VALUE_STRING))
		validate_text(v, at, port, names_port);
	else if (!value_is(port, VALUE_INT) || port->integer < 1 || port->integer > 65535)
		field_invalid(v, at, port ? port : &zero, "must be between 1 and 65535, inclusive");
}

void validate_addresses(struct validation *v, const struct field_path *at, const struct value *list)
{
	for
		each_entry(list, i)
			validate_text(v, FIELD_INDEX(at, i), value_at(list, i), names_ip);
}

static const char *unreachable_v4(uint32_t address)
{
	if (address == 0)
		return "may not be unspecified (0.0.0.0)";
	if (address >> 24 == 127)
		return "may not be in the loopback range (127.0.0.0/8)";
	if (address >> 16 == 0xa9fe)
		return "may not be in the link-local range (169.254.0.0/16)";
	if (address >> 8 == 0xe00000)
		return "may not be in the link-local multicast range (224.0.0.0/24)";
	return NULL;
}

static const char *unreachable_v6(const struct in6_addr *address)
{
	if (IN6_IS_ADDR_UNSPECIFIED(address))
		return "may not be unspecified (::)";
	if (IN6_IS_ADDR_LOOPBACK(address))
		return "may not be in the loopback range (::1/128)";
	if (IN6_IS_ADDR_LINKLOCAL(address))
		return "may not be in the link-local range (fe80::/10)";
	if (IN6_IS_ADDR_MC_LINKLOCAL(address))
		return "may not be in the link-local multicast range (ff02::/16)";
	return NULL;
}

void validate_reachable_ip(struct validation *v, const struct field_path *at,
			   const struct value *ip)
{
	const char *why = NULL;
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, value_text(ip), &four) == 1)
		why = unreachable_v4(ntohl(four.s_addr));
	else if (inet_pton(AF_INET6, value_text(ip), &six) == 1)
		why = unreachable_v6(&six);
	else
		why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
	if (why)
		field_invalid_text(v, at, value_text(ip), "%s", why);
}

void validate_inner_path(struct validation *v, const struct field_path *at,
			 const struct value *path)
{
	const char *part = value_text(path);

	if (part[0] == '/')
		field_invalid(v, at, path, "must be a relative path");
	for (; part; part = strchr(part, '/')) {
		size_t size;

		part += part[0] == '/';
		size = strcspn(part, "/");
		if (size == 2 && part[0] == '.' && part[1] == '.') {
			field_invalid(v, at, path, "must not contain '..'");
			return;
		}
	}
}

void validate_domain_path(struct validation *v, const struct field_path *at,
			  const struct value *path)
{
	const char *text = value_text(path), *slash = strchr(text, '/');
	struct names_problems problems = {.count = 0};

	if (!slash || !slash[1]) {
		field_invalid(v, at, path,
			      "must be a domain-prefixed path (such as \"acme.io/foo\")");
		return;
	}
	names_dns_subdomain(text, (size_t)(slash - text), &problems);
	for (size_t i = 0; i < problems.count; i++)
		field_invalid(v, at, path, "%s", problems.text[i]);
}

void validate_path_text(struct validation *v, const struct field_path *at, const struct value *text)
{
	if (!is_unset(text))
		validate_text(v, at, text, names_path_segment);
}

static void validate_node_requirement(struct validation *v, const struct field_path *at,
				      const struct value *requirement)
{
	const char *relation = value_get_text(requirement, "operator");
	const struct value *values = value_get(requirement, "values");
	size_t count = value_is(values, VALUE_ARRAY) ? values->count : 0;

	if (strcmp(relation, "In") == 0 || strcmp(relation, "NotIn") == 0) {
		if (count == 0)
			field_required(v, FIELD(at, "values"),
				       "must be specified when `operator` is 'In' or 'NotIn'");
	} else if (strcmp(relation, "Exists") == 0 || strcmp(relation, "DoesNotExist") == 0) {
		if (count > 0)
			field_forbidden(v, FIELD(at, "values"),
					"may not be specified when `operator` is 'Exists' or "
					"'DoesNotExist'");
	} else if (strcmp(relation, "Gt") == 0 || strcmp(relation, "Lt") == 0) {
		if (count != 1)
			field_required(v, FIELD(at, "values"),
				       "must be specified single value when `operator` is 'Lt' or "
				       "'Gt'");
	} else {
		field_invalid_text(v, FIELD(at, "operator"), relation,
				   "not a valid selector operator");
	}
}

void validate_node_selector(struct validation *v, const struct field_path *at,
			    const struct value *selector)
{
	const struct value *terms = value_get(selector, "nodeSelectorTerms");
	const struct field_path *list = FIELD(at, "nodeSelectorTerms");

	if (!selector)
		return;
	if (is_unset(terms))
		field_required(v, list, "must have at least one node selector term");
	for
		each_entry(terms, i)
		{
			const struct value *labels =
				value_get(value_at(terms, i), "matchExpressions");
			const struct value *fields = value_get(value_at(terms, i), "matchFields");
			const struct field_path *term = FIELD_INDEX(list, i);

		for
			each_entry(labels, k)
			{
				const struct field_path *here =
					FIELD_INDEX(FIELD(term, "matchExpressions"), k);

				validate_node_requirement(v, here, value_at(labels, k));
				validate_text(v, FIELD(here, "key"),
					      value_get(value_at(labels, k), "key"),
					      names_qualified);
			}
		for
			each_entry(fields, k)
			{
				if (!text_is(value_at(fields, k), "key", "metadata.name"))
					field_invalid(
						v,
						FIELD(FIELD_INDEX(FIELD(term, "matchFields"), k),
						      "key"),
						value_get(value_at(fields, k), "key"),
						"not a valid field selector key");
			}
		}
}

void validate_immutable_data(struct validation *v, const struct value *object,
			     const struct value *old, const char *const *fields)
{
	static const char *const text = "field is immutable when `immutable` is set";

	if (!value_get_bool(old, "immutable"))
		return;
	if (!value_get_bool(object, "immutable"))
		field_forbidden(v, FIELD(NULL, "immutable"), "%s", text);
	for (; *fields; fields++) {
		if (!values_same(value_get(object, *fields), value_get(old, *fields)))
			field_forbidden(v, FIELD(NULL, *fields), "%s", text);
	}
}
