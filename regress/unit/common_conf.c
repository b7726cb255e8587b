/*
 * The image of a configuration: what conf_map() takes, and that it refuses
 * each span and each index that would lead outside.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf.h"

#include <sys/mman.h>

#include <errno.h>

#include "conf_image.h"
#include "unit.h"

/* A configuration with a row of everything. */
static struct conf *
whole(void)
{
	struct conf *c = image_new();
	struct conf_entry entry = { .key = image_text(c, "example.org") };
	struct conf_cond cond = { .kind = COND_FROM_SRC, .table = 0 };
	struct conf_ref ref = { 0 };
	struct conf_host host = { .port = 25 };
	struct conf_step step = { 300, 1 };
	struct conf_table table = { .name = image_text(c, "t") };
	struct conf_pki pki = { 0 };
	struct conf_ca ca = { 0 };
	struct conf_proc proc = { 0 };
	struct conf_filter filter = { .table = CONF_NONE };
	struct conf_listen listen = { .ca = CONF_NONE,
		.auth_table = CONF_NONE,
		.hostnames = CONF_NONE,
		.senders = CONF_NONE,
		.proxy = CONF_NONE,
		.xclient = CONF_NONE,
		.submission_table = CONF_NONE };
	struct conf_wrapper wrapper = { 0 };
	struct conf_action action = { .alias = 0,
		.virtual_ = CONF_NONE,
		.userbase = CONF_NONE,
		.wrapper = 0,
		.host_table = CONF_NONE,
		.domain = CONF_NONE,
		.auth = CONF_NONE,
		.src = CONF_NONE,
		.helo_src = CONF_NONE };
	struct conf_match match = { .action = 0 };
	struct conf_dkim dkim = { 0 };
	struct conf_retry retry = { 0 };
	struct conf_limit limit = { 0 };
	struct conf_other other = { 0 };
	struct conf_tls tls = { 0 };
	struct conf_token token = { 0 };
	struct conf_oauth oauth = { 0 };
	struct conf_dnslist dnslist = { 0 };

	c->limit_except = 0;
	c->grey_except = CONF_NONE;
	image_rows(c, &table.entries, &entry, 1, sizeof(entry));
	image_rows(c, &filter.member, &ref, 1, sizeof(ref));
	image_rows(c, &listen.pki, &ref, 1, sizeof(ref));
	image_rows(c, &listen.filter, &ref, 1, sizeof(ref));
	image_rows(c, &action.host, &host, 1, sizeof(host));
	image_rows(c, &action.filter, &ref, 1, sizeof(ref));
	image_rows(c, &match.cond, &cond, 1, sizeof(cond));
	image_rows(c, &retry.domain, &entry, 1, sizeof(entry));
	image_rows(c, &retry.step, &step, 1, sizeof(step));
	image_rows(c, &limit.domain, &entry, 1, sizeof(entry));
	image_rows(c, &limit.mx, &entry, 1, sizeof(entry));
	image_rows(c, &tls.domain, &entry, 1, sizeof(entry));
	image_rows(c, &tls.name, &entry, 1, sizeof(entry));
	image_rows(c, &dnslist.answer, &entry, 1, sizeof(entry));
	image_rows(c, &c->table, &table, 1, sizeof(table));
	image_rows(c, &c->pki, &pki, 1, sizeof(pki));
	image_rows(c, &c->ca, &ca, 1, sizeof(ca));
	image_rows(c, &c->proc, &proc, 1, sizeof(proc));
	image_rows(c, &c->filter, &filter, 1, sizeof(filter));
	image_rows(c, &c->listen, &listen, 1, sizeof(listen));
	image_rows(c, &c->wrapper, &wrapper, 1, sizeof(wrapper));
	image_rows(c, &c->action, &action, 1, sizeof(action));
	image_rows(c, &c->match, &match, 1, sizeof(match));
	image_rows(c, &c->dkim, &dkim, 1, sizeof(dkim));
	image_rows(c, &c->retry, &retry, 1, sizeof(retry));
	image_rows(c, &c->limit, &limit, 1, sizeof(limit));
	image_rows(c, &c->other, &other, 1, sizeof(other));
	image_rows(c, &c->tls, &tls, 1, sizeof(tls));
	image_rows(c, &c->token, &token, 1, sizeof(token));
	image_rows(c, &c->oauth, &oauth, 1, sizeof(oauth));
	image_rows(c, &c->dnslist, &dnslist, 1, sizeof(dnslist));
	image_rows(c, &c->local_addr, &entry, 1, sizeof(entry));
	return c;
}

/* Whether it can be sealed and mapped. */
static bool
maps(const struct conf *c)
{
	const struct conf *seen;
	int fd = conf_seal(c, c->size);

	if (fd == -1 || (seen = conf_map(fd)) == NULL)
		return false;
	munmap((void *)(uintptr_t)seen, seen->size);
	return true;
}

#define ROW(c, span, name)                                                     \
	((struct conf_##name *)(void *)((char *)(c) + (c)->span.off))

/* Columns: what is wrong, how it is made so. */
#define WRONG(X)                                                               \
	X("table's entries", ROW(c, table, table)->entries.n = 1 << 20)        \
	X("chain's member", ROW(c, filter, filter)->member.off = IMAGE_SIZE)   \
	X("listener's pki", ROW(c, listen, listen)->pki.off = 8)               \
	X("listener's filter", ROW(c, listen, listen)->filter.n = UINT32_MAX)  \
	X("action's host", ROW(c, action, action)->host.off += 2)              \
	X("action's filter", ROW(c, action, action)->filter.off = UINT32_MAX)  \
	X("rule's condition", ROW(c, match, match)->cond.n = UINT32_MAX)       \
	X("retry's domain", ROW(c, retry, retry)->domain.n = UINT32_MAX)       \
	X("retry's step", ROW(c, retry, retry)->step.n = UINT32_MAX)           \
	X("limit's domain", ROW(c, limit, limit)->domain.n = UINT32_MAX)       \
	X("limit's mx", ROW(c, limit, limit)->mx.off += 2)                     \
	X("domain of tls", ROW(c, tls, tls)->domain.n = UINT32_MAX)            \
	X("name of tls", ROW(c, tls, tls)->name.off = IMAGE_SIZE)              \
	X("list's answers", ROW(c, dnslist, dnslist)->answer.n = UINT32_MAX)   \
	X("filter's proc", ROW(c, filter, filter)->proc = 1)                   \
	X("filter's table", ROW(c, filter, filter)->table = 1)                 \
	X("listener's ca", ROW(c, listen, listen)->ca = 1)                     \
	X("listener's auth", ROW(c, listen, listen)->auth_table = 1)           \
	X("listener's hostnames", ROW(c, listen, listen)->hostnames = 1)       \
	X("listener's senders", ROW(c, listen, listen)->senders = 1)           \
	X("listener's proxy", ROW(c, listen, listen)->proxy = 1)               \
	X("listener's xclient", ROW(c, listen, listen)->xclient = 1)           \
	X("listener's submission",                                             \
	    ROW(c, listen, listen)->submission_table = 1)                      \
	X("clients without limits", c->limit_except = 1)                       \
	X("clients that need not wait", c->grey_except = 1)                    \
	X("action's alias", ROW(c, action, action)->alias = 1)                 \
	X("action's virtual", ROW(c, action, action)->virtual_ = 1)            \
	X("action's userbase", ROW(c, action, action)->userbase = 1)           \
	X("action's wrapper", ROW(c, action, action)->wrapper = 1)             \
	X("action's hosts", ROW(c, action, action)->host_table = 1)            \
	X("action's domain", ROW(c, action, action)->domain = 1)               \
	X("action's auth", ROW(c, action, action)->auth = 1)                   \
	X("action's src", ROW(c, action, action)->src = 1)                     \
	X("action's helo-src", ROW(c, action, action)->helo_src = 1)           \
	X("rule's action", ROW(c, match, match)->action = 1)                   \
	X("condition's table",                                                 \
	    ((struct conf_cond *)(void *)((char *)c +                          \
		 ROW(c, match, match)->cond.off))                              \
		->table = 1)                                                   \
	X("member of a chain",                                                 \
	    ((struct conf_ref *)(void *)((char *)c +                           \
		 ROW(c, filter, filter)->member.off))                          \
		->i = 1)                                                       \
	X("pki of a listener",                                                 \
	    ((struct conf_ref *)(void *)((char *)c +                           \
		 ROW(c, listen, listen)->pki.off))                             \
		->i = 1)                                                       \
	X("filter of a listener",                                              \
	    ((struct conf_ref *)(void *)((char *)c +                           \
		 ROW(c, listen, listen)->filter.off))                          \
		->i = 1)                                                       \
	X("filter of an action",                                               \
	    ((struct conf_ref *)(void *)((char *)c +                           \
		 ROW(c, action, action)->filter.off))                          \
		->i = 1)                                                       \
	X("span of tables", c->table.n = UINT32_MAX)                           \
	X("span of issuers", c->oauth.n = UINT32_MAX)                          \
	X("span of tls", c->tls.n = UINT32_MAX)                                \
	X("span of tokens", c->token.off = IMAGE_SIZE)                         \
	X("span of lists", c->dnslist.off = IMAGE_SIZE)                        \
	X("span of rules", c->match.off = IMAGE_SIZE)                          \
	X("span that is not aligned", c->action.off += 4)                      \
	X("span over the struct", c->pki.off = 8)                              \
	X("pool without an end",                                               \
	    ((char *)c)[IMAGE_POOL + c->pool.n - 1] = 'x')                     \
	X("pool without a beginning", ((char *)c)[IMAGE_POOL] = 'x')           \
	X("pool outside", c->pool.n = IMAGE_SIZE)                              \
	X("no pool", c->pool.n = 0)                                            \
	X("magic", c->magic++)

static void
test_map(void)
{
	struct conf *c = whole();
	int fd;

	CHECK("whole", maps(c));
	free(c);
#define X(name, how)                                                           \
	c = whole();                                                           \
	how;                                                                   \
	CHECK("wrong: " name, !maps(c));                                       \
	free(c);
	WRONG(X)
#undef X
	c = whole();
	fd = conf_seal(c, c->size - 8);
	CHECK("cut short", fd != -1 && conf_map(fd) == NULL);
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK("not sealed",
	    fd != -1 && write(fd, c, c->size) == (ssize_t)c->size &&
		conf_map(fd) == NULL && errno == EPERM);
	free(c);
}

static void
test_at(void)
{
	struct conf *c = image_new();
	struct conf_at at = { image_text(c, "/etc/postern/smtpd.conf"), 12 };
	char out[CONF_AT_MAX];

	CHECK("a line has its file",
	    strcmp(conf_at_print(c, &at, out, sizeof(out)),
		"/etc/postern/smtpd.conf:12") == 0);
	at.line = 0;
	CHECK("nobody's line",
	    strcmp(conf_at_print(c, &at, out, sizeof(out)), "default") == 0);
	at.line = 7;
	CHECK("cut", strlen(conf_at_print(c, &at, out, 8)) == 7);
	free(c);
}

int
main(void)
{
	test_map();
	test_at();
	return unit_end();
}
