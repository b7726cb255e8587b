"""Mail that is sent on: senders rewritten (SRS), and notifications that come
back to them.

SPDX-License-Identifier: ISC
"""
import hashlib
import hmac
import re
import time

import pytest

from lib import base
from lib.instance import conf

NAMES = {name: ["MX 10 mx.sink.test."]
         for name in ("far.test", "first.test", "sender.test")}
NAMES["mx.sink.test"] = ["A 127.0.0.1"]
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

USERS = ("ann@our.test: ann@far.test\n"
         "team@our.test: t1@far.test, t2@far.test\n"
         "home@our.test: ann@our.test, h@far.test\n")
RULES = ['action "users" expand-only virtual <users>',
         'match from any for domain "our.test" action "users"',
         'match from any for domain "sender.test" action "out"',
         'match from local for any action "out"']


def stage(lab, key="geheim", lines=(), how="srs", **kw):
    """our.test expands, all else is relayed to one receiver."""
    r = lab.receiver(**kw)
    users = lab.path("users")
    users.write_text(USERS)
    lines = ["hostname mx.our.test", f'srs key "{key}"', *lines,
             f'table users "file:{users}"']
    it = lab.postern(conf(lab.dns(NAMES), lines=lines, rules=[
        f'action "out" relay port {r.port} {how}', *RULES]))
    return it, r


def rewritten(sender, domain="our.test", key="geheim", days_ago=0):
    """SRS0 as it should be, by another implementation."""
    local, host = sender.rsplit("@", 1)
    day = (int(time.time()) // 86400 - days_ago) % 1024
    body = f"{BASE32[day >> 5]}{BASE32[day & 31]}={host}={local}"
    md = hmac.digest(key.encode(), f"0={body}@{domain}".lower().encode(),
                     hashlib.sha256)
    bits = int.from_bytes(md[:3], "big") >> 4
    hash_ = "".join(BASE32[bits >> n & 31] for n in (15, 10, 5, 0))
    return f"SRS0={hash_}={body}@{domain}"


def ask(it, rcpt, sender=""):
    with it.smtp() as s:
        s.ehlo()
        s.mail(sender)
        code, said = s.rcpt(rcpt)
        return code, said.decode()


def memory(pid):
    """All that a process can read, its configuration included."""
    out = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            where, flags, _, _, _, *name = line.split()
            begin, end = (int(n, 16) for n in where.split("-"))
            if "r" not in flags or end - begin > 1 << 28 or \
                    name[:1] and name[0].startswith(("[v", "/lib", "/usr")):
                continue
            try:
                mem.seek(begin)
                out.append(mem.read(end - begin))
            except OSError:
                pass
    return b"".join(out)


def test_there_and_back(lab):
    """MAIL has an address of ours; what is sent to it goes to the sender."""
    it, r = stage(lab)
    it.send("joe@sender.test", "ann@our.test")
    there, = r.wait(1)
    assert there.rcpts == ["ann@far.test"]
    assert there.sender == rewritten("joe@sender.test")
    it.empty()
    it.send("", there.sender, "Subject: it failed\r\n\r\nsorry\r\n")
    back = r.wait(2)[1]
    assert (back.sender, back.rcpts) == ("", ["joe@sender.test"])
    # As local parts come back from some.
    it.send("", there.sender.lower())
    assert r.wait(3)[2].rcpts == ["joe@sender.test"]
    it.empty()


def test_our_own_notification(lab):
    """What this host itself cannot deliver: its sender hears of it as ever."""
    it, r = stage(lab, rcpt={"ann@far.test": "550 5.1.1 no"})
    it.send("joe@sender.test", "ann@our.test")
    m, = r.wait(1)
    assert (m.sender, m.rcpts) == ("", ["joe@sender.test"])
    it.empty()


def test_child(lab):
    """An alias of several: each of them has the domain of the alias, also
    after a restart that has to read it from the file."""
    it, r = stage(lab, rcpt={"t2@far.test": ["451 4.3.0 later", "250 ok"]},
                  lines=())
    it.send("joe@sender.test", "team@our.test")
    m, = r.wait(1)
    assert m.sender == rewritten("joe@sender.test")
    it.stop()
    it.start()
    both = r.wait(2)
    assert sorted(a for m in both for a in m.rcpts) == \
        ["t1@far.test", "t2@far.test"]
    assert {m.sender for m in both} == {rewritten("joe@sender.test")}
    it.empty()


def test_not_rewritten(lab):
    """The null sender, one of ours, and mail that is not sent on."""
    it, r = stage(lab)
    it.send("", "ann@our.test")
    it.send("ann@our.test", "ann@our.test")
    it.send("joe@sender.test", "x@sender.test")
    it.send("joe@sender.test", "x@far.test")
    assert sorted(m.sender for m in r.wait(4)) == \
        ["", "ann@our.test", "joe@sender.test", "joe@sender.test"]
    it.empty()


def test_one_message(lab):
    """Recipients of one message at one host: those that it is sent on to, and
    those that it was sent to, are told of different senders."""
    it, r = stage(lab)
    it.send("joe@sender.test", ["ann@our.test", "x@far.test", "y@far.test"])
    got = {m.sender: sorted(m.rcpts) for m in r.wait(2)}
    assert got == {rewritten("joe@sender.test"): ["ann@far.test"],
                   "joe@sender.test": ["x@far.test", "y@far.test"]}
    it.empty()


def test_without(lab):
    """An action without `srs` says the sender, but takes back what was
    made before."""
    it, r = stage(lab, how="")
    it.send("joe@sender.test", "ann@our.test")
    assert r.wait(1)[0].sender == "joe@sender.test"
    it.send("", rewritten("joe@sender.test"))
    assert r.wait(2)[1].rcpts == ["joe@sender.test"]
    it.empty()


def test_second_hop(lab):
    """What another has rewritten becomes SRS1, and goes back to that."""
    it, r = stage(lab)
    first = rewritten("joe@sender.test", "first.test", key="theirs")
    it.send(first, "ann@our.test")
    there = r.wait(1)[0].sender
    inner = first.replace("SRS0", "").replace("@first.test", "@our.test")
    assert re.fullmatch(r"SRS1=[A-Z2-7]{4}=first\.test=" + re.escape(inner),
                        there)
    it.send("", there)
    assert r.wait(2)[1].rcpts == [first]
    # A third host: SRS1 again, no longer than before.
    it.send(there.replace("@our.test", "@second.test"), "ann@our.test")
    assert r.wait(3)[2].sender == there
    # It is as old as what is in it.
    it.send(rewritten("joe@sender.test", "first.test", days_ago=30),
            "ann@our.test")
    assert ask(it, r.wait(4)[3].sender) == (
        550, "5.4.7 the time for notifications to this address is over")
    it.empty()


def test_long(lab):
    """Local parts of the scheme may be longer than 64 bytes, ours and those of
    others; other local parts may not."""
    it, r = stage(lab)
    sender = "l" * 64 + "@sender.test"
    it.send(sender, "ann@our.test")
    there = r.wait(1)[0].sender
    assert there == rewritten(sender) and len(there.split("@")[0]) > 64
    it.send("", there)
    assert r.wait(2)[1].rcpts == [sender]
    with it.smtp() as s:
        s.ehlo()
        assert s.mail("l" * 65 + "@sender.test")[0] >= 500
    # What would be longer than an address can be stays as it is.
    sender = "SRS0=" + "l" * 290 + "@sender.test"
    it.send(sender, "ann@our.test")
    assert r.wait(3)[2].sender == sender
    it.logged(r"srs-not ")
    it.empty()


@pytest.mark.parametrize("rcpt, sender, want", [
    ("SRS0=AAAA=AA=victim.test=joe@our.test", "", "550 5.1.1"),
    ("srs0-aaaa=aa=victim.test=joe@our.test", "", "550 5.1.1"),
    ("SRS1=AAAA=victim.test==x=y=z=joe@our.test", "", "550 5.1.1"),
    ("SRS0=AAAA=AA=victim.test=joe@elsewhere.test", "", "550 5.7.1"),
    (lambda: rewritten("joe@sender.test", days_ago=30), "", "550 5.4.7"),
    (lambda: rewritten("joe@sender.test", key="other"), "", "550 5.1.1"),
    (lambda: rewritten("joe@sender.test", "elsewhere.test"), "joe@x.test",
     "550 5.7.1"),
    (lambda: rewritten("joe@sender.test"), "eve@evil.test", "550 5.7.1"),
])
def test_refused(lab, rcpt, sender, want):
    """Forged, old, for another domain, or no notification at all: nothing is
    relayed for it."""
    it, r = stage(lab, lines=("srs ttl 4d",))
    # From another host: nobody who may relay.
    it.stop()
    it.write_conf(it.text.replace("match from local", "match from socket"))
    it.start()
    rcpt = rcpt() if callable(rcpt) else rcpt
    code, said = ask(it, rcpt, sender)
    assert f"{code} {said}".startswith(want), said
    # A stranger's notification with a good one goes through.
    it.send("", rewritten("joe@sender.test"))
    assert r.wait(1)[0].rcpts == ["joe@sender.test"]


def test_no_oracle(lab):
    """Who is not a notification does not learn whether a hash is good."""
    it, _ = stage(lab)
    it.stop()
    it.write_conf(it.text.replace("match from local", "match from socket"))
    it.start()
    for domain in ("our.test", "elsewhere.test"):
        said = {ask(it, rewritten("joe@sender.test", domain, key),
                    "eve@evil.test") for key in ("geheim", "other")}
        assert len({(code, text.partition("<")[0])
                    for code, text in said}) == 1, said
        assert {code for code, _ in said} == {550}


def test_keys(lab):
    """A new key, and the old one as backup: both come back, the new one is
    used; then the old one is gone."""
    it, r = stage(lab, key="old")
    made = rewritten("joe@sender.test", key="old")
    it.send("joe@sender.test", "ann@our.test")
    assert r.wait(1)[0].sender == made
    it.empty()
    text = it.text.replace('srs key "old"',
                           'srs key "new"\nsrs key backup "old"')
    it.write_conf(text)
    it.ctl("reload")
    assert ask(it, made)[0] == 250
    it.send("joe@sender.test", "ann@our.test")
    assert r.wait(2)[1].sender == rewritten("joe@sender.test", key="new")
    it.empty()
    it.write_conf(it.text.replace('srs key "old"', 'srs key "new"'))
    it.ctl("reload")
    base.wait_until(lambda: ask(it, made)[0] == 550, "the old key is gone",
                    45)


def test_secret_stays(lab):
    """It is in the memory of lookup, and of the parent that read it, and of
    nobody who faces the network."""
    key = "sehr-geheimes-wort-4711"
    it, r = stage(lab, key=key)
    it.send("joe@sender.test", "ann@our.test")
    assert r.wait(1)[0].sender == rewritten("joe@sender.test", key=key)
    having = {base.program(pid) for pid in it.pids()
              if key.encode() in memory(pid)}
    assert having == {"lookup"}
    assert key not in it.log()


def test_explain(lab):
    it, r = stage(lab)
    out = it.ctl("explain", "--from", "joe@sender.test", "--src",
                 "192.0.2.7", "ann@our.test").stdout
    assert rewritten("joe@sender.test") in out, out
    out = it.ctl("explain", "--from", "", "--src", "192.0.2.7",
                 rewritten("joe@sender.test")).stdout
    assert "was made for <joe@sender.test>" in out, out


def test_mail_from(lab):
    """`mail-from` of the action comes after it."""
    it, r = stage(lab, how='srs mail-from "@rewritten.test"')
    it.send("joe@sender.test", "ann@our.test")
    assert r.wait(1)[0].sender == \
        rewritten("joe@sender.test").replace("@our.test", "@rewritten.test")
