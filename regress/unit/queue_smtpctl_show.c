/*
 * smtpctl: what it prints of a small spool, with its index, without, and when
 * something is damaged.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sysexits.h>

#include <bsd/string.h>

#include "id.h"
#include "smtpctl.h"
#include "spool_file.h"
#include "unit.h"

#define ID   "0DZ5KQ2X4M000"
#define ARGS 6

/* A spool of its own for each test. */
static struct {
	char dir[64], spool[96];
	uint64_t id[3];
} t;

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static int
chown_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return lchown(path, 65534, 65534);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* Writes a message with two recipients as a session and the queue do. */
static void
make_file(const struct spool_dirs *d, uint64_t id, const char *content)
{
	static const char trace[] = "Received: from test\r\n";
	struct head_rcpt rcpt[] = {
		{ .state = RCPT_WAITING, .addr = "bob@example.net" },
		{ .state = RCPT_DELIVERED,
		    .addr = "carol@example.com",
		    .leaf = "m inbox carol" },
	};
	struct head h = { .id = id,
		.of = { id, 0, "team@example.com" },
		.arrived = (int64_t)1770091445 * 1000000,
		.facts = { .client = "192.0.2.7", .helo = "mx.example.org" },
		.sender = "alice@example.org",
		.rcpt = rcpt,
		.n_rcpt = 2 };
	struct trailer tr = { .content = strlen(content),
		.trace = sizeof trace - 1 };
	char end[TRAILER_LEN];
	struct buf b;
	int fd;

	buf_init(&b, 0);
	trailer_print(&tr, end);
	fd = dirs_open_tmp(d, id, O_RDWR | O_CREAT | O_EXCL);
	if (fd == -1 || !head_print(&b, &h) || !buf_puts(&b, content) ||
	    !buf_puts(&b, trace) || !buf_add(&b, end, sizeof end) ||
	    write(fd, buf_data(&b), b.len) != (ssize_t)b.len ||
	    !dirs_make(d, SPOOL_NEW, id) || !dirs_commit(d, id))
		die("make_file");
	close(fd);
	buf_free(&b);
}

static void
make_rows(uint64_t id, struct index *ix, int64_t next)
{
	struct index_msg m = { .id = id,
		.arrived = (int64_t)1770091445 * 1000000,
		.content = 1000,
		.trace = 24,
		.n_rcpt = 2,
		.n_open = 1,
		.sender = "alice@example.org" };
	struct index_rcpt r = { .id = id,
		.state = RCPT_WAITING,
		.attempts = 3,
		.next = next,
		.tried = 1770091500,
		.addr = "bob@example.net",
		.route = "mx:example.net",
		.relay = "mx.example.net[192.0.2.1]:25" };
	struct index_rcpt done = { .id = id,
		.n = 1,
		.state = RCPT_DELIVERED,
		.addr = "carol@example.com",
		.leaf = "p a inbox carol 0123ABCD" };

	outcome_set(&r.last, LATER, WIDTH_RCPT, 451, "4.3.0", "try \"later\"");
	r.last.cause = CAUSE_SYSTEM;
	r.last.stage = STAGE_RCPT;
	r.last.after = 90;
	if (index_put_msg(ix, &m) != INDEX_OK ||
	    index_put_rcpt(ix, &r) != INDEX_OK ||
	    index_put_rcpt(ix, &done) != INDEX_OK)
		die("make_rows");
}

/* Messages 0 and 1 are in the index, 1 and 2 have files. */
static void
make_spool(void)
{
	static const uint64_t token[2] = { 1, 2 };
	struct index_way way = { .route = "mx:example.net", .failures = 2 };
	struct index_way slow = { .route = "mx:slow.example",
		.ready = (int64_t)time(NULL) + 3600,
		.n_marks = 1,
		.mark[0].n = 9 };
	struct index_way tired = { .route = "mx:tired.example",
		.paused = 1,
		.next = INT64_C(253402300000),
		.last = { .code = 421,
		    .cause = CAUSE_RATE,
		    .stage = STAGE_GREETING,
		    .text = "not so fast" } };
	struct index_way well = { .route = "mx:well.example",
		.n_marks = 1,
		.mark[0].n = 9 };
	struct spool_dirs d;
	struct index *ix;
	const char *why;
	bool empty;
	int i;

	strlcpy(t.dir, "/tmp/postern-unit.XXXXXX", sizeof t.dir);
	if (mkdtemp(t.dir) == NULL)
		die(t.dir);
	snprintf(t.spool, sizeof t.spool, "%s/spool", t.dir);
	if (mkdir(t.spool, 0700) == -1 || dirs_open(&d, t.spool) != NULL)
		die(t.spool);
	id_parse(ID, &t.id[0]);
	for (i = 1; i < 3; i++) {
		t.id[i] = t.id[0] + (uint64_t)i * ID_STEP;
		make_file(&d, t.id[i], "Subject: caf\xe9\r\n\r\nHello\r\n");
	}
	dirs_close(&d);
	if ((ix = index_open(t.spool, token, true, &empty, &why)) == NULL)
		die(why);
	make_rows(t.id[0], ix, 1);
	make_rows(t.id[1], ix, INT64_C(253402300000));
	way.next = INT64_C(253402300000);
	/* One that has had what its rate allows, and one that has not. */
	if (index_put_way(ix, &slow) != INDEX_OK ||
	    index_put_way(ix, &well) != INDEX_OK ||
	    index_put_way(ix, &way) != INDEX_OK ||
	    index_put_way(ix, &tired) != INDEX_OK ||
	    !index_fact_put(ix, "hold:mx:held.example", "1") ||
	    !index_fact_put(ix, "pause", "1"))
		die("index");
	index_filled(ix);
	index_close(&ix);
	/* Root becomes the owner of the spool, who must not be root. */
	if (getuid() == 0 && nftw(t.dir, chown_one, 16, FTW_PHYS) == -1)
		die("chown");
}

/* Runs a verb as the program does; its output in out, errors in all. */
static int
run(const char *words, int json, const char *const *args, char *out,
    size_t size)
{
	struct smtpctl c = { .daemon = -1, .json = json };
	const struct smtpctl_verb *v;
	char *argv[ARGS + 1];
	int pipes[2], status = -1, n, argc = 0;
	size_t len = 0;
	ssize_t got;
	pid_t pid = -1;

	for (v = smtpctl_verbs; strcmp(v->words, words) != 0;)
		v++;
	for (; args != NULL && args[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc];
	snprintf(c.spool, sizeof c.spool, "%s", t.spool);
	snprintf(c.sock, sizeof c.sock, "%s/control.sock", t.dir);
	snprintf(c.pid, sizeof c.pid, "%s/smtpd.pid", t.dir);
	c.verb = v;
	fflush(stdout);
	if (pipe(pipes) == -1 || (pid = fork()) == -1)
		die("fork");
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[0]);
		n = v->fn(&c, argc, argv);
		fflush(NULL);
		_exit(n);
	}
	close(pipes[1]);
	while (len < size - 1 &&
	    (got = read(pipes[0], out + len, size - 1 - len)) > 0)
		len += (size_t)got;
	out[len] = '\0';
	close(pipes[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
lines(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

/* Columns: name, verb, JSON, arguments; exit status, lines printed, a part
 * of what is printed. */
static const struct {
	const char *name, *words;
	int json;
	const char *args[ARGS];
	int status, lines;
	const char *part;
} runs[] = {
	{ "list", "show queue", 0, { NULL }, EX_OK, 3,
	    ID ":0  waiting   1.0K" },
	{ "list_now", "show queue", 0, { ID }, EX_OK, 2, " 3     now " },
	{ "list_reply", "show queue", 0, { NULL }, EX_OK, 3,
	    " system/rcpt        451 4.3.0 try \"later\"\n" },
	{ "list_json", "show queue", 1, { NULL }, EX_OK, 2,
	    "{\"id\":\"" ID
	    "\",\"sender\":\"alice@example.org\",\"size\":1024,\"arrived\":\"2026-02-03T04:04:05Z\",\"age\":" },
	{ "list_json_rcpt", "show queue", 1, { ID }, EX_OK, 1,
	    "\"n\":0,\"state\":\"waiting\",\"recipient\":\"bob@example.net\",\"attempts\":3,\"tried\":\"2026-02-03T04:05:00Z\",\"next\":\"1970-01-01T00:00:01Z\",\"route\":\"mx:example.net\",\"trying\":false,\"parked\":false,\"route_held\":false,\"relay\":\"mx.example.net[192.0.2.1]:25\",\"last\":{\"verdict\":\"later\",\"code\":451,\"enhanced\":\"4.3.0\",\"cause\":\"system\",\"stage\":\"rcpt\",\"after\":90,\"text\":\"try \\\"later\\\"\",\"local\":true}}\n" },
	{ "list_domain", "show queue", 1, { "EXAMPLE.net" }, EX_OK, 2, ID },
	{ "list_rcpt", "show queue", 1, { "bob@example.net" }, EX_OK, 2, ID },
	{ "list_sender", "show queue", 1, { "--from", "Alice@example.org" },
	    EX_OK, 2, ID },
	{ "list_route", "show queue", 1, { "mx:example.net" }, EX_OK, 2, ID },
	{ "list_state", "show queue", 1, { "--state", "delivered" }, EX_OK, 2,
	    "carol@example.com" },
	{ "list_number", "show queue", 1, { ID ":1" }, EX_OK, 1,
	    "carol@example.com" },
	{ "list_leaf", "show queue", 0, { "--state", "delivered" }, EX_OK, 3,
	    " carol@example.com (program of the alias carol) " },
	{ "list_leaf_json", "show queue", 1, { ID ":1" }, EX_OK, 1,
	    "\"recipient\":\"carol@example.com\",\"for\":\"program of the alias carol\",\"attempts\":" },
	{ "list_no_domain", "show queue", 1, { "example.com" }, EXIT_NO_MATCH,
	    1, "nothing matches" },
	{ "list_no_id", "show queue", 1, { "0000000000000" }, EXIT_NO_MATCH, 1,
	    "nothing matches" },
	{ "list_two", "show queue", 1, { "example.net", "--from", "<>" },
	    EXIT_NO_MATCH, 1, "nothing matches" },
	{ "list_usage", "show queue", 1, { "--nothing" }, EX_USAGE, 2,
	    "usage: smtpctl show queue" },
	{ "routes", "show routes", 0, { NULL }, EX_OK, 4,
	    "mx:example.net                   down  2 " },
	{ "routes_slow", "show routes", 0, { NULL }, EX_OK, 4,
	    "mx:slow.example                  slow  0        -       " },
	{ "routes_paused", "show routes", 0, { NULL }, EX_OK, 4,
	    " rate/greeting      421 not so fast\n" },
	{ "routes_json", "show routes", 1, { NULL }, EX_OK, 3,
	    "{\"route\":\"mx:example.net\",\"state\":\"down\",\"held\":false,\"failures\":2,\"since\":null,\"next\":\"9999-12-31T23:46:40Z\",\"last\":null}\n" },
	{ "status", "show status", 0, { NULL }, EX_TEMPFAIL, 5,
	    "smtpd: not running\nqueue: 2 messages, 2 recipients wait\ndeliveries: paused\n" },
	{ "status_json", "show status", 1, { NULL }, EX_TEMPFAIL, 1,
	    "{\"running\":false,\"messages\":2,\"recipients\":2,\"paused\":true,\"routes_down\":1,\"routes_slow\":2,\"greylist_triplets\":0,\"greylist_networks\":0}\n" },
	{ "no_daemon", "remove", 0, { "all" }, EX_TEMPFAIL, 1,
	    "smtpd is not running" },
	{ "no_daemon_stop", "stop", 0, { NULL }, EX_TEMPFAIL, 1,
	    "smtpd is not running" },
	{ "remove_what", "remove", 0, { NULL }, EX_USAGE, 2, "say which" },
};

static void
test_runs(void)
{
	char out[65536];
	int status;
	size_t i;

	for (i = 0; i < sizeof runs / sizeof runs[0]; i++) {
		status = run(runs[i].words, runs[i].json, runs[i].args, out,
		    sizeof out);
		CHECK(runs[i].name,
		    status == runs[i].status && lines(out) == runs[i].lines &&
			strstr(out, runs[i].part) != NULL);
	}
}

static void
test_message(void)
{
	static const char content[] = "\nReceived: from test\r\n"
				      "Subject: caf\xe9\r\n\r\nHello\r\n";
	char out[65536], id[ID_LEN + 1];
	const char *args[] = { id, NULL };
	const char *none[] = { ID, NULL }, *bad[] = { "x", NULL };

	id_print(t.id[1], id);
	CHECK("message",
	    run("show message", 0, args, out, sizeof out) == EX_OK &&
		strstr(out, "from: <alice@example.org>\n") != NULL &&
		strstr(out, "client: 192.0.2.7\n") != NULL &&
		strstr(out, "rcpt 0: waiting <bob@example.net>\n") != NULL &&
		strstr(out, "attempts: 3, next: in ") != NULL &&
		strstr(out,
		    "rcpt 1: delivered <carol@example.com>\n    for: program of the alias carol\n") !=
		    NULL &&
		strcmp(out + strlen(out) - strlen(content), content) == 0);
	CHECK("message_json",
	    run("show message", 1, args, out, sizeof out) == EX_OK &&
		lines(out) == 1 &&
		strstr(out,
		    "}],\"content\":\"Received: from test\\r\\nSubject: caf\\ufffd\\r\\n\\r\\nHello\\r\\n\"}\n") !=
		    NULL);
	CHECK("envelope",
	    run("show envelope", 0, args, out, sizeof out) == EX_OK &&
		strstr(out, "Subject") == NULL);
	CHECK("message_not_there",
	    run("show message", 0, none, out, sizeof out) == EXIT_NO_MATCH &&
		strstr(out, "no such message") != NULL);
	CHECK("message_no_id",
	    run("show message", 0, bad, out, sizeof out) == EX_USAGE);
}

/* As after a crash: the files say what they know. */
static void
test_files(void)
{
	char out[65536], path[160], id[ID_LEN + 1];
	const char *args[] = { id, NULL };

	snprintf(path, sizeof path, "%s/index/trust", t.spool);
	unlink(path);
	id_print(t.id[2], id);
	CHECK("files",
	    run("show queue", 0, NULL, out, sizeof out) == EX_OK &&
		lines(out) == 4 && strstr(out, "is not used") != NULL &&
		strstr(out, id) != NULL && strstr(out, ID) == NULL);
	CHECK("files_one",
	    run("show queue", 1, args, out, sizeof out) == EX_OK &&
		lines(out) == 2 &&
		strstr(out,
		    "\"n\":0,\"state\":\"waiting\",\"recipient\":\"bob@example.net\"}\n") !=
		    NULL);
	CHECK("files_envelope",
	    run("show envelope", 0, args, out, sizeof out) == EX_OK &&
		strstr(out, "rcpt 0: waiting <bob@example.net>\n") != NULL &&
		strstr(out, "    for: mailbox of carol\n") != NULL);
	CHECK("files_no_routes",
	    run("show routes", 0, NULL, out, sizeof out) == EX_TEMPFAIL);
}

/* Without a daemon the index is made here. */
static void
test_rebuild(void)
{
	char out[65536];

	CHECK("rebuild",
	    run("rebuild", 0, NULL, out, sizeof out) == EX_OK &&
		strstr(out, "2 messages, 2 recipients wait") != NULL);
	CHECK("rebuild_listed",
	    run("show queue", 0, NULL, out, sizeof out) == EX_OK &&
		lines(out) == 3 && strstr(out, "is not used") == NULL);
	CHECK("rebuild_keeps_facts",
	    run("show status", 1, NULL, out, sizeof out) == EX_TEMPFAIL &&
		strstr(out, "\"paused\":true") != NULL);
}

static void
test_damaged(void)
{
	char out[65536], path[160], name[SPOOL_PATH_MAX], id[ID_LEN + 1];
	const char *args[] = { id, NULL };

	id_print(t.id[1], id);
	snprintf(path, sizeof path, "%s/new/%s", t.spool,
	    dirs_path(t.id[1], name));
	CHECK("cut_trailer", truncate(path, 500) == 0);
	CHECK("damaged_trailer",
	    run("show envelope", 1, args, out, sizeof out) == EX_OK &&
		strstr(out, "\"damaged\":true") != NULL);
	CHECK("cut_head", truncate(path, 30) == 0);
	CHECK("damaged_head",
	    run("show envelope", 1, args, out, sizeof out) == EX_DATAERR &&
		strstr(out, id) != NULL);
	snprintf(path, sizeof path, "%s/index/trust", t.spool);
	unlink(path);
	CHECK("damaged_file_in_list",
	    run("show queue", 1, NULL, out, sizeof out) == EX_OK &&
		lines(out) == 3 && strstr(out, id) != NULL);
}

static void
test_no_spool(void)
{
	char out[4096];

	nftw(t.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	CHECK("no_spool",
	    run("show queue", 0, NULL, out, sizeof out) == EX_NOINPUT);
}

/* ---- what the file knows before the index does ---- */

/* Columns: the byte in the file, what the row says then. */
static const struct {
	const char *name;
	char file, row;
} states[] = {
	{ "file: waits", RCPT_WAITING, RCPT_WAITING },
	{ "file: held", RCPT_HELD, RCPT_HELD },
	{ "file: removed", RCPT_REMOVED, RCPT_REMOVED },
	{ "file: delivered", RCPT_DELIVERED, RCPT_DELIVERED },
	{ "file: owed", RCPT_OWED, RCPT_OWED },
	/* The child may not be listed yet, and one of them must be. */
	{ "file: expanded", RCPT_EXPANDED, RCPT_WAITING },
	{ "file: nonsense", '?', RCPT_WAITING },
};

static void
test_look(void)
{
	char path[] = "/tmp/postern-look-XXXXXX";
	int fd = mkstemp(path);
	size_t i;

	if (fd == -1 || unlink(path) == -1)
		die("mkstemp");
	for (i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct index_rcpt r = { .state = RCPT_WAITING, .off = 2 };
		struct next_try now = { .known = true, .when = 1 };
		struct next_try later = { .known = true, .when = 100 };

		if (pwrite(fd, &states[i].file, 1, 2) != 1)
			die("pwrite");
		next_try_look(fd, 50, &r, &later);
		CHECK(states[i].name, r.state == RCPT_WAITING);
		next_try_look(fd, 50, &r, &now);
		CHECK(states[i].name, r.state == states[i].row);
	}
	close(fd);
}

int
main(void)
{
	test_look();
	make_spool();
	test_runs();
	test_message();
	test_files();
	test_rebuild();
	test_damaged();
	test_no_spool();
	return unit_end();
}
