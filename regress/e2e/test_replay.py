"""The journal cut at every record boundary and in the middle of each record,
files missing or torn, the index deleted: after a start every committed message
is whole and goes out, and nothing that was done is done again.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
import signal
import struct
import time

from lib import base
from lib.instance import conf

PAGE = 4096
MESSAGE, LARGE, STATE, GONE = 1, 2, 3, 4  # queue/journal.h


def records(data):
    """(end, type, id, settles, file's bytes) of a fresh journal."""
    magic, generation, _, _, _, _, retired = struct.unpack_from(
        "<8s6Q", data)
    if magic != b"POSTJRN1" or not generation or retired:
        return []
    found, at, batch = [], PAGE, 0
    while at + 40 <= len(data):
        _, kind, first, number, n, zero, ident, size = struct.unpack_from(
            "<QHHIIIQQ", data, at)
        good = MESSAGE <= kind <= GONE and zero == 0 and (
            number == batch + 1 if first else number == batch)
        if not good:
            page = (at + PAGE - 1) // PAGE * PAGE
            if page == at:
                break
            at = page
            continue
        batch = number
        settles = [struct.unpack_from("<QQII", data, at + 40 + 24 * k)
                   for k in range(n)]
        begin = at + 40 + 24 * n
        body = data[begin:begin + size] if kind == MESSAGE else b""
        at = (begin + len(body) + 7) // 8 * 8
        found.append((at, kind, ident, settles, body))
    return found


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # common/id.c


def text_id(number):
    return "".join(ALPHABET[number >> 5 * k & 31] for k in range(12, -1, -1))


def number_of(text):
    number = 0
    for c in text:
        number = number << 5 | ALPHABET.index(c)
    return number


def committed(rows, files):
    """What a start has to find: {(mark, recipient)} not done."""
    waiting, done = {}, set()
    for _, kind, ident, settles, body in rows:
        name = text_id(ident)
        if kind == MESSAGE:
            waiting[name] = body
        elif kind == LARGE:
            waiting[name] = files[name]
        elif kind == GONE:
            waiting.pop(name, None)
        for about, _, n, state in settles:
            if chr(state) in "dfrx":
                done.add((text_id(about), n))
    want = set()
    for name, body in waiting.items():
        for n, (state, rcpt, mark) in enumerate(states(body)):
            if (name, n) not in done and state not in "dfrx":
                want.add((mark, rcpt))
    return want


def states(body):
    """(state, recipient, mark) of a file."""
    head = body.partition(b"\n\n")[0].decode("latin-1")
    mark = re.search(rb"X-Mark: (\S+)", body)[1].decode()
    return [(state, rcpt, mark) for state, rcpt in
            re.findall(r"^rcpt: (.) <(.*)>$", head, re.M)]


def remove(path):
    path.unlink()


def tear(path):
    """In the middle of the content: the head and its states are there."""
    data = path.read_bytes()
    head = data.index(b"\n\n") + 2
    os.truncate(path, (head + len(data)) // 2)


def test_replay(lab):
    sorting = {"later@x.test": "450 4.2.1 later"}
    r = lab.receiver(rcpt=sorting)
    dns = lab.dns()
    it = lab.postern(conf(dns, r.port, retry="1h"))
    bodies = {}

    def send(mark, rcpts, size):
        body = base.WHOLE.decode() + f"X-Mark: {mark}\r\n\r\n" + \
            f"{mark} line\r\n" * (size // 10)
        bodies[mark] = body.encode()
        return it.send("", rcpts, body)
    send("done", ["ok@x.test"], 300)
    r.wait(1)
    it.empty()
    it.ctl("pause")
    send("part", ["ok@x.test", "later@x.test"], 500)
    send("tiny", ["later@x.test"], 10)
    send("page", ["later@x.test"], 9000)
    large = send("large", ["ok@x.test", "later@x.test"], 200000)
    it.ctl("resume")
    r.wait(3)
    base.wait_until(lambda: [q["state"] for q in it.queue()].count(
        "delivered") >= 2 or all(q["attempts"] for q in it.queue()),
        "each was tried")
    send("last", ["later@x.test"], 2000)
    want = {("part", "later@x.test"), ("tiny", "later@x.test"),
            ("page", "later@x.test"), ("large", "later@x.test"),
            ("last", "later@x.test")}

    def found(spool):
        """The journal's name and records, and what a start has to find."""
        journal, = [p for p in sorted((spool / "journal").iterdir())
                    if records(p.read_bytes())]
        rows = records(journal.read_bytes())
        files = {f.name: f.read_bytes() for f in it.spool_files()}
        return journal, rows, committed(rows, files)

    def is_marked():
        try:
            return found(it.root / "spool")[2] == want
        except FileNotFoundError:  # it went to cur/ just now
            return False
    base.wait_until(is_marked, "done-marks ride a flush within a second")
    for pid in [it.pid] + it.pids():
        os.kill(pid, signal.SIGKILL)
    it.child.stop()
    it.child = None

    spool, saved = it.root / "spool", it.dir / "saved"
    shutil.copytree(spool, saved, symlinks=True)
    for path in (saved, *saved.rglob("*")):
        st = os.lstat(spool / path.relative_to(saved))
        os.chown(path, st.st_uid, st.st_gid)
    files = {f.name: f.read_bytes() for f in it.spool_files()}
    journal, rows, left = found(saved)
    data = journal.read_bytes()
    kinds = [row[1] for row in rows]
    assert kinds.count(MESSAGE) == 5 and kinds.count(LARGE) == 1 and \
        GONE in kinds, kinds
    assert left == want

    cuts = []  # (bytes kept, records whole)
    at = PAGE
    for n, row in enumerate(rows):
        cuts += [((at + row[0]) // 2, n), (row[0], n + 1)]
        at = row[0]
    sorting.clear()
    for number, (keep, whole) in enumerate(cuts):
        for harm in (remove, tear):
            check(it, saved, journal.name, data, keep, rows[:whole], files,
                  large, harm, r, bodies, f"cut {number} at {keep}")


def check(it, saved, name, data, keep, rows, files, large, harm, r, bodies,
          what):
    spool = it.root / "spool"
    shutil.rmtree(spool)
    shutil.copytree(saved, spool, symlinks=True)
    for path in (spool, *spool.rglob("*")):
        st = os.lstat(saved / path.relative_to(spool))
        os.chown(path, st.st_uid, st.st_gid)
    with open(spool / "journal" / name, "r+b") as f:
        f.seek(keep)
        f.write(bytes(len(data) - keep))
    for path in it.spool_files():
        if path.name != large:  # large ones are flushed by themselves
            harm(path)
    shutil.rmtree(spool / "index")
    # The large file is there in any case: it is the truth about itself.
    rows = rows if any(x[1] == LARGE for x in rows) else \
        rows + [(0, LARGE, number_of(large), [], b"")]
    want = committed(rows, files)
    if harm is tear:  # what a file says is done is done
        want -= {(mark, rcpt) for body in files.values()
                 for state, rcpt, mark in states(body) if state == "d"}
    r.messages.clear()
    it.start()
    it.ctl("resume")
    it.ctl("flush", "all", check=False)

    def got():
        return {(m.parsed()["X-Mark"], a) for m in list(r.messages)
                for a in m.rcpts}
    try:
        base.wait_until(lambda: got() >= want, what)
        it.empty()
    except AssertionError as e:
        raise AssertionError(f"{what} ({harm.__name__}): missing "
                             f"{want - got()}, {e}")
    assert got() == want, f"{what}: done again: {got() - want}"
    assert sum(len(m.rcpts) for m in r.messages) == len(want), what
    for m in r.messages:
        body = bodies[m.parsed()["X-Mark"]]
        assert m.content.endswith(body), f"{what}: not whole"
    it.stop()
