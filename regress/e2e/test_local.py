"""Local delivery from RCPT to the mailbox: exactly once whatever happens, nobody
waits for another, what the operator sees and does, what the sender is told.

SPDX-License-Identifier: ISC
"""
import collections
import os
import random
import re
import signal
import smtplib
import threading
import time

import pytest

from lib import base, dsn
from lib.instance import conf, submit
from lib.localroot import LocalRoot, hanging

MX = "mx.c.test"
# Each user's name says how his mail is delivered.
ACTIONS = {
    "m": 'action "mbox" mbox alias <aliases>',
    "d": 'action "dir" maildir alias <aliases>',
    "p": 'action "mda" mda "cat >>$HOME/got" alias <aliases>',
    "s": 'action "slow" mda "sleep 4; cat >>$HOME/got"',
    # Until the test makes the second file.
    "h": 'action "held" mda "touch $HOME/begun; '
         'until test -e $HOME/go; do sleep 0.1; done; cat >>$HOME/got"',
    "f": 'action "bad" mda "cat >/dev/null; echo Out of paper. >&2; exit 69"',
    "t": 'action "later" mda "cat >/dev/null; echo Come again. >&2; exit 75"',
}
USERS = tuple(f"{kind}{n}" for kind in "mdp" for n in (1, 2))


def stage(lab, users=USERS, aliases="", lines=(), actions=ACTIONS,
          retry="1s*1000", **kw):
    """A host with these users; mail for others of it has an alias."""
    root = lab.keep(LocalRoot(lab.path("root"), **kw))
    for user in users:
        root.user(user)
    table = lab.path("aliases")
    table.write_text("postmaster: root\n" + aliases)
    names = {kind: action.split('"')[1] for kind, action in actions.items()}
    rules = [*actions.values(), *(
        f'match from any for rcpt-to regex "^{kind}[0-9]+@{MX}$" '
        f'action "{name}"' for kind, name in names.items()),
        'match from any for local action "mbox"']
    it = lab.postern(conf(
        lines=[f"hostname {MX}", f'table aliases "file:{table}"', *lines],
        retry=retry, rules=rules), wrap=root.wrap)
    return it, root


def message(n, size=0):
    """A message that says its number."""
    body = (b"0123456789" * 6 + b"\r\n") * (size // 62)
    return base.WHOLE + b"Subject: number-%d\r\n\r\nmessage %d begins\r\n" % (
        n, n) + body + b"message %d ends\r\n" % n


def bodies(root, user):
    """What a user has, as texts with LF; by an alias it came as the alias
    goes."""
    found = root.mbox(user)
    if user[0] == "d":
        found += root.maildir(user)
    got = root.path(f"/home/{user}/got")
    text = got.read_bytes() if got.exists() else b""
    return found + [b"Return-Path:" + part for part in
                    re.split(rb"(?m)^Return-Path:", text)[1:]]


def numbers(root, user, size=0):
    """The numbers of the messages that he has, each of which is whole."""
    found = []
    for text in bodies(root, user):
        n = int(re.search(rb"^Subject: number-(\d+)$", text, re.M)[1])
        want = message(n, size).split(b"\r\n\r\n", 1)[1].replace(
            b"\r\n", b"\n")
        assert want in text, text[:400]
        head = text.split(b"\n\n", 1)[0]
        assert len(re.findall(rb"(?m)^Return-Path: <s@c\.test>$",
                              head)) == 1, head
        assert re.search(rb"(?m)^Delivered-To: " + user.encode(), head), head
        assert re.search(rb"(?m)^Received: ", head), head
        found.append(n)
    return found


def send_all(it, rcpts_of, count, size=0, sessions=4, alive=lambda: True,
             rest=0, least=0):
    """Messages 0 to count-1 over several sessions; the numbers accepted, and
    why others were not: these may have been taken all the same.  least: so
    many are accepted before it heeds alive()."""
    taken, why, lock = set(), [], threading.Lock()
    todo = iter(range(count))

    def one_session():
        s, sent = None, 0
        while len(taken) < least or alive():
            with lock:
                n = next(todo, None)
            if n is None:
                break
            try:
                if s is None or sent % 50 == 0:
                    s = it.smtp(timeout=20)
                sent += 1
                time.sleep(rest)
                submit(s, "s@c.test", rcpts_of(n), message(n, size))
                with lock:
                    taken.add(n)
            except (OSError, AssertionError, smtplib.SMTPException) as e:
                why.append(str(e))
                s = None
                time.sleep(0.2)
        if s is not None:
            s.close()
    threads = [threading.Thread(target=one_session) for _ in range(sessions)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return taken, why


def locals_of(it):
    """Pids of the deliveries that spawn has started."""
    return [pid for spawn in it.pids("spawn") for pid in base.children(spawn)
            if base.program(pid) == "local"]


# ---- each once ----

def test_each_once(lab):
    """1,000 messages to several users each, by each method, and by an alias
    of several; in the mailboxes as they were sent."""
    it, root = stage(lab, aliases="all: " + ", ".join(USERS) + "\n")

    def rcpts_of(n):
        if n % 10 == 0:
            return [f"all@{MX}"]
        return [f"{u}@{MX}" for k, u in enumerate(USERS) if (n + k) % 3]
    taken, why = send_all(it, rcpts_of, 1000)
    assert len(taken) == 1000, why
    it.empty(240)
    for k, user in enumerate(USERS):
        want = [n for n in range(1000) if n % 10 == 0 or (n + k) % 3]
        assert sorted(numbers(root, user)) == want, user
    for method in ("mbox", "maildir", "mda"):
        assert re.search(rf" delivery .* result=ok .* method={method} "
                         "relay=none ", it.log())


def test_large(lab):
    """One that is larger than any pipe, to each method."""
    it, root = stage(lab)
    size = 9_000_000
    with it.smtp(120) as s:
        submit(s, "s@c.test", [f"{u}@{MX}" for u in USERS], message(7, size))
    it.empty(60)
    for user in USERS:
        assert numbers(root, user, size) == [7], user


def test_one_process(lab):
    """A process delivers one after the other of its user's, and is not there
    for long when no more come."""
    it, root = stage(lab)
    with it.smtp() as s:
        for n in range(40):
            submit(s, "s@c.test", [f"{u}@{MX}" for u in ("m1", "d1", "d2")],
                   message(n))
    it.empty(120)
    for user in ("m1", "d1", "d2"):
        assert sorted(numbers(root, user)) == list(range(40)), user
    for user in ("d1", "d2"):
        names = os.listdir(root.path(f"/home/{user}/Maildir/new"))
        by = collections.Counter(re.search(r"P(\d+)R", n)[1] for n in names)
        assert len(by) < 20, by
    base.wait_until(lambda: not locals_of(it), "they end")


# ---- what fails ----

def test_full_disk(lab):
    """No room for mailboxes: mail waits, its route is down, others go on; when
    there is room again it is delivered, once, and nothing is left of what did
    not fit."""
    it, root = stage(lab, mail_size="400k")
    filler = root.path("/var/mail/filler")
    filler.write_bytes(b"x" * 300_000)
    for n in range(5):
        with it.smtp() as s:
            submit(s, "s@c.test", [f"m1@{MX}", f"d1@{MX}"],
                   message(n, 150_000))
    it.logged(r" delivery to=\"m1@.* result=later .* cause=system .*"
              r'method=mbox .*reply="4\.3\.1 ', 1, 30)
    it.logged(r' route-down .*route="local:mbox/m1"', 1, 30)
    base.wait_until(lambda: len(root.maildir("d1")) == 5, "others go on", 30)
    base.wait_until(lambda: {r["route"] for r in it.queue()} == {
        "local:mbox/m1"}, "the route of each is known", 30)
    assert root.mbox("m1") == []
    assert "local:mbox/m1" in it.ctl("show", "routes").stdout
    filler.unlink()
    # Two of them fit.
    base.wait_until(lambda: len(root.mbox("m1")) == 2, "as many as fit", 60)
    root.run(["mount", "-o", "remount,size=64m", "/var/mail"])
    it.empty(60)
    assert sorted(numbers(root, "m1", 150_000)) == [0, 1, 2, 3, 4]


def test_user_deleted(lab):
    """Gone between acceptance and delivery, where it waits already to be
    delivered: nobody writes to his home, and the sender is told."""
    it, root = stage(lab, users=("d1", "d2"))
    it.ctl("pause")
    with it.smtp() as s:
        submit(s, f"d2@{MX}", [f"d1@{MX}"], message(1))
    time.sleep(2)
    root.delete("d1")
    it.ctl("resume")
    it.logged(r' delivery to="d1@.*result=later .*cause=configuration ', 1, 30)
    it.empty(60)
    told = notice(root, "d2")
    assert told.rcpts[0]["Action"] == "failed"
    assert told.rcpts[0]["Status"] == "5.1.1"
    assert f"d1@{MX}" in told.first and "does not exist" in told.first
    assert list(root.path("/home/d1").iterdir()) == []


def notice(root, user):
    """The one notification in his Maildir, as it was sent."""
    base.wait_until(lambda: root.maildir(user), "a notification", 30)
    text, = root.maildir(user)
    head, _, body = text.partition(b"\n\n")
    lines = head.split(b"\n")
    begin = next(k for k, line in enumerate(lines)
                 if line.startswith(b"Date: "))
    return dsn.read(b"\n".join(lines[begin:] + [b"", body]).replace(
        b"\n", b"\r\n"))


def test_program_fails(lab):
    """What a program says is what the sender reads."""
    it, root = stage(lab, users=("d1", "f1"))
    with it.smtp() as s:
        submit(s, f"d1@{MX}", [f"f1@{MX}"], message(1))
    it.empty(30)
    told = notice(root, "d1")
    assert told.rcpts[0]["Action"] == "failed"
    assert told.rcpts[0]["Status"][0] == "5"
    assert "Out of paper." in told.rcpts[0]["Diagnostic-Code"]
    assert told.first.startswith(f"The program that takes the mail of f1@{MX} "
                                 "refused the message.")
    assert f"{MX} reported on" in told.words and "Out of paper." in told.words
    line, = it.logged(r' delivery to="f1@.*')
    assert "result=never" in line and "method=mda" in line


def test_full_too_long(lab):
    """A mailbox that stays full until the message is too old."""
    it, root = stage(lab, users=("d1", "m1"), mail_size="40k",
                     lines=["queue ttl 4s"])
    with it.smtp() as s:
        submit(s, f"d1@{MX}", [f"m1@{MX}"], message(1, 100_000))
    it.logged(r" expired ", 1, 60)
    it.empty(30)
    told = notice(root, "d1")
    assert told.rcpts[0]["Action"] == "failed"
    assert "mx.c.test" in told.first, told.first


def test_full_home(lab):
    """No room in a home: each attempt comes later than the one before, and
    nothing is left of any."""
    it, root = stage(lab, users=("d1",), home_size="100k", retry="1s*2")
    with it.smtp() as s:
        submit(s, "s@c.test", [f"d1@{MX}"], message(1, 300_000))
    it.logged(r' delivery to="d1@.*result=later .*cause=system .*'
              r'method=maildir .*reply="4\.3\.1 .*No space left', 4, 60)
    at = [int(h) * 3600 + int(m) * 60 + float(sec) for h, m, sec in re.findall(
        r'(?m)^(\d\d):(\d\d):([\d.]+) queue: .* delivery to="d1@', it.log())]
    waits = [b - a for a, b in zip(at, at[1:])]
    assert waits[0] < waits[2] and waits[2] > 2, waits
    tmp = root.path("/home/d1/Maildir/tmp")
    base.wait_until(lambda: list(tmp.iterdir()) == [], "nothing is left", 45)
    root.run(["mount", "-o", "remount,size=64m", "/home"])
    it.ctl("flush", "all")
    it.empty(40)
    assert numbers(root, "d1", 300_000) == [1]


# ---- what the configuration says of a delivery ----

MBOX = {"m": 'action "mbox" mbox'}  # for who has no rule of his own
HOSTILE = ('"$(touch /home/x)"@c.test', "`id`@c.test", "a'b{id}'@c.test",
           "-rf@c.test", '"a/../../b"@c.test', '"\\";touch /home/x;\\""@c.test',
           "${IFS}*?~@c.test", "|who&@c.test")


def test_nothing_of_a_sender_is_shell(lab):
    """What a sender says is text, in a command, a wrapper and a path."""
    it, root = stage(lab, users=("h1", "w1", "d1"), lines=[
        'mda wrapper w "env A=%{sender} B=\'%{rcpt}\' %{mda}"'], actions={
        "h": 'action "h" mda "cat >$HOME/got; printf \'%s#\' %{sender} '
             '\\"%{sender:raw}\\" \'%{dest}\' \\"$SENDER\\" >$HOME/said"',
        "w": 'action "w" mda "env >$HOME/env; cat >$HOME/got" wrapper w',
        "d": 'action "d" maildir "~/%{sender.domain}/%{sender.user}"', **MBOX})
    for n, sender in enumerate(HOSTILE):
        with it.smtp() as s:
            submit(s, sender, [f"{u}@{MX}" for u in ("h1", "w1", "d1")],
                   message(n))
        it.empty(30)
        clean, raw, rcpt, env, _ = root.path("/home/h1/said").read_text() \
            .split("#")
        assert raw == env == sender and rcpt == f"h1@{MX}"
        assert re.fullmatch(r"[\w@.:/+=,^-]+", clean), clean
        env = root.path("/home/w1/env").read_text()
        for line in f"A={clean}", f"B=w1@{MX}", f"SENDER={sender}":
            assert f"\n{line}\n" in f"\n{env}", env
    assert sorted(os.listdir(root.path("/home"))) == \
        ["d1", "h1", "root", "w1"]
    assert os.listdir(root.path("/home/d1")) == ["c.test"]
    assert len(os.listdir(root.path("/home/d1/c.test"))) == len(HOSTILE)


def test_junk(lab):
    """What a filter found to be junk is in the folder for it."""
    it, root = stage(lab, users=("d1", "d2"), actions={
        "d": 'action "d" maildir junk', **MBOX}, lines=[
        'filter "spam" phase mail-from match mail-from { s@c.test } junk'])
    it.write_conf(it.text.replace("port {port}",
                                  'port {port} filter "spam"'))
    it.ctl("reload")
    for sender, user in (("s@c.test", "d1"), ("t@c.test", "d2")):
        with it.smtp() as s:
            submit(s, sender, [f"{user}@{MX}"], message(1))
    it.empty(30)
    assert root.maildir("d1") == [] and len(root.maildir("d2")) == 1
    text, = root.maildir("d1", "Maildir/.Junk")
    assert b"message 1 ends" in text


def test_as_one_user(lab):
    """`user`: all mailboxes belong to one, each where its path says."""
    it, root = stage(lab, users=("d1", "d2", "vmail"), actions={
        "d": 'action "d" maildir "/home/vmail/%{user.username}" user vmail',
        **MBOX})
    with it.smtp() as s:
        submit(s, "s@c.test", [f"d1@{MX}", f"d2@{MX}"], message(1))
    it.empty(30)
    for user in ("d1", "d2"):
        assert len(root.maildir("vmail", user)) == 1
        assert root.path(f"/home/vmail/{user}/new").stat().st_uid == \
            root.uid("vmail")
        assert os.listdir(root.path(f"/home/{user}")) == []


# ---- nobody waits for another ----

def test_slow_program(lab):
    """A program that takes its time, with many messages: others have theirs
    at once, its user's other messages go five at a time."""
    it, root = stage(lab, users=("h1", "h2", "d1", "p1"))
    it.ctl("pause")
    with it.smtp() as s:
        for n in range(60):
            submit(s, "s@c.test", [f"h1@{MX}", f"h2@{MX}"], message(n))
        for n in range(20):
            submit(s, "s@c.test", [f"d1@{MX}", f"p1@{MX}"], message(n))
    it.ctl("resume")
    base.wait_until(lambda: len(bodies(root, "d1")) == 20 and
                    len(bodies(root, "p1")) == 20, "the others", 60)
    base.wait_until(lambda: collections.Counter(
        r["recipient"] for r in it.queue() if r["trying"]) == {
            f"h1@{MX}": 5, f"h2@{MX}": 5}, "five of each run", 60)
    base.wait_until(lambda: it.ctl("show", "status", "--json").json[
        "jobs"] == 10, "ten jobs", 60)
    it.ctl("remove", "all")
    for user in ("h1", "h2"):
        root.write(user, "go", "")


def test_many_slow_ones(lab):
    """No more than 50 run at once; who works is not kept out by those that
    hang."""
    users = [f"h{n}" for n in range(1, 16)]
    it, root = stage(lab, users=(*users, "d1"))
    with it.smtp() as s:
        submit(s, "s@c.test", [f"d1@{MX}"], message(0))
        base.wait_until(lambda: len(bodies(root, "d1")) == 1, "the first", 30)
        it.ctl("pause")
        for n in range(6):
            submit(s, "s@c.test", [f"{u}@{MX}" for u in users], message(n))
    it.ctl("resume")
    base.wait_until(lambda: len(locals_of(it)) >= 30, "many run", 30)
    most = 0
    with it.smtp() as s:
        for n in range(1, 6):
            submit(s, "s@c.test", [f"d1@{MX}"], message(n))
            base.wait_until(lambda: len(bodies(root, "d1")) == n + 1,
                            "who works", 60)
            most = max(most, len(locals_of(it)))
    assert most <= 50
    it.ctl("remove", "all")
    for user in users:
        root.write(user, "go", "")


def test_many_programs_of_one(lab):
    """Ten programs of one user that hang: others have their mail, and when one
    ends the next has its turn."""
    it, root = stage(lab, users=("m1", "d1"))
    root.write("m1", ".forward", "".join(
        f'"|: {n}; until test -e go; do sleep 0.3; done; echo >>ran-{n}"\n'
        for n in range(10)))
    with it.smtp() as s:
        for n in range(6):
            submit(s, "s@c.test", [f"m1@{MX}"], message(n))
        base.wait_until(lambda: collections.Counter(
            r["trying"] for r in it.queue()) == {True: 10, False: 50},
            "ten of sixty run", 60)
        submit(s, "s@c.test", [f"d1@{MX}"], message(6))
    base.wait_until(lambda: bodies(root, "d1"), "the other's", 30)
    assert "at most 10 deliveries at once of user m1, 10 now" in it.ctl(
        "explain", f"m1@{MX}").stdout
    root.write("m1", "go", "")
    it.empty(60)
    for n in range(10):
        assert root.path(f"/home/m1/ran-{n}").read_text() == 6 * "\n"


def test_home_hangs(lab):
    """A .forward that cannot be read, of more mail than lookup is asked about
    at once: another's is delivered while the first who read it still hang."""
    names = [f"a{n}" for n in range(1100)]
    it, root = stage(lab, users=("m1", "d1"), retry="10m",
                     aliases="".join(f"{name}: m1\n" for name in names))
    root.write("m1", ".forward", "\\m1\n")
    with hanging(root.path("/home/m1/.forward")):
        with it.smtp() as s:
            for part in (names[:550], names[550:]):
                submit(s, "s@c.test", [f"{name}@{MX}" for name in part],
                       message(1))
            base.wait_until(lambda: len(locals_of(it)) == 2, "two read", 30)
            first = locals_of(it)
            submit(s, "s@c.test", [f"d1@{MX}"], message(2))
        base.wait_until(lambda: bodies(root, "d1"), "the other's", 60)
        assert set(first) <= set(locals_of(it))
        it.ctl("remove", "all")


# ---- kills ----

class Killer:
    """Kills what a test names, again and again while it sends."""

    def __init__(self, it, find, every):
        self.it, self.find, self.every = it, find, every
        self.kills = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.wait(self.every * random.uniform(0.5, 1.5)):
            found = self.find(self.it)
            if not found:
                continue
            try:
                os.kill(random.choice(found), signal.SIGKILL)
                self.kills += 1
            except ProcessLookupError:
                pass

    def stop(self):
        self.over.set()
        self.thread.join()


# How they are found, seconds between two kills, how many of them.
VICTIMS = {
    "queue": (lambda it: it.pids("queue"), 1.0, 6),
    "spawn": (lambda it: it.pids("spawn"), 1.0, 6),
    "local": (locals_of, 0.05, 60),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_killed(lab, victim):
    """Whoever is killed, again and again: nobody's mail is lost.  Twice has it
    only whose delivery was killed between its end and its answer."""
    actions = dict(ACTIONS)
    actions["p"] = actions["p"].replace("cat >>", "sleep 0.2; cat >>")
    it, root = stage(lab, actions=actions,
                     aliases="all: " + ", ".join(USERS) + "\n")
    find, every, limit = VICTIMS[victim]
    killer = Killer(it, find, every)
    begun = time.monotonic()
    try:
        taken, _ = send_all(
            it, lambda n: [f"{u}@{MX}" for u in USERS], 700, 2000,
            alive=lambda: killer.kills < limit and time.monotonic() < begun + 60,
            rest=0.05, least=51)
    finally:
        killer.stop()
    assert killer.kills >= 3 and len(taken) > 50
    empty_of(it, taken)
    doubles = []
    for user in USERS:
        got = collections.Counter(numbers(root, user, 2000))
        assert set(got) >= taken, (user, sorted(taken - set(got)))
        doubles += [(user, n) for n in got if got[n] > 1]
    assert len(doubles) <= (killer.kills if victim == "local" else 0), doubles


def empty_of(it, taken):
    it.ctl("flush", "all", check=False)
    base.wait_until(lambda: it.all_up(), "all are there again", 60)
    it.empty(120)


def test_restarted(lab):
    """The parent is killed while deliveries run: what ran may be there twice,
    nothing is lost."""
    actions = dict(ACTIONS)
    actions["p"] = actions["p"].replace("cat >>", "sleep 1; cat >>")
    it, root = stage(lab, actions=actions)
    taken = set()
    for turn in range(3):
        for n in range(turn * 20, turn * 20 + 20):
            with it.smtp() as s:
                submit(s, "s@c.test", [f"{u}@{MX}" for u in USERS],
                       message(n))
            taken.add(n)
        it.kill()
        base.wait_until(
            lambda: not os.path.exists(f"{it.root}/spool/lock") or
            not base.run(["fuser", f"{it.root}/spool/lock"]).stdout.strip(),
            "the spool is free", 45)
        it.start()
    empty_of(it, taken)
    doubles = 0
    for user in USERS:
        got = collections.Counter(numbers(root, user))
        assert set(got) == taken
        doubles += sum(got.values()) - len(got)
    assert doubles <= 3 * 50  # that may have run


def test_stopped(lab):
    """In order: what runs ends within a few seconds or goes on alone, and the
    next smtpd does not lose it."""
    it, root = stage(lab, users=("s1", "d1"))
    with it.smtp() as s:
        submit(s, "s@c.test", [f"s1@{MX}", f"d1@{MX}"], message(1))
    base.wait_until(lambda: locals_of(it), "it runs", 45)
    it.stop(15)
    it.start()
    it.empty(60)
    assert 1 in numbers(root, "s1") and numbers(root, "d1") == [1]


# ---- the queue's memory of what runs ----

def test_queue_restart(lab):
    """What runs when queue is killed is found again, is in flight for the new
    one, and its answer counts: it is not delivered twice."""
    it, root = stage(lab, users=("h1",))
    with it.smtp() as s:
        submit(s, "s@c.test", [f"h1@{MX}"], message(1))
    base.wait_until(root.path("/home/h1/begun").exists, "it runs", 60)
    old, = it.pids("queue")
    os.kill(old, signal.SIGKILL)
    base.wait_until(lambda: it.pids("queue") not in ([], [old]), "a new one",
                    60)
    # Before its index is there, the list does not say it.
    base.wait_until(lambda: [r.get("trying") for r in it.queue()] == [True],
                    "it is in flight", 60)
    root.write("h1", "go", "")
    it.empty(60)
    assert numbers(root, "h1") == [1]
    line, = it.logged(r" delivery to=\"h1@.*")
    assert "result=ok" in line and "method=local" in line


def test_reload(lab):
    """A reload while deliveries run: they go on, and are known to the new
    queue."""
    it, root = stage(lab, users=("s1", "d1"))
    with it.smtp() as s:
        submit(s, "s@c.test", [f"s1@{MX}"], message(1))
    base.wait_until(lambda: locals_of(it), "it runs", 45)
    it.ctl("reload")
    with it.smtp() as s:
        submit(s, "s@c.test", [f"d1@{MX}"], message(2))
    it.empty(60)
    assert numbers(root, "s1") == [1] and numbers(root, "d1") == [2]
    it.stop()
    assert len(re.findall(r" delivery to=\"s1@.* result=ok", it.log())) == 1


# ---- damage ----

def test_damaged(lab):
    """A file whose sum is wrong is set aside; nothing of it is delivered."""
    it, root = stage(lab, users=("d1", "m1"))
    it.ctl("pause")
    with it.smtp() as s:
        ident = submit(s, "s@c.test", [f"d1@{MX}", f"m1@{MX}"],
                       message(1, 300_000))
    base.wait_until(lambda: it.spool_files(), "its file", 45)
    path, = it.spool_files()
    text = path.read_bytes()
    at = text.index(b"message 1 ends")
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(b"message 2 ends")
    it.ctl("resume")
    it.empty(30)
    it.logged(rf"{ident} spool-corrupt ")
    assert list((it.root / "spool" / "corrupt").iterdir())
    time.sleep(0.5)
    assert root.maildir("d1") == [] and root.mbox("m1") == []


# ---- the operator ----

def test_operator(lab):
    """Routes by name: shown, held, released, flushed; a message is removed
    while it runs; a pause."""
    it, root = stage(lab, users=("d1", "t1", "h1"), retry="1h")
    it.ctl("hold", "local:dir/d1")
    with it.smtp() as s:
        ident = submit(s, "s@c.test", [f"d1@{MX}", f"t1@{MX}"], message(1))
    it.logged(r' delivery to="t1@.*result=later .*Come again\.', 1, 30)
    base.wait_until(
        lambda: {r["recipient"]: r["route"] for r in it.queue()} == {
            f"d1@{MX}": "local:dir/d1", f"t1@{MX}": "local:later/t1"},
        "both have their routes", 30)
    base.wait_until(lambda: "Come again." in it.ctl("show", "queue").stdout,
                    "what it said is listed", 30)
    assert "local:dir/d1" in it.ctl("show", "routes").stdout
    assert root.maildir("d1") == []
    assert it.ctl("release", "local:dir/d1", "--json").json["changed"] == 1
    base.wait_until(lambda: root.maildir("d1"), "it is delivered")
    it.ctl("flush", "local:later/t1")
    it.logged(r' delivery to="t1@.*attempts=2 .*')
    it.ctl("remove", ident)
    it.empty()

    with it.smtp() as s:
        ident = submit(s, "s@c.test", [f"h1@{MX}"], message(2))
    begun, go = (root.path(f"/home/h1/{name}") for name in ("begun", "go"))
    base.wait_until(begun.exists, "it runs")
    assert it.ctl("remove", ident, "--json").json["in_flight"] == 1
    go.touch()
    it.empty()
    it.ctl("pause")
    with it.smtp() as s:
        submit(s, "s@c.test", [f"d1@{MX}"], message(3))
    time.sleep(1)
    assert numbers(root, "d1") == [1]
    it.ctl("resume")
    it.empty()
    assert sorted(numbers(root, "d1")) == [1, 3]


def test_explain(lab):
    """What holds for a local route."""
    it, root = stage(lab, users=("m1", "d1"))
    text = it.ctl("explain", f"m1@{MX}").stdout
    assert "local:mbox/m1" in text
    assert "at most 1 deliveries at once, 0 now" in text
    assert "at most 10 deliveries at once of user m1, 0 now" in text
    assert "at most 50 deliveries on this host at once, 0 now" in text
    assert "at most 5 deliveries at once" in it.ctl(
        "explain", f"d1@{MX}").stdout
    it.ctl("hold", "local:mbox/m1")
    out = it.ctl("explain", f"m1@{MX}", check=False)
    assert out.returncode != 0 and "the route is held" in out.stdout


def test_traced(lab):
    """The history knows of local deliveries as of others."""
    it, root = stage(lab, users=("d1",), lines=["history keep 1d"])
    with it.smtp() as s:
        ident = submit(s, "s@c.test", [f"d1@{MX}"], message(1))
    it.empty()
    base.wait_until(lambda: "local:dir/d1" in it.ctl(
        "trace", ident, "--json", check=False).stdout, "it is in the history",
        45)


# ---- NOTIFY=SUCCESS ----

def test_delivered_notice(lab):
    """RFC 3461: delivered, by each method, and behind an alias; told once, and
    only who asked."""
    it, root = stage(lab, users=("d1", "d2", "m1", "p1"),
                     aliases="one: m1\n")
    with it.smtp() as s:
        s.ehlo()
        s.mail(f"d1@{MX}", ["RET=HDRS", "ENVID=QQ314159"])
        for rcpt, notify in ((f"m1@{MX}", "SUCCESS"), (f"p1@{MX}", "SUCCESS"),
                             (f"one@{MX}", "SUCCESS,FAILURE"),
                             (f"d2@{MX}", "FAILURE")):
            code, said = s.rcpt(rcpt, [f"NOTIFY={notify}",
                                       f"ORCPT=rfc822;{rcpt}"])
            assert code == 250, said
        assert s.data(message(1))[0] == 250
    it.empty(30)
    told = notice(root, "d1")
    assert told.subject == "Your message was delivered"
    assert told.about["Original-Envelope-Id"] == "QQ314159"
    assert sorted((r["Action"], r["Original-Recipient"].split(";")[1].strip())
                  for r in told.rcpts) == [
        ("delivered", f"m1@{MX}"), ("delivered", f"one@{MX}"),
        ("delivered", f"p1@{MX}")]
    assert all(r["Status"][0] == "2" and "Remote-MTA" not in r
               for r in told.rcpts)
    assert numbers_of_d2(root) == 1


def numbers_of_d2(root):
    return len(root.maildir("d2"))
