/*
 * OAUTHBEARER (RFC 7628) and XOAUTH2: a bearer token, which is checked against
 * each `oauth` statement.  Runs in lookup, the check in one of its threads.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "lookup_auth_parts.h"
#include "lookup_jwt.h"
#include "lookup_sasl.h"

#define KVSEP '\001'

/* Takes "key=value^A" off the front of s.  False: none stands there. */
static bool
take_pair(struct slice *s, struct slice *key, struct slice *value)
{
	const char *end = s->len == 0 ? NULL : memchr(s->p, KVSEP, s->len);
	const char *eq;

	if (end == NULL || end == s->p ||
	    (eq = memchr(s->p, '=', (size_t)(end - s->p))) == NULL)
		return false;
	*key = (struct slice){ s->p, (size_t)(eq - s->p) };
	*value = (struct slice){ eq + 1, (size_t)(end - eq) - 1 };
	s->len -= (size_t)(end - s->p) + 1;
	s->p = end + 1;
	return true;
}

/* "Bearer token": RFC 6750 2.1, b64token. */
static const char *
take_bearer(struct slice value, struct slice *token)
{
	static const char others[] = "-._~+/=";
	size_t i;

	if (value.len < 7 ||
	    !slice_eqcase((struct slice){ value.p, 7 }, SLICE("Bearer ")))
		return "not a bearer token";
	*token = slice_trim((struct slice){ value.p + 7, value.len - 7 });
	for (i = 0; i < token->len; i++) {
		char c = token->p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || strchr(others, c) == NULL)
			return "a character that no token has";
	}
	return token->len == 0 ? "an empty token" : NULL;
}

/* Pairs up to the empty one at the end.  user_key: of the pair that names the
 * user, NULL: none does. */
static const char *
take_pairs(struct slice s, const char *user_key, struct sasl_oauth *out)
{
	struct slice key, value;
	const char *why = NULL;
	bool user = false;

	while (why == NULL && take_pair(&s, &key, &value)) {
		if (slice_eqcase(key, SLICE("auth"))) {
			why = out->token.len != 0 ?
			    "two tokens" :
			    take_bearer(value, &out->token);
		} else if (user_key != NULL &&
		    slice_eqcase(key, slice_of(user_key))) {
			if (user)
				return "two users";
			user = true;
			why = value.len == 0 ? NULL : sasl_name_check(value);
			if (why == NULL)
				(void)slice_copy(value, out->user,
				    sizeof out->user);
		}
	}
	if (why != NULL)
		return why;
	if (s.len != 1 || s.p[0] != KVSEP)
		return "it does not end with an empty pair";
	return out->token.len == 0 ? "no token" : NULL;
}

/* gs2-header (RFC 5801 4): "n," or "y,", [a=name] "," and then pairs. */
const char *
sasl_oauth_parse(struct slice message, struct sasl_oauth *out)
{
	struct slice s = message, name;
	const char *comma;

	memset(out, 0, sizeof *out);
	if (s.len < 3 || (s.p[0] != 'n' && s.p[0] != 'y') || s.p[1] != ',')
		return "no GS2 header, or one with a channel binding";
	s.p += 2;
	s.len -= 2;
	if ((comma = memchr(s.p, ',', s.len)) == NULL)
		return "the GS2 header has no end";
	name = (struct slice){ s.p, (size_t)(comma - s.p) };
	s.len -= name.len + 1;
	s.p += name.len + 1;
	if (name.len > 0 && (name.len < 3 || memcmp(name.p, "a=", 2) != 0))
		return "the GS2 header names nobody";
	if (name.len > 0) {
		name.p += 2;
		name.len -= 2;
		/* '=' and ',' in it would be written in a code, and are in no
		 * name that a token has. */
		if (memchr(name.p, '=', name.len) != NULL ||
		    sasl_name_check(name) != NULL)
			return "a name that is no user's";
		(void)slice_copy(name, out->user, sizeof out->user);
	}
	if (s.len == 0 || s.p[0] != KVSEP)
		return "no pairs behind the GS2 header";
	s.p++;
	s.len--;
	return take_pairs(s, NULL, out);
}

/* "user=name^Aauth=Bearer token^A^A" */
const char *
sasl_xoauth2_parse(struct slice message, struct sasl_oauth *out)
{
	memset(out, 0, sizeof *out);
	return take_pairs(message, "user", out);
}

/* ---- the check ---- */

/* Columns: mechanism, its parser, what a client is told that failed. */
static const struct {
	const char *(*parse)(struct slice message, struct sasl_oauth *out);
	const char *words;
} kinds[SASL_MECHS] = {
	[SASL_OAUTHBEARER] = { sasl_oauth_parse,
	    "{\"status\":\"invalid_token\"}" },
	[SASL_XOAUTH2] = { sasl_xoauth2_parse,
	    "{\"status\":\"401\",\"schemes\":\"bearer\"}" },
};

/* By each statement in turn; of those that do not take it, the reason of the
 * one that got furthest is not known, so that of the first is kept. */
static void
run_check(struct auth *a)
{
	const struct conf *c = a->all->conf;
	struct sasl_oauth said;
	const char *why;
	uint32_t i;

	a->verdict = NEVER;
	(void)kinds[a->ask.mech].parse(auth_message(a), &said);
	for (i = 0; i < c->oauth.n && a->verdict != DONE; i++) {
		const struct conf_oauth *o = CONF_OAUTH(c, i);
		struct jwt_want want = { .issuer = conf_text(c, o->issuer),
			.audience = conf_text(c, o->audience),
			.user = conf_text(c, o->user),
			.now = auth_now(a) };

		if (a->all->keys[i] == NULL)
			why = "the keys are not there";
		else
			why = jwt_check(said.token, a->all->keys[i], &want,
			    a->name);
		if (why == NULL)
			a->verdict = DONE;
		else if (a->why[0] == '\0')
			snprintf(a->why, sizeof a->why, "%s", why);
	}
}

static void
answer(struct auth *a)
{
	struct sasl_oauth said;

	(void)kinds[a->ask.mech].parse(auth_message(a), &said);
	if (a->verdict == DONE && said.user[0] != '\0' &&
	    !slice_eqcase(slice_of(said.user), slice_of(a->name))) {
		a->verdict = NEVER;
		snprintf(a->why, sizeof a->why, "the token is another user's");
	}
	if (a->verdict == DONE) {
		auth_passed(a, a->name);
		return;
	}
	log_warn("auth-token", "error=%s user=%s", q(a->why), q(said.user));
	auth_failed_saying(a, said.user, kinds[a->ask.mech].words);
}

void
sasl_oauth(struct auth *a)
{
	struct sasl_oauth said;
	const char *why = kinds[a->ask.mech].parse(auth_message(a), &said);

	if (why != NULL)
		auth_failed_saying(a, "", kinds[a->ask.mech].words);
	else
		auth_work(a, run_check, answer);
}
