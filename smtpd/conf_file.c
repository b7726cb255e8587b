/*
 * The way from smtpd.conf to its image, and the list of what is wrong on that
 * way.  Runs in the parent, at start and reload.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "log.h"

bool
conf_errors_full(const struct conf_errors *errors)
{
	return errors->n == CONF_ERRORS_MAX;
}

void
conf_error(struct conf_errors *errors, const char *file, uint32_t line,
    const char *fmt, ...)
{
	char text[2048], at[16] = "", *all;
	size_t size;
	va_list ap;

	if (conf_errors_full(errors))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (errors->n == CONF_ERRORS_MAX - 1)
		snprintf(text, sizeof(text),
		    "too many errors, the rest was not read");
	if (line != 0)
		snprintf(at, sizeof(at), "%u:", line);
	size = strlen(file) + strlen(at) + strlen(text) + sizeof(": ");
	all = xcalloc(1, size);
	snprintf(all, size, "%s:%s %s", file, at, text);
	errors->text[errors->n++] = all;
}

void
conf_errors_free(struct conf_errors *errors)
{
	while (errors->n > 0)
		free(errors->text[--errors->n]);
}

static void
add_local(void *self, const char *ip)
{
	struct conf_parser *p = self;
	struct conf_entry e = { .key = conf_pool_add(p, ip) };

	buf_add(&p->local_addr, &e, sizeof(e));
}

static void
free_parser(struct conf_parser *p)
{
	struct buf *all[] = { &p->where, &p->listen, &p->table, &p->action,
		&p->match, &p->dkim, &p->retry, &p->entry, &p->local_addr,
		&p->pool };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		buf_free(all[i]);
	conf_lex_free(&p->lex);
	free(p);
}

int
conf_file_load(const char *path, const struct conf_macro *macros, size_t n,
    struct conf_image *out, struct conf_errors *errors)
{
	/* Its buffers have no ceiling: what is read has one. */
	struct conf_parser *p = xcalloc(1, sizeof(*p));

	*out = (struct conf_image){ 0 };
	p->errors = errors;
	conf_lex_init(&p->lex, errors);
	conf_parse(p, path, macros, n);
	if (errors->n == 0) {
		conf_net_local(add_local, p);
		*out = conf_build(p);
		if (out->conf == NULL)
			conf_error(errors, path, 0,
			    "too large for a configuration");
	}
	free_parser(p);
	return errors->n == 0 ? 0 : -1;
}
