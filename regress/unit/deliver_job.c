/*
 * Jobs from job_take to job_end, with a DNS server and mail servers on
 * loopback that behave as told, and a queue at the other end of a channel.
 *
 * SPDX-License-Identifier: ISC
 */
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

enum { HOSTS = 3, RUN_MS = 4000, DNS_MS = 800 };

/* ---- the DNS ---- */

/* Columns: name, MX (preference of hosts 1 to 3, -1 none), kind. */
enum zone_kind { Z_MX, Z_NONE, Z_NXDOMAIN, Z_SERVFAIL, Z_NULL, Z_OWN, Z_ADDR };
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
	} else if (zones[z].kind == Z_ADDR && type == DNS_A) {
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
	bool pipelining;
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
	unsigned int conns, mails;
};

struct test {
	struct loop *loop;
	struct proc proc;
	struct deliver d;
	struct ipc_chan queue, deliver;
	struct server server[HOSTS];
	uint16_t port;
	int dns;
	struct watch dns_rd;
	char log[8192];
	unsigned int ends, wanted_ends;
	bool silent; /* queue notes nothing */
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

	if (starts(line, "EHLO")) {
		conn_say(c, "250-mx");
		if (m->bad_tls)
			conn_say(c, "250-STARTTLS");
		if (m->pipelining)
			conn_say(c, "250-PIPELINING");
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
		if (m->max_rcpt != 0 && c->rcpts >= m->max_rcpt)
			conn_say(c, "452 4.5.3 too many");
		else
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

	c->content = false;
	c->server->mails++;
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
	c->fd = accept(fd, NULL, NULL);
	s->conns++;
	watch_set(s->test->loop, &c->rd, c->fd, LOOP_READ, on_conn, c);
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

	note(t, "%u=%s/%u/%u.%u.%u", m->n, verdict_name(m->outcome.verdict),
	    m->outcome.code, m->outcome.ecode[0], m->outcome.ecode[1],
	    m->outcome.ecode[2]);
	if (at != NULL)
		note(t, "@%.3s%c", m->relay, at[9]);
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

static ipc_handler *const queue_handlers[IPC_TYPES] = {
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
	(void)d;
}

static void
channel(struct test *t)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, sv) == -1)
		abort();
	ipc_attach(&t->queue, sv[0]);
	ipc_attach(&t->deliver, sv[1]);
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
	image_rows(c, &c->action, &action, 1, sizeof action);
	memset(&dkim, 0, sizeof dkim);
	dkim.domain = image_text(c, "example.com");
	dkim.selector = image_text(c, "s");
	image_rows(c, &c->dkim, &dkim, 1, sizeof dkim);
	t->proc.loop = t->loop;
	t->proc.conf = c;
	t->d.p = &t->proc;
	t->d.conf = c;
	t->d.dns = dns_new(t->loop, DNS_MS);
	dns_servers(t->d.dns, &dns, 1);
	t->d.tls = tls_new(&why);
	t->d.pool = pool_new(t->loop);
	t->d.report = report_new(t->loop);
	dkim_keys_init(&t->d.keys, c);
	TAILQ_INIT(&t->d.jobs);
	ipc_init(&t->queue, t->loop, PROC_QUEUE, PROC_DELIVER, 0,
	    queue_handlers, t, on_ipc_lost);
	ipc_init(&t->deliver, t->loop, PROC_DELIVER, PROC_QUEUE, 0,
	    deliver_handlers, t, on_ipc_lost);
	channel(t);
	report_up(t->d.report, &t->deliver);
}

static void
on_late(void *arg)
{
	struct test *t = arg;

	note(t, "too late ");
	loop_stop(t->loop);
}

static void
test_run(struct test *t, unsigned int ends)
{
	t->wanted_ends = t->ends + ends;
	timer_set(t->loop, &t->end, RUN_MS, on_late, t);
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
	dns_free(&t->d.dns);
	tls_free(&t->d.tls);
	dkim_keys_free(&t->d.keys);
	ipc_detach(&t->queue);
	ipc_detach(&t->deliver);
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
	take.flags = flags;
	if (strcmp(route, "HOST") == 0)
		snprintf(take.route, sizeof take.route,
		    "host:smtp://127.0.0.1:%u", t->port);
	else
		strlcpy(take.route, route, sizeof take.route);
	strlcpy(take.sender, "s@example.com", sizeof take.sender);
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

/* clang-format off */
#define DOWN   { .down = true }
#define G554   { .greeting = "554 no mail here" }
#define G421   { .greeting = "421 busy" }
#define CMAIL  { .close_mail = true }
#define GOOD   { .pipelining = true }

/* Columns: name, servers, route, recipients, what queue hears; connections of
 * and messages at each server. */
static const struct {
	const char *name;
	struct manner manner[HOSTS];
	const char *route;
	uint32_t rcpts;
	const char *want;
	unsigned int conns[HOSTS], mails[HOSTS];
} cases[] = {
	{ "one host", { GOOD }, "mx:one.test", 2,
	    "0=done/250/2.0.0@h1.1 1=done/250/2.0.0@h1.1 end=done ", { 1 }, { 1 } },
	{ "without pipelining", { { 0 } }, "mx:one.test", 2,
	    "0=done/250/2.0.0@h1.1 1=done/250/2.0.0@h1.1 end=done ", { 1 }, { 1 } },
	{ "no MX, an address", { GOOD }, "mx:implicit.test", 1,
	    "0=done/250/2.0.0@imp1 end=done ", { 1 }, { 1 } },
	{ "a relay host", { GOOD }, "HOST", 1,
	    "0=done/250/2.0.0@1271 end=done ", { 1 }, { 1 } },
	{ "an address in brackets", { DOWN, GOOD }, "mx:[127.0.0.2]", 1,
	    "0=done/250/2.0.0@1272 end=done ", { 0, 1 }, { 0, 1 } },

	{ "the first is down", { DOWN, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 0, 1 }, { 0, 1 } },
	{ "the first greets with 554", { G554, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 1, 1 }, { 0, 1 } },
	{ "the first greets with 421", { G421, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 1, 1 }, { 0, 1 } },
	{ "all are down", { DOWN, DOWN }, "mx:two.test", 1,
	    "0=later/0/4.4.1@h2.2 end=later/site ", { 0 }, { 0 } },
	{ "all greet with 554", { G554, G554 }, "mx:two.test", 1,
	    "0=never/554/0.0.0@h2.2 end=done ", { 1, 1 }, { 0 } },
	{ "one is down, one greets with 554", { DOWN, G554 }, "mx:two.test", 1,
	    "0=later/0/4.4.1@h2.2 end=later/site ", { 0, 1 }, { 0 } },
	{ "one greets with 554, one is down", { G554, DOWN }, "mx:two.test", 1,
	    "0=later/0/4.4.1@h2.2 end=later/site ", { 1, 0 }, { 0 } },

	{ "closed upon MAIL, then another", { CMAIL, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 1, 1 }, { 0, 1 } },
	{ "closed upon MAIL twice, no third", { CMAIL, CMAIL, GOOD }, "mx:three.test", 1,
	    "0=later/0/4.4.2@h2.2 end=later/site ", { 1, 1, 0 }, { 0 } },
	{ "MAIL 421, then another", { { .mail = "421 4.3.2 bye" }, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 1, 1 }, { 0, 1 } },
	{ "MAIL 421, no other", { { .mail = "421 4.3.2 bye" } }, "mx:one.test", 1,
	    "0=later/421/4.3.2@h1.1 end=later/site ", { 1 }, { 0 } },
	{ "MAIL 451 is the message's", { { .mail = "451 4.7.1 grey" }, GOOD }, "mx:two.test", 2,
	    "0=later/451/4.7.1@h1.1 1=later/451/4.7.1@h1.1 end=done ", { 1, 0 }, { 0 } },
	{ "MAIL 550 is the message's", { { .mail = "550 5.7.1 no" } }, "mx:one.test", 2,
	    "0=never/550/5.7.1@h1.1 1=never/550/5.7.1@h1.1 end=done ", { 1 }, { 0 } },
	{ "dot 554 is the message's", { { .dot = "554 5.6.0 spam" } }, "mx:one.test", 1,
	    "0=never/554/5.6.0@h1.1 end=done ", { 1 }, { 1 } },
	{ "closed upon the dot, no other is tried", { { .close_dot = true }, GOOD }, "mx:two.test", 1,
	    "0=later/0/4.4.2@h1.1 end=later ", { 1, 0 }, { 1, 0 } },
	{ "all recipients refused, closed upon DATA",
	    { { .rcpt = "550 5.1.1 who", .close_data = true, .pipelining = true }, GOOD },
	    "mx:two.test", 2, "0=never/550/5.1.1@h1.1 1=never/550/5.1.1@h1.1 end=later ", { 1, 0 }, { 0 } },

	{ "two recipients at a time", { { .max_rcpt = 2, .pipelining = true } }, "mx:one.test", 5,
	    "0=done/250/2.0.0@h1.1 1=done/250/2.0.0@h1.1 2=done/250/2.0.0@h1.1 "
	    "3=done/250/2.0.0@h1.1 4=done/250/2.0.0@h1.1 end=done ", { 1 }, { 3 } },
	{ "two at a time, one message a connection",
	    { { .max_rcpt = 2, .close_over = true } }, "mx:one.test", 3,
	    "0=done/250/2.0.0@h1.1 1=done/250/2.0.0@h1.1 2=done/250/2.0.0@h1.1 end=done ", { 2 }, { 2 } },
	{ "452 to all", { { .rcpt = "452 full" } }, "mx:one.test", 2,
	    "0=later/452/0.0.0@h1.1 1=later/452/0.0.0@h1.1 end=done ", { 1 }, { 0 } },
	{ "552 to a recipient is later", { { .rcpt = "552 too many" } }, "mx:one.test", 1,
	    "0=later/552/0.0.0@h1.1 end=done ", { 1 }, { 0 } },
	{ "552 5.2.2 is never", { { .rcpt = "552 5.2.2 full" } }, "mx:one.test", 1,
	    "0=never/552/5.2.2@h1.1 end=done ", { 1 }, { 0 } },

	{ "STARTTLS that fails, then plain", { { .bad_tls = true } }, "mx:one.test", 1,
	    "0=done/250/2.0.0@h1.1 end=done ", { 2 }, { 1 } },

	{ "no such domain", { GOOD }, "mx:gone.test", 1, "0=never/0/5.1.2 end=done ", { 0 }, { 0 } },
	{ "no MX and no address", { GOOD }, "mx:empty.test", 1, "0=never/0/5.1.2 end=done ", { 0 }, { 0 } },
	{ "null MX", { GOOD }, "mx:null.test", 1, "0=never/556/5.1.10 end=done ", { 0 }, { 0 } },
	{ "SERVFAIL", { GOOD }, "mx:trouble.test", 1, "0=later/0/4.4.3 end=later/site ", { 0 }, { 0 } },
	{ "back to ourselves", { GOOD }, "mx:own.test", 1, "0=never/0/5.4.6 end=done ", { 0 }, { 0 } },
	{ "a relay host without an address", { GOOD }, "host:smtp://gone.test:25", 1,
	    "0=later/0/4.4.4 end=later/site ", { 0 }, { 0 } },
	{ "no route", { GOOD }, "lmtp:/x", 1, "0=later/0/4.3.5 end=later ", { 0 }, { 0 } },
};
/* clang-format on */

static void
table(void)
{
	static struct test t;
	char name[96];
	size_t i;
	int good, k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		test_start(&t, cases[i].manner);
		give(&t, 1, cases[i].route, cases[i].rcpts, 0, false);
		test_run(&t, 1);
		snprintf(name, sizeof name, "job: %s", cases[i].name);
		good = strcmp(t.log, cases[i].want) == 0;
		for (k = 0; k < HOSTS; k++)
			good = good && t.server[k].conns == cases[i].conns[k] &&
			    t.server[k].mails == cases[i].mails[k];
		CHECK(name, good && TAILQ_EMPTY(&t.d.jobs));
		if (!good)
			printf("# %s| %u %u %u\n", t.log, t.server[0].conns,
			    t.server[1].conns, t.server[2].conns);
		test_stop(&t);
	}
}

/* ---- reuse ---- */

static void
reuse(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static const struct manner once[HOSTS] = { { .close_over = true } };
	static struct test t;
	unsigned int i;

	test_start(&t, good);
	for (i = 1; i <= 5; i++) {
		give(&t, i, "mx:one.test", 1, 0, false);
		test_run(&t, 1);
	}
	CHECK("job: five messages, one connection",
	    t.server[0].mails == 5 && t.server[0].conns == 1);
	give(&t, 6, "mx:implicit.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("job: another route, another connection",
	    t.server[0].mails == 6 && t.server[0].conns == 2);
	test_stop(&t);
	test_start(&t, once);
	for (i = 1; i <= 3; i++) {
		give(&t, i, "mx:one.test", 1, 0, false);
		test_run(&t, 1);
	}
	CHECK("job: a connection that went is made anew",
	    t.server[0].mails == 3 && t.server[0].conns == 3 &&
		strcmp(t.log,
		    "0=done/250/2.0.0@h1.1 end=done "
		    "0=done/250/2.0.0@h1.1 end=done "
		    "0=done/250/2.0.0@h1.1 end=done ") == 0);
	test_stop(&t);
}

/* Many at once, on one route. */
static void
many(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static struct test t;
	unsigned int i;

	test_start(&t, good);
	for (i = 1; i <= 6; i++)
		give(&t, i, "mx:one.test", 2, 0, false);
	test_run(&t, 6);
	CHECK("job: six at once",
	    t.server[0].mails == 6 && t.ends == 6 &&
		strstr(t.log, "later") == NULL);
	test_stop(&t);
}

/* ---- trouble of our own ---- */

static void
own_trouble(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static struct test t;

	test_start(&t, good);
	give(&t, 1, "mx:one.test", 2, 0, true);
	test_run(&t, 1);
	CHECK("job: a damaged file is not sent",
	    strcmp(t.log, "end=later/damaged ") == 0 && t.server[0].conns == 0);
	t.log[0] = '\0';
	give(&t, 2, "mx:one.test", 1, ROUTE_ORIGIN, false);
	test_run(&t, 1);
	CHECK("job: not signed, not sent",
	    strcmp(t.log, "0=later/0/4.7.5 end=later ") == 0 &&
		t.server[0].conns == 0);
	t.log[0] = '\0';
	give(&t, 3, "mx:one.test", 0, 0, false);
	CHECK("job: without recipients is none", TAILQ_EMPTY(&t.d.jobs));
	give(&t, 4, "mx:trouble.test", 1, 0, false);
	give(&t, 4, "mx:one.test", 1, 0, false);
	CHECK("job: a number twice is one job", t.d.n_jobs == 1);
	test_stop(&t);
}

/* ---- queue dies ---- */

static void
restart(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static struct test t;
	struct job *j;

	test_start(&t, good);
	t.silent = true;
	give(&t, 1, "mx:one.test", 2, 0, false);
	test_run(&t, 1);
	CHECK("report: not noted, not empty", !report_empty(t.d.report));
	give(&t, 2, "mx:trouble.test", 2, 0, false);
	ipc_detach(&t.deliver);
	ipc_detach(&t.queue);
	report_down(t.d.report);
	t.log[0] = '\0';
	t.silent = false;
	channel(&t);
	report_up(t.d.report, &t.deliver);
	TAILQ_FOREACH(j, &t.d.jobs, entry)
		job_hold(j);
	report_listed(t.d.report);
	test_run(&t, 1);
	CHECK("report: held, un-noted, listed",
	    strcmp(t.log,
		"held0 held1 0=done/250/2.0.0@h1.1 "
		"1=done/250/2.0.0@h1.1 listed ") == 0);
	t.log[0] = '\0';
	test_run(&t, 1);
	CHECK("report: what was held ends",
	    strcmp(t.log, "0=later/0/4.4.3 1=later/0/4.4.3 end=later/site ") ==
		0);
	test_run(&t, 0);
	CHECK("report: all noted, empty", report_empty(t.d.report));
	test_stop(&t);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	table();
	reuse();
	many();
	own_trouble();
	restart();
	return unit_end();
}
