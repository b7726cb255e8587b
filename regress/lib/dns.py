"""A name server for one test: NSD with the zone that the test writes down.

It serves the root zone, so what is not in the zone does not exist.

    dns = Dns(tmp, {"example.test": ["MX 10 mx.example.test.", ...],
                    "mx.example.test": ["A 127.0.0.2"]})

SPDX-License-Identifier: ISC
"""
import os
import signal
import socket
import time
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype

from . import base

# It transfers no zones: no room for that, and no authorities to read.
ENV = dict(os.environ, SSL_CERT_FILE="/dev/null")
CONF = """\
server:
    server-count: 1
    ip-address: {address}@{port}
    do-ip6: no
    username: ""
    chroot: ""
    pidfile: "{dir}/nsd.pid"
    database: ""
    xfrdfile: "{dir}/xfrd.state"
    zonelistfile: "{dir}/zone.list"
    xfrdir: "{dir}"
    zonesdir: "{dir}"
    rrl-size: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    xfrd-tcp-max: 1
    xfrd-tcp-pipeline: 1
remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: root.zone
"""


class Dns:
    def __init__(self, directory, names, ttl=2):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.address = base.LOOPBACK
        self.ttl = ttl
        self.serial = 0
        self.names = dict(names)
        self._write()
        for _ in range(3):
            self.port = base.free_port(self.address)
            (self.dir / "nsd.conf").write_text(CONF.format(
                dir=self.dir, address=self.address, port=self.port))
            self.child = base.Child(["/usr/sbin/nsd", "-d", "-c",
                                     self.dir / "nsd.conf"],
                                    self.dir / "nsd.log", env=ENV)
            try:
                base.wait_until(self._answers, "NSD")
                return
            except AssertionError:
                self.child.stop()
        raise AssertionError("NSD does not start: " + self.child.log())

    def _answers(self):
        if not self.child.running():
            raise AssertionError("NSD ended: " + self.child.log())
        got = self.ask(".", "SOA")
        return got is not None and got.answer and \
            got.answer[0][0].serial == self.serial

    def ask(self, name, kind):
        """The answer to a question, None without one."""
        q = dns.message.make_query(name, kind, use_edns=0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setblocking(False)
            # Connected it hears at once that nobody listens yet.
            s.connect((self.address, self.port))
            try:
                return dns.query.udp(q, self.address, timeout=1,
                                     port=self.port, sock=s)
            except (dns.exception.Timeout, OSError):
                return None

    def txt(self, name, timeout=5):
        """TXT record as python3-dkim wants it: bytes, None without one."""
        name = name.decode() if isinstance(name, bytes) else name
        got = self.ask(name, "TXT")
        for rrset in got.answer if got else ():
            if rrset.rdtype == dns.rdatatype.TXT:
                return b"".join(rrset[0].strings)
        return None

    def _write(self):
        self.serial += 1
        lines = [f"$TTL {self.ttl}",
                 f". IN SOA ns. postmaster. {self.serial} 3600 600 86400 1",
                 ". IN NS ns.", "ns. IN A 127.0.0.1"]
        for name, records in self.names.items():
            owner = name if name.endswith(".") else name + "."
            lines += [f"{owner} IN {r}" for r in records]
        path = self.dir / "root.zone"
        new = path.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        # NSD looks at whole seconds of the time of change.
        os.utime(new, (time.time(), int(time.time()) + self.serial))
        new.rename(path)

    def change(self, names):
        """Other records for some names; None removes a name."""
        for name, records in names.items():
            if records is None:
                self.names.pop(name, None)
            else:
                self.names[name] = records
        self._write()
        os.kill(self.child.pid, signal.SIGHUP)
        base.wait_until(self._answers, "NSD with the new zone")

    def stop(self):
        self.child.stop()
