/*
 * Words of smtpd.conf: what the grammar sees after macros, include files,
 * comments, quotes and continued lines.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_LEX_H
#define SMTPD_CONF_LEX_H

#include "arena.h"
#include "buf.h"
#include "conf_file.h"
#include "conf_source.h"
#include "slice.h"

enum {
	CONF_WORD_MAX = 8191,          /* bytes of a word */
	CONF_TEXT_MAX = 32 << 20,      /* bytes of all files and macros */
	CONF_DEPTH_MAX = 16,           /* files that include one another */
	CONF_MACROS_MAX = 1024,        /* macros */
	CONF_MACRO_NAME_MAX = 64,      /* bytes of a macro's name */
	CONF_SHOWN_MAX = 160,          /* bytes of a word in a message */
	CONF_SHOWN_SIZE = 4 * 160 + 32 /* room for it, with quotes and NUL */
};

/* A token that is a single character is that character. */
enum conf_tok {
	TOK_EOF = 0,
	TOK_EOL = '\n',
	TOK_WORD = 256, /* bare: may be a keyword */
	TOK_STRING,     /* quoted: never is */
	TOK_ARROW,      /* => */
	TOK_BAD         /* the reason has been said */
};

struct conf_lex {
	/* the token at hand */
	int tok;          /* enum conf_tok */
	const char *file; /* where it stands */
	uint32_t line;
	uint32_t count;      /* tokens since conf_lex_statement() */
	bool first;          /* on its line */
	bool cut;            /* the file ended in a list, which has been said */
	unsigned int braces; /* open lists: in them a newline is a blank */
	uint32_t brace_line; /* where the outer one began */
	size_t len;
	char text[CONF_WORD_MAX + 1]; /* of words and strings */

	/* the rest is the lexer's own */
	struct conf_errors *errors;
	bool quiet;         /* errors of words are not said */
	bool stop;          /* the rest is not worth reading */
	size_t read;        /* bytes so far, of CONF_TEXT_MAX */
	uint32_t long_line; /* last string that went over a line's end */
	struct slice macro; /* text of a macro, before the file's */
	struct buf macros;  /* struct conf_define */
	struct arena names; /* of files and macros */
	size_t depth;
	struct conf_source source[CONF_DEPTH_MAX];
};

/* errors must outlive it.  Read no token before conf_lex_open(). */
void conf_lex_init(struct conf_lex *x, struct conf_errors *errors);
void conf_lex_free(struct conf_lex *x);

/*
 * What comes next comes from this file, up to its end.  A relative path is
 * taken from the folder of the file that is being read.  False: it cannot be
 * read, which was said at file:line (line 0: without one).
 */
bool conf_lex_open(struct conf_lex *x, const char *path, const char *file,
    uint32_t line);

/* Reads the next token. */
void conf_lex_next(struct conf_lex *x);

/* A statement begins at the token at hand. */
void conf_lex_statement(struct conf_lex *x);

/* Is the next thing a `=`?  Reads nothing but blanks. */
bool conf_lex_assigns(struct conf_lex *x);

/* Sets a macro; fixed: for good.  NULL, or why not. */
const char *conf_lex_define(struct conf_lex *x, const char *name,
    const char *value, bool fixed);

/* The token at hand, for a message: "`port`", "end of line". */
const char *conf_lex_shown(const struct conf_lex *x, char out[CONF_SHOWN_SIZE]);

/* Any text, for a message: cut, in backquotes, what is no printable UTF-8 as
 * \xHH. */
const char *conf_shown(const char *text, char out[CONF_SHOWN_SIZE]);

/* The token is this bare word. */
bool conf_lex_is(const struct conf_lex *x, const char *word);

#endif
