"""Real servers that relay to us over TLS, as they do by themselves: what came
to them arrives behind us byte for byte.

SPDX-License-Identifier: ISC
"""
import base64
import random
import re
import smtplib
import ssl
import subprocess

import pytest

from lib import base, exim, opensmtpd, talk
from lib.instance import conf

MX = {"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"]}
KB = 1024
VISIBLE = bytes(33 + n % 94 for n in range(256))
SIZES = (1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 64, 65, 100, 200, 500, 1000,
         2000, 3000, 5000)


def pki(lab, name="mx.c.test"):
    """Lines of a certificate of our own, in files of ours."""
    key, cert = lab.path("mx.key"), lab.path("mx.crt")
    base.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
              "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
              cert, "-days", "2", "-subj", f"/CN={name}", "-addext",
              f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1"],
             check=True)
    key.chmod(0o600)
    return [f'pki {name} cert "{cert}" key "{key}"'], cert


def content(number, size):
    """A message of about size bytes with all that a line may be; what a server
    adds stands in front of X-Number."""
    rnd = random.Random(number)
    head = (f"X-Number: {number}\r\nFrom: <a@c.test>\r\nTo: <b@x.test>\r\n"
            f"Date: Thu, 20 Nov 2025 09:15:00 +0100\r\n"
            f"Message-ID: <{number}@c.test>\r\nSubject: {number}\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n").encode()
    lines = [b".", b"..", b".a dot in front", b"", b"   ", b"\t",
             b"blanks at the end   ", b"From the beginning", b"x" * 990,
             "\u00e9\u00e8 \u20ac".encode(), b"--", b"=3D=20", b"."]
    body, n = list(lines), sum(map(len, lines)) + 2 * len(lines)
    while n < size - len(head):
        line = (rnd.choice(lines) if rnd.random() < 0.2 else
                rnd.randbytes(rnd.randrange(1, 200)).translate(VISIBLE))
        body.append(line)
        n += len(line) + 2
    # Empty lines at the end, or none.
    body += [b""] * (number % 3)
    return head + b"\r\n".join(body) + b"\r\n"


def to_postfix(lab, port):
    it = lab.postfix(settings=f"relayhost = [127.0.0.1]:{port}\n"
                     "smtp_tls_security_level = may\n"
                     "smtp_tls_loglevel = 1\n"
                     "message_size_limit = 50000000\n"
                     "mailbox_size_limit = 0\n"
                     "smtp_destination_concurrency_limit = 5")
    # Which TLS it was, and that it was not asked to trust us.
    return it, r"TLS connection established to 127\.0\.0\.1\S*: TLSv1\.3"


def to_exim(lab, port):
    if not exim.available():
        pytest.fail("make peers")
    it = lab.keep(exim.Exim(lab.path("exim"), port, settings="""
log_selector = +pipelining +smtp_confirmation
tls_verify_certificates = """ ""))
    # X: of TLS; L: pipelining was used; K: chunks were.
    return it, r"=> b@x\.test .* X=TLS1\.3:\S+ .*\bL\b.*\bK\b"


def to_opensmtpd(lab, port):
    it = lab.keep(opensmtpd.OpenSmtpd(
        lab.path("opensmtpd"), lines="smtp max-message-size 50M\n"
        f'action "out" relay host "smtp://127.0.0.1:{port}"\n'
        'match from any for any action "out"'))
    return it, r"mta tls ciphers=TLSv1\.3:"


@pytest.mark.parametrize("peer", [to_postfix, to_exim, to_opensmtpd])
def test_relayed_to_us(lab, peer):
    """Twenty messages from 1 KB to 5 MB, by STARTTLS because we offer it."""
    receiver = lab.receiver(extensions=("8BITMIME", "SIZE", "PIPELINING"))
    lines, _ = pki(lab)
    it = lab.postern(conf(
        lab.dns(MX), lines=["hostname mx.c.test", *lines],
        listen="listen on 127.0.0.1 port {port} tls pki mx.c.test",
        rules=[f'action "out" relay port {receiver.port}',
               'match from any for any action "out"']))
    relay, proof = peer(lab, it.port)
    sent = {n: content(n, size * KB) for n, size in enumerate(SIZES)}
    with smtplib.SMTP(relay.address, relay.port, local_hostname="c.test",
                      timeout=60) as s:
        for n, text in sent.items():
            assert not s.sendmail("a@c.test", ["b@x.test"], text,
                                  ["BODY=8BITMIME"])
    receiver.wait(len(sent), timeout=30)
    assert len(receiver.messages) == len(sent)
    for m in receiver.messages:
        at = m.content.index(b"X-Number: ")
        number = int(m.content[at + 10:m.content.index(b"\r\n", at)])
        assert (m.sender, m.rcpts) == ("a@c.test", ["b@x.test"])
        text = sent.pop(number)
        assert m.content[at:] == text, f"message {number} is another"
        # RFC 3848: over TLS, and the field says which.
        head = m.content[:at].decode()
        assert re.match(r"Received: from \S+ \(.*\[127\.0\.0\.1\]\)\r\n"
                        r"\tby mx\.c\.test \(Postern\) with ESMTPS ", head)
        assert "TLSv1.3" in head.split("Received:")[1]
    it.logged(r" accept .* client=127\.0\.0\.1 ", n=len(SIZES))
    assert re.search(proof, relay.log()), relay.log()[-3000:]
    assert not re.search(r" (reject|tls-failed) ", it.log())


def test_quick_hello(lab):
    """Words of TLS that are there before a busy process looks again are not
    taken for plain ones and lost.  Each look of ours is held up."""
    lines, _ = pki(lab)
    it = lab.postern(conf(
        lines=["hostname mx.c.test", *lines],
        listen="listen on 127.0.0.1 port {port} tls pki mx.c.test"))
    for pid in it.pids("session"):
        slow = lab.child(["strace", "-p", pid, "-e", "trace=epoll_wait", "-e",
                          "inject=epoll_wait:delay_enter=30000"], "strace")
        base.wait_until(lambda: "attached" in slow.log(), "strace is there")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for _ in range(3):
        with it.smtp(timeout=10) as s:
            s.starttls(context=context)
            assert s.noop()[0] == 250


# ---- people's clients ----

TEXT = ("From: Ann <ann@c.test>\nTo: b@x.test\nSubject: by a client\n\n"
        ".a dot in front\n..\nhello\n")
USER, SECRET = "ann@c.test", "s3cret of ann"


@pytest.fixture(scope="module")
def house(shared_lab):
    """Ports for STARTTLS and for TLS from the first byte, both for users
    only, and one without TLS; who gets what they send."""
    receiver = shared_lab.receiver()
    lines, cert = pki(shared_lab)
    hashed = base.run(["openssl", "passwd", "-6", "-salt", "saltsalt",
                       SECRET], check=True).stdout.strip()
    smtps, clear = base.free_port(), base.free_port()
    it = shared_lab.postern(conf(
        shared_lab.dns(MX),
        lines=["hostname mx.c.test", *lines,
               f'table users {{ "{USER}" = "{hashed}" }}',
               f"listen on 127.0.0.1 port {smtps} smtps pki mx.c.test "
               "auth <users>",
               f"listen on 127.0.0.1 port {clear} tls pki mx.c.test "
               "auth <users>"],
        listen="listen on 127.0.0.1 port {port} tls-require pki mx.c.test "
               "auth <users>",
        rules=[f'action "out" relay port {receiver.port}',
               'match from auth for any action "out"']))
    it.smtps, it.clear, it.cert, it.receiver = smtps, clear, cert, receiver
    return it


def by_swaks(it, lab, tls):
    body = lab.path("text")
    body.write_text(TEXT)
    return base.run(
        ["swaks", "--server", "127.0.0.1", "--port",
         it.smtps if tls == "smtps" else it.port, "--helo", "c.test",
         "--from", USER, "--to", "b@x.test", "--data", f"@{body}",
         "--tls-on-connect" if tls == "smtps" else "--tls", "--tls-verify",
         "--tls-ca-path", it.cert, "--auth", "--auth-user", USER,
         "--auth-password", SECRET])


def by_curl(it, lab, tls):
    body = lab.path("text")
    body.write_bytes(TEXT.replace("\n", "\r\n").encode())
    where = f"smtps://localhost:{it.smtps}" if tls == "smtps" else \
        f"smtp://localhost:{it.port}"
    return base.run(["curl", "-4", "-sS", "--ssl-reqd", "--cacert", it.cert,
                     where + "/c.test", "--user", f"{USER}:{SECRET}",
                     "--mail-from", USER, "--mail-rcpt", "b@x.test", "-T",
                     body])


def by_msmtp(it, lab, tls):
    return base.run(
        ["msmtp", "--file=/dev/null", "--host=127.0.0.1",
         f"--port={it.smtps if tls == 'smtps' else it.port}", "--tls=on",
         f"--tls-starttls={'off' if tls == 'smtps' else 'on'}",
         f"--tls-trust-file={it.cert}", "--auth=on", f"--user={USER}",
         f"--passwordeval=echo '{SECRET}'", f"--from={USER}", "b@x.test"],
        input=TEXT, stdin=None)


def by_mutt(it, lab, tls):
    home = lab.path("home")
    home.mkdir()
    where = f"smtps://{{}}@localhost:{it.smtps}/" if tls == "smtps" else \
        f"smtp://{{}}@localhost:{it.port}/"
    (home / "rc").write_text(
        f'set smtp_url="{where.format(USER)}"\nset smtp_pass="{SECRET}"\n'
        f'set from="{USER}" realname=Ann use_envelope_from=yes copy=no\n'
        "set ssl_starttls=yes ssl_force_tls=yes ssl_verify_host=yes\n"
        f'set ssl_ca_certificates_file="{it.cert}"\n')
    return base.run(["mutt", "-n", "-F", home / "rc", "-s", "by a client",
                     "b@x.test"], input=TEXT.partition("\n\n")[2],
                    stdin=None, env={"HOME": str(home), "LC_ALL": "C",
                                     "PATH": "/usr/bin:/bin"})


def by_smtplib(it, lab, tls):
    context = ssl.create_default_context(cafile=str(it.cert))
    if tls == "smtps":
        s = smtplib.SMTP_SSL("127.0.0.1", it.smtps, "c.test", timeout=20,
                             context=context)
    else:
        s = smtplib.SMTP("127.0.0.1", it.port, "c.test", timeout=20)
    with s:
        if tls != "smtps":
            s.starttls(context=context)
        s.login(USER, SECRET)
        s.sendmail(USER, "b@x.test", TEXT.replace("\n", "\r\n"))
    return subprocess.CompletedProcess((), 0, "", "")


def by_s_client(it, lab, tls):
    """As a person would: each line waits for the answer to the one before."""
    plain = base64.b64encode(f"\0{USER}\0{SECRET}".encode()).decode()
    where = [f"127.0.0.1:{it.smtps}"] if tls == "smtps" else \
        [f"127.0.0.1:{it.port}", "-starttls", "smtp"]
    said = ["EHLO c.test", f"AUTH PLAIN {plain}", f"MAIL FROM:<{USER}>",
            "rcpt to:<b@x.test>", "DATA",
            re.sub(r"(?m)^\.", "..", TEXT) + ".", "quit"]
    with subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-crlf", "-verify_return_error",
             "-CAfile", it.cert, "-connect", *where], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT) as p:
        out = ""
        for line in said:
            p.stdin.write(line + "\n")
            p.stdin.flush()
            while not re.match(r"\d\d\d ", got := p.stdout.readline()):
                out += got
                if not got:
                    break
            out += got
        p.kill()
        return subprocess.CompletedProcess(p.args, 0 if "535 " not in out
                                           else 1, out, "")


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
@pytest.mark.parametrize("by", [by_swaks, by_curl, by_msmtp, by_mutt,
                                by_smtplib, by_s_client])
def test_client(house, lab, by, tls):
    """Over TLS that it verifies, with a password."""
    before = len(house.receiver.messages)
    out = by(house, lab, tls)
    assert out.returncode == 0, out.stdout + out.stderr
    base.wait_until(lambda: len(house.receiver.messages) > before,
                    "it arrives: " + out.stdout + out.stderr)
    m = house.receiver.messages[before]
    assert (m.sender, m.rcpts) == (USER, ["b@x.test"])
    head, _, body = m.content.decode().partition("\r\n\r\n")
    # swaks adds an empty line.
    assert body.rstrip() + "\r\n" == \
        TEXT.partition("\n\n")[2].replace("\n", "\r\n")
    assert re.search(r"(?m)^Subject: by a client\r?$", head)
    assert len(re.findall(r"(?mi)^(?:date|message-id):", head)) == 2
    assert " with ESMTPSA " in head and "TLSv1.3" in head


def test_no_password_in_clear(house):
    """Without TLS neither port offers AUTH, nor takes one; a message neither.
    """
    for port, missing in ((house.port, "530 5.7.0 "),
                          (house.clear, "530 5.7.0 ")):
        wire = talk.Wire("127.0.0.1", port)
        assert wire.reply().startswith("220 ")
        assert "AUTH" not in wire.ask("EHLO c.test")
        assert wire.ask("AUTH PLAIN AGEAYg==").startswith("538 5.7.11 ")
        assert wire.ask("MAIL FROM:<a@c.test>").startswith(missing)
        wire.close()
