/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for certificates: signed by their own key, decided once, never undone. */
#include "machinery/kinds.h"
#include "pki/certificate.h"

#include <coxswain/kit/map.h>
#include <stdlib.h>

enum { SECONDS_MIN = 600, REQUEST_MAX = 128 * 1024 };

static const char *const decisions[] = {"Approved", "Denied", "Failed"};

static void validate_request(struct validation *v, const struct field_path *at,
			     const struct value *request)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct pki_facts facts;
	int64_t size;
	char *pem;

	if (is_unset(request))
		return;
	if (request->count > REQUEST_MAX) {
		field_too_long(v, at, REQUEST_MAX);
		return;
	}
	pem = arena_alloc(v->arena, request->count + 1);
	/* Decoding has seen to it that this is base64. */
	size = cox_base64_decode(request->text, request->count, pem);
	if (size < 0 || pki_request_read(pem, (size_t)size, &facts, &err) != 0)
		field_invalid(v, at, request, "unable to parse csr: %s", error_text(&err));
	else
		pki_facts_free(&facts);
}

/* "example.com/signer": a domain of two labels or more, and a path. */
static void validate_signer(struct validation *v, const struct field_path *at,
			    const struct value *signer)
{
	const char *text = value_text(signer), *slash = strchr(text, '/');
	struct names_problems problems = {.count = 0};

	if (is_unset(signer))
		return;
	if (!slash || !slash[1] || slash == text) {
		field_invalid(v, at, signer,
			      "must be a fully qualified domain and path of the form "
			      "'example.com/signer-name'");
		return;
	}
	names_dns_subdomain(text, (size_t)(slash - text), &problems);
	for (const char *part = slash + 1; part; part = strchr(part, ':')) {
		part += *part == ':';
		names_dns_subdomain(part, strcspn(part, ":"), &problems);
	}
	for (size_t i = 0; i < problems.count; i++)
		field_invalid(v, at, signer, "%s", problems.text[i]);
	if (!memchr(text, '.', (size_t)(slash - text)))
		field_invalid(v, at, signer,
			      "should be a domain with at least two segments separated by dots");
	if (value_string_is(signer, "kubernetes.io/legacy-unknown"))
		field_invalid(v, at, signer,
			      "the legacy signerName is not allowed via this API version");
}

static void validate_usages(struct validation *v, const struct field_path *at,
			    const struct value *usages)
{
	const struct schema_type *type =
		schema_type_named(v->schema, "certificates.v1.CertificateSigningRequestSpec");
	const struct schema_field *field =
		schema_field_get(v->schema, type, "usages", strlen("usages"));
	const char *known[40];
	struct cox_map seen = COX_MAP_INIT;
	size_t count = schema_list_count(v->schema, field->enumeration);

	for (size_t i = 0; i < count && i < 39; i++)
		known[i] = schema_list_at(v->schema, field->enumeration, i);
	known[count < 39 ? count : 39] = NULL;
	if (is_unset(usages))
		field_required(v, at, "");
	for
		each_entry(usages, i)
		{
			const struct value *usage = value_at(usages, i);

			if (!schema_list_has(v->schema, field->enumeration, value_text(usage)))
				field_not_supported(v, FIELD_INDEX(at, i), usage, known);
			if (cox_map_put(&seen, value_text(usage), usage->count, &seen))
				field_duplicate(v, FIELD_INDEX(at, i), usage);
		}
	cox_map_free(&seen);
}

static void validate_conditions(struct validation *v, const struct value *conditions)
{
	static const char *const only[] = {"True", NULL};
	const struct field_path *at = FIELD(FIELD(NULL, "status"), "conditions");
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(conditions, i)
		{
			const struct value *one = value_at(conditions, i);
			const struct value *type = value_get(one, "type");
			const struct value *status = value_get(one, "status");
			const struct field_path *here = FIELD_INDEX(at, i);
			bool decides = false;

			for (size_t k = 0; k < 3; k++)
				decides = decides || value_string_is(type, decisions[k]);
			if (is_unset(type))
				field_required(v, FIELD(here, "type"), "");
			if (is_unset(status))
				field_required(v, FIELD(here, "status"), "");
			else if (decides && !value_string_is(status, "True"))
				field_not_supported(v, FIELD(here, "status"), status, only);
			if (cox_map_put(&seen, value_text(type), strlen(value_text(type)), &seen))
				field_duplicate(v, FIELD(here, "type"), type);
			if ((value_string_is(type, "Approved") &&
			     cox_map_get(&seen, "Denied", 6)) ||
			    (value_string_is(type, "Denied") && cox_map_get(&seen, "Approved", 8)))
				field_invalid(v, FIELD(here, "type"), type,
					      "Approved and Denied conditions are mutually "
					      "exclusive");
		}
	cox_map_free(&seen);
}

static void validate_signing_request(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *seconds = value_get(spec, "expirationSeconds");
	const struct value *certificate = value_path(object, "status.certificate");

	if (v->creating)
		validate_request(v, FIELD(at, "request"), value_get(spec, "request"));
	validate_usages(v, FIELD(at, "usages"), value_get(spec, "usages"));
	validate_signer(v, FIELD(at, "signerName"), value_get(spec, "signerName"));
	if (seconds && seconds->integer < SECONDS_MIN)
		field_invalid(v, FIELD(at, "expirationSeconds"), seconds,
			      "may not specify a duration less than 600 seconds (10 minutes)");
	validate_conditions(v, value_path(object, "status.conditions"));
	if (!is_unset(certificate) && !cox_starts_with(value_text(certificate), "LS0tLS1CRUdJTi"))
		field_invalid_text(v, FIELD(FIELD(NULL, "status"), "certificate"),
				   "<certificate data>",
				   "must contain at least one CERTIFICATE PEM block");
}

static bool has_condition(const struct value *object, const char *type)
{
	const struct value *conditions = value_path(object, "status.conditions");

	for
		each_entry(conditions, i)
		{
			if (text_is(value_at(conditions, i), "type", type))
				return true;
		}
	return false;
}

/* Approval decides, and only it; nobody takes a decision back. */
static void validate_signing_request_update(struct validation *v, const struct value *object,
					    const struct value *old, const char *subresource)
{
	const struct field_path *at = FIELD(FIELD(NULL, "status"), "conditions");
	bool deciding = strcmp(subresource, "approval") == 0;

	for (size_t i = 0; i < 3; i++) {
		bool now = has_condition(object, decisions[i]);
		bool before = has_condition(old, decisions[i]);
		bool failed = i == 2;

		if (before && !now)
			field_forbidden(v, at, "updates may not remove a condition of type \"%s\"",
					decisions[i]);
		else if (!before && now && !(failed ? !deciding : deciding))
			field_forbidden(v, at, "updates may not add a condition of type \"%s\"",
					decisions[i]);
	}
	if (!is_unset(value_path(old, "status.certificate")))
		validate_same(v, FIELD(FIELD(NULL, "status"), "certificate"),
			      value_path(object, "status.certificate"),
			      value_path(old, "status.certificate"));
}

const struct kind_rules rules_certificatesigningrequests = {
	"certificates.k8s.io", "certificatesigningrequests", validate_signing_request,
	validate_signing_request_update};
