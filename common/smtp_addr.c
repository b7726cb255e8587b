/*
 * Addresses and names of RFC 5321 4.1.2 and 4.1.3, and of RFC 6531 3.3 where
 * they may be UTF-8, checked.  Used by session, lookup, queue, deliver and
 * sendmail(8).  Never allocates, never changes what it reads, asks no DNS.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtp_addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

/* What an address may be written in. */
enum letters { ASCII, UTF8 };

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* RFC 5322 3.2.3 */
static bool
is_atext(char c)
{
	return is_alnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Bytes of the character at in.p[i] that is not ASCII, 0 if it is, or is no
 * letter here.  RFC 6532 3.1 takes all of Unicode, but the controls from
 * U+0080 to U+009F are no letters for anybody. */
static size_t
wide(struct slice in, size_t i, enum letters letters)
{
	size_t n;

	if (letters == ASCII || (unsigned char)in.p[i] < 0x80)
		return 0;
	n = slice_utf8((struct slice){ in.p + i, in.len - i });
	if (n == 2 && (unsigned char)in.p[i] == 0xc2 &&
	    (unsigned char)in.p[i + 1] < 0xa0)
		return 0;
	return n;
}

static const char *
dot_string_check(struct slice in, enum letters letters)
{
	bool after_dot = true;
	size_t i, n;

	for (i = 0; i < in.len; i += n) {
		n = 1;
		if (in.p[i] == '.') {
			if (after_dot)
				return "a dot where a character should be";
			after_dot = true;
			continue;
		}
		if (!is_atext(in.p[i]) && (n = wide(in, i, letters)) == 0)
			return "a character that needs quotes";
		after_dot = false;
	}
	return after_dot ? "the local part ends in a dot" : NULL;
}

/* With its quotes. */
static const char *
quoted_check(struct slice in, enum letters letters)
{
	size_t i, n;

	if (in.len < 2 || in.p[in.len - 1] != '"')
		return "no closing quote";
	for (i = 1; i < in.len - 1; i += n) {
		n = 1;
		if (in.p[i] == '"')
			return "a quote inside quotes";
		if (in.p[i] == '\\' && ++i == in.len - 1)
			return "no closing quote";
		if ((in.p[i] < ' ' || in.p[i] > '~') &&
		    (n = wide(in, i, letters)) == 0)
			return "a character that may not be quoted";
	}
	return NULL;
}

/* Where the first c is that no quotes hold; in.len if nowhere. */
static size_t
unquoted(struct slice in, char c)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < in.len; i++) {
		if (in.p[i] == '"')
			quoted = !quoted;
		else if (quoted && in.p[i] == '\\')
			i++;
		else if (!quoted && in.p[i] == c)
			return i;
	}
	return in.len;
}

static const char *
domain_check(struct slice in, enum letters letters)
{
	size_t i, n, label = 0;

	if (in.len == 0)
		return "no domain";
	if (in.len > DOMAIN_MAX)
		return "the domain is too long";
	for (i = 0; i < in.len; i += n) {
		n = 1;
		if (in.p[i] == '.') {
			if (label == 0)
				return "an empty label in the domain";
			if (in.p[i - 1] == '-')
				return "a label that ends in a hyphen";
			label = 0;
			continue;
		}
		if (in.p[i] == '-' && label == 0)
			return "a label that begins with a hyphen";
		if (!is_alnum(in.p[i]) && in.p[i] != '-' &&
		    (n = wide(in, i, letters)) == 0)
			return "a character that no domain has";
		/* In octets; as an A-label it is longer (common/idn.c). */
		if ((label += n) > LABEL_MAX)
			return "a label of more than 63 characters";
	}
	if (label == 0)
		return "the domain ends in a dot";
	return in.p[in.len - 1] == '-' ? "a label that ends in a hyphen" : NULL;
}

const char *
smtp_domain_check(struct slice in)
{
	return domain_check(in, ASCII);
}

const char *
smtp_literal_parse(struct slice in, char *ip)
{
	static const struct slice tag = { "IPv6:", 5 };
	struct in6_addr addr;
	int family = AF_INET;
	char text[IP_TEXT_MAX + 1];

	ip[0] = '\0';
	if (in.len < 2 || in.p[0] != '[' || in.p[in.len - 1] != ']')
		return "no address in brackets";
	in.p++;
	in.len -= 2;
	if (in.len > tag.len &&
	    slice_eqcase((struct slice){ in.p, tag.len }, tag)) {
		family = AF_INET6;
		in.p += tag.len;
		in.len -= tag.len;
	}
	if (!slice_copy(in, text, sizeof text) ||
	    inet_pton(family, text, &addr) != 1 ||
	    inet_ntop(family, &addr, ip, IP_TEXT_MAX + 1) == NULL) {
		ip[0] = '\0';
		return "not an address in the brackets";
	}
	return NULL;
}

size_t
smtp_local_max(struct slice local)
{
	static const struct slice tags[] = { { "SRS0", 4 }, { "SRS1", 4 } };
	size_t i;

	if (local.len > 0 && local.p[0] == '"') {
		local.p++;
		local.len--;
	}
	if (local.len < 5 || memchr("=+-", local.p[4], 3) == NULL)
		return LOCAL_PART_MAX;
	for (i = 0; i < sizeof tags / sizeof tags[0]; i++) {
		if (slice_eqcase((struct slice){ local.p, 4 }, tags[i]))
			return ADDR_MAX;
	}
	return LOCAL_PART_MAX;
}

static const char *
mailbox_check(struct slice in, enum letters letters)
{
	size_t at = unquoted(in, '@');
	struct slice local = { in.p, at }, domain;
	char ip[IP_TEXT_MAX + 1];
	const char *why;

	if (in.len > ADDR_MAX)
		return "the address is too long";
	if (at == in.len)
		return "no domain";
	if (at == 0)
		return "no local part";
	if (at > smtp_local_max(local))
		return "the local part is too long";
	why = local.p[0] == '"' ? quoted_check(local, letters) :
				  dot_string_check(local, letters);
	if (why != NULL)
		return why;
	domain = (struct slice){ in.p + at + 1, in.len - at - 1 };
	if (domain.len > 0 && domain.p[0] == '[')
		return smtp_literal_parse(domain, ip);
	return domain_check(domain, letters);
}

const char *
smtp_mailbox_check(struct slice in)
{
	return mailbox_check(in, ASCII);
}

const char *
smtp_mailbox_check_utf8(struct slice in)
{
	return mailbox_check(in, UTF8);
}

/* RFC 5321 appendix C: "@one,@two:" before the mailbox is read and dropped.
 * Steps over it. */
static const char *
source_route(struct slice *in, enum letters letters)
{
	struct slice domain;
	const char *colon, *why;
	size_t i, len;

	if (in->len == 0 || in->p[0] != '@')
		return NULL;
	if ((colon = memchr(in->p, ':', in->len)) == NULL)
		return "a source route without its colon";
	len = (size_t)(colon - in->p);
	if (in->p[len - 1] == ',')
		return "a source route that ends in a comma";
	for (i = 0; i < len; i += domain.len + 1) {
		if (in->p[i++] != '@')
			return "a source route without its '@'";
		domain = (struct slice){ in->p + i, 0 };
		while (i + domain.len < len && domain.p[domain.len] != ',')
			domain.len++;
		if ((why = domain_check(domain, letters)) != NULL)
			return why;
	}
	in->p += len + 1;
	in->len -= len + 1;
	return NULL;
}

static const char *
path_parse(struct slice in, char *addr, struct slice *rest,
    enum letters letters)
{
	struct slice path;
	const char *why;
	size_t end;

	addr[0] = '\0';
	*rest = (struct slice){ in.p, 0 };
	if (in.len == 0 || in.p[0] != '<')
		return "no '<' before the address";
	if ((end = unquoted(in, '>')) >= in.len)
		return "no '>' after the address";
	path = (struct slice){ in.p + 1, end - 1 };
	if (path.len != 0) {
		if ((why = source_route(&path, letters)) != NULL)
			return why;
		if ((why = mailbox_check(path, letters)) != NULL)
			return why;
		if (!slice_copy(path, addr, ADDR_MAX + 1))
			return "the address is too long";
	}
	*rest = (struct slice){ in.p + end + 1, in.len - end - 1 };
	return NULL;
}

const char *
smtp_path_parse(struct slice in, char *addr, struct slice *rest)
{
	return path_parse(in, addr, rest, ASCII);
}

const char *
smtp_path_parse_utf8(struct slice in, char *addr, struct slice *rest)
{
	return path_parse(in, addr, rest, UTF8);
}

bool
smtp_labels_check(const char *name, unsigned int least)
{
	unsigned int labels = 0;
	size_t len;

	for (;; name += len + 1) {
		len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");
		if (len == 0 || len > LABEL_MAX)
			return false;
		labels++;
		if (name[len] == '\0')
			return labels >= least;
		if (name[len] != '.')
			return false;
	}
}

bool
smtp_domain_is_below(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	if (d == 0 || n < d || strcasecmp(name + n - d, domain) != 0)
		return false;
	return n == d || name[n - d - 1] == '.';
}

const char *
smtp_addr_domain(const char *addr)
{
	const char *at = strrchr(addr, '@');

	return at == NULL ? "" : at + 1;
}

const char *
smtp_addr_rewrite(const char *how, const char *own,
    char out[SMTP_REWRITTEN_SIZE])
{
	const char *at = strrchr(how, '@'), *own_at = strrchr(own, '@');
	const char *user = how, *domain = smtp_addr_domain(how);
	size_t len = at == NULL ? strlen(how) : (size_t)(at - how);

	if (how[0] == '\0' || own_at == NULL || own_at == own)
		return own;
	if (len == 0) {
		user = own;
		len = (size_t)(own_at - own);
	}
	if (domain[0] == '\0')
		domain = own_at + 1;
	snprintf(out, SMTP_REWRITTEN_SIZE, "%.*s@%s", (int)len, user, domain);
	return out;
}
