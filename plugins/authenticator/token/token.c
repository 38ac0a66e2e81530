/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: bearer tokens from a file with lines token,user,uid,"group,group".
 * A token that is not in the file may be another authenticator's.
 */
#include "accounts.h"

static void *token_create(const struct cox_host *host, struct cox_error *err)
{
	(void)err;
	return accounts_file_new(host, ACCOUNTS_BY_SECRET);
}

static enum cox_authn_answer token_authenticate(void *instance, const struct cox_call *call,
						const struct cox_authn_request *request,
						const struct cox_identity_sink *sink,
						struct cox_error *err)
{
	struct accounts_file *self = instance;
	const struct account *account;

	(void)call;
	(void)err;
	if (!request->bearer_token || !*request->bearer_token)
		return COX_AUTHN_NOT_MINE;
	watched_refresh(&self->file);
	pthread_rwlock_rdlock(&self->lock);
	account = accounts_find(self->accounts, request->bearer_token);
	if (account)
		account_tell(account, sink);
	pthread_rwlock_unlock(&self->lock);
	return account ? COX_AUTHN_YES : COX_AUTHN_NOT_MINE;
}

static const struct cox_option token_options[] = {
	ACCOUNTS_FILE_OPTIONS("token,user,uid,\"group,group\""),
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_authenticator_ops token_ops = {.authenticate = token_authenticate};

COX_AUTHENTICATOR_PLUGIN(token_ops, .name = "token", .version = COX_RELEASE,
			 .description = "bearer tokens from a file",
			 .thread_model = COX_THREADS_PARALLEL, .options = token_options,
			 .create = token_create, .config = accounts_file_config,
			 .get_ready = accounts_file_get_ready, .destroy = accounts_file_destroy);
