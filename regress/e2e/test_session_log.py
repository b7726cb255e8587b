"""What the log says of who was refused: whom, with what, and why.

SPDX-License-Identifier: ISC
"""
import pytest

from lib.instance import conf
from lib.sasl import Client

USERS = ('table users { "ann" = "{PLAIN}a", "sue" = "no secret of any form" }')


@pytest.fixture
def it(lab):
    return lab.postern(conf(lines=[
        USERS,
        'filter late phase data match mail-from "@slow.test" '
        'reject "451 4.7.1 not now"'],
        listen="listen on 127.0.0.1 port {port} auth-optional <users> "
        "auth-insecure filter late"))


def test_unknown_command(it):
    """A command that is none has no name, whatever came before it."""
    with Client(it.port, tls=False) as c:
        assert c.say("XYZZY").startswith("500")
    assert it.logged(r'reject command=(\S+) .*reply="500 ') == ["-"]


def test_chunk(it):
    """The refusal of a chunk names the message that it is of."""
    with Client(it.port, tls=False) as c:
        c.say("MAIL FROM:<ann@slow.test>")
        c.say("RCPT TO:<b@x.test>")
        assert c.say("BDAT 4 LAST\r\nab").startswith("451 4.7.1")
        assert c.say("RCPT TO:<b@x.test>").startswith("503")
    assert it.logged(r'reject command=BDAT .*from="(\S+)" rcpt="(\S+)"') == [
        ("ann@slow.test", "b@x.test")]


def test_later(it):
    """Who cannot be checked is named all the same."""
    with Client(it.port, tls=False) as c:
        assert c.plain("sue", "x").startswith("454")
    assert it.logged(r'auth client=.* result=(\S+) user="(\S*)"') == [
        ("later", "sue")]
