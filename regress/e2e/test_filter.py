"""Filters that are built in, on the wire: each phase with each condition and
each decision; tables that are silent; a reload; smtpctl explain.

SPDX-License-Identifier: ISC
"""
import re
import select
import time

import pytest

from lib import base, talk
from lib.instance import conf

from test_explain import at, explain, line_of, of
from test_reload import reload
from test_tables import Program

MX = {"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"]}

PHASES = ("connect", "helo", "ehlo", "auth", "mail-from", "rcpt-to", "data",
          "commit")
DECISIONS = ("bypass", "disconnect", "junk", "reject", "rewrite", "report")

# What a client says of itself by XCLIENT, and the names that it uses.
CLIENT = {"ADDR": "192.0.2.1", "NAME": "mx.a.test"}
HELO, SENDER, RCPT = "pc.a.test", "joe@a.test", "ann@x.test"

# Columns: condition, from which phase on, what a client is like of whom it
# does not hold.  It holds of CLIENT with LOGIN=joe.
CONDITIONS = (
    ("rdns", "connect", {"NAME": "[UNAVAILABLE]"}),
    ("rdns { mx.a.test }", "connect", {"NAME": "mx.b.test"}),
    ("fcrdns", "connect", {"NAME": "[UNAVAILABLE]"}),
    ("src 192.0.2.0/24", "connect", {"ADDR": "198.51.100.1"}),
    ("helo { *.a.test }", "helo", {"helo": "pc.b.test"}),
    ("auth", "auth", {"LOGIN": None}),
    ("mail-from { joe@a.test }", "mail-from", {"sender": "eve@a.test"}),
    ("rcpt-to { @x.test }", "rcpt-to", {"rcpt": "ann@y.test"}),
)
NEW = {"helo": "new.b.test", "ehlo": "new.b.test",
       "mail-from": "new@b.test", "rcpt-to": "<new@x.test>"}


def decide(phase, decision):
    """The words behind `match CONDITION`."""
    return {
        "disconnect": 'disconnect "451 4.7.9 not now"',
        "reject": 'reject "554 5.7.9 one"',
        "rewrite": f'rewrite "{NEW.get(phase, "x")}"',
        "report": 'report "seen"',
    }.get(decision, decision)


def cases():
    """(phase, condition, decision) and what does not hold."""
    for phase in PHASES:
        for condition, since, other in CONDITIONS:
            if PHASES.index(phase) < PHASES.index(since):
                continue
            if condition.startswith("rcpt-to") and phase != "rcpt-to":
                continue
            for decision in DECISIONS:
                if phase == "commit" and decision in ("junk", "bypass"):
                    continue
                # Who connects is nobody's client yet, and has a name.
                if phase == "connect" and condition in ("rdns", "fcrdns"):
                    yield phase, "!" + condition, decision, None, other
                # ... and who is to authenticate has not.
                elif phase == "auth" and condition == "auth":
                    yield phase, "!auth", decision, {"LOGIN": None}, None
                elif phase == "auth":
                    yield (phase, condition, decision, {"LOGIN": None},
                           {**other, "LOGIN": None})
                else:
                    yield phase, condition, decision, {}, other


CASES = list(cases())
IDS = [f"{p} {c} {d}" for p, c, d, _, _ in CASES]


def where(n):
    """The address of the listener of a case."""
    return f"127.0.{1 + n // 200}.{1 + n % 200}"


class Session:
    """A client, as XCLIENT makes it one; stops at the first refusal."""

    def __init__(self, address, port, phase, **said):
        self.wire = talk.Wire(address, port)
        self.phase = phase
        self.said = {**CLIENT, "LOGIN": "joe", "helo": HELO, "sender": SENDER,
                     "rcpt": RCPT, **said}
        self.at = None
        self.reply = None

    def ask(self, at, line, want):
        self.at = at
        self.reply = self.wire.ask(line)
        return re.match(want, self.reply)

    def run(self):
        """The phase at which it was refused, and by what; ("end", ...) if it
        was not."""
        said = self.said
        assert self.wire.reply().startswith("220 ")
        words = " ".join(f"{name}={said[name]}" for name in
                         ("ADDR", "NAME", "LOGIN") if said[name])
        hello = "HELO" if self.phase == "helo" else "EHLO"
        steps = [("connect", f"XCLIENT {words}", "220 "),
                 (hello.lower(), f"{hello} {said['helo']}", "250[ -]")]
        if self.phase == "auth":
            steps.append(("auth", "AUTH PLAIN AGpvZQBzZWNyZXQ=", "235 "))
        steps += [("mail-from", f"MAIL FROM:<{said['sender']}>", "250 "),
                  ("rcpt-to", f"RCPT TO:<{said['rcpt']}>", "250 "),
                  ("data", "DATA", "354 "),
                  ("commit", "Subject: t\r\n\r\nx\r\n.", "250 ")]
        for at, line, want in steps:
            if not self.ask(at, line, want):
                return at, self.reply
        return "end", self.reply

    def close(self):
        self.wire.close()


@pytest.fixture(scope="module")
def stage(shared_lab):
    """One instance: a listener for each case, which has the case's filter and
    one behind it that refuses whoever comes so far."""
    receiver = shared_lab.receiver()
    text = ['table users { joe = "%s" }' % crypt("secret")]
    for n, (phase, condition, decision, _, _) in enumerate(CASES):
        text += [
            f'filter f{n} phase {phase} match {condition} '
            f'{decide(phase, decision)}',
            f'listen on {where(n)} port {{port}} xclient 127.0.0.0/8 '
            f'auth-optional <users> auth-insecure filter {{ f{n}, s_{phase} }}']
    seconds = [f'filter s_{phase} phase {phase} match !src 127.0.0.0/8 '
               'reject "550 5.7.8 second"' for phase in PHASES]
    it = shared_lab.postern(conf(
        shared_lab.dns(MX), lines=["hostname mx.c.test"] + seconds + text,
        rules=[f'action "out" relay port {receiver.port}',
               'match from any for any action "out"']))
    return it, receiver


def crypt(secret):
    return base.run(["openssl", "passwd", "-6", "-salt", "abcdefgh", secret],
                    check=True).stdout.strip()


def delivered(it, receiver, reply):
    ident = re.search(r"\b([0-9A-Z]{13})\b", reply)[1]

    def look():
        for m in list(receiver.messages):
            if re.search(rb"\bid " + ident.encode() + rb"\b", m.content):
                return m
        return None
    return base.wait_until(look, f"message {ident} is delivered")


@pytest.mark.parametrize("n", range(len(CASES)), ids=IDS)
def test_case(n, stage):
    it, receiver = stage
    phase, condition, decision, said, other = CASES[n]
    if said is None:  # a negated condition: it holds of the other one
        said, other = other, {}
    s = Session(where(n), it.port, phase, **said)
    at, reply = s.run()
    if decision in ("disconnect", "reject"):
        assert (at, reply) == (phase, {
            "disconnect": "451 4.7.9 not now",
            "reject": "554 5.7.9 one"}[decision])
        # Whoever is refused at once has nobody to talk to.
        closed = decision == "disconnect" or phase == "connect"
        assert closed == s.wire.ended(0.2 if not closed else 10)
        if not closed:
            assert s.wire.ask("NOOP").startswith("250 ")
    elif decision == "report":
        assert (at, reply) == (phase, "550 5.7.8 second")
        it.logged(rf'filter-report phase={phase} filter="f{n}" text="seen"$')
    else:
        assert at == "end", (at, reply)
        m = delivered(it, receiver, reply)
        assert (b"\r\nX-Spam: Yes\r\n" in b"\r\n" + m.content) == \
            (decision == "junk")
        new = NEW.get(phase) if decision == "rewrite" else None
        assert m.sender == ("new@b.test" if phase == "mail-from" and new
                            else SENDER)
        assert m.rcpts == ["new@x.test" if phase == "rcpt-to" and new
                           else RCPT]
        name = new if phase in ("helo", "ehlo") and new else HELO
        assert f"from {name} (".encode() in m.content
    s.close()
    if other is not None:
        s = Session(where(n), it.port, phase, **other)
        assert s.run() == (phase, "550 5.7.8 second")
        s.close()
    if decision != "report":
        it.logged(rf'filter phase={phase} decision={decision} '
                  rf'filter="f{n}" text=".*"$')


# ---- what a session and its messages become ----

def one(lab, *lines, options="", names=MX, rules=None, **kw):
    """An instance with one listener; its receiver."""
    r = lab.receiver()
    it = lab.postern(conf(
        lab.dns(names), lines=["hostname mx.c.test", *lines],
        listen="listen on 127.0.0.1 port {port} xclient 127.0.0.1 " + options,
        rules=rules or [f'action "out" relay port {r.port}',
                        'match from any for any action "out"'], **kw))
    return it, r


def hello(it, xclient=None, helo="c.test"):
    wire = talk.Wire(it.address, it.port)
    assert wire.reply().startswith("220 ")
    if xclient is not None:
        assert wire.ask("XCLIENT " + xclient).startswith("220 ")
    assert wire.ask("EHLO " + helo).startswith("250-")
    return wire


def message(wire, sender="joe@a.test", rcpt="b@x.test"):
    for line, want in ((f"MAIL FROM:<{sender}>", "250 "),
                       (f"RCPT TO:<{rcpt}>", "250 "), ("DATA", "354 ")):
        reply = wire.ask(line)
        assert reply.startswith(want), reply
    return wire.ask("Subject: t\r\n\r\nx\r\n.")


def is_junk(it, receiver, reply):
    m = delivered(it, receiver, reply)
    return b"\r\nX-Spam: Yes\r\n" in b"\r\n" + m.content


def test_junk_of_a_message(lab):
    """What a phase of a message finds is true of that message alone; what was
    found before is of all."""
    it, r = one(lab,
                'filter f_sender phase mail-from match mail-from '
                '{ spam@a.test } junk',
                'filter f_helo phase ehlo match helo { spam.test } junk',
                options="filter { f_sender, f_helo }")
    wire = hello(it)
    said = [is_junk(it, r, message(wire, sender)) for sender in
            ("joe@a.test", "spam@a.test", "joe@a.test")]
    assert said == [False, True, False]
    # A message that does not come to its end takes its mark with it.
    assert wire.ask("MAIL FROM:<spam@a.test>").startswith("250 ")
    assert wire.ask("RSET").startswith("250 ")
    assert not is_junk(it, r, message(wire))
    wire.close()
    wire = hello(it, helo="spam.test")
    assert [is_junk(it, r, message(wire)) for _ in range(2)] == [True, True]
    wire.close()


def test_rewritten_is_judged(lab):
    """Rules, later filters and the other recipients see the new address; each
    recipient is looked at for itself."""
    it, r = one(lab,
                'filter old phase mail-from match mail-from { @old.test } '
                'rewrite "<new@x.test>"',
                'filter one phase rcpt-to match rcpt-to { one@x.test } '
                'rewrite two@x.test',
                'filter no phase rcpt-to match rcpt-to { three@x.test } '
                'rewrite "three@elsewhere.test"',
                'filter seen phase data match !mail-from { new@x.test } '
                'reject "550 not rewritten"',
                options="filter { old, one, no, seen }")
    it.stop()
    it.write_conf(it.text.replace("for any action", "for domain x.test "
                                  "mail-from { new@x.test } action"))
    it.start()
    wire = hello(it)
    assert wire.ask("MAIL FROM:<a@old.test>").startswith("250 ")
    assert wire.ask("RCPT TO:<one@x.test>").startswith("250 ")
    assert wire.ask("RCPT TO:<four@x.test>").startswith("250 ")
    assert wire.ask("RCPT TO:<three@x.test>").startswith("550 5.7.1 ")
    assert wire.ask("DATA").startswith("354 ")
    m = delivered(it, r, wire.ask("x\r\n."))
    assert m.sender == "new@x.test"
    assert sorted(m.rcpts) == ["four@x.test", "two@x.test"]
    wire.close()


@pytest.mark.parametrize("value", ["nobody", "a@b@c.test", "<a@c.test> x",
                                   "a@[300.0.0.1]"])
def test_rewritten_into_nonsense(lab, value):
    """451, the line of the configuration in the log, and the session goes
    on."""
    it, r = one(lab, 'filter f phase rcpt-to match rcpt-to { bad@x.test } '
                f'rewrite "{value}"', options="filter f")
    wire = hello(it)
    assert wire.ask("MAIL FROM:<a@c.test>").startswith("250 ")
    assert wire.ask("RCPT TO:<bad@x.test>").startswith("451 4.7.0 ")
    assert wire.ask("RCPT TO:<b@x.test>").startswith("250 ")
    where_ = line_of(it, "filter f")
    it.logged(rf'filter-value at={re.escape(where_)} error=".*" '
              rf'value="{re.escape(value)}"')
    wire.close()


def test_pipelined(lab):
    """Commands that stand behind one another are answered in their order,
    though each is asked about."""
    filters = [f'filter {name} phase {phase} match !src 198.51.100.1 '
               f'report "x"' for name, phase in
               (("m", "mail-from"), ("r", "rcpt-to"), ("d", "data"),
                ("c", "commit"))]
    it, r = one(lab, *filters,
                'filter no phase rcpt-to match rcpt-to { no@x.test } '
                'reject "550 5.1.2 no"', options="filter { m, r, d, c, no }")
    wire = hello(it)
    wire.send(b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@x.test>\r\n"
              b"RCPT TO:<no@x.test>\r\nRCPT TO:<c@x.test>\r\nDATA\r\n")
    got = [wire.reply()[:9] for _ in range(5)]
    assert got == ["250 2.1.0", "250 2.1.5", "550 5.1.2", "250 2.1.5",
                   "354 Conte"]
    wire.send(b"Subject: t\r\n\r\nx\r\n.\r\nNOOP\r\nQUIT\r\n")
    assert sorted(delivered(it, r, wire.reply()).rcpts) == ["b@x.test",
                                                            "c@x.test"]
    assert wire.reply().startswith("250 ")
    assert wire.reply().startswith("221 ")
    wire.close()


def test_chunks(lab):
    """A refusal at `data` of what comes in chunks: they are read all the
    same, and nothing is kept; likewise at `commit`."""
    it, r = one(lab,
                'filter d phase data match mail-from { d@c.test } '
                'reject "554 5.7.3 no data"',
                'filter c phase commit match mail-from { c@c.test } '
                'reject "554 5.7.3 no commit"', options="filter { d, c }")
    wire = hello(it)
    for sender, text in (("d@c.test", "no data"), ("c@c.test", "no commit")):
        assert wire.ask(f"MAIL FROM:<{sender}>").startswith("250 ")
        assert wire.ask("RCPT TO:<b@x.test>").startswith("250 ")
        wire.send(b"BDAT 9 LAST\r\nQUIT\r\nx\r\nNOOP\r\n")
        assert wire.reply() == "554 5.7.3 " + text
        assert wire.reply().startswith("250 ")
        assert wire.ask("RSET").startswith("250 ")
    assert not it.spool_files()
    wire.close()


def test_refused_at_the_end_leaves_nothing(lab):
    """`commit`: the message is not in the spool, and the next one of the
    session is taken."""
    it, r = one(lab, 'filter c phase commit match mail-from { c@c.test } '
                'reject "554 5.7.3 no commit"',
                'filter d phase commit match mail-from { d@c.test } '
                'disconnect "421 4.7.3 enough"', options="filter { c, d }")
    wire = hello(it)
    assert message(wire, "c@c.test") == "554 5.7.3 no commit"
    assert message(wire, "a@c.test").startswith("250 ")
    assert message(wire, "d@c.test") == "421 4.7.3 enough"
    assert wire.ended()
    it.empty()
    assert [m.sender for m in r.messages] == ["a@c.test"]
    base.wait_until(lambda: not it.spool_files(), "no file is left")
    wire.close()


def test_lmtp(lab):
    """Refused at the end, each recipient is (RFC 2033 4.2)."""
    it, r = one(lab, 'filter c phase commit match mail-from { c@c.test } '
                'reject "554 5.7.3 no commit"', options="lmtp filter c")
    wire = talk.Wire(it.address, it.port)
    assert wire.reply().startswith("220 ")
    assert wire.ask("LHLO c.test").startswith("250-")
    assert wire.ask("MAIL FROM:<c@c.test>").startswith("250 ")
    for rcpt in "ab":
        assert wire.ask(f"RCPT TO:<{rcpt}@x.test>").startswith("250 ")
    assert wire.ask("DATA").startswith("354 ")
    wire.send(b"x\r\n.\r\nNOOP\r\n")
    assert [wire.reply() for _ in range(3)] == [
        "554 5.7.3 no commit"] * 2 + ["250 2.0.0 Ok"]
    wire.close()


def test_socket(lab):
    """`listen on socket filter`: who is here has a name, and no address."""
    it, r = one(lab, 'filter no phase connect match !rdns reject "550 name"',
                'filter f phase connect match !fcrdns reject "550 fcrdns"',
                'filter s phase mail-from match src regex "^local$" junk',
                'filter h phase mail-from match rdns { mx.c.test } '
                'report "here"',
                "listen on socket filter { no, f, h, s }")
    base.run([it.build / "sendmail", "-R", it.root, "-f", "a@c.test",
              "b@x.test"], input="Subject: t\n\nx\n", stdin=None, check=True)
    m, = r.wait(1)
    assert b"X-Spam: Yes\r\n" in m.content
    it.logged(r'filter-report phase=mail-from filter="h" text="here"')


# ---- senders of a user ----

def test_senders(lab):
    """Who has authenticated sends as what his entry has, and who has not is
    not asked."""
    it, r = one(lab,
                'table users { ann = "%s" }' % crypt("x"),
                'table may { ann = "ann@a.test, @b.test, @*.c.test", '
                'boss = "@" }',
                options="auth-optional <users> auth-insecure senders <may>")
    no = "550 5.7.1 Not permitted to send as "
    for user, sender, want in (
            ("ann", "ann@a.test", "250 "), ("ann", "Ann+x@A.test", "250 "),
            ("ann", "bob@a.test", no + "<bob@a.test>"),
            ("ann", "any@b.test", "250 "), ("ann", "any@x.b.test", no),
            ("ann", "any@x.c.test", "250 "), ("ann", "any@c.test", no),
            ("ann", "", no + "<>"), ("ann", '"ann@a.test"@evil.test', no),
            ("boss", "bob@a.test", "250 "), ("boss", "", "250 "),
            ("eve", "eve@a.test", no), (None, "bob@a.test", "250 ")):
        wire = hello(it, "ADDR=192.0.2.1" + (f" LOGIN={user}" if user else ""))
        reply = wire.ask(f"MAIL FROM:<{sender}>")
        assert reply.startswith(want), (user, sender, reply)
        # Refused, it may try another.
        if want != "250 " and user == "ann":
            assert wire.ask("RCPT TO:<b@x.test>").startswith("503 ")
            assert wire.ask("MAIL FROM:<ann@a.test>").startswith("250 ")
        wire.close()


def test_senders_without_an_answer(lab):
    program = Program(lab, services="mailaddrmap", mode="error")
    it, r = one(lab, program.line,
                'table users { ann = "%s" }' % crypt("x"),
                options="auth-optional <users> auth-insecure senders <t>")
    wire = hello(it, "ADDR=192.0.2.1 LOGIN=ann")
    assert wire.ask("MAIL FROM:<ann@a.test>").startswith("451 4.3.0 ")
    wire.close()


# ---- what nobody knows ----

def test_silent_dns(lab):
    """No answer of the DNS about a client's name: nobody is refused for good,
    nor let in by it."""
    it, r = one(lab, 'filter a phase ehlo match !fcrdns reject "550 no"',
                options="filter a")
    wire = talk.Wire(it.address, it.port)
    assert wire.reply().startswith("220 ")
    assert wire.ask("XCLIENT ADDR=192.0.2.1 NAME=[TEMPUNAVAIL]") \
        .startswith("220 ")
    assert wire.ask("EHLO c.test").startswith("451 ")
    assert wire.ask("XCLIENT ADDR=192.0.2.1 NAME=mx.a.test") \
        .startswith("220 ")
    assert wire.ask("EHLO c.test").startswith("250-")
    wire.close()
    it.logged(r'filter phase=ehlo decision=later filter="a" text="550 no"')


def test_silent_dns_before_the_greeting(lab):
    it, r = one(lab, 'filter a phase connect match !rdns disconnect "550 no"',
                options="filter a")
    wire = talk.Wire(it.address, it.port)
    assert wire.reply().startswith("220 ")
    assert wire.ask("XCLIENT ADDR=192.0.2.1 NAME=[TEMPUNAVAIL]") \
        .startswith("421 ")
    assert wire.ended()
    wire.close()


@pytest.mark.parametrize("mode", ["hang", "die", "error", "nonsense"])
def test_table_without_an_answer(lab, mode):
    """A program that hangs, dies or fails: 451 in time, and other sessions do
    not wait for it; when it answers again, so do we."""
    program = Program(lab)
    it, r = one(lab, program.line,
                'filter f phase ehlo match helo <t> reject "550 in it"',
                'filter g phase ehlo match src 192.0.2.9 bypass',
                options="filter { g, f }")
    wire = talk.Wire(it.address, it.port)
    assert wire.reply().startswith("220 ")
    assert wire.ask("EHLO x.test") == "550 in it"
    assert wire.ask("EHLO y.test").startswith("250-")
    program.mode(mode)
    began = time.monotonic()
    wire.send(b"EHLO z.test\r\n")
    hello(it, "ADDR=192.0.2.9").close()
    assert mode != "hang" or not select.select([wire.sock], [], [], 0)[0]
    reply = wire.reply()
    assert reply.startswith("451 "), reply
    assert time.monotonic() - began < 40
    program.mode("good")
    base.wait_until(lambda: wire.ask("EHLO x.test") == "550 in it",
                    "the table answers again", 30, 0.3)
    wire.close()


def test_client_gone_while_a_table_is_asked(lab):
    program = Program(lab, mode="good")
    it, r = one(lab, program.line,
                'filter f phase commit match helo <t> reject "550 in it"',
                options="filter f")
    program.mode("late")
    wire = hello(it, helo="y.test")
    for line in ("MAIL FROM:<a@c.test>", "RCPT TO:<b@x.test>", "DATA"):
        assert wire.ask(line)[:3] in ("250", "354")
    wire.send(b"x\r\n.\r\n")
    base.wait_until((program.dir / "asked").exists, "it is asked")
    wire.close()
    it.logged(r" disconnect reason=\S+ mails=0 ", timeout=30)
    base.wait_until(lambda: not it.spool_files(), "nothing is left", 45)
    program.mode("good")
    hello(it, helo="y.test").close()


# ---- the operator ----

def test_reload(lab):
    """New sessions have the new filters; who is here keeps the old ones."""
    it, r = one(lab, 'filter f phase mail-from match !src 192.0.2.1 '
                'reject "550 5.7.1 old"', options="filter f")
    old = hello(it)
    assert old.ask("MAIL FROM:<a@c.test>") == "550 5.7.1 old"
    reload(it, it.text.replace("5.7.1 old", "5.7.2 new"))
    new = hello(it)
    assert new.ask("MAIL FROM:<a@c.test>") == "550 5.7.2 new"
    assert old.ask("MAIL FROM:<a@c.test>") == "550 5.7.1 old"
    reload(it, it.text.replace(" filter f\n", "\n"))
    none = hello(it)
    assert none.ask("MAIL FROM:<a@c.test>").startswith("250 ")
    for wire in (old, new, none):
        wire.close()


def test_chain_by_name(lab):
    """A chain stands for its members, in its place."""
    it, r = one(lab, 'filter a phase ehlo match helo { a.test } bypass',
                'filter b phase ehlo match helo { b.test } reject "550 b"',
                'filter both chain { a, b }',
                'filter all phase ehlo match !src 192.0.2.1 '
                'reject "550 all"',
                options="filter both")
    for name, want in (("a.test", "250-"), ("b.test", "550 b"),
                       ("c.test", "250-")):
        wire = talk.Wire(it.address, it.port)
        assert wire.reply().startswith("220 ")
        assert wire.ask("EHLO " + name).startswith(want)
        wire.close()


def test_explain(lab):
    """smtpctl explain asks the filters of a port as a session would."""
    it, r = one(lab, 'filter f_name phase connect match !fcrdns '
                'disconnect "550 5.7.1 no name"',
                'filter f_helo phase ehlo match helo { spam.test } junk',
                'filter f_to phase rcpt-to match rcpt-to { old@x.test } '
                'rewrite "new@x.test"',
                'filter f_big phase data match mail-from { no@c.test } '
                'reject "554 no"',
                options="filter { f_name, f_helo, f_to, f_big }")
    port = str(it.port)
    who = ("--src", "192.0.2.1", "--port", port)
    steps = explain(it, *who, "--rdns", "", "b@x.test", status=1)
    assert at(steps, "filter") == [line_of(it, "filter f_name")]
    assert of(steps, "filter") == [
        'disconnect "f_name" at connect: 550 5.7.1 no name']
    assert steps[-1]["outcome"]["text"] == "no name"
    assert not of(steps, "rule")
    steps = explain(it, *who, "b@x.test", status=75)
    assert of(steps, "filter")[0].startswith('later "f_name" at connect')
    named = (*who, "--rdns", "mx.a.test")
    steps = explain(it, *named, "--helo", "spam.test", "old@x.test")
    assert of(steps, "filter") == ['junk "f_helo" at ehlo',
                                   'rewrite "f_to" at rcpt-to: new@x.test']
    assert of(steps, "address") == ["new@x.test"]
    steps = explain(it, *named, "--from", "no@c.test", "b@x.test", status=1)
    assert of(steps, "filter") == ['reject "f_big" at data: 554 no']
    # Nobody said which listener.
    assert not of(explain(it, "--src", "192.0.2.1", "b@x.test"), "filter")
    out = it.ctl("explain", *named, "--helo", "spam.test", "b@x.test").stdout
    assert 'junk "f_helo" at ehlo' in out
