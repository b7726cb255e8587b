/*
 * Recipients that stand for several.  Children are whole, made once whatever
 * is lost, and never expanded again.
 *
 * SPDX-License-Identifier: ISC
 */
#include "expansions_world.h"

/* ---- what is on disk ---- */

static bool
says(struct world *w, uint64_t id, const char *text)
{
	char file[16384];
	enum spool_place place;
	int fd = dirs_find(&w->qu.spool->dirs, id, O_RDONLY, &place);
	ssize_t n = fd == -1 ? -1 : pread(fd, file, sizeof file - 1, 0);

	if (fd != -1)
		close(fd);
	if (n > 0)
		file[n] = '\0';
	return n > 0 && strstr(file, text) != NULL;
}

/* NULL if the child of recipient n is whole and stands for count, or what is
 * wrong with it. */
static const char *
child_wrong(struct world *w, const struct sent *s, uint32_t n, uint32_t count)
{
	uint64_t id = id_child(s->head.id, n);
	uint64_t size = s->trailer.content + s->trailer.trace;
	uint8_t *want = xcalloc(1, size + 1), *have = xcalloc(1, size + 1);
	enum spool_place place;
	const char *why = NULL;
	struct trailer t;
	struct arena a;
	struct head h;
	char name[32];
	uint32_t i;
	int fd;

	fd = dirs_find(&w->qu.spool->dirs, id, O_RDONLY, &place);
	if (fd == -1)
		return "it is not there";
	arena_init(&a, 0);
	fill_content(s->head.id, want, size);
	if ((why = spool_read(fd, id, &a, &h, &t)) != NULL)
		goto fail;
	why = "its head is another one";
	if (h.facts.flags != (s->head.facts.flags | FACT_EXPANDED) ||
	    strcmp(h.facts.helo, s->head.facts.helo) != 0 ||
	    strcmp(h.sender, s->head.sender) != 0 ||
	    h.arrived != s->head.arrived || h.n_rcpt != count)
		goto fail;
	why = "it does not name its parent";
	if (h.of.id != s->head.id || h.of.n != n || h.of.addr == NULL ||
	    strcmp(h.of.addr, s->rcpt[n].addr) != 0)
		goto fail;
	why = "its recipients are others";
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof name, "r%u@x.test", i);
		if (strcmp(h.rcpt[i].addr, name) != 0)
			goto fail;
	}
	why = "its trailer is another one";
	if (memcmp(&t, &s->trailer, sizeof t) != 0)
		goto fail;
	why = "its content is another one";
	if (pread(fd, have, size, (off_t)h.len) != (ssize_t)size ||
	    memcmp(want, have, size) != 0)
		goto fail;
	why = NULL;
fail:
	close(fd);
	arena_free(&a);
	free(want);
	free(have);
	return why;
}

static void
check_child(const char *name, struct world *w, const struct sent *s, uint32_t n,
    uint32_t count)
{
	const char *why = child_wrong(w, s, n, count);

	if (why != NULL)
		printf("# %s: %s\n", name, why);
	CHECK(name, why == NULL);
}

/* ---- cases ---- */

/* All were asked for, and one is never answered. */
static bool
is_stuck(struct world *w)
{
	return w->pages > 0 && w->qu.n_expanding == 1 &&
	    TAILQ_EMPTY(&w->qu.asks) && w->qu.n_asked == 0 &&
	    TAILQ_EMPTY(&w->qu.expansions) && !w->qu.run.set;
}

static void
one_child(size_t size, const char *name)
{
	struct world *w;
	struct sent s;

	w = world_new(NULL);
	send_to(w, &s, 1, size, "three@a.test", "plain@x.test", NULL);
	CHECK(name, settle(w));
	check_child("the child is whole", w, &s, 0, 3);
	CHECK("its parent's recipient is at its end",
	    state_of(w, &s, 0) == RCPT_EXPANDED);
	CHECK("the other one is not", state_of(w, &s, 1) == RCPT_WAITING);
	CHECK("one page was enough", w->pages == 1);
	CHECK("nothing else is there", files(w) == 2);
	CHECK("the child's recipients were asked for", w->asked == 2 + 3);
	world_close(w);
	unit_remove(w->dir);
}

static void
all_expanded(void)
{
	struct world *w;
	struct sent s;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "three@a.test", "two@a.test", NULL);
	CHECK("two aliases", settle(w));
	CHECK("the parent is gone", goes(w, s.head.id));
	check_child("the first child", w, &s, 0, 3);
	check_child("the second child", w, &s, 1, 2);
	CHECK("two files", files(w) == 2);
	world_close(w);
	unit_remove(w->dir);
}

static void
pages(void)
{
	struct world *w;
	struct sent s[2];

	w = world_new(NULL);
	send_to(w, &s[0], 1, SMALL, "pages@a.test", "x@x.test", NULL);
	CHECK("several pages", settle(w));
	check_child("a list that changed while it was read", w, &s[0], 0, 400);
	CHECK("was read again", w->changes == 1 && w->pages == 4);
	send_to(w, &s[1], 2, SMALL, "restless@a.test", NULL);
	CHECK("a list that changes always", settle(w));
	CHECK("is tried later",
	    state_of(w, &s[1], 0) == RCPT_WAITING && w->changes < 20);
	CHECK("and leaves nothing", files(w) == 3);
	world_close(w);
	unit_remove(w->dir);
}

static void
very_many(void)
{
	struct world *w;
	struct sent s;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "many@a.test", "many1@a.test", "many2@a.test",
	    "many3@a.test", "many4@a.test", "many5@a.test", "two@a.test", NULL);
	CHECK("six times ten thousand", settle(w));
	check_child("the first", w, &s, 0, MANY);
	check_child("the last", w, &s, 5, MANY);
	check_child("the short one", w, &s, 6, 2);
	CHECK("never more than four at once", w->most == 4);
	CHECK("and none twice", files(w) == 7);
	world_close(w);
	unit_remove(w->dir);
}

static void
no_list(void)
{
	/* Columns: address, its state afterwards. */
	static const struct {
		const char *addr;
		char state;
	} rows[] = {
		{ "refused@a.test", RCPT_OWED },
		{ "later@a.test", RCPT_WAITING },
		{ "short@a.test", RCPT_WAITING },
		{ "empty@a.test", RCPT_WAITING },
		{ "toomany@a.test", RCPT_WAITING },
		{ "noend@a.test", RCPT_WAITING },
		{ "otherpage@a.test", RCPT_WAITING },
		{ "longpart@a.test", RCPT_WAITING },
		{ "longleaf@a.test", RCPT_WAITING },
	};
	struct index_rcpt row;
	struct world *w;
	struct sent s;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		w = world_new(NULL);
		/* The other one is asked for as long as the world stands, so
		 * that no notification is made. */
		send_to(w, &s, 1, SMALL, rows[i].addr, "silent@a.test", NULL);
		run(w, is_stuck);
		CHECK(rows[i].addr, state_of(w, &s, 0) == rows[i].state);
		CHECK("no child", files(w) == 1);
		queue_commit(&w->qu);
		CHECK("it is tried by its steps",
		    index_get_rcpt(w->qu.index, s.head.id, 0, &row) ==
			    INDEX_OK &&
			row.attempts == 1 &&
			(row.state == RCPT_OWED ||
			    row.next >= now_sec() + 500));
		world_close(w);
		unit_remove(w->dir);
	}
}

static void
never_again(void)
{
	struct index_rcpt row;
	struct world *w;
	struct sent s;
	uint64_t child;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "again@a.test", NULL);
	s.head.facts.flags |= FACT_EXPANDED; /* as a child is indexed */
	CHECK("an alias in a child", settle(w));
	child = id_child(s.head.id, 0);
	CHECK("is not expanded", !is_there(w, child) && w->pages == 0);
	queue_commit(&w->qu);
	CHECK("but waits for a better configuration",
	    index_get_rcpt(w->qu.index, s.head.id, 0, &row) == INDEX_OK &&
		row.state == RCPT_WAITING && row.next > now_sec());
	world_close(w);
	unit_remove(w->dir);
}

/* The mark in the parent is lost, the child is not: not a second one. */
static void
mark_lost(size_t size, bool child_gone)
{
	struct world *w;
	struct sent s;
	uint64_t child;
	ino_t inode;
	struct stat st;
	char path[PATH_MAX], name[SPOOL_PATH_MAX];

	w = world_new(NULL);
	send_to(w, &s, 1, size, "three@a.test", "plain@x.test", NULL);
	settle(w);
	child = id_child(s.head.id, 0);
	snprintf(path, sizeof path, "%s/new/%s", w->dir,
	    dirs_path(child, name));
	CHECK("a child", stat(path, &st) == 0);
	inode = st.st_ino;
	world_close(w);
	if (child_gone)
		unlink(path);
	w = world_new(w->dir);
	set_state(w, &s, 0, RCPT_WAITING);
	world_close(w);
	/* Its index is made of what the files say. */
	w = world_new(w->dir);
	CHECK("its mark is lost", settle(w));
	CHECK("it is marked again", state_of(w, &s, 0) == RCPT_EXPANDED);
	CHECK("nobody was asked", w->pages == 0);
	if (child_gone)
		CHECK("a child that was delivered does not come back",
		    !is_there(w, child));
	else
		CHECK("the child is the same file",
		    stat(path, &st) == 0 && st.st_ino == inode);
	world_close(w);
	unit_remove(w->dir);
}

/* What a crash left in tmp/ is not in the way. */
static void
left_over(void)
{
	char path[PATH_MAX], name[ID_LEN + 1];
	struct world *w;
	struct sent s;
	int fd;

	w = world_new(NULL);
	snprintf(path, sizeof path, "%s/tmp/%s", w->dir,
	    id_print(id_child(id_of(1), 0), name));
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd == -1 || write(fd, "half", 4) != 4)
		abort();
	close(fd);
	send_to(w, &s, 1, SMALL, "three@a.test", NULL);
	CHECK("half a file of an earlier try", settle(w));
	check_child("is written anew", w, &s, 0, 3);
	CHECK("the parent is gone", goes(w, s.head.id));
	CHECK("and nothing is left of it", files(w) == 1);
	world_close(w);
	unit_remove(w->dir);
}

/* Taken out while lookup is asked: by the operator, for one. */
static void
taken_out(void)
{
	struct world *w;
	struct sent s;
	struct rcpt *r;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "silent@a.test", NULL);
	run(w, is_stuck);
	r = rcpt_find(&w->qu, s.head.id, 0);
	CHECK("it is asked for",
	    r != NULL && r->at == AT_EXPANDS && w->qu.n_expanding == 1 &&
		w->qu.n_tx == 1);
	if (r != NULL)
		result_again(&w->qu, r, 60, "taken out");
	CHECK("and is not any more",
	    rcpt_find(&w->qu, s.head.id, 0) == NULL && w->qu.n_expanding == 0 &&
		w->qu.n_tx == 0);
	CHECK("nothing else happens", settle(w) && files(w) == 1);
	world_close(w);
	unit_remove(w->dir);
}

/*
 * RFC 3461 5.2.7.3: what the children of a recipient inherit, and what the
 * sender is told.
 */
static void
inherits(void)
{
	/* Columns: name, NOTIFY of the parent, of the child, a notification is
	 * made. */
	static const struct {
		const char *name;
		uint8_t parent, child;
		bool told;
	} rows[] = {
		{ "nothing said", 0, 0, false },
		{ "never", NOTIFY_NEVER, NOTIFY_NEVER, false },
		{ "success", NOTIFY_SUCCESS, NOTIFY_NEVER, true },
		{ "success and failure", NOTIFY_SUCCESS | NOTIFY_FAILURE,
		    NOTIFY_FAILURE, true },
		{ "failure and delay", NOTIFY_FAILURE | NOTIFY_DELAY,
		    NOTIFY_FAILURE | NOTIFY_DELAY, false },
	};
	struct head child, dsn;
	struct arena a;
	struct world *w;
	struct sent s;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		w = world_new(NULL);
		arena_init(&a, 0);
		said_of_mail =
		    (struct mail_params){ .ret = RET_FULL, .envid = "QQ+2B" };
		said_of_rcpt = (struct rcpt_params){ .notify = rows[i].parent };
		if (i % 2 == 1)
			strlcpy(said_of_rcpt.orcpt, "rfc822;o@example.org",
			    sizeof said_of_rcpt.orcpt);
		send_to(w, &s, 1, SMALL, "three@a.test", NULL);
		CHECK(rows[i].name, settle(w));
		CHECK("params of the message",
		    head_of(w, id_child(s.head.id, 0), &a, &child) &&
			memcmp(&child.params, &said_of_mail,
			    sizeof said_of_mail) == 0);
		CHECK("NOTIFY",
		    child.n_rcpt == 3 &&
			child.rcpt[0].notify == rows[i].child &&
			child.rcpt[2].notify == rows[i].child);
		CHECK("ORCPT",
		    strcmp(child.rcpt[1].orcpt,
			i % 2 == 1 ? "rfc822;o@example.org" :
				     "rfc822;three@a.test") == 0);
		CHECK("expanded, and told of",
		    head_of(w, s.head.id | 1, &a, &dsn) == rows[i].told &&
			(!rows[i].told ||
			    says(w, s.head.id | 1, "Action: expanded")));
		CHECK("to the sender",
		    !rows[i].told ||
			(dsn.sender[0] == '\0' && dsn.n_rcpt == 1 &&
			    strcmp(dsn.rcpt[0].addr, s.head.sender) == 0));
		CHECK("the parent is gone", goes(w, s.head.id));
		arena_free(&a);
		world_close(w);
		unit_remove(w->dir);
	}
	memset(&said_of_mail, 0, sizeof said_of_mail);
	memset(&said_of_rcpt, 0, sizeof said_of_rcpt);
}

/* What they are on this host is kept, and said to lookup. */
static void
leaves(void)
{
	struct head child;
	struct arena a;
	struct world *w;
	struct sent s;

	w = world_new(NULL);
	arena_init(&a, 0);
	send_to(w, &s, 1, SMALL, "leaves@a.test", "two@a.test", NULL);
	CHECK("leaves", settle(w));
	CHECK("are in the file",
	    head_of(w, id_child(s.head.id, 0), &a, &child) &&
		strcmp(child.rcpt[2].leaf, "m box r2") == 0);
	CHECK("of others there is none",
	    head_of(w, id_child(s.head.id, 1), &a, &child) &&
		child.rcpt[1].leaf[0] == '\0');
	CHECK("lookup is told of them, and whose they are", w->leaves == 3);
	arena_free(&a);
	world_close(w);
	w = world_new(w->dir);
	CHECK("from the index, too", settle(w) && w->leaves == 3);
	world_close(w);
	unit_remove(w->dir);
}

/* RFC 5321 3.9.2: a list with an owner; RFC 3461 5.2.7: what was asked for
 * ends here. */
static void
owned(void)
{
	/* Columns: address, sender, NOTIFY, sender of the child, a notification
	 * is made. */
	static const struct {
		const char *addr, *sender;
		uint8_t notify;
		const char *owner;
		bool told;
	} rows[] = {
		{ "owned@a.test", "alice@example.org", NOTIFY_SUCCESS,
		    "owner-list@a.test", true },
		{ "owned1@a.test", "alice@example.org",
		    NOTIFY_SUCCESS | NOTIFY_DELAY, "owner-list@a.test", true },
		{ "owned1@a.test", "alice@example.org", NOTIFY_NEVER,
		    "owner-list@a.test", false },
		{ "owned@a.test", "", 0, "", false },
	};
	struct head child, dsn;
	struct arena a;
	struct world *w;
	struct sent s;
	bool null;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		w = world_new(NULL);
		arena_init(&a, 0);
		said_sender = rows[i].sender;
		null = said_sender[0] == '\0';
		said_of_mail = (struct mail_params){ .body = BODY_8BITMIME,
			.ret = RET_FULL,
			.envid = "QQ" };
		said_of_rcpt = (struct rcpt_params){ .notify = rows[i].notify };
		send_to(w, &s, 1, SMALL, rows[i].addr, NULL);
		CHECK("a list with an owner", settle(w));
		CHECK("who hears of it",
		    head_of(w, id_child(s.head.id, 0), &a, &child) &&
			strcmp(child.sender, rows[i].owner) == 0);
		CHECK("the content stays as it is",
		    child.params.body == BODY_8BITMIME);
		CHECK("the sender's wishes do not",
		    (child.params.envid[0] == '\0') == !null &&
			(child.params.ret == RET_UNSAID) == !null &&
			child.rcpt[0].notify == 0 &&
			(child.rcpt[0].orcpt[0] == '\0') == !null);
		CHECK("who is told that the list has it",
		    head_of(w, s.head.id | 1, &a, &dsn) == rows[i].told &&
			(!rows[i].told ||
			    says(w, s.head.id | 1, "Action: delivered")));
		CHECK("the parent is gone", goes(w, s.head.id));
		arena_free(&a);
		world_close(w);
		unit_remove(w->dir);
	}
	said_sender = "alice@example.org";
	memset(&said_of_mail, 0, sizeof said_of_mail);
	memset(&said_of_rcpt, 0, sizeof said_of_rcpt);
}

int
main(void)
{
	log_to_stderr("unit", false);
	one_child(SMALL, "a small message");
	one_child(SPOOL_SMALL + 12345, "a large one");
	one_child(3 * 1024 * 1024, "one that is copied in turns");
	all_expanded();
	pages();
	very_many();
	no_list();
	never_again();
	mark_lost(SMALL, false);
	mark_lost(SMALL, true);
	mark_lost(SPOOL_SMALL + 100, false);
	left_over();
	taken_out();
	inherits();
	leaves();
	owned();
	return unit_end();
}
