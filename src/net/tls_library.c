/*
 * tls_library.c: what the TLS sessions of a loop share: one SSL_CTX a trust setting. Layer: net.
 */
#include "net/tls_private.h"

#include <stdlib.h>

#define SECURITY_LEVEL_LEGACY 0 /* TLS 1.0 and 1.1 sign their handshakes by MD5 and SHA-1 */
#define CONTEXTS_MOST 64

static void
on_info(const SSL *ssl, int where, int value)
{
	struct tls *tls = SSL_get_app_data(ssl);

	if (!(where & SSL_CB_ALERT) || !(where & SSL_CB_READ))
		return; /* our own alerts say nothing about the peer */
	if (value >> 8 == SSL3_AL_FATAL)
		tls->alert = value & 0xff;
	else if ((value & 0xff) == SSL_AD_UNRECOGNIZED_NAME)
		tls->is_name_unknown = true;
}

/* Comes in the handshake (TLS 1.2) or in a later read (1.3: tickets). Gives 1: it is ours now. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *tls = SSL_get_app_data(ssl);

	if (!tls->memory)
		return 0;
	tls_memory_put(tls->memory, tls->generation, session);
	return 1;
}

static SSL_CTX *
context_make(X509_STORE *store, enum tls_version least)
{
	static const int versions[TLS_VERSION_COUNT] = {
		[TLS_1_0] = TLS1_VERSION,
		[TLS_1_1] = TLS1_1_VERSION,
		[TLS_1_2] = TLS1_2_VERSION,
		[TLS_1_3] = TLS1_3_VERSION,
	};
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context)
		return NULL;
	SSL_CTX_set_security_level(
		context, least < TLS_1_2 ? SECURITY_LEVEL_LEGACY : TLS_SECURITY_LEVEL);
	SSL_CTX_set_min_proto_version(context, versions[least]);
	SSL_CTX_set_max_proto_version(context, 0);
	SSL_CTX_set1_cert_store(context, store);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(context, tls_verify_chain, NULL);
	SSL_CTX_set_info_callback(context, on_info);
	/* H1-21; H1-34: both protocols have a goodbye of their own, and servers rarely say TLS's.
	 */
	SSL_CTX_set_options(context,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_clear_mode(context,
		SSL_MODE_AUTO_RETRY); /* a flood of tickets must not hold the loop (H1-22) */
	SSL_CTX_set_read_ahead(context, 1);
	/* Kept by tls_session.c alone, which knows how long they may be believed. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_session);
	return context;
}

static void
context_free(struct context *context)
{
	SSL_CTX_free(context->is);
	X509_STORE_free(context->store);
	free(context);
}

static void
drop_oldest(struct tls_library *library)
{
	struct context **link = &library->contexts;

	for (size_t count = 0; *link && count < CONTEXTS_MOST; count++)
		link = &(*link)->next;
	while (*link) {
		struct context *context = *link;

		*link = context->next;
		context_free(context);
	}
}

const struct context *
tls_context(struct tls_library *library, X509_STORE *store, enum tls_version least)
{
	struct context *context;

	for (struct context **link = &library->contexts; (context = *link) != NULL;
		link = &context->next) {
		if (context->store == store && context->least == least) {
			*link = context->next;
			context->next = library->contexts;
			library->contexts = context;
			return context;
		}
	}
	context = calloc(1, sizeof(*context));
	if (!context || (context->is = context_make(store, least)) == NULL) {
		free(context);
		return NULL;
	}
	X509_STORE_up_ref(store);
	context->store = store;
	context->least = least;
	context->id = ++library->context_count;
	context->next = library->contexts;
	library->contexts = context;
	drop_oldest(library);
	return context;
}

enum err
tls_library_new(struct tls_library **out)
{
	struct tls_library *library = calloc(1, sizeof(*library));

	if (!library || (library->method = tls_socket_method()) == NULL ||
		(library->memories = tls_memories_new()) == NULL) {
		tls_library_free(library);
		return ERR_MEMORY;
	}
	*out = library;
	return ERR_OK;
}

void
tls_library_forget(struct tls_library *library)
{
	tls_memories_forget(library->memories);
}

void
tls_library_free(struct tls_library *library)
{
	if (!library)
		return;
	while (library->contexts) {
		struct context *context = library->contexts;

		library->contexts = context->next;
		context_free(context);
	}
	tls_memories_free(library->memories);
	BIO_meth_free(library->method);
	free(library);
}
