"""Which host mail goes to, from where, under which name; and that hosts which
are dead, silent or slow cost other mail nothing.

SPDX-License-Identifier: ISC
"""
import json
import os
import re
import socket
import time
from collections import Counter

import pytest

from lib import base
from lib.instance import conf
from lib.liar import answer, nothing, servfail
from lib.receiver import CLOSE, RESET, Drip


def explained(it, rcpt, step):
    out = it.ctl("explain", "--json", rcpt, check=False)
    steps = [json.loads(line) for line in out.stdout.splitlines()]
    assert out.returncode in (0, 1, 75) and steps, out.stderr
    return [s["text"] for s in steps if s["step"] == step]


def fds(it):
    """Open descriptors of the deliver processes."""
    return {p: len(os.listdir(f"/proc/{p}/fd")) for p in it.pids("deliver")}


def steady(it, most, what, timeout=60):
    """Waits until no deliver process has more descriptors than before."""
    def look():
        now = fds(it)
        return all(now.get(p, 0) <= n for p, n in most.items())
    base.wait_until(look, f"{what}: {most} again, has {fds(it)}", timeout, 0.3)


# ---- lists of hosts ----

def listed(port, *addresses):
    return "{ " + ", ".join(f'"smtp://{a}:{port}"' for a in addresses) + " }"


def test_failover(lab):
    """Hosts in the order given: the next one when one gives no service, at
    once; and a reply to a recipient is not that."""
    port, (one, two, three) = lab.receivers("127.0.0.2", "127.0.0.3",
                                            "127.0.0.4")
    it = lab.postern(conf(lab.dns(), retry="10m", rules=[
        'action "out" relay host ' +
        listed(port, "127.0.0.2", "127.0.0.3", "127.0.0.4"),
        'match from any for any action "out"']))
    it.send("a@c.test", "b@x.test")
    one.wait(1)
    one.table["banner"] = "421 4.3.2 not now"
    base.wait_until(lambda: not one.open, "what is idle is closed")
    it.send("a@c.test", "b@x.test")
    two.wait(1)
    two.table["rcpt"] = "450 4.2.0 not now"
    base.wait_until(lambda: not two.open, "what is idle is closed")
    late = it.send("a@c.test", "b@x.test")
    line, = it.logged(rf"{late} delivery .*")
    assert "127.0.0.3[127.0.0.3]" in line and "450" in line, line
    assert len(one.messages) == len(two.messages) == 1
    assert not three.messages


def test_failover_from_a_table(lab):
    """Those of a table, and the one of explain is the one that is tried."""
    port, (good,) = lab.receivers("127.0.0.3")
    it = lab.postern(conf(lab.dns(), retry="1s*1000", rules=[
        f'table relays {{ "smtp://127.0.0.2:{port}", '
        f'"smtp://127.0.0.3:{port}" }}',
        'action "out" relay host <relays>',
        'match from any for any action "out"']))
    it.send("a@c.test", ["b@x.test", "b@y.test"])
    m, = good.wait(1)
    assert sorted(m.rcpts) == ["b@x.test", "b@y.test"], "one route, one message"
    it.empty()
    assert explained(it, "b@x.test", "route") == ["hosts:out"]
    found = explained(it, "b@x.test", "host")
    assert any(f"127.0.0.3[127.0.0.3]:{port}" == h for h in found), found
    assert any("127.0.0.2" in h for h in found), found


def test_all_relays_dead(lab):
    """None of a list answers: the mail waits, and the route is down as one
    thing; the first that comes back has it."""
    port = base.free_port("127.0.0.2", "127.0.0.3")
    it = lab.postern(conf(lab.dns(), retry="1s*1000", rules=[
        'action "out" relay host ' + listed(port, "127.0.0.2", "127.0.0.3"),
        'match from any for any action "out"']))
    it.send("a@c.test", "b@x.test")
    line = it.logged(r"delivery .*later.*")[0]
    assert "cause=network stage=connect" in line, line
    r = lab.receiver(address="127.0.0.3", port=port)
    r.wait(1, timeout=30)
    it.empty()


# ---- where from, and who ----

def test_source_pool(lab):
    """Addresses of `src` in turn, each with its own name; one that is not
    ours is left out."""
    port, (r,) = lab.receivers("127.0.0.2", quit="221 bye")
    it = lab.postern(conf(lab.dns(), lines=["limit route messages 1"], rules=[
        'table ours { "127.0.0.5", "127.0.0.6", "192.0.2.99" }',
        'table names { "127.0.0.5" = "five.c.test", '
        '"127.0.0.6" = "six.c.test" }',
        f'action "out" relay host "smtp://127.0.0.2:{port}" src <ours> '
        'helo-src <names>',
        'match from any for any action "out"']))
    for n in range(8):
        it.send("a@c.test", "b@x.test")
    got = Counter((m.peer, m.helo) for m in r.wait(8))
    assert set(got) == {("127.0.0.5", "five.c.test"),
                        ("127.0.0.6", "six.c.test")}, got
    it.empty()
    source, = explained(it, "b@x.test", "source")
    assert source.startswith("3 of IPv4, 0 of IPv6"), source
    assert explained(it, "b@x.test", "helo")[-1] in ("five.c.test",
                                                     "six.c.test")


def test_source_of_no_use(lab):
    """No address to connect from: later, and whose fault that is."""
    port, (r,) = lab.receivers("127.0.0.2")
    it = lab.postern(conf(lab.dns(), rules=[
        f'action "out" relay host "smtp://127.0.0.2:{port}" src "::1"',
        'match from any for any action "out"']))
    it.send("a@c.test", "b@x.test")
    line = it.logged(r"delivery .*later.*")[0]
    assert "cause=configuration" in line, line
    assert r.sessions == 0


def test_name_without_source(lab):
    """`helo-src` alone: by the address that the kernel takes."""
    port, (r,) = lab.receivers("127.0.0.2")
    it = lab.postern(conf(lab.dns(), rules=[
        'table names { "127.0.0.1" = "one.c.test", '
        '"127.0.0.2" = "two.c.test" }',
        f'action "out" relay host "smtp://127.0.0.2:{port}" '
        'helo-src <names>',
        'match from any for any action "out"']))
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert (m.peer, m.helo) in (("127.0.0.1", "one.c.test"),
                                ("127.0.0.2", "two.c.test"))


# ---- families ----

def test_ipv6_broken(lab):
    """IPv6 does not connect: IPv4 has the mail at once, and goes first from
    then on, which explain says too."""
    port, (r,) = lab.receivers("127.0.0.2")
    it = lab.postern(conf(lab.dns({
        "x.test": ["MX 10 mx.x.test."],
        "mx.x.test": ["AAAA ::1", "A 127.0.0.2"]}), port, retry="10m"))
    for n in range(4):
        it.send("a@c.test", "b@x.test")
    r.wait(4)
    it.empty()

    def learned():
        order = explained(it, "b@x.test", "host")
        return order[0].startswith("mx.x.test[127.0.0.2]") and order[1]
    # Whoever of the deliver processes is asked.
    last = base.wait_until(learned, "IPv4 first")
    assert re.match(r"mx\.x\.test\[::1\]:\d+ \(.*, \d+ seconds ago; ", last), last


@pytest.mark.parametrize("family", [4, 6])
def test_limit_family(lab, family):
    """`limit ... inet4`: by that alone, and when it does not work, later."""
    port, (r,) = lab.receivers("127.0.0.2")
    it = lab.postern(conf(lab.dns({
        "x.test": ["MX 10 mx.x.test."],
        "mx.x.test": ["AAAA ::1", "A 127.0.0.2"]}), port,
        lines=[f'limit domain "x.test" inet{family}'], retry="10m"))
    it.send("a@c.test", "b@x.test")
    line, = it.logged(r"delivery .*")
    if family == 4:
        r.wait(1)
        assert "[127.0.0.2]" in line, line
    else:
        assert "[::1]" in line and r.sessions == 0, line


# ---- the DNS ----

def test_mx_of_500(lab):
    """Five hundred hosts, the best one at the end of the list."""
    port, (r,) = lab.receivers("127.0.0.2")
    names = {"x.test": [f"MX {1000 - n} mx{n:03}.x.test."
                        for n in range(500)]}
    names.update({f"mx{n:03}.x.test": [f"A 127.0.3.{1 + n % 250}"]
                  for n in range(499)})
    names["mx499.x.test"] = ["A 127.0.0.2"]
    it = lab.postern(conf(lab.dns(names), port, retry="10m"))
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    it.empty()


def test_mx_to_ourselves(lab):
    """By our name, by an address we listen on: it would come back, and that is
    said."""
    box = lab.receiver(address="127.0.0.2")
    dns = lab.dns({"x.test": ["MX 10 mx.c.test."], "mx.c.test": ["A 127.0.0.9"],
                   "y.test": ["MX 10 alias.test."],
                   "alias.test": ["A 127.0.0.1"],
                   "back.test": ["MX 10 home.test."],
                   "home.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, rules=[
        f'action "back" relay host "smtp://127.0.0.2:{box.port}"',
        'action "out" relay',
        'match from any for domain "back.test" action "back"',
        'match from any for any action "out"'],
        lines=["hostname mx.c.test"]))
    it.send("a@back.test", "b@x.test")
    text = box.wait(1)[0].content.decode()
    assert "5.4.6" in text and "would come back" in text, text
    it.send("a@back.test", "b@y.test")
    text = box.wait(2)[1].content.decode()
    assert "5.4.6" in text and "would come back" in text, text
    it.empty()


ODD = ["A 0.0.0.0", "A 255.255.255.255", "A 224.0.0.1", "AAAA ::",
       "AAAA ff02::1"]


@pytest.mark.parametrize("record", ODD)
def test_odd_address(lab, record):
    """An address that nobody can have is not connected to, and is named; one
    beside it is."""
    box = lab.receiver(address="127.0.0.2")
    it = lab.postern(conf(lab.dns({
        "x.test": ["MX 10 odd.test."], "odd.test": [record],
        "y.test": ["MX 10 odd.test.", "MX 20 home.test."],
        "c.test": ["MX 10 home.test."], "home.test": ["A 127.0.0.2"]}),
        box.port))
    it.send("a@c.test", "b@x.test")
    text = box.wait(1)[0].content.decode()
    assert "Action: failed" in text
    assert record.split()[1] in text, text
    it.send("a@c.test", "b@y.test")
    assert box.wait(2)[1].rcpts == ["b@y.test"]
    it.empty()


def test_ttl_0(lab):
    """An answer that may not be kept is asked for again, but not by each of
    the many that wait for it."""
    port, (r,) = lab.receivers("127.0.0.2")

    def slow(query, tcp):
        time.sleep(0.3)
        kind = query.question[0].rdtype
        name = query.question[0].name.to_text()
        if name == "x.test." and kind == 15:
            return [answer(query, (name, 0, "MX", "10 mx.x.test.")).to_wire()]
        if name == "mx.x.test." and kind == 1:
            return [answer(query, (name, 0, "A", "127.0.0.2")).to_wire()]
        return [nothing(query).to_wire()]
    liar = lab.liar(default=slow)
    it = lab.postern(conf(liar, port, lines=["limit route messages 1"]))
    it.ctl("pause")
    for n in range(60):
        it.send("a@c.test", "b@x.test")
    it.ctl("resume")
    r.wait(60, timeout=60)
    asked = Counter((n, k) for n, k, _ in liar.asked)
    first = sum(n for (name, kind), n in asked.items()
                if name.rstrip(".") == "x.test" and str(kind) in ("MX", "15"))
    assert 2 <= first < 60, asked
    it.send("a@c.test", "b@x.test")
    r.wait(61)
    again = Counter((n, k) for n, k, _ in liar.asked)
    assert again != asked


def test_dns_of_one_host(lab):
    """The DNS has trouble with one host: the others are tried."""
    port, (r,) = lab.receivers("127.0.0.2")

    def partly(query, tcp):
        name = query.question[0].name.to_text()
        kind = query.question[0].rdtype
        if name == "x.test." and kind == 15:
            return [answer(query, (name, 60, "MX", "10 bad.x.test."),
                           (name, 60, "MX", "20 mx.x.test.")).to_wire()]
        if name == "bad.x.test.":
            return servfail(query, tcp)
        if name == "mx.x.test." and kind == 1:
            return [answer(query, (name, 60, "A", "127.0.0.2")).to_wire()]
        return [nothing(query).to_wire()]
    it = lab.postern(conf(lab.liar(default=partly), port, retry="10m"))
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    it.empty()


# ---- backup ----

def test_backup(lab):
    """Only to those who are better than we are; who is not listed waits."""
    port, (best, other) = lab.receivers("127.0.0.2", "127.0.0.3")
    it = lab.postern(conf(lab.dns({
        "x.test": ["MX 10 best.test.", "MX 20 us.c.test.",
                   "MX 30 other.test."],
        "y.test": ["MX 10 other.test."],
        "best.test": ["A 127.0.0.2"], "us.c.test": ["A 127.0.0.7"],
        "other.test": ["A 127.0.0.3"]}), rules=[
            f'action "out" relay port {port} backup',
            'match from any for any action "out"'],
        lines=["hostname us.c.test"]))
    best.table["banner"] = ["421 4.3.2 not now", "220 now"]
    it.send("a@c.test", "b@x.test")
    best.wait(1, timeout=30)
    it.send("a@c.test", "b@y.test")
    line, = it.logged(r"delivery .*b@y\.test.*")[:1]
    assert "cause=configuration" in line and "not among" in line, line
    assert not other.sessions
    assert "us.c.test" in explained(it, "b@x.test", "backup")[0]


# ---- connections ----

def test_shared_connection(lab):
    """Two domains with the same host, one connection."""
    port, (r,) = lab.receivers("127.0.0.2")
    names = {f"d{n}.test": ["MX 10 mx.x.test."] for n in range(6)}
    names["mx.x.test"] = ["A 127.0.0.2"]
    it = lab.postern(conf(lab.dns(names), port))
    for n in range(6):
        it.send("a@c.test", f"b@d{n}.test")
        r.wait(n + 1)
    it.empty()
    # Each deliver process may have one of its own.
    assert r.sessions <= len(it.pids("deliver")), r.sessions


# ---- who costs nobody else anything ----

def test_bad_company(lab):
    """Hundreds of domains whose hosts are dead, silent, or say a byte a
    minute: more of them than there are places for jobs, and the mail of a good
    one leaves."""
    port, (good, slow) = lab.receivers("127.0.0.2", "127.0.0.3")
    slow.table["banner"] = lambda session: Drip("220 slow.test", 60)
    silent = []
    names = {"good.test": ["MX 10 mx.good.test."],
             "mx.good.test": ["A 127.0.0.2"]}
    bad = []
    for n in range(300):
        # Each with an address of its own, so that nothing is learned of one
        # from another.
        address = f"127.0.{20 + n // 250}.{1 + n % 250}"
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(64)  # the kernel says yes, and nobody says more
        silent.append(s)
        names[f"silent{n}.test"] = [f"A {address}"]
        bad.append(f"b@silent{n}.test")
    for n in range(30):
        names[f"dead{n}.test"] = [f"A 127.0.30.{n + 1}"]
        names[f"slow{n}.test"] = ["A 127.0.0.3"]
        bad += [f"b@dead{n}.test", f"b@slow{n}.test"]
    it = lab.postern(conf(lab.dns(names), port, retry="10m"))
    before = fds(it)
    try:
        it.ctl("pause")
        for k in range(0, len(bad), 50):
            with it.smtp() as s:
                for rcpt in bad[k:k + 50]:
                    s.sendmail("a@c.test", [rcpt], "n: 1\r\n\r\n")
        it.ctl("resume")
        base.wait_until(lambda: slow.sessions, "a slow one is tried", 60)
        for n in range(40):
            it.send("a@c.test", "b@good.test")
        good.wait(40, timeout=90)
        def left():
            return {q["recipient"] for q in it.queue()}
        base.wait_until(lambda: "b@good.test" not in left(),
                        "the good ones are recorded", 30)
        # Not because the others were given up: they are still waited for.
        assert sum("silent" in r for r in left()) == 300
        it.ctl("remove", "all")
    finally:
        for s in silent:
            s.close()
    slow.stop()
    steady(it, {p: n + 2 for p, n in before.items()}, "descriptors", 90)


def test_silent_provider(lab):
    """Many domains at one host that says nothing: after some have found that
    out, the others do not wait for it."""
    port = base.free_port("127.0.0.2")
    names = {f"d{n}.test": ["A 127.0.0.2"] for n in range(60)}
    it = lab.postern(conf(lab.dns(names), port, retry="10m"))
    it.send("a@c.test", "b@d0.test")
    it.send("a@c.test", "b@d1.test")
    it.logged(r"delivery .*later", 2)
    for n in range(2, 60):
        it.send("a@c.test", f"b@d{n}.test")
    lines = it.logged(r"delivery .*later.*", 60, timeout=30)
    spared = [l for l in lines if "not tried: " in l]
    # Each deliver process finds out for itself.
    assert len(spared) >= 60 - 2 * len(it.pids("deliver")) - 2, len(spared)
    line, = [l for l in spared if "d59.test" in l]
    assert "cause=network stage=connect" in line
    assert "seconds ago" in explained(it, "b@d30.test", "host")[0]


def test_descriptors(lab):
    """Connections that fail in all ways leave nothing open."""
    port, (r,) = lab.receivers("127.0.0.2")
    says = ["421 4.3.2 no", CLOSE, RESET, "554 no", "220 yes", "220 yes"]
    r.table["banner"] = lambda session: says[session.number % len(says)]
    r.table["mail"] = lambda session: CLOSE if session.number % 3 == 0 \
        else "250 ok"
    names = {f"d{n}.test": ["A 127.0.0.2", "A 127.0.0.9"] for n in range(50)}
    it = lab.postern(conf(lab.dns(names), port, retry="1s*1000"))
    before = fds(it)
    for n in range(50):
        it.send("a@c.test", f"b@d{n}.test")
        it.send("a@c.test", f"c@d{n}.test")
    it.empty(90)
    steady(it, {p: n + 1 for p, n in before.items()}, "descriptors")
