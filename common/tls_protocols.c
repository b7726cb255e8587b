/*
 * Reads what `protocols` says in smtpd.conf.  The parent checks it so, and
 * who speaks TLS acts on it; allocates nothing, keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls_protocols.h"

#include <stdbool.h>
#include <stddef.h>

enum { V1_2 = 1, V1_3 = 2, BOTH = V1_2 | V1_3, OLD = 4 };

/* The words of tls_config_parse_protocols(3).  Columns: word, versions. */
static const struct {
	const char *word;
	unsigned int versions;
} words[] = {
	{ "all", BOTH },
	{ "default", BOTH },
	{ "secure", BOTH },
	{ "legacy", BOTH },
	{ "tlsv1", BOTH },
	{ "tlsv1.0", OLD },
	{ "tlsv1.1", OLD },
	{ "tlsv1.2", V1_2 },
	{ "tlsv1.3", V1_3 },
};

/* The versions of a word; 0: unknown. */
static unsigned int
find(struct slice word)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (slice_eqcase(slice_of(words[i].word), word))
			return words[i].versions;
	}
	return 0;
}

/* Adds a word to what has been said, or takes it away. */
static const char *
apply(struct slice word, unsigned int *set, bool first)
{
	unsigned int versions;
	bool no;

	word = slice_trim(word);
	if ((no = word.len > 0 && word.p[0] == '!')) {
		word.p++;
		word.len--;
	}
	if ((versions = find(word)) == 0)
		return "which has a word that is no version of TLS";
	if (versions == OLD && !no)
		return "but versions below TLS 1.2 are not spoken (RFC 8996)";
	if (no && first)
		*set = BOTH;
	if (no)
		*set &= ~versions;
	else
		*set |= versions;
	return NULL;
}

const char *
tls_protocols_parse(struct slice text, unsigned int *min, unsigned int *max)
{
	unsigned int set = 0;
	struct slice word;
	const char *why;
	size_t i, begin = 0;

	if (text.len == 0)
		set = BOTH;
	for (i = 0; text.len > 0 && i <= text.len; i++) {
		if (i < text.len && text.p[i] != ',' && text.p[i] != ':')
			continue;
		word = (struct slice){ text.p + begin, i - begin };
		if ((why = apply(word, &set, begin == 0)) != NULL)
			return why;
		begin = i + 1;
	}
	if (set == 0)
		return "which leaves no version of TLS";
	*min = set & V1_2 ? TLS_1_2 : TLS_1_3;
	*max = set & V1_3 ? TLS_1_3 : TLS_1_2;
	return NULL;
}
