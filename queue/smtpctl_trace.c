/*
 * smtpctl(8) trace: the life of a message, or of all that has to do with an
 * address, also after it is gone.  Reads the history, then the index for what
 * is still here; asks no process.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "history.h"
#include "id.h"
#include "log.h"
#include "smtp_addr.h"
#include "smtpctl.h"
#include "smtpctl_print.h"

#define SLOTS     65536 /* of ids; a power of two */
#define IDS_MAX   30000 /* messages in one answer */
#define OUT_FLUSH ((size_t)32768)

/* Messages that are told of. */
struct ids {
	uint64_t slot[SLOTS]; /* 0: free; no message has the id 0 */
	uint32_t n;
	bool more; /* than IDS_MAX */
};

struct trace {
	struct smtpctl *c;
	const char *address; /* NULL: one id */
	struct ids *ids;
	struct ids *made; /* of them, those that others of them became */
	uint64_t rows;
	int64_t now;
	bool broken; /* nobody reads what is printed */
};

/* ---- which messages ---- */

static uint64_t *
slot_of(struct ids *ids, uint64_t id)
{
	uint64_t at = (id ^ id >> 16 ^ id >> 32) * 0x9e3779b97f4a7c15u;
	uint64_t *slot;

	do
		slot = &ids->slot[at++ % SLOTS];
	while (*slot != 0 && *slot != id);
	return slot;
}

static bool
ids_have(struct ids *ids, uint64_t id)
{
	return id != 0 && *slot_of(ids, id) == id;
}

static void
ids_add(struct ids *ids, uint64_t id)
{
	uint64_t *slot = slot_of(ids, id);

	if (id == 0 || *slot == id)
		return;
	if (ids->n == IDS_MAX) {
		ids->more = true;
		return;
	}
	*slot = id;
	ids->n++;
}

static bool
is_about(const struct trace *t, const struct history_row *row)
{
	return t->address != NULL &&
	    (strcasecmp(row->from, t->address) == 0 ||
		strcasecmp(row->to, t->address) == 0 ||
		strcasecmp(row->orig_to, t->address) == 0);
}

/* Of a message to many, what has to do with the address. */
static bool
is_shown(const struct trace *t, const struct history_row *row)
{
	if (!ids_have(t->ids, row->id))
		return false;
	return t->address == NULL || row->to[0] == '\0' || is_about(t, row) ||
	    ids_have(t->made, row->id);
}

static bool
on_find(void *arg, const struct history_row *row)
{
	struct trace *t = arg;

	if (is_about(t, row))
		ids_add(t->ids, row->id);
	/* What became of it under another id. */
	if (row->other != 0 && is_shown(t, row)) {
		ids_add(t->ids, row->other);
		ids_add(t->made, row->other);
	}
	return true;
}

/* ---- printing ---- */

/* Columns: by enum verdict. */
static const char *const words[] = {
	[LATER] = "later",
	[DONE] = "delivered",
	[NEVER] = "failed",
};

static const char *
event_of(const struct history_row *row)
{
	if (row->event == HISTORY_DELIVERY)
		return words[row->last.verdict <= NEVER ? row->last.verdict :
							  LATER];
	return history_event_name(row->event);
}

static void
print_bracketed(struct buf *b, const char *before, const char *addr)
{
	buf_printf(b, "%s<", before);
	print_text(b, addr);
	buf_puts(b, ">");
}

static void
print_accepted(struct buf *b, const struct history_row *row)
{
	char size[PRINT_TIME];

	print_bracketed(b, " from ", row->from);
	buf_printf(b, ", %u recipient%s, size %s", row->attempts,
	    row->attempts == 1 ? "" : "s", print_size(row->size, size));
	if (row->client[0] != '\0') {
		buf_puts(b, ", by ");
		print_text(b, row->client);
	}
}

static void
print_delivery(struct buf *b, const struct history_row *row)
{
	char last[OUTCOME_TEXT_MAX + 64];

	if (row->last.verdict != DONE)
		buf_printf(b, " (%s, %s)", cause_name(row->last.cause),
		    stage_name(row->last.stage));
	if (row->relay[0] != '\0') {
		buf_puts(b, " by ");
		print_text(b, row->relay);
		buf_puts(b, row->tls[0] == '\0' ? " without TLS" : " ");
		print_text(b, row->tls);
	}
	buf_puts(b, ": ");
	print_text(b, outcome_print(&row->last, last, sizeof last));
}

static void
print_row(struct trace *t, const struct history_row *row)
{
	struct buf *b = &t->c->out;
	char when[PRINT_TIME], id[ID_LEN + 1];

	buf_printf(b, "%s %s %-9s", print_iso(row->when / 1000000, when),
	    id_print(row->id, id), event_of(row));
	if (row->to[0] != '\0')
		print_bracketed(b, " ", row->to);
	if (row->orig_to[0] != '\0')
		print_bracketed(b, " for ", row->orig_to);
	if (row->event == HISTORY_ACCEPTED)
		print_accepted(b, row);
	else if (row->event == HISTORY_DELIVERY)
		print_delivery(b, row);
	else if (row->event == HISTORY_HELD)
		buf_puts(b, " by policy, until it is released");
	if (row->other != 0)
		buf_printf(b, " as %s", id_print(row->other, id));
	buf_puts(b, "\n");
}

/* Columns: name in JSON, the text. */
struct member {
	const char *name, *text;
};

static void
json_row(struct trace *t, const struct history_row *row)
{
	struct buf *b = &t->c->out;
	char id[ID_LEN + 1], other[ID_LEN + 1] = "";
	const struct member members[] = {
		{ "event", event_of(row) },
		{ "from", row->from },
		{ "to", row->to },
		{ "orig_to", row->orig_to },
		{ "client", row->client },
		{ "route", row->route },
		{ "relay", row->relay },
		{ "tls", row->tls },
		{ "as", other },
	};
	size_t i;

	if (row->other != 0)
		id_print(row->other, other);
	json_member(b, "{", "id", id_print(row->id, id));
	json_time(b, ",", "when", row->when / 1000000);
	for (i = 0; i < sizeof members / sizeof members[0]; i++) {
		if (members[i].text[0] != '\0')
			json_member(b, ",", members[i].name, members[i].text);
	}
	if (row->event == HISTORY_ACCEPTED) {
		json_number(b, ",", "recipients", row->attempts);
		json_number(b, ",", "size", row->size);
	} else if (row->event == HISTORY_DELIVERY) {
		json_number(b, ",", "attempts", row->attempts);
		json_outcome(b, ",", "last", &row->last);
	}
	buf_puts(b, "}\n");
}

static bool
flush(struct trace *t, size_t above)
{
	if (t->c->out.len > above && !t->broken)
		t->broken = !smtpctl_flush(t->c);
	return !t->broken;
}

static bool
on_print(void *arg, const struct history_row *row)
{
	struct trace *t = arg;

	if (!is_shown(t, row))
		return true;
	t->rows++;
	if (t->c->json)
		json_row(t, row);
	else
		print_row(t, row);
	return flush(t, OUT_FLUSH);
}

/* ---- what is still here ---- */

static void
print_waiting(struct trace *t, struct index *ix, const struct index_rcpt *r)
{
	struct buf *b = &t->c->out;
	char id[ID_LEN + 1], when[PRINT_TIME + 8];
	struct index_rcpt now = *r;
	struct next_try next;
	int fd = message_fd(r->id);

	next_try_of(ix, r, &next);
	next_try_look(fd, t->now, &now, &next);
	if (fd != -1)
		close(fd);
	r = &now;
	if (t->c->json) {
		json_member(b, "{", "id", id_print(r->id, id));
		json_member(b, ",", "event", "waiting");
		rcpt_json(b, ",", r, &next, true);
		buf_puts(b, "}\n");
		return;
	}
	buf_printf(b, "%-20s %s %-9s", "now", id_print(r->id, id),
	    state_name(r->state));
	print_bracketed(b, " ", r->addr);
	buf_printf(b, " next %s\n",
	    next_try_print(&next, t->now, when, sizeof when));
}

/* The recipients of one message that are not at their end. */
static void
print_open(struct trace *t, struct index *ix, uint64_t id)
{
	struct index_msg msg;
	struct index_rcpt r;
	uint32_t n;

	if (index_get_msg(ix, id, &msg) != INDEX_OK)
		return;
	for (n = 0; n < msg.n_rcpt && flush(t, OUT_FLUSH); n++) {
		if (index_get_rcpt(ix, id, n, &r) != INDEX_OK ||
		    rcpt_state_end(r.state))
			continue;
		if (t->address != NULL &&
		    strcasecmp(msg.sender, t->address) != 0 &&
		    strcasecmp(r.addr, t->address) != 0 &&
		    strcasecmp(r.target, t->address) != 0)
			continue;
		t->rows++;
		print_waiting(t, ix, &r);
	}
}

static void
print_here(struct trace *t, struct index *ix)
{
	size_t i;

	for (i = 0; i < SLOTS && !t->broken; i++) {
		if (t->ids->slot[i] != 0)
			print_open(t, ix, t->ids->slot[i]);
	}
}

/* Messages here to the address: the history has a recipient's name only when
 * something became of him. */
static void
find_here(struct trace *t, struct index *ix)
{
	struct index_cursor cur = { 0 };
	struct index_rcpt r;
	uint64_t id;
	uint32_t n;

	while (index_walk_domain(ix, &cur, smtp_addr_domain(t->address), &id,
		   &n) == INDEX_OK) {
		if (index_get_rcpt(ix, id, n, &r) == INDEX_OK &&
		    strcasecmp(r.addr, t->address) == 0)
			ids_add(t->ids, id);
	}
}

/* ---- the verb ---- */

/* Without the <> that people copy along. */
static char *
bare(char *address)
{
	size_t len = strlen(address);

	if (len < 2 || address[0] != '<' || address[len - 1] != '>')
		return address;
	address[len - 1] = '\0';
	return address + 1;
}

int
do_trace(struct smtpctl *c, int argc, char **argv)
{
	struct trace t = { .c = c, .now = (int64_t)time(NULL) };
	struct index *ix;
	const char *why;
	bool there;
	uint64_t id;
	int status;

	if (argc != 1 || argv[0][0] == '\0')
		return smtpctl_usage(c, NULL);
	if (!id_parse(argv[0], &id)) {
		id = 0;
		t.address = bare(argv[0]);
		if (strchr(t.address, '@') == NULL) {
			warnx("%s: neither an id nor an address", t.address);
			return smtpctl_usage(c, NULL);
		}
	}
	if ((status = smtpctl_enter(c)) != 0)
		return status;
	t.ids = xcalloc(1, sizeof *t.ids);
	t.made = xcalloc(1, sizeof *t.made);
	ids_add(t.ids, id);
	/* Without the index the history stands for itself. */
	ix = index_read(".", &why);
	if (ix != NULL && t.address != NULL)
		find_here(&t, ix);
	there =
	    history_walk(".", on_find, &t) && history_walk(".", on_print, &t);
	if (!there)
		warn("the history cannot be read");
	if (ix != NULL) {
		index_renew(ix);
		print_here(&t, ix);
	}
	index_close(&ix);
	flush(&t, 0);
	if (t.ids->more)
		warnx("there are more than %u messages: the first of them are shown",
		    IDS_MAX);
	free(t.ids);
	free(t.made);
	buf_free(&c->out);
	if (t.broken)
		return EX_IOERR;
	if (t.rows > 0)
		return EX_OK;
	if (!there)
		return EX_NOINPUT;
	warnx("nothing is known of %s",
	    t.address != NULL ? t.address : argv[0]);
	return EXIT_NO_MATCH;
}
