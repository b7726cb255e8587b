"""smtpctl explain: what it says is what then happens.

SPDX-License-Identifier: ISC
"""
import json
import os
import re
import time

import pytest

from lib import base
from lib.instance import conf
from lib.sasl_server import Sasl

from test_auth_out import Way
from test_dkim import make_key, signatures, tags

MX = {"x.test": ["MX 20 late.x.test.", "MX 10 mx.x.test."],
      "mx.x.test": ["A 127.0.0.1"], "late.x.test": ["A 127.0.0.2"],
      "y.test": ["MX 10 mx.y.test."], "mx.y.test": ["A 127.0.0.1"],
      "null.test": ["MX 0 ."]}


def stage(lab, *rules, names=None, lines=(), tables=(), **kw):
    r = lab.receiver()
    lines = ["hostname mx.c.test", *lines]
    for name, text in tables:
        path = lab.path(name)
        path.write_text(text)
        lines.append(f'table {name} "file:{path}"')
    it = lab.postern(conf(lab.dns(names or MX), lines=lines, rules=[
        f'action "out" relay port {r.port}', *rules,
        'match from local for any action "out"'], **kw))
    return it, r


def explain(it, *args, status=0):
    out = it.ctl("explain", "--json", *args, check=False)
    assert out.returncode == status, (out.returncode, out.stdout, out.stderr)
    return [json.loads(line) for line in out.stdout.splitlines()]


def of(steps, step):
    return [s["text"] for s in steps if s["step"] == step]


def line_of(it, text):
    """FILE:LINE of the configuration where text stands."""
    for n, line in enumerate(it.conf_path.read_text().splitlines(), 1):
        if text in line:
            return f"{it.conf_path}:{n}"
    raise AssertionError(text)


def at(steps, step):
    return [s.get("at") for s in steps if s["step"] == step]


def test_as_it_is_delivered(lab):
    """Rule, route, hosts in order, TLS and key are those of the delivery."""
    path, txt = make_key(lab, "c.test", "s1")
    it, r = stage(lab, names={**MX, **txt}, lines=[
        f'dkim domain c.test selector s1 key "{path}"'])
    steps = explain(it, "--from", "a@c.test", "b@x.test")
    assert at(steps, "rule") == [line_of(it, "match from local for any")]
    assert at(steps, "action") == [line_of(it, 'action "out"')]
    assert of(steps, "route") == ["mx:x.test"]
    hosts = of(steps, "host")
    assert hosts == [f"mx.x.test[127.0.0.1]:{r.port}",
                     f"late.x.test[127.0.0.2]:{r.port}"]
    assert at(steps, "key") == [line_of(it, "dkim domain c.test")]
    domain, selector = re.fullmatch(
        r"domain (\S+) selector (\S+), rsa", of(steps, "key")[0]).groups()
    assert "STARTTLS" in of(steps, "tls")[0]
    assert of(steps, "helo") == ["mx.c.test"]
    assert of(steps, "limit") and of(steps, "retry")
    assert steps[-1] == {"step": "result", "verdict": "done",
                         "outcome": None}

    sent = it.send("a@c.test", "b@x.test",
                   "From: a@c.test\r\nSubject: t\r\n\r\nx\r\n")
    m, = r.wait(1)
    it.empty()
    line, = it.logged(rf"{sent} delivery .*")
    assert f'relay="{hosts[0]}"' in line
    assert m.helo == "mx.c.test"
    signed, = signatures(m.content)
    assert (tags(signed)["d"], tags(signed)["s"]) == (domain, selector)


def test_second_host_when_the_first_is_away(lab):
    """The order that explain says is the order that is tried."""
    names = {**MX, "x.test": ["MX 10 late.x.test.", "MX 20 mx.x.test."]}
    it, r = stage(lab, names=names)
    hosts = of(explain(it, "b@x.test"), "host")
    assert [h.partition("[")[0] for h in hosts] == ["late.x.test",
                                                    "mx.x.test"]
    sent = it.send("a@c.test", "b@x.test")
    r.wait(1)
    assert f'relay="{hosts[1]}"' in it.logged(rf"{sent} delivery .*")[0]


def test_smarthost(lab):
    """A host of the action: its line, its route, no TLS by its scheme."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(MX), lines=["hostname mx.c.test"], rules=[
        f'action "smart" relay host smtp+notls://127.0.0.1:{r.port} '
        'helo other.c.test',
        'match from any for any action "smart"']))
    steps = explain(it, "--src", "192.0.2.9", "b@x.test")
    route = f"host:smtp+notls://127.0.0.1:{r.port}"
    where = line_of(it, 'action "smart"')
    assert of(steps, "route") == [route]
    assert of(steps, "host") == [f"127.0.0.1[127.0.0.1]:{r.port}"]
    assert at(steps, "host") == at(steps, "tls") == at(steps, "helo") == \
        [where]
    assert of(steps, "tls")[0].startswith("never")
    assert of(steps, "helo") == ["other.c.test"]
    it.send("a@c.test", "b@x.test")
    assert r.wait(1)[0].helo == "other.c.test"


def test_expansion_step_by_step(lab):
    it, r = stage(
        lab, 'action "virtual" expand-only virtual <vusers>',
        'match from any for domain "v.test" action "virtual"',
        'action "local" expand-only alias <aliases>',
        'match from any for local action "local"',
        tables=[("vusers", "list@v.test ann@localhost, b@x.test\n"),
                ("aliases", "ann: c@y.test\n")])
    steps = explain(it, "--src", "192.0.2.9", "LIST@v.test")
    assert of(steps, "address") == ["LIST@v.test", "ann@localhost",
                                    "c@y.test", "b@x.test"]
    assert at(steps, "rule") == [line_of(it, '"v.test"'),
                                 line_of(it, "for local"),
                                 line_of(it, "match from local for any"),
                                 line_of(it, "match from local for any")]
    assert of(steps, "alias") == [
        '<vusers> "list@v.test" is ann@localhost, b@x.test',
        '<aliases> "ann" is c@y.test']
    assert at(steps, "alias") == [line_of(it, "table vusers"),
                                  line_of(it, "table aliases")]
    assert sorted(of(steps, "route")) == ["mx:x.test", "mx:y.test"]
    it.send("s@c.test", "LIST@v.test")
    got = r.wait(2)
    assert sorted(a for m in got for a in m.rcpts) == ["b@x.test",
                                                       "c@y.test"]
    it.empty()


REFUSED = [
    (["--src", "192.0.2.9", "b@x.test"], "550 5.7.1 relay not permitted"),
    (["b@bad.test"], "550 5.7.1 recipient refused by the rules here"),
    (["gone@localhost"], "550 5.1.6 has moved"),
    (["nosuch-user-here@localhost"], "550 5.1.1 no such user here"),
    (["a@localhost"], "550 5.4.6 aliases that go in a circle"),
]


def test_refused_and_later(lab):
    """Exit status and words are those that RCPT gets."""
    it, r = stage(
        lab, 'match from any for domain "bad.test" reject',
        'action "local" expand-only alias <aliases>',
        'match from any for local action "local"',
        tables=[("aliases", "gone: error:550 5.1.6 has moved\na: b\nb: a\n"
                 "full: error:452 4.2.2 mailbox full\n")])
    for args, reply in REFUSED:
        out = it.ctl("explain", *args, check=False)
        assert out.returncode == 1, (args, out.stdout, out.stderr)
        words = re.search(r"(?m)^reply +(.*)$", out.stdout)[1]
        assert words.startswith(reply), out.stdout
        if args[0] == "--src":
            continue
        with it.smtp() as s:
            s.ehlo()
            s.mail("a@c.test")
            code, said = s.rcpt(args[-1])
            assert f"{code} {said.decode()}" == words
    steps = explain(it, "full@localhost", status=75)
    assert steps[-1]["verdict"] == "later"
    assert steps[-1]["outcome"]["code"] == 452
    # The rule takes it, and the DNS says no.
    steps = explain(it, "b@null.test", status=1)
    assert "null MX" in steps[-1]["outcome"]["text"]
    steps = explain(it, "b@nowhere.test", status=1)
    assert steps[-1]["outcome"]["enhanced"] == "5.1.2"


def test_who_asks(lab):
    """--from, --auth, --helo, --tag, --tls, --src are what the rules see."""
    it, r = stage(
        lab, 'match from any auth "joe" for any action "out"',
        'match from any tls helo "pc.c.test" for any action "out"',
        'match from any tag "inside" for any action "out"',
        'match from any mail-from "ann@c.test" for any action "out"',
        'match from src 192.0.2.0/24 for any action "out"')
    rules = {("--auth", "joe"): "auth joe",
             ("--src", "203.0.113.1", "--tls", "--helo", "pc.c.test"):
                 "tls helo",
             ("--src", "203.0.113.1", "--tag", "inside"): "tag",
             ("--src", "203.0.113.1", "--from", "<ann@c.test>"): "mail-from",
             ("--src", "192.0.2.77"): "from src",
             ("--src", "127.0.0.1"): "match from local for any",
             (): "match from local for any"}
    text = it.conf_path.read_text()
    for args, words in rules.items():
        steps = explain(it, *args, "b@x.test")
        where, = at(steps, "rule")
        line = text.splitlines()[int(where.rpartition(":")[2]) - 1]
        assert words.split()[0] in line, (args, line)
    out = it.ctl("explain", "--src", "203.0.113.1", "--auth", "ann",
                 "b@x.test", check=False)
    assert out.returncode == 1
    out = it.ctl("explain", "-v", "--src", "203.0.113.1", "b@x.test",
                 check=False)
    tried = re.findall(r"(?m)^rule +no: (.*?)  \(", out.stdout)
    assert len(tried) == 6 and tried[-1] == "from local", out.stdout


def test_usage(lab):
    it, r = stage(lab)
    for args in ([], ["a@x.test", "b@x.test"], ["--src", "here", "a@x.test"],
                 ["--what", "a@x.test"], ["--from"], [""],
                 ["--tag", "t" * 100, "a@x.test"], ["a" * 400 + "@x.test"]):
        out = it.ctl("explain", *args, check=False)
        assert out.returncode == 64, (args, out.stdout, out.stderr)
    assert it.ctl("explain", "not an address", check=False).returncode == 1
    it.stop()
    out = it.ctl("explain", "a@x.test", check=False)
    assert out.returncode == 75 and "not running" in out.stderr


def test_many_targets(lab):
    """3,000 addresses: bounded, in time, and it says what it leaves out."""
    it, r = stage(lab, 'action "local" expand-only alias <aliases>',
                  'match from any for local action "local"',
                  tables=[("aliases", "".join(
                      f"p{i}: " + ", ".join(
                          f"u{i}x{k}@d{k}.test" for k in range(100)) + "\n"
                      for i in range(30)) +
                      "all: " + ", ".join(f"p{i}" for i in range(30)) +
                      "\n")])
    begin = time.monotonic()
    steps = explain(it, "all@localhost", status=1)
    assert time.monotonic() - begin < 30
    assert of(steps, "several") == [
        "3000 addresses, in a message of their own"]
    assert "2900 addresses that are not shown" in of(steps, "more")
    assert len(of(steps, "route")) == 8
    assert "routes that are not asked about" in of(steps, "more")


def test_lookup_away(lab):
    """75 in time when nobody can answer."""
    it, r = stage(lab)
    pid, = it.pids("lookup")
    os.kill(pid, 19)
    try:
        begin = time.monotonic()
        out = it.ctl("explain", "b@x.test", check=False, timeout=60)
        assert out.returncode == 75, out.stdout + out.stderr
        assert "lookup did not answer in time" in out.stdout + out.stderr
        assert time.monotonic() - begin < 45
    finally:
        os.kill(pid, 18)
    explain(it, "b@x.test")


@pytest.mark.skipif(not base.IS_ROOT, reason="needs another user")
def test_not_for_everybody(lab):
    it, r = stage(lab)
    it.root.chmod(0o755)
    out = base.run(["setpriv", "--reuid=65534", "--regid=65534",
                    "--clear-groups", it.build / "smtpctl", "-R", it.root,
                    "explain", "b@x.test"])
    assert out.returncode in (75, 77), (out.returncode, out.stderr)
    assert "rule" not in out.stdout


def test_tag_of_the_socket(lab):
    """Mail by the socket has the tag of `listen on socket`, and so has what
    explain is asked without another way in; --tag says another."""
    it, _ = stage(lab, 'match tag LOC for domain x.test reject',
                  lines=["listen on socket tag LOC"])
    assert at(explain(it, "u@x.test", status=1), "rule") == \
        [line_of(it, "match tag LOC")]
    explain(it, "--tag", "OTHER", "u@x.test")
    explain(it, "--src", "127.0.0.1", "u@x.test")


def test_table_without_a_name(lab):
    """A list that stands in the action has no name to be called by."""
    it, _ = stage(lab, 'action "roles" expand-only alias { root = "u@x.test" }',
                  'match for local action "roles"')
    steps = explain(it, "root@mx.c.test")
    assert '{ ... } "root" is u@x.test' in of(steps, "alias")


def test_listener_that_wants_users(lab):
    """--port: who says who he is, and as whom he may send, as in a session."""
    it, r = stage(
        lab, 'match auth from any for any action "out"',
        lines=['table users { ann = "{PLAIN}a" }',
               'table own { ann = "ann@c.test, @ann.test" }'],
        listen="listen on 127.0.0.1 port {port} auth <users> auth-insecure "
        "senders <own>")
    src = ("--src", "203.0.113.1", "--port", str(it.port))
    where = line_of(it, "listen on")
    steps = explain(it, *src, "b@x.test", status=1)
    assert of(steps, "never") == ["530 5.7.0 Authentication required"]
    assert at(steps, "never") == [where]
    steps = explain(it, *src, "--auth", "ann", "--from", "joe@c.test",
                    "b@x.test", status=1)
    assert of(steps, "never") == [
        "550 5.7.1 Not permitted to send as <joe@c.test>"]
    assert at(steps, "never") == [where]
    for sender in ("ann@c.test", "x@ann.test"):
        steps = explain(it, *src, "--auth", "ann", "--from", sender,
                        "b@x.test")
        assert of(steps, "route") == ["mx:x.test"]
    # Without --port nobody knows which listener it is.
    explain(it, "--auth", "ann", "--from", "joe@c.test", "b@x.test")


def test_route_down(lab):
    """The smarthost refuses our password: what comes now would be accepted,
    and wait."""
    way = Way(lab, Sasl(reply="535 5.7.8 credentials invalid"), retry="1h")
    it = way.it
    steps = explain(it, "b@x.test")
    assert not of(steps, "waits") and "text" not in steps[-1]
    it.send("a@c.test", "b@x.test")
    it.logged(r"delivery .*result=later")
    it.logged(r"route-down ")
    words = (r"the route host:smtp\+tls://provider@sink\.test:"
             rf"{way.sink.port} is down "
             r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, next try in "
             r"(1h|[5-7]\d*m)\S*: 535 5\.7\.8 credentials invalid")
    steps = explain(it, "b@x.test", status=75)
    text, = of(steps, "waits")
    assert re.fullmatch(words, text), text
    assert steps[-1]["verdict"] == "later"
    assert steps[-1]["outcome"]["code"] == 535
    assert steps[-1]["text"] == text
    out = it.ctl("explain", "b@x.test", check=False)
    assert out.returncode == 75
    assert re.search(rf"(?m)^result +it would be accepted, and wait: {words}$",
                     out.stdout), out.stdout
    # The client would hear 250.
    assert not re.search(r"(?m)^reply", out.stdout), out.stdout


def test_held(lab):
    """By the operator: one route, or all."""
    it, _ = stage(lab)
    it.ctl("pause")
    steps = explain(it, "b@x.test", status=75)
    assert of(steps, "waits") == ["deliveries are paused"]
    it.ctl("resume")
    explain(it, "b@x.test")
    it.ctl("pause")
    it.send("a@c.test", "b@x.test")
    it.ctl("hold", "--route", "mx:x.test")
    it.ctl("resume")
    steps = explain(it, "b@x.test", status=75)
    assert of(steps, "waits") == ["the route is held"]
    explain(it, "b@y.test")


def test_sender(lab):
    """`mail-from` of the action, as it is then said; never for the null
    sender."""
    r = lab.receiver()
    it = lab.postern(conf(lab.dns(MX), lines=["hostname mx.c.test"], rules=[
        f'action "out" relay port {r.port} mail-from "@said.test"',
        'match from any for any action "out"']))
    steps = explain(it, "--from", "a@c.test", "b@x.test")
    assert of(steps, "mail-from") == ["the sender is said to be <a@said.test>"]
    assert at(steps, "mail-from") == [line_of(it, 'action "out"')]
    assert not of(explain(it, "b@x.test"), "mail-from")
    it.send("a@c.test", "b@x.test")
    assert r.wait(1)[0].sender == "a@said.test"
    it.empty()


@pytest.mark.parametrize("limit", ["limit domain x.test inet4",
                                   'limit mx "*.x.test" inet4'])
def test_family_left_out(lab, limit):
    """An address that a limit leaves out is not among those tried."""
    names = {"x.test": ["MX 10 mx.x.test."],
             "mx.x.test": ["AAAA ::1", "A 127.0.0.1"],
             "y.test": ["MX 10 six.x.test."], "six.x.test": ["AAAA ::1"]}
    it, r = stage(lab, names=names, lines=[
        limit, "limit domain y.test inet4"])
    steps = explain(it, "b@x.test")
    assert of(steps, "host") == [f"mx.x.test[127.0.0.1]:{r.port}"]
    left, = of(steps, "skipped")
    assert left.startswith("mx.x.test[") and "::1]" in left
    assert left.endswith(": by IPv4 alone")
    assert at(steps, "skipped") == [line_of(it, limit)]
    steps = explain(it, "b@y.test", status=75)
    assert not of(steps, "host") and len(of(steps, "skipped")) == 1
    assert "family" in of(steps, "later")[0]
    assert "family" in steps[-1]["outcome"]["text"]
