/*
 * smtpd/lookup_expand*.c, lookup_local.c: mail that was accepted, to users,
 * commands and files of this host, by .forward files and lists; and what queue
 * is told and asks again.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "expand_world.h"
#include "lookup_leaf.h"

/* A recipient of a child message. */
struct member {
	char addr[ADDR_MAX + 1], leaf[LEAF_TEXT_MAX + 1];
};

static struct route_ask route_ask;
static struct route_is is;
static struct expand_is list;
static struct member members[EXPAND_MAX];
static uint32_t n_members;

static void
ask_as(struct world *w, const char *rcpt, const char *leaf, uint32_t flags)
{
	memset(&route_ask, 0, sizeof(route_ask));
	route_ask.facts.flags = flags;
	snprintf(route_ask.sender, sizeof(route_ask.sender),
	    "joe@sender.example");
	snprintf(route_ask.rcpt, sizeof(route_ask.rcpt), "%s", rcpt);
	snprintf(route_ask.leaf, sizeof(route_ask.leaf), "%s", leaf);
	question_ask(&w->questions, judge_route, &route_ask, sizeof(route_ask),
	    &w->chan, 7);
	memset(&is, 0xff, sizeof(is));
	CHECK("a route is answered",
	    world_answered(w, IPC_ROUTE_IS, &is, sizeof(is)) &&
		w->reading == 0 && w->questions.n == 0);
}

static void
ask(struct world *w, const char *rcpt)
{
	ask_as(w, rcpt, "", 0);
}

/* All it stands for; false: not DONE, or wrong pages. */
static bool
ask_list(struct world *w, const char *rcpt, const char *leaf, uint32_t flags,
    const char *sender)
{
	struct expand_ask m;
	const char *p;
	uint32_t i;

	n_members = 0;
	memset(&m, 0, sizeof(m));
	m.facts.flags = flags;
	snprintf(m.sender, sizeof(m.sender), "%s", sender);
	snprintf(m.rcpt, sizeof(m.rcpt), "%s", rcpt);
	snprintf(m.leaf, sizeof(m.leaf), "%s", leaf);
	do {
		question_ask(&w->questions, judge_expand, &m, sizeof(m),
		    &w->chan, 9);
		if (!world_answered(w, IPC_EXPAND_IS, &list, sizeof(list)) ||
		    list.outcome.verdict != DONE || list.total == 0 ||
		    list.n == 0)
			return false;
		m.sum = list.sum;
		for (i = 0, p = list.text; i < list.n; i++) {
			struct member *to = &members[n_members++];

			if (strlen(p) > ADDR_MAX)
				return false;
			memcpy(to->addr, p, strlen(p) + 1);
			p += strlen(p) + 1;
			if (strlen(p) > LEAF_TEXT_MAX)
				return false;
			memcpy(to->leaf, p, strlen(p) + 1);
			p += strlen(p) + 1;
		}
		m.from = n_members;
	} while (n_members < list.total);
	return true;
}

/* As "ADDR[LEAF] ", the hashes of commands as '#', those of a chain too. */
static const char *
print_members(void)
{
	static char out[65536];
	size_t n = 0, i;
	uint32_t m;

	out[0] = '\0';
	for (m = 0; m < n_members && n + 1024 < sizeof(out); m++) {
		const char *leaf = members[m].leaf, *addr = members[m].addr;

		while (*addr != '\0')
			out[n++] = *addr++;
		if (leaf[0] != '\0') {
			out[n++] = '[';
			while (*leaf != '\0') {
				for (i = 0; strchr("0123456789ABCDEF",
						leaf[i]) != NULL &&
				     leaf[i] != '\0';)
					i++;
				if (i == 8) {
					out[n++] = '#';
					leaf += 8;
				} else
					out[n++] = *leaf++;
			}
			out[n++] = ']';
		}
		out[n++] = ' ';
		out[n] = '\0';
	}
	return out;
}

/* ---- one target ---- */

/* Columns: recipient; route; what, uid, user, as, text of local; rcpt; or with
 * an empty route the outcome. */
static const struct {
	const char *rcpt, *route;
	enum local_what what;
	uint32_t uid;
	const char *user, *as, *text, *to;
} routes[] = {
	{ "sys@dir.example", "local:dir/sys", LOCAL_MAILBOX, 7, "sys", "vmail",
	    "", "" },
	{ "vmail@box.example", "local:box/vmail", LOCAL_MAILBOX, 7, "vmail", "",
	    "", "" },
	/* .forward */
	{ "bob@box.example", "mx:out.example", LOCAL_NONE, 0, "", "", "",
	    "bob@out.example" },
	{ "bob+lists@box.example", "file:/home/bob/lists", LOCAL_FILE, 4, "bob",
	    "", "/home/bob/lists", "" },
	{ "bob+other@box.example", "mx:out.example", LOCAL_NONE, 0, "", "", "",
	    "bob@out.example" },
	{ "bob@dir.example", "local:dir/bob", LOCAL_MAILBOX, 7, "bob", "vmail",
	    "", "" },
	{ "prog@box.example", "program:prog/#", LOCAL_PIPE, 6, "prog", "",
	    "/bin/filter -x, y", "" },
	{ "prog@fwd.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 nothing is delivered on this host: the action is forward-only" },
	{ "bob@fwd.example", "mx:out.example", LOCAL_NONE, 0, "", "", "",
	    "bob@out.example" },
	{ "sys@fwd.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 the user has no .forward, and nothing is delivered here" },
	{ "blank@fwd.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 the user has no .forward, and nothing is delivered here" },
	{ "unsafe@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 .forward is not safe" },
	{ "bad@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 what this recipient stands for cannot be understood: .forward of bad line 2: what is neither an address nor the name of a user" },
	{ "left@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "5.1.6 has left us" },
	{ "loop1@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "5.4.6 aliases that go in a circle and come to nothing" },
	{ "homeless@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 the user's home cannot be used: 6:6:no" },
	{ "nosuch@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "5.1.1 no such user here" },
	/* of aliases: nobody, or whom the action says */
	{ "pipe@box.example", "program:nobody/#", LOCAL_PIPE, 65534, "nobody",
	    "nobody", "/bin/x a, b", "" },
	{ "file@localhost", "file:/var/mail/x", LOCAL_FILE, 65534, "nobody",
	    "nobody", "/var/mail/x", "" },
	{ "hole@box.example", "file:/dev/null", LOCAL_FILE, 65534, "nobody",
	    "nobody", "/dev/null", "" },
	{ "ann-alone@localhost", "", LOCAL_NONE, 0, "", "", "",
	    "5.1.1 no such user here" },
	/* root */
	{ "toor@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 root's .forward may have addresses and users only" },
	/* lists in files */
	{ "no-file@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 a list is not there: /etc/nofile" },
	{ "bad-file@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 what this recipient stands for cannot be understood: /etc/badfile line 3: an address with a bad domain" },
	{ "closed@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 /etc/closed is not safe" },
	{ "empty-file@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 a list that has no members" },
	{ "file-loop@box.example", "mx:out.example", LOCAL_NONE, 0, "", "", "",
	    "a@out.example" },
	{ "relative@box.example", "", LOCAL_NONE, 0, "", "", "",
	    "4.3.5 what this recipient stands for cannot be understood: a list in a file that is not named by its whole path" },
};

/* '#' stands for eight hexadecimal digits. */
static bool
is_route(const char *route, const char *want)
{
	size_t len = strcspn(want, "#");

	if (want[len] == '\0')
		return strcmp(route, want) == 0;
	return strncmp(route, want, len) == 0 &&
	    strspn(route + len, "0123456789ABCDEF") == 8 &&
	    route[len + 8] == '\0';
}

static void
test_routes(uint32_t slow)
{
	char text[OUTCOME_TEXT_MAX + 64];
	struct world w;
	bool good;
	size_t i;

	setup(&w);
	w.slow = slow;
	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		ask(&w, routes[i].rcpt);
		outcome_print(&is.outcome, text, sizeof(text));
		if (routes[i].route[0] == '\0')
			good = is.route[0] == '\0' &&
			    is.local.what == LOCAL_NONE &&
			    strcmp(text, routes[i].to) == 0;
		else
			good = is.outcome.verdict == DONE &&
			    is_route(is.route, routes[i].route) &&
			    is.local.what == routes[i].what &&
			    strcmp(is.rcpt, routes[i].to) == 0 &&
			    (is.local.what == LOCAL_NONE ||
				(is.local.uid == routes[i].uid &&
				    strcmp(is.local.user, routes[i].user) ==
					0 &&
				    strcmp(is.local.as, routes[i].as) == 0 &&
				    strcmp(is.local.text, routes[i].text) ==
					0));
		if (!good)
			printf("# route [%s] rcpt [%s] uid %u user [%s] as [%s] text [%s] outcome [%s]\n",
			    is.route, is.rcpt, is.local.uid, is.local.user,
			    is.local.as, is.local.text, text);
		CHECK(routes[i].rcpt, good);
	}
	world_free(&w);
}

/* Whose mail it is where no alias and no .forward says otherwise. */
static void
test_mailbox(void)
{
	struct world w;

	setup(&w);
	w.files = NULL;
	ask(&w, "left+x@box.example");
	CHECK("home and group of a user",
	    strcmp(is.local.home, "/home/left") == 0 && is.local.gid == 6 &&
		is.local.flags == 0 && is.line == 14 && is.action == A_BOX);
	ask(&w, "sys@dir.example");
	CHECK("as another: home is the recipient's",
	    strcmp(is.local.home, "/home/sys") == 0 && is.local.gid == 7 &&
		is.local.flags == LOCAL_OTHER);
	ask_as(&w, "sys@dir.example", "", FACT_JUNK);
	CHECK("junk", is.local.flags == (LOCAL_OTHER | LOCAL_JUNK));
	ask(&w, "toor@box.example");
	CHECK("root has an mbox",
	    is.outcome.verdict == DONE && is.local.what == LOCAL_MAILBOX &&
		is.local.uid == 0 && strcmp(is.route, "local:box/toor") == 0);
	use_action(w.conf, A_SIX);
	world_free(&w);
}

/* ---- a change of the action ---- */

static void
set_method(struct world *w, uint32_t action, enum conf_method m)
{
	struct conf_action *a = (struct conf_action *)(void *)((char *)w->conf +
	    w->conf->action.off);

	a[action].method = (uint8_t)m;
}

static void
test_methods(void)
{
	struct world w;

	setup(&w);
	w.files = NULL;
	set_method(&w, A_BOX, METHOD_MAILDIR);
	ask(&w, "toor@box.example");
	CHECK("root has nothing but an mbox",
	    is.outcome.verdict == LATER && is.outcome.cause == CAUSE_CONFIG &&
		strcmp(is.outcome.text, "mail for root needs an alias") == 0 &&
		is.local.what == LOCAL_NONE);
	set_method(&w, A_BOX, METHOD_LMTP);
	ask(&w, "ann@box.example");
	CHECK("lmtp: the recipient's own name",
	    strcmp(is.route, "lmtp:box") == 0 && is.rcpt[0] == '\0' &&
		is.local.what == LOCAL_NONE);
	ask(&w, "ann-alone@box.example");
	CHECK("lmtp: another user",
	    strcmp(is.route, "lmtp:box") == 0 &&
		strcmp(is.rcpt, "ann@mx.example.org") == 0);
	ask(&w, "nosuch@box.example");
	CHECK("lmtp: only users", is.outcome.verdict == NEVER);
	ask_as(&w, "ann@mx.example.org", "m box ann", FACT_EXPANDED);
	CHECK("a mailbox at the method of now",
	    strcmp(is.route, "lmtp:box") == 0);
	set_method(&w, A_BOX, METHOD_FORWARD_ONLY);
	ask_as(&w, "ann@mx.example.org", "m box ann", FACT_EXPANDED);
	CHECK("which may be none", is.outcome.verdict == LATER);
	world_free(&w);
}

/* ---- several ---- */

/* Columns: recipient, members. */
static const struct {
	const char *rcpt, *members;
} lists[] = {
	{ "ann@box.example",
	    "ann@box.example[m box ann] ann@box.example[p u box ann #] " },
	{ "ann+x@box.example",
	    "ann@box.example[m box ann] ann+x@box.example[p u box ann #] " },
	{ "self@box.example", "self@box.example[m box self] x@out.example " },
	{ "pair@box.example",
	    "ann@box.example[l 0 1 u box ann #,#] bob@box.example[l 0 1 u box bob #,#] " },
	{ "mixed-kinds@box.example",
	    "ann@box.example[l 0 1 u box ann #,#] x@out.example mixed-kinds@box.example[f a box mixed-kinds #] mixed-kinds@box.example[p a box mixed-kinds #] bob@box.example[m box bob] " },
	{ "lister@box.example",
	    "lister@box.example[f u box lister #] x@out.example " },
	{ "members@box.example",
	    "a@out.example b@out.example ann@box.example[l 0 1 u box ann #,#] " },
	{ "members2@box.example",
	    "a@out.example b@out.example ann@box.example[l 0 1 u box ann #,#] c@out.example members2@box.example[f a box members2 #] " },
	/* those who fail beside others have ways of their own */
	{ "kept@box.example",
	    "ann@box.example[l 0 1 u box ann #,#] nosuch@box.example[l 0 1 u box nosuch #,#] unsafe@box.example[l 0 1 u box unsafe #,#] x@bad.example[l 0 1 e #,#] " },
	{ "with-fail@box.example",
	    "x@out.example fail@box.example[l 0 1 a box fail #,#] " },
	{ "with-relative@box.example",
	    "b@out.example relative@box.example[l 0 1 a box relative #,#] " },
};

static void
test_lists(uint32_t slow)
{
	struct world w;
	size_t i;
	bool good;

	setup(&w);
	w.slow = slow;
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		ask(&w, lists[i].rcpt);
		CHECK("it expands",
		    is.outcome.verdict == DONE && is.flags == ROUTE_EXPANDS &&
			is.route[0] == '\0' && is.local.what == LOCAL_NONE);
		good = ask_list(&w, lists[i].rcpt, "", 0, "joe@sender.example");
		if (!good || strcmp(print_members(), lists[i].members) != 0)
			printf("# %s\n", print_members());
		CHECK(lists[i].rcpt,
		    good && strcmp(print_members(), lists[i].members) == 0 &&
			list.sender[0] == '\0');
	}
	world_free(&w);
}

/* Each of them is found again by its leaf. */
static void
test_again(void)
{
	static struct member all[8];
	struct world w;
	uint32_t n, i;

	setup(&w);
	CHECK("members",
	    ask_list(&w, "mixed-kinds@box.example", "", 0, "") &&
		n_members == 5);
	memcpy(all, members, sizeof(all));
	n = n_members;
	for (i = 0; i < n; i++) {
		ask_as(&w, all[i].addr, all[i].leaf, FACT_EXPANDED);
		CHECK(all[i].leaf, is.outcome.verdict == DONE);
		if (i == 0)
			CHECK("a user with a .forward of two expands",
			    is.flags == ROUTE_EXPANDS);
		else if (i == 2)
			CHECK("the file",
			    is.local.what == LOCAL_FILE &&
				strcmp(is.local.text, "/var/log/mail") == 0 &&
				is.local.uid == 65534);
		else if (i == 3)
			CHECK("the command",
			    is.local.what == LOCAL_PIPE &&
				strcmp(is.local.text, "/bin/log -x") == 0);
		else if (i == 4)
			CHECK("the mailbox, whatever his .forward says",
			    is.local.what == LOCAL_MAILBOX &&
				strcmp(is.route, "local:box/bob") == 0);
	}
	CHECK("what the user stands for",
	    ask_list(&w, all[0].addr, all[0].leaf, FACT_EXPANDED, "") &&
		n_members == 2 && strcmp(members[0].leaf, "m box ann") == 0);
	memcpy(all, members, sizeof(all));
	ask_as(&w, all[1].addr, all[1].leaf, FACT_EXPANDED);
	CHECK("the command of his .forward",
	    is.local.what == LOCAL_PIPE && is.local.uid == 3 &&
		strcmp(is.local.user, "ann") == 0 &&
		strcmp(is.local.text, "/usr/bin/vacation ann") == 0 &&
		is.local.flags == 0);
	world_free(&w);
}

/* Columns: leaf, verdict, route or text. */
static const struct {
	const char *leaf;
	enum verdict verdict;
	const char *text;
} leaves[] = {
	{ "m box sys", DONE, "local:box/sys" },
	{ "m box nosuch", NEVER, "no such user here" },
	{ "m nobox sys", LATER, "the action that it was for is gone: nobox" },
	{ "m local sys", NEVER, "no such user here" },
	{ "m out sys", LATER, "the action delivers nothing on this host" },
	{ "n box", DONE, "file:/dev/null" },
	{ "x", LATER, "a leaf of an unknown kind: x" },
	{ "l 0 1", LATER,
	    "a leaf with words that cannot be understood: l 0 1" },
	/* another command in the same place, and two of them */
	{ "p a box pipe 00000000", DONE, "program:nobody/#" },
	{ "p a box file 00000000", LATER,
	    "the command is gone from where it was: file" },
	{ "f a box nosuch 00000000", LATER,
	    "the file is gone from where it was: nosuch" },
	{ "p u box prog 00000000", DONE, "program:prog/#" },
	{ "f u box bob+lists 00000000", DONE, "file:/home/bob/lists" },
	{ "f u box bob 00000000", LATER,
	    "the file is gone from where it was: bob" },
	{ "p u box unsafe 00000000", LATER, ".forward is not safe" },
	{ "p u box nosuch 00000000", NEVER, "no such user here" },
	{ "p u box toor 00000000", LATER,
	    "root's .forward may have addresses and users only" },
	{ "p a dir pipe 00000000", LATER,
	    "the command is gone from where it was: pipe" },
	/* names that are expanded again */
	{ "l 0 1 u box sys -", DONE, "local:box/sys" },
	{ "l 0 1 u box sys - 0123456789ABC", DONE, "local:box/sys" },
	{ "l 0 1 u box bob -", DONE, "mx:out.example" },
	{ "l 0 1 u box nosuch -", NEVER, "no such user here" },
	{ "l 0 1 u box unsafe -", LATER, ".forward is not safe" },
	{ "l 0 1 a box root -", DONE, "mx:out.example" },
	{ "l 0 1 a box pair -", DONE, "" },
	{ "l 0 1 e -", DONE, "mx:out.example" },
	{ "l 0 1 r", DONE, "mx:out.example" },
	{ "l 3 16 r", DONE, "" },
};

static void
test_leaves(uint32_t slow)
{
	struct world w;
	bool good;
	size_t i;

	setup(&w);
	w.slow = slow;
	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		ask_as(&w, "x@out.example", leaves[i].leaf,
		    FACT_EXPANDED | FACT_LOCAL);
		good = is.outcome.verdict == leaves[i].verdict;
		if (!good)
			;
		else if (is.outcome.verdict != DONE)
			good = strcmp(is.outcome.text, leaves[i].text) == 0;
		else if (leaves[i].text[0] == '\0')
			good = is.flags == ROUTE_EXPANDS && is.route[0] == '\0';
		else
			good = is_route(is.route, leaves[i].text);
		if (!good)
			printf("# [%s] %u [%s]\n", is.route, is.outcome.verdict,
			    is.outcome.text);
		CHECK(leaves[i].leaf, good);
	}
	world_free(&w);
}

/* Nobody is followed twice, also over several messages. */
static void
test_circles(void)
{
	static struct member first;
	struct world w;

	setup(&w);
	CHECK("twins: the first",
	    ask_list(&w, "twin1@box.example", "", 0, "") && n_members == 2 &&
		strcmp(members[1].addr, "a@out.example") == 0);
	first = members[0];
	ask_as(&w, first.addr, first.leaf, FACT_EXPANDED);
	CHECK("twins: the other has no circle",
	    is.outcome.verdict == DONE && is.flags == 0 &&
		strcmp(is.rcpt, "b@out.example") == 0);
	world_free(&w);
}

/* ---- owners ---- */

static void
test_owner(void)
{
	struct world w;

	setup(&w);
	ask(&w, "list@box.example");
	CHECK("a list with an owner expands", is.flags == ROUTE_EXPANDS);
	CHECK("and has his address",
	    ask_list(&w, "list@box.example", "", 0, "joe@sender.example") &&
		n_members == 2 &&
		strcmp(list.sender, "owner-list@box.example") == 0);
	CHECK("but not of a notification",
	    ask_list(&w, "list@box.example", "", 0, "") &&
		list.sender[0] == '\0');
	CHECK("a member that is a list has a message of its own",
	    ask_list(&w, "lists@box.example", "", 0, "joe@sender.example") &&
		list.sender[0] == '\0' &&
		strcmp(print_members(),
		    "list@box.example[l 0 1 a box list #,#] x@out.example ") ==
		    0);
	CHECK("... with its owner",
	    ask_list(&w, members[0].addr, members[0].leaf, FACT_EXPANDED,
		"joe@sender.example") &&
		n_members == 2 &&
		strcmp(list.sender, "owner-list@box.example") == 0);
	ask(&w, "alone-list@box.example");
	CHECK("also where it is the only one",
	    is.outcome.verdict == DONE && is.flags == ROUTE_EXPANDS);
	ask_as(&w, "alone-list@box.example", "", FACT_EXPANDED);
	CHECK("but a member whose address is one now is not expanded again",
	    is.outcome.verdict == LATER && is.route[0] == '\0' &&
		is.outcome.cause == CAUSE_CONFIG);
	ask(&w, "owner-list@box.example");
	CHECK("an owner has none",
	    is.flags == 0 && strcmp(is.rcpt, "joe@out.example") == 0);
	world_free(&w);
}

/* ---- large lists ---- */

static uint32_t big_n;

static bool
big_file(const char *name, struct buf *text)
{
	uint32_t i;

	if (strcmp(name, "-1:/etc/big") != 0)
		return false;
	for (i = 0; i < big_n; i++) {
		/* Some are users, some are aliases, some stand there twice. */
		if (i % 10 == 3)
			buf_printf(text, "user%u\n", i);
		else if (i % 10 == 4)
			buf_printf(text, "alias%u@box.example\n", i);
		else
			buf_printf(text, "Member%u@Out.example\n", i - i % 20);
	}
	return true;
}

/* "alias14" stands for two. */
static bool
big_alias(uint32_t table, const char *key, struct buf *value)
{
	if (table != T_ALIAS || strncmp(key, "alias", 5) != 0)
		return false;
	return buf_printf(value, "one-%s@out.example, two-%s@out.example", key,
	    key);
}

static int
by_name(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int c = strcmp(x->addr, y->addr);

	return c != 0 ? c : strcmp(x->leaf, y->leaf);
}

static struct member *got;
static uint32_t n_got;

/* Everybody in this leaf, through all its parts. */
static bool
collect(struct world *w, const char *leaf, uint32_t depth)
{
	struct member *parts;
	bool good = true;
	uint32_t i, n;

	if (depth > 3 ||
	    !ask_list(w, "big@box.example", leaf,
		leaf[0] == '\0' ? 0 : FACT_EXPANDED, "joe@sender.example"))
		return false;
	n = n_members;
	if (members[0].leaf[0] == LEAF_PART &&
	    strcmp(members[0].addr, "big@box.example") == 0) {
		parts = xcalloc(n, sizeof(*parts));
		memcpy(parts, members, n * sizeof(*parts));
		for (i = 0; i < n && good; i++)
			good = parts[i].leaf[0] == LEAF_PART &&
			    collect(w, parts[i].leaf, depth + 1);
		free(parts);
		return good && n == EXPAND_PARTS;
	}
	for (i = 0; i < n; i++) {
		if (members[i].leaf[0] == 'n')
			continue;
		got[n_got++] = members[i];
	}
	return true;
}

static void
test_large(uint32_t n, const char *name)
{
	uint32_t i, users = 0, aliases = 0, others = 0, twice = 0;
	struct world w;

	setup(&w);
	w.make_file = big_file;
	w.make = big_alias;
	big_n = n;
	n_got = 0;
	got = xcalloc(n + 1000, sizeof(*got));
	CHECK(name, collect(&w, "", 0));
	qsort(got, n_got, sizeof(*got), by_name);
	for (i = 0; i < n_got; i++) {
		twice += i > 0 && by_name(&got[i], &got[i - 1]) == 0;
		users += strncmp(got[i].addr, "user", 4) == 0 &&
		    got[i].leaf[0] == LEAF_PART;
		aliases += strncmp(got[i].addr, "one-", 4) == 0 ||
		    strncmp(got[i].addr, "two-", 4) == 0;
		others += strncmp(got[i].addr, "Member", 6) == 0;
	}
	CHECK("... nobody twice", twice == 0);
	if (n_got != users + aliases + others || users != n / 10)
		printf("# %u users, %u of aliases, %u others of %u\n", users,
		    aliases, others, n_got);
	CHECK("... nobody lost",
	    users == n / 10 && aliases == n / 10 * 2 && others == n / 20 &&
		n_got == users + aliases + others);
	free(got);
	world_free(&w);
}

/* ---- a list that changes between its parts ---- */

static void
test_shrunk(void)
{
	uint32_t i, n = 0;
	char leaf[64];
	struct world w;

	setup(&w);
	w.make_file = big_file;
	big_n = 1; /* of 20,000 that it had: one address is left */
	for (i = 0; i < 16; i++) {
		snprintf(leaf, sizeof(leaf), "l %u 16 r 0123456789ABC", i);
		CHECK("a part of a list that was long",
		    ask_list(&w, "big@box.example", leaf, FACT_EXPANDED, "") &&
			n_members == 1);
		n += strcmp(members[0].addr, "Member0@out.example") == 0;
		if (members[0].leaf[0] == 'n') {
			ask_as(&w, members[0].addr, members[0].leaf,
			    FACT_EXPANDED);
			CHECK("nobody is a place, too",
			    strcmp(is.route, "file:/dev/null") == 0);
		}
	}
	CHECK("who is left gets it once", n == 1);
	world_free(&w);
}

/* The same with a user who stands alone, and has a .forward. */
static uint32_t alone_n;

static bool
alone_file(const char *name, struct buf *text)
{
	uint32_t i;

	if (strcmp(name, "-1:/etc/big") == 0)
		return buf_puts(text, "vmail\n");
	if (strcmp(name, "7:/var/vmail/.forward") != 0)
		return false;
	for (i = 0; i < alone_n; i++)
		buf_printf(text, "m%u@out.example\n", i);
	return true;
}

static void
test_alone(void)
{
	struct world w;
	uint32_t i, n = 0;
	char leaf[64];

	setup(&w);
	w.make_file = alone_file;
	alone_n = 30000;
	n_got = 0;
	got = xcalloc(alone_n + 16, sizeof(*got));
	CHECK("a user's own list of 30,000", collect(&w, "", 0));
	qsort(got, n_got, sizeof(*got), by_name);
	for (i = 1; i < n_got; i++)
		n += by_name(&got[i], &got[i - 1]) == 0;
	CHECK("... each once", n_got == alone_n && n == 0);
	free(got);
	alone_n = 0;
	for (i = n = 0; i < 16; i++) {
		snprintf(leaf, sizeof(leaf), "l %u 16 r", i);
		if (ask_list(&w, "big@box.example", leaf, FACT_EXPANDED, ""))
			n += members[0].leaf[0] == 'm';
	}
	CHECK("and when it is empty, his mailbox once", n == 1);
	world_free(&w);
}

/* ---- what came out of an alias ---- */

static void
test_expanded(void)
{
	struct world w;

	setup(&w);
	ask_as(&w, "x@out.example", "", FACT_EXPANDED);
	CHECK("an address goes on", strcmp(is.route, "mx:out.example") == 0);
	/* It was relayed when it was expanded; now it is ours. */
	ask_as(&w, "root@localhost", "", FACT_EXPANDED);
	CHECK("one for one: as a corrected configuration says",
	    is.outcome.verdict == DONE &&
		strcmp(is.rcpt, "joe@out.example") == 0);
	ask_as(&w, "pair@box.example", "", FACT_EXPANDED);
	CHECK("several: not again",
	    is.outcome.verdict == LATER && is.outcome.cause == CAUSE_CONFIG);
	ask_as(&w, "list@box.example", "", FACT_EXPANDED);
	CHECK("nor a list", is.outcome.verdict == LATER);
	world_free(&w);
}

/* Nothing is read for strangers. */
static void
test_rcpt(void)
{
	struct rcpt_ask m;
	struct rcpt_is said;
	struct world w;
	static const char *const rcpts[] = { "ann@box.example",
		"members@box.example", "no-file@box.example", "big@box.example",
		"unsafe@box.example" };
	size_t i;

	setup(&w);
	w.make_file = big_file;
	big_n = 100000;
	for (i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++) {
		memset(&m, 0, sizeof(m));
		snprintf(m.rcpt, sizeof(m.rcpt), "%s", rcpts[i]);
		question_ask(&w.questions, judge_rcpt, &m, sizeof(m), &w.chan,
		    1);
		CHECK(rcpts[i],
		    world_answered(&w, IPC_RCPT_IS, &said, sizeof(said)) &&
			said.outcome.verdict == DONE &&
			said.outcome.code == 250);
	}
	CHECK("nothing was read", w.read == 0);
	world_free(&w);
}

int
main(void)
{
	test_routes(0);
	test_routes(~0u);
	test_mailbox();
	test_methods();
	test_lists(0);
	test_lists(~0u);
	test_again();
	test_leaves(0);
	test_leaves(~0u);
	test_circles();
	test_owner();
	test_large(20000, "20,000 members");
	test_large(100000, "100,000 members");
	test_shrunk();
	test_alone();
	test_expanded();
	test_rcpt();
	return unit_end();
}
