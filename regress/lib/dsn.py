"""Notifications, read strictly: RFC 3464, 6522, 6533, 5322, 2045.

    d = dsn.read(message.content)
    d.text, d.about, d.rcpts, d.original, d.whole, d.utf8

read() fails on whatever breaks a rule: an order of fields, a line too long, a
byte that its part does not say that it has.

SPDX-License-Identifier: ISC
"""
import email
import email.policy
import email.utils
import re

ABOUT = ["Original-Envelope-Id", "Reporting-MTA", "DSN-Gateway",
         "Received-From-MTA", "Arrival-Date"]
RCPT = ["Original-Recipient", "Final-Recipient", "Action", "Status",
        "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date", "Final-Log-ID",
        "Will-Retry-Until"]
NEEDED = {"Final-Recipient", "Action", "Status"}
CLASS = {"failed": "5", "delayed": "4", "relayed": "2", "expanded": "2",
         "delivered": "2"}
ORIGINALS = {  # whole?
    "text/rfc822-headers": False, "message/rfc822": True,
    "message/global-headers": False, "message/global": True}


class Dsn:
    """What a notification says; rcpts: a dict of fields for each."""


def fields(block, order, utf8):
    """The fields of a block, unfolded, each once and in their order."""
    lines = re.sub(rb"\r\n(?=[ \t])", b"", block).split(b"\r\n")
    found = {}
    last = -1
    for line in lines:
        name, colon, value = line.partition(b":")
        assert colon and re.fullmatch(rb"[A-Za-z-]+", name), line
        name = name.decode()
        assert name in order, name
        assert order.index(name) > last, f"{name} is out of its order"
        last = order.index(name)
        text = value.decode("utf-8" if utf8 else "ascii").strip()
        found[name] = re.sub(r"[ \t]+", " ", text)
    return found


def typed(value):
    """"type; text" of RFC 3464 2.1.2."""
    kind, semi, text = value.partition(";")
    assert semi and re.fullmatch(r"[A-Za-z0-9-]+", kind.strip()), value
    assert text.strip(), value
    return kind.strip().lower(), text.strip()


def date(text):
    assert email.utils.parsedate_to_datetime(text).tzinfo is not None, text


def check_about(about, utf8):
    assert typed(about["Reporting-MTA"])[0] == "dns"
    date(about["Arrival-Date"])


def check_rcpt(rcpt, utf8):
    assert NEEDED <= set(rcpt), rcpt
    for name in ("Final-Recipient", "Original-Recipient"):
        if name in rcpt:
            kind, address = typed(rcpt[name])
            wide = not address.isascii()
            assert kind == "utf-8" or not wide, rcpt[name]
            assert utf8 or not wide
    assert rcpt["Action"] in CLASS, rcpt
    assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", rcpt["Status"]), rcpt
    # RFC 3463 3: given up for its age, a failure may have a 4.
    assert rcpt["Status"][0] == CLASS[rcpt["Action"]] or \
        rcpt["Status"] == "4.4.7", rcpt
    if "Remote-MTA" in rcpt:
        assert typed(rcpt["Remote-MTA"])[0] == "dns"
    if "Diagnostic-Code" in rcpt:
        kind, text = typed(rcpt["Diagnostic-Code"])
        assert kind in ("smtp", "x-postern"), kind
        assert kind != "smtp" or re.match(r"[245]\d\d ", text), text
    for name in ("Last-Attempt-Date", "Will-Retry-Until"):
        if name in rcpt:
            date(rcpt[name])
    assert ("Will-Retry-Until" in rcpt) == (rcpt["Action"] == "delayed")


def check_lines(content, long_ones):
    assert content.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content), "a bare CR or LF"
    assert long_ones or max(map(len, content.split(b"\r\n"))) <= 998


def split(body, boundary):
    """The parts of a multipart, as bytes (RFC 2046 5.1.1)."""
    before, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    assert parts and parts.pop() == b"--\r\n", "no end"
    assert all(p.startswith(b"\r\n") for p in parts)
    return [p[2:] for p in parts]


def encoding(head):
    found = re.search(rb"(?im)^content-transfer-encoding:[ \t]*(\S+)", head)
    return found[1].decode().lower() if found else "7bit"


def read(content):
    d = Dsn()
    m = email.message_from_bytes(content)
    assert m.get_content_type() == "multipart/report", m.as_string()
    kind = m.get_param("report-type")
    assert kind in ("delivery-status", "global-delivery-status"), kind
    d.utf8 = kind.startswith("global-")
    d.subject = m["Subject"]
    for name in ("Date", "From", "To", "Subject", "Message-ID",
                 "MIME-Version", "Auto-Submitted"):
        assert len(m.get_all(name, [])) == 1, name
    assert m["MIME-Version"] == "1.0"
    assert m["Auto-Submitted"] == "auto-replied"
    date(m["Date"])
    for part in m.walk():
        assert not part.defects, part.defects
    d.message = m

    head, _, body = content.partition(b"\r\n\r\n")
    assert d.utf8 or head.isascii()
    text, status, original = split(body, m.get_boundary())
    all_8bit = encoding(head) == "8bit"
    assert all_8bit or content.isascii(), "8-bit bytes, and nobody said so"
    kinds = [p.get_content_type() for p in m.get_payload()]
    for part in (text, status, original):
        phead, _, pbody = (b"\r\n" + part).partition(b"\r\n\r\n")
        assert pbody.isascii() or encoding(phead) == "8bit"
        assert all_8bit or encoding(phead) != "8bit"

    part = m.get_payload(0)
    assert part.get_content_type() == "text/plain"
    d.charset = part.get_content_charset()
    d.text = part.get_payload(decode=True).decode(d.charset)
    assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", d.text)
    assert "{" not in d.text.split("\r\n\r\n")[0], d.text
    # The first paragraph, as one line.
    d.first = " ".join(d.text.split("\r\n\r\n")[0].split())
    d.words = " ".join(d.text.split())

    assert kinds[1] == f"message/{kind}"
    blocks = status.partition(b"\r\n\r\n")[2].rstrip(b"\r\n").split(
        b"\r\n\r\n")
    d.about = fields(blocks[0], ABOUT, d.utf8)
    check_about(d.about, d.utf8)
    d.rcpts = [fields(b, RCPT, d.utf8) for b in blocks[1:]]
    assert d.rcpts
    for rcpt in d.rcpts:
        check_rcpt(rcpt, d.utf8)

    assert kinds[2] in ORIGINALS, kinds
    assert ("global" in kinds[2]) == d.utf8
    d.whole = ORIGINALS[kinds[2]]
    d.original = original.partition(b"\r\n\r\n")[2]
    check_lines(content, d.whole and all_8bit)
    return d
