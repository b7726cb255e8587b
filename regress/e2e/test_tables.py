"""Tables of each kind in a daemon's rules, and what happens to mail when one
cannot answer: it is put off, and never refused.

SPDX-License-Identifier: ISC
"""
import os
import pwd
import re
import signal
import textwrap
import threading
import time
from pathlib import Path

import pytest

from lib import base
from lib.instance import conf


def ask(it, *rcpts, sender="a@c.test", helo=None):
    """The codes of RCPT for each."""
    with it.smtp() as s:
        s.ehlo(helo or "c.test")
        code, said = s.mail(sender)
        assert code == 250, said
        codes = [s.rcpt(r)[0] for r in rcpts]
    return codes


def stage(lab, *rules, lines=(), start=True, **kw):
    return lab.postern(conf(lab.dns(), lines=lines, rules=[
        'action "out" relay port 1', *rules]), start=start, **kw)


FOR_T = 'match from any for domain <t> action "out"'


def makemap(text, out, *args, check=True):
    """smtpctl makemap, from its standard input."""
    source = Path(str(out) + ".text")
    source.write_text(text)
    got = base.run([base.BUILD / "smtpctl", "makemap", *args, "-o", out,
                    source], timeout=60)
    assert not check or got.returncode == 0, got.stderr
    return got


# ---- each kind ----

def test_inline(lab):
    it = stage(lab, FOR_T, lines=["table t { x.test, *.y.test }"])
    assert ask(it, "b@x.test", "b@a.y.test", "b@z.test") == [250, 250, 550]


def test_file(lab):
    """A list and its ways to be written; a bad line is set aside and named."""
    path = lab.path("domains")
    path.write_text("# ours\nx.test\n\n  *.y.test  # all of it\nz.test: v\n"
                    "bad\001key\nmünchen.test\n")
    it = stage(lab, FOR_T, lines=[f"table t file:{path}"])
    assert ask(it, "b@x.test", "b@X.TEST", "b@a.y.test", "b@z.test",
               "b@w.test", "b@xn--mnchen-3ya.test") == \
        [250, 250, 250, 250, 550, 250]
    it.logged(r'table-line table="t" line=6 ')


def test_src(lab):
    path = lab.path("nets")
    path.write_text("10.0.0.0/8\n127.0.0.1\n2001:db8::/32\n::1\n")
    it = stage(lab, 'match from src <t> for domain "x.test" action "out"',
               'match from any for domain "y.test" action "out"',
               lines=[f"table t file:{path}"])
    assert ask(it, "b@x.test", "b@y.test") == [250, 250]
    it.stop()
    path.write_text("10.0.0.0/8\n2001:db8::/32\n")
    it.start()
    assert ask(it, "b@x.test", "b@y.test") == [550, 250]


def test_mail_addresses(lab):
    """mail-from and rcpt-to: addresses, domains, users, tags, patterns."""
    path = lab.path("addresses")
    path.write_text("joe@s.test\n@whole.test\nuser\neve@*.pat.test\n")
    it = stage(lab, 'match from any mail-from <t> for domain "x.test" '
               'action "out"',
               'match from any for domain "y.test" rcpt-to <t> action "out"',
               lines=[f"table t file:{path}"])
    for sender, code in (("joe@s.test", 250), ("JOE+tag@S.test", 250),
                         ("ann@s.test", 550), ("any@whole.test", 250),
                         ("user@what.test", 250), ("eve@a.pat.test", 250),
                         ("adam@a.pat.test", 550), ("", 550)):
        assert ask(it, "b@x.test", sender=sender) == [code], sender
    assert ask(it, "user+x@y.test", "other@y.test") == [250, 550]


def test_regex(lab):
    path = lab.path("expressions")
    path.write_text("^spam[0-9]+@\n# a comment\n[.]bad[.]test$\n")
    it = stage(lab, 'match from any mail-from regex <t> for any reject',
               'match from any for any action "out"',
               lines=[f"table t file:{path}"])
    for sender, code in (("spam12@s.test", 550), ("SPAM1@s.test", 550),
                         ("spam@s.test", 250), ("x@mx.bad.test", 550),
                         ("x@mx.good.test", 250)):
        assert ask(it, "b@x.test", sender=sender) == [code], sender


def test_passwd(lab):
    """Who has a passwd: table asked for what it does not hold is put off."""
    path = lab.path("passwd")
    path.write_text("joe:x:1000:1000::/home/joe:/bin/sh\n")
    it = stage(lab, FOR_T, lines=[f"table t passwd:{path}"], start=False)
    it.start(wait=False)
    base.wait_until(lambda: "started" in it.log() or not it.child.running(),
                    "it runs or says why not")
    if it.child.running():
        assert ask(it, "b@x.test") == [451]
    else:  # the configuration's check knows better
        assert "passwd" in it.log()
        it.child.stop()
        it.child = None


def test_db(lab):
    path = lab.path("domains.db")
    makemap("x.test\n*.y.test\nmail*.z.test\n", path, "-t", "set")
    it = stage(lab, FOR_T, lines=[f"table t db:{path}"])
    assert ask(it, "b@x.test", "b@a.y.test", "b@mail1.z.test", "b@z.test") == \
        [250, 250, 250, 550]


def test_db_of_addresses(lab):
    path = lab.path("nets.db")
    makemap("127.0.0.0/8\n::1\n", path, "-t", "set")
    it = stage(lab, 'match from src <t> for any action "out"',
               lines=[f"table t db:{path}"])
    assert ask(it, "b@x.test") == [250]


def test_secret_table(lab):
    """What only root can read is handed in, though lookup is somebody else."""
    text, db = lab.path("secret"), lab.path("secret.db")
    text.write_text("x.test\n")
    makemap("y.test\n", db, "-t", "set")
    for path in (text, db):
        path.chmod(0o600)
    it = stage(lab, FOR_T, 'match from any for domain <u> action "out"',
               lines=[f"table t file:{text}", f"table u db:{db}"])
    assert ask(it, "b@x.test", "b@y.test", "b@z.test") == [250, 250, 550]


# ---- values ----

ALIASES = """# who gets what
root: ann@x.test
staff: ann@x.test,
  bob@x.test
"quoted user"@v.test: ann@x.test
no-value
ann@v.test  ann@x.test  # comment
@all.test: ann@x.test
"""


def asks_aliases(lab, line):
    """Values reach who asks for them; a key without one is put off."""
    it = stage(lab, 'match from any for domain { "v.test", "all.test" } '
               'action "in"', 'match from any for any action "out"',
               lines=[line, 'action "in" expand-only virtual <t>'])
    assert ask(it, "ann@v.test", "ANN@V.test", "ann+tag@v.test", "who@v.test",
               "root@v.test", "who@all.test", '"quoted user"@v.test') == \
        [250, 250, 250, 550, 250, 250, 250]
    return it


def test_alias_file(lab):
    path = lab.path("aliases")
    path.write_text(ALIASES)
    it = asks_aliases(lab, f"table t file:{path}")
    it.logged(r'table-line table="t" line=6 error="no value" key="no-value"')
    assert ask(it, "no-value@v.test", "staff@v.test") == [451, 250]


def test_alias_db(lab):
    path = lab.path("aliases.db")
    makemap(ALIASES.replace("no-value\n", ""), path, "-t", "aliases")
    asks_aliases(lab, f"table t db:{path}")


def test_two_million_aliases(lab):
    """As text and as a database: up within seconds, and in bounded memory."""
    n = 2_000_000
    text = "".join(f"user{i * 7919 % n}@v.test: target{i}@x.test\n"
                   for i in range(n))
    file, db = lab.path("aliases"), lab.path("aliases.db")
    file.write_text(text)
    makemap(text, db, "-t", "aliases")
    slow = 5 if base.SANITIZED else 1
    for line in (f"table t file:{file}", f"table t db:{db}"):
        it = stage(lab, 'match from any for domain "v.test" action "in"',
                   'match from any for any action "out"',
                   lines=[line, 'action "in" expand-only virtual <t>'])
        assert base.cpu_ticks(it.pid) < 1500 * slow
        rss = base.rss_kib(it.pids("lookup")[0])
        assert rss < 250_000 * slow, rss
        assert ask(it, "user0@v.test", "user1999999@v.test", "user7@v.test",
                   "user2000000@v.test") == [250, 250, 250, 550]
        it.stop()


def test_updated(lab):
    """`smtpctl update table`: the new file is in use, and meanwhile the old
    one answers; one that cannot be used changes nothing."""
    path = lab.path("domains")
    path.write_text("x.test\n")
    it = stage(lab, FOR_T, lines=[f"table t file:{path}"])
    assert ask(it, "b@x.test", "b@y.test") == [250, 550]
    path.write_text("x.test\ny.test\n" + "".join(
        f"host{i}.test\n" for i in range(500_000)))
    it.ctl("update", "table", "t")
    assert ask(it, "b@x.test") == [250]
    base.wait_until(lambda: ask(it, "b@x.test", "b@y.test") == [250, 250],
                    "the new file is in use")
    path.unlink()
    path.mkdir()
    it.ctl("update", "table", "t", check=False)
    time.sleep(0.5)
    assert ask(it, "b@x.test", "b@y.test", "b@z.test") == [250, 250, 550]


# ---- tables that cannot be read ----

def break_db(path, how):
    makemap("".join(f"host{i}.test\n" for i in range(5000)), path, "-t", "set")
    data = bytearray(path.read_bytes())
    if how == "text":
        data = b"x.test\n"
    elif how == "empty":
        data = b""
    elif how == "cut":
        data = data[:len(data) // 2]
    elif how == "damaged":
        for at in range(4096, len(data), 4096):
            data[at:at + 64] = os.urandom(64)
    elif how == "zeros":
        data[4096:-40] = bytes(len(data) - 4136)
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["text", "empty", "cut", "damaged", "zeros"])
def test_broken_db(lab, how):
    """Found so by a lookup that starts again, mail is put off; nothing
    crashes; what other rules say still holds."""
    path = lab.path("broken.db")
    makemap("x.test\n", path, "-t", "set")
    it = stage(lab, 'match from any for domain "y.test" action "out"', FOR_T,
               lines=[f"table t db:{path}"])
    break_db(path, how)
    old = it.pids("lookup")
    os.kill(old[0], signal.SIGKILL)
    lookup = base.wait_until(lambda: it.pids("lookup") not in ([], old) and
                             it.pids("lookup"), "lookup again")
    assert ask(it, "b@host1.test", "b@y.test", "b@z.test") == [451, 250, 451]
    it.logged(r'table-unreadable table="t" error="[^"]+" old_one=none')
    assert it.pids("lookup") == lookup


def test_table_gone(lab):
    """A file that is not there when lookup starts again: put off, until it
    is read again."""
    path = lab.path("domains")
    path.write_text("x.test\n")
    it = stage(lab, 'match from any for domain "y.test" action "out"', FOR_T,
               lines=[f"table t file:{path}"])
    assert ask(it, "b@x.test", "b@z.test") == [250, 550]
    path.unlink()
    for expect in (451, 250):
        old = it.pids("lookup")
        os.kill(old[0], signal.SIGKILL)
        base.wait_until(lambda: it.pids("lookup") not in ([], old),
                        "lookup again")
        assert ask(it, "b@x.test", "b@y.test") == [expect, 250]
        path.write_text("x.test\n")
    it.logged("no-file .*domains")


# ---- a database that is replaced ----

def test_db_replaced(lab):
    """New files take the old one's place 50 times while it is asked.  x.test
    stands in each, z.test in none, and gen-N.test comes with the N-th."""
    path = lab.path("domains.db")

    def write(n):
        makemap("x.test\n" + "".join(f"gen-{i}.test\n" for i in range(n + 1))
                + "".join(f"host{i}.test\n" for i in range(20000)), path,
                "-t", "set")
    write(0)
    it = stage(lab, FOR_T, lines=[f"table t db:{path}"])
    wrong, asked, over = [], [0], threading.Event()

    def load():
        while not over.is_set():
            with it.smtp() as s:
                s.ehlo("c.test")
                s.mail("a@c.test")
                for _ in range(6):
                    got = [s.rcpt(r)[0] for r in ("b@x.test", "b@z.test")]
                    asked[0] += 2
                    if got != [250, 550]:
                        wrong.append(got)
    threads = [threading.Thread(target=load) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        for n in range(1, 51):
            write(n)
        base.wait_until(lambda: ask(it, "b@gen-50.test") == [250],
                        "the last one is in use", 45, 0.3)
    finally:
        over.set()
        for t in threads:
            t.join(60)
    assert not wrong, wrong[:5]
    assert asked[0] > 500, asked
    assert "table-unreadable" not in it.log()


# ---- makemap ----

def test_makemap_refuses(lab):
    """Each bad line is named; the old file stays as it is."""
    path = lab.path("aliases.db")
    makemap("a: b\n", path, "-t", "aliases")
    before = path.read_bytes(), path.stat().st_ino
    got = makemap("a: b\nb\n: c\nd: e,,f\nA: again\n\001x: y\n", path,
                  "-t", "aliases", check=False)
    assert got.returncode == 65
    for line in (2, 3, 4, 5, 6):
        assert re.search(rf"\.text:{line}: \S", got.stderr), got.stderr
    assert (path.read_bytes(), path.stat().st_ino) == before
    assert sorted(p.name for p in path.parent.glob(path.name + "*")) == \
        [path.name, path.name + ".text"]


def test_makemap_keeps(lab):
    """Mode, owner and a link to the file outlive it; what is printed is what
    went in."""
    path, link = lab.path("map.db"), lab.path("link.db")
    makemap("k v\n", path)
    os.chown(path, 12, 34)
    path.chmod(0o640)
    link.symlink_to(path)
    makemap("K  two words\n*.Example.org x\n10.0.0.0/8 net\n", link)
    st = path.stat()
    assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (12, 34, 0o640)
    assert link.is_symlink()
    got = base.run([base.BUILD / "smtpctl", "makemap", "-U", path])
    assert got.stdout.splitlines() == ["*.example.org\tx", "10.0.0.0/8\tnet",
                                       "k\ttwo words"]


def test_makemap_by_name(lab):
    """A link named makemap is the same; without -o the file is SOURCE.db."""
    link, source = lab.dir / "makemap", lab.path("source")
    link.symlink_to(base.BUILD / "smtpctl")
    source.write_text("a\nb\n")
    got = base.run([link, "-t", "set", source])
    assert got.returncode == 0, got.stderr
    got = base.run([link, "-U", str(source) + ".db"])
    assert got.stdout.split() == ["a", "b"]
    assert base.run([link, "-t", "what", source]).returncode == 64
    assert base.run([link, lab.dir / "nothing"]).returncode == 66


# ---- programs ----

PROGRAM = r'''
import os, sys, time
where = sys.argv[1]
mode = lambda: open(where + "/mode").read().strip()
out = os.fdopen(1, "wb", 0)
say = lambda text: out.write(text.encode() + b"\n")
with open(where + "/pids", "a") as f:
    f.write("%d\n" % os.getpid())
sys.stderr.write("hello from the program\n")
sys.stderr.flush()
if mode() == "die-at-once":
    sys.exit(1)
config = {}
for line in sys.stdin:
    line = line.rstrip("\n")
    field = line.split("|", 7)
    if field[0] == "config" and field[1] != "ready":
        config[field[1]] = field[2]
        continue
    if field[0] == "config":
        assert config["protocol"] == "0.1" and config["tablename"] == "t", config
        if mode() == "no-handshake":
            time.sleep(1000)
        if mode() == "registers-nonsense":
            say("hello there")
        for service in open(where + "/services").read().split():
            say("register|" + service)
        say("register|ready")
        continue
    with open(where + "/asked", "a") as f:
        f.write(line + "\n")
    assert field[0] == "table" and field[1] == "0.1" and field[3] == "t"
    if field[4] == "update":
        say("update-result|%s|ok" % field[5])
        continue
    op, service, ident, key = field[4], field[5], field[6], field[7]
    how = mode()
    if how == "die":
        os._exit(3)
    if how == "hang":
        time.sleep(1000)
    if how == "nonsense":
        say("what do you want?")
        continue
    if how == "wrong-number":
        say("%s-result|fffff|found" % op)
        continue
    if how == "flood":
        while True:
            out.write(b"x" * 65536)
    if how == "flood-lines":  # answers that nobody waits for any more
        while True:
            out.write(b"check-result|%x|found\n" % (int(ident, 16) - 1)
                      * 1000)
    if how == "error":
        say("%s-result|%s|error|the database is away" % (op, ident))
        continue
    if how == "late":
        time.sleep(7)
    found = key in open(where + "/keys").read().split()
    say("%s-result|%s|%s" % (op, ident, "found" if found else "not-found"))
'''


class Program:
    """A table program, its behaviour in a file."""

    def __init__(self, lab, mode="good", services="domain", extra=""):
        self.dir = lab.path("program")
        self.dir.mkdir()
        self.dir.chmod(0o777)
        (self.dir / "program.py").write_text(textwrap.dedent(PROGRAM))
        (self.dir / "keys").write_text("x.test\n")
        (self.dir / "services").write_text(services)
        self.mode(mode)
        self.line = (f'table t "proc:/usr/bin/python3 {self.dir}/program.py '
                     f'{self.dir}{extra}"')

    def mode(self, how):
        new = self.dir / "mode.new"
        new.write_text(how)
        new.rename(self.dir / "mode")

    def pids(self):
        try:
            return [int(p) for p in (self.dir / "pids").read_text().split()]
        except FileNotFoundError:
            return []

    def asked(self):
        return (self.dir / "asked").read_text().splitlines()


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text() \
            .rpartition(")")[2][:3]
    except FileNotFoundError:
        return False


def answers_again(it, timeout=30):
    base.wait_until(lambda: ask(it, "b@x.test", "b@y.test") == [250, 550],
                    "the table answers again", timeout, 0.2)


def test_program(lab):
    """The handshake, questions in lower case, its words in the log."""
    program = Program(lab)
    it = stage(lab, FOR_T, lines=[program.line])
    assert ask(it, "b@x.test", "b@X.TEST", "b@y.test") == [250, 250, 550]
    it.logged(r'program-up table="t" services=domain')
    it.logged(r'program-says table="t" text="hello from the program"')
    assert re.fullmatch(r"table\|0\.1\|\d+\.\d{6}\|t\|check\|domain\|[0-9a-f]+"
                        r"\|x\.test", program.asked()[0]), program.asked()
    assert len(program.pids()) == 1


def test_program_updated(lab):
    """`smtpctl update table` is passed on to it."""
    program = Program(lab)
    it = stage(lab, FOR_T, lines=[program.line])
    answers_again(it)
    it.ctl("update", "table", "t")
    it.logged(r'program-updated table="t"')
    assert re.fullmatch(r"table\|0\.1\|\d+\.\d{6}\|t\|update\|[0-9a-f]+",
                        program.asked()[-1])
    assert len(program.pids()) == 1


def test_program_is_nobody(lab):
    """Its user, groups, session, descriptors and environment are those that
    the manual names."""
    program = Program(lab)
    it = stage(lab, FOR_T, lines=[program.line])
    answers_again(it)
    pid = program.pids()[0]
    user = pwd.getpwnam("_smtpl")
    rows = dict(r.partition(":\t")[::2] for r in
                Path(f"/proc/{pid}/status").read_text().splitlines())
    assert rows["Uid"].split() == [str(user.pw_uid)] * 4
    assert rows["Gid"].split() == [str(user.pw_gid)] * 4
    assert rows["Groups"].split() in ([], [str(user.pw_gid)])
    assert rows["NoNewPrivs"] == "1"
    for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(rows[caps], 16) == 0
    assert int(rows["SigIgn"], 16) & 1 << signal.SIGTERM - 1 == 0
    fds = {fd.name: os.readlink(fd)
           for fd in Path(f"/proc/{pid}/fd").iterdir()}
    assert set(fds) == {"0", "1", "2"}, fds
    assert fds["0"] == fds["1"] and fds["0"].startswith("socket:")
    assert fds["2"].startswith("pipe:")
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert [e.partition(b"=")[0] for e in environ if e] == [b"PATH"], environ
    assert os.getsid(pid) == pid != os.getsid(it.pid)
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
                 .split()[1])
    assert base.program(parent) == "spawn"


@pytest.mark.parametrize("mode", ["die", "hang", "nonsense", "wrong-number",
                                  "flood", "flood-lines", "error", "late",
                                  "die-at-once", "no-handshake",
                                  "registers-nonsense"])
def test_program_fails(lab, mode):
    """However it fails, mail is put off and other mail is not; when it is
    well again, so is mail."""
    program = Program(lab, mode)
    it = stage(lab, 'match from any for domain "w.test" action "out"', FOR_T,
               lines=[program.line])
    lookup = it.pids("lookup")
    begin = time.monotonic()
    assert ask(it, "b@x.test", "b@w.test") == [451, 250]
    assert time.monotonic() - begin < 28
    assert ask(it, "b@y.test") == [451]
    program.mode("good")
    answers_again(it)
    assert it.pids("lookup") == lookup
    if mode == "error":
        it.logged(r'program-error table="t" text="the database is away"')
        assert len(program.pids()) == 1
    elif mode != "late":
        it.logged(r'program-lost table="t" failures=\d+ open=\d+ why="[^"]+"')
        base.wait_until(lambda: sum(map(alive, program.pids())) == 1,
                        "of all that were started one is left", 45)


def test_program_dies_while_asked(lab):
    """A question that is open when it dies is put to the next one."""
    program = Program(lab)
    it = stage(lab, FOR_T, lines=[program.line])
    answers_again(it)
    for _ in range(3):
        program.mode("hang")
        codes = []
        asker = threading.Thread(
            target=lambda: codes.append(ask(it, "b@x.test")))
        before = len(program.asked())
        asker.start()
        base.wait_until(lambda: len(program.asked()) > before, "it was asked")
        program.mode("good")
        os.kill(program.pids()[-1], signal.SIGKILL)
        asker.join(20)
        assert codes == [[250]]


def test_program_restarts_slowly(lab):
    """One that always dies is not started all the time."""
    program = Program(lab, "die-at-once")
    it = stage(lab, FOR_T, lines=[program.line])
    time.sleep(6)
    assert len(program.pids()) <= 12, len(program.pids())
    base.wait_until(lambda: len(program.pids()) >= 3, "it is started again")
    program.mode("good")
    answers_again(it)


def test_program_service_not_registered(lab):
    program = Program(lab, services="alias mailaddr auth")
    it = stage(lab, FOR_T, lines=[program.line])
    it.logged(r'program-up table="t" services=alias,mailaddr')
    for _ in range(3):
        assert ask(it, "b@x.test") == [451]
    it.stop()
    assert len(re.findall(r'program-lacks table="t" service=domain',
                          it.log())) == 1


def test_program_noise(lab):
    """Much on its standard error is cut off, and holds nothing up."""
    program = Program(lab)
    text = (program.dir / "program.py").read_text()
    (program.dir / "program.py").write_text(text.replace(
        "    how = mode()\n",
        '    how = mode()\n    sys.stderr.write("noise %s\\n" % ("z" * 3000) '
        '* 2000)\n'))
    it = stage(lab, FOR_T, lines=[program.line])
    for _ in range(3):
        answers_again(it)
    said = re.findall(r"program-says.*", it.log())
    assert 5 <= len(said) <= 40, len(said)
    assert max(map(len, said)) < 600


def test_program_not_there(lab):
    """What cannot be started at all is an error of the configuration."""
    for line, what in (("table t proc:/nonexistent/program", "/nonexistent"),
                       ("table t no-such-type:/x", "no-such-type"),
                       ("table t \"proc:/bin/true 'open\"", "quote")):
        it = stage(lab, FOR_T, lines=[line], start=False)
        it.start(wait=False)
        base.wait_until(lambda: not it.child.running(), "it ends")
        assert re.search(rf"smtpd\.conf:\d+.*{what}", it.log()), it.log()
        it.child.stop()
        it.child = None


def test_programs_end_with_smtpd(lab):
    """In order, by a kill of spawn, by a kill of the parent; also one that
    ignores the end of its input and SIGTERM, and what it started."""
    program = Program(lab)
    text = (program.dir / "program.py").read_text()
    (program.dir / "program.py").write_text(
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['/bin/sleep', '1000'])\n" +
        text.replace("f.write(\"%d\\n\" % os.getpid())",
                     "f.write(\"%d\\n%d\\n\" % (child.pid, os.getpid()))") +
        "\nimport time\ntime.sleep(1000)\n")
    it = stage(lab, FOR_T, lines=[program.line])
    answers_again(it)
    first = program.pids()
    assert len(first) == 2 and all(map(alive, first))
    it.stop()
    assert not any(map(alive, first)), "they outlived smtpd"
    it.start()
    answers_again(it)
    second = program.pids()[2:]
    os.kill(it.pids("spawn")[0], signal.SIGKILL)
    base.wait_until(lambda: not alive(second[1]), "it ends with spawn")
    os.kill(second[0], signal.SIGKILL)
    answers_again(it)
    third = program.pids()[-2:]
    assert third != second and all(map(alive, third))
    it.kill()
    base.wait_until(lambda: not any(map(alive, third)),
                    "they end with the parent", 45)


def test_lookup_killed(lab):
    """A new lookup has new programs; the old ones are gone."""
    program = Program(lab)
    it = stage(lab, FOR_T, lines=[program.line])
    answers_again(it)
    old = program.pids()
    os.kill(it.pids("lookup")[0], signal.SIGKILL)
    base.wait_until(lambda: not any(map(alive, old)), "the old one is gone")
    answers_again(it)
    assert len(program.pids()) == 2


def test_program_and_reload(lab):
    """The new generation has its own program; the old one's ends with it, and
    no question is lost between them."""
    program = Program(lab)
    it = stage(lab, FOR_T, lines=[program.line])
    answers_again(it)
    old = program.pids()[0]
    it.ctl("reload")
    assert ask(it, "b@x.test", "b@y.test") == [250, 550]
    base.wait_until(lambda: not alive(old), "the old program ends", 45)
    assert sum(map(alive, program.pids())) == 1
    assert ask(it, "b@x.test", "b@y.test") == [250, 550]


def test_program_of_an_ordinary_user(lab):
    """Who starts smtpd without being root is who its programs run as."""
    program = Program(lab)
    it = stage(lab, FOR_T, lines=[program.line], start=False)
    nobody = pwd.getpwnam("nobody")
    for path in (it.dir, it.root):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    it.wrap = ["setpriv", "--reuid=nobody", "--regid=nogroup",
               "--clear-groups", "--"]
    it.start()
    answers_again(it)
    rows = Path(f"/proc/{program.pids()[0]}/status").read_text()
    assert re.search(rf"^Uid:(\s+{nobody.pw_uid}){{4}}$", rows, re.M), rows
    it.stop()
    assert not any(map(alive, program.pids()))


def test_check_starts_no_program(lab):
    """smtpd -n says that the configuration is good, and starts nothing."""
    program = Program(lab)
    it = stage(lab, FOR_T, lines=[program.line], start=False)
    got = base.run([base.BUILD / "smtpd", "-n", "-f", it.conf_path])
    assert got.returncode == 0, got.stderr
    assert not program.pids()
    it.child = None
