/*
 * The effective configuration in the grammar of smtpd.conf, for `smtpd -nv`:
 * statements in conf_print.c, words and values in conf_print_value.c, numbers
 * and what is ours in conf_print_set.c.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_PRINT_H
#define SMTPD_CONF_PRINT_H

#include <sys/socket.h>

#include <stdint.h>

#include "buf.h"
#include "conf.h"

/*
 * Adds all of c, defaults included, to out (which has no ceiling), in an order
 * of its own: what is printed can be read again, means the same, and then
 * prints as the same text.
 */
void conf_print(const struct conf *c, struct buf *out);

/* ---- conf_print_value.c ---- */

/* Adds text as one word of the grammar: in quotes where a bare one would be a
 * keyword, a number, a macro or several words. */
void conf_print_word(struct buf *out, const char *text);

/* "WORD TEXT", with which a statement begins. */
void conf_print_start(struct buf *out, const struct conf *c, const char *word,
    conf_str text);

/* " WORD TEXT", or nothing if there is no text. */
void conf_print_option(struct buf *out, const struct conf *c, const char *word,
    conf_str text);

/* " WORD", or nothing. */
void conf_print_flag(struct buf *out, const char *word, int flag);

/* " WORD <table>", or its entries if it has no name; nothing if there is no
 * table.  An empty word is left out. */
void conf_print_table(struct buf *out, const struct conf *c, const char *word,
    uint32_t table);

/* " { a, b }" or " { a = 1, b = 2 }"; of one entry alone it is " a". */
void conf_print_entries(struct buf *out, const struct conf *c,
    struct conf_span entries, int pairs);

/* " pass" or " { pass, none }", of bits 1 << RES_*; nothing if there are
 * none. */
void conf_print_results(struct buf *out, uint32_t results);

/* "WORD1h30m", "WORD35M": the blank is in the word. */
void conf_print_time(struct buf *out, const char *word, uint64_t seconds);
void conf_print_size(struct buf *out, const char *word, uint64_t bytes);

/* "192.0.2.1"; port of it. */
void conf_print_addr(struct buf *out, const struct sockaddr_storage *ss);
unsigned int conf_print_port(const struct sockaddr_storage *ss);

/* Ends a statement. */
void conf_print_end(struct buf *out);

/* ---- conf_print_set.c ---- */

/* Settings and what is not in OpenSMTPD. */
void conf_print_settings(struct buf *out, const struct conf *c);

/* ---- conf_print_auth.c ---- */

/* What is done about who sent mail. */
void conf_print_auth(struct buf *out, const struct conf *c);

#endif
