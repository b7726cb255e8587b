"""2,000 messages over 20 sessions, while every process but the parent is killed
with SIGKILL again and again at random.  A part of them goes to an alias that
stands for three addresses, and a part asks to be told of success.  Afterwards
each message that got its 250 has arrived, whole, at each of its targets; how
many came twice is counted and shown; no child was made twice; and of each that
asked for it there is one notice, neither none nor two.

    POSTERN_SEED=n   the same victims in the same order

SPDX-License-Identifier: ISC
"""
import hashlib
import os
import random
import re
import signal
import smtplib
import threading
import time
from collections import Counter

import pytest

from lib import base
from lib.instance import CHILDREN, conf

SESSIONS = 20
EACH = 100
SECONDS = 40.0  # for one client's messages, were nothing in its way
EXPANDED = 4    # each fourth message is for the alias
TEAM = ("t1@x.test", "t2@x.test", "t3@x.test")
NAMES = {"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"],
         "c.test": ["MX 10 mx.x.test."]}
RECEIVED = re.compile(rb"with ESMTP id (\w{13})")
NOTICE = re.compile(rb"Message-ID: <(\w{13})\.dsn@")


def is_for_team(mark):
    return int(mark.rpartition("-")[2]) % EXPANDED == 0


def is_confirmed(mark):
    """Of both kinds some: relayed, and expanded."""
    return int(mark.rpartition("-")[2]) % 8 in (0, 1)


def targets(mark):
    return TEAM if is_for_team(mark) else (f"{mark}@x.test",)


class Client(threading.Thread):
    """One session's worth of messages; sends again what got no 250."""

    def __init__(self, it, number, seed, stop_at):
        super().__init__(daemon=True)
        self.it, self.number, self.stop_at = it, number, stop_at
        self.dice = random.Random(seed)
        self.acked = []
        self.again = 0
        self.odd = []

    def content(self, mark):
        size = self.dice.choice((200, 2000, 20000, 150000))
        body = "".join(f"{n:06d} {mark}\r\n" for n in range(size // 20))
        return (f"From: <s@c.test>\r\nX-Mark: {mark}\r\nX-Sum: "
                f"{hashlib.sha1(body.encode()).hexdigest()}\r\n\r\n" +
                body).encode()

    def once(self, content, mark):
        """True: it got its 250."""
        if self.session is None:
            self.session = smtplib.SMTP(self.it.address, self.it.port,
                                        local_hostname="c.test", timeout=30)
            self.session.ehlo()
        s = self.session
        code, said = s.mail("s@c.test")
        if code == 250:
            code, said = s.rcpt("team@mx.test" if is_for_team(mark) else
                                f"{mark}@x.test", ["NOTIFY=SUCCESS"] if
                                is_confirmed(mark) else [])
        if code == 250:
            code, said = s.data(content)
        if code == 250:
            return True
        if code < 400 or code >= 500:
            self.odd.append((mark, code, said))
        if code == 421:
            self.drop()
        else:
            s.rset()
        return False

    def drop(self):
        if self.session is not None:
            self.session.close()
            self.session = None

    def run(self):
        self.session = None
        for n in range(EACH):
            mark = f"m{self.number}-{n}"
            content = self.content(mark)
            while time.monotonic() < self.stop_at:
                try:
                    if self.once(content, mark):
                        self.acked.append(mark)
                        break
                except (OSError, smtplib.SMTPException) as e:
                    code = getattr(e, "smtp_code", 0)
                    if code >= 500:
                        self.odd.append((mark, code, e.smtp_error))
                    self.drop()
                self.again += 1
                time.sleep(0.05 + 0.2 * self.dice.random())
            time.sleep(2 * self.dice.random() * SECONDS / EACH)
        self.drop()


class Killer(threading.Thread):
    """Kills a random child, waits a little, kills again."""

    def __init__(self, it, seed):
        super().__init__(daemon=True)
        self.it, self.dice = it, random.Random(seed)
        self.killed = Counter()
        self.over = threading.Event()

    def run(self):
        names = list(CHILDREN)
        while not self.over.is_set():
            # Each in its turn, in a random order: all of them, often.
            self.dice.shuffle(names)
            for name in names:
                pids = self.it.pids(name)
                if pids:
                    try:
                        os.kill(self.dice.choice(pids), signal.SIGKILL)
                        self.killed[name] += 1
                    except ProcessLookupError:
                        pass
                if self.over.wait(0.3 + 1.2 * self.dice.random()):
                    return


def check_notices(notices, mail):
    """One for each message that asked; returns how many."""
    told, ids = {}, {}
    for m in notices:
        ident = NOTICE.search(m.content)[1].decode()
        mark = re.search(rb"\r\nX-Mark: (\S+)\r\n", m.content)[1].decode()
        # Its id is the message's, but for the low 16 bits.
        ids.setdefault(number_of(ident) >> 16, set()).add(ident)
        told.setdefault(mark, set()).add(number_of(ident) >> 16)
    twice = {k: v for k, v in ids.items() if len(v) > 1}
    assert not twice, f"told twice: {twice}"
    sent = {}
    for m in mail:
        mark = m.parsed()["X-Mark"]
        if is_confirmed(mark):
            sent.setdefault(mark, set()).add(
                number_of(RECEIVED.search(m.content)[1].decode()) >> 16)
    assert told == sent, {k: (sent.get(k), told.get(k))
                          for k in set(sent) | set(told)
                          if sent.get(k) != told.get(k)}
    return len(ids)


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # common/id.c


def number_of(text):
    number = 0
    for c in text:
        number = number << 5 | ALPHABET.index(c)
    return number


def test_crash(lab, record_property):
    seed = int(os.environ.get("POSTERN_SEED", random.randrange(10 ** 6)))
    print("seed", seed)
    r = lab.receiver()
    path = lab.path("aliases")
    path.write_text(f"team: {', '.join(TEAM)}\n")
    it = lab.postern(conf(
        lab.dns(NAMES), retry="1s*1000", lines=[
            "hostname mx.test", "smtp limit max-mails 1000",
            f'table aliases "file:{path}"'], rules=[
            'action "team" expand-only alias <aliases>',
            f'action "out" relay port {r.port}',
            'match from any for local action "team"',
            'match from any for any action "out"']))
    begin = time.monotonic()
    clients = [Client(it, n, seed + n, begin + 120) for n in range(SESSIONS)]
    killer = Killer(it, seed)
    for t in clients + [killer]:
        t.start()
    for c in clients:
        c.join()
    # Deliveries are cut down for a while yet.
    killer.over.wait(3)
    killer.over.set()
    killer.join()
    acked = [m for c in clients for m in c.acked]
    want = {(m, a) for m in acked for a in targets(m)}
    seen = Counter()

    def all_in():
        seen.clear()
        seen.update((m.parsed()["X-Mark"], a) for m in list(r.messages)
                    if m.sender for a in m.rcpts)
        return want <= set(seen)
    try:
        base.wait_until(all_in, "every acknowledged message", 60, 0.5)
    except AssertionError:
        lost = sorted(want - set(seen))
        raise AssertionError(
            f"seed {seed}: {len(lost)} of {len(want)} lost: {lost[:20]}; "
            f"queue: {it.queue()[:3]}")
    it.empty(60)
    base.wait_until(lambda: not it.spool_files(), "the files are gone")
    assert len(acked) == SESSIONS * EACH, f"{len(acked)} acknowledged"
    assert not [c.odd for c in clients if c.odd], [c.odd for c in clients]
    mail = [m for m in r.messages if m.sender]
    told = check_notices([m for m in r.messages if not m.sender], mail)
    assert told >= len([m for m in acked if is_confirmed(m)])
    for m in mail:
        p = m.parsed()
        body = m.content.partition(b"\r\n\r\n")[2]
        assert hashlib.sha1(body).hexdigest() == p["X-Sum"], p["X-Mark"]
    assert all(killer.killed[name] >= 3 for name in CHILDREN), killer.killed
    twice = sum(n - 1 for n in seen.values())
    made = Counter(re.findall(r"queue: (\w{13}) expanded ", it.log()))
    assert len(made) >= len(acked) // EXPANDED // 2
    assert max(made.values()) == 1, "a child was made twice"
    record_property("note", (
        f"crash: seed {seed}, {sum(killer.killed.values())} kills "
        f"({', '.join(f'{k} {v}' for k, v in sorted(killer.killed.items()))}"
        f"), {len(acked)} acknowledged for {len(want)} targets, 0 lost, "
        f"{twice} duplicates, {len(made)} children, {told} notices, "
        f"{sum(c.again for c in clients)} sent again, "
        f"{time.monotonic() - begin:.0f} s"))
