/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line flags as a table: one entry a flag, with type, default and help,
 * and the place in a struct where the value goes. The same table feeds
 * parsing, --help, --dump-config and the near-miss hints. The syntax is that of
 * pflag: --name=value, --name value, --bool, --bool=false, -v 2; '_' equals
 * '-' in names.
 *
 *	struct apiserver_config config;
 *	struct flag_set set;
 *	flags_init(&set, "kube-apiserver");
 *	flags_add(&set, apiserver_flags, apiserver_flag_count, &config);
 *	flags_parse(&set, argv + 1, argc - 1, FLAGS_COMMAND_LINE, err);
 *
 * flags_add sets the defaults. Values live until flags_free. One thread.
 */
#ifndef COX_CONFIG_FLAGS_H
#define COX_CONFIG_FLAGS_H

#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/vec.h>
#include <stdbool.h>
#include <stddef.h>

#define FLAGS_COMMAND_LINE "command line"

/* The member that `offset` leads to has the type in brackets. */
enum flag_type {
	FLAG_STRING,   /* [const char *], never NULL */
	FLAG_BOOL,     /* [bool] */
	FLAG_INT,      /* [int64_t], between low and high unless both are 0 */
	FLAG_FLOAT,    /* [double] */
	FLAG_DURATION, /* [uint64_t] nanoseconds */
	FLAG_LIST,     /* [struct flag_list], comma separated; repeated: appended */
	FLAG_MAP,      /* [struct flag_list] of "key=value"; repeated: appended */
	FLAG_REPEAT    /* [struct flag_list], one item each time it is given */
};

struct flag_list {
	char **items;
	size_t count;
};

/*
 * Given more than once, or by two names: the last one counts. Of lists, what the
 * command line says replaces what files say, but those with keys hold the items of
 * all places, one a key.
 */
struct flag {
	const char *name; /* with '-' */
	enum flag_type type;
	size_t offset;
	const char *fallback;	/* default as it would be typed; NULL: empty */
	const char *help;	/* one line, without a full stop */
	unsigned traits;	/* FLAG_… below */
	char shorthand;		/* 0: none */
	int64_t low, high;	/* FLAG_INT */
	const char *alias_of;	/* another name of that flag; type and place are its */
	const char *deprecated; /* "use --x instead"; NULL: not deprecated */
};

#define FLAG_NO_EFFECT 1u /* accepted for the files of others; warns unless the default */
#define FLAG_SECRET 2u	  /* the value is never shown */
#define FLAG_META 4u	  /* about starting, not about the daemon (--help, …) */
#define FLAG_HIDDEN 8u	  /* not in --help */
#define FLAG_RELOAD 16u	  /* SIGHUP puts a changed value into force */
#define FLAG_KEYED 32u	  /* a list of KEY=VALUE: the last one of each key counts */
/* Without it there is less protection than was asked for: refused unless the default. */
#define FLAG_NOT_OFFERED 64u

/*
 * Entries of a table. FLAG_ENTRY(struct x_config, STRING, "master", master, NULL,
 * "help", .traits = FLAG_RELOAD); FLAG_ALIAS("port", "insecure-port",
 * .deprecated = "use --insecure-port instead").
 */
#define FLAG_ENTRY(config, kind, flag_name, member, default_text, help_text, ...)                  \
	{                                                                                          \
		.name = (flag_name), .type = FLAG_##kind, .offset = offsetof(config, member),      \
		.fallback = (default_text), .help = (help_text), __VA_ARGS__                       \
	}
#define FLAG_ALIAS(flag_name, target, ...)                                                         \
	{                                                                                          \
		.name = (flag_name), .alias_of = (target), __VA_ARGS__                             \
	}

#define FLAG_COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct flag_state {
	const struct flag *flag;
	void *base;   /* the struct that `offset` is in */
	char *origin; /* NULL: the default */
	char *text;   /* as given; lists joined by ',', repeated ones by newlines */
	struct flag_list list;
	struct flag_list origins; /* FLAG_KEYED: of each item */
};

struct flag_set {
	const char *program;
	COX_VEC(struct flag_state) flags;
	COX_VEC(char *) arguments; /* what is not a flag */
	COX_VEC(char *) warnings;  /* to be logged once the log runs */
	bool own_flags;		   /* a flag without FLAG_META was given */
};

void flags_init(struct flag_set *set, const char *program);
void flags_free(struct flag_set *set);
/* Adds a table whose values go into `base`. Names must be new. */
void flags_add(struct flag_set *set, const struct flag *table, size_t count, void *base);

/* `words` are borrowed. `origin` is kept for messages and --dump-config. */
int flags_parse(struct flag_set *set, const char *const *words, size_t count, const char *origin,
		struct cox_error *err) COX_MUST_CHECK;

/* Where a value comes from: "default", "command line" or "FILE:LINE". */
const char *flags_origin(const struct flag_set *set, const char *name);
/* The same for one item of a list; only FLAG_KEYED ones know it better. */
const char *flags_item_origin(const struct flag_set *set, const char *name, size_t item);
bool flags_given(const struct flag_set *set, const char *name);
/* A value as it would be typed, borrowed; NULL: there is no such flag. */
const char *flags_value(const struct flag_set *set, const char *name);

/* The list of flags as --help shows it. */
void flags_usage(const struct flag_set *set, struct cox_buf *out);
/* name=value lines in table order, each with its origin behind " # ". */
void flags_dump(const struct flag_set *set, struct cox_buf *out);
/* Calls `each` for every flag whose value differs between the two sets. */
void flags_compare(const struct flag_set *before, const struct flag_set *after,
		   void (*each)(const struct flag *flag, void *arg), void *arg);

#endif
