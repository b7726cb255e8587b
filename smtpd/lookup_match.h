/*
 * What it means that a key is in a table: for each service its own.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_MATCH_H
#define SMTPD_LOOKUP_MATCH_H

#include "lookup_store.h"

/* The bits of conf_table.services whose answers have values. */
#define MATCH_VALUES                                                           \
	(1u << SERVICE_ALIAS | 1u << SERVICE_CREDENTIALS |                     \
	    1u << SERVICE_USERINFO | 1u << SERVICE_MAILADDRMAP |               \
	    1u << SERVICE_ADDRNAME)

/*
 * Is key (any case) in s, as service s?  delim: what begins the tag of a
 * local part.  *value: of the entry that matched, in the store's memory.
 * Not for SERVICE_REGEX and SERVICE_SOURCE, which are no matter of keys.
 */
enum table_answer match_ask(const struct store *s, enum conf_service service,
    const char *key, char delim, struct slice *value);

/*
 * The form in which a service's value is handed out (see table_ask()), added
 * to out.  passwd: raw is the rest of a line of passwd(5).  False: it has not
 * the form that the service needs.
 */
bool match_value(enum conf_service service, bool passwd, const char *key,
    struct slice raw, struct buf *out);

/* Does text match the pattern, in which a '*' stands for any bytes? */
bool match_glob(const char *text, const char *pattern);

#endif
