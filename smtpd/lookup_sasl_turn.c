/*
 * PLAIN, LOGIN, CRAM-MD5, OAUTHBEARER and XOAUTH2 as a client says them, and
 * the choice between mechanisms.  Runs in lookup; keeps nothing, logs nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_sasl_turn.h"

#include <stdio.h>
#include <string.h>

#include "lookup_sasl.h"

#define TOKEN_PREFIX "{TOKEN}"

/* ---- what the table says ---- */

const char *
sasl_login_parse(const char *value, struct sasl_login *out)
{
	const char *colon = strchr(value, ':'), *secret;

	memset(out, 0, sizeof *out);
	if (colon == NULL)
		return "it is not user:password";
	if (!slice_copy((struct slice){ value, (size_t)(colon - value) },
		out->user, sizeof out->user))
		return "the user is too long";
	if (sasl_name_check(slice_of(out->user)) != NULL)
		return "the user is no name";
	secret = colon + 1;
	out->has_token =
	    strncmp(secret, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) == 0;
	if (out->has_token)
		secret += strlen(TOKEN_PREFIX);
	if (secret[0] == '\0')
		return "there is nothing behind the user";
	if (!slice_copy(slice_of(secret), out->secret, sizeof out->secret))
		return "the password is too long";
	return NULL;
}

enum sasl_mech
sasl_choose(uint32_t offered, const struct sasl_login *login, bool bindable)
{
	/* The strongest first.  Columns: mechanism, of a token, binds. */
	static const struct {
		enum sasl_mech mech;
		bool token, binds;
	} order[] = {
		{ SASL_SCRAM_PLUS, false, true },
		{ SASL_SCRAM, false, false },
		{ SASL_CRAM_MD5, false, false },
		{ SASL_PLAIN, false, false },
		{ SASL_LOGIN, false, false },
		{ SASL_OAUTHBEARER, true, false },
		{ SASL_XOAUTH2, true, false },
	};
	size_t i;

	for (i = 0; i < sizeof order / sizeof order[0]; i++) {
		if ((offered & 1u << order[i].mech) != 0 &&
		    order[i].token == login->has_token &&
		    (!order[i].binds || bindable))
			return order[i].mech;
	}
	return SASL_MECHS;
}

/* ---- passwords ---- */

static const char too_long[] = "what is to be said is too long";

static struct slice
challenge_of(const struct sasl_turn *t)
{
	return (struct slice){ (const char *)t->ask->data, t->ask->n };
}

/* RFC 4616 */
static const char *
say_plain(struct sasl_turn *t)
{
	const struct sasl_login *l = t->login;

	t->proved = true;
	return buf_add(&t->message, "", 1) && buf_puts(&t->message, l->user) &&
		buf_add(&t->message, "", 1) &&
		buf_puts(&t->message, l->secret) ?
	    NULL :
	    too_long;
}

/* The words that a LOGIN server asks with are not the same everywhere. */
static const char *
say_login_start(struct sasl_turn *t)
{
	(void)t;
	return NULL;
}

static const char *
say_login_user(struct sasl_turn *t)
{
	return buf_puts(&t->message, t->login->user) ? NULL : too_long;
}

static const char *
say_login_password(struct sasl_turn *t)
{
	t->proved = true;
	return buf_puts(&t->message, t->login->secret) ? NULL : too_long;
}

static const char *
say_cram_start(struct sasl_turn *t)
{
	(void)t;
	return NULL;
}

/* RFC 2195 2 */
static const char *
say_cram(struct sasl_turn *t)
{
	char digest[CRAM_DIGEST + 1];
	bool ok;

	if (t->ask->n == 0)
		return "a challenge of CRAM-MD5 without a word";
	t->proved = true;
	ok = sasl_cram_digest(t->login->secret, challenge_of(t), digest) &&
	    buf_puts(&t->message, t->login->user) &&
	    buf_puts(&t->message, " ") && buf_puts(&t->message, digest);
	explicit_bzero(digest, sizeof digest);
	return ok ? NULL : too_long;
}

/* ---- tokens ---- */

bool
sasl_put_name(struct buf *b, const char *name)
{
	const char *p;
	bool ok = true;

	for (p = name; *p != '\0' && ok; p++) {
		if (*p == ',')
			ok = buf_puts(b, "=2C");
		else if (*p == '=')
			ok = buf_puts(b, "=3D");
		else
			ok = buf_add(b, p, 1);
	}
	return ok;
}

static const char no_token[] = "there is no token";

/* RFC 7628 3.1 */
static const char *
say_oauthbearer(struct sasl_turn *t)
{
	const struct sasl_ask *m = t->ask;
	struct buf *b = &t->message;

	if (t->token == NULL)
		return no_token;
	t->proved = true;
	return buf_puts(b, "n,a=") && sasl_put_name(b, t->login->user) &&
		buf_puts(b, ",\001host=") && buf_puts(b, m->host) &&
		buf_printf(b, "\001port=%u\001auth=Bearer ", m->port) &&
		buf_puts(b, t->token) && buf_puts(b, "\001\001") ?
	    NULL :
	    too_long;
}

static const char *
say_xoauth2(struct sasl_turn *t)
{
	struct buf *b = &t->message;

	if (t->token == NULL)
		return no_token;
	t->proved = true;
	return buf_puts(b, "user=") && buf_puts(b, t->login->user) &&
		buf_puts(b, "\001auth=Bearer ") && buf_puts(b, t->token) &&
		buf_puts(b, "\001\001") ?
	    NULL :
	    too_long;
}

/* What the server says of a token that it does not take. */
static void
note_refusal(struct sasl_turn *t)
{
	snprintf(t->refused, sizeof t->refused, "%.*s", (int)t->ask->n,
	    (const char *)t->ask->data);
}

/* RFC 7628 3.2.3: the client says ^A, and the server that it failed. */
static const char *
say_failed(struct sasl_turn *t)
{
	note_refusal(t);
	return buf_puts(&t->message, "\001") ? NULL : too_long;
}

static const char *
say_nothing(struct sasl_turn *t)
{
	note_refusal(t);
	return NULL;
}

/* ---- all of them ---- */

#define STEPS 3

typedef const char *turn(struct sasl_turn *t);

/* Columns: by mechanism; what is done at the first, second, third step. */
static turn *const turns[SASL_MECHS][STEPS] = {
	[SASL_PLAIN] = { say_plain },
	[SASL_LOGIN] = { say_login_start, say_login_user, say_login_password },
	[SASL_CRAM_MD5] = { say_cram_start, say_cram },
	[SASL_SCRAM] = { sasl_turn_scram, sasl_turn_scram, sasl_turn_scram },
	[SASL_SCRAM_PLUS] = { sasl_turn_scram, sasl_turn_scram,
	    sasl_turn_scram },
	[SASL_OAUTHBEARER] = { say_oauthbearer, say_failed },
	[SASL_XOAUTH2] = { say_xoauth2, say_nothing },
};

bool
sasl_turn_is_slow(const struct sasl_turn *t)
{
	return t->ask->step == 1 &&
	    (t->ask->mech == SASL_SCRAM || t->ask->mech == SASL_SCRAM_PLUS);
}

const char *
sasl_turn(struct sasl_turn *t)
{
	const struct sasl_ask *m = t->ask;

	buf_init(&t->message, SASL_MESSAGE_MAX);
	t->message.wipe = true;
	t->proved = false;
	t->n_before = 0;
	t->refused[0] = '\0';
	if (m->mech >= SASL_MECHS || turns[m->mech][0] == NULL)
		return "there is no such mechanism";
	if (m->step >= STEPS || turns[m->mech][m->step] == NULL)
		return "the server asks for more than the mechanism has";
	return turns[m->mech][m->step](t);
}
