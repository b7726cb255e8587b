"""Instances of Postern: build/smtpd -d -R DIR -f CONF, as many as wanted.

SPDX-License-Identifier: ISC
"""
import json
import re
import signal
import smtplib
import socket
from pathlib import Path

from . import base

TROUBLE = re.compile(
    r"AddressSanitizer|UndefinedBehaviorSanitizer|LeakSanitizer|runtime error:"
    r"|\bfatal\b|assertion .* failed|Assertion .* failed|stack smashing"
    r"|buffer overflow detected", re.I)
CHILDREN = ("spawn", "lookup", "keys", "guard", "queue", "deliver",
            "control", "session")


def conf(dns=None, relay_port=None, host=None, retry="1s*1000",
         listen="listen on 127.0.0.1 port {port}", rules=None, lines=()):
    """A configuration for tests: resolver, listener, a relay for all."""
    text = []
    if dns is not None:
        text.append(f"resolver {dns.address} port {dns.port} timeout 3s")
    text += list(lines)
    text.append(f"retry {retry}")
    text.append(listen)
    if rules is None:
        how = f' host "{host}"' if host else ""
        how += f" port {relay_port}" if relay_port and not host else ""
        rules = [f'action "out" relay{how}',
                 'match from any for any action "out"']
    text += rules
    return "\n".join(text) + "\n"


class Instance:
    """A running instance; stop() fails if it was not in good health."""

    def __init__(self, directory, text, build=None, wrap=(), args=(),
                 preexec=None, start=True, allow=None, env=None, fds=()):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.root = self.dir / "root"
        self.root.mkdir(exist_ok=True)
        self.build = Path(build or base.BUILD)
        self.address = base.LOOPBACK
        self.port = base.free_port(self.address)
        self.text = text
        self.conf_path = self.dir / "smtpd.conf"
        self.wrap, self.args, self.preexec = list(wrap), list(args), preexec
        self.env, self.fds = env, fds  # of the process; descriptors it keeps
        self.allow = allow  # a regular expression of trouble that is expected
        self.child = None
        self.write_conf(text)
        if start:
            self.start()

    def write_conf(self, text):
        self.conf_path.write_text(
            text.replace("{port}", str(self.port)).replace(
                "{dir}", str(self.dir)))

    @property
    def log_path(self):
        return self.dir / "smtpd.log"

    def log(self):
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(errors="replace")

    def logged(self, pattern, n=1, timeout=45):
        """Waits until n lines of the log match; returns the matches."""
        def look():
            found = re.findall(pattern, self.log(), re.M)
            return found if len(found) >= n else None
        return base.wait_until(look, f"{pattern!r} in the log", timeout)

    # -- life --
    def argv(self):
        return self.wrap + [self.build / "smtpd", "-d", "-R", self.root, "-f",
                            self.conf_path] + self.args

    def start(self, wait=True):
        self.child = base.Child(self.argv(), self.log_path,
                                preexec=self.preexec, env=self.env,
                                fds=self.fds)
        if wait:
            base.wait_until(self.ready, "smtpd is ready", 120)
        return self

    @property
    def pid(self):
        return self.child.pid

    def ready(self):
        if not self.child.running():
            raise AssertionError("smtpd ended:\n" + self.log()[-4000:])
        if f"started pid={self.pid} " not in self.log():
            return False
        try:
            with socket.create_connection((self.address, self.port), 5) as s:
                s.settimeout(5)
                if s.recv(4) != b"220 ":
                    return False
                s.sendall(b"QUIT\r\n")
                return True
        except OSError:
            return False

    def pids(self, program=None):
        """Pids of the children, all or of one program."""
        return [p for p in base.children(self.pid)
                if program is None or base.program(p) == program]

    def all_up(self):
        """All programs run; those dying now do not count."""
        names = {base.program(p) for p in self.pids()}
        return set(CHILDREN) <= names

    def stop(self, within=10):
        """SIGTERM; it ends in time, with all children, and in good health."""
        if self.child is None:
            return
        tree = base.descendants(self.pid)
        was_running = self.child.running()
        took = self.child.stop(within)
        log = self.log()
        status = self.child.proc.returncode
        self.child = None
        self.healthy(log)
        assert was_running, "smtpd had ended before it was told to:\n" + \
            log[-4000:]
        assert took is not None, \
            f"smtpd did not end within {within} s of SIGTERM:\n" + log[-4000:]
        assert status == 0, f"smtpd ended with {status}:\n" + log[-4000:]
        left = [p for p, born in tree if base.started(p) == born and
                "Z" not in state(p)]
        assert not left, f"children outlived smtpd: {left}"

    def kill(self):
        """SIGKILL to the parent: the children have to end by themselves."""
        self.child.stop(10, signal.SIGKILL)
        self.child = None

    def healthy(self, log=None):
        for line in (self.log() if log is None else log).splitlines():
            if TROUBLE.search(line) and not (
                    self.allow and re.search(self.allow, line)):
                raise AssertionError("in the log of smtpd: " + line + "\n" +
                                     self.log()[-6000:])

    # -- talking to it --
    def smtp(self, timeout=30):
        return smtplib.SMTP(self.address, self.port, local_hostname="c.test",
                            timeout=timeout)

    def connect(self, timeout=30):
        s = socket.create_connection((self.address, self.port), timeout)
        s.settimeout(timeout)
        return s

    def send(self, sender, rcpts, content="Subject: t\r\n\r\nhello\r\n",
             **kw):
        """One message by smtplib; the id that the 250 named."""
        rcpts = [rcpts] if isinstance(rcpts, str) else rcpts
        with self.smtp() as s:
            return submit(s, sender, rcpts, content, **kw)

    def ctl(self, *args, timeout=30, check=True):
        """smtpctl; its result, with JSON parsed if --json was asked for."""
        out = base.run([self.build / "smtpctl", "-R", self.root, *args],
                       timeout=timeout)
        self.healthy(out.stderr)
        if check:
            assert out.returncode == 0, \
                f"smtpctl {args}: {out.returncode} {out.stdout}{out.stderr}"
        out.json = None
        if "--json" in args and out.returncode == 0:
            text = out.stdout.strip()
            try:
                out.json = json.loads(text or "[]")
            except ValueError:
                out.json = [json.loads(line) for line in text.splitlines()]
        return out

    def queue(self):
        """Rows of `show queue --json`."""
        got = self.ctl("show", "queue", "--json").json
        return got if isinstance(got, list) else [got]

    def empty(self, timeout=60):
        """Waits until the queue is empty."""
        base.wait_until(lambda: not self.queue(), "the queue is empty",
                        timeout, 0.1)

    def spool_files(self):
        found = []
        for place in ("new", "cur"):
            top = self.root / "spool" / place
            if top.is_dir():
                found += [f for f in top.rglob("*") if f.is_file()]
        return found


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


QUEUED = re.compile(r"250 2\.0\.0 ([0-9A-Za-z]{13})\b")


def submit(s, sender, rcpts, content, mail_options=()):
    """A transaction in an open smtplib session; the message's id."""
    if isinstance(content, str):
        content = content.encode()
    s.ehlo_or_helo_if_needed()
    code, said = s.mail(sender, list(mail_options))
    assert code == 250, (code, said)
    for rcpt in rcpts:
        code, said = s.rcpt(rcpt)
        assert code in (250, 251), (rcpt, code, said)
    code, said = s.data(content)
    assert code == 250, (code, said)
    found = QUEUED.search(f"{code} {said.decode()}")
    assert found, f"no id in {said!r}"
    return found[1]
