/*
 * report_row.c, report_xml.c: whatever bytes a note has, it is
 * taken as a row that packs and is read again as the same, or not at all; a row
 * that is read packs again; its XML has no byte but those that XML may have.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "report_row.h"
#include "report_xml.h"

static void
must_be_xml(const struct buf *b)
{
	struct slice left = { (const char *)buf_data(b), b->len };
	size_t len;

	while (left.len > 0) {
		len = slice_utf8(left);
		MUST(len > 0);
		MUST(len > 1 || *left.p == '\n' ||
		    (*left.p >= ' ' && *left.p != 127));
		left.p += len;
		left.len -= len;
	}
}

static void
try_row(const struct report_row *row)
{
	uint8_t *out = malloc(REPORT_ROW_MAX);
	struct report_row *again = malloc(sizeof *again);
	struct report_hash hash;
	struct buf b;
	size_t len;

	len = report_pack(row, out, &hash);
	MUST(len <= REPORT_ROW_MAX);
	MUST(report_unpack(out, len, again));
	MUST(memcmp(row, again, sizeof *row) == 0);
	buf_init(&b, 0);
	report_xml_row(&b, row);
	must_be_xml(&b);
	buf_free(&b);
	free(out);
	free(again);
}

/* As it comes from session: texts end with a NUL. */
static void
try_note(struct slice in)
{
	struct report_note *note = calloc(1, sizeof *note);
	struct report_entry *e = malloc(sizeof *e);

	memcpy(note, in.p, in.len < sizeof *note ? in.len : sizeof *note);
	note->client[sizeof note->client - 1] = '\0';
	note->author[sizeof note->author - 1] = '\0';
	note->sender[sizeof note->sender - 1] = '\0';
	note->policy_domain[sizeof note->policy_domain - 1] = '\0';
	note->fo[sizeof note->fo - 1] = '\0';
	note->spf_domain[sizeof note->spf_domain - 1] = '\0';
	note->dkim_text[sizeof note->dkim_text - 1] = '\0';
	if (report_of_note(note, note->when, e) == NULL)
		try_row(&e->row);
	free(note);
	free(e);
}

static void
try_stored(struct slice in)
{
	void *copy = fuzz_copy(in.p, in.len);
	struct report_row *row = calloc(1, sizeof *row);

	if (report_unpack(copy, in.len, row))
		try_row(row);
	free(copy);
	free(row);
}

static void
try_head(struct slice in)
{
	void *copy = fuzz_copy(in.p, in.len);
	uint8_t out[REPORT_HEAD_MAX];
	struct report_head head, again;

	if (report_unpack_head(copy, in.len, &head)) {
		MUST(report_unpack_head(out, report_pack_head(&head, out),
		    &again));
		MUST(memcmp(&head, &again, sizeof head) == 0);
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static void (*const tries[])(struct slice in) = { try_note, try_stored,
		try_head };
	struct slice rest = { (const char *)in, len };

	tries[fuzz_byte(&rest) % (sizeof tries / sizeof tries[0])](rest);
	return 0;
}
