/*
 * A report as XML (RFC 9990 3.1, appendix A).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_REPORT_XML_H
#define QUEUE_REPORT_XML_H

#include <stdint.h>

#include "buf.h"
#include "report_row.h"

/* Who reports, and of what. */
struct report_about {
	const char *org, *email, *host;
	const char *contact; /* "": none */
	const char *domain;  /* of the policy */
	uint32_t day;
	int64_t begin, end; /* seconds since 1970 */
	const char *id;
	const char *error; /* "": none */
};

/* Each adds to b.  Whatever a text has in it, what comes out is XML. */
void report_xml_begin(struct buf *b, const struct report_about *about,
    const struct report_policy *policy);
void report_xml_row(struct buf *b, const struct report_row *row);
void report_xml_end(struct buf *b);

/* A text, with what means something to XML escaped; what XML does not take, and
 * what is not UTF-8, is '?'. */
void report_xml_text(struct buf *b, const char *text);

#endif
