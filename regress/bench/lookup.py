"""Look-ups in tables of 1,000 and of 1,000,000 entries: file: and db:, asked
by the code that the rules ask, and Postfix's postmap beside them; then what a
client sees of it, RCPT by RCPT.

SPDX-License-Identifier: ISC
"""
import subprocess
import time

from lib import base, postfix
from lib.instance import Instance, conf

SIZES = (1_000, 1_000_000)
QUESTIONS = 2_000_000
THEIRS = 1_000_000  # so many that reading the table is small beside them
TIMES = 3
RCPTS = 20_000
BATCH = 1_000  # of a session

# postmap wants users that are there, and its own programs.
MAIN_CF = """\
compatibility_level = 3.6
myhostname = peer.test
mail_owner = daemon
setgid_group = mail
shlib_directory = {lib}
meta_directory = {etc}
"""


def order(count, entries):
    """Numbers below entries, in no order, the same each time."""
    n = 1
    for _ in range(count):
        n = (n * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        yield (n >> 33) % entries


def write(path, entries):
    """Lines that both understand, in no order."""
    if path.exists():
        return
    with path.open("w") as f:
        for i in range(entries):
            n = i * 7919 % entries
            f.write(f"user{n}@example.net target{n}@mail.example.org\n")


def makemap(path, *args):
    out = base.run([base.BUILD / "smtpctl", "makemap", *args, "-o",
                    f"{path}.lmdb", path], timeout=300)
    assert out.returncode == 0, out.stderr
    return f"{path}.lmdb"


def ours(top, kind, entries):
    """Seconds to read it, look-ups per second, bytes per entry."""
    path = top / f"table-{entries}"
    write(path, entries)
    source = makemap(path) if kind == "db" else path
    out = base.run([base.BUILD / "bench/lookup", kind, source, str(entries),
                    str(QUESTIONS)], timeout=300)
    assert out.returncode == 0, out.stderr
    load, rate, kib = map(float, out.stdout.split())
    return load, rate, kib * 1024 / entries


def postmap(top, *args, keys=""):
    """Seconds of processor time that postmap takes."""
    etc = top / "postmap"
    etc.mkdir(exist_ok=True)
    (etc / "main.cf").write_text(MAIN_CF.format(lib=postfix.LIB, etc=etc))
    child = subprocess.Popen([*postfix.tool("postmap"), "-c", etc, *args],
                             stdin=subprocess.PIPE, text=True,
                             env=postfix.env(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
    said = child.communicate(keys)[1]
    assert child.returncode in (0, 1) and not said, said
    return child


def cpu(*args, **kw):
    import resource
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    postmap(*args, **kw)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - \
        (before.ru_utime + before.ru_stime)


def theirs(top, kind, entries):
    """Seconds to open it, look-ups per second."""
    path = top / f"table-{entries}"
    if kind == "hash":
        postmap(top, f"hash:{path}")
    keys = [f"user{n}@example.net\n" for n in order(THEIRS, entries)]

    def least(text):
        return min(cpu(top, "-q", "-", f"{kind}:{path}", keys=text)
                   for _ in range(TIMES))
    begin = least(keys[0])
    took = least("".join(keys))
    assert took > begin, "the machine is too noisy to tell"
    return begin, THEIRS / (took - begin), 0


def rcpts(top, kind, entries):
    """Seconds until it is up, RCPT per second, bytes per entry: of a rule
    that asks for the recipient's domain."""
    path = top / f"domains-{entries}"
    if not path.exists():
        path.write_text("".join(f"host{i}.example.net\n"
                                for i in range(entries)))
    source = makemap(path, "-t", "set") if kind == "db" else path
    begin = time.monotonic()
    it = Instance(top / f"postern-{kind}-{entries}", conf(
        lines=[f"table t {kind}:{source}"], rules=[
            'action "out" relay', 'match from any for domain <t> action "out"'
        ]))
    up = time.monotonic() - begin
    try:
        return up, ask_rcpts(it, entries), \
            base.rss_kib(it.pids("lookup")[0]) * 1024 / entries
    finally:
        it.stop()


def ask_rcpts(it, entries):
    numbers = list(order(RCPTS, entries))
    begin = time.monotonic()
    for at in range(0, RCPTS, BATCH):
        with it.connect() as s:
            f = s.makefile("rb")
            s.sendall(b"HELO c.test\r\nMAIL FROM:<a@c.test>\r\n" + b"".join(
                b"RCPT TO:<b@host%d.example.net>\r\n" % n
                for n in numbers[at:at + BATCH]) + b"QUIT\r\n")
            replies = f.read().splitlines()
        assert len(replies) == BATCH + 4, replies[-1]
        assert all(line[:1] == b"2" for line in replies), replies
    return RCPTS / (time.monotonic() - begin)


# Columns: name, kind, how it is asked.
ROWS = (("Postern file:", "file", ours), ("Postern db:", "db", ours),
        ("Postfix texthash:", "texthash", theirs),
        ("Postfix hash:", "hash", theirs),
        ("RCPT, file:", "file", rcpts), ("RCPT, db:", "db", rcpts))


def run(top):
    """Prints the table."""
    print(f"\n{'':18}{'entries':>9}{'read s':>8}{'look-ups/s':>12}"
          f"{'to 1,000':>10}{'bytes each':>12}", flush=True)
    best = {}
    for name, kind, how in ROWS:
        first = None
        for entries in SIZES:
            load, rate, each = how(top, kind, entries)
            first = first or rate
            key = name.split()[0], entries
            best[key] = max(rate, best.get(key, 0))
            each = f"{each:.0f}" if each and entries > 1000 else "-"
            print(f"{name:18}{entries:>9}{load:>8.2f}{rate:>12.0f}"
                  f"{rate / first:>10.2f}{each:>12}", flush=True)
    for entries in SIZES:
        ratio = best["Postern", entries] / best["Postfix", entries]
        print(f"Postern : Postfix at {entries} entries, each its faster kind: "
              f"{ratio:.2f}")
    print("Look-ups are per second of processor time; Postfix is asked by "
          "postmap -q -,\nwhich prints what it finds.  RCPT: per second, by "
          "one client; bytes: of lookup,\nin all.")
