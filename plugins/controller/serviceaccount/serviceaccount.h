/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the service account controller. */
#ifndef SERVICEACCOUNT_H
#define SERVICEACCOUNT_H

#include "sign.h"

#include <coxswain/controller.h>
#include <coxswain/kit/buf.h>
#include <pthread.h>

#define TOKEN_QUEUE "tokens"

struct accounts {
	const struct cox_host *host;
	const struct cox_controller_setup *setup;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct cox_lister *namespace_lister;
	struct cox_lister *account_lister; /* with a signer all accounts, else "default" only */
	struct cox_lister *map_lister;
	struct cox_lister *secret_lister; /* NULL: no signer */
	char *ca_file;
	char *key_file;
	struct signer *signer; /* NULL: token secrets are not filled */
	pthread_mutex_t mutex; /* over `ca` */
	struct cox_buf ca;
};

/* Opens what tokens need; the account lister is the caller's. */
int tokens_setup(struct accounts *self, const struct cox_controller_setup *setup,
		 struct cox_error *err) COX_MUST_CHECK;
/* The secrets of an account are looked at; of all with the name NULL. */
void tokens_enqueue(struct accounts *self, const char *namespace_name, const char *account);
int tokens_reconcile(struct accounts *self, const struct cox_call *call, const char *key,
		     struct cox_error *err) COX_MUST_CHECK;

#endif
