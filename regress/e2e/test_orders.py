"""Each command in each state: what is said, and which state comes of it.  The
table below is the protocol's (RFC 5321 4.1.4 and the extensions), not read
from the server's.

SPDX-License-Identifier: ISC
"""
import base64
import re

import pytest

from lib import base, talk
from lib.instance import conf

STATES = ["connect", "ready", "mail", "rcpt", "chunk"]
PLAIN = "AUTH PLAIN " + base64.b64encode(b"\0ann\0secret").decode()
HELO, MAIL, TWICE, RCPT, MIDST, CHUNKS = (
    "503 5.5.1 Say HELO", "503 5.5.1 Say MAIL", "503 5.5.1 The sender",
    "503 5.5.1 No valid", "503 5.5.1 Not in", "503 5.5.1 The content")
AUTHING = "503 5.5.1 Not during"
SPLIT = "501 5.5.4 "


def rows(*cells):
    """One for each state; a last one that holds for all others."""
    return list(cells) + [cells[-1]] * (len(STATES) - len(cells))


# Command -> what begins the reply in each state; ">" and the state that comes
# of it, "!": the connection ends.  Without one the state stays.
SMTP = {
    "HELO c.test": rows("250 >ready"),
    "EHLO c.test": rows("250->ready"),
    "EHLO": rows(SPLIT),
    "EHLO a..b": rows(SPLIT),
    "LHLO c.test": rows("500 5.5.1 "),
    "MAIL FROM:<other@c.test>": rows(HELO, "250 2.1.0 >mail", TWICE),
    "MAIL FROM:<other>": rows(HELO, "250 2.1.0 >mail", TWICE),
    "MAIL FROM:<a@b@c>": rows(HELO, "501 5.1.7 ", TWICE),
    "MAIL FROM:<other@c.test> FOO=BAR": rows(HELO, "555 5.5.4 ", TWICE),
    "MAIL": rows(HELO, SPLIT, TWICE),
    "RCPT TO:<other@x.test>": rows(HELO, MAIL, "250 2.1.5 >rcpt",
                                   "250 2.1.5 >rcpt", CHUNKS),
    "RCPT TO:<>": rows(HELO, MAIL, "501 5.1.3 ", "501 5.1.3 ", CHUNKS),
    "RCPT TO:<other@x.test> FOO=BAR": rows(HELO, MAIL, "555 5.5.4 ",
                                           "555 5.5.4 ", CHUNKS),
    "RCPT": rows(HELO, MAIL, SPLIT, SPLIT, CHUNKS),
    "DATA": rows(HELO, MAIL, RCPT, "354 >content", CHUNKS),
    "DATA now": rows(HELO, MAIL, RCPT, SPLIT, CHUNKS),
    "BDAT 4\r\nNOOP": rows(HELO, MAIL, RCPT, "250 2.0.0 4 >chunk",
                           "250 2.0.0 4 >chunk"),
    "BDAT 4 LAST\r\nQUIT": rows(HELO, MAIL, RCPT, "250 2.0.0 >ready"),
    "BDAT four": rows(SPLIT + "!"),
    "RSET": rows("250 2.0.0 >connect", "250 2.0.0 >ready"),
    "RSET now": rows(SPLIT),
    "NOOP": rows("250 2.0.0 "),
    "NOOP now": rows("250 2.0.0 "),
    "VRFY ann": rows("252 2.5.0 "),
    "VRFY": rows(SPLIT),
    "EXPN ann": rows("502 5.5.1 "),
    "HELP": rows("214 2.0.0 "),
    "QUIT": rows("221 2.0.0 !"),
    "QUIT now": rows(SPLIT),
    "STARTTLS": rows(HELO, "220 2.0.0 >handshake", MIDST),
    "STARTTLS now": rows(HELO, SPLIT, MIDST),
    PLAIN: rows(HELO, "235 2.7.0 >ready", AUTHING),
    "AUTH": rows(HELO, SPLIT, AUTHING),
    "AUTH NONSENSE": rows(HELO, "504 5.5.4 ", AUTHING),
    "AUTH PLAIN !": rows(HELO, "501 5.5.2 ", AUTHING),
    "XCLIENT ADDR=192.0.2.1": rows("550 5.7.0 ", "550 5.7.0 ", MIDST),
    "ETRN x.test": rows("502 5.5.1 "),
    "BURL imap://x 1": rows("502 5.5.1 "),
    "TURN": rows("502 5.5.1 "),
    "SEND FROM:<other@c.test>": rows("502 5.5.1 "),
    "SOML FROM:<other@c.test>": rows("502 5.5.1 "),
    "SAML FROM:<other@c.test>": rows("502 5.5.1 "),
    "XYZZY": rows("500 5.5.1 "),
    "": rows("500 5.5.1 "),
    "MAILFROM:<other@c.test>": rows("500 5.5.1 "),
    "NO\x01OP": rows("500 5.5.1 "),
    "NOOP \x01": rows("501 5.5.2 "),
}

# Where the rest is as above.
LMTP = dict(SMTP, **{
    "HELO c.test": rows("500 5.5.1 "),
    "EHLO c.test": rows("500 5.5.1 "),
    "EHLO": rows("500 5.5.1 "),
    "EHLO a..b": rows("500 5.5.1 "),
    "LHLO c.test": rows("250->ready"),
    "STARTTLS": rows(HELO, "502 5.5.1 ", MIDST),
    PLAIN: rows(HELO, "502 5.5.1 ", AUTHING),
    "AUTH NONSENSE": rows(HELO, "502 5.5.1 ", AUTHING),
    "AUTH PLAIN !": rows(HELO, "502 5.5.1 ", AUTHING),
})
BARE = dict(SMTP, **{c: LMTP[c] for c in (
    "STARTTLS", PLAIN, "AUTH NONSENSE", "AUTH PLAIN !")})
# RFC 4954 3: AUTH is an extension, so there is none without EHLO.
OLD = dict(SMTP, **{c: rows(HELO, HELO, AUTHING) for c in (
    PLAIN, "AUTH NONSENSE", "AUTH PLAIN !")})
IN_TLS = dict(SMTP, **{
    "STARTTLS": rows(HELO, "503 5.5.1 TLS", MIDST)})
LISTED = dict(BARE, **{
    "XCLIENT ADDR=192.0.2.1": rows("220 >connect", "220 >connect", MIDST),
    "XCLIENT ADDR=192.0.2": rows(SPLIT + "XCLIENT", SPLIT + "XCLIENT",
                                 MIDST)})
KNOWN = dict(SMTP, **{c: rows(HELO, "503 5.5.1 Already", AUTHING) for c in (
    PLAIN, "AUTH NONSENSE", "AUTH PLAIN !")})

# Columns: listener, lines said before, greeting, table.
WORLDS = {
    "smtp": ("main", [], "EHLO", SMTP),
    "helo": ("main", [], "HELO", OLD),
    "starttls": ("main", ["EHLO c.test", "STARTTLS"], "EHLO", IN_TLS),
    "smtps": ("smtps", [], "EHLO", IN_TLS),
    "authenticated": ("main", ["EHLO c.test", PLAIN], "EHLO", KNOWN),
    "bare": ("bare", [], "EHLO", BARE),
    "lmtp": ("lmtp", [], "LHLO", LMTP),
    "xclient": ("listed", [], "EHLO", LISTED),
}
CASES = [(w, s) for w in WORLDS for s in STATES
         if (w, s) != ("authenticated", "connect")]


@pytest.fixture(scope="module")
def stage(shared_lab):
    """The instance; the receiver; ports by listener."""
    receiver = shared_lab.receiver()
    made = base.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=mx.test",
                     "-keyout", shared_lab.dir / "o.key",
                     "-out", shared_lab.dir / "o.crt"])
    assert made.returncode == 0, made.stderr
    ports = {n: base.free_port()
             for n in ("main", "smtps", "lmtp", "bare", "listed")}
    auth = "auth-optional <users> auth-insecure"
    it = shared_lab.postern(conf(
        shared_lab.dns(ttl=60), receiver.port, lines=[
            "hostname x.test", "smtp limit max-errors 100000",
            "limit except { 127.0.0.1 }",
            f'pki mx.test cert "{shared_lab.dir}/o.crt" '
            f'key "{shared_lab.dir}/o.key"',
            'table users { ann = "{PLAIN}secret" }', "table no { 192.0.2.1 }",
            "table yes { 127.0.0.1 }"],
        listen="\n".join([
            "listen on 127.0.0.1 port {port}",
            f"listen on 127.0.0.1 port {ports['main']} tls pki mx.test {auth}"
            " xclient <no>",
            f"listen on 127.0.0.1 port {ports['smtps']} smtps pki mx.test "
            f"{auth} xclient <no>",
            f"listen on 127.0.0.1 port {ports['bare']} xclient <no>",
            f"listen on 127.0.0.1 port {ports['listed']} xclient <yes>",
            f"listen on 127.0.0.1 port {ports['lmtp']} lmtp xclient <no>"])))
    return it, receiver, ports


class Session(talk.Wire):
    """A session of a world that has been led to a state."""

    def __init__(self, stage, world, state):
        it, _, ports = stage
        listener, before, self.hello, self.table = WORLDS[world]
        super().__init__(it.address, ports[listener])
        if listener == "smtps":
            self.tls()
        assert self.reply().startswith("220 ")
        for line in before:
            assert self.ask(line)[0] == "2", line
            if line == "STARTTLS":
                self.tls()
        if world == "authenticated":
            assert state != "connect"
        self.lead(state)

    def lead(self, state):
        steps = [f"{self.hello} c.test", "MAIL FROM:<a@c.test>",
                 "RCPT TO:<b@x.test>", "BDAT 21\r\nSubject: x\r\n\r\nbefore "]
        for line in steps[:STATES.index(state)]:
            self.send(line.encode() + (b"" if line[0] == "B" else b"\r\n"))
            assert self.reply().startswith("250"), line
        assert self.state() == state

    def say(self, command):
        """A reply is one: all its lines have one code (RFC 5321 4.2.1)."""
        self.send(command.encode() +
                  (b"" if re.match(r"BDAT \d", command) else b"\r\n"))
        got = self.reply()
        assert re.fullmatch(r"([2-5][0-5]\d)( .*|(-.*\n\1)*[- ].*)", got), got
        return got

    def state(self):
        """Which it is: two commands that are never legal as they are said
        here, but are refused in each state for another reason."""
        got = self.say("RCPT"), self.say("DATA now")
        for i, name in enumerate(STATES):
            if got[0].startswith(SMTP["RCPT"][i]) and \
                    got[1].startswith(SMTP["DATA now"][i]):
                return name
        raise AssertionError(f"no state: {got}")

    def expect(self, command, state):
        """Says it; the state that comes of it by the table."""
        begins, _, after = self.table[command][STATES.index(state)
                                               ].partition(">")
        got = self.say(command)
        assert got.startswith(begins.rstrip("!")), \
            f"{command!r} in {state}: {got!r}, not {begins!r}"
        if begins.endswith("!"):
            assert self.ended(), f"{command!r} in {state}: not closed"
            return None
        return after or state


def stays(table, state):
    """Commands after which the state is what it was: those that are refused,
    and those that change nothing."""
    return [c for c, cells in table.items()
            if not re.search("[>!]", cells[STATES.index(state)])]


def finish(wire, stage, state):
    """Goes on as if nothing had been said; the message that comes of it."""
    at = STATES.index(state)
    if at < STATES.index("chunk"):
        for line in [f"{wire.hello} c.test", "MAIL FROM:<a@c.test>",
                     "RCPT TO:<b@x.test>"][at:]:
            assert wire.ask(line).startswith("250"), line
    wire.send(b"BDAT 7 LAST\r\nafter\r\n" if state == "chunk" else
              b"BDAT 28 LAST\r\nSubject: x\r\n\r\nbefore after\r\n")
    got = wire.reply()
    assert got.startswith("250 2.0.0 "), got
    assert wire.ask("QUIT").startswith("221 ") and wire.ended()
    return talk.queued(state, got, stage[1])


@pytest.mark.parametrize("world, state", CASES)
def test_stays(stage, world, state):
    """All that is refused there, one after another in one session: a reply to
    each, the state is the same, and so are sender, recipients and content."""
    wire = Session(stage, world, state)
    refused = stays(wire.table, state)
    assert len(refused) > 15
    for command in refused:
        assert wire.expect(command, state) == state
        assert wire.state() == state, f"{command!r} left {state}"
    m = finish(wire, stage, state)
    assert (m.sender, m.rcpts) == ("a@c.test", ["b@x.test"])
    assert re.search(rb"\r\n\r\nbefore after\r\n$", m.content), m.content
    assert b"other" not in m.content


@pytest.mark.parametrize("world, state", CASES)
def test_pipelined(stage, world, state):
    """The same sent ahead (RFC 2920 3.2): as many replies, in their order."""
    wire = Session(stage, world, state)
    table = wire.table
    refused = stays(table, state)
    wire.send(b"".join(
        c.encode() + (b"" if re.match(r"BDAT \d", c) else b"\r\n")
        for c in refused))
    for command in refused:
        got = wire.reply()
        assert got.startswith(table[command][STATES.index(state)]), \
            (command, got)
    assert wire.state() == state
    wire.close()


@pytest.mark.parametrize("world, state", CASES)
def test_changes(stage, world, state):
    """Each that is legal there, in a session of its own: what comes of it."""
    table = WORLDS[world][3]
    legal = [c for c in table if c not in stays(table, state)]
    assert {"RSET", "QUIT"} <= set(legal)
    for command in legal:
        wire = Session(stage, world, state)
        after = wire.expect(command, state)
        if after == "handshake":
            wire.tls()
            after = "connect"
        elif after == "content":
            assert wire.quiet(0.05)
            assert wire.ask("RSET\r\nQUIT\r\n.").startswith("250 2.0.0 ")
            after = "ready"
        if after is not None:
            assert wire.state() == after, command
        wire.close()


# ---- where a line is no command ----

def spoken(table):
    """Commands as lines; those with content behind them are not."""
    return [c for c in table if "\r\n" not in c]


@pytest.mark.parametrize("mech", ["PLAIN", "CRAM-MD5"])
def test_exchange(stage, mech):
    """In an exchange each line is an answer to it: one that is not base64 ends
    it with 501, one that is fails it (RFC 4954 4); then it is as before."""
    for command in spoken(SMTP):
        wire = Session(stage, "smtp", "ready")
        assert wire.ask(f"AUTH {mech}").startswith("334 ")
        good = re.fullmatch(r"([A-Za-z0-9+/]{4})*", command)
        got = wire.say(command)
        assert got.startswith("535 5.7.8 " if good else "501 5.5.2 "), \
            (command, got)
        assert wire.state() == "ready", command
        assert wire.say(PLAIN).startswith("235 "), command
        wire.close()


@pytest.mark.parametrize("world", ["smtp", "lmtp", "smtps"])
def test_content(stage, world):
    """After 354 each line is content, and gets no reply of its own."""
    wire = Session(stage, world, "rcpt")
    assert wire.say("DATA").startswith("354 ")
    said = [c for c in spoken(SMTP)]
    wire.send(b"Subject: x\r\n\r\n" +
              b"".join(c.encode() + b"\r\n" for c in said))
    assert wire.quiet(0.2)
    wire.send(b".\r\n")
    got = wire.reply()
    assert got.startswith("250 2.0.0 "), got
    assert wire.state() == "ready"
    m = talk.queued(world, got, stage[1])
    assert m.content.endswith(
        b"\r\n\r\n" + b"".join(c.encode() + b"\r\n" for c in said))


@pytest.mark.parametrize("world", ["smtp", "lmtp", "smtps"])
@pytest.mark.parametrize("state", ["connect", "ready", "mail", "rcpt",
                                   "chunk"])
def test_chunk(stage, world, state):
    """Within a chunk they are its bytes, also where it is refused, and in
    whatever pieces they come."""
    text = "".join(c + "\r\n" for c in spoken(SMTP)).encode()
    wire = Session(stage, world, state)
    wire.send(b"BDAT %d\r\n" % len(text) + text[:-1])
    assert wire.quiet(0.1)
    wire.send(text[-1:])
    got = wire.reply()
    legal = state in ("rcpt", "chunk")
    assert got.startswith(f"250 2.0.0 {len(text)} " if legal else "503 "), got
    assert wire.state() == ("chunk" if legal else state)
    wire.close()


# ---- what is offered ----

# RFC 5321 4.5.1: there without a word.
REQUIRED = {"EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT",
            "VRFY"}
KEYWORDS = {"BDAT": "CHUNKING"}


@pytest.mark.parametrize("world", WORLDS)
def test_offers(stage, world):
    """EHLO names each command that works and is not required (RFC 5321
    4.1.1.1), and none that is answered by 500 or 502 (4.2.4); and each
    extension once, in the form that its RFC has."""
    wire = Session(stage, world, "connect" if world != "authenticated"
                   else "ready")
    hello = "LHLO" if world == "lmtp" else "EHLO"
    lines = wire.say(f"{hello} c.test").split("\n")
    assert all(l.startswith("250-") for l in lines[:-1])
    assert lines[-1].startswith("250 ")
    assert lines[0] == "250-x.test"
    offered = [l[4:] for l in lines[1:]]
    words = [o.split()[0] for o in offered]
    assert len(set(words)) == len(words)
    for o in offered:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*( [!-~]+)*", o), o
    # The forms, and those that need one another: RFC 2033 5, 3030 3, 6531
    # 3.1, 9422 4.
    assert {"PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME",
            "DSN", "ENHANCEDSTATUSCODES", "HELP"} <= set(offered)
    assert [o for o in offered if re.fullmatch(r"SIZE \d{1,20}", o)]
    assert [o for o in offered if re.fullmatch(
        r"LIMITS MAILMAX=[1-9]\d{0,5} RCPTMAX=[1-9]\d{0,5}", o)]
    assert ("STARTTLS" in offered) == (world in ("smtp", "helo",
                                                 "authenticated"))
    assert ("AUTH" in words) == (world in ("smtp", "helo", "starttls",
                                           "smtps"))
    table = WORLDS[world][3]
    for verb in {c.split()[0] for c in SMTP if re.match("[A-Z]{4}", c)}:
        cells = [cell for c, r in table.items() if c.split()[:1] == [verb]
                 for cell in r[STATES.index("ready"):]]
        if verb not in REQUIRED | {"LHLO", "MAILFROM:<other@c.test>"} and \
                (world, verb) != ("helo", "AUTH"):
            assert any(c[0] in "23" for c in cells) == \
                (KEYWORDS.get(verb, verb) in words), verb
    wire.close()
