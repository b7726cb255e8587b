"""Certificates and keys as files: renewed, broken and removed while processes
run, start again and are reloaded.

SPDX-License-Identifier: ISC
"""
import os
import re
import signal
import smtplib
import ssl

import pytest

from lib import base

KINDS = {"rsa": ["rsa:2048"],
         "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}


def pair(lab, kind, name="mx.example.org"):
    """Texts of a certificate and its key."""
    key, cert = lab.path("new.key"), lab.path("new.crt")
    out = base.run(["openssl", "req", "-x509", "-newkey", *KINDS[kind],
                    "-nodes", "-keyout", key, "-out", cert, "-days", "90",
                    "-subj", f"/CN={name}"])
    assert out.returncode == 0, out.stderr
    return cert.read_text(), key.read_text()


class Files:
    """Where a configuration finds its certificate and key."""

    def __init__(self, lab):
        self.cert, self.key = lab.path("mx.crt"), lab.path("mx.key")

    def put(self, cert, key):
        """As who renews one does: a new file takes the old one's place."""
        for path, text in ((self.cert, cert), (self.key, key)):
            new = path.with_suffix(".tmp")
            new.write_text(text)
            new.chmod(0o600)
            new.rename(path)

    def conf(self, more=""):
        return (f'pki mx.example.org cert "{self.cert}" key "{self.key}"\n'
                f"{more}listen on 127.0.0.1 port {{port}} tls "
                "pki mx.example.org\nmatch from any for any reject\n")


def shown(it):
    """The certificate that a client sees, after a whole handshake."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with smtplib.SMTP(it.address, it.port, local_hostname="c.test",
                      timeout=20) as s:
        s.starttls(context=context)
        der = s.sock.getpeercert(True)
        assert s.noop()[0] == 250
    return ssl.DER_cert_to_PEM_cert(der)


def same(pem, text):
    return "".join(pem.split()) == "".join(text.split())


def kill(it, program):
    for pid in it.pids(program):
        os.kill(pid, signal.SIGKILL)
        base.wait_until(lambda: not base.started(pid) or
                        pid not in it.pids(program), "it is gone")
    it.all_up()


@pytest.mark.parametrize("program", ["session", "keys"])
def test_renewed(lab, program):
    """A process that starts again has what the others have; a reload changes
    it for all."""
    files, old, new = Files(lab), pair(lab, "ec"), pair(lab, "rsa")
    files.put(*old)
    it = lab.postern(files.conf())
    assert same(shown(it), old[0])
    files.put(*new)
    assert same(shown(it), old[0])
    kill(it, program)
    assert same(shown(it), old[0])
    it.ctl("reload", timeout=120)
    assert same(shown(it), new[0])
    kill(it, program)
    assert same(shown(it), new[0])


def test_removed(lab):
    """Without its files a configuration goes on, and is not loaded again."""
    files, old = Files(lab), pair(lab, "ec")
    files.put(*old)
    it = lab.postern(files.conf())
    files.cert.unlink()
    files.key.unlink()
    kill(it, "keys")
    kill(it, "session")
    assert same(shown(it), old[0])
    out = it.ctl("reload", check=False, timeout=120)
    assert out.returncode == 1
    assert re.search(r"smtpd\.conf:1: \S+: No such file",
                     out.stderr), out.stderr
    assert same(shown(it), old[0])


@pytest.mark.parametrize("what", ["key", "cert", "ca", "ciphers"])
def test_broken(lab, what):
    """A reload that finds something broken says what, and changes nothing."""
    files, old, new = Files(lab), pair(lab, "ec"), pair(lab, "ec")
    files.put(*old)
    it = lab.postern(files.conf())
    broken = lab.path("broken.pem")
    broken.write_text("-----BEGIN CERTIFICATE-----\nYQ==\n"
                      "-----END CERTIFICATE-----\n")
    says = {"key": "does not belong to the certificate",
            "cert": ": a damaged certificate",
            "ca": ": a damaged certificate",
            "ciphers": "no such list of ciphers"}[what]
    text = files.conf(f'ca friends cert "{broken}"\n' if what == "ca" else "")
    if what == "key":
        files.put(old[0], new[1])
    if what == "cert":
        text = text.replace(str(files.cert), str(broken))
    if what == "ca":
        text = text.replace(" tls ", " tls-require verify ca friends ")
    if what == "ciphers":
        text = text.replace(" tls ", " tls ciphers ROT13 ")
    it.write_conf(text)
    out = it.ctl("reload", check=False, timeout=120)
    assert out.returncode == 1
    assert re.search(r"smtpd\.conf:\d+: .*" + re.escape(says), out.stderr), \
        out.stderr
    assert same(shown(it), old[0])
