/*
 * smtpd.conf: the form of the text, macros, files that include others, and
 * input that nobody means.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_unit.h"

static const struct unit_good good[] = {
	/* the least that works; the defaults */
	{ R, "\nmatch @2 *from local for any action r\n" },
	{ A "match action r", "\nmatch @2 *from local *for local action r\n" },
	{ R, "\nlisten socket local implicit none @0\naction r relay " },
	{ R, "\naction r relay port=25 @1\n" },
	{ R, "\nretry 300*2 900*2 1800*1 3600*1 max 14400 @0\n" },
	{ R, "\nresolver none timeout 10\nmetrics none\nwarn 14400 0 0 0\n" },
	{ R, "\nsize=36700160 delim=+\n" },
	{ R, "\nrcpt=1000 mails=100 sessions=1000 command=2048 line=65536\n" },
	{ R, "\nheader=262144 hops=100 errors=20 timeout=300 data=300\n" },
	{ R, "\nbare=reject ttl=345600 route=20\n" },
	{ R, "\nlog 16\nclient\nnetwork v4=24 v6=64\nexcept\n" },
	{ R, "\ngrey 300 172800 3024000\nqueue\nsrs ttl=345600\nrest\n" },
	/* the form of the text */
	{ "# c\n\n" R "# \xc3\xa4", "\nmatch @4 " },
	{ "# Latin-1: \xe4\n" R, "\nmatch @3 " },
	{ "# goes \\\non\n" R, "\nmatch @4 " },
	{ "action r relay # relay\nmatch for any action r",
	    "match @2 *from local for any" },
	{ "action \\\n r \\\n\trelay\nmatch for any action r",
	    "match @4 *from" },
	{ "action r rel\\\nay\nmatch for any action r", "action r relay" },
	{ "action 'r' relay\nmatch for any action \"r\"", "action r relay" },
	{ "action \"a b\" relay\nmatch action \"a b\"", "local action a b\n" },
	{ "action \"a\\\"b\" relay\nmatch action 'a\"b'", "action a\"b\n" },
	{ "action \"a\nb\" relay\nmatch action ab", "\naction ab relay" },
	{ "action \"relay\" relay\nmatch action \"relay\"", "action relay\n" },
	{ "\taction\tr\trelay\t\nmatch action r\t", "action r\n" },
	{ "table \xc3\xa4 { \xe2\x82\xac }\n" R,
	    "\ntable \xc3\xa4 list @1: [\xe2\x82\xac]\n" },
	{ "table t { \"\xff\" }\n" R, "\ntable t list @1: [\xff]\n" },
	/* names that files use bare must stay free */
	{ "table aliases { a }\ntable domains { b }\n" R, "table domains" },
	{ "table dkim { a }\naction retry relay\nmatch action retry",
	    "\ntable dkim list @1: [a]\n" },
	{ "action resolver relay\nmatch action resolver", "action resolver" },
	{ "action log relay\naction metrics relay\nmatch action log",
	    "action metrics relay" },
	{ "log = x\n" A "match tag $log action r", "tag x action r" },
	{ "action up relay\nmatch for any tag to action up", "tag to action" },
	{ "action out relay\nmatch action out", "local action out\n" },
	{ "action facility relay\naction verbose relay\naction rate relay\n"
	  "action client relay\naction route relay\nmatch action rate",
	    "" },
	{ "table in { a }\ntable spam { b }\ntable local_mail { c }\n" R, "" },
	{ "table aliases { a }\ntable virtuals { a }\ntable virtualusers { a }\n"
	  "table virtualdomains { a }\ntable vusers { a }\n"
	  "table vdomains { a }\ntable vdoms { a }\ntable domains { a }\n"
	  "table addresses { a }\ntable recipients { a }\n"
	  "table accounts { a }\ntable users { a }\ntable passwd { a }\n"
	  "table passwords { a }\ntable credentials { a }\n"
	  "table secrets { a }\ntable members { a }\ntable sources { a }\n"
	  "table helonames { a }\ntable blacklist { a }\n"
	  "table whitelist { a }\ntable trusted { a }\n"
	  "table smarthost { a }\ntable incoming { a }\n"
	  "table receive { a }\ntable outbound { a }\ntable in { a }\n"
	  "table out { a }\ntable send { a }\ntable mynetworks { a }\n" R,
	    "\ntable mynetworks list" },
	/* macros */
	{ "n = r\naction $n relay\nmatch action $n", "local action r\n" },
	{ "o = \"port 2525 tag x\"\nlisten on 127.0.0.1 $o\n" R,
	    "\nlisten 127.0.0.1 127.0.0.1:2525 tag=x @2\n" },
	{ "a = r\nb = $a\naction $b relay\nmatch action r", "action r relay" },
	{ "ip = 127.0.0.1\nlisten on $ip port 26\n" R, "127.0.0.1:26 @2" },
	{ "a = x\na = y\n" A "match tag $a action r", "tag y action r" },
	{ "list = x\ntable t $list\n" R, "\ntable t file path=list @2:\n" },
	{ "h=a.example\naction r relay host $h:26\nmatch action r",
	    "smtp://a.example:26 port=25 " },
	{ "a = \"\"\naction r $a relay\nmatch action r", "action r relay" },
	{ "l = \"{ a, b }\"\n" A "match for domain $l action r",
	    "for domain a b action" },
	{ "r = action\n$r r relay\nmatch $r r", "action r\n" },
	{ A "match tag \"$x\" action r", "tag $x action r" },
	/* include files: inc has a table `inc`, a comment, no newline */
	{ "include \"inc\"\n" R,
	    "\ntable inc list @1: [i]\naction r relay port=25 @2\nmatch @3 " },
	{ R "include \"inc\"", "\ntable inc list @1: [i]\n" },
	{ "table n { a }\ninclude \"uses\"\n" R, "table inner list @2: [a]" },
};

static const struct unit_bad bad[] = {
	/* the whole */
	{ "", "t.conf: no rules, nothing to do" },
	{ "# nothing\n", "t.conf: no rules, nothing to do" },
	{ A, "t.conf: no rules, nothing to do" },
	/* several in one run */
	{ "foo\nqueue ttl 1\nmatch action x\n",
	    "t.conf:1: found `foo`, expected `listen`, `table`, `action`, `match`, \n"
	    "t.conf:2: `ttl`: found `1`, a time needs a unit\n"
	    "t.conf:3: no action is named `x`, expected it to be declared above" },
	{ "table t {\nfoo bar\n}\nbaz\n" R,
	    "t.conf:4: found `baz`, expected " },
	{ "lsiten on lo\n" R, "t.conf:1: found `lsiten`, expected " },
	/* the form of the text */
	{ "listen on 127.0.0.1\r\nfoo\r\n",
	    "t.conf:1: found a line end of DOS (CRLF), expected newlines" },
	{ "#\n" A "match for any \\ \naction r\n",
	    "t.conf:3: blank after a backslash: the line does not go on" },
	{ A "match tag \"x\nfor any\nmatch action r\n",
	    "t.conf:2: the string that starts at line 2 is not closed" },
	{ "action \"r relay\nmatch action \"r\"\n",
	    "t.conf:2: a quote inside a word, or the string that starts at line 1 is not closed: `r\"`" },
	{ "action \"r relay\nmatch action \" r\nmatch tag \"x",
	    "t.conf:2: found `r`, expected `expand-only`, \n"
	    "t.conf:3: the string that starts at line 3 is not closed (or the one that starts at line 1)" },
	{ A "match for domain { a, b\nmatch action r\n",
	    "t.conf:3: found `match` in the list that starts at line 2: is its `}` missing?" },
	{ "table t { a,\nb\n\n",
	    "t.conf:1: the list that starts here is not closed" },
	{ "table t file:\"/etc/passwd\"\n" R,
	    "t.conf:1: a quote inside a word, expected quotes around the whole" },
	{ "table \xe4 { a }\n" R, "t.conf:1: a byte that is not UTF-8: \\xe4" },
	{ "table \xc0\xaf { a }\n" R,
	    "t.conf:1: a byte that is not UTF-8: \\" },
	{ "table \xed\xa0\x80 { a }\n" R,
	    "t.conf:1: a byte that is not UTF-8" },
	{ "table \xc2\x80 { a }\n" R, "t.conf:1: a byte that is not UTF-8: " },
	{ "table \001 { a }\n" R, "t.conf:1: a byte that may stand only in q" },
	{ "MATCH action r\n", "t.conf:1: found `MATCH`, expected " },
	{ "\"match\" action r\n", "t.conf:1: found \"match\", expected " },
	{ R "}\n", "t.conf:3: found `}`, expected `listen`" },
	{ "\\\n!\n" R, "t.conf:2: found end of line, expected `listen`" },
	/* a backslash got lost */
	{ "listen on lo port 26\n  tag x\n" R,
	    "t.conf:2: found `tag`, which begins no statement: is a backslash missing at the end of line 1?" },
	{ "filter f phase connect match\n\trdns reject \"550 x\"\n" R,
	    "t.conf:1: found end of line, expected `rdns`, `fcrdns`, `src`, `helo`, `auth`, `mail-from` or `rcpt-to`: is a backslash missing at its end?" },
	/* macros */
	{ A "match tag $x action r\n",
	    "t.conf:2: no such macro is defined above: `x`" },
	{ A "match tag $ action r\n", "t.conf:2: found `$` alone" },
	{ "a-b = c\n" R, "t.conf:1: macro `a-b`: a macro's name has only" },
	{ "a = b c\n" R, "t.conf:1: found `c`, expected end of line (quotes" },
	{ "a = \n" R,
	    "t.conf:1: found end of line, expected the macro's value" },
	{ "table = x\n" R, "t.conf:1: `table` is a reserved word, expected" },
	{ "listen on \"$key\"\n" R, "t.conf:1: `listen on`: found `$key`, " },
	/* include files */
	{ "include inc\n" R,
	    "t.conf:1: found `inc`, expected a file name in q" },
	{ "include \"none\"\n" R, "t.conf:1: include `none`: No such file" },
	{ "include \"t.conf\"\n" R,
	    "t.conf:1: include `t.conf`: the file includes itself" },
	{ "include \"loop\"\n" R,
	    "loop:2: include `t.conf`: the file includes" },
	{ "include \"broken\"\n" R, "broken:2: found `foo`, expected " },
	{ "include \"open-list\"\n" R,
	    "open-list:1: the list that starts here is not closed" },
	{ "include \".\"\n" R, "t.conf:1: include `.`: Is a directory" },
	/* the old grammar: this, and its first rule, is all that is said */
	{ "foo\naccept from any for local deliver to mbox\nbar\n",
	    "t.conf:2: found `accept` of the grammar before OpenSMTPD 6.4\n"
	    "t.conf:2: the rule that begins here is now:\n"
	    "t.conf:2:     action \"local\" mbox\n"
	    "t.conf:2:     match from any for local action \"local\"" },
	{ "map a { source plain \"/x\" }\nd = a.example\nx = \"\n"
	  "accept for domain $d relay",
	    "t.conf:1: found `map` of the gr" },
	{ "map a { source plain \"/x\" }\nd = a.example\n"
	  "accept for domain $d relay",
	    "t.conf:1: found `map` of the gr\n"
	    "t.conf:3: the rule that begins here is now:\n"
	    "t.conf:3:     action \"relay\" relay\n"
	    "t.conf:3:     match from local for domain a.example action " },
	{ "pki a certificate \"/x\"\nfoo\nbar\n",
	    "t.conf:1: found `pki ... certificate` of" },
	{ "limit mta for domain a inet4\n",
	    "t.conf:1: found `limit mta` of the gr" },
};

/* ---- input that nobody means ---- */

static const char whole[] =
    "m = \"tag \\\"x\\\"\" # c\n"
    "include \"inc\"\nhostname h.example\n"
    "pki a.b cert $key key $key\npki \"*\" dhe auto cert $key key $key\n"
    "ca c cert $key\ntable t { 192.0.2.1, ::1/64\n 10.0.0.0/8 }\n"
    "table u { a => b, 'c d' = e }\ntable f file:/etc/passwd\n"
    "table p \"proc:/bin/true -x\"\ntable q proc-exec:/bin/true\n"
    "proc p \"/bin/x -y\" user u group g chroot /\n"
    "filter f proc p\nfilter g proc-exec \"g\" user u\n"
    "filter h phase connect match !rdns regex { '.*' } disconnect \"5\"\n"
    "filter i phase rcpt-to match rcpt-to <t> rewrite \"x\"\n"
    "filter c chain { f, g h }\n"
    "listen on 127.0.0.1 port 2525 $m \\\n hostname a.example\n"
    "listen on lo inet4 tls-require verify pki a.b pki \"*\" auth <u> \\\n"
    "  senders <u> masquerade hostnames { ::1 = a } filter { f, i } ca c\n"
    "listen on socket tag y mask-src\nresolver ::1 port 53 timeout 1s\n"
    "mda wrapper w \"/bin/w %{x}\"\nqueue compression\n"
    "queue encryption 0123456789abcdef0123456789abcdef\n"
    "srs key s\nsrs key backup t\nsrs ttl 2d\nadmd a\nmta max-deferred 7\n"
    "mta limit for domain m inet4 max-conn-per-host 3\n"
    "scheduler limit max-inflight 5\nmda limit max-session 4\n"
    "action l maildir \"~/x\" junk alias <u> wrapper w ttl 1d\n"
    "action e lmtp a:24 rcpt-to userbase <u> user v\n"
    "action x expand-only virtual { '@' = a }\n"
    "action \"r\" relay host smtp+notls://[::1]:25 helo [192.0.2.1]\n"
    "action s relay host { smtp://l@a, lmtp://b:24 } auth <u> tls \\\n"
    "  no-verify srs src ::1 mail-from @a.b filter c pki a.b ca c \\\n"
    "  auth-insecure ciphers X protocols all\n"
    "action b relay backup mx m helo-src <u>\n"
    "tls domain { d, *.e } verify name { f *.g } ca c pki a.b ciphers Y\n"
    "tls domain h no\ntls domain i may protocols TLSv1.3\n"
    "token k file $key\ntoken j command \"/bin/cat x\" user nobody\n"
    "action o relay host smtps://l@h auth { l = \"u:{TOKEN}k\" }\n"
    "limit mx { *.k l } rate 3/1h inet6 concurrency 2\n"
    "bounce rate 7/1m address-rate 1/1d\nhistory keep 2d size 3M\n"
    "dkim domain a.b selector s key $key\n"
    "retry 5m*2, 1h up to 4h\nretry domain { a.b *.c } 1m\n"
    "limit domain d concurrency 3 messages 4 rate 5/1m\n"
    "limit client sessions 3 rate 4/1h errors 5\nlimit route concurrency 2\n"
    "limit network unknown 4/1h failures 2/1m ipv4 20\nlimit except <t>\n"
    "dnsbl d.e weight 3 answer { 127.0.0.2, 127.0.0.4-127.0.0.9 }\n"
    "dnswl f.g weight 2\nsmtp dnsbl-reject 5\nsmtp dnsbl-junk 2\n"
    "greylist delay 1m window 1d except { ::1, 10.0.0.0/8 }\n"
    "oauth issuer https://i audience a keys $key user sub\n"
    "pki a.b cert $open key $key2\nsmtp eight-bit reject\n"
    "listen on 127.0.0.1 port 24 lmtp auth-insecure auth dnsbl greylist \\\n"
    "  submission <t> greet-delay 5s tarpit 2s proxy ::1 xclient <t>\n"
    "listen on ::1 port 26 submission protocols \"all:!tlsv1.2\"\n"
    "metrics on 127.0.0.1 port 99\nlog facility local3 verbose\n"
    "bounce warn-interval { 1h, 2h }\nsmtp sub-addr-delim -\n"
    "smtp limit max-rcpt 5 max-line 2K\nsmtp bare-newline fix\n"
    "match !from src <t> !for domain { a, b } tag x action \"r\"\n"
    "match from auth regex '^a' helo regex <t> tls mail-from @a reject\n"
    "match from socket for rcpt-to <u> !auth reject\n"
    "spf received\ndmarc rules rfc7489\ndmarc quarantine hold\n"
    "dmarc reject mark\ndmarc no-author none\narc seal domain a.b\n"
    "dmarc except from { a.b c }\ndmarc except src <t>\n"
    "dmarc report from a@b.c org \"O o\" contact x\narc trust d.e\n"
    "listen on 127.0.0.1 port 27 auth-results\n"
    "match from any for any auth-results spf { pass, none } dkim fail \\\n"
    "  ! auth-results dmarc pass junk hold action \"r\"\n";

/* Any answer is right that says what is wrong if anything is. */
static int
holds(const void *text, size_t len)
{
	struct conf_errors errors;
	struct conf_image image;
	enum conf_verdict verdict = load(text, len, &image, &errors);
	size_t i;
	int ok;

	ok = (verdict == CONF_WRONG) == (image.conf == NULL) &&
	    (verdict == CONF_GOOD) == (errors.n == 0);
	for (i = 0; i < errors.n; i++)
		ok = ok && strstr(errors.text[i], ": ") != NULL;
	conf_image_free(&image);
	conf_errors_free(&errors);
	return ok;
}

static void
test_cut(void)
{
	char text[sizeof(whole)];
	struct conf_errors errors;
	struct conf_image image;
	size_t i;
	int ok;

	ok = load(whole, sizeof(whole) - 1, &image, &errors) ==
	    CONF_NOT_YET_HERE;
	CHECK("a bit of everything", ok);
	if (!ok)
		fprintf(stderr, "%s\n", errors.text[0]);
	conf_image_free(&image);
	conf_errors_free(&errors);
	for (i = 0; i < sizeof(whole); i++)
		ok = ok && holds(whole, i);
	CHECK("cut short at every byte", ok);
	for (i = 0; i < sizeof(whole) - 1; i++) {
		memcpy(text, whole, sizeof(whole));
		text[i] = "\0\xff\n\"{}<$\\!"[i % 10];
		ok = ok && holds(text, sizeof(whole) - 1);
	}
	CHECK("one byte replaced", ok);
	for (i = 0; i < sizeof(whole) - 1; i++) {
		memmove(text, whole, i);
		memcpy(text + i, whole + i + 1, sizeof(whole) - 1 - i);
		ok = ok && holds(text, sizeof(whole) - 2);
	}
	CHECK("one byte missing", ok);
}

/* size bytes of the same piece, over and over. */
static char *
flood(const char *piece, size_t size)
{
	size_t i, n = strlen(piece);
	char *all = malloc(size);

	for (i = 0; i < size; i++)
		all[i] = piece[i % n];
	return all;
}

/* A file of 100 MB, of which nothing is on the disk. */
static void
test_hole(void)
{
	struct conf_errors errors = { 0 };
	struct conf_image image;

	put("hole", "", 0, 0600);
	CHECK("a file of 100 MB",
	    truncate("hole", 100 << 20) == 0 &&
		conf_file_load("hole", NULL, 0, &image, &errors) ==
		    CONF_WRONG &&
		says(&errors, "hole: larger than 16 MB"));
	conf_errors_free(&errors);
	conf_unit_remove("hole");
}

/* Nobody writes to it: whoever waits waits for ever. */
static void
test_fifo(void)
{
	static const char include[] = "include \"fifo\"\n" R;
	struct conf_errors errors = { 0 };
	struct conf_image image;
	char text[256];

	if (mkfifo("fifo", 0600) == -1)
		abort();
	CHECK("a FIFO",
	    conf_file_load("fifo", NULL, 0, &image, &errors) == CONF_WRONG &&
		says(&errors, "fifo: no rules, nothing to do"));
	conf_errors_free(&errors);
	check_says("a FIFO is included", CONF_WRONG, include,
	    sizeof(include) - 1,
	    "t.conf:1: include `fifo`: found something else, expected a file");
	snprintf(text, sizeof(text),
	    "table t file:%s/fifo\nmatch for domain <t> reject\n", unit_dir);
	check_says("a FIFO for a table", CONF_WRONG, text, strlen(text),
	    "t.conf:1: `/tmp/postern-conf-");
	conf_unit_remove("fifo");
}

static void
test_floods(void)
{
	static const char nul[] = "# c\nlisten \0on";
	struct conf_errors errors;
	struct conf_image image;
	enum conf_verdict verdict;
	char *text;

	check_says("a NUL byte", CONF_WRONG, nul, sizeof(nul) - 1,
	    "t.conf:2: found a NUL byte, expected text");
	text = flood("foo\n", 1 << 20);
	verdict = load(text, 1 << 20, &image, &errors);
	CHECK("a million errors",
	    verdict == CONF_WRONG && errors.n == CONF_ERRORS_MAX &&
		strstr(errors.text[CONF_ERRORS_MAX - 1], "too many errors"));
	conf_errors_free(&errors);
	free(text);
	text = flood("{ ", 1 << 20);
	CHECK("a million lists", holds(text, 1 << 20));
	free(text);
	text = flood("match from src <t> action a\n", 1 << 20);
	CHECK("a name that nobody declared, again and again",
	    load(text, 1 << 20, &image, &errors) == CONF_WRONG &&
		says(&errors,
		    "t.conf:1: no table is named `t`\n"
		    "t.conf:1: no action is named `a`\n"
		    "t.conf:37450: found `matc`"));
	conf_errors_free(&errors);
	free(text);
	text = flood("w", 1 << 20);
	check_says("a word of a million bytes", CONF_WRONG, text, 1 << 20,
	    "t.conf:1: a word of more than 8191 bytes");
	text[0] = '"';
	check_says("a string of a million bytes", CONF_WRONG, text, 1 << 20,
	    "t.conf:1: a string of more than 8191 bytes\nt.conf:1: the string that");
	free(text);
	text = flood("table t$key {$key}\n", 1 << 20);
	CHECK("a million macros", holds(text, 1 << 20));
	free(text);
}

static void
test_macro_flood(void)
{
	size_t size = 4 << 20, n;
	char *text = malloc(size);

	n = (size_t)snprintf(text, size, "a = \"%08000d\"\ntable t {", 1);
	while (n < size)
		n += (size_t)snprintf(text + n, size - n, "$a ");
	check_says("macros of gigabytes", CONF_WRONG, text, size - 1,
	    "t.conf:2: more than 32 MB of text, macros included");
	free(text);
}

static void
test_command_line(void)
{
	static const struct conf_macro wrong[] = { { "a-b", "c" } };
	struct conf_errors errors = { 0 };
	struct conf_image image;

	put("t.conf", R, sizeof(R) - 1, 0600);
	CHECK("-D with a bad name",
	    conf_file_load("t.conf", wrong, 1, &image, &errors) == CONF_WRONG &&
		says(&errors, "-D: `a-b`: a macro's name has only"));
	conf_errors_free(&errors);
	CHECK("no file",
	    conf_file_load("none", NULL, 0, &image, &errors) == CONF_WRONG &&
		says(&errors, "none: No such file or directory"));
	conf_errors_free(&errors);
	CHECK("a directory",
	    conf_file_load(".", NULL, 0, &image, &errors) == CONF_WRONG &&
		says(&errors, ".: Is a directory"));
	conf_errors_free(&errors);
}

int
main(void)
{
	/* Columns: name, text. */
	static const char *const files[][2] = {
		{ "inc", "table inc { i } # the end" },
		{ "loop", "# c\ninclude \"t.conf\"\n" },
		{ "broken", "# c\nfoo\n" },
		{ "open-list", "table t { a," },
		{ "uses", "#\ntable inner { a }\n" },
	};
	size_t i;

	conf_unit_begin();
	for (i = 0; i < N(files); i++)
		put(files[i][0], files[i][1], strlen(files[i][1]), 0600);
	check_good(good, N(good));
	check_bad(bad, N(bad));
	test_cut();
	test_floods();
	test_hole();
	test_fifo();
	test_macro_flood();
	test_command_line();
	for (i = 0; i < N(files); i++)
		conf_unit_remove(files[i][0]);
	return conf_unit_end();
}
