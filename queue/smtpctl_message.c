/*
 * smtpctl(8) show message, show envelope: one message, from its file and what
 * the index adds to it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "auth_result.h"
#include "dsn_param.h"
#include "id.h"
#include "leaf.h"
#include "smtpctl.h"
#include "smtpctl_print.h"

#define PIECE (64 * 1024)

struct view {
	struct smtpctl *c;
	struct message m;
	struct index_msg msg;
	struct index *ix; /* NULL: only the file is known */
	int64_t now;
	bool content;
};

/* ---- the envelope ---- */

/* Columns: label in text, name in JSON, the fact. */
struct fact_row {
	const char *label, *name, *text;
};

/* Those that are not empty. */
static void
rows_print(struct view *v, const struct fact_row *rows, size_t n)
{
	struct buf *b = &v->c->out;
	size_t i;

	for (i = 0; i < n; i++) {
		if (rows[i].text[0] == '\0')
			continue;
		if (v->c->json) {
			json_member(b, ",", rows[i].name, rows[i].text);
			continue;
		}
		buf_printf(b, "%s: ", rows[i].label);
		print_text(b, rows[i].text);
		buf_puts(b, "\n");
	}
}

/* What was found about who sent it. */
static void
results_print(struct view *v)
{
	uint32_t facts = v->msg.content_facts;
	char text[AUTH_RESULTS_TEXT];

	if (v->c->json) {
		json_results(&v->c->out, ",", "auth_results", facts);
		return;
	}
	auth_results_print((facts & CONTENT_RESULTS) >> CONTENT_RESULTS_SHIFT,
	    text);
	if (text[0] != '\0')
		buf_printf(&v->c->out, "auth-results: %s\n", text);
}

static void
facts_print(struct view *v)
{
	const struct facts *f = &v->m.head.facts;
	const struct fact_row rows[] = {
		{ "client", "client", f->client },
		{ "helo", "helo", f->helo },
		{ "rdns", "rdns", f->rdns },
		{ "tag", "tag", f->tag },
		{ "auth", "auth", f->auth },
	};
	struct buf *b = &v->c->out;

	rows_print(v, rows, sizeof rows / sizeof rows[0]);
	results_print(v);
	if ((f->flags & FACT_SOCKET) != 0) {
		if (v->c->json)
			json_number(b, ",", "uid", f->uid);
		else
			buf_printf(b, "uid: %u\n", f->uid);
	}
}

/* What MAIL said. */
static void
params_print(struct view *v)
{
	const struct mail_params *m = &v->m.head.params;
	bool utf8 = (v->m.head.facts.flags & FACT_SMTPUTF8) != 0;
	const struct fact_row rows[] = {
		{ "body", "body", body_name(m->body) },
		{ "smtputf8", "smtputf8", utf8 ? "yes" : "" },
		{ "ret", "ret", ret_name(m->ret) },
		{ "envid", "envid", m->envid },
	};

	rows_print(v, rows, sizeof rows / sizeof rows[0]);
}

static void
rcpt_text(struct view *v, const struct index_rcpt *r,
    const struct next_try *next)
{
	char span[PRINT_TIME], when[PRINT_TIME + 8];
	char last[OUTCOME_TEXT_MAX + 64], about[PRINT_ABOUT];
	char notify[NOTIFY_TEXT_MAX], leaf[LEAF_WORDS_MAX];
	struct buf *b = &v->c->out;

	buf_printf(b, "rcpt %u: %s <", r->n, state_name(r->state));
	print_text(b, r->addr);
	buf_puts(b, ">\n");
	if (r->leaf[0] != '\0') {
		buf_puts(b, "    for: ");
		print_text(b, leaf_words(r->leaf, leaf));
		buf_puts(b, "\n");
	}
	if (r->params.notify != 0)
		buf_printf(b, "    notify: %s\n",
		    notify_print(r->params.notify, notify));
	if (r->params.orcpt[0] != '\0') {
		buf_puts(b, "    orcpt: ");
		print_text(b, r->params.orcpt);
		buf_puts(b, "\n");
	}
	if (v->ix == NULL)
		return;
	if (r->target[0] != '\0') {
		buf_puts(b, "    stands for: <");
		print_text(b, r->target);
		buf_puts(b, ">\n");
	}
	if (rcpt_state_open(r->state) || next->trying)
		buf_printf(b, "    attempts: %u, next: %s\n", r->attempts,
		    next_try_print(next, v->now, when, sizeof when));
	if (r->parked == PARKED_RATE)
		buf_printf(b,
		    "    the sender is told: %s, as the rate of notifications allows\n",
		    next_try_print(next, v->now, when, sizeof when));
	if (r->tried != 0)
		buf_printf(b, "    tried: %s ago\n",
		    print_span(v->now - r->tried, span));
	if (r->route[0] != '\0') {
		buf_puts(b, "    route: ");
		print_text(b, r->route);
		buf_puts(b, r->parked == PARKED_ROUTE ? ", parked\n" : "\n");
	}
	if (r->relay[0] != '\0') {
		buf_puts(b, "    relay: ");
		print_text(b, r->relay);
		buf_puts(b, "\n");
	}
	if (outcome_print(&r->last, last, sizeof last)[0] != '\0') {
		buf_puts(b, "    last reply: ");
		print_text(b, last);
		buf_puts(b, "\n");
	}
	if (r->last.verdict != DONE && r->last.cause != CAUSE_NONE)
		buf_printf(b, "    cause: %s\n", print_about(&r->last, about));
}

static bool
rcpts_print(struct view *v)
{
	struct index_rcpt r;
	struct next_try next;
	struct index *ix;
	uint32_t n;

	for (n = 0; n < v->m.head.n_rcpt; n++) {
		ix = v->ix;
		if (ix == NULL ||
		    index_get_rcpt(ix, v->m.head.id, n, &r) != INDEX_OK) {
			message_rcpt_row(&v->m, n, &r);
			ix = NULL;
		}
		next_try_of(ix, &r, &next);
		next_try_look(v->m.fd, v->now, &r, &next);
		if (v->c->json) {
			rcpt_json(&v->c->out, n == 0 ? "{" : ",{", &r, &next,
			    ix != NULL);
			buf_puts(&v->c->out, "}");
		} else
			rcpt_text(v, &r, &next);
		if (v->c->out.len < PIECE)
			continue;
		if (v->ix != NULL)
			index_renew(v->ix);
		if (!smtpctl_flush(v->c))
			return false;
	}
	return true;
}

/* Of a child: whose recipient it stands for. */
static void
parent_print(struct view *v)
{
	const struct head *h = &v->m.head;
	struct buf *b = &v->c->out;
	char id[ID_LEN + 1];

	if (h->of.addr == NULL)
		return;
	id_print(h->of.id, id);
	if (v->c->json) {
		json_member(b, ",\"of\":{", "id", id);
		json_number(b, ",", "n", h->of.n);
		json_member(b, ",", "recipient", h->of.addr);
		buf_puts(b, "}");
		return;
	}
	buf_printf(b, "of: %s recipient %u <", id, h->of.n);
	print_text(b, h->of.addr);
	buf_puts(b, ">\n");
}

static bool
envelope_json(struct view *v)
{
	struct buf *b = &v->c->out;
	char id[ID_LEN + 1];

	json_member(b, "{", "id", id_print(v->msg.id, id));
	json_time(b, ",", "arrived", v->msg.arrived / 1000000);
	json_member(b, ",", "sender", v->msg.sender);
	json_number(b, ",", "size", v->msg.content + v->msg.trace);
	json_bool(b, ",", "damaged", v->m.damaged);
	facts_print(v);
	params_print(v);
	parent_print(v);
	buf_puts(b, ",\"recipients\":[");
	if (!rcpts_print(v))
		return false;
	buf_puts(b, "]");
	return true;
}

static bool
envelope_text(struct view *v)
{
	char id[ID_LEN + 1], iso[PRINT_TIME], span[PRINT_TIME];
	int64_t arrived = v->msg.arrived / 1000000;
	struct buf *b = &v->c->out;

	buf_printf(b, "id: %s\n", id_print(v->msg.id, id));
	buf_printf(b, "arrived: %s (%s ago)\n", print_iso(arrived, iso),
	    print_span(v->now - arrived, span));
	buf_puts(b, "from: <");
	print_text(b, v->msg.sender);
	buf_puts(b, ">\n");
	facts_print(v);
	params_print(v);
	parent_print(v);
	buf_printf(b, "size: %llu\n",
	    (unsigned long long)(v->msg.content + v->msg.trace));
	if (v->m.damaged)
		buf_puts(b, "damaged: the trailer is missing or wrong\n");
	return rcpts_print(v);
}

/* ---- the content ---- */

/* Adds len bytes of the file from off on; false: it cannot be read, or
 * nobody reads what is printed. */
static bool
content_part(struct view *v, uint64_t off, uint64_t len)
{
	char piece[PIECE];
	size_t kept = 0, have, used;
	ssize_t n;

	while (len > 0) {
		have = sizeof piece - kept;
		if (have > len)
			have = (size_t)len;
		n = pread(v->m.fd, piece + kept, have, (off_t)off);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			warnx("the file cannot be read: %s",
			    n == 0 ? "it is too short" : strerror(errno));
			return false;
		}
		off += (uint64_t)n;
		len -= (uint64_t)n;
		have = kept + (size_t)n;
		if (v->c->json) {
			used = json_piece(&v->c->out, piece, have, len == 0);
		} else {
			buf_add(&v->c->out, piece, have);
			used = have;
		}
		kept = have - used;
		memmove(piece, piece + used, kept);
		if (!smtpctl_flush(v->c))
			return false;
	}
	return true;
}

/* What we prepend stands behind the content in the file. */
static bool
content_print(struct view *v)
{
	uint64_t content = v->m.head.len;

	buf_puts(&v->c->out, v->c->json ? ",\"content\":\"" : "\n");
	if (!content_part(v, content + v->m.trailer.content,
		v->m.trailer.trace) ||
	    !content_part(v, content, v->m.trailer.content))
		return false;
	if (v->c->json)
		buf_puts(&v->c->out, "\"");
	return true;
}

/* ---- verbs ---- */

static bool
view_print(struct view *v)
{
	if (!(v->c->json ? envelope_json(v) : envelope_text(v)))
		return false;
	if (v->content && !content_print(v))
		return false;
	if (v->c->json)
		buf_puts(&v->c->out, "}\n");
	return smtpctl_flush(v->c);
}

static int
show(struct smtpctl *c, int argc, char **argv, bool content)
{
	struct view v = { .c = c, .content = content };
	const char *why;
	uint64_t id;
	int status;
	bool ok;

	if (argc != 1)
		return smtpctl_usage(c, NULL);
	if (!id_parse(argv[0], &id))
		return smtpctl_usage(c, "not an id");
	if ((status = smtpctl_enter(c)) != 0)
		return status;
	v.now = (int64_t)time(NULL);
	if (!message_open(&v.m, id, &why)) {
		status = errno == ENOENT ? EXIT_NO_MATCH : EX_DATAERR;
		warnx("%s: %s", argv[0], why);
		return status;
	}
	message_row(&v.m, &v.msg);
	v.ix = index_read(".", &why);
	if (v.ix == NULL)
		warnx("the index is not used (%s); this is what the file says",
		    why);
	ok = view_print(&v);
	index_close(&v.ix);
	message_close(&v.m);
	buf_free(&c->out);
	return ok ? EX_OK : EX_IOERR;
}

int
show_message(struct smtpctl *c, int argc, char **argv)
{
	return show(c, argc, argv, true);
}

int
show_envelope(struct smtpctl *c, int argc, char **argv)
{
	return show(c, argc, argv, false);
}
