/* SPDX-License-Identifier: Apache-2.0 */
/* Field selectors; see selector.h. */
#include "machinery/selector.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

/* The end of the term that begins at `at`: a comma that no backslash guards. */
static const char *term_end(const char *at, const char *end)
{
	for (; at < end && *at != ','; at++)
		if (*at == '\\' && at + 1 < end)
			at++;
	return at;
}

/* The first operator of a term: its start, and its size. NULL: none. */
static const char *find_operator(const char *at, const char *end, size_t *size)
{
	for (; at < end; at++) {
		bool double_byte = end - at >= 2 && at[1] == '=';

		if (*at == '=' || (*at == '!' && double_byte)) {
			*size = double_byte ? 2 : 1;
			return at;
		}
	}
	return NULL;
}

/* Copies a value without its escapes; the end of the copy, or NULL. */
static char *unescape(const char *at, const char *end, char *out, struct cox_error *err)
{
	for (; at < end; at++) {
		if (*at == '\\') {
			at++;
			if (at == end || !strchr("\\,=", *at)) {
				error_set(err, COX_REASON_BAD_REQUEST,
					  "invalid field selector: invalid escape sequence: \\%.*s",
					  (int)(end - at > 1 ? 1 : end - at), at);
				return NULL;
			}
		} else if (*at == '=') {
			error_set(err, COX_REASON_BAD_REQUEST,
				  "invalid field selector: unescaped character in value: %c", *at);
			return NULL;
		}
		*out++ = *at;
	}
	*out++ = '\0';
	return out;
}

/* One term into `requirement`, its texts at *texts. */
static int read_term(const char *at, const char *end, struct field_requirement *requirement,
		     char **texts, struct cox_error *err)
{
	size_t size = 0;
	const char *found = find_operator(at, end, &size);

	if (!found)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "invalid selector: '%.*s'; can't understand it: expected "
				 "field=value, field==value or field!=value",
				 (int)(end - at), at);
	requirement->not_equal = *found == '!';
	requirement->field = *texts;
	memcpy(*texts, at, (size_t)(found - at));
	(*texts)[found - at] = '\0';
	*texts += found - at + 1;
	requirement->value = *texts;
	*texts = unescape(found + size, end, *texts, err);
	return *texts ? 0 : -1;
}

struct field_selector *field_selector_parse(const char *text, size_t size, struct cox_error *err)
{
	const char *end = text + size, *at;
	struct field_requirement *requirements;
	struct field_selector *selector;
	size_t most = 1;
	char *texts;

	if (memchr(text, '\0', size)) {
		error_set(err, COX_REASON_BAD_REQUEST, "a selector must not contain a zero byte");
		return NULL;
	}
	for (at = text; at < end; at++)
		most += *at == ',';
	/* a term's operator makes room for its two zero bytes but one */
	selector = cox_calloc(1, sizeof(*selector) + most * (sizeof(*requirements) + 1) + size);
	requirements = (struct field_requirement *)(selector + 1);
	texts = (char *)(requirements + most);
	selector->requirements = requirements;
	for (at = text; at < end; at++) {
		const char *stop = term_end(at, end);

		if (stop > at &&
		    read_term(at, stop, &requirements[selector->count++], &texts, err) != 0) {
			free(selector);
			return NULL;
		}
		at = stop;
	}
	return selector;
}

bool field_selector_matches(const struct field_selector *selector,
			    const char *(*get)(void *context, const char *field), void *context)
{
	for (uint32_t i = 0; selector && i < selector->count; i++) {
		const struct field_requirement *requirement = &selector->requirements[i];
		const char *value = get(context, requirement->field);

		if ((strcmp(value ? value : "", requirement->value) != 0) != requirement->not_equal)
			return false;
	}
	return true;
}

const char *field_selector_equality(const struct field_selector *selector, const char *field)
{
	for (uint32_t i = 0; selector && i < selector->count; i++)
		if (!selector->requirements[i].not_equal &&
		    strcmp(selector->requirements[i].field, field) == 0)
			return selector->requirements[i].value;
	return NULL;
}

void field_selector_format(const struct field_selector *selector, struct cox_buf *out)
{
	for (uint32_t i = 0; selector && i < selector->count; i++) {
		const struct field_requirement *requirement = &selector->requirements[i];

		cox_buf_printf(out, "%s%s%s", i ? "," : "", requirement->field,
			       requirement->not_equal ? "!=" : "=");
		for (const char *c = requirement->value; *c; c++) {
			if (strchr("\\,=", *c))
				cox_buf_char(out, '\\');
			cox_buf_char(out, *c);
		}
	}
}
