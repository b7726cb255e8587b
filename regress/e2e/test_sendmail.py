"""sendmail(8) and a daemon that does as it is told: what is said to it, what
becomes of what it says, patience, signals, and input of all kinds.

SPDX-License-Identifier: ISC
"""
import os
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib import base, receiver
from lib.instance import state
from lib.receiver import CLOSE, ENDLESS, GARBAGE, RESET, SILENT, TAKE_CLOSE, Late

OFFERS = ("PIPELINING", "8BITMIME", "SIZE 1000000", "DSN", "SMTPUTF8",
          "ENHANCEDSTATUSCODES")
NO_WAIT = {"POSTERN_WAIT": "0"}
LONG = b"y" * 300000


class Daemon(receiver.Receiver):
    """A receiver at the socket of an instance's directory."""

    def __init__(self, directory, **kw):
        self.dir = directory
        directory.mkdir(exist_ok=True)
        kw.setdefault("extensions", OFFERS)
        super().__init__(path=directory / "smtpd.sock", **kw)


@pytest.fixture
def daemon(lab):
    def make(**kw):
        return lab.keep(Daemon(lab.path("run"), **kw))
    return make


def argv(where, *args):
    return [str(base.BUILD / "sendmail"), "-R", str(where),
            *[a if isinstance(a, bytes) else str(a) for a in args]]


def sendmail(where, *args, data=b"Subject: x\n\nhello\n", wait="5", timeout=60,
             env=None, **kw):
    """The process, ended: returncode, stdout and stderr as bytes."""
    if isinstance(data, str):
        data = data.encode()
    return subprocess.run(argv(where, *args), input=data, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, POSTERN_WAIT=wait,
                                   **(env or {})), **kw)


def one_line(out):
    """What it said on standard error: one line."""
    text = out.stderr.decode(errors="replace")
    assert text.count("\n") == 1 and text.startswith("sendmail: "), text
    return text


def only(it):
    message, = it.messages
    return message


# ---- what is said ----

@pytest.mark.parametrize("args,sender,rcpts", [
    (["-f", "a@c.test", "b@x.test"], "a@c.test", ["b@x.test"]),
    (["-f", "<a@c.test>", "<b@x.test>"], "a@c.test", ["b@x.test"]),
    (["-f", "Ann <a@c.test>", "Bob <b@x.test>"], "a@c.test", ["b@x.test"]),
    (["-f", "<>", "b"], "", ["b"]),
    (["-f", "", "b"], "", ["b"]),
    (["-f<>", "b"], "", ["b"]),
    (["-f", "<> ", "b"], "", ["b"]),
    (["-f", "< >", "b"], "", ["b"]),
    (["-f", " ", "b"], "", ["b"]),
    (["-f", " a@c.test ", "b"], "a@c.test", ["b"]),
    (["-e", "m", "b"], "root", ["b"]),
    (["b (Bob) @ x . test"], "root", ["b@x.test"]),
    (["b@x.test, c@x.test", "d"], "root", ["b@x.test", "c@x.test", "d"]),
    (["--", "-b"], "root", ["-b"]),
    (["/etc/passwd", "|id", "\\root"], None, None),
    (["/etc/passwd", "|id"], "root", ["/etc/passwd", "|id"]),
    (['"a b"', '"a@b"@x.test'], "root", ['"a b"', '"a@b"@x.test']),
    (["-f", "a@[127.0.0.1]", "b"], "a@[127.0.0.1]", ["b"]),
])
def test_envelope(daemon, args, sender, rcpts):
    """Addresses go as they are: a domain is the daemon's to add."""
    it = daemon()
    out = sendmail(it.dir, *args)
    if sender is None:
        assert out.returncode == 65 and one_line(out)
        assert not it.messages
        return
    assert out.returncode == 0 and out.stderr == b"", out.stderr
    assert only(it).sender == sender and only(it).rcpts == rcpts


@pytest.mark.parametrize("args,mail,rcpt", [
    ([], "", ""),
    (["-B8BITMIME"], "BODY=8BITMIME", ""),
    (["-B", "7BIT"], "", ""),
    (["-Rhdrs", "-V", "a id+1=2"], "RET=HDRS ENVID=a+20id+2B1+3D2", ""),
    (["-R", "full"], "RET=FULL", ""),
    (["-N", "never"], "", "NOTIFY=NEVER"),
    (["-Nsuccess,delay"], "", "NOTIFY=SUCCESS,DELAY"),
    (["-O", "smtputf8=yes"], "SMTPUTF8", ""),
    (["-f", "ä@c.test"], "SMTPUTF8", ""),
])
def test_parameters(daemon, args, mail, rcpt):
    it = daemon()
    out = sendmail(it.dir, *args, "b@x.test")
    assert out.returncode == 0, out.stderr
    words = only(it).mail_args.split()
    assert re.fullmatch(r"SIZE=\d+", words[0])
    assert " ".join(words[1:]) == mail
    assert only(it).rcpt_args["b@x.test"] == rcpt
    assert not it.odd


def test_not_offered(daemon):
    """DSN is left out where it is not known; what must hold is refused."""
    it = daemon(extensions=("8BITMIME",))
    out = sendmail(it.dir, "-Nnever", "-Rfull", "-Vid", "b@x.test")
    assert out.returncode == 0 and not it.odd
    for args in (["-O", "requiretls"], ["-O", "smtputf8"], ["-f", "ä@x.test"]):
        out = sendmail(it.dir, *args, "b@x.test")
        assert out.returncode == 69 and "not offered" in one_line(out)
    assert len(it.messages) == 1


def test_eight_bit(daemon):
    it = daemon()
    body = bytes(b for b in range(256) if b not in b"\r\n\0")
    out = sendmail(it.dir, "-i", "b", data=b"Subject: \xe4\n\n" + body + b"\n")
    assert out.returncode == 0
    assert "BODY=8BITMIME" in only(it).mail_args
    assert b"Subject: \xe4\r\n" in only(it).content
    assert only(it).content.endswith(b"\r\n\r\n" + body + b"\r\n")


@pytest.mark.parametrize("args,header,rcpts", [
    (["-t"], "To: a, B <b@x.test>\nCc: c\nBcc: d", "a b@x.test c d"),
    (["-t", "z"], "To: a", "a z"),
    (["-t"], "To: a\nResent-To: r\nBcc: b\nResent-Bcc: s", "r s"),
    (["-t"], "Bcc: a,\n b,\n\tc", "a b c"),
    (["-t"], "To: g: a, b;, undisclosed-recipients:;\nBcc:\n", "a b"),
    (["-t"], "TO:a\nbCC :b", "a b"),
    (["-t"], "To: a (x) @ (y (z\\)) \n\t) x . test,\n <b(@)@x.test>,\n"
     " \"(c\\\"\" (d) @ [127.0.0.1]", '"(c\\""@[127.0.0.1] a@x.test b@x.test'),
    (["z"], "To: a\nBcc: b", "z"),
])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_header_recipients(daemon, args, header, rcpts, end):
    it = daemon()
    text = f"{header.strip()}\nSubject: x\n\nhello\n".replace("\n", end)
    out = sendmail(it.dir, *args, data=text)
    assert out.returncode == 0, out.stderr
    assert sorted(only(it).rcpts) == rcpts.split()
    # What is resent says by whom and when, in one block.
    resent = re.findall(rb"^Resent-(?:From|Date): .+\r\n", only(it).content,
                        re.M)
    assert len(resent) == (2 if "Resent" in header else 0)
    assert b"".join(resent) in only(it).content
    assert only(it).content.endswith(b"Subject: x\r\nFrom: \"root\" <root>\r\n"
                                     b"\r\nhello\r\n")


@pytest.mark.parametrize("header,status", [
    ("Subject: nobody", 65),
    ("To: ", 65),
    ("To: undisclosed-recipients:;", 65),
    ("To: a b c", 65),
    ("To: <a", 65),
    ('To: "a', 65),
    ("To: a@b@c", 65),
    ("To: a@-x-", 65),
])
def test_header_without(daemon, header, status):
    it = daemon()
    out = sendmail(it.dir, "-t", data=header + "\n\nx\n")
    assert out.returncode == status and one_line(out)
    assert not it.messages


@pytest.mark.parametrize("args,data,body", [
    ([], b"S: x\n\na\n.\nb\n", b"a\r\n"),
    (["-i"], b"S: x\n\na\n.\nb\n", b"a\r\n.\r\nb\r\n"),
    (["-oi"], b"S: x\r\n\r\na\r\n.\r\nb", b"a\r\n.\r\nb\r\n"),
    (["-O", "IgnoreDots"], b"S: x\n\n..\n.\n", b"..\r\n.\r\n"),
    ([], b"S: x\n\n..\n.a\n", b"..\r\n.a\r\n"),
    ([], b"no header at all\n", b"no header at all\r\n"),
    ([], b"\nhello", b"hello\r\n"),
    ([], b"", b""),
    ([], b"S: x\n", b""),
    ([], b"S: x\n\na\0b\n", b"ab\r\n"),
    ([], b"S: x\n\na\rb\r\n", b"a\r\nb\r\n"),
    ([], b"S: x\n\n" + LONG + b"\n", LONG + b"\r\n"),
    ([], LONG, LONG + b"\r\n"),
], ids=range(13))
def test_content(daemon, args, data, body):
    it = daemon()
    out = sendmail(it.dir, *args, "b", data=data)
    assert out.returncode == 0, out.stderr
    head, _, got = only(it).content.partition(b"\r\n\r\n")
    assert got == body
    assert re.search(rb"^From: .*<root>$", head, re.M)


def test_full_name(daemon):
    it = daemon()
    for args in (["-F", "A \"B\" \\C"], ["-FJosé"], ["-F", "x\nBcc: evil"],
                 ["-F", "x" * 100000], ["-f", "a@c.test"]):
        assert sendmail(it.dir, *args, "b").returncode == 0
    froms = [re.search(rb"^From: .*", m.content, re.M)[0].strip()
             for m in it.messages]
    assert froms == [b'From: "A \\"B\\" \\\\C" <root>',
                     b"From: =?UTF-8?Q?Jos=C3=A9?= <root>",
                     b'From: "xBcc: evil" <root>', b"From: <root>",
                     b"From: <a@c.test>"]


def as_user(lab, line):
    """A command line that runs as a user of passwd(5), whose uid is 64901."""
    folder = lab.path("etc")
    folder.mkdir()
    with open("/etc/passwd", "rb") as f:
        (folder / "passwd").write_bytes(f.read() + line + b"\n")
    return ["unshare", "-m", "--propagation", "private", "sh", "-c",
            f"mount --bind {folder}/passwd /etc/passwd && exec setpriv "
            '--reuid 64901 --regid 64901 --clear-groups "$@"', "-"]


@pytest.mark.parametrize("name,gecos,sender,said", [
    (b"joe", b"Joe User,room 5,,", "joe", b'"Joe User" <joe>'),
    (b"joe", b"& User", "joe", b'"Joe User" <joe>'),
    (b"joe", b"J\xc3\xb6 & \xe4", "joe",
     b"=?UNKNOWN-8BIT?Q?J=C3=B6=20Joe=20=E4?= <joe>"),
    (b"joe", b'a"b\\c\r\x01\x7f', "joe", b'"a\\"b\\\\c" <joe>'),
    (b"joe", b"&" * 2000, "joe", b"<joe>"),
    (b"HOME\\joe", b"", '"HOME\\\\joe"', b'<"HOME\\\\joe">'),
    (b"joe@home.test", b"", "joe@home.test", b"<joe@home.test>"),
    (b"a b<c", b"", '"a b<c"', b'<"a b<c">'),
    (b"j\xe4e", b"", "uid64901", b"<uid64901>"),
    (b"x" * 200, b"", "uid64901", b"<uid64901>"),
])
def test_who(lab, daemon, name, gecos, sender, said):
    """Names of users, and their full names, as passwd(5) may have them."""
    it = daemon()
    os.chmod(it.path, 0o777)
    it.dir.chmod(0o755)
    out = subprocess.run(
        as_user(lab, name + b":x:64901:64901:" + gecos + b":/:/bin/sh") +
        argv(it.dir, "b"), input=b"Subject: x\n\nhello\n", timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert out.returncode == 0, out.stderr
    assert only(it).sender == sender
    assert re.search(rb"^From: (.*)\r$", only(it).content, re.M)[1] == said


def test_nobody(lab, daemon):
    """A user whom passwd(5) does not have."""
    it = daemon()
    os.chmod(it.path, 0o777)
    out = subprocess.run(
        ["setpriv", "--reuid", "64902", "--regid", "64902", "--clear-groups",
         *argv(it.dir, "b")], input=b"x\n", timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert out.returncode == 0, out.stderr
    assert only(it).sender == "uid64902"


def test_environment(daemon):
    """Whose message it is nobody says by his environment."""
    it = daemon()
    out = sendmail(it.dir, "b", env={n: "evil" for n in (
        "LOGNAME", "USER", "NAME", "EMAIL", "MAILNAME", "MAILHOST",
        "MAILUSER", "QMAILUSER", "HOME", "TZDIR", "IFS")})
    assert out.returncode == 0 and only(it).sender == "root"
    assert b"evil" not in only(it).content


EVIL = "\r\nRCPT TO:<evil@x.test>\r\nX-Evil: y\r\n"


@pytest.mark.parametrize("args,status", [
    (["b@x.test" + EVIL], 65), (["<b@x.test>" + EVIL], 65),
    (["b\nc@x.test"], 65), (["b@x.test\x01"], 65),
    (["b" * 70 + "@x.test"], 65), (["b" * 100000], 65),
    ([b"b\xff\xfe@x.test"], 65), ([b"b@\xff.test"], 65), (["b@x..test"], 65),
    (["%s%n%s%n@x.test"], 0), (["$HOME", "`id`"], 0),
    (["b*?~!#@x.test"], 0), (["\x1b]0;x\x07@x.test"], 65),
    (["-f", "a@c.test" + EVIL, "b"], 65), (["-f", "\x1b[2J", "b"], 65),
    (["-f", b"\xff", "b"], 65), (["-f", "a" * 1000, "b"], 65),
    (["-f", "a\r\nRCPT TO:<evil@x.test>", "b"], 65),
    (["-F", "A" + EVIL, "b"], 0), (["-F", b"\xff\x1b", "b"], 0),
    (["-V", "id" + EVIL, "b"], 64), (["-N", "never" + EVIL, "b"], 64),
    (["-B", "8BITMIME" + EVIL, "b"], 64), (["-bx" + EVIL, "b"], 64),
    (["-L", "tag%s%n" + EVIL, "b"], 0), (["-O", "x=" + EVIL, "b"], 0),
    (["-o", EVIL, "b"], 0), (["-h", EVIL, "b"], 0), (["-p", EVIL, "b"], 0),
    (["-X", "/no/such/folder/x", "b"], 0), (["-C", "/etc/shadow", "b"], 0),
    (["-d" + "9" * 5000, "b"], 0),
], ids=range(32))
def test_hostile_arguments(daemon, args, status):
    """No argument makes more than one word of what is said to the daemon, nor
    of what is shown."""
    it = daemon()
    out = sendmail(it.dir, *args, wait="0")
    said = b"\n".join(line.encode("utf-8", "surrogateescape")
                      for line in it.lines)
    assert not re.search(rb"(?m)^(RCPT TO:<evil|X-Evil)", said), said
    assert not any(b"\r\nX-Evil: y\r\n" in m.content for m in it.messages)
    assert not re.search(rb"[^\n\x20-\x7e]", out.stderr), out.stderr
    assert out.returncode == status, out
    assert len(it.messages) == (status == 0)
    if status != 0:
        one_line(out)


@pytest.mark.parametrize("args", [
    [], ["-i"], ["-Z", "b"], ["-f"], ["-B", "9BIT", "b"], ["-N", "x", "b"],
    ["-bx"], ["-q", "b"], ["-XV", "b"]])
def test_usage(daemon, args):
    it = daemon()
    out = sendmail(it.dir, *args)
    assert out.returncode == 64 and one_line(out) and not it.sessions


# ---- what it says ----

@pytest.mark.parametrize("table,status", [
    ({"mail": "550 5.7.1 no"}, 77),
    ({"mail": "553 5.1.7 bad sender"}, 65),
    ({"mail": "552 5.3.4 too big"}, 69),
    ({"mail": "451 4.3.0 later"}, 75),
    ({"rcpt": "550 5.1.1 no such user"}, 67),
    ({"rcpt": "550 5.1.2 no such host"}, 68),
    ({"rcpt": "550 5.7.1 not allowed"}, 77),
    ({"rcpt": "550 no code"}, 69),
    ({"rcpt": "450 4.2.1 later"}, 75),
    ({"data": "554 5.5.1 no"}, 69),
    ({"data": "451 4.3.0 later"}, 75),
    ({"dot": "554 5.6.0 bad content"}, 65),
    ({"dot": "552 5.3.4 too big"}, 69),
    ({"dot": "452 4.3.1 no space"}, 75),
    ({"banner": "554 5.3.2 no service"}, 69),
    ({"ehlo": "554 5.5.1 no"}, 69),
    # nobody knows what came of it
    ({"dot": TAKE_CLOSE}, 75),
    ({"dot": CLOSE}, 75),
    ({"dot": RESET}, 75),
    ({"dot": GARBAGE}, 75),
    ({"dot": "421 4.3.0 leaving"}, 75),
    # nobody is there
    ({"banner": CLOSE}, 75),
    ({"banner": GARBAGE}, 75),
    ({"banner": "421 4.3.2 stopping"}, 75),
    ({"banner": SILENT}, 75),
    ({"mail": "421 4.3.2 stopping"}, 75),
    ({"data": CLOSE}, 75),
])
def test_refused(daemon, table, status):
    it = daemon(**table)
    begin = time.monotonic()
    out = sendmail(it.dir, "-f", "a@c.test", "b@x.test", wait="1")
    assert out.returncode == status, out.stderr
    assert "sent" in one_line(out)
    assert time.monotonic() - begin < 30
    assert not [m for m in it.messages if table.get("dot") != TAKE_CLOSE]
    # After the last dot it is not said again.
    if "dot" in table:
        assert it.sessions == 1


def test_all_or_none(daemon):
    """One that is refused, and nothing is sent to the others; each that is
    refused is named."""
    it = daemon(rcpt={"b@x.test": "550 5.1.1 no b", "d@x.test": "550 no d"})
    out = sendmail(it.dir, "a@x.test", "b@x.test", "c@x.test", "d@x.test")
    assert out.returncode == 67
    assert re.findall(rb"no [bd]", out.stderr) == [b"no b", b"no d"]
    assert not it.messages


def test_many_refused(daemon):
    """Not so many that it looks like guessing."""
    it = daemon(rcpt="550 5.1.1 no")
    out = sendmail(it.dir, *[f"u{n}@x.test" for n in range(50)])
    assert out.returncode == 67
    assert out.stderr.count(b"\n") == 10
    assert it.sessions == 1


def test_more_than_one_message_has(daemon):
    """RFC 5321 4.5.3.1.10: as many messages as it takes, and those in as many
    sessions; all recipients are asked about before the first is sent."""
    rcpts = [f"u{n}@x.test" for n in range(25)]
    it = daemon(extensions=OFFERS + ("LIMITS MAILMAX=2 RCPTMAX=3",))
    out = sendmail(it.dir, *rcpts)
    assert out.returncode == 0, out.stderr
    assert [a for m in it.messages for a in m.rcpts] == rcpts
    assert len(it.messages) == 9 and not it.odd


def test_more_and_one_refused(daemon):
    rcpts = [f"u{n}@x.test" for n in range(25)]
    it = daemon(extensions=OFFERS + ("LIMITS RCPTMAX=3",),
                rcpt={"u24@x.test": "550 5.1.1 no"})
    out = sendmail(it.dir, *rcpts)
    assert out.returncode == 67 and not it.messages


def test_more_than_is_said(daemon):
    """452 4.5.3 without LIMITS."""
    def rcpt(session):
        return "452 4.5.3 too many" if len(session.rcpts) == 4 else "250 ok"
    rcpts = [f"u{n}@x.test" for n in range(10)]
    it = daemon(rcpt=rcpt)
    assert sendmail(it.dir, *rcpts).returncode == 0
    assert [m.rcpts for m in it.messages] == [rcpts[:4], rcpts[4:8], rcpts[8:]]


def test_more_than_is_said_and_one_refused(daemon):
    """... and one of the first message's is refused: nobody has it."""
    rcpts = [f"u{n}@x.test" for n in range(10)]
    it = daemon(rcpt=["250 ok", "550 5.1.1 no", "250 ok", "250 ok",
                      "452 4.5.3 too many", "250 ok"])
    out = sendmail(it.dir, *rcpts)
    assert out.returncode == 67, out.stderr
    assert b"nothing was sent" in one_line(out).encode()
    assert not it.messages


def test_verbose(daemon):
    it = daemon()
    out = sendmail(it.dir, "-v", "-f", "a@c.test", "b@x.test")
    talk = out.stdout.decode().splitlines()
    assert out.returncode == 0
    assert [line.split()[1].upper() for line in talk
            if line.startswith(">>>")] == \
        ["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"]
    assert talk[0].startswith("220 ") and "250 2.0.0 taken" in talk
    assert sendmail(it.dir, "b@x.test").stdout == b""


# ---- -oe: who hears of it ----

def report_of(it):
    message, = it.messages
    assert message.sender == "" and message.rcpts == ["a@c.test"]
    parsed = message.parsed()
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert parsed["To"] == "<a@c.test>"
    return parsed


@pytest.mark.parametrize("args,status,quiet", [
    (["-oem"], 67, False), (["-O", "ErrorMode=m"], 67, False),
    (["-em"], 67, False), (["-oee"], 0, False)])
def test_errors_by_mail(daemon, args, status, quiet):
    it = daemon(rcpt={"b@x.test": "550 5.1.1 no such user"})
    out = sendmail(it.dir, *args, "-f", "a@c.test", "b@x.test",
                   data=b"Subject: h\xe4\n\n.dot\n.\nbody\n", wait="1")
    assert out.returncode == status, out.stderr
    report = report_of(it)
    text, back = report.get_payload()
    assert "b@x.test: 550 5.1.1 no such user" in text.get_payload()
    assert back.get_content_type() == "message/rfc822"
    inner, = back.get_payload()
    assert inner["From"] == "<a@c.test>"
    assert inner.get_payload().startswith(".dot")


@pytest.mark.parametrize("table", [
    {"dot": ["250 ok", "554 5.6.0 no such content", "250 ok"]},
    {"rcpt": ["250 ok"] * 11 + ["554 5.1.1 no such content", "250 ok"]},
])
def test_errors_by_mail_some(daemon, table):
    """Others have it already: who is told of the refusal is told so."""
    it = daemon(extensions=OFFERS + ("LIMITS RCPTMAX=3",), **table)
    out = sendmail(it.dir, "-oem", "-f", "a@c.test",
                   *[f"u{n}@x.test" for n in range(7)])
    assert out.returncode != 0 and b"not all was sent" in out.stderr
    assert len(it.messages[0].rcpts) == 3 and len(it.messages) == 2
    text, _ = it.messages[1].parsed().get_payload()
    assert "no such content" in text.get_payload()
    assert "not sent to all" in text.get_payload()
    assert "not sent to anybody" not in text.get_payload()


def test_errors_by_mail_large(daemon):
    it = daemon(rcpt={"b@x.test": "550 5.1.1 no such user"})
    sendmail(it.dir, "-oem", "-f", "a@c.test", "b@x.test",
             data=b"Subject: big\n\n" + b"x\n" * 100000)
    _, back = report_of(it).get_payload()
    assert back.get_content_type() == "text/rfc822-headers"
    assert "Subject: big" in back.get_payload()
    assert len(only(it).content) < 10000


@pytest.mark.parametrize("args,table,status", [
    # put off: the caller has it still
    (["-oee", "-f", "a@c.test"], {"rcpt": "450 4.2.1 later"}, 75),
    (["-oem", "-f", "a@c.test"], {"mail": "451 4.3.0 later"}, 75),
    # nobody to tell
    (["-oee", "-f", "<>"], {"rcpt": "550 5.1.1 no"}, 67),
    # the report is refused too
    (["-oee", "-f", "a@c.test"], {"rcpt": "550 5.1.1 no"}, 67),
    (["-oep", "-f", "a@c.test"], {"rcpt": "550 5.1.1 no"}, 67),
])
def test_errors_not_by_mail(daemon, args, table, status):
    it = daemon(**table)
    out = sendmail(it.dir, *args, "b@x.test")
    assert out.returncode == status and one_line(out)
    assert not it.messages


def test_errors_quiet(daemon):
    it = daemon(rcpt="550 5.1.1 no")
    out = sendmail(it.dir, "-oeq", "b@x.test")
    assert (out.returncode, out.stderr, out.stdout) == (67, b"", b"")


def test_log(lab, daemon):
    """What it complains of is in the log, under the tag of -L."""
    it = daemon(rcpt="550 5.1.1 no\x1b[31m")
    log = lab.path("log")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(log))
    sock.settimeout(20)
    try:
        out = subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             'mkdir -p "$1.dev" && mount --bind /dev "$1.dev" && '
             'mount -t tmpfs none /dev && ln -s "$1" /dev/log && '
             'mknod /dev/null c 1 3 && shift && exec "$@"', "-", str(log),
             *argv(it.dir, "-L", "mytag", "b@x.test")],
            input=b"x\n", timeout=60, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        assert out.returncode == 67, out.stderr
        line = sock.recv(4096).decode()
    finally:
        sock.close()
    assert re.match(r"<19>.* mytag\[\d+\]: uid=0 .*refused, nothing was sent",
                    line)
    assert "\x1b" not in line and b"\x1b" not in out.stderr


# ---- patience ----

def test_waits_for_socket(lab):
    """A daemon that begins while we wait: no socket, then one."""
    where = lab.path("run")
    where.mkdir()
    p = subprocess.Popen(argv(where, "b@x.test"), stdin=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    p.stdin.write(b"Subject: x\n\nhello\n")
    p.stdin.close()
    time.sleep(1.5)
    assert p.poll() is None
    it = lab.keep(Daemon(where))
    assert p.wait(60) == 0 and p.stderr.read() == b""
    assert only(it).rcpts == ["b@x.test"]


def test_waits_for_listener(lab, daemon):
    """A socket that nobody listens on any more."""
    it = daemon()
    it.stop()
    assert it.path.exists()
    p = subprocess.Popen(argv(it.dir, "b@x.test"), stdin=subprocess.DEVNULL)
    time.sleep(0.7)
    it.path.unlink()
    other = lab.keep(Daemon(it.dir))
    assert p.wait(60) == 0
    assert len(other.messages) == 1


@pytest.mark.parametrize("table", [
    {"banner": ["421 4.3.2 stopping", "421 4.3.2 stopping",
                "220 sink.test"]},
    {"banner": [CLOSE, "220 sink.test"]},
    {"mail": ["421 4.3.2 stopping", "250 ok"]},
    {"rcpt": [CLOSE, "250 ok"]},
    {"data": ["421 4.3.2 stopping", RESET, "354 go"]},
    {"banner": Late("220 sink.test", 2)},
])
def test_again(daemon, table):
    """What had not its last dot is said once more, and is sent once."""
    it = daemon(**table)
    out = sendmail(it.dir, "b@x.test")
    assert out.returncode == 0 and out.stderr == b"", out.stderr
    assert only(it).content.endswith(b"\r\n\r\nhello\r\n")


def test_cut_in_content(daemon):
    """... also when the content had begun, and is in a file."""
    class Once:
        n = 0

    def data(session):
        Once.n += 1
        if Once.n == 1:
            session.conn.sendall(b"354 go\r\n")
            session.conn.recv(100000)
            return RESET
        return "354 go"
    it = daemon(data=data)
    body = b"".join(b"line %d\n" % n for n in range(60000))
    out = sendmail(it.dir, "b@x.test", data=b"Subject: x\n\n" + body)
    assert out.returncode == 0, out.stderr
    assert Once.n == 2
    assert only(it).content.endswith(
        b"\r\n\r\n" + body.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("wait,most", [("0", 1), ("2", 10)])
def test_nobody_there(lab, wait, most):
    where = lab.path("run")
    begin = time.monotonic()
    out = sendmail(where, "b@x.test", wait=wait)
    took = time.monotonic() - begin
    assert out.returncode == 75
    assert "cannot be reached" in one_line(out)
    assert float(wait) <= took < most + 20


def test_bad_wait(lab):
    """A word of nonsense does not make it wait for ever, nor not at all."""
    p = subprocess.Popen(argv(lab.path("run"), "b"), stdin=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL,
                         env=dict(os.environ, POSTERN_WAIT="-1"))
    time.sleep(1)
    assert p.poll() is None
    p.kill()
    p.wait()


def test_late_reader(daemon):
    """Who writes slowly holds no session meanwhile."""
    it = daemon()
    p = subprocess.Popen(argv(it.dir, "b@x.test"), stdin=subprocess.PIPE)
    for n in range(10):
        p.stdin.write(b"Subject: x\n\n" if n == 0 else b"y" * 5000 + b"\n")
        p.stdin.flush()
        time.sleep(0.1)
    assert it.sessions == 0
    p.stdin.close()
    assert p.wait(60) == 0 and it.sessions == 1


# ---- input without end ----

@pytest.mark.parametrize("piece", [b"0123456789\n", b"x", b"\0", b"\n"])
def test_endless(daemon, piece):
    """The limit holds while standard input goes on; a moment's session asks
    for it, and no file grows."""
    it = daemon()
    p = subprocess.Popen(argv(it.dir, "b@x.test"), stdin=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    written = 0
    block = b"Subject: x\n\n" + piece * (65536 // len(piece))
    try:
        while written < 100_000_000:
            p.stdin.write(block)
            written += len(block)
            block = piece * (65536 // len(piece))
            if it.sessions:
                # The question is asked by then, and nothing is held open.
                base.wait_until(lambda: it.open == 0, "no session")
    except BrokenPipeError:
        pass
    p.stdin = None
    assert p.wait(60) == 69
    assert b"larger" in p.stderr.read()
    assert written < 4_000_000
    assert it.sessions == 1 and not it.messages


def test_endless_header(daemon):
    it = daemon()
    p = subprocess.Popen(argv(it.dir, "b@x.test"), stdin=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    with pytest.raises(BrokenPipeError):
        for n in range(100000):
            p.stdin.write(b"X-%d: " % n + b"y" * 1000 + b"\n")
    p.stdin = None
    assert p.wait(60) == 65
    assert it.sessions == 0


def test_too_large(daemon):
    """A message that is a little too large, by what EHLO says; and one that
    just fits."""
    it = daemon()
    out = sendmail(it.dir, "b@x.test", data=b"S: x\n\n" + b"y" * 1000001)
    assert out.returncode == 69 and "larger" in one_line(out)
    out = sendmail(it.dir, "b@x.test", data=b"S: x\n\n" + b"y" * 999000)
    assert out.returncode == 0


def test_large_and_nobody(lab):
    """Nobody says how large it may be: it is not read on."""
    p = subprocess.Popen(argv(lab.path("run"), "b@x.test"),
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=dict(os.environ, **NO_WAIT))
    with pytest.raises(BrokenPipeError):
        for _ in range(2000):
            p.stdin.write(b"y" * 9999 + b"\n")
    p.stdin = None
    assert p.wait(60) == 75
    assert b"cannot be reached" in p.stderr.read()


def test_no_room(daemon):
    """A full /tmp is a moment's trouble; what is small does not need it."""
    it = daemon()

    there = f"/proc/{os.getpid()}/root"

    def run(size):
        command = argv(f"{there}{it.dir}", "b@x.test")
        return subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             'mount -t tmpfs -o size=64k none /tmp; exec "$@"', "-",
             there + command[0], *command[1:]],
            input=b"S: x\n\n" + b"y\n" * size, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out = run(300000)
    assert out.returncode == 75 and b"no room" in out.stderr, out.stderr
    assert not it.messages
    assert run(1000).returncode == 0


def test_no_room_for_the_caller(daemon):
    """Neither is a file larger than who calls may write (ulimit -f)."""
    it = daemon()
    out = sendmail(it.dir, "b@x.test", data=b"S: x\n\n" + b"y\n" * 300000,
                   preexec_fn=lambda: resource.setrlimit(
                       resource.RLIMIT_FSIZE, (100000, 100000)))
    assert out.returncode == 75 and "no room" in one_line(out)
    assert not it.messages


def test_returns_at_once(daemon):
    """Standard input that somebody else has made so (O_NONBLOCK)."""
    it = daemon()
    out, into = os.pipe()
    os.set_blocking(out, False)
    p = subprocess.Popen(argv(it.dir, "b@x.test"), stdin=out)
    os.write(into, b"S: x\n\n")
    base.wait_until(lambda: not select.select([out], [], [], 0)[0] and
                    state(p.pid) in "SZ", "it has read, and waits")
    os.close(out)
    os.write(into, b"late\n")
    os.close(into)
    assert p.wait(60) == 0
    assert only(it).content.endswith(b"\r\n\r\nlate\r\n")


@pytest.mark.parametrize("close,status", [
    ("<&-", 66), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 66),
    (">/dev/full -v", 0), ("</", 66)])
def test_closed(daemon, close, status):
    """Standard descriptors that are closed, or of no use."""
    it = daemon()
    words = close.split()
    args = [w for w in words if w.startswith("-")]
    close = " ".join(w for w in words if not w.startswith("-"))
    out = subprocess.run(
        ["sh", "-c", f'"$@" {close}', "-", *argv(it.dir, *args, "b@x.test")],
        input=b"x\n", timeout=60)
    assert out.returncode == status
    assert len(it.messages) == (status == 0)


# ---- signals ----

@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM,
                                 signal.SIGHUP])
def test_signal(daemon, sig):
    """While it reads, and while it waits to be heard: nothing is kept."""
    it = daemon(rcpt=SILENT)

    def heed():
        # Whoever started the tests may have had it ignored.
        signal.signal(sig, signal.SIG_DFL)
    p = subprocess.Popen(argv(it.dir, "b@x.test"), stdin=subprocess.PIPE,
                         stderr=subprocess.PIPE, preexec_fn=heed)
    p.stdin.write(b"y\n" * 200000)
    p.stdin.flush()
    base.wait_until(lambda: it.sessions == 1 and it.open == 0, "the limit")
    p.send_signal(sig)
    assert p.wait(60) == 75 and b"interrupted" in p.stderr.read()
    p = subprocess.Popen(argv(it.dir, "b@x.test"), stdin=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, preexec_fn=heed)
    base.wait_until(lambda: any(ln.startswith("RCPT") for ln in it.lines),
                    "RCPT")
    p.send_signal(sig)
    assert p.wait(60) == 75
    assert not it.messages


def test_signal_ignored(daemon):
    """nohup(1) and a shell's background have said so before."""
    it = daemon()
    p = subprocess.Popen(["sh", "-c", 'trap "" HUP INT; exec "$@"', "-",
                          *argv(it.dir, "b@x.test")], stdin=subprocess.PIPE)
    p.stdin.write(b"y\n")
    p.stdin.flush()
    base.wait_until(lambda: base.program(p.pid) == "sendmail", "exec")
    time.sleep(0.2)
    p.send_signal(signal.SIGHUP)
    p.send_signal(signal.SIGINT)
    p.stdin.close()
    assert p.wait(60) == 0 and len(it.messages) == 1


def test_signal_too_late(daemon):
    """Behind the last dot only the daemon's word counts."""
    dot = threading.Event()

    def late(session):
        dot.set()
        time.sleep(1)
        return "250 2.0.0 taken"
    it = daemon(dot=late)
    p = subprocess.Popen(argv(it.dir, "-v", "b@x.test"),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert dot.wait(45)
    p.send_signal(signal.SIGTERM)
    # It is told of the signal when the answer is there; what is taken is not
    # reported as lost.
    assert p.wait(60) == 0
    base.wait_until(lambda: len(it.messages) == 1, "message")


# ---- -bs ----

def serve(it, **kw):
    return subprocess.Popen(argv(it.dir, "-bs"), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            **kw)


def test_serve_not_read(daemon):
    """A caller that does not read what the daemon says is not held in
    memory."""
    it = daemon(noop=ENDLESS)
    p = serve(it)
    p.stdin.write(b"NOOP\r\n")
    p.stdin.flush()
    base.wait_until(lambda: it.endless > 50000, "much is said")
    time.sleep(1)
    assert it.endless < 2_000_000
    if not base.SANITIZED:
        assert base.rss_kib(p.pid) < 16 * 1024
    p.stdout.close()
    assert p.wait(60) == 74
    p.stdin.close()


def test_serve_not_heard(daemon):
    """Nor one that a daemon does not hear."""
    it = daemon(noop=SILENT)
    p = serve(it)
    os.set_blocking(p.stdin.fileno(), False)
    written, end = 0, time.monotonic() + 2
    while time.monotonic() < end:
        try:
            written += os.write(p.stdin.fileno(), b"NOOP\r\n" * 10000)
        except BlockingIOError:
            time.sleep(0.01)
    assert 50000 < written < 2_000_000
    p.kill()
    p.wait()


def test_serve_daemon_gone(daemon):
    """The daemon closes in the middle: so do we."""
    it = daemon(mail=CLOSE)
    out = subprocess.run(argv(it.dir, "-bs"), timeout=60,
                         input=b"EHLO x\r\nMAIL FROM:<a>\r\n",
                         stdout=subprocess.PIPE)
    assert out.returncode == 0 and out.stdout.startswith(b"220 sink.test")


def test_serve_binary(daemon):
    """What is said goes through as it is."""
    it = daemon()
    data = bytes(b for b in range(256) if b not in b"\r\n") + b"\r\n"
    subprocess.run(argv(it.dir, "-bs"), input=data + b"QUIT\r\n", timeout=60,
                   stdout=subprocess.DEVNULL)
    assert it.lines[0].encode("utf-8", "surrogateescape") == data[:-2]


@pytest.mark.parametrize("banner,waits,status", [
    (["421 4.3.2 stopping", "220 sink.test"], "5", 0),
    ("421 4.3.2 stopping", "0", 75),
    ("554 5.3.2 no", "5", 69),
])
def test_serve_greeting(daemon, banner, waits, status):
    it = daemon(banner=banner)
    out = subprocess.run(argv(it.dir, "-bs"), input=b"QUIT\r\n", timeout=60,
                         env=dict(os.environ, POSTERN_WAIT=waits),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert out.returncode == status
    assert out.stdout[:3] == (b"220" if status == 0 else b"421")
    assert out.stdout.count(b"\r\n") == (2 if status == 0 else 1)
