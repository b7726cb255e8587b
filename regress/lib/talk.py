r"""Dialogues as data: what is said on the wire, and what must come back.

    # One line on what this is about.
    covers: QUEUED TOO_BIG               rows of smtpd/reply_table.h that come
    config: smtp max-message-size 1K     a line for smtpd.conf (any number)
    rules: match from any for any reject the rules instead of the usual ones
    listen: lmtp                         a listener of its own, with these
                                         options, to which the talk goes
    S: 220                               a reply (all its lines, joined by \n)
                                         begins with this regular expression
    C: EHLO there                        a line sent, with CRLF
    R: a\rb\n\x00                        bytes sent, escapes as in Python
    R*1000: x                            the same a thousand times
    P: 1.5                               a pause of seconds
    N: 0.3                               nothing comes for so long
    E:                                   the server closes
    W:                                   we close our sending side
    T:                                   TLS begins, on our side
    Q: 250 .*queued                      like S, and the message must be
                                         delivered
    G: regex                             the delivered content matches
    use: hello | mail | rcpt             the usual beginning of a session

SPDX-License-Identifier: ISC
"""
import re
import socket
import ssl
import time
from pathlib import Path

from . import base

USE = {
    "hello": ["S: 220 ", "C: EHLO c.test", "S: 250-"],
    "mail": ["C: MAIL FROM:<a@c.test>", "S: 250 2\\.1\\.0 "],
    "rcpt": ["C: RCPT TO:<b@x.test>", "S: 250 2\\.1\\.5 "],
    "data": ["C: DATA", "S: 354 "],
}


class Talk:
    def __init__(self, path):
        self.path = Path(path)
        self.config, self.rules, self.steps = [], None, []
        self.listen = None
        self.covers = []
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            word, colon, rest = line.partition(":")
            rest = rest[1:] if rest.startswith(" ") else rest
            if not colon:
                raise ValueError(f"{path}:{number}: no colon")
            if word == "covers":
                self.covers += rest.split()
            elif word == "config":
                self.config.append(rest)
            elif word == "listen":
                self.listen = rest
            elif word == "rules":
                self.rules = (self.rules or []) + [rest]
            elif word == "use":
                for name in rest.split():
                    self.steps += [(number,) + split(s) for s in USE[name]]
            else:
                self.steps.append((number,) + split(line))

    def key(self):
        """Dialogues with the same key can share an instance."""
        return "\n".join(self.config + ["--"] + (self.rules or ["usual"]) +
                         ["--", self.listen or "usual"])


def split(line):
    word, _, rest = line.partition(":")
    word, _, times = word.partition("*")
    if word not in "SCRPNEWQGT" or len(word) != 1:
        raise ValueError(f"unknown step {line!r}")
    return word, int(times or 1), rest[1:] if rest.startswith(" ") else rest


def replies():
    """Rows of the table: name -> regular expression of the reply."""
    text = (base.ROOT / "smtpd/reply_table.h").read_text()
    rows = re.findall(r'X\((\w+),\s*(\d+),\s*"([^"]*)",\s*"([^"]*)"\)',
                      text)
    return {name: f"{code}[ -]" + (f"{re.escape(enhanced)} " if enhanced
                                   else "") +
            ".*".join(map(re.escape, words.split("$")))
            for name, code, enhanced, words in rows}


class Wire:
    """One connection, read reply by reply."""

    def __init__(self, address, port, timeout=20):
        self.sock = socket.create_connection((address, port), timeout)
        self.sock.settimeout(timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def reply(self):
        """All lines of one reply, without their CRLF; "" at the end."""
        lines = []
        while True:
            while b"\n" not in self.buffer:
                try:
                    got = self.sock.recv(65536)
                except ConnectionResetError:
                    got = b""
                if not got:
                    return "\n".join(lines)
                self.buffer += got
            line, _, self.buffer = self.buffer.partition(b"\n")
            assert line.endswith(b"\r"), f"a reply without CRLF: {line!r}"
            lines.append(line[:-1].decode("ascii", "backslashreplace"))
            if not re.match(r"\d\d\d-", lines[-1]):
                return "\n".join(lines)

    def send(self, data):
        self.sock.sendall(data)

    def ask(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def ended(self, timeout=20):
        """True when the server closes without another word."""
        if self.buffer:
            return False
        self.sock.settimeout(timeout)
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def quiet(self, seconds):
        """True if nothing comes for so long."""
        if self.buffer:
            return False
        self.sock.settimeout(seconds)
        try:
            self.buffer += self.sock.recv(65536)
            return False
        except socket.timeout:
            return True
        finally:
            self.sock.settimeout(20)

    def tls(self):
        """TLS from here on; what came before it counts no more."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        assert not self.buffer, f"said before TLS: {self.buffer!r}"
        self.sock = context.wrap_socket(self.sock)

    def close(self):
        self.sock.close()


def unescape(text):
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def play(talk, instance, receiver, port=None):
    """Runs a dialogue; AssertionError says file, line and what came."""
    wire = Wire(instance.address, port or instance.port)
    said = []
    last = None
    try:
        for number, word, times, rest in talk.steps:
            at = f"{talk.path.name}:{number}"
            if word == "C":
                for _ in range(times):
                    wire.send(rest.encode("utf-8", "surrogateescape") +
                              b"\r\n")
                said.append("C: " + rest)
            elif word == "R":
                try:
                    wire.send(unescape(rest) * times)
                except OSError as e:
                    raise AssertionError(f"{at}: closed on us: {e}")
                said.append(f"R*{times}: " + rest[:200])
            elif word in "SQ":
                for _ in range(times):
                    got = wire.reply()
                    said.append("S: " + got)
                    assert re.match(rest, got), \
                        f"{at}: expected {rest!r}, got {got!r}\n" + \
                        "\n".join(said[-40:])
                if word == "Q":
                    last = queued(at, got, receiver)
            elif word == "G":
                assert last is not None, f"{at}: G without Q"
                text = last.content.decode("latin-1")
                assert re.search(rest, text, re.S), \
                    f"{at}: content is {text!r}"
            elif word == "P":
                time.sleep(float(rest))
            elif word == "N":
                assert wire.quiet(float(rest)), f"{at}: something was said"
            elif word == "T":
                wire.tls()
            elif word == "W":
                wire.sock.shutdown(socket.SHUT_WR)
            elif word == "E":
                assert wire.ended(), f"{at}: not closed\n" + "\n".join(said)
    except socket.timeout:
        raise AssertionError(f"{at}: nothing came\n" + "\n".join(said))
    finally:
        wire.close()
    table = replies() if talk.covers else {}
    for name in talk.covers:
        assert any(re.match("S: " + table[name], line) for line in said), \
            f"{talk.path.name}: {name} did not come\n" + "\n".join(said)
    instance.healthy()


def queued(at, reply, receiver):
    """The message that this reply is about, once it was delivered."""
    found = re.search(r"\b([0-9A-Z]{13})\b", reply)
    assert found, f"{at}: no id in {reply!r}"
    ident = found[1]

    def look():
        for m in list(receiver.messages):
            if re.search(rb"\bid " + ident.encode() + rb"\b", m.content):
                return m
        return None
    return base.wait_until(look, f"{at}: message {ident} is delivered")
