/*
 * struct content: the same in pieces as at once; what goes out has no CRLF that
 * came in, no Return-Path field in its header, and in an mbox no line that
 * begins with "From ".
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "buf.h"
#include "local_content.h"

#define RCPT "b@c.d"

static bool
put(void *arg, const void *p, size_t len)
{
	MUST(len != 0);
	return buf_add(arg, p, len);
}

static void
convert(struct slice in, unsigned int how, size_t piece, struct buf *out,
    struct content *c)
{
	struct slice part;
	char *copy;

	buf_init(out, 0);
	content_start(c, how, RCPT, put, out);
	while (in.len != 0) {
		part = fuzz_take(&in, piece);
		copy = fuzz_copy(part.p, part.len);
		MUST(content_feed(c, copy, part.len));
		free(copy);
	}
	MUST(content_end(c));
}

static bool
begins(const char *p, const char *end, const char *with)
{
	size_t n = strlen(with);
	struct slice front = { p, n };

	return (size_t)(end - p) >= n && slice_eqcase(front, slice_of(with));
}

/* "name:", with blanks before the colon, which is looked for no further than
 * the line goes. */
static bool
is_field(const char *p, const char *lf)
{
	const char *name = p;

	while (p != lf && (unsigned char)*p > ' ' && *p != ':')
		p++;
	if (p == name)
		return false;
	while (p != lf && (*p == ' ' || *p == '\t'))
		p++;
	return p != lf && *p == ':';
}

static void
check(const struct buf *out, unsigned int how)
{
	const char *p = (const char *)buf_data(out), *end = p + out->len, *lf;
	bool header = true;

	MUST(out->len == 0 || end[-1] == '\n');
	for (; p != end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (!is_field(p, lf) && *p != ' ' && *p != '\t')
			header = false;
		MUST((how & COPY_FROM) == 0 || !begins(p, lf, "From ") ||
		    memcmp(p, "From", 4) != 0 || is_field(p, lf));
		MUST(!header || (how & COPY_AS_IS) != 0 ||
		    !begins(p, lf, "Return-Path:"));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static struct content one, two;
	struct slice s = { (const char *)in, len };
	unsigned int how = fuzz_byte(&s) % 4;
	size_t piece = fuzz_byte(&s) % 16 + 1;
	struct buf whole, parts;

	convert(s, how, s.len + 1, &whole, &one);
	convert(s, how, piece, &parts, &two);
	MUST(one.in == s.len && two.in == s.len);
	MUST(one.loop == two.loop && one.spam == two.spam);
	MUST(whole.len == parts.len &&
	    memcmp(buf_data(&whole), buf_data(&parts), whole.len) == 0);
	check(&whole, how);
	buf_free(&whole);
	buf_free(&parts);
	return 0;
}
