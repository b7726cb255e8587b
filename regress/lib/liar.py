"""A name server that does wrong what a table says, over UDP and TCP.

    liar = Liar({"x.test": behaviour, ...}, default=behaviour)

A behaviour is a function (query, tcp) -> list of packets to send, or one of
the names below.

SPDX-License-Identifier: ISC
"""
import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from .name_server import NameServer


def answer(query, *records, rcode=dns.rcode.NOERROR, truncated=False):
    """A packet that answers: records are (name, ttl, type, text)."""
    r = dns.message.make_response(query)
    r.flags |= dns.flags.RA
    r.set_rcode(rcode)
    for name, ttl, kind, text in records:
        r.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, text))
    if truncated:
        r.answer = []
        r.flags |= dns.flags.TC
    return r


def _id(packet, change):
    return struct.pack("!H", struct.unpack("!H", packet[:2])[0] ^ change) + \
        packet[2:]


def silent(query, tcp):
    return []


def servfail(query, tcp):
    return [answer(query, rcode=dns.rcode.SERVFAIL).to_wire()]


def refused(query, tcp):
    return [answer(query, rcode=dns.rcode.REFUSED).to_wire()]


def nxdomain(query, tcp):
    return [answer(query, rcode=dns.rcode.NXDOMAIN).to_wire()]


def _address(query, address):
    name = query.question[0].name.to_text()
    kind = dns.rdatatype.to_text(query.question[0].rdtype)
    return answer(query, (name, 60, "A", address)) if kind == "A" \
        else nothing(query)


def nothing(query):
    """Nothing of this kind; that may be kept for a minute (RFC 2308)."""
    r = answer(query)
    r.authority.append(dns.rrset.from_text(
        ".", 60, "IN", "SOA", "ns. postmaster. 1 3600 600 86400 60"))
    return r


def good(address):
    """An A record and nothing else."""
    return lambda query, tcp: [_address(query, address).to_wire()]


def wrong_id(address):
    """Only answers with an id that nobody asked with."""
    return lambda query, tcp: [
        _id(_address(query, address).to_wire(), 0x5555)] * 3


def wrong_id_then_right(bad, address):
    """Forged answers first, the true one after them."""
    return lambda query, tcp: [
        _id(_address(query, bad).to_wire(), n + 1) for n in range(8)
    ] + [_address(query, address).to_wire()]


def wrong_question(bad):
    """Right id, but an answer to another question."""
    def lie(query, tcp):
        other = dns.message.make_query("other.test", "A")
        other.id = query.id
        return [answer(other, ("other.test.", 60, "A", bad)).to_wire()]
    return lie


def truncated(address, tcp_works=True):
    """TC over UDP, the answer (or nothing) over TCP."""
    def lie(query, tcp):
        if not tcp:
            return [answer(query, truncated=True).to_wire()]
        return [_address(query, address).to_wire()] if tcp_works else []
    return lie


def cut_short(query, tcp):
    """A packet that ends in the middle of its answer."""
    return [_address(query, "127.0.0.9").to_wire()[:-7]]


def garbage(query, tcp):
    return [query.to_wire()[:2] + b"\x84\x00" + b"\xff" * 60, b"", b"\0"]


def cname_loop(*names):
    """Each name is an alias of the next, the last of the first."""
    def lie(query, tcp):
        name = query.question[0].name.to_text()
        at = names.index(name) if name in names else 0
        return [answer(query, (name, 60, "CNAME",
                               names[(at + 1) % len(names)])).to_wire()]
    return lie


def cname_chain(query, tcp):
    """An alias of a name that nobody has asked yet, for ever."""
    name = query.question[0].name.to_text()
    return [answer(query, (name, 60, "CNAME", "a" + name[:50])).to_wire()]


class Liar(NameServer):
    def __init__(self, table=None, default=nxdomain):
        self.table = {k.rstrip(".") + ".": v for k, v in (table or {}).items()}
        self.default = default
        self.asked = []  # (name, type, over TCP)
        super().__init__((dns.exception.DNSException,))

    def packets(self, wire, tcp):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text()
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype), tcp))
        return self.table.get(name.lower(), self.default)(query, tcp)
