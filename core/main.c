/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One executable, many names. This file is the only one that knows all the
 * rooms of the top floor: it lists their personalities.
 */
#include "apiserver/personality.h"
#include "controller/manager.h"
#include "daemon.h"

static const struct personality *const personalities[] = {
	&apiserver_personality,
	&controller_manager_personality,
	NULL, /* ends the list */
};

int main(int argc, char **argv)
{
	size_t count = sizeof(personalities) / sizeof(personalities[0]) - 1;

	return daemon_main(personalities, count, argc, argv);
}
