/*
 * The services: which entries of a table a key is compared with, and what
 * their values look like.  Runs in lookup; keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_match.h"

#include <stdio.h>
#include <string.h>

#include "idn.h"
#include "num.h"

bool
match_glob(const char *text, const char *pattern)
{
	const char *star = NULL, *retry = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			/* The last star takes one more. */
			pattern = star;
			text = ++retry;
		} else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* The patterns of a table, asked one after the other. */
struct globs {
	const struct store *s;
	const char *user, *plain, *domain; /* user NULL: only domains */
	char delim;
	enum table_answer answer;
	struct slice *value;
};

static enum table_answer
ask_globs(struct globs *g, store_fn *fn)
{
	if (!g->s->has_globs)
		return TABLE_NO;
	g->answer = TABLE_NO;
	if (!g->s->ops->each(g->s, true, fn, g))
		return TABLE_UNKNOWN;
	return g->answer;
}

static bool
exactly(const struct store *s, const char *key, struct slice *value,
    enum table_answer *a)
{
	*a = s->ops->get(s, slice_of(key), value);
	return *a != TABLE_NO;
}

/* ---- domains ---- */

static bool
glob_domain(void *arg, struct slice key, struct slice value)
{
	struct globs *g = arg;
	char pattern[TABLE_KEY_MAX + 1];

	if (!slice_copy(key, pattern, sizeof(pattern)) ||
	    !match_glob(g->domain, pattern))
		return true;
	g->answer = TABLE_YES;
	*g->value = value;
	return false;
}

/* The domain itself, then each ".domain" that it is below, then patterns. */
static enum table_answer
ask_domain(const struct store *s, const char *key, char delim,
    struct slice *value)
{
	struct globs g = { .s = s, .value = value };
	char domain[DOMAIN_MAX + 1];
	enum table_answer a;
	const char *p;

	(void)delim;
	if (idn_domain(slice_of(key), domain) != NULL)
		return TABLE_NO;
	if (exactly(s, domain, value, &a))
		return a;
	for (p = strchr(domain + 1, '.'); p != NULL; p = strchr(p + 1, '.'))
		if (exactly(s, p, value, &a))
			return a;
	g.domain = domain;
	return ask_globs(&g, glob_domain);
}

/* ---- addresses of hosts ---- */

static enum table_answer
ask_net(const struct store *s, const char *key, char delim, struct slice *value)
{
	struct table_net net;

	(void)delim;
	if (!table_addr_parse(key, &net))
		return TABLE_NO;
	return s->ops->net(s, &net, value);
}

static enum table_answer
ask_exact(const struct store *s, const char *key, char delim,
    struct slice *value)
{
	char folded[TABLE_KEY_MAX + 1];

	(void)delim;
	if (table_key_fold(slice_of(key), folded) != NULL)
		return TABLE_NO;
	return s->ops->get(s, slice_of(folded), value);
}

/* "local" stands in such tables too. */
static enum table_answer
ask_netaddr(const struct store *s, const char *key, char delim,
    struct slice *value)
{
	enum table_answer a = ask_net(s, key, delim, value);

	return a != TABLE_NO ? a : ask_exact(s, key, delim, value);
}

/* ---- mail addresses ---- */

/* An address, taken apart. */
struct address {
	char text[TABLE_KEY_MAX + 1];
	const char *user, *domain;     /* in text */
	char plain[TABLE_KEY_MAX + 1]; /* the user without a tag */
};

static bool
take_apart(const char *key, char delim, struct address *a)
{
	char *at, *tag;

	if (table_key_fold(slice_of(key), a->text) != NULL)
		return false;
	a->user = a->text;
	a->domain = "";
	if ((at = strrchr(a->text, '@')) != NULL) {
		*at = '\0';
		a->domain = at + 1;
	}
	memcpy(a->plain, a->user, strlen(a->user) + 1);
	if ((tag = strchr(a->plain, delim)) != NULL)
		*tag = '\0';
	return true;
}

/* "user@domain" for each way to say user: as it is, without its tag, and
 * (that is for anybody) not at all. */
static bool
ask_users_at(const struct store *s, const struct address *a, const char *domain,
    struct slice *value, enum table_answer *answer)
{
	const char *const users[] = { a->user, a->plain, "" };
	char key[2 * TABLE_KEY_MAX + 2];
	size_t i;

	for (i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		if (i > 0 && strcmp(users[i], users[i - 1]) == 0)
			continue;
		snprintf(key, sizeof(key), "%s@%s", users[i], domain);
		if (exactly(s, key, value, answer))
			return true;
	}
	return false;
}

/* A pattern's user is compared as it is: only its domain has stars. */
static bool
glob_mailaddr(void *arg, struct slice key, struct slice value)
{
	struct globs *g = arg;
	char pattern[TABLE_KEY_MAX + 1], *at;

	if (!slice_copy(key, pattern, sizeof(pattern)) ||
	    (at = strrchr(pattern, '@')) == NULL || g->domain[0] == '\0')
		return true;
	*at = '\0';
	if (pattern[0] != '\0' && strcmp(pattern, g->user) != 0 &&
	    (strchr(pattern, g->delim) != NULL ||
		strcmp(pattern, g->plain) != 0))
		return true;
	if (!match_glob(g->domain, at + 1))
		return true;
	g->answer = TABLE_YES;
	*g->value = value;
	return false;
}

static enum table_answer
ask_mailaddr(const struct store *s, const char *key, char delim,
    struct slice *value)
{
	struct globs g = { .s = s, .delim = delim, .value = value };
	enum table_answer answer;
	struct address a;
	const char *p;

	/* The null sender is nobody at no domain. */
	if (key[0] == '\0' || strcmp(key, "@") == 0)
		return s->ops->get(s, SLICE("@"), value);
	if (!take_apart(key, delim, &a))
		return TABLE_NO;
	if (ask_users_at(s, &a, a.domain, value, &answer))
		return answer;
	for (p = strchr(a.domain, '.'); p != NULL; p = strchr(p + 1, '.'))
		if (p != a.domain && ask_users_at(s, &a, p, value, &answer))
			return answer;
	/* A user, wherever; and "@" is everybody. */
	if (a.user[0] != '\0' && exactly(s, a.user, value, &answer))
		return answer;
	if (a.plain[0] != '\0' && exactly(s, a.plain, value, &answer))
		return answer;
	if (exactly(s, "@", value, &answer))
		return answer;
	g.user = a.user;
	g.plain = a.plain;
	g.domain = a.domain;
	return ask_globs(&g, glob_mailaddr);
}

/* ---- all of them ---- */

typedef enum table_answer match_fn(const struct store *s, const char *key,
    char delim, struct slice *value);

static match_fn *const services[SERVICES] = {
	[SERVICE_ALIAS] = ask_exact,
	[SERVICE_DOMAIN] = ask_domain,
	[SERVICE_CREDENTIALS] = ask_exact,
	[SERVICE_NETADDR] = ask_netaddr,
	[SERVICE_USERINFO] = ask_exact,
	[SERVICE_MAILADDR] = ask_mailaddr,
	[SERVICE_MAILADDRMAP] = ask_exact,
	[SERVICE_ADDRNAME] = ask_net,
	[SERVICE_STRING] = ask_exact,
	[SERVICE_RELAYHOST] = ask_domain,
};

enum table_answer
match_ask(const struct store *s, enum conf_service service, const char *key,
    char delim, struct slice *value)
{
	*value = (struct slice){ "", 0 };
	if (services[service] == NULL)
		return TABLE_UNKNOWN;
	return services[service](s, key, delim, value);
}

/* ---- values ---- */

enum { PASSWD_FIELDS = 5 }; /* hash, uid, gid, gecos, home; more may follow */

static bool
passwd_split(struct slice raw, struct slice field[PASSWD_FIELDS])
{
	const char *colon;
	int i;

	for (i = 0; i < PASSWD_FIELDS; i++) {
		field[i] = raw;
		colon = raw.len == 0 ? NULL : memchr(raw.p, ':', raw.len);
		if (colon == NULL)
			return i == PASSWD_FIELDS - 1;
		field[i].len = (size_t)(colon - raw.p);
		raw.p = colon + 1;
		raw.len -= field[i].len + 1;
	}
	return true;
}

static bool
is_id(struct slice s)
{
	char text[16];
	uint64_t n;

	/* The last of all is what chown(2) takes for "as it is". */
	return slice_copy(s, text, sizeof(text)) &&
	    num_parse(text, 0, UINT32_MAX - 1, &n) == NULL;
}

static bool
put_userinfo(struct slice uid, struct slice gid, struct slice home,
    struct buf *out)
{
	if (!is_id(uid) || !is_id(gid) || home.len == 0)
		return false;
	return buf_add(out, uid.p, uid.len) && buf_puts(out, ":") &&
	    buf_add(out, gid.p, gid.len) && buf_puts(out, ":") &&
	    buf_add(out, home.p, home.len);
}

/* "uid:gid:home" */
static bool
check_userinfo(struct slice raw, struct buf *out)
{
	const char *first = memchr(raw.p, ':', raw.len), *second;

	if (first == NULL)
		return false;
	second = memchr(first + 1, ':', raw.len - (size_t)(first + 1 - raw.p));
	if (second == NULL)
		return false;
	return put_userinfo((struct slice){ raw.p, (size_t)(first - raw.p) },
	    (struct slice){ first + 1, (size_t)(second - first) - 1 },
	    (struct slice){ second + 1,
		raw.len - (size_t)(second + 1 - raw.p) },
	    out);
}

/* "secret", or "user:secret" */
static bool
put_credentials(const char *key, struct slice raw, struct buf *out)
{
	const char *colon = memchr(raw.p, ':', raw.len);

	if (colon == NULL)
		return buf_puts(out, key) && buf_puts(out, ":") &&
		    buf_add(out, raw.p, raw.len);
	return colon != raw.p && colon + 1 < raw.p + raw.len &&
	    buf_add(out, raw.p, raw.len);
}

static bool
passwd_value(enum conf_service service, const char *key, struct slice raw,
    struct buf *out)
{
	struct slice field[PASSWD_FIELDS];

	if (!passwd_split(raw, field))
		return false;
	if (service == SERVICE_USERINFO)
		return put_userinfo(field[1], field[2], field[4], out);
	return service == SERVICE_CREDENTIALS && field[0].len != 0 &&
	    put_credentials(key, field[0], out);
}

bool
match_value(enum conf_service service, bool passwd, const char *key,
    struct slice raw, struct buf *out)
{
	if ((MATCH_VALUES & 1u << service) != 0 && raw.len == 0)
		return false;
	if (passwd)
		return passwd_value(service, key, raw, out);
	if (service == SERVICE_USERINFO)
		return check_userinfo(raw, out);
	if (service == SERVICE_CREDENTIALS)
		return put_credentials(key, raw, out);
	return buf_add(out, raw.p, raw.len);
}
