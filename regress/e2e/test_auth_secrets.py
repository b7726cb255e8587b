"""Passwords and tokens: what no process keeps and no log has; users of the
system, by PAM.

SPDX-License-Identifier: ISC
"""
import base64
import os
import re
import shutil
import time
from pathlib import Path

import pytest

from lib import base, sasl
from lib.auth_house import House, nobody, victim
from lib.sasl import Client, b64

OK = "235 2.7.0 "
FAILED = "535 5.7.8 "
LATER = "454 4.7.0 "


@pytest.fixture(scope="module")
def house(shared_lab):
    return House(shared_lab)


# ---- what must never be found ----

def pieces(pid):
    """What a process has written to its memory: heap, stacks, data."""
    size, overlap = 1 << 22, 1 << 14
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            where, mode = line.split()[:2]
            begin, end = (int(n, 16) for n in where.split("-"))
            if not mode.startswith("rw") or mode[3] != "p":
                continue
            for at in range(begin, end, size):
                try:
                    mem.seek(at)
                    yield mem.read(min(size + overlap, end - at))
                except OSError:
                    pass


def holders(it, secret):
    """Programs of the instance whose memory has it, in any of its forms."""
    # Behind a name, or a part of a name, the letters of base64 are others.
    forms = [secret] + [base64.b64encode(b"x" * n + secret)[4 * (n > 0):-4]
                        for n in range(3)]
    return sorted({base.program(pid) for pid in [it.pid] + it.pids()
                   for text in pieces(pid) for f in forms if f in text})


@pytest.mark.parametrize("way", ["plain", "login", "nobody", "cut", "token",
                                 "yescrypt", "sha512", "bcrypt", "scram",
                                 "prog"])
def test_memory(house, way):
    """After the check no process has the password: session, lookup, spawn,
    the parent, or any other."""
    if base.SANITIZED:
        return  # what was freed is kept, and shadows are without end
    secret = "Mem" + os.urandom(12).hex() + "ory"
    it = house.it
    name = way if way in house.ports else "plain"
    c = house.client("open" if way == "cut" else name, tls=way != "cut")
    user = nobody() if way == "nobody" else victim()
    if way == "login":
        assert c.login(user, secret).startswith(FAILED)
    elif way == "token":
        secret = house.issuer.token(aud="web", jti=secret)
        assert c.say("AUTH OAUTHBEARER " +
                     sasl.bearer(secret)).startswith("334")
        assert c.say("AQ==").startswith(FAILED)
    elif way == "cut":  # in pieces, and then something else
        line = "AUTH PLAIN " + b64(f"\0{user}\0{secret}") + "\r\n"
        for i in range(0, len(line), 7):
            c.sock.sendall(line[i:i + 7].encode())
            time.sleep(0.005)
        assert c.reply().startswith(FAILED)
    else:
        assert c.plain(user, secret).startswith(FAILED)
    # The positive control: a line that is not finished is there.
    control = "Control" + os.urandom(12).hex()
    with house.client("open", tls=False) as other:
        other.sock.sendall(f"NOOP {control}".encode())
        time.sleep(1)
        base.wait_until(lambda: holders(it, control.encode()) == ["session"],
                        "it is read")
    assert holders(it, secret.encode()) == []
    c.close()


def test_memory_during(house):
    """... while a line is not finished it is there, and afterwards gone."""
    secret = "During" + os.urandom(12).hex()
    with house.client("open", tls=False) as c:
        assert c.say("AUTH LOGIN").startswith("334")
        assert c.say(b64(victim())).startswith("334")
        c.sock.sendall(b64(secret).encode())
        if not base.SANITIZED:
            base.wait_until(lambda: holders(
                house.it, secret.encode()) == ["session"], "it is read")
        c.sock.sendall(b"\r\n")
        assert c.reply().startswith(FAILED)
        time.sleep(1)
        if not base.SANITIZED:
            assert holders(house.it, secret.encode()) == []


def test_not_dumpable(house):
    """No core file, and no debugger of the same user."""
    for pid in house.it.pids():
        limits = Path(f"/proc/{pid}/limits").read_text()
        core = re.search(r"Max core file size +(\S+) +(\S+)", limits)
        assert core.groups() == ("0", "0"), base.program(pid)
        # What is not dumpable is root's, whoever it runs as.
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, base.program(pid)


def test_log(house):
    """Neither passwords nor tokens, in any form."""
    secret = "Log" + os.urandom(9).hex()
    token = house.issuer.token(aud="web")
    with house.client("plain") as c:
        assert c.plain(victim(), secret).startswith(FAILED)
        assert c.login(victim(), secret).startswith(FAILED)
    with house.client("plain") as c:
        c.say("AUTH PLAIN " + b64(f"\0alice\0{secret}") + "!")
        c.say("AUTH OAUTHBEARER " + sasl.bearer(token))
        c.say(b64(secret))  # in the wrong place
        c.say(f"{secret}")
        c.say(f"AUTH {secret} {secret}")
    house.it.logged(r'mech=OAUTHBEARER result=failed')
    log = house.it.log()
    for text in (secret, b64(secret), b64(f"\0alice\0{secret}"),
                 b64(f"\0alice\0{secret}")[8:-4], token,
                 token.split(".")[2]):
        assert text not in log


# ---- users of the system ----

PASSWD = "pamela:x:64321:64321::/nonexistent:/bin/false\n"


class System:
    """An instance that has its own passwd, shadow and pam.d, in a mount
    namespace: the host's are as they were."""

    def __init__(self, lab, stack):
        d = self.dir = lab.path("system")
        d.mkdir()
        made = base.run([base.BUILD / "smtpctl", "encrypt", "-m", "sha512",
                         "secret"]).stdout.strip()
        (d / "passwd").write_text(Path("/etc/passwd").read_text() + PASSWD +
                                  PASSWD.replace("pamela", "locked").replace(
                                      "64321", "64322") +
                                  PASSWD.replace("pamela", "expired").replace(
                                      "64321", "64323"))
        (d / "shadow").write_text(
            f"pamela:{made}:19000:0:99999:7:::\nlocked:!:19000:0:99999:7:::\n"
            f"expired:{made}:19000:0:99999:7::19001:\n")
        (d / "shadow").chmod(0o600)
        shutil.copytree("/etc/pam.d", d / "pam.d")
        (d / "pam.d" / "smtp").write_text(stack)
        self.cert = sasl.self_signed(d, "mx.test")
        script = "; ".join(
            [f"mount --bind {d}/{n} /etc/{n}"
             for n in ("passwd", "shadow", "pam.d")] + ['exec "$@"'])
        self.it = lab.postern(
            f'pki mx.test cert "{self.cert[0]}" key "{self.cert[1]}"\n'
            "limit except { 127.0.0.1 }\n"
            "listen on 127.0.0.1 port {port} tls pki mx.test auth\n"
            "match from any for any reject\n",
            wrap=["unshare", "-m", "sh", "-ec", script, "sh"])

    def client(self):
        return Client(self.it.port)


def test_system_users(lab):
    """With the pam.d file of the package, as Debian would read it."""
    system = System(lab, (base.ROOT / "etc" / "pam.smtp").read_text())
    with system.client() as c:
        assert c.mechs() == ["PLAIN", "LOGIN"]
        assert c.plain("pamela", "wrong").startswith(FAILED)
        assert c.plain("nobody-at-all", "secret").startswith(FAILED)
        assert c.plain("pamela", "secret").startswith(OK)
    with system.client() as c:
        assert c.plain("locked", "!").startswith(FAILED)
        assert c.plain("expired", "secret").startswith(FAILED)
        assert c.login("pamela", "secret").startswith(OK)
    # The helpers are gone, and nobody has what they were told.
    pid, = system.it.pids("spawn")
    base.wait_until(lambda: base.children(pid) == [], "no helper is left")
    assert "pamela:" not in Path("/etc/passwd").read_text()
    if not base.SANITIZED:
        secret = "Pam" + os.urandom(12).hex()
        with system.client() as c:
            assert c.plain("pamela", secret).startswith(FAILED)
            time.sleep(1)
            assert holders(system.it, secret.encode()) == []
        assert secret not in system.it.log()


@pytest.mark.parametrize("stack", [
    "auth required pam_does_not_exist.so\n",
    "auth required pam_unix.so\naccount required pam_does_not_exist.so\n",
])
def test_system_broken(lab, stack):
    """A module that is missing says nothing about a password."""
    system = System(lab, stack)
    with system.client() as c:
        for _ in range(4):
            assert c.plain("pamela", "secret").startswith(LATER)


def test_system_many(lab):
    """More at once than there may be helpers: none hangs, none is refused
    for good."""
    system = System(lab, "auth required pam_unix.so\n"
                    "account required pam_unix.so\n")
    clients = [system.client() for _ in range(30)]
    for c in clients:
        c.send("AUTH PLAIN " + b64("\0pamela\0secret"))
    said = [c.reply()[:10] for c in clients]
    for c in clients:
        c.close()
    assert set(said) <= {OK, LATER} and said.count(OK) >= 10, said
    pid, = system.it.pids("spawn")
    base.wait_until(lambda: base.children(pid) == [], "no helper is left")
