"""The examples in etc/: each starts as it stands, but for addresses, ports and
paths of a test, and does with mail what it says.

SPDX-License-Identifier: ISC
"""
import os
import re
import smtplib
import ssl

import pytest

from lib import base
from lib.localroot import LocalRoot

ETC = base.ROOT / "etc"
EXAMPLES = sorted(p.name for p in ETC.glob("*.conf"))
WHERE = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1"}
MANUAL = base.ROOT / "man/smtpd.conf.5"


def text_of(lab, name, changes, files):
    """The example for a test: what stands left of a change must be in it."""
    text = (ETC / name).read_text()
    for path, content in dict(files).items():
        file = lab.path("file")
        file.write_text(content)
        file.chmod(0o600 if "KEY" in content else 0o644)
        assert path in text, path
        text = text.replace(path, str(file))
    for old, new in dict(changes).items():
        assert old in text, old
        text = text.replace(old, new)
    outer = (f"127.0.0.{n}" for n in range(2, 9))
    return re.sub(r"(?m)^listen on (\S+)(?:( smtps)|(?: port \S+))?",
                  lambda m: f"listen on {WHERE.get(m[1]) or next(outer)} "
                  f"port {{port}}{m[2] or ''}", text)


def start(lab, name, changes=(), files=(), zone=(), **kw):
    """The example at work, and a receiver for all that it sends."""
    r = lab.receiver()
    dns = lab.dns({"friend.test": ["MX 10 mx.friend.test."],
                   "mx.friend.test": ["A 127.0.0.1"], **dict(zone)})
    changes = {old: new.format(r.port) for old, new in dict(changes).items()}
    files = {path: content.replace("{PORT}", str(r.port))
             for path, content in dict(files).items()}
    text = text_of(lab, name, changes, files)
    if "\nhostname " not in text:
        text = "hostname host.example.org\n" + text
    it = lab.postern(f"resolver {dns.address} port {dns.port} timeout 3s\n"
                     + text, **kw)
    return it, r


def refused(it, sender, rcpt):
    with it.smtp() as s:
        s.ehlo()
        s.mail(sender)
        return s.rcpt(rcpt)[0] == 550


@pytest.mark.parametrize("name", EXAMPLES)
def test_checks(name, tmp_path):
    """Nothing but files that are not here keeps any of them from a start, and
    none of them is open to strangers."""
    assert not re.search(r"(?m)^match from any for any (?!reject)",
                         (ETC / name).read_text())
    out = base.run([base.BUILD / "smtpd", "-n", "-R", tmp_path / "root", "-f",
                    ETC / name])
    for line in out.stderr.splitlines():
        assert line.endswith("configuration OK") or \
            re.search(r"No such file|default route", line), line


def manual_examples():
    """The configurations that smtpd.conf(5) shows."""
    part = MANUAL.read_text().split(".Sh EXAMPLES")[1]
    texts = re.findall(r"(?s)\.Bd -literal.*?\n(.*?)\.Ed", part)
    return [re.sub(r"\\e", r"\\", t) for t in texts]


@pytest.mark.parametrize("n", range(len(manual_examples())))
def test_manual(n, tmp_path):
    """Nothing keeps them from a start but files that are not here."""
    file = tmp_path / "smtpd.conf"
    file.write_text(manual_examples()[n])
    out = base.run([base.BUILD / "smtpd", "-n", "-R", tmp_path / "root", "-f",
                    file])
    for line in out.stderr.splitlines():
        assert line.endswith("configuration OK") or \
            re.search(r"No such file|default route", line), line


OUT = {'action "outbound" relay': 'action "outbound" relay port {}'}


def host_of(lab):
    """A host with a user."""
    host = lab.keep(LocalRoot(lab.path("host")))
    host.user("ann")
    return host


def submit(it, host, rcpt):
    """By sendmail(8), as programs of the host do."""
    message = it.dir / "message"
    message.write_text("Subject: t\n\nhello\n")
    with open(message, "rb") as f:
        out = host.run([base.BUILD / "sendmail", rcpt], stdin=f, timeout=60,
                       env=dict(os.environ, POSTERN_DIR=str(it.root)))
    assert out.returncode == 0, out.stderr


def test_default(lab):
    """As it is installed: mail of users and of root stays here, by the mail
    name; the rest goes out; who is not there is refused."""
    host = host_of(lab)
    it, r = start(lab, "smtpd.conf", OUT,
                  {"/etc/mailname": "mail.example.org\n",
                   "/etc/aliases": (ETC / "aliases").read_text()},
                  wrap=host.wrap)
    for rcpt, user in (("ann", "ann"), ("postmaster", "root"),
                       ("webmaster@mail.example.org", "root")):
        before = len(host.mbox(user))
        submit(it, host, rcpt)
        base.wait_until(lambda: len(host.mbox(user)) == before + 1,
                        f"mail for {rcpt}", 30)
    assert b"\nFrom: \"root\" <root@mail.example.org>" in host.mbox("ann")[0]
    it.send("ann@mail.example.org", "bob@friend.test")
    assert r.wait(1)[0].rcpts == ["bob@friend.test"]
    assert not refused(it, "ann@host.example.org", "bob@elsewhere.test")
    assert refused(it, "bob@friend.test", "no-such-user@mail.example.org")


def test_null_client(lab):
    """Everything goes to the hub, with the senders of the house."""
    it, r = start(lab, "example.nullclient.conf",
                  {"smtp://mail.example.org": "smtp://127.0.0.1:{}"})
    it.send("root@host.example.org", ["root@host.example.org",
                                      "bob@friend.test"])
    got = r.wait(1)
    assert {m.sender for m in got} == {"root@example.org"}
    base.wait_until(lambda: sorted(a for m in r.messages for a in m.rcpts) ==
                    ["bob@friend.test", "root@host.example.org"],
                    "both are there")


def test_host(lab):
    """Users have a Maildir, aliases may come to addresses elsewhere; the rest
    goes out."""
    host = host_of(lab)
    it, r = start(lab, "example.host.conf", OUT,
                  {"/etc/mailname": "mail.example.org\n",
                   "/etc/aliases": "root: admin@friend.test\n"
                                   "postmaster: root\n"}, wrap=host.wrap)
    submit(it, host, "ann")
    base.wait_until(lambda: host.maildir("ann"), "ann has it", 30)
    it.send("cron@host.example.org", "postmaster@host.example.org")
    assert r.wait(1)[0].rcpts == ["admin@friend.test"]
    it.send("ann@host.example.org", "bob@friend.test")
    base.wait_until(lambda: r.messages[-1].rcpts == ["bob@friend.test"],
                    "it went out")
    assert refused(it, "ann@host.example.org", "no-such-user@host.example.org")


def test_smarthost(lab):
    """By the second host while the first one is down."""
    first = lab.receiver()
    port = first.port
    first.stop()
    it, r = start(lab, "example.smarthost.conf",
                  {"smtp+tls://me@mail1.example.net:587":
                   f"smtp://127.0.0.1:{port}",
                   "smtps://me@mail2.example.net": "smtp://127.0.0.1:{}"},
                  {"/etc/postern/secrets": "me username:password\n"})
    it.send("ann@host.example.org", "bob@elsewhere.test")
    assert r.wait(1, 30)[0].rcpts == ["bob@elsewhere.test"]


def private_key(lab):
    out = base.run(["openssl", "genrsa", "2048"])
    assert out.returncode == 0, out.stderr
    return out.stdout


def pair(lab, name):
    """Texts of a certificate of this name and its key."""
    key, cert = lab.path("pair.key"), lab.path("pair.crt")
    out = base.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "90", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}"])
    assert out.returncode == 0, out.stderr
    return {f"/etc/ssl/{name}.pem": cert.read_text(),
            f"/etc/ssl/private/{name}.key": key.read_text()}


def trusts(certificate):
    """Who believes this certificate alone, whatever the address is called."""
    context = ssl.create_default_context(cadata=certificate)
    context.check_hostname = False
    return context


def test_mx(lab):
    """Roles, recipients, strangers, forged senders, TLS, and mail that
    leaves."""
    certs = pair(lab, "mx.example.org")
    it, r = start(
        lab, "example.mx.conf",
        {'action "outer" relay': 'action "outer" relay port {}'},
        {"/etc/postern/servers": "example.org smtp://127.0.0.1:{PORT}\n"
                                 "example.com smtp://127.0.0.1:{PORT}\n",
         "/etc/postern/recipients": "ann@example.org\n@example.com\n",
         "/etc/postern/roles": "postmaster@example.org: ann@example.org, "
                               "bob@friend.test\n"
                               "info@example.com: error:550 closed\n",
         "/etc/postern/dkim/example.org.mail.key": private_key(lab),
         **certs})
    with smtplib.SMTP("127.0.0.2", it.port, local_hostname="c.test") as s:
        s.starttls(context=trusts(certs["/etc/ssl/mx.example.org.pem"]))
        assert s.ehlo()[0] == 250
        assert s.sock.version() == "TLSv1.3"
    it.send("carl@friend.test", "ann@example.org")
    assert r.wait(1)[0].rcpts == ["ann@example.org"]
    it.send("carl@friend.test", "any@example.com")
    base.wait_until(lambda: r.messages[-1].rcpts == ["any@example.com"],
                    "all of a domain")
    assert refused(it, "carl@friend.test", "info@example.com")
    it.send("ann@example.org", "carl@friend.test",
            "From: ann@example.org\r\nSubject: t\r\n\r\nhello\r\n")
    base.wait_until(lambda: r.messages[-1].rcpts == ["carl@friend.test"],
                    "it left")
    assert b"DKIM-Signature:" in r.messages[-1].content
    before = len(r.messages)
    it.send("carl@friend.test", "postmaster@example.org")
    base.wait_until(lambda: sorted(a for m in r.messages[before:]
                                   for a in m.rcpts) ==
                    ["ann@example.org", "bob@friend.test"], "the role's two")
    # Strangers, whom loopback has none of.
    for sender, rcpt, verdict in (
            ("x@y.test", "ann@example.org", "inner"),
            ("x@y.test", "gone@example.org", "reject"),
            ("ann@example.org", "ann@example.org", "reject"),
            ("x@y.test", "bob@friend.test", "no rule")):
        said = it.ctl("explain", "--src", "198.51.100.1", "--from", sender,
                      rcpt, check=False)
        assert verdict in said.stdout, (sender, rcpt, said.stdout, said.stderr)


def test_submission(lab):
    """Users, by both ports; who they may be; and nobody else."""
    certs = pair(lab, "mail.example.org")
    hashed = base.run(["openssl", "passwd", "-6", "wonderland"]).stdout
    it, r = start(
        lab, "example.submission.conf",
        {'action "outbound" relay': 'action "outbound" relay port {}'},
        {"/etc/postern/passwords": "ann " + hashed,
         "/etc/postern/identities": "ann ann@example.org, @ann.example.org\n",
         "/etc/postern/dkim/example.org.mail.key": private_key(lab), **certs})
    context = trusts(certs["/etc/ssl/mail.example.org.pem"])
    with smtplib.SMTP_SSL("127.0.0.2", it.port, local_hostname="c.test",
                          context=context) as s:
        s.ehlo()
        assert s.mail("ann@example.org")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            s.login("ann", "looking-glass")
        s.login("ann", "wonderland")
        assert s.mail("bob@example.org")[0] == 550
        s.sendmail("x@ann.example.org", "bob@friend.test",
                   "From: ann@example.org\r\n\r\nhello\r\n")
    got = r.wait(1)[0]
    assert got.sender == "x@ann.example.org"
    assert b"DKIM-Signature:" in got.content
    assert b"Message-ID:" in got.content and b"Date:" in got.content
    assert b"c.test" not in got.content
    with smtplib.SMTP("127.0.0.3", it.port, local_hostname="c.test") as s:
        s.ehlo()
        assert not s.has_extn("auth")
        assert s.mail("ann@example.org")[0] == 530
        s.starttls(context=context)
        s.login("ann", "wonderland")
        s.sendmail("ann@example.org", "bob@friend.test", "\r\nhello\r\n")
    base.wait_until(lambda: len(r.messages) == 2, "both are there")


def test_backup_mx(lab):
    """Mail waits while the first server is down, and goes when it is up."""
    it, r = start(lab, "example.backup-mx.conf",
                  {"relay backup ttl": "relay backup port {} ttl",
                   "1m*5, 5m up to 15m": "1s*5"},
                  {"/etc/postern/recipients": "ann@example.org\n"},
                  {"example.org": ["MX 10 mx1.example.org.",
                                   "MX 20 mx2.example.org.",
                                   "MX 30 mx3.example.org."],
                   "mx1.example.org": ["A 127.0.0.1"],
                   "mx2.example.org": ["A 127.0.0.9"],
                   "mx3.example.org": ["A 127.0.0.9"]})
    port = r.port
    r.stop()
    it.send("carl@friend.test", "ann@example.org")
    base.wait_until(lambda: [q for q in it.queue() if q["attempts"] > 0],
                    "it was tried", 45)
    again = lab.receiver(port=port)
    assert again.wait(1, 45)[0].rcpts == ["ann@example.org"]
    assert refused(it, "carl@friend.test", "gone@example.org")
