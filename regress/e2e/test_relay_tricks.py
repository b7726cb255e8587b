"""Whatever a stranger writes into RCPT, it goes to whom the rules name or
nowhere: source routes, %-hack, bang paths, quotes, literals, bytes.

    our.test      a table says who is who
    catch.test    the same, and takes anybody
    gate.test     relayed to a host behind us
    (any other)   relayed for those who may

SPDX-License-Identifier: ISC
"""
import re

import pytest

from lib import talk
from lib.instance import conf

OURS = "550 5.1.1 "      # ours, and nobody
DENIED = "550 5.7.1 "    # no relay
SYNTAX = "501 5.1.3 "    # no address
BYTES = "501 5.5.2 "
BARE = "500 5.5.2 "
ANN = "ann@inbox.test"

# Columns: the path as it stands behind "RCPT TO:", what a stranger hears, or
# who gets the mail.
TRICKS = [
    # what it is about
    ("<ann@our.test>", ANN),
    ("<any@catch.test>", ANN),
    ("<any@gate.test>", "any@gate.test"),
    ("<joe@evil.test>", DENIED),
    ("<joe@our.test>", OURS),
    # source routes (RFC 5321 C): the route is dropped
    ("<@our.test:joe@evil.test>", DENIED),
    ("<@our.test,@gate.test:joe@evil.test>", DENIED),
    ("<@gate.test:joe@evil.test>", DENIED),
    ("<@evil.test:ann@our.test>", ANN),
    ("<@evil.test,@worse.test:ann@our.test>", ANN),
    ("<@our.test:joe%evil.test@gate.test>", DENIED),
    ("<@our.test:joe@evil.test@our.test>", SYNTAX),
    ("<@our.test@evil.test:ann@our.test>", SYNTAX),
    ("<@our.test;joe@evil.test>", SYNTAX),
    ("<@our.test,joe@evil.test>", SYNTAX),
    ("<@our.test:>", SYNTAX),
    ("<@:joe@evil.test>", SYNTAX),
    ("<@[127.0.0.1]:joe@evil.test>", SYNTAX),
    # percent
    ("<joe%evil.test@our.test>", OURS),
    ("<joe%evil.test@catch.test>", ANN),
    ("<joe%evil.test@gate.test>", DENIED),
    ("<joe%evil.test@evil.test>", DENIED),
    ("<joe%evil.test@mx.our.test>", OURS),
    ("<joe%evil.test@localhost>", OURS),
    ("<joe%evil.test@[127.0.0.1]>", OURS),
    ("<joe%evil.test%worse.test@gate.test>", DENIED),
    ("<%evil.test@gate.test>", DENIED),
    ("<joe%@gate.test>", DENIED),
    ("<joe%evil.test>", SYNTAX),
    ("<ann%our.test@evil.test>", DENIED),
    ("<ann%our.test@our.test>", OURS),
    ("<bob%odd@our.test>", "bob@inbox.test"),
    ("<bob%odd@gate.test>", DENIED),
    # sub-addresses
    ("<ann+x@our.test>", ANN),
    ("<ann+joe%evil.test@our.test>", ANN),
    ("<ann+joe%evil.test@gate.test>", DENIED),
    ("<+joe%evil.test@our.test>", OURS),
    # bangs
    ("<evil.test!joe@our.test>", OURS),
    ("<evil.test!joe@catch.test>", ANN),
    ("<evil.test!joe@gate.test>", DENIED),
    ("<our.test!ann@evil.test>", DENIED),
    ("<evil.test!joe>", SYNTAX),
    ("<!joe@gate.test>", DENIED),
    ("<evil.test!joe%worse.test@gate.test>", DENIED),
    # quotes
    ('<"joe@evil.test"@our.test>', OURS),
    ('<"joe@evil.test"@catch.test>', ANN),
    ('<"joe@evil.test"@gate.test>', DENIED),
    ('<"joe%evil.test"@gate.test>', DENIED),
    (r'<"joe\%evil.test"@gate.test>', DENIED),
    (r'<"joe\@evil.test"@gate.test>', DENIED),
    ('<"@evil.test:joe"@gate.test>', DENIED),
    ('<"evil.test!joe"@gate.test>', DENIED),
    ('<"ann"@our.test>', ANN),
    (r'<"\a\n\n"@our.test>', ANN),
    ('<"ann@our.test"@evil.test>', DENIED),
    ('<"ann@our.test>"@evil.test>', DENIED),
    ('<"a b"@our.test>', OURS),
    ('<"a b"@gate.test>', '"a b"@gate.test'),
    ('<"joe@evil.test">', SYNTAX),
    ('<""joe""@our.test>', SYNTAX),
    ('<""@our.test>', "5"),
    ('<"joe"@evil.test@our.test>', SYNTAX),
    ('<joe"@"evil.test@our.test>', SYNTAX),
    ('<"joe@evil.test@our.test>', SYNTAX),
    (r'<joe\@evil.test@our.test>', SYNTAX),
    # at signs, and none
    ("<joe@evil.test@our.test>", SYNTAX),
    ("<joe@our.test@evil.test>", SYNTAX),
    ("<joe@our.test%evil.test>", SYNTAX),
    ("<joe@our.test!evil.test>", SYNTAX),
    ("<joe@evil.test,ann@our.test>", SYNTAX),
    ("<ann@our.test,joe@evil.test>", SYNTAX),
    ("<@our.test>", SYNTAX),
    ("<joe@>", SYNTAX),
    ("<@>", SYNTAX),
    ("<joe>", SYNTAX),
    ("<>", SYNTAX),
    # literals; ours are ours (RFC 5321 4.1.3)
    ("<ann@[127.0.0.1]>", ANN),
    ("<ann@[127.0.0.99]>", ANN),
    ("<ann@[IPv6:::1]>", ANN),
    ("<ann@[IPv6:::ffff:127.0.0.1]>", ANN),
    ("<joe@[203.0.113.99]>", DENIED),
    ("<joe@[IPv6:2001:db8::99]>", DENIED),
    ("<joe@[0.0.0.0]>", DENIED),
    ("<joe@[IPv6:::]>", DENIED),
    ("<ann@[127.1]>", SYNTAX),
    ("<ann@[2130706433]>", SYNTAX),
    ("<ann@[0x7f.0.0.1]>", SYNTAX),
    ("<ann@[127.0.0.1]evil.test>", SYNTAX),
    ("<ann@[evil.test]>", SYNTAX),
    ("<ann@[]>", SYNTAX),
    ("<ann@[127.0.0.1>", SYNTAX),
    ("<ann@127.0.0.1>", DENIED),
    # names that are nearly ours
    ("<ann@our.test.>", SYNTAX),
    ("<ann@our.test.evil.test>", DENIED),
    ("<ann@xour.test>", DENIED),
    ("<ann@sub.our.test>", DENIED),
    ("<ann@.our.test>", SYNTAX),
    ("<ann@our..test>", SYNTAX),
    ("<ann@OUR.Test>", ANN),
    ("<ANN@our.test>", ANN),
    ("<Joe%Evil.Test@GATE.test>", DENIED),
    ("<ann@localhost>", ANN),
    ("<ann@LocalHost>", ANN),
    ("<ann@localhost.evil.test>", DENIED),
    ("<ann@mx.our.test>", ANN),
    ("<ann@our>", DENIED),
    ("<PostMaster>", "pm@inbox.test"),
    ("<postmaster%evil.test>", SYNTAX),
    ("<postmaster@evil.test>", DENIED),
    # without or outside of the brackets
    ("joe@evil.test", SYNTAX),
    ("<ann@our.test> <joe@evil.test>", "5"),
    ("<ann@our.test>,<joe@evil.test>", "501 "),
    ("<ann@our.test> ORCPT=rfc822;joe@evil.test", ANN),
    ("Ann <ann@our.test>", SYNTAX),
    ("<<joe@evil.test>>", SYNTAX),
    ("<ann@our.test", SYNTAX),
    # bytes
    (b"<ann@our.test\0@evil.test>", BYTES),
    (b"<ann\0@our.test>", BYTES),
    (b"<ann\x7f@our.test>", BYTES),
    (b"<ann\x01@our.test>", BYTES),
    (b"<ann\x1b[2J@our.test>", BYTES),
    (b"<ann@our.test\r>", BARE),
    (b"<ann@our.test\tx>", SYNTAX),
    (b"<joe\xff@gate.test>", "5"),
    (b"<ann@our.test\x80>", "5"),
]

# The same, where MAIL said SMTPUTF8.
UTF8 = [
    ("<ann@\u043eur.test>", DENIED),            # Cyrillic o
    ("<ann@xn--ur-gmc.test>", DENIED),
    ("<ann@our\u3002test>", ANN),               # ideographic full stop
    ("<ann@\uff4fur.test>", ANN),               # full-width o
    ("<ann@our.test\u3002>", "5"),
    ("<joe\uff20evil.test@our.test>", "5"),     # full-width at sign
    ("<joe\uff05evil.test@our.test>", "5"),     # full-width percent
    ("<joe\uff01evil.test@our.test>", "5"),
    ("<ann@our.test\u0338>", "5"),
    ("<joe%\u0435vil.test@gate.test>", DENIED),
    ('<"j\u00f6e@evil.test"@gate.test>', DENIED),
    (b"<ann@our.test\xc0\xae>", "5"),           # an overlong dot
    (b"<ann@\xed\xa0\x80.test>", "5"),
]

# Who comes: the PROXY header names the client; what it says before RCPT.
STRANGERS = {
    "plain": ("TCP4 203.0.113.5 127.0.0.1", "mx.evil.test", "<joe@evil.test>"),
    "null-sender": ("TCP4 203.0.113.6 127.0.0.1", "mx.evil.test", "<>"),
    "as-one-of-us": ("TCP6 2001:db8::5 ::1", "mx.our.test",
                     "<ann@our.test>"),
    "as-local": ("TCP4 203.0.113.7 127.0.0.1", "[127.0.0.1]",
                 "<root@localhost>"),
}


@pytest.fixture(scope="module")
def stage(shared_lab):
    """The instance; who gets mail that is ours, and all other mail."""
    inner, outer = shared_lab.receiver(), shared_lab.receiver()
    it = shared_lab.postern(conf(
        shared_lab.dns({"evil.test": ["A 127.0.0.1"]}), lines=[
            "hostname mx.our.test",
            'table who { ann = ann@inbox.test, "bob%odd" = bob@inbox.test, '
            'postmaster = pm@inbox.test, "@catch.test" = ann@inbox.test }',
            # As many wrong commands as there are tricks.
            "smtp limit max-errors 1000",
            "listen on 127.0.0.2 port {port}",
            "listen on 127.0.0.3 port {port} xclient 203.0.113.99",
        ],
        listen="listen on 127.0.0.1 port {port} proxy 127.0.0.0/8",
        rules=[
            f'action "in" relay host smtp://127.0.0.1:{inner.port}',
            'action "who" expand-only virtual <who>',
            f'action "out" relay host smtp://127.0.0.1:{outer.port}',
            'match from any for domain { gate.test inbox.test } action "in"',
            'match from any for domain { our.test catch.test } action "who"',
            'match from any for local action "who"',
            'match from auth for any action "out"',
            'match from src 198.51.100.0/24 for any action "out"',
            'match from local for any action "out"',
        ]), start=False)
    # The instance is asked whether it is ready from here, where clients begin
    # with a PROXY header.
    it.address = "127.0.0.2"
    it.start()
    return it, inner, outer


class Stranger:
    def __init__(self, it, name):
        proxy, helo, self.sender = STRANGERS[name]
        self.wire = talk.Wire("127.0.0.1", it.port)
        self.wire.send(f"PROXY {proxy} 1000 25\r\n".encode())
        assert self.wire.reply().startswith("220 ")
        assert self.wire.ask("EHLO " + helo).startswith("250-")

    def mail(self, params=""):
        reply = self.wire.ask(f"MAIL FROM:{self.sender}{params}")
        assert reply.startswith("250 "), reply

    def rcpt(self, path):
        path = path.encode() if isinstance(path, str) else path
        self.wire.send(b"RCPT TO:" + path + b"\r\n")
        return self.wire.reply()

    def finish(self):
        assert self.wire.ask("DATA").startswith("354 ")
        reply = self.wire.ask("Subject: t\r\n\r\nx\r\n.")
        assert reply.startswith("250 "), reply
        return re.search(r"\b([0-9A-Z]{13})\b", reply)[1]


def show(path):
    return path.decode("latin-1") if isinstance(path, bytes) else path


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("utf8", [False, True], ids=["ascii", "utf8"])
def test_tricks(stage, name, utf8):
    """Each is refused, or goes where it should."""
    it, inner, outer = stage
    stranger = Stranger(it, name)
    wrong, taken = [], {}
    for path, want in UTF8 if utf8 else TRICKS:
        stranger.mail(" SMTPUTF8" if utf8 else "")
        reply = stranger.rcpt(path)
        if want[0] != "5":
            if reply.startswith("250 2.1.5 "):
                taken[stranger.finish()] = want
                continue
            wrong.append((show(path), want, reply))
        elif not reply.startswith(want):
            wrong.append((show(path), want, reply))
        assert stranger.wire.ask("RSET").startswith("250 ")
    assert not wrong, "\n".join(map(str, wrong))
    it.empty()
    got = {}
    for m in list(inner.messages):
        ident = re.search(rb"\bid ([0-9A-Z]{13})\b", m.content)[1].decode()
        got[ident] = m.rcpts
    assert {i: got.get(i) for i in taken} == {i: [to] for i, to in
                                              taken.items()}
    assert not outer.messages


def test_who_may(stage):
    """The same host relays for those who may: nothing above is for want of a
    way out."""
    it, inner, outer = stage
    wire = talk.Wire("127.0.0.2", it.port)
    assert wire.reply().startswith("220 ")
    for line in ("EHLO c.test", "MAIL FROM:<ann@our.test>"):
        assert wire.ask(line).startswith("250")
    for path in ("<joe@evil.test>", "<joe%evil.test@gate.test>",
                 "<@our.test:ann@evil.test>"):
        assert wire.ask(f"RCPT TO:{path}").startswith("250 "), path
    assert wire.ask("DATA").startswith("354 ")
    assert wire.ask("Subject: t\r\n\r\nx\r\n.").startswith("250 ")
    it.empty()
    m = outer.messages.pop()
    assert sorted(m.rcpts) == ["ann@evil.test", "joe@evil.test"]
    assert not outer.messages


def test_one_of_the_listed(stage):
    """By PROXY, a client of a network that may relay; and one that only says
    it was there, by XCLIENT or PROXY where neither is for it."""
    it, _, outer = stage
    wire = talk.Wire("127.0.0.1", it.port)
    wire.send(b"PROXY TCP4 198.51.100.7 127.0.0.1 1000 25\r\n")
    assert wire.reply().startswith("220 ")
    for line in ("EHLO x.test", "MAIL FROM:<a@x.test>",
                 "RCPT TO:<joe@evil.test>"):
        assert wire.ask(line).startswith("250"), line
    wire.close()


@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.3"])
def test_unlisted_peers_are_not_believed(stage, address):
    """XCLIENT and PROXY change nothing for who is not in their tables; it is
    who it was, here one of ours."""
    it, _, _ = stage
    before = len(it.log())
    for first in (b"PROXY TCP4 198.51.100.7 127.0.0.1 1000 25\r\n",
                  b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07"
                  b"\x7f\0\0\1\x03\xe8\0\x19",
                  b"XCLIENT ADDR=203.0.113.9 LOGIN=ann\r\n"):
        wire = talk.Wire(address, it.port)
        assert wire.reply().startswith("220 ")
        wire.send(first)
        assert wire.reply()[:3] in ("500", "550")
        ehlo = ""
        while "250-" not in ehlo:  # what is left of the bytes
            wire.send(b"EHLO c.test\r\n")
            ehlo = wire.reply()
        assert "XCLIENT" not in ehlo
        wire.close()
    it.healthy()
    assert not re.search(r" (proxy|xclient) ", it.log()[before:])


def test_proxy_lends_nothing(lab):
    """Who is behind a proxy may not say XCLIENT because the proxy may."""
    it = lab.postern(conf(lines=["listen on 127.0.0.2 port {port} "
                                 "proxy 127.0.0.0/8 xclient 127.0.0.0/8"]))
    wire = talk.Wire("127.0.0.2", it.port)
    wire.send(b"PROXY TCP4 203.0.113.5 127.0.0.1 1000 25\r\n")
    assert wire.reply().startswith("220 ")
    assert "XCLIENT" not in wire.ask("EHLO x.test")
    assert wire.ask("XCLIENT ADDR=127.0.0.1").startswith("550 5.7.0 ")
    wire.close()
    # Nor does XCLIENT make a proxy of anybody.
    wire = talk.Wire("127.0.0.2", it.port)
    wire.send(b"EHLO x.test\r\n")
    assert wire.ended()
    wire.close()


def test_the_name_that_we_have_there(lab):
    """`hostnames`: the greeting by the address that was called, also by the one
    that a proxy names; the listener's where the table has none."""
    it = lab.postern(conf(lines=[
        "hostname mx.our.test",
        'table names { 127.0.0.2 = two.our.test, 127.0.0.3 = three.our.test, '
        '192.0.2.25 = far.our.test, 127.0.0.5 = "no name" }',
        *(f"listen on 127.0.0.{n} port {{port}} hostnames <names>"
          for n in (2, 3, 4, 5)),
        "listen on 127.0.0.6 port {port} hostnames <names> hostname six.test "
        "proxy 127.0.0.1"]))
    for address, proxy, name in (
            ("127.0.0.2", b"", "two.our.test"),
            ("127.0.0.3", b"", "three.our.test"),
            ("127.0.0.4", b"", "mx.our.test"),
            ("127.0.0.5", b"", "mx.our.test"),
            ("127.0.0.6", b"TCP4 203.0.113.5 192.0.2.25 1 25",
             "far.our.test"),
            ("127.0.0.6", b"TCP4 203.0.113.5 192.0.2.26 1 25", "six.test")):
        wire = talk.Wire(address, it.port)
        if proxy:
            wire.send(b"PROXY " + proxy + b"\r\n")
        assert wire.reply().startswith(f"220 {name} "), address
        assert wire.ask("EHLO x.test").startswith(f"250-{name}\n")
        assert wire.ask("QUIT").startswith(f"221 2.0.0 {name} ")
        wire.close()
