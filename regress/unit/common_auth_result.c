/*
 * common/auth_result.c: words of results, and four of them in a number.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <string.h>

#include "auth_result.h"

/* Columns: spf, dkim, dmarc, arc, as text. */
static const struct {
	enum auth_result spf, dkim, dmarc, arc;
	const char *text;
} results[] = {
	{ RES_UNSAID, RES_UNSAID, RES_UNSAID, RES_UNSAID, "" },
	{ RES_PASS, RES_NONE, RES_FAIL, RES_NONE,
	    "spf=pass dkim=none dmarc=fail arc=none" },
	{ RES_UNSAID, RES_POLICY, RES_UNSAID, RES_TEMPERROR,
	    "dkim=policy arc=temperror" },
	{ RES_PERMERROR, RES_PERMERROR, RES_PERMERROR, RES_PERMERROR,
	    "spf=permerror dkim=permerror dmarc=permerror arc=permerror" },
	{ RES_TEMPERROR, RES_TEMPERROR, RES_TEMPERROR, RES_TEMPERROR,
	    "spf=temperror dkim=temperror dmarc=temperror arc=temperror" },
	{ RES_SOFTFAIL, RES_NEUTRAL, RES_UNSAID, RES_UNSAID,
	    "spf=softfail dkim=neutral" },
};

int
main(void)
{
	char text[AUTH_RESULTS_TEXT];
	enum auth_result r;
	uint32_t all;
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		all = 0xffff;
		all = auth_result_put(all, BY_SPF, results[i].spf);
		all = auth_result_put(all, BY_DKIM, results[i].dkim);
		all = auth_result_put(all, BY_DMARC, results[i].dmarc);
		all = auth_result_put(all, BY_ARC, results[i].arc);
		CHECK(results[i].text,
		    auth_result_get(all, BY_SPF) == results[i].spf &&
			auth_result_get(all, BY_DKIM) == results[i].dkim &&
			auth_result_get(all, BY_DMARC) == results[i].dmarc &&
			auth_result_get(all, BY_ARC) == results[i].arc &&
			all <= 0xffff);
		CHECK("as text",
		    strcmp(auth_results_print(all, text), results[i].text) ==
			0);
	}
	/* What no version writes, as a damaged file may have it. */
	CHECK("numbers that are none",
	    auth_results_print(0xffff, text)[0] == '\0' &&
		auth_results_print(UINT32_MAX, text)[0] == '\0');
	for (r = RES_NONE; r < RES_RESULTS; r++)
		CHECK(auth_result_word(r),
		    auth_result_of(auth_result_word(r)) == r);
	CHECK("no word",
	    auth_result_of("Pass") == RES_RESULTS &&
		auth_result_of("pas") == RES_RESULTS &&
		auth_result_of("passes") == RES_RESULTS &&
		auth_result_word(RES_RESULTS)[0] == '\0' &&
		auth_method_word(BY_METHODS)[0] == '\0');
	return unit_end();
}
