"""Whole configurations: each *.case here is a file with what `smtpd -nv` makes
of it, the effective print or the exact messages.

A case begins with what it shows, and has these parts:

    == conf             the file; `== conf escaped` knows \\xHH and \\r
    == file NAME [MODE] a file beside it
    == args             more arguments, one on each line
    == print            what is printed, but for settings that have their
                        default; absent if the grammar is wrong
    == says             the messages, warnings too; absent if there are none

@DIR@ is the folder of the case, @HOST@ the name of this host, @INTERFACES@ what
it has of them, @LIBEXEC@ the folder of our programs, @CERT@ and @KEY@ a
certificate and its key (RSA), @CERT2@ and @KEY2@ others (ECDSA); after @END@
there is no newline.  What is printed is
read again: it must print the same, and say the same.

POSTERN_CONF_WRITE=1 writes the parts `print` and `says` anew: to be read by
whoever made the change.

SPDX-License-Identifier: ISC
"""
import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from lib import base

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.case"))
WRITE = bool(os.environ.get("POSTERN_CONF_WRITE"))
PART = re.compile(r"^== (.*)\n", re.M)
SETTINGS = re.compile(r"(hostname|smtp limit [a-z-]+|smtp [a-z-]+|queue ttl|"
                      r"bounce warn-interval|bounce rate|history|retry|limit route|"
                      r"limit network|greylist|log facility) ")
# What is said of a file whose grammar is right, by the parent and by the
# process that reads what the file names.
LATER = re.compile(r" is not yet in this version$|:\d+: (?:certificate file|"
                   r"key file|(?:smtp )?ciphers|/\S+/keys\.json:|warning:) ")


class Case:
    def __init__(self, path):
        self.path = path
        texts = PART.split(path.read_text())
        self.head, self.files, self.args = texts[0], [], []
        self.conf, self.print, self.says, self.escaped = "", None, "", False
        for name, text in zip(texts[1::2], texts[2::2]):
            words = shlex.split(name)
            if words[0] == "conf":
                self.conf = text
                self.escaped = words[1:] == ["escaped"]
            elif words[0] == "file":
                mode = int(words[2], 8) if words[2:] else 0o644
                self.files.append((words[1], text, mode))
            elif words[0] == "args":
                self.args = text.splitlines()
            elif words[0] == "print":
                self.print = text
            elif words[0] == "says":
                self.says = text
            else:
                raise AssertionError(f"{path}: {name}?")

    def bytes(self):
        text = self.conf.replace("@END@\n", "").encode()
        if not self.escaped:
            return text
        return re.sub(rb"\\x([0-9a-f]{2})|\\r",
                      lambda m: bytes.fromhex(m[1].decode()) if m[1]
                      else b"\r", text)

    def write(self, printed, says):
        text = re.split(r"(?m)^== (?:print|says)\n", self.path.read_text(),
                        maxsplit=1)[0]
        if printed is not None:
            text += "== print\n" + printed
        if says:
            text += "== says\n" + says
        self.path.write_text(text)


def smtpd(directory, conf, *args):
    """Status, what is printed, what is said; `configuration OK` is dropped."""
    out = subprocess.run([base.BUILD / "smtpd", "-R", directory / "root",
                          "-f", conf, *args], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         timeout=60, cwd=directory)
    said = out.stderr.decode()
    good = re.sub(r"(?m)^.*configuration OK\n", "", said)
    wrong = re.sub(r"(?m)^\S+:\d+: warning: .*\n", "", good)
    assert (wrong == "") == (out.returncode == 0), (out.returncode, said)
    assert out.returncode in (0, 1), (out.returncode, said)
    assert out.returncode == 1 or said.count("configuration OK\n") == 1, said
    return out.returncode, out.stdout.decode(), good


def check(directory, conf, *args):
    """What -nv prints and says; -n prints nothing and says the same."""
    bare = smtpd(directory, conf, "-n", *args)
    status, printed, says = smtpd(directory, conf, "-nv", *args)
    assert bare == (status, "", says)
    assert status == 1 or printed
    return status, printed, says


def again(directory, printed, says, *args):
    """The print of the print; the messages are about other lines."""
    path = directory / "print.conf"
    path.write_text(printed)
    _, second, said = check(directory, path, *args)
    assert second == printed
    for line in (says + said).splitlines():
        assert LATER.search(line), line
    texts = [set(re.sub(r"(?m)^\S+:\d+: ", "", t).splitlines())
             for t in (says, said)]
    assert texts[0] == texts[1]


@pytest.fixture
def directory():
    """One with a short name: messages show so many bytes of a path."""
    with tempfile.TemporaryDirectory(prefix="pc", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def key_pair(tmp_path_factory):
    """Texts of certificates and their keys, by what a case calls them."""
    directory = tmp_path_factory.mktemp("keys")
    kinds = {"": ["rsa:2048"],
             "2": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
    texts = {}
    for n, kind in kinds.items():
        base.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes",
                  "-keyout", directory / "key", "-out", directory / "cert",
                  "-days", "90", "-subj", "/CN=mx.example.org"], check=True)
        texts[f"@CERT{n}@"] = (directory / "cert").read_text().rstrip("\n")
        texts[f"@KEY{n}@"] = (directory / "key").read_text().rstrip("\n")
    return texts


@pytest.fixture(scope="session")
def default_settings(tmp_path_factory):
    """What is printed of a file that sets nothing."""
    directory = tmp_path_factory.mktemp("default")
    (directory / "smtpd.conf").write_text("match from any for any reject\n")
    status, printed, says = smtpd(directory, directory / "smtpd.conf", "-nv")
    assert (status, says) == (0, "")
    lines = printed.splitlines()
    assert lines[0] == "match from any for any reject"
    for line in lines[1:]:
        assert SETTINGS.match(line), line
    return lines[1:]


def without(printed, defaults):
    """The print without the settings that have their default; each setting is
    there."""
    lines = printed.splitlines()
    for line in defaults:
        name = SETTINGS.match(line)[0]
        assert [l for l in lines if l.startswith(name)], name
    return "".join(l + "\n" for l in lines if l not in defaults)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_case(path, directory, default_settings, key_pair):
    case = Case(path)
    assert case.head.strip(), "a case says what it shows"
    host = default_settings[0].split()[1]

    def inside(text):
        text = text.replace("@DIR@", str(directory)).replace("@HOST@", host)
        for name, pem in key_pair.items():
            text = text.replace(name, pem)
        return text

    def outside(text):
        text = text.replace(str(directory), "@DIR@")
        text = text.replace(str(base.BUILD / "libexec"), "@LIBEXEC@")
        text = re.sub(r"(this host has: )[^)]*", r"\1@INTERFACES@", text)
        return re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w.-])", "@HOST@",
                      text)
    (directory / "smtpd.conf").write_bytes(
        case.bytes().replace(b"@DIR@", str(directory).encode()))
    for name, text, mode in case.files:
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(inside(text))
        if name.startswith("made/"):
            out = base.run([base.BUILD / "smtpctl", "makemap", "-t", "aliases",
                            "-o", file, file])
            assert out.returncode == 0, out.stderr
        file.chmod(mode)
    args = [inside(a) for a in case.args]
    status, printed, says = check(directory, directory / "smtpd.conf", *args)
    shown = outside(without(printed, default_settings)) if printed else None
    if WRITE:
        case.write(shown, outside(says))
        return
    assert outside(says) == case.says
    assert shown == case.print
    if printed:
        again(directory, printed, says)


def test_number_of_cases():
    assert len(CASES) >= 120


# ---- groups of interfaces: in a network of their own ----

NETWORK = """set -e
mount --bind {dir}/group /etc/iproute2/group
mount -t sysfs sysfs /sys
ip link set lo up
for i in out4 out6 in0 in1; do
    ip link add $i type veth peer name p$i; ip link set p$i up; ip link set $i up
done
ip addr add 192.0.2.7/24 dev out4
ip addr add 2001:db8:6::7/64 dev out6 nodad
ip addr add 198.51.100.7/24 dev in0
ip addr add 198.51.101.7/24 dev in1
ip link set in0 group 77; ip link set in1 group 77
{routes}
exec {smtpd} -n -R {dir}/root -f {dir}/smtpd.conf
"""
ADDRESSES = ["192.0.2.7", "2001:db8:6::7", "198.51.100.7", "198.51.101.7"]
ROUTES = "ip route add default via 192.0.2.1\n" \
    "ip -6 route add default via 2001:db8:6::1\n"


@pytest.mark.skipif(not base.IS_ROOT, reason="makes a network namespace")
@pytest.mark.parametrize("where,routes,wanted", [
    ("egress", ROUTES, ADDRESSES[:2]),
    ("egress inet4", ROUTES, ADDRESSES[:1]),
    ("egress", ROUTES.splitlines()[1], ADDRESSES[1:2]),
    ("egress", "", None),
    ("inner", "", ADDRESSES[2:]),
    ("empty", "", None),
    ("default", "", None),
], ids=["both", "inet4", "only6", "none", "group", "group-empty", "group-0"])
def test_groups(where, routes, wanted, directory):
    """An address of the group is taken already; another is not."""
    (directory / "group").write_text("0\tdefault\n77\tinner\n78 empty\n")
    (directory / "smtpd.conf").write_text(
        f"listen on {where} port 26\n" +
        "".join(f"listen on {a} port 26\n" for a in ADDRESSES) +
        "match from any for any reject\n")
    out = base.run(["unshare", "-n", "-m", "sh", "-c", NETWORK.format(
        dir=directory, routes=routes, smtpd=base.BUILD / "smtpd")])
    wrong = {int(n) for n in re.findall(r"(?m)^\S+:(\d+): ", out.stderr)}
    if wanted is None:
        assert wrong == {1}, out.stderr
        return
    assert wrong == {2 + ADDRESSES.index(a) for a in wanted}, out.stderr
    assert out.stderr.count("listens there already") == len(wanted)
