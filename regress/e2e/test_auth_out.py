"""We authenticate at a smarthost: by each mechanism, over TLS that is verified,
and over no other; what a server does wrong; tokens; where the secrets are.

SPDX-License-Identifier: ISC
"""
import json
import os
import pwd
import re
import time

import pytest

from lib import base, exim, sasl
from lib.auth_house import House
from lib.pki import Cert
from lib.sasl_server import BAD, Sasl
from test_auth_secrets import holders

RCPT = "bob@x.test"
ZONE = {"sink.test": ["A 127.0.0.1"], "other.test": ["A 127.0.0.1"]}


class Way:
    """A receiver that wants AUTH, and an instance whose smarthost it is."""

    def __init__(self, lab, server=None, mechs="PLAIN", value="alice:secret",
                 scheme="smtp+tls", name="sink.test", options="", lines=(),
                 label="provider", ca=True, retry="1s*1000", table=None,
                 allow=None, **receiver):
        self.lab, self.server = lab, server or Sasl()
        self.dir = lab.path("way")
        self.dir.mkdir()
        self.cert = Cert(self.dir, "sink.test", alt="DNS:sink.test")
        self.dns = lab.dns(ZONE)
        receiver.setdefault("tls", "implicit" if scheme == "smtps" else True)
        if receiver["tls"]:
            receiver.setdefault("cert", self.cert.chain())
            receiver.setdefault("key", self.cert.key)
        receiver.setdefault("need_auth", True)
        self.sink = lab.receiver(auth=self.server, mechs=mechs, **receiver)
        self.secrets = self.dir / "secrets"
        self.credentials(f"provider {value}\n")
        self.dir.chmod(0o755)
        if table is None:
            table = f'file:{self.secrets}'
        at = f"{label}@" if label else ""
        text = [f"resolver {self.dns.address} port {self.dns.port} timeout 3s",
                *lines, f"table secrets {table}", f"retry {retry}",
                "listen on 127.0.0.1 port {port}"]
        if ca:
            text.append(f'ca sink cert "{self.cert.cert}"')
            options += " ca sink"
        text += [f'action "out" relay host "{scheme}://{at}{name}:'
                 f'{self.sink.port}" auth <secrets> {options}',
                 'match from any for any action "out"']
        self.it = lab.postern("\n".join(text) + "\n", allow=allow)

    def credentials(self, text):
        self.secrets.write_text(text)
        self.secrets.chmod(0o600)
        if base.IS_ROOT:  # lookup reads what the parent has opened
            os.chown(self.secrets, 0, 0)

    def send(self, **kw):
        return self.it.send("s@c.test", [RCPT], **kw)

    def delivered(self, n=1):
        self.send()
        self.sink.wait(n, 40)
        self.it.empty(40)

    def stays(self, cause, words, tries=2):
        """It is tried again, never given up, and the log says why."""
        id_ = self.send()
        found = self.it.logged(
            rf"{id_} delivery .*result=later .*cause={cause} .*stage=auth"
            rf".*{words}", tries, 40)
        assert len(found) >= tries
        assert not self.sink.messages
        row, = self.it.queue()
        assert "bob@x.test" in json.dumps(row)
        assert not re.search(r" (bounce|dsn) ", self.it.log())
        return id_

    def mechs(self):
        return [m for m, _, _ in self.server.seen]


# ---- mechanisms ----

@pytest.mark.parametrize("mech", ["PLAIN", "LOGIN", "CRAM-MD5",
                                  "SCRAM-SHA-256"])
@pytest.mark.parametrize("scheme", ["smtp+tls", "smtps"])
def test_mechanism(lab, mech, scheme):
    way = Way(lab, mechs=mech, scheme=scheme)
    way.delivered()
    assert way.mechs() == [mech]
    assert way.sink.messages[0].tls
    way.it.logged(rf'login label="provider" relay=sink.test\S* mech={mech}$')


def test_strongest(lab):
    """Whatever their order; and one connection is one login."""
    way = Way(lab, mechs="LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 NTLM GSSAPI")
    for n in range(3):
        way.delivered(n + 1)
    assert set(way.mechs()) == {"SCRAM-SHA-256"}
    assert len(way.mechs()) == way.sink.sessions


def test_utf8_and_odd_passwords(lab):
    users = {"j\u00fcrgen,=": "p\u00e4ss: w\u00f6rd,="}
    way = Way(lab, Sasl(users), mechs="SCRAM-SHA-256",
              value="j\u00fcrgen,=:p\u00e4ss: w\u00f6rd,=")
    way.delivered()


def test_many_iterations(lab):
    way = Way(lab, Sasl(iterations=400000), mechs="SCRAM-SHA-256")
    way.delivered()


def test_stop_while_it_works(lab):
    """Nothing breaks when we end in the middle of so many."""
    way = Way(lab, Sasl(iterations=1000000), mechs="SCRAM-SHA-256")
    for _ in range(4):
        way.send()
    base.wait_until(lambda: "AUTH" in "".join(way.sink.lines), "it begins")
    time.sleep(0.1)
    way.it.stop()


def test_lookup_dies(lab):
    """The next one is asked, and knows nothing of it."""
    program = lab.path("program")
    program.write_text(PROGRAM.replace("0.3", "3"))
    program.chmod(0o755)
    way = Way(lab, table=f"proc:{program}", allow="killed|signal")
    way.send()
    base.wait_until(lambda: any(l.startswith("EHLO") for l in way.sink.lines),
                    "it begins")
    time.sleep(1)
    pid, = way.it.pids("lookup")
    os.kill(pid, 9)
    way.sink.wait(1, 60)
    assert way.mechs() == ["PLAIN"]
    way.it.empty(40)


def test_table_program(lab):
    """The table is a program, which answers when it does."""
    program = lab.path("program")
    program.write_text(PROGRAM)
    program.chmod(0o755)
    way = Way(lab, table=f"proc:{program}")
    way.delivered()


PROGRAM = r"""#!/usr/bin/python3
import sys, time
for line in sys.stdin:
    if line.startswith("config|ready"):
        print("register|credentials\nregister|ready", flush=True)
    if not line.startswith("table|"):
        continue
    words = line.rstrip("\n").split("|")
    time.sleep(0.3)
    print(f"{words[4]}-result|{words[6]}|found|alice:secret", flush=True)
"""


def test_old_form(lab):
    """AUTH=LOGIN, as it was before the RFC."""
    way = Way(lab, Sasl(), mechs="LOGIN",
              ehlo=lambda s: "250-sink.test\r\n250 AUTH=LOGIN" if s.tls else
              "250-sink.test\r\n250 STARTTLS")
    way.delivered()
    assert way.mechs() == ["LOGIN"]


# ---- TLS first ----

def test_not_without_tls(lab):
    """The server offers none: nothing is said, nothing is lost."""
    way = Way(lab, scheme="smtp", tls=False, auth_in_clear=True)
    id_ = way.send()
    way.it.logged(rf"{id_} delivery .*result=later .*cause=tls", 2, 40)
    assert way.mechs() == [] and not way.sink.messages
    assert not any("AUTH" in line for line in way.sink.lines)
    assert len(way.it.queue()) == 1


@pytest.mark.parametrize("how", ["self-signed", "other name"])
@pytest.mark.parametrize("scheme", ["smtp", "smtp+tls", "smtps"])
def test_not_unverified(lab, how, scheme):
    way = Way(lab, scheme=scheme, ca=how != "self-signed",
              name="other.test" if how == "other name" else "sink.test")
    id_ = way.send()
    way.it.logged(rf"{id_} delivery .*result=later .*cause=tls", 2, 40)
    assert way.mechs() == [] and not way.sink.messages
    assert not any("AUTH" in line for line in way.sink.lines)
    assert len(way.it.queue()) == 1


def test_insecure_if_said(lab):
    """Who asks for it gets it: without a verified certificate."""
    way = Way(lab, ca=False, options="tls no-verify auth-insecure")
    way.delivered()
    assert way.mechs() == ["PLAIN"]


def test_insecure_in_clear(lab):
    way = Way(lab, scheme="smtp+notls", ca=False, tls=False,
              auth_in_clear=True, options="auth-insecure")
    way.delivered()
    assert way.mechs() == ["PLAIN"]
    assert not way.sink.messages[0].tls


# ---- what goes wrong ----

def test_wrong_password(lab):
    """Not the sender's fault: it waits until the table is right."""
    way = Way(lab, value="alice:wrong")
    id_ = way.stays("configuration", "535 5.7.8")
    way.it.logged(r'login-failed label="provider" relay=sink.test\S* '
                  r'mech=PLAIN text=')
    way.credentials("provider alice:secret\n")
    way.it.ctl("update", "table", "secrets")
    way.sink.wait(1, 40)
    way.it.empty(40)
    assert id_ in way.it.log()


@pytest.mark.parametrize("reply", [
    "535 5.7.8 authentication failed", "535 no", "534 5.7.9 too weak",
    "538 5.7.11 encryption", "504 5.5.4 not here", "454 4.7.0 try later",
    "432 4.7.12 transition", "500 5.5.6 too long", "550 5.7.1 go away"])
def test_refused(lab, reply):
    way = Way(lab, Sasl(reply=reply), mechs="PLAIN CRAM-MD5")
    way.stays("tls" if reply.startswith("538") else "configuration",
              reply[:3])


def test_not_taken_for_good(lab):
    """... and in the queue it says so."""
    way = Way(lab, Sasl(reply="535 5.7.8 authentication failed"))
    way.stays("configuration", "535")
    row, = way.it.queue()
    assert "configuration" in json.dumps(row)


def test_another_mechanism(lab):
    """One is offered and not done: the next."""
    class Half(Sasl):
        def cram_md5(self, session, initial):
            return None, "504 5.5.4 not really"
    way = Way(lab, Half(), mechs="CRAM-MD5 PLAIN")
    way.delivered()
    assert way.mechs() == ["CRAM-MD5", "PLAIN"]


@pytest.mark.parametrize("mechs", ["", "GSSAPI NTLM", "EXTERNAL",
                                   "XOAUTH2 OAUTHBEARER",
                                   "SCRAM-SHA-256-PLUS2"])
def test_nothing_we_know(lab, mechs):
    way = Way(lab, mechs=mechs)
    way.stays("configuration", "offers no")
    assert way.mechs() == []


@pytest.mark.parametrize("label,words", [
    ("nobody", "label nobody: table secrets does not have it"),
    ("broken", "label broken: in table secrets"),
    ("lost", "label lost: there is no token statement"),
])
def test_no_secret(lab, label, words):
    way = Way(lab, label=label, mechs="PLAIN XOAUTH2")
    way.credentials("provider alice:secret\nbroken x:{TOKEN}\n"
                    "lost alice:{TOKEN}nobody\n")
    way.it.ctl("update", "table", "secrets")
    way.stays("configuration", words)
    assert way.mechs() == []


@pytest.mark.parametrize("evil,words", [
    ("nonce", "nonce"), ("signature", "does not know the password"),
    ("no-signature", "has not proved"), ("at-once", "has not proved"),
    ("salt", "salt")])
def test_evil_scram(lab, evil, words):
    """A server that does not know the password gets no mail."""
    way = Way(lab, Sasl(evil=evil), mechs="SCRAM-SHA-256")
    way.stays("configuration", words)


@pytest.mark.parametrize("iterations", [1, 4095, 1000001, 2147483647])
def test_evil_iterations(lab, iterations):
    way = Way(lab, Sasl(iterations=iterations), mechs="SCRAM-SHA-256")
    began = time.time()
    way.stays("configuration", "iteration count", tries=1)
    assert time.time() - began < 30


def test_wrong_scram_password(lab):
    way = Way(lab, mechs="SCRAM-SHA-256", value="alice:wrong")
    way.stays("configuration", "535 5.7.8")
    way.it.logged(r'login-refused label="provider" host="sink.test" '
                  r'text="invalid-proof"')


@pytest.mark.parametrize("challenge", [b"x" * 1500, b"334 !!!\r\n",
                                       b"334-YQ==\r\n334 YQ==\r\n",
                                       b"999 what\r\n", b"250 ok\r\n",
                                       b"421 4.3.2 bye\r\n"])
def test_odd_challenge(lab, challenge):
    def auth(session, mech, initial):
        if challenge[:1] == b"x":
            session.challenge(challenge)
        else:
            session.conn.sendall(challenge)
            session.line()
        return BAD
    way = Way(lab, auth, mechs="CRAM-MD5")
    id_ = way.send()
    way.it.logged(rf"{id_} delivery .*result=later", 2, 40)
    assert not way.sink.messages
    assert len(way.it.queue()) == 1


# ---- tokens ----

def write(path, text):
    """As who does it right: whole, at once."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(path)


@pytest.mark.parametrize("mech", ["OAUTHBEARER", "XOAUTH2"])
def test_token_file(lab, mech):
    """Read once, and again when it was refused."""
    path = lab.path("token")
    write(path, "tok1\n")
    way = Way(lab, Sasl(tokens=["tok1"]), mechs=f"PLAIN {mech}",
              value="alice:{TOKEN}web",
              lines=[f'token web file "{path}"'])
    way.delivered()
    assert way.server.seen == [(mech, "tok1", way.server.seen[0][2])]
    # Another one: the old is refused, the file read anew, in one delivery.
    write(path, json.dumps({"access_token": "tok2", "expires_in": 3600}))
    way.server.tokens = ["tok2"]
    base.wait_until(lambda: not way.sink.open, "what is idle is closed")
    way.delivered(2)
    assert [t for _, t, _ in way.server.seen] == ["tok1", "tok1", "tok2"]
    assert len(way.it.logged(r" token token=\"web\" expires_in=", 2)) == 2


def test_long_token(lab):
    """Some kilobytes: on a line of its own."""
    token = "a" * 7000
    path = lab.path("token")
    write(path, token)
    way = Way(lab, Sasl(tokens=[token]), mechs="XOAUTH2",
              value="alice:{TOKEN}web", lines=[f'token web file "{path}"'])
    way.delivered()
    assert "AUTH XOAUTH2" in way.sink.lines
    assert max(len(l) for l in way.sink.lines if l.startswith("AUTH")) < 512


@pytest.mark.parametrize("what,words", [
    (None, "No such file"), ("", "empty"), ("two words", "character"),
    ('{"error": "x"}', "no access_token"), ("fifo", "not a regular file"),
    ("link", "symbolic link"), ('{"access_token":"t","expires_in":-5}',
                                "expired"),
    ("big", "longer than")])
def test_bad_token_file(lab, what, words):
    """What it becomes while we run; what is wrong at the start is said
    then."""
    path = lab.path("token")
    way = Way(lab, mechs="XOAUTH2", value="alice:{TOKEN}web",
              lines=[f'token web file "{path}"'])
    if what == "fifo":
        os.mkfifo(path)
    elif what == "link":
        target = lab.path("target")
        target.write_text("tok")
        path.symlink_to(target)
        os.chown(path, 65534, 65534, follow_symlinks=False)
    elif what is not None:
        write(path, "x" * 20000 if what == "big" else what)
    way.stays("configuration", words)
    way.it.logged(r'token-failed token="web" at=\S+ error=.*' + words)
    assert way.mechs() == []


def command(lab, body):
    """A program that notes each start, and under which user."""
    work = lab.path("work")
    work.mkdir()
    work.chmod(0o777)
    program = lab.path("get-token")
    program.write_text("#!/bin/sh\n"
                       f'echo "$(id -u):$(id -g):$HOME:$USER:$1" >> {work}/runs\n'
                       f"cd {work}\n" + body)
    program.chmod(0o755)
    return program, work


def runs(work):
    path = work / "runs"
    return path.read_text().splitlines() if path.exists() else []


def token_way(lab, program, server, user="nobody", **kw):
    return Way(lab, server, mechs="XOAUTH2", value="alice:{TOKEN}web",
               lines=[f'token web command "{program} \'an argument\'" '
                      f"user {user}"], **kw)


def test_token_command(lab):
    """As its user, once for many; its words on stderr are in the log."""
    program, work = command(lab, "echo to the log >&2\n"
                            'echo \'{"access_token": "tok", '
                            '"expires_in": 3600}\'\n')
    way = token_way(lab, program, Sasl(tokens=["tok"]))
    for n in range(3):
        way.delivered(n + 1)
    pw = pwd.getpwnam("nobody")
    assert runs(work) == [f"{pw.pw_uid}:{pw.pw_gid}:{pw.pw_dir}:nobody:"
                          "an argument"]
    way.it.logged(r'program-says token="web" text="to the log"')


def test_token_expires(lab):
    program, work = command(lab, 'n=$(wc -l < runs)\n'
                            'echo "{\\"access_token\\": \\"tok$n\\", '
                            '\\"expires_in\\": 3}"\n')
    way = token_way(lab, program, Sasl(tokens=["tok1", "tok2"]))
    way.delivered()
    time.sleep(4)
    way.delivered(2)
    assert [t for _, t, _ in way.server.seen] == ["tok1", "tok2"]
    assert len(runs(work)) == 2


@pytest.mark.parametrize("body,words", [
    ("exit 1\n", "says nothing"),
    ("echo could not refresh >&2; exit 1\n", "says nothing"),
    ("echo no network today\n", "character"),
    ("trap '' PIPE; while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; "
     "done\n", "more than 16384"),
])
def test_bad_token_command(lab, body, words):
    program, work = command(lab, body)
    way = token_way(lab, program, Sasl())
    way.stays("configuration", words, 1)
    assert 1 <= len(runs(work)) < 20
    assert way.mechs() == []
    if "refresh" in body:
        way.it.logged(r'program-says token="web" text="could not refresh"')
    write(program, "#!/bin/sh\necho tok\n")
    program.chmod(0o755)
    way.server.tokens = ["tok"]
    way.sink.wait(1, 40)


def test_token_command_hangs(lab):
    """It is killed with what it started; others are not kept waiting."""
    program, work = command(lab, "sleep 600 & echo $! > pid; sleep 600\n")
    way = token_way(lab, program, Sasl())
    way.send()
    base.wait_until(lambda: (work / "pid").exists() and
                    (work / "pid").read_text().strip(), "it runs", 30)
    pid = int((work / "pid").read_text())
    assert way.it.ctl("show", "status").returncode == 0
    way.it.logged(r'token-failed token="web" at=\S+ error="it did not come', 1,
                  60)
    base.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "it is gone",
                    30)
    spawn, = way.it.pids("spawn")
    assert len(way.it.queue()) == 1 and way.mechs() == []


def test_token_never_as_root(lab):
    """A command that would run as root is no configuration."""
    program, work = command(lab, "echo tok\n")
    path = lab.path("conf")
    path.write_text(f'token web command "{program}" user root\n'
                    "listen on 127.0.0.1 port 2525\n")
    out = base.run([base.BUILD / "smtpd", "-n", "-f", path])
    assert out.returncode != 0
    assert "root" in out.stderr + out.stdout
    assert runs(work) == []


def test_xoauth2_error(lab):
    """The error of the server is answered, and told to who looks."""
    path = lab.path("token")
    write(path, "stale")
    way = Way(lab, Sasl(tokens=["fresh"]), mechs="XOAUTH2",
              value="alice:{TOKEN}web", lines=[f'token web file "{path}"'])
    way.stays("configuration", "535 5.7.8")
    way.it.logged(r'login-refused label="provider" host="sink.test" text=.*401')
    assert "stale" not in way.it.log()


# ---- real servers ----

@pytest.fixture(scope="module")
def house(shared_lab):
    return House(shared_lab)


@pytest.mark.parametrize("backend,value,mech", [
    ("plain", "bob@example.org:a:b c", "SCRAM-SHA-256-PLUS"),
    ("scram", "alice:secret", "SCRAM-SHA-256-PLUS"),
    ("yescrypt", "alice:secret", "PLAIN"),
    ("plain", "alice@example.org:{TOKEN}web", "OAUTHBEARER"),
])
def test_postern(lab, house, backend, value, mech):
    """Another instance is the smarthost, with channel binding."""
    path = lab.path("token")
    write(path, house.issuer.token(email="alice@example.org"))
    dns = lab.dns({"mx.test": ["A 127.0.0.1"]})
    secrets = lab.path("secrets")
    secrets.write_text(f"provider {value}\n")
    it = lab.postern("\n".join([
        f"resolver {dns.address} port {dns.port} timeout 3s",
        f'token web file "{path}"', f"table secrets file:{secrets}",
        f'ca house cert "{house.cert[0]}"', "retry 1s*1000",
        "listen on 127.0.0.1 port {port}",
        f'action "out" relay host "smtp+tls://provider@mx.test:'
        f'{house.ports[backend]}" auth <secrets> ca house',
        'match from any for any action "out"']) + "\n")
    before = len(house.receiver.messages)
    it.send("s@c.test", [RCPT])
    house.receiver.wait(before + 1, 40)
    it.logged(rf'login label="provider" relay=mx.test\S* mech={mech}$')


AUTHENTICATORS = {"PLAIN": """\
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{alice}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
""", "LOGIN": """\
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{alice}}{eq{$auth2}{secret}}}}
  server_set_id = $auth1
""", "CRAM-MD5": """\
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{alice}{secret}fail}
  server_set_id = $auth1
"""}


@pytest.mark.parametrize("mech", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_exim(lab, mech):
    assert exim.available(), "Exim is not there: `make peers`"
    d = lab.path("exim")
    d.mkdir()
    cert = Cert(d, "sink.test", alt="DNS:sink.test")
    for f in (cert.cert, cert.key):
        os.chown(f, exim.UID, exim.UID)
    sink = lab.receiver()
    peer = lab.keep(exim.Exim(
        lab.path("peer"), sink.port, authenticators=AUTHENTICATORS[mech],
        settings="tls_advertise_hosts = *\n"
        "auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}\n"
        f"tls_certificate = {cert.cert}\ntls_privatekey = {cert.key}\n"
        "acl_smtp_mail = ${if def:authenticated_id{accept}{deny}}\n"))
    dns = lab.dns(ZONE)
    secrets = lab.path("secrets")
    secrets.write_text("provider alice:secret\n")
    it = lab.postern("\n".join([
        f"resolver {dns.address} port {dns.port} timeout 3s",
        f"table secrets file:{secrets}", f'ca exim cert "{cert.cert}"',
        "retry 1s*1000", "listen on 127.0.0.1 port {port}",
        f'action "out" relay host "smtp+tls://provider@sink.test:{peer.port}"'
        " auth <secrets> ca exim",
        'match from any for any action "out"']) + "\n")
    it.send("s@c.test", [RCPT])
    sink.wait(1, 40)
    it.logged(rf'login label="provider" relay=sink.test\S* mech={mech}$')


# ---- where the secrets are ----

def test_secrets(lab):
    """In no line of the log, and in no other process than lookup once they
    were said."""
    word = "Sec" + os.urandom(9).hex() + "ret"
    way = Way(lab, Sasl({"alice": word}), mechs="PLAIN LOGIN",
              value=f"alice:{word}")
    way.delivered()
    time.sleep(1)
    if not base.SANITIZED:
        assert holders(way.it, word.encode()) == ["lookup"]
    log = way.it.log()
    for text in (word, sasl.b64(word), sasl.b64(f"\0alice\0{word}")[8:-4]):
        assert text not in log
    status = way.it.ctl("show", "queue").stdout + \
        way.it.ctl("show", "status").stdout
    assert word not in status


def test_token_secrets(lab):
    word = "Tok" + os.urandom(9).hex() + "en"
    path = lab.path("token")
    write(path, word)
    way = Way(lab, Sasl(tokens=[word]), mechs="XOAUTH2",
              value="alice:{TOKEN}web", lines=[f'token web file "{path}"'])
    way.delivered()
    time.sleep(1)
    if not base.SANITIZED:
        assert holders(way.it, word.encode()) == ["lookup"]
    assert word not in way.it.log()


def test_refused_secrets(lab):
    """A server that says them back does not get them into our log: its words
    are said as they are, so it must not have what it was not told."""
    word = "Sec" + os.urandom(9).hex() + "ret"
    way = Way(lab, Sasl({}), mechs="PLAIN", value=f"alice:{word}")
    way.stays("configuration", "535")
    assert word not in way.it.log()
    if not base.SANITIZED:
        assert holders(way.it, word.encode()) == ["lookup"]
