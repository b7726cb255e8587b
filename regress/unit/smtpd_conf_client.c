/*
 * smtpd.conf: who may come, how much, and as whom.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_unit.h"

#define P "pki a.example cert $key key $key\n"
#define L "listen on 127.0.0.1 port 26 "
#define O "oauth issuer https://i audience a keys $list "

static const struct unit_good good[] = {
	/* limits */
	{ R, "\nclient\nnetwork v4=24 v6=64\nexcept\n" },
	{ "limit client sessions 3 rate 5/1h errors 4\n" R,
	    "\nclient sessions=3 rate=5/3600 errors=4\n" },
	{ "limit client messages 1/1s recipients 2/2m\n"
	  "limit client unknown 3/3h failures 4/4d\n" R,
	    "\nclient messages=1/1 rcpts=2/120 unknown=3/10800 failures=4/345600\n" },
	{ "limit network ipv6 48 sessions 3 ipv4 32 rate 1/1m messages 2/1m "
	  "recipients 3/1m unknown 4/1m failures 5/1m errors 6\n" R,
	    "\nnetwork sessions=3 rate=1/60 messages=2/60 rcpts=3/60 unknown=4/60 failures=5/60 errors=6 v4=32 v6=48\n" },
	{ "table t { ::1 }\nlimit except <t>\n" R, "\nexcept  <t>\n" },
	{ "limit except { ::1, 192.0.2.0/24 }\n" R,
	    "\ntable  list @1: [::1] [192.0.2.0/24] ?netaddr\n" },
	/* lists */
	{ R, "\nscore reject=1 junk=0\n" },
	{ "smtp dnsbl-reject 7\nsmtp dnsbl-junk 6\n" R,
	    "\nscore reject=7 junk=6\n" },
	{ "smtp dnsbl-reject 0\nsmtp dnsbl-junk 6\n" R,
	    "\nscore reject=0 junk=6\n" },
	{ "dnsbl A.example\n" R, "\ndnslist a.example 1 @1\n" },
	{ "dnswl a.example\n" R, "\ndnslist a.example -1 @1\n" },
	{ "dnsbl a.b weight 1000 answer 127.0.0.2\n" R,
	    "\ndnslist a.b 1000 [127.0.0.2] @1\n" },
	{ "dnswl a.b answer { 127.0.0.2 \"127.9.0.0-127.10.255.255\" } "
	  "weight 4\n" R,
	    "\ndnslist a.b -4 [127.0.0.2] [127.9.0.0-127.10.255.255] @1\n" },
	{ "dnsbl a.b answer 127.0.0.2\ndnsbl a.b answer 127.0.0.3\n" R,
	    "a.b 1 [127.0.0.2] @1\ndnslist a.b 1 [127.0.0.3] @2\n" },
	{ "dnsbl = a.b\nmatch from rdns $dnsbl for any reject\n",
	    "\nmatch @2 from rdns a.b for any reject\n" },
	/* greylisting */
	{ R, "\ngrey 300 172800 3024000\n" },
	{ "greylist window 1h keep 2h\ngreylist delay 10s except ::1\n" R,
	    "\ngrey 10 3600 7200 except ::1\n" },
	{ "table greylist { ::1 }\ngreylist except <greylist>\n" R,
	    "3024000 except <greylist>\n" },
	/* tokens */
	{ O "\n" R, "\noauth issuer=https://i audience=a keys=list @1\n" },
	{ O "user \"preferred name\"\n" R,
	    " keys=list user=preferred name @1\n" },
	{ O "\noauth audience b issuer https://i keys $list\n" R,
	    " audience=b keys=list @2\n" },
	/* content */
	{ "smtp eight-bit reject\n" R, " eight-bit=1\n" },
	{ "smtp eight-bit reject\nsmtp eight-bit accept\n" R, "\nrest\n" },
	/* listeners */
	{ "dnsbl a.b\n" L "dnsbl greylist greet-delay 3s tarpit 1m\n" R,
	    ":26 dnsbl=1 greylist=1 greet-delay=3 tarpit=60 @2\n" },
	{ L "lmtp auth-insecure auth\n" R,
	    " auth=2 lmtp=1 auth-insecure=1 @1\n" },
	{ "dnsbl a.b\n" L "auth-insecure auth-optional dnsbl\n" R,
	    " auth=1 auth-insecure=1 dnsbl=1 @2\n" },
	{ L "auth-insecure auth greylist submission\n" R,
	    " auth=2 auth-insecure=1 greylist=1 submission=1 @1\n" },
	{ L "auth-insecure auth \"greylist\"\n" R,
	    " auth=2 users greylist auth-insecure=1 @1\n" },
	{ L "submission lmtp\n" R, " lmtp=1 submission=1 @1\n" },
	{ L "submission ::1 lmtp\n" R, " lmtp=1 submission ::1 @1\n" },
	{ "table t { ::1 }\n" L "submission <t> proxy <t> xclient <t>\n" R,
	    " submission <t> proxy <t> xclient <t> @2\n" },
	{ L "proxy { ::1 } xclient 192.0.2.0/24\n" R,
	    "[::1] ?netaddr\ntable  list @1: [192.0.2.0/24] ?netaddr\n" },
	{ P L "tls pki a.example protocols \"!tlsv1.2\" auth-insecure auth\n" R,
	    " protocols=!tlsv1.2 pki=a.example auth-insecure=1 @2\n" },
	/* words that are not reserved are names as before */
	{ "table dnsbl { a }\ntable oauth { b }\naction submission relay\n"
	  "match for domain <dnsbl> tag <oauth> action submission\n",
	    " action submission\n" },
};

static const struct unit_bad bad[] = {
	{ "limit client\n" R, "t.conf:1: found end of line, expected `rate`" },
	{ "limit client sessions 0\n" R, "t.conf:1: `sessions`: found `0`" },
	{ "limit client ipv4 24\n" R, "t.conf:1: found `ipv4`, expected" },
	{ "limit network ipv4 33\n" R, "t.conf:1: `ipv4`: found `33`, too" },
	{ "limit network ipv6 15\n" R, "t.conf:1: `ipv6`: found `15`, too" },
	{ "limit except\n" R, "t.conf:1: found end of line, expected an addr" },
	{ "limit except a\n" R, "t.conf:1: `except`: found `a` in the list" },
	{ "dnsbl\n" R, "t.conf:1: found end of line, expected the domain" },
	{ "dnsbl 192.0.2.1:53\n" R, "t.conf:1: `dnsbl`: found" },
	{ "dnsbl a.b weight 1001\n" R, "t.conf:1: `weight`: found `1001`" },
	{ "dnsbl a.b answer 10.0.0.2\n" R, "t.conf:1: `answer`: found" },
	{ "dnsbl a.b answer 127.0.0.2-\n" R, "t.conf:1: `answer`: found" },
	{ "dnsbl a.b answer -127.0.0.2\n" R, "t.conf:1: " },
	{ "dnsbl a.b answer 127.0.0.02\n" R, "t.conf:1: `answer`: found" },
	{ "dnsbl a.b answer 127.0.0.2-127.0.0.3-127.0.0.4\n" R,
	    "t.conf:1: `answer`: found" },
	{ "dnsbl a.b answer 127.255.255.0\n" R, "t.conf:1: `answer`: found" },
	{ "dnsbl a.b\ndnswl A.B\n" R, "t.conf:2: found the list `a.b` again" },
	{ "dnsbl a.b\ndnsbl a.b answer 127.0.0.2\n" R,
	    "t.conf:2: found the list `a.b` again, which line 1 has already" },
	{ L "dnsbl\n" R, "t.conf:1: `dnsbl` needs a list to ask" },
	{ "listen on localhost port 26 dnsbl\n" R,
	    "t.conf:1: `dnsbl` needs a list to ask" },
	{ "smtp dnsbl-junk 1\n" R,
	    "t.conf: `smtp dnsbl-junk` is 1, but from 1" },
	{ "greylist\n" R, "t.conf:1: found end of line, expected `except`, " },
	{ "greylist delay 0s\n" R, "t.conf:1: `delay`: found `0s`, too" },
	{ "greylist delay 1h window 1h\n" R,
	    "t.conf: `greylist`: `window` is not longer than `delay`" },
	{ "greylist except mx.example\n" R, "t.conf:1: `except`: found" },
	{ O "keys $list\n" R, "t.conf:1: `keys` stands twice" },
	{ O "\n" O "user a\n" R,
	    "t.conf:2: found this issuer and audience again, expected those of line 1 once" },
	{ "oauth issuer i audience a keys /nonexistent/k\n" R,
	    "t.conf:1: `/nonexistent/k`: No such file" },
	{ "oauth issuer i audience a keys /\n" R,
	    "t.conf:1: `/`: found a directory, expected a file" },
	{ "oauth issuer \"\" audience a keys $list\n" R,
	    "t.conf:1: found \"\"" },
	{ "smtp eight-bit\n" R, "t.conf:1: found end of line, expected `acc" },
	{ L "auth-insecure\n" R, "t.conf:1: `auth-insecure` needs `auth` or" },
	{ L "auth dnsbl\n" R, "t.conf:1: `auth` needs `tls`, " },
	{ L "proxy-v2 proxy ::1\n" R,
	    "t.conf:1: found `proxy-v2` and `proxy`" },
	{ L "proxy\n" R, "t.conf:1: found end of line, expected an address" },
	{ L "submission nobody\n" R, "t.conf:1: `submission`: found `nobody`" },
	{ L "greet-delay 61s\n" R,
	    "t.conf:1: `greet-delay`: found `61s`, too" },
	{ "listen on 127.0.0.1 lmtp\n" R, "t.conf:1: found `lmtp` on port 25" },
	{ L "!dnsbl\n" R, "t.conf:1: `!` cannot stand before `dnsbl`" },
	{ L "protocols tlsv1.1\n" R, "t.conf:1: `protocols`: found `tlsv1.1`" },
	{ "listen on socket lmtp\n" R,
	    "t.conf:1: found `lmtp`, expected `filt" },
};

int
main(void)
{
	conf_unit_begin();
	check_good(good, N(good));
	check_bad(bad, N(bad));
	return conf_unit_end();
}
