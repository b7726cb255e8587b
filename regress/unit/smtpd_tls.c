/*
 * common/tls_provider.c, session_tls_certs.c, session_tls_ctx.c,
 * session_tls_ticket.c, session_tls_name.c: handshakes whose signature another
 * process makes, which certificate is shown, tickets that each process opens.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <signal.h>

#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "cert.h"
#include "conf_image.h"
#include "keys_ticket.h"
#include "keys_tls.h"
#include "log.h"
#include "session_tls_certs.h"
#include "session_tls_name.h"
#include "unit.h"

#define NEVER_ENDS 1000

enum { RSA_A, EC_A, ED_B, N_PKI };

static struct loop *the_loop;
static struct cert certs[N_PKI], ca, client_cert, ended;
static struct conf *conf;
static struct proc proc[2]; /* two session processes */
static struct ipc_chan to_keys[2];
static struct session_certs *sessions[2];
static pid_t keys_pid[2];

/* ---- the keys process ---- */

static struct tls_key keys[N_PKI + 1];

static void
on_tls_sign(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct tls_sign *ask = msg->body;
	struct ticket_key turn;
	struct tls_signed is;
	size_t len = 0;

	(void)self;
	memset(&is, 0, sizeof is);
	if (ask->pki <= N_PKI &&
	    tls_key_sign(&keys[ask->pki], TLS_SERVER, ask, is.sig,
		sizeof is.sig, &len) == NULL)
		is.outcome.verdict = DONE;
	is.len = (uint32_t)len;
	/* A turn of ticket keys comes at any time. */
	memset(&turn, 0, sizeof turn);
	turn.age = TLS_TICKET_KEYS;
	ticket_key_send(from, 0, &turn, -1);
	tls_signed_send(from, msg->id, &is, -1);
}

static void
on_gone(void *self, struct ipc_chan *c, const char *why)
{
	(void)self;
	(void)why;
	ipc_detach(c);
	_exit(0);
}

static void
be_keys(int fd)
{
	static ipc_handler *const handlers[IPC_TYPES] = {
		[IPC_TLS_SIGN] = on_tls_sign,
	};
	static struct ipc_chan chan;
	struct loop *l = loop_new();
	size_t i;

	for (i = 0; i < N_PKI; i++)
		keys[i].pkey = certs[i].key;
	keys[N_PKI].pkey = certs[RSA_A].key;
	ipc_init(&chan, l, PROC_KEYS, PROC_SESSION, 0, handlers, NULL, on_gone);
	ipc_attach(&chan, fd);
	loop_run(l);
	_exit(1);
}

static unsigned int n_turns;

static void
on_ticket_key(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct ticket_key *m = msg->body;

	(void)self;
	(void)from;
	n_turns += m->age == TLS_TICKET_KEYS;
}

static void
on_lost(void *self, struct ipc_chan *c, const char *why)
{
	(void)self;
	(void)why;
	ipc_detach(c);
}

/* Gives session process n a keys process; mute: one that never answers. */
static void
attach_keys(int n, bool mute)
{
	static ipc_handler *const handlers[IPC_TYPES] = {
		[IPC_TICKET_KEY] = on_ticket_key,
	};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, pair) == -1)
		abort();
	if (!mute && (keys_pid[n] = fork()) == 0) {
		close(pair[0]);
		be_keys(pair[1]);
	}
	if (!mute)
		close(pair[1]);
	if (to_keys[n].loop == NULL)
		ipc_init(&to_keys[n], the_loop, PROC_SESSION, PROC_KEYS, 0,
		    handlers, NULL, on_lost);
	ipc_attach(&to_keys[n], pair[0]);
	proc[n].peer[PROC_KEYS][0] = &to_keys[n];
}

static void
end_keys(int n)
{
	if (keys_pid[n] != 0) {
		kill(keys_pid[n], SIGKILL);
		waitpid(keys_pid[n], NULL, 0);
	}
	keys_pid[n] = 0;
}

/* ---- the configuration ---- */

/* Rows of conf.listen. */
enum { L_ALL, L_VERIFY, L_12, L_PLAIN, L_DHE, L_SUITE, N_LISTEN };

static void
make_conf(void)
{
	struct conf_pki pki[N_PKI + 1];
	struct conf_listen listen[N_LISTEN];
	struct conf_ref all[] = { { RSA_A }, { EC_A }, { ED_B } };
	struct conf_ref dhe[] = { { N_PKI } };
	struct conf_ca row;
	size_t i;

	conf = image_new();
	memset(pki, 0, sizeof pki);
	pki[RSA_A].name = pki[EC_A].name = image_text(conf, "a.example.org");
	pki[ED_B].name = image_text(conf, "b.example.org");
	pki[N_PKI].name = image_text(conf, "dhe.example.org");
	pki[N_PKI].dhe = DHE_AUTO;
	image_rows(conf, &conf->pki, pki, N_PKI + 1, sizeof pki[0]);
	memset(&row, 0, sizeof row);
	row.name = image_text(conf, "ca");
	image_rows(conf, &conf->ca, &row, 1, sizeof row);
	memset(listen, 0, sizeof listen);
	for (i = 0; i < N_LISTEN; i++) {
		listen[i].tls = LISTEN_TLS;
		listen[i].ca = CONF_NONE;
		image_rows(conf, &listen[i].pki, all, 3, sizeof all[0]);
	}
	listen[L_VERIFY].verify = 1;
	listen[L_VERIFY].ca = 0;
	listen[L_12].protocols = image_text(conf, "TLSv1.2");
	listen[L_12].ciphers =
	    image_text(conf, "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA");
	listen[L_PLAIN].tls = LISTEN_CLEAR;
	listen[L_PLAIN].pki.n = 0;
	image_rows(conf, &listen[L_DHE].pki, dhe, 1, sizeof dhe[0]);
	listen[L_SUITE].ciphers =
	    image_text(conf, "TLS_CHACHA20_POLY1305_SHA256");
	image_rows(conf, &conf->listen, listen, N_LISTEN, sizeof listen[0]);
}

static void
hand_in(struct session_certs *c, enum proc_file_of of, uint32_t index,
    X509 *x509)
{
	struct proc_file m = { .of = of, .index = index };
	int fd = cert_pem(&x509, 1, NULL);

	session_certs_file(c, &m, fd);
	close(fd);
}

static void
start_sessions(void)
{
	uint32_t i;
	int n;

	for (n = 0; n < 2; n++) {
		proc[n].conf = conf;
		proc[n].loop = the_loop;
		attach_keys(n, false);
	}
	/* The provider is loaded once in a process; here is one for both. */
	sessions[0] = session_certs_new(&proc[0]);
	sessions[1] = xcalloc(1, sizeof *sessions[1]);
	*sessions[1] = *sessions[0];
	sessions[1]->provider = NULL;
	sessions[1]->proc = &proc[1];
	sessions[1]->signer.arg = sessions[1];
	sessions[1]->chain = xcalloc(N_PKI + 2, sizeof(void *));
	sessions[1]->ca = xcalloc(2, sizeof(void *));
	sessions[1]->site = xcalloc(N_LISTEN, sizeof(struct tls_site));
	for (n = 0; n < 2; n++) {
		for (i = 0; i < N_PKI; i++)
			hand_in(sessions[n], FILE_CERT, i, certs[i].x509);
		hand_in(sessions[n], FILE_CERT, N_PKI, certs[RSA_A].x509);
		hand_in(sessions[n], FILE_CA, 0, ca.x509);
		session_certs_start(sessions[n]);
	}
}

/* ---- handshakes ---- */

/* What a client wants, and what it got. */
struct want {
	const char *sni, *sigalgs, *ciphers;
	int version;             /* the highest; 0: any */
	const struct cert *cert; /* to show */
	SSL_SESSION *session;    /* to resume */
};
struct got {
	bool client, server; /* is done */
	bool resumed;
	EVP_PKEY *key; /* of the certificate that was shown, borrowed */
	char version[16], cipher[64], name[ADDR_MAX + 1];
	SSL_SESSION *session; /* a ticket to be freed, or NULL */
	long verify;
};

static int
keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct got *got = SSL_get_app_data(ssl);

	SSL_SESSION_free(got->session);
	got->session = session;
	return 1;
}

static SSL *
client_new(SSL_CTX *ctx, const struct want *w)
{
	SSL_SESSION *session;
	SSL *ssl;

	SSL_CTX_set_session_cache_mode(ctx,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_ticket);
	if (w->version != 0)
		SSL_CTX_set_max_proto_version(ctx, w->version);
	if (w->sigalgs != NULL &&
	    SSL_CTX_set1_sigalgs_list(ctx, w->sigalgs) != 1)
		abort();
	if (w->ciphers != NULL && SSL_CTX_set_cipher_list(ctx, w->ciphers) != 1)
		abort();
	if (w->cert != NULL &&
	    (SSL_CTX_use_certificate(ctx, w->cert->x509) != 1 ||
		SSL_CTX_use_PrivateKey(ctx, w->cert->key) != 1))
		abort();
	ssl = SSL_new(ctx);
	if (w->sni != NULL)
		SSL_set_tlsext_host_name(ssl, w->sni);
	/* OpenSSL uses one of TLS 1.3 once. */
	if (w->session != NULL) {
		session = SSL_SESSION_dup(w->session);
		SSL_set_session(ssl, session);
		SSL_SESSION_free(session);
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

static EVP_PKEY *
whose(X509 *shown)
{
	size_t i;

	for (i = 0; shown != NULL && i < N_PKI; i++) {
		if (X509_cmp(shown, certs[i].x509) == 0)
			return certs[i].key;
	}
	return NULL;
}

static struct got
shake(int n, uint32_t listen, const struct want *w)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client, *server = session_certs_ssl(sessions[n], listen);
	struct got got = { 0 };
	BIO *ours, *theirs;
	X509 *shown;
	char byte;
	int i;

	client = client_new(ctx, w);
	SSL_set_app_data(client, &got);
	if (server == NULL || BIO_new_bio_pair(&ours, 0, &theirs, 0) != 1)
		abort();
	SSL_set_bio(server, ours, ours);
	SSL_set_bio(client, theirs, theirs);
	for (i = 0; i < 10 && !(got.client && got.server); i++) {
		ERR_clear_error();
		got.client = got.client || SSL_do_handshake(client) == 1;
		ERR_clear_error();
		got.server = got.server || SSL_do_handshake(server) == 1;
	}
	if (got.server && SSL_write(server, "x", 1) == 1)
		got.client = SSL_read(client, &byte, 1) == 1;
	got.resumed = got.server && SSL_session_reused(server) == 1;
	got.verify = SSL_get_verify_result(server);
	shown = SSL_get0_peer_certificate(client);
	got.key = whose(shown);
	snprintf(got.version, sizeof got.version, "%s",
	    SSL_get_version(server));
	snprintf(got.cipher, sizeof got.cipher, "%s",
	    SSL_get_cipher_name(server));
	shown = SSL_get0_peer_certificate(server);
	if (got.server && shown != NULL)
		tls_cert_name(shown, got.name);
	/* In TLS 1.2 a ticket belongs to the session itself. */
	if (got.client && got.session == NULL &&
	    SSL_SESSION_has_ticket(SSL_get_session(client)))
		got.session = SSL_get1_session(client);
	/* A session that does not end well is not resumed. */
	SSL_shutdown(client);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return got;
}

/* clang-format off */
/* Columns: name of the case, listener, what the client wants; the certificate
 * it gets (N_PKI: no handshake), version, a word of the cipher. */
static const struct {
	const char *name;
	uint32_t listen;
	struct want want;
	int cert;
	const char *version, *cipher;
} cases[] = {
	{ "1.3, ECDSA first", L_ALL, { .sni = "a.example.org" }, EC_A, "TLSv1.3", "TLS_" },
	{ "1.2, ECDSA first", L_ALL, { .version = TLS1_2_VERSION }, EC_A, "TLSv1.2", "ECDHE-ECDSA" },
	{ "1.3, RSA", L_ALL, { .sigalgs = "RSA-PSS+SHA256" }, RSA_A, "TLSv1.3", "TLS_" },
	{ "1.3, RSA, SHA-384", L_ALL, { .sigalgs = "RSA-PSS+SHA384" }, RSA_A, "TLSv1.3", "TLS_" },
	{ "1.3, RSA, SHA-512", L_ALL, { .sigalgs = "RSA-PSS+SHA512" }, RSA_A, "TLSv1.3", "TLS_" },
	{ "1.2, RSA", L_ALL, { .sigalgs = "RSA+SHA256", .version = TLS1_2_VERSION }, RSA_A, "TLSv1.2", "ECDHE-RSA" },
	{ "1.2, RSA, SHA-384", L_ALL, { .sigalgs = "RSA+SHA384", .version = TLS1_2_VERSION }, RSA_A, "TLSv1.2", "ECDHE-RSA" },
	{ "1.2, RSA, SHA-512", L_ALL, { .sigalgs = "RSA+SHA512", .version = TLS1_2_VERSION }, RSA_A, "TLSv1.2", "ECDHE-RSA" },
	{ "1.2, RSA-PSS", L_ALL, { .sigalgs = "RSA-PSS+SHA256", .version = TLS1_2_VERSION }, RSA_A, "TLSv1.2", "ECDHE-RSA" },
	{ "1.2, ECDSA, SHA-384", L_ALL, { .sigalgs = "ECDSA+SHA384", .version = TLS1_2_VERSION }, EC_A, "TLSv1.2", "ECDHE-ECDSA" },
	{ "1.2, SHA-1 alone", L_ALL, { .sigalgs = "RSA+SHA1", .ciphers = "ALL:@SECLEVEL=0", .version = TLS1_2_VERSION }, N_PKI, "", "" },
	{ "1.3, Ed25519", L_ALL, { .sni = "b.example.org" }, ED_B, "TLSv1.3", "TLS_" },
	{ "1.2, Ed25519", L_ALL, { .sni = "b.example.org", .version = TLS1_2_VERSION }, ED_B, "TLSv1.2", "ECDHE-ECDSA" },
	{ "SNI in capitals", L_ALL, { .sni = "B.Example.ORG" }, ED_B, "TLSv1.3", "TLS_" },
	{ "SNI: a name in the certificate", L_ALL, { .sni = "other.example.org" }, ED_B, "TLSv1.3", "TLS_" },
	{ "SNI: a wildcard", L_ALL, { .sni = "x.wild.example.org" }, ED_B, "TLSv1.3", "TLS_" },
	{ "SNI: one label only", L_ALL, { .sni = "y.x.wild.example.org" }, EC_A, "TLSv1.3", "TLS_" },
	{ "SNI: the wildcard's own name", L_ALL, { .sni = "wild.example.org" }, EC_A, "TLSv1.3", "TLS_" },
	{ "SNI: unknown", L_ALL, { .sni = "who.example.net" }, EC_A, "TLSv1.3", "TLS_" },
	{ "1.1", L_ALL, { .version = TLS1_1_VERSION, .ciphers = "ALL:@SECLEVEL=0" }, N_PKI, "", "" },
	{ "1.2 only: it is", L_12, { 0 }, RSA_A, "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256" },
	{ "1.2 only: no other cipher", L_12, { .ciphers = "ECDHE-RSA-AES256-GCM-SHA384", .version = TLS1_2_VERSION }, N_PKI, "", "" },
	{ "1.2: no key that is decrypted", L_12, { .ciphers = "AES128-SHA", .version = TLS1_2_VERSION }, N_PKI, "", "" },
	{ "no DHE by default", L_ALL, { .ciphers = "DHE-RSA-AES128-GCM-SHA256", .version = TLS1_2_VERSION }, N_PKI, "", "" },
	{ "dhe auto", L_DHE, { .ciphers = "DHE-RSA-AES128-GCM-SHA256", .version = TLS1_2_VERSION }, RSA_A, "TLSv1.2", "DHE-RSA-AES128-GCM-SHA256" },
	{ "a cipher of 1.3", L_SUITE, { 0 }, EC_A, "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256" },
	{ "... and those of 1.2 as always", L_SUITE, { .version = TLS1_2_VERSION }, EC_A, "TLSv1.2", "ECDHE-ECDSA" },
};
/* clang-format on */

static void
test_cases(void)
{
	EVP_PKEY *want;
	struct got got;
	char name[80];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		got = shake(0, cases[i].listen, &cases[i].want);
		want = cases[i].cert == N_PKI ? NULL : certs[cases[i].cert].key;
		snprintf(name, sizeof name, "tls: %s", cases[i].name);
		if (want == NULL)
			CHECK(name, !got.server && !got.client);
		else
			CHECK(name,
			    got.server && got.client && got.key == want &&
				strcmp(got.version, cases[i].version) == 0 &&
				strstr(got.cipher, cases[i].cipher) != NULL);
		SSL_SESSION_free(got.session);
	}
	CHECK("keys: what it says meanwhile is heard", n_turns > 0);
	CHECK("tls: none where none is",
	    session_certs_ssl(sessions[0], L_PLAIN) == NULL);
	CHECK("tls: several certificates",
	    !session_certs_one(sessions[0], L_ALL) &&
		session_certs_one(sessions[0], L_DHE) &&
		!session_certs_one(sessions[0], L_PLAIN));
}

/* ---- tickets ---- */

static void
tell(int n, const struct ticket_keys *t)
{
	uint32_t i;

	for (i = t->n; i > 0; i--)
		session_certs_ticket(sessions[n], &t->key[i - 1]);
}

/* The ticket is sealed with that key. */
static bool
sealed_with(const SSL_SESSION *session, const struct ticket_key *k)
{
	const uint8_t *ticket;
	size_t len;

	if (session == NULL)
		return false;
	SSL_SESSION_get0_ticket(session, &ticket, &len);
	return len > sizeof k->name &&
	    memcmp(ticket, k->name, sizeof k->name) == 0;
}

static void
test_tickets(int version)
{
	struct ticket_keys t = { 0 };
	struct want w = { .sni = "a.example.org", .version = version };
	struct got first, got;
	struct ticket_key far = { .age = TLS_TICKET_KEYS };
	int i;

	memset(sessions[0]->has_ticket, 0, sizeof sessions[0]->has_ticket);
	memset(sessions[1]->has_ticket, 0, sizeof sessions[1]->has_ticket);
	session_certs_ticket(sessions[0], &far);
	first = shake(0, L_ALL, &w);
	CHECK("tickets: none before there is a key",
	    first.client && first.session == NULL);
	ticket_keys_turn(&t);
	tell(0, &t);
	tell(1, &t);
	first = shake(0, L_ALL, &w);
	CHECK("tickets: one is given",
	    first.client && !first.resumed &&
		sealed_with(first.session, &t.key[0]));
	w.session = first.session;
	got = shake(0, L_ALL, &w);
	CHECK("tickets: taken again", got.client && got.resumed);
	SSL_SESSION_free(got.session);
	got = shake(1, L_ALL, &w);
	CHECK("tickets: by the other process too", got.client && got.resumed);
	SSL_SESSION_free(got.session);
	got = shake(1, L_DHE, &w);
	CHECK("tickets: not at another listener", got.client && !got.resumed);
	SSL_SESSION_free(got.session);
	ticket_keys_turn(&t);
	tell(1, &t);
	got = shake(1, L_ALL, &w);
	CHECK("tickets: after a turn of keys, and there is a new one",
	    got.client && got.resumed && sealed_with(got.session, &t.key[0]));
	SSL_SESSION_free(got.session);
	for (i = 1; i < TICKET_KEYS - 1; i++)
		ticket_keys_turn(&t);
	tell(1, &t);
	got = shake(1, L_ALL, &w);
	CHECK("tickets: by the oldest key", got.client && got.resumed);
	SSL_SESSION_free(got.session);
	ticket_keys_turn(&t);
	tell(1, &t);
	got = shake(1, L_ALL, &w);
	CHECK("tickets: not by one that is forgotten",
	    got.client && !got.resumed);
	SSL_SESSION_free(got.session);
	SSL_SESSION_free(first.session);
}

/* ---- certificates of clients ---- */

static void
test_verify(int version)
{
	struct cert other = cert_new("EC:P-256", "evil",
	    "email:bob@example.org", NEVER_ENDS, NULL);
	struct want w = { .version = version };
	struct ticket_keys t = { 0 };
	struct got got, again;

	ticket_keys_turn(&t);
	tell(0, &t);
	tell(1, &t);
	got = shake(0, L_VERIFY, &w);
	CHECK("verify: none shown", !got.server);
	w.cert = &other;
	got = shake(0, L_VERIFY, &w);
	CHECK("verify: signed by itself",
	    !got.server && got.verify != X509_V_OK);
	w.cert = &ended;
	got = shake(0, L_VERIFY, &w);
	CHECK("verify: expired",
	    !got.server && got.verify == X509_V_ERR_CERT_HAS_EXPIRED);
	w.cert = &client_cert;
	got = shake(0, L_VERIFY, &w);
	CHECK("verify: good",
	    got.server && got.client &&
		strcmp(got.name, "bob@example.org") == 0);
	w.cert = NULL;
	w.session = got.session;
	again = shake(1, L_VERIFY, &w);
	CHECK("verify: a ticket knows the name",
	    again.server && again.resumed &&
		strcmp(again.name, "bob@example.org") == 0);
	SSL_SESSION_free(again.session);
	SSL_SESSION_free(got.session);
	/* One of a listener that asks for none is no way in. */
	w.session = NULL;
	got = shake(0, L_ALL, &w);
	w.session = got.session;
	again = shake(0, L_VERIFY, &w);
	CHECK("verify: a ticket of another listener", !again.server);
	SSL_SESSION_free(got.session);
	cert_free(&other);
}

/* ---- keys goes, or is silent ---- */

static void
test_keys_trouble(void)
{
	struct want w = { 0 };
	struct got got;
	msec t0;

	CHECK("keys: can sign", session_certs_can_sign(sessions[0]));
	end_keys(0);
	got = shake(0, L_ALL, &w);
	CHECK("keys: it died, and the handshake fails",
	    !got.server && sessions[0]->unmade != NULL &&
		strstr(sessions[0]->unmade, "away") != NULL);
	CHECK("keys: it is known to be away",
	    !session_certs_can_sign(sessions[0]) &&
		!session_certs_silent(sessions[0]));
	attach_keys(0, false);
	got = shake(0, L_ALL, &w);
	CHECK("keys: it is back", got.server);
	SSL_SESSION_free(got.session);
	end_keys(0);
	attach_keys(0, true);
	t0 = loop_msec();
	got = shake(0, L_ALL, &w);
	CHECK("keys: silence is waited for",
	    !got.server && loop_msec() - t0 >= 1900 && loop_msec() - t0 < 4000);
	CHECK("keys: and remembered", session_certs_silent(sessions[0]));
	t0 = loop_msec();
	got = shake(0, L_ALL, &w);
	CHECK("keys: so that the next does not wait",
	    !got.server && loop_msec() - t0 < 1000);
	sessions[0]->silent = 0;
}

/* A key of a row that keys does not have, or of another. */
static void
test_provider(void)
{
	struct tls_signer none = { NULL, NULL };
	EVP_PKEY *x = cert_key("X25519"), *key;

	CHECK("provider: keys of other kinds",
	    tls_provider_key(x, 0, &none) == NULL);
	key = tls_provider_key(certs[RSA_A].key, 0, &none);
	CHECK("provider: the public half is the certificate's",
	    key != NULL && EVP_PKEY_eq(key, certs[RSA_A].key) == 1 &&
		EVP_PKEY_get_bits(key) == 2048);
	CHECK("provider: there is no other half",
	    i2d_PrivateKey(key, NULL) <= 0);
	ERR_clear_error();
	EVP_PKEY_free(key);
	EVP_PKEY_free(x);
	/* OpenSSL's own keys are still its own. */
	x = cert_key("EC:P-256");
	CHECK("provider: nobody else's keys",
	    strcmp(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(x)),
		"postern") != 0);
	EVP_PKEY_free(x);
}

/* ---- names ---- */

static void
test_names(void)
{
	/* Columns: common name, alternative names, what it names. */
	static const struct {
		const char *cn, *alt, *want;
	} rows[] = {
		{ "bob", NULL, "bob" },
		{ "bob", "email:bob@example.org", "bob@example.org" },
		{ "bob", "DNS:a,email:x@example.org,email:y@example.org",
		    "x@example.org" },
		{ "bob", "DNS:mx.example.org", "bob" },
		{ NULL, "email:bob@example.org", "bob@example.org" },
		{ NULL, NULL, NULL },
		{ "b\nob", NULL, NULL },
		{ "b\xc3\xb6"
		  "b",
		    NULL, NULL },
	};
	static const uint8_t nul[] = "bob@example.org\0.evil.net";
	char name[ADDR_MAX + 1];
	struct cert c;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		c = cert_new("EC:P-256", rows[i].cn, rows[i].alt, 1, NULL);
		CHECK("name: of a certificate",
		    tls_cert_name(c.x509, name) == (rows[i].want != NULL) &&
			strcmp(name,
			    rows[i].want == NULL ? "" : rows[i].want) == 0);
		cert_free(&c);
	}
	c = cert_new("EC:P-256", NULL, NULL, 1, NULL);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(c.x509),
	    NID_commonName, V_ASN1_UTF8STRING, nul, sizeof nul - 1, -1, 0);
	CHECK("name: with a NUL in it", !tls_cert_name(c.x509, name));
	cert_free(&c);
}

int
main(void)
{
	int n;

	signal(SIGPIPE, SIG_IGN);
	log_to_stderr("test", false);
	the_loop = loop_new();
	ca = cert_new("EC:P-256", "an authority", NULL, NEVER_ENDS, NULL);
	certs[RSA_A] = cert_new("RSA:2048", "a.example.org",
	    "DNS:a.example.org", NEVER_ENDS, &ca);
	certs[EC_A] = cert_new("EC:P-256", "a.example.org", "DNS:a.example.org",
	    NEVER_ENDS, &ca);
	certs[ED_B] = cert_new("ED25519", "b.example.org",
	    "DNS:other.example.org,DNS:*.wild.example.org", NEVER_ENDS, &ca);
	client_cert = cert_new("EC:P-256", "bob",
	    "email:bob@example.org,DNS:bob.example.org", NEVER_ENDS, &ca);
	ended = cert_new("EC:P-256", "bob", "email:bob@example.org", -1, &ca);
	make_conf();
	start_sessions();
	test_cases();
	test_tickets(TLS1_3_VERSION);
	test_tickets(TLS1_2_VERSION);
	test_verify(TLS1_3_VERSION);
	test_verify(TLS1_2_VERSION);
	test_keys_trouble();
	test_provider();
	test_names();
	for (n = 1; n >= 0; n--) {
		ipc_detach(&to_keys[n]);
		end_keys(n);
		session_certs_free(&sessions[n]);
	}
	for (n = 0; n < N_PKI; n++)
		cert_free(&certs[n]);
	cert_free(&ca);
	cert_free(&client_cert);
	cert_free(&ended);
	loop_free(&the_loop);
	free(conf);
	return unit_end();
}
