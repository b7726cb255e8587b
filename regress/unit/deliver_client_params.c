/*
 * What the SMTP client says of a message by what the server offers: DSN,
 * SMTPUTF8, 8BITMIME, and binary content by BDAT.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_bench.h"
#include "facts.h"

#define U_ADDR                                                                 \
	"b\xc3\xb6"                                                            \
	"b@example.org"
#define U_HOST                                                                 \
	"bob@b\xc3\xbc"                                                        \
	"cher.example"
#define A_HOST "bob@xn--bcher-kva.example"

/* clang-format off */
#define OFFERS(...) { "EHLO me.example.com\r\n", "250-mx\r\n" __VA_ARGS__ "250 SIZE\r\n" }
#define SAYS(what) { what "\r\n", "250 ok\r\n" }
#define SMTPUTF8 "250-SMTPUTF8\r\n"
#define DSN "250-DSN\r\n"
#define BINARY "250-CHUNKING\r\n250-BINARYMIME\r\n"

static const char text[] = "Subject: x\r\n\r\nhello\r\n";
static const char binary[] = "Subject: x\r\n\r\n.a\nb\0c\rd";
enum { TEXT = sizeof text - 1, BINARY_LEN = sizeof binary - 1 };

/* Columns: name; sender, facts, facts of the content, RET, ENVID; recipient,
 * NOTIFY, ORCPT; script; what the owner hears. */
static const struct {
	const char *name;
	const char *sender;
	uint32_t facts, content_facts;
	uint8_t ret;
	const char *envid;
	struct client_rcpt rcpt;
	struct step steps[12];
	const char *want;
} cases[] = {
	{ "DSN: passed on", "a@x.test", 0, 0, RET_HDRS, "QQ+3D1",
	    { "b@y.test", "rfc822;o@y.test", NOTIFY_SUCCESS | NOTIFY_DELAY },
	    { HI, OFFERS(DSN), SAYS("MAIL FROM:<a@x.test> SIZE=21 RET=HDRS ENVID=QQ+3D1"),
	    SAYS("RCPT TO:<b@y.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@y.test"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "DSN: not offered", "a@x.test", 0, 0, RET_HDRS, "QQ",
	    { "b@y.test", "rfc822;o@y.test", NOTIFY_SUCCESS },
	    { HI, OFFERS(), SAYS("MAIL FROM:<a@x.test> SIZE=21"), SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "DSN: nothing was said", "a@x.test", 0, 0, 0, "",
	    { "b@y.test", "", 0 },
	    { HI, OFFERS(DSN), SAYS("MAIL FROM:<a@x.test> SIZE=21"), SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "DSN: never", "", 0, 0, RET_FULL, NULL,
	    { "b@y.test", NULL, NOTIFY_NEVER },
	    { HI, OFFERS(DSN), SAYS("MAIL FROM:<> SIZE=21 RET=FULL"),
	    SAYS("RCPT TO:<b@y.test> NOTIFY=NEVER"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "DSN: no second command in a parameter", "a@x.test", 0, 0, 0, "a\r\nRSET",
	    { "b@y.test", "rfc822;o\r\nQUIT", 0 },
	    { HI, OFFERS(DSN), SAYS("MAIL FROM:<a@x.test> SIZE=21"), SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "DSN: UTF-8 in ORCPT becomes 7-bit", "a@x.test", 0, 0, 0, "",
	    { "b@y.test", "utf-8;" U_ADDR, 0 },
	    { HI, OFFERS(DSN), SAYS("MAIL FROM:<a@x.test> SIZE=21"),
	    SAYS("RCPT TO:<b@y.test> ORCPT=utf-8;b\\x{F6}b@example.org"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "DSN: or stays, with SMTPUTF8", "a@x.test", FACT_SMTPUTF8, 0, 0, "",
	    { "b@y.test", "utf-8;" U_ADDR, 0 },
	    { HI, OFFERS(DSN SMTPUTF8), SAYS("MAIL FROM:<a@x.test> SIZE=21 SMTPUTF8"),
	    SAYS("RCPT TO:<b@y.test> ORCPT=utf-8;" U_ADDR), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },

	{ "8-bit: offered", "a@x.test", 0, CONTENT_8BIT, 0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS("250-8BITMIME\r\n"), SAYS("MAIL FROM:<a@x.test> SIZE=21 BODY=8BITMIME"),
	    SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "8-bit: not offered, as it is", "a@x.test", 0, CONTENT_8BIT, 0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS(), SAYS("MAIL FROM:<a@x.test> SIZE=21"), SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "7-bit: nothing is said", "a@x.test", 0, 0, 0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS("250-8BITMIME\r\n"), SAYS("MAIL FROM:<a@x.test> SIZE=21"),
	    SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },

	{ "UTF-8: a recipient, offered", "a@x.test", 0, 0, 0, "", { U_ADDR, "", 0 },
	    { HI, OFFERS(SMTPUTF8), SAYS("MAIL FROM:<a@x.test> SIZE=21 SMTPUTF8"),
	    SAYS("RCPT TO:<" U_ADDR ">"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "UTF-8: a recipient, not offered", "a@x.test", 0, 0, 0, "", { U_ADDR, "", 0 },
	    { HI, OFFERS() }, "ready lost=never/550 " },
	{ "UTF-8: a recipient, not offered, at once", "a@x.test", 0, 0, 0, "", { U_ADDR, "", 0 },
	    { HI, OFFERS("250-PIPELINING\r\n") }, "ready lost=never/550 " },
	{ "UTF-8: a domain has its form in the DNS", "a@x.test", 0, 0, 0, "", { U_HOST, "", 0 },
	    { HI, OFFERS(), SAYS("MAIL FROM:<a@x.test> SIZE=21"), SAYS("RCPT TO:<" A_HOST ">"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "UTF-8: the sender's domain too", U_HOST, 0, 0, 0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS(), SAYS("MAIL FROM:<" A_HOST "> SIZE=21"), SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "UTF-8: a sender, not offered", U_ADDR, 0, 0, 0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS() }, "ready lost=never/550 " },
	{ "UTF-8: a header, marked, not offered", "a@x.test", FACT_SMTPUTF8, CONTENT_UTF8 | CONTENT_8BIT,
	    0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS() }, "ready lost=never/550 " },
	{ "UTF-8: a header, marked, offered", "a@x.test", FACT_SMTPUTF8, CONTENT_UTF8 | CONTENT_8BIT,
	    0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS("250-8BITMIME\r\n" SMTPUTF8), SAYS("MAIL FROM:<a@x.test> SIZE=21 BODY=8BITMIME SMTPUTF8"),
	    SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "UTF-8: a header that nobody marked goes as it came", "a@x.test", 0, CONTENT_UTF8 | CONTENT_8BIT,
	    0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS("250-8BITMIME\r\n"), SAYS("MAIL FROM:<a@x.test> SIZE=21 BODY=8BITMIME"),
	    SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
	{ "UTF-8: marked, and nothing needs it", "a@x.test", FACT_SMTPUTF8, 0, 0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS(), SAYS("MAIL FROM:<a@x.test> SIZE=21"), SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },

	{ "no end of line: DATA adds it", "a@x.test", 0, CONTENT_NO_EOL, 0, "", { "b@y.test", "", 0 },
	    { HI, OFFERS(), SAYS("MAIL FROM:<a@x.test> SIZE=21"), SAYS("RCPT TO:<b@y.test>"), DATA, SENT },
	    "ready rcpt0=250 over=done/250 " },
};

/* Columns: name, keywords, script from MAIL on, what the owner hears. */
static const struct {
	const char *name;
	struct step steps[12];
	const char *want;
	bool sent;
} binaries[] = {
	{ "BDAT: all of it, as it is", { HI, OFFERS(BINARY), SAYS("MAIL FROM:<s@example.com> SIZE=22 BODY=BINARYMIME"),
	    RCPT, RCPT2, { "BDAT 22 LAST\r\n", "" }, { "<22>", "250 ok\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=done/250 ", true },
	{ "BDAT: at once", { HI, OFFERS(BINARY "250-PIPELINING\r\n"), SAYS("MAIL FROM:<s@example.com> SIZE=22 BODY=BINARYMIME"),
	    RCPT, RCPT2, { "BDAT 22 LAST\r\n", "" }, { "<22>", "250 ok\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=done/250 ", true },
	{ "BDAT: refused, and reset", { HI, OFFERS(BINARY), { "MAIL ", "250 ok\r\n" },
	    RCPT, RCPT2, { "BDAT ", "" }, { "<22>", "554 no\r\n" }, RSET },
	    "ready rcpt0=250 rcpt1=250 over=never/554 ", true },
	{ "BDAT: put off", { HI, OFFERS(BINARY), { "MAIL ", "250 ok\r\n" },
	    RCPT, { "RCPT ", "550 no\r\n" }, { "BDAT ", "" }, { "<22>", "451 no\r\n" }, RSET },
	    "ready rcpt0=250 rcpt1=550 over=later/451 ", true },
	{ "BDAT: closed behind it", { HI, OFFERS(BINARY), { "MAIL ", "250 ok\r\n" },
	    RCPT, RCPT2, { "BDAT ", "" }, { "<22>", NULL } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice ", true },
	{ "BDAT: for nobody", { HI, OFFERS(BINARY "250-PIPELINING\r\n"), { "MAIL ", "250 ok\r\n" },
	    { "RCPT ", "550 no\r\n" }, { "RCPT ", "550 no\r\n" }, RSET },
	    "ready rcpt0=550 rcpt1=550 over=later/0 ", false },
	{ "BDAT: 354 is no reply to it", { HI, OFFERS(BINARY), { "MAIL ", "250 ok\r\n" },
	    RCPT, RCPT2, { "BDAT ", "" }, { "<22>", "354 go\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice ", true },
	{ "BDAT: no BINARYMIME", { HI, OFFERS("250-CHUNKING\r\n") }, "ready over=never/554 ", false },
	{ "BDAT: no CHUNKING", { HI, OFFERS("250-BINARYMIME\r\n") }, "ready over=never/554 ", false },
};
/* clang-format on */

static void
params(void)
{
	static struct server s;
	struct run r;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		run_init(&r, spool_file(text, ""), text, "");
		r.mail.sender = cases[i].sender;
		r.mail.facts = cases[i].facts;
		r.mail.content_facts = cases[i].content_facts;
		r.mail.ret = cases[i].ret;
		r.mail.envid = cases[i].envid;
		r.mail.rcpt = &cases[i].rcpt;
		r.mail.n_rcpt = 1;
		play(&r, &s, cases[i].steps, NULL);
		went(cases[i].name, &r, &s, cases[i].want, true);
		run_free(&r);
	}
}

static void
chunks(void)
{
	static struct server s;
	struct run r;
	size_t i;
	int fd;

	for (i = 0; i < sizeof binaries / sizeof binaries[0]; i++) {
		fd = memfd_create("spool", MFD_CLOEXEC);
		if (fd == -1 || write(fd, binary, BINARY_LEN) != BINARY_LEN)
			abort();
		run_init(&r, fd, "", "");
		r.mail.content_len = BINARY_LEN;
		r.mail.content_facts = CONTENT_BINARY | CONTENT_NO_EOL;
		play(&r, &s, binaries[i].steps, NULL);
		went(binaries[i].name, &r, &s, binaries[i].want,
		    !binaries[i].sent ||
			memcmp(s.content, binary, BINARY_LEN) == 0);
		run_free(&r);
	}
}

/* One of two recipients cannot be told: the other has it, and the one is for
 * later, when it will be alone. */
static void
one_foreign(void)
{
	static const struct step steps[] = { HI, OFFERS(),
		{ "MAIL ", "250 ok\r\n" }, SAYS("RCPT TO:<b@y.test>"), DATA,
		SENT, END };
	static const struct client_rcpt both[] = { { U_ADDR, "", 0 },
		{ "b@y.test", "", 0 } };
	static struct server s;
	struct run r;

	run_init(&r, spool_file(text, ""), text, "");
	r.mail.rcpt = both;
	play(&r, &s, steps, NULL);
	went("UTF-8: one of two recipients", &r, &s,
	    "ready rcpt0=0 rcpt1=250 over=done/250 ", true);
	run_free(&r);
}

/* A chunk whose file is too short is never ended. */
static void
cut(void)
{
	static const struct step steps[] = { HI, OFFERS(BINARY),
		{ "MAIL ", "250 ok\r\n" }, RCPT, RCPT2, { "BDAT 1000 ", "" },
		{ "<1000>", "250 ok\r\n" } };
	static struct server s;
	struct run r;

	run_init(&r, spool_file(text, ""), text, "");
	r.mail.content_len = 1000;
	r.mail.content_facts = CONTENT_BINARY;
	play(&r, &s, steps, NULL);
	went("BDAT: a file that is too short", &r, &s,
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed ", true);
	run_free(&r);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	params();
	chunks();
	one_foreign();
	cut();
	return unit_end();
}
