"""libexec/local by itself: a process that stays for the same user's next
message.

SPDX-License-Identifier: ISC
"""
import os
import signal
import socket

import pytest

from lib import base
from lib.local import READ, Local
from lib.localroot import LocalRoot

pytestmark = pytest.mark.skipif(not base.IS_ROOT, reason="becomes users")

LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 9000


@pytest.fixture(scope="module")
def root(shared_lab):
    return shared_lab.keep(LocalRoot(shared_lab.path("root"), mail_size="4m"))


@pytest.fixture
def local(root):
    return Local(root)


@pytest.fixture
def user(root):
    name = f"s{root.next_uid}"
    root.user(name)
    return name


def plain(n):
    return b"Subject: number-%d\r\n\r\nhello\r\n" % n


def leave(run):
    """Its end is said; it has none of ours open meanwhile."""
    run.start.close()
    assert run.proc.wait(30) == 0


def descriptors(run):
    """Those of local itself: unshare and setpriv are gone by now."""
    return sorted(map(int, os.listdir(f"/proc/{run.pid}/fd")))


@pytest.mark.parametrize("method", ["mbox", "maildir"])
def test_stays(local, root, user, method):
    """One after the other; one that fails harms no other."""
    run = local.begin(user, plain(0), method=method, stays=1)
    assert run.said().verdict == "done"
    for n in range(1, 4):
        local.begin(user, plain(n), method=method, stays=1, on=run)
        assert run.said().verdict == "done"
    loop = b"Delivered-To: %s@here.test\r\n" % user.encode() + plain(9)
    local.begin(user, loop, method=method, stays=1, on=run)
    got = run.said()
    assert (got.verdict, got.ecode) == ("never", "5.4.6"), got
    local.begin(user, plain(9), method=method, more=5, stays=1, on=run)
    got = run.said()
    assert (got.verdict, got.text) == ("later", "the content was cut short")
    local.begin(user, LARGE, method=method, stays=1, on=run)
    got = run.said()
    assert (got.verdict, got.ecode) == ("done", "2.0.0"), got
    assert run.proc.poll() is None
    leave(run)
    texts = root.mbox(user) if method == "mbox" else root.maildir(user)
    subjects = sorted(line for text in texts for line in text.split(b"\n")
                      if line.startswith(b"Subject: "))
    assert subjects == [b"Subject: large"] + [
        b"Subject: number-%d" % n for n in range(4)]


def test_holds_nothing(local, user):
    run = local.begin(user, plain(0), method="maildir", stays=1)
    run.said()
    before = descriptors(run)
    assert before == [0, 1, 2, 3]
    for n in range(3):
        local.begin(user, plain(n), method="maildir", stays=1, on=run)
        run.said()
    assert descriptors(run) == before
    assert {os.readlink(f"/proc/{run.pid}/fd/{n}") for n in (0, 1)} == {
        "/dev/null"}
    leave(run)


def test_last(local, root, user):
    """It is told that none will follow."""
    run = local.begin(user, plain(0), stays=1)
    run.said()
    local.begin(user, plain(1), on=run)
    assert run.answer().status == 0
    assert len(root.mbox(user)) == 2


def test_told_to_end(local, user):
    run = local.begin(user, plain(0), stays=1)
    run.said()
    os.kill(run.pid, signal.SIGTERM)
    assert run.proc.wait(30) == 0
    run.start.close()


@pytest.mark.parametrize("what", ["short", "long", "no descriptor", "one",
                                  "three", "magic", "reading"])
def test_told_nonsense(local, root, user, what):
    """It does nothing, and ends."""
    run = local.begin(user, plain(0), stays=1)
    run.said()
    sent = []

    class Spy:
        def next(self, start, content):
            sent.append(bytes(start))
    fields = {"magic": {"magic": 1}, "reading": {"doing": READ}}
    local.begin(user, plain(1), stays=1, on=Spy(), **fields.get(what, {}))
    raw = {"short": sent[0][:-1], "long": sent[0] + b"x"}.get(what, sent[0])
    ends = [os.pipe() for _ in range(2)]
    fds = [ends[0][0], ends[1][1], ends[0][0]][
        :{"no descriptor": 0, "one": 1, "three": 3}.get(what, 2)]
    os.write(ends[0][1], plain(1))
    if fds:
        socket.send_fds(run.start, [raw], fds)
    else:
        run.start.send(raw)
    assert run.proc.wait(30) == 0
    for fd in (fd for pair in ends for fd in pair):
        os.close(fd)
    run.start.close()
    assert len(root.mbox(user)) == 1
