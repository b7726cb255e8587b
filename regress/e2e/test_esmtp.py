"""Extensions, as real clients use them: smtplib, swaks, curl; LMTP; who speaks
for others (XCLIENT, PROXY); and ends of data that are none.

SPDX-License-Identifier: ISC
"""
import smtplib
import socket
import time

import pytest

from lib import base
from lib.instance import conf, submit
from lib.talk import Wire

ALL = ["PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE"]


@pytest.fixture(scope="module")
def stage(shared_lab):
    """An instance with a plain listener, and one each for what is special;
    the receiver that gets all."""
    r = shared_lab.receiver(extensions=ALL)
    dns = shared_lab.dns({"x.test": ["A 127.0.0.1"],
                          "xn--bcher-kva.test": ["A 127.0.0.1"]})
    ports = {name: base.free_port() for name in ("lmtp", "xclient", "proxy",
                                                 "tarpit")}
    listen = ["listen on 127.0.0.1 port {port}",
              f"listen on 127.0.0.1 port {ports['lmtp']} lmtp",
              f"listen on 127.0.0.1 port {ports['xclient']} xclient <all>",
              f"listen on 127.0.0.1 port {ports['proxy']} proxy <all>",
              f"listen on 127.0.0.1 port {ports['tarpit']} proxy <all> "
              "tarpit 2s"]
    it = shared_lab.postern(conf(dns, r.port, listen="\n".join(listen),
                                 lines=["table all { 127.0.0.1 }"]))
    it.ports = ports
    return it, r


def got(r, ident):
    """The message with this id, when it has arrived."""
    def look():
        for m in list(r.messages):
            if f"id {ident}".encode() in m.content:
                return m
        return None
    return base.wait_until(look, f"{ident} is delivered")


# ---- smtplib ----

def test_smtplib_utf8(stage):
    """SMTPUTF8 from end to end, with a domain in its own letters."""
    it, r = stage
    with it.smtp() as s:
        s.ehlo()
        assert s.has_extn("smtputf8")
        # It has the options encoded by the same rule.
        s.command_encoding = "utf-8"
        ident = submit(s, "jörg@c.test", ["bär@bücher.test"],
                       "Subject: grüße\r\n\r\nü\r\n".encode(),
                       mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    m = got(r, ident)
    assert m.sender == "jörg@c.test"
    assert m.rcpts[0].startswith("bär@")
    assert "SMTPUTF8" in m.mail_args.split()
    assert b"with UTF8SMTP id" in m.content
    assert "Subject: grüße".encode() in m.content


def test_smtplib_8bit(stage):
    it, r = stage
    with it.smtp() as s:
        ident = submit(s, "a@c.test", ["b@x.test"],
                       b"Subject: 8\r\n\r\n\xe4\xff\r\n",
                       mail_options=["BODY=8BITMIME", "SIZE=20"])
    assert b"\r\n\r\n\xe4\xff\r\n" in got(r, ident).content


def test_smtplib_dsn(stage):
    """NOTIFY, ORCPT, RET and ENVID go on to the next server."""
    it, r = stage
    with it.smtp() as s:
        s.ehlo()
        assert s.has_extn("dsn")
        assert s.mail("a@c.test", ["RET=HDRS", "ENVID=QQ+2B314"])[0] == 250
        assert s.rcpt("b@x.test", ["NOTIFY=SUCCESS,DELAY",
                                   "ORCPT=rfc822;b+2Btag@x.test"])[0] == 250
        code, said = s.data(b"Subject: d\r\n\r\n")
        assert code == 250
    m = got(r, said.split()[1].decode())
    assert {"RET=HDRS", "ENVID=QQ+2B314"} <= set(m.mail_args.split())
    assert {"NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;b+2Btag@x.test"} <= \
        set(m.rcpt_args["b@x.test"].split())


def test_smtplib_lmtp(stage):
    """LMTP as Python's client has it, which reads one reply and no more: the
    one recipient that is left has one."""
    it, r = stage
    with smtplib.LMTP(it.address, it.ports["lmtp"],
                      local_hostname="c.test") as s:
        for subject, rcpts in (("l", ["b@x.test", "<>"]),
                               ("m", ["b@x.test"])):
            refused = s.sendmail("a@c.test", rcpts,
                                 f"Subject: {subject}\r\n\r\n".encode())
            assert list(refused) == rcpts[1:]
            assert s.noop() == (250, b"2.0.0 Ok")
    assert base.wait_until(lambda: [m for m in r.messages
                                    if b"with LMTP id" in m.content and
                                    b"Subject: m" in m.content], "it")


# ---- swaks, curl ----

def swaks(it, *args, port=None, ok=True):
    out = base.run(["swaks", "--server", it.address, "--port",
                    port or it.port, "--helo", "c.test", "--from", "a@c.test",
                    "--to", "b@x.test", *args])
    assert not ok or out.returncode == 0, out.stdout + out.stderr
    return out.stdout


def test_swaks(stage):
    it, r = stage
    said = swaks(it, "--h-Subject", "by swaks", "--pipeline")
    assert b"Subject: by swaks" in got(r, said.split("250 2.0.0 ")[1][:13]
                                       ).content


def test_swaks_lmtp(stage):
    it, r = stage
    said = swaks(it, "--protocol", "LMTP", "--to", "b@x.test,c@x.test",
                 port=it.ports["lmtp"])
    assert said.count(" queued\n") == 2
    assert b"with LMTP id" in got(r, said.split("250 2.0.0 ")[1][:13]).content


def test_swaks_xclient(stage):
    it, r = stage
    said = swaks(it, "--xclient-addr", "192.0.2.9", "--xclient-name",
                 "far.example.org", "--xclient-helo", "helo.example.org",
                 "--xclient-login", "alice", port=it.ports["xclient"])
    text = got(r, said.rsplit("250 2.0.0 ", 1)[1][:13]).content
    assert b"from c.test (far.example.org [192.0.2.9])" in text
    assert b"with ESMTPA id" in text
    it.logged(r'xclient client=192\.0\.2\.9 port=\d+ '
              r'helo="?helo\.example\.org"? user="?alice')


@pytest.mark.parametrize("version", ["1", "2"])
def test_swaks_proxy(stage, version):
    it, r = stage
    said = swaks(it, "--proxy-version", version, "--proxy-family",
                 "TCP4" if version == "1" else "AF_INET",
                 *(["--proxy-command", "PROXY", "--proxy-protocol", "STREAM"]
                   if version == "2" else []),
                 "--proxy-source", "192.0.2.9", "--proxy-source-port", "4321",
                 "--proxy-dest", "192.0.2.1", "--proxy-dest-port", "25",
                 port=it.ports["proxy"])
    assert b"from c.test ([192.0.2.9])" in got(
        r, said.split("250 2.0.0 ")[1][:13]).content
    it.logged(r"proxy client=192\.0\.2\.9 port=4321")


def test_curl(stage, tmp_path):
    it, r = stage
    mail = tmp_path / "mail"
    mail.write_bytes(b"Subject: by curl\r\n\r\n.dot\r\n")
    out = base.run(["curl", "-sS", "--url",
                    f"smtp://{it.address}:{it.port}/c.test", "--mail-from",
                    "a@c.test", "--mail-rcpt", "b@x.test", "-T", mail])
    assert out.returncode == 0, out.stderr
    base.wait_until(lambda: [m for m in r.messages
                             if b"Subject: by curl" in m.content and
                             b"\r\n.dot\r\n" in m.content], "it is delivered")


# ---- ends of data that are none ----

NO_END = ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r.\n",
          "\n.\r", "\n\n.\n\n", "\n\n.\r\n", "\r\r.\r\r", "\r\r\n.\r\r\n",
          "\r\n.\r\r\n", "\n\r.\r\n", "\n\r.\n\r", "\r\n\r.\r\n",
          "\r\n\n.\r\n", "\r\n.\n\r\n", "\r\n\0.\r\n", "\r\n.\0\r\n",
          "\r\n.\r\0\n", "\r\0\n.\r\n", "\r\n. \r\n", "\r\n .\r\n",
          "\r\n..\r\n", "\r\n.\t\r\n", "\r\n.\v\r\n", "\r\n.\f\r\n",
          "\x85.\x85", "\r\n\x85.\r\n"]


@pytest.mark.parametrize("end", NO_END, ids=lambda e: e.encode(
    "latin-1").hex())
def test_no_end_of_data(stage, end):
    """What is not CRLF.CRLF ends no message: it is content, or refused; and a
    second envelope behind it is never one."""
    it, r = stage
    wire = Wire(it.address, it.port)
    for line, code in (("EHLO c.test", "250"), ("MAIL FROM:<a@c.test>", "250"),
                       ("RCPT TO:<b@x.test>", "250"), ("DATA", "354")):
        if line.startswith("EHLO"):
            assert wire.reply().startswith("220")
        assert wire.ask(line).startswith(code)
    wire.send(b"Subject: s\r\n\r\nx" + end.encode("latin-1") +
              b"MAIL FROM:<evil@c.test>\r\nRCPT TO:<evil@x.test>\r\n"
              b"DATA\r\nSubject: smuggled\r\n\r\n\r\n.\r\n")
    last = wire.reply()
    assert last[:3] in ("250", "550"), last
    assert wire.ask("NOOP") == "250 2.0.0 Ok"
    if last.startswith("250"):
        m = got(r, last.split()[2])
        assert m.rcpts == ["b@x.test"]
        assert b"MAIL FROM:<evil@c.test>" in m.content
        assert b"Subject: smuggled" in m.content
    wire.close()
    assert not [m for m in r.messages if "evil" in m.sender or
                "evil@x.test" in m.rcpts]


# ---- others are not slowed ----

def test_tarpit_holds_nobody_else(stage):
    """Held replies of many clients cost another one nothing."""
    it, _ = stage
    held = []
    for _ in range(30):
        w = Wire(it.address, it.ports["tarpit"])
        w.send(b"PROXY TCP4 192.0.2.9 192.0.2.1 1 25\r\n")
        assert w.reply().startswith("220")
        w.send(b"BAD\r\n" * 5)
        held.append(w)
    begin = time.monotonic()
    for _ in range(20):
        w = Wire(it.address, it.port)
        assert w.reply().startswith("220") and w.ask("NOOP")[:3] == "250"
        w.close()
    assert time.monotonic() - begin < 10, "two seconds each are 60"
    for w in held:
        assert w.reply().startswith("500")
    assert time.monotonic() - begin > 1.5
    for w in held:
        w.close()


def test_unread_replies_and_floods(stage):
    """Clients that do not read, or send without end, slow nobody."""
    it, _ = stage
    bad = []
    for _ in range(10):
        s = socket.create_connection((it.address, it.port))
        s.setblocking(False)
        bad.append(s)
    begin = time.monotonic()
    done = 0
    while done < 20:
        for s in bad:
            try:
                s.send(b"VRFY a\r\n" * 500)
            except OSError:
                pass
        w = Wire(it.address, it.port)
        assert w.reply().startswith("220") and w.ask("NOOP")[:3] == "250"
        w.close()
        done += 1
    assert time.monotonic() - begin < 20
    for s in bad:
        s.close()


def test_idle_memory(lab):
    """An idle session costs less than 6 KiB of the process; much more where a
    sanitizer surrounds each piece of memory."""
    n, most = 1000, 64 if base.SANITIZED else 6
    it = lab.postern(conf(lines=["smtp limit max-sessions 2000"]))

    def dirty():
        total = 0
        for pid in it.pids("session"):
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f
                             if line.startswith("Private_Dirty"))
        return total * 1024
    before = dirty()
    idle = []
    for _ in range(n):
        w = Wire(it.address, it.port)
        assert w.reply().startswith("220")
        idle.append(w)
    for w in idle:
        assert w.ask("EHLO c.test").startswith("250")
    each = (dirty() - before) / n
    for w in idle:
        w.close()
    assert each < most * 1024, each
