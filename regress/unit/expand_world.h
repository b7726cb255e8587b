/*
 * A lookup for tests of expansion: rules, actions of every kind, tables of
 * aliases and users.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef EXPAND_WORLD_H
#define EXPAND_WORLD_H

#include "question_world.h"

enum {
	T_ALIAS,
	T_VIRT,
	T_USERS,
	T_VDOM,
	T_REJECT,
	T_HOSTS,
	T_BAD,
	T_BOXES,
	T_NAMES,
	TABLES
};
enum {
	A_OUT,
	A_ALIAS,
	A_VIRT,
	A_FORWARD,
	A_HOSTS,
	A_SMART,
	A_SIX,
	A_BOX,
	A_DIR,
	A_LMTP,
	ACTIONS
};

/* The rules, in their order. */
static const struct {
	enum conf_cond_kind from, for_;
	int table; /* of for_ */
	uint32_t action;
} rules[] = {
	{ COND_FROM_ANY, COND_FOR_LOCAL, -1, A_ALIAS },
	{ COND_FROM_ANY, COND_FOR_DOMAIN, T_VDOM, A_VIRT },
	{ COND_FROM_ANY, COND_FOR_DOMAIN, T_REJECT, CONF_NONE },
	{ COND_FROM_ANY, COND_FOR_DOMAIN, T_BAD, A_FORWARD },
	{ COND_FROM_ANY, COND_FOR_DOMAIN, T_BOXES, A_BOX },
	{ COND_FROM_ANY, COND_FOR_DOMAIN, T_NAMES, A_DIR },
	{ COND_FROM_LOCAL, COND_FOR_ANY, -1, A_OUT },
};

#define V "v.example"

static const struct world_entry entries[] = {
	{ T_VDOM, V, "" },
	{ T_VDOM, "xn--bcher-kva.example", "" },
	{ T_REJECT, "bad.example", "" },
	{ T_BAD, "fwd.example", "" },
	{ T_BOXES, "box.example", "" },
	{ T_NAMES, "dir.example", "" },
	{ T_HOSTS, "one.example", "smtp://relay.example.net:2525" },
	{ T_HOSTS, "two.example", "[2001:DB8::9]" },
	{ T_HOSTS, "three.example", "smtps://relay.example.net" },
	{ T_HOSTS, "four.example", "smtp+notls://Relay.example.net" },
	{ T_HOSTS, "five.example", "smtp://x@relay.example.net" },
	{ T_HOSTS, "six.example", "" },
	{ T_HOSTS, "eight.example", "lmtp://relay.example.net" },
	{ T_HOSTS, "nine.example", "smtp+tls://L@[2001:db8:0:0::9]:26" },

	/* users */
	{ T_USERS, "vmail", "1:1:/v" },
	{ WORLD_USERS, "sys", "2:2:/home/sys" },
	{ WORLD_USERS, "root", "0:0:/root" },
	{ WORLD_USERS, "nobody", "65534:65534:/nonexistent" },
	{ WORLD_USERS, "vmail", "7:7:/var/vmail" },
	{ WORLD_USERS, "ann", "3:3:/home/ann" },
	{ WORLD_USERS, "bob", "4:4:/home/bob" },
	{ WORLD_USERS, "eve", "5:5:/home/eve" },
	{ WORLD_USERS, "loop1", "6:6:/home/loop1" },
	{ WORLD_USERS, "loop2", "6:6:/home/loop2" },
	{ WORLD_USERS, "twin1", "6:6:/home/twin1" },
	{ WORLD_USERS, "twin2", "6:6:/home/twin2" },
	{ WORLD_USERS, "self", "6:6:/home/self" },
	{ WORLD_USERS, "lister", "6:6:/home/lister" },
	{ WORLD_USERS, "homeless", "6:6:no" },
	{ WORLD_USERS, "unsafe", "6:6:/home/unsafe" },
	{ WORLD_USERS, "blank", "6:6:/home/blank" },
	{ WORLD_USERS, "prog", "6:6:/home/prog" },
	{ WORLD_USERS, "bad", "6:6:/home/bad" },
	{ WORLD_USERS, "left", "6:6:/home/left" },
	{ WORLD_USERS, "toor", "0:0:/root2" },

	/* aliases of `for local` */
	{ T_ALIAS, "root", "joe@out.example" },
	{ T_ALIAS, "postmaster", "root" },
	{ T_ALIAS, "joe+x", "tagged@out.example" },
	{ T_ALIAS, "joe", "joe@out.example" },
	{ T_ALIAS, "team", "a@out.example, b@out.example,c@other.example" },
	{ T_ALIAS, "nested", "team, root, d@out.example" },
	{ T_ALIAS, "dups",
	    "a@out.example, A@OUT.example, \"a\"@out.example, a+1@out.example" },
	{ T_ALIAS, "idn",
	    "a@B\xc3\xbc"
	    "cher.org, a@xn--bcher-kva.org, a@b\xc3\xbc"
	    "CHER.org" },
	{ T_ALIAS, "a", "b" },
	{ T_ALIAS, "b", "a" },
	{ T_ALIAS, "self", "self" },
	{ T_ALIAS, "sys", "sys, x@out.example" },
	{ T_ALIAS, "back", "\\sys" },
	{ T_ALIAS, "circle", "circle@mx.example.org" },
	{ T_ALIAS, "loop-ok", "loop-ok@mx.example.org, x@out.example" },
	{ T_ALIAS, "gone", "error:550 5.1.6 has moved" },
	{ T_ALIAS, "busy", "error:451 4.2.2 come back" },
	{ T_ALIAS, "moved", "error: write to x" },
	{ T_ALIAS, "bad-code", "error:250 fine" },
	{ T_ALIAS, "half", "x@out.example, nobody" },
	{ T_ALIAS, "half-error", "x@out.example, error:554 5.7.1 no" },
	{ T_ALIAS, "mixed", "nobody, gone, error:450 4.2.0 wait" },
	{ T_ALIAS, "mixed-broken", "nobody, broken" },
	{ T_ALIAS, "file", "/var/mail/x" },
	{ T_ALIAS, "pipe", "\"|/bin/x a, b\"" },
	{ T_ALIAS, "include", ":include:/etc/list" },
	{ T_ALIAS, "nonsense", "what is this" },
	{ T_ALIAS, "empty", " , " },
	{ T_ALIAS, "refused", "x@bad.example" },
	{ T_ALIAS, "to-virtual", "one@" V },
	{ T_ALIAS, "to-broken", "x@fwd.example" },
	{ T_ALIAS, "fail", ":fail: no such person, ever" },
	{ T_ALIAS, "fail-code", ":fail: 554 5.7.1 go away" },
	{ T_ALIAS, "unknown", ":unknown:" },
	{ T_ALIAS, "defer", ":defer: moving, sorry" },
	{ T_ALIAS, "hole", ":blackhole:" },
	{ T_ALIAS, "some-hole", "x@out.example, :blackhole:" },
	{ T_ALIAS, "with-hole", "x@out.example, hole" },
	{ T_ALIAS, "with-fail", "x@out.example, fail" },
	{ T_ALIAS, "relative", "x@out.example, :include:etc/list" },
	{ T_ALIAS, "with-relative", "b@out.example, relative" },
	{ T_ALIAS, "no-command", "\"|\"" },
	{ T_ALIAS, "pair", "ann, bob" },
	{ T_ALIAS, "eve", "eve, x@out.example" },
	{ T_ALIAS, "blank", "twin1, blank" },
	{ T_ALIAS, "ann-alone", "ann" },
	{ T_ALIAS, "mixed-kinds",
	    "ann, x@out.example, /var/log/mail, \"|/bin/log -x\", \\bob" },
	{ T_ALIAS, "kept", "ann, nosuch, x@bad.example, unsafe" },
	{ T_ALIAS, "list", "ann, bob" },
	{ T_ALIAS, "owner-list", "joe@out.example" },
	{ T_ALIAS, "lists", "list, x@out.example" },
	{ T_ALIAS, "alone-list", "list" },
	{ T_ALIAS, "members", ":include:/etc/members" },
	{ T_ALIAS, "members2", ":include:/etc/outer" },
	{ T_ALIAS, "no-file", ":include:/etc/nofile" },
	{ T_ALIAS, "bad-file", ":include:/etc/badfile" },
	{ T_ALIAS, "closed", ":include:/etc/closed" },
	{ T_ALIAS, "empty-file", ":include:/etc/empty" },
	{ T_ALIAS, "file-loop", ":include:/etc/loop" },
	{ T_ALIAS, "big", ":include:/etc/big" },

	/* virtual users */
	{ T_VIRT, "one@" V, "one@out.example" },
	{ T_VIRT, "tag+in@" V, "tag@out.example" },
	{ T_VIRT, "tag@" V, "plain@out.example" },
	{ T_VIRT, "bare+in", "bare-tag@out.example" },
	{ T_VIRT, "bare", "bare@out.example" },
	{ T_VIRT, "name@" V, "vuser" },
	{ T_VIRT, "vuser", "vuser@out.example" },
	{ T_VIRT, "box@" V, "vmail" },
	{ T_VIRT, "none@" V, "nobody" },
	{ T_VIRT, "@xn--bcher-kva.example", "catch@out.example" },
	{ T_VIRT, "chain@" V, "one@" V ", two@" V },
	{ T_VIRT, "two@" V, "one@" V ", two@out.example" },
	{ T_VIRT, "loop@" V, "loop2@" V },
	{ T_VIRT, "loop2@" V, "Loop@" V },
	{ 0, NULL, NULL },
};

/* .forward files, and lists of aliases, which lookup's own user reads. */
static const struct world_file files[] = {
	{ "3:/home/ann/.forward",
	    "# gone fishing\n\\ann, \"|/usr/bin/vacation ann\"\n" },
	{ "4:/home/bob/.forward", "bob@out.example\n" },
	{ "4:/home/bob/.forward+lists", "/home/bob/lists\n" },
	{ "5:/home/eve/.forward", "bob\n" },
	{ "6:/home/loop1/.forward", "loop2\n" },
	{ "6:/home/loop2/.forward", "loop1\n" },
	{ "6:/home/twin1/.forward", "twin2, a@out.example\n" },
	{ "6:/home/twin2/.forward", "twin1, b@out.example\n" },
	{ "6:/home/self/.forward", "self\nx@out.example\n" },
	{ "6:/home/lister/.forward", ":include:/home/lister/list\n" },
	{ "6:/home/lister/list", "# mine\n/home/lister/box\nx@out.example\n" },
	{ "6:/home/unsafe/.forward", NULL },
	{ "6:/home/blank/.forward", "\n# nothing\n\n" },
	{ "6:/home/prog/.forward", "|\"/bin/filter -x, y\"" },
	{ "6:/home/bad/.forward", "ok@out.example\nwhat is this\n" },
	{ "6:/home/left/.forward", "error:550 5.1.6 has left us\n" },
	{ "0:/root/.forward", "joe@out.example, ann\n" },
	{ "0:/root2/.forward", "ann, \"|/bin/rootly\"\n" },
	{ "-1:/etc/members",
	    "a@out.example\r\n\n# no\n b@out.example , ann\n" },
	{ "-1:/etc/outer", ":include:/etc/members\nc@out.example\n/var/log/x" },
	{ "-1:/etc/badfile", "a@out.example\n\n@@\n" },
	{ "-1:/etc/closed", NULL },
	{ "-1:/etc/empty", "# nobody yet\n" },
	{ "-1:/etc/loop", ":include:/etc/loop\na@out.example\n" },
	{ NULL, NULL },
};

static inline struct conf *
new_conf(void)
{
	struct conf *c = image_new();
	struct conf_action a[ACTIONS];
	struct conf_host host = { .name = image_text(c, "Relay.example.net"),
		.port = 2525,
		.scheme = SCHEME_SMTP };
	struct conf_host six = { .name = image_text(c, "2001:db8::9"),
		.port = 26,
		.scheme = SCHEME_SMTP_NOTLS };
	struct conf_match m[sizeof(rules) / sizeof(rules[0])];
	struct conf_cond conds[2];
	size_t i, n = sizeof(rules) / sizeof(rules[0]);

	c->hostname = image_text(c, "mx.example.org");
	c->sub_addr_delim = '+';
	world_tables(c, TABLES, TABLE_FILE);
	a[A_OUT] = world_action(c, "out", METHOD_RELAY);
	a[A_OUT].ttl = 300;
	a[A_ALIAS] = world_action(c, "local", METHOD_EXPAND_ONLY);
	a[A_ALIAS].alias = T_ALIAS;
	a[A_VIRT] = world_action(c, "virtual", METHOD_EXPAND_ONLY);
	a[A_VIRT].virtual_ = T_VIRT;
	a[A_VIRT].userbase = T_USERS;
	a[A_FORWARD] = world_action(c, "forward", METHOD_FORWARD_ONLY);
	a[A_FORWARD].ttl = 60;
	a[A_HOSTS] = world_action(c, "hosts", METHOD_RELAY);
	a[A_HOSTS].domain = T_HOSTS;
	a[A_SMART] = world_action(c, "smart", METHOD_RELAY);
	image_rows(c, &a[A_SMART].host, &host, 1, sizeof(host));
	a[A_BOX] = world_action(c, "box", METHOD_MBOX);
	a[A_BOX].alias = T_ALIAS;
	a[A_DIR] = world_action(c, "dir", METHOD_MAILDIR);
	a[A_DIR].user = image_text(c, "vmail");
	a[A_LMTP] = world_action(c, "lmtp", METHOD_LMTP);
	a[A_SIX] = world_action(c, "six", METHOD_RELAY);
	image_rows(c, &a[A_SIX].host, &six, 1, sizeof(six));
	image_rows(c, &c->action, a, ACTIONS, sizeof(a[0]));
	for (i = 0; i < n; i++) {
		conds[0] = (struct conf_cond){ .kind = (uint8_t)rules[i].from,
			.table = CONF_NONE };
		conds[1] = (struct conf_cond){ .kind = (uint8_t)rules[i].for_,
			.table = rules[i].table < 0 ?
			    CONF_NONE :
			    (uint32_t)rules[i].table };
		m[i] = world_match(c, (uint32_t)(10 + i), rules[i].action,
		    conds, 2);
	}
	image_rows(c, &c->match, m, (uint32_t)n, sizeof(m[0]));
	return c;
}

/* The same for the rule of everything: another action. */
static inline void
use_action(struct conf *c, uint32_t action)
{
	struct conf_match *m = (struct conf_match *)((char *)c + c->match.off);

	m[c->match.n - 1].action = action;
}

static inline void
setup(struct world *w)
{
	world_init(w, new_conf());
	w->entries = entries;
	w->files = files;
	/* `for domain` of T_BAD works, its use as a table of aliases not. */
}

#endif
