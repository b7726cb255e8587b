/*
 * Greylisting: what makes a triplet, and whether it may pass.  Used by queue;
 * keeps nothing, asks nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "grey.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#define REFRESH 64 /* a time is kept anew when it is keep / 64 old */

/* ---- the network ---- */

static void
net_of(const char *client, char out[IP_TEXT_MAX + 1])
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	struct in_addr in;
	bool four = inet_pton(AF_INET, client, &in) == 1;

	if (!four && inet_pton(AF_INET6, client, &in6) != 1) {
		/* Of no family that has networks: itself. */
		strlcpy(out, client, IP_TEXT_MAX + 1);
		return;
	}
	if (!four && IN6_IS_ADDR_V4MAPPED(&in6)) {
		memcpy(&in, in6.s6_addr + 12, sizeof in);
		four = true;
	}
	if (four) {
		in.s_addr &= htonl(0xffffff00);
		inet_ntop(AF_INET, &in, text, sizeof text);
	} else {
		memset(in6.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &in6, text, sizeof text);
	}
	snprintf(out, IP_TEXT_MAX + 1, "%s/%d", text, four ? 24 : 64);
}

/* ---- the sender ---- */

static void
lower(char *out, const char *in)
{
	size_t i;

	for (i = 0; in[i] != '\0' && i < ADDR_MAX; i++)
		out[i] = (char)tolower((unsigned char)in[i]);
	out[i] = '\0';
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (c & 0x80) != 0;
}

/* Behind the n-th '=' of text; NULL: it has fewer. */
static const char *
behind_equals(const char *text, int n)
{
	for (; n > 0 && text != NULL; n--) {
		text = strchr(text, '=');
		if (text != NULL)
			text++;
	}
	return text;
}

/*
 * What is signed anew for each message or day: "srs0=hash=day=domain=user" is
 * "domain=user", "srs1=hash=..." what follows the hash, and
 * "prvs=tag=user" (BATV) "user".
 */
static const char *
unsigned_part(const char *local)
{
	/* Columns: how it begins, '=' to what stays.  SRS puts '=', '+' or '-'
	 * behind its name. */
	static const struct {
		const char *word;
		int equals;
	} rows[] = {
		{ "srs0=", 3 },
		{ "srs0+", 2 },
		{ "srs0-", 2 },
		{ "srs1=", 2 },
		{ "srs1+", 1 },
		{ "srs1-", 1 },
		{ "prvs=", 2 },
	};
	const char *rest;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strncmp(local, rows[i].word, strlen(rows[i].word)) != 0)
			continue;
		rest = behind_equals(local, rows[i].equals);
		return rest == NULL ? local : rest;
	}
	return local;
}

/*
 * The local part, at most to its end at `end`, into out: without what follows
 * a '+', and words of digits alone as '#', as in "bounce-1234-joe=a.test"
 * (VERP).  Returns its length.
 */
static size_t
fold_local(const char *local, const char *end, char *out)
{
	size_t n = 0, i, word;
	bool digits;

	while (local < end && *local != '+') {
		digits = true;
		for (word = 0; local + word < end && is_word(local[word]);
		     word++)
			digits = digits && isdigit((unsigned char)local[word]);
		if (word > 0 && digits) {
			out[n++] = '#';
			local += word;
			continue;
		}
		if (word == 0)
			word = 1;
		for (i = 0; i < word; i++)
			out[n++] = local[i];
		local += word;
	}
	return n;
}

static void
sender_of(const char *sender, char out[ADDR_MAX + 1])
{
	char addr[ADDR_MAX + 1];
	const char *at, *local;
	size_t n;

	lower(addr, sender);
	local = addr;
	at = strrchr(addr, '@');
	if (at == NULL || at == addr) {
		memcpy(out, addr, sizeof addr);
		return;
	}
	local = unsigned_part(addr);
	if (local >= at)
		local = addr;
	n = fold_local(local, at, out);
	strlcpy(out + n, at, ADDR_MAX + 1 - n);
}

void
grey_triplet_of(const struct grey_ask *ask, struct grey_triplet *t)
{
	memset(t, 0, sizeof *t);
	net_of(ask->client, t->net);
	sender_of(ask->sender, t->sender);
	lower(t->rcpt, ask->rcpt);
}

/* ---- judging ---- */

int64_t
grey_due(const struct grey_times *times, const struct grey_known *k)
{
	if (k->last != 0)
		return k->last + times->keep;
	return k->first + times->window;
}

/* True if it has passed and is still known for it. */
static bool
is_kept(const struct grey_times *times, int64_t now, const struct grey_known *k)
{
	return k->last != 0 && now < k->last + times->keep;
}

/* It passes once more: written only where that makes a difference. */
static void
refresh(const struct grey_times *times, int64_t now, struct grey_known *k)
{
	if (now < k->last || now - k->last > times->keep / REFRESH)
		k->last = now;
}

bool
grey_judge(const struct grey_times *times, int64_t now,
    struct grey_known *triplet, struct grey_known *net, uint32_t *wait)
{
	int64_t age;

	*wait = 0;
	if (!is_kept(times, now, net))
		*net = (struct grey_known){ 0 };
	if (net->n >= GREY_PASSES) {
		refresh(times, now, net);
		return true;
	}
	if (is_kept(times, now, triplet)) {
		refresh(times, now, triplet);
		return true;
	}
	age = now - triplet->first;
	/* Of a time to come: the clock was put back. */
	if (triplet->first == 0 || triplet->last != 0 || age < 0 ||
	    age >= times->window) {
		*triplet = (struct grey_known){ .first = now };
		age = 0;
	}
	if (age < times->delay) {
		*wait = (uint32_t)(times->delay - age);
		return false;
	}
	triplet->last = now;
	net->n++;
	net->last = now;
	return true;
}
