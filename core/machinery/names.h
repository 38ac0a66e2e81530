/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules for names, labels and other texts of the API. Each check returns
 * NULL if the text is right, else the sentence that today's API answers with;
 * it is a constant. Texts may hold zero bytes, therefore the sizes.
 */
#ifndef COX_MACHINERY_NAMES_H
#define COX_MACHINERY_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum {
	NAMES_LABEL_MAX = 63,
	NAMES_SUBDOMAIN_MAX = 253,
	NAMES_ANNOTATIONS_MAX = 256 * 1024, /* all keys and values together */
	NAMES_CAUSES = 5
};

/* The longest list of complaints about one text. */
struct names_problems {
	const char *text[NAMES_CAUSES];
	size_t count;
};

typedef void (*names_check)(const char *text, size_t size, struct names_problems *problems);

void names_dns_label(const char *text, size_t size, struct names_problems *problems); /* RFC 1123 */
void names_dns_subdomain(const char *text, size_t size,
			 struct names_problems *problems); /* RFC 1123 */
/* "*." and a subdomain */
void names_wildcard_subdomain(const char *text, size_t size, struct names_problems *problems);
void names_service(const char *text, size_t size, struct names_problems *problems); /* RFC 1035 */
void names_qualified(const char *text, size_t size,
		     struct names_problems *problems); /* label keys */
void names_label_value(const char *text, size_t size, struct names_problems *problems);
void names_config_key(const char *text, size_t size, struct names_problems *problems);
void names_env(const char *text, size_t size, struct names_problems *problems);
void names_port(const char *text, size_t size,
		struct names_problems *problems); /* IANA service name */
void names_path_segment(const char *text, size_t size, struct names_problems *problems);
void names_http_header(const char *text, size_t size, struct names_problems *problems);
void names_ip(const char *text, size_t size, struct names_problems *problems);
void names_cidr(const char *text, size_t size, struct names_problems *problems);

bool names_is_ipv4(const char *text, size_t size);
bool names_is_ipv6(const char *text, size_t size);

/* By the name that a field's `format` has in the tables; NULL: no such check. */
names_check names_check_named(const char *format);

#endif
