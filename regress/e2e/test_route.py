"""Where mail goes: MX records, hosts in turn, what DNS says and does not say.

SPDX-License-Identifier: ISC
"""
import re
import time

import pytest

from lib import base
from lib.instance import conf
from lib.receiver import CLOSE


def bounced(sender_box, n=1):
    """Notifications that came back, as texts."""
    return [m.content.decode() for m in sender_box.wait(n)]


def test_preference(lab):
    """The lowest preference gets all of it."""
    port, (one, two) = lab.receivers("127.0.0.2", "127.0.0.3")
    dns = lab.dns({"x.test": ["MX 20 b.test.", "MX 10 a.test."],
                   "a.test": ["A 127.0.0.2"], "b.test": ["A 127.0.0.3"]})
    it = lab.postern(conf(dns, port))
    for _ in range(5):
        it.send("a@c.test", "b@x.test")
    one.wait(5)
    assert not two.messages


def test_next_host(lab):
    """One is not there, one says 421, one hangs up: the next has it, at once."""
    port, (bad, worse, good) = lab.receivers("127.0.0.3", "127.0.0.4",
                                             "127.0.0.5")
    bad.table["banner"] = "421 4.3.2 not now"
    worse.table["banner"] = CLOSE
    dns = lab.dns({"x.test": ["MX 10 gone.test.", "MX 20 bad.test.",
                              "MX 30 worse.test.", "MX 40 good.test."],
                   "gone.test": ["A 127.0.0.2"], "bad.test": ["A 127.0.0.3"],
                   "worse.test": ["A 127.0.0.4"],
                   "good.test": ["A 127.0.0.5"]})
    it = lab.postern(conf(dns, port, retry="10m"))
    it.send("a@c.test", "b@x.test")
    good.wait(1)
    it.empty()


def test_equal_shuffled(lab):
    """Equal preferences share the load."""
    port, both = lab.receivers("127.0.0.2", "127.0.0.3")
    dns = lab.dns({"x%d.test" % n: ["MX 10 a.test.", "MX 10 b.test."]
                   for n in range(40)} |
                  {"a.test": ["A 127.0.0.2"], "b.test": ["A 127.0.0.3"]})
    it = lab.postern(conf(dns, port))
    for n in range(40):
        it.send("a@c.test", "b@x%d.test" % n)
    base.wait_until(lambda: sum(len(r.messages) for r in both) == 40,
                    "40 messages")
    # One of the two without any of 40: once in 10^12.
    assert both[0].messages and both[1].messages


def test_address_without_mx(lab):
    """RFC 5321 5.1: no MX record, so the domain is its own host."""
    port, (r,) = lab.receivers("127.0.0.2")
    it = lab.postern(conf(lab.dns({"x.test": ["A 127.0.0.2"]}), port))
    it.send("a@c.test", "b@x.test")
    r.wait(1)


def test_cname(lab):
    """The domain is an alias, and so is the MX host."""
    port, (r,) = lab.receivers("127.0.0.2")
    dns = lab.dns({"x.test": ["CNAME y.test."], "y.test": ["MX 1 m.test."],
                   "m.test": ["CNAME h.test."], "h.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, port))
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert m.rcpts == ["b@x.test"]


# What DNS says; of the notification, the enhanced code and words.
REFUSED = {
    "null-mx": ({"x.test": ["MX 0 ."]}, "5.1.10",
                "The domain x.test says that it takes no mail at all."),
    "nxdomain": ({}, "5.1.2", "There is no domain x.test"),
    "no-address": ({"x.test": ['TXT "nothing"']}, "5.",
                   "There is no domain x.test, or it has no mail server."),
    "mx-nxdomain": ({"x.test": ["MX 10 gone.test."]}, "5.", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_never(lab, case):
    """The answer is final, so the sender is told at once."""
    names, code, words = REFUSED[case]
    box = lab.receiver(address="127.0.0.2")
    names = dict(names, **{"c.test": ["MX 1 home.test."],
                           "home.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(lab.dns(names), box.port))
    it.send("a@c.test", "b@x.test")
    text, = bounced(box)
    assert f"Status: {code}" in text, text
    assert "Action: failed" in text
    assert words in text, text
    it.empty()


def test_smarthost(lab):
    """relay host: no MX is asked; a name or an address will do."""
    port, (r,) = lab.receivers("127.0.0.2")
    dns = lab.dns({"smart.test": ["MX 1 wrong.test.", "A 127.0.0.2"]})
    it = lab.postern(conf(dns, rules=[
        f'action "name" relay host "smtp://smart.test:{port}"',
        f'action "address" relay host "smtp://127.0.0.2:{port}"',
        'match from any for domain "x.test" action "name"',
        'match from any for any action "address"']))
    it.send("a@c.test", ["b@x.test", "b@y.test"])
    r.wait(2)
    it.empty()


def test_reuse(lab):
    """Messages of one route share connections."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    it.ctl("pause")
    for _ in range(200):
        it.send("a@c.test", "b@x.test")
    it.ctl("resume")
    r.wait(200)
    assert r.sessions < 100, f"{r.sessions} connections for 200 messages"
    assert r.most_open <= 50


def test_slow_route_alone(lab):
    """A destination that does not answer holds no other up."""
    from lib.receiver import SILENT
    port, (slow, quick) = lab.receivers("127.0.0.2", "127.0.0.3")
    slow.table["banner"] = SILENT
    dns = lab.dns({"slow.test": ["A 127.0.0.2"], "x.test": ["A 127.0.0.3"]})
    it = lab.postern(conf(dns, port))
    for n in range(60):
        it.send("a@c.test", f"b{n}@slow.test")
    base.wait_until(lambda: slow.sessions, "the slow one is being tried")
    it.send("a@c.test", "b@x.test")
    quick.wait(1)  # the slow one has some minutes


def test_dead_route_tries_once(lab):
    """A route that is down goes down as one thing."""
    port, (r,) = lab.receivers("127.0.0.2")
    r.table["banner"] = "421 4.3.2 not now"
    dns = lab.dns({"x.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, port, retry="4s, 1h"))
    it.ctl("pause")
    for n in range(50):
        it.send("a@c.test", f"b{n}@x.test")
    it.ctl("resume")
    base.wait_until(lambda: r.sessions, "a first attempt")
    time.sleep(2.5)
    assert r.sessions < 10, f"{r.sessions} attempts at a route that is down"
    r.table["banner"] = "220 again"
    it.ctl("flush", "all")
    base.wait_until(lambda: len(r.messages) == 50, "all of it when it is up")


def test_mail_for_ourselves(lab):
    """The best MX is this very instance: a loop, said so, not played."""
    box = lab.receiver(address="127.0.0.2")
    dns = lab.dns({"x.test": ["MX 10 me.test."], "me.test": ["A 127.0.0.1"],
                   "c.test": ["MX 1 home.test."],
                   "home.test": ["A 127.0.0.2"]})
    it = lab.postern("", start=False)
    it.write_conf(conf(dns, rules=[
        'action "back" relay port {port}',
        f'action "home" relay port {box.port}',
        'match from any for domain "c.test" action "home"',
        'match from any for any action "back"']))
    it.start()
    it.send("a@c.test", "b@x.test")
    text, = bounced(box)
    assert "Status: 5.4.6" in text or "loop" in text.lower(), text


# ---- hosts of the configuration ----

def stage_hosts(lab, action, n=3, lines=(), rules=None):
    """n receivers, and an action for everything; {0}, {1} ... stand for their
    addresses and ports in its text."""
    port, them = lab.receivers(*(f"127.0.0.{2 + i}" for i in range(n)))
    at = [f"127.0.0.{2 + i}:{port}" for i in range(n)]
    lines = [line.format(*at) for line in lines]
    rules = rules or ['match from any for any action "out"']
    it = lab.postern(conf(lab.dns(), lines=lines, rules=[
        'action "out" relay ' + action.format(*at), *rules]))
    return it, them, at


def closed(*receivers):
    """They take nothing more, on connections that are open neither."""
    for r in receivers:
        r.table.update(banner="421 4.3.2 not now", mail="421 4.3.2 not now")


def routes_of(it):
    return {row["route"] for row in it.queue()}


def test_list(lab):
    """The first that answers has it all, in the order of the list; the queue
    knows the list by the name of its action."""
    it, them, _ = stage_hosts(
        lab, 'host {{ "smtp://{2}", "smtp+notls://{0}", "{1}" }}')
    for _ in range(3):
        it.send("a@c.test", "b@x.test")
    them[2].wait(3)
    closed(them[2])
    it.send("a@c.test", "b@x.test")
    them[0].wait(1)
    assert not them[1].messages
    closed(*them)
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: routes_of(it) == {"hosts:out"}, "it waits", 30)
    them[1].table.update(banner="220 again", mail="250 ok")
    it.ctl("flush", "hosts:out")
    them[1].wait(1, 30)
    it.empty()


@pytest.mark.parametrize("url, route", [
    ("smtp://{0}", "host:smtp://{0}"),
    ("{0}", "host:smtp://{0}"),
    ("SMTP+NOTLS://{0}", "host:smtp+notls://{0}"),
    ("smtp+tls://{0}", "host:smtp+tls://{0}"),
    ("smtps://{0}", "host:smtps://{0}"),
    ("lmtp://{0}", "host:lmtp://{0}"),
    ("smtp://Label@{0}", "host:smtp://Label@{0}"),
    ("smtps://a@b@{0}", "host:smtps://a@b@{0}"),
])
def test_urls(lab, url, route):
    """The route says it all: scheme, label, host, and always a port."""
    it, (r,), (at,) = stage_hosts(lab, f'host "{url}"', 1)
    r.table["banner"] = "421 4.3.2 not now"
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: routes_of(it) == {route.format(at)},
                    f"{route.format(at)} is a route", 30)


def test_domain_table(lab):
    """`domain <t>` with a host for each, of any scheme."""
    it, them, at = stage_hosts(
        lab, "domain <t>",
        lines=['table t {{ x.test = "smtp://{0}", '
               'y.test = "smtp+notls://{1}", z.test = "smtps://l@{2}" }}'])
    it.send("a@c.test", ["b@x.test", "b@y.test"])
    assert them[0].wait(1)[0].rcpts == ["b@x.test"]
    assert them[1].wait(1)[0].rcpts == ["b@y.test"]
    it.empty()
    it.send("a@c.test", "b@z.test")
    base.wait_until(lambda: routes_of(it) == {f"host:smtps://l@{at[2]}"},
                    "the route of z.test", 30)


def test_host_table(lab):
    """A file of hosts: in its order, without what cannot be used, which is
    said once; read again, the new ones are used without a restart."""
    path = lab.path("relays")
    path.write_text("ftp://nowhere.test\n")
    it, them, at = stage_hosts(lab, "host <t>",
                               lines=[f'table t "file:{path}"'])
    it.send("a@c.test", "b@x.test")
    it.logged(r'table-value table="t" service=relayhost ')
    base.wait_until(lambda: routes_of(it) == {"hosts:out"}, "it waits", 30)
    path.write_text(f"# ours\nftp://nowhere.test\nsmtp://{at[1]}\n"
                    f"smtp://{at[0]}\n")
    it.ctl("update", "table", "t")
    base.wait_until(lambda: it.ctl("flush", "all") and them[1].messages,
                    "the new list is used", 120, 3)
    assert not them[0].messages
    it.empty()
    assert len(re.findall(r"table-value .*ftp://nowhere", it.log())) <= 3


def test_reload_list(lab):
    """Another list after a reload: mail that waited for the old one goes to
    the new, at once."""
    it, them, at = stage_hosts(lab, 'host {{ "smtp://{0}", "smtp://{1}" }}')
    for r in them[:2]:
        r.table["banner"] = "421 4.3.2 not now"
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: routes_of(it) == {"hosts:out"}, "it waits", 30)
    it.write_conf(it.text.replace(f"smtp://{at[1]}", f"smtp://{at[2]}"))
    it.ctl("reload")
    base.wait_until(lambda: it.ctl("flush", "all") and them[2].messages,
                    "the new host has it", 60, 2)
    it.empty()


RELAYS = r'''
import sys

hosts = sys.argv[1:]
turn = 0
for line in sys.stdin:
    word = line.rstrip("\n").split("|")
    if word[0] == "config":
        if word[1] == "ready":
            print("register|relayhost\nregister|source\nregister|ready",
                  flush=True)
        continue
    op, service, ident = word[4], word[5], word[6]
    if op != "fetch":
        print("%s-result|%s|error|only fetch" % (op, ident), flush=True)
    elif service == "source":
        print("fetch-result|%s|found|127.0.0.1" % ident, flush=True)
    else:
        print("fetch-result|%s|found|%s" % (ident, hosts[turn % len(hosts)]),
              flush=True)
        turn += 1
'''


def test_program_of_hosts(lab):
    """A table program names one host after another: all of them are used, and
    each only once; likewise the addresses to connect from."""
    program = lab.path("relays.py")
    program.write_text(RELAYS)
    it, them, at = stage_hosts(
        lab, "host <t> src <t>", 2,
        lines=[f'table t "proc:/usr/bin/python3 {program} '
               'smtp://{0} smtp://{1}"'])
    it.logged(r'program-up table="t"')
    out = it.ctl("explain", "b@x.test").stdout
    assert sorted(re.findall(r"smtp://127\.0\.0\.\d:\d+", out)) == \
        sorted(f"smtp://{a}" for a in at), out
    assert re.search(r"^from +127\.0\.0\.1 ", out, re.M), out
    for r in them:
        r.table["banner"] = "421 4.3.2 not now"
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: all(r.sessions for r in them), "both were tried",
                    30)
    them[1].table["banner"] = "220 again"
    it.ctl("flush", "all")
    them[1].wait(1, 30)


def test_program_of_hosts_is_dead(lab):
    """Nobody knows where it goes: it waits, and says why."""
    program = lab.path("dead.py")
    program.write_text("import sys\nsys.exit(1)\n")
    it, _, _ = stage_hosts(
        lab, "host <t>", 1,
        lines=[f'table t "proc:/usr/bin/python3 {program}"'])
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: "cannot answer now" in str(it.queue()),
                    "the reason in the queue", 60, 0.5)


def test_explain_hosts(lab):
    """Hosts, addresses and names of an action, as they will be used."""
    it, _, at = stage_hosts(
        lab, 'host {{ "smtps://l@{0}", "smtp://{1}" }} '
        'src {{ 127.0.0.1, 127.0.0.9 }} helo-src <names>', 2,
        lines=["table names {{ 127.0.0.9 = nine.c.test }}"])
    out = it.ctl("explain", "b@x.test").stdout
    assert f"smtps://l@{at[0]}, smtp://{at[1]}" in out, out
    assert "127.0.0.1, 127.0.0.9" in out, out
    assert "nine.c.test from 127.0.0.9" in out, out
