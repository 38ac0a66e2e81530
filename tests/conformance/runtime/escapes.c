/* SPDX-License-Identifier: Apache-2.0 */
/* Ways out of a container that were open once, tried on the runtime in use. */
#include "harness.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cox_call no_call = {.struct_size = sizeof(no_call)};

enum { EXECS = 40 };

static const char programs[] = "sha256sum $(command -v crun runc conmon) \"$(readlink -f "
			       "$(command -v sh))\" libexec/* 2>/dev/null";

/* CVE-2019-5736: a container writes into the runtime that enters it. */
void test_overwrite(void **state)
{
	/* Whatever program shows up in /proc is opened for writing, as fast as it goes. */
	static const char attack[] = "while :; do for p in /proc/[0-9]*; do case $p in "
				     "/proc/1|/proc/$$) continue;; esac; "
				     "{ echo pwned >$p/exe; } 2>/dev/null && echo $p >>/tmp/hits; "
				     "{ echo pwned >/proc/self/fd/3; } 2>/dev/null; done; done";
	static const char *const self[] = {"/proc/self/exe", "init"};
	char sandbox[COX_RUNTIME_ID_SIZE], id[COX_RUNTIME_ID_SIZE];
	cox_autofree char *before = NULL, *after = NULL;
	struct cox_container_config config = {.struct_size = sizeof(config),
					      .name = "self",
					      .image = "test/busybox:1",
					      .image_ref = "",
					      .command = {self, 2},
					      .working_dir = "",
					      .log_path = "",
					      .stop_signal = ""};

	(void)state;
	must_run_sandbox("escape", sandbox);
	run_shell("%s >programs.before; :", programs);
	before = read_text(work_path("programs.before"));
	assert_true(strlen(before) > 128);
	must_create(sandbox, "attack", attack, id);
	must_start(id);
	for (int i = 0; i < EXECS; i++)
		(void)must_exec(id, "true", NULL);
	/* An entry point that is the runtime itself: it may fail, it may not reach the file. */
	if (runtime.ops->container_create(runtime.self, &no_call, sandbox, &config, id, NULL) == 0)
		(void)runtime.ops->container_start(runtime.self, &no_call, id, NULL);
	run_shell("%s >programs.after; :", programs);
	after = read_text(work_path("programs.after"));
	assert_string_equal(before, after);
}

/* What of /proc and /sys reaches the machine is hidden, or cannot be written. */
void test_hidden(void **state)
{
	char sandbox[COX_RUNTIME_ID_SIZE], id[COX_RUNTIME_ID_SIZE];
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	must_run_sandbox("hidden", sandbox);
	must_create(sandbox, "hidden", "exec sleep 600", id);
	must_start(id);
	must_exec(
		id,
		"for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do "
		"test -e $f || continue; test -z \"$(head -c 1 $f 2>/dev/null)\" || echo $f; done; "
		"for d in /proc/acpi /proc/scsi /proc/asound /sys/firmware; do "
		"test -z \"$(ls $d 2>/dev/null)\" || echo $d; done; "
		"for f in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq/x /sys/x "
		"/proc/bus/x /sys/fs/cgroup/*/release_agent "
		"/sys/fs/cgroup/cgroup.subtree_control /sys/fs/cgroup/*/cgroup.procs; do "
		"case $f in /sys/fs/cgroup/*) test -e $f || continue;; esac; "
		"{ echo x >$f; } 2>/dev/null && echo wrote $f; done; "
		"mount -t tmpfs none /tmp 2>/dev/null && echo mounted; "
		"mount -o remount,rw /proc/sys 2>/dev/null && echo remounted; echo end",
		&out);
	assert_string_equal(out.data, "1:end\n");
}

/* An image whose /proc, /dev, /sys and /etc are links to the machine's directories. */
void test_links(void **state)
{
	static const char *const command[] = {"/bin/sh", "-c", "echo x >/etc/file; sleep 600"};
	static const struct cox_mount mount = {.container_path = "/etc/mounted",
					       .host_path = "/bin/busybox"};
	char sandbox[COX_RUNTIME_ID_SIZE], id[COX_RUNTIME_ID_SIZE];
	struct cox_container_config config = {.struct_size = sizeof(config),
					      .name = "links",
					      .image = "links:1",
					      .image_ref = "",
					      .command = {command, 3},
					      .working_dir = "",
					      .mounts = &mount,
					      .mount_count = 1,
					      .log_path = "",
					      .stop_signal = ""};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	must_run_sandbox("links", sandbox);
	assert_int_equal(run_shell("mkdir -p target; echo host >target/kept"), 0);
	if (import_file(work_path("links-image.tar"), NULL, &err) != 0)
		fail_msg("%s", error_text(&err));
	/* It may be refused or may run inside: the machine must not notice. */
	if (runtime.ops->container_create(runtime.self, &no_call, sandbox, &config, id, NULL) == 0)
		(void)runtime.ops->container_start(runtime.self, &no_call, id, NULL);
	assert_int_equal(run_shell("test \"$(ls -A target)\" = kept && "
				   "test \"$(cat target/kept)\" = host && "
				   "! grep -F \"$PWD/target\" /proc/self/mountinfo"),
			 0);
}
