"""What the tests of AUTH need beside smtplib: certificates, a client that says
one line at a time, SCRAM-SHA-256 with channel bindings, tokens.

SPDX-License-Identifier: ISC
"""
import base64
import hashlib
import hmac
import json
import os
import re
import socket
import ssl
import time

from OpenSSL import SSL
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (ec, ed25519, padding,
                                                       rsa, utils)

from . import base


def b64(data):
    data = data.encode() if isinstance(data, str) else data
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# ---- certificates ----

def self_signed(directory, name, days=90):
    """(certificate, key): files of a new pair."""
    cert, key = directory / f"{name}.crt", directory / f"{name}.key"
    out = base.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                    "-nodes", "-keyout", key, "-out", cert, "-days",
                    str(days), "-subj", f"/CN={name}"])
    assert out.returncode == 0, out.stderr
    key.chmod(0o600)
    return cert, key


def signed(directory, ca, name, subject, email=None):
    """A certificate by ca, a pair of files, for a client."""
    cert, key, csr = (directory / f"{name}.{e}" for e in ("crt", "key", "csr"))
    ext = directory / f"{name}.ext"
    ext.write_text("extendedKeyUsage=clientAuth\n" +
                   (f"subjectAltName=email:{email}\n" if email else ""))
    for argv in (["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout",
                  key, "-out", csr, "-subj", subject],
                 ["x509", "-req", "-in", csr, "-CA", ca[0], "-CAkey", ca[1],
                  "-CAcreateserial", "-days", "90", "-out", cert, "-extfile",
                  ext]):
        out = base.run(["openssl", *argv])
        assert out.returncode == 0, out.stderr
    return cert, key


def context(pair=None):
    """TLS that believes everything; pair: the client's own certificate."""
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if pair is not None:
        c.load_cert_chain(*pair)
    return c


# ---- a client ----

class Client:
    """A connection; say() sends a line and returns the whole reply."""

    def __init__(self, port=None, path=None, tls=True, ehlo=True, pair=None):
        if path is not None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(str(path))
        else:
            self.sock = socket.create_connection(("127.0.0.1", port), 20)
        self.sock.settimeout(20)
        self.buffer = b""
        self.reply()
        if tls and path is None:
            self.say("EHLO c.test")
            assert self.say("STARTTLS").startswith("220")
            self.start_tls(pair)
        if ehlo:
            self.keywords = self.say("EHLO c.test")

    def start_tls(self, pair):
        self.sock = context(pair).wrap_socket(self.sock)

    def reply(self):
        lines = []
        while True:
            while b"\n" not in self.buffer:
                got = self.sock.recv(4096)
                if not got:
                    return "\n".join(lines)  # closed
                self.buffer += got
            line, _, self.buffer = self.buffer.partition(b"\n")
            lines.append(line.decode().rstrip("\r"))
            if lines[-1][3:4] != "-":
                return "\n".join(lines)

    def send(self, line):
        self.sock.sendall(line.encode() + b"\r\n")

    def say(self, line):
        self.send(line)
        return self.reply()

    def mechs(self):
        found = re.search(r"^250[- ]AUTH (.*)$", self.keywords, re.M)
        return found[1].split() if found else []

    def plain(self, user, password, authzid=""):
        return self.say("AUTH PLAIN " +
                        b64(f"{authzid}\0{user}\0{password}"))

    def login(self, user, password):
        said = self.say("AUTH LOGIN")
        if said.startswith("334"):
            said = self.say(b64(user))
        return self.say(b64(password)) if said.startswith("334") else said

    def cram(self, user, password):
        said = self.say("AUTH CRAM-MD5")
        if not said.startswith("334"):
            return said
        digest = hmac.new(password.encode(), base64.b64decode(said[4:]),
                          "md5").hexdigest()
        return self.say(b64(f"{user} {digest}"))

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


class PlusClient(Client):
    """The same by pyOpenSSL, which tells the exporter of RFC 9266."""

    def start_tls(self, pair):
        c = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.sock.settimeout(None)
        self.sock = SSL.Connection(c, self.sock)
        self.sock.set_connect_state()
        self.sock.do_handshake()

    def binding(self, name):
        if name == "tls-exporter":
            return self.sock.export_keying_material(
                b"EXPORTER-Channel-Binding", 32, b"")
        der = self.sock.get_peer_certificate().to_cryptography().public_bytes(
            serialization.Encoding.DER)
        return hashlib.sha256(der).digest()


def scram(client, user, password, mech="SCRAM-SHA-256", flag="n", data=b"",
          initial=True):
    """An exchange; the last reply, after checking the server's signature."""
    nonce = b64(os.urandom(12))
    bare = f"n={user},r={nonce}"
    first = b64(f"{flag},,{bare}")
    if initial:
        said = client.say(f"AUTH {mech} {first}")
    else:
        assert client.say(f"AUTH {mech}") == "334 "
        said = client.say(first)
    if not said.startswith("334"):
        return said
    server = base64.b64decode(said[4:]).decode()
    if server.startswith("e="):
        client.error = server
        return client.say("")
    parts = dict(p.split("=", 1) for p in server.split(","))
    assert parts["r"].startswith(nonce) and len(parts["r"]) > len(nonce) + 16
    assert int(parts["i"]) >= 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(),
                                 base64.b64decode(parts["s"]),
                                 int(parts["i"]))

    def mac(key, text):
        return hmac.new(key, text.encode(), "sha256").digest()
    without = f"c={b64(flag.encode() + b',,' + data)},r={parts['r']}"
    message = f"{bare},{server},{without}"
    key = mac(salted, "Client Key")
    sig = mac(hashlib.sha256(key).digest(), message)
    proof = bytes(a ^ b for a, b in zip(key, sig))
    said = client.say(b64(f"{without},p={b64(proof)}"))
    if not said.startswith("334"):
        return said
    last = base64.b64decode(said[4:]).decode()
    if last.startswith("e="):
        client.error = last
    else:
        assert last == "v=" + b64(mac(mac(salted, "Server Key"), message))
    return client.say("")


# ---- tokens ----

class Issuer:
    """Keys, their set as a file, and tokens signed with them."""

    def __init__(self, path, url="https://id.example.org/", audience="mail"):
        self.url, self.audience, self.path = url, audience, path
        self.keys = {"RS256": rsa.generate_private_key(65537, 2048),
                     "ES256": ec.generate_private_key(ec.SECP256R1()),
                     "EdDSA": ed25519.Ed25519PrivateKey.generate()}
        path.write_text(json.dumps({"keys": [
            dict(self.jwk(alg), kid=alg) for alg in self.keys]}))

    def jwk(self, alg):
        public = self.keys[alg].public_key()

        def number(n, size):
            return b64url(n.to_bytes(size, "big"))
        if alg == "RS256":
            n = public.public_numbers()
            return {"kty": "RSA", "n": number(n.n, 256), "e": number(n.e, 3)}
        if alg == "ES256":
            n = public.public_numbers()
            return {"kty": "EC", "crv": "P-256", "x": number(n.x, 32),
                    "y": number(n.y, 32)}
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(
            public.public_bytes(serialization.Encoding.Raw,
                                serialization.PublicFormat.Raw))}

    def sign(self, alg, text):
        if alg == "none":
            return b""
        if alg == "HS256":  # with what everybody knows
            return hmac.new(self.path.read_bytes(), text, "sha256").digest()
        key = self.keys["RS256" if alg == "PS256" else alg]
        if alg == "RS256":
            return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        if alg == "PS256":
            return key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()),
                                              32), hashes.SHA256())
        if alg == "ES256":
            r, s = utils.decode_dss_signature(
                key.sign(text, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return key.sign(text)

    def token(self, alg="RS256", header=(), **claims):
        """Claims that are None are left out."""
        all_ = {"iss": self.url, "aud": self.audience,
                "exp": int(time.time()) + 300, "email": "alice@example.org"}
        all_.update(claims)
        parts = [dict({"alg": alg}, **dict(header)),
                 {k: v for k, v in all_.items() if v is not None}]
        text = ".".join(b64url(json.dumps(p).encode()) for p in parts)
        return text + "." + b64url(self.sign(alg, text.encode()))


def bearer(token, user=""):
    name = f"a={user}" if user else ""
    return b64(f"n,{name},\1auth=Bearer {token}\1\1")


def xoauth2(token, user=""):
    return b64(f"user={user}\1auth=Bearer {token}\1\1")
