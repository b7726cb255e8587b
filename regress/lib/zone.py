"""A name server that says what a dict says, whatever bytes that are, and is
quick about it: for tests with many zones and many questions.

    zone = Zone()
    zone.names = {"example.test": [("TXT", [b"v=spf1 -all"]), ("A", "192.0.2.1"),
                                   ("MX", (10, "mx.example.test"))]}

Names are texts of one character a byte, without a dot at the end.  What is not
in the dict does not exist.  ("TIMEOUT",): the server fails where the name has
nothing of the type; ("SILENT",): it says nothing then.  Names that are aliases
are followed as a resolver does.

SPDX-License-Identifier: ISC
"""
import random
import socket
import struct

from .name_server import NameServer

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15,
         "TXT": 16, "AAAA": 28}
KINDS = {v: k for k, v in TYPES.items()}
UDP_MAX = 1232
LINKS_MAX = 12


def wire_name(name):
    out = b""
    for label in name.rstrip(".").split(".") if name.rstrip(".") else ():
        label = label.encode("latin-1")
        out += bytes([len(label)]) + label
    return out + b"\0"


def wire_txt(strings):
    """Each as strings of 255 bytes at most; none at all: no byte."""
    out = b""
    for s in strings:
        for at in range(0, len(s) or 1, 255):
            piece = s[at:at + 255]
            out += bytes([len(piece)]) + piece
    return out


def rdata(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "TXT":
        return wire_txt([value] if isinstance(value, bytes) else value)
    if kind == "MX":
        return struct.pack("!H", value[0]) + wire_name(value[1])
    return wire_name(value)


def record(owner, kind, value):
    data = rdata(kind, value)
    return wire_name(owner) + struct.pack(
        "!HHIH", TYPES[kind], 1, 60, len(data)) + data


SOA = b"\0" + struct.pack("!HHIH", TYPES["SOA"], 1, 60, 22) + b"\0\0" + \
    struct.pack("!IIIII", 1, 60, 60, 60, 60)


def question(wire):
    """(name, kind, where it ends)"""
    at, labels = 12, []
    while wire[at]:
        labels.append(wire[at + 1:at + 1 + wire[at]].decode("latin-1"))
        at += 1 + wire[at]
    kind, = struct.unpack("!H", wire[at + 1:at + 3])
    return ".".join(labels), KINDS.get(kind, str(kind)), at + 5


class Zone(NameServer):
    def __init__(self, names=None, shuffle=True):
        self.shuffle = shuffle  # records of a name come in any order
        self.asked = []  # (name in lower case, type)
        self.names = names or {}
        super().__init__((IndexError, struct.error))

    @property
    def resolver(self):
        return f"{self.address}:{self.port}"

    @property
    def names(self):
        return self._names

    @names.setter
    def names(self, names):
        """At once for all: who asks meanwhile gets the old or the new."""
        self._names = {k.rstrip(".").lower(): v for k, v in names.items()}

    def look(self, name, kind):
        """(rcode, records (owner, type, value)); None: silence."""
        found = []
        for _ in range(LINKS_MAX):
            rows = self._names.get(name.rstrip(".").lower())
            if rows is None:
                return (3, found)
            hits = [(name, r[0], r[1]) for r in rows if r[0] == kind]
            if hits:
                if self.shuffle:
                    random.shuffle(hits)
                return (0, found + hits)
            if ("SILENT",) in rows:
                return None
            if ("TIMEOUT",) in rows:
                return (2, [])
            link = [r[1] for r in rows if r[0] == "CNAME"]
            if not link:
                return (0, found)
            found.append((name, "CNAME", link[0]))
            name = link[0]
        return (0, found)

    def answer(self, wire, tcp):
        name, kind, end = question(wire)
        self.asked.append((name.lower(), kind))
        got = self.look(name, kind)
        if got is None:
            return None
        rcode, rows = got
        body = b"".join(record(*r) for r in rows)
        soa = rcode != 2 and not any(r[1] == kind for r in rows)
        flags = 0x8180 | rcode
        head = wire[:2] + struct.pack("!HHHHH", flags, 1, len(rows),
                                      int(soa), 0)
        out = head + wire[12:end] + body + (SOA if soa else b"")
        if not tcp and len(out) > UDP_MAX:
            return wire[:2] + struct.pack("!HHHHH", flags | 0x200, 1, 0, 0,
                                          0) + wire[12:end]
        return out

    def packets(self, wire, tcp):
        out = self.answer(wire, tcp)
        return [] if out is None else [out]
