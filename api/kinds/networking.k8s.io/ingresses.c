/* SPDX-License-Identifier: Apache-2.0 */
/* Ingresses: hosts that are names, paths that mean one thing, one backend each. */
#include "machinery/kinds.h"

enum { CONTROLLER_MAX = 250 };

static const char class_annotation[] = "kubernetes.io/ingress.class";

/* A name of DNS, or of everything below one. */
static void validate_host(struct validation *v, const struct field_path *at,
			  const struct value *host)
{
	if (strchr(value_text(host), '*'))
		validate_text(v, at, host, names_wildcard_subdomain);
	else
		validate_text(v, at, host, names_dns_subdomain);
}

static void validate_no_address(struct validation *v, const struct field_path *at,
				const struct value *host)
{
	if (value_is(host, VALUE_STRING) &&
	    (names_is_ipv4(host->text, host->count) || names_is_ipv6(host->text, host->count)))
		field_invalid(v, at, host, "must be a DNS name, not an IP address");
}

static void validate_local_reference(struct validation *v, const struct field_path *at,
				     const struct value *reference)
{
	const struct value *group = value_get(reference, "apiGroup");

	if (!is_unset(group))
		validate_text(v, FIELD(at, "apiGroup"), group, names_dns_subdomain);
	validate_path_text(v, FIELD(at, "kind"), value_get(reference, "kind"));
	validate_path_text(v, FIELD(at, "name"), value_get(reference, "name"));
}

static void validate_service_backend(struct validation *v, const struct field_path *at,
				     const struct value *service)
{
	const struct value *port = value_get(service, "port");
	const struct value *name = value_get(port, "name");
	const struct value *number = value_get(port, "number");
	const struct field_path *port_at = FIELD(FIELD(at, "service"), "port");
	bool numbered = value_is(number, VALUE_INT) && number->integer != 0;

	if (!is_unset(value_get(service, "name")))
		validate_text(v, FIELD(FIELD(at, "service"), "name"), value_get(service, "name"),
			      names_service);
	if (!is_unset(name) && numbered)
		field_invalid_text(v, at, "", "cannot set both port name & port number");
	else if (!is_unset(name))
		validate_text(v, FIELD(port_at, "name"), name, names_port);
	else if (!numbered)
		field_required(v, at, "port name or number is required");
	else if (number->integer < 1 || number->integer > 65535)
		field_invalid(v, FIELD(port_at, "number"), number,
			      "must be between 1 and 65535, inclusive");
}

static void validate_backend(struct validation *v, const struct field_path *at,
			     const struct value *backend)
{
	const struct value *service = value_get(backend, "service");
	const struct value *resource = value_get(backend, "resource");

	if (service && resource)
		field_invalid_text(v, at, "", "cannot set both resource and service backends");
	else if (resource)
		validate_local_reference(v, FIELD(at, "resource"), resource);
	else if (service)
		validate_service_backend(v, at, service);
	else
		field_invalid_text(v, at, "", "resource or service backend is required");
}

static void validate_path(struct validation *v, const struct field_path *at,
			  const struct value *entry)
{
	static const char *const inside[] = {"//", "/./", "/../", "%2f", "%2F"};
	static const char *const behind[] = {"/..", "/."};
	const struct value *path = value_get(entry, "path");
	const char *text = value_text(path);
	bool strict = text_is(entry, "pathType", "Exact") || text_is(entry, "pathType", "Prefix");
	static const struct value nothing = {.kind = VALUE_STRING, .text = ""};

	if (text[0] != '/' && (strict || text[0] != '\0'))
		field_invalid(v, FIELD(at, "path"), path ? path : &nothing,
			      "must be an absolute path");
	for (size_t i = 0; strict && i < sizeof(inside) / sizeof(*inside); i++) {
		if (strstr(text, inside[i]))
			field_invalid(v, FIELD(at, "path"), path, "must not contain '%s'",
				      inside[i]);
	}
	for (size_t i = 0; strict && i < sizeof(behind) / sizeof(*behind); i++) {
		if (cox_ends_with(text, behind[i]))
			field_invalid(v, FIELD(at, "path"), path, "cannot end with '%s'",
				      behind[i]);
	}
	validate_backend(v, FIELD(at, "backend"), value_get(entry, "backend"));
}

static void validate_rule(struct validation *v, const struct field_path *at,
			  const struct value *rule)
{
	const struct value *host = value_get(rule, "host");
	const struct value *paths = value_path(rule, "http.paths");

	if (!is_unset(host)) {
		validate_no_address(v, FIELD(at, "host"), host);
		validate_host(v, FIELD(at, "host"), host);
	}
	for
		each_entry(paths, i) validate_path(
			v, FIELD_INDEX(FIELD(FIELD(at, "http"), "paths"), i), value_at(paths, i));
}

static void validate_tls(struct validation *v, const struct field_path *at, const struct value *tls)
{
	for
		each_entry(tls, i)
		{
			const struct value *hosts = value_get(value_at(tls, i), "hosts");
			const struct value *secret = value_get(value_at(tls, i), "secretName");

		for
			each_entry(hosts, k)
				validate_host(v, FIELD_INDEX(FIELD(FIELD_INDEX(at, i), "hosts"), k),
					      value_at(hosts, k));
		if (!is_unset(secret))
			validate_text(v, FIELD(FIELD_INDEX(at, i), "secretName"), secret,
				      names_dns_subdomain);
		}
}

static void validate_status(struct validation *v, const struct value *entries)
{
	const struct field_path *at =
		FIELD(FIELD(FIELD(NULL, "status"), "loadBalancer"), "ingress");

	for
		each_entry(entries, i)
		{
			const struct value *ip = value_get(value_at(entries, i), "ip");
			const struct value *host = value_get(value_at(entries, i), "hostname");

			if (!is_unset(ip))
				validate_text(v, FIELD(FIELD_INDEX(at, i), "ip"), ip, names_ip);
			if (is_unset(host))
				continue;
			validate_text(v, FIELD(FIELD_INDEX(at, i), "hostname"), host,
				      names_dns_subdomain);
			validate_no_address(v, FIELD(FIELD_INDEX(at, i), "hostname"), host);
		}
}

static void validate_ingress(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *rules = value_get(spec, "rules");
	const struct value *class = value_get(spec, "ingressClassName");
	const struct value *annotation =
		value_get(value_path(object, "metadata.annotations"), class_annotation);

	if (v->creating && annotation && class)
		field_invalid(v, FIELD_KEY(FIELD(NULL, "annotations"), class_annotation),
			      annotation, "can not be set when the class field is also set");
	if (is_unset(rules) && !value_get(spec, "defaultBackend"))
		field_invalid(v, at, rules, "either `defaultBackend` or `rules` must be specified");
	if (value_get(spec, "defaultBackend"))
		validate_backend(v, FIELD(at, "defaultBackend"), value_get(spec, "defaultBackend"));
	for
		each_entry(rules, i)
			validate_rule(v, FIELD_INDEX(FIELD(at, "rules"), i), value_at(rules, i));
	validate_tls(v, FIELD(at, "tls"), value_get(spec, "tls"));
	if (class)
		validate_text(v, FIELD(at, "ingressClassName"), class, names_dns_subdomain);
	validate_status(v, value_path(object, "status.loadBalancer.ingress"));
}

const struct kind_rules rules_ingresses = {"networking.k8s.io", "ingresses", validate_ingress,
					   NULL};

/* Classes */

static void validate_scope(struct validation *v, const struct field_path *at,
			   const struct value *parameters)
{
	static const char *const known[] = {"Cluster", "Namespace", NULL};
	const struct value *namespace = value_get(parameters, "namespace");

	if (text_is(parameters, "scope", "Namespace")) {
		if (!namespace)
			field_required(v, FIELD(at, "namespace"),
				       "`parameters.scope` is set to 'Namespace'");
		else
			validate_text(v, FIELD(at, "namespace"), namespace, names_dns_label);
	} else if (text_is(parameters, "scope", "Cluster")) {
		if (namespace)
			field_forbidden(v, FIELD(at, "namespace"),
					"`parameters.scope` is set to 'Cluster'");
	} else {
		field_not_supported(v, FIELD(at, "scope"), value_get(parameters, "scope"), known);
	}
}

static void validate_class(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *controller = value_path(object, "spec.controller");
	const struct value *parameters = value_path(object, "spec.parameters");

	if (value_is(controller, VALUE_STRING) && controller->count > CONTROLLER_MAX)
		field_too_long(v, FIELD(at, "controller"), CONTROLLER_MAX);
	if (is_unset(controller))
		field_required(v, FIELD(at, "controller"), "");
	else
		validate_domain_path(v, FIELD(at, "controller"), controller);
	if (!value_is(parameters, VALUE_OBJECT))
		return;
	validate_local_reference(v, FIELD(at, "parameters"), parameters);
	validate_scope(v, FIELD(at, "parameters"), parameters);
}

const struct kind_rules rules_ingressclasses = {"networking.k8s.io", "ingressclasses",
						validate_class, NULL};
