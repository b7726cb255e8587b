/*
 * Which keys sign a message: the domain of its author (RFC 5322 From) against
 * the rows of conf.dkim.  Runs in deliver; reads nothing itself.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>
#include <strings.h>

#include "dkim.h"

static const char *
row_domain(const struct conf *conf, uint32_t row)
{
	return conf_text(conf, CONF_DKIM(conf, row)->domain);
}

uint32_t
dkim_row_for(const struct conf *conf, const char *domain)
{
	const char *dot;
	uint32_t i;

	while (*domain != '\0') {
		for (i = 0; i < conf->dkim.n; i++)
			if (strcasecmp(row_domain(conf, i), domain) == 0)
				return i;
		if ((dot = strchr(domain, '.')) == NULL)
			break;
		domain = dot + 1;
	}
	return CONF_NONE;
}

int
dkim_rows(const struct conf *conf, const struct dkim_keys *keys, uint32_t first,
    uint32_t rows[DKIM_SIGS])
{
	static const uint8_t order[DKIM_SIGS] = { ALG_RSA, ALG_ED25519 };
	const char *domain = row_domain(conf, first);
	uint32_t i, found[DKIM_SIGS] = { CONF_NONE, CONF_NONE };
	int j, n = 0;

	for (i = first; i < conf->dkim.n; i++) {
		if (strcasecmp(row_domain(conf, i), domain) != 0)
			continue;
		if (i >= keys->n || keys->alg[i] == 0)
			return DKIM_LATER;
		for (j = 0; j < DKIM_SIGS; j++)
			if (keys->alg[i] == 1 + order[j] &&
			    found[j] == CONF_NONE)
				found[j] = i;
	}
	for (j = 0; j < DKIM_SIGS; j++)
		if (found[j] != CONF_NONE)
			rows[n++] = found[j];
	return n;
}
