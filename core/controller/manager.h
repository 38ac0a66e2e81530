/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The personality kube-controller-manager: opens the controller plugins that
 * --controllers names, connects to the API server, and runs them while it
 * holds the lease.
 */
#ifndef COX_CONTROLLER_MANAGER_H
#define COX_CONTROLLER_MANAGER_H

#include "config/personality.h"

#include <coxswain/kit/vec.h>

extern const struct personality controller_manager_personality;

/*
 * What --controllers chooses: "*" all that are on by default, "name" that one
 * (in the tree or not), "-name" not that one. The names are borrowed.
 */
struct controller_names {
	const char **items;
	size_t count;
	size_t capacity;
};
void controller_names_choose(const struct flag_list *flag, struct controller_names *chosen);

#endif
