"""sendmail(8) with a real smtpd behind it: the command lines of those who call
it, -bs, -bv, -bt, the queue, aliases, the mail name, and a daemon that ends in
the middle.

SPDX-License-Identifier: ISC
"""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from lib import base
from lib.instance import Instance, conf

UID = 64903
MESSAGE = b"Subject: x\n\nhello\n"
HEADED = (b"To: b@x.test\r\nCc: C <c@x.test>\r\nBcc: d@x.test,\r\n"
          b"\te@x.test\r\nSubject: x\r\n\r\nhello\r\n")
RULES = ['table names file:{dir}/aliases',
         'action "here" expand-only alias <names>',
         'action "out" relay host "smtp://127.0.0.1:{sink}"',
         'match from any for local action "here"',
         'match from any for any action "out"']


class House:
    """smtpd that relays all to a receiver; aliases for who is here."""

    def __init__(self, lab, lines=(), aliases="root: root@x.test\n",
                 retry="1s*1000", **kw):
        self.sink = lab.receiver(**kw)
        text = conf(listen="listen on socket\nlisten on 127.0.0.1 port {port}",
                    lines=["hostname mx.home.test", "mailname home.test",
                           *lines], retry=retry,
                    rules=[r.replace("{sink}", str(self.sink.port))
                           for r in RULES])
        folder = lab.path("postern")
        folder.mkdir()
        self.aliases = folder / "aliases"
        self.aliases.write_text(aliases)
        self.it = lab.keep(Instance(folder, text))
        self.root = self.it.root

    def argv(self, name, *args):
        return [str(base.BUILD / name), "-R", str(self.root),
                *[str(a) for a in args]]

    def run(self, *args, data=MESSAGE, uid=None, name="sendmail", **kw):
        env = dict(os.environ, POSTERN_WAIT="10")
        who = [] if uid is None else ["setpriv", "--reuid", str(uid),
                                      "--regid", str(uid), "--clear-groups"]
        return subprocess.run(who + self.argv(name, *args), input=data,
                              timeout=60, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **kw)

    def queue(self, *args):
        out = base.run(self.argv("smtpctl", "show", "queue", *args))
        return out.stdout.splitlines()[1:]


@pytest.fixture(scope="module")
def house(shared_lab):
    return House(shared_lab)


# ---- who calls it, and how ----

# Columns: who, the words, how the message comes, recipients.
CALLERS = [
    ("Debian's cron", "-FCronDaemon -i -B8BITMIME -oem root",
     b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> x\n"
     b"Content-Type: text/plain; charset=UTF-8\n"
     b"Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n\n"
     b"\xc3\xa4\n.\nend\n", "root@x.test"),
    ("BSD cron", "-FCronDaemon -odi -oem -oi -t",
     b"From: root (Cron Daemon)\nTo: root\nSubject: x\n\nhello\n",
     "root@x.test"),
    ("cronie", "-FCronDaemon -odi -oem -oi -t -f root",
     b"From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: x\n\nhello\n",
     "root@x.test"),
    ("cronie 1.7", "-FCronDaemon -odi -oem -oi -t -f <>",
     b"From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: x\n\nhello\n",
     "root@x.test"),
    ("PHP", "-t -i", HEADED, "b@x.test c@x.test d@x.test e@x.test"),
    ("git send-email", "-f a@c.test -i b@x.test c@x.test", HEADED,
     "b@x.test c@x.test"),
    ("git send-email without -f", "-i b@x.test", HEADED, "b@x.test"),
    ("mutt", "-oem -oi -f a@c.test -N failure -R hdrs -B8BITMIME -- b@x.test",
     MESSAGE, "b@x.test"),
    ("s-nail", "-i -m -v -f a@c.test b@x.test", MESSAGE, "b@x.test"),
    ("s-nail -r", "-i -r a@c.test -- b@x.test", MESSAGE, "b@x.test"),
    ("bsd-mailx", "b@x.test c@x.test", MESSAGE, "b@x.test c@x.test"),
    ("logwatch", "-t", HEADED, "b@x.test c@x.test d@x.test e@x.test"),
    ("fail2ban", "-f fail2ban@c.test root",
     b"Subject: [Fail2Ban] sshd: banned 192.0.2.1\nDate: Thu, 01 Jan 2026 "
     b"00:00:00 +0000\nFrom: Fail2Ban <fail2ban@c.test>\nTo: root\n\n"
     b"Hi,\n\nThe IP 192.0.2.1 ...\n", "root@x.test"),
    ("popularity-contest", "-oi -f root@c.test survey@x.test", MESSAGE,
     "survey@x.test"),
    ("SwiftMailer", "-oi -t", HEADED, "b@x.test c@x.test d@x.test e@x.test"),
    ("rmail", "-G -i -fa@c.test b@x.test", MESSAGE, "b@x.test"),
    ("at", "-i root", b"Subject: Output from your job 1\nTo: root\n\nhello\n",
     "root@x.test"),
    ("unattended-upgrades", "-oi -t", HEADED,
     "b@x.test c@x.test d@x.test e@x.test"),
]


@pytest.mark.parametrize("uid", [None, UID])
@pytest.mark.parametrize("who,words,data,rcpts", CALLERS,
                         ids=[c[0] for c in CALLERS])
def test_callers(house, who, words, data, rcpts, uid):
    before = len(house.sink.messages)
    out = house.run(*words.split(), data=data, uid=uid)
    assert out.returncode == 0, out.stderr
    assert out.stderr == b""
    # A recipient of an alias is sent in a message of its own.
    base.wait_until(lambda: len(house.sink.messages) > before, "message")
    message = house.sink.messages[before]
    assert sorted(message.rcpts) == sorted(rcpts.split())
    parsed = message.parsed()
    assert f"from userid {uid or 0})" in "".join(parsed.get_all("Received"))
    assert parsed["From"] and parsed["Date"] and parsed["Message-ID"]
    assert "Bcc" not in parsed
    for name in ("From", "To"):
        for bare in ("<root>", " root ", "root$"):
            assert not re.search(bare, parsed[name] or ""), parsed[name]
    body = data.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
    assert message.content.endswith(
        b"\r\n\r\n" + body.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("name", ["sendmail", "send-mail"])
@pytest.mark.parametrize("folder", ["sbin", "lib"])
def test_names(house, lab, name, folder):
    """By a link of another name, in another folder, from an empty
    environment."""
    link = lab.path(folder)
    link.mkdir()
    (link / name).symlink_to(base.BUILD / "sendmail")
    before = len(house.sink.messages)
    out = subprocess.run([link / name, "b@x.test"], input=MESSAGE, timeout=60,
                         env={"POSTERN_DIR": str(house.root)}, cwd="/")
    assert out.returncode == 0
    base.wait_until(lambda: len(house.sink.messages) > before, "message")


def test_large_bcc(house):
    """More recipients than a message may have, in a field larger than any that
    is rewritten: all are sent to, and none is shown."""
    rcpts = [f"user-with-a-long-name-{n}@x.test" for n in range(2500)]
    before = len(house.sink.messages)
    out = house.run("-t", data=(
        "Subject: x\nBcc: " + ",\n ".join(rcpts) + "\n\nhello\n").encode())
    assert out.returncode == 0, out.stderr

    def got():
        return [a for m in house.sink.messages[before:] for a in m.rcpts]
    base.wait_until(lambda: len(got()) >= 2500, "all of them", 60)
    assert sorted(got()) == sorted(rcpts)
    for message in house.sink.messages[before:]:
        assert b"user-with" not in message.content
        assert message.content.endswith(b"\r\n\r\nhello\r\n")


def test_refused_by_mail(house):
    """-oem, as cron has it: who is named as the sender hears of it."""
    before = len(house.sink.messages)
    out = house.run("-oem", "-f", "a@x.test", "root", "nobody-here")
    assert out.returncode == 67 and b"nobody-here" in out.stderr
    base.wait_until(lambda: len(house.sink.messages) > before, "report")
    report, = house.sink.messages[before:]
    assert report.sender == "" and report.rcpts == ["a@x.test"]
    assert report.parsed()["From"] == \
        "Mail Delivery System <MAILER-DAEMON@home.test>"
    assert b"nobody-here: 550 " in report.content


# ---- the mail name ----

def test_mail_name(house):
    before = len(house.sink.messages)
    out = house.run("-f", "ann", "root", "bob@x.test", data=(
        b"From: Ann <ann>\nTo: root, bob@x.test\nSubject: x\n\nhello\n"))
    assert out.returncode == 0, out.stderr
    base.wait_until(lambda: sum(len(m.rcpts) for m in
                                house.sink.messages[before:]) == 2, "two")
    for message in house.sink.messages[before:]:
        parsed = message.parsed()
        assert message.sender == "ann@home.test"
        assert parsed["From"] == "Ann <ann@home.test>"
        assert parsed["To"].startswith("root@home.test")
        assert parsed["Message-ID"].endswith("@mx.home.test>")


@pytest.mark.parametrize("rcpt,code", [
    ("root", 250), ("root@home.test", 250), ("root@mx.home.test", 250),
    ("root@HOME.test", 250), ("postmaster", 550), ("bob@home.test", 550)])
def test_mail_name_is_local(house, rcpt, code):
    """Both names are this host's; over TCP from this host too."""
    with house.it.smtp() as s:
        s.ehlo()
        s.mail("ann")
        got, text = s.rcpt(rcpt)
        assert got == code, text


def test_mail_name_quoted(house):
    """A local part that needs quotes is a local part."""
    before = len(house.sink.messages)
    out = house.run("-f", '"a b"', "b@x.test")
    assert out.returncode == 0, out.stderr
    base.wait_until(lambda: len(house.sink.messages) > before, "message")
    assert house.sink.messages[before].sender == '"a b"@home.test'
    with house.it.smtp() as smtp:
        smtp.ehlo()
        smtp.mail("ann")
        for path, code in (('<"a @>b">', b"5.1.1"), ('<"a b>', b"5.1.3"),
                           ('<"a" b>', b"5.1.3"), ('<a"b">', b"5.1.3"),
                           ("<>", b"5.1.3")):
            assert code in smtp.docmd("RCPT", f"TO:{path}")[1], path


def test_mail_name_file(lab):
    """The first line of a file, read anew at a reload."""
    name = lab.path("mailname")
    name.write_text("one.test\nnever.test\n")
    text = conf(listen="listen on socket\nlisten on 127.0.0.1 port {port}",
                lines=["hostname mx.test", f"mailname {name}"],
                rules=["match from any for local reject"])
    it = lab.postern(text)

    def known(domain):
        """The rule for what is local holds."""
        out = base.run([base.BUILD / "smtpctl", "-R", it.root, "explain",
                        f"x@{domain}"])
        return re.search(r"^rule .*smtpd.conf:\d+\)$", out.stdout, re.M)
    assert known("one.test") and known("mx.test")
    name.write_text("two.test\n")
    out = base.run([base.BUILD / "smtpctl", "-R", it.root, "reload"])
    assert out.returncode == 0, out.stderr
    assert known("two.test") and not known("one.test")
    name.write_text("no name at all\n")
    out = base.run([base.BUILD / "smtpctl", "-R", it.root, "reload"])
    assert out.returncode == 1 and str(name) in out.stderr
    assert known("two.test")


# ---- -bs ----

def serve(house, *args, uid=None):
    who = [] if uid is None else ["setpriv", "--reuid", str(uid), "--regid",
                                  str(uid), "--clear-groups"]
    return subprocess.Popen(
        who + house.argv("sendmail", "-bs", *args), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("args", [[], ["-odb", "-oem"]])  # Symfony, Alpine
def test_serve(house, args):
    before = len(house.sink.messages)
    p = serve(house, *args, uid=UID)

    def say(line, code):
        if line is not None:
            p.stdin.write(line + b"\r\n")
            p.stdin.flush()
        while True:
            got = p.stdout.readline()
            assert got[:3] == code, got
            if got[3:4] == b" ":
                return got
    say(None, b"220")
    say(b"EHLO [127.0.0.1]", b"250")
    say(b"MAIL FROM:<a@c.test>", b"250")
    say(b"RCPT TO:<b@x.test>", b"250")
    say(b"DATA", b"354")
    say(b"Subject: x\r\n\r\n..\r\n" + b"y" * 60000 + b"\r\n" + b"z" * 60000 + b"\r\n.", b"250")
    say(b"QUIT", b"221")
    assert p.wait(30) == 0
    assert p.stderr.read() == b""
    base.wait_until(lambda: len(house.sink.messages) > before, "message")
    message = house.sink.messages[before]
    assert f"from userid {UID})" in message.parsed()["Received"]
    assert message.content.endswith(b"\r\n\r\n.\r\n" + b"y" * 60000 + b"\r\n" + b"z" * 60000 + b"\r\n")


def test_serve_pipelined(house):
    """All at once, and the end: what was said is answered."""
    before = len(house.sink.messages)
    out = subprocess.run(
        house.argv("sendmail", "-bs"), timeout=60, stdout=subprocess.PIPE,
        input=b"EHLO c.test\r\nMAIL FROM:<a@c.test>\r\nRCPT TO:<b@x.test>\r\n"
              b"DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n")
    assert out.returncode == 0
    assert re.search(rb"\r\n354 .*\r\n250 2\.0\.0 .*\r\n", out.stdout)
    base.wait_until(lambda: len(house.sink.messages) > before, "message")


def test_serve_no_rights(house):
    """The user is who he is: no more than by the socket itself."""
    out = subprocess.run(
        house.argv("sendmail", "-bs"), timeout=60, stdout=subprocess.PIPE,
        input=b"EHLO c.test\r\nXCLIENT ADDR=192.0.2.1\r\nQUIT\r\n")
    assert b"\r\n220" not in out.stdout and b"\r\n221" in out.stdout


def test_serve_nobody(lab):
    out = subprocess.run(
        [base.BUILD / "sendmail", "-R", lab.path("run"), "-bs"], timeout=60,
        input=b"QUIT\r\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(os.environ, POSTERN_WAIT="0"))
    assert out.returncode == 75
    assert re.fullmatch(rb"421 4\.3\.0 .*\r\n", out.stdout)
    assert out.stderr.count(b"\n") == 1


# ---- -bv, -bt ----

@pytest.mark.parametrize("args,status,lines", [
    (["b@x.test", "root"], 0, ["b@x.test... deliverable",
                               "root... deliverable"]),
    (["root", "nobody-here"], 67, ["root... deliverable",
                                   "nobody-here... refused: 550"]),
])
def test_verify(house, args, status, lines):
    before = len(house.sink.messages)
    out = house.run("-bv", *args, data=b"")
    said = out.stdout.decode().splitlines()
    assert out.returncode == status, out.stderr
    assert len(said) == len(lines)
    assert all(a.startswith(b) for a, b in zip(said, lines)), said
    assert len(house.sink.messages) == before and not house.queue()


def test_verify_nobody_reads(house):
    with open("/dev/full", "wb") as full:
        out = subprocess.run(house.argv("sendmail", "-bv", "root"), stdout=full,
                             stderr=subprocess.PIPE, timeout=60)
    assert out.returncode == 74 and b"standard output" in out.stderr


def test_children_ignored(house):
    """By whoever calls, as some daemons do."""
    for args in (["-q"], ["-bt", "root"]):
        out = house.run(*args, data=b"", preexec_fn=lambda: signal.signal(
            signal.SIGCHLD, signal.SIG_IGN))
        assert out.returncode == 0, out.stderr


def test_verify_header(house):
    out = house.run("-bv", "-t", data=HEADED)
    assert out.returncode == 0
    assert [ln.split(b"...")[0] for ln in out.stdout.splitlines()] == \
        [b"b@x.test", b"c@x.test", b"d@x.test", b"e@x.test"]


def test_verify_many(house):
    """More that are refused than one session may have."""
    out = house.run("-bv", *[f"nobody{n}" for n in range(45)], "root")
    assert out.returncode == 67
    assert out.stdout.count(b"refused: 550") == 45
    assert out.stdout.endswith(b"root... deliverable\n")


def test_explain(house):
    out = house.run("-bt", "root", "b@x.test", data=b"")
    assert out.returncode == 0, out.stderr
    assert out.stdout.count(b"it would be delivered") == 2
    out = house.run("-bt", data=b"3,0 b@x.test\n\n root@home.test \n")
    assert out.stdout.count(b"it would be delivered") == 2
    out = house.run("-bt", "--", "-nobody@home.test", data=b"")
    assert out.returncode == 1 and b"refused" in out.stdout
    out = house.run("-bt", "root", data=b"", uid=UID)
    assert out.returncode == 77 and out.stderr.count(b"\n") == 1


# ---- the queue ----

def test_queue(lab):
    """-bp, mailq, and what each -q tries: those that it selects."""
    house = House(lab, retry="1h", rcpt="451 4.3.0 later")
    for sender, rcpt in (("ann@c.test", "one@x.test"),
                         ("bob@c.test", "two@x.test"),
                         ("bob@c.test", "three@y.test")):
        assert house.run("-f", sender, rcpt).returncode == 0
    it = house.it

    def tries():
        rows = base.run([*house.argv("smtpctl", "--json", "show", "queue")])
        return {r["recipient"].split("@")[0]: r["attempts"]
                for r in map(json.loads, rows.stdout.splitlines())}
    base.wait_until(lambda: list(tries().values()) == [1, 1, 1], "tried")
    want = {"one": 1, "two": 1, "three": 1}
    rows = house.queue()
    assert len(rows) == 3
    ids = {r.split()[0].split(":")[0]: re.search(r"(\w+)@[xy]\.test", r)[1]
           for r in rows}

    def runs(args, *names, status=0):
        out = house.run(*args, data=b"")
        assert out.returncode == status, (args, out.stderr)
        for name in names:
            want[name] += 1
        base.wait_until(lambda: tries() == want, f"{args}: {want}")

    listed = house.run("-bp", data=b"")
    assert listed.returncode == 0 and listed.stdout.count(b"@c.test") >= 3
    link = lab.path("bin")
    link.mkdir()
    (link / "mailq").symlink_to(base.BUILD / "sendmail")
    out = base.run([link / "mailq", "-R", house.root])
    assert out.returncode == 0
    assert all(i in out.stdout for i in ids)

    runs(["-q"], "one", "two", "three")
    runs(["-qf"], "one", "two", "three")
    runs(["-qRTWO@"], "two")
    runs(["-qRx.test"], "one", "two")
    runs(["-q!Rx.test"], "three")
    runs(["-qSbob"], "two", "three")
    runs(["-qSbob", "-qRx.test"], "two")
    first = next(i for i, name in ids.items() if name == "one")
    runs(["-qI" + first], "one")
    runs(["-q!I" + first[3:]], "two", "three")
    runs(["-qRnobody-has-this"])
    runs(["-q15m"])
    runs(["-qp5m", "-bp"])
    runs(["-v", "-q"], "one", "two", "three")
    runs(["-q", "b@x.test"], status=64)
    runs(["-q", "-t"], status=64)
    # what is held is not tried, but by -qQ
    assert base.run(house.argv("smtpctl", "hold", "--to",
                               "one@x.test")).returncode == 0
    runs(["-q!Q"], "two", "three")
    runs(["-qQ"], "one")
    for args in (["-bp"], ["-q"], ["-qRx"], ["-qQ"]):
        out = house.run(*args, data=b"", uid=UID)
        assert out.returncode == 77, (args, out.stderr)
        assert out.stderr.count(b"\n") == 1 and b"only root" in out.stderr
    assert tries() == want
    assert base.run([*house.argv("smtpctl", "remove", "all")]).returncode == 0
    it.empty()


def test_hosts(house):
    assert house.run("-bh", data=b"").returncode == 0
    assert house.run("-bH", data=b"").returncode == 0


# ---- aliases ----

def test_newaliases(lab):
    """The file is read anew; who may not say so, and where nobody runs, it is
    as good as done."""
    house = House(lab)
    link = lab.path("bin")
    link.mkdir()
    (link / "newaliases").symlink_to(base.BUILD / "sendmail")

    def known(name):
        return house.run("-bv", name, data=b"").returncode == 0
    assert known("root") and not known("ann")
    house.aliases.write_text("root: root@x.test\nann: ann@x.test\n")
    for args in (["sendmail", "-bi"], ["sendmail", "-I"]):
        out = house.run(*args[1:], data=b"", uid=UID)
        assert (out.returncode, out.stdout, out.stderr) == (0, b"", b"")
    time.sleep(0.5)
    assert not known("ann")
    out = base.run([link / "newaliases", "-R", house.root])
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")
    base.wait_until(lambda: known("ann"), "the new alias")
    house.it.stop()
    out = base.run([link / "newaliases", "-R", house.root])
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")


# ---- the daemon ----

@pytest.mark.parametrize("mode,front", [("-bd", False), ("-bD", True)])
def test_daemon(lab, mode, front):
    """smtpd itself, in the background or not, from beside sendmail."""
    where = lab.path("bin")
    where.mkdir()
    (where / "sendmail").write_bytes((base.BUILD / "sendmail").read_bytes())
    (where / "smtpd").write_text('#!/bin/sh\necho "$@"\n')
    for name in ("sendmail", "smtpd"):
        (where / name).chmod(0o755)
    out = base.run([where / "sendmail", mode, "-q15m", "-R", "dir"])
    assert out.stdout.split() == ["-R", "dir"] + ["-d"] * front


def test_killed(lab):
    """The daemon dies in the middle of a message, and does not come back."""
    house = House(lab)
    p = subprocess.Popen(
        house.argv("sendmail", "-bs"), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    assert p.stdout.readline().startswith(b"220")
    fifo = lab.path("fifo")
    os.mkfifo(fifo)
    q = subprocess.Popen(
        ["sh", "-c", f'exec "$@" <{fifo}', "-",
         *house.argv("sendmail", "b@x.test")], stderr=subprocess.PIPE,
        env=dict(os.environ, POSTERN_WAIT="1"))
    with open(fifo, "wb", buffering=0) as f:
        f.write(MESSAGE)
        house.it.kill()
    assert q.wait(60) == 75
    assert q.stderr.read().count(b"\n") == 1
    p.stdin.close()
    assert p.wait(60) in (0, 75)


def test_restarted(lab):
    """It comes back in time: the message is sent, once."""
    house = House(lab)
    house.it.stop()
    p = subprocess.Popen(house.argv("sendmail", "b@x.test"),
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(MESSAGE)
    p.stdin.close()
    time.sleep(1)
    assert p.poll() is None
    house.it.start()
    assert p.wait(60) == 0, p.stderr.read()
    base.wait_until(lambda: len(house.sink.messages) == 1, "message")


def test_restarts(lab):
    """Reloads and a restart under a stream of messages: none fails, none is
    lost."""
    house = House(lab)
    procs = []
    for n in range(40):
        p = subprocess.Popen(house.argv("sendmail", "b@x.test"),
                             stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(b"Subject: n%d\n\nhello\n" % n)
        p.stdin.close()
        procs.append(p)
        if n % 10 == 5:
            base.run(house.argv("smtpctl", "reload"))
        if n == 20:
            house.it.stop()
            house.it.start()
    assert [p.wait(60) for p in procs] == [0] * 40
    base.wait_until(lambda: len(house.sink.messages) >= 40, "all", 30)
    subjects = sorted(m.parsed()["Subject"] for m in house.sink.messages)
    assert subjects == sorted(f"n{n}" for n in range(40))


def test_stopped(lab):
    """In order, in the middle of a message: who has said it is told, who has
    not waits for the next; nothing of a half is delivered."""
    house = House(lab)
    p = serve(house)
    for line, code in ((None, b"220"), (b"HELO c.test", b"250"),
                       (b"MAIL FROM:<a@c.test>", b"250"),
                       (b"RCPT TO:<b@x.test>", b"250"), (b"DATA", b"354")):
        if line:
            p.stdin.write(line + b"\r\n")
            p.stdin.flush()
        assert p.stdout.readline().startswith(code)
    p.stdin.write(b"Subject: half\r\n\r\nhalf of it\r\n")
    p.stdin.flush()
    q = subprocess.Popen(house.argv("sendmail", "b@x.test"),
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=dict(os.environ, POSTERN_WAIT="40"))
    q.stdin.write(b"Subject: whole\n\nbegun\n" + b"y\n" * 100000)
    q.stdin.flush()
    time.sleep(0.5)
    house.it.stop()
    out, _ = p.communicate(timeout=60)
    assert out[:3] in (b"", b"421"), out
    q.stdin.close()
    time.sleep(0.5)
    assert q.poll() is None
    house.it.start()
    assert q.wait(60) == 0, q.stderr.read()
    base.wait_until(lambda: house.sink.messages, "the whole one", 30)
    house.it.empty()
    message, = house.sink.messages
    assert message.parsed()["Subject"] == "whole"


def test_stands_still(lab):
    """A daemon that does not move for a while: the message is taken once it
    goes on, and once."""
    house = House(lab)
    pids = [house.it.pid, *[p for p, _ in base.descendants(house.it.pid)]]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        p = subprocess.Popen(house.argv("sendmail", "b@x.test"),
                             stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=dict(os.environ, POSTERN_WAIT="40"))
        p.stdin.write(MESSAGE)
        p.stdin.close()
        time.sleep(3)
        assert p.poll() is None
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert p.wait(60) == 0, p.stderr.read()
    base.wait_until(lambda: house.sink.messages, "message", 30)
    house.it.empty()
    assert len(house.sink.messages) == 1


def test_examples_of_the_manual(house, lab):
    """The commands of sendmail(8) do what it says of them."""
    page = (base.ROOT / "man/sendmail.8").read_text()
    part = page.split(".Sh EXAMPLES")[1].split(".Sh ")[0].replace("\\e", "\\")
    lines = re.findall(r"(?m)^[$#] (.+)$", part)
    assert len(lines) == 3
    link = lab.path("bin")
    link.mkdir()
    (link / "sendmail").symlink_to(base.BUILD / "sendmail")
    env = dict(os.environ, POSTERN_DIR=str(house.root),
               PATH=f"{link}:{os.environ['PATH']}")
    before = len(house.sink.messages)
    said = [base.run(["sh", "-c", line], env=env, timeout=60)
            for line in lines]
    assert [out.returncode for out in said] == [0, 0, 0], said
    base.wait_until(lambda: len(house.sink.messages) > before, "message")
    message = house.sink.messages[before]
    assert message.rcpts == ["root@x.test"]
    assert message.content.endswith(b"\r\n\r\nsda is full\r\n")
    assert said[1].stdout == "ann@example.org... deliverable\n"
    assert "it would be delivered" in said[2].stdout
    assert not house.queue()


def test_too_large(house):
    """The limit of the daemon, as it is by default."""
    out = house.run("b@x.test", data=b"Subject: x\n\n" + b"y" * 36 * 1024 ** 2)
    assert out.returncode == 69
    assert b"larger" in out.stderr


def test_no_setid():
    """Nobody's rights but the caller's."""
    mode = (base.BUILD / "sendmail").stat().st_mode
    assert mode & 0o6000 == 0
