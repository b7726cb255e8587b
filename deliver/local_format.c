/*
 * Format specifiers: what they stand for, and paths made of them.  Runs in
 * local.  Commands are made in local_shell.c.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_format.h"

#include <stdio.h>
#include <string.h>

#include "smtp_addr.h"

/* ---- values ---- */

enum part { WHOLE, USER, DOMAIN };

static const char *
original(const struct local *l)
{
	return l->start.take.of[0] != '\0' ? l->start.take.of :
					     l->start.take.rcpt;
}

static const char *
sender(const struct local *l)
{
	return l->start.take.sender;
}

static const char *
dest(const struct local *l)
{
	return l->start.take.rcpt;
}

static const char *
username(const struct local *l)
{
	return l->start.take.to.user;
}

static const char *
directory(const struct local *l)
{
	return l->start.take.to.home;
}

static const char *
mbox_from(const struct local *l)
{
	return l->start.take.sender[0] == '\0' ? "MAILER-DAEMON" :
						 l->start.take.sender;
}

/* Columns: whose value, which part of the address, whether it is made by a
 * stranger and cleaned. */
static const struct {
	const char *(*of)(const struct local *l);
	enum part part;
	bool clean;
} names[] = {
	[FORMAT_SENDER] = { sender, WHOLE, true },
	[FORMAT_SENDER_USER] = { sender, USER, true },
	[FORMAT_SENDER_DOMAIN] = { sender, DOMAIN, true },
	[FORMAT_RCPT] = { original, WHOLE, true },
	[FORMAT_RCPT_USER] = { original, USER, true },
	[FORMAT_RCPT_DOMAIN] = { original, DOMAIN, true },
	[FORMAT_DEST] = { dest, WHOLE, true },
	[FORMAT_DEST_USER] = { dest, USER, true },
	[FORMAT_DEST_DOMAIN] = { dest, DOMAIN, true },
	[FORMAT_USER_USERNAME] = { username, WHOLE, true },
	[FORMAT_USER_DIRECTORY] = { directory, WHOLE, false },
	[FORMAT_MBOX_FROM] = { mbox_from, WHOLE, true },
};

void
format_clean(char *value)
{
	static const char harmless[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "@._+=/:,-^[]";

	for (; *value != '\0'; value++)
		if ((unsigned char)*value < 128 &&
		    strchr(harmless, *value) == NULL)
			*value = ':';
}

/* The part of an address, as text of its own. */
static void
cut(const char *from, enum part part, char out[FORMAT_VALUE_MAX + 1])
{
	const char *at = strrchr(from, '@');
	size_t user = at == NULL ? strlen(from) : (size_t)(at - from);

	if (part == USER)
		snprintf(out, FORMAT_VALUE_MAX + 1, "%.*s", (int)user, from);
	else
		snprintf(out, FORMAT_VALUE_MAX + 1, "%s",
		    part == DOMAIN ? smtp_addr_domain(from) : from);
}

/* ---- modifiers ---- */

static void
lower(const struct local *l, char *v)
{
	(void)l;
	text_lower(v);
}

static void
upper(const struct local *l, char *v)
{
	(void)l;
	for (; *v != '\0'; v++)
		if (*v >= 'a' && *v <= 'z')
			*v -= 'a' - 'A';
}

/* user+ext@domain: user@domain. */
static void
strip(const struct local *l, char *v)
{
	char *at = strrchr(v, '@');
	size_t user = at == NULL ? strlen(v) : (size_t)(at - v);
	char *tag =
	    l->start.delim == 0 ? NULL : memchr(v, (int)l->start.delim, user);

	if (tag != NULL)
		memmove(tag, v + user, strlen(v + user) + 1);
}

static void (*const does[])(const struct local *l, char *value) = {
	[MODIFIER_LOWERCASE] = lower,
	[MODIFIER_UPPERCASE] = upper,
	[MODIFIER_STRIP] = strip,
	[MODIFIER_RAW] = NULL, /* the value is not cleaned */
};

static void
modify(const struct local *l, struct slice words, char *value, bool *clean)
{
	enum format_modifier m;

	while (format_modifier(&words, &m)) {
		if (does[m] == NULL)
			*clean = false;
		else
			does[m](l, value);
	}
}

/* ---- slices ---- */

/* The end is included, and -1 is the last byte but one, as OpenSMTPD has it. */
static const char *
range_take(struct format_spec r, char *value)
{
	int len = (int)strlen(value);

	if (len == 0)
		return NULL;
	if (r.from >= len)
		return "a value is shorter than what a format takes of it";
	if (r.to >= len)
		r.to = len - 1;
	if (r.from < 0)
		r.from += len;
	if (r.to < 0)
		r.to += len - 1;
	if (r.from < 0 || r.to < r.from)
		return "a value is shorter than what a format takes of it";
	memmove(value, value + r.from, (size_t)(r.to - r.from + 1));
	value[r.to - r.from + 1] = '\0';
	return NULL;
}

/* ---- public ---- */

const char *
format_value(const struct local *l, struct slice spec,
    char out[FORMAT_VALUE_MAX + 1])
{
	struct format_spec s;
	const char *why;
	bool clean;

	if ((why = format_spec(spec, &s)) != NULL)
		return why;
	clean = names[s.name].clean;
	cut(names[s.name].of(l), names[s.name].part, out);
	modify(l, s.modifiers, out, &clean);
	if (clean)
		format_clean(out);
	return range_take(s, out);
}

void
local_extension(const struct local *l, char out[ADDR_MAX + 1])
{
	const struct local_take *t = &l->start.take;
	const char *rows[] = { t->rcpt, t->of };
	const char *at, *tag;
	size_t i, user;

	out[0] = '\0';
	for (i = 0; i < 2 && out[0] == '\0' && l->start.delim != 0; i++) {
		at = strrchr(rows[i], '@');
		user = at == NULL ? strlen(rows[i]) : (size_t)(at - rows[i]);
		tag = memchr(rows[i], (int)l->start.delim, user);
		if (tag == NULL || tag == rows[i])
			continue;
		snprintf(out, ADDR_MAX + 1, "%.*s",
		    (int)(user - (size_t)(tag + 1 - rows[i])), tag + 1);
	}
}

/* A path is made of folders that the configuration names: a value is a part of
 * one name. */
static bool
climbs(const char *path)
{
	const char *at;
	size_t n;

	for (at = path; at != NULL; at = strchr(at, '/')) {
		at += *at == '/';
		n = strcspn(at, "/");
		if ((n == 1 && at[0] == '.') ||
		    (n == 2 && at[0] == '.' && at[1] == '.'))
			return true;
	}
	return false;
}

/* Of all values only the home is a path itself. */
static bool
is_home(struct slice spec)
{
	static const struct slice home = { "user.directory", 14 };

	spec.len = spec.len < home.len ? spec.len : home.len;
	return slice_eqcase(spec, home);
}

static void
in_one_name(char *value)
{
	for (; *value != '\0'; value++)
		if (*value == '/')
			*value = ':';
}

const char *
format_path(const struct local *l, const char *template,
    char out[FORMAT_PATH_MAX])
{
	bool below = template[0] == '~' && template[1] == '/', values = false;
	char value[FORMAT_VALUE_MAX + 1], path[FORMAT_PATH_MAX];
	struct format_piece p;
	const char *why;
	size_t len = 0, n;

	path[0] = '\0';
	if (below)
		template += 2;
	while (*template != '\0') {
		if ((why = format_next(&template, &p)) != NULL)
			return why;
		value[0] = p.byte;
		value[1] = '\0';
		if (p.is_spec) {
			values = true;
			if ((why = format_value(l, p.spec, value)) != NULL)
				return why;
			if (!is_home(p.spec))
				in_one_name(value);
		}
		n = strlen(value);
		if (len + n >= sizeof path)
			return "the path is too long";
		memcpy(path + len, value, n + 1);
		len += n;
	}
	if (values && climbs(path))
		return "a value makes a path of . or ..";
	below = below || path[0] != '/';
	if (snprintf(out, FORMAT_PATH_MAX, "%s%s%s",
		below ? l->start.take.to.home : "", below ? "/" : "",
		path) >= FORMAT_PATH_MAX)
		return "the path is too long";
	return out[0] == '/' ? NULL : "it is no absolute path";
}
