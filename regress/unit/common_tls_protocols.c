/*
 * What `protocols` says: versions, or why not.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls_protocols.h"

#include <string.h>

#include "unit.h"

/* Columns: text, lowest, highest; 0: refused. */
static const struct {
	const char *text;
	unsigned int min, max;
} texts[] = {
	{ "", TLS_1_2, TLS_1_3 },
	{ "TLSv1.2", TLS_1_2, TLS_1_2 },
	{ "tlsv1.3", TLS_1_3, TLS_1_3 },
	{ "TLSv1.2,TLSv1.3", TLS_1_2, TLS_1_3 },
	{ "TLSV1.3:TLSV1.2", TLS_1_2, TLS_1_3 },
	{ " TLSv1.2 ,\ttlsv1.2 ", TLS_1_2, TLS_1_2 },
	{ "secure", TLS_1_2, TLS_1_3 },
	{ "default", TLS_1_2, TLS_1_3 },
	{ "all", TLS_1_2, TLS_1_3 },
	{ "legacy", TLS_1_2, TLS_1_3 },
	{ "tlsv1", TLS_1_2, TLS_1_3 },
	{ "all,!tlsv1.2", TLS_1_3, TLS_1_3 },
	{ "!tlsv1.3", TLS_1_2, TLS_1_2 },
	{ "!tlsv1.0,!tlsv1.1", TLS_1_2, TLS_1_3 },
	{ "!tlsv1.0:!tlsv1.2", TLS_1_3, TLS_1_3 },
	{ "!all,tlsv1.3", TLS_1_3, TLS_1_3 },
	{ "tlsv1.2,!tlsv1.2,tlsv1.3", TLS_1_3, TLS_1_3 },
	{ "!all", 0, 0 },
	{ "tlsv1.2,!tlsv1.2", 0, 0 },
	{ "tlsv1.0", 0, 0 },
	{ "tlsv1.1,tlsv1.2", 0, 0 },
	{ "sslv3", 0, 0 },
	{ "tlsv1.4", 0, 0 },
	{ "tlsv1.2 tlsv1.3", 0, 0 },
	{ ",", 0, 0 },
	{ "tlsv1.2,", 0, 0 },
	{ ":tlsv1.2", 0, 0 },
	{ "!", 0, 0 },
	{ "!!tlsv1.2", 0, 0 },
	{ " ", 0, 0 },
};

int
main(void)
{
	unsigned int min, max;
	const char *why;
	size_t i, n;
	char *p;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		n = strlen(texts[i].text);
		p = unit_guard(texts[i].text, n);
		min = max = 0;
		why = tls_protocols_parse((struct slice){ p, n }, &min, &max);
		CHECK(texts[i].text,
		    min == texts[i].min && max == texts[i].max &&
			(why == NULL) == (texts[i].min != 0));
	}
	return unit_end();
}
