"""When it is tried again, and what is remembered of that.

SPDX-License-Identifier: ISC
"""
import time

from lib import base
from lib.instance import conf


def gaps(times):
    return [b - a for a, b in zip(times, times[1:])]


def timed(lab, retry):
    times = []

    def say(session):
        times.append(time.monotonic())
        return "450 4.2.1 later"
    r = lab.receiver(rcpt=say)
    it = lab.postern(conf(lab.dns(), r.port, retry=retry))
    return it, r, times


def test_grows(lab):
    """The steps as written, then doubled up to the ceiling, each with jitter."""
    it, r, times = timed(lab, "1s, 2s up to 4s")
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: len(times) >= 5, "five attempts", 30)
    found = gaps(times)
    for got, want in zip(found, (1, 2, 4, 4)):
        assert want * 0.5 <= got <= want * 1.3 + 1.5, found
    row, = it.queue()
    assert row["attempts"] >= 4
    assert row["last"]["text"].endswith("later")
    assert row["last"]["code"] == 450


def test_jitter(lab):
    """What failed together does not come back together."""
    it, r, times = timed(lab, "20s")
    it.send("a@c.test", [f"b{n}@x.test" for n in range(40)])
    base.wait_until(lambda: len(times) >= 40, "forty refusals")
    base.wait_until(lambda: all(q["attempts"] for q in it.queue()),
                    "all are recorded")
    assert len({q["next"] for q in it.queue()}) > 2


def test_remembered(lab):
    """Attempts and next try outlive a restart."""
    it, r, times = timed(lab, "1s*2, 1h")
    ident = it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: it.queue()[0]["attempts"] == 3, "three attempts")
    before, = it.queue()
    it.stop()
    it.start()
    after, = it.queue()
    assert after["id"] == ident
    assert after["attempts"] == 3 and after["next"] == before["next"]
    time.sleep(1.5)
    assert len(times) == 3, "tried too early"


def test_by_domain(lab):
    """Each domain has its own steps: exact, below another, or the default;
    the first line that names it."""
    times = {}

    def say(session):
        times.setdefault(session.key, []).append(time.monotonic())
        return "450 4.2.1 later"
    r = lab.receiver()
    reply = r.reply

    def by_address(stage, session, key):
        session.key = key
        return reply(stage, session, key)
    r.reply = by_address
    r.table["rcpt"] = say
    mx = {f"{n}.test": ["MX 10 mx.x.test."] for n in
          ("x", "y", "sub.z", "z", "xn--bcher-kva")}
    it = lab.postern(conf(
        lab.dns({**mx, "mx.x.test": ["A 127.0.0.1"]}), r.port, retry="1h",
        lines=['retry domain "X.test" 1s*100',
               'retry domain { "nowhere.test", "*.z.test", "b\u00fccher.test" } '
               "2s*100",
               'retry domain "sub.z.test" 1h']))
    to = [f"b@{d}" for d in ("x.test", "y.test", "sub.z.test", "z.test",
                             "xn--bcher-kva.test")]
    for rcpt in to:
        it.send("a@c.test", rcpt)
    base.wait_until(lambda: len(times.get(to[2], ())) >= 3 and
                    len(times.get(to[4], ())) >= 3, "three attempts", 30)
    for rcpt, step in ((to[0], 1), (to[2], 2), (to[4], 2)):
        for got in gaps(times[rcpt]):
            assert step * 0.5 <= got <= step * 1.3 + 1.5, (rcpt, got)
    assert len(times[to[0]]) > len(times[to[2]])
    assert len(times[to[1]]) == len(times[to[3]]) == 1


def test_route_by_domain(lab):
    """A route that is down is tried by the steps of its own name: the domain
    of mail that goes to its mail servers, the host of another."""
    port = base.free_port("127.0.0.2")
    dns = lab.dns({"x.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, retry="1h", lines=[
        'retry domain "127.0.0.2" 1s*100', 'retry domain "x.test" 2h'],
        rules=[f'action "out" relay host "smtp://127.0.0.2:{port}"',
               'match from any for any action "out"']))
    it.send("a@c.test", "b@x.test")
    it.logged(r"route-down failures=3 wait=[123] ")
    r = lab.receiver(address="127.0.0.2", port=port)
    r.wait(1)
    it.empty()


def test_ttl_of_action(lab):
    """An action's ttl in place of the queue's, shorter or longer; also when
    the index is made again and it was never tried since."""
    r = lab.receiver(rcpt="450 4.2.1 later")
    box = lab.receiver(address="127.0.0.3")
    dns = lab.dns({"x.test": ["A 127.0.0.1"], "y.test": ["A 127.0.0.1"],
                   "z.test": ["A 127.0.0.1"]})
    it = lab.postern(conf(dns, retry="1s*1000", lines=["queue ttl 4s"], rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "short" relay port {r.port} ttl 2s',
        f'action "long" relay port {r.port} ttl 1h',
        f'action "out" relay port {r.port}',
        'match from any for domain "c.test" action "home"',
        'match from any for domain "x.test" action "short"',
        'match from any for domain "y.test" action "long"',
        'match from any for any action "out"']))
    begin = time.monotonic()
    it.send("a@c.test", "b@x.test")
    it.send("a@c.test", "b@y.test")
    it.send("a@c.test", "b@z.test")
    box.wait(1)
    # It counts from the whole second in which it came.
    assert time.monotonic() - begin > 0.9
    assert b"b@x.test" in box.messages[0].content
    box.wait(2)
    assert b"b@z.test" in box.messages[1].content
    base.wait_until(lambda: [q["recipient"] for q in it.queue()] ==
                    ["b@y.test"], "the others are done")
    it.ctl("rebuild")
    time.sleep(2)
    row, = base.wait_until(lambda: it.queue(), "made again")
    assert row["recipient"] == "b@y.test"
    base.wait_until(lambda: it.queue()[0]["attempts"] >= 2, "tried again", 30)
    assert len(box.messages) == 2
    r.table["rcpt"] = "250 2.1.5 ok"
    it.ctl("flush", "all")
    it.empty()


def test_wakes_route(lab):
    """The first success wakes what waits for the same place."""
    from lib.receiver import Receiver
    port = base.free_port("127.0.0.2")
    dns = lab.dns({"x.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, port, retry="2s, 1h"))
    for n in range(20):
        it.send("a@c.test", f"b{n}@x.test")
    base.wait_until(lambda: all(q["attempts"] or q["parked"]
                                for q in it.queue()), "it is down")
    r = lab.receiver(address="127.0.0.2", port=port)
    it.ctl("flush", "@x.test")
    base.wait_until(lambda: len(r.messages) == 20, "all when it is up")
    it.empty()
