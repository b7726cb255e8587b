"""TLS for clients: versions, certificates by name and kind, tickets, clients
that show certificates, and where the private keys are.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import threading
import time

import pytest

from lib import base, pki
from lib.instance import conf

COVERS = ["TLS_LATER"]

ROOT = pytest.mark.skipif(not base.IS_ROOT, reason="as root")


# ---- what there is ----

class Host:
    """An instance with certificates of all kinds.  Ports: tls, smtps, others
    by name."""

    def __init__(self, lab, listens=(), lines=(), certs=(), receiver=None):
        self.dir = lab.path("pki")
        self.ca = pki.Cert(self.dir, "ca.example.org")
        self.rsa = self.cert("mx.example.org", "rsa")
        self.ec = self.cert("mx.example.org", "ec")
        self.ports = {}
        text = list(lines) + self.rsa.conf() + self.ec.conf()
        for c in certs:
            text += self.cert(*c).conf()
        text.append(f'ca "test" cert "{self.ca.cert}"')
        # Many clients come from one address here.
        text.append("limit client sessions 10000 rate 10000/1s")
        text.append("limit network sessions 10000 rate 10000/1s")
        say = ["listen on 127.0.0.1 port {port}"]
        for name, options in listens or (
                ("tls", "tls pki mx.example.org"),
                ("smtps", "smtps pki mx.example.org")):
            self.ports[name] = base.free_port()
            say.append(f"listen on 127.0.0.1 port {self.ports[name]} "
                       f"{options}")
        self.receiver = receiver
        relay = {"relay_port": receiver.port} if receiver else {}
        dns = lab.dns() if receiver else None
        self.it = lab.postern(conf(dns, lines=text, listen="\n".join(say),
                                   **relay))

    def cert(self, name, kind="ec", alt=None):
        return pki.Cert(self.dir, name, kind, alt or f"DNS:{name}", self.ca)

    def context(self, cert=None, version=None):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.load_verify_locations(self.ca.cert)
        c.check_hostname = False
        if version is not None:
            c.maximum_version = version
        if cert is not None:
            c.load_cert_chain(cert.cert, cert.key)
        return c

    def raw(self, port):
        return socket.create_connection(("127.0.0.1", self.ports[port]), 20)

    def smtps(self, port="smtps", context=None, name="mx.example.org",
              session=None):
        """A connection with TLS from the first byte, greeted."""
        s = (context or self.context()).wrap_socket(
            self.raw(port), server_hostname=name, session=session)
        assert s.recv(512).startswith(b"220 ")
        return s

    def starttls(self, port="tls", context=None):
        s = smtplib.SMTP("127.0.0.1", self.ports[port],
                         local_hostname="c.test", timeout=20)
        s.ehlo()
        assert s.starttls(context=context or self.context())[0] == 220
        return s

    def s_client(self, port, *args, timeout=20):
        starttls = [] if port == "smtps" else ["-starttls", "smtp"]
        return base.run(["openssl", "s_client", "-brief", "-connect",
                         f"127.0.0.1:{self.ports[port]}", "-CAfile",
                         self.ca.cert, *starttls, *args],
                        timeout=timeout)


@pytest.fixture(scope="module")
def host(shared_lab):
    """For tests that leave it as it was."""
    return Host(shared_lab, receiver=shared_lab.receiver())


def line(s, text):
    s.sendall(text.encode() + b"\r\n")
    return s.recv(4096).decode()


def quit(s):
    assert line(s, "QUIT").startswith("221 ")
    s.close()


def server_of(it, sock):
    """The session process that has the other end of a connection."""
    here, there = sock.getsockname()[1], sock.getpeername()[1]
    for row in open("/proc/net/tcp").read().splitlines()[1:]:
        cell = row.split()
        if int(cell[1].split(":")[1], 16) == there and \
                int(cell[2].split(":")[1], 16) == here:
            inode = cell[9]
            break
    else:
        return None
    for pid in it.pids("session"):
        for fd in os.scandir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(fd.path) == f"socket:[{inode}]":
                    return pid
            except FileNotFoundError:
                pass
    return None


# ---- real clients ----

@pytest.mark.parametrize("port", ["tls", "smtps"])
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client(host, port, version):
    out = host.s_client(port, version, "-verify_return_error")
    said = out.stdout + out.stderr
    assert "CONNECTION ESTABLISHED" in said, said
    assert "Verification: OK" in said, said
    assert version.replace("-tls1_", "TLSv1.") in said, said


@pytest.mark.parametrize("port", ["tls", "smtps"])
def test_message(host, port):
    """A message comes in, and its Received field says how."""
    if port == "tls":
        s = host.starttls()
        s.ehlo()
    else:
        s = smtplib.SMTP_SSL("127.0.0.1", host.ports["smtps"],
                             local_hostname="c.test", timeout=20,
                             context=host.context())
    receiver = host.receiver
    n = len(receiver.messages)
    s.sendmail("a@c.test", ["b@x.test"], f"Subject: {port}\r\n\r\nhello\r\n")
    s.quit()
    got = receiver.wait(n + 1)[-1].content.decode()
    field = re.search(r"^Received:(.*?)^\S", got, re.M | re.S)[1]
    assert "with ESMTPS" in field, field
    assert re.search(r"TLSv1\.3 cipher TLS_\w+ \(\d+ bits\)", field), field


@pytest.mark.parametrize("how", ["-tls", "-tlsc"])
def test_swaks(host, how):
    if shutil.which("swaks") is None:
        pytest.fail("swaks is not installed")
    port = host.ports["tls" if how == "-tls" else "smtps"]
    out = base.run(["swaks", how, "--server", f"127.0.0.1:{port}", "--to",
                    "b@x.test", "--from", "a@c.test", "--helo", "c.test",
                    "--tls-verify", "--tls-ca-path", host.ca.cert])
    assert out.returncode == 0, out.stdout + out.stderr


def test_many_at_once(host):
    """Clients that do not wait: each one's first bytes count, whether they
    come before the listener's steps are done or after."""
    wrong = []

    def one():
        try:
            quit(host.smtps())
        except OSError as e:
            wrong.append(e)
    all_ = [threading.Thread(target=one) for _ in range(60)]
    for t in all_:
        t.start()
    for t in all_:
        t.join(30)
    assert not wrong, wrong


# ---- versions and ciphers ----

@pytest.mark.parametrize("port", ["tls", "smtps"])
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions(host, port, version):
    before = len(re.findall("tls result=failed", host.it.log()))
    out = host.s_client(port, version, "-cipher", "ALL:@SECLEVEL=0")
    said = out.stdout + out.stderr
    assert "CONNECTION ESTABLISHED" not in said, said
    assert "alert protocol version" in said, said
    host.it.logged('tls result=failed .*why="unsupported protocol"', 1)
    base.wait_until(lambda: len(re.findall("tls result=failed",
                                           host.it.log())) > before, "log")


def test_protocols_and_ciphers(lab):
    h = Host(lab, [
        ("old", "tls pki mx.example.org protocols \"TLSv1.2\""),
        ("new", "tls pki mx.example.org protocols \"TLSv1.3\""),
        ("one", "tls pki mx.example.org "
         "ciphers \"ECDHE-RSA-AES128-GCM-SHA256\" protocols \"TLSv1.2\""),
        ("all", "tls pki mx.example.org")],
        lines=['smtp ciphers "ECDHE-ECDSA-AES256-GCM-SHA384"'])

    def try_(port, *args):
        out = h.s_client(port, *args)
        found = re.search(r"Protocol version: (\S+)\nCiphersuite: (\S+)",
                          out.stdout + out.stderr)
        return found.groups() if found else None
    assert try_("old")[0] == "TLSv1.2"
    assert try_("old", "-tls1_3") is None
    assert try_("new")[0] == "TLSv1.3"
    assert try_("new", "-tls1_2") is None
    assert try_("one")[1] == "ECDHE-RSA-AES128-GCM-SHA256"
    assert try_("one", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384") is None
    assert try_("all", "-tls1_2")[1] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert try_("all", "-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384") \
        is None


def test_forward_secrecy_only(host):
    """No key exchange that the certificate's key could undo later."""
    for cipher in ("AES128-SHA", "AES256-GCM-SHA384",
                   "DHE-RSA-AES128-GCM-SHA256"):
        out = host.s_client("smtps", "-tls1_2", "-cipher", cipher)
        assert "handshake failure" in out.stdout + out.stderr, cipher


def test_bad_ciphers(lab):
    h = Host(lab)
    h.it.stop()
    text = h.it.text.replace("smtps pki", 'smtps ciphers "NO-SUCH" pki')
    out = start(h.it, text)
    where = at(text, "NO-SUCH")
    assert re.search(rf"smtpd\.conf:{where}: ciphers NO-SUCH: ", out), out


# ---- which certificate ----

def shown(host, port, name, **kw):
    s = host.smtps(port, host.context(**kw), name)
    got = ssl.DER_cert_to_PEM_cert(s.getpeercert(True))
    quit(s)
    return got


def test_sni(lab):
    h = Host(lab, [("smtps", "smtps pki mx.example.org pki b.example.org "
                    "pki w.example.org")],
             certs=[("b.example.org",),
                    ("w.example.org", "ed",
                     "DNS:*.wild.example.org,DNS:alias.example.org")])

    def cert(name, kind):
        return (h.dir / f"{name}-{kind}.crt").read_text()
    default = h.ec.cert.read_text()
    for name, want in (
            (None, default), ("mx.example.org", default),
            ("b.example.org", cert("b.example.org", "ec")),
            ("B.EXAMPLE.org", cert("b.example.org", "ec")),
            ("w.example.org", cert("w.example.org", "ed")),
            ("alias.example.org", cert("w.example.org", "ed")),
            ("any.wild.example.org", cert("w.example.org", "ed")),
            ("two.any.wild.example.org", default),
            ("who.example.net", default)):
        assert shown(h, "smtps", name) == want, name
    h.it.logged('tls result=ok .*sni="b.example.org"')


@pytest.mark.parametrize("sigalgs,kind", [
    ("rsa_pss_rsae_sha256", "RSA-PSS"), ("ecdsa_secp256r1_sha256", "ECDSA"),
    ("rsa_pss_rsae_sha512:ecdsa_secp256r1_sha256", None)])
@pytest.mark.parametrize("port", ["tls", "smtps"])
def test_kind_by_sigalgs(host, port, sigalgs, kind):
    """RSA and ECDSA stand beside each other: who knows only one gets it."""
    out = host.s_client(port, "-sigalgs", sigalgs)
    said = out.stdout + out.stderr
    found = re.search(r"Signature type: (\S+)", said)
    assert found and kind in (None, found[1]), said


# ---- STARTTLS ----

def test_nothing_before_counts(host):
    """RFC 3207 4.2: EHLO and what it allowed are forgotten."""
    s = host.starttls()
    s.ehlo_resp = s.helo_resp = None
    assert s.docmd("MAIL", "FROM:<a@c.test>")[0] == 503
    assert s.docmd("EHLO", "c.test")[0] == 250
    assert "STARTTLS" not in s.docmd("EHLO", "c.test")[1].decode()
    assert s.docmd("MAIL", "FROM:<a@c.test>")[0] == 250
    assert s.docmd("STARTTLS")[0] == 503
    s.quit()


@pytest.mark.parametrize("behind", [
    b"EHLO evil.test\r\nMAIL FROM:<evil@c.test>\r\n", b"NOOP\r\n", b"NO",
    b"X" * 5000, b"EHLO evil.test\r\n" * 100])
def test_injection(host, behind):
    """What stands behind STARTTLS in its segment was not said in TLS."""
    s = host.raw("tls")
    s.recv(512)
    assert line(s, "EHLO c.test").startswith("250-")
    s.sendall(b"STARTTLS\r\n" + behind)
    assert s.recv(4096) == b"220 2.0.0 Ready to start TLS\r\n"
    try:
        t = host.context().wrap_socket(s, server_hostname="mx.example.org")
    except OSError:
        # More than was read with it: those bytes are no handshake.
        assert len(behind) > 4000
        return
    assert line(t, "NOOP") == "250 2.0.0 Ok\r\n"
    assert line(t, "RCPT TO:<b@x.test>").startswith("503 ")
    assert line(t, "MAIL FROM:<a@c.test>").startswith("503 5.5.1 Say HELO")
    t.settimeout(0.5)
    with pytest.raises(TimeoutError):
        t.recv(10)
    t.settimeout(10)
    quit(t)


def test_injection_in_a_segment_of_its_own(host):
    """The same, but it comes when 220 was said: that is no handshake."""
    s = host.raw("tls")
    s.recv(512)
    line(s, "EHLO c.test")
    assert line(s, "STARTTLS").startswith("220 ")
    s.sendall(b"MAIL FROM:<evil@c.test>\r\nRCPT TO:<b@x.test>\r\n")
    got = b""
    while (more := s.recv(4096)):
        got += more
    assert b"250" not in got and b"503" not in got, got


def test_auth_is_forgotten(lab):
    h = Host(lab, [("tls", "tls pki mx.example.org auth-optional <users> "
                    "auth-insecure")],
             lines=['table users { bob = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oic'
                    'd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0kt'
                    'L3nh/" }'])
    s = smtplib.SMTP("127.0.0.1", h.ports["tls"], local_hostname="c.test",
                     timeout=20)
    s.ehlo()
    code, said = s.login("bob", "password")
    assert code == 235
    assert s.docmd("AUTH", "PLAIN AGJvYgBwYXNzd29yZA==")[0] == 503
    assert s.starttls(context=h.context())[0] == 220
    s.ehlo()
    assert s.docmd("AUTH", "PLAIN AGJvYgBwYXNzd29yZA==")[0] == 235
    s.quit()


def test_required(lab):
    h = Host(lab, [("tls", "tls-require pki mx.example.org")])
    s = smtplib.SMTP("127.0.0.1", h.ports["tls"], local_hostname="c.test",
                     timeout=20)
    s.ehlo()
    assert s.docmd("MAIL", "FROM:<a@c.test>")[0] == 530
    s.starttls(context=h.context())
    s.ehlo()
    assert s.docmd("MAIL", "FROM:<a@c.test>")[0] == 250
    s.quit()


@pytest.mark.parametrize("what", [
    b"EHLO c.test\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff",
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\0" * 3000, b"\xff" * 3000])
def test_garbage(host, what):
    """No handshake: the end, and others go on."""
    other = host.smtps()
    s = host.raw("smtps")
    s.sendall(what)
    s.shutdown(socket.SHUT_WR)
    try:
        while s.recv(4096):
            pass
    except ConnectionResetError:
        pass
    assert line(other, "NOOP").startswith("250 ")
    quit(other)


def test_deadline(lab):
    """A handshake that does not come, and one that comes a byte at a time."""
    h = Host(lab, lines=["smtp timeout 2s"])
    slow = h.raw("smtps")
    silent = h.raw("smtps")
    begin = time.monotonic()
    try:
        for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 12:
            slow.sendall(bytes([byte]))
            time.sleep(0.2)
        assert slow.recv(100) == b""
    except OSError:
        pass
    assert silent.recv(100) == b""
    assert time.monotonic() - begin < 20
    h.it.logged('tls result=failed .*why="timeout"', 2)


def test_close_notify(host):
    """The end is said in TLS too (RFC 8446 6.1): nobody cut it short."""
    s = host.smtps()
    s.suppress_ragged_eofs = False
    s.sendall(b"QUIT\r\n")
    assert s.recv(100).startswith(b"221 ")
    assert s.recv(100) == b""


@pytest.mark.parametrize("pieces", [1, 2, 300])
def test_behind_proxy(lab, pieces):
    """A PROXY header, and the handshake right behind it, in one segment or in
    many."""
    h = Host(lab, [("smtps", "smtps pki mx.example.org proxy { 127.0.0.1 }")])
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    t = h.context().wrap_bio(come, go, server_hostname="mx.example.org")
    with pytest.raises(ssl.SSLWantReadError):
        t.do_handshake()
    first = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 465\r\n" + go.read()
    s = h.raw("smtps")
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    size = -(-len(first) // pieces)
    for n in range(0, len(first), size):
        s.sendall(first[n:n + size])
        if pieces > 1:
            time.sleep(0.005)
    greeting = b""
    while not greeting.endswith(b"\n"):
        come.write(s.recv(65536))
        try:
            t.do_handshake()
            s.sendall(go.read())
            greeting = t.read(512)
        except ssl.SSLWantReadError:
            s.sendall(go.read())
    assert greeting.startswith(b"220 ")
    h.it.logged(r"proxy .*192\.0\.2\.7|client=192\.0\.2\.7")
    h.it.logged("tls result=ok")


# ---- tickets ----

def resume(h, session, version, pids=None):
    s = h.smtps(context=session and session[0] or h.context(version=version),
                session=session and session[1])
    if pids is not None:
        pids.add(server_of(h.it, s))
    context, reused = s.context, s.session_reused
    # The ticket of TLS 1.3 came with the greeting.
    again = s.session
    quit(s)
    return (context, again), reused


@ROOT
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_ticket_in_every_process(host, version):
    """One ticket, many connections: each session process can open it."""
    session, reused = resume(host, None, version)
    assert not reused
    pids, tries = set(), 0
    everyone = set(host.it.pids("session"))
    while pids != everyone and tries < 300:
        tries += 1
        # All open at once, so that each process gets some.
        opened = [session[0].wrap_socket(host.raw("smtps"),
                                         server_hostname="mx.example.org",
                                         session=session[1])
                  for _ in range(4)]
        for s in opened:
            assert s.recv(512).startswith(b"220 ")
            assert s.session_reused, pids
            pids.add(server_of(host.it, s))
        for s in opened:
            quit(s)
    assert pids == everyone, (pids, everyone, tries)
    host.it.logged("tls result=ok .*resumed=1")


def test_ticket_of_another_keys(lab):
    """The keys of tickets go with the keys process: then all begins anew."""
    h = Host(lab)
    session, _ = resume(h, None, None)
    _, reused = resume(h, session, None)
    assert reused
    old = h.it.pids("keys")
    os.kill(old[0], signal.SIGKILL)
    base.wait_until(lambda: [p for p in h.it.pids("keys") if p not in old],
                    "another keys process")

    def anew():
        session, _ = resume(h, None, None)
        return resume(h, session, None)[1]
    base.wait_until(anew, "tickets again")
    # The old one does no harm.
    quit(h.smtps(context=session[0], session=session[1]))


# ---- certificates of clients ----

@pytest.fixture(scope="module")
def verifying(shared_lab):
    h = Host(shared_lab, [
        ("smtps", "smtps verify pki mx.example.org ca test"),
        ("tls", "tls-require verify pki mx.example.org ca test"),
        ("system", "smtps verify pki mx.example.org")])
    h.good = pki.Cert(h.dir, "bob", "ec", "email:bob@example.org", h.ca)
    h.other_ca = pki.Cert(h.dir, "other-ca")
    h.wrong = pki.Cert(h.dir, "eve", "ec", "email:bob@example.org",
                       h.other_ca)
    h.ended = pki.Cert(h.dir, "old", "ec", "email:bob@example.org", h.ca,
                       days=0)
    return h


def refused(h, port, cert, version):
    """True if there is no session."""
    context = h.context(cert, version)
    try:
        if port == "tls":
            s = h.starttls(port, context)
            s.ehlo()
        else:
            h.smtps(port, context)
    except (OSError, smtplib.SMTPException, AssertionError):
        return True
    return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("port", ["tls", "smtps"])
def test_verify(verifying, port, version):
    h = verifying
    assert not refused(h, port, h.good, version)
    h.it.logged('tls result=ok .*cert="bob@example.org"')
    for cert, why in ((None, "peer did not return a certificate"),
                      (h.wrong, "unable to get local issuer certificate"),
                      (h.ended, "certificate has expired"),
                      (h.other_ca, "self-signed certificate")):
        n = len(re.findall(f'why="{why}"', h.it.log()))
        assert refused(h, port, cert, version), why
        h.it.logged(f'tls result=failed .*why="{why}"', n + 1)


def test_verify_by_the_system(verifying):
    """Without `ca` the system's authorities are asked: ours is none."""
    h = verifying
    assert refused(h, "system", h.good, None)
    h.it.logged('why="unable to get local issuer certificate"')


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_verify_and_resume(verifying, version):
    """Who comes back with a ticket is still known by name."""
    h = verifying
    s = h.smtps(context=h.context(h.good, version))
    context, session = s.context, s.session
    quit(s)
    n = len(re.findall('resumed=1 .*cert="bob@example.org"', h.it.log()))
    s = h.smtps(context=context, session=session)
    assert s.session_reused
    quit(s)
    h.it.logged('resumed=1 .*cert="bob@example.org"', n + 1)


# ---- the keys process ----

@ROOT
def test_keys_killed(lab):
    """Handshakes go on when keys is back, sessions go on as if nothing
    was."""
    h = Host(lab)
    established = [h.smtps() for _ in range(3)]
    good, bad, over = [], [], threading.Event()

    def client():
        while not over.is_set():
            begin = time.monotonic()
            try:
                quit(h.smtps())
                good.append(begin)
            except OSError:
                bad.append(time.monotonic() - begin)
    threads = [threading.Thread(target=client) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        for _ in range(3):
            old = h.it.pids("keys")
            os.kill(old[0], signal.SIGKILL)
            base.wait_until(
                lambda: [p for p in h.it.pids("keys") if p not in old],
                "another keys process")
            now = time.monotonic()
            base.wait_until(lambda: good and good[-1] > now,
                            "handshakes again")
            for s in established:
                assert line(s, "NOOP").startswith("250 ")
    finally:
        over.set()
        for t in threads:
            t.join(30)
    assert all(took < 20 for took in bad), bad
    for s in established:
        quit(s)
    assert len(h.it.pids("session")) >= 1


@ROOT
def test_keys_silent(lab):
    """A keys process that is there and says nothing costs a handshake two
    seconds, and then nobody waits for it; STARTTLS is refused for a while,
    and later all is as it was."""
    h = Host(lab)
    plain = h.it.connect()
    plain.recv(512)
    keys = h.it.pids("keys")[0]
    os.kill(keys, signal.SIGSTOP)
    try:
        # Each session process finds out by itself.
        silent = []
        while len(silent) < len(h.it.pids("session")):
            begin = time.monotonic()
            with pytest.raises(OSError):
                h.smtps()
            assert time.monotonic() - begin < 20
            silent = re.findall("keys-silent", h.it.log())
        s = h.raw("tls")
        s.recv(512)
        line(s, "EHLO c.test")
        assert line(s, "STARTTLS").startswith("454 4.7.0 ")
        assert line(s, "NOOP").startswith("250 ")
        assert base.at_best(lambda: line(plain, "NOOP"), 1)[:4] == "250 "
    finally:
        os.kill(keys, signal.SIGCONT)

    def works():
        try:
            quit(h.smtps())
            return True
        except OSError:
            return False
    base.wait_until(works, "handshakes again", 30, 0.5)


@ROOT
def test_private_keys_are_in_keys_alone(lab):
    """Numbers and texts of each private key, in the memory of each process."""
    h = Host(lab, [("smtps", "smtps pki mx.example.org pki ed.example.org"),
                   ("tls", "tls pki mx.example.org pki ed.example.org")],
             certs=[("ed.example.org", "ed")])
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for name in ("mx.example.org", "ed.example.org"):
            for _ in range(4):
                quit(h.smtps(context=h.context(version=version), name=name))
    for sigalgs in ("rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"):
        h.s_client("smtps", "-sigalgs", sigalgs)
    ed = pki.Cert.__new__(pki.Cert)
    ed.kind, ed.key = "ed", h.dir / "ed.example.org-ed.key"
    holders = {}
    pids = h.it.pids() + [h.it.pid]
    assert len(h.it.pids("session")) == (os.cpu_count() or 1)
    for pid in pids:
        for piece in pki.memory(pid):
            for cert in (h.rsa, h.ec, ed):
                for what, secret in cert.secrets():
                    if secret in piece:
                        holders.setdefault(f"{cert.kind} {what}", set()).add(
                            base.program(pid))
    # What is looked for can be found.
    assert {"rsa prime1 turned", "rsa prime2 turned",
            "rsa privateExponent turned", "ec priv turned",
            "ed priv"} <= set(holders), holders
    assert set().union(*holders.values()) == {"keys"}, holders


# ---- what is no good ----

def start(it, text):
    """What a start with this configuration says; it must not succeed."""
    it.write_conf(text)
    out = base.run(it.argv(), timeout=20)
    assert out.returncode != 0, out.stderr
    it.write_conf(it.text)
    return out.stdout + out.stderr


def at(text, word):
    return [n for n, l in enumerate(text.splitlines(), 1) if word in l][0]


@pytest.mark.parametrize("check", [(), ("-n",)])
def test_no_good(lab, check):
    """Each is said at the start, with file and line, also by -n."""
    h = Host(lab)
    h.it.stop()
    text = h.it.text
    it = h.it
    it.args = list(check)
    other = h.cert("other.example.org", "rsa")
    weak = pki.Cert(h.dir, "weak.example.org", "rsa1024")
    secret = h.dir / "secret.key"
    pki.openssl("pkey", "-in", h.rsa.key, "-aes256", "-passout", "pass:x",
                "-out", secret)
    empty = h.dir / "empty"
    empty.write_text("")
    no_key = h.dir / "no.key"
    no_key.write_text(h.rsa.cert.read_text())
    for path in (secret, empty, no_key):
        path.chmod(0o600)
    chain = h.dir / "chain.crt"
    chain.write_text(other.cert.read_text() + h.rsa.cert.read_text())
    rsa = str(h.rsa.key), str(h.rsa.cert)
    for what, new, why in (
            (rsa[0], other.key, "the key does not belong to the certificate"),
            (rsa[0], h.ec.key, "the key does not belong to the certificate"),
            (rsa[0], secret, "an encrypted key"),
            (rsa[0], empty, "no private key in PEM form"),
            (rsa[0], no_key, "no private key in PEM form"),
            (rsa[0], weak.key, "too weak"),
            (rsa[0], h.dir / "none", "No such file"),
            (rsa[1], h.dir / "none", "No such file"),
            (rsa[1], empty, "no certificate in PEM form"),
            (rsa[1], h.rsa.key, "no certificate in PEM form"),
            (rsa[1], chain, "must be the first")):
        said = start(it, text.replace(what, str(new)))
        where = at(text, str(h.rsa.cert))
        # Of the pki: the parser says the path's own, keys that of the first.
        assert re.search(rf"smtpd\.conf:({where}|{where + 1}): .*{why}",
                         said), (why, said)


def test_odd_certificates(lab):
    """Expired, or in the wrong order: it works for who does not look, and the
    operator hears of it."""
    h = Host(lab)
    h.it.stop()
    old = pki.Cert(h.dir, "old.example.org", "ec", "DNS:old.example.org",
                   h.ca, days=0)
    mixed = h.dir / "mixed.crt"
    mixed.write_text(h.ec.cert.read_text() + h.rsa.cert.read_text())
    h.it.write_conf(h.it.text.replace(str(h.rsa.key), str(old.key)).replace(
        str(h.rsa.cert), str(old.cert)).replace("pki \"mx.example.org\" cert "
                                                f"\"{h.ec.cert}\"", "#")
        .replace(f"pki \"mx.example.org\" key \"{h.ec.key}\"", "#"))
    h.it.start()
    h.it.logged('certificate at=.*why="the certificate has expired"')
    h.it.stop()
    h.it.write_conf(h.it.text.replace(str(h.ec.cert), str(mixed)))
    h.it.start()
    h.it.logged('certificate at=.*not followed by that of its issuer"')
    s = h.smtps()
    quit(s)


def test_two_of_a_kind(lab):
    """Two certificates of one name with keys of one kind: which one?"""
    h = Host(lab)
    h.it.stop()
    twin = pki.Cert(h.dir / "twin", "mx.example.org", "rsa",
                    "DNS:mx.example.org", h.ca)
    text = "\n".join(twin.conf()) + "\n" + h.it.text
    said = start(h.it, text)
    assert "has a key of the same kind" in said, said


def test_reload(lab):
    """New sessions see the new certificate, old ones go on."""
    h = Host(lab)
    before = shown(h, "smtps", "mx.example.org")
    old = h.smtps()
    new = pki.Cert(h.dir / "new", "mx.example.org", "ec",
                   "DNS:mx.example.org", h.ca)
    h.ec.cert.write_text(new.cert.read_text())
    h.ec.key.write_text(new.key.read_text())
    h.it.ctl("reload")
    base.wait_until(lambda: shown(h, "smtps", "mx.example.org") ==
                    new.cert.read_text(), "the new certificate")
    assert before != new.cert.read_text()
    assert line(old, "NOOP").startswith("250 ")
    quit(old)
