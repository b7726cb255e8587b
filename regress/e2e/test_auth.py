"""Who may come in: every mechanism with real clients and every kind of table.

SPDX-License-Identifier: ISC
"""
import base64
import json
import os
import re
import smtplib
import time

import pytest

from lib import base, sasl
from lib.auth_house import House, nobody, victim
from lib.sasl import Client, PlusClient, b64

OK = "235 2.7.0 "
FAILED = "535 5.7.8 "
LATER = "454 4.7.0 "


@pytest.fixture(scope="module")
def house(shared_lab):
    return House(shared_lab)


# ---- what is offered ----

PASSWORD = {"PLAIN", "LOGIN"}
SCRAM = PASSWORD | {"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}
TOKENS = {"OAUTHBEARER", "XOAUTH2"}


@pytest.mark.parametrize("name,mechs", [
    ("plain", SCRAM | {"CRAM-MD5"}), ("yescrypt", PASSWORD),
    ("sha512", PASSWORD), ("bcrypt", PASSWORD), ("scram", SCRAM),
    ("pass", PASSWORD), ("mapdb", SCRAM), ("prog", PASSWORD),
    ("dead", PASSWORD), ("mixed", PASSWORD)])
def test_offered(house, name, mechs):
    """Over TLS just what the table can check; without it nothing."""
    with house.client(name) as c:
        assert set(c.mechs()) == mechs | TOKENS
    with house.client(name, tls=False) as c:
        assert c.mechs() == []
        for mech in mechs | TOKENS:
            assert c.say(f"AUTH {mech}").startswith("538 5.7.11 "), mech
        assert c.plain("alice", "secret").startswith("538 5.7.11 ")


def test_offered_without_tls_if_configured(house):
    with house.client("open", tls=False) as c:
        assert set(c.mechs()) == (SCRAM | {"CRAM-MD5"} | TOKENS) - \
            {"SCRAM-SHA-256-PLUS"}
        assert c.plain("alice", "secret").startswith(OK)


def test_not_offered_elsewhere(house):
    with Client(house.it.port, tls=False) as c:
        assert c.mechs() == []
        assert c.plain("alice", "secret").startswith("502 5.5.1 ")


# ---- tables of every kind ----

BACKENDS = ["plain", "yescrypt", "sha512", "bcrypt", "scram", "pass",
            "mapdb", "prog"]


@pytest.mark.parametrize("name", BACKENDS)
def test_password(house, name):
    with house.client(name) as c:
        assert c.plain(victim(), "Secret").startswith(FAILED)
        assert c.login(nobody(), "secret").startswith(FAILED)
        assert c.plain("alice", "secret").startswith(OK)
        assert c.plain("alice", "secret").startswith("503 5.5.1 ")
        assert c.mechs() and "AUTH" not in c.say("EHLO c.test")
    with house.client(name) as c:
        assert c.login("Alice", "secret").startswith(OK)


@pytest.mark.parametrize("name", ["plain", "scram", "mapdb"])
@pytest.mark.parametrize("initial", [True, False])
def test_scram(house, name, initial):
    with house.client(name) as c:
        assert sasl.scram(c, "alice", "secret",
                          initial=initial).startswith(OK)
    with house.client(name) as c:
        assert sasl.scram(c, victim(), "Secret",
                          initial=initial).startswith(FAILED)
        assert c.error == "e=invalid-proof"
        assert sasl.scram(c, nobody(), "secret").startswith(FAILED)
        assert c.error == "e=invalid-proof"


@pytest.mark.parametrize("binding", ["tls-exporter", "tls-server-end-point"])
def test_scram_plus(house, binding):
    def talk(data, flag=f"p={binding}", mech="SCRAM-SHA-256-PLUS"):
        with PlusClient(house.ports["scram"]) as c:
            c.error = None
            said = sasl.scram(c, victim(), "secret", mech, flag,
                              c.binding(binding) if data is None else data)
            return said[:10], c.error
    assert talk(None) == (OK, None)
    assert talk(bytes(32)) == (FAILED, "e=channel-bindings-dont-match")
    assert talk(b"") == (FAILED, "e=channel-bindings-dont-match")
    assert talk(None, flag="p=tls-unique") == \
        (FAILED, "e=unsupported-channel-binding-type")
    # Somebody took -PLUS out of our offer.
    assert talk(b"", flag="y", mech="SCRAM-SHA-256") == \
        (FAILED, "e=server-does-support-channel-binding")
    assert talk(b"", flag="n", mech="SCRAM-SHA-256") == (OK, None)


def test_locked_and_bad(house):
    with house.client("plain") as c:
        assert c.plain("carol", "*").startswith(FAILED)
        assert c.plain("carol", "").startswith(FAILED)
    with house.client("pass") as c:
        assert c.plain("carol", "!").startswith(FAILED)
    with house.client("bad") as c:
        for _ in range(5):  # nobody's fault, so nobody is thrown out
            assert c.plain("alice", "nonsense").startswith(LATER)
    assert len(house.it.logged(r'auth-secret table="bad"')) == 1


def test_other_user(house):
    """RFC 4616: nobody acts as another."""
    with house.client("plain") as c:
        assert c.plain(victim(), "secret", "alice").startswith(FAILED)
        assert c.plain("bob@example.org", "a:b c",
                       "bob@example.org").startswith(OK)
    with house.client("inline") as c:
        assert c.cram("bob@example.ORG", "a:b").startswith(OK)


def test_table_away(house):
    """What nobody knows is never a wrong password."""
    with house.client("dead") as c:
        for _ in range(4):
            assert c.plain("alice", "secret").startswith(LATER)
        assert c.say("NOOP").startswith("250")


def test_table_changes(lab):
    """Another secret, another kind of it: what is offered follows."""
    made = {}
    for method in ("scram", "sha512"):
        made[method] = base.run([base.BUILD / "smtpctl", "encrypt", "-m",
                                 method, "secret"]).stdout
    table = lab.path("users")
    table.write_text("alice " + made["sha512"])
    it = lab.postern(f'table users file:{table}\n'
                     "listen on 127.0.0.1 port {port} auth <users> "
                     "auth-insecure\nmatch from any for any reject\n")
    with Client(it.port, tls=False) as c:
        assert c.mechs() == ["PLAIN", "LOGIN"]
    table.write_text("alice " + made["scram"])
    it.ctl("update", "table", "users")

    def offered():
        with Client(it.port, tls=False) as c:
            return "SCRAM-SHA-256" in c.mechs()
    base.wait_until(offered, "SCRAM is offered")
    with Client(it.port, tls=False) as c:
        assert sasl.scram(c, "alice", "secret").startswith(OK)


# ---- real clients ----

@pytest.mark.parametrize("mech", ["plain", "login", "cram_md5"])
def test_smtplib(house, mech):
    def session(password):
        with smtplib.SMTP("127.0.0.1", house.ports["plain"], "c.test") as s:
            s.starttls(context=sasl.context())
            s.ehlo()
            s.user, s.password = victim(), password
            return s.auth(mech.upper().replace("_", "-"),
                          getattr(s, f"auth_{mech}"))
    assert session("secret")[0] == 235
    with pytest.raises(smtplib.SMTPAuthenticationError):
        session("wrong")


@pytest.mark.parametrize("mech", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_swaks(house, mech):
    def swaks(password):
        return base.run(["swaks", "--server",
                         f"127.0.0.1:{house.ports['plain']}", "--tls",
                         "--from", "a@c.test", "--to", "b@x.test", "--auth",
                         mech, "--auth-user", victim(), "--auth-password",
                         password], timeout=60)
    before = len(house.receiver.messages)
    out = swaks("secret")
    assert out.returncode == 0, out.stdout + out.stderr
    house.receiver.wait(before + 1)
    assert swaks("wrong").returncode != 0
    assert len(house.receiver.messages) == before + 1


@pytest.mark.parametrize("mech", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_curl(house, mech, tmp_path):
    message = tmp_path / "m"
    message.write_text("Subject: curl\r\n\r\nhello\r\n")

    def curl(password):
        return base.run(["curl", "-sS", "-k", "--ssl-reqd", "--url",
                         f"smtp://127.0.0.1:{house.ports['plain']}",
                         "--mail-from", "a@c.test", "--mail-rcpt", "b@x.test",
                         "--user", f"{victim()}:{password}", "--login-options",
                         f"AUTH={mech}", "-T", message], timeout=60)
    before = len(house.receiver.messages)
    out = curl("secret")
    assert out.returncode == 0, out.stderr
    house.receiver.wait(before + 1)
    assert curl("wrong").returncode == 67  # login denied


@pytest.mark.parametrize("mech", ["OAUTHBEARER", "XOAUTH2"])
def test_curl_token(house, mech, tmp_path):
    message = tmp_path / "m"
    message.write_text("Subject: curl\r\n\r\nhello\r\n")

    def curl(token):
        return base.run(["curl", "-sS", "-k", "--ssl-reqd", "--url",
                         f"smtp://127.0.0.1:{house.ports['plain']}",
                         "--mail-from", "a@c.test", "--mail-rcpt", "b@x.test",
                         "--user", "alice@example.org", "--oauth2-bearer",
                         token, "--login-options", f"AUTH={mech}", "-T",
                         message], timeout=60)
    before = len(house.receiver.messages)
    out = curl(house.issuer.token())
    assert out.returncode == 0, out.stderr
    house.receiver.wait(before + 1)
    assert curl(house.issuer.token(exp=1)).returncode != 0


def msmtp(house, name, mech, user, secret, *more):
    return base.run(
        ["msmtp"] +
        ([f"--passwordeval=printf %s '{secret}'"] if secret else []) +
        ["--file=/dev/null", "--host=127.0.0.1",
         f"--port={house.ports[name]}", "--tls=on", "--tls-starttls=on",
         "--tls-certcheck=off", f"--auth={mech}", f"--user={user}",
         "--from=a@c.test", *more, "b@x.test"], input="Subject: m\n\nhello\n", stdin=None, timeout=60)


@pytest.mark.parametrize("mech", ["plain", "login", "cram-md5",
                                  "scram-sha-256", "oauthbearer", "xoauth2"])
def test_msmtp(house, mech):
    token = mech in ("oauthbearer", "xoauth2")
    user = "alice@example.org" if token else victim()
    good = house.issuer.token() if token else "secret"
    bad = house.issuer.token(aud="web") if token else "wrong"
    before = len(house.receiver.messages)
    out = msmtp(house, "plain", mech, user, good)
    assert out.returncode == 0, out.stderr
    house.receiver.wait(before + 1)
    assert msmtp(house, "plain", mech, user, bad).returncode != 0
    assert len(house.receiver.messages) == before + 1


def test_msmtp_external(house):
    """By the client's certificate."""
    cert, key = house.pair
    before = len(house.receiver.messages)
    out = msmtp(house, "certs", "external", "carla@example.org", "",
                f"--tls-cert-file={cert}", f"--tls-key-file={key}")
    assert out.returncode == 0, out.stderr
    house.receiver.wait(before + 1)


# ---- EXTERNAL ----

def test_external_certificate(house):
    with house.client("certs", pair=house.pair) as c:
        assert "EXTERNAL" in c.mechs()
        assert c.say("AUTH EXTERNAL " + b64("bob@x.test")).startswith(FAILED)
        assert c.say("AUTH EXTERNAL =").startswith(OK)
    with house.client("certs", pair=house.pair) as c:
        assert c.say("AUTH EXTERNAL") == "334 "
        assert c.say(b64("carla@example.org")).startswith(OK)
        assert c.say("MAIL FROM:<a@c.test>").startswith("250")
    house.it.logged(r'mech=EXTERNAL result=ok user="carla@example.org"')


def test_external_no_certificate(house):
    with house.client("plain", pair=house.pair) as c:  # nobody asked for it
        assert "EXTERNAL" not in c.mechs()
        assert c.say("AUTH EXTERNAL =").startswith("504 5.5.4 ")
        assert c.plain("alice", "secret").startswith(OK)


def test_external_socket(house):
    """The local socket knows who is at its other end."""
    path = house.it.root / "run" / "smtpd.sock"
    if not path.exists():
        path = next(p for p in house.it.root.rglob("*") if p.is_socket() and
                    "smtpd" in p.name)
    with Client(path=path) as c:
        assert c.mechs() == ["EXTERNAL"]
        assert c.say("AUTH EXTERNAL " + b64("mallory")).startswith(FAILED)
        assert c.say("AUTH EXTERNAL =").startswith(OK)
        for line in ("MAIL FROM:<a@c.test>", "RCPT TO:<b@x.test>"):
            assert c.say(line).startswith("250")
    if base.IS_ROOT:
        house.it.logged('client=socket mech=EXTERNAL result=ok user="root"')


# ---- tokens ----

@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_token(house, alg):
    with house.client("plain") as c:
        assert c.say("AUTH OAUTHBEARER " + sasl.bearer(
            house.issuer.token(alg))).startswith(OK)
    with house.client("plain") as c:
        assert c.say("AUTH XOAUTH2 " + sasl.xoauth2(
            house.issuer.token(alg), "alice@example.org")).startswith(OK)


def bad_tokens(issuer):
    now = int(time.time())
    good = issuer.token()
    head, claims, sig = good.split(".")
    yield "expired", issuer.token(exp=now - 61)
    yield "no end", issuer.token(exp=None)
    yield "not yet", issuer.token(nbf=now + 120)
    yield "audience", issuer.token(aud="web")
    yield "issuer", issuer.token(iss="https://evil.example.org/")
    yield "none", issuer.token("none")
    yield "HS256", issuer.token("HS256")
    yield "no signature", f"{head}.{claims}."
    yield "another's signature", ".".join(
        (head, claims, issuer.token(sub="x").split(".")[2]))
    yield "wrong kid", issuer.token(header={"kid": "ES256"})
    yield "nobody", issuer.token(email=None)
    yield "garbage", "x"


@pytest.mark.parametrize("which", range(12))
def test_bad_token(house, which):
    name, token = list(bad_tokens(house.issuer))[which]
    for mech, message in (("OAUTHBEARER", sasl.bearer(token)),
                          ("XOAUTH2", sasl.xoauth2(token))):
        with house.client("plain") as c:
            said = c.say(f"AUTH {mech} {message}")
            assert said.startswith("334 "), name
            assert json.loads(base64.b64decode(said[4:]))["status"] in \
                ("invalid_token", "401")
            assert c.say("AQ==").startswith(FAILED), name
            assert c.say("NOOP").startswith("250")


def test_wrong_key(house, tmp_path):
    """Who has our claims and not our issuer's key."""
    other = sasl.Issuer(tmp_path / "other.json")
    for alg in other.keys:
        with house.client("plain") as c:
            assert c.say("AUTH OAUTHBEARER " + sasl.bearer(other.token(
                alg, header={"kid": alg}))).startswith("334 ")
            assert c.say("AQ==").startswith(FAILED)
    house.it.logged(r"auth-token .*signature is wrong")


def test_token_of_another(house):
    with house.client("plain") as c:
        assert c.say("AUTH OAUTHBEARER " + sasl.bearer(
            house.issuer.token(), "bob@example.org")).startswith("334 ")
        # RFC 4954: who cancels hears 501, and it was a failure all the same.
        assert c.say("*").startswith("501 5.7.0 ")
        assert c.plain("alice", "secret").startswith(OK)


def test_bad_keys(lab):
    """Keys that cannot be used refuse the configuration, with its line."""
    jwks = lab.path("jwks")
    jwks.write_text('{"keys":[]}')
    it = lab.postern("listen on 127.0.0.1 port {port}\n"
                     f'oauth issuer "https://x" audience "m" keys "{jwks}"\n'
                     "match from any for any reject\n", start=False)
    out = base.run([it.build / "smtpd", "-n", "-f", it.conf_path],
                   timeout=30)
    assert out.returncode != 0
    assert re.search(r"smtpd\.conf:2: .*jwks.*no key in it", out.stderr), \
        out.stderr


# ---- how it goes on ----

def test_required(house):
    with house.client("plain") as c:
        assert c.say("MAIL FROM:<a@c.test>").startswith("530 5.7.0 ")
        assert c.plain("alice", "secret").startswith(OK)
        assert c.say("MAIL FROM:<a@c.test>").startswith("250")
        assert c.plain("alice", "secret").startswith("503 5.5.1 ")


def test_optional(house):
    with house.client("optional") as c:
        assert c.say("MAIL FROM:<a@c.test>").startswith("250")
        assert c.plain("alice", "secret").startswith("503 5.5.1 ")
        assert c.say("RCPT TO:<b@x.test>").startswith("550")
        assert c.say("RSET").startswith("250")
        assert c.plain("alice", "secret").startswith(OK)
        assert c.say("MAIL FROM:<a@c.test>").startswith("250")
        assert c.say("RCPT TO:<b@x.test>").startswith("250")


def test_too_many(house):
    with house.client("plain") as c:
        names = [victim() for _ in range(3)]
        for name in names:
            assert c.plain(name, "wrong").startswith(FAILED)
        assert c.plain("alice", "secret").startswith("421 4.7.0 ")
        assert c.reply() == ""
    for name in names:
        house.it.logged(r"auth client=127\.0\.0\.1 mech=PLAIN result=failed "
                        f'user="{name}"$')


def test_pipelined_after(house):
    """Commands sent with the last line are handled as the new user's."""
    with house.client("plain") as c:
        c.sock.sendall(f"AUTH PLAIN {b64(chr(0) + 'alice' + chr(0) + 'secret')}"
                       "\r\nMAIL FROM:<a@c.test>\r\nRCPT TO:<b@x.test>\r\n"
                       .encode())
        assert c.reply().startswith(OK)
        assert c.reply().startswith("250") and c.reply().startswith("250")


def test_lookup_dies(house):
    """What it was told dies with it: the client is asked to come again."""
    it = house.it
    with house.client("yescrypt") as c:
        pid, = it.pids("lookup")
        os.kill(pid, 19)  # SIGSTOP: the question is on its way
        c.send("AUTH PLAIN " + b64("\0alice\0secret"))
        time.sleep(0.3)
        os.kill(pid, 9)
        assert c.reply().startswith(LATER)
        base.wait_until(lambda: it.pids("lookup") not in ([], [pid]),
                        "another lookup")

        def again():
            return c.plain("alice", "secret").startswith(OK)
        base.wait_until(again, "it checks passwords", 45, 0.3)


def test_equal_work(house):
    """Nobody takes as long as somebody."""
    if base.SANITIZED:
        return  # figures of such a build mean nothing
    pid, = house.it.pids("lookup")

    def work(user):
        before = base.cpu_ticks(pid)
        for _ in range(2):
            with house.client("sha512") as c:
                for _ in range(3):
                    assert c.plain(user(), "wrong").startswith(FAILED)
        return base.cpu_ticks(pid) - before
    known, unknown = work(victim), work(nobody)
    assert known >= 4, "too little work to be compared"
    assert 0.5 < unknown / known < 2, (known, unknown)


# ---- smtpctl encrypt ----

@pytest.mark.parametrize("method,prefix", [
    (None, "$y$"), ("yescrypt", "$y$"), ("sha512", "$6$"),
    ("bcrypt", "$2b$"), ("scram", "SCRAM-SHA-256$4096:")])
def test_encrypt(method, prefix):
    how = ["-m", method] if method else []
    smtpctl = [base.BUILD / "smtpctl", "encrypt", *how]
    out = base.run([*smtpctl, "secret"])
    assert out.returncode == 0 and out.stdout.startswith(prefix)
    assert out.stdout.count("\n") == 1
    two = base.run(smtpctl, input="secret\nsecret\n", stdin=None).stdout
    lines = two.splitlines()
    assert len(lines) == 2 and len({*lines, out.stdout.strip()}) == 3
    for bad in ("\n", "x" * 600 + "\n", "a\0b\n", "a\0b"):
        assert base.run(smtpctl, input=bad, stdin=None).returncode != 0
    assert base.run([*smtpctl, "a", "b"]).returncode == 64
    assert base.run([*smtpctl[:2], "-m", "md5", "a"]).returncode == 64


def test_encrypt_terminal():
    """Asked for twice, and not shown."""
    import pty
    import threading

    def talk(*answers):
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(base.BUILD / "smtpctl",
                     ["smtpctl", "encrypt", "-m", "scram"])
        seen = b""
        timer = threading.Timer(20, os.kill, (pid, 9))
        timer.start()
        for prompt, answer in zip((b"Password: ", b"Again: "), answers):
            while prompt not in seen:
                seen += os.read(fd, 1000)
            os.write(fd, answer + b"\n")
        try:
            while True:
                got = os.read(fd, 1000)
                if not got:
                    break
                seen += got
        except OSError:
            pass
        timer.cancel()
        status = os.waitpid(pid, 0)[1]
        os.close(fd)
        return seen, os.waitstatus_to_exitcode(status)
    seen, status = talk(b"s3cret", b"s3cret")
    assert status == 0 and b"SCRAM-SHA-256$" in seen
    assert b"s3cret" not in seen
    seen, status = talk(b"s3cret", b"s3cre")
    assert status != 0 and b"SCRAM-SHA-256$" not in seen
