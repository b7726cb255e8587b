"""Certificates and keys for tests, made by openssl(1).

SPDX-License-Identifier: ISC
"""
import re
import subprocess

from . import base

KINDS = {
    "rsa": ["rsa:2048"],
    "rsa1024": ["rsa:1024"],
    "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ed": ["ed25519"],
}
# Nothing is added by itself.
CONF = "[req]\ndistinguished_name=none\n[none]\n"


def openssl(*args):
    out = base.run(["openssl", *args])
    assert out.returncode == 0, out.stderr
    return out.stdout


class Cert:
    """A certificate and its key, each a file in PEM."""

    def __init__(self, directory, name, kind="ec", alt=None, by=None, days=30,
                 ca=False, early=False):
        """alt: "DNS:a,email:b"; by: who signs it, None: itself; days below 1:
        it has ended; ca: it may sign others, as may one that signs itself;
        early: it has not begun."""
        directory.mkdir(exist_ok=True)
        stem = f"{name.replace('*', 'any')}-{kind}"
        self.name, self.kind = name, kind
        self.key, self.cert = (directory / f"{stem}.{x}"
                               for x in ("key", "crt"))
        conf = directory / f"{stem}.conf"
        conf.write_text(CONF)
        make = ["req", "-config", conf, "-newkey", *KINDS[kind], "-nodes",
                "-keyout", self.key, "-subj", f"/CN={name}"]
        extra = ([f"subjectAltName={alt}"] if alt else []) + \
            (["basicConstraints=CA:TRUE"] if ca or not by else [])
        if early:
            self._dated(directory, make, extra, by, "2045", "2046")
        elif days < 1:
            self._dated(directory, make, extra, by, "2020", "2021")
        else:
            signed = ["-CA", by.cert, "-CAkey", by.key] if by else []
            openssl(*make, "-x509", *signed, "-days", str(days), "-out",
                    self.cert, *(w for e in extra for w in ("-addext", e)))
        self.key.chmod(0o600)

    def _dated(self, directory, make, extra, by, begin, end):
        """`openssl req` signs nothing that has ended; `ca` does."""
        work = directory / f"{self.name}-ca"
        work.mkdir()
        request, extensions = work / "request", work / "extensions"
        openssl(*make, "-new", "-out", request)
        extensions.write_text("".join(f"{e}\n" for e in extra))
        (work / "index").write_text("")
        conf = work / "conf"
        conf.write_text(
            f"[ca]\ndefault_ca=c\n[c]\ndatabase={work}/index\n"
            f"new_certs_dir={work}\nrand_serial=yes\npolicy=p\n"
            "default_md=sha256\n[p]\ncommonName=supplied\n")
        openssl("ca", "-batch", "-notext", "-config", conf, "-in", request,
                "-cert", by.cert, "-keyfile", by.key, "-extfile", extensions,
                "-startdate", f"{begin}0101000000Z", "-enddate",
                f"{end}0101000000Z", "-out", self.cert)

    def chain(self, *others):
        """A file with this certificate and those behind it."""
        path = self.cert.with_suffix(".chain")
        path.write_text("".join(c.cert.read_text() for c in (self, *others)))
        return path

    def conf(self, name=None):
        name = name or self.name
        return [f'pki "{name}" cert "{self.cert}"',
                f'pki "{name}" key "{self.key}"']

    def secrets(self):
        """What nobody but keys may have in memory: a name, and the bytes."""
        if not hasattr(self, "_secrets"):
            self._secrets = list(self._find_secrets())
        return self._secrets

    def _find_secrets(self):
        text = openssl("pkey", "-in", self.key, "-noout", "-text")
        wanted = {"rsa": ("privateExponent", "prime1", "prime2", "exponent1",
                          "exponent2", "coefficient")}.get(
                              self.kind, ("priv",))
        for what, digits in re.findall(
                r"^(\w+):\n((?:    [0-9a-f:]+\n)+)", text, re.M):
            if what in wanted:
                number = bytes.fromhex(re.sub(r"[^0-9a-f]", "", digits))
                number = number.lstrip(b"\0")
                yield what, number
                yield what + " turned", number[::-1]
        pem = self.key.read_text().splitlines()
        yield "PEM", pem[1].encode() if len(pem) < 4 else pem[2].encode()
        der = subprocess.run(
            ["openssl", "pkey", "-in", self.key, "-outform", "DER"],
            stdout=subprocess.PIPE, check=True).stdout
        yield "DER", der[-64:] if self.kind == "rsa" else der[:48]


def memory(pid):
    """All that a process can write to, and did, piece by piece."""
    smaps = open(f"/proc/{pid}/smaps").read()
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for where, mode, about in re.findall(
                r"(?m)^([0-9a-f]+-[0-9a-f]+) (\S+) .*\n((?:[A-Z].*\n)*)",
                smaps):
            low, high = (int(x, 16) for x in where.split("-"))
            if not re.search(r"(?m)^(?:Rss|Swap): +[1-9]", about):
                continue  # never touched
            if not mode.startswith("rw") or high - low > 256 << 20:
                continue
            try:
                mem.seek(low)
                yield mem.read(high - low)
            except OSError:
                continue
