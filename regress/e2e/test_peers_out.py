"""Real servers that take what we send, each as it comes and with as little of
ESMTP as it can be told to offer: Postfix, Exim and OpenSMTPD, which relay on
what they have to a server of the test, Dovecot by LMTP, and the many ways of
Postfix's smtp-sink.  What arrives is what was sent, byte for byte; what was
signed is good behind each of them.

SPDX-License-Identifier: ISC
"""
import random
import re
import smtplib
import socket

import pytest

from lib import base, dovecot, exim, opensmtpd, pki, postfix
from lib.instance import conf
from test_7bit import leaves
from test_dkim import CONTENT, make_key, signatures, verified

MB = 1 << 20
POLICIES = ("may", "require", "verify")
ALL = ("PIPELINING", "8BITMIME", "SIZE 0", "DSN", "SMTPUTF8",
       "ENHANCEDSTATUSCODES")
VISIBLE = bytes(33 + n % 94 for n in range(256))

# ---- what is sent ----


def whole(number, body, eight=False, fields=""):
    """A header section that lacks nothing, so that nobody adds to it behind
    X-Number."""
    return (f"X-Number: {number}\r\nFrom: <a@c.test>\r\nTo: <b@x.test>\r\n"
            f"Date: Thu, 20 Nov 2025 09:15:00 +0100\r\n"
            f"Message-ID: <{number}@c.test>\r\nSubject: {number}\r\n{fields}"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: {'8bit' if eight else '7bit'}\r\n"
            "\r\n").encode() + body


def text(number, size, eight=False):
    """Lines of any length up to 998, and what is odd in between."""
    rnd = random.Random(number)
    odd = [b".", b"..", b".a dot in front", b"", b"   ", b"\t", b"-- ",
           b"blanks at the end   ", b"From the beginning", b"=3D=20"]
    if eight:
        odd += ["\u00e9\u00e8 \u20ac".encode(), "\u00fc".encode() * 400]
    lines, n = odd[-2:], 0
    while n < size:
        line = (rnd.choice(odd) if rnd.random() < 0.2 else
                rnd.randbytes(rnd.choice(
                    (1, 10, 60, 77, 78, 79, 200, 996))).translate(VISIBLE))
        lines.append(line)
        n += len(line) + 2
    return b"\r\n".join(lines) + b"\r\n"


class Mail:
    """What is handed over, and what its envelope is."""

    def __init__(self, content, rcpts=("b@x.test",), sender="a@c.test",
                 mail=(), rcpt=(), needs=()):
        self.content, self.rcpts, self.sender = content, list(rcpts), sender
        self.mail, self.rcpt, self.needs = list(mail), list(rcpt), set(needs)

    def send(self, it):
        with it.smtp(60) as s:
            s.ehlo()
            utf8 = ["SMTPUTF8"] if "SMTPUTF8" in self.needs else []
            s.command_encoding = "utf-8"
            assert s.mail(self.sender, self.mail + utf8)[0] == 250
            for r in self.rcpts:
                assert s.rcpt(r, self.rcpt)[0] == 250, r
            assert s.data(self.content)[0] == 250


def mails():
    """Twenty and more, by number."""
    eight = dict(mail=["BODY=8BITMIME"])
    made = [
        lambda n: Mail(whole(n, b"short\r\n"), ["MiXed.Case@x.test"],
                       "SeNdeR@c.test"),
        lambda n: Mail(whole(n, text(n, 4000))),
        lambda n: Mail(whole(n, text(n, 60000))),
        lambda n: Mail(whole(n, b"")),
        lambda n: Mail(whole(n, b"\r\n")),
        lambda n: Mail(whole(n, b"\r\n" * 50)),
        # dots
        lambda n: Mail(whole(n, b".\r\n")),
        lambda n: Mail(whole(n, b"..\r\n.\r\n...\r\n.end\r\n")),
        lambda n: Mail(whole(n, b".x" * 400 + b"\r\n" + b".\r\n" * 5000)),
        # lines as long as a line may be
        lambda n: Mail(whole(n, (b"x" * 998 + b"\r\n") * 30)),
        lambda n: Mail(whole(n, (b"." * 998 + b"\r\n") * 3, fields="".join(
            f"X-Long: {'y' * 980}\r\n\t{'z' * 900}\r\n" for _ in range(3)))),
        # 8-bit
        lambda n: Mail(whole(n, text(n, 3000, True), True), **eight),
        lambda n: Mail(whole(n, text(n, 70000, True), True), **eight),
        lambda n: Mail(whole(n, bytes(
            b for b in range(1, 256) if b not in b"\r\n") + b"\r\n", True),
            **eight),
        # large
        lambda n: Mail(whole(n, text(n, 5 * MB))),
        lambda n: Mail(whole(n, text(n, 5 * MB, True), True), **eight),
        # many
        lambda n: Mail(whole(n, b"to many\r\n"),
                       [f"b{i}@x.test" for i in range(250)]),
        lambda n: Mail(whole(n, text(n, 20000)),
                       [f"{'b' * 50}{i}@x.test" for i in range(60)]),
        # nobody
        lambda n: Mail(whole(n, b"from nobody\r\n"), sender=""),
        lambda n: Mail(whole(n, text(n, 3000, True), True), sender="",
                       **eight),
        # DSN
        lambda n: Mail(whole(n, b"parameters\r\n"),
                       mail=["RET=HDRS", "ENVID=id+2B+3Dx"],
                       rcpt=["NOTIFY=FAILURE,DELAY",
                             "ORCPT=rfc822;first@x.test"], needs=["DSN"]),
        lambda n: Mail(whole(n, b"never\r\n"), mail=["RET=FULL"],
                       rcpt=["NOTIFY=NEVER"], needs=["DSN"]),
        # UTF-8
        lambda n: Mail(whole(n, "gr\u00fc\u00dfe\r\n".encode(), True,
                             "X-Name: J\u00f6rg\r\n"),
                       ["bj\u00f6rn@x.test", "b@x.test"],
                       "j\u00f6rg@c.test", needs=["SMTPUTF8"], **eight),
        lambda n: Mail(whole(n, b"ascii in it\r\n"), ["\u7528\u6237@x.test"],
                       needs=["SMTPUTF8"]),
    ]
    return {n: m(n) for n, m in enumerate(made, 1)}


def number_of(content):
    at = content.index(b"X-Number: ")
    return int(content[at + 10:content.index(b"\r\n", at)]), content[at:]


def arrived(box, sent, timeout=90):
    """Each message behind the peer, once to each recipient, as it was sent;
    what a peer adds stands in front."""
    want = {(n, r) for n, m in sent.items() for r in m.rcpts}
    base.wait_until(
        lambda: sum(len(m.rcpts) for m in list(box.messages)) >= len(want),
        "all of it arrives", timeout, 0.1)
    got = []
    for m in box.messages:
        n, content = number_of(m.content)
        assert content == sent[n].content, f"message {n} is another"
        assert m.sender == sent[n].sender, n
        got += [(n, r) for r in m.rcpts]
        if "DSN" in sent[n].needs:
            args = m.mail_args.split()
            assert set(sent[n].mail) <= set(args), (n, args)
            for args in m.rcpt_args.values():
                for one in sent[n].rcpt:
                    assert one in args.split(), (n, args)
    assert sorted(got) == sorted(want), "each recipient once"
    assert not box.odd, box.odd


# ---- who takes it ----

def start_postfix(lab, box, cert=None, settings="", bare=False):
    """cert None: no TLS."""
    lines = [f"relayhost = [127.0.0.1]:{box.port}",
             "message_size_limit = 50000000", "mailbox_size_limit = 0",
             "smtp_line_length_limit = 0", "header_size_limit = 1000000",
             "smtpd_recipient_limit = 1000",
             "smtp_destination_recipient_limit = 1000",
             "local_header_rewrite_clients =", settings]
    if bare:
        lines.append("smtpd_discard_ehlo_keywords = 8bitmime, pipelining, "
                     "chunking, dsn, smtputf8, enhancedstatuscodes")
    if cert:
        lines += [f"smtpd_tls_cert_file = {cert.cert}",
                  f"smtpd_tls_key_file = {cert.key}",
                  "smtpd_tls_security_level = may", "smtpd_tls_loglevel = 1"]
    return lab.postfix(settings="\n".join(lines))


def start_exim(lab, box, cert=None, settings="", bare=False, **kw):
    lines = ["log_selector = +pipelining +all_parents",
             "dsn_advertise_hosts = *" if not bare else "",
             "smtp_accept_max_nonmail = 1000",
             "remote_max_parallel = 1", settings]
    if bare:
        lines += ["pipelining_advertise_hosts =", "chunking_advertise_hosts =",
                  "smtputf8_advertise_hosts =", "dsn_advertise_hosts ="]
    if cert:
        # It reads the key as its own user.
        cert.key.chmod(0o644)
        lines += ["tls_advertise_hosts = *", f"tls_certificate = {cert.cert}",
                  f"tls_privatekey = {cert.key}"]
    else:
        lines.append("tls_advertise_hosts =")
    if not exim.available():
        pytest.fail("make peers")
    return lab.keep(exim.Exim(
        lab.path("exim"), box.port, settings="\n".join(lines),
        options="message_linelength_limit = 10000000\n  max_rcpt = 0\n"
                "  hosts_avoid_tls = *", eight=str(not bare).lower(), **kw))


def start_opensmtpd(lab, box, cert=None, settings="", bare=False,
                    size="50M"):
    """Debian's build serves no TLS with OpenSSL 3, whose keys are not signed
    with by the process that holds them: with a certificate it offers
    STARTTLS, and breaks each handshake.  See test_broken_tls()."""
    assert not bare
    return lab.keep(opensmtpd.OpenSmtpd(
        lab.path("opensmtpd"),
        before="" if cert is None else
        f'pki peer cert "{cert.cert}"\npki peer key "{cert.key}"',
        listen="" if cert is None else "tls pki peer",
        lines=f"smtp max-message-size {size}\n" + settings +
        f'\naction "out" relay host "smtp+notls://127.0.0.1:{box.port}"\n'
        'match from any for any action "out"'))


START = {"postfix": start_postfix, "exim": start_exim,
         "opensmtpd": start_opensmtpd}


class House:
    """An instance that relays all to a peer, which relays to the box."""

    def __init__(self, lab, kind, policy=None, lines=(), names=None,
                 extensions=ALL, who="from any", bad=False, **kw):
        """policy None: the peer has no TLS; bad: its certificate is not one
        for its name.  Else who only wants TLS gets such a one."""
        self.box = lab.receiver(extensions=extensions)
        lines = list(lines)
        cert = None
        if policy:
            where = lab.path("pki")
            ca = pki.Cert(where, "house")
            cert = pki.Cert(
                where, "peer", by=ca, alt="DNS:mx.peer.test"
                if policy == "verify" and not bad else "DNS:other.test")
            lines += [f'ca house cert "{ca.cert}"',
                      f"tls domain mx.peer.test {policy} ca house"]
        self.peer = START[kind](lab, self.box, cert, **kw)
        self.dns = lab.dns({"mx.peer.test": ["A 127.0.0.1"], **(names or {})})
        self.it = lab.postern(conf(
            self.dns, lines=["hostname mx.c.test",
                             "smtp max-message-size 50M", *lines],
            rules=['action "out" relay host '
                   f'"smtp://mx.peer.test:{self.peer.port}"',
                   f'match {who} for any action "out"']))


def tls_of(it, n):
    """The tls= of n deliveries that went well."""
    return set(it.logged(r" delivery .* result=ok .* tls=(\S+)", n, 60))


TLS_SEEN = {"postfix": r"TLS connection established from \S+: TLSv1\.3 with",
            "exim": r"(?i)<= \S*@c\.test .* P=esmtps .*X=TLS1\.3:"}
# That chunks were used: three and more messages are larger than one is.
CHUNKS_SEEN = {"postfix": r"disconnect from .* bdat=\d+",
               "exim": r"<= \S+ .*\bL\b.*\bK\b"}


@pytest.mark.parametrize("kind,policy", [
    (k, p) for k in ("postfix", "exim") for p in (None, *POLICIES)] +
    [("opensmtpd", None)])
def test_arrives(lab, kind, policy):
    h = House(lab, kind, policy)
    offers = base_offers(h.peer)
    sent = {n: m for n, m in mails().items() if m.needs <= offers}
    assert len(sent) >= 20, offers
    for m in sent.values():
        m.send(h.it)
    arrived(h.box, sent)
    h.it.empty()
    tls = tls_of(h.it, len(sent))
    if policy is None:
        assert tls == {"none"}
        assert not re.search(TLS_SEEN.get(kind, "TLSv1"), h.peer.log())
    else:
        said = "verified" if policy == "verify" else "unverified"
        assert all(re.fullmatch(rf'"?TLSv1\.3:\S+:{said}"?', t)
                   for t in tls), tls
        assert re.search(TLS_SEEN[kind], h.peer.log()), h.peer.log()[-3000:]
    if "CHUNKING" in offers:
        base.wait_until(lambda: re.search(CHUNKS_SEEN[kind], h.peer.log()),
                        "chunks in its log:\n" + h.peer.log()[-5000:], 60)
    assert not re.search(r"tls-failed| result=(later|never) ", h.it.log())


def base_offers(peer):
    """What a server says to EHLO."""
    with smtplib.SMTP(peer.address, peer.port, "c.test", timeout=30) as s:
        s.ehlo()
        return {k.upper() for k in s.esmtp_features}


@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_not_verified(lab, kind):
    """The certificate is not for the name that was asked for: it waits, and
    not a word of it was said to the peer."""
    h = House(lab, kind, "verify", bad=True)
    h.it.send("a@c.test", "b@x.test", CONTENT)
    line, = h.it.logged(r"delivery .*")[:1]
    assert " result=later " in line and "cause=tls stage=tls" in line, line
    assert "name wanted: mx.peer.test; names found: other.test" in line, line
    assert "a@c.test" not in h.peer.log()
    assert not h.box.messages and len(h.it.queue()) == 1


@pytest.mark.parametrize("policy", POLICIES)
def test_broken_tls(lab, policy):
    """OpenSMTPD offers STARTTLS and breaks the handshake: it has the mail
    without, where that is allowed, and else none of it."""
    h = House(lab, "opensmtpd", policy)
    assert "STARTTLS" in base_offers(h.peer)
    h.it.send("a@c.test", "b@x.test", whole(1, b"in plain\r\n"))
    line, = h.it.logged(r"delivery .*")[:1]
    assert "EVP lib" in h.peer.log(), "TLS of OpenSMTPD works now: test that"
    why, = h.it.logged(rf"tls-failed .* policy={policy} plain=(\d) why=.*")[:1]
    if policy == "may":
        m, = h.box.wait(1, 60)
        assert number_of(m.content)[1] == whole(1, b"in plain\r\n")
        assert " result=ok " in line and " tls=none " in line and why == "1"
    else:
        assert " result=later " in line and " stage=tls " in line, line
        assert "the handshake failed" in line and why == "0"
        assert not h.box.messages and "a@c.test" not in h.peer.log()


@pytest.mark.parametrize("kind,setting", [
    ("postfix", "smtpd_recipient_limit = 10"),
    ("exim", "recipients_max = 10\nrecipients_max_reject = false"),
    ("opensmtpd", "smtp limit max-rcpt 10")])
def test_recipients_in_parts(lab, kind, setting):
    """The peer takes ten recipients a transaction: in parts, each once."""
    h = House(lab, kind, settings=setting)
    sent = {1: Mail(whole(1, b"to many\r\n"),
                    [f"b{i}@x.test" for i in range(34)])}
    sent[1].send(h.it)
    arrived(h.box, sent)
    h.it.empty()


@pytest.mark.parametrize("kind,how", [
    ("postfix", dict(settings="message_size_limit = 100000")),
    ("exim", dict(size="100000")),
    ("opensmtpd", dict(size="100000"))])
def test_too_large(lab, kind, how):
    """Larger than its SIZE: it is not asked, and the sender is told the
    limit."""
    h = House(lab, kind, **how)
    Mail(whole(1, text(1, 200000))).send(h.it)
    m, = h.box.wait(1, 60)
    assert m.sender == "" and m.rcpts == ["a@c.test"]
    assert b"5.3.4" in m.content and b"100000" in m.content, m.content
    line, = h.it.logged(r'delivery to="b@x\.test" .*')
    assert " stage=mail " in line, line
    h.it.empty()


# ---- little is offered ----

@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_plain_smtp(lab, kind):
    """Nothing of ESMTP but SIZE: 8-bit content goes as quoted-printable, and
    all else as it is."""
    h = House(lab, kind, bare=True)
    offers = base_offers(h.peer)
    assert not offers & {"8BITMIME", "CHUNKING", "PIPELINING", "DSN",
                         "SMTPUTF8"}, offers
    sent = {n: m for n, m in mails().items() if not m.needs}
    assert len(sent) >= 20
    for m in sent.values():
        m.send(h.it)
    was = {}
    for n, m in sent.items():
        if "BODY=8BITMIME" in m.mail:
            was[n], m.content = m.content, None
    base.wait_until(
        lambda: {number_of(m.content)[0] for m in list(h.box.messages)} >=
        set(sent), "all of it arrives", 90, 0.1)
    for m in h.box.messages:
        n, content = number_of(m.content)
        if n not in was:
            continue
        assert content.isascii() and b"quoted-printable" in content, n
        assert [(t, b.rstrip(b"\r\n")) for t, b in leaves(content)] == \
            [(t, b.rstrip(b"\r\n")) for t, b in leaves(was[n])], n
        sent[n].content = content
    arrived(h.box, sent)
    h.it.empty()


# ---- signatures ----

@pytest.mark.parametrize("kind,bare", [
    ("postfix", False), ("exim", False), ("opensmtpd", False),
    ("postfix", True), ("exim", True)])
def test_signatures(lab, kind, bare):
    """What is signed here is good behind each, whoever handed it over, 8-bit
    or made 7-bit for the peer, and notifications of ours."""
    rsa, txt1 = make_key(lab, "c.test", "r", "rsa")
    ed, txt2 = make_key(lab, "c.test", "e", "ed25519")
    h = House(lab, kind, bare=bare, who="from local", names={**txt1, **txt2},
              lines=[f'dkim domain c.test selector r key "{rsa}"',
                     f'dkim domain c.test selector e key "{ed}"',
                     f'action "no" relay host '
                     f'"smtp://127.0.0.1:{refuser(lab)}"',
                     'match from any for domain "no.test" action "no"'])
    odd = CONTENT + b".\r\n..\r\n" + b"y" * 998 + b"\r\n   \r\n"
    sent = {1: Mail(whole(1, text(1, 3000))),
            2: Mail(whole(2, text(2, 3000, True), True),
                    mail=["BODY=8BITMIME"]),
            3: Mail(whole(3, text(3, 2 * MB, True), True),
                    mail=["BODY=8BITMIME"])}
    for m in sent.values():
        m.send(h.it)
    h.it.send("a@c.test", "smtp@x.test", odd)
    for n, content in ((1, CONTENT), (2, sent[2].content)):
        out = base.run([h.it.build / "sendmail", "-R", h.it.root, "-f",
                        "a@c.test", f"sendmail{n}@x.test"], stdin=None,
                       input=content.decode().replace("\r\n", "\n"))
        assert out.returncode == 0, out.stderr
    h.it.send("told@c.test", "b@no.test", CONTENT)
    want = {"b@x.test", "smtp@x.test", "sendmail1@x.test", "sendmail2@x.test",
            "told@c.test"}
    got = h.box.wait(7, 90)
    assert {m.rcpts[0] for m in got} == want
    for m in got:
        assert set(verified(lab, m.content, h.dns)) == {
            "rsa-sha256", "ed25519-sha256"}, m.rcpts
        assert len(signatures(m.content)) == 2
        assert m.content.isascii() or not bare
    eight = [m for m in got if not m.content.isascii()]
    assert len(eight) == (0 if bare else 3)
    # Verifiers that could not fail would prove nothing.
    with pytest.raises(AssertionError):
        verified(lab, got[0].content.replace(b"Subject: ", b"Subject: x"),
                 h.dns)


def refuser(lab):
    return lab.receiver(rcpt="550 5.1.1 nobody").port


# ---- Dovecot, by LMTP ----

def start_dovecot(lab, users, policy=None, **kw):
    """The instance that relays to it, and Dovecot."""
    if not dovecot.available():
        pytest.fail("make peers")
    lines, cert = [], None
    if policy:
        where = lab.path("pki")
        ca = pki.Cert(where, "house")
        cert = pki.Cert(where, "peer", by=ca, alt="DNS:mx.peer.test")
        lines = [f'ca house cert "{ca.cert}"',
                 f"tls domain mx.peer.test {policy} ca house"]
    peer = lab.keep(dovecot.Dovecot(lab.path("dovecot"), users, cert, **kw))
    dns = lab.dns({"mx.peer.test": ["A 127.0.0.1"]})
    box = lab.receiver()
    it = lab.postern(conf(dns, retry="1s*1000", lines=[
        "smtp max-message-size 50M", *lines], rules=[
        f'action "in" relay host "lmtp://mx.peer.test:{peer.port}"',
        f'action "back" relay host "smtp+notls://127.0.0.1:{box.port}"',
        'match from any for domain "c.test" action "back"',
        'match from any for any action "in"']))
    return it, peer, box


def in_boxes(peer, user):
    """A user's messages, each with the line ends that it had."""
    return [f.read_bytes().replace(b"\n", b"\r\n") for f in peer.files(user)]


@pytest.mark.parametrize("policy", [None, "may", "verify"])
def test_lmtp(lab, policy):
    """Twenty messages and more, hundreds of recipients, over TLS where it is
    offered."""
    sent = {n: m for n, m in mails().items() if not m.needs}
    users = sorted({r for m in sent.values() for r in m.rcpts})
    it, peer, _ = start_dovecot(lab, users, policy)
    for m in sent.values():
        m.send(it)
    it.empty(90)
    for user in users:
        want = [n for n, m in sent.items() if user in m.rcpts]
        got = dict(number_of(c) for c in in_boxes(peer, user))
        assert sorted(got) == want, user
        assert len(peer.files(user)) == len(want)
        for n in want:
            assert got[n] == sent[n].content, f"message {n} is another"
    said = {None: "none", "may": r'"?TLSv1\.3:\S+:verified"?',
            "verify": r'"?TLSv1\.3:\S+:verified"?'}[policy]
    assert all(re.fullmatch(said, t) for t in tls_of(it, len(sent)))


def test_lmtp_each_his_own(lab):
    """One has no mailbox, one has a broken one, two have good ones: each has
    a result of his own, and who has the message has it once."""
    it, peer, box = start_dovecot(lab, ["one@x.test", "two@x.test",
                                        "broken@x.test"])
    (peer.home("broken@x.test") / "mail").write_text("no folder")
    it.send("a@c.test", ["one@x.test", "broken@x.test", "nobody@x.test",
                         "two@x.test"], whole(1, b"to four\r\n"))
    m, = box.wait(1, 60)
    assert b"nobody@x.test" in m.content
    assert not re.search(rb"(one|two|broken)@x\.test", m.content.partition(
        b"message/delivery-status")[2].partition(b"rfc822")[0])
    # Again and again, for him alone.
    it.logged(r'delivery to="broken@x\.test" .* result=later ', 3, 60)
    row, = it.queue()
    assert row["recipient"] == "broken@x.test"
    assert [len(peer.files(u)) for u in ("one@x.test", "two@x.test")] == [1, 1]
    (peer.home("broken@x.test") / "mail").unlink()
    it.empty(60)
    assert [len(peer.files(u)) for u in ("one@x.test", "two@x.test",
                                         "broken@x.test")] == [1, 1, 1]


# ---- smtp-sink, in its odd modes ----

MODES = {
    # name: options, result, stage (None: it arrives)
    "plain": ([], "ok", None),
    "no8bit": (["-8"], "ok", None),
    "nopipe": (["-p"], "ok", None),
    "nocodes": (["-E"], "ok", None),
    "nodsn": (["-N"], "ok", None),
    "noesmtp": (["-e"], "ok", None),
    "pix": (["-P"], "ok", None),
    "least": (["-8", "-a", "-C", "-E", "-F", "-N", "-p"], "ok", None),
    "waits": (["-w", "2"], "ok", None),
    "sleeps": (["-H", "2"], "ok", None),
    "window": (["-T", "2000"], "ok", None),
    # (it forgets the order of a pipeline while it waits)
    "slow": (["-p", "-W", "EHLO:1", "-W", "RCPT:1", "-W", ".:1"], "ok", None),
    "abort": (["-A", "0"], "never", "content"),
    "abortlate": (["-A", "1"], "never", "content"),
    "lmtp": (["-L"], "ok", None),
    "lmtpno": (["-L", "-f", "."], "never", "content"),
    "lmtplater": (["-L", "-r", "."], "later", "content"),
    # hard
    "fconnect": (["-f", "CONNECT"], "later", "greeting"),
    "fehlo": (["-f", "EHLO"], "ok", None),
    "fhelo": (["-e", "-f", "HELO"], "later", "ehlo"),
    "fmail": (["-f", "MAIL"], "never", "mail"),
    "frcpt": (["-f", "RCPT"], "never", "rcpt"),
    "fdata": (["-f", "DATA"], "never", "data"),
    "fdot": (["-f", "."], "never", "content"),
    "fquit": (["-f", "QUIT"], "ok", None),
    "fbig": (["-f", "MAIL", "-B", "552 5.3.4 too large"], "never", "mail"),
    # soft
    "rconnect": (["-r", "CONNECT"], "later", "greeting"),
    "rehlo": (["-r", "EHLO"], "later", "ehlo"),
    "rmail": (["-r", "MAIL"], "later", "mail"),
    "rrcpt": (["-r", "RCPT"], "later", "rcpt"),
    "rdata": (["-r", "DATA"], "later", "data"),
    "rdot": (["-r", "."], "later", "content"),
    "rquit": (["-r", "QUIT"], "ok", None),
    # closed without a word
    "qconnect": (["-q", "CONNECT"], "later", "greeting"),
    "qehlo": (["-q", "EHLO"], "later", "ehlo"),
    "qmail": (["-q", "MAIL"], "later", "mail"),
    "qrcpt": (["-q", "RCPT"], "later", "rcpt"),
    "qdata": (["-q", "DATA"], "later", "data"),
    "qdot": (["-q", "."], "later", "content"),
    "qquit": (["-q", "QUIT"], "ok", None),
    # 421, and closed
    "xconnect": (["-Q", "CONNECT"], "later", "greeting"),
    "xehlo": (["-Q", "EHLO"], "later", "ehlo"),
    "xmail": (["-Q", "MAIL"], "later", "mail"),
    "xrcpt": (["-Q", "RCPT"], "later", "rcpt"),
    "xdata": (["-Q", "DATA"], "later", "data"),
    "xdot": (["-Q", "."], "later", "content"),
    "xquit": (["-Q", "QUIT"], "ok", None),
}


def start_sink(lab, name, options):
    """Its port, and the folder that has what it took."""
    port = base.free_port()
    where = lab.path(name)
    where.mkdir()
    child = lab.child(postfix.tool("smtp-sink") + options +
                      ["-u", "root", "-d", f"{where}/m.", "-h", "sink.test",
                       f"127.0.0.1:{port}", "100"], env=postfix.env())

    def up():
        assert child.running(), child.log()
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
            return True
        except OSError:
            return False
    base.wait_until(up, f"smtp-sink {options}", 30)
    return port, where


def taken(where):
    """What a sink has, whole, behind its own lines."""
    found = []
    for f in where.iterdir():
        content = f.read_bytes().replace(b"\r\n", b"\n")
        if b"X-Number: " in content and content.endswith(b"the end\n\n"):
            found.append(number_of(content.replace(b"\n", b"\r\n")[:-2])[1])
    return found


def test_sinks(lab):
    """Each refuses, leaves out, delays or closes something else.  A message of
    7-bit and one of 8-bit lines to each: all that arrives arrives whole and
    once, and the others are put off or refused where that was said."""
    sinks, rules = {}, []
    for name, (options, _, _) in MODES.items():
        port, where = start_sink(lab, name, options)
        scheme = "lmtp" if "-L" in options else "smtp"
        sinks[name] = where
        rules += [f'action "{name}" relay host '
                  f'"{scheme}://127.0.0.1:{port}"',
                  f'match from any for domain "{name}.test" action "{name}"']
    box = lab.receiver()
    it = lab.postern(conf(retry="1h", rules=rules + [
        f'action "back" relay host "smtp://127.0.0.1:{box.port}"',
        'match from any for any action "back"']))
    end = b"the end\r\n"
    seven = whole(7, text(7, 20000) + end)
    eight = whole(8, text(8, 20000, True) + end, True)
    for name in MODES:
        Mail(seven, [f"b@{name}.test"]).send(it)
        Mail(eight, [f"b@{name}.test"], mail=["BODY=8BITMIME"]).send(it)
    results = re.compile(
        r'delivery to="b@(\w+)\.test" .* result=(\w+) .* stage=(\w+) ')
    base.wait_until(lambda: {m[0] for m in results.findall(it.log())} >=
                    set(MODES), "a result of each", 90, 0.2)

    def settled():
        n = {name: 0 for name in MODES}
        for m in results.findall(it.log()):
            if m[0] in n:
                n[m[0]] += 1
        return all(k == 2 or MODES[name][1] == "later"
                   for name, k in n.items())
    base.wait_until(settled, "two results of each", 90, 0.2)
    for name, result, stage in results.findall(it.log()):
        if name in MODES:
            want = MODES[name]
            assert (result, stage) == (want[1], want[2] or "none"), name
    for name, (options, result, _) in MODES.items():
        got = sorted(taken(sinks[name]), key=lambda c: number_of(c)[0])
        if result != "ok":
            assert not got or "." in " ".join(options), name
            continue
        assert len(got) == 2, name
        assert got[0] == seven, name
        if {"-8", "-e", "-P"} & set(options) or "EHLO" in options:
            assert got[1].isascii(), name
            assert leaves(got[1])[0][1].rstrip() == \
                leaves(eight)[0][1].rstrip(), name
        else:
            assert got[1] == eight, name
