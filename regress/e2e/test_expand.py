"""Aliases, virtual users, errors and loops, from RCPT to the next server.

SPDX-License-Identifier: ISC
"""
import collections
import os
import re
import select
import time

import pytest

from lib import base
from lib.instance import conf

NAMES = {"x.test": ["MX 10 mx.x.test."], "y.test": ["MX 10 mx.x.test."],
         "mx.x.test": ["A 127.0.0.1"]}


def ask(it, rcpt, sender="a@c.test"):
    with it.smtp() as s:
        s.ehlo()
        s.mail(sender)
        code, said = s.rcpt(rcpt)
        return code, said.decode()


def stage(lab, *rules, tables=(), lines=()):
    """hostname mx.c.test, what the tables and rules say, the rest is
    relayed for who is here."""
    r = lab.receiver()
    lines = ["hostname mx.c.test", *lines]
    for name, text in tables:
        path = lab.path(name)
        path.write_text(text)
        lines.append(f'table {name} "file:{path}"')
    it = lab.postern(conf(lab.dns(NAMES), lines=lines, rules=[
        f'action "out" relay port {r.port}', *rules,
        'match from local for any action "out"']))
    return it, r


LOCAL = ('action "local" expand-only alias <aliases>',
         'match from any for local action "local"')
VIRTUAL = ('action "virtual" expand-only virtual <vusers>',
           'match from any for domain "v.test" action "virtual"')


def test_alias_to_one(lab):
    """One address is delivered to directly, in the same message."""
    it, r = stage(lab, *LOCAL, tables=[
        ("aliases", "# ours\nroot: ann\nann: b@x.test\npostmaster: root\n")])
    assert ask(it, "root@mx.c.test") == (250, "2.1.5 Recipient ok")
    assert ask(it, "Postmaster")[0] == 250
    sent = it.send("s@c.test", "ROOT@mx.c.test")
    m, = r.wait(1)
    assert m.sender == "s@c.test" and m.rcpts == ["b@x.test"]
    it.empty()
    line, = it.logged(rf"{sent} delivery .*")
    assert 'to="b@x.test"' in line and 'orig_to="ROOT@mx.c.test"' in line


def test_alias_to_many(lab):
    """Several become a message of their own: each gets it once, duplicates
    are merged, one transaction for each route."""
    it, r = stage(lab, *LOCAL, tables=[
        ("aliases", "team: b@x.test, c@x.test, d@y.test, B@X.TEST, more\n"
         "more: e@y.test, team\n")])
    it.send("s@c.test", "team@localhost")
    got = r.wait(2)
    it.empty()
    assert sorted(a for m in got for a in m.rcpts) == \
        ["b@x.test", "c@x.test", "d@y.test", "e@y.test"]
    assert {m.sender for m in got} == {"s@c.test"}
    time.sleep(0.5)
    assert len(r.messages) == 2


def test_virtual(lab):
    """The order of look-ups, catch-all, and case."""
    it, r = stage(lab, *VIRTUAL, tables=[
        ("vusers", "one@v.test one@x.test\n"
         "tag+in@v.test in@x.test\n"
         "tag@v.test tag@x.test\n"
         "bare bare@x.test\n"
         "@v.test rest@x.test\n")])
    rcpts = {"one@v.test": "one@x.test", "ONE@V.test": "one@x.test",
             "tag+in@v.test": "in@x.test", "tag+out@v.test": "tag@x.test",
             "bare@v.test": "bare@x.test", "what@v.test": "rest@x.test"}
    for n, (rcpt, target) in enumerate(rcpts.items(), 1):
        it.send("s@c.test", rcpt)
        assert r.wait(n)[-1].rcpts == [target], rcpt
    it.empty()


def test_idn(lab):
    """A domain in any script is the form that DNS has, in keys and values."""
    it, r = stage(lab, 'action "virtual" expand-only virtual <vusers>',
                  'match from any for domain "bücher.test" action "virtual"',
                  tables=[("vusers", "one@Bücher.test b@X.test\n"
                           "@bücher.test one@bÜcher.test\n")])
    it.send("s@c.test", "one@xn--bcher-kva.test")
    assert r.wait(1)[0].rcpts == ["b@x.test"]
    it.send("s@c.test", "other@XN--BCHER-KVA.test")
    assert r.wait(2)[1].rcpts == ["b@x.test"]
    it.empty()


def test_refused_at_rcpt(lab):
    """What cannot be delivered is refused here, not bounced later."""
    it, r = stage(lab, *LOCAL, *VIRTUAL, tables=[
        ("aliases", "gone: error:550 5.1.6 has moved\n"
         "full: error:452 4.2.2 mailbox full\n"
         "words: error: write to x instead\n"
         "a: b\nb: a\n"
         "half: b@x.test, nosuch-user-here\n"
         "wait: nosuch-user-here, full\n"
         "file: /var/mail/x\n"
         "nonsense: one two three\n"),
        ("vusers", "u@v.test nosuch-user-here\nr@v.test root\n")])
    said = {
        "gone@localhost": (550, "5.1.6 has moved"),
        "full@localhost": (452, "4.2.2 mailbox full"),
        "words@localhost": (550, "5.2.1 write to x instead"),
        "nosuch-user-here@localhost": (550, "5.1.1 no such user here"),
        "half@localhost": (550, "5.1.1 no such user here"),
        "wait@localhost": (452, "4.2.2 mailbox full"),
        "a@localhost": (550, "5.4.6 aliases that go in a circle and come to "
                        "nothing"),
        "none@v.test": (550, "5.1.1 no such user here"),
        "u@v.test": (550, "5.1.1 no such user here"),
        # users of the system, to whom the action delivers nothing
        "root@localhost": (550, "5.1.1 no such user here"),
        "r@v.test": (550, "5.1.1 no such user here"),
        "file@localhost": (250, "2.1.5 Recipient ok"),
        "nonsense@localhost": (451, "4.3.5 what this recipient stands for "
                               "cannot be understood"),
    }
    for rcpt, reply in said.items():
        assert ask(it, rcpt) == reply, rcpt


def test_long_circle(lab):
    """A circle of 10,000 aliases costs one answer."""
    n = 10000
    it, r = stage(lab, *LOCAL, tables=[
        ("aliases", "".join(f"n{i}: n{(i + 1) % n}\n" for i in range(n)))])
    begin = time.monotonic()
    assert ask(it, "n0@localhost") == (
        550, "5.4.6 aliases that go too deep, or in a circle")
    assert time.monotonic() - begin < 20


def test_many(lab):
    """More addresses than a message of ours has are several messages: each gets
    it once."""
    it, r = stage(lab, *LOCAL, tables=[
        ("aliases", "".join(
            f"p{i}: " + ", ".join(f"u{i}x{k}@x.test" for k in range(100)) +
            "\n" for i in range(101)) +
         "few: " + ", ".join(f"p{i}" for i in range(100)) + "\n"
         "many: few, p100, one@y.test\n")])
    assert ask(it, "few@localhost")[0] == 250
    it.send("s@c.test", "many@localhost")
    base.wait_until(lambda: sum(len(m.rcpts) for m in r.messages) >= 10101,
                    "all have it", 120)
    it.empty(60)
    assert collections.Counter(
        a for m in r.messages for a in m.rcpts) == collections.Counter(
        [f"u{i}x{k}@x.test" for i in range(101) for k in range(100)] +
        ["one@y.test"])


def test_relay_domain(lab):
    """relay domain <table>: a host for some domains; others wait."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(NAMES), lines=[
        f'table hosts {{ "y.test" = "smtp://127.0.0.1:{r.port}" }}'],
        rules=['action "out" relay domain <hosts>',
               'match from any for any action "out"']))
    it.send("s@c.test", "b@Y.test")
    assert r.wait(1)[0].rcpts == ["b@Y.test"]
    it.empty()
    # As in OpenSMTPD, and not to an MX that may be ourselves.
    out = it.ctl("explain", "b@x.test", check=False)
    assert out.returncode == 75
    assert re.search(r"(?m)^relay +<hosts> has no x\.test  \(", out.stdout)
    it.send("s@c.test", "b@x.test")
    base.wait_until(lambda: it.queue()[0]["attempts"] > 0, "it was tried")
    assert it.queue()[0]["state"] == "waiting"


PROGRAM = '''#!/usr/bin/python3
"""A table for aliases: answers after a while, or never."""
import sys, time
how = sys.argv[1]
while True:
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    part = line.rstrip("\\n").split("|")
    if how == "mute":
        continue
    if part[0] == "config" and part[1] == "ready":
        print("register|alias")
        print("register|ready", flush=True)
    if part[0] != "table":
        continue
    verb, number = part[4], part[6] if part[4] != "update" else part[5]
    if verb == "update":
        print(f"update-result|{number}|ok", flush=True)
        continue
    if how == "hung":
        continue
    time.sleep(0.05)
    key = part[7]
    if key == "slow":
        print(f"lookup-result|{number}|found|b@x.test", flush=True)
    else:
        print(f"lookup-result|{number}|not-found", flush=True)
'''


@pytest.fixture
def program(lab):
    path = lab.path("table-test")
    path.write_text(PROGRAM)
    os.chmod(path, 0o755)
    return path


@pytest.mark.parametrize("how", ["mute", "hung"])
def test_program_that_hangs(lab, program, how):
    """451, never 550; nobody else waits for it; the rest goes on."""
    it, r = stage(lab, 'action "p" expand-only alias <prog>',
                  'match from any for domain "p.test" action "p"',
                  lines=[f'table prog "proc-exec:{program} {how}"'])
    begin = time.monotonic()
    with it.smtp() as s:
        s.ehlo()
        s.mail("a@c.test")
        s.putcmd("RCPT", "TO:<slow@p.test>")
        # Meanwhile another session is served.
        assert ask(it, "b@x.test")[0] == 250
        assert not select.select([s.sock], [], [], 0)[0]
        code, said = s.getreply()
    assert code == 451 and said.startswith(b"4.3.0"), said
    assert b"/" not in said, "a stranger hears of no file"
    assert time.monotonic() - begin < 28


def test_program_that_is_slow(lab, program):
    """What must wait for a table is judged when it has answered."""
    it, r = stage(lab, 'action "p" expand-only alias <prog>',
                  'match from any for domain "p.test" action "p"',
                  lines=[f'table prog "proc-exec:{program} slow"'])
    assert ask(it, "other@p.test") == (550, "5.1.1 no such user here")
    it.send("s@c.test", "slow@p.test")
    assert r.wait(1)[0].rcpts == ["b@x.test"]
    it.empty()


def test_stranger_through_alias(lab):
    """Strangers may write to an alias that leads elsewhere, and not there
    themselves; who was authenticated does not matter."""
    it, r = stage(lab, 'action "local" expand-only alias <aliases>',
                  'match from any for local action "local"',
                  'match from src 127.0.0.1 for domain "x.test" reject',
                  tables=[("aliases", "ann: b@x.test\n")])
    assert ask(it, "b@x.test")[0] == 550
    it.send("s@c.test", "ann@localhost")
    assert r.wait(1)[0].rcpts == ["b@x.test"]
    it.empty()
