"""Many sessions at once, and sessions that want to be in the way: others are
served as if they were not there.  How fast is `make bench`'s to say.

SPDX-License-Identifier: ISC
"""
import resource
import select
import socket
import ssl

import pytest

from lib import base
from lib.instance import conf

IDLE = 10000
IDLE_TLS = 2000
SPARE = 400  # descriptors of the test itself


@pytest.fixture
def many_files():
    """As many descriptors as the host lets us have; its number."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (old[1], old[1]))
    yield old[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


def certificate(lab):
    cert, key = lab.path("mx.crt"), lab.path("mx.key")
    out = base.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", "/CN=mx.test"])
    assert out.returncode == 0, out.stderr
    key.chmod(0o600)
    return cert, key


def instance(lab, lines=()):
    return lab.postern(conf(
        lab.dns({}),
        lines=["smtp limit max-sessions 20000", "smtp timeout 10m", *lines],
        rules=['action "out" relay host "smtp://127.0.0.1:1"',
               'match from any for any action "out"']))


def connect(port):
    """Waits for room in the backlog, as any client does."""
    s = socket.socket()
    s.settimeout(30)
    s.connect(("127.0.0.1", port))
    return s


def reply(s):
    """One reply, of which the last line is whole."""
    data = b""
    while not data.endswith(b"\n") or data.split(b"\r\n")[-2][3:4] == b"-":
        piece = s.recv(4096)
        assert piece, data
        data += piece
    return data


def test_idle(lab, many_files):
    """Ten thousand sit there; mail of others is taken; all are still there."""
    n = min(IDLE, many_files - SPARE)
    it = instance(lab)
    it.ctl("pause")
    idle = []
    try:
        while len(idle) < n:
            batch = [connect(it.port) for _ in range(min(500, n - len(idle)))]
            for s in batch:
                assert reply(s)[:3] == b"220"
            idle += batch
        for i in range(20):
            it.send("s@c.test", f"r{i}@x.test", "Subject: x\r\n\r\nx\r\n")
        for s in idle[::10]:
            s.sendall(b"NOOP\r\n")
        for s in idle[::10]:
            assert reply(s)[:3] == b"250"
        assert len(it.queue()) == 20
    finally:
        for s in idle:
            s.close()
    base.wait_until(lambda: it.log().count(" disconnect ") >= n, "all went",
                    60)


def test_idle_tls(lab, many_files):
    n = min(IDLE_TLS, many_files - SPARE)
    cert, key = certificate(lab)
    port = base.free_port()
    it = instance(lab, lines=[
        f'pki mx.test cert "{cert}"', f'pki mx.test key "{key}"',
        f"listen on 127.0.0.1 port {port} smtps pki mx.test"])
    it.ctl("pause")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    idle = []
    try:
        for _ in range(n):
            s = context.wrap_socket(connect(port))
            assert reply(s)[:3] == b"220"
            idle.append(s)
        s = context.wrap_socket(connect(port))
        for line, code in (("EHLO c.test", b"250"),
                           ("MAIL FROM:<s@c.test>", b"250"),
                           ("RCPT TO:<r@x.test>", b"250"), ("DATA", b"354"),
                           ("Subject: x\r\n\r\nx\r\n.", b"250")):
            if line == "EHLO c.test":
                reply(s)
            s.sendall(line.encode() + b"\r\n")
            assert reply(s)[:3] == code, line
        for s in idle[::10]:
            s.sendall(b"NOOP\r\n")
        for s in idle[::10]:
            assert reply(s)[:3] == b"250"
        assert len(it.queue()) == 1
    finally:
        for s in idle:
            s.close()


def never_reads(port):
    """Sends commands and never reads their replies, until it may not."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(10)
    s.connect(("127.0.0.1", port))
    s.setblocking(False)
    for _ in range(4000):
        try:
            s.send(b"VRFY somebody\r\n" * 100)
        except BlockingIOError:
            if not select.select([], [s], [], 0.1)[1]:
                break  # it takes no more
        except OSError:
            break
    return s


def half_a_line(port):
    s = connect(port)
    s.sendall(b"MAIL FROM:<" + b"a" * 100)
    return s


def half_a_message(port):
    s = connect(port)
    reply(s)
    s.sendall(b"EHLO c.test\r\nMAIL FROM:<s@c.test>\r\nRCPT TO:<r@x.test>\r\n"
              b"DATA\r\n")
    s.sendall(b"Subject: x\r\n\r\n" + b"y" * 3000)
    return s


def floods(port):
    """As much as it can be made to read."""
    s = connect(port)
    s.setblocking(False)
    for _ in range(300):
        try:
            s.send(b"\xff\x00 nonsense \r\n" * 500)
        except BlockingIOError:
            select.select([], [s], [], 0.02)
        except OSError:
            break
    return s


@pytest.mark.parametrize("pest", [never_reads, half_a_line, half_a_message,
                                  floods])
def test_pests(lab, pest):
    it = instance(lab, lines=["smtp limit max-errors 1000000"])
    it.ctl("pause")
    held = [pest(it.port) for _ in range(30)]
    try:
        for i in range(20):
            it.send("s@c.test", f"r{i}@y.test", "Subject: x\r\n\r\nx\r\n")
        assert len([q for q in it.queue()
                    if q["recipient"].endswith("@y.test")]) == 20
        for pid in it.pids("session"):
            assert base.rss_kib(pid) < 60000 or base.SANITIZED
    finally:
        for s in held:
            s.close()
    it.send("s@c.test", "last@y.test")
