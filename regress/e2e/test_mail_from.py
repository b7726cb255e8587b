"""relay mail-from: another envelope sender on one relay.

SPDX-License-Identifier: ISC
"""
import email

from lib.instance import conf


def test_mail_from(lab):
    """The whole address, a part of it, never in place of the null sender;
    who the sender is stays what it was for everybody else."""
    r = lab.receiver(rcpt={"bad@x.test": "550 5.1.1 no bad here"})
    it = lab.postern(conf(lab.dns(), rules=[
        f'action "all" relay port {r.port} mail-from "out@relay.test"',
        f'action "domain" relay port {r.port} mail-from "@relay.test"',
        'match from any for rcpt-to "all@x.test" action "all"',
        'match from any for rcpt-to "domain@x.test" action "domain"',
        'match from any for any action "all"']))
    said = []
    for n, (sender, rcpt) in enumerate((
            ("s@c.test", "all@x.test"), ("s@c.test", "domain@x.test"),
            ("", "all@x.test"), ("", "domain@x.test")), 1):
        it.send(sender, rcpt)
        said.append(r.wait(n)[-1].sender)
    assert said == ["out@relay.test", "s@relay.test", "", ""]
    it.empty()
    # The notification goes to the sender of before.
    it.send("s@x.test", "bad@x.test")
    dsn = r.wait(5)[-1]
    assert (dsn.sender, dsn.rcpts) == ("", ["s@x.test"])
    assert email.message_from_bytes(dsn.content)["To"] == "<s@x.test>"
    it.empty()
