/*
 * Which keys sign a message: the domain of its author (RFC 5322 From), read
 * as far as that needs, against the rows of conf.dkim.  Runs in deliver, over
 * text that others wrote.
 *
 * SPDX-License-Identifier: ISC
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "dkim.h"

/* One mailbox of a From field as it is being read. */
struct mailbox {
	char domain[DOMAIN_MAX + 1];
	size_t n;
	bool at;   /* behind the '@' */
	bool gap;  /* white space or a comment since the last byte */
	bool bad;  /* not a domain name after all */
	bool done; /* behind the '>' */
	bool angle;
};

/* Behind a comment, quoted string or domain literal that opens at i: each has
 * quoted pairs, and comments nest (RFC 5322 3.2.2, 3.2.4). */
static size_t
skip_enclosed(struct slice in, size_t i)
{
	char open = in.p[i];
	char close = open == '(' ? ')' : open == '[' ? ']' : '"';
	size_t depth = 1;

	for (i++; i < in.len && depth > 0; i++) {
		if (in.p[i] == '\\')
			i++;
		else if (in.p[i] == close)
			depth--;
		else if (in.p[i] == '(' && open == '(')
			depth++;
	}
	return i < in.len ? i : in.len;
}

/* What came so far was a display name, a route or the name of a group. */
static void
mailbox_again(struct mailbox *m)
{
	m->n = 0;
	m->at = m->gap = m->bad = false;
}

/* A byte of an atom, or a dot. */
static void
mailbox_byte(struct mailbox *m, char c)
{
	if (!m->at || m->done)
		return;
	/* Only around dots is white space a part of a domain (4.4). */
	if (m->gap && m->n != 0 && c != '.' && m->domain[m->n - 1] != '.')
		m->bad = true;
	m->gap = false;
	if (m->n == DOMAIN_MAX || c == '\0')
		m->bad = true;
	else
		m->domain[m->n++] = (char)tolower((unsigned char)c);
}

/* A byte outside of quotes and comments.  True: the mailbox is complete. */
static bool
mailbox_special(struct mailbox *m, char c)
{
	switch (c) {
	case ',':
	case ';':
		return !m->angle;
	case '<':
		mailbox_again(m);
		m->angle = true;
		return false;
	case '>':
		m->angle = false;
		m->done = true;
		return false;
	case ':':
		if (!m->done)
			mailbox_again(m);
		return false;
	case '@':
		if (!m->done) {
			mailbox_again(m);
			m->at = true;
		}
		return false;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		m->gap = true;
		return false;
	default:
		mailbox_byte(m, c);
		return false;
	}
}

/* Reads one mailbox from the front of in; returns the bytes used. */
static size_t
mailbox_read(struct slice in, struct mailbox *m)
{
	size_t i = 0;

	memset(m, 0, sizeof(*m));
	while (i < in.len) {
		if (in.p[i] == '(' || in.p[i] == '"' || in.p[i] == '[') {
			if (in.p[i] != '(' && m->at && !m->done)
				m->bad = true;
			m->gap = true;
			i = skip_enclosed(in, i);
		} else if (mailbox_special(m, in.p[i++]))
			break;
	}
	return i;
}

bool
dkim_from_next(struct slice *rest, char domain[DOMAIN_MAX + 1])
{
	struct mailbox m;
	size_t used;

	while (rest->len > 0) {
		used = mailbox_read(*rest, &m);
		rest->p += used;
		rest->len -= used;
		if (m.n == 0 || m.bad || m.angle)
			continue;
		memcpy(domain, m.domain, m.n);
		domain[m.n] = '\0';
		return true;
	}
	return false;
}

static const char *
row_domain(const struct conf *conf, uint32_t row)
{
	return conf_text(conf, CONF_DKIM(conf, row)->domain);
}

uint32_t
dkim_row_for(const struct conf *conf, const char *domain)
{
	const char *dot;
	uint32_t i;

	while (*domain != '\0') {
		for (i = 0; i < conf->dkim.n; i++)
			if (strcasecmp(row_domain(conf, i), domain) == 0)
				return i;
		if ((dot = strchr(domain, '.')) == NULL)
			break;
		domain = dot + 1;
	}
	return CONF_NONE;
}

int
dkim_rows(const struct conf *conf, const struct dkim_keys *keys, uint32_t first,
    uint32_t rows[DKIM_SIGS])
{
	static const uint8_t order[DKIM_SIGS] = { ALG_RSA, ALG_ED25519 };
	const char *domain = row_domain(conf, first);
	uint32_t i, found[DKIM_SIGS] = { CONF_NONE, CONF_NONE };
	int j, n = 0;

	for (i = first; i < conf->dkim.n; i++) {
		if (strcasecmp(row_domain(conf, i), domain) != 0)
			continue;
		if (i >= keys->n || keys->alg[i] == 0)
			return DKIM_LATER;
		for (j = 0; j < DKIM_SIGS; j++)
			if (keys->alg[i] == 1 + order[j] &&
			    found[j] == CONF_NONE)
				found[j] = i;
	}
	for (j = 0; j < DKIM_SIGS; j++)
		if (found[j] != CONF_NONE)
			rows[n++] = found[j];
	return n;
}
