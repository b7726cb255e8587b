"""Where mail goes: MX records, hosts in turn, what DNS says and does not say.

SPDX-License-Identifier: ISC
"""
import time
from collections import Counter

import pytest

from lib import base
from lib.instance import conf
from lib.receiver import CLOSE, Receiver


def hosts(lab, *addresses, **kw):
    """Receivers on several addresses and one port."""
    for _ in range(20):
        port = base.free_port(*addresses)
        try:
            return port, [lab.receiver(address=a, port=port, **kw)
                          for a in addresses]
        except OSError:
            continue
    raise AssertionError("no port on " + " ".join(addresses))


def bounced(sender_box, n=1):
    """Notifications that came back, as texts."""
    return [m.content.decode() for m in sender_box.wait(n)]


def test_preference(lab):
    """The lowest preference gets all of it."""
    port, (one, two) = hosts(lab, "127.0.0.2", "127.0.0.3")
    dns = lab.dns({"x.test": ["MX 20 b.test.", "MX 10 a.test."],
                   "a.test": ["A 127.0.0.2"], "b.test": ["A 127.0.0.3"]})
    it = lab.postern(conf(dns, port))
    for _ in range(5):
        it.send("a@c.test", "b@x.test")
    one.wait(5)
    assert not two.messages


def test_next_host(lab):
    """One is not there, one says 421, one hangs up: the next has it, at once."""
    port, (bad, worse, good) = hosts(lab, "127.0.0.3", "127.0.0.4",
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
    port, both = hosts(lab, "127.0.0.2", "127.0.0.3")
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
    port, (r,) = hosts(lab, "127.0.0.2")
    it = lab.postern(conf(lab.dns({"x.test": ["A 127.0.0.2"]}), port))
    it.send("a@c.test", "b@x.test")
    r.wait(1)


def test_cname(lab):
    """The domain is an alias, and so is the MX host."""
    port, (r,) = hosts(lab, "127.0.0.2")
    dns = lab.dns({"x.test": ["CNAME y.test."], "y.test": ["MX 1 m.test."],
                   "m.test": ["CNAME h.test."], "h.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, port))
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert m.rcpts == ["b@x.test"]


# What DNS says, enhanced code of the notification.
REFUSED = {
    "null-mx": ({"x.test": ["MX 0 ."]}, "5.1.10"),
    "nxdomain": ({}, "5.1.2"),
    "no-address": ({"x.test": ['TXT "nothing"']}, "5."),
    "mx-nxdomain": ({"x.test": ["MX 10 gone.test."]}, "5."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_never(lab, case):
    """The answer is final, so the sender is told at once."""
    names, code = REFUSED[case]
    box = lab.receiver(address="127.0.0.2")
    names = dict(names, **{"c.test": ["MX 1 home.test."],
                           "home.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(lab.dns(names), box.port))
    it.send("a@c.test", "b@x.test")
    text, = bounced(box)
    assert f"Status: {code}" in text, text
    assert "Action: failed" in text
    it.empty()


def test_smarthost(lab):
    """relay host: no MX is asked; a name or an address will do."""
    port, (r,) = hosts(lab, "127.0.0.2")
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
    port, (slow, quick) = hosts(lab, "127.0.0.2", "127.0.0.3")
    slow.table["banner"] = SILENT
    dns = lab.dns({"slow.test": ["A 127.0.0.2"], "x.test": ["A 127.0.0.3"]})
    it = lab.postern(conf(dns, port))
    for n in range(60):
        it.send("a@c.test", f"b{n}@slow.test")
    base.wait_until(lambda: slow.sessions, "the slow one is being tried")
    begin = time.monotonic()
    it.send("a@c.test", "b@x.test")
    quick.wait(1, 10)
    assert time.monotonic() - begin < 5


def test_dead_route_tries_once(lab):
    """A route that is down goes down as one thing."""
    port, (r,) = hosts(lab, "127.0.0.2")
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
