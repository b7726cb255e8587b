/*
 * Reports to the domains of authors: what session notes is kept, and once a
 * day smtpctl is run, by spawn, to send them.  Runs in the queue process; asks
 * no DNS, makes no mail of it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <netdb.h>
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>
#include <xxhash.h>

#include "log.h"
#include "report_day.h"
#include "report_store.h"

#define AFTER      (10 * 60)     /* seconds: what came at midnight is noted */
#define SPREAD     (2 * 60 * 60) /* seconds: not all of the world at once */
#define START_MSEC 2000          /* what an earlier queue did not send */
#define AGAIN_MSEC (3600 * 1000)
/* Longer than spawn lets it run. */
#define RUN_MSEC (70 * 60 * 1000)

static const char *const words[] = {
#define X(name, word) [DMARC_##name] = word,
	CONF_DMARC_RULES(X)
#undef X
};

const char *const report_facts[REPORT_FACTS_N] = {
#define X(name, word) [REPORT_##name] = word,
	REPORT_FACTS(X)
#undef X
};

/* ---- notes ---- */

static void
lost(struct queue *qu, const char *why)
{
	qu->reports.lost++;
	if (!qu->reports.said_lost)
		log_warn("report-lost", "reason=%s", q(why));
	qu->reports.said_lost = true;
}

void
report_on_note(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	struct report_entry e;
	const char *why;

	(void)from;
	if (qu->reports.store == NULL || qu->stopping)
		return;
	why = report_of_note(msg->body, now_sec(), &e);
	if (why == NULL && !report_put(qu->reports.store, &e))
		why = "there is no room for more";
	if (why != NULL)
		lost(qu, why);
}

bool
report_dealt(struct queue *qu, uint32_t day, const char *domain, uint64_t mails)
{
	char text[REPORT_DAY_TEXT];

	if (qu->reports.store == NULL ||
	    !report_sent(qu->reports.store, day, domain))
		return false;
	log_event(0, "report", "day=%s mails=%llu domain=%s",
	    report_day_print(day, text), (unsigned long long)mails, q(domain));
	return true;
}

/* ---- when ---- */

int64_t
report_due(uint32_t day, const char *host)
{
	return (int64_t)(day + 1) * REPORT_DAY + AFTER +
	    (int64_t)(XXH3_64bits(host, strlen(host)) % SPREAD);
}

static void run(void *arg);

static void
run_in(struct queue *qu, msec ms)
{
	timer_set(qu->p.loop, &qu->reports.timer, ms, run, qu);
}

static uint32_t
today(void)
{
	return (uint32_t)(now_sec() / REPORT_DAY);
}

static const char *
host_of(const struct queue *qu)
{
	return conf_text(qu->p.conf, qu->p.conf->hostname);
}

/* The last day that is due. */
static uint32_t
last_due(const struct queue *qu)
{
	uint32_t day = today() - 1;

	return report_due(day, host_of(qu)) <= now_sec() ? day : day - 1;
}

/* Until the next day is due; looked at once an hour, so that a clock that is
 * put forward or back makes no great difference. */
static void
wait_for_next(struct queue *qu)
{
	msec ms =
	    (report_due(last_due(qu) + 1, host_of(qu)) - now_sec()) * 1000;

	run_in(qu, ms < AGAIN_MSEC ? ms + 1000 : AGAIN_MSEC);
}

/* ---- sending ---- */

static void
on_sent(void *arg, struct ipc_msg *msg)
{
	struct queue *qu = arg;
	const struct report_sent *sent = msg == NULL ? NULL : msg->body;

	if (sent != NULL && sent->outcome.verdict == DONE) {
		qu->reports.done = qu->reports.asked;
		wait_for_next(qu);
		return;
	}
	log_warn("report-later", "text=%s",
	    q(sent == NULL ? "spawn gave no answer" : sent->outcome.text));
	run_in(qu, AGAIN_MSEC);
}

/* spawn of our own configuration; NULL: it is not there now. */
static struct ipc_chan *
spawn_chan(struct queue *qu)
{
	const struct spawner *s;
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++) {
		s = &qu->locals.spawner[i];
		if (s->chan != NULL && s->chan->fd != -1 && s->serves)
			return s->chan;
	}
	return NULL;
}

static void
run(void *arg)
{
	struct queue *qu = arg;
	struct report_send send = { .until = last_due(qu) };
	struct ipc_chan *spawn = spawn_chan(qu);

	if (qu->stopping)
		return;
	if (send.until == qu->reports.done) {
		wait_for_next(qu);
		return;
	}
	if (spawn == NULL) {
		run_in(qu, START_MSEC);
		return;
	}
	qu->reports.asked = send.until;
	report_send_ask(spawn, &qu->reports.ask, &send, on_sent, qu, RUN_MSEC);
}

void
report_on_says(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;

	(void)from;
	if (qu->reports.store == NULL)
		return;
	program_log_open(&qu->reports.says, msg->fd);
	msg->fd = -1;
}

/* ---- what smtpctl needs to know ---- */

/* "[2001:db8::1]:53"; "" where the system's servers are asked. */
static void
resolver_text(const struct conf *c, char *out, size_t size)
{
	const struct sockaddr *sa = (const struct sockaddr *)&c->resolver;
	char host[IP_TEXT_MAX + 1], port[8];

	out[0] = '\0';
	if (c->resolver.ss_family != AF_UNSPEC &&
	    getnameinfo(sa, sizeof c->resolver, host, sizeof host, port,
		sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(out, size, "[%s]:%s", host, port);
}

static void
tell(struct queue *qu, enum report_fact of, const char *text)
{
	char new[REPORT_FACT_MAX + 1], old[REPORT_FACT_MAX + 1];

	strlcpy(new, text, sizeof new);
	if (index_fact_get(qu->index, report_facts[of], old, sizeof old) &&
	    strcmp(new, old) == 0)
		return;
	if (!index_fact_put(qu->index, report_facts[of], new))
		log_warn("facts", "%s cannot be written", report_facts[of]);
}

static void
tell_all(struct queue *qu)
{
	const struct conf *c = qu->p.conf;
	char text[REPORT_FACT_MAX + 1];

	snprintf(text, sizeof text, "dmarc-noreply@%s", conf_mail_name(c));
	if (c->report_from != 0)
		strlcpy(text, conf_text(c, c->report_from), sizeof text);
	/* RFC 9990 3.5.2: it has to pass DMARC itself. */
	if (strchr(text, '@') == NULL) {
		strlcat(text, "@", sizeof text);
		strlcat(text, conf_mail_name(c), sizeof text);
	}
	tell(qu, REPORT_FROM, text);
	tell(qu, REPORT_ORG,
	    c->report_org != 0 ? conf_text(c, c->report_org) :
				 conf_mail_name(c));
	tell(qu, REPORT_CONTACT, conf_text(c, c->report_contact));
	tell(qu, REPORT_HOST, host_of(qu));
	resolver_text(c, text, sizeof text);
	tell(qu, REPORT_RESOLVER, text);
	tell(qu, REPORT_RULES, words[c->dmarc_rules]);
}

/* ---- life ---- */

void
report_start(struct queue *qu)
{
	const char *why = NULL;

	if (!qu->p.conf->dmarc_report)
		return;
	qu->reports.store = report_open(qu->p.loop, qu->index, &why);
	if (qu->reports.store == NULL) {
		log_warn("facts", "no reports: error=%s", q(why));
		return;
	}
	tell_all(qu);
	program_log_init(&qu->reports.says, qu->p.loop, "program", "smtpctl");
	run_in(qu, START_MSEC);
}

void
report_stop(struct queue *qu)
{
	if (qu->reports.store == NULL)
		return;
	timer_clear(&qu->reports.timer);
	ipc_cancel(&qu->reports.ask);
	program_log_close(&qu->reports.says);
	if (qu->reports.lost > 1)
		log_warn("report-lost", "n=%llu",
		    (unsigned long long)qu->reports.lost);
	report_close(&qu->reports.store);
}
