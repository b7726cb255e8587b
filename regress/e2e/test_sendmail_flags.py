"""sendmail(8) beside that of Postfix: the same command line and input, and the
same envelope, header and body come out at the other end.

Both hand over to a receiver.  Date, Message-ID and Received are made by each,
and are only seen to be there.  What else differs stands in the table, with the
reason.

SPDX-License-Identifier: ISC
"""
import re
import shlex
import shutil
import subprocess
from email.utils import getaddresses
from pathlib import Path

import pytest

from lib import base, postfix
from lib.instance import conf

OFFERS = ("PIPELINING", "8BITMIME", "SIZE 0", "DSN", "SMTPUTF8",
          "ENHANCEDSTATUSCODES")
OWN = {"date", "message-id", "received"}
ADDRESSES = {"from", "sender", "to", "cc", "reply-to", "resent-from",
             "resent-to", "resent-cc", "resent-sender"}
MESSAGE = b"Subject: x\n\nhello\n"
SETTINGS = """\
myorigin = home.test
default_destination_recipient_limit = 1000
smtp_destination_recipient_limit = 1000
"""

# ---- why some things differ ----

NUL = "we leave NUL bytes out, which no message may hold (RFC 5322 4.1)"
BARE_CR = "a bare CR ends a line with us, and is content with Postfix"
F_NAME = "with -f the full name of the caller is not put before another's address"
CONTENT_LENGTH = "Postfix drops Content-Length, which has no meaning with SMTP"
RESENT = "of what is resent Postfix adds no From, Date and Message-ID, but a Resent-Message-ID"
REFUSED = "we refuse what is no address, and say so; Postfix makes one of it"
MAILER_DAEMON = "a message without From and from nobody: we name the caller, who wrote it"
GETOPT = "an option of Sendmail that Postfix does not know"
BITS = "we look whether the content is 8-bit"
BAD_DSN = "we refuse a word that is none; Postfix warns and goes on"
FOLDED = "Postfix cuts a line of over 998 bytes in its SMTP client; ours goes as it is"
MINUS = "Postfix takes no recipient that begins with '-', and notifies the sender"
GATEWAY = "with -G Postfix adds no Date and Message-ID; we complete what comes from this host"

# Columns: words of the command line, standard input, what differs: a dict of
# sender, rcpts, params, header, body, status, all, with the reason of each.
CASES = [
    # recipients of the command line
    ("b@x.test", MESSAGE, {}),
    ("b@x.test c@y.test d@x.test", MESSAGE, {}),
    ("root", MESSAGE, {}),
    ("root bob@x.test", MESSAGE, {}),
    ("'b@x.test, c@x.test'", MESSAGE, {}),
    ("'<b@x.test>'", MESSAGE, {}),
    ("'Bob <b@x.test>'", MESSAGE, {}),
    ("'b@x.test (Bob)'", MESSAGE, {}),
    ("b@x.test b@x.test", MESSAGE, {}),
    ("B@X.TEST", MESSAGE, {}),
    ("'\"a b\"@x.test'", MESSAGE, {}),
    ("a+b@x.test", MESSAGE, {}),
    ("-- -b@x.test", MESSAGE, {"all": MINUS}),
    ("b@[192.0.2.1]", MESSAGE, {}),
    # -f, -r
    ("-f a@c.test b@x.test", MESSAGE, {"header": F_NAME}),
    ("-fa@c.test b@x.test", MESSAGE, {"header": F_NAME}),
    ("-r a@c.test b@x.test", MESSAGE, {"header": F_NAME}),
    ("-f ann b@x.test", MESSAGE, {"header": F_NAME}),
    ("-f '<a@c.test>' b@x.test", MESSAGE, {"header": F_NAME}),
    ("-f 'Ann <a@c.test>' b@x.test", MESSAGE, {"header": F_NAME}),
    ("-f '<>' b@x.test", MESSAGE, {"header": MAILER_DAEMON}),
    ("-f '' b@x.test", MESSAGE, {"header": MAILER_DAEMON}),
    ("-f ' <> ' b@x.test", b"From: x@c.test\n\nhello\n", {}),
    ("-f '<>' b@x.test", b"From: x@c.test\n\nhello\n", {}),
    ("-f a@c.test b@x.test", b"From: Ann <a@c.test>\n\nhello\n", {}),
    # -F
    ("-F 'Full Name' b@x.test", MESSAGE, {}),
    ("-FCronDaemon b@x.test", MESSAGE, {}),
    ("-F 'A, B' b@x.test", MESSAGE, {}),
    ("-F 'A \"B\"' b@x.test", MESSAGE, {}),
    ("-F Full b@x.test", b"From: other@c.test\n\nhello\n", {}),
    ("-F Full -f a@c.test b@x.test", MESSAGE, {}),
    # -t
    ("-t", b"To: b@x.test\nSubject: x\n\nhello\n", {}),
    ("-t", b"To: b@x.test, C <c@x.test>\nCc: d@x.test\n\nhello\n", {}),
    ("-t", b"To: b@x.test\nBcc: c@x.test\nSubject: x\n\nhello\n", {}),
    ("-t", b"To: b@x.test\nBcc:\nSubject: x\n\nhello\n", {}),
    ("-t", b"Bcc: b@x.test,\n c@x.test,\n\td@x.test\n\nhello\n", {}),
    ("-t", b"bcc : b@x.test\nBCC: c@x.test\n\nhello\n", {}),
    ("-t", b"To: b@x.test\nBcc: c@x.test,\n \n\td@x.test\nSubject: x\n\n"
     b"hello\n", {}),
    ("-t", b"To: b@x.test\nResent-Bcc : c@x.test\n ,\n d@x.test\n"
     b"Bcc: z@x.test\nResent-From: f@x.test\n\nhello\n", {"header": RESENT}),
    ("-t c@y.test", b"To: b@x.test\n\nhello\n", {}),
    ("-t B@x.test", b"To: b@x.test, c@X.TEST\nCc: C@x.test\nBcc: <b@x.test>"
     b"\n\nhello\n", {}),
    ("-t", b"To: root, bob\nFrom: ann\nCc: Carl <carl>\n\nhello\n", {}),
    ("-t", b"To: g: b@x.test, c@x.test;\n\nhello\n", {}),
    ("-t", b"To: undisclosed-recipients:;\nBcc: b@x.test\n\nhello\n", {}),
    ("-t", b"To: a@x.test\nResent-To: b@x.test\n\nhello\n",
     {"header": RESENT}),
    ("-t", b"To: a@x.test\nBcc: c@x.test\nResent-To: b@x.test\n"
     b"Resent-Cc: d@x.test\nResent-Bcc: e@x.test\n"
     b"Resent-From: f@x.test\nResent-Date: Thu, 1 Jan 2026 00:00:00 +0000\n"
     b"Resent-Message-Id: <g@x.test>\n\nhello\n", {"header": RESENT}),
    ("b@x.test", b"Resent-Bcc: e@x.test\nResent-From: f@x.test\n"
     b"Resent-Date: Thu, 1 Jan 2026 00:00:00 +0000\n"
     b"Resent-Message-Id: <g@x.test>\n\nhello\n", {"header": RESENT}),
    ("b@x.test", b"To: a@x.test\nBcc: c@x.test\n\nhello\n", {}),
    ("-t", b"To: b@x.test\r\nBcc: c@x.test,\r\n d@x.test\r\nSubject: x\r\n\r\n"
     b"hello\r\nmore\r\n", {}),
    ("-t", b"Subject: nobody\n\nhello\n", {}),
    ("-t", b"To: (nobody)\n\nhello\n", {}),
    ("-t", b"To: b . c (Bob) @ x . test\n\nhello\n", {}),
    ("-t", b"To: \"Last, First\" <b@x.test>\n\nhello\n", {}),
    ("-t", b"To: =?utf-8?q?B=C3=B6?= <b@x.test>\n\nhello\n", {}),
    # dots
    ("b@x.test", b"Subject: x\n\na\n.\nb\n", {}),
    ("-i b@x.test", b"Subject: x\n\na\n.\nb\n", {}),
    ("-oi b@x.test", b"Subject: x\n\na\n.\nb\n", {}),
    ("-it", b"To: b@x.test\n\na\n.\nb\n", {}),
    ("-i b@x.test", b"Subject: x\n\n..\n.a\n.\n", {}),
    ("-i b@x.test", b"Subject: x\r\n\r\na\r\n.\r\nb\r\n", {}),
    ("b@x.test", b"Subject: x\r\n\r\na\r\n.\r\nb\r\n", {}),
    # headers and bodies of all kinds
    ("b@x.test", b"hello\n", {}),
    ("b@x.test", b"\nhello\n", {}),
    ("b@x.test", b"", {}),
    ("b@x.test", b"Subject: x\n", {}),
    ("b@x.test", b"Subject: x", {}),
    ("b@x.test", b"Subject: x\n\nhello", {}),
    ("b@x.test", b"Subject: x\nno field\nmore\n", {}),
    ("b@x.test", b"Subject: x\n folded\n\tmore\n\nhello\n", {}),
    ("b@x.test", b"From a@b Thu Jan  1 00:00:00 2026\nSubject: x\n\nhello\n",
     {}),
    ("b@x.test", b">From a@b Thu Jan  1 00:00:00 2026\nSubject: x\n\nhello\n",
     {}),
    ("b@x.test", b"Subject: x\n\nFrom here\n>From there\n", {}),
    ("b@x.test", b"Return-Path: <z@x.test>\nSubject: x\n\nhello\n", {}),
    ("b@x.test", b"Content-Length: 6\nSubject: x\n\nhello\n",
     {"header": CONTENT_LENGTH}),
    ("b@x.test", b"X-A: 1\nX-B: 2\nX-A: 3\n\n\n\nhello\n\n\n", {}),
    ("b@x.test", b"Date: Thu, 1 Jan 2026 00:00:00 +0000\n"
     b"Message-ID: <own@c.test>\nFrom: a@c.test\n\nhello\n", {}),
    ("b@x.test", b"From: A <a@c.test>, B <b@c.test>\nSender: b@c.test\n\n"
     b"hello\n", {}),
    ("b@x.test", b"Subject: \xc3\xa4\n\n\xe4\xf6\xfc\n", {"params": BITS}),
    ("-B8BITMIME b@x.test", b"Subject: x\n\n\xc3\xa4\n", {}),
    ("-B8BITMIME b@x.test", MESSAGE, {"params": BITS}),
    ("-B7BIT b@x.test", MESSAGE, {"params": BITS}),
    ("-i b@x.test", b"Subject: x\n\n" + b"y" * 990 + b"\n", {}),
    ("-i b@x.test", b"Subject: x\n\n" + b"y" * 20000 + b"\n",
     {"body": FOLDED}),
    ("-i b@x.test", b"Subject: x\n\n" + b"line\n" * 50000, {}),
    ("-i b@x.test", b"Subject: x\n\na\0b\n", {"body": NUL}),
    ("-i b@x.test", b"Subject: x\n\na\rb\n", {"body": BARE_CR}),
    # DSN
    ("-N success,failure b@x.test", MESSAGE, {}),
    ("-Nnever b@x.test c@x.test", MESSAGE, {}),
    ("-N delay -R hdrs -V id1 b@x.test", MESSAGE, {}),
    ("-Rfull -Vid+2 b@x.test", MESSAGE, {}),
    ("-N sometimes b@x.test", MESSAGE, {"status": BAD_DSN}),
    # callers
    ("-FCronDaemon -i -B8BITMIME -oem root",
     b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@h> x\n\nout\n",
     {"params": BITS}),
    ("-FCronDaemon -odi -oem -oi -t",
     b"From: root (Cron Daemon)\nTo: root\nSubject: x\n\nout\n", {}),
    ("-FCronDaemon -odi -oem -oi -t -f root",
     b"From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: x\n\nout\n", {}),
    ("-FCronDaemon -odi -oem -oi -t -f '<>'",
     b"From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: x\n\nout\n", {}),
    ("-oem -oi -f a@c.test -- b@x.test c@x.test",
     b"From: a@c.test\nTo: b@x.test\n\nhello\n", {}),
    ("-f fail2ban@c.test root",
     b"Subject: banned\nFrom: Fail2Ban <fail2ban@c.test>\nTo: root\n\nHi,\n",
     {}),
    ("-i -m -f a@c.test b@x.test", b"From: a@c.test\n\nhello\n", {}),
    ("-G -i -fa@c.test b@x.test", b"From: a@c.test\n\nhello\n",
     {"header": GATEWAY}),
    ("-G -i -fa@c.test b@x.test", b"From: a@c.test\nDate: Thu, 1 Jan 2026 "
     b"00:00:00 +0000\nMessage-ID: <own@c.test>\n\nhello\n", {}),
    # taken, and without effect
    ("-bm -om -m -U -odb -odq -odf -oep -oee b@x.test", MESSAGE, {}),
    ("-e m b@x.test", MESSAGE, {}),
    ("-L tag -h 3 -p x -Ac b@x.test", MESSAGE, {}),
    ("-O DeliveryMode=b -OErrorMode=m -o7 -o8 b@x.test", MESSAGE, {}),
    ("-oQ/tmp -h 3 b@x.test", MESSAGE, {}),
    ("-X /dev/null b@x.test", MESSAGE, {"status": GETOPT}),
    ("-n b@x.test", MESSAGE, {"status": GETOPT}),
    ("-x -7 -J -E b@x.test", MESSAGE, {"status": GETOPT}),
    # usage
    ("", MESSAGE, {}),
    ("-i", MESSAGE, {}),
    ("-Z b@x.test", MESSAGE, {}),
    ("-f", MESSAGE, {}),
    ("-B9BIT b@x.test", MESSAGE, {}),
    ("'a b c'", MESSAGE, {"status": REFUSED}),
    ("a@-x-", MESSAGE, {"status": REFUSED}),
]
IDS = [f"{n} {c[0][:40]}" for n, c in enumerate(CASES)]


class Ours:
    def __init__(self, lab):
        self.sink = lab.receiver(extensions=OFFERS)
        self.it = lab.postern(conf(
            host=f"smtp://127.0.0.1:{self.sink.port}",
            listen="listen on socket\nlisten on 127.0.0.1 port {port}",
            lines=["hostname mx.home.test", "mailname home.test"]))

    def run(self, words, data):
        return subprocess.run([base.BUILD / "sendmail", "-R", self.it.root,
                               *words], input=data, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Theirs:
    def __init__(self, lab):
        self.sink = lab.receiver(extensions=OFFERS)
        self.it = lab.postfix(
            SETTINGS + f"relayhost = [127.0.0.1]:{self.sink.port}\n",
            hostname="mx.home.test")

        # Its postdrop(1) reads no configuration but that of /etc/postfix: in
        # a namespace of its own there is an /etc with little else.
        self.etc = lab.path("etc")
        (self.etc / "postfix").mkdir(parents=True)
        for name in ("hosts", "ld.so.cache", "nsswitch.conf", "services",
                     "localtime", "protocols"):
            if Path("/etc", name).exists():
                shutil.copy(f"/etc/{name}", self.etc / name)
        for name in ("passwd", "group"):
            shutil.copy(self.it.dir / "etc" / name, self.etc / name)

    def run(self, words, data):
        script = ('mount --bind "$1" "$2/postfix" && '
                  'mount --rbind "$2" /etc && shift 2 && exec "$@"')
        return subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", script,
             "-", self.it.dir / "etc", self.etc, postfix.SBIN / "sendmail",
             *words], input=data, timeout=60, env=postfix.env(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def both(shared_lab):
    assert postfix.available(), "make peers"
    return Ours(shared_lab), Theirs(shared_lab)


# ---- what came out ----

def one_space(text):
    return re.sub(r"\s+", " ", text).strip()


def field(name, value):
    """A field, so that ways to write the same address are the same."""
    name, value = name.lower(), one_space(value)
    if name in ADDRESSES:
        pairs = getaddresses([value])
        if all(address for _, address in pairs) and pairs and \
                ";" not in value:
            value = [(one_space(n), a) for n, a in pairs]
    return name, str(value)


def fields(content):
    head = content.partition(b"\r\n\r\n")[0].decode("latin-1")
    lines = re.sub(r"\r\n(?=[ \t])", " ", head).split("\r\n")
    return [field(*line.split(":", 1)) for line in lines if ":" in line]


class Outcome:
    """What is compared."""

    def __init__(self, status, message):
        self.status = status == 0
        self.sender = self.rcpts = self.params = self.header = self.body = None
        if message is None:
            return
        self.sender = message.sender
        self.rcpts = sorted(message.rcpts)
        words = sorted(w for w in message.mail_args.split()
                       if not w.startswith(("SIZE=", "AUTH=")))
        notify = {re.sub(r".*(NOTIFY=\S+).*", r"\1", a) if "NOTIFY" in a
                  else "" for a in message.rcpt_args.values()}
        self.params = words, sorted(
            ",".join(sorted(n.partition("=")[2].split(","))) for n in notify)
        all_fields = fields(message.content)
        # Of ours, that they are there; of a notification too.
        self.header = sorted(f for f in all_fields if f[0] not in OWN) + \
            sorted({f[0] for f in all_fields} & OWN)
        self.body = message.content.partition(b"\r\n\r\n")[2]


def outcome(who, words, data):
    before = len(who.sink.messages)
    out = who.run(words, data)
    message = None
    if out.returncode == 0:
        base.wait_until(lambda: len(who.sink.messages) > before,
                        f"{words}: message", 30)
        message = who.sink.messages[before]
        assert len(who.sink.messages) == before + 1
    return Outcome(out.returncode, message), out


@pytest.mark.parametrize("line,data,differs", CASES, ids=IDS)
def test_same(both, line, data, differs):
    words = shlex.split(line)
    (ours, out), (theirs, other) = (outcome(w, words, data) for w in both)
    said = f"{out.stderr!r} {other.stderr!r}"
    aspects = ("status", "sender", "rcpts", "params", "header", "body")
    if "all" in differs:
        assert [getattr(ours, a) for a in aspects] != \
            [getattr(theirs, a) for a in aspects], differs["all"]
        return
    for aspect in aspects:
        a, b = getattr(ours, aspect), getattr(theirs, aspect)
        if "status" in differs and aspect != "status":
            continue
        if aspect in differs:
            assert a != b, f"{aspect} is the same: {differs[aspect]}"
        else:
            assert a == b, f"{aspect}: {said}"


def test_enough():
    assert len(CASES) >= 60
    reasons = [r for c in CASES for r in c[2].values()]
    assert all(len(r) > 20 for r in reasons)
    assert len(reasons) < len(CASES) / 3
