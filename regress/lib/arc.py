"""Chains of ARC (RFC 8617) made by hand, for tests that need odd ones: each set
is signed over what it is to cover, whatever its fields look like.  And the
verifiers: ours over many messages in one process, python3-dkim.

SPDX-License-Identifier: ISC
"""
import base64
import hashlib
import logging
import re
import subprocess

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from . import base

AAR = "ARC-Authentication-Results: i={i}; {srv};\n    {results}\n"
AMS = ("ARC-Message-Signature: i={i}; a={a}; c=relaxed/relaxed; d={d}; s={s};"
       " t={t};\n    h=from:to:date:subject:mime-version;\n    bh={bh};\n"
       "    b={b}\n")
AS = ("ARC-Seal: i={i}; a={a}; cv={cv}; d={d}; s={s}; t={t};\n    b={b}\n")


class Key:
    """A key pair with the name of its record."""

    def __init__(self, private, domain, selector):
        self.private = private
        self.domain, self.selector = domain, selector
        self.rsa = isinstance(private, rsa.RSAPrivateKey)
        self.alg = "rsa-sha256" if self.rsa else "ed25519-sha256"
        self.name = f"{selector}._domainkey.{domain}"

    def sign(self, data):
        if self.rsa:
            return self.private.sign(data, padding.PKCS1v15(),
                                     hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())

    def record(self):
        public = self.private.public_key()
        if self.rsa:
            kind, raw = "rsa", public.public_bytes(
                serialization.Encoding.DER,
                serialization.PublicFormat.SubjectPublicKeyInfo)
        else:
            kind, raw = "ed25519", public.public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}"

    def pem(self):
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL if self.rsa
            else serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())


def rsa_key(domain, selector, bits=1024, pem=None):
    private = serialization.load_pem_private_key(pem, None) if pem else \
        rsa.generate_private_key(65537, bits)
    return Key(private, domain, selector)


def ed_key(domain, selector):
    return Key(ed25519.Ed25519PrivateKey.generate(), domain, selector)


# ---- canonical forms, fields ----

def relaxed(field):
    name, _, value = field.partition(":")
    value = re.sub(r"[ \t\r\n]+", " ", value)
    return f"{name.rstrip().lower()}:{value.strip()}"


def simple(field):
    return field.replace("\r\n", "\n").rstrip("\n").replace("\n", "\r\n")


def relaxed_body(body):
    lines = [re.sub(r"[ \t]+", " ", line).rstrip(" ")
             for line in body.split("\n")]
    text = "\n".join(lines).rstrip("\n")
    return (text + "\n" if text else "").replace("\n", "\r\n")


def simple_body(body):
    return (body.rstrip("\n") + "\n").replace("\n", "\r\n")


def fields(message):
    """The fields of a message with LF alone, folded, without their last
    LF."""
    head = message.split("\n\n", 1)[0] if not message.startswith("\n") else ""
    return re.split(r"\n(?![ \t])", head.rstrip("\n")) if head else []


def body_of(message):
    return message[1:] if message.startswith("\n") else \
        message.partition("\n\n")[2]


def name_of(field):
    return field.partition(":")[0].strip().lower()


def cover(names, all_fields):
    """What h= means: each name the next one from below."""
    left = list(all_fields)
    for name in names:
        for k in range(len(left) - 1, -1, -1):
            if name_of(left[k]) == name.strip().lower():
                yield left.pop(k)
                break


def instance_of(field):
    got = re.search(r"\bi\s*=\s*(\d+)", field.partition(":")[2])
    return int(got.group(1)) if got else 0


ARC_NAMES = ("arc-authentication-results", "arc-message-signature",
             "arc-seal")


# ---- a set ----

def bare(template, words):
    """What is signed of a field: no b=, nor blanks around it (RFC 6376
    3.7)."""
    return re.sub(r"\s*\{b\}\s*", "{b}", template).format(b="", **words)


def seal(message, key, i=None, cv=None, t=12345, srv="lists.example.org",
         results="spf=pass smtp.mfrom=jqd@d1.example", aar=AAR, ams=AMS,
         as_=AS, seal_key=None, form=("relaxed", "relaxed"), alone=False):
    """The message (LF line ends) with a set on top; templates may be odd."""
    seal_key = seal_key or key
    sets = [f for f in fields(message) if name_of(f) in ARC_NAMES]
    if i is None:
        i = max([instance_of(f) for f in sets], default=0) + 1
    cv = cv or ("none" if i == 1 else "pass")
    words = dict(i=i, a=key.alg, d=key.domain, s=key.selector, t=t, cv=cv,
                 srv=srv, results=results)
    new_aar = aar.format(**words)
    canon = relaxed_body if form[1] == "relaxed" else simple_body
    words["bh"] = base64.b64encode(hashlib.sha256(
        canon(body_of(message)).encode()).digest()).decode()
    names = re.search(r"[ ;]h\s*=\s*([^;]*)", ams.format(b="", **words))
    names = names.group(1).split(":") if names else []
    canon = relaxed if form[0] == "relaxed" else simple
    data = "".join(canon(f) + "\r\n"
                   for f in cover(names, fields(new_aar + message)))
    data += canon(bare(ams.rstrip("\n"), words))
    b = base64.b64encode(key.sign(data.encode())).decode()
    new_ams = ams.format(b=b, **words)
    below = "" if alone else "".join(
        relaxed(f) + "\r\n" for f in
        sorted(sets, key=lambda f: (instance_of(f),
                                    ARC_NAMES.index(name_of(f)))))
    words.update(a=seal_key.alg, d=seal_key.domain, s=seal_key.selector)
    data = below + relaxed(new_aar) + "\r\n" + relaxed(new_ams) + "\r\n" + \
        relaxed(bare(as_, words))
    b = base64.b64encode(seal_key.sign(data.encode())).decode()
    return as_.format(b=b, **words) + new_ams + new_aar + message


def holds_alone(three, key):
    """Whether a seal covers its own set and nothing else (RFC 8617 5.1.2);
    three: seal, message signature, results."""
    b = re.search(r"[ ;\s]b=([^;]*)$", three[0])
    data = relaxed(three[2]) + "\r\n" + relaxed(three[1]) + "\r\n" + \
        relaxed(three[0][:b.start(1)])
    sig = base64.b64decode(re.sub(r"\s", "", b.group(1)))
    try:
        key.private.public_key().verify(sig, data.encode(),
                                        padding.PKCS1v15(), hashes.SHA256())
        return True
    except InvalidSignature:
        return False


def wire(message):
    return message.replace("\r\n", "\n").replace("\n", "\r\n").encode()


# ---- verifiers ----

_SILENT = logging.getLogger("arc-silent")
_SILENT.setLevel(logging.CRITICAL + 1)


def ours(messages, keys):
    """For each message (bytes): its result, sets, oldest-pass, why.  keys:
    name to record, None where the DNS does not say."""
    lines = [f"key {n} {'-' if r is None else r}\n".encode()
             for n, r in keys.items()]
    for m in messages:
        lines += [b"mail %d\n" % len(m), m]
    out = subprocess.run([base.BUILD / "unit" / "common_arc", "batch"],
                         input=b"".join(lines), capture_output=True,
                         timeout=120)
    assert out.returncode == 0, out.stderr
    rows = [line.split(" ", 3) for line in out.stdout.decode().splitlines()]
    assert len(rows) == len(messages)
    return [(r[0], int(r[1]), int(r[2]), r[3]) for r in rows]


def dkimpy(message, keys):
    """"pass", "fail" or "none" of python3-dkim, and why.  It gives None for a
    chain that says itself that it has failed."""
    def txt(name, timeout=5):
        name = name.decode().rstrip(".")
        record = keys.get(name)
        return record.encode() if record else None
    try:
        cv, _, why = dkim.arc_verify(message, logger=_SILENT, dnsfunc=txt)
    except Exception as e:  # it trips over some of what is no message
        return "fail", repr(e)
    return (cv or b"fail").decode(), why


MAIL_DKIM = r"""
use strict;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::DNS;
package Keys;
my %keys;
sub new { return bless {}, shift }
sub query {
    my ($self, $name, $type) = @_;
    return unless defined $keys{lc $name};
    return bless { text => $keys{lc $name}, name => $name }, "Answer";
}
sub errorstring { return "NXDOMAIN" }
sub send { my $self = shift; return $self->query(@_) }
package Answer;
sub answer { my $self = shift; return ($self) }
sub type { return "TXT" }
sub txtdata { my $self = shift; return $self->{text} }
sub char_str_list { my $self = shift; return ($self->{text}) }
sub header { return shift }
sub rcode { return "NOERROR" }
package main;
binmode STDIN;
while (my $line = <STDIN>) {
    chomp $line;
    if ($line =~ /^key (\S+) (.*)/) { $keys{lc $1} = $2; next; }
    $line =~ /^mail (\d+)/ or die;
    read(STDIN, my $mail, $1) == $1 or die;
    no warnings;
    local *Mail::DKIM::DNS::query = sub { return Keys->new->query(@_) };
    local *Mail::DKIM::DNS::query_async = sub {
        my ($name, $type, %more) = @_;
        my @got = Keys->new->query($name, $type);
        return sub { return $more{Callbacks}{Success}->(@got) };
    };
    my $v = Mail::DKIM::ARC::Verifier->new();
    $v->PRINT($mail);
    $v->CLOSE();
    print $v->result, "\n";
}
"""


def mail_dkim(messages, keys):
    """For each message: the word of Perl's Mail::DKIM."""
    lines = [f"key {n} {r}\n".encode() for n, r in keys.items() if r]
    for m in messages:
        lines += [b"mail %d\n" % len(m), m]
    out = subprocess.run(["perl", "-e", MAIL_DKIM], input=b"".join(lines),
                         capture_output=True, timeout=120)
    assert out.returncode == 0, out.stderr
    return out.stdout.decode().split()
