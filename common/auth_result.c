/*
 * The words of results (RFC 8601).  Pure functions.
 *
 * SPDX-License-Identifier: ISC
 */
#include "auth_result.h"

#include <stdio.h>
#include <string.h>

static const char *const words[RES_RESULTS] = {
#define X(name, word) [RES_##name] = (word),
	AUTH_RESULTS(X)
#undef X
};

static const char *const methods[BY_METHODS] = {
#define X(name, word) [BY_##name] = (word),
	AUTH_METHODS(X)
#undef X
};

const char *
auth_result_word(enum auth_result r)
{
	return r < RES_RESULTS ? words[r] : "";
}

enum auth_result
auth_result_of(const char *word)
{
	enum auth_result r;

	for (r = RES_NONE; r < RES_RESULTS; r++) {
		if (strcmp(words[r], word) == 0)
			break;
	}
	return r;
}

const char *
auth_method_word(enum auth_method m)
{
	return m < BY_METHODS ? methods[m] : "";
}

const char *
auth_results_print(uint32_t results, char out[AUTH_RESULTS_TEXT])
{
	enum auth_method m;
	enum auth_result r;
	size_t n = 0;

	out[0] = '\0';
	for (m = BY_SPF; m < BY_METHODS; m++) {
		r = auth_result_get(results, m);
		if (r == RES_UNSAID || r >= RES_RESULTS)
			continue;
		n += (size_t)snprintf(out + n, AUTH_RESULTS_TEXT - n, "%s%s=%s",
		    n == 0 ? "" : " ", methods[m], words[r]);
	}
	return out;
}
