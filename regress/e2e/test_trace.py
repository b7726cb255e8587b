"""smtpctl trace: what became of a message, also after it is gone.

SPDX-License-Identifier: ISC
"""
import json
import os
import re
import signal

from lib import base
from lib.instance import conf


def rows(it, what):
    out = it.ctl("--json", "trace", what, check=False)
    return [json.loads(line) for line in out.stdout.splitlines()]


def events(it, what):
    return [r["event"] for r in rows(it, what)]


def wait_events(it, what, *wanted):
    """The history is written once a second."""
    base.wait_until(lambda: events(it, what)[-len(wanted):] == list(wanted),
                    f"{what}: {wanted}, has {events(it, what)}", 40)
    return rows(it, what)


def test_delivered(lab):
    """The whole life of a message that is gone: by id, sender, recipient."""
    r = lab.receiver(tls=True)
    it = lab.postern(conf(lab.dns(), r.port))
    ident = it.send("a@c.test", "B@x.test")
    r.wait(1)
    came, went = wait_events(it, ident, "accepted", "delivered")
    assert came["from"] == "a@c.test" and came["recipients"] == 1
    assert "127.0.0.1" in came["client"] and came["size"] > 0
    assert went["to"] == "B@x.test" and went["attempts"] == 1
    assert went["route"] == "mx:x.test" and str(r.port) in went["relay"]
    assert re.match(r"TLSv1\.[23]:\S+:(un)?verified$", went["tls"])
    assert went["last"]["code"] == 250
    for who in ("a@c.test", "<A@C.TEST>", "b@x.test"):
        assert [x["id"] for x in rows(it, who)] == [ident, ident]
    assert it.queue() == []
    text = it.ctl("trace", ident).stdout.splitlines()
    assert len(text) == 2 and all(ident in line for line in text)
    assert "TLSv1." in text[1] and "delivered" in text[1]


def test_life(lab):
    """Later, then refused, then the notification; a second recipient that
    waits is shown with its next try."""
    r = lab.receiver(rcpt={
        "gone@x.test": ["450 4.2.1 try again", "550 5.1.1 no such user"],
        "wait@x.test": "451 4.7.1 greylisted, come back in 4 hours"})
    it = lab.postern(conf(lab.dns(), r.port, retry="1s*1000"))
    ident = it.send("a@x.test", ["gone@x.test", "wait@x.test"])
    base.wait_until(lambda: "bounced" in events(it, ident), "bounced", 40)
    mine = [x for x in rows(it, ident)
            if x.get("to") == "gone@x.test" and x["id"] == ident]
    found = [x["event"] for x in mine]
    assert found[0] == "later" and found[-2:] == ["failed", "bounced"], found
    assert mine[0]["last"]["cause"] != "none"
    assert mine[0]["last"]["stage"] == "rcpt"
    told = mine[-1]["as"]
    base.wait_until(lambda: any(m.sender == "" for m in r.messages), "the DSN")
    wait_events(it, told, "accepted", "delivered")
    # The notification is a part of the message's life.
    assert told in {x["id"] for x in rows(it, ident)}
    base.wait_until(lambda: rows(it, "wait@x.test")[-1]["event"] == "waiting",
                    "it waits")
    last = rows(it, "wait@x.test")[-1]
    assert last["id"] == ident
    assert "gone@x.test" not in it.ctl("trace", "wait@x.test").stdout


def test_outlives(lab):
    """A restart, and a queue that is killed: what was written stays."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    first = it.send("a@c.test", "b@x.test")
    wait_events(it, first, "accepted", "delivered")
    it.stop()
    assert events(it, first) == ["accepted", "delivered"]
    it.start()
    second = it.send("a@c.test", "b@x.test")
    wait_events(it, second, "accepted", "delivered")
    os.kill(it.pids("queue")[0], signal.SIGKILL)
    base.wait_until(it.all_up, "the queue is back", 30)
    third = it.send("a@c.test", "b@x.test")
    wait_events(it, third, "accepted", "delivered")
    assert {x["id"] for x in rows(it, "a@c.test")} >= {first, second, third}


def test_removed_and_nothing(lab):
    it = lab.postern(conf(lab.dns(), 1))
    it.ctl("pause")
    ident = it.send("a@c.test", "b@x.test")
    it.ctl("remove", ident)
    wait_events(it, ident, "accepted", "removed")
    out = it.ctl("trace", "nobody@y.test", check=False)
    assert out.returncode == 1 and "nothing is known" in out.stderr
    assert it.ctl("trace", check=False).returncode == 64


def test_not_tried(lab):
    """Asked for a recipient of whom nothing is told yet, as he was not tried:
    the message is here, and found."""
    it = lab.postern(conf(lab.dns(), 1))
    it.ctl("pause")
    ident = it.send("a@c.test", ["B@x.test", "c@x.test"])
    base.wait_until(lambda: events(it, ident)[:1] == ["accepted"], "accepted")
    for who in ("b@x.test", "<b@X.TEST>"):
        came, here = rows(it, who)
        assert came["event"] == "accepted" and came["id"] == ident
        assert here["event"] == "waiting" and here["recipient"] == "B@x.test"
    out = it.ctl("trace", "<d@x.test>", check=False)
    assert out.returncode == 1
    assert out.stderr == "smtpctl: nothing is known of d@x.test\n"


def test_no_word(lab):
    """A domain, or a Message-ID, is no address and no id: it is said."""
    it = lab.postern(conf(lab.dns(), 1))
    for what in ("x.test", "bob"):
        out = it.ctl("trace", what, check=False)
        assert out.returncode == 64
        assert f"{what}: neither an id nor an address" in out.stderr


def test_off(lab):
    """`history no`: nothing is written."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port, lines=["history no"]))
    ident = it.send("a@c.test", "b@x.test")
    r.wait(1)
    base.wait_until(lambda: it.queue() == [], "delivered")
    assert it.ctl("trace", ident, check=False).returncode == 1
    assert not list(it.root.glob("**/history-*"))
