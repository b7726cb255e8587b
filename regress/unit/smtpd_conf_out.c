/*
 * smtpd.conf: mail that leaves.  Relays and what they may say together, `tls
 * domain`, `token`, `limit`, `dkim`, `bounce`, `history`, `srs`; each word
 * where it may not stand, and with values that it may not have.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_unit.h"

#define M  "\nmatch action r\n"
#define S  "table s { l = \"u:p\" }\n"
#define CA "ca c cert $key\n"
#define PK "pki k cert $key key $key\n"

/* ---- what is good ---- */

static const struct unit_good good[] = {
	/* relay: each option, in any order */
	{ S "action r relay auth <s> host smtps://l@h" M,
	    " smtps://l@h:465 port=25 auth <s> @2\n" },
	{ S "action r relay auth-insecure host smtp+notls://l@h auth <s>" M,
	    " auth <s> auth-insecure=1 @2\n" },
	{ S "action r relay tls no-verify auth <s> host lmtp://l@h:24 "
	    "auth-insecure" M,
	    " auth <s> tls=2 auth-insecure=1 @2\n" },
	{ S "action r relay tls no-verify auth <s> host smtp+tls://l@h" M,
	    " auth <s> tls=2 @2\n" },
	{ "action r relay host smtps://l@h" M, " smtps://l@h:465 " },
	{ S "action r relay host smtp+notls://h auth <s>" M, " auth <s> @2" },
	{ "action r relay host lmtp://h:24 tls" M, " lmtp://h:24 port=25 t" },
	{ "action r relay host { smtp+tls://a, \"smtps://[::1]\" b:26 }" M,
	    " smtp+tls://a:25 smtps://::1:465 smtp://b:26 port=25 @1\n" },
	{ "action r relay host u@example.org@h" M,
	    " smtp://u@example.org@h:25 " },
	{ "action r relay host { a b c d e f g h i j k l m n o p }" M,
	    " smtp://p:25 port=25 @1\n" },
	{ "table h { smtps://l@a, lmtp://b:24 }\naction r relay host <h>" M,
	    " relay host <h> port=25 @2\n" },
	{ "table h $list\naction r relay host <h>" M, " host <h> port=25 @2" },
	{ "action r relay domain { a.b = smtps://l@c, * = lmtp://d:24 } tls" M,
	    " domain a.b=smtps://l@c *=lmtp://d:24 port=25 tls=1 @1\n" },
	{ CA PK "action r relay pki K ca C tls" M, " tls=1 pki=k ca=c @3\n" },
	{ "action r relay protocols \"!tlsv1.2\" ciphers HIGH" M,
	    " ciphers=HIGH protocols=!tlsv1.2 @1\n" },
	{ "action r relay src { 192.0.2.1, \"::1\" } helo-src { ::1 = a }" M,
	    " src 192.0.2.1 ::1 helo-src ::1=a @1\n" },
	{ "action r relay backup mx a.b tls helo c" M,
	    " helo=c tls=1 backup=1 mx=a.b @1\n" },
	/* tokens in the table of auth, wherever they are declared */
	{ "action r relay host smtps://l@h auth { l = \"u:{TOKEN}t\" }\n"
	  "token t file $key" M,
	    "\ntoken t file=key @2\n" },
	{ "action r relay host smtps://l@h auth { l = \"u{TOKEN}t\" }" M,
	    " auth l=u{TOKEN}t @1\n" },
	{ "action r relay host smtps://l@h auth { l = \"u:x{TOKEN}t\" }" M,
	    " auth l=u:x{TOKEN}t @1\n" },
	/* srs */
	{ "srs key a\nsrs key b\n" R, "\nsrs key=b ttl=345600\n" },
	{ "srs key backup b\n" R, "\nsrs backup=b ttl=345600\n" },
	{ "srs ttl 1d\n" R, "\nsrs ttl=86400\n" },
	/* tls domain */
	{ "tls domain a.b may\n" R, "\ntls [a.b] may @1\n" },
	{ "tls domain { A.b \"*.c\", xn--a } require\n" R,
	    "\ntls [a.b] [*.c] [xn--a] require @1\n" },
	{ "tls domain B\xc3\xbc\x63her.example no\n" R,
	    "\ntls [xn--bcher-kva.example] no @1\n" },
	{ "tls domain a verify name { mx.a, *.b }\n" R,
	    "\ntls [a] verify [mx.a] [*.b] @1\n" },
	{ CA PK "tls domain a verify protocols TLSv1.3 ciphers HIGH pki k "
		"name b ca c\n" R,
	    "\ntls [a] verify [b] ca=c pki=k ciphers=HIGH protocols=TLSv1.3 " },
	{ CA PK "tls domain a may ca c pki k\n" R,
	    "\ntls [a] may ca=c pki=k " },
	{ "tls domain a may\ntls domain { *.a } no\n" R,
	    "\ntls [a] may @1\ntls [*.a] no @2\n" },
	/* token */
	{ "token t file $key\ntoken u file $key\n" R,
	    "\ntoken t file=key @1\ntoken u file=key @2\n" },
	{ "token t file /tmp/postern-not-there\n" R, "\ntoken t file=/tmp/p" },
	{ "token \"a b\" command \"/bin/cat x\" user nobody\n" R,
	    "\ntoken a b command=/bin/cat x user=nobody @1\n" },
	/* limit */
	{ "limit mx \"*.a\" concurrency 3 messages 4 rate 5/1m inet4\n" R,
	    "\nlimit mx [*.a] concurrency=3 messages=4 rate=5 per=60 inet=4 @1" },
	{ "limit mx { a b } rate 1/1h\n" R, "\nlimit mx [a] [b] rate=1 per=" },
	{ "limit domain a inet6\n" R, "\nlimit [a] inet=6 @1\n" },
	{ "limit route inet6 rate 1/1s messages 2 concurrency 3\n" R,
	    "\nlimit concurrency=3 messages=2 rate=1 per=1 inet=6 @1\n" },
	{ "limit route inet6 rate 1/1s messages 2 concurrency 3\n" R,
	    " route=3\n" },
	{ "limit route inet6\nlimit route messages 2\n" R, " route=20\n" },
	{ "limit mx a inet4\nlimit domain a inet4\nlimit route inet4\n" R,
	    "\nlimit mx [a] inet=4 @1\nlimit [a] inet=4 @2\nlimit inet=4 @3\n" },
	/* bounce and history */
	{ R, "\nbounce 1000/3600 20/3600\nhistory 604800 67108864\n" },
	{ "bounce rate 5/1m\n" R, "\nbounce 5/60 20/3600\n" },
	{ "bounce address-rate 1/1d warn-interval 1h, 2h rate 5/1m\n" R,
	    "\nwarn 3600 7200 0 0\nbounce 5/60 1/86400\n" },
	{ "history keep 1h\n" R, "\nhistory 3600 67108864\n" },
	{ "history size 1M\n" R, "\nhistory 604800 1048576\n" },
	{ "history size 2G keep 30d\n" R, "\nhistory 2592000 2147483648\n" },
	{ "history no\n" R, "\nhistory 0 67108864\n" },
	{ "history no\nhistory keep 1d\n" R, "\nhistory 86400 67108864\n" },
	/* none of the words is reserved */
	{ "table tls_ { a }\ntable token { a }\naction history relay\n"
	  "action name relay\naction may relay\naction require relay\n"
	  "action verify_ relay\naction no relay\naction file relay\n"
	  "action command relay\naction keys relay\naction keep relay\n"
	  "action size relay\naction address-rate relay\n"
	  "action auth-insecure relay\nmatch action no\n",
	    " action no\n" },
	{ "token = r\nhistory = relay\naction $token $history\n"
	  "match action $token\n",
	    "\naction r relay " },
};

/* ---- what is not ---- */

static const struct unit_bad bad[] = {
	/* what a relay says together */
	{ S "action r relay host smtp+notls://l@h auth <s>" M,
	    "t.conf:2: found `auth` and smtp+notls:// for `h`, expected smtps:// or smtp+tls://, which keep secrets from others; `auth-insecure`" },
	{ S "action r relay host { smtps://l@g lmtp://l@h:24 } auth <s>" M,
	    "t.conf:2: found `auth` and lmtp:// for `h`, expected smtps://" },
	{ S "table h { smtps://l@g, smtp+notls://l@h }\n"
	    "action r relay host <h> auth <s>" M,
	    "t.conf:3: found `auth` and smtp+notls:// for `h`, expected smtps" },
	{ S "action r relay domain { a = lmtp://l@h:24 } auth <s>" M,
	    "t.conf:2: found `auth` and lmtp:// for `h`, expected smtps://" },
	{ "action r relay tls host smtp+notls://h" M,
	    "t.conf:1: found `tls` and smtp+notls:// for `h`, expected one of them: that scheme never uses TLS" },
	{ "action r relay host { a, smtp+notls://h } tls no-verify" M,
	    "t.conf:1: found `tls` and smtp+notls:// for `h`" },
	{ "action r relay domain { a = smtp+notls://h } tls" M,
	    "t.conf:1: found `tls` and smtp+notls:// for `h`" },
	{ "action r relay auth-insecure host h" M,
	    "t.conf:1: `auth-insecure` needs `auth`" },
	{ S "action r relay auth <s> auth-insecure" M,
	    "t.conf:2: `relay auth` needs a `host`" },
	{ "action r relay backup domain { a = b }" M,
	    "t.conf:1: found `backup` and `domain`" },
	{ "action r relay backup mx" M,
	    "t.conf:1: found end of line, expected a host name" },
	{ "action r relay tls tls" M, "t.conf:1: `tls` stands twice" },
	{ "action r relay backup backup" M, "t.conf:1: `backup` stands twice" },
	/* URLs */
	{ "action r relay host { a b c d e f g h i j k l m n o p q }" M,
	    "t.conf:1: more than 16 hosts of one `relay`" },
	{ "table h { a b c d e f g h i j k l m n o p q }\n"
	  "action r relay host <h>" M,
	    "t.conf:2: more than 16 hosts of one `relay`" },
	{ "action r relay host "
	  "smtp://1234567890123456789012345678901234567890123456789012345678901234@h" M,
	    "t.conf:1: `host`: found `smtp://12345678901234567890123456789" },
	{ "action r relay host \"smtp://a b@h\"" M,
	    "t.conf:1: `host`: found \"smtp://a b@h\", a character in the" },
	{ "table h { smtp://a, lmtp://b }\naction r relay host <h>" M,
	    "t.conf:2: `host`: found `lmtp://b`, expected a port behind" },
	{ "table h { ftp://a, smtp://b:0 }\naction r relay host <h>" M,
	    "t.conf:2: found `ftp://a`, an unknown scheme\n"
	    "t.conf:2: `host`: found `smtp://b:0`, not a port" },
	{ "table h { a }\naction r relay host <h> port 26" M,
	    "t.conf:2: found `port` with `host`" },
	{ "action r relay host { }" M, "t.conf:1: found `}`, expected a URL" },
	/* names and values */
	{ "action r relay ca c" M,
	    "t.conf:1: no ca is named `c`, expected it" },
	{ "action r relay pki k\n" PK "match action r\n",
	    "t.conf:1: no pki is named `k`, expected it to be declared above, but it is at line 2" },
	{ "action r relay protocols TLSv1.1" M,
	    "t.conf:1: `protocols`: found `TLSv1.1`, but versions below" },
	{ "action r relay protocols \"TLSv1.2:!TLSv1.2\"" M,
	    "t.conf:1: `protocols`: found \"TLSv1.2:!TLSv1.2\", which leaves" },
	{ "action r relay src 0.0.0.0" M,
	    "t.conf:1: `src`: found `0.0.0.0` in the list, from which no host" },
	{ "action r relay src { 192.0.2.1, \"::\" }" M,
	    "t.conf:1: `src`: found `::` in the list, from which no host" },
	{ "action r relay src 224.0.0.1" M, "t.conf:1: `src`: found `224.0" },
	{ "action r relay src 255.255.255.255" M, "t.conf:1: `src`: found " },
	{ "action r relay src ff02::1" M, "t.conf:1: `src`: found `ff02::1`" },
	{ "table s { ff02::1 }\naction r relay src <s>" M,
	    "t.conf:2: `src`: found `ff02::1` in table `s` of line 1, from" },
	{ "table s $empty\naction r relay src <s>" M,
	    "t.conf:2: `src`: table `s` of line 1 is empty" },
	{ "table s { a = b }\naction r relay src <s>" M,
	    "t.conf:2: `src`: table `s` of line 1 has `key = value`, expected" },
	{ "table s { a }\naction r relay helo-src <s>" M,
	    "t.conf:2: `helo-src`: table `s` of line 1 has elements without" },
	{ "action r relay host smtps://l@h auth { l = \"u:{TOKEN}t\" }" M,
	    "t.conf:1: `auth`: no token is named `t`, expected `token NAME" },
	{ "action r relay host smtps://l@h auth { l = \"u:{TOKEN}\" }" M,
	    "t.conf:1: `auth`: no token is named ``, expected `token" },
	/* tls domain */
	{ "tls\n" R, "t.conf:1: found end of line, expected `domain`" },
	{ "tls domain\n" R, "t.conf:1: found end of line, expected a domain" },
	{ "tls domain a\n" R,
	    "t.conf:1: found end of line, expected `no`, `may`, `require` or `verify`" },
	{ "tls domain a verifi\n" R,
	    "t.conf:1: found `verifi`, expected `no`, `may`, `require` or `verify`: is it `verify`?" },
	{ "tls domain a may require\n" R,
	    "t.conf:1: found `require`, expected `name`, `ca`, `pki`, `ciphers` or `protocols`" },
	{ "tls domain a..b may\n" R, "t.conf:1: `domain`: found `a..b`" },
	{ "tls domain * may\n" R, "t.conf:1: `domain`: found `*`" },
	{ "tls domain a.*.b may\n" R, "t.conf:1: `domain`: found `a.*.b`" },
	{ "tls domain { } may\n" R, "t.conf:1: found `}`, expected a domain" },
	{ "tls domain <t> may\n" R, "t.conf:1: found `<`, expected a domain" },
	{ "tls domain any may\n" R, "t.conf:1: `any` is a reserved word" },
	{ "tls domain a may name b\n" R,
	    "t.conf:1: found `name` with `may`, expected `verify`: otherwise" },
	{ "tls domain a require name { b }\n" R,
	    "t.conf:1: found `name` with `require`, expected `verify`" },
	{ "tls domain a no name b\n" R,
	    "t.conf:1: found `name` with `no`, ex" },
	{ CA "tls domain a no ca c\n" R,
	    "t.conf:2: found `ca` with `no`, expected nothing behind it" },
	{ PK "tls domain a no pki k\n" R, "t.conf:2: found `pki` with `no`" },
	{ "tls domain a no ciphers A\n" R,
	    "t.conf:1: found `ciphers` with `n" },
	{ "tls domain a no protocols all\n" R,
	    "t.conf:1: found `protocols` w" },
	{ "tls domain a verify name <t>\n" R,
	    "t.conf:1: found `<`, expected a domain, written without `<`" },
	{ "tls domain a verify name\n" R,
	    "t.conf:1: found end of line, expected the name of a host" },
	{ "tls domain a verify name b name c\n" R,
	    "t.conf:1: `name` stands twice in one statement" },
	{ "tls domain a verify ca c\n" R, "t.conf:1: no ca is named `c`" },
	{ "tls domain a verify pki k\n" R, "t.conf:1: no pki is named `k`" },
	{ "tls domain a may protocols SSLv3\n" R,
	    "t.conf:1: `protocols`: found `SSLv3`" },
	{ "tls domain a may\ntls domain { b, A } no\n" R,
	    "t.conf:2: found `tls domain` for `a`, which line 1 has already" },
	/* what people write instead */
	{ "tls verify domain a\n" R,
	    "t.conf:1: found `verify`: the domain comes first, as in `tls domain example.org verify`" },
	{ "tls pki a\n" R,
	    "t.conf:1: found `pki`: as an option of a listener or a relay `tls` stands on its line" },
	{ "tls domain a encrypt\n" R, "t.conf:1: found `encrypt`: it is `req" },
	{ "tls domain a verify no-verify\n" R,
	    "t.conf:1: found `no-verify`: it is `require`" },
	{ "limit provider a concurrency 1\n" R,
	    "t.conf:1: found `provider`: it is `limit mx`" },
	{ "limit mx a connections 1\n" R,
	    "t.conf:1: found `connections`: it is `concurrency`" },
	{ "action r relay inet4" M,
	    "t.conf:1: found `inet4`: it is a line of its own: `limit route" },
	{ "action r relay token t" M, "t.conf:1: found `token`: it is a line" },
	{ "history off\n" R, "t.conf:1: found `off`: it is `history no`" },
	{ "srs secret x\n" R, "t.conf:1: found `secret`: it is `srs key`" },
	{ "dkim domain a folder /tmp\n" R,
	    "t.conf:1: found `folder`: it is `keys`" },
	{ "token t \"/tmp/x\"\n" R,
	    "t.conf:1: found \"/tmp/x\": it is `file FILE` or `command COMMAND`" },
	/* token */
	{ "token\n" R, "t.conf:1: found end of line, expected the token's n" },
	{ "token t\n" R,
	    "t.conf:1: found end of line, expected `file` or `command`" },
	{ "token user file $key\n" R, "t.conf:1: `user` is a reserved word" },
	{ "token t file $key\ntoken t file $key\n" R,
	    "t.conf:2: token `t` is already declared at line 1" },
	{ "token t file x\n" R, "t.conf:1: found `x`, expected an absolute" },
	{ "token t file $open\n" R, "t.conf:1: `/tmp/postern-conf" },
	{ "token t file /etc\n" R, "t.conf:1: `/etc`: found a directory" },
	{ "token t file /nonexistent/x\n" R,
	    "t.conf:1: `/nonexistent/x`: No such file or directory, expected a file, or that its folder is there" },
	{ "token t file $key user nobody\n" R,
	    "t.conf:1: found `user`, expected end of line" },
	{ "token t command /bin/cat\n" R,
	    "t.conf:1: found end of line, expected `user`" },
	{ "token t command cat user nobody\n" R,
	    "t.conf:1: `command`: expected a command that begins with an absolute path" },
	{ "token t command /nonexistent/x user nobody\n" R,
	    "t.conf:1: `command`: `/nonexistent/x`: No such file or directory" },
	{ "token t command $key user nobody\n" R,
	    "t.conf:1: `command`: `/tmp/postern-conf" },
	{ "token t command \"/bin/cat 'x\" user nobody\n" R,
	    "t.conf:1: `command`: a quote is not closed" },
	{ "token t command /bin/cat user root\n" R,
	    "t.conf:1: `user`: found `root`, expected another user" },
	{ "token t command /bin/cat user no-such-user\n" R,
	    "t.conf:1: `user`: found `no-such-user`, which no user of this" },
	{ "token t command /bin/cat user nobody file $key\n" R,
	    "t.conf:1: found `file`, expected end of line" },
	/* limit */
	{ "limit mx\n" R,
	    "t.conf:1: found end of line, expected the name of a host" },
	{ "limit mx a\n" R, "t.conf:1: found end of line, expected `rate`" },
	{ "limit mx * rate 1/1s\n" R, "t.conf:1: `mx`: found `*`" },
	{ "limit mx a inet4 inet6\n" R,
	    "t.conf:1: found `inet6` besides another of its kind, expected one of `inet4` or `inet6`" },
	{ "limit route inet4 inet4\n" R, "t.conf:1: `inet4` stands twice" },
	{ "limit domain a inet5\n" R, "t.conf:1: found `inet5`, expected `r" },
	{ "limit mx a inet4\nlimit mx { b, a } inet4\n" R,
	    "t.conf:2: found `limit mx` for `a`, which line 1 has already" },
	{ "limit route inet4\nlimit domain a inet4\nlimit route inet6\n" R,
	    "t.conf:3: found `inet` of `limit route` again, which line 1 has" },
	{ "limit route concurrency 1\nlimit route messages 1 concurrency 2\n" R,
	    "t.conf:2: found `concurrency` of `limit route` again, which line 1" },
	{ "limit route rate 1/1s\nlimit route rate 1/1s\n" R,
	    "t.conf:2: found `rate` of `limit route` again, which line 1 has" },
	{ "limit mx a messages 0\n" R, "t.conf:1: `messages`: found `0`" },
	{ "limit route concurrency 10001\n" R, "t.conf:1: `concurrency`: f" },
	{ "mta limit max-conn-per-domain 0\n" R,
	    "t.conf:1: `max-conn-per-domain`: found `0`, expected a number from 1 to 10000" },
	{ "mta limit session-mail-max 1000001\n" R,
	    "t.conf:1: `session-mail-max`: found `1000001`, expected a number from 1 to 1000000" },
	{ "mta limit for domain a.* inet4\n" R, "t.conf:1: found `a.*`, " },
	{ "mta limit for a inet4\n" R,
	    "t.conf:1: found `a`, expected `domain`" },
	{ "limit domain { a b } inet4\nmta limit for domain b inet6\n" R,
	    "t.conf:2: found `limit domain` for `b`, which line 1 has already" },
	{ "mta max-deferred 0\n" R, "t.conf:1: `max-deferred`: found `0`, to" },
	/* bounce, history, srs */
	{ "bounce\n" R,
	    "t.conf:1: found end of line, expected `warn-interval`, `rate` or `address-rate`" },
	{ "bounce rate\n" R, "t.conf:1: found end of line, expected N/TIME" },
	{ "bounce rate 0/1h\n" R, "t.conf:1: found `0/1h`, expected N/TIME" },
	{ "bounce rate 5/1\n" R, "t.conf:1: `rate`: found `1`, a time needs" },
	{ "bounce address-rate 5\n" R, "t.conf:1: found `5`, expected N/TIM" },
	{ "bounce rate 1/1h rate 1/1h\n" R, "t.conf:1: `rate` stands twice" },
	{ "history\n" R,
	    "t.conf:1: found end of line, expected `no`, `keep` or `size`" },
	{ "history keep 0\n" R, "t.conf:1: `keep`: found `0`, a time needs a" },
	{ "history keep 0s\n" R, "t.conf:1: `keep`: found `0s`, too small" },
	{ "history keep 1m\n" R, "t.conf:1: `keep`: found `1m`, too small" },
	{ "history keep 366d\n" R, "t.conf:1: `keep`: found `366d`, too " },
	{ "history size 1K\n" R, "t.conf:1: `size`: found `1K`, too small" },
	{ "history no keep 1d\n" R,
	    "t.conf:1: found `history no` with `keep`, expected one of them" },
	{ "history size 1M no\n" R,
	    "t.conf:1: found `history no` with `size`, expected one of them" },
	{ "srs\n" R, "t.conf:1: found end of line, expected `key` or `ttl`" },
	{ "srs key\n" R,
	    "t.conf:1: found end of line, expected `backup` or a secret" },
	{ "srs key backup\n" R, "t.conf:1: found end of line, expected a sec" },
	{ "srs ttl 23h\n" R, "t.conf:1: `srs ttl`: found less than 1d" },
	{ "srs ttl 366d\n" R, "t.conf:1: `ttl`: found `366d`, too " },
	/* dkim */
	{ "dkim domain a keys x\n" R, "t.conf:1: found `x`, expected an abs" },
	{ "dkim domain a keys /nonexistent\n" R,
	    "t.conf:1: `keys`: `/nonexistent`: No such file or directory, expected a folder that can be read" },
	{ "dkim domain a keys $key\n" R, "t.conf:1: `keys`: `/tmp/postern-c" },
	{ "dkim domain a keys /tmp selector s\n" R,
	    "t.conf:1: found `keys` with `selector`, expected either" },
	{ "dkim domain a key $key keys /tmp\n" R,
	    "t.conf:1: found `keys` with `key`, expected either" },
	{ "dkim domain a keys /tmp keys /tmp\n" R,
	    "t.conf:1: `keys` stands twice" },
};

/* ---- each word where it may not stand ---- */

/* Places, each with a word that it is said in the midst of.  A word stands
 * behind the text, and a value behind it. */
static const char *const places[] = {
	"", /* at the beginning */
	"listen on 127.0.0.1 port 26 ",
	"listen on socket ",
	"pki a ",
	"ca a ",
	"table t ",
	"smtp ",
	"smtp limit ",
	"action q forward-only ",
	"action q relay ",
	"action q relay tls ",
	"action q relay backup ",
	"match from any ",
	"match from ",
	"filter f phase connect match ",
	"queue ",
	"bounce ",
	"srs ",
	"mta ",
	"mta limit ",
	"dkim domain a.b ",
	"limit ",
	"limit domain a ",
	"limit mx a ",
	"limit route ",
	"limit client ",
	"tls ",
	"tls domain a ",
	"tls domain a verify ",
	"token t ",
	"token t file /tmp/x ",
	"token t command /bin/cat ",
	"history ",
	"resolver ::1 ",
	"retry ",
	"log ",
	"greylist ",
};

/* Columns: word, a good value, the places where it may stand, as numbers of
 * the table above. */
#define AT_MAX 8
static const struct placed {
	const char *word, *value;
	int at[AT_MAX]; /* 0 ends */
} words[] = {
	{ "auth-insecure", "", { 9, 10, 11 } },
	{ "backup", "", { 9, 10, 11 } },
	{ "helo-src", "{ ::1 = a }", { 9, 10, 11 } },
	{ "no-verify", "", { 10 } },
	{ "mx", "a inet4", { 11, 21 } },
	{ "may", "", { 27 } },
	{ "require", "", { 27 } },
	{ "no", "", { 27, 32 } },
	{ "name", "a.b", { 28 } },
	{ "file", "/tmp/x", { 29 } },
	{ "command", "/bin/cat user nobody", { 29 } },
	{ "keep", "1d", { 32, 36 } },
	{ "size", "1M", { 32 } },
	{ "address-rate", "1/1h", { 16 } },
	{ "max-deferred", "5", { 18 } },
	{ "max-conn-per-domain", "5", { 19 } },
	{ "keys", "/nonexistent", { 20 } },
};

/* Words of statements that take any word there: a name, a value. */
static bool
takes_any(const char *place)
{
	return strcmp(place, "table t ") == 0 || strcmp(place, "retry ") == 0;
}

static bool
may_stand(const struct placed *w, size_t place)
{
	size_t i;

	for (i = 0; i < AT_MAX && w->at[i] != 0; i++) {
		if ((size_t)w->at[i] == place)
			return true;
	}
	return false;
}

static void
test_places(void)
{
	struct conf_errors errors;
	struct conf_image image;
	char text[256], name[96], want[96];
	size_t i, j;
	bool found;

	for (i = 0; i < N(words); i++) {
		for (j = 0; j < N(places); j++) {
			if (takes_any(places[j]) || may_stand(&words[i], j))
				continue;
			/* The word is named, and the line. */
			snprintf(text, sizeof(text), "%s%s %s\n" R, places[j],
			    words[i].word, words[i].value);
			snprintf(want, sizeof(want), "`%s`", words[i].word);
			found = load(text, strlen(text), &image, &errors) ==
				CONF_WRONG &&
			    errors.n == 1 &&
			    strncmp(errors.text[0], "t.conf:1: ", 10) == 0 &&
			    strstr(errors.text[0], want) != NULL;
			CHECK(case_name("out of place", j, text, name), found);
			if (!found && errors.n > 0)
				fprintf(stderr, "%s\n", errors.text[0]);
			conf_image_free(&image);
			conf_errors_free(&errors);
		}
	}
}

/* ---- each word with a value that it may not have ---- */

/* Columns: statement, with the word at its end. */
static const char *const valued[] = {
	"tls domain",
	"tls domain a verify name",
	"tls domain a verify ca",
	"tls domain a verify pki",
	"tls domain a verify protocols",
	"token t file",
	"token t command",
	"token t command /bin/cat user",
	"limit mx",
	"limit mx a concurrency",
	"limit mx a messages",
	"limit mx a rate",
	"limit route rate",
	"limit route messages",
	"bounce rate",
	"bounce address-rate",
	"history keep",
	"history size",
	"srs ttl",
	"mta max-deferred",
	"mta limit max-conn-per-domain",
	"mta limit max-conn-per-relay",
	"mta limit session-mail-max",
	"dkim domain a keys",
	"action q relay auth-insecure auth",
	"action q relay helo-src",
	"action q relay src",
	"action q relay host",
	"action q relay domain",
	"action q relay protocols",
	"action q relay ca",
	"action q relay pki",
	"action q relay backup mx",
};

/* None of them is a good value of any. */
static const char *const values[] = { "", "{ }", "{", "<", "<t", "<>",
	"<undeclared>", "=", "!", ",", "}", "\"\"", "\"a\tb\"", "-1", "a..b",
	"{ a = }", "{ a, = b }", "$undefined", "\xff", "any", "match" };

static void
test_values(void)
{
	struct conf_errors errors;
	struct conf_image image;
	char text[256], name[96];
	size_t i, j;
	bool found;

	for (i = 0; i < N(valued); i++) {
		for (j = 0; j < N(values); j++) {
			snprintf(text, sizeof(text), "%s %s\n" R, valued[i],
			    values[j]);
			found = load(text, strlen(text), &image, &errors) ==
				CONF_WRONG &&
			    strncmp(errors.text[0], "t.conf:", 7) == 0;
			CHECK(case_name("bad value", j, text, name), found);
			conf_image_free(&image);
			conf_errors_free(&errors);
		}
	}
}

/* ---- long lists ---- */

static void
test_many(void)
{
	/* Columns: how many addresses, what is said. */
	static const struct {
		unsigned int n;
		enum conf_verdict verdict;
		const char *want;
	} rows[] = {
		{ 64, CONF_GOOD, "" },
		{ 65, CONF_WRONG, "t.conf:1: more than 64 addresses of `src`" },
	};
	struct buf text;
	unsigned int k;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		buf_init(&text, 0);
		buf_puts(&text, "action r relay src {");
		for (k = 1; k <= rows[i].n; k++)
			buf_printf(&text, " 192.0.2.%u", k);
		buf_puts(&text, " }" M);
		check_says("many addresses", rows[i].verdict, buf_data(&text),
		    text.len, rows[i].want);
		buf_free(&text);
	}
}

/* ---- folders of keys ---- */

/* Columns: file, mode; a mode of 0: a folder. */
static const struct {
	const char *name;
	mode_t mode;
} files[] = {
	{ "keys/b.key", 0600 },
	{ "keys/a-1.key", 0600 },
	{ "keys/c.next", 0600 },
	{ "keys/d.old", 0600 },
	{ "keys/e.key.txt", 0644 },
	{ "keys/.key", 0600 },
	{ "keys/f.KEY", 0644 },
	{ "loose/a.key", 0640 },
	{ "loose/b.key", 0604 },
	{ "odd/a_b.key", 0600 },
	{ "none/s.next", 0600 },
	{ "dir/a.key", 0 },
};

static const char *const folders[] = { "keys", "loose", "odd", "none", "dir" };

static void
make_keys(void)
{
	size_t i;

	for (i = 0; i < N(folders); i++) {
		if (mkdir(folders[i], 0700) == -1)
			abort();
	}
	for (i = 0; i < N(files); i++) {
		if (files[i].mode != 0)
			put(files[i].name, "k", 1, files[i].mode);
		else if (mkdir(files[i].name, 0700) == -1)
			abort();
	}
}

static void
remove_keys(void)
{
	size_t i;

	for (i = 0; i < N(files); i++)
		(void)remove(files[i].name);
	for (i = 0; i < N(folders); i++) {
		if (rmdir(folders[i]) == -1)
			abort();
	}
}

/* Puts the folder in for each "@/": @1 is a line. */
static const char *
inside(const char *in, char *out, size_t size)
{
	size_t n = 0;
	bool folder;

	for (; *in != '\0' && n < size; in++) {
		folder = in[0] == '@' && in[1] == '/';
		n += (size_t)snprintf(out + n, size - n, "%.*s",
		    folder ? (int)sizeof(unit_dir) : 1, folder ? unit_dir : in);
	}
	return out;
}

static void
test_keys(void)
{
	/* Columns: file, with @ for the folder; how an error begins, or a piece
	 * of the image. */
	static const struct {
		const char *text, *want;
		bool good;
	} rows[] = {
		{ "dkim domain X.y keys @/keys\n" R,
		    "\ndkim x.y a-1 keys=@/keys key=@/keys/a-1.key @1\n"
		    "dkim x.y b keys=@/keys key=@/keys/b.key @1\n",
		    true },
		{ "dkim domain x selector c key $key\n"
		  "dkim domain x keys @/keys\ndkim domain y keys @/keys\n" R,
		    "\ndkim x c key=key @1\n"
		    "dkim x a-1 keys=@/keys key=@/keys/a-1.key @2\n"
		    "dkim x b keys=@/keys key=@/keys/b.key @2\n"
		    "dkim y a-1 ",
		    true },
		{ "dkim domain x keys @/none\n" R,
		    "t.conf:1: `keys`: found no key in `@/none`, expected SELECTOR.key: `smtpctl dkim rotate` makes one",
		    false },
		{ "dkim domain x keys @/loose\n" R,
		    "t.conf:1: `@/loose/b.key`: found a private key that everybody may use (mode 0604)",
		    false },
		{ "dkim domain x keys @/odd\n" R,
		    "t.conf:1: `keys`: found `@/odd/a_b.key`, whose name is no selector",
		    false },
		{ "dkim domain x keys @/dir\n" R,
		    "t.conf:1: `@/dir/a.key`: found a directory, expected a",
		    false },
		{ "dkim domain x selector B key $key\n"
		  "dkim domain x keys @/keys\n" R,
		    "t.conf:2: `keys`: found a key of the selector `b`, which line 1 has already for this domain",
		    false },
		{ "dkim domain x keys @/keys\ndkim domain x keys @/keys\n" R,
		    "t.conf:2: `keys`: found a key of the selector `a-1`, which line 1",
		    false },
	};
	char text[512], want[1024];
	struct unit_good row;
	size_t i;

	make_keys();
	for (i = 0; i < N(rows); i++) {
		inside(rows[i].text, text, sizeof(text));
		inside(rows[i].want, want, sizeof(want));
		row = (struct unit_good){ text, want };
		if (rows[i].good)
			check_good(&row, 1);
		else
			check_says(text, CONF_WRONG, text, strlen(text), want);
	}
	remove_keys();
}

int
main(void)
{
	conf_unit_begin();
	check_good(good, N(good));
	check_bad(bad, N(bad));
	test_places();
	test_values();
	test_many();
	test_keys();
	return conf_unit_end();
}
