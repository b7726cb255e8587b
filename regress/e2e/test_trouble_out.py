"""Trouble on the way out that test_out.py does not have: each reply code there
is, to a recipient; odd replies where they are rarest; refusals that follow from
trouble with TLS; content that is cut off on its way; more that is offered and
not kept.

SPDX-License-Identifier: ISC
"""
import re

import pytest

from lib import base
from lib.instance import conf
from lib.receiver import CLOSE, DEFAULT, RESET
from test_out import BIG, ODD, World

ALL_CODES = [*range(200, 300), *range(400, 421), *range(422, 600)]
# Our configuration is at fault, or there are too many for one transaction.
NOT_HIS = {"rcpt": {523, 524, 525, 530, 534, 535, 538, 552}, "dot": set()}
EACH = re.compile(r'delivery to="c(\d+)@m\.test" .* result=(\w+) .*'
                  r'cause=(\S+) stage=(\S+) .* reply="(.*)"$', re.M)


@pytest.mark.parametrize("stage", ["rcpt", "dot"])
def test_all_codes(lab, stage):
    """Each recipient of one message has a code of his own: by RCPT of SMTP, or
    behind the content by LMTP.  What ends all is in test_out.py: 421, 3yz."""
    replies = {f"c{c}@m.test": f"{c} said to him" for c in ALL_CODES}
    keys = {stage: replies}
    if stage == "dot":
        keys["lmtp"] = True
    world = World(lab, {"m": ("lmtp" if stage == "dot" else "smtp", keys)})
    world.it.send("a@c.test", list(replies))
    base.wait_until(
        lambda: len({m[0] for m in EACH.findall(world.it.log())}) ==
        len(ALL_CODES), "a result of each", 60, 0.2)
    seen = set()
    for code, result, cause, where, reply in EACH.findall(world.it.log()):
        if code in seen:
            continue
        seen.add(code)
        code = int(code)
        want = "ok" if code < 300 else "later" if code < 500 or \
            code in NOT_HIS[stage] else "never"
        assert result == want, (code, result, reply)
        if want == "ok":
            assert cause == "none"
        else:
            assert cause not in ("none", "") and f"{code} said" in reply
            assert where == {"dot": "content"}.get(stage, stage)
    got = [r for m in world.servers["m"].messages
           for r in (m.lmtp if stage == "dot" else m.rcpts)]
    assert sorted(got) == [f"c{c}@m.test" for c in ALL_CODES if c < 300]
    # One notice for the sender, which names who was refused, and nobody else.
    text = world.box.wait(1)[0].content.decode()
    for code in ALL_CODES:
        named = f"Final-Recipient: rfc822; c{code}@m.test" in text
        assert named == (code >= 500 and code not in NOT_HIS[stage]), code


# ---- odd replies where they are rarest ----

# Stage: how the server is otherwise, and what becomes of the message where the
# odd reply is no good one.
RARE = {
    "helo": ({"ehlo": "500 what?"}, "later"),
    "bdat": ({"extensions": ("PIPELINING", "CHUNKING")}, "later"),
    "starttls": ({"tls": True}, "done"),
    "rset": ({"rcpt": "550 5.1.1 who?"}, "never"),
    "quit": ({}, "done"),
}


@pytest.mark.parametrize("stage", RARE)
def test_odd_reply(lab, stage):
    """TLS that does not begin is done without; what goes wrong behind the
    result does not touch it; else it is later.  The process lives, and small."""
    keys, trouble = RARE[stage]
    cases, want = {}, {}
    for name, (what, result) in ODD.items():
        reply = what(DEFAULT[stage]) if callable(what) else what
        cases[name] = ("smtp", {**keys, stage: reply})
        want[name] = trouble if result == "later" else \
            "never" if stage == "rset" else result
    if stage == "helo":
        want["long5"] = "later"  # the host's, and its last word
    if stage == "starttls":
        want["long5"] = "done"
        # 220 with more behind it: whose words that are nobody knows.
        want["twice"] = None
    if stage == "quit":
        want["long5"] = "done"
    world = World(lab, cases)
    before = world.weigh()
    world.send(text=BIG if stage == "bdat" else "Subject: x\r\n\r\nhello\r\n")
    got = world.wait(timeout=90)
    assert {n: got[n]["result"] for n in want if want[n]} == \
        {n: w for n, w in want.items() if w}
    for name in cases:
        assert len(world.servers[name].messages) == \
            (got[name]["result"] == "done"), name
    world.unharmed(*before)


@pytest.mark.parametrize("name", sorted(set(ODD) - {"twice"}))
def test_odd_reply_of_lmtp(lab, name):
    """To the second of three, behind the content: the first has it, and is not
    asked for again; the others have what can be said of them."""
    what, result = ODD[name]
    odd = what("250 2.0.0 ok") if callable(what) else what
    world = World(lab, {"m": ("lmtp", {"lmtp": True,
                                       "dot": {"two@m.test": odd}})})
    world.it.send("a@c.test", ["one@m.test", "two@m.test", "six@m.test"])
    results = re.compile(r'delivery to="(\w+)@m\.test" .* result=(\w+) ')
    base.wait_until(lambda: len(results.findall(world.it.log())) >= 3,
                    "three results", 60)
    got = dict(results.findall(world.it.log()))
    after = "later" if result == "later" else "ok"
    assert got == {"one": "ok", "two": {"done": "ok"}.get(result, result),
                   "six": after}
    m, = world.servers["m"].messages
    assert m.lmtp[0] == "one@m.test"


# ---- what follows from trouble with TLS ----

WITHOUT_TLS = {
    "refused": {"tls": True, "starttls": "454 4.7.0 TLS not available"},
    "unknown": {"tls": True, "starttls": "502 5.5.1 what?"},
    "handshake": {"tls": "broken"},
    "hangup": {"tls": True, "starttls": CLOSE},
}


@pytest.mark.parametrize("stage,reply", [
    ("mail", "530 5.7.0 Must issue a STARTTLS command first"),
    ("mail", "550 5.7.1 not like that"),
    ("rcpt", "554 5.7.1 not like that"),
    ("data", "554 5.7.1 not like that"),
    ("rcpt", "550 5.7.10 Encryption needed")])
def test_refused_without_tls(lab, stage, reply):
    """TLS was offered and did not come to pass, and then the message is
    refused: not its sender's fault, so it waits."""
    world = World(lab, {name: ("smtp", {**keys, stage: reply})
                        for name, keys in WITHOUT_TLS.items()})
    world.send()
    got = world.wait()
    assert {n: r["result"] for n, r in got.items() if n in WITHOUT_TLS} == \
        {n: "later" for n in WITHOUT_TLS}, got
    assert all(reply in got[n]["reply"] for n in WITHOUT_TLS), got
    assert all(got[n]["cause"] == "tls" or reply[:3] == "530"
               for n in WITHOUT_TLS), got
    assert not world.box.messages


def test_no_user_without_tls(lab):
    """... but a mailbox that is not there is none, and where no TLS was offered
    a policy is one."""
    world = World(lab, {
        **{name: ("smtp", {**keys, "rcpt": "550 5.1.1 no such user"})
           for name, keys in WITHOUT_TLS.items()},
        "none": ("smtp", {"rcpt": "554 5.7.1 not like that"}),
        "good": ("smtp", {"tls": True, "rcpt": "554 5.7.1 not like that"})})
    world.send()
    got = world.wait()
    assert all(got[n]["result"] == "never" for n in world.servers), got


# ---- whose fault it is ----

@pytest.mark.parametrize("stage,reply", [
    ("banner", "450 4.3.2 not now"), ("banner", "421 4.3.2 not now"),
    ("banner", CLOSE),
    ("ehlo", "450 4.3.2 not now"), ("ehlo", RESET)])
def test_of_the_site(lab, stage, reply):
    """What is said before any message is said of all of them: one finds out,
    the others wait untried, and the first that goes well wakes them.  (554 by
    each mail server of a domain is final: unit deliver_job.)"""
    n = 20
    r = lab.receiver(**{stage: reply})
    it = lab.postern(conf(lab.dns(), r.port, retry="1h",
                          lines=["limit route concurrency 1"]))
    it.ctl("pause")
    for k in range(n):
        it.send("a@c.test", f"b{k}@x.test")
    it.ctl("resume")
    it.logged(r"route-down failures=1 ", 1, 30)
    rows = it.queue()
    assert len(rows) == n
    assert sum(row["attempts"] for row in rows) <= 1, rows
    assert r.sessions == 1
    r.table[stage] = DEFAULT[stage]
    it.ctl("flush", "mx:x.test")
    r.wait(n, 40)
    it.empty()


# ---- content that is cut off ----

def breaking(how):
    """354, a piece of the content, and no more.  (By its pace the buffers are
    small, so that the client cannot have said its last dot.)"""
    def data(session):
        session.conn.sendall(b"354 go ahead\r\n")
        session.conn.recv(20000)
        return how
    return data


def slow(how):
    return {"data": breaking(how), "content_pace": (20000, 0)}


def test_cut_in_content(lab):
    """Closed or reset on in the middle of content, or refused there: later, and
    nobody says that it may have arrived; a refusal is one."""
    cases = {"closed": ("smtp", slow(CLOSE)),
             "reset": ("smtp", slow(RESET)),
             "soft": ("smtp", slow(b"452 4.3.1 full\r\n")),
             "hard": ("smtp", slow(b"552 5.3.4 too big\r\n")),
             "bye": ("smtp", slow(b"421 4.3.2 bye\r\n"))}
    world = World(lab, cases)
    world.send(text=BIG)
    got = world.wait(timeout=60)
    for name in cases:
        row = got[name]
        assert row["stage"] == "content", (name, row)
        assert row["result"] == ("never" if name == "hard" else "later"), row
        assert "twice" not in row["reply"], row
    assert got["closed"]["cause"] == got["reset"]["cause"] == "network"


# ---- offers that are not kept ----

def test_offers_not_kept(lab):
    """SMTPUTF8 that is refused when used; 8BITMIME of a server that does not
    like the content; SIZE that is larger than what is taken; a login that is
    offered in clear is not said."""
    utf8 = ("PIPELINING", "8BITMIME", "SMTPUTF8")
    world = World(lab, {
        "utf8": ("smtp", {"extensions": utf8,
                          "mail": "555 5.6.7 SMTPUTF8 not recognized"}),
        "eight": ("smtp", {"dot": "554 5.6.3 no 8-bit content"}),
        "size": ("smtp", {"extensions": ("SIZE 90000000",),
                          "dot": "552 5.3.4 more than 1000"}),
        "auth": ("smtp", {"auth": lambda *a: "235 ok", "mechs": "PLAIN",
                          "auth_in_clear": True})})
    with world.it.smtp() as s:
        s.ehlo()
        assert s.mail("a@c.test", ["SMTPUTF8"])[0] == 250
        assert s.rcpt("bj\u00f6rn@utf8.test")[0] == 250
        assert s.data(b"Subject: x\r\n\r\nhello\r\n")[0] == 250
        assert s.mail("a@c.test", ["BODY=8BITMIME"])[0] == 250
        assert s.rcpt("b@eight.test")[0] == 250
        assert s.data("Subject: x\r\n\r\n\u00fc\r\n".encode())[0] == 250
    world.send("size", "auth")
    got = world.wait()
    assert {n: (got[n]["result"], got[n]["stage"]) for n in world.servers} == {
        "utf8": ("never", "mail"), "eight": ("never", "content"),
        "size": ("never", "content"), "auth": ("done", "none")}
    told = world.box.wait(3)
    assert sorted(m.rcpts for m in told) == [["a@c.test"]] * 3
    assert any("bj\u00f6rn@utf8.test".encode() in m.content or
               b"bj\\x{F6}rn@utf8.test" in m.content for m in told)
    assert not any(l.upper().startswith("AUTH")
                   for l in world.servers["auth"].lines)


# ---- the DNS ----

def test_worse_than_ourselves(lab):
    """RFC 5321 5.1: we are the second of three hosts, and the first is down:
    the third is never asked, the mail waits for the first."""
    port = base.free_port("127.0.0.2", "127.0.0.3")
    third = lab.receiver(address="127.0.0.3", port=port)
    it = lab.postern(conf(lab.dns({
        "x.test": ["MX 10 one.test.", "MX 20 mx.c.test.", "MX 30 three.test."],
        "one.test": ["A 127.0.0.2"], "mx.c.test": ["A 127.0.0.9"],
        "three.test": ["A 127.0.0.3"]}), port,
        lines=["hostname mx.c.test"]))
    it.send("a@c.test", "b@x.test")
    it.logged(r"delivery .* result=later .*", 2, 40)
    assert third.sessions == 0
    first = lab.receiver(address="127.0.0.2", port=port)
    first.wait(1, 40)
    it.empty()
    assert third.sessions == 0


@pytest.mark.parametrize("mx", ["MX 10 gone.test.", "MX 0 .",
                                "MX 10 empty.test."])
def test_no_address_beside_mx(lab, mx):
    """RFC 5321 5.1: a domain with MX records is reached by these alone, be they
    of no use: its own address is not tried."""
    port = base.free_port("127.0.0.2", "127.0.0.3")
    own = lab.receiver(address="127.0.0.2", port=port)
    box = lab.receiver(address="127.0.0.3", port=port)
    it = lab.postern(conf(lab.dns({
        "x.test": [mx, "A 127.0.0.2"], "empty.test": ['TXT "nothing"'],
        "c.test": ["A 127.0.0.3"]}), port, retry="1h"))
    it.send("a@c.test", "b@x.test")
    m, = box.wait(1, 40)
    assert b"Action: failed" in m.content
    assert own.sessions == 0
    it.empty()
