/*
 * The sentences that a sender reads first.  Used by the queue process; does
 * no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn_reason.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "slice.h"
#include "smtp_addr.h"

/* A reason is looked for among so many: more are no help to a person, and
 * servers that number their replies would cost the square of the recipients. */
#define COMPARED 60

/*
 * Columns: as struct dsn_reason.  The first that fits decides, so those with
 * an enhanced code (RFC 3463) stand in front.  What is said of a server is in
 * the past tense, which is the same of one and of several.
 */
/* clang-format off */
static const struct dsn_reason reasons[] = {
#define ANY     CAUSES_N
#define PUT_OFF (CAUSES_N + 1) /* of CAUSE_RATE: greylisting and the like */
#define PROGRAM (CAUSES_N + 2) /* of CAUSE_MAILBOX: what a user runs here */
	/* ---- what an enhanced code tells more exactly ---- */
	{ ANY, REASON_REFUSED, 2, 2, "the mailbox is full",
	    "The mailbox of {a} is full.",
	    "The mailboxes of {a} are full." },
	{ ANY, REASON_EXPIRED, 2, 2, "the mailbox is full",
	    "The mailbox of {a} was full for {t}.",
	    "The mailboxes of {a} were full for {t}." },
	{ ANY, REASON_DELAYED, 2, 2, "the mailbox is full",
	    "The mailbox of {a} is full at the moment.",
	    "The mailboxes of {a} are full at the moment." },
	{ ANY, REASON_REFUSED, 2, 1, "the mailbox is closed",
	    "The mailbox of {a} is closed.",
	    "The mailboxes of {a} are closed." },
	{ ANY, REASON_REFUSED, 2, 3, "too large",
	    "The message is larger than the mailbox of {a} accepts.",
	    "The message is larger than the mailboxes of {a} accept." },
	{ ANY, REASON_REFUSED, 3, 4, "too large",
	    "The message is larger than {s} accepts.", NULL },
	{ ANY, REASON_EXPIRED, 3, 4, "too large",
	    "For {t}, {s} could not accept a message as large as this.", NULL },
	/* RFC 7505; servers say it of an unknown user too. */
	{ CAUSE_DNS, REASON_REFUSED, 1, 10, "that domain takes no mail",
	    "The domain {d} says that it takes no mail at all.",
	    "The domains of {a} say that they take no mail at all." },
	/* Of the sender's domain, not of this recipient's. */
	{ CAUSE_DNS, REASON_REFUSED, 1, 8, "your own domain is not known there",
	    "{S} refused the message because it did not find the domain of the sender.", NULL },
	{ CAUSE_DNS, REASON_EXPIRED, 1, 8, "your own domain is not known there",
	    "{S} could not find the domain of the sender for {t}.", NULL },
	{ CAUSE_DNS, REASON_DELAYED, 1, 8, "your own domain is not yet known there",
	    "{S} could not yet find the domain of the sender.", NULL },
	{ ANY, REASON_REFUSED, 4, 6, "it went in a circle",
	    "The message went in a circle, and would never have reached {a}. This is not your fault.", NULL },
	{ ANY, REASON_REFUSED, 6, 7, "international mail is not taken there",
	    "{S} did not support international addresses and headers (SMTPUTF8), which this message has.", NULL },
	{ ANY, REASON_REFUSED, 6, 3, "such content is not taken there",
	    "{S} did not offer to take content as this message has it, and it cannot be converted.", NULL },
	{ ANY, REASON_REFUSED, 6, 1, "such content is not taken there",
	    "{S} did not offer to take content as this message has it, and it cannot be converted.", NULL },

	{ CAUSE_CONTENT, REASON_REFUSED, 7, 1, "refused as spam",
	    "{S} refused the message as spam, or as harmful.", NULL },

	/* ---- each cause ---- */
	{ CAUSE_NONE, REASON_REFUSED, 0, 0, NULL,
	    "The message was refused for {a}.", NULL },
	{ CAUSE_NONE, REASON_EXPIRED, 0, 0, NULL,
	    "For {t}, the message could not be delivered to {a}.", NULL },
	{ CAUSE_NONE, REASON_DELAYED, 0, 0, NULL,
	    "The message could not yet be delivered to {a}.", NULL },

	{ CAUSE_MAILBOX, REASON_REFUSED, 0, 0, "no such address",
	    "The address {a} does not exist at {d}, or takes no mail.",
	    "{a} do not exist at {d}, or take no mail." },
	{ CAUSE_MAILBOX, REASON_EXPIRED, 0, 0, "the mailbox took no mail",
	    "The mailbox of {a} took no mail for {t}.",
	    "The mailboxes of {a} took no mail for {t}." },
	{ CAUSE_MAILBOX, REASON_DELAYED, 0, 0, "the mailbox takes no mail now",
	    "The mailbox of {a} takes no mail at the moment.",
	    "The mailboxes of {a} take no mail at the moment." },

	{ PROGRAM, REASON_REFUSED, 0, 0, "it was refused",
	    "The program that takes the mail of {a} refused the message.",
	    "The programs that take the mail of {a} refused the message." },
	{ PROGRAM, REASON_EXPIRED, 0, 0, "it was not taken",
	    "For {t}, the program that takes the mail of {a} did not take the message.",
	    "For {t}, the programs that take the mail of {a} did not take the message." },
	{ PROGRAM, REASON_DELAYED, 0, 0, "it was not taken yet",
	    "The program that takes the mail of {a} did not yet take the message.",
	    "The programs that take the mail of {a} did not yet take the message." },

	{ CAUSE_CONTENT, REASON_REFUSED, 0, 0, "its content was refused",
	    "{S} refused the message because of its content: its size, its format, or because it looks like spam or a virus.", NULL },
	{ CAUSE_CONTENT, REASON_EXPIRED, 0, 0, "its content was not taken",
	    "For {t}, {s} did not accept the message because of its content.", NULL },
	{ CAUSE_CONTENT, REASON_DELAYED, 0, 0, "its content was not taken yet",
	    "{S} did not yet accept the message because of its content.", NULL },

	{ CAUSE_POLICY, REASON_REFUSED, 0, 0, "it is not allowed there",
	    "{S} refused the message because of rules about who may send mail to {a}.", NULL },
	{ CAUSE_POLICY, REASON_EXPIRED, 0, 0, "it was not allowed there",
	    "For {t}, {s} did not accept the message because of rules about who may send mail to {a}.", NULL },
	{ CAUSE_POLICY, REASON_DELAYED, 0, 0, "it was not yet allowed there",
	    "{S} did not yet accept the message because of rules about who may send mail to {a}.", NULL },

	{ CAUSE_REPUTATION, REASON_REFUSED, 0, 0, "our mail server is not trusted there",
	    "{S} refused the message because our mail server is not trusted there. This is not your fault; the people who run our mail server can have it changed.", NULL },
	{ CAUSE_REPUTATION, REASON_EXPIRED, 0, 0, "our mail server is not trusted there",
	    "For {t}, {s} did not accept the message because our mail server is not trusted there. This is not your fault; the people who run our mail server can have it changed.", NULL },
	{ CAUSE_REPUTATION, REASON_DELAYED, 0, 0, "our mail server is not yet trusted there",
	    "{S} did not yet accept the message because our mail server is not trusted there.", NULL },

	{ CAUSE_RATE, REASON_REFUSED, 0, 0, "too much mail at once",
	    "{S} refused the message because too much mail came at once. You may send it again later.", NULL },
	{ CAUSE_RATE, REASON_EXPIRED, 0, 0, "too much mail at once",
	    "For {t}, {s} said that too much mail was coming at once, and did not accept the message.", NULL },
	{ CAUSE_RATE, REASON_DELAYED, 0, 0, "too much mail at once",
	    "{S} asked for the message to be sent again later, as is usual where too much mail comes at once.", NULL },
	{ PUT_OFF, REASON_REFUSED, 0, 0, "it was put off",
	    "{S} refused the message for the time being. You may send it again later.", NULL },
	{ PUT_OFF, REASON_EXPIRED, 0, 0, "it was put off too long",
	    "For {t}, {s} asked for the message to be sent again later, and never took it. Some servers do so with senders that they do not know yet.", NULL },
	{ PUT_OFF, REASON_DELAYED, 0, 0, "it is to be sent again later",
	    "{S} asked for the message to be sent again later, as is usual where a sender is not yet known.", NULL },

	{ CAUSE_CONFIG, REASON_REFUSED, 0, 0, "a mail server is not set up right",
	    "The message could not be delivered to {a} because a mail server on its way is not set up right. This is not your fault.", NULL },
	{ CAUSE_CONFIG, REASON_EXPIRED, 0, 0, "a mail server is not set up right",
	    "The message could not be delivered to {a} for {t} because a mail server on its way is not set up right. This is not your fault.", NULL },
	{ CAUSE_CONFIG, REASON_DELAYED, 0, 0, "a mail server is not set up right",
	    "The message could not yet be delivered to {a} because a mail server on its way is not set up right. This is not your fault.", NULL },

	{ CAUSE_NETWORK, REASON_REFUSED, 0, 0, "a mail server cannot be reached",
	    "{S} could not be reached.", NULL },
	{ CAUSE_NETWORK, REASON_EXPIRED, 0, 0, "a mail server cannot be reached",
	    "{S} could not be reached for {t}.", NULL },
	{ CAUSE_NETWORK, REASON_DELAYED, 0, 0, "a mail server cannot be reached yet",
	    "{S} could not yet be reached.", NULL },

	{ CAUSE_DNS, REASON_REFUSED, 0, 0, "no such domain",
	    "There is no domain {d}, or it has no mail server. Is the address spelled correctly?",
	    "{a} are at domains that do not exist, or have no mail server. Are they spelled correctly?" },
	{ CAUSE_DNS, REASON_EXPIRED, 0, 0, "no name server answered",
	    "For {t}, it could not be found out where mail for {a} goes: the name servers of {d} did not answer.", NULL },
	{ CAUSE_DNS, REASON_DELAYED, 0, 0, "no name server has answered yet",
	    "It could not yet be found out where mail for {a} goes: the name servers of {d} did not answer.", NULL },

	{ CAUSE_TLS, REASON_REFUSED, 0, 0, "there was no secure connection",
	    "The message cannot be delivered over a secure connection to {s}, and it may not be sent without one.", NULL },
	{ CAUSE_TLS, REASON_EXPIRED, 0, 0, "there was no secure connection",
	    "The message could not be delivered over a secure connection to {s} for {t}, and it may not be sent without one.", NULL },
	{ CAUSE_TLS, REASON_DELAYED, 0, 0, "there was no secure connection yet",
	    "The message could not yet be delivered over a secure connection to {s}, and it may not be sent without one.", NULL },

	{ CAUSE_SYSTEM, REASON_REFUSED, 0, 0, "a mail server was in trouble",
	    "{S} refused the message because of a technical problem there.", NULL },
	{ CAUSE_SYSTEM, REASON_EXPIRED, 0, 0, "a mail server was in trouble",
	    "For {t}, {s} could not accept the message because of a technical problem there.", NULL },
	{ CAUSE_SYSTEM, REASON_DELAYED, 0, 0, "a mail server is in trouble",
	    "{S} could not yet accept the message because of a technical problem there.", NULL },

	/* ---- what went well ---- */
	{ ANY, REASON_RELAYED, 0, 0, NULL,
	    "The message for {a} was accepted by {s}. That server sends no notice of what becomes of it.", NULL },
	{ ANY, REASON_DELIVERED, 0, 0, NULL,
	    "The message was delivered to {a}.", NULL },
	{ ANY, REASON_EXPANDED, 0, 0, NULL,
	    "The address {a} stands for several others, who are sent the message.",
	    "{a} stand for several others, who are sent the message." },
};
/* clang-format on */

#define N_REASONS (sizeof reasons / sizeof reasons[0])

static enum reason_kind
kind_of(enum dsn_kind kind, const struct dsn_rcpt *r)
{
	if (kind == DSN_SUCCESS && r->expanded)
		return REASON_EXPANDED;
	if (kind == DSN_SUCCESS)
		return r->here ? REASON_DELIVERED : REASON_RELAYED;
	if (kind == DSN_DELAYED)
		return REASON_DELAYED;
	return r->last.verdict == LATER ? REASON_EXPIRED : REASON_REFUSED;
}

static bool
says_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcasestr(text, *words) != NULL)
			return true;
	}
	return false;
}

/* It is the first time that they see such mail, or they only ask to wait:
 * nothing of too much mail, of which others speak plainly. */
static bool
is_put_off(const struct outcome *o)
{
	static const char *const grey[] = { "greylist", "graylist", "grey list",
		"gray list", "grey-list", "gray-list", NULL };
	static const char *const rate[] = { "too many", "too much", "too fast",
		"limit", "throttl", "quota", " rate", NULL };

	if (says_one_of(o->text, grey))
		return true;
	return o->after != 0 && !says_one_of(o->text, rate);
}

const struct dsn_reason *
dsn_reason_of(enum dsn_kind kind, const struct dsn_rcpt *r)
{
	const uint16_t *code = r->last.ecode;
	uint8_t cause =
	    r->last.cause < CAUSES_N ? r->last.cause : (uint8_t)CAUSE_NONE;
	const struct dsn_reason *row;

	if (cause == CAUSE_RATE && is_put_off(&r->last))
		cause = PUT_OFF;
	/* X.3.0: it is there, and something else is wrong. */
	if (cause == CAUSE_MAILBOX && r->here && code[1] == 3)
		cause = PROGRAM;
	for (row = reasons; row < reasons + N_REASONS; row++) {
		if (row->kind == kind_of(kind, r) &&
		    (row->cause == CAUSES_N || row->cause == cause) &&
		    (row->subject == 0 ||
			(row->subject == code[1] && row->detail == code[2])))
			return row;
	}
	assert(!"each cause has a row of each kind");
	return &reasons[0];
}

/* ---- who failed for the same reason ---- */

/* Behind the address of r, if it stands at text; else text. */
static const char *
skip_addr(const char *text, const struct dsn_rcpt *r)
{
	size_t len;

	/* Asked at each character of the words. */
	if (tolower((unsigned char)*text) != tolower((unsigned char)*r->addr))
		return text;
	len = strlen(r->addr);
	return len > 0 && strncasecmp(text, r->addr, len) == 0 ? text + len :
								 text;
}

/* The words of both are the same but for their addresses. */
static bool
same_but_addr(const struct dsn_rcpt *a, const struct dsn_rcpt *b)
{
	const char *p = a->last.text, *q = b->last.text;

	for (;;) {
		const char *p2 = skip_addr(p, a), *q2 = skip_addr(q, b);

		if (p2 != p && q2 != q) {
			p = p2;
			q = q2;
			continue;
		}
		if (*p != *q)
			return false;
		if (*p == '\0')
			return true;
		p++;
		q++;
	}
}

static bool
same_reason(const struct dsn_rcpt *a, const struct dsn_rcpt *b)
{
	const struct outcome *x = &a->last, *y = &b->last;

	return x->verdict == y->verdict && x->code == y->code &&
	    memcmp(x->ecode, y->ecode, sizeof x->ecode) == 0 &&
	    x->local == y->local && strcmp(a->relay, b->relay) == 0 &&
	    strcmp(a->server, b->server) == 0 && same_but_addr(a, b);
}

/* Adds r to a group of which `first` is the first one. */
static void
join(struct reason_group *g, const struct dsn_rcpt *first,
    const struct dsn_rcpt *r)
{
	g->n++;
	g->same_domain = g->same_domain &&
	    strcasecmp(smtp_addr_domain(first->addr),
		smtp_addr_domain(r->addr)) == 0;
	g->same_words =
	    g->same_words && strcmp(first->last.text, r->last.text) == 0;
}

uint32_t
dsn_reason_groups(const struct dsn *d, struct reason_group *group, uint32_t *of)
{
	const struct dsn_reason *reason;
	uint32_t i, g, n = 0;

	for (i = 0; i < d->n_rcpt; i++) {
		reason = dsn_reason_of(d->kind, &d->rcpt[i]);
		for (g = 0; g < n && g < COMPARED; g++) {
			if (group[g].reason == reason &&
			    same_reason(&d->rcpt[group[g].first], &d->rcpt[i]))
				break;
		}
		if (g == n || g == COMPARED) {
			g = n++;
			group[g] = (struct reason_group){ .reason = reason,
				.first = i,
				.same_domain = true,
				.same_words = true };
		}
		join(&group[g], &d->rcpt[group[g].first], &d->rcpt[i]);
		of[i] = g;
	}
	return n;
}

/* ---- printing ---- */

/* C0, DEL, C1: what a terminal obeys. */
static bool
is_control(const char *p, size_t len)
{
	unsigned char c = (unsigned char)p[0], next = (unsigned char)p[len - 1];

	return (len == 1 && (c < ' ' || c == 0x7f)) ||
	    (len == 2 && c == 0xc2 && next < 0xa0);
}

bool
dsn_text(struct buf *out, const char *text)
{
	struct slice left = slice_of(text);
	size_t n;
	bool ok;

	for (; left.len > 0; left.p += n, left.len -= n) {
		n = slice_utf8(left);
		if (n == 0 || is_control(left.p, n)) {
			n = n == 0 ? 1 : n;
			ok = buf_puts(out, "?");
		} else
			ok = buf_add(out, left.p, n);
		if (!ok)
			return false;
	}
	return true;
}

/* What fills one of the places in a sentence. */
struct filling {
	struct buf *out;
	const struct dsn *d;
	const struct reason_group *g;
	const struct dsn_rcpt *r; /* the first of g */
};

static bool
put_who(const struct filling *f)
{
	if (f->g->n == 1)
		return dsn_text(f->out, f->r->addr);
	return buf_printf(f->out, "%" PRIu32 " addresses", f->g->n);
}

static bool
put_where(const struct filling *f)
{
	if (!f->g->same_domain)
		return buf_puts(f->out, "their domains");
	return dsn_text(f->out, smtp_addr_domain(f->r->addr));
}

/* Where nobody else was asked: lookup, or preparing it; or nobody else is to
 * be. */
static bool
is_here(const struct dsn_rcpt *r)
{
	if (r->here)
		return true;
	return r->last.local != 0 && r->relay[0] == '\0' &&
	    (r->last.stage == STAGE_LOOKUP || r->last.stage == STAGE_PREPARE);
}

static bool
put_server(const struct filling *f, const char *the)
{
	const struct dsn_rcpt *r = f->r;

	if (is_here(r))
		return buf_printf(f->out, "%s mail server %s", the,
		    f->d->hostname);
	if (r->server[0] != '\0')
		return buf_printf(f->out, "%s mail server ", the) &&
		    dsn_text(f->out, r->server);
	if (!f->g->same_domain)
		return buf_printf(f->out,
		    "%s mail servers of %" PRIu32 " addresses", the, f->g->n);
	return buf_printf(f->out, "%s mail server of ", the) &&
	    dsn_text(f->out, smtp_addr_domain(r->addr));
}

static bool
put_the_server(const struct filling *f)
{
	return put_server(f, "the");
}

static bool
put_server_first(const struct filling *f)
{
	return put_server(f, "The");
}

/* The longest unit of which there are two. */
static bool
put_time(const struct filling *f)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {
		{ 24 * 60 * 60, "days" },
		{ 60 * 60, "hours" },
		{ 60, "minutes" },
		{ 1, "seconds" },
	};
	int64_t age = f->d->now - f->d->arrived;
	size_t i;

	for (i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (age >= 2 * units[i].seconds)
			return buf_printf(f->out, "%" PRId64 " %s",
			    age / units[i].seconds, units[i].name);
	}
	return buf_puts(f->out, "some time");
}

static bool
put_place(const struct filling *f, char letter)
{
	static const struct {
		char letter;
		bool (*put)(const struct filling *f);
	} places[] = {
		{ 'a', put_who },
		{ 'd', put_where },
		{ 's', put_the_server },
		{ 'S', put_server_first },
		{ 't', put_time },
	};
	size_t i;

	for (i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (places[i].letter == letter)
			return places[i].put(f);
	}
	return true;
}

bool
dsn_reason_print(struct buf *out, const struct dsn *d,
    const struct reason_group *g)
{
	const struct filling f = { out, d, g, &d->rcpt[g->first] };
	const struct dsn_reason *row = g->reason;
	const char *p = g->n == 1 || row->many == NULL ? row->one : row->many;
	const char *open;

	while ((open = strchr(p, '{')) != NULL) {
		if (!buf_add(out, p, (size_t)(open - p)) ||
		    !put_place(&f, open[1]))
			return false;
		p = open + 3;
	}
	return buf_puts(out, p);
}
