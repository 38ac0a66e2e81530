/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of the store in leveldb; see the header. */
#include "format.h"

enum { STATE_CLEAN = 1, STATE_COPY = 2, STATE_LAYOUT = 2 };
enum { VERSION_DELETED = 1 };
enum { RECORD_DELETED = 1, RECORD_BEFORE_DELETED = 2 };

static char *put_little(char *out, uint64_t number, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		*out++ = (char)(unsigned char)(number >> (8 * i));
	return out;
}

uint64_t get_little(const char *in, unsigned size)
{
	uint64_t number = 0;

	for (unsigned i = size; i-- > 0;)
		number = number << 8 | (unsigned char)in[i];
	return number;
}

static char *put_big(char *out, uint64_t number, unsigned size)
{
	for (unsigned i = size; i-- > 0;)
		*out++ = (char)(unsigned char)(number >> (8 * i));
	return out;
}

static uint64_t get_big(const char *in, unsigned size)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < size; i++)
		number = number << 8 | (unsigned char)in[i];
	return number;
}

void state_encode(const struct state *state, char out[STATE_SIZE])
{
	const uint64_t numbers[] = {state->serial,	state->synced,	state->log_first,
				    state->revision,	state->limit,	state->compacted,
				    state->cleaned,	state->indexed, state->keys,
				    state->value_bytes, state->clock,	state->hole_from,
				    state->hole_to};

	*out++ = STATE_LAYOUT;
	*out++ = (char)((state->clean ? STATE_CLEAN : 0) | (state->copy ? STATE_COPY : 0));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		out = put_little(out, numbers[i], 8);
}

int state_decode(const char *data, size_t size, struct state *state)
{
	uint64_t numbers[13];

	if (size != STATE_SIZE || data[0] != STATE_LAYOUT)
		return -1;
	for (size_t i = 0; i < 13; i++)
		numbers[i] = get_little(data + 2 + 8 * i, 8);
	*state = (struct state){.serial = numbers[0],
				.synced = numbers[1],
				.log_first = numbers[2],
				.revision = numbers[3],
				.limit = numbers[4],
				.compacted = numbers[5],
				.cleaned = numbers[6],
				.indexed = numbers[7],
				.keys = numbers[8],
				.value_bytes = numbers[9],
				.clock = numbers[10],
				.hole_from = numbers[11],
				.hole_to = numbers[12],
				.clean = (data[1] & STATE_CLEAN) != 0,
				.copy = (data[1] & STATE_COPY) != 0};
	return 0;
}

void version_encode(const struct version *version, char out[VERSION_SIZE])
{
	*out++ = version->deleted ? VERSION_DELETED : 0;
	out = put_little(out, version->revision, 8);
	out = put_little(out, version->index, 4);
	out = put_little(out, version->tag, 4);
	out = put_little(out, version->size, 8);
	put_little(out, version->expires, 8);
}

int version_decode(const char *data, size_t size, struct version *version)
{
	if (size != VERSION_SIZE)
		return -1;
	*version = (struct version){.deleted = (data[0] & VERSION_DELETED) != 0,
				    .revision = get_little(data + 1, 8),
				    .index = (uint32_t)get_little(data + 9, 4),
				    .tag = (uint32_t)get_little(data + 13, 4),
				    .size = get_little(data + 17, 8),
				    .expires = get_little(data + 25, 8)};
	return version->revision ? 0 : -1;
}

void record_key(uint64_t revision, uint32_t index, char out[RECORD_KEY_SIZE])
{
	*out++ = 'r';
	out = put_big(out, revision, 8);
	put_big(out, index, 4);
}

int record_key_decode(const char *data, size_t size, uint64_t *revision, uint32_t *index)
{
	if (size != RECORD_KEY_SIZE || data[0] != 'r')
		return -1;
	*revision = get_big(data + 1, 8);
	*index = (uint32_t)get_big(data + 9, 4);
	return 0;
}

/* flags 1, tag 4, before 8 + 4, expires 8, key size 2, a spare 0, key, value */
void record_encode(const struct change *change, struct cox_buf *out)
{
	char *at = cox_buf_reserve(out, RECORD_HEADER_SIZE);

	*at++ = (char)((change->now.deleted ? RECORD_DELETED : 0) |
		       (change->before.deleted ? RECORD_BEFORE_DELETED : 0));
	at = put_little(at, change->now.tag, 4);
	at = put_little(at, change->before.revision, 8);
	at = put_little(at, change->before.index, 4);
	at = put_little(at, change->now.expires, 8);
	at = put_little(at, change->key.size, 2);
	*at = 0;
	cox_buf_added(out, RECORD_HEADER_SIZE);
	cox_buf_add(out, change->key.data, change->key.size);
	if (change->value.size)
		cox_buf_add(out, change->value.data, change->value.size);
}

int record_decode(const char *data, size_t size, struct record *record)
{
	size_t key_size;

	if (size < RECORD_HEADER_SIZE)
		return -1;
	key_size = get_little(data + 25, 2);
	if (key_size == 0 || key_size > size - RECORD_HEADER_SIZE)
		return -1;
	*record = (struct record){.deleted = (data[0] & RECORD_DELETED) != 0,
				  .before_deleted = (data[0] & RECORD_BEFORE_DELETED) != 0,
				  .tag = (uint32_t)get_little(data + 1, 4),
				  .before_revision = get_little(data + 5, 8),
				  .before_index = (uint32_t)get_little(data + 13, 4),
				  .expires = get_little(data + 17, 8),
				  .key = {data + RECORD_HEADER_SIZE, key_size},
				  .value = {data + RECORD_HEADER_SIZE + key_size,
					    size - RECORD_HEADER_SIZE - key_size}};
	return 0;
}

void ending_key(const struct version *version, char out[ENDING_KEY_SIZE])
{
	*out++ = 't';
	out = put_big(out, version->expires, 8);
	out = put_big(out, version->revision, 8);
	put_big(out, version->index, 4);
}

int ending_key_decode(const char *data, size_t size, uint64_t *expires, uint64_t *revision)
{
	if (size != ENDING_KEY_SIZE || data[0] != 't')
		return -1;
	*expires = get_big(data + 1, 8);
	*revision = get_big(data + 9, 8);
	return 0;
}
