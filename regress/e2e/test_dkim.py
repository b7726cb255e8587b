"""Signatures, verified by three foreign verifiers: python3-dkim (RSA, Ed25519),
opendkim's tools (RSA) and Perl's Mail::DKIM (RSA), all of them against the name
server's records.

SPDX-License-Identifier: ISC
"""
import re
import subprocess

import dkim
import pytest

from lib import base
from lib.instance import conf
from lib.receiver import contents

CONTENT = (b"From: Ann <a@c.test>\r\nTo: b@x.test\r\n"
           b"Subject:   many    blanks\r\n\tand a fold\r\n"
           b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
           b"Message-ID: <1@c.test>\r\n"
           b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
           b"trailing   \r\n.dot\r\nspaces  in   line\r\n\r\n\r\n")


def record(text):
    """The zone's name and record out of what `smtpctl dkim` printed."""
    text = " ".join(line for line in text.splitlines()
                    if not line.startswith(";"))
    name, _, rest = text.partition(" IN ")
    return name.strip(), rest.replace("(", " ").replace(")", " ").strip()


def make_key(lab, domain, selector, alg="rsa"):
    """A key by smtpctl: its file, and the record to publish."""
    path = lab.path("key")
    out = base.run([base.BUILD / "smtpctl", "dkim", "key", domain, selector,
                    "-a", alg, "-o", path])
    assert out.returncode == 0, out.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    name, txt = record(out.stdout)
    assert name == f"{selector}._domainkey.{domain}."
    return path, {name: [txt]}


def zone(*records):
    names = {"x.test": ["MX 10 mx.x.test."], "mx.x.test": ["A 127.0.0.1"]}
    for r in records:
        names.update(r)
    return names


def signatures(content):
    head = content.partition(b"\r\n\r\n")[0] + b"\r\n"
    return re.findall(rb"^DKIM-Signature:(?:.*\r\n)(?:[ \t].*\r\n)*", head,
                      re.M | re.I)


def tags(signature):
    text = re.sub(rb"\s", b"", signature.partition(b":")[2]).decode()
    return dict(t.partition("=")[::2] for t in text.split(";") if t)


def rules(port, who="from local"):
    """Only what our own people send is signed."""
    return [f'action "out" relay port {port}',
            f'match {who} for any action "out"']


def stage(lab, lines, names, mail=CONTENT, sender="a@c.test",
          who="from local"):
    r = lab.receiver()
    dns = lab.dns(names)
    it = lab.postern(conf(dns, lines=lines, rules=rules(r.port, who)))
    it.send(sender, "b@x.test", mail)
    m, = r.wait(1)
    return m.content, dns, it, r


@pytest.mark.parametrize("alg", ["rsa", "ed25519"])
def test_python(lab, alg):
    path, txt = make_key(lab, "c.test", "s1", alg)
    content, dns, _, _ = stage(
        lab, [f'dkim domain c.test selector s1 key "{path}"'], zone(txt))
    found, = signatures(content)
    t = tags(found)
    assert t["a"] == {"rsa": "rsa-sha256", "ed25519": "ed25519-sha256"}[alg]
    assert (t["d"], t["s"], t["c"]) == ("c.test", "s1", "relaxed/relaxed")
    signed = t["h"].lower().split(":")
    assert signed.count("from") == 2, "From is not oversigned"
    assert {"to", "subject", "date", "message-id"} <= set(signed)
    assert dkim.verify(content, dnsfunc=dns.txt)
    # A verifier that could not fail would prove nothing.
    assert not dkim.verify(content.replace(b".dot", b".dog"),
                           dnsfunc=dns.txt)
    assert not dkim.verify(content.replace(b"From: Ann", b"From: Eve"),
                           dnsfunc=dns.txt)
    assert not dkim.verify(b"From: <evil@x.test>\r\n" + content,
                           dnsfunc=dns.txt)


def test_opendkim(lab):
    """opendkim-testmsg agrees, with the key out of the DNS."""
    path, txt = make_key(lab, "c.test", "s1")
    content, dns, _, _ = stage(
        lab, [f'dkim domain c.test selector s1 key "{path}"'], zone(txt))

    def verify(message):
        # libopendkim's resolver reads resolv.conf alone, which has no
        # ports: a mount namespace of its own gives it a file of its own,
        # and a network namespace a port 53 of its own.
        return opendkim(lab, message, dns.names)
    good = verify(content)
    assert good.returncode == 0, good.stderr
    bad = verify(content.replace(b".dot", b".dog"))
    assert bad.returncode != 0


def opendkim(lab, message, names, tool=("opendkim-testmsg",),
             address="127.0.0.1"):
    """opendkim-testmsg, or another of its tools, with a name server at this
    address, port 53, in network and mount namespaces that hold nothing
    else."""
    where = lab.path("ns")
    where.mkdir()
    (where / "message").write_bytes(message)
    (where / "resolv.conf").write_text(f"nameserver {address}\n")
    from lib.dns import CONF, ENV
    (where / "root.zone").write_text("\n".join(
        ["$TTL 5", ". IN SOA ns. pm. 1 3600 600 86400 1", ". IN NS ns.",
         "ns. IN A 127.0.0.1"] +
        [f"{n if n.endswith('.') else n + '.'} IN {r}"
         for n, rs in names.items() for r in rs]) + "\n")
    (where / "nsd.conf").write_text(CONF.format(
        dir=where, address=address, port=53))
    (where / "run").write_text(
        f"set -e\nmount --bind {where}/resolv.conf /etc/resolv.conf\n"
        "ip link set lo up\n"
        f"ip address replace {address}/32 dev lo\n"
        f"/usr/sbin/nsd -d -c {where}/nsd.conf >/dev/null 2>&1 &\n"
        "nsd=$!\nuntil grep -q ':0035 ' /proc/net/udp; do sleep 0.05; done\n"
        "status=0\n"
        f"{' '.join(map(str, tool))} <{where}/message || status=$?\n"
        "kill $nsd\nwait $nsd || true\nexit $status\n")
    return base.run(["unshare", "-m", "-n", "--propagation", "private",
                     "sh", where / "run"], env=ENV)


MAIL_DKIM = r"""
use strict;
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;
use Net::DNS::Resolver;
my ($address, $port) = @ARGV;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(
    nameservers => [$address], port => $port, recurse => 1,
    udp_timeout => 5, persistent_udp => 0));
my $v = Mail::DKIM::Verifier->new();
binmode STDIN;
local $/;
$v->PRINT(scalar <STDIN>);
$v->CLOSE();
for my $s ($v->signatures) {
    print join(" ", $s->algorithm, $s->domain, $s->selector, $s->result), "\n";
}
"""


def mail_dkim(message, dns):
    """[(algorithm, domain, selector, result)] as Mail::DKIM sees it."""
    out = subprocess.run(["perl", "-e", MAIL_DKIM, dns.address, str(dns.port)],
                         input=message, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=30)
    assert out.returncode == 0, out.stderr
    return [tuple(line.split()[:4])
            for line in out.stdout.decode().splitlines()]


def verified(lab, message, dns):
    """Each verifier that knows an algorithm finds each signature good; the
    tags of the signatures, by algorithm."""
    found = {tags(f)["a"]: tags(f) for f in signatures(message)}
    assert found, "it is not signed"
    for index in range(len(signatures(message))):
        assert dkim.DKIM(message).verify(idx=index, dnsfunc=dns.txt), index
    if "rsa-sha256" in found:
        t = found["rsa-sha256"]
        assert ("rsa-sha256", t["d"], t["s"], "pass") in mail_dkim(
            message, dns)
        # It takes the first alone, which is the RSA one.
        assert opendkim(lab, message, dns.names).returncode == 0
    return found


def test_mail_dkim(lab):
    path, txt = make_key(lab, "c.test", "s1")
    content, dns, _, _ = stage(
        lab, [f'dkim domain c.test selector s1 key "{path}"'], zone(txt))
    assert mail_dkim(content, dns) == [
        ("rsa-sha256", "c.test", "s1", "pass")]
    # A verifier that could not fail would prove nothing.
    assert mail_dkim(content.replace(b".dot", b".dog"), dns) == [
        ("rsa-sha256", "c.test", "s1", "fail")]


def test_all_that_is_ours(lab):
    """sendmail(8), SMTP, notifications of each kind, and what an alias sends
    on: two good signatures on each."""
    rsa, txt1 = make_key(lab, "c.test", "r", "rsa")
    ed, txt2 = make_key(lab, "c.test", "e", "ed25519")
    aliases = lab.path("aliases")
    aliases.write_text("fwd: far@x.test\nboth: b1@x.test, b2@x.test\n")
    r = lab.receiver(rcpt={"bad@x.test": "550 5.1.1 no"})
    dns = lab.dns(zone(txt1, txt2))
    it = lab.postern(conf(dns, lines=[
        "hostname mx.c.test", f'table aliases "file:{aliases}"',
        f'dkim domain c.test selector r key "{rsa}"',
        f'dkim domain c.test selector e key "{ed}"'], rules=[
        f'action "out" relay port {r.port}',
        'action "here" expand-only alias <aliases>',
        'match from any for local action "here"',
        'match from local for any action "out"']))
    # From outside our names: c.test is where the sender's mail goes, too.
    dns.change({"c.test": ["MX 10 mx.x.test."]})

    def submit(sender, rcpt, options=(), content=CONTENT):
        with it.smtp() as s:
            s.ehlo()
            assert s.mail(sender)[0] == 250
            assert s.rcpt(rcpt, list(options))[0] == 250
            assert s.data(content)[0] == 250
    submit("a@c.test", "smtp@x.test")
    out = base.run([it.build / "sendmail", "-R", it.root, "-f", "a@c.test",
                    "sendmail@x.test"], stdin=None,
                   input=CONTENT.decode().replace("\r\n", "\n"))
    assert out.returncode == 0, out.stderr
    submit("a@c.test", "fwd@mx.c.test")
    submit("a1@c.test", "bad@x.test")
    submit("a2@c.test", "relayed@x.test", ["NOTIFY=SUCCESS"])
    submit("a3@c.test", "both@mx.c.test", ["NOTIFY=SUCCESS"])
    want = {"smtp@x.test", "sendmail@x.test", "far@x.test", "a1@c.test",
            "relayed@x.test", "a2@c.test", "a3@c.test", "b1@x.test"}
    base.wait_until(lambda: {m.rcpts[0] for m in r.messages} >= want,
                    "all of it arrives", 30)
    for m in r.messages:
        found = verified(lab, m.content, dns)
        assert set(found) == {"rsa-sha256", "ed25519-sha256"}, m.rcpts
        assert all(t["d"] == "c.test" for t in found.values())
        author = m.parsed()["From"]
        assert ("MAILER-DAEMON@mx.c.test" in author) == (m.sender == "")
    assert sum(m.sender == "" for m in r.messages) == 3
    it.empty()


def test_sendmail_by_any_rule(lab):
    """What came by the socket is ours, whatever the rule says of strangers."""
    path, txt = make_key(lab, "c.test", "s1")
    r = lab.receiver()
    dns = lab.dns(zone(txt))
    it = lab.postern(conf(
        dns, lines=[f'dkim domain c.test selector s1 key "{path}"'],
        rules=rules(r.port, "from any")))
    out = base.run([it.build / "sendmail", "-R", it.root, "-f", "a@c.test",
                    "b@x.test"], stdin=None,
                   input=CONTENT.decode().replace("\r\n", "\n"))
    assert out.returncode == 0, out.stderr
    m, = r.wait(1)
    verified(lab, m.content, dns)


def test_two_keys(lab):
    """RSA and Ed25519 for one domain: two signatures, both good."""
    rsa, txt1 = make_key(lab, "c.test", "r", "rsa")
    ed, txt2 = make_key(lab, "c.test", "e", "ed25519")
    content, dns, _, _ = stage(
        lab, [f'dkim domain c.test selector r key "{rsa}"',
              f'dkim domain c.test selector e key "{ed}"'], zone(txt1, txt2))
    found = signatures(content)
    assert {tags(f)["a"] for f in found} == {"rsa-sha256", "ed25519-sha256"}
    for index in range(2):
        assert dkim.DKIM(content).verify(idx=index, dnsfunc=dns.txt)


def test_only_our_domain(lab):
    """Mail from another domain is not signed with our key."""
    path, txt = make_key(lab, "c.test", "s1")
    content, _, _, _ = stage(
        lab, [f'dkim domain c.test selector s1 key "{path}"'], zone(txt),
        CONTENT.replace(b"a@c.test", b"a@other.test"), "a@other.test")
    assert not signatures(content)


def test_not_for_strangers(lab):
    """What a rule for anyone lets through is not ours to sign."""
    path, txt = make_key(lab, "c.test", "s1")
    content, _, _, _ = stage(
        lab, [f'dkim domain c.test selector s1 key "{path}"'], zone(txt),
        who="from any")
    assert not signatures(content)


def test_signed_once(lab):
    """A later attempt carries the signature of the first one."""
    path, txt = make_key(lab, "c.test", "s1")
    r = lab.receiver(dot="450 4.3.0 again")
    refused = []
    keep = r.table["dot"]

    def dot(session):
        return keep if len(refused) < 1 else "250 ok"
    dns = lab.dns(zone(txt))
    it = lab.postern(conf(
        dns, lines=[f'dkim domain c.test selector s1 key "{path}"'],
        rules=rules(r.port)))
    with contents() as seen:
        it.send("a@c.test", "b@x.test", CONTENT)
        base.wait_until(lambda: len(seen) >= 2, "two attempts")
    assert signatures(seen[0])[0] == signatures(seen[1])[0]
    assert dkim.verify(seen[1], dnsfunc=dns.txt)


def test_large_signed(lab):
    """The body hash of a message that no buffer holds at once."""
    path, txt = make_key(lab, "c.test", "s1")
    body = CONTENT + b"".join(b"line %d  with   blanks \r\n" % n
                              for n in range(120000))
    content, dns, _, _ = stage(
        lab, [f'dkim domain c.test selector s1 key "{path}"'], zone(txt),
        body)
    assert dkim.verify(content, dnsfunc=dns.txt)


def test_keys_in_one_process(lab):
    """Only the keys process ever has the key file's text in memory."""
    path, txt = make_key(lab, "c.test", "s1")
    _, _, it, _ = stage(
        lab, [f'dkim domain c.test selector s1 key "{path}"'], zone(txt))
    secret = path.read_text().splitlines()[3].encode()
    holders = set()
    for pid in it.pids() + [it.pid]:
        name = base.program(pid)
        try:
            maps = open(f"/proc/{pid}/maps").read().splitlines()
            with open(f"/proc/{pid}/mem", "rb", 0) as mem:
                for line in maps:
                    where, mode = line.split()[:2]
                    if not mode.startswith("rw"):
                        continue
                    low, high = (int(x, 16) for x in where.split("-"))
                    if high - low > 64 << 20:
                        continue
                    mem.seek(low)
                    try:
                        if secret in mem.read(high - low):
                            holders.add(name)
                    except OSError:
                        pass
        except OSError:
            continue
    assert holders <= {"keys"}, f"the key is in {holders}"
