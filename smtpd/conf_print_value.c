/*
 * Words and values as smtpd.conf writes them, for its print.  Runs in the
 * parent, for `smtpd -nv` alone.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/types.h>

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "auth_result.h"
#include "bounds.h"
#include "conf_parse.h"
#include "conf_print.h"

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* Is it a word without quotes, here and in OpenSMTPD, and no keyword? */
static bool
is_bare(const char *text)
{
	bool digits = true;
	const char *p;

	if (!is_alnum((unsigned char)text[0]) && text[0] != '_' &&
	    text[0] != ':')
		return false;
	for (p = text; *p != '\0'; p++) {
		if (!is_alnum((unsigned char)*p) &&
		    strchr("-_.:/@%+*~[]^&;|?", *p) == NULL)
			return false;
		digits = digits && *p >= '0' && *p <= '9';
	}
	return !digits && !conf_reserved(text);
}

/* In quotes a backslash stands for a quote or a blank behind it, and nothing
 * stands for a backslash: before those two it is written twice. */
static void
quote(struct buf *out, const char *text)
{
	const char *p;

	buf_puts(out, "\"");
	for (p = text; *p != '\0'; p++) {
		if (*p == '"' ||
		    ((*p == ' ' || *p == '\t') && p > text && p[-1] == '\\'))
			buf_puts(out, "\\");
		buf_add(out, p, 1);
	}
	buf_puts(out, "\"");
}

void
conf_print_word(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	/* One that ends in a backslash was bare, and cannot be quoted. */
	if (is_bare(text) || (len > 0 && text[len - 1] == '\\'))
		buf_puts(out, text);
	else
		quote(out, text);
}

void
conf_print_start(struct buf *out, const struct conf *c, const char *word,
    conf_str text)
{
	buf_printf(out, "%s ", word);
	conf_print_word(out, conf_text(c, text));
}

void
conf_print_option(struct buf *out, const struct conf *c, const char *word,
    conf_str text)
{
	if (text == 0)
		return;
	buf_printf(out, " %s ", word);
	conf_print_word(out, conf_text(c, text));
}

void
conf_print_flag(struct buf *out, const char *word, int flag)
{
	if (flag)
		buf_printf(out, " %s", word);
}

void
conf_print_entries(struct buf *out, const struct conf *c,
    struct conf_span entries, int pairs)
{
	const struct conf_entry *e;
	bool one = entries.n == 1 && !pairs;
	uint32_t i;

	buf_puts(out, one ? " " : " { ");
	for (i = 0; i < entries.n; i++) {
		e = CONF_ENTRY(c, entries, i);
		if (i > 0)
			buf_puts(out, ", ");
		conf_print_word(out, conf_text(c, e->key));
		if (!pairs)
			continue;
		buf_puts(out, " = ");
		conf_print_word(out, conf_text(c, e->value));
	}
	if (!one)
		buf_puts(out, " }");
}

void
conf_print_table(struct buf *out, const struct conf *c, const char *word,
    uint32_t table)
{
	const struct conf_table *t;

	if (table == CONF_NONE)
		return;
	t = CONF_TABLE(c, table);
	conf_print_flag(out, word, word[0] != '\0');
	if (t->name == 0) {
		conf_print_entries(out, c, t->entries, t->kind == TABLE_MAP);
		return;
	}
	buf_puts(out, " <");
	conf_print_word(out, conf_text(c, t->name));
	buf_puts(out, ">");
}

void
conf_print_results(struct buf *out, uint32_t results)
{
	bool one = (results & (results - 1)) == 0;
	const char *before = one ? " " : " { ";
	enum auth_result r;

	if (results == 0)
		return;
	for (r = RES_NONE; r < RES_RESULTS; r++) {
		if (!(results & 1u << r))
			continue;
		buf_printf(out, "%s%s", before, auth_result_word(r));
		before = ", ";
	}
	buf_puts(out, one ? "" : " }");
}

/* Columns: unit, how much. */
struct unit {
	char letter;
	uint64_t factor;
};

void
conf_print_time(struct buf *out, const char *word, uint64_t seconds)
{
	static const struct unit units[] = { { 'd', DAY }, { 'h', HOUR },
		{ 'm', MINUTE }, { 's', 1 } };
	uint64_t rest = seconds;
	size_t i;

	buf_printf(out, "%s", word);
	if (seconds == 0)
		buf_puts(out, "0s");
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (rest / units[i].factor == 0)
			continue;
		buf_printf(out, "%llu%c",
		    (unsigned long long)(rest / units[i].factor),
		    units[i].letter);
		rest %= units[i].factor;
	}
}

void
conf_print_size(struct buf *out, const char *word, uint64_t bytes)
{
	static const struct unit units[] = { { 'G', 1024 * MIB }, { 'M', MIB },
		{ 'K', KIB } };
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (bytes != 0 && bytes % units[i].factor == 0) {
			buf_printf(out, "%s%llu%c", word,
			    (unsigned long long)(bytes / units[i].factor),
			    units[i].letter);
			return;
		}
	}
	buf_printf(out, "%s%llu", word, (unsigned long long)bytes);
}

void
conf_print_addr(struct buf *out, const struct sockaddr_storage *ss)
{
	char ip[IP_TEXT_MAX + 1];
	socklen_t len = ss->ss_family == AF_INET6 ?
	    sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in);

	/* Not inet_ntop(): there may be a scope. */
	if (getnameinfo((const struct sockaddr *)ss, len, ip, sizeof(ip), NULL,
		0, NI_NUMERICHOST) == 0)
		conf_print_word(out, ip);
}

unsigned int
conf_print_port(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET6 ?
		((const struct sockaddr_in6 *)ss)->sin6_port :
		((const struct sockaddr_in *)ss)->sin_port);
}

void
conf_print_end(struct buf *out)
{
	/* At the very end of a line it would continue it. */
	if (out->len > 0 && buf_data(out)[out->len - 1] == '\\')
		buf_puts(out, " #");
	buf_puts(out, "\n");
}
