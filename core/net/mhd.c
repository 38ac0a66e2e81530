/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that touches libmicrohttpd. Its threads read heads and bodies and
 * send answers; here its calls become requests, and answers become its
 * responses. Off its threads nothing of it is called but "resume".
 *
 * A connection that is taken over stays suspended there until the stream ends;
 * then it is resumed, and the handler says MHD_NO, which makes the library
 * close and free it. Refusals go the same way, so that a client still sending
 * its body gets to read why. A client that offers HTTP/2 never gets here: see
 * tls_read.
 */
#include "net/body.h"
#include "net/connection.h"
#include "net/hello.h"
#include "net/http2.h"
#include "net/intake.h"
#include "base/clock.h"
#include "base/log.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	JOINED_MAX = 16 * 1024, /* a body up to this is sent with its head, in one piece */
	BLOCK = 64 * 1024	/* and a longer one in blocks */
};

/* Answers */

static ssize_t read_block(void *context, uint64_t position, char *out, size_t room)
{
	int64_t size = body_read(context, out, room);

	(void)position;
	if (size < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return size ? (ssize_t)size : MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_body(void *context)
{
	body_free(context);
}

/* A short body of several pieces becomes one, so that it costs one system call. */
static struct MHD_Response *join_body(struct body *body)
{
	size_t size = (size_t)body_length(body), done = 0;
	char *joined = cox_alloc(size + 1);
	struct MHD_Response *answer;

	while (done < size) {
		int64_t part = body_read(body, joined + done, size - done);

		if (part <= 0)
			break;
		done += (size_t)part;
	}
	body_free(body);
	answer = MHD_create_response_from_buffer_with_free_callback(done, joined, free);
	if (!answer)
		free(joined);
	return answer;
}

static struct MHD_Response *answer_from(struct body *body, bool may_join)
{
	uint64_t length = body_length(body);
	const void *single = body_single(body);
	struct MHD_Response *answer;

	if (!single && may_join && length <= JOINED_MAX)
		return join_body(body);
	if (single)
		answer = MHD_create_response_from_buffer_with_free_callback_cls(
			(size_t)length, (void *)(uintptr_t)single, free_body, body);
	else
		answer = MHD_create_response_from_callback(
			length == HTTP_LENGTH_UNKNOWN ? MHD_SIZE_UNKNOWN : length, BLOCK,
			read_block, body, free_body);
	if (!answer)
		body_free(body);
	return answer;
}

static void add_header(struct MHD_Response *answer, const char *name, const char *value)
{
	if (MHD_add_response_header(answer, name, value) != MHD_YES)
		log_error("the header %s could not be added to an answer", name);
}

static struct MHD_Response *make_answer(struct connection *connection,
					const struct http_response *response)
{
	bool gzip;
	struct body *body = body_for(&connection->request, response,
				     connection->server->config.gzip_loopback, &gzip);
	struct MHD_Response *answer = answer_from(body, !response->produce && !gzip);

	if (!answer)
		return NULL;
	if (response->content_type)
		add_header(answer, "Content-Type", response->content_type);
	for (size_t i = 0; i < response->header_count; i++)
		add_header(answer, response->headers[i].name, response->headers[i].value);
	if (response->flags & HTTP_RESPONSE_GZIP)
		add_header(answer, "Vary", "Accept-Encoding");
	if (gzip)
		add_header(answer, "Content-Encoding", "gzip");
	if ((response->flags & HTTP_RESPONSE_CLOSE) || atomic_load(&connection->server->closing))
		add_header(answer, "Connection", "close");
	return answer;
}

/* The transport of requests that came through a socket */

static void socket_respond(struct http_request *request, const struct http_response *response)
{
	struct connection *connection = (struct connection *)request;

	connection->answer = make_answer(connection, response);
	connection->status = response->status;
	connection->stage = CONNECTION_ANSWERED;
	if (!connection->suspended)
		return;
	sweep_undefer(connection->server, &connection->deferred);
	MHD_resume_connection(connection->library);
}

static void suspend(struct connection *connection)
{
	connection->suspended = true;
	MHD_suspend_connection(connection->library);
}

static void socket_defer(struct http_request *request, void (*gone)(void *context), void *context)
{
	struct connection *connection = (struct connection *)request;

	suspend(connection);
	sweep_defer(connection->server, &connection->deferred, connection->fd, gone, context);
}

void mhd_go_on(struct connection *connection)
{
	connection->stage = CONNECTION_IDLE;
	connection->suspended = false;
	MHD_resume_connection(connection->library);
}

static void stream_finished(void *owner)
{
	mhd_give_back(owner);
}

static void free_request_memory(struct connection *connection, struct arena *arena,
				struct cox_buf *body)
{
	intake_free_body(connection->server, body);
	arena_free(arena);
}

/*
 * The library maps `head_bytes` for each connection, fills them from both ends,
 * and has no use for them once a stream has taken over: what stands in two
 * pages is worth more than all else that a waiting watch costs. The method is
 * the first thing in there, so long as the client sent no empty lines ahead of
 * it; at a page's beginning it is, since fewer bytes than a page ever came.
 * Looked up in 0.9.75 (memorypool.c, connection.c); others are left alone.
 */
static void give_back_head(const struct connection *connection)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = connection->server->config.head_bytes;
	char *at = (char *)(uintptr_t)connection->request.method_name;
	struct tcp_info info = {0};
	socklen_t info_size = sizeof(info);

	if (MHD_VERSION != 0x00097500 || size <= 32 * 1024 || (uintptr_t)at % page)
		return;
	if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &info_size) == 0 &&
	    info_size == sizeof(info) && info.tcpi_bytes_received < page)
		madvise(at, size / page * page, MADV_DONTNEED);
}

static struct http_stream *take_over(struct connection *connection,
				     const struct http_response *head,
				     const struct http_stream_callbacks *callbacks, void *context)
{
	struct http_server *server = connection->server;
	struct stream_socket socket = {.fd = connection->fd,
				       .session = connection->session,
				       .http10 = connection->request.http10,
				       .no_body = connection->request.method == HTTP_HEAD,
				       .finished = stream_finished,
				       .owner = connection};
	/* The head may lie in the arena, and the stream may end before we do. */
	struct arena arena = connection->request.arena;
	struct cox_buf body = connection->body;
	struct http_stream *stream;

	connection->request.arena = (struct arena)ARENA_INIT;
	connection->body = (struct cox_buf)COX_BUF_INIT;
	connection->stage = CONNECTION_TAKEN;
	atomic_store(&connection->deadline, 0);
	if (connection->suspended)
		sweep_undefer(server, &connection->deferred);
	else
		suspend(connection);
	/*
	 * Before the stream, which may be over soon. A 101 repeats what the client asked
	 * for, and one with a length is a refusal whose client may be sending still.
	 */
	if (head->status != 101 && !head->length)
		give_back_head(connection);
	stream = stream_open(server->streams, &socket, head, callbacks, context);
	free_request_memory(connection, &arena, &body);
	return stream;
}

static struct http_stream *socket_stream(struct http_request *request,
					 const struct http_response *head,
					 const struct http_stream_callbacks *callbacks,
					 void *context)
{
	struct http_response plain = *head;

	plain.length = 0; /* a stream has no end that is known */
	http_response_discard(head);
	return take_over((struct connection *)request, &plain, callbacks, context);
}

static const struct http_request_ops socket_ops = {
	.respond = socket_respond,
	.defer = socket_defer,
	.stream = socket_stream,
};

/* Refusals */

static void refuse(struct connection *connection, unsigned code, const char *reason,
		   const char *message)
{
	static const struct http_stream_callbacks none = {0};
	static const struct http_header retry = {"Retry-After", "1"};
	cox_autobuf text = COX_BUF_INIT;
	struct http_response head = {.status = code, .content_type = "application/json"};
	struct http_stream *stream;

	atomic_fetch_add(&connection->server->refused, 1);
	request_status_json(&text, code, reason, message);
	head.length = text.size;
	if (code == 429) {
		head.headers = &retry;
		head.header_count = 1;
	}
	stream = take_over(connection, &head, &none, NULL);
	if (http_stream_copy(stream, text.data, text.size) != 0)
		log_verbose(4, "a refused client hung up");
	http_stream_end(stream);
	http_stream_release(stream);
}

static void refuse_error(struct connection *connection, const struct cox_error *err)
{
	refuse(connection, (unsigned)error_http_code(err->reason), error_reason_name(err->reason),
	       error_text(err));
}

/* Reading requests */

struct header_walk {
	struct connection *connection;
	struct http_header *headers;
	size_t capacity;
	struct cox_error *err;
	bool failed;
};

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
				   size_t name_size, const char *value, size_t value_size)
{
	struct header_walk *walk = context;
	struct http_request *request = &walk->connection->request;
	size_t trimmed = value_size;

	(void)kind;
	if (!value)
		value = "";
	if (request->header_count == walk->capacity ||
	    request_judge_header(name, name_size, value, value_size, walk->err) != 0) {
		walk->failed = true;
		return MHD_NO;
	}
	while (trimmed && (value[trimmed - 1] == ' ' || value[trimmed - 1] == '\t'))
		trimmed--;
	if (trimmed < value_size)
		value = arena_strndup(&request->arena, value, trimmed);
	walk->headers[request->header_count++] = (struct http_header){name, value};
	return MHD_YES;
}

static int read_headers(struct connection *connection, struct cox_error *err)
{
	int count = MHD_get_connection_values(connection->library, MHD_HEADER_KIND, NULL, NULL);
	struct header_walk walk = {.connection = connection, .err = err};

	if (count < 0 || count > REQUEST_HEADERS_MAX)
		return error_set(err, COX_REASON_BAD_REQUEST, "the request has too many headers");
	walk.capacity = (size_t)count;
	walk.headers = arena_calloc(&connection->request.arena,
				    (walk.capacity + 1) * sizeof(*walk.headers));
	connection->request.headers = walk.headers;
	MHD_get_connection_values_n(connection->library, MHD_HEADER_KIND, take_header, &walk);
	return walk.failed ? -1 : 0;
}

static enum MHD_Result queue_answer(struct connection *connection)
{
	struct MHD_Response *answer = connection->answer;
	enum MHD_Result result;

	connection->answer = NULL;
	if (!answer)
		return MHD_NO;
	result = MHD_queue_response(connection->library, connection->status, answer);
	MHD_destroy_response(answer);
	return result;
}

static enum MHD_Result hand_over(struct connection *connection)
{
	struct http_request *request = &connection->request;
	struct http_server *server = connection->server;

	request->body = (struct cox_bytes){connection->body.data, connection->body.size};
	request->arrived = clock_monotonic();
	request->deadline = request->arrived + server->config.request_time;
	atomic_store(&connection->deadline, 0);
	atomic_fetch_add(&server->requests, 1);
	connection->stage = CONNECTION_HANDED;
	server->config.handler(request);
	/* If it was taken away, others own it by now: do not look. */
	if (connection->suspended)
		return MHD_YES;
	if (connection->stage == CONNECTION_HANDED) {
		log_error("no answer for %s %s", request->method_name, request->raw_path);
		http_respond_text(request, 500, "text/plain", "no answer\n", 10);
	}
	return queue_answer(connection);
}

static enum MHD_Result begin_request(struct connection *connection, const char *method,
				     const char *version)
{
	struct http_request *request = &connection->request;
	struct http_server *server = connection->server;
	cox_autoerror err = COX_ERROR_INIT;

	if (atomic_load(&server->cutting))
		return MHD_NO;
	request->method_name = method;
	request->header_count = 0;
	if (read_headers(connection, &err) != 0 ||
	    request_judge(request, version, &connection->expected, &err) != 0) {
		refuse_error(connection, &err);
		return MHD_YES;
	}
	if (connection->session)
		intake_judge_peer(connection, request);
	/*
	 * The library calls again at once if there is no body. An answer queued
	 * in this first call would cost the connection: it takes that for a
	 * refusal to read the body.
	 */
	if (!connection->expected.chunked && connection->expected.length == 0) {
		connection->stage = CONNECTION_BODY;
		return MHD_YES;
	}
	if (connection->expected.length > server->config.body_bytes) {
		refuse(connection, 413, "RequestEntityTooLarge", "Request entity too large");
		return MHD_YES;
	}
	connection->stage = CONNECTION_BODY;
	connection->body_started = clock_monotonic();
	atomic_store(&connection->deadline, connection->body_started + server->config.body_time);
	return MHD_YES;
}

static enum MHD_Result take_body(struct connection *connection, const char *data, size_t *size)
{
	struct http_server *server = connection->server;
	size_t given = *size;

	*size = 0;
	if (connection->body.size + given > server->config.body_bytes) {
		refuse(connection, 413, "RequestEntityTooLarge", "Request entity too large");
		return MHD_YES;
	}
	if (intake_grow_body(server, &connection->body, &connection->expected, given) != 0) {
		refuse(connection, 429, "TooManyRequests", INTAKE_FULL);
		return MHD_YES;
	}
	cox_buf_add(&connection->body, data, given);
	atomic_store(&connection->deadline,
		     intake_body_deadline(server, connection->body_started, connection->body.size));
	return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *library, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **slot)
{
	struct connection *connection = *slot;

	(void)context;
	(void)library;
	(void)url;
	if (connection->suspended) {
		connection->suspended = false; /* it was resumed */
		if (connection->stage == CONNECTION_ANSWERED)
			return queue_answer(connection);
		return MHD_NO;
	}
	switch (connection->stage) {
	case CONNECTION_HEAD:
		return begin_request(connection, method, version);
	case CONNECTION_BODY:
		return *size ? take_body(connection, data, size) : hand_over(connection);
	default:
		return MHD_NO;
	}
}

static struct connection *connection_of(struct MHD_Connection *library)
{
	return MHD_get_connection_info(library, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The request line is here: the only place that shows the target as it came. */
static void *on_target(void *context, const char *target, struct MHD_Connection *library)
{
	struct connection *connection = connection_of(library);
	struct http_request *request = &connection->request;
	struct http_server *server = context;

	*request = (struct http_request){.ops = &socket_ops,
					 .context = server->config.context,
					 .tls = connection->session != NULL,
					 .peer = connection->peer,
					 .peer_port = request->peer_port,
					 .peer_uid = request->peer_uid,
					 .loopback = request->loopback};
	request->target = arena_strdup(&request->arena, target);
	connection->stage = CONNECTION_HEAD;
	if (atomic_exchange(&connection->idle, false))
		atomic_store(&connection->deadline, clock_monotonic() + server->config.head_time);
	return connection;
}

static void on_completed(void *context, struct MHD_Connection *library, void **slot,
			 enum MHD_RequestTerminationCode code)
{
	struct connection *connection = *slot;
	struct http_server *server = context;

	(void)library;
	(void)code;
	if (!connection)
		return;
	free_request_memory(connection, &connection->request.arena, &connection->body);
	if (connection->answer)
		MHD_destroy_response(connection->answer);
	connection->answer = NULL;
	connection->stage = CONNECTION_IDLE;
	atomic_store(&connection->deadline, clock_monotonic() + server->config.idle_time);
	atomic_store(&connection->idle, true);
	*slot = NULL;
}

/* Connections */

/* What is to come says that the client does not speak HTTP/2. */
static bool is_settled(struct connection *connection)
{
	uint8_t hello[HELLO_MAX];
	ssize_t seen;

	if (connection->settled)
		return true;
	seen = recv(connection->fd, hello, sizeof(hello), MSG_PEEK);
	connection->settled =
		seen == 0 || (seen > 0 && hello_read(hello, (size_t)seen) == HELLO_OTHER);
	return connection->settled;
}

/*
 * What TLS reads with. Until it is clear what the client wants to speak, this
 * looks at the ClientHello and leaves it where it is. A client that offers
 * HTTP/2 is suspended here before the library has seen a byte, and is detached;
 * the library's session goes unused, since HTTP/2 makes one of its own.
 *
 * A connection is suspended, too, whenever a handshake waits for its client:
 * the library would ask again and again without a pause (0.9.75).
 */
static ssize_t tls_read(gnutls_transport_ptr_t context, void *data, size_t size)
{
	struct connection *connection = context;
	ssize_t got;

	if (connection->stage == CONNECTION_OVER)
		return 0;
	if (is_settled(connection)) {
		got = recv(connection->fd, data, size, 0);
		if (connection->shaken || got >= 0 || errno != EAGAIN)
			return got;
	}
	if (http2_set_begin(connection->server->http2) != 0) {
		/* HTTP/1.1 is better than nothing, even with the library's way to wait. */
		connection->settled = connection->shaken = true;
		return recv(connection->fd, data, size, 0);
	}
	connection->stage = CONNECTION_TAKEN;
	suspend(connection);
	http2_set_take(connection->server->http2, connection);
	errno = EAGAIN;
	return -1;
}

/* After the client's "finished" nothing is read for a handshake any more. */
static int note_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			 const gnutls_datum_t *message)
{
	(void)type;
	(void)when;
	(void)message;
	if (incoming)
		connection_of(gnutls_session_get_ptr(session))->shaken = true;
	return 0;
}

static int tls_wait(gnutls_transport_ptr_t context, unsigned milliseconds)
{
	const struct connection *connection = context;
	struct pollfd input = {.fd = connection->fd, .events = POLLIN};

	return poll(&input, 1, (int)milliseconds);
}

static void prepare_tls(struct connection *connection)
{
	struct http_server *server = connection->server;

	pthread_mutex_lock(&server->tls_mutex);
	connection->tls = tls_state_ref(server->tls);
	pthread_mutex_unlock(&server->tls_mutex);
	if (tls_session_prepare(connection->tls, connection->session, &server->ticket_key) != 0)
		log_error("a TLS session could not be prepared");
	gnutls_transport_set_ptr2(connection->session, connection,
				  (gnutls_transport_ptr_t)(intptr_t)connection->fd);
	gnutls_transport_set_pull_function(connection->session, tls_read);
	gnutls_transport_set_pull_timeout_function(connection->session, tls_wait);
	gnutls_handshake_set_hook_function(connection->session, GNUTLS_HANDSHAKE_FINISHED,
					   GNUTLS_HOOK_BOTH, note_finished);
}

static void open_connection(struct http_server *server, struct MHD_Connection *library, void **slot)
{
	struct connection *connection = cox_new(struct connection);
	struct http_request *request = &connection->request;
	const union MHD_ConnectionInfo *info;

	connection->server = server;
	connection->library = library;
	connection->references = 1;
	info = MHD_get_connection_info(library, MHD_CONNECTION_INFO_CONNECTION_FD);
	connection->fd = info->connect_fd;
	listen_describe_peer(connection->fd, connection->peer, &request->peer_port,
			     &request->peer_uid, &request->loopback);
	if (server->has_tls) {
		info = MHD_get_connection_info(library, MHD_CONNECTION_INFO_GNUTLS_SESSION);
		connection->session = info->tls_session;
		prepare_tls(connection);
	}
	atomic_store(&connection->deadline, clock_monotonic() + server->config.head_time);
	atomic_fetch_add(&server->accepted, 1);
	/* The library does not count those that are detached. */
	if (atomic_fetch_add(&server->open, 1) >= server->most) {
		atomic_fetch_add(&server->cut, 1);
		shutdown(connection->fd, SHUT_RDWR);
	}
	cox_lock_scope(&server->mutex);
	connection->next = server->connections;
	connection->link = &server->connections;
	if (connection->next)
		connection->next->link = &connection->next;
	server->connections = connection;
	*slot = connection;
}

static void unref(struct connection *connection)
{
	if (atomic_fetch_sub(&connection->references, 1) == 1)
		free(connection);
}

static void close_connection(struct connection *connection)
{
	struct http_server *server = connection->server;

	pthread_mutex_lock(&server->mutex);
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	pthread_mutex_unlock(&server->mutex);
	free_request_memory(connection, &connection->request.arena, &connection->body);
	tls_state_unref(connection->tls);
	free(connection->chain);
	free(connection->problem);
	if (connection->detached)
		close(connection->fd);
	unref(connection);
	atomic_fetch_sub(&server->open, 1);
}

/* The library gets a socket that leads nowhere to close in place of the client's. */
static int exchange_socket(struct connection *connection)
{
	cox_autoclose int nowhere = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int own = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);

	if (nowhere < 0 || own < 0 || dup3(nowhere, connection->fd, O_CLOEXEC) < 0) {
		cox_cleanup_close(&own);
		return -1;
	}
	connection->fd = own;
	return 0;
}

int mhd_detach(struct connection *connection)
{
	int failed;

	pthread_mutex_lock(&connection->server->mutex);
	failed = exchange_socket(connection);
	pthread_mutex_unlock(&connection->server->mutex);
	if (failed)
		return -1;
	connection->detached = true;
	atomic_fetch_add(&connection->references, 1);
	atomic_fetch_add(&connection->server->detaching, 1);
	connection->session = NULL;
	connection->stage = CONNECTION_OVER;
	MHD_resume_connection(connection->library);
	return 0;
}

void mhd_give_back(struct connection *connection)
{
	if (connection->detached) {
		close_connection(connection);
		return;
	}
	connection->stage = CONNECTION_OVER;
	MHD_resume_connection(connection->library);
}

static void on_connection(void *context, struct MHD_Connection *library, void **slot,
			  enum MHD_ConnectionNotificationCode code)
{
	struct connection *connection = *slot;
	struct http_server *server = context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		open_connection(server, library, slot);
	} else if (connection && connection->detached) {
		unref(connection);
		atomic_fetch_sub(&server->detaching, 1);
	} else if (connection) {
		close_connection(connection);
	}
}

/* The daemon */

static void on_log(void *context, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void on_log(void *context, const char *format, va_list args)
{
	char text[256];
	size_t size;

	(void)context;
	vsnprintf(text, sizeof(text), format, args);
	for (size = strlen(text); size && text[size - 1] == '\n'; size--)
		text[size - 1] = '\0';
	log_verbose(4, "libmicrohttpd: %s", text);
}

/* Sessions get their certificate when they begin; the library only wants to see one. */
static int no_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
			  gnutls_pcert_st **certificates, unsigned *count,
			  gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key,
			  unsigned *flags)
{
	(void)session;
	(void)info;
	(void)certificates;
	(void)count;
	(void)ocsp;
	(void)ocsp_count;
	(void)key;
	(void)flags;
	return -1;
}

int mhd_start(struct http_server *server, struct listener *listener, unsigned connections,
	      struct cox_error *err)
{
	const struct http_config *config = &server->config;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_ERROR_LOG | (server->has_tls ? MHD_USE_TLS : 0);
	uint64_t idle_seconds = config->idle_time / CLOCK_SECOND + 1;
	struct MHD_OptionItem options[16];
	sigset_t all, saved;
	size_t count = 0;

	options[count++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, listener->fd, NULL};
	options[count++] =
		(struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL};
	options[count++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT,
						   (intptr_t)config->head_bytes, NULL};
	options[count++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT,
						   (intptr_t)idle_seconds, NULL};
	options[count++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, -1, NULL};
	if (config->threads > 1)
		options[count++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE,
							   (intptr_t)config->threads, NULL};
	if (server->has_tls) {
		options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK2, 0,
							   (void *)(uintptr_t)no_certificate};
		options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
							   (void *)(uintptr_t)TLS_PRIORITIES};
	}
	options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	/* Its threads inherit this: signals have a thread of their own. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	listener->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log,
		server, MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (!listener->daemon)
		return error_set(err, COX_REASON_INTERNAL_ERROR, "start the HTTP server on %s",
				 listener->address);
	return 0;
}

void mhd_quiesce(struct listener *listener)
{
	MHD_quiesce_daemon(listener->daemon);
}

void mhd_stop(struct listener *listener)
{
	MHD_stop_daemon(listener->daemon);
}
