/*
 * Greylisting, as sessions ask for it.  Runs in the queue process; never
 * refuses for want of memory or disk.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <string.h>

#include "grey_store.h"
#include "log.h"

/* A window that ends before the delay would let nobody pass. */
static struct grey_times
times_of(const struct conf *c)
{
	struct grey_times t = { .delay = c->grey_delay,
		.window = c->grey_window,
		.keep = c->grey_keep };

	if (t.window <= t.delay)
		t.window = 2 * t.delay + 1;
	return t;
}

/* True: it may pass. */
static bool
judge(struct queue *qu, const struct grey_ask *ask, uint32_t *wait)
{
	struct grey_times times = times_of(qu->p.conf);
	struct grey_known triplet, net, old_triplet, old_net;
	struct grey_triplet t;
	bool pass;

	grey_triplet_of(ask, &t);
	grey_get(qu->grey, &t, &triplet, &net);
	old_triplet = triplet;
	old_net = net;
	pass = grey_judge(&times, now_sec(), &triplet, &net, wait);
	if (memcmp(&triplet, &old_triplet, sizeof triplet) == 0 &&
	    memcmp(&net, &old_net, sizeof net) == 0)
		return pass;
	if (grey_put(qu->grey, &t, &triplet, grey_due(&times, &triplet), &net,
		grey_due(&times, &net)))
		return pass;
	/* What is not remembered would be new for ever. */
	log_debug("greylist: no room to remember");
	return true;
}

void
grey_on_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct grey_ask *ask = msg->body;
	struct grey_is is;
	uint32_t wait;

	if (qu->stopping)
		return; /* the next queue is asked again */
	memset(&is, 0, sizeof is);
	if (qu->grey == NULL || judge(qu, ask, &wait))
		outcome_set(&is.outcome, DONE, WIDTH_RCPT, 250, "2.1.5", "ok");
	else
		outcome_set(&is.outcome, LATER, WIDTH_RCPT, 450, "4.7.1",
		    "Greylisted, try again in %u seconds", wait);
	grey_is_send(from, msg->id, &is, -1);
}
