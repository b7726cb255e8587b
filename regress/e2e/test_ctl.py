"""smtpctl: every verb, its JSON, and what it does to mail in flight.

SPDX-License-Identifier: ISC
"""
import json
import subprocess
import threading
import time

import pytest

from lib import base
from lib.instance import conf
from lib.receiver import SILENT


@pytest.fixture
def waiting(lab):
    """An instance with three messages that wait for x.test and y.test."""
    r = lab.receiver(address="127.0.0.2", rcpt="450 4.2.1 later")
    dns = lab.dns({"x.test": ["A 127.0.0.2"], "y.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, r.port, retry="1h"))
    ids = [it.send("a@c.test", ["b@x.test", "b@y.test"]),
           it.send("other@c.test", "b@x.test"),
           it.send("a@c.test", "c@y.test")]
    base.wait_until(lambda: [q["attempts"] for q in it.queue()] == [1] * 4,
                    "one attempt each")
    return it, r, ids


def test_show_queue(waiting):
    it, r, ids = waiting
    rows = it.queue()
    assert [q["id"] for q in rows] == [ids[0], ids[0], ids[1], ids[2]]
    row = rows[0]
    assert row["sender"] == "a@c.test" and row["recipient"] == "b@x.test"
    assert row["state"] == "waiting" and row["size"] > 20
    assert row["age"] >= 0 and row["arrived"] and row["next"]
    assert row["last"]["code"] == 450 and row["last"]["enhanced"] == "4.2.1"
    text = it.ctl("show", "queue").stdout
    for word in (ids[0], "a@c.test", "b@x.test", "450 4.2.1 later"):
        assert word in text
    for how, n in ((["@x.test"], 2), (["b@x.test"], 2), ([ids[0]], 2),
                   (["--from", "other@c.test"], 1), (["--state", "held"], 0),
                   ([ids[0] + ":1"], 1)):
        got = it.ctl("show", "queue", *how, "--json", check=n > 0).stdout
        assert len(got.splitlines()) == n, how


def test_show_message(waiting):
    it, r, ids = waiting
    text = it.ctl("show", "message", ids[0]).stdout
    assert "Subject: t" in text and "hello" in text and "a@c.test" in text
    text = it.ctl("show", "envelope", ids[0]).stdout
    assert "b@x.test" in text and "b@y.test" in text and "hello" not in text
    got = it.ctl("show", "envelope", ids[0], "--json").json
    got = got[0] if isinstance(got, list) else got
    assert got["id"] == ids[0] and got["sender"] == "a@c.test"
    got = it.ctl("show", "message", ids[0], "--json").json
    got = got[0] if isinstance(got, list) else got
    assert "hello" in json.dumps(got)
    assert it.ctl("show", "envelope", "0" * 13, check=False).returncode != 0
    assert it.ctl("show", "envelope", "nonsense", check=False).returncode == 64


def test_flush(waiting):
    it, r, ids = waiting
    r.table["rcpt"] = "250 2.1.5 ok"
    it.ctl("flush", ids[1])
    m, = r.wait(1)
    assert m.sender == "other@c.test"
    it.ctl("flush", "@y.test")
    base.wait_until(lambda: len(it.queue()) == 1, "y.test is done")
    out = it.ctl("flush", "all", "--json").json
    assert out["matched"] == 1
    it.empty()


def test_requeue(waiting):
    it, r, ids = waiting
    it.ctl("requeue", ids[1])
    base.wait_until(lambda: len([l for l in r.lines if "RCPT" in l]) == 5,
                    "another attempt")
    base.wait_until(lambda: [q["attempts"] for q in it.queue()] == [1] * 4,
                    "counted as the first")


def test_hold_release(waiting):
    it, r, ids = waiting
    r.table["rcpt"] = "250 2.1.5 ok"
    it.ctl("hold", ids[0])
    assert [q["state"] for q in it.queue()][:2] == ["held", "held"]
    it.ctl("flush", "all")
    r.wait(2)
    time.sleep(0.5)
    assert [q["id"] for q in it.queue()] == [ids[0]] * 2
    it.stop()  # it is held after a restart, and after the index was lost
    it.start()
    assert [q["state"] for q in it.queue()] == ["held", "held"]
    it.ctl("release", ids[0])
    it.ctl("flush", "all")
    it.empty()


def test_hold_route(waiting):
    """A route that is held takes nothing, new mail included."""
    it, r, ids = waiting
    r.table["rcpt"] = "250 2.1.5 ok"
    it.ctl("hold", "mx:x.test")
    it.send("a@c.test", "new@x.test")
    it.ctl("flush", "all")
    base.wait_until(lambda: {q["recipient"] for q in it.queue()} ==
                    {"b@x.test", "new@x.test"}, "only y.test goes")
    time.sleep(0.5)
    assert all("@x.test" not in a for m in r.messages for a in m.rcpts)
    assert "x.test" in it.ctl("show", "routes").stdout
    it.ctl("release", "mx:x.test")
    it.empty()


def test_remove(waiting):
    it, r, ids = waiting
    it.ctl("remove", ids[0] + ":0")
    assert [q["recipient"] for q in it.queue() if q["id"] == ids[0] and
            q["state"] == "waiting"] == ["b@y.test"]
    it.ctl("remove", "--from", "a@c.test")
    assert {q["id"] for q in it.queue()} == {ids[1]}
    it.stop()
    it.start()  # nothing comes back
    assert {q["id"] for q in it.queue()} == {ids[1]}
    it.ctl("remove", "all")
    it.empty()
    base.wait_until(lambda: not it.spool_files(), "the files go too")


def test_nothing_matches(waiting):
    it, r, ids = waiting
    for args in (["remove", "0" * 13], ["flush", "@nowhere.test"]):
        out = it.ctl(*args, check=False)
        assert out.returncode not in (0, 75) and out.stderr
    assert it.ctl("remove", check=False).returncode == 64
    assert it.ctl("frobnicate", check=False).returncode == 64


def in_flight(lab, stage_):
    """A message that hangs in the middle of its attempt."""
    r = lab.receiver(**{stage_: SILENT})
    it = lab.postern(conf(lab.dns(), r.port, retry="1s*100"))
    ident = it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: any(l.upper().startswith("RCPT")
                                for l in r.lines), "in flight")
    return it, r, ident


@pytest.mark.parametrize("verb", ["hold", "remove"])
def test_in_flight(lab, verb):
    """Honoured, and said so."""
    it, r, ident = in_flight(lab, "rcpt")
    out = it.ctl(verb, ident, "--json").json
    assert out["in_flight"] == 1, out
    text = it.ctl(verb, ident, check=False).stdout
    assert "in flight" in text or verb == "remove"
    r.table["rcpt"] = "250 ok"
    r.stop()  # the attempt fails
    if verb == "remove":
        it.empty()
    else:
        base.wait_until(lambda: it.queue()[0]["attempts"] == 1, "a result")
        assert it.queue()[0]["state"] == "held"
        time.sleep(2)
        assert it.queue()[0]["attempts"] == 1


def test_in_flight_delivered(lab):
    """Removed too late: it was delivered, and nothing is left."""
    gate = threading.Event()

    def dot(session):
        gate.wait(20)
        return "250 2.0.0 ok"
    r = lab.receiver(dot=dot)
    it = lab.postern(conf(lab.dns(), r.port))
    ident = it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: "DATA" in r.lines, "in flight")
    assert it.ctl("remove", ident, "--json").json["in_flight"] == 1
    gate.set()
    r.wait(1)
    it.empty()


def test_pause_resume(lab):
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    it.ctl("pause")
    it.send("a@c.test", "b@x.test")
    time.sleep(1)
    assert not r.sessions and len(it.queue()) == 1
    it.stop()
    it.start()  # survives a restart
    time.sleep(1)
    assert not r.sessions
    assert "paused" in it.ctl("show", "status").stdout.lower()
    it.ctl("resume")
    r.wait(1)
    it.empty()


def test_rebuild(waiting):
    it, r, ids = waiting
    before = [(q["id"], q["n"], q["recipient"], q["state"])
              for q in it.queue()]
    it.ctl("hold", ids[2])
    it.ctl("rebuild")
    after = base.wait_until(lambda: (lambda rows: rows if len(rows) == 4
                                     else None)(it.queue()), "all are back")
    assert [(q["id"], q["n"], q["recipient"]) for q in after] == \
        [b[:3] for b in before]
    assert [q["state"] for q in after if q["id"] == ids[2]] == ["held"]
    r.table["rcpt"] = "250 ok"
    it.ctl("flush", "all")
    base.wait_until(lambda: len(it.queue()) == 1, "all but the held one")


def test_without_daemon(waiting):
    """Listings work for root; the rest says so and exits 75."""
    it, r, ids = waiting
    it.stop()
    assert [q["id"] for q in it.queue()] == [ids[0]] * 2 + ids[1:]
    assert "hello" in it.ctl("show", "message", ids[0]).stdout
    for args in (["flush", "all"], ["hold", ids[0]], ["remove", "all"],
                 ["pause"], ["resume"], ["stop"], ["requeue", "all"],
                 ["release", "all"]):
        out = it.ctl(*args, check=False)
        assert out.returncode == 75, (args, out)
        assert "not running" in out.stderr
    out = it.ctl("rebuild", check=False)
    assert out.returncode in (0, 75)
    it.start()
    assert len(it.queue()) == 4


def test_stop(lab):
    it = lab.postern(conf(lab.dns(), 1))
    it.ctl("stop")
    base.wait_until(lambda: not it.child.running(), "it stops", 45)
    assert it.child.proc.returncode == 0
    it.healthy()
    it.child.stop()
    it.child = None


def test_others_may_not(waiting):
    """An ordinary user gets no listing and no verb."""
    it, r, ids = waiting
    for args in (["show", "queue"], ["remove", "all"], ["stop"]):
        out = base.run(["setpriv", "--reuid=nobody", "--regid=nogroup",
                        "--clear-groups", "--", str(copy(it)), "-R", it.root,
                        *args])
        assert out.returncode not in (0, 75), (args, out)
    assert len(it.queue()) == 4


def copy(it):
    """smtpctl where nobody can reach it."""
    import shutil
    there = it.dir / "smtpctl"
    shutil.copy(it.build / "smtpctl", there)
    there.chmod(0o755)
    return there


def test_long_listing(lab):
    """A long queue: the first line comes at once, and readers are no lock."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port,
                          lines=["smtp limit max-mails 999999"]))
    it.ctl("pause")
    rcpts = [f"r{n}@x.test" for n in range(1000)]
    for _ in range(20):
        it.send("a@c.test", rcpts)
    argv = [str(it.build / "smtpctl"), "-R", str(it.root), "show", "queue"]
    begin = time.monotonic()
    slow = subprocess.Popen(argv, stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL)
    try:
        first = slow.stdout.readline() + slow.stdout.readline()
        assert time.monotonic() - begin < 10
        assert b"r0@x.test" in first
        # Nobody reads on, and everything else works.
        it.send("a@c.test", "b@x.test")
        it.ctl("remove", "--from", "nobody@c.test", check=False)
        assert slow.stdout.read().count(b"\n") >= 19999
    finally:
        slow.kill()
        slow.wait()
        slow.stdout.close()
    assert len(it.ctl("show", "queue", "--json").stdout.splitlines()) == 20001
    closed = subprocess.run(argv + ["--json"], stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, timeout=30)
    assert closed.returncode == 0
