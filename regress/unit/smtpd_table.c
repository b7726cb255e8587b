/*
 * smtpd/lookup_table.c and what it is made of: each kind of table, each
 * service, and what becomes of questions when a table is read anew.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <fcntl.h>
#include <lmdb.h>
#include <xxhash.h>

#include "conf_image.h"
#include "log.h"
#include "lookup_store.h"
#include "lookup_table.h"
#include "lookup_users.h"
#include "table_file.h"

/* ---- a configuration with one table ---- */

/* What is not freed before the end, so that nothing looks lost. */
static struct conf *images[256];
static unsigned int n_images;

static struct conf *
new_image(void)
{
	if (n_images == sizeof(images) / sizeof(images[0]))
		abort();
	return images[n_images++] = image_new();
}

static struct tables *
table_of(enum conf_table_kind kind, uint32_t services,
    const struct conf_entry *entries, uint32_t n, struct conf *c)
{
	struct conf_table row = { .kind = (uint8_t)kind, .services = services };

	row.name = image_text(c, "t");
	c->sub_addr_delim = '+';
	if (n != 0)
		image_rows(c, &row.entries, entries, n, sizeof(*entries));
	image_rows(c, &c->table, &row, 1, sizeof(row));
	return tables_new(c);
}

/* "key" or "key=value", up to NULL. */
static struct tables *
inline_table(enum conf_table_kind kind, uint32_t services,
    const char *const *list)
{
	struct conf_entry entries[64];
	struct conf *c = new_image();
	char key[256], *eq;
	uint32_t n;

	for (n = 0; list[n] != NULL; n++) {
		snprintf(key, sizeof(key), "%s", list[n]);
		eq = kind == TABLE_MAP ? strchr(key, '=') : NULL;
		if (eq != NULL)
			*eq++ = '\0';
		entries[n].key = image_text(c, key);
		entries[n].value = eq == NULL ? 0 : image_text(c, eq);
	}
	return table_of(kind, services, entries, n, c);
}

static int
file_with(const void *p, size_t len)
{
	char path[] = "/tmp/unit-table-XXXXXX";
	int fd = mkstemp(path);

	if (fd == -1 || unlink(path) == -1 || write(fd, p, len) != (ssize_t)len)
		abort();
	return fd;
}

static void
no_answer(void *arg, enum table_answer a, const char *value)
{
	(void)arg;
	(void)a;
	(void)value;
	abort();
}

/* The answer: "?" unknown, "-" no, "+" yes, "+value". */
static const char *
ask(struct tables *ts, enum conf_service s, const char *key)
{
	static char text[1024];
	struct table_req req = { 0 };
	enum table_answer a;
	struct buf value;

	buf_init(&value, 0);
	a = table_ask(tables_row(ts, 0), s, key, &value, &req, no_answer, NULL);
	snprintf(text, sizeof(text), "%s%.*s",
	    a == TABLE_YES    ? "+" :
		a == TABLE_NO ? "-" :
				"?",
	    (int)value.len, (const char *)buf_data(&value));
	buf_free(&value);
	return req.cancel == NULL ? text : "!";
}

struct question {
	const char *key, *answer;
};

static void
ask_all(struct tables *ts, enum conf_service s, const char *name,
    const struct question *q)
{
	char text[1200];
	const char *is;

	for (; q->answer != NULL; q++) {
		is = ask(ts, s, q->key);
		snprintf(text, sizeof(text), "%s: %s %s%s%s", name,
		    q->key == NULL ? "(next)" : q->key, q->answer,
		    strcmp(is, q->answer) == 0 ? "" : " is ",
		    strcmp(is, q->answer) == 0 ? "" : is);
		CHECK(text, strcmp(is, q->answer) == 0);
	}
}

/* ---- services ---- */

static const char *const domains[] = { "example.org", "Mixed.Example",
	".below.example", "*.star.example", "mail*.glob.example", "*x.y*",
	"m\xc3\xbcnchen.example", "*.k\xc3\xb6ln.example", "[192.0.2.1]",
	NULL };

static const struct question domain_questions[] = {
	{ "example.org", "+" },
	{ "EXAMPLE.ORG", "+" },
	{ "mixed.example", "+" },
	{ "a.example.org", "-" },
	{ "aexample.org", "-" },
	{ "example.or", "-" },
	{ "below.example", "-" },
	{ "a.below.example", "+" },
	{ "A.b.Below.example", "+" },
	{ "abelow.example", "-" },
	{ "star.example", "-" },
	{ "a.star.example", "+" },
	{ "a.b.star.example", "+" },
	{ "mail.glob.example", "+" },
	{ "MAIL12.glob.example", "+" },
	{ "mai.glob.example", "-" },
	{ "mailglob.example", "-" },
	{ "ax.yb", "+" },
	{ "xx.y", "+" },
	{ "xn--mnchen-3ya.example", "+" },
	{ "M\xc3\x9cnchen.example", "+" },
	{ "a.xn--kln-sna.example", "+" },
	{ "a.k\xc3\xb6ln.example", "+" },
	{ "[192.0.2.1]", "+" },
	{ "[192.0.2.2]", "-" },
	{ "", "-" },
	{ ".", "-" },
	{ "..", "-" },
	{ NULL, NULL },
};

static const char *const nets[] = { "192.0.2.1", "10.0.0.0/8", "172.16.0.0/12",
	"2001:db8::/32", "2001:db9::1", "[198.51.100.7]", "local",
	"IPv6:2001:dba::/48", NULL };

static const struct question net_questions[] = {
	{ "192.0.2.1", "+" },
	{ "192.0.2.2", "-" },
	{ "10.255.255.255", "+" },
	{ "11.0.0.0", "-" },
	{ "172.31.255.255", "+" },
	{ "172.32.0.0", "-" },
	{ "198.51.100.7", "+" },
	{ "2001:db8:ffff::1", "+" },
	{ "2001:DB8::", "+" },
	{ "2001:db9::1", "+" },
	{ "2001:db9::2", "-" },
	{ "2001:dba::5", "+" },
	{ "2001:dba:1::5", "-" },
	{ "::ffff:10.1.2.3", "+" },
	{ "::ffff:11.1.2.3", "-" },
	{ "local", "+" },
	{ "", "-" },
	{ "example.org", "-" },
	{ "10.1.2", "-" },
	{ "10.1.2.3.4", "-" },
	{ NULL, NULL },
};

static const char *const addrs[] = { "joe@example.org", "tag+x@example.org",
	"@whole.example", "anywhere", "ann+list", "bob@*.star.example",
	"@.below.example", "eve@m*.glob.example", "@a*.any.example",
	"*@literal.example", "\"q u\"@example.org", "d@m\xc3\xbcnchen.example",
	NULL };

static const struct question addr_questions[] = {
	{ "joe@example.org", "+" },
	{ "JOE@Example.ORG", "+" },
	{ "joe+tag@example.org", "+" },
	{ "joe@other.example", "-" },
	{ "xjoe@example.org", "-" },
	{ "tag@example.org", "-" },
	{ "tag+x@example.org", "+" },
	{ "tag+y@example.org", "-" },
	{ "x@whole.example", "+" },
	{ "x+y@whole.example", "+" },
	{ "x@sub.whole.example", "-" },
	{ "anywhere@any.example", "+" },
	{ "anywhere+t@any.example", "+" },
	{ "ann@any.example", "-" },
	{ "ann+list@any.example", "+" },
	{ "bob@a.star.example", "+" },
	{ "bob+t@a.b.star.example", "+" },
	{ "bob@star.example", "-" },
	{ "rob@a.star.example", "-" },
	{ "x@a.below.example", "+" },
	{ "x@below.example", "-" },
	{ "eve@mx.glob.example", "+" },
	{ "eve+t@mx.glob.example", "+" },
	{ "adam@mx.glob.example", "-" },
	{ "x@abc.any.example", "+" },
	{ "x@bc.any.example", "-" },
	{ "x@literal.example", "-" },
	{ "*@literal.example", "+" },
	{ "\"q u\"@example.org", "+" },
	{ "d@xn--mnchen-3ya.example", "+" },
	{ "d@M\xc3\xbcnchen.example", "+" },
	{ "postmaster", "-" },
	{ "anywhere", "+" },
	{ "+x@nowhere.example", "-" },
	{ "", "-" },
	{ "@", "-" },
	{ NULL, NULL },
};

static const char *const everybody[] = { "@", NULL };

static const struct question everybody_questions[] = {
	{ "x@a.example", "+" },
	{ "", "+" },
	{ "@", "+" },
	{ "postmaster", "+" },
	{ NULL, NULL },
};

static const char *const regexes[] = { "^joe[0-9]+@", "(?i)\\.EXAMPLE$",
	"^x.*: y$", NULL };

static const struct question regex_questions[] = {
	{ "joe12@a", "+" },
	{ "JOE12@a", "+" },
	{ "joe@a", "-" },
	{ "a@b.example", "+" },
	{ "xy: y", "+" },
	{ "", "-" },
	{ NULL, NULL },
};

static const char *const bad_regexes[] = { "^joe", "(", NULL };

static const struct question bad_regex_questions[] = {
	{ "joe", "+" },
	{ "ann", "?" },
	{ NULL, NULL },
};

static const char *const aliases[] = { "root=joe, ann@example.org", "Ann=ann1",
	"@example.org=catch", "empty=", "j\xc3\xbcrgen=x", NULL };

static const struct question alias_questions[] = {
	{ "root", "+joe, ann@example.org" },
	{ "ROOT", "+joe, ann@example.org" },
	{ "ann", "+ann1" },
	{ "@example.org", "+catch" },
	{ "@EXAMPLE.org", "+catch" },
	{ "empty", "?" },
	{ "j\xc3\xbcrgen", "+x" },
	{ "joe", "-" },
	{ "", "-" },
	{ NULL, NULL },
};

static const char *const secrets[] = { "joe=$2b$hash", "label=user:pa:ss",
	"odd=:x", "odder=x:", NULL };

static const struct question secret_questions[] = {
	{ "joe", "+joe:$2b$hash" },
	{ "label", "+user:pa:ss" },
	{ "odd", "?" },
	{ "odder", "?" },
	{ "ann", "-" },
	{ NULL, NULL },
};

static const char *const infos[] = { "joe=1000:100:/home/joe",
	"a=0:0:/root:/bin", "b=1000:100", "c=x:1:/h", "d=1:4294967295:/h",
	"e=1:1:", "f=-1:1:/h", NULL };

static const struct question info_questions[] = {
	{ "joe", "+1000:100:/home/joe" },
	{ "a", "+0:0:/root:/bin" },
	{ "b", "?" },
	{ "c", "?" },
	{ "d", "?" },
	{ "e", "?" },
	{ "f", "?" },
	{ "g", "-" },
	{ NULL, NULL },
};

static const char *const names[] = { "192.0.2.1=one.example",
	"10.0.0.0/8=net.example", "::1=six.example", NULL };

static const struct question name_questions[] = {
	{ "192.0.2.1", "+one.example" },
	{ "[192.0.2.1]", "+one.example" },
	{ "10.1.2.3", "+net.example" },
	{ "::1", "+six.example" },
	{ "[IPv6:::1]", "+six.example" },
	{ "::2", "-" },
	{ "one.example", "-" },
	{ NULL, NULL },
};

static const char *const strings[] = { "One", "two words", "*.x", NULL };

static const struct question string_questions[] = {
	{ "one", "+" },
	{ "ONE", "+" },
	{ "two words", "+" },
	{ "*.x", "+" },
	{ "a.x", "-" },
	{ "", "-" },
	{ NULL, NULL },
};

static const char *const sources[] = { "192.0.2.1", "192.0.2.2", "::1", NULL };

static const struct question source_questions[] = {
	{ "#0", "+192.0.2.1" },
	{ "#1", "+192.0.2.2" },
	{ "#2", "+::1" },
	{ "#3", "-" },
	{ "#0", "+192.0.2.1" },
	{ "#4096", "-" },
	{ "#18446744073709551616", "-" },
	{ "#", "-" },
	{ "#x", "-" },
	{ "", "-" },
	{ "::1", "-" },
	{ NULL, NULL },
};

static const char *const hosts[] = { "example.org=smtp://a", "*=smtp://b",
	NULL };

static const struct question host_questions[] = {
	{ "example.org", "+smtp://a" },
	{ "other.example", "+smtp://b" },
	{ NULL, NULL },
};

static const char *const turns[] = { "smtp://a", "smtp+tls://l@b:26", NULL };

static const struct question turn_questions[] = {
	{ "#0", "+smtp://a" },
	{ "#1", "+smtp+tls://l@b:26" },
	{ "#2", "-" },
	{ NULL, NULL },
};

static const char *const nothing[] = { NULL };

static const struct question nothing_questions[] = {
	{ "#0", "-" },
	{ NULL, NULL },
};

/* Columns: name, kind, entries, service, questions. */
static const struct {
	const char *name;
	enum conf_table_kind kind;
	const char *const *entries;
	enum conf_service service;
	const struct question *questions;
} services[] = {
	{ "domain", TABLE_LIST, domains, SERVICE_DOMAIN, domain_questions },
	{ "netaddr", TABLE_LIST, nets, SERVICE_NETADDR, net_questions },
	{ "mailaddr", TABLE_LIST, addrs, SERVICE_MAILADDR, addr_questions },
	{ "mailaddr @", TABLE_LIST, everybody, SERVICE_MAILADDR,
	    everybody_questions },
	{ "regex", TABLE_LIST, regexes, SERVICE_REGEX, regex_questions },
	{ "bad regex", TABLE_LIST, bad_regexes, SERVICE_REGEX,
	    bad_regex_questions },
	{ "string", TABLE_LIST, strings, SERVICE_STRING, string_questions },
	{ "source", TABLE_LIST, sources, SERVICE_SOURCE, source_questions },
	{ "no source", TABLE_LIST, nothing, SERVICE_SOURCE, nothing_questions },
	{ "relayhosts", TABLE_LIST, turns, SERVICE_RELAYHOST, turn_questions },
	{ "relayhost", TABLE_MAP, hosts, SERVICE_RELAYHOST, host_questions },
	{ "alias", TABLE_MAP, aliases, SERVICE_ALIAS, alias_questions },
	{ "mailaddrmap", TABLE_MAP, aliases, SERVICE_MAILADDRMAP,
	    alias_questions },
	{ "credentials", TABLE_MAP, secrets, SERVICE_CREDENTIALS,
	    secret_questions },
	{ "userinfo", TABLE_MAP, infos, SERVICE_USERINFO, info_questions },
	{ "addrname", TABLE_MAP, names, SERVICE_ADDRNAME, name_questions },
};

#define N_SERVICES (sizeof(services) / sizeof(services[0]))

static void
test_inline(void)
{
	struct tables *ts;
	size_t i;

	for (i = 0; i < N_SERVICES; i++) {
		ts = inline_table(services[i].kind, 1u << services[i].service,
		    services[i].entries);
		ask_all(ts, services[i].service, services[i].name,
		    services[i].questions);
		tables_free(&ts);
	}
}

/* ---- the same from a file, and from a database ---- */

static struct tables *
read_table(enum conf_table_kind kind, uint32_t services_, const void *p,
    size_t len)
{
	struct tables *ts = table_of(kind, services_, NULL, 0, new_image());

	CHECK("before it is read, nobody knows",
	    strcmp(ask(ts, SERVICE_DOMAIN, "example.org"), "?") == 0);
	tables_file(ts, 0, file_with(p, len));
	return ts;
}

static void
test_file(void)
{
	struct tables *ts;
	struct buf b;
	size_t i, j;

	buf_init(&b, 0);
	for (i = 0; i < N_SERVICES; i++) {
		/* A list whose keys have blanks and colons is marked. */
		if (services[i].kind == TABLE_LIST)
			buf_puts(&b, "# @list\n");
		for (j = 0; services[i].entries[j] != NULL; j++) {
			const char *e = services[i].entries[j];
			const char *eq = strchr(e, '=');

			if (services[i].kind == TABLE_MAP)
				buf_printf(&b, "%.*s%c %s\n", (int)(eq - e), e,
				    strchr(e, '/') == NULL ? ':' : ' ', eq + 1);
			else
				buf_printf(&b, "%s\n", e);
		}
		ts = read_table(TABLE_FILE, 1u << services[i].service,
		    buf_data(&b), b.len);
		ask_all(ts, services[i].service, services[i].name,
		    services[i].questions);
		tables_free(&ts);
		buf_drain(&b, b.len);
	}
	buf_free(&b);
}

/* What smtpctl makemap does, in the order of a test. */
static void
put(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t len, const char *value,
    bool also)
{
	char text[512];
	MDB_val k = { len, (void *)(uintptr_t)key }, v = { 0, text };

	v.mv_size = (size_t)snprintf(text, sizeof(text) - 2, "%s", value) + 1;
	text[v.mv_size] = TABLE_FILE_ALSO;
	v.mv_size += also;
	if (mdb_put(txn, dbi, &k, &v, 0) != 0)
		abort();
}

static void
put_entry(MDB_txn *txn, MDB_dbi dbi, const char *key, const char *value)
{
	char special[TABLE_KEY_MAX + 1];
	const char *last;
	struct table_forms f;
	unsigned int i;

	if (table_forms(slice_of(key), &f) != NULL)
		abort();
	for (i = 0; i < f.n_exact; i++)
		put(txn, dbi, f.exact[i], strlen(f.exact[i]), value, i != 0);
	last = f.exact[f.n_exact - 1];
	special[0] = TABLE_FILE_GLOB;
	memcpy(special + 1, last, strlen(last));
	if (f.glob)
		put(txn, dbi, special, strlen(last) + 1, value, true);
	special[0] = TABLE_FILE_NET;
	memcpy(special + 1, &f.net, sizeof(f.net));
	if (f.is_net)
		put(txn, dbi, special, sizeof(f.net) + 1, value, true);
}

static int
db_with(enum conf_table_kind kind, const char *const *entries)
{
	struct table_file_end end;
	char path[64], key[256], *eq;
	uint64_t sum, len, n;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	int fd = file_with("", 0);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (mdb_env_create(&env) != 0 ||
	    mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600) != 0 ||
	    mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
	    mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
		abort();
	for (n = 0; entries[n] != NULL; n++) {
		snprintf(key, sizeof(key), "%s", entries[n]);
		eq = kind == TABLE_MAP ? strchr(key, '=') : NULL;
		if (eq != NULL)
			*eq++ = '\0';
		put_entry(txn, dbi, key, eq == NULL ? "" : eq);
	}
	if (mdb_txn_commit(txn) != 0)
		abort();
	mdb_env_close(env);
	len = (uint64_t)lseek(fd, 0, SEEK_END);
	if (table_file_sum(fd, len, -1, &sum) != NULL)
		abort();
	table_file_end_set(&end, len, n, sum);
	if (pwrite(fd, &end, sizeof(end), (off_t)len) != sizeof(end))
		abort();
	return fd;
}

static void
test_db(void)
{
	/* In LMDB entries are in the order of their keys. */
	static const struct question in_order[] = {
		{ "#0", "+192.0.2.1" },
		{ "#1", "+192.0.2.2" },
		{ "#2", "+::1" },
		{ "#3", "-" },
		{ NULL, NULL },
	};
	static const struct question turns_in_order[] = {
		{ "#0", "+smtp+tls://l@b:26" },
		{ "#1", "+smtp://a" },
		{ "#2", "-" },
		{ NULL, NULL },
	};
	const struct question *q;
	struct tables *ts;
	size_t i;

	for (i = 0; i < N_SERVICES; i++) {
		q = services[i].questions;
		if (q == source_questions)
			q = in_order;
		if (q == turn_questions)
			q = turns_in_order;
		ts = table_of(TABLE_DB, 1u << services[i].service, NULL, 0,
		    new_image());
		tables_file(ts, 0,
		    db_with(services[i].kind, services[i].entries));
		ask_all(ts, services[i].service, services[i].name, q);
		tables_free(&ts);
	}
}

/* Not a byte of it can be other without being noticed, and none of it is
 * believed before that. */
static void
test_db_damage(void)
{
	int fd = db_with(TABLE_LIST, domains);
	off_t len = lseek(fd, 0, SEEK_END), at;
	char *all = xcalloc(1, (size_t)len);
	struct store *s = NULL;
	bool refused = true;
	int bad;

	if (pread(fd, all, (size_t)len, 0) != len)
		abort();
	CHECK("db: whole", store_db_open(fd, &s) == NULL);
	store_free(&s);
	for (at = 0; at < len; at += 37) {
		if (at >= len - 16 && at < len - 8)
			continue; /* the number of entries */
		all[at] ^= 0x40;
		bad = file_with(all, (size_t)len);
		refused = refused && store_db_open(bad, &s) != NULL;
		close(bad);
		all[at] ^= 0x40;
	}
	CHECK("db: damaged", refused);
	for (at = 0, refused = true; at < len; at += 1021) {
		bad = file_with(all, (size_t)at);
		refused = refused && store_db_open(bad, &s) != NULL;
		close(bad);
	}
	CHECK("db: cut short", refused);
	/* What becomes of the file afterwards does not matter. */
	CHECK("db: opened", store_db_open(fd, &s) == NULL);
	if (ftruncate(fd, 0) == -1)
		abort();
	close(fd);
	if (s != NULL) {
		struct slice value;

		CHECK("db: and is asked when its file is cut",
		    s->ops->get(s, SLICE("example.org"), &value) == TABLE_YES);
	}
	store_free(&s);
	free(all);
}

/* ---- passwd ---- */

static const char passwd[] = "# users\n"
			     "root:x:0:0:root:/root:/bin/sh\n"
			     "Joe:$6$salt$hash:1000:100:Joe,,,:/home/joe:\n"
			     "dove:{SHA512}abc:5000:5000::/v/dove::mail=x\n"
			     "five:h:1:2:g:/five\n"
			     "short:h:1:2\n"
			     "nohash::1:2::/h:\n"
			     "noid:h:::::\n"
			     "nocolon\n";

static void
test_passwd(void)
{
	static const struct question creds[] = {
		{ "joe", "+joe:$6$salt$hash" },
		{ "JOE", "+JOE:$6$salt$hash" },
		{ "root", "+root:x" },
		{ "dove", "+dove:{SHA512}abc" },
		{ "short", "?" },
		{ "nohash", "?" },
		{ "noid", "+noid:h" },
		{ "nocolon", "-" },
		{ "ann", "-" },
		{ NULL, NULL },
	};
	static const struct question info[] = {
		{ "joe", "+1000:100:/home/joe" },
		{ "root", "+0:0:/root" },
		{ "dove", "+5000:5000:/v/dove" },
		{ "five", "+1:2:/five" },
		{ "short", "?" },
		{ "nohash", "+1:2:/h" },
		{ "noid", "?" },
		{ NULL, NULL },
	};
	static const struct question who[] = {
		{ "joe", "+" },
		{ "JOE", "+" },
		{ "ann", "-" },
		{ NULL, NULL },
	};
	static const struct question others[] = {
		{ "joe", "?" },
		{ NULL, NULL },
	};
	struct tables *ts = read_table(TABLE_PASSWD, CONF_PASSWD_SERVICES,
	    passwd, sizeof(passwd) - 1);

	ask_all(ts, SERVICE_CREDENTIALS, "passwd", creds);
	ask_all(ts, SERVICE_USERINFO, "passwd", info);
	ask_all(ts, SERVICE_STRING, "passwd, who is in it", who);
	ask_all(ts, SERVICE_ALIAS, "passwd, alias", others);
	ask_all(ts, SERVICE_DOMAIN, "passwd, domain", others);
	tables_free(&ts);
}

/* ---- lists and maps in one file ---- */

static void
test_both(void)
{
	static const char text[] = "example.org: a, b\n"
				   "joe@x.example smtp://h\n"
				   "alone\n"
				   "example.org: later\n"
				   "bad\001key: x\n";
	struct tables *ts = read_table(TABLE_FILE,
	    1u << SERVICE_ALIAS | 1u << SERVICE_DOMAIN, text, sizeof(text) - 1);

	CHECK("both: as a list",
	    strcmp(ask(ts, SERVICE_DOMAIN, "example.org"), "+") == 0 &&
		strcmp(ask(ts, SERVICE_MAILADDR, "joe@x.example"), "+") == 0);
	CHECK("both: as a map, the later one counts",
	    strcmp(ask(ts, SERVICE_ALIAS, "example.org"), "+later") == 0);
	CHECK("both: a list entry has no value",
	    strcmp(ask(ts, SERVICE_ALIAS, "alone"), "?") == 0 &&
		strcmp(ask(ts, SERVICE_DOMAIN, "alone"), "+") == 0);
	tables_free(&ts);
}

/* ---- read anew ---- */

static struct loop *loop;
static unsigned int changes;

static void
on_changed(void *arg)
{
	(void)arg;
	changes++;
	loop_stop(loop);
}

static void
on_tick(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
wait_msec(msec ms)
{
	struct timer t = { 0 };

	timer_set(loop, &t, ms, on_tick, NULL);
	loop_run(loop);
	timer_clear(&t);
}

static void
test_anew(enum conf_table_kind kind, int one, int two, int bad)
{
	static struct tables *kept[2];
	static unsigned int n;
	struct tables *ts = kept[n++] =
	    table_of(kind, 1u << SERVICE_ALIAS, NULL, 0, new_image());
	unsigned int i;

	changes = 0;
	tables_start(ts, loop, on_changed, NULL);
	tables_file(ts, 0, one);
	CHECK("anew: the first at once",
	    changes == 0 && strcmp(ask(ts, SERVICE_ALIAS, "k"), "+1") == 0);
	tables_file(ts, 0, two);
	CHECK("anew: the old one answers meanwhile",
	    strcmp(ask(ts, SERVICE_ALIAS, "k"), "+1") == 0);
	for (i = 0; i < 50 && changes == 0; i++)
		wait_msec(100);
	CHECK("anew: then the new one",
	    changes == 1 && strcmp(ask(ts, SERVICE_ALIAS, "k"), "+2") == 0);
	tables_file(ts, 0, bad);
	wait_msec(300);
	CHECK("anew: kept if the next is no good",
	    changes == 1 && strcmp(ask(ts, SERVICE_ALIAS, "k"), "+2") == 0);
	/* Not freed: its thread and its watch are there as long as the loop. */
}

static void
test_replaced(void)
{
	static const char *const one[] = { "k=1", NULL };
	static const char *const two[] = { "k=2", NULL };

	loop = loop_new();
	test_anew(TABLE_FILE, file_with("k: 1\n", 5), file_with("k: 2\n", 5),
	    open("/tmp", O_RDONLY | O_DIRECTORY));
	test_anew(TABLE_DB, db_with(TABLE_MAP, one), db_with(TABLE_MAP, two),
	    file_with("k: 3\n", 5));
}

/* ---- many ---- */

static void
test_many(void)
{
	enum { N = 200000 };
	char key[32], want[32];
	struct tables *ts;
	struct buf b;
	unsigned int i;
	bool good = true;

	buf_init(&b, 0);
	for (i = 0; i < N; i++)
		buf_printf(&b, "user%u: x%u@example.net%*s\n", i * 7919u % N,
		    i * 7919u % N, (int)(i % 97), "");
	ts = read_table(TABLE_FILE, 1u << SERVICE_ALIAS, buf_data(&b), b.len);
	for (i = 0; i < N; i++) {
		snprintf(key, sizeof(key), "User%u", i);
		snprintf(want, sizeof(want), "+x%u@example.net", i);
		good = good && strcmp(ask(ts, SERVICE_ALIAS, key), want) == 0;
	}
	CHECK("many: all there", good);
	snprintf(key, sizeof(key), "user%u", N);
	CHECK("many: no other", strcmp(ask(ts, SERVICE_ALIAS, key), "-") == 0);
	tables_free(&ts);
	buf_free(&b);
}

/* ---- users of the system ---- */

static char said[256];

static void
on_user(void *arg, enum table_answer a, const char *value)
{
	(void)arg;
	snprintf(said, sizeof(said), "%s%s",
	    a == TABLE_YES    ? "+" :
		a == TABLE_NO ? "-" :
				"?",
	    value);
	loop_stop(loop);
}

static const char *
ask_user(struct users *u, const char *name)
{
	struct table_req req = { 0 };
	enum table_answer a;

	said[0] = '\0';
	a = users_ask(u, name, NULL, &req, on_user, NULL);
	if (a != TABLE_WAIT)
		return a == TABLE_NO ? "-" : "?";
	wait_msec(10000);
	return said;
}

static void
test_users(void)
{
	struct table_req req[400] = { 0 };
	static struct users *u;
	unsigned int i, waiting = 0;

	u = users_new(loop);
	CHECK("users: root", strcmp(ask_user(u, "root"), "+0:0:/root") == 0);
	CHECK("users: nobody such",
	    strcmp(ask_user(u, "no-such-user"), "-") == 0);
	CHECK("users: no name",
	    strcmp(ask_user(u, ""), "-") == 0 &&
		strcmp(ask_user(u, "a:b"), "-") == 0);
	/* More than fit: those are told at once, none is forgotten. */
	for (i = 0; i < 400; i++) {
		enum table_answer a =
		    users_ask(u, "root", NULL, &req[i], on_user, NULL);

		waiting += a == TABLE_WAIT;
	}
	CHECK("users: a crowd", waiting >= 256);
	for (i = 0; i < 400; i++)
		table_cancel(&req[i]);
	said[0] = '\0';
	wait_msec(500);
	CHECK("users: whoever left is not told", said[0] == '\0');
	CHECK("users: and others are",
	    strcmp(ask_user(u, "root"), "+0:0:/root") == 0);
}

int
main(void)
{
	log_to_stderr("unit", false);
	test_inline();
	test_file();
	test_db();
	test_db_damage();
	test_passwd();
	test_both();
	test_replaced();
	test_many();
	test_users();
	return unit_end();
}
