"""The server's side of AUTH, for the scripted receiver, good and evil.

    s = Sasl(users={"alice": "secret"})
    lab.receiver(tls=True, auth=s, mechs="PLAIN LOGIN", need_auth=True)

SPDX-License-Identifier: ISC
"""
import base64
import hashlib
import hmac
import json
import os

from .sasl import b64

GOOD = "235 2.7.0 in"
BAD = "535 5.7.8 no such user, or another password"


class Sasl:
    """Takes the users by their passwords, and the tokens.

    Each exchange is noted in .seen as (mechanism, user or token, reply).
    iterations: of SCRAM.
    evil: how SCRAM goes wrong: "nonce" is another, "signature" is wrong,
        "no-signature" is left out and 235 said, "at-once" is 235 upon the
        first message, "salt" is no base64.
    error: what is said of a token that is not taken.
    reply: said instead, whatever is asked.
    """

    def __init__(self, users=None, tokens=(), iterations=4096, evil=None,
                 error={"status": "401", "schemes": "bearer"}, reply=None):
        self.users = {"alice": "secret"} if users is None else users
        self.tokens = list(tokens)
        self.iterations, self.evil, self.error = iterations, evil, error
        self.reply = reply
        self.seen = []

    def __call__(self, session, mech, initial):
        who = None
        if self.reply is not None:
            said = self.reply
        else:
            who, said = getattr(self, mech.lower().replace("-", "_"))(
                session, initial)
        self.seen.append((mech, who, said))
        return said

    def judge(self, good):
        return GOOD if good else BAD

    def first(self, session, initial):
        return session.challenge(b"") if initial is None else initial

    def plain(self, session, initial):
        initial = self.first(session, initial)
        authzid, user, password = initial.decode().split("\0")
        return user, self.judge(authzid == "" and
                                self.users.get(user) == password)

    def login(self, session, initial):
        assert initial is None
        user = session.challenge(b"Username:").decode()
        password = session.challenge(b"Password:").decode()
        return user, self.judge(self.users.get(user) == password)

    def cram_md5(self, session, initial):
        assert initial is None
        challenge = f"<{os.urandom(8).hex()}@sink.test>".encode()
        user, digest = session.challenge(challenge).decode().rsplit(" ", 1)
        want = hmac.new(self.users.get(user, "").encode(), challenge,
                        "md5").hexdigest()
        return user, self.judge(user in self.users and digest == want)

    def scram_sha_256(self, session, initial):
        first = self.first(session, initial).decode()
        if self.evil == "at-once":
            return None, GOOD
        header, _, bare = first.partition(",,")
        assert header in ("n", "y")
        parts = dict(p.split("=", 1) for p in bare.split(","))
        user = parts["n"].replace("=2C", ",").replace("=3D", "=")
        nonce = parts["r"] + b64(os.urandom(9))
        salt = os.urandom(16)
        if self.evil == "nonce":
            nonce = b64(os.urandom(30))
        server = (f"r={nonce},s={'!' if self.evil == 'salt' else b64(salt)},"
                  f"i={self.iterations}")
        answer = session.challenge(server.encode())
        if answer is None:
            return user, "501 5.7.0 as you like"
        final = answer.decode()
        without, _, proof = final.rpartition(",p=")
        assert without == f"c={b64(header + ',,')},r={nonce}"

        def mac(key, text):
            return hmac.new(key, text.encode(), "sha256").digest()
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.users.get(user, "").encode(), salt,
            self.iterations)
        message = f"{bare},{server},{without}"
        key = mac(salted, "Client Key")
        sig = mac(hashlib.sha256(key).digest(), message)
        good = bytes(a ^ b for a, b in zip(key, sig)) == \
            base64.b64decode(proof)
        if self.evil == "no-signature":
            return user, GOOD
        mine = mac(mac(salted, "Server Key"), message)
        if self.evil == "signature":  # it does not know the password
            mine, good = os.urandom(32), True
        if not good:
            session.challenge(b"e=invalid-proof")
            return user, BAD
        session.challenge(b"v=" + b64(mine).encode())
        return user, GOOD

    def bearer(self, session, token, empty):
        if token in self.tokens:
            return token, GOOD
        if self.error is not None:
            said = session.challenge(json.dumps(self.error).encode())
            assert said == empty, said
        return token, BAD

    def oauthbearer(self, session, initial):
        text = self.first(session, initial).decode()
        header, *pairs = text.split("\1")
        assert header == "n,a=alice," and pairs[-2:] == ["", ""], text
        pairs = dict(p.split("=", 1) for p in pairs[:-2])
        assert pairs["host"] == "sink.test"
        assert pairs["port"] == str(session.server.port)
        kind, _, token = pairs["auth"].partition(" ")
        assert kind == "Bearer"
        return self.bearer(session, token, b"\1")

    def xoauth2(self, session, initial):
        text = self.first(session, initial).decode()
        begin = "user=alice\1auth=Bearer "
        assert text.startswith(begin) and text.endswith("\1\1"), text
        return self.bearer(session, text[len(begin):-2], b"")
