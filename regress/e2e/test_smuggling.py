"""Ends of data that are none: what one server takes for content and the next
for the end lets a client send mail in another's name.  Through Postern to a
real Postfix, which in this version still takes LF.LF for an end, one message
arrives or none; never two.

SPDX-License-Identifier: ISC
"""
import re
import socket
import time

import pytest

from lib import base
from lib.instance import conf

# Columns: name, bytes.  None of them is CRLF.CRLF.
ENDS = {
    "lf-lf": b"\n.\n",
    "lf-crlf": b"\n.\r\n",
    "crlf-lf": b"\r\n.\n",
    "cr-cr": b"\r.\r",
    "cr-crlf": b"\r.\r\n",
    "crlf-cr": b"\r\n.\r",
    "cr-lf": b"\r.\n",
    "lf-cr": b"\n.\r",
    "crlf-crcrlf": b"\r\n.\r\r\n",
    "crcrlf-crcrlf": b"\r\r\n.\r\r\n",
    "lf-crcrlf": b"\n.\r\r\n",
    "lfcr-lfcr": b"\n\r.\n\r",
    "crlf-lfcr": b"\r\n.\n\r",
    "lflf-lflf": b"\n\n.\n\n",
    "crlf-lflf": b"\r\n.\n\n",
    "lf-lf-crlf": b"\n.\n\r\n",
    "crlf-lf-lf": b"\r\n\n.\n",
    "nul-before": b"\r\n\0.\r\n",
    "nul-after": b"\r\n.\0\r\n",
    "nul-in-crlf": b"\r\n.\r\0\n",
    "nul-first-crlf": b"\r\0\n.\r\n",
    "lf-nul": b"\n\0.\n",
    "blank-before": b"\r\n .\r\n",
    "blank-after": b"\r\n. \r\n",
    "tab-after": b"\r\n.\t\r\n",
    "two-dots": b"\r\n..\r\n",
    "three-dots": b"\r\n...\r\n",
    "vertical-tab": b"\x0b.\x0b",
    "form-feed": b"\x0c.\x0c",
    "file-separator": b"\x1c.\x1c",
    "next-line": b"\x85.\x85",
    "next-line-utf8": b"\xc2\x85.\xc2\x85",
    "line-separator": b"\xe2\x80\xa8.\xe2\x80\xa8",
    "wide-dot": b"\r\n\xef\xbc\x8e\r\n",
    "overlong-dot": b"\r\n\xc0\xae\r\n",
    "high-bits": b"\x8d\x8a\xae\x8d\x8a",
    "overlong-crlf": b"\xc0\x8d\xc0\x8a.\xc0\x8d\xc0\x8a",
    "backspace": b"\r\n.x\x08\r\n",
    "quoted-printable": b"=0D=0A.=0D=0A",
    "soft-break": b"=\n.=\n",
    "escaped": b"\\r\\n.\\r\\n",
    "delete": b"\r\n.\x7f\r\n",
}
assert len(ENDS) >= 30
assert not any(b"\r\n.\r\n" in e for e in ENDS.values())

# Columns: name, `smtp bare-newline`, how many bytes a write has (0: all at once).
WAYS = {"reject": ("reject", 0), "fix": ("fix", 0), "pieces": ("fix", 3)}


def smuggled(mark):
    """What would be another message if the end were one."""
    return (f"MAIL FROM:<evil@c.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\n"
            f"Subject: smuggled\r\nX-Mark: {mark}\r\n\r\nevil").encode()


def whole(mark):
    return base.WHOLE + (f"Subject: outer\r\nX-Mark: {mark}\r\n\r\n"
                         "before").encode()


@pytest.fixture(scope="module")
def stage(shared_lab):
    peer = shared_lab.postfix(domains=["x.test"], settings="\n".join([
        "smtpd_forbid_bare_newline = no", "smtpd_forbid_unauth_pipelining = no",
        "message_size_limit = 20000000", "mailbox_size_limit = 0"]))
    running = {}

    def get(newline):
        if newline not in running:
            running[newline] = shared_lab.postern(conf(
                host=f"smtp://127.0.0.1:{peer.port}",
                lines=[f"smtp bare-newline {newline}"]))
        return running[newline]
    return get, peer


class Talk:
    def __init__(self, it):
        self.sock = it.connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.reply()

    def reply(self):
        while True:
            line = self.file.readline().decode()
            if line[3:4] != "-":
                return line

    def ask(self, line, want):
        self.sock.sendall(line.encode() + b"\r\n")
        got = self.reply()
        assert got.startswith(want), (line, got)

    def begin(self):
        self.ask("EHLO c.test", "250")
        self.ask("MAIL FROM:<a@c.test> BODY=8BITMIME", "250")
        self.ask("RCPT TO:<b@x.test>", "250")

    def write(self, data, piece):
        for at in range(0, len(data), piece or len(data)):
            self.sock.sendall(data[at:at + (piece or len(data))])
            if piece:
                time.sleep(0.0005)

    def rest(self):
        """All other replies, after QUIT."""
        self.sock.sendall(b"QUIT\r\n")
        return self.file.read().decode()


def delivered(peer, mark):
    """What arrived with this mark: (sender, file's bytes)."""
    found = []
    for f in peer.files():
        body = f.read_bytes()
        if f"X-Mark: {mark}\n".encode() in body:
            sender = re.search(rb"^Return-Path: <(.*)>", body, re.M)[1]
            found.append((sender.decode(), body))
    return found


def settle(it, peer):
    """Nothing is on its way any more."""
    it.empty()

    def idle():
        return peer.command("postqueue", "-p").stdout.startswith(
            "Mail queue is empty")
    base.wait_until(idle, "the queue of Postfix is empty", 45, 0.2)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_data(stage, end, way):
    newline, piece = WAYS[way]
    get, peer = stage
    it = get(newline)
    mark = f"{end}.{way}"
    t = Talk(it)
    t.begin()
    t.ask("DATA", "354")
    t.write(whole(mark) + ENDS[end] + smuggled(mark) + b"\r\n.\r\n", piece)
    got = t.reply()
    rest = t.rest()
    # Nothing of it was a command.
    assert rest.startswith("221 ") and rest.count("\n") == 1, (got, rest)
    assert got[:3] in ("250", "550"), got
    if got[:3] == "250":
        base.wait_until(lambda: delivered(peer, mark), f"{mark} arrives")
    settle(it, peer)
    there = delivered(peer, mark)
    assert len(there) == (1 if got[:3] == "250" else 0), (got, there)
    for sender, body in there:
        assert sender == "a@c.test"
        assert b"\nevil" in body, "it was cut"
    if way == "reject" and re.search(rb"\r(?!\n)|(?<!\r)\n|\0", ENDS[end]):
        assert got.startswith("550 5.6."), got


def test_peer_is_lenient(stage):
    """What is tried here would do its harm: said to Postfix directly, one
    of these ends makes two messages."""
    _, peer = stage
    mark = "direct"
    with socket.create_connection((peer.address, peer.port), 20) as s:
        f = s.makefile("rb")
        f.readline()
        for line in (b"EHLO c.test", b"MAIL FROM:<a@c.test>",
                     b"RCPT TO:<b@x.test>", b"DATA"):
            s.sendall(line + b"\r\n")
            while f.readline()[3:4] == b"-":
                pass
        s.sendall(whole(mark) + b"\n.\n" + smuggled(mark) + b"\r\n.\r\n")
        base.wait_until(lambda: len(delivered(peer, mark)) == 2,
                        "Postfix takes LF.LF for an end")


CHUNKS = {
    "one": lambda c: [c],
    "at-dot": lambda c: list(re.split(rb"(?<=\r\n\.)", c)),
    "at-cr": lambda c: list(re.split(rb"(?<=\r)", c)),
    "bytes": lambda c: [c[n:n + 1] for n in range(len(c))],
}


@pytest.mark.parametrize("cut", CHUNKS)
def test_chunks(stage, cut):
    """In a chunk CRLF.CRLF is content, and goes on as such."""
    get, peer = stage
    it = get("reject")
    mark = f"chunks.{cut}"
    content = whole(mark) + b"\r\n.\r\n" + smuggled(mark) + b"\r\n.\r\n..\r\n"
    t = Talk(it)
    t.begin()
    pieces = CHUNKS[cut](content)
    for n, piece in enumerate(pieces):
        last = " LAST" if n == len(pieces) - 1 else ""
        t.sock.sendall(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
        got = t.reply()
        assert got.startswith("250"), got
    assert t.rest().startswith("221 ")
    base.wait_until(lambda: delivered(peer, mark), f"{mark} arrives")
    settle(it, peer)
    (sender, body), = delivered(peer, mark)
    assert sender == "a@c.test"
    assert body.endswith(content.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("end", ["lf-lf", "crlf-lf", "cr-cr", "nul-after"])
def test_chunks_bare(stage, end):
    """What DATA may not hold no chunk may either."""
    get, peer = stage
    it = get("reject")
    mark = f"bare.{end}"
    content = whole(mark) + ENDS[end] + smuggled(mark) + b"\r\n"
    t = Talk(it)
    t.begin()
    t.sock.sendall(f"BDAT {len(content)} LAST\r\n".encode() + content)
    got = t.reply()
    assert got.startswith("550 5.6."), got
    assert t.rest().startswith("221 ")
    settle(it, peer)
    assert not delivered(peer, mark)
