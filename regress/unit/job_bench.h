/*
 * A job's world on loopback: a DNS server, three hosts that behave as told,
 * a lookup that answers as told, and a queue at the other end of a channel
 * that writes down what it hears.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef JOB_BENCH_H
#define JOB_BENCH_H

#include <sys/mman.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <bsd/string.h>

#include "conf_image.h"
#include "deliver.h"
#include "dns_build.h"
#include "job.h"
#include "resolv.h"
#include "unit.h"
#include "want.h"

enum { HOSTS = 3, RUN_MS = 4000, LITTLE_MS = 50, DNS_MS = 800 };

/* ---- the DNS ---- */

/* Columns: name, MX (preference of hosts 1 to 3, -1 none), kind. */
enum zone_kind {
	Z_MX,
	Z_NONE,
	Z_NXDOMAIN,
	Z_SERVFAIL,
	Z_NULL,
	Z_OWN,
	Z_ADDR,
	Z_BOTH, /* ::1, where nobody listens, and the address of a host */
	Z_ODD   /* 0.0.0.0 */
};
static const struct {
	const char *name;
	int pref[HOSTS];
	enum zone_kind kind;
} zones[] = {
	{ "one.test", { 10, -1, -1 }, Z_MX },
	{ "two.test", { 10, 20, -1 }, Z_MX },
	{ "three.test", { 10, 20, 30 }, Z_MX },
	{ "implicit.test", { 0 }, Z_ADDR },
	{ "h1.test", { 0 }, Z_ADDR },
	{ "h2.test", { 1 }, Z_ADDR },
	{ "h3.test", { 2 }, Z_ADDR },
	{ "gone.test", { 0 }, Z_NXDOMAIN },
	{ "trouble.test", { 0 }, Z_SERVFAIL },
	{ "null.test", { 0 }, Z_NULL },
	{ "empty.test", { 0 }, Z_NONE },
	{ "own.test", { 0 }, Z_OWN },
	{ "uno.test", { 10, -1, -1 }, Z_MX },
	{ "six.test", { 0 }, Z_BOTH },
	{ "odd.test", { 0 }, Z_ODD },
};

static void
on_dns(int fd, int what, void *arg)
{
	static struct dns_build p;
	struct sockaddr_in from;
	socklen_t from_len = sizeof from;
	uint8_t query[512];
	char name[256], host[16];
	unsigned int type, n = 0, i, z;
	ssize_t got;
	size_t at = 12;

	(void)what;
	(void)arg;
	got = recvfrom(fd, query, sizeof query, 0, (struct sockaddr *)&from,
	    &from_len);
	if (got < 17)
		return;
	for (; query[at] != 0; at += query[at] + 1) {
		if (n > 0)
			name[n++] = '.';
		memcpy(name + n, query + at + 1, query[at]);
		n += query[at];
	}
	name[n] = '\0';
	type = (unsigned int)(query[at + 1] << 8 | query[at + 2]);
	for (z = 0; z < sizeof zones / sizeof zones[0]; z++) {
		if (strcmp(zones[z].name, name) == 0)
			break;
	}
	put_header(&p, (unsigned int)(query[0] << 8 | query[1]), QR | AA);
	put_question(&p, name, type);
	if (z == sizeof zones / sizeof zones[0] || zones[z].kind == Z_NXDOMAIN)
		p.b[3] |= 3;
	else if (zones[z].kind == Z_SERVFAIL)
		p.b[3] |= 2;
	else if (zones[z].kind == Z_NULL && type == DNS_MX)
		put_mx(&p, name, 60, 0, "");
	else if (zones[z].kind == Z_OWN && type == DNS_MX) {
		put_mx(&p, name, 60, 10, "me.test");
		put_mx(&p, name, 60, 10, "h1.test");
	} else if (zones[z].kind == Z_MX && type == DNS_MX) {
		for (i = 0; i < HOSTS; i++) {
			snprintf(host, sizeof host, "h%u.test", i + 1);
			if (zones[z].pref[i] >= 0)
				put_mx(&p, name, 60,
				    (unsigned int)zones[z].pref[i], host);
		}
	} else if (zones[z].kind == Z_BOTH && type == DNS_AAAA) {
		put_rr(&p, AN, name, DNS_AAAA, 60, 16);
		put(&p, &(struct in6_addr)IN6ADDR_LOOPBACK_INIT, 16);
	} else if (zones[z].kind == Z_ODD && type == DNS_A) {
		put_rr(&p, AN, name, 1, 60, 4);
		put(&p, "\0\0\0\0", 4);
	} else if ((zones[z].kind == Z_ADDR || zones[z].kind == Z_BOTH) &&
	    type == DNS_A) {
		put_rr(&p, AN, name, 1, 60, 4);
		put(&p, "\x7f\0\0", 3);
		put(&p, &(uint8_t){ (uint8_t)(1 + zones[z].pref[0]) }, 1);
	}
	if (p.b[AN + 1] == 0)
		put_soa(&p, "test", 60, 60);
	sendto(fd, p.b, p.n, 0, (struct sockaddr *)&from, sizeof from);
}

/* ---- mail servers ---- */

/* How a server behaves; NULL and 0 are as one would like. */
struct manner {
	bool down;             /* nobody listens */
	const char *greeting;  /* else 220 */
	const char *mail;      /* else 250 */
	const char *rcpt;      /* else 250 */
	const char *dot;       /* else 250 */
	unsigned int max_rcpt; /* then 452 */
	const char *limits;    /* of RFC 9422 */
	bool lmtp;             /* 250 for each but the last, who has .dot */
	bool silent;           /* does not even greet */
	bool pipelining;
	bool dsn;
	bool bad_tls;    /* offers STARTTLS and closes upon it */
	bool close_mail; /* closes the connection upon ... */
	bool close_data; /* before the reply to DATA */
	bool close_dot;
	bool close_over; /* after a message that it took */
};

struct test;
struct server;

struct conn {
	struct server *server;
	int fd; /* -1: free */
	struct watch rd;
	char in[16384];
	size_t n;
	bool content;
	unsigned int rcpts;
};

struct server {
	struct test *test;
	const struct manner *manner;
	int fd;
	struct watch rd;
	struct conn conn[8];
	unsigned int conns, mails, quits;
	char helo[256];             /* as it was said last */
	struct sockaddr_in from[8]; /* who connected */
};

struct test {
	const char *sender; /* of the jobs; NULL: any */
	struct loop *loop;
	struct proc proc;
	struct deliver d;
	struct ipc_chan queue, deliver;
	struct ipc_chan lookup, asker; /* asker: deliver's end */
	struct server server[HOSTS];
	uint16_t port;
	int dns;
	struct watch dns_rd;
	char log[8192];
	unsigned int ends, wanted_ends;
	bool silent; /* queue notes nothing */
	struct job_result last;
	unsigned int wants; /* jobs that deliver wanted */
	/* of lookup; NULL ends; none at all: it says later */
	const char *hosts[8], *srcs[8], *name;
	bool lookup_silent;
	unsigned int asked; /* relay_ask, helo_ask */
	char ours[IP_TEXT_MAX + 1];
	struct timer end;
};

static void
conn_close(struct conn *c)
{
	watch_clear(&c->rd);
	close(c->fd);
	c->fd = -1;
}

static void
conn_say(struct conn *c, const char *words)
{
	char line[512];
	size_t len = strlen(words);

	snprintf(line, sizeof line, "%s\r\n", words);
	if (write(c->fd, line, len + 2) != (ssize_t)len + 2 && errno != EPIPE &&
	    errno != ECONNRESET)
		abort();
}

static bool
starts(const char *line, const char *verb)
{
	return strncmp(line, verb, strlen(verb)) == 0;
}

/* One command; false: the connection is closed. */
static bool
conn_line(struct conn *c, const char *line)
{
	const struct manner *m = c->server->manner;
	char text[128];

	if (starts(line, m->lmtp ? "LHLO" : "EHLO")) {
		strlcpy(c->server->helo, line + 5, strcspn(line + 5, "\r") + 1);
		conn_say(c, "250-mx");
		if (m->limits != NULL) {
			snprintf(text, sizeof text, "250-LIMITS %s", m->limits);
			conn_say(c, text);
		}
		if (m->bad_tls)
			conn_say(c, "250-STARTTLS");
		if (m->pipelining)
			conn_say(c, "250-PIPELINING");
		if (m->dsn)
			conn_say(c, "250-DSN");
		conn_say(c, "250 HELP");
	} else if (starts(line, "STARTTLS")) {
		conn_say(c, "220 go");
		conn_close(c);
		return false;
	} else if (starts(line, "MAIL")) {
		if (m->close_mail) {
			conn_close(c);
			return false;
		}
		c->rcpts = 0;
		conn_say(c, m->mail != NULL ? m->mail : "250 ok");
	} else if (starts(line, "RCPT")) {
		if (m->max_rcpt != 0 && c->rcpts >= m->max_rcpt) {
			conn_say(c, "452 4.5.3 too many");
			return true;
		}
		conn_say(c, m->rcpt != NULL ? m->rcpt : "250 ok");
		c->rcpts += m->rcpt == NULL;
	} else if (starts(line, "DATA")) {
		if (m->close_data) {
			conn_close(c);
			return false;
		}
		c->content = c->rcpts > 0;
		conn_say(c, c->content ? "354 go" : "503 nobody");
	} else if (starts(line, "QUIT")) {
		c->server->quits++;
		conn_say(c, "221 bye");
		conn_close(c);
		return false;
	} else
		conn_say(c, "250 ok");
	return true;
}

static bool
conn_dot(struct conn *c)
{
	const struct manner *m = c->server->manner;
	unsigned int i;

	c->content = false;
	c->server->mails++;
	for (i = 1; m->lmtp && i < c->rcpts; i++)
		conn_say(c, "250 2.0.0 queued");
	if (!m->close_dot)
		conn_say(c, m->dot != NULL ? m->dot : "250 2.0.0 queued");
	if (m->close_dot || m->close_over) {
		conn_close(c);
		return false;
	}
	return true;
}

static void
on_conn(int fd, int what, void *arg)
{
	struct conn *c = arg;
	const char *mark;
	char *end;
	ssize_t n;
	size_t len;

	(void)what;
	n = read(fd, c->in + c->n, sizeof c->in - 1 - c->n);
	if (n <= 0) {
		conn_close(c);
		return;
	}
	c->n += (size_t)n;
	for (;;) {
		c->in[c->n] = '\0';
		mark = c->content ? "\r\n.\r\n" : "\r\n";
		if ((end = strstr(c->in, mark)) == NULL)
			return;
		len = (size_t)(end - c->in) + strlen(mark);
		if (c->content ? !conn_dot(c) : !conn_line(c, c->in))
			return;
		memmove(c->in, c->in + len, c->n - len);
		c->n -= len;
	}
}

static void
on_listen(int fd, int what, void *arg)
{
	socklen_t len = sizeof(struct sockaddr_in);
	struct server *s = arg;
	struct conn *c;
	int i;

	(void)what;
	for (i = 0; i < 7 && s->conn[i].fd != -1; i++)
		;
	c = &s->conn[i];
	c->server = s;
	c->n = 0;
	c->content = false;
	c->fd = accept(fd, (struct sockaddr *)&s->from[s->conns % 8], &len);
	s->conns++;
	watch_set(s->test->loop, &c->rd, c->fd, LOOP_READ, on_conn, c);
	if (s->manner->silent)
		return;
	conn_say(c,
	    s->manner->greeting != NULL ? s->manner->greeting : "220 mx");
}

/* The same port on 127.0.0.1, .2 and .3; held also where nobody listens. */
static bool
servers_bind(struct test *t, const struct manner *manner)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	int i, k;

	for (i = 0; i < HOSTS; i++) {
		t->server[i].test = t;
		t->server[i].manner = &manner[i];
		for (k = 0; k < 8; k++)
			t->server[i].conn[k].fd = -1;
		t->server[i].fd =
		    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		in.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)i);
		in.sin_port = htons(t->port);
		if (bind(t->server[i].fd, (struct sockaddr *)&in, len) == -1) {
			for (; i >= 0; i--)
				close(t->server[i].fd);
			t->port = 0;
			return false;
		}
		getsockname(t->server[i].fd, (struct sockaddr *)&in, &len);
		t->port = ntohs(in.sin_port);
	}
	for (i = 0; i < HOSTS; i++) {
		if (manner[i].down)
			continue;
		listen(t->server[i].fd, 5);
		watch_set(t->loop, &t->server[i].rd, t->server[i].fd, LOOP_READ,
		    on_listen, &t->server[i]);
	}
	return true;
}

/* ---- queue ---- */

static void note(struct test *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct test *t, const char *fmt, ...)
{
	size_t n = strlen(t->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->log + n, sizeof t->log - n, fmt, ap);
	va_end(ap);
}

static void
on_result(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct test *t = self;
	const struct job_result *m = msg->body;
	struct job_noted noted = { .job = m->job, .n = m->n };
	const char *at = strchr(m->relay, '[');

	t->last = *m;
	note(t, "%u=%s/%u/%u.%u.%u", m->n, verdict_name(m->outcome.verdict),
	    m->outcome.code, m->outcome.ecode[0], m->outcome.ecode[1],
	    m->outcome.ecode[2]);
	if (at != NULL)
		note(t, "@%.3s%c", m->relay, at[9]);
	if ((m->flags & RESULT_DSN) != 0)
		note(t, "+dsn");
	note(t, " ");
	if (!t->silent)
		job_noted_send(from, 0, &noted, -1);
}

static void
on_job_end(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct test *t = self;
	const struct job_end *m = msg->body;

	(void)from;
	note(t, "end=%s%s%s ", verdict_name(m->site.verdict),
	    m->site.verdict == LATER && m->site.width == WIDTH_SITE ? "/site" :
								      "",
	    m->flags & JOB_DAMAGED ? "/damaged" : "");
	if (++t->ends == t->wanted_ends)
		loop_stop(t->loop);
}

static void
on_listed(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct test *t = self;

	(void)from;
	(void)msg;
	note(t, "listed ");
	loop_stop(t->loop);
}

static void
on_held(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct job_held *m = msg->body;

	(void)from;
	note(self, "held%u ", m->n);
}

static void
on_noted(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct test *t = self;

	(void)from;
	report_noted(t->d.report, msg->body);
}

static void
on_ipc_lost(void *self, struct ipc_chan *c, const char *why)
{
	(void)self;
	(void)why;
	ipc_detach(c);
}

static void
on_want(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct job_want *m = msg->body;
	struct test *t = self;

	(void)from;
	t->wants += m->n;
}

static ipc_handler *const queue_handlers[IPC_TYPES] = {
	[IPC_JOB_WANT] = on_want,
	[IPC_JOB_RESULT] = on_result,
	[IPC_JOB_END] = on_job_end,
	[IPC_JOB_LISTED] = on_listed,
	[IPC_JOB_HELD] = on_held,
};

static ipc_handler *const deliver_handlers[IPC_TYPES] = {
	[IPC_JOB_NOTED] = on_noted,
};

void
deliver_job_gone(struct deliver *d)
{
	want_more(d);
}

/* ---- lookup ---- */

/* One behind the other; what ends with a colon gets the port. */
static size_t
add_texts(struct test *t, char *out, size_t size, size_t at,
    const char *const *texts, uint32_t *n)
{
	char port[8];
	size_t len;

	snprintf(port, sizeof port, "%u", t->port);
	for (*n = 0; *n < 8 && texts[*n] != NULL; (*n)++) {
		len = strlen(texts[*n]);
		at += (size_t)snprintf(out + at, size - at, "%s%s", texts[*n],
			  texts[*n][len - 1] == ':' ? port : "") +
		    1;
	}
	return at;
}

static void
on_relay_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct test *t = self;
	struct relay_is m;
	size_t at;

	t->asked++;
	if (t->lookup_silent)
		return;
	memset(&m, 0, sizeof m);
	at = add_texts(t, m.text, sizeof m.text, 0, t->hosts, &m.n_host);
	at = add_texts(t, m.text, sizeof m.text, at, t->srcs, &m.n_src);
	if (at == 0)
		outcome_set(&m.outcome, LATER, WIDTH_SITE, 0, "4.3.0",
		    "the table cannot answer now");
	else
		m.outcome.verdict = DONE;
	relay_is_send(from, msg->id, &m, -1);
}

static void
on_helo_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct helo_ask *ask = msg->body;
	struct test *t = self;
	struct helo_is m;

	t->asked++;
	memcpy(t->ours, ask->ours, sizeof t->ours);
	if (t->lookup_silent)
		return;
	memset(&m, 0, sizeof m);
	if (t->name == NULL)
		outcome_set(&m.outcome, LATER, WIDTH_SITE, 0, "4.3.0",
		    "the table cannot answer now");
	else {
		m.outcome.verdict = DONE;
		strlcpy(m.name, t->name, sizeof m.name);
	}
	helo_is_send(from, msg->id, &m, -1);
}

static ipc_handler *const lookup_handlers[IPC_TYPES] = {
	[IPC_RELAY_ASK] = on_relay_ask,
	[IPC_HELO_ASK] = on_helo_ask,
};

static void
join(struct ipc_chan *a, struct ipc_chan *b)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, sv) == -1)
		abort();
	ipc_attach(a, sv[0]);
	ipc_attach(b, sv[1]);
}

static void
channel(struct test *t)
{
	join(&t->queue, &t->deliver);
}

/* ---- the whole ---- */

static void
test_start(struct test *t, const struct manner *manner)
{
	struct conf *c = image_new();
	struct conf_action action;
	struct conf_dkim dkim;
	struct dns_server dns;
	socklen_t len = sizeof dns.ss;
	const char *why;

	memset(t, 0, sizeof *t);
	t->loop = loop_new();
	while (!servers_bind(t, manner))
		;
	resolv_address(SLICE("127.0.0.1"), 0, &dns);
	t->dns = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (bind(t->dns, (struct sockaddr *)&dns.ss, dns.len) == -1 ||
	    getsockname(t->dns, (struct sockaddr *)&dns.ss, &len) == -1)
		abort();
	watch_set(t->loop, &t->dns_rd, t->dns, LOOP_READ, on_dns, t);
	c->hostname = image_text(c, "me.test");
	memset(&action, 0, sizeof action);
	action.port = t->port;
	action.host_table = action.src = action.helo_src = CONF_NONE;
	action.auth = action.domain = CONF_NONE;
	image_rows(c, &c->action, &action, 1, sizeof action);
	memset(&dkim, 0, sizeof dkim);
	dkim.domain = image_text(c, "example.com");
	dkim.selector = image_text(c, "s");
	image_rows(c, &c->dkim, &dkim, 1, sizeof dkim);
	t->proc.loop = t->loop;
	t->proc.conf = c;
	t->d.p = &t->proc;
	t->d.conf = c;
	t->d.dns = dns_new(t->loop, DNS_MS, 16);
	dns_servers(t->d.dns, &dns, 1);
	t->d.tls = tls_new(t->d.conf, &why);
	t->d.pool = pool_new(t->loop, 10);
	t->d.report = report_new(t->loop);
	t->d.relays = relays_new(&t->d);
	t->d.helos = helos_new(&t->d);
	t->d.seen = seen_new(SEEN_MAX);
	dkim_keys_init(&t->d.keys, c);
	TAILQ_INIT(&t->d.jobs);
	TAILQ_INIT(&t->d.auths);
	TAILQ_INIT(&t->d.groups);
	ipc_init(&t->queue, t->loop, PROC_QUEUE, PROC_DELIVER, 0,
	    queue_handlers, t, on_ipc_lost);
	ipc_init(&t->deliver, t->loop, PROC_DELIVER, PROC_QUEUE, 0,
	    deliver_handlers, t, on_ipc_lost);
	channel(t);
	ipc_init(&t->lookup, t->loop, PROC_LOOKUP, PROC_DELIVER, 0,
	    lookup_handlers, t, on_ipc_lost);
	ipc_init(&t->asker, t->loop, PROC_DELIVER, PROC_LOOKUP, 0,
	    deliver_handlers, t, on_ipc_lost);
	join(&t->lookup, &t->asker);
	ipc_go(&t->asker);
	t->proc.peer[PROC_LOOKUP][0] = &t->asker;
	report_up(t->d.report, &t->deliver);
}

static void
on_late(void *arg)
{
	struct test *t = arg;

	if (t->wanted_ends > t->ends)
		note(t, "too late ");
	loop_stop(t->loop);
}

static void
test_run(struct test *t, unsigned int ends)
{
	t->wanted_ends = t->ends + ends;
	timer_set(t->loop, &t->end, ends == 0 ? LITTLE_MS : RUN_MS, on_late, t);
	loop_run(t->loop);
	timer_clear(&t->end);
}

static void
test_stop(struct test *t)
{
	struct conf *c = (struct conf *)t->proc.conf;
	int i, k;

	while (!TAILQ_EMPTY(&t->d.jobs))
		job_drop(TAILQ_FIRST(&t->d.jobs));
	pool_free(&t->d.pool);
	report_free(&t->d.report);
	relays_free(&t->d.relays);
	helos_free(&t->d.helos);
	seen_free(&t->d.seen);
	dns_free(&t->d.dns);
	tls_free(&t->d.tls);
	dkim_keys_free(&t->d.keys);
	ipc_detach(&t->queue);
	ipc_detach(&t->deliver);
	ipc_detach(&t->lookup);
	ipc_detach(&t->asker);
	timer_clear(&t->d.look);
	for (i = 0; i < HOSTS; i++) {
		watch_clear(&t->server[i].rd);
		close(t->server[i].fd);
		for (k = 0; k < 8; k++) {
			if (t->server[i].conn[k].fd != -1)
				conn_close(&t->server[i].conn[k]);
		}
	}
	watch_clear(&t->dns_rd);
	close(t->dns);
	loop_free(&t->loop);
	free(c);
}

static const char content[] = "From: a@example.com\r\n\r\nhello\r\n";
static const char trace[] = "Received: by me\r\n";

static void
give(struct test *t, uint64_t number, const char *route, uint32_t rcpts,
    uint32_t flags, bool damaged)
{
	int fd = memfd_create("spool", MFD_CLOEXEC);
	struct job_take take;
	struct job_rcpt rcpt;
	struct job_go go = { .job = number };
	uint32_t i;

	if (fd == -1 || dprintf(fd, "%s%s", content, trace) < 0)
		abort();
	memset(&take, 0, sizeof take);
	take.job = number;
	take.id = number;
	take.content_len = sizeof content - 1;
	take.trace_off = sizeof content - 1;
	take.trace_len = sizeof trace - 1;
	take.sum = XXH3_64bits("From: a@example.com\r\n\r\nhello\r\n"
			       "Received: by me\r\n",
		       sizeof content + sizeof trace - 2) +
	    damaged;
	take.n_rcpt = rcpts;
	take.group = CONF_NONE;
	take.flags = flags;
	if (strcmp(route, "HOST") == 0)
		snprintf(take.route, sizeof take.route,
		    "host:smtp://127.0.0.1:%u", t->port);
	else
		strlcpy(take.route, route, sizeof take.route);
	strlcpy(take.sender, t->sender == NULL ? "s@example.com" : t->sender,
	    sizeof take.sender);
	job_take(&t->d, &take, fd);
	for (i = 0; i < rcpts; i++) {
		memset(&rcpt, 0, sizeof rcpt);
		rcpt.job = number;
		rcpt.n = i;
		snprintf(rcpt.rcpt, sizeof rcpt.rcpt, "r%u@example.org", i);
		job_rcpt(&t->d, &rcpt);
	}
	job_go(&t->d, &go);
}

#endif
