"""A real Exim out of Debian's package, not installed: `make peers` unpacks it
under build/peers.

It runs with its own configuration and spool, in a mount namespace of its own
where /etc/passwd and /etc/group know its user.

SPDX-License-Identifier: ISC
"""
import os
from pathlib import Path

from . import base

TREE = base.PEERS / "exim4-daemon-light"
UID = 64877

CONFIG = """\
primary_hostname = {hostname}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
pid_file_path = {dir}/exim.pid
daemon_smtp_ports = {port}
local_interfaces = <; {address}
tls_on_connect_ports =
never_users =
keep_environment =
exim_path = {tree}/usr/sbin/exim4
deliver_drop_privilege = true
queue_only = false
hosts_treat_as_local =
host_lookup =
rfc1413_hosts =
message_size_limit = {size}
accept_8bitmime = {eight}
smtp_accept_max = 100
acl_smtp_rcpt = accept
acl_smtp_data = accept
{settings}
begin acl
begin routers
{routers}
begin transports
{transports}
begin retry
* * F,1h,1s
begin rewrite
begin authenticators
{authenticators}"""

ROUTE = """\
out:
  driver = manualroute
  route_list = * {host} byname
  transport = out
  self = send
"""
TRANSPORT = """\
out:
  driver = smtp
  port = {port}
  hosts_require_tls =
  allow_localhost = true
  delivery_date_add = false
  {options}
"""


def available():
    return (TREE / "usr/sbin/exim4").exists()


class Exim:
    """One instance that relays all to host:relay_port; settings are lines of
    the main part, options those of the transport, authenticators a section
    of its own."""

    def __init__(self, directory, relay_port, host="127.0.0.1", settings="",
                 options="", address=base.LOOPBACK, port=None,
                 hostname="peer.test", routers=ROUTE, wrap=(),
                 authenticators="", size="100M", eight="true"):
        self.dir = Path(directory)
        self.address = address
        self.port = port or base.free_port(address)
        for name in ("etc", "spool", "log"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        for name in ("spool", "log", "."):
            os.chown(self.dir / name, UID, UID)
        base.let_others_in(self.dir)
        etc = self.dir / "etc"
        (etc / "passwd").write_text(
            Path("/etc/passwd").read_text() +
            f"Debian-exim:x:{UID}:{UID}::/:/usr/sbin/nologin\n")
        (etc / "group").write_text(
            Path("/etc/group").read_text() + f"Debian-exim:x:{UID}:\n")
        (etc / "exim.conf").write_text(CONFIG.format(
            dir=self.dir, tree=TREE, hostname=hostname, address=address,
            port=self.port, size=size, eight=eight,
            settings=settings, authenticators=authenticators,
            routers=routers.format(host=host),
            transports=TRANSPORT.format(port=relay_port, options=options)))
        script = (f"mount --bind {etc}/passwd /etc/passwd && "
                  f"mount --bind {etc}/group /etc/group && "
                  f"exec {TREE}/usr/sbin/exim4 -C {etc}/exim.conf -bdf -q5s")
        self.child = base.Child(
            list(wrap) + ["unshare", "-m", "--propagation", "private", "sh",
                          "-c", script],
            self.dir / "exim.out", env=dict(os.environ))
        base.wait_until(self._up, f"Exim on port {self.port}")

    def _up(self):
        return base.greets("Exim", self.child, self.address, self.port,
                           self.log)

    def log(self):
        path = self.dir / "log/mainlog"
        return path.read_text(errors="replace") if path.exists() else ""

    def send(self, sender, rcpts, content):
        """Hands a message to it over SMTP, for it to relay."""
        base.hand_over(self.address, self.port, sender, rcpts, content)

    def stop(self):
        self.child.stop(15)
