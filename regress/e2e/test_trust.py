"""What is known of a client is known of that client: not of the proxy that
speaks for it, nor of who it was before.  And what it says of itself is never
longer than the room for it.

SPDX-License-Identifier: ISC
"""
import base64
import os
import signal
import time

import pytest

from lib import base, sasl, talk
from lib.instance import conf

from test_filter import MX, hello, is_junk, message


def make_pki(lab):
    directory = lab.path("pki")
    directory.mkdir()
    cert, key = sasl.self_signed(directory, "mx.test")
    return f'pki mx.test cert "{cert}" key "{key}"', (cert, key)


AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


# ---- who is meant ----

def test_xclient_of_nobody(lab):
    """A client that the proxy cannot name has no address to be trusted for,
    least of all the proxy's."""
    it = lab.postern(conf(
        listen="listen on 127.0.0.1 port {port} xclient 127.0.0.1",
        rules=['action "out" relay', 'match from local for any action "out"']))
    for state in ("[UNAVAILABLE]", "[TEMPUNAVAIL]"):
        wire = talk.Wire(it.address, it.port)
        assert wire.reply().startswith("220 ")
        said = wire.ask(f"XCLIENT NAME=[UNAVAILABLE] ADDR={state}")
        assert said.startswith("501 5.5.4 XCLIENT: "), said
        wire.close()
    # Who says nothing of an address speaks for itself.
    wire = talk.Wire(it.address, it.port)
    assert wire.reply().startswith("220 ")
    assert wire.ask("XCLIENT HELO=c.test").startswith("220 ")
    for line in ("EHLO c.test", "MAIL FROM:<a@c.test>", "RCPT TO:<b@x.test>"):
        assert wire.ask(line).startswith("250"), line
    wire.close()


def test_xclient_of_this_host(lab):
    """Only who is of this host itself, and has spoken for nobody yet, speaks
    for somebody of it."""
    it = lab.postern(conf(
        listen="listen on 127.0.0.1 port {port} xclient 127.0.0.1",
        rules=['action "out" relay', 'match from local for any action "out"']))
    for named, code in ((["127.0.0.1"], "250"),
                        (["203.0.113.5", "127.0.0.1"], "550"),
                        (["203.0.113.5", "127.0.0.2"], "550")):
        wire = talk.Wire(it.address, it.port)
        assert wire.reply().startswith("220 ")
        for address in named:
            assert wire.ask(f"XCLIENT ADDR={address}").startswith("220 ")
        for line in ("EHLO c.test", "MAIL FROM:<a@c.test>"):
            assert wire.ask(line).startswith("250"), line
        assert wire.ask("RCPT TO:<b@x.test>").startswith(code), named
        wire.close()


@pytest.mark.parametrize("header,known", [
    (b"PROXY UNKNOWN\r\n", False),
    (b"PROXY UNKNOWN 203.0.113.5 127.0.0.1 1000 25\r\n", False),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0", False),
    (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", True)],
    ids=["v1", "v1-words", "v2-unspec", "v2-local"])
def test_proxy_of_nobody(lab, header, known):
    """A proxy that cannot say for whom it speaks lends what it may do itself
    to nobody; LOCAL is the proxy itself."""
    it = lab.postern(conf(
        lines=["listen on 127.0.0.2 port {port}"],
        listen="listen on 127.0.0.1 port {port} proxy 127.0.0.1 "
        "xclient 127.0.0.1",
        rules=['action "out" relay', 'match from local for any action "out"']),
        start=False)
    it.address = "127.0.0.2"
    it.start()
    wire = talk.Wire("127.0.0.1", it.port)
    wire.send(header)
    assert wire.reply().startswith("220 ")
    said = wire.ask("EHLO c.test")
    assert ("XCLIENT" in said) == known
    assert wire.ask("MAIL FROM:<a@c.test>").startswith("250 ")
    said = wire.ask("RCPT TO:<b@x.test>")
    assert said.startswith("250 " if known else "550 5.7.1 "), said
    wire.close()


def test_xclient_lends_no_certificate(lab):
    """The certificate is the proxy's: EXTERNAL is not for whom it names."""
    lines, pair = make_pki(lab)
    port = base.free_port()
    it = lab.postern(conf(lines=[
        lines, f'ca clients cert "{pair[0]}"',
        'table users { alice = "{PLAIN}secret" }',
        f"listen on 127.0.0.1 port {port} tls-require verify pki mx.test "
        "ca clients auth <users> xclient 127.0.0.1"]))
    assert it.address
    with sasl.Client(port, pair=pair) as c:
        assert "EXTERNAL" in c.mechs()
        assert c.say("XCLIENT ADDR=192.0.2.1").startswith("220 ")
        c.keywords = c.say("EHLO c.test")
        assert "PLAIN" in c.mechs() and "EXTERNAL" not in c.mechs()
        assert c.say("AUTH EXTERNAL =").startswith("504 5.5.4 ")
        assert c.plain("alice", "secret").startswith("235 ")


@pytest.mark.skipif(not base.IS_ROOT, reason="mounts something")
def test_certificate_of_anybody(lab):
    """Whom the system's authorities know is no user of ours; whom those of
    `ca` know is."""
    lines, pair = make_pki(lab)
    ports = [base.free_port(), base.free_port()]
    lab.postern(conf(lines=[
        lines, f'ca clients cert "{pair[0]}"',
        'table users { alice = "{PLAIN}secret" }'] + [
            f"listen on 127.0.0.1 port {port} tls-require verify pki mx.test "
            f"{ca} auth <users>" for port, ca in zip(ports,
                                                     ("", "ca clients"))]),
        wrap=["unshare", "-m", "sh", "-ec", 'mount --bind "$1" "$2"; shift 2; '
              'exec "$@"', "sh", str(pair[0]), AUTHORITIES])
    for port, known in zip(ports, (False, True)):
        with sasl.Client(port, pair=pair) as c:
            assert "PLAIN" in c.mechs() and ("EXTERNAL" in c.mechs()) == known
            assert c.say("AUTH EXTERNAL =").startswith(
                "235 " if known else "504 5.5.4 ")


# ---- what STARTTLS forgets, and what it does not ----

def test_starttls_washes_nothing(lab):
    """RFC 3207 4.2 wants forgotten what the client said.  What a filter found
    when it connected, it did not say."""
    lines, _ = make_pki(lab)
    r = lab.receiver()
    it = lab.postern(conf(
        lab.dns(MX), lines=["hostname mx.c.test", lines,
                            "filter f phase connect match src 127.0.0.1 junk"],
        listen="listen on 127.0.0.1 port {port} tls pki mx.test filter f "
        "xclient 127.0.0.1",
        rules=[f'action "out" relay port {r.port}',
               'match from any for any action "out"']))
    wire = hello(it)
    assert is_junk(it, r, message(wire))
    assert wire.ask("STARTTLS").startswith("220 ")
    wire.sock = sasl.context().wrap_socket(wire.sock)
    assert wire.ask("EHLO c.test").startswith("250-")
    assert is_junk(it, r, message(wire))
    wire.close()
    # Another client is another matter.
    wire = hello(it, "ADDR=192.0.2.1")
    assert not is_junk(it, r, message(wire))
    wire.close()


def test_last_words_in_a_handshake(lab):
    """Who is told to go while TLS begins goes when it has."""
    lines, _ = make_pki(lab)
    port = base.free_port()
    it = lab.postern(conf(lines=[
        lines, "limit client errors 1",
        f"listen on 127.0.0.1 port {port} tls pki mx.test proxy 127.0.0.1"]))
    guard = it.pids("guard")[0]
    wire = talk.Wire("127.0.0.1", port)
    wire.send(b"PROXY TCP4 198.51.100.7 127.0.0.1 1000 25\r\n")
    assert wire.reply().startswith("220 ")
    assert wire.ask("EHLO c.test").startswith("250-")
    os.kill(guard, signal.SIGSTOP)
    try:
        wire.send(b"FOO\r\nSTARTTLS\r\n")
        assert wire.reply().startswith("500 ")
        assert wire.reply().startswith("220 ")
        time.sleep(0.1)
    finally:
        os.kill(guard, signal.SIGCONT)
    it.logged(r'reject .*reply="421 4\.7\.0 Too many errors')
    wire.sock = sasl.context().wrap_socket(wire.sock)
    said = wire.ask("EHLO c.test")
    assert said.startswith("421 4.7.0 "), said
    assert wire.reply() == ""
    wire.close()
    it.logged(r" disconnect reason=limit ")


# ---- room ----

def test_login_of_many_bytes(lab):
    """Where command lines may be longer than what AUTH keeps of them."""
    it = lab.postern(conf(
        lines=["smtp limit max-command-line 64K",
               'table users { alice = "{PLAIN}secret" }'],
        listen="listen on 127.0.0.1 port {port} auth-optional <users> "
        "auth-insecure"))
    before = it.pids("session")
    for n in range(9209, 9221):
        wire = talk.Wire(it.address, it.port)
        assert wire.reply().startswith("220 ")
        assert wire.ask("EHLO c.test").startswith("250-")
        assert wire.ask("AUTH LOGIN").startswith("334 ")
        said = wire.ask(base64.b64encode(b"u" * n).decode())
        if said.startswith("334 "):
            said = wire.ask(base64.b64encode(b"p" * 40000).decode())
        assert said.startswith("501 5.5.2 "), (n, said)
        assert wire.ask("AUTH PLAIN AGFsaWNlAHNlY3JldA==").startswith("235 ")
        wire.close()
    assert it.pids("session") == before
