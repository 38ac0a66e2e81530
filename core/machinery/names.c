/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules for names. Matchers are written out: no regular expressions, so
 * the time is linear and foreign text cannot make them backtrack.
 */
#include "machinery/names.h"

#include <arpa/inet.h>
#include <string.h>

#define LABEL_FORM "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define SUBDOMAIN_FORM LABEL_FORM "(\\." LABEL_FORM ")*"
#define QUALIFIED_FORM "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
#define USED(form) "regex used for validation is '" form "')"

#define SUBDOMAIN_TEXT                                                                             \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "      \
	"'-' or '.', and must start and end with an alphanumeric character (e.g. "                 \
	"'example.com', " USED(SUBDOMAIN_FORM)
#define QUALIFIED_TEXT                                                                             \
	"must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "   \
	"an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', " USED(           \
		QUALIFIED_FORM)
#define BYTES_63 "must be no more than 63 bytes"
#define BYTES_253 "must be no more than 253 bytes"

static void add(struct names_problems *problems, const char *text)
{
	if (problems->count < NAMES_CAUSES)
		problems->text[problems->count++] = text;
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_small_alnum(char c)
{
	return is_lower(c) || is_digit(c);
}

static bool is_alnum(char c)
{
	return is_small_alnum(c) || is_upper(c);
}

/* Alphanumeric at both ends, `inner` or alphanumeric between. */
static bool is_run(const char *text, size_t size, bool (*edge)(char), const char *inner)
{
	if (size == 0 || !edge(text[0]) || !edge(text[size - 1]))
		return false;
	for (size_t i = 1; i + 1 < size; i++) {
		if (!edge(text[i]) && (text[i] == '\0' || !strchr(inner, text[i])))
			return false;
	}
	return true;
}

static bool is_subdomain(const char *text, size_t size)
{
	for (;;) {
		const char *dot = size ? memchr(text, '.', size) : NULL;
		size_t part = dot ? (size_t)(dot - text) : size;

		if (!is_run(text, part, is_small_alnum, "-"))
			return false;
		if (!dot)
			return true;
		text += part + 1;
		size -= part + 1;
	}
}

void names_dns_label(const char *text, size_t size, struct names_problems *problems)
{
	if (size > NAMES_LABEL_MAX)
		add(problems, BYTES_63);
	if (is_run(text, size, is_small_alnum, "-"))
		return;
	if (is_subdomain(text, size))
		add(problems, "must not contain dots");
	else
		add(problems,
		    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters "
		    "or '-', and must start and end with an alphanumeric character (e.g. "
		    "'my-name',  or '123-abc', " USED(LABEL_FORM));
}

void names_dns_subdomain(const char *text, size_t size, struct names_problems *problems)
{
	if (size > NAMES_SUBDOMAIN_MAX)
		add(problems, BYTES_253);
	if (!is_subdomain(text, size))
		add(problems, SUBDOMAIN_TEXT);
}

void names_wildcard_subdomain(const char *text, size_t size, struct names_problems *problems)
{
	if (size > NAMES_SUBDOMAIN_MAX)
		add(problems, BYTES_253);
	if (size < 3 || text[0] != '*' || text[1] != '.' || !is_subdomain(text + 2, size - 2))
		add(problems,
		    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS "
		    "subdomain, which must consist of lower case alphanumeric characters, '-' or "
		    "'.' and end with an alphanumeric character (e.g. '*.example.com', " USED(
			    "\\*\\." SUBDOMAIN_FORM));
}

void names_service(const char *text, size_t size, struct names_problems *problems)
{
	if (size > NAMES_LABEL_MAX)
		add(problems, BYTES_63);
	if (!is_run(text, size, is_small_alnum, "-") || !is_lower(text[0]))
		add(problems,
		    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
		    "start with an alphabetic character, and end with an alphanumeric character "
		    "(e.g. 'my-name',  or 'abc-123', " USED("[a-z]([-a-z0-9]*[a-z0-9])?"));
}

void names_qualified(const char *text, size_t size, struct names_problems *problems)
{
	const char *slash = size ? memchr(text, '/', size) : NULL;
	const char *name = slash ? slash + 1 : text;
	size_t left = size - (size_t)(name - text);

	if (slash && memchr(name, '/', left)) {
		add(problems, "a qualified name " QUALIFIED_TEXT
			      " with an optional DNS subdomain prefix and '/' (e.g. "
			      "'example.com/MyName')");
		return;
	}
	if (slash && slash == text) {
		add(problems, "prefix part must be non-empty");
	} else if (slash) {
		size_t prefix = (size_t)(slash - text);

		if (prefix > NAMES_SUBDOMAIN_MAX)
			add(problems, "prefix part " BYTES_253);
		if (!is_subdomain(text, prefix))
			add(problems, "prefix part " SUBDOMAIN_TEXT);
	}
	if (left == 0)
		add(problems, "name part must be non-empty");
	else if (left > NAMES_LABEL_MAX)
		add(problems, "name part " BYTES_63);
	if (!is_run(name, left, is_alnum, "-_."))
		add(problems, "name part " QUALIFIED_TEXT);
}

void names_label_value(const char *text, size_t size, struct names_problems *problems)
{
	if (size > NAMES_LABEL_MAX)
		add(problems, BYTES_63);
	if (size > 0 && !is_run(text, size, is_alnum, "-_."))
		add(problems,
		    "a valid label must be an empty string or consist of alphanumeric characters, "
		    "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
		    "'MyValue',  or 'my_value',  or '12345', " USED("(" QUALIFIED_FORM ")?"));
}

void names_config_key(const char *text, size_t size, struct names_problems *problems)
{
	bool fits = size > 0;

	for (size_t i = 0; i < size; i++)
		fits = fits && (is_alnum(text[i]) || (text[i] && strchr("-._", text[i])));
	if (size > NAMES_SUBDOMAIN_MAX)
		add(problems, BYTES_253);
	if (!fits)
		add(problems,
		    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
		    "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', " USED("[-._a-zA-Z0-9]+"));
	if (size == 1 && text[0] == '.')
		add(problems, "must not be '.'");
	else if (size == 2 && memcmp(text, "..", 2) == 0)
		add(problems, "must not be '..'");
	else if (size > 2 && memcmp(text, "..", 2) == 0)
		add(problems, "must not start with '..'");
}

void names_env(const char *text, size_t size, struct names_problems *problems)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] < 0x20 || text[i] >= 0x7f || text[i] == '=') {
			add(problems, "a valid environment variable name must consist only of "
				      "printable ASCII characters other than '='");
			return;
		}
	}
	if (size == 0)
		add(problems, "environment variable name must be non-empty");
}

void names_port(const char *text, size_t size, struct names_problems *problems)
{
	bool letter = false, fits = size > 0, doubled = false;

	for (size_t i = 0; i < size; i++) {
		letter = letter || is_lower(text[i]);
		fits = fits && (is_small_alnum(text[i]) || text[i] == '-');
		doubled = doubled || (i > 0 && text[i] == '-' && text[i - 1] == '-');
	}
	if (size > 15)
		add(problems, "must be no more than 15 bytes");
	if (!fits)
		add(problems, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens "
			      "(-)");
	if (!letter)
		add(problems, "must contain at least one letter (a-z)");
	if (doubled)
		add(problems, "must not contain consecutive hyphens");
	if (size > 0 && (text[0] == '-' || text[size - 1] == '-'))
		add(problems, "must not begin or end with a hyphen");
}

void names_path_segment(const char *text, size_t size, struct names_problems *problems)
{
	if (size == 1 && text[0] == '.') {
		add(problems, "may not be '.'");
		return;
	}
	if (size == 2 && memcmp(text, "..", 2) == 0) {
		add(problems, "may not be '..'");
		return;
	}
	if (size && memchr(text, '/', size))
		add(problems, "may not contain '/'");
	if (size && memchr(text, '%', size))
		add(problems, "may not contain '%'");
}

void names_http_header(const char *text, size_t size, struct names_problems *problems)
{
	bool fits = size > 0;

	for (size_t i = 0; i < size; i++)
		fits = fits && (is_alnum(text[i]) || text[i] == '-');
	if (!fits)
		add(problems, "a valid HTTP header must consist of alphanumeric characters or '-' "
			      "(e.g. 'X-Header-Name', " USED("[-A-Za-z0-9]+"));
}

static bool is_address(int family, const char *text, size_t size)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (size == 0 || size >= sizeof(copy) || memchr(text, '\0', size))
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	return inet_pton(family, copy, &address) == 1;
}

bool names_is_ipv4(const char *text, size_t size)
{
	return is_address(AF_INET, text, size);
}

bool names_is_ipv6(const char *text, size_t size)
{
	return is_address(AF_INET6, text, size);
}

void names_ip(const char *text, size_t size, struct names_problems *problems)
{
	if (!names_is_ipv4(text, size) && !names_is_ipv6(text, size))
		add(problems, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

void names_cidr(const char *text, size_t size, struct names_problems *problems)
{
	const char *slash = size ? memchr(text, '/', size) : NULL;
	size_t address = slash ? (size_t)(slash - text) : 0;
	size_t digits = slash ? size - address - 1 : 0;
	unsigned bits = 0, most = 0;

	if (names_is_ipv4(text, address))
		most = 32;
	else if (names_is_ipv6(text, address))
		most = 128;
	for (size_t i = 0; i < digits && digits <= 3; i++) {
		char c = slash[1 + i];

		bits = is_digit(c) ? bits * 10 + (unsigned)(c - '0') : 1000;
	}
	if (!most || digits == 0 || digits > 3 || bits > most || (digits > 1 && slash[1] == '0'))
		add(problems, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

names_check names_check_named(const char *format)
{
	static const struct {
		const char *name;
		names_check check;
	} checks[] = {
		{"cidr", names_cidr},
		{"configKey", names_config_key},
		{"dnsLabel", names_dns_label},
		{"dnsSubdomain", names_dns_subdomain},
		{"envName", names_env},
		{"httpHeader", names_http_header},
		{"ip", names_ip},
		{"labelValue", names_label_value},
		{"pathSegment", names_path_segment},
		{"portName", names_port},
		{"qualifiedName", names_qualified},
		{"serviceName", names_service},
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		if (strcmp(checks[i].name, format) == 0)
			return checks[i].check;
	}
	return NULL;
}
