#!/usr/bin/python3
"""`make bench`: Postern beside Debian's Postfix, in the same run on the same
disk, both fed by smtp-source and relaying to smtp-sink, 4 KiB messages.

  accept   how fast mail is taken and made durable, deliveries held
  relay    from the first byte in until the last message is at the sink
  lookup   tables of 1,000 and of 1,000,000 entries (lookup.py)
  tls      handshakes and messages over TLS, OpenSMTPD beside them (wire.py)
  idle     memory of a session that waits, likewise
  out      relay over many destinations, with many recipients, large messages,
           dead hosts, OpenSMTPD and Exim beside them (out.py)
  local    mailboxes, Maildirs and programs of the users of the host (local.py)
  auth     verifying who sent a message, opendkim and Exim beside it (auth.py)

Each figure is the median of three rounds, in which the two take turns.  CPU is
of all processes of the MTA, those that have ended included.  Flushes are
counted by strace in a run of their own.

SPDX-License-Identifier: ISC
"""
import argparse
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import base, postfix  # noqa: E402
from lib.instance import Instance, conf  # noqa: E402
import auth  # noqa: E402
import local  # noqa: E402
import lookup  # noqa: E402
import out as way_out  # noqa: E402
import wire  # noqa: E402

SIZE = 4096
COUNT = {1: 500, 10: 3000, 50: 6000}
TICK = os.sysconf("SC_CLK_TCK")
FLUSHES = "fsync,fdatasync,syncfs,sync_file_range,msync,sync"
TRACE = ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-e",
         "trace=" + FLUSHES]

POSTFIX = """\
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_destination_concurrency_limit = 20
"""


class Sink:
    """smtp-sink, and how many messages it has."""

    def __init__(self, directory):
        self.port = base.free_port()
        self.child = base.Child(
            postfix.tool("smtp-sink") + ["-u", "root", "-c", f"127.0.0.1:{self.port}",
                                         "1000"],
            directory / "sink.out", env=postfix.env())
        base.wait_until(self.up, "smtp-sink")

    def up(self):
        import socket
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2):
                return True
        except OSError:
            return False

    def messages(self):
        out = self.child.log_path.read_bytes()[-400:]
        counts = re.findall(rb"sess=(\d+)\s+quit=(\d+)\s+mesg=(\d+)\r", out)
        return int(counts[-1][2]) if counts else 0

    def stop(self):
        self.child.stop()


def feed(port, sessions, count):
    """Sends; seconds it took."""
    begin = time.monotonic()
    out = base.run(postfix.tool("smtp-source") +
                   ["-s", sessions, "-m", count, "-l", SIZE,
                    "-f", "bench@c.test", "-t", "bench@x.test",
                    f"127.0.0.1:{port}"], timeout=600, env=postfix.env())
    took = time.monotonic() - begin
    if out.returncode != 0:
        raise SystemExit(f"smtp-source: {out.stdout}{out.stderr}")
    return took


class OurSide:
    name = "Postern"

    def __init__(self, directory, relay, sink_port, wrap=()):
        self.it = Instance(directory, conf(
            host=f"smtp://127.0.0.1:{sink_port}"), wrap=wrap)
        if not relay:
            self.it.ctl("pause")
        self.pid, self.port = self.it.pid, self.it.port

    def stop(self):
        self.it.stop()


class TheirSide:
    name = "Postfix"

    def __init__(self, directory, relay, sink_port, wrap=()):
        settings = POSTFIX + f"relayhost = [127.0.0.1]:{sink_port}\n"
        if not relay:
            settings += "smtpd_client_restrictions = static:hold\n"
        self.it = postfix.Postfix(directory, settings, wrap=wrap)
        self.pid, self.port = self.it.child.pid, self.it.port

    def stop(self):
        self.it.stop()


def traced(out):
    """The wrapper that writes each flush to a file."""
    return TRACE + ["-o", str(out)]


def one_round(side, where, relay, sessions, count, trace=False):
    """Messages/s, CPU ms per message, flushes per message (or None)."""
    where.mkdir()
    sink = Sink(where)
    log = where / "trace"
    mta = side(where / "mta", relay, sink.port,
               traced(log) if trace else ())
    try:
        feed(mta.port, 1, 20)  # the first messages find cold caches
        if relay:
            base.wait_until(lambda: sink.messages() >= 20, "warm-up", 60)
        had = sink.messages()
        flushed = lines(log)
        cpu = base.cpu_ticks(mta.pid)
        begin = time.monotonic()
        feed(mta.port, sessions, count)
        if relay:
            base.wait_until(lambda: sink.messages() - had >= count,
                            f"{count} messages at the sink", 600, 0.005)
        took = time.monotonic() - begin
        if trace:
            time.sleep(1.2)  # marks of what was done ride a later flush
        cpu = base.cpu_ticks(mta.pid) - cpu
        return (count / took, cpu * 1000 / TICK / count,
                (lines(log) - flushed) / count if trace else None)
    finally:
        mta.stop()
        sink.stop()
        shutil.rmtree(where, ignore_errors=True)


def lines(path):
    if not path.exists():
        return 0
    return sum(1 for line in path.read_text().splitlines()
               if re.search(r"\b(?:" + FLUSHES.replace(",", "|") +
                            r")\([^<]*=|<\.\.\. \w+ resumed", line))


def measure(top, relay, sessions, rounds, share):
    count = max(50, int(COUNT[sessions] * share))
    got = {s: [] for s in (TheirSide, OurSide)}
    for n in range(rounds):
        for side in (TheirSide, OurSide)[::1 if n % 2 == 0 else -1]:
            got[side].append(one_round(side, top / "round", relay, sessions,
                                       count))
    figures = {}
    for side, rows in got.items():
        flushes = one_round(side, top / "round", relay, sessions,
                            max(50, count // 3), True)[2]
        figures[side] = [statistics.median(r[0] for r in rows),
                         statistics.median(r[1] for r in rows), flushes]
    return figures


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--share", type=float, default=1.0,
                   help="of the usual number of messages")
    p.add_argument("--sessions", default="1,10,50")
    p.add_argument("--only", choices=("accept", "relay", "lookup", "tls", "idle",
                                      "out", "local", "auth"))
    o = p.parse_args()
    base.BUILD.mkdir(exist_ok=True)
    top = Path(tempfile.mkdtemp(prefix="bench-", dir=base.BUILD))
    top.chmod(0o755)
    print(f"{'':8}{'':>9} {'messages/s':>27} {'CPU ms/message':>24}"
          f" {'flushes/message':>24}")
    print(f"{'':8}{'sessions':>9} {'Postfix':>9}{'Postern':>9}{'ratio':>9}"
          f" {'Postfix':>8}{'Postern':>8}{'ratio':>8}"
          f" {'Postfix':>8}{'Postern':>8}{'ratio':>8}", flush=True)
    slower = 0
    try:
        for relay in (False, True):
            what = "relay" if relay else "accept"
            if o.only not in (None, what):
                continue
            for sessions in map(int, o.sessions.split(",")):
                f = measure(top, relay, sessions, o.rounds, o.share)
                a, b = f[TheirSide], f[OurSide]
                slower += b[0] < a[0]
                ratio = [y / x if x else 0 for x, y in zip(a, b)]
                print(f"{what:8}{sessions:>9}"
                      f" {a[0]:>9.0f}{b[0]:>9.0f}{ratio[0]:>9.2f}"
                      f" {a[1]:>8.3f}{b[1]:>8.3f}{ratio[1]:>8.2f}"
                      f" {a[2]:>8.3f}{b[2]:>8.3f}{ratio[2]:>8.2f}",
                      flush=True)
        if o.only in (None, "lookup"):
            lookup.run(top)
        if o.only in (None, "tls"):
            wire.tls(top, o.rounds, o.share, TICK)
        if o.only in (None, "idle"):
            wire.idle(top, o.share)
        if o.only in (None, "out"):
            way_out.run(top, o.rounds, o.share)
        if o.only in (None, "local"):
            local.run(top, o.rounds, o.share)
        if o.only in (None, "auth"):
            auth.run(top, o.rounds, o.share)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    print(f"{SIZE} byte messages, medians of {o.rounds}; "
          f"{os.cpu_count()} cores; ratio is Postern : Postfix.")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
