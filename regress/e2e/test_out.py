"""The way out: each reply at each stage, each odd thing that a server may do,
what it offers and does not keep, LMTP, LIMITS and CHUNKING.

Many servers stand behind one instance, each the smarthost of a domain of its
own.

SPDX-License-Identifier: ISC
"""
import re

import pytest

from lib import base
from lib.instance import conf
from lib.receiver import (CLOSE, DEFAULT, ENDLESS, ENDLESS_LINE, GARBAGE,
                          RESET, SILENT, TAKE_CLOSE, TAKE_RESET, Drip, Long,
                          Mixed)

BIG = "Subject: big\r\n\r\n" + (".x" + "y" * 68 + "\r\n") * 45000

RESULT = re.compile(
    r'^\S+ \S+ \S+ delivery to="([^"]+)" .*?\bresult=(\w+) .*?'
    r'\bcause=(\S+) stage=(\S+) method=\S+ relay="?([^" ]*)"? tls=(\S*) reply=(.*)$',
    re.M)


class World:
    """An instance, and a server for each case; the case's domain is its
    name."""

    def __init__(self, lab, cases, retry="1h", lines=()):
        """cases: name -> (scheme, keywords of Receiver)."""
        self.box = lab.receiver()
        self.servers, rules = {}, [
            f'action "home" relay host "smtp+notls://127.0.0.1:'
            f'{self.box.port}"',
            'match from any for domain "c.test" action "home"']
        for name, (scheme, keys) in cases.items():
            r = self.servers[name] = lab.receiver(**keys)
            rules += [f'action "{name}" relay host '
                      f'"{scheme}://127.0.0.1:{r.port}"',
                      f'match from any for domain "{name}.test" action '
                      f'"{name}"']
        self.it = lab.postern(conf(rules=rules, retry=retry, lines=lines))

    def send(self, *names, text="Subject: x\r\n\r\nhello\r\n"):
        for name in names or self.servers:
            self.it.send("a@c.test", f"b@{name}.test", text)

    def results(self):
        """name -> the first result, as a dict."""
        found = {}
        for to, result, cause, stage, relay, tls, reply in \
                RESULT.findall(self.it.log()):
            name = to.partition("@")[2].removesuffix(".test")
            found.setdefault(name, {
                "result": result.replace("ok", "done"), "cause": cause, "stage": stage,
                "relay": relay, "tls": tls, "reply": reply})
        return found

    def wait(self, *names, timeout=60):
        """The results, once each of these cases has one."""
        names = set(names or self.servers)
        base.wait_until(
            lambda: names <= set(self.results()),
            f"results of {len(names)}", timeout)
        return self.results()

    def weigh(self):
        """The deliver processes, and how much memory they have."""
        pids = self.it.pids("deliver")
        return pids, sum(base.rss_kib(p) for p in pids)

    def unharmed(self, pids, before):
        """Since weigh() none of them died, or took in without end."""
        now, grown = self.weigh()
        assert now == pids, "a deliver process died"
        if not base.SANITIZED:
            grown -= before
            assert grown < 20000, f"{grown} KiB more"
        for name in ("endless", "line"):
            assert self.servers[name].endless < 20 << 20


# ---- each code at each stage ----

CODES = {2: (200, 220, 235, 250, 251, 299), 3: (334, 354, 399),
         4: (421, 450, 451, 452, 454, 499),
         5: (500, 501, 502, 503, 504, 530, 535, 550, 551, 552, 553, 554, 555,
             599)}
# What becomes of the message upon each class of code.
CLASSES = {
    "banner": ("done", "later", "later", "later"),
    "ehlo": ("done", "later", "later", "done"),  # HELO goes well
    "helo": ("done", "later", "later", "later"),  # and here EHLO is 500
    "starttls": (None, "done", "done", "done"),
    "mail": ("done", "later", "later", "never"),
    "rcpt": ("done", "later", "later", "never"),
    "data": ("later", "later", "later", "never"),
    "bdat": ("done", "later", "later", "never"),
    "dot": ("done", "later", "later", "never"),
    "rset": ("never",) * 4,  # after RCPT was 550
    "quit": ("done",) * 4,
}
OTHERS = {
    ("data", 354): "done",
    ("starttls", 421): "later",
    # The client is at fault, or its configuration.
    **{(stage, code): "later" for stage in ("mail", "rcpt", "data")
       for code in (530, 535)},
    ("rcpt", 552): "later",
    # BDAT is not known: by DATA, then.
    **{("bdat", code): "done" for code in (500, 501, 502, 503, 504)},
}
STAGES = {"banner": "greeting", "helo": "ehlo", "bdat": "content",
          "dot": "content"}


def keys_of(stage, code):
    """How the server of a case behaves."""
    keys = {stage: f"{code} 1.2.3 said of {stage}"}
    if stage == "helo":
        keys["ehlo"] = "500 what?"
    if stage == "starttls":
        keys["tls"] = True
    if stage == "rset":
        keys["rcpt"] = "550 5.1.1 who?"
    if stage == "bdat":
        keys["extensions"] = ("PIPELINING", "CHUNKING")
    return keys


@pytest.mark.parametrize("stage", sorted(CLASSES))
def test_each_code(lab, stage):
    """Each code at this stage: what becomes of the message, who is named for
    it, and whether the connection goes on."""
    want = {}
    for kind, codes in CODES.items():
        for code in codes:
            what = OTHERS.get((stage, code), CLASSES[stage][kind - 2])
            if what is not None:
                want[f"c{code}"] = what
    world = World(lab, {name: ("smtp", keys_of(stage, int(name[1:])))
                        for name in want})
    world.send(text=BIG if stage == "bdat" else "Subject: x\r\n\r\nhello\r\n")
    got = world.wait(*want, timeout=30)
    assert {n: got[n]["result"] for n in want} == want
    for name, row in got.items():
        if name not in want:
            continue
        code = int(name[1:])
        if row["result"] != "done" and stage != "rset":
            assert row["stage"] == STAGES.get(stage, stage), row
            assert row["cause"] not in ("none", ""), row
            assert str(code) in row["reply"], row
        if row["result"] == "done":
            assert len(world.servers[name].messages) == 1, name
    # RFC 5321 3.8: after 421 nothing is said any more.
    if "c421" in want and stage not in ("rset", "quit"):
        r = world.servers["c421"]
        base.wait_until(lambda: not r.open, "it is closed")
        if stage in ("mail", "dot"):
            assert not r.lines or r.lines[-1][:4].upper() not in (
                "RSET", "QUIT"), r.lines
    # What is refused leaves a connection that can be used, and ends well.
    if stage in ("mail", "rcpt", "data", "dot"):
        for code in (450, 550):
            r = world.servers[f"c{code}"]
            base.wait_until(lambda: "QUIT" in r.lines, "QUIT is said")
            assert r.sessions == 1


# ---- odd replies ----

ODD = {
    # name: reply, result; the good code of the stage comes in the first %s
    "close": (CLOSE, "later"),
    "reset": (RESET, "later"),
    "garbage": (GARBAGE, "later"),
    "endless": (ENDLESS, "later"),
    "line": (ENDLESS_LINE, "later"),
    "mixed": (lambda good: Mixed(450, good), "later"),
    "mixed5": (lambda good: Mixed(550, good), "later"),
    "long": (lambda good: Long(good), "done"),
    "longline": (lambda good: Long(good, length=100000), "done"),
    "long5": (lambda good: Long("550 5.7.1 no", 100000), "never"),
    "drip": (lambda good: Drip(good, 0.02), "done"),
    "lf": (lambda good: good.encode() + b"\n", "done"),
    "nul": (lambda good: good.encode() + b"\0\xff\r\n", "done"),
    "code": (b"25 0 ok\r\n", "later"),
    "code6": (b"650 ok\r\n", "later"),
    "empty": (b"\r\n", "later"),
    "twice": (lambda good: (good + "\r\n" + good + "\r\n").encode(), None),
}


@pytest.mark.parametrize("stage", ["banner", "ehlo", "mail", "rcpt", "data",
                                   "dot"])
def test_odd_reply(lab, stage):
    """Each odd reply at this stage; the deliver process lives, and small."""
    good = {"ehlo": "250 sink.test"}.get(stage, DEFAULT[stage])
    cases, want = {}, {}
    for name, (what, result) in ODD.items():
        keys = {stage: what(good) if callable(what) else what}
        if stage == "dot" and name == "close":
            keys = {"dot": TAKE_CLOSE}
        if stage == "dot" and name == "reset":
            keys = {"dot": TAKE_RESET}
        cases[name] = ("smtp", keys)
        want[name] = result
    # Of a site's host it is the host that says no, and of EHLO it is EHLO.
    if stage == "banner":
        want["long5"] = "later"
    if stage == "ehlo":
        want["long5"] = "done"
    world = World(lab, cases)
    before = world.weigh()
    world.send()
    got = world.wait(timeout=90)
    assert {n: got[n]["result"] for n in want if want[n]} == \
        {n: w for n, w in want.items() if w}
    world.unharmed(*before)
    if stage == "dot":
        for name in ("close", "reset"):
            assert "may be delivered twice" in got[name]["reply"]
            assert len(world.servers[name].messages) == 1


def test_slow_beside_others(lab):
    """Silent at each stage, a byte a minute of a reply, content read at a
    byte a minute, connections never accepted: mail to others leaves as if
    they were not there."""
    slow = {f"silent{stage}": {stage: SILENT} for stage in
            ("banner", "ehlo", "mail", "rcpt", "data", "dot")}
    slow["drip"] = {"rcpt": Drip("250 2.1.5 ok", 60)}
    slow["dripbanner"] = {"banner": Drip("220 sink.test", 60)}
    slow["sips"] = {"content_pace": (1, 60)}
    slow["deaf"] = {"accept": False}
    world = World(lab, {**{n: ("smtp", k) for n, k in slow.items()},
                        "good": ("smtp", {})})
    for _ in range(20):
        world.send(*slow)
    world.send("sips", text=BIG)
    base.wait_until(
        lambda: all(world.servers[n].sessions for n in slow if n != "deaf"),
        "the slow ones have begun", 30)
    for _ in range(20):
        world.send("good")
    world.servers["good"].wait(20, 45)
    assert not world.servers["drip"].messages


# ---- offers that are not kept ----

def no_params(stage):
    """555 to each command with parameters."""
    def reply(session):
        odd = ">" in session.server.lines[-1] and \
            session.server.lines[-1].partition(">")[2].strip()
        return "555 5.5.4 what is that" if odd else DEFAULT[stage]
    return reply


def test_offers_not_kept(lab):
    """Offered, and refused when used: once more, without it."""
    ext = ("PIPELINING", "8BITMIME", "SIZE", "DSN")
    world = World(lab, {
        "mail": ("smtp", {"extensions": ext, "mail": no_params("mail")}),
        "rcpt": ("smtp", {"extensions": ext, "rcpt": no_params("rcpt")}),
        "bdat": ("smtp", {"extensions": ("PIPELINING", "CHUNKING"),
                          "bdat": "500 5.5.1 what is BDAT"}),
        "size": ("smtp", {"extensions": ("SIZE nonsense", "PIPELINING")}),
        "tls": ("smtp", {"tls": True, "starttls": "454 4.7.0 not now"}),
        "always": ("smtp", {"extensions": ext,
                            "mail": "555 5.5.4 never"})})
    with world.it.smtp() as s:
        s.ehlo()
        for name in ("mail", "rcpt", "size", "tls", "always"):
            s.mail("a@c.test", ["RET=HDRS", "ENVID=x"])
            s.rcpt(f"b@{name}.test", ["NOTIFY=NEVER"])
            assert s.data(b"Subject: x\r\n\r\nhello\r\n")[0] == 250
    world.send("bdat", text=BIG)
    got = world.wait()
    assert {n: r["result"] for n, r in got.items() if n in world.servers} == {
        "mail": "done", "rcpt": "done", "bdat": "done", "size": "done",
        "tls": "done", "always": "never"}
    assert world.servers["mail"].messages[0].mail_args == ""
    assert world.servers["mail"].sessions == 2
    assert world.servers["rcpt"].messages[0].rcpt_args == {"b@rcpt.test": ""}
    assert world.servers["bdat"].messages[0].bdat == []
    assert world.servers["always"].sessions == 2, "tried once more, not twice"


def test_one_at_a_time(lab):
    """PIPELINING is not offered: one command at a time, and nothing is
    lost."""
    world = World(lab, {"one": ("smtp", {"extensions": ("8BITMIME",),
                                         "one_at_a_time": True})})
    world.it.send("a@c.test", [f"b{i}@one.test" for i in range(5)])
    m, = world.servers["one"].wait(1)
    assert len(m.rcpts) == 5


# ---- CHUNKING ----

def test_chunking(lab):
    """Large content by BDAT, in pieces; small content by DATA."""
    ext = ("PIPELINING", "CHUNKING", "8BITMIME", "SIZE")
    world = World(lab, {"chunks": ("smtp", {"extensions": ext}),
                        "dots": ("smtp", {})})
    world.send(text=BIG)
    world.send("chunks")
    chunks = world.servers["chunks"].wait(2, 60)
    dots = world.servers["dots"].wait(1, 60)
    big, small = sorted(chunks, key=lambda m: -len(m.content))
    assert small.bdat == []
    assert len(big.bdat) == 1 + len(big.content) // 1048576
    assert sum(big.bdat) == len(big.content)
    assert set(big.bdat[:-1]) == {1048576}
    body = BIG.partition("\r\n\r\n")[2].encode()
    assert big.content.endswith(body)
    assert dots[0].content.endswith(body)


# ---- LIMITS ----

def test_limits(lab):
    """RFC 9422: so many recipients, domains, messages, and no more."""
    def ext(limits):
        return {"extensions": ("PIPELINING", "LIMITS " + limits)}
    world = World(lab, {
        "rcpt": ("smtp", ext("RCPTMAX=2")),
        "mail": ("smtp", ext("MAILMAX=2")),
        "domain": ("smtp", ext("RCPTDOMAINMAX=1")),
        "both": ("smtp", ext("RCPTMAX=2 MAILMAX=1")),
        "odd": ("smtp", ext("RCPTMAX=0 MAILMAX=x RCPTMAX"))})
    for name in ("rcpt", "both", "odd"):
        world.it.send("a@c.test", [f"b{i}@{name}.test" for i in range(5)])
    for _ in range(5):
        world.send("mail")
    servers = world.servers
    assert sorted(len(m.rcpts) for m in servers["rcpt"].wait(3)) == [1, 2, 2]
    assert sorted(len(m.rcpts) for m in servers["both"].wait(3)) == [1, 2, 2]
    assert servers["both"].sessions == 3
    assert [len(m.rcpts) for m in servers["odd"].wait(1)] == [5]
    servers["mail"].wait(5)
    assert servers["mail"].sessions >= 3
    world.it.empty()
    assert all(not r.odd for r in servers.values()), \
        {n: r.odd for n, r in servers.items()}


def test_limit_of_domains(lab):
    """RCPTDOMAINMAX=1: recipients of two domains, two transactions."""
    r = lab.receiver(extensions=("PIPELINING", "LIMITS RCPTDOMAINMAX=1"))
    it = lab.postern(conf(host=f"smtp://127.0.0.1:{r.port}"))
    it.send("a@c.test", ["a@x.test", "b@y.test", "c@X.test"])
    assert sorted(sorted(m.rcpts) for m in r.wait(2)) == [
        ["a@x.test", "c@X.test"], ["b@y.test"]]
    assert not r.odd
    it.empty()


# ---- LMTP ----

def test_lmtp(lab):
    """RFC 2033: a reply for each recipient, and each has his own result."""
    world = World(lab, {"m": ("lmtp", {"lmtp": True, "dot": {
        "full@m.test": "452 4.2.2 full", "gone@m.test": "550 5.1.1 gone"},
        "rcpt": {"who@m.test": "550 5.1.1 who?"}})})
    world.it.send("a@c.test", ["one@m.test", "full@m.test", "gone@m.test",
                               "who@m.test", "two@m.test"])
    m, = world.servers["m"].wait(1)
    assert m.lmtp == ["one@m.test", "two@m.test"]
    assert m.helo and world.servers["m"].lines[0].startswith("LHLO ")
    base.wait_until(lambda: len(world.it.queue()) == 1 or None, "one is left")
    row, = world.it.queue()
    assert row["recipient"] == "full@m.test" and row["last"]["text"], row
    text = world.box.wait(1)[0].content.decode()
    assert "<gone@m.test>" in text
    assert "<one@m.test>" not in text and "<full@m.test>" not in text


def test_lmtp_cut(lab):
    """Closed after the first of three replies: the others are tried again,
    alone."""
    state = {"n": 0}

    def dot(session):
        state["n"] += 1
        return CLOSE if state["n"] == 2 else "250 2.0.0 ok"
    world = World(lab, {"m": ("lmtp", {"lmtp": True, "dot": dot})},
                  retry="1s*1000")
    names = [f"{x}@m.test" for x in "abc"]
    world.it.send("a@c.test", names)
    first, second = world.servers["m"].wait(2)
    assert first.lmtp == names[:1]
    assert sorted(second.lmtp) == names[1:]
    world.it.empty()
    assert "may be delivered twice" in world.it.log()


def test_lmtp_no_helo(lab):
    """A server of SMTP knows no LHLO, and is not talked to by HELO."""
    world = World(lab, {"m": ("lmtp", {})})
    world.send()
    got = world.wait()["m"]
    assert got["result"] == "later" and got["stage"] == "ehlo", got
    assert world.servers["m"].lines == ["LHLO " + world.servers["m"].lines[0]
                                        .partition(" ")[2]]


# ---- what one host cannot have ----

UTF8 = ("PIPELINING", "8BITMIME", "SMTPUTF8")


@pytest.mark.parametrize("second", [UTF8, ("PIPELINING", "8BITMIME")],
                         ids=["second", "neither"])
def test_smtputf8_of_the_next_host(lab, second):
    """The first MX has no SMTPUTF8: the second is asked, and only if it has
    none either the message comes back."""
    port = base.free_port("127.0.0.2", "127.0.0.3")
    one = lab.receiver(address="127.0.0.2", port=port)
    two = lab.receiver(address="127.0.0.3", port=port, extensions=second)
    box = lab.receiver(extensions=UTF8)
    dns = lab.dns({"x.test": ["MX 10 one.test", "MX 20 two.test"],
                   "one.test": ["A 127.0.0.2"], "two.test": ["A 127.0.0.3"]})
    it = lab.postern(conf(dns, rules=[
        f'action "home" relay host "smtp://127.0.0.1:{box.port}"',
        f'action "out" relay port {port}',
        'match from any for domain "c.test" action "home"',
        'match from any for any action "out"'], retry="1h"))
    with it.smtp() as s:
        s.ehlo()
        s.mail("a@c.test", ["SMTPUTF8"])
        s.send("RCPT TO:<bj\u00f6rn@x.test>\r\n".encode())
        assert s.getreply()[0] == 250
        assert s.data(b"Subject: x\r\n\r\nhello\r\n")[0] == 250
    if second == UTF8:
        m, = two.wait(1)
        assert m.rcpts == ["bj\u00f6rn@x.test"]
    else:
        assert b"5.6.7" in box.wait(1)[0].content
        assert two.sessions == 1
    assert one.sessions == 1 and not one.messages
    it.empty()


def test_greylisting_hint(lab):
    """A 4yz that names a time is tried again then, and not as `retry` has
    it."""
    state = {"n": 0}

    def rcpt(session):
        state["n"] += 1
        return "451 4.7.1 Greylisted, please try again in 3 seconds" \
            if state["n"] == 1 else "250 2.1.5 ok"
    world = World(lab, {"grey": ("smtp", {"rcpt": rcpt})}, retry="1h")
    world.send()
    got = world.wait()["grey"]
    assert (got["result"], got["cause"], got["stage"]) == \
        ("later", "rate", "rcpt")
    assert len(world.servers["grey"].wait(1, 30)) == 1
    world.it.empty()
