/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet as a daemon: its plugins, its client, its ports. */
#ifndef COX_KUBELET_PERSONALITY_H
#define COX_KUBELET_PERSONALITY_H

#include "config/personality.h"

extern const struct personality kubelet_personality;

#endif
