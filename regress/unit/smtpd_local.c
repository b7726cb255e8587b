/*
 * spawn's deliveries: who may be delivered to as whom, what local is started
 * with, files that it reads, sockets.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_world.h"

/* What every local of a user of the system is and has; else *lacks. */
static bool
is_as_said(const char *text, const struct local_take *t, bool mbox,
    const char **lacks)
{
	const struct group *mail = getgrnam("mail");
	static char want[6][LOCAL_USER_MAX + 32];
	size_t i;

	snprintf(want[0], sizeof(want[0]), "argv1=%s whole=1", t->to.user);
	snprintf(want[1], sizeof(want[1]), "ids=%u:%u ", t->to.uid,
	    mbox ? mail->gr_gid : t->to.gid);
	snprintf(want[2], sizeof(want[2]), " groups=%u",
	    mbox ? mail->gr_gid : t->to.gid);
	snprintf(want[3], sizeof(want[3]), " fds=f ");
	snprintf(want[4], sizeof(want[4]), " env=1 session=1 umask=77 ");
	snprintf(want[5], sizeof(want[5]), "life=%d ",
	    t->to.what == LOCAL_PIPE || t->action == MDA ||
		    t->action == WRAPPED || t->action == WRAPPED_DIR ?
		300 :
		60);
	for (i = 0; i < 6; i++) {
		*lacks = want[i];
		if (strstr(text, want[i]) == NULL)
			return false;
	}
	*lacks = "";
	return strstr(text, "NOT FOR GOOD") == NULL;
}

static void
test_takes(void)
{
	const struct local_says *says;
	struct local_take t;
	const char *lacks = "";
	char name[128];
	bool good;
	size_t i;

	for (i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		snprintf(name, sizeof(name), "take: %s", takes[i].name);
		t = make_take(i);
		take(&t);
		if (takes[i].refused != NULL) {
			CHECK(name,
			    got.done && got.outcome.verdict == LATER &&
				got.outcome.cause == CAUSE_CONFIG &&
				got.fd == -1 && running() == 0 &&
				strstr(got.outcome.text, takes[i].refused) !=
				    NULL);
			continue;
		}
		good = got.outcome.verdict == DONE && got.fd != -1;
		says = good ? read_says(got.fd) : NULL;
		good = says != NULL && says->outcome.verdict == DONE &&
		    strstr(says->outcome.text, takes[i].says) != NULL &&
		    is_as_said(says->outcome.text, &t, takes[i].action == MBOX,
			&lacks);
		if (!good)
			printf("%s: %s (lacks %s)\n", got.outcome.text,
			    says == NULL ? "nothing" : says->outcome.text,
			    lacks);
		CHECK(name, good);
		note(t.job);
		run_until_none();
	}
	CHECK("all have ended", run_until_none());
}

/* What spawn finds out only as the child. */
static void
test_child_refuses(void)
{
	const struct local_says *says;
	struct local_take t = make_take(2); /* mda as games */

	t.to.uid = uid_of("daemon");
	take(&t);
	says = got.fd == -1 ? NULL : read_says(got.fd);
	CHECK("the other's uid is another's",
	    says != NULL && says->outcome.verdict == LATER &&
		says->outcome.cause == CAUSE_CONFIG &&
		strstr(says->outcome.text, "another uid") != NULL);
	note(t.job);
	t = make_take(0);
	snprintf(t.envid, sizeof(t.envid), "die");
	take(&t);
	says = got.fd == -1 ? NULL : read_says(got.fd);
	CHECK("it died", got.outcome.verdict == DONE && says == NULL);
	note(t.job);
	CHECK("all have ended", run_until_none());
}

/* Columns: whose mailbox, a group, NULL: nobody's number; whether it is given.
 */
static const struct {
	const char *user, *group;
	bool given;
} groups[] = {
	{ "games", "games", true },
	{ "games", NULL, true },
	{ "games", "shadow", false },
	{ "games", "disk", false },
	{ "games", "root", false },
	{ "games", "_smtpq", false },
	{ "no-such", NULL, true },
	{ "no-such", "games", true },
	{ "no-such", "shadow", false },
	{ "no-such", "disk", false },
	{ "no-such", "root", false },
	{ "no-such", "_smtpq", false },
};

/* A group opens what its users do not. */
static void
test_groups(void)
{
	const struct local_says *says;
	const struct group *gr;
	struct local_take t = make_take(1); /* a maildir of games */
	char name[128], want[64];
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		gr = groups[i].group == NULL ? NULL : getgrnam(groups[i].group);
		t.to.uid = uid_of(groups[i].user);
		t.to.gid = gr == NULL ? 60001 : gr->gr_gid;
		snprintf(t.to.user, sizeof(t.to.user), "%s", groups[i].user);
		take(&t);
		says = got.fd == -1 ? NULL : read_says(got.fd);
		snprintf(name, sizeof(name), "group %s for %s",
		    gr == NULL ? "of nobody" : gr->gr_name, groups[i].user);
		snprintf(want, sizeof(want), "ids=%u:%u groups=%u ", t.to.uid,
		    t.to.gid, t.to.gid);
		CHECK(name,
		    says != NULL &&
			(groups[i].given ? says->outcome.verdict == DONE &&
				    strstr(says->outcome.text, want) != NULL :
					   says->outcome.verdict == LATER &&
				    strstr(says->outcome.text,
					"is not a group of") != NULL));
		note(t.job);
	}
	CHECK("all have ended", run_until_none());
}

/* ---- root ---- */

static const struct local_says *
take_root(const char *user)
{
	struct local_take t;

	memset(&t, 0, sizeof(t));
	t.action = MBOX;
	t.to.what = LOCAL_MAILBOX;
	snprintf(t.to.user, sizeof(t.to.user), "%s", user);
	take(&t);
	note(t.job);
	return got.fd == -1 ? NULL : read_says(got.fd);
}

static void
put_file(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT, mode);

	if (fd == -1 || fchmod(fd, mode) == -1)
		abort();
	close(fd);
}

static bool
refused_with(const struct local_says *says, const char *words)
{
	if (says != NULL && says->outcome.verdict == LATER &&
	    strstr(says->outcome.text, words) != NULL)
		return true;
	printf("it says: %s\n", says == NULL ? "-" : says->outcome.text);
	return false;
}

static void
test_root_mailbox(void)
{
	const struct local_says *says = take_root("root");
	char want[64], elsewhere[96];
	struct stat st;

	snprintf(elsewhere, sizeof(elsewhere), "%s/file", w.own);
	snprintf(want, sizeof(want), "ids=%u:%u groups=%u fds=1f",
	    uid_of("mail"), gid_of("mail"), gid_of("mail"));
	CHECK("root's mbox is opened for mail:mail",
	    says != NULL && says->outcome.verdict == DONE &&
		strstr(says->outcome.text, want) != NULL &&
		strstr(says->outcome.text, "opened=1") != NULL);
	CHECK("root's mbox is root's",
	    stat("/var/mail/root", &st) == 0 && st.st_uid == 0 &&
		(st.st_mode & 0777) == 0600);
	says = take_root("root");
	CHECK("root's mbox, again",
	    says != NULL && says->outcome.verdict == DONE);
	CHECK("not root's name",
	    refused_with(take_root("games"), "not root's"));
	CHECK("not a name", refused_with(take_root("../root"), "not root's"));

	unlink("/var/mail/root");
	put_file(elsewhere, 0600);
	if (symlink(elsewhere, "/var/mail/root") == -1)
		abort();
	CHECK("a symbolic link", refused_with(take_root("root"), "/var/mail"));
	unlink("/var/mail/root");
	put_file("/var/mail/other", 0600);
	if (link("/var/mail/other", "/var/mail/root") == -1)
		abort();
	CHECK("a hard link", refused_with(take_root("root"), "alone"));
	unlink("/var/mail/root");
	if (mkfifo("/var/mail/root", 0600) == -1)
		abort();
	CHECK("a pipe", refused_with(take_root("root"), "not a regular file"));
	unlink("/var/mail/root");
	put_file("/var/mail/root", 0600);
	if (chown("/var/mail/root", uid_of("games"), 0) == -1)
		abort();
	CHECK("another's file", refused_with(take_root("root"), "alone"));
	unlink("/var/mail/root");
	if (mkdir("/var/mail/root", 0700) == -1)
		abort();
	CHECK("a folder", refused_with(take_root("root"), "/var/mail"));
	rmdir("/var/mail/root");
	unlink(elsewhere);
}

/* ---- texts ---- */

static const struct local_says *
ask_text_as(uint32_t what, const char *user, uid_t uid, gid_t gid,
    const char *home, const char *name)
{
	struct text_ask ask;

	memset(&ask, 0, sizeof(ask));
	ask.what = what;
	ask.uid = uid;
	ask.gid = gid;
	snprintf(ask.user, sizeof(ask.user), "%s", user);
	snprintf(ask.home, sizeof(ask.home), "%s", home);
	snprintf(ask.name, sizeof(ask.name), "%s", name);
	got.done = false;
	ipc_ask(&w.lookup, &req, IPC_TEXT_ASK, &ask, on_answer, NULL, WAIT);
	run_until(&got.done, WAIT);
	return got.fd == -1 ? NULL : read_says(got.fd);
}

static const struct local_says *
ask_text(uint32_t what, const char *user, uid_t uid, const char *home,
    const char *name)
{
	return ask_text_as(what, user, uid, gid_of(user), home, name);
}

/* Columns: name; what, user, name of the file; why it is refused, or what is
 * said. */
static const struct {
	const char *name;
	uint32_t what;
	const char *user, *file;
	const char *refused, *says;
} texts[] = {
	{ "a .forward", TEXT_FORWARD, "games", ".forward", NULL,
	    "life=20 method=0 opened=0 strict=0" },
	{ "one with a sub-address", TEXT_FORWARD, "games", ".forward+x", NULL,
	    "name=.forward+x" },
	{ "a list", TEXT_INCLUDE, "games", "/tmp/list", NULL,
	    "name=/tmp/list" },
	{ "what is nothing", TEXT_NONE, "games", ".forward", "not a file",
	    NULL },
	{ "what there is not", TEXT_INCLUDE + 1, "games", ".forward",
	    "not a file", NULL },
	{ "another file", TEXT_FORWARD, "games", ".ssh", "not a file", NULL },
	{ "a file in a folder", TEXT_FORWARD, "games", ".forward/../.ssh",
	    "not a file", NULL },
	{ "a path for a name", TEXT_FORWARD, "games", "/etc/shadow",
	    "not a file", NULL },
	{ "a name for a path", TEXT_INCLUDE, "games", "list", "whole path",
	    NULL },
	{ "root's list", TEXT_INCLUDE, "root", "/etc/shadow",
	    "root needs an alias", NULL },
	{ "queue's list", TEXT_INCLUDE, "_smtpq", "/etc/passwd",
	    "of the mail system", NULL },
};

static void
test_texts(void)
{
	const struct local_says *says;
	char name[128];
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(name, sizeof(name), "text: %s", texts[i].name);
		says = ask_text(texts[i].what, texts[i].user,
		    uid_of(texts[i].user), "/nonexistent", texts[i].file);
		if (texts[i].refused != NULL)
			CHECK(name,
			    says == NULL && got.outcome.verdict == LATER &&
				got.outcome.cause == CAUSE_CONFIG &&
				strstr(got.outcome.text, texts[i].refused) !=
				    NULL);
		else
			CHECK(name,
			    says != NULL && says->outcome.verdict == DONE &&
				strstr(says->outcome.text, texts[i].says) !=
				    NULL);
	}
	says = ask_text_as(TEXT_INCLUDE, "", uid_of("_smtpl"), gid_of("_smtpl"),
	    "/", "/tmp/list");
	snprintf(name, sizeof(name), "ids=%u:%u groups=%u ", uid_of("_smtpl"),
	    gid_of("_smtpl"), gid_of("_smtpl"));
	CHECK("text: a list of aliases, which lookup may read itself",
	    says != NULL && says->outcome.verdict == DONE &&
		strstr(says->outcome.text, name) != NULL);
	says = ask_text_as(TEXT_INCLUDE, "", uid_of("_smtpl"),
	    getgrnam("shadow")->gr_gid, "/", "/etc/shadow");
	CHECK("text: as lookup, with another group",
	    refused_with(says, "is not a group of"));
	says = ask_text_as(TEXT_INCLUDE, "games", uid_of("games"),
	    getgrnam("shadow")->gr_gid, "/", "/etc/shadow");
	CHECK("text: as a user, with another group",
	    refused_with(says, "is not a group of"));
	CHECK("all have ended", run_until_none());
}

static void
test_root_text(void)
{
	const char *home = getpwuid(0)->pw_dir;
	const struct local_says *says;
	char path[PATH_MAX], want[64];

	snprintf(path, sizeof(path), "%s/.forward", home);
	says = ask_text(TEXT_FORWARD, "root", 0, "/etc", ".forward");
	CHECK("root has no .forward",
	    says != NULL && says->outcome.verdict == NEVER);
	put_file(path, 0600);
	says = ask_text(TEXT_FORWARD, "root", 0, "/etc", ".forward");
	snprintf(want, sizeof(want), "ids=%u:%u groups=%u fds=1f",
	    uid_of("_smtpl"), gid_of("_smtpl"), gid_of("_smtpl"));
	CHECK("root's .forward is opened for lookup's user",
	    says != NULL && says->outcome.verdict == DONE &&
		strstr(says->outcome.text, want) != NULL);
	says = ask_text(TEXT_FORWARD, "games", 0, "/etc", ".forward");
	CHECK("root by another name", refused_with(says, "not root's"));
	unlink(path);
	if (symlink("/etc/shadow", path) == -1 ||
	    lchown(path, uid_of("games"), 0) == -1)
		abort();
	says = ask_text(TEXT_FORWARD, "root", 0, "/etc", ".forward");
	CHECK("a link that another made",
	    refused_with(says, "another user's file"));
	unlink(path);
}

/* ---- sockets ---- */

static int
listen_on(const char *path, mode_t mode, uid_t uid)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	unlink(path);
	if (bind(sock, (struct sockaddr *)&un, sizeof(un)) == -1 ||
	    listen(sock, 1) == -1 || chmod(path, mode) == -1 ||
	    chown(path, uid, 0) == -1)
		abort();
	return sock;
}

static void
ask_sock(uint32_t action)
{
	struct sock_ask ask = { .action = action };

	got.done = false;
	ipc_ask(&w.deliver, &req, IPC_SOCK_ASK, &ask, on_answer, NULL, WAIT);
	run_until(&got.done, WAIT);
}

static void
test_socks(void)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int sock, conn, i, held[8];

	ask_sock(LMTP);
	CHECK("sock: nobody is there",
	    got.outcome.verdict == LATER && got.fd == -1 &&
		got.outcome.cause == CAUSE_NETWORK);
	sock = listen_on(sock_path, 0600, uid_of("daemon"));
	ask_sock(LMTP);
	CHECK("sock: connected",
	    got.outcome.verdict == DONE && got.fd != -1 &&
		(fcntl(got.fd, F_GETFL) & O_NONBLOCK) != 0);
	conn = accept(sock, NULL, NULL);
	CHECK("sock: as its user",
	    getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		peer.uid == uid_of("daemon") && peer.gid == gid_of("daemon"));
	CHECK("sock: and root again", geteuid() == 0 && getegid() == 0);
	close(got.fd);
	close(conn);
	for (i = 0; i < 8; i++) {
		ask_sock(LMTP);
		held[i] = got.fd;
	}
	CHECK("sock: nobody waits for a busy server",
	    got.outcome.verdict == LATER && got.fd == -1);
	for (i = 0; i < 8; i++) {
		if (held[i] != -1)
			close(held[i]);
	}
	close(sock);
	sock = listen_on(sock_path, 0600, 0);
	ask_sock(LMTP);
	CHECK("sock: not for its user",
	    got.outcome.verdict == LATER && got.fd == -1);
	close(sock);
	unlink(sock_path);
	ask_sock(TCP);
	CHECK("sock: of host and port",
	    got.outcome.verdict == LATER && got.outcome.cause == CAUSE_CONFIG);
	ask_sock(GHOST);
	CHECK("sock: as a user that there is not",
	    got.outcome.verdict == LATER && got.outcome.cause == CAUSE_CONFIG &&
		strstr(got.outcome.text, "no such user") != NULL);
	ask_sock(MBOX);
	CHECK("sock: of another method",
	    got.outcome.verdict == LATER && got.outcome.cause == CAUSE_CONFIG);
	ask_sock(ACTIONS);
	CHECK("sock: of no action",
	    got.outcome.verdict == LATER && got.outcome.cause == CAUSE_CONFIG);
}

/* An ordinary user's own. */
static void
test_not_jailed(void)
{
	const struct local_says *says;
	struct local_take t;

	begin(false);
	t = make_take(1);
	t.to.uid = geteuid() + 1;
	take(&t);
	CHECK("not jailed: another user",
	    got.outcome.verdict == LATER && got.fd == -1);
	if (geteuid() == 0)
		return;
	t.to.uid = geteuid();
	take(&t);
	says = got.fd == -1 ? NULL : read_says(got.fd);
	CHECK("not jailed: our own",
	    says != NULL && strstr(says->outcome.text, "strict=1") != NULL);
	note(t.job);
	CHECK("all have ended", run_until_none());
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[0], "local") == 0)
		return be_local(argv[1]);
	if (world_open("smtpd_local")) {
		test_takes();
		test_child_refuses();
		test_groups();
		test_root_mailbox();
		test_texts();
		test_root_text();
		test_socks();
	}
	test_not_jailed();
	return world_close();
}
