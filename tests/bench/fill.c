/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills an API server with pods as clusters have them, about 6 KB each: made by
 * a controller, told of by the scheduler, run and reported by a kubelet, each of
 * which owns its fields. Prints how many bytes of canonical JSON the pods are.
 *
 *   fill PORT PODS [CONNECTIONS]         creates them
 *   fill PORT PODS CONNECTIONS again     reports the status of each once more
 *
 * Pod NUMBER is in namespace bench-(NUMBER % 100), which must be there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 32 * 1024, CONNECTIONS_MAX = 1024, NAMESPACES = 100, WAIT_MS = 60000 };

/* What is done with one pod, in this order. */
enum step { CREATE, SCHEDULE, REPORT, DONE };

struct connection {
	int fd;
	int pod;
	enum step step;
	char in[ROOM];
	size_t got;
};

static int port, pods, next_pod;
static bool again;
static unsigned long long bytes;

static void give_up(const char *what)
{
	fprintf(stderr, "fill: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* clang-format off */
static const char pod_format[] =
"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"frontend-%x-%05d\","
"\"generateName\":\"frontend-%x-\",\"labels\":{\"app\":\"frontend\","
"\"app.kubernetes.io/name\":\"frontend\",\"pod-template-hash\":\"%x\"},"
"\"annotations\":{\"prometheus.io/scrape\":\"true\",\"prometheus.io/port\":\"9090\"},"
"\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":"
"\"frontend-%x\",\"uid\":\"0c1d2e3f-1111-2222-3333-%012x\",\"controller\":true,"
"\"blockOwnerDeletion\":true}]},\"spec\":{\"volumes\":[{\"name\":\"data\",\"emptyDir\":{}},"
"{\"name\":\"config\",\"configMap\":{\"name\":\"shop\"}}],\"containers\":[{\"name\":\"web\","
"\"image\":\"registry.example.org/shop/web:1.27.4\",\"args\":[\"--listen=:8080\"],"
"\"ports\":[{\"name\":\"http\",\"containerPort\":8080}],"
"\"env\":[{\"name\":\"NODE\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"spec.nodeName\"}}},"
"{\"name\":\"TOKEN\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"shop\",\"key\":\"token\"}}}],"
"\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"256Mi\"},\"requests\":{\"cpu\":"
"\"100m\",\"memory\":\"128Mi\"}},\"volumeMounts\":[{\"name\":\"data\",\"mountPath\":\"/data\"},"
"{\"name\":\"config\",\"mountPath\":\"/etc/shop\",\"readOnly\":true}],\"readinessProbe\":"
"{\"httpGet\":{\"path\":\"/ready\",\"port\":8080},\"periodSeconds\":5}}],\"nodeName\":"
"\"node-%d\",\"serviceAccountName\":\"frontend\",\"securityContext\":{\"runAsNonRoot\":true},"
"\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\","
"\"effect\":\"NoExecute\",\"tolerationSeconds\":300}]}}";

static const char scheduled[] =
"{\"status\":{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\","
"\"lastProbeTime\":null,\"lastTransitionTime\":\"2026-03-01T10:11:12Z\"}]}}";

#define CONDITION(type) \
"{\"type\":\"" type "\",\"status\":\"True\",\"lastProbeTime\":null," \
"\"lastTransitionTime\":\"2026-03-01T10:11:2%dZ\"}"

static const char report_format[] =
"{\"status\":{\"phase\":\"Running\",\"conditions\":[" CONDITION("Initialized") ","
CONDITION("Ready") "," CONDITION("ContainersReady") "],\"hostIP\":\"10.20.%d.%d\","
"\"podIP\":\"10.%d.%d.%d\",\"podIPs\":[{\"ip\":\"10.%d.%d.%d\"}],\"startTime\":"
"\"2026-03-01T10:11:13Z\",\"containerStatuses\":[{\"name\":\"web\",\"state\":{\"running\":"
"{\"startedAt\":\"2026-03-01T10:11:2%dZ\"}},\"lastState\":{},\"ready\":true,"
"\"restartCount\":%d,\"image\":\"registry.example.org/shop/web:1.27.4\",\"imageID\":"
"\"registry.example.org/shop/web@sha256:"
"9b0a8f1c0d4e6b7a5f3e2d1c0b9a8f7e6d5c4b3a2f1e0d9c8b7a6f5e4d3c2b1a\",\"containerID\":"
"\"containerd://5f0c1b2a3d4e5f60718293a4b5c6d7e8f90001122334455667788990%08d\","
"\"started\":true}]}}";
/* clang-format on */

static int write_pod(char *out, size_t room, int number)
{
	int set = number % 977 + 4096;

	return snprintf(out, room, pod_format, set, number, set, set, set, set, number % 5000);
}

static int write_report(char *out, size_t room, int number)
{
	int time = again ? 9 : number % 8, restarts = again;
	int net = 64 + number / 65536, host = number / 256 % 256, pod = number % 256;

	return snprintf(out, room, report_format, time, time, time, number % 5000 / 250,
			number % 250, net, host, pod, net, host, pod, time, restarts, number);
}

static void send_step(struct connection *connection)
{
	static const char *const agents[] = {"kube-controller-manager/v1.36.0",
					     "kube-scheduler/v1.36.0", "kubelet/v1.36.0"};
	static char body[ROOM], request[ROOM + 1024];
	int number = connection->pod, size;
	char path[256];

	snprintf(path, sizeof(path), "/api/v1/namespaces/bench-%d/pods", number % NAMESPACES);
	if (connection->step != CREATE)
		snprintf(path + strlen(path), sizeof(path) - strlen(path),
			 "/frontend-%x-%05d/status", number % 977 + 4096, number);
	size = connection->step == CREATE     ? write_pod(body, sizeof(body), number)
	       : connection->step == SCHEDULE ? snprintf(body, sizeof(body), "%s", scheduled)
					      : write_report(body, sizeof(body), number);
	size = snprintf(request, sizeof(request),
			"%s %s HTTP/1.1\r\nHost: a\r\nUser-Agent: %s\r\nContent-Type: %s\r\n"
			"Content-Length: %d\r\n\r\n%s",
			connection->step == CREATE ? "POST" : "PATCH", path,
			agents[connection->step],
			connection->step == CREATE ? "application/json"
						   : "application/strategic-merge-patch+json",
			size, body);
	if (send(connection->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
		give_up("send");
	connection->got = 0;
}

/* False: nothing is left to do. */
static bool begin_pod(struct connection *connection)
{
	if (next_pod == pods)
		return false;
	connection->pod = next_pod++;
	connection->step = again ? REPORT : CREATE;
	send_step(connection);
	return true;
}

/* The size of the answer's body once it is there whole; else 0. */
static size_t whole_answer(struct connection *connection)
{
	const char *head = connection->in, *end, *length;
	size_t size;

	connection->in[connection->got] = '\0';
	end = strstr(head, "\r\n\r\n");
	length = end ? strcasestr(head, "\r\nContent-Length:") : NULL;
	if (!length)
		return 0;
	size = (size_t)atoi(length + strlen("\r\nContent-Length:"));
	if (connection->got < (size_t)(end + 4 - head) + size)
		return 0;
	if (strncmp(head, "HTTP/1.1 20", 11) != 0) {
		fprintf(stderr, "fill: pod %d, step %d: %s\n", connection->pod, connection->step,
			head);
		exit(1);
	}
	return size;
}

/* False: this connection is through. */
static bool hear(struct connection *connection)
{
	ssize_t size = recv(connection->fd, connection->in + connection->got,
			    ROOM - 1 - connection->got, 0);
	size_t body;

	if (size <= 0)
		give_up("answer");
	connection->got += (size_t)size;
	body = whole_answer(connection);
	if (!body)
		return true;
	if (++connection->step != DONE) {
		send_step(connection);
		return true;
	}
	bytes += body;
	return begin_pod(connection);
}

static int connected(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		give_up("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), count = argc > 3 ? atoi(argv[3]) : 64, left = 0;
	struct connection *all;

	port = argc > 2 ? atoi(argv[1]) : 0;
	pods = argc > 2 ? atoi(argv[2]) : 0;
	again = argc > 4;
	if (port <= 0 || pods <= 0 || count <= 0 || count > CONNECTIONS_MAX) {
		fprintf(stderr, "usage: fill PORT PODS [CONNECTIONS [again]]\n");
		return 2;
	}
	all = calloc((size_t)count, sizeof(*all));
	if (!all)
		give_up("memory");
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};

		all[i].fd = connected();
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event) != 0)
			give_up("epoll");
		left += begin_pod(&all[i]);
	}
	while (left > 0) {
		struct epoll_event ready[64];
		int found = epoll_wait(epoll, ready, 64, WAIT_MS);

		if (found <= 0)
			give_up("nothing comes");
		for (int i = 0; i < found; i++)
			left -= !hear(ready[i].data.ptr);
	}
	printf("%llu\n", bytes);
	return 0;
}
