"""DKIM by ours, python3-dkim and libopendkim: each signs, all verify, of
messages that are made up (always the same ones) and then changed in ways that
must matter or must not.  Where the three do not agree, a table says why.

SPDX-License-Identifier: ISC
"""
import base64
import collections
import hashlib
import random
import re
import time

import dkim
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from lib import base, opendkim

MESSAGES = 720  # of each kind of change the same number
RECORD = "{}._domainkey.example.org"
CANONS = [(b"simple", b"simple"), (b"simple", b"relaxed"),
          (b"relaxed", b"simple"), (b"relaxed", b"relaxed")]


class Key:
    def __init__(self, lab, alg):
        self.alg = alg
        if alg == "rsa":
            private = rsa.generate_private_key(65537, 1024)
            public = private.public_key().public_bytes(
                serialization.Encoding.DER,
                serialization.PublicFormat.SubjectPublicKeyInfo)
        else:
            private = ed25519.Ed25519PrivateKey.generate()
            public = private.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.private = private
        self.record = f"v=DKIM1; k={'rsa' if alg == 'rsa' else 'ed25519'}; " \
                      f"p={base64.b64encode(public).decode()}"
        self.pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL if alg == "rsa"
            else serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())
        self.file = lab.path(alg)
        self.file.write_bytes(self.pem)
        # python3-dkim wants the seed of an Ed25519 key.
        self.dkimpy = self.pem if alg == "rsa" else base64.b64encode(
            private.private_bytes(serialization.Encoding.Raw,
                                  serialization.PrivateFormat.Raw,
                                  serialization.NoEncryption()))


# ---- messages ----

NAMES = [b"To", b"Cc", b"Subject", b"subject", b"Date", b"Message-ID",
         b"Received", b"Received", b"X-Test", b"Reply-To", b"List-Id",
         b"MIME-Version", b"Content-Type", b"References", b"Sender"]
WORDS = [b"a", b"word", b"two  blanks", b"tab\tword", b"x" * 60, b"=?utf-8?q?",
         b"<a@b.example>", b";", b"b=c;", b"\xc3\xa4\xc3\xb6", b"", b":"]
LINES = [b"", b"", b" ", b"\t", b" \t ", b"line", b"line ", b"  two  ", b".",
         b"..", b"tab\tin\t\tit\t", b"\xc3\xa4\xff 8 bit", b"x" * 300,
         b"word " * 30, b"From me", b"-- "]


def value(rnd):
    out = rnd.choice([b" ", b"", b"  ", b"\t"])
    for _ in range(rnd.randrange(6)):
        out += rnd.choice(WORDS)
        out += rnd.choice([b" ", b"  ", b" \t", b"\r\n ", b"\r\n\t", b" \r\n  "])
    out += rnd.choice(WORDS[:4])
    return out + rnd.choice([b"", b"", b" ", b"\t "])


def message(rnd):
    fields = [rnd.choice(NAMES) + b":" + value(rnd)
              for _ in range(rnd.randrange(1, 14))]
    fields.insert(rnd.randrange(len(fields) + 1),
                  rnd.choice([b"From", b"from", b"FROM"]) +
                  b": Ann <a@example.org>" + rnd.choice([b"", b" ", b"\r\n "]))
    # Verifiers ask for one who sent it when.
    if not any(f.lower().startswith(b"date:") for f in fields):
        fields.append(b"Date: Thu, 01 Jan 2026 00:00:00 +0000")
    # By SMTP there is no other end of a body; opendkim wants it so.
    body = b"".join(rnd.choice(LINES) + b"\r\n"
                    for _ in range(rnd.randrange(12)))
    body += rnd.choice([b"", b"\r\n", b"\r\n\r\n\r\n"])
    return b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


# ---- changes: each takes a signed message, and gives another ----

def head_of(mail):
    head, _, body = mail.partition(b"\r\n\r\n")
    return re.split(rb"\r\n(?![ \t])", head), body


def joined(fields, body):
    return b"\r\n".join(fields) + b"\r\n\r\n" + body


def in_signature(old, new):
    """A change of the signature's own field."""
    def change(mail, _rnd):
        fields, body = head_of(mail)
        fields[0] = re.sub(old, new, fields[0], 1)
        return joined(fields, body)
    return change


def nothing(mail, _rnd):
    return mail


def body_byte(mail, rnd):
    fields, body = head_of(mail)
    if not body:
        return joined(fields, b"x\r\n")
    i = rnd.randrange(len(body))
    return joined(fields, body[:i] + b"#" + body[i + 1:])


def body_longer(mail, _rnd):
    return mail + b"\r\nP.S.\r\n"


def body_empty_lines(mail, _rnd):
    return mail + (b"" if mail.endswith(b"\r\n") else b"\r\n") + b"\r\n\r\n"


def body_white_space(mail, _rnd):
    fields, body = head_of(mail)
    return joined(fields, re.sub(rb"[ \t]+", b" ", body))


def body_white_space_at_ends(mail, _rnd):
    fields, body = head_of(mail)
    return joined(fields, re.sub(rb"[ \t]*\r\n", b"  \r\n", body))


def header_white_space(mail, _rnd):
    fields, body = head_of(mail)
    return joined(fields[:1] + [re.sub(rb"[ \t]+", b"  ", f)
                                for f in fields[1:]], body)


def header_refolded(mail, _rnd):
    fields, body = head_of(mail)
    return joined(fields[:1] + [
        re.sub(rb"(?:\r\n)?[ \t]+(?=[^ \t\r\n])", b"\r\n\t", f)
        for f in fields[1:]], body)


def header_case(mail, _rnd):
    fields, body = head_of(mail)
    for i, f in enumerate(fields[1:], 1):
        name, _, rest = f.partition(b":")
        fields[i] = name.swapcase() + b":" + rest
    return joined(fields, body)


def header_dropped(mail, rnd):
    fields, body = head_of(mail)
    del fields[rnd.randrange(1, len(fields))]
    return joined(fields, body)


def header_reversed(mail, _rnd):
    fields, body = head_of(mail)
    return joined(fields[:1] + fields[:0:-1], body)


def header_doubled(mail, rnd):
    fields, body = head_of(mail)
    i = rnd.randrange(1, len(fields))
    return joined([fields[i]] + fields, body)


def header_added(mail, rnd):
    return b"X-Spam: " + rnd.choice(WORDS[:4]) + b"\r\n" + mail


def blank_before_colon(mail, _rnd):
    return b"X-Other : y\r\n" + mail


def no_field(mail, _rnd):
    return b"X-Other\r\n" + mail


def from_added(mail, _rnd):
    return b"From: Eve <e@evil.example>\r\n" + mail


def signature_moved_down(mail, _rnd):
    fields, body = head_of(mail)
    return joined(fields[1:] + fields[:1], body)


def signature_refolded(mail, _rnd):
    fields, body = head_of(mail)
    fields[0] = re.sub(rb";\s+", b";\r\n   ", fields[0])
    return joined(fields, body)


def letter(tag):
    """Another letter in the base64 of a tag."""
    def change(mail, rnd):
        fields, body = head_of(mail)
        m = re.search(rb"[;\s]" + tag + rb"=([^;]*)", fields[0])
        at = [i for i in range(*m.span(1))
              if fields[0][i:i + 1].isalnum()]
        i = rnd.choice(at)
        new = rnd.choice(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789+/")
        if new == fields[0][i]:
            new = ord("z") if new != ord("z") else ord("y")
        fields[0] = fields[0][:i] + bytes([new]) + fields[0][i + 1:]
        return joined(fields, body)
    return change


CHANGES = {
    "nothing": nothing,
    "body: a byte": body_byte,
    "body: longer": body_longer,
    "body: empty lines at the end": body_empty_lines,
    "body: white space": body_white_space,
    "body: white space at ends of lines": body_white_space_at_ends,
    "header: white space": header_white_space,
    "header: folds": header_refolded,
    "header: case": header_case,
    "header: a field less": header_dropped,
    "header: turned around": header_reversed,
    "header: a field twice": header_doubled,
    "header: another field": header_added,
    "header: another From": from_added,
    "header: a blank before the colon": blank_before_colon,
    "header: a line that is no field": no_field,
    "signature: below": signature_moved_down,
    "signature: folds": signature_refolded,
    "b=": letter(b"b"),
    "bh=": letter(b"bh"),
    "b= with blanks": in_signature(rb"([;\s]b=\s*\w\w)", rb"\1 "),
    "v=2": in_signature(rb"v=1", b"v=2"),
    "no v=": in_signature(rb"v=1;", b""),
    "a= unknown": in_signature(rb"-sha256", b"-sha512"),
    "a= rsa-sha1": in_signature(rb"a=[\w-]*", b"a=rsa-sha1"),
    "no a=": in_signature(rb"a=[\w-]*;", b""),
    "no d=": in_signature(rb"d=example.org;", b""),
    "d= another": in_signature(rb"d=example.org", b"d=example.net"),
    "d= case": in_signature(rb"d=example.org", b"d=EXAMPLE.org"),
    "no s=": in_signature(rb"(?<=\s)s=\w+;", b""),
    "s= another": in_signature(rb"(?<=\s)s=\w+", b"s=other"),
    "no h=": in_signature(rb"(?<=\s)h=[^;]*;", b""),
    "h= without From": in_signature(rb"(?i)(?<=[=:\s])from(?=\s*[:;])", b"x"),
    "no bh=": in_signature(rb"bh=[^;]*;", b""),
    "c= unknown": in_signature(rb"c=\w*", b"c=nofws"),
    "no c=": in_signature(rb"c=[\w/]*;", b""),
    "i= elsewhere": in_signature(rb"d=example.org", b"d=example.org; i=@a.b"),
    "x= long ago": in_signature(rb"d=example.org",
                                b"d=example.org; x=1000000000"),
    "l= too large": in_signature(rb"d=example.org",
                                 b"d=example.org; l=99999999"),
    "l= no number": in_signature(rb"d=example.org", b"d=example.org; l=x"),
    "q= unknown": in_signature(rb"d=example.org", b"d=example.org; q=http"),
    "a tag twice": in_signature(rb"d=example.org",
                                b"d=example.org; d=example.org"),
    "a tag without =": in_signature(rb"d=example.org", b"d=example.org; z"),
    "an empty tag": in_signature(rb"d=example.org;", b"d=example.org;;"),
}

# What the others say where ours says something else, and why: (who, change,
# what he says).  Whatever is not here is a fault.
DIFFERENT = {
    # It counts every From as signed, whatever h= says.  That a message must
    # not have several is for DMARC here (RFC 9989: no author).
    ("dkimpy", "header: another From", False),
    ("dkimpy", "header: a field twice", False),
    # It takes no field whose name ends in blanks (RFC 5322 4.5 has them).
    ("dkimpy", "header: a blank before the colon", False),
}


def dkimpy_verify(mail, records):
    def ask(name, **_kw):
        text = records.get(name.decode().rstrip(".").lower())
        return text.encode() if text is not None else None
    try:
        return dkim.verify(mail, dnsfunc=ask)
    except Exception:  # it raises all kinds at input like this
        return False


class Bulk:
    """Ours: all orders in one go."""

    def __init__(self, lab, records):
        self.path = lab.path("orders")
        self.head = b"".join(f"key {n} {t}\n".encode()
                             for n, t in records.items()) + \
            f"now {int(time.time())}\n".encode()

    def run(self, orders):
        self.path.write_bytes(self.head + b"".join(orders))
        out = base.subprocess.run(
            [base.BUILD / "unit" / "common_dkim_bulk", self.path],
            stdout=base.subprocess.PIPE, timeout=120, check=True)
        return out.stdout

    def sign(self, wanted):
        """wanted: mail, selector, key, canon; the field of each."""
        out = self.run(
            f"sign example.org {s} {key.file} {c[0] == b'relaxed':d} "
            f"{c[1] == b'relaxed':d} {len(mail)}\n".encode() + mail
            for mail, s, key, c in wanted)
        fields = []
        for _ in wanted:
            size, _, out = out.partition(b"\n")
            fields.append(out[:int(size)])
            out = out[int(size):]
        return fields

    def verify(self, mails):
        out = self.run(f"verify {len(m)}\n".encode() + m for m in mails)
        return out.decode().splitlines()


def dkimpy_sign(mail, selector, key, canon, rnd):
    names = sorted({f.partition(b":")[0].lower() for f in head_of(mail)[0]})
    names = [n for n in names if n == b"from" or
             (n not in dkim.DKIM.SHOULD_NOT and rnd.randrange(3))]
    names += rnd.choice([[], [b"from"], [b"subject", b"x-not-there"]])
    return dkim.sign(mail, selector.encode(), b"example.org", key.dkimpy,
                     canonicalize=canon, include_headers=names,
                     signature_algorithm=b"rsa-sha256" if key.alg == "rsa"
                     else b"ed25519-sha256")


def test_differential(lab):
    rnd = random.Random(6376)
    keys = {alg: Key(lab, alg) for alg in ("rsa", "ed")}
    records = {RECORD.format(alg): k.record for alg, k in keys.items()}
    other = opendkim.OpenDKIM(records)
    ours = Bulk(lab, records)

    # Signed by each of the three in turn.
    plan = []
    for i in range(MESSAGES):
        who = ("ours", "dkimpy", "opendkim")[i % 3]
        alg = "rsa" if rnd.randrange(4) else "ed"
        plan.append((who, alg, CANONS[rnd.randrange(4)], message(rnd)))
    mine = iter(ours.sign([(mail, alg, keys[alg], canon)
                           for who, alg, canon, mail in plan
                           if who == "ours"]))
    signed = []
    for who, alg, canon, mail in plan:
        if who == "ours":
            field = next(mine)
        elif who == "dkimpy":
            field = dkimpy_sign(mail, alg, keys[alg], canon, rnd)
        else:
            field = other.sign(
                mail, "example.org", alg, keys[alg].pem,
                opendkim.RSA if alg == "rsa" else opendkim.ED25519,
                canon[0] == b"relaxed", canon[1] == b"relaxed")
        assert field, (who, alg, mail)
        signed.append(field + mail)

    # Changed, and verified by all three.
    changes = list(CHANGES.items())
    cases = []
    for i, mail in enumerate(signed):
        cases.append((plan[i], "nothing", mail))
        name, change = changes[i % len(changes)]
        cases.append((plan[i], name, change(mail, rnd)))
    seen, unexplained, passed = collections.Counter(), [], 0
    for (p, name, mail), line in zip(
            cases, ours.verify([mail for _, _, mail in cases])):
        assert "|" not in line, "one signature each"
        here = line.startswith("pass:")
        passed += here
        for who, says in (("dkimpy", dkimpy_verify(mail, records)),
                          ("opendkim", other.verify(mail))):
            if says == here:
                continue
            seen[who, name, says] += 1
            if (who, name, says) not in DIFFERENT:
                unexplained.append((who, says, line, name, p[:3], mail))
    other.close()
    for one in unexplained[:8]:
        print(one)
    print(seen)
    assert not unexplained, len(unexplained)
    assert set(seen) == DIFFERENT, "rows that explain nothing"
    assert passed >= MESSAGES, "what nobody changed, and more"


# ---- what the tags mean: each signature here is right but for them ----

MAIL = (b"From: Ann <a@example.org>\r\nTo: b@x.test\r\nSubject: x\r\n"
        b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\nbody  one\r\n")
PLAIN = "v=1; a={a}; c=relaxed/relaxed; d=example.org; s={s}; h=from; bh={bh};"


def relaxed(field):
    name, _, text = field.partition(b":")
    text = re.sub(rb"[ \t]+", b" ", text.replace(b"\r\n", b"")).strip(b" ")
    return name.lower().strip() + b":" + text


def crafted(key, selector, tags, bh=None):
    """MAIL with a signature that has these tags, whatever they mean: "b=" and
    its value are put behind them, or where a {b} is."""
    text = tags if "{b}" in tags else tags + " b={b}"
    text = text.replace("{a}", "rsa-sha256" if key.alg == "rsa" else
                        "ed25519-sha256").replace("{s}", selector)
    text = text.replace("{bh}", bh or base64.b64encode(
        hashlib.sha256(b"body one\r\n").digest()).decode())
    head, _, body = MAIL.partition(b"\r\n\r\n")
    m = re.search(r"(?:^|[;\s])h=\s*([^;]*)", text)
    names = re.split(r"\s*:\s*", m[1].strip().lower()) if m else []
    left = list(reversed(re.split(rb"\r\n(?![ \t])", head)))
    data = b""
    for name in names:
        for f in left:
            if f.partition(b":")[0].lower().decode() == name:
                data += relaxed(f) + b"\r\n"
                left.remove(f)
                break
    field = f"DKIM-Signature: {text}"
    data += relaxed(field.replace("{b}", "").encode())
    if key.alg == "rsa":
        sig = key.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
    else:
        sig = key.private.sign(hashlib.sha256(data).digest())
    return field.replace("{b}", base64.b64encode(sig).decode()).encode() + \
        b"\r\n" + MAIL


NOW = int(time.time())
# Columns: tags, whether that is valid, who says otherwise (and why), what bh= is
# made of if it is not the body.
TAGS = {
    "plain": (PLAIN, True, ""),
    "b= in the middle": (PLAIN.replace("h=from;", "b={b}; h=from;"), True, ""),
    "b= first": ("b={b}; " + PLAIN, True, ""),
    "no semicolon at the end": (PLAIN + " b={b}", True, ""),
    "semicolon at the end": (PLAIN + " b={b};", True, ""),
    "blanks around": (PLAIN.replace("=", " = ").replace(";", " ; ")
                      .replace("h = ", "h= "), True, ""),
    "h= several": (PLAIN.replace("h=from", "h=from : TO:Subject"), True, ""),
    "h= what is not there": (PLAIN.replace("h=from", "h=from:from:x"), True,
                             ""),
    "h= empty name": (PLAIN.replace("h=from", "h=from:"), False,
                      # RFC 6376 3.5: hdr-name is at least a letter.
                      "dkimpy opendkim"),
    "h= without From": (PLAIN.replace("h=from", "h=to"), False,
                        # RFC 6376 5.4: it MUST be signed.
                        "dkimpy"),
    "no t=": (PLAIN, True, ""),
    "t=": (PLAIN + f" t={NOW};", True, ""),
    "t= tomorrow": (PLAIN + f" t={NOW + 86400};", True,
                    # RFC 6376 3.5 allows it to be ignored; a clock may be
                    # wrong, and nothing is won by it.
                    "dkimpy opendkim"),
    "x= tomorrow": (PLAIN + f" t={NOW}; x={NOW + 86400};", True, ""),
    "x= last week": (PLAIN + f" x={NOW - 7 * 86400};", False, ""),
    "x= an hour ago": (PLAIN + f" x={NOW - 3600};", False,
                       # It gives ten hours to bad clocks.
                       "dkimpy"),
    "x= before t=": (PLAIN + f" t={NOW}; x={NOW - 60};", False, "dkimpy"),
    "x= is t=": (PLAIN + f" t={NOW + 60}; x={NOW + 60};", False,
                 # RFC 6376 3.5: it MUST be greater.
                 "dkimpy"),
    "x= no number": (PLAIN + " x=never;", False, ""),
    "i= itself": (PLAIN + " i=a@example.org;", True, ""),
    "i= below": (PLAIN + " i=@sub.example.org;", True, ""),
    "i= case": (PLAIN + " i=@Sub.Example.ORG;", True, ""),
    "i= beside": (PLAIN + " i=@notexample.org;", False, ""),
    "i= above": (PLAIN + " i=@org;", False, ""),
    "q= dns/txt": (PLAIN + " q=dns/txt;", True, ""),
    "q= several": (PLAIN + " q=http:dns/txt;", True,
                   # It takes one method and no list.
                   "dkimpy"),
    "q= unknown": (PLAIN + " q=http;", False,
                   # RFC 6376 3.5: then there is nothing to ask.
                   "opendkim"),
    "unknown tags": (PLAIN + " y=1; zz_9=a|b;", True, ""),
    "z=": (PLAIN + " z=From:x|To:y;", True, ""),
    "twice": (PLAIN + " d=example.org;", False,
              # RFC 6376 3.2: then the whole list is invalid.
              "opendkim"),
    "empty tag": (PLAIN + " ;", False, ""),
    "no value": (PLAIN + " zz;", False, ""),
    "v=2": (PLAIN.replace("v=1", "v=2"), False, ""),
    "no v=": (PLAIN.replace("v=1; ", ""), False, ""),
    "a= case": (PLAIN.replace("{a}", "{A}"), False,
                # RFC 6376 3.2: values are case-sensitive if it is not said.
                "opendkim"),
    "c= missing": (PLAIN.replace("c=relaxed/relaxed; ", ""), False, ""),
    "c= half": (PLAIN.replace("relaxed/relaxed", "relaxed"), False, ""),
    "c= case": (PLAIN.replace("relaxed/relaxed", "Relaxed/relaxed"), False,
                "opendkim"),
    "c= unknown": (PLAIN.replace("relaxed/relaxed", "relaxed/nofws"), False,
                   ""),
    "l= all": (PLAIN + " l=10;", True, ""),
    "l= more": (PLAIN + " l=11;", False,
                # RFC 6376 3.5: it MUST NOT be larger.
                "dkimpy"),
    "l= less": (PLAIN + " l=9;", False, ""),
    "l= some, rightly": (PLAIN + " l=4;", True, "", b"body"),
    "l= none, rightly": (PLAIN + " l=0;", True, "", b""),
    "l= no number": (PLAIN + " l=ten;", False, ""),
    "d= case": (PLAIN.replace("d=example", "d=EXAMPLE"), True, ""),
    "d= below": (PLAIN.replace("d=example", "d=none.example"), False, ""),
    "bh= another": (PLAIN, False, "", b"x"),
}


def test_tags(lab):
    keys = {alg: Key(lab, alg) for alg in ("rsa", "ed")}
    records = {RECORD.format(alg): k.record for alg, k in keys.items()}
    other = opendkim.OpenDKIM(records)
    cases = []
    for name, (tags, good, differ, *bh) in TAGS.items():
        bh = base64.b64encode(hashlib.sha256(bh[0]).digest()).decode() \
            if bh else None
        for alg, key in keys.items():
            text = tags.replace("{A}", "RSA-SHA256" if alg == "rsa" else
                                "ED25519-SHA256")
            cases.append((f"{name} ({alg})", good, differ.split(),
                          crafted(key, alg, text, bh)))
    faults = []
    for (name, good, differ, mail), line in zip(
            cases, Bulk(lab, records).verify([c[3] for c in cases])):
        if line.startswith("pass:") != good:
            faults.append((name, "ours", line))
        for who, says in (("dkimpy", dkimpy_verify(mail, records)),
                          ("opendkim", other.verify(mail))):
            if (says != good) != (who in differ):
                faults.append((name, who, says))
    other.close()
    assert not faults
