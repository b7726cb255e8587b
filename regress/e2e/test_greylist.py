"""Greylisting from end to end, with small times: clients of many networks, by
the PROXY protocol.

SPDX-License-Identifier: ISC
"""
import os
import re
import signal
import smtplib
import time

from lib import base
from lib.instance import conf


class Grey:
    """An instance with a listener of its own for clients from anywhere."""

    def __init__(self, lab, lines="greylist delay 2s", options="", **kw):
        self.receiver = lab.receiver()
        self.port = base.free_port()
        self.text = conf(lab.dns(), self.receiver.port, lines=[
            "hostname mx.test", "smtp limit max-errors 1000", lines,
            f"listen on 127.0.0.1 port {self.port} proxy {{ 127.0.0.1 }} "
            f"greylist {options}"])
        self.it = lab.postern(self.text, **kw)

    def rcpt(self, client, sender, rcpt):
        """The reply to RCPT of a client at this address."""
        with smtplib.SMTP() as s:
            s.timeout = 15
            s.sock = base_connect(self.port)
            s.file = None
            s.sock.sendall(f"PROXY TCP{'6' if ':' in client else '4'} "
                           f"{client} {'::1' if ':' in client else '127.0.0.1'}"
                           " 4321 25\r\n".encode())
            code, said = s.getreply()
            assert code == 220, (code, said)
            s.ehlo("c.test")
            code, said = s.mail(sender)
            assert code == 250, (code, said)
            return s.rcpt(rcpt)

    def passes(self, *triplet):
        code, said = self.rcpt(*triplet)
        assert code in (250, 450), (code, said)
        if code == 450:
            assert re.match(rb"4\.7\.1 Greylisted, try again in \d+ seconds$",
                            said), said
        return code == 250

    def status(self):
        status = self.it.ctl("show", "status", "--json").json
        return status["greylist_triplets"], status["greylist_networks"]


def base_connect(port):
    import socket
    return socket.create_connection((base.LOOPBACK, port), 15)


def test_again(lab):
    """New waits; back in time it passes, and its likes do."""
    g = Grey(lab)
    one = ("192.0.2.7", "Alice+list@C.test", "b@x.test")
    assert not g.passes(*one)
    code, said = g.rcpt(*one)
    assert code == 450 and int(re.search(rb"in (\d+) s", said)[1]) <= 2
    time.sleep(2.1)
    assert g.passes(*one)
    assert g.passes("192.0.2.99", "alice+other@c.test", "B@X.test"), \
        "the network, the sender without what varies, any case"
    assert not g.passes("192.0.3.7", *one[1:]), "another network"
    assert not g.passes(one[0], "bob@c.test", one[2]), "another sender"
    assert not g.passes(one[0], one[1], "c@x.test"), "another recipient"
    six = "2001:db8:1:2::7"
    assert not g.passes(six, "", "b@x.test"), "also the null sender"
    time.sleep(2.1)
    assert g.passes("2001:db8:1:2:ffff::9", "", "b@x.test")


def test_network(lab):
    """What passed five times need not wait, with whomever it comes."""
    g = Grey(lab, "greylist delay 1s")
    for n in range(5):
        assert not g.passes("192.0.2.7", f"s{n}x@c.test", "b@x.test")
    time.sleep(1.1)
    for n in range(5):
        assert g.passes("192.0.2.8", f"s{n}x@c.test", "b@x.test")
    assert g.passes("192.0.2.200", "never@seen.test", "c@x.test")
    assert not g.passes("198.51.100.7", "never@seen.test", "c@x.test")
    base.wait_until(lambda: g.status() == (6, 1), "what is known is counted")


def test_kept(lab):
    """Over a stop, over kills of queue, and over the loss of the index."""
    g = Grey(lab, "greylist delay 1s")
    one = ("192.0.2.7", "a@c.test", "b@x.test")
    two = ("192.0.2.7", "other@c.test", "b@x.test")
    assert not g.passes(*one)
    time.sleep(1.1)
    assert g.passes(*one)
    assert not g.passes(*two)
    base.wait_until(lambda: g.status() == (2, 1), "written within a second")
    for pid in g.it.pids("queue"):
        os.kill(pid, signal.SIGKILL)
    base.wait_until(lambda: g.passes(*one), "known by the queue that came")
    g.it.stop()
    g.it.start()
    assert g.passes(*one) and g.passes(*two)
    g.it.ctl("rebuild")
    base.wait_until(lambda: g.it.ctl("show", "status", check=False)
                    .returncode == 0, "the queue is back")
    assert g.passes(*one)


def test_who_need_not_wait(lab):
    """Clients of the table, ours, and listeners that do not ask."""
    g = Grey(lab, "greylist delay 1m except { 198.51.100.0/24 }")
    assert g.passes("198.51.100.7", "a@c.test", "b@x.test")
    assert not g.passes("192.0.2.7", "a@c.test", "b@x.test")
    g.it.send("a@c.test", "b@x.test")  # this host, and no `greylist`
    g.receiver.wait(1)


def test_damage(lab):
    """What is known is lost, and mail comes in all the same."""
    g = Grey(lab, "greylist delay 1s", allow="facts")
    one = ("192.0.2.7", "a@c.test", "b@x.test")
    assert not g.passes(*one)
    base.wait_until(lambda: g.status() == (1, 0), "written")
    g.it.stop()
    path = g.it.root / "spool/facts/data.mdb"
    data = bytearray(path.read_bytes())
    data[:8192] = os.urandom(8192)
    path.write_bytes(data)
    g.it.start()
    assert not g.passes(*one), "counts as empty"
    time.sleep(1.1)
    assert g.passes(*one)


def test_shown(lab):
    g = Grey(lab, "greylist delay 1s")
    assert not g.passes("192.0.2.7", "stuck@c.test", "b@x.test")
    assert not g.passes("203.0.113.7", "other@c.test", "b@x.test")
    time.sleep(1.1)
    assert g.passes("203.0.113.7", "other@c.test", "b@x.test")
    base.wait_until(lambda: g.status() == (2, 1), "written")
    text = g.it.ctl("show", "greylist").stdout
    assert re.search(r"^waits .* 192\.0\.2\.0/24 +stuck@c\.test +b@x\.test$",
                     text, re.M), text
    assert re.search(r"^passed .* 203\.0\.113\.0/24 ", text, re.M)
    assert re.search(r"^known .* 203\.0\.113\.0/24 +1 passed$", text, re.M)
    row = g.it.ctl("show", "greylist", "STUCK@c.test", "--json").json
    assert row["state"] == "waits" and row["sender"] == "stuck@c.test"
    assert g.it.ctl("show", "greylist", "nobody@c.test",
                    check=False).returncode == 1
    assert "greylist: 2 triplets, 1 networks" in \
        g.it.ctl("show", "status").stdout
