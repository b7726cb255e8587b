/*
 * A report as XML (RFC 9990 3.1, appendix A).  Used by smtpctl; opens and asks
 * nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report_xml.h"

#include <inttypes.h>
#include <string.h>

#include "conf_words.h"

/* By enum report_disposition. */
static const char *const dispositions[] = { "none", "pass", "quarantine",
	"reject" };

/* Columns: type, comment, by enum report_reason. */
static const struct {
	const char *type, *comment;
} reasons[] = {
#define X(name, type, comment) { type, comment },
	REPORT_REASONS(X)
#undef X
};

/* ---- texts ---- */

static const char *
escape_of(char c)
{
	/* Columns: what it is, what stands for it. */
	static const struct {
		char c;
		const char *text;
	} rows[] = {
		{ '&', "&amp;" },
		{ '<', "&lt;" },
		{ '>', "&gt;" },
		{ '"', "&quot;" },
		{ '\'', "&apos;" },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].c == c)
			return rows[i].text;
	}
	return NULL;
}

/* XML 1.0 2.2: of the characters that UTF-8 has, all but controls and U+FFFE,
 * U+FFFF. */
static bool
is_char(const char *p, size_t len)
{
	if (len == 1)
		return (unsigned char)*p >= ' ' && *p != 127;
	return len != 3 || memcmp(p, "\xef\xbf", 2) != 0 ||
	    (unsigned char)p[2] < 0xbe;
}

void
report_xml_text(struct buf *b, const char *text)
{
	struct slice left = slice_of(text);
	const char *escape;
	size_t len;

	while (left.len > 0) {
		len = slice_utf8(left);
		escape = len == 1 ? escape_of(*left.p) : NULL;
		if (escape != NULL)
			buf_puts(b, escape);
		else if (len > 0 && is_char(left.p, len))
			buf_add(b, left.p, len);
		else
			buf_puts(b, "?");
		len += len == 0;
		left.p += len;
		left.len -= len;
	}
}

static void
element(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "<%s>", name);
	report_xml_text(b, text);
	buf_printf(b, "</%s>\n", name);
}

static void
number(struct buf *b, const char *name, int64_t n)
{
	buf_printf(b, "<%s>%" PRId64 "</%s>\n", name, n, name);
}

/* ---- the report ---- */

static void
policy_xml(struct buf *b, const char *domain, const struct report_policy *p)
{
	uint8_t here = p->p != DMARC_P_UNSAID ? p->p : DMARC_P_NONE,
		sub = p->sp != DMARC_P_UNSAID ? p->sp : here,
		none = p->np != DMARC_P_UNSAID ? p->np : sub;

	buf_puts(b, "<policy_published>\n");
	element(b, "domain", domain);
	element(b, "discovery_method",
	    p->rules == DMARC_RFC7489 ? "psl" : "treewalk");
	element(b, "p", dmarc_policy_word(here));
	element(b, "sp", dmarc_policy_word(sub));
	element(b, "np", dmarc_policy_word(none));
	element(b, "fo", p->fo[0] != '\0' ? p->fo : "0");
	element(b, "adkim", p->adkim_strict ? "s" : "r");
	element(b, "aspf", p->aspf_strict ? "s" : "r");
	element(b, "testing", p->testing ? "y" : "n");
	buf_puts(b, "</policy_published>\n");
}

void
report_xml_begin(struct buf *b, const struct report_about *about,
    const struct report_policy *policy)
{
	buf_puts(b,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
	    "<version>1.0</version>\n"
	    "<report_metadata>\n");
	element(b, "org_name", about->org);
	element(b, "email", about->email);
	if (about->contact[0] != '\0')
		element(b, "extra_contact_info", about->contact);
	element(b, "report_id", about->id);
	buf_puts(b, "<date_range>\n");
	number(b, "begin", about->begin);
	number(b, "end", about->end);
	buf_puts(b, "</date_range>\n");
	if (about->error[0] != '\0')
		element(b, "error", about->error);
	element(b, "generator", "Postern");
	buf_puts(b, "</report_metadata>\n");
	policy_xml(b, about->domain, policy);
}

static void
evaluated_xml(struct buf *b, const struct report_row *row)
{
	buf_puts(b, "<policy_evaluated>\n");
	element(b, "disposition", dispositions[row->disposition]);
	element(b, "dkim", row->dkim_aligned ? "pass" : "fail");
	element(b, "spf", row->spf_aligned ? "pass" : "fail");
	if (row->reason != REASON_NONE) {
		buf_puts(b, "<reason>\n");
		element(b, "type", reasons[row->reason].type);
		if (reasons[row->reason].comment[0] != '\0')
			element(b, "comment", reasons[row->reason].comment);
		buf_puts(b, "</reason>\n");
	}
	buf_puts(b, "</policy_evaluated>\n");
}

static void
results_xml(struct buf *b, const struct report_row *row)
{
	const char *domain, *selector;
	unsigned int i;

	buf_puts(b, "<auth_results>\n");
	for (i = 0; i < row->n_dkim; i++) {
		report_dkim(row, i, &domain, &selector);
		buf_puts(b, "<dkim>\n");
		element(b, "domain", domain);
		element(b, "selector", selector);
		element(b, "result", auth_result_word(row->dkim[i]));
		buf_puts(b, "</dkim>\n");
	}
	if (row->spf != RES_UNSAID) {
		buf_puts(b, "<spf>\n");
		element(b, "domain", row->spf_domain);
		/* The identity of MAIL FROM is that of HELO where the sender is
		 * null (RFC 7208 2.4); no other is reported. */
		element(b, "scope", "mfrom");
		element(b, "result", auth_result_word(row->spf));
		buf_puts(b, "</spf>\n");
	}
	buf_puts(b, "</auth_results>\n");
}

void
report_xml_row(struct buf *b, const struct report_row *row)
{
	buf_puts(b, "<record>\n<row>\n");
	element(b, "source_ip", row->client);
	buf_printf(b, "<count>%" PRIu64 "</count>\n", row->count);
	evaluated_xml(b, row);
	buf_puts(b, "</row>\n<identifiers>\n");
	element(b, "header_from", row->author);
	element(b, "envelope_from", row->sender);
	buf_puts(b, "</identifiers>\n");
	results_xml(b, row);
	buf_puts(b, "</record>\n");
}

void
report_xml_end(struct buf *b)
{
	buf_puts(b, "</feedback>\n");
}
