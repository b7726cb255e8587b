"""DNS that is silent, lies, cuts answers short or goes in circles: nothing of
that is final, nobody else is held up, and the truth is used when it comes.

SPDX-License-Identifier: ISC
"""

import pytest

from lib import base, liar
from lib.instance import conf

SELF = ("l1.x.test.", "l2.x.test.", "x.test.")

LATER = {
    "silent": liar.silent,
    "servfail": liar.servfail,
    "refused": liar.refused,
    "wrong-id": liar.wrong_id("127.0.0.2"),
    "wrong-question": liar.wrong_question("127.0.0.2"),
    "truncated-no-tcp": liar.truncated("127.0.0.2", tcp_works=False),
    "cut-short": liar.cut_short,
    "garbage": liar.garbage,
}
CIRCLES = {
    "cname-loop": liar.cname_loop(*SELF),
    "cname-self": liar.cname_loop("x.test."),
    "cname-chain": liar.cname_chain,
}


@pytest.mark.parametrize("case", LATER)
def test_later(lab, case):
    r = lab.receiver(address="127.0.0.2")
    dns = lab.liar({"good.test": liar.good("127.0.0.2")}, LATER[case])
    it = lab.postern(conf(dns, r.port))
    it.send("a@c.test", "b@x.test")
    it.send("a@c.test", "b@good.test")  # not held up by the other
    m, = r.wait(1, 45)
    assert m.rcpts == ["b@good.test"]

    def tried():
        rows = [q for q in it.queue() if q["recipient"] == "b@x.test"]
        assert rows, "given up"
        return rows[0] if rows[0]["attempts"] >= 1 else None
    row = base.wait_until(tried, "an attempt", 30)
    assert row["last"]["verdict"] == "later"
    assert row["last"]["enhanced"].startswith("4.")
    assert row["last"]["text"]
    dns.default = liar.good("127.0.0.2")
    base.wait_until(lambda: len(r.messages) == 2, "it arrives", 30)


@pytest.mark.parametrize("case", CIRCLES)
def test_circles(lab, case):
    """Aliases without an end are found out; how often is asked is bounded."""
    r = lab.receiver(address="127.0.0.2")
    dns = lab.liar({"good.test": liar.good("127.0.0.2")}, CIRCLES[case])
    it = lab.postern(conf(dns, r.port, retry="1h"))
    it.send("", "b@x.test")
    it.send("a@c.test", "b@good.test")
    r.wait(1, 45)
    base.wait_until(
        lambda: not [q for q in it.queue() if q["recipient"] == "b@x.test"
                     and not q["attempts"]], "a result", 30)
    assert len(dns.asked) < 100, "asked on and on"


def test_truncated(lab):
    """TC over UDP: the answer is had over TCP."""
    r = lab.receiver(address="127.0.0.2")
    dns = lab.liar({"x.test": liar.truncated("127.0.0.2")})
    it = lab.postern(conf(dns, r.port))
    it.send("a@c.test", "b@x.test")
    r.wait(1)
    assert any(tcp for _, _, tcp in dns.asked)


def test_forged_first(lab):
    """Forged answers come before the true one: the true one counts."""
    true, false = (lab.receiver(address=a) for a in ("127.0.0.2",
                                                     "127.0.0.3"))
    # Both on one port, so that a believed lie would show.
    false.stop()
    false = lab.receiver(address="127.0.0.3", port=true.port)
    dns = lab.liar({"x.test": liar.wrong_id_then_right("127.0.0.3",
                                                       "127.0.0.2")})
    it = lab.postern(conf(dns, true.port))
    it.send("a@c.test", "b@x.test")
    true.wait(1)
    assert not false.sessions


def test_ports_and_ids_vary(lab):
    """Questions come with ids that cannot be guessed from the last one."""
    r = lab.receiver(address="127.0.0.2")
    ids = []

    def note(query, tcp):
        ids.append(query.id)
        return liar.good("127.0.0.2")(query, tcp)
    dns = lab.liar({}, note)
    it = lab.postern(conf(dns, r.port))
    for n in range(20):
        it.send("a@c.test", f"b@x{n}.test")
    r.wait(20)
    steps = {b - a for a, b in zip(ids, ids[1:])}
    assert len(set(ids)) > 15 and len(steps) > 15


def test_cached(lab):
    """An answer is used for its TTL, not asked for each message."""
    r = lab.receiver(address="127.0.0.2")
    dns = lab.liar({"x.test": liar.good("127.0.0.2")})
    it = lab.postern(conf(dns, r.port))
    for _ in range(30):
        it.send("a@c.test", "b@x.test")
    r.wait(30)
    # A question of each kind for each deliver process.
    assert len(dns.asked) <= 4 * len(it.pids("deliver")) + 2, dns.asked
