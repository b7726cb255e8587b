"""Limits of destinations: connections at once, messages on one connection,
messages in a time, also over a restart; what waiting for them costs; and those
of all destinations with the same mail servers together.

SPDX-License-Identifier: ISC
"""
import os
import select
import signal
import threading
import time

import dns.rdatatype

from lib import base, liar
from lib.instance import conf

NAMES = {"x.test": ["MX 10 mx.x.test."], "y.test": ["MX 10 mx.y.test."],
         "mx.x.test": ["A 127.0.0.1"], "mx.y.test": ["A 127.0.0.2"]}


def stage(lab, *lines, slow=0.0):
    """x.test and y.test have receivers of their own, on one port."""
    def dot(session):
        time.sleep(slow)
        return "250 2.0.0 taken"
    port = base.free_port("127.0.0.1", "127.0.0.2")
    x = lab.receiver(port=port, dot=dot)
    y = lab.receiver(port=port, address="127.0.0.2", dot=dot)
    it = lab.postern(conf(lab.dns(NAMES), port, lines=lines))
    return it, x, y


def feed(it, n, *domains):
    """n messages to each domain, in one go."""
    it.ctl("pause")
    work = [(k, domain) for k in range(n) for domain in domains]
    # Not more than one session may bring.
    for at in range(0, len(work), 80):
        with it.smtp() as s:
            for k, domain in work[at:at + 80]:
                s.sendmail("s@c.test", [f"b{k}@{domain}"],
                           f"n: {k}\r\n\r\n")
    it.ctl("resume")


def windows(times, n, per):
    """True if no window of `per` seconds has more than n of the times."""
    return all(b - a >= per for a, b in zip(times, times[n:]))


def test_concurrency(lab):
    """One destination has a limit of its own, others have that of all."""
    it, x, y = stage(lab, 'limit domain "x.test" concurrency 2',
                     "limit route concurrency 4", slow=0.1)
    feed(it, 30, "x.test", "y.test")
    x.wait(30)
    y.wait(30)
    it.empty()
    assert x.most_open == 2
    # Each deliver process may have kept as many, idle, for a moment.
    assert 2 < y.most_open <= 4 * len(it.pids("deliver"))


def test_concurrency_above(lab):
    """It may also be more than all others have; *. is what is below."""
    it, x, y = stage(lab, 'limit domain { "nowhere.test", "*.test" } '
                     "concurrency 9", "limit route concurrency 3", slow=0.2)
    feed(it, 60, "x.test")
    x.wait(60)
    it.empty()
    assert 3 < x.most_open <= 9


def test_messages(lab):
    """QUIT after so many on one connection."""
    it, x, y = stage(lab, 'limit domain "x.test" concurrency 1 messages 3',
                     "limit route concurrency 1")
    feed(it, 10, "x.test", "y.test")
    x.wait(10)
    y.wait(10)
    it.empty()
    on = [m.number for m in x.messages]
    assert [on.count(n) for n in sorted(set(on))] == [3, 3, 3, 1]
    base.wait_until(lambda: x.lines.count("QUIT") >= 3, "QUIT after three")
    assert len({m.number for m in y.messages}) == 1


def test_rate(lab):
    """Never more in any window; others are not held up; waiting is free."""
    it, x, y = stage(lab, 'limit domain "x.test" rate 10/3s')
    feed(it, 25, "x.test", "y.test")
    y.wait(25)
    queue, = it.pids("queue")
    # No work while nothing may be sent, and nothing held in memory.
    x.wait(10)
    base.wait_until(lambda: all(q["parked"] for q in it.queue() if
                                q["state"] == "waiting"), "parked", 45)
    before = base.cpu_ticks(queue)
    status = it.ctl("show", "status", "--json").json
    status = status[0] if isinstance(status, list) else status
    x.wait(25, timeout=45)
    assert base.cpu_ticks(queue) - before <= 15
    it.empty()
    times = sorted(m.time for m in x.messages)
    assert windows(times, 10, 2.8), [t - times[0] for t in times]
    assert times[-1] - times[0] < 15, "slower than it may be"
    assert max(m.time for m in y.messages) < times[-1]
    assert "in_memory=0" in str(status) or not status.get("in_memory"), status


def test_rate_over_restarts(lab):
    """A queue that is killed, and a daemon that is stopped, start with what
    was sent before."""
    it, x, y = stage(lab, 'limit domain "x.test" rate 6/4s')
    feed(it, 20, "x.test")
    x.wait(6)
    for n in range(4):
        for pid in it.pids("queue"):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.7)
    x.wait(12)
    it.stop()
    it.start()
    x.wait(18, timeout=45)
    it.stop()
    it.start()
    x.wait(20, timeout=45)
    it.empty()
    times = sorted(m.time for m in x.messages)
    assert len(times) == 20
    assert windows(times, 6, 3.8), [t - times[0] for t in times]


def test_rate_after_power_cut(lab):
    """Without an index nothing is known of the past: it begins slowly."""
    it, x, y = stage(lab, 'limit domain "x.test" rate 8/4s')
    feed(it, 30, "x.test")
    x.wait(8)
    for pid in [it.pid] + it.pids():
        os.kill(pid, signal.SIGKILL)
    it.child.stop()
    it.child = None
    n = len(x.messages)
    begin = time.time()
    it.start()
    x.wait(n + 6, timeout=45)
    times = [m.time - begin for m in x.messages[n:]]
    # Half a second for each; no eight at once.
    assert times[5] >= 2, times
    x.wait(30, timeout=40)
    it.empty()


def test_rate_of_many(lab):
    """What waits for a rate keeps no other destination waiting, however much
    of it there is."""
    it, x, y = stage(lab, 'limit domain "x.test" rate 1/1h')
    it.ctl("pause")
    for k in range(5):
        it.send("s@c.test", [f"b{k}.{n}@x.test" for n in range(900)])
    it.ctl("resume")
    base.wait_until(lambda: len([q for q in it.queue() if q["parked"]]) > 4000,
                    "parked", 30)
    it.send("s@c.test", "b@y.test")
    y.wait(1, timeout=45)
    status = str(it.ctl("show", "status").stdout)
    row = next(q for q in it.queue() if q["parked"])
    wait = it.ctl("show", "queue", f"{row['id']}:{row['n']}").stdout
    assert "in 59m" in wait or "in 1h" in wait, wait
    assert len(x.messages) == 1, status
    it.ctl("remove", "all")
    it.empty()


def test_explained(lab):
    """smtpctl explain says what holds, and which line says so."""
    it, x, y = stage(lab, "limit route concurrency 7",
                     'limit domain "x.test" concurrency 2 rate 10/1m',
                     'retry domain "x.test" 10m*2, 30m up to 2h',
                     "queue ttl 3d", "bounce warn-interval 1h")
    steps = it.ctl("explain", "--json", "--from", "s@c.test",
                   "b@x.test").json
    said = [(s["step"], s.get("at", "").rpartition(":")[2], s.get("text"))
            for s in steps]
    line = {n: str(k) for k, n in enumerate(
        it.conf_path.read_text().splitlines(), 1)}
    own = next(v for k, v in line.items() if k.startswith("limit domain"))
    retry = next(v for k, v in line.items() if k.startswith("retry domain"))
    assert ("limit", own, "at most 2 connections at once, 0 now") in said
    assert ("limit", "", "at most 100 messages on one connection") in said
    assert ("limit", own, "at most 10 messages in 1m, 10 more now") in said
    assert ("retry", retry, "after 10m*2, 30m, then doubled up to 2h") in said
    assert ("ttl", "", "given up after 3d") in said


# ---- limit mx ----

DOMAINS = [f"d{k}.test" for k in range(6)]
# Six customers of one provider, each with a mail server's name of its own, and
# one that is none.
PROVIDER = {d: [f"MX 10 m{k}.prov.test.", "MX 20 spare.test."]
            for k, d in enumerate(DOMAINS)}
PROVIDER.update({f"m{k}.prov.test": ["A 127.0.0.1"] for k in range(6)})
PROVIDER.update({"spare.test": ["A 127.0.0.2"],
                 "o.test": ["MX 10 mx.o.test."],
                 "mx.o.test": ["A 127.0.0.2"]})


def is_closed(session):
    """By the other side: we may not have read so far."""
    poll = select.poll()
    try:
        poll.register(session.conn, select.POLLRDHUP)
    except ValueError:
        return True
    return bool(poll.poll(0))


def provider(lab, *lines, slow=0.0, server=None):
    """Its receiver counts connections up to the reply to QUIT, after which the
    other side is free to begin another one, or to their end: r.most."""
    lock = threading.Lock()

    def dot(session):
        time.sleep(slow)
        return "250 2.0.0 taken"

    def banner(session):
        with lock:
            r.now = [s for s in r.now if not is_closed(s)] + [session]
            r.most = max(r.most, len(r.now))
        return "220 prov.test ESMTP"

    def bye(session):
        with lock:
            r.now = [s for s in r.now if s is not session]
        return "221 2.0.0 bye"
    port = base.free_port("127.0.0.1", "127.0.0.2")
    r = lab.receiver(port=port, dot=dot, banner=banner, quit=bye)
    r.now, r.most = [], 0
    other = lab.receiver(port=port, address="127.0.0.2", dot=dot)
    it = lab.postern(conf(server or lab.dns(PROVIDER), port, lines=lines))
    return it, r, other


def killed(it, program):
    """A process of this program dies, and another one comes."""
    pid = it.pids(program)[0]
    os.kill(pid, signal.SIGKILL)
    base.wait_until(lambda: pid not in it.pids(program) and
                    it.pids(program), f"another {program}", 45)


def test_group_concurrency(lab):
    """Never more connections to all of them, whichever processes and domains,
    idle ones counted; whoever else does as always, also when the queue dies in
    between."""
    it, r, other = provider(lab, 'limit mx "*.prov.test" concurrency 3',
                            slow=0.05)
    feed(it, 20, "o.test", *DOMAINS)
    r.wait(30, timeout=40)
    killed(it, "queue")
    r.wait(120, timeout=60)
    other.wait(20)
    it.empty()
    assert r.most == 3
    assert other.most_open > 3
    to = [m.rcpts[0].partition("@")[2] for m in r.messages[:60]]
    # Fair turns: nobody is at the end while another has all.
    counts = [to.count(d) for d in DOMAINS]
    assert min(counts) >= 3, counts


def test_group_and_domain(lab):
    """Both hold: of one domain, and of all."""
    it, r, other = provider(lab, 'limit mx { "nobody.test", "*.o.test" } '
                            "concurrency 9", 'limit mx "*.prov.test" '
                            "concurrency 2",
                            'limit domain "d0.test" concurrency 1', slow=0.05)
    feed(it, 20, "d0.test", "d1.test")
    r.wait(40, timeout=60)
    it.empty()
    assert r.most == 2
    begun = it.ctl("explain", "--json", "b@d0.test").json
    said = [s.get("text") for s in begun if s["step"] == "limit"]
    assert "at most 1 connections at once, 0 now" in said
    assert any(t.startswith("at most 2 connections at once to all of MX "
                            "*.prov.test") for t in said), said


def test_group_rate(lab):
    """Never more messages in any window to all of them, also when queue,
    deliver and the whole of it are begun anew."""
    it, r, other = provider(lab, 'limit mx "*.prov.test" rate 8/4s')
    feed(it, 5, "o.test", *DOMAINS)
    other.wait(5)
    r.wait(8)
    for _ in range(2):
        killed(it, "queue")
    r.wait(12, timeout=30)
    killed(it, "deliver")
    it.stop()
    it.start()
    routes = it.ctl("show", "routes").stdout
    r.wait(30, timeout=60)
    it.empty()
    times = sorted(m.time for m in r.messages)
    assert windows(times, 8, 3.8), [t - times[0] for t in times]
    # What went when one was killed may go twice.
    assert len({m.rcpts[0] for m in r.messages}) == 30
    assert len(times) <= 30 + 4 * 8
    assert "limit:*.prov.test" in routes, routes


def test_group_of_many(lab):
    """What waits for a group waits in the index, and keeps nobody else."""
    it, r, other = provider(lab, 'limit mx "*.prov.test" rate 1/1h')
    it.ctl("pause")
    for k in range(5):
        it.send("s@c.test", [f"b{k}.{n}@{d}" for n in range(150)
                             for d in DOMAINS])
    it.ctl("resume")
    base.wait_until(lambda: sum(q["parked"] for q in it.queue()) > 4000,
                    "parked", 40)
    it.send("s@c.test", "b@o.test")
    other.wait(1, timeout=45)
    assert len(r.messages) == 1
    status = it.ctl("show", "status").stdout
    assert "routes that wait by a rate: 1" in status, status
    it.ctl("remove", "all")
    it.empty()


def test_group_not_yet_known(lab):
    """While nobody knows whose limits hold nothing goes there; from the first
    message on they do."""
    known = threading.Event()
    answers = {("MX", "d0.test."): "10 m0.prov.test.",
               ("MX", "d1.test."): "10 m1.prov.test.",
               ("A", "m0.prov.test."): "127.0.0.1",
               ("A", "m1.prov.test."): "127.0.0.1"}

    def zone(query, tcp):
        name = query.question[0].name.to_text().lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        if not known.is_set():
            return []
        if (kind, name) not in answers:
            return liar.nxdomain(query, tcp)
        return [liar.answer(query, (name, 60, kind, answers[kind, name]))
                .to_wire()]
    server = lab.liar({}, default=zone)
    it, r, other = provider(lab, 'limit mx "*.prov.test" concurrency 1',
                            slow=0.05, server=server)
    feed(it, 5, "d0.test", "d1.test")
    time.sleep(1)
    assert not r.messages and not r.most
    known.set()
    r.wait(10, timeout=90)
    it.empty()
    assert r.most == 1


def test_counted_beside_a_slow_one_of_before(lab):
    """A reload: what the old deliver process still waits for counts, and does
    not keep the rest of its places from the new one."""
    first, over = threading.Event(), threading.Event()

    def dot(session):
        if not first.is_set():
            first.set()
            over.wait(100)
        return "250 2.0.0 taken"
    port = base.free_port("127.0.0.1")
    x = lab.receiver(port=port, dot=dot)
    it = lab.postern(conf(lab.dns(NAMES), port, lines=(
        'limit domain "x.test" concurrency 2',)))
    it.send("s@c.test", ["slow@x.test"])
    assert first.wait(45)
    it.ctl("reload")
    it.send("s@c.test", ["quick@x.test"])
    base.wait_until(lambda: any("quick@x.test" in m.rcpts
                                for m in x.messages), "the other one")
    over.set()
