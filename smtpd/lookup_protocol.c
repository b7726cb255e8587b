/*
 * Lines between lookup and a table program, as OpenSMTPD 7.6 has them.  Runs
 * in lookup; allocates nothing and keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_protocol.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const services[SERVICES] = {
#define X(name, word) [SERVICE_##name] = (word),
	CONF_SERVICES(X)
#undef X
};

/* Columns: operation; what it is called, what its answer is called. */
static const struct {
	const char *word, *result;
} ops[] = {
	[PROTOCOL_CHECK] = { "check", "check-result" },
	[PROTOCOL_LOOKUP] = { "lookup", "lookup-result" },
	[PROTOCOL_FETCH] = { "fetch", "fetch-result" },
	[PROTOCOL_UPDATE] = { "update", "update-result" },
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

enum protocol_op
protocol_op_of(enum conf_service s, const char *key)
{
	if (s == SERVICE_SOURCE)
		return PROTOCOL_FETCH;
	if (s == SERVICE_RELAYHOST)
		return key[0] == TABLE_ENTRY ? PROTOCOL_FETCH : PROTOCOL_LOOKUP;
	return s == SERVICE_ALIAS || s == SERVICE_CREDENTIALS ||
		s == SERVICE_USERINFO || s == SERVICE_MAILADDRMAP ||
		s == SERVICE_ADDRNAME ?
	    PROTOCOL_LOOKUP :
	    PROTOCOL_CHECK;
}

/* ---- saying ---- */

bool
protocol_hello(struct buf *out, const char *table)
{
	/* The version that programs of OpenSMTPD know. */
	return buf_printf(out,
	    "config|smtpd-version|7.8.0\n"
	    "config|protocol|" PROTOCOL_VERSION "\n"
	    "config|tablename|%s\n"
	    "config|ready\n",
	    table);
}

bool
protocol_ask(struct buf *out, enum protocol_op op, const char *table,
    enum conf_service s, uint64_t id, const char *key)
{
	size_t before = out->len;
	struct timespec now;
	bool said;

	clock_gettime(CLOCK_REALTIME, &now);
	said = buf_printf(out, "table|" PROTOCOL_VERSION "|%lld.%06ld|%s|%s|",
	    (long long)now.tv_sec, now.tv_nsec / 1000, table, ops[op].word);
	if (op != PROTOCOL_UPDATE)
		said = said && buf_printf(out, "%s|", services[s]);
	said = said && buf_printf(out, "%llx", (unsigned long long)id);
	if (op == PROTOCOL_CHECK || op == PROTOCOL_LOOKUP)
		said = said && buf_puts(out, "|") && buf_puts(out, key);
	said = said && buf_puts(out, "\n");
	if (!said)
		out->len = before;
	return said;
}

/* ---- hearing ---- */

/* What stands before the next '|', or all; *line is what follows it, with p
 * NULL if there was none. */
static struct slice
take_field(struct slice *line)
{
	struct slice field = *line;
	const char *bar =
	    line->len == 0 ? NULL : memchr(line->p, '|', line->len);

	if (bar == NULL) {
		*line = (struct slice){ NULL, 0 };
		return field;
	}
	field.len = (size_t)(bar - line->p);
	line->len -= field.len + 1;
	line->p = bar + 1;
	return field;
}

static const char *
check_bytes(struct slice line)
{
	size_t i;

	for (i = 0; i < line.len; i++)
		if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') ||
		    line.p[i] == 0x7f)
			return "a control character";
	return NULL;
}

const char *
protocol_register(struct slice line, enum conf_service *service, bool *ready)
{
	struct slice word;
	const char *why;
	unsigned int i;

	*service = SERVICES;
	*ready = false;
	if ((why = check_bytes(line)) != NULL)
		return why;
	if (!slice_eq(take_field(&line), SLICE("register")))
		return "not \"register\" in the handshake";
	word = take_field(&line);
	if (word.len == 0 || line.p != NULL)
		return "not one service on a line";
	if (slice_eq(word, SLICE("ready"))) {
		*ready = true;
		return NULL;
	}
	for (i = 0; i < SERVICES; i++)
		if (slice_eqcase(word, slice_of(services[i])))
			*service = (enum conf_service)i;
	return NULL;
}

static bool
parse_id(struct slice s, uint64_t *id)
{
	size_t i;

	*id = 0;
	for (i = 0; i < s.len && i < 16; i++) {
		char c = s.p[i];

		if (c >= '0' && c <= '9')
			*id = *id << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*id = *id << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	return s.len > 0 && i == s.len;
}

/* The words of an answer.  Columns: word, answer, whether it is one of an
 * update. */
static const struct {
	const char *word;
	enum table_answer answer;
	bool update;
} results[] = {
	{ "found", TABLE_YES, false },
	{ "not-found", TABLE_NO, false },
	{ "error", TABLE_UNKNOWN, false },
	{ "ok", TABLE_YES, true },
	{ "error", TABLE_UNKNOWN, true },
};

static bool
parse_result(struct slice word, struct protocol_answer *out)
{
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i].update != (out->op == PROTOCOL_UPDATE) ||
		    !slice_eq(word, slice_of(results[i].word)))
			continue;
		out->answer = results[i].answer;
		return true;
	}
	return false;
}

const char *
protocol_parse(struct slice line, struct protocol_answer *out)
{
	struct slice word;
	const char *why;
	unsigned int i;

	*out = (struct protocol_answer){ .answer = TABLE_UNKNOWN };
	if ((why = check_bytes(line)) != NULL)
		return why;
	word = take_field(&line);
	for (i = 0; i < OPS; i++)
		if (slice_eq(word, slice_of(ops[i].result)))
			break;
	if (i == OPS)
		return "not an answer";
	out->op = (enum protocol_op)i;
	if (line.p == NULL || !parse_id(take_field(&line), &out->id))
		return "an answer without the number of a question";
	if (line.p == NULL || !parse_result(take_field(&line), out))
		return "neither found, not-found nor error";
	out->text = line.p == NULL ? SLICE("") : line;
	if (out->answer == TABLE_YES && out->text.len == 0 &&
	    (out->op == PROTOCOL_LOOKUP || out->op == PROTOCOL_FETCH))
		return "found, without a value";
	return NULL;
}

bool
protocol_fits(enum protocol_op op, const struct protocol_answer *a)
{
	return a->op == op ||
	    (op == PROTOCOL_FETCH && a->op == PROTOCOL_LOOKUP);
}
