/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One executable, many names. This file is the only one that knows all the
 * rooms of the top floor: it lists their personalities, and says which of them
 * live together in one process.
 */
#include "apiserver/local.h"
#include "apiserver/personality.h"
#include "base/confine.h"
#include "base/log.h"
#include "client/local.h"
#include "compose.h"
#include "controller/manager.h"
#include "daemon.h"
#include "kubelet/personality.h"
#include "preflight.h"
#include "proxy/proxy.h"
#include "scheduler/manager.h"
#include "up.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static struct client_local server_of(const struct daemon *part)
{
	return apiserver_local(apiserver_of(part));
}

/*
 * The control plane reads what strangers send and needs no rights: root's are
 * given up for those of the user that its units name, too.
 */
static int confine_control_plane(const struct daemon *const *parts, struct cox_error *err)
{
	static const char user_name[] = "kube";
	cox_autoerror why = COX_ERROR_INIT;
	uid_t user;
	gid_t group;

	if (geteuid() == 0) {
		if (confine_find_user(user_name, &user, &group, &why) != 0)
			log_warning("The control plane keeps root's rights: %s (adduser --system "
				    "--group %s)",
				    error_text(&why), user_name);
		else if (apiserver_hand_over(parts[0], user, group, err) != 0 ||
			 confine_to_user(user, group, err) != 0)
			return -1;
	}
	up_follow();
	return confine_calls(err);
}

static int prepare_control_plane(struct daemon *daemon, struct cox_error *err)
{
	daemon->own_socket = up_own_socket();
	return compose_prepare(daemon, err);
}

static const struct personality *const control_plane_parts[] = {
	&apiserver_personality,
	&controller_manager_personality,
	&scheduler_personality,
};

static const struct composition control_plane = {
	.personality = {.name = "control-plane",
			.description = "kube-apiserver and what works on it, in one process",
			.flags = compose_flags,
			.flag_count = &compose_flag_count,
			.config_size = sizeof(struct compose_config),
			.prepare = prepare_control_plane,
			.start = compose_start,
			.reload = compose_reload,
			.stop = compose_stop},
	.parts = control_plane_parts,
	.part_count = sizeof(control_plane_parts) / sizeof(control_plane_parts[0]),
	.local = server_of,
	.server = &apiserver_personality,
	.confine = confine_control_plane,
};

static const struct personality *const node_parts[] = {
	&kubelet_personality,
	&proxy_personality,
};

static const struct personality *const all_parts[] = {
	&apiserver_personality, &controller_manager_personality,
	&scheduler_personality, &kubelet_personality,
	&proxy_personality,
};

static const struct composition single = {
	.parts = all_parts,
	.part_count = sizeof(all_parts) / sizeof(all_parts[0]),
	.local = server_of,
	.server = &apiserver_personality,
};

static const struct composition up = {
	.personality = {.name = "up",
			.description = "a whole cluster on this machine",
			.flags = up_flags,
			.flag_count = &up_flag_count,
			.config_size = sizeof(struct compose_config),
			.umask = 022,
			.prepare = compose_prepare,
			.start = up_start,
			.reload = up_reload,
			.stop = up_stop},
	.parts = node_parts,
	.part_count = sizeof(node_parts) / sizeof(node_parts[0]),
	.single = &single,
};

static const struct preflight_command preflight = {
	.personality = {.name = "preflight",
			.description = "looks whether this machine is ready for a master or a node",
			.flags = preflight_flags,
			.flag_count = &preflight_flag_count,
			.config_size = sizeof(struct preflight_config),
			.check = preflight_check_flags,
			.run = preflight_run_command},
	.master = control_plane_parts,
	.master_count = sizeof(control_plane_parts) / sizeof(control_plane_parts[0]),
	.node = node_parts,
	.node_count = sizeof(node_parts) / sizeof(node_parts[0]),
};

static const struct personality *const personalities[] = {
	&apiserver_personality, &controller_manager_personality, &scheduler_personality,
	&kubelet_personality,	&control_plane.personality,	 &proxy_personality,
	&up.personality,	&preflight.personality,		 NULL, /* ends the list */
};

int main(int argc, char **argv)
{
	size_t count = sizeof(personalities) / sizeof(personalities[0]) - 1;

	return daemon_main(personalities, count, argc, argv);
}
