"""The spool: full, damaged, lost in part, and what a start makes of it.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
import signal
import smtplib
import subprocess
import time

import pytest

from lib import base
from lib.instance import QUEUED, conf

COVERS = ["NO_SPACE", "LOST_QUEUE"]


@pytest.fixture
def small(lab):
    """A root directory whose spool is a tmpfs of 8 MB."""
    made = []

    def make(**kw):
        r = lab.receiver(**kw)
        it = lab.postern(conf(lab.dns(), r.port), start=False)
        spool = it.root / "spool"
        spool.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700",
                        "postern-test", str(spool)], check=True)
        made.append(spool)
        it.start()
        return it, r
    yield make
    try:  # the instance has to let go of it first
        lab.close()
    finally:
        lab.things.clear()
        for spool in made:
            subprocess.run(["umount", str(spool)], check=True)


def try_send(it, content, rcpt="b@x.test"):
    """(code, text, id or None) of one message's last reply."""
    with smtplib.SMTP(it.address, it.port, local_hostname="c.test",
                      timeout=60) as s:
        s.ehlo()
        for step in (lambda: s.mail("a@c.test"), lambda: s.rcpt(rcpt)):
            code, said = step()
            if code != 250:
                return code, said.decode(), None
        try:
            code, said = s.data(content)
        except smtplib.SMTPDataError as e:
            code, said = e.smtp_code, e.smtp_error
        found = QUEUED.search(f"{code} {said.decode()}")
        return code, said.decode(), found and found[1]


def test_full(lab, small):
    """452 when there is no room; deliveries go on and make room; nothing
    that was acknowledged is lost."""
    it, r = small()
    it.ctl("pause")
    taken, refused = [], []
    for n in range(60):
        body = (f"Subject: n{n}\r\n\r\n".encode() +
                b"0123456789012345678901234567890123456789\r\n" * 8000)
        code, said, ident = try_send(it, body)
        if code == 250:
            taken.append((n, ident))
        else:
            refused.append((code, said))
            if len(refused) >= 5:
                break
    assert taken and refused, (len(taken), refused)
    for code, said in refused:
        assert code == 452 and said.startswith("4.3.1"), (code, said)
    # Small mail, too, in the end.
    for _ in range(3000):
        code, said, ident = try_send(it, b"Subject: s\r\n\r\n" + b"x" * 900 +
                                     b"\r\n")
        if code != 250:
            assert code == 452, (code, said)
            break
        taken.append((None, ident))
    else:
        raise AssertionError("8 MB that are never full")
    pids = it.pids()
    it.ctl("resume")
    base.wait_until(lambda: len(r.messages) >= len(taken), "all of it out",
                    60)
    got = {re.search(rb"\bid ([0-9A-Z]{13})\b", m.content)[1].decode()
           for m in r.messages}
    assert {i for _, i in taken} <= got
    # An index that had no room for a result is made anew after 30 s.
    it.empty(60)
    assert it.pids() == pids, "a process died of it"

    def works():
        return try_send(it, b"Subject: again\r\n\r\n\r\n")[0] == 250
    base.wait_until(works, "mail is taken again", 30, 0.3)


def test_full_by_others(lab, small):
    """Somebody else fills the disk: results are still recorded, held mail
    stays, a restart in that state works."""
    it, r = small(rcpt={"no@x.test": "450 4.2.1 later"})
    it.ctl("pause")
    ids = [try_send(it, b"Subject: x\r\n\r\n\r\n",
                    rcpt)[2] for rcpt in ("yes@x.test", "no@x.test")]
    filler = it.root / "spool" / "filler"
    with open(filler, "wb", 0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    assert try_send(it, b"Subject: x\r\n\r\n\r\n")[0] in (452, 451)
    it.ctl("resume", check=False)
    filler.unlink()
    it.ctl("resume")
    base.wait_until(lambda: [m.rcpts for m in r.messages] == [["yes@x.test"]],
                    "the one that can be delivered")
    base.wait_until(lambda: [q["id"] for q in it.queue()] == [ids[1]],
                    "and it is recorded")


def test_restart_full(lab, small):
    """A start with no room left: what is there is delivered."""
    it, r = small()
    it.ctl("pause")
    ident = try_send(it, b"Subject: x\r\n\r\n\r\n")[2]
    it.stop()
    filler = it.root / "spool" / "filler"
    with open(filler, "wb", 0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    it.start(wait=False)
    time.sleep(3)
    filler.unlink()
    base.wait_until(it.ready, "it runs once there is room", 30)
    it.ctl("resume")
    m, = r.wait(1)
    assert ident.encode() in m.content


def waiting(lab, n=5):
    """An instance, stopped, with n messages in it."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    it.ctl("pause")
    ids = [it.send("a@c.test", "b@x.test",
                   f"Subject: n{k}\r\n\r\nbody {k}\r\n") for k in range(n)]
    it.stop()
    return it, r, ids


def file_of(it, ident):
    found = [f for f in it.spool_files() if f.name == ident]
    assert len(found) == 1, (ident, it.spool_files())
    return found[0]


def damage_middle(path):
    with open(path, "r+b") as f:
        f.seek(path.stat().st_size // 2)
        f.write(b"\0\xff\0\xff")


def damage_head(path):
    with open(path, "r+b") as f:
        f.write(b"\0\0\0\0\0\0\0\0")


def damage_sender(path):
    data = path.read_bytes()
    path.write_bytes(data.replace(b"from: <a@c.test>", b"from: <z@c.test>"))


def damage_short(path):
    os.truncate(path, path.stat().st_size // 2)


def damage_empty(path):
    os.truncate(path, 0)


def damage_trailer(path):
    data = path.read_bytes()
    path.write_bytes(data[:-40] + b"?" * 20 + data[-20:])


def damage_state(path):
    data = path.read_bytes()
    path.write_bytes(data.replace(b"rcpt: q <", b"rcpt: ! <"))


DAMAGE = [damage_middle, damage_head, damage_sender, damage_short,
          damage_empty, damage_trailer, damage_state]


# With a good index these need not be noticed: the envelope is known from it,
# and the content sums up.
UNSEEN = (damage_head, damage_sender, damage_trailer)


@pytest.mark.parametrize("rebuilt", [False, True], ids=["index", "rebuilt"])
@pytest.mark.parametrize("how", DAMAGE, ids=lambda f: f.__name__[7:])
def test_damaged_file(lab, how, rebuilt):
    """Set aside, logged, shown; the others are delivered."""
    it, r, ids = waiting(lab)
    how(file_of(it, ids[2]))
    if rebuilt:
        shutil.rmtree(it.root / "spool/index")
    it.start()
    it.ctl("resume")
    r.wait(4)
    aside = it.root / "spool/corrupt" / ids[2]
    whole = ["n0", "n1", "n2", "n3", "n4"]

    def subjects():
        return sorted(m.parsed()["Subject"] for m in r.messages)
    base.wait_until(
        lambda: aside.exists() or how in UNSEEN and not rebuilt and
        subjects() == whole, "it is set aside")
    base.wait_until(lambda: not [q for q in it.queue() if q["id"] != ids[2]],
                    "the others are done")
    time.sleep(0.5)
    if aside.exists():
        it.logged(rf"{ids[2]}.*(corrupt|damaged|set-aside)")
        assert subjects() == ["n0", "n1", "n3", "n4"]
        assert not [q for q in it.queue() if q["id"] == ids[2]]
    assert {m.sender for m in r.messages} == {"a@c.test"}
    n = len(r.messages)
    it.send("a@c.test", "b@x.test")
    r.wait(n + 1)


def test_missing_file(lab):
    """Somebody removed a file: said, and everything else goes on."""
    it, r, ids = waiting(lab)
    file_of(it, ids[2]).unlink()
    it.start()
    it.ctl("resume")
    r.wait(4)
    base.wait_until(lambda: not it.queue(), "nothing is waited for")
    it.logged(rf'{ids[2]} corrupt why="its file is gone"')


def test_foreign_files(lab):
    """What is not ours in the spool is left alone and kills nobody."""
    it, r, ids = waiting(lab)
    spool = it.root / "spool"
    place = file_of(it, ids[0]).parent
    (place / "README").write_text("hello")
    (place / "0000000000000").mkdir()
    (spool / "new" / "zz").mkdir(exist_ok=True)
    (spool / "new" / "zz" / "link").symlink_to("/etc/passwd")
    (spool / "cur" / "not-a-folder").write_text("")
    (spool / "tmp" / "junk").write_text("x")
    (spool / "journal" / "junk").write_text("x")
    shutil.rmtree(spool / "index")
    it.start()
    it.ctl("resume")
    r.wait(5)
    it.empty()


def scribble(path):
    with open(path, "r+b") as f:
        size = path.stat().st_size
        for at in range(0, size, 512):
            f.seek(at)
            f.write(os.urandom(64))


INDEX = {
    "gone": lambda d: shutil.rmtree(d),
    "random": lambda d: [scribble(f) for f in d.rglob("*.mdb")],
    "empty": lambda d: [os.truncate(f, 0) for f in d.rglob("data.mdb")],
    "short": lambda d: [os.truncate(f, 5000) for f in d.rglob("data.mdb")],
    "text": lambda d: [f.write_text("no database\n" * 1000)
                       for f in d.rglob("data.mdb")],
    "one-page": lambda d: [damage_page(f) for f in d.rglob("data.mdb")],
}


def damage_page(path):
    """A page in the middle, where the meta pages do not tell."""
    with open(path, "r+b") as f:
        pages = path.stat().st_size // 4096
        for n in range(2, pages):
            f.seek(4096 * n + 16)
            f.write(b"\xff" * 64)


@pytest.mark.parametrize("how", INDEX)
def test_damaged_index(lab, how):
    """Losing the index loses no mail: it is made again while mail comes in."""
    it, r, ids = waiting(lab)
    where = it.root / "spool/index"
    assert where.is_dir()
    INDEX[how](where)
    it.start()
    ids.append(it.send("a@c.test", "b@x.test"))
    it.ctl("resume")
    r.wait(6, 30)
    it.empty()
    assert len(r.messages) == 6


@pytest.mark.parametrize("how", ["gone", "random", "text"])
def test_damaged_facts(lab, how):
    """Facts lost: nothing but the operator's holds on routes goes."""
    it, r, ids = waiting(lab)
    INDEX[how](it.root / "spool/facts")
    it.start()
    it.ctl("resume")
    r.wait(5)
    it.empty()


def test_killed_index(lab):
    """All killed at once: the index is not believed, nothing is lost."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    it.ctl("pause")
    ids = [it.send("a@c.test", "b@x.test") for _ in range(30)]
    for pid in [it.pid] + it.pids():
        os.kill(pid, signal.SIGKILL)
    it.child.stop()
    it.child = None
    it.start()
    assert sorted(q["id"] for q in it.queue()) == sorted(ids)
    it.ctl("resume")
    r.wait(30)
    it.empty()
    assert len(r.messages) == 30


def test_states_survive_rebuild(lab):
    """Done, held and warned are in the files: a rebuild repeats nothing."""
    r = lab.receiver(rcpt={"later@x.test": "450 4.2.1 later"})
    it = lab.postern(conf(lab.dns(), r.port, retry="1h"))
    ident = it.send("a@c.test", ["done@x.test", "later@x.test"])
    r.wait(1)
    base.wait_until(lambda: [q["attempts"] for q in it.queue()
                             if q["state"] == "waiting"] == [1], "recorded")
    it.stop()
    shutil.rmtree(it.root / "spool/index")
    it.start()
    r.table["rcpt"] = "250 ok"
    it.ctl("flush", "all")
    base.wait_until(lambda: len(r.messages) == 2, "the rest")
    it.empty()
    assert [m.rcpts for m in r.messages] == [["done@x.test"],
                                             ["later@x.test"]]


def test_text_head(lab):
    """A spool file explains itself in a pager."""
    it, r, ids = waiting(lab, 1)
    head = file_of(it, ids[0]).read_bytes().partition(b"\n\n")[0].decode()
    lines = head.splitlines()
    assert lines[0] == "postern 1"
    assert f"id: {ids[0]}" in lines
    assert "from: <a@c.test>" in lines
    assert "rcpt: q <b@x.test>" in lines
    assert "helo: c.test" in lines


def test_no_250_before_flush(lab):
    """Every 250 comes after the flush of what it promises: seen by strace."""
    r = lab.receiver()
    trace = lab.path("trace")
    it = lab.postern(conf(lab.dns(), r.port), wrap=[
        "strace", "-D", "-f", "-ttt", "-y", "-s", "64", "-o", str(trace),
        "-e", "trace=fsync,fdatasync,syncfs,pwrite64,pwritev,write,writev,"
        "sendto,sendmsg"])
    it.ctl("pause")
    for n in range(5):
        it.send("a@c.test", "b@x.test", f"Subject: mark{n}\r\n\r\nx\r\n")
        time.sleep(0.1)
    it.stop()
    flushes, acks = [], []
    for line in trace.read_text(errors="replace").splitlines():
        fields = line.split(None, 2)
        if len(fields) < 3:
            continue
        when = float(fields[1])
        if re.search(r"(fsync|fdatasync|syncfs).*(\) += 0|resumed.*= 0)",
                     fields[2]):
            flushes.append(when)
        if "250 2.0.0 " in fields[2] and " queued" in fields[2]:
            acks.append(when)
    assert len(acks) == 5
    before = 0.0
    for ack in acks:
        assert any(before < f < ack for f in flushes), \
            f"no flush before the 250 at {ack}"
        before = ack


def test_queue_lost_in_transaction(lab):
    """The queue dies between DATA and the dot: 250 or 4xx, never silence, and
    a 250 holds."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    codes = []
    for n in range(8):
        s = it.smtp()
        s.ehlo()
        s.mail("a@c.test")
        s.rcpt(f"r{n}@x.test")
        if n % 2:
            s.putcmd("data")
            assert s.getreply()[0] == 354
            s.send(b"Subject: x\r\n\r\n")
        for pid in it.pids("queue"):
            os.kill(pid, signal.SIGKILL)
        if not n % 2:
            s.putcmd("data")
            if s.getreply()[0] != 354:
                codes.append((n, 451))
                s.close()
                continue
        s.send(b"body\r\n.\r\n")
        code = s.getreply()[0]
        codes.append((n, code))
        assert code in (250, 421, 451), code
        s.close()
    good = [n for n, c in codes if c == 250]
    assert good
    base.wait_until(lambda: {f"r{n}@x.test" for n in good} <=
                    {m.rcpts[0] for m in r.messages}, "each 250 arrives", 30)
