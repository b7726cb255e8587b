/*
 * Parsing smtpd.conf: what the walk over the grammar (conf_parse.c), the
 * readers of values and statements, the checks (conf_check.c) and the builder
 * of the image (conf_build.c) share.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_PARSE_H
#define SMTPD_CONF_PARSE_H

#include "buf.h"
#include "conf.h"
#include "conf_lex.h"
#include "conf_mends.h"
#include "conf_table.h"

/* Bounds of the lists, so that no file costs more than it should. */
enum {
	CONF_LISTEN_MAX = 1024,
	CONF_TABLE_MAX = 16384,
	CONF_NAMES_MAX = 4096, /* of each kind of the others */
	CONF_MATCH_MAX = 65536,
	CONF_DKIM_MAX = 16384,
	CONF_DOMAINS_MAX = 4096, /* `retry domain`, `limit`, `tls domain` */
	CONF_OAUTH_MAX = 64,
	CONF_DNSLIST_MAX = 32, /* a client is asked of all of them */
	CONF_STEP_MAX = 32,
	CONF_LISTENER_PKI_MAX = 32, /* as OpenSMTPD has it */
	CONF_PKI_LINE_MAX = 8, /* certificates of one statement, and keys */
	CONF_CHAIN_MAX = 64,   /* filters of one list */
	CONF_COND_MAX = 16     /* more than a rule can have */
};

/* The lists of struct conf.  Columns: name, row. */
#define CONF_LISTS(X)                                                          \
	X(table, conf_table)                                                   \
	X(pki, conf_pki)                                                       \
	X(ca, conf_ca)                                                         \
	X(proc, conf_proc)                                                     \
	X(filter, conf_filter)                                                 \
	X(listen, conf_listen)                                                 \
	X(wrapper, conf_wrapper)                                               \
	X(action, conf_action)                                                 \
	X(match, conf_match)                                                   \
	X(dkim, conf_dkim)                                                     \
	X(retry, conf_retry)                                                   \
	X(limit, conf_limit)                                                   \
	X(other, conf_other)                                                   \
	X(tls, conf_tls)                                                       \
	X(token, conf_token)                                                   \
	X(oauth, conf_oauth)                                                   \
	X(dnslist, conf_dnslist)                                               \
	X(local_addr, conf_entry)

/* The lists that spans of their rows point into. */
#define CONF_INNER_LISTS(X)                                                    \
	X(entry, conf_entry)                                                   \
	X(ref, conf_ref)                                                       \
	X(host, conf_host)                                                     \
	X(cond, conf_cond)                                                     \
	X(step, conf_step)

/* What has a name that other statements use; the lists and the fields of
 * struct conf_stmt are called the same.  Columns: enum, list, noun, most. */
#define CONF_NAMED(X)                                                          \
	X(TABLE, table, "table", CONF_TABLE_MAX)                               \
	X(PKI, pki, "pki", CONF_NAMES_MAX)                                     \
	X(CA, ca, "ca", CONF_NAMES_MAX)                                        \
	X(PROC, proc, "proc", CONF_NAMES_MAX)                                  \
	X(FILTER, filter, "filter", CONF_NAMES_MAX)                            \
	X(WRAPPER, wrapper, "mda wrapper", CONF_NAMES_MAX)                     \
	X(ACTION, action, "action", CONF_NAMES_MAX)                            \
	X(TOKEN, token, "token", CONF_NAMES_MAX)

enum conf_named {
#define X(kind, list, noun, max) NAMED_##kind,
	CONF_NAMED(X)
#undef X
	    NAMED_KINDS
};

/* Statements about who sent mail, of which the last is remembered. */
enum conf_said {
	CONF_SAID_SPF,
	CONF_SAID_DMARC,
	CONF_SAID_ARC,
	CONF_SAID_SEAL,
	CONF_SAID_TEMPERROR,
	CONF_SAIDS
};

/* Families of CONF_LIMITS. */
enum conf_limits { LIMITS_MTA, LIMITS_MDA, LIMITS_SCHEDULER };

/* The statement being read; zeroed, with defaults, before each. */
struct conf_stmt {
	struct conf_listen listen;
	const char *where; /* of the lexer's arena */
	uint32_t listen_pki[CONF_LISTENER_PKI_MAX], pkis;
	uint32_t chain[CONF_CHAIN_MAX], chained; /* list of filters */
	struct conf_table table;
	struct conf_pki pki;
	conf_str pki_path[2][CONF_PKI_LINE_MAX]; /* certificates, keys */
	uint32_t pki_paths[2];
	struct conf_ca ca;
	struct conf_proc proc;
	struct conf_filter filter;
	struct conf_wrapper wrapper;
	struct conf_action action;
	bool host_port; /* a URL of `host` had one */
	struct conf_match match;
	bool not_; /* `!` stood before `from` or `for` */
	struct conf_cond cond[CONF_COND_MAX];
	uint32_t conds;
	struct conf_dkim dkim;
	struct conf_retry retry;
	struct conf_limit limit;
	struct conf_oauth oauth;
	struct conf_dnslist dnslist;
	struct conf_tls tls;
	struct conf_token token;
	bool history_no;
	uint32_t history_keep;
	uint64_t history_size;
	struct sockaddr_storage address;
	uint16_t port;       /* 0: not said */
	const char *include; /* of the lexer's arena */
};

/* What rows of the grammar can store into. */
struct conf_fields {
	uint8_t none; /* for rows that store nothing */
	struct conf conf;
	struct conf_stmt stmt;
};

/* A configuration in the making.  The row lists hold structs of conf.h. */
struct conf_parser {
	struct conf_lex lex;
	struct conf_errors *errors;
	struct conf_errors not_yet; /* what CONF_NOT_YET refuses */
	struct conf_errors warnings;
	struct conf_fields f;
	const char *file; /* where the statement began */
	uint32_t line;
	uint32_t end_line;  /* where the statement before ended; 0: none */
	size_t ends_early;  /* the number of its error if it was cut short */
	conf_str file_name; /* the file, in the pool */
	bool negated;       /* `!` stood before the word being read */
	const char *use;    /* the word whose set is being read */
	/* Nobody will run it: what the file names is not looked at. */
	bool text_alone;
	struct conf_at said[CONF_SAIDS]; /* line 0: not said */
	bool report_said;
	/* The grammar before 6.4, which is said here; only its rules matter. */
	struct conf_errors *old;
	struct buf where;   /* struct sockaddr_storage: of this `listen` */
	struct buf missing; /* struct conf_missing */

	/* the lists of struct conf */
#define X(name, row) struct buf name;
	CONF_LISTS(X)
	/* those of its rows: there, span.off is a row of these */
	CONF_INNER_LISTS(X)
#undef X
	struct buf pool;
	uint8_t shape[CONF_TABLE_MAX]; /* by table: enum conf_shape */
	bool prefixes[CONF_TABLE_MAX]; /* by table: are addresses, or said */
};

enum conf_often { ONE, SOME, MANY, MAYBE };

enum conf_place {
#define X(name, often, end, then) PLACE_##name,
	CONF_PLACES(X)
#undef X
	    PLACES
};

enum {
	CW_NOT = 1,  /* may stand after `!` */
	CW_NEED = 2, /* must be said */
	CW_LAST = 4, /* ends its place */
	CW_MANY = 8  /* may stand more than once */
};

struct conf_word;

/*
 * Reads what follows a word (or, in a row without a word, what stands there)
 * from the token at hand on, and steps over it.  False: the statement cannot
 * be understood any further; what is wrong has been said.
 */
typedef bool conf_read(struct conf_parser *p, const struct conf_word *w);

struct conf_word {
	enum conf_place place;
	const char *word; /* NULL: any other */
	const char *what; /* what is read */
	unsigned int flags;
	conf_read *read;
	size_t off, size; /* of struct conf_fields */
	uint64_t min, max;
	uint64_t value;       /* to store, or default */
	enum conf_place next; /* PLACE_TOP: none */
};

/* ---- conf_parse.c: the walk ---- */

/* Defaults, local addresses and name, the file.  Errors are in p->errors. */
void conf_parse(struct conf_parser *p, const char *path,
    const struct conf_macro *macros, size_t n);

/* Is the word at hand one of this place? */
bool conf_is_word(const struct conf_parser *p, enum conf_place place);

/* The word that may stand in w's place and stores into the same field by
 * another value: "`tls`, `smtps`"; for messages. */
void conf_siblings(const struct conf_word *w, char *out, size_t size);

/* ---- conf_old_file.c: the grammar before 6.4 ---- */

/* Does the word at hand begin one of its rules? */
bool conf_old_begins(const struct conf_parser *p);

/* Looks at the token at hand, one more of the statement that begins with
 * first. */
void conf_old_look(struct conf_parser *p, const char *first);

/* A whole file of it: this, and its first rule, is all that is worth saying.
 * now: as in CONF_PRE_6_4. */
void conf_old_file(struct conf_parser *p, const char *what, const char *now);

/* The form that the rule at hand has now, line by line. */
void conf_old_new_form(struct conf_parser *p);

/* The statement ends at the token at hand. */
bool conf_at_end(const struct conf_parser *p);

/* ---- conf_say.c: what is wrong ---- */

/* Says what was found and what was expected; returns false. */
bool conf_expected(struct conf_parser *p, const char *what);

/* Says something about the token at hand; returns false. */
bool conf_wrong(struct conf_parser *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ... or about the statement, where it began. */
bool conf_refuse(struct conf_parser *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A warning about what a statement says that may stand. */
void conf_warn(struct conf_parser *p, const struct conf_at *at, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Notes that what stands at file:line is not in this version.  text: as in the
 * message. */
void conf_not_yet(struct conf_parser *p, const char *text, const char *file,
    uint32_t line);

/* Notes that the word of this place, at file:line, is one of CONF_NOT_YET, if
 * it is.  word: as in the table. */
void conf_note_not_yet(struct conf_parser *p, enum conf_place place,
    const char *word, const char *file, uint32_t line);

/* The mend for what stands in this place, or NULL. */
const char *conf_mend(const struct conf_parser *p, enum conf_place place);

/* How far a is from b, which who wrote a may have meant: 0 if only in case,
 * CONF_UNLIKE if that is not likely. */
#define CONF_UNLIKE 1000
unsigned int conf_unlike(const char *a, const char *b);

/* A name that is not declared; the hint comes when all is read. */
struct conf_missing {
	uint32_t kind; /* enum conf_named */
	conf_str name;
	size_t error; /* in p->errors */
};

/* Says so, once for each name. */
void conf_say_missing(struct conf_parser *p, enum conf_named kind,
    const char *name);

/* Adds to those errors what was meant perhaps. */
void conf_hints(struct conf_parser *p);

/* ---- conf_rows.c: lists, texts, names ---- */

/* Adds a text to the pool. */
conf_str conf_pool_add(struct conf_parser *p, const char *text);
const char *conf_pool_text(const struct conf_parser *p, conf_str s);

/* Nobody uses this text any more, and nobody shall find it. */
void conf_pool_wipe(struct conf_parser *p, conf_str s);

/* Number of rows in a list of rows of size bytes; row i. */
uint32_t conf_count(const struct buf *rows, size_t size);
void *conf_item(const struct buf *rows, uint32_t i, size_t size);

/* Adds a row; false at max rows, which is said. */
bool conf_add(struct conf_parser *p, struct buf *rows, const void *row,
    size_t size, uint32_t max, const char *what);

/* Adds n rows; where they are. */
struct conf_span conf_add_refs(struct conf_parser *p, const uint32_t *rows,
    uint32_t n);

/* Where the statement began, for its row. */
struct conf_at conf_here(struct conf_parser *p);

/* Stores v into the row's field; the field itself. */
void conf_store(struct conf_parser *p, const struct conf_word *w, uint64_t v);
void *conf_field(struct conf_parser *p, const struct conf_word *w);

/* The row of this kind and name, or CONF_NONE. */
uint32_t conf_find(const struct conf_parser *p, enum conf_named kind,
    const char *name);

/* Where row i of this kind was declared. */
struct conf_at conf_declared(const struct conf_parser *p, enum conf_named kind,
    uint32_t i);

/* What the kind is called; how many there are; the name of one. */
const char *conf_noun(enum conf_named kind);
uint32_t conf_named_count(const struct conf_parser *p, enum conf_named kind);
const char *conf_named_text(const struct conf_parser *p, enum conf_named kind,
    uint32_t i);

/* The statement's row of this kind is complete, and joins its list. */
bool conf_add_named(struct conf_parser *p, enum conf_named kind);

/* A statement that failed may still have declared a name: one error is
 * enough, its uses need not fail too. */
void conf_declare_anyway(struct conf_parser *p);

/* ---- conf_value.c, conf_text.c: values ---- */

conf_read conf_read_nothing, conf_read_value, conf_read_choice;
conf_read conf_read_negation, conf_read_number, conf_read_size;
conf_read conf_read_time, conf_read_ttl, conf_read_srs_ttl, conf_read_port;
conf_read conf_read_rate, conf_read_warn, conf_read_retry;
conf_read conf_read_text, conf_read_host, conf_read_hostname, conf_read_helo,
    conf_read_selector;
conf_read conf_read_tag, conf_read_sender, conf_read_admd, conf_read_mail_name;
conf_read conf_read_delimiter, conf_read_encryption, conf_read_facility;
conf_read conf_read_dhe, conf_read_cert, conf_read_key, conf_read_address;
conf_read conf_read_protocols, conf_read_secret;
conf_read conf_read_include, conf_read_new_name, conf_read_name_ref;
conf_read conf_read_declared_text;

/* Words that need quotes as names. */
bool conf_reserved(const char *word);

/* A word that is not reserved, or a string that is not empty, stands at hand:
 * what a value can be. */
bool conf_is_text(const struct conf_parser *p);

/* The same, and says what is wrong if it is not.  what: as in "expected ..." */
bool conf_need_text(struct conf_parser *p, const char *what);

/* The absolute path at hand, of a file that can be read; secret: of a private
 * key.  Says what is wrong. */
bool conf_path(struct conf_parser *p, bool secret, conf_str *path);

/* Adds the text at hand to the pool and steps over it. */
conf_str conf_take_text(struct conf_parser *p);

/* The use of a name of this kind at hand, or CONF_NONE if nobody declared it,
 * which is said.  False: no name. */
bool conf_name_ref(struct conf_parser *p, enum conf_named kind,
    const char *what, uint32_t *row);

/* What else than a domain is taken for one. */
enum {
	DOMAIN_STARS = 1,      /* labels of `*` in front */
	DOMAIN_UNDERSCORES = 2 /* as people have them in names of hosts */
};

/* As DNS has it.  NULL, or why not. */
const char *conf_domain(const char *text, unsigned int flags,
    char out[DOMAIN_MAX + 1]);

/* ---- conf_set.c: lists and tables ---- */

conf_read conf_read_map, conf_read_list, conf_read_domains;
conf_read conf_read_table_source;
bool conf_table_end(struct conf_parser *p);

/* What a table holds. */
enum conf_shape {
	SHAPE_UNKNOWN, /* not looked at yet */
	SHAPE_ANY,     /* nobody knows but who answers for it */
	SHAPE_EMPTY,
	SHAPE_LIST,
	SHAPE_MAP
};

/*
 * `{ a, b c }` at hand: element is called with each at hand, and steps over
 * it.  what: an element, as in "expected ..."
 */
bool conf_list(struct conf_parser *p, const char *what,
    bool (*element)(struct conf_parser *p, void *arg), void *arg);

/* <table>, { list } or a text at hand, which service will be asked for; the
 * last two become a table without a name.  shape: SHAPE_ANY, or what it must
 * have.  A table that is not declared leaves CONF_NONE.  p->use: what it is
 * for, in messages. */
bool conf_set(struct conf_parser *p, const char *what,
    enum conf_service service, enum conf_shape shape, uint32_t *table);

/* Could what stands at hand be a set, not the next word of the grammar? */
bool conf_is_set(const struct conf_parser *p);

/* The same in a place of the grammar some of whose words are not reserved. */
bool conf_is_set_in(const struct conf_parser *p, enum conf_place place);

/* ---- the statements ---- */

/* conf_listen.c */
conf_read conf_read_where, conf_read_listen_pki, conf_read_listen_auth;
conf_read conf_read_listen_submission;
conf_read conf_read_pki_name, conf_read_pki_cert, conf_read_pki_key;
bool conf_listen_end(struct conf_parser *p);
bool conf_pki_end(struct conf_parser *p);
bool conf_ca_end(struct conf_parser *p);

/* The socket of sendmail(8) is there also where no line says so. */
void conf_listen_local(struct conf_parser *p);

/* All is read: a listener's `pki NAME` becomes all rows of that name. */
void conf_listen_certs(struct conf_parser *p);

/* conf_action.c */
conf_read conf_read_destination, conf_read_maildir;
bool conf_action_end(struct conf_parser *p);
bool conf_wrapper_end(struct conf_parser *p);

/* conf_relay.c */
conf_read conf_read_hosts, conf_read_routes, conf_read_srs;
bool conf_relay_end(struct conf_parser *p);

/* What `auth` stands for, now that all tokens are known. */
void conf_check_relays(struct conf_parser *p);

/* conf_match.c */
conf_read conf_read_cond, conf_read_cond_maybe, conf_read_cond_set;
conf_read conf_read_cond_results;
bool conf_match_end(struct conf_parser *p);

/* conf_filter.c */
conf_read conf_read_filter_proc, conf_read_filter_exec, conf_read_filter_chain;
conf_read conf_read_listen_filter, conf_read_action_filter;
conf_read conf_read_fcond, conf_read_fcond_maybe, conf_read_fcond_set;
conf_read conf_read_decision, conf_read_decision_text;
bool conf_proc_end(struct conf_parser *p);
bool conf_filter_cond_end(struct conf_parser *p);
bool conf_filter_end(struct conf_parser *p);

/* conf_client.c */
conf_read conf_read_answers;
bool conf_oauth_end(struct conf_parser *p);
bool conf_dnsbl_end(struct conf_parser *p);
bool conf_dnswl_end(struct conf_parser *p);

/* What listeners and settings say of lists and greylisting goes together. */
void conf_check_clients(struct conf_parser *p);

/* conf_auth.c: what is done about who sent mail */
conf_read conf_read_verify, conf_read_act, conf_read_list_once;
conf_read conf_read_mailbox;
bool conf_report_end(struct conf_parser *p);
void conf_auth_defaults(struct conf *c);

/* Is anything not as it would be without a statement of this kind? */
bool conf_auth_says(const struct conf *c, enum conf_said kind);

/* What seals has a key. */
void conf_check_auth(struct conf_parser *p);

/* conf_own.c: what OpenSMTPD has not */
bool conf_resolver_end(struct conf_parser *p);
bool conf_metrics_end(struct conf_parser *p);
bool conf_history_end(struct conf_parser *p);

/* conf_limit.c: `retry` and `limit`, and limits that only OpenSMTPD has */
conf_read conf_read_limits;
bool conf_retry_end(struct conf_parser *p);
bool conf_limit_end(struct conf_parser *p);

/* The statement's domains, rows of entry, are not those of another.  word: of
 * the message. */
bool conf_check_domains(struct conf_parser *p, struct conf_span mine,
    struct conf_span other, struct conf_at at, const char *word);

/* conf_out.c: keys, tokens and certificates of the way out */
conf_read conf_read_folder;
conf_read conf_read_token_file, conf_read_token_command, conf_read_token_user;
void conf_out_defaults(struct conf *c);
bool conf_dkim_end(struct conf_parser *p);
bool conf_tls_end(struct conf_parser *p);
bool conf_token_end(struct conf_parser *p);

/* ---- conf_check.c: what a start needs ---- */

/* The file can be opened and is one; secret: only its owner and group may
 * read it.  Says what is wrong. */
bool conf_check_path(struct conf_parser *p, const char *path, bool secret);

/* Says so if the file, which can be opened, is none of smtpctl makemap. */
void conf_check_db(struct conf_parser *p, const char *path);

/* The program that answers for a table of this type can be run, with path as
 * struct conf_table has it; NULL, or why not, in why. */
enum { CONF_PROGRAM_WHY = 1024 };
const char *conf_check_program(const char *type, const char *path,
    char why[CONF_PROGRAM_WHY]);

/* The same of a command line, which begins with an absolute path. */
const char *conf_check_command(const char *line, char why[CONF_PROGRAM_WHY]);

/* The table can be asked so, for p->use, and will be.  Says what is wrong. */
bool conf_check_use(struct conf_parser *p, uint32_t table,
    enum conf_service service, enum conf_shape shape);

/* Nobody else listens there. */
bool conf_check_listen(struct conf_parser *p, const struct conf_listen *l);

/* The whole: there is a rule, there is a name, each pki has its files. */
void conf_check_all(struct conf_parser *p);

/* ---- conf_doubt.c: what is right and hardly meant ---- */

/* All is read, and can be run: warns of what mail would wait for. */
void conf_doubt_all(struct conf_parser *p);

/* The part of it that is in conf_doubt_local.c: local methods, wrappers. */
void conf_doubt_local(struct conf_parser *p);

/* ... in conf_doubt_auth.c: results that nobody finds, rules that ask for
 * them. */
void conf_doubt_auth(struct conf_parser *p);

/* ---- conf_build.c ---- */

/* The image of a parser without errors; NULL conf: too large. */
struct conf_image conf_build(const struct conf_parser *p);

#endif
