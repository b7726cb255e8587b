/*
 * smtpd/lookup_protocol.c, priv_command.c: what is said to a table program
 * and what it says, and the words that start it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <ctype.h>
#include <sys/stat.h>

#include "lookup_protocol.h"
#include "priv_command.h"

/* ---- the handshake ---- */

static const struct {
	const char *line;
	bool good, ready;
	enum conf_service service; /* SERVICES: none of ours */
} hellos[] = {
	{ "register|alias", true, false, SERVICE_ALIAS },
	{ "register|CREDENTIALS", true, false, SERVICE_CREDENTIALS },
	{ "register|mailaddrmap", true, false, SERVICE_MAILADDRMAP },
	{ "register|auth", true, false, SERVICES },
	{ "register|ready", true, true, SERVICES },
	{ "", false, false, SERVICES },
	{ "register", false, false, SERVICES },
	{ "register|", false, false, SERVICES },
	{ "register|alias|x", false, false, SERVICES },
	{ "register|alias|", false, false, SERVICES },
	{ "registers|alias", false, false, SERVICES },
	{ "lookup-result|1|found|x", false, false, SERVICES },
	{ "register|al\001ias", false, false, SERVICES },
};

static void
test_hello(void)
{
	enum conf_service service;
	struct buf out;
	size_t i, cut;
	bool ready;

	for (i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
		size_t len = strlen(hellos[i].line);
		struct slice line = { unit_guard(hellos[i].line, len), len };
		const char *why = protocol_register(line, &service, &ready);

		CHECK(hellos[i].line,
		    (why == NULL) == hellos[i].good &&
			(why != NULL ||
			    (ready == hellos[i].ready &&
				service == hellos[i].service)));
		for (cut = 0; cut < len; cut++) {
			line = (struct slice){ unit_guard(hellos[i].line, cut),
				cut };
			protocol_register(line, &service, &ready);
		}
	}
	buf_init(&out, 0);
	CHECK("hello: said", protocol_hello(&out, "users"));
	buf_add(&out, "", 1);
	CHECK("hello: its lines",
	    strcmp((const char *)buf_data(&out),
		"config|smtpd-version|7.8.0\nconfig|protocol|0.1\n"
		"config|tablename|users\nconfig|ready\n") == 0);
	buf_free(&out);
}

/* ---- questions ---- */

static const struct {
	enum conf_service service;
	const char *key, *line; /* behind the time */
} asks[] = {
	{ SERVICE_ALIAS, "root", "|users|lookup|alias|2a|root\n" },
	{ SERVICE_ALIAS, "a|b", "|users|lookup|alias|2a|a|b\n" },
	{ SERVICE_DOMAIN, "example.org",
	    "|users|check|domain|2a|example.org\n" },
	{ SERVICE_CREDENTIALS, "joe", "|users|lookup|credentials|2a|joe\n" },
	{ SERVICE_NETADDR, "::1", "|users|check|netaddr|2a|::1\n" },
	{ SERVICE_USERINFO, "joe", "|users|lookup|userinfo|2a|joe\n" },
	{ SERVICE_SOURCE, "#0", "|users|fetch|source|2a\n" },
	{ SERVICE_MAILADDR, "a@b", "|users|check|mailaddr|2a|a@b\n" },
	{ SERVICE_MAILADDRMAP, "joe", "|users|lookup|mailaddrmap|2a|joe\n" },
	{ SERVICE_ADDRNAME, "::1", "|users|lookup|addrname|2a|::1\n" },
	{ SERVICE_STRING, "x", "|users|check|string|2a|x\n" },
	{ SERVICE_REGEX, "x", "|users|check|regex|2a|x\n" },
	{ SERVICE_RELAYHOST, "x.org", "|users|lookup|relayhost|2a|x.org\n" },
	{ SERVICE_RELAYHOST, "#15", "|users|fetch|relayhost|2a\n" },
};

static bool
is_question(const char *line, const char *end)
{
	const char *p = line;

	if (strncmp(p, "table|0.1|", 10) != 0)
		return false;
	for (p += 10; isdigit((unsigned char)*p); p++)
		;
	if (*p++ != '.')
		return false;
	for (; isdigit((unsigned char)*p); p++)
		;
	return strcmp(p, end) == 0;
}

static void
test_ask(void)
{
	struct buf out;
	size_t i;

	for (i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		buf_init(&out, 0);
		protocol_ask(&out, protocol_op_of(asks[i].service, asks[i].key),
		    "users", asks[i].service, 42, asks[i].key);
		buf_add(&out, "", 1);
		CHECK(asks[i].line,
		    is_question((const char *)buf_data(&out), asks[i].line));
		buf_free(&out);
	}
	buf_init(&out, 0);
	protocol_ask(&out, PROTOCOL_UPDATE, "users", SERVICE_ALIAS, 42, "");
	buf_add(&out, "", 1);
	CHECK("ask: update",
	    is_question((const char *)buf_data(&out), "|users|update|2a\n"));
	buf_free(&out);
	buf_init(&out, 40);
	CHECK("ask: no room, nothing is left of it",
	    !protocol_ask(&out, PROTOCOL_LOOKUP, "users", SERVICE_ALIAS, 42,
		"somebody") &&
		out.len == 0);
	buf_free(&out);
}

/* ---- answers ---- */

static const struct {
	const char *line;
	bool good;
	enum protocol_op op;
	uint64_t id;
	enum table_answer answer;
	const char *text;
} answers[] = {
	{ "lookup-result|2a|found|joe, ann", true, PROTOCOL_LOOKUP, 42,
	    TABLE_YES, "joe, ann" },
	{ "lookup-result|2a|found|a|b", true, PROTOCOL_LOOKUP, 42, TABLE_YES,
	    "a|b" },
	{ "lookup-result|2a|not-found", true, PROTOCOL_LOOKUP, 42, TABLE_NO,
	    "" },
	{ "lookup-result|2a|error", true, PROTOCOL_LOOKUP, 42, TABLE_UNKNOWN,
	    "" },
	{ "lookup-result|2a|error|no database", true, PROTOCOL_LOOKUP, 42,
	    TABLE_UNKNOWN, "no database" },
	{ "check-result|1|found", true, PROTOCOL_CHECK, 1, TABLE_YES, "" },
	{ "check-result|1|found|x", true, PROTOCOL_CHECK, 1, TABLE_YES, "x" },
	{ "check-result|1|not-found", true, PROTOCOL_CHECK, 1, TABLE_NO, "" },
	{ "check-result|ffffffffffffffff|error", true, PROTOCOL_CHECK,
	    UINT64_MAX, TABLE_UNKNOWN, "" },
	{ "fetch-result|1|found|::1", true, PROTOCOL_FETCH, 1, TABLE_YES,
	    "::1" },
	{ "update-result|1|ok", true, PROTOCOL_UPDATE, 1, TABLE_YES, "" },
	{ "update-result|1|error|why", true, PROTOCOL_UPDATE, 1, TABLE_UNKNOWN,
	    "why" },
	{ "lookup-result|1|found|m\xc3\xbcller", true, PROTOCOL_LOOKUP, 1,
	    TABLE_YES, "m\xc3\xbcller" },
	{ "", false, 0, 0, 0, "" },
	{ "|", false, 0, 0, 0, "" },
	{ "lookup-result", false, 0, 0, 0, "" },
	{ "lookup-result|", false, 0, 0, 0, "" },
	{ "lookup-result|2a", false, 0, 0, 0, "" },
	{ "lookup-result|2a|", false, 0, 0, 0, "" },
	{ "lookup-result|2a|found", false, 0, 0, 0, "" },
	{ "lookup-result|2a|found|", false, 0, 0, 0, "" },
	{ "lookup-result|2a|ok", false, 0, 0, 0, "" },
	{ "lookup-result|2A|not-found", false, 0, 0, 0, "" },
	{ "lookup-result|-1|not-found", false, 0, 0, 0, "" },
	{ "lookup-result||not-found", false, 0, 0, 0, "" },
	{ "lookup-result|10000000000000000|not-found", false, 0, 0, 0, "" },
	{ "check-result|1|ok", false, 0, 0, 0, "" },
	{ "update-result|1|found", false, 0, 0, 0, "" },
	{ "fetch-result|1|found", false, 0, 0, 0, "" },
	{ "LOOKUP-RESULT|1|not-found", false, 0, 0, 0, "" },
	{ "register|alias", false, 0, 0, 0, "" },
	{ "lookup-result|1|found|a\001", false, 0, 0, 0, "" },
	{ "hello", false, 0, 0, 0, "" },
};

static void
test_answers(void)
{
	struct protocol_answer a;
	size_t i, cut;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		size_t len = strlen(answers[i].line);
		struct slice line = { unit_guard(answers[i].line, len), len };
		const char *why = protocol_parse(line, &a);

		CHECK(answers[i].line,
		    (why == NULL) == answers[i].good &&
			(why != NULL ||
			    (a.op == answers[i].op && a.id == answers[i].id &&
				a.answer == answers[i].answer &&
				slice_eq(a.text, slice_of(answers[i].text)))));
		for (cut = 0; cut < len; cut++) {
			line = (struct slice){ unit_guard(answers[i].line, cut),
				cut };
			/* A part of an answer is never a yes or no that the
			 * whole is not. */
			if (protocol_parse(line, &a) == NULL &&
			    a.answer == TABLE_NO)
				CHECK("answer: cut short",
				    answers[i].answer == TABLE_NO);
		}
	}
	a = (struct protocol_answer){ .op = PROTOCOL_LOOKUP };
	CHECK("fits: a fetch is answered as a lookup",
	    protocol_fits(PROTOCOL_FETCH, &a));
	CHECK("fits: a check is not", !protocol_fits(PROTOCOL_CHECK, &a));
}

/* ---- command lines ---- */

/* Columns: line; words with ';' behind each, NULL: refused. */
static const struct {
	const char *line, *words;
} commands[] = {
	{ "/bin/true", "/bin/true;" },
	{ " /bin/true  a\tb ", "/bin/true;a;b;" },
	{ "/bin/true 'a b' \"c d\"", "/bin/true;a b;c d;" },
	{ "/bin/true a'b c'd", "/bin/true;ab cd;" },
	{ "/bin/true \"a \\\" b\" 'c \\'", "/bin/true;a \" b;c \\;" },
	{ "/bin/true a\\ b \\'", "/bin/true;a b;';" },
	{ "/bin/true ''", "/bin/true;;" },
	{ "/bin/true $HOME `id` ; | > x", "/bin/true;$HOME;`id`;;;|;>;x;" },
	{ "", NULL },
	{ "  ", NULL },
	{ "'' a", NULL },
	{ "/bin/true 'a", NULL },
	{ "/bin/true \"a", NULL },
	{ "/bin/true a\\", NULL },
};

static void
test_commands(void)
{
	static struct command c;
	char words[256], longest[COMMAND_MAX + 2], *p;
	const char *why;
	size_t i, j;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		why = command_split(commands[i].line, &c);
		if (commands[i].words == NULL) {
			CHECK("command: refused", why != NULL);
			continue;
		}
		words[0] = '\0';
		for (j = 0; why == NULL && c.argv[j] != NULL; j++)
			snprintf(words + strlen(words),
			    sizeof(words) - strlen(words), "%s;", c.argv[j]);
		CHECK(commands[i].line, strcmp(words, commands[i].words) == 0);
	}
	memset(longest, 'a', sizeof(longest));
	longest[COMMAND_MAX - 1] = '\0';
	CHECK("command: longest", command_split(longest, &c) == NULL);
	longest[COMMAND_MAX - 1] = 'a';
	longest[COMMAND_MAX] = '\0';
	CHECK("command: too long", command_split(longest, &c) != NULL);
	for (p = longest, i = 0; i < COMMAND_ARGS; i++) {
		*p++ = 'a';
		*p++ = ' ';
	}
	*p = '\0';
	CHECK("command: most words",
	    command_split(longest, &c) == NULL && c.argv[COMMAND_ARGS] == NULL);
	p[0] = 'a';
	p[1] = '\0';
	CHECK("command: too many words", command_split(longest, &c) != NULL);
}

static void
make_program(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fclose(f) != 0 || chmod(path, 0755) != 0)
		abort();
}

static void
test_programs(void)
{
	static struct command c;
	char dir[] = "/tmp/unit-command-XXXXXX", path[64];

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(path, sizeof(path), "%s/table-unit", dir);
	make_program(path);
	CHECK("program: by its type",
	    command_of_table("unit", "/etc/x y", dir, &c) == NULL &&
		strcmp(c.path, path) == 0 &&
		strcmp(c.argv[0], "table-unit") == 0 &&
		strcmp(c.argv[1], "/etc/x y") == 0 && c.argv[2] == NULL);
	CHECK("program: without an argument",
	    command_of_table("unit", "", dir, &c) == NULL && c.argv[1] == NULL);
	CHECK("program: a command line's name is looked for too",
	    command_of_table("proc", "table-unit a b", dir, &c) == NULL &&
		strcmp(c.path, path) == 0 && strcmp(c.argv[2], "b") == 0);
	CHECK("program: a path",
	    command_of_table("proc-exec", "/bin/sh -c x", dir, &c) == NULL &&
		strcmp(c.path, "/bin/sh") == 0);
	CHECK("program: no such type",
	    command_of_table("no-such", "", dir, &c) != NULL);
	CHECK("program: a type that leads elsewhere",
	    command_of_table("../unit", "", dir, &c) != NULL &&
		command_of_table("", "", dir, &c) != NULL);
	CHECK("program: no such path",
	    command_of_table("proc", "/nonexistent", dir, &c) != NULL);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	test_hello();
	test_ask();
	test_answers();
	test_commands();
	test_programs();
	return unit_end();
}
