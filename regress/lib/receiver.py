"""An SMTP server that behaves as its table says, and remembers what it got.

    r = Receiver(rcpt={"bob@x.test": "550 5.1.1 no such user"})

Keys of the table (all optional):
    banner, ehlo, helo, starttls, mail, data, bdat, dot, rset, noop, quit
               the reply at that stage: a text, a list of texts (used up one
               after another, the last stays), or a function (session) -> text
    rcpt       the same, or a dict: address -> text; so too for dot with lmtp
    extensions names said after EHLO; a parameter of MAIL or RCPT that none of
               them allows is answered 555, and noted in .odd, as is what is
               beyond a LIMITS
    bdat       the reply to a chunk that is not the last.  50x: BDAT is not
               known here, and what follows it is read as commands
A reply may also be one of:
    CLOSE      the connection is closed without a word
    RESET      ... so that the other side sees a reset
    SILENT     nothing is said, the connection stays open
    GARBAGE    bytes that are no reply
    ENDLESS    continuation lines that do not end
    ENDLESS_LINE   a line that does not end
    Long(text, size)    a reply of so many bytes, in lines
    Drip(text, pace)    a byte each pace seconds
    Late(text, seconds) after so many seconds
    Mixed(code, text)   lines with other codes before this one
    (bytes)    sent as they are
For dot, TAKE_CLOSE keeps the message and closes without a word, and TAKE_RESET
the same with a reset.

TLS:
    tls        True: STARTTLS; "implicit": TLS from the first byte (smtps);
               "broken": STARTTLS is offered, and the handshake fails;
               "silent": ... and nothing is said in it
    cert, key  files in PEM; without cert a self-signed one for sink.test is
               made, without key it is in cert's file.  cert may be a dict:
               name by SNI -> (cert, key), None for the others
    ca         a file: clients are asked for a certificate by this authority;
               need_cert: and refused without one
    tls_min, tls_max    "TLSv1_2", "TLSv1_3", as ssl.TLSVersion has them
    ciphers    of TLS 1.2, OpenSSL's words
    tickets    sessions that a client of TLS 1.3 is given, 0: none
    .handshakes  one for each that succeeded: .version, .cipher, .resumed,
               .sni, .peer (the client's certificate as getpeercert() has it)
    .tls_errors  why the others failed

AUTH:
    auth       a function (session, mechanism, initial or None) -> reply, which
               may ask session.challenge(bytes) -> bytes, None: cancelled; a
               reply that begins with 235 lets the client in
    mechs      what is offered ("PLAIN LOGIN"), within TLS; auth_in_clear=True:
               outside it too
    need_auth  MAIL is 530 before it

Others:
    path=PATH  at a socket of this path, not at an address; .peer of a session
               is then the client's (pid, uid, gid)
    lmtp=True  LHLO, and a reply for each recipient after the content
    accept=False   connections are never accepted: they stay in the backlog
    one_at_a_time=True   what came behind a command is lost
    content_pace=(bytes, seconds)   so slowly is content read

SPDX-License-Identifier: ISC
"""
import base64
import os
import socket
import ssl
import struct
import threading
import time
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path

from . import base

CLOSE, RESET, SILENT, GARBAGE, ENDLESS, ENDLESS_LINE = (
    object() for _ in range(6))
TAKE_CLOSE, TAKE_RESET = object(), object()

DEFAULT = {
    "banner": "220 sink.test ESMTP",
    "ehlo": None,
    "helo": "250 sink.test",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go ahead",
    "bdat": "250 2.0.0 go on",
    "dot": "250 2.0.0 taken",
    "rset": "250 2.0.0 ok",
    "quit": "221 2.0.0 bye",
    "noop": "250 2.0.0 ok",
    "starttls": "220 2.0.0 go ahead",
}


class Long:
    """A reply of about size bytes, in lines of length."""

    def __init__(self, text, size=100000, length=200):
        self.text, self.size, self.length = text, size, length

    def lines(self):
        code = self.text[:3].encode()
        line = code + b"-" + b"x" * (self.length - 6) + b"\r\n"
        return line * (self.size // self.length) + self.text.encode() + \
            b"\r\n"


class Drip:
    """A byte each pace seconds."""

    def __init__(self, text, pace=60.0):
        self.text, self.pace = text, pace


class Late:
    """After so many seconds."""

    def __init__(self, text, seconds):
        self.text, self.seconds = text, seconds


class Mixed:
    """Lines whose codes differ: this one comes first, then the text."""

    def __init__(self, code, text):
        self.code, self.text = code, text


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
              "NOTIFY=": "DSN", "ORCPT=": "DSN", "AUTH=": "AUTH"}


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
        self.peer, self.user = session.peer, session.user
        self.time = time.time()

    def parsed(self):
        return message_from_bytes(self.content)


class Handshake:
    def __init__(self, conn, sni):
        self.version, self.cipher = conn.version(), conn.cipher()[0]
        self.resumed, self.sni = conn.session_reused, sni
        self.peer = conn.getpeercert()


@contextmanager
def contents():
    """What all receivers are sent meanwhile, taken or not."""
    seen, old = [], _Session.content

    def content(session):
        got = old(session)
        seen.append(got)
        return got
    _Session.content = content
    try:
        yield seen
    finally:
        _Session.content = old


class _Session:
    def __init__(self, server, conn, number, peer):
        self.server, self.conn, self.number = server, conn, number
        self.peer = peer       # the client's address
        self.tls = None        # its version
        self.helo = None
        self.user = None       # set by an auth= that knows
        self.authenticated = False
        self.buffer = b""
        self.sender, self.rcpts, self.mail_args = None, [], ""
        self.rcpt_args, self.bdat, self.chunks = {}, [], b""
        self.mails = 0

    # -- bytes --
    def line(self):
        while b"\n" not in self.buffer:
            got = self.conn.recv(65536)
            if not got:
                return None
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\n")
        if self.server.one_at_a_time:
            self.buffer = b""
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def receive(self):
        """Some content, at the pace that is wanted."""
        if self.server.content_pace is None:
            return self.conn.recv(262144)
        size, seconds = self.server.content_pace
        self.server.gone.wait(seconds)
        return b"" if self.server.gone.is_set() else self.conn.recv(size)

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
            got = self.receive()
            if not got:
                return None
            data += got
        self.buffer = bytes(data[end + skip:])
        body = bytes(data[:end]) + (b"\r\n" if skip == 5 else b"")
        lines = body.split(b"\r\n")
        return b"\r\n".join(l[1:] if l.startswith(b".") else l for l in lines)

    def reset(self):
        """Closes so that the client sees a reset."""
        self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))

    def on_and_on(self, block):
        """Until the client has had enough."""
        try:
            for _ in range(100000):
                if self.server.gone.is_set():
                    break
                self.conn.sendall(block)
                self.server.endless += len(block)
        except OSError:
            pass

    def drip(self, data, pace):
        """False: the client went away."""
        for i in range(len(data)):
            self.conn.sendall(data[i:i + 1])
            self.server.dripped += 1
            if self.server.gone.wait(pace):
                return False
        return True

    def answer(self, what):
        """Sends a reply of any kind; its code, None when it closed."""
        if what is CLOSE or what is TAKE_CLOSE:
            return None
        if what is RESET or what is TAKE_RESET:
            self.reset()
            return None
        if what is SILENT:
            self.server.gone.wait(600)
            return None
        if what is GARBAGE:
            self.conn.sendall(os.urandom(3000) + b"\r\n\0\xff\r\n")
            return 0
        if what is ENDLESS:
            return self.on_and_on(b"250-and so on\r\n" * 500)
        if what is ENDLESS_LINE:
            return self.on_and_on(b"250-and so on" * 500)
        if isinstance(what, Late):
            if self.server.gone.wait(what.seconds):
                return None
            what = what.text
        if isinstance(what, Drip):
            if not self.drip(what.text.encode() + b"\r\n", what.pace):
                return None
            return int(what.text[:3])
        if isinstance(what, Long):
            self.conn.sendall(what.lines())
            return int(what.text[:3])
        if isinstance(what, Mixed):
            self.conn.sendall(b"%d-first\r\n%s\r\n" %
                              (what.code, what.text.encode()))
            return int(what.text[:3])
        if isinstance(what, bytes):
            self.conn.sendall(what)
            return int(what[:3]) if what[:3].isdigit() else 0
        self.conn.sendall(what.encode() + b"\r\n")
        return int(what[:3])

    def say(self, stage, key=None):
        """Answers as the table says; the code, None when it closed."""
        return self.answer(self.server.reply(stage, self, key))

    def allowed(self, args):
        """True if we offered what these parameters need."""
        offered = {e.split()[0] for e in self.offers()}
        odd = [a for a in args.split() if not any(
            a.upper().startswith(begin) and by in offered
            for begin, by in ALLOWED_BY.items())]
        if odd:
            self.server.odd.append(" ".join(odd))
            self.conn.sendall(b"555 5.5.4 not offered\r\n")
        return not odd

    def limit(self, name):
        """The number of one of LIMITS (RFC 9422), None: none is set."""
        for ext in self.server.extensions:
            words = ext.split()
            if words[0] == "LIMITS":
                for word in words[1:]:
                    key, _, number = word.partition("=")
                    if key == name and number.isdigit():
                        return int(number) or None
        return None

    def beyond(self, name, n):
        """n is more than the limit: noted."""
        limit = self.limit(name)
        if limit is None or n <= limit:
            return False
        self.server.odd.append(f"{name}: {n}")
        return True

    # -- the dialogue --
    def serve(self):
        if self.server.tls == "implicit" and not self.handshake():
            return
        if self.say("banner") is None:
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

    def offers(self):
        """The keywords of EHLO."""
        words = list(self.server.extensions)
        if self.server.tls and self.server.tls != "implicit" and not self.tls:
            words.append("STARTTLS")
        if self.server.mechs and (self.tls or self.server.auth_in_clear):
            words.append("AUTH " + self.server.mechs)
        return words

    def hello(self, args):
        self.helo = args
        if self.server.table["ehlo"] is not None:
            return self.say("ehlo") is not None
        words = ["sink.test"] + self.offers()
        self.conn.sendall(b"".join(
            b"250%c%s\r\n" % (b"- "[n == len(words) - 1], w.encode())
            for n, w in enumerate(words)))
        return True

    def step(self, verb, args):
        if verb == ("lhlo" if self.server.lmtp else "ehlo"):
            return self.hello(args)
        if verb == "helo" and not self.server.lmtp:
            self.helo = args
            return self.say("helo") is not None
        if verb == "starttls":
            return self.starttls()
        if verb == "auth" and self.server.auth:
            return self.auth(args)
        if verb == "mail":
            return self.mail(args)
        if verb == "rcpt" and self.sender is None:
            self.conn.sendall(b"503 5.5.1 MAIL first\r\n")
            return True
        if verb == "rcpt":
            return self.rcpt(args)
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

    def mail(self, args):
        path = args.partition("<")[2].partition(">")
        if self.server.need_auth and not self.authenticated:
            self.conn.sendall(b"530 5.7.0 Authentication required\r\n")
            return True
        if not self.allowed(path[2]):
            return True
        self.mails += 1
        if self.beyond("MAILMAX", self.mails):
            self.conn.sendall(b"421 4.5.3 enough\r\n")
            return False
        code = self.say("mail", args)
        self.mail_args = path[2].strip()
        self.bdat, self.chunks, self.rcpt_args = [], b"", {}
        if (code or 0) // 100 == 2:
            self.sender, self.rcpts = path[0], []
        return code is not None

    def rcpt(self, args):
        address, _, params = args.partition("<")[2].partition(">")
        if not self.allowed(params):
            return True
        domains = {a.rpartition("@")[2].lower()
                   for a in self.rcpts + [address]}
        if self.beyond("RCPTMAX", len(self.rcpts) + 1) or \
                self.beyond("RCPTDOMAINMAX", len(domains)):
            self.conn.sendall(b"452 4.5.3 too many recipients\r\n")
            return True
        code = self.say("rcpt", address)
        if (code or 0) // 100 == 2:
            self.rcpts.append(address)
            self.rcpt_args[address] = params.strip()
        return code is not None

    # -- TLS --
    def handshake(self):
        """False: it failed."""
        try:
            self.conn = self.server.context.wrap_socket(
                self.conn, server_side=True)
        except (ssl.SSLError, OSError) as e:
            self.server.tls_errors.append(str(e))
            return False
        self.tls = self.conn.version()
        self.server.handshakes.append(
            Handshake(self.conn, getattr(self.conn, "asked_for", None)))
        self.helo, self.buffer = None, b""
        return True

    def starttls(self):
        if not self.server.tls or self.tls:
            self.conn.sendall(b"502 5.5.1 no\r\n")
            return True
        code = self.say("starttls")
        if code is None or code != 220:
            return code is not None
        if self.server.tls == "silent":
            self.server.gone.wait(600)
            return False
        if self.server.tls == "broken":
            self.conn.recv(4096)
            self.conn.sendall(b"\x15\x03\x03\x00\x02\x02\x28" + b"no TLS")
            return False
        return self.handshake()

    # -- AUTH --
    def challenge(self, data):
        """Asks the client, by 334; what it says, None: it cancelled."""
        self.conn.sendall(b"334 " + base64.b64encode(data) + b"\r\n")
        line = self.line()
        if line is None or line == "*":
            return None
        self.server.lines.append(line)
        return base64.b64decode(line)

    def auth(self, args):
        mechanism, _, initial = args.partition(" ")
        data = None
        if initial:
            data = b"" if initial == "=" else base64.b64decode(initial)
        what = self.server.auth(self, mechanism.upper(), data)
        code = self.answer(what)
        self.authenticated = self.authenticated or code == 235
        return code is not None

    # -- content --
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
        what = self.server.peek("bdat")
        if isinstance(what, str) and what[:2] == "50":
            return self.say("bdat") is not None
        while len(self.buffer) < int(size):
            got = self.receive()
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
            return self.say("bdat") is not None
        return self.taken(self.chunks)

    def taken(self, content):
        message = Message(self.sender, list(self.rcpts), content, self)
        rcpts = self.rcpts if self.server.lmtp else [None]
        self.sender, self.rcpts = None, []
        message.lmtp = []  # those for whom it was taken
        what = self.server.table["dot"]
        if what is TAKE_CLOSE or what is TAKE_RESET:
            self.server.keep(message)
        for rcpt in rcpts:
            what = self.server.reply("dot", self, rcpt)
            # Who hears that it was taken finds it here.
            early = isinstance(what, str) and what.startswith("2")
            if early:
                self.is_taken(message, rcpt)
            code = self.answer(what)
            if code is None:
                return False
            if code // 100 == 2 and not early:
                self.is_taken(message, rcpt)
        return True

    def is_taken(self, message, rcpt):
        if rcpt is not None:
            message.lmtp.append(rcpt)
        if message not in self.server.messages:
            self.server.keep(message)


class Receiver:
    def __init__(self, address=base.LOOPBACK, port=None, tls=False,
                 directory=None, extensions=("PIPELINING", "8BITMIME",
                                             "SIZE 0",
                                             "ENHANCEDSTATUSCODES"),
                 cert=None, key=None, ca=None, need_cert=False, tls_min=None,
                 tls_max=None, ciphers=None, tickets=None, auth=None,
                 mechs=None, auth_in_clear=False, need_auth=False, lmtp=False,
                 accept=True, one_at_a_time=False, content_pace=None,
                 path=None, **table):
        self.table = dict(DEFAULT, **table)
        assert set(self.table) == set(DEFAULT), set(self.table) - set(DEFAULT)
        self.extensions = extensions
        self.tls, self.lmtp = tls, lmtp
        self.auth, self.mechs = auth, mechs
        self.auth_in_clear, self.need_auth = auth_in_clear, need_auth
        self.one_at_a_time, self.content_pace = one_at_a_time, content_pace
        self.handshakes, self.tls_errors = [], []
        if tls:
            many = cert if isinstance(cert, dict) else {None: (cert, key)}
            self.contexts = {
                name: self._context(*pair, directory, ca, need_cert, tls_min,
                                    tls_max, ciphers, tickets)
                for name, pair in many.items()}
            self.context = self.contexts.get(None) or \
                next(iter(self.contexts.values()))
        self.address = address
        self.messages, self.lines, self.odd = [], [], []
        self.sessions = 0      # connections so far
        self.open = 0          # connections now
        self.most_open = 0
        self.cut_off = 0       # clients that left in the middle of content
        self.endless = 0       # bytes sent by ENDLESS
        self.dripped = 0       # bytes sent by Drip
        self.gone = threading.Event()
        self.lock = threading.Lock()
        self.used = {}
        self.path = path
        if path is not None:
            self.port = None
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.bind(os.fspath(path))
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        while path is None:
            self.port = port or base.free_port(
                base.LOOPBACK if ":" in address else address)
            self.sock = socket.socket(family, socket.SOCK_STREAM)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if content_pace is not None:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            try:
                self.sock.bind((address, self.port))
                break
            except OSError:
                self.sock.close()
                if port:
                    raise
        self.sock.listen(256)
        self.conns = set()
        if accept:
            threading.Thread(target=self._accept, daemon=True).start()

    def _context(self, cert, key, directory, ca, need_cert, tls_min, tls_max,
                 ciphers, tickets):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if ciphers is not None:
            context.set_ciphers(ciphers)
        context.load_cert_chain(cert or certificate(directory), key)
        if tls_min is not None:
            context.minimum_version = getattr(ssl.TLSVersion, tls_min)
        if tls_max is not None:
            context.maximum_version = getattr(ssl.TLSVersion, tls_max)
        if tickets is not None:
            context.num_tickets = tickets
        if ca is not None:
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED if need_cert else \
                ssl.CERT_OPTIONAL
        context.sni_callback = self._asked
        return context

    def _asked(self, conn, name, context):
        """Server Name Indication: which name, and the certificate for it."""
        conn.asked_for = name
        if name in self.contexts:
            conn.context = self.contexts[name]

    @property
    def resumed(self):
        """Handshakes that resumed a session."""
        return sum(h.resumed for h in self.handshakes)

    def _slot(self, stage, key):
        what = self.table[stage]
        if isinstance(what, dict):
            return (stage, key), what.get(key, DEFAULT[stage])
        return (stage, None), what

    def peek(self, stage):
        """What reply() will say of this stage, if it is no function."""
        slot, what = self._slot(stage, None)
        if isinstance(what, list):
            what = what[min(self.used.get(slot, 0), len(what) - 1)]
        return what

    def reply(self, stage, session, key):
        slot, what = self._slot(stage, key)
        if isinstance(what, list):
            with self.lock:
                n = self.used.get(slot, 0)
                self.used[slot] = n + 1
            what = what[min(n, len(what) - 1)]
        if callable(what):
            what = what(session)
        return what

    def keep(self, message):
        with self.lock:
            self.messages.append(message)

    def _accept(self):
        while True:
            try:
                conn, peer = self.sock.accept()
            except OSError:
                return
            with self.lock:
                self.sessions += 1
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                self.conns.add(conn)
                number = self.sessions
            peer = peer[0] if self.path is None else struct.unpack(
                "3i", conn.getsockopt(socket.SOL_SOCKET,
                                      socket.SO_PEERCRED, 12))
            threading.Thread(target=self._one, args=(conn, number, peer),
                             daemon=True).start()

    def _one(self, conn, number, peer):
        if self.path is None:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = _Session(self, conn, number, peer)
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

    def wait(self, n, timeout=45):
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
