/*
 * Sockets that whoever starts us holds for us, so that clients wait in them
 * while we are away: those of systemd.socket(5), by the protocol of
 * sd_listen_fds(3).  Runs in the parent; reads its environment, once.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <bsd/string.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "num.h"
#include "parent.h"

#define FIRST_FD 3 /* sd_listen_fds(3) */

static uint64_t
number_in(const char *name)
{
	const char *text = getenv(name);
	uint64_t n = 0;

	if (text == NULL || num_parse(text, 0, UINT64_MAX, &n) != NULL)
		return 0;
	return n;
}

unsigned int
activate_count(void)
{
	uint64_t n = number_in("LISTEN_FDS");

	/* They may be meant for a process before us that executed us. */
	if (number_in("LISTEN_PID") != (uint64_t)getpid())
		return 0;
	return n > ACTIVATED_MAX ? ACTIVATED_MAX : (unsigned int)n;
}

static bool
takes_connections(int fd)
{
	int type = 0, listens = 0;
	socklen_t len = sizeof type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1)
		return false;
	len = sizeof listens;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
	    type == SOCK_STREAM && listens;
}

static void
take(struct parent *p, int fd, const char *name)
{
	struct activated *a = &p->activated;
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    !takes_connections(fd)) {
		log_warn("activated-bad", "fd=%d name=%s", fd, q(name));
		close(fd);
		return;
	}
	strlcpy(a->name[a->n], name, sizeof a->name[a->n]);
	a->fd[a->n++] = fd;
}

void
activate_take(struct parent *p, unsigned int n)
{
	const char *text = getenv("LISTEN_FDNAMES");
	char *names = xstrdup(text == NULL ? "" : text), *rest = names;
	const char *name;
	unsigned int i;

	for (i = 0; i < n; i++) {
		name = rest == NULL ? "" : strsep(&rest, ":");
		take(p, FIRST_FD + (int)i, name);
	}
	free(names);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* ---- which row it is for ---- */

static bool
address_of(int fd, struct sockaddr_storage *ss, socklen_t *len)
{
	*len = sizeof *ss;
	memset(ss, 0, sizeof *ss);
	return getsockname(fd, (struct sockaddr *)ss, len) == 0;
}

/* IPv4 has a row of its own: a socket for both would answer it as IPv6. */
static bool
takes_both(int fd, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)ss;
	int only = 1;
	socklen_t len = sizeof only;

	return ss->ss_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr) &&
	    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 &&
	    !only;
}

static bool
is_our_path(const struct parent *p, const struct sockaddr_storage *ss,
    socklen_t len)
{
	const struct sockaddr_un *sun = (const struct sockaddr_un *)ss;
	size_t room = sizeof sun->sun_path, n;
	char path[PATH_MAX + 16];

	if (ss->ss_family != AF_UNIX ||
	    len <= offsetof(struct sockaddr_un, sun_path))
		return false;
	priv_local_path(p, path);
	n = strlen(path);
	return n < room && memcmp(sun->sun_path, path, n + 1) == 0;
}

bool
activate_fits(const struct parent *p, int fd, const struct conf_listen *l)
{
	struct sockaddr_storage ss;
	socklen_t len;

	if (!address_of(fd, &ss, &len))
		return false;
	if (l->local)
		return is_our_path(p, &ss, len);
	return len == l->sslen && memcmp(&ss, &l->ss, len) == 0 &&
	    !takes_both(fd, &ss);
}

static bool
is_any(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)ss;

	return ss->ss_family == AF_INET6 ?
	    IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr) :
	    sin->sin_addr.s_addr == htonl(INADDR_ANY);
}

/* The place of the port is the same in both. */
static in_port_t
port_of(const struct sockaddr_storage *ss)
{
	return ((const struct sockaddr_in *)ss)->sin_port;
}

/* The row is for all addresses, and the socket for one of them: who comes by
 * that would wait there for ever, if it were not taken from as well. */
static bool
covers(const struct conf_listen *l, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len;

	return !l->local && is_any(&l->ss) && address_of(fd, &ss, &len) &&
	    ss.ss_family == l->ss.ss_family && !is_any(&ss) &&
	    port_of(&ss) == port_of(&l->ss);
}

size_t
activate_beside(const struct parent *p, const struct conf_listen *l,
    int fds[ACTIVATED_MAX])
{
	const struct activated *a = &p->activated;
	struct sockaddr_storage ss;
	socklen_t len;
	size_t i, n = 0;

	for (i = 0; !l->local && i < a->n; i++) {
		if (covers(l, a->fd[i]) ||
		    (address_of(a->fd[i], &ss, &len) && !is_any(&l->ss) &&
			ss.ss_family == l->ss.ss_family && is_any(&ss) &&
			port_of(&ss) == port_of(&l->ss)))
			fds[n++] = a->fd[i];
	}
	return n;
}

int
activate_socket(const struct parent *p, const struct conf_listen *l)
{
	size_t i;

	for (i = 0; i < p->activated.n; i++) {
		if (activate_fits(p, p->activated.fd[i], l))
			return fcntl(p->activated.fd[i], F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

bool
activate_has_local(const struct parent *p)
{
	struct conf_listen local = { .local = 1 };
	int fd = activate_socket(p, &local);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

/* The row that a socket is used for: its own is set; or one that covers it;
 * CONF_NONE if there is neither. */
static uint32_t
row_of(const struct parent *p, const struct generation *g, int fd, bool *own)
{
	uint32_t i, found = CONF_NONE;

	for (i = 0; i < g->conf->listen.n; i++) {
		*own = activate_fits(p, fd, CONF_LISTEN(g->conf, i));
		if (*own)
			return i;
		if (found == CONF_NONE && covers(CONF_LISTEN(g->conf, i), fd))
			found = i;
	}
	return found;
}

void
activate_each_beside(const struct parent *p, const struct generation *g,
    void (*fn)(struct child *ch, uint32_t row, int fd), struct child *ch)
{
	bool own = false;
	uint32_t row;
	size_t i;

	for (i = 0; i < p->activated.n; i++) {
		row = row_of(p, g, p->activated.fd[i], &own);
		if (row != CONF_NONE && !own)
			fn(ch, row, p->activated.fd[i]);
	}
}

void
activate_report(const struct parent *p, const struct generation *g)
{
	const struct activated *a = &p->activated;
	struct conf_listen l = { 0 };
	struct sockaddr_storage ss;
	const char *at = "?";
	bool own = false;
	socklen_t len;
	size_t i;

	for (i = 0; i < a->n; i++) {
		if (row_of(p, g, a->fd[i], &own) != CONF_NONE)
			continue;
		if (address_of(a->fd[i], &ss, &len) &&
		    ss.ss_family == AF_UNIX) {
			at = ((const struct sockaddr_un *)&ss)->sun_path;
		} else {
			l.ss = ss;
			l.sslen = len;
			at = priv_bind_print(p, &l);
		}
		log_warn("activated-unused", "name=%s address=%s why=%s",
		    q(a->name[i]), q(at),
		    q(takes_both(a->fd[i], &ss) ?
			    "it takes IPv4 too: BindIPv6Only=ipv6-only is missing" :
			    "no listener of the configuration is there: clients wait in vain"));
	}
}
