"""Configurations that people published, where POSTERN_SMTPDCONF names a folder
of them.  LABELS.tsv in it says what OpenSMTPD made of each.  The project keeps
none of them.

Each file, table, certificate and interface that one names gets a stand-in.
What OpenSMTPD accepts is good here, but for what is not yet in this version,
and prints as something that prints the same; the grammar before 6.4 is named,
with the new form of a rule; what is broken is refused at the right line.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from lib import base

FOLDER = Path(os.environ.get("POSTERN_SMTPDCONF", "/nonexistent"))
NOT_YET = " is not yet in this version"

# Tables, by the words before `<name>`: what a line of one looks like.
LINES = [
    (r"alias|virtual", "postmaster: root"),
    (r"userbase", "ann 1000:1000:/home/ann"),
    (r"relay\b.*\bauth", "label user:secret"),
    (r"auth(?:-optional)?", "ann secret"),
    (r"senders", "ann ann@example.org"),
    (r"helo-src|hostnames", "192.0.2.1 mx.example.org"),
    (r"relay\b.*\bsrc", "192.0.2.1"),
    (r"src(?: regex)?", "192.0.2.1"),
    (r"relay\b.*\bdomain", "example.org smtp://mail.example.org"),
    (r"domain(?: regex)?|rdns(?: regex)?|helo(?: regex)?", "example.org"),
    (r"mail-from(?: regex)?|rcpt-to(?: regex)?", "ann@example.org"),
]
PASSWD = "ann:$2y$05$abc:1000:1000:Ann:/home/ann:/bin/sh\n"

# Refused by both, and why our line is another than that of OpenSMTPD, which
# often says only that the whole has no rules.
OTHER_LINE = {"059": "the blank behind the backslash is on the line before"}


def labels():
    rows = (FOLDER / "LABELS.tsv").read_text().splitlines()[1:]
    return [r.split("\t") for r in rows]


def statements(text):
    """Lines with what continues them."""
    return re.sub(r"\\\n", " ", text).splitlines()


def line_for(name, text):
    """What a line of the table looks like, by its first use."""
    for statement in statements(text):
        for words, line in LINES:
            if re.search(rf'\b(?:{words})\s*!?\s*<\s*"?{re.escape(name)}"?\s*>',
                         statement):
                return line
    return "example.org"


class StandIns:
    """A file with its paths and interfaces made to be there."""

    def __init__(self, text, directory, pem):
        self.text, self.dir, self.n = text, directory, 0
        for statement in statements(text):
            if re.match(r"\s*table\b", statement):
                self.table(statement)
            if re.match(r"\s*(pki|ca)\b", statement):
                for path in re.findall(r'\b(?:cert|key)\s+"?(/[^\s"]*)',
                                       statement):
                    self.path(path, pem)
        for where in re.findall(r"(?m)^\s*listen\s+on\s+(\S+)", text):
            self.interface(where)

    def path(self, path, content, mode=0o600):
        self.n += 1
        file = self.dir / f"file{self.n}"
        file.write_text(content)
        file.chmod(mode)
        self.text = re.sub(rf'(?<![\w./-]){re.escape(path)}(?![\w./-])',
                           str(file), self.text)
        return file

    def table(self, statement):
        found = re.match(r'\s*table\s+"?([^\s"{]+)"?\s*(?:"?([a-z-]+):)?'
                         r'"?(/[^\s"{}]*)', statement)
        if not found:
            return
        name, kind, path = found.groups()
        line = line_for(name, self.text) + "\n"
        file = self.path(path, PASSWD if kind == "passwd" else line)
        if kind == "db":
            flat = file.with_suffix(".flat")
            flat.write_text(line)
            of = "aliases" if ": " in line else "map" if " " in line else "set"
            out = base.run([base.BUILD / "smtpctl", "makemap", "-t", of, "-o",
                            file, flat])
            assert out.returncode == 0, out.stderr

    def interface(self, where):
        """The name of one becomes an address that nobody else has."""
        name = where.strip('"')
        if name.startswith("$"):
            found = re.search(rf'(?m)^{name[1:]}\s*=\s*"?([^\s"]+)', self.text)
            if not found:
                return
            name = found[1]
        if name in ("all", "localhost", "socket", "lo", "lo0", "*") or \
                not re.fullmatch(r"[a-z][\w.-]*", name):
            return
        self.n += 1
        self.text = re.sub(rf'(?<![\w.$-]){re.escape(name)}(?=["\s])(?=.*)',
                           lambda m: m[0] if "." in name and not
                           re.search(rf'listen\s+on\s+"?$', m.string[:m.start()])
                           else f"127.9.0.{self.n}", self.text)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the programs, with some that answer for tables beside."""
    where = tmp_path_factory.mktemp("tree")
    shutil.copy(base.BUILD / "smtpd", where / "smtpd")
    (where / "libexec").mkdir()
    for program in (base.BUILD / "libexec").iterdir():
        shutil.copy(program, where / "libexec")
    for kind in ("postgres", "sqlite", "redis", "mysql", "ldap", "socketmap"):
        program = where / "libexec" / f"table-{kind}"
        program.write_text("#!/bin/sh\nexec cat\n")
        program.chmod(0o755)
    return where


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A certificate and its key in one text."""
    file = tmp_path_factory.mktemp("pem") / "pem"
    out = base.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-keyout", file, "-out", f"{file}.crt", "-days", "90",
                    "-subj", "/CN=mx.example.org"])
    assert out.returncode == 0, out.stderr
    return file.read_text() + Path(f"{file}.crt").read_text()


def smtpd(tree, directory, name):
    out = subprocess.run([tree / "smtpd", "-nv", "-R", directory / "root",
                          "-f", name], cwd=directory, timeout=60,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    said = out.stderr.decode(errors="replace").splitlines()
    assert (out.returncode, said[-1] if said else "") in \
        ((0, "configuration OK"), (1, said[-1] if said else "")), said
    return out.stdout.decode(), [s for s in said if s != "configuration OK"]


# ---- the same meaning, read by other eyes ----

PORTS = {"smtp": "25", "submission": "587", "submissions": "465",
         "smtps": "465"}
WORD = re.compile(r"""\s+|#.*|,|[{}<>]|=>?|(!\s*\w[\w-]*)|"((?:[^"\\]|\\.)*)"|"""
                  r"""'((?:[^'\\]|\\.)*)'|([^\s"'{}<>!=#,][^\s{}<>!=#,]*)""")


def words_of(statement, macros):
    """Its words without what holds them together."""
    found = []
    for m in WORD.finditer(statement):
        no, double, single, bare = m.groups()
        if no:
            found.append(re.sub(r"\s", "", no))
        elif bare and bare.startswith("$"):
            found += words_of(macros[bare[1:]], macros)
        elif bare or double is not None or single is not None:
            text = bare or re.sub(r"\\([\"' \t])", r"\1",
                                  double if double is not None else single)
            found.append(text)
    return found


def plain(kind, words):
    """Words as they are said in full: ports, tables, URLs."""
    out = []
    for before, word in zip([""] + words, words):
        if before == "port":
            word = PORTS.get(word, word)
        if kind == "table" and word.startswith("/"):
            word = "file:" + word
        if before == "host" and kind == "action" and "://" not in word:
            word = "smtp://" + word
        if "://" in word and kind == "action":
            word = word.rstrip("/")
            if not re.search(r":\d+$", word):
                word += ":465" if word.startswith("smtps") else ":25"
        if before in ("pki", "ca"):
            word = word.lower()
        out.append(word)
    return Counter(out)


def by_kind(text):
    """Statements of each kind in their order, as counted words."""
    # A newline in braces or quotes is none, nor is one behind a backslash.
    text = re.sub(r"(?m)^\s*#(?:.*\\\n)*.*$", "", text)
    text = re.sub(r"\\\n", "", text)
    text = re.sub(r"\{[^}]*\}", lambda m: m[0].replace("\n", " "), text)
    macros, found = {}, {}
    for statement in text.splitlines():
        macro = re.match(r"\s*(\w+)\s*=\s*(.*)", statement)
        if macro:
            value = words_of(macro[2], {})
            macros[macro[1]] = value[0] if value else ""
            continue
        words = words_of(statement, macros)
        if words and words[0] not in ("pki", "ca", "queue", "smtp", "bounce"):
            found.setdefault(words[0], []).append(plain(words[0], words))
    return found


# What the print says and a file need not.
SAID = {"listen": {"port", "25", "465"},
        "match": {"from", "for", "local"}}
OF_PRINT = {"hostname", "resolver", "retry", "limit", "greylist", "log",
            "history"}


def same_meaning(text, printed):
    theirs, ours = by_kind(text), by_kind(printed)
    assert set(theirs) == set(ours) - OF_PRINT
    for kind, statements_ in theirs.items():
        assert len(statements_) == len(ours[kind]), kind
        for want, got in zip(statements_, ours[kind]):
            assert not want - got, (want, got)
            assert set(got - want) <= SAID.get(kind, set()), (want, got)


# What stands in for a file of secrets has other labels.
NO_LABEL = re.compile(r"warning: found the label .* which the table of `auth` "
                      "does not have")


def lines_of(said, name):
    return {int(n) for s in said for n in re.findall(rf"^{name}:(\d+): ", s)}


def check(number, grammar, verdict, message, tree, directory, pem):
    text = (FOLDER / f"{number}.conf").read_text(errors="surrogateescape")
    shown = StandIns(text, directory, pem).text
    (directory / "real.conf").write_text(shown, errors="surrogateescape")
    printed, said = smtpd(tree, directory, "real.conf")
    wrong = [s for s in said if not s.endswith(NOT_YET) and
             not NO_LABEL.search(s)]
    if grammar == "old":
        assert "before OpenSMTPD 6.4" in said[0], said
        assert any(re.search(r":     (match|action) ", s) for s in said), said
        return
    if verdict == "accepts":
        assert not wrong, wrong
        (directory / "print.conf").write_text(printed)
        again, _ = smtpd(tree, directory, "print.conf")
        assert again == printed
        same_meaning(shown, printed)
        return
    assert wrong, "what OpenSMTPD refuses is good here"
    theirs = {int(n) for n in re.findall(r"(?:^|\| )(\d+): ", message)}
    ours = lines_of(wrong, "real.conf")
    assert not theirs or ours & theirs or number in OTHER_LINE, (ours, theirs,
                                                                wrong)


if FOLDER.is_dir():
    @pytest.mark.parametrize("number,grammar,old,verdict,message", [
        pytest.param(*r, *[""] * (5 - len(r)), id=r[0]) for r in labels()])
    def test_real(number, grammar, old, verdict, message, tree, tmp_path, pem):
        check(number, grammar, verdict, message, tree, tmp_path, pem)
