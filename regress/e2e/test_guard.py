"""Standing up to abuse: limits of clients over all session processes, who
speaks too early, names in the DNS, DNS lists, greylisting's exceptions.

Clients come by the PROXY protocol from 127.0.0.1, so that any address can be
one.

SPDX-License-Identifier: ISC
"""
import base64
import os
import re
import signal
import socket
import time

import pytest

from lib import base
from lib.instance import conf
from lib.liar import nxdomain, servfail, silent, answer

COVERS = ["LISTED", "EARLY"]

CONTENT = "Subject: t\r\n\r\nhello\r\n"


class Client:
    """One that speaks line by line, from the address it likes."""

    def __init__(self, port, ip="198.51.100.7", greeted=True):
        self.sock = socket.create_connection((base.LOOPBACK, port), 45)
        self.lines = self.sock.makefile("rb")
        if ip is not None:
            six = ":" in ip
            self.sock.sendall(
                b"PROXY TCP%d %s %s 4711 25\r\n" % (
                    6 if six else 4, ip.encode(),
                    b"2001:db8::25" if six else b"192.0.2.25"))
        self.greeting = self.reply() if greeted else None

    def reply(self):
        """Code and text of a reply, (0, "") at the end."""
        text = []
        while True:
            line = self.lines.readline().decode()
            if not line:
                return 0, ""
            text.append(line[4:].strip())
            if line[3:4] != "-":
                return int(line[:3]), " ".join(text)

    def say(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.reply()

    def code(self, line):
        return self.say(line)[0]

    def ehlo(self):
        assert self.greeting[0] == 220, self.greeting
        assert self.code("EHLO c.test") == 250
        return self

    def mail(self, rcpt="b@x.test", sender="a@c.test"):
        """A whole message; the first reply that is not good, else the last."""
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{rcpt}>", "DATA"):
            got = self.say(line)
            if got[0] >= 400 or got[0] == 0:
                if line[0] == "R":
                    self.say("RSET")
                return got
        return self.say(CONTENT + ".")

    def close(self):
        self.lines.close()
        self.sock.close()


@pytest.fixture
def house(lab):
    """Makes an instance with a listener for PROXY; house.port is its port."""
    class House:
        clients = []

        def make(self, options="", lines=(), dns=None, **kw):
            self.port = base.free_port()
            self.receiver = lab.receiver()
            self.it = lab.postern(conf(
                dns, lines=["table lb { 127.0.0.1 }", *lines],
                listen="listen on 127.0.0.1 port {port}\n"
                f"listen on 127.0.0.1 port {self.port} proxy <lb> {options}",
                rules=kw.pop("rules", [
                    'action "out" relay host '
                    f'"smtp://127.0.0.1:{self.receiver.port}"',
                    'match from any for domain x.test action "out"'])), **kw)
            return self.it

        def client(self, ip="198.51.100.7", **kw):
            c = Client(self.port, ip, **kw)
            self.clients.append(c)
            return c

        def refused(self, ip="198.51.100.7"):
            """The text of the 421 with which a client is refused."""
            c = self.client(ip)
            assert c.greeting[0] == 421, c.greeting
            assert c.reply() == (0, "")
            c.close()
            return c.greeting[1]
    it = House()
    it.clients = []
    yield it
    for c in it.clients:
        c.close()


# ---- limits ----

def test_sessions_at_once(house):
    """However many session processes there are, and freed when one goes."""
    it = house.make(lines=["limit client sessions 6"])
    assert len(it.pids("session")) > 1
    open_ = [house.client().ehlo() for _ in range(6)]
    for _ in range(6):
        assert house.refused() == \
            "4.7.0 Too many connections at once from [198.51.100.7]"
    house.client("198.51.100.8").ehlo()
    open_.pop().close()
    base.wait_until(lambda: house.client().greeting[0] == 220,
                    "room for one more")
    assert house.refused()
    assert it.logged(r"client-limit client=198\.51\.100\.7 limit=sessions "
                     r"of=198\.51\.100\.7 ")
    assert it.logged(r"reject .*client=198\.51\.100\.7 reply=\"421 4\.7\.0 ",
                     6)
    assert Client(it.port, None).greeting[0] == 220, "this host has no limit"


def test_sessions_of_a_network(house):
    it = house.make(lines=["limit network sessions 3 ipv4 28 ipv6 56"])
    for n in (16, 17, 31):
        house.client(f"198.51.100.{n}").ehlo()
    assert house.refused("198.51.100.20") == \
        "4.7.0 Too many connections at once from [198.51.100.16/28]"
    house.client("198.51.100.32").ehlo()
    for n in (1, 2, 3):
        house.client(f"2001:db8:1:{n}::1").ehlo()
    assert house.refused("2001:db8:1:ff::1").endswith("[2001:db8:1::/56]")
    house.client("2001:db8:1:100::1").ehlo()
    assert it.logged(r"client-limit client=2001:db8:1:ff::1 limit=sessions "
                     r"of=2001:db8:1::/56 ")


def test_ipv6_client_is_its_64(house):
    house.make(lines=["limit client sessions 1"])
    house.client("2001:db8:1:2::1").ehlo()
    assert house.refused("2001:db8:1:2:3:4:5:6").endswith(
        "[2001:db8:1:2::/64]")
    house.client("2001:db8:1:3::1").ehlo()


def test_rate(house):
    house.make(lines=["limit client rate 4/3s"])
    begin = time.monotonic()
    for _ in range(4):
        house.client().ehlo().close()
    assert house.refused() == \
        "4.7.0 Too many connections, try later, from [198.51.100.7]"
    base.wait_until(lambda: house.client().greeting[0] == 220, "again", 45)
    assert time.monotonic() - begin >= 2.9


def test_messages(house):
    """Told at MAIL, exactly, over several sessions; the session goes on."""
    house.make(lines=["limit client messages 5/1h"])
    a, b = house.client().ehlo(), house.client().ehlo()
    codes = [c.mail() for c in (a, b, a, b, a)]
    assert [c[0] for c in codes] == [250] * 5, codes
    for c in (a, b):
        assert c.say("MAIL FROM:<a@c.test>") == (
            450, "4.7.1 Too many messages, try later, from [198.51.100.7]")
        assert c.code("NOOP") == 250
    c = house.client().ehlo()
    assert c.code("MAIL FROM:<a@c.test>") == 450
    assert house.client("198.51.100.8").ehlo().mail()[0] == 250


def test_messages_not_sent_are_given_back(house):
    """What a session was allowed and did not use is another's."""
    house.make(lines=["limit client messages 24/1h"])
    sent = 0
    for _ in range(24):
        c = house.client().ehlo()
        sent += c.mail()[0] == 250
        c.code("QUIT")
        c.close()
    assert sent == 24
    assert house.client().ehlo().mail()[0] == 450


def test_recipients(house):
    """Those that were accepted; another is refused, the message is sent."""
    house.make(lines=["limit client recipients 5/1h"])
    c = house.client().ehlo()
    assert c.mail()[0] == 250
    assert c.code("MAIL FROM:<a@c.test>") == 250
    got = [c.say(f"RCPT TO:<r{n}@x.test>") for n in range(6)]
    assert [g[0] for g in got] == [250] * 4 + [450] * 2
    assert got[5][1] == \
        "4.7.1 Too many recipients, try later, from [198.51.100.7]"
    assert c.code("DATA") == 354
    assert c.say(CONTENT + ".")[0] == 250
    house.receiver.wait(2)


def test_recipients_pipelined(house):
    """All RCPTs in one packet do not help."""
    house.make(lines=["limit client recipients 10/1h"])
    c = house.client().ehlo()
    c.sock.sendall(b"MAIL FROM:<a@c.test>\r\n" + b"".join(
        b"RCPT TO:<r%d@x.test>\r\n" % n for n in range(30)))
    got = [c.reply()[0] for _ in range(31)]
    assert got == [250] * 11 + [450] * 20


def test_unknown_recipients(house):
    """Who guesses addresses is sent away, and not let in again."""
    it = house.make(lines=["limit client unknown 6/4s"])
    begin = time.monotonic()
    c = house.client().ehlo()
    assert c.code("MAIL FROM:<a@c.test>") == 250
    got = []
    for n in range(20):
        got.append(c.say(f"RCPT TO:<r{n}@nowhere.test>"))
        if got[-1][0] != 550:
            break
        # The guard is told beside the answer.
        time.sleep(0.01 if n < 5 else 1)
    assert got[-1] == (
        421, "4.7.1 Too many unknown recipients from [198.51.100.7]"), got
    assert 6 <= len(got) <= 8, got
    assert c.reply() == (0, "")
    assert "unknown recipients" in house.refused()
    assert it.logged(r"disconnect reason=limit ")
    base.wait_until(lambda: house.client().greeting[0] == 220, "forgiven", 45)
    assert time.monotonic() - begin >= 3.9


def test_errors(house):
    """Bad commands of all sessions together, whatever one session may."""
    house.make(lines=["limit client errors 9"])
    got = []
    for n in range(9):
        c = house.client()
        if c.greeting[0] != 220:
            got.append(c.greeting[0])
            break
        for _ in range(3):
            got.append(c.code("NONSENSE"))
            time.sleep(0.01)
        c.close()
        time.sleep(0.05 if n < 2 else 1)
    assert set(got[:9]) == {500} and 421 in got and len(got) <= 11, got
    assert "4.7.0 Too many errors" in house.refused()


def test_except(house):
    it = house.make(lines=["table ours { 198.51.100.0/24, 2001:db8:1::/48 }",
                           "limit client sessions 1 messages 1/1h",
                           "limit except <ours>"])
    for ip in ("198.51.100.7", "2001:db8:1::1"):
        for _ in range(3):
            assert house.client(ip).ehlo().mail()[0] == 250
    house.client("203.0.113.1").ehlo()
    house.refused("203.0.113.1")
    assert "client=198.51.100.7 limit" not in it.log()


def test_session_process_killed(house):
    """Its sessions are forgotten, and only its."""
    it = house.make(lines=["limit client sessions 8"])
    clients = [house.client().ehlo() for _ in range(8)]
    assert house.refused()
    for pid in it.pids("session"):
        os.kill(pid, signal.SIGKILL)
    base.wait_until(it.ready, "it answers again")
    for c in clients:
        c.close()
    again = [house.client() for _ in range(8)]
    assert [c.greeting[0] for c in again] == [220] * 8
    assert house.refused()


def test_guard_killed(house):
    """Mail goes on without it; the new one learns who is there."""
    it = house.make(lines=["limit client sessions 3 messages 1000/1h"])
    clients = [house.client().ehlo() for _ in range(3)]
    assert clients[0].mail()[0] == 250
    [old] = it.pids("guard")
    os.kill(old, signal.SIGSTOP)
    begin = time.monotonic()
    late = house.client()  # nobody answers: nothing against it
    assert late.greeting[0] == 220
    assert 0.9 < time.monotonic() - begin < 20
    late.close()
    os.kill(old, signal.SIGKILL)
    for n in range(40):
        assert clients[n % 3].mail()[0] == 250
    base.wait_until(lambda: it.pids("guard") not in ([], [old]),
                    "guard again")
    base.wait_until(lambda: house.client().greeting[0] == 421,
                    "it knows of the three")
    clients.pop().close()
    base.wait_until(lambda: house.client().greeting[0] == 220,
                    "it knows that one went")
    house.receiver.wait(41)


def test_reload_forgets(house):
    """A new configuration begins to count anew."""
    it = house.make(lines=["limit client rate 2/1h"])
    house.client().ehlo(), house.client().ehlo()
    house.refused()
    it.ctl("reload", timeout=60)
    house.client().ehlo(), house.client().ehlo()
    house.refused()


def test_many_addresses(house):
    """Each is counted for itself; none of a thousand is another's."""
    house.make(lines=["limit client rate 1/1h"])
    for n in range(250):
        c = house.client(f"203.0.113.{n}")
        assert c.greeting[0] == 220, (n, c.greeting)
        c.close()
    for n in (0, 100, 249):
        house.refused(f"203.0.113.{n}")


# ---- who cannot wait ----

def test_greet_delay(house):
    it = house.make("greet-delay 1s")
    begin = time.monotonic()
    c = house.client()
    assert c.greeting[0] == 220
    assert 0.9 < time.monotonic() - begin < 20
    assert c.ehlo().mail()[0] == 250
    # Another listener.
    assert base.at_best(lambda: Client(it.port, None), 0.9).greeting[0] == 220


@pytest.mark.parametrize("wait", [0, 0.3])
def test_early(house, wait):
    """It speaks before the greeting: 554 instead, and the end."""
    it = house.make("greet-delay 30s")
    c = house.client(greeted=False)
    begin = time.monotonic()
    time.sleep(wait)
    c.sock.sendall(b"EHLO bot.test\r\nMAIL FROM:<spam@bot.test>\r\n")
    assert c.reply() == (
        554, "5.5.1 Spoke before the greeting: that is no mail server")
    assert c.reply() == (0, "")
    assert time.monotonic() - begin < 25
    c.close()
    assert it.logged(r"early client=198\.51\.100\.7 port=4711 "
                     r'said="EHLO bot\.test')
    assert it.logged(r"disconnect reason=early ")


def test_early_in_the_same_packet(house):
    """What came with the PROXY header was early too."""
    house.make("greet-delay 2s")
    c = house.client(None, greeted=False)
    c.sock.sendall(b"PROXY TCP4 198.51.100.7 192.0.2.25 4711 25\r\nEHLO b\r\n")
    assert c.reply()[0] == 554


def test_early_then_gone(house):
    """Who goes away while it is silent leaves nothing behind."""
    it = house.make("greet-delay 2s", lines=["limit client sessions 1"])
    house.client(greeted=False).close()
    it.logged(r"disconnect reason=closed ")
    assert house.client().greeting[0] == 220


def test_submission_is_not_kept_waiting(house):
    house.make("submission greet-delay 30s tarpit 30s")
    begin = time.monotonic()
    c = house.client().ehlo()
    assert c.code("NONSENSE") == 500
    assert time.monotonic() - begin < 25


def test_tarpit(house):
    """A refusal waits, a welcome does not; and nobody else is slower."""
    house.make("tarpit 3s")
    c, other = house.client().ehlo(), house.client("203.0.113.9").ehlo()
    begin = time.monotonic()
    assert c.code("NOOP") == 250
    assert c.code("MAIL FROM:<a@c.test>") == 250
    assert time.monotonic() - begin < 2.9
    begin = time.monotonic()
    c.sock.sendall(b"RCPT TO:<a@nowhere.test>\r\nRCPT TO:<b@x.test>\r\n")
    assert other.mail()[0] == 250
    assert time.monotonic() - begin < 2.9
    assert c.reply()[0] == 550
    assert 2.9 < time.monotonic() - begin < 20
    assert c.reply()[0] == 250


# ---- passwords ----

CREDS = ["table creds { ann = \"{PLAIN}right\", bob = \"{PLAIN}right\" }"]
AUTH = "auth-optional <creds> auth-insecure"


def login(c, user="ann", secret="wrong"):
    """Code of the reply, and how long it took."""
    both = base64.b64encode(f"\0{user}\0{secret}".encode()).decode()
    begin = time.monotonic()
    return c.code("AUTH PLAIN " + both), time.monotonic() - begin


def right_at_once(house, ip, user):
    """It waits for nothing."""
    code, _ = base.at_best(
        lambda: login(house.client(ip).ehlo(), user, "right"), 0.9)
    assert code == 235


def test_auth_delays_grow(house):
    """1, 2, 4 seconds, whatever connection, and without configuration; right
    at last, it is over."""
    house.make(AUTH, lines=CREDS)
    a, b = house.client().ehlo(), house.client().ehlo()
    right_at_once(house, "198.51.100.7", "bob")
    for c, want in ((a, 1), (b, 2), (a, 4)):
        code, took = login(c, f"user{want}")
        assert code == 535 and want - 0.1 < took < want * 2 + 1, (want, took)
    right_at_once(house, "203.0.113.9", "bob")
    # The next would wait for eight seconds.
    code, took = login(b, "ann", "right")
    assert code == 235 and took < 7, took
    code, took = login(a)
    assert code == 535 and took < 7, "it was forgiven"


def test_auth_tries_at_once(house):
    """Many connections do not guess faster than one."""
    house.make(AUTH, lines=CREDS)
    assert login(house.client().ehlo())[0] == 535
    clients = [house.client().ehlo() for _ in range(4)]
    begin = time.monotonic()
    both = base64.b64encode(b"\0ann\0wrong")
    for c in clients:
        c.sock.sendall(b"AUTH PLAIN " + both + b"\r\n")
    time.sleep(2.5)
    for c in clients:
        c.sock.setblocking(False)
    answered = 0
    for c in clients:
        try:
            answered += c.sock.recv(100).startswith(b"535")
        except BlockingIOError:
            pass
    assert answered <= 2, (answered, time.monotonic() - begin)


def test_auth_one_user_from_many_addresses(house):
    """A right guess is as slow as a wrong one, but for the user himself."""
    house.make(AUTH, lines=CREDS)
    right_at_once(house, "203.0.113.1", "ann")
    for n in (1, 2):
        code, took = login(house.client(f"198.51.100.{n}").ehlo(), "Ann")
        assert code == 535 and took > n - 0.1
    code, took = login(house.client("198.51.100.3").ehlo(), "ann", "right")
    assert code == 235 and 1.9 < took < 20, took
    right_at_once(house, "203.0.113.1", "ann")


def test_auth_limit(house):
    """`failures`: no more tries; the user is locked for who is not known."""
    it = house.make(AUTH, lines=CREDS + ["limit client failures 2/1h"])
    own = house.client("203.0.113.1").ehlo()
    assert login(own, "ann", "right")[0] == 235
    c = house.client().ehlo()
    assert login(c)[0] == 535
    assert login(c)[0] == 454
    assert c.say("AUTH PLAIN AGFubgB3cm9uZw==") == (
        421, "4.7.0 Too many failed logins, try later, from [198.51.100.7]")
    other = house.client("198.51.100.8").ehlo()
    assert login(other, "ann", "right")[0] == 454
    assert other.code("MAIL FROM:<a@c.test>") == 250, "it is nobody"
    assert it.logged(r"auth client=198\.51\.100\.8 .*result=(\w+)") == \
        ["later"], "the log says that he came in"
    assert login(house.client("203.0.113.1").ehlo(), "ann", "right")[0] == 235
    assert login(house.client("198.51.100.8").ehlo(), "bob", "right")[0] == 235
    assert it.logged(r"client-limit client=198\.51\.100\.7 limit=failures "
                     r"of=user ")
    assert it.logged(r"client-limit client=198\.51\.100\.7 limit=failures "
                     r"of=198\.51\.100\.7 ")


# ---- names ----

def v4(ip, below="in-addr.arpa"):
    return ".".join(reversed(ip.split("."))) + "." + below


def v6(ip, below="ip6.arpa"):
    digits = socket.inet_pton(socket.AF_INET6, ip).hex()
    return ".".join(reversed(digits)) + "." + below


NAMES = {
    "x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"],
    v4("203.0.113.1"): ["PTR Mail.Good.test."],
    "mail.good.test": ["A 203.0.113.1", "AAAA 2001:db8::1"],
    v4("203.0.113.2"): ["PTR mail.good.test."],  # a lie
    v4("203.0.113.3"): ["PTR dyn-3.bad.test."],
    "dyn-3.bad.test": ["A 203.0.113.3"],
    v4("203.0.113.5"): ["CNAME 5.net.test."],
    "5.net.test": ["PTR mail.five.test."],
    "mail.five.test": ["A 203.0.113.5"],
    v6("2001:db8::1"): ["PTR mail.good.test."],
}


@pytest.mark.parametrize("ip, confirmed, rdns", [
    ("203.0.113.1", "yes", "mail.good.test"),
    ("203.0.113.2", "no", "mail.good.test"),
    ("203.0.113.4", "no", ""),
    ("203.0.113.5", "yes", "mail.five.test"),
    ("2001:db8::1", "yes", "mail.good.test"),
    ("2001:db8::2", "no", "")])
def test_names(house, lab, ip, confirmed, rdns):
    """In the log, and in Received if it leads back."""
    it = house.make("dnsbl", lines=["dnsbl none.test"], dns=lab.dns(NAMES))
    assert house.client(ip).ehlo().mail()[0] == 250
    assert it.logged(rf'names client={ip} confirmed={confirmed} '
                     rf'rdns="{rdns}"$')
    [m] = house.receiver.wait(1)
    assert f"({rdns + ' ' if confirmed == 'yes' else ''}[" in content(m)


def content(message):
    data = message.content if hasattr(message, "content") else message.data
    return data.decode(errors="replace") if isinstance(data, bytes) else data


RULES = ['action "out" relay host "smtp://127.0.0.1:{}"',
         'match {} for domain x.test action "out"']


@pytest.mark.parametrize("cond, codes", [
    # 203.0.113.1 to .4, see NAMES
    ("from rdns", [250, 250, 250, 550]),
    ("!from rdns", [550, 550, 550, 250]),
    ("from rdns { mail.good.test }", [250, 550, 550, 550]),
    ("!from rdns { mail.good.test }", [550, 250, 250, 250]),
    ("from rdns { .bad.test }", [550, 550, 250, 550]),
    ("from rdns regex { '^dyn-[0-9]' }", [550, 550, 250, 550]),
])
def test_rule_from_rdns(house, lab, cond, codes):
    """A name of a table must lead back to its address."""
    r = lab.receiver()
    house.make(dns=lab.dns(NAMES), rules=[
        RULES[0].format(r.port), RULES[1].format(cond)])
    got = []
    for n in range(1, 5):
        c = house.client(f"203.0.113.{n}").ehlo()
        assert c.code("MAIL FROM:<a@c.test>") == 250
        got.append(c.code("RCPT TO:<b@x.test>"))
    assert got == codes


def test_rule_from_rdns_doubt(house, lab):
    """When the DNS cannot say, nobody is refused for good."""
    r = lab.receiver()
    it = house.make(
        dns=lab.liar({}, default=servfail),
        rules=[RULES[0].format(r.port),
               RULES[1].format("from rdns { mail.good.test }")])
    c = house.client("203.0.113.1").ehlo()
    assert c.code("MAIL FROM:<a@c.test>") == 250
    assert c.code("RCPT TO:<b@x.test>") == 451
    assert it.logged(r"names client=203\.0\.113\.1 confirmed=doubt rdns=\"\"")


def test_names_not_asked(house, lab):
    """Nobody asks the DNS where the configuration has no use for it."""
    asked = []

    def note(query, tcp):
        asked.append(query)
        return nxdomain(query, tcp)
    it = house.make(dns=lab.liar({}, default=note))
    assert house.client().ehlo().mail()[0] == 250
    house.receiver.wait(1)
    assert not asked
    assert " names client=" not in it.log()


# ---- DNS lists ----

def lists(*answers):
    """A name server with lists: (list, address, answer)."""
    return dict(NAMES, **{v4(ip, name): [f"A {a}" for a in got.split()]
                          for name, ip, got in answers})


LISTS = lists(("one.test", "198.51.100.1", "127.0.0.2"),
              ("two.test", "198.51.100.1", "127.0.0.10"),
              ("two.test", "198.51.100.2", "127.0.0.2"),
              ("one.test", "198.51.100.3", "127.0.0.2"),
              ("good.test", "198.51.100.3", "127.0.9.1"),
              ("one.test", "198.51.100.4", "127.255.255.254"),
              ("one.test", "198.51.100.5", "203.0.113.80"),
              ("one.test", "198.51.100.6", "127.0.0.1"),
              ("two.test", "198.51.100.8", "127.0.0.12"),
              ("one.test", "198.51.100.9", "127.0.0.3"))
LISTS[v6("2001:db8::bad", "one.test")] = ["A 127.0.0.2"]

LINES = ["dnsbl one.test weight 2",
         "dnsbl two.test weight 3 answer { 127.0.0.2, "
         "127.0.0.10-127.0.0.11 }",
         "dnswl good.test weight 4",
         "smtp dnsbl-reject 4", "smtp dnsbl-junk 3"]


@pytest.mark.parametrize("ip, score, says, said, reply", [
    ("198.51.100.1", 5, (2, 1, 0), "one.test=127.0.0.2 two.test=127.0.0.10",
     550),
    ("198.51.100.2", 3, (1, 2, 0), "two.test=127.0.0.2", 250),
    ("198.51.100.3", -2, (2, 1, 0), "one.test=127.0.0.2 good.test=127.0.9.1",
     250),
    ("198.51.100.4", 0, (0, 2, 1), "", 250),
    ("198.51.100.5", 0, (0, 2, 1), "", 250),
    ("198.51.100.6", 0, (0, 2, 1), "", 250),
    ("198.51.100.7", 0, (0, 3, 0), "", 250),
    ("198.51.100.8", 0, (0, 3, 0), "", 250),
    ("198.51.100.9", 2, (1, 2, 0), "one.test=127.0.0.3", 250),
    ("2001:db8::bad", 2, (1, 2, 0), "one.test=127.0.0.2", 250),
])
def test_lists(house, lab, ip, score, says, said, reply):
    """Listed, clean, refused; weights; 5.7.1 names the lists."""
    it = house.make("dnsbl", lines=LINES, dns=lab.dns(LISTS))
    c = house.client(ip).ehlo()
    got = c.mail()
    assert got[0] == reply, got
    if reply == 550:
        assert got[1] == f"5.7.1 Refused: the client is on {said}"
    assert it.logged(
        rf"dnsbl client={ip} score={score} listed={says[0]} "
        rf'clean={says[1]} refused={says[2]} lists="{said}"$')
    assert ("dnsbl-refused" in it.log()) == (says[2] > 0)
    if reply == 250:
        [m] = house.receiver.wait(1)
        assert bool(re.search(r"(?im)^X-Spam", content(m))) == (score >= 3)


def test_lists_elsewhere(house, lab):
    """A listener without `dnsbl` has nothing of them."""
    it = house.make("", lines=[l for l in LINES if "one.test" in l] + [
        "smtp dnsbl-reject 1", "listen on 127.0.0.2 port 0 dnsbl"][:1],
        dns=lab.dns(LISTS))
    assert house.client("198.51.100.1").ehlo().mail()[0] == 250
    assert "dnsbl client" not in it.log()


def test_lists_refuse_once_an_hour(house, lab):
    it = house.make("dnsbl", lines=LINES, dns=lab.dns(LISTS))
    for ip in ("198.51.100.4", "198.51.100.5", "198.51.100.6"):
        assert house.client(ip).ehlo().mail()[0] == 250
    it.logged(r"dnsbl client=", 3)
    assert len(re.findall(r"dnsbl-refused list=one\.test", it.log())) == 1


def test_lists_fail(house, lab):
    """One fails, one is silent: the third counts, within the deadline."""
    def listed(query, tcp):
        name = query.question[0].name.to_text()
        return [answer(query, (name, 60, "A", "127.0.0.2")).to_wire()]
    ip = "198.51.100.1"
    liar = lab.liar({v4(ip, "one.test"): servfail,
                     v4(ip, "two.test"): silent,
                     v4(ip, "three.test"): listed}, default=nxdomain)
    it = house.make("dnsbl", lines=[
        "dnsbl one.test weight 10", "dnsbl two.test weight 10",
        "dnsbl three.test weight 1", "smtp dnsbl-reject 5"], dns=liar)
    begin = time.monotonic()
    c = house.client(ip).ehlo()
    assert c.mail()[0] == 250
    assert time.monotonic() - begin < 20
    assert it.logged(r"score=1 listed=1 clean=0 refused=2 "
                     r'lists="three\.test=127\.0\.0\.2"')
    assert it.logged(r"dnsbl-refused list=one\.test .*SERVFAIL")
    assert it.logged(r"dnsbl-refused list=two\.test ")


def test_dns_away(house, lab):
    """A name server that is silent costs time, and no mail; it does not keep
    others from being greeted."""
    it = house.make("dnsbl", lines=LINES, dns=lab.liar({}, default=silent))
    clients = [house.client(f"203.0.113.{n}") for n in range(50)]
    begin = time.monotonic()
    for c in clients:
        c.ehlo()
    others = (f"203.0.113.{n}" for n in range(100, 200))
    base.at_best(lambda: house.client(next(others)).ehlo(), 2)
    for c in clients:
        c.sock.sendall(b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@x.test>\r\n")
    for c in clients:
        assert c.reply()[0] == 250
        assert c.reply()[0] == 250
    assert time.monotonic() - begin < 45
    assert it.logged(r"names client=\S+ confirmed=doubt", 50)


def test_dns_away_for_many(house, lab):
    """More questions than the guard takes at once: the others wait their turn,
    and what is asked beside them does not wait."""
    it = house.make("dnsbl", lines=LINES + ["limit client sessions 2"],
                    dns=lab.liar({}, default=silent))
    begin = time.monotonic()
    clients = [house.client(f"203.0.{n // 250}.{n % 250}")
               for n in range(400)]
    for c in clients:
        c.ehlo()
        c.sock.sendall(b"MAIL FROM:<a@c.test>\r\n")
    others = (f"203.0.113.{n}" for n in range(100))
    base.at_best(lambda: house.client(next(others)).ehlo(), 2)
    twice = house.client("203.0.0.0")
    assert twice.greeting[0] == 220
    house.refused("203.0.0.0")
    for c in clients:
        assert c.reply()[0] == 250
    assert time.monotonic() - begin < 60
    assert it.logged(r"names client=\S+ confirmed=doubt", 400)


# ---- greylisting: whom it spares ----

GREY = ["greylist delay 1h window 2h keep 1d"]


def rcpt(c):
    assert c.code("MAIL FROM:<a@c.test>") == 250
    got = c.say("RCPT TO:<b@x.test>")
    c.code("RSET")
    return got


def test_grey(house):
    house.make("greylist", lines=GREY)
    got = rcpt(house.client().ehlo())
    assert got[0] == 450 and got[1].startswith("4.7.1 "), got


def test_grey_spares(house, lab):
    """Known clients, and those on lists of the good."""
    house.make("greylist dnsbl", dns=lab.dns(lists(
        ("good.test", "198.51.100.3", "127.0.9.1"))), lines=[
            "table friends { 203.0.113.0/24 }", "dnswl good.test weight 1",
            GREY[0] + " except <friends>"])
    assert rcpt(house.client("203.0.113.4").ehlo())[0] == 250
    assert rcpt(house.client("198.51.100.3").ehlo())[0] == 250
    assert rcpt(house.client("198.51.100.4").ehlo())[0] == 450


def test_grey_spares_submission(house):
    house.make("greylist submission", lines=GREY)
    assert rcpt(house.client().ehlo())[0] == 250
