/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One executable, many names. This file is the only one that knows all the
 * rooms of the top floor: it lists their personalities, and says which of them
 * live together in one process.
 */
#include "apiserver/local.h"
#include "apiserver/personality.h"
#include "client/client.h"
#include "compose.h"
#include "controller/manager.h"
#include "daemon.h"

static struct client_local server_of(const struct daemon *part)
{
	return apiserver_local(apiserver_of(part));
}

static const struct personality *const control_plane_parts[] = {
	&apiserver_personality,
	&controller_manager_personality,
};

static const struct composition control_plane = {
	.personality = {.name = "control-plane",
			.description = "kube-apiserver and what works on it, in one process",
			.flags = compose_flags,
			.flag_count = &compose_flag_count,
			.config_size = sizeof(struct compose_config),
			.prepare = compose_prepare,
			.start = compose_start,
			.reload = compose_reload,
			.stop = compose_stop},
	.parts = control_plane_parts,
	.part_count = sizeof(control_plane_parts) / sizeof(control_plane_parts[0]),
	.local = server_of,
	.server = &apiserver_personality,
};

static const struct personality *const personalities[] = {
	&apiserver_personality,
	&controller_manager_personality,
	&control_plane.personality,
	NULL, /* ends the list */
};

int main(int argc, char **argv)
{
	size_t count = sizeof(personalities) / sizeof(personalities[0]) - 1;

	return daemon_main(personalities, count, argc, argv);
}
