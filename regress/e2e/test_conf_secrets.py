"""Secrets of the configuration: keys of SRS, passwords of relays, contents of
tables are in the memory of lookup alone; the parent has them in a sealed file
that it hands to each lookup, and command lines are known to spawn beside.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
from pathlib import Path

import pytest

from lib import base
from lib.instance import conf

WHO = {"srs": {"lookup"}, "backup": {"lookup"}, "inline": {"lookup"},
       "named": {"lookup"}, "word": {"lookup"},
       # A command line may have one; the parent has it as spawn's.
       "command": {"lookup", "smtpd", "spawn"}}


def secrets():
    return {name: f"{name}-{os.urandom(12).hex()}-secret" for name in WHO}


def text_of(lab, s, dns):
    """A configuration that has each of them where it may stand."""
    return conf(dns, 1, lines=[
        "hostname one.test",
        f'word = "u:{s["word"]}"',
        f'srs key "{s["srs"]}"',
        f'srs key backup "{s["backup"]}"',
        f'table named {{ a = "u:{s["named"]}", b = $word }}',
        f'token t command "/bin/cat {s["command"]}" user nobody',
        'action "named" relay host smtps://a@host.test auth <named> srs',
        'action "inline" relay host smtps://c@host.test '
        f'auth {{ c = "u:{s["inline"]}", d = "u:{{TOKEN}}t" }}'])


def mapped(pid):
    """What a process has in its memory, but its programs and libraries."""
    size, overlap = 1 << 22, 1 << 10
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            where, mode = line.split()[:2]
            begin, end = (int(n, 16) for n in where.split("-"))
            if mode[:2] != "rw" and "memfd:" not in line:
                continue
            for at in range(begin, end, size):
                try:
                    mem.seek(at)
                    yield mem.read(min(size + overlap, end - at))
                except (OSError, ValueError):
                    pass


def files(pid):
    """What its open files without a name have."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(fd).startswith("/memfd:"):
                yield fd.read_bytes()
        except FileNotFoundError:
            pass


def holders(it, read, found):
    """By secret, the programs that have it."""
    who = {name: set() for name in found}
    for pid in [it.pid] + it.pids():
        try:
            pieces = list(read(pid))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        for name, secret in found.items():
            if any(secret.encode() in p for p in pieces):
                who[name].add(base.program(pid))
    return who


def check(it, s):
    assert it.all_up()
    if not base.SANITIZED:  # which keeps what was freed
        assert holders(it, mapped, s) == WHO
    assert holders(it, files, s) == {name: {"smtpd"} for name in s}


def gone(it, s):
    """Nobody has any of an old configuration."""
    none = {name: set() for name in s}

    def look():
        return holders(it, files, s) == none and \
            (base.SANITIZED or holders(it, mapped, s) == none)
    base.wait_until(look, "the old secrets are gone", 60)


@pytest.mark.skipif(not base.IS_ROOT, reason="looks into other processes")
def test_who_has_them(lab):
    """At the start, after a reload with others, after a crash of each process,
    and after the programs were replaced."""
    build = lab.path("installed")
    shutil.copytree(base.BUILD / "libexec", build / "libexec")
    for name in ("smtpd", "smtpctl"):
        shutil.copy(base.BUILD / name, build / name)
    for path in (lab.dir, build, build / "libexec"):
        path.chmod(0o755)
    dns, first, second = lab.dns(), secrets(), secrets()
    it = lab.postern(text_of(lab, first, dns), build=build)
    check(it, first)
    it.write_conf(text_of(lab, second, dns))
    it.ctl("reload")
    gone(it, first)
    check(it, second)
    for program in ("lookup", "spawn", "deliver"):
        before = it.pids(program)
        os.kill(before[0], 9)
        base.wait_until(lambda: before[0] not in it.pids() and it.all_up(),
                        f"another {program}", 30)
    check(it, second)
    program = build / "smtpd"
    shutil.copy(program, build / "new")
    (build / "new").replace(program)
    it.ctl("reload")
    it.logged(r"upgrade program=.* processes=kept")
    assert os.stat(f"/proc/{it.pid}/exe").st_ino == program.stat().st_ino
    base.wait_until(it.all_up, "all are there again", 30)
    check(it, second)
    # A reload that fails leaves nothing of what it read.
    third = secrets()
    it.write_conf(text_of(lab, third, dns) + "nonsense\n")
    assert it.ctl("reload", check=False).returncode != 0
    gone(it, third)
    check(it, second)
    assert not re.search("-secret", it.log())


def test_not_in_messages(lab):
    """What is wrong with a table of passwords is said without them."""
    s = secrets()
    path = lab.path("smtpd.conf")
    path.write_text(text_of(lab, s, lab.dns()).replace("{port}", "2525").replace(
        "token t ", "token other "))
    out = base.run([base.BUILD / "smtpd", "-n", "-f", path])
    assert out.returncode == 1
    assert "no token is named `t`" in out.stderr, out.stderr
    assert not [v for v in s.values() if v in out.stderr]
