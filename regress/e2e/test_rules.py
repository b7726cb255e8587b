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
