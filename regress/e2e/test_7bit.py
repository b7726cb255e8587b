"""8-bit content for a server without 8BITMIME: made quoted-printable while it
is read, the same to who decodes it, and signed as it is sent.

SPDX-License-Identifier: ISC
"""
import base64
import email
import email.policy
import quopri
import random

import dkim
import pytest

from lib import base
from lib.instance import conf, submit

SEVEN = ("PIPELINING", "SIZE 0", "ENHANCEDSTATUSCODES")
TEXT = "Größe: 5 €\r\n  \r\nfrom here = there\r\n.\r\n"

PLAIN = ("Subject: t\r\nFrom: a@c.test\r\n\r\n" + TEXT).encode()
LATIN = b"Subject: t\r\nFrom: a@c.test\r\n\r\nGr\xf6\xdfe\r\n"
MARKED = ("Subject: t\r\nFrom: a@c.test\r\nMIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=utf-8\r\n"
          "Content-Transfer-Encoding: 8bit\r\n\r\n" + TEXT).encode()
MIXED = (
    "Subject: t\r\nFrom: a@c.test\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=\"=_b 1\"\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nah\r\n--=_b 1\r\n"
    "Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n" + TEXT +
    "--in\r\nContent-Type: text/html; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n<p>" + "ü" * 500 +
    "</p>\r\n--in--\r\n--=_b 1\r\nContent-Type: application/x\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--=_b 1\r\n"
    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "Subject: inner\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
    "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + TEXT +
    "--=_b 1--\r\n").encode()
LIES = MIXED.replace(b"Content-Transfer-Encoding: 8bit\r\n", b"")
SIGNED = MIXED.replace(b"multipart/alternative", b"multipart/signed")


def leaves(content):
    """Type and decoded content of each part."""
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    return [(p.get_content_type(), p.get_payload(decode=True))
            for p in message.walk() if not p.is_multipart()]


def lab_7bit(lab, lines=(), **table):
    r = lab.receiver(extensions=SEVEN, **table)
    return r, lab.postern(conf(lab.dns(), r.port, lines=lines))


def send(it, content):
    with it.smtp() as s:
        s.ehlo("c.test")
        assert s.mail("a@x.test", ["BODY=8BITMIME"])[0] == 250
        assert s.rcpt("b@x.test")[0] == 250
        code, _ = s.data(content)
        assert code == 250


@pytest.mark.parametrize("content", [PLAIN, MARKED, MIXED, LIES],
                         ids=["plain", "marked", "mixed", "lies"])
def test_same(lab, content):
    """7-bit on the wire, and the same bytes for who decodes it."""
    r, it = lab_7bit(lab)
    send(it, content)
    m, = r.wait(1)
    assert all(b < 128 for b in m.content)
    assert "BODY" not in m.mail_args
    want, got = leaves(content), leaves(m.content)
    assert [t for t, _ in got] == [t for t, _ in want]
    for (_, a), (_, b) in zip(want, got):
        assert a.rstrip(b"\r\n") == b.rstrip(b"\r\n")
    assert max(len(l) for l in m.content.split(b"\r\n")) < 200


class Made:
    """A message as anybody may write it: parts in parts, right and wrong
    encodings, lines that look like boundaries."""
    WORDS = ["hello", "größe", "\udcff\udcfe", "a=b", "==", ".", "From ", "--",
             "--b0", "--b1--", "\t", " ", "  ", "x" * 70, "ä" * 60, "=20"]
    LINES = ["", "Content-Transfer-Encoding: 8bit\r\n",
             "Content-Transfer-Encoding: 7bit\r\n"]

    def __init__(self, seed):
        self.random, self.n = random.Random(seed), 0
        self.text = f"Subject: {seed}\r\n" + self.entity(0, [], "\r\n")

    def body(self, around):
        pick = self.random
        lines = ["".join(pick.choice(self.WORDS) + pick.choice(["", " "])
                         for _ in range(pick.randrange(9)))
                 for _ in range(pick.randrange(8))]
        ends = {f"--{b}{end}" for b in around for end in ("", "--")}
        return "".join(("x" if line.rstrip(" \t") in ends else "") + line +
                       "\r\n" for line in lines)

    def multipart(self, depth, around, mime):
        pick, self.n = self.random, self.n + 1
        boundary = pick.choice(["b%d", "=_%d", "----=_Part_%d:?"]) % self.n
        quote = pick.choice(['"', ""])  # without: wrong, and seen often
        head = [mime, pick.choice(self.LINES),
                f"Content-Type: multipart/mixed; boundary={quote}{boundary}"
                f"{quote}\r\n"]
        pick.shuffle(head)
        parts = "".join(f"--{boundary}\r\n" +
                        self.entity(depth + 1, around + [boundary])
                        for _ in range(pick.randint(1, 3)))
        return "".join(head) + f"\r\n{parts}--{boundary}--\r\n"

    def entity(self, depth, around, mime=""):
        pick = self.random
        mime = mime and "MIME-Version: 1.0\r\n"
        what = pick.randrange(8)
        if depth < 4 and what < (5 if mime else 2):
            return self.multipart(depth, around, mime)
        if depth < 4 and what == 5:
            return (mime + "Content-Type: message/rfc822\r\n\r\n" +
                    self.entity(depth + 1, around, "\r\n"))
        head = mime + pick.choice(["", "Content-Type: text/html\r\n"])
        body, cte = self.body(around), pick.choice(["qp", "base64", "8bit"])
        if cte == "8bit":
            return head + pick.choice(self.LINES) + "\r\n" + body
        raw = body.encode(errors="surrogateescape")
        if cte == "base64":
            coded = base64.encodebytes(raw).decode()
            return (f"{head}Content-Transfer-Encoding: base64\r\n\r\n" +
                    coded.replace("\n", "\r\n"))
        coded = quopri.encodestring(raw.replace(b"\r\n", b"\n")).decode()
        return (f"{head}Content-Transfer-Encoding: quoted-printable\r\n\r\n" +
                coded.replace("--", "=2D-").replace("\n", "\r\n"))


def tree(message):
    """Types, how they stand in each other, and decoded contents."""
    if message.is_multipart():
        return (message.get_content_type(),
                [tree(part) for part in message.get_payload()])
    return (message.get_content_type(), message.get_payload(decode=True))


def test_as_python_reads_it(lab):
    """Many messages, each the same to who decodes it."""
    r, it = lab_7bit(lab)
    made = {}
    for seed in range(400):
        content = Made(seed).text.encode(errors="surrogateescape")
        if any(b > 127 for b in content):
            made[str(seed)] = content
    assert len(made) > 100
    contents = list(made.values())
    for at in range(0, len(contents), 50):
        with it.smtp() as s:
            for content in contents[at:at + 50]:
                submit(s, "a@x.test", ["b@x.test"], content, ["BODY=8BITMIME"])
    for m in r.wait(len(made), timeout=60):
        got = email.message_from_bytes(m.content)
        want = email.message_from_bytes(made[got["Subject"]])
        assert all(b < 128 for b in m.content)
        assert tree(got) == tree(want), got["Subject"]


def test_charset(lab):
    """What says nothing of it: UTF-8 if it is, else nobody knows."""
    r, it = lab_7bit(lab)
    send(it, PLAIN)
    send(it, LATIN)
    r.wait(2)
    got = {m.parsed().get_content_charset(): m.parsed().get_payload(decode=True)
           for m in r.messages}
    assert got["utf-8"].decode().startswith("Größe")
    assert got["unknown-8bit"].startswith(b"Gr\xf6\xdfe")


def test_8bitmime_as_before(lab):
    """Where it is offered nothing is touched."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    send(it, MIXED)
    m, = r.wait(1)
    assert m.content.endswith(MIXED.split(b"\r\n\r\n", 1)[1])
    assert "BODY=8BITMIME" in m.mail_args


def test_sealed(lab):
    """What is signed inside is not changed, and refused."""
    r, it = lab_7bit(lab)
    send(it, SIGNED)
    base.wait_until(lambda: any(m.sender == "" for m in r.messages),
                    "the notification")
    told, = r.messages
    assert b"5.6.3" in told.content and b"must not change" in told.content
    assert all(b < 128 for b in told.content)


def test_next_host(lab):
    """What one host cannot have, another may take as it is."""
    port, seven = None, None
    while seven is None:
        port = base.free_port()
        try:
            seven = lab.receiver(address="127.0.0.2", port=port,
                                 extensions=SEVEN)
            eight = lab.receiver(address="127.0.0.3", port=port)
        except OSError:
            continue
    dns = lab.dns({"x.test": ["MX 10 a.x.test.", "MX 20 b.x.test."],
                   "a.x.test": ["A 127.0.0.2"], "b.x.test": ["A 127.0.0.3"]})
    it = lab.postern(conf(dns, port))
    send(it, MIXED)
    assert all(b < 128 for b in seven.wait(1)[0].content)
    for n in range(2):  # also over the connection that is still there
        send(it, SIGNED)
        assert eight.wait(n + 1)[n].content.count(b"multipart/signed") == 1
    assert len(seven.messages) == 1


def test_large(lab):
    """20 MB, by pieces; and SIZE is that of what is sent."""
    r, it = lab_7bit(lab, lines=["smtp max-message-size 100M"])
    r.extensions = ("PIPELINING", "SIZE 90000000")
    line = "ü" * 30 + " x\r\n"
    content = MARKED + line.encode() * (20_000_000 // 64)
    send(it, content)
    m, = r.wait(1, 120)
    assert all(b < 128 for b in m.content[:100000])
    assert m.parsed().get_payload(decode=True).rstrip() == \
        content.split(b"\r\n\r\n", 1)[1].rstrip()
    size = int(m.mail_args.partition("SIZE=")[2].split()[0])
    assert size == len(m.content)


def test_too_large_now(lab):
    """The limit of the server is that of what it would get."""
    r, it = lab_7bit(lab)
    r.extensions = ("SIZE 30000",)
    send(it, MARKED + ("ü" * 36 + "\r\n").encode() * 300)
    base.wait_until(lambda: any(m.sender == "" for m in r.messages),
                    "the notification")
    assert b"5.3.4" in r.messages[0].content


@pytest.mark.parametrize("first", ["250 2.1.5 ok", "450 4.2.1 later"],
                         ids=["at once", "second attempt"])
def test_signature(lab, first):
    """Made of what is sent, also where an earlier attempt met a server that
    takes 8-bit content: then the signature of that is not used."""
    key = lab.path("key")
    made = base.run([base.BUILD / "smtpctl", "dkim", "key", "c.test", "s1",
                     "-a", "ed25519", "-o", key])
    assert made.returncode == 0, made.stderr
    record = " ".join(made.stdout.split(" IN ", 1)[1].split())
    dns = lab.dns({"x.test": ["MX 10 mx.x.test."],
                   "mx.x.test": ["A 127.0.0.1"],
                   "s1._domainkey.c.test": [record]})
    r = lab.receiver(extensions=SEVEN, rcpt=[first, "250 2.1.5 ok"])
    if first[0] == "4":
        r.extensions = SEVEN + ("8BITMIME",)
    it = lab.postern(conf(
        dns, retry="3s*100",
        lines=[f'dkim domain c.test selector s1 key "{key}"'],
        rules=[f'action "out" relay port {r.port}',
               'match from local for any action "out"']))
    send(it, MIXED)
    if first[0] == "4":
        base.wait_until(lambda: it.queue()[0]["attempts"] == 1, "one attempt")
        r.extensions = SEVEN
    m, = r.wait(1)
    assert all(b < 128 for b in m.content)
    assert m.content.count(b"DKIM-Signature:") == 1
    assert dkim.verify(m.content, dnsfunc=lambda n, **_: dns.txt(n))
