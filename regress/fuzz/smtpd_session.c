/*
 * A session: whatever a client says, and however it is cut, it gets the same
 * well-formed replies, the queue hears the same, and nothing is left at the
 * end.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "session_world.h"

#define TALK_MAX 1024 /* bytes; the replies to them fit a world */
#define IDLE     24   /* turns without a word after which it is silent */

struct talk {
	char said[sizeof the_world.said];
	size_t n_said;
	char heard[sizeof the_world.heard];
	int closed;
};

/* Until nobody says anything more. */
static void
settle(struct world *w)
{
	size_t before;
	int i;

	for (i = 0; i < IDLE && !w->closed; i++) {
		before = w->n_said;
		turn(w);
		if (w->n_said != before)
			i = 0;
	}
}

static void
talk(struct slice in, size_t step, struct talk *t)
{
	struct world *w = &the_world;
	struct slice piece;

	world_open(w);
	settle(w);
	while (in.len > 0 && !w->closed) {
		piece = fuzz_take(&in, step);
		send_client(w, piece.p, piece.len);
		settle(w);
	}
	memcpy(t->said, w->said, t->n_said = w->n_said);
	memcpy(t->heard, w->heard, sizeof t->heard);
	t->closed = w->closed;
	close(w->client);
	w->client = -1;
	world_close(w);
	MUST(unit_failed == 0);
}

/* RFC 5321 4.2: code, blank or hyphen, text, CRLF. */
static void
must_be_replies(struct slice said)
{
	struct slice line;
	size_t i;

	MUST(said.len == 0 || said.p[said.len - 1] == '\n');
	while (said.len > 0) {
		line = fuzz_line(&said);
		MUST(line.len >= 5 && line.len <= 1000);
		MUST(line.p[line.len - 1] == '\r');
		MUST(line.p[0] >= '2' && line.p[0] <= '5');
		MUST(line.p[3] == ' ' || line.p[3] == '-');
		for (i = 0; i < line.len - 1; i++)
			MUST(line.p[i] >= ' ' && line.p[i] <= '~');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static struct talk one, two;
	struct slice all = { (const char *)in, len };
	size_t step = 1 + fuzz_byte(&all) % 64;

	if (len > TALK_MAX)
		return 0;
	fuzz_quiet();
	talk(all, TALK_MAX, &one);
	must_be_replies((struct slice){ one.said, one.n_said });
	talk(all, step, &two);
	MUST(one.n_said == two.n_said);
	MUST(memcmp(one.said, two.said, one.n_said) == 0);
	MUST(one.closed == two.closed && strcmp(one.heard, two.heard) == 0);
	return 0;
}
