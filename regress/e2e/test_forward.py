"""Users' .forward files, from RCPT to wherever their mail goes; whose files are
not safe, are not there, or go in circles.

SPDX-License-Identifier: ISC
"""
import os
import re
import time
from pathlib import Path

import pytest

from lib import base
from lib.instance import conf
from lib.localroot import LocalRoot

MX = "mx.c.test"
NAMES = {"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"]}


def stage(lab, users, aliases="", method="mbox", lines=(), retry="1s*1000"):
    """A host with these users, from which mail for x.test goes out."""
    root = lab.keep(LocalRoot(lab.path("root")))
    for user in users:
        root.user(user)
    table = lab.path("aliases")
    table.write_text("postmaster: root\n" + aliases)
    r = lab.receiver()
    it = lab.postern(conf(
        lab.dns(NAMES), retry=retry,
        lines=[f"hostname {MX}", f'table aliases "file:{table}"', *lines],
        rules=[f'action "out" relay port {r.port}',
               f'action "in" {method} alias <aliases>',
               'match from any for local action "in"',
               'match from local for any action "out"']), wrap=root.wrap)
    return it, root, r


def mail(n, head=""):
    return f"Subject: number-{n}\r\n{head}\r\nmessage {n}\r\n"


def numbers(texts):
    return [int(re.search(rb"^Subject: number-(\d+)\r?$", t, re.M)[1])
            for t in texts]


def got(path):
    return path.read_bytes() if path.exists() else b""


def tried(it):
    """Recipients that wait and have been tried."""
    return base.wait_until(lambda: [e for e in it.queue() if e["last"]],
                           "it was tried", 30)


def explain(it, rcpt):
    """The steps, as (label, text)."""
    out = it.ctl("explain", rcpt, check=False).stdout
    return [tuple(line.split(None, 1)) for line in out.splitlines()]


def test_elsewhere_and_here(lab):
    """To another user, to another host, to several; and to who has none."""
    it, root, r = stage(lab, ("ann", "bob", "eve", "joe"))
    root.write("ann", ".forward", "# away\n\nbob\n")
    root.write("eve", ".forward", "joe, eve@x.test\r\n")
    for n, rcpt in enumerate(("ann", "eve", "joe")):
        it.send("s@c.test", f"{rcpt}@{MX}", mail(n))
    m, = r.wait(1)
    assert m.rcpts == ["eve@x.test"] and m.sender == "s@c.test"
    it.empty()
    assert numbers(root.mbox("bob")) == [0]
    assert sorted(numbers(root.mbox("joe"))) == [1, 2]
    assert root.mbox("ann") == [] and root.mbox("eve") == []


def test_vacation(lab):
    """Kept, and a program that answers: it runs as the user, in his home."""
    it, root, _ = stage(lab, ("ann",))
    root.write("ann", ".forward",
               '\\ann, "|/usr/bin/env >env; /usr/bin/id -un >>env; pwd >>env;'
               ' cat >answered"\n')
    it.send("s@c.test", f"ann@{MX}", mail(1))
    it.empty()
    text, = root.mbox("ann")
    assert numbers([text]) == [1]
    home = root.path("/home/ann")
    assert numbers([got(home / "answered")]) == [1]
    env = got(home / "env").decode().splitlines()
    assert env[-2:] == ["ann", "/home/ann"]
    assert {"HOME=/home/ann", "LOGNAME=ann", "USER=ann", "SHELL=/bin/sh",
            "SENDER=s@c.test"} <= set(env)
    assert (home / "answered").stat().st_uid == root.uid("ann")


VACATION = Path(os.environ.get("POSTERN_PEERS", base.BUILD / "peers"),
                "vacation/usr/bin/vacation")
# In front of /usr/sbin a folder with a sendmail, for who is in the namespace.
SENDMAIL = ('mount -t overlay -o "lowerdir=$1:/usr/sbin" sbin /usr/sbin')


@pytest.mark.skipif(not VACATION.exists(), reason="needs build/peers")
def test_vacation_of_debian(lab):
    """The program itself answers by sendmail(8): once to each, not to a list
    and not to a notification; the mail is kept."""
    it, root, r = stage(lab, ("ann",),
                        lines=("listen on socket", "mailname " + MX))
    front = lab.path("sbin")
    front.mkdir()
    (front / "sendmail").write_text(
        f'#!/bin/sh\nexec {base.BUILD}/sendmail -R {it.root} "$@"\n')
    (front / "sendmail").chmod(0o755)
    out = root.run(["sh", "-c", SENDMAIL, "sh", front])
    assert out.returncode == 0, out.stderr
    lab.dir.chmod(0o755)
    root.write("ann", ".vacation.msg", f"From: ann@{MX}\n"
               "Subject: away: $SUBJECT\nPrecedence: bulk\n\nUntil July.\n")
    program = lab.path("vacation")
    program.write_bytes(VACATION.read_bytes())
    program.chmod(0o755)
    root.write("ann", ".forward", f'\\ann, "|{program} -d ann"\n')
    to = f"From: s@x.test\r\nTo: Ann <ann@{MX}>\r\n"
    for n, (sender, head) in enumerate((
            ("s@x.test", to), ("s@x.test", to), ("t@x.test", to),
            ("l@x.test", to + "Precedence: list\r\n"), ("", to),
            ("u@x.test", "To: others@x.test\r\n"))):
        it.send(sender, f"ann@{MX}", mail(n, head))
        # Its database has no lock.
        it.empty(30)
    assert sorted(numbers(root.mbox("ann"))) == [*range(6)]
    answers = r.wait(2)
    assert sorted(m.rcpts for m in answers) == [["s@x.test"], ["t@x.test"]]
    for m in answers:
        assert m.sender == f"ann@{MX}"
        assert m.parsed()["Subject"] in ("away: number-0", "away: number-2")
        assert f"from userid {root.uid('ann')})" in m.parsed()["Received"]
        assert m.content.endswith(b"\r\n\r\nUntil July.\r\n")


def test_files(lab):
    """To a file and a Maildir of the user's own."""
    it, root, _ = stage(lab, ("ann", "bob"))
    root.write("ann", ".forward", "/home/ann/copy, /home/ann/Box/\n")
    root.write("bob", ".forward", "/home/ann/stolen\n")
    it.send("s@c.test", f"ann@{MX}", mail(1))
    it.empty()
    assert numbers(root.mbox("ann", "/home/ann/copy")) == [1]
    assert numbers(root.maildir("ann", "Box")) == [1]
    # He may not write there.
    it.send("s@c.test", f"bob@{MX}", mail(2))
    tried(it)
    assert not root.path("/home/ann/stolen").exists()


def test_sub_address(lab):
    """.forward+ext before .forward, and only for that sub-address."""
    it, root, _ = stage(lab, ("ann", "bob"))
    root.write("ann", ".forward", "bob\n")
    root.write("ann", ".forward+lists", "/home/ann/lists\n")
    for n, rcpt in enumerate(("ann", "ann+lists", "ann+other", "Ann+LISTS",
                              "ann+/bob/x")):
        it.send("s@c.test", f"{rcpt}@{MX}", mail(n))
    it.empty()
    assert sorted(numbers(root.mbox("ann", "/home/ann/lists"))) == [1, 3]
    assert sorted(numbers(root.mbox("bob"))) == [0, 2, 4]


def test_list(lab):
    """A list of the user's own, read as him."""
    it, root, r = stage(lab, ("ann", "bob", "eve"))
    root.write("ann", ".forward", ":include:/home/ann/friends\n")
    root.write("ann", "friends", "# friends\nbob\nx@x.test, ann\n", mode=0o600)
    it.send("s@c.test", f"ann@{MX}", mail(1))
    assert r.wait(1)[0].rcpts == ["x@x.test"]
    it.empty()
    assert numbers(root.mbox("ann")) == [1]
    assert numbers(root.mbox("bob")) == [1]
    # What is not his to read, he cannot have read for him.
    root.write("eve", ".forward", ":include:/home/ann/friends\n")
    it.send("s@c.test", f"eve@{MX}", mail(2))
    entry, = tried(it)
    assert entry["last"]["cause"] in ("configuration", "system")
    assert numbers(root.mbox("bob")) == [1]


# Columns: name; what is done to ann's file or home, from outside; words.
UNSAFE = [
    ("group", lambda f, home: f.chmod(0o664) or os.chown(f, -1, 100),
     "group may write"),
    ("others", lambda f, home: f.chmod(0o666), "all may write"),
    ("owner", lambda f, home: os.chown(f, 1, 1), "belongs to another"),
    ("home", lambda f, home: home.chmod(0o777), "all may write"),
    ("sticky", lambda f, home: home.chmod(0o1755), "sticky"),
    ("folder", lambda f, home: (f.unlink(), f.mkdir()), "not a regular file"),
    ("fifo", lambda f, home: (f.unlink(), os.mkfifo(f),
                              os.chown(f, home.stat().st_uid, -1)),
     "not a regular file"),
    ("link", lambda f, home: (f.unlink(), f.symlink_to("/etc/passwd")), ""),
    ("closed", lambda f, home: home.chmod(0o000), ""),
    ("nonsense", lambda f, home: f.write_text("what is this\n"),
     "line 1"),
    ("nul", lambda f, home: f.write_bytes(b"bob\0\n"), "NUL"),
]


@pytest.mark.parametrize("name,spoil,words", UNSAFE,
                         ids=[row[0] for row in UNSAFE])
def test_unsafe(lab, name, spoil, words):
    """Mail for a user whose file is not safe is accepted and waits; when the
    file is mended it goes."""
    it, root, _ = stage(lab, ("ann", "bob"))
    f = root.write("ann", ".forward", "bob\n")
    home = root.path("/home/ann")
    spoil(f, home)
    it.send("s@c.test", f"ann@{MX}", mail(1))
    it.send("s@c.test", f"bob@{MX}", mail(2))
    entry, = tried(it)
    assert entry["last"]["verdict"] == "later", entry
    assert words in entry["last"]["text"], entry
    base.wait_until(lambda: numbers(root.mbox("bob")) == [2],
                    "nobody else waits")
    home.chmod(0o755)
    if f.is_dir():
        f.rmdir()
    elif f.exists() or f.is_symlink():
        f.unlink()
    root.write("ann", ".forward", "bob\n")
    it.ctl("flush", "all")
    it.empty(timeout=40)
    assert numbers(root.mbox("bob")) == [2, 1]
    assert root.mbox("ann") == []


def test_no_home(lab):
    """A home that is not there is no .forward."""
    it, root, _ = stage(lab, ())
    root.user("ann", home="/home/none/ann", make=False)
    it.send("s@c.test", f"ann@{MX}", mail(1))
    it.empty()
    assert numbers(root.mbox("ann")) == [1]


def test_none_is_remembered(lab):
    """That there is no file is known for a while, and not for ever."""
    it, root, _ = stage(lab, ("ann", "bob"))
    it.send("s@c.test", f"ann@{MX}", mail(1))
    it.empty()
    root.write("ann", ".forward", "bob\n")
    time.sleep(11)
    it.send("s@c.test", f"ann@{MX}", mail(2))
    it.empty()
    assert numbers(root.mbox("ann")) == [1]
    assert numbers(root.mbox("bob")) == [2]


def test_circles(lab):
    """Users who forward to each other: an end, and nothing twice."""
    it, root, r = stage(lab, ("a", "b", "c", "d"))
    root.write("a", ".forward", "b\n")
    root.write("b", ".forward", "a\n")
    root.write("c", ".forward", "d, c@x.test\n")
    root.write("d", ".forward", "c, d@x.test\n")
    it.send("s@x.test", f"a@{MX}", mail(1))
    bounce, = r.wait(1)
    assert bounce.sender == "" and b"circle" in bounce.content
    it.send("s@x.test", f"c@{MX}", mail(2))
    it.empty()
    base.wait_until(lambda: sorted(
        a for m in r.messages[1:] for a in m.rcpts) ==
        ["c@x.test", "d@x.test"], "each once")


def test_root(lab):
    """Root's own file may have addresses and users; mail for root without one
    is in root's mbox, by no other method."""
    it, root, _ = stage(lab, ("ann",))
    home = root.path("/home/root")
    it.send("s@c.test", f"root@{MX}", mail(1))
    it.empty()
    assert numbers(root.mbox("root")) == [1]
    time.sleep(11)
    (home / ".forward").write_text("ann\n")
    it.send("s@c.test", f"root@{MX}", mail(2))
    it.empty()
    assert numbers(root.mbox("ann")) == [2]
    (home / ".forward").write_text('ann, "|cat >/home/root/stolen"\n')
    it.send("s@c.test", f"root@{MX}", mail(3))
    entry, = tried(it)
    assert "addresses and users only" in entry["last"]["text"]
    assert not (home / "stolen").exists()
    it.ctl("remove", "all")
    for text in (":include:/home/ann/list\n", "/home/root/stolen\n"):
        (home / ".forward").write_text(text)
        it.send("s@c.test", f"root@{MX}", mail(4))
        entry, = tried(it)
        assert "addresses and users only" in entry["last"]["text"], text
        it.ctl("remove", "all")
    assert not (home / "stolen").exists()
    assert numbers(root.mbox("ann")) == [2]


def test_root_without_mbox(lab):
    it, root, _ = stage(lab, ("ann",), method="maildir")
    it.send("s@c.test", f"root@{MX}", mail(1))
    entry, = tried(it)
    assert entry["last"]["verdict"] == "later"
    assert "mail for root needs an alias" in entry["last"]["text"]


def test_forward_only(lab):
    """No .forward: it waits for one."""
    it, root, r = stage(lab, ("ann", "bob"), method="forward-only")
    root.write("bob", ".forward", "bob@x.test\n")
    it.send("s@c.test", f"bob@{MX}", mail(1))
    assert r.wait(1)[0].rcpts == ["bob@x.test"]
    it.send("s@c.test", f"ann@{MX}", mail(2))
    entry, = tried(it)
    assert "no .forward" in entry["last"]["text"]
    root.write("ann", ".forward", "ann@x.test\n")
    time.sleep(10)
    it.ctl("flush", "all")
    assert r.wait(2)[1].rcpts == ["ann@x.test"]
    it.empty()


def test_deleted_user(lab):
    """A user who is there when mail comes in, and not when it is delivered."""
    it, root, r = stage(lab, ("ann", "bob"), retry="2s*1000")
    root.write("ann", ".forward", "what is this\n")
    it.send("s@x.test", f"ann@{MX}", mail(1))
    tried(it)
    root.delete("ann")
    it.ctl("flush", "all")
    bounce, = r.wait(1)
    assert bounce.sender == "" and b"5.1.1" in bounce.content
    it.empty()


def test_one_of_many(lab):
    """The trouble of one member of an alias is his alone."""
    it, root, r = stage(lab, ("ann", "bob"),
                        aliases="team: ann, bob, t@x.test\n")
    root.write("ann", ".forward", "what is this\n")
    it.send("s@c.test", f"team@{MX}", mail(1))
    assert r.wait(1)[0].rcpts == ["t@x.test"]
    base.wait_until(lambda: numbers(root.mbox("bob")) == [1],
                    "bob has it")
    entry, = tried(it)
    assert entry["recipient"] == f"ann@{MX}"
    root.write("ann", ".forward", '\\ann, "|cat >>copy"\n')
    it.ctl("flush", "all")
    it.empty(timeout=40)
    assert numbers(root.mbox("ann")) == [1]
    assert numbers([got(root.path("/home/ann/copy"))]) == [1]
    assert numbers(root.mbox("bob")) == [1] and len(r.messages) == 1


def test_corrected_command(lab):
    """What is kept of a command is where it stands: a new one is used."""
    it, root, _ = stage(lab, ("ann",))
    root.write("ann", ".forward", '\\ann, "|exit 75"\n')
    it.send("s@c.test", f"ann@{MX}", mail(1))
    tried(it)
    root.write("ann", ".forward", '\\ann, "|cat >done"\n')
    it.ctl("flush", "all")
    it.empty(timeout=40)
    assert numbers([got(root.path("/home/ann/done"))]) == [1]
    assert numbers(root.mbox("ann")) == [1]


def test_examples_of_the_manual(lab):
    """Each example of forward(5) is read, and does what it says."""
    page = (base.ROOT / "man/forward.5").read_text()
    texts = [part.split(".Ed")[0].replace("\\e", "\\")
             for part in page.split(".Sh EXAMPLES")[1]
             .split(".Bd -literal -offset indent\n")[1:]]
    assert len(texts) == 5
    users = [f"u{n}" for n in range(5)]
    it, root, r = stage(lab, users)
    for user, text in zip(users, texts):
        name = ".forward+lists" if "Lists" in text else ".forward"
        text = text.replace("alice@example.net", f"{user}@x.test") \
            .replace("alice", user).replace("/usr/bin/vacation", "cat >seen;:") \
            .replace("/usr/bin/procmail", "cat >filtered")
        root.write(user, name, text)
    root.path("/home/u4/Maildir").mkdir()
    os.chown(root.path("/home/u4/Maildir"), *[root.uid("u4")] * 2)
    for n, user in enumerate(users):
        it.send("s@c.test",
                f"{user}{'+lists' if n == 4 else ''}@{MX}", mail(n))
    it.empty()
    assert sorted(a for m in r.messages for a in m.rcpts) == \
        ["u0@x.test", "u1@x.test"]
    assert [numbers(root.mbox(user)) for user in users] == \
        [[], [1], [2], [], []]
    assert numbers([got(root.path("/home/u2/seen"))]) == [2]
    assert numbers([got(root.path("/home/u3/filtered"))]) == [3]
    assert numbers(root.maildir("u4", "Maildir/.Lists")) == [4]


def test_explain(lab):
    """Each step: the user, his file, where it goes and as whom."""
    it, root, _ = stage(lab, ("ann", "bob", "eve"),
                        aliases="team: ann, eve\n")
    root.write("ann", ".forward", '\\ann, "|/usr/bin/vacation ann"\n')
    root.write("eve", ".forward", "what is this\n")
    steps = explain(it, f"ann@{MX}")
    assert ("forward", 'ann: \\ann, "|/usr/bin/vacation ann"?') in steps
    uid = root.uid("ann")
    assert any(label == "program" and text.startswith(
        f"/usr/bin/vacation ann, as ann (uid {uid}, gid {uid})")
        for label, text in steps), steps
    assert any(label == "mailbox" and text.startswith(
        f"mbox of ann, home /home/ann, as ann (uid {uid}")
        for label, text in steps), steps
    steps = explain(it, f"bob@{MX}")
    assert ("forward", "bob: no .forward") in steps
    assert any(label == "result" and "delivered" in text
               for label, text in steps)
    steps = explain(it, f"eve@{MX}")
    assert any(label == "result" and "accepted, and wait" in text and
               ".forward of eve line 1" in text for label, text in steps), \
        steps
    steps = explain(it, f"team@{MX}")
    assert any(label == "several" for label, _ in steps)
    assert any("vacation ann" in text for _, text in steps)
    assert it.queue() == []
