/*
 * Table programs: what is asked, what is answered, and what happens when one
 * dies, hangs or talks nonsense.  None of that decides anything: who asked is
 * told that nobody knows.  Runs in lookup, which did not start the program
 * and cannot end it but by closing the socket and asking spawn for another.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_program.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "log.h"
#include "lookup_match.h"
#include "lookup_protocol.h"
#include "program_log.h"
#include "table_key.h"

#define OUT_MAX    ((size_t)1 << 20) /* bytes of questions it did not read */
#define SPAWN_MSEC 10000             /* for spawn to answer */

static const char *const service_words[SERVICES] = {
#define X(name, word) [SERVICE_##name] = (word),
	CONF_SERVICES(X)
#undef X
};

enum program_state {
	PROGRAM_DOWN,  /* until the restart, or until there is a spawn */
	PROGRAM_ASKED, /* spawn was */
	PROGRAM_HELLO, /* the handshake is not done */
	PROGRAM_UP
};

/* A question that is open. */
struct asked {
	TAILQ_ENTRY(asked) entry;
	struct program *program;
	struct table_req *req; /* its asker's; NULL: our own (update) */
	uint64_t id;           /* 0: not put to this program yet */
	enum protocol_op op;
	enum conf_service service;
	unsigned int tries;
	uint64_t heard; /* what the program had said when it was put */
	bool doomed;
	struct timer deadline;
	char key[TABLE_KEY_MAX + 1];
};

TAILQ_HEAD(asked_list, asked);

struct program {
	struct loop *loop;
	const char *name;
	uint32_t row;
	struct ipc_chan *spawn;
	struct ipc_req start;
	enum program_state state;
	struct io io;
	struct timer restart;
	unsigned int failures; /* in a row */
	msec since;            /* up */
	uint32_t registered;   /* bits 1 << SERVICE_* */
	uint32_t complained;   /* of these: asked for what it does not do */
	struct asked_list open;
	unsigned int n_open;
	uint64_t last_id;
	uint64_t heard;    /* lines */
	unsigned int late; /* answers in a row that nobody waits for */
	bool erring;       /* it has said so */
	struct program_log log;
};

static void program_start(void *arg);

/* ---- questions ---- */

static void
drop(struct asked *a)
{
	struct program *p = a->program;

	TAILQ_REMOVE(&p->open, a, entry);
	p->n_open--;
	timer_clear(&a->deadline);
	if (a->req != NULL)
		a->req->cancel = NULL;
	free(a);
}

static void
forget(struct table_req *req)
{
	drop(req->of);
}

/* The asker may ask again in its function, with the same req. */
static void
answer(struct asked *a, enum table_answer said, const char *value)
{
	struct table_req *req = a->req;

	drop(a);
	if (req != NULL)
		req->fn(req->arg, said, value);
}

/* Whoever is doomed is told that nobody knows.  What they do about it may
 * end other questions, so each turn begins anew. */
static void
answer_doomed(struct program *p)
{
	struct asked *a;

	do {
		TAILQ_FOREACH(a, &p->open, entry)
			if (a->doomed)
				break;
		if (a != NULL)
			answer(a, TABLE_UNKNOWN, "");
	} while (a != NULL);
}

/* ---- the program's end ---- */

static void
restart_later(struct program *p)
{
	msec delay =
	    loop_doubled(PROGRAM_FIRST_MSEC, p->failures, PROGRAM_MAX_MSEC);

	p->failures++;
	timer_set(p->loop, &p->restart, delay, program_start, p);
}

/* It is of no use any more: another is started.  What was put to it is put
 * to that, unless it was the second already. */
static void
lost(struct program *p, const char *why, const char *words)
{
	struct asked *a;

	log_warn("program-lost", "table=%s failures=%u open=%u why=%s text=%s",
	    q(p->name), p->failures + 1, p->n_open, q(why), q(words));
	if (p->state == PROGRAM_UP &&
	    loop_msec() - p->since >= PROGRAM_WELL_MSEC)
		p->failures = 0;
	io_close(&p->io);
	p->state = PROGRAM_DOWN;
	TAILQ_FOREACH(a, &p->open, entry) {
		a->id = 0;
		a->doomed = a->tries >= PROGRAM_TRIES || a->req == NULL;
	}
	restart_later(p);
	answer_doomed(p);
}

/* ---- asking ---- */

/* Its time is over.  If the program has said nothing at all since it was
 * asked, it hangs. */
static void
on_deadline(void *arg)
{
	struct asked *a = arg;
	struct program *p = a->program;
	bool hangs = a->id != 0 && a->heard == p->heard;

	answer(a, TABLE_UNKNOWN, "");
	if (hangs && p->state == PROGRAM_UP)
		lost(p, "it does not answer", "");
}

static bool
does(struct program *p, enum conf_service s)
{
	uint32_t bit = 1u << s;

	if ((p->registered & bit) != 0)
		return true;
	if ((p->complained & bit) == 0)
		log_warn("program-lacks", "table=%s service=%s", q(p->name),
		    service_words[s]);
	p->complained |= bit;
	return false;
}

/* Writes the question; what does not fit waits for its deadline. */
static void
put(struct program *p, struct asked *a)
{
	if (!protocol_ask(&p->io.out, a->op, p->name, a->service,
		p->last_id + 1, a->key))
		return;
	a->id = ++p->last_id;
	a->heard = p->heard;
	a->tries++;
	io_kick(&p->io);
}

/* The handshake is done: all that waited. */
static void
put_all(struct program *p)
{
	struct asked *a;

	TAILQ_FOREACH(a, &p->open, entry) {
		a->doomed = !does(p, a->service);
		if (!a->doomed)
			put(p, a);
	}
	answer_doomed(p);
}

/* ---- hearing ---- */

static void
hello_done(struct program *p)
{
	char words[256] = "";
	struct buf list;
	unsigned int i;

	buf_init(&list, sizeof(words) - 1);
	for (i = 0; i < SERVICES; i++)
		if (p->registered & 1u << i)
			(void)buf_printf(&list, "%s%s",
			    list.len == 0 ? "" : ",", service_words[i]);
	memcpy(words, buf_data(&list), list.len);
	buf_free(&list);
	log_event(0, "program-up", "table=%s services=%s", q(p->name), words);
	io_deadline(&p->io, 0);
	p->state = PROGRAM_UP;
	p->since = loop_msec();
	p->complained = 0;
	put_all(p);
}

static const char *
take_hello(struct program *p, struct slice line)
{
	enum conf_service service;
	const char *why;
	bool ready;

	if ((why = protocol_register(line, &service, &ready)) != NULL)
		return why;
	if (service != SERVICES)
		p->registered |= 1u << service;
	if (ready && p->registered == 0)
		return "it registers no service that is known";
	if (ready)
		hello_done(p);
	return NULL;
}

static void
take_update(struct program *p, const struct protocol_answer *said)
{
	char words[256] = "";

	(void)slice_copy(said->text, words, sizeof(words));
	if (said->answer == TABLE_YES)
		log_event(0, "program-updated", "table=%s", q(p->name));
	else
		log_warn("program-update-failed", "table=%s text=%s",
		    q(p->name), q(words));
}

/* That it cannot answer is news once, until it can. */
static void
take_error(struct program *p, struct slice text)
{
	char words[256] = "";

	if (p->erring)
		return;
	p->erring = true;
	(void)slice_copy(text, words, sizeof(words));
	log_warn("program-error", "table=%s text=%s", q(p->name), q(words));
}

/* To the asker, in the form of the service. */
static void
take_value(struct program *p, struct asked *a,
    const struct protocol_answer *said)
{
	enum table_answer is = said->answer;
	struct buf value;

	buf_init(&value, 0);
	if (is == TABLE_YES && a->op != PROTOCOL_CHECK &&
	    !match_value(a->service, false, a->key, said->text, &value)) {
		is = TABLE_UNKNOWN;
		take_error(p, SLICE("a value of the wrong form"));
	} else if (is == TABLE_UNKNOWN)
		take_error(p, said->text);
	else
		p->erring = false;
	(void)buf_add(&value, "", 1);
	answer(a, is, is == TABLE_YES ? (const char *)buf_data(&value) : "");
	buf_free(&value);
}

static struct asked *
find_asked(struct program *p, uint64_t id)
{
	struct asked *a;

	TAILQ_FOREACH(a, &p->open, entry)
		if (a->id == id)
			return a;
	return NULL;
}

static const char *
take_answer(struct program *p, struct slice line)
{
	struct protocol_answer said;
	struct asked *a;
	const char *why;

	if ((why = protocol_parse(line, &said)) != NULL)
		return why;
	if (said.id == 0 || said.id > p->last_id)
		return "an answer to what was not asked";
	if ((a = find_asked(p, said.id)) == NULL)
		return ++p->late > PROGRAM_LATE_MAX ?
		    "too many answers that nobody waits for" :
		    NULL;
	if (!protocol_fits(a->op, &said))
		return "an answer to another kind of question";
	p->late = 0;
	if (a->op == PROTOCOL_UPDATE) {
		take_update(p, &said);
		answer(a, said.answer, "");
	} else
		take_value(p, a, &said);
	return NULL;
}

/* False: there was none, or the program is lost. */
static bool
take_line(struct program *p)
{
	const char *in = (const char *)buf_data(&p->io.in), *nl, *why;
	char words[128] = "";
	struct slice line;

	nl = p->io.in.len == 0 ? NULL : memchr(in, '\n', p->io.in.len);
	if (nl == NULL) {
		if (p->io.in.len >= PROTOCOL_LINE_MAX)
			lost(p, "a line that is too long", "");
		return false;
	}
	line = (struct slice){ in, (size_t)(nl - in) };
	p->heard++;
	if (p->state == PROGRAM_HELLO)
		why = take_hello(p, line);
	else
		why = take_answer(p, line);
	if (why != NULL) {
		if (line.len > sizeof(words) - 1)
			line.len = sizeof(words) - 1;
		(void)slice_copy(line, words, sizeof(words));
		lost(p, why, words);
		return false;
	}
	buf_drain(&p->io.in, line.len + 1);
	return true;
}

static void
on_io(struct io *io, enum io_event e, void *arg)
{
	struct program *p = arg;

	switch (e) {
	case IO_INPUT:
		while (take_line(p))
			;
		break;
	case IO_EOF:
		lost(p, "it has ended", "");
		break;
	case IO_TIMEOUT:
		lost(p, "its handshake was not finished in time", "");
		break;
	case IO_ERROR:
		lost(p, "its socket is broken", io->error);
		break;
	case IO_READY:
	case IO_LOW:
		break;
	}
}

/* ---- starting ---- */

static void
on_started(void *arg, struct ipc_msg *msg)
{
	struct program *p = arg;
	const struct prog_is *is = msg == NULL ? NULL : msg->body;

	if (is == NULL || is->outcome.verdict != DONE || msg->fd == -1) {
		lost(p, "it could not be started",
		    is == NULL ? "no answer" : is->outcome.text);
		return;
	}
	p->state = PROGRAM_HELLO;
	p->registered = 0;
	p->late = 0;
	p->erring = false;
	io_open(&p->io, p->loop, msg->fd, PROTOCOL_LINE_MAX, OUT_MAX, on_io, p);
	msg->fd = -1;
	io_deadline(&p->io, PROGRAM_HELLO_MSEC);
	(void)protocol_hello(&p->io.out, p->name);
	io_kick(&p->io);
}

static void
program_start(void *arg)
{
	struct program *p = arg;
	struct prog_ask ask = { .table = p->row };

	if (p->spawn == NULL || p->state != PROGRAM_DOWN)
		return;
	timer_clear(&p->restart);
	p->state = PROGRAM_ASKED;
	prog_ask_ask(p->spawn, &p->start, &ask, on_started, p, SPAWN_MSEC);
}

/* ---- public ---- */

struct program *
program_new(struct loop *l, const char *name, uint32_t row)
{
	struct program *p = xcalloc(1, sizeof(*p));

	p->loop = l;
	p->name = name;
	p->row = row;
	TAILQ_INIT(&p->open);
	program_log_init(&p->log, l, "table", name);
	return p;
}

void
program_free(struct program **pp)
{
	struct program *p = *pp;
	struct asked *a;

	*pp = NULL;
	if (p == NULL)
		return;
	while ((a = TAILQ_FIRST(&p->open)) != NULL)
		drop(a);
	ipc_cancel(&p->start);
	timer_clear(&p->restart);
	io_close(&p->io);
	program_log_close(&p->log);
	timer_clear(&p->log.quiet);
	free(p);
}

void
program_spawn(struct program *p, struct ipc_chan *spawn)
{
	p->spawn = spawn;
	if (!p->restart.set)
		program_start(p);
}

void
program_stderr(struct program *p, int fd)
{
	program_log_open(&p->log, fd);
}

/* As OpenSMTPD puts it: in lower case.  False: it would not be one line. */
static bool
make_key(char *key)
{
	for (; *key != '\0'; key++) {
		if ((unsigned char)*key < ' ' || *key == 0x7f)
			return false;
		*key = (char)tolower((unsigned char)*key);
	}
	return true;
}

/* The question joins those that are open.  NULL: there are too many, or it
 * cannot be asked. */
static struct asked *
ask_new(struct program *p, enum protocol_op op, enum conf_service s,
    const char *key)
{
	struct asked *a;

	if (p->n_open >= PROGRAM_OPEN_MAX)
		return NULL;
	a = xcalloc(1, sizeof(*a));
	a->program = p;
	a->op = op;
	a->service = s;
	if (!slice_copy(slice_of(key), a->key, sizeof(a->key)) ||
	    !make_key(a->key)) {
		free(a);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&p->open, a, entry);
	p->n_open++;
	timer_set(p->loop, &a->deadline,
	    op == PROTOCOL_UPDATE ? PROGRAM_UPDATE_MSEC : PROGRAM_ASK_MSEC,
	    on_deadline, a);
	return a;
}

enum table_answer
program_ask(struct program *p, enum conf_service s, const char *key,
    struct table_req *req, table_fn *fn, void *arg)
{
	struct asked *a;

	if (p->state == PROGRAM_UP && !does(p, s))
		return TABLE_UNKNOWN;
	/* The null sender. */
	if (s == SERVICE_MAILADDR && key[0] == '\0')
		key = "@";
	a = ask_new(p, protocol_op_of(s, key), s, key);
	if (a == NULL)
		return TABLE_UNKNOWN;
	*req = (struct table_req){ .cancel = forget, .fn = fn, .arg = arg };
	req->of = a;
	a->req = req;
	if (p->state == PROGRAM_UP)
		put(p, a);
	return TABLE_WAIT;
}

void
program_update(struct program *p)
{
	struct asked *a;

	/* One that starts reads its sources anyway. */
	if (p->state != PROGRAM_UP)
		return;
	a = ask_new(p, PROTOCOL_UPDATE, SERVICE_ALIAS, "");
	if (a != NULL)
		put(p, a);
}
