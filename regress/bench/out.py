#!/usr/bin/python3
"""The way out: Postern beside Postfix, OpenSMTPD and Exim, in the same run.

Each MTA finds the hosts by MX records (NSD), on port 25, over a wire between
two network namespaces of our own: on the other side are name server and
smtp-sink.

  many     1,000 messages to 200 domains, each with a host of its own
  rcpts    200 messages of 50 recipients of one domain
  large    12 messages of 20 MiB
  dead     500 messages to 100 domains, in the queue behind 1,000 for 20 domains
           whose hosts do not answer at all; and the same without those

Time is from the first byte in until the last message is at the sink; CPU is of
all processes of the MTA, those that have ended included.

SPDX-License-Identifier: ISC
"""
import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import base, dns, exim, opensmtpd, postfix  # noqa: E402
from lib.instance import Instance, conf  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
HERE, THERE, DEAD = "10.9.0.1", "10.9.0.2", "10.9.0.3"
DOMAINS, DEAD_DOMAINS = 200, 20
REAPER = ["/usr/bin/python3", Path(__file__).with_name("reaper.py")]
SETTLE = 60  # seconds of silence at the sink that end a round


def sh(*argv):
    out = base.run(argv)
    if out.returncode != 0:
        raise SystemExit(f"{argv}: {out.stdout}{out.stderr}")


class Wire:
    """The other side: a namespace with name server and sink."""

    def __init__(self, directory):
        self.dir = directory
        self.dir.mkdir()
        self.holder = base.Child(["unshare", "-n", "sleep", "7200"],
                                 self.dir / "holder.out")
        time.sleep(0.3)
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-n"]
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "wire", "type", "veth", "peer", "name",
           "wire", "netns", str(self.holder.pid))
        sh("ip", "addr", "add", f"{HERE}/24", "dev", "wire")
        sh("ip", "link", "set", "wire", "up")
        there = self.enter + ["ip"]
        sh(*there, "link", "set", "lo", "up")
        sh(*there, "addr", "add", f"{THERE}/24", "dev", "wire")
        sh(*there, "link", "set", "wire", "up")
        for n in range(DOMAINS):
            sh(*there, "addr", "add", f"10.9.1.{n + 1}/32", "dev", "wire")
        sh("ip", "route", "add", "10.9.1.0/24", "via", THERE)
        # Nobody has this address, and the wire does not say so.
        mac = base.run([*there, "link", "show", "wire"]).stdout
        mac = re.search(r"link/ether (\S+)", mac).group(1)
        sh("ip", "neigh", "replace", DEAD, "lladdr", mac, "dev", "wire")
        self.names()
        self.sink = base.Child(
            self.enter + postfix.tool("smtp-sink") +
            ["-u", "root", "-c", "0.0.0.0:25", "1000"],
            self.dir / "sink.out", env=postfix.env())
        base.wait_until(self.up, "smtp-sink", 20)
        resolv = self.dir / "resolv.conf"
        resolv.write_text(f"nameserver {THERE}\n")
        sh("mount", "--bind", resolv, "/etc/resolv.conf")

    def names(self):
        zone = {}
        for n in range(DOMAINS):
            zone[f"d{n}.test"] = [f"MX 10 mx.d{n}.test."]
            zone[f"mx.d{n}.test"] = [f"A 10.9.1.{n + 1}"]
        for n in range(DEAD_DOMAINS):
            zone[f"dead{n}.test"] = [f"MX 10 mx.dead{n}.test."]
            zone[f"mx.dead{n}.test"] = [f"A {DEAD}"]
        where = self.dir / "nsd"
        where.mkdir()
        lines = ["$TTL 300", ". IN SOA ns. postmaster. 1 3600 600 86400 1",
                 ". IN NS ns.", f"ns. IN A {THERE}"]
        lines += [f"{name}. IN {r}" for name, rs in zone.items() for r in rs]
        (where / "root.zone").write_text("\n".join(lines) + "\n")
        (where / "nsd.conf").write_text(dns.CONF.format(
            dir=where, address=THERE, port=53))
        self.nsd = base.Child(self.enter + ["/usr/sbin/nsd", "-d", "-c",
                                            where / "nsd.conf"],
                              where / "nsd.log")

    def up(self):
        try:
            with socket.create_connection((THERE, 25), 2):
                return True
        except OSError:
            return False

    def messages(self):
        out = self.sink.log_path.read_bytes()[-400:]
        counts = re.findall(rb"sess=(\d+)\s+quit=(\d+)\s+mesg=(\d+)\r", out)
        return int(counts[-1][2]) if counts else 0

    def stop(self):
        for child in (self.sink, self.nsd, self.holder):
            child.stop()


# ---- the four ----

LOOSE = """\
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_destination_concurrency_limit = 20
message_size_limit = 100000000
smtpd_client_recipient_rate_limit = 0
relayhost =
smtp_host_lookup = dns
disable_dns_lookups = no
smtp_dns_support_level = enabled
mydestination =
mynetworks = 127.0.0.0/8
"""

BY_MX = """\
out:
  driver = dnslookup
  domains = *
  transport = out
"""


class OurSide:
    name = "Postern"

    def __init__(self, directory):
        self.it = Instance(directory, conf(
            retry="5m*2, 15m", rules=[
                'action "out" relay', 'match from any for any action "out"'],
            lines=["smtp max-message-size 100M"]))
        self.pid, self.port = self.it.child.pid, self.it.port

    def stop(self):
        self.it.kill()


class PostfixSide:
    name = "Postfix"

    def __init__(self, directory):
        self.it = postfix.Postfix(directory, LOOSE, wrap=REAPER)
        self.pid, self.port = self.it.child.pid, self.it.port

    def stop(self):
        self.it.stop()


class OpenSmtpdSide:
    name = "OpenSMTPD"

    def __init__(self, directory):
        self.it = opensmtpd.OpenSmtpd(
            directory, wrap=REAPER, before="smtp max-message-size 100M",
            lines='action "out" relay\nmatch from any for any action "out"')
        self.pid, self.port = self.it.child.pid, self.it.port

    def stop(self):
        self.it.stop()


class EximSide:
    name = "Exim"

    def __init__(self, directory):
        self.it = exim.Exim(
            directory, 25, routers=BY_MX, wrap=REAPER,
            settings="remote_max_parallel = 20\nqueue_run_max = 20\n"
            "smtp_accept_max_per_connection = 100000\n"
            "smtp_accept_queue_per_connection = 0\n"
            "dns_again_means_nonexist =\n")
        self.pid, self.port = self.it.child.pid, self.it.port

    def stop(self):
        self.it.stop()


SIDES = (PostfixSide, OpenSmtpdSide, EximSide, OurSide)


# ---- feeding ----

def lines_of(size):
    line = b"x" * 70 + b"\r\n"
    return (b"Subject: bench\r\nMessage-ID: <bench@c.test>\r\n\r\n" +
            line * (size // len(line)) + b".\r\n")


class Feeder(threading.Thread):
    """One session that says what it was given: (recipients, content)."""

    def __init__(self, port, jobs):
        super().__init__(daemon=True)
        self.port, self.jobs, self.error = port, jobs, None

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 60) as s:
                s.settimeout(300)
                self.s, self.f = s, s.makefile("rb")
                self.reply(b"2")
                self.say(b"EHLO bench.test\r\n", b"2")
                for rcpts, content in self.jobs:
                    self.message(rcpts, content)
                s.sendall(b"QUIT\r\n")
        except (OSError, AssertionError) as e:
            self.error = e

    def reply(self, wanted):
        while True:
            line = self.f.readline()
            assert line[:1] == wanted, line
            if line[3:4] != b"-":
                return

    def say(self, what, wanted):
        self.s.sendall(what)
        self.reply(wanted)

    def message(self, rcpts, content):
        """One by one: not all of the four take PIPELINING."""
        self.say(b"MAIL FROM:<bench@c.test>\r\n", b"2")
        for r in rcpts:
            self.say(b"RCPT TO:<%s>\r\n" % r, b"2")
        self.say(b"DATA\r\n", b"3")
        self.say(content, b"2")


def feed(port, jobs, sessions=10):
    """All jobs, over some sessions at once."""
    feeders = [Feeder(port, jobs[n::sessions]) for n in range(sessions)]
    for f in feeders:
        f.start()
    for f in feeders:
        f.join()
        if f.error:
            raise SystemExit(f"feeding: {f.error}")


def to_many(count, domains, size=4096):
    content = lines_of(size)
    return [([b"u%d@d%d.test" % (n, n % domains)], content)
            for n in range(count)]


# ---- rounds ----

class Round:
    """An MTA that is up and warm, and the wire."""

    def __init__(self, side, where, wire):
        self.where, self.wire = where, wire
        self.mta = side(where)
        self.expect(to_many(20, 20))

    def expect(self, jobs, sessions=10, limit=300):
        """Seconds until all of it is at the sink, and CPU milliseconds; how
        many were there in the end."""
        had = self.wire.messages()
        cpu = base.cpu_ticks(self.mta.pid)
        begin = time.monotonic()
        feed(self.mta.port, jobs, sessions)
        last, seen = begin, had
        while self.wire.messages() - had < len(jobs):
            now = time.monotonic()
            if self.wire.messages() != seen:
                last, seen = now, self.wire.messages()
            if now - last > SETTLE or now - begin > limit:
                break
            time.sleep(0.005)
        took = time.monotonic() - begin
        cpu = (base.cpu_ticks(self.mta.pid) - cpu) * 1000 / TICK
        return took, cpu, self.wire.messages() - had

    def stop(self):
        self.mta.stop()
        shutil.rmtree(self.where, ignore_errors=True)


def jobs_of(what, share):
    if what == "many":
        return to_many(max(DOMAINS, int(1000 * share)), DOMAINS)
    if what == "rcpts":
        content = lines_of(4096)
        return [([b"u%d-%d@d0.test" % (n, k) for k in range(50)], content)
                for n in range(max(20, int(200 * share)))]
    content = lines_of(20 << 20)
    return [([b"u%d@d0.test" % n], content)
            for n in range(max(3, int(12 * share)))]


def measure(side, what, top, wire, share):
    """(messages/s, CPU ms per message) or None."""
    jobs = jobs_of(what, share)
    r = Round(side, top / "round", wire)
    try:
        took, cpu, got = r.expect(jobs, 4 if what == "large" else 10)
    finally:
        r.stop()
    if got < len(jobs):
        return None
    return len(jobs) / took, cpu / len(jobs)


def measure_dead(side, top, wire, share):
    """Seconds for the good ones alone, and behind the dead ones."""
    good = to_many(max(100, int(500 * share)), 100)
    dead = [([b"u%d@dead%d.test" % (n, n % DEAD_DOMAINS)], lines_of(4096))
            for n in range(max(200, int(1000 * share)))]
    took = []
    for before in ([], dead):
        r = Round(side, top / "round", wire)
        try:
            if before:
                feed(r.mta.port, before)
                time.sleep(2)
            seconds, _, got = r.expect(good, limit=120)
            took.append(seconds if got >= len(good) else None)
        finally:
            r.stop()
    return took


def text(value, width, digits):
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.{digits}f}"


def middle(rows, n):
    if any(r is None or r[n] is None for r in rows):
        return None
    return statistics.median(r[n] for r in rows)


def table(what, rounds, top, wire, share):
    got = {s: [] for s in SIDES}
    for n in range(rounds):
        for side in SIDES[::1 if n % 2 == 0 else -1]:
            got[side].append(measure(side, what, top, wire, share))
    print(f"{what:8}" + "".join(
        text(middle(got[s], 0), 12, 1) + text(middle(got[s], 1), 9, 2)
        for s in SIDES), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--share", type=float, default=1.0)
    p.add_argument("--what", default="many,rcpts,large,dead")
    p.add_argument("--top", type=Path, required=True)
    o = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wire = Wire(o.top / "wire")
    try:
        print(f"{'way out':8}" + "".join(
            f"{s.name + '/s':>12}{'CPU ms':>9}" for s in SIDES))
        for what in o.what.split(","):
            if what != "dead":
                table(what, o.rounds, o.top, wire, o.share)
        if "dead" in o.what:
            print(f"{'dead':8}" + "".join(
                f"{s.name:>12}{'beside':>9}" for s in SIDES) + "  seconds")
            rows = [measure_dead(s, o.top, wire, o.share) for s in SIDES]
            print(f"{'':8}" + "".join(
                text(r[0], 12, 1) + text(r[1], 9, 1) for r in rows))
    finally:
        wire.stop()


def run(top, rounds, share, what="many,rcpts,large,dead"):
    """From bench.py: in namespaces of its own."""
    print(flush=True)
    return subprocess.run(
        ["unshare", "-n", "-m", "--propagation", "private",
         "/usr/bin/python3", __file__, "--top", str(top), "--rounds",
         str(rounds), "--share", str(share), "--what", what],
        check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
