/*
 * Authentication-Results (RFC 8601 2.2) and Received-SPF (RFC 7208 9.1), as
 * they are written.  Runs in session and smtpctl.  Never lets a text of a
 * stranger out of its place: no control byte, no byte that ends a value or a
 * comment, no fold that was not made here.
 *
 * SPDX-License-Identifier: ISC
 */
#include "auth_field.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINE_WIDTH  78 /* RFC 5322 2.1.1 */
#define FOLD_COLUMN 8  /* behind the tab that a line begins with */
#define COMMENT_MAX 256
#define WORD_MAX    (64 + 2 * ADDR_MAX)
#define REST_MAX    2560 /* bytes of what follows on DKIM's results, at most */
#define NAME_MAX    32

/* A field as it is written, word by word. */
struct field {
	struct buf out;
	size_t column;
	bool fresh; /* at the beginning of a line: no blank is wanted */
	bool later; /* an entry was written, or stands in front of it */
	bool full;
};

/* ---- words ---- */

static void
field_put(struct field *f, const char *text)
{
	if (!buf_puts(&f->out, text))
		f->full = true;
	f->column += strlen(text);
}

static void
field_fold(struct field *f)
{
	field_put(f, "\r\n\t");
	f->column = FOLD_COLUMN;
	f->fresh = true;
}

/* A word that is not broken: on this line if it fits. */
static void
field_word(struct field *f, const char *word)
{
	if (!f->fresh && f->column + 1 + strlen(word) > LINE_WIDTH)
		field_fold(f);
	if (!f->fresh)
		field_put(f, " ");
	field_put(f, word);
	f->fresh = false;
}

/* The next result or pair begins: behind a ';', on its own line. */
static void
field_entry(struct field *f)
{
	if (f->later) {
		field_put(f, ";");
		field_fold(f);
	}
	f->later = true;
}

/* ---- what strangers wrote ---- */

/* Copies text, cut to max bytes at a character.  Control bytes become '?', and
 * what is not ASCII too, unless it is UTF-8 and such is allowed. */
static void
clean(const char *text, bool utf8, char *out, size_t max)
{
	struct slice rest = slice_of(text);
	size_t n, len = 0;

	for (; rest.len > 0; rest.p += n, rest.len -= n) {
		if ((n = slice_utf8(rest)) == 0 || len + n > max)
			n = 1;
		if (len + n > max)
			break;
		memcpy(out + len, rest.p, n);
		if (n == 1 && (rest.p[0] < ' ' || rest.p[0] > '~'))
			out[len] = '?';
		else if (n > 1 && !utf8)
			memset(out + len, '?', n);
		len += n;
	}
	out[len] = '\0';
}

static bool
is_atext(char c)
{
	return isalnum((unsigned char)c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* RFC 5322 3.2.3. */
static bool
is_dot_atom(struct slice s)
{
	bool atom = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '.' ? !atom : !is_atext(s.p[i]))
			return false;
		atom = s.p[i] != '.';
	}
	return atom;
}

/* What needs no quotes in any of the forms that RFC 8601 2.2 has for a value:
 * letters, digits and the signs of names, or "local@domain" of a dot-atom. */
static bool
is_pvalue(struct slice s)
{
	const char *at = memrchr(s.p, '@', s.len);
	struct slice local = { s.p, at == NULL ? 0 : (size_t)(at - s.p) };
	size_t i = at == NULL ? 0 : local.len + 1;

	if (i == s.len || (local.len > 0 && !is_dot_atom(local)))
		return false;
	for (; i < s.len; i++) {
		if (!isalnum((unsigned char)s.p[i]) &&
		    memchr("-._", s.p[i], 3) == NULL)
			return false;
	}
	return true;
}

/* Adds text as it may stand behind a '=': as it is, or in quotes. */
static void
add_value(char word[WORD_MAX + 1], const char *text, bool utf8,
    bool (*is_bare)(struct slice s))
{
	char value[ADDR_MAX + 1], *p = word + strlen(word);
	const char *s;

	clean(text, utf8, value, ADDR_MAX);
	if (is_bare(slice_of(value))) {
		memcpy(p, value, strlen(value) + 1);
		return;
	}
	*p++ = '"';
	for (s = value; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			*p++ = '\\';
		*p++ = *s;
	}
	*p++ = '"';
	*p = '\0';
}

/* " name=value"; nothing where there is no value. */
static void
field_prop(struct field *f, const char *name, const char *value, bool utf8)
{
	char word[WORD_MAX + 1];

	if (value[0] == '\0')
		return;
	snprintf(word, NAME_MAX + 1, "%s=", name);
	add_value(word, value, utf8, is_pvalue);
	field_word(f, word);
}

/*
 * " (text)", folded at its blanks.  A comment may have more than is let
 * through here, but not everybody who reads it knows that.
 */
static void
field_comment(struct field *f, const char *text)
{
	static const char from[] = "()\\;\"", to[] = "[]/,'";
	char all[COMMENT_MAX + 3], *p, *word;
	const char *sign;
	size_t len;

	if (text[0] == '\0')
		return;
	all[0] = '(';
	clean(text, false, all + 1, COMMENT_MAX);
	for (p = all + 1; *p != '\0'; p++) {
		if ((sign = strchr(from, *p)) != NULL)
			*p = to[sign - from];
	}
	for (len = strlen(all); len > 1 && all[len - 1] == ' '; len--)
		continue;
	all[len] = ')';
	all[len + 1] = '\0';
	for (p = all; (word = strsep(&p, " ")) != NULL;) {
		if (word[0] != '\0')
			field_word(f, word);
	}
}

/* "method=result", the head of an entry. */
static void
field_method(struct field *f, enum auth_method m, enum auth_result r)
{
	char word[WORD_MAX + 1];

	field_entry(f);
	snprintf(word, sizeof(word), "%s=%s", auth_method_word(m),
	    auth_result_word(r));
	field_word(f, word);
}

/* RFC 8601 2.2, reasonspec. */
static void
field_reason(struct field *f, const char *why)
{
	if (why != NULL)
		field_prop(f, "reason", why, false);
}

/* ---- the methods ---- */

static void
say_spf(struct field *f, const struct auth_say *s,
    const struct spf_answer *answer, bool of_helo)
{
	if (answer == NULL || answer->result == RES_UNSAID)
		return;
	field_method(f, BY_SPF, answer->result);
	field_comment(f, answer->why);
	if (of_helo)
		field_prop(f, "smtp.helo",
		    s->helo_name != NULL ? s->helo_name : "", false);
	else
		field_prop(f, "smtp.mailfrom", s->sender, true);
}

static bool
is_null_sender(const struct auth_say *s)
{
	return s->sender == NULL || s->sender[0] == '\0';
}

/* For the null sender both identities are the same (RFC 7208 2.4). */
static void
say_spf_both(struct field *f, const struct auth_say *s)
{
	bool same = is_null_sender(s) && s->mail != NULL;

	say_spf(f, s, s->mail, is_null_sender(s));
	if (!same)
		say_spf(f, s, s->helo, true);
}

static void
say_signature(struct field *f, const struct dkim_check *c)
{
	field_method(f, BY_DKIM, c->result);
	if (c->cut)
		field_comment(f, "a part of the body is not signed");
	if (c->testing)
		field_comment(f, "the key is for tests");
	field_reason(f, c->result == RES_PASS ? NULL : c->why);
	field_prop(f, "header.d", c->domain, false);
	field_prop(f, "header.i", c->identity, false);
	field_prop(f, "header.s", c->selector, false);
	field_prop(f, "header.a", c->alg_known ? dkim_alg_word(c->alg) : "",
	    false);
	field_prop(f, "header.b", c->b, false);
}

/* How many are said that did not pass: whoever puts junk on top of a signature
 * that holds hides nothing. */
static unsigned int
room_for_others(const struct dkim_verify *v)
{
	unsigned int i, room = DKIM_VERIFY_MAX;

	for (i = 0; i < v->n && room > 0; i++)
		room -= v->check[i].result == RES_PASS;
	return room;
}

/* At most DKIM_VERIFY_MAX.  A signature that would leave no room for the other
 * methods is left out, and so are those below it. */
static void
say_dkim(struct field *f, const struct dkim_verify *v)
{
	struct field before;
	unsigned int i, said = 0, others;

	if (v == NULL)
		return;
	if (v->n == 0)
		field_method(f, BY_DKIM, RES_NONE);
	others = room_for_others(v);
	for (i = 0; i < v->n && said < DKIM_VERIFY_MAX; i++) {
		if (v->check[i].result != RES_PASS) {
			if (others == 0)
				continue;
			others--;
		}
		said++;
		before = *f;
		say_signature(f, &v->check[i]);
		if (!f->full && f->out.len + REST_MAX <= AUTH_FIELD_MAX)
			continue;
		/* Its memory may have moved, its end is what counts. */
		f->out.len = before.out.len;
		f->column = before.column;
		f->fresh = before.fresh;
		f->later = before.later;
		f->full = before.full;
		break;
	}
}

/* RFC 8617 10.2. */
static void
say_arc(struct field *f, const struct auth_say *s)
{
	const struct arc_is *is = s->arc == NULL ? NULL : arc_result(s->arc);
	char number[16];

	if (is == NULL || is->result == RES_UNSAID)
		return;
	field_method(f, BY_ARC, is->result);
	if (is->sets > 0) {
		snprintf(number, sizeof(number), "i=%u", is->sets);
		field_comment(f, number);
	}
	if (is->result != RES_PASS && is->result != RES_NONE)
		field_reason(f, is->why);
	field_prop(f, "smtp.remote-ip", s->client != NULL ? s->client : "",
	    false);
	if (is->result != RES_PASS)
		return;
	snprintf(number, sizeof(number), "%u", is->oldest);
	field_prop(f, "header.oldest-pass", number, false);
}

static void
say_dmarc(struct field *f, const struct auth_say *s)
{
	const struct dmarc_answer *d = s->dmarc;
	const char *policy, *applied = s->applied != NULL ? s->applied : "";
	char text[COMMENT_MAX];

	if (d == NULL || d->result == RES_UNSAID)
		return;
	policy =
	    d->policy == DMARC_P_UNSAID ? "" : dmarc_policy_word(d->policy);
	field_method(f, BY_DMARC, d->result);
	snprintf(text, sizeof(text), "%s%s%s%s%s",
	    policy[0] != '\0' ? "p=" : "", policy,
	    policy[0] != '\0' && applied[0] != '\0' ? " " : "",
	    applied[0] != '\0' ? "dis=" : "", applied);
	field_comment(f, text);
	field_reason(f, d->result == RES_PASS ? NULL : d->why);
	field_prop(f, "header.from", s->author != NULL ? s->author : "", false);
	field_prop(f, "policy.dmarc", policy, false);
}

static void
say_all(struct field *f, const struct auth_say *s)
{
	size_t before = f->out.len;

	say_spf_both(f, s);
	say_dkim(f, s->dkim);
	say_arc(f, s);
	say_dmarc(f, s);
	if (f->out.len == before) {
		field_entry(f);
		field_word(f, "none");
	}
}

/* What was written becomes a part of out, or nothing does. */
static bool
field_end(struct field *f, struct buf *out)
{
	bool done = !f->full && buf_add(out, buf_data(&f->out), f->out.len);

	buf_free(&f->out);
	return done;
}

/* ---- the fields ---- */

bool
auth_field_print(struct buf *out, const struct auth_say *s)
{
	struct field f = { .later = true };
	char word[WORD_MAX + 1] = "";

	buf_init(&f.out, AUTH_FIELD_MAX);
	field_put(&f, "Authentication-Results:");
	add_value(word, s->authserv, false, is_pvalue);
	field_word(&f, word);
	say_all(&f, s);
	field_put(&f, "\r\n");
	return field_end(&f, out);
}

/* "; key=value" of Received-SPF; the first one follows on a comment. */
static void
spf_pair(struct field *f, const char *key, const char *value)
{
	char word[WORD_MAX + 1];

	if (f->later)
		field_put(f, ";");
	f->later = true;
	snprintf(word, NAME_MAX + 1, "%s=", key);
	add_value(word, value, true, is_dot_atom);
	field_word(f, word);
}

bool
auth_field_spf(struct buf *out, const struct auth_say *s)
{
	const struct spf_answer *a = s->mail != NULL ? s->mail : s->helo;
	bool of_helo = s->mail == NULL || is_null_sender(s);
	struct field f = { .later = false };
	char why[DOMAIN_MAX + sizeof(a->why) + 3];

	if (a == NULL || a->result == RES_UNSAID)
		return true;
	buf_init(&f.out, AUTH_FIELD_MAX);
	field_put(&f, "Received-SPF:");
	field_word(&f, auth_result_word(a->result));
	snprintf(why, sizeof(why), "%s: %s", s->authserv, a->why);
	field_comment(&f, why);
	spf_pair(&f, "receiver", s->authserv);
	spf_pair(&f, "client-ip", s->client != NULL ? s->client : "");
	spf_pair(&f, "envelope-from", s->sender != NULL ? s->sender : "");
	spf_pair(&f, "helo", s->helo_name != NULL ? s->helo_name : "");
	spf_pair(&f, "identity", of_helo ? "helo" : "mailfrom");
	if (a->mechanism[0] != '\0')
		spf_pair(&f, "mechanism", a->mechanism);
	if (a->result == RES_TEMPERROR || a->result == RES_PERMERROR)
		spf_pair(&f, "problem", a->why);
	field_put(&f, "\r\n");
	return field_end(&f, out);
}
