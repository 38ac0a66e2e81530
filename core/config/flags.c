/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing of flags; see the header. Values are converted as they are met, so
 * that an error can name the word and where it was written.
 */
#include "config/flags.h"

#include "config/typo.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 64 };

void flags_init(struct flag_set *set, const char *program)
{
	memset(set, 0, sizeof(*set));
	set->program = program;
}

static void list_clear(struct flag_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct flag_list){NULL, 0};
}

void flags_free(struct flag_set *set)
{
	for (size_t i = 0; i < set->flags.count; i++) {
		struct flag_state *state = &set->flags.items[i];

		free(state->origin);
		if (state->text)
			explicit_bzero(state->text, strlen(state->text));
		free(state->text);
		list_clear(&state->list);
		list_clear(&state->origins);
	}
	for (size_t i = 0; i < set->arguments.count; i++)
		free(set->arguments.items[i]);
	for (size_t i = 0; i < set->warnings.count; i++)
		free(set->warnings.items[i]);
	cox_vec_free(&set->flags);
	cox_vec_free(&set->arguments);
	cox_vec_free(&set->warnings);
}

static struct flag_state *find(const struct flag_set *set, const char *name)
{
	for (size_t i = 0; i < set->flags.count; i++)
		if (strcmp(set->flags.items[i].flag->name, name) == 0)
			return &set->flags.items[i];
	return NULL;
}

/* An alias leads to the flag that holds the value. */
static struct flag_state *target_of(const struct flag_set *set, struct flag_state *state)
{
	return state->flag->alias_of ? find(set, state->flag->alias_of) : state;
}

static const char *value_text(const struct flag_state *state)
{
	if (state->text)
		return state->text;
	if (state->flag->fallback)
		return state->flag->fallback;
	switch (state->flag->type) {
	case FLAG_BOOL:
		return "false";
	case FLAG_INT:
	case FLAG_FLOAT:
		return "0";
	case FLAG_DURATION:
		return "0s";
	default:
		return "";
	}
}

static void *place_of(const struct flag_state *state)
{
	return (char *)state->base + state->flag->offset;
}

static void list_add(struct flag_list *list, const char *text, size_t size)
{
	list->items = cox_reallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = cox_strndup(text, size);
}

/* "A," has an empty last item, which is for the reader to judge. */
static void list_split(struct flag_list *list, const char *text, char separator)
{
	if (!*text)
		return;
	for (;;) {
		const char *end = strchrnul(text, separator);

		list_add(list, text, (size_t)(end - text));
		if (!*end)
			return;
		text = end + 1;
	}
}

static bool holds_list(const struct flag *flag)
{
	return flag->type == FLAG_LIST || flag->type == FLAG_MAP || flag->type == FLAG_REPEAT;
}

static char separator_of(const struct flag *flag)
{
	return flag->type == FLAG_REPEAT ? '\n' : ',';
}

static int want(struct cox_error *err, const char *what)
{
	return error_set(err, COX_REASON_INVALID, "want %s", what);
}

static int store_int(const struct flag_state *state, const char *text, struct cox_error *err)
{
	const struct flag *flag = state->flag;
	bool bounded = flag->low || flag->high;
	int64_t number;

	if (cox_parse_int(text, INT64_MIN, INT64_MAX, &number) < 0)
		return want(err, "a whole number");
	if (bounded && (number < flag->low || number > flag->high))
		return error_set(err, COX_REASON_INVALID,
				 "must be between %" PRId64 " and %" PRId64, flag->low, flag->high);
	*(int64_t *)place_of(state) = number;
	return 0;
}

static int store_float(const struct flag_state *state, const char *text, struct cox_error *err)
{
	char *end = NULL;
	double number = strtod(text, &end);

	/* strtod takes blanks, hexadecimal and names too. */
	if (!*text || *end || strspn(text, "0123456789.eE+-") != strlen(text) || !isfinite(number))
		return want(err, "a number");
	*(double *)place_of(state) = number;
	return 0;
}

/* Converts `text`, which is state->text or the default and stays as long. */
static int store(struct flag_state *state, const char *text, struct cox_error *err)
{
	switch (state->flag->type) {
	case FLAG_STRING:
		*(const char **)place_of(state) = text;
		return 0;
	case FLAG_BOOL:
		if (cox_parse_bool(text, place_of(state)) < 0)
			return want(err, "true or false");
		return 0;
	case FLAG_INT:
		return store_int(state, text, err);
	case FLAG_FLOAT:
		return store_float(state, text, err);
	case FLAG_DURATION:
		if (cox_parse_duration(text, place_of(state)) < 0)
			return want(err, "a duration such as 10s or 1h30m");
		return 0;
	case FLAG_LIST:
	case FLAG_MAP:
	case FLAG_REPEAT:
		list_clear(&state->list);
		list_split(&state->list, text, separator_of(state->flag));
		*(struct flag_list *)place_of(state) = state->list;
		return 0;
	}
	return 0;
}

/* The tables are ours: a mistake in one must not survive the first start. */
static void table_mistake(const struct flag *flag, const char *what)
{
	fprintf(stderr, "flag table: --%s: %s\n", flag->name, what);
	abort();
}

void flags_add(struct flag_set *set, const struct flag *table, size_t count, void *base)
{
	for (size_t i = 0; i < count; i++) {
		struct flag_state state = {.flag = &table[i], .base = base};

		if (find(set, table[i].name))
			table_mistake(&table[i], "is there twice");
		if (!table[i].alias_of && store(&state, value_text(&state), NULL) < 0)
			table_mistake(&table[i], "has a bad default");
		cox_vec_push(&set->flags, state);
	}
	for (size_t i = 0; i < count; i++)
		if (table[i].alias_of && !find(set, table[i].alias_of))
			table_mistake(&table[i], "is an alias of nothing");
}

static int add_origin(struct cox_error *err, const char *origin)
{
	cox_autobuf text = COX_BUF_INIT;

	if (!err || strcmp(origin, FLAGS_COMMAND_LINE) == 0)
		return -1;
	cox_buf_printf(&text, "%s (set in %s)", err->message, origin);
	free(err->message);
	err->message = cox_buf_steal(&text);
	return -1;
}

static void warn(struct flag_set *set, const char *format, ...) COX_PRINTF(2, 3);

static void warn(struct flag_set *set, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	cox_vec_push(&set->warnings, cox_buf_steal(&text));
}

static bool is_default(const struct flag *flag, const char *value)
{
	return strcmp(value, flag->fallback ? flag->fallback : "") == 0;
}

static void warn_of_use(struct flag_set *set, const struct flag *flag, const char *value)
{
	if (flag->deprecated)
		warn(set, "Flag --%s has been deprecated, %s", flag->name, flag->deprecated);
	/* Asking for what happens anyway is no reason to warn. */
	if (flag->traits & FLAG_NO_EFFECT && !is_default(flag, value))
		warn(set, "Flag --%s is accepted and has no effect", flag->name);
	if (!(flag->traits & FLAG_META))
		set->own_flags = true;
}

static bool from_command_line(const char *origin)
{
	return strcmp(origin, FLAGS_COMMAND_LINE) == 0;
}

static void join(struct cox_buf *text, const char *item, char separator)
{
	if (text->size)
		cox_buf_char(text, separator);
	cox_buf_str(text, item);
}

static bool same_key(const char *one, const char *other)
{
	size_t size = strcspn(one, "=");

	return strcspn(other, "=") == size && memcmp(one, other, size) == 0;
}

static bool has_key_of(const struct flag_list *list, const char *item, size_t from)
{
	for (size_t i = from; i < list->count; i++)
		if (same_key(list->items[i], item))
			return true;
	return false;
}

/*
 * Puts the new items behind the known ones whose keys are not among theirs. The
 * text is what all of them would be typed as; the origins are in its order.
 */
static void add_keyed(struct flag_state *state, const char *value, const char *origin,
		      struct cox_buf *text)
{
	char separator = separator_of(state->flag);
	struct flag_list added = {NULL, 0}, origins = {NULL, 0};

	list_split(&added, value, separator);
	for (size_t i = 0; state->origin && i < state->list.count; i++) {
		const char *known = state->list.items[i], *from = state->origins.items[i];

		if (has_key_of(&added, known, 0))
			continue;
		join(text, known, separator);
		list_add(&origins, from, strlen(from));
	}
	for (size_t i = 0; i < added.count; i++) {
		if (has_key_of(&added, added.items[i], i + 1))
			continue;
		join(text, added.items[i], separator);
		list_add(&origins, origin, strlen(origin));
	}
	list_clear(&added);
	list_clear(&state->origins);
	state->origins = origins;
}

static int set_value(struct flag_set *set, struct flag_state *given, const char *value,
		     const char *origin, struct cox_error *err)
{
	struct flag_state *state = target_of(set, given);
	cox_autobuf text = COX_BUF_INIT;
	cox_autofree char *before = state->text;

	if (holds_list(state->flag) && state->flag->traits & FLAG_KEYED) {
		add_keyed(state, value, origin, &text);
	} else {
		/* A list grows with each use, but the command line replaces what files say. */
		if (holds_list(state->flag) && state->origin &&
		    from_command_line(state->origin) == from_command_line(origin) && before &&
		    before[0])
			cox_buf_printf(&text, "%s%c", before, separator_of(state->flag));
		cox_buf_str(&text, value);
	}
	state->text = cox_buf_steal(&text);
	if (store(state, state->text, err) < 0) {
		bool secret = state->flag->traits & FLAG_SECRET;

		error_wrap(err, "invalid argument \"%s\" for --%s=%s", secret ? "***" : value,
			   given->flag->name, secret ? "***" : value);
		return add_origin(err, origin);
	}
	if (state->flag->traits & FLAG_NOT_OFFERED && !is_default(state->flag, value)) {
		error_set(err, COX_REASON_INVALID,
			  "--%s is not offered by this %s yet: take it out", given->flag->name,
			  set->program);
		return add_origin(err, origin);
	}
	free(state->origin);
	state->origin = cox_strdup(origin);
	warn_of_use(set, given->flag, value);
	return 0;
}

static const char *nearest_flag(const struct flag_set *set, const char *name)
{
	cox_autofree const char **names = cox_calloc(set->flags.count + 1, sizeof(*names));
	size_t count = 0;

	for (size_t i = 0; i < set->flags.count; i++)
		if (!(set->flags.items[i].flag->traits & FLAG_HIDDEN))
			names[count++] = set->flags.items[i].flag->name;
	return cox_nearest(name, names, count);
}

/* '_' equals '-'; a name that is cut is none of ours. */
static void normal_name(const char *text, size_t size, char out[NAME_SIZE])
{
	if (size > NAME_SIZE - 1)
		size = NAME_SIZE - 1;
	for (size_t i = 0; i < size; i++)
		out[i] = text[i] == '_' ? '-' : text[i];
	out[size] = '\0';
}

struct words {
	const char *const *items;
	size_t count;
	size_t at;
	const char *origin;
};

static int parse_long(struct flag_set *set, struct words *words, struct cox_error *err)
{
	const char *word = words->items[words->at], *name = word + 2;
	size_t size = strcspn(name, "=");
	struct flag_state *state;
	char normal[NAME_SIZE];
	const char *near;

	if (!size || *name == '-') {
		error_set(err, COX_REASON_INVALID, "bad flag syntax: %s", word);
		return add_origin(err, words->origin);
	}
	normal_name(name, size, normal);
	state = find(set, normal);
	if (!state) {
		near = nearest_flag(set, normal);
		error_set(err, COX_REASON_INVALID, "unknown flag: --%.*s%s%s%s", (int)size, name,
			  near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "");
		return add_origin(err, words->origin);
	}
	if (name[size] == '=')
		return set_value(set, state, name + size + 1, words->origin, err);
	if (target_of(set, state)->flag->type == FLAG_BOOL)
		return set_value(set, state, "true", words->origin, err);
	if (words->at + 1 == words->count) {
		error_set(err, COX_REASON_INVALID, "flag needs an argument: --%.*s", (int)size,
			  name);
		return add_origin(err, words->origin);
	}
	return set_value(set, state, words->items[++words->at], words->origin, err);
}

static struct flag_state *find_shorthand(const struct flag_set *set, char letter)
{
	for (size_t i = 0; i < set->flags.count; i++)
		if (set->flags.items[i].flag->shorthand == letter)
			return &set->flags.items[i];
	return NULL;
}

static int unknown_shorthand(const struct flag_set *set, const char *word, char letter,
			     const char *origin, struct cox_error *err)
{
	char normal[NAME_SIZE];
	const char *near = NULL;

	/* Somebody who writes -etcd-servers means --etcd-servers. */
	normal_name(word + 1, strcspn(word + 1, "="), normal);
	if (strlen(normal) > 1)
		near = nearest_flag(set, normal);
	error_set(err, COX_REASON_INVALID, "unknown shorthand flag: '%c' in %s%s%s%s", letter, word,
		  near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "");
	return add_origin(err, origin);
}

static int parse_short(struct flag_set *set, struct words *words, struct cox_error *err)
{
	const char *word = words->items[words->at];

	for (const char *at = word + 1; *at; at++) {
		struct flag_state *state = find_shorthand(set, *at);

		if (!state)
			return unknown_shorthand(set, word, *at, words->origin, err);
		if (at[1] == '=')
			return set_value(set, state, at + 2, words->origin, err);
		if (target_of(set, state)->flag->type == FLAG_BOOL) {
			if (set_value(set, state, "true", words->origin, err) < 0)
				return -1;
			continue;
		}
		if (at[1])
			return set_value(set, state, at + 1, words->origin, err);
		if (words->at + 1 == words->count) {
			error_set(err, COX_REASON_INVALID, "flag needs an argument: '%c' in %s",
				  *at, word);
			return add_origin(err, words->origin);
		}
		return set_value(set, state, words->items[++words->at], words->origin, err);
	}
	return 0;
}

/* A word that begins with a dash of the wrong sort would pass for an argument. */
static int check_dash(const char *word, const char *origin, struct cox_error *err)
{
	struct typo typo;
	char flag[NAME_SIZE];

	if (!cox_utf8_valid(word, strlen(word), NULL) || !typo_find(word, strlen(word), &typo) ||
	    typo.at > 1 || (typo.at == 1 && word[0] != '-') || strcmp(typo.instead, "-") != 0)
		return 0;
	typo_flag_after(word, strlen(word), flag, sizeof(flag));
	error_set(err, COX_REASON_INVALID,
		  "\"%s\" is not a flag: U+%04X (%s) in place of \"-\"%s%s%s", word,
		  typo.code_point, typo.name, flag[0] ? ", did you mean --" : "", flag,
		  flag[0] ? "?" : "");
	return add_origin(err, origin);
}

int flags_parse(struct flag_set *set, const char *const *items, size_t count, const char *origin,
		struct cox_error *err)
{
	struct words words = {items, count, 0, origin};
	bool only_arguments = false;

	for (; words.at < count; words.at++) {
		const char *word = items[words.at];

		if (only_arguments) {
			cox_vec_push(&set->arguments, cox_strdup(word));
		} else if (strcmp(word, "--") == 0) {
			only_arguments = true;
		} else if (check_dash(word, origin, err) < 0) {
			return -1;
		} else if (word[0] == '-' && word[1] == '-') {
			if (parse_long(set, &words, err) < 0)
				return -1;
		} else if (word[0] == '-' && word[1]) {
			if (parse_short(set, &words, err) < 0)
				return -1;
		} else {
			cox_vec_push(&set->arguments, cox_strdup(word));
		}
	}
	return 0;
}

static const struct flag_state *find_target(const struct flag_set *set, const char *name)
{
	struct flag_state *state = find(set, name);

	return state ? target_of(set, state) : NULL;
}

const char *flags_origin(const struct flag_set *set, const char *name)
{
	const struct flag_state *state = find_target(set, name);

	return state && state->origin ? state->origin : "default";
}

const char *flags_item_origin(const struct flag_set *set, const char *name, size_t item)
{
	const struct flag_state *state = find_target(set, name);

	if (state && item < state->origins.count)
		return state->origins.items[item];
	return flags_origin(set, name);
}

bool flags_given(const struct flag_set *set, const char *name)
{
	const struct flag_state *state = find_target(set, name);

	return state && state->origin;
}

const char *flags_value(const struct flag_set *set, const char *name)
{
	const struct flag_state *state = find_target(set, name);

	return state ? value_text(state) : NULL;
}

static const char *type_name(const struct flag *flag)
{
	static const char *const names[] = {
		[FLAG_STRING] = " string",     [FLAG_BOOL] = "",
		[FLAG_INT] = " int",	       [FLAG_FLOAT] = " float",
		[FLAG_DURATION] = " duration", [FLAG_LIST] = " strings",
		[FLAG_REPEAT] = " string",     [FLAG_MAP] = " key=value,...",
	};

	return names[flag->type];
}

static void put_usage(const struct flag_set *set, const struct flag_state *state,
		      struct cox_buf *out)
{
	const struct flag *flag = state->flag;
	const struct flag *holder = find_target(set, flag->name)->flag;
	size_t start = out->size;

	if (flag->shorthand)
		cox_buf_printf(out, "  -%c, --%s%s", flag->shorthand, flag->name,
			       type_name(holder));
	else
		cox_buf_printf(out, "      --%s%s", flag->name, type_name(holder));
	while (out->size - start < 48)
		cox_buf_char(out, ' ');
	if (flag->alias_of)
		cox_buf_printf(out, "  Same as --%s", flag->alias_of);
	else
		cox_buf_printf(out, "  %s", flag->help);
	if (flag->traits & FLAG_NO_EFFECT)
		cox_buf_str(out, " (accepted, has no effect)");
	if (flag->traits & FLAG_NOT_OFFERED)
		cox_buf_str(out, " (not offered yet)");
	if (flag->deprecated)
		cox_buf_printf(out, " (DEPRECATED: %s)", flag->deprecated);
	if (!flag->alias_of && flag->fallback && flag->fallback[0] &&
	    !(flag->type == FLAG_BOOL && strcmp(flag->fallback, "false") == 0))
		cox_buf_printf(out, " (default %s)", flag->fallback);
	cox_buf_char(out, '\n');
}

void flags_usage(const struct flag_set *set, struct cox_buf *out)
{
	for (size_t i = 0; i < set->flags.count; i++)
		if (!(set->flags.items[i].flag->traits & FLAG_HIDDEN))
			put_usage(set, &set->flags.items[i], out);
}

void flags_dump(const struct flag_set *set, struct cox_buf *out)
{
	for (size_t i = 0; i < set->flags.count; i++) {
		const struct flag_state *state = &set->flags.items[i];
		const char *value = value_text(state);

		if (state->flag->alias_of || state->flag->traits & FLAG_META)
			continue;
		if (state->flag->traits & FLAG_SECRET && value[0])
			value = "***";
		cox_buf_printf(out, "%s=%s # %s\n", state->flag->name, value,
			       state->origin ? state->origin : "default");
	}
}

void flags_compare(const struct flag_set *before, const struct flag_set *after,
		   void (*each)(const struct flag *flag, void *arg), void *arg)
{
	for (size_t i = 0; i < before->flags.count; i++) {
		const struct flag_state *old = &before->flags.items[i];
		const struct flag_state *new = find(after, old->flag->name);

		if (new && !old->flag->alias_of && strcmp(value_text(old), value_text(new)) != 0)
			each(old->flag, arg);
	}
}
