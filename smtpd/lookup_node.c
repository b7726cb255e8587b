/*
 * The values of alias and virtual tables, and lines of files.  Runs in lookup,
 * over text that the owner of a table, or a user, wrote; keeps nothing, and
 * what it cannot read is refused, never guessed.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_node.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "idn.h"
#include "smtp_addr.h"

static bool
begins_with(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	    slice_eqcase((struct slice){ s.p, prefix.len }, prefix);
}

/* ---- a list into its elements ---- */

/* Columns: how it begins, what it is, bytes that are no part of the text, does
 * it go to the end of the list. */
static const struct prefix {
	struct slice prefix;
	enum node_kind kind;
	size_t skip;
	bool whole;
} prefixes[] = {
	{ { "/", 1 }, NODE_FILE, 0, false },
	{ { "|", 1 }, NODE_PIPE, 1, false },
	{ { ":include:", 9 }, NODE_INCLUDE, 9, false },
	{ { "error:", 6 }, NODE_ERROR, 6, true },
	{ { ":fail:", 6 }, NODE_ERROR, 6, true },
	{ { ":unknown:", 9 }, NODE_ERROR, 9, true },
	{ { ":defer:", 7 }, NODE_DEFER, 7, true },
	{ { ":blackhole:", 11 }, NODE_NOTHING, 11, true },
};

static const struct prefix *
prefix_of(struct slice s)
{
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (begins_with(s, prefixes[i].prefix))
			return &prefixes[i];
	}
	return NULL;
}

/* Up to the next comma that no quotes hold.  *why: the quotes do not end. */
static struct slice
element(struct slice *rest, const char **why)
{
	const struct prefix *prefix = prefix_of(*rest);
	struct slice out = { rest->p, 0 };
	bool quoted = false;
	size_t i;

	if (prefix != NULL && prefix->whole) {
		/* People write sentences, and nothing counts besides it. */
		*why = NULL;
		out = slice_trim(*rest);
		*rest = (struct slice){ rest->p + rest->len, 0 };
		return out;
	}
	for (i = 0; i < rest->len; i++) {
		if (rest->p[i] == '\\' && quoted && i + 1 < rest->len)
			i++;
		else if (rest->p[i] == '"')
			quoted = !quoted;
		else if (rest->p[i] == ',' && !quoted)
			break;
	}
	out.len = i;
	*why = quoted ? "a quote that does not end" : NULL;
	rest->p += i;
	rest->len -= i;
	while (out.len > 0 && slice_is_space(out.p[out.len - 1]))
		out.len--;
	return out;
}

/* The quotes around a whole element are taken away; those around a local
 * part ("a b"@example.org) stay.  False: no room. */
static bool
unquote(struct slice in, char *out, size_t size)
{
	size_t i, n = 0;

	if (in.len < 2 || in.p[0] != '"' || in.p[in.len - 1] != '"')
		return slice_copy(in, out, size);
	for (i = 1; i < in.len - 1; i++) {
		if (in.p[i] == '\\' && i + 2 < in.len)
			i++;
		else if (in.p[i] == '"') /* "a"@"b": not one pair */
			return slice_copy(in, out, size);
		if (in.p[i] == '\0' || n + 1 >= size)
			return false;
		out[n++] = in.p[i];
	}
	out[n] = '\0';
	return true;
}

/* ---- what an element is ---- */

/* The last '@' that no quotes hold, or NULL. */
static const char *
find_at(struct slice in)
{
	const char *at = NULL;
	bool quoted = false;
	size_t i;

	for (i = 0; i < in.len; i++) {
		if (in.p[i] == '\\' && quoted)
			i++;
		else if (in.p[i] == '"')
			quoted = !quoted;
		else if (in.p[i] == '@' && !quoted)
			at = in.p + i;
	}
	return at;
}

/* Names of users and aliases: what login names and local parts have, which may
 * be UTF-8 (RFC 6531). */
static bool
is_name(const char *s)
{
	if (*s == '\0' || strlen(s) > LOCAL_PART_MAX ||
	    !slice_is_utf8(slice_of(s)))
		return false;
	for (; *s != '\0'; s++) {
		if (!isalnum((unsigned char)*s) && (unsigned char)*s < 0x80 &&
		    strchr("!#$%&'*+-./=?^_`{}~", *s) == NULL)
			return false;
	}
	return true;
}

/* Quotes around what needs none: RFC 5321 4.1.2 has both forms mean the same.
 * Others stay, so that what is in them is taken for nothing else. */
static struct slice
local_plain(struct slice local)
{
	char probe[LOCAL_PART_MAX + 16];
	struct slice inner = { local.p + 1, local.len - 2 };

	if (local.len < 3 || local.p[0] != '"' ||
	    local.p[local.len - 1] != '"' || inner.len > LOCAL_PART_MAX ||
	    memchr(inner.p, '\0', inner.len) != NULL || inner.p[0] == '"')
		return local;
	snprintf(probe, sizeof(probe), "%.*s@a.example", (int)inner.len,
	    inner.p);
	return smtp_mailbox_check_utf8(slice_of(probe)) == NULL ? inner : local;
}

const char *
node_address(struct slice in, const char *domain, char out[ADDR_MAX + 1])
{
	const char *at = find_at(in), *why;
	struct slice local = in, name = slice_of(domain);
	char ascii[DOMAIN_MAX + 1];
	int n;

	out[0] = '\0';
	if (in.len == 0)
		return "an address that is empty";
	if (at != NULL) {
		local.len = (size_t)(at - in.p);
		name = (struct slice){ at + 1, in.len - local.len - 1 };
	}
	if (local.len > smtp_local_max(local) || name.len > 4 * DOMAIN_MAX)
		return "an address that is too long";
	if (memchr(local.p, '\0', local.len) != NULL)
		return "an address with a NUL byte";
	if (name.len != 0 && name.p[0] == '[') {
		if (!slice_copy(name, ascii, sizeof(ascii)))
			return "an address with a bad domain";
	} else if (idn_domain(name, ascii) != NULL)
		return "an address with a bad domain";
	local = local_plain(local);
	n = snprintf(out, ADDR_MAX + 1, "%.*s@%s", (int)local.len, local.p,
	    ascii);
	if (n < 0 || n > ADDR_MAX)
		why = "an address that is too long";
	else
		why = smtp_mailbox_check_utf8(slice_of(out));
	if (why != NULL)
		out[0] = '\0';
	return why;
}

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++) {
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return true;
	}
	return false;
}

static const char *
by_prefix(const struct prefix *prefix, const char *text, struct node *node)
{
	struct slice s = slice_trim(slice_of(text + prefix->skip));

	node->kind = prefix->kind;
	/* Some write |"command" where others write "|command". */
	if (node->kind == NODE_PIPE ?
		unquote(s, node->text, sizeof(node->text)) :
		slice_copy(s, node->text, sizeof(node->text)))
		return NULL;
	node->kind = NODE_END;
	return "an element that is too long";
}

static const char *
classify(const char *text, struct node *node)
{
	const struct prefix *prefix = prefix_of(slice_of(text));
	const char *why;

	if (has_control(text))
		return "control characters";
	if (prefix != NULL)
		return by_prefix(prefix, text, node);
	if (find_at(slice_of(text)) != NULL) {
		why = node_address(slice_of(text), "", node->text);
		node->kind = why == NULL ? NODE_ADDRESS : NODE_END;
		return why;
	}
	/* Postfix has it mean the home.  Taken for a name, it would have the
	 * mail returned. */
	if (begins_with(slice_of(text), SLICE("~/")))
		return "a path that begins with ~, not with /";
	node->kind = *text == '\\' ? NODE_SAME : NODE_USER;
	text += *text == '\\';
	if (!is_name(text)) {
		node->kind = NODE_END;
		return "what is neither an address nor the name of a user";
	}
	snprintf(node->text, sizeof(node->text), "%s", text);
	text_lower(node->text);
	return NULL;
}

const char *
node_next(struct slice *rest, struct node *node)
{
	char text[NODE_TEXT_MAX + 1];
	struct slice in;
	const char *why;

	node->kind = NODE_END;
	node->text[0] = '\0';
	while (rest->len > 0 &&
	    (rest->p[0] == ',' || slice_is_space(rest->p[0]))) {
		rest->p++;
		rest->len--;
	}
	if (rest->len == 0)
		return NULL;
	in = element(rest, &why);
	if (why != NULL)
		return why;
	if (!unquote(in, text, sizeof(text)))
		return "an element that is too long, or has a NUL byte";
	return classify(text, node);
}

bool
node_line(struct slice *rest, struct slice *line, uint32_t *number)
{
	const char *nl;

	while (rest->len > 0) {
		nl = memchr(rest->p, '\n', rest->len);
		*line = (struct slice){ rest->p,
			nl != NULL ? (size_t)(nl - rest->p) : rest->len };
		rest->p += line->len + (nl != NULL);
		rest->len -= line->len + (nl != NULL);
		(*number)++;
		*line = slice_strip(*line);
		if (line->len > 0 && line->p[0] != '#')
			return true;
	}
	return false;
}

/* ---- errors ---- */

/* "550" and a blank or the end: 0 if text does not begin like that. */
static unsigned int
take_code(const char **text)
{
	const char *p = *text;
	unsigned int code;

	if (!isdigit((unsigned char)p[0]) || !isdigit((unsigned char)p[1]) ||
	    !isdigit((unsigned char)p[2]) ||
	    (p[3] != '\0' && !slice_is_space(p[3])))
		return 0;
	code = (unsigned int)((p[0] - '0') * 100 + (p[1] - '0') * 10 +
	    (p[2] - '0'));
	for (p += 3; slice_is_space(*p); p++)
		;
	*text = p;
	return code;
}

/* "5.1.1" of that class, and a blank or the end: its length, 0 if not. */
static size_t
ecode_len(const char *text, char class)
{
	size_t i, dots = 0, digits = 0;

	if (text[0] != class || text[1] != '.')
		return 0;
	for (i = 1; text[i] != '\0' && !slice_is_space(text[i]); i++) {
		if (text[i] == '.' && (i == 1 || digits > 0)) {
			dots++;
			digits = 0;
		} else if (isdigit((unsigned char)text[i]) && digits < 3)
			digits++;
		else
			return 0;
	}
	return dots == 2 && digits > 0 && i <= 9 ? i : 0;
}

/* What a reply may hold: printable ASCII. */
static void
plain(const char *in, char *out, size_t size)
{
	size_t i;

	for (i = 0; in[i] != '\0' && i + 1 < size; i++)
		out[i] = in[i] < ' ' || in[i] > '~' ? '?' : in[i];
	out[i] = '\0';
}

const char *
node_reply(const char *text, unsigned int usual, unsigned int *code,
    char ecode[NODE_ECODE_SIZE])
{
	size_t len;

	if ((*code = take_code(&text)) == 0)
		*code = usual;
	ecode[0] = '\0';
	if (*code < 400 || *code > 599)
		return text;
	if ((len = ecode_len(text, *code < 500 ? '4' : '5')) == 0)
		return text;
	memcpy(ecode, text, len);
	ecode[len] = '\0';
	for (text += len; slice_is_space(*text); text++)
		;
	return text;
}

void
node_error(const struct node *node, struct outcome *o)
{
	char said[OUTCOME_TEXT_MAX + 1], ecode[NODE_ECODE_SIZE];
	const char *text;
	unsigned int code;
	bool later;

	text = node_reply(node->text, node->kind == NODE_DEFER ? 451 : 550,
	    &code, ecode);
	if (code < 400 || code > 599) {
		outcome_set(o, LATER, WIDTH_RCPT, 451, "4.3.5",
		    "an error that a table has for this recipient has a wrong code");
		return;
	}
	/* It would say that the session ends: RFC 5321 3.8. */
	if (code == 421)
		code = 451;
	later = code < 500;
	plain(text, said, sizeof(said));
	outcome_set(o, later ? LATER : NEVER, WIDTH_RCPT, code,
	    ecode[0] != '\0' ? ecode :
		later        ? "4.2.1" :
			       "5.2.1",
	    "%s",
	    said[0] != '\0' ? said :
		later       ? "try again later" :
			      "this mailbox takes no mail");
}
