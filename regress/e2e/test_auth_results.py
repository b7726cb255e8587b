"""Who sent this: mail of strangers is verified while it comes, and what was
found stands in front of it.  The DNS is NSD, or one that is silent; signatures
are made by python3-dkim, and what we say is read by python3-authres.  Clients
come by the PROXY protocol, so that they are strangers of any address.

SPDX-License-Identifier: ISC
"""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import authres
import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from lib import base, liar
from lib.instance import conf
from lib.talk import Wire

GOOD, BAD = "192.0.2.1", "203.0.113.9"
HELO = "mail.good.test"
POLICIES = {"good": "reject", "quar": "quarantine", "lax": "none"}


def make_keys():
    """Selector -> (private key for python3-dkim, record)."""
    big = rsa.generate_private_key(65537, 2048)
    small = ed25519.Ed25519PrivateKey.generate()
    import base64
    spki = big.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    raw = small.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    seed = small.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
        serialization.NoEncryption())
    pem = big.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption())
    return {
        "r": (pem, b"rsa-sha256",
              "v=DKIM1; k=rsa; p=" + base64.b64encode(spki).decode()),
        "e": (base64.b64encode(seed), b"ed25519-sha256",
              "v=DKIM1; k=ed25519; p=" + base64.b64encode(raw).decode()),
    }


KEYS = make_keys()


def txt(text):
    """A TXT record, in strings of 255 bytes."""
    return "TXT " + " ".join(f'"{text[i:i + 255]}"'
                             for i in range(0, len(text), 255))


def zone():
    names = {"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"],
             HELO: [txt(f"v=spf1 ip4:{GOOD} -all")],
             "soft.test": [txt("v=spf1 ~all")],
             "odd.test": [txt("v=spf1 nonsense:x -all")],
             "bare.test": ["A 192.0.2.80"]}
    for name, policy in POLICIES.items():
        names[f"{name}.test"] = [txt(f"v=spf1 ip4:{GOOD} -all")]
        names[f"_dmarc.{name}.test"] = [
            txt(f"v=DMARC1; p={policy}; rua=mailto:dmarc@{name}.test")]
        for selector, (_, _, record) in KEYS.items():
            names[f"{selector}._domainkey.{name}.test"] = [txt(record)]
    return names


def mail(author="a@good.test", subject="t", more=b"", body=b"hello\r\n"):
    head = b"".join(f"From: {a}\r\n".encode() for a in
                    ([author] if isinstance(author, str) else author))
    return (head + b"To: b@x.test\r\nSubject: " + subject.encode() + b"\r\n"
            b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            b"Message-ID: <1@good.test>\r\n" + more + b"\r\n" + body)


def signed(content, domain="good.test", selector="r", **kw):
    key, alg, _ = KEYS[selector]
    kw.setdefault("canonicalize", (b"relaxed", b"relaxed"))
    return dkim.sign(content, selector.encode(), domain.encode(), key,
                     signature_algorithm=alg, **kw) + content


def field(content, name):
    """The values of all fields of this name, unfolded, in their order."""
    head = content.partition(b"\r\n\r\n")[0] + b"\r\n"
    found = re.findall(rb"^" + name.encode() +
                       rb"[ \t]*:((?:.*\r\n)(?:[ \t].*\r\n)*)", head,
                       re.M | re.I)
    return [re.sub(rb"\r\n(?=[ \t])", b"", v).strip().decode() for v in found]


class Results:
    """What a message says of itself by our name, as authres reads it."""

    def __init__(self, content, authserv="mx.test"):
        ours = [v for v in field(content, "Authentication-Results")
                if re.match(re.escape(authserv) + r"\s*;", v)]
        assert len(ours) == 1, (ours, content[:2000])
        self.text = ours[0]
        head = authres.AuthenticationResultsHeader.parse(
            "Authentication-Results: " + self.text)
        assert head.authserv_id == authserv
        self.all = [(r.method, r.result, {
            f"{p.type}.{p.name}": p.value for p in r.properties})
            for r in head.results]

    def of(self, method):
        return [r for m, r, _ in self.all if m == method]

    def words(self):
        """SPF of MAIL FROM (of HELO for the null sender), DKIM, DMARC, ARC."""
        spf = [r for m, r, p in self.all
               if m == "spf" and "smtp.mailfrom" in p] or self.of("spf")
        return " ".join(",".join(x) or "-" for x in (
            spf, self.of("dkim"), self.of("dmarc"), self.of("arc")))


class House:
    """An instance with a listener for strangers that verifies, and a receiver
    behind it."""

    def __init__(self, lab, names=None, lines=(), options="", dns=None,
                 rules=None, patience=3, **kw):
        self.receiver = lab.receiver()
        self.dns = dns or lab.dns(names or zone())
        self.port = base.free_port()
        self.it = lab.postern(conf(
            self.dns, host=f"smtp://127.0.0.1:{self.receiver.port}", lines=[
                "hostname mx.test", *lines,
                f"listen on 127.0.0.1 port {self.port} proxy {{ 127.0.0.1 }} "
                f"auth-results {options}"], rules=rules).replace(
                    "timeout 3s", f"timeout {patience}s"), **kw)

    def wire(self, client=BAD, helo=HELO, timeout=60):
        w = Wire(base.LOOPBACK, self.port, timeout)
        w.send(f"PROXY TCP{6 if ':' in client else 4} {client} "
               f"{'::1' if ':' in client else '127.0.0.1'} 4321 25\r\n"
               .encode())
        assert w.reply().startswith("220 "), client
        assert w.ask("EHLO " + helo).startswith("250-")
        return w

    def say(self, content, client=BAD, sender="a@good.test", rcpts=("b@x.test",),
            helo=HELO, options="", bdat=None):
        """A message; the last reply."""
        w = self.wire(client, helo)
        try:
            got = w.ask(f"MAIL FROM:<{sender}>{options}")
            assert got.startswith("250 "), got
            for rcpt in rcpts:
                got = w.ask(f"RCPT TO:<{rcpt}>")
                assert got.startswith("250 "), got
            if bdat is not None:
                for i in range(0, len(content), bdat):
                    piece = content[i:i + bdat]
                    last = " LAST" if i + bdat >= len(content) else ""
                    w.send(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
                    got = w.reply()
                return got
            assert w.ask("DATA").startswith("354 ")
            w.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
            return w.reply()
        finally:
            w.close()

    def take(self, content, **kw):
        """The same of one that is taken; what the receiver got."""
        got = self.say(content, **kw)
        found = re.match(r"250 2\.0\.0 ([0-9A-Z]{13}) queued", got)
        assert found, got
        self.last = found[1]
        return self.delivered(found[1])

    def delivered(self, ident):
        def look():
            for m in list(self.receiver.messages):
                if re.search(rb"\bid " + ident.encode() + rb"\b", m.content):
                    return m.content
            return None
        return base.wait_until(look, f"{ident} is delivered", 60)

    def logged(self, ident):
        """What the log says of a message that was verified."""
        return self.it.logged(rf"^.*{ident} verify .*$", 1, 20)[-1]


@pytest.fixture(scope="module")
def house(shared_lab):
    return House(shared_lab, lines=["spf received", "dmarc reject none",
                                    "dmarc quarantine none",
                                    "dmarc no-author none"])


def test_all_pass(house):
    """Each method passes; the fields stand in their order, and all is logged."""
    got = house.take(signed(mail()), client=GOOD)
    r = Results(got)
    assert r.words() == "pass pass pass none", r.text
    names = [line.partition(b":")[0] for line in got.split(b"\r\n")
             if re.match(rb"[A-Z]\S*:", line)]
    assert names[:3] == [b"Authentication-Results", b"Received-SPF",
                         b"Received"], names[:4]
    assert field(got, "Received-SPF")[0].startswith("pass"), got[:800]
    dkim_props = [p for m, _, p in r.all if m == "dkim"][0]
    assert dkim_props["header.d"] == "good.test"
    assert [p for m, _, p in r.all if m == "dmarc"][0]["header.from"] == \
        "good.test"
    line = house.logged(house.last)
    for word in ("spf=pass", "dkim=pass", "signatures=1", "dmarc=pass",
                 "policy=reject", "arc=none", "done=none",
                 'author="good.test"', 'from="a@good.test"'):
        assert f" {word}" in line, (word, line)


# Columns: what is sent, how, results of SPF, DKIM, DMARC and ARC.
def changed(content):
    return content.replace(b"hello", b"hullo")


CASES = [
    (mail(), dict(client=GOOD), "pass none pass none"),
    (mail(), dict(), "fail none fail none"),
    (signed(mail()), dict(), "fail pass pass none"),
    (signed(mail(), selector="e"), dict(), "fail pass pass none"),
    (signed(signed(mail()), selector="e"), dict(), "fail pass,pass pass none"),
    (changed(signed(mail())), dict(client=GOOD), "pass fail pass none"),
    (changed(signed(mail())), dict(), "fail fail fail none"),
    (signed(mail(), "quar.test"), dict(), "fail pass fail none"),
    (mail("a@bare.test"), dict(sender="a@bare.test"), "none none none none"),
    (mail("a@lax.test"), dict(sender="a@lax.test"), "fail none fail none"),
    (mail("a@quar.test"), dict(sender="a@soft.test"),
     "softfail none fail none"),
    (mail("a@bare.test"), dict(sender="a@odd.test"),
     "permerror none none none"),
    (mail(HELO.join(("a@", ""))), dict(sender="", client=GOOD),
     "pass none pass none"),
    (mail("a@x.good.test"), dict(client=GOOD), "pass none pass none"),
    (mail("A <a@GOOD.test>"), dict(client="2001:db8::1"),
     "fail none fail none"),
    (mail([]), dict(client=GOOD), "pass none none none"),
    (mail(["a@good.test", "b@good.test"]), dict(client=GOOD),
     "pass none permerror none"),
    (mail("a@good.test, b@quar.test"), dict(client=GOOD),
     "pass none permerror none"),
    (b"DKIM-Signature: v=1; nonsense\r\n" + mail(), dict(client=GOOD),
     "pass permerror pass none"),
    (signed(mail(), selector="r").replace(b"s=r;", b"s=n;"), dict(),
     "fail permerror fail none"),
]


@pytest.mark.parametrize("n", range(len(CASES)))
def test_results(house, n):
    content, how, want = CASES[n]
    r = Results(house.take(content, **how))
    assert r.words() == want, r.text


# ---- as it comes ----

LONG = b"a" * 900 + b"\r\n"
EIGHT = "Gr\u00fc\u00dfe\r\n".encode() * 3


def test_as_it_comes(house):
    """Dots, long lines, 8-bit bytes and chunks are hashed as they were
    signed."""
    bodies = [b".\r\n..\r\n.a\r\n" + LONG, EIGHT, b"\r\n" * 5, b"x" * 40000 +
              b"\r\n", b" \t \r\na \t b\r\n\r\n\r\n"]
    for i, body in enumerate(bodies):
        for canon in ((b"relaxed", b"relaxed"), (b"simple", b"simple")):
            content = signed(mail(body=body), canonicalize=canon)
            kw = dict(options=" BODY=8BITMIME")
            if len(max(body.split(b"\r\n"), key=len)) > 998:
                kw = dict(bdat=16384)
                if canon[0] == b"simple":
                    continue
            r = Results(house.take(content, **kw))
            assert r.words() == "fail pass pass none", (i, canon, r.text)


@pytest.mark.parametrize("size", (1, 7, 100, 1000000))
def test_chunks(house, size):
    """BDAT in chunks of any size; the last may lack its CRLF."""
    content = signed(mail(body=b"a\r\n.\r\nb\r\n" + LONG))
    if size == 1:
        content = signed(mail(body=b"."))
    r = Results(house.take(content, bdat=size))
    assert r.words() == "fail pass pass none", r.text


def test_without_a_body(house):
    """No empty line and no body."""
    content = mail().partition(b"\r\n\r\n")[0] + b"\r\n"
    r = Results(house.take(content, client=GOOD))
    assert r.words() == "pass none pass none", r.text
    assert Results(house.take(content, bdat=10000)).words() == \
        "fail none fail none"


def test_pipelined(house):
    """Messages that follow each other at once have each their own results."""
    w = house.wire(GOOD)
    senders = ["a@good.test", "a@soft.test", "a@bare.test", "a@good.test"]
    for s in senders:
        w.send(b"".join([f"MAIL FROM:<{s}>\r\n".encode(),
                         b"RCPT TO:<b@x.test>\r\n", b"BDAT %d LAST\r\n" %
                         len(mail(s)), mail(s)]))
    ids = []
    for _ in senders:
        replies = [w.reply() for _ in range(3)]
        found = re.match(r"250 2\.0\.0 ([0-9A-Z]{13}) queued", replies[2])
        assert found, replies
        ids.append(found[1])
    w.close()
    words = [Results(house.delivered(i)).words() for i in ids]
    assert words == ["pass none pass none", "softfail none none none",
                     "none none none none", "pass none pass none"]


def test_abandoned(house):
    """RSET, a new MAIL, EHLO, and clients that go away in the middle leave
    nothing behind that is said of another message."""
    w = house.wire(GOOD)
    for end in ("RSET", "EHLO " + HELO, None):
        assert w.ask("MAIL FROM:<a@soft.test>").startswith("250 ")
        assert w.ask("RCPT TO:<b@x.test>").startswith("250 ")
        if end is not None:
            assert w.ask(end).startswith("250")
    assert w.ask("DATA").startswith("354 ")
    w.send(b"From: a@b\r\n")
    w.close()
    for cut in range(0, len(signed(mail())), 97):
        w = house.wire()
        assert w.ask("MAIL FROM:<a@good.test>").startswith("250 ")
        assert w.ask("RCPT TO:<b@x.test>").startswith("250 ")
        assert w.ask("DATA").startswith("354 ")
        w.send(signed(mail())[:cut])
        w.close()
    r = Results(house.take(signed(mail()), client=GOOD))
    assert r.words() == "pass pass pass none"


# ---- forged results ----

FORGED = [
    b"Authentication-Results: mx.test; dmarc=pass header.from=good.test\r\n",
    b"authentication-results : MX.TEST;\r\n\tdkim=pass header.d=good.test\r\n",
    b"Authentication-Results:\r\n (a (nested\r\n one)) mx.test (c) 1;\r\n"
    b"\tspf=pass smtp.mailfrom=good.test\r\n",
    b'Authentication-Results: "mx.test"; none\r\n',
    b"Authentication-Results: mx.test:25; spf=pass smtp.mailfrom=a@b.test\r\n",
    b"Authentication-Results: mx.test.; none\r\n",
]
OTHERS = [
    b"Authentication-Results: other.test; spf=pass smtp.mailfrom=a@b.test\r\n",
    b"Authentication-Results: mx.test.evil.test;\r\n\tnone\r\n",
    b"X-Old-Authentication-Results: mx.test; none\r\n",
]


def test_forged(house):
    """Nobody else speaks in our name; all other bytes stay, and what was
    signed is verified with all that was there."""
    odd = [f for f in FORGED if b" :" in f]  # python3-dkim does not read it
    more = b"".join(f + o for f, o in zip(FORGED, OTHERS * 2) if f not in odd)
    more += b"X-Spam: No\r\nX-DMARC: pass policy=none domain=good.test\r\n"
    content = b"".join(odd) + signed(
        mail(more=more), include_headers=[b"from", b"authentication-results",
                                          b"authentication-results"])
    got = house.take(content)
    assert Results(got).words() == "fail pass pass none"
    ours = [v for v in field(got, "Authentication-Results")
            if v.lower().lstrip('"(').startswith("mx.test")]
    assert len(ours) == 2, ours  # ours, and mx.test.evil.test
    for f in OTHERS:
        assert f in got
    want = content
    for f in FORGED + [b"X-Spam: No\r\n",
                       b"X-DMARC: pass policy=none domain=good.test\r\n"]:
        want = want.replace(f, b"")
    assert got.endswith(want)
    assert house.it.logged(
        rf"{house.last} forged session=\w+ client={BAD} results=6 marks=2")


def test_bare_newline_in_the_header(house):
    """BINARYMIME may hold a bare LF: in the header section it would be the end
    of a line to some who read it later."""
    content = mail(more=b"X: a\nAuthentication-Results: mx.test; dmarc=pass\r\n")
    kw = dict(options=" BODY=BINARYMIME", bdat=100000)
    assert house.say(content, **kw).startswith("550 5.6.11 ")
    assert house.say(mail(body=b"a\nb\r\0"), **kw).startswith("250 2.0.0 ")


def results_of(h, port, client=None):
    """How many fields of FORGED and OTHERS are left of a message that comes to
    this port, and is not verified."""
    w = Wire(base.LOOPBACK, port)
    if client is not None:
        w.send(f"PROXY TCP4 {client} 127.0.0.1 4321 25\r\n".encode())
    assert w.reply().startswith("220 ")
    for line, code in (("EHLO c.test", "250"), ("MAIL FROM:<a@good.test>", "250"),
                       ("RCPT TO:<b@x.test>", "250"), ("DATA", "354")):
        assert w.ask(line).startswith(code)
    w.send(mail(more=b"".join(FORGED + OTHERS)) + b".\r\n")
    got = w.reply()
    w.close()
    got = h.delivered(re.match(r"250 2\.0\.0 (\w{13})", got)[1])
    assert " verify " not in h.it.log()
    return len(field(got, "Authentication-Results"))


def test_not_verified(lab):
    """Our own people get no results, and have none in our name; nor do
    strangers where another listener does not look.  What comes back from a
    filter on this host keeps those that it went there with."""
    ours, open_ = base.free_port(), base.free_port()
    h = House(lab, lines=[
        f"listen on 127.0.0.1 port {p} proxy {{ 127.0.0.1 }} {options}"
        for p, options in ((ours, "submission"), (open_, ""))])
    assert results_of(h, ours, BAD) == 2
    assert results_of(h, open_, BAD) == 2
    assert results_of(h, h.it.port) == len(FORGED) + 2


# ---- what becomes of it ----

ACTS = ("none", "mark", "junk", "hold", "reject")


@pytest.mark.parametrize("act", ACTS)
def test_acts(lab, act):
    """`dmarc quarantine`, `dmarc reject` and `dmarc no-author` do what they
    say, and `admd` is who says it."""
    h = House(lab, lines=[f"dmarc quarantine {act}", f"dmarc reject {act}",
                          f"dmarc no-author {act}", "admd our.test"])
    cases = [(mail("a@good.test"), "fail", "reject", "good.test"),
             (mail("a@quar.test"), "fail", "quarantine", "quar.test"),
             (mail([]), "none", "none", "none"),
             (mail(["a@good.test", "a@good.test"]), "permerror", "none",
              "none")]
    for content, result, policy, domain in cases:
        if act == "reject":
            got = h.say(content)
            assert got.startswith("550 5.7.1 "), got
            assert (domain in got) == (domain != "none"), got
            continue
        if act == "hold":
            ident = re.match(r"250 2\.0\.0 (\w{13})", h.say(content))[1]
            base.wait_until(lambda: [r for r in h.it.queue()
                                     if r["id"] == ident], "it is there", 20)
            h.it.ctl("release", ident)
            got = h.delivered(ident)
        else:
            got = h.take(content)
        assert Results(got, "our.test").of("dmarc") == [result]
        assert field(got, "X-Spam") == (["Yes"] if act == "junk" else [])
        assert field(got, "X-DMARC") == (
            [f"{result} policy={policy} domain={domain}"]
            if act == "mark" else [])
    assert len(h.it.logged(f" done={act} ", len(cases))) == len(cases)
    # What passes, and what only its own domain does not mind, is taken.
    got = h.take(mail("a@lax.test"))
    assert field(got, "X-Spam") + field(got, "X-DMARC") == []
    assert Results(h.take(mail(), client=GOOD), "our.test").of("dmarc") == \
        ["pass"]


def test_other_rules(lab):
    """A recipient whose mail is refused by another result than that of the
    first is to come alone (RFC 5321 4.5.3.1.10)."""
    receiver = lab.receiver()
    h = House(lab, rules=[
        f'action "out" relay host "smtp://127.0.0.1:{receiver.port}"',
        'match from any for domain "strict.test" auth-results dmarc pass '
        'action "out"',
        'match from any for domain "strict.test" reject',
        'match from any for any action "out"'])
    strict, other = "b@strict.test", "b@x.test"
    for first, second in ((strict, other), (other, strict)):
        w = h.wire()
        assert w.ask("MAIL FROM:<a@lax.test>").startswith("250 ")
        assert w.ask(f"RCPT TO:<{first}>").startswith("250 ")
        assert w.ask(f"RCPT TO:<{second}>").startswith("452 4.5.3 ")
        assert w.ask(f"RCPT TO:<c{first}>").startswith("250 ")
        assert w.ask("DATA").startswith("354 ")
        w.send(mail("a@lax.test") + b".\r\n")
        assert w.reply().startswith("550 5.7.1" if first == strict else "250 ")
        # The next transaction begins anew.
        assert w.ask("MAIL FROM:<a@lax.test>").startswith("250 ")
        assert w.ask(f"RCPT TO:<{second}>").startswith("250 ")
        w.close()
    for rcpt, code in ((strict, "250 "), (other, "250 ")):
        got = h.say(mail(), client=GOOD, rcpts=(rcpt,))
        assert got.startswith(code), got


# ---- the DNS, guard and lookup fail ----

def test_silent_dns(lab):
    """Mail is taken all the same, as soon as the DNS was given up."""
    quiet = lab.liar(default=liar.silent)
    h = House(lab, dns=quiet, patience=1)
    begin = time.monotonic()
    got = h.say(signed(mail()))
    took = time.monotonic() - begin
    ident = re.match(r"250 2\.0\.0 (\w{13})", got)
    assert ident, got
    line = h.logged(ident[1])
    assert " spf=temperror dkim=temperror " in line, line
    assert " dmarc=temperror " in line and " done=none " in line, line
    assert took < 45


# What is sent while the DNS is silent for each lame._domainkey and for what is
# at _dmarc.dark.test: author, client, selectors that signed, recipient, code.
DOUBTS = [
    ("a@good.test", BAD, ["lame"], "b@x.test", "451 4.7.0 "),
    ("a@good.test", BAD, [], "b@x.test", "550 5.7.1 "),
    ("a@good.test", BAD, ["r", "lame"], "b@x.test", "250 "),
    ("a@good.test", GOOD, ["lame"], "b@x.test", "250 "),
    ("a@quar.test", BAD, ["lame"], "b@x.test", "250 "),
    ("a@lax.test", BAD, ["lame"], "b@x.test", "250 "),
    ("a@lax.test", BAD, ["lame"], "b@rule.test", "550 5.7.1 message refused"),
    ("a@dark.test", BAD, [], "b@x.test", "451 4.7.0 "),
    ("a@dark.test", GOOD, [], "b@x.test", "250 "),
    ("a@list.dark.test", BAD, [], "b@x.test", "250 "),
]


def test_temperror_later(lab):
    """`dmarc temperror later`: what might be refused, if the DNS said what it
    does not say now, comes again; what would be taken whatever it says, what is
    excepted and what rules decide is as ever."""
    names = zone()
    for name in ("dark.test", "list.dark.test"):
        names[name] = [txt(f"v=spf1 ip4:{GOOD} -all")]
        names[f"_dmarc.{name}"] = [txt("v=DMARC1; p=reject")]
    answers = slow(names, 0, threading.Event())
    quiet = [f"lame._domainkey.{n}.test." for n in POLICIES]
    quiet += ["_dmarc.dark.test.", "_dmarc.list.dark.test."]
    server = lab.liar({n: liar.silent for n in quiet}, default=answers)
    out = lab.receiver()
    h = House(lab, dns=server, patience=1, lines=[
        "dmarc temperror later", "dmarc except from list.dark.test"], rules=[
            f'action "out" relay host "smtp://127.0.0.1:{out.port}"',
            'match from any for domain "rule.test" auth-results dmarc '
            'temperror reject', 'match from any for any action "out"'])

    def content(author, selectors):
        made = mail(author)
        for selector in selectors:
            KEYS["lame"] = KEYS["r"]
            made = signed(made, author.partition("@")[2], selector)
        return made

    with ThreadPoolExecutor(len(DOUBTS)) as pool:
        said = list(pool.map(lambda d: h.say(
            content(d[0], d[2]), client=d[1], sender=d[0], rcpts=[d[3]]),
            DOUBTS))
    for doubt, got in zip(DOUBTS, said):
        assert got.startswith(doubt[4]), (doubt, got)
        assert ("may come from " + doubt[0].partition("@")[2] in got) == \
            (doubt[4] == "451 4.7.0 "), got
    lines = h.it.logged(r"^.* verify .* done=later .*$", 2, 20)
    assert len(lines) == 2
    for words in (r"policy=reject .* author=.good\.test. .* "
                  r"why=.what may be aligned is not known now",
                  r"policy= .* author=.dark\.test. .* why=\S"):
        assert any(re.search(r" dmarc=temperror " + words, x)
                   for x in lines), (words, lines)
    # It is there again, and so is the forger.
    for name in quiet:
        del server.table[name]
    for author, selectors in (("a@good.test", ["lame"]), ("a@dark.test", [])):
        got = h.say(content(author, selectors), sender=author)
        assert got.startswith("550 5.7.1 refused by the DMARC policy"), got


def slow(names, seconds, lock):
    """A name server that has the zone and takes its time."""
    import dns.message
    import dns.rrset

    def behaviour(query, tcp):
        lock.wait(seconds)
        name = query.question[0].name.to_text().rstrip(".").lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        texts = [r.partition(" ") for r in names.get(name, ())]
        found = [(name + ".", 60, k, t) for k, _, t in texts if k == kind]
        if not found and name not in names:
            return [liar.answer(query, rcode=dns.rcode.NXDOMAIN).to_wire()]
        return [liar.answer(query, *found).to_wire()] if found else \
            [liar.nothing(query).to_wire()]
    return behaviour


@pytest.mark.parametrize("victim", ("guard", "lookup"))
def test_killed(lab, victim):
    """Killed while a message waits for it: asked again, and no 250 without a
    verdict."""
    go = threading.Event()
    quiet = lab.liar(default=slow(zone(), 30, go))
    h = House(lab, dns=quiet)
    told = []
    t = threading.Thread(target=lambda: told.append(h.say(mail())))
    t.start()
    base.wait_until(lambda: quiet.asked, "the DNS is asked", 20)
    os.kill(h.it.pids(victim)[0], signal.SIGKILL)
    time.sleep(0.2)
    go.set()
    t.join(60)
    assert told and told[0].startswith("550 5.7.1 "), told
    base.wait_until(h.it.all_up, "all are there again", 30)
    assert h.say(signed(mail())).startswith("250 2.0.0 ")


def test_share(lab):
    """One client has 40 messages in names whose DNS is silent: all of another's
    is asked and known while some of these wait for their turn."""
    answers = slow(zone(), 0, threading.Event())

    def behaviour(query, tcp):
        name = query.question[0].name.to_text().lower()
        return [] if name.endswith("silent.test.") else answers(query, tcp)

    server = lab.liar(default=behaviour)
    h = House(lab, dns=server, patience=10)
    # All of it is for one process.
    others = h.it.pids("session")[1:]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    wires = []
    for i in range(40):
        w = h.wire(helo=f"h{i}.silent.test")
        w.send(f"MAIL FROM:<a@{i}.silent.test>\r\n".encode())
        wires.append(w)
    got = h.say(signed(mail()), client=GOOD)
    asked = [name for name, _, _ in server.asked]
    for w in wires:
        w.close()
    for pid in others:
        os.kill(pid, signal.SIGCONT)
    ident = re.match(r"250 2\.0\.0 (\w{13})", got)
    assert ident, got
    assert " spf=pass dkim=pass signatures=1 dmarc=pass " in \
        h.logged(ident[1])
    assert "_dmarc.good.test." in asked and 8 < len(
        [i for i in range(40) if f"{i}.silent.test." in asked]) < 40, asked


def test_client_goes_away(lab):
    """... while the DNS is silent, with questions open: nothing is kept of
    it, and those who come later have theirs."""
    go = threading.Event()
    quiet = lab.liar(default=slow(zone(), 30, go))
    h = House(lab, dns=quiet)
    for i in range(60):
        w = h.wire()
        w.send(b"MAIL FROM:<a@good.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n")
        w.send(signed(mail()) + b".\r\n" if i % 2 else b"From: x\r\n")
        if i % 3 == 0:
            w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              b"\1\0\0\0\0\0\0\0")
        w.close()
    go.set()
    assert h.say(mail()).startswith("550 5.7.1 ")


# ---- size ----

def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])


def test_large(house):
    """30 MB in one pass, and the memory stays flat."""
    line = b"0123456789 abcdefghij  klmnopqrstuvwxyz " * 2 + b"\r\n"
    content = signed(mail(body=line * (30 * 1000 * 1000 // len(line))))
    before = max(map(peak_kib, house.it.pids("session")))
    got = house.say(content)
    assert got.startswith("250 2.0.0 "), got
    assert " dkim=pass " in house.logged(re.match(r"250 \S+ (\w{13})", got)[1])
    grown = max(map(peak_kib, house.it.pids("session"))) - before
    assert grown < 4096 or base.SANITIZED, f"{grown} KiB more"


# ---- smtpctl auth ----

def test_smtpctl(house):
    """The same code says the same, with an exit status."""
    env = dict(os.environ,
               SMTPCTL_RESOLVER=f"{house.dns.address}:{house.dns.port}")

    def ask(content, *args):
        out = subprocess.run([base.BUILD / "smtpctl", "auth", *args],
                             input=content, capture_output=True, timeout=60,
                             env=env, check=False)
        return out.returncode, out.stdout, out.stderr

    for content, how, words in CASES:
        args = (how.get("client", BAD), HELO, how.get("sender", "a@good.test"))
        code, out, err = ask(content.replace(b"\r\n", b"\n"), "-a", "mx.test",
                             *args)
        r = Results(out.replace(b"\n", b"\r\n"))
        assert r.words() == words, (r.text, err)
        spf, signatures, dmarc, _ = words.split()
        good = dmarc == "pass" or (dmarc == "none" and (
            spf == "pass" or "pass" in signatures))
        assert code == (0 if good else 1), (words, code)
    code, out, err = ask(mail(), "-c", str(house.it.conf_path), GOOD, HELO,
                         "a@good.test")
    assert code == 0 and b"dmarc=pass" in out, (out, err)
    # As MAIL has the sender, and as programs read it.
    code, out, err = ask(mail(), "-a", "mx.test", GOOD, HELO, "<a@good.test>")
    assert code == 0 and b"\tsmtp.mailfrom=a@good.test;" in out, (out, err)
    plain = ask(mail(), "-a", "mx.test", GOOD, HELO, "<>")[1]
    assert plain == ask(mail(), "-a", "mx.test", GOOD, HELO, "")[1]
    assert b"smtp.mailfrom" not in plain
    said = json.loads(ask(mail(), "--json", "-a", "mx.test", GOOD, HELO, "")[1])
    assert said["field"] == plain.decode()
    assert re.findall(r"^\t(\w+)=(\w+)", said["field"], re.M) == [
        (m, said[m]) for m in ("spf", "dkim", "arc", "dmarc")]
    for bad in ((), ("1.2.3", HELO, "a@b"), ("-x", "y", GOOD, HELO, ""),
                ("-a", "", GOOD, HELO, ""), ("-a", "x;y", GOOD, HELO, ""),
                ("-m", "rfc1", GOOD, HELO, ""), (GOOD, HELO)):
        assert ask(b"", *bad)[0] == 64, bad
    env["SMTPCTL_RESOLVER"] = f"127.0.0.1:{base.free_port()}"
    code, out, _ = ask(mail(), GOOD, HELO, "a@good.test")
    assert code == 75 and b"dmarc=temperror" in out, out
