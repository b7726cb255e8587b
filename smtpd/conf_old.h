/*
 * Rules of the grammar before OpenSMTPD 6.4, said in the new one: for the
 * message that tells an operator why his file is refused.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_OLD_H
#define SMTPD_CONF_OLD_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

enum { CONF_OLD_WORDS_MAX = 128 }; /* more are no rule that anybody wrote */

/* A token of the old rule, as the lexer reads it; macros are expanded. */
struct conf_old_word {
	int tok;          /* enum conf_tok, or the character itself */
	const char *text; /* of TOK_WORD and TOK_STRING; else unused */
};

/*
 * Adds the new form of the rule in n words (from `accept` or `reject` to the
 * end of its line, which is not among them) to out: the line `action ...`
 * (`reject` has none) and the line `match ...`, each with its newline.  False,
 * and nothing added, if the words are no whole rule.
 */
bool conf_old_rule(const struct conf_old_word *words, size_t n,
    struct buf *out);

#endif
