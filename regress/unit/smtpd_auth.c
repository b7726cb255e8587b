/*
 * lookup's side of AUTH: pieces of messages, each mechanism from its first
 * step to its last, what is told to who, and what goes wrong on the way.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base64.h"
#include "conf_image.h"
#include "log.h"
#include "lookup_auth_parts.h"
#include "lookup_sasl.h"
#include "table_key.h"
#include "unit.h"

/* Rows of conf.listen. */
enum { BY_PLAIN, BY_CRYPT, BY_SCRAM, BY_FILE, BY_SYSTEM, NO_AUTH, LISTENS };

#define CRYPTED                                                                \
	"$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2"

/* Some tenths of a second. */
#define SLOW                                                                   \
	"$5$rounds=999999$saltsalt$0000000000000000000000000000000000000000000"

struct world {
	struct conf *conf;
	struct loop *loop;
	struct tables *tables;
	struct auths *auths;
	struct ipc_chan chan; /* to a session process ... */
	int sock;             /* ... which reads here */
	uint64_t n_auth;
	struct auth_is is; /* the last answer */
};

static struct world w;

/* What is not freed before the end, so that nothing looks lost: images, and
 * what threads wait at. */
static struct {
	struct conf *conf;
	struct loop *loop;
	struct workers *workers;
} kept[32];
static unsigned int n_kept;

static struct auth_ask ask; /* what every question begins with */

/* ---- the world ---- */

static void
add_table(struct conf_table *t, enum conf_table_kind kind, const char *name,
    const struct conf_entry *entries, uint32_t n)
{
	memset(t, 0, sizeof *t);
	t->name = image_text(w.conf, name);
	t->kind = (uint8_t)kind;
	t->services = 1u << SERVICE_CREDENTIALS;
	if (n > 0)
		image_rows(w.conf, &t->entries, entries, n, sizeof *entries);
}

static struct conf_entry
entry(const char *key, const char *value)
{
	return (struct conf_entry){ image_text(w.conf, key),
		image_text(w.conf, value) };
}

static void
make_conf(void)
{
	struct conf_table tables[4];
	struct conf_listen listens[LISTENS];
	char scram[SCRAM_TEXT_MAX];
	struct scram_secret s = { .iter = 5000, .n_salt = 12 };
	uint32_t i;

	memcpy(s.salt, "saltsaltsalt", 12);
	scram_derive(&s, "pencil");
	scram_secret_print(&s, scram);
	w.conf = image_new();
	w.conf->hostname = image_text(w.conf, "mx.example.org");
	{
		struct conf_entry plain[] = { entry("alice", "{PLAIN}secret"),
			entry("bob@example.org", "{PLAIN}a:b"),
			entry("\"tim\"", "{PLAIN}tanstaaftanstaaf"),
			entry("carol", "*") };
		struct conf_entry crypted[] = { entry("alice", CRYPTED),
			entry("dave", "nonsense"), entry("erin", "!"),
			entry("slow", SLOW) };
		struct conf_entry scrams[] = { entry("user", scram) };

		add_table(&tables[0], TABLE_MAP, "plain", plain, 4);
		add_table(&tables[1], TABLE_MAP, "crypt", crypted, 4);
		add_table(&tables[2], TABLE_MAP, "scram", scrams, 1);
	}
	add_table(&tables[3], TABLE_FILE, "file", NULL, 0);
	image_rows(w.conf, &w.conf->table, tables, 4, sizeof tables[0]);
	memset(listens, 0, sizeof listens);
	for (i = 0; i < LISTENS; i++) {
		listens[i].auth = i == NO_AUTH ? AUTH_NONE : AUTH_NEEDED;
		listens[i].auth_table = i < 4 ? i : CONF_NONE;
	}
	image_rows(w.conf, &w.conf->listen, listens, LISTENS,
	    sizeof listens[0]);
}

static void
world_open(void)
{
	static ipc_handler *const none[IPC_TYPES];
	int pair[2];

	memset(&w, 0, sizeof w);
	make_conf();
	w.tables = tables_new(w.conf);
	w.auths = auths_new(w.conf, w.tables);
	w.loop = loop_new();
	auths_start(w.auths, w.loop);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	ipc_init(&w.chan, w.loop, PROC_LOOKUP, PROC_SESSION, 0, none, &w, NULL);
	ipc_attach(&w.chan, pair[0]);
	w.sock = pair[1];
}

static void
world_close(void)
{
	/* What threads still work at is waited for. */
	while (!TAILQ_EMPTY(&w.auths->open))
		event_base_loop(w.loop->base, EVLOOP_ONCE);
	CHECK("nothing is left", w.auths->n_open == 0 && w.auths->pams.n == 0);
	if (n_kept == sizeof kept / sizeof kept[0])
		abort();
	kept[n_kept].conf = w.conf;
	kept[n_kept].loop = w.loop;
	kept[n_kept++].workers = w.auths->workers;
	auths_free(&w.auths);
	tables_free(&w.tables);
	ipc_detach(&w.chan);
	close(w.sock);
}

/* ---- talking to it ---- */

static bool
has_message(void)
{
	char probe;

	return recv(w.sock, &probe, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Takes the answer to w.is. */
static bool
answered(void)
{
	enum ipc_type type = IPC_NONE;
	int fd;

	while (!has_message()) {
		if (w.auths->n_open == 0)
			return false;
		event_base_loop(w.loop->base, EVLOOP_ONCE);
	}
	return ipc_recv_block(w.sock, &type, &w.is, sizeof w.is, &fd) > 0 &&
	    type == IPC_AUTH_IS;
}

static void
say(const void *p, size_t len, size_t piece)
{
	const uint8_t *bytes = p;
	struct auth_data m;
	size_t off = 0;

	w.n_auth++;
	do {
		memset(&m, 0, sizeof m);
		m.auth = w.n_auth;
		m.n = (uint32_t)(len - off < piece ? len - off : piece);
		memcpy(m.data, bytes + off, m.n);
		auths_data(w.auths, &w.chan, &m);
		off += m.n;
	} while (off < len);
}

static bool
ask_it(uint32_t listen, enum sasl_mech mech)
{
	ask.auth = w.n_auth;
	ask.listen = listen;
	ask.mech = mech;
	auths_ask(w.auths, &w.chan, 7, &ask);
	return answered();
}

/* One message and its answer. */
static bool
tells(uint32_t listen, enum sasl_mech mech, const void *p, size_t len)
{
	say(p, len, sizeof((struct auth_data *)0)->data);
	return ask_it(listen, mech);
}

/* An exchange begins. */
static void
begin(void)
{
	memset(&ask, 0, sizeof ask);
}

/* It goes on with what lookup said. */
static void
go_on(void)
{
	ask.step++;
	ask.n_before = w.is.n_before;
	memcpy(ask.before, w.is.before, sizeof ask.before);
}

static bool
is_passed(const char *user)
{
	return w.is.outcome.verdict == DONE && w.is.more == 0 &&
	    w.is.outcome.code == 235 && strcmp(w.is.user, user) == 0;
}

static bool
is_failed(const char *user)
{
	return w.is.outcome.verdict == NEVER && w.is.outcome.code == 535 &&
	    strcmp(w.is.user, user) == 0;
}

static bool
is_later(void)
{
	return w.is.outcome.verdict == LATER && w.is.outcome.code == 454 &&
	    w.is.more == 0;
}

static bool
says(const char *text)
{
	return w.is.more == 1 && w.is.n == strlen(text) &&
	    memcmp(w.is.data, text, w.is.n) == 0;
}

#define TELLS(listen, mech, text)                                              \
	(begin(), tells((listen), (mech), (text), sizeof(text) - 1))
#define PLAIN(listen, text) TELLS(listen, SASL_PLAIN, text)

/* ---- what is told ---- */

static void
test_mechs(void)
{
	static const uint32_t password = 1u << SASL_PLAIN | 1u << SASL_LOGIN;
	static const uint32_t scram = 1u << SASL_SCRAM | 1u << SASL_SCRAM_PLUS;
	const uint32_t want[LISTENS] = {
		[BY_PLAIN] = password | scram | 1u << SASL_CRAM_MD5,
		[BY_CRYPT] = password,
		[BY_SCRAM] = password | scram,
		[BY_FILE] = password,
		[BY_SYSTEM] = password,
	};
	struct auth_mechs m;
	enum ipc_type type;
	uint32_t i, right = 0;
	int fd;

	world_open();
	auths_session_up(w.auths, &w.chan);
	for (i = 0; i < NO_AUTH; i++)
		right += ipc_recv_block(w.sock, &type, &m, sizeof m, &fd) > 0 &&
		    type == IPC_AUTH_MECHS && m.listen == i &&
		    m.mechs == want[i];
	CHECK("mechanisms of each listener", right == NO_AUTH);
	CHECK("and no more", !has_message());
	auths_changed(w.auths);
	for (i = 0; i < NO_AUTH; i++)
		right += ipc_recv_block(w.sock, &type, &m, sizeof m, &fd) > 0;
	CHECK("again when a table changes", right == 2 * NO_AUTH);
	auths_session_down(w.auths, &w.chan);
	auths_changed(w.auths);
	CHECK("not to who went", !has_message());
	world_close();
}

/* ---- PLAIN ---- */

static void
test_plain(void)
{
	world_open();
	CHECK("a password",
	    PLAIN(BY_PLAIN, "\0alice\0secret") && is_passed("alice"));
	CHECK("in another case of the name",
	    PLAIN(BY_PLAIN, "\0ALICE\0secret") && is_passed("alice"));
	CHECK("of an address",
	    PLAIN(BY_PLAIN, "\0bob@Example.org\0a:b") &&
		is_passed("bob@example.org"));
	CHECK("as himself",
	    PLAIN(BY_PLAIN, "alice\0alice\0secret") && is_passed("alice"));
	CHECK("as another",
	    PLAIN(BY_PLAIN, "bob\0alice\0secret") && is_failed("alice"));
	CHECK("a wrong password",
	    PLAIN(BY_PLAIN, "\0alice\0secres") && is_failed("alice"));
	CHECK("nobody",
	    PLAIN(BY_PLAIN, "\0mallory\0secret") && is_failed("mallory"));
	CHECK("locked", PLAIN(BY_PLAIN, "\0carol\0*") && is_failed("carol"));
	CHECK("no message of PLAIN",
	    PLAIN(BY_PLAIN, "alice secret") && is_failed(""));
	CHECK("a hash",
	    PLAIN(BY_CRYPT, "\0alice\0secret") && is_passed("alice"));
	CHECK("a hash of another",
	    PLAIN(BY_CRYPT, "\0alice\0Secret") && is_failed("alice"));
	CHECK("a secret that is none",
	    PLAIN(BY_CRYPT, "\0dave\0nonsense") && is_later());
	CHECK("no password fits",
	    PLAIN(BY_CRYPT, "\0erin\0secret") && is_failed("erin"));
	CHECK("nobody, by a hash",
	    PLAIN(BY_CRYPT, "\0mallory\0secret") && is_failed("mallory"));
	CHECK("a SCRAM secret",
	    PLAIN(BY_SCRAM, "\0user\0pencil") && is_passed("user"));
	CHECK("a wrong one",
	    PLAIN(BY_SCRAM, "\0user\0pencils") && is_failed("user"));
	CHECK("a table that nobody has read",
	    PLAIN(BY_FILE, "\0alice\0secret") && is_later());
	CHECK("no spawn", PLAIN(BY_SYSTEM, "\0alice\0secret") && is_later());
	CHECK("no AUTH here",
	    PLAIN(NO_AUTH, "\0alice\0secret") && is_failed(""));
	world_close();
}

/* ---- messages ---- */

static void
test_pieces(void)
{
	static const char message[] = "\0alice\0secret";
	static uint8_t long_one[AUTH_MESSAGE_MAX + 1];
	struct auth_data m = { 0 };
	size_t i;

	world_open();
	for (i = 1; i < 5; i++) {
		begin();
		say(message, sizeof message - 1, i);
		CHECK("in pieces",
		    ask_it(BY_PLAIN, SASL_PLAIN) && is_passed("alice"));
	}
	CHECK("and they are gone",
	    TAILQ_EMPTY(&w.auths->parts) && w.auths->n_parts == 0);
	w.n_auth++;
	CHECK("no message", ask_it(BY_PLAIN, SASL_PLAIN) && is_later());
	memcpy(long_one, "\0a\0", 3);
	memset(long_one + 3, 'x', sizeof long_one - 3);
	begin();
	CHECK("as long as may be",
	    tells(BY_PLAIN, SASL_PLAIN, long_one, AUTH_MESSAGE_MAX) &&
		is_failed(""));
	CHECK("too long",
	    tells(BY_PLAIN, SASL_PLAIN, long_one, AUTH_MESSAGE_MAX + 1) &&
		is_later());
	m.auth = ++w.n_auth;
	m.n = sizeof m.data + 1;
	auths_data(w.auths, &w.chan, &m);
	say(message, sizeof message - 1, 3072);
	w.n_auth--;
	CHECK("a piece that makes no sense",
	    ask_it(BY_PLAIN, SASL_PLAIN) && is_later());
	w.n_auth++;
	CHECK("does not touch the next",
	    ask_it(BY_PLAIN, SASL_PLAIN) && is_passed("alice"));
	for (i = 0; i < AUTH_PARTS_MAX + 5; i++)
		say(message, sizeof message - 1, 3072);
	CHECK("a bound", w.auths->n_parts == AUTH_PARTS_MAX);
	CHECK("later, when it is full",
	    ask_it(BY_PLAIN, SASL_PLAIN) && is_later());
	auths_session_down(w.auths, &w.chan);
	CHECK("gone with who said them", w.auths->n_parts == 0);
	world_close();
}

static void
test_nonsense(void)
{
	static const char message[] = "\0alice\0secret";

	world_open();
	CHECK("no such listener",
	    TELLS(LISTENS, SASL_PLAIN, message) && is_later());
	CHECK("no such mechanism",
	    TELLS(BY_PLAIN, SASL_MECHS, message) && is_later());
	CHECK("LOGIN is the session's",
	    TELLS(BY_PLAIN, SASL_LOGIN, message) && is_later());
	begin();
	ask.step = 1;
	CHECK("no such step",
	    tells(BY_PLAIN, SASL_PLAIN, message, sizeof message - 1) &&
		is_later());
	begin();
	ask.n_before = sizeof ask.before + 1;
	CHECK("too much before",
	    tells(BY_PLAIN, SASL_PLAIN, message, sizeof message - 1) &&
		is_later());
	begin();
	ask.n_exporter = sizeof ask.exporter + 1;
	CHECK("too long a binding",
	    tells(BY_PLAIN, SASL_PLAIN, message, sizeof message - 1) &&
		is_later());
	CHECK("a mechanism that would need another secret",
	    TELLS(BY_CRYPT, SASL_SCRAM, "n,,n=alice,r=abc") &&
		w.is.outcome.verdict == LATER && w.is.outcome.code == 432);
	CHECK("where there is no AUTH",
	    TELLS(NO_AUTH, SASL_SCRAM, "n,,n=alice,r=abc") && is_failed(""));
	CHECK("no tokens are taken",
	    TELLS(BY_PLAIN, SASL_XOAUTH2, "auth=Bearer a\001\001") &&
		is_failed(""));
	world_close();
}

/* Who asked is gone before the thread is back. */
static void
test_gone(void)
{
	world_open();
	begin();
	say("\0alice\0secret", 13, 3072);
	ask.auth = w.n_auth;
	ask.listen = BY_CRYPT;
	ask.mech = SASL_PLAIN;
	auths_ask(w.auths, &w.chan, 7, &ask);
	CHECK("under way", w.auths->n_open == 1);
	auths_session_down(w.auths, &w.chan);
	CHECK("nobody is answered", !answered());
	world_close();
}

static void
test_late(void)
{
	world_open();
	w.auths->patience = 0;
	CHECK("its time is over",
	    PLAIN(BY_CRYPT, "\0slow\0secret") && is_later());
	world_close();
}

/* ---- CRAM-MD5 ---- */

static bool
cram(const char *user, const char *password)
{
	char digest[CRAM_DIGEST + 1], text[128];

	begin();
	w.n_auth++;
	if (!ask_it(BY_PLAIN, SASL_CRAM_MD5) || w.is.more != 1 ||
	    w.is.data[0] != '<')
		return false;
	sasl_cram_digest(password,
	    (struct slice){ (const char *)w.is.data, w.is.n }, digest);
	snprintf(text, sizeof text, "%s %s", user, digest);
	go_on();
	return tells(BY_PLAIN, SASL_CRAM_MD5, text, strlen(text));
}

static void
test_cram(void)
{
	uint8_t first[1024];
	uint32_t n;

	world_open();
	CHECK("CRAM-MD5", cram("tim", "tanstaaftanstaaf") && is_passed("tim"));
	CHECK("wrong", cram("tim", "tanstaaf") && is_failed("tim"));
	CHECK("nobody", cram("mallory", "x") && is_failed("mallory"));
	CHECK("nobody without a password",
	    cram("mallory", "") && is_failed("mallory"));
	CHECK("locked", cram("carol", "*") && is_failed("carol"));
	begin();
	ask.step = 1;
	CHECK("without a challenge",
	    tells(BY_PLAIN, SASL_CRAM_MD5,
		"tim b913a602c7eda7a495b4e6e7334d3890", 36) &&
		is_failed(""));
	begin();
	CHECK("two challenges", ask_it(BY_PLAIN, SASL_CRAM_MD5));
	n = w.is.n;
	memcpy(first, w.is.data, n);
	CHECK("are not the same",
	    ask_it(BY_PLAIN, SASL_CRAM_MD5) &&
		(w.is.n != n || memcmp(first, w.is.data, n) != 0));
	world_close();
}

/* ---- SCRAM ---- */

/* What a client does. */
struct client {
	const char *header, *user, *password;
	const char *binding; /* its data ... */
	size_t n_binding;
	const char *change_nonce; /* NULL, or what it says instead */
	const char *change_header;
	enum sasl_mech mech;
	uint32_t listen;
};

/* The server's first words, taken apart. */
static char said_nonce[300], said_salt[100];
static unsigned int said_iter;

static bool
scram_begin(const struct client *c)
{
	char text[500];

	snprintf(text, sizeof text, "%sn=%s,r=clientnonce", c->header, c->user);
	if (!tells(c->listen, c->mech, text, strlen(text)) || w.is.more != 1)
		return false;
	w.is.data[w.is.n] = '\0';
	return sscanf((char *)w.is.data, "r=%299[^,],s=%99[^,],i=%u",
		   said_nonce, said_salt, &said_iter) == 3;
}

/* The client's last message, for the server's first. */
static void
scram_proof(const struct client *c, char *out, size_t size)
{
	uint8_t salted[32], key[32], stored[32], sig[32], salt[64], cb[256];
	char message[2000], without[1000], b64[400], server_first[700];
	const char *header = c->change_header ? c->change_header : c->header;
	size_t n_salt, n = strlen(header), i;

	snprintf(server_first, sizeof server_first, "%.*s", (int)w.is.n,
	    (const char *)w.is.data);
	base64_parse(BASE64_PLAIN, slice_of(said_salt), salt, sizeof salt,
	    &n_salt);
	memcpy(cb, header, n);
	if (c->n_binding > 0)
		memcpy(cb + n, c->binding, c->n_binding);
	base64_print(BASE64_PLAIN, cb, n + c->n_binding, b64);
	snprintf(without, sizeof without, "c=%s,r=%s", b64,
	    c->change_nonce ? c->change_nonce : said_nonce);
	snprintf(message, sizeof message, "n=%s,r=clientnonce,%s,%s", c->user,
	    server_first, without);
	PKCS5_PBKDF2_HMAC(c->password, (int)strlen(c->password), salt,
	    (int)n_salt, (int)said_iter, EVP_sha256(), 32, salted);
	scram_hmac(salted, 32, "Client Key", 10, key);
	SHA256(key, 32, stored);
	scram_hmac(stored, 32, message, strlen(message), sig);
	for (i = 0; i < 32; i++)
		sig[i] ^= key[i];
	base64_print(BASE64_PLAIN, sig, 32, b64);
	snprintf(out, size, "%s,p=%s", without, b64);
}

static bool
scram(const struct client *c)
{
	char text[1500];

	if (!scram_begin(c))
		return false;
	scram_proof(c, text, sizeof text);
	go_on();
	return tells(c->listen, c->mech, text, strlen(text));
}

static bool
scram_passes(const struct client *c)
{
	if (!scram(c) || w.is.outcome.verdict != DONE || w.is.more != 1 ||
	    w.is.data[0] != 'v')
		return false;
	go_on();
	return tells(c->listen, c->mech, "", 0) && is_passed(c->user);
}

static void
test_scram(void)
{
	struct client c = { .header = "n,,",
		.user = "user",
		.password = "pencil",
		.mech = SASL_SCRAM,
		.listen = BY_SCRAM };
	struct client p = { .header = "n,a=alice,",
		.user = "alice",
		.password = "secret",
		.mech = SASL_SCRAM,
		.listen = BY_PLAIN };

	world_open();
	begin();
	CHECK("SCRAM", scram_passes(&c));
	CHECK("salt and iterations are the user's",
	    strcmp(said_salt, "c2FsdHNhbHRzYWx0") == 0 && said_iter == 5000);
	begin();
	CHECK("from a password", scram_passes(&p) && said_iter == 4096);
	c.password = "pencils";
	begin();
	CHECK("wrong",
	    scram(&c) && is_failed("user") && says("e=invalid-proof"));
	c.password = "pencil";
	c.change_nonce = "clientnonceandmore";
	begin();
	CHECK("another nonce",
	    scram(&c) && is_failed("user") && says("e=other-error"));
	c.change_nonce = NULL;
	c.change_header = "y,,";
	begin();
	CHECK("another header",
	    scram(&c) && is_failed("user") &&
		says("e=channel-bindings-dont-match"));
	c.change_header = NULL;
	begin();
	CHECK("more behind the signature",
	    scram(&c) && (go_on(), 1) && tells(c.listen, c.mech, "x", 1) &&
		is_failed(""));
	begin();
	CHECK("for another",
	    TELLS(BY_PLAIN, SASL_SCRAM, "n,a=bob,n=alice,r=abc") &&
		is_failed("alice"));
	CHECK("no name",
	    TELLS(BY_PLAIN, SASL_SCRAM, "n,,n=a=,r=abc") && is_failed("") &&
		says("e=invalid-username-encoding"));
	world_close();
}

static void
test_scram_nobody(void)
{
	struct client c = { .header = "n,,",
		.user = "mallory",
		.password = "pencil",
		.mech = SASL_SCRAM,
		.listen = BY_SCRAM };
	char salt[100], nonce[300];

	world_open();
	begin();
	CHECK("a salt for nobody",
	    scram_begin(&c) && said_iter == 5000 && strlen(said_salt) == 16);
	snprintf(salt, sizeof salt, "%s", said_salt);
	snprintf(nonce, sizeof nonce, "%s", said_nonce);
	begin();
	CHECK("the same again, and another nonce",
	    scram_begin(&c) && strcmp(salt, said_salt) == 0 &&
		strcmp(nonce, said_nonce) != 0);
	c.user = "MALLORY";
	begin();
	CHECK("however it is written",
	    scram_begin(&c) && strcmp(salt, said_salt) == 0);
	c.user = "eve";
	begin();
	CHECK("another for another",
	    scram_begin(&c) && strcmp(salt, said_salt) != 0);
	begin();
	CHECK("and no more than for a wrong password",
	    scram(&c) && is_failed("eve") && says("e=invalid-proof"));
	world_close();
}

static void
test_scram_plus(void)
{
	static const char exporter[] = "exporterexporterexporterexporter";
	struct client c = { .header = "p=tls-exporter,,",
		.user = "user",
		.password = "pencil",
		.binding = exporter,
		.n_binding = 32,
		.mech = SASL_SCRAM_PLUS,
		.listen = BY_SCRAM };

	world_open();
	begin();
	ask.n_exporter = 32;
	memcpy(ask.exporter, exporter, 32);
	CHECK("PLUS", scram_passes(&c));
	ask.step = 0;
	c.binding = "exporterexporterexporterexporteR";
	CHECK("somebody between us",
	    scram(&c) && is_failed("user") &&
		says("e=channel-bindings-dont-match"));
	ask.step = 0;
	c.n_binding = 0;
	CHECK("no data",
	    scram(&c) && is_failed("user") &&
		says("e=channel-bindings-dont-match"));
	ask.step = 0;
	c.header = "n,,";
	CHECK("PLUS without a binding", !scram_begin(&c) || is_failed("user"));
	ask.step = 0;
	c.header = "p=tls-unique,,";
	CHECK("a binding that we have not",
	    (scram_begin(&c), is_failed("user")) &&
		says("e=unsupported-channel-binding-type"));
	ask.step = 0;
	c.header = "y,,";
	c.mech = SASL_SCRAM;
	CHECK("who was told that we have none",
	    (scram_begin(&c), is_failed("user")) &&
		says("e=server-does-support-channel-binding"));
	ask.step = 0;
	c.header = "n,,";
	CHECK("who has none himself", scram_passes(&c));
	ask.step = 0;
	c.header = "p=tls-exporter,,";
	CHECK("a binding without PLUS", (scram_begin(&c), is_failed("user")));
	begin();
	ask.n_end_point = 32;
	memcpy(ask.end_point, exporter, 32);
	c = (struct client){ .header = "p=tls-server-end-point,,",
		.user = "user",
		.password = "pencil",
		.binding = exporter,
		.n_binding = 32,
		.mech = SASL_SCRAM_PLUS,
		.listen = BY_SCRAM };
	CHECK("by the certificate", scram_passes(&c));
	begin();
	c.header = "y,,";
	c.n_binding = 0;
	c.mech = SASL_SCRAM;
	CHECK("no TLS, and y", scram_passes(&c));
	world_close();
}

/* What comes back as `before` is no text of ours. */
static void
test_scram_before(void)
{
	static const char *const before[] = { "", "n,,", "n,,\0a", "a\0b\0c\0d",
		"\0\0\0\0\0" };
	static const size_t len[] = { 0, 3, 5, 7, 5 };
	char text[] =
	    "c=biws,r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
	size_t i;

	world_open();
	for (i = 0; i < sizeof before / sizeof before[0]; i++) {
		begin();
		ask.step = 1;
		ask.n_before = (uint32_t)len[i];
		memcpy(ask.before, before[i], len[i]);
		CHECK("a past that was not",
		    tells(BY_SCRAM, SASL_SCRAM, text, sizeof text - 1) &&
			w.is.outcome.verdict == NEVER);
	}
	begin();
	ask.step = 2;
	CHECK("an end without a beginning",
	    tells(BY_SCRAM, SASL_SCRAM, "", 0) && is_failed(""));
	world_close();
}

/* ---- EXTERNAL ---- */

static void
test_external(void)
{
	world_open();
	begin();
	CHECK("nobody has shown who he is",
	    tells(BY_PLAIN, SASL_EXTERNAL, "", 0) && is_failed(""));
	snprintf(ask.cert, sizeof ask.cert, "alice@example.org");
	CHECK("a certificate",
	    tells(BY_PLAIN, SASL_EXTERNAL, "", 0) &&
		is_passed("alice@example.org"));
	CHECK("and its name",
	    tells(BY_PLAIN, SASL_EXTERNAL, "alice@example.org", 17) &&
		is_passed("alice@example.org"));
	CHECK("as another",
	    tells(BY_PLAIN, SASL_EXTERNAL, "bob@example.org", 15) &&
		is_failed("alice@example.org"));
	begin();
	ask.facts.flags = FACT_SOCKET;
	ask.facts.uid = 0;
	CHECK("the socket",
	    tells(NO_AUTH, SASL_EXTERNAL, "", 0) && is_passed("root"));
	CHECK("the socket, by name",
	    tells(NO_AUTH, SASL_EXTERNAL, "root", 4) && is_passed("root"));
	CHECK("the socket, as another",
	    tells(NO_AUTH, SASL_EXTERNAL, "alice", 5) && is_failed("root"));
	ask.facts.uid = UINT32_MAX - 7;
	CHECK("nobody has this number",
	    tells(NO_AUTH, SASL_EXTERNAL, "", 0) && is_failed(""));
	world_close();
}

/* ---- users of the system ---- */

static char pam_says;

/* A spawn whose helper knows the answer before it is asked. */
static void
on_pam_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct pam_is is;
	int pair[2];

	(void)self;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) == -1 ||
	    write(pair[1], &pam_says, 1) != 1)
		abort();
	memset(&is, 0, sizeof is);
	is.outcome.verdict = DONE;
	pam_is_send(from, msg->id, &is, pair[0]);
	close(pair[0]);
	/* The other end stays open: what is written to it is lost. */
}

/* Milliseconds that the answer to a password takes. */
static msec
pam_takes(char says_)
{
	msec begin_ = loop_msec();

	pam_says = says_;
	if (!PLAIN(BY_SYSTEM, "\0alice\0secret"))
		return -1;
	return loop_msec() - begin_;
}

static void
test_system(void)
{
	static ipc_handler *const handlers[IPC_TYPES] = {
		[IPC_PAM_ASK] = on_pam_ask,
	};
	static ipc_handler *const none[IPC_TYPES];
	struct ipc_chan ours, spawn;
	int pair[2];
	msec ms;

	world_open();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, pair) == -1)
		abort();
	ipc_init(&ours, w.loop, PROC_LOOKUP, PROC_SPAWN, 0, none, &w, NULL);
	ipc_init(&spawn, w.loop, PROC_SPAWN, PROC_LOOKUP, 0, handlers, &w,
	    NULL);
	ipc_attach(&ours, pair[0]);
	ipc_attach(&spawn, pair[1]);
	auths_spawn(w.auths, &ours);
	ms = pam_takes('0');
	CHECK("a right password, at once",
	    is_passed("alice") && ms >= 0 && ms < PAM_STEP_MSEC);
	ms = pam_takes('2');
	CHECK("nobody knows, at once",
	    is_later() && ms >= 0 && ms < PAM_STEP_MSEC);
	ms = pam_takes('1');
	CHECK("a wrong one, when nobody can tell how long it took",
	    is_failed("alice") && ms >= PAM_STEP_MSEC - 1);
	pam_says = '1';
	say("\0alice\0secret", 13, 13);
	begin();
	ask.auth = w.n_auth;
	ask.listen = BY_SYSTEM;
	auths_ask(w.auths, &w.chan, 7, &ask);
	while (w.auths->pams.n > 0)
		event_base_loop(w.loop->base, EVLOOP_ONCE);
	auths_session_down(w.auths, &w.chan);
	CHECK("who asked went meanwhile", w.auths->n_open == 0);
	world_close();
	ipc_detach(&ours);
	ipc_detach(&spawn);
}

int
main(void)
{
	log_to_socket(-1, false);
	test_mechs();
	test_plain();
	test_pieces();
	test_nonsense();
	test_gone();
	test_late();
	test_cram();
	test_scram();
	test_scram_nobody();
	test_scram_plus();
	test_scram_before();
	test_external();
	test_system();
	return unit_end();
}
