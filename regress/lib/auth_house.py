"""An instance for the tests of AUTH: a listener for each back end.

SPDX-License-Identifier: ISC
"""
import itertools

from . import base, sasl
from .sasl import Client

# Who fails waits, each time longer, and so does who fails as the same user:
# each failure of these tests is another's.
VICTIMS = [f"w{i}" for i in range(300)]
victim = itertools.cycle(VICTIMS).__next__
nobody = (f"nobody{i}" for i in itertools.count()).__next__



class House:
    """An instance with a listener for each back end."""

    def __init__(self, lab):
        self.dir = lab.path("auth")
        self.dir.mkdir()
        self.cert = sasl.self_signed(self.dir, "mx.test")
        self.ca = sasl.self_signed(self.dir, "ca.test")
        self.pair = sasl.signed(self.dir, self.ca, "carla", "/CN=Carla",
                                "carla@example.org")
        self.stranger = sasl.self_signed(self.dir, "stranger.test")
        self.issuer = sasl.Issuer(self.dir / "jwks.json")
        self.receiver = lab.receiver()
        self.ports = {}
        lines = [f'pki mx.test cert "{self.cert[0]}" key "{self.cert[1]}"',
                 f'ca clients cert "{self.ca[0]}"',
                 "limit except { 127.0.0.1 }",
                 f'oauth issuer "{self.issuer.url}" audience "mail" '
                 f'keys "{self.issuer.path}"',
                 "listen on 127.0.0.1 port {port}", "listen on socket"]
        for name, table, more in self.backends(lab):
            if table:
                lines.append(f"table {name} {table}")
            self.ports[name] = base.free_port()
            lines.append(f"listen on 127.0.0.1 port {self.ports[name]} "
                         + (more or f"tls pki mx.test auth <{name}>"))
        lines += [f'action "out" relay host "smtp://127.0.0.1:'
                  f'{self.receiver.port}"',
                  'match from any auth for any action "out"',
                  "match from any for any reject"]
        self.it = lab.postern("\n".join(lines) + "\n")

    def hashes(self, method):
        out = base.run([base.BUILD / "smtpctl", "encrypt", "-m", method],
                       input="secret\n", stdin=None)
        assert out.returncode == 0, out.stderr
        return out.stdout.strip()

    def backends(self, lab):
        """Name, table, options of the listener."""
        self.made = {m: self.hashes(m)
                     for m in ("yescrypt", "sha512", "bcrypt", "scram")}
        names = ["alice"] + VICTIMS
        path = self.dir / "plain.txt"
        path.write_text("".join(f"{n} {{PLAIN}}secret\n" for n in names) +
                        "bob@example.org {PLAIN}a:b c\ncarol: *\n")
        yield "plain", f"file:{path}", ""
        for m, text in self.made.items():
            path = self.dir / f"{m}.txt"
            path.write_text("".join(f"{n}\t{text}\n" for n in names))
            yield m, f"file:{path}", ""
        path = self.dir / "passwd"
        path.write_text("".join(
            f"{n}:{self.made['sha512']}:1000:1000::/home/a:\n"
            for n in names) + "carol:!:1001:1001::/:\n")
        yield "pass", f'passwd:{path}', ""
        text = self.dir / "db.txt"
        text.write_text("".join(f"{n} {self.made['scram']}\n" for n in names))
        base.run([base.BUILD / "smtpctl", "makemap", "-o",
                  self.dir / "map.db", text])
        yield "mapdb", f'db:{self.dir}/map.db', ""
        program = self.dir / "program"
        program.write_text(PROGRAM.replace("SECRET", self.made["scram"]))
        program.chmod(0o755)
        yield "prog", f'proc:{program}', ""
        dead = self.dir / "dead"
        dead.write_text("#!/bin/sh\nexit 1\n")
        dead.chmod(0o755)
        yield "dead", f'proc:{dead}', ""
        yield "bad", '{ "alice" = "nonsense" }', ""
        yield "inline", ('{ "alice" = "{PLAIN}secret", "Bob@Example.org" = '
                         '"{PLAIN}a:b" }'), ""
        yield "mixed", ('{ "alice" = "{PLAIN}secret", "dave" = "' +
                        self.made["sha512"] + '" }'), ""
        yield "open", "", "tls pki mx.test auth <plain> auth-insecure"
        yield "optional", "", "tls pki mx.test auth-optional <plain>"
        yield "certs", "", ("tls-require verify pki mx.test ca clients "
                            "auth <plain>")
        self.dir.chmod(0o755)
        for f in self.dir.iterdir():
            if f.suffix != ".key":
                f.chmod(f.stat().st_mode | 0o044)

    def client(self, name, **kw):
        return Client(self.ports[name], **kw)


PROGRAM = r"""#!/usr/bin/python3
import sys
for line in sys.stdin:
    if line.startswith("config|ready"):
        print("register|credentials\nregister|ready", flush=True)
        continue
    if not line.startswith("table|"):
        continue
    words = line.rstrip("\n").split("|")
    op, service, id, key = words[4], words[5], words[6], words[7]
    found = not key.startswith("nobody")
    print(f"{op}-result|{id}|" + ("found|SECRET" if found else "not-found"),
          flush=True)
"""
