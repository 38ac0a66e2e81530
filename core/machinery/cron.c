/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules; see the header. */
#include "machinery/cron.h"

#include <coxswain/kit/text.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { TEXT_MAX = 1024, FIELD_COUNT = 5 };

static const char zones[] = "/usr/share/zoneinfo";

struct bounds {
	unsigned least, most;
	const char *names; /* of three letters each, from `least` on; "": none */
};

static const struct bounds bounds[FIELD_COUNT] = {
	{0, 59, ""},
	{0, 23, ""},
	{1, 31, ""},
	{1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{0, 6, "sunmontuewedthufrisat"},
};

static const char *parse_number(struct arena *arena, const char *text, unsigned *number)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits] != '\0')
		return arena_printf(arena,
				    "failed to parse int from %s: strconv.Atoi: parsing \"%s\": "
				    "invalid syntax",
				    text, text);
	if (digits > 9)
		return arena_printf(arena,
				    "failed to parse int from %s: strconv.Atoi: parsing \"%s\": "
				    "value out of range",
				    text, text);
	*number = (unsigned)strtoul(text, NULL, 10);
	return NULL;
}

static const char *parse_name(struct arena *arena, const struct bounds *field, const char *text,
			      unsigned *number)
{
	for (unsigned i = 0; strlen(text) == 3 && i < strlen(field->names) / 3; i++) {
		if (strncasecmp(text, field->names + (size_t)3 * i, 3) == 0) {
			*number = field->least + i;
			return NULL;
		}
	}
	return parse_number(arena, text, number);
}

/* Cuts at each `mark`; returns how many parts there are, of which up to 3 are kept. */
static size_t cut(char *text, char mark, char *parts[3])
{
	size_t count = 0;

	for (;;) {
		char *end = strchr(text, mark);

		if (count < 3)
			parts[count] = text;
		count++;
		if (!end)
			return count;
		*end = '\0';
		text = end + 1;
	}
}

/* "*", "3", "3-5", "mon-fri", each with "/2" behind it if one likes. */
static const char *parse_range(struct arena *arena, const struct bounds *field, const char *whole,
			       uint64_t *set, bool *any)
{
	char *steps[3], *ends[3];
	size_t step_count = cut(arena_strdup(arena, whole), '/', steps);
	size_t end_count = cut(steps[0], '-', ends);
	unsigned from = field->least, to = field->most, step = 1;
	bool all = strcmp(ends[0], "*") == 0 || strcmp(ends[0], "?") == 0;
	const char *why = NULL;

	if (!all) {
		why = parse_name(arena, field, ends[0], &from);
		if (!why && end_count > 2)
			why = arena_printf(arena, "too many hyphens: %s", whole);
		else if (!why && end_count == 2)
			why = parse_name(arena, field, ends[1], &to);
		else if (!why && step_count == 1)
			to = from;
	}
	if (!why && step_count > 2)
		why = arena_printf(arena, "too many slashes: %s", whole);
	else if (!why && step_count == 2)
		why = parse_number(arena, steps[1], &step);
	if (why)
		return why;
	if (from < field->least)
		return arena_printf(arena, "beginning of range (%u) below minimum (%u): %s", from,
				    field->least, whole);
	if (to > field->most)
		return arena_printf(arena, "end of range (%u) above maximum (%u): %s", to,
				    field->most, whole);
	if (from > to)
		return arena_printf(arena, "beginning of range (%u) beyond end of range (%u): %s",
				    from, to, whole);
	if (step == 0)
		return arena_printf(arena, "step of range should be a positive number: %s", whole);
	for (unsigned i = from; i <= to; i += step)
		*set |= UINT64_C(1) << i;
	*any = *any || (all && step == 1);
	return NULL;
}

static const char *parse_field(struct arena *arena, const struct bounds *field, char *text,
			       uint64_t *set, bool *any)
{
	char *state = NULL;
	const char *why = NULL;

	for (char *one = strtok_r(text, ",", &state); one && !why;
	     one = strtok_r(NULL, ",", &state))
		why = parse_range(arena, field, one, set, any);
	return why;
}

/* A duration as in "1h30m": numbers with units, in falling or any order. */
static bool is_duration(const char *text)
{
	static const char *const units[] = {"ns", "us", "ms", "s", "m", "h"};
	bool some = false;

	text += *text == '-' || *text == '+';
	if (strcmp(text, "0") == 0)
		return true;
	while (*text) {
		size_t digits = strspn(text, "0123456789."), size = 0;

		if (digits == 0 || strcmp(text, ".") == 0)
			return false;
		text += digits;
		for (size_t i = 0; i < sizeof(units) / sizeof(*units) && !size; i++) {
			if (cox_starts_with(text, units[i]) && !isalpha(text[strlen(units[i])]))
				size = strlen(units[i]);
		}
		if (!size)
			return false;
		text += size;
		some = true;
	}
	return some;
}

static const char *parse_word(struct arena *arena, const char *text, struct cron *cron)
{
	static const struct {
		const char *word, *fields;
	} words[] = {{"@yearly", "0 0 1 1 *"},	{"@annually", "0 0 1 1 *"},
		     {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
		     {"@daily", "0 0 * * *"},	{"@midnight", "0 0 * * *"},
		     {"@hourly", "0 * * * *"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i].word, text) == 0)
			return cron_parse(arena, words[i].fields, cron);
	}
	if (!cox_starts_with(text, "@every "))
		return arena_printf(arena, "unrecognized descriptor: %s", text);
	if (!is_duration(text + strlen("@every ")))
		return arena_printf(arena,
				    "failed to parse duration %s: time: invalid duration \"%s\"",
				    text, text + strlen("@every "));
	cron->every = true;
	return NULL;
}

/* Cuts at blanks; returns how many fields there are, of which the first five are kept. */
static size_t fields_of(char *text, char *fields[FIELD_COUNT])
{
	size_t count = 0;
	char *state = NULL;

	for (char *one = strtok_r(text, " \t\r\n\v\f", &state); one;
	     one = strtok_r(NULL, " \t\r\n\v\f", &state)) {
		if (count < FIELD_COUNT)
			fields[count] = one;
		count++;
	}
	return count;
}

/* The text with one blank between its fields. */
static const char *joined(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text), *to = copy;

	for (const char *from = text; *from; from++) {
		if (!isspace((unsigned char)*from))
			*to++ = *from;
		else if (to > copy && to[-1] != ' ')
			*to++ = ' ';
	}
	if (to > copy && to[-1] == ' ')
		to--;
	*to = '\0';
	return copy;
}

/* TZ=Europe/Berlin in front: past it, or NULL with what is wrong. */
static const char *skip_zone(struct arena *arena, const char *text, const char **why)
{
	const char *name, *end;

	if (!cox_starts_with(text, "TZ=") && !cox_starts_with(text, "CRON_TZ="))
		return text;
	name = strchr(text, '=') + 1;
	end = name + strcspn(name, " ");
	name = arena_strndup(arena, name, (size_t)(end - name));
	if (*name && !cron_zone_exists(name)) {
		*why = arena_printf(arena, "provided bad location %s: unknown time zone %s", name,
				    name);
		return NULL;
	}
	return end + strspn(end, " ");
}

const char *cron_parse(struct arena *arena, const char *text, struct cron *cron)
{
	char *fields[FIELD_COUNT];
	uint64_t *const sets[FIELD_COUNT] = {&cron->minutes, &cron->hours, &cron->days,
					     &cron->months, &cron->weekdays};
	const char *why = NULL;
	size_t count;

	*cron = (struct cron){0};
	if (strlen(text) > TEXT_MAX)
		return "the schedule is too long";
	if (*text)
		text = skip_zone(arena, text, &why);
	if (!text)
		return why;
	if (!*text)
		return "empty spec string";
	if (*text == '@')
		return parse_word(arena, text, cron);
	count = fields_of(arena_strdup(arena, text), fields);
	if (count != FIELD_COUNT)
		return arena_printf(arena, "expected exactly 5 fields, found %zu: [%s]", count,
				    joined(arena, text));
	for (size_t i = 0; i < FIELD_COUNT && !why; i++) {
		bool any = false;

		why = parse_field(arena, &bounds[i], fields[i], sets[i], &any);
		cron->any_day = cron->any_day || (i == 2 && any);
		cron->any_weekday = cron->any_weekday || (i == 4 && any);
	}
	return why;
}

bool cron_zone_exists(const char *name)
{
	struct stat file;
	char path[256];
	int size;

	if (strcmp(name, "UTC") == 0)
		return true;
	for (const char *c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("+-_/", *c))
			return false;
	}
	size = snprintf(path, sizeof(path), "%s/%s", zones, name);
	/* A file of it, not one of the folders that names are kept in. */
	return name[0] != '/' && (size_t)size < sizeof(path) && stat(path, &file) == 0 &&
	       S_ISREG(file.st_mode);
}
