/* SPDX-License-Identifier: Apache-2.0 */
/*
 * basic: users and passwords from a file with lines password,user,uid,"groups".
 * An unknown user takes as long to refuse as a wrong password.
 */
#include "accounts.h"

#include <coxswain/kit/text.h>
#include <string.h>

static void *basic_create(const struct cox_host *host, struct cox_error *err)
{
	(void)err;
	return accounts_file_new(host, ACCOUNTS_BY_USER);
}

static bool password_is(const struct account *account, const char *password)
{
	if (account)
		return account_has_secret(account, password);
	/* the same work, for nothing; volatile so that it is done */
	volatile bool equal = cox_equal_secret(password, password, strlen(password));

	(void)equal;
	return false;
}

static enum cox_authn_answer basic_authenticate(void *instance, const struct cox_call *call,
						const struct cox_authn_request *request,
						const struct cox_identity_sink *sink,
						struct cox_error *err)
{
	struct accounts_file *self = instance;
	const struct account *account;
	bool right;

	(void)call;
	if (!request->basic_user || !request->basic_password)
		return COX_AUTHN_NOT_MINE;
	watched_refresh(&self->file);
	pthread_rwlock_rdlock(&self->lock);
	account = accounts_find(self->accounts, request->basic_user);
	right = password_is(account, request->basic_password);
	if (right)
		account_tell(account, sink);
	pthread_rwlock_unlock(&self->lock);
	if (right)
		return COX_AUTHN_YES;
	self->host->fail(err, COX_REASON_UNAUTHORIZED, "unknown user or wrong password");
	return COX_AUTHN_BAD;
}

static const struct cox_option basic_options[] = {
	ACCOUNTS_FILE_OPTIONS("password,user,uid,\"group,group\""),
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_authenticator_ops basic_ops = {.authenticate = basic_authenticate};

COX_AUTHENTICATOR_PLUGIN(basic_ops, .name = "basic", .version = COX_RELEASE,
			 .description = "users and passwords from a file",
			 .thread_model = COX_THREADS_PARALLEL, .options = basic_options,
			 .create = basic_create, .config = accounts_file_config,
			 .get_ready = accounts_file_get_ready, .destroy = accounts_file_destroy);
