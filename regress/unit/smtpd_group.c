/*
 * Lines of the files that tell of default routes and of groups of interfaces;
 * and which listeners leave each other no room.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include "conf_group.h"
#include "conf_net.h"
#include "unit.h"

/* A line that ends where nobody may read on. */
static struct slice
guarded(const char *line)
{
	size_t len = strlen(line);

	return (struct slice){ unit_guard(line, len), len };
}

#define ZERO6  "00000000000000000000000000000000"
#define DOC6   "20010db8000000000000000000000000"
#define GW6    "fe800000000000000000000000000001"
#define V4_END "\t0\t0\t0"

/* Columns: line, the interface it names as one of a default route. */
static const struct {
	const char *line, *name;
} routes[] = {
	{ "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000" V4_END, "eth0" },
	{ "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000" V4_END "   ",
	    "eth0" },
	{ "wg0\t00000000\t00000000\t0001\t0\t0\t50\t00000000" V4_END, "wg0" },
	{ "enp3s0f1.4094x\t00000000\t010200C0\t0003\t0\t0\t0\t00000000",
	    "enp3s0f1.4094x" },
	{ "a234567890bcdef\t00000000\t010200C0\t0003\t0\t0\t0\t00000000",
	    "a234567890bcdef" },
	/* longer than a name can be */
	{ "a234567890bcdefg\t00000000\t010200C0\t0003\t0\t0\t0\t00000000",
	    NULL },
	/* a network, the half of all of it, a host */
	{ "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF" V4_END, NULL },
	{ "tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080" V4_END, NULL },
	{ "tun0\t00000080\t0100080A\t0003\t0\t0\t0\t00000080" V4_END, NULL },
	/* unreachable; not up */
	{ "*\t00000000\t00000000\t0200\t0\t0\t0\t00000000" V4_END, NULL },
	{ "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000" V4_END, NULL },
	{ "eth0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000" V4_END, NULL },
	/* no line of a route */
	{ "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
	    NULL },
	{ "", NULL },
	{ "\t\t\t", NULL },
	{ "eth0", NULL },
	{ "eth0\t00000000\t010200C0\t0003\t0\t0\t0", NULL },
	{ "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t", NULL },
	{ "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t0000000", NULL },
	{ "eth0\t000000000\t010200C0\t0003\t0\t0\t0\t00000000", NULL },
	{ "eth0\t00000000\t010200C0\t00z3\t0\t0\t0\t00000000", NULL },
	{ "eth0\t00000000\t010200C0\t123456789\t0\t0\t0\t00000000", NULL },
};

static const struct {
	const char *line, *name;
} routes6[] = {
	{ ZERO6 " 00 " ZERO6 " 00 " GW6
		" 00000400 00000002 00000000 00000003     eth0",
	    "eth0" },
	{ ZERO6 " 00 " ZERO6 " 00 " ZERO6
		" 00000400 00000002 00000000 00000001      wg0",
	    "wg0" },
	/* for packets from one network only */
	{ ZERO6 " 00 " DOC6 " 20 " GW6
		" 00000400 00000002 00000000 00000003     eth1",
	    "eth1" },
	/* learnt from an advertisement */
	{ ZERO6 " 00 " ZERO6 " 00 " GW6
		" 00000400 00000002 00000000 00450003    wlan0",
	    "wlan0" },
	/* what rejects all that leads nowhere */
	{ ZERO6 " 00 " ZERO6 " 00 " ZERO6
		" ffffffff 00000001 00000000 00200200       lo",
	    NULL },
	{ ZERO6 " 00 " ZERO6 " 00 " ZERO6
		" ffffffff 00000001 00000000 00200201       lo",
	    NULL },
	{ DOC6 " 20 " ZERO6 " 00 " ZERO6
	       " 00000100 00000001 00000000 00000001     eth0",
	    NULL },
	{ ZERO6 " 03 " ZERO6 " 00 " GW6
		" 00000400 00000002 00000000 00000003     eth0",
	    NULL },
	{ "", NULL },
	{ ZERO6 " 00 " ZERO6 " 00 " GW6 " 00000400 00000002 00000000 00000003",
	    NULL },
	{ ZERO6 " 00 " ZERO6 " 00 " GW6 " 00000400 00000002 00000000 00000003 ",
	    NULL },
	{ ZERO6 "0 00 " ZERO6 " 00 " GW6
		" 00000400 00000002 00000000 00000003 eth0",
	    NULL },
	{ ZERO6 " 0 " ZERO6 " 00 " GW6
		" 00000400 00000002 00000000 00000003 eth0",
	    NULL },
};

/* Columns: line, group, number (-1: not that group's line). */
static const struct {
	const char *line, *group;
	int64_t number;
} groups[] = {
	{ "7\tdmz", "dmz", 7 },
	{ "0\tdefault", "default", 0 },
	{ "  12   lan", "lan", 12 },
	{ "0x1f lan # the inner net", "lan", 31 },
	{ "4294967295 lan", "lan", 4294967295 },
	{ "7\tdmz", "lan", -1 },
	{ "7\tdmz", "dm", -1 },
	{ "# device group names", "device", -1 },
	{ "#7 lan", "lan", -1 },
	{ "lan", "lan", -1 },
	{ "7", "7", -1 },
	{ "4294967296 lan", "lan", -1 },
	{ "0x lan", "lan", -1 },
	{ "0x123456789 lan", "lan", -1 },
	{ "-1 lan", "lan", -1 },
	{ "x lan", "lan", -1 },
	{ "12345678901234567890 lan", "lan", -1 },
	{ "", "lan", -1 },
};

static void
lines(void)
{
	char name[CONF_IF_MAX + 1];
	uint32_t number;
	bool is;
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		is = conf_group_route(guarded(routes[i].line), name);
		CHECK(routes[i].line,
		    is == (routes[i].name != NULL) &&
			(!is || strcmp(name, routes[i].name) == 0));
	}
	for (i = 0; i < sizeof(routes6) / sizeof(routes6[0]); i++) {
		is = conf_group_route6(guarded(routes6[i].line), name);
		CHECK(routes6[i].line,
		    is == (routes6[i].name != NULL) &&
			(!is || strcmp(name, routes6[i].name) == 0));
	}
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		is = conf_group_number(guarded(groups[i].line), groups[i].group,
		    &number);
		CHECK(groups[i].line,
		    is == (groups[i].number != -1) &&
			(!is || number == groups[i].number));
	}
}

static bool
has(const struct buf *where, const char *ip)
{
	const struct sockaddr_storage *ss = (const void *)buf_data(where);
	struct sockaddr_storage want;
	size_t i;

	if (!conf_net_addr(ip, &want))
		abort();
	for (i = 0; i < where->len / sizeof(*ss); i++) {
		if (memcmp(&ss[i], &want, sizeof(want)) == 0)
			return true;
	}
	return false;
}

/* What every host has. */
static void
where(void)
{
	char why[CONF_WHY_SIZE] = "";
	struct buf out;

	buf_init(&out, 0);
	CHECK("lo0 is the loopback interface",
	    conf_net_where("lo0", &out, why) && has(&out, "127.0.0.1"));
	CHECK("one family: some left",
	    conf_net_only(&out, 4) && has(&out, "127.0.0.1") &&
		!has(&out, "::1"));
	CHECK("one family: none left", !conf_net_only(&out, 6) && out.len == 0);
	CHECK("one family: of nothing", !conf_net_only(&out, 4));
	buf_free(&out);
	buf_init(&out, 0);
	CHECK("all", conf_net_where("all", &out, why) && has(&out, "0.0.0.0"));
	CHECK("either family", conf_net_only(&out, 0) && has(&out, "0.0.0.0"));
	buf_free(&out);
	buf_init(&out, 0);
	CHECK("localhost",
	    conf_net_where("localhost", &out, why) && has(&out, "127.0.0.1"));
	buf_free(&out);
	buf_init(&out, 0);
	CHECK("a group of OpenBSD",
	    !conf_net_where("wlan", &out, why) && out.len == 0 &&
		strstr(why, "OpenBSD") != NULL);
	CHECK("default is no group",
	    !conf_net_where("default", &out, why) && out.len == 0 &&
		strstr(why, "this host has: ") != NULL);
	CHECK("a placeholder, by dots",
	    !conf_net_where("192.0.2.xx", &out, why) && out.len == 0 &&
		strstr(why, "fill it in") != NULL);
	CHECK("a placeholder, by colons",
	    !conf_net_where("2001:db8:xxxx::x", &out, why) &&
		strstr(why, "fill it in") != NULL);
	CHECK("a prefix length",
	    !conf_net_where("0.0.0.0/0", &out, why) && out.len == 0 &&
		strstr(why, "prefix length") != NULL);
	buf_free(&out);
}

int
main(void)
{
	lines();
	where();
	return unit_end();
}
