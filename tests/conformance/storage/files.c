/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a store; see the header. */
#include "files.h"

#include "harness.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void copy_file(const char *from, const char *to)
{
	cox_autoclose int in = open(from, O_RDONLY | O_CLOEXEC);
	cox_autoclose int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char block[65536];
	ssize_t got;

	assert_true(in >= 0 && out >= 0);
	while ((got = read(in, block, sizeof(block))) > 0)
		assert_int_equal(write(out, block, (size_t)got), got);
}

void copy_directory(const char *from, const char *to)
{
	DIR *directory = opendir(from);
	struct dirent *entry;

	harness_remove(to);
	assert_int_equal(mkdir(to, 0700), 0);
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		char source[1024], target[1024];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
		snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
		copy_file(source, target);
	}
	closedir(directory);
}

void find_file(const char *directory, const char *ending, bool last, char out[1024])
{
	DIR *list = opendir(directory);
	struct dirent *entry;
	char best[256] = "";

	assert_non_null(list);
	while ((entry = readdir(list)))
		if (cox_ends_with(entry->d_name, ending) &&
		    (!best[0] || (strcmp(entry->d_name, best) > 0) == last))
			snprintf(best, sizeof(best), "%s", entry->d_name);
	closedir(list);
	assert_true(best[0]);
	snprintf(out, 1024, "%s/%s", directory, best);
}

const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

uint64_t file_size(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return (uint64_t)status.st_size;
}

void overwrite(const char *path, uint64_t at, const void *data, size_t size)
{
	cox_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, data, size, (off_t)at), size);
}
