"""`smtpctl spf` against a Zone, and tables of cases.

SPDX-License-Identifier: ISC
"""
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import base

SMTPCTL = base.BUILD / "smtpctl"
RESULTS = ("none", "neutral", "pass", "fail", "softfail", "temperror",
           "permerror")
STATUS = {"pass": 0, "temperror": 75}


class Answer:
    """What was printed: one line, its result the first word."""

    def __init__(self, out):
        self.status, self.line, self.stderr = \
            out.returncode, out.stdout, out.stderr
        text = out.stdout.decode("ascii")
        assert text.endswith("\n") and text.count("\n") == 1, (text, out)
        assert all(" " <= c <= "~" for c in text[:-1]), text
        self.result, _, rest = text[:-1].partition(" ")
        self.why, has, exp = rest.partition(" exp=")
        self.exp = exp if has else None
        assert self.result in RESULTS and self.why, text
        assert self.status == STATUS.get(self.result, 1), (text, self.status)

    def __repr__(self):
        return self.line.decode().strip()


def spf(resolver, client, helo, sender, conf=None, timeout=60):
    """resolver: "ADDRESS:PORT"; None: that of conf, or of the system."""
    env = {k: v for k, v in os.environ.items() if k != "SMTPCTL_RESOLVER"}
    if resolver is not None:
        env["SMTPCTL_RESOLVER"] = resolver
    argv = [SMTPCTL, "spf", *(["-c", conf] if conf else []), client,
            helo if isinstance(helo, bytes) else helo.encode("latin-1"),
            sender if isinstance(sender, bytes) else sender.encode("latin-1")]
    return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout)


def check(zone, client, helo, sender, **kw):
    return Answer(spf(zone.resolver, client, helo, sender, **kw))


def check_all(zone, cases):
    """Answers to (client, helo, sender), some of them at once."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda c: check(zone, *c), cases))


# ---- tables (the form is told at the top of e2e/spf_rfc7208.txt) ----

WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


def _unquote(text):
    return re.sub(r"\\(x[0-9a-f]{2}|.)", lambda m:
                  chr(int(m[1][1:], 16)) if len(m[1]) > 1 else m[1], text)


def words(line):
    """Those in quotes as they mean, one character a byte."""
    return [_unquote(q) if w == "" else w for q, w in WORD.findall(line)]


def _row(kind, values):
    if kind == "TXT":
        return ("TXT", [v.encode("latin-1") for v in values])
    if kind == "MX":
        return ("MX", (int(values[0]), values[1]))
    return (kind, *values)


class Case:
    def __init__(self, name, client, helo, sender, results, *exp):
        self.name, self.asks = name, (client, helo, sender)
        self.results = results.split("|")
        self.exp = (None if exp[1] == "-" else exp[1]) if exp else Ellipsis

    def judge(self, got):
        """What is wrong with an answer, or nothing."""
        if got.result not in self.results or \
                self.exp not in (Ellipsis, got.exp):
            return [(self.name, self.results, self.exp, got)]
        return []


def table(path):
    """(title, names, cases) of each section."""
    found = []
    for line in Path(path).read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("== "):
            found.append((line[3:], {}, []))
            continue
        title, names, cases = found[-1]
        first, *rest = words(line)
        if first == "?":
            cases.append(Case(*rest))
            continue
        rows = names.setdefault(first.rstrip(".").lower(), [])
        if rest[0] != "EMPTY":
            rows.append(_row(rest[0], rest[1:]))
    return found
