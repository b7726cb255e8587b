"""libexec/local by itself: mailboxes, Maildirs, programs and files that are
read, as their users, with all that users and strangers may do to them.

SPDX-License-Identifier: ISC
"""
import fcntl
import os
import re
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import base
from lib.local import FILE, JUNK, OTHER, PIPE, Local
from lib.localroot import LocalRoot

pytestmark = pytest.mark.skipif(not base.IS_ROOT, reason="becomes users")

PLAIN = b"Subject: x\r\n\r\nhello\r\n"
BIG = b"Subject: big\r\n\r\n" + b"0123456789abcde\r\n" * 90000


@pytest.fixture(scope="module")
def root(shared_lab):
    return shared_lab.keep(LocalRoot(shared_lab.path("root"), mail_size="4m",
                                     home_size="64m"))


@pytest.fixture
def local(root):
    return Local(root)


@pytest.fixture
def user(root):
    """A new one for each test."""
    name = f"u{root.next_uid}"
    root.user(name)
    return name


@pytest.fixture
def other(root):
    name = f"o{root.next_uid}"
    root.user(name)
    return name


@pytest.fixture
def box(root, user):
    return root.path(f"/var/mail/{user}")


@pytest.fixture
def home(root, user):
    return root.path(f"/home/{user}")


def own(root, path, user, mode=0o600):
    os.chown(path, root.uid(user), root.uid(user))
    path.chmod(mode)


def is_later(got, cause, words="", width="site"):
    assert (got.verdict, got.cause, got.width) == ("later", cause, width), got
    assert words in got.text, got
    assert got.status == 0
    return True


def fails(call, error):
    """A command in front: this system call fails."""
    return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:error={error}"]


# ---- being told ----

@pytest.mark.parametrize("change", [{"magic": 1}, {"what": 0}, {"what": 99},
                                    {"method": "relay"}])
def test_told_nonsense(local, user, change):
    run = local.begin(user, **change)
    if change == {"magic": 1}:
        with pytest.raises(AssertionError):
            run.answer()
    else:
        is_later(run.answer(), "configuration")


# ---- mbox ----

def test_mbox(local, root, user, box):
    got = local.run(user, b"Return-Path: <old@b.test>\r\nSubject: a\r\n\r\n"
                          b"From here\r\n\xff\0.\r\n")
    assert got.verdict == "done" and got.ecode == "2.0.0", got
    mail = root.mbox(user)
    assert len(mail) == 1
    head, _, rest = mail[0].partition(b"\n")
    assert re.fullmatch(rb"From from@a\.test \w{3} \w{3} [ \d]\d "
                        rb"\d\d:\d\d:\d\d \d{4}", head), head
    assert rest == (b"Return-Path: <from@a.test>\nDelivered-To: %s@here.test\n"
                    b"Subject: a\n\n>From here\n\xff\0.\n\n" % user.encode())
    st = box.stat()
    assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (root.uid(user), 0o600)
    assert st.st_gid == os.stat("/var/mail").st_gid
    assert local.run(user).verdict == "done"
    assert len(root.mbox(user)) == 2
    assert [p.name for p in box.parent.iterdir()
            if p.name.startswith((user + ".", ".lk"))] == []


@pytest.mark.parametrize("sender, says", [
    ("", b"MAILER-DAEMON"), ('"a b"@c.test', b'"a-b"@c.test')])
def test_mbox_sender(local, root, user, sender, says):
    assert local.run(user, sender=sender).verdict == "done"
    lines = root.mbox(user)[0].split(b"\n")
    assert lines[0].startswith(b"From " + says + b" ")
    assert lines[1] == b"Return-Path: <" + sender.encode() + b">"


def test_mbox_many_at_once(local, root, user):
    bodies = [b"Subject: %d\r\n\r\n" % n + b"%d\r\n" % n * 5000
              for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda b: local.run(user, b), bodies))
    assert all(g.verdict == "done" for g in got), got
    mail = root.mbox(user)
    assert len(mail) == len(bodies)
    assert {m.partition(b"Subject: ")[2].rstrip() for m in mail} == \
        {b.partition(b"Subject: ")[2].replace(b"\r", b"").rstrip()
         for b in bodies}


def make_symlink(box, target):
    box.symlink_to(target)


def make_hardlink(box, target):
    os.link(target, box)


def make_fifo(box, target):
    os.mkfifo(box)


def make_device(box, target):
    os.mknod(box, stat.S_IFCHR | 0o666, os.makedev(1, 3))


def make_folder(box, target):
    box.mkdir()


def make_socket(box, target):
    os.mknod(box, stat.S_IFSOCK | 0o666)


@pytest.mark.parametrize("make, words", [
    (make_symlink, "symbolic link"), (make_hardlink, "hard links"),
    (make_fifo, "not a regular file"), (make_device, "not a regular file"),
    (make_folder, ""), (make_socket, "")], ids=lambda x: getattr(
        x, "__name__", ""))
@pytest.mark.parametrize("mine", [True, False], ids=["own", "others"])
def test_mbox_is_no_file(local, root, user, other, box, make, words, mine):
    target = box.parent / f"{user}-target"
    target.write_bytes(b"untouched\n")
    own(root, target, user if mine else other)
    make(box, target if make is make_hardlink else f"{user}-target")
    if mine:
        os.chown(box, root.uid(user), root.uid(user), follow_symlinks=False)
    begin = time.monotonic()
    is_later(local.run(user), "configuration", words if mine else "")
    assert time.monotonic() - begin < 20
    assert target.read_bytes() == b"untouched\n"


def test_mbox_dangling_link(local, user, box):
    box.symlink_to("/var/mail/nobody-there")
    is_later(local.run(user), "configuration", "symbolic link")
    assert not (box.parent / "nobody-there").exists()


def test_mbox_of_another(local, root, user, other, box):
    box.write_bytes(b"")
    own(root, box, other, 0o666)
    is_later(local.run(user), "configuration", "belongs to another user")
    assert box.read_bytes() == b""


@pytest.mark.parametrize("name", ["../x", ".x", "a/b", "x.lock", ""])
def test_mbox_name(local, root, user, name):
    before = sorted(p.name for p in root.path("/var/mail").iterdir())
    is_later(local.run(user, mailbox=name), "configuration",
             "no name of a mailbox")
    assert sorted(p.name for p in root.path("/var/mail").iterdir()) == before


@pytest.mark.parametrize("cut, newlines", [
    (b"From x y\n\nhal", b"\n\n"), (b"From x y\n\nhalf\n", b"\n"),
    (b"From x y\n\nwhole\n\n", b""), (b"\n", b""), (b"x", b"\n\n")])
def test_mbox_is_healed(local, root, user, box, cut, newlines):
    box.write_bytes(cut)
    own(root, box, user)
    assert local.run(user).verdict == "done"
    text = box.read_bytes()
    assert text.startswith(cut + newlines + b"From from@a.test ")
    assert text.endswith(b"\n\nhello\n\n")


def test_mbox_cut_short(local, root, user, box):
    box.write_bytes(b"From x y\n\nwhole\n\n")
    own(root, box, user)
    got = local.run(user, BIG, more=10)
    is_later(got, "system", "cut short", "rcpt")
    assert box.read_bytes() == b"From x y\n\nwhole\n\n"
    got = local.run(user, PLAIN, more=-1)
    is_later(got, "system", "longer than it was said", "rcpt")
    assert box.read_bytes() == b"From x y\n\nwhole\n\n"


def test_mbox_told_to_end(local, root, user, box):
    box.write_bytes(b"From x y\n\nwhole\n\n")
    own(root, box, user)
    run = local.begin(user, BIG, more=10, short=True)
    base.wait_until(lambda: box.stat().st_size > 100000, "it writes")
    os.kill(run.pid, signal.SIGTERM)
    is_later(run.answer(), "system", "told to end", "rcpt")
    assert box.read_bytes() == b"From x y\n\nwhole\n\n"
    assert not (box.parent / f"{user}.lock").exists()


def test_mbox_no_content_comes(local, user, box):
    got = local.begin(user, b"Subject: x\r\n", more=10, short=True,
                      life=3).answer()
    is_later(got, "system", "did not come", "rcpt")
    assert box.read_bytes() == b""


def test_mbox_loop(local, user, box):
    got = local.run(user, b"Received: x\r\nDELIVERED-TO:\r\n\t<%s@HERE.test>"
                    b"\r\n\r\n" % user.upper().encode() + BIG)
    assert (got.verdict, got.ecode) == ("never", "5.4.6"), got
    assert box.read_bytes() == b""


def test_mbox_disk_full(local, root, user, box):
    """On 4 MB; what was there stays."""
    assert local.run(user).verdict == "done"
    before = box.read_bytes()
    got = local.run(user, BIG * 4)
    is_later(got, "system", "No space left")
    assert got.ecode == "4.3.1"
    assert box.read_bytes() == before
    assert local.run(user).verdict == "done"
    assert len(root.mbox(user)) == 2


@pytest.mark.parametrize("call, error, ecode", [
    ("fsync", "EDQUOT", "4.2.2"), ("fsync", "ENOSPC", "4.3.1"),
    ("fsync", "EIO", "4.3.0")])
def test_mbox_disk_trouble(local, root, user, box, call, error, ecode):
    assert local.run(user).verdict == "done"
    before = box.read_bytes()
    got = local.run(user, front=fails(call, error))
    is_later(got, "mailbox" if error == "EDQUOT" else "system")
    assert got.ecode == ecode
    assert box.read_bytes() == before


def test_mbox_size_limit(local, root, user, box):
    got = local.run(user, BIG, front=["prlimit", "--fsize=100000"])
    is_later(got, "mailbox", "too large")
    assert got.ecode == "4.2.2" and box.read_bytes() == b""


def test_mbox_is_locked(local, root, user, box):
    box.write_bytes(b"")
    own(root, box, user)
    with open(box, "r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        is_later(local.run(user, life=4), "mailbox", "locked")
        run = local.begin(user, life=30)
        time.sleep(1)
        fcntl.lockf(f, fcntl.LOCK_UN)
        assert run.answer().verdict == "done"
    assert len(root.mbox(user)) == 1


def dot_lock(root, box, user, text, age=0):
    lock = box.parent / (box.name + ".lock")
    lock.write_text(text)
    own(root, lock, user, 0o644)
    os.utime(lock, (time.time() - age,) * 2)
    return lock


def test_mbox_dot_lock(local, root, user, box):
    """Of a process that lives: we wait, and take it when it goes."""
    lock = dot_lock(root, box, user, f"{os.getpid()}\n")
    is_later(local.run(user, life=4), "mailbox", "locked")
    assert lock.exists() and box.read_bytes() == b""
    run = local.begin(user, life=30)
    time.sleep(1)
    lock.unlink()
    assert run.answer().verdict == "done"
    assert not lock.exists()


@pytest.mark.parametrize("text, age", [
    ("4194303\n", 0), (f"4194303:{os.uname().nodename}", 0), ("1\n", 400),
    ("", 400), ("nonsense", 400)])
def test_mbox_stale_lock(local, root, user, box, text, age):
    lock = dot_lock(root, box, user, text, age)
    assert local.run(user).verdict == "done"
    assert not lock.exists()


@pytest.mark.parametrize("text", ["", "nonsense", "0", "-1", "1",
                                  "4194303:another.host", "4194303x"])
def test_mbox_lock_of_nobody_known(local, root, user, box, text):
    lock = dot_lock(root, box, user, text)
    is_later(local.run(user, life=3), "mailbox", "locked")
    assert lock.exists()


def test_mbox_replaced_while_we_wait(local, root, user, box):
    box.write_bytes(b"From old x\n\n")
    own(root, box, user)
    with open(box, "r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        run = local.begin(user)
        time.sleep(1)
        box.unlink()
        box.write_bytes(b"From new x\n\n")
        own(root, box, user)
        fcntl.lockf(f, fcntl.LOCK_UN)
    assert run.answer().verdict == "done"
    assert box.read_bytes().startswith(b"From new x\n\nFrom from@a.test")


def test_mbox_of_root(local, root):
    """Opened by who may; we are mail, and no owner of it."""
    mail = os.stat("/var/mail").st_gid
    fd = os.open(root.path("/var/mail/root"),
                 os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    got = local.run("root", uid=8, gid=mail, opened=fd)
    os.close(fd)
    assert got.verdict == "done", got
    assert len(root.mbox("root")) == 1
    assert not root.path("/var/mail/root.lock").exists()


# ---- Maildir ----

def tree(top):
    return sorted(str(p.relative_to(top)) for p in top.rglob("*")
                  if p.is_dir())


def test_maildir(local, root, user, home):
    got = local.run(user, method="maildir", hostname="a/b:c,d\ne.test")
    assert got.verdict == "done", got
    assert root.maildir(user) == [
        b"Return-Path: <from@a.test>\nDelivered-To: %s@here.test\n"
        b"Subject: x\n\nhello\n" % user.encode()]
    top = home / "Maildir"
    assert tree(top) == ["cur", "new", "tmp"]
    for d in (top, top / "cur", top / "new", top / "tmp"):
        assert stat.S_IMODE(d.stat().st_mode) == 0o700
    file, = (top / "new").iterdir()
    assert re.fullmatch(r"\d+\.M\d{6}P\d+R[0-9a-f]{8}\.a_b_c_d_e\.test"
                        r",S=(\d+)", file.name), file.name
    assert file.name.endswith(f"S={file.stat().st_size}")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list((top / "tmp").iterdir()) == []


def test_maildir_many_at_once(local, root, user):
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda n: local.run(user, method="maildir"),
                            range(12)))
    assert all(g.verdict == "done" for g in got), got
    assert len(root.maildir(user)) == 12


@pytest.mark.parametrize("arg, rcpt, place", [
    ("~/mail/in", "x@y.test", "mail/in"),
    ("mail", "x@y.test", "mail"),
    ("%{user.directory}/%{dest.user:lowercase}", "AnN+x@y.test", "ann+x"),
    ("~/%{dest.domain}/%{dest.user:strip}/M", "bob+x@y.test", "y.test/bob/M"),
    ("~/%{dest.user:raw}", "a/../../b@y.test", "a:..:..:b"),
    ("~/%{rcpt.user[0]}", "x@y.test", "x")])
def test_maildir_path(local, root, user, arg, rcpt, place):
    got = local.run(user, method="maildir", arg=arg, rcpt=rcpt)
    assert got.verdict == "done", got
    assert len(root.maildir(user, place)) == 1


@pytest.mark.parametrize("arg, rcpt", [
    ("~/%{dest.user}", "..@y.test"), ("~/a/%{dest.user}/b", ".@y.test"),
    ("~/%{nothing}", "x@y.test"), ("~/%{dest.user[9]}", "x@y.test"),
    ("~/%{dest.user", "x@y.test")])
def test_maildir_bad_path(local, user, home, arg, rcpt):
    is_later(local.run(user, method="maildir", arg=arg, rcpt=rcpt),
             "configuration")
    assert list(home.iterdir()) == []


def test_maildir_no_home(local, root):
    user = f"u{root.next_uid}"
    root.user(user, make=False)
    is_later(local.run(user, method="maildir"), "configuration", "the home")
    assert not root.path(f"/home/{user}").exists()


def test_maildir_is_a_file(local, root, user, home):
    root.write(user, "Maildir", "x")
    is_later(local.run(user, method="maildir"), "configuration",
             "Not a directory")
    (home / "Maildir").unlink()
    assert local.run(user, method="maildir").verdict == "done"
    for part in ("new", "tmp"):
        base.run(["rm", "-r", str(home / "Maildir" / part)])
        root.write(user, f"Maildir/{part}", "x")
        is_later(local.run(user, method="maildir"), "configuration")
        (home / "Maildir" / part).unlink()


def test_maildir_of_another(local, root, user, other, home):
    top = root.path(f"/home/{other}") / "M"
    top.mkdir(mode=0o755)
    own(root, top, other, 0o755)
    is_later(local.run(user, method="maildir", arg=f"/home/{other}/M"),
             "configuration", "Permission denied")
    assert list(top.iterdir()) == []


@pytest.mark.parametrize("junk, flags, field, folder", [
    (1, 0, b"X-Spam: Yes", "/.Junk"), (1, 0, b"X-Spam-Flag: YES", "/.Junk"),
    (1, 0, b"X-Spam: no", ""), (1, JUNK, b"X: y", "/.Junk"),
    (0, JUNK, b"X-Spam: yes", "")])
def test_maildir_junk(local, root, user, junk, flags, field, folder):
    got = local.run(user, field + b"\r\n" + PLAIN, method="maildir",
                    junk=junk, flags=flags)
    assert got.verdict == "done", got
    assert len(root.maildir(user, "Maildir" + folder)) == 1
    if folder:
        assert root.maildir(user) == []


@pytest.mark.parametrize("rcpt, folder", [
    ("x+lists@y.test", ".lists"), ("x+none@y.test", ""),
    ("x+.@y.test", ""), ("x+../../../tmp@y.test", ""), ("x@y.test", "")])
def test_maildir_sub_address(local, root, user, home, rcpt, folder):
    for name in ("", ".lists"):
        (home / "Maildir" / name).mkdir(mode=0o700)
        own(root, home / "Maildir" / name, user, 0o700)
    got = local.run(user, method="maildir", rcpt=rcpt)
    assert got.verdict == "done", got
    assert len(root.maildir(user, f"Maildir/{folder}")) == 1


@pytest.mark.parametrize("front, cause", [
    (fails("fsync", "EDQUOT"), "mailbox"), (fails("link", "EDQUOT"), "mailbox"),
    (fails("link", "EIO"), "system"), (["prlimit", "--fsize=100000"],
                                       "mailbox")])
def test_maildir_disk_trouble(local, root, user, home, front, cause):
    is_later(local.run(user, BIG, method="maildir", front=front), cause)
    assert root.maildir(user) == []
    assert list((home / "Maildir/tmp").iterdir()) == []


def test_maildir_without_links(local, root, user):
    assert local.run(user, method="maildir",
                     front=fails("link", "EPERM")).verdict == "done"
    assert len(root.maildir(user)) == 1


@pytest.mark.parametrize("more", [10, -1])
def test_maildir_cut_short(local, root, user, home, more):
    got = local.run(user, BIG, method="maildir", more=more)
    assert got.verdict == "later", got
    assert root.maildir(user) == []
    assert list((home / "Maildir/tmp").iterdir()) == []


def test_maildir_loop(local, root, user, home):
    got = local.run(user, b"Delivered-To: %s@here.test\r\n" % user.encode() +
                    BIG, method="maildir")
    assert (got.verdict, got.ecode) == ("never", "5.4.6"), got
    assert root.maildir(user) == []
    assert list((home / "Maildir/tmp").iterdir()) == []


def test_maildir_told_to_end(local, root, user, home):
    run = local.begin(user, BIG, method="maildir", more=10, short=True)
    tmp = home / "Maildir/tmp"
    base.wait_until(lambda: tmp.exists() and any(
        p.stat().st_size > 100000 for p in tmp.iterdir()), "it writes")
    os.kill(run.pid, signal.SIGTERM)
    is_later(run.answer(), "system", "told to end", "rcpt")
    assert list(tmp.iterdir()) == [] and root.maildir(user) == []


# ---- files of aliases and .forward ----

def to_file(local, user, path, **fields):
    return local.run(user, what=FILE, text=path, **fields)


def test_file(local, root, user, home):
    got = to_file(local, user, f"/home/{user}/archive")
    assert got.verdict == "done", got
    assert to_file(local, user, f"/home/{user}/archive").verdict == "done"
    assert len(root.mbox(user, f"/home/{user}/archive")) == 2
    assert [p.name for p in home.iterdir()] == ["archive"]
    assert stat.S_IMODE((home / "archive").stat().st_mode) == 0o600


def test_file_is_nothing(local, user):
    assert to_file(local, user, "/dev/null").verdict == "done"
    is_later(local.run(user, PLAIN, what=FILE, text="/dev/null", more=1),
             "system", "cut short", "rcpt")


def test_file_is_a_maildir(local, root, user):
    assert to_file(local, user, f"/home/{user}/box/").verdict == "done"
    assert len(root.maildir(user, "box")) == 1


def test_file_without_dot_lock(local, root, user, other):
    """The folder is another's; the file is ours, and locked by fcntl."""
    path = root.path(f"/home/{other}/shared")
    path.write_bytes(b"")
    own(root, path, user)
    assert to_file(local, user, f"/home/{other}/shared").verdict == "done"
    with open(path, "r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        is_later(to_file(local, user, f"/home/{other}/shared", life=3),
                 "mailbox", "locked")


@pytest.mark.parametrize("make, words", [
    (make_hardlink, "hard links"), (make_fifo, "not a regular file"),
    (make_device, "not a regular file"), (make_folder, ""),
    (make_socket, "")], ids=lambda x: getattr(x, "__name__", ""))
def test_file_is_no_file(local, root, user, home, make, words):
    (home / "target").write_bytes(b"untouched\n")
    own(root, home / "target", user)
    make(home / "f", home / "target")
    os.chown(home / "f", root.uid(user), root.uid(user))
    is_later(to_file(local, user, f"/home/{user}/f"), "configuration", words)
    assert (home / "target").read_bytes() == b"untouched\n"


@pytest.mark.parametrize("by", ["user", "other", "root"])
@pytest.mark.parametrize("of", ["user", "other"])
def test_file_behind_a_link(local, root, user, other, home, by, of):
    """Of the user or of root, to what is the user's."""
    names = {"user": user, "other": other, "root": "root"}
    target = root.path(f"/home/{names[of]}/target")
    target.write_bytes(b"")
    own(root, target, names[of], 0o666)
    (home / "f").symlink_to(f"/home/{names[of]}/target")
    os.chown(home / "f", root.uid(names[by]), 0, follow_symlinks=False)
    got = to_file(local, user, f"/home/{user}/f")
    if of == "user" and by != "other":
        assert got.verdict == "done", got
        assert target.stat().st_size > 0
    else:
        is_later(got, "configuration")
        assert target.stat().st_size == 0


@pytest.mark.parametrize("path", ["/etc/passwd", "/", "relative", "",
                                  "/dev/zero", "/dev/full", "/proc/self/mem",
                                  "/no/such/folder/x"])
def test_file_elsewhere(local, user, path):
    assert to_file(local, user, path).verdict == "later"


def test_file_of_another(local, root, user, other):
    path = root.path(f"/home/{other}/f")
    path.write_bytes(b"")
    for mode in (0o600, 0o666):
        own(root, path, other, mode)
        is_later(to_file(local, user, f"/home/{other}/f"), "configuration")
    assert path.read_bytes() == b""


# ---- programs ----

def mda(local, user, command, content=PLAIN, **fields):
    return local.run(user, content, method="mda", arg=command, **fields)


def test_program(local, root, user, home):
    got = mda(local, user, "cat >got; id -un >id; pwd >pwd; umask >umask; "
                           "ls -l /proc/self/fd >fds; grep Sig "
                           "/proc/self/status >sig; ulimit -Sn >files; "
                           "ulimit -c >core; readlink /proc/$$/fd/0 >stdin",
              b"Return-Path: <x>\r\n" + PLAIN)
    assert got.verdict == "done" and "program" in got.text, got

    def said(name):
        return (home / name).read_text()
    assert (home / "got").read_bytes() == (
        b"Return-Path: <from@a.test>\nDelivered-To: %s@here.test\n"
        b"Subject: x\n\nhello\n" % user.encode())
    assert said("id").strip() == user
    assert said("pwd").strip() == f"/home/{user}"
    assert said("umask").strip() == "0077"
    assert said("files").strip() == "1024" and said("core").strip() == "0"
    fds = re.findall(r" (\d+) ->", said("fds"))
    assert fds == ["0", "1", "2", "3"], fds  # the last is of ls itself
    sig = dict(re.findall(r"(Sig\w+):\s+(\w+)", said("sig")))
    assert int(sig["SigBlk"], 16) == 0
    # What Python leaves ignored is what we were given.
    # 32 and 33 are the C library's own.
    assert int(sig["SigIgn"], 16) & ~(3 << 31) == 0


def test_program_environment(local, user, home):
    got = mda(local, user, "env | sort >env", of="all+x@list.test",
              rcpt="Eva+a-b@here.test", sender="o'neil\"$(x)@c.test",
              client="192.0.2.1", helo="() { :;}; echo x", auth="me@here.test",
              envid="QQ314159", front=["env", "EVIL=1", "TZ=UTC", "IFS=x"])
    assert got.verdict == "done", got
    env = dict(line.split("=", 1) for line in
               (home / "env").read_text().splitlines())
    for name in ("PWD", "OLDPWD", "_", "SHLVL"):
        env.pop(name, None)
    assert env == {
        "HOME": f"/home/{user}", "LOGNAME": user, "USER": user,
        "SHELL": "/bin/sh", "PATH": "/usr/local/bin:/usr/bin:/bin",
        "SENDER": "o'neil\"$(x)@c.test", "RECIPIENT": "Eva+a-b@here.test",
        "ORIGINAL_RECIPIENT": "all+x@list.test", "LOCAL": "Eva+a-b",
        "DOMAIN": "here.test", "EXTENSION": "a-b",
        "CLIENT_ADDRESS": "192.0.2.1", "CLIENT_HELO": "::::::::::echo:x",
        "SASL_USERNAME": "me@here.test", "ENVID": "QQ314159", "TZ": "UTC"}


def test_program_of_another_user(local, root, user, other, home):
    """`user U`: runs as U, the home is the recipient's."""
    home.chmod(0o777)
    got = mda(local, user, "echo $USER $HOME $(id -un) >as", flags=OTHER,
              as_=other, uid=root.uid(other), gid=root.uid(other))
    assert got.verdict == "done", got
    assert (home / "as").read_text() == f"{other} /home/{user} {other}\n"


def test_program_without_home(local, root):
    user = f"u{root.next_uid}"
    root.user(user, make=False)
    got = mda(local, user, "test $PWD = / || exit 65")
    assert got.verdict == "done", got


@pytest.mark.parametrize("command, verdict, ecode, words", [
    ("exit 0", "done", "2.0.0", ""),
    ("echo no such person; echo at all >&2; exit 67", "never", "5.1.1",
     "no such person at all"),
    ("exit 1", "never", "5.3.0", "status 1"),
    ("exit 65", "never", "5.6.0", ""), ("exit 68", "never", "5.1.2", ""),
    ("exit 73", "never", "5.2.0", ""), ("exit 76", "never", "5.5.0", ""),
    ("exit 77", "never", "5.7.0", ""), ("exit 78", "never", "5.3.5", ""),
    ("exit 100", "never", "5.3.0", ""),
    ("exit 71", "later", "4.3.0", ""), ("exit 75", "later", "4.3.0", ""),
    ("exit 111", "later", "4.3.0", ""),
    ("no-such-program", "later", "4.3.5", "not found"),
    ("/etc/passwd", "later", "4.3.5", "ermission denied"),
    ("kill -SEGV $$", "later", "4.3.0", "signal 11"),
    ("sh -c 'kill -KILL $$'; exit $?", "later", "4.3.0", "signal 9"),
    ("printf '\\033[1m\\377\\000x'; exit 1", "never", "5.3.0", "?[1m??x")])
def test_program_status(local, user, command, verdict, ecode, words):
    got = mda(local, user, command)
    assert (got.verdict, got.ecode) == (verdict, ecode), got
    assert words in got.text


def test_program_reads_nothing(local, user):
    assert mda(local, user, "exec <&-; exit 0", BIG).verdict == "done"
    assert mda(local, user, "true", BIG).verdict == "done"


def test_program_large_message(local, home, user):
    got = mda(local, user, "cat >got; ls -l /proc/$$/fd/0 >stdin", BIG * 3)
    assert got.verdict == "done", got
    assert (home / "got").read_bytes().endswith(
        (BIG * 3).replace(b"\r", b""))
    assert "deleted" in (home / "stdin").read_text()


def test_program_writes_without_end(local, user, home):
    """A gigabyte: it is drained, nothing of it is kept but its beginning."""
    run = local.begin(user, method="mda",
                      arg="echo first; head -c 1073741824 /dev/zero; exit 77",
                      life=500)
    most = 0
    while run.proc.poll() is None:
        if base.program(run.pid) == "local":
            try:
                most = max(most, base.rss_kib(run.pid))
            except OSError:
                break
        time.sleep(0.1)
    got = run.answer()
    assert (got.verdict, got.ecode) == ("never", "5.7.0"), got
    assert "first" in got.text and len(got.text) < 496
    assert 0 < most and (base.SANITIZED or most < 16384), most


def test_program_forks_away(local, user, home):
    """What it leaves behind in its group goes; what left the group may stay,
    and keeps nobody waiting."""
    begin = time.monotonic()
    got = mda(local, user, "sleep 1000 & echo $! >a; "
                           "setsid sleep 30 & echo $! >b; exit 0")
    assert got.verdict == "done", got
    assert time.monotonic() - begin < 20
    a, b = (int((home / n).read_text()) for n in "ab")
    base.wait_until(lambda: base.program(a) != "sleep", "it was killed")
    if base.program(b) in ("sleep", "setsid"):
        os.kill(b, signal.SIGKILL)


def test_program_does_not_wait(local, user, home):
    """What it started, and did not wait for, may end what it does, as long as
    somebody could hear of it."""
    got = mda(local, user, "(sleep 1; echo x >done) & exit 0")
    assert got.verdict == "done", got
    assert (home / "done").exists()
    got = mda(local, user, "sleep 1000 & echo $! >pid; exit 0", life=4)
    assert got.verdict == "done", got
    pid = int((home / "pid").read_text())
    base.wait_until(lambda: base.program(pid) != "sleep", "it was killed")


def test_program_hangs(local, user, home):
    got = mda(local, user, "trap '' TERM; echo stuck; sleep 1000 & "
                           "echo $! >a; wait; wait; sleep 999", life=4)
    is_later(got, "system", "took too long")
    assert "stuck" in got.text
    pid = int((home / "a").read_text())
    base.wait_until(lambda: base.program(pid) != "sleep", "it was killed")


def test_program_stops_itself(local, user):
    is_later(mda(local, user, "kill -STOP $$", life=3), "system",
             "took too long")


def test_program_told_to_end(local, user, home):
    run = local.begin(user, method="mda", arg="trap 'echo >ended; exit 1' TERM;"
                      "echo >began; sleep 1000 & wait", life=300)
    base.wait_until((home / "began").exists, "it began")
    os.kill(run.pid, signal.SIGTERM)
    is_later(run.answer(), "system", "ended with us", "rcpt")
    assert (home / "ended").exists()


@pytest.mark.parametrize("more", [1, -1])
@pytest.mark.parametrize("content", [PLAIN, BIG], ids=["small", "large"])
def test_program_never_sees_half(local, user, home, content, more):
    got = mda(local, user, "touch started; cat", content, more=more)
    assert got.verdict == "later", got
    assert not (home / "started").exists()


def test_program_loop(local, user, home):
    got = mda(local, user, "touch started", b"Delivered-To: %s@here.test\r\n"
              % user.encode() + PLAIN)
    assert (got.verdict, got.ecode) == ("never", "5.4.6"), got
    assert not (home / "started").exists()


HOSTILE = ["$(touch pwned)@x", "`touch pwned`@x", ";touch${IFS}pwned;@x",
           "'touch pwned'@x", '"; touch pwned; "@x', "a\ntouch pwned\n@x",
           "|touch pwned@x", "\\';touch pwned;'@x", "-rf@x", "* ?@x"]


@pytest.mark.parametrize("sender", HOSTILE)
def test_program_hostile_sender(local, user, home, sender):
    got = mda(local, user, "printf '%%s\\n' %{sender} \"%{sender}\" "
              "'%{sender}' %{sender:raw} \"%{sender:raw}\" '%{sender:raw}' "
              ">said", sender=sender)
    assert got.verdict == "done", got
    said = (home / "said").read_text()
    clean = re.sub(r"[^\w@._+=/:,^\[\]-]", ":", sender)
    assert said == f"{clean}\n" * 3 + f"{sender}\n" * 3
    assert not (home / "pwned").exists()


@pytest.mark.parametrize("command", [
    "cat %{nothing}", "cat %{sender", "cat %{mda}", "cat '%{sender}",
    "cat `echo %{sender}`", "cat <<X\n%{sender}\nX"])
def test_program_bad_format(local, user, home, command):
    is_later(mda(local, user, "touch started; " + command), "configuration")
    assert not (home / "started").exists()


def test_pipe(local, user, home):
    """Of an alias or .forward."""
    got = local.run(user, what=PIPE, text="cat >got; echo %{rcpt} >args")
    assert got.verdict == "done", got
    assert (home / "got").exists()
    assert (home / "args").read_text() == f"{user}@here.test\n"


# ---- wrappers ----

def test_wrapper_of_a_program(local, user, home):
    got = mda(local, user, "cat >got", wrapper="sed s/hello/bye/ | "
              "{ X=%{sender} %{mda}; }")
    assert got.verdict == "done", got
    assert (home / "got").read_bytes().endswith(b"\n\nbye\n")
    got = mda(local, user, "exit 67", wrapper="%{mda}")
    assert (got.verdict, got.ecode) == ("never", "5.1.1"), got
    got = mda(local, user, "touch started", wrapper="exit 75")
    assert got.verdict == "later" and not (home / "started").exists()


WRAP = "sed 's/hello/bye/; 1iX-Wrapped: %{sender}' | %{mda}"


def test_wrapper_of_an_mbox(local, root, user):
    assert local.run(user, wrapper=WRAP).verdict == "done"
    mail, = root.mbox(user)
    assert mail.startswith(b"From from@a.test ")
    assert mail.partition(b"\n")[2] == (
        b"X-Wrapped: from@a.test\nReturn-Path: <from@a.test>\n"
        b"Delivered-To: %s@here.test\nSubject: x\n\nbye\n\n" % user.encode())


def test_wrapper_of_a_maildir(local, root, user, home):
    (home / "Mail dir").mkdir()
    own(root, home / "Mail dir", user, 0o700)
    args = dict(method="maildir", arg="~/Mail dir/$x", wrapper=WRAP)
    assert local.run(user, **args).verdict == "done"
    assert root.maildir(user, "Mail dir/$x")[0].endswith(b"\n\nbye\n")
    got = local.run(user, junk=1, **args | {
        "wrapper": "sed '1iX-Spam: yes' | %{mda}"})
    assert got.verdict == "done", got
    assert len(root.maildir(user, "Mail dir/$x/.Junk")) == 1
    assert local.run(user, junk=1, flags=JUNK, **args).verdict == "done"
    assert len(root.maildir(user, "Mail dir/$x/.Junk")) == 2
    base.run(["mkdir", str(home / "Mail dir/$x/.ext")])
    own(root, home / "Mail dir/$x/.ext", user, 0o700)
    got = local.run(user, rcpt="x+ext@y.test", **args)
    assert got.verdict == "done", got
    assert len(root.maildir(user, "Mail dir/$x/.ext")) == 1


def test_wrapper_of_a_file(local, root, user):
    path = f"/home/{user}/archive"
    assert to_file(local, user, path, wrapper=WRAP).verdict == "done"
    mail, = root.mbox(user, path)
    assert mail.endswith(b"\n\nbye\n\n")


def test_wrapper_where_it_fails(local, user, box):
    box.symlink_to("/etc/passwd")
    got = local.run(user, wrapper=WRAP)
    assert got.verdict == "later" and "symbolic link" in got.text, got


def test_wrapper_of_root(local, root):
    fd = os.open(root.path("/var/mail/root"),
                 os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    got = local.run("root", uid=8, gid=8, opened=fd, wrapper=WRAP)
    os.close(fd)
    is_later(got, "configuration", "alias")


def test_again_by_hand():
    """What is for a wrapper does nothing without one."""
    out = base.run([str(base.BUILD / "libexec/local"), "deliver", "mbox"],
                   stdin=-3)
    assert out.returncode == 64


# ---- what the manual shows ----

def examples():
    page = (base.ROOT / "man/postern-local.8").read_text()
    part = page.split(".Sh EXAMPLES")[1].split(".Sh ")[0]
    return [t.replace("\\e", "\\").replace("\\\n", "") for t in
            re.findall(r"(?s)\.Bd -literal.*?\n(.*?)\n\.Ed", part)]


def test_manual_mda(local, root, user, home):
    command = re.search(r'mda "([^"]+)"', examples()[0])[1]
    program = command.split()[0]
    root.write(user, "lda", '#!/bin/sh\nprintf "<%s>" "$@" >args\n', 0o755)
    got = mda(local, user, command.replace(program, f"/home/{user}/lda"),
              sender="", of="x y@z.test")
    assert got.verdict == "done", got
    assert (home / "args").read_text().replace(" ", "") == \
        f"<-f><MAILER-DAEMON><-a><x:y@z.test><-d><{user}>"


def test_manual_maildir(local, root, user):
    arg = re.search(r'maildir "([^"]+)"', examples()[1])[1]
    assert arg.startswith("/srv/mail/")
    got = local.run(user, method="maildir", rcpt="Eva@Here.TEST",
                    arg=arg.replace("/srv/mail", f"/home/{user}/v"))
    assert got.verdict == "done", got
    assert len(root.maildir(user, "v/here.test/eva")) == 1


def test_manual_forward(local, root, user, home):
    line = re.fullmatch(r'"\|(.*)"', examples()[2])[1].replace('\\"', '"')
    program = line.split()[0]
    root.write(user, "pm", '#!/bin/sh\nprintf "<%s>" "$@" >args\n', 0o755)
    got = local.run(user, what=PIPE, rcpt="a+b c;d@here.test",
                    text=line.replace(program, f"/home/{user}/pm"))
    assert got.verdict == "done", got
    assert (home / "args").read_text() == "<-a><b c;d>"


# ---- files that are read ----

def test_forward(local, root, user):
    got = local.forward(user)
    assert (got.verdict, got.read) == ("never", b""), got
    root.write(user, ".forward", "a@b.test\n")
    got = local.forward(user)
    assert (got.verdict, got.read) == ("done", b"a@b.test\n"), got
    root.write(user, ".forward+ext", "c@d.test\n", 0o600)
    assert local.forward(user, name=".forward+ext").read == b"c@d.test\n"
    assert local.forward(user, name=".forward+none").verdict == "never"


@pytest.mark.parametrize("name", ["../x/.forward", "/etc/passwd", "a/b", ""])
def test_forward_name(local, user, name):
    assert local.forward(user, name=name).verdict == "never"


def test_forward_without_home(local, root):
    user = f"u{root.next_uid}"
    root.user(user, make=False)
    assert local.forward(user).verdict == "never"
    root.path(f"/home/{user}").write_text("a file")
    assert local.forward(user).verdict == "never"
    user = f"u{root.next_uid}"
    root.user(user, home="/no/such/place", make=False)
    assert local.forward(user).verdict == "never"


@pytest.mark.parametrize("mode, words", [
    (0o666, "all may write"), (0o646, "all may write"), (0o000, ""),
    (0o200, "")])
def test_forward_mode(local, root, user, mode, words):
    root.write(user, ".forward", "a@b.test\n", mode)
    is_later(local.forward(user), "configuration", words,
             "rcpt" if words else "site")


def test_forward_group(local, root, user, other):
    """A group of the user's own is the user."""
    path = root.write(user, ".forward", "a@b.test\n", 0o664)
    assert local.forward(user).verdict == "done"
    os.chown(path, root.uid(user), root.uid(other))
    is_later(local.forward(user), "configuration", "a group may write", "rcpt")
    os.chown(path, root.uid(user), root.uid(user))
    home = root.path(f"/home/{user}")
    home.chmod(0o775)
    assert local.forward(user).verdict == "done"
    os.chown(home, root.uid(user), root.uid(other))
    is_later(local.forward(user), "configuration", "a group may write", "rcpt")
    os.chown(home, root.uid(user), root.uid(user))
    line = root._line("group", user)
    root._edit("group", user, line + other)
    is_later(local.forward(user), "configuration", "a group may write", "rcpt")
    root._edit("group", user, line + user)
    assert local.forward(user).verdict == "done"


def test_forward_of_another(local, root, user, other, home):
    path = root.write(user, ".forward", "a@b.test\n")
    own(root, path, other, 0o644)
    is_later(local.forward(user), "configuration", "another user", "rcpt")
    os.chown(path, 0, 0)
    assert local.forward(user).verdict == "done"
    os.chown(home, root.uid(other), root.uid(other))
    is_later(local.forward(user), "configuration", "another user", "rcpt")


def test_forward_home_mode(local, root, user, home):
    home.chmod(0o777)
    assert local.forward(user).verdict == "never"  # there is nothing to read
    root.write(user, ".forward", "a@b.test\n")
    is_later(local.forward(user), "configuration", "all may write", "rcpt")
    home.chmod(0o1755)
    is_later(local.forward(user), "configuration", "sticky", "rcpt")
    (home / ".forward").unlink()
    is_later(local.forward(user), "configuration", "sticky", "rcpt")
    home.chmod(0o755)
    assert local.forward(user).verdict == "never"


def test_forward_home_is_closed(local, root, user, other, home):
    """What cannot be looked at is not the same as nothing."""
    home.chmod(0o700)
    got = local.forward(user, uid=root.uid(other))
    is_later(got, "configuration")


@pytest.mark.parametrize("make", [make_symlink, make_fifo, make_device,
                                  make_folder, make_socket],
                         ids=lambda m: m.__name__)
def test_forward_is_no_file(local, root, user, home, make):
    root.write(user, "target", "a@b.test\n")
    make(home / ".forward", "target")
    os.chown(home / ".forward", root.uid(user), root.uid(user),
             follow_symlinks=False)
    begin = time.monotonic()
    got = local.forward(user)
    assert (got.verdict, got.cause) == ("later", "configuration"), got
    assert time.monotonic() - begin < 20


def test_forward_size(local, root, user):
    most = 8 << 20
    root.write(user, ".forward", "x" * most)
    got = local.forward(user)
    assert got.verdict == "done" and len(got.read) == most
    root.write(user, ".forward", "x" * (most + 1))
    is_later(local.forward(user), "configuration", "too large", "rcpt")
    root.write(user, ".forward", "")
    got = local.forward(user)
    assert got.verdict == "done" and got.read == b""


def test_forward_nobody_listens(local, root, user):
    """It does not wait for who asked for longer than it lives."""
    root.write(user, ".forward", "x" * (1 << 20))
    run = local.begin(user, b"", doing=1, read=1, life=1)
    begin = time.monotonic()
    run.proc.wait(60)
    assert time.monotonic() - begin < 30


def test_forward_of_root(local, root):
    """Opened by who may; we are somebody who owns nothing."""
    path = root.path("/home/root/.forward")
    path.write_text("a@b.test\n")
    with open(path, "rb") as f:
        got = local.forward("root", uid=65534, gid=65534, opened=f.fileno())
        assert (got.verdict, got.read) == ("done", b"a@b.test\n"), got
    path.chmod(0o666)
    with open(path, "rb") as f:
        got = local.forward("root", uid=65534, gid=65534, opened=f.fileno())
        is_later(got, "configuration", "all may write", "rcpt")
    path.unlink()


def test_include(local, root, user, other):
    path = f"/home/{user}/list"
    root.write(user, "list", "a@b.test\n")
    assert local.include(user, path).read == b"a@b.test\n"
    assert local.include(user, path + "x").verdict == "never"
    assert local.include(user, path + "/x").verdict == "never"
    is_later(local.include(user, "list"), "configuration", "absolute", "rcpt")
    assert local.include(user, "/etc/hostname").verdict == "done"  # root's
    is_later(local.include(other, path), "configuration", "another user",
             "rcpt")
    is_later(local.include(user, "/dev/zero"), "configuration", "", "rcpt")
    is_later(local.include(user, "/etc/shadow"), "configuration")
    root.write(user, "list", "a@b.test\n", 0o666)
    is_later(local.include(user, path), "configuration", "all may write",
             "rcpt")


def test_include_behind_a_link(local, root, user, other, home):
    root.write(user, "list", "a@b.test\n")
    (home / "link").symlink_to("list")
    os.chown(home / "link", root.uid(user), 0, follow_symlinks=False)
    assert local.include(user, f"/home/{user}/link").read == b"a@b.test\n"
    os.chown(home / "link", root.uid(other), 0, follow_symlinks=False)
    is_later(local.include(user, f"/home/{user}/link"), "configuration",
             "symbolic link")
    (home / "link").unlink()
    (home / "link").symlink_to("link")
    os.chown(home / "link", root.uid(user), 0, follow_symlinks=False)
    is_later(local.include(user, f"/home/{user}/link"), "configuration",
             "symbolic link")
