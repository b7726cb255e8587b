/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, 7677;
 * channel bindings: RFC 5929, 9266).  Runs in lookup; between the steps it
 * keeps nothing: what was said so far comes back with each.  Who is not known
 * gets a salt all the same, always the same one, and learns nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base64.h"
#include "lookup_auth_parts.h"
#include "lookup_sasl.h"
#include "table_key.h"

#define FIRST_MAX 800 /* bytes of the client's first message */
#define NONCE_MAX 200 /* of its nonce: our answer must fit in a reply line */
#define NONCE     18  /* bytes of ours */

/* ---- the client's messages ---- */

/* saslname: ',' and '=' are written "=2C" and "=3D".  NULL, or why not. */
static const char *
decode_name(struct slice name, char *out, size_t size)
{
	size_t n = 0, i;

	for (i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (c == '=' && name.len - i < 3)
			return "invalid-username-encoding";
		if (c == '=' && memcmp(name.p + i, "=2C", 3) == 0)
			c = ',';
		else if (c == '=' && memcmp(name.p + i, "=3D", 3) != 0)
			return "invalid-username-encoding";
		i += name.p[i] == '=' ? 2 : 0;
		if (n + 1 >= size)
			return "invalid-username-encoding";
		out[n++] = c;
	}
	out[n] = '\0';
	if (sasl_name_check((struct slice){ out, n }) != NULL)
		return "invalid-username-encoding";
	return NULL;
}

/* cb-name = 1*(ALPHA / DIGIT / "." / "-") */
static bool
is_binding_name(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '.' && c != '-')
			return false;
	}
	return s.len > 0;
}

/* Optional attributes, which we do not know: ALPHA "=" value. */
static const char *
skip_extensions(struct slice rest)
{
	struct slice value;
	char c;

	while (rest.len > 0) {
		c = rest.p[0];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
			return "invalid-encoding";
		if (!scram_take(&rest, c, &value) || value.len == 0)
			return "invalid-encoding";
	}
	return NULL;
}

/* "n,", "y," or "p=name," off the front of s. */
static const char *
take_flag(struct slice *s, struct scram_first *out)
{
	if (scram_take(s, 'p', &out->binding_name)) {
		out->binding = BINDING_USED;
		return is_binding_name(out->binding_name) ? NULL :
							    "invalid-encoding";
	}
	if (s->len < 2 || s->p[1] != ',' || (s->p[0] != 'n' && s->p[0] != 'y'))
		return "invalid-encoding";
	out->binding = s->p[0] == 'y' ? BINDING_UNOFFERED : BINDING_NONE;
	s->p += 2;
	s->len -= 2;
	return NULL;
}

const char *
scram_first_parse(struct slice message, struct scram_first *out)
{
	struct slice s = message, authzid, name;
	char user[ADDR_MAX + 1];
	const char *why;

	memset(out, 0, sizeof *out);
	if (message.len == 0 || message.len > FIRST_MAX ||
	    memchr(message.p, '\0', message.len) != NULL)
		return "invalid-encoding";
	if ((why = take_flag(&s, out)) != NULL)
		return why;
	if (scram_take(&s, 'a', &authzid)) {
		why = decode_name(authzid, out->authzid, sizeof out->authzid);
		if (why != NULL)
			return why;
	} else if (s.len > 0 && s.p[0] == ',') {
		s.p++;
		s.len--;
	} else
		return "invalid-encoding";
	out->header = (struct slice){ message.p, (size_t)(s.p - message.p) };
	/* scram_take() is content without a comma at the end of the text. */
	if (message.p[out->header.len - 1] != ',')
		return "invalid-encoding";
	out->bare = s;
	if (s.len > 0 && s.p[0] == 'm')
		return "extensions-not-supported";
	if (!scram_take(&s, 'n', &name) || !scram_take(&s, 'r', &out->nonce) ||
	    !scram_is_printable(out->nonce) || out->nonce.len > NONCE_MAX)
		return "invalid-encoding";
	if ((why = decode_name(name, user, sizeof user)) != NULL)
		return why;
	if (scram_prepare(slice_of(user), out->user, sizeof out->user) != NULL)
		return "invalid-username-encoding";
	return skip_extensions(s);
}

const char *
scram_final_parse(struct slice message, struct scram_final *out)
{
	struct slice s = message, last, proof;
	const char *at;
	size_t len;

	memset(out, 0, sizeof *out);
	if (message.len == 0 || memchr(message.p, '\0', message.len) != NULL)
		return "invalid-encoding";
	/* The proof is the last attribute. */
	at = memrchr(message.p, ',', message.len);
	if (at == NULL)
		return "invalid-encoding";
	out->without_proof =
	    (struct slice){ message.p, (size_t)(at - message.p) };
	last =
	    (struct slice){ at + 1, message.len - out->without_proof.len - 1 };
	if (!scram_take(&last, 'p', &proof))
		return "invalid-encoding";
	if (base64_parse(BASE64_PLAIN, proof, out->proof, sizeof out->proof,
		&len) != NULL ||
	    len != SCRAM_KEY)
		return "invalid-encoding";
	s = out->without_proof;
	if (!scram_take(&s, 'c', &out->binding) ||
	    !scram_take(&s, 'r', &out->nonce) ||
	    !scram_is_printable(out->nonce))
		return "invalid-encoding";
	return skip_extensions(s);
}

/* ---- keys ---- */

bool
scram_proof_is_good(const struct scram_secret *s, const char *message,
    size_t len, const uint8_t proof[SCRAM_KEY], uint8_t signature[SCRAM_KEY])
{
	uint8_t key[SCRAM_KEY], stored[SCRAM_KEY];
	size_t i;
	bool same;

	if (!scram_hmac(s->stored, SCRAM_KEY, message, len, key))
		return false;
	for (i = 0; i < SCRAM_KEY; i++)
		key[i] ^= proof[i];
	SHA256(key, SCRAM_KEY, stored);
	same = CRYPTO_memcmp(stored, s->stored, SCRAM_KEY) == 0;
	/* ClientKey: who has it needs no password. */
	OPENSSL_cleanse(key, sizeof key);
	return scram_hmac(s->server, SCRAM_KEY, message, len, signature) &&
	    same;
}

/* A salt for who has none: of this process and this name, so that it is the
 * same each time. */
static void
salt_of_nobody(struct auth *a, struct scram_secret *s)
{
	char text[TABLE_KEY_MAX + 16], key[TABLE_KEY_MAX + 1];
	size_t off;
	int n;

	if (s->n_salt == 0)
		s->n_salt = SCRAM_SALT;
	if (s->iter == 0)
		s->iter = SCRAM_ITER;
	if (table_key_fold(slice_of(a->name), key) != NULL)
		key[0] = '\0';
	for (off = 0; off < sizeof s->salt; off += SCRAM_KEY) {
		n = snprintf(text, sizeof text, "salt %zu %s", off, key);
		(void)scram_hmac(a->all->secret, sizeof a->all->secret, text,
		    (size_t)n, s->salt + off);
	}
}

/* Salt and iterations of the user that a->secret is of; true: the keys, too.
 */
static bool
find_salt(struct auth *a)
{
	bool is_scram = scram_secret_parse(a->secret, &a->scram) == NULL;

	if (!is_scram)
		memset(&a->scram, 0, sizeof a->scram);
	if (!a->known || !is_scram)
		salt_of_nobody(a, &a->scram);
	return is_scram;
}

/* ---- the first step ---- */

static void
refuse(struct auth *a, const char *why)
{
	char text[64];

	snprintf(text, sizeof text, "e=%s", why);
	auth_failed_saying(a, a->name, text);
}

/* The binding that the client names; 0 bytes: there is none. */
static struct slice
binding_of(const struct auth *a, struct slice name)
{
	const struct auth_ask *m = &a->ask;

	if (slice_eq(name, SLICE("tls-exporter")))
		return (struct slice){ (const char *)m->exporter,
			m->n_exporter };
	if (slice_eq(name, SLICE("tls-server-end-point")))
		return (struct slice){ (const char *)m->end_point,
			m->n_end_point };
	return (struct slice){ "", 0 };
}

/* RFC 5802 6: with -PLUS a binding is used, else not; and who says that we
 * have none was lied to by somebody between us.  NULL, or why not. */
static const char *
check_binding(const struct auth *a, const struct scram_first *said)
{
	bool plus = a->ask.mech == SASL_SCRAM_PLUS;
	bool offered = a->ask.n_exporter > 0 || a->ask.n_end_point > 0;

	if (plus != (said->binding == BINDING_USED))
		return "channel-binding-not-supported";
	if (plus && binding_of(a, said->binding_name).len == 0)
		return "unsupported-channel-binding-type";
	if (said->binding == BINDING_UNOFFERED && offered)
		return "server-does-support-channel-binding";
	return NULL;
}

static void
say_salt(struct auth *a, const char *secret)
{
	struct slice m = auth_message(a);
	char ours[BASE64_LEN(NONCE) + 1], salt[BASE64_LEN(SCRAM_SALT_MAX) + 1];
	char text[sizeof a->is.data], before[sizeof a->is.before];
	struct scram_first said;
	uint8_t nonce[NONCE];
	int n, k;

	(void)secret; /* a->secret, or that of another */
	(void)scram_first_parse(m, &said);
	(void)find_salt(a);
	if (RAND_bytes(nonce, sizeof nonce) != 1) {
		auth_later(a);
		return;
	}
	base64_print(BASE64_PLAIN, nonce, sizeof nonce, ours);
	base64_print(BASE64_PLAIN, a->scram.salt, a->scram.n_salt, salt);
	n = snprintf(text, sizeof text, "r=%.*s%s,s=%s,i=%u",
	    (int)said.nonce.len, said.nonce.p, ours, salt, a->scram.iter);
	/* Four texts, each with a NUL. */
	k = snprintf(before, sizeof before, "%.*s%c%.*s%c%s%c%s",
	    (int)said.header.len, said.header.p, '\0', (int)said.bare.len,
	    said.bare.p, '\0', text, '\0', said.user);
	if (n < 0 || (size_t)n >= sizeof text || k < 0 ||
	    (size_t)k >= sizeof before) {
		refuse(a, "other-error");
		return;
	}
	auth_challenge(a, text, (size_t)n, before, (size_t)k + 1);
}

void
sasl_scram_first(struct auth *a)
{
	struct scram_first said;
	const char *why = scram_first_parse(auth_message(a), &said);

	if (why == NULL)
		why = check_binding(a, &said);
	memcpy(a->name, said.user, sizeof a->name);
	if (why == NULL && said.authzid[0] != '\0' &&
	    strcmp(said.authzid, said.user) != 0)
		why = "other-error";
	if (why != NULL)
		refuse(a, why);
	else
		auth_credentials(a, a->name, say_salt);
}

/* ---- the second ---- */

/* What was said so far, as it came back. */
struct past {
	struct slice header, bare, server_first, user;
};

static bool
past_parse(struct slice before, struct past *out)
{
	struct slice *const parts[] = { &out->header, &out->bare,
		&out->server_first, &out->user };
	const char *nul;
	size_t i;

	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		nul =
		    before.len == 0 ? NULL : memchr(before.p, '\0', before.len);
		if (nul == NULL)
			return false;
		*parts[i] =
		    (struct slice){ before.p, (size_t)(nul - before.p) };
		before.p = nul + 1;
		before.len -= parts[i]->len + 1;
	}
	return before.len == 0;
}

/* c= must be the header as it was said, and the binding's data. */
static bool
binding_matches(const struct auth *a, const struct past *past,
    const struct scram_final *said)
{
	uint8_t want[FIRST_MAX + sizeof a->ask.end_point];
	char text[BASE64_LEN(sizeof want) + 1];
	struct slice header = past->header, name, data = { "", 0 };
	size_t n;

	if (header.len > FIRST_MAX)
		return false;
	if (scram_take(&header, 'p', &name))
		data = binding_of(a, name);
	memcpy(want, past->header.p, past->header.len);
	memcpy(want + past->header.len, data.p, data.len);
	n = base64_print(BASE64_PLAIN, want, past->header.len + data.len, text);
	return slice_eq((struct slice){ text, n }, said->binding);
}

/* In a thread: a password in the clear is made into keys. */
static void
run_final(struct auth *a)
{
	struct slice before = { (const char *)a->ask.before, a->ask.n_before };
	char prepared[SCRAM_PASS_MAX], *message = NULL;
	struct scram_final said;
	struct past past;
	uint8_t proof[SCRAM_KEY];
	int n = -1;
	bool ok = true;

	a->verdict = LATER;
	if (!find_salt(a) && secret_kind(a->secret) == SECRET_PLAIN) {
		ok = scram_prepare(slice_of(secret_plain(a->secret)), prepared,
			 sizeof prepared) == NULL &&
		    scram_derive(&a->scram, prepared);
		explicit_bzero(prepared, sizeof prepared);
	}
	(void)past_parse(before, &past);
	(void)scram_final_parse(auth_message(a), &said);
	if (ok)
		n = asprintf(&message, "%.*s,%.*s,%.*s", (int)past.bare.len,
		    past.bare.p, (int)past.server_first.len,
		    past.server_first.p, (int)said.without_proof.len,
		    said.without_proof.p);
	if (n < 0)
		return;
	memcpy(proof, said.proof, sizeof proof);
	a->verdict = scram_proof_is_good(&a->scram, message, (size_t)n, proof,
			 a->signature) ?
	    DONE :
	    NEVER;
	free(message);
}

static void
answer(struct auth *a)
{
	char text[BASE64_LEN(SCRAM_KEY) + 8] = "v=";
	size_t n;

	if (a->known && a->verdict == LATER)
		auth_later(a);
	else if (!a->known || a->verdict != DONE)
		refuse(a, "invalid-proof");
	else {
		n = 2 +
		    base64_print(BASE64_PLAIN, a->signature, SCRAM_KEY,
			text + 2);
		auth_challenge(a, text, n, a->name, strlen(a->name) + 1);
	}
}

static void
check_proof(struct auth *a, const char *secret)
{
	(void)secret;
	auth_work(a, run_final, answer);
}

void
sasl_scram_final(struct auth *a)
{
	struct slice before = { (const char *)a->ask.before, a->ask.n_before };
	struct scram_final said;
	struct slice nonce, rest;
	struct past past;
	const char *why;

	if (!past_parse(before, &past) ||
	    !slice_copy(past.user, a->name, sizeof a->name)) {
		auth_failed(a, "");
		return;
	}
	rest = past.server_first;
	if (!scram_take(&rest, 'r', &nonce)) {
		auth_failed(a, a->name);
		return;
	}
	why = scram_final_parse(auth_message(a), &said);
	if (why == NULL && !slice_eq(said.nonce, nonce))
		why = "other-error";
	if (why == NULL && !binding_matches(a, &past, &said))
		why = "channel-bindings-dont-match";
	if (why != NULL)
		refuse(a, why);
	else
		auth_credentials(a, a->name, check_proof);
}

/* ---- the third: nothing more, after our signature ---- */

void
sasl_scram_end(struct auth *a)
{
	struct slice user = { (const char *)a->ask.before, a->ask.n_before };

	if (user.len > 0)
		user.len--;
	if (auth_message(a).len != 0 ||
	    !slice_copy(user, a->name, sizeof a->name) || a->name[0] == '\0')
		auth_failed(a, "");
	else
		auth_passed(a, a->name);
}
