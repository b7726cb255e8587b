/*
 * Who wrote a message: the domains of its From field (RFC 5322 3.4, 4.4), for
 * who looks for a key that speaks for them and who asks for their policy.
 * Runs in session, deliver and smtpctl, over text that others wrote; keeps
 * nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "author.h"

#include <ctype.h>
#include <string.h>

#include "idn.h"
#include "smtp_addr.h"

/* One mailbox of a From field as it is being read. */
struct mailbox {
	char domain[DOMAIN_MAX + 1];
	size_t n;
	unsigned int ats; /* '@' that are no part of a display name or route */
	bool local;       /* something stands in front of the next '@' */
	bool at;          /* behind the '@' */
	bool gap;         /* white space or a comment since the last byte */
	bool bad;         /* not a domain name after all */
	bool done;        /* behind the '>' */
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
	m->local = true;
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
		m->local = false;
		return !m->angle;
	case '<':
		mailbox_again(m);
		if (!m->done)
			m->ats = 0;
		m->local = false;
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
		m->ats += m->local;
		m->local = true;
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

/* Reads one mailbox from the front of *rest, and moves that behind it.  True:
 * it has a domain, which is in m. */
static bool
mailbox_read(struct slice *rest, struct mailbox *m)
{
	struct slice in = *rest;
	size_t i = 0;

	memset(m, 0, sizeof(*m));
	while (i < in.len) {
		if (in.p[i] == '(' || in.p[i] == '"' || in.p[i] == '[') {
			if (in.p[i] != '(' && m->at && !m->done)
				m->bad = true;
			if (in.p[i] != '(')
				m->local = true;
			m->gap = true;
			i = skip_enclosed(in, i);
		} else if (mailbox_special(m, in.p[i++]))
			break;
	}
	rest->p += i;
	rest->len -= i;
	return m->n > 0 && !m->bad && !m->angle;
}

bool
author_next(struct slice *rest, char domain[DOMAIN_MAX + 1])
{
	struct mailbox m;

	while (rest->len > 0) {
		if (!mailbox_read(rest, &m))
			continue;
		memcpy(domain, m.domain, m.n);
		domain[m.n] = '\0';
		return true;
	}
	return false;
}

bool
author_name(struct slice name, char domain[DOMAIN_MAX + 1])
{
	/* The root's dot is not written in mail, but understood by readers. */
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	if (idn_domain(name, domain) == NULL && smtp_labels_check(domain, 1))
		return true;
	domain[0] = '\0';
	return false;
}

/*
 * What cannot be read beside an address that can is no reason to believe the
 * latter: others may read it, and show it as the author.
 */
static enum author_is
field_author(struct slice value, char domain[DOMAIN_MAX + 1])
{
	char name[DOMAIN_MAX + 1];
	struct mailbox m;
	bool good, odd = false, many = false;

	while (value.len > 0) {
		good = mailbox_read(&value, &m);
		if (m.ats > (good ? 1 : 0))
			odd = true;
		if (!good)
			continue;
		if (!author_name((struct slice){ m.domain, m.n }, name))
			odd = true;
		else if (domain[0] == '\0')
			memcpy(domain, name, strlen(name) + 1);
		else if (strcmp(domain, name) != 0)
			many = true;
	}
	if (domain[0] == '\0')
		return AUTHOR_NONE;
	return many || odd ? AUTHOR_MANY : AUTHOR_ONE;
}

enum author_is
author_find(const struct mail_read *m, unsigned int *fields,
    char domain[DOMAIN_MAX + 1])
{
	enum author_is is = AUTHOR_NONE;
	uint32_t i;

	*fields = 0;
	domain[0] = '\0';
	for (i = 0; i < m->n_field; i++) {
		if (!slice_eqcase(m->field[i].name, SLICE("From")))
			continue;
		if (++*fields == 1)
			is = field_author(m->field[i].value, domain);
	}
	/* Beyond our bounds may be another one. */
	if (*fields > 1 || (is == AUTHOR_ONE && m->why != NULL))
		is = AUTHOR_MANY;
	if (is != AUTHOR_ONE)
		domain[0] = '\0';
	return is;
}
