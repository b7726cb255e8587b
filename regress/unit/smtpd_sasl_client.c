/*
 * Our side of SASL: the vectors of the RFCs, servers that are hostile, and
 * questions of deliver from the label to the answer.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "base64.h"
#include "conf_image.h"
#include "log.h"
#include "lookup_sasl.h"
#include "lookup_sasl_client.h"
#include "lookup_sasl_turn.h"
#include "unit.h"

/* ---- what the table says ---- */

/* Columns: value; user, NULL: it is none; of a token, the secret. */
static const struct {
	const char *value, *user;
	bool token;
	const char *secret;
} logins[] = {
	{ "alice:secret", "alice", false, "secret" },
	{ "alice@example.org:secret", "alice@example.org", false, "secret" },
	{ "alice:a:b: c", "alice", false, "a:b: c" },
	{ "alice: secret", "alice", false, " secret" },
	{ "alice:{TOKEN}web", "alice", true, "web" },
	{ "alice:{token}web", "alice", false, "{token}web" },
	{ "alice:{TOKEN}", NULL, false, NULL },
	{ "alice:", NULL, false, NULL },
	{ ":secret", NULL, false, NULL },
	{ "secret", NULL, false, NULL },
	{ "", NULL, false, NULL },
	{ "a\x7f:secret", NULL, false, NULL },
	{ "\xff:secret", NULL, false, NULL },
};

static void
test_logins(void)
{
	char longest[SASL_PASS_MAX + 8];
	struct sasl_login l;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof logins / sizeof logins[0]; i++) {
		const char *value = logins[i].value;

		value = unit_guard(value, strlen(value) + 1);
		why = sasl_login_parse(value, &l);
		if (logins[i].user == NULL)
			CHECK(logins[i].value, why != NULL);
		else
			CHECK(logins[i].value,
			    why == NULL &&
				strcmp(l.user, logins[i].user) == 0 &&
				l.has_token == logins[i].token &&
				strcmp(l.secret, logins[i].secret) == 0);
	}
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "a:", 2);
	longest[2 + SASL_PASS_MAX] = '\0';
	CHECK("the longest password", sasl_login_parse(longest, &l) == NULL);
	longest[2 + SASL_PASS_MAX] = 'x';
	longest[3 + SASL_PASS_MAX] = '\0';
	CHECK("a longer one", sasl_login_parse(longest, &l) != NULL);
}

#define BIT(mech) (1u << SASL_##mech)
#define PASSWORDS                                                              \
	(BIT(PLAIN) | BIT(LOGIN) | BIT(CRAM_MD5) | BIT(SCRAM) | BIT(SCRAM_PLUS))
#define TOKENS (BIT(OAUTHBEARER) | BIT(XOAUTH2))

static void
test_choice(void)
{
	/* Columns: offered, with a token, can be bound; what is chosen. */
	static const struct {
		uint32_t offered;
		bool token, bindable;
		enum sasl_mech mech;
	} rows[] = {
		{ PASSWORDS | TOKENS, false, true, SASL_SCRAM_PLUS },
		{ PASSWORDS | TOKENS, false, false, SASL_SCRAM },
		{ BIT(SCRAM_PLUS), false, false, SASL_MECHS },
		{ BIT(PLAIN) | BIT(LOGIN) | BIT(CRAM_MD5), false, true,
		    SASL_CRAM_MD5 },
		{ BIT(PLAIN) | BIT(LOGIN), false, true, SASL_PLAIN },
		{ BIT(LOGIN), false, true, SASL_LOGIN },
		{ BIT(EXTERNAL), false, true, SASL_MECHS },
		{ TOKENS, false, true, SASL_MECHS },
		{ PASSWORDS | TOKENS, true, true, SASL_OAUTHBEARER },
		{ PASSWORDS | BIT(XOAUTH2), true, true, SASL_XOAUTH2 },
		{ PASSWORDS, true, true, SASL_MECHS },
		{ 0, false, true, SASL_MECHS },
		{ UINT32_MAX, true, true, SASL_OAUTHBEARER },
	};
	struct sasl_login l = { 0 };
	char name[32];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		l.has_token = rows[i].token;
		snprintf(name, sizeof name, "choice %zu", i);
		CHECK(name,
		    sasl_choose(rows[i].offered, &l, rows[i].bindable) ==
			rows[i].mech);
	}
}

/* ---- one step ---- */

static struct sasl_ask m;
static struct sasl_login login;
static struct sasl_turn turn;

static void
begin(enum sasl_mech mech, const char *credentials)
{
	buf_free(&turn.message);
	memset(&m, 0, sizeof m);
	memset(&turn, 0, sizeof turn);
	if (sasl_login_parse(credentials, &login) != NULL)
		abort();
	m.mech = mech;
	turn.ask = &m;
	turn.login = &login;
}

/* The server's words, with their length. */
static const char *
step(uint32_t n, const void *data, size_t len)
{
	if (len > sizeof m.data)
		abort();
	m.step = n;
	memcpy(m.data, data, len);
	m.n = (uint32_t)len;
	buf_free(&turn.message);
	return sasl_turn(&turn);
}

#define STEP(n, text) step((n), (text), sizeof(text) - 1)

static bool
is_said(const void *p, size_t len)
{
	return turn.message.len == len &&
	    memcmp(buf_data(&turn.message), p, len) == 0;
}

#define SAID(text) is_said((text), sizeof(text) - 1)

/* The exchange so far, as deliver brings it back. */
static void
keep(void)
{
	m.n_before = turn.n_before;
	memcpy(m.before, turn.before, turn.n_before);
}

static void
test_passwords(void)
{
	begin(SASL_PLAIN, "tim:tanstaaftanstaaf");
	CHECK("PLAIN of RFC 4616",
	    STEP(0, "") == NULL && SAID("\0tim\0tanstaaftanstaaf") &&
		turn.proved);
	CHECK("PLAIN has one step", STEP(1, "") != NULL);
	begin(SASL_PLAIN, "t\xc3\xbcm:p\xc3\xa4:ss");
	CHECK("PLAIN in UTF-8",
	    STEP(0, "") == NULL && SAID("\0t\xc3\xbcm\0p\xc3\xa4:ss"));

	begin(SASL_LOGIN, "tim:secret");
	CHECK("LOGIN says nothing first",
	    STEP(0, "") == NULL && SAID("") && !turn.proved);
	CHECK("then the user",
	    STEP(1, "Username:") == NULL && SAID("tim") && !turn.proved);
	CHECK("then the password",
	    STEP(2, "Password:") == NULL && SAID("secret") && turn.proved);
	CHECK("and nothing more", STEP(3, "Again:") != NULL);

	begin(SASL_CRAM_MD5, "tim:tanstaaftanstaaf");
	CHECK("CRAM-MD5 says nothing first", STEP(0, "") == NULL && SAID(""));
	CHECK("CRAM-MD5 of RFC 2195",
	    STEP(1, "<1896.697170952@postoffice.reston.mci.net>") == NULL &&
		SAID("tim b913a602c7eda7a495b4e6e7334d3890") && turn.proved);
	CHECK("no challenge", STEP(1, "") != NULL);
	CHECK("CRAM-MD5 has two steps", STEP(2, "x") != NULL);
	buf_free(&turn.message);
}

static void
test_tokens(void)
{
	char longest[SASL_MESSAGE_MAX + 1];

	begin(SASL_OAUTHBEARER, "user@example.com:{TOKEN}x");
	turn.token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
	snprintf(m.host, sizeof m.host, "server.example.com");
	m.port = 143;
	CHECK("OAUTHBEARER of RFC 7628",
	    STEP(0, "") == NULL &&
		SAID("n,a=user@example.com,\001host=server.example.com\001port=143\001auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001"));
	turn.token = NULL;
	CHECK("its error is answered with ^A",
	    STEP(1, "{\"status\":\"invalid_token\"}") == NULL && SAID("\001") &&
		strcmp(turn.refused, "{\"status\":\"invalid_token\"}") == 0);
	CHECK("and then nothing more", STEP(2, "") != NULL);

	begin(SASL_OAUTHBEARER, "a,b=c:{TOKEN}x");
	turn.token = "t";
	CHECK("a name with , and =",
	    STEP(0, "") == NULL &&
		SAID("n,a=a=2Cb=3Dc,\001host=\001port=0\001auth=Bearer t\001\001"));
	turn.token = NULL;
	CHECK("no token", STEP(0, "") != NULL);
	memset(longest, 'x', sizeof longest);
	longest[SASL_MESSAGE_MAX] = '\0';
	turn.token = longest;
	CHECK("a token that is too long", STEP(0, "") != NULL);

	begin(SASL_XOAUTH2, "someuser@example.com:{TOKEN}x");
	turn.token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
	CHECK("XOAUTH2",
	    STEP(0, "") == NULL &&
		SAID("user=someuser@example.com\001auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\001\001"));
	turn.token = NULL;
	CHECK("its error is answered with nothing",
	    STEP(1, "{\"status\":\"401\"}") == NULL && SAID("") &&
		turn.refused[0] == '{');
	buf_free(&turn.message);
}

/* ---- SCRAM ---- */

#define NONCE     "rOprNGfwEbeRWgbNEkqO"
#define BOTH      NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define FIRST     "r=" BOTH ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define FINAL     "c=biws,r=" BOTH ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

/* The example of RFC 7677 from its second step on: the first is random. */
static void
begin_example(void)
{
	static const char said[] = "n,,n=user,r=" NONCE;

	begin(SASL_SCRAM, "user:pencil");
	m.n_before = sizeof said - 1;
	memcpy(m.before, said, sizeof said - 1);
}

/* Columns: what the server says in its first message instead. */
static const char *const bad_first[] = {
	"",
	"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=04096",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2147483648",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999999999",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096x",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==",
	"r=" NONCE "%hv,s=,i=4096",
	"r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096",
	"r=" NONCE "%hv,i=4096",
	"r=" NONCE "%h v,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"r=rOprNGfwEbeRWgbNEkqo%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"r=x" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"r=rOpr,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"r=,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"s=W22ZaJ0SNY7soEsUEjb6gQ==,r=" NONCE "%hv,i=4096",
	"m=ext,r=" NONCE "%hv,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	"r",
	"r=",
};

static const char *const bad_final[] = {
	"",
	"v=",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
	"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95A==",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4",
	"x=y," SIGNATURE,
	"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	FIRST,
};

static void
test_scram(void)
{
	char name[16];
	size_t i;

	begin_example();
	CHECK("it is for a thread", (m.step = 1, sasl_turn_is_slow(&turn)));
	CHECK("the proof of RFC 7677", STEP(1, FIRST) == NULL && SAID(FINAL));
	CHECK("nobody has proved anything yet", !turn.proved);
	keep();
	CHECK("its signature",
	    STEP(2, SIGNATURE) == NULL && SAID("") && turn.proved);
	CHECK("with an extension",
	    STEP(2, SIGNATURE ",x=y") == NULL && turn.proved);
	CHECK("it ends there", STEP(3, "") != NULL);
	for (i = 0; i < sizeof bad_final / sizeof bad_final[0]; i++) {
		snprintf(name, sizeof name, "final %zu", i);
		CHECK(name,
		    step(2, bad_final[i], strlen(bad_final[i])) != NULL &&
			!turn.proved);
	}
	CHECK("the server refuses",
	    STEP(2, "e=invalid-proof") == NULL && SAID("") && !turn.proved &&
		strcmp(turn.refused, "invalid-proof") == 0);
	m.n_before = 31;
	CHECK("before is cut", STEP(2, SIGNATURE) != NULL && !turn.proved);
	m.n_before = 0;
	CHECK("there is no before", STEP(2, SIGNATURE) != NULL && !turn.proved);
	for (i = 0; i < sizeof bad_first / sizeof bad_first[0]; i++) {
		begin_example();
		snprintf(name, sizeof name, "first %zu", i);
		CHECK(name,
		    step(1, bad_first[i], strlen(bad_first[i])) != NULL &&
			turn.message.len == 0);
	}
	begin_example();
	CHECK("a NUL in it",
	    STEP(1, "r=" NONCE "%\0v,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096") !=
		NULL);
	CHECK("an extension that is not known",
	    STEP(1, FIRST ",x=y") == NULL && turn.message.len > 0);
	CHECK("e= at once",
	    STEP(1, "e=unsupported-channel-binding-type") == NULL && SAID("") &&
		!turn.proved && turn.refused[0] == 'u');
	for (i = 0; i < 13; i++) {
		begin_example();
		m.n_before = (uint32_t)i;
		snprintf(name, sizeof name, "before %zu", i);
		CHECK(name, STEP(1, FIRST) != NULL && turn.message.len == 0);
	}
	begin(SASL_SCRAM, "user:\x07");
	memcpy(m.before, "n,,n=user,r=" NONCE, m.n_before = 32);
	CHECK("a password that SASLprep does not take", STEP(1, FIRST) != NULL);
	buf_free(&turn.message);
}

/* Against the server's side of ours. */
static bool
server_takes(const char *password, const char *header, size_t n_exporter)
{
	char first[1024], server[256], without[512];
	char salt[] = "c2FsdHNhbHQ=", message[2048];
	struct scram_secret s = { .iter = 4096, .n_salt = 8 };
	struct scram_first got;
	struct scram_final last;
	uint8_t sig[SCRAM_KEY], binding[128];
	char text[128], final[128];
	size_t n, len;

	n = turn.message.len;
	memcpy(first, buf_data(&turn.message), n);
	if (scram_first_parse((struct slice){ first, n }, &got) != NULL ||
	    !slice_eq(got.header, slice_of(header)))
		return false;
	keep();
	snprintf(server, sizeof server, "r=%.*sserver,s=%s,i=4096",
	    (int)got.nonce.len, got.nonce.p, salt);
	if (step(1, server, strlen(server)) != NULL)
		return false;
	memcpy(without, buf_data(&turn.message), turn.message.len);
	if (scram_final_parse((struct slice){ without, turn.message.len },
		&last) != NULL)
		return false;
	n = strlen(header);
	memcpy(binding, header, n);
	memcpy(binding + n, m.exporter, n_exporter);
	len = base64_print(BASE64_PLAIN, binding, n + n_exporter, text);
	if (!slice_eq(last.binding, (struct slice){ text, len }))
		return false;
	memcpy(s.salt, "saltsalt", 8);
	scram_derive(&s, password);
	len = (size_t)snprintf(message, sizeof message, "%.*s,%s,%.*s",
	    (int)got.bare.len, got.bare.p, server, (int)last.without_proof.len,
	    last.without_proof.p);
	if (!scram_proof_is_good(&s, message, len, last.proof, sig))
		return false;
	keep();
	memcpy(final, "v=", 2);
	len = 2 + base64_print(BASE64_PLAIN, sig, sizeof sig, final + 2);
	return step(2, final, len) == NULL && turn.proved;
}

static void
test_scram_first(void)
{
	char name[ADDR_MAX + 8];

	begin(SASL_SCRAM, "alice:secret");
	m.mechs = BIT(SCRAM);
	CHECK("without a binding",
	    STEP(0, "") == NULL && server_takes("secret", "n,,", 0));
	begin(SASL_SCRAM, "alice:secret");
	m.n_exporter = 32;
	m.mechs = BIT(SCRAM);
	CHECK("we could have, and it is not offered",
	    STEP(0, "") == NULL && server_takes("secret", "y,,", 0));
	m.mechs = BIT(SCRAM) | BIT(SCRAM_PLUS);
	CHECK("it is offered, and not used",
	    STEP(0, "") == NULL && server_takes("secret", "n,,", 0));
	begin(SASL_SCRAM_PLUS, "alice:secret");
	m.n_exporter = 32;
	memset(m.exporter, 0xa5, 32);
	CHECK("bound",
	    STEP(0, "") == NULL &&
		server_takes("secret", "p=tls-exporter,,", 32));
	begin(SASL_SCRAM,
	    "a,b=\xe2\x85\xa8:se\xc2\xad"
	    "cret");
	CHECK("prepared, and written",
	    STEP(0, "") == NULL &&
		memmem(buf_data(&turn.message), turn.message.len,
		    "n=a=2Cb=3DIX,", 13) != NULL &&
		server_takes("secret", "n,,", 0));
	begin(SASL_SCRAM, "alice:secret");
	CHECK("another password",
	    STEP(0, "") == NULL && !server_takes("secreT", "n,,", 0));
	memset(name, ',', ADDR_MAX);
	memcpy(name + ADDR_MAX, ":x", 3);
	begin(SASL_SCRAM_PLUS, name);
	CHECK("the longest name",
	    STEP(0, "") == NULL && turn.n_before <= sizeof m.before);
	begin(SASL_SCRAM, "\xd8\xa7x:x");
	CHECK("a name that SASLprep does not take", STEP(0, "") != NULL);
	buf_free(&turn.message);
}

static void
test_nonsense(void)
{
	begin(SASL_EXTERNAL, "a:b");
	CHECK("EXTERNAL", STEP(0, "") != NULL);
	begin(SASL_PLAIN, "a:b");
	m.mech = SASL_MECHS;
	CHECK("a mechanism that is none", STEP(0, "") != NULL);
	m.mech = SASL_PLAIN;
	CHECK("a step that is none", step(UINT32_MAX, "", 0) != NULL);
	buf_free(&turn.message);
}

/* ---- questions ---- */

enum { BY_MAP, BY_FILE, NO_TABLE, ACTIONS };

static struct {
	struct conf *conf;
	struct loop *loop;
	struct tables *tables;
	struct sasl_clients *logins;
	struct ipc_chan chan;
	int sock; /* of deliver */
	struct ipc_chan spawn;
	int spawn_sock;
	size_t n;
	uint8_t said[16384];
	struct sasl_is is;
} w;

static struct conf_entry
entry(const char *key, const char *value)
{
	return (struct conf_entry){ image_text(w.conf, key),
		image_text(w.conf, value) };
}

static void
world_open(void)
{
	static ipc_handler *const none[IPC_TYPES];
	struct conf_entry entries[] = { entry("provider", "alice:secret"),
		entry("Big", "bob@example.org:{TOKEN}web"),
		entry("lost", "bob:{TOKEN}nobody"), entry("bare", "secret"),
		entry("bad", "a:{TOKEN}") };
	struct conf_action actions[ACTIONS];
	struct conf_table tables[2];
	struct conf_token token;
	int pair[2], i;

	memset(tables, 0, sizeof tables);
	tables[0].kind = TABLE_MAP;
	tables[1].kind = TABLE_FILE;
	for (i = 0; i < 2; i++) {
		tables[i].name = image_text(w.conf, i == 0 ? "map" : "file");
		tables[i].services = 1u << SERVICE_CREDENTIALS;
	}
	image_rows(w.conf, &tables[0].entries, entries, 5, sizeof entries[0]);
	image_rows(w.conf, &w.conf->table, tables, 2, sizeof tables[0]);
	memset(actions, 0, sizeof actions);
	for (i = 0; i < ACTIONS; i++)
		actions[i].auth = i == NO_TABLE ? CONF_NONE : (uint32_t)i;
	image_rows(w.conf, &w.conf->action, actions, ACTIONS,
	    sizeof actions[0]);
	memset(&token, 0, sizeof token);
	token.name = image_text(w.conf, "web");
	token.file = image_text(w.conf, "/nonexistent");
	image_rows(w.conf, &w.conf->token, &token, 1, sizeof token);
	w.tables = tables_new(w.conf);
	w.logins = sasl_clients_new(w.conf, w.tables);
	w.loop = loop_new();
	sasl_clients_start(w.logins, w.loop);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	ipc_init(&w.chan, w.loop, PROC_LOOKUP, PROC_DELIVER, 0, none, &w, NULL);
	ipc_attach(&w.chan, pair[0]);
	w.sock = pair[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	ipc_init(&w.spawn, w.loop, PROC_LOOKUP, PROC_SPAWN, 0, none, &w, NULL);
	ipc_attach(&w.spawn, pair[0]);
	w.spawn_sock = pair[1];
	sasl_clients_spawn(w.logins, &w.spawn);
}

static bool
has_message(int sock)
{
	char probe;

	return recv(sock, &probe, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* The pieces and the answer; false: none comes. */
static bool
answered(void)
{
	union {
		struct sasl_data data;
		struct sasl_is is;
	} u;
	enum ipc_type type = IPC_NONE;
	int fd, turns = 0;

	w.n = 0;
	for (;;) {
		while (!has_message(w.sock)) {
			if (turns++ > 2000)
				return false;
			event_base_loop(w.loop->base, EVLOOP_NONBLOCK);
			usleep(5000);
		}
		if (ipc_recv_block(w.sock, &type, &u, sizeof u, &fd) <= 0)
			return false;
		if (type == IPC_SASL_IS) {
			w.is = u.is;
			return true;
		}
		if (type != IPC_SASL_DATA || u.data.n > sizeof u.data.data ||
		    w.n + u.data.n > sizeof w.said || u.data.sasl != 77)
			return false;
		memcpy(w.said + w.n, u.data.data, u.data.n);
		w.n += u.data.n;
	}
}

static void
ask(uint32_t action, const char *label, uint32_t mechs)
{
	memset(&m, 0, sizeof m);
	m.sasl = 77;
	m.action = action;
	m.mechs = mechs;
	m.port = 465;
	snprintf(m.label, sizeof m.label, "%s", label);
	snprintf(m.host, sizeof m.host, "mx.test");
	sasl_clients_ask(w.logins, &w.chan, 9, &m);
}

static bool
is_done(enum sasl_mech mech, const char *said, size_t len)
{
	return answered() && w.is.outcome.verdict == DONE &&
	    w.is.mech == mech && w.is.bytes == w.n && w.n == len &&
	    memcmp(w.said, said, len) == 0;
}

/* LATER, of this cause, and the words have no secret. */
static bool
is_later(enum cause cause, const char *words)
{
	return answered() && w.is.outcome.verdict == LATER &&
	    w.is.outcome.cause == cause && w.is.outcome.stage == STAGE_AUTH &&
	    w.is.bytes == 0 && w.n == 0 &&
	    strstr(w.is.outcome.text, words) != NULL &&
	    strstr(w.is.outcome.text, "secret") == NULL;
}

/* Spawn was asked for a token, and gives this text of so many bytes. */
static bool
give_token(const char *text, size_t len)
{
	struct token_ask got;
	struct token_is is;
	enum ipc_type type;
	struct ipc_hdr hdr;
	uint8_t whole[sizeof hdr + sizeof got];
	int pair[2], fd;

	while (!has_message(w.spawn_sock))
		event_base_loop(w.loop->base, EVLOOP_NONBLOCK);
	if (recv(w.spawn_sock, whole, sizeof whole, MSG_PEEK) <= 0 ||
	    ipc_recv_block(w.spawn_sock, &type, &got, sizeof got, &fd) <= 0 ||
	    type != IPC_TOKEN_ASK || got.token != 0)
		return false;
	memcpy(&hdr, whole, sizeof hdr);
	if (pipe(pair) == -1 || fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1 ||
	    write(pair[1], text, len) != (ssize_t)len)
		return false;
	close(pair[1]);
	memset(&is, 0, sizeof is);
	outcome_set(&is.outcome, DONE, WIDTH_SITE, 0, NULL, "started");
	{
		/* As ipc_send() does, with the question's number. */
		static ipc_handler *const none[IPC_TYPES];
		struct ipc_chan c;

		ipc_init(&c, w.loop, PROC_SPAWN, PROC_LOOKUP, 0, none, &w,
		    NULL);
		c.fd = w.spawn_sock;
		if (!ipc_send(&c, IPC_TOKEN_IS, hdr.id, &is, pair[0]))
			return false;
	}
	close(pair[0]);
	return true;
}

#define XOAUTH(token) "user=bob@example.org\001auth=Bearer " token "\001\001"

static void
test_questions(void)
{
	static char token[6001], message[6200];
	int n;

	w.conf = image_new();
	world_open();
	ask(BY_MAP, "provider", BIT(PLAIN) | BIT(LOGIN));
	CHECK("PLAIN of a label",
	    is_done(SASL_PLAIN, "\0alice\0secret", 13) && w.is.proved == 1);
	ask(BY_MAP, "PROVIDER", BIT(PLAIN));
	CHECK("in any case", is_done(SASL_PLAIN, "\0alice\0secret", 13));
	ask(BY_MAP, "provider", BIT(CRAM_MD5));
	CHECK("CRAM-MD5 begins without a word",
	    is_done(SASL_CRAM_MD5, "", 0) && w.is.proved == 0);
	ask(BY_MAP, "provider", 0);
	CHECK("nothing is offered", is_later(CAUSE_CONFIG, "no mechanism"));
	ask(BY_MAP, "provider", TOKENS);
	CHECK("only tokens are", is_later(CAUSE_CONFIG, "with a password"));
	ask(BY_MAP, "nobody", PASSWORDS);
	CHECK("a label that is not there",
	    is_later(CAUSE_CONFIG, "label nobody: table map does not have it"));
	ask(BY_MAP, "bad", PASSWORDS);
	CHECK("no credentials", is_later(CAUSE_CONFIG, "in table map"));
	ask(BY_MAP, "bare", BIT(PLAIN));
	CHECK("a password alone: the label is the user",
	    is_done(SASL_PLAIN, "\0bare\0secret", 12));
	ask(BY_FILE, "provider", PASSWORDS);
	CHECK("a table without an answer", is_later(CAUSE_SYSTEM, "file"));
	ask(NO_TABLE, "provider", PASSWORDS);
	CHECK("no table", is_later(CAUSE_CONFIG, "no auth table"));
	ask(ACTIONS, "provider", PASSWORDS);
	CHECK("no action", is_later(CAUSE_SYSTEM, "no sense"));
	ask(BY_MAP, "lost", TOKENS);
	CHECK("a token that nobody declared",
	    is_later(CAUSE_CONFIG, "token statement"));
	ask(BY_MAP, "big", PASSWORDS);
	CHECK("a token, and none is taken",
	    is_later(CAUSE_CONFIG, "with a token"));

	/* SCRAM from end to end. */
	ask(BY_MAP, "provider", PASSWORDS);
	CHECK("SCRAM without an exporter",
	    answered() && w.is.outcome.verdict == DONE &&
		w.is.mech == SASL_SCRAM && w.n > 20 &&
		memcmp(w.said, "n,,n=alice,r=", 13) == 0 && w.is.proved == 0 &&
		w.is.n_before == w.n);
	m.step = 1;
	m.mech = SASL_SCRAM;
	m.n_before = w.is.n_before;
	memcpy(m.before, w.is.before, m.n_before);
	m.n = (uint32_t)snprintf((char *)m.data, sizeof m.data,
	    "r=%.24sxyz,s=c2FsdA==,i=4096", (const char *)w.said + 13);
	sasl_clients_ask(w.logins, &w.chan, 9, &m);
	CHECK("its second step is done in a thread",
	    answered() && w.is.outcome.verdict == DONE && w.n > 60 &&
		memcmp(w.said, "c=biws,r=", 9) == 0 && w.is.n_before == 32);
	m.data[5] ^= 1;
	sasl_clients_ask(w.logins, &w.chan, 9, &m);
	CHECK("another nonce", is_later(CAUSE_CONFIG, "nonce"));
	m.data[5] ^= 1;
	sasl_clients_ask(w.logins, &w.chan, 9, &m);
	sasl_clients_down(w.logins, &w.chan);
	ask(BY_MAP, "provider", BIT(PLAIN));
	CHECK("who went is not answered",
	    is_done(SASL_PLAIN, "\0alice\0secret", 13));

	/* Tokens. */
	ask(BY_MAP, "big", TOKENS);
	CHECK("it is fetched", give_token("t1", 2));
	CHECK("OAUTHBEARER first",
	    answered() && w.is.mech == SASL_OAUTHBEARER &&
		w.is.outcome.verdict == DONE);
	ask(BY_MAP, "big", BIT(XOAUTH2));
	CHECK("once",
	    is_done(SASL_XOAUTH2, XOAUTH("t1"), sizeof XOAUTH("t1") - 1));
	m.step = 1;
	m.mech = SASL_XOAUTH2;
	m.n = 2;
	memcpy(m.data, "{}", 2);
	sasl_clients_ask(w.logins, &w.chan, 9, &m);
	CHECK("its error", is_done(SASL_XOAUTH2, "", 0));
	m.step = 1;
	m.mech = SASL_SCRAM;
	sasl_clients_ask(w.logins, &w.chan, 9, &m);
	CHECK("the name of a token is no password",
	    is_later(CAUSE_CONFIG, "changed"));
	ask(BY_MAP, "big", 0);
	m.mechs = BIT(XOAUTH2);
	m.fresh = 1;
	CHECK("nothing offered", is_later(CAUSE_CONFIG, "no mechanism"));
	sasl_clients_ask(w.logins, &w.chan, 9, &m);
	memset(token, 'T', 6000);
	CHECK("afresh", give_token(token, 6000));
	n = snprintf(message, sizeof message, XOAUTH("%s"), token);
	CHECK("in pieces", is_done(SASL_XOAUTH2, message, (size_t)n));

	/* What a thread still works at is waited for. */
	while (!sasl_clients_idle(w.logins))
		event_base_loop(w.loop->base, EVLOOP_ONCE);
	sasl_clients_free(&w.logins);
	tables_free(&w.tables);
	ipc_detach(&w.chan);
	ipc_detach(&w.spawn);
	close(w.sock);
	close(w.spawn_sock);
	/* Threads wait at the loop; it stays with what they touch. */
}

int
main(void)
{
	log_to_stderr("unit", false);
	test_logins();
	test_choice();
	test_passwords();
	test_tokens();
	test_scram();
	test_scram_first();
	test_nonsense();
	test_questions();
	return unit_end();
}
