"""musts.txt: what the RFCs want, and what shows that it is so.

SPDX-License-Identifier: ISC
"""
import re
from collections import Counter
from functools import lru_cache

import pytest

from lib import base
from test_house import macro_rows, unquote

REGRESS = base.ROOT / "regress"
MUSTS = REGRESS / "house/musts.txt"
KINDS = {"MUST", "MUST NOT", "REQUIRED", "SHALL", "SHALL NOT", "SHOULD",
         "must"}
# Whose requirements are in the table, at least.
RFCS = """5321 5322 1870 2033 2034 2920 3030 3207 3461 3464 6522 3848 6531 6532 6533
4954 5802 7677 5929 9266 6152 6409 7628 7515 7519 8314 9422 2195 5782 PROXY
XCLIENT 7208 6376 8301 8463 8616 8601 8617 9989 9990""".split()
NAMES = re.compile(r"\b[\w-]+\.(?:talk|case)\b|\btest_\w+\.py::test_\w+")


def rows():
    """(line, RFC, section, what, kind, what shows it)"""
    found = []
    for number, line in enumerate(MUSTS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        where, what, shown = line.split(" | ")
        rfc, section = where.split()
        what, kind = re.fullmatch(r"(.*\S) \(([\w ]+)\)", what).groups()
        found.append((number, rfc, section, what, kind, shown))
    return found


@lru_cache(None)
def text(path):
    return path.read_text(errors="replace")


def is_there(name):
    """A test of this name exists."""
    if name.startswith("unit "):
        unit, _, row = name[len("unit "):].partition(":")
        path = REGRESS / f"unit/{unit}.c"
        # A word in quotes that begins with it: a case's name, or its input.
        return row and path.exists() and '"' + row in text(path)
    if name.endswith((".talk", ".case")):
        kind = name.rpartition(".")[2]
        return (REGRESS / {"talk": "talk", "case": "conf"}[kind] /
                name).exists()
    path, _, test = name.partition("::")
    test, _, ident = test.partition("[")
    files = list(REGRESS.glob(f"*/{path}"))
    return len(files) == 1 and \
        re.search(rf"(?m)^def {re.escape(test)}\(", text(files[0])) and \
        ident.rstrip("]") in text(files[0])


def test_form():
    """Each line says how strong it is, and has a test or a reason."""
    for number, rfc, section, what, kind, shown in rows():
        assert kind in KINDS, (number, kind)
        assert rfc in RFCS, (number, rfc)
        assert re.fullmatch(r"[A-Z\d]+(\.\d+)*", section), (number, section)
        assert shown.startswith("not: ") and len(shown) > 20 or \
            all(re.match(r"unit \w+:.|[\w-]+\.(talk|case)$|"
                         r"test_\w+\.py::test_\w+(\[.+\])?$", name)
                for name in shown.split(" + ")), number


def test_all_are_there():
    assert {r[1] for r in rows()} == set(RFCS)
    assert len(rows()) > 300


def test_no_line_twice():
    for number, rfc, section, _, _, shown in rows():
        names = shown.split(" + ")
        assert len(set(names)) == len(names), number
    count = Counter(r[1:4] for r in rows())
    assert not [r for r, n in count.items() if n > 1]


@pytest.mark.parametrize("rfc", RFCS)
def test_tests_are_there(rfc):
    """What is named exists, in a reason too."""
    missing = []
    for number, of, _, _, _, shown in rows():
        if of != rfc:
            continue
        names = NAMES.findall(shown) if shown.startswith("not: ") else \
            shown.split(" + ")
        missing += [(number, name) for name in names if not is_there(name)]
    assert not missing, missing


def test_enhanced_codes():
    """RFC 2034 4: with each reply but the greeting, those to EHLO, and 3yz;
    its class is that of the reply."""
    for name, code, enhanced, _ in macro_rows("smtpd/reply_table.h",
                                              "REPLY_TABLE"):
        enhanced = unquote(enhanced)
        if name in ("GREETING", "GREETING_LMTP", "HELO") or code[0] == "3":
            assert enhanced == "", name
        else:
            assert re.fullmatch(rf"{code[0]}\.\d{{1,3}}\.\d{{1,3}}",
                                enhanced), name
