"""The configuration at a start: what is wrong, where, and what was expected.

SPDX-License-Identifier: ISC
"""
import re
import socket

import pytest

from lib import base
from lib.instance import conf

GOOD = ('listen on 127.0.0.1 port 2525\naction "out" relay\n'
        'match from any for any action "out"\n')

# name: (text, line that is wrong, words that the message has)
BAD = {
    "word": ("listten on lo\n" + GOOD, 1, "listten"),
    "listen": ("listen on 127.0.0.1 prot 25\n" + GOOD, 1, "prot"),
    "port": ('listen on 127.0.0.1 port 70000\n' + GOOD, 1, "70000"),
    "no-action": (GOOD + 'match for any action "nowhere"\n', 4, "nowhere"),
    "no-table": (GOOD + 'match for domain <gone> action "out"\n', 4, "gone"),
    "string": ('listen on lo\naction "out relay\nmatch any\n', 2, "closed"),
    "brace": ('table t { a, b\n', 1, ""),
    "pre-6.4": ("accept for any relay\n", 1, "6.4"),
    "not-yet": (GOOD + 'queue compression\n', 4, "compression"),
    "size": ("smtp max-message-size lots\n" + GOOD, 1, "lots"),
    "time": ("queue ttl soon\n" + GOOD, 1, "soon"),
    "resolver": ("resolver nonsense\n" + GOOD, 1, "nonsense"),
    "table-file": ("table t file:/nonexistent/file\n" + GOOD, 1,
                   "/nonexistent/file"),
    "include": ('include "/nonexistent/conf"\n' + GOOD, 1,
                "/nonexistent/conf"),
    "nothing": ("", 0, "rule"),
    "binary": ("\0\1\2\377" + GOOD, 1, ""),
}


def smtpd(path, *args):
    return base.run([base.BUILD / "smtpd", *args, "-f", path])


def write(lab, text, mode=0o644):
    path = lab.path("smtpd.conf")
    path.write_bytes(text.encode("latin-1"))
    path.chmod(mode)
    return path


def test_check_good(lab):
    out = smtpd(write(lab, GOOD), "-n")
    assert out.returncode == 0, out.stderr
    assert "configuration OK" in out.stdout + out.stderr



DOUBT = ('table secrets { me = "user:secret" }\nlisten on 127.0.0.1 port 2525\n'
         'action "out" relay host smtps://you@mail.example.net:587 '
         'auth <secrets>\nmatch from any for any action "out"\n')


def test_check_doubt(lab):
    """What may stand there and is hardly meant: a warning, and OK."""
    path = write(lab, DOUBT)
    out = smtpd(path, "-n")
    assert out.returncode == 0, out.stderr
    *warnings, last = out.stderr.splitlines()
    assert "configuration OK" in last
    assert len(warnings) == 2
    for line in warnings:
        assert line.startswith(f"{path}:3: warning: found ")
    assert "secret:" not in out.stderr and "user:secret" not in out.stderr


def test_doubt_is_logged(lab):
    """At a start and at a reload, once each."""
    it = lab.postern(DOUBT.replace("2525", "{port}").replace(":587", ""))
    line, = it.logged(r"conf-warning why=.*")
    assert f"{it.conf_path}:3: warning: found the label `you`" in line
    it.ctl("reload")
    it.logged(r"conf-warning why=.*", 2)
    it.write_conf(it.conf_path.read_text().replace("you@", "me@"))
    it.ctl("reload")
    it.logged(r"reloaded generation=3 ")
    assert len(it.logged(r"conf-warning why=.*")) == 2


def test_check_binds_nothing(lab):
    """-n beside a running instance, on its very port and directory."""
    it = lab.postern(conf(lab.dns(), 1))
    out = smtpd(it.conf_path, "-n", "-R", it.root)
    assert out.returncode == 0, out.stderr
    assert it.ready()
    it.queue()


@pytest.mark.parametrize("how", [("-n",), ("-d",)], ids=["check", "start"])
@pytest.mark.parametrize("case", BAD)
def test_bad(lab, case, how):
    text, line, words = BAD[case]
    path = write(lab, text)
    args = how if how == ("-n",) else how + ("-R", lab.path("root"))
    out = smtpd(path, *args)
    # 78: whoever starts it need not try again.
    assert out.returncode == (1 if how == ("-n",) else 78), out
    said = out.stdout + out.stderr
    if line:
        assert re.search(rf"^{re.escape(str(path))}:{line}: ", said, re.M), \
            said
    assert words in said, said
    assert "Sanitizer" not in said and "fatal" not in said


def test_several_errors(lab):
    """One run tells all of them."""
    out = smtpd(write(lab, "foo\n" + GOOD + "bar\nqueue ttl x\n"), "-n")
    assert out.returncode == 1
    lines = re.findall(r":(\d+): ", out.stderr + out.stdout)
    assert {"1", "5", "6"} <= set(lines), out.stderr


def test_macro(lab):
    out = smtpd(write(lab, 'p = 2525\nlisten on 127.0.0.1 port $p\n'
                           'action "out" relay\n'
                           'match for any action "out"\n'), "-n")
    assert out.returncode == 0, out.stderr
    text = GOOD.replace("2525", "$port")
    assert smtpd(write(lab, text), "-n").returncode == 1
    assert smtpd(write(lab, text), "-n", "-D", "port=26").returncode == 0


def test_no_file(lab):
    out = smtpd(lab.path("nowhere"), "-n")
    assert out.returncode == 1 and "nowhere" in out.stderr


def test_usage():
    for args in (["-x"], ["more"], ["-D", "x"]):
        out = base.run([base.BUILD / "smtpd", *args])
        assert out.returncode == 64 and "usage" in out.stderr


def key(lab, *how):
    path = lab.path("key")
    out = base.run(["openssl", *how, "-out", path])
    assert out.returncode == 0, out.stderr
    path.chmod(0o600)
    return path


def test_key_missing(lab):
    path = write(lab, 'dkim domain c.test selector s key "/nonexistent/k"\n' +
                 GOOD)
    for args in (["-n"], ["-d", "-R", lab.path("root")]):
        out = smtpd(path, *args)
        said = out.stdout + out.stderr
        assert out.returncode == (1 if args == ["-n"] else 78), said
        assert "/nonexistent/k" in said and ":1: " in said


WEAK = {
    "rsa-1024": (["genrsa", "1024"], "2048"),
    "elliptic": (["genpkey", "-algorithm", "EC", "-pkeyopt",
                  "ec_paramgen_curve:P-256"], ""),
}


@pytest.mark.parametrize("case", WEAK)
def test_key_weak(lab, case):
    """A key that no verifier may accept is refused at the start, by name."""
    how, word = WEAK[case]
    if how[0] == "genrsa":
        path = lab.path("key")
        out = base.run(["openssl", "genrsa", "-out", path, how[1]])
        assert out.returncode == 0, out.stderr
        path.chmod(0o600)
    else:
        path = key(lab, *how)
    text = write(lab, f'dkim domain c.test selector s key "{path}"\n' + GOOD.replace("2525", str(base.free_port())))
    for args in (["-n"], ["-d", "-R", lab.path("root")]):
        out = smtpd(text, *args)
        said = out.stdout + out.stderr
        assert out.returncode == 1, said
        assert str(path) in said or "selector s" in said or ":1: " in said
        assert word in said
        assert "PRIVATE" not in said


@pytest.mark.parametrize("text", [b"", b"no key\n", b"\0" * 1000,
                                  b"-----BEGIN PRIVATE KEY-----\nAAAA\n"
                                  b"-----END PRIVATE KEY-----\n"],
                         ids=["empty", "text", "zeros", "broken"])
def test_key_garbage(lab, text):
    path = lab.path("key")
    path.write_bytes(text)
    path.chmod(0o600)
    conf_path = write(lab, f'dkim domain c.test selector s key "{path}"\n' +
                      GOOD)
    out = smtpd(conf_path, "-n")
    assert out.returncode == 1, out
    assert str(path) in out.stdout + out.stderr or ":1: " in out.stderr


def test_key_readable_by_all(lab):
    """A private key that everyone can read is refused or at least said."""
    path = key(lab, "genpkey", "-algorithm", "ED25519")
    path.chmod(0o644)
    out = smtpd(write(lab, f'dkim domain c.test selector s key "{path}"\n' +
                      GOOD), "-n")
    assert str(path) in out.stdout + out.stderr or ":1: " in out.stderr


def test_port_taken(lab):
    """The port is somebody else's: said with its name, and no more."""
    r = lab.receiver()
    path = write(lab, GOOD.replace("2525", str(r.port)))
    out = smtpd(path, "-d", "-R", lab.path("root"))
    assert out.returncode == 1
    assert str(r.port) in out.stdout + out.stderr
    assert "in use" in out.stdout + out.stderr


def test_all_and_one_of_all(lab):
    """Of an address and all addresses on one port the one is asked first."""
    port = base.free_port("0.0.0.0")
    it = lab.postern(f"hostname mx.c.test\nlisten on 0.0.0.0 port {port}\n"
                     f"listen on 127.0.0.2 port {port} hostname in.c.test\n"
                     "match from any for any reject\n", start=False)
    it.start(wait=False)
    base.wait_until(lambda: f"started pid={it.pid} " in it.log(), "all run")
    for address, name in (("127.0.0.1", b"mx"), ("127.0.0.2", b"in")):
        with socket.create_connection((address, port), 5) as s:
            assert s.recv(100).startswith(b"220 %s.c.test " % name)
