/*
 * Readers of texts in smtpd.conf: names, domains, paths, addresses.  Runs in
 * the parent; each reads from the token at hand, says what is wrong, and
 * leaves the token behind at hand.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "idn.h"
#include "slice.h"
#include "smtp_addr.h"
#include "tls_protocols.h"

enum { QUEUE_KEY_LEN = 32 };

static const char *const reserved[] = {
#define X(word) word,
	CONF_RESERVED(X)
#undef X
};

bool
conf_reserved(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (strcmp(reserved[i], word) == 0)
			return true;
	}
	return false;
}

bool
conf_is_text(const struct conf_parser *p)
{
	if (p->lex.len == 0)
		return false;
	return p->lex.tok == TOK_STRING ||
	    (p->lex.tok == TOK_WORD && !conf_reserved(p->lex.text));
}

bool
conf_need_text(struct conf_parser *p, const char *what)
{
	if (conf_is_text(p))
		return true;
	if (p->lex.tok != TOK_WORD)
		return conf_expected(p, what);
	if (p->lex.braces > 0 && p->lex.first)
		return conf_wrong(p,
		    "found `%s` in the list that starts at line %u: is its `}` missing?",
		    p->lex.text, p->lex.brace_line);
	return conf_wrong(p,
	    "`%s` is a reserved word: put it in quotes, expected %s",
	    p->lex.text, what);
}

conf_str
conf_take_text(struct conf_parser *p)
{
	conf_str s = conf_pool_add(p, p->lex.text);

	conf_lex_next(&p->lex);
	return s;
}

/* ---- names ---- */

bool
conf_read_new_name(struct conf_parser *p, const struct conf_word *w)
{
	enum conf_named kind = (enum conf_named)w->value;
	char shown[CONF_SHOWN_SIZE];
	uint32_t row;

	if (!conf_need_text(p, w->what))
		return false;
	row = conf_find(p, kind, p->lex.text);
	if (row != CONF_NONE)
		return conf_refuse(p,
		    "%s %s is already declared at line %u, expected another name",
		    conf_noun(kind), conf_shown(p->lex.text, shown),
		    conf_declared(p, kind, row).line);
	conf_store(p, w, conf_take_text(p));
	return true;
}

bool
conf_name_ref(struct conf_parser *p, enum conf_named kind, const char *what,
    uint32_t *row)
{
	char name[DOMAIN_MAX + 1];

	*row = CONF_NONE;
	if (!conf_need_text(p, what))
		return false;
	*row = conf_find(p, kind, p->lex.text);
	/* These are host names: case does not matter. */
	if (*row == CONF_NONE && (kind == NAMED_PKI || kind == NAMED_CA) &&
	    idn_domain(slice_of(p->lex.text), name) == NULL)
		*row = conf_find(p, kind, name);
	if (*row == CONF_NONE)
		conf_say_missing(p, kind, p->lex.text);
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_read_name_ref(struct conf_parser *p, const struct conf_word *w)
{
	uint32_t row;

	if (!conf_name_ref(p, (enum conf_named)w->value, w->what, &row))
		return false;
	conf_store(p, w, row);
	return true;
}

/* Its name, as it was declared: its row may still move. */
bool
conf_read_declared_text(struct conf_parser *p, const struct conf_word *w)
{
	enum conf_named kind = (enum conf_named)w->value;
	char name[DOMAIN_MAX + 1];
	uint32_t row;

	if (!conf_name_ref(p, kind, w->what, &row))
		return false;
	if (row == CONF_NONE)
		return true;
	/* The pool may move when something is added. */
	snprintf(name, sizeof(name), "%s", conf_named_text(p, kind, row));
	conf_store(p, w, conf_pool_add(p, name));
	return true;
}

/* ---- texts that are checked ---- */

static bool
store_text(struct conf_parser *p, const struct conf_word *w)
{
	conf_store(p, w, conf_take_text(p));
	return true;
}

static bool
say_why(struct conf_parser *p, const struct conf_word *w, const char *why)
{
	char shown[CONF_SHOWN_SIZE];

	return conf_wrong(p, "`%s`: found %s, %s, expected %s", w->word,
	    conf_lex_shown(&p->lex, shown), why, w->what);
}

static bool
read_checked(struct conf_parser *p, const struct conf_word *w,
    const char *(*check)(struct slice))
{
	const char *why;

	if (!conf_need_text(p, w->what))
		return false;
	why = check((struct slice){ p->lex.text, p->lex.len });
	return why == NULL ? store_text(p, w) : say_why(p, w, why);
}

static const char *
tag_check(struct slice in)
{
	size_t i;

	if (in.len > TAG_MAX)
		return "which is longer than 32 characters";
	for (i = 0; i < in.len; i++) {
		if (in.p[i] <= ' ' || in.p[i] > '~')
			return "which has blanks or bytes that are not ASCII";
	}
	return NULL;
}

/* An authserv-id (RFC 8601 2.5) that needs no quotes in its field: a token of
 * RFC 2045 5.1. */
static const char *
admd_check(struct slice in)
{
	size_t i;

	if (in.len > HOST_MAX)
		return "which is longer than a domain";
	for (i = 0; i < in.len; i++) {
		if (in.p[i] <= ' ' || in.p[i] > '~' ||
		    strchr("()<>@,;:\\\"/[]?=", in.p[i]) != NULL)
			return "which is no token: it has a blank, one of ()<>@,;:\\\"/[]?= or a byte that is not ASCII";
	}
	return NULL;
}

bool
conf_read_text(struct conf_parser *p, const struct conf_word *w)
{
	return conf_need_text(p, w->what) && store_text(p, w);
}

/* RFC 6376 3.1: as a domain name. */
bool
conf_read_selector(struct conf_parser *p, const struct conf_word *w)
{
	return read_checked(p, w, smtp_domain_check);
}

bool
conf_read_tag(struct conf_parser *p, const struct conf_word *w)
{
	return read_checked(p, w, tag_check);
}

bool
conf_read_admd(struct conf_parser *p, const struct conf_word *w)
{
	return read_checked(p, w, admd_check);
}

static const char *
protocols_check(struct slice in)
{
	unsigned int min, max;

	return tls_protocols_parse(in, &min, &max);
}

bool
conf_read_protocols(struct conf_parser *p, const struct conf_word *w)
{
	return read_checked(p, w, protocols_check);
}

static const char *
delimiter_check(struct slice in)
{
	if (in.len != 1)
		return "more than one character";
	if (in.p[0] <= ' ' || in.p[0] > '~' || in.p[0] == '@')
		return "which no address has before its `@`";
	return NULL;
}

bool
conf_read_delimiter(struct conf_parser *p, const struct conf_word *w)
{
	const char *why;

	if (!conf_need_text(p, w->what))
		return false;
	why = delimiter_check((struct slice){ p->lex.text, p->lex.len });
	if (why != NULL)
		return say_why(p, w, why);
	conf_store(p, w, (unsigned char)p->lex.text[0]);
	conf_lex_next(&p->lex);
	return true;
}

/* ---- domains ---- */

const char *
conf_domain(const char *text, unsigned int flags, char out[DOMAIN_MAX + 1])
{
	char plain[DOMAIN_MAX + 1];
	const char *why;
	size_t i, skip = 0;

	if (strchr(text, '$') != NULL)
		return "a macro is read only where a word begins";
	if ((why = idn_domain(slice_of(text), out)) != NULL)
		return why;
	while ((flags & DOMAIN_STARS) && strncmp(out + skip, "*.", 2) == 0)
		skip += 2;
	/* An underscore is looked at as if it were a letter. */
	for (i = 0; out[i] != '\0'; i++)
		plain[i] =
		    (char)(out[i] == '_' && (flags & DOMAIN_UNDERSCORES) ?
			    'x' :
			    out[i]);
	plain[i] = '\0';
	return smtp_domain_check(slice_of(plain + skip));
}

static bool
store_domain(struct conf_parser *p, const struct conf_word *w,
    const char *domain)
{
	conf_store(p, w, conf_pool_add(p, domain));
	conf_lex_next(&p->lex);
	return true;
}

static bool
read_domain(struct conf_parser *p, const struct conf_word *w,
    unsigned int flags)
{
	char domain[DOMAIN_MAX + 1];
	const char *why;

	if (!conf_need_text(p, w->what))
		return false;
	if ((why = conf_domain(p->lex.text, flags, domain)) != NULL)
		return say_why(p, w, why);
	return store_domain(p, w, domain);
}

bool
conf_read_host(struct conf_parser *p, const struct conf_word *w)
{
	return read_domain(p, w, 0);
}

bool
conf_read_hostname(struct conf_parser *p, const struct conf_word *w)
{
	return read_domain(p, w, DOMAIN_UNDERSCORES);
}

/* It may be an address literal: RFC 5321 4.1.1.1. */
bool
conf_read_helo(struct conf_parser *p, const struct conf_word *w)
{
	char ip[IP_TEXT_MAX + 1];
	const char *why;

	if (!conf_need_text(p, w->what))
		return false;
	if (p->lex.text[0] != '[')
		return conf_read_hostname(p, w);
	why = smtp_literal_parse(slice_of(p->lex.text), ip);
	return why == NULL ? store_text(p, w) : say_why(p, w, why);
}

/* `user@domain`, or `@domain`, which leaves the user as it is. */
bool
conf_read_sender(struct conf_parser *p, const struct conf_word *w)
{
	char domain[DOMAIN_MAX + 1], address[ADDR_MAX + 1];
	const char *at, *why = "not an address";
	size_t user;

	if (!conf_need_text(p, w->what))
		return false;
	if ((at = strrchr(p->lex.text, '@')) == NULL)
		return say_why(p, w, why);
	if ((why = conf_domain(at + 1, 0, domain)) != NULL)
		return say_why(p, w, why);
	user = (size_t)(at - p->lex.text);
	if (user > LOCAL_PART_MAX)
		return say_why(p, w, "too long for an address");
	memcpy(address, p->lex.text, user + 1);
	memcpy(address + user + 1, domain, strlen(domain) + 1);
	if (user > 0 && (why = smtp_mailbox_check(slice_of(address))) != NULL)
		return say_why(p, w, why);
	return store_domain(p, w, address);
}

/* ---- paths and secrets ---- */

bool
conf_path(struct conf_parser *p, bool secret, conf_str *path)
{
	if (!conf_need_text(p, "an absolute path"))
		return false;
	if (p->lex.text[0] != '/')
		return conf_expected(p, "an absolute path");
	conf_check_path(p, p->lex.text, secret);
	*path = conf_take_text(p);
	return true;
}

bool
conf_read_cert(struct conf_parser *p, const struct conf_word *w)
{
	return conf_path(p, false, conf_field(p, w));
}

bool
conf_read_key(struct conf_parser *p, const struct conf_word *w)
{
	return conf_path(p, true, conf_field(p, w));
}

/* One that was said before is said anew. */
bool
conf_read_secret(struct conf_parser *p, const struct conf_word *w)
{
	const conf_str *old = conf_field(p, w);

	if (!conf_need_text(p, w->what))
		return false;
	if (*old != 0)
		conf_pool_wipe(p, *old);
	return store_text(p, w);
}

/* A key may be left out; `stdin` and `-` ask for it at start. */
bool
conf_read_encryption(struct conf_parser *p, const struct conf_word *w)
{
	p->f.conf.queue_encryption = 1;
	if (conf_at_end(p))
		return true;
	if (!conf_need_text(p, "a key of 32 characters"))
		return false;
	if (p->lex.len != QUEUE_KEY_LEN &&
	    strcasecmp(p->lex.text, "stdin") != 0 &&
	    strcmp(p->lex.text, "-") != 0)
		return conf_wrong(p,
		    "`encryption`: found a key of %zu characters, expected one of %d",
		    p->lex.len, QUEUE_KEY_LEN);
	return conf_read_secret(p, w);
}

/* ---- one of several ---- */

/* Columns: word as OpenSMTPD takes it, in any case. */
static const struct {
	const char *word;
	enum conf_dhe dhe;
} dhes[] = {
	{ "none", DHE_NONE },
	{ "auto", DHE_AUTO },
	{ "legacy", DHE_LEGACY },
};

bool
conf_read_dhe(struct conf_parser *p, const struct conf_word *w)
{
	size_t i;

	if (!conf_need_text(p, w->what))
		return false;
	for (i = 0; i < sizeof(dhes) / sizeof(dhes[0]); i++) {
		if (strcasecmp(dhes[i].word, p->lex.text) != 0)
			continue;
		p->f.stmt.pki.dhe = (uint8_t)dhes[i].dhe;
		p->f.stmt.pki.dhe_said = 1;
		conf_lex_next(&p->lex);
		return true;
	}
	return conf_expected(p, w->what);
}

static const struct {
	const char *name;
	uint32_t facility;
} facilities[] = {
#define X(word, value) { word, value },
	CONF_FACILITIES(X)
#undef X
};

bool
conf_read_facility(struct conf_parser *p, const struct conf_word *w)
{
	size_t i;

	/* `auth` and `user` are reserved words. */
	for (i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
		if ((p->lex.tok != TOK_WORD && p->lex.tok != TOK_STRING) ||
		    strcmp(facilities[i].name, p->lex.text) != 0)
			continue;
		conf_store(p, w, facilities[i].facility);
		conf_lex_next(&p->lex);
		return true;
	}
	return conf_expected(p,
	    "a facility of syslog(3): `mail`, `daemon`, `local0` to `local7`, ...");
}

bool
conf_read_address(struct conf_parser *p, const struct conf_word *w)
{
	struct sockaddr_storage *ss = conf_field(p, w);
	const char *text = p->lex.text;

	if (!conf_need_text(p, w->what))
		return false;
	if (strcmp(text, "localhost") == 0)
		text = "127.0.0.1";
	if (!conf_net_addr(text, ss))
		return conf_expected(p, w->what);
	conf_lex_next(&p->lex);
	return true;
}

/* The file is opened when the line has ended. */
bool
conf_read_include(struct conf_parser *p, const struct conf_word *w)
{
	if (p->lex.tok != TOK_STRING || p->lex.len == 0)
		return conf_expected(p, w->what);
	p->f.stmt.include = arena_copy(&p->lex.names, p->lex.text);
	conf_lex_next(&p->lex);
	return true;
}
