/*
 * sendmail(8): its command line, the messages it reads, what it adds.  The
 * rest is added by the daemon: smtpd_header.c.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sysexits.h>

#include "sendmail_args.h"
#include "sendmail_message.h"
#include "unit.h"

#define B(literal) literal, sizeof(literal) - 1

/* ---- arguments ---- */

#define WORDS_MAX 10

/* Columns: words; 1: good; sender, name, dir ("-": not said); headers, dots,
 * eight, nothing; recipients. */
static const struct {
	const char *words[WORDS_MAX];
	int good;
	const char *sender, *name, *dir;
	int headers, dots, eight, nothing, n_rcpts;
} args[] = {
	/* as they are called */
	{ { "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root" }, 1,
	    "-", "CronDaemon", "-", 0, 1, 1, 0, 1 },
	{ { "sendmail", "-FCronDaemon", "-odi", "-oem", "-oi", "-t" }, 1, "-",
	    "CronDaemon", "-", 1, 1, 0, 0, 0 },
	{ { "sendmail", "-i", "-f", "<>", "root" }, 1, "", "-", "-", 0, 1, 0, 0,
	    1 },
	{ { "sendmail", "-f", "", "root" }, 1, "", "-", "-", 0, 0, 0, 0, 1 },
	{ { "/usr/sbin/sendmail", "-t", "-i" }, 1, "-", "-", "-", 1, 1, 0, 0,
	    0 },
	{ { "sendmail", "-ti" }, 1, "-", "-", "-", 1, 1, 0, 0, 0 },
	{ { "sendmail", "-it" }, 1, "-", "-", "-", 1, 1, 0, 0, 0 },
	{ { "sendmail", "-f", "a@b", "-i", "c@d", "e@f" }, 1, "a@b", "-", "-",
	    0, 1, 0, 0, 2 },
	{ { "sendmail", "-fa@b", "c@d" }, 1, "a@b", "-", "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-ra@b", "c@d" }, 1, "a@b", "-", "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-oem", "-oi", "-f", "a@b", "--", "-c@d" }, 1, "a@b",
	    "-", "-", 0, 1, 0, 0, 1 },
	{ { "sendmail", "-Nnever", "-Rhdrs", "-V", "id", "a" }, 1, "-", "-",
	    "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-R", "full", "a" }, 1, "-", "-", "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-R", "run", "a" }, 1, "-", "-", "run", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-bm", "-m", "-n", "-v", "-U", "-x", "-odb", "-o8",
	      "a" },
	    1, "-", "-", "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-G", "-i", "-f", "a", "b" }, 1, "a", "-", "-", 0, 1, 0,
	    0, 1 },
	{ { "sendmail", "-L", "tag", "-h", "3", "-p", "x", "-Ac", "a" }, 1, "-",
	    "-", "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-O", "DeliveryMode=b", "-C", "file", "a" }, 1, "-",
	    "-", "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-B", "7bit", "-d0.1", "-X", "log", "a" }, 1, "-", "-",
	    "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-q15m" }, 1, "-", "-", "-", 0, 0, 0, 1, 0 },
	{ { "sendmail", "-qp5m" }, 1, "-", "-", "-", 0, 0, 0, 1, 0 },
	{ { "sendmail", "-q15m", "a" }, 1, "-", "-", "-", 0, 0, 0, 0, 1 },
	{ { "sendmail", "-t", "a", "-x" }, 1, "-", "-", "-", 1, 0, 0, 0, 2 },
	/* refused, each with a word */
	{ { "sendmail" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-i" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-f" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-i", "-F" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-Z", "a" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-B", "9BIT", "a" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-bp" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-bs" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-bi" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-I" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-bd", "-q15m" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-b" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-q" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "sendmail", "-qIabc" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "mailq" }, 0, "", "", "", 0, 0, 0, 0, 0 },
	{ { "/usr/bin/newaliases" }, 0, "", "", "", 0, 0, 0, 0, 0 },
};

static int
same_text(const char *have, const char *want)
{
	if (strcmp(want, "-") == 0)
		return have == NULL;
	return have != NULL && strcmp(have, want) == 0;
}

static void
test_args(void)
{
	struct sendmail_args a;
	char *argv[WORDS_MAX + 1], name[64];
	const char *why;
	size_t i;
	int argc;

	for (i = 0; i < sizeof args / sizeof args[0]; i++) {
		memset(argv, 0, sizeof argv);
		for (argc = 0; argc < WORDS_MAX && args[i].words[argc] != NULL;
		     argc++)
			argv[argc] = unit_guard(args[i].words[argc],
			    strlen(args[i].words[argc]) + 1);
		why = sendmail_args_parse(argc, argv, &a);
		snprintf(name, sizeof name, "args %zu", i);
		if (!args[i].good) {
			CHECK(name, why != NULL && why[0] != '\0');
			continue;
		}
		CHECK(name,
		    why == NULL && same_text(a.sender, args[i].sender) &&
			same_text(a.name, args[i].name) &&
			same_text(a.dir, args[i].dir) &&
			a.headers == args[i].headers &&
			a.dots == args[i].dots && a.eight == args[i].eight &&
			a.nothing == args[i].nothing &&
			a.n_rcpts == args[i].n_rcpts &&
			(a.n_rcpts == 0 ||
			    a.rcpts[a.n_rcpts - 1] == argv[argc - 1]));
	}
}

/* ---- messages ---- */

static const char head[] = "From: <user@host.example>\r\n";

/*
 * Columns: what stands after the fields above on standard input, a lone dot
 * is content; header as it leaves, after those fields; body; 8-bit.
 */
static const struct {
	const char *in;
	size_t len;
	int dots;
	const char *header, *body;
	int eight;
} messages[] = {
	{ B("\nhello\n"), 0, "", "hello\r\n", 0 },
	{ B("\r\nhello\r\n"), 0, "", "hello\r\n", 0 },
	{ B("\nhello"), 0, "", "hello\r\n", 0 },
	{ B("\n\n\nhello\n\n"), 0, "", "\r\n\r\nhello\r\n\r\n", 0 },
	{ B("\na\r\nb\nc\rd\r\n"), 0, "", "a\r\nb\r\nc\r\nd\r\n", 0 },
	{ B("\na\r\r\nb\n"), 0, "", "a\r\n\r\nb\r\n", 0 },
	{ B("\na\0b\n"), 0, "", "ab\r\n", 0 },
	{ B(""), 0, "", "", 0 },
	{ B("\n"), 0, "", "", 0 },
	{ B("X: y\n"), 0, "X: y\r\n", "", 0 },
	{ B("X: y"), 0, "X: y\r\n", "", 0 },
	{ B("X: y\n folded\n\tmore\n\nbody\n"), 0,
	    "X: y\r\n folded\r\n\tmore\r\n", "body\r\n", 0 },
	{ B("X: \xe4\n\n"), 0, "X: \xe4\r\n", "", 1 },
	{ B("\n\xe4\n"), 0, "", "\xe4\r\n", 1 },
	/* the body begins without an empty line */
	{ B("no field\nmore\n"), 0, "", "no field\r\nmore\r\n", 0 },
	{ B("X: y\nno field\nZ: w\n"), 0, "X: y\r\n", "no field\r\nZ: w\r\n",
	    0 },
	/* dots */
	{ B("\na\n.\nb\n"), 0, "", "a\r\n", 0 },
	{ B("\na\n.\nb\n"), 1, "", "a\r\n.\r\nb\r\n", 0 },
	{ B("\na\n..\n.b\nc\n"), 0, "", "a\r\n..\r\n.b\r\nc\r\n", 0 },
	{ B("X: y\n.\nZ: w\n"), 0, "X: y\r\n", "", 0 },
	{ B("\n.\r\na\n"), 0, "", "", 0 },
	/* the daemon's work */
	{ B("Bcc: secret@x\nTo: root\nReturn-Path: <a@b>\n\n"), 0,
	    "Bcc: secret@x\r\nTo: root\r\nReturn-Path: <a@b>\r\n", "", 0 },
};

static const struct message_sender who = { .address = "user@host.example",
	.name = "" };

static FILE *
input(const char *before, const char *in, size_t len)
{
	FILE *f = tmpfile();

	if (f == NULL || fwrite(before, 1, strlen(before), f) == 0 ||
	    fwrite(in, 1, len, f) != len)
		abort();
	rewind(f);
	return f;
}

static int
body_is(const struct message *m, const char *want)
{
	static char have[4096];
	size_t n = fread(have, 1, sizeof have, m->body);

	return n == strlen(want) && memcmp(have, want, n) == 0 && m->size == n;
}

static int
header_is(const struct message *m, const char *want)
{
	struct buf out;
	int ok;

	buf_init(&out, 0);
	ok = message_header(m, &out) && out.len == strlen(want) &&
	    memcmp(buf_data(&out), want, out.len) == 0;
	buf_free(&out);
	return ok;
}

static void
test_messages(void)
{
	char want[1024], name[64];
	struct message m;
	size_t i;
	FILE *in;
	int ok, status;

	for (i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		in = input(head, messages[i].in, messages[i].len);
		snprintf(want, sizeof want, "%s%s\r\n", head,
		    messages[i].header);
		ok = message_read(&m, in, messages[i].dots, &status) == NULL &&
		    message_add_from(&m, &who) && header_is(&m, want) &&
		    body_is(&m, messages[i].body) &&
		    m.eight == messages[i].eight;
		snprintf(name, sizeof name, "message %zu", i);
		CHECK(name, ok);
		message_free(&m);
		fclose(in);
	}
}

/* Columns: standard input, full name, header. */
static const struct {
	const char *in, *name, *header;
} completed[] = {
	{ "\nbody\n", "", "From: <user@host.example>\r\n\r\n" },
	{ "body\n", "", "From: <user@host.example>\r\n\r\n" },
	{ "Subject: x\n\n", "",
	    "Subject: x\r\nFrom: <user@host.example>\r\n\r\n" },
	{ "From: root (Cron Daemon)\n\n", "",
	    "From: root (Cron Daemon)\r\n\r\n" },
	{ "From a@b Thu Jan  1 00:00:00 1970\nSubject: x\n\n", "",
	    "Subject: x\r\nFrom: <user@host.example>\r\n\r\n" },
	{ "\n", "Cron Daemon",
	    "From: \"Cron Daemon\" <user@host.example>\r\n\r\n" },
	{ "\n", "A \"B\" \\C",
	    "From: \"A \\\"B\\\" \\\\C\" <user@host.example>\r\n\r\n" },
	{ "\n", "B\xc3\xb6 x",
	    "From: =?UTF-8?Q?B=C3=B6=20x?= <user@host.example>\r\n\r\n" },
	{ "\n", "evil\r\nBcc: x",
	    "From: \"evilBcc: x\" <user@host.example>\r\n\r\n" },
	{ "fRom : a@b\n\n", "", "fRom : a@b\r\n\r\n" },
};

static void
test_completed(void)
{
	struct message_sender named = who;
	struct message m;
	char name[64];
	size_t i;
	FILE *in;
	int status;

	for (i = 0; i < sizeof completed / sizeof completed[0]; i++) {
		in = input(completed[i].in, "", 0);
		named.name = completed[i].name;
		snprintf(name, sizeof name, "completed %zu", i);
		CHECK(name,
		    message_read(&m, in, false, &status) == NULL &&
			message_add_from(&m, &named) &&
			header_is(&m, completed[i].header));
		message_free(&m);
		fclose(in);
	}
}

static const char *
collect(void *arg, struct slice address)
{
	char *out = arg;
	size_t n = strlen(out);

	snprintf(out + n, 256 - n, "%.*s|", (int)address.len, address.p);
	return NULL;
}

/* Columns: header, recipients; NULL: not readable. */
static const struct {
	const char *in, *want;
} rcpts[] = {
	{ "To: a@b\nCc: c@d\nBcc: e@f\n\n", "a@b|c@d|e@f|" },
	{ "TO : a@b\nto: g@h\n\n", "a@b|g@h|" },
	{ "To: a@b,\n\tc@d\n\n", "a@b|c@d|" },
	{ "To: a@b\nResent-To: r@s\nResent-Bcc: t@u\n\n", "r@s|t@u|" },
	{ "From: x@y\nReply-To: z@w\n\nTo: body@x\n", "" },
	{ "To: a b c\n\n", NULL },
};

static void
test_rcpts(void)
{
	char have[256], name[64];
	struct message m;
	const char *why;
	size_t i;
	FILE *in;
	int status;

	for (i = 0; i < sizeof rcpts / sizeof rcpts[0]; i++) {
		in = input(rcpts[i].in, "", 0);
		have[0] = '\0';
		why = message_read(&m, in, false, &status);
		if (why == NULL)
			why = message_rcpts(&m, collect, have);
		snprintf(name, sizeof name, "rcpts %zu", i);
		CHECK(name,
		    rcpts[i].want == NULL ?
			why != NULL :
			why == NULL && strcmp(have, rcpts[i].want) == 0);
		message_free(&m);
		fclose(in);
	}
}

/* A body larger than any buffer, with a line longer than any. */
static void
test_large(void)
{
	enum { LEN = 300000 };
	struct message m;
	FILE *in = tmpfile();
	int i, status;

	fputs("Subject: x\n\n", in);
	for (i = 0; i < LEN; i++)
		putc('a', in);
	for (i = 0; i < LEN; i++)
		putc('\n', in);
	rewind(in);
	CHECK("large body",
	    message_read(&m, in, false, &status) == NULL &&
		m.size == LEN + 2 * LEN);
	message_free(&m);
	rewind(in);
	fputs("X", in);
	for (i = 0; i < 6000000; i++)
		putc('a', in);
	rewind(in);
	CHECK("endless header",
	    message_read(&m, in, false, &status) != NULL &&
		status == EX_DATAERR);
	message_free(&m);
	fclose(in);
}

int
main(void)
{
	test_args();
	test_messages();
	test_completed();
	test_rcpts();
	test_large();
	return unit_end();
}
