"""What a service manager does for a daemon: it holds its sockets, and hears
how it is.

    held = lab.keep(Sockets())
    held.inet("127.0.0.1", port, "smtp")
    manager = lab.keep(Manager(lab.path("manager"), watchdog=2.0))
    it = lab.postern(text, wrap=held.wrap, fds=held.fds, env=manager.env)
    manager.heard("READY", "1")

SPDX-License-Identifier: ISC
"""
import os
import socket
import sys
import threading
import time

from . import base

# Executes a command with the descriptors $1,$2,... as 3,4,... and says so as
# sd_listen_fds(3) has it; whose they are: $2, else its own.
PASS = """
import os, sys
fds = [int(n) for n in sys.argv[1].split(",") if n]
for n, fd in enumerate(fds):
    os.dup2(fd, 100 + n)
for n, fd in enumerate(fds):
    os.dup2(100 + n, 3 + n)
os.closerange(3 + len(fds), 400)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.environ.setdefault("LISTEN_FDS", str(len(fds)))
os.environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execv(sys.argv[3], sys.argv[3:])
"""


class Sockets:
    """Listening sockets that outlive who accepts from them."""

    def __init__(self):
        self.sockets, self.names = [], []

    def add(self, s, name):
        self.sockets.append(s)
        self.names.append(name)
        return s

    def inet(self, address, port, name, both=False):
        v6 = ":" in address
        s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if v6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        s.bind((address, port))
        s.listen(1024)
        return self.add(s, name)

    def local(self, path, name="local"):
        s = socket.socket(socket.AF_UNIX)
        path.parent.mkdir(parents=True, exist_ok=True)
        s.bind(str(path))
        path.chmod(0o666)
        s.listen(1024)
        return self.add(s, name)

    @property
    def fds(self):
        return [s.fileno() for s in self.sockets]

    @property
    def wrap(self):
        return [sys.executable, "-c", PASS,
                ",".join(str(n) for n in self.fds), ":".join(self.names)]

    def inodes(self):
        return {os.fstat(n).st_ino for n in self.fds}

    def stop(self):
        for s in self.sockets:
            s.close()


class Manager:
    """Hears what sd_notify(3) is for."""

    def __init__(self, path, watchdog=None, reads=True):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = path if isinstance(path, str) else str(path)
        self.socket.bind(name.replace("@", "\0", 1) if name[0] == "@"
                         else name)
        self.env = dict(os.environ, NOTIFY_SOCKET=name)
        if watchdog:
            self.env["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        self.told = []  # (when, {key: value})
        self.thread = None
        if reads:
            self.read()

    def read(self):
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except OSError:
                return
            if not text:
                return
            lines = [line for line in text.split("\n") if line]
            assert all("=" in line for line in lines), text
            self.told.append((time.monotonic(),
                              dict(line.split("=", 1) for line in lines)))

    def all(self, key):
        """The values of this key, in order."""
        return [t[key] for _, t in self.told if key in t]

    def heard(self, key, value, n=1, timeout=30):
        """Waits until a key had a value n times."""
        return base.wait_until(lambda: self.all(key).count(value) >= n,
                               f"{key}={value} {n} times: {self.told}",
                               timeout)

    def stop(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class Syslog:
    """The syslog of a mount namespace of its own: a daemon that is run by
    wrap sees nobody else's.  Writes lines to a file as a syslogd does."""

    SETUP = """
set -e
mount -t tmpfs dev /mnt
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /mnt/
ln -s /proc/self/fd /mnt/fd
touch /mnt/log
mount --bind "$1/log" /mnt/log
mount --move /mnt /dev
shift
exec "$@"
"""

    def __init__(self, directory):
        self.dir = directory
        self.dir.mkdir(parents=True)
        self.path = self.dir / "mail.log"
        self.path.touch()
        self.priorities = set()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.dir / "log"))
        self.wrap = ["unshare", "--mount", "--propagation", "private", "sh",
                     "-c", self.SETUP, "sh", str(self.dir)]
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                got = self.socket.recv(65536).decode()
            except OSError:
                return
            if not got:
                return
            priority, text = got[1:].split(">", 1)
            self.priorities.add(int(priority))
            # "Nov 21 23:17:55 postern[123]: ...": the host comes behind it.
            with open(self.path, "a") as f:
                f.write(text[:16] + "mx.test " + text[16:].rstrip("\n") + "\n")

    def lines(self):
        return self.path.read_text().splitlines()

    def stop(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
