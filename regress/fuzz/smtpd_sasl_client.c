/*
 * Our side of SASL against servers that say anything: no step goes beyond its
 * bounds, and no server has proved that it knows a password by what a fuzzer
 * makes up.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "lookup_sasl_turn.h"

static const char first[] = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static struct sasl_turn t;
	static struct sasl_login login;
	static struct sasl_ask m;
	struct slice all = { (const char *)in, len };
	uint8_t which;
	char *value;
	bool scram;

	fuzz_quiet();
	memset(&t, 0, sizeof t);
	memset(&m, 0, sizeof m);
	which = fuzz_byte(&all);
	m.mech = which % (SASL_MECHS + 1);
	m.step = which / 16 % 4;
	scram = m.mech == SASL_SCRAM || m.mech == SASL_SCRAM_PLUS;
	value = calloc(1, all.len + 1);
	memcpy(value, all.p, all.len);
	if (sasl_login_parse(value, &login) != NULL)
		MUST(sasl_login_parse("user:pencil", &login) == NULL);
	free(value);
	if (m.step == 1 && scram) {
		memcpy(m.before, first, m.n_before = sizeof first - 1);
	} else {
		m.n_before = which & 8 ? 32 : (uint32_t)(all.len % 64);
		memset(m.before, 0xc3, m.n_before);
	}
	m.n = (uint32_t)(all.len < sizeof m.data ? all.len : sizeof m.data);
	memcpy(m.data, all.p, m.n);
	t.ask = &m;
	t.login = &login;
	t.token = which & 4 ? "token" : NULL;
	if (sasl_turn(&t) == NULL) {
		MUST(t.message.len <= SASL_MESSAGE_MAX);
		MUST(t.n_before <= sizeof t.before);
		if (scram)
			MUST(!t.proved);
	}
	buf_free(&t.message);
	return 0;
}
