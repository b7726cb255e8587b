"""What spawn starts for a user's mail: who it is and what it has, how it goes
on over generations and ends, and that spawn keeps nothing of it.

SPDX-License-Identifier: ISC
"""
import os
import re
import signal
import time
from pathlib import Path

import pytest

from lib import base
from lib.instance import submit
import test_local
from test_local import MX, locals_of, message, numbers, send_all

pytestmark = pytest.mark.skipif(not base.IS_ROOT, reason="users, mounts")

WHO = 'action "who" mda "cat >/dev/null; cat /proc/self/status >$HOME/status; ' \
    'ls -l /proc/self/fd >$HOME/fds; env >$HOME/env; ps -o sid=,ppid= -p $$ ' \
    '>$HOME/ids; pwd >$HOME/cwd; umask >$HOME/umask; ulimit -n >$HOME/files"'
# Until the test lets it go.
WAITS = {"w": 'action "wait" mda "cat >$HOME/mail; touch $HOME/begun; '
              'while ! test -e $HOME/go; do sleep 0.1; done; '
              'cat $HOME/mail >>$HOME/got"',
         "d": 'action "dir" maildir'}


def stage(lab, users, actions):
    """What has no rule of its own goes to an mbox."""
    return test_local.stage(lab, users=users, actions={
        **actions, "m": 'action "mbox" mbox'})


def send(it, user, n=1):
    with it.smtp() as s:
        return submit(s, "s@c.test", [f"{user}@{MX}"], message(n))


def begun(it, root, user):
    send(it, user)
    base.wait_until(root.path(f"/home/{user}/begun").exists, "it has begun",
                    30)


def go(root, user):
    root.path(f"/home/{user}/go").touch()


def generations(it):
    """Generations that have ended."""
    return [int(n) for n in re.findall(r"generation-ended generation=(\d+)",
                                       it.log())]


# ---- what it is ----

def test_identity(lab):
    """A program of a user is that user for good, with his groups, and has
    nothing of ours."""
    it, root = stage(lab, users=("w1",), actions={"w": WHO})
    uid = root.uid("w1")
    send(it, "w1")
    it.empty(60)

    def text(name):
        return root.path(f"/home/w1/{name}").read_text()
    rows = dict(r.split(":", 1) for r in text("status").splitlines())
    for ids in ("Uid", "Gid"):
        assert rows[ids].split() == [str(uid)] * 4, rows
    assert rows["Groups"].split() == [str(uid)], rows
    for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(rows[caps], 16) == 0, rows
    for signals in ("SigBlk", "SigIgn"):
        # 32 and 33 are the C library's own.
        assert int(rows[signals], 16) & ~(3 << 31) == 0, rows
    fds = {int(m[1]): m[2] for m in re.finditer(r" (\d+) -> (.*)",
                                                text("fds"))}
    assert set(fds) <= {0, 1, 2, 3}, fds  # 3: the folder that ls reads
    assert "socket" not in str(fds) and str(it.root) not in str(fds), fds
    assert not re.search(r"(?i)postern|ASAN|smtpd", text("env")), text("env")
    assert text("cwd").strip() == "/home/w1"
    assert text("umask").strip() == "0077"
    assert text("files").strip() == "1024"


def test_groups(lab):
    """The groups that the system has for a user, when he is delivered to; an
    mbox is made with the group mail and no other."""
    it, root = stage(lab, users=("w1", "m1"), actions={"w": WHO})
    group = root.dir / "group"
    with open(group, "a") as f:
        f.write("club:x:40999:w1,m1\n")
    send(it, "w1")
    send(it, "m1")
    it.empty(60)
    rows = root.path("/home/w1/status").read_text()
    assert re.search(r"^Groups:.*\b40999\b", rows, re.M), rows
    box = os.stat(root.path("/var/mail/m1"))
    assert box.st_uid == root.uid("m1") and box.st_mode & 0o077 in (0, 0o060)


def test_root(lab):
    """root has an mbox, and nothing else without an alias."""
    it, root = stage(lab, users=("m1",),
                     actions={"d": 'action "dir" maildir'})
    it.send("s@c.test", f"root@{MX}", message(1))
    it.empty(60)
    text, = root.mbox("root")
    assert b"message 1 ends" in text
    assert os.stat(root.path("/var/mail/root")).st_uid == 0
    it.write_conf(it.text.replace('local action "mbox"', 'local action "dir"'))
    it.ctl("reload")
    it.send("s@c.test", f"root@{MX}", message(2))
    row, = base.wait_until(
        lambda: [r for r in it.queue() if r["attempts"]], "it waits", 30)
    assert "mail for root needs an alias" in str(row["last"]), row
    assert row["last"]["cause"] == "configuration"
    assert not root.path("/home/root/Maildir").exists()
    it.ctl("remove", "all")


@pytest.mark.parametrize("what", ["link", "hard link", "fifo", "another's"])
def test_root_mailbox_is_none(lab, what):
    """Who may write to the folder of mailboxes does not choose what root's
    mail is appended to, and keeps nobody waiting."""
    it, root = stage(lab, users=("m1",), actions={})
    box, victim = root.path("/var/mail/root"), root.path("/var/mail/secret")
    victim.write_bytes(b"secret\n")
    if what == "link":
        os.symlink("/var/mail/secret", box)
    elif what == "hard link":
        os.link(victim, box)
    elif what == "fifo":
        os.mkfifo(box, 0o600)
    else:
        box.write_bytes(b"")
        os.chown(box, root.uid("m1"), -1)
    it.send("s@c.test", f"root@{MX}", message(1))
    base.wait_until(lambda: [r for r in it.queue() if r["attempts"]],
                    "it waits", 30)
    it.send("s@c.test", f"m1@{MX}", message(2))
    base.wait_until(lambda: root.mbox("m1"), "others have theirs", 30)
    assert victim.read_bytes() == b"secret\n"
    os.unlink(box)
    base.wait_until(lambda: len(root.mbox("root")) == 1, "then it is there",
                    30)
    it.empty()


def test_servants(lab):
    """Mail for our own users runs as none of them."""
    it, root = stage(lab, users=("d1",), actions={"d": 'action "dir" maildir'})
    it.send("s@c.test", f"_smtpq@{MX}", message(1))
    row, = base.wait_until(
        lambda: [r for r in it.queue() if r["attempts"]], "it waits", 30)
    assert "needs an alias" in str(row["last"]), row
    it.ctl("remove", "all")


# ---- generations ----

def test_reload_while_it_runs(lab):
    """A delivery outlives two generations; meanwhile each queue knows of it,
    and its spawn ends when it does."""
    it, root = stage(lab, users=("w1", "d1"), actions=WAITS)
    begun(it, root, "w1")
    for n in (2, 3):
        since = time.monotonic()
        it.ctl("reload")
        assert time.monotonic() - since < 20, "nobody waits for it"
        send(it, "d1", n)
        base.wait_until(lambda: n in numbers(root, "d1"), "others go on", 30)
        base.wait_until(
            lambda: [r["trying"] for r in it.queue()] == [True],
            "it is in flight", 10)
    assert 1 not in generations(it)
    base.wait_until(lambda: len(it.pids("spawn")) == 2,
                    "of the first generation, and now", 20)
    go(root, "w1")
    it.empty(30)
    base.wait_until(lambda: generations(it) and
                    len(it.pids("spawn")) == 1, "the old ones end", 30)
    assert numbers(root, "w1") == [1]
    assert len(it.logged(r" delivery to=\"w1@.* result=ok")) == 1


def test_queue_killed_after_reload(lab):
    """The queue that comes after a crash meets the spawn of the old
    configuration as well."""
    it, root = stage(lab, users=("w1",), actions=WAITS)
    begun(it, root, "w1")
    it.ctl("reload")
    old, = it.pids("queue")
    os.kill(old, signal.SIGKILL)
    base.wait_until(lambda: it.pids("queue") not in ([], [old]), "a new one",
                    20)
    base.wait_until(lambda: [r.get("trying") for r in it.queue()] == [True],
                    "it is in flight", 10)
    go(root, "w1")
    it.empty(30)
    assert numbers(root, "w1") == [1]
    base.wait_until(lambda: 1 in generations(it), "the old one ends", 30)


def test_old_spawn_killed(lab):
    """With a spawn of an old generation goes nothing: what it started ends by
    itself, its answer comes to the queue, and the generation ends."""
    it, root = stage(lab, users=("w1",), actions=WAITS)
    begun(it, root, "w1")
    it.ctl("reload")
    old = [p for p in it.pids("spawn") if base.children(p)]
    assert len(old) == 1
    os.kill(old[0], signal.SIGKILL)
    time.sleep(0.5)
    go(root, "w1")
    it.empty(30)
    assert numbers(root, "w1") == [1]
    base.wait_until(lambda: 1 in generations(it), "the old one ends", 30)


def test_old_lookup_is_served(lab):
    """A spawn with nothing left to run goes on for the sessions of its
    generation: their lookup asks it."""
    it, root = stage(lab, users=("d1",), actions={"d": 'action "dir" maildir'})
    s = it.smtp()
    s.ehlo()
    it.ctl("reload")
    time.sleep(0.5)
    assert len(it.pids("spawn")) == 2
    old = min(it.pids("spawn"))
    # The one that comes in its place serves them too.
    os.kill(old, signal.SIGKILL)
    base.wait_until(lambda: len(it.pids("spawn")) == 2 and
                    old not in it.pids("spawn"), "it comes again", 30)
    submit(s, "s@c.test", [f"d1@{MX}"], message(1))
    s.quit()
    it.empty(30)
    assert numbers(root, "d1") == [1]
    base.wait_until(lambda: len(it.pids("spawn")) == 1, "it ends", 30)


# ---- the end ----

def test_stop_is_in_time(lab):
    """A program that would run for long is ended with us; the mail stays."""
    it, root = stage(lab, users=("w1",), actions=WAITS)
    begun(it, root, "w1")
    program = [p for p in base.descendants(it.pid)
               if base.program(p[0]) in ("sh", "dash", "sleep")]
    assert program
    it.stop(10)
    it.start()
    row, = it.queue()
    assert row["recipient"] == f"w1@{MX}"
    go(root, "w1")
    it.empty(60)
    assert 1 in numbers(root, "w1")


# ---- nothing is kept ----

def test_nothing_is_kept(lab):
    """Hundreds of deliveries, reads of files and refusals: spawn has the
    descriptors that it had, and no process."""
    it, root = stage(lab, users=("d1", "m1"), actions={"d": 'action "dir" maildir'})
    spawn, = it.pids("spawn")

    def fds():
        return len(list(Path(f"/proc/{spawn}/fd").iterdir()))
    send(it, "d1", 1000)
    it.empty(30)
    before = base.wait_until(lambda: not locals_of(it) and fds(), "idle", 20)
    taken, why = send_all(it, lambda n: [f"d1@{MX}", f"m1@{MX}"], 300)
    assert len(taken) == 300, why
    it.empty(120)
    base.wait_until(lambda: not locals_of(it) and fds() <= before, "idle", 20)
    assert it.pids("spawn") == [spawn]
    assert sorted(numbers(root, "d1")) == [*range(300), 1000]
    assert not base.children(spawn)
