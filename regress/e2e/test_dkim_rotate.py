"""smtpctl dkim rotate: keys are made, published, used, retired and removed;
whatever is cut off goes on; signatures outlast it.

SPDX-License-Identifier: ISC
"""
import json
import os
import re
import time

import pytest

from lib import base
from lib.instance import conf
from lib.receiver import contents
from test_dkim import CONTENT, opendkim, signatures, tags, verified

WAITS = 75


class Folder:
    """A folder of keys, the zone that is made of what is printed, and the
    verb."""

    def __init__(self, lab, domain="c.test", it=None):
        self.lab, self.domain, self.it = lab, domain, it
        self.dir = lab.path("keys")
        self.dir.mkdir(mode=0o700)
        self.dns = lab.dns({"x.test": ["MX 10 mx.x.test."],
                            "mx.x.test": ["A 127.0.0.1"]})
        self.names = {}  # what was printed

    def rotate(self, *args, wrap=(), where=None, resolver=True):
        argv = [*wrap, base.BUILD / "smtpctl"]
        if self.it is not None:
            argv += ["-R", self.it.root]
        argv += ["dkim", "rotate", *args]
        if resolver:
            argv += ["-r", f"{self.dns.address}:{self.dns.port}"]
        out = base.run([*argv, self.domain, where or self.dir], timeout=60)
        if "--json" not in args:
            self.names.update(zone_of(out.stdout))
        return out

    def json(self, *args):
        out = self.rotate("--json", *args)
        return out.returncode, json.loads(out.stdout)

    def publish(self, names=None):
        self.dns.change(self.names if names is None else names)

    def files(self):
        return sorted(p.name for p in self.dir.iterdir())

    def all_steps(self):
        """From nothing, or from one set of keys to the next."""
        assert self.rotate().returncode == WAITS
        self.publish()
        out = self.rotate()
        assert out.returncode == 0, out.stderr
        return out


def zone_of(printed):
    """{name: [record]} of what was printed: a zone, and comments in it."""
    found = {}
    text = "\n".join(l for l in printed.splitlines() if not l.startswith(";"))
    for name, record in re.findall(r"^(\S+)\. IN (TXT \([^)]*\))", text,
                                   re.M):
        found[name] = [" ".join(record.replace("(", " ").replace(")", " ")
                                .split())]
    return found


def kinds(files):
    """{letter of the algorithm: [ending]}, in the order of the names."""
    found = {}
    for name in files:
        stem, _, ending = name.rpartition(".")
        letter = re.fullmatch(r"\d{8}([re])\d*", stem)[1]
        found.setdefault(letter, []).append(ending)
    return found


def test_first(lab):
    """From an empty folder: both algorithms, nothing signs before it is
    published."""
    f = Folder(lab)
    out = f.rotate()
    assert out.returncode == WAITS, out.stderr
    assert kinds(f.files()) == {"r": ["next"], "e": ["next"]}
    assert all((f.dir / n).stat().st_mode & 0o777 == 0o600
               for n in f.files())
    assert len(f.names) == 2
    assert all(line.startswith(";") or re.match(r"\S+\._domainkey\.c\.test\. "
                                                r"IN TXT|\t\"", line)
               for line in out.stdout.splitlines()), out.stdout
    before = f.files()
    # Not published: it waits, and says what is missing, again and again.
    for _ in range(2):
        out = f.rotate()
        assert out.returncode == WAITS
        assert out.stdout.count("there is no record") == 2
        assert zone_of(out.stdout) == f.names
        assert f.files() == before
    f.publish()
    out = f.rotate()
    assert out.returncode == 0, out.stderr
    assert out.stdout.count("signs from now on") == 2
    assert kinds(f.files()) == {"r": ["key"], "e": ["key"]}


def test_testkey(lab):
    """A foreign tool finds the record that was printed to be that of the key."""
    # Its libunbound asks nobody on this host, nor anybody for .test.
    f = Folder(lab, "c.example")
    f.all_steps()
    key, = [n for n in f.files() if "r" in n.partition(".")[0][8:]]
    options = lab.path("opendkim.conf")
    options.write_text("Nameservers 192.0.2.53\n")
    tool = ("opendkim-testkey", "-x", options, "-d", "c.example", "-s",
            key[:-len(".key")], "-k", f.dir / key)
    good = opendkim(lab, b"", f.dns.names, tool, "192.0.2.53")
    assert good.returncode == 0, good.stdout + good.stderr
    swapped = dict(f.dns.names)
    mine = f"{key[:-len('.key')]}._domainkey.c.example"
    swapped[mine] = [swapped[mine][0].replace("AQ8A", "AQ8B", 1)]
    assert opendkim(lab, b"", swapped, tool,
                    "192.0.2.53").returncode != 0


@pytest.mark.parametrize("record,why", [
    (["TXT \"v=DKIM1; k=rsa; p=AAAA\""], "it has another key"),
    (["TXT \"v=DKIM1; k=ed25519; p=AAAA\""],
     "its key has another algorithm"),
    (["TXT \"v=DKIM1; p=\""], "it revokes the key"),
    (["TXT \"hello\""], "it is no record of DKIM"),
    (["TXT \"v=DKIM1; k=rsa\""], "it has no key"),
    (["TXT \"v=DKIM2; p=AAAA\""], "it is no record of DKIM"),
    (["A 127.0.0.1"], "there is no record"),
    ([None, "TXT \"v=DKIM1; p=AAAA\""], "there are several records"),
], ids=lambda v: None if isinstance(v, list) else v.replace(" ", "-"))
def test_record_is_another(lab, record, why):
    f = Folder(lab)
    assert f.rotate("-a", "rsa").returncode == WAITS
    (name, right), = f.names.items()
    f.publish({name: [r or right[0] for r in record]})
    out = f.rotate()
    assert out.returncode == WAITS and why in out.stdout, out.stdout
    assert kinds(f.files()) == {"r": ["next"]}
    status, said = f.json()
    assert status == WAITS
    assert (said["keys"][0]["published"], said["keys"][0]["why"]) == \
        (False, why)
    f.publish()
    assert f.rotate().returncode == 0


def test_by_cname(lab):
    """The record may stand elsewhere."""
    f = Folder(lab)
    f.rotate("-a", "rsa")
    (name, right), = f.names.items()
    f.publish({name: ["CNAME key.elsewhere.test."],
               "key.elsewhere.test": right})
    assert f.rotate().returncode == 0


def test_dns_silent(lab):
    """Nobody knows: it waits.  --force goes without."""
    f = Folder(lab)
    f.rotate("-a", "ed25519")
    f.dns.stop()
    f.things = None
    out = f.rotate()
    assert out.returncode == WAITS and "no name server answered" in out.stdout
    lab.things.remove(f.dns)
    status, said = f.json("--force")
    assert status == 0 and said["changed"] and not said["reloaded"]
    assert [k["state"] for k in said["keys"]] == ["key"]


def test_resolver_of_environment(lab, monkeypatch):
    f = Folder(lab)
    f.rotate("-a", "rsa")
    f.publish()
    monkeypatch.setenv("SMTPCTL_RESOLVER",
                       f"{f.dns.address}:{f.dns.port}")
    assert f.rotate(resolver=False).returncode == 0


def test_again(lab):
    """The earlier keys stop, and go when their time has come."""
    f = Folder(lab)
    f.all_steps()
    first = f.files()
    assert f.rotate().returncode == WAITS
    assert kinds(f.files()) == {"r": ["key", "next"], "e": ["key", "next"]}
    assert set(first) < set(f.files()), "what signs goes on signing"
    f.publish()
    out = f.rotate()
    assert out.returncode == 0
    assert out.stdout.count("signs no more; its record may be removed after"
                            ) == 2
    assert kinds(f.files()) == {"r": ["old", "key"], "e": ["old", "key"]}
    assert {n.replace(".old", ".key") for n in f.files()
            if n.endswith(".old")} == set(first)
    # Not yet; then now.
    out = f.rotate("--clean")
    assert (out.returncode, out.stdout) == (0, "")
    assert len(f.files()) == 4
    time.sleep(1.1)
    out = f.rotate("--clean", "--keep", "1s")
    assert out.returncode == 0
    assert out.stdout.count("removed; its record may be removed from the DNS "
                            "now") == 2
    assert kinds(f.files()) == {"r": ["key"], "e": ["key"]}


def test_age_of_retired(lab):
    """What counts is when it stopped, not when it was made."""
    f = Folder(lab)
    f.all_steps()
    for name in f.files():
        os.utime(f.dir / name, (0, 0))
    f.all_steps()
    out = f.rotate("--clean")
    assert out.stdout == "" and len(f.files()) == 4


def test_dry_run(lab):
    f = Folder(lab)
    out = f.rotate("--dry-run")
    assert out.returncode == WAITS and not f.files()
    assert out.stdout.count("a new key would be made") == 2
    f.rotate()
    before = f.files()
    out = f.rotate("--dry-run")
    assert out.returncode == WAITS and f.files() == before
    f.publish()
    out = f.rotate("--dry-run")
    assert out.returncode == 0 and f.files() == before
    assert "would sign from now on" in out.stdout
    assert f.rotate().returncode == 0
    f.all_steps()
    time.sleep(1.1)
    before = f.files()
    out = f.rotate("--dry-run", "--clean", "--keep", "1s")
    assert out.stdout.count("would be removed") == 2 and f.files() == before


def test_json(lab):
    f = Folder(lab)
    status, said = f.json()
    assert status == WAITS and said["domain"] == "c.test" and said["changed"]
    by = {k["algorithm"]: k for k in said["keys"]}
    assert set(by) == {"rsa", "ed25519"}
    for alg, k in by.items():
        assert k["state"] == "next" and k["type"] == "TXT"
        assert k["name"] == f"{k['selector']}._domainkey.c.test"
        assert k["value"].startswith(f"v=DKIM1; k={alg}; p=")
        assert "published" not in k, "nobody has looked"
        value = k["value"]
        f.names[k["name"]] = ["TXT " + " ".join(
            f'"{value[n:n + 200]}"' for n in range(0, len(value), 200))]
    f.publish()
    status, said = f.json()
    assert status == 0
    assert all(k["state"] == "key" and k["published"] for k in said["keys"])
    status, said = f.json("--force")
    status, said = f.json("--force")
    assert sorted(k["state"] for k in said["keys"]) == ["key", "key", "old",
                                                        "old"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                            k["record_until"])
               for k in said["keys"] if k["state"] == "old")


def test_refused(lab):
    """What cannot be: said, and nothing changes."""
    f = Folder(lab)
    for args in (("--keep", "soon"), ("-a", "dsa"), ("--what",)):
        assert f.rotate(*args).returncode == 64, args
    assert f.rotate(where=f.dir / "none").returncode == 66
    f.all_steps()
    before = f.files()
    out = base.run([base.BUILD / "smtpctl", "dkim", "rotate", "-r", "nonsense",
                    "c.test", f.dir])
    f.rotate()
    out = base.run([base.BUILD / "smtpctl", "dkim", "rotate", "-r", "nonsense",
                    "c.test", f.dir])
    assert out.returncode == 64 and "resolver" in out.stderr
    for n in f.files():
        if n not in before:
            (f.dir / n).unlink()
    (f.dir / "bad.key").write_text("no key\n")
    assert f.rotate().returncode == 65
    (f.dir / "bad.key").unlink()
    twin = f.dir / before[0].replace(".key", ".old")
    twin.write_bytes((f.dir / before[0]).read_bytes())
    out = f.rotate()
    assert out.returncode == 65 and "more than one key" in out.stderr
    twin.unlink()
    (f.dir / "README").write_text("no key, and nobody's business\n")
    assert f.files() == sorted([*before, "README"])


@pytest.mark.parametrize("call,n", [
    (call, n) for call, most in (("renameat", 4), ("utimensat", 4),
                                 ("fsync", 5)) for n in range(1, most)])
def test_killed(lab, call, n):
    """Killed in the middle: some key of each algorithm signs, and the next
    run goes on to the same end."""
    f = Folder(lab)
    f.all_steps()
    f.rotate()
    f.publish()
    final = {}
    out = f.rotate(wrap=["strace", "-f", "-qq", "-o", lab.path("strace"),
                         "-e", f"trace={call}", "-e",
                         f"inject={call}:signal=KILL:when={n}"])
    assert out.returncode in (-9, 137), out.stderr
    now = kinds(f.files())
    assert all("key" in now[letter] for letter in "re"), now
    for _ in range(3):
        final = kinds(f.files())
        if final == {"r": ["old", "key"], "e": ["old", "key"]}:
            break
        assert f.rotate().returncode == 0
    assert final == {"r": ["old", "key"], "e": ["old", "key"]}


def test_made_and_killed(lab):
    """A key that was made and not told of is there in the next run."""
    f = Folder(lab)
    f.rotate(wrap=["strace", "-f", "-qq", "-o", lab.path("strace"),
                   "-e", "trace=fsync", "-e",
                   "inject=fsync:signal=KILL:when=2"])
    assert kinds(f.files()) in ({"r": ["next"]}, {"e": ["next"]})
    f.names.clear()
    assert f.rotate().returncode == WAITS
    assert len(f.names) == 1, "its record is printed"


# ---- a running smtpd ----

def running(lab, f, receiver, lines=()):
    it = lab.postern(conf(
        f.dns, lines=["hostname mx.c.test", *lines,
                      f'dkim domain c.test keys "{f.dir}"'],
        rules=[f'action "out" relay port {receiver.port}',
               'match from local for any action "out"']))
    f.it = it
    return it


def selectors(content):
    return {tags(s)["a"]: tags(s)["s"] for s in signatures(content)}


def fresh(f):
    """{algorithm: selector} of what signs."""
    found = {}
    for name in f.files():
        stem, _, ending = name.rpartition(".")
        if ending == "key":
            alg = {"r": "rsa-sha256", "e": "ed25519-sha256"}[stem[8]]
            found[alg] = stem
    return found


def test_smtpd_signs_with_it(lab):
    """Made, published, rotated under a running smtpd: what arrives is good
    at each step, for every verifier."""
    f = Folder(lab)
    f.all_steps()
    r = lab.receiver()
    it = running(lab, f, r)
    it.send("a@c.test", "b0@x.test", CONTENT)
    r.wait(1)
    assert selectors(r.messages[0].content) == fresh(f)
    verified(lab, r.messages[0].content, f.dns)
    before = fresh(f)
    assert f.rotate().returncode == WAITS
    it.send("a@c.test", "b1@x.test", CONTENT)
    r.wait(2)
    assert selectors(r.messages[1].content) == before
    f.publish()
    status, said = f.json()
    assert status == 0 and said["reloaded"], said
    assert not set(fresh(f).values()) & set(before.values())
    it.send("a@c.test", "b2@x.test", CONTENT)
    r.wait(3)
    assert selectors(r.messages[2].content) == fresh(f)
    for m in r.messages:
        verified(lab, m.content, f.dns)
    # With the old records gone, the new ones hold alone.
    for s in before.values():
        f.names.pop(f"{s}._domainkey.c.test")
        f.dns.names.pop(f"{s}._domainkey.c.test")
    f.publish()
    verified(lab, r.messages[2].content, f.dns)


def test_reload_refused(lab):
    """A configuration that cannot be read is said, and the keys stay
    changed."""
    f = Folder(lab)
    f.all_steps()
    r = lab.receiver()
    it = running(lab, f, r)
    f.rotate()
    f.publish()
    it.write_conf("nonsense\n" + it.text)
    out = f.rotate()
    assert out.returncode == 1
    assert "goes on with the earlier keys" in out.stderr
    assert kinds(f.files()) == {"r": ["old", "key"], "e": ["old", "key"]}
    it.send("a@c.test", "b@x.test", CONTENT)
    m, = r.wait(1)
    verified(lab, m.content, f.dns)
    it.write_conf(it.text)
    it.ctl("reload")


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_signature_outlasts(lab, how):
    """A message that was put off keeps the signature of its first attempt,
    byte for byte, over a rotation and what follows it."""
    f = Folder(lab)
    f.all_steps()
    r = lab.receiver(dot=lambda s: "250 2.0.0 ok" if r.open_door
                     else "450 4.3.0 again")
    r.open_door = False
    with contents() as seen:
        it = running(lab, f, r)
        it.send("a@c.test", "b@x.test", CONTENT)
        base.wait_until(lambda: seen, "the first attempt")
        base.wait_until(lambda: it.queue()[0]["attempts"] > 0,
                        "it is put off")
        before = fresh(f)
        f.rotate()
        f.publish()
        assert f.rotate().returncode == 0
        if how == "restart":
            it.stop()
            it.start()
        n = len(seen)
        it.ctl("flush", "all")
        base.wait_until(lambda: len(seen) > n, "an attempt after it", 30)
        r.open_door = True
        it.ctl("flush", "all")
        r.wait(1, 30)
    last = r.messages[-1].content
    assert signatures(seen[0]) == signatures(last)
    assert selectors(last) == before
    verified(lab, last, f.dns)
    it.send("a@c.test", "b@x.test", CONTENT)
    r.wait(2)
    assert selectors(r.messages[-1].content) == fresh(f)
