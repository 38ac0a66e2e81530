/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subPath never leads out of the volume, whatever its owner does meanwhile
 * (CVE-2017-1002101, CVE-2021-25741).
 */
#include "unit.h"

#include "kubelet/volumes.h"

#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RACES = 10000, MOUNTS = 300 };

static char base[64], volume[80], outside[80], target[80];

static char *path_in(const char *directory, const char *name)
{
	static _Thread_local char paths[4][256];
	static _Thread_local unsigned at;
	char *path = paths[at++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void make(const char *path)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (volumes_make_directory(path, 0755, &err))
		fail_msg("%s", error_text(&err));
}

static void write_file(const char *path, const char *text)
{
	cox_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int begin(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/coxswain-subpath.XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(volume, sizeof(volume), "%s/volume", base);
	snprintf(outside, sizeof(outside), "%s/outside", base);
	snprintf(target, sizeof(target), "%s/target/0", base);
	make(volume);
	make(outside);
	write_file(path_in(outside, "secret"), "host");
	return 0;
}

static int end(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	if (subpath_unmount_all(base, &err) || rmdir(base) != 0)
		fail_msg("%s", error_text(&err));
	return 0;
}

static bool same_file(int fd, const char *path)
{
	struct stat one, two;

	assert_int_equal(fstat(fd, &one), 0);
	assert_int_equal(stat(path, &two), 0);
	return one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

static void opens(const char *sub_path, const char *expected)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoclose int fd = subpath_open(volume, sub_path, &err);

	if (fd < 0)
		fail_msg("%s: %s", sub_path, error_text(&err));
	assert_true(same_file(fd, path_in(volume, expected)));
}

static void refuses(const char *sub_path, const char *message)
{
	cox_autoerror err = COX_ERROR_INIT;

	assert_int_equal(subpath_open(volume, sub_path, &err), -1);
	assert_non_null(strstr(error_text(&err), message));
}

static void test_inside(void **state)
{
	(void)state;
	make(path_in(volume, "a/b"));
	write_file(path_in(volume, "a/file"), "x");
	opens("a/b", "a/b");
	opens("/a//./b/", "a/b");
	opens("a/file", "a/file");
	/* What is not there is made. */
	opens("new/deep/er", "new/deep/er");
	opens("a/c", "a/c");
	/* A volume of keys: each is a link to a link. */
	make(path_in(volume, "..2026"));
	write_file(path_in(volume, "..2026/nginx.conf"), "x");
	assert_int_equal(symlink("..2026", path_in(volume, "..data")), 0);
	assert_int_equal(symlink("..data/nginx.conf", path_in(volume, "nginx.conf")), 0);
	opens("nginx.conf", "..2026/nginx.conf");
	assert_int_equal(symlink("b/../../a", path_in(volume, "a/back")), 0);
	opens("a/back/b", "a/b");
}

static void test_outside(void **state)
{
	char long_name[400];

	(void)state;
	make(path_in(volume, "a"));
	assert_int_equal(symlink(outside, path_in(volume, "absolute")), 0);
	assert_int_equal(symlink("../outside", path_in(volume, "relative")), 0);
	assert_int_equal(symlink("../../outside", path_in(volume, "a/deep")), 0);
	assert_int_equal(symlink("/proc/self/root", path_in(volume, "root")), 0);
	assert_int_equal(symlink("loop", path_in(volume, "loop")), 0);
	refuses("absolute", "leads out of the volume");
	refuses("absolute/secret", "leads out of the volume");
	refuses("absolute/new", "leads out of the volume");
	refuses("relative/new", "leads out of the volume");
	refuses("a/deep/secret", "leads out of the volume");
	refuses("root/etc", "leads out of the volume");
	refuses("loop", "leads out of the volume");
	refuses("../outside", "must not contain \"..\"");
	refuses("a/../../outside", "must not contain \"..\"");
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	refuses(long_name, "too long");
	/* Nothing was made out there. */
	assert_int_equal(access(path_in(outside, "new"), F_OK), -1);
	assert_int_equal(errno, ENOENT);
}

static atomic_bool swapping;

/* Exchanges a directory and a link that leads out, as fast as it goes. */
static void *swap(void *context)
{
	(void)context;
	while (atomic_load(&swapping))
		if (renameat2(AT_FDCWD, path_in(volume, "door"), AT_FDCWD, path_in(volume, "trap"),
			      RENAME_EXCHANGE) != 0)
			break;
	return NULL;
}

static void start_swapping(pthread_t *thread)
{
	make(path_in(volume, "door/room"));
	make(path_in(outside, "room"));
	assert_int_equal(symlink(outside, path_in(volume, "trap")), 0);
	atomic_store(&swapping, true);
	assert_int_equal(pthread_create(thread, NULL, swap, NULL), 0);
}

static void test_race(void **state)
{
	char room[100];
	unsigned inside = 0, refused = 0;
	pthread_t thread;

	(void)state;
	snprintf(room, sizeof(room), "%s/room", outside);
	start_swapping(&thread);
	for (int i = 0; i < RACES; i++) {
		cox_autoclose int fd = subpath_open(volume, "door/room", NULL);

		if (fd < 0) {
			refused++;
			continue;
		}
		inside++;
		if (same_file(fd, room))
			fail_msg("the way out was open at try %d", i);
	}
	atomic_store(&swapping, false);
	pthread_join(thread, NULL);
	/* Both must have been seen, or nothing was tried. */
	assert_true(inside > 0 && refused > 0);
}

static void test_race_of_mounts(void **state)
{
	char room[100];
	unsigned mounted = 0;
	pthread_t thread;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(room, sizeof(room), "%s/room", outside);
	start_swapping(&thread);
	/* As many as it takes until some were not refused: whose turn it is, is chance. */
	for (int i = 0; i < MOUNTS || (!mounted && i < 100 * MOUNTS); i++) {
		if (subpath_mount(volume, "door/room", target, NULL))
			continue;
		mounted++;
		{
			cox_autoclose int fd = open(target, O_PATH | O_CLOEXEC);

			if (same_file(fd, room))
				fail_msg("the host was mounted at try %d", i);
		}
	}
	atomic_store(&swapping, false);
	pthread_join(thread, NULL);
	assert_true(mounted > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_inside, begin, end),
		cmocka_unit_test_setup_teardown(test_outside, begin, end),
		cmocka_unit_test_setup_teardown(test_race, begin, end),
		cmocka_unit_test_setup_teardown(test_race_of_mounts, begin, end),
	};

	return cmocka_run_group_tests_name("subpath", tests, NULL, NULL);
}
