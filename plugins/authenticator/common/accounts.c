/* SPDX-License-Identifier: Apache-2.0 */
/* Users of a file; see the header. */
#include "accounts.h"

#include "csv.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/vec.h>
#include <string.h>

enum { GROUPS_MAX = 256 };

struct accounts {
	COX_VEC(struct account) list; /* by hash; of one key the last line first */
	enum accounts_key key;
	uint64_t seed[2];
};

static const char *key_of(const struct accounts *accounts, const struct account *account)
{
	return accounts->key == ACCOUNTS_BY_SECRET ? account->secret : account->user;
}

static void free_secret(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void accounts_free(struct accounts *accounts)
{
	if (!accounts)
		return;
	for (size_t i = 0; i < accounts->list.count; i++) {
		struct account *account = &accounts->list.items[i];

		free_secret(account->secret);
		free(account->user);
		free(account->uid);
		for (size_t j = 0; j < account->group_count; j++)
			free(account->groups[j]);
		free(account->groups);
	}
	cox_vec_free(&accounts->list);
	free(accounts);
}

size_t accounts_count(const struct accounts *accounts)
{
	return accounts->list.count;
}

static int compare(const void *left, const void *right)
{
	const struct account *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->line > b->line ? -1 : a->line < b->line;
}

/* "one, two": blanks around a name do not belong to it. */
static int add_groups(struct account *account, const char *text, struct cox_buf *why)
{
	while (*text) {
		size_t size = strcspn(text, ","), begin = strspn(text, " \t"), end = size;

		while (end > begin && (text[end - 1] == ' ' || text[end - 1] == '\t'))
			end--;
		if (end > begin && account->group_count == GROUPS_MAX) {
			cox_buf_printf(why, "more than %d groups", GROUPS_MAX);
			return -1;
		}
		if (end > begin) {
			account->groups = cox_reallocarray(
				account->groups, account->group_count + 1, sizeof(char *));
			account->groups[account->group_count++] =
				cox_strndup(text + begin, end - begin);
		}
		text += size + (text[size] == ',');
	}
	return 0;
}

static int add_account(struct accounts *accounts, const struct csv_record *record,
		       struct cox_buf *why)
{
	struct account account = {.line = record->line};
	const char *key;

	if (record->count < 3) {
		cox_buf_printf(why, "%zu column%s; at least 3 are needed: %s, user name, user uid",
			       record->count, record->count == 1 ? "" : "s",
			       accounts->key == ACCOUNTS_BY_SECRET ? "token" : "password");
		return -1;
	}
	if (!*csv_field(record, 1)) {
		cox_buf_str(why, "the user name is empty");
		return -1;
	}
	account.secret = cox_strdup(csv_field(record, 0));
	account.user = cox_strdup(csv_field(record, 1));
	account.uid = cox_strdup(csv_field(record, 2));
	key = key_of(accounts, &account);
	account.hash = cox_siphash13(accounts->seed, key, strlen(key));
	cox_vec_push(&accounts->list, account);
	return add_groups(&accounts->list.items[accounts->list.count - 1], csv_field(record, 3),
			  why);
}

/* Says what is in the file but has no effect. */
static void say_idle(const struct accounts *accounts, const struct cox_host *host, const char *path)
{
	for (size_t i = 1; i < accounts->list.count; i++) {
		const struct account *last = &accounts->list.items[i - 1];
		const struct account *account = &accounts->list.items[i];

		if (last->hash == account->hash)
			host->log(host->context, COX_LOG_WARNING,
				  "%s:%u: the same %s as in line %u, which counts", path,
				  account->line,
				  accounts->key == ACCOUNTS_BY_SECRET ? "token" : "user name",
				  last->line);
	}
}

struct accounts *accounts_parse(const struct cox_host *host, enum accounts_key key,
				const char *path, const char *data, size_t size,
				struct cox_buf *why)
{
	struct accounts *accounts = cox_new(struct accounts);
	struct csv_record record cox_auto(csv_record_free) = {0};
	cox_autobuf wrong = COX_BUF_INIT;
	struct csv_reader reader;
	int status;

	accounts->key = key;
	host->random(accounts->seed, sizeof(accounts->seed));
	csv_begin(&reader, data, size);
	while ((status = csv_next(&reader, &record, &wrong)) > 0) {
		if (record.count >= 3 && !*csv_field(&record, 0)) {
			host->log(host->context, COX_LOG_WARNING,
				  "%s:%u: an empty %s lets nobody in; the line is skipped", path,
				  record.line, key == ACCOUNTS_BY_SECRET ? "token" : "password");
			continue;
		}
		if (record.count > 4)
			host->log(host->context, COX_LOG_WARNING,
				  "%s:%u: %zu columns, only 4 count; several groups go between "
				  "quotation marks: \"one,two\"",
				  path, record.line, record.count);
		if (add_account(accounts, &record, &wrong) != 0) {
			reader.line = record.line;
			status = -1;
			break;
		}
	}
	if (status < 0) {
		cox_buf_printf(why, "%s:%u: %s", path, reader.line, cox_buf_cstr(&wrong));
		accounts_free(accounts);
		return NULL;
	}
	if (accounts->list.count)
		qsort(accounts->list.items, accounts->list.count, sizeof(struct account), compare);
	say_idle(accounts, host, path);
	return accounts;
}

static bool same_secret(const char *a, const char *b)
{
	size_t size = strlen(a);

	return size == strlen(b) && cox_equal_secret(a, b, size);
}

const struct account *accounts_find(const struct accounts *accounts, const char *key)
{
	uint64_t hash = cox_siphash13(accounts->seed, key, strlen(key));
	size_t low = 0, high = accounts->list.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (accounts->list.items[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < accounts->list.count && accounts->list.items[low].hash == hash; low++)
		if (same_secret(key_of(accounts, &accounts->list.items[low]), key))
			return &accounts->list.items[low];
	return NULL;
}

bool account_has_secret(const struct account *account, const char *secret)
{
	return same_secret(account->secret, secret);
}

void account_tell(const struct account *account, const struct cox_identity_sink *sink)
{
	sink->user(sink, account->user, account->uid);
	for (size_t i = 0; i < account->group_count; i++)
		sink->group(sink, account->groups[i]);
}

/* The file */

static int take(void *owner, const char *path, const char *data, size_t size, struct cox_buf *why)
{
	struct accounts_file *self = owner;
	struct accounts *accounts = accounts_parse(self->host, self->key, path, data, size, why);
	struct accounts *old;

	if (!accounts)
		return -1;
	pthread_rwlock_wrlock(&self->lock);
	old = self->accounts;
	self->accounts = accounts;
	pthread_rwlock_unlock(&self->lock);
	accounts_free(old);
	return 0;
}

struct accounts_file *accounts_file_new(const struct cox_host *host, enum accounts_key key)
{
	struct accounts_file *self = cox_new(struct accounts_file);

	self->host = host;
	self->key = key;
	self->file = (struct watched){.host = host, .take = take, .owner = self};
	pthread_rwlock_init(&self->lock, NULL);
	return self;
}

int accounts_file_config(void *instance, const char *key, const char *value, struct cox_error *err)
{
	struct accounts_file *self = instance;
	int64_t interval;

	if (strcmp(key, "file") == 0) {
		watched_init(&self->file, value);
		return 0;
	}
	if (cox_parse_int(value, 0, INT64_MAX, &interval) != 0)
		return self->host->fail(err, COX_REASON_INVALID, "not a duration");
	self->file.interval_ns = (uint64_t)interval;
	return 0;
}

int accounts_file_get_ready(void *instance, struct cox_error *err)
{
	return watched_load(&((struct accounts_file *)instance)->file, err);
}

void accounts_file_destroy(void *instance)
{
	struct accounts_file *self = instance;

	watched_free(&self->file);
	accounts_free(self->accounts);
	pthread_rwlock_destroy(&self->lock);
	free(self);
}
