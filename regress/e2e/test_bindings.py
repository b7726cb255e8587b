"""What ties SCRAM-SHA-256-PLUS to TLS: the hash that each kind of certificate
wants (RFC 5929 4.1), and when there is no exporter (RFC 9266 3).

SPDX-License-Identifier: ISC
"""
import hashlib
import itertools

import pytest
from OpenSSL import SSL
from cryptography.hazmat.primitives.serialization import Encoding

from lib import base, sasl
from lib.pki import openssl

OK = "235 2.7.0 "
FAILED = "535 5.7.8 "
UNKNOWN = "e=unsupported-channel-binding-type"
WRONG = "e=channel-bindings-dont-match"
# Who fails waits, and so does the next who fails as the same user.
USERS = [f"u{i}" for i in range(100)]
user = itertools.cycle(USERS).__next__
NO_EMS = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET

# Columns: name, algorithm of the key, digest of the signature, of the binding
# (None: there is none), one that it is not.
CERTS = [
    ("sha256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
     "sha256", "sha256", "sha1"),
    ("sha384", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
     "sha384", "sha384", "sha256"),
    ("sha512", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
     "sha512", "sha512", "sha256"),
    ("sha1", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
     "sha1", "sha256", "sha1"),
    ("ed25519", ["-algorithm", "ED25519"], None, None, "sha512"),
]


@pytest.fixture(scope="module")
def ports(shared_lab):
    d = shared_lab.path("pki")
    d.mkdir()
    lines, listen, found = [], ["listen on 127.0.0.1 port {port}"], {}
    for name, key, digest, _, _ in CERTS:
        openssl("genpkey", *key, "-out", d / f"{name}.key")
        (d / f"{name}.key").chmod(0o600)
        openssl("req", "-x509", "-key", d / f"{name}.key", "-days", "2",
                "-subj", f"/CN={name}.test", "-out", d / f"{name}.crt",
                *([f"-{digest}"] if digest else []))
        found[name] = base.free_port()
        lines.append(f'pki {name}.test cert "{d}/{name}.crt" '
                     f'key "{d}/{name}.key"')
        listen.append(f"listen on 127.0.0.1 port {found[name]} tls "
                      f"pki {name}.test auth-optional <users>")
    # Keys of two kinds under one name: each client gets its own.
    found["both"] = base.free_port()
    lines += [f'pki both.test cert "{d}/{name}.crt" key "{d}/{name}.key"'
              for name in ("sha256", "sha512")]
    listen.append(f"listen on 127.0.0.1 port {found['both']} tls "
                  "pki both.test auth-optional <users>")
    shared_lab.postern("\n".join(
        ["table users { " + ", ".join(
            f'{u} = "{{PLAIN}}secret"' for u in USERS) + " }",
         "limit except { 127.0.0.1 }", *lines, *listen,
         "match from any for any reject"]) + "\n")
    return found


class Client(sasl.PlusClient):
    """A client that may be of TLS 1.2 alone, and without the extended master
    secret (RFC 7627)."""

    def __init__(self, port, options=0, old=False, ciphers=None,
                 session=None):
        self.options, self.old, self.error = options, old, None
        self.ciphers, self.session = ciphers, session
        super().__init__(port)

    def start_tls(self, pair):
        c = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if self.old:
            c.set_max_proto_version(SSL.TLS1_2_VERSION)
        c.set_options(self.options)
        if self.ciphers is not None:
            c.set_cipher_list(self.ciphers)
        self.sock.settimeout(None)
        self.sock = SSL.Connection(c, self.sock)
        self.sock.set_connect_state()
        if self.session is not None:
            self.sock.set_session(self.session)
        self.sock.do_handshake()

    def plus(self, binding, data):
        said = sasl.scram(self, user(), "secret", "SCRAM-SHA-256-PLUS",
                          f"p={binding}", data)
        return said[:10], self.error


def refused(c, binding, data):
    """Not this one; and no PLUS at all where there is no other."""
    if "SCRAM-SHA-256-PLUS" in c.mechs():
        assert c.plus(binding, data) == (FAILED, UNKNOWN)
    else:
        assert c.plus(binding, data)[0] == "504 5.5.4 "
        # Nobody took it from the offer, so "y" is true (RFC 5802 6).
        assert sasl.scram(c, user(), "secret", flag="y").startswith(OK)


@pytest.mark.parametrize("name, binding, wrong", [
    (c[0], c[3], c[4]) for c in CERTS])
@pytest.mark.parametrize("old", [False, True])
def test_end_point(ports, name, binding, wrong, old):
    """MD5 and SHA-1 count as SHA-256, else it is that of the signature; one
    that has no hash of its own has no such binding."""
    for digest in (binding or "sha256", wrong):
        with Client(ports[name], old=old) as c:
            der = c.sock.get_peer_certificate().to_cryptography() \
                .public_bytes(Encoding.DER)
            data = hashlib.new(digest, der).digest()
            if binding is None:
                refused(c, "tls-server-end-point", data)
            else:
                assert c.plus("tls-server-end-point", data) == \
                    ((OK, None) if digest == binding else (FAILED, WRONG)), \
                    digest


@pytest.mark.parametrize("name", ["sha256", "ed25519"])
def test_exporter(ports, name):
    """Of TLS 1.3; of 1.2 not, and least of all without the extended master
    secret.  Where there is nothing to bind to, PLUS is not offered."""
    with Client(ports[name]) as c:
        assert c.plus("tls-exporter", c.binding("tls-exporter")) == (OK, None)
    for options in (0, NO_EMS):
        with Client(ports[name], options, True) as c:
            assert ("SCRAM-SHA-256-PLUS" in c.mechs()) == (name == "sha256")
            refused(c, "tls-exporter", c.binding("tls-exporter"))


def test_unique(ports):
    """RFC 9266 4: tls-unique is not what TLS 1.3 has, and not taken."""
    with Client(ports["sha256"]) as c:
        refused(c, "tls-unique", bytes(12))
    with Client(ports["sha256"], old=True) as c:
        refused(c, "tls-unique", c.sock.get_finished())


@pytest.mark.parametrize("ciphers, hash_", [(b"ECDHE+aECDSA", "sha256"),
                                            (b"ECDHE+aRSA", "sha512")])
def test_shown(ports, ciphers, hash_):
    """It is the certificate that this client was shown, of two; with a ticket
    it was shown none, and nobody knows which it was before."""
    def data(c):
        return hashlib.new(hash_, c.sock.get_peer_certificate()
                           .to_cryptography().public_bytes(Encoding.DER)
                           ).digest()
    with Client(ports["both"], old=True, ciphers=ciphers) as c:
        shown = data(c)
        assert c.plus("tls-server-end-point", shown) == (OK, None)
        session = c.sock.get_session()
    with Client(ports["both"], old=True, ciphers=ciphers,
                session=session) as c:
        refused(c, "tls-server-end-point", shown)
    # Where there is one, there is no question.
    with Client(ports["sha256"], old=True) as c:
        shown = hashlib.sha256(
            c.sock.get_peer_certificate().to_cryptography()
            .public_bytes(Encoding.DER)).digest()
        session = c.sock.get_session()
    with Client(ports["sha256"], old=True, session=session) as c:
        assert c.plus("tls-server-end-point", shown) == (OK, None)
