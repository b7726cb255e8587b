/*
 * smtpd.conf: what it says about who sent mail; and its `resolver` line alone.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_unit.h"

#define M A "match from any for any "
#define K "dkim domain a.b selector s key $key\n"
/* What is said where nothing is verified. */
#define L "listen on 127.0.0.1 auth-results\n"

static const struct unit_good good[] = {
	{ R,
	    "\ndmarc rfc9989 quarantine=junk reject=reject no-author=reject\narc\n" },
	{ "listen on 127.0.0.1 auth-results port 2525\n" R,
	    "listen 127.0.0.1 127.0.0.1:2525 auth-results=1 @1\n" },
	{ "listen on 127.0.0.1 auth-insecure auth auth-results\n" R,
	    " auth=2 auth-insecure=1 auth-results=1 @1\n" },
	{ "admd mail-1.example.org\n" R, " admd=mail-1.example.org\n" },
	{ "admd \"x!#$%&'*+-.^_`{|}~\"\n" R, " admd=x!#$%&'*+-.^_`{|}~\n" },
	{ "spf received\n" R, "\nspf received\n" },
	{ "dmarc rules rfc7489\n" R, "\ndmarc rfc7489 " },
	{ "dmarc rules rfc7489\ndmarc rules rfc9989\n" R, "\ndmarc rfc9989 " },
	{ "dmarc quarantine none\ndmarc reject mark\ndmarc no-author junk\n" R,
	    "quarantine=none reject=mark no-author=junk\n" },
	{ "dmarc quarantine hold\ndmarc reject hold\ndmarc no-author hold\n" R,
	    "quarantine=hold reject=hold no-author=hold\n" },
	{ "dmarc quarantine reject\ndmarc reject reject\n" R,
	    "quarantine=reject reject=reject no-author=reject\n" },
	{ "table t { a.b }\ndmarc except from <t>\n" R, " from <t>\n" },
	{ "table t { a.b }\ndmarc except from <t>\n" R,
	    "table t list @1: [a.b] ?domain\n" },
	{ "dmarc except from { A.b, c.d }\ndmarc except src ::1\n" R,
	    " from a.b c.d src ::1\n" },
	{ "dmarc temperror accept\n" R, " no-author=reject\narc\n" },
	{ "dmarc temperror later\n" R,
	    " no-author=reject temperror=later\narc\n" },
	{ "dmarc temperror later\ndmarc temperror accept\n" R,
	    " no-author=reject\narc\n" },
	{ "dmarc report\n" R, " no-author=reject report=1\narc\n" },
	{ "dmarc report org \"An org\" from a@b.c contact \"https://x/\"\n" R,
	    " report=1 from=a@b.c org=An org contact=https://x/\n" },
	{ "arc trust { a.b, \"*.c.d\" }\n" R, "\narc trust a.b *.c.d\n" },
	{ "arc seal domain A.b\n" K R, "\narc seal=a.b\n" },
	{ K "arc seal domain a.b\n" R, "\narc seal=a.b\n" },
	/* rules */
	{ M "auth-results dmarc fail reject\n",
	    " for any auth-results dmarc fail reject\n" },
	{ M "auth-results spf pass dkim { none, neutral policy } action r\n",
	    " auth-results spf pass auth-results dkim none neutral policy action r\n" },
	{ M "! auth-results arc { pass } tag t ! auth-results spf temperror"
	    " action r\n",
	    " !auth-results arc pass tag t !auth-results spf temperror action r\n" },
	{ M "auth-results dmarc \"pass\" action r\n",
	    " auth-results dmarc pass action r\n" },
	{ "p = pass\n" M "auth-results dmarc $p action r\n",
	    " auth-results dmarc pass action r\n" },
	{ M "junk action r\n", " junk action r\n" },
	{ M "hold junk action r\n", " junk hold action r\n" },
	{ M "hold auth-results arc { temperror, fail } action r\n",
	    " auth-results arc fail temperror hold action r\n" },
	/* Names that OpenSMTPD has not reserved are none here. */
	{ "action hold relay\nmatch for any action hold\n", " action hold\n" },
	{ "table spf { a.b }\naction dmarc relay\n"
	  "match for domain <spf> action dmarc\n",
	    " for domain <spf> action dmarc\n" },
	{ A "match tag received for any action r\n", " tag received " },
	{ A "match auth hold action r\n", " auth hold action r\n" },
	{ A "match auth auth-results action r\n", " auth auth-results action" },
	{ "spf = a.b\n" A "match for domain $spf action r\n",
	    " for domain a.b action r\n" },
	{ A "match rcpt-to { arc dkim } helo dmarc for any action r\n",
	    " rcpt-to arc dkim helo dmarc " },
};

static const struct unit_bad bad[] = {
	{ "admd\n" R, "t.conf:1: found end of line, expected a name for" },
	{ "admd \"a b\"\n" R,
	    "t.conf:1: `admd`: found \"a b\", which is no token" },
	{ "admd a;b\n" R, "t.conf:1: `admd`: found `a;b`, which is no token" },
	{ "admd \"b\303\274cher\"\n" R,
	    "t.conf:1: `admd`: found \"b\303\274cher\", which is no token" },
	{ "spf\n" R, "t.conf:1: found end of line, expected `received`" },
	{ "spf sent\n" R, "t.conf:1: found `sent`, expected `received`" },
	{ "dmarc\n" R,
	    "t.conf:1: found end of line, expected `rules`, `quarantine`, `reject`, `no-author`, `temperror`, `except` or `report`" },
	{ "dmarc rules rfc1\n" R,
	    "t.conf:1: found `rfc1`, expected `rfc9989` or `rfc7489`" },
	{ "dmarc reject\n" R,
	    "t.conf:1: found end of line, expected `none`, `mark`, `junk`, `hold` or `reject`" },
	{ "dmarc reject drop\n" R,
	    "t.conf:1: found `drop`, expected `none`, `mark`, `junk`, `hold` or `reject`" },
	{ "dmarc reject \"junk\"\n" R, "t.conf:1: found \"junk\", expected" },
	{ "dmarc quarantine junk hold\n" R,
	    "t.conf:1: found `hold`, expected end of line" },
	{ "dmarc except\n" R,
	    "t.conf:1: found end of line, expected `from` or `src`" },
	{ "dmarc except from <t>\n" R, "t.conf:1: no table is named `t`" },
	{ "dmarc except from a@b\n" R, "t.conf:1: found `a@b`, an address" },
	{ "dmarc except src a.b\n" R,
	    "t.conf:1: `src`: found `a.b` in the list, not an address" },
	{ "dmarc except src ::1\ndmarc except src 192.0.2.1\n" R,
	    "t.conf:2: found a second `src`, expected one statement" },
	{ "dmarc report from postmaster\n" R,
	    "t.conf:1: `from`: found `postmaster`, " },
	{ "dmarc report from \"<a@b.c>\"\n" R,
	    "t.conf:1: `from`: found \"<a@b.c>\", " },
	{ "dmarc report to a@b.c\n" R,
	    "t.conf:1: found `to`, expected `from`, `org` or `contact`" },
	{ "dmarc report\ndmarc report org x\n" R,
	    "t.conf:2: found a second `dmarc report`, expected one" },
	{ "arc\n" R,
	    "t.conf:1: found end of line, expected `trust` or `seal`" },
	{ "arc trust\n" R, "t.conf:1: found end of line, expected a domain" },
	{ "arc seal a.b\n" R, "t.conf:1: found `a.b`, expected `domain`" },
	{ "arc seal domain a.c\n" K R,
	    "t.conf:1: `arc seal`: no `dkim` is for the domain `a.c`" },
	/* rules */
	{ M "auth-results action r\n",
	    "t.conf:2: found `action`, expected `spf`, `dkim`, `dmarc` or `arc`" },
	{ M "auth-results\n",
	    "t.conf:2: found end of line, expected a method and its result" },
	{ M "auth-results iprev pass action r\n",
	    "t.conf:2: found `iprev`, expected `spf`, " },
	{ M "auth-results spf action r\n",
	    "t.conf:2: found `action`, expected a result of `spf`: `none` `neutral` `pass` `fail` `softfail` `temperror` `permerror`" },
	{ M "auth-results dmarc softfail action r\n",
	    "t.conf:2: found `softfail`, expected a result of `dmarc`: `none` `pass` `fail` `temperror` `permerror`" },
	{ M "auth-results arc permerror action r\n",
	    "t.conf:2: found `permerror`, expected a result of `arc`: `none` `pass` `fail` `temperror`" },
	{ M "auth-results spf \"\" action r\n",
	    "t.conf:2: found \"\", expected a result of `spf`" },
	{ M "auth-results spf {} action r\n",
	    "t.conf:2: found `}`, expected a result" },
	{ M "auth-results spf { pass, } action r\n",
	    "t.conf:2: found `}`, expected an element after the comma" },
	{ M "auth-results spf pass spf fail action r\n",
	    "t.conf:2: found `spf` twice in one rule" },
	{ M "auth-results spf pass ! auth-results spf fail action r\n",
	    "t.conf:2: found `spf` twice in one rule" },
	{ M "! auth-results spf pass dkim pass action r\n",
	    "t.conf:2: found `dkim` in one `! auth-results` with another" },
	{ M "junk reject\n", "t.conf:2: found `junk` with `reject`" },
	{ M "hold reject\n", "t.conf:2: found `hold` with `reject`" },
	{ M "! hold action r\n", "t.conf:2: `!` cannot stand before `hold`" },
	{ M "junk junk action r\n", "t.conf:2: `junk` stands twice" },
	{ M "action r junk\n", "t.conf:2: found `junk`, expected end of line" },
	{ A "match from rdns auth-results spf pass for any action r\n",
	    "t.conf:2: found `spf`: a method stands behind `auth-results`" },
	{ "listen on 127.0.0.1 auth-results auth-results\n" R,
	    "t.conf:1: `auth-results` stands twice" },
	{ "listen on socket auth-results\n" R,
	    "t.conf:1: found `auth-results`: what comes by" },
};

/* Columns: file, how the warnings begin, one to a line. */
static const struct unit_bad doubts[] = {
	{ L "dmarc reject junk\nspf received\n" M
	    "auth-results dmarc fail junk action r\n",
	    "" },
	{ M "auth-results dmarc fail reject\n",
	    "t.conf:2: warning: found `auth-results` in a rule, but on no l" },
	{ "spf received\n" R,
	    "t.conf:1: warning: found `spf`, but no mail is verified" },
	{ "dmarc report\n" R,
	    "t.conf:1: warning: found `dmarc`, but no mail is verified" },
	{ "dmarc reject reject\n" R, "" },
	{ "arc trust a.b\n" R,
	    "t.conf:1: warning: found `arc`, but no mail is verified" },
	{ "listen on 127.0.0.1 auth-results submission\n" R,
	    "t.conf:1: warning: found `auth-results` with `submission`" },
	{ "listen on 127.0.0.1 auth-results auth auth-insecure\n" R,
	    "t.conf:1: warning: found `auth-results` with `auth`, where" },
	{ "listen on 127.0.0.1 auth-results auth-optional auth-insecure\n" R,
	    "" },
	{ L A "match auth-results spf fail for any reject\n",
	    "t.conf:3: warning: found `auth-results` in a rule for our own mail (`from local`, as where no `from` is said)" },
	{ L A "match auth-results spf fail from socket for any hold action r\n",
	    "t.conf:3: warning: found `auth-results` in a rule for our own mail, which" },
	/* What aliases send on has the results of what came. */
	{ L A "match auth-results spf pass for any action r\n", "" },
	{ A "match from auth hold for any action r\n",
	    "t.conf:2: warning: `auth`: `hold` behind it is taken for a name" },
	{ A "match from rdns hold for any action r\n",
	    "t.conf:2: warning: `rdns`: `hold` behind it is taken for a name" },
	{ A "match hold from rdns for any action r\n", "" },
};

static void
check_doubts(void)
{
	struct conf_errors errors;
	struct conf_image image;
	char name[96];
	size_t i, j;
	int ok;

	for (i = 0; i < N(doubts); i++) {
		ok = load(doubts[i].text, strlen(doubts[i].text), &image,
			 &errors) == CONF_GOOD &&
		    says(&image.warnings, doubts[i].want);
		CHECK(case_name("doubt", i, doubts[i].text, name), ok);
		for (j = 0; !ok && j < image.warnings.n; j++)
			fprintf(stderr, "%s\n", image.warnings.text[j]);
		for (j = 0; !ok && j < errors.n; j++)
			fprintf(stderr, "%s\n", errors.text[j]);
		conf_image_free(&image);
		conf_errors_free(&errors);
	}
}

/* ---- the resolver alone ---- */

/* Columns: file, address, port and timeout ("": none; NULL: wrong). */
static const struct {
	const char *text, *want;
} resolvers[] = {
	{ "", "" },
	{ "resolver 127.0.0.1\n", " 127.0.0.1:53 10" },
	{ "resolver ::1 port 5353 timeout 2s", " [::1]:5353 2" },
	{ "r = \"192.0.2.1\"\nresolver $r\n" R, " 192.0.2.1:53 10" },
	/* Nothing that it names is there. */
	{ "table t file:/nonexistent/t\ntable u nosuch:/x\n"
	  "table v proc-exec:/nonexistent/v\ntable w db:/nonexistent/w\n"
	  "pki p.q cert /nonexistent/c\npki p.q key /nonexistent/k\n"
	  "ca c cert /nonexistent/ca\nmailname /nonexistent/name\n"
	  "dkim domain a.b keys /nonexistent\n"
	  "dkim domain a.c selector s key /nonexistent/k\n"
	  "arc seal domain no.such\n"
	  "token k file /nonexistent/f/f\n"
	  "token l command \"/nonexistent/c\" user nosuchuser\n"
	  "oauth issuer i audience a keys /nonexistent/j\n"
	  "listen on nosuch0 tls pki p.q dnsbl\n"
	  "listen on no.such.invalid port 26\n"
	  "resolver 127.0.0.2\nmetrics on ::1\n"
	  "action a mda \"/nonexistent/x\" user nosuchuser\n"
	  "match from any for domain <t> action a\n",
	    " 127.0.0.2:53 10" },
	{ "resolver example.org\n", NULL },
	{ "resolver ::1\nresolver ::1\n", NULL },
	{ "resolver 127.0.0.1\nlisten\n", NULL },
	{ "resolver 127.0.0.1\nmatch action nosuch\n", NULL },
	{ "include \"/nonexistent/conf\"\n", NULL },
};

static void
check_resolvers(void)
{
	struct sockaddr_storage ss;
	struct conf_errors errors;
	uint32_t timeout;
	char name[96];
	struct buf b;
	size_t i;
	bool ok;

	for (i = 0; i < N(resolvers); i++) {
		memset(&errors, 0, sizeof(errors));
		buf_init(&b, 0);
		put("t.conf", resolvers[i].text, strlen(resolvers[i].text),
		    0600);
		ok = conf_file_resolver("t.conf", NULL, 0, &ss, &timeout,
		    &errors);
		if (ok && ss.ss_family != 0) {
			show_ss(&b, &ss);
			buf_printf(&b, " %u", timeout);
		}
		buf_add(&b, "", 1);
		CHECK(case_name("resolver", i, resolvers[i].text, name),
		    resolvers[i].want == NULL ? !ok && errors.n > 0 :
						ok && errors.n == 0 &&
			    strcmp((const char *)buf_data(&b),
				resolvers[i].want) == 0);
		if (ok == (resolvers[i].want == NULL))
			fprintf(stderr, "%s\n",
			    errors.n > 0 ? errors.text[0] : "");
		buf_free(&b);
		conf_errors_free(&errors);
	}
}

int
main(void)
{
	conf_unit_begin();
	check_good(good, N(good));
	check_bad(bad, N(bad));
	check_doubts();
	check_resolvers();
	return conf_unit_end();
}
