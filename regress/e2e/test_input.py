"""What strangers do to the port: each gets its answer, no memory, no death.

SPDX-License-Identifier: ISC
"""
import random
import socket
import time

import pytest

from lib import base, talk
from lib.instance import conf

COVERS = ["TIMEOUT", "SHUTDOWN"]


def memory(it):
    return sum(base.rss_kib(p) for p in it.pids())


def pids(it):
    return sorted(it.pids())


@pytest.fixture
def it(lab):
    r = lab.receiver()
    instance = lab.postern(conf(lab.dns(), r.port))
    instance.receiver = r
    yield instance
    # Whatever it was: mail still goes through.
    n = len(r.messages)
    instance.send("a@c.test", "after@x.test")
    r.wait(n + 1)


def drain(s, seconds=5):
    """What the server says until it closes or is quiet."""
    said = b""
    s.settimeout(seconds)
    try:
        while True:
            got = s.recv(65536)
            if not got:
                break
            said += got
    except OSError:
        pass
    return said


def test_garbage(it):
    """Random bytes, many sessions of them."""
    before = pids(it)
    dice = random.Random(20)
    for n in range(60):
        s = it.connect(10)
        try:
            for _ in range(dice.randrange(1, 8)):
                s.sendall(dice.randbytes(dice.randrange(1, 5000)) +
                          (b"\r\n" if dice.random() < 0.5 else b""))
        except OSError:
            pass  # closed on us after too many errors: right
        s.close()
    assert pids(it) == before
    it.healthy()


def test_garbage_around_commands(it):
    """Commands with bytes changed, cut off, doubled: any reply, never death."""
    before = pids(it)
    dice = random.Random(21)
    good = [b"EHLO c.test\r\n", b"MAIL FROM:<a@c.test> SIZE=10\r\n",
            b"RCPT TO:<b@x.test>\r\n", b"DATA\r\n", b"Subject: x\r\n\r\n.\r\n",
            b"RSET\r\n", b"NOOP\r\n", b"VRFY x\r\n"]
    for n in range(150):
        s = it.connect(10)
        try:
            for line in good:
                line = bytearray(line)
                for _ in range(dice.randrange(0, 3)):
                    at = dice.randrange(len(line))
                    how = dice.randrange(3)
                    if how == 0:
                        line[at] = dice.randrange(256)
                    elif how == 1:
                        del line[at:at + dice.randrange(1, 4)]
                    else:
                        line[at:at] = line[at:at + 9] * dice.randrange(1, 9)
                    if not line:
                        break
                s.sendall(line)
            s.sendall(b"\r\n.\r\nQUIT\r\n")
        except OSError:
            pass
        assert drain(s, 2).startswith(b"220 ")
        s.close()
    assert pids(it) == before
    it.healthy()


def test_line_without_end(it):
    """10 MB without a line end: an error or the door, and bounded memory."""
    before, was = pids(it), memory(it)
    s = it.connect(30)
    assert s.recv(100).startswith(b"220 ")
    sent = 0
    try:
        for _ in range(160):
            s.sendall(b"x" * 65536)
            sent += 65536
    except OSError:
        pass
    peak = memory(it)
    assert peak - was < 3000 or base.SANITIZED and peak - was < 30000, \
        f"{peak - was} KiB more"
    try:
        s.sendall(b"\r\nNOOP\r\n")
    except OSError:
        pass
    said = drain(s, 3)
    assert said.startswith((b"500 5.5.2 ", b"421 ")), said[:100]
    s.close()
    assert pids(it) == before


def test_content_line_without_end(it):
    """The same in content: too long a line is said after the dot."""
    was = memory(it)
    w = talk.Wire(it.address, it.port, 60)
    w.reply()
    for line in ("EHLO c.test", "MAIL FROM:<a@c.test>",
                 "RCPT TO:<b@x.test>", "DATA"):
        w.ask(line)
    for _ in range(160):
        w.send(b"y" * 65536)
    peak = memory(it)
    w.send(b"\r\n.\r\n")
    assert w.reply().startswith(("550 5.6.0", "552 5.3.4"))
    assert w.ask("NOOP").startswith("250")
    assert peak - was < 3000 or base.SANITIZED, f"{peak - was} KiB more"
    w.close()


def test_header_without_end(it):
    """A header of megabytes."""
    w = talk.Wire(it.address, it.port, 60)
    w.reply()
    for line in ("EHLO c.test", "MAIL FROM:<a@c.test>",
                 "RCPT TO:<b@x.test>", "DATA"):
        w.ask(line)
    for n in range(2000):
        w.send(b"X-Field: " + b"z" * 900 + b"\r\n")
    w.send(b"\r\nbody\r\n.\r\n")
    assert w.reply().startswith("552 5.3.4")
    w.close()


def test_100000_recipients(it):
    """Taken up to the limit, 452 for the rest, all in bounded memory."""
    was = memory(it)
    w = talk.Wire(it.address, it.port, 60)
    w.reply()
    w.ask("EHLO c.test")
    w.ask("MAIL FROM:<a@c.test>")
    good = full = 0
    for batch in range(1000):
        w.send(b"".join(b"RCPT TO:<r%d@x.test>\r\n" % (100 * batch + n)
                        for n in range(100)))
        for n in range(100):
            got = w.reply()
            if got.startswith("250 2.1.5"):
                good += 1
            elif got.startswith("452 4.5.3"):
                full += 1
            else:
                assert got.startswith("421"), got
                break
        else:
            continue
        break
    assert good == 1000 and full > 0
    assert memory(it) - was < 6000 or base.SANITIZED
    if good + full == 100000:
        assert w.ask("DATA").startswith("354")
        w.send(b"Subject: many\r\n\r\nx\r\n.\r\n")
        assert w.reply().startswith("250 2.0.0")
        base.wait_until(
            lambda: sum(len(m.rcpts) for m in it.receiver.messages) == 1000,
            "a thousand served", 30)
    w.close()


def spool_tmp(it):
    return list((it.root / "spool/tmp").iterdir())


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_gone_in_data(it, how):
    """The client leaves in mid-DATA: nothing is kept of it."""
    w = talk.Wire(it.address, it.port)
    w.reply()
    for line in ("EHLO c.test", "MAIL FROM:<a@c.test>",
                 "RCPT TO:<gone@x.test>", "DATA"):
        got = w.ask(line)
    assert got.startswith("354")
    w.send(b"Subject: half\r\n\r\n" + b"line\r\n" * 10000)
    base.wait_until(lambda: spool_tmp(it), "a file in tmp")
    if how == "reset":
        import struct
        w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("ii", 1, 0))
    if how == "half":
        w.sock.shutdown(socket.SHUT_WR)
        drain(w.sock, 3)
    w.close()
    base.wait_until(lambda: not spool_tmp(it), "the file goes")
    assert not it.queue()
    assert not any("gone@x.test" in m.rcpts for m in it.receiver.messages)


def test_gone_before_answer(it):
    """The client says the dot and leaves: it may be kept, never in part."""
    body = base.WHOLE + b"Subject: dot\r\n\r\n" + b"line\r\n" * 1000
    for _ in range(20):
        w = talk.Wire(it.address, it.port)
        w.reply()
        for line in ("EHLO c.test", "MAIL FROM:<a@c.test>",
                     "RCPT TO:<b@x.test>", "DATA"):
            w.ask(line)
        w.send(body + b".\r\n")
        w.close()
    time.sleep(1)
    it.empty()
    assert not spool_tmp(it)
    for m in it.receiver.messages:
        assert m.content.endswith(body)


def slow_instance(lab):
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port, lines=[
        "smtp timeout 2s", "smtp data-timeout 2s"]))
    return it, r


def trickle(sock, text, limit):
    """One byte a second... a little faster; seconds until it was closed."""
    begin = time.monotonic()
    said = b""
    sock.settimeout(0.4)
    for byte in text:
        if time.monotonic() - begin > limit:
            return None, said
        try:
            sock.sendall(bytes([byte]))
        except OSError:
            return time.monotonic() - begin, said
        try:
            got = sock.recv(4096)
            if not got:
                return time.monotonic() - begin, said
            said += got
        except socket.timeout:
            pass
        except OSError:
            return time.monotonic() - begin, said
    return None, said


def test_slow_command(lab):
    """A byte now and then does not prolong the time for a command."""
    it, r = slow_instance(lab)
    s = it.connect()
    s.recv(100)
    took, said = trickle(s, b"NOOP " + b"x" * 100, 30)
    assert took is not None and took < 20, (took, said)
    assert said.startswith(b"421 4.4.2 "), said
    s.close()


def test_idle(lab):
    """Nothing said at all."""
    it, r = slow_instance(lab)
    s = it.connect()
    s.recv(100)
    begin = time.monotonic()
    said = drain(s, 45)
    assert said.startswith(b"421 4.4.2 ")
    assert 1 < time.monotonic() - begin < 20
    s.close()


def test_slow_content(lab):
    """Content that stops: the time-out holds and nothing is kept."""
    it, r = slow_instance(lab)
    w = talk.Wire(it.address, it.port)
    w.reply()
    for line in ("EHLO c.test", "MAIL FROM:<a@c.test>",
                 "RCPT TO:<b@x.test>", "DATA"):
        w.ask(line)
    w.send(b"Subject: slow\r\n\r\n")
    assert drain(w.sock, 45).startswith(b"421 4.4.2 ")
    w.close()
    base.wait_until(lambda: not spool_tmp(it), "the file goes")
    assert not it.queue()


def test_many_idle(it):
    """Hundreds that say nothing: the next one is served all the same."""
    crowd = [it.connect(10) for _ in range(400)]
    for s in crowd:
        assert s.recv(100).startswith(b"220 ")
    begin = time.monotonic()
    it.send("a@c.test", "b@x.test")
    assert time.monotonic() - begin < 20
    for s in crowd:
        s.close()


def test_reader_that_does_not_read(it):
    """Commands without end, answers never read: bounded, and others go on."""
    was = memory(it)
    s = it.connect()
    s.setblocking(False)
    sent = 0
    end = time.monotonic() + 4
    while time.monotonic() < end and sent < 60 << 20:
        try:
            sent += s.send(b"NOOP\r\n" * 10000)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            break
    assert memory(it) - was < 6000 or base.SANITIZED
    it.send("a@c.test", "b@x.test")
    s.close()


def test_log_is_not_forged(it):
    """What a stranger says cannot make a log line."""
    s = it.connect()
    s.recv(100)
    s.sendall(b"EHLO x\r\nMAIL FROM:<\"a\\\" accept from=x\"@c.test>\r\n"
              b"RCPT TO:<b\xff\x1b[31m@x.test>\r\nQUIT\r\n")
    drain(s, 3)
    s.close()
    time.sleep(0.3)
    assert "\x1b" not in it.log()


def test_shutdown_reply(lab):
    """SIGTERM: a client in the middle is told 421."""
    it = lab.postern(conf(lab.dns(), 1))
    w = talk.Wire(it.address, it.port)
    w.reply()
    w.ask("EHLO c.test")
    it.stop()
    assert drain(w.sock).startswith(b"421 4.3.2 ")
    w.close()
