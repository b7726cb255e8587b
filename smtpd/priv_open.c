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
#include <string.h>
#include <unistd.h>

#include "parent.h"

#define BACKLOG 1024

static char why[PATH_MAX + 256];

static int
close_keeping_errno(int fd)
{
	int keep = errno;

	close(fd);
	errno = keep;
	return -1;
}

static int
inet_socket(const struct conf_listen *l)
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
	return fd;
}

void
priv_share(const int *fds, size_t n, bool on)
{
	int yes = on;
	size_t i;

	for (i = 0; i < n; i++) {
		if (fds[i] != -1)
			setsockopt(fds[i], SOL_SOCKET, SO_REUSEPORT, &yes,
			    sizeof yes);
	}
}

static int
bind_inet(const struct conf_listen *l, const int *beside, size_t n)
{
	const struct sockaddr *sa = (const struct sockaddr *)&l->ss;
	int fd = inet_socket(l), got, keep;

	if (fd == -1)
		return -1;
	if (bind(fd, sa, l->sslen) == 0)
		return fd;
	if (errno != EADDRINUSE || n == 0)
		return close_keeping_errno(fd);
	/* Ours may be who uses it: 0.0.0.0 becomes 192.0.2.1, or was it. */
	priv_share(&fd, 1, true);
	priv_share(beside, n, true);
	got = bind(fd, sa, l->sslen);
	keep = errno;
	priv_share(beside, n, false);
	errno = keep;
	return got == 0 ? fd : close_keeping_errno(fd);
}

/* "192.0.2.1:25", "[2001:db8::1]:25" */
static const char *
print_inet(const struct conf_listen *l, char *out)
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
	int fd;

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
	    chmod(path, mode) == -1)
		return close_keeping_errno(fd);
	return fd;
}

void
priv_local_path(const struct parent *p, char out[PATH_MAX + 16])
{
	snprintf(out, PATH_MAX + 16, "%s/smtpd.sock", p->run);
}

int
priv_bind(const struct parent *p, const struct conf_listen *l,
    const int *beside, size_t n)
{
	char path[PATH_MAX + 16];

	if (!l->local)
		return bind_inet(l, beside, n);
	/* Anybody here may hand in mail; who it was is known. */
	priv_local_path(p, path);
	return bind_local(path, SOCK_STREAM, 0666);
}

const char *
priv_bind_print(const struct parent *p, const struct conf_listen *l)
{
	static char text[PATH_MAX + 16];

	if (!l->local)
		return print_inet(l, text);
	priv_local_path(p, text);
	return text;
}

bool
priv_listen(int fd)
{
	return listen(fd, BACKLOG) == 0;
}

const char *
priv_control(struct parent *p)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof path, "%s/control.sock", p->run);
	p->control = bind_local(path, SOCK_SEQPACKET, 0600);
	/* queue's user may say that reports were sent: control lets it say no
	 * more. */
	if (p->control != -1 &&
	    (!p->jailed ||
		(lchown(path, 0, p->gid[PROC_QUEUE]) == 0 &&
		    chmod(path, 0660) == 0)) &&
	    priv_listen(p->control))
		return NULL;
	snprintf(why, sizeof why, "cannot listen on %s: %s", path,
	    strerror(errno));
	return why;
}

int
priv_open(const char *path)
{
	/* A FIFO would keep us waiting. */
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}
