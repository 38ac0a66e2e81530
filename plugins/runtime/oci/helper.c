/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coxswain-oci-helper: the short-lived process for what a threaded daemon must
 * not do itself. One job a run:
 *
 *   unpack DIRECTORY MAXIMUM    the layer on descriptor 0 into DIRECTORY, from
 *                               inside a chroot, with few capabilities; says
 *                               "DIGEST BYTES INODES" of the unpacked tar
 *   extract DIRECTORY MAXIMUM   the same for an archive of images: no
 *                               whiteouts, no devices, no owners
 *   mount LAYERS TARGET OPTIONS overlayfs, with LAYERS as working directory,
 *                               so that a hundred lower layers fit in a page
 *   copy LAYERS TARGET A:B:C    the same without overlayfs: copied together
 *   connect PORT                joins the network namespace on descriptor 3,
 *                               connects to loopback, and sends the socket
 *                               over descriptor 4
 *   follow PIDFILE COMMAND…     runs the runtime's command, which starts a
 *                               process and leaves it; ends as that one does
 *   crun ARGUMENTS (by name)    runs crun, named by COX_OCI_CRUN, without the
 *                               cgroup v2 mount that a hybrid host adds
 *
 * Errors are one line on stderr and exit code 1.
 */
#include "helper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

/* Keeps the capabilities in `kept` and gives up every other for good. */
void keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	for (int cap = 0; cap <= 63; cap++)
		if (!(kept >> cap & 1) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			die("cannot give up capability %d: %s", cap, strerror(errno));
	if (syscall(SYS_capget, &header, data) != 0)
		die("cannot read the capabilities: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(kept >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("cannot give up capabilities: %s", strerror(errno));
}

static void do_mount(const char *layers, const char *target, const char *options)
{
	if (chdir(layers) != 0)
		die("%s: %s", layers, strerror(errno));
	if (mount("overlay", target, "overlay", MS_NODEV, options) != 0)
		die("mount overlay on %s: %s", target, strerror(errno));
}

static int connect_loopback(int family, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -1;
	six.sin6_addr = in6addr_loopback;
	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (family == AF_INET6)
		result = connect(fd, (struct sockaddr *)&six, sizeof(six));
	else
		result = connect(fd, (struct sockaddr *)&four, sizeof(four));
	if (result != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static void do_connect(const char *number)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec byte = {.iov_base = (char[]){'c'}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	long port = strtol(number, NULL, 10);
	struct cmsghdr *header;
	int fd;

	if (port < 1 || port > 65535)
		die("port %s is not between 1 and 65535", number);
	if (setns(3, CLONE_NEWNET) != 0)
		die("cannot join the network namespace: %s", strerror(errno));
	keep_capabilities(0);
	fd = connect_loopback(AF_INET, (uint16_t)port);
	if (fd < 0 && errno == ECONNREFUSED)
		fd = connect_loopback(AF_INET6, (uint16_t)port);
	if (fd < 0)
		die("connect to port %ld: %s", port, strerror(errno));
	header = &control.header;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(4, &message, MSG_NOSIGNAL) != 1)
		die("cannot hand over the connection: %s", strerror(errno));
}

/* The exit code of a child, the way a shell has it. */
static int code_of(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("cannot wait for process %d: %s", (int)child, strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * A process that the runtime leaves is given to this one, which so learns how
 * it ends; the terminal needs nobody in between.
 */
static void do_follow(const char *pidfile, char **argv)
{
	FILE *file;
	pid_t child;
	int code, pid = 0;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		die("cannot take in processes: %s", strerror(errno));
	child = fork();
	if (child < 0)
		die("cannot start %s: %s", argv[0], strerror(errno));
	if (child == 0) {
		execv(argv[0], argv);
		die("%s: %s", argv[0], strerror(errno));
	}
	code = code_of(child);
	if (code == 0) {
		file = fopen(pidfile, "re");
		if (!file || fscanf(file, "%d", &pid) != 1 || pid <= 0)
			die("%s names no process", pidfile);
		fclose(file);
		code = code_of(pid);
	}
	_exit(code);
}

/*
 * crun 1.8 refuses a cgroup v1 host that also mounts v2 below it. Only the
 * mount point's parent becomes private, so that everything else still
 * propagates between the host and the containers.
 */
static void run_crun(char **argv)
{
	const char *program = getenv("COX_OCI_CRUN");

	if (!program || *program != '/')
		die("COX_OCI_CRUN does not name the runtime");
	if (unshare(CLONE_NEWNS) != 0)
		die("cannot make a mount namespace: %s", strerror(errno));
	if (mount(NULL, "/sys/fs/cgroup", NULL, MS_PRIVATE, NULL) != 0 ||
	    umount2("/sys/fs/cgroup/unified", MNT_DETACH) != 0)
		die("cannot take /sys/fs/cgroup/unified away: %s", strerror(errno));
	execv(program, argv);
	die("%s: %s", program, strerror(errno));
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	name = name ? name + 1 : argv[0];
	if (strcmp(name, "crun") == 0)
		run_crun(argv);
	if (argc >= 4 && strcmp(argv[1], "follow") == 0)
		do_follow(argv[2], argv + 3);
	umask(0);
	if (argc == 4 && strcmp(argv[1], "unpack") == 0)
		helper_unpack(argv[2], strtoull(argv[3], NULL, 10), true);
	else if (argc == 4 && strcmp(argv[1], "extract") == 0)
		helper_unpack(argv[2], strtoull(argv[3], NULL, 10), false);
	else if (argc == 5 && strcmp(argv[1], "mount") == 0)
		do_mount(argv[2], argv[3], argv[4]);
	else if (argc == 5 && strcmp(argv[1], "copy") == 0)
		helper_copy(argv[2], argv[3], argv[4]);
	else if (argc == 3 && strcmp(argv[1], "connect") == 0)
		do_connect(argv[2]);
	else
		die("coxswain-oci-helper is started by the oci runtime plugin only");
	/* In a chroot exit handlers find nothing of what they might want. */
	_exit(0);
}
