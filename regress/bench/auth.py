"""What it costs to know who sent a message.

  verify   microseconds of CPU per message for DKIM (and, on our side, ARC and
           the author), by verify.c, beside libopendkim on the same messages;
           no name server is asked
  session  milliseconds of CPU per message of 4 KiB that all processes of
           Postern take, and those of Exim, with and without: of Postern that is
           all methods, of Exim DKIM alone
  wait     how long a NOOP of one session waits while another of the same
           process sends a message of 20 MB that is verified, and one that is
           made to be slow

SPDX-License-Identifier: ISC
"""
import base64
import ctypes
import os
import re
import shutil
import socket
import statistics
import threading
import time

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lib import base, exim
from lib.dns import CONF as NSD_CONF
from lib.dns import Dns
from lib.instance import Instance, conf

DOMAIN = "c.test"
COUNT = 400
LARGE = 20 * 1000 * 1000
LINE = b"0123456789 abcdefghij  klmnopqrstuvwxyz " * 2 + b"\r\n"
CLIENT = "192.0.2.1"


def make_key(bits):
    """The private key, and the record."""
    key = rsa.generate_private_key(65537, bits)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    return (key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption()),
        "v=DKIM1; p=" + base64.b64encode(public).decode())


class Messages:
    """Signed messages, by name; and the keys in the DNS."""

    def __init__(self):
        self.keys = {"k2": make_key(2048), "k8": make_key(8192)}
        self.records = {f"{s}._domainkey.{DOMAIN}": r
                        for s, (_, r) in self.keys.items()}

    def sign(self, content, selector="k2", **kw):
        kw.setdefault("canonicalize", (b"relaxed", b"relaxed"))
        return dkim.sign(content, selector.encode(), DOMAIN.encode(),
                         self.keys[selector][0], **kw) + content

    def make(self, size, more=b""):
        head = (b"From: a@" + DOMAIN.encode() + b"\r\nTo: b@x.test\r\n"
                b"Subject: x\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
                b"Message-ID: <1@c.test>\r\n" + more + b"\r\n")
        return head + LINE * (size // len(LINE))

    def slow(self, size):
        """Eight signatures by the largest key, each over a header section as
        long as may be, in both forms."""
        more = b"".join(b"X-%03d: %s\r\n" % (i, b" a b" * 240)
                        for i in range(220))
        names = [b"from"] + [b"x-%03d" % i for i in range(220)]
        plain = self.make(size, more)
        made = [self.sign(plain, "k8", include_headers=names, canonicalize=(
            b"relaxed", (b"relaxed", b"simple")[i]))[:-len(plain)]
            for i in range(2)]
        return b"".join(made * 4)[:8 * max(map(len, made))] + plain

    def zone(self):
        names = {DOMAIN: [f'TXT "v=spf1 ip4:{CLIENT} -all"'],
                 "_dmarc." + DOMAIN: ['TXT "v=DMARC1; p=reject"'],
                 "x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"]}
        for name, r in self.records.items():
            names[name] = ["TXT " + " ".join(
                f'"{r[i:i + 255]}"' for i in range(0, len(r), 255))]
        return names


# ---- verify ----

class OpenDkim:
    """libopendkim, whose keys come out of a file."""

    SETOPT, QUERYMETHOD, QUERYINFO, FILE = 1, 6, 7, 1

    def __init__(self, keys):
        self.lib = lib = ctypes.CDLL("libopendkim.so.11")
        for name in ("dkim_init", "dkim_verify"):
            getattr(lib, name).restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(lib.dkim_init(None, None))
        method = ctypes.c_int(self.FILE)
        path = ctypes.create_string_buffer(str(keys).encode(), 4096)
        for opt, value, size in ((self.QUERYMETHOD, method, 4),
                                 (self.QUERYINFO, path, len(path.value))):
            got = lib.dkim_options(self.handle, self.SETOPT, opt,
                                   ctypes.byref(value), ctypes.c_size_t(size))
            assert got == 0, got

    def one(self, content):
        lib, status = self.lib, ctypes.c_int()
        d = ctypes.c_void_p(lib.dkim_verify(self.handle, b"x", None,
                                            ctypes.byref(status)))
        got = lib.dkim_chunk(d, content, ctypes.c_size_t(len(content)))
        got = got or lib.dkim_chunk(d, None, ctypes.c_size_t(0))
        got = got or lib.dkim_eom(d, None)
        lib.dkim_free(d)
        return got

    def measure(self, content, count):
        assert self.one(content) == 0
        begin = time.process_time()
        for _ in range(count):
            self.one(content)
        return (time.process_time() - begin) * 1e6 / count


def ours(path, keys, count):
    """Microseconds per message, and of its longest piece."""
    out = base.run([base.BUILD / "bench/verify", count, path, keys],
                   timeout=600)
    assert out.returncode == 0, out.stderr
    cost, longest, result = out.stdout.split()
    assert result == "pass", out.stdout
    return float(cost), float(longest)


def verify(top, messages, rounds, share):
    keys = top / "keys"
    keys.write_text("".join(f"{n} {r}\n" for n, r in messages.records.items()))
    theirs = OpenDkim(keys)
    small = messages.make(4096)
    rows = (("4 KiB", messages.sign(small), 2000),
            ("4 KiB, 3 signatures",
             messages.sign(messages.sign(messages.sign(small))), 1000),
            ("1 MB", messages.sign(messages.make(1000000)), 100),
            ("20 MB", messages.sign(messages.make(LARGE)), 5))
    print(f"\n{'verify, CPU us/message':28}{'opendkim':>11}{'Postern':>11}"
          f"{'ratio':>8}{'longest us':>12}")
    for what, content, count in rows:
        count = max(3, int(count * share))
        path = top / "message"
        path.write_bytes(content)
        a, b = [], []
        for _ in range(rounds):
            a.append(theirs.measure(content, count))
            b.append(ours(path, keys, count))
        x = statistics.median(a)
        y = statistics.median(c for c, _ in b)
        print(f"{what:28}{x:>11.1f}{y:>11.1f}{y / x:>8.2f}"
              f"{statistics.median(p for _, p in b):>12.0f}", flush=True)


# ---- session ----

def cpu_ns(pid):
    """Nanoseconds of CPU of a process and all below it."""
    total = 0
    for p in [pid] + [d for d, _ in base.descendants(pid)]:
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/schedstat",
                          encoding="ascii") as f:
                    total += int(f.read().split()[0])
        except OSError:
            continue
    return total


def house(directory, dns, sink, how, **kw):
    """An instance and the port at which strangers come."""
    port = base.free_port()
    it = Instance(directory, conf(
        dns, host=f"smtp://127.0.0.1:{sink}", lines=[
            "hostname mx.test", "smtp limit max-mails 100000",
            "smtp limit max-errors 1000000",
            f"listen on 127.0.0.1 port {port} proxy {{ 127.0.0.1 }} {how}"]),
        **kw)
    it.ctl("pause")
    return it, port


class Client:
    """A session of a stranger."""

    def __init__(self, port):
        self.sock = socket.create_connection((base.LOOPBACK, port), 60)
        self.sock.setsockopt(socket.SOL_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.sock.sendall(f"PROXY TCP4 {CLIENT} 127.0.0.1 1 25\r\n".encode())
        self.reply("220")
        self.say("EHLO mail." + DOMAIN, "250")

    def reply(self, code):
        while True:
            line = self.file.readline().decode()
            assert line.startswith(code), line
            if line[3:4] != "-":
                return

    def say(self, line, code):
        self.sock.sendall(line.encode() + b"\r\n")
        self.reply(code)

    def mail(self, content):
        """By BDAT: nothing is to be done for its dots."""
        self.sock.sendall(f"MAIL FROM:<a@{DOMAIN}>\r\nRCPT TO:<b@x.test>\r\n"
                          f"BDAT {len(content)} LAST\r\n".encode() + content)
        for _ in range(3):
            self.reply("250")

    def close(self):
        self.sock.close()


def our_cost(top, messages, content, count, how):
    """Milliseconds of CPU per message."""
    where = top / "auth"
    where.mkdir()
    dns = Dns(where / "nsd", messages.zone(), ttl=3600)
    it, port = house(where / "mta", dns, 1, how)
    try:
        client = Client(port)
        for _ in range(20):
            client.mail(content)
        begin = cpu_ns(it.pid)
        for _ in range(count):
            client.mail(content)
        cost = (cpu_ns(it.pid) - begin) / 1e6 / count
        client.close()
        return cost
    finally:
        it.stop()
        dns.stop()
        shutil.rmtree(where, ignore_errors=True)


# A network of its own, where the resolver of the C library is NSD.
SCRIPT = """\
set -e
ip link set lo up
mount --bind {etc}/passwd /etc/passwd
mount --bind {etc}/group /etc/group
mount --bind {etc}/resolv.conf /etc/resolv.conf
/usr/sbin/nsd -d -c {dir}/nsd.conf & nsd=$!
sleep 1
TIMEFORMAT='%U %S'
time {tree}/usr/sbin/exim4 -C {etc}/exim.conf -bs -odq \\
    -oMa {client}.4321 <{dir}/in >{dir}/out
kill $nsd
"""


def their_cost(top, messages, content, count, verifies):
    where = top / "exim"
    etc = where / "etc"
    for name in ("etc", "spool", "log"):
        (where / name).mkdir(parents=True, exist_ok=True)
    for name in ("spool", "log", "."):
        os.chown(where / name, exim.UID, exim.UID)
    base.let_others_in(where)
    (etc / "passwd").write_text(
        open("/etc/passwd", encoding="utf-8").read() +
        f"Debian-exim:x:{exim.UID}:{exim.UID}::/:/usr/sbin/nologin\n")
    (etc / "group").write_text(
        open("/etc/group", encoding="utf-8").read() +
        f"Debian-exim:x:{exim.UID}:\n")
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (etc / "exim.conf").write_text(exim.CONFIG.format(
        dir=where, tree=exim.TREE, hostname="peer.test", address="127.0.0.1",
        port=25, size="100M", eight="true", settings="" if verifies else
        "acl_smtp_mail = no_dkim", authenticators="",
        routers=exim.ROUTE.format(host="127.0.0.1"),
        transports=exim.TRANSPORT.format(port=1, options="")).replace(
            "begin acl\n", "begin acl\nno_dkim:\n  accept control = "
            "dkim_disable_verify\n").replace("queue_only = false",
                                             "queue_only = true"))
    names = messages.zone()
    (where / "root.zone").write_text("\n".join(
        ["$TTL 3600", ". IN SOA ns. postmaster. 1 3600 600 86400 1",
         ". IN NS ns.", "ns. IN A 127.0.0.1"] +
        [f"{n}. IN {r}" for n, records in names.items() for r in records]) +
        "\n")
    (where / "nsd.conf").write_text(NSD_CONF.format(
        dir=where, address="127.0.0.1", port=53))
    one = (b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n" +
           content + b".\r\n")
    (where / "in").write_bytes(b"EHLO mail.c.test\r\n" + one * count +
                               b"QUIT\r\n")
    try:
        out = base.run(
            ["unshare", "-m", "-n", "--propagation", "private", "bash", "-c",
             SCRIPT.format(dir=where, etc=etc, tree=exim.TREE, client=CLIENT)],
            timeout=600)
        took = re.search(r"^([0-9.]+) ([0-9.]+)$", out.stderr, re.M)
        assert took, out.stdout + out.stderr
        taken = (where / "out").read_text().count("250 OK id=")
        assert taken == count, (where / "out").read_text()[-2000:]
        log = (where / "log/mainlog").read_text()
        assert log.count(" DKIM=" + DOMAIN) == \
            (count if verifies else 0), log[-2000:]
        return (float(took[1]) + float(took[2])) * 1e3 / count
    finally:
        shutil.rmtree(where, ignore_errors=True)


def session(top, messages, rounds, share):
    content = messages.sign(messages.make(4096))
    count = max(50, int(COUNT * share))
    print(f"\n{'session, CPU ms/message':28}{'without':>11}{'with':>11}"
          f"{'us more':>10}")
    sides = [("Postern", lambda on: our_cost(
        top, messages, content, count, "auth-results" if on else ""))]
    if exim.available():
        sides.insert(0, ("Exim", lambda on: their_cost(
            top, messages, content, count, on)))
    for name, cost in sides:
        off = [cost(False) for _ in range(rounds)]
        on = [cost(True) for _ in range(rounds)]
        a, b = statistics.median(off), statistics.median(on)
        print(f"{name:28}{a:>11.3f}{b:>11.3f}{(b - a) * 1e3:>10.0f}",
              flush=True)


# ---- wait ----

def one_core():
    """For the instance: as many sessions as cores, so there is one."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def waits(client, over):
    """Milliseconds that each NOOP took."""
    took = []
    while not over.is_set():
        begin = time.perf_counter()
        client.say("NOOP", "250")
        took.append((time.perf_counter() - begin) * 1e3)
    return took


def wait(top, messages, share):
    size = int(LARGE * min(1.0, share))
    print(f"\n{'wait of another, ms':28}{'median':>11}{'99%':>11}"
          f"{'longest':>11}")
    rows = (("20 MB, not verified", messages.sign(messages.make(size)), ""),
            ("20 MB, verified", messages.sign(messages.make(size)),
             "auth-results"),
            ("20 MB, made to be slow", messages.slow(size), "auth-results"))
    for what, content, how in rows:
        where = top / "wait"
        where.mkdir()
        dns = Dns(where / "nsd", messages.zone(), ttl=3600)
        it, port = house(where / "mta", dns, 1, how, preexec=one_core)
        try:
            sender, other = Client(port), Client(port)
            over, took = threading.Event(), []
            t = threading.Thread(
                target=lambda: took.extend(waits(other, over)))
            t.start()
            for _ in range(3):
                sender.mail(content)
            over.set()
            t.join()
            took.sort()
            print(f"{what:28}{statistics.median(took):>11.2f}"
                  f"{took[len(took) * 99 // 100]:>11.2f}{took[-1]:>11.2f}",
                  flush=True)
        finally:
            it.stop()
            dns.stop()
            shutil.rmtree(where, ignore_errors=True)


def run(top, rounds, share):
    messages = Messages()
    verify(top, messages, rounds, share)
    session(top, messages, rounds, share)
    wait(top, messages, share)
