/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text form of label selectors: a=b, a==b, a!=b, a in (b,c), a notin (b),
 * a, !a, a>1, a<1, separated by commas. A word is everything up to a blank or a
 * special character; "in" and "notin" are words too where a value can stand.
 */
#include "machinery/selector_build.h"

#include <string.h>

enum token {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_COMMA,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_NOT,
	TOKEN_EQUALS,
	TOKEN_DOUBLE_EQUALS,
	TOKEN_NOT_EQUALS,
	TOKEN_GREATER,
	TOKEN_LESS,
	TOKEN_BAD
};

struct lexer {
	struct selector_draft *draft;
	struct cox_error *err;
	const char *at, *end;
	/* the next token */
	enum token token;
	const char *text;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
	return c && strchr("=!(),<>", c);
}

/* The longest special symbol that begins here. */
static enum token read_symbol(struct lexer *lexer)
{
	static const struct {
		char text[3];
		uint8_t token;
	} symbols[] = {
		{"==", TOKEN_DOUBLE_EQUALS}, {"!=", TOKEN_NOT_EQUALS},
		{"=", TOKEN_EQUALS},	     {"!", TOKEN_NOT},
		{",", TOKEN_COMMA},	     {"(", TOKEN_OPEN},
		{")", TOKEN_CLOSE},	     {">", TOKEN_GREATER},
		{"<", TOKEN_LESS},
	};

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		size_t size = strlen(symbols[i].text);

		if ((size_t)(lexer->end - lexer->at) < size ||
		    memcmp(lexer->at, symbols[i].text, size) != 0)
			continue;
		lexer->text = symbols[i].text;
		lexer->at += size;
		return (enum token)symbols[i].token;
	}
	return TOKEN_BAD;
}

static void advance(struct lexer *lexer)
{
	const char *start;

	while (lexer->at < lexer->end && is_blank(*lexer->at))
		lexer->at++;
	if (lexer->at == lexer->end) {
		lexer->token = TOKEN_END;
		lexer->text = "";
		return;
	}
	if (is_special(*lexer->at)) {
		lexer->token = read_symbol(lexer);
		return;
	}
	start = lexer->at;
	while (lexer->at < lexer->end && !is_blank(*lexer->at) && !is_special(*lexer->at))
		lexer->at++;
	lexer->token = TOKEN_WORD;
	lexer->text = arena_strndup(&lexer->draft->arena, start, (size_t)(lexer->at - start));
}

static int refuse(struct lexer *lexer, const char *expected)
{
	return error_set(lexer->err, COX_REASON_BAD_REQUEST, "found '%s', expected: %s",
			 lexer->text, expected);
}

/*
 * The list between brackets. A comma without a word before it stands for an
 * empty value, as does one before the closing bracket.
 */
static int read_values(struct lexer *lexer)
{
	bool word = false;

	if (lexer->token != TOKEN_OPEN)
		return refuse(lexer, "'('");
	advance(lexer);
	if (lexer->token == TOKEN_CLOSE) {
		advance(lexer);
		return 0;
	}
	if (lexer->token != TOKEN_WORD && lexer->token != TOKEN_COMMA)
		return refuse(lexer, "',', ')' or identifier");
	for (;;) {
		if (lexer->token == TOKEN_WORD) {
			if (word)
				return refuse(lexer, "',' or ')'");
			selector_draft_value(lexer->draft, lexer->text);
			word = true;
		} else if (lexer->token == TOKEN_COMMA || lexer->token == TOKEN_CLOSE) {
			if (!word)
				selector_draft_value(lexer->draft, "");
			word = false;
		} else {
			return refuse(lexer, word ? "',' or ')'" : "',', or identifier");
		}
		if (lexer->token == TOKEN_CLOSE) {
			advance(lexer);
			return 0;
		}
		advance(lexer);
	}
}

static int read_exact_value(struct lexer *lexer)
{
	if (lexer->token == TOKEN_END || lexer->token == TOKEN_COMMA) {
		selector_draft_value(lexer->draft, "");
		return 0;
	}
	if (lexer->token != TOKEN_WORD)
		return refuse(lexer, "identifier");
	selector_draft_value(lexer->draft, lexer->text);
	advance(lexer);
	return 0;
}

/* What stands behind the key: an operator and its values. */
static int read_relation(struct lexer *lexer, const char *key)
{
	enum token token = lexer->token;

	if (token == TOKEN_WORD &&
	    (strcmp(lexer->text, "in") == 0 || strcmp(lexer->text, "notin") == 0)) {
		selector_draft_begin(lexer->draft, key,
				     *lexer->text == 'i' ? SELECTOR_IN : SELECTOR_NOT_IN, false);
		advance(lexer);
		return read_values(lexer);
	}
	switch (token) {
	case TOKEN_EQUALS:
	case TOKEN_DOUBLE_EQUALS:
		selector_draft_begin(lexer->draft, key, SELECTOR_IN, true);
		break;
	case TOKEN_NOT_EQUALS:
		selector_draft_begin(lexer->draft, key, SELECTOR_NOT_IN, true);
		break;
	case TOKEN_GREATER:
	case TOKEN_LESS:
		selector_draft_begin(lexer->draft, key,
				     token == TOKEN_GREATER ? SELECTOR_GREATER : SELECTOR_LESS,
				     false);
		break;
	default:
		return refuse(lexer, "in, notin, =, ==, !=, gt, lt");
	}
	advance(lexer);
	return read_exact_value(lexer);
}

static int read_requirement(struct lexer *lexer)
{
	bool negated = lexer->token == TOKEN_NOT;
	const char *key;

	if (negated)
		advance(lexer);
	if (lexer->token != TOKEN_WORD)
		return refuse(lexer, "identifier");
	key = lexer->text;
	advance(lexer);
	if (!negated && lexer->token != TOKEN_END && lexer->token != TOKEN_COMMA)
		return read_relation(lexer, key);
	selector_draft_begin(lexer->draft, key, negated ? SELECTOR_NOT_EXISTS : SELECTOR_EXISTS,
			     false);
	return 0;
}

static int read_requirements(struct lexer *lexer)
{
	advance(lexer);
	if (lexer->token == TOKEN_END)
		return 0;
	if (lexer->token != TOKEN_WORD && lexer->token != TOKEN_NOT)
		return refuse(lexer, "!, identifier, or 'end of string'");
	for (;;) {
		if (read_requirement(lexer) != 0)
			return error_wrap(lexer->err, "unable to parse requirement");
		if (lexer->token == TOKEN_END)
			return 0;
		if (lexer->token != TOKEN_COMMA)
			return refuse(lexer, "',' or 'end of string'");
		advance(lexer);
		if (lexer->token != TOKEN_WORD && lexer->token != TOKEN_NOT)
			return refuse(lexer, "identifier after ','");
	}
}

struct label_selector *label_selector_parse(const char *text, size_t size, struct cox_error *err)
{
	__attribute__((cleanup(selector_draft_free))) struct selector_draft draft =
		SELECTOR_DRAFT_INIT;
	struct lexer lexer = {.draft = &draft, .err = err, .at = text, .end = text + size};
	struct label_selector *selector;

	if (memchr(text, '\0', size)) {
		error_set(err, COX_REASON_BAD_REQUEST, "a selector must not contain a zero byte");
		return NULL;
	}
	if (read_requirements(&lexer) != 0)
		return NULL;
	selector = selector_draft_finish(&draft, err);
	if (!selector)
		error_wrap(err, "unable to parse requirement");
	return selector;
}
