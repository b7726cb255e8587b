"""Notifications: what a sender is told, as Python's email package reads it.

SPDX-License-Identifier: ISC
"""
import email
import re
import time

import pytest

from lib import base
from lib.instance import conf

ORIGINAL = ("From: <a@c.test>\r\nTo: <b@x.test>\r\nSubject: the first one\r\n"
            "Message-ID: <orig@c.test>\r\n\r\nsecret body\r\n")


def stage(lab, lines=(), home=None, **kw):
    """x.test behaves as told, c.test is where notifications go."""
    r = lab.receiver(address="127.0.0.2", **kw)
    box = lab.receiver(address="127.0.0.3", **(home or {}))
    dns = lab.dns({"x.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, lines=["hostname mx.test", *lines], rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "out" relay port {r.port}',
        'match from any for domain { "c.test", "mx.test" } action "home"',
        'match from any for any action "out"']))
    return it, r, box


def parts(message):
    """(text for people, fields per message, fields per recipient, original)."""
    m = email.message_from_bytes(message.content)
    assert message.sender == ""
    assert m.get_content_type() == "multipart/report", m.as_string()
    assert m.get_param("report-type") == "delivery-status"
    assert m["MIME-Version"] == "1.0"
    assert m["Date"] and m["Message-ID"] and m["From"] and m["To"]
    assert m["Auto-Submitted"] == "auto-replied"
    for part in m.walk():
        assert not part.defects, part.defects
    text, status, original = m.get_payload()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    about, *rcpts = status.get_payload()
    return text.get_payload(), about, rcpts, original


def test_failed(lab):
    it, r, box = stage(lab, rcpt={"bad@x.test": "550 5.1.1 no bad here",
                                  "worse@x.test": "553 5.1.3 what a name"})
    it.send("a@c.test", ["good@x.test", "bad@x.test", "worse@x.test"],
            ORIGINAL)
    box.wait(1)
    text, about, rcpts, original = parts(box.messages[0])
    assert "bad@x.test" in text and "no bad here" in text
    assert about["Reporting-MTA"] == "dns; mx.test"
    assert about["Arrival-Date"]
    told = {p["Final-Recipient"]: p for p in rcpts}
    assert set(told) == {"rfc822; bad@x.test", "rfc822; worse@x.test"}
    bad = told["rfc822; bad@x.test"]
    assert bad["Action"] == "failed" and bad["Status"] == "5.1.1"
    assert re.sub(r"\s+", " ", bad["Diagnostic-Code"]) == \
        "smtp; 550 5.1.1 no bad here"
    assert bad["Remote-MTA"].startswith("dns; ")
    assert told["rfc822; worse@x.test"]["Status"] == "5.1.3"
    head = original.as_string()
    assert "the first one" in head and "orig@c.test" in head
    assert "secret body" not in head
    it.empty()
    time.sleep(0.5)
    assert len(box.messages) == 1, "one notification for one message"


def test_hostile_words(lab):
    """What the remote says can break neither the form nor the header."""
    nasty = (b"550-5.1.1 a\r\n550-5.1.1 Action: delivered\r\n"
             b"550-5.1.1 \x1b[31m \xff\xfe\t--=boundary\r\n"
             b"550 5.1.1 " + b"w" * 600 + b"\r\n")
    it, r, box = stage(lab, rcpt=nasty)
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(1)
    text, about, rcpts, _ = parts(box.messages[0])
    assert len(rcpts) == 1 and rcpts[0]["Action"] == "failed"
    assert rcpts[0]["Status"] == "5.1.1"
    raw = box.messages[0].content
    assert all(b < 128 and b != 0x1b for b in raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_expired(lab):
    """Given up after `queue ttl`: 4.4.7 of the last words."""
    it, r, box = stage(lab, ["queue ttl 3s"], rcpt="451 4.7.1 still busy")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(1, 20)
    text, about, (rcpt,), _ = parts(box.messages[0])
    assert rcpt["Action"] == "failed"
    assert rcpt["Status"] in ("4.4.7", "5.4.7")
    assert "still busy" in text
    it.empty()


def test_delayed(lab):
    """One warning at its time, then the message is still delivered."""
    it, r, box = stage(lab, ["bounce warn-interval 2s"],
                       rcpt="451 4.7.1 still busy")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(1, 20)
    text, about, (rcpt,), _ = parts(box.messages[0])
    assert rcpt["Action"] == "delayed"
    assert rcpt["Status"].startswith("4.")
    assert rcpt["Will-Retry-Until"]
    assert "still busy" in text
    time.sleep(3)
    assert len(box.messages) == 1, "warned twice for one interval"
    r.table["rcpt"] = "250 2.1.5 ok"
    r.wait(1)
    it.empty()
    assert len(box.messages) == 1


def test_two_warnings(lab):
    it, r, box = stage(lab, ["bounce warn-interval { 2s, 4s }"],
                       rcpt="451 4.7.1 still busy")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(2, 20)
    time.sleep(2)
    assert [parts(m)[2][0]["Action"] for m in box.messages] == ["delayed"] * 2


def test_null_sender(lab):
    """What comes from <> is never bounced to <>."""
    it, r, box = stage(lab, rcpt="550 5.1.1 no")
    it.send("", "b@x.test", ORIGINAL)
    it.empty()
    time.sleep(1)
    for m in box.messages:
        assert m.rcpts == ["postmaster@mx.test"], m.rcpts


def test_double_bounce(lab):
    """A notification that fails goes to postmaster, once, and no further."""
    it, r, box = stage(lab, home={"rcpt": {
        "a@c.test": "550 5.1.1 the sender is gone too"}},
        rcpt="550 5.1.1 no")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    m, = box.wait(1)
    assert m.rcpts == ["postmaster@mx.test"]
    it.empty()
    time.sleep(1)
    assert len(box.messages) == 1


def test_triple_bounce(lab):
    """Postmaster cannot be reached either: it ends, and is in the log."""
    it, r, box = stage(lab, home={"rcpt": "550 5.1.1 nobody at all"},
                       rcpt="550 5.1.1 no")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    base.wait_until(lambda: sum("RCPT" in l for l in box.lines) >= 2,
                    "both are tried")
    it.empty()
    time.sleep(1)
    assert not box.messages
    assert sum("RCPT" in l for l in box.lines) == 2


def test_all_bounce_once(lab):
    """The same failure, queue killed again and again: one notification each."""
    it, r, box = stage(lab, rcpt="550 5.1.1 no")
    import os
    import signal
    ids = []
    for n in range(30):
        ids.append(it.send(f"a{n}@c.test", "b@x.test", ORIGINAL))
        if n % 10 == 5:
            for pid in it.pids("queue"):
                os.kill(pid, signal.SIGKILL)
    base.wait_until(lambda: len({m.rcpts[0] for m in box.messages}) == 30,
                    "30 senders are told", 40)
    it.empty()
    told = {}
    for m in box.messages:
        told.setdefault(m.rcpts[0], set()).add(
            email.message_from_bytes(m.content)["Message-ID"])
    # Delivered twice is possible when deliver's result met a dead queue,
    # but then it is the same notification under the same id.
    assert all(len(v) == 1 for v in told.values()), told
