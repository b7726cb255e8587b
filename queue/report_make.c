/*
 * A report out of its rows, as XML, zipped.  Used by smtpctl; reads the facts.
 *
 * What is in memory of a day's rows is their hashes and counts, then one row,
 * and what has come out of zlib.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report_make.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>
#include <zlib.h>

#include "report_store.h"
#include "report_xml.h"

#define PIECE 65536     /* bytes that are zipped at once */
#define GZIP  (15 + 16) /* zlib: the largest window, and RFC 1952's header */

bool
report_words_read(struct index *ix, struct report_words *w)
{
	unsigned int i;

	memset(w, 0, sizeof *w);
	for (i = 0; i < REPORT_FACTS_N; i++)
		index_fact_get(ix, report_facts[i], w->text[i],
		    sizeof w->text[i]);
	return w->text[REPORT_FROM][0] != '\0' &&
	    w->text[REPORT_HOST][0] != '\0';
}

/* ---- zipping ---- */

struct sink {
	struct buf xml; /* not yet in out */
	struct buf *out;
	z_stream z;
};

/* What is in s->xml, when it is enough; last: and the end.  False: no
 * memory. */
static bool
sink_more(struct sink *s, bool last)
{
	int rc;

	if (!last && s->xml.len < PIECE)
		return true;
	s->z.next_in = (Bytef *)(uintptr_t)buf_data(&s->xml);
	s->z.avail_in = (uInt)s->xml.len;
	do {
		s->z.next_out = buf_room(s->out, PIECE);
		s->z.avail_out = PIECE;
		rc = deflate(&s->z, last ? Z_FINISH : Z_NO_FLUSH);
		if (rc == Z_STREAM_ERROR)
			return false;
		buf_filled(s->out, PIECE - s->z.avail_out);
	} while (s->z.avail_out == 0);
	buf_drain(&s->xml, s->xml.len);
	return !last || rc == Z_STREAM_END;
}

static bool
sink_open(struct sink *s, struct buf *out)
{
	memset(s, 0, sizeof *s);
	s->out = out;
	buf_init(out, 0);
	buf_init(&s->xml, 0);
	return deflateInit2(&s->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, 8,
		   Z_DEFAULT_STRATEGY) == Z_OK;
}

static void
sink_close(struct sink *s)
{
	deflateEnd(&s->z);
	buf_free(&s->xml);
}

bool
report_unzip(const struct report_made *made, report_piece *fn, void *arg)
{
	uint8_t out[PIECE / 4];
	z_stream z = { .next_in = (Bytef *)(uintptr_t)buf_data(&made->body),
		.avail_in = (uInt)made->body.len };
	bool more = true;
	int rc;

	if (inflateInit2(&z, GZIP) != Z_OK)
		return false;
	do {
		z.next_out = out;
		z.avail_out = sizeof out;
		rc = inflate(&z, Z_NO_FLUSH);
		if (rc == Z_OK || rc == Z_STREAM_END)
			more = fn(arg, out, sizeof out - z.avail_out);
	} while (rc == Z_OK && more);
	inflateEnd(&z);
	return rc == Z_STREAM_END && more;
}

/* ---- the report ---- */

/* Another report, also of the same day to the same domain, has another; the
 * same rows after a crash have the same. */
static void
make_id(const struct report_words *w, uint32_t day, const char *domain,
    const struct report_head *head, struct report_made *made)
{
	XXH128_canonical_t sum;
	char text[2 * REPORT_FACT_MAX];
	int i, n;

	n = snprintf(text, sizeof text, "%s %s %u %u %" PRIu64,
	    w->text[REPORT_HOST], domain, day, head->sent,
	    made->rows < made->all ? made->rows : 0);
	XXH128_canonicalFromHash(&sum, XXH3_128bits(text, (size_t)n));
	for (i = 0; i < 16; i++)
		snprintf(made->id + 2 * i, 3, "%02x", sum.digest[i]);
}

/* What is not as it was (RFC 9990 3.1.5). */
static void
say_error(const struct report_head *head, const struct report_made *made,
    char *out, size_t size)
{
	int n = 0;

	out[0] = '\0';
	if (made->rows < made->all)
		n += snprintf(out, size,
		    "Cut to fit: %" PRIu64 " of %" PRIu64
		    " records, the most frequent. ",
		    made->rows, made->all);
	if (head->shortened > 0)
		n += snprintf(out + n, size - (size_t)n,
		    "Signatures of %" PRIu64 " messages are left out. ",
		    head->shortened);
	if (head->dropped > 0)
		n += snprintf(out + n, size - (size_t)n,
		    "%" PRIu64 " messages are not counted. ", head->dropped);
	if (n > 0)
		out[n - 1] = '\0';
}

static bool
put_rows(struct report_reader *r, const struct report_mention *mentions,
    struct sink *s, struct report_made *made)
{
	struct report_row row;
	uint64_t i;

	for (i = 0; i < made->rows; i++) {
		if (!report_read_row(r, &mentions[i].hash, &row))
			continue;
		report_xml_row(&s->xml, &row);
		made->messages += row.count;
		if (!sink_more(s, false))
			return false;
	}
	return true;
}

static bool
put_report(struct report_reader *r, const struct report_head *head,
    struct report_about *about, const struct report_mention *mentions,
    struct report_made *made)
{
	char error[256];
	struct sink s;
	bool ok;

	say_error(head, made, error, sizeof error);
	about->error = error;
	if (!sink_open(&s, &made->body))
		return false;
	report_xml_begin(&s.xml, about, &head->policy);
	ok = put_rows(r, mentions, &s, made);
	report_xml_end(&s.xml);
	ok = ok && sink_more(&s, true);
	sink_close(&s);
	return ok;
}

bool
report_make(struct index *ix, const struct report_words *w, uint32_t day,
    const char *domain, uint64_t rows, struct report_made *made)
{
	struct report_about about = { .org = w->text[REPORT_ORG],
		.email = w->text[REPORT_FROM],
		.host = w->text[REPORT_HOST],
		.contact = w->text[REPORT_CONTACT],
		.domain = domain,
		.day = day };
	struct report_mention *mentions;
	struct report_reader *r;
	struct report_head head;
	bool ok;

	memset(made, 0, sizeof *made);
	if ((r = report_read(ix, day, domain, &head)) == NULL)
		return false;
	made->all = report_mentions(r, &mentions);
	made->rows = made->all < rows ? made->all : rows;
	made->begin = day * REPORT_DAY;
	made->end = made->begin + REPORT_DAY - 1;
	make_id(w, day, domain, &head, made);
	about.begin = made->begin;
	about.end = made->end;
	about.id = made->id;
	ok = made->rows > 0 && put_report(r, &head, &about, mentions, made);
	free(mentions);
	report_read_end(&r);
	if (!ok)
		buf_free(&made->body);
	return ok;
}
