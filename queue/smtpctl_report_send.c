/*
 * smtpctl(8) report send: the reports of days that are over, one domain after
 * the other: asked of the DNS who wants it, made, handed to sendmail(8), and
 * when that has it on disk, the queue is told that its rows may go.  A crash
 * between sends the same report again, under the same id.  Run by spawn once a
 * day, or by an operator; as root it becomes the owner of the spool first.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/file.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "log.h"
#include "num.h"
#include "report_make.h"
#include "report_store.h"
#include "report_where.h"
#include "smtpctl.h"
#include "smtpctl_asker.h"
#include "write_all.h"

#define LOCK_TRIES 20 /* for another one to end */
#define LOCK_MSEC  100
#define CUTS_MAX   16   /* tries to make a report that is small enough */
#define ON_TOP     2048 /* bytes of Received and a signature or two */

/* A report to be sent. */
struct due {
	uint32_t day;
	char *domain;
};

struct sending {
	struct smtpctl *c;
	bool dry, by_spawn;
	const char *domain; /* no other; NULL: all */
	uint32_t from, until;
	struct index *ix;
	struct report_words words;
	enum conf_dmarc_rules rules;
	struct asker asker;
	struct due *due;
	size_t n, room;
	bool later;             /* something is left for another time */
	const struct due *told; /* the last that the queue was told of */
};

/* ---- mail ---- */

/* The instance's folder for sockets, which is what -R of sendmail(8) wants. */
static void
run_dir(const struct smtpctl *c, char out[sizeof c->sock])
{
	char *slash;

	strlcpy(out, c->sock, sizeof c->sock);
	if ((slash = strrchr(out, '/')) != NULL)
		*slash = '\0';
}

/*
 * Hands it to sendmail(8), whose status is what comes of it: 0, it is on disk.
 * Nothing of ours is asked to be told: what cannot be delivered is no loss.
 */
static int
submit(const struct sending *s, const char *to, const struct buf *mail)
{
	char path[PATH_MAX], dir[sizeof s->c->sock];
	char *const argv[] = { (char *)"sendmail", (char *)"-R", dir,
		(char *)"-i", (char *)"-N", (char *)"never", (char *)"-f",
		(char *)(uintptr_t)s->words.text[REPORT_FROM], (char *)"--",
		(char *)(uintptr_t)to, NULL };
	extern char **environ;
	posix_spawn_file_actions_t act;
	int fd[2], error, status = 0;
	pid_t pid;

	run_dir(s->c, dir);
	if (!asker_program("sendmail", path, sizeof path) ||
	    pipe2(fd, O_CLOEXEC) == -1) {
		warn("sendmail");
		return EX_OSERR;
	}
	posix_spawn_file_actions_init(&act);
	posix_spawn_file_actions_adddup2(&act, fd[0], STDIN_FILENO);
	error = posix_spawn(&pid, path, &act, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&act);
	close(fd[0]);
	if (error != 0) {
		warnx("%s: %s", path, strerror(error));
		close(fd[1]);
		return EX_OSERR;
	}
	/* What it did not read it did not send. */
	(void)!write_all(fd[1], buf_data(mail), mail->len);
	close(fd[1]);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

/* ---- one report ---- */

enum handed { HANDED_LATER, HANDED_NOT, HANDED_OVER };

/* What sendmail(8) ends with where the same would be said again. */
static bool
is_refusal(int status)
{
	return status == EX_UNAVAILABLE || status == EX_DATAERR ||
	    status == EX_NOUSER || status == EX_NOHOST || status == EX_NOPERM;
}

static void
mail_of(const struct sending *s, const struct due *due,
    const struct report_made *made, const char *to, struct buf *mail)
{
	report_mail(&s->words, due->day, due->domain, made, to,
	    (int64_t)time(NULL), mail);
}

/* Bytes of what comes in there: lines end in CRLF, fields are added. */
static uint64_t
size_there(const struct buf *mail)
{
	const uint8_t *p = buf_data(mail);
	uint64_t n = mail->len + ON_TOP;
	size_t i;

	for (i = 0; i < mail->len; i++)
		n += p[i] == '\n';
	return n;
}

/*
 * The mail to one of those who want it, with fewer rows where it would be too
 * large for him (RFC 9990 3.5).  False: it cannot be so small.
 */
static bool
fit(struct sending *s, const struct due *due, const struct report_made *whole,
    const struct report_dest *dest, struct buf *mail)
{
	struct report_made cut;
	uint64_t rows = whole->rows, may, size;
	int i;

	mail_of(s, due, whole, dest->addr, mail);
	for (i = 0; i < CUTS_MAX; i++) {
		size = size_there(mail);
		if (dest->limit == 0 || size <= dest->limit)
			return true;
		/* In proportion, and somewhat less. */
		may = (uint64_t)((double)rows * (double)dest->limit /
		    (double)size * 0.9);
		rows = may < rows ? may : rows - 1;
		buf_free(mail);
		if (rows == 0 ||
		    !report_make(s->ix, &s->words, due->day, due->domain, rows,
			&cut))
			return false;
		mail_of(s, due, &cut, dest->addr, mail);
		buf_free(&cut.body);
	}
	buf_free(mail);
	return false;
}

static enum handed
hand_over(struct sending *s, const struct due *due,
    const struct report_made *made, const struct report_dest *dest)
{
	struct buf mail;
	int status;

	if (!fit(s, due, made, dest, &mail)) {
		warnx("%s: the report is too large for %s", due->domain,
		    dest->addr);
		return HANDED_NOT;
	}
	status = s->dry ? EX_OK : submit(s, dest->addr, &mail);
	buf_free(&mail);
	if (status == EX_OK)
		return HANDED_OVER;
	return is_refusal(status) ? HANDED_NOT : HANDED_LATER;
}

static void
say(struct sending *s, const struct due *due, const char *what,
    const char *more)
{
	char day[REPORT_DAY_TEXT];

	/* The log has what the queue is told. */
	if (s->by_spawn)
		return;
	buf_printf(&s->c->out, "%s %s %s%s%s\n",
	    report_day_print(due->day, day), due->domain, what,
	    more[0] == '\0' ? "" : ": ", more);
	(void)smtpctl_flush(s->c);
}

/* The queue lets its rows go; mails: of how many reports it is. */
static void
tell(struct sending *s, const struct due *due, unsigned int mails)
{
	struct ctl_ask ask;
	struct ctl_is is;

	if (s->dry)
		return;
	memset(&ask, 0, sizeof ask);
	ask.verb = CTL_REPORTED;
	ask.n = due->day;
	ask.id = mails;
	strlcpy(ask.text, due->domain, sizeof ask.text);
	/* Each on a connection of its own: control waits for nobody. */
	if (smtpctl_ask(s->c, &ask, &is) != 0)
		s->later = true;
	else if (is.outcome.verdict != DONE) {
		warnx("%s", is.outcome.text);
		s->later = true;
	} else
		s->told = due;
	if (s->c->daemon != -1)
		close(s->c->daemon);
	s->c->daemon = -1;
}

/* What the queue was told is on disk within a second, in its order: who begins
 * after us must not find it. */
static void
settle(struct sending *s)
{
	struct report_reader *r;
	struct report_head head;
	int i;

	for (i = 0; s->told != NULL && i < LOCK_TRIES; i++) {
		r = report_read(s->ix, s->told->day, s->told->domain, &head);
		if (r == NULL)
			break;
		report_read_end(&r);
		poll(NULL, 0, LOCK_MSEC);
	}
}

static void
send_to(struct sending *s, const struct due *due, const struct report_where *w)
{
	struct report_made made;
	unsigned int i, mails = 0;
	bool later = false;

	/* Its rows went meanwhile. */
	if (!report_make(s->ix, &s->words, due->day, due->domain, UINT64_MAX,
		&made))
		return;
	for (i = 0; i < w->n; i++) {
		switch (hand_over(s, due, &made, &w->dest[i])) {
		case HANDED_LATER:
			later = true;
			break;
		case HANDED_OVER:
			say(s, due, s->dry ? "would go to" : "sent to",
			    w->dest[i].addr);
			mails++;
			break;
		case HANDED_NOT:
			break;
		}
	}
	buf_free(&made.body);
	/* Who has it gets it once more, with those who have not. */
	if (later) {
		warnx("%s: smtpd did not take the report now", due->domain);
		s->later = true;
	} else
		tell(s, due, mails);
}

static void
send_one(struct sending *s, const struct due *due)
{
	struct report_where w;

	switch (report_where_find(&s->asker, s->rules, due->domain, &w)) {
	case REPORT_LATER:
		warnx("%s: the DNS cannot say now who wants its reports",
		    due->domain);
		s->later = true;
		break;
	case REPORT_NOBODY:
		say(s, due, "nobody wants it", w.why);
		tell(s, due, 0);
		break;
	case REPORT_SOMEBODY:
		if (w.why[0] != '\0')
			say(s, due, "not all want it", w.why);
		send_to(s, due, &w);
		break;
	}
}

/* ---- all ---- */

static bool
on_head(void *arg, const struct report_head_row *row)
{
	struct sending *s = arg;

	if (row->head.rows == 0 || row->day < s->from || row->day > s->until ||
	    (s->domain != NULL && strcmp(row->domain, s->domain) != 0))
		return true;
	if (s->n == s->room) {
		s->room = s->room == 0 ? 64 : 2 * s->room;
		s->due = xrealloc(s->due, s->room, sizeof *s->due);
	}
	s->due[s->n++] = (struct due){ row->day, xstrdup(row->domain) };
	return true;
}

/* Domains whose servers are silent must not be in the way of the same others
 * each time. */
static void
shuffle(struct sending *s)
{
	struct due keep;
	size_t i, k;

	for (i = s->n; i > 1; i--) {
		k = arc4random_uniform((uint32_t)i);
		keep = s->due[i - 1];
		s->due[i - 1] = s->due[k];
		s->due[k] = keep;
	}
}

/* One at a time, whoever began it; the lock ends with us. */
static bool
lock_facts(const struct smtpctl *c)
{
	char path[sizeof c->spool + 8];
	int fd, i;

	snprintf(path, sizeof path, "%s/facts", c->spool);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* As a rule there is nothing to do for the other one. */
	for (i = 0; fd != -1 && i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK)
			break;
		poll(NULL, 0, LOCK_MSEC);
	}
	if (fd != -1 && errno == EWOULDBLOCK)
		warnx("reports are being sent already");
	else
		warn("%s", path);
	return false;
}

static bool
read_words(struct sending *s)
{
	const char *const words[] = {
#define X(name, word) [DMARC_##name] = word,
		CONF_DMARC_RULES(X)
#undef X
	};
	size_t i;

	if (!report_words_read(s->ix, &s->words)) {
		warnx("no reports were ever kept: the configuration has no `dmarc report`");
		return false;
	}
	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(words[i], s->words.text[REPORT_RULES]) == 0)
			s->rules = (enum conf_dmarc_rules)i;
	}
	if (s->words.text[REPORT_RESOLVER][0] != '\0')
		setenv("SMTPCTL_RESOLVER", s->words.text[REPORT_RESOLVER], 0);
	if (s->rules == DMARC_RFC7489 && !dmarc_psl_load()) {
		warnx("the list of public suffixes cannot be read");
		return false;
	}
	return true;
}

static int
open_all(struct sending *s)
{
	const char *why;
	int status;

	if ((status = smtpctl_own(s->c)) != 0)
		return status;
	if (!lock_facts(s->c))
		return EX_TEMPFAIL;
	if ((s->ix = index_read(s->c->spool, &why)) == NULL) {
		warnx("the spool's facts cannot be read now: %s", why);
		return EX_TEMPFAIL;
	}
	if (!read_words(s))
		return EX_UNAVAILABLE;
	return asker_open(&s->asker, NULL);
}

static int
send_all(struct sending *s)
{
	size_t i;
	int status;

	/* Who reads what we say may be gone. */
	signal(SIGPIPE, SIG_IGN);
	status = open_all(s);
	if (status == 0) {
		report_heads(s->ix, on_head, s);
		shuffle(s);
		for (i = 0; i < s->n; i++)
			send_one(s, &s->due[i]);
		settle(s);
		for (i = 0; i < s->n; i++)
			free(s->due[i].domain);
		free(s->due);
		asker_close(&s->asker);
	}
	if (s->rules == DMARC_RFC7489)
		dmarc_psl_free();
	if (s->ix != NULL)
		index_close(&s->ix);
	buf_free(&s->c->out);
	if (status != 0)
		return status;
	return s->later ? EX_TEMPFAIL : EX_OK;
}

/* ---- the verb ---- */

/* The value of an option, or NULL: it is another. */
static const char *
value_of(const char *word, int *i, int argc, char **argv)
{
	if (strcmp(argv[*i], word) != 0 || *i + 1 == argc)
		return NULL;
	return argv[++*i];
}

/* --until is spawn's, and a number of days. */
static bool
take_until(struct sending *s, const char *text, int64_t now)
{
	uint64_t n;

	if (num_parse(text, 0, UINT32_MAX, &n) != NULL)
		return report_day_parse(text, now, &s->until);
	s->until = (uint32_t)n;
	s->by_spawn = true;
	return true;
}

/* NULL, or what is wrong with them. */
static const char *
read_args(struct sending *s, int argc, char **argv)
{
	int64_t now = (int64_t)time(NULL);
	const char *value;
	int i;

	s->until = (uint32_t)(now / REPORT_DAY) - 1;
	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--dry-run") == 0) {
			s->dry = true;
		} else if ((value = value_of("--day", &i, argc, argv)) !=
		    NULL) {
			if (!report_day_parse(value, now, &s->until))
				return "--day: expected a day, as 2026-05-01";
			s->from = s->until;
		} else if ((value = value_of("--until", &i, argc, argv)) !=
		    NULL) {
			if (!take_until(s, value, now))
				return "--until: expected a day, as 2026-05-01";
		} else if ((value = value_of("--domain", &i, argc, argv)) !=
		    NULL) {
			text_lower(argv[i]);
			s->domain = value;
		} else
			return "expected --dry-run, --day, --until or --domain";
	}
	return NULL;
}

int
report_send(struct smtpctl *c, int argc, char **argv)
{
	struct sending s = { .c = c };
	const char *why = read_args(&s, argc, argv);

	if (why != NULL)
		return smtpctl_usage(c, why);
	return send_all(&s);
}
