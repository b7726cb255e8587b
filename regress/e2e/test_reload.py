"""Reload: a new configuration at work while sessions, deliveries and the
queue go on; an error that changes nothing; processes that die meanwhile.

SPDX-License-Identifier: ISC
"""
import itertools
import os
import re
import shutil
import signal
import smtplib
import socket
import threading
import time

import pytest

from lib import base
from lib.instance import CHILDREN, conf, submit
from lib.receiver import SILENT

ALL = tuple(dict.fromkeys(CHILDREN + ("spawn",)))
REFUSE = ['match from any for domain "old.test" reject']


def banner(it, address=None, port=None):
    with socket.create_connection((address or it.address, port or it.port),
                                  10) as s:
        s.settimeout(10)
        line = s.makefile("rb").readline().decode()
        s.sendall(b"QUIT\r\n")
        return line.split()[1]


def status(it):
    return it.ctl("show", "status", "--json").json


def generation(it):
    return status(it)["generation"]


def reload(it, text=None, timeout=120):
    """smtpctl reload; the generation that is at work then."""
    if text is not None:
        it.write_conf(text)
    got = it.ctl("reload", "--json", timeout=timeout).json
    return got["generation"]


def fails(it, text=None):
    """A reload that is refused: exit status and what it said."""
    if text is not None:
        it.write_conf(text)
    out = it.ctl("reload", check=False, timeout=120)
    assert out.returncode == 1, (out.returncode, out.stdout, out.stderr)
    return out.stderr


def settled(it, timeout=20):
    """Waits until only the generation at work is there."""
    cores = os.cpu_count()
    want = {name: 1 for name in ALL}
    want["session"] = want["deliver"] = cores

    def look():
        have = {}
        for pid in it.pids():
            name = base.program(pid)
            have[name] = have.get(name, 0) + 1
        return have == want
    base.wait_until(look, "the processes of one generation", timeout)


def fds(pid):
    found = []
    for n in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{n}"))
        except FileNotFoundError:
            pass  # closed meanwhile
    return sorted(found)


# ---- what is new ----

def test_new_configuration(lab):
    """Number, time, rules and banner are the new ones; pid and pid file are
    not; the old processes are gone."""
    r = lab.receiver()
    text = conf(lab.dns(), r.port, lines=["hostname one.test"])
    it = lab.postern(text)
    pid_file = (it.root / "smtpd.pid")
    inode = pid_file.stat().st_ino
    old = set(it.pids())
    assert generation(it) == 1 and banner(it) == "one.test"
    before = int(time.time())
    assert reload(it, text.replace("one.test", "two.test")) == 2
    assert banner(it) == "two.test"
    now = status(it)
    assert now["generation"] == 2 and now["pid"] == it.pid
    assert before <= now["loaded"] <= time.time() + 1
    assert pid_file.read_text().strip() == str(it.pid)
    assert pid_file.stat().st_ino == inode
    settled(it)
    assert not old & set(it.pids())
    it.logged(r"generation-ended generation=1$")
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    out = it.ctl("reload").stdout
    assert out.splitlines()[0] == "generation 3 is at work", out
    assert "generation 3, loaded " in it.ctl("show", "status").stdout


def test_sighup(lab):
    """The same by a signal; what is wrong is said in the log."""
    text = conf(lab.dns(), 1, lines=["hostname one.test"])
    it = lab.postern(text)
    it.write_conf(text.replace("one.test", "two.test"))
    os.kill(it.pid, signal.SIGHUP)
    it.logged(r"reloaded generation=2 ")
    # Until it is told so, an old process may take one more.
    base.wait_until(lambda: banner(it) == "two.test", "the new banner")
    it.write_conf(text + "nonsense\nmatch nonsense\n")
    os.kill(it.pid, signal.SIGHUP)
    lines = it.logged(r"reload-failed why=.*smtpd\.conf:(\d+): ", 2)
    wrong = text.count("\n") + 1
    assert lines == [str(wrong), str(wrong + 1)]
    assert banner(it) == "two.test" and generation(it) == 2


def test_error_changes_nothing(lab):
    """Each kind of error is explained with its line; no process of the ones
    at work is exchanged."""
    r = lab.receiver()
    text = conf(lab.dns(), r.port, lines=["hostname one.test"])
    it = lab.postern(text)
    pids = set(it.pids())
    key = lab.path("key")
    key.write_text("no key\n")
    table = lab.path("table")
    table.write_text("a.test\n")
    taken = socket.create_server((it.address, 0))
    port = taken.getsockname()[1]
    n = text.count("\n")
    two = text.replace("one.test", "two.test")
    cases = [
        (two + "nonsense\n", rf"smtpd\.conf:{n + 1}: "),
        (two + "listen on 127.0.0.1 port 1 foo\nmatch for nobody\n",
         rf"(?s)smtpd\.conf:{n + 1}: .*smtpd\.conf:{n + 2}: "),
        (two + f'dkim domain c.test selector s key "{key}"\n',
         rf"smtpd\.conf:{n + 1}: "),
        (two + f'dkim domain c.test selector s key "{key}.not"\n',
         rf"smtpd\.conf:{n + 1}: "),
        (two + f"listen on 127.0.0.1 port {port}\n",
         rf"smtpd\.conf:{n + 1}: cannot listen on 127.0.0.1:{port}"),
        (two + f'table t file:{table}.not\n', rf"smtpd\.conf:{n + 1}: "),
    ]
    for wrong, pattern in cases:
        said = fails(it, wrong)
        assert re.search(pattern, said), (wrong, said)
        assert "nothing has changed" in said
        assert banner(it) == "one.test" and generation(it) == 1
        base.wait_until(lambda: set(it.pids()) == pids, "no other process")
    taken.close()
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    # What was taken away does not count.
    assert reload(it, two + f"listen on 127.0.0.1 port {port}\n") == 2
    assert banner(it, port=port) == "two.test"


def test_all_lines(lab):
    """Also more than one message holds."""
    text = conf(lab.dns(), 1)
    it = lab.postern(text)
    wrong = "".join(f'action "a{n}" nothing{n}\n' for n in range(45))
    said = fails(it, text + wrong)
    assert len(said) > 5000
    for n in range(45):
        assert f"`nothing{n}`" in said, n
    check = base.run([it.build / "smtpd", "-n", "-R", it.root, "-f",
                      it.conf_path])
    assert said.startswith(check.stderr)


@pytest.mark.parametrize("name", ALL)
def test_cannot_start(lab, name):
    """A program that does not start: the old generation goes on."""
    r = lab.receiver()
    build = copy_of_build(lab)
    text = conf(lab.dns(), r.port)
    it = lab.postern(text, build=build)
    program = build / "libexec" / name
    good = program.with_suffix(".good")
    program.rename(good)
    shutil.copy("/bin/false", program)
    said = fails(it)
    assert name in said, said
    if name == "queue":
        # There is one at a time: the old one starts again, by this file.
        good.replace(program)
    it.send("a@c.test", "b@x.test")
    if name != "queue":
        good.replace(program)
    base.wait_until(lambda: it.ctl("show", "status", check=False).returncode
                    == 0, "the queue is there")
    settled(it)
    r.wait(1)
    assert generation(it) == 1
    assert reload(it) == 2
    it.send("a@c.test", "b@x.test")
    r.wait(2)


# ---- sessions ----

def test_long_session(lab):
    """A session that lives through three reloads keeps its own rules and its
    message; a new one has the new rules."""
    r = lab.receiver()
    text = conf(lab.dns(), r.port, lines=["hostname g1.test"])
    it = lab.postern(text)
    old = it.smtp(timeout=60)
    old.ehlo()
    assert old.mail("a@c.test")[0] == 250
    assert old.rcpt("one@x.test")[0] == 250
    assert old.docmd("DATA")[0] == 354
    old.send(b"Subject: long\r\n\r\nfirst\r\n")
    for n in (2, 3, 4):
        assert reload(it, text.replace("g1.", f"g{n}.").replace(
            "match from", REFUSE[0] + "\nmatch from")) == n
        assert banner(it) == f"g{n}.test"
        old.send(f"line {n}\r\n".encode())
    with it.smtp() as new:
        new.ehlo()
        new.mail("a@c.test")
        assert new.rcpt("x@old.test")[0] == 550
    assert status(it)["draining"] == 1
    old.send(b".\r\n")
    assert old.getreply()[0] == 250
    # Its own rules, which have no such refusal.
    assert old.mail("a@c.test")[0] == 250
    assert old.rcpt("x@old.test")[0] == 250
    assert old.docmd("RSET")[0] == 250
    got = r.wait(1)
    assert b"first" in got[0].content and b"line 4" in got[0].content
    assert b"by g1.test" in got[0].content
    old.quit()
    it.logged(r"generation-ended generation=1$")
    settled(it)
    assert status(it)["draining"] == 0


def test_oldest_is_stopped(lab):
    """So many generations may finish; the oldest then hears 421."""
    it = lab.postern(conf(lab.dns(), 1))
    sessions = []
    for n in range(2, 12):
        s = it.connect()
        s.makefile("rb").readline()
        sessions.append(s)
        assert reload(it) == n
    said = []
    for s in sessions:
        s.settimeout(0.5)
        try:
            said.append(s.recv(100))
        except TimeoutError:
            said.append(None)
    assert said[0].startswith(b"421 "), said
    assert said[-8:] == [None] * 8, said
    for s in sessions:
        s.close()
    settled(it)


def test_delivery_under_way(lab):
    """What is being delivered is finished, once, by who began it."""
    go = threading.Event()

    def slow(session):
        go.wait(60)
        return "250 2.0.0 taken"
    r = lab.receiver(dot=slow)
    text = conf(lab.dns(), r.port)
    it = lab.postern(text)
    for n in range(5):
        it.send("a@c.test", f"u{n}@x.test")
    base.wait_until(lambda: r.open == 5, "deliveries begin")
    assert reload(it) == 2 and reload(it) == 3
    it.send("a@c.test", "new@x.test")
    assert status(it)["draining"] >= 1
    time.sleep(0.5)
    go.set()
    got = r.wait(6)
    it.empty()
    settled(it)
    time.sleep(0.3)
    assert sorted(m.rcpts[0] for m in got) == sorted(
        [f"u{n}@x.test" for n in range(5)] + ["new@x.test"])
    assert len(r.messages) == 6


# ---- sockets, keys, tables ----

def test_listeners(lab):
    """Added, removed, changed from one address to all and back."""
    dns = lab.dns()
    it = lab.postern(conf(dns, 1, listen=(
        "listen on 127.0.0.1 port {port} hostname a.test")))
    p2 = base.free_port("127.0.0.1")
    first = "listen on 127.0.0.1 port {port} hostname "
    second = f"\nlisten on 127.0.0.1 port {p2} hostname b.test"
    sockets = [f for f in fds(it.pid) if f.startswith("socket:")]
    reload(it, conf(dns, 1, listen=first + "c.test" + second))
    assert banner(it) == "c.test" and banner(it, port=p2) == "b.test"
    reload(it, conf(dns, 1, listen=first + "d.test"))
    assert banner(it) == "d.test"
    with pytest.raises(ConnectionRefusedError):
        banner(it, port=p2)
    reload(it, conf(dns, 1, listen=(
        "listen on 0.0.0.0 port {port} hostname e.test")))
    assert banner(it) == "e.test"
    assert banner(it, address="127.0.0.2") == "e.test"
    reload(it, conf(dns, 1, listen=first + "f.test"))
    assert banner(it) == "f.test"
    with pytest.raises(ConnectionRefusedError):
        banner(it, address="127.0.0.2")
    # Nobody else may share it meanwhile.
    with pytest.raises(OSError):
        socket.create_server((it.address, it.port))
    settled(it)
    assert len([f for f in fds(it.pid) if f.startswith("socket:")]) == \
        len(sockets)


def test_key_replaced(lab):
    """A key is read anew from the same path."""
    path = lab.path("key")

    def key(kind):
        out = base.run(["openssl", "genpkey", "-algorithm", kind, "-out",
                        path])
        assert out.returncode == 0, out.stderr
    key("ed25519")
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), lines=[
        f'dkim domain c.test selector s key "{path}"'], rules=[
            f'action "out" relay port {r.port}',
            'match for any action "out"']))
    mail = "From: <a@c.test>\r\nSubject: t\r\n\r\nhello\r\n"
    it.send("a@c.test", "b@x.test", mail)
    key("rsa")
    it.send("a@c.test", "b@x.test", mail)
    r.wait(2)
    assert reload(it) == 2
    it.send("a@c.test", "b@x.test", mail)
    got = [re.search(rb"a=(\w+)-sha256", m.content)[1] for m in r.wait(3)]
    assert got == [b"ed25519", b"ed25519", b"rsa"]


def judged(it, domain):
    with it.smtp() as s:
        s.ehlo()
        s.mail("a@c.test")
        return s.rcpt(f"b@{domain}")[0]


def test_update_table(lab):
    """One table's file is read anew without a new generation."""
    table = lab.path("domains")
    table.write_text("x.test\n")
    it = lab.postern(conf(lab.dns(), 1, rules=[
        f"table d file:{table}", "table inline { a.test }",
        'action "out" relay',
        'match from any for domain <d> action "out"']))
    pids = set(it.pids())
    assert (judged(it, "x.test"), judged(it, "y.test")) == (250, 550)
    table.write_text("y.test\n")
    assert judged(it, "y.test") == 550
    it.ctl("update", "table", "d")
    base.wait_until(lambda: judged(it, "y.test") == 250, "the new table")
    assert judged(it, "x.test") == 550
    for name, why in (("none", "no table of this name"),
                      ("inline", "has no file")):
        out = it.ctl("update", "table", name, check=False)
        assert out.returncode != 0 and why in out.stderr
    table.unlink()
    out = it.ctl("update", "table", "d", check=False)
    assert out.returncode != 0 and str(table) in out.stderr
    assert judged(it, "y.test") == 250
    assert set(it.pids()) == pids and generation(it) == 1


def test_db_is_followed(lab):
    """A db: table that makemap replaces is used within seconds."""
    source, db = lab.path("source"), lab.path("map.db")

    def make(text):
        source.write_text(text)
        out = base.run([base.BUILD / "smtpctl", "makemap", "-t", "set", "-o",
                        db, source])
        assert out.returncode == 0, out.stderr
        db.chmod(0o644)
    make("x.test\n")
    it = lab.postern(conf(lab.dns(), 1, rules=[
        f"table d db:{db}", 'action "out" relay',
        'match from any for domain <d> action "out"']))
    assert (judged(it, "x.test"), judged(it, "y.test")) == (250, 550)
    make("y.test\n")
    base.wait_until(lambda: judged(it, "y.test") == 250, "the new map", 45)
    assert judged(it, "x.test") == 550
    assert reload(it) == 2
    make("z.test\n")
    base.wait_until(lambda: judged(it, "z.test") == 250, "the new map", 45)


# ---- many at once ----

def test_merged(lab):
    """Reloads during a reload are merged; each asker is answered."""
    it = lab.postern(conf(lab.dns(), 1))
    answers = []

    def ask():
        answers.append(reload(it))
    threads = [threading.Thread(target=ask) for _ in range(12)]
    for t in threads:
        t.start()
    for _ in range(20):
        os.kill(it.pid, signal.SIGHUP)
    for t in threads:
        t.join(60)
    assert len(answers) == 12 and min(answers) >= 2
    settled(it)
    assert generation(it) >= max(answers)


def test_no_leak(lab):
    """Fifty reloads, every other with an error, leave nothing behind."""
    text = conf(lab.dns(), 1)
    it = lab.postern(text)
    reload(it)
    settled(it)
    before, size = fds(it.pid), base.rss_kib(it.pid)
    for n in range(25):
        fails(it, text + "nonsense\n")
        assert reload(it, text) == n + 3
    settled(it)

    def kinds(names):
        return [f.partition(":")[0] for f in names]
    base.wait_until(lambda: kinds(fds(it.pid)) == kinds(before),
                    f"no more descriptors than {before}")
    assert base.SANITIZED or base.rss_kib(it.pid) < size + 2000
    queue = it.pids("queue")[0]
    assert len(fds(queue)) < 60, fds(queue)


# ---- stop and death ----

def test_stop_meanwhile(lab):
    """SIGTERM at any moment of a reload: in time, with nothing left, and
    what was acknowledged is there at the next start."""
    r = lab.receiver(banner=SILENT)
    text = conf(lab.dns(), r.port)
    for ms in (0, 5, 15, 25, 35, 50, 80, 200):
        it = lab.postern(text)
        ident = it.send("a@c.test", "b@x.test")
        os.kill(it.pid, signal.SIGHUP)
        time.sleep(ms / 1000)
        it.stop(within=10)
        it.start()
        assert [q["id"] for q in it.queue()] == [ident], ms
        it.stop()


class Load(threading.Thread):
    """A client: sessions of a few messages each, none of which may fail; so
    many messages, and more until the event `until` is set."""

    def __init__(self, it, number, messages, each=5, pause=0.0, again=False,
                 until=None):
        super().__init__(daemon=True)
        self.until = until
        self.it, self.number, self.messages = it, number, messages
        self.each, self.pause, self.again = each, pause, again
        self.acked, self.trouble = {}, []

    def session(self, marks):
        with self.it.smtp(timeout=60) as s:
            for mark in marks:
                submit(s, "s@c.test", [f"{mark}@x.test"],
                       f"X-Mark: {mark}\r\n\r\nhello\r\n")
                self.acked[mark] = time.time()
                time.sleep(self.pause)

    def run(self):
        for n in itertools.count(0, self.each):
            if n >= self.messages and (self.until is None or
                                       self.until.is_set()):
                return
            some = [f"m{self.number}-{n + i}" for i in range(self.each)]
            while some:
                try:
                    self.session(some)
                    break
                except (OSError, AssertionError, smtplib.SMTPException) as e:
                    self.trouble.append(repr(e))
                    if not self.again:
                        return
                    time.sleep(0.1)
                some = [m for m in some if m not in self.acked]


@pytest.mark.parametrize("name", ALL)
def test_killed_meanwhile(lab, name):
    """A process of this kind is killed at every step of a reload: some of
    the reloads fail, with a word; nothing that was acknowledged is lost,
    nobody is left over."""
    r = lab.receiver()
    text = conf(lab.dns(), r.port, lines=["smtp limit max-mails 1000"])
    it = lab.postern(text)
    clients = [Load(it, n, 60, pause=0.03, again=True) for n in range(4)]
    for c in clients:
        c.start()
    begun = time.monotonic()
    it.ctl("reload")
    whole = time.monotonic() - begun  # of one that nobody disturbs
    done = refused = step = 0
    while step < 14 or (done == 0 and step < 40):
        asked = threading.Thread(target=lambda: out.append(
            it.ctl("reload", check=False, timeout=120)))
        out = []
        asked.start()
        time.sleep(step * whole / 10)
        pids = it.pids(name)
        # The youngest, the oldest, all; one may just be gone.
        pids.sort(key=lambda pid: base.started(pid) or 0)
        victims = (pids[-1:], pids[:1], pids)[step % 3]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        asked.join(120)
        assert not asked.is_alive()
        code = out[0].returncode
        if code == 0:
            done += 1
        else:
            # Refused with a word, or its control process was the victim.
            assert code == 1 or name == "control", out[0].stderr
            assert out[0].stderr, step
            refused += 1
        base.wait_until(lambda: it.ctl("show", "status", check=False)
                        .returncode == 0, "it answers", 60)
        step += 1
    assert done > 0, refused
    for c in clients:
        c.join(100)
        assert not c.is_alive()
    acked = {m for c in clients for m in c.acked}
    assert len(acked) == 240
    base.wait_until(lambda: acked <= {m.parsed()["X-Mark"] for m in
                                      list(r.messages)}, "all of it", 60)
    it.empty(60)
    assert reload(it) >= 2
    settled(it, 40)


def test_under_load(lab, record_property):
    """20 sessions at a time, 2,000 messages and more, 20 reloads, every other with an
    error: no connection refused or dropped, nothing lost, twice or late."""
    r = lab.receiver()
    text = conf(lab.dns(), r.port, lines=["smtp limit max-mails 1000"])
    it = lab.postern(text)
    over = threading.Event()
    clients = [Load(it, n, 100, pause=0.12, until=over) for n in range(20)]
    begin = time.time()
    for c in clients:
        c.start()
    expect, took = 1, []
    for n in range(20):
        time.sleep(0.3)
        if n % 2:
            said = fails(it, text + f"nonsense{n}\n")
            assert f"nonsense{n}" in said and "smtpd.conf:" in said
        else:
            expect += 1
            at = time.time()
            assert reload(it, text) == expect
            took.append(time.time() - at)
        assert generation(it) == expect
    busy = all(c.is_alive() for c in clients)
    over.set()
    for c in clients:
        c.join(200)
    assert not [c.trouble for c in clients if c.trouble], \
        [c.trouble for c in clients]
    acked = {m: t for c in clients for m, t in c.acked.items()}
    assert len(acked) >= 2000
    it.empty(60)
    seen = {}
    for m in r.messages:
        seen.setdefault(m.parsed()["X-Mark"], []).append(m.time)
    assert set(seen) == set(acked)
    twice = [m for m, t in seen.items() if len(t) > 1]
    assert not twice, twice
    late = max(t[0] - acked[m] for m, t in seen.items())
    assert late < 10, late
    assert busy, "the load was over before the reloads"
    settled(it)
    record_property("note", (
        f"reload: 20 sessions, {len(acked)} messages in {time.time() - begin:.1f} s, "
        f"{expect - 1} reloads of {max(took) * 1000:.0f} ms at most, 10 "
        f"refused; 0 lost, latest {late:.2f} s after its 250"))


# ---- in place ----

def copy_of_build(lab):
    """The programs in a folder of their own, as after an installation."""
    to = lab.path("installed")
    (to / "libexec").mkdir(parents=True)
    for name in ("smtpd", "smtpctl"):
        shutil.copy(base.BUILD / name, to / name)
    for program in (base.BUILD / "libexec").iterdir():
        shutil.copy(program, to / "libexec" / program.name)
    for path in (lab.dir, to, to / "libexec"):
        path.chmod(0o755)
    return to


def install(build, change=None):
    """Replaces each program by a new file, as a package does."""
    for program in list(build.iterdir()) + list((build / "libexec").iterdir()):
        if not program.is_file():
            continue
        fresh = program.with_suffix(".new")
        content = program.read_bytes()
        if change is not None and program.name == "smtpd":
            assert change[0] in content
            content = content.replace(*change)
        fresh.write_bytes(content)
        fresh.chmod(0o755)
        fresh.replace(program)


def exe(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def test_upgrade(lab):
    """New programs take over in the same process: sessions, deliveries and
    the queue's place are kept, nothing is refused."""
    r = lab.receiver()
    build = copy_of_build(lab)
    it = lab.postern(conf(lab.dns(), r.port, lines=["hostname one.test"]),
                     build=build)
    old = it.smtp(timeout=60)
    old.ehlo()
    old.mail("a@c.test")
    old.rcpt("long@x.test")
    assert old.docmd("DATA")[0] == 354
    clients = [Load(it, n, 60, pause=0.01) for n in range(5)]
    for c in clients:
        c.start()
    program, inode = exe(it.pid), (it.root / "smtpd.pid").stat().st_ino
    before = fds(it.pid)
    for n in range(2, 5):
        install(build)
        assert reload(it) == n
        assert exe(it.pid) not in (program, None)
        program = exe(it.pid)
        assert program == (build / "smtpd").stat().st_ino
    assert (it.root / "smtpd.pid").stat().st_ino == inode
    assert status(it)["draining"] >= 1
    it.logged(r"upgrade program=.* processes=kept", 3)
    for c in clients:
        c.join(100)
    assert not [c.trouble for c in clients if c.trouble]
    old.send(b"Subject: long\r\n\r\nhello\r\n.\r\n")
    assert old.getreply()[0] == 250
    old.quit()
    r.wait(301)
    it.empty()
    settled(it)
    assert len(r.messages) == 301
    assert len(fds(it.pid)) <= len(before) + 1, (before, fds(it.pid))
    assert reload(it) == 5
    # A second parent finds it locked, as before.
    other = base.run([build / "smtpd", "-d", "-R", it.root, "-f",
                      it.conf_path])
    assert other.returncode == 1 and "another smtpd runs" in other.stderr


def test_upgrade_refused(lab):
    """A new program that does not like the file, or is none: the old goes
    on, and says why."""
    build = copy_of_build(lab)
    text = conf(lab.dns(), 1)
    it = lab.postern(text, build=build)
    program = exe(it.pid)
    install(build)
    said = fails(it, text + "nonsense\n")
    assert "nonsense" in said and "smtpd.conf:" in said
    assert exe(it.pid) == program and generation(it) == 1
    shutil.copy("/bin/false", build / "none")
    good = build / "smtpd.good"
    (build / "smtpd").rename(good)
    (build / "none").replace(build / "smtpd")
    assert "smtpd -n" in fails(it, text)
    assert exe(it.pid) == program and generation(it) == 1
    good.replace(build / "smtpd")
    assert reload(it) == 2
    assert exe(it.pid) == (build / "smtpd").stat().st_ino


def test_upgrade_of_messages(lab):
    """The new processes would not understand the old ones: those stop first,
    their sockets stay open, and no connection is refused."""
    r = lab.receiver()
    build = copy_of_build(lab)
    it = lab.postern(conf(lab.dns(), r.port), build=build)
    pids = set(it.pids())
    old = it.connect()
    old.makefile("rb").readline()
    it.ctl("pause")
    ident = it.send("a@c.test", "b@x.test")
    refused, over = [], threading.Event()

    def knock():
        while not over.is_set():
            try:
                banner(it)
            except ConnectionRefusedError as e:
                refused.append(repr(e))
            except OSError:
                pass
            time.sleep(0.01)
    t = threading.Thread(target=knock)
    t.start()
    install(build, (b"postern-ipc-1", b"postern-ipc-2"))
    out = it.ctl("reload", timeout=60)
    assert "when the old ones have stopped" in out.stdout, out.stdout
    it.logged(r"upgrade program=.* processes=stopped")
    it.logged(rf"started pid={it.pid} ", 2)
    base.wait_until(lambda: it.ctl("show", "status", check=False).returncode
                    == 0, "it answers")
    over.set()
    t.join()
    assert not refused, refused
    assert old.recv(100).startswith(b"421 ")
    assert generation(it) == 2
    assert not pids & set(it.pids())
    assert [q["id"] for q in it.queue()] == [ident]
    it.ctl("resume")
    r.wait(1)
    assert reload(it) == 3
    settled(it)
