"""`smtpctl dmarc` against a Zone, and tables of cases.

SPDX-License-Identifier: ISC
"""
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from . import base

SMTPCTL = base.BUILD / "smtpctl"
RESULTS = ("pass", "fail", "none", "temperror", "permerror")
STATUS = {"pass": 0, "temperror": 75}


class Answer:
    """What was printed: a result, words NAME=VALUE, and maybe (why)."""

    def __init__(self, out):
        self.status, self.stderr = out.returncode, out.stderr
        self.line = out.stdout.decode("ascii")
        assert self.line.count("\n") == 1, (out.stdout, out.stderr)
        words, has, why = self.line.strip().partition(" (")
        self.why = why[:-1] if has else ""
        self.result, *pairs = words.split(" ")
        for name, value in (p.split("=") for p in pairs):
            setattr(self, name, value)
        assert self.result in RESULTS, self.line
        assert self.status == STATUS.get(self.result, 1), (
            self.line, self.status)

    def __repr__(self):
        return self.line.strip()

    @property
    def short(self):
        """result, disposition, policy_domain in one text."""
        return " ".join(w for w in (self.result, self.disposition,
                                    self.policy_domain) if w)


def run(resolver, *args, message=None, timeout=60):
    env = {k: v for k, v in os.environ.items() if k != "SMTPCTL_RESOLVER"}
    if resolver is not None:
        env["SMTPCTL_RESOLVER"] = resolver
    return subprocess.run([SMTPCTL, "dmarc", *args], env=env, input=message,
                          stdin=subprocess.DEVNULL if message is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout)


def check(zone, *args, **kw):
    return Answer(run(zone.resolver, *args, **kw))


def check_all(zone, cases):
    """Answers to lists of arguments, some of them at once."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda c: check(zone, *c), cases))


def names_of(records, exist=()):
    """A Zone's names: records is {domain: text or texts}; the domains that
    have one exist, so do those in exist, and all above them."""
    names = {}
    for domain, texts in records.items():
        if texts in (("TIMEOUT",), ("SILENT",)):
            names["_dmarc." + domain] = [texts]
            continue
        texts = [texts] if isinstance(texts, str) else texts
        names["_dmarc." + domain] = [("TXT", t.encode("latin-1"))
                                     for t in texts]
    for name in [*names, *exist]:
        labels = name.split(".")
        for i in range(len(labels)):
            names.setdefault(".".join(labels[i:]), [])
    return names
