"""`make install`: what comes where, that it works from there, and that `make
uninstall` leaves nothing but what was edited; the units and what systemd's own
tools say of them.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from lib import base, localroot
from lib.instance import conf, state

NEEDS_ROOT = pytest.mark.skipif(not base.IS_ROOT, reason="becomes users")


class Installed:
    """A tree that was installed: its places, and make with these."""

    def __init__(self, top, build, dest=""):
        self.top, self.build, self.dest = top, build, dest
        self.places = {"PREFIX": top / "usr", "SYSCONFDIR": top / "etc",
                       "RUNDIR": top / "run/postern",
                       "SPOOLDIR": top / "var/spool/postern"}

    def make(self, *goals, check=True):
        out = base.run(
            ["make", "-C", base.ROOT, "--no-print-directory", f"B={self.build}",
             f"SAN={os.environ.get('POSTERN_SAN', '')}", *goals,
             *([f"DESTDIR={self.dest}"] if self.dest else []),
             *(f"{k}={v}" for k, v in self.places.items())],
            timeout=550,
            env={k: v for k, v in os.environ.items()
                 if not k.startswith("MAKE") and k != "MFLAGS"})
        assert not check or out.returncode == 0, out.stdout + out.stderr
        return out

    def files(self):
        """What is below top (and dest), without directories."""
        below = Path(f"{self.dest}{self.top}")
        return sorted(str(p.relative_to(below)) for p in below.rglob("*")
                      if not p.is_dir() or p.is_symlink())


@pytest.fixture(scope="module")
def build(shared_lab):
    """A copy of the build, so that other places can be compiled in."""
    to = shared_lab.path("build")
    to.mkdir()
    for name in ("obj", "libexec"):
        shutil.copytree(base.BUILD / name, to / name)
    for at in base.BUILD.iterdir():
        if at.is_file():
            shutil.copy2(at, to / at.name)
    return to


@pytest.fixture(scope="module")
def tree(shared_lab, build):
    """Installed where it is to run."""
    top = shared_lab.path("root")
    top.mkdir()
    (top / "etc").mkdir()
    it = Installed(top, build)
    it.make("install")
    it.made = it.files()
    return it


PROGRAMS = ("sbin/smtpd", "sbin/sendmail", "sbin/smtpctl")
LINKS = ("lib/sendmail", "bin/mailq", "bin/newaliases")
UNITS = ("postern.service", "postern.socket", "postern-smtp.socket",
         "postern-smtps.socket", "postern-submission.socket")


def test_files(tree):
    """Each where it is looked for, with the mode that it needs."""
    usr, etc = tree.top / "usr", tree.top / "etc"
    for at in PROGRAMS + tuple(
            f"libexec/postern/{p.name}"
            for p in (base.BUILD / "libexec").iterdir()):
        mode = (usr / at).stat().st_mode
        assert stat.S_IMODE(mode) == 0o755, at  # and no setuid, no setgid
    for at in LINKS:
        assert (usr / at).readlink() == Path("../sbin/sendmail"), at
    for page in (base.ROOT / "man").iterdir():
        assert (usr / f"share/man/man{page.suffix[1:]}" / page.name).exists()
    for at in ("postern/smtpd.conf", "aliases", "pam.d/smtp",
               "fail2ban/filter.d/postern.conf",
               "fail2ban/jail.d/postern.conf"):
        assert stat.S_IMODE((etc / at).stat().st_mode) == 0o644, at
    assert stat.S_IMODE((etc / "init.d/postern").stat().st_mode) == 0o755
    for unit in UNITS:
        assert (usr / "lib/systemd/system" / unit).exists()
    assert {p.name for p in (usr / "share/doc/postern/examples").iterdir()} \
        == {p.name.replace("example.", "")
            for p in (base.ROOT / "etc").glob("example.*.conf")}


def test_places(tree):
    """Nothing that was installed names a place where nothing is."""
    wrong = re.compile(
        rf"(?<!{re.escape(str(tree.top))})(/usr/(?:sbin|libexec/postern|share/"
        r"doc/postern)/|/etc/(?:postern|aliases)|/run/postern|"
        r"/var/spool/postern)")
    for at in tree.made:
        path = tree.top / at
        if path.is_symlink() or "/libexec/" in at or "/sbin/" in at:
            continue
        found = wrong.findall(path.read_text())
        # mailer.conf(5) of another system is its own.
        assert not found, (at, found)
    strings = (tree.top / "usr/sbin/smtpd").read_bytes()
    for place in ("etc/postern/smtpd.conf\0", "run/postern\0",
                  "var/spool/postern\0", "usr/libexec/postern\0"):
        assert f"{tree.top}/{place}".encode() in strings, place


def test_again(tree):
    """The same places: nothing is made anew.  Another one: what has it is,
    and nothing else."""
    before = (tree.build / "smtpctl").stat().st_mtime_ns
    objects = {p: p.stat().st_mtime_ns for p in tree.build.rglob("*.o")}
    tree.make("install")
    assert (tree.build / "smtpctl").stat().st_mtime_ns == before
    assert tree.files() == tree.made
    out = tree.make("-n", "all", "RUNDIR=/elsewhere")
    made = set(re.findall(r" -c -o \S+/obj/(\S+\.o)", out.stdout))
    # `make -n` does not write down what the places are: asked for in earnest.
    assert made <= {"common/places.o"}
    other = Installed(tree.top, tree.build)
    other.places = dict(tree.places, RUNDIR="/elsewhere/run")
    other.make(str(tree.build / "smtpd"))
    assert b"/elsewhere/run\0" in (tree.build / "smtpd").read_bytes()
    changed = {p.name for p, t in objects.items()
               if p.stat().st_mtime_ns != t}
    assert changed == {"places.o"}
    tree.make("all")
    assert b"/elsewhere" not in (tree.build / "smtpd").read_bytes()


def test_edited_is_kept(tree):
    """An installation over one leaves what belongs to the operator."""
    mine = tree.top / "etc/postern/smtpd.conf"
    text = mine.read_text()
    link = tree.top / "etc/aliases"
    aliases = link.read_text()
    link.unlink()
    link.symlink_to("elsewhere")
    mine.write_text("# mine\n" + text)
    try:
        out = tree.make("install")
        assert mine.read_text().startswith("# mine\n")
        assert link.readlink() == Path("elsewhere")
        for at in (mine, link):
            assert f"kept {at}" in out.stdout
    finally:
        mine.write_text(text)
        link.unlink()
        link.write_text(aliases)


def test_destdir(lab, build):
    """Below DESTDIR the same files come to the same places, whatever the
    umask, and all of them go again."""
    dest = lab.path("dest")
    it = Installed(Path("/opt/so,me&more"), build, dest)
    old = os.umask(0o077)
    try:
        it.make("install")
    finally:
        os.umask(old)
    made = it.files()
    assert "usr/sbin/smtpd" in made and "etc/postern/smtpd.conf" in made
    assert not [p for p in dest.rglob("*") if not p.is_symlink() and
                p.stat().st_mode & 0o044 != 0o044]
    usr = dest / "opt/so,me&more/usr"
    for at in LINKS:
        assert (usr / at).exists()
    assert "\nExecStart=/opt/so,me&more/usr/sbin/smtpd -F\n" in \
        (usr / "lib/systemd/system/postern.service").read_text()
    it.make("uninstall")
    assert it.files() == []
    assert not list(dest.rglob("*postern*"))
    # A second time there is nothing to do.
    it.make("uninstall")


def test_uninstall_keeps_what_was_edited(lab, build):
    dest = lab.path("dest")
    it = Installed(Path("/opt/x"), build, dest)
    it.make("install")
    mine = dest / "opt/x/etc/postern/smtpd.conf"
    mine.write_text(mine.read_text() + "# mine\n")
    (dest / "opt/x/etc/postern/secrets").write_text("x\n")
    out = it.make("uninstall")
    assert f"kept {mine}" in out.stdout
    assert it.files() == ["etc/postern/secrets", "etc/postern/smtpd.conf"]


# ---- it works from there ----

@pytest.fixture
def host(lab, tree):
    """A host with users, whose smtpd.conf is the one that was installed."""
    root = lab.keep(localroot.LocalRoot(lab.path("host")))
    root.user("ann")
    at = tree.top / "etc/postern/smtpd.conf"
    text = at.read_text()
    name = tree.top / "etc/mailname"
    name.write_text("mail.example.org\n")
    port = base.free_port()
    # What is a place of the host and not of the installation.
    changed = text.replace("/etc/mailname", str(name)).replace(
        "listen on localhost", f"listen on 127.0.0.1 port {port}")
    assert changed.count(str(tree.top)) >= 2 and str(port) in changed
    at.write_text(changed + "\nhostname host.example.org\n")
    root.port = port
    yield root
    at.write_text(text)
    name.unlink()


def ready(root, tree):
    out = root.run([tree.top / "usr/sbin/smtpctl", "show", "status"])
    return out.returncode == 0


@NEEDS_ROOT
def test_runs(lab, tree, host):
    """smtpd, sendmail, mailq, newaliases and smtpctl, without an option: in
    the background, mail of root and of a user arrives, and it stops."""
    usr = tree.top / "usr"
    out = host.run([usr / "sbin/smtpd", "-n"])
    assert out.returncode == 0 and "configuration OK" in out.stderr, out.stderr
    child = lab.child(host.wrap + [usr / "sbin/smtpd", "-d"])
    base.wait_until(lambda: child.running() and ready(host, tree) or
                    not child.running(), "it is up", 60)
    assert child.running(), child.log()
    run = tree.top / "run/postern"
    assert (run / "smtpd.sock").is_socket()
    assert (run / "smtpd.pid").read_text() == f"{child.pid}\n"
    assert (tree.top / "var/spool/postern").is_dir()
    here = {os.readlink(f"/proc/{p}/exe") for p in base.children(child.pid)}
    assert {os.path.dirname(p) for p in here} == \
        {str(usr / "libexec/postern")}, here
    for rcpt in ("postmaster", "ann"):
        message = lab.path("message")
        message.write_text("Subject: from there\n\nhello\n")
        with open(message, "rb") as f:
            out = host.run([usr / "lib/sendmail", rcpt], stdin=f, timeout=90)
        assert out.returncode == 0, out.stderr
    for user in ("root", "ann"):
        base.wait_until(lambda: host.mbox(user), f"mail of {user}", 30)
        text, = host.mbox(user)
        assert b"Subject: from there\n" in text
    assert b"@mail.example.org>" in host.mbox("ann")[0]
    for argv in (["bin/mailq"], ["bin/newaliases"],
                 ["sbin/smtpctl", "show", "queue"]):
        out = host.run([usr / argv[0], *argv[1:]], timeout=60)
        assert out.returncode == 0, (argv, out.stdout, out.stderr)
    assert child.stop() is not None and child.proc.returncode == 0
    assert not (run / "smtpd.pid").exists()
    shutil.rmtree(run)
    shutil.rmtree(tree.top / "var")


@NEEDS_ROOT
def test_init_script(tree, host):
    """Where there is no systemd: each verb, twice where that is allowed."""
    def init(verb, status=0, words=""):
        out = host.run(["sh", tree.top / "etc/init.d/postern", verb],
                       timeout=90)
        assert out.returncode == status, (verb, out.stdout, out.stderr)
        assert words in out.stdout + out.stderr, (verb, out.stdout)
    header = (tree.top / "etc/init.d/postern").read_text()
    for word in ("Provides", "Required-Start", "Required-Stop",
                 "Default-Start", "Default-Stop", "Short-Description"):
        assert re.search(rf"(?m)^# {word}: +\S", header)
    pid = tree.top / "run/postern/smtpd.pid"
    try:
        init("status", 3, "does not run")
        init("stop")
        init("start", 0, "at work")
        first = int(pid.read_text())
        init("start", 0, "runs already")
        init("status", 0, str(first))
        init("reload")
        assert int(pid.read_text()) == first
        init("restart", 0, "at work")
        second = int(pid.read_text())
        assert second != first and state(first) == "Z"
        at = tree.top / "etc/postern/smtpd.conf"
        text = at.read_text()
        at.write_text(text + "nonsense\n")
        # It is not stopped for a file with which it would not start.
        init("restart", 1, "nonsense")
        assert state(second) != "Z"
        at.write_text(text)
        init("nonsense", 2, "usage")
    finally:
        init("stop")
    init("status", 3)
    assert not pid.exists()
    shutil.rmtree(tree.top / "run")
    shutil.rmtree(tree.top / "var")


# ---- systemd's opinion ----

def units(tree):
    return tree.top / "usr/lib/systemd/system"


def test_verify(tree):
    """systemd-analyze verify has nothing to say of our units."""
    out = base.run(["systemd-analyze", "verify", "--man=no", *UNITS],
                   env=dict(os.environ,
                            SYSTEMD_UNIT_PATH=f"{units(tree)}:"), timeout=60)
    said = [x for x in (out.stdout + out.stderr).splitlines()
            if "postern" in x or str(tree.top) in x]
    assert not said, said
    assert out.returncode == 0, out.stdout + out.stderr
    for unit in UNITS:
        for page, part in re.findall(r"man:([\w.-]+)\((\d)\)",
                                     (units(tree) / unit).read_text()):
            assert (base.ROOT / "man" / f"{page}.{part}").exists(), page


def test_verify_would_say_so(tree, tmp_path):
    """That test would fail."""
    text = (units(tree) / "postern.service").read_text()
    (tmp_path / "postern.service").write_text(
        text.replace("/sbin/smtpd -F", "/sbin/none").replace(
            "KillMode=mixed", "KillMode=mixd"))
    out = base.run(["systemd-analyze", "verify", "--man=no",
                    tmp_path / "postern.service"], timeout=60)
    assert "sbin/none" in out.stderr and "mixd" in out.stderr


def test_unit_words(tree):
    """What a host MTA wants of its unit beside the hardening."""
    text = (units(tree) / "postern.service").read_text()
    words = {}
    for name, value in re.findall(r"(?m)^(\w+)=(.*)$", text):
        words.setdefault(name, []).extend(value.split())
    assert words["Type"] == ["notify"] and int(words["WatchdogSec"][0]) > 0
    # It is up before the network is, and not for one.
    assert {"network.target", "nss-lookup.target"} <= set(words["After"])
    assert not any("network-online" in w for v in words.values() for w in v)
    assert words["ConditionPathExists"] == [
        str(tree.top / "etc/postern/smtpd.conf")]
    assert words["ExecReload"][-1] == "reload"
    # An error of the configuration is not tried again and again.
    assert words["RestartPreventExitStatus"] == ["64", "78"]
    assert "@system-service" in words["SystemCallFilter"]
    assert set(words["CapabilityBoundingSet"]) <= {f"CAP_{n}" for n in (
        "SETUID SETGID KILL SYS_CHROOT NET_BIND_SERVICE CHOWN FOWNER "
        "DAC_OVERRIDE DAC_READ_SEARCH AUDIT_WRITE").split()}
    assert words["RestrictAddressFamilies"] == [
        "AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"]
    for unit in UNITS[1:]:
        assert re.search(r"(?m)^ListenStream=", (units(tree) / unit).read_text())


def test_exposure(tree, record_property):
    """Not above 4.5 of 10, where 10 is what a service without a word has."""
    out = base.run(["systemd-analyze", "security", "--offline=yes",
                    "--threshold=45", units(tree) / "postern.service"],
                   timeout=60)
    level = re.search(r"exposure level for postern.service: ([\d.]+)",
                      out.stdout)
    assert level and out.returncode == 0, out.stdout + out.stderr
    assert float(level[1]) <= 4.5
    record_property("note", f"systemd-analyze security: {level[1]} of 10")


@NEEDS_ROOT
def test_users_and_directories(tree, tmp_path):
    """systemd-sysusers and systemd-tmpfiles make what smtpd would."""
    (tmp_path / "etc").mkdir()
    for tool, more, file in (
            ("systemd-sysusers", [], "sysusers.d/postern.conf"),
            ("systemd-tmpfiles", ["--create"], "tmpfiles.d/postern.conf")):
        out = base.run([tool, f"--root={tmp_path}", *more,
                        tree.top / "usr/lib" / file], timeout=60)
        assert out.returncode == 0, out.stderr
    passwd = dict(line.split(":", 1) for line in
                  (tmp_path / "etc/passwd").read_text().splitlines())
    assert {"_smtpd", "_smtpl", "_smtpg", "_smtpk", "_smtpq", "_smtpout",
            "_smtpctl"} <= set(passwd)
    assert all("nologin" in passwd[n] for n in passwd if n[0] == "_")
    spool = Path(f"{tmp_path}{tree.top}/var/spool/postern").stat()
    assert spool.st_uid == int(passwd["_smtpq"].split(":")[1])
    assert stat.S_IMODE(spool.st_mode) == 0o700
    empty = Path(f"{tmp_path}{tree.top}/run/postern/empty").stat()
    assert stat.S_IMODE(empty.st_mode) == 0o555 and empty.st_uid == 0


def test_ports_of_the_units(tree, lab):
    """The sockets of a unit are those of the configuration that its comment
    names."""
    for unit, port in (("smtp", 25), ("smtps", 465), ("submission", 587)):
        text = (units(tree) / f"postern-{unit}.socket").read_text()
        wanted = set(re.findall(r"(?m)^ListenStream=(\S+)", text))
        said = re.search(r"(?m)^#     (listen on .*)", text)[1]
        lines = [line.replace("...", "pki x auth" if unit != "smtp" else "")
                 for line in said.split("; ")]
        if unit == "submission":
            lines = [line.replace("pki", "tls pki") for line in lines]
        out = base.run(["openssl", "req", "-x509", "-newkey", "ec",
                        "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", lab.dir / "k", "-out", lab.dir / "c",
                        "-days", "9", "-subj", "/CN=x"])
        assert out.returncode == 0, out.stderr
        (lab.dir / "k").chmod(0o600)
        file = lab.path("conf")
        file.write_text(conf(listen="\n".join(
            [f'pki x cert "{lab.dir}/c" key "{lab.dir}/k"', *lines])))
        out = base.run([base.BUILD / "smtpd", "-nv", "-R", lab.path("r"),
                        "-f", file])
        assert out.returncode == 0, out.stderr
        have = set()
        for address, number in re.findall(
                r"(?m)^listen on (\S+).*? port (\d+)", out.stdout):
            address = {"localhost": "127.0.0.1"}.get(address, address)
            have.add(f"[{address}]:{number}" if ":" in address
                     else f"{address}:{number}")
        assert have and have <= wanted, (unit, have, wanted)
        assert {w.rsplit(":", 1)[1] for w in wanted} == {str(port)}


# ---- at the end: it goes again ----

def test_uninstall(tree):
    """Nothing is left of what was installed, nor a folder of ours."""
    assert tree.files() == tree.made, set(tree.files()) ^ set(tree.made)
    tree.make("uninstall")
    assert tree.files() == []
    assert not [p for p in tree.top.rglob("*postern*")]
