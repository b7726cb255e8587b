/*
 * What a name stands for, as aliases(5), forward(5) and virtual tables write
 * it: a list of addresses, users, commands, files, lists, errors.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_NODE_H
#define SMTPD_LOOKUP_NODE_H

#include <stdint.h>

#include "bounds.h"
#include "slice.h"
#include "verdict.h"

enum node_kind {
	NODE_END,     /* the list is over */
	NODE_ADDRESS, /* local@domain */
	NODE_USER,    /* a name, perhaps of an alias itself */
	NODE_SAME,    /* "\name": the mailbox of that user, and no more */
	NODE_ERROR,   /* "error:550 5.1.1 text", ":fail: text" (Exim): text is
		       * what follows the colon */
	NODE_DEFER,   /* ":defer: text" (Exim) */
	NODE_NOTHING, /* ":blackhole:" (Exim): nobody, whatever else is said */
	NODE_FILE,    /* "/path" */
	NODE_PIPE,    /* "|command" */
	NODE_INCLUDE  /* ":include:/path" */
};

#define NODE_TEXT_MAX 1023

struct node {
	enum node_kind kind;
	/* ADDRESS: the domain as DNS has it, the local part as written; USER,
	 * SAME: in lower case; others: as written, without the prefix. Never
	 * with control characters but a tab. */
	char text[NODE_TEXT_MAX + 1];
};

/*
 * Reads the next element of a list: separated by commas, an element or a
 * local part may stand in double quotes.  *rest is moved behind it, also
 * when it is bad.  NULL, or why it is bad.
 */
const char *node_next(struct slice *rest, struct node *node);

/*
 * The next line of a file of such lists, without blanks at its ends; those that
 * are empty or begin with a '#' are passed over.  *number counts all lines.
 * False: there is none.
 */
bool node_line(struct slice *rest, struct slice *line, uint32_t *number);

/*
 * An address in the one form in which addresses are kept and compared: the
 * domain as DNS has it, quotes that a local part does not need taken away.
 * Without a domain it gets `domain`.  NULL, or why it is none; out is then
 * empty.
 */
const char *node_address(struct slice in, const char *domain,
    char out[ADDR_MAX + 1]);

#define NODE_ECODE_SIZE 16

/*
 * The reply that somebody has written down, as "550 5.1.1 text": its code, or
 * `usual` if it has none; its enhanced code, if there is one of that class,
 * else the empty text.  Returns the text behind them.
 */
const char *node_reply(const char *text, unsigned int usual, unsigned int *code,
    char ecode[NODE_ECODE_SIZE]);

/*
 * What NODE_ERROR or NODE_DEFER says: "550 5.1.1 text", "451 text", "text"
 * (then it is 550, or 451).  A code that is neither 4yz nor 5yz is an error of
 * the table: later.
 */
void node_error(const struct node *node, struct outcome *o);

#endif
