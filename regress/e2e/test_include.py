"""Lists in files, by :include: of an alias: 100,000 addresses, told by parts.

Each address gets the message exactly once, in bounded memory and a reasonable
time, also when the queue is killed in the middle.

SPDX-License-Identifier: ISC
"""
import collections
import os
import re
import signal
import time

from lib import base
from lib.instance import conf
from lib.localroot import LocalRoot

NAMES = {"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"]}
MANY = 100000
PARTS = 16  # EXPAND_PARTS
IN_FLIGHT = 100  # JOB_RCPTS

# KiB of one process, however long the list is: 44,000 and 17,000 were seen.
QUEUE_HWM = 80 * 1024
LOOKUP_HWM = 40 * 1024
SECONDS = 150  # some 10 of them where nothing else runs


def high_water(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])


def stage(lab, members, aliases="", action="expand-only", wrap=()):
    """One list for big@localhost; what is for others is relayed."""
    r = lab.receiver()
    listed = lab.path("members")
    listed.write_text(members)
    os.chmod(listed, 0o644)
    table = lab.path("aliases")
    table.write_text(f"big: :include:{listed}\n{aliases}")
    it = lab.postern(conf(
        lab.dns(NAMES), lines=["hostname mx.c.test",
                               f'table aliases "file:{table}"'],
        rules=[f'action "out" relay port {r.port}',
               f'action "local" {action} alias <aliases>',
               'match from any for local action "local"',
               'match from local for any action "out"']), wrap=wrap)
    return it, r


def members(n):
    return "# the list\n" + "".join(f"user{i}@x.test\n" for i in range(n))


def taken(r):
    return sum(len(m.rcpts) for m in list(r.messages))


def everybody(r, n, timeout=SECONDS):
    base.wait_until(lambda: taken(r) >= n, f"{n} have it", timeout, 0.2)


def count(r):
    return collections.Counter(a for m in list(r.messages) for a in m.rcpts)


def expansions(it):
    """Of each that was recorded: recipients of the child, and its id."""
    return [(int(n), child) for child, n in re.findall(
        r"expanded n=\d+ child=(\w+) rcpts=(\d+)", it.log())]


def test_long_list(lab):
    """100,000 of them: in parts, each once, in bounded memory."""
    it, r = stage(lab, members(MANY))
    begin = time.monotonic()
    it.send("s@c.test", "big@localhost")
    everybody(r, MANY)
    took = time.monotonic() - begin
    for name, bound in ("queue", QUEUE_HWM), ("lookup", LOOKUP_HWM):
        most = max(high_water(p) for p in it.pids(name))
        print(f"{name}: {most} KiB at most, of {bound}")
        assert most < bound or base.SANITIZED, name
    print(f"{took:.1f} s")
    assert took < SECONDS or base.SANITIZED
    it.empty(60)
    got = count(r)
    assert len(got) == MANY and set(got.values()) == {1}
    assert got.keys() == {f"user{i}@x.test" for i in range(MANY)}
    made = expansions(it)
    assert len(made) == 1 + PARTS and len({c for _, c in made}) == 1 + PARTS
    sizes = sorted(n for n, _ in made)
    assert sizes[0] == PARTS and sum(sizes[1:]) == MANY
    # No part is much larger than another.
    assert sizes[-1] < 1.2 * MANY / PARTS
    base.wait_until(lambda: not it.spool_files(), "nothing is left", 60, 0.5)


def test_killed(lab):
    """The queue is killed while the parts are made, and while they are
    delivered: nobody is left out, and what was answered is not sent again."""
    it, r = stage(lab, members(MANY))
    it.send("s@c.test", "big@localhost")
    # As soon as the list has its parts, then with some of them made, then on
    # the way.
    for reached in (lambda: len(expansions(it)) >= 1,
                    lambda: len(expansions(it)) >= 6,
                    lambda: taken(r) > MANY // 3,
                    lambda: taken(r) > MANY // 2):
        base.wait_until(reached, "there is something to lose", 60, 0.005)
        pid, = it.pids("queue")
        os.kill(pid, signal.SIGKILL)
        base.wait_until(lambda: [p for p in it.pids("queue") if p != pid],
                        "another queue", 60)
    it.logged("child-ended name=queue instance=0 signal=9", 4)
    everybody(r, MANY, 2 * SECONDS)
    base.wait_until(lambda: not it.spool_files(), "all is done", 60, 0.5)
    got = count(r)
    assert got.keys() == {f"user{i}@x.test" for i in range(MANY)}
    twice = sum(n > 1 for n in got.values())
    print(f"{twice} have it twice")
    # Only what deliver had told to nobody at that moment: a transaction.
    assert twice <= 4 * IN_FLIGHT and max(got.values()) <= 3
    # A mark that was lost is made again, its child is not.  A child that was
    # durable when its queue was killed may be in no line that says so, but it
    # is in those of its deliveries.
    log = it.log()
    made = expansions(it)
    whole = {c for n, c in made if n == PARTS}
    parts = set(re.findall(r"(\w{13}) delivery to=", log))
    assert len(whole) == 1 and len(parts) == PARTS and not whole & parts
    assert {c for _, c in made} <= whole | parts
    children = re.findall(r"(\w{13}) removed rcpts=\d+", log)
    assert len(children) == len(set(children))


def test_ten_thousand_domains(lab):
    """One child at as many routes: the queue knows each of them while it
    gathers what is for it."""
    n = 10000
    it, r = stage(lab, "".join(f"a@d{i}.test\n" for i in range(n)))
    it.send("", "big@localhost")
    base.wait_until(lambda: it.log().count(" delivery ") >= n,
                    "each was tried", SECONDS, 0.5)
    assert "child-ended" not in it.log()
    assert it.log().count(" result=never ") == n


def test_one_that_comes_late(lab):
    """One name of several that fails now goes a way of its own, keeps nobody
    else waiting, and is shown as what it is."""
    root = lab.keep(LocalRoot(lab.path("root")))
    root.user("ann")
    own = root.write("ann", ".forward", "user0@x.test, user1@x.test\n", 0o666)
    it, r = stage(lab, members(3), "team: bob@x.test, ann, carl@x.test\n",
                  action="mbox", wrap=root.wrap)
    sent = it.send("s@c.test", "team@localhost")
    base.wait_until(lambda: taken(r) == 2, "the others have it")
    base.wait_until(lambda: [q["attempts"] for q in it.queue()] > [0],
                    "the other was tried")
    one, = it.queue()
    words = "whom this user forwards to: ann"
    assert one["for"] == words and one["id"] != sent
    assert f"({words})" in it.ctl("show", "queue").stdout
    assert f"for: {words}" in it.ctl("show", "envelope", one["id"]).stdout
    own.chmod(0o644)
    base.wait_until(lambda: taken(r) == 4, "they have it", 60)
    base.wait_until(lambda: not it.spool_files(), "all is done", 60)
    assert count(r) == dict.fromkeys(("bob@x.test", "carl@x.test",
                                      "user0@x.test", "user1@x.test"), 1)
    assert [n for n, _ in expansions(it)] == [3, 2]


def test_who_was_told_of_the_list(lab):
    """A message that had to be told of success: once, and not by each."""
    it, r = stage(lab, members(12000))
    with it.smtp() as s:
        s.ehlo()
        s.mail("s@x.test", ["RET=HDRS", "ENVID=list"])
        s.docmd("RCPT TO:<big@localhost> NOTIFY=SUCCESS,FAILURE")
        s.data(b"Subject: t\r\n\r\nhello\r\n")
    everybody(r, 12001)
    it.empty(60)
    told = [m for m in r.messages if m.rcpts == ["s@x.test"]]
    assert len(told) == 1 and b"Action: expanded" in told[0].content
    assert len(count(r)) == 12001


def test_owner(lab):
    """RFC 5321 3.9.2: who owns the list hears of it, of each part; RFC 3461
    5.2.7: the sender hears that the list has it, and no more."""
    it, r = stage(lab, members(12000) + "gone@nowhere.test\n",
                  "owner-big: ann@x.test\n")
    with it.smtp() as s:
        s.ehlo()
        s.mail("s@x.test", ["RET=FULL", "ENVID=mine"])
        s.docmd("RCPT TO:<big@localhost> NOTIFY=SUCCESS,FAILURE")
        s.data(b"Subject: t\r\n\r\nhello\r\n")
    everybody(r, 12002)
    it.empty(60)
    notices = {m.rcpts[0]: m.content for m in r.messages if not m.sender}
    assert notices.keys() == {"ann@x.test", "s@x.test"}
    told = notices["s@x.test"]
    assert b"Action: delivered" in told and b"mine" in told
    assert b"Final-Recipient: rfc822; big@localhost" in told
    told = notices["ann@x.test"]
    assert b"Action: failed" in told and b"gone@nowhere.test" in told
    assert b"mine" not in told
    lists = [m for m in r.messages if m.sender]
    assert {m.sender for m in lists} == {"owner-big@localhost"}
    assert set(count(r).values()) == {1}
