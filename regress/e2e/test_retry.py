"""When it is tried again, and what is remembered of that.

SPDX-License-Identifier: ISC
"""
import json
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


# ---- what a reply asks for, and what it is about ----

GREY = "450 4.7.1 <b@x.test>: Recipient address rejected: Greylisted, " \
    "please try again in 4 seconds"


def test_after(lab):
    """A greylisted recipient is tried again when it is asked to be, over the
    steps, shorter or longer."""
    for retry in ("1s*1000", "1h"):
        times = []

        def say(session):
            times.append(time.monotonic())
            return GREY if len(times) == 1 else "250 2.1.5 ok"
        r = lab.receiver(rcpt=say)
        it = lab.postern(conf(lab.dns(), r.port, retry=retry))
        it.send("a@c.test", "b@x.test")
        row = base.wait_until(lambda: [q for q in it.queue()
                                       if q["attempts"]], "one attempt")[0]
        assert row["last"]["cause"] == "rate"
        assert row["last"]["stage"] == "rcpt"
        assert row["last"]["after"] == 4
        assert " rate/rcpt " in it.ctl("show", "queue").stdout
        r.wait(1, timeout=30)
        assert 4 <= times[1] - times[0] < 40, (retry, times)
        it.logged(r"delivery to=.* result=later .* cause=rate stage=rcpt ")
        it.empty()
        it.stop()


def test_after_not_past_the_end(lab):
    """However long it asks for: the mail is given up at its time."""
    r = lab.receiver(rcpt="450 4.7.1 Greylisted, try again in 3 hours")
    box = lab.receiver(address="127.0.0.3")
    it = lab.postern(conf(lab.dns(), r.port, retry="1s*1000",
                          lines=["queue ttl 3s"], rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "out" relay port {r.port}',
        'match from any for domain "c.test" action "home"',
        'match from any for any action "out"']))
    it.send("a@c.test", "b@x.test")
    box.wait(1, timeout=30)
    assert b"b@x.test" in box.messages[0].content
    assert sum(line.startswith("RCPT") for line in r.lines) == 1
    it.empty()


def test_greylisted_stops_nobody(lab):
    """One recipient waits as it is asked to; mail to others of its route goes
    meanwhile, at full pace."""
    r = lab.receiver(rcpt={"g@x.test": "451 4.7.1 Greylisted for 300 seconds"})
    it = lab.postern(conf(lab.dns(), r.port))
    it.send("a@c.test", ["g@x.test", "h@x.test"])
    for n in range(30):
        it.send("a@c.test", f"b{n}@x.test")
    r.wait(31)
    row, = base.wait_until(lambda: len(it.queue()) == 1 and it.queue(),
                           "one is left")
    assert row["recipient"] == "g@x.test" and row["attempts"] == 1
    assert not row["parked"] and row["last"]["after"] == 300
    assert it.ctl("show", "routes", "--json").json == []
    assert "route-slow" not in it.log()
    it.ctl("remove", "all")
    it.empty()


def test_mailbox_by_steps(lab):
    """A full mailbox is tried by the steps, and says nothing of the route."""
    times = []

    def say(session):
        times.append(time.monotonic())
        return "452 4.2.2 mailbox full"
    r = lab.receiver(rcpt=say)
    it = lab.postern(conf(lab.dns(), r.port, retry="2s*1000"))
    for n in range(12):
        it.send("a@c.test", f"b{n}@x.test")
    base.wait_until(lambda: len(times) >= 24, "two attempts of each", 30)
    # Twelve in a row: the route goes on.
    assert "route-slow" not in it.log() and "route-down" not in it.log()
    it.logged(r"result=later .* cause=mailbox stage=rcpt ", 24)
    r.table["rcpt"] = "250 2.1.5 ok"
    r.wait(12)
    it.empty()


def test_rate_of_a_connection(lab):
    """421 for the rate: the route makes a pause, for all that goes there, and
    goes on with less."""
    times = []

    def mail(session):
        times.append(time.monotonic())
        return "421 4.7.28 Our system has detected an unusual rate of mail " \
            "from you, please slow down" if len(times) <= 3 else "250 2.1.0 ok"
    r = lab.receiver(mail=mail)
    it = lab.postern(conf(lab.dns(), r.port, retry="20s*1000"))
    it.ctl("pause")
    for n in range(40):
        it.send("a@c.test", f"b{n}@x.test")
    it.ctl("resume")
    it.logged(r"route-slow pauses=1 wait=\d+ concurrency=2 ")
    def routes():
        found = it.ctl("show", "routes", "--json").json
        return found if isinstance(found, list) else [found]
    base.wait_until(routes, "the route is shown")
    state, = routes()
    assert state["state"] == "slow" and state["last"]["cause"] == "rate"
    out = it.ctl("explain", "--json", "b@x.test", check=False)
    assert out.returncode == 75, out.stderr
    steps = [json.loads(line) for line in out.stdout.splitlines()]
    said = [s["text"] for s in steps if s["step"] == "retry"]
    assert any(t.startswith("the route makes a pause, number 1 in a row, "
                            "rate/mail; tried again in ") for t in said), said
    before = len(times)
    assert before <= 6
    r.wait(40, timeout=120)
    it.empty(60)
    # Nothing new in the pause: who was under way is told the same.
    assert all(t < times[0] + 8 or t > times[0] + 14
               for t in times), [t - times[0] for t in times]


def test_rate_in_a_row(lab):
    """Said of each recipient, and nothing is taken between: the route makes a
    pause before all of them have tried."""
    r = lab.receiver(rcpt="451 4.7.1 Too many messages, try again later")
    it = lab.postern(conf(lab.dns(), r.port, retry="1h"))
    it.ctl("pause")
    for n in range(120):
        it.send("a@c.test", f"b{n}@x.test")
    it.ctl("resume")
    it.logged("route-slow pauses=1 ")
    time.sleep(1)

    def told():
        """How many tried, when each of them was told, and the others wait."""
        tried = sum(line.startswith("RCPT") for line in r.lines)
        rows = it.queue()
        return sum(q["attempts"] for q in rows) == tried and \
            sum(q["parked"] for q in rows) == 120 - tried and tried
    tried = base.wait_until(told, "all of them know")
    assert 10 <= tried < 40, tried
    r.table["rcpt"] = "250 2.1.5 ok"
    it.ctl("flush", "all")
    r.wait(120, timeout=40)
    it.empty()


def test_pause_over_restart(lab):
    """A pause outlives a restart, and is no failure."""
    r = lab.receiver(banner="421 4.7.0 Too many connections from your "
                     "address, try again in 6 seconds")
    it = lab.postern(conf(lab.dns(), r.port, retry="1h"))
    for n in range(5):
        it.send("a@c.test", f"b{n}@x.test")
    it.logged("route-slow pauses=1 wait=[4-9] ")
    begin = time.monotonic()
    it.stop()
    it.start()
    sessions = r.sessions
    r.table["banner"] = "220 sink.test ESMTP"
    state = it.ctl("show", "routes").stdout
    assert " slow  0 " in state, state
    assert r.sessions == sessions
    r.wait(5, timeout=30)
    assert time.monotonic() - begin > 3
    it.empty()


def test_greylisted_one_by_one(lab):
    """Who greylists each new sender and recipient is told of all of them at
    once: waiting for some before others are known there would take days."""
    seen = {}

    def say(session):
        first = seen.setdefault(session.sender, time.monotonic())
        return "250 2.1.5 ok" if time.monotonic() - first >= 5 else \
            "450 4.2.0 Greylisted, see http://x.test/greylist.html"
    r = lab.receiver(rcpt=say)
    it = lab.postern(conf(lab.dns(), r.port, retry="6s*1000"))
    for n in range(40):
        it.send(f"a{n}@c.test", f"b{n}@x.test")
    it.logged(r"result=later .* cause=rate stage=rcpt ", 40, timeout=45)
    r.wait(40)
    it.empty()
    assert "route-slow" not in it.log()
