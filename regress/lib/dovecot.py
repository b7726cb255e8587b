"""A real Dovecot out of Debian's packages, not installed, that takes mail by
LMTP: `make peers` unpacks it under build/peers.

Its paths are compiled in, so it runs in a mount namespace of its own where
/usr/lib holds /usr/lib/dovecot too, and the host's is not touched.

SPDX-License-Identifier: ISC
"""
import os
import shutil
from pathlib import Path

from . import base

CORE, LMTPD = (base.PEERS / p for p in ("dovecot-core", "dovecot-lmtpd"))
UID = 64878

CONF = """\
base_dir = {dir}/run
state_dir = {dir}/state
instance_name = peer
log_path = {dir}/log
hostname = {hostname}
protocols = lmtp
listen = {address}
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = dovecot
first_valid_uid = 1
auth_username_format = %u
mail_location = maildir:~/mail
lmtp_add_received_header = no
{tls}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {dir}/etc/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = {address}
    port = {port}
  }}
  unix_listener {dir}/lmtp {{
    mode = 0600
  }}
}}
{settings}
"""

# The linker's own folder stays where it was: behind the names of /usr/lib.
SCRIPT = """\
mount --bind {dir}/etc/passwd /etc/passwd &&
mount --bind {dir}/etc/group /etc/group &&
mount --rbind /usr/lib {dir}/host &&
mount -o remount,bind,ro {dir}/host &&
mount --bind {dir}/lib /usr/lib &&
export LD_LIBRARY_PATH=/usr/lib/dovecot &&
exec {core}/usr/bin/doveconf -c {dir}/etc/conf -f service=master -p \\
    -e {core}/usr/sbin/dovecot -F -c {dir}/etc/conf
"""


def available():
    return (CORE / "usr/sbin/dovecot").exists() and \
        (LMTPD / "usr/lib/dovecot/lmtp").exists()


class Dovecot:
    """One instance with mailboxes for these users; cert: of lib.pki, for
    STARTTLS.  settings are lines of dovecot.conf.  It listens at the socket
    .path too, which root may use."""

    def __init__(self, directory, users, cert=None, settings="",
                 address=base.LOOPBACK, port=None, hostname="peer.test"):
        self.dir = Path(directory)
        self.address = address
        self.port = port or base.free_port(address)
        for name in ("etc", "run", "state", "mail", "lib/dovecot", "host"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        base.let_others_in(self.dir)
        self._libraries()
        etc = self.dir / "etc"
        for name in ("passwd", "group"):
            (etc / name).write_text(
                Path(f"/etc/{name}").read_text() +
                (f"dovecot:x:{UID}:{UID}::/:/bin/false\n" if name == "passwd"
                 else f"dovecot:x:{UID}:\n"))
        (etc / "users").write_text("".join(
            f"{u}:{{PLAIN}}x:{UID}:{UID}::{self.home(u)}::\n"
            for u in users))
        for user in users:
            self.home(user).mkdir()
            os.chown(self.home(user), UID, UID)
        tls = "ssl = no" if cert is None else \
            f"ssl = yes\nssl_cert = <{cert.cert}\nssl_key = <{cert.key}"
        (etc / "conf").write_text(CONF.format(
            dir=self.dir, address=address, port=self.port, tls=tls,
            hostname=hostname, settings=settings))
        self.path = self.dir / "lmtp"
        self.start()

    def start(self):
        self.child = base.Child(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             SCRIPT.format(dir=self.dir, core=CORE)],
            self.dir / "dovecot.out", env=dict(os.environ))
        base.wait_until(self._up, f"Dovecot on port {self.port}", 30)

    def _libraries(self):
        """What /usr/lib is for it: the host's, and its own folder."""
        lib = self.dir / "lib"
        for f in Path("/usr/lib").iterdir():
            if f.name != "dovecot":
                (lib / f.name).symlink_to(self.dir / "host" / f.name)
        for tree in (CORE, LMTPD):
            for f in (tree / "usr/lib/dovecot").iterdir():
                (lib / "dovecot" / f.name).symlink_to(f)

    def _up(self):
        return base.greets("Dovecot", self.child, self.address, self.port,
                           self.log)

    def home(self, user):
        return self.dir / "mail" / user

    def log(self):
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def files(self, user):
        """A user's messages."""
        box = self.home(user) / "mail/new"
        return sorted(box.iterdir()) if box.is_dir() else []

    def end(self):
        """To be started again."""
        self.child.stop(15)

    def stop(self):
        self.end()
        shutil.rmtree(self.dir / "lib", ignore_errors=True)
