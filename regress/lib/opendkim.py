"""libopendkim, spoken to directly: it signs and verifies messages in this
process, with keys that a test makes up.

SPDX-License-Identifier: ISC
"""
import ctypes
import re

SIMPLE, RELAXED = 0, 1
RSA, ED25519 = 1, 2  # with SHA-256
_FOUND, _NOTFOUND = 0, 3  # what a lookup says

_LOOKUP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                           ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)


def split(mail):
    """The fields of a message, folded, without their last CRLF; its body."""
    head, _, body = mail.partition(b"\r\n\r\n")
    return re.split(rb"\r\n(?![ \t])", head), body


class OpenDKIM:
    """records: what is published, by name."""

    def __init__(self, records):
        self.so = ctypes.CDLL("libopendkim.so.11")
        for name in ("dkim_init", "dkim_sign", "dkim_verify",
                     "dkim_sig_getselector", "dkim_sig_getdomain"):
            getattr(self.so, name).restype = ctypes.c_void_p
        self.records = records
        self.lib = ctypes.c_void_p(self.so.dkim_init(None, None))
        self.lookup = _LOOKUP(self._lookup)
        assert self.so.dkim_set_key_lookup(self.lib, self.lookup) == 0

    def close(self):
        self.so.dkim_close(self.lib)

    def _lookup(self, _dkim, sig, out, size):
        sig = ctypes.c_void_p(sig)
        s = ctypes.string_at(self.so.dkim_sig_getselector(sig)).decode()
        d = ctypes.string_at(self.so.dkim_sig_getdomain(sig)).decode()
        text = self.records.get(f"{s}._domainkey.{d}".lower())
        if text is None or len(text) >= size:
            return _NOTFOUND
        ctypes.memmove(out, text.encode() + b"\0", len(text) + 1)
        return _FOUND

    def _feed(self, d, mail):
        """Its word on the header, or on the end."""
        fields, body = split(mail)
        for f in fields:
            if (stat := self.so.dkim_header(d, f, ctypes.c_size_t(len(f)))):
                return stat
        if (stat := self.so.dkim_eoh(d)):
            return stat
        if body and (stat := self.so.dkim_body(
                d, body, ctypes.c_size_t(len(body)))):
            return stat
        return self.so.dkim_eom(d, ctypes.byref(ctypes.c_bool()))

    def verify(self, mail):
        """Whether its one signature is valid."""
        stat = ctypes.c_int()
        d = ctypes.c_void_p(self.so.dkim_verify(self.lib, b"x", None,
                                                ctypes.byref(stat)))
        assert d.value, stat.value
        try:
            return self._feed(d, mail) == 0
        finally:
            self.so.dkim_free(d)

    def sign(self, mail, domain, selector, pem, alg, header, body):
        """The field, None where it refuses."""
        stat = ctypes.c_int()
        d = ctypes.c_void_p(self.so.dkim_sign(
            self.lib, b"x", None, pem, selector.encode(), domain.encode(),
            header, body, alg, ctypes.c_long(-1), ctypes.byref(stat)))
        assert d.value, stat.value
        try:
            if self._feed(d, mail) != 0:
                return None
            buf, size = ctypes.c_void_p(), ctypes.c_size_t()
            name = b"DKIM-Signature: "
            assert self.so.dkim_getsighdr_d(
                d, ctypes.c_size_t(len(name)), ctypes.byref(buf),
                ctypes.byref(size)) == 0
            return name + ctypes.string_at(buf, size.value) + b"\r\n"
        finally:
            self.so.dkim_free(d)
