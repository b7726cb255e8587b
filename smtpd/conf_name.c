/*
 * The mail name of smtpd.conf: what stands behind the `@` of an address that
 * came without one.  Runs in the parent.  A file that has it, as Debian's
 * /etc/mailname, is read when the configuration is, and its name is in the
 * image: no other process opens it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "slice.h"

enum { LINE_SIZE = 1024 };

/* The first line of the file, without the blanks around it: a text that is
 * too long for one is cut, and no name then.  False: that is said. */
static bool
read_line(struct conf_parser *p, const char *path, char out[LINE_SIZE])
{
	struct slice line;
	char text[LINE_SIZE];
	ssize_t n;
	int fd;

	if (!conf_check_path(p, path, false))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd != -1)
		close(fd);
	if (n == -1)
		return conf_wrong(p, "%s cannot be read", path);
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	line = slice_trim(slice_of(text));
	return slice_copy(line, out, LINE_SIZE);
}

bool
conf_read_mail_name(struct conf_parser *p, const struct conf_word *w)
{
	char domain[DOMAIN_MAX + 1], line[LINE_SIZE], shown[CONF_SHOWN_SIZE];
	char where[CONF_SHOWN_SIZE];
	const char *why;

	if (!conf_need_text(p, w->what))
		return false;
	if (p->lex.text[0] != '/')
		return conf_read_host(p, w);
	if (p->text_alone) {
		conf_lex_next(&p->lex);
		return true;
	}
	if (!read_line(p, p->lex.text, line))
		return false;
	why = line[0] == '\0' ? "nothing" : conf_domain(line, 0, domain);
	if (why != NULL)
		return conf_wrong(p,
		    "`%s`: %s: found %s, %s, expected a domain in the first line",
		    w->word, conf_shown(p->lex.text, where),
		    conf_shown(line, shown), why);
	conf_store(p, w, conf_pool_add(p, domain));
	conf_lex_next(&p->lex);
	return true;
}
