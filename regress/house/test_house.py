"""The house itself: what its tables, manuals, cards and folders say must agree.

SPDX-License-Identifier: ISC
"""
import re
import shutil
import subprocess

import pytest

from lib import base

ROOT = base.ROOT
ROOMS = ("smtpd", "queue", "deliver")
TOP = {"smtpd", "queue", "deliver", "common", "etc", "man", "regress",
       "Makefile", "README", "LICENSE"}
DOTS = {".ci", ".clang-format", ".gitignore"}


def text(path):
    return (ROOT / path).read_text()


def sources(*globs):
    return sorted(p for g in globs for p in ROOT.glob(g))


def macro_rows(path, name, more=""):
    """Arguments of each X(...) of a table, split at top-level commas."""
    body = re.search(rf"#define {name}\(X{more}\)((?:.*\\\n)*.*\n)", text(path))[1]
    rows = []
    at = 0
    while True:
        m = re.compile(r"\bX\(").search(body, at)
        if not m:
            return rows
        depth, i, args, cur, quoted = 1, m.end(), [], "", False
        while depth:
            c = body[i]
            if c == '"' and body[i - 1] != "\\":
                quoted = not quoted
            if not quoted and c == "(":
                depth += 1
            if not quoted and c == ")":
                depth -= 1
                if not depth:
                    break
            if not quoted and c == "," and depth == 1:
                args.append(cur)
                cur = ""
            else:
                cur += c
            i += 1
        args.append(cur)
        rows.append([re.sub(r"\s*\\\n\s*", " ", a).strip() for a in args])
        at = i


def unquote(arg):
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', arg))


def tracked():
    """Files of the project: what git has, or would take."""
    git = shutil.which("git")
    out = git and subprocess.run(
        [git, "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if out and out.returncode == 0 and out.stdout:
        return out.stdout.split("\n")[:-1]
    return [str(p.relative_to(ROOT)) for p in ROOT.rglob("*")
            if p.is_file() and not re.match(r"\.git/|build|run/",
                                            str(p.relative_to(ROOT)))]


def test_top_level():
    tops = {f.partition("/")[0] for f in tracked()}
    assert tops == TOP | DOTS, tops ^ (TOP | DOTS)


# ---- processes ----

def processes():
    rows = macro_rows("common/proc_table.h", "PROC_TABLE")
    return {unquote(r[1]): dict(user=unquote(r[2]), root=r[3], count=r[4],
                                net=r[5]) for r in rows}


# Programs that a process starts for one piece of work.
HELPERS = {"pam": dict(user="root", root="ROOT_SLASH"),
           "local": dict(user="recipient", root="ROOT_SLASH")}


def mains():
    found = {p.name[:-len("_main.c")]: p for p in sources("*/*_main.c")}
    found["smtpd"] = ROOT / "smtpd/smtpd.c"
    for p in sources("*/priv_*.c"):  # with root's rights
        if re.search(r"^main\(", p.read_text(), re.M):
            found[p.name[len("priv_"):-len(".c")]] = p
    return found


def test_each_process_has_its_main():
    assert set(processes()) | set(HELPERS) == set(mains())


@pytest.mark.parametrize("name", sorted(mains()))
def test_card(name):
    """Who it runs as and where, in the opening comment as in the table."""
    row = (processes() | HELPERS)[name]
    card = re.match(r"/\*.*?\*/", mains()[name].read_text(), re.S)[0]
    card = re.sub(r"\s*(\n \*/?|/\*)\s*", " ", card)
    words = re.split(r"(?i)\b(runs as|holds|asks|never)\b:?\s", card)
    fields = dict(zip([w.lower() for w in words[1::2]], words[2::2]))
    assert {"runs as", "holds", "asks", "never"} <= set(fields), fields
    who = fields["runs as"]
    assert re.search(rf"\b{row['user']}\b", who), who
    where = {"ROOT_SLASH": r"(?<![\w/])/(?![\w/])",
             "ROOT_EMPTY": r"\bempty\b", "ROOT_SPOOL": r"\bspool\b"}
    assert re.search(where[row["root"]], who), (row["root"], who)


def test_users_agree():
    """The table's users are those that sysusers and the tests know."""
    import sys
    sys.path.insert(0, str(ROOT / "regress/e2e"))
    from test_process import ROOTS, USERS
    table = {n: r["user"] for n, r in processes().items() if n != "smtpd"}
    assert table == USERS
    roots = {"ROOT_SLASH": "/", "ROOT_EMPTY": "empty", "ROOT_SPOOL": "spool"}
    assert {n: roots[r["root"]] for n, r in processes().items()
            if n != "smtpd"} == ROOTS
    made = set(re.findall(r"^u (\S+)", text("etc/postern.sysusers"), re.M))
    assert made == set(table.values()) - {"root"}


# ---- rooms ----

@pytest.mark.parametrize("room", ROOMS + ("common",))
def test_includes(room):
    """Rooms include their own headers and common's; common only its own."""
    allowed = {p.name for p in sources(f"{room}/*.h", "common/*.h")}
    for path in sources(f"{room}/*.[ch]"):
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(),
                               re.M):
            assert name in allowed, f"{path} includes {name}"


def test_names_are_unique():
    """A header's name is the same thing in every room."""
    seen = {}
    for path in sources(*(f"{r}/*.h" for r in ROOMS + ("common",))):
        assert path.name not in seen, (path, seen[path.name])
        seen[path.name] = path


@pytest.mark.parametrize("path", sources("*/*.[ch]", "regress/unit/*.[ch]"),
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_file(path):
    """Opens with what it is for, names its licence, is small, and keeps to
    what is allowed."""
    body = path.read_text()
    assert body.startswith("/*\n * "), "no opening comment"
    first = body[:body.index("*/")]
    assert "SPDX-License-Identifier: ISC" in first
    # Tables of cases may be long; what runs may not.
    assert body.count("\n") <= 700 or path.parent.name == "unit", f"{body.count(chr(10))} lines"
    code = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"', "", body,
                  flags=re.S)
    for name in ("strcpy", "strcat", "sprintf", "strtok", "alloca", "gets",
                 "vsprintf", "atoi", "system", "popen"):
        assert path.parent.name == "unit" or \
            not re.search(rf"\b{name}\s*\(", code), f"calls {name}"
    if path.parent.name != "unit":
        if path.stem not in ("jail", "net", "loop", "conf_net") and \
                path.suffix == ".c":
            bad = [l for l in re.findall(r"^#if.*", code, re.M)
                   if not re.match(r"#ifndef \w+(DIR|PATH)\b", l)]
            assert not bad, bad


def test_line_ends():
    r"""\r\n is spelled only where it is output; only smtp_line.c reads it."""
    for path in sources("smtpd/session*.c"):
        assert not re.search(r"'\\r'|memchr\([^)]*'\\n'", path.read_text()), \
            path


def test_header_order():
    """common/ includes only itself, and without circles."""
    graph = {p.name: re.findall(r'^#include "([^"]+)"', p.read_text(), re.M)
             for p in sources("common/*.h")}
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, open_ + [name]
        if name in done:
            return
        open_.append(name)
        for other in graph[name]:
            visit(other)
        done.add(open_.pop())
    for name in graph:
        visit(name)


def test_ipc_texts():
    """IPC_TEXT names every array of characters of every message."""
    body = text("common/ipc_table.h") + text("common/ipc_session.h") + \
        text("common/ipc_deliver.h") + text("common/ipc_local.h") + \
        text("common/ipc_control.h")
    code = re.sub(r"/\*.*?\*/", "", body, flags=re.S)

    def arrays(struct, code):
        found = re.search(rf"\bstruct {struct} {{(.*?)\n}};", code, re.S)
        return found[1] if found else ""
    everything = code + re.sub(r"/\*.*?\*/", "", text("common/facts.h") +
                               text("common/verdict.h"), flags=re.S)

    def texts(struct, prefix=""):
        for line in arrays(struct, everything).splitlines():
            m = re.match(r"\s*char (\w+)\[", line)
            if m:
                yield prefix + m[1]
            m = re.match(r"\s*struct (\w+) (\w+);", line)
            if m:
                yield from texts(m[1], prefix + m[2] + ".")
    have = {(r[1], r[2]) for r in macro_rows("common/ipc_table.h",
                                             "IPC_TEXT")}
    facts = re.search(r"define IPC_TEXT\(X\)((?:.*\\\n)*)", body)[1]
    for struct in re.findall(r"IPC_FACTS\(X, \w+, (\w+)\)", facts):
        have |= {(struct, r[2]) for r in macro_rows("common/ipc_table.h",
                                                    "IPC_FACTS", ", NAME, name")}
    for struct, of in re.findall(r"IPC_LOCAL_TO\(X, \w+, (\w+), (\w+)\)",
                                 facts):
        have |= {(struct, r[2].replace("of.", of + ".")) for r in
                 macro_rows("common/ipc_table.h", "IPC_LOCAL_TO",
                            ", NAME, name, of")}
    need = {(r[1], t) for r in macro_rows("common/ipc_table.h", "IPC_TABLE")
            for t in texts(r[1])}
    assert have == need, have ^ need


def test_ipc_handled():
    """Each message is sent by its sender's room and handled in its
    receiver's."""
    room = {"SESSION": "smtpd", "LOOKUP": "smtpd", "KEYS": "smtpd",
            "PARENT": "smtpd", "SPAWN": "smtpd", "GUARD": "smtpd",
            "QUEUE": "queue", "CONTROL": "queue",
            "DELIVER": "deliver", "ANY": "*"}
    rows = macro_rows("common/ipc_table.h", "IPC_TABLE")
    answers = {r[5] for r in rows}
    for name, struct, sender, receiver, _, _ in rows:
        def has(where, what):
            files = sources(*((f"{d}/*.c" for d in ROOMS + ("common",))
                              if where == "*" else
                              (f"{where}/*.c", "common/*.c")))
            return any(re.search(what, p.read_text()) for p in files)
        assert has(room[sender], rf"\b{name.lower()}_(send|ask|answer|reply)"
                   rf"\w*\(|IPC_{name}\b"), f"nobody sends {name}"
        if name in answers:  # comes to who asked, not to a table
            continue
        assert has(room[receiver], rf"IPC_{name}\b"), f"nobody takes {name}"


# ---- manuals ----

MANUALS = sources("man/*.[1-9]")


def manual(name):
    """The manual as plain text."""
    out = subprocess.run(["mandoc", "-T", "utf8", str(ROOT / "man" / name)],
                         text=True, stdout=subprocess.PIPE,
                         stdin=subprocess.DEVNULL, check=True)
    return re.sub(r".\x08", "", out.stdout)


def test_manuals_are_there():
    assert {"smtpd.8", "smtpd.conf.5", "smtpctl.8", "postern.7", "table.5",
            "smtpd-tables.7"} <= {
        p.name for p in MANUALS}


@pytest.mark.parametrize("path", MANUALS, ids=lambda p: p.name)
def test_mandoc_lint(path):
    out = subprocess.run(["mandoc", "-T", "lint", "-W", "warning",
                          str(path)], text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    assert out.returncode == 0, out.stdout


@pytest.mark.parametrize(
    "path", [p for p in MANUALS if p.suffix in (".5", ".8")],
    ids=lambda p: p.name)
def test_manuals_name_their_files(path):
    body = re.search(r"(?ms)^\.Sh FILES\n(.*?)^\.Sh", text(f"man/{path.name}"))
    assert body and body[1].strip(), path.name


def items(title):
    """Head and body of each item in a part of smtpd.conf(5): from the title of
    a section or subsection to the next.  Heads without a body of their own
    share that of the next.  An empty title: all of the page."""
    page = text("man/smtpd.conf.5")
    parts = re.split(r"(?m)^\.S[hs] (.*)\n", page)[1:]
    body = "\n".join(b for t, b in zip(parts[::2], parts[1::2])
                     if title in ("", t) and t != "NOT YET IN THIS VERSION")
    assert body, title
    found, heads = [], []
    for block in re.split(r"(?m)^\.It ", body)[1:]:
        block = re.sub(r"\\\n", " ", block)
        head, _, rest = block.partition("\n")
        if head.startswith("Xo"):
            head, _, rest = block.partition("\n.Xc\n")
        heads.append(re.sub(r"\s+", " ", re.sub(r"(?m)^\.", "", head)))
        rest = re.sub(r"(?m)^\.(El|Bl|Pp).*\n?", "", rest)
        if rest.strip():
            found += [(h, rest) for h in heads]
            heads = []
    return found + [(h, "") for h in heads]


# Where in smtpd.conf(5) words of a place stand: part of the page, what stands
# before them in the head of their item, what the list of those that are not
# yet in this version calls it.
MANUAL_PLACES = {
    "TOP": ("", "", "statements"),
    "LISTENER": ("LISTENERS", "", "listen on"),
    "LOCAL_SOCKET": ("LISTENERS", "", "listen on socket"),
    "METHOD": ("Methods", "", "action"),
    "LOCAL": ("Options of all methods but relay", "", "action"),
    "RELAY": ("Options of relay", "", "action ... relay"),
    "MDA": ("", "mda", "mda"),
    "MTA": ("QUEUE", "mta", "mta"),
    "SCHEDULER": ("QUEUE", "scheduler", "scheduler"),
    "QUEUE": ("QUEUE", "queue", "queue"),
    "SMTP": ("SMTP", "smtp", "smtp"),
    "SMTP_LIMIT": ("SMTP", "", None),
    "LIMIT": ("Limits", "limit", "limit"),
    "LIMIT_OUT": ("QUEUE", "", None),
    "HISTORY": ("QUEUE", "history", None),
    "LIMIT_CLIENT": ("Limits", "", None),
    "LIMIT_NETWORK": ("Limits", "", None),
    "DNSBL": ("Lists in the DNS", "dnsbl", None),
    "DNSWL": ("Lists in the DNS", "dnswl", None),
    "GREYLIST": ("Greylisting", "", None),
    "FILTER_IS": ("FILTERS", "filter", "filter"),
    "RESOLVER": ("SMTP", "resolver", None),
    "METRICS_ON": ("LOG", "metrics on", None),
}


def item_words(head):
    """The words of an item's head that are typed as they stand, in order."""
    plain = re.sub(r"\b(?:Ns|Op|Oo|Oc|Xo|Li|No|Pf)\b|[<>]|\\&", " ", head)
    plain = re.sub(r"\bAr [\w.-]+(?: \|| :|)(?: Ns)?", " ", plain)
    return re.sub(r"\b(?:Ic|Cm)\b|[|,:@/]", " ", plain).split()


def items_of(place, word):
    title, before, _ = MANUAL_PLACES[place]
    words = before.split() + [word]
    return [(h, b) for h, b in items(title)
            if item_words(h)[:len(words)] == words or
            (place in ("RESOLVER", "METRICS_ON", "DNSBL", "DNSWL") and
             item_words(h)[:len(before.split())] == before.split())]


def test_directives_in_the_manual():
    """Each word of the grammar stands in smtpd.conf(5)."""
    page = re.sub(r"\s+", " ", manual("smtpd.conf.5"))
    words = {(r[0], unquote(r[1])) for r in
             macro_rows("smtpd/conf_table.h", "CONF_WORDS") +
             macro_rows("smtpd/conf_table.h", "CONF_SETTINGS")
             if r[1] != "NULL"}
    missing = sorted(w for w in words
                     if not re.search(rf"(?<![\w-]){re.escape(w[1])}(?![\w-])",
                                      page))
    assert not missing, missing


def test_words_not_yet_in_the_manual():
    """Each word that is refused by name is marked as such where it stands in
    smtpd.conf(5), and listed at the end; no other is."""
    rows = [(r[0], unquote(r[1])) for r in
            macro_rows("smtpd/conf_table.h", "CONF_NOT_YET")]
    for place, word in rows:
        found = items_of(place, word)
        assert found, f"{place} {word} has no item"
        for head, body in found:
            assert "(Not yet.)" in body, f"{place} {head} is not marked"
    page = text("man/smtpd.conf.5")
    part = re.search(r"\.Sh NOT YET IN THIS VERSION\n(.*?)\n\.Sh", page,
                     re.S)[1]
    listed = {}
    for block in re.split(r"(?m)^\.It Ic ", part)[1:]:
        name, _, rest = block.partition("\n")
        rest = re.sub(r"(?m)^(\.(Ic|Cm) |\.El$|an?$)|,", " ", rest)
        listed.setdefault(name, set()).update(rest.split())
    wanted = {}
    for place, word in rows:
        wanted.setdefault(MANUAL_PLACES[place][2], set()).add(word)
    assert listed == wanted
    words = {w for _, w in rows} | {"host", "rdns"}
    for head, body in items(""):
        if "(Not yet.)" in body and not head.startswith("Ar label"):
            assert set(item_words(head)) & words, head


def number(arg):
    """A number of a table: sizes and times have names."""
    names = dict(KIB=1024, MIB=1 << 20, MINUTE=60, HOUR=3600, DAY=86400,
                 UINT32_MAX=2 ** 32 - 1)
    names["RCPT_MAX"] = int(re.search(r"#define RCPT_MAX\s+(?:\\\n\s*)?(\d+)",
                                      text("common/bounds.h"))[1])
    assert re.fullmatch(r"[\w *]+", arg), arg
    return eval(arg, {"__builtins__": {}}, names)


def as_written(value, reader):
    """A number as people write it: 4d, 35M, 1000."""
    units = {"time": (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)),
             "size": (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10))}
    for letter, factor in units.get(reader, ()):
        if value % factor == 0:
            return f"{value // factor}{letter}"
    return str(value)


@pytest.mark.parametrize("row", macro_rows("smtpd/conf_table.h",
                                           "CONF_SETTINGS"),
                         ids=lambda r: f"{r[0]}-{unquote(r[1])}".lower())
def test_settings_in_the_manual(row):
    """Least, most and default of a setting stand in its item, units and all."""
    place, word, reader = row[0], unquote(row[1]), row[2]
    found = items_of(place, word)
    assert found, f"{place} {word} has no item"
    values = [number(r) for r in row[4:7]]
    wanted = {as_written(v, reader) for v in values if v != 0}
    if reader == "port" and place != "LISTENER" or values[1] == 2 ** 32 - 1:
        wanted -= {as_written(v, reader) for v in values[:2]}
    bodies = [re.sub(r"\s+", " ", b) for _, b in found]
    assert any(all(re.search(rf"(?<![\w.-]){v}(?![\w-])", b) for v in wanted)
               for b in bodies), (word, wanted, bodies)


def test_words_of_the_grammar():
    """A word stands once in its place; what is refused by name, and what a
    mend is for, is a place and word of the grammar, or is not."""
    rows = (macro_rows("smtpd/conf_table.h", "CONF_WORDS") +
            macro_rows("smtpd/conf_table.h", "CONF_SETTINGS"))
    have = {(r[0], r[1]) for r in rows}
    assert len(have) == len(rows)
    places = {r[0] for r in macro_rows("smtpd/conf_table.h", "CONF_PLACES")}
    assert {place for place, _ in have} <= places
    not_yet = {(r[0], r[1]) for r in macro_rows("smtpd/conf_table.h",
                                                "CONF_NOT_YET")}
    assert not_yet <= have
    mends = {(r[0], r[1]) for r in macro_rows("smtpd/conf_mends.h",
                                              "CONF_MENDS")}
    assert {place for place, _ in mends} <= places
    assert not mends & have


def test_smtpctl_verbs_in_the_manual():
    page = manual("smtpctl.8")
    for row in macro_rows("queue/smtpctl_table.h", "SMTPCTL_TABLE"):
        words = unquote(row[0])
        assert re.search(rf"(?m)^ +{re.escape(words)}\b", page), words


def test_options_in_the_manual():
    for name, path in (("smtpd.8", "smtpd/smtpd.c"),):
        page = manual(name)
        letters = re.search(r'getopt\([^"]*"([^"]+)"', text(path))[1]
        for letter in letters.replace(":", "").replace("+", ""):
            assert re.search(rf"(?m)^ +-{letter}\b", page), letter


def events():
    found = {}
    for path in sources(*(f"{r}/*.c" for r in ROOMS + ("common",))):
        for name in re.findall(
                r'\blog_(?:event|warn)\(\s*(?:[^,"]+,\s*)?"([^"]+)"',
                path.read_text()):
            found.setdefault(name, path.name)
    return found


def test_events():
    """Log events have plain names, and each stands in a manual."""
    pages = "\n".join(manual(p.name) for p in MANUALS)
    missing = []
    for name, where in sorted(events().items()):
        assert re.fullmatch(r"[a-z][a-z0-9-]*", name), (name, where)
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", pages):
            missing.append((name, where))
    assert events() and not missing, missing


def test_log_words_are_quoted():
    """What has blanks in it is one value of a line of the log."""
    bare = []
    for path in sources("smtpd/*.c", "queue/*.c", "deliver/*.c",
                        "common/*.c"):
        for call in re.findall(r"\blog_(?:warn|event)\([^;]*?;",
                               path.read_text()):
            if re.search(r"(?<!q\()\b(?:mdb_)?strerror\(", call):
                bare.append(f"{path}: {call}")
    assert not bare, bare


def test_clang_format():
    files = [str(p) for p in sources("*/*.[ch]", "regress/*/*.[ch]")]
    out = subprocess.run(["clang-format", "--dry-run", "-Werror", *files],
                         text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, cwd=ROOT,
                         stdin=subprocess.DEVNULL)
    bad = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", out.stdout, re.M)))
    assert out.returncode == 0, bad


def test_columns():
    """80 columns but for strings."""
    bad = []
    for path in sources("*/*.[ch]", "regress/unit/*.[ch]"):
        plain = re.sub(r"/\* clang-format off \*/.*?/\* clang-format on \*/",
                       lambda m: re.sub(r"[^\n]+", "", m[0]),
                       path.read_text(), flags=re.S)
        for number, line in enumerate(plain.splitlines(), 1):
            if len(line.expandtabs(8)) > 80 and '"' not in line and \
                    not re.match(r"\s*X\(|#define", line):
                bad.append(f"{path.relative_to(ROOT)}:{number}")
    assert not bad, bad


def test_packages_once():
    """Package names stand in the Makefile's lists and nowhere else."""
    names = set(re.findall(r"[\w+.-]*-dev\b", text("Makefile")))
    for path in (".ci/run", "README"):
        if (ROOT / path).exists():
            assert not names & set(re.findall(r"[\w+.-]+", text(path))), path


def test_hardening():
    """PIE, RELRO, BIND_NOW, a stack protector, no executable stack."""
    for path in [base.BUILD / "smtpd", base.BUILD / "smtpctl",
                 base.BUILD / "sendmail",
                 *sorted((base.BUILD / "libexec").iterdir())]:
        out = subprocess.run(["readelf", "-hldW", str(path)], text=True,
                             stdout=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, check=True).stdout
        assert "Type:                              DYN" in out, path
        assert "GNU_RELRO" in out, path
        assert re.search(r"\bNOW\b|BIND_NOW", out), path
        assert re.search(r"GNU_STACK.*\bRW\b", out), path
        assert not re.search(r"GNU_STACK.*RWE", out), path
        symbols = subprocess.run(["nm", "-D", str(path)], text=True,
                                 stdout=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL, check=True).stdout
        assert "__stack_chk_fail" in symbols or base.SANITIZED, path


# What a process cannot do is not in its binary.
LINKED = {"lmdb": {"lookup", "queue", "smtpctl"},
          "ldns": {"deliver", "guard", "smtpctl"},
          "ssl": {"deliver", "session"}, "pam": {"pam"}, "z": {"smtpctl"},
          "crypto": {"deliver", "keys", "lookup", "session", "smtpctl"}}


@pytest.mark.parametrize("lib", LINKED)
def test_link_lines(lib):
    users = set()
    for path in [base.BUILD / "smtpd", base.BUILD / "smtpctl",
                 base.BUILD / "sendmail",
                 *sorted((base.BUILD / "libexec").iterdir())]:
        out = subprocess.run(["readelf", "-dW", str(path)], text=True,
                             stdout=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, check=True).stdout
        if re.search(rf"NEEDED.*\blib{lib}\.so", out):
            users.add(path.name)
    assert users == LINKED[lib]


# ---- the tests ----

# Replies that no client can bring about, and why.
UNREACHED = {"NO_MEMORY": "needs malloc to fail",
             "LOCAL_ERROR": "needs a process to break a rule"}


def test_replies_are_covered():
    """Each reply of the table is met by a dialogue or a test that names it."""
    names = {r[0] for r in macro_rows("smtpd/reply_table.h", "REPLY_TABLE")}
    covered = set()
    for path in sources("regress/talk/*.talk"):
        for line in re.findall(r"^covers: (.*)", path.read_text(), re.M):
            covered |= set(line.split())
    for path in sources("regress/e2e/*.py"):
        for line in re.findall(r"^COVERS = \[(.*?)\]", path.read_text(),
                               re.M | re.S):
            covered |= set(re.findall(r'"(\w+)"', line))
    assert names - covered - set(UNREACHED) == set()
    assert covered <= names, covered - names


def test_each_parser_has_a_unit_test():
    """Each room's parsers have their table of good, bad and cut-short."""
    units = {p.stem for p in sources("regress/unit/*.c")}
    for need in ("common_", "smtpd_", "queue_", "deliver_"):
        assert [u for u in units if u.startswith(need)], need
