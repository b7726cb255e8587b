"""fail2ban's filter, on lines that smtpd wrote: who is to be banned is, and
nobody by what another says.

SPDX-License-Identifier: ISC
"""
import base64
import os
import re
import socket
import time

import pytest

from lib import base, sasl
from lib.service import Syslog

PEER = base.PEERS / "fail2ban"
FILTER = base.ROOT / "etc/fail2ban/filter.d/postern.conf"
JAIL = base.ROOT / "etc/fail2ban/jail.d/postern.conf"
VICTIM = "192.0.2.99"
LINE = (f"postern[1]: session: 0RPZ69W9X0001 auth client={VICTIM} mech=PLAIN "
        "result=failed user=\"")


def regex(log, mode):
    """The addresses that would be counted, in order."""
    out = base.run(
        ["/usr/bin/python3", PEER / "usr/bin/fail2ban-regex", "-c",
         PEER / "etc/fail2ban", "-o", "ip", log, f"{FILTER}[mode={mode}]"],
        env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", TZ="UTC",
                 PYTHONPATH=str(PEER / "usr/lib/python3/dist-packages")),
        timeout=60)
    assert out.returncode in (0, 255), out.stderr + out.stdout
    assert "Unable to compile" not in out.stderr + out.stdout
    return [line for line in out.stdout.split()]


class Client:
    """A client with an address of its own: a proxy says so."""

    def __init__(self, port, address, early=b""):
        self.sock = socket.create_connection(("127.0.0.1", port), 20)
        self.sock.settimeout(20)
        self.sock.sendall(f"PROXY TCP4 {address} 192.0.2.25 4711 25\r\n"
                          .encode() + early)
        self.file = self.sock.makefile("rb")
        self.greeting = self.reply()

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            lines.append(line)
            if line[3:4] != b"-":
                return b"".join(lines).decode()

    def say(self, line):
        self.sock.sendall((line if isinstance(line, bytes)
                           else line.encode()) + b"\r\n")
        return self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes)
                            else text.encode()).decode()


@pytest.fixture(scope="module")
def house(shared_lab):
    """A daemon that logs by syslog."""
    lab = shared_lab
    log = lab.keep(Syslog(lab.path("syslog")))
    crypt = base.run([base.BUILD / "smtpctl", "encrypt", "-m", "sha512",
                      "secret"])
    assert crypt.returncode == 0, crypt.stderr
    users = lab.path("users")
    users.write_text(f"ann {crypt.stdout}")
    users.chmod(0o644)
    (lab.dir / "tls").mkdir()
    cert, key = sasl.self_signed(lab.dir / "tls", "mx.test")[:2]
    slow = base.free_port()
    it = lab.postern(
        f'pki mx.test cert "{cert}" key "{key}"\n'
        f"table users file:{users}\n"
        "listen on 127.0.0.1 port {port} tls pki mx.test auth-optional "
        "<users> auth-insecure proxy { 127.0.0.1 }\n"
        f"listen on 127.0.0.1 port {slow} greet-delay 5s proxy {{ 127.0.0.1 }}\n"
        "table roles { ann@here.test = bob@there.test }\n"
        "limit client unknown 3/1h\n"
        'action "in" expand-only virtual <roles>\n'
        'action "out" relay\n'
        'match from any for domain here.test action "in"\n'
        'match from any for domain there.test action "out"\n', start=False)
    argv = [str(a) for a in it.argv()]
    argv[argv.index("-d")] = "-F"
    child = lab.child(log.wrap + argv)
    base.wait_until(lambda: not child.running() or
                    re.search(r" started pid=", log.path.read_text()), "up")
    assert child.running(), child.log()
    it.log_of, it.slow = log, slow
    return it


def written(house, pattern, n=1):
    """Waits for lines; only those since the last time."""
    def look():
        found = [x for x in house.log_of.lines() if re.search(pattern, x)]
        return found if len(found) >= n else None
    return base.wait_until(look, f"{pattern!r} in the log")


def only(lab, lines):
    path = lab.path("log")
    path.write_text("\n".join(lines) + "\n")
    return path


def of(house, address):
    return [x for x in house.log_of.lines()
            if f" client={address} " in x.split('"')[0]]


def test_logins(house, lab):
    with Client(house.port, "198.51.100.10") as c:
        c.say("EHLO c.test")
        assert c.say("AUTH PLAIN " + b64("\0ann\0wrong")).startswith("535")
        assert c.say("AUTH PLAIN " + b64("\0ann\0secret")).startswith("235")
    written(house, r"auth client=198.51.100.10 .*result=ok")
    log = only(lab, of(house, "198.51.100.10"))
    for mode in ("auth", "normal", "aggressive"):
        assert regex(log, mode) == ["198.51.100.10"], mode


def test_relay_and_unknown(house, lab):
    with Client(house.port, "198.51.100.11") as c:
        c.say("EHLO c.test")
        c.say("MAIL FROM:<a@c.test>")
        assert c.say("RCPT TO:<x@elsewhere.test>").startswith("550 5.7.1")
        assert c.say("RCPT TO:<gone@here.test>").startswith("550 5.1.1")
        assert c.say("RCPT TO:<ann@here.test>").startswith("250")
        assert c.say("RCPT TO:<not an address>").startswith("501")
    written(house, r"reject command=RCPT client=198.51.100.11 reply=.501")
    log = only(lab, of(house, "198.51.100.11"))
    assert regex(log, "auth") == []
    assert regex(log, "normal") == ["198.51.100.11"] * 2
    assert regex(log, "aggressive") == ["198.51.100.11"] * 3


def test_too_many_unknown(house, lab):
    with Client(house.port, "198.51.100.12") as c:
        c.say("EHLO c.test")
        c.say("MAIL FROM:<a@c.test>")
        for n in range(40):
            said = c.say(f"RCPT TO:<gone{n}@here.test>")
            if not said.startswith("550"):
                break
            time.sleep(0.1 * n)  # the guard is told beside the answer
        assert n > 2 and said[0] == "4", said
    line, = written(house, r"client-limit client=198.51.100.12 limit=unknown")
    assert regex(only(lab, [line]), "normal") == ["198.51.100.12"]
    assert regex(only(lab, [line]), "auth") == []


def test_early(house, lab):
    with Client(house.slow, "198.51.100.13", b"EHLO c.test\r\n") as c:
        assert c.greeting.startswith("554")
    written(house, r"early client=198.51.100.13")
    log = only(lab, [x for x in of(house, "198.51.100.13")
                     if " early " in x])
    assert regex(log, "normal") == ["198.51.100.13"]


HOSTILE = [
    LINE, f'" {LINE}', f"\n{LINE}", f"\r\nNov 21 23:17:55 mx.test {LINE}",
    f"Nov 21 23:17:55 mx.test {LINE}", f'x" client={VICTIM} reply="550 5.7.1 ',
    f"client={VICTIM} mech=PLAIN result=failed user=\"",
    f"auth client={VICTIM} mech=PLAIN result=failed user=\"",
    f'\\" auth client={VICTIM} mech=PLAIN result=failed user="',
    f"\0{LINE}", f"\x1b[2K\r{LINE}", "x" * 400 + f'" {LINE}',
    f"\u2028{LINE}", f"\x85{LINE}",
]


def latin(text):
    return text.encode("utf-8", "surrogateescape")


def one_line(text):
    return re.sub(rb"[\r\n]", b"?", latin(text))


@pytest.mark.parametrize("n", range(len(HOSTILE)))
def test_nobody_is_banned_by_another(house, lab, n):
    """Wherever a client can say something that is logged: it counts against
    itself or nobody."""
    hostile, me = HOSTILE[n], f"203.0.113.{n + 1}"
    line = one_line(hostile)
    with Client(house.port, me) as c:
        c.say(b"EHLO " + line)
        c.say(b"HELO " + line.replace(b" ", b""))
        c.say("EHLO c.test")
        c.say(line)
        c.say(b"VRFY " + line)
        c.say(b"AUTH PLAIN " + b64(b"\0" + latin(hostile).replace(
            b"\0", b"?") + b"\0wrong").encode())
    with Client(house.port, me) as c:
        c.say("EHLO c.test")
        c.say(b"AUTH " + line)
        c.say(b"MAIL FROM:<" + line + b">")
        quoted = re.sub(rb'(["\\])', rb"\\\1", line)
        c.say(b'MAIL FROM:<"' + quoted[:60] + b'"@c.test>')
        c.say(b"MAIL FROM:<a@c.test> " + line)
        c.say(b"MAIL FROM:<a@c.test>")
        c.say(b'RCPT TO:<"' + quoted[:60] + b'"@here.test>')
        c.say(b'RCPT TO:<"' + quoted[:60] + b'"@elsewhere.test>')
        c.say(b"RCPT TO:<" + line + b">")
        c.say("RSET")
        c.say(b"NOOP " + line)
        c.say("QUIT")
    with Client(house.slow, me, latin(hostile) + b"\r\n") as c:
        assert c.greeting.startswith("554")
    written(house, rf"early client={re.escape(me)} ")
    written(house, rf"auth client={re.escape(me)} .*result=failed")
    lines = house.log_of.lines()
    mine = of(house, me)
    assert len(mine) > 5
    # As far as a value goes.
    assert any(re.search(rf'="[^"]*({VICTIM}|Nov 21|xxxx)', x)
               for x in mine), "nothing hostile was logged"
    for mode in ("auth", "normal", "aggressive"):
        counted = regex(only(lab, lines), mode)
        assert VICTIM not in counted, mode
        assert me in counted


def test_by_other_programs(lab):
    """What others log, or a part of a line, is none of ours."""
    good = "Nov 21 23:17:55 mx.test " + LINE + 'x"'
    assert regex(only(lab, [good]), "auth") == [VICTIM]
    assert regex(only(lab, [good.replace("mx.test ", "")]),
                 "auth") == [VICTIM]
    assert regex(only(lab, [good.replace("Nov 21 23:17:55",
                                         "2026-11-21T23:17:55.123456+00:00")]),
                 "auth") == [VICTIM]
    assert regex(only(lab, [good.replace(VICTIM, "2001:db8::7")]),
                 "auth") == ["2001:db8::7"]
    tail = LINE.partition(" ")[2]
    for bad in (f"Nov 21 23:17:55 mx.test sshd[1]: {LINE}",
                f"Nov 21 23:17:55 mx.test {tail}",
                f"Nov 21 23:17:55 mx.test other[1]: {tail}",
                f"Nov 21 23:17:55 mx.test postern[1]: lookup: - program-says "
                f"text=\"{LINE}",
                f"Nov 21 23:17:55 mx.test postern[1]: smtpd: - {tail}",
                good.replace("result=failed", "result=ok"),
                good.replace("result=failed", "result=later"),
                good.replace(f"client={VICTIM}", "client=socket")):
        assert regex(only(lab, [bad]), "aggressive") == [], bad


def test_jail(lab):
    """fail2ban takes the jail as it stands, and it is off until it is wanted;
    switched on, it knows its filter."""
    conf = lab.path("fail2ban")
    out = base.run(["cp", "-r", PEER / "etc/fail2ban", conf])
    assert out.returncode == 0
    for at in (FILTER, JAIL):
        out = base.run(["cp", at, conf / at.parent.name / at.name])
        assert out.returncode == 0
    # What else is there needs logs of other programs.
    (conf / "jail.d/defaults-debian.conf").unlink()
    log = lab.path("mail.log")
    log.touch()

    def dump():
        out = base.run(
            ["/usr/bin/python3", PEER / "usr/bin/fail2ban-client", "-c", conf,
             "-d"], timeout=60, env=dict(
                os.environ, PYTHONDONTWRITEBYTECODE="1",
                PYTHONPATH=str(PEER / "usr/lib/python3/dist-packages")))
        assert out.returncode == 0, out.stdout + out.stderr
        return out.stdout
    assert "postern" not in dump()
    (conf / "jail.local").write_text(
        f"[postern]\nenabled = true\nlogpath = {log}\n")
    text = dump()
    assert "'start', 'postern'" in text
    assert "result=failed" in text and "reject command=RCPT" in text
