"""In by the clients that people have, out by a real name server's MX to three
kinds of receiver.

SPDX-License-Identifier: ISC
"""
import re
import socket

import pytest

from lib import base, postfix
from lib.instance import conf

CONTENT = ("From: <a@c.test>\r\nTo: <b@x.test>\r\nSubject: way\r\n"
           "Message-ID: <way@c.test>\r\n\r\n"
           "a line\r\n.a dot\r\n..two\r\nlast\r\n")


def by_smtplib(it, lab):
    it.send("a@c.test", ["b@x.test", "c@x.test"], CONTENT)


def by_swaks(it, lab):
    body = lab.path("data")
    body.write_text(CONTENT.replace("\r\n", "\n"))
    out = base.run(["swaks", "--server", it.address, "--port", it.port,
                    "--helo", "c.test", "--from", "a@c.test",
                    "--to", "b@x.test,c@x.test", "--data", f"@{body}"])
    assert out.returncode == 0, out.stdout + out.stderr
    assert "250 2.0.0" in out.stdout


def by_curl(it, lab):
    body = lab.path("data")
    body.write_bytes(CONTENT.encode())
    out = base.run(["curl", "-sS", f"smtp://{it.address}:{it.port}/c.test",
                    "--mail-from", "a@c.test", "--mail-rcpt", "b@x.test",
                    "--mail-rcpt", "c@x.test", "-T", body])
    assert out.returncode == 0, out.stderr


def to_receiver(lab):
    r = lab.receiver()

    def got():
        m, = r.wait(1)
        assert sorted(m.rcpts) == ["b@x.test", "c@x.test"]
        assert m.sender == "a@c.test"
        return m.content.decode()
    return r.port, got


def to_postfix(lab):
    peer = lab.postfix(domains=["x.test"])

    def got():
        base.wait_until(lambda: len(peer.files()) == 2, "mail in Postfix")
        mail = peer.mail()
        assert {m["Delivered-To"] for m in mail} == {"b@x.test", "c@x.test"}
        assert mail[0]["Return-Path"] == "<a@c.test>"
        return mail[0].as_bytes().decode().replace("\n", "\r\n")
    return peer.port, got


def to_smtp_sink(lab):
    port = base.free_port()
    where = lab.path("sink")
    where.mkdir()
    sink = lab.child(postfix.tool("smtp-sink") +
                     ["-u", "root", "-d", f"{where}/m.%s.",
                      f"127.0.0.1:{port}", "100"], env=postfix.env())

    def up():
        assert sink.running(), sink.log()
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
            return True
        except OSError:
            return False
    base.wait_until(up, "smtp-sink")

    def got():
        def look():
            for f in where.iterdir():
                text = f.read_text()
                if "last" in text:
                    return text
            return None
        text = base.wait_until(look, "a message in smtp-sink")
        assert "X-Rcpt-Args: <b@x.test>" in text
        assert "X-Rcpt-Args: <c@x.test>" in text
        return text.replace("\n", "\r\n")
    return port, got


@pytest.mark.parametrize("there", [to_receiver, to_smtp_sink, to_postfix])
@pytest.mark.parametrize("by", [by_smtplib, by_swaks, by_curl])
def test_way(lab, by, there):
    dns = lab.dns()
    port, got = there(lab)
    it = lab.postern(conf(dns, port))
    by(it, lab)
    text = got()
    assert "Subject: way\r\n" in text
    assert "a line\r\n.a dot\r\n..two\r\nlast\r\n" in text
    assert "Message-ID: <way@c.test>\r\n" in text
    received = re.search(r"^Received: from .*?(?=^\S)", text, re.M | re.S)
    assert received and "127.0.0.1" in received[0], text
    it.empty()
    it.logged(r"done|deliver")


def test_binary_safe(lab):
    """Every byte that SMTP can carry comes out as it went in."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    every = bytes(b for b in range(256) if b not in b"\r\n\0")
    body = base.WHOLE + b"Subject: x\r\n\r\n" + b"".join(
        every + b"\r\n" for _ in range(300)) + b"\r\n\r\n.\r\n \r\n"
    with it.smtp() as s:
        s.ehlo()
        s.mail("a@c.test", ["BODY=8BITMIME"])
        s.rcpt("b@x.test")
        assert s.data(body)[0] == 250
    m, = r.wait(1)
    assert m.content.endswith(b"\r\n" + body)
    assert "BODY=8BITMIME" in m.mail_args.upper()


def test_large(lab):
    """Larger than a journal record, than a buffer, than a socket's."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    body = base.WHOLE + b"Subject: large\r\n\r\n" + b"".join(
        b"%09d 0123456789012345678901234567890123456789012345678\r\n" % n
        for n in range(300000))
    it.send("a@c.test", "b@x.test", body)
    m, = r.wait(1, 60)
    assert m.content.endswith(body)


def test_many_recipients(lab):
    """All recipients of a message at one place: one transaction."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port))
    rcpts = [f"r{n}@x.test" for n in range(300)]
    it.send("a@c.test", rcpts)
    base.wait_until(lambda: sum(len(m.rcpts) for m in r.messages) == 300,
                    "300 recipients served")
    assert len(r.messages) <= 3  # RFC 5321: a server takes at least 100
    assert sorted(a for m in r.messages for a in m.rcpts) == sorted(rcpts)


def test_sendmail_socket(lab):
    """build/sendmail hands a message to the instance it is told of."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), r.port, lines=["listen on socket"]))
    out = base.run([it.build / "sendmail", "-R", it.root, "-f", "a@c.test",
                    "b@x.test"], input="Subject: front\n\nhello\n.more\n",
                   stdin=None)
    assert out.returncode == 0, out.stderr
    m, = r.wait(1)
    assert m.sender == "a@c.test" and m.rcpts == ["b@x.test"]
    assert b"Subject: front\r\n" in m.content
    assert m.content.endswith(b"\r\n\r\nhello\r\n.more\r\n")
