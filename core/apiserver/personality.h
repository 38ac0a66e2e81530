/* SPDX-License-Identifier: Apache-2.0 */
/* kube-apiserver as a daemon. */
#ifndef COX_APISERVER_PERSONALITY_H
#define COX_APISERVER_PERSONALITY_H

#include "config/personality.h"

#include <sys/types.h>

struct apiserver;

extern const struct personality apiserver_personality;

/* The server of a daemon that was started. */
struct apiserver *apiserver_of(const struct daemon *daemon);

/*
 * Makes the directories that the server writes to, and gives them and what is
 * in them to that user. For a start as root that goes on as somebody else.
 */
int apiserver_hand_over(const struct daemon *daemon, uid_t user, gid_t group,
			struct cox_error *err) COX_MUST_CHECK;

#endif
