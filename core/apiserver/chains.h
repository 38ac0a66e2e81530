/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the chains of authenticators, authorizers and admission plugins that
 * the configuration names. All or nothing: what fails leaves no plugin behind.
 */
#ifndef COX_APISERVER_CHAINS_H
#define COX_APISERVER_CHAINS_H

#include "apiserver/flags.h"
#include "apiserver/server.h"
#include "config/personality.h"

/* Opened and configured plugins, before the server exists (--check-config). */
struct chain_plan;

struct chain_plan *chain_plan_new(struct daemon *daemon, const struct apiserver_config *config,
				  struct cox_error *err);
void chain_plan_free(struct chain_plan *plan); /* NULL is fine; closes what was not used */

/*
 * Brings the plan's plugins to life and makes chains of them. The plan is
 * empty after, and is freed by the caller.
 */
struct api_chains *chain_plan_start(struct chain_plan *plan, struct apiserver *server,
				    struct cox_error *err);

#endif
