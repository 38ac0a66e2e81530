/* SPDX-License-Identifier: Apache-2.0 */
/* What webhooks, admission policies and conversions by webhook have in common. */
#ifndef COX_KINDS_ADMISSION_H
#define COX_KINDS_ADMISSION_H

#include "machinery/validate.h"

/* Operations, groups, versions and resources of a rule. */
void validate_admission_rule(struct validation *v, const struct field_path *at,
			     const struct value *rule);
void validate_match_conditions(struct validation *v, const struct field_path *at,
			       const struct value *conditions);
/* A WebhookClientConfig: a URL or a service. */
void validate_webhook_client(struct validation *v, const struct field_path *at,
			     const struct value *client);
void validate_webhook_url(struct validation *v, const struct field_path *at,
			  const struct value *url);

#endif
