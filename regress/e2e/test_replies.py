"""What a remote may answer at each stage, and to whose account that goes.

SPDX-License-Identifier: ISC
"""

import pytest

from lib import base
from lib.instance import conf
from lib.receiver import CLOSE, ENDLESS, GARBAGE, TAKE_CLOSE


def stage(lab, **kw):
    """A domain whose server behaves so, and the sender's own mailbox."""
    r = lab.receiver(address="127.0.0.2", **kw)
    box = lab.receiver(address="127.0.0.3")
    dns = lab.dns({"x.test": ["A 127.0.0.2"], "c.test": ["A 127.0.0.3"]})
    it = lab.postern(conf(dns, rules=[
        f'action "home" relay port {box.port}',
        f'action "out" relay port {r.port}',
        'match from any for domain "c.test" action "home"',
        'match from any for any action "out"'], retry="1s*1000"))
    return it, r, box


@pytest.mark.parametrize("where", ["banner", "mail", "rcpt", "data", "dot"])
def test_4xx_then_good(lab, where):
    """4xx at every stage is tried again, and then it is taken."""
    good = {"banner": "220 x ESMTP", "data": "354 go"}.get(where, "250 ok")
    it, r, box = stage(lab, **{where: ["450 4.7.1 come back", good]})
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    it.empty()
    assert not box.messages
    assert len(r.messages) == 1


@pytest.mark.parametrize("where", ["mail", "rcpt", "data", "dot"])
def test_5xx(lab, where):
    """5xx is told to the sender in the remote's words."""
    it, r, box = stage(lab, **{where: "550 5.7.99 not on a Sunday"})
    it.send("a@c.test", "b@x.test")
    text = box.wait(1)[0].content.decode()
    assert "not on a Sunday" in text
    assert "Status: 5.7.99" in text
    it.empty()
    assert not r.messages


@pytest.mark.parametrize("where", ["banner", "ehlo"])
def test_5xx_of_the_site(lab, where):
    """A site that turns every client away: another host may take it."""
    more = {"helo": "550 5.7.99 no"} if where == "ehlo" else {}
    it, r, box = stage(lab, **{where: "554 5.7.99 nobody here"}, **more)
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: r.sessions, "an attempt")
    base.wait_until(lambda: box.messages or [
        q for q in it.queue() if q["attempts"] >= 1], "a result")
    # A notification leaves the queue before the box is looked at again.
    rows = it.queue()
    assert box.messages or rows[0]["state"] in ("waiting", "parked")


def test_widths(lab):
    """Three recipients, three fates, one transaction."""
    it, r, box = stage(lab, rcpt={"bad@x.test": "550 5.1.1 who?",
                                  "busy@x.test": ["452 4.2.2 full",
                                                  "250 2.1.5 ok"]})
    it.send("a@c.test", ["good@x.test", "bad@x.test", "busy@x.test"])
    r.wait(2)
    assert [m.rcpts for m in r.messages] == [["good@x.test"],
                                             ["busy@x.test"]]
    text = box.wait(1)[0].content.decode()
    assert "bad@x.test" in text and "5.1.1 who?" in text
    assert "good@x.test" not in text
    it.empty()


def test_helo_fallback(lab):
    """A server of before 1995: EHLO is 500, HELO is fine."""
    it, r, box = stage(lab, ehlo="500 what?", extensions=())
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert any(line.upper().startswith("HELO") for line in r.lines)
    assert m.mail_args == ""


def test_no_pipelining(lab):
    """Without PIPELINING there is one command at a time."""
    it, r, box = stage(lab, extensions=("8BITMIME",))
    it.send("a@c.test", ["b@x.test", "c@x.test"])
    m, = r.wait(1)
    assert m.rcpts == ["b@x.test", "c@x.test"]


def test_pipelining_all_refused(lab):
    """With PIPELINING, every RCPT refused and DATA still answered 354."""
    it, r, box = stage(lab, rcpt="550 5.1.1 who?", data="354 strange")
    it.send("a@c.test", ["b@x.test", "c@x.test"])
    text = box.wait(1)[0].content.decode()
    assert text.count("Action: failed") == 2
    assert not r.messages
    it.empty()


def test_size_too_large(lab):
    """The remote's SIZE is less than ours: refused without sending it."""
    it, r, box = stage(lab, extensions=("SIZE 1000", "PIPELINING"))
    it.send("a@c.test", "b@x.test", "Subject: big\r\n\r\n" + "x" * 70 +
            "\r\n" + ("y" * 70 + "\r\n") * 50)
    text = box.wait(1)[0].content.decode()
    assert "Status: 5.3.4" in text
    assert not any(l.upper().startswith("DATA") for l in r.lines)


def test_8bit_without_8bitmime(lab):
    """No 8BITMIME there: what has 8-bit bytes is made 7-bit (RFC 6152 3)."""
    it, r, box = stage(lab, extensions=("PIPELINING",))
    with it.smtp() as s:
        s.ehlo()
        s.mail("a@c.test", ["BODY=8BITMIME"])
        s.rcpt("b@x.test")
        s.data(b"Subject: 8\r\n\r\n\xc3\xa4\r\n")
    m, = r.wait(1)
    assert m.mail_args == "" and max(m.content) < 128
    assert m.parsed().get_payload(decode=True) == b"\xc3\xa4\r\n"
    it.empty()
    assert not box.messages


def test_close_after_dot(lab):
    """The remote goes away between the dot and its answer: again."""
    it, r, box = stage(lab, dot=[TAKE_CLOSE, "250 ok"])
    r.table["dot"] = TAKE_CLOSE
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    base.wait_until(lambda: it.queue()[0]["attempts"] >= 1, "an attempt")
    r.table["dot"] = "250 2.0.0 ok"
    base.wait_until(lambda: len(r.messages) >= 2, "it is sent again")
    it.empty()
    assert not box.messages


@pytest.mark.parametrize("where", ["banner", "ehlo", "mail", "rcpt", "data",
                                   "dot"])
@pytest.mark.parametrize("what", [CLOSE, GARBAGE], ids=["close", "garbage"])
def test_trouble(lab, where, what):
    """Closed on, or nonsense, at every stage: later, and then it arrives."""
    it, r, box = stage(lab, **{where: what})
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: it.queue()[0]["attempts"] >= 1, "an attempt")
    row, = it.queue()
    assert row["last"]["verdict"] == "later", row
    assert row["last"]["text"]
    from lib.receiver import DEFAULT
    r.table[where] = DEFAULT[where]
    base.wait_until(lambda: r.messages, "it arrives after all", 45)
    it.empty()
    assert not box.messages


@pytest.mark.parametrize("where", ["banner", "ehlo", "rcpt"])
def test_endless_reply(lab, where):
    """A reply that never ends is cut off, and costs no memory."""
    it, r, box = stage(lab, **{where: ENDLESS})
    pids = it.pids("deliver")
    before = sum(base.rss_kib(p) for p in pids)
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: it.queue()[0]["attempts"] >= 1, "an attempt", 30)
    assert it.queue()[0]["last"]["verdict"] == "later"
    assert r.endless < 20 << 20, "it was read for long"
    assert it.pids("deliver") == pids, "a deliver process died"
    grown = sum(base.rss_kib(p) for p in pids) - before
    assert grown < 20000, f"{grown} KiB more"


def test_long_reply_line(lab):
    """A reply line of a megabyte."""
    it, r, box = stage(lab, rcpt=b"550 " + b"x" * 1000000 + b"\r\n")
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: box.messages or it.queue()[0]["attempts"] >= 1,
                    "a result")
    r.table["rcpt"] = "250 ok"
    base.wait_until(lambda: box.messages or r.messages, "an end")


def test_starttls(lab):
    """STARTTLS with a self-signed certificate: encrypted all the same."""
    it, r, box = stage(lab, tls=True)
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert m.tls in ("TLSv1.2", "TLSv1.3")
    assert m.helo, "EHLO has to be said again after STARTTLS"


@pytest.mark.parametrize("answer", ["454 4.7.0 not now", CLOSE, GARBAGE],
                         ids=["454", "close", "garbage"])
def test_starttls_broken(lab, answer):
    """STARTTLS that fails: in the clear at once or at the next attempt."""
    it, r, box = stage(lab, tls=True, starttls=answer)
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert m.tls is None
    it.empty()


def test_starttls_no_handshake(lab):
    """220 to STARTTLS, and then no TLS: the same."""
    it, r, box = stage(lab, tls="broken")
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert m.tls is None
    it.empty()


def test_starttls_injected(lab):
    """What was said in the clear behind the 220 does not count after it."""
    it, r, box = stage(lab, tls=True, starttls=b"220 go\r\n"
                       b"250-sink.test\r\n250 SIZE 1\r\n")
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    it.empty()
    assert not box.messages


def test_notls(lab):
    """smtp+notls:// does not even try."""
    r = lab.receiver(tls=True)
    it = lab.postern(conf(lab.dns(), host=f"smtp+notls://127.0.0.1:{r.port}"))
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert m.tls is None
