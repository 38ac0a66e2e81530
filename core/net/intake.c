/* SPDX-License-Identifier: Apache-2.0 */
/* Requests coming in; see the header. */
#include "net/intake.h"
#include "base/clock.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <time.h>

enum {
	BODY_PACE = 100 * 1000, /* bytes that buy a body one more second */
	BODY_STEP = 64 * 1024
};

void intake_judge_peer(struct connection *connection, struct http_request *request)
{
	struct http_server *server = connection->server;
	unsigned generation = atomic_load(&server->tls_generation);
	char problem[TLS_PROBLEM_SIZE];

	if (!connection->peer_judged || connection->peer_generation != generation ||
	    (uint64_t)time(NULL) > connection->peer_until) {
		struct cox_bytes chain[TLS_CHAIN_MAX];
		struct tls_state *state;

		pthread_mutex_lock(&server->tls_mutex);
		state = tls_state_ref(server->tls);
		pthread_mutex_unlock(&server->tls_mutex);
		connection->chain_count = tls_session_peer(state, connection->session, chain,
							   &connection->peer_until, problem);
		tls_state_unref(state);
		free(connection->problem);
		connection->problem = *problem ? cox_strdup(problem) : NULL;
		free(connection->chain);
		connection->chain =
			connection->chain_count
				? cox_memdup(chain, connection->chain_count * sizeof(chain[0]))
				: NULL;
		connection->peer_judged = true;
		connection->peer_generation = generation;
	}
	request->certificates = connection->chain;
	request->certificate_count = connection->chain_count;
	request->certificate_problem = connection->problem;
}

int intake_grow_body(struct http_server *server, struct cox_buf *body,
		     const struct request_body *expected, size_t more)
{
	uint64_t wanted = body->size + more;
	size_t before = body->capacity;

	if (wanted < body->capacity)
		return 0;
	/* The whole length at once would let a few promises take all memory. */
	if (expected->known && expected->length < wanted + BODY_STEP)
		wanted = expected->length;
	if (wanted < body->size + more)
		wanted = body->size + more;
	if (atomic_load(&server->body_now) + wanted - before > server->config.body_total)
		return -1;
	cox_buf_reserve(body, (size_t)wanted - body->size);
	atomic_fetch_add(&server->body_now, body->capacity - before);
	return 0;
}

void intake_free_body(struct http_server *server, struct cox_buf *body)
{
	if (body->capacity)
		atomic_fetch_sub(&server->body_now, body->capacity);
	cox_buf_free(body);
}

uint64_t intake_body_deadline(const struct http_server *server, uint64_t begun, size_t size)
{
	return begun + server->config.body_time + size * (CLOCK_SECOND / BODY_PACE);
}
