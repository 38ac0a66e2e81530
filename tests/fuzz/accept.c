/* SPDX-License-Identifier: Apache-2.0 */
/* Accept headers: the type that one leads to, asked for, leads to itself. */
#include "apiserver/negotiate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *accept, unsigned offers)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct media_choice choice, again;
	bool watch = (offers & OFFER_WATCH) != 0;
	const char *type;

	if (negotiate_accept(accept, offers, &choice, &err) != 0) {
		if (err.reason != COX_REASON_NOT_ACCEPTABLE)
			abort();
		return;
	}
	if (!(offers & (1u << choice.format)))
		abort();
	type = negotiate_content_type(&choice, watch, &arena);
	if (negotiate_accept(type, offers, &again, &err) != 0 || again.format != choice.format ||
	    again.shape != choice.shape || strcmp(again.shape_version, choice.shape_version) != 0 ||
	    strcmp(negotiate_content_type(&again, watch, &arena), type) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cox_autoarena arena = ARENA_INIT;
	char *text = arena_strndup(&arena, (const char *)data, size);
	char bare[16];

	check(text, OFFER_JSON | OFFER_YAML | OFFER_PROTOBUF | OFFER_TABLE | OFFER_PARTIAL);
	check(text, OFFER_JSON | OFFER_PROTOBUF | OFFER_TABLE | OFFER_PARTIAL | OFFER_WATCH);
	check(text, OFFER_JSON | OFFER_YAML | OFFER_PROTOBUF | OFFER_AGGREGATED);
	check(text, OFFER_JSON | OFFER_TEXT | OFFER_PARTIAL_LIST);
	negotiate_bare_type(text, bare, sizeof(bare));
	if (strlen(bare) >= sizeof(bare))
		abort();
	return negotiate_body(text) > MEDIA_NONE;
}
