/*
 * Parsing smtpd.conf: what the walk over the grammar (conf_parse.c), the
 * readers of values (conf_value.c, conf_stmt.c), the checks (conf_check.c)
 * and the builder of the image (conf_build.c) share.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_PARSE_H
#define SMTPD_CONF_PARSE_H

#include "buf.h"
#include "conf.h"
#include "conf_lex.h"
#include "conf_table.h"

/* Bounds of the lists, so that no file costs more than it should. */
enum {
	CONF_LISTEN_MAX = 1024,
	CONF_TABLE_MAX = 16384,
	CONF_ACTION_MAX = 4096,
	CONF_MATCH_MAX = 65536,
	CONF_DKIM_MAX = 16384,
	CONF_RETRY_MAX = 32
};

/* The statement being read; zeroed, with defaults, before each. */
struct conf_stmt {
	struct conf_listen listen;
	uint16_t listen_port;
	struct conf_table table;
	struct conf_action action;
	uint16_t url_port; /* the port in `host URL`, 0 if none */
	struct conf_match match;
	struct conf_dkim dkim;
	struct sockaddr_storage resolver;
	uint16_t resolver_port;
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
	struct conf_fields f;
	const char *file; /* where the statement began */
	uint32_t line;
	bool negated;     /* `!` stood before the word being read */
	struct buf where; /* struct sockaddr_storage: of this `listen` */
	struct buf listen, table, action, match, dkim, retry;
	struct buf entry; /* struct conf_entry; a table's span.off is a row */
	struct buf local_addr; /* struct conf_entry */
	struct buf pool;
	bool asked_src[CONF_TABLE_MAX]; /* by table: its addresses are good */
};

enum conf_often { ONE, SOME, MANY };

enum conf_place {
#define X(name, often, end) PLACE_##name,
	CONF_PLACES(X)
#undef X
	    PLACES
};

enum {
	CW_NOT = 1,  /* may stand after `!` */
	CW_NEED = 2, /* must be said */
	CW_LAST = 4  /* ends its place */
};

struct conf_word;

/*
 * Reads what follows a word (or, in a row without a word, what stands there)
 * from the token at hand on, and steps over it.  False: it is wrong, which
 * has been said.
 */
typedef bool conf_read(struct conf_parser *p, const struct conf_word *w);

struct conf_word {
	enum conf_place place;
	const char *word; /* NULL: any other */
	const char *what; /* what is read */
	unsigned int flags;
	conf_read *read;  /* NULL: not in this version */
	size_t off, size; /* of struct conf_fields */
	uint64_t min, max;
	uint64_t value;       /* to store, or default */
	enum conf_place next; /* PLACE_TOP: none */
};

/* ---- conf_parse.c ---- */

/* Defaults, local addresses and name, the file.  Errors are in p->errors. */
void conf_parse(struct conf_parser *p, const char *path,
    const struct conf_macro *macros, size_t n);

/* The word of a place that is not yet in this version, or NULL. */
const struct conf_word *conf_not_yet(enum conf_place place, const char *word,
    size_t len);

/* Says that the word at hand is not yet in this version; returns false. */
bool conf_say_not_yet(struct conf_parser *p, const char *word);

/* Says what was found and what was expected; returns false. */
bool conf_expected(struct conf_parser *p, const char *what);

/* Says something about the token at hand; returns false. */
bool conf_wrong(struct conf_parser *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ... or about the statement, where it began. */
bool conf_refuse(struct conf_parser *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a text to the pool. */
conf_str conf_pool_add(struct conf_parser *p, const char *text);
const char *conf_pool_text(const struct conf_parser *p, conf_str s);

/* Number of rows in a list of rows of size bytes; row i. */
uint32_t conf_count(const struct buf *rows, size_t size);
void *conf_at(const struct buf *rows, uint32_t i, size_t size);

/* Adds a row; false at max rows, which is said. */
bool conf_add(struct conf_parser *p, struct buf *rows, const void *row,
    size_t size, uint32_t max, const char *what);

/* Row of the table or action of this name, or CONF_NONE. */
uint32_t conf_find_table(const struct conf_parser *p, const char *name);
uint32_t conf_find_action(const struct conf_parser *p, const char *name);

/* Stores v into the row's field. */
void conf_store(struct conf_parser *p, const struct conf_word *w, uint64_t v);

/* ---- conf_value.c: values ---- */

conf_read conf_read_nothing, conf_read_value, conf_read_negation;
conf_read conf_read_number, conf_read_size, conf_read_time, conf_read_port;
conf_read conf_read_host, conf_read_helo, conf_read_selector, conf_read_tag;
conf_read conf_read_path, conf_read_src, conf_read_domain;
conf_read conf_read_retry, conf_read_warn;

/* Words that need quotes as names. */
bool conf_reserved(const char *word);

/* A word or a string that is not empty, which stays at hand. */
bool conf_is_text(const struct conf_parser *p);

/* A name that is being declared or used; copied to the pool. */
bool conf_name(struct conf_parser *p, const char *what, conf_str *out);

/* `{ list }` or `{ k = v }` at the token at hand, into the table. */
bool conf_entries(struct conf_parser *p, struct conf_table *t);

/* ---- conf_stmt.c: statements ---- */

conf_read conf_read_where, conf_read_table_name, conf_read_table_source;
conf_read conf_read_action_name, conf_read_url, conf_read_action_ref;
conf_read conf_read_match_tag, conf_read_resolver, conf_read_include;

bool conf_listen_end(struct conf_parser *p);
bool conf_table_end(struct conf_parser *p);
bool conf_action_end(struct conf_parser *p);
bool conf_match_end(struct conf_parser *p);
bool conf_dkim_end(struct conf_parser *p);
bool conf_resolver_end(struct conf_parser *p);

/* The socket of sendmail(8) is there also where no line says so. */
void conf_listen_local(struct conf_parser *p);

/* A statement that failed may still have declared a name: one error is
 * enough, its uses need not fail too. */
void conf_declare_anyway(struct conf_parser *p);

/* ---- conf_check.c: what a start needs ---- */

/* The file can be opened and is one; secret: only its owner may read it. */
bool conf_check_path(struct conf_parser *p, const char *path, bool secret);

/* Nobody else listens there. */
bool conf_check_listen(struct conf_parser *p, const struct conf_listen *l);

/* The table can be asked for addresses (src) or domains. */
bool conf_check_use(struct conf_parser *p, uint32_t table, bool src);

/* This selector was not said before. */
bool conf_check_dkim(struct conf_parser *p, const struct conf_dkim *d);

/* The whole: there is a rule, there is a name. */
void conf_check_all(struct conf_parser *p);

/* ---- conf_build.c ---- */

/* The image of a parser without errors; NULL conf: too large. */
struct conf_image conf_build(const struct conf_parser *p);

#endif
