/*
 * What a reply means: by its words where they are sure, by its enhanced code,
 * by its words where that is vague, by its code and what it is a reply to.
 * Used by deliver.  Never changes the words, which are kept raw.
 *
 * SPDX-License-Identifier: ISC
 */
#include "reply_class.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "reply_after.h"
#include "reply_words.h"

#define ALL 0xffff /* of details: whatever it is */

enum { SURE, VAGUE };

/* clang-format off */
/*
 * RFC 3463, with what RFC 4468, 4954, 5248, 6531, 6710, 7293, 7372, 7505, 8689
 * and Microsoft's numbers added.  Columns: class (0: either), subject, detail
 * from, to; cause; whether it is later also with a 5yz (a login or TLS is
 * wanted); SURE, or VAGUE: words tell more.
 */
static const struct ecode_row {
	uint8_t class, subject;
	uint16_t from, to;
	uint8_t cause;
	bool later;
	uint8_t how;
} ecodes[] = {
	/* 1: the address */
	{ 0, 1, 7, 7, CAUSE_POLICY, false, SURE },    /* the sender's syntax */
	{ 0, 1, 8, 8, CAUSE_DNS, false, SURE },       /* the sender's domain */
	{ 0, 1, 0, 0, CAUSE_MAILBOX, false, VAGUE },
	{ 0, 1, 1, ALL, CAUSE_MAILBOX, false, SURE },
	/* 2: the mailbox */
	{ 0, 2, 3, 3, CAUSE_CONTENT, false, SURE },   /* too long for it */
	{ 0, 2, 0, 0, CAUSE_MAILBOX, false, VAGUE },
	{ 0, 2, 1, ALL, CAUSE_MAILBOX, false, SURE },
	/* 3: their system */
	{ 0, 3, 3, 3, CAUSE_CONFIG, false, SURE },    /* cannot do that */
	{ 0, 3, 4, 4, CAUSE_CONTENT, false, SURE },   /* too big */
	{ 0, 3, 5, 5, CAUSE_CONFIG, false, SURE },
	{ 0, 3, 6, 6, CAUSE_POLICY, false, SURE },    /* priority */
	{ 0, 3, 0, ALL, CAUSE_SYSTEM, false, SURE },
	/* 4: network and routing */
	{ 0, 4, 1, 2, CAUSE_NETWORK, false, SURE },
	{ 0, 4, 3, 4, CAUSE_DNS, false, SURE },
	{ 0, 4, 5, 5, CAUSE_RATE, false, SURE },      /* congestion */
	{ 0, 4, 6, 6, CAUSE_CONFIG, false, SURE },    /* a loop */
	{ 0, 4, 14, 14, CAUSE_CONFIG, false, SURE },  /* the same, Exchange */
	{ 0, 4, 310, 312, CAUSE_DNS, false, SURE },
	{ 0, 4, 0, ALL, CAUSE_NETWORK, false, VAGUE },
	/* 5: the protocol */
	{ 0, 5, 3, 3, CAUSE_RATE, false, SURE },      /* too many recipients */
	{ 0, 5, 0, ALL, CAUSE_CONFIG, false, VAGUE },
	/* 6: the content */
	{ 0, 6, 0, 0, CAUSE_CONTENT, false, VAGUE },
	{ 0, 6, 1, ALL, CAUSE_CONTENT, false, SURE },
	/* 7: security and policy */
	{ 0, 7, 4, 4, CAUSE_CONFIG, false, SURE },    /* features */
	{ 0, 7, 5, 5, CAUSE_TLS, false, SURE },
	{ 0, 7, 7, 7, CAUSE_CONTENT, false, SURE },   /* integrity */
	{ 0, 7, 8, 9, CAUSE_CONFIG, true, SURE },     /* AUTH (RFC 4954) */
	{ 0, 7, 10, 11, CAUSE_TLS, true, SURE },
	{ 0, 7, 12, 14, CAUSE_CONFIG, true, SURE },
	{ 0, 7, 15, 15, CAUSE_POLICY, false, SURE },
	{ 0, 7, 16, 16, CAUSE_CONTENT, false, SURE },
	{ 0, 7, 17, 18, CAUSE_MAILBOX, false, SURE }, /* another's by now */
	{ 0, 7, 25, 25, CAUSE_CONFIG, false, SURE },  /* no name for us */
	{ 0, 7, 20, 27, CAUSE_POLICY, false, SURE },  /* DKIM, SPF, null MX */
	{ 0, 7, 28, 28, CAUSE_RATE, false, SURE },
	{ 0, 7, 29, 29, CAUSE_POLICY, false, SURE },  /* ARC */
	{ 0, 7, 30, 30, CAUSE_TLS, false, SURE },     /* REQUIRETLS */
	{ 0, 7, 57, 57, CAUSE_CONFIG, true, SURE },   /* Exchange: no login */
	{ 4, 7, 500, 699, CAUSE_RATE, false, SURE },  /* Microsoft */
	{ 5, 7, 509, 509, CAUSE_POLICY, false, SURE },
	{ 5, 7, 515, 515, CAUSE_POLICY, false, SURE },
	{ 5, 7, 501, 519, CAUSE_REPUTATION, false, SURE },
	{ 5, 7, 606, 649, CAUSE_REPUTATION, false, SURE },
	{ 5, 7, 700, 749, CAUSE_REPUTATION, false, SURE },
	{ 0, 7, 0, ALL, CAUSE_POLICY, false, VAGUE },
};

/*
 * RFC 5321 4.2.2 and 4.2.3, 3207, 4954, 7504.  Columns: code; bits of the
 * stages, 0: any; cause; whether it is later also if 5yz.
 */
#define AT(stage) (1u << STAGE_##stage)
#define HELLO (AT(CONNECT) | AT(GREETING) | AT(EHLO))
#define BODY (AT(DATA) | AT(CONTENT))
static const struct code_row {
	uint16_t code;
	uint32_t stages;
	uint8_t cause;
	bool later;
} codes[] = {
	{ 421, 0, CAUSE_SYSTEM, false },
	{ 432, 0, CAUSE_CONFIG, false },
	{ 450, AT(RCPT), CAUSE_MAILBOX, false },
	{ 450, 0, CAUSE_SYSTEM, false },
	{ 451, 0, CAUSE_SYSTEM, false },
	{ 452, AT(RCPT), CAUSE_RATE, false },
	{ 452, 0, CAUSE_SYSTEM, false },
	{ 454, AT(STARTTLS), CAUSE_TLS, false },
	{ 454, 0, CAUSE_CONFIG, false },
	{ 455, 0, CAUSE_CONFIG, false },
	{ 500, 0, CAUSE_CONFIG, false },
	{ 501, 0, CAUSE_CONFIG, false },
	{ 502, 0, CAUSE_CONFIG, false },
	{ 503, 0, CAUSE_CONFIG, false },
	{ 504, 0, CAUSE_CONFIG, false },
	{ 521, 0, CAUSE_POLICY, false },
	{ 523, 0, CAUSE_TLS, true },
	{ 524, 0, CAUSE_CONFIG, true },
	{ 525, 0, CAUSE_CONFIG, true },
	{ 530, 0, CAUSE_CONFIG, true },
	{ 534, 0, CAUSE_CONFIG, true },
	{ 535, 0, CAUSE_CONFIG, true },
	{ 538, 0, CAUSE_TLS, true },
	{ 550, HELLO | AT(MAIL), CAUSE_POLICY, false },
	{ 550, BODY, CAUSE_CONTENT, false },
	{ 550, 0, CAUSE_MAILBOX, false },
	{ 551, 0, CAUSE_MAILBOX, false },
	{ 552, AT(RCPT), CAUSE_RATE, true },
	{ 552, 0, CAUSE_CONTENT, false },
	{ 553, AT(MAIL), CAUSE_POLICY, false },
	{ 553, 0, CAUSE_MAILBOX, false },
	{ 554, BODY, CAUSE_CONTENT, false },
	{ 554, 0, CAUSE_POLICY, false },
	{ 555, 0, CAUSE_CONFIG, false },
	{ 556, 0, CAUSE_MAILBOX, false },
};

/* Columns: bit of the stage; width of what is said there. */
static const enum width widths[STAGES_N] = {
	[STAGE_MAIL] = WIDTH_MESSAGE,
	[STAGE_RCPT] = WIDTH_RCPT,
	[STAGE_DATA] = WIDTH_MESSAGE,
	[STAGE_CONTENT] = WIDTH_MESSAGE,
	[STAGE_CONNECT] = WIDTH_STREAM,
	[STAGE_GREETING] = WIDTH_STREAM,
	[STAGE_EHLO] = WIDTH_STREAM,
	[STAGE_STARTTLS] = WIDTH_STREAM,
	[STAGE_TLS] = WIDTH_STREAM,
	[STAGE_AUTH] = WIDTH_STREAM,
	[STAGE_QUIT] = WIDTH_STREAM,
};
/* clang-format on */

/* In lower case, and without addresses, which are anybody's words. */
static void
plain_words(const char *text, char out[OUTCOME_TEXT_MAX + 1])
{
	size_t i = 0, k, len;

	for (; *text != '\0' && i < OUTCOME_TEXT_MAX; text += len) {
		len = strcspn(text, " \t<>()[],;\"'");
		if (len == 0) {
			out[i++] = *text;
			len = 1;
			continue;
		}
		if (memchr(text, '@', len) != NULL)
			continue;
		for (k = 0; k < len && i < OUTCOME_TEXT_MAX; k++)
			out[i++] = (char)tolower((unsigned char)text[k]);
	}
	out[i] = '\0';
}

static const struct ecode_row *
by_ecode(const uint16_t ecode[3])
{
	const struct ecode_row *row;
	size_t i;

	for (i = 0; i < sizeof ecodes / sizeof ecodes[0]; i++) {
		row = &ecodes[i];
		if ((row->class == 0 || row->class == ecode[0]) &&
		    row->subject == ecode[1] && ecode[2] >= row->from &&
		    ecode[2] <= row->to)
			return row;
	}
	return NULL;
}

static const struct code_row *
by_code(unsigned int code, enum stage stage)
{
	size_t i;

	for (i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		if (codes[i].code == code &&
		    (codes[i].stages == 0 ||
			(codes[i].stages & 1u << stage) != 0))
			return &codes[i];
	}
	return NULL;
}

/* What the words, the enhanced code and the code say, in this order. */
static enum cause
cause_of(const struct outcome *o, const char *words, bool *later)
{
	const struct ecode_row *ecode =
	    o->ecode[0] == 0 ? NULL : by_ecode(o->ecode);
	const struct code_row *code = by_code(o->code, o->stage);
	const struct reply_word *word;

	word = reply_words_sure(o->code / 100, words);
	/* Of content they mean something else. */
	*later = o->stage != STAGE_CONTENT &&
	    ((ecode != NULL && ecode->later) ||
		(code != NULL && code->later && o->code != 552) ||
		(word != NULL && word->later));
	if (word != NULL)
		return word->cause;
	if (ecode != NULL && ecode->how == SURE)
		return ecode->cause;
	if (code != NULL && code->later)
		return code->cause;
	if ((word = reply_words_vague(o->code / 100, words)) != NULL)
		return word->cause;
	if (ecode != NULL)
		return ecode->cause;
	return code != NULL ? code->cause : CAUSE_SYSTEM;
}

/* RFC 5321 4.5.3.1.10: of old, 552 was what 452 is. */
static bool
is_too_many(const struct outcome *o)
{
	return o->code == 552 && o->stage == STAGE_RCPT &&
	    (o->ecode[0] == 0 || (o->ecode[1] == 5 && o->ecode[2] == 3));
}

void
reply_class(const struct client_reply *r, enum stage stage, struct outcome *o)
{
	char words[OUTCOME_TEXT_MAX + 1];
	bool later;

	memset(o, 0, sizeof *o);
	o->verdict = r->code / 100 == 2 ? DONE :
	    r->code / 100 == 5          ? NEVER :
					  LATER;
	o->width = (uint8_t)widths[stage];
	if (r->code == 421 && stage != STAGE_CONTENT)
		o->width = WIDTH_STREAM;
	o->code = (uint16_t)r->code;
	o->stage = (uint8_t)stage;
	memcpy(o->ecode, r->ecode, sizeof o->ecode);
	memcpy(o->text, r->text, sizeof o->text);
	if (o->verdict == DONE)
		return;
	plain_words(r->text, words);
	o->cause = (uint8_t)cause_of(o, words, &later);
	if (stage == STAGE_STARTTLS || stage == STAGE_TLS) {
		o->cause = CAUSE_TLS;
		later = true;
	}
	if (stage == STAGE_AUTH) {
		o->cause = o->cause == CAUSE_TLS ? CAUSE_TLS : CAUSE_CONFIG;
		later = true;
	}
	if (later || is_too_many(o))
		o->verdict = LATER;
	if (r->code / 100 == 4)
		o->after = reply_after(words, REPLY_AFTER_MAX);
}
