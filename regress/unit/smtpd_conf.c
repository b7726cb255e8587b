/*
 * smtpd.conf: small files, what is in the image of those that are right, and
 * what is said about those that are not.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "buf.h"
#include "conf_file.h"
#include "unit.h"

static char dir[] = "/tmp/postern-conf-XXXXXX";
static char key_path[64], open_path[64], list_path[64];

/* What each case may use: `key $key`. */
static const struct conf_macro macros[] = {
	{ "key", key_path },
	{ "open", open_path },
	{ "list", list_path },
};

static void
put(const char *name, const void *p, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, p, len) != (ssize_t)len ||
	    fchmod(fd, mode) == -1)
		abort();
	close(fd);
}

static int
load(const void *text, size_t len, struct conf_image *image,
    struct conf_errors *errors)
{
	memset(errors, 0, sizeof(*errors));
	put("t.conf", text, len, 0600);
	return conf_file_load("t.conf", macros,
	    sizeof(macros) / sizeof(macros[0]), image, errors);
}

/* ---- an image as text ---- */

static void
show_ss(struct buf *b, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	char ip[64];

	if (ss->ss_family == AF_INET)
		buf_printf(b, " %s:%u",
		    inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip)),
		    ntohs(in->sin_port));
	else if (ss->ss_family == AF_INET6)
		buf_printf(b, " [%s]:%u",
		    inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip)),
		    ntohs(in6->sin6_port));
	else
		buf_puts(b, " none");
}

static void
show_set(struct buf *b, const struct conf *c, uint32_t table)
{
	const struct conf_table *t = CONF_TABLE(c, table);
	uint32_t i;

	if (t->name != 0) {
		buf_printf(b, " <%s>", conf_text(c, t->name));
		return;
	}
	for (i = 0; i < t->entries.n; i++)
		buf_printf(b, " %s",
		    conf_text(c, CONF_ENTRY(c, t->entries, i)->key));
}

static void
show_tables(struct buf *b, const struct conf *c)
{
	static const char *const kinds[] = { "list", "map", "file" };
	const struct conf_entry *e;
	const struct conf_table *t;
	uint32_t i, j;

	for (i = 0; i < c->table.n; i++) {
		t = CONF_TABLE(c, i);
		buf_printf(b, "table %s %s%s @%u:", conf_text(c, t->name),
		    kinds[t->kind],
		    strcmp(conf_text(c, t->path), list_path) == 0 ? " L" : "",
		    t->line);
		for (j = 0; j < t->entries.n; j++) {
			e = CONF_ENTRY(c, t->entries, j);
			buf_printf(b, " [%s]%s%s", conf_text(c, e->key),
			    t->kind == TABLE_MAP ? "=" : "",
			    conf_text(c, e->value));
		}
		buf_puts(b, "\n");
	}
}

static void
show_matches(struct buf *b, const struct conf *c)
{
	static const char *const from[] = { "local", "any", "src", "socket" };
	static const char *const for_[] = { "local", "any", "domain" };
	const struct conf_match *m;
	uint32_t i;

	for (i = 0; i < c->match.n; i++) {
		m = CONF_MATCH(c, i);
		buf_printf(b, "match @%u %sfrom %s", m->line,
		    m->not_from ? "!" : "", from[m->from]);
		if (m->from == FROM_SRC)
			show_set(b, c, m->from_table);
		buf_printf(b, " %sfor %s", m->not_for ? "!" : "",
		    for_[m->for_]);
		if (m->for_ == FOR_DOMAIN)
			show_set(b, c, m->for_table);
		if (m->tag != 0)
			buf_printf(b, " %stag %s", m->not_tag ? "!" : "",
			    conf_text(c, m->tag));
		if (m->reject)
			buf_puts(b, m->action == CONF_NONE ? " reject" : " ?");
		else
			buf_printf(b, " action %s",
			    conf_text(c, CONF_ACTION(c, m->action)->name));
		buf_puts(b, "\n");
	}
}

static void
show_lists(struct buf *b, const struct conf *c)
{
	const struct conf_listen *l;
	const struct conf_action *a;
	uint32_t i;

	for (i = 0; i < c->listen.n; i++) {
		l = CONF_LISTEN(c, i);
		buf_printf(b, "listen %s%s", conf_text(c, l->name),
		    l->local ? " local" : "");
		show_ss(b, &l->ss);
		buf_printf(b, " tag=%s hostname=%s @%u\n", conf_text(c, l->tag),
		    conf_text(c, l->hostname), l->line);
	}
	for (i = 0; i < c->action.n; i++) {
		a = CONF_ACTION(c, i);
		buf_printf(b, "action %s %s host=%s port=%u helo=%s @%u\n",
		    conf_text(c, a->name),
		    a->scheme == SCHEME_SMTP ? "smtp" : "notls",
		    conf_text(c, a->host), a->port, conf_text(c, a->helo),
		    a->line);
	}
	for (i = 0; i < c->dkim.n; i++)
		buf_printf(b, "dkim %s %s %s @%u\n",
		    conf_text(c, CONF_DKIM(c, i)->domain),
		    conf_text(c, CONF_DKIM(c, i)->selector),
		    strcmp(conf_text(c, CONF_DKIM(c, i)->path), key_path) == 0 ?
			"K" :
			"?",
		    CONF_DKIM(c, i)->line);
	buf_puts(b, "retry");
	for (i = 0; i < c->retry.n; i++)
		buf_printf(b, " %u*%u", CONF_RETRY(c, i)->seconds,
		    CONF_RETRY(c, i)->times);
	buf_printf(b, " max %u\n", c->retry_max);
}

static void
show_settings(struct buf *b, const struct conf *c)
{
	buf_printf(b, "hostname %s\nresolver", conf_text(c, c->hostname));
	show_ss(b, &c->resolver);
	buf_printf(b, " timeout %u\n", c->resolver_timeout);
	buf_printf(b, "warn %u %u %u %u\n", c->warn[0], c->warn[1], c->warn[2],
	    c->warn[3]);
	buf_printf(b, "size=%llu\n", (unsigned long long)c->max_message_size);
	buf_printf(b, "rcpt=%u mails=%u sessions=%u command=%u line=%u\n",
	    c->max_rcpt, c->max_mails, c->max_sessions, c->max_command,
	    c->max_line);
	buf_printf(b, "header=%u hops=%u errors=%u timeout=%u data=%u\n",
	    c->max_header, c->max_hops, c->max_errors, c->smtp_timeout,
	    c->data_timeout);
	buf_printf(b, "bare=%s ttl=%u route=%u\n",
	    c->bare_newline == BARE_FIX ? "fix" : "reject", c->queue_ttl,
	    c->route_concurrency);
}

static void
show(struct buf *b, const struct conf *c)
{
	buf_puts(b, "\n");
	show_lists(b, c);
	show_tables(b, c);
	show_matches(b, c);
	show_settings(b, c);
	buf_add(b, "", 1);
}

/* ---- files that are right ---- */

#define A "action \"r\" relay\n"
#define R A "match for any action \"r\"\n"

/* Columns: file, a piece of the image as text; "" if it is enough that the
 * file is taken. */
static const struct {
	const char *text, *want;
} good[] = {
	/* the least that works; the defaults */
	{ R, "\nmatch @2 from local for any action r\n" },
	{ R, "\nlisten socket local none tag= hostname= @0\naction r " },
	{ R, "\naction r smtp host= port=25 helo= @1\n" },
	{ R, "\nretry 300*2 900*2 1800*1 3600*1 max 14400\n" },
	{ R, "\nresolver none timeout 10\nwarn 14400 0 0 0\nsize=36700160\n" },
	{ R, "\nrcpt=1000 mails=100 sessions=1000 command=2048 line=65536\n" },
	{ R, "\nheader=262144 hops=100 errors=20 timeout=300 data=300\n" },
	{ R, "\nbare=reject ttl=345600 route=20\n" },
	/* the form of the text */
	{ "# c\n\n" R "# \xc3\xa4", "\nmatch @4 " },
	{ "# goes \\\non\n" R, "\nmatch @4 " },
	{ "action r relay # relay\nmatch for any action r", "match @2 from" },
	{ "action \\\n r \\\n\trelay\nmatch for any action r",
	    "match @4 from" },
	{ "action r rel\\\nay\nmatch for any action r", "action r smtp" },
	{ "action 'r' relay\nmatch for any action \"r\"", "action r smtp" },
	{ "action \"a b\" relay\nmatch action \"a b\"", "local action a b\n" },
	{ "action \"a\\\"b\" relay\nmatch action 'a\"b'", "action a\"b\n" },
	{ "action \"a\nb\" relay\nmatch action ab", "\naction ab smtp" },
	{ "action \"relay\" relay\nmatch action \"relay\"", "action relay\n" },
	{ "\taction\tr\trelay\t\nmatch action r\t", "action r\n" },
	/* names that files use bare must stay free */
	{ "table aliases { a }\ntable domains { b }\n" R, "table domains" },
	{ "table dkim { a }\naction retry relay\nmatch action retry",
	    "\ntable dkim list @1: [a]\n" },
	{ "action resolver relay\nmatch action resolver", "action resolver" },
	{ "action up relay\nmatch for any tag to action up", "tag to action" },
	{ "action out relay\nmatch action out", "local action out\n" },
	{ "table in { a }\ntable spam { b }\ntable local_mail { c }\n" R, "" },
	/* macros */
	{ "n = r\naction $n relay\nmatch action $n", "local action r\n" },
	{ "o = \"port 2525 tag x\"\nlisten on 127.0.0.1 $o\n" R,
	    "\nlisten 127.0.0.1 127.0.0.1:2525 tag=x hostname= @2\n" },
	{ "a = r\nb = $a\naction $b relay\nmatch action r", "action r smtp" },
	{ "ip = 127.0.0.1\nlisten on $ip port 26\n" R, "127.0.0.1:26 tag=" },
	{ "a = x\na = y\n" A "match tag $a action r", "tag y action r" },
	{ "list = x\ntable t $list\n" R, "\ntable t file L @2:\n" },
	{ "h=a.example\naction r relay host $h:26\nmatch action r",
	    "host=a.example port=26 " },
	{ "a = \"\"\naction r $a relay\nmatch action r", "action r smtp" },
	{ "l = \"{ a, b }\"\n" A "match for domain $l action r",
	    "for domain a b action" },
	{ A "match tag \"$key\" action r", "tag $key action" },
	/* include files: inc has a table `inc`, a comment, no newline */
	{ "include \"inc\"\n" R, "\ntable inc list @1: [i]\nmatch @3 " },
	{ R "include \"inc\"", "\ntable inc list @1: [i]\n" },
	/* listen on */
	{ "listen on 127.0.0.1\n" R, "\nlisten 127.0.0.1 127.0.0.1:25 tag=" },
	{ "listen on ::1 port 26\n" R, "\nlisten ::1 [::1]:26 tag=" },
	{ "listen on 0.0.0.0 port smtp\n" R, " 0.0.0.0:25 " },
	{ "listen on :: port submission\n" R, " [::]:587 " },
	{ "listen on 127.0.0.1 port submissions\n" R, " 127.0.0.1:465 " },
	{ "listen on 127.0.0.1 port \"smtp\"\n" R, " 127.0.0.1:25 " },
	{ "listen on localhost port 26\n" R,
	    "\nlisten localhost 127.0.0.1:26" },
	{ "listen on all port 26\n" R, "\nlisten all 0.0.0.0:26 tag=" },
	{ "listen on lo port 26\n" R, "\nlisten lo 127.0.0.1:26 tag=" },
	{ "listen on 127.0.0.1 hostname a.example tag t port 65535\n" R,
	    "127.0.0.1:65535 tag=t hostname=a.example @1\n" },
	{ "listen on 127.0.0.1 tag "
	  "abcdefghijklmnopqrstuvwxyz012345\n" R,
	    "tag=abcdefghijklmnopqrstuvwxyz012345 " },
	{ "listen on socket tag t\n" R,
	    "\nlisten socket local none tag=t hostname= @1\naction" },
	{ R "listen on 127.0.0.1", "\nlisten 127.0.0.1 127.0.0.1:25 " },
	/* tables */
	{ "table t { a, b }\n" R, "\ntable t list @1: [a] [b]\n" },
	{ "table t { a b c}\n" R, "\ntable t list @1: [a] [b] [c]\n" },
	{ "table t {\n a,\n b # c\n c }\n" R,
	    "\ntable t list @1: [a] [b] [c]\n" },
	{ "table t { a\n, b }\n" R, "\ntable t list @1: [a] [b]\n" },
	{ "table t { k = v, \"@\" = u }\n" R,
	    "\ntable t map @1: [k]=v [@]=u\n" },
	{ "table t { k => v }\n" R, "\ntable t map @1: [k]=v\n" },
	{ "table t { k=v l=>w }\n" R, "\ntable t map @1: [k]=v [l]=w\n" },
	{ "table t { relay, any, 'a b' }\n" R, "@1: [relay] [any] [a b]\n" },
	{ "table \"t\" { a }\n" R, "\ntable t list @1: [a]\n" },
	{ "table \"alias\" { a }\n" R, "\ntable alias list @1: [a]\n" },
	{ "table t $list\n" R, "\ntable t file L @1:\n" },
	{ "f = file:/etc/passwd\ntable t $f\n" R, "\ntable t file @2:\n" },
	{ "table t \"file:/etc/passwd\"\n" R, "\ntable t file @1:\n" },
	{ "table t file:/etc/passwd\n" R, "\ntable t file @1:\n" },
	/* actions */
	{ "action r relay host smtp://h.example\nmatch action r",
	    "\naction r smtp host=h.example port=25 helo= @1\n" },
	{ "action r relay host smtp://h.example:587\nmatch action r",
	    "host=h.example port=587 " },
	{ "action r relay host smtp+notls://h.example/\nmatch action r",
	    "\naction r notls host=h.example port=25 " },
	{ "action r relay host h.example:26\nmatch action r",
	    "\naction r smtp host=h.example port=26 " },
	{ "action r relay host h\nmatch action r", "host=h port=25 " },
	{ "action r relay host smtp://[::1]:26\nmatch action r",
	    "host=::1 port=26 " },
	{ "action r relay host 192.0.2.1\nmatch action r",
	    "host=192.0.2.1 port=25 " },
	{ "action r relay host \"smtp://127.0.0.1\"\nmatch action r",
	    "host=127.0.0.1 " },
	{ "action r relay port 2525\nmatch action r", "host= port=2525 " },
	{ "action r relay helo a.example port 26 host h\nmatch action r",
	    "host=h port=26 helo=a.example @1\n" },
	{ "action r relay helo [192.0.2.1]\nmatch action r",
	    "helo=[192.0.2.1] " },
	{ A "match for any action r\naction s relay\nmatch action s",
	    "\nmatch @4 from local for local action s\n" },
	/* rules */
	{ A "match action r", "\nmatch @2 from local for local action r\n" },
	{ A "match from any for local action r", "from any for local action" },
	{ A "match from socket for any action r", "from socket for any " },
	{ A "match from src 192.0.2.1 action r", "from src 192.0.2.1 for" },
	{ A "match from src 2001:db8::/32 action r", "src 2001:db8::/32 for" },
	{ A "match from src { 192.0.2.0/24 ::1 } action r",
	    "from src 192.0.2.0/24 ::1 for local" },
	{ "table n { 192.0.2.1 }\n" A "match from src <n> action r",
	    "from src <n> for" },
	{ "table n $list\n" A "match from src < n > action r",
	    "from src <n> for" },
	{ A "match for domain example.org action r",
	    "for domain example.org action" },
	{ A "match for domain { \"*.example.org\", b } action r",
	    "for domain *.example.org b action" },
	{ "table d { a }\n" A "match for domain <d> action r",
	    "for domain <d> action" },
	{ A "match !from any !for any !tag t reject",
	    "\nmatch @2 !from any !for any !tag t reject\n" },
	{ A "match ! from src ::1 ! for domain d reject",
	    "!from src ::1 !for domain d reject" },
	{ A "match tag t for any from any action r",
	    "from any for any tag t action r" },
	{ "match reject", "\nmatch @1 from local for local reject\n" },
	/* keys */
	{ "dkim domain example.org selector s key $key\n" R,
	    "\ndkim example.org s K @1\n" },
	{ "dkim domain a.b key $key selector s.t\n"
	  "dkim domain a.b selector u key $key\n" R,
	    "\ndkim a.b s.t K @1\ndkim a.b u K @2\n" },
	/* settings */
	{ "hostname mx.example.org\n" R, "\nhostname mx.example.org\n" },
	{ "resolver 127.0.0.1\n" R, "\nresolver 127.0.0.1:53 timeout 10\n" },
	{ "resolver ::1 timeout 2s port 5353\n" R,
	    "\nresolver [::1]:5353 timeout 2\n" },
	{ "retry 1s*3, 5s up to 10s\n" R, "\nretry 1*3 5*1 max 10\n" },
	{ "retry 1m 2m*2\n" R, "\nretry 60*1 120*2 max 14400\n" },
	{ "retry 1d\n" R, "\nretry 86400*1 max 86400\n" },
	{ "queue ttl 1h30m\n" R, " ttl=5400 " },
	{ "queue ttl 1d\nqueue ttl 2d\n" R, " ttl=172800 " },
	{ "bounce warn-interval 1h\n" R, "\nwarn 3600 0 0 0\n" },
	{ "bounce warn-interval { 2h, 1h 2h }\n" R, "\nwarn 3600 7200 0 0\n" },
	{ "bounce warn-interval { 1h, 2h, 3h, 4h, 5h }\n" R,
	    "\nwarn 3600 7200 10800 14400\n" },
	{ "smtp max-message-size 1G\n" R, "\nsize=1073741824\n" },
	{ "smtp max-message-size 1000\n" R, "\nsize=1000\n" },
	{ "smtp limit max-rcpt 100 max-mails 10\n" R, "\nrcpt=100 mails=10 " },
	{ "smtp limit max-sessions 3\nsmtp limit max-errors 4\n" R,
	    " sessions=3 " },
	{ "smtp limit max-command-line 1K max-line 2K max-header 4K\n" R,
	    " command=1024 line=2048\nheader=4096 " },
	{ "smtp limit max-hops 7 max-errors 8\n" R, " hops=7 errors=8 " },
	{ "smtp timeout 1m\nsmtp data-timeout 2m\n" R,
	    " timeout=60 data=120\n" },
	{ "smtp bare-newline fix\n" R, "\nbare=fix " },
	{ "smtp bare-newline reject\n" R, "\nbare=reject " },
	{ "limit route concurrency 5\n" R, " route=5\n" },
};

/* ---- files that are not ---- */

/* Columns: file, how the errors begin, one to a line. */
static const struct {
	const char *text, *want;
} refused[] = {
	{ "", "t.conf: no rules, nothing to do" },
	{ "listen on 127.0.0.1\n", "t.conf: no rules, nothing to do" },
	/* several in one run */
	{ "foo\nqueue ttl 1\nmatch action x\n",
	    "t.conf:1: found `foo`, expected `listen`, `table`, `action`, `match`, \n"
	    "t.conf:2: `ttl`: found `1`, a time needs a unit\n"
	    "t.conf:3: no action is named `x`, expected it to be declared above" },
	{ "table t {\nfoo bar\n}\nbaz\n" R,
	    "t.conf:4: found `baz`, expected " },
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
	    "t.conf:2: found `r`, expected `relay`\n"
	    "t.conf:3: the string that starts at line 3 is not closed (or the one that starts at line 1)" },
	{ A "match for domain { a, b\nmatch action r\n",
	    "t.conf:2: the list that starts here is not closed" },
	{ "table t file:\"/etc/passwd\"\n" R,
	    "t.conf:1: a quote inside a word, expected quotes around the whole" },
	{ "table \xc3\xa4 { a }\n" R,
	    "t.conf:1: a byte that may stand only in quotes: \\xc3" },
	{ "table \001 { a }\n" R, "t.conf:1: a byte that may stand only in q" },
	{ "MATCH action r\n", "t.conf:1: found `MATCH`, expected " },
	{ "\"match\" action r\n", "t.conf:1: found \"match\", expected " },
	{ R "}\n", "t.conf:3: found `}`, expected `listen`" },
	{ "\\\n!\n" R, "t.conf:2: found end of line, expected `listen`" },
	/* macros */
	{ A "match tag $x action r\n",
	    "t.conf:2: no such macro is defined above: `x`" },
	{ A "match tag $ action r\n", "t.conf:2: found `$` alone" },
	{ "a-b = c\n" R, "t.conf:1: macro `a-b`: a macro's name has only" },
	{ "a = b c\n" R, "t.conf:1: found `c`, expected end of line (quotes" },
	{ "a = \n" R,
	    "t.conf:1: found end of line, expected the macro's value" },
	{ "table = x\n" R, "t.conf:1: `table` is a reserved word, expected" },
	{ "listen on \"$key\"\n" R, "t.conf:1: `listen on`: found \"$key\", " },
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
	/* listen on */
	{ "listen 127.0.0.1\n" R,
	    "t.conf:1: found `127.0.0.1`, expected `on`" },
	{ "listen on\n" R,
	    "t.conf:1: found end of line, expected `socket` or a" },
	{ "listen on *\n" R,
	    "t.conf:1: `listen on`: found `*`, expected an address without" },
	{ "listen on 0.0.0.0/0\n" R,
	    "t.conf:1: `listen on`: found `0.0.0.0/0`" },
	{ "listen on [::1]\n" R, "t.conf:1: `listen on`: found `[::1]`, " },
	{ "listen on 127.0.0\n" R, "t.conf:1: `listen on`: found `127.0.0`, " },
	{ "listen on nosuch0\n" R, "t.conf:1: `listen on`: found `nosuch0`, " },
	{ "listen on <YOUR IP>\n" R,
	    "t.conf:1: found `<`, expected an address" },
	{ "listen on 127.0.0.1 port 0\n" R,
	    "t.conf:1: `port`: found `0`, too small, expected a port from 1 to " },
	{ "listen on 127.0.0.1 port 70000\n" R,
	    "t.conf:1: `port`: found `70000`, too large" },
	{ "listen on 127.0.0.1 port \"25\"\n" R,
	    "t.conf:1: found \"25\", expected a number without quotes" },
	{ "listen on 127.0.0.1 port nosuch\n" R,
	    "t.conf:1: found `nosuch`, expected a port from 1 to 65535 or" },
	{ "listen on 127.0.0.1 port\n" R,
	    "t.conf:1: found end of line, expected a port" },
	{ "listen on 127.0.0.1 tag a tag b\n" R,
	    "t.conf:1: `tag` stands twice in one statement" },
	{ "listen on 127.0.0.1 tag abcdefghijklmnopqrstuvwxyz0123456\n" R,
	    "t.conf:1: `tag`: found `abcdefghijklmnopqrstuvwxyz0123456`, which "
	    "is longer than 32" },
	{ "listen on 127.0.0.1 hostname -x\n" R,
	    "t.conf:1: `hostname`: found" },
	{ "listen on socket\nlisten on socket\n" R,
	    "t.conf:2: found `listen on` `socket`, but line 1 listens there" },
	{ "listen on 127.0.0.1\nlisten on 127.0.0.1 port 25\n" R,
	    "t.conf:2: found `listen on` `127.0.0.1`, but line 1 listens" },
	{ "listen on socket port 25\n" R,
	    "t.conf:1: found `port`, expected `tag`" },
	{ "listen on 127.0.0.1 !tag a\n" R,
	    "t.conf:1: `!` cannot stand before `tag`" },
	/* tables */
	{ "table t { }\n" R, "t.conf:1: found `}`, expected an element" },
	{ "table t { a, }\n" R,
	    "t.conf:1: found `}`, expected an element after the comma" },
	{ "table t { a, b = c }\n" R, "t.conf:1: found elements and `key = v" },
	{ "table t { a = b, c }\n" R, "t.conf:1: found elements and `key = v" },
	{ "table t { a = }\n" R, "t.conf:1: found `}`, expected an element" },
	{ "table t { { a } }\n" R, "t.conf:1: found `{`, expected an element" },
	{ "table <t> { a }\n" R,
	    "t.conf:1: found `<`, expected the table's name without < >" },
	{ "table alias { a }\n" R,
	    "t.conf:1: `alias` is a reserved word: put it in quotes" },
	{ "table t { a }\n\ntable t { b }\n" R,
	    "t.conf:3: table `t` is already declared at line 1" },
	{ "table t file:relative\n" R, "t.conf:1: found `file:relative`, exp" },
	{ "table t relative\n" R, "t.conf:1: found `relative`, expected `{`" },
	{ "table t foo:/etc/passwd\n" R,
	    "t.conf:1: found `foo:/etc/passwd`, an unknown type of table" },
	{ "table t /nonexistent/list\n" R,
	    "t.conf:1: `/nonexistent/list`: No such file or directory, exp" },
	{ "table t /etc\n" R, "t.conf:1: `/etc`: found something else" },
	{ "table t\n" R, "t.conf:1: found end of line, expected `{`, " },
	{ "table t { a } b\n" R, "t.conf:1: found `b`, expected end of line" },
	/* actions */
	{ "action relay\n", "t.conf:1: `relay` is a reserved word: put it in" },
	{ "action local relay\n", "t.conf:1: `local` is a reserved word" },
	{ "action r backup\n", "t.conf:1: found `backup`, expected `relay`" },
	{ "action r\n", "t.conf:1: found end of line, expected `relay`" },
	{ A "action r relay\nmatch action r\n",
	    "t.conf:2: action `r` is already declared at line 1" },
	{ "action r relay host ftp://h\n",
	    "t.conf:1: found `ftp://h`, an unk" },
	{ "action r relay host smtp://\n",
	    "t.conf:1: `host`: found `smtp://`" },
	{ "action r relay host smtp://h:0\n",
	    "t.conf:1: `host`: found `smtp:" },
	{ "action r relay host ::1\n",
	    "t.conf:1: `host`: found `::1`, more than one colon" },
	{ "action r relay host smtp://[::1\n",
	    "t.conf:1: `host`: found `smtp:" },
	{ "action r relay host h:26 port 27\n",
	    "t.conf:1: found a port in the URL and `port`" },
	{ "action r relay host a host b\n", "t.conf:1: `host` stands twice" },
	{ "action r relay host smtp://a@h\n",
	    "t.conf:1: `host`: found `smtp://a@h`, but a label is for `auth`" },
	{ "action r relay helo \"a b\"\n", "t.conf:1: `helo`: found \"a b\"" },
	{ "action r relay frobnicate\n",
	    "t.conf:1: found `frobnicate`, expected `host`, `helo` or `port`" },
	/* an action that failed is declared nevertheless: one error, not two */
	{ "action r relay foo\nmatch action r\nbar\n",
	    "t.conf:1: \nt.conf:3: " },
	/* rules */
	{ "match action r\n" A "match action r\n",
	    "t.conf:1: no action is named `r`, expected it to be declared " },
	{ A "match from any\n",
	    "t.conf:2: found end of line, expected `action` or `reject`" },
	{ A "match from any from local action r\n", "t.conf:2: `from` stands" },
	{ A "match action r reject\n",
	    "t.conf:2: found `reject`, expected end of line" },
	{ A "match action r for any\n", "t.conf:2: found `for`, expected end" },
	{ A "match !action r\n", "t.conf:2: `!` cannot stand before `action`" },
	{ A "match from domains action r\n",
	    "t.conf:2: found `domains`, expected `local`, `any`, `socket` or" },
	{ A "match from src foo action r\n",
	    "t.conf:2: `src`: found `foo`, not an address" },
	{ A "match from src 192.0.2.0/33 action r\n",
	    "t.conf:2: `src`: found `192.0.2.0/33`, not a prefix length" },
	{ "table n { a }\n" A "match from src <n> action r\n",
	    "t.conf:3: `src`: found `a` in table `n` of line 1, not an addre" },
	{ A "match for domain <d> action r\n",
	    "t.conf:2: no table is named `d`, expected it to be declared " },
	{ "table d { a = b }\n" A "match for domain <d> action r\n",
	    "t.conf:3: found a table with `key = value`, expected a list of " },
	{ A "match for domain <d action r\n",
	    "t.conf:2: found `action`, expected `>`" },
	{ A "match for domain\n",
	    "t.conf:2: found end of line, expected a dom" },
	{ A "match for action r\n",
	    "t.conf:2: found `action`, expected `local`, `any` or `domain`" },
	/* keys */
	{ "dkim domain a.b selector s\n" R,
	    "t.conf:1: `key` is missing, with the path of a private key" },
	{ "dkim domain a.b key $key\n" R, "t.conf:1: `selector` is missing" },
	{ "dkim selector s\n" R,
	    "t.conf:1: found `selector`, expected `domain`" },
	{ "dkim domain a.b selector s key k\n" R,
	    "t.conf:1: found `k`, expected an absolute path" },
	{ "dkim domain a.b selector s key /nonexistent/k\n" R,
	    "t.conf:1: `/nonexistent/k`: No such file or directory" },
	{ "dkim domain a.b selector s key $open\n" R, "t.conf:1: `/tmp/post" },
	{ "dkim domain a.b selector s key $key\n"
	  "dkim domain A.B selector S key $key\n" R,
	    "t.conf:2: found this domain and selector again" },
	{ "dkim domain a..b selector s key $key\n" R,
	    "t.conf:1: `domain`: found `a..b`, an empty label" },
	/* settings */
	{ "hostname \"a b\"\n" R, "t.conf:1: `hostname`: found \"a b\", " },
	{ "resolver example.org\n" R,
	    "t.conf:1: found `example.org`, expected " },
	{ "resolver ::1\nresolver ::1\n" R,
	    "t.conf:2: found a second `resolv" },
	{ "resolver ::1 timeout 0s\n" R,
	    "t.conf:1: `timeout`: found `0s`, too" },
	{ "retry\n" R, "t.conf:1: found end of line, expected times, as in" },
	{ "retry 5m,\n" R, "t.conf:1: found end of line, expected times, as" },
	{ "retry 5\n" R, "t.conf:1: `retry`: found `5`, a time needs a unit" },
	{ "retry 5m*0\n" R,
	    "t.conf:1: `retry`: found `5m*0`, expected TIME*N" },
	{ "retry up to 4h\n" R, "t.conf:1: `retry`: found `up`, not a time" },
	{ "retry 5m up 4h\n" R, "t.conf:1: found `4h`, expected `to`" },
	{ "retry 5m up to\n" R,
	    "t.conf:1: found end of line, expected a time" },
	{ "retry 5h up to 4h\n" R,
	    "t.conf:1: `retry` has a step of 18000 sec" },
	{ "queue ttl 3600\n" R, "t.conf:1: `ttl`: found `3600`, a time needs" },
	{ "queue\n" R, "t.conf:1: found end of line, expected `ttl`" },
	{ "bounce warn-interval { }\n" R,
	    "t.conf:1: found `}`, expected a time" },
	{ "bounce warn-interval { 1h, }\n" R,
	    "t.conf:1: found `}`, expected a" },
	{ "bounce warn-interval { 1h\n" R,
	    "t.conf:2: `warn-interval`: found `action`, not a time\n"
	    "t.conf:1: the list that starts here is not closed" },
	{ "smtp max-message-size 0\n" R,
	    "t.conf:1: `max-message-size`: found" },
	{ "smtp max-message-size 1X\n" R,
	    "t.conf:1: `max-message-size`: foun" },
	{ "smtp limit\n" R,
	    "t.conf:1: found end of line, expected `max-rcpt`," },
	{ "smtp limit max-rcpt 30001\n" R,
	    "t.conf:1: `max-rcpt`: found `30001`" },
	{ "smtp limit max-rcpt -1\n" R,
	    "t.conf:1: `max-rcpt`: found `-1`, not" },
	{ "smtp limit max-rcpt 18446744073709551616\n" R,
	    "t.conf:1: `max-rcpt`: found `18446744073709551616`, too large" },
	{ "smtp limit max-line 999\n" R,
	    "t.conf:1: `max-line`: found `999`, " },
	{ "smtp bare-newline maybe\n" R,
	    "t.conf:1: found `maybe`, expected `reject` or `fix`" },
	{ "limit route concurrency 0\n" R,
	    "t.conf:1: `concurrency`: found `0`" },
	{ "limit foo\n" R, "t.conf:1: found `foo`, expected `route`" },
	/* not yet here */
	{ "pki a cert \"/x\"\nca a cert \"/x\"\nfilter f phase x\n" R,
	    "t.conf:1: `pki` is not yet in this version\n"
	    "t.conf:2: `ca` is not yet in this version\n"
	    "t.conf:3: `filter` is not yet in this version" },
	{ "listen on 127.0.0.1 tls pki a\n" R,
	    "t.conf:1: `tls` is not yet in" },
	{ "listen on 127.0.0.1 filter { a,\nb }\nfoo\n" R,
	    "t.conf:1: `filter` is not yet in this version\nt.conf:3: " },
	{ "action l maildir junk\nmatch action l\n",
	    "t.conf:1: `maildir` is not yet in this version" },
	{ "action r relay tls no-verify\n", "t.conf:1: `tls` is not yet in" },
	{ "action r relay host smtp+tls://h\n",
	    "t.conf:1: `smtp+tls://` is n" },
	{ "action r relay host <h>\n", "t.conf:1: `host` with a table is not" },
	{ "table t db:/x\n" R, "t.conf:1: a table of type `db:` is not yet" },
	{ A "match auth from any action r\n",
	    "t.conf:2: `auth` is not yet in" },
	{ A "match from rdns action r\n", "t.conf:2: `rdns` is not yet in th" },
	{ A "match from src regex \"x\" action r\n",
	    "t.conf:2: `regex` is not" },
	{ A "match tag <t> action r\n", "t.conf:2: `tag` with a table is not" },
	{ "queue compression\n" R, "t.conf:1: `compression` is not yet in th" },
	{ "smtp sub-addr-delim '+'\n" R, "t.conf:1: `sub-addr-delim` is not" },
	/* the old grammar: this is all that is said */
	{ "foo\naccept from any for local deliver to mbox\nbar\n",
	    "t.conf:2: found `accept` of the grammar before OpenSMTPD 6.4" },
	{ "reject from any\n", "t.conf:1: found `reject` of the grammar befo" },
	{ "map a { source plain \"/x\" }\n",
	    "t.conf:1: found `map` of the gr" },
	{ "pki a certificate \"/x\"\n",
	    "t.conf:1: found `certificate` of the" },
	{ "limit mta for domain a inet4\n", "t.conf:1: found `mta` of the gr" },
};

static void
put_files(void)
{
	static const char inc[] = "table inc { i } # the end";
	static const char loop[] = "# c\ninclude \"t.conf\"\n";
	static const char broken[] = "# c\nfoo\n";
	static const char open_list[] = "table t { a,";

	put("inc", inc, sizeof(inc) - 1, 0600);
	put("loop", loop, sizeof(loop) - 1, 0600);
	put("broken", broken, sizeof(broken) - 1, 0600);
	put("open-list", open_list, sizeof(open_list) - 1, 0600);
	put(key_path, "k", 1, 0600);
	put(open_path, "k", 1, 0644);
	put(list_path, "l\n", 2, 0644);
}

static void
test_good(void)
{
	struct conf_errors errors;
	struct conf_image image;
	struct buf b;
	char name[96];
	size_t i;
	int ok;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		buf_init(&b, 0);
		ok = load(good[i].text, strlen(good[i].text), &image,
			 &errors) == 0;
		if (ok)
			show(&b, image.conf);
		ok = ok && errors.n == 0 &&
		    strstr((const char *)buf_data(&b), good[i].want) != NULL;
		snprintf(name, sizeof(name), "good %zu: %.60s", i,
		    good[i].text);
		name[strcspn(name, "\n")] = '\0';
		CHECK(name, ok);
		if (!ok)
			fprintf(stderr, "%s\n%s\n",
			    errors.n > 0 ? errors.text[0] : "",
			    b.len > 0 ? (const char *)buf_data(&b) : "");
		buf_free(&b);
		conf_image_free(&image);
		conf_errors_free(&errors);
	}
}

/* Each line of want begins the error in its place, and there are no more. */
static int
says(const struct conf_errors *errors, const char *want)
{
	size_t i, len;

	for (i = 0; *want != '\0'; i++) {
		len = strcspn(want, "\n");
		if (i == errors->n || strncmp(errors->text[i], want, len) != 0)
			return 0;
		want += len + (want[len] == '\n');
	}
	return i == errors->n;
}

static void
test_refused(void)
{
	struct conf_errors errors;
	struct conf_image image;
	char name[96];
	size_t i, j;
	int ok;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		ok = load(refused[i].text, strlen(refused[i].text), &image,
			 &errors) == -1 &&
		    image.conf == NULL && says(&errors, refused[i].want);
		snprintf(name, sizeof(name), "refused %zu: %.60s", i,
		    refused[i].text);
		name[strcspn(name, "\n\r")] = '\0';
		CHECK(name, ok);
		for (j = 0; !ok && j < errors.n; j++)
			fprintf(stderr, "%s\n", errors.text[j]);
		conf_image_free(&image);
		conf_errors_free(&errors);
	}
}

/* ---- input that nobody means ---- */

static const char whole[] =
    "m = \"tag \\\"x\\\"\" # c\nn = { a\n"
    "include \"inc\"\nhostname h.example\n"
    "table t { 192.0.2.1, ::1/64\n b }\ntable u { a => b, 'c d' = e }\n"
    "table f file:/etc/passwd\n"
    "listen on 127.0.0.1 port 2525 $m \\\n hostname a.example\n"
    "listen on socket tag y\nresolver ::1 port 53 timeout 1s\n"
    "action \"r\" relay host smtp+notls://[::1]:25 helo [192.0.2.1]\n"
    "dkim domain a.b selector s key $key\n"
    "retry 5m*2, 1h up to 4h\nbounce warn-interval { 1h, 2h }\n"
    "smtp limit max-rcpt 5 max-line 2K\nsmtp bare-newline fix\n"
    "match !from src <t> !for domain { a, b } tag x action \"r\"\n"
    "match from socket for domain <u> reject\n";

/* Any answer is right that says what is wrong if anything is. */
static int
holds(const void *text, size_t len)
{
	struct conf_errors errors;
	struct conf_image image;
	int bad = load(text, len, &image, &errors), ok;
	size_t i;

	ok =
	    (bad == 0) == (errors.n == 0) && (bad == 0) == (image.conf != NULL);
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
	size_t i;
	int ok = 1;

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

static void
check_says(const char *name, const void *text, size_t len, const char *want)
{
	struct conf_errors errors;
	struct conf_image image;
	size_t i;
	int ok;

	ok = load(text, len, &image, &errors) == -1 && says(&errors, want);
	CHECK(name, ok);
	for (i = 0; !ok && i < errors.n; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	conf_errors_free(&errors);
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

static void
test_floods(void)
{
	static const char nul[] = "# c\nlisten \0on";
	struct conf_errors errors;
	struct conf_image image;
	size_t big = (16 << 20) + 1;
	char *text;
	int bad;

	check_says("a NUL byte", nul, sizeof(nul) - 1,
	    "t.conf:2: found a NUL byte, expected text");
	text = flood("# no end ", big);
	check_says("a file over 16 MB", text, big, "t.conf: larger than 16 MB");
	free(text);
	text = flood("foo\n", 1 << 20);
	bad = load(text, 1 << 20, &image, &errors);
	CHECK("a million errors",
	    bad == -1 && errors.n == CONF_ERRORS_MAX &&
		strstr(errors.text[CONF_ERRORS_MAX - 1], "too many errors"));
	conf_errors_free(&errors);
	free(text);
	text = flood("{ ", 1 << 20);
	CHECK("a million lists", holds(text, 1 << 20));
	free(text);
	text = flood("w", 1 << 20);
	check_says("a word of a million bytes", text, 1 << 20,
	    "t.conf:1: a word of more than 8191 bytes");
	text[0] = '"';
	check_says("a string of a million bytes", text, 1 << 20,
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
	check_says("macros of gigabytes", text, size - 1,
	    "t.conf:2: more than 32 MB of text, macros included");
	free(text);
}

/* ---- the image ---- */

static int
pool_has(const struct conf *c, const char *text)
{
	return memmem(c, c->size, text, strlen(text)) != NULL;
}

static void
test_image(void)
{
	static const char text[] =
	    "table s { alice = wonderland, bob => builder }\n"
	    "table f /etc/passwd\n"
	    "table d { secret.example }\n"
	    "match for domain <d> reject\n"
	    "match for domain inline.example reject\n"
	    "dkim domain a.b selector s key $key\n";
	struct conf_errors errors;
	struct conf_image image, bare;
	const struct conf *c;
	struct conf copy;
	int fd;

	CHECK("image", load(text, sizeof(text) - 1, &image, &errors) == 0);
	CHECK("hostname is known",
	    conf_text(image.conf, image.conf->hostname)[0]);
	CHECK("local addresses", image.conf->local_addr.n > 0);
	CHECK("whole has tables", pool_has(image.conf, "wonderland"));
	CHECK("bare", conf_image_without_tables(&image, &bare) == 0);
	CHECK("bare has no values",
	    !pool_has(bare.conf, "wonderland") && !pool_has(bare.conf, "bob"));
	CHECK("bare has no lists",
	    !pool_has(bare.conf, "secret.example") &&
		!pool_has(bare.conf, "inline.example"));
	CHECK("bare has no paths", !pool_has(bare.conf, "/etc/passwd"));
	CHECK("bare has no entries",
	    bare.conf->table.n == 4 &&
		CONF_TABLE(bare.conf, 0)->entries.n == 0);
	CHECK("bare has its keys",
	    strcmp(conf_text(bare.conf, CONF_DKIM(bare.conf, 0)->path),
		key_path) == 0);

	fd = conf_seal(image.conf, image.size);
	CHECK("sealed", fd != -1 && write(fd, "x", 1) == -1 && errno == EPERM);
	CHECK("cannot shrink", ftruncate(fd, 0) == -1 && errno == EPERM);
	c = conf_map(fd);
	CHECK("mapped", c != NULL && memcmp(c, image.conf, image.size) == 0);
	CHECK("fd was taken over", fcntl(fd, F_GETFD) == -1);

	copy = *image.conf;
#define BROKEN(name, change)                                                   \
	change;                                                                \
	CHECK("refused: " name,                                                \
	    conf_map(conf_seal(image.conf, image.size)) == NULL &&             \
		errno == EINVAL);                                              \
	*image.conf = copy
	BROKEN("magic", image.conf->magic++);
	BROKEN("size", image.conf->size--);
	BROKEN("span before the rows", image.conf->table.off = 0);
	BROKEN("span too far", image.conf->match.off = (uint32_t)image.size);
	BROKEN("span too long", image.conf->dkim.n = UINT32_MAX);
	BROKEN("span not aligned", image.conf->match.off++);
	BROKEN("no pool", image.conf->pool.n = 0);
	BROKEN("pool without end", image.conf->pool.n -= 2);
	BROKEN("table that is not there", image.conf->table.n = 1);
	CHECK("refused: half",
	    conf_map(conf_seal(image.conf, sizeof(struct conf) / 2)) == NULL);
	fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK("refused: not sealed",
	    fd != -1 && write(fd, image.conf, image.size) > 0 &&
		conf_map(fd) == NULL && errno == EPERM);
	CHECK("refused: no file", conf_map(-1) == NULL);
	conf_image_free(&bare);
	conf_image_free(&image);
	conf_errors_free(&errors);
}

static void
test_command_line(void)
{
	static const struct conf_macro bad[] = { { "a-b", "c" } };
	struct conf_errors errors = { 0 };
	struct conf_image image;

	put("t.conf", R, sizeof(R) - 1, 0600);
	CHECK("-D with a bad name",
	    conf_file_load("t.conf", bad, 1, &image, &errors) == -1 &&
		says(&errors, "-D: `a-b`: a macro's name has only"));
	conf_errors_free(&errors);
	CHECK("no file",
	    conf_file_load("none", NULL, 0, &image, &errors) == -1 &&
		says(&errors, "none: No such file or directory"));
	conf_errors_free(&errors);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		abort();
	snprintf(key_path, sizeof(key_path), "%s/key", dir);
	snprintf(open_path, sizeof(open_path), "%s/open", dir);
	snprintf(list_path, sizeof(list_path), "%s/list", dir);
	put_files();
	test_good();
	test_refused();
	test_cut();
	test_floods();
	test_macro_flood();
	test_image();
	test_command_line();
	unlink("t.conf");
	unlink("inc");
	unlink("loop");
	unlink("broken");
	unlink("open-list");
	unlink(key_path);
	unlink(open_path);
	unlink(list_path);
	if (chdir("/") == -1 || rmdir(dir) == -1)
		return 1;
	return unit_end();
}
