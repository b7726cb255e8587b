"""libexec/local by itself: told what to do on its descriptors, as spawn does
it, in the namespace of a LocalRoot (common/local_wire.h).

SPDX-License-Identifier: ISC
"""
import ctypes
import os
import re
import socket
import subprocess
import threading
from ctypes import c_char, c_uint8, c_uint16, c_uint32, c_uint64

from . import base

# Numbers and words of the headers, so that a renumbering is no surprise.


def _enum(path, name):
    body = re.search(rf"enum {name} {{(.*?)\n}}",
                     re.sub(r"/\*.*?\*/", "",
                            (base.ROOT / path).read_text(), flags=re.S),
                     re.S)[1]
    return [w.strip() for w in body.split(",") if w.strip()]


def _table(path, name):
    body = re.search(rf"#define {name}\(X\)((?:.*\\\n)*.*\n)",
                     (base.ROOT / path).read_text())[1]
    return re.findall(r'X\(\w+, "([^"]*)"\)', body)


BOUNDS = {n: int(v) for n, v in re.findall(
    r"#define (\w+)\s+(\d+)\b", (base.ROOT / "common/bounds.h").read_text())}
VERDICTS = [v.lower() for v in _enum("common/verdict.h", "verdict")]
WIDTHS = [w[len("WIDTH_"):].lower()
          for w in _enum("common/verdict.h", "width")]
CAUSES = _table("common/verdict.h", "CAUSES")
STAGES = _table("common/verdict.h", "STAGES")
METHODS = _table("common/conf_words.h", "CONF_METHODS")
MAILBOX, PIPE, FILE = 1, 2, 3
OTHER, JUNK = 1, 2
FORWARD, INCLUDE = 1, 2
DELIVER, READ = 0, 1


def _text(name):
    return c_char * (BOUNDS[name] + 1)


class Outcome(ctypes.Structure):
    _fields_ = [("verdict", c_uint8), ("width", c_uint8), ("code", c_uint16),
                ("ecode", c_uint16 * 3), ("local", c_uint8),
                ("cause", c_uint8), ("stage", c_uint8), ("after", c_uint32),
                ("text", c_char * 496)]


class Says(ctypes.Structure):
    _fields_ = [("magic", c_uint32), ("bytes", c_uint32),
                ("outcome", Outcome)]


class To(ctypes.Structure):
    _fields_ = [(n, c_uint32) for n in ("what", "flags", "uid", "gid")] + [
        ("user", _text("LOCAL_USER_MAX")), ("as_", _text("LOCAL_USER_MAX")),
        ("home", _text("LOCAL_HOME_MAX")), ("text", _text("LOCAL_TEXT_MAX"))]


class Take(ctypes.Structure):
    _fields_ = [(n, c_uint64) for n in ("job", "id", "bytes")] + [
        ("n", c_uint32), ("action", c_uint32), ("to", To)] + [
        (n, _text("ADDR_MAX")) for n in ("sender", "rcpt", "of")] + [
        ("envid", _text("ENVID_MAX")), ("client", _text("IP_TEXT_MAX")),
        ("helo", _text("HOST_MAX")), ("auth", _text("ADDR_MAX"))]


class Text(ctypes.Structure):
    _fields_ = [(n, c_uint32) for n in ("what", "uid", "gid")] + [
        ("user", _text("LOCAL_USER_MAX")), ("home", _text("LOCAL_HOME_MAX")),
        ("name", _text("LOCAL_TEXT_MAX"))]


class Start(ctypes.Structure):
    _fields_ = [(n, c_uint32) for n in
                ("magic", "doing", "opened", "life", "stays", "method",
                 "junk", "delim", "strict")] + [
        ("arg", _text("LOCAL_TEXT_MAX")),
        ("wrapper", _text("LOCAL_TEXT_MAX")),
        ("hostname", _text("HOST_MAX")), ("take", Take), ("text", Text)]


class Answer:
    """What it said: verdict, width, cause, stage as words; text; and the file
    that was read."""

    def __init__(self, raw, status, stderr):
        self.status, self.stderr = status, stderr
        assert len(raw) >= ctypes.sizeof(Says), (raw, status, stderr)
        says = Says.from_buffer_copy(raw)
        assert says.magic == 0x504f5341
        o = says.outcome
        self.verdict = VERDICTS[o.verdict]
        self.width = WIDTHS[o.width]
        self.cause = CAUSES[o.cause]
        self.stage = STAGES[o.stage]
        self.ecode = ".".join(map(str, o.ecode))
        self.text = o.text.decode()
        self.read = raw[ctypes.sizeof(Says):]
        assert len(self.read) == says.bytes

    def __repr__(self):
        return (f"{self.verdict} {self.width} {self.cause} {self.ecode} "
                f"{self.text}")


class Running:
    """One local at work; content is written by a thread of its own."""

    def __init__(self, root, start, uid, gid, content, short, opened=None,
                 front=()):
        fds = [os.pipe() for _ in range(2)]  # content, answer
        ours = [fds[0][1], fds[1][0]]
        self.start, its = socket.socketpair(socket.AF_UNIX,
                                            socket.SOCK_SEQPACKET)
        theirs = [fds[0][0], fds[1][1], its.detach()]

        def before():
            # Above what they become: none is closed by another.
            high = [os.dup(fd) for fd in (theirs[0], theirs[1], theirs[2])]
            high += [os.dup(opened)] if opened is not None else []
            for fd in [h for h in high if h < 10]:
                high[high.index(fd)] = os.dup2(fd, 20 + high.index(fd))
            for to, fd in zip((0, 1, 3, 4), high):
                os.dup2(fd, to, inheritable=True)
            null = os.open("/dev/null", os.O_RDWR)
            if null != 2:
                os.dup2(null, 2, inheritable=True)
            os.closerange(4 if opened is None else 5, 64)
            base._die_with_parent()
        self.start.send(bytes(start))
        argv = [*root.wrap, *front, "setpriv", "--reuid", str(uid), "--regid",
                str(gid), "--clear-groups", str(base.BUILD / "libexec/local"),
                start.take.to.user.decode() or start.text.user.decode()]
        self.proc = subprocess.Popen(argv, preexec_fn=before,
                                     close_fds=False)
        for fd in theirs:
            os.close(fd)
        if not start.stays:
            self.start.close()
        self.pid = self.proc.pid
        self._short = short
        self._begun(*ours, content)

    def _begun(self, content_fd, answer_fd, content):
        self._content, self._answer = content_fd, answer_fd
        self._writer = threading.Thread(target=self._feed, args=(content,),
                                        daemon=True)
        self._writer.start()

    def _feed(self, content):
        try:
            at = memoryview(content)
            while at:
                at = at[os.write(self._content, at):]
        except OSError:
            pass
        if not self._short:
            self.end()

    def end(self):
        """The content ends here."""
        if self._content is not None:
            os.close(self._content)
            self._content = None

    def next(self, start, content):
        """Another delivery, of one that stays."""
        fds = [os.pipe() for _ in range(2)]
        socket.send_fds(self.start, [bytes(start)], [fds[0][0], fds[1][1]])
        for fd in (fds[0][0], fds[1][1]):
            os.close(fd)
        self._begun(fds[0][1], fds[1][0], content)
        return self

    def said(self, timeout=60):
        """What one that stays has answered."""
        self.start.settimeout(timeout)
        assert self.start.recv(100) == b"\0"
        raw = b""
        while piece := os.read(self._answer, 1 << 20):
            raw += piece
        os.close(self._answer)
        self._writer.join(timeout)
        return Answer(raw, None, "")

    def answer(self, timeout=60):
        got = []

        def read():
            while True:
                piece = os.read(self._answer, 1 << 20)
                if not piece:
                    return
                got.append(piece)
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        status = self.proc.wait(timeout)
        reader.join(timeout)
        os.close(self._answer)
        self._writer.join(timeout) if not self._short else self.end()
        return Answer(b"".join(got), status, "")


class Local:
    """local in a LocalRoot, for a user of it."""

    def __init__(self, root):
        self.root = root

    def begin(self, user, content=b"Subject: x\r\n\r\nhello\r\n",
              method="mbox", what=MAILBOX, text="", short=False, uid=None,
              gid=None, opened=None, doing=DELIVER, front=(), more=0,
              on=None, **fields):
        """more: bytes that were announced and do not come; short: nor does
        the end.  front: a command in front of it.  on: by this one, which
        stays."""
        s = Start(magic=0x504f534c, doing=doing, life=fields.pop("life", 60),
                  method=METHODS.index(method), delim=ord("+"),
                  hostname=b"host.test", opened=opened is not None)
        line = self.root._line("passwd", user).split(":")
        uid = int(line[2]) if uid is None else uid
        mail = os.stat("/var/mail").st_gid
        own = int(line[3])
        if gid is None:
            gid = mail if what == MAILBOX and method == "mbox" and \
                doing == DELIVER else own
        t = s.take
        t.id, t.job = 1, 1
        t.to.what, t.to.uid, t.to.gid = what, uid, own
        t.to.user, t.to.home = user.encode(), line[5].encode()
        t.to.text = text.encode()
        t.sender, t.rcpt = b"from@a.test", f"{user}@here.test".encode()
        t.bytes = len(content) + more
        s.text.what = fields.pop("read", 0)
        s.text.uid, s.text.gid = int(line[2]), own
        s.text.user, s.text.home = user.encode(), line[5].encode()
        s.text.name = fields.pop("name", ".forward").encode()
        if "mailbox" in fields:
            t.to.user = fields.pop("mailbox").encode()
        for name, value in fields.items():
            where = next(w for w in (s, t, t.to)
                         if name in [f[0] for f in w._fields_])
            setattr(where, name,
                    value.encode() if isinstance(value, str) else value)
        if on is not None:
            return on.next(s, content)
        return Running(self.root, s, uid, gid, content, short, opened, front)

    def run(self, user, *args, timeout=60, **fields):
        return self.begin(user, *args, **fields).answer(timeout)

    def forward(self, user, **fields):
        return self.run(user, b"", doing=READ, read=FORWARD, **fields)

    def include(self, user, path, **fields):
        return self.run(user, b"", doing=READ, read=INCLUDE, name=path,
                        **fields)
