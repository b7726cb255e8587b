"""`make run`: a throw-away instance in the foreground, the three commands that
it prints, and that nothing is left after ^C.  In a network namespace of its
own, because its port is the one that the README names.

SPDX-License-Identifier: ISC
"""
import os
import pwd
import re
import shutil
import signal
import subprocess

import pytest

from lib import base


def inside(pid, user, command, cwd):
    """A command where the instance is, as its user."""
    return base.run(["nsenter", "-t", pid, "-n", *user, "sh", "-c", command],
                    cwd=cwd)


@pytest.mark.parametrize("who", ["root", "nobody"])
def test_run(lab, who):
    tree = lab.path("tree")
    tree.mkdir()
    shutil.copytree(base.ROOT / "etc", tree / "etc")
    shutil.copytree(base.BUILD / "libexec", tree / "build/libexec")
    for name in ("smtpd", "smtpctl", "sendmail"):
        shutil.copy(base.BUILD / name, tree / "build" / name)
    user = []
    if who != "root":
        account = pwd.getpwnam(who)
        os.chown(tree, account.pw_uid, account.pw_gid)
        user = ["setpriv", f"--reuid={who}", "--regid=nogroup",
                "--clear-groups", "--"]
    line = " ".join(user + ["sh", "etc/run.sh", "build"])
    for turn in range(2):
        child = lab.child(["unshare", "-n", "sh", "-c",
                           f"ip link set lo up && exec {line}"], "out",
                          cwd=tree)
        base.wait_until(lambda: "takes ./run away" in child.log() or
                        not child.running(), "it is up", 30)
        said = child.log()
        assert child.running(), said
        assert ("without the separation" in said) == (who != "root")
        # Its own words, as a reader would type them.
        commands = re.findall(r"^  (\S.*)$", said, re.M)[-3:]
        assert len(commands) == 3, said
        sent = inside(child.pid, user, commands[0], tree)
        assert sent.returncode == 0, sent.stderr
        listed = inside(child.pid, user, commands[1], tree)
        assert listed.returncode == 0 and "RECIPIENT" in listed.stdout
        assert "friend@example.net" in listed.stdout  # no DNS: it waits
        base.wait_until(lambda: inside(child.pid, user, commands[2],
                                       tree).returncode == 0,
                        "it was tried", 30, 0.3)
        assert child.stop(12, signal.SIGINT) is not None
        assert not (tree / "run").exists()
        assert not re.search("Sanitizer|fatal", child.log()), child.log()


def test_run_twice_at_once(lab):
    """A second one in the same place says that there is one."""
    tree = lab.path("tree")
    tree.mkdir()
    shutil.copytree(base.ROOT / "etc", tree / "etc")
    (tree / "build").mkdir()
    shutil.copytree(base.BUILD / "libexec", tree / "build/libexec")
    for name in ("smtpd", "smtpctl"):
        shutil.copy(base.BUILD / name, tree / "build" / name)
    one = lab.child(["unshare", "-n", "sh", "-c",
                     "ip link set lo up && exec sh etc/run.sh build"], "out",
                    cwd=tree)
    base.wait_until(lambda: "takes ./run away" in one.log(), "it is up", 30)
    two = subprocess.run(["sh", "etc/run.sh", "build"], cwd=tree, text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=30)
    assert two.returncode == 1 and "runs already" in two.stdout
    assert one.running() and (tree / "run").exists()
    assert one.stop(12, signal.SIGINT) is not None
    assert not (tree / "run").exists()
