/* SPDX-License-Identifier: Apache-2.0 */
/* A registry for the test: Debian's docker-registry on a free port of loopback. */
#include "harness.h"

#include "base/spawn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* bcrypt of "secret", five rounds */
#define PASSWORD_LINE "user:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"

static int running[8]; /* pidfds */
static size_t running_count;

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&address, size) == 0 &&
	    getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		port = ntohs(address.sin_port);
	close(fd);
	return port;
}

static void write_config(const struct registry *registry, bool tls, bool password)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/config.yml", registry->directory);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file,
		"version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: "
		"%s/data}}\n"
		"http:\n  addr: 127.0.0.1:%d\n  secret: test\n",
		registry->directory, registry->port);
	if (tls)
		fprintf(file, "  tls: {certificate: %s, key: %s}\n", work_path("server.crt"),
			work_path("server.key"));
	if (password)
		fprintf(file, "auth: {htpasswd: {realm: test, path: %s/passwords}}\n",
			registry->directory);
	fclose(file);
	snprintf(path, sizeof(path), "%s/passwords", registry->directory);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(PASSWORD_LINE "\n", file);
	fclose(file);
}

static void make_certificates(void)
{
	if (access(work_path("server.crt"), F_OK) == 0)
		return;
	assert_int_equal(
		run_shell("(certtool --generate-privkey --ecc --outfile ca.key\n"
			  "printf 'cn = test CA\\nca\\ncert_signing_key\\n' > ca.cfg\n"
			  "certtool --generate-self-signed --load-privkey ca.key --template ca.cfg "
			  "--outfile ca.crt\n"
			  "certtool --generate-privkey --ecc --outfile server.key\n"
			  "printf 'cn = registry\\nip_address = 127.0.0.1\\ndns_name = localhost\\n"
			  "tls_www_server\\nsigning_key\\n' > server.cfg\n"
			  "certtool --generate-certificate --load-privkey server.key "
			  "--load-ca-certificate ca.crt --load-ca-privkey ca.key "
			  "--template server.cfg --outfile server.crt) 2> certtool.log"),
		0);
}

void registry_start(struct registry *registry, const char *name, bool tls, bool password)
{
	char config[300];
	const char *argv[] = {"/usr/bin/docker-registry", "serve", config, NULL};
	const char *const env[] = {"PATH=/usr/bin", "OTEL_TRACES_EXPORTER=none", NULL};
	struct cox_spawn what = {
		.struct_size = sizeof(what), .path = argv[0], .argv = argv, .env = env};
	uint64_t end = now_ns() + 20 * SECOND;
	cox_autoerror err = COX_ERROR_INIT;

	if (tls)
		make_certificates();
	snprintf(registry->directory, sizeof(registry->directory), "%.200s/%.40s", work_directory,
		 name);
	assert_int_equal(run_shell("mkdir -p '%s/data'", registry->directory), 0);
	registry->port = free_port();
	write_config(registry, tls, password);
	snprintf(config, sizeof(config), "%s/config.yml", registry->directory);
	if (spawn_process(&what, &registry->pidfd, NULL, &err) != 0)
		fail_msg("%s", error_text(&err));
	running[running_count++] = registry->pidfd;
	while (run_shell("curl -sk -o /dev/null %s://127.0.0.1:%d/v2/", tls ? "https" : "http",
			 registry->port) != 0) {
		if (now_ns() > end)
			fail_msg("docker-registry does not answer");
		poll(NULL, 0, 20);
	}
}

void registry_stop_all(void)
{
	while (running_count > 0) {
		int pidfd = running[--running_count], status;

		assert_int_equal(spawn_signal(pidfd, SIGKILL, NULL), 0);
		assert_int_equal(spawn_wait(pidfd, now_ns() + 10 * SECOND, &status, NULL), 0);
		close(pidfd);
	}
}

void registry_push(const struct registry *registry, bool tls, const char *repository,
		   const char *tag, const char *user)
{
	assert_int_equal(
		run_shell(
			"url=%s://127.0.0.1:%d; manifest=$(sha256sum manifest.json | cut -d' ' "
			"-f1)\n"
			"for blob in $(ls layout/blobs/sha256); do\n"
			"[ $blob = $manifest ] && continue\n"
			"where=$(curl -skf %s -D - -o /dev/null -X POST "
			"$url/v2/%s/blobs/uploads/ | tr -d '\\r' | sed -n 's/^Location: //Ip')\n"
			"curl -skf %s -X PUT -H 'Content-Type: application/octet-stream' "
			"--data-binary @layout/blobs/sha256/$blob \"$where&digest=sha256:$blob\"\n"
			"done\n"
			"curl -skf %s -X PUT -H 'Content-Type: "
			"application/vnd.oci.image.manifest.v1+json' --data-binary @manifest.json "
			"$url/v2/%s/manifests/%s",
			tls ? "https" : "http", registry->port, user, repository, user, user,
			repository, tag),
		0);
}
