/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/2 client for tests; see the header. */
#include "http2_peer.h"

#include <stdlib.h>

struct h2_answer *h2_peer_answer(struct h2_peer *peer, int32_t id)
{
	return &peer->answers[id / 2 % H2_PEER_STREAMS];
}

static int h2_peer_on_header(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
			     size_t name_size, const uint8_t *value, size_t value_size,
			     uint8_t flags, void *context)
{
	struct h2_answer *answer = h2_peer_answer(context, frame->hd.stream_id);

	(void)http;
	(void)flags;
	if (name_size == 7 && memcmp(name, ":status", 7) == 0)
		answer->status = (unsigned)atoi((const char *)value);
	cox_buf_printf(&answer->headers, "%.*s: %.*s\n", (int)name_size, (const char *)name,
		       (int)value_size, (const char *)value);
	return 0;
}

static int h2_peer_on_data(nghttp2_session *http, uint8_t flags, int32_t id, const uint8_t *data,
			   size_t size, void *context)
{
	struct h2_peer *peer = context;

	(void)flags;
	cox_buf_add(&h2_peer_answer(peer, id)->body, data, size);
	if (!peer->holds_windows)
		nghttp2_session_consume(http, id, size);
	return 0;
}

static int h2_peer_on_frame(nghttp2_session *http, const nghttp2_frame *frame, void *context)
{
	struct h2_peer *peer = context;
	struct h2_answer *answer = h2_peer_answer(peer, frame->hd.stream_id);

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		answer->headed = true;
		break;
	case NGHTTP2_GOAWAY:
		peer->gone_away = true;
		peer->away_code = frame->goaway.error_code;
		peer->away_last = frame->goaway.last_stream_id;
		break;
	case NGHTTP2_PING:
		peer->pings += !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		break;
	case NGHTTP2_SETTINGS:
		peer->max_streams = nghttp2_session_get_remote_settings(
			http, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
		break;
	default:
		break;
	}
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		answer->ended = true;
	return 0;
}

static int h2_peer_on_close(nghttp2_session *http, int32_t id, uint32_t code, void *context)
{
	struct h2_answer *answer = h2_peer_answer(context, id);

	(void)http;
	answer->closed = true;
	answer->code = code;
	return 0;
}

/* A ClientHello that comes in pieces. */
static ssize_t dribble(gnutls_transport_ptr_t context, const void *data, size_t size)
{
	struct h2_peer *peer = context;
	size_t piece = peer->dribble && size > peer->dribble ? peer->dribble : size;

	if (peer->dribble)
		poll(NULL, 0, 2);
	return send(peer->fd, data, piece, MSG_NOSIGNAL);
}

static ssize_t receive(gnutls_transport_ptr_t context, void *data, size_t size)
{
	struct h2_peer *peer = context;

	return recv(peer->fd, data, size, 0);
}

static int wait_input(gnutls_transport_ptr_t context, unsigned ms)
{
	struct h2_peer *peer = context;
	struct pollfd input = {.fd = peer->fd, .events = POLLIN};

	return poll(&input, 1, (int)ms);
}

int h2_peer_open_tls(struct h2_peer *peer, uint16_t port, const struct cox_buf *ca,
		     const struct cox_buf *certificate, const struct cox_buf *key,
		     const char *priorities, const char *protocols)
{
	gnutls_datum_t trusted = {(unsigned char *)ca->data, (unsigned)ca->size};
	gnutls_datum_t names[2];
	unsigned count = 0;
	int code;

	size_t pieces = peer->dribble;

	memset(peer, 0, sizeof(*peer));
	peer->dribble = pieces;
	peer->fd = peer_connect(port);
	if (peer->fd < 0)
		return -1;
	gnutls_certificate_allocate_credentials(&peer->credentials);
	gnutls_certificate_set_x509_trust_mem(peer->credentials, &trusted, GNUTLS_X509_FMT_PEM);
	if (certificate) {
		gnutls_datum_t leaf = {(unsigned char *)certificate->data,
				       (unsigned)certificate->size};
		gnutls_datum_t own = {(unsigned char *)key->data, (unsigned)key->size};

		gnutls_certificate_set_x509_key_mem(peer->credentials, &leaf, &own,
						    GNUTLS_X509_FMT_PEM);
	}
	gnutls_init(&peer->session, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
	gnutls_priority_set_direct(peer->session, priorities ? priorities : "NORMAL", NULL);
	gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE, peer->credentials);
	gnutls_session_set_verify_cert(peer->session, "127.0.0.1", 0);
	while (protocols && *protocols && count < 2) {
		size_t size = strcspn(protocols, ",");

		names[count++] =
			(gnutls_datum_t){(unsigned char *)(uintptr_t)protocols, (unsigned)size};
		protocols += size + (protocols[size] == ',');
	}
	if (count)
		gnutls_alpn_set_protocols(peer->session, names, count, 0);
	gnutls_transport_set_ptr(peer->session, peer);
	gnutls_transport_set_push_function(peer->session, dribble);
	gnutls_transport_set_pull_function(peer->session, receive);
	gnutls_transport_set_pull_timeout_function(peer->session, wait_input);
	gnutls_handshake_set_timeout(peer->session, PEER_PATIENCE * 1000);
	do {
		code = gnutls_handshake(peer->session);
	} while (code < 0 && !gnutls_error_is_fatal(code));
	return code < 0 ? -1 : 0;
}

void h2_peer_raw(struct h2_peer *peer, const void *data, size_t size)
{
	while (size) {
		ssize_t done = gnutls_record_send(peer->session, data, size);

		if (done == GNUTLS_E_AGAIN || done == GNUTLS_E_INTERRUPTED)
			continue;
		if (done <= 0) {
			peer->ended = true;
			return;
		}
		data = (const char *)data + done;
		size -= (size_t)done;
	}
}

void h2_peer_send(struct h2_peer *peer)
{
	const uint8_t *data;
	ssize_t size;

	while (!peer->ended && (size = nghttp2_session_mem_send(peer->http, &data)) > 0)
		h2_peer_raw(peer, data, (size_t)size);
}

void h2_peer_begin(struct h2_peer *peer, uint32_t window)
{
	const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_peer_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_peer_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, h2_peer_on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, h2_peer_on_close);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_http_messaging(option, 1);
	nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
	nghttp2_option_set_peer_max_concurrent_streams(option, 100000);
	nghttp2_session_client_new2(&peer->http, callbacks, peer, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(peer->http, 0, settings, 1);
	h2_peer_send(peer);
}

bool h2_peer_turn(struct h2_peer *peer, unsigned ms)
{
	char buffer[20000];
	ssize_t size;

	h2_peer_send(peer);
	if (!gnutls_record_check_pending(peer->session) && wait_input(peer, ms) == 0)
		return !peer->ended;
	size = gnutls_record_recv(peer->session, buffer, sizeof(buffer));
	if (size == 0 || (size < 0 && gnutls_error_is_fatal((int)size)))
		peer->ended = true;
	if (size > 0 &&
	    nghttp2_session_mem_recv(peer->http, (const uint8_t *)buffer, (size_t)size) < 0)
		peer->ended = true;
	h2_peer_send(peer);
	return !peer->ended;
}

void h2_peer_close(struct h2_peer *peer)
{
	for (size_t i = 0; i < H2_PEER_STREAMS; i++) {
		cox_buf_free(&peer->answers[i].headers);
		cox_buf_free(&peer->answers[i].body);
	}
	if (peer->http)
		nghttp2_session_del(peer->http);
	gnutls_deinit(peer->session);
	gnutls_certificate_free_credentials(peer->credentials);
	close(peer->fd);
}
