/*
 * sendmail_message.c: whatever a program pipes in, what goes to the daemon
 * has a header, an empty line and whole lines; and given to sendmail again,
 * it stays as it is.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "sendmail_message.h"

static const struct message_sender who = { "joe@example.org", "Joe" };

/* What stands in header and body together; the body's bytes are counted. */
static struct buf
written(struct message *m)
{
	struct buf out;
	uint8_t *room;
	bool ok;

	buf_init(&out, 0);
	MUST(message_header(m, &out));
	if (m->size > 0) {
		room = buf_room(&out, m->size + 1);
		MUST(message_body(m, room, m->size + 1, &ok) == m->size && ok);
		MUST(message_body(m, room + m->size, 1, &ok) == 0 && ok);
		buf_filled(&out, m->size);
	}
	return out;
}

static void
must_have_whole_lines(const uint8_t *p, size_t len)
{
	size_t i;

	MUST(len >= 2 && p[len - 1] == '\n');
	for (i = 0; i < len; i++) {
		MUST(p[i] != '\0');
		MUST((p[i] == '\r') == (i + 1 < len && p[i + 1] == '\n'));
	}
}

static const char *
must_be_inside(void *arg, struct slice address)
{
	(void)arg;
	MUST(address.len > 0 && memchr(address.p, '\0', address.len) == NULL);
	return NULL;
}

/* Reads what is no empty input, and completes it.  *out is to be freed. */
static bool
pass(const void *p, size_t len, bool dots, struct buf *out)
{
	const struct message_how how = { .dots = dots };
	struct message m;
	FILE *in = fmemopen((void *)(uintptr_t)p, len, "r");
	bool good;
	int status;

	good = message_read(&m, in, &how, &status) == NULL;
	MUST(good == (status == 0));
	fclose(in);
	if (good) {
		(void)message_rcpts(&m, must_be_inside, NULL);
		good = message_add_from(&m, &who);
	}
	if (good)
		*out = written(&m);
	message_free(&m);
	return good;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct buf one, two;

	if (len < 2 || !pass(in + 1, len - 1, in[0] & 1, &one))
		return 0;
	must_have_whole_lines(buf_data(&one), one.len);
	MUST(pass(buf_data(&one), one.len, true, &two));
	MUST(one.len == two.len &&
	    memcmp(buf_data(&one), buf_data(&two), one.len) == 0);
	buf_free(&one);
	buf_free(&two);
	return 0;
}
