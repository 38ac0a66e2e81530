/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzzer's function over the seeds and kept crashers in the folder
 * seeds/NAME, NAME being the program's own without "_replay"; speaks TAP. So
 * that what a fuzzer once found stays found without libFuzzer.
 */
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run(int folder, const char *name)
{
	cox_autoclose int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	cox_autobuf bytes = COX_BUF_INIT;
	ssize_t got;
	uint8_t *exact;

	if (fd < 0)
		return -1;
	while ((got = read(fd, cox_buf_reserve(&bytes, 65536), 65536)) > 0)
		cox_buf_added(&bytes, (size_t)got);
	if (got < 0)
		return -1;
	/* exactly as long as it is, so that a sanitizer sees a read beyond */
	exact = malloc(bytes.size ? bytes.size : 1);
	if (!exact)
		return -1;
	if (bytes.size)
		memcpy(exact, bytes.data, bytes.size);
	LLVMFuzzerTestOneInput(exact, bytes.size);
	free(exact);
	return 0;
}

int main(int count, char **words)
{
	const char *source = getenv("srcdir"), *name = strrchr(words[0], '/');
	const char *tail;
	cox_autobuf path = COX_BUF_INIT;
	struct dirent *entry;
	unsigned done = 0;
	DIR *folder;

	name = name ? name + 1 : words[0];
	tail = strstr(name, "_replay");
	if (count != 1 || !tail)
		return 1;
	cox_buf_printf(&path, "%s/tests/fuzz/seeds/%.*s", source ? source : ".", (int)(tail - name),
		       name);
	folder = opendir(path.data);
	while (folder && (entry = readdir(folder))) {
		if (*entry->d_name == '.')
			continue;
		/* said before, so that the last line names a crasher */
		printf("# %s\n", entry->d_name);
		fflush(stdout);
		printf("%sok %u - %s\n", run(dirfd(folder), entry->d_name) == 0 ? "" : "not ",
		       ++done, entry->d_name);
	}
	if (folder)
		closedir(folder);
	printf("1..%u\n", done);
	return done ? 0 : 1;
}
