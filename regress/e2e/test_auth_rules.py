"""What rules and `dmarc` do by what is found about who sent a message: refuse,
mark, hold, another way; at once and at later attempts.

SPDX-License-Identifier: ISC
"""
import os
import re
import signal

import pytest

from lib import base, talk
from lib.instance import conf
from lib.localroot import LocalRoot

COVERS = ["SEPARATELY"]

GOOD, BAD, GATE = "203.0.113.7", "203.0.113.66", "203.0.113.77"
# Domains of authors, who send from GOOD alone; what is wanted of the others.
NAMES = {
    "pass.test": ['TXT "v=spf1 ip4:203.0.113.7 -all"'],
    "_dmarc.pass.test": ['TXT "v=DMARC1; p=reject"'],
    "soft.test": ['TXT "v=spf1 ip4:203.0.113.7 ~all"'],
    "plain.test": ["A 192.0.2.1"],
    "strict.test": ['TXT "v=spf1 ip4:203.0.113.7 -all"'],
    "_dmarc.strict.test": ['TXT "v=DMARC1; p=reject; sp=quarantine"'],
    "sub.strict.test": ["A 192.0.2.1"],
    "list.test": ['TXT "v=spf1 -all"'],
    "_dmarc.list.test": ['TXT "v=DMARC1; p=reject"'],
    "below.list.test": ["A 192.0.2.1"],
}
MX = "listen on 127.0.0.1 port {port} auth-results xclient 127.0.0.1"

RULES = """\
match from any for domain spf.test auth-results spf { fail, softfail } reject
match from any for domain mark.test auth-results dmarc none junk action "out"
match from any for domain keep.test ! auth-results dmarc pass hold action "out"
match from any for domain way.test auth-results dmarc pass action "other"
match from any for domain only.test auth-results spf pass action "other"
match from any for domain sure.test junk action "out"
match from any for domain kept.test hold action "out"
match from any for domain { spf.test, mark.test, keep.test, way.test } \\
    action "out"
match from any for domain all.test action "out"
match from local for domain aliases.test action "alias"
match from any for domain aliases.test action "alias"
match from local auth-results dmarc pass for any action "other"
match from local for any action "out"
"""


class Mx:
    """One that verifies, and two servers behind it."""

    def __init__(self, lab):
        self.lab = lab
        self.out, self.other = lab.receiver(), lab.receiver()
        self.dns = lab.dns(NAMES)
        self.it = lab.postern(self.conf())

    def conf(self, out=None, other=None, rules=RULES):
        actions = [
            f'action "out" relay host smtp://127.0.0.1:'
            f'{out or self.out.port}',
            f'action "other" relay host smtp://127.0.0.1:'
            f'{other or self.other.port}',
            'action "alias" expand-only virtual '
            '{ "team@aliases.test" = "x@far.test, y@far.test" }']
        return conf(self.dns, listen=MX, lines=[
            "admd mx.test", "table spared { list.test }",
            "dmarc except from <spared>", f"dmarc except src {GATE}"],
            rules=actions + [rules])


def session(it, client):
    """As this client, who is a stranger; None: as ourselves."""
    wire = talk.Wire(it.address, it.port, 60)
    assert wire.reply().startswith("220 ")
    if client is not None:
        assert wire.ask(f"XCLIENT ADDR={client}").startswith("220 ")
    assert wire.ask("EHLO c.test").startswith("250")
    return wire


def send(it, client, domain, *rcpts):
    """Replies to each RCPT, and to the content (None: there was none)."""
    wire = session(it, client)
    assert wire.ask(f"MAIL FROM:<a@{domain}>").startswith("250"), domain
    said = [wire.ask(f"RCPT TO:<{r}>") for r in rcpts]
    done = None
    if any(s.startswith("250") for s in said):
        assert wire.ask("DATA").startswith("354")
        done = wire.ask(f"From: <a@{domain}>\r\nTo: <{rcpts[0]}>\r\n"
                        "Subject: t\r\n\r\nhello\r\n.")
    wire.close()
    return said, done


def taken(it, *args):
    """Its id."""
    said, done = send(it, *args)
    assert done and done.startswith("250 "), (args, said, done)
    return re.search(r"250 2\.0\.0 (\S{13})", done)[1]


@pytest.fixture
def mx(lab):
    return Mx(lab)


def content(server, id_):
    """What the server got of a message, when it has."""
    def look():
        for m in list(server.messages):
            if id_.encode() in m.content:
                return m.content
        return None
    return base.wait_until(look, f"{id_} at its server", 60)


def marked(text):
    return b"\r\nX-Spam: Yes\r\n" in b"\r\n" + text


def results(text):
    """The four of our own field."""
    field = re.search(rb"(?m)^Authentication-Results: mx\.test;(?:.*\r\n)"
                      rb"(?:[ \t].*\r\n)*", text)[0]
    return {k: v for k, v in re.findall(r"\b(spf|dkim|dmarc|arc)=(\w+)",
                                        field.decode())}


# Client, domain of the author, recipient; None: refused, then the words; else
# where it comes out and whether it is marked.
WAYS = [
    (BAD, "soft.test", "a@spf.test", None,
     "550 5.7.1 message refused by the rules here: spf=softfail dkim=none "
     "dmarc=none arc=none"),
    (GOOD, "soft.test", "a@spf.test", "out", False),
    (BAD, "plain.test", "a@mark.test", "out", True),
    (GOOD, "pass.test", "a@mark.test", "out", False),
    (GOOD, "pass.test", "a@way.test", "other", False),
    (BAD, "plain.test", "a@way.test", "out", False),
    (GOOD, "soft.test", "a@only.test", "other", False),
    (BAD, "plain.test", "a@only.test", None,
     "550 5.7.1 message refused by the rules here: spf=none"),
    (BAD, "plain.test", "a@sure.test", "out", True),
    # `dmarc`
    (BAD, "strict.test", "a@all.test", None,
     "550 5.7.1 refused by the DMARC policy of strict.test"),
    (BAD, "sub.strict.test", "a@all.test", "out", True),
    (BAD, "list.test", "a@all.test", "out", False),
    (BAD, "below.list.test", "a@all.test", "out", False),
    (GATE, "strict.test", "a@all.test", "out", False),
    (GOOD, "strict.test", "a@all.test", "out", False),
]


def test_ways(mx):
    """Rules by results, `dmarc` and its exceptions by table; mail of this host
    is not verified, and no rule that asks for results is for it."""
    for client, domain, rcpt, where, then in WAYS:
        case = (client, domain, rcpt)
        if where is None:
            said, done = send(mx.it, *case)
            assert said == ["250 2.1.5 recipient ok"] or \
                said[0].startswith("250"), (case, said)
            assert done.startswith(then), (case, done)
            continue
        got = content(getattr(mx, where), taken(mx.it, *case))
        assert marked(got) == then, (case, got)
        assert results(got), case
    # Nobody takes what no result could have taken.
    said, done = send(mx.it, BAD, "plain.test", "a@nowhere.test")
    assert said[0].startswith("550 5.7.1 ") and done is None
    # Of our own.
    for rcpt, mark in (("a@mark.test", False), ("a@keep.test", False),
                       ("a@sure.test", True)):
        got = content(mx.out, taken(mx.it, None, "plain.test", rcpt))
        assert marked(got) == mark, rcpt
        assert b"Authentication-Results" not in got
    said, done = send(mx.it, None, "plain.test", "a@only.test")
    got = [m.content for m in mx.out.messages if b"only.test" in m.content]
    assert done.startswith("250 ") and len(got) <= 1
    check_together(mx)
    check_explain(mx)
    check_alias(mx)


def check_together(mx):
    """Recipients of whom the results would decide otherwise come alone."""
    said, done = send(mx.it, BAD, "plain.test", "a@mark.test", "b@mark.test",
                         "c@keep.test", "d@way.test", "e@mark.test")
    assert [s[:9] for s in said] == ["250 2.1.5", "250 2.1.5", "452 4.5.3",
                                     "452 4.5.3", "250 2.1.5"], said
    assert done.startswith("250 ")
    # Another way alone is no reason.
    said, done = send(mx.it, GOOD, "pass.test", "a@all.test", "b@way.test")
    assert [s[:3] for s in said] == ["250", "250"]
    id_ = re.search(r"250 2\.0\.0 (\S{13})", done)[1]
    content(mx.out, id_)
    content(mx.other, id_)
    # Nor is any of it for who is not verified, but a rule's own word is.
    said, done = send(mx.it, None, "plain.test", "a@mark.test", "b@keep.test",
                         "c@sure.test")
    assert [s[:3] for s in said] == ["250", "250", "452"]


def check_explain(mx):
    it = mx.it
    for args, status, words in (
            (["--spf", "softfail", "a@spf.test"], 1, "refused"),
            (["--spf", "pass", "a@spf.test"], 0, '"out"'),
            (["a@spf.test"], 0, '"out"'),
            (["--dmarc", "pass", "--spf", "none", "a@way.test"], 0,
             '"other"'),
            (["--dmarc", "fail", "a@keep.test"], 0, "hold"),
            (["--dmarc", "none", "a@mark.test"], 0, "junk"),
            (["--dmarc", "good", "a@mark.test"], 64, "")):
        out = it.ctl("explain", "--src", BAD, *args, check=False)
        assert out.returncode == status, (args, out.stdout, out.stderr)
        assert words in out.stdout, (args, out.stdout)


def check_alias(mx):
    """What an alias stands for has the results of what came."""
    for domain, client, where in (("pass.test", GOOD, mx.other),
                                  ("plain.test", BAD, mx.out)):
        before = len(where.messages)
        taken(mx.it, client, domain, "team@aliases.test")
        where.wait(before + 1)
        base.wait_until(lambda: sum(len(m.rcpts) for m in
                                    where.messages[before:]) == 2,
                        "both of the team", 60)


def shown(it, id_):
    return it.ctl("show", "message", id_, "--json").json


def test_hold(mx):
    """What is held stays so through crashes, and is said everywhere; then it is
    released."""
    it = mx.it
    held = taken(mx.it, BAD, "plain.test", "a@keep.test", "b@keep.test")
    sure = taken(mx.it, None, "plain.test", "c@kept.test")
    goes = taken(mx.it, GOOD, "pass.test", "d@keep.test")
    content(mx.out, goes)
    rows = it.queue()
    assert [(r["id"], r["recipient"], r["state"]) for r in rows] == [
        (held, "a@keep.test", "held"), (held, "b@keep.test", "held"),
        (sure, "c@kept.test", "held")]
    assert rows[0]["auth_results"] == {"spf": "none", "dkim": "none",
                                       "dmarc": "none", "arc": "none"}
    assert "auth_results" not in rows[2]
    assert "held by policy" in rows[0]["last"]["text"]
    assert rows[0]["next"] is None
    assert shown(it, held)["auth_results"]["dmarc"] == "none"
    text = it.ctl("show", "envelope", held).stdout
    assert "\nauth-results: spf=none dkim=none dmarc=none arc=none\n" in text
    it.logged(rf" {held} held why=policy rcpts=2$")
    base.wait_until(lambda: " held      by policy, until it is released\n" in
                    it.ctl("trace", held).stdout, "the history has it", 30)
    assert [r["event"] for r in it.ctl("trace", held, "--json").json] == [
        "accepted", "held", "waiting", "waiting"]
    # All of it is killed, then the index is made again.
    it.kill()
    it.start()
    assert [r["state"] for r in it.queue()] == ["held"] * 3
    it.stop()
    it.ctl("rebuild")
    it.start()
    assert [r["state"] for r in it.queue()] == ["held"] * 3
    assert {m.rcpts[0] for m in mx.out.messages} == {"d@keep.test"}
    assert it.ctl("release", held, "--json").json["changed"] == 2
    content(mx.out, held)
    assert it.ctl("release", "all", "--json").json["changed"] == 1
    content(mx.out, sure)
    it.empty()


def test_hold_or_nothing(mx):
    """Queues die while messages come that are to be held: none of them is ever
    on its way, and each that was taken is there."""
    it = mx.it
    taken = []
    for n in range(3):
        wire = session(mx.it, BAD)
        for line in ("MAIL FROM:<a@plain.test>", "RCPT TO:<a@keep.test>",
                     "RCPT TO:<b@keep.test>"):
            assert wire.ask(line).startswith("250")
        assert wire.ask("DATA").startswith("354")
        wire.send(b"From: <a@plain.test>\r\nSubject: t\r\n\r\nhello\r\n.\r\n")
        if n % 2:
            base.wait_until(lambda: len(re.findall(
                r" verify session=", it.log())) > n, "it is judged", 60)
        for pid in it.pids("queue"):
            os.kill(pid, signal.SIGKILL)
        done = wire.reply()
        wire.close()
        if done.startswith("250 "):
            taken.append(re.search(r"250 2\.0\.0 (\S{13})", done)[1])
        else:
            assert done == "" or done.startswith("4"), done
        base.wait_until(lambda: it.pids("queue") and it.ctl(
            "show", "status", check=False).returncode == 0,
            "there is a queue again", 60)
    rows = it.queue()
    assert {r["state"] for r in rows} == {"held"}
    assert set(taken) <= {r["id"] for r in rows} and taken
    assert not mx.out.messages


# Before which of the queue's calls after the dot it dies: of no recipient it is
# written yet that it is held, of one, of both; it is on disk, and not said.
KILLED_AT = ["pwrite64:when=1", "pwrite64:when=2", "fdatasync:when=1",
             "sendmsg:when=1"]


def test_hold_killed(mx):
    """The queue dies while a message becomes one that is held: it is taken all
    the same, once, and held for each; when it is released it comes once."""
    it, taken = mx.it, []
    for point in KILLED_AT:
        queue, = it.pids("queue")
        wire = session(it, BAD)
        for line in ("MAIL FROM:<a@plain.test>", "RCPT TO:<a@keep.test>",
                     "RCPT TO:<b@keep.test>"):
            assert wire.ask(line).startswith("250")
        assert wire.ask("DATA").startswith("354")
        killer = mx.lab.child(["strace", "-f", "-p", queue, "-e", "trace=" +
                               point.partition(":")[0], "-e",
                               f"inject={point.replace(':', ':signal=KILL:')}"],
                              "strace")
        base.wait_until(lambda: "attached" in killer.log(), "it is watched")
        wire.send(b"From: <a@plain.test>\r\nSubject: t\r\n\r\nhello\r\n.\r\n")
        done = wire.reply()
        wire.close()
        assert queue not in it.pids("queue"), killer.log()
        assert "killed by SIGKILL" in killer.log(), killer.log()
        taken.append(re.match(r"250 2\.0\.0 (\w{13})", done)[1])
        base.wait_until(lambda: it.ctl("show", "status", check=False)
                        .returncode == 0, "there is a queue again", 60)
        assert sorted((r["id"], r["recipient"], r["state"])
                      for r in it.queue()) == [
            (id_, f"{user}@keep.test", "held")
            for id_ in sorted(taken) for user in "ab"], point
    assert not mx.out.messages
    assert it.ctl("release", "all", "--json").json["changed"] == 8
    it.empty()
    assert sorted((id_, r) for id_ in taken for m in mx.out.messages
                  if id_.encode() in m.content for r in m.rcpts) == sorted(
        (id_, f"{user}@keep.test") for id_ in taken for user in "ab")


def test_junk_folder(lab):
    """What is junk by its results is where junk belongs, whoever found that."""
    root = lab.keep(LocalRoot(lab.path("root")))
    users = ("d1", "d2", "d3")
    for user in users:
        root.user(user)
    it = lab.postern(conf(
        lab.dns(NAMES), listen=MX, lines=["hostname mx.c.test"], rules=[
            'action "d" maildir junk',
            'match from any for rcpt-to "d2@mx.c.test" auth-results spf none '
            'dkim none junk action "d"',
            'match from any for local action "d"']), wrap=root.wrap)
    taken(it, BAD, "sub.strict.test", "d1@mx.c.test")  # quarantine
    taken(it, BAD, "plain.test", "d2@mx.c.test")  # the rule
    taken(it, BAD, "plain.test", "d3@mx.c.test")
    it.empty()
    found = [(len(root.maildir(u)), len(root.maildir(u, "Maildir/.Junk")))
             for u in users]
    assert found == [(0, 1), (0, 1), (1, 0)]


def test_mended(mx):
    """At each attempt the rules are asked again with what was found when the
    message came, also of another configuration."""
    it = mx.it
    dead = base.free_port("127.0.0.1")
    it.write_conf(mx.conf(out=dead, other=dead))
    it.ctl("reload")
    passed = taken(mx.it, GOOD, "pass.test", "a@all.test")
    failed = taken(mx.it, BAD, "list.test", "b@all.test")
    base.wait_until(lambda: [q["attempts"] > 0 for q in it.queue()] ==
                    [True, True], "both were tried", 60)
    it.write_conf(mx.conf(rules='match from any auth-results dmarc pass '
                          'for domain all.test action "other"\n'
                          'match from any auth-results dmarc fail arc none '
                          'for domain all.test action "out"\n'))
    it.ctl("reload")
    it.ctl("flush", "all")
    content(mx.other, passed)
    content(mx.out, failed)
    it.empty()


def test_resolver(tmp_path):
    """`smtpd -P resolver`: that line of a file of which nothing else need be
    there."""
    file = tmp_path / "smtpd.conf"
    for text, status, said in (
            ("resolver 192.0.2.1\n", 0, "192.0.2.1 53 10\n"),
            ("resolver ::1 port 5353 timeout 2m\n", 0, "::1 5353 120\n"),
            ("", 0, ""),
            ('table t file:/nonexistent\nlisten on nosuch0 tls pki x.test\n',
             1, ""),
            ("pki x.test cert /nonexistent key /nonexistent\n"
             "listen on nosuch0 tls pki x.test\nresolver 192.0.2.2 port 54\n",
             0, "192.0.2.2 54 10\n"),
            ("resolver nowhere\n", 1, "")):
        file.write_text(text)
        out = base.run([base.BUILD / "smtpd", "-P", "resolver", "-f", file])
        assert (out.returncode, out.stdout) == (status, said), text
        assert (out.stderr == "") == (status == 0), out.stderr
    out = base.run([base.BUILD / "smtpd", "-P", "port", "-f", file])
    assert out.returncode == 64
