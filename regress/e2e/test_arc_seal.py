"""What strangers send and we hand on is sealed: by aliases, lists and relays.
python3-dkim and Perl's Mail::DKIM judge the seals; what is our own is signed
and not sealed, and what was sealed once stays so.

SPDX-License-Identifier: ISC
"""
import re

import dkim
import pytest

from lib import arc, base
from lib.instance import conf
from lib.receiver import TAKE_CLOSE
from lib.talk import Wire

FAR = arc.rsa_key("far.test", "f")
RSA = arc.rsa_key("mx.test", "r", 2048)
ED = arc.ed_key("mx.test", "e")
STRANGER = "192.0.2.1"
MAIL = ("From: Ann <a@far.test>\nTo: fwd@mx.test\nSubject: a  message\n"
        "Date: Sun, 22 Nov 2026 00:00:00 +0000\nMessage-ID: <1@far.test>\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
        "Some  text \n.dot\n")


def txt(text):
    return "TXT " + " ".join(f'"{text[i:i + 200]}"'
                             for i in range(0, len(text), 200))


class House:
    """An instance that strangers reach by a listener which verifies, aliases
    that lead to a receiver elsewhere, and keys of ours."""

    def __init__(self, lab, keys=(RSA, ED), lines=(), **receiver):
        self.receiver = lab.receiver(**receiver)
        self.records = {k.name: k.record() for k in (FAR, *keys)}
        self.dns = lab.dns({
            "x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"],
            "far.test": [txt(f"v=spf1 ip4:{STRANGER} -all")],
            "_dmarc.far.test": [txt("v=DMARC1; p=reject")],
            **{n: [txt(r)] for n, r in self.records.items()}})
        aliases = lab.path("aliases")
        aliases.write_text("fwd: b@x.test\nboth: b1@x.test, b2@x.test\n")
        self.port = base.free_port()
        text = ["hostname mx.test", f'table aliases "file:{aliases}"']
        for k in keys:
            pem = lab.path("key")
            pem.write_bytes(k.pem())
            pem.chmod(0o600)
            text.append(f'dkim domain {k.domain} selector {k.selector} '
                        f'key "{pem}"')
        self.it = lab.postern(conf(
            self.dns, lines=[
                *text, "arc seal domain mx.test", "dmarc no-author none",
                *lines,
                f"listen on 127.0.0.1 port {self.port} proxy {{ 127.0.0.1 }} "
                "auth-results"],
            rules=[f'action "out" relay port {self.receiver.port}',
                   'action "here" expand-only alias <aliases>',
                   'match from any for domain "mx.test" action "here"',
                   'match from local for any action "out"',
                   'match from any for domain "x.test" action "out"']))

    def say(self, content, rcpt="fwd@mx.test", sender="a@far.test"):
        """Of a stranger; its id."""
        w = Wire(base.LOOPBACK, self.port, 60)
        try:
            w.send(f"PROXY TCP4 {STRANGER} 127.0.0.1 4321 25\r\n".encode())
            assert w.reply().startswith("220 ")
            assert w.ask("EHLO mail.far.test").startswith("250-")
            assert w.ask(f"MAIL FROM:<{sender}> BODY=8BITMIME"
                         ).startswith("250 ")
            assert w.ask(f"RCPT TO:<{rcpt}>").startswith("250 ")
            assert w.ask("DATA").startswith("354 ")
            w.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
            found = re.match(r"250 2\.0\.0 ([0-9A-Z]{13}) queued", w.reply())
            assert found
            return found[1]
        finally:
            w.close()

    def take(self, content, n=1, **kw):
        """What the receiver gets of it: n messages more."""
        before = len(self.receiver.messages)
        self.say(content, **kw)
        return [m.content for m in self.receiver.wait(before + n)[before:]]

    def judge(self, content, sets, cv="pass"):
        """Whole fields of ours on top, and all judges are of one mind."""
        top = arc.fields(content.replace(b"\r\n", b"\n").decode("latin-1"))
        assert [arc.name_of(f) for f in top[:4]] == [
            "arc-seal", "arc-message-signature", "arc-authentication-results",
            "authentication-results"], top[:5]
        assert all(arc.instance_of(f) == sets for f in top[:3])
        assert f"cv={'none' if sets == 1 else cv};" in top[0]
        # RFC 8617 4.1.1: what was found here, word by word.
        ours = re.sub(r"\s+", " ", top[3].partition(":")[2]).strip()
        sealed = re.sub(r"\s+", " ", top[2].partition(":")[2]).strip()
        assert sealed == f"i={sets}; {ours}"
        want = "fail" if cv == "fail" else "pass"
        if "a=rsa-sha256" in top[0]:
            assert arc.dkimpy(content, self.records)[0] == want
        if "a=rsa-sha256" in top[0] and want == "pass":
            assert arc.mail_dkim([content], self.records) == ["pass"]
        found = arc.ours([content], self.records)[0]
        assert found[:2] == (want, sets), found
        return top


@pytest.fixture(scope="module")
def house(shared_lab):
    return House(shared_lab)


def by_author(text):
    """Signed by its author's domain."""
    content = arc.wire(text)
    return dkim.sign(content, b"f", b"far.test", FAR.pem(),
                     canonicalize=(b"relaxed", b"relaxed")) + content


@pytest.mark.parametrize("rcpt, n", [("fwd@mx.test", 1), ("both@mx.test", 1),
                                     ("b@x.test", 1)],
                         ids=["alias", "list", "relay"])
def test_handed_on(house, rcpt, n):
    """An alias, several, a host that we take mail for: a seal on top of it,
    which says what was found, and the author's own signature still holds."""
    for content in house.take(by_author(MAIL), n, rcpt=rcpt):
        top = house.judge(content, 1)
        assert "a=rsa-sha256" in top[0] and "d=mx.test" in top[0]
        for word in ("spf=pass", "dkim=pass", "dmarc=pass", "arc=none"):
            assert word in top[2], top[2]
        signed = re.sub(r"\s", "", re.search(r"[ \t]h=([^;]*);",
                                             top[1]).group(1)).split(":")
        assert "dkim-signature" in signed and "received" not in signed
        assert dkim.verify(content, dnsfunc=house.dns.txt)
        # Judges that could not say no would prove nothing.
        bad = content.replace(b"Some  text", b"Some other text")
        assert arc.dkimpy(bad, house.records)[0] == "fail"
        assert arc.mail_dkim([bad], house.records) == ["fail"]


def test_chain(house):
    """One that comes with a chain: it goes on; broken, that is sealed, and
    nothing after that."""
    chain = arc.seal(arc.seal(MAIL, FAR), FAR)
    content, = house.take(arc.wire(chain))
    top = house.judge(content, 3)
    assert "arc=pass" in top[2]
    broken = arc.wire(chain.replace("a  message", "another"))
    content, = house.take(broken)
    top = house.judge(content, 3, cv="fail")
    assert "arc=fail" in top[2]
    assert arc.holds_alone(top[:3], RSA)
    last, = house.take(content)
    assert last.startswith(b"Authentication-Results:")
    house.it.logged(r'unsealed why="the chain has failed before"')


def test_not_sealed(house):
    """Ours is signed; what has no single author goes without a seal."""
    before = len(house.receiver.messages)
    own = MAIL.replace("a@far.test", "a@mx.test").replace("\n.dot", "\ndot")
    house.it.send("a@mx.test", "b@x.test", arc.wire(own))
    content = house.receiver.wait(before + 1)[-1].content
    assert content.startswith(b"DKIM-Signature:") and b"ARC-" not in content
    # As are our own people's words to an alias.
    house.it.send("a@mx.test", "fwd@mx.test", arc.wire(own))
    content = house.receiver.wait(before + 2)[-1].content
    assert b"ARC-" not in content
    content, = house.take(arc.wire("From: x@far.test\n" + MAIL))
    assert b"ARC-" not in content
    house.it.logged(r'unsealed why="not exactly one From field"')


def test_second_attempt(lab):
    """The set of the first attempt is sent in the second, also by another
    process."""
    house = House(lab, dot=TAKE_CLOSE)
    table = house.receiver.table
    house.say(arc.wire(MAIL))
    house.receiver.wait(1)
    table["dot"] = "250 2.0.0 taken"
    first, second = (m.content for m in house.receiver.wait(2))
    assert first == second
    house.judge(second, 1)
    table["dot"] = TAKE_CLOSE
    house.say(arc.wire(MAIL.replace("a  message", "restart")))
    house.receiver.wait(3)
    house.it.logged(r"result=later attempts=1", 2)
    house.it.stop()
    n = len(house.receiver.messages)
    table["dot"] = "250 2.0.0 taken"
    house.it.start()
    third, *_, last = (m.content for m in house.receiver.wait(n + 1)[2:])
    assert third == last and b"Subject: restart" in last
    house.judge(last, 1)


def test_7bit(lab):
    """What is sent is sealed: quoted-printable for who wants no 8-bit."""
    house = House(lab, keys=(ED,), extensions=("PIPELINING", "SIZE 0"))
    chain = arc.seal(MAIL, FAR)
    content, = house.take(arc.wire(chain))
    top = house.judge(content, 2)
    # Ed25519 is all that the domain has.
    assert "a=ed25519-sha256" in top[0] and "s=e;" in top[0]
    text = arc.seal(MAIL.replace("Some  text", "Gr\u00f6\u00dfe"), FAR)
    content, = house.take(arc.wire(text))
    assert b"Gr=C3=B6=C3=9Fe" in content
    house.judge(content, 2)
