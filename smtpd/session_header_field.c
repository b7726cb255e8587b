/*
 * The fields of a header section: which pass, which are rewritten, which are
 * missing.  Runs in session.  What cannot be read is never touched, except
 * that a From which is to be masqueraded names nobody else afterwards.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_header_field.h"

#include <string.h>

#include "auth_field.h"
#include "id.h"
#include "idn.h"
#include "session_address.h"
#include "session_trace.h"

#define LINE_GOOD 78          /* RFC 5322 2.1.1: no longer, if it can be */
#define GROWS_MAX (64 * 1024) /* by so much a field may, for its domains */

/* The fields that are looked at.  Columns: name, way, what it says. */
static const struct {
	const char *name;
	enum field_way way;
	uint32_t seen;
} fields[] = {
	{ "From", FIELD_HOLD, SEEN_FROM },
	{ "Sender", FIELD_HOLD, SEEN_SENDER },
	{ "Reply-To", FIELD_HOLD, 0 },
	{ "To", FIELD_HOLD, 0 },
	{ "Cc", FIELD_HOLD, 0 },
	{ "Resent-From", FIELD_HOLD, 0 },
	{ "Resent-Sender", FIELD_HOLD, 0 },
	{ "Resent-Reply-To", FIELD_HOLD, 0 },
	{ "Resent-To", FIELD_HOLD, 0 },
	{ "Resent-Cc", FIELD_HOLD, 0 },
	/* RFC 5322 3.6.3: they name whom the others shall not know of. */
	{ "Bcc", FIELD_DROP, 0 },
	{ "Resent-Bcc", FIELD_DROP, 0 },
	/* RFC 5321 4.4: only the last server adds it. */
	{ "Return-Path", FIELD_DROP, 0 },
	{ "Date", FIELD_PASS, SEEN_DATE },
	{ "Message-ID", FIELD_PASS, SEEN_ID },
	{ "DKIM-Signature", FIELD_PASS, SEEN_SIGNED },
};

/* By which we mark a message, for filters of mailboxes. */
static const char *const marks[] = { "X-Spam", "X-DMARC" };

static bool
is_results(struct slice name)
{
	return slice_eqcase(name, SLICE("Authentication-Results"));
}

static enum field_way
strangers_way(struct slice name, struct field_seen *seen)
{
	size_t i;

	for (i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		if (!slice_eqcase(name, slice_of(marks[i])))
			continue;
		seen->forged.marks++;
		return FIELD_DROP;
	}
	return FIELD_PASS;
}

enum field_way
field_way(const struct header_wish *wish, struct slice name,
    struct field_seen *seen)
{
	size_t i;

	if (wish->authserv != NULL && is_results(name))
		return FIELD_HOLD;
	if (wish->stranger)
		return strangers_way(name, seen);
	for (i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (!slice_eqcase(name, slice_of(fields[i].name)))
			continue;
		seen->bits |= fields[i].seen;
		return fields[i].way;
	}
	return FIELD_PASS;
}

/* ---- a list of addresses, written anew ---- */

struct rewrite {
	const char *from; /* in the place of each address, or NULL */
	const char *host; /* behind each bare name, or NULL */
	struct buf out;
	unsigned int n; /* addresses */
	bool odd;       /* an entry that cannot be read */
	bool changed;
};

/* Bytes on the last line. */
static size_t
column(const struct buf *b)
{
	const uint8_t *p = buf_data(b);
	size_t n = 0;

	while (n < b->len && p[b->len - n - 1] != '\n')
		n++;
	return n;
}

/* A line that grew is folded in front of an entry (RFC 5322 2.2.3).  Returns
 * what is left of the entry. */
static struct slice
fold(struct rewrite *w, struct slice entry, size_t more)
{
	struct slice rest = entry;

	if (column(&w->out) + entry.len + more <= LINE_GOOD)
		return entry;
	while (rest.len > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t')) {
		rest.p++;
		rest.len--;
	}
	if (rest.len == 0 || slice_is_space(rest.p[0]) ||
	    !buf_puts(&w->out, "\r\n\t"))
		return entry;
	return rest;
}

/* Adds entry with text in the place of its bytes from cut on, to end. */
static bool
put_entry(struct buf *out, struct slice entry, const char *cut, const char *end,
    const char *before, const char *text)
{
	return buf_add(out, entry.p, (size_t)(cut - entry.p)) &&
	    buf_puts(out, before) && buf_puts(out, text) &&
	    buf_add(out, end, (size_t)(entry.p + entry.len - end));
}

/* Is there anything to do about it?  What was done once stays as it is. */
static bool
wants_change(const struct rewrite *w, const struct address *a)
{
	if (a->spec.len == 0 || a->odd)
		return false;
	if (w->from != NULL)
		return !slice_eq(a->place, slice_of(w->from));
	return w->host != NULL && !a->has_domain;
}

/* One entry of the list.  False: it has grown too much. */
static bool
rewrite_entry(struct rewrite *w, const struct address *a, bool first)
{
	const char *text = w->from != NULL ? w->from : w->host;
	const char *end = a->spec.p + a->spec.len;
	bool change = wants_change(w, a);
	struct slice entry = a->entry;

	w->n += a->spec.len > 0;
	w->odd = w->odd || a->odd;
	if (!first && (change || w->changed))
		entry = fold(w, entry, change ? strlen(text) + 1 : 0);
	if (!change)
		return buf_add(&w->out, entry.p, entry.len);
	w->changed = true;
	if (w->from != NULL)
		return put_entry(&w->out, entry, a->place.p,
		    a->place.p + a->place.len, "", text);
	return put_entry(&w->out, entry, end, end, "@", text);
}

/* NULL, or why the list cannot be written anew. */
static const char *
rewrite_list(struct rewrite *w, struct slice list)
{
	struct address a;
	const char *why;
	bool first = true;

	for (;;) {
		if ((why = address_next(&list, &a)) != NULL)
			return why;
		if (a.entry.len == 0)
			return NULL;
		if (!rewrite_entry(w, &a, first))
			return "too long";
		first = false;
	}
}

static bool
put_from(const char *address, struct buf *out)
{
	return buf_printf(out, "From: <%s>\r\n", address);
}

static bool
is_from(struct slice text, size_t name)
{
	return slice_eqcase((struct slice){ text.p, name }, SLICE("From"));
}

/* ---- results in our name ---- */

static bool
is_of_name(char c)
{
	return c == '-' || c == '_' || c == '.' || (c >= '0' && c <= '9') ||
	    (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Also with the root's dot, and with what no name of a host may have behind
 * it, a port for example: who looks for us may read no further. */
static bool
is_ours(struct slice id, const char *authserv)
{
	size_t len = strlen(authserv);

	if (id.len < len ||
	    !slice_eqcase((struct slice){ id.p, len }, slice_of(authserv)))
		return false;
	if (id.len > len && id.p[len] == '.')
		len++;
	return id.len == len || !is_of_name(id.p[len]);
}

/* Does it say what we have found?  value: with its folding; read: how. */
static bool
is_forged(struct slice value, const char *authserv,
    struct slice (*read)(struct slice value, char out[DOMAIN_MAX + 1]))
{
	char text[DOMAIN_MAX + 1], name[DOMAIN_MAX + 1];
	struct slice id = read(value, text);

	/* Longer than a domain: its beginning may still be us. */
	if (id.len == 0)
		id = slice_of(text);
	if (is_ours(id, authserv))
		return true;
	return !slice_is_ascii(id) && idn_domain(id, name) == NULL &&
	    is_ours(slice_of(name), authserv);
}

static bool
put_results(const struct header_wish *wish, struct slice text,
    struct slice value, struct field_seen *seen, struct buf *out)
{
	if (!is_forged(value, wish->authserv, auth_field_id) &&
	    !is_forged(value, wish->authserv, auth_field_id_loose))
		return buf_add(out, text.p, text.len);
	seen->forged.results++;
	return true;
}

bool
field_rewrite(const struct header_wish *wish, struct slice text, size_t name,
    struct field_seen *seen, struct buf *out)
{
	const char *colon = memchr(text.p, ':', text.len), *why;
	size_t skip = (size_t)(colon + 1 - text.p);
	struct slice list = { text.p + skip, text.len - skip };
	bool from = is_from(text, name), ok;
	struct rewrite w = { .from = from ? wish->from : NULL };

	if (is_results((struct slice){ text.p, name }))
		return put_results(wish, text, list, seen, out);
	if (w.from == NULL && (seen->bits & SEEN_SIGNED) == 0)
		w.host = wish->mail_name;
	buf_init(&w.out, text.len + GROWS_MAX);
	buf_add(&w.out, text.p, skip);
	why = rewrite_list(&w, list);
	if (w.from != NULL && (why != NULL || w.odd || w.n == 0)) {
		ok = put_from(w.from, out);
		w.n = 1;
	} else if (why == NULL && w.changed)
		ok = buf_add(out, buf_data(&w.out), w.out.len);
	else
		ok = buf_add(out, text.p, text.len);
	if (from && why == NULL && w.n > 1)
		seen->bits |= SEEN_AUTHORS;
	buf_free(&w.out);
	return ok;
}

bool
field_too_long(const struct header_wish *wish, struct slice begin, size_t name,
    struct field_seen *seen, enum field_way *way, struct buf *out)
{
	/* Nobody can tell whose results are behind so many comments. */
	if (is_results((struct slice){ begin.p, name })) {
		seen->forged.results++;
		*way = FIELD_DROP;
		return true;
	}
	if (wish->from != NULL && is_from(begin, name)) {
		*way = FIELD_DROP;
		return put_from(wish->from, out);
	}
	*way = FIELD_PASS;
	return buf_add(out, begin.p, begin.len);
}

/* ---- what is missing ---- */

static bool
add_from(const struct header_wish *wish, struct buf *out)
{
	/* RFC 5322 3.6 wants one, also from nobody. */
	if (wish->sender[0] == '\0')
		return buf_printf(out, "From: <MAILER-DAEMON@%s>\r\n",
		    wish->mail_name);
	return put_from(wish->sender, out);
}

/* RFC 5322 3.6.2: several authors, so one of them sends it. */
static bool
add_sender(const struct header_wish *wish, struct buf *out)
{
	if (wish->sender[0] == '\0')
		return true;
	return buf_printf(out, "Sender: <%s>\r\n", wish->sender);
}

static bool
add_date(const struct header_wish *wish, struct buf *out)
{
	return buf_puts(out, "Date: ") && trace_date(out, wish->when) &&
	    buf_puts(out, "\r\n");
}

static bool
add_id(const struct header_wish *wish, struct buf *out)
{
	char id[ID_LEN + 1];

	return buf_printf(out, "Message-ID: <%s@%s>\r\n",
	    id_print(wish->id, id), wish->hostname);
}

/* Columns: where this is not seen, though that is (0: always), it is added. */
static const struct {
	uint32_t without, with;
	bool (*add)(const struct header_wish *wish, struct buf *out);
} missing[] = {
	{ SEEN_FROM, 0, add_from },
	{ SEEN_SENDER, SEEN_AUTHORS, add_sender },
	{ SEEN_DATE, 0, add_date },
	{ SEEN_ID, 0, add_id },
};

bool
field_add_missing(const struct header_wish *wish, uint32_t seen,
    struct buf *out)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < sizeof missing / sizeof missing[0]; i++) {
		if ((seen & missing[i].without) == 0 &&
		    (seen & missing[i].with) == missing[i].with)
			ok = ok && missing[i].add(wish, out);
	}
	return ok;
}
