"""The processes: who they are, what they may, what happens when one dies.

SPDX-License-Identifier: ISC
"""
import os
import pwd
import re
import shutil
import signal
import smtplib
import tempfile
import time
from pathlib import Path

import pytest

from lib import base
from lib.instance import CHILDREN, conf, submit

COVERS = ["TOO_BUSY"]

# As in common/proc_table.h; regress/house compares.
USERS = {"spawn": "root", "lookup": "_smtpl", "keys": "_smtpk",
         "guard": "_smtpg", "queue": "_smtpq", "deliver": "_smtpout",
         "control": "_smtpctl", "session": "_smtpd"}
ROOTS = {"spawn": "/", "lookup": "/", "keys": "empty", "guard": "empty",
         "queue": "spool", "deliver": "empty", "control": "empty",
         "session": "empty"}


def status(pid):
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {k: v.split() for k, _, v in (r.partition(":") for r in rows)}


def test_jails(lab):
    """uid, gid, groups, root directory, capabilities, no_new_privs, dumps."""
    it = lab.postern(conf(lab.dns(), 1))
    assert it.all_up()
    seen = set()
    for pid in it.pids():
        name = base.program(pid)
        seen.add(name)
        user = pwd.getpwnam(USERS[name])
        s = status(pid)
        assert s["Uid"] == [str(user.pw_uid)] * 4, name
        assert s["Gid"] == [str(user.pw_gid)] * 4, name
        assert s["Groups"] in ([], [str(user.pw_gid)]), name
        # Who starts programs of users, which may be setgid, cannot do without.
        assert s["NoNewPrivs"] == ["0" if name == "spawn" else "1"], name
        for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(s[caps][0], 16) == 0 or user.pw_uid == 0, (name, caps)
        where = os.readlink(f"/proc/{pid}/root")
        want = ROOTS[name]
        assert where == ("/" if want == "/" else str(it.root / want)), name
        # Not dumpable: its /proc belongs to root, so its own user cannot
        # trace it.
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, name
        core = re.search(r"Max core file size +(\S+)",
                         Path(f"/proc/{pid}/limits").read_text())[1]
        assert core == "0", name
    assert seen == set(CHILDREN)
    assert status(it.pid)["Uid"][0] == "0"
    cores = os.cpu_count()
    assert len(it.pids("session")) == cores
    assert len(it.pids("deliver")) == cores


def test_descriptors(lab):
    """Who opens no path has no file, and the parent no connection."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    it.empty()
    for pid in it.pids():
        name = base.program(pid)
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                to = os.readlink(fd)
            except OSError:
                continue
            if to.startswith(("/dev/", "socket:", "pipe:", "anon_inode:",
                              "/memfd:")) or fd.name == "2":
                continue
            assert name == "queue" or (name == "lookup" and "spool" not in to
                                       ), f"{name} holds {to}"


@pytest.mark.parametrize("name", CHILDREN)
def test_killed(lab, name):
    """Killed, it comes again, says so, and mail goes on with the new one."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    old = it.pids(name)
    others = {p for p in it.pids() if base.program(p) != name}
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    base.wait_until(lambda: len(it.pids(name)) == len(old) and
                    not set(old) & set(it.pids(name)), f"{name} again")
    it.logged(rf"{name}.*(died|killed|signal|exit)")
    base.wait_until(it.ready, "it answers")
    it.send("a@c.test", "c@x.test")
    r.wait(2)
    it.empty()
    assert others <= set(it.pids()), "another process went with it"


def test_growing_delay(lab):
    """Killed again and again, it comes later and later."""
    it = lab.postern(conf(lab.dns(), 1))
    waits = []
    for _ in range(6):
        pid = max(it.pids("control"), key=base.started)
        os.kill(pid, signal.SIGKILL)
        begin = time.monotonic()
        base.wait_until(lambda: set(it.pids("control")) - {pid},
                        "control again", step=0.005)
        waits.append(time.monotonic() - begin)
    assert waits[5] > 4 * waits[0] or waits[5] > 0.8, waits
    assert waits[5] < 15
    base.wait_until(lambda: it.ctl("show", "status", check=False).returncode
                    == 0, "it answers again")


def test_parent_killed(lab):
    """Without their parent the children end, and the spool can be had."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    it.ctl("pause")
    ident = it.send("a@c.test", "b@x.test")
    born = {p: base.started(p) for p in it.pids()}
    os.kill(it.pid, signal.SIGKILL)
    base.wait_until(lambda: not any(
        base.started(p) == b and base.program(p) and
        "Z" not in Path(f"/proc/{p}/stat").read_text().rpartition(")")[2][:3]
        for p, b in born.items()), "the children end", 45)
    it.child.stop()
    it.child = None
    it.start()
    assert [q["id"] for q in it.queue()] == [ident]
    it.ctl("resume")
    r.wait(1)


def test_sigterm(lab):
    """Stops within 10 s while sessions and deliveries are open."""
    from lib.receiver import SILENT
    r = lab.receiver(rcpt=SILENT)
    it = lab.postern(conf(lab.dns(), r.port))
    ident = it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: r.sessions, "a delivery is open")
    idle, data = it.smtp(), it.smtp()
    data.ehlo()
    data.mail("a@c.test")
    data.rcpt("b@x.test")
    data.putcmd("data")
    assert data.getreply()[0] == 354
    data.send(b"Subject: half\r\n\r\n")
    it.stop(within=10)
    for s in (idle, data):
        said = b""
        try:
            s.sock.settimeout(5)
            while True:
                got = s.sock.recv(4096)
                if not got:
                    break
                said += got
        except OSError:
            pass
        assert said == b"" or said.startswith(b"421 4.3.2"), said
        s.close()
    assert [q["id"] for q in it.queue()] == [ident]
    r.table["rcpt"] = "250 ok"
    it.start()
    it.ctl("flush", "all")
    r.wait(1)
    it.empty()


def test_not_twice(lab):
    """A second smtpd in the same directory says so and harms nothing."""
    it = lab.postern(conf(lab.dns(), 1))
    other = it.dir / "other.conf"
    other.write_text(it.conf_path.read_text().replace(
        str(it.port), str(base.free_port())))
    out = base.run([it.build / "smtpd", "-d", "-R", it.root, "-f", other])
    assert out.returncode != 0
    assert "another smtpd runs" in out.stdout + out.stderr
    it.send("a@c.test", "b@x.test")
    assert (it.root / "control.sock").exists()
    it.queue()


def test_two_instances(lab):
    """Side by side, each with its own queue; one relays to the other."""
    r = lab.receiver()
    dns = lab.dns()
    one = lab.postern(conf(dns, r.port))
    two = lab.postern(conf(host=f"smtp://127.0.0.1:{one.port}"))
    one.ctl("pause")
    ident = two.send("a@c.test", "b@x.test")
    two.empty()
    row, = one.queue()
    assert row["id"] != ident and row["recipient"] == "b@x.test"
    two.stop()
    one.ctl("resume")
    m, = r.wait(1)
    assert len(re.findall(rb"(?m)^Received:", m.content)) == 2


def test_ordinary_user(lab):
    """Without root: one user for all, said so, and mail goes through."""
    r = lab.receiver()
    dns = lab.dns()
    where = Path(tempfile.mkdtemp(prefix="postern-user-"))
    try:
        build = where / "build"
        build.mkdir()
        for name in ("smtpd", "smtpctl", "sendmail"):
            shutil.copy(base.BUILD / name, build / name)
        shutil.copytree(base.BUILD / "libexec", build / "libexec")
        nobody = pwd.getpwnam("nobody")
        home = where / "home"
        home.mkdir()
        for path in (where, build, home):
            path.chmod(0o755)
        it = lab.postern(conf(dns, r.port), build=build, start=False,
                         wrap=["setpriv", "--reuid=nobody",
                               "--regid=nogroup", "--clear-groups", "--"])
        os.chown(it.dir, nobody.pw_uid, nobody.pw_gid)
        os.chown(it.root, nobody.pw_uid, nobody.pw_gid)
        it.start()
        for pid in it.pids() + [it.pid]:
            assert status(pid)["Uid"] == [str(nobody.pw_uid)] * 4
        assert re.search(r"one-user|one user", it.log())
        it.send("a@c.test", "b@x.test")
        r.wait(1)
        it.empty()
        out = base.run(["setpriv", "--reuid=nobody", "--regid=nogroup",
                        "--clear-groups", "--", build / "smtpctl", "-R",
                        it.root, "show", "queue"])
        assert out.returncode == 0, out.stderr
        it.stop()
    finally:
        shutil.rmtree(where)


def idle_descriptors(lab):
    """How many descriptors a process of each program has with nothing to do."""
    it = lab.postern(conf(lab.dns(), 1))
    it.ctl("show", "status")
    found = {}
    for _ in range(8):
        # The client that found it ready may still be leaving.
        for p in it.pids():
            n = len(os.listdir(f"/proc/{p}/fd"))
            name = base.program(p)
            found[name] = min(n, found.get(name, n))
        time.sleep(0.1)
    it.stop()
    return found


def limited(lab, name, n):
    """A build directory in which that program may have n descriptors."""
    build = lab.path("build")
    (build / "libexec").mkdir(parents=True)
    for tool in ("smtpd", "smtpctl"):
        shutil.copy(base.BUILD / tool, build / tool)
    for path in (base.BUILD / "libexec").iterdir():
        (build / "libexec" / path.name).symlink_to(path)
    script = build / "libexec" / name
    script.unlink()
    script.write_text(f"#!/bin/sh\nulimit -n {n}\n"
                      f"exec {base.BUILD}/libexec/{name}\n")
    script.chmod(0o755)
    return build


def works(it):
    """True if a message is taken."""
    try:
        it.send("a@c.test", "b@x.test")
        return True
    except (AssertionError, OSError, smtplib.SMTPException):
        return False


def test_descriptor_limit(lab):
    """Sessions out of descriptors: strangers wait, who is in goes on, and when
    some leave the next ones are served."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port),
                     build=limited(lab, "session", 32 + 2 * 4))
    pids = it.pids()
    inside = it.smtp()
    inside.ehlo()
    crowd = [it.connect(5) for _ in range(60)]
    try:
        time.sleep(0.5)
        cpu = base.cpu_ticks(it.pid)
        submit(inside, "a@c.test", ["b@x.test"], "Subject: in\r\n\r\nx\r\n")
        r.wait(1)
        time.sleep(1)
        assert base.cpu_ticks(it.pid) - cpu < 60, "it spins"
    finally:
        for s in crowd:
            s.close()
    inside.quit()
    base.wait_until(lambda: works(it), "mail is taken again", 45, 0.3)
    r.wait(2)
    assert it.pids() == pids, "a process died of it"


def test_no_descriptor(lab):
    """No descriptor for a client: it hears 421, and the log says why."""
    used = idle_descriptors(lab)["session"]
    it = lab.postern(conf(lab.dns(), 1), build=limited(lab, "session", used),
                     start=False)
    it.start(wait=False)
    base.wait_until(lambda: f"started pid={it.pid} " in it.log(), "all run")
    pids = it.pids()

    def told():
        with it.connect(5) as s:
            return s.recv(100).startswith(b"421 4.3.2 ")
    base.wait_until(told, "421")
    base.wait_until(lambda: "no-descriptors" in it.log(), "the log says why")
    assert it.pids() == pids, "a process died of it"


@pytest.mark.parametrize("name", ["deliver", "queue"])
def test_descriptor_limit_inside(lab, name):
    """Deliver or queue out of descriptors: later, and nothing is lost."""
    used = idle_descriptors(lab)[name]
    r = lab.receiver(banner=lambda s: time.sleep(0.3) or "220 hi")
    names = {f"x{n}.test": ["A 127.0.0.1"] for n in range(60)}
    it = lab.postern(conf(lab.dns(names), r.port),
                     build=limited(lab, name, used + 6))
    it.ctl("pause")
    pids = it.pids()
    crowd = [it.smtp() for _ in range(20)]
    sent = 0
    for n in range(60):
        s = crowd[n % len(crowd)]
        try:
            submit(s, "a@c.test", [f"b@x{n}.test"], "Subject: x\r\n\r\nx\r\n")
            sent += 1
        except AssertionError as e:
            assert "(4" in str(e), e
            s.rset()
        # Some stay in the middle of their content.
        if n % 7 == 6:
            s.mail("a@c.test")
            s.rcpt("gone@x1.test")
            s.putcmd("data")
            s.getreply()
            crowd[n % len(crowd)] = it.smtp()
    assert sent > 0
    it.ctl("resume")
    try:
        base.wait_until(lambda: len(r.messages) >= sent, "all arrive", 60)
    except AssertionError:
        raise AssertionError(f"{len(r.messages)} of {sent} arrived; waiting: "
                             f"{it.ctl('show', 'queue').stdout}")
    assert it.pids() == pids, "a process died of it"


def test_max_sessions(lab):
    """More connections than configured wait, and come in as others leave."""
    it = lab.postern(conf(lab.dns(), 1,
                          lines=["smtp limit max-sessions 5"]))
    most = 5 * os.cpu_count()
    crowd = [it.connect(5) for _ in range(most + 10)]
    served = []

    def greeted():
        for s in crowd:
            s.settimeout(0.01)
            try:
                if s not in served and s.recv(100).startswith(b"220 "):
                    served.append(s)
            except OSError:
                pass
        return len(served)
    base.wait_until(lambda: greeted() >= most, "so many are served")
    time.sleep(1)
    assert greeted() == most
    said = it.logged(r"sessions-full sessions=(\d+)", os.cpu_count())
    assert said == ["5"] * os.cpu_count(), "once for each process"
    for s in served:
        s.close()
    for s in crowd:
        if s not in served:
            s.settimeout(45)
            assert s.recv(100).startswith(b"220 ")
            s.close()
