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
conf_errors_append(struct conf_errors *errors, size_t i, const char *more)
{
	size_t had = strlen(errors->text[i]), len = strlen(more) + 1;

	/* The last one may say that there were too many. */
	if (i == CONF_ERRORS_MAX - 1)
		return;
	errors->text[i] = xrealloc(errors->text[i], had + len, 1);
	memcpy(errors->text[i] + had, more, len);
}

void
conf_errors_free(struct conf_errors *errors)
{
	while (errors->n > 0)
		free(errors->text[--errors->n]);
}

/* The texts of more go behind those of errors, as far as there is room. */
static void
join(struct conf_errors *errors, struct conf_errors *more)
{
	size_t i;

	for (i = 0; i < more->n && !conf_errors_full(errors); i++) {
		errors->text[errors->n++] = more->text[i];
		more->text[i] = NULL;
	}
	conf_errors_free(more);
}

/*
 * What was copied last is in the vector registers, and a signal would put
 * those on the stack, where they stay.  So zeroes are copied the same ways:
 * libc has one for some hundred bytes, and one for more.
 */
static void
wipe_registers(void)
{
	static const size_t sizes[] = { 64, 128, 256, 512, 1024 };
	char from[1024] = { 0 }, to[1024];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memcpy(to, from, sizes[i]);
		/* Somebody looks at it, as far as the compiler can see. */
		explicit_bzero(to, sizes[i]);
		explicit_bzero(from, sizes[i]);
	}
}

void
conf_wipe(void *mem, size_t size)
{
	if (mem == NULL)
		return;
	explicit_bzero(mem, size);
	wipe_registers();
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
	struct buf *all[] = {
#define X(name, row) &p->name,
		CONF_LISTS(X) CONF_INNER_LISTS(X)
#undef X
		    & p->where,
		&p->missing, &p->pool
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		buf_free(all[i]);
	conf_lex_free(&p->lex);
	/* The last word may have been a secret. */
	conf_wipe(p, sizeof(*p));
	free(p);
}

/* The image of what was read without an error. */
static void
make_image(struct conf_parser *p, const char *path, struct conf_image *out)
{
	conf_net_local(add_local, p);
	*out = conf_build(p);
	if (out->conf == NULL)
		conf_error(p->errors, path, 0, "too large for a configuration");
}

/* Its buffers have no ceiling: what is read has one. */
static struct conf_parser *
new_parser(struct conf_errors *errors)
{
	struct conf_parser *p = xcalloc(1, sizeof(*p));

	p->errors = errors;
	p->pool.wipe = true;
	conf_lex_init(&p->lex, errors);
	return p;
}

bool
conf_file_resolver(const char *path, const struct conf_macro *macros, size_t n,
    struct sockaddr_storage *ss, uint32_t *timeout, struct conf_errors *errors)
{
	struct conf_parser *p = new_parser(errors);

	p->text_alone = true;
	conf_parse(p, path, macros, n);
	*ss = p->f.conf.resolver;
	*timeout = p->f.conf.resolver_timeout;
	conf_errors_free(&p->not_yet);
	conf_errors_free(&p->warnings);
	free_parser(p);
	return errors->n == 0;
}

enum conf_verdict
conf_file_load(const char *path, const struct conf_macro *macros, size_t n,
    struct conf_image *out, struct conf_errors *errors)
{
	struct conf_parser *p = new_parser(errors);
	enum conf_verdict verdict;

	*out = (struct conf_image){ 0 };
	conf_parse(p, path, macros, n);
	if (errors->n == 0)
		make_image(p, path, out);
	verdict = errors->n > 0 ? CONF_WRONG :
	    p->not_yet.n > 0    ? CONF_NOT_YET_HERE :
				  CONF_GOOD;
	join(errors, &p->not_yet);
	if (out->conf != NULL)
		out->warnings = p->warnings;
	else
		conf_errors_free(&p->warnings);
	free_parser(p);
	return verdict;
}
