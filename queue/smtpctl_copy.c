/*
 * A message on standard input, kept until it is printed.  Run by an operator.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_copy.h"

#include <err.h>
#include <string.h>

#include "dkim_sign.h"

enum { PIECE = 32768 };

bool
copy_open(struct copy *c)
{
	if ((c->file = tmpfile()) == NULL)
		warn("temporary file");
	return c->file != NULL;
}

static void
look(struct copy *c, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	for (; p < end; p++) {
		if (*p == '\n')
			*(c->was_cr ? &c->crlf : &c->lf) = true;
		else if (c->was_cr)
			c->bare_cr = true;
		if (*p == '\0')
			c->nul = true;
		c->was_cr = *p == '\r';
	}
}

void
copy_add(struct copy *c, const uint8_t *p, size_t len)
{
	look(c, p, len);
	if (fwrite(p, 1, len, c->file) != len)
		c->failed = true;
}

bool
copy_end(struct copy *c)
{
	if (!c->failed && fflush(c->file) == 0)
		return true;
	warn("the message cannot be kept");
	return false;
}

const char *
copy_check(const struct copy *c, const struct mail_read *m)
{
	const char *why;

	if (c->nul)
		return "a NUL byte in the message";
	if (c->bare_cr || c->was_cr)
		return "a CR without a LF in the message";
	if (c->lf && c->crlf)
		return "lines of the message end in LF and in CRLF";
	if (m->malformed != NULL)
		return m->malformed;
	if ((why = dkim_sign_check(m)) != NULL)
		return why;
	/* That of a mailbox file is passed over when it is the first. */
	if (m->field[0].all.p != (const char *)buf_data(&m->header))
		return "the header section begins with a line that is no field";
	return NULL;
}

bool
copy_print(struct copy *c, const struct buf *fields)
{
	const uint8_t *p = buf_data(fields);
	const uint8_t *end = p + fields->len;
	static char piece[PIECE];
	size_t n;

	for (; p < end; p++)
		if (*p != '\r' || !c->lf)
			putchar(*p);
	rewind(c->file);
	while ((n = fread(piece, 1, sizeof(piece), c->file)) > 0)
		fwrite(piece, 1, n, stdout);
	if (!ferror(c->file) && fflush(stdout) == 0 && !ferror(stdout))
		return true;
	warn("standard output");
	return false;
}

void
copy_close(struct copy *c)
{
	if (c->file != NULL)
		fclose(c->file);
	memset(c, 0, sizeof(*c));
}
