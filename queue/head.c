/*
 * The head of a spool file, printed; head_read.c reads it.  Used by queue and
 * smtpctl.
 *
 * SPDX-License-Identifier: ISC
 */
#include "head.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dsn_param.h"
#include "head_line.h"
#include "id.h"

#define ESCAPED_MAX 3   /* bytes that one byte of a value may become */
#define FIXED_MAX   256 /* the words and numbers of all fixed lines */

static const struct head_fact fact_lines[] = { HEAD_FACTS(HEAD_FACT_ROW) };
#define N_FACT_LINES (sizeof fact_lines / sizeof fact_lines[0])

bool
rcpt_state_end(int state)
{
	return state == RCPT_DELIVERED || state == RCPT_FAILED ||
	    state == RCPT_REMOVED || state == RCPT_EXPANDED;
}

bool
rcpt_state_open(int state)
{
	return state == RCPT_WAITING || state == RCPT_WARNED;
}

bool
rcpt_state_owed(int state)
{
	return state == RCPT_OWED || state == RCPT_DELIVERED_OWED ||
	    state == RCPT_EXPANDED_OWED;
}

bool
rcpt_state_known(int state)
{
	return rcpt_state_end(state) || rcpt_state_open(state) ||
	    rcpt_state_owed(state) || state == RCPT_HELD ||
	    state == RCPT_HELD_WARNED;
}

/* ---- printing ---- */

static char *
put(char *p, const char *s)
{
	size_t n = strlen(s);

	memcpy(p, s, n);
	return p + n;
}

static char *
put_escaped(char *p, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c > ' ' && c < 0x7f && c != '%') {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	return p;
}

static const char *
said(const char *text)
{
	return text == NULL ? "" : text;
}

static size_t
room_needed(const struct head *h)
{
	size_t n = sizeof HEAD_MAGIC + FIXED_MAX;
	uint32_t i;

	n += ESCAPED_MAX *
	    (strlen(h->facts.client) + strlen(h->sender) +
		strlen(h->params.envid));
	if (h->of.addr != NULL)
		n += FIXED_MAX + ESCAPED_MAX * strlen(h->of.addr);
	for (i = 0; i < N_FACT_LINES; i++)
		n += sizeof "helo: \n" +
		    ESCAPED_MAX *
			strlen((const char *)&h->facts + fact_lines[i].off);
	for (i = 0; i < h->n_rcpt; i++)
		n += sizeof "rcpt: q <> NOTIFY= ORCPT= FOR=\n" +
		    NOTIFY_TEXT_MAX +
		    ESCAPED_MAX *
			(strlen(h->rcpt[i].addr) +
			    strlen(said(h->rcpt[i].orcpt)) +
			    strlen(said(h->rcpt[i].leaf)));
	return n;
}

static char *
put_of(char *p, const struct head *h)
{
	char id[ID_LEN + 1];
	int n;

	n = snprintf(p, FIXED_MAX, "of: %s %" PRIu32 " <",
	    id_print(h->of.id, id), h->of.n);
	assert(n > 0 && n < FIXED_MAX);
	return put(put_escaped(p + n, h->of.addr), ">\n");
}

/* " NAME=value", nothing where the value is empty. */
static char *
put_param(char *p, const char *name, const char *value)
{
	if (value[0] == '\0')
		return p;
	*p++ = ' ';
	p = put(p, name);
	*p++ = '=';
	return put_escaped(p, value);
}

static char *
put_params(char *p, const struct mail_params *m)
{
	if (m->body == BODY_UNSAID && m->ret == RET_UNSAID &&
	    m->envid[0] == '\0')
		return p;
	p = put(p, "params:");
	p = put_param(p, "BODY", body_name(m->body));
	p = put_param(p, "RET", ret_name(m->ret));
	p = put_param(p, "ENVID", m->envid);
	return put(p, "\n");
}

static char *
put_rcpt(char *p, const struct head *h, uint32_t i)
{
	char notify[NOTIFY_TEXT_MAX];

	p = put_escaped(put(p, "q <"), h->rcpt[i].addr);
	p = put_param(put(p, ">"), "NOTIFY",
	    notify_print(h->rcpt[i].notify, notify));
	p = put_param(p, "ORCPT", said(h->rcpt[i].orcpt));
	p = put_param(p, "FOR", said(h->rcpt[i].leaf));
	return put(p, "\n");
}

static char *
put_fixed(char *p, const struct head *h)
{
	const struct facts *f = &h->facts;
	const char *text;
	char id[ID_LEN + 1];
	size_t i;
	int n;

	n = snprintf(p, FIXED_MAX,
	    HEAD_MAGIC "id: %s\narrived: %" PRId64 ".%06" PRId64 "\nclient: ",
	    id_print(h->id, id), h->arrived / 1000000, h->arrived % 1000000);
	assert(n > 0 && n < FIXED_MAX);
	p = put_escaped(p + n, f->client[0] == '\0' ? "-" : f->client);
	n = snprintf(p, FIXED_MAX,
	    " port %" PRIu16 " flags %" PRIu32 " uid %" PRIu32 "\n", f->port,
	    f->flags, f->uid);
	assert(n > 0 && n < FIXED_MAX);
	p += n;
	for (i = 0; i < N_FACT_LINES; i++) {
		text = (const char *)f + fact_lines[i].off;
		if (text[0] == '\0')
			continue;
		p = put_escaped(put(p, fact_lines[i].word), text);
		*p++ = '\n';
	}
	if (h->of.addr != NULL)
		p = put_of(p, h);
	p = put_escaped(put(p, "from: <"), h->sender);
	return put_params(put(p, ">\n"), &h->params);
}

bool
head_print(struct buf *out, struct head *h)
{
	char *start, *p;
	uint32_t i;

	assert(h->arrived >= 0 && h->n_rcpt > 0 && h->n_rcpt <= RCPT_MAX);
	start = (char *)buf_room(out, room_needed(h));
	if (start == NULL)
		return false;
	p = put_fixed(start, h);
	for (i = 0; i < h->n_rcpt; i++) {
		p = put(p, "rcpt: ");
		h->rcpt[i].off = (size_t)(p - start);
		p = put_rcpt(p, h, i);
	}
	p += snprintf(p, FIXED_MAX, "sum: %016" PRIx64 "\n\n",
	    (uint64_t)XXH3_64bits(start, (size_t)(p - start)));
	h->len = (size_t)(p - start);
	for (i = 0; i < h->n_rcpt; i++)
		start[h->rcpt[i].off] = h->rcpt[i].state;
	buf_filled(out, h->len);
	return true;
}
