"""smtpctl dkim verify and sign, as an operator runs them: what they print,
their exit statuses, and that a large message or a hostile one costs little.

SPDX-License-Identifier: ISC
"""
import base64
import hashlib
import json
import os
import resource
import subprocess
import time

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from lib import base

SMTPCTL = base.BUILD / "smtpctl"

# RFC 8463 A: the message, and the records of its two keys.
BODY = ("\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n")
HEAD = """\
From: Joe SixPack <joe@football.example.com>\r
To: Suzie Q <suzie@shopping.example.net>\r
Subject: Is dinner ready?\r
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r
Message-ID: <20030712040037.46341.5F8J@football.example.com>\r
"""
ED25519 = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r
 subject : date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r
"""
RSA = """\
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r
 date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r
"""
RSA_KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5q"
    "hdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lx"
    "j+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDA"
    "QAB")
ED25519_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
AT = "._domainkey.football.example.com"


def txt(*strings):
    return ["TXT " + " ".join(f'"{s}"' for s in strings)]


class Keys:
    """Keys of our own, and their records."""

    def __init__(self, lab):
        self.file, self.text, self.private = {}, {}, {}
        # RFC 8301 3.2
        for name, key in (("rsa", rsa.generate_private_key(65537, 1024)),
                          ("ed", ed25519.Ed25519PrivateKey.generate())):
            self.private[name] = key
            self.file[name] = lab.path(name)
            self.file[name].write_bytes(key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()))
        pub = self.private["rsa"].public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)
        self.text["rsa"] = "v=DKIM1; k=rsa; p=" + b64(pub)
        pub = self.private["ed"].public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.text["ed"] = "v=DKIM1; k=ed25519; p=" + b64(pub)


def b64(raw):
    return base64.b64encode(raw).decode()


@pytest.fixture(scope="module")
def keys(shared_lab):
    return Keys(shared_lab)


@pytest.fixture(scope="module")
def dns(shared_lab, keys):
    other = txt("v=DKIM1; k=ed25519; p=" + ED25519_KEY)
    return shared_lab.dns({
        "brisbane" + AT: other,
        # One record of several strings, cut anywhere (RFC 6376 3.6.2.2).
        "test" + AT: txt("v=DKIM1; k=r", "sa; p=" + RSA_KEY[:99],
                         RSA_KEY[99:100], "", RSA_KEY[100:]),
        "revoked" + AT: txt("v=DKIM1; p="),
        "several" + AT: other + txt("v=DKIM1; k=rsa; p=" + RSA_KEY),
        "mx" + AT: ["MX 10 mx.example.com."],
        "alias" + AT: ["CNAME brisbane" + AT + "."],
        "testing" + AT: txt("v=DKIM1; k=ed25519; t=y; p=" + ED25519_KEY),
        "long" + AT: txt("v=DKIM1; k=rsa; n=" + "x" * 230,
                         *["y" * 250] * 14, "; p=" + RSA_KEY),
        "rsa._domainkey.c.test": txt(keys.text["rsa"][:200],
                                     keys.text["rsa"][200:]),
        "ed._domainkey.c.test": txt(keys.text["ed"]),
        "ed._domainkey.xn--bcher-kva.example": txt(keys.text["ed"]),
    })


def smtpctl(args, mail=b"", resolver=None, env=None, **kw):
    if isinstance(mail, str):
        mail = mail.encode()
    env = dict(os.environ, **(env or {}))
    env.pop("SMTPCTL_RESOLVER", None)
    if resolver is not None:
        env["SMTPCTL_RESOLVER"] = resolver
    return subprocess.run([SMTPCTL, "dkim", *args], input=mail, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, **kw)


def server(dns):
    return f"{dns.address}:{dns.port}"


def verify(dns, mail, *args):
    out = smtpctl(["verify", *args], mail, server(dns))
    assert out.stderr == b""
    return out.returncode, out.stdout.decode().splitlines()


def line(result, selector, reason="-", domain="football.example.com"):
    return f"{result} d={domain} s={selector} reason={reason}"


def renamed(selector):
    """The Ed25519 signature, which is none any more, of another selector."""
    return ED25519.replace("s=brisbane", "s=" + selector)


# ---- verify ----

# Columns: message, exit status, lines.
SEEN = {
    "RFC 8463 A": (ED25519 + RSA + HEAD + BODY, 0,
                   [line("pass", "brisbane"), line("pass", "test")]),
    "LF alone": ((ED25519 + HEAD + BODY).replace("\r", ""), 0,
                 [line("pass", "brisbane")]),
    "none": (HEAD + BODY, 1, ["none"]),
    "nothing": ("", 1, ["none"]),
    "another body": (ED25519 + HEAD + BODY + "P.S.\r\n", 1,
                     [line("fail", "brisbane", "the body was changed")]),
    "another header": (ED25519 + HEAD.replace("ready", "cold") + BODY, 1,
                       [line("fail", "brisbane",
                             "the signature does not match")]),
    "a pass is enough": ("DKIM-Signature: v=3\r\n" + renamed("nowhere") +
                         RSA + HEAD + BODY, 0,
                         [line("permerror", "-", "a required tag is missing",
                               "-"),
                          line("permerror", "nowhere",
                               "there is no key record"),
                          line("pass", "test")]),
    "unreadable": ("DKIM-Signature: \x01; d=a.example\r\n" + HEAD, 1,
                   [line("permerror", "-", "the signature is malformed",
                         "-")]),
    "no field": ("DKIM-Signature: v=1; d=a.example; s=\x1b[31m\r\n" + HEAD, 1,
                 [line("permerror", "-", "the signature is malformed", "-")]),
    "revoked": (renamed("revoked") + HEAD + BODY, 1,
                [line("permerror", "revoked", "the key is revoked")]),
    "several records": (renamed("several") + HEAD + BODY, 1,
                        [line("permerror", "several",
                              "there are several key records")]),
    "another type": (renamed("mx") + HEAD + BODY, 1,
                     [line("permerror", "mx", "there is no key record")]),
    "an alias": (renamed("alias") + HEAD + BODY, 1,
                 [line("fail", "alias", "the signature does not match")]),
    "testing": (renamed("testing") + HEAD + BODY, 1,
                [line("neutral", "testing",
                      "a key in testing, and no valid signature")]),
    "a long record": (renamed("long") + HEAD + BODY, 1,
                      [line("policy", "long", "the key record is too long")]),
}


@pytest.mark.parametrize("name", SEEN)
def test_verify(dns, name):
    mail, status, lines = SEEN[name]
    assert verify(dns, mail) == (status, lines)


def test_no_answer(lab):
    """What cannot be asked is 75, but for what is wrong in any case."""
    dead = f"127.0.0.1:{base.free_port()}"
    lines = [line("temperror", "brisbane", "the DNS does not say the key")]
    out = smtpctl(["verify"], ED25519 + HEAD + BODY, dead)
    assert out.stdout.decode().splitlines() == lines
    assert out.returncode == 75
    out = smtpctl(["verify"], ED25519 + HEAD, dead)
    assert out.stdout.decode().splitlines() == [
        line("fail", "brisbane", "the body was changed")]
    assert out.returncode == 1


def test_json(dns):
    status, lines = verify(dns, ED25519 + HEAD + BODY, "--json")
    assert status == 0
    assert [json.loads(one) for one in lines] == [{
        "result": "pass", "domain": "football.example.com",
        "selector": "brisbane", "identity": "@football.example.com",
        "testing": False, "cut": False, "reason": ""}]
    assert json.loads(verify(dns, HEAD, "--json")[1][0]) == {"result": "none"}


def test_resolver_of_a_configuration(lab, dns):
    """-c: the servers that a configuration names."""
    conf = lab.path("smtpd.conf")
    conf.write_text(f"resolver {dns.address} port {dns.port}\n"
                    'action "a" mbox\nmatch for local action "a"\n')
    out = smtpctl(["verify", "-c", conf], ED25519 + HEAD + BODY,
                  f"127.0.0.1:{base.free_port()}")
    assert (out.returncode, out.stdout.decode().splitlines()) == (
        0, [line("pass", "brisbane")]), out.stderr


@pytest.mark.parametrize("args", [
    ["verify", "x"], ["verify", "-c"], ["verify", "-x", "y"], ["sign"],
    ["sign", "-d", "c.test"], ["sign", "-d", "c.test", "-s", "s", "-k"],
    ["sign", "-d", "c.test", "-s", "s", "-k", "k", "--canon", "nofws/simple"],
    ["sign", "-d", "c.test", "-s", "s", "-k", "k", "more"],
    ["sign", "-d", "c..test", "-s", "s", "-k", "k"],
    ["sign", "-d", "test", "-s", "s", "-k", "k"],
    ["sign", "-d", "c.test", "-s", "a b", "-k", "k"]])
def test_usage(args):
    out = smtpctl(args, HEAD)
    assert out.returncode == 64 and out.stdout == b"" and out.stderr


# ---- sign ----

MAIL = (b"From: Ann <a@c.test>\r\nTo:  b@x.test\r\nSubject:  many  blanks\r\n"
        b"\tand a fold \r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n"
        b"trailing   \r\n.dot\r\n\xc3\xa4  in   line\r\n\r\n\r\n")


def sign(keys, alg, mail, *args, domain="c.test"):
    return smtpctl(["sign", "-d", domain, "-s", alg, "-k", keys.file[alg],
                    *args], mail)


@pytest.mark.parametrize("alg", ["rsa", "ed"])
@pytest.mark.parametrize("canon", [None, "relaxed/relaxed", "simple/simple",
                                   "simple/relaxed", "relaxed/simple"])
def test_sign(dns, keys, alg, canon):
    """The field on top, every other byte as it was, a valid signature to us
    and to python3-dkim; with LF alone too."""
    args = [] if canon is None else ["--canon", canon]
    for mail in (MAIL, MAIL.replace(b"\r\n", b"\n")):
        out = sign(keys, alg, mail, *args)
        assert out.returncode == 0 and out.stderr == b""
        assert out.stdout.endswith(mail)
        field = out.stdout[:-len(mail)]
        assert field.startswith(b"DKIM-Signature: v=1; a=")
        assert b"c=" + (canon or "relaxed/relaxed").encode() in field
        assert field.count(b"\n") == field.count(b"\r\n") or \
            b"\r" not in field
        assert (b"\r" in field) == (b"\r" in mail)
        assert verify(dns, out.stdout)[1] == [line("pass", alg,
                                                   domain="c.test")]
        assert dkim.verify(out.stdout, dnsfunc=lambda name, **kw:
                           keys.text[alg].encode())
        assert verify(dns, out.stdout + b"x")[0] == 1


def test_sign_idn(dns, keys):
    out = sign(keys, "ed", MAIL, domain="Bücher.example")
    assert b"d=xn--bcher-kva.example;" in out.stdout
    assert verify(dns, out.stdout) == (
        0, [line("pass", "ed", domain="xn--bcher-kva.example")])


# What must not be signed: nothing is printed but why.
REFUSED = {
    "no From": MAIL.replace(b"From", b"Form"),
    "several From": b"From: x@c.test\r\n" + MAIL,
    "no header": b"\r\nbody\r\n",
    "nothing": b"",
    "body alone": b"Hello\r\n\r\nbody\r\n",
    "a line that is no field": b"Hello\r\n" + MAIL,
    "NUL in the body": MAIL + b"\0\r\n",
    "NUL in the header": b"X: \0\r\n" + MAIL,
    "CR in the body": MAIL + b"a\rb\r\n",
    "CR at the end": MAIL + b"\r",
    "LF among CRLF": MAIL + b"a\nb\r\n",
    "CRLF among LF": MAIL.replace(b"\r\n", b"\n") + b"a\r\n",
    "LF in the header": b"X: a\nY: b\r\n" + MAIL,
    "the first line of a mailbox file": b"From a@c.test Mon\r\n" + MAIL,
    "a header of 2 MB": b"X: " + b"x" * (2 << 20) + b"\r\n" + MAIL,
}


@pytest.mark.parametrize("name", REFUSED)
def test_sign_refused(keys, name):
    out = sign(keys, "ed", REFUSED[name])
    assert out.returncode == 65 and out.stdout == b""
    assert out.stderr.startswith(b"smtpctl: not signed: ")


def test_sign_closed(keys):
    """What is closed is not taken for another file that was opened since."""
    args = [SMTPCTL, "dkim", "sign", "-d", "c.test", "-s", "s", "-k",
            keys.file["ed"]]
    for how in ("<&-", ">&-"):
        out = subprocess.run(["sh", "-c", 'exec "$@" ' + how, "sh", *args],
                             input=MAIL, capture_output=True, timeout=60,
                             check=False)
        assert out.returncode == 74 and out.stdout == b"", (how, out)


def test_sign_keys(lab, keys):
    """Keys that are none, or too small to be believed (RFC 8301 3.2)."""
    small = lab.path("small")
    small.write_bytes(
        base.run(["openssl", "genrsa", "512"]).stdout.encode())
    for path, status in ((small, 65), ("/dev/null", 66), ("/nowhere", 66)):
        out = smtpctl(["sign", "-d", "c.test", "-s", "s", "-k", path], MAIL)
        assert out.returncode == status and out.stdout == b"" and out.stderr


# ---- what it costs ----

def usage(args, pieces, resolver):
    """Runs it on what pieces yield: exit status, output, seconds of CPU, and
    the most memory it had (KB) until all was written.  What the system says
    of a program that has ended counts that of this one, which began it."""
    env = dict(os.environ, SMTPCTL_RESOLVER=resolver)
    with subprocess.Popen([SMTPCTL, "dkim", *args], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env=env) as p:
        for piece in pieces:
            p.stdin.write(piece)
        p.stdin.flush()
        most = base.peak(p.pid)
        p.stdin.close()
        out = p.stdout.read()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    return p.returncode, out, used.ru_utime + used.ru_stime, most


def test_large_body(dns, keys):
    """100 MB need a few of memory."""
    part = (b"0123456789 abcdefghi\tjklmnopqrstuvwxyz  ABCDEFGHI " * 20 +
            b"\r\n") * 1024
    count = 100 * 1024 * 1024 // len(part)
    canonical = part.replace(b"\t", b" ").replace(b"  ", b" ") \
        .replace(b" \r\n", b"\r\n")
    sha = hashlib.sha256()
    for _ in range(count):
        sha.update(canonical)
    field = ED25519.replace(
        "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", b64(sha.digest()))
    head = (field + HEAD + "\r\n").encode()
    status, out, _, large = usage(["verify"], [head] + [part] * count,
                                  server(dns))
    assert b"signature does not match" in out, "the body does"
    assert large < (131072 if base.SANITIZED else 32768), large


def test_thousand_signatures(dns):
    mail = (RSA * 999 + "DKIM-Signature: x\r\n" + HEAD + BODY).encode()
    status, out, cpu, _ = usage(["verify"], [mail], server(dns))
    lines = out.decode().splitlines()
    assert status == 0 and lines[:8] == [line("pass", "test")] * 8
    assert set(lines[8:999]) == {line("policy", "test", "too many signatures")}
    assert lines[999:] == ["permerror d=- s=- reason=the signature is "
                           "malformed"], "a line for each"
    assert cpu < (5 if base.SANITIZED else 1)


def test_megabyte_of_tags(dns):
    for tags in ("a=b; " * 200000, "x" * 1000000, "; " * 400000,
                 "h=" + "a:" * 480000, "b=" + "AAAA" * 240000):
        mail = ("DKIM-Signature: v=1; " + tags + "\r\n" + HEAD).encode()
        status, out, cpu, _ = usage(["verify"], [mail], server(dns))
        assert status == 1 and out.count(b"\n") == 1
        assert out.startswith(b"permerror ")
        assert cpu < (5 if base.SANITIZED else 1)


def test_mebibyte_of_tags(dns):
    """Above a signature that holds it hides nothing."""
    tag = "DKIM-Signature: v=1; d=c.test; s=s; z=" + "x" * (1 << 20) + "\r\n"
    assert verify(dns, tag + ED25519 + HEAD + BODY) == (
        0, ["permerror d=c.test s=s reason=a required tag is missing",
            line("pass", "brisbane")])


def test_header_too_large(dns):
    """A bound of ours, not a fault of the signature."""
    mail = ED25519 + HEAD + "X: " + "x" * (2 << 20) + "\r\n" + BODY
    assert verify(dns, mail) == (
        1, [line("policy", "brisbane", "the header section is too large")])
    tag = ED25519.replace("v=1;", "v=1; z=" + "x" * (2 << 20) + ";")
    assert verify(dns, tag + HEAD + BODY) == (
        1, ["policy d=- s=- reason=the header section is too large"])
