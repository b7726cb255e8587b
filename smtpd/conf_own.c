/*
 * Statements of smtpd.conf that OpenSMTPD has not: `resolver`, `metrics`,
 * `history`.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_net.h"
#include "conf_parse.h"

/* ---- resolver and metrics ---- */

static bool
set_address(struct conf_parser *p, struct sockaddr_storage *ss,
    const char *word, uint16_t port)
{
	if (ss->ss_family != 0)
		return conf_refuse(p, "found a second `%s`, expected one",
		    word);
	*ss = p->f.stmt.address;
	conf_net_set_port(ss, p->f.stmt.port != 0 ? p->f.stmt.port : port);
	return true;
}

bool
conf_resolver_end(struct conf_parser *p)
{
	return set_address(p, &p->f.conf.resolver, "resolver",
	    CONF_PORT_RESOLVER);
}

bool
conf_metrics_end(struct conf_parser *p)
{
	return set_address(p, &p->f.conf.metrics, "metrics", CONF_PORT_METRICS);
}

/* ---- history ---- */

bool
conf_history_end(struct conf_parser *p)
{
	const struct conf_stmt *s = &p->f.stmt;
	struct conf *c = &p->f.conf;

	if (s->history_no && (s->history_keep != 0 || s->history_size != 0))
		return conf_refuse(p,
		    "found `history no` with `%s`, expected one of them",
		    s->history_keep != 0 ? "keep" : "size");
	if (s->history_no)
		c->history_keep = 0;
	if (s->history_keep != 0)
		c->history_keep = s->history_keep;
	if (s->history_size != 0)
		c->history_size = s->history_size;
	return true;
}
