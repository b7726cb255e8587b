"""Messages of our own people (RFC 6409): what clients leave out is there when
it arrives, what nobody shall see is not, and a stranger's message is as it
came.

SPDX-License-Identifier: ISC
"""
import base64
import email.header
import email.utils
import re
import smtplib
import socket
import time

import dkim
import pytest

from lib import base
from lib.instance import conf

from test_dkim import make_key, zone

BODY = "hello\r\n.dot\r\n  \r\nTo: root\r\nBcc: body@x.test\r\nlast\r\n"
BARE = ("To: bob, \"Smith, Joe\" <joe>\r\nBcc: hidden@x.test,\r\n"
        "\tmore@x.test\r\nSubject: bare\r\n\r\n" + BODY)
WHOLE = ("Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
         "from :  Ann  <a@c.test>\r\nSUBJECT:x\r\nTo: b@x.test\t\r\n"
         "X-Odd:\r\n \r\n\tfold\r\nDate: some day\r\nMessage-Id: <1@c.test>\r\n"
         "\r\n" + BODY)
NAME = r"mx\.test"


def stage(lab, listen="", lines=(), names=None, hostname="mx.test", **kw):
    """An instance whose listener has these options, and who takes its mail."""
    r = lab.receiver(**kw)
    dns = lab.dns(names)
    it = lab.postern(conf(
        dns, r.port, lines=[f"hostname {hostname}", *lines],
        listen="listen on 127.0.0.1 port {port} " + listen))
    return it, r, dns


def split(content):
    """(our own fields, the header section, the body)."""
    head, _, body = content.partition(b"\r\n\r\n")
    trace = re.match(rb"((X-Spam|DKIM-Signature|Received):.*\r\n"
                     rb"([ \t].*\r\n)*)*?Received: .*\r\n([ \t].*\r\n)*",
                     content)
    assert trace, content
    return trace[0], head[trace.end():] + b"\r\n", body


def fields(head, name):
    return re.findall(rb"^" + name + rb"[ \t]*:(.*\r\n(?:[ \t].*\r\n)*)",
                      head, re.M | re.I)


def transact(it, content, sender="a@c.test", rcpt="b@x.test", options=(),
             before=(), proxy=None, helo="c.test"):
    """A transaction by hand; proxy: the address that PROXY names."""
    # Whoever comes from 127.0.0.2 says PROXY.
    with socket.create_connection(
            (it.address, it.port), 30,
            ("127.0.0.2" if proxy else "127.0.0.1", 0)) as sock:
        if proxy:
            sock.sendall(f"PROXY TCP4 {proxy} 127.0.0.1 1 25\r\n".encode())
        f = sock.makefile("rwb")

        def ask(line=None, want="250"):
            if line is not None:
                f.write(line.encode() + b"\r\n")
                f.flush()
            while True:
                got = f.readline().decode()
                assert got.startswith(want), (line, got)
                if got[3:4] != "-":
                    return got
        ask(want="220")
        ask(f"EHLO {helo}")
        for line, want in before:
            ask(line, want)
        ask(" ".join([f"MAIL FROM:<{sender}>", *options]))
        ask(f"RCPT TO:<{rcpt}>")
        ask("DATA", "354")
        if isinstance(content, str):
            content = content.encode()
        f.write(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
        f.flush()
        ask()


# ---- by the clients that people have ----

def by_smtplib(it, lab):
    with smtplib.SMTP(it.address, it.port) as s:
        s.sendmail("a@c.test", ["b@x.test", "hidden@x.test"], BARE)


def by_swaks(it, lab):
    body = lab.path("data")
    body.write_text(BARE.replace("\r\n", "\n"))
    out = base.run(["swaks", "--server", it.address, "--port", it.port,
                    "--helo", "c.test", "--from", "a@c.test",
                    "--to", "b@x.test,hidden@x.test", "--data", f"@{body}"])
    assert out.returncode == 0, out.stdout + out.stderr


def by_curl(it, lab):
    body = lab.path("data")
    body.write_bytes(BARE.encode())
    out = base.run(["curl", "-sS", f"smtp://{it.address}:{it.port}/c.test",
                    "--mail-from", "a@c.test", "--mail-rcpt", "b@x.test",
                    "--mail-rcpt", "hidden@x.test", "-T", body])
    assert out.returncode == 0, out.stderr


def by_msmtp(it, lab):
    out = base.run(["msmtp", f"--host={it.address}", f"--port={it.port}",
                    "--from=a@c.test", "--tls=off", "--auth=off",
                    "--set-from-header=off", "--set-date-header=off",
                    "--set-msgid-header=off", "--remove-bcc-headers=off",
                    "b@x.test", "hidden@x.test"],
                   input=BARE.replace("\r\n", "\n"), stdin=None)
    assert out.returncode == 0, out.stderr


def by_mutt(it, lab):
    home = lab.path("home")
    home.mkdir()
    (home / "rc").write_text(
        f'set smtp_url="smtp://{it.address}:{it.port}/"\n'
        "set from=a@c.test use_envelope_from=yes use_domain=no\n"
        "set write_bcc=yes copy=no ssl_starttls=no ssl_force_tls=no\n")
    out = base.run(["mutt", "-n", "-F", home / "rc", "-s", "bare", "-b",
                    "hidden@x.test,more@x.test", "bob,b@x.test"],
                   input=BODY.replace("\r\n", "\n"), stdin=None,
                   env={"HOME": str(home), "PATH": "/usr/bin:/bin",
                        "LC_ALL": "C"})
    assert out.returncode == 0, out.stdout + out.stderr


def by_sendmail(it, lab):
    out = base.run([it.build / "sendmail", "-R", it.root, "-i", "-f",
                    "a@c.test", "b@x.test", "hidden@x.test"],
                   input=BARE.replace("\r\n", "\n"), stdin=None)
    assert out.returncode == 0, out.stderr


@pytest.mark.parametrize("by", [by_smtplib, by_swaks, by_curl, by_msmtp,
                                by_mutt, by_sendmail])
def test_client(lab, by):
    it, r, _ = stage(lab, lines=["listen on socket"])
    by(it, lab)
    base.wait_until(lambda: any("b@x.test" in m.rcpts for m in r.messages),
                    "it arrives")
    m = next(m for m in r.messages if "b@x.test" in m.rcpts)
    _, head, body = split(m.content)
    for name in (b"From", b"Date", b"Message-ID", b"Subject", b"To"):
        assert len(fields(head, name)) == 1, (name, head)
    assert fields(head, b"From")[0].strip().endswith(b"a@c.test>") or \
        fields(head, b"From")[0].strip() == b"a@c.test"
    date, = fields(head, b"Date")
    when = email.utils.parsedate_to_datetime(date.decode().strip())
    assert abs(when.timestamp() - time.time()) < 120
    ident, = fields(head, b"Message-ID")
    assert re.fullmatch(rb" <\S+@\S+>\r\n", ident)
    assert not fields(head, b"Bcc") and b"hidden" not in head
    assert b"more@x.test" not in head
    to, = fields(head, b"To")
    assert b"bob@mx.test" in to
    assert b"Smith" not in to or b'"Smith, Joe" <joe@mx.test>' in to
    assert body.startswith(BODY.encode().rstrip())
    it.empty()


def test_sendmail_t(lab):
    """Recipients out of the header, some of whom nobody hears of."""
    it, r, _ = stage(lab, lines=["listen on socket"])
    out = base.run([it.build / "sendmail", "-R", it.root, "-t", "-i", "-F",
                    "J\xf6rg", "-f", "a@c.test"],
                   input="To: b@x.test\nCc: Carl <c@x.test>\nBcc: h@x.test,\n"
                         "\t\"I, J\" <i@x.test>\n\nhello\n", stdin=None)
    assert out.returncode == 0, out.stderr
    base.wait_until(lambda: sum(len(m.rcpts) for m in r.messages) == 4,
                    "four served")
    assert {a for m in r.messages for a in m.rcpts} == {
        "b@x.test", "c@x.test", "h@x.test", "i@x.test"}
    for m in r.messages:
        _, head, body = split(m.content)
        assert body == b"hello\r\n"
        assert b"h@x.test" not in head and b"i@x.test" not in head
        sender, = fields(head, b"From")
        assert email.header.decode_header(sender.decode().strip())[0][0] \
            .decode("utf-8") == "J\xf6rg"
        assert sender.strip().endswith(b"<a@c.test>")


# ---- what is not touched ----

def test_whole(lab):
    """Nothing is missing: byte for byte."""
    it, r, _ = stage(lab)
    transact(it, WHOLE)
    m, = r.wait(1)
    trace, _, _ = split(m.content)
    assert m.content == trace + WHOLE.encode()


@pytest.mark.parametrize("content", [BARE, WHOLE, BODY, "", "\r\n",
                                     "From ann Fri\r\nno field\r\n"])
def test_stranger(lab, content):
    """Who is not one of ours is not helped."""
    it, r, _ = stage(lab, "proxy { 127.0.0.2 }")
    transact(it, content, proxy="192.0.2.7")
    m, = r.wait(1)
    assert b"[192.0.2.7]" in m.content
    trace = re.match(rb"Received: .*\r\n([ \t].*\r\n)*", m.content)[0]
    assert m.content == trace + content.encode()


def completed(content, sender=b"a@c.test"):
    _, head, _ = split(content)
    return fields(head, b"From") == [b" <" + sender + b">\r\n"] and \
        len(fields(head, b"Date")) == len(fields(head, b"Message-ID")) == 1


@pytest.mark.parametrize("option,listed", [
    ("submission", True), ("submission { 192.0.2.0/24 }", True),
    ("submission { 198.51.100.0/24 }", False)])
def test_listed(lab, option, listed):
    it, r, _ = stage(lab, f"proxy {{ 127.0.0.2 }} {option}")
    transact(it, BARE, proxy="192.0.2.7")
    m, = r.wait(1)
    assert completed(m.content) == listed
    assert (b"hidden" in m.content) != listed


# ---- forms of content ----

@pytest.mark.parametrize("content,want", [
    ("hello\r\n", rb"(From|Date|Message-ID): .*\r\n){3}\r\nhello\r\n$"),
    ("", rb"(From|Date|Message-ID): .*\r\n){3}$"),
    ("\r\n", rb"(From|Date|Message-ID): .*\r\n){3}\r\n$"),
    ("X: y\r\nno field\r\nBcc: q\r\n",
     rb"X: y\r\n)((From|Date|Message-ID): .*\r\n){3}\r\nno field\r\nBcc: q\r\n$"),
    ("From ann Fri Nov 21 2025\r\nX: y\r\n\r\nz\r\n",
     rb"\r\nX: y\r\n)((From|Date|Message-ID): .*\r\n){3}\r\nz\r\n$"),
])
def test_no_section(lab, content, want):
    """A header section that is not there, or has no empty line behind it."""
    it, r, _ = stage(lab)
    transact(it, content)
    m, = r.wait(1)
    assert re.search(rb"(" + want, m.content), m.content


def test_null_sender(lab):
    it, r, _ = stage(lab)
    transact(it, "\r\nhello\r\n", sender="")
    m, = r.wait(1)
    assert completed(m.content, b"MAILER-DAEMON@mx.test")


def test_message_id(lab):
    """Ours, and another each time."""
    it, r, _ = stage(lab)
    for _ in range(5):
        transact(it, "\r\nhello\r\n")
    seen = {fields(split(m.content)[1], b"Message-ID")[0] for m in r.wait(5)}
    assert len(seen) == 5
    assert all(re.fullmatch(rb" <[0-9A-Z]{13}@mx\.test>\r\n", i)
               for i in seen)


@pytest.mark.parametrize("size", [1, 7, 40, 100000])
@pytest.mark.parametrize("binary", [False, True])
def test_chunks(lab, size, binary):
    """By BDAT, cut anywhere."""
    it, r, _ = stage(lab, extensions=(
        "PIPELINING", "8BITMIME", "CHUNKING", "BINARYMIME"))
    content = BARE.encode()
    chunks = [content[n:n + size] for n in range(0, len(content), size)]
    with it.smtp() as s:
        s.ehlo()
        assert s.mail("a@c.test", ["BODY=BINARYMIME"] if binary else [])[0] \
            == 250
        assert s.rcpt("b@x.test")[0] == 250
        for n, chunk in enumerate(chunks):
            last = " LAST" if n == len(chunks) - 1 else ""
            s.send(b"BDAT %d%s\r\n" % (len(chunk), last.encode()) + chunk)
            assert s.getreply()[0] == 250
    m, = r.wait(1)
    assert completed(m.content)
    assert b"hidden" not in m.content
    assert b"bob@mx.test" in m.content
    assert m.content.endswith(b"\r\n\r\n" + BODY.encode())


def test_large(lab):
    """A body that no buffer holds."""
    it, r, _ = stage(lab)
    body = "".join(f"{n:09d} Bcc: none\r\n.{n}\r\n" for n in range(100000))
    transact(it, "Subject: large\r\nBcc: hidden\r\n\r\n" + body)
    m, = r.wait(1, 60)
    assert completed(m.content)
    assert m.content.endswith(b"\r\n\r\n" + body.encode())


def test_exact_size(lab):
    """The limit is of what the client sends."""
    it, r, _ = stage(lab, lines=["smtp max-message-size 2000"])
    content = "To: b\r\n\r\n"
    content += "x" * (2000 - len(content) - 2) + "\r\n"
    transact(it, content, options=["SIZE=2000"])
    m, = r.wait(1)
    assert completed(m.content)
    # What was written is what was committed: it can be read again.
    it.empty()


# ---- what is said of the content is true of what was kept ----

def test_eight_bit_removed(lab):
    """The only 8-bit bytes stood in Bcc: the next server need not know of
    them."""
    it, r, _ = stage(lab, extensions=("PIPELINING",))
    transact(it, ALL + "Bcc: B\xc3\xb6b <b@x.test>\r\n\r\nascii\r\n".encode(
        "latin-1").decode("latin-1"))
    m, = r.wait(1)
    assert m.content.isascii() and "8BITMIME" not in m.mail_args


ALL = "From: a@c.test\r\nDate: x\r\nMessage-ID: <y@z>\r\n"


def test_eight_bit_kept(lab):
    it, r, _ = stage(lab)
    transact(it, ALL + "Bcc: x\r\n\r\n\xc3\xb6\r\n")
    m, = r.wait(1)
    assert "BODY=8BITMIME" in m.mail_args


# ---- signatures ----

def test_signed_by_us(lab):
    """Our signature is over what was completed."""
    path, txt = make_key(lab, "c.test", "s1")
    r = lab.receiver()
    dns = lab.dns(zone(txt))
    it = lab.postern(conf(
        dns, lines=["hostname mx.test",
                    f'dkim domain c.test selector s1 key "{path}"'],
        rules=[f'action "out" relay port {r.port}',
               'match from local for any action "out"']))
    transact(it, BARE)
    m, = r.wait(1)
    signature = re.match(rb"DKIM-Signature:(.*\r\n)([ \t].*\r\n)*",
                         m.content)[0]
    signed = re.search(rb"[; \t]h=([^;]*)", signature)[1].lower()
    for name in (b"from", b"date", b"message-id", b"to"):
        assert name in re.split(rb"[:\s]+", signed), signed
    assert dkim.verify(m.content, dnsfunc=dns.txt)
    assert not dkim.verify(m.content.replace(b"bob@mx.test", b"bob@mx.tesu"),
                           dnsfunc=dns.txt)


def test_signed_by_client(lab):
    """A client that signs itself: its signature holds."""
    path, txt = make_key(lab, "c.test", "s1")
    it, r, dns = stage(lab, names=zone(txt))
    content = ("From: Ann <a@c.test>\r\nTo: bob, \"J\" <joe>\r\nBcc: h@x\r\n"
               "Subject: signed\r\n\r\n" + BODY).encode()
    signature = dkim.sign(content, b"s1", b"c.test", path.read_bytes(),
                          include_headers=[b"from", b"to", b"subject"])
    transact(it, signature + content)
    m, = r.wait(1)
    assert dkim.verify(m.content, dnsfunc=dns.txt)
    _, head, _ = split(m.content)
    assert len(fields(head, b"Date")) == len(fields(head, b"Message-ID")) == 1
    assert not fields(head, b"Bcc")


# ---- options of the listener ----

def login(user="ann", password="secret"):
    text = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return [(f"AUTH PLAIN {text}", "235")]


def auth_lines(more=()):
    out = base.run(["openssl", "passwd", "-6", "secret"])
    assert out.returncode == 0, out.stderr
    secret = out.stdout.strip()
    return [f'table users {{ ann = "{secret}", bob = "{secret}" }}', *more]


@pytest.mark.parametrize("from_,want", [
    ("From: Ann Smith <boss@c.test>", "From: Ann Smith <ann@c.test>"),
    ("From: \"Boss, The\"\r\n <boss@c.test> (x)",
     "From: \"Boss, The\"\r\n <ann@c.test> (x)"),
    ("FROM: boss@c.test", "FROM: ann@c.test"),
    ("From: The Boss", "From: <ann@c.test>"),
    ("From: boss@c.test, \"", "From: <ann@c.test>"),
    ("Sender: x@y", "Sender: x@y"),
])
def test_masquerade(lab, from_, want):
    it, r, _ = stage(
        lab, "auth-optional <users> auth-insecure senders <who> masquerade",
        auth_lines(['table who { ann = "ann@c.test" }']))
    content = f"{from_}\r\nSubject: m\r\n\r\n{BODY}"
    transact(it, content, sender="ann@c.test", before=login())
    m, = r.wait(1)
    _, head, _ = split(m.content)
    assert want.encode() + b"\r\nSubject: m\r\n" in head
    assert all(b"ann@c.test" in f for f in fields(head, b"From"))
    assert len(fields(head, b"From")) == 1
    # Who did not authenticate is not masqueraded.
    transact(it, content, sender="ann@c.test")
    m = r.wait(2)[1]
    assert from_.encode() in m.content


def test_mask_src(lab):
    """Not a word on where it came from."""
    it, r, _ = stage(lab, "mask-src proxy { 127.0.0.2 }")
    transact(it, BARE, proxy="192.0.2.77", helo="laptop.secret.test")
    transact(it, BARE, helo="laptop.secret.test")
    for m in r.wait(2):
        trace = re.match(rb"Received: .*\r\n([ \t].*\r\n)*", m.content)[0]
        assert re.match(rb"Received: by mx\.test \(Postern\) with ESMTP id "
                        rb"[0-9A-Z]{13}", trace), trace
        for word in (b"192.0.2.77", b"127.0.0.1", b"laptop", b"from"):
            assert word not in trace


def test_mask_src_socket(lab):
    it, r, _ = stage(lab, lines=["listen on socket mask-src"])
    by_sendmail(it, lab)
    m = r.wait(1)[0]
    assert b"userid" not in split(m.content)[0]


@pytest.mark.parametrize("before,want", [
    ([], rb"\(auth=no\)"), (login(), rb"\(auth=yes user=ann\)")])
def test_received_auth(lab, before, want):
    it, r, _ = stage(lab, "auth-optional <users> auth-insecure received-auth",
                     auth_lines())
    transact(it, BARE, before=before)
    m, = r.wait(1)
    trace, _, _ = split(m.content)
    assert re.search(want, trace), trace
    assert (b"ESMTPA" in trace) == bool(before)


def test_received_says_nothing_of_users(lab):
    """Without received-auth."""
    it, r, _ = stage(lab, "auth <users> auth-insecure", auth_lines())
    transact(it, BARE, before=login())
    m, = r.wait(1)
    assert b"auth=" not in m.content and completed(m.content)


def test_junk(lab):
    """What a filter calls junk says so, on top; its own bytes are not
    touched."""
    it, r, _ = stage(lab, "filter f proxy { 127.0.0.2 }", [
        "filter f phase mail-from match mail-from { a@c.test } junk"])
    transact(it, BARE, proxy="192.0.2.7")
    transact(it, BARE, proxy="192.0.2.7", sender="other@c.test")
    junk = next(m for m in r.wait(2) if m.sender == "a@c.test")
    fine = next(m for m in r.messages if m.sender != "a@c.test")
    assert junk.content.startswith(b"X-Spam: Yes\r\nReceived: ")
    assert junk.content.endswith(BARE.encode())
    assert b"X-Spam" not in fine.content


# ---- memory ----

def test_bounded(lab):
    """A field of a megabyte is not held; nothing is left of it afterwards."""
    it, r, _ = stage(lab, lines=["smtp limit max-header 4M"])
    pid, = it.pids("session")[:1]
    field = "To: " + ",\r\n ".join(f"someone-{n}@x.test"
                                   for n in range(60000)) + "\r\n"
    transact(it, field + "\r\n" + BODY)
    was = max(base.rss_kib(p) for p in it.pids("session"))
    for _ in range(20):
        transact(it, field + "\r\n" + BODY)
    now = max(base.rss_kib(p) for p in it.pids("session"))
    assert now - was < 4096 or base.SANITIZED, f"{now - was} KiB more"
    m = r.wait(21, 60)[0]
    assert field.encode() in m.content and completed(m.content)
