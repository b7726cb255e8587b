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
