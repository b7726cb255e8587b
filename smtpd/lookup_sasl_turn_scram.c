/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as a client says them (RFC 5802, 7677;
 * channel binding: RFC 9266).  Runs in lookup, the second step in a thread.
 * Between the steps the exchange is in `before`: after the first our message,
 * after the second the signature that the server must have.  Never takes a
 * server's word that it knows the password without its signature.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base64.h"
#include "lookup_sasl_turn.h"
#include "num.h"
#include "scram.h"

#define BINDING "tls-exporter"

static const char no_library[] = "the library failed";

/* ---- the server's messages ---- */

struct server_first {
	struct slice nonce; /* ours and the server's */
	struct scram_secret salt;
};

/* ours: our part of the nonce. */
static const char *
first_parse(struct slice s, struct slice ours, struct server_first *out)
{
	struct slice salt, iter;
	char number[16];
	uint64_t n;

	memset(out, 0, sizeof *out);
	if (s.len == 0 || memchr(s.p, '\0', s.len) != NULL)
		return "the server's first message is none of SCRAM";
	/* RFC 5802 5.1: what must be understood, and is not. */
	if (s.p[0] == 'm')
		return "the server wants an extension of SCRAM";
	if (!scram_take(&s, 'r', &out->nonce) ||
	    !scram_is_printable(out->nonce) || !scram_take(&s, 's', &salt) ||
	    !scram_take(&s, 'i', &iter))
		return "the server's first message is none of SCRAM";
	if (out->nonce.len <= ours.len ||
	    memcmp(out->nonce.p, ours.p, ours.len) != 0)
		return "the server's nonce does not begin with ours";
	if (base64_parse(BASE64_PLAIN, salt, out->salt.salt,
		sizeof out->salt.salt, &out->salt.n_salt) != NULL ||
	    out->salt.n_salt == 0)
		return "the server's salt is not base64 of 1 to 64 bytes";
	/* RFC 7677 4: fewer make it easy to guess the password from what is
	 * said; more would keep us busy for long. */
	if (!slice_copy(iter, number, sizeof number) || number[0] == '0' ||
	    num_parse(number, SCRAM_ITER, SCRAM_ITER_MAX, &n) != NULL)
		return "the server's iteration count is not of 4096 to 1000000";
	out->salt.iter = (uint32_t)n;
	return NULL;
}

/* ---- keys ---- */

struct proof {
	uint8_t client[SCRAM_KEY]; /* ClientProof */
	uint8_t server[SCRAM_KEY]; /* ServerSignature */
};

/* RFC 5802 3 */
static bool
prove(const struct scram_secret *salt, const char *password,
    const struct buf *message, struct proof *out)
{
	uint8_t key[SCRAM_KEY], sig[SCRAM_KEY];
	struct scram_secret s = *salt;
	size_t i;
	bool ok;

	ok = scram_derive_client(&s, password, key) &&
	    scram_hmac(s.stored, SCRAM_KEY, buf_data(message), message->len,
		sig) &&
	    scram_hmac(s.server, SCRAM_KEY, buf_data(message), message->len,
		out->server);
	for (i = 0; ok && i < SCRAM_KEY; i++)
		out->client[i] = key[i] ^ sig[i];
	OPENSSL_cleanse(key, sizeof key);
	OPENSSL_cleanse(&s, sizeof s);
	return ok;
}

/* ---- the first step ---- */

/* gs2-header: with -PLUS we bind; without, "y" says that we could have, which
 * a server that offered it takes for an attack (RFC 5802 6). */
static const char *
header_of(const struct sasl_ask *m)
{
	if (m->mech == SASL_SCRAM_PLUS)
		return "p=" BINDING ",,";
	return m->n_exporter > 0 && (m->mechs & 1u << SASL_SCRAM_PLUS) == 0 ?
	    "y,," :
	    "n,,";
}

static const char *
say_first(struct sasl_turn *t)
{
	char nonce[BASE64_LEN(SASL_NONCE) + 1], user[ADDR_MAX + 1];

	if (scram_prepare(slice_of(t->login->user), user, sizeof user) != NULL)
		return "the user has characters that SASLprep does not take";
	base64_print(BASE64_PLAIN, t->nonce, sizeof t->nonce, nonce);
	if (!buf_puts(&t->message, header_of(t->ask)) ||
	    !buf_puts(&t->message, "n=") || !sasl_put_name(&t->message, user) ||
	    !buf_puts(&t->message, ",r=") || !buf_puts(&t->message, nonce) ||
	    t->message.len > sizeof t->before)
		return "the user is too long";
	t->n_before = (uint32_t)t->message.len;
	memcpy(t->before, buf_data(&t->message), t->message.len);
	return NULL;
}

/* ---- the second ---- */

/* Our first message, as it came back: header, the rest, our nonce. */
static bool
past_parse(const struct sasl_ask *m, struct slice *header, struct slice *bare,
    struct slice *nonce)
{
	struct slice s = { (const char *)m->before, m->n_before }, skipped;
	const char *end =
	    s.len == 0 ? NULL : memmem(s.p, s.len, ",,", strlen(",,"));

	if (end == NULL)
		return false;
	*header = (struct slice){ s.p, (size_t)(end - s.p) + 2 };
	*bare = (struct slice){ end + 2, s.len - header->len };
	s = *bare;
	return scram_take(&s, 'n', &skipped) && scram_take(&s, 'r', nonce) &&
	    s.len == 0 && nonce->len > 0;
}

/* "c=...,r=..." */
static bool
put_without_proof(struct buf *b, const struct sasl_ask *m, struct slice header,
    struct slice nonce)
{
	uint8_t binding[64 + sizeof m->exporter];
	char text[BASE64_LEN(sizeof binding) + 1];
	size_t n = header.len;

	if (n > 64)
		return false;
	memcpy(binding, header.p, n);
	if (m->mech == SASL_SCRAM_PLUS) {
		memcpy(binding + n, m->exporter, m->n_exporter);
		n += m->n_exporter;
	}
	base64_print(BASE64_PLAIN, binding, n, text);
	return buf_puts(b, "c=") && buf_puts(b, text) && buf_puts(b, ",r=") &&
	    buf_add(b, nonce.p, nonce.len);
}

static const char *
say_final(struct sasl_turn *t, struct slice bare,
    const struct server_first *said)
{
	char prepared[SCRAM_PASS_MAX], text[BASE64_LEN(SCRAM_KEY) + 1];
	struct buf auth_message;
	struct proof proof;
	bool ok;

	if (scram_prepare(slice_of(t->login->secret), prepared,
		sizeof prepared) != NULL)
		return "the password has characters that SASLprep does not take";
	buf_init(&auth_message, 0);
	ok = buf_add(&auth_message, bare.p, bare.len) &&
	    buf_puts(&auth_message, ",") &&
	    buf_add(&auth_message, t->ask->data, t->ask->n) &&
	    buf_puts(&auth_message, ",") &&
	    buf_add(&auth_message, buf_data(&t->message), t->message.len) &&
	    prove(&said->salt, prepared, &auth_message, &proof);
	explicit_bzero(prepared, sizeof prepared);
	buf_free(&auth_message);
	if (!ok)
		return no_library;
	base64_print(BASE64_PLAIN, proof.client, SCRAM_KEY, text);
	t->n_before = SCRAM_KEY;
	memcpy(t->before, proof.server, SCRAM_KEY);
	return buf_puts(&t->message, ",p=") && buf_puts(&t->message, text) ?
	    NULL :
	    no_library;
}

/* "e=...": the server will not, and says so when it was answered. */
static bool
is_refusal(struct sasl_turn *t)
{
	struct slice s = { (const char *)t->ask->data, t->ask->n }, why;

	if (!scram_take(&s, 'e', &why))
		return false;
	snprintf(t->refused, sizeof t->refused, "%.*s", (int)why.len, why.p);
	return true;
}

static const char *
second(struct sasl_turn *t)
{
	const struct sasl_ask *m = t->ask;
	struct slice header, bare, nonce;
	struct server_first said;
	const char *why;

	if (is_refusal(t))
		return NULL;
	if (!past_parse(m, &header, &bare, &nonce))
		return "the exchange was lost";
	why = first_parse((struct slice){ (const char *)m->data, m->n }, nonce,
	    &said);
	if (why != NULL)
		return why;
	if (!put_without_proof(&t->message, m, header, said.nonce))
		return "the exchange was lost";
	return say_final(t, bare, &said);
}

/* ---- the third ---- */

static const char *
third(struct sasl_turn *t)
{
	const struct sasl_ask *m = t->ask;
	struct slice s = { (const char *)m->data, m->n }, text;
	uint8_t sig[SCRAM_KEY];
	size_t len;

	if (is_refusal(t))
		return NULL;
	if (m->n_before != SCRAM_KEY)
		return "the exchange was lost";
	if (!scram_take(&s, 'v', &text) ||
	    base64_parse(BASE64_PLAIN, text, sig, sizeof sig, &len) != NULL ||
	    len != SCRAM_KEY)
		return "the server's last message is none of SCRAM";
	if (CRYPTO_memcmp(sig, m->before, SCRAM_KEY) != 0)
		return "the server does not know the password: it is not whom we meant";
	t->proved = true;
	return NULL;
}

const char *
sasl_turn_scram(struct sasl_turn *t)
{
	switch (t->ask->step) {
	case 0:
		return say_first(t);
	case 1:
		return second(t);
	default:
		return third(t);
	}
}
