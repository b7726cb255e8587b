/*
 * Prints what smtpd.conf says about who sent mail: `spf`, `dmarc`, `arc`.
 * Runs in the parent, for `smtpd -nv` alone.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_parse.h"
#include "conf_print.h"

static const char *const rules_words[] = {
#define X(name, word) [DMARC_##name] = (word),
	CONF_DMARC_RULES(X)
#undef X
};

static const char *const act_words[] = {
#define X(name, word) [DMARC_ACT_##name] = (word),
	CONF_DMARC_ACTS(X)
#undef X
};

static const char *const temperror_words[] = {
#define X(name, word) [DMARC_TEMPERROR_##name] = (word),
	CONF_DMARC_TEMPERRORS(X)
#undef X
};

static void
print_set(struct buf *out, const struct conf *c, const char *words,
    uint32_t table)
{
	if (table == CONF_NONE)
		return;
	buf_puts(out, words);
	conf_print_table(out, c, "", table);
	conf_print_end(out);
}

static void
print_report(struct buf *out, const struct conf *c)
{
	if (!c->dmarc_report)
		return;
	buf_puts(out, "dmarc report");
	conf_print_option(out, c, "from", c->report_from);
	conf_print_option(out, c, "org", c->report_org);
	conf_print_option(out, c, "contact", c->report_contact);
	conf_print_end(out);
}

static bool
is_verified(const struct conf *c)
{
	uint32_t i;

	for (i = 0; i < c->listen.n; i++) {
		if (CONF_LISTEN(c, i)->auth_results)
			return true;
	}
	return false;
}

static void
print_dmarc(struct buf *out, const struct conf *c)
{
	buf_printf(out, "dmarc rules %s\n", rules_words[c->dmarc_rules]);
	buf_printf(out, "dmarc quarantine %s\n",
	    act_words[c->dmarc_quarantine]);
	buf_printf(out, "dmarc reject %s\n", act_words[c->dmarc_reject]);
	buf_printf(out, "dmarc no-author %s\n", act_words[c->dmarc_no_author]);
	buf_printf(out, "dmarc temperror %s\n",
	    temperror_words[c->dmarc_temperror]);
	print_set(out, c, "dmarc except from", c->dmarc_except_from);
	print_set(out, c, "dmarc except src", c->dmarc_except_src);
	print_report(out, c);
}

void
conf_print_auth(struct buf *out, const struct conf *c)
{
	if (c->spf_received)
		buf_puts(out, "spf received\n");
	/* Where nothing is verified it has no meaning. */
	if (is_verified(c) || conf_auth_says(c, CONF_SAID_DMARC))
		print_dmarc(out, c);
	print_set(out, c, "arc trust", c->arc_trust);
	if (c->arc_seal != 0) {
		conf_print_start(out, c, "arc seal domain", c->arc_seal);
		conf_print_end(out);
	}
}
