"""Aggregate reports of DMARC (RFC 9990): what is kept, who gets it, in what
form, and what is left after a crash.  Rows come from messages where it is about
keeping them, and else from the unit test's `put`.

SPDX-License-Identifier: ISC
"""
import datetime
import email
import fcntl
import gzip
import os
import pwd
import signal
import stat
import subprocess
import time

import dkim
import pytest
from lxml import etree

from lib import base
from lib.instance import conf
from test_auth_results import BAD, GOOD, House, mail, signed
from test_dkim import make_key

NS = "{urn:ietf:params:xml:ns:dmarc-2.0}"
SCHEMA = base.ROOT / "regress/lib/rfc9990.xsd"
TODAY = int(time.time()) // 86400
LINE = ('dmarc report from dmarc@mx.test org "Us & them" '
        'contact "https://mx.test/dmarc"')


def day(n):
    """The day n from today on, as smtpctl has it."""
    return str(datetime.date.fromordinal(
        datetime.date(1970, 1, 1).toordinal() + TODAY + n))


def txt(text):
    return 'TXT "%s"' % text.replace(";", r"\;")


def stage(lab, names, more=(), rules=None, report=LINE, **kw):
    """An instance that hands all to one receiver: it, and that."""
    receiver = lab.receiver()
    dns = lab.dns(names)
    lines = ["hostname mx.test", *([report] if report else []), *more]
    if rules is None:
        rules = [f'action "out" relay host "smtp://127.0.0.1:{receiver.port}"',
                 'match from local for any action "out"']
    it = lab.postern(conf(dns, lines=lines, rules=rules), **kw)
    return it, receiver


def put(it, *rows):
    """(day from today, domain, messages of each row, rows, first client)"""
    out = base.run([base.BUILD / "unit/queue_report", "put", it.root / "spool"],
                   stdin=None,
                   input="".join("%d %s %d %d %d\n" % r for r in rows))
    assert out.returncode == 0, out.stdout + out.stderr


def listed(it):
    """What is left to report: (day, domain) -> its line."""
    rows = it.ctl("report", "list", "--json").json
    rows = rows if isinstance(rows, list) else [rows]
    return {(r["day"], r["domain"]): r for r in rows}


def left(it):
    return {key for key, row in listed(it).items() if row["rows"]}


def gone(it, *keys):
    """Waits until nothing of these is left: a second at the most."""
    base.wait_until(lambda: not left(it) & set(keys), f"{keys} are gone")


class Report:
    """A report out of its mail, or its XML alone."""

    def __init__(self, content=None, xml=None):
        if xml is None:
            self.mail = email.message_from_bytes(content)
            part, = [p for p in self.mail.walk()
                     if p.get_content_type() == "application/gzip"]
            self.name = part.get_filename()
            assert part.get_content_disposition() == "attachment"
            xml = gzip.decompress(part.get_payload(decode=True))
        self.xml = etree.fromstring(xml)
        etree.XMLSchema(etree.parse(str(SCHEMA))).assertValid(self.xml)

    def all(self, path):
        return [e.text for e in self.xml.iterfind(
            "/".join(NS + p for p in path.split("/")))]

    def one(self, path):
        text, = self.all(path)
        return text


# ---- a report ----

def test_sent(lab):
    """From the rows to the mail, signed; then they are gone."""
    key, record = make_key(lab, "mx.test", "s1")
    it, receiver = stage(lab, {
        "_dmarc.a.test": [txt("v=DMARC1; p=reject; sp=quarantine; "
                              "rua=mailto:r@a.test, mailto:two%21@in.a.test")],
        **record}, more=[f'dkim domain mx.test selector s1 key "{key}"'])
    put(it, (0, "a.test", 3, 5, 0), (0, "a.test", 7, 1, 2),
        (1, "a.test", 1, 1, 0))
    assert left(it) == {(day(0), "a.test"), (day(1), "a.test")}
    row = listed(it)[day(0), "a.test"]
    assert (row["rows"], row["messages"], row["reported"]) == (5, 22, 0)
    shown = Report(xml=it.ctl("report", "show", "A.test", day(0))
                   .stdout.encode())
    assert shown.one("policy_published/domain") == "a.test"
    dry = it.ctl("report", "send", "--dry-run", "--day", "today").stdout
    assert f"{day(0)} a.test would go to: r@a.test" in dry
    assert (day(0), "a.test") in left(it)

    out = it.ctl("report", "send", "--day", "today").stdout
    assert f"{day(0)} a.test sent to: r@a.test" in out
    mails = {m.rcpts[0]: m for m in receiver.wait(2)}
    assert set(mails) == {"r@a.test", "two!@in.a.test"}
    mail = mails["r@a.test"]
    assert mail.sender == "dmarc@mx.test"
    it.logged(rf'report day={day(0)} mails=2 domain="a.test"')
    gone(it, (day(0), "a.test"))
    assert left(it) == {(day(1), "a.test")}
    assert listed(it)[day(0), "a.test"]["reported"] == 1
    assert it.ctl("report", "send", "--day", "today").stdout == ""

    report = Report(mail.content)
    begin = TODAY * 86400
    ident = report.one("report_metadata/report_id")
    assert report.name == f"mx.test!a.test!{begin}!{begin + 86399}!" \
        f"{ident}.xml.gz"
    subject = " ".join(report.mail["Subject"].split())
    assert subject == f"Report Domain: a.test Submitter: mx.test " \
        f"Report-ID: <{ident}>"
    assert report.mail["From"] == "<dmarc@mx.test>"
    assert report.mail["To"] == "<r@a.test>"
    assert report.mail["Auto-Submitted"] == "auto-generated"
    assert report.mail["Date"] and ident in report.mail["Message-ID"]
    # What is sent of DMARC passes it.
    found = dkim.DKIM(mail.content)
    assert found.verify(dnsfunc=lab.things[1].txt)
    assert found.domain == b"mx.test"

    assert report.one("report_metadata/org_name") == "Us & them"
    assert report.one("report_metadata/email") == "dmarc@mx.test"
    assert report.one("report_metadata/extra_contact_info") == \
        "https://mx.test/dmarc"
    assert int(report.one("report_metadata/date_range/begin")) == begin
    assert report.all("report_metadata/error") == []
    assert report.one("policy_published/p") == "reject"
    assert report.one("policy_published/sp") == "quarantine"
    assert report.one("policy_published/np") == "quarantine"
    assert report.one("policy_published/discovery_method") == "treewalk"
    counts = [int(n) for n in report.all("record/row/count")]
    assert counts == [10, 3, 3, 3, 3]  # the most frequent first
    assert report.all("record/row/source_ip")[0] == "10.0.0.2"
    assert set(report.all("record/auth_results/dkim/selector")) == {"s1", "s2"}
    assert set(report.all("record/auth_results/spf/scope")) == {"mfrom"}
    assert set(report.all("record/identifiers/header_from")) == \
        {"news.example.org"}
    # What comes of a day after its report is another one, with another id.
    put(it, (0, "a.test", 1, 1, 0))
    it.ctl("report", "send", "--day", "today", "--domain", "a.test")
    again = Report(receiver.wait(3)[2].content)
    assert again.one("report_metadata/report_id") != ident


def test_verbs(lab):
    """No day before it is over, unless it is named; what is no day, no option;
    and as whom all that runs."""
    it, receiver = stage(lab, {
        "_dmarc.a.test": [txt("v=DMARC1;p=none;rua=mailto:r@a.test")]})
    put(it, (0, "a.test", 1, 1, 0), (-2, "a.test", 1, 1, 0),
        (-1, "a.test", 1, 1, 0))
    for args in (["list", "x"], ["show"], ["show", "a", "b", "c"],
                 ["show", "a.test", "someday"], ["send", "--day"],
                 ["send", "--day", "2026-02-31x"], ["send", "now"]):
        out = it.ctl("report", *args, check=False)
        assert out.returncode == 64, (args, out)
    it.ctl("report", "send", "--until", day(-2))
    it.ctl("report", "send")
    gone(it, (day(-2), "a.test"), (day(-1), "a.test"))
    it.ctl("report", "send", "--day", "today", "--domain", "b.test")
    assert left(it) == {(day(0), "a.test")}
    it.ctl("report", "send", "--day", "today")
    begins = [int(Report(m.content).one("report_metadata/date_range/begin"))
              for m in receiver.wait(3)]
    assert sorted(begins) == [(TODAY + n) * 86400 for n in (-2, -1, 0)]
    gone(it, (day(0), "a.test"))
    out = it.ctl("report", "show", "a.test", check=False)
    assert out.returncode == 1 and "nothing" in out.stderr
    only_reports(it)


def only_reports(it):
    """The owner of the spool may say that reports were sent, and nothing
    else; another user may not even look."""
    user = pwd.getpwnam("_smtpq")
    sock = it.root / "control.sock"
    assert stat.S_IMODE(sock.stat().st_mode) == 0o660
    assert (sock.stat().st_uid, sock.stat().st_gid) == (0, user.pw_gid)

    def as_user(who, *args):
        return base.run([base.BUILD / "smtpctl", "-R", it.root, *args],
                        user=who.pw_uid, group=who.pw_gid, extra_groups=[])
    assert as_user(user, "report", "send").returncode == 0
    for args in (["pause"], ["flush", "all"], ["stop"], ["reload"],
                 ["explain", "a@x.test"]):
        out = as_user(user, *args)
        assert out.returncode == 77, (args, out)
        assert "only root and who started smtpd may ask" in out.stderr, args
    for args in (["send"], ["list"], ["show", "a.test"]):
        out = as_user(pwd.getpwnam("nobody"), "report", *args)
        assert out.returncode == 77, out
    assert "paused=no" in it.ctl("show", "status", "--json").stdout or \
        '"paused":false' in it.ctl("show", "status", "--json").stdout


# ---- who gets it ----

def test_who(lab):
    """Who is outside of the domain has to agree (RFC 9990 4); a record that is
    gone or that nobody can use is the end of it, a doubt is not."""
    agreed = txt("v=DMARC1")
    names = {
        "_dmarc.yes.test": [txt("v=DMARC1;p=none;rua=mailto:r@ext.test")],
        "yes.test._report._dmarc.ext.test": [agreed],
        "_dmarc.no.test": [txt("v=DMARC1;p=none;rua=mailto:r@ext.test")],
        "no.test._report._dmarc.ext.test": [txt("v=spf1 -all")],
        "_dmarc.wild.test": [txt("v=DMARC1;p=none;rua=mailto:r@wide.test")],
        "*._report._dmarc.wide.test": [agreed],
        # Both are of one organization, in whatever order.
        "_dmarc.org.test": [txt("v=DMARC1;p=none;rua=mailto:r@in.org.test")],
        "_dmarc.sub.org.test": [txt("v=DMARC1;p=none;rua=mailto:s@org.test")],
        "_dmarc.side.org.test": [txt("v=DMARC1;p=none;"
                                     "rua=mailto:t@in.org.test")],
        # A name that only looks so.
        "_dmarc.g.test": [txt("v=DMARC1;p=none;rua=mailto:r@evilg.test")],
        # A public suffix is no organization.
        "_dmarc.psd": [txt("v=DMARC1;p=none;psd=y")],
        "_dmarc.a.psd": [txt("v=DMARC1;p=none;rua=mailto:r@b.psd")],
        # The other side may say which address it is, of its own host.
        "_dmarc.else.test": [txt("v=DMARC1;p=none;rua=mailto:r@ext.test")],
        "else.test._report._dmarc.ext.test":
            [txt("v=DMARC1;rua=mailto:else@ext.test")],
        "_dmarc.evil.test": [txt("v=DMARC1;p=none;rua=mailto:r@ext.test")],
        "evil.test._report._dmarc.ext.test":
            [txt("v=DMARC1;rua=mailto:x@victim.test")],
        "_dmarc.two.test": [txt("v=DMARC1;p=none;rua=mailto:r@two.test"),
                            txt("v=DMARC1;p=none;rua=mailto:q@two.test")],
        "_dmarc.norua.test": [txt("v=DMARC1;p=none")],
        "_dmarc.web.test": [txt("v=DMARC1;p=none;rua=https://web.test/")],
        # Of several, those that may.
        "_dmarc.mix.test": [txt("v=DMARC1;p=none;rua=mailto:r@mix.test,"
                                "mailto:r@ext.test,mailto:r@MIX.test")],
        # Nobody answers for these names.
        "_dmarc.late.test": ["NS ns.dead"],
        "_dmarc.doubt.test": [txt("v=DMARC1;p=none;rua=mailto:r@slow.test")],
        "_report._dmarc.slow.test": ["NS ns.dead"],
        "ns.dead": ["A 127.0.0.1"],
    }
    want = {"yes": "r@ext.test", "wild": "r@wide.test", "org": "r@in.org.test",
            "sub.org": "s@org.test", "side.org": "t@in.org.test",
            "else": "else@ext.test", "mix": "r@mix.test"}
    never = ["no", "g", "evil", "two", "norua", "web", "nothing"]
    later = {(day(0), "late.test"), (day(0), "doubt.test")}
    it, receiver = stage(lab, names)
    put(it, *[(0, f"{d}.test", 1, 1, 0) for d in [*want, *never]],
        (0, "a.psd", 1, 1, 0), *[(0, d, 1, 1, 0) for _, d in later])
    # As spawn runs it: by the day's number.
    out = it.ctl("report", "send", "--until", str(TODAY), check=False)
    assert out.returncode == 75, out
    for _, domain in later:
        assert f"{domain}: the DNS cannot say now" in out.stderr, out.stderr
    got = {Report(m.content).one("policy_published/domain"): m.rcpts[0]
           for m in receiver.wait(len(want))}
    assert got == {f"{d}.test": a for d, a in want.items()}
    base.wait_until(lambda: left(it) == later, "only the doubts are left")
    # Found, when the DNS says it.
    lab.things[1].change({"_dmarc.late.test": [
        txt("v=DMARC1;p=none;rua=mailto:r@late.test")]})
    out = it.ctl("report", "send", "--dry-run", "--day", "today",
                 "--domain", "late.test")
    assert "late.test would go to: r@late.test" in out.stdout
    # Why not, for who asks.
    put(it, (0, "no.test", 1, 1, 0))
    out = it.ctl("report", "send", "--dry-run", "--day", "today",
                 "--domain", "no.test").stdout
    assert "no.test nobody wants it: r@ext.test: its host did not " \
        "agree to have them" in out
    assert len(receiver.messages) == len(want)


def test_limit(lab):
    """Too large for one of them: fewer records, and it says so."""
    it, receiver = stage(lab, {"_dmarc.a.test": [txt(
        "v=DMARC1;p=none;rua=mailto:small@a.test!20k,mailto:all@a.test,"
        "mailto:tiny@a.test!2k")],
        "_dmarc.big.test": [txt("v=DMARC1;p=none;rua=mailto:r@big.test")]})
    put(it, (0, "a.test", 1, 3000, 0), (0, "a.test", 9, 10, 500))
    out = it.ctl("report", "send", "--day", "today")
    assert "the report is too large for tiny@a.test" in out.stderr
    got = {m.rcpts[0]: m for m in receiver.wait(2)}
    whole = Report(got["all@a.test"].content)
    cut = Report(got["small@a.test"].content)
    assert len(whole.all("record")) == 3000
    n = len(cut.all("record"))
    assert len(got["small@a.test"].content) <= 20 * 1024 and n > 300
    assert cut.one("report_metadata/error") == \
        f"Cut to fit: {n} of 3000 records, the most frequent."
    assert [int(c) for c in cut.all("record/row/count")[:11]] == \
        [10] * 10 + [1]
    # Two that differ are two.
    assert cut.one("report_metadata/report_id") != \
        whole.one("report_metadata/report_id")
    gone(it, (day(0), "a.test"))
    large(it, receiver)


def large(it, receiver):
    """A hundred thousand records in bounded memory."""
    put(it, (0, "big.test", 1, 100000, 0))
    run = subprocess.Popen([base.BUILD / "smtpctl", "-R", it.root, "report",
                            "send", "--day", "today"], stdin=subprocess.DEVNULL)
    most = 0
    while run.poll() is None:
        try:
            with open(f"/proc/{run.pid}/status") as f:
                most = max([most, *(int(line.split()[1]) for line in f
                                    if line.startswith("VmHWM:"))])
        except OSError:
            pass
        time.sleep(0.01)
    assert run.returncode == 0 and most > 0
    if not base.SANITIZED:
        assert most < 64 * 1024, f"{most} KiB"
    m = receiver.wait(3)[2]
    part, = [p for p in email.message_from_bytes(m.content).walk()
             if p.get_content_type() == "application/gzip"]
    xml = gzip.decompress(part.get_payload(decode=True))
    assert xml.count(b"<record>") == 100000 and xml.endswith(b"</feedback>\n")
    gone(it, (day(0), "big.test"))


# ---- by itself ----

def test_by_itself(lab):
    """The queue has spawn run it, when there is something of an earlier day."""
    it, receiver = stage(lab, {
        "_dmarc.a.test": [txt("v=DMARC1;p=none;rua=mailto:r@a.test")],
        "_dmarc.late.test": ["NS ns.dead"], "ns.dead": ["A 127.0.0.1"]})
    put(it, (-2, "a.test", 1, 1, 0), (-2, "late.test", 1, 1, 0),
        (-3, "late.test", 1, 1, 0), (0, "a.test", 1, 1, 0))
    m, = receiver.wait(1)
    assert m.rcpts == ["r@a.test"]
    gone(it, (day(-2), "a.test"))
    assert (day(0), "a.test") in left(it)
    it.logged(r'program-says program="smtpctl" text="smtpctl: late\.test: the '
              r'DNS cannot say now', timeout=40)
    it.logged(r'report-later text="smtpctl ended with 75"', timeout=40)
    assert (day(-2), "late.test") in left(it)


# ---- what goes wrong ----

def test_crash_between(lab):
    """Taken, and then nobody is told: it is sent again, as the same."""
    it, receiver = stage(lab, {
        "_dmarc.a.test": [txt("v=DMARC1;p=none;rua=mailto:r@a.test")]})
    put(it, (0, "a.test", 2, 3, 0))
    sock = it.root / "control.sock"
    sock.rename(it.root / "away.sock")
    out = it.ctl("report", "send", "--day", "today", check=False)
    assert out.returncode == 75 and "nobody answers" in out.stderr
    first = Report(receiver.wait(1)[0].content)
    assert left(it) == {(day(0), "a.test")}
    (it.root / "away.sock").rename(sock)
    # Two at a time would send each report twice.
    facts = os.open(it.root / "spool/facts", os.O_RDONLY)
    fcntl.flock(facts, fcntl.LOCK_EX)
    out = it.ctl("report", "send", "--day", "today", check=False)
    assert out.returncode == 75 and "already" in out.stderr
    os.close(facts)
    it.ctl("report", "send", "--day", "today")
    second = Report(receiver.wait(2)[1].content)
    assert second.name == first.name
    assert second.mail["Subject"] == first.mail["Subject"]
    assert etree.tostring(second.xml) == etree.tostring(first.xml)
    gone(it, (day(0), "a.test"))


def test_not_taken(lab):
    """smtpd that takes nothing now has it later; who is refused for good is
    not asked again; and what bounces is not heard of."""
    receiver = lab.receiver(rcpt={"r@a.test": "550 5.1.1 nobody here"})
    it, _ = stage(
        lab, {"_dmarc.a.test": [txt("v=DMARC1;p=none;rua=mailto:r@a.test")],
              "_dmarc.b.test": [txt("v=DMARC1;p=none;rua=mailto:r@b.test")]},
        rules=['match from local for domain b.test reject',
               f'action "out" relay host "smtp://127.0.0.1:{receiver.port}"',
               'match from local for any action "out"'])
    put(it, (0, "b.test", 1, 1, 0), (0, "a.test", 1, 1, 0))
    out = it.ctl("report", "send", "--day", "today", "--domain", "b.test")
    assert "refused" in out.stderr
    gone(it, (day(0), "b.test"))
    # Its socket is away, and sendmail(8) has no patience today.
    away = it.root / "smtpd.sock"
    away.rename(it.root / "away.sock")
    out = base.run([base.BUILD / "smtpctl", "-R", it.root, "report", "send",
                    "--day", "today"],
                   env={**os.environ, "POSTERN_WAIT": "0"})
    assert out.returncode == 75, out
    assert "a.test: smtpd did not take the report now" in out.stderr
    assert left(it) == {(day(0), "a.test")}
    (it.root / "away.sock").rename(away)
    it.ctl("report", "send", "--day", "today")
    gone(it, (day(0), "a.test"))
    # Nobody is told that it came to nothing.
    it.logged(r'delivery to="r@a.test" .*result=never')
    it.empty()
    assert not receiver.messages
    assert "mailer-daemon" not in it.log().lower()


# ---- messages ----

def test_messages(lab):
    """What came in somebody's name, taken or not, is in his report; what is on
    disk survives the queue's death."""
    house = House(lab, lines=[LINE, "dmarc quarantine mark"])
    it = house.it
    for _ in range(3):
        house.take(signed(mail()), client=GOOD)
    for _ in range(2):
        got = house.say(mail(), client=BAD)
        assert got.startswith("550 5.7.1"), got
    house.take(mail("a@sub.quar.test"), client="2001:db8::9",
               sender="x@bare.test")
    house.take(mail("a@lax.test"), client=BAD, sender="")
    assert house.say(mail("a@bare.test"), client=BAD).startswith("250 ")
    want = {(day(0), f"{d}.test") for d in ("good", "quar", "lax")}
    base.wait_until(lambda: left(it) == want, f"{want} are kept")
    queue, = it.pids("queue")
    os.kill(queue, signal.SIGKILL)
    base.wait_until(lambda: it.pids("queue") not in ([], [queue]),
                    "another queue")
    house.take(signed(mail()), client=GOOD)
    base.wait_until(lambda: left(it) == want and
                    listed(it)[day(0), "good.test"]["messages"] == 6,
                    "the one after it is added")

    it.ctl("report", "send", "--day", "today")

    def reports():
        found = [m for m in list(house.receiver.messages)
                 if b"\r\nSubject: Report Domain:" in m.content]
        return found if len(found) == 3 else None
    got = {}
    for m in base.wait_until(reports, "three reports"):
        report = Report(m.content)
        domain = report.one("policy_published/domain")
        assert m.rcpts == [f"dmarc@{domain}"]
        got[domain] = sorted(zip(*(report.all(f"record/{path}") for path in (
            "row/count", "row/source_ip", "row/policy_evaluated/disposition",
            "row/policy_evaluated/dkim", "row/policy_evaluated/spf",
            "identifiers/header_from", "auth_results/spf/result"))))
        reasons = report.all("record/row/policy_evaluated/reason/type")
        assert reasons == (["local_policy"] if domain == "quar.test" else [])
    assert got == {
        "good.test": [
            ("2", BAD, "reject", "fail", "fail", "good.test", "fail"),
            ("4", GOOD, "pass", "pass", "pass", "good.test", "pass")],
        "quar.test": [("1", "2001:db8::9", "none", "fail", "fail",
                       "sub.quar.test", "none")],
        "lax.test": [("1", BAD, "none", "fail", "fail", "lax.test", "fail")]}
    gone(it, *want)


def test_without(lab):
    """Who does not want to report keeps nothing."""
    house = House(lab)
    house.take(signed(mail()), client=GOOD)
    out = house.it.ctl("report", "send", check=False)
    assert out.returncode == 69 and "no `dmarc report`" in out.stderr
    assert house.it.ctl("report", "list", "--json").json == []
    out = house.it.ctl("report", "show", "good.test", check=False)
    assert out.returncode == 1
    assert "report" not in house.it.log()
