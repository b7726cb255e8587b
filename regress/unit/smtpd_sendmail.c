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

/*
 * Columns: words; what becomes of them, NULL: refused.  That is the mode, then
 * what is set, then " N" recipients.
 */
static const struct {
	const char *words[WORDS_MAX];
	const char *want;
} args[] = {
	/* as they are called */
	{ { "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root" },
	    "deliver name=CronDaemon dots eight mail 1" },
	{ { "sendmail", "-FCronDaemon", "-odi", "-oem", "-oi", "-t" },
	    "deliver name=CronDaemon headers dots mail 0" },
	{ { "sendmail", "-i", "-f", "<>", "root" }, "deliver sender= dots 1" },
	{ { "sendmail", "-f", "", "root" }, "deliver sender= 1" },
	{ { "/usr/sbin/sendmail", "-t", "-i" }, "deliver headers dots 0" },
	{ { "sendmail", "-ti" }, "deliver headers dots 0" },
	{ { "sendmail", "-it" }, "deliver headers dots 0" },
	{ { "sendmail", "-itfa@b" }, "deliver sender=a@b headers dots 0" },
	{ { "sendmail", "-itf", "a@b" }, "deliver sender=a@b headers dots 0" },
	{ { "sendmail", "-f", "a@b", "-i", "c@d", "e@f" },
	    "deliver sender=a@b dots 2" },
	{ { "sendmail", "-fa@b", "c@d" }, "deliver sender=a@b 1" },
	{ { "sendmail", "-ra@b", "c@d" }, "deliver sender=a@b 1" },
	{ { "sendmail", "-oem", "-oi", "-f", "a@b", "--", "-c@d" },
	    "deliver sender=a@b dots mail 1" },
	{ { "sendmail", "-G", "-i", "-f", "a", "b" },
	    "deliver sender=a dots 1" },
	{ { "send-mail", "a" }, "deliver 1" },
	{ { "sendmail", "-bm", "-m", "-n", "-v", "-U", "-x", "-odb", "-o8",
	      "a" },
	    "deliver verbose 1" },
	{ { "sendmail", "-b", "m", "-o", "i", "-o", "em", "a" },
	    "deliver dots mail 1" },
	{ { "sendmail", "-L", "tag", "-h", "3", "-p", "x", "-Ac", "a" },
	    "deliver tag=tag 1" },
	{ { "sendmail", "-Ltag", "-d", "-d0.1", "-7", "-J", "-E", "-c", "a" },
	    "deliver tag=tag 1" },
	{ { "sendmail", "-B", "7bit", "-X", "log", "-XVersion", "a" },
	    "deliver 1" },
	{ { "sendmail", "-t", "a", "-x" }, "deliver headers 2" },
	{ { "sendmail", "a", "-" }, "deliver 2" },
	{ { "sendmail", "-", "a" }, "deliver 2" },
	/* -o and -O */
	{ { "sendmail", "-oep", "a" }, "deliver 1" },
	{ { "sendmail", "-oem", "-oep", "a" }, "deliver 1" },
	{ { "sendmail", "-oew", "a" }, "deliver 1" },
	{ { "sendmail", "-oeq", "a" }, "deliver quiet 1" },
	{ { "sendmail", "-oee", "a" }, "deliver zero 1" },
	{ { "sendmail", "-em", "a" }, "deliver mail 1" },
	{ { "sendmail", "-oex", "a" }, "deliver 1" },
	{ { "sendmail", "-ov", "a" }, "deliver verbose 1" },
	{ { "sendmail", "-oi", "-oiNo", "a" }, "deliver 1" },
	{ { "sendmail", "-O", "ErrorMode=m", "-OIgnoreDots", "a" },
	    "deliver dots mail 1" },
	{ { "sendmail", "-O", "errormode=q", "-O", "ignoredots=false", "a" },
	    "deliver quiet 1" },
	{ { "sendmail", "-O", "DeliveryMode=b", "-C", "file", "a" },
	    "deliver 1" },
	{ { "sendmail", "-O", "smtputf8=yes", "-Orequiretls", "a" },
	    "deliver utf8 tls 1" },
	{ { "sendmail", "-O", "NoSuchThing", "-oZ", "-oZ9", "a" },
	    "deliver 1" },
	/* RFC 3461 */
	{ { "sendmail", "-Nnever", "-Rhdrs", "-V", "id+1", "a" },
	    "deliver notify=1 ret=2 envid=id+1 1" },
	{ { "sendmail", "-N", "delay,failure", "-R", "FULL", "a" },
	    "deliver notify=12 ret=1 1" },
	{ { "sendmail", "-R", "run", "-R", "full", "a" },
	    "deliver dir=run ret=1 1" },
	/* others */
	{ { "sendmail", "-bs" }, "serve 0" },
	{ { "sendmail", "-bs", "-odb", "-oem" }, "serve mail 0" },
	{ { "sendmail", "-bv", "a" }, "verify 1" },
	{ { "sendmail", "-bv", "-t" }, "verify headers 0" },
	{ { "sendmail", "-bt" }, "test 0" },
	{ { "sendmail", "-bp" }, "list 0" },
	{ { "mailq", "-v" }, "list verbose 0" },
	{ { "mailq", "-Ac" }, "list 0" },
	{ { "sendmail", "-bi" }, "aliases 0" },
	{ { "sendmail", "-I" }, "aliases 0" },
	{ { "/usr/bin/newaliases" }, "aliases 0" },
	{ { "sendmail", "-bd", "-q15m" }, "daemon 0" },
	{ { "sendmail", "-bD" }, "daemon foreground 0" },
	{ { "sendmail", "-bh" }, "hosts 0" },
	{ { "hoststat" }, "hosts 0" },
	{ { "purgestat" }, "nothing 0" },
	{ { "sendmail", "-q15m" }, "nothing 0" },
	{ { "sendmail", "-qp5m" }, "nothing 0" },
	{ { "sendmail", "-q15m", "a" }, "deliver 1" },
	{ { "sendmail", "-q" }, "flush 0" },
	{ { "sendmail", "-qf" }, "flush 0" },
	{ { "sendmail", "-q", "-v" }, "flush verbose 0" },
	{ { "sendmail", "-qIabc" }, "flush id=abc 0" },
	{ { "sendmail", "-q!Rexample", "-qSann" },
	    "flush to=!example from=ann 0" },
	{ { "sendmail", "-qQ" }, "flush held 0" },
	{ { "sendmail", "-q!Q" }, "flush 0" },
	{ { "sendmail", "-qGgroup" }, "flush 0" },
	{ { "mailq", "-q" }, "list 0" },
	/* refused, each with a word */
	{ { "sendmail" }, NULL },
	{ { "sendmail", "-i" }, NULL },
	{ { "sendmail", "-f" }, NULL },
	{ { "sendmail", "-i", "-F" }, NULL },
	{ { "sendmail", "-Z", "a" }, NULL },
	{ { "sendmail", "-B", "9BIT", "a" }, NULL },
	{ { "sendmail", "-N", "sometimes", "a" }, NULL },
	{ { "sendmail", "-N", "never,delay", "a" }, NULL },
	{ { "sendmail", "-V", "", "a" }, NULL },
	{ { "sendmail", "-V", "a\r\nb", "a" }, NULL },
	{ { "sendmail", "-V\xe4", "a" }, NULL },
	{ { "sendmail",
	      "-V"
	      "++++++++++++++++++++++++++++++++++",
	      "a" },
	    NULL },
	{ { "sendmail", "-XV", "a" }, NULL },
	{ { "sendmail", "-XV+=", "a" }, NULL },
	{ { "sendmail", "-b" }, NULL },
	{ { "sendmail", "-bx", "a" }, NULL },
	{ { "sendmail", "-bss", "a" }, NULL },
	{ { "sendmail", "-bv" }, NULL },
	{ { "sendmail", "-q", "a" }, NULL },
	{ { "sendmail", "-q", "-t" }, NULL },
	{ { "sendmail", "-qXabc" }, NULL },
	{ { "sendmail", "-q!" }, NULL },
	{ { "sendmail", "-qI" }, NULL },
	{ { "sendmail", "-qQreason" }, NULL },
};

static const char *const mode_names[] = {
	[MODE_DELIVER] = "deliver",
	[MODE_SERVE] = "serve",
	[MODE_VERIFY] = "verify",
	[MODE_TEST] = "test",
	[MODE_LIST] = "list",
	[MODE_ALIASES] = "aliases",
	[MODE_DAEMON] = "daemon",
	[MODE_HOSTS] = "hosts",
	[MODE_FLUSH] = "flush",
	[MODE_NOTHING] = "nothing",
};

static void
show_text(struct buf *b, const char *name, const char *text)
{
	if (text != NULL)
		buf_printf(b, " %s=%s", name, text);
}

static void
show_set(struct buf *b, const char *name, int set)
{
	if (set)
		buf_printf(b, " %s", name);
}

static void
show_args(struct buf *b, const struct sendmail_args *a)
{
	static const char *const errors[] = { "", " quiet", " mail", " zero" };
	static const char *const parts[FLUSHES] = { "id", "to", "from" };
	int i;

	buf_puts(b, mode_names[a->mode]);
	show_text(b, "dir", a->dir);
	show_text(b, "sender", a->sender);
	show_text(b, "name", a->name);
	show_text(b, "tag", a->tag);
	show_set(b, "headers", a->headers);
	show_set(b, "dots", a->dots);
	show_set(b, "eight", a->eight);
	show_set(b, "verbose", a->verbose);
	show_set(b, "utf8", a->utf8);
	show_set(b, "tls", a->require_tls);
	show_set(b, "foreground", a->foreground);
	buf_puts(b, errors[a->errors]);
	if (a->notify != 0)
		buf_printf(b, " notify=%u", a->notify);
	if (a->ret != 0)
		buf_printf(b, " ret=%u", a->ret);
	show_text(b, "envid", a->envid);
	for (i = 0; i < FLUSHES; i++) {
		if (a->select[i] != NULL)
			buf_printf(b, " %s=%s%s", parts[i],
			    a->select_not[i] ? "!" : "", a->select[i]);
	}
	show_set(b, "held", a->held);
	buf_printf(b, " %d", a->n_rcpts);
}

static void
test_args(void)
{
	char *argv[WORDS_MAX + 1], name[64];
	struct sendmail_args a;
	const char *why;
	struct buf have;
	size_t i;
	int argc;

	for (i = 0; i < sizeof args / sizeof args[0]; i++) {
		memset(argv, 0, sizeof argv);
		for (argc = 0; argc < WORDS_MAX && args[i].words[argc] != NULL;
		     argc++)
			argv[argc] = unit_guard(args[i].words[argc],
			    strlen(args[i].words[argc]) + 1);
		why = sendmail_args_parse(argc, argv, &a);
		snprintf(name, sizeof name, "args %zu %s", i,
		    argc > 1 ? args[i].words[1] : "");
		if (args[i].want == NULL) {
			CHECK(name, why != NULL && why[0] != '\0');
			continue;
		}
		buf_init(&have, 0);
		if (why == NULL)
			show_args(&have, &a);
		CHECK(name,
		    have.len == strlen(args[i].want) &&
			memcmp(buf_data(&have), args[i].want, have.len) == 0 &&
			(a.n_rcpts == 0 ||
			    a.rcpts[a.n_rcpts - 1] == argv[argc - 1]));
		buf_free(&have);
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

	if (f == NULL ||
	    fwrite(before, 1, strlen(before), f) != strlen(before) ||
	    fwrite(in, 1, len, f) != len)
		abort();
	rewind(f);
	return f;
}

static int
body_is(struct message *m, const char *want)
{
	static char have[4096];
	bool ok;
	size_t n = message_body(m, have, sizeof have, &ok);

	return ok && n == strlen(want) && memcmp(have, want, n) == 0 &&
	    m->size == n && message_body(m, have, 1, &ok) == 0 && ok;
}

static const struct message_how plain = { .dots = false };

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
	struct message_how how = plain;
	char want[1024], name[64];
	struct message m;
	size_t i;
	FILE *in;
	int ok, status;

	for (i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		in = input(head, messages[i].in, messages[i].len);
		snprintf(want, sizeof want, "%s%s\r\n", head,
		    messages[i].header);
		how.dots = messages[i].dots;
		ok = message_read(&m, in, &how, &status) == NULL &&
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
	{ "From a@b x\n>From c@d y\nSubject: x\n\n", "",
	    "Subject: x\r\nFrom: <user@host.example>\r\n\r\n" },
	{ "\n", "Cron Daemon",
	    "From: \"Cron Daemon\" <user@host.example>\r\n\r\n" },
	{ "\n", "A \"B\" \\C",
	    "From: \"A \\\"B\\\" \\\\C\" <user@host.example>\r\n\r\n" },
	{ "\n", "B\xc3\xb6 x",
	    "From: =?UTF-8?Q?B=C3=B6=20x?= <user@host.example>\r\n\r\n" },
	{ "\n", "\xe4 \"x",
	    "From: =?UNKNOWN-8BIT?Q?=E4=20=22x?= <user@host.example>\r\n\r\n" },
	{ "\n",
	    "\xd0\x90\xd0\x91\xd0\x92\xd0\x93\xd0\x94\xd0\x95\xd0\x96\xd0\x97\xd0\x98",
	    "From: =?UTF-8?Q?=D0=90=D0=91=D0=92=D0=93=D0=94=D0=95=D0=96=D0=97?=\r\n"
	    " =?UTF-8?Q?=D0=98?= <user@host.example>\r\n\r\n" },
	{ "\n", " \x7f\t ", "From: <user@host.example>\r\n\r\n" },
	{ "\n",
	    "012345678901234567890123456789012345678901234567890123456789"
	    "012345678901234567890123456789012345678901234567890123456789"
	    "012345678901234567890123456789012345678901234567890123456789"
	    "012345678901234567890",
	    "From: <user@host.example>\r\n\r\n" },
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
		    message_read(&m, in, &plain, &status) == NULL &&
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
		why = message_read(&m, in, &plain, &status);
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

/* ---- large and endless ---- */

/* A limit of 1 MB, asked for as often as *arg says afterwards. */
static bool
million(void *arg, uint64_t *max)
{
	int *asked = arg;

	++*asked;
	*max = 1000000;
	return true;
}

static bool
nobody(void *arg, uint64_t *max)
{
	(void)max;
	++*(int *)arg;
	return false;
}

/*
 * Columns: beginning, what follows, how often, who knows the limit; how often
 * he is asked, status, size of the body.
 */
static const struct {
	const char *begin, *more;
	size_t len, times;
	bool (*limit)(void *arg, uint64_t *max);
	int asked, status;
	uint64_t size;
} larges[] = {
	{ "X: y\n\n", "a", 1, 300000, NULL, 0, EX_OK, 300002 },
	{ "X: y\n\n", "\n", 1, 300000, NULL, 0, EX_OK, 600000 },
	{ "X: y\n\n", "a", 1, 16384, NULL, 0, EX_OK, 16386 },
	{ "X: y\n\n", "ab\n", 3, 40000, million, 0, EX_OK, 160000 },
	{ "X: y\n\n", "ab\n", 3, 100000, million, 1, EX_OK, 400000 },
	{ "X: y\n\n", "ab\n", 3, 300000, million, 1, EX_UNAVAILABLE, 0 },
	{ "X: y\n\n", "a", 1, 1200000, million, 1, EX_UNAVAILABLE, 0 },
	{ "X: y\n\n", "\0", 1, 1200000, million, 1, EX_UNAVAILABLE, 0 },
	{ "X: y\n\n", "a", 1, 1200000, nobody, 1, EX_TEMPFAIL, 0 },
	/* no header */
	{ "", "a", 1, 6000000, NULL, 0, EX_OK, 6000002 },
	{ "X: y\n", "a", 1, 100000, NULL, 0, EX_OK, 100002 },
	/* a header that does not end */
	{ "X", "a", 1, 6000000, NULL, 0, EX_OK, 6000003 },
	{ "X:", "a", 1, 6000000, NULL, 0, EX_DATAERR, 0 },
	{ "", "X: y\n", 5, 2000000, NULL, 0, EX_DATAERR, 0 },
	{ "X:\n", " a\n", 3, 2000000, NULL, 0, EX_DATAERR, 0 },
	{ "", "\0", 1, 6000000, NULL, 0, EX_DATAERR, 0 },
};

static void
test_large(void)
{
	struct message_how how = plain;
	struct message m;
	char name[64];
	size_t i, n;
	FILE *in;
	int asked, status;

	for (i = 0; i < sizeof larges / sizeof larges[0]; i++) {
		in = input(larges[i].begin, "", 0);
		fseek(in, 0, SEEK_END);
		for (n = 0; n < larges[i].times; n++)
			fwrite(larges[i].more, 1, larges[i].len, in);
		rewind(in);
		asked = 0;
		how.limit = larges[i].limit;
		how.arg = &asked;
		snprintf(name, sizeof name, "large %zu", i);
		CHECK(name,
		    (message_read(&m, in, &how, &status) == NULL) ==
			    (larges[i].status == EX_OK) &&
			status == larges[i].status &&
			asked == larges[i].asked &&
			(status != EX_OK || m.size == larges[i].size));
		message_free(&m);
		fclose(in);
	}
}

/* What does not fit into memory is read again whole, and twice. */
static void
test_again(void)
{
	char piece[1000];
	struct message m;
	uint64_t n, sum, sums[2] = { 0 };
	int i, status, turn;
	size_t len, j;
	FILE *in = tmpfile();
	bool ok;

	fputs("X: y\n\n", in);
	for (i = 0; i < 100000; i++)
		fprintf(in, "%d\r\n", i);
	rewind(in);
	CHECK("again: read",
	    message_read(&m, in, &plain, &status) == NULL && m.rest != NULL);
	for (turn = 0; turn < 2; turn++) {
		message_rewind(&m);
		n = sum = 0;
		while ((len = message_body(&m, piece, sizeof piece, &ok)) > 0) {
			for (j = 0; j < len; j++)
				sum = sum * 31 + (unsigned char)piece[j];
			n += len;
		}
		sums[turn] = sum;
		CHECK("again: all of it", ok && n == m.size);
	}
	CHECK("again: the same", sums[0] == sums[1]);
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
	test_again();
	return unit_end();
}
