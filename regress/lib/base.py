"""Small things that all helpers need: ports, child processes, waiting.

Nothing here has a fixed port, and only what was started here is ended.

SPDX-License-Identifier: ISC
"""
import ctypes
import os
import random
import signal
import smtplib
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("POSTERN_BUILD", "build"))
if not BUILD.is_absolute():
    BUILD = ROOT / BUILD
PEERS = Path(os.environ.get("POSTERN_PEERS", ROOT / "build" / "peers"))
IS_ROOT = os.geteuid() == 0
SANITIZED = bool(os.environ.get("POSTERN_SAN"))

if SANITIZED:
    # The jails have neither ptrace nor /proc: leaks are looked for in the
    # unit tests (conftest.py).
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0"
    os.environ["UBSAN_OPTIONS"] = "print_stacktrace=1"

LOOPBACK = "127.0.0.1"

# A header section that lacks nothing but its empty line: what is sent from this
# host arrives as it was sent (RFC 6409).
WHOLE = (b"From: <a@c.test>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
         b"Message-ID: <whole@c.test>\r\n")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


# Below the range from which the kernel takes ports of its own.
_PORTS = range(12000, 32000)
_SLICE = 500
_ports = None


def _our_ports():
    """A slice of the ports that no other process of tests has, again and
    again.  The name that stands for it goes with the process."""
    starts = list(range(_PORTS.start, _PORTS.stop, _SLICE))
    random.shuffle(starts)
    for start in starts:
        name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            name.bind(f"\0postern-test-ports-{start}")
        except OSError:
            name.close()
            continue
        while True:
            yield from range(start, start + _SLICE)
    raise RuntimeError("too many tests at once")


def free_port(*addresses):
    """A port that nobody has on any of the addresses, TCP and UDP, nor was
    given one lately: who asks for several before it uses them has several."""
    global _ports
    addresses = addresses or (LOOPBACK,)
    _ports = _ports or _our_ports()
    for _ in range(_SLICE):
        port = next(_ports)
        try:
            for address in addresses:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(socket.AF_INET, kind) as s:
                        s.setsockopt(socket.SOL_SOCKET,
                                     socket.SO_REUSEADDR, 1)
                        s.bind((address, port))
        except OSError:
            continue
        return port
    raise RuntimeError("no free port")


def wait_until(truth, what, timeout=45.0, step=0.03):
    """Calls truth() until it returns something true; returns that."""
    end = time.monotonic() + timeout
    while True:
        got = truth()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(step)


def at_best(act, within, tries=8):
    """Does it until it takes less than so many seconds: a busy machine is slow
    now and then, who has to wait for something is slow always.  What it
    returned at last."""
    took = []
    for _ in range(tries):
        begin = time.monotonic()
        got = act()
        took.append(time.monotonic() - begin)
        if took[-1] < within:
            return got
    raise AssertionError(f"never within {within} s: {took}")


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A process that writes to a log file and ends when we do."""

    def __init__(self, argv, log, cwd=None, env=None, preexec=None, fds=()):
        self.argv = [str(a) for a in argv]
        self.log_path = Path(log)
        self._log = open(self.log_path, "ab")

        def before():
            _die_with_parent()
            if preexec is not None:
                preexec()

        self.proc = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=self._log, cwd=cwd, env=env, preexec_fn=before,
            pass_fds=fds)
        self.pid = self.proc.pid

    def running(self):
        return self.proc.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self, timeout=10.0, sig=signal.SIGTERM):
        """Ends it; returns seconds that took, None if it had to be killed."""
        begin = time.monotonic()
        tree = descendants(self.pid)
        if self.running():
            self.proc.send_signal(sig)
        try:
            self.proc.wait(timeout)
            took = time.monotonic() - begin
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            took = None
        self._log.close()
        if took is None:
            for pid, born in tree:
                if started(pid) == born:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        return took


def started(pid):
    """When a process was started, in clock ticks; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def children(pid):
    """Pids of a process's children."""
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                found += [int(c) for c in
                          (task / "children").read_text().split()]
            except OSError:
                pass
    except OSError:
        pass
    return found


def descendants(pid):
    """(pid, start time) of all below a process."""
    found = []
    todo = [pid]
    while todo:
        for child in children(todo.pop()):
            found.append((child, started(child)))
            todo.append(child)
    return found


def program(pid):
    """The name of what a process runs."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def cpu_ticks(pid):
    """Clock ticks of CPU used by a process, all below it, and the dead ones
    that these have waited for."""
    ticks = 0
    for p in [pid] + [d for d, _ in descendants(pid)]:
        try:
            stat = Path(f"/proc/{p}/stat").read_text()
        except OSError:
            continue
        field = stat.rpartition(")")[2].split()
        ticks += sum(int(t) for t in field[11:15])
    return ticks


def rss_kib(pid):
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def peak(pid):
    """The most memory it had so far, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def run(argv, timeout=30, **kw):
    """Runs a command; its result with text output."""
    kw.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(a) for a in argv], text=True, errors="replace",
                          timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


# ---- peers: real servers that run beside ours ----

def greets(name, child, address, port, log=lambda: ""):
    """Whether a server says 220; for wait_until()."""
    if not child.running():
        raise AssertionError(f"{name} ended: " + child.log() + log())
    try:
        with socket.create_connection((address, port), 5) as s:
            s.settimeout(5)
            return s.recv(3) == b"220" and (s.send(b"QUIT\r\n") or True)
    except OSError:
        return False


def let_others_in(directory):
    """A server's own users walk through what is above its folder."""
    for above in [directory, *directory.parents]:
        if above in (Path("/tmp"), Path("/")):
            break
        above.chmod(above.stat().st_mode | 0o111)


def hand_over(address, port, sender, rcpts, content):
    """A message by SMTP, for a server to relay."""
    with smtplib.SMTP(address, port, timeout=20) as s:
        s.sendmail(sender, rcpts, content)
