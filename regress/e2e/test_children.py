"""A recipient that stands for several becomes a message of its own: made once,
whatever is lost; its senders are told as if there were no such thing.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
import signal
import time

import pytest

from lib import base
from lib.instance import conf
from test_dsn import parts
from test_replay import LARGE, MESSAGE, number_of, records, text_id

NAMES = {"x.test": ["MX 10 mx.x.test."], "y.test": ["MX 10 mx.x.test."],
         "mx.x.test": ["A 127.0.0.1"], "c.test": ["A 127.0.0.3"]}
STEP = 1 << 16  # common/id.h


def stage(lab, aliases, lines=(), home=None, retry="1s*1000", table=None,
          **kw):
    """x.test and y.test behave as told; c.test is where senders are."""
    r = lab.receiver(**kw)
    box = lab.receiver(address="127.0.0.3", **(home or {}))
    path = lab.path("aliases")
    path.write_text(aliases)
    it = lab.postern(conf(lab.dns(NAMES), retry=retry, lines=[
        "hostname mx.test", f'table aliases "file:{path}"', *lines], rules=[
        'action "local" expand-only alias <aliases>',
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "out" relay port {r.port}',
        'match from any for local action "local"',
        'match from any for domain "c.test" action "home"',
        'match from any for any action "out"']))
    return it, r, box


def expanded(it, n=0):
    """(parent, number, child, how many) of each line in the log, when there
    are n."""
    line = r"queue: (\w{13}) expanded n=(\d+) child=(\w{13}) rcpts=(\d+)"
    if n:
        it.logged(line, n)
    return [(p, int(n), c, int(k)) for p, n, c, k in
            re.findall(line, it.log())]


def waiting(it, n):
    """Until n recipients wait that were tried."""
    base.wait_until(lambda: [bool(q["attempts"]) for q in it.queue()] ==
                    n * [True], f"{n} were tried")


def envelope(it, ident):
    shown = it.ctl("show", "envelope", "--json", ident).json
    return shown[0] if isinstance(shown, list) else shown


def everybody(r):
    return sorted(a for m in list(r.messages) for a in m.rcpts)


def test_child(lab):
    """What is where while it goes on: states, head, id, log, smtpctl."""
    it, r, box = stage(lab, "team: a@x.test, b@x.test, later@x.test\n",
                       retry="1h", rcpt={"later@x.test": "450 4.2.1 later",
                                         "wait@y.test": "450 4.2.1 later"})
    body = base.WHOLE.decode() + "Subject: to all\r\n\r\n" + \
        "line\r\n" * 200
    sent = it.send("s@c.test", ["team@mx.test", "wait@y.test", "b@y.test"],
                   body)
    r.wait(2)
    (parent, n, child, k), = base.wait_until(lambda: expanded(it), "a child")
    assert (parent, n, k) == (sent, 0, 3)
    assert number_of(child) == number_of(sent) + 2 * STEP
    waiting(it, 2)
    rows = {(i, q["n"]): q for i in (sent, child)
            for q in envelope(it, i)["recipients"]}
    assert rows[sent, 0]["state"] == "expanded"
    assert child in rows[sent, 0]["last"]["text"]
    assert rows[sent, 1]["state"] == "waiting"
    assert [rows[child, i]["recipient"] for i in range(3)] == \
        ["a@x.test", "b@x.test", "later@x.test"]
    assert [rows[child, i]["state"] for i in range(3)] == \
        ["delivered", "delivered", "waiting"]
    shown = envelope(it, child)
    assert shown["sender"] == "s@c.test"
    assert shown["arrived"] == envelope(it, sent)["arrived"]
    assert shown["of"] == {"id": sent, "n": 0, "recipient": "team@mx.test"}
    assert f"of: {sent} recipient 0 <team@mx.test>" in \
        it.ctl("show", "envelope", child).stdout
    row = it.ctl("show", "queue", "--state", "expanded", "--json").json
    assert (row["id"], row["n"], row["recipient"]) == (sent, 0, "team@mx.test")
    files = {f.name: f.read_bytes() for f in it.spool_files()}
    heads = {k: v[:v.index(b"\n\n") + 2] for k, v in files.items()}
    assert b"\nrcpt: x <team@mx.test>\n" in heads[sent]
    assert f"\nof: {sent} 0 <team@mx.test>\n".encode() in heads[child]
    # Content, trace fields, trailer.
    assert files[sent][len(heads[sent]):] == files[child][len(heads[child]):]
    # The same bytes to those of the parent and those of the child.
    one, two = r.messages[0].content, r.messages[1].content
    assert one == two and one.endswith(body.encode())
    it.ctl("remove", "all")
    it.empty()


def test_large_and_many(lab):
    """A large one is copied from file to file; ten thousand addresses."""
    many = ",".join(f"r{n}@x.test" for n in range(10000))
    it, r, box = stage(lab, f"many: {many}\nteam: a@x.test, b@x.test\n",
                       lines=["smtp max-message-size 64M"])
    queue, = it.pids("queue")
    before = base.rss_kib(queue)
    body = base.WHOLE.decode() + "Subject: big\r\n\r\n" + \
        ("0123456789abcdef" * 60 + "\r\n") * 6000
    it.send("s@c.test", "team@mx.test", body)
    got, = r.wait(1, timeout=30)
    assert got.rcpts == ["a@x.test", "b@x.test"]
    assert got.content.endswith(body.encode())
    assert base.rss_kib(queue) - before < 20000, "it was held in memory"
    r.messages.clear()
    it.send("s@c.test", "many@mx.test")
    base.wait_until(lambda: len(everybody(r)) == 10000, "ten thousand", 60)
    it.empty(60)
    assert len(set(everybody(r))) == 10000
    (_, _, _, a), (_, _, _, b) = expanded(it, 2)
    assert (a, b) == (2, 10000)


def test_sender_is_told(lab):
    """RFC 3464: who failed, and whom the sender had named."""
    it, r, box = stage(
        lab, "team: a@x.test, bad@x.test, worse@x.test\none: bad@x.test\n",
        rcpt={"bad@x.test": "550 5.1.1 no bad here",
              "worse@x.test": "553 5.1.3 what a name"})
    it.send("s@c.test", "team@mx.test", "Subject: the first\r\n\r\nx\r\n")
    dsn, = box.wait(1)
    assert dsn.rcpts == ["s@c.test"]
    text, about, rcpts, original = parts(dsn)
    assert "bad@x.test" in text and "you wrote to team@mx.test" in text
    assert {(p["Original-Recipient"], p["Final-Recipient"]) for p in rcpts} \
        == {("rfc822; team@mx.test", "rfc822; bad@x.test"),
            ("rfc822; team@mx.test", "rfc822; worse@x.test")}
    assert {p["Action"] for p in rcpts} == {"failed"}
    assert "Subject: the first" in original.get_payload()
    # One target: no child, the same words.
    sent = it.send("s@c.test", "one@mx.test")
    dsn = box.wait(2)[1]
    text, about, rcpts, original = parts(dsn)
    assert rcpts[0]["Original-Recipient"] == "rfc822; one@mx.test"
    assert rcpts[0]["Final-Recipient"] == "rfc822; bad@x.test"
    line, = it.logged(rf"{sent} delivery .*")
    assert 'to="bad@x.test" orig_to="one@mx.test"' in line
    # No alias: nothing is said of another recipient.
    it.send("s@c.test", "worse@x.test")
    rcpt, = parts(box.wait(3)[2])[2]
    assert rcpt["Original-Recipient"] is None
    it.empty()
    assert len(box.messages) == 3


def test_sender_is_an_alias(lab):
    """A notification whose recipient stands for several, and what fails of
    that goes to postmaster, who does too; and there it ends."""
    it, r, box = stage(
        lab, "boss: b1@x.test, b2@x.test, bad@x.test\n"
             "postmaster: p1@x.test, p2@x.test, worse@x.test\n",
        rcpt={"bad@x.test": "550 5.1.1 no bad here",
              "worse@x.test": "553 5.1.3 what a name"})
    sent = it.send("boss@mx.test", "bad@x.test")
    base.wait_until(lambda: len(everybody(r)) >= 4, "four are told")
    it.empty()
    assert everybody(r) == ["b1@x.test", "b2@x.test", "p1@x.test",
                            "p2@x.test"]
    assert {m.sender for m in r.messages} == {""}
    first, second = expanded(it, 2)
    unit = number_of(sent) // STEP
    assert number_of(first[0]) // STEP == unit
    assert number_of(first[2]) == number_of(first[0]) + STEP
    assert number_of(second[0]) // STEP == unit, "beside the first"
    assert number_of(second[2]) == number_of(second[0]) + STEP
    assert len(it.logged(" dropped ")) == 1


def test_lookup_dies(lab):
    """Whoever cannot be asked is asked again; nobody is lost, none twice."""
    many = ",".join(f"r{n}@x.test" for n in range(3000))
    it, r, box = stage(lab, f"many: {many}\nteam: a@x.test, b@x.test\n")
    stop = time.monotonic() + 4
    n = 0
    while time.monotonic() < stop:
        with it.smtp() as s:
            s.ehlo()
            s.mail("s@c.test")
            ok = s.rcpt("team@mx.test")[0] == 250 and \
                s.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250
            n += ok
        if n == 3:
            it.send("s@c.test", "many@mx.test")
        for pid in it.pids("lookup"):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
    base.wait_until(lambda: len(everybody(r)) >= 2 * n + 3000, "all", 60)
    it.empty(60)
    assert len(everybody(r)) == 2 * n + 3000 and n >= 4


def test_table_is_away(lab):
    """LATER is tried by the recipient's steps."""
    it, r, box = stage(lab, "team: a@x.test, b@x.test\n",
                       lines=['retry domain "mx.test" 1s, 2s up to 3s'])
    it.ctl("pause")
    it.send("s@c.test", "team@mx.test")
    path = it.dir.parent / "aliases"
    # Nothing is left of the alias, and then it comes back.
    table = next(p for p in it.dir.parent.glob("aliases*"))
    table.write_text("team: /not/in/this/version\n")
    it.ctl("update", "table", "aliases", check=False)
    it.ctl("resume")
    it.ctl("flush", "all")
    del path
    if not expanded(it):
        base.wait_until(lambda: (it.queue() or [{"attempts": 9}])[0]
                        ["attempts"] >= 2, "two attempts", 30)
    table.write_text("team: a@x.test, b@x.test\n")
    it.ctl("update", "table", "aliases", check=False)
    base.wait_until(lambda: everybody(r) == ["a@x.test", "b@x.test"],
                    "it goes out", 30)
    it.empty()


def test_flushes(lab):
    """A child rides a flush as any message does: its record marks the parent's
    recipient too."""
    it, r, box = stage(lab, "team: a@x.test, b@x.test, c@x.test\n")
    for n in range(5):
        it.send("s@c.test", "team@mx.test")
        r.wait(n + 1)
        it.empty()
    it.stop()
    said, = re.findall(r"spool messages=(\d+) large=(\d+) flushes=(\d+)",
                       it.log())
    messages, large, flushes = map(int, said)
    assert (messages, large) == (10, 0)
    # Parent, child, and the marks a second later: each at most one.
    assert flushes <= 16, said


def kill_all(it):
    for pid in [it.pid] + it.pids():
        os.kill(pid, signal.SIGKILL)
    it.child.stop()
    it.child = None


def owned_copy(source, target, like):
    shutil.copytree(source, target, symlinks=True)
    for path in (target, *target.rglob("*")):
        st = os.lstat(like / path.relative_to(target))
        os.chown(path, st.st_uid, st.st_gid)


@pytest.mark.parametrize("size", [300, 200000])
def test_cut(lab, size):
    """The journal cut at each record: after a start the parent's recipient is
    expanded if and only if the child is there, and each target gets it once;
    also when the mark was in the journal alone, or the child's file is gone,
    or torn."""
    sorting = {f"{n}@x.test": "450 4.2.1 later" for n in "abc"}
    sorting["wait@y.test"] = "450 4.2.1 later"
    it, r, box = stage(lab, "team: a@x.test, b@x.test, c@x.test\n",
                       retry="1h", rcpt=sorting)
    sent = it.send("s@c.test", ["team@mx.test", "wait@y.test"],
                   "X-Mark: m\r\n\r\n" + "0123456789\r\n" * (size // 12))
    waiting(it, 4)
    (_, _, child, _), = expanded(it, 1)
    time.sleep(1.5)
    kill_all(it)
    spool, saved = it.root / "spool", it.dir / "saved"
    owned_copy(spool, saved, spool)
    journal, = [p for p in sorted((saved / "journal").iterdir())
                if records(p.read_bytes())]
    data = journal.read_bytes()
    rows = records(data)
    kind = MESSAGE if size < 65536 else LARGE
    assert [(k, text_id(i)) for _, k, i, _, _ in rows][:2] == \
        [(kind, sent), (kind, child)]
    (about, _, number, state), = rows[1][3]
    assert (text_id(about), number, chr(state)) == (sent, 0, "x")
    sorting.clear()
    want = ["a@x.test", "b@x.test", "c@x.test", "wait@y.test"]
    marks = (b"x", b"q")
    for keep in (rows[0][0], (rows[0][0] + rows[1][0]) // 2, rows[1][0],
                 len(data)):
        whole = sum(row[0] <= keep for row in rows)
        for mark in marks:
            for harm in ("none", "gone", "torn"):
                # Large files are flushed before their record, and a mark is
                # written behind it.
                if harm != "none" and kind == LARGE and whole >= 2:
                    continue
                if mark == b"x" and whole < 2:
                    continue
                start_cut(it, saved, journal.name, data, keep, sent, child,
                          mark, harm, whole)
                r.messages.clear()
                it.start()
                it.ctl("flush", "all", check=False)
                what = f"cut at {keep}, mark {mark}, child {harm}"
                base.wait_until(lambda: len(everybody(r)) >= 4, what, 45)
                it.empty()
                assert everybody(r) == want, what
                assert all("X-Mark: m\r\n" in m.content.decode()
                           for m in r.messages), what
                it.stop()


def start_cut(it, saved, name, data, keep, sent, child, mark, harm, whole):
    """The spool as a power cut could have left it."""
    spool = it.root / "spool"
    shutil.rmtree(spool)
    owned_copy(saved, spool, saved)
    with open(spool / "journal" / name, "r+b") as f:
        f.seek(keep)
        f.write(bytes(len(data) - keep))
    shutil.rmtree(spool / "index")
    files = {f.name: f for f in it.spool_files()}
    body = bytearray(files[sent].read_bytes())
    at = body.index(b" <team@mx.test>\nrcpt:") - 1
    assert body[at:at + 1] == b"x"
    with open(files[sent], "r+b") as f:
        f.seek(at)
        f.write(mark)
    if whole < 2:
        # It is moved to new/ behind the flush: here it is still in tmp/, or
        # not on disk at all.
        if harm == "none":
            os.rename(files[child], spool / "tmp" / child)
        else:
            files[child].unlink()
    elif harm == "gone":
        files[child].unlink()
    elif harm == "torn":
        os.truncate(files[child], files[child].stat().st_size // 2)


def test_mark_lost(lab):
    """Mark and journal are lost, the child is there: it is not made again.
    Nor is one that was delivered meanwhile, as long as the journal knows."""
    sorting = {f"{n}@x.test": "450 4.2.1 later" for n in "ab"}
    sorting["wait@y.test"] = "450 4.2.1 later"
    it, r, box = stage(lab, "team: a@x.test, b@x.test\n", retry="1h",
                       rcpt=sorting)
    sent = it.send("s@c.test", ["team@mx.test", "wait@y.test"],
                   "X-Mark: m\r\n\r\nx\r\n")
    waiting(it, 3)
    (_, _, child, _), = expanded(it, 1)

    def lose():
        files = {f.name: f for f in it.spool_files()}
        body = files[sent].read_bytes()
        with open(files[sent], "r+b") as f:
            f.seek(body.index(b" <team@mx.test>") - 1)
            f.write(b"q")
        shutil.rmtree(it.root / "spool/index")
    it.stop()  # a checkpoint: nothing of it is in the journal any more
    lose()
    it.start()
    base.wait_until(lambda: len(expanded(it)) == 2, "it is marked again")
    assert expanded(it)[1][:3] == (sent, 0, child)
    for n in "ab":
        del sorting[f"{n}@x.test"]
    # The rebuild's own try may have come first: then nothing matches.
    it.ctl("flush", child, check=False)
    base.wait_until(lambda: child not in
                    {f.name for f in it.spool_files()}, "it is delivered")
    time.sleep(1.5)
    it.stop()
    lose()
    it.start()
    base.wait_until(lambda: len(expanded(it)) == 3, "it is marked once more")
    time.sleep(1)
    assert everybody(r) == ["a@x.test", "b@x.test"]
    sorting.clear()
    it.ctl("flush", "all", check=False)
    it.empty()
    assert everybody(r) == ["a@x.test", "b@x.test", "wait@y.test"]


def test_operator(lab):
    """What the operator does to a parent's recipient, and to a child's."""
    it, r, box = stage(lab, "team: a@x.test, b@x.test\n")
    it.ctl("pause")
    sent = it.send("s@c.test", "team@mx.test")
    # Pause keeps deliveries, not expansion: that sends nothing.
    (_, _, child, _), = base.wait_until(lambda: expanded(it), "a child")
    base.wait_until(lambda: {q["id"] for q in it.queue()} == {child},
                    "the parent is gone")
    it.ctl("remove", f"{child}:0")
    it.ctl("hold", f"{child}:1")
    it.ctl("resume")
    time.sleep(0.5)
    assert not r.messages
    it.ctl("release", child)
    got, = r.wait(1)
    assert got.rcpts == ["b@x.test"]
    it.empty()
    assert sent not in {f.name for f in it.spool_files()}
