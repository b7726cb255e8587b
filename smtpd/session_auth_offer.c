/*
 * What AUTH offers: what lookup can check, where it is safe to be said, and
 * what the client has shown already.  Runs in session; asks nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_auth_offer.h"

#include <stdio.h>

#include "log.h"
#include "session_auth.h"
#include "session_tls.h"

/* What every back end can check, for as long as lookup has said nothing. */
#define MECHS_UNKNOWN (1u << SASL_PLAIN | 1u << SASL_LOGIN)

const struct slice auth_names[SASL_MECHS] = {
#define X(mech, name, ...) [SASL_##mech] = { name, sizeof name - 1 },
	SASL_TABLE(X)
#undef X
};

void
session_auth_mechs(struct server *srv, const struct auth_mechs *m)
{
	uint32_t i, n = srv->proc.conf->listen.n;

	if (m->listen >= n)
		return;
	if (srv->mechs == NULL) {
		srv->mechs = xcalloc(n, sizeof *srv->mechs);
		for (i = 0; i < n; i++)
			srv->mechs[i] = MECHS_UNKNOWN;
	}
	srv->mechs[m->listen] = m->mechs;
}

uint32_t
auth_known(const struct session *s)
{
	const struct server *srv = s->server;
	uint32_t found = 0;
	ptrdiff_t row;

	if (s->listen->auth != AUTH_NONE) {
		row = s->listen - CONF_LISTEN(srv->proc.conf, 0);
		found = srv->mechs == NULL ? MECHS_UNKNOWN : srv->mechs[row];
		found |= 1u << SASL_EXTERNAL;
	}
	if ((s->facts.flags & FACT_SOCKET) != 0)
		found |= 1u << SASL_EXTERNAL;
	return found;
}

bool
auth_is_private(const struct session *s)
{
	return (s->facts.flags & (FACT_TLS | FACT_SOCKET)) != 0 ||
	    s->listen->auth_insecure;
}

static bool
has_binding(const struct session *s)
{
	uint8_t exporter[32], end_point[64];

	return (s->facts.flags & FACT_TLS) != 0 &&
	    (session_tls_exporter(s, exporter) > 0 ||
		session_tls_end_point(s, end_point) > 0);
}

uint32_t
auth_offered(const struct session *s)
{
	uint32_t found = auth_known(s);

	if (found == 0 || !auth_is_private(s))
		return 0;
	if ((found & 1u << SASL_SCRAM_PLUS) != 0 && !has_binding(s))
		found &= ~(1u << SASL_SCRAM_PLUS);
	if ((s->facts.flags & FACT_SOCKET) == 0 && session_tls_cert(s) == NULL)
		found &= ~(1u << SASL_EXTERNAL);
	return found;
}

bool
session_auth_keyword(const struct session *s, char *out, size_t size)
{
	uint32_t i, found;
	size_t n = 4;

	if (s->facts.auth[0] != '\0' || (found = auth_offered(s)) == 0)
		return false;
	snprintf(out, size, "AUTH");
	for (i = 0; i < SASL_MECHS; i++) {
		if ((found & 1u << i) == 0 || n + auth_names[i].len + 2 > size)
			continue;
		n +=
		    (size_t)snprintf(out + n, size - n, " %s", auth_names[i].p);
	}
	return true;
}

bool
session_auth_missing(const struct session *s)
{
	return s->listen->auth == AUTH_NEEDED && s->facts.auth[0] == '\0';
}
