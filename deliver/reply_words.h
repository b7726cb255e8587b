/*
 * What servers say in words, where their codes say too little.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_REPLY_WORDS_H
#define DELIVER_REPLY_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "verdict.h"

struct reply_word {
	uint8_t class;     /* 4, 5, or 0: either */
	uint8_t cause;     /* enum cause */
	uint8_t later;     /* 1: not the sender's fault, whatever the code */
	const char *words; /* in lower case; where a word of the text begins */
};

/* Words that tell more than any code; words that tell more than none.  text is
 * in lower case; NULL: none fits. */
const struct reply_word *reply_words_sure(unsigned int class, const char *text);
const struct reply_word *reply_words_vague(unsigned int class,
    const char *text);

#endif
