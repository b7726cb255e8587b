"""Lists of users, files, programs and lists, expanded and delivered while queue,
lookup and spawn are killed: each member has each message once.  Either of queue
and spawn keeps the answer of a delivery; killed together, they lose it.

SPDX-License-Identifier: ISC
"""
import collections
import random
import re
import time

import pytest

from lib.instance import conf
from lib.localroot import LocalRoot
from test_local import MX, Killer, empty_of, send_all

ALIASES = """postmaster: root
team: u0, u2, u4, u5, inner
inner: u7, inner2
owner-inner: u9
inner2: u10, team, "|cat >>/home/all/piped"
"""
FORWARDS = {
    "u0": '\\u0, u1, "|cat >>$HOME/piped"\n',
    "u2": "u3\n",
    "u4": "u4, /home/u4/file\n",
    # in a circle
    "u5": "u6, u5\n",
    "u6": "u5, u6\n",
}
USERS = [f"u{n}" for n in range(11)]
# u2 forwards, u9 owns a list, nobody names u8.
WITHOUT = {"u2", "u8", "u9"}
FILES = ["/home/u0/piped", "/home/u4/file", "/home/all/piped"]


def stage(lab):
    root = lab.keep(LocalRoot(lab.path("root")))
    for user in USERS:
        root.user(user)
        if user in FORWARDS:
            root.write(user, ".forward", FORWARDS[user])
    everybody = root.path("/home/all")
    everybody.mkdir()
    everybody.chmod(0o777)
    table = lab.path("aliases")
    table.write_text(ALIASES)
    it = lab.postern(conf(
        lines=[f"hostname {MX}", f'table aliases "file:{table}"'],
        rules=['action "local" maildir alias <aliases>',
               'match from any for local action "local"']), wrap=root.wrap)
    return it, root


def numbers(*texts):
    return collections.Counter(
        int(n) for text in texts
        for n in re.findall(rb"(?m)^Subject: number-(\d+)", text))


@pytest.mark.parametrize("keeper", ["queue", "spawn"])
def test_killed(lab, keeper):
    it, root = stage(lab)
    killer = Killer(
        it, lambda it: it.pids(random.choice([keeper, keeper, "lookup"])), 0.5)
    begun = time.monotonic()
    try:
        taken, _ = send_all(it, lambda n: [f"team@{MX}"], 300, 1000,
                            alive=lambda: time.monotonic() < begun + 12,
                            rest=0.05, least=21)
    finally:
        killer.stop()
    assert killer.kills >= 3 and len(taken) > 20
    empty_of(it, taken)
    found = {u: numbers(*root.maildir(u)) for u in USERS}
    found |= {f: numbers(root.path(f).read_bytes()) for f in FILES}
    for who, got in found.items():
        if who in WITHOUT:
            assert not got, who
            continue
        assert set(got) >= taken, (who, sorted(taken - set(got)))
        assert not [n for n in got if got[n] > 1], (who, got)
