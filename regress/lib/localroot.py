"""Users, homes and mailboxes of a test's own: a mount namespace in which
/etc/passwd and /etc/group have more lines, and /home and /var/mail are empty.

    root = lab.keep(LocalRoot(lab.path("root")))
    root.user("ann")
    it = lab.postern(text, wrap=root.wrap)
    ...
    root.mbox("ann"), root.maildir("ann")

The namespace lives until stop(), so that smtpd may end and start again in it.
Nothing of the host's own is written.

SPDX-License-Identifier: ISC
"""
import contextlib
import ctypes
import os
import re
import shutil
from pathlib import Path

from . import base

# What is mounted; $1: our folder, $2 and $3: bytes of /var/mail and /home.
SETUP = """
set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
mount -t tmpfs -o "mode=2775,gid=$(stat -c %g /var/mail),size=$2" mail /var/mail
mount -t tmpfs -o "mode=755,size=$3" home /home
mkdir -m 700 /home/root
: >"$1/ready"
exec sleep infinity
"""
FIRST_UID = 40001
FROM_LINE = re.compile(rb"(?:\A|(?<=\n\n))From ")

# fanotify_init(2), fanotify_mark(2).
FAN_CLOEXEC, FAN_CLASS_CONTENT = 1, 4
FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD = 1, 0x10000, -100


@contextlib.contextmanager
def hanging(path):
    """Who opens this file waits, as for a server that does not answer, until
    this ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, os.O_RDONLY)
    assert fd != -1, os.strerror(ctypes.get_errno())
    try:
        got = libc.fanotify_mark(fd, FAN_MARK_ADD,
                                 ctypes.c_uint64(FAN_OPEN_PERM), AT_FDCWD,
                                 os.fsencode(path))
        assert got == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        os.close(fd)


class LocalRoot:
    def __init__(self, directory, mail_size="256m", home_size="256m"):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True)
        self.next_uid = FIRST_UID
        for name in ("passwd", "group"):
            shutil.copy(f"/etc/{name}", self.dir / name)
            (self.dir / name).chmod(0o644)
        self._edit("passwd", "root", self._line("passwd", "root").replace(
            ":/root:", ":/home/root:"))
        self.holder = base.Child(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             SETUP, "sh", self.dir, mail_size, home_size], self.dir / "log")
        base.wait_until(self._is_ready, "the namespace is there")
        # In front of a command that shall run in it.
        self.wrap = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt"]

    def _is_ready(self):
        assert self.holder.running(), self.holder.log()
        return (self.dir / "ready").exists()

    def stop(self):
        self.holder.stop()

    # -- users --
    def _line(self, file, name):
        for line in (self.dir / file).read_text().splitlines():
            if line.startswith(name + ":"):
                return line
        return None

    def _edit(self, file, name, line):
        """In place: the file is a mount."""
        kept = [at for at in (self.dir / file).read_text().splitlines()
                if not at.startswith(name + ":")]
        with open(self.dir / file, "r+") as f:
            f.write("\n".join(kept + ([line] if line else [])) + "\n")
            f.truncate()

    def user(self, name, uid=None, home=None, shell="/bin/sh", make=True):
        """A user with a group of the same name; his home, as seen from
        outside.  make: the home is there, and his."""
        if uid is None:
            uid, self.next_uid = self.next_uid, self.next_uid + 1
        home = home or f"/home/{name}"
        self._edit("group", name, f"{name}:x:{uid}:")
        self._edit("passwd", name,
                   f"{name}:x:{uid}:{uid}:{name}:{home}:{shell}")
        path = self.path(home)
        if make:
            path.mkdir(mode=0o755, parents=True)
            os.chown(path, uid, uid)
        return path

    def delete(self, name):
        """The user is no more; his files stay."""
        self._edit("passwd", name, None)

    def uid(self, name):
        return int(self._line("passwd", name).split(":")[2])

    def write(self, name, path, text, mode=0o644):
        """A file of a user, path below his home (or a whole one)."""
        home = self._line("passwd", name).split(":")[5]
        at = self.path(os.path.join(home, path))
        at.write_text(text)
        at.chmod(mode)
        os.chown(at, self.uid(name), self.uid(name))
        return at

    # -- files --
    def path(self, inside):
        """Where a file of the namespace is for who is outside."""
        return Path(f"/proc/{self.holder.pid}/root{inside}")

    def mbox(self, name, path=None):
        """The messages of a mailbox, each with its From_ line."""
        at = self.path(path or f"/var/mail/{name}")
        text = at.read_bytes() if at.exists() else b""
        begin = [m.start() for m in FROM_LINE.finditer(text)]
        assert not text or begin[:1] == [0], text[:200]
        return [text[a:b] for a, b in
                zip(begin, begin[1:] + [len(text)])]

    def maildir(self, name, path="Maildir"):
        """The contents of the messages in new/ and cur/."""
        home = self._line("passwd", name).split(":")[5]
        top = self.path(os.path.join(home, path))
        return [f.read_bytes() for sub in ("new", "cur")
                if (top / sub).is_dir() for f in sorted((top / sub).iterdir())]

    def run(self, argv, **kw):
        """A command in it; its result, as base.run()."""
        return base.run([*self.wrap, *argv], **kw)
