/*
 * sendmail(8) hands a message to the daemon.  Runs in sendmail, as whoever
 * calls it.
 *
 * Until the last dot is written, nothing was kept and it may be tried again
 * with another daemon.  From then on only its 250 says that the message is on
 * disk, and no signal ends the wait for it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "dsn_param.h"
#include "log.h"
#include "sendmail.h"
#include "smtp_line.h"

#define PIECE (32 * 1024) /* of content */

/* Recipients that may be refused before we end: not so many that the daemon
 * takes it for guessing. */
#define REFUSED_MAX 10

/* A message on its way. */
struct submit {
	struct sendmail *sm;
	struct rcpt *next; /* the first that it was not sent to */
	size_t sent;       /* recipients of messages that are on disk */
	size_t mails;      /* messages in this session */
	struct buf refused;
	size_t n_refused;
	int status; /* of the first of them */
};

/* ---- MAIL and RCPT ---- */

/* RFC 3461 4.4: as xtext; its length was looked at. */
static void
put_envid(struct buf *line, const char *envid)
{
	buf_puts(line, " ENVID=");
	for (; *envid != '\0'; envid++) {
		if (*envid == '+' || *envid == '=' || *envid == ' ')
			buf_printf(line, "+%02X", (unsigned char)*envid);
		else
			buf_add(line, envid, 1);
	}
}

/* What stands behind the address: what is not offered is left out, but for
 * what must not be lost. */
static void
mail_params(struct sendmail *sm, struct buf *line)
{
	const struct sendmail_args *a = &sm->args;
	const struct talk *t = &sm->talk;
	bool utf8 = sm->utf8 || a->utf8;

	if ((utf8 && !t->utf8) || (a->require_tls && !t->require_tls))
		sendmail_die(sm, EX_UNAVAILABLE,
		    "%s is not offered by smtpd, nothing was sent",
		    utf8 && !t->utf8 ? "SMTPUTF8" : "REQUIRETLS");
	if (t->sized)
		buf_printf(line, " SIZE=%" PRIu64,
		    sm->message.size + sm->header.len);
	if (t->eight && (sm->message.eight || a->eight))
		buf_puts(line, " BODY=8BITMIME");
	if (utf8)
		buf_puts(line, " SMTPUTF8");
	if (a->require_tls)
		buf_puts(line, " REQUIRETLS");
	if (t->dsn && a->ret != 0)
		buf_printf(line, " RET=%s", ret_name(a->ret));
	if (t->dsn && a->envid != NULL)
		put_envid(line, a->envid);
	buf_add(line, "", 1);
}

static int
say_mail(struct sendmail *sm)
{
	struct buf line;
	int reply;

	buf_init(&line, 0);
	mail_params(sm, &line);
	reply = talk_say(&sm->talk, "MAIL FROM:<%s>%s", sm->sender,
	    (const char *)buf_data(&line));
	buf_free(&line);
	return reply;
}

static int
say_rcpt(struct sendmail *sm, const char *address)
{
	char notify[NOTIFY_TEXT_MAX];
	bool dsn = sm->talk.dsn && sm->args.notify != 0;

	return talk_say(&sm->talk, "RCPT TO:<%s>%s%s", address,
	    dsn ? " NOTIFY=" : "",
	    dsn ? notify_print(sm->args.notify, notify) : "");
}

/* ---- content ---- */

/* For good: what follows is only the exit status, or further recipients of a
 * message that others have. */
static void
block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool
send_piece(struct sendmail *sm, struct smtp_stuff *stuff, const uint8_t *p,
    size_t len)
{
	static uint8_t stuffed[2 * PIECE];

	return talk_write(&sm->talk, stuffed,
	    smtp_stuff_out(stuff, p, len, stuffed));
}

static bool
send_message(struct sendmail *sm, struct smtp_stuff *stuff)
{
	const uint8_t *p = buf_data(&sm->header);
	size_t left = sm->header.len, len;
	static uint8_t raw[PIECE];
	bool ok = true;

	for (; left > 0; left -= len, p += len) {
		len = left < PIECE ? left : PIECE;
		if (!send_piece(sm, stuff, p, len))
			return false;
	}
	message_rewind(&sm->message);
	while ((len = message_body(&sm->message, raw, sizeof raw, &ok)) > 0) {
		if (!send_piece(sm, stuff, raw, len))
			return false;
	}
	/* Not a dot: what the daemon has is not the message. */
	if (!ok)
		sendmail_die(sm, EX_IOERR,
		    "the temporary file cannot be read, nothing was sent");
	return true;
}

static int
send_content(struct sendmail *sm)
{
	struct smtp_stuff stuff = { 0 };
	uint8_t end[2 * PIECE];
	size_t len;
	int reply;

	if ((reply = talk_say(&sm->talk, "DATA")) != 3)
		return reply;
	if (!send_message(sm, &stuff))
		return 0;
	block_signals();
	if (sm->talk.verbose)
		printf(">>> .\n");
	len = smtp_stuff_end(&stuff, end);
	if (!talk_write(&sm->talk, end, len) ||
	    (reply = talk_reply(&sm->talk)) == 0)
		sendmail_die(sm, EX_TEMPFAIL,
		    "%s: nobody knows whether it was sent, it must be sent again",
		    sm->talk.why);
	return reply;
}

/* ---- a refusal ---- */

/* All of it is refused, or put off. */
static _Noreturn void
give_up(struct submit *s, const char *what)
{
	const struct talk *t = &s->sm->talk;
	int status = talk_status(t);
	struct buf why;

	if (status != EX_TEMPFAIL) {
		buf_init(&why, 0);
		buf_printf(&why, "%s: %s\r\n", what, t->reply);
		sendmail_report(s->sm, &why, s->sent > 0);
		buf_free(&why);
	}
	sendmail_die(s->sm, status, "%s: %s, %s sent: %s", what,
	    status == EX_TEMPFAIL ? "put off" : "refused",
	    s->sent > 0 ? "not all was" : "nothing was", t->reply);
}

static void
note_refused(struct submit *s, const struct rcpt *r)
{
	const struct talk *t = &s->sm->talk;

	if (s->n_refused++ == 0)
		s->status = talk_status(t);
	buf_printf(&s->refused, "%s: %s\r\n", r->address, t->reply);
	sendmail_say(s->sm, "%s: refused, %s sent: %s", q(r->address),
	    s->sent > 0 ? "not all was" : "nothing was", t->reply);
}

static _Noreturn void
end_refused(struct submit *s)
{
	sendmail_report(s->sm, &s->refused, s->sent > 0);
	talk_close(&s->sm->talk);
	sendmail_end(s->sm, s->status);
}

/* ---- a transaction ---- */

/* MAIL, in a new session if this one has had as many as it may. */
static int
begin_mail(struct submit *s)
{
	struct talk *t = &s->sm->talk;

	if (t->mail_max != 0 && s->mails == t->mail_max) {
		talk_close(t);
		if (!talk_open(t))
			return 0;
		s->mails = 0;
	}
	s->mails++;
	return say_mail(s->sm);
}

/*
 * MAIL, and RCPT from *at on, as many as one message may have; *at is the
 * first that is left, or NULL.  False: the connection is lost.
 */
static bool
name_rcpts(struct submit *s, struct rcpt **at)
{
	struct talk *t = &s->sm->talk;
	uint32_t n = 0;
	int reply;

	if ((reply = begin_mail(s)) != 2) {
		if (reply != 0)
			give_up(s, "sender");
		return false;
	}
	for (; *at != NULL && s->n_refused < REFUSED_MAX;
	     *at = STAILQ_NEXT(*at, entry), n++) {
		if (t->rcpt_max != 0 && n == t->rcpt_max)
			break;
		reply = say_rcpt(s->sm, (*at)->address);
		/* RFC 5321 4.5.3.1.10: too many, the rest in another one. */
		if (reply == 4 && n > 0 &&
		    strncmp(t->reply, "452 4.5.3", 9) == 0)
			break;
		if (reply == 0)
			return false;
		if (reply == 4)
			give_up(s, (*at)->address);
		if (reply == 5)
			note_refused(s, *at);
	}
	return true;
}

/*
 * More than one message can have: all are asked about before it is sent to the
 * first, so that as a rule nobody has it when a refusal is told.
 */
static bool
ask_all(struct submit *s)
{
	struct rcpt *at = s->next;

	while (at != NULL && s->n_refused < REFUSED_MAX) {
		if (!name_rcpts(s, &at) || talk_say(&s->sm->talk, "RSET") != 2)
			return false;
	}
	if (s->n_refused > 0)
		end_refused(s);
	return true;
}

/* To all that are left.  False: the connection is lost. */
static bool
send_all(struct submit *s)
{
	struct sendmail *sm = s->sm;
	struct rcpt *at;
	int reply;

	s->mails = 0;
	if (sm->talk.rcpt_max != 0 && sm->n_rcpts > sm->talk.rcpt_max &&
	    s->sent == 0 && !ask_all(s))
		return false;
	while ((at = s->next) != NULL) {
		if (!name_rcpts(s, &at))
			return false;
		/* Nor do the others of this message have it. */
		if (s->n_refused > 0)
			end_refused(s);
		reply = send_content(sm);
		if (reply == 0)
			return false;
		if (reply != 2)
			give_up(s, "message");
		while (s->next != at) {
			s->next = STAILQ_NEXT(s->next, entry);
			s->sent++;
		}
	}
	return true;
}

int
sendmail_submit(struct sendmail *sm)
{
	struct submit s = { .sm = sm, .next = STAILQ_FIRST(&sm->rcpts) };
	struct talk *t = &sm->talk;

	buf_init(&s.refused, 0);
	for (;;) {
		if (!talk_open(t))
			sendmail_die(sm, t->status, "%s, %s sent", t->why,
			    s.sent > 0 ? "not all was" : "nothing was");
		if (send_all(&s))
			break;
		if (!talk_pause(t))
			sendmail_die(sm, EX_TEMPFAIL, "%s, %s sent", t->why,
			    s.sent > 0 ? "not all was" : "nothing was");
		s.n_refused = 0;
		buf_drain(&s.refused, s.refused.len);
	}
	buf_free(&s.refused);
	talk_close(t);
	return EX_OK;
}
