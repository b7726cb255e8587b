"""A real OpenSMTPD out of Debian's package, not installed: `make peers` unpacks
it under build/peers.

Its paths are compiled in, so it runs in a mount namespace of its own where
/var/spool, /var/lib, /run and the users are its own, and the host's are not
touched.

SPDX-License-Identifier: ISC
"""
import os
from pathlib import Path

from . import base

TREE = base.PEERS / "opensmtpd"
UID = 64875  # opensmtpd, _smtpd
UID_QUEUE = 64876  # opensmtpq

SCRIPT = """\
mount --bind {dir}/etc/passwd /etc/passwd &&
mount --bind {dir}/etc/group /etc/group &&
mount --bind {dir}/spool /var/spool &&
mount --bind {dir}/lib /var/lib &&
mount --bind {dir}/run /run &&
exec {tree}/usr/sbin/smtpd -d -f {dir}/etc/smtpd.conf
"""


def available():
    return (TREE / "usr/sbin/smtpd").exists()


class OpenSmtpd:
    """One instance; lines are those of smtpd.conf behind its listener, whose
    own options are `listen`."""

    def __init__(self, directory, lines="", address=base.LOOPBACK, port=None,
                 listen="", hostname="peer.test", before="", wrap=()):
        self.dir = Path(directory)
        self.address = address
        self.port = port or base.free_port(address)
        for name in ("etc", "spool/smtpd", "lib/opensmtpd/empty", "run"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        (self.dir / "spool/smtpd").chmod(0o711)
        base.let_others_in(self.dir)
        etc = self.dir / "etc"
        (etc / "passwd").write_text(
            Path("/etc/passwd").read_text() +
            f"opensmtpd:x:{UID}:{UID}::/var/lib/opensmtpd/empty:/bin/false\n"
            f"opensmtpq:x:{UID_QUEUE}:{UID_QUEUE}::/var/lib/opensmtpd/empty:"
            "/bin/false\n")
        (etc / "group").write_text(
            Path("/etc/group").read_text() +
            f"opensmtpd:x:{UID}:\nopensmtpq:x:{UID_QUEUE}:\n")
        (etc / "smtpd.conf").write_text(
            f"{before}\n"
            f"listen on {address} port {self.port} hostname {hostname} "
            f"{listen}\n{lines}\n")
        (etc / "smtpd.conf").chmod(0o600)
        self.child = base.Child(
            list(wrap) + ["unshare", "-m", "--propagation", "private", "sh",
                          "-c", SCRIPT.format(dir=self.dir, tree=TREE)],
            self.dir / "smtpd.out", env=dict(os.environ))
        base.wait_until(self._up, f"OpenSMTPD on port {self.port}")

    def _up(self):
        return base.greets("OpenSMTPD", self.child, self.address, self.port
                           )

    def log(self):
        return self.child.log()

    def send(self, sender, rcpts, content):
        """Hands a message to it over SMTP, for it to relay."""
        base.hand_over(self.address, self.port, sender, rcpts, content)

    def stop(self):
        self.child.stop(15)
