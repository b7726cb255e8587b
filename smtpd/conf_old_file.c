/*
 * Files of the grammar before OpenSMTPD 6.4: known by their words, and told
 * what their first rule is now (conf_old.c).  Runs in the parent; nothing of
 * such a file is used.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_parse.h"

#include <string.h>

#include "conf_old.h"

/* Columns: first word of a statement, and of which token that says it; what is
 * said of it. */
static const struct {
	const char *first;
	uint32_t n;
	const char *word, *said, *now;
} pre_6_4[] = {
#define X(first, n, word, said, now) { first, n, word, said, now },
	CONF_PRE_6_4(X)
#undef X
};

void
conf_old_new_form(struct conf_parser *p)
{
	struct conf_old_word word[CONF_OLD_WORDS_MAX];
	const char *file = p->lex.file, *text, *end;
	uint32_t line = p->lex.line;
	struct buf lines;
	size_t n = 0;

	for (; !conf_at_end(p); conf_lex_next(&p->lex)) {
		if (n == CONF_OLD_WORDS_MAX || p->lex.tok == TOK_BAD)
			return;
		word[n].tok = p->lex.tok;
		word[n++].text = arena_copy(&p->lex.names, p->lex.text);
	}
	buf_init(&lines, 0);
	if (conf_old_rule(word, n, &lines)) {
		buf_add(&lines, "", 1);
		conf_error(p->old, file, line,
		    "the rule that begins here is now:");
		for (text = (const char *)buf_data(&lines); *text != '\0';
		     text = end + (*end == '\n')) {
			end = text + strcspn(text, "\n");
			conf_error(p->old, file, line, "    %.*s",
			    (int)(end - text), text);
		}
	}
	buf_free(&lines);
}

void
conf_old_file(struct conf_parser *p, const char *what, const char *now)
{
	conf_errors_free(p->errors);
	conf_wrong(p,
	    "found `%s` of the grammar before OpenSMTPD 6.4, expected that of 6.4 and later, in which %srules are `match` and `action`: see smtpd.conf(5)",
	    what, now);
	/* What else is wrong goes where nobody reads it. */
	p->old = p->errors;
	p->errors = p->lex.errors = &p->not_yet;
	conf_errors_free(p->errors);
	buf_drain(&p->missing, p->missing.len);
}

bool
conf_old_begins(const struct conf_parser *p)
{
	return conf_lex_is(&p->lex, "accept") || conf_lex_is(&p->lex, "reject");
}

void
conf_old_look(struct conf_parser *p, const char *first)
{
	size_t i;

	for (i = 0; i < sizeof(pre_6_4) / sizeof(pre_6_4[0]); i++) {
		if (strcmp(first, pre_6_4[i].first) == 0 &&
		    p->lex.count == pre_6_4[i].n &&
		    conf_lex_is(&p->lex, pre_6_4[i].word)) {
			conf_old_file(p, pre_6_4[i].said, pre_6_4[i].now);
			return;
		}
	}
}
