/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The personality kube-proxy: opens the proxy plugin that --proxy-mode names,
 * and keeps it informed of services and endpoints.
 */
#ifndef COX_PROXY_PROXY_H
#define COX_PROXY_PROXY_H

#include "config/personality.h"

extern const struct personality proxy_personality;

#endif
