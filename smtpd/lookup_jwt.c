/*
 * JSON Web Tokens: signature first, then what they claim.  Runs in lookup, the
 * checks in its threads; keeps nothing of a token and logs nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_jwt.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base64.h"
#include "log.h"
#include "lookup_jwk.h"
#include "lookup_sasl.h"

#define SIG_MAX_BYTES 1024 /* of RSA with 8192 bits */

struct jwks {
	struct jwk *key[JWKS_MAX];
	size_t n;
};

/* ---- sets of keys ---- */

static const char *
take_key(struct jwks *keys, const json_t *json)
{
	const char *why;
	struct jwk *k = jwk_new(json, &why);

	if (k == NULL)
		return why[0] == '\0' ? NULL : why;
	if (keys->n == JWKS_MAX) {
		jwk_free(&k);
		return "more than 64 keys";
	}
	keys->key[keys->n++] = k;
	return NULL;
}

const char *
jwks_parse(struct slice text, struct jwks **out)
{
	struct jwks *keys = xcalloc(1, sizeof *keys);
	json_error_t error;
	json_t *json = NULL, *list, *one;
	const char *why = NULL;
	size_t i;

	*out = NULL;
	if (text.len > 0 && text.len <= JWKS_FILE_MAX)
		json = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES,
		    &error);
	list = json_object_get(json, "keys");
	if (json == NULL)
		why = "not JSON, or more than 256 kilobytes";
	else if (!json_is_array(list))
		why = "no list of keys (RFC 7517 5)";
	json_array_foreach(list, i, one)
	{
		if (why == NULL)
			why = take_key(keys, one);
	}
	if (why == NULL && keys->n == 0)
		why = "no key in it for RS256, PS256, ES256, ES384 or EdDSA";
	json_decref(json);
	if (why != NULL)
		jwks_free(&keys);
	*out = keys;
	return why;
}

void
jwks_free(struct jwks **keysp)
{
	struct jwks *keys = *keysp;
	size_t i;

	*keysp = NULL;
	if (keys == NULL)
		return;
	for (i = 0; i < keys->n; i++)
		jwk_free(&keys->key[i]);
	free(keys);
}

/* ---- a token's parts ---- */

struct token {
	struct slice header, payload, sig; /* base64url */
	struct slice signed_;              /* the first two and their dot */
};

static bool
take_part(struct slice *s, struct slice *part)
{
	const char *dot = s->len == 0 ? NULL : memchr(s->p, '.', s->len);

	*part = *s;
	if (dot == NULL)
		return false;
	part->len = (size_t)(dot - s->p);
	s->p += part->len + 1;
	s->len -= part->len + 1;
	return true;
}

static const char *
split(struct slice text, struct token *t)
{
	struct slice rest = text;

	if (text.len > JWT_MAX)
		return "the token is too long";
	if (!take_part(&rest, &t->header) || !take_part(&rest, &t->payload) ||
	    take_part(&rest, &t->sig))
		return "the token has not three parts";
	t->signed_ =
	    (struct slice){ text.p, t->header.len + 1 + t->payload.len };
	return NULL;
}

/* An object; NULL: it is none. */
static json_t *
load(struct slice text)
{
	json_error_t error;
	json_t *json =
	    json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error);

	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

/* The bytes of a part, which are the caller's; NULL: it is not base64url. */
static uint8_t *
decode(struct slice part, struct slice *out)
{
	uint8_t *bytes = xcalloc(1, BASE64_BYTES(part.len));

	if (base64_parse(BASE64_URL, part, bytes, BASE64_BYTES(part.len),
		&out->len) != NULL) {
		free(bytes);
		return NULL;
	}
	out->p = (const char *)bytes;
	return bytes;
}

static void
forget(uint8_t *bytes, size_t len)
{
	if (bytes != NULL)
		explicit_bzero(bytes, len);
	free(bytes);
}

/* ---- the header ---- */

/* Other kinds of tokens by the same issuer are signed with the same key. */
static bool
is_our_type(const json_t *header)
{
	static const char *const types[] = { "JWT", "at+jwt", "application/jwt",
		"application/at+jwt" };
	const json_t *typ = json_object_get(header, "typ");
	size_t i;

	if (typ == NULL)
		return true;
	for (i = 0; json_is_string(typ) && i < sizeof types / sizeof types[0];
	     i++) {
		if (strcasecmp(types[i], json_string_value(typ)) == 0)
			return true;
	}
	return false;
}

static const char *
check_header(const json_t *header, enum jwk_alg *alg, const char **id)
{
	const json_t *kid = json_object_get(header, "kid");
	const char *name = json_string_value(json_object_get(header, "alg"));

	if (name == NULL || (*alg = jwk_alg_find(name)) == JWK_ALG_N)
		return "the token's alg is none of RS256, PS256, ES256, ES384, EdDSA";
	/* RFC 7515 4.1.11: what must be understood, and is not. */
	if (json_object_get(header, "crit") != NULL)
		return "the token has crit";
	if (!is_our_type(header))
		return "the token's typ is another";
	if (kid != NULL && !json_is_string(kid))
		return "the token's kid is no text";
	*id = json_string_value(kid);
	return NULL;
}

/* By the key that the token names, or else by one that fits. */
static const char *
check_signature(const struct token *t, const struct jwks *keys,
    enum jwk_alg alg, const char *id)
{
	const char *why = "no key is known that the token could be signed with";
	uint8_t sig[SIG_MAX_BYTES];
	size_t i, n_sig;

	if (base64_parse(BASE64_URL, t->sig, sig, sizeof sig, &n_sig) != NULL)
		return "the token's signature is not base64url";
	for (i = 0; i < keys->n; i++) {
		const struct jwk *k = keys->key[i];

		if (!jwk_fits(k, alg) ||
		    (id != NULL &&
			(jwk_id(k) == NULL || strcmp(jwk_id(k), id) != 0)))
			continue;
		if (jwk_verify(k, alg, t->signed_, sig, n_sig))
			return NULL;
		why = "the token's signature is wrong";
	}
	return why;
}

/* ---- what it claims ---- */

static bool
is_text(const json_t *json, const char *text)
{
	return json_is_string(json) &&
	    strcmp(json_string_value(json), text) == 0;
}

static bool
has_audience(const json_t *aud, const char *want)
{
	const json_t *one;
	size_t i;

	json_array_foreach(aud, i, one)
	{
		if (is_text(one, want))
			return true;
	}
	return is_text(aud, want);
}

/* NumericDate (RFC 7519 2).  False: it is there, and is none. */
static bool
take_date(const json_t *claims, const char *name, bool *there, double *at)
{
	const json_t *json = json_object_get(claims, name);

	*there = json != NULL;
	*at = json_number_value(json);
	return json == NULL || json_is_number(json);
}

static const char *
check_dates(const json_t *claims, int64_t now)
{
	double exp, nbf, iat, then = (double)now;
	bool has_exp, has_nbf, has_iat;

	if (!take_date(claims, "exp", &has_exp, &exp) ||
	    !take_date(claims, "nbf", &has_nbf, &nbf) ||
	    !take_date(claims, "iat", &has_iat, &iat))
		return "a date of the token is no number";
	if (!has_exp)
		return "the token has no exp";
	if (then >= exp + JWT_LEEWAY)
		return "the token has expired";
	if (has_nbf && then < nbf - JWT_LEEWAY)
		return "the token is not valid yet";
	if (has_iat && then < iat - JWT_LEEWAY)
		return "the token is from the future";
	return NULL;
}

/* Of a claim that may be missing; some issuers write it as a text. */
static bool
is_not(const json_t *json)
{
	const char *text = json_string_value(json);

	return json != NULL && !json_is_true(json) &&
	    (text == NULL || strcasecmp(text, "true") != 0);
}

/* Unless the operator chose: a mail address, else the issuer's own name for the
 * user.  An address is not his as long as the issuer doubts it, also where the
 * operator chose it. */
static const char *
take_user(const json_t *claims, const char *claim, char user[ADDR_MAX + 1])
{
	const json_t *json;
	const char *why;
	bool mail = claim[0] == '\0' || strcmp(claim, "email") == 0;

	json = json_object_get(claims, mail ? "email" : claim);
	if (json != NULL && mail &&
	    is_not(json_object_get(claims, "email_verified")))
		return "the token's email is not verified";
	if (json == NULL && claim[0] == '\0')
		json = json_object_get(claims, "sub");
	if (!json_is_string(json))
		return "the token names no user";
	why = sasl_name_check(slice_of(json_string_value(json)));
	if (why != NULL)
		return why;
	(void)slice_copy(slice_of(json_string_value(json)), user, ADDR_MAX + 1);
	return NULL;
}

static const char *
check_claims(const json_t *claims, const struct jwt_want *want,
    char user[ADDR_MAX + 1])
{
	const char *why;

	if (!is_text(json_object_get(claims, "iss"), want->issuer))
		return "the token is of another issuer";
	if (!has_audience(json_object_get(claims, "aud"), want->audience))
		return "the token is for another audience";
	if ((why = check_dates(claims, want->now)) != NULL)
		return why;
	return take_user(claims, want->user, user);
}

const char *
jwt_claims_check(struct slice json, const struct jwt_want *want,
    char user[ADDR_MAX + 1])
{
	json_t *claims = load(json);
	const char *why;

	user[0] = '\0';
	if (claims == NULL)
		return "the token's claims are no JSON object";
	why = check_claims(claims, want, user);
	json_decref(claims);
	return why;
}

/* NULL: it was signed by one of keys. */
static const char *
check_signed(const struct token *t, const struct jwks *keys)
{
	json_t *header = NULL;
	struct slice text;
	uint8_t *bytes = decode(t->header, &text);
	const char *why, *id;
	enum jwk_alg alg;

	if (bytes == NULL || (header = load(text)) == NULL)
		why = "the token's header is no JSON object";
	else if ((why = check_header(header, &alg, &id)) == NULL)
		why = check_signature(t, keys, alg, id);
	json_decref(header);
	forget(bytes, bytes == NULL ? 0 : text.len);
	return why;
}

const char *
jwt_check(struct slice token, const struct jwks *keys,
    const struct jwt_want *want, char user[ADDR_MAX + 1])
{
	struct slice claims;
	const char *why;
	struct token t;
	uint8_t *bytes;

	user[0] = '\0';
	if ((why = split(token, &t)) != NULL ||
	    (why = check_signed(&t, keys)) != NULL)
		return why;
	if ((bytes = decode(t.payload, &claims)) == NULL)
		return "the token's claims are not base64url";
	why = jwt_claims_check(claims, want, user);
	forget(bytes, claims.len);
	return why;
}

bool
jwt_exp(struct slice token, int64_t *at)
{
	struct slice claims;
	json_t *json = NULL;
	struct token t;
	uint8_t *bytes;
	double exp = 0;
	bool there = false;

	if (split(token, &t) != NULL ||
	    (bytes = decode(t.payload, &claims)) == NULL)
		return false;
	if ((json = load(claims)) != NULL &&
	    !take_date(json, "exp", &there, &exp))
		there = false;
	json_decref(json);
	forget(bytes, claims.len);
	/* What is no time in seconds is no answer either. */
	if (!there || !(exp > 0 && exp < 1e11))
		return false;
	*at = (int64_t)exp;
	return true;
}
