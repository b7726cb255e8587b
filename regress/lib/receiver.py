"""An SMTP server that behaves as its table says, and remembers what it got.

    r = Receiver(rcpt={"bob@x.test": "550 5.1.1 no such user"})

Keys of the table (all optional):
    banner, ehlo, helo, mail, data, dot, rset, quit   the reply at that stage;
        a text, a list of texts (used up one after another, the last stays),
        or a function (session) -> text
    rcpt       the same, or a dict: address -> text
    extensions names said after EHLO; a parameter of MAIL or RCPT that none of
               them allows is answered 555, and noted in .odd
    tls        True: STARTTLS with a self-signed certificate;
               "broken": STARTTLS is offered, and the handshake fails
A reply may also be one of:
    CLOSE      the connection is closed without a word
    SILENT     nothing is said, the connection stays open
    GARBAGE    bytes that are no reply
    ENDLESS    continuation lines that do not end
    (bytes)    sent as they are
For dot, TAKE_CLOSE keeps the message and closes without a word.

SPDX-License-Identifier: ISC
"""
import os
import socket
import ssl
import threading
import time
from email import message_from_bytes
from pathlib import Path

from . import base

CLOSE, SILENT, GARBAGE, ENDLESS, TAKE_CLOSE = (
    object(), object(), object(), object(), object())

DEFAULT = {
    "banner": "220 sink.test ESMTP",
    "ehlo": None,
    "helo": "250 sink.test",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go ahead",
    "dot": "250 2.0.0 taken",
    "rset": "250 2.0.0 ok",
    "quit": "221 2.0.0 bye",
    "noop": "250 2.0.0 ok",
    "starttls": "220 2.0.0 go ahead",
}


def certificate(directory, name="sink.test"):
    """A key and a self-signed certificate; the path of the one file."""
    pem = Path(directory) / f"{name}.pem"
    if not pem.exists():
        out = base.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                        "-nodes", "-keyout", pem, "-out", f"{pem}.crt",
                        "-days", "2", "-subj", f"/CN={name}", "-addext",
                        f"subjectAltName=DNS:{name}"])
        assert out.returncode == 0, out.stderr
        with open(pem, "a") as f:
            f.write(Path(f"{pem}.crt").read_text())
    return pem


# The keyword that allows a parameter of MAIL or RCPT, by its beginning.
ALLOWED_BY = {"SIZE=": "SIZE", "BODY=8BITMIME": "8BITMIME",
              "BODY=7BIT": "8BITMIME", "BODY=BINARYMIME": "BINARYMIME",
              "SMTPUTF8": "SMTPUTF8", "RET=": "DSN", "ENVID=": "DSN",
              "NOTIFY=": "DSN", "ORCPT=": "DSN"}


class Message:
    """One message that was answered (or at least read).

    mail_args: the parameters of MAIL; rcpt_args: address -> those of RCPT;
    bdat: sizes of its chunks, [] for one by DATA.
    """

    def __init__(self, sender, rcpts, content, session):
        self.sender, self.rcpts, self.content = sender, rcpts, content
        self.mail_args = session.mail_args
        self.rcpt_args = dict(session.rcpt_args)
        self.bdat = list(session.bdat)
        self.helo, self.tls, self.number = \
            session.helo, session.tls, session.number
        self.time = time.time()

    def parsed(self):
        return message_from_bytes(self.content)


class _Session:
    def __init__(self, server, conn, number):
        self.server, self.conn, self.number = server, conn, number
        self.tls = None
        self.helo = None
        self.buffer = b""
        self.sender, self.rcpts, self.mail_args = None, [], ""
        self.rcpt_args, self.bdat, self.chunks = {}, [], b""

    # -- bytes --
    def line(self):
        while b"\n" not in self.buffer:
            got = self.conn.recv(65536)
            if not got:
                return None
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def content(self):
        """Up to CRLF.CRLF, without dots; None: the client went away."""
        data, self.buffer = bytearray(self.buffer), b""
        at = 0
        while True:
            if data.startswith(b".\r\n"):
                end, skip = 0, 3
            else:
                end = data.find(b"\r\n.\r\n", max(0, at - 5))
                skip = 5
            if end >= 0:
                break
            at = len(data)
            got = self.conn.recv(262144)
            if not got:
                return None
            data += got
        self.buffer = bytes(data[end + skip:])
        body = bytes(data[:end]) + (b"\r\n" if skip == 5 else b"")
        lines = body.split(b"\r\n")
        return b"\r\n".join(l[1:] if l.startswith(b".") else l for l in lines)

    def say(self, stage, key=None):
        """Answers as the table says; the code, None when it closed."""
        what = self.server.reply(stage, self, key)
        if what is CLOSE or what is TAKE_CLOSE:
            return None
        if what is SILENT:
            self.server.gone.wait(120)
            return None
        if what is GARBAGE:
            self.conn.sendall(os.urandom(3000) + b"\r\n\0\xff\r\n")
            return 0
        if what is ENDLESS:
            block = b"250-and so on\r\n" * 500
            try:
                for _ in range(100000):
                    if self.server.gone.is_set():
                        break
                    self.conn.sendall(block)
                    self.server.endless += len(block)
            except OSError:
                pass
            return None
        if isinstance(what, bytes):
            self.conn.sendall(what)
            return int(what[:3]) if what[:3].isdigit() else 0
        self.conn.sendall(what.encode() + b"\r\n")
        return int(what[:3])

    def allowed(self, args):
        """True if we offered what these parameters need."""
        offered = {e.split()[0] for e in self.server.extensions}
        odd = [a for a in args.split() if not any(
            a.upper().startswith(begin) and by in offered
            for begin, by in ALLOWED_BY.items())]
        if odd:
            self.server.odd.append(" ".join(odd))
            self.conn.sendall(b"555 5.5.4 not offered\r\n")
        return not odd

    # -- the dialogue --
    def serve(self):
        if self.say("banner") not in (220,):
            if self.server.table["banner"] in (CLOSE, SILENT, ENDLESS):
                return
        while True:
            line = self.line()
            if line is None:
                return
            self.server.lines.append(line)
            verb, _, args = line.partition(" ")
            verb = verb.lower()
            if not self.step(verb, args):
                return

    def step(self, verb, args):
        if verb == "ehlo":
            self.helo = args
            if self.server.table["ehlo"] is not None:
                return self.say("ehlo") is not None
            words = ["sink.test"] + list(self.server.extensions)
            if self.server.tls and not self.tls:
                words.append("STARTTLS")
            self.conn.sendall(b"".join(
                b"250%c%s\r\n" % (b"- "[n == len(words) - 1], w.encode())
                for n, w in enumerate(words)))
            return True
        if verb == "helo":
            self.helo = args
            return self.say("helo") is not None
        if verb == "starttls":
            return self.starttls()
        if verb == "mail":
            path = args.partition("<")[2].partition(">")
            if not self.allowed(path[2]):
                return True
            code = self.say("mail", args)
            self.mail_args = path[2].strip()
            self.bdat, self.chunks, self.rcpt_args = [], b"", {}
            if code == 250:
                self.sender, self.rcpts = path[0], []
            return code is not None
        if verb == "rcpt" and self.sender is None:
            self.conn.sendall(b"503 5.5.1 MAIL first\r\n")
            return True
        if verb == "rcpt":
            address, _, params = args.partition("<")[2].partition(">")
            if not self.allowed(params):
                return True
            code = self.say("rcpt", address)
            if code in (250, 251):
                self.rcpts.append(address)
                self.rcpt_args[address] = params.strip()
            return code is not None
        if verb == "data":
            return self.data()
        if verb == "bdat" and "CHUNKING" in self.server.extensions:
            return self.chunk(args)
        if verb == "rset":
            self.sender, self.rcpts = None, []
            return self.say("rset") is not None
        if verb == "noop":
            return self.say("noop") is not None
        if verb == "quit":
            self.say("quit")
            return False
        self.conn.sendall(b"500 5.5.1 what?\r\n")
        return True

    def starttls(self):
        if not self.server.tls:
            self.conn.sendall(b"502 5.5.1 no\r\n")
            return True
        code = self.say("starttls")
        if code is None or code != 220:
            return code is not None
        if self.server.tls == "broken":
            self.conn.recv(4096)
            self.conn.sendall(b"\x15\x03\x03\x00\x02\x02\x28" + b"no TLS")
            return False
        self.conn = self.server.context.wrap_socket(
            self.conn, server_side=True)
        self.tls = self.conn.version()
        self.helo, self.buffer = None, b""
        return True

    def data(self):
        if not self.rcpts and "PIPELINING" not in self.server.extensions:
            self.conn.sendall(b"503 5.5.1 no recipients\r\n")
            return True
        if not self.rcpts:
            self.conn.sendall(b"554 5.5.1 no valid recipients\r\n")
            return True
        code = self.say("data")
        if code != 354:
            return code is not None
        content = self.content()
        if content is None:
            self.server.cut_off += 1
            return False
        return self.taken(content)

    def chunk(self, args):
        """BDAT: so many bytes, as they are (RFC 3030)."""
        size, _, last = args.partition(" ")
        while len(self.buffer) < int(size):
            got = self.conn.recv(262144)
            if not got:
                self.server.cut_off += 1
                return False
            self.buffer += got
        self.chunks += self.buffer[:int(size)]
        self.buffer = self.buffer[int(size):]
        self.bdat.append(int(size))
        if not self.rcpts:
            self.conn.sendall(b"503 5.5.1 no valid recipients\r\n")
            return True
        if last.upper() != "LAST":
            self.conn.sendall(b"250 2.0.0 go on\r\n")
            return True
        return self.taken(self.chunks)

    def taken(self, content):
        message = Message(self.sender, list(self.rcpts), content, self)
        self.sender, self.rcpts = None, []
        what = self.server.table["dot"]
        if what is CLOSE:
            return False
        if what is TAKE_CLOSE:
            self.server.keep(message)
            return False
        code = self.say("dot")
        if code == 250:
            self.server.keep(message)
        return code is not None


class Receiver:
    def __init__(self, address=base.LOOPBACK, port=None, tls=False,
                 directory=None, extensions=("PIPELINING", "8BITMIME",
                                             "SIZE 0",
                                             "ENHANCEDSTATUSCODES"), **table):
        self.table = dict(DEFAULT, **table)
        self.extensions = extensions
        self.tls = tls
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate(directory))
        self.address = address
        self.messages, self.lines, self.odd = [], [], []
        self.sessions = 0      # connections so far
        self.open = 0          # connections now
        self.most_open = 0
        self.cut_off = 0       # clients that left in the middle of content
        self.endless = 0       # bytes sent by ENDLESS
        self.gone = threading.Event()
        self.lock = threading.Lock()
        self.used = {}
        while True:
            self.port = port or base.free_port(address)
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.sock.bind((address, self.port))
                break
            except OSError:
                self.sock.close()
                if port:
                    raise
        self.sock.listen(256)
        self.conns = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def reply(self, stage, session, key):
        what = self.table[stage]
        if isinstance(what, dict):
            what = what.get(key, DEFAULT[stage])
        if isinstance(what, list):
            with self.lock:
                slot = (stage, key if isinstance(self.table[stage], dict)
                        else None)
                n = self.used.get(slot, 0)
                self.used[slot] = n + 1
            what = what[min(n, len(what) - 1)]
        return what(session) if callable(what) else what

    def keep(self, message):
        with self.lock:
            self.messages.append(message)

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with self.lock:
                self.sessions += 1
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                self.conns.add(conn)
                number = self.sessions
            threading.Thread(target=self._one, args=(conn, number),
                             daemon=True).start()

    def _one(self, conn, number):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = _Session(self, conn, number)
        try:
            session.serve()
        except (OSError, ValueError):
            pass
        finally:
            try:
                session.conn.close()
            except OSError:
                pass
            with self.lock:
                self.open -= 1
                self.conns.discard(conn)

    def wait(self, n, timeout=20):
        """The messages, once there are n."""
        base.wait_until(lambda: len(self.messages) >= n,
                        f"{n} messages at the receiver (has "
                        f"{len(self.messages)})", timeout)
        return list(self.messages)

    def stop(self):
        self.gone.set()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        with self.lock:
            conns = list(self.conns)
        for conn in conns:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
