/*
 * Format specifiers: values, slices, modifiers, paths; sub-addresses; what the
 * end of a program means.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <signal.h>

#include "local_exit.h"
#include "local_format.h"

static struct local world;

static void
begin(void)
{
	struct local_take *t = &world.start.take;

	memset(&world, 0, sizeof world);
	world.start.delim = '+';
	snprintf(t->sender, sizeof t->sender, "Ann.S+news@Example.ORG");
	snprintf(t->rcpt, sizeof t->rcpt, "bob@host.test");
	snprintf(t->of, sizeof t->of, "Post+x;y@list.test");
	snprintf(t->to.user, sizeof t->to.user, "bob");
	snprintf(t->to.home, sizeof t->to.home, "/home/b b");
}

/* Columns: what stands in the braces, its value; NULL: refused. */
static const struct {
	const char *spec, *value;
} values[] = {
	{ "sender", "Ann.S+news@Example.ORG" },
	{ "SENDER", "Ann.S+news@Example.ORG" },
	{ "sender.user", "Ann.S+news" },
	{ "sender.domain", "Example.ORG" },
	{ "rcpt", "Post+x:y@list.test" },
	{ "rcpt.user", "Post+x:y" },
	{ "rcpt.domain", "list.test" },
	{ "dest", "bob@host.test" },
	{ "dest.user", "bob" },
	{ "dest.domain", "host.test" },
	{ "user.username", "bob" },
	{ "user.directory", "/home/b b" },
	{ "mbox.from", "Ann.S+news@Example.ORG" },
	{ "mda", NULL },
	{ "", NULL },
	{ "senders", NULL },
	{ "sender ", NULL },
	{ "sender.", NULL },
	/* modifiers */
	{ "sender:lowercase", "ann.s+news@example.org" },
	{ "sender:UPPERCASE", "ANN.S+NEWS@EXAMPLE.ORG" },
	{ "sender:strip", "Ann.S@Example.ORG" },
	{ "sender.user:strip", "Ann.S" },
	{ "sender.user:strip|lowercase", "ann.s" },
	{ "rcpt.user:raw", "Post+x;y" },
	{ "rcpt:raw|strip", "Post@list.test" },
	{ "sender:", NULL },
	{ "sender:reverse", NULL },
	{ "sender:lowercase|", NULL },
	{ "sender:|lowercase", NULL },
	{ "sender:lowercase uppercase", NULL },
	/* slices: the end is included, -1 is the last but one */
	{ "dest.user[0]", "b" },
	{ "dest.user[1]", "o" },
	{ "dest.user[0:1]", "bo" },
	{ "dest.user[1:]", "ob" },
	{ "dest.user[:1]", "bo" },
	{ "dest.user[:]", "bob" },
	{ "dest.user[0:100]", "bob" },
	{ "dest.user[-1:]", "b" },
	{ "dest.user[-2:]", "ob" },
	{ "dest.user[0:-1]", "bo" },
	{ "dest.user[3]", NULL },
	{ "dest.user[-4:]", NULL },
	{ "dest.user[2:1]", NULL },
	{ "dest.user[0:-3]", NULL },
	{ "dest.user[]", NULL },
	{ "dest.user[x]", NULL },
	{ "dest.user[1:2:3]", NULL },
	{ "dest.user[1", NULL },
	{ "dest.user[99999999999999999999]", NULL },
	{ "dest.user[--1]", NULL },
	{ "dest.user[-]", NULL },
	{ "dest.user[1]x", NULL },
	{ "sender.user[0:2]:lowercase", "ann" },
	{ "sender.user[0:2]:uppercase|strip", "ANN" },
	{ "sender.user:lowercase[0:2]", NULL },
};

static void
check_values(void)
{
	char out[FORMAT_VALUE_MAX + 1];
	const char *why;
	size_t i, n;

	for (i = 0; i < sizeof values / sizeof values[0]; i++) {
		n = strlen(values[i].spec);
		why = format_value(&world,
		    (struct slice){ unit_guard(values[i].spec, n), n }, out);
		CHECK(values[i].spec,
		    values[i].value == NULL ?
			why != NULL :
			why == NULL && strcmp(out, values[i].value) == 0);
	}
	world.start.take.sender[0] = '\0';
	CHECK("null sender",
	    format_value(&world, SLICE("sender.user[0:3]"), out) == NULL &&
		out[0] == '\0');
	CHECK("null sender in an mbox",
	    format_value(&world, SLICE("mbox.from"), out) == NULL &&
		strcmp(out, "MAILER-DAEMON") == 0);
	world.start.take.of[0] = '\0';
	CHECK("not expanded",
	    format_value(&world, SLICE("rcpt"), out) == NULL &&
		strcmp(out, "bob@host.test") == 0);
	world.start.delim = 0;
	snprintf(world.start.take.rcpt, ADDR_MAX, "a+b@c.test");
	CHECK("no delimiter",
	    format_value(&world, SLICE("dest:strip"), out) == NULL &&
		strcmp(out, "a+b@c.test") == 0);
	begin();
}

/* Every byte that a shell may take for something is cleaned. */
static void
check_clean(void)
{
	static const char odd[] = "!#$%&'*?`{|}~\"\\;()<> \t\n\r\001\177";
	char text[300], expected[300];
	size_t i;

	snprintf(text, sizeof text, "%s", odd);
	memset(expected, ':', sizeof odd - 1);
	expected[sizeof odd - 1] = '\0';
	format_clean(text);
	CHECK("clean: what is odd", strcmp(text, expected) == 0);
	snprintf(text, sizeof text, "aZ09.+-_=@/:,^[] \xc3\xa9");
	format_clean(text);
	CHECK("clean: what is not",
	    strcmp(text, "aZ09.+-_=@/:,^[]:\xc3\xa9") == 0);
	for (i = 0; i < 255; i++)
		text[i] = (char)(i + 1);
	text[255] = '\0';
	format_clean(text);
	CHECK("clean: all bytes", strlen(text) == 255);
}

/* Columns: template, the recipient's local part, path; NULL: refused. */
static const struct {
	const char *template, *user, *path;
} paths[] = {
	{ "/a/b", "x", "/a/b" },
	{ "~/Maildir", "x", "/home/b b/Maildir" },
	{ "Maildir", "x", "/home/b b/Maildir" },
	{ "~bob/Maildir", "x", "/home/b b/~bob/Maildir" },
	{ "%{user.directory}/m", "x", "/home/b b/m" },
	{ "%{user.directory:raw}/m", "x", "/home/b b/m" },
	{ "%{User.Directory[0:4]}/m", "x", "/home/m" },
	{ "/v/%{dest.domain}/%{dest.user:lowercase}/M", "Eva",
	    "/v/host.test/eva/M" },
	{ "/v/%{dest.user[0]}/%{dest.user}", "eva", "/v/e/eva" },
	{ "/100%%/%%{x}", "x", "/100%/%{x}" },
	{ "/a%b", "x", "/a%b" },
	{ "/a%", "x", "/a%" },
	{ "/a/../b", "x", "/a/../b" },
	/* what a stranger may want */
	{ "/v/%{dest.user}", "a/b", "/v/a:b" },
	{ "/v/%{dest.user:raw}", "../../etc", "/v/..:..:etc" },
	{ "/v/%{dest.user}", "..", NULL },
	{ "/v/%{dest.user}", ".", NULL },
	{ "/v/.%{dest.user}", ".", NULL },
	{ "/v/%{dest.user[0]}%{dest.user[1]}/x", "..a", NULL },
	{ "/v/%{dest.user}/x", "...", "/v/.../x" },
	{ "/v/%{dest.user}", "a b`c`$(d)\n", "/v/a:b:c:::d::" },
	{ "%{dest.user}", "/etc", "/home/b b/:etc" },
	/* what is no template */
	{ "/%{nothing}", "x", NULL },
	{ "/%{dest.user", "x", NULL },
	{ "/%{", "x", NULL },
	{ "/%{}", "x", NULL },
	{ "/%{mda}", "x", NULL },
};

static void
check_paths(void)
{
	char out[FORMAT_PATH_MAX], *long_one;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		snprintf(world.start.take.rcpt, sizeof world.start.take.rcpt,
		    "%s@host.test", paths[i].user);
		why = format_path(&world,
		    unit_guard(paths[i].template,
			strlen(paths[i].template) + 1),
		    out);
		CHECK(paths[i].template,
		    paths[i].path == NULL ?
			why != NULL :
			why == NULL && strcmp(out, paths[i].path) == 0);
	}
	long_one = calloc(1, 6000);
	memset(long_one, 'x', 5999);
	CHECK("a path that is too long",
	    format_path(&world, long_one, out) != NULL);
	free(long_one);
	world.start.take.to.home[0] = '\0';
	CHECK("no home", format_path(&world, "Maildir", out) == NULL);
	snprintf(world.start.take.to.home, 9, "relative");
	CHECK("a home that is none",
	    format_path(&world, "~/Maildir", out) != NULL);
	begin();
}

static void
check_extension(void)
{
	/* Columns: recipient, where it came from, delimiter, sub-address. */
	static const struct {
		const char *rcpt, *of;
		char delim;
		const char *ext;
	} rows[] = {
		{ "a+b@c.test", "", '+', "b" },
		{ "a+b+c@c.test", "", '+', "b+c" },
		{ "a@c.test", "", '+', "" },
		{ "a@c.test", "x+y@c.test", '+', "y" },
		{ "a+b@c.test", "x+y@c.test", '+', "b" },
		{ "+b@c.test", "", '+', "" },
		{ "a+@c.test", "", '+', "" },
		{ "a-b@c.test", "", '-', "b" },
		{ "a+b@c.test", "", 0, "" },
		{ "a@c+d.test", "", '+', "" },
		{ "a+b", "", '+', "b" },
	};
	char out[ADDR_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		world.start.delim = (uint32_t)rows[i].delim;
		snprintf(world.start.take.rcpt, ADDR_MAX, "%s", rows[i].rcpt);
		snprintf(world.start.take.of, ADDR_MAX, "%s", rows[i].of);
		local_extension(&world, out);
		CHECK(rows[i].rcpt, strcmp(out, rows[i].ext) == 0);
	}
	begin();
}

static int
exit_status(int code)
{
	return code << 8;
}

static void
check_exits(void)
{
	/* Columns: status, verdict, width, cause, code. */
	static const struct {
		int status;
		enum verdict verdict;
		enum width width;
		enum cause cause;
		int ecode[2];
	} rows[] = {
		{ 1 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 3, 0 } },
		{ 64 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 3, 0 } },
		{ 65 << 8, NEVER, WIDTH_RCPT, CAUSE_CONTENT, { 6, 0 } },
		{ 67 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 1, 1 } },
		{ 68 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 1, 2 } },
		{ 69 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 3, 0 } },
		{ 71 << 8, LATER, WIDTH_RCPT, CAUSE_SYSTEM, { 3, 0 } },
		{ 73 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 2, 0 } },
		{ 75 << 8, LATER, WIDTH_RCPT, CAUSE_MAILBOX, { 3, 0 } },
		{ 76 << 8, NEVER, WIDTH_RCPT, CAUSE_CONTENT, { 5, 0 } },
		{ 77 << 8, NEVER, WIDTH_RCPT, CAUSE_POLICY, { 7, 0 } },
		{ 78 << 8, NEVER, WIDTH_RCPT, CAUSE_CONFIG, { 3, 5 } },
		{ 99 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 3, 0 } },
		{ 100 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 3, 0 } },
		{ 111 << 8, LATER, WIDTH_RCPT, CAUSE_MAILBOX, { 3, 0 } },
		{ 126 << 8, LATER, WIDTH_SITE, CAUSE_CONFIG, { 3, 5 } },
		{ 127 << 8, LATER, WIDTH_SITE, CAUSE_CONFIG, { 3, 5 } },
		{ SIGKILL, LATER, WIDTH_RCPT, CAUSE_SYSTEM, { 3, 0 } },
		{ SIGSEGV | 128, LATER, WIDTH_RCPT, CAUSE_SYSTEM, { 3, 0 } },
		{ 139 << 8, LATER, WIDTH_RCPT, CAUSE_SYSTEM, { 3, 0 } },
		{ 255 << 8, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, { 3, 0 } },
	};
	struct exit_words w = { 0 };
	const struct outcome *o = &world.outcome;
	char name[64];
	size_t i;

	CHECK("exit 0", exit_outcome(&world, exit_status(0), &w));
	exit_words_add(&w, "\n no\tsuch\r\n\x1b[31muser\xff ", 22);
	CHECK("words are one line of ASCII",
	    strcmp(w.text, "no such ?[31muser? ") == 0);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(name, sizeof name, "status %#x", rows[i].status);
		CHECK(name,
		    !exit_outcome(&world, rows[i].status, &w) &&
			o->verdict == rows[i].verdict &&
			o->width == rows[i].width &&
			o->cause == rows[i].cause &&
			o->ecode[0] == (o->verdict == NEVER ? 5 : 4) &&
			o->ecode[1] == rows[i].ecode[0] &&
			o->ecode[2] == rows[i].ecode[1] &&
			strstr(o->text, "no such") != NULL);
	}
	for (i = 0; i < 1000; i++)
		exit_words_add(&w, "0123456789", 10);
	CHECK("words have a bound",
	    w.len == EXIT_WORDS_MAX && strlen(w.text) == w.len);
}

int
main(void)
{
	begin();
	check_values();
	check_clean();
	check_paths();
	check_extension();
	check_exits();
	return unit_end();
}
