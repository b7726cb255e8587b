"""Receivers that are dead, silent, or slow beyond patience, with much mail for
them: others have theirs as fast as without.

How long something takes is compared with the same in the same run, and
generously: it fails where one waits for the other, not where the machine is
busy.

SPDX-License-Identifier: ISC
"""
import socket
import threading
import time

from lib import base
from lib.instance import conf
from lib.receiver import CLOSE, SILENT, Receiver

GOOD = 500
SESSION = 80  # messages of one session


class Dribble:
    """Accepts, and says its greeting a byte a minute."""

    def __init__(self, address, port):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((address, port))
        self.sock.listen(512)
        self.gone = threading.Event()
        self.sessions = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self._one, args=(conn,),
                             daemon=True).start()

    def _one(self, conn):
        with conn:
            for byte in b"220 slow.test ESMTP, and so on, and on":
                try:
                    conn.sendall(bytes([byte]))
                except OSError:
                    return
                if self.gone.wait(60):
                    return

    def stop(self):
        self.gone.set()
        self.sock.close()


def zone(**hosts):
    """good.test, and each name with an address of its own."""
    names = {"good.test": ["MX 10 mx.good.test."],
             "mx.good.test": ["A 127.0.0.1"]}
    for name, address in hosts.items():
        names[f"{name}.test"] = [f"MX 10 mx.{name}.test."]
        names[f"mx.{name}.test"] = [f"A {address}"]
    return names


def bulk(it, messages, domain, per=1000):
    """So many messages to so many recipients each."""
    for k in range(messages):
        it.send("s@c.test", [f"b{k}.{n}@{domain(n)}" for n in range(per)])


def good(it, r):
    """Seconds until as many messages as are sent now have arrived."""
    before = len(r.messages)
    begin = time.monotonic()
    for at in range(0, GOOD, SESSION):
        with it.smtp() as s:
            for k in range(at, min(at + SESSION, GOOD)):
                s.sendmail("s@c.test", [f"g{k}@good.test"], "n: 1\r\n\r\n")
    r.wait(before + GOOD, timeout=240)
    return time.monotonic() - begin


def as_fast(with_them, without):
    assert with_them < 4 * without + 10, (with_them, without)


def waits(it):
    rows = it.queue()
    return len(rows), sum(q["parked"] for q in rows)


def test_fifty_thousand(lab):
    """Fifty thousand recipients whose hosts refuse, are silent, and dribble."""
    port = base.free_port("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
    r = lab.receiver(port=port)
    silent = lab.receiver(port=port, address="127.0.0.3", banner=SILENT)
    slow = lab.keep(Dribble("127.0.0.4", port))
    it = lab.postern(conf(lab.dns(zone(
        dead="127.0.0.2", silent="127.0.0.3", slow="127.0.0.4")), port,
        retry="1m"))
    without = good(it, r)
    it.empty()
    for name, n in (("silent", 5), ("slow", 5), ("dead", 40)):
        bulk(it, n, lambda _, name=name: f"{name}.test")
    it.logged(r"route-down failures=1 .* route=\"mx:dead.test\"", timeout=60)
    base.wait_until(lambda: silent.sessions and slow.sessions, "they are tried")
    with_them = good(it, r)
    as_fast(with_them, without)
    rows, parked = waits(it)
    assert rows == 50000
    # All but what is being tried waits in the index, not in memory.
    assert parked > 45000, parked
    # A dead one is tried by one message at a time.
    tried = it.log().count("route-down")
    assert tried < 20, tried
    assert it.ctl("remove", "all", timeout=120).returncode == 0
    slow.stop()


def test_many_dead(lab):
    """Three thousand domains, none of which answers: they have their share of
    places, and no more."""
    hosts = [f"127.0.1.{k}" for k in range(1, 31)]
    port = base.free_port("127.0.0.1", "127.0.0.2", *hosts)
    r = lab.receiver(port=port)
    dead = [lab.receiver(port=port, address=a, banner=SILENT) for a in hosts]
    names = zone()
    for k in range(3000):
        names[f"d{k}.test"] = [f"MX 10 m{k % 30}.dead.test."]
    for k, address in enumerate(hosts):
        names[f"m{k}.dead.test"] = [f"A {address}"]
    it = lab.postern(conf(lab.dns(names), port, retry="1m"))
    without = good(it, r)
    it.empty()
    for at in range(0, 3000, 1000):
        bulk(it, 2, lambda n, at=at: f"d{at + n}.test")
    base.wait_until(lambda: sum(d.open for d in dead) >= 20, "tried", 60)
    with_them = good(it, r)
    as_fast(with_them, without)
    assert len(it.queue()) == 6000
    assert it.ctl("remove", "all", timeout=120).returncode == 0


def test_wakes_at_its_pace(lab):
    """When it comes back the rest follows, with no more at once than may."""
    port = base.free_port("127.0.0.1", "127.0.0.2")
    it = lab.postern(conf(lab.dns(zone(dead="127.0.0.2")), port, retry="1h",
                          lines=['limit domain "dead.test" concurrency 4']))
    for _ in range(3):
        bulk(it, 1, lambda _: "dead.test")
    for k in range(100):
        it.send("s@c.test", f"s{k}@dead.test")
    it.logged("route-down failures=1 ")
    base.wait_until(lambda: waits(it) == (3100, 3100), "parked", 40)
    r = lab.keep(Receiver(address="127.0.0.2", port=port))
    it.ctl("flush", "mx:dead.test")
    base.wait_until(lambda: sum(len(m.rcpts) for m in r.messages) == 3100,
                    "all of it", 60)
    it.empty()
    it.logged("route-up ")
    assert r.most_open <= 4 + 1  # one whose end we know before they do


def test_expiry_of_many(lab):
    """Twenty thousand that are given up at once: their senders are told, and
    nobody waits for it."""
    port = base.free_port("127.0.0.1", "127.0.0.2")
    r = lab.receiver(port=port)
    box = lab.receiver(address="127.0.0.3")
    it = lab.postern(conf(lab.dns(zone(dead="127.0.0.2")), port, retry="1h",
                          lines=["queue ttl 20s"], rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "out" relay port {port}',
        'match from any for domain "c.test" action "home"',
        'match from any for any action "out"']))
    without = good(it, r)
    begin = time.monotonic()
    bulk(it, 20, lambda _: "dead.test")
    took = time.monotonic() - begin
    base.wait_until(lambda: " expired " in it.log(), "the first is given up",
                    60)
    with_them = good(it, r)
    as_fast(with_them, without + took)
    it.empty(timeout=120)
    assert it.log().count(" expired ") == 20000
    assert 20 <= len(box.messages)


def test_one_that_breaks_connections(lab):
    """A message upon which the server goes away, each time it comes: others
    for the same server do not wait for it."""
    port = base.free_port("127.0.0.1")
    r = lab.receiver(port=port, rcpt={"poison@good.test": CLOSE})
    it = lab.postern(conf(lab.dns(zone()), port, retry="1h",
                          lines=['limit domain "good.test" concurrency 1']))
    it.send("s@c.test", ["poison@good.test"])
    it.logged("delivery to=\"poison@good.test\" n=0 result=later .* "
              "cause=network stage=rcpt")
    for k in range(30):
        it.send("s@c.test", [f"b{k}@good.test"])
    r.wait(30)
    base.wait_until(lambda: len(it.queue()) == 1, "all but one are gone", 30)
    # And who does so with all is left alone after a while.
    for k in range(30):
        it.send("s@c.test", ["poison@good.test"])
    it.logged('route-slow pauses=1 .* route="mx:good.test"')
    base.wait_until(lambda: len(it.queue()) == 31, "all of them wait", 30)
