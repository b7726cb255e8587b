/*
 * The sockets of `lmtp` actions: connected for deliver, which sees no path.
 * Runs in spawn, as root; a path of the configuration is all that it follows,
 * and it neither reads nor writes.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_sock.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "priv_user.h"

/* While it connects: the folders on the way, and the server, see the user. */
static bool
take_ids(const struct sock_user *u)
{
	return setgroups((size_t)u->n_groups, u->groups) == 0 &&
	    setegid(u->gid) == 0 && seteuid(u->uid) == 0;
}

static void
return_ids(void)
{
	const gid_t root = 0;

	if (seteuid(0) == -1 || setegid(0) == -1 || setgroups(1, &root) == -1)
		fatal("cannot be root again: %s", strerror(errno));
}

/* 0, or errno. */
static int
connect_to(const char *path, int *fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int n = snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	int sock, error;

	if (n < 0 || (size_t)n >= sizeof(un.sun_path))
		return ENAMETOOLONG;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock == -1)
		return errno;
	/* To a socket of this kind at once, or not now: EAGAIN. */
	if (connect(sock, (struct sockaddr *)&un, sizeof(un)) == -1) {
		error = errno;
		close(sock);
		return error;
	}
	*fd = sock;
	return 0;
}

static int
connect_as(const struct sock_user *u, const char *path, int *fd)
{
	int error;

	if (u->uid == 0)
		return connect_to(path, fd);
	error = take_ids(u) ? connect_to(path, fd) : EPERM;
	return_ids();
	return error;
}

static void
not_now(struct outcome *o, enum cause cause, const char *ecode,
    const char *what, const char *why)
{
	outcome_set(o, LATER, WIDTH_SITE, 0, ecode, "%s: %s", what, why);
	o->cause = (uint8_t)cause;
}

void
socks_ask(struct socks *s, struct ipc_chan *from, const struct ipc_msg *msg)
{
	const struct sock_ask *ask = msg->body;
	const struct conf *conf = s->proc->conf;
	const struct conf_action *a = NULL;
	const struct sock_user *u = &s->user[conf->action.n];
	const char *path = "";
	struct sock_is is;
	int fd = -1, error;

	memset(&is, 0, sizeof(is));
	if (ask->action < conf->action.n) {
		a = CONF_ACTION(conf, ask->action);
		path = conf_text(conf, a->arg);
		u = &s->user[ask->action];
	}
	if (a == NULL || a->method != METHOD_LMTP || path[0] != '/')
		not_now(&is.outcome, CAUSE_CONFIG, "4.3.5", "the action",
		    "it has no socket");
	else if (u->why != NULL)
		not_now(&is.outcome, CAUSE_CONFIG, "4.3.5",
		    conf_text(conf, a->user), u->why);
	else if ((error = connect_as(u, path, &fd)) != 0)
		not_now(&is.outcome, CAUSE_NETWORK, "4.4.1", path,
		    strerror(error));
	else
		outcome_set(&is.outcome, DONE, WIDTH_SITE, 0, NULL,
		    "connected");
	is.outcome.stage = STAGE_CONNECT;
	sock_is_send(from, msg->id, &is, fd);
	if (fd != -1)
		close(fd);
}

static const char *
find(const char *name, struct sock_user *out)
{
	struct priv_user u;
	const char *why = user_find(name, &u);

	if (why != NULL)
		return why;
	out->n_groups = SOCK_GROUPS;
	if (getgrouplist(name, u.gid, out->groups, &out->n_groups) == -1)
		return "the user is in too many groups";
	out->gid = u.gid;
	out->uid = u.uid;
	return NULL;
}

void
socks_start(struct socks *s)
{
	const struct conf *conf = s->proc->conf;
	const char *user;
	uint32_t i;

	for (i = 0; i < conf->action.n; i++) {
		const struct conf_action *a = CONF_ACTION(conf, i);

		user = conf_text(conf, a->user);
		if (a->method == METHOD_LMTP && user[0] != '\0' &&
		    s->proc->start.jailed != 0)
			s->user[i].why = find(user, &s->user[i]);
	}
}

void
socks_init(struct socks *s, struct proc *p)
{
	s->proc = p;
	s->user = xcalloc(p->conf->action.n + 1, sizeof(*s->user));
}
