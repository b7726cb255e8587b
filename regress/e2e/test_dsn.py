"""Notifications: what a sender is told, as Python's email package and a strict
reader of RFC 3464 see it; and how many strangers are told.

SPDX-License-Identifier: ISC
"""
import email
import os
import re
import signal
import smtplib
import socket
import time

import pytest

from lib import base, dsn
from lib.instance import conf, submit

ORIGINAL = ("From: <a@c.test>\r\nTo: <b@x.test>\r\nSubject: the first one\r\n"
            "Message-ID: <orig@c.test>\r\n\r\nsecret body\r\n")


def stage(lab, lines=(), home=None, **kw):
    """x.test behaves as told, c.test is where notifications go."""
    r = lab.receiver(address="127.0.0.2", **kw)
    box = lab.receiver(address="127.0.0.3", **(home or {}))
    dns = lab.dns({"x.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, lines=["hostname mx.test", *lines], rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "out" relay port {r.port}',
        'match from any for domain { "c.test", "mx.test" } action "home"',
        'match from any for any action "out"']))
    return it, r, box


def parts(message):
    """(text for people, fields per message, fields per recipient, original)."""
    dsn.read(message.content)
    m = email.message_from_bytes(message.content)
    assert message.sender == ""
    assert m.get_content_type() == "multipart/report", m.as_string()
    assert m.get_param("report-type") == "delivery-status"
    assert m["MIME-Version"] == "1.0"
    assert m["Date"] and m["Message-ID"] and m["From"] and m["To"]
    assert m["Auto-Submitted"] == "auto-replied"
    for part in m.walk():
        assert not part.defects, part.defects
    text, status, original = m.get_payload()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    about, *rcpts = status.get_payload()
    return text.get_payload(), about, rcpts, original


def test_failed(lab):
    it, r, box = stage(lab, rcpt={"bad@x.test": "550 5.1.1 no bad here",
                                  "worse@x.test": "553 5.1.3 what a name"})
    it.send("a@c.test", ["good@x.test", "bad@x.test", "worse@x.test"],
            ORIGINAL)
    box.wait(1)
    text, about, rcpts, original = parts(box.messages[0])
    assert "bad@x.test" in text and "no bad here" in text
    assert about["Reporting-MTA"] == "dns; mx.test"
    assert about["Arrival-Date"]
    told = {p["Final-Recipient"]: p for p in rcpts}
    assert set(told) == {"rfc822; bad@x.test", "rfc822; worse@x.test"}
    bad = told["rfc822; bad@x.test"]
    assert bad["Action"] == "failed" and bad["Status"] == "5.1.1"
    assert re.sub(r"\s+", " ", bad["Diagnostic-Code"]) == \
        "smtp; 550 5.1.1 no bad here"
    assert bad["Remote-MTA"].startswith("dns; ")
    assert told["rfc822; worse@x.test"]["Status"] == "5.1.3"
    head = original.as_string()
    assert "the first one" in head and "orig@c.test" in head
    assert "secret body" not in head
    it.empty()
    time.sleep(0.5)
    assert len(box.messages) == 1, "one notification for one message"


def test_hostile_words(lab):
    """What the remote says can break neither the form nor the header."""
    nasty = (b"550-5.1.1 a\r\n550-5.1.1 Action: delivered\r\n"
             b"550-5.1.1 \x1b[31m \xff\xfe\t--=boundary\r\n"
             b"550 5.1.1 " + b"w" * 600 + b"\r\n")
    it, r, box = stage(lab, rcpt=nasty)
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(1)
    text, about, rcpts, _ = parts(box.messages[0])
    assert len(rcpts) == 1 and rcpts[0]["Action"] == "failed"
    assert rcpts[0]["Status"] == "5.1.1"
    raw = box.messages[0].content
    assert all(b < 128 and b != 0x1b for b in raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_expired(lab):
    """Given up after `queue ttl`: 4.4.7 of the last words."""
    it, r, box = stage(lab, ["queue ttl 3s"], rcpt="451 4.7.1 still busy")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(1, 45)
    text, about, (rcpt,), _ = parts(box.messages[0])
    assert rcpt["Action"] == "failed"
    assert rcpt["Status"] in ("4.4.7", "5.4.7")
    assert "still busy" in text
    it.empty()


def test_delayed(lab):
    """One warning at its time, then the message is still delivered."""
    it, r, box = stage(lab, ["bounce warn-interval 2s"],
                       rcpt="451 4.7.1 still busy")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(1, 45)
    text, about, (rcpt,), _ = parts(box.messages[0])
    assert rcpt["Action"] == "delayed"
    assert rcpt["Status"].startswith("4.")
    assert rcpt["Will-Retry-Until"]
    assert "still busy" in text
    time.sleep(3)
    assert len(box.messages) == 1, "warned twice for one interval"
    r.table["rcpt"] = "250 2.1.5 ok"
    r.wait(1)
    it.empty()
    assert len(box.messages) == 1


def test_delayed_down(lab):
    """The same where a whole destination is down: what waits for its route is
    warned of in between two attempts, and the next one warns of it no more."""
    box, port = lab.receiver(address="127.0.0.3"), base.free_port("127.0.0.9")
    it = lab.postern(conf(lines=["bounce warn-interval 3s"], retry="2s up to 5s",
                          rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "out" relay host "smtp://127.0.0.9:{port}"',
        'match from any for domain "c.test" action "home"',
        'match from any for any action "out"']))
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(1, 45)
    it.logged(r"delivery .*to=\"b@x\.test\".* attempts=4 ", 1, 40)
    time.sleep(2)
    assert len(box.messages) == 1, "warned twice for one interval"
    it.ctl("remove", "all")


def test_two_warnings(lab):
    # The first is gone from the disk within a second of its delivery.
    it, r, box = stage(lab, ["bounce warn-interval { 2s, 8s }"],
                       rcpt="451 4.7.1 still busy")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    box.wait(2, 40)
    time.sleep(2)
    assert [parts(m)[2][0]["Action"] for m in box.messages] == ["delayed"] * 2
    # Who shows no message twice shows both.
    ids = [dsn.read(m.content).message["Message-ID"] for m in box.messages]
    assert re.fullmatch(r"<\w{13}\.dsn\.2@mx\.test>", ids[0]), ids
    assert ids[1] == ids[0].replace(".2@", ".8@"), ids


def test_one_warning_for_all(lab):
    """Who is late some seconds after another is told of with it."""
    it, r, box = stage(lab, ["bounce warn-interval 3s"], rcpt={
        "a@x.test": "451 4.7.1 Greylisted, try again in 7 seconds",
        "b@x.test": "451 4.2.1 still busy"})
    it.send("a@c.test", ["a@x.test", "b@x.test"], ORIGINAL)
    box.wait(1, 30)
    d = dsn.read(box.messages[0].content)
    assert sorted(f["Final-Recipient"] for f in d.rcpts) == [
        "rfc822; a@x.test", "rfc822; b@x.test"]
    time.sleep(2)
    assert len(box.messages) == 1, "each was told of alone"
    it.ctl("remove", "all")


def test_not_for_strangers(lab):
    """Where our configuration is, and what it calls things, stays here; which
    message it was is said."""
    it, r, box = stage(lab, ["queue ttl 4s", "tls domain x.test require"])
    it.send("a@c.test", "b@x.test", ORIGINAL.replace(
        "Subject: the first one",
        "Subject: =?utf-8?q?caf=C3=A9?=\r\n"
        "Date: Thu, 20 Nov 2025 10:00:00 +0100"))
    m, = box.wait(1, 30)
    d = dsn.read(m.content)
    assert "; policy: require by tls domain" in d.words
    assert "smtpd.conf" not in m.content.decode()
    assert "smtpd.conf" in it.log()
    assert 'This is about your message "caf\u00e9" of Thu, 20 Nov 2025 ' \
        '10:00:00 +0100.' in d.words


def test_null_sender(lab):
    """What comes from <> is never bounced to <>."""
    it, r, box = stage(lab, rcpt="550 5.1.1 no")
    it.send("", "b@x.test", ORIGINAL)
    it.empty()
    time.sleep(1)
    for m in box.messages:
        assert m.rcpts == ["postmaster@mx.test"], m.rcpts


def test_double_bounce(lab):
    """A notification that fails goes to postmaster, once, and no further."""
    it, r, box = stage(lab, home={"rcpt": {
        "a@c.test": "550 5.1.1 the sender is gone too"}},
        rcpt="550 5.1.1 no")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    m, = box.wait(1)
    assert m.rcpts == ["postmaster@mx.test"]
    it.empty()
    time.sleep(1)
    assert len(box.messages) == 1


def test_triple_bounce(lab):
    """Postmaster cannot be reached either: it ends, and is in the log."""
    it, r, box = stage(lab, home={"rcpt": "550 5.1.1 nobody at all"},
                       rcpt="550 5.1.1 no")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    base.wait_until(lambda: sum("RCPT" in l for l in box.lines) >= 2,
                    "both are tried")
    it.empty()
    time.sleep(1)
    assert not box.messages
    assert sum("RCPT" in l for l in box.lines) == 2


def test_all_bounce_once(lab):
    """The same failure, queue killed again and again: one notification each."""
    it, r, box = stage(lab, rcpt="550 5.1.1 no")
    ids = []
    for n in range(30):
        ids.append(it.send(f"a{n}@c.test", "b@x.test", ORIGINAL))
        if n % 10 == 5:
            for pid in it.pids("queue"):
                os.kill(pid, signal.SIGKILL)
    base.wait_until(lambda: len({m.rcpts[0] for m in box.messages}) == 30,
                    "30 senders are told", 40)
    it.empty()
    told = {}
    for m in box.messages:
        told.setdefault(m.rcpts[0], set()).add(
            email.message_from_bytes(m.content)["Message-ID"])
    # Delivered twice is possible when deliver's result met a dead queue,
    # but then it is the same notification under the same id.
    assert all(len(v) == 1 for v in told.values()), told


# ---- the first sentence ----

# What a server does, or the DNS; what the sender reads first, and what it is
# called in the subject.  Columns: name, what is said at which stage, sentence,
# subject.
REFUSED = [
    ("mailbox", {"rcpt": "550 5.1.1 no such user"},
     "The address b@x.test does not exist at x.test, or takes no mail.",
     "no such address"),
    ("full", {"rcpt": "552 5.2.2 mailbox full"},
     "The mailbox of b@x.test is full.", "the mailbox is full"),
    ("large", {"dot": "552 5.3.4 message too big"},
     "The message is larger than the mail server of x.test accepts.",
     "too large"),
    ("spam", {"dot": "554 5.7.1 this message looks like spam"},
     "The mail server of x.test refused the message as spam, or as harmful.",
     "refused as spam"),
    ("content", {"dot": "554 5.6.0 this attachment is not taken"},
     "The mail server of x.test refused the message because of its content: "
     "its size, its format, or because it looks like spam or a virus.",
     "its content was refused"),
    ("policy", {"rcpt": "550 5.7.1 relaying denied"},
     "The mail server of x.test refused the message because of rules about "
     "who may send mail to b@x.test.", "it is not allowed there"),
    ("reputation", {"rcpt": "554 5.7.1 Client host blocked using "
                    "zen.spamhaus.org"},
     "The mail server of x.test refused the message because our mail server "
     "is not trusted there. This is not your fault; the people who run our "
     "mail server can have it changed.",
     "our mail server is not trusted there"),
]


@pytest.mark.parametrize("name,table,sentence,subject", REFUSED,
                         ids=[r[0] for r in REFUSED])
def test_sentence_refused(lab, name, table, sentence, subject):
    it, r, box = stage(lab, **table)
    it.send("a@c.test", "b@x.test", ORIGINAL)
    m, = box.wait(1)
    d = dsn.read(m.content)
    assert d.first == sentence + " No further attempt is made."
    assert d.subject == "Your message could not be delivered: " + subject
    said, = table.values()
    assert said in d.words, "the server's own words"
    assert re.search(r"mail server of x.test|x\.test\[127\.0\.0\.2\]:\d+ said "
                     r"on \w{3}, \d+ ", d.words)
    assert d.rcpts[0]["Diagnostic-Code"] == "smtp; " + said
    assert d.rcpts[0]["Remote-MTA"].startswith("dns; ")
    assert d.rcpts[0]["Status"] == said.split()[1]
    assert d.rcpts[0]["Final-Log-ID"] in d.words


EXPIRED = [
    ("mailbox", {"rcpt": "450 4.2.1 not now"},
     r"The mailbox of b@x\.test took no mail for \d+ seconds\."),
    ("greylisting", {"rcpt": "450 4.7.1 Greylisted, come again later"},
     r"For \d+ seconds, the mail server of x\.test asked for the message to "
     r"be sent again later, and never took it\. Some servers do so with "
     r"senders that they do not know yet\."),
    ("rate", {"rcpt": "452 4.7.1 Too many messages, slow down"},
     r"For \d+ seconds, the mail server of x\.test said that too much mail "
     r"was coming at once, and did not accept the message\."),
    ("system", {"dot": "451 4.3.0 disk trouble"},
     r"For \d+ seconds, the mail server of x\.test could not accept the "
     r"message because of a technical problem there\."),
]


@pytest.mark.parametrize("name,table,sentence", EXPIRED,
                         ids=[r[0] for r in EXPIRED])
def test_sentence_expired(lab, name, table, sentence):
    it, r, box = stage(lab, ["queue ttl 4s"], **table)
    it.send("a@c.test", "b@x.test", ORIGINAL)
    m, = box.wait(1, 30)
    d = dsn.read(m.content)
    assert re.fullmatch(sentence + r" No further attempt is made\.", d.first), \
        d.first
    assert list(table.values())[0] in d.words


def test_sentence_no_domain(lab):
    it, r, box = stage(lab)
    it.send("a@c.test", "b@none.invalid", ORIGINAL)
    m, = box.wait(1)
    d = dsn.read(m.content)
    assert d.first.startswith(
        "There is no domain none.invalid, or it has no mail server. Is the "
        "address spelled correctly?"), d.first
    assert d.subject.endswith(": no such domain")
    assert "Remote-MTA" not in d.rcpts[0], "nobody was asked"


def test_sentence_unreachable(lab):
    it, r, box = stage(lab, ["queue ttl 4s"])
    r.stop()
    it.send("a@c.test", "b@x.test", ORIGINAL)
    m, = box.wait(1, 30)
    d = dsn.read(m.content)
    assert re.match(r"The mail server of x\.test could not be reached for \d+ "
                    r"seconds\.", d.first), d.first
    assert "Remote-MTA" not in d.rcpts[0], "nobody spoke"
    assert d.rcpts[0]["Status"] == "4.4.7"


def test_sentence_no_secure_connection(lab):
    it, r, box = stage(lab, ["queue ttl 4s", "tls domain x.test require"])
    it.send("a@c.test", "b@x.test", ORIGINAL)
    m, = box.wait(1, 30)
    d = dsn.read(m.content)
    assert re.match(r"The message could not be delivered over a secure "
                    r"connection to the mail server of x\.test for \d+ seconds,"
                    r" and it may not be sent without one\.", d.first), d.first
    assert not r.messages


def test_sentence_smarthost(lab):
    """The host that everything goes to is named, not the recipient's."""
    it, r, box = stage(lab)
    port = base.free_port()
    it2 = lab.postern(conf(lab.dns({}), lines=[
        "hostname mx.test", "queue ttl 4s"], rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "out" relay host "smtp://127.0.0.9:{port}"',
        'match from any for domain { "c.test", "mx.test" } action "home"',
        'match from any for any action "out"']))
    it2.send("a@c.test", "b@x.test", ORIGINAL)
    m, = box.wait(1, 30)
    d = dsn.read(m.content)
    assert re.match(r"The mail server 127\.0\.0\.9 could not be reached for ",
                    d.first), d.first


def test_sentence_delayed(lab):
    it, r, box = stage(lab, ["bounce warn-interval 2s"],
                       rcpt="450 4.7.1 Greylisted, come again later")
    it.send("a@c.test", "b@x.test", ORIGINAL)
    m, = box.wait(1, 45)
    d = dsn.read(m.content)
    assert d.first.startswith(
        "The mail server of x.test asked for the message to be sent again "
        "later, as is usual where a sender is not yet known. Nothing needs to "
        "be done, and there is no need to send it again: it is tried until "
        ), d.first
    assert d.subject == "Your message is delayed: it is to be sent again later"
    assert d.rcpts[0]["Will-Retry-Until"].rpartition(" ")[0] in d.first
    it.ctl("remove", "all")


# ---- one notification, a paragraph for each cause ----

def test_grouped(lab):
    """Seven recipients, two reasons: one notification, each reason once."""
    gone = {f"gone{n}@x.test": f"550 5.1.1 <gone{n}@x.test>: User unknown"
            for n in range(5)}
    it, r, box = stage(lab, rcpt=dict(gone, **{
        f"full{n}@x.test": "552 5.2.2 over quota" for n in range(2)}))
    it.send("a@c.test", ["ok@x.test", "full0@x.test", "full1@x.test", *gone],
            ORIGINAL)
    m, = box.wait(1)
    d = dsn.read(m.content)
    assert d.first == ("Your message could not be delivered to 7 recipients, "
                       "for different reasons. No further attempt is made.")
    assert d.subject == "Your message could not be delivered"
    assert d.words.count("5 addresses do not exist at x.test, or take no mail."
                         ) == 1
    assert d.words.count("The mailboxes of 2 addresses are full.") == 1
    assert d.words.count(" said on ") == 2
    assert all(f"<{a}>" in d.text for a in gone)
    assert d.words.count("User unknown") == 1
    # For programs each has its own.
    assert sorted(f["Diagnostic-Code"] for f in d.rcpts) == sorted(
        [f"smtp; {w}" for w in gone.values()] +
        ["smtp; 552 5.2.2 over quota"] * 2)
    it.empty()
    time.sleep(0.5)
    assert len(box.messages) == 1


def test_many(lab):
    """More recipients than one notification tells of: each is told of once."""
    it, r, box = stage(lab, rcpt=lambda s: "550 5.1.1 no such user")
    rcpts = [f"r{n}@x.test" for n in range(700)]
    it.send("a@c.test", rcpts, ORIGINAL)
    box.wait(2, 40)
    it.empty(40)
    all_told = [dsn.read(m.content) for m in box.messages]
    told = [f["Final-Recipient"] for d in all_told for f in d.rcpts]
    assert sorted(told) == sorted(f"rfc822; {a}" for a in rcpts)
    assert all(len(d.rcpts) <= 500 for d in all_told)
    assert all(len(m.content) < 4 << 20 for m in box.messages)
    large = max(all_told, key=lambda d: len(d.rcpts))
    assert "more, listed in the next part" in large.text


# ---- how many strangers are told ----

class Strangers:
    """An instance to which clients from elsewhere come, by PROXY."""

    def __init__(self, lab, lines=(), rules=(), **kw):
        self.r = lab.receiver(address="127.0.0.2", **kw)
        self.box = lab.receiver(address="127.0.0.3")
        self.dns = lab.dns({"x.test": ["MX 10 mx1.x.test.",
                                       "MX 20 mx.test."],
                            "mx1.x.test": ["A 127.0.0.2"],
                            "mx.test": ["A 127.0.0.1"]})
        self.port = base.free_port()
        self.lines = list(lines)
        self.rules = [r.replace("{primary}", str(self.r.port))
                      for r in rules] or [
            f'action "out" relay port {self.r.port}',
            'match from any for any action "out"']
        self.it = lab.postern(self.text())

    def text(self):
        return conf(self.dns, lines=[
            "hostname mx.test", *self.lines,
            f"listen on 127.0.0.1 port {self.port} proxy {{ 127.0.0.1 }}"],
            rules=[f'action "home" relay host "smtp://127.0.0.3:'
                   f'{self.box.port}"',
                   'match from any for domain { "c.test", "mx.test" } action '
                   '"home"', *self.rules])

    def send(self, sender, rcpt, client="192.0.2.7", params=()):
        with smtplib.SMTP() as s:
            s.timeout = 30
            s.sock = socket.create_connection((base.LOOPBACK, self.port), 30)
            s.file = None
            s.sock.sendall(
                f"PROXY TCP4 {client} 127.0.0.1 4321 25\r\n".encode())
            code, said = s.getreply()
            assert code == 220, (code, said)
            return submit(s, sender, [rcpt], ORIGINAL, params)

    def owed(self):
        return [q for q in self.it.queue() if q.get("waits") == "rate"]

    def told(self):
        return sorted(m.rcpts[0] for m in self.box.messages)


def test_rate_of_an_address(lab):
    """Two an hour to each address; the third waits, and who looks sees why."""
    s = Strangers(lab, ["bounce address-rate 2/1h"], rcpt="550 5.1.1 no")
    for n in range(5):
        s.send("a@c.test", f"b{n}@x.test")
    s.send("b@c.test", "b@x.test", client="192.0.2.8")
    s.box.wait(3)
    base.wait_until(lambda: len(s.owed()) == 3, "three wait")
    assert s.told() == ["a@c.test", "a@c.test", "b@c.test"]
    for row in s.owed():
        assert row["state"] == "bouncing" and row["next"], row
        assert row["last"]["code"] == 550, "its reason is kept"
    text = s.it.ctl("show", "queue").stdout
    assert text.count("owed,rate") == 3, text
    ident = s.owed()[0]["id"]
    assert "as the rate of notifications allows" in \
        s.it.ctl("show", "envelope", ident).stdout
    assert len(s.it.logged(r"bounce-limited rcpts=1 wait=\d+ to=\"a@c\.test\"",
                           3)) == 3
    # Our own are told always; and nothing was lost on the way.
    for n in range(4):
        s.it.send("a@c.test", f"own{n}@x.test", ORIGINAL)
    s.box.wait(7)
    assert len(s.owed()) == 3
    s.it.ctl("remove", "all")
    s.it.empty()


def test_rate_of_all(lab):
    """Three in ten seconds for all of them: the others follow at that pace."""
    s = Strangers(lab, ["bounce rate 3/10s", "bounce address-rate 1000/1h"],
                  rcpt="550 5.1.1 no")
    begin = time.time()
    for n in range(8):
        s.send(f"a{n}@c.test", "b@x.test")
    s.box.wait(3)
    base.wait_until(lambda: len(s.owed()) + len(s.box.messages) >= 8,
                    "the others wait")
    s.box.wait(8, 60)
    assert s.told() == [f"a{n}@c.test" for n in range(8)]
    times = sorted(m.time for m in s.box.messages)
    assert times[0] - begin < 30
    for n in range(len(times) - 3):
        assert times[n + 3] - times[n] > 9, "more than three in ten seconds"
    s.it.empty()


def test_rate_survives(lab):
    """A queue that is killed, and a restart, know what was sent."""
    s = Strangers(lab, ["bounce address-rate 2/1h"], rcpt="550 5.1.1 no")
    for n in range(3):
        s.send("a@c.test", f"b{n}@x.test")
    base.wait_until(lambda: len(s.owed()) == 1, "one waits")
    s.box.wait(2)
    pid, = s.it.pids("queue")
    os.kill(pid, signal.SIGKILL)
    base.wait_until(lambda: s.it.pids("queue") not in ([], [pid]),
                    "the next queue")
    s.send("a@c.test", "b4@x.test")
    base.wait_until(lambda: len(s.owed()) == 2, "two wait")
    assert s.it.ctl("reload").returncode == 0
    s.send("a@c.test", "b5@x.test")
    base.wait_until(lambda: len(s.owed()) == 3, "three wait")
    s.it.stop()
    s.it.start()
    s.send("a@c.test", "b6@x.test")
    base.wait_until(lambda: len(s.owed()) == 4, "four wait")
    s.send("other@c.test", "b@x.test")
    s.box.wait(3)
    time.sleep(1)
    assert s.told() == ["a@c.test"] * 2 + ["other@c.test"]
    # Asked for now, they ask again, and still wait.
    s.it.ctl("flush", "all")
    time.sleep(1)
    assert len(s.owed()) == 4 and len(s.box.messages) == 3
    s.it.ctl("remove", "all")


def test_rate_ends(lab):
    """Who could not be told for as long as mail is tried is not told, which
    is said in the log."""
    s = Strangers(lab, ["queue ttl 6s", "bounce address-rate 1/1h"],
                  rcpt="550 5.1.1 no")
    for n in range(3):
        s.send("a@c.test", f"b{n}@x.test")
    s.box.wait(1)
    base.wait_until(lambda: len(s.owed()) == 2, "two wait")
    assert len(s.it.logged(
        r"bounce-dropped n=0 kind=failed to=\"a@c\.test\" rcpt=\"b\d@x\.test\"", 2,
        30)) == 2
    s.it.empty()
    assert len(s.box.messages) == 1


def test_rate_of_success_and_delay(lab):
    """They count too; a delay of which nobody may be told goes its way."""
    s = Strangers(lab, ["bounce address-rate 1/1h",
                        "bounce warn-interval 2s"],
                  rcpt={"late@x.test": "451 4.3.0 later"})
    s.send("a@c.test", "ok0@x.test", params=())
    for n in range(2):
        with_notify(s, "a@c.test", f"ok{n}@x.test")
    s.box.wait(1)
    base.wait_until(s.owed, "one waits")
    s.send("a@c.test", "late@x.test")
    s.it.logged(r"bounce-dropped n=0 kind=delayed to=\"a@c\.test\" "
                r"rcpt=\"late@x\.test\"", 1, 30)
    s.r.table["rcpt"] = "250 2.1.5 ok"
    base.wait_until(lambda: "late@x.test" in
                    [r for m in s.r.messages for r in m.rcpts],
                    "it is delivered", 30)
    assert len(s.box.messages) == 1
    s.it.ctl("remove", "all")


def with_notify(s, sender, rcpt):
    """A stranger's message that asks to be told of success."""
    with smtplib.SMTP() as c:
        c.timeout = 30
        c.sock = socket.create_connection((base.LOOPBACK, s.port), 30)
        c.file = None
        c.sock.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 4321 25\r\n")
        assert c.getreply()[0] == 220
        c.ehlo("c.test")
        assert c.mail(sender)[0] == 250
        assert c.rcpt(rcpt, ["NOTIFY=SUCCESS"])[0] == 250
        assert c.data(ORIGINAL)[0] == 250


def test_backup_mx(lab):
    """What a primary refuses that we are a backup for goes back to whoever it
    is said to be from: no more often than is allowed."""
    s = Strangers(lab, ["bounce address-rate 2/1h"], rcpt="550 5.1.1 no",
                  rules=['action "b" relay backup mx "mx.test" port {primary}',
                         'match from any for domain "x.test" action "b"'])
    for n in range(5):
        s.send("victim@c.test", f"made-up{n}@x.test")
    s.box.wait(2)
    base.wait_until(lambda: len(s.owed()) == 3, "the others wait")
    time.sleep(1)
    assert s.told() == ["victim@c.test"] * 2
    d = dsn.read(s.box.messages[0].content)
    assert d.first.startswith("The address made-up"), d.first
    s.it.ctl("remove", "all")
