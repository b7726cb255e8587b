/*
 * Connections in: the listening sockets, who may have a session, and what is
 * known of a client before it says a word.  Runs in session.  Reads nothing
 * from a connection.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "session.h"

#define ACCEPT_TURN 4     /* at once: the others of us want some too */
#define CROWDED_MS  20    /* lookup or queue have more than they can do */
#define FULL_MS     60000 /* between two lines of the log */
#define NO_FD_MS    1000  /* no descriptors: the others of the host first */

/* Descriptors that are not for sessions, each of which may need two. */
#define OTHER_FDS 32

/* ---- what is known of a client ---- */

/* An IPv4 address that came by an IPv6 socket is one, in rules and logs. */
static bool
mapped_v4(const struct sockaddr_in6 *sin6, struct in_addr *v4)
{
	if (!IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
		return false;
	memcpy(v4, &sin6->sin6_addr.s6_addr[12], sizeof *v4);
	return true;
}

static bool
is_loopback(const struct in_addr *v4)
{
	return ntohl(v4->s_addr) >> 24 == 127;
}

static bool
is_our_address(const struct conf *conf, const char *client)
{
	const struct conf_entry *e;
	uint32_t i;

	for (i = 0; i < conf->local_addr.n; i++) {
		e = CONF_ENTRY(conf, conf->local_addr, i);
		if (strcmp(conf_text(conf, e->key), client) == 0)
			return true;
	}
	return false;
}

static void
v4_facts(struct facts *f, const struct in_addr *v4, in_port_t port)
{
	inet_ntop(AF_INET, v4, f->client, sizeof f->client);
	f->port = ntohs(port);
	if (is_loopback(v4))
		f->flags |= FACT_LOCAL;
}

static void
v6_facts(struct facts *f, const struct sockaddr_in6 *sin6)
{
	struct in_addr v4;

	if (mapped_v4(sin6, &v4)) {
		v4_facts(f, &v4, sin6->sin6_port);
		return;
	}
	inet_ntop(AF_INET6, &sin6->sin6_addr, f->client, sizeof f->client);
	f->port = ntohs(sin6->sin6_port);
	if (IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr))
		f->flags |= FACT_LOCAL;
}

/* The kernel says who it is; a client that it knows nothing of is nobody. */
static bool
socket_facts(struct facts *f, int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
		return false;
	f->flags |= FACT_SOCKET | FACT_LOCAL;
	f->uid = who.uid;
	return true;
}

bool
session_address(const struct conf *conf, struct facts *f,
    const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)ss;

	f->flags &= ~(uint32_t)FACT_LOCAL;
	switch (ss->ss_family) {
	case AF_INET:
		v4_facts(f, &sin->sin_addr, sin->sin_port);
		break;
	case AF_INET6:
		v6_facts(f, (const struct sockaddr_in6 *)ss);
		break;
	default:
		return false;
	}
	if (is_our_address(conf, f->client))
		f->flags |= FACT_LOCAL;
	return true;
}

bool
session_claim(const struct conf *conf, struct facts *f,
    const struct sockaddr_storage *ss)
{
	bool ours = (f->flags & FACT_LOCAL) != 0;

	if (!session_address(conf, f, ss))
		return false;
	if (!ours)
		f->flags &= ~(uint32_t)FACT_LOCAL;
	return true;
}

static bool
find_facts(const struct conf *conf, int fd, const struct sockaddr_storage *ss,
    struct facts *f)
{
	return ss->ss_family == AF_UNIX ? socket_facts(f, fd) :
					  session_address(conf, f, ss);
}

/* The address that it came to, which a table may know a name for. */
static void
find_ours(const struct conf *conf, int fd, char ours[IP_TEXT_MAX + 1])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct facts there = { 0 };

	memset(&ss, 0, sizeof ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    session_address(conf, &there, &ss))
		memcpy(ours, there.client, sizeof there.client);
}

/* ---- a connection ---- */

static void
greet(struct server *srv, const struct listener *l, int fd,
    const struct sockaddr_storage *ss)
{
	const struct conf *conf = srv->proc.conf;
	const struct conf_listen *row = CONF_LISTEN(conf, l->index);
	char ours[IP_TEXT_MAX + 1] = "";
	struct facts facts;
	int on = 1;

	memset(&facts, 0, sizeof facts);
	if (!find_facts(conf, fd, ss, &facts) ||
	    !slice_copy(slice_of(conf_text(conf, row->tag)), facts.tag,
		sizeof facts.tag)) {
		close(fd);
		return;
	}
	/* A reply is whole when it is written: nothing to wait for. */
	if (ss->ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (row->hostnames != CONF_NONE)
		find_ours(conf, fd, ours);
	session_new(srv, fd, row, &facts, ours);
}

/* No descriptor for a client: one is kept so that it hears why. */
static void
refuse_one(struct server *srv, int listener)
{
	char line[REPLY_LINE_MAX + 1];
	struct outcome o;
	size_t len;
	int fd;

	log_warn("no-descriptors", "sessions=%u", srv->n_sessions);
	if (srv->reserve == -1)
		return;
	close(srv->reserve);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		reply_outcome(&o, REPLY_TOO_BUSY, NULL);
		len = reply_print(&o, false, line);
		(void)send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
	srv->reserve = fcntl(listener, F_DUPFD_CLOEXEC, 0);
}

static void
on_pause_over(void *arg)
{
	accept_update(arg);
}

static void
pause_for(struct server *srv, msec ms)
{
	timer_set(srv->proc.loop, &srv->pause, ms, on_pause_over, srv);
	accept_update(srv);
}

static bool
is_crowded(struct server *srv)
{
	static const enum proc_kind asked[] = { PROC_LOOKUP, PROC_QUEUE };
	struct ipc_chan *c;
	unsigned int n;
	size_t i;

	for (i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		for (n = 0; n < PROC_MAX; n++) {
			c = srv->proc.peer[asked[i]][n];
			if (c != NULL && c->fd != -1 && ipc_crowded(c))
				return true;
		}
	}
	return false;
}

/* One connection; false: no more now. */
static bool
accept_one(struct server *srv, const struct listener *l)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	int conn;

	if (srv->n_sessions >= srv->max_sessions)
		return false;
	memset(&ss, 0, sizeof ss);
	conn = accept4(l->fd, (struct sockaddr *)&ss, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (conn != -1) {
		greet(srv, l, conn, &ss);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
	    errno == ENOMEM) {
		refuse_one(srv, l->fd);
		pause_for(srv, NO_FD_MS);
	}
	/* Else gone before we came, or somebody else of us was first. */
	return false;
}

static void
on_connection(int fd, int what, void *arg)
{
	struct listener *l = arg;
	struct server *srv = l->server;
	int turn;

	(void)fd;
	(void)what;
	if (is_crowded(srv)) {
		pause_for(srv, CROWDED_MS);
		return;
	}
	for (turn = 0; turn < ACCEPT_TURN && accept_one(srv, l); turn++)
		;
	accept_update(srv);
}

/* ---- public ---- */

void
accept_add(struct server *srv, uint32_t index, int fd)
{
	struct listener *l = xcalloc(1, sizeof *l);
	int flags = fcntl(fd, F_GETFL);

	/* Shared with the other session processes: who comes late must not
	 * wait in accept(). */
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		fatal("listening socket %u: %s", index, strerror(errno));
	l->fd = fd;
	l->index = index;
	l->server = srv;
	SLIST_INSERT_HEAD(&srv->listeners, l, entry);
	if (srv->reserve == -1)
		srv->reserve = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	accept_update(srv);
}

/* As many as the configuration says, and descriptors allow. */
static uint32_t
session_limit(const struct conf *conf)
{
	struct rlimit r;
	rlim_t n;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur == RLIM_INFINITY)
		return conf->max_sessions;
	n = r.rlim_cur > OTHER_FDS + 2 ? (r.rlim_cur - OTHER_FDS) / 2 : 1;
	return n < conf->max_sessions ? (uint32_t)n : conf->max_sessions;
}

/* Whoever comes now waits for another process of us, or for a session's end,
 * without a word: the operator is to know why. */
static void
say_full(struct server *srv)
{
	msec now = loop_msec();

	if (now < srv->full_again)
		return;
	srv->full_again = now + FULL_MS;
	log_warn("sessions-full", "sessions=%u", srv->n_sessions);
}

void
accept_update(struct server *srv)
{
	struct listener *l;
	bool want;

	if (srv->max_sessions == 0)
		srv->max_sessions = session_limit(srv->proc.conf);
	if (srv->n_sessions >= srv->max_sessions)
		say_full(srv);
	want = srv->started && !srv->stopping && !srv->draining &&
	    !srv->pause.set && srv->n_sessions < srv->max_sessions;
	SLIST_FOREACH(l, &srv->listeners, entry)
	{
		if (want && l->rd.what == 0)
			watch_set(srv->proc.loop, &l->rd, l->fd, LOOP_READ,
			    on_connection, l);
		else if (!want)
			watch_clear(&l->rd);
	}
}

void
accept_rest(struct server *srv)
{
	struct listener *l;

	SLIST_FOREACH(l, &srv->listeners, entry)
	{
		while (srv->started && !srv->stopping && accept_one(srv, l))
			;
	}
}

void
accept_close(struct server *srv)
{
	struct listener *l;

	timer_clear(&srv->pause);
	while ((l = SLIST_FIRST(&srv->listeners)) != NULL) {
		SLIST_REMOVE_HEAD(&srv->listeners, entry);
		watch_clear(&l->rd);
		close(l->fd);
		free(l);
	}
	if (srv->reserve != -1)
		close(srv->reserve);
	srv->reserve = -1;
}
