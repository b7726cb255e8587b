"""Sockets that the service manager holds, and what it hears from smtpd.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
import smtplib
import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest

from lib import base
from lib.instance import conf, submit
from lib.service import Manager, Sockets, Syslog

FOUND = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET",
         "WATCHDOG_USEC", "WATCHDOG_PID")


def text_for(lab, port, **kw):
    return conf(lab.dns(), port, **kw)


def held(lab, text, local=True, build=None, env=None):
    """An instance that does not run yet, of whose sockets that on loopback
    and the one for sendmail(8) are held."""
    it = lab.postern(text, start=False, build=build, env=env)
    it.port = base.free_port("127.0.0.1", "127.0.0.2")
    it.write_conf(text)
    sockets = lab.keep(Sockets())
    sockets.inet("127.0.0.1", it.port, "smtp")
    if local:
        sockets.local(it.root / "smtpd.sock")
    return it, sockets


def start(it, sockets):
    it.wrap, it.fds = sockets.wrap, sockets.fds
    return it.start()


def listening(pid):
    """Inodes of the sockets that a process has."""
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            at = os.readlink(fd)
        except OSError:
            continue
        if at.startswith("socket:"):
            found.add(int(at[8:-1]))
    return found


def sendmail(it, rcpt, mark):
    with tempfile.TemporaryFile() as message:
        message.write(f"X-Mark: {mark}\nSubject: t\n\nhello\n".encode())
        message.seek(0)
        return base.run([it.build / "sendmail", "-f", "s@c.test", rcpt],
                        timeout=120, stdin=message,
                        env=dict(os.environ, POSTERN_DIR=str(it.root)))


def test_taken(lab):
    """Those that rows want are used as they are; one that no row wants is
    named; a row without one is bound.  Their paths stay when it ends."""
    r = lab.receiver()
    text = text_for(lab, r.port, listen="listen on 127.0.0.1 port {port}\n"
                    "listen on 127.0.0.2 port {port}")
    it, sockets = held(lab, text)
    odd = sockets.inet("127.0.0.3", base.free_port("127.0.0.3"), 'o"dd')
    start(it, sockets)
    assert sockets.inodes() <= listening(it.pid)
    unused = os.fstat(odd.fileno()).st_ino
    base.wait_until(lambda: all(
        sockets.inodes() - {unused} <= listening(pid)
        for pid in it.pids("session")), "each session process has them")
    assert all(unused not in listening(pid) for pid in it.pids("session"))
    assert re.findall(r"activated-unused name=\"(\S+)\" address=\"(\S+)\"",
                      it.log()) == \
        [("o\\x22dd", f"127.0.0.3:{odd.getsockname()[1]}")]
    for address in ("127.0.0.1", "127.0.0.2"):
        with smtplib.SMTP(address, it.port, local_hostname="c.test") as s:
            submit(s, "a@c.test", ["b@x.test"], "\r\nhello\r\n")
    assert sendmail(it, "local@x.test", 1).returncode == 0
    r.wait(3)
    it.stop()
    assert (it.root / "smtpd.sock").is_socket()
    # Whoever comes now waits.
    with socket.create_connection((it.address, it.port), 5) as waits:
        with socket.socket(socket.AF_UNIX) as too:
            too.connect(str(it.root / "smtpd.sock"))
            it.start()
            waits.settimeout(30)
            too.settimeout(30)
            assert waits.recv(4) == b"220 " and too.recv(4) == b"220 "


class Sender(threading.Thread):
    """Programs of this host that send mail, one after the other."""

    def __init__(self, it, number, over):
        super().__init__(daemon=True)
        self.it, self.number, self.over = it, number, over
        self.sent, self.trouble, self.longest = [], [], 0.0

    def run(self):
        n = 0
        while not self.over.is_set():
            mark, n = f"s{self.number}-{n}", n + 1
            begin = time.monotonic()
            out = sendmail(self.it, f"{mark}@x.test", mark)
            self.longest = max(self.longest, time.monotonic() - begin)
            if out.returncode != 0:
                self.trouble.append((out.returncode, out.stderr))
            else:
                self.sent.append(mark)


class Client(threading.Thread):
    """The same by SMTP: who hears 421 comes again, a connection that is
    refused is not taken well."""

    def __init__(self, it, number, over):
        super().__init__(daemon=True)
        self.it, self.number, self.over = it, number, over
        self.sent, self.refused, self.tries = [], [], 0

    def run(self):
        n = 0
        while not self.over.is_set():
            mark = f"c{self.number}-{n}"
            self.tries += 1
            try:
                with self.it.smtp(timeout=60) as s:
                    submit(s, "s@c.test", [f"{mark}@x.test"],
                           f"X-Mark: {mark}\r\n\r\nhello\r\n")
                self.sent.append(mark)
                n += 1
            except ConnectionRefusedError as e:
                self.refused.append(repr(e))
            except (OSError, AssertionError, smtplib.SMTPException):
                # Its message may be there: the next one is another.
                n += 1


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_restarts(lab, record_property, how):
    """Restarts under load: nobody is refused, each sendmail(8) succeeds, and
    nothing is lost.  Who was in the middle of it when all was killed is told
    to come again."""
    r = lab.receiver()
    text = text_for(lab, r.port)
    it, sockets = held(lab, text)
    start(it, sockets)
    over = threading.Event()
    senders = [Sender(it, n, over) for n in range(3)]
    clients = [Client(it, n, over) for n in range(3)]
    for t in senders + clients:
        t.start()
    for _ in range(3):
        time.sleep(1)
        it.kill() if how == "kill" else it.stop()
        time.sleep(0.5)
        it.start(wait=False)
        it.logged(rf"started pid={it.pid} ")
    time.sleep(1)
    over.set()
    for t in senders + clients:
        t.join(120)
    trouble = [t for s in senders for t in s.trouble]
    assert {status for status, _ in trouble} <= \
        ({75} if how == "kill" else set()), trouble
    assert not [c.refused for c in clients if c.refused]
    sent = {m for t in senders + clients for m in t.sent}
    assert all(len(t.sent) > 4 for t in senders + clients)
    it.empty(60)
    base.wait_until(lambda: sent <= {m.parsed()["X-Mark"]
                                     for m in r.messages},
                    "all are there", 60)
    record_property("note", (
        f"activation: {len(sent)} messages over 3 restarts ({how}), none refused or "
        f"lost, the longest sendmail(8) took "
        f"{max(s.longest for s in senders):.1f} s"))


def test_covered(lab):
    """The row is for all addresses, and the socket held for one of them: both
    are taken from, at a reload as well."""
    r = lab.receiver()
    only = text_for(lab, r.port)
    both = only.replace("listen on 127.0.0.1", "listen on 0.0.0.0")
    it, sockets = held(lab, both, local=False)
    start(it, sockets)

    def answers(address):
        with smtplib.SMTP(address, it.port, local_hostname="c.test") as s:
            return s.noop()[0] == 250
    assert answers("127.0.0.1") and answers("127.0.0.2")
    assert "activated-unused" not in it.log()
    for text, other in ((only, False), (both, True), (only, False)):
        it.write_conf(text)
        it.ctl("reload")
        for _ in range(8):
            assert answers("127.0.0.1")
        if other:
            assert answers("127.0.0.2")
        else:
            with pytest.raises(ConnectionRefusedError):
                answers("127.0.0.2")


def test_comes_back(lab):
    """A row that goes leaves its socket with us, for when it comes back."""
    r = lab.receiver()
    other = base.free_port()
    one = text_for(lab, r.port)
    two = one + f"listen on 127.0.0.1 port {other}\n"
    it, sockets = held(lab, one)
    sockets.inet("127.0.0.1", other, "smtps")
    start(it, sockets)
    it.logged("activated-unused name=\"smtps\"")
    it.write_conf(two)
    it.ctl("reload")
    with smtplib.SMTP("127.0.0.1", other, local_hostname="c.test") as s:
        assert s.noop()[0] == 250
    it.write_conf(one)
    it.ctl("reload")
    it.logged("activated-unused name=\"smtps\"", 2)
    with socket.create_connection(("127.0.0.1", other), 5) as waits:
        it.write_conf(two)
        it.ctl("reload")
        waits.settimeout(20)
        assert waits.recv(4) == b"220 "


def test_both_families(lab):
    """A socket that takes IPv4 beside IPv6 is not taken for one of IPv6."""
    sockets = lab.keep(Sockets())
    port = base.free_port()
    sockets.inet("::", port, "dual", both=True)
    text = text_for(lab, 1)
    it = lab.postern(text, wrap=sockets.wrap, fds=sockets.fds)
    it.logged("activated-unused name=\"dual\" .*BindIPv6Only=ipv6-only")
    it.write_conf(text + f"listen on :: port {port}\n")
    out = it.ctl("reload", check=False)
    assert out.returncode != 0 and "in use" in out.stdout + out.stderr


NONSENSE = {
    "another": dict(LISTEN_PID="1", LISTEN_FDS="2"),
    "none": dict(LISTEN_FDS="0"),
    "many": dict(LISTEN_FDS="99999999999999999999"),
    "more": dict(LISTEN_FDS="70000"),
    "negative": dict(LISTEN_FDS="-1"),
    "words": dict(LISTEN_FDS="x", LISTEN_PID="y"),
    "manager": dict(NOTIFY_SOCKET="/nonexistent/" + "x" * 200,
                    WATCHDOG_USEC="1"),
    "relative": dict(NOTIFY_SOCKET="run/notify", WATCHDOG_USEC="-5"),
    "empty": dict(NOTIFY_SOCKET="", WATCHDOG_USEC="", LISTEN_FDS=""),
    "gone": dict(NOTIFY_SOCKET="/nonexistent", WATCHDOG_USEC="100000",
                 WATCHDOG_PID="0"),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_nonsense(lab, case):
    """What is not for us, or no sense, changes nothing."""
    sockets = lab.keep(Sockets())
    sockets.inet("127.0.0.4", base.free_port("127.0.0.4"), "x")
    it = lab.postern(text_for(lab, 1), wrap=sockets.wrap, fds=sockets.fds,
                     env=dict(os.environ, **NONSENSE[case]))
    it.send("a@c.test", "b@x.test")
    taken = case in ("more", "manager", "relative", "gone")
    assert (sockets.inodes() <= listening(it.pid)) == taken
    assert ("activated-unused" in it.log()) == taken


def test_not_sockets(lab):
    """A file, a datagram socket and one that does not listen: each is named
    and left alone."""
    sockets = lab.keep(Sockets())
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        s = socket.socket(socket.AF_INET, kind)
        s.bind(("127.0.0.1", 0))
        sockets.add(s, f"kind{int(kind)}")
    pair = socket.socketpair()
    sockets.add(pair[0], "pair")
    it = lab.postern(text_for(lab, 1), wrap=sockets.wrap, fds=sockets.fds)
    pair[1].close()
    assert re.findall(r"activated-bad fd=(\d) name=\"(\w+)\"", it.log()) == \
        [("3", "kind2"), ("4", "kind1"), ("5", "pair")]
    assert not sockets.inodes() & listening(it.pid)


# ---- what it tells ----

def environment(pid):
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:  # not dumpable
        return None
    return {v.partition(b"=")[0].decode() for v in text.split(b"\0") if v}


@pytest.mark.parametrize("name", ["path", "abstract"])
def test_told(lab, name):
    """READY when all are at work, RELOADING and READY at a reload, good or
    bad, STOPPING at the end; the watchdog all the time; no child knows of
    it."""
    where = lab.path("manager") if name == "path" else \
        f"@postern-{os.getpid()}-{time.monotonic_ns()}"
    manager = lab.keep(Manager(where, watchdog=1.0))
    sockets = lab.keep(Sockets())
    sockets.inet("127.0.0.4", base.free_port("127.0.0.4"), "x")
    it = lab.postern(text_for(lab, 1), env=manager.env, wrap=sockets.wrap,
                     fds=sockets.fds)
    manager.heard("READY", "1")
    assert manager.all("MAINPID") == [str(it.pid)]
    assert re.fullmatch(r"At work: generation 1, listeners: \d\.",
                        manager.all("STATUS")[-1])
    seen = 0
    for pid in it.pids():
        names = environment(pid)
        seen += names is not None
        assert names is None or not names & set(FOUND), (pid, names)
    assert seen or not base.IS_ROOT
    before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    it.ctl("reload")
    manager.heard("READY", "1", 2)
    said = [t for _, t in manager.told if "RELOADING" in t]
    assert len(said) == 1 and said[0]["RELOADING"] == "1"
    assert before <= int(said[0]["MONOTONIC_USEC"]) <= \
        time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    assert "generation 2" in manager.all("STATUS")[-1]
    it.write_conf("nonsense\n")
    assert it.ctl("reload", check=False).returncode != 0
    manager.heard("READY", "1", 3)
    assert "generation 2. The last reload failed" in manager.all("STATUS")[-1]
    begin, n = time.monotonic(), manager.all("WATCHDOG").count("1")
    manager.heard("WATCHDOG", "1", n + 4)
    assert time.monotonic() - begin > 1.2
    it.stop()
    manager.heard("STOPPING", "1")
    assert "READY" not in manager.told[-1][1]
    whens = [w for w, t in manager.told if "WATCHDOG" in t]
    gaps = [b - a for a, b in zip(whens, whens[1:])]
    assert max(gaps) < 10 and min(gaps) > 0.2, gaps


def test_watchdog_of_another(lab):
    """Its interval is for a process that we are not."""
    manager = lab.keep(Manager(lab.path("manager"), watchdog=0.2))
    manager.env["WATCHDOG_PID"] = "1"
    it = lab.postern(text_for(lab, 1), env=manager.env)
    manager.heard("READY", "1")
    time.sleep(1)
    it.stop()
    manager.heard("STOPPING", "1")
    assert not manager.all("WATCHDOG")


def test_deaf_manager(lab):
    """It does not read for a time: mail goes on, and it hears afterwards how
    we are."""
    manager = lab.keep(Manager(lab.path("manager"), watchdog=0.1,
                               reads=False))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                s.sendto(b"X=1", manager.env["NOTIFY_SOCKET"])
    it = lab.postern(text_for(lab, 1), env=manager.env)
    for _ in range(12):
        it.ctl("reload")
    it.send("a@c.test", "b@x.test")
    assert not manager.told
    manager.read()
    manager.heard("READY", "1")
    base.wait_until(lambda: "generation 13" in manager.all("STATUS")[-1],
                    "it hears the newest")
    manager.heard("WATCHDOG", "1", 2)


def copy_of_build(lab):
    to = lab.path("installed")
    (to / "libexec").mkdir(parents=True)
    for at in [base.BUILD / n for n in ("smtpd", "smtpctl", "sendmail")] + \
            list((base.BUILD / "libexec").iterdir()):
        shutil.copy(at, to / at.relative_to(base.BUILD))
    for path in (lab.dir, to, to / "libexec"):
        path.chmod(0o755)
    return to


def renew(build, change=None):
    content = (build / "smtpd").read_bytes()
    if change:
        assert change[0] in content
        content = content.replace(*change)
    (build / "smtpd.new").write_bytes(content)
    (build / "smtpd.new").chmod(0o755)
    (build / "smtpd.new").replace(build / "smtpd")
    if change:
        for at in [build / "smtpctl", *(build / "libexec").iterdir()]:
            fresh = at.with_name(at.name + ".new")
            fresh.write_bytes(at.read_bytes().replace(*change))
            fresh.chmod(0o755)
            fresh.replace(at)


@pytest.mark.parametrize("change", [None, (b"postern-ipc-1",
                                           b"postern-ipc-2")],
                         ids=["same", "other-messages"])
def test_upgrade(lab, change):
    """The new program in the same process has the sockets, those without a
    row as well, and tells the manager as the old one did."""
    manager = lab.keep(Manager(lab.path("manager"), watchdog=1.0))
    r = lab.receiver()
    text = text_for(lab, r.port)
    build = copy_of_build(lab)
    it, sockets = held(lab, text, build=build, env=manager.env)
    other = base.free_port()
    sockets.inet("127.0.0.1", other, "smtps")
    start(it, sockets)
    renew(build, change)
    it.write_conf(text + f"listen on 127.0.0.1 port {other}\n")
    it.ctl("reload", timeout=60)
    manager.heard("READY", "1", 2)
    it.logged("upgrade program=.* processes=" +
              ("stopped" if change else "kept"))
    assert manager.all("MAINPID") == [str(it.pid)] * 2
    assert not manager.all("STOPPING")
    n = manager.all("WATCHDOG").count("1")
    manager.heard("WATCHDOG", "1", n + 2)
    assert sockets.inodes() <= listening(it.pid)
    with smtplib.SMTP("127.0.0.1", other, local_hostname="c.test") as s:
        submit(s, "a@c.test", ["b@x.test"], "\r\nhello\r\n")
    assert sendmail(it, "local@x.test", 1).returncode == 0
    r.wait(2)
    for pid in it.pids():
        names = environment(pid)
        assert names is None or not names & set(FOUND), (pid, names)
    it.stop()
    manager.heard("STOPPING", "1")
    assert (it.root / "smtpd.sock").is_socket()


# ---- systemd's own ----

def test_systemd_socket_activate(lab):
    """By the program that systemd has for it: smtpd starts when somebody
    comes, and has what it was given."""
    r = lab.receiver()
    text = text_for(lab, r.port)
    it = lab.postern(text, start=False)
    it.wrap = ["systemd-socket-activate", "-l", f"127.0.0.1:{it.port}",
               "-l", it.root / "smtpd.sock", "--fdname=smtp:local"]
    # It starts with a clean environment.
    it.wrap += [f"--setenv={name}={value}" for name, value in
                os.environ.items() if name.endswith("SAN_OPTIONS")]
    it.start(wait=False)
    base.wait_until((it.root / "smtpd.sock").is_socket, "it listens")
    assert "started" not in it.log()
    out = sendmail(it, "first@x.test", 1)
    assert out.returncode == 0, out.stderr
    base.wait_until(it.ready, "it answers")
    assert "activated-" not in it.log()
    r.wait(1)


# ---- in front, with syslog ----

def test_stays_and_logs_by_syslog(lab):
    """-F: the process that was started is the parent, its log is syslog's,
    and its standard error nobody's."""
    log = lab.keep(Syslog(lab.path("syslog")))
    manager = lab.keep(Manager(lab.path("manager")))
    it = lab.postern(text_for(lab, 1), start=False)
    argv = [str(a) for a in it.argv()]
    argv[argv.index("-d")] = "-F"
    child = lab.child(log.wrap + argv, env=manager.env)
    manager.heard("READY", "1")
    assert manager.all("MAINPID") == [str(child.pid)]
    with it.smtp() as s:
        s.noop()
    for what in (rf" mx.test postern\[{child.pid}\]: smtpd: - started pid=",
                 r"\]: session: \w{13} connect client=127.0.0.1 "):
        base.wait_until(lambda: re.search(what, log.path.read_text()), what)
    assert log.priorities == {2 << 3 | 6}  # mail.info
    assert child.stop() is not None and child.log() == ""
    assert manager.all("STOPPING") == ["1"]
