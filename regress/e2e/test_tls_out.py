"""TLS on the way out: what each policy makes of each server, and what is said
of it; authorities, certificates of ours, versions, sessions, names.

SPDX-License-Identifier: ISC
"""
import ctypes
import json
import os
import re
import subprocess
import threading
import time
import warnings

import pytest

from lib import base, pki
from lib.instance import conf
from lib.receiver import CLOSE, RESET

ROOT = pytest.mark.skipif(not base.IS_ROOT, reason="as root")

PLAIN, VERIFIED, UNVERIFIED, LATER = "plain", "verified", "unverified", "later"

# Columns: how the server is, what becomes of mail to it where the policy is
# may, require, verify; a word of why it is put off, and of the stage.
MATRIX = {
    "good": (VERIFIED, VERIFIED, VERIFIED, None, None),
    "chain": (VERIFIED, VERIFIED, VERIFIED, None, None),
    "expired": (UNVERIFIED, UNVERIFIED, LATER,
                "certificate has expired at depth 0", "tls"),
    "early": (UNVERIFIED, UNVERIFIED, LATER,
              "certificate is not yet valid at depth 0", "tls"),
    "selfsigned": (UNVERIFIED, UNVERIFIED, LATER,
                   "self-signed certificate at depth 0", "tls"),
    "other": (UNVERIFIED, UNVERIFIED, LATER,
              "hostname mismatch at depth 0", "tls"),
    "broken": (UNVERIFIED, UNVERIFIED, LATER,
               "unable to get local issuer certificate at depth 0", "tls"),
    "stranger": (UNVERIFIED, UNVERIFIED, LATER,
                 "issuer certificate at depth 0", "tls"),
    # TLS that does not come to pass: without is better where it may be
    "none": (PLAIN, LATER, LATER, "does not offer STARTTLS", "starttls"),
    "later": (PLAIN, LATER, LATER, "454 4.7.0 TLS is not available",
              "starttls"),
    "never": (PLAIN, LATER, LATER, "502 5.5.1 what is that", "starttls"),
    "hangup": (PLAIN, LATER, LATER, "connection closed", "starttls"),
    "reset": (PLAIN, LATER, LATER, "", "starttls"),
    "garbage": (PLAIN, LATER, LATER, "", "starttls"),
    "alert": (PLAIN, LATER, LATER, "the handshake failed: ", "tls"),
    "old": (PLAIN, LATER, LATER, "the handshake failed: ", "tls"),
}
LEVELS = ("may", "require", "verify", "no")


class World:
    """A server of each kind, each with a name for each policy."""

    def __init__(self, lab):
        self.lab = lab
        self.dir = lab.path("pki")
        self.ca = pki.Cert(self.dir, "house")
        self.stranger = pki.Cert(self.dir, "nobody")
        self.between = pki.Cert(self.dir, "middle", by=self.ca, ca=True)
        self.receivers = {kind: self.receiver(kind) for kind in MATRIX}
        names = {f"*.{level}.test": ["A 127.0.0.1"] for level in LEVELS}
        self.dns = lab.dns(names)
        hosts = ", ".join(
            f'"{kind}.{level}.test" = "smtp://{kind}.{level}.test:{r.port}"'
            for kind, r in self.receivers.items() for level in LEVELS)
        lines = [f'ca house cert "{self.ca.cert}"',
                 f"table hosts {{ {hosts} }}"]
        lines += [f'tls domain "*.{level}.test" {level}' for level in LEVELS]
        # Each has its own address's worth of connections.
        self.it = lab.postern(conf(self.dns, retry="1h", lines=lines, rules=[
            'action "out" relay domain <hosts> ca house',
            'match from any for any action "out"']))

    def cert(self, kind, **kw):
        alt = kw.pop("alt", None) or ",".join(
            f"DNS:{kind}.{level}.test" for level in LEVELS)
        return pki.Cert(self.dir, kind, alt=alt, **kw)

    def receiver(self, kind):
        how = dict(tls=True)
        if kind in ("good", "none", "later", "never", "hangup", "reset",
                    "garbage", "alert", "old"):
            cert = self.cert(kind, by=self.ca)
        elif kind == "chain" or kind == "broken":
            cert = self.cert(kind, by=self.between)
        elif kind == "selfsigned":
            cert = self.cert(kind)
        else:
            cert = self.cert(
                kind, by=self.stranger if kind == "stranger" else self.ca,
                days=0 if kind == "expired" else 30, early=kind == "early",
                alt="DNS:a.test,DNS:*.b.test" if kind == "other" else None)
        how.update(cert=cert.cert, key=cert.key)
        how.update({
            "chain": lambda: dict(cert=cert.chain(self.between)),
            "none": lambda: dict(tls=False, cert=None, key=None),
            "later": lambda: dict(starttls="454 4.7.0 TLS is not available"),
            "never": lambda: dict(starttls="502 5.5.1 what is that"),
            "hangup": lambda: dict(starttls=CLOSE),
            "reset": lambda: dict(starttls=RESET),
            "garbage": lambda: dict(starttls=b"what?\r\n"),
            "alert": lambda: dict(tls="broken"),
            "old": lambda: dict(tls_min="TLSv1", tls_max="TLSv1_1"),
        }.get(kind, dict)())
        with warnings.catch_warnings():  # of versions that are too old
            warnings.simplefilter("ignore")
            return self.lab.receiver(**how)

    def line(self, level):
        """Of the configuration, where the policy stands."""
        text = self.it.conf_path.read_text().splitlines()
        return [n for n, l in enumerate(text, 1)
                if l.startswith(f'tls domain "*.{level}.test"')][0]


@pytest.fixture(scope="module")
def world(shared_lab):
    return World(shared_lab)


def result(it, mid, timeout=40):
    """The fields of the first result of a message."""
    line = it.logged(rf"^.*\b{mid} delivery .*$", 1, timeout)[0]
    return dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line))


def failures(it, mid):
    return re.findall(rf"\b{mid} tls-failed (.*)", it.log())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", MATRIX)
def test_matrix(world, kind, level):
    """Mail arrives as the policy has it, or waits; nothing is bounced, and
    nothing goes in plain where anybody forbids it."""
    row = MATRIX[kind]
    want = PLAIN if level == "no" else row[LEVELS.index(level)]
    r, rcpt = world.receivers[kind], f"b@{kind}.{level}.test"
    mid = world.it.send("a@c.test", rcpt)
    got = result(world.it, mid)
    arrived = [m for m in r.messages if m.rcpts == [rcpt]]
    if want == LATER:
        assert not arrived
        assert got["result"] == "later" and got["tls"] == "none", got
        assert row[3] in got["reply"], got
        assert got["stage"] == row[4], got
        assert got["cause"] in ("tls", "configuration") or \
            kind == "garbage" and got["cause"] == "system", got
        if kind not in ("later", "never", "garbage", "hangup", "reset"):
            assert f"policy: {level} by tls domain (" in got["reply"], got
            assert got["cause"] == "tls", got
            said = failures(world.it, mid)
            assert len(said) == 1, said
            assert re.match(rf"relay=\S*{kind}\.{level}\.test\[127\.0\.0\.1\]"
                            rf":{r.port} policy={level} plain=0 why=",
                            said[0]), said
            assert f"smtpd.conf:{world.line(level)})" in got["reply"], got
        if kind == "other":
            assert f"name wanted: other.{level}.test; " \
                "names found: a.test, *.b.test" in got["reply"], got
        assert [q for q in world.it.queue() if q["id"] == mid]
        return
    assert got["result"] == "ok", got
    assert len(arrived) == 1
    assert (arrived[0].tls is None) == (want == PLAIN)
    assert got["tls"].strip('"') == "none" if want == PLAIN else \
        re.fullmatch(rf"TLSv1\.3:TLS_\w+:{want}", got["tls"].strip('"')), got
    # A fallback is said, and nothing else is.
    said = failures(world.it, mid)
    if want == PLAIN and level == "may" and kind != "none":
        assert len(said) == 1 and " policy=may plain=1 why=" in said[0], said
    else:
        assert not said, said


def test_clear_bytes_are_no_replies(lab):
    """RFC 3207 4.2: what a stranger puts behind the 220 is not a reply to
    what is said later, in TLS."""
    r = lab.receiver(tls=True, starttls=b"220 2.0.0 go\r\n"
                     b"250-evil.test\r\n250 SIZE 1\r\n250 2.1.0 taken\r\n")
    it = lab.postern(conf(lab.dns(), r.port))
    it.send("a@c.test", "b@x.test")
    message = r.wait(1)[0]
    assert message.tls == "TLSv1.3"
    assert [l.split()[0] for l in r.lines][:6] == \
        ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"]


# ---- schemes, actions ----

class Smart:
    """A smarthost, with a certificate for its name unless told otherwise."""

    def __init__(self, lab, url, options="ca house", lines=(), tls=True,
                 certs=None, retry="1h", **kw):
        self.dir = lab.path("pki")
        self.ca = pki.Cert(self.dir, "house")
        self.cert = pki.Cert(self.dir, "smart", alt="DNS:smart.test",
                             by=self.ca)
        kw.setdefault("cert", self.cert.cert)
        kw.setdefault("key", self.cert.key)
        kw["ca"] = self.ca.cert if kw.get("ca") else None
        self.r = lab.receiver(tls=tls, **kw)
        self.dns = lab.dns({"smart.test": ["A 127.0.0.1"],
                            "alias.test": ["A 127.0.0.1"]})
        lines = [f'ca house cert "{self.ca.cert}"'] + list(lines)
        if certs is not None:
            lines += certs(self)
        url = url.format(port=self.r.port)
        self.it = lab.postern(conf(self.dns, retry=retry, lines=lines, rules=[
            f'action "out" relay host "{url}" {options}',
            'match from any for any action "out"']))

    def send(self, n=1):
        mids = [self.it.send("a@c.test", f"b{i}@x.test") for i in range(n)]
        return result(self.it, mids[-1])


# Columns: URL, options of the action, whether the server speaks TLS from the
# first byte, what becomes of it.
SCHEMES = [
    ("smtp://smart.test:{port}", "ca house", False, VERIFIED),
    ("smtp://alias.test:{port}", "ca house", False, UNVERIFIED),
    ("smtp://smart.test:{port}", "", False, UNVERIFIED),
    ("smtp+notls://smart.test:{port}", "ca house", False, PLAIN),
    ("smtp+tls://smart.test:{port}", "ca house", False, VERIFIED),
    ("smtp+tls://alias.test:{port}", "ca house", False, LATER),
    ("smtp+tls://smart.test:{port}", "", False, LATER),
    ("smtp+tls://smart.test:{port}", "tls no-verify", False, UNVERIFIED),
    ("smtps://smart.test:{port}", "ca house", True, VERIFIED),
    ("smtps://alias.test:{port}", "ca house", True, LATER),
    ("smtps://127.0.0.1:{port}", "ca house", True, LATER),
    ("smtps://alias.test:{port}", "ca house tls no-verify", True, UNVERIFIED),
    ("smtps://smart.test:{port}", "tls no-verify", True, UNVERIFIED),
    ("smtp://smart.test:{port}", "tls ca house", False, VERIFIED),
    ("smtp://alias.test:{port}", "tls ca house", False, LATER),
]


@pytest.mark.parametrize("url,options,implicit,want", SCHEMES,
                         ids=[f"{u.partition(':{')[0]} {o}".rstrip()
                              for u, o, _, _ in SCHEMES])
def test_schemes(lab, url, options, implicit, want):
    """What a URL and `relay tls` ask for: verified where the host is ours to
    name, unless `no-verify` says that it need not be."""
    s = Smart(lab, url, options, tls="implicit" if implicit else True)
    got = s.send()
    if want == LATER:
        assert got["result"] == "later" and got["cause"] == "tls", got
        assert "the certificate is not good: " in got["reply"], got
        assert not s.r.messages
        return
    assert got["result"] == "ok", got
    assert got["tls"].strip('"').rpartition(":")[2] == \
        ("none" if want == PLAIN else want), got
    if want != PLAIN and "127" not in url:
        name = url.partition("://")[2].partition(":")[0]
        assert [h.sni for h in s.r.handshakes] == [name]


def test_address(lab):
    """A host by its address has no SNI, and a certificate for the address."""
    d = lab.path("pki")
    ca = pki.Cert(d, "house")
    cert = pki.Cert(d, "address", alt="IP:127.0.0.1", by=ca)
    r = lab.receiver(tls="implicit", cert=cert.cert, key=cert.key)
    it = lab.postern(conf(lab.dns(), lines=[f'ca house cert "{ca.cert}"'],
                          rules=[f'action "out" relay host '
                                 f'"smtps://127.0.0.1:{r.port}" ca house',
                                 'match from any for any action "out"']))
    got = result(it, it.send("a@c.test", "b@x.test"))
    assert got["tls"].strip('"').endswith(":verified"), got
    assert [h.sni for h in r.handshakes] == [None]


def test_other_names(lab):
    """`tls domain ... verify name`: names that stand for the host's own."""
    d = lab.path("pki")
    ca = pki.Cert(d, "house")
    certs = {n: pki.Cert(d, n, alt=f"DNS:{n}", by=ca)
             for n in ("mx.big.test", "x.pool.big.test", "own.test")}
    rs = {n: lab.receiver(tls=True, cert=c.cert, key=c.key)
          for n, c in certs.items()}
    dns = lab.dns({"own.test": ["A 127.0.0.1"]})
    rules = []
    for i, r in enumerate(rs.values()):
        rules += [f'action "a{i}" relay host "smtp://own.test:{r.port}" '
                  "ca house",
                  f'match from any for domain "d{i}.test" action "a{i}"']
    it = lab.postern(conf(dns, retry="1h", lines=[
        f'ca house cert "{ca.cert}"',
        "tls domain own.test verify name { mx.big.test, *.pool.big.test }"],
        rules=rules))
    got = [result(it, it.send("a@c.test", f"b@d{i}.test")) for i in range(3)]
    assert [g["result"] for g in got] == ["ok", "ok", "later"], got
    assert "name wanted: mx.big.test or *.pool.big.test; " \
        "names found: own.test" in got[2]["reply"], got[2]


CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def trusting(path):
    """For smtpd before it runs: the system's authorities are this file."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter():
        if libc.unshare(CLONE_NEWNS) or \
                libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) or \
                libc.mount(str(path).encode(), BUNDLE.encode(), None, MS_BIND,
                           None):
            os._exit(126)
    return enter


@ROOT
def test_system_authorities(lab):
    """They are known in the jail, where their file is not; and are not asked
    where the configuration names others."""
    d = lab.path("pki")
    world, house = pki.Cert(d, "world"), pki.Cert(d, "house")
    cert = pki.Cert(d, "smart", alt="DNS:smart.test", by=world)
    r = lab.receiver(tls=True, cert=cert.cert, key=cert.key)
    dns = lab.dns({"smart.test": ["A 127.0.0.1"]})
    host = f'host "smtp+tls://smart.test:{r.port}"'
    it = lab.postern(conf(dns, retry="1h", lines=[
        f'ca house cert "{house.cert}"'], rules=[
        f'action "all" relay {host}', f'action "ours" relay {host} ca house',
        'match from any for domain ours.test action "ours"',
        'match from any for any action "all"']), preexec=trusting(world.cert))
    got = result(it, it.send("a@c.test", "b@x.test"))
    assert got["tls"].strip('"').endswith(":verified"), got
    got = result(it, it.send("a@c.test", "b@ours.test"))
    assert got["result"] == "later", got
    assert "issuer certificate" in got["reply"], got


def test_in_the_end(lab):
    """Mail that no policy lets go is bounced when its time is over, with what
    was wrong, and not before."""
    back = lab.receiver()
    d = lab.path("pki")
    bad = lab.receiver(tls=True)
    dns = lab.dns({"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"],
                   "c.test": ["A 127.0.0.1"]})
    it = lab.postern(conf(dns, retry="1s*1000", lines=[
        "tls domain x.test verify", "queue ttl 8s"], rules=[
        f'action "x" relay port {bad.port}',
        f'action "back" relay port {back.port}',
        'match from any for domain x.test action "x"',
        'match from any for any action "back"']))
    begin = time.monotonic()
    mid = it.send("a@c.test", "b@x.test")
    dsn = back.wait(1, 60)[0]
    assert time.monotonic() - begin > 6
    assert not bad.messages
    assert len(it.logged(rf"{mid} tls-failed ", 2)) >= 2
    text = dsn.content.decode()
    assert "self-signed certificate" in text
    assert re.search(r"(?m)^Status: 4\.4\.7\r?$", text), text


# ---- versions and ciphers ----

# Columns: options of the action, of the server, what is spoken.
SPOKEN = [
    ("", {}, "TLSv1.3:"),
    ("", dict(tls_max="TLSv1_2"), "TLSv1.2:ECDHE-"),
    ('protocols "tlsv1.2"', {}, "TLSv1.2:ECDHE-"),
    ('protocols "tlsv1.3"', dict(tls_max="TLSv1_2"), None),
    ('protocols "tlsv1.2"', dict(tls_min="TLSv1_3"), None),
    ('protocols "tlsv1.2" ciphers "ECDHE-ECDSA-AES128-GCM-SHA256"', {},
     "TLSv1.2:ECDHE-ECDSA-AES128-GCM-SHA256:"),
    ('ciphers "TLS_CHACHA20_POLY1305_SHA256"', {},
     "TLSv1.3:TLS_CHACHA20_POLY1305_SHA256:"),
    ('ciphers "ECDHE-ECDSA-AES256-GCM-SHA384"',
     dict(tls_max="TLSv1_2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"), None),
]


@pytest.mark.parametrize("where", ["action", "tls domain"])
def test_spoken(lab, where):
    """`protocols` and `ciphers`, of an action and of a destination."""
    d = lab.path("pki")
    ca = pki.Cert(d, "house")
    cert = pki.Cert(d, "smart", alt="DNS:*.smart.test", by=ca)
    lines, rules = [f'ca house cert "{ca.cert}"'], []
    rs = []
    for i, (options, server, _) in enumerate(SPOKEN):
        r = lab.receiver(tls=True, cert=cert.cert, key=cert.key, **server)
        rs.append(r)
        lines.append(f"tls domain s{i}.smart.test require " +
                     (options if where != "action" else ""))
        rules += [f'action "a{i}" relay host "smtp://s{i}.smart.test:{r.port}"'
                  f' ca house {options if where == "action" else ""}',
                  f'match from any for domain "d{i}.test" action "a{i}"']
    it = lab.postern(conf(lab.dns({"*.smart.test": ["A 127.0.0.1"]}),
                          retry="1h", lines=lines, rules=rules))
    for i, (options, server, want) in enumerate(SPOKEN):
        got = result(it, it.send("a@c.test", f"b@d{i}.test"))
        if want is None:
            assert got["result"] == "later", (options, got)
            assert "the handshake failed: " in got["reply"], (options, got)
        else:
            assert got["tls"].strip('"').startswith(want), (options, got)
            assert got["tls"].strip('"').endswith(":verified"), got


def listens(port):
    """Somebody does; without a connection, which would be counted."""
    want = f"0100007F:{port:04X}"
    return any(l.split()[1] == want and l.split()[3] == "0A"
               for l in open("/proc/net/tcp").read().splitlines()[1:])


# ---- OpenSSL's own server ----

class SServer:
    """openssl s_server with TLS from the first byte; we are its SMTP."""

    def __init__(self, cert, *args):
        self.port = base.free_port()
        self.proc = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}",
             "-cert", str(cert.cert), "-key", str(cert.key), "-quiet",
             "-naccept", "1", *args], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        base.wait_until(lambda: listens(self.port), "s_server")
        self.content = b""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def say(self, text):
        self.proc.stdin.write(text.encode() + b"\r\n")

    def _serve(self):
        replies = {b"EHLO": "250 s.test", b"MAIL": "250 2.1.0 ok",
                   b"RCPT": "250 2.1.5 ok", b"DATA": "354 go",
                   b"QUIT": "221 bye"}
        self.say("220 s.test ESMTP")
        for line in self.proc.stdout:
            verb = line[:4].upper()
            if verb not in replies:
                continue
            self.say(replies[verb])
            if verb == b"QUIT":
                return
            if verb == b"DATA":
                for line in self.proc.stdout:
                    if line.rstrip(b"\r\n") == b".":
                        break
                    self.content += line
                self.say("250 2.0.0 taken")

    def stop(self):
        self.proc.kill()
        self.proc.wait(20)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_server(lab, version):
    d = lab.path("pki")
    ca = pki.Cert(d, "house")
    cert = pki.Cert(d, "smart", "rsa", alt="DNS:smart.test", by=ca)
    server = lab.keep(SServer(cert, version))
    it = lab.postern(conf(lab.dns({"smart.test": ["A 127.0.0.1"]}), lines=[
        f'ca house cert "{ca.cert}"'], rules=[
        f'action "out" relay host "smtps://smart.test:{server.port}" ca house',
        'match from any for any action "out"']))
    got = result(it, it.send("a@c.test", "b@x.test"))
    assert got["result"] == "ok", got
    assert got["tls"].strip('"').endswith(":verified"), got
    assert b"hello" in server.content


def test_weak_server(lab):
    """An old key is better than none where anybody may answer, and not good
    enough where somebody must be who he says."""
    d = lab.path("pki")
    ca = pki.Cert(d, "house")
    cert = pki.Cert(d, "weak", "rsa1024", alt="DNS:smart.test", by=ca)
    may, must = (lab.keep(SServer(cert, "-cipher", "DEFAULT@SECLEVEL=0"))
                 for _ in range(2))
    it = lab.postern(conf(
        lab.dns({"smart.test": ["A 127.0.0.1"]}), retry="1h",
        lines=[f'ca house cert "{ca.cert}"'], rules=[
            f'action "must" relay host "smtps://smart.test:{must.port}" '
            "ca house",
            f'action "may" relay host "smtps://smart.test:{may.port}" '
            "ca house tls no-verify",
            'match from any for domain must.test action "must"',
            'match from any for any action "may"']))
    got = result(it, it.send("a@c.test", "b@x.test"))
    assert got["tls"].strip('"').endswith(":unverified"), got
    assert b"hello" in may.content
    got = result(it, it.send("a@c.test", "b@must.test"))
    assert got["result"] == "later", got
    assert "key too weak" in got["reply"], got


# ---- sessions ----

@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_resumed(lab, version):
    """A connection for each message, and one handshake for all of them, or
    nearly; whoever was not verified stays so."""
    s = Smart(lab, "smtp://smart.test:{port}",
              lines=["limit route messages 1 concurrency 1"], tls_max=version)
    for _ in range(8):
        got = s.send()
        assert got["tls"].strip('"').endswith(":verified"), got
    assert s.r.sessions >= 8
    # Each deliver process has sessions of its own.
    full = len(s.r.handshakes) - s.r.resumed
    assert full <= len(s.it.pids("deliver")), s.r.handshakes


def test_resumed_verify(lab):
    """Mail that needs a verified host does not take up what was begun by mail
    that needs none."""
    d = lab.path("pki")
    cert = pki.Cert(d, "x", alt="DNS:smart.test")
    r = lab.receiver(tls=True, cert=cert.cert, key=cert.key)
    url = f'host "smtp://smart.test:{r.port}"'
    it = lab.postern(conf(lab.dns({"smart.test": ["A 127.0.0.1"]}),
                          retry="1h", lines=["limit route messages 1"], rules=[
        f'action "may" relay {url}', f'action "must" relay {url} tls',
        'match from any for domain must.test action "must"',
        'match from any for any action "may"']))
    for i in range(6):
        got = result(it, it.send("a@c.test", f"b@may{i}.test"))
        assert got["tls"].strip('"').endswith(":unverified"), got
    got = result(it, it.send("a@c.test", "b@must.test"))
    assert got["result"] == "later", got
    assert not [m for m in r.messages if "b@must.test" in m.rcpts]


def test_no_growth(lab):
    """Handshakes that succeed, and some that fail, leave nothing behind."""
    if base.SANITIZED:
        return  # what was freed is kept; leaks are looked for in unit tests
    s = Smart(lab, "smtp://smart.test:{port}",
              lines=["limit route messages 1", 'tls domain smart.test may'],
              retry="1s")

    def rss():
        return max(int(re.search(r"VmRSS:\s+(\d+)", open(
            f"/proc/{p}/status").read())[1]) for p in s.it.pids("deliver"))
    s.send(40)
    before = rss()
    s.send(150)
    s.it.empty(60)
    assert rss() - before < 1500, (before, rss())


# ---- certificates of ours ----

def ours(kind, version, need):
    """A relay with a certificate, by the house's authority, and a server that
    asks for one."""
    def certs(s):
        s.own = pki.Cert(s.dir, "client.test", kind, by=s.ca)
        return s.own.conf()
    return dict(url="smtp://smart.test:{port}",
                options="tls ca house pki client.test", certs=certs, ca=True,
                need_cert=need, tls_max=version)


def shown(r):
    peers = [h.peer for h in r.handshakes if h.peer]
    return [dict(x[0] for x in p["subject"])["commonName"] for p in peers]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("kind", ["rsa", "ec", "ed"])
def test_client_certificate(lab, kind, version):
    """`relay pki`: who asks for a certificate sees it; of TLS 1.2 and Ed25519
    there is none, and the connection is made without."""
    none = kind == "ed" and version == "TLSv1_2"
    s = Smart(lab, **ours(kind, version, not none))
    got = s.send()
    assert got["result"] == "ok", got
    assert shown(s.r) == ([] if none else ["client.test"])


def test_client_certificate_of_destination(lab):
    """`tls domain ... pki`; to others none is shown."""
    d = lab.path("pki")
    ca = pki.Cert(d, "house")
    own = pki.Cert(d, "client.test", by=ca)
    cert = pki.Cert(d, "smart", alt="DNS:*.smart.test", by=ca)
    one, two = (lab.receiver(tls=True, cert=cert.cert, key=cert.key,
                             ca=ca.cert) for _ in range(2))
    it = lab.postern(conf(
        lab.dns({"*.smart.test": ["A 127.0.0.1"]}),
        lines=[f'ca house cert "{ca.cert}"', *own.conf(),
               "tls domain one.smart.test verify pki client.test"],
        rules=[f'action "one" relay host "smtp://one.smart.test:{one.port}" '
               "ca house",
               f'action "two" relay host "smtp://two.smart.test:{two.port}" '
               "ca house",
               'match from any for domain one.test action "one"',
               'match from any for any action "two"']))
    assert result(it, it.send("a@c.test", "b@one.test"))["result"] == "ok"
    assert result(it, it.send("a@c.test", "b@two.test"))["result"] == "ok"
    assert shown(one) == ["client.test"] and shown(two) == []


@ROOT
@pytest.mark.parametrize("kind", ["rsa", "ec", "ed"])
def test_no_key_in_deliver(lab, kind):
    """What a certificate of ours is proved with is in keys, and nowhere
    else."""
    s = Smart(lab, **ours(kind, "TLSv1_3", True))
    for _ in range(2):
        assert s.send()["result"] == "ok"
    holders = {}
    for pid in s.it.pids() + [s.it.pid]:
        for piece in pki.memory(pid):
            for what, secret in s.own.secrets():
                if secret in piece:
                    holders.setdefault(what, set()).add(base.program(pid))
    assert holders and set().union(*holders.values()) == {"keys"}, holders


def test_keys_away(lab):
    """Without keys there is no certificate to show: mail waits, and goes when
    keys is back."""
    s = Smart(lab, retry="1s", **ours("ec", "TLSv1_3", True))
    keys = s.it.pids("keys")[0]
    os.kill(keys, 19)
    try:
        got = s.send()
        assert got["result"] == "later" and got["cause"] == "tls", got
        assert "our certificate: the keys process is silent" in \
            got["reply"], got
    finally:
        os.kill(keys, 18)
    s.r.wait(1, 60)


# ---- what is no good, what is explained ----

NO_GOOD = [
    ('ca house cert "{bad}"', "ca house", "a damaged certificate"),
    ("", "ciphers ROT13", "OpenSSL knows no such list"),
    ('tls domain x.test verify ciphers "ROT13"', "",
     "OpenSSL knows no such list"),
]


@pytest.mark.parametrize("args", [(), ("-n",)], ids=["start", "-n"])
@pytest.mark.parametrize("line,option,says", NO_GOOD,
                         ids=["ca", "action", "destination"])
def test_no_good(lab, line, option, says, args):
    """What TLS cannot use is said at the start, with file and line."""
    bad = lab.path("bad.pem")
    bad.write_text("-----BEGIN CERTIFICATE-----\nYQ==\n"
                   "-----END CERTIFICATE-----\n")
    it = lab.postern(conf(lines=[line.format(bad=bad)], rules=[
        f'action "out" relay {option}',
        'match from any for any action "out"']), start=False)
    out = base.run(it.argv() + list(args), timeout=30)
    text = out.stdout + out.stderr
    assert out.returncode != 0, text
    assert re.search(r"smtpd\.conf:\d+: .*" + re.escape(says), text), text


def explained(it, rcpt):
    out = it.ctl("explain", "--json", rcpt)
    rows = [json.loads(line) for line in out.stdout.splitlines()]
    return [r for r in rows if r.get("step") == "tls"]


def test_explain(world):
    """The policy, with the line that has it so."""
    for level, says in (("may", "if it is offered, else without"),
                        ("require", "or not at all, whoever answers"),
                        ("verify", "with a good certificate for the host's "
                         "own name; ca house"),
                        ("no", "never")):
        row, = explained(world.it, f"b@good.{level}.test")
        assert row["at"].endswith(f"smtpd.conf:{world.line(level)}"), row
        assert says in row["text"], row


def test_mended(lab):
    """A corrected file frees what waits for it: the route is tried at the
    reload, not when it would have been."""
    s = Smart(lab, "smtp+tls://smart.test:{port}", options="", retry="1h")
    assert s.send()["cause"] == "tls"
    base.wait_until(lambda: "down" in s.it.ctl("show", "routes").stdout,
                    "the route is down", 30)
    s.it.write_conf(s.it.text.replace('" \n', '" ca house\n'))
    s.it.ctl("reload")
    m, = s.r.wait(1, 60)
    assert m.tls
    s.it.empty(60)
