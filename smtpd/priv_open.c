/*
 * Sockets and files that need root: ports below 1024, private keys, tables
 * with secrets.  Runs in the parent; opens, never reads.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

#define BACKLOG 1024

static char why[PATH_MAX + 256];

static int
bind_inet(const struct conf_listen *l)
{
	int fd, on = 1;

	fd = socket(l->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (fd == -1)
		return -1;
	/* A restart need not wait for old connections to time out. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	/* `::` is IPv6 alone: IPv4 has a listener of its own. */
	if (l->ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&l->ss, l->sslen) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		int keep = errno;

		close(fd);
		errno = keep;
		return -1;
	}
	return fd;
}

/* "192.0.2.1:25", "[2001:db8::1]:25" */
static const char *
print_inet(const struct conf_listen *l, char out[128])
{
	char host[64] = "?", port[8] = "?";
	bool v6 = l->ss.ss_family == AF_INET6;

	(void)getnameinfo((const struct sockaddr *)&l->ss, l->sslen, host,
	    sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, 128, v6 ? "[%s]:%s" : "%s:%s", host, port);
	return out;
}

static int
bind_local(const char *path, int type, mode_t mode)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, keep;

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	/* We hold the pid file: what is there was left by a crash. */
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof sun) == -1 ||
	    chmod(path, mode) == -1 || listen(fd, BACKLOG) == -1) {
		keep = errno;
		close(fd);
		errno = keep;
		return -1;
	}
	return fd;
}

const char *
priv_listen(struct parent *p)
{
	const struct conf_listen *l;
	char path[PATH_MAX + 16], inet[128];
	uint32_t i;

	p->listeners = xcalloc(p->conf->listen.n + 1, sizeof *p->listeners);
	for (i = 0; i < p->conf->listen.n; i++) {
		l = CONF_LISTEN(p->conf, i);
		snprintf(path, sizeof path, "%s/smtpd.sock", p->run);
		/* Anybody here may hand in mail; who it was is known. */
		p->listeners[i] = l->local ?
		    bind_local(path, SOCK_STREAM, 0666) :
		    bind_inet(l);
		if (p->listeners[i] == -1) {
			snprintf(why, sizeof why,
			    "%s:%u: cannot listen on %s: %s",
			    conf_text(p->conf, p->conf->path), l->line,
			    l->local ? path : print_inet(l, inet),
			    strerror(errno));
			return why;
		}
	}
	snprintf(path, sizeof path, "%s/control.sock", p->run);
	p->control = bind_local(path, SOCK_SEQPACKET, 0600);
	if (p->control == -1) {
		snprintf(why, sizeof why, "cannot listen on %s: %s", path,
		    strerror(errno));
		return why;
	}
	return NULL;
}

int
priv_open(const char *path)
{
	/* A FIFO would keep us waiting. */
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}
