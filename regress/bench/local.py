#!/usr/bin/python3
"""Local delivery: Postern beside Postfix, in the same run on the same disk.

Messages of 4 KiB come in over 10 sessions, for 20 users of the host by turns,
and are kept by its own local delivery: in mailboxes below /var/mail, in
Maildirs, by a program (cat).  Time is from the first byte in until the last
message is there; CPU is of all processes of the MTA, those that have ended
included.  The users, their homes and /var/mail are in mount namespaces of our
own.

SPDX-License-Identifier: ISC
"""
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import base, postfix  # noqa: E402
from lib.instance import Instance  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
USERS, FIRST_UID = 20, 40101
SIZE, SESSIONS = 4096, 10
COUNT = {"mbox": 2000, "maildir": 2000, "program": 1000}
REAPER = ["/usr/bin/python3", Path(__file__).with_name("reaper.py")]
BINDS = ("mount --bind {top}/mail /var/mail && "
         "mount --bind {top}/home /home && exec \"$@\"")


def names():
    return [f"b{i:02d}" for i in range(USERS)]


def make_homes(top):
    """Folders that stand in for /home and /var/mail, on the disk."""
    (top / "home").mkdir(parents=True)
    (top / "mail").mkdir()
    for path in (top, *top.parents):
        if path.stat().st_mode & 0o5 != 0o5:
            path.chmod(0o755)
    gid = Path("/var/mail").stat().st_gid
    os.chown(top / "mail", 0, gid)
    (top / "mail").chmod(0o2775)
    for i, name in enumerate(names()):
        (top / "home" / name).mkdir(mode=0o755)
        os.chown(top / "home" / name, FIRST_UID + i, FIRST_UID + i)


def passwd_lines():
    return "".join(f"{n}:x:{FIRST_UID + i}:{FIRST_UID + i}::/home/{n}:/bin/sh\n"
                   for i, n in enumerate(names()))


def group_lines():
    return "".join(f"{n}:x:{FIRST_UID + i}:\n" for i, n in enumerate(names()))


def inside(top, extra=""):
    """In front of a command that shall see those homes."""
    return ["unshare", "-m", "--propagation", "private", "sh", "-c",
            extra + BINDS.format(top=top), "sh"]


class Ours:
    name = "Postern"
    methods = {"mbox": "mbox", "maildir": "maildir",
               "program": 'mda "cat >/dev/null; echo x >>$HOME/count"'}

    def __init__(self, top, method):
        make_homes(top)
        for file, more in (("passwd", passwd_lines()), ("group", group_lines())):
            (top / file).write_text(Path(f"/etc/{file}").read_text() + more)
        extra = (f"mount --bind {top}/passwd /etc/passwd && "
                 f"mount --bind {top}/group /etc/group && ")
        text = ("hostname bench.test\nlisten on 127.0.0.1 port {port}\n"
                f"action \"here\" {self.methods[method]}\n"
                "match from any for domain bench.test action \"here\"\n")
        self.it = Instance(top / "mta", text, wrap=inside(top, extra))
        self.port, self.pid = self.it.port, self.it.child.pid

    def stop(self):
        self.it.stop()


class PostfixHere(postfix.Postfix):
    """With local(8), and the users."""

    def _layout(self, *args):
        super()._layout(*args)
        etc = self.dir / "etc"
        with open(etc / "master.cf", "a") as f:
            f.write("local unix - n n - - local\n")
        for file, more in (("passwd", passwd_lines()),
                           ("group", group_lines())):
            with open(etc / file, "a") as f:
                f.write(more)


class Theirs:
    name = "Postfix"
    settings = {"mbox": "mail_spool_directory = /var/mail",
                "maildir": "home_mailbox = Maildir/",
                "program":
                    "mailbox_command = cat >/dev/null; echo x >>$HOME/count"}

    def __init__(self, top, method):
        make_homes(top)
        settings = ("in_flow_delay = 0\nmydestination = bench.test\n"
                    "default_destination_concurrency_limit = 20\n"
                    "smtpd_client_connection_count_limit = 0\n"
                    "smtpd_client_connection_rate_limit = 0\n" +
                    self.settings[method] + "\n")
        self.it = PostfixHere(top / "mta", settings, hostname="bench.test",
                              wrap=[*REAPER, *inside(top)])
        self.port, self.pid = self.it.port, self.it.child.pid

    def stop(self):
        self.it.stop()


def kept(top, method):
    """Messages that are there."""
    n = 0
    for name in names():
        if method == "mbox":
            box = top / "mail" / name
            if box.exists():
                n += box.read_bytes().count(b"\nReturn-Path: ") + \
                    box.read_bytes().startswith(b"Return-Path: ")
        elif method == "maildir":
            new = top / "home" / name / "Maildir/new"
            n += len(os.listdir(new)) if new.is_dir() else 0
        else:
            count = top / "home" / name / "count"
            n += count.stat().st_size // 2 if count.exists() else 0
    return n


def feed(port, count):
    """All users by turns: one smtp-source each."""
    each = max(1, count // USERS)
    children = [base.Child(
        postfix.tool("smtp-source") +
        ["-s", max(1, SESSIONS // USERS + 1), "-m", each, "-l", SIZE,
         "-f", "bench@c.test", "-t", f"{name}@bench.test",
         f"127.0.0.1:{port}"], Path("/dev/null"), env=postfix.env())
        for name in names()]
    for c in children:
        base.wait_until(lambda: not c.running(), "smtp-source", 600)
    return each * USERS


def one_round(side, top, method, count):
    """Messages/s, CPU ms per message."""
    it = side(top, method)
    try:
        warm = feed(it.port, USERS)
        base.wait_until(lambda: kept(top, method) >= warm, "warm-up", 120)
        cpu, begin = base.cpu_ticks(it.pid), time.monotonic()
        sent = feed(it.port, count)
        base.wait_until(lambda: kept(top, method) >= warm + sent,
                        f"{sent} messages by {side.name}", 600, 0.02)
        took = time.monotonic() - begin
        cpu = base.cpu_ticks(it.pid) - cpu
        return sent / took, cpu * 1000 / TICK / sent
    finally:
        it.stop()
        shutil.rmtree(top, ignore_errors=True)


def run(top, rounds, share):
    print(f"\n{'local':10}{'messages/s':>27}{'CPU ms/message':>27}\n"
          f"{'':10}{'Postfix':>9}{'Postern':>9}{'ratio':>9}"
          f"{'Postfix':>9}{'Postern':>9}{'ratio':>9}", flush=True)
    for method, usual in COUNT.items():
        count = max(USERS, int(usual * share))
        got = {s: [] for s in (Theirs, Ours)}
        for n in range(rounds):
            for side in (Theirs, Ours)[::1 if n % 2 == 0 else -1]:
                got[side].append(one_round(side, top / "local", method, count))
        rate, cpu = ([statistics.median(r[i] for r in got[s])
                      for s in (Theirs, Ours)] for i in (0, 1))
        print(f"{method:10}{rate[0]:>9.0f}{rate[1]:>9.0f}"
              f"{rate[1] / rate[0]:>9.2f}{cpu[0]:>9.2f}{cpu[1]:>9.2f}"
              f"{cpu[1] / cpu[0] if cpu[0] else 0:>9.2f}", flush=True)
