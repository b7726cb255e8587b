/*
 * smtpctl(8) show queue: the listing from the index, or from the
 * files when the index is not to be used.  Prints as it goes and holds no
 * snapshot of the database while it writes, so that a reader who stops
 * reading holds nothing up.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "dsn_param.h"
#include "flying.h"
#include "id.h"
#include "leaf.h"
#include "smtp_addr.h"
#include "smtpctl.h"
#include "smtpctl_print.h"

#define BATCH     1000 /* rows looked at in one snapshot */
#define OUT_FLUSH (256 * 1024)

struct listing {
	struct smtpctl *c;
	struct selector sel;
	struct index *ix; /* NULL: from the files */
	int64_t now;
	struct index_msg msg; /* the last one looked at */
	int fd;               /* its file, or -1 */
	uint64_t fd_of;       /* of this one; 0: of none */
	unsigned int looked;  /* since the last batch */
	uint64_t printed;
	bool broken; /* nobody reads what is printed */
};

/* ---- a row ---- */

bool
route_held(struct index *ix, const char *route)
{
	char name[ROUTE_MAX + sizeof "hold:"], value[64];

	snprintf(name, sizeof name, "hold:%s", route);
	return index_fact_get(ix, name, value, sizeof value);
}

void
next_try_of(struct index *ix, const struct index_rcpt *r, struct next_try *next)
{
	struct index_way way;

	*next = (struct next_try){ 0 };
	if (ix == NULL ||
	    (!rcpt_state_open(r->state) && r->parked != PARKED_RATE))
		return;
	next->known = true;
	next->when = r->next;
	if (r->route[0] == '\0' || r->parked == PARKED_RATE)
		return;
	next->held = route_held(ix, r->route);
	if (r->parked == PARKED_ROUTE &&
	    index_get_way(ix, r->route, &way) == INDEX_OK)
		next->when = way.next > way.ready ? way.next : way.ready;
}

/* True if it may be tried now. */
static bool
next_try_now(const struct next_try *next, int64_t now)
{
	return next->known && !next->held && next->when <= now;
}

void
next_try_look(int fd, int64_t now, struct index_rcpt *r, struct next_try *next)
{
	unsigned char state;

	/* With a later one its attempt is over, though the descriptor may be
	 * open for others. */
	if (fd == -1 || !next_try_now(next, now))
		return;
	/* The operator's word on one that is being tried.  Who took its place
	 * is known to the index, and not before that to be left out. */
	if (pread(fd, &state, 1, (off_t)r->off) == 1 &&
	    rcpt_state_known(state) && state != RCPT_EXPANDED)
		r->state = (char)state;
	next->trying = flying_is(fd, r->off);
}

const char *
next_try_print(const struct next_try *next, int64_t now, char *out, size_t size)
{
	char span[PRINT_TIME];

	if (next->trying)
		snprintf(out, size, "trying");
	else if (!next->known)
		snprintf(out, size, "-");
	else if (next->held)
		snprintf(out, size, "held");
	else if (next->when <= now)
		snprintf(out, size, "now");
	else
		snprintf(out, size, "in %s",
		    print_span(next->when - now, span));
	return out;
}

void
rcpt_json(struct buf *b, const char *begin, const struct index_rcpt *r,
    const struct next_try *next, bool indexed)
{
	char notify[NOTIFY_TEXT_MAX], leaf[LEAF_WORDS_MAX];

	json_number(b, begin, "n", r->n);
	json_member(b, ",", "state", state_name(r->state));
	json_member(b, ",", "recipient", r->addr);
	if (r->leaf[0] != '\0')
		json_member(b, ",", "for", leaf_words(r->leaf, leaf));
	if (r->params.notify != 0)
		json_member(b, ",", "notify",
		    notify_print(r->params.notify, notify));
	if (r->params.orcpt[0] != '\0')
		json_member(b, ",", "orcpt", r->params.orcpt);
	if (!indexed)
		return;
	if (r->target[0] != '\0')
		json_member(b, ",", "target", r->target);
	json_number(b, ",", "attempts", r->attempts);
	json_time(b, ",", "tried", r->tried);
	json_time(b, ",", "next", next->known && !next->held ? next->when : 0);
	json_member(b, ",", "route", r->route);
	json_bool(b, ",", "trying", next->trying);
	json_bool(b, ",", "parked", r->parked == PARKED_ROUTE);
	if (r->parked == PARKED_RATE)
		json_member(b, ",", "waits", "rate");
	json_bool(b, ",", "route_held", next->held);
	json_member(b, ",", "relay", r->relay);
	json_outcome(b, ",", "last", &r->last);
}

static void
row_json(struct listing *l, const struct index_rcpt *r,
    const struct next_try *next)
{
	struct buf *b = &l->c->out;
	char id[ID_LEN + 1];
	int64_t arrived = l->msg.arrived / 1000000;

	json_member(b, "{", "id", id_print(r->id, id));
	json_member(b, ",", "sender", l->msg.sender);
	json_number(b, ",", "size", l->msg.content + l->msg.trace);
	json_time(b, ",", "arrived", arrived);
	json_number(b, ",", "age",
	    l->now > arrived ? (uint64_t)(l->now - arrived) : 0);
	json_results(b, ",", "auth_results", l->msg.content_facts);
	rcpt_json(b, ",", r, next, l->ix != NULL);
	buf_puts(b, "}\n");
}

static void
header_text(struct buf *b)
{
	buf_puts(b,
	    "ID               STATE     SIZE    AGE    TRIES NEXT        SENDER                   RECIPIENT                CAUSE              LAST REPLY\n");
}

#define RCPT_WORDS_MAX (ADDR_MAX + LEAF_WORDS_MAX + 4)

/* Its address, and what it is on this host beside that. */
static const char *
rcpt_words(const struct index_rcpt *r, char out[RCPT_WORDS_MAX])
{
	char leaf[LEAF_WORDS_MAX];

	if (r->leaf[0] == '\0')
		return r->addr;
	snprintf(out, RCPT_WORDS_MAX, "%s (%s)", r->addr,
	    leaf_words(r->leaf, leaf));
	return out;
}

static void
row_text(struct listing *l, const struct index_rcpt *r,
    const struct next_try *next)
{
	struct buf *b = &l->c->out;
	char id[ID_LEN + 1], text[ID_LEN + 16], span[PRINT_TIME];
	char rcpt[RCPT_WORDS_MAX], about[PRINT_ABOUT], when[PRINT_TIME + 8],
	    last[OUTCOME_TEXT_MAX + 64];

	snprintf(text, sizeof text, "%s:%u", id_print(r->id, id), r->n);
	print_column(b, text, 16);
	print_column(b,
	    r->parked == PARKED_RATE ? "owed,rate" : state_name(r->state), 9);
	print_column(b, print_size(l->msg.content + l->msg.trace, span), 7);
	print_column(b, print_span(l->now - l->msg.arrived / 1000000, span), 6);
	snprintf(text, sizeof text, "%u", r->attempts);
	print_column(b, l->ix == NULL ? "?" : text, 5);
	print_column(b,
	    l->ix == NULL ? "?" :
			    next_try_print(next, l->now, when, sizeof when),
	    11);
	print_column(b, l->msg.sender[0] == '\0' ? "<>" : l->msg.sender, 24);
	print_column(b, rcpt_words(r, rcpt), 24);
	print_column(b, print_about(&r->last, about), 18);
	print_text(b, outcome_print(&r->last, last, sizeof last));
	buf_puts(b, "\n");
}

/* Writes out what was collected, with no snapshot held. */
static void
batch(struct listing *l)
{
	if (l->ix != NULL)
		index_renew(l->ix);
	l->looked = 0;
	if (!smtpctl_flush(l->c))
		l->broken = true;
}

static void
close_file(struct listing *l)
{
	if (l->fd != -1)
		close(l->fd);
	l->fd = -1;
	l->fd_of = 0;
}

/* One that may be tried now: what its file says of it. */
static void
look(struct listing *l, struct index_rcpt *r, struct next_try *next)
{
	if (!next_try_now(next, l->now))
		return;
	if (l->fd_of != r->id) {
		close_file(l);
		l->fd = message_fd(r->id);
		l->fd_of = r->id;
	}
	next_try_look(l->fd, l->now, r, next);
}

/* False: stop. */
static bool
row(struct listing *l, struct index_rcpt *r)
{
	struct next_try next = { 0 };
	bool listed = selector_match(&l->sel, &l->msg, r);

	if (l->ix != NULL && (listed || l->sel.state != NULL)) {
		next_try_of(l->ix, r, &next);
		look(l, r, &next);
		listed = selector_match(&l->sel, &l->msg, r);
	}
	if (listed) {
		if (l->c->json)
			row_json(l, r, &next);
		else
			row_text(l, r, &next);
		l->printed++;
	}
	if (++l->looked >= BATCH || l->c->out.len >= OUT_FLUSH)
		batch(l);
	return !l->broken;
}

/* ---- from the index ---- */

/* Rows that went since the key was read are not errors. */
static enum index_error
index_row(struct listing *l, uint64_t id, uint32_t n)
{
	struct index_rcpt r;
	enum index_error e;

	if (l->msg.id != id) {
		e = index_get_msg(l->ix, id, &l->msg);
		if (e != INDEX_OK) {
			l->msg.id = 0;
			return e == INDEX_NONE ? INDEX_OK : e;
		}
	}
	e = index_get_rcpt(l->ix, id, n, &r);
	if (e != INDEX_OK)
		return e == INDEX_NONE ? INDEX_OK : e;
	/* Nobody reads any more: the end. */
	return row(l, &r) ? INDEX_OK : INDEX_NONE;
}

static enum index_error
index_message(struct listing *l, uint64_t id)
{
	enum index_error e;
	uint32_t n;

	e = index_get_msg(l->ix, id, &l->msg);
	if (e != INDEX_OK) {
		l->msg.id = 0;
		return e == INDEX_NONE ? INDEX_OK : e;
	}
	for (n = 0; n < l->msg.n_rcpt && e == INDEX_OK; n++)
		e = index_row(l, id, n);
	return e;
}

/* One walk, by what was named; each gives the next recipient. */
typedef enum index_error walk_fn(struct index *ix, struct index_cursor *cur,
    const char *text, uint64_t *id, uint32_t *n);

static enum index_error
walk_all(struct index *ix, struct index_cursor *cur, const char *text,
    uint64_t *id, uint32_t *n)
{
	(void)text;
	return index_walk(ix, cur, id, n);
}

static enum index_error
walk_route(struct index *ix, struct index_cursor *cur, const char *text,
    uint64_t *id, uint32_t *n)
{
	return index_walk_route(ix, cur, text, false, id, n);
}

static enum index_error
walk_sender(struct index *ix, struct index_cursor *cur, const char *text,
    uint64_t *id, uint32_t *n)
{
	*n = CONF_NONE; /* all of them */
	return index_walk_sender(ix, cur, text, id);
}

/* The narrowest walk that has all that is wanted. */
static walk_fn *
choose_walk(const struct selector *s, const char **text)
{
	*text = NULL;
	if (s->sender != NULL) {
		*text = s->sender;
		return walk_sender;
	}
	/* Recipients at their end are in no other walk than these two. */
	if (s->state != NULL)
		return walk_all;
	if (s->route != NULL) {
		*text = s->route;
		return walk_route;
	}
	if (s->domain == NULL && s->rcpt == NULL)
		return walk_all;
	*text = s->domain != NULL ? s->domain : smtp_addr_domain(s->rcpt);
	return index_walk_domain;
}

static enum index_error
list_index(struct listing *l)
{
	struct index_cursor cur = { 0 };
	enum index_error e;
	const char *text;
	walk_fn *walk;
	uint64_t id;
	uint32_t n;

	if (l->sel.has_id) {
		e = l->sel.n == CONF_NONE ? index_message(l, l->sel.id) :
					    index_row(l, l->sel.id, l->sel.n);
		return e == INDEX_NONE ? INDEX_OK : e;
	}
	walk = choose_walk(&l->sel, &text);
	while ((e = walk(l->ix, &cur, text, &id, &n)) == INDEX_OK) {
		e = n == CONF_NONE ? index_message(l, id) : index_row(l, id, n);
		if (e != INDEX_OK)
			break;
	}
	return e == INDEX_NONE ? INDEX_OK : e;
}

/* ---- from the files ---- */

static bool
file_rows(void *arg, const struct message *m)
{
	struct listing *l = arg;
	struct index_rcpt r;
	uint32_t n;

	message_row(m, &l->msg);
	for (n = 0; n < m->head.n_rcpt; n++) {
		message_rcpt_row(m, n, &r);
		if (!row(l, &r))
			return false;
	}
	return true;
}

static void
list_files(struct listing *l)
{
	struct message m;
	const char *why;

	if (!l->sel.has_id) {
		message_walk(file_rows, l);
		return;
	}
	if (message_open(&m, l->sel.id, &why)) {
		file_rows(l, &m);
		message_close(&m);
	}
}

/* ---- verbs ---- */

int
show_queue(struct smtpctl *c, int argc, char **argv)
{
	struct listing l = { .c = c, .fd = -1, .now = (int64_t)time(NULL) };
	enum index_error e = INDEX_OK;
	const char *why;
	int status;

	if ((why = selector_parse(argc, argv, &l.sel)) != NULL)
		return smtpctl_usage(c, why);
	if ((status = smtpctl_enter(c)) != 0)
		return status;
	if (!c->json)
		header_text(&c->out);
	if ((l.ix = index_read(".", &why)) == NULL) {
		warnx("the index is not used (%s); this is what the files say",
		    why);
		list_files(&l);
	} else {
		e = list_index(&l);
	}
	batch(&l);
	index_close(&l.ix);
	close_file(&l);
	buf_free(&c->out);
	if (l.broken)
		return EX_IOERR;
	if (e != INDEX_OK) {
		warnx("the index is damaged, the list is cut short: smtpctl rebuild");
		return EX_IOERR;
	}
	if (l.printed == 0 && selector_names(&l.sel)) {
		warnx("nothing matches");
		return EXIT_NO_MATCH;
	}
	return EX_OK;
}
