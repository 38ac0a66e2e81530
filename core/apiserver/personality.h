/* SPDX-License-Identifier: Apache-2.0 */
/* kube-apiserver as a daemon. */
#ifndef COX_APISERVER_PERSONALITY_H
#define COX_APISERVER_PERSONALITY_H

#include "config/personality.h"

struct apiserver;

extern const struct personality apiserver_personality;

/* The server of a daemon that was started. */
struct apiserver *apiserver_of(const struct daemon *daemon);

#endif
