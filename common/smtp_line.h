/*
 * The one place that knows line endings and dots: commands, replies and
 * content, in and out (RFC 5321 2.3.8, 4.1.1.4, 4.5.2).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SMTP_LINE_H
#define COMMON_SMTP_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

/* ---- a command or a reply line ---- */

enum smtp_line {
	LINE_MORE, /* no whole line yet */
	LINE_CRLF, /* a line; without its CRLF in *line */
	LINE_BARE, /* a line that ended in a bare LF, or holds a bare CR */
	LINE_LONG  /* more than max bytes without an end: drop them */
};

/*
 * Looks at the front of in (len bytes) for a line of at most max bytes, CRLF
 * included.  *line is the text, *used the bytes to drain; for LINE_LONG the
 * caller drains *used and calls again until another result comes, and that
 * line too is the end of the long one.
 */
enum smtp_line smtp_line_get(const uint8_t *in, size_t len, size_t max,
    struct slice *line, size_t *used);

/* ---- content coming in ---- */

/* What was seen on the way; CONTENT_* of facts.h for what lasts. */
enum {
	DATA_BARE_CR = 1,
	DATA_BARE_LF = 2,
	DATA_NUL = 4,
	DATA_LONG_LINE = 8,  /* a line longer than max_line */
	DATA_BIG_HEADER = 16 /* a header section longer than max_header */
};

/* How content comes: by DATA; by BDAT, which has no dots; by BDAT and with
 * BODY=BINARYMIME, when it stays as it is, whatever it holds (RFC 3030 3). */
enum smtp_form { FORM_DOTS, FORM_TEXT, FORM_BINARY };

struct smtp_data {
	size_t max_line, max_header; /* bytes */
	uint32_t seen;               /* DATA_* */
	uint32_t content;            /* CONTENT_* */
	uint32_t hops;               /* Received fields in the header */
	uint64_t size; /* bytes of content so far, CRLFs included, no dots */
	bool done;     /* CRLF.CRLF was read, or smtp_data_end() called */
	/* private */
	uint8_t form;
	uint8_t state;
	bool in_header;
	size_t line;     /* bytes of this line so far */
	uint64_t header; /* bytes of the header so far */
	char start[16];  /* first bytes of the line: to count Received */
};

void smtp_data_init(struct smtp_data *d, enum smtp_form form, size_t max_line,
    size_t max_header);

/*
 * Takes len bytes of content as it comes, writes the content (dots removed,
 * CRLF kept; bare CR and LF become CRLF) to out, which has room for
 * 2 * len + 4 bytes.  Returns how many bytes of in were used (all, unless
 * d->done) and sets *out_len.  Only CRLF.CRLF ends it, and without dots (BDAT)
 * nothing that is in it.
 */
size_t smtp_data_in(struct smtp_data *d, const uint8_t *in, size_t len,
    uint8_t *out, size_t *out_len);

/* The last chunk was read: what is left of it goes to out, which has room for
 * 2 bytes.  Returns bytes written. */
size_t smtp_data_end(struct smtp_data *d, uint8_t *out);

/*
 * How many of len > 0 bytes of content belong to the line that they begin in:
 * all, or those up to its CRLF, and then *end is true.  A CR or LF alone ends
 * nothing (BINARYMIME may hold them).  *was_cr: the byte before was CR; kept
 * for the next call.
 */
size_t smtp_line_rest(const uint8_t *p, size_t len, bool *was_cr, bool *end);

/* The content was changed on its way: from here on d says of it what made
 * does, which has read what became of it to the same place. */
void smtp_data_adopt(struct smtp_data *d, const struct smtp_data *made);

/* ---- content going out ---- */

struct smtp_stuff {
	bool mid_line; /* private: zero at the start */
	bool was_cr;
};

/* Adds len bytes of content to out (room for 2 * len), a dot doubled at the
 * start of each line.  Returns bytes written. */
size_t smtp_stuff_out(struct smtp_stuff *s, const uint8_t *in, size_t len,
    uint8_t *out);

/* After the content: ".CRLF", with a CRLF before it where the content did not
 * end in one.  Returns bytes written, at most 5. */
size_t smtp_stuff_end(struct smtp_stuff *s, uint8_t *out);

#endif
