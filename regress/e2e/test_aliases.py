"""aliases(5) whole: users, addresses, files, commands, lists, errors, owners,
and what becomes of mail when they change.

SPDX-License-Identifier: ISC
"""
import os
import re
import subprocess

import pytest

from lib import base
from lib.instance import conf
from lib.localroot import LocalRoot

MX = "mx.c.test"
NAMES = {"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"]}


def stage(lab, aliases, users=("ann", "bob"), method="mbox", option="alias",
          retry="1s*1000", lines=(), domains=(), **receiver):
    """A host with these users and aliases, from which mail for x.test goes
    out.  {dir} in aliases: a folder that everybody may read."""
    root = lab.keep(LocalRoot(lab.path("root")))
    for user in users:
        root.user(user)
    folder = root.path("/home/lists")
    folder.mkdir(mode=0o755)
    table = lab.path("aliases")
    table.write_text(aliases)
    r = lab.receiver(**receiver)
    it = lab.postern(conf(
        lab.dns(NAMES), retry=retry,
        lines=[f"hostname {MX}", f'table aliases "file:{table}"', *lines],
        rules=[f'action "out" relay port {r.port}',
               f'action "in" {method} {option} <aliases>',
               *[f'match from any for domain "{d}" action "in"'
                 for d in domains],
               'match from any for local action "in"',
               'match from local for any action "out"']), wrap=root.wrap)
    it.table, it.folder = table, folder
    return it, root, r


def mail(n, head=""):
    return f"Subject: number-{n}\r\n{head}\r\nmessage {n}\r\n"


def numbers(texts):
    return sorted(int(re.search(rb"^Subject: number-(\d+)\r?$", t, re.M)[1])
                  for t in texts)


def reply(it, rcpt):
    with it.smtp() as s:
        s.ehlo()
        s.mail("s@x.test")
        code, said = s.rcpt(rcpt)
        return code, said.decode()


def tried(it):
    return base.wait_until(lambda: [e for e in it.queue() if e["last"]],
                           "it was tried", 30)


def write(path, text, mode=0o644):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_kinds(lab):
    """A line of every kind that delivers something."""
    it, root, r = stage(lab, (
        "# of this host\n"
        "postmaster: root\n"
        "root: ann\n"
        "Team: ann, BOB,\n"
        "    t@x.test\n"
        "folded:\n"
        "\tann\n"
        "\t, bob\n"
        '"quoted name": ann\n'
        "keep: /home/open/keep\n"
        "dir: /home/open/Box/\n"
        'prog: "|/bin/cat >/home/open/prog; id -un >/home/open/who"\n'
        "old: |/bin/cat >/home/open/old\n"
        "list: :include:/home/lists/list\n"
        "raw: \\ann\n"
        "nobody: /dev/null\n"
        "hole: :blackhole: it is gone\n"))
    opened = root.path("/home/open")
    opened.mkdir()
    opened.chmod(0o777)
    (opened / "Box").mkdir()
    (opened / "Box").chmod(0o777)
    write(it.folder / "list", "# members\n\nann\n  bob, l@x.test\r\n")
    root.write("ann", ".forward", "/home/ann/forwarded\n")
    rcpts = {1: "postmaster", 2: "TEAM", 3: "folded", 4: '"quoted name"',
             5: "keep", 6: "dir", 7: "prog", 8: "old", 9: "list", 10: "raw",
             11: "nobody", 12: "hole", 13: "team+x"}
    for n, rcpt in rcpts.items():
        it.send("s@c.test", f"{rcpt}@{MX}", mail(n))
    it.empty(60)
    assert numbers(root.mbox("ann", "/home/ann/forwarded")) == \
        [1, 2, 3, 4, 9, 13]
    assert numbers(root.mbox("ann")) == [10]
    assert numbers(root.mbox("bob")) == [2, 3, 9, 13]
    assert sorted(a for m in r.messages for a in m.rcpts) == \
        ["l@x.test", "t@x.test", "t@x.test"]
    assert numbers(root.mbox("ann", "/home/open/keep")) == [5]
    assert numbers(
        f.read_bytes() for f in (opened / "Box/new").iterdir()) == [6]
    assert numbers([(opened / "prog").read_bytes()]) == [7]
    assert (opened / "who").read_text() == "nobody\n"
    assert numbers([(opened / "old").read_bytes()]) == [8]
    assert not root.path("/home/ann/stolen").exists()


def test_errors(lab):
    """What an alias refuses, at RCPT, in its words."""
    it, _, _ = stage(lab, (
        "gone: error:550 5.1.6 has moved, to x\n"
        "fail: :fail: no such person, ever\n"
        "coded: :fail: 554 5.7.1 go away\n"
        "unknown: :unknown:\n"
        "defer: :defer: moving house\n"
        "both: ann, gone\n"
        "nosuch: nosuch-user-here\n"
        "relative: :include:list\n"
        "empty: ,\n"
        "a: b\nb: a\n"))
    said = {
        "gone": (550, "5.1.6 has moved, to x"),
        "fail": (550, "5.2.1 no such person, ever"),
        "coded": (554, "5.7.1 go away"),
        "unknown": (550, "5.2.1 this mailbox takes no mail"),
        "defer": (451, "4.2.1 moving house"),
        "both": (550, "5.1.6 has moved, to x"),
        "nosuch": (550, "5.1.1 no such user here"),
        "relative": (451, "4.3.5 what this recipient stands for cannot be "
                     "understood"),
        "empty": (550, "5.1.1 no such user here"),
        "a": (550, "5.4.6 aliases that go in a circle and come to nothing"),
        "ann": (250, "2.1.5 Recipient ok"),
        "Ann+x": (250, "2.1.5 Recipient ok"),
        "annx": (550, "5.1.1 no such user here"),
    }
    for rcpt, words in said.items():
        assert reply(it, f"{rcpt}@{MX}") == words, rcpt


# What a stranger may call a recipient, none of which is a name of ours.
HOSTILE = ['"|touch /home/open/x"', "|touch", '"/home/open/x"',
           "/home/open/x", '":include:/etc/passwd"', '"\\\\ann"', '"../ann"',
           '"ann/../bob"', '".."', '"ann\\"bob"', '"ann, bob"', '"ann bob"',
           '"ann:"', '"error:250 ok"', '":fail:"', "$HOME", "`id`", "ann%bob",
           "ann!bob", "@", "owner-", "#", '"ann#"', '""', "+x", "ann+",
           "ann++", '"ann+$(id)"', '"ann+../../x"', "ann+$HOME", "ann+/x/y",
           "ann+|touch{/home/open/x}", "*", "-ann", '"root "']


def test_hostile_names(lab):
    """A recipient is a name and nothing else, whatever is written in it."""
    it, root, _ = stage(lab, "team: ann\n")
    root.write("ann", "x", "|touch /home/open/x\n")
    opened = root.path("/home/open")
    opened.mkdir()
    opened.chmod(0o777)
    taken = [name for name in HOSTILE if reply(it, f"{name}@{MX}")[0] == 250]
    assert taken == ["ann+", "ann++", "ann+$HOME", "ann+/x/y",
                     "ann+|touch{/home/open/x}"]
    assert all(reply(it, f"{name}@{MX}")[0] // 100 == 5
               for name in HOSTILE if name not in taken)
    for n, name in enumerate(taken):
        it.send("s@c.test", f"{name}@{MX}", mail(n))
    it.empty()
    assert numbers(root.mbox("ann")) == [*range(len(taken))]
    assert not list(opened.iterdir()) and root.mbox("bob") == []


def test_eight_bit_names(lab):
    """Names that are not ASCII, in UTF-8 and not."""
    it, root, r = stage(lab, "", extensions=("8BITMIME", "SMTPUTF8"))
    it.table.write_bytes(
        "jörg: ann\nmütter: \"jörg\", ö@x.test\nteam: jörg\n".encode() +
        b"j\xe4n: ann\n")
    it.ctl("update", "table", "aliases")

    def send(rcpt, *options):
        with it.smtp() as s:
            s.ehlo()
            s.docmd("MAIL", "FROM:<s@x.test> " + " ".join(options))
            s.send(b"RCPT TO:<" + rcpt + b"@" + MX.encode() + b">\r\n")
            code, said = s.getreply()
            assert said.isascii()
            return code if code != 250 else s.data(mail(1).encode())[0]
    assert send("jörg".encode(), "SMTPUTF8") == 250
    assert send("mütter".encode(), "SMTPUTF8") == 250
    assert r.wait(1)[0].rcpts == ["ö@x.test"]
    assert send(b"team") == 250
    it.empty(60)
    assert len(root.mbox("ann")) == 3
    assert send("jörg".encode()) // 100 == 5
    assert send(b"j\xe4n", "SMTPUTF8") // 100 == 5
    assert send("jürg".encode(), "SMTPUTF8") == 550


def test_whole_once(lab):
    """Who is in a list by several ways gets it once."""
    it, root, r = stage(lab, (
        "all: ann, team, T@x.test, other\n"
        "team: Ann, bob, t@X.TEST, more\n"
        "more: team, all, bob, :include:/home/lists/list\n"
        "other: :include:/home/lists/list, \\bob\n"))
    write(it.folder / "list", "bob\nt@x.test\nann\n")
    it.send("s@c.test", f"all@{MX}", mail(1))
    it.empty()
    assert numbers(root.mbox("ann")) == [1]
    assert [a.lower() for m in r.messages for a in m.rcpts] == ["t@x.test"]


def test_own_name(lab):
    """An alias that names itself is the user, and more."""
    it, root, r = stage(lab, "ann: ann, ann@x.test\n")
    root.write("ann", ".forward", "bob\n")
    it.send("s@c.test", f"ann@{MX}", mail(1))
    it.empty()
    assert numbers(root.mbox("bob")) == [1]
    assert [m.rcpts for m in r.messages] == [["ann@x.test"]]


def test_list_in_list(lab):
    """Lists in lists, and one that is its own member."""
    it, root, r = stage(lab, "list: :include:/home/lists/a\n")
    write(it.folder / "a", ":include:/home/lists/b\nann\n")
    write(it.folder / "b", "bob\n:include:/home/lists/a\nx@x.test\n")
    it.send("s@c.test", f"list@{MX}", mail(1))
    it.empty()
    assert numbers(root.mbox("ann")) == numbers(root.mbox("bob")) == [1]
    assert [m.rcpts for m in r.messages] == [["x@x.test"]]


# Columns: name; what is done to the list; words.
BAD_LISTS = [
    ("missing", lambda f: f.unlink(), "a list is not there"),
    ("closed", lambda f: f.chmod(0o600), ""),
    ("writable", lambda f: f.chmod(0o666), "all may write"),
    ("stranger", lambda f: os.chown(f, 40099, 40099), "another user"),
    ("nonsense", lambda f: f.write_text("ann\n\nwhat is this\n"), "line 3"),
    ("nul", lambda f: f.write_bytes(b"ann\0bob\n"), "NUL"),
    ("folder", lambda f: (f.unlink(), f.mkdir()), ""),
    ("relative", lambda f: f.write_text("ann\n:include:other\n"),
     "whole path"),
]


@pytest.mark.parametrize("name,spoil,words", BAD_LISTS,
                         ids=[row[0] for row in BAD_LISTS])
def test_bad_list(lab, name, spoil, words):
    """A list that cannot be read is not read when mail comes in, and keeps it
    waiting; when it is mended all of it goes, once."""
    it, root, _ = stage(lab, "list: bob, :include:/home/lists/list\n")
    f = write(it.folder / "list", "ann\n")
    spoil(f)
    it.send("s@c.test", f"list@{MX}", mail(1))
    entry, = tried(it)
    assert entry["last"]["verdict"] == "later"
    assert entry["last"]["cause"] in ("configuration", "system")
    assert words in entry["last"]["text"], entry
    assert root.mbox("bob") == []
    if f.is_dir():
        f.rmdir()
    elif f.exists():
        f.unlink()
    write(f, "ann\n")
    it.ctl("flush", "all")
    it.empty(40)
    assert numbers(root.mbox("ann")) == numbers(root.mbox("bob")) == [1]


def test_list_of_nobody(lab):
    """A list without members is not delivered to nobody, but waits for one."""
    it, root, _ = stage(lab, "list: :include:/home/lists/list\n")
    f = write(it.folder / "list", "# nobody yet\n")
    it.send("s@c.test", f"list@{MX}", mail(1))
    entry, = tried(it)
    assert "no members" in entry["last"]["text"]
    write(f, "ann\n")
    it.ctl("flush", "all")
    it.empty(40)
    assert numbers(root.mbox("ann")) == [1]


def test_owner(lab):
    """What becomes of mail to the members is told to who owns the list."""
    it, root, r = stage(lab, (
        "list: ann, far@x.test, nosuch\n"
        "owner-list: bob\n"
        "outer: list, outer@x.test\n"), option="alias")
    # An unknown member is refused at RCPT; it left after that.
    it.table.write_text(it.table.read_text().replace("nosuch", "carl"))
    root.user("carl")
    it.ctl("update", "table", "aliases", check=False)
    it.send("s@x.test", f"list@{MX}", mail(1))
    m, = r.wait(1)
    assert m.sender == f"owner-list@{MX}" and m.rcpts == ["far@x.test"]
    it.empty()
    text, = root.mbox("ann")
    assert b"Return-Path: <owner-list@mx.c.test>\n" in text
    it.send("s@x.test", f"outer@{MX}", mail(2))
    base.wait_until(lambda: len(r.messages) == 3, "both lists have it")
    it.empty()
    assert {(m.sender, *m.rcpts) for m in r.messages[1:]} == {
        ("s@x.test", "outer@x.test"),
        (f"owner-list@{MX}", "far@x.test")}


def test_owner_hears(lab):
    """A member whose mail is refused: a notification to the owner, and none to
    the sender."""
    it, root, r = stage(lab, "list: ann, bad@x.test\nowner-list: bob\n",
                        rcpt={"bad@x.test": "550 5.1.1 nobody"})
    it.send("s@x.test", f"list@{MX}", mail(1))
    base.wait_until(lambda: root.mbox("bob"), "the owner hears of it", 30)
    it.empty()
    text, = root.mbox("bob")
    assert b"bad@x.test" in text
    assert all(m.rcpts != ["s@x.test"] for m in r.messages)


def test_virtual(lab):
    """Virtual users with lists, commands and mailboxes."""
    it, root, r = stage(
        lab, ("ann@v.test ann\n"
              "@v.test bob\n"
              "team@v.test ann@v.test, any@v.test, x@x.test\n"
              "list@v.test :include:/home/lists/list\n"
              "gone@v.test error:550 5.1.6 has moved\n"),
        option="virtual", domains=("v.test",))
    write(it.folder / "list", "ann@v.test\nother@v.test\n")
    for n, rcpt in enumerate(("ann", "what", "team", "list", "ann+x")):
        it.send("s@c.test", f"{rcpt}@v.test", mail(n))
    it.empty()
    assert numbers(root.mbox("ann")) == [0, 2, 3, 4]
    assert numbers(root.mbox("bob")) == [1, 2, 3]
    assert reply(it, "gone@v.test") == (550, "5.1.6 has moved")


def test_userbase(lab):
    """Users of a table, with a home of their own."""
    root = lab.keep(LocalRoot(lab.path("root")))
    root.user("vmail")
    uid = root.uid("vmail")
    for user in ("one", "two"):
        home = root.path(f"/home/vmail/{user}")
        home.mkdir(mode=0o755)
        os.chown(home, uid, uid)
    f = root.path("/home/vmail/two/.forward")
    f.write_text("one\n")
    os.chown(f, uid, uid)
    users = lab.path("users")
    users.write_text("".join(
        f"{u} {uid}:{uid}:/home/vmail/{u}\n" for u in ("one", "two")) +
        "broken no\n")
    it = lab.postern(conf(
        lines=[f"hostname {MX}", f'table users "file:{users}"'],
        rules=['action "in" maildir userbase <users>',
               'match from any for domain "v.test" action "in"']),
        wrap=root.wrap)
    it.send("s@c.test", "one@v.test", mail(1))
    it.send("s@c.test", "two+x@v.test", mail(2))
    it.empty()
    assert numbers(root.maildir("vmail", "one/Maildir")) == [1, 2]
    assert reply(it, "vmail@v.test")[0] == 550
    assert reply(it, "broken@v.test")[0] == 451


def test_command_is_the_configurations(lab):
    """A command is what the alias has at each attempt; gone, the mail waits."""
    it, root, _ = stage(lab, 'prog: "|exit 75", ann\n')
    it.send("s@c.test", f"prog@{MX}", mail(1))
    tried(it)
    it.table.write_text("prog: bob, ann\n")
    it.ctl("update", "table", "aliases")
    it.ctl("flush", "all")
    base.wait_until(lambda: any(
        e["last"] and "gone from where it was" in e["last"]["text"]
        for e in it.queue()), "it is not guessed", 30)
    opened = root.path("/home/open")
    opened.mkdir()
    opened.chmod(0o777)
    it.table.write_text('prog: "|cat >/home/open/new", ann\n')
    it.ctl("update", "table", "aliases")
    it.ctl("flush", "all")
    it.empty(40)
    assert numbers([(opened / "new").read_bytes()]) == [1]
    assert numbers(root.mbox("ann")) == [1] and root.mbox("bob") == []


def test_not_root(lab):
    """Commands of aliases never run as root, whatever the action says."""
    it, root, _ = stage(lab, 'prog: "|id >/home/lists/x"\nroot: \\root\n',
                        method="maildir", option="user root alias")
    for rcpt in ("prog", "root"):
        it.send("s@c.test", f"{rcpt}@{MX}", mail(1))
    base.wait_until(lambda: len([e for e in it.queue() if e["last"]]) == 2,
                    "both were tried", 30)
    for entry in it.queue():
        assert entry["last"]["verdict"] == "later"
        assert "root" in entry["last"]["text"]
    assert not (it.folder / "x").exists()


def test_nothing_at_rcpt(lab):
    """No stranger makes us start a process: of the numbers of processes that
    this host gives out, spawn takes none."""
    it, root, _ = stage(lab, "list: :include:/home/lists/none\n")
    root.write("ann", ".forward", "what is this\n")
    spawn, = it.pids("spawn")
    trace = lab.path("forks")
    child = lab.keep(base.Child(
        ["strace", "-f", "-e", "trace=process", "-o", trace, "-p", spawn],
        lab.path("strace.log")))
    base.wait_until(lambda: "attached" in child.log(), "it is traced")
    with it.smtp() as s:
        s.ehlo()
        for _ in range(20):
            s.mail("s@x.test")
            for rcpt in ("list", "ann", "bob"):
                assert s.rcpt(f"{rcpt}@{MX}")[0] == 250
            s.rset()
    assert not re.search("clone|fork", trace.read_text())
    it.send("s@x.test", f"ann@{MX}", mail(1))
    base.wait_until(lambda: re.search("clone|fork", trace.read_text()),
                    "mail does")


def test_example_of_the_manual(lab):
    """The example of aliases(5) does what it says."""
    page = (base.ROOT / "man/aliases.5").read_text()
    text = page.split(".Sh EXAMPLES")[1].split(".Bd -literal\n")[1] \
        .split(".Ed")[0]
    announce = lab.path("announce")
    write(announce, "# who wants to know\nbob\nnews@x.test\n")
    for old, new in (("/etc/lists/announce", str(announce)),
                     ("example.net", "x.test"),
                     ("/usr/local/bin/ticket --new",
                      "/bin/cat >/home/open/ticket"),
                     ("/var/spool/lists/archive/", "/home/open/archive/")):
        assert old in text
        text = text.replace(old, new)
    it, root, r = stage(lab, text, users=("alice", "bob"))
    # As lookup's own user, who reads it.
    assert os.stat(announce).st_uid == 0
    for folder in (lab.dir, announce.parent):
        folder.chmod(0o755)
    opened = root.path("/home/open")
    opened.mkdir()
    opened.chmod(0o777)
    (opened / "archive").mkdir()
    (opened / "archive").chmod(0o777)
    for n, rcpt in enumerate(("root", "abuse", "mailer-daemon", "sales",
                              "announce", "tickets", "archive", "noreply")):
        it.send("s@c.test", f"{rcpt}@{MX}", mail(n))
    it.empty(60)
    assert numbers(root.mbox("alice")) == [0, 1, 2, 3]
    assert numbers(root.mbox("bob")) == [3, 4]
    assert {(m.sender, *m.rcpts) for m in r.messages} == {
        (f"owner-sales@{MX}", "carol@x.test"),
        (f"owner-announce@{MX}", "news@x.test")}
    assert numbers([(opened / "ticket").read_bytes()]) == [5]
    assert numbers(
        f.read_bytes() for f in (opened / "archive/new").iterdir()) == [6]
    assert reply(it, f"dave@{MX}") == (
        550, "5.1.6 dave has left, please write to sales")


def test_explain(lab):
    """A list with its file, a command with who runs it."""
    it, root, _ = stage(lab, (
        "list: ann, :include:/home/lists/list\n"
        "owner-list: bob\n"
        'prog: "|/bin/filter -x"\n'
        "file: /home/lists/box\n"
        "hole: :blackhole:\n"))
    write(it.folder / "list", "l@x.test\n")

    def steps(rcpt):
        out = it.ctl("explain", "--from", "s@c.test", f"{rcpt}@{MX}",
                     check=False).stdout
        return [tuple(line.split(None, 1)) for line in out.splitlines()]

    said = steps("list")
    assert ("list", "/home/lists/list") in said
    assert ("owner", f"the sender will be <owner-list@{MX}>") in said
    assert ("several", "2 addresses, in a message of their own") in said
    assert any(label == "mailbox" and text.startswith("mbox of ann")
               for label, text in said), said
    assert any(label == "route" and text == "mx:x.test"
               for label, text in said)
    nobody = subprocess.run(["id", "-u", "nobody"], capture_output=True,
                            text=True, check=True).stdout.strip()
    assert any(label == "program" and text.startswith(
        f"/bin/filter -x, as nobody (uid {nobody}")
        for label, text in steps("prog"))
    assert any(label == "file" and text.startswith(
        f"/home/lists/box, as nobody (uid {nobody}")
        for label, text in steps("file"))
    assert any(label == "nobody" for label, _ in steps("hole"))
