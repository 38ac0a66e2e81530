/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images: [HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST]. Without a host it
 * is docker.io, there without a folder it is library/; without tag and digest
 * it is latest.
 */
#include "oci.h"

#include <string.h>

#define DEFAULT_HOST "docker.io"

/* The part before the first slash is a host if nothing else could be. */
static bool is_host(const char *text, size_t size)
{
	return memchr(text, '.', size) || memchr(text, ':', size) ||
	       (size == 9 && memcmp(text, "localhost", 9) == 0);
}

static bool valid_host(const char *host)
{
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

	return *host && strspn(host, allowed) == strlen(host) && *host != '-';
}

/* Lower-case parts, joined by single slashes; no part begins or ends oddly. */
static bool valid_repository(const char *path)
{
	const char *letters = "abcdefghijklmnopqrstuvwxyz0123456789";

	for (const char *part = path;;) {
		size_t size = strcspn(part, "/");

		if (size == 0 || !strchr(letters, part[0]) || !strchr(letters, part[size - 1]) ||
		    strspn(part, "abcdefghijklmnopqrstuvwxyz0123456789._-") < size)
			return false;
		if (!part[size])
			return true;
		part += size + 1;
	}
}

static bool valid_tag(const char *tag)
{
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return *tag && strspn(tag, allowed) == strlen(tag) && *tag != '.' && *tag != '-';
}

int oci_parse_reference(struct oci *oci, const char *text, struct oci_reference *out,
			struct cox_error *err)
{
	cox_autofree char *copy = cox_strndup(text, COX_IMAGE_REF_SIZE);
	char *name = copy, *at = strchr(copy, '@'), *slash, *colon;
	const char *host = DEFAULT_HOST, *folder = "", *tag = "";

	*out = (struct oci_reference){0};
	if (strlen(text) >= COX_IMAGE_REF_SIZE - OCI_DIGEST_SIZE)
		goto invalid;
	if (at) {
		*at++ = '\0';
		if (!oci_digest_valid(at))
			goto invalid;
		memcpy(out->digest, at, OCI_DIGEST_SIZE);
	}
	colon = strrchr(name, ':');
	slash = strrchr(name, '/');
	if (colon && (!slash || colon > slash)) {
		*colon++ = '\0';
		tag = colon;
		if (!valid_tag(tag))
			goto invalid;
	}
	slash = strchr(name, '/');
	if (slash && is_host(name, (size_t)(slash - name))) {
		*slash = '\0';
		host = name;
		name = slash + 1;
	}
	if (strcmp(host, "index.docker.io") == 0)
		host = DEFAULT_HOST;
	if (strcmp(host, DEFAULT_HOST) == 0 && !strchr(name, '/'))
		folder = "library/";
	if (!*tag && !at)
		tag = "latest";
	if (!valid_host(host) || !valid_repository(name) ||
	    (size_t)snprintf(out->registry, sizeof(out->registry), "%s", host) >=
		    sizeof(out->registry) ||
	    (size_t)snprintf(out->repository, sizeof(out->repository), "%s%s", folder, name) >=
		    sizeof(out->repository) ||
	    (size_t)snprintf(out->tag, sizeof(out->tag), "%s", tag) >= sizeof(out->tag))
		goto invalid;
	return 0;
invalid:
	return oci->host->fail(err, COX_REASON_INVALID, "couldn't parse image name \"%.300s\"",
			       text);
}
