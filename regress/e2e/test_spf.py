"""SPF (RFC 7208): `smtpctl spf` with all its questions and answers on the
wire.

SPDX-License-Identifier: ISC
"""
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib import base, spf
from lib.zone import Zone

HERE = Path(__file__).parent


def txt(*strings):
    return ("TXT", [s.encode("latin-1") if isinstance(s, str) else s
                    for s in strings])


@pytest.fixture
def zone():
    z = Zone()
    yield z
    z.stop()


@pytest.mark.parametrize("title, names, cases",
                         spf.table(HERE / "spf_rfc7208.txt"),
                         ids=lambda v: v if isinstance(v, str) else "")
def test_suite(zone, title, names, cases):
    """The test suite of openspf.org for RFC 7208."""
    zone.names = names
    got = spf.check_all(zone, [c.asks for c in cases])
    wrong = [w for c, g in zip(cases, got) for w in c.judge(g)]
    assert cases and not wrong, wrong


# ---- RFC 7208 appendix A ----

APPENDIX = {
    "example.com": [("MX", (10, "mail-a.example.com")),
                    ("MX", (20, "mail-b.example.com")),
                    ("A", "192.0.2.10"), ("A", "192.0.2.11")],
    "amy.example.com": [("A", "192.0.2.65")],
    "bob.example.com": [("A", "192.0.2.66")],
    "mail-a.example.com": [("A", "192.0.2.129")],
    "mail-b.example.com": [("A", "192.0.2.130")],
    "www.example.com": [("CNAME", "example.com")],
    "example.org": [("MX", (10, "mail-c.example.org"))],
    "mail-c.example.org": [("A", "192.0.2.140")],
    "10.2.0.192.in-addr.arpa": [("PTR", "example.com")],
    "11.2.0.192.in-addr.arpa": [("PTR", "example.com")],
    "65.2.0.192.in-addr.arpa": [("PTR", "amy.example.com")],
    "66.2.0.192.in-addr.arpa": [("PTR", "bob.example.com")],
    "129.2.0.192.in-addr.arpa": [("PTR", "mail-a.example.com")],
    "130.2.0.192.in-addr.arpa": [("PTR", "mail-b.example.com")],
    "140.2.0.192.in-addr.arpa": [("PTR", "mail-c.example.org")],
    "4.0.0.10.in-addr.arpa": [("PTR", "bob.example.com")],
}

# Record of example.com; client and result.
SIMPLE = [
    ("v=spf1 +all", {"192.0.2.10": "pass", "2001:db8::1": "pass"}),
    ("v=spf1 a -all", {"192.0.2.10": "pass", "192.0.2.11": "pass",
                       "192.0.2.129": "fail"}),
    ("v=spf1 a:example.org -all", {"192.0.2.10": "fail",
                                   "192.0.2.140": "fail"}),
    ("v=spf1 mx -all", {"192.0.2.129": "pass", "192.0.2.130": "pass",
                        "192.0.2.10": "fail"}),
    ("v=spf1 mx:example.org -all", {"192.0.2.140": "pass",
                                    "192.0.2.129": "fail"}),
    ("v=spf1 mx mx:example.org -all", {"192.0.2.129": "pass",
                                       "192.0.2.130": "pass",
                                       "192.0.2.140": "pass"}),
    ("v=spf1 mx/30 mx:example.org/30 -all",
     {"192.0.2.131": "pass", "192.0.2.143": "pass", "192.0.2.132": "fail"}),
    ("v=spf1 ptr -all", {"192.0.2.65": "pass", "192.0.2.140": "fail",
                         "10.0.0.4": "fail"}),
    ("v=spf1 ip4:192.0.2.128/28 -all", {"192.0.2.65": "fail",
                                        "192.0.2.129": "pass"}),
]


@pytest.mark.parametrize("record, clients", SIMPLE, ids=lambda v:
                         v if isinstance(v, str) else "")
def test_appendix_simple(zone, record, clients):
    """RFC 7208 A.1."""
    zone.names = APPENDIX | {
        "example.com": APPENDIX["example.com"] + [txt(record)]}
    got = spf.check_all(zone, [(ip, "mail.example.com", "user@example.com")
                               for ip in clients])
    assert [g.result for g in got] == list(clients.values())


def test_appendix_more(zone):
    """RFC 7208 A.2 to A.4."""
    zone.names = APPENDIX | {
        # A.2: several domains.
        "example.org": [txt("v=spf1 include:example.com include:example.net "
                            "-all")],
        "example.com": APPENDIX["example.com"] + [txt("v=spf1 mx -all")],
        "example.net": [txt("v=spf1 ip4:203.0.113.0/24 ?all")],
        "la.example.org": [txt("v=spf1 redirect=example.org")],
        # A.3: as lists in the DNS have it.
        "dnsbl.test": [txt("v=spf1 mx include:mobile-users._spf.%{d} "
                           "include:remote-users._spf.%{d} -all"),
                       ("MX", (10, "mail-a.example.com"))],
        "mobile-users._spf.dnsbl.test": [txt("v=spf1 exists:%{l1r+}.%{d}")],
        "mary.mobile-users._spf.dnsbl.test": [("A", "127.0.0.2")],
        "remote-users._spf.dnsbl.test": [
            txt("v=spf1 exists:%{ir}.%{l1r+}.%{d}")],
        "7.2.0.192.joel.remote-users._spf.dnsbl.test": [("A", "127.0.0.2")],
        # A.4: several conditions at once.
        "all.test": [txt("v=spf1 -include:ip4._spf.%{d} "
                         "-include:ptr._spf.%{d} +all")],
        "ip4._spf.all.test": [txt("v=spf1 -ip4:192.0.2.0/24 +all")],
        "ptr._spf.all.test": [txt("v=spf1 -ptr:example.com +all")],
    }
    rows = [
        ("192.0.2.129", "user@example.org", "pass"),
        ("203.0.113.9", "user@example.org", "pass"),
        ("198.51.100.1", "user@example.org", "fail"),
        ("192.0.2.129", "user@la.example.org", "pass"),
        ("198.51.100.1", "user@la.example.org", "fail"),
        ("198.51.100.1", "mary@dnsbl.test", "pass"),
        ("198.51.100.1", "mary+lists@dnsbl.test", "pass"),
        ("198.51.100.1", "joel@dnsbl.test", "fail"),
        ("192.0.2.7", "joel@dnsbl.test", "pass"),
        ("192.0.2.65", "user@all.test", "pass"),
        ("192.0.2.140", "user@all.test", "fail"),
        ("198.51.100.1", "user@all.test", "fail"),
    ]
    got = spf.check_all(zone, [(ip, "h.test.test", s) for ip, s, _ in rows])
    assert [g.result for g in got] == [r for _, _, r in rows], got


# ---- limits, and what is no record ----

@pytest.mark.parametrize("title, names, cases",
                         spf.table(HERE / "spf_cases.txt"),
                         ids=lambda v: v if isinstance(v, str) else "")
def test_cases(zone, title, names, cases):
    """Of our own: limits, macros, both identities, other bytes than ASCII."""
    zone.names = names
    got = spf.check_all(zone, [c.asks for c in cases])
    wrong = [w for c, g in zip(cases, got) for w in c.judge(g)]
    assert cases and not wrong, wrong


def big(size):
    return b"x" * size


@pytest.fixture
def bad(zone):
    """Names that do wrong; what is asked is "a@NAME.bad.test"."""
    ring = [f"r{i}.bad.test" for i in range(4)]
    zone.names = {f"{k}.bad.test": v for k, v in {
        # 64 KB, over TCP.
        "large-one": [("TXT", [b"v=spf1 ", b"ip4:192.0.2.1 " * 4500,
                               b"-all"])],
        "large-other": [("TXT", [big(64500)]), txt("v=spf1 -all")],
        "large-error": [("TXT", [b"v=spf1 ", b"ip4:192.0.2.1 " * 4500,
                                 b"moo"])],
        "large-word": [("TXT", [b"v=spf1 " + big(64000)])],
        "large-spec": [("TXT", [b"v=spf1 exists:" + b"%{s}" * 12000 +
                                b".test -all"])],
        "large-unknown": [("TXT", [b"v=spf1 x=" + b"%{s}" * 12000 +
                                   b" -all"])],
        "large-include": [txt("v=spf1 include:large-a.bad.test -all")],
        "large-a": [("TXT", [b"v=spf1 ", b"ip4:192.0.2.1 " * 3000,
                             b"include:large-b.bad.test"])],
        "large-b": [("TXT", [b"v=spf1 ", b"ip4:192.0.2.1 " * 3000])],
        "large-exp": [txt("v=spf1 -all exp=large-text.bad.test")],
        "large-text": [("TXT", [b"no " * 20000])],
        # Many records.
        "many-one": [txt(f"verify={i}") for i in range(100)] +
                    [txt("v=spf1 -all")],
        "many-two": [txt(f"verify={i}") for i in range(100)] +
                    [txt("v=spf1 -all")] * 2,
        "many-beyond": [txt(f"v={i}") for i in range(600)] +
                       [txt("v=spf1 -all")],
        "many-a": [txt("v=spf1 a -all")] +
                  [("A", f"10.0.{i // 200}.{i % 200}") for i in range(100)] +
                  [("A", "192.0.2.9")],
        # Loops.
        "loop-self": [("CNAME", "loop-self.bad.test")],
        "loop-include": [txt("v=spf1 include:loop-include.bad.test -all")],
        "loop-redirect": [txt("v=spf1 redirect=loop-redirect.bad.test")],
        "loop-both": [txt("v=spf1 include:loop-other.bad.test -all")],
        "loop-other": [txt("v=spf1 redirect=loop-both.bad.test")],
        "loop-mx": [txt("v=spf1 mx -all"), ("MX", (1, "loop-self.bad.test"))],
        "loop-ring": [txt("v=spf1 a:r0.bad.test -all")],
        "loop-ptr": [txt("v=spf1 ptr -all")],
        # Bytes.
        "nul": [txt(b"v=spf1 -all\0")],
        "nul-version": [txt(b"v=spf1\0 -all")],
        "nul-other": [txt(b"\0\0\0"), txt("v=spf1 -all")],
        "8bit": [txt(b"v=spf1 -all \xff")],
        "8bit-other": [txt(bytes(range(256))), txt("v=spf1 -all")],
        "8bit-exp": [txt("v=spf1 -all exp=8bit-text.bad.test")],
        "8bit-text": [txt(b"No: \xc3\xa4\xf6")],
        "nul-exp": [txt("v=spf1 -all exp=nul-text.bad.test")],
        "nul-text": [txt(b"No:\0hidden")],
        "control-exp": [txt("v=spf1 -all exp=control-text.bad.test")],
        "control-text": [txt(b"No:\x1b[2Jgone\r\nX: y")],
        "empty": [txt(b"")],
        "strings": [txt("v=sp", "f1 -", "al", "l")],
    }.items()}
    names = dict(zone.names)
    names.update({n: [("CNAME", ring[(i + 1) % 4])]
                  for i, n in enumerate(ring)})
    names["1.2.0.192.in-addr.arpa"] = [("PTR", "loop-self.bad.test")]
    zone.names = names
    return zone


# Columns: name, result, exp ("": none).
BAD = [
    ("large-one", "pass", ""),
    ("large-other", "fail", ""),
    ("large-error", "permerror", ""),
    ("large-word", "permerror", ""),
    ("large-spec", "permerror", ""),
    ("large-unknown", "fail", ""),
    ("large-include", "permerror", ""),
    ("large-exp", "fail", ("no " * 200)[:511]),
    ("many-one", "fail", ""),
    ("many-two", "permerror", ""),
    ("many-beyond", "temperror", ""),
    ("many-a", "fail", ""),
    ("loop-self", "temperror", ""),
    ("loop-include", "permerror", ""),
    ("loop-redirect", "permerror", ""),
    ("loop-both", "permerror", ""),
    ("loop-mx", "temperror", ""),
    ("loop-ring", "temperror", ""),
    ("loop-ptr", "fail", ""),
    ("nul", "permerror", ""),
    ("nul-version", "none", ""),
    ("nul-other", "fail", ""),
    ("8bit", "permerror", ""),
    ("8bit-other", "fail", ""),
    ("8bit-exp", "fail", ""),
    ("nul-exp", "fail", ""),
    ("control-exp", "fail", ""),
    ("empty", "none", ""),
    ("strings", "fail", ""),
]


def test_bad_input(bad):
    """64 KB of text, many records, loops, all bytes: a result, and no more
    questions than RFC 7208 4.6.4 allows."""
    wrong = []
    for name, result, exp in BAD:
        bad.asked.clear()
        client = "192.0.2.1" if name in ("large-one", "loop-ptr") else \
            "192.0.2.200"
        got = spf.check(bad, client, "h.bad.test", f"a@{name}.bad.test")
        if got.result != result or (got.exp or "").strip() != exp.strip() or \
                len(bad.asked) > 40:
            wrong.append((name, got, len(bad.asked)))
    assert not wrong, wrong
    got = spf.check(bad, "192.0.2.9", "h", "a@many-a.bad.test")
    assert got.result == "pass"


# ---- silence ----

def test_silence(zone, tmp_path):
    """A server that says nothing: temperror when the time of `resolver` is
    up, whatever was to be asked; an explanation is not waited for longer."""
    conf = tmp_path / "smtpd.conf"
    conf.write_text(f"resolver {zone.address} port {zone.port} timeout 1s\n")
    zone.names = {
        "mute.test": [("SILENT",)],
        "a.e.test": [txt("v=spf1 a:mute.test -all")],
        "mx.e.test": [txt("v=spf1 mx:mute.test -all")],
        "include.e.test": [txt("v=spf1 include:mute.test -all")],
        "ptr.e.test": [txt("v=spf1 ptr -all")],
        "exp.e.test": [txt("v=spf1 -all exp=mute.test")],
        "1.2.0.192.in-addr.arpa": [("SILENT",)],
    }
    rows = [("mute.test", "temperror"), ("a.e.test", "temperror"),
            ("mx.e.test", "temperror"), ("include.e.test", "temperror"),
            ("ptr.e.test", "fail"), ("exp.e.test", "fail")]
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda r: spf.Answer(spf.spf(
            None, "192.0.2.1", "h.e.test", f"u@{r[0]}", conf=conf)), rows))
    assert [g.result for g in got] == [r for _, r in rows], got
    assert all(g.exp is None for g in got)


# ---- the verb ----

def test_sender_in_brackets(zone):
    """As MAIL has him."""
    zone.names = {"e.test": [txt("v=spf1 ip4:192.0.2.1 exp=x.test -all")],
                  "h.test": [txt("v=spf1 +all")], "x.test": [txt("%{s}")]}
    for sender, want in (("", "pass"), ("<>", "pass"), ("<a@e.test>", "fail"),
                         ("<", "none"), ("<a@e.test", "fail"),
                         ("a@e.test>", "none")):
        got = spf.check(zone, "192.0.2.2", "h.test", sender)
        assert got.result == want, (sender, got)
    assert spf.check(zone, "192.0.2.2", "h", "<a@e.test>").exp == "a@e.test"


def test_json(zone):
    zone.names = {"e.test": [txt("v=spf1 ip4:192.0.2.1 exp=x.test -all")],
                  "x.test": [txt('"%{i}" is not ours')]}
    for client, want in (
            ("192.0.2.1", {"result": "pass", "mechanism": "ip4:192.0.2.1"}),
            ("192.0.2.2", {"result": "fail", "mechanism": "-all",
                           "exp": '"192.0.2.2" is not ours'})):
        out = subprocess.run(
            [spf.SMTPCTL, "--json", "spf", client, "h.test", "a@E.test"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60,
            env=os.environ | {"SMTPCTL_RESOLVER": zone.resolver})
        said = json.loads(out.stdout)
        assert said.pop("reason") and said == want | {"domain": "e.test"}
        assert out.returncode == spf.STATUS.get(want["result"], 1)


USAGE = [
    [],
    ["192.0.2.1"],
    ["192.0.2.1", "h.test"],
    ["192.0.2.1", "h.test", "a@b.test", "more"],
    ["-x", "192.0.2.1", "h.test", "a@b.test"],
    ["-c"],
    ["192.0.2.256", "h.test", "a@b.test"],
    ["192.0.2", "h.test", "a@b.test"],
    ["[192.0.2.1]", "h.test", "a@b.test"],
    ["IPv6:::1", "h.test", "a@b.test"],
    ["", "h.test", "a@b.test"],
    ["mail.test", "h.test", "a@b.test"],
]


@pytest.mark.parametrize("args", USAGE, ids=" ".join)
def test_usage(args):
    out = subprocess.run([spf.SMTPCTL, "spf", *args], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=os.environ | {"SMTPCTL_RESOLVER": "127.0.0.1:1"},
                         timeout=60)
    assert out.returncode == 64 and out.stdout == b""
    assert b"usage: smtpctl spf" in out.stderr


def test_resolver(zone, tmp_path):
    """-c in front of the environment; no other server is asked."""
    zone.names = {"e.test": [txt("v=spf1 +all")]}
    other = Zone({"e.test": [txt("v=spf1 -all")]})
    conf = tmp_path / "smtpd.conf"
    try:
        conf.write_text(f"resolver {zone.address} port {zone.port}\n")
        got = spf.Answer(spf.spf(other.resolver, "192.0.2.1", "h", "a@e.test",
                                 conf=conf))
        assert got.result == "pass" and not other.asked
        # A configuration that does not say.
        conf.write_text("listen on lo\n")
        got = spf.Answer(spf.spf(other.resolver, "192.0.2.1", "h", "a@e.test",
                                 conf=conf))
        assert got.result == "fail" and other.asked
        # One that is none.
        conf.write_text("resolver nonsense\n")
        out = spf.spf(other.resolver, "192.0.2.1", "h", "a@e.test", conf=conf)
        assert out.returncode == 78 and out.stdout == b"" and out.stderr
    finally:
        other.stop()
    # Nobody listens.
    got = spf.Answer(spf.spf(f"127.0.0.1:{base.free_port()}", "192.0.2.1", "h",
                             "a@e.test"))
    assert got.result == "temperror" and got.status == 75
    out = spf.spf("nonsense", "192.0.2.1", "h", "a@e.test")
    assert out.returncode == 64
