"""RFC 3461 and its kin from end to end: NOTIFY, ORCPT, RET and ENVID of the
client, in notifications and to the next server; SMTPUTF8 and BINARYMIME.

SPDX-License-Identifier: ISC
"""
import email
import os
import signal
import time

from lib import base, dsn
from lib.instance import QUEUED, conf
from test_dsn import ORIGINAL, parts

WORDS = ("SUCCESS", "FAILURE", "DELAY")
NOTIFY = [None, "NEVER"] + [
    ",".join(w for n, w in enumerate(WORDS) if bits & 1 << n)
    for bits in range(1, 8)]
EXT = ("PIPELINING", "8BITMIME", "SIZE 0", "ENHANCEDSTATUSCODES")


def stage(lab, lines=(), rules=(), ext=EXT, dext=EXT + ("DSN",), home=None,
          **kw):
    """x.test has no DSN, d.test has; c.test is where notices go."""
    plain = lab.receiver(address="127.0.0.2", extensions=ext, **kw)
    able = lab.receiver(address="127.0.0.4", extensions=dext, **kw)
    box = lab.receiver(address="127.0.0.3", extensions=home or EXT)
    dns = lab.dns({"x.test": ["A 127.0.0.2"], "d.test": ["A 127.0.0.4"]})
    it = lab.postern(conf(dns, lines=["hostname mx.test", *lines], rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "x" relay port {plain.port}',
        f'action "d" relay port {able.port}', *rules,
        'match from any for domain { "c.test", "mx.test" } action "home"',
        'match from any for domain "d.test" action "d"',
        'match from any for any action "x"']))
    return it, plain, able, box


def send(it, sender, rcpts, content=ORIGINAL, mail=(), bdat=False):
    """rcpts: {address: (parameter, ...)}; the message's id."""
    with it.smtp() as s:
        s.ehlo()
        code, said = s.mail(sender, list(mail))
        assert code == 250, (code, said)
        for address, params in rcpts.items():
            code, said = s.rcpt(address, list(params))
            assert code == 250, (address, code, said)
        if isinstance(content, str):
            content = content.encode()
        if bdat:
            s.send(b"BDAT %d LAST\r\n" % len(content) + content)
            code, said = s.getreply()
        else:
            code, said = s.data(content)
        assert code == 250, (code, said)
        return QUEUED.search(f"{code} {said.decode()}")[1]


def notify(value):
    return () if value is None else (f"NOTIFY={value}",)


def told(box):
    """{(sender, action, recipient)} of all notices, and how many there are."""
    found = []
    for m in list(box.messages):
        for r in parts(m)[2]:
            found.append((m.rcpts[0], r["Action"],
                          r["Final-Recipient"].partition("; ")[2]))
    return found


# Columns: recipient, domain, what is told by what was asked for.
OUTCOMES = [
    ("ok", "x.test", lambda n: n and "SUCCESS" in n and "relayed"),
    ("ok", "d.test", lambda n: None),
    ("bad", "x.test", lambda n: (not n or "FAILURE" in n) and "failed"),
    ("bad", "d.test", lambda n: (not n or "FAILURE" in n) and "failed"),
    ("late", "x.test", lambda n: (not n or "DELAY" in n) and "delayed"),
    ("late", "d.test", lambda n: (not n or "DELAY" in n) and "delayed"),
]


def test_each_combination(lab):
    """Nine values of NOTIFY, three ends, with and without DSN behind us."""
    it, plain, able, box = stage(
        lab, ["bounce warn-interval 3s"], rcpt={
            f"{word}.{n}@{domain}": reply
            for word, reply in (("bad", "550 5.1.1 no"),
                                ("late", "451 4.2.1 later"))
            for n in range(len(NOTIFY)) for domain in ("x.test", "d.test")})
    want = set()
    for n, value in enumerate(NOTIFY):
        for word, domain, says in OUTCOMES:
            sender = f"{word}{n}{domain[0]}@c.test"
            rcpt = f"{word}.{n}@{domain}"
            send(it, sender, {rcpt: notify(value)})
            if says(value):
                want.add((sender, says(value), rcpt))
    base.wait_until(lambda: set(told(box)) >= want, "all is told", 30)
    time.sleep(2)
    assert sorted(told(box)) == sorted(want), "told once, and nothing else"
    passed = {m.rcpts[0]: m.rcpt_args[m.rcpts[0]] for m in able.messages}
    for n, value in enumerate(NOTIFY):
        params = passed[f"ok.{n}@d.test"].split()
        assert [p for p in params if p.startswith("NOTIFY=")] == \
            list(notify(value)), params
        assert f"ORCPT=rfc822;ok.{n}@d.test" in params
    assert all(not a for m in plain.messages for a in m.rcpt_args.values())
    assert not plain.odd and not able.odd and not box.odd
    it.ctl("remove", "all")
    it.empty()


def test_wishes_differ(lab):
    """One message, recipients of each kind: each is told of as was asked."""
    it, plain, able, box = stage(lab, rcpt={
        f"bad{n}@x.test": "550 5.1.1 no" for n in range(4)})
    send(it, "a@c.test", {
        "bad0@x.test": (), "bad1@x.test": ("NOTIFY=NEVER",),
        "bad2@x.test": ("NOTIFY=FAILURE",), "bad3@x.test": ("NOTIFY=DELAY",),
        "ok0@x.test": (), "ok1@x.test": ("NOTIFY=SUCCESS",),
        "ok2@x.test": ("NOTIFY=SUCCESS,FAILURE",),
        "ok3@d.test": ("NOTIFY=SUCCESS",)})
    box.wait(2)
    it.empty()
    time.sleep(0.5)
    assert len(box.messages) == 2, "one for failures, one for successes"
    assert sorted((action, rcpt) for _, action, rcpt in told(box)) == [
        ("failed", "bad0@x.test"), ("failed", "bad2@x.test"),
        ("relayed", "ok1@x.test"), ("relayed", "ok2@x.test")]


def test_null_sender(lab):
    """Nobody is told of anything."""
    it, plain, able, box = stage(lab, rcpt={"bad@x.test": "550 5.1.1 no"})
    send(it, "", {"ok@x.test": ("NOTIFY=SUCCESS",),
                  "bad@x.test": ("NOTIFY=FAILURE",)})
    plain.wait(1)
    it.empty()
    time.sleep(0.5)
    assert not box.messages


def test_ids_come_back(lab):
    """ENVID, ORCPT and RET: in the notice, and on to who offers DSN."""
    it, plain, able, box = stage(lab, rcpt={
        "bad@x.test": "550 5.1.1 no", "bad@d.test": "550 5.1.1 no"})
    ident = send(it, "a@c.test", {
        "bad@x.test": ("NOTIFY=FAILURE", "ORCPT=rfc822;b+2Bo@orig.test"),
        "ok@d.test": ("NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;o@orig.test")},
        mail=("RET=FULL", "ENVID=QQ+3D42"))
    m, = box.wait(1)
    text, about, (rcpt,), original = parts(m)
    assert about["Original-Envelope-Id"] == "QQ=42"
    assert rcpt["Original-Recipient"] == "rfc822; b+o@orig.test"
    assert rcpt["Final-Recipient"] == "rfc822; bad@x.test"
    assert original.get_content_type() == "message/rfc822"
    assert "secret body" in original.as_string()
    assert m.mail_args.split()[0].startswith("SIZE=")
    m, = able.wait(1)
    assert set(m.mail_args.split()) >= {"RET=FULL", "ENVID=QQ+3D42"}
    assert set(m.rcpt_args["ok@d.test"].split()) == {
        "NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;o@orig.test"}
    assert ident


def test_ret(lab):
    """FULL within a bound; HDRS, nothing said, and what is too large."""
    it, plain, able, box = stage(lab, rcpt="550 5.1.1 no")
    large = ORIGINAL + "0123456789\r\n" * 30000
    eight = ORIGINAL.encode() + "caf\u00e9\r\n".encode()
    rows = [("full", ("RET=FULL",), ORIGINAL, "message/rfc822"),
            ("hdrs", ("RET=HDRS",), ORIGINAL, "text/rfc822-headers"),
            ("none", (), ORIGINAL, "text/rfc822-headers"),
            ("large", ("RET=FULL",), large, "text/rfc822-headers"),
            ("eight", ("RET=FULL", "BODY=8BITMIME"), eight, "message/rfc822")]
    for name, mail, content, _ in rows:
        send(it, f"{name}@c.test", {"b@x.test": ()}, content, mail)
    box.wait(len(rows))
    got = {m.rcpts[0].partition("@")[0]: m for m in box.messages}
    for name, _, _, kind in rows:
        original = parts(got[name])[3]
        assert original.get_content_type() == kind, name
        assert ("secret body" in original.as_string()) == \
            (kind == "message/rfc822"), name
    assert "BODY=8BITMIME" in got["eight"].mail_args
    assert "caf\u00e9".encode() in got["eight"].content
    assert "BODY" not in got["full"].mail_args


def test_ret_hard(lab):
    """What would be no good part of a message comes back as its header, and
    that is bounded; no byte of it breaks the form."""
    home = EXT + ("SMTPUTF8",)
    it, plain, able, box = stage(lab, home=home, rcpt="550 5.1.1 no")
    eight, wide = ("BODY=8BITMIME",), ("SMTPUTF8", "BODY=8BITMIME")
    full = ("RET=FULL",)
    body = ORIGINAL.encode()
    fields = b"".join(b"X-Filler-%d: %s\r\n" % (n, b"y" * 900)
                      for n in range(200))
    # Columns: name, parameters, content, by BDAT, type, what is in it.
    rows = [
        ("global", full + wide, "Subject: gr\u00fc\u00df\r\n\r\nsecret "
         "\u00f6\r\n".encode(), False, "message/global",
         "secret \u00f6\r\n".encode()),
        ("globalhead", wide, "Subject: gr\u00fc\u00df\r\n\r\nsecret\r\n"
         .encode(), False, "message/global-headers",
         "Subject: gr\u00fc\u00df\r\n".encode()),
        ("long", full, body + b"z" * 1500 + b"\r\n", False,
         "text/rfc822-headers", b"the first one"),
        ("binary", full + ("BODY=BINARYMIME",), body + b"a\0b\rc\nd", True,
         "text/rfc822-headers", b"the first one"),
        ("latin", full + eight, b"Subject: caf\xe9\r\n\r\nsecret\r\n", False,
         "message/rfc822", b"Subject: caf\xe9\r\n"),
        ("latinhead", eight, b"Subject: caf\xe9\r\n\r\nsecret\r\n", False,
         "text/rfc822-headers", b"Subject: caf?\r\n"),
        ("fields", (), fields + body, False, "text/rfc822-headers",
         b"X-Filler-1: y"),
        ("noend", full, body + b"no line end", True, "message/rfc822",
         b"no line end"),
        ("trap", full, body + b"--=_postern_\r\n--=_postern_--\r\n", False,
         "message/rfc822", b"--=_postern_--\r\n"),
    ]
    for name, mail, content, bdat, _, _ in rows:
        send(it, f"{name}@c.test", {"b@x.test": ()}, content, mail, bdat)
    box.wait(len(rows))
    got = {m.rcpts[0].partition("@")[0]: m for m in box.messages}
    for name, _, _, _, kind, holds in rows:
        d = dsn.read(got[name].content)
        assert d.message.get_payload(2).get_content_type() == kind, name
        assert holds in d.original, name
        assert (b"secret" in d.original) == d.whole, name
        assert b"\0" not in got[name].content, name
        assert len(d.original) < (70 << 10), name
    it.empty()


def test_aliases(lab):
    """RFC 3461 5.2.7: one for one inherits all; several are told of."""
    path = lab.path("aliases")
    path.write_text("team: t1@d.test, t2@d.test\nalone: one@d.test\n"
                    "gone: bad1@d.test, bad2@d.test\n")
    it, plain, able, box = stage(
        lab, [f'table aliases "file:{path}"'],
        ['action "l" expand-only alias <aliases>',
         'match from any for local action "l"'],
        rcpt={f"bad{n}@d.test": "550 5.1.1 no" for n in (1, 2)})
    both = ("NOTIFY=SUCCESS,FAILURE",)
    send(it, "a1@c.test", {"team@mx.test": both}, mail=("ENVID=E1",))
    send(it, "a2@c.test", {"team@mx.test": ("NOTIFY=SUCCESS",)})
    send(it, "a3@c.test", {"team@mx.test": ()})
    send(it, "a4@c.test", {"alone@mx.test": both})
    send(it, "a5@c.test", {
        "gone@mx.test": ("NOTIFY=SUCCESS", "ORCPT=rfc822;g@o.test")})
    send(it, "a6@c.test", {
        "gone@mx.test": ("NOTIFY=FAILURE", "ORCPT=rfc822;g@o.test")})
    able.wait(4)
    it.empty()
    time.sleep(0.5)
    assert sorted(told(box)) == [
        ("a1@c.test", "expanded", "team@mx.test"),
        ("a2@c.test", "expanded", "team@mx.test"),
        ("a5@c.test", "expanded", "gone@mx.test"),
        ("a6@c.test", "failed", "bad1@d.test"),
        ("a6@c.test", "failed", "bad2@d.test")]
    by = {m.sender: m for m in able.messages}
    rows = [("a1", "t1@d.test", {"NOTIFY=FAILURE"}, "team"),
            ("a2", "t2@d.test", {"NOTIFY=NEVER"}, "team"),
            ("a3", "t1@d.test", set(), "team"),
            ("a4", "one@d.test", {"NOTIFY=SUCCESS,FAILURE"}, "alone")]
    for who, rcpt, params, orig in rows:
        assert set(by[f"{who}@c.test"].rcpt_args[rcpt].split()) == \
            params | {f"ORCPT=rfc822;{orig}@mx.test"}, who
    assert "ENVID=E1" in by["a1@c.test"].mail_args
    failed = next(m for m in box.messages if m.rcpts == ["a6@c.test"])
    assert {r["Original-Recipient"] for r in parts(failed)[2]} == {
        "rfc822; g@o.test"}


def test_shown(lab):
    it, plain, able, box = stage(lab, rcpt="451 4.2.1 later")
    ident = send(it, "a@c.test", {
        "b@x.test": ("NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;o@o.test"),
        "c@x.test": ()}, mail=("RET=HDRS", "ENVID=E7", "BODY=8BITMIME"))
    shown = it.ctl("show", "envelope", ident, "--json").json
    shown = shown[0] if isinstance(shown, list) else shown
    assert (shown["ret"], shown["envid"], shown["body"]) == (
        "HDRS", "E7", "8BITMIME")
    b, c = shown["recipients"]
    assert b["notify"] == "SUCCESS,DELAY" and b["orcpt"] == "rfc822;o@o.test"
    assert "notify" not in c and "orcpt" not in c
    text = it.ctl("show", "envelope", ident).stdout
    assert "envid: E7" in text and "notify: SUCCESS,DELAY" in text
    # The index is made again from the file, and knows the same.
    it.ctl("rebuild")
    base.wait_until(lambda: it.ctl(
        "show", "queue", "--json", check=False).json, "rows are back")
    row = next(q for q in it.queue() if q["recipient"] == "b@x.test")
    assert row["notify"] == "SUCCESS,DELAY" and row["orcpt"] == \
        "rfc822;o@o.test"
    it.ctl("remove", "all")


def test_success_survives_kills(lab):
    """Exactly one notice of success for each message, whoever is killed."""
    path = lab.path("aliases")
    path.write_text("team: t1@x.test, t2@x.test\n")
    it, plain, able, box = stage(
        lab, [f'table aliases "file:{path}"'],
        ['action "l" expand-only alias <aliases>',
         'match from any for local action "l"'])
    want, n = set(), 0
    for n in range(40):
        rcpt = "team@mx.test" if n % 4 == 0 else f"r{n}@x.test"
        want.add((f"a{n}@c.test", "expanded" if n % 4 == 0 else "relayed",
                  rcpt))
        while True:
            try:
                send(it, f"a{n}@c.test", {rcpt: ("NOTIFY=SUCCESS",)})
                break
            except (OSError, AssertionError):
                time.sleep(0.2)
        if n % 5 == 2:
            for pid in it.pids(("queue", "deliver")[n % 2]):
                os.kill(pid, signal.SIGKILL)
    import shutil
    try:
        base.wait_until(lambda: set(told(box)) >= want, "all are told", 60)
    finally:
        shutil.copy(it.log_path, "/tmp/qlocal-d.log"); print(want - set(told(box)), [t for t in told(box) if t[0] in ("a1@c.test","a2@c.test")]); print(it.ctl("show","queue").stdout)
    it.empty(60)
    assert set(told(box)) == want
    # Delivered twice is possible where a result met a dead queue; but then
    # it is the same notice under the same id, of the same message.
    ids = {}
    for m in box.messages:
        ids.setdefault(m.rcpts[0], set()).add(m.parsed()["Message-ID"])
    twice = {who: got for who, got in ids.items() if len(got) > 1}
    sent = {}
    for m in plain.messages:
        sent.setdefault(m.sender, []).append(m.rcpts)
    # A message whose client was cut off before its 250 was sent again.
    assert all(len(sent[who]) > 1 for who in twice), twice


# ---- SMTPUTF8 (RFC 6531, 6533) ----

UTF8 = EXT + ("SMTPUTF8",)


def test_utf8_passed_on(lab):
    it, plain, able, box = stage(lab, ext=UTF8, dext=UTF8 + ("DSN",))
    head = "From: <\u00e4@c.test>\r\nSubject: gr\u00fc\u00df\r\n\r\nhi\r\n"
    send(it, "\u00e4@c.test", {"\u00f6@x.test": (), "\u00f6@d.test": ()},
         head.encode(), ("SMTPUTF8", "BODY=8BITMIME"))
    for r, rcpt in ((plain, "\u00f6@x.test"), (able, "\u00f6@d.test")):
        m, = r.wait(1)
        assert m.sender == "\u00e4@c.test" and m.rcpts == [rcpt]
        assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(m.mail_args.split())
    assert "ORCPT=utf-8;\\x{F6}@d.test" in able.messages[0].rcpt_args[
        "\u00f6@d.test"]
    it.empty()


def test_utf8_not_offered(lab):
    """5.6.7 for what needs it; the rest of the message goes."""
    it, plain, able, box = stage(lab, home=UTF8)
    head = b"Subject: x\r\n\r\nhi\r\n"
    wide = "Subject: gr\u00fc\u00df\r\n\r\nhi\r\n".encode()
    mail = ("SMTPUTF8", "BODY=8BITMIME")
    send(it, "a@c.test", {"\u00f6@x.test": (), "b@x.test": ()}, head, mail)
    send(it, "\u00e4@c.test", {"b@x.test": ()}, head, mail)
    send(it, "w@c.test", {"b@x.test": ()}, wide, mail)
    box.wait(3)
    assert [m.sender for m in plain.wait(1)] == ["a@c.test"]
    assert plain.messages[0].rcpts == ["b@x.test"]
    by = {m.rcpts[0]: m for m in box.messages}
    assert set(by) == {"a@c.test", "\u00e4@c.test", "w@c.test"}
    for who, m in by.items():
        assert "SMTPUTF8" in m.mail_args, "it is one itself"
        got = email.message_from_bytes(m.content)
        assert got.get_param("report-type") == "global-delivery-status"
        kinds = [p.get_content_type() for p in got.get_payload()]
        assert kinds == ["text/plain", "message/global-delivery-status",
                         "message/global-headers"], kinds
        assert b"Status: 5.6.7\r\n" in m.content
    assert "Final-Recipient: utf-8; \u00f6@x.test\r\n".encode() in \
        by["a@c.test"].content
    assert "Subject: gr\u00fc\u00df\r\n".encode() in by["w@c.test"].content
    assert "To: <\u00e4@c.test>\r\n".encode() in by["\u00e4@c.test"].content
    it.empty()


def test_utf8_domain(lab):
    """A domain of any script is asked for, and said, as DNS has it."""
    r = lab.receiver(address="127.0.0.2")
    dns = lab.dns({"xn--bcher-kva.test": ["A 127.0.0.2"]})
    it = lab.postern(conf(dns, relay_port=r.port))
    send(it, "a@c.test", {"bob@b\u00fccher.test": ()},
         mail=("SMTPUTF8",))
    m, = r.wait(1)
    assert m.rcpts == ["bob@xn--bcher-kva.test"]
    assert "SMTPUTF8" not in m.mail_args
    it.empty()


# ---- BINARYMIME (RFC 3030) ----

BINARY = b"Subject: x\r\n\r\n.\r\n\0bare\rbare\n" + bytes(range(256)) * 300


def test_binary(lab):
    """By BDAT, byte for byte, to who offers it; else 5.6.1, never by DATA."""
    it, plain, able, box = stage(
        lab, dext=EXT + ("CHUNKING", "BINARYMIME"))
    mail = ("BODY=BINARYMIME",)
    send(it, "a@c.test", {"b@d.test": ()}, BINARY, mail, bdat=True)
    m, = able.wait(1)
    assert m.content.partition(b"\r\n\r\n")[2] == \
        BINARY.partition(b"\r\n\r\n")[2]
    assert m.bdat == [len(m.content)], "one chunk"
    assert "BODY=BINARYMIME" in m.mail_args
    assert f"SIZE={len(m.content)}" in m.mail_args
    send(it, "a@c.test", {"b@x.test": ()}, BINARY, mail, bdat=True)
    m, = box.wait(1)
    rcpt, = parts(m)[2]
    assert rcpt["Action"] == "failed" and rcpt["Status"] == "5.6.1"
    assert not plain.messages
    # What was said to be binary, and is not, needs nothing.
    send(it, "a@c.test", {"b@x.test": ()}, ORIGINAL, mail, bdat=True)
    m, = plain.wait(1)
    assert not m.bdat and m.content.endswith(b"secret body\r\n")
    it.empty()


def test_no_end_of_line(lab):
    """What came by BDAT without its last CRLF goes by DATA with it."""
    it, plain, able, box = stage(lab)
    send(it, "a@c.test", {"b@x.test": ()}, ORIGINAL + "no end", bdat=True)
    m, = plain.wait(1)
    assert m.content.endswith(b"secret body\r\nno end\r\n")
    it.empty()


# ---- a real peer ----

def test_postfix_peer(lab):
    """Postfix understands what it is told, and tells of it itself."""
    box = lab.receiver(address="127.0.0.3", extensions=UTF8)
    peer = lab.postfix(domains=["x.test"], settings=(
        "smtputf8_enable = yes\n"
        f"relayhost = [127.0.0.3]:{box.port}\n"))
    dns = lab.dns({"x.test": ["A 127.0.0.1"]})
    it = lab.postern(conf(dns, lines=["hostname mx.test"], rules=[
        f'action "home" relay host "smtp://127.0.0.3:{box.port}"',
        f'action "x" relay port {peer.port}',
        'match from any for domain "c.test" action "home"',
        'match from any for any action "x"']))
    send(it, "a@c.test", {"b@x.test": (
        "NOTIFY=SUCCESS", "ORCPT=rfc822;o@o.test")}, mail=("ENVID=P1",))
    m, = box.wait(1)
    got = email.message_from_bytes(m.content)
    about, rcpt = got.get_payload()[1].get_payload()
    assert about["Reporting-MTA"] == "dns; peer.test", "Postfix tells, not we"
    assert about["Original-Envelope-Id"] == "P1"
    assert rcpt["Original-Recipient"].replace(" ", "") == "rfc822;o@o.test"
    assert rcpt["Action"] == "delivered"
    head = "From: <\u00e4@c.test>\r\nSubject: gr\u00fc\u00df\r\n\r\nhi\r\n"
    send(it, "\u00e4@c.test", {"\u00f6@x.test": ()}, head.encode(),
         ("SMTPUTF8", "BODY=8BITMIME"))
    base.wait_until(lambda: len(peer.mail()) == 2, "both are in the mailbox")
    text = b"".join(f.read_bytes() for f in peer.files())
    assert "Delivered-To: \u00f6@x.test\n".encode() in text
    assert "Subject: gr\u00fc\u00df\n".encode() in text
    it.empty()
    time.sleep(0.5)
    assert len(box.messages) == 1
