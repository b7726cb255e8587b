"""A real Postfix out of Debian's package, not installed: `make peers` unpacks
it under build/peers.

It runs with its own configuration, queue and data directory, in a mount
namespace of its own where /etc/passwd and /etc/group know its users, so the
host's MTA, users and files are not touched.

SPDX-License-Identifier: ISC
"""
import os
from email import message_from_bytes
from pathlib import Path

from . import base

TREE = base.PEERS / "postfix"
LIB = TREE / "usr/lib/postfix"
SBIN = TREE / "usr/sbin"
UID_POSTFIX = 64871
GID_POSTFIX = 64871
GID_POSTDROP = 64872
UID_MAILBOX = 64873

MASTER_CF = """\
{listen} inet n - n - {smtpd_max} smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - {smtp_max} smtp
relay unix - - n - {smtp_max} smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

MAIN_CF = """\
compatibility_level = 3.6
myhostname = {hostname}
mydestination =
local_recipient_maps =
inet_interfaces = {address}
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = {sbin}
daemon_directory = {lib}/sbin
shlib_directory = {lib}
meta_directory = {dir}/etc
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/log/postfix.log
maillog_file_prefixes = {dir}/log
import_environment = LD_LIBRARY_PATH={lib} MAIL_CONFIG={dir}/etc TZ
export_environment = LD_LIBRARY_PATH={lib} TZ MAIL_LOGTAG
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, reject
biff = no
"""


def available():
    return (LIB / "sbin/master").exists()


def env():
    return dict(os.environ, LD_LIBRARY_PATH=str(LIB))


def tool(name):
    """argv of one of its programs that needs no instance (smtp-source)."""
    return [str(SBIN / name)]


class Postfix:
    """One instance; settings are lines of main.cf."""

    def __init__(self, directory, settings="", address=base.LOOPBACK,
                 port=None, hostname="peer.test", domains=(), smtpd_max="-",
                 smtp_max="-", wrap=()):
        self.dir = Path(directory)
        self.address = address
        self.port = port or base.free_port(address)
        self.domains = list(domains)
        self._layout(settings, hostname, smtpd_max, smtp_max)
        script = (f"mount --bind {self.dir}/etc/passwd /etc/passwd && "
                  f"mount --bind {self.dir}/etc/group /etc/group && "
                  f"exec {LIB}/sbin/master -c {self.dir}/etc -d")
        self.child = base.Child(
            list(wrap) + ["unshare", "-m", "--propagation", "private", "sh",
                          "-c", script],
            self.dir / "master.out", env=env())
        base.wait_until(self._up, f"Postfix on port {self.port}")

    def _up(self):
        return base.greets("Postfix", self.child, self.address, self.port,
                           self.log)

    def _layout(self, settings, hostname, smtpd_max, smtp_max):
        etc = self.dir / "etc"
        for name in ("etc", "data", "log", "mail", "queue"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        base.let_others_in(self.dir)
        os.chown(self.dir / "data", UID_POSTFIX, GID_POSTFIX)
        os.chown(self.dir / "mail", UID_MAILBOX, UID_MAILBOX)
        queue = self.dir / "queue"
        for name, gid, mode in (
                ("active", 0, 0o700), ("bounce", 0, 0o700),
                ("corrupt", 0, 0o700), ("defer", 0, 0o700),
                ("deferred", 0, 0o700), ("flush", 0, 0o700),
                ("hold", 0, 0o700), ("incoming", 0, 0o700),
                ("private", 0, 0o700), ("saved", 0, 0o700),
                ("trace", 0, 0o700),
                ("maildrop", GID_POSTDROP, 0o730),
                ("public", GID_POSTDROP, 0o710)):
            (queue / name).mkdir(exist_ok=True)
            os.chown(queue / name, UID_POSTFIX, gid)
            (queue / name).chmod(mode)
        (queue / "pid").mkdir(exist_ok=True)
        (etc / "passwd").write_text(
            Path("/etc/passwd").read_text() +
            f"postfix:x:{UID_POSTFIX}:{GID_POSTFIX}::/:/usr/sbin/nologin\n")
        (etc / "group").write_text(
            Path("/etc/group").read_text() +
            f"postfix:x:{GID_POSTFIX}:\npostdrop:x:{GID_POSTDROP}:\n")
        main = MAIN_CF.format(dir=self.dir, lib=LIB, sbin=SBIN,
                              hostname=hostname, address=self.address)
        if self.domains:
            main += ("virtual_mailbox_domains = " +
                     " ".join(self.domains) + "\n"
                     f"virtual_mailbox_base = {self.dir}/mail\n"
                     "virtual_mailbox_maps = static:all/\n"
                     "virtual_minimum_uid = 1000\n"
                     f"virtual_uid_maps = static:{UID_MAILBOX}\n"
                     f"virtual_gid_maps = static:{UID_MAILBOX}\n"
                     "virtual_mailbox_limit = 0\n")
        main += settings + "\n"
        (etc / "main.cf").write_text(main)
        (etc / "master.cf").write_text(MASTER_CF.format(
            listen=self.port, smtpd_max=smtpd_max, smtp_max=smtp_max))

    def log(self):
        path = self.dir / "log/postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def files(self):
        """Messages delivered, as files of the Maildir."""
        box = self.dir / "mail/all/new"
        return sorted(box.iterdir()) if box.is_dir() else []

    def mail(self):
        return [message_from_bytes(f.read_bytes()) for f in self.files()]

    def command(self, name, *args, **kw):
        """Runs postqueue, postsuper, postconf on this instance."""
        script = (f"mount --bind {self.dir}/etc/passwd /etc/passwd && "
                  f"mount --bind {self.dir}/etc/group /etc/group && "
                  'exec "$@"')
        return base.run(["unshare", "-m", "--propagation", "private", "sh",
                         "-c", script, "-", SBIN / name, "-c",
                         self.dir / "etc", *args], env=env(), **kw)

    def stop(self):
        self.child.stop(15)
