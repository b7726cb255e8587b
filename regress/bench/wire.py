"""What TLS and idle clients cost: Postern beside Postfix and OpenSMTPD, in the
same run.  Debian 12's OpenSMTPD serves no TLS (its issue 1171: the handshake
fails with OpenSSL 3), so it has no figure there.

  tls   full handshakes/s and messages/s over TLS, by load.c; keys of both kinds
  idle  private memory of all processes of the MTA, for each session that has
        said EHLO and waits, without TLS and with it

SPDX-License-Identifier: ISC
"""
import re
import shutil
import socket
import ssl
import statistics
from pathlib import Path

from lib import base, opensmtpd, postfix
from lib.instance import Instance, conf

HANDSHAKES = 1500
MESSAGES = 3000
BATCH = 10  # messages of a connection
SIZE = 4096
THREADS = 10
# As many as each can: a process per session is dear.
IDLE = {"Postfix": 60, "OpenSMTPD": 400, "Postern": 4000}
IDLE_TLS = {"Postfix": 60, "OpenSMTPD": 400, "Postern": 1000}
KEYS = {"RSA-2048": ["-newkey", "rsa:2048"],
        "ECDSA": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}


def make_cert(top, kind):
    """(certificate, key) for mx.test."""
    cert, key = top / f"{kind}.crt", top / f"{kind}.key"
    if not key.exists():
        out = base.run(["openssl", "req", "-x509", *KEYS[kind], "-nodes",
                        "-keyout", key, "-out", cert, "-days", "30", "-subj",
                        "/CN=mx.test", "-addext",
                        "subjectAltName=DNS:mx.test"])
        assert out.returncode == 0, out.stderr
        key.chmod(0o600)
    return cert, key


class Postern:
    name = "Postern"

    def __init__(self, directory, cert, key):
        self.it = Instance(directory, conf(
            host="smtp://127.0.0.1:1",
            listen="listen on 127.0.0.1 port {port} tls pki mx.test",
            lines=[f'pki mx.test cert "{cert}"', f'pki mx.test key "{key}"',
                   "smtp limit max-sessions 10000"]))
        self.it.ctl("pause")
        self.pid, self.port = self.it.pid, self.it.port

    def stop(self):
        self.it.stop()


class Postfix:
    name = "Postfix"

    def __init__(self, directory, cert, key):
        settings = (
            "in_flow_delay = 0\n"
            "smtpd_client_connection_count_limit = 0\n"
            "smtpd_client_connection_rate_limit = 0\n"
            "default_process_limit = 200\n"
            "smtpd_client_restrictions = static:hold\n"
            "smtpd_tls_security_level = may\n"
            f"smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}\n")
        self.it = postfix.Postfix(directory, settings)
        self.pid, self.port = self.it.child.pid, self.it.port

    def stop(self):
        self.it.stop()


class OpenSmtpd:
    name = "OpenSMTPD"

    def __init__(self, directory, cert, key):
        self.it = opensmtpd.OpenSmtpd(
            directory, listen="tls pki mx.test",
            before=f'pki mx.test cert "{cert}"\npki mx.test key "{key}"\n',
            lines='action "out" relay host "smtp://127.0.0.1:1"\n'
                  'match from any for any action "out"')
        self.it.dir.joinpath("etc/smtpd.conf").chmod(0o600)
        self.pid, self.port = self.it.child.pid, self.it.port

    def stop(self):
        self.it.stop()


SIDES = (Postfix, OpenSmtpd, Postern)
TLS_SIDES = (Postfix, Postern)


def load(port, connections, messages):
    """Seconds that it took."""
    out = base.run([base.BUILD / "bench/load", "127.0.0.1", port, "tls",
                    THREADS, connections, messages, SIZE], timeout=600)
    if out.returncode != 0:
        raise SystemExit(f"load: {out.stdout}{out.stderr}")
    return float(out.stdout)


def measured(mta, connections, messages, tick):
    """How many a second, and milliseconds of CPU for each."""
    n = connections * max(1, messages)
    load(mta.port, 20, messages)
    cpu = base.cpu_ticks(mta.pid)
    took = load(mta.port, connections, messages)
    cpu = base.cpu_ticks(mta.pid) - cpu
    return n / took, cpu * 1000 / tick / n


def tls(top, rounds, share, tick):
    jobs = [(f"handshakes {kind}", kind, int(HANDSHAKES * share), 0)
            for kind in KEYS]
    jobs.append(("messages", "ECDSA", int(MESSAGES * share / BATCH), BATCH))
    print(f"\n{'over TLS':22}" + "".join(
        f"{s.name + '/s':>13}{'CPU ms':>8}" for s in TLS_SIDES))
    for what, kind, connections, messages in jobs:
        cert, key = make_cert(top, kind)
        got = {s: [] for s in TLS_SIDES}
        for n in range(rounds):
            for side in TLS_SIDES[::1 if n % 2 == 0 else -1]:
                where = top / "tls"
                mta = side(where, cert, key)
                try:
                    got[side].append(measured(mta, connections, messages,
                                              tick))
                finally:
                    mta.stop()
                    shutil.rmtree(where, ignore_errors=True)
        print(f"{what:22}" + "".join(
            f"{statistics.median(r[0] for r in got[s]):>13.0f}"
            f"{statistics.median(r[1] for r in got[s]):>8.3f}"
            for s in TLS_SIDES), flush=True)


# ---- idle ----

def private_kib(pid):
    """Memory of a process tree that nothing else shares, in KiB."""
    total = 0
    for p in [pid] + [d for d, _ in base.descendants(pid)]:
        try:
            text = Path(f"/proc/{p}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(n) for n in re.findall(
            r"^Private_(?:Dirty|Clean):\s+(\d+) kB", text, re.M))
    return total


def read_reply(f):
    while True:
        line = f.readline()
        assert line[:1] == b"2", line
        if line[3:4] != b"-":
            return


def idler(port, context):
    """A session that has said EHLO."""
    s = socket.create_connection(("127.0.0.1", port), 20)
    s.settimeout(20)
    f = s.makefile("rb")
    read_reply(f)
    s.sendall(b"EHLO idle.test\r\n")
    read_reply(f)
    if context is None:
        return s
    s.sendall(b"STARTTLS\r\n")
    read_reply(f)
    s = context.wrap_socket(s, server_hostname="mx.test")
    s.sendall(b"EHLO idle.test\r\n")
    read_reply(s.makefile("rb"))
    return s


def idle(top, share):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    print(f"\n{'memory per idle session':26}" + "".join(
        f"{s.name:>12}" for s in SIDES) + "  KiB")
    cert, key = make_cert(top, "ECDSA")
    for what, counts, ctx in (("without TLS", IDLE, None),
                              ("with TLS", IDLE_TLS, context)):
        row = []
        for side in SIDES:
            if ctx and side not in TLS_SIDES:
                row.append(None)
                continue
            where = top / "idle"
            mta = side(where, cert, key)
            count = max(20, int(counts[side.name] * share))
            held = []
            try:
                for _ in range(10):  # what the first ones make once
                    idler(mta.port, ctx).close()
                before = private_kib(mta.pid)
                for _ in range(count):
                    held.append(idler(mta.port, ctx))
                row.append((private_kib(mta.pid) - before) / count)
            finally:
                for s in held:
                    s.close()
                mta.stop()
                shutil.rmtree(where, ignore_errors=True)
        print(f"{what:26}" + "".join(
            f"{'-':>12}" if k is None else f"{k:>12.1f}" for k in row), flush=True)
