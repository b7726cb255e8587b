"""The match rules, asked over the wire: who may send what to whom.

SPDX-License-Identifier: ISC
"""
import smtplib

import pytest

from lib import base
from lib.instance import conf


def ask(it, rcpt, sender="a@c.test"):
    with it.smtp() as s:
        s.ehlo()
        s.mail(sender)
        code, said = s.rcpt(rcpt)
        return code, said.decode()


def stage(lab, *rules, port=None, lines=(), listen=None):
    r = lab.receiver()
    kw = {"listen": listen} if listen else {}
    it = lab.postern(conf(lab.dns(), lines=lines, rules=[
        f'action "out" relay port {r.port}', *rules], **kw))
    return it, r


def test_default_is_closed(lab):
    """No rule for strangers: no relay for them, though from here it is."""
    it, r = stage(lab, 'match from src 192.0.2.0/24 for any action "out"')
    code, said = ask(it, "b@x.test")
    assert code == 550 and said.startswith("5.7.1"), said


def test_local_by_default(lab):
    """`match for any` is from local, and loopback is local."""
    it, r = stage(lab, 'match for any action "out"')
    assert ask(it, "b@x.test")[0] == 250


def test_first_match_wins(lab):
    it, r = stage(lab, 'match from any for domain "x.test" reject',
                  'match from any for any action "out"')
    assert ask(it, "b@x.test")[0] == 550
    assert ask(it, "b@y.test")[0] == 250
    assert ask(it, "b@sub.x.test")[0] == 250


def test_negation(lab):
    it, r = stage(lab, 'match from any ! for domain { "x.test" } action "out"')
    assert ask(it, "b@x.test")[0] == 550
    assert ask(it, "b@y.test")[0] == 250


def test_src(lab):
    it, r = stage(lab, 'match from src { 127.0.0.1, 192.0.2.1 } for any '
                  'action "out"')
    assert ask(it, "b@x.test")[0] == 250
    it.stop()
    it.write_conf(it.text.replace("{ 127.0.0.1, 192.0.2.1 }", "192.0.2.1"))
    it.start()
    assert ask(it, "b@x.test")[0] == 550


def test_file_table(lab):
    """A file of domains, one of them with a wildcard; comments in it."""
    path = lab.path("domains")
    path.write_text("# ours\nx.test\n\n*.y.test  \n")
    it, r = stage(lab, 'match from any for domain <ours> action "out"',
                  lines=[f"table ours file:{path}"])
    assert ask(it, "b@x.test")[0] == 250
    assert ask(it, "b@X.TEST")[0] == 250
    assert ask(it, "b@a.y.test")[0] == 250
    assert ask(it, "b@z.test")[0] == 550


def test_tag(lab):
    """Two listeners, one of them for those who may relay."""
    other = base.free_port()
    it, r = stage(lab, 'match tag INSIDE from any for any action "out"',
                  'match from any for domain "x.test" action "out"',
                  listen="listen on 127.0.0.1 port {port}\n"
                  f"listen on 127.0.0.1 port {other} tag INSIDE")
    assert ask(it, "b@y.test")[0] == 550
    assert ask(it, "b@x.test")[0] == 250
    with smtplib.SMTP("127.0.0.1", other, timeout=10) as s:
        s.ehlo()
        s.mail("a@c.test")
        assert s.rcpt("b@y.test")[0] == 250


def test_corrected_configuration_frees_mail(lab):
    """Facts are kept, not decisions: a changed rule sends waiting mail
    elsewhere."""
    wrong = base.free_port()
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), wrong, retry="1h"))
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: it.queue()[0]["attempts"], "it fails")
    it.stop()
    it.write_conf(it.text.replace(f"port {wrong}", f"port {r.port}"))
    it.start()
    it.ctl("flush", "all")
    r.wait(1)
    it.empty()


def test_helo(lab):
    """relay helo: the name that is said there; hostname: the one in the
    banner."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(), lines=["hostname mx.c.test"], rules=[
        f'action "out" relay helo "other.c.test" port {r.port}',
        'match from any for any action "out"']))
    it.send("a@c.test", "b@x.test")
    m, = r.wait(1)
    assert m.helo == "other.c.test"
    assert b"by mx.c.test" in m.content


@pytest.mark.parametrize("rule, yes, no", [
    ('for domain regex "^[xy]\\.test$"', "b@x.test", "b@z.test"),
    ('for domain regex "(?i)^X\\.TEST$"', "b@x.test", "b@y.test"),
    ('! for domain regex "^x"', "b@y.test", "b@x.test"),
    ('for rcpt-to "b@x.test"', "B@X.test", "c@x.test"),
    ('for rcpt-to { "@y.test", "b@x.test" }', "any@y.test", "c@x.test"),
    ('for rcpt-to regex "^[a-c]@"', "b@x.test", "d@x.test"),
    ('! rcpt-to "b@x.test" for any', "c@x.test", "b@x.test"),
    ('rcpt-to regex "x" for any', "b@x.test", "b@y.test"),
])
def test_recipients(lab, rule, yes, no):
    it, r = stage(lab, f'match from any {rule} action "out"')
    assert ask(it, yes)[0] == 250
    assert ask(it, no)[0] == 550


@pytest.mark.parametrize("rule, yes, no", [
    ('mail-from "a@c.test"', "A@C.test", "b@c.test"),
    ('mail-from "@c.test"', "any@c.test", "a@d.test"),
    ('! mail-from "@c.test"', "a@d.test", "a@c.test"),
    ('mail-from regex "^a"', "a@c.test", "b@c.test"),
    ('mail-from regex "^$"', "", "b@c.test"),
    ('from mail-from "a@c.test"', "a@c.test", "b@c.test"),
    ('! from mail-from "a@c.test"', "b@c.test", "a@c.test"),
])
def test_senders(lab, rule, yes, no):
    if "from mail-from" not in rule:
        rule = "from any " + rule
    it, r = stage(lab, f'match {rule} for any action "out"')
    assert ask(it, "b@x.test", yes)[0] == 250
    assert ask(it, "b@x.test", no)[0] == 550


def test_helo_condition(lab):
    """What was said in EHLO, plain, negated, and by a regular expression."""
    it, r = stage(
        lab, 'match from any helo "good.test" for domain "x.test" '
        'action "out"',
        'match from any ! helo "bad.test" for domain "y.test" action "out"',
        'match from any helo regex "^mail[0-9]+\\." for domain "z.test" '
        'action "out"')

    def say(helo, rcpt):
        with it.smtp() as s:
            s.ehlo(helo)
            s.mail("a@c.test")
            return s.rcpt(rcpt)[0]
    assert say("good.test", "b@x.test") == 250
    assert say("bad.test", "b@x.test") == 550
    assert say("good.test", "b@y.test") == 250
    assert say("bad.test", "b@y.test") == 550
    assert say("mail7.c.test", "b@z.test") == 250
    assert say("mail.c.test", "b@z.test") == 550


def test_tag_conditions(lab):
    """Negated, by a table, by a regular expression."""
    other = base.free_port()
    it, r = stage(lab, 'match ! tag IN from any for domain "x.test" '
                  'action "out"',
                  'match tag regex "^I" from any for domain "y.test" '
                  'action "out"',
                  listen="listen on 127.0.0.1 port {port}\n"
                  f"listen on 127.0.0.1 port {other} tag IN")

    def tagged(rcpt):
        with smtplib.SMTP("127.0.0.1", other, timeout=10) as s:
            s.ehlo()
            s.mail("a@c.test")
            return s.rcpt(rcpt)[0]
    assert ask(it, "b@x.test")[0] == 250
    assert tagged("b@x.test") == 550
    assert ask(it, "b@y.test")[0] == 550
    assert tagged("b@y.test") == 250


def test_nobody_is_authenticated(lab):
    """`auth` and `from auth` are for nobody yet, `! auth` for all."""
    it, r = stage(lab, 'match from auth for domain "x.test" action "out"',
                  'match from any auth for domain "x.test" action "out"',
                  'match from any ! auth for domain "y.test" action "out"',
                  'match from any tls for domain "z.test" action "out"',
                  'match from any ! tls for domain "w.test" action "out"')
    assert ask(it, "b@x.test")[0] == 550
    assert ask(it, "b@y.test")[0] == 250
    assert ask(it, "b@z.test")[0] == 550
    assert ask(it, "b@w.test")[0] == 250


def test_idn(lab):
    """A domain in the rules stands for the form that DNS has."""
    path = lab.path("domains")
    path.write_text("bücher.test\n")
    it, r = stage(lab, 'match from any for domain "müller.test" action "out"',
                  'match from any for domain <ours> action "out"',
                  lines=[f"table ours file:{path}"])
    assert ask(it, "b@xn--mller-kva.test")[0] == 250
    assert ask(it, "b@XN--BCHER-KVA.test")[0] == 250
    assert ask(it, "b@muller.test")[0] == 550
