/*
 * smtpd/lookup_peer.c: what tables say of a client before it is greeted, and
 * the addresses of a user.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_world.h"

#include "lookup_peer.h"

#define RULE "match from any for any reject\n"

/* ---- clients ---- */

#define TABLES                                                                 \
	"hostname mx.example.org\n"                                            \
	"table nets { 192.0.2.0/24, 2001:db8::/32 }\n"                         \
	"table other { 198.51.100.1 }\n"                                       \
	"table dead { 192.0.2.9 }\n"                                           \
	"table slow { 192.0.2.0/24 }\n"                                        \
	"table hang { 192.0.2.9 }\n"                                           \
	"table names { 127.0.0.1 = one.example.org, ::1 = six.example.org, "   \
	"127.0.0.9 = \"no name\" }\n"                                          \
	"table dead_names { 127.0.0.1 = x.example.org }\n"                     \
	"listen on 127.0.0.1 port 2525 "

/* Columns: what stands behind `listen`, and other lines; the client, our
 * address, what is said: flags by name, the host name. */
static const struct {
	const char *file, *client, *ours, *want;
} peers[] = {
	{ "\n", "192.0.2.1", "127.0.0.1", "done" },
	{ "proxy <nets>\n", "192.0.2.1", "127.0.0.1", "done proxy" },
	{ "proxy <nets>\n", "198.51.100.1", "127.0.0.1", "done" },
	{ "proxy <nets>\n", "2001:db8::5", "127.0.0.1", "done proxy" },
	{ "proxy <nets>\n", "", "", "done" },
	{ "xclient <nets>\n", "192.0.2.1", "127.0.0.1", "done xclient" },
	{ "xclient <other>\n", "192.0.2.1", "127.0.0.1", "done" },
	{ "submission <nets>\n", "192.0.2.1", "127.0.0.1", "done submit" },
	{ "submission <other>\n", "192.0.2.1", "127.0.0.1", "done" },
	{ "\nlimit except <nets>\n", "192.0.2.1", "127.0.0.1", "done exempt" },
	{ "\nlimit except <other>\n", "192.0.2.1", "127.0.0.1", "done" },
	{ "\ngreylist except <nets>\n", "192.0.2.1", "127.0.0.1",
	    "done known" },
	{ "proxy <nets> xclient <nets> submission <nets>\n"
	  "limit except <nets>\ngreylist except <nets>\n",
	    "192.0.2.200", "127.0.0.1",
	    "done proxy xclient submit exempt known" },
	{ "proxy <slow> xclient <nets>\n", "192.0.2.1", "127.0.0.1",
	    "done proxy xclient" },
	{ "proxy <slow> xclient <other>\n", "203.0.113.1", "127.0.0.1",
	    "done" },
	/* Whom to believe is not guessed; who waits loses nothing else. */
	{ "proxy <dead>\n", "192.0.2.1", "127.0.0.1", "421" },
	{ "xclient <dead>\n", "192.0.2.1", "127.0.0.1", "421" },
	{ "submission <dead>\n", "192.0.2.1", "127.0.0.1", "421" },
	{ "proxy <hang>\n", "192.0.2.1", "127.0.0.1", "421" },
	{ "\nlimit except <dead>\n", "192.0.2.1", "127.0.0.1", "done" },
	{ "\ngreylist except <hang>\n", "192.0.2.1", "127.0.0.1", "done" },
	{ "hostnames <names>\n", "192.0.2.1", "127.0.0.1",
	    "done one.example.org" },
	{ "hostnames <names>\n", "192.0.2.1", "::1", "done six.example.org" },
	{ "hostnames <names>\n", "192.0.2.1", "127.0.0.2", "done" },
	{ "hostnames <names>\n", "192.0.2.1", "127.0.0.9", "done" },
	{ "hostnames <names>\n", "192.0.2.1", "", "done" },
	{ "hostnames <dead_names>\n", "192.0.2.1", "127.0.0.1", "done" },
};

static void
show_peer(struct buf *b, const struct peer_is *is)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = {
		{ PEER_PROXY, "proxy" },
		{ PEER_XCLIENT, "xclient" },
		{ PEER_SUBMIT, "submit" },
		{ PEER_EXEMPT, "exempt" },
		{ PEER_KNOWN, "known" },
	};
	size_t i;

	if (is->outcome.verdict != DONE) {
		buf_printf(b, "%u", is->outcome.code);
		buf_add(b, "", 1);
		return;
	}
	buf_puts(b, "done");
	for (i = 0; i < N(words); i++) {
		if ((is->flags & words[i].flag) != 0)
			buf_printf(b, " %s", words[i].word);
	}
	if (is->hostname[0] != '\0')
		buf_printf(b, " %s", is->hostname);
	buf_add(b, "", 1);
}

static void
check_peer(size_t i)
{
	struct conf_errors errors;
	struct conf_image image;
	struct buf file, got;
	struct peer_ask m;
	struct peer_is is;
	char name[96];
	bool ok = false;

	buf_init(&file, 0);
	buf_init(&got, 0);
	buf_printf(&file, TABLES "%s" RULE, peers[i].file);
	if (load(buf_data(&file), file.len, &image, &errors) != CONF_WRONG) {
		lookup_begin(image.conf);
		memset(&m, 0, sizeof m);
		fill(m.client, sizeof m.client, peers[i].client);
		fill(m.ours, sizeof m.ours, peers[i].ours);
		question_ask(&world.questions, judge_peer, &m, sizeof m,
		    &world.chan, 7);
		ok = world_answered(&world, IPC_PEER_IS, &is, sizeof is);
		if (ok)
			show_peer(&got, &is);
		lookup_end();
	}
	ok = ok && strcmp((const char *)buf_data(&got), peers[i].want) == 0;
	CHECK(case_name("peer", i, peers[i].file, name), ok);
	if (!ok)
		fprintf(stderr, "%s: got %s, not %s\n",
		    errors.n > 0 ? errors.text[0] : "",
		    got.len > 0 ? (const char *)buf_data(&got) : "nothing",
		    peers[i].want);
	conf_image_free(&image);
	conf_errors_free(&errors);
	buf_free(&file);
	buf_free(&got);
}

/* ---- addresses of a user ---- */

/* Columns: list, address, is it one of them. */
static const struct {
	const char *list, *addr;
	bool is;
} senders[] = {
	{ "a@b.example", "a@b.example", true },
	{ "a@b.example", "A@B.Example", true },
	{ "A@B.example", "a@b.example", true },
	{ "a@b.example", "a@c.example", false },
	{ "a@b.example", "c@b.example", false },
	{ "a@b.example", "aa@b.example", false },
	{ "aa@b.example", "a@b.example", false },
	{ "a@b.example", "a@sub.b.example", false },
	{ "a@b.example", "a@xb.example", false },
	{ "x@y.example, a@b.example", "a@b.example", true },
	{ "x@y.example,a@b.example,c@d.example", "a@b.example", true },
	{ " a@b.example ", "a@b.example", true },
	{ ",,a@b.example,", "a@b.example", true },
	{ "", "a@b.example", false },
	{ ",", "a@b.example", false },
	/* tags */
	{ "a@b.example", "a+tag@b.example", true },
	{ "a@b.example", "a+@b.example", true },
	{ "a+tag@b.example", "a@b.example", false },
	{ "a+tag@b.example", "a+tag@b.example", true },
	{ "a+tag@b.example", "a+other@b.example", false },
	{ "a@b.example", "+a@b.example", false },
	/* domains */
	{ "@b.example", "anybody@b.example", true },
	{ "@b.example", "anybody@c.example", false },
	{ "@b.example", "anybody@x.b.example", false },
	{ "@*.b.example", "anybody@x.b.example", true },
	{ "@*.b.example", "anybody@b.example", false },
	{ "a@*", "a@c.example", true },
	{ "a@*", "b@c.example", false },
	{ "a", "a@c.example", true },
	{ "a", "b@c.example", false },
	{ "*@b.example", "a@b.example", false },
	{ "@", "a@b.example", true },
	/* the null sender is nobody's but by "@" */
	{ "a@b.example", "", false },
	{ "@b.example", "", false },
	{ "@*", "", false },
	{ "a", "", false },
	{ "@", "", true },
	/* quotes, and what looks like an address of somebody else */
	{ "a@b.example", "\"a\"@b.example", true },
	{ "\"a b\"@b.example", "\"a b\"@b.example", true },
	{ "\"a,b\"@b.example, c@d.example", "\"a,b\"@b.example", true },
	{ "\"a,b\"@b.example, c@d.example", "c@d.example", true },
	{ "a@b.example", "\"a@b.example\"@evil.example", false },
	{ "@b.example", "\"a@b.example\"@evil.example", false },
	{ "a@b.example", "\"a@b.example,\"@evil.example", false },
	{ "a@b.example", "a@b.example.evil.example", false },
	{ "a@b.example", "a@evil.example\\@b.example", false },
	/* other scripts */
	{ "a@b\xc3\xbc"
	  "cher.example",
	    "a@xn--bcher-kva.example", true },
	{ "a@xn--bcher-kva.example",
	    "a@B\xc3\x9c"
	    "CHER.example",
	    true },
	{ "a@b\xc3\xbc"
	  "cher.example",
	    "a@bucher.example", false },
	/* a quote that has no end hides what stands behind it */
	{ "\"a, c@d.example", "c@d.example", false },
};

static void
check_senders(void)
{
	char name[128];
	size_t i;

	for (i = 0; i < N(senders); i++) {
		snprintf(name, sizeof name, "sender %zu: %s in %s", i,
		    senders[i].addr, senders[i].list);
		CHECK(name,
		    sender_in(unit_guard(senders[i].list,
				  strlen(senders[i].list) + 1),
			unit_guard(senders[i].addr,
			    strlen(senders[i].addr) + 1),
			'+') == senders[i].is);
	}
}

#define MAPS                                                                   \
	"hostname mx.example.org\n"                                            \
	"pki p cert $list\npki p key $key\n"                                   \
	"table m { ann = \"ann@b.example, @c.example\", bob = \"@\" }\n"       \
	"table dead { ann = ann@b.example }\n"                                 \
	"table slow { ann = ann@b.example }\n"                                 \
	"table hang { ann = ann@b.example }\n"                                 \
	"listen on 127.0.0.1 port 2525 tls pki p auth "

/* Columns: `senders`, user, address, code (250: it may). */
static const struct {
	const char *file, *user, *addr;
	unsigned int code;
} asks[] = {
	{ "\n", "ann", "x@y.example", 250 },
	{ "senders <m>\n", "ann", "ann@b.example", 250 },
	{ "senders <m>\n", "Ann", "ann+x@b.example", 250 },
	{ "senders <m>\n", "ann", "any@c.example", 250 },
	{ "senders <m>\n", "ann", "bob@b.example", 550 },
	{ "senders <m>\n", "ann", "", 550 },
	{ "senders <m>\n", "bob", "any@where.example", 250 },
	{ "senders <m>\n", "bob", "", 250 },
	{ "senders <m>\n", "eve", "eve@b.example", 550 },
	{ "senders <slow>\n", "ann", "ann@b.example", 250 },
	{ "senders <slow>\n", "ann", "bob@b.example", 550 },
	{ "senders <dead>\n", "ann", "ann@b.example", 451 },
	{ "senders <hang>\n", "ann", "ann@b.example", 451 },
};

static void
check_ask(size_t i)
{
	struct conf_errors errors;
	struct conf_image image;
	struct sender_ask m;
	struct sender_is is;
	struct buf file;
	char name[96];
	bool ok = false;

	buf_init(&file, 0);
	buf_printf(&file, MAPS "%s" RULE, asks[i].file);
	if (load(buf_data(&file), file.len, &image, &errors) != CONF_WRONG) {
		lookup_begin(image.conf);
		memset(&m, 0, sizeof m);
		fill(m.facts.auth, sizeof m.facts.auth, asks[i].user);
		fill(m.sender, sizeof m.sender, asks[i].addr);
		question_ask(&world.questions, judge_sender, &m, sizeof m,
		    &world.chan, 7);
		ok = world_answered(&world, IPC_SENDER_IS, &is, sizeof is) &&
		    is.outcome.code == asks[i].code &&
		    is.outcome.verdict ==
			(asks[i].code == 250       ? DONE :
				asks[i].code < 500 ? LATER :
						     NEVER);
		lookup_end();
	}
	snprintf(name, sizeof name, "senders %zu: %s as <%s>", i, asks[i].user,
	    asks[i].addr);
	CHECK(name, ok);
	if (!ok)
		fprintf(stderr, "%s\n",
		    errors.n > 0 ? errors.text[0] : is.outcome.text);
	conf_image_free(&image);
	conf_errors_free(&errors);
	buf_free(&file);
}

int
main(void)
{
	size_t i;

	conf_unit_begin();
	for (i = 0; i < N(peers); i++)
		check_peer(i);
	check_senders();
	for (i = 0; i < N(asks); i++)
		check_ask(i);
	return conf_unit_end();
}
