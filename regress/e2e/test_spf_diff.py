"""SPF against python3-spf, over the same DNS: where the two do not agree, a
table says who is right by RFC 7208.

SPDX-License-Identifier: ISC
"""
import socket

import spf as pyspf

from lib import spf
from lib.spf_generate import cases
from lib.zone import Zone

SEED, ZONES, EACH = 7208, 90, 8

# Why they differ: who is right, results that are then ours (none: any) and
# theirs, what RFC 7208 says.
WHY = {
    "voids": ("we", (), ("permerror",),
              "4.6.4 limits the terms that ask for what is not there; they "
              "count questions, so three hosts of one MX that have no IPv6 "
              "address are one too many"),
    "self": ("we", (), ("permerror",),
             "4.6.4: a loop ends by the limit, if it is ever entered; a "
             "mechanism in front of it that matches decides (4.6.2)"),
    "ptr": ("we", (), ("temperror",),
            "5.5: an error in the look-up of PTR is no match, one in that of "
            "its addresses passes that name over; 7.3: and %{p} is 'unknown'"),
    "loop": ("we", ("temperror",), ("permerror",),
             "a loop of CNAMEs is an error (RFC 1034 3.6.2), and 5 makes "
             "temperror of it; they find nothing"),
    "letters": ("we", ("permerror",), ("softfail",),
                "7.1: behind the letter of a macro stand digits, r, and "
                "delimiters, and nothing else; they ignore what does"),
    "zero": ("we", ("permerror",), ("softfail",),
             "7.3: the number of parts must not be zero"),
    "redirect": ("we", (), ("permerror",),
                 "6.1: redirect is for when no mechanism matches; they count "
                 "its look-up before"),
    "order": ("both", (), ("temperror",),
              "5.4 does not say in which order hosts of an MX are asked; one "
              "has the client, another's server fails"),
}

# Number of the case: why.
DIFFERENCES = {
    20: "self", 30: "self", 42: "ptr", 50: "voids", 83: "ptr", 92: "loop",
    95: "loop", 118: "voids", 122: "ptr", 123: "ptr", 140: "voids",
    147: "voids", 194: "letters", 220: "self", 243: "voids", 254: "voids",
    274: "ptr", 293: "voids", 331: "ptr", 333: "ptr", 335: "voids",
    354: "ptr", 360: "voids", 373: "self", 375: "self", 398: "loop",
    406: "order", 408: "voids", 428: "ptr", 432: "voids", 433: "voids",
    435: "voids", 464: "ptr", 465: "voids", 469: "voids", 470: "voids",
    494: "redirect", 517: "self", 566: "self", 571: "ptr", 574: "ptr",
    601: "self", 602: "ptr", 604: "ptr", 607: "voids", 642: "ptr",
    643: "ptr", 658: "voids", 683: "ptr", 699: "self", 700: "zero",
}


def dns_of(zone):
    """The hook of python3-spf: what the server says of a name, and as it wants
    it."""
    def lookup(name, kind, strict=True, timeout=None, level=0):
        rcode, rows = zone.look(name, kind)
        if rcode == 2:
            raise pyspf.TempError("DNS: the server failed")
        found = []
        for owner, of, value in rows:
            if of == "AAAA":
                value = socket.inet_pton(socket.AF_INET6, value)
            elif of == "TXT":
                value = tuple(value)
            found.append(((owner, of), value))
        return found
    return lookup


def theirs(client, helo, sender):
    q = pyspf.query(i=client, s=sender, h=helo, receiver=socket.gethostname())
    q.set_default_explanation("")
    result, _, text = q.check()
    return result, (text or None) if result == "fail" else None


def run():
    """(number, zone, question, ours, theirs) of all cases."""
    zone = Zone(shuffle=False)
    hook, pyspf.DNSLookup = pyspf.DNSLookup, dns_of(zone)
    found = []
    try:
        for names, questions in cases(SEED, ZONES, EACH):
            zone.names = names
            for q, got in zip(questions, spf.check_all(zone, questions)):
                found.append((len(found), names, q, (got.result, got.exp),
                              theirs(*q), got))
    finally:
        pyspf.DNSLookup = hook
        zone.stop()
    return found


def test_differences():
    found = run()
    assert len(found) >= 500
    differ = {n: (q, ours, other, got)
              for n, _, q, ours, other, got in found if ours != other}
    assert set(differ) == set(DIFFERENCES), {
        n: differ.get(n) for n in set(differ) ^ set(DIFFERENCES)}
    for n, (q, ours, other, got) in differ.items():
        _, as_ours, as_theirs, _ = WHY[DIFFERENCES[n]]
        assert not as_ours or ours[0] in as_ours, (n, q, got, other)
        assert other[0] in as_theirs, (n, q, got, other)
    # Each result is there, and not only where we differ.
    agreed = [ours for n, _, _, ours, other, _ in found if ours == other]
    assert {r for r, _ in agreed} == set(spf.RESULTS)
    assert sum(e is not None for _, e in agreed) >= 5


def test_table():
    """Each reason is one of a difference."""
    assert set(WHY) == set(DIFFERENCES.values())
