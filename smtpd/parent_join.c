/*
 * Channels between children: who may talk to whom.  Runs in the parent, which
 * keeps no end of them.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

static bool
give_peer(struct child *ch, const struct child *peer, int fd)
{
	struct proc_peer m;

	memset(&m, 0, sizeof m);
	m.kind = peer->kind;
	m.instance = peer->instance;
	return proc_peer_send(&ch->chan, 0, &m, fd);
}

/*
 * Who may talk to whom: a generation with itself, and the queue, of which
 * there is one, with all that hand mail in, take it out, or ask.  What the
 * queue tells deliver and spawn has numbers of a configuration, so one that is
 * newer than the queue waits for its own; one that is older takes nothing new.
 */
static bool
may_talk(const struct child *queue, const struct child *other)
{
	if (queue->gen == other->gen)
		return true;
	if (queue->kind != PROC_QUEUE || other->gen->dismissed)
		return false;
	return other->kind == PROC_SESSION || other->kind == PROC_CONTROL ||
	    ((other->kind == PROC_DELIVER || other->kind == PROC_SPAWN) &&
		other->gen->number < queue->gen->number);
}

/* A channel between the two, if the table has a message for them. */
static void
join(struct child *a, void *arg)
{
	struct child *b = arg;
	int pair[2];

	if (a == b || a->state == CHILD_DOWN || a->chan.fd == -1 ||
	    !ipc_related(a->kind, b->kind) ||
	    (!may_talk(a, b) && !may_talk(b, a)))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == -1) {
		log_warn("no-channel", "between=%s and=%s why=%s",
		    proc_table[a->kind].program, proc_table[b->kind].program,
		    q(strerror(errno)));
		/* Without it b is of no use; it is started again later. */
		child_kill(b);
		return;
	}
	give_peer(a, b, pair[0]);
	give_peer(b, a, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

void
child_join(struct child *ch)
{
	child_each(ch->parent, join, ch);
}
