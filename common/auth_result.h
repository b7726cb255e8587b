/*
 * What is found about who sent a message (RFC 8601 2.7), and where it is kept:
 * in the facts of its content (facts.h), and so in its trailer.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_AUTH_RESULT_H
#define COMMON_AUTH_RESULT_H

#include <stdint.h>

/* Columns: enum, word (RFC 8601 2.7; policy: 2.4).  UNSAID: nobody looked. */
#define AUTH_RESULTS(X)                                                        \
	X(UNSAID, "")                                                          \
	X(NONE, "none")                                                        \
	X(NEUTRAL, "neutral")                                                  \
	X(PASS, "pass")                                                        \
	X(FAIL, "fail")                                                        \
	X(SOFTFAIL, "softfail")                                                \
	X(TEMPERROR, "temperror")                                              \
	X(PERMERROR, "permerror")                                              \
	X(POLICY, "policy")

enum auth_result {
#define X(name, word) RES_##name,
	AUTH_RESULTS(X)
#undef X
	    RES_RESULTS
};

/* Columns: enum, word. */
#define AUTH_METHODS(X)                                                        \
	X(SPF, "spf")                                                          \
	X(DKIM, "dkim")                                                        \
	X(DMARC, "dmarc")                                                      \
	X(ARC, "arc")

enum auth_method {
#define X(name, word) BY_##name,
	AUTH_METHODS(X)
#undef X
	    BY_METHODS
};

/* "pass"; "" for what is none of them. */
const char *auth_result_word(enum auth_result r);
/* RES_RESULTS: there is no such word. */
enum auth_result auth_result_of(const char *word);
const char *auth_method_word(enum auth_method m);

/* "spf=pass dkim=fail", of facts.results: what nobody looked at is left out.
 * Returns out. */
#define AUTH_RESULTS_TEXT 80
const char *auth_results_print(uint32_t results, char out[AUTH_RESULTS_TEXT]);

/* Four results in one number, four bits each (facts.results). */
static inline enum auth_result
auth_result_get(uint32_t results, enum auth_method m)
{
	return (enum auth_result)(results >> 4 * m & 15);
}

static inline uint32_t
auth_result_put(uint32_t results, enum auth_method m, enum auth_result r)
{
	return (results & ~(UINT32_C(15) << 4 * m)) | (uint32_t)r << 4 * m;
}

#endif
