"""Mail for users of this host by LMTP: a real Dovecot at a socket and at a
port, and servers that say what they are told to.

SPDX-License-Identifier: ISC
"""
import os
import re
import signal
import time

import pytest

from lib import base
from lib.dovecot import Dovecot, available
from lib.instance import conf
from lib.localroot import LocalRoot
from lib.receiver import CLOSE

pytestmark = pytest.mark.skipif(not base.IS_ROOT, reason="users, mounts")
dovecot = pytest.mark.skipif(not available(), reason="needs build/peers")

HERE = "here.test"


def users(lab, *names):
    root = lab.keep(LocalRoot(lab.path("users")))
    for name in names or ("ann", "bob", "eve"):
        root.user(name)
    return root


def postern(lab, root, action, lines=(), retry="1s*1000", **kw):
    """Users get it by the action, all others by a receiver of their own."""
    home = lab.receiver()
    it = lab.postern(conf(lab.dns(), retry=retry, lines=[
        f"hostname {HERE}", *lines], rules=[
            f'action "box" {action}',
            f'action "out" relay host "smtp://127.0.0.1:{home.port}"',
            'match from any for local action "box"',
            'match from any for any action "out"']), wrap=root.wrap, **kw)
    it.home = home
    return it


def server(lab, **kw):
    """A scripted one, at a socket."""
    path = lab.path("lmtp")
    r = lab.receiver(path=path, lmtp=True, **kw)
    os.chmod(path, 0o600)
    return r, path


def house(lab, names, **kw):
    return lab.keep(Dovecot(lab.path("dovecot"), names, hostname=HERE, **kw))


def at(user):
    return f"{user}@{HERE}"


# ---- Dovecot ----

@dovecot
@pytest.mark.parametrize("way", ["socket", "port", "name"])
def test_delivered(lab, way):
    """Whole, to the user's name, over connections that carry several."""
    peer = house(lab, ["ann", "bob"])
    to = {"socket": peer.path, "port": f"127.0.0.1:{peer.port}",
          "name": f"localhost:{peer.port}"}[way]
    it = postern(lab, users(lab), f'lmtp "{to}"')
    text = "Subject: by LMTP\r\n\r\n.dot\r\n" + "x" * 900 + "\r\n\r\n..\r\n"
    for n in range(8):
        it.send("a@c.test", at("ann"), text)
        base.wait_until(lambda: len(peer.files("ann")) == n + 1, "it is there",
                        60, 0.01)
    it.empty()
    for f in peer.files("ann"):
        got = f.read_bytes().replace(b"\r\n", b"\n")
        assert got.startswith(b"Return-Path: <a@c.test>\n"), got
        assert got.endswith(text.encode().replace(b"\r\n", b"\n")[19:]), got
        assert b"\nReceived: " in got
    # Not a connection for each: of each process one.
    assert peer.log().count("Connect from") < 8, peer.log()
    assert not peer.files("bob")
    relay = str(peer.path) if way == "socket" else f"]:{peer.port}"
    assert len(it.logged(re.escape(f'{relay}" '), 8)) == 8


@dovecot
def test_together(lab):
    """The recipients of a message go in one transaction; who is unknown there
    is told to the sender, and the others have it."""
    peer = house(lab, ["ann", "bob"])
    it = postern(lab, users(lab), f'lmtp "{peer.path}"')
    it.send("a@c.test", [at("ann"), at("bob"), at("eve")],
            "Subject: all\r\n\r\nx\r\n")
    it.empty(60)
    assert len(peer.files("ann")) == len(peer.files("bob")) == 1
    assert len(set(re.findall(r"lmtp\(\w+\)<\d+><([^>:]+)", peer.log()))) == 1
    bounce, = it.home.wait(1)
    assert bounce.sender == "" and bounce.rcpts == ["a@c.test"]
    assert b"Final-Recipient: rfc822; eve@here.test" in bounce.content, \
        bounce.content.decode()
    assert b"5.1.1" in bounce.content and b"ann@" not in bounce.content
    assert str(peer.path).encode() not in bounce.content
    assert b"The server of its mailbox said" in bounce.content


@dovecot
def test_rcpt_to(lab):
    """By the address, as it was written, where the action says so."""
    peer = house(lab, [at("ann")])
    it = postern(lab, users(lab), f'lmtp "{peer.path}" rcpt-to')
    it.send("a@c.test", at("ann"))
    base.wait_until(lambda: peer.files(at("ann")), "it is there", 60)
    it.empty()


@dovecot
@pytest.mark.parametrize("later", [False, True], ids=["never", "later"])
def test_quota(lab, later):
    """A mailbox that is full, as the server sees it: one is told to the
    sender, one waits until there is room; others are not held up."""
    peer = house(lab, ["ann", "bob"], settings=f"""
mail_plugins = quota
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=20K
  quota_grace = 0
}}
quota_full_tempfail = {"yes" if later else "no"}
""")
    it = postern(lab, users(lab), f'lmtp "{peer.path}"')
    it.send("a@c.test", [at("ann"), at("bob")],
            "Subject: large\r\n\r\n" + ("x" * 70 + "\r\n") * 400)
    it.send("a@c.test", at("bob"), "Subject: small\r\n\r\nx\r\n")
    base.wait_until(lambda: len(peer.files("bob")) == 1, "there is room", 60)
    if not later:
        it.empty(60)
        bounce, = it.home.wait(1)
        for user in ("ann", "bob"):
            assert f"rfc822; {at(user)}".encode() in bounce.content
        assert b"5.2.2" in bounce.content
        return
    rows = base.wait_until(
        lambda: len(q := it.queue()) == 2 and
        all(r["attempts"] > 1 for r in q) and q, "they wait", 60)
    assert all("4.2.2" in r["last"]["text"] or "4.2.2" in str(r["last"])
               for r in rows), rows
    it.ctl("remove", "all")


@dovecot
def test_away(lab):
    """It is not there, comes, goes in between and comes back: all is
    delivered, once."""
    peer = house(lab, ["ann"])
    peer.end()
    it = postern(lab, users(lab), f'lmtp "{peer.path}"')
    it.send("a@c.test", at("ann"), "Subject: 1\r\n\r\nx\r\n")
    row, = base.wait_until(
        lambda: [r for r in it.queue() if r["attempts"] > 0], "it waits", 60)
    assert row["last"]["cause"] == "network", row
    peer.start()
    base.wait_until(lambda: len(peer.files("ann")) == 1, "it is there", 60)
    it.empty()
    # A connection that was kept is gone with the server.
    it.send("a@c.test", at("ann"), "Subject: 2\r\n\r\nx\r\n")
    base.wait_until(lambda: len(peer.files("ann")) == 2, "it is there", 60)
    peer.end()
    peer.start()
    for n in range(20):
        it.send("a@c.test", at("ann"), f"Subject: {n + 3}\r\n\r\nx\r\n")
        if n == 10:
            peer.end()
            peer.start()
    base.wait_until(lambda: len(peer.files("ann")) >= 22, "all are there", 90)
    it.empty(60)
    subjects = [re.search(rb"^Subject: (\d+)", f.read_bytes(), re.M)[1]
                for f in peer.files("ann")]
    assert set(map(int, subjects)) == set(range(1, 23))
    # Who is stopped between the mailbox and the reply has it, and gets it
    # again.
    assert len(subjects) <= 22 + it.log().count(" stage=content ")


@dovecot
def test_forward(lab):
    """.forward counts as for the other methods; what it makes of the mail goes
    by the same action."""
    peer = house(lab, ["ann", "bob"])
    root = users(lab)
    root.write("ann", ".forward", "bob\n\\ann\n")
    root.write("eve", ".forward", "ann2@c.test\n")
    it = postern(lab, root, f'lmtp "{peer.path}"')
    it.send("a@c.test", at("ann"), "Subject: two\r\n\r\nx\r\n")
    it.send("a@c.test", at("eve"), "Subject: away\r\n\r\nx\r\n")
    base.wait_until(lambda: peer.files("ann") and peer.files("bob"),
                    "both have it", 60)
    assert it.home.wait(1)[0].rcpts == ["ann2@c.test"]
    it.empty(60)
    assert len(peer.files("ann")) == len(peer.files("bob")) == 1


# ---- what is said ----

def test_dialogue(lab):
    """LHLO with our name; the user's name alone, in the case that the system
    has; all in one transaction, and the connection is kept."""
    r, path = server(lab)
    it = postern(lab, users(lab), f'lmtp "{path}"')
    it.send("a@c.test", [at("ann"), at("BOB"), at("eve+sub")])
    m, = r.wait(1)
    assert sorted(m.rcpts) == ["ann", "bob", "eve"] and m.sender == "a@c.test"
    assert m.helo == HERE and not m.tls and m.peer[1] == 0
    for n in range(10):
        it.send("a@c.test", at("ann"))
    r.wait(11)
    it.empty()
    assert r.sessions < 6, r.sessions


def test_rcpt_to_dialogue(lab):
    r, path = server(lab)
    it = postern(lab, users(lab), f'lmtp "{path}" rcpt-to')
    it.send("a@c.test", [at("ann"), at("Bob+sub")])
    m, = r.wait(1)
    assert sorted(m.rcpts) == [at("Bob+sub"), at("ann")]
    it.empty()


def test_each_answer(lab):
    """After the content each recipient has an answer of his own, and before it
    as well."""
    names = ["u%d" % n for n in range(6)]
    r, path = server(
        lab, rcpt={"u1": "550 5.1.1 nobody", "u2": "450 4.2.1 locked"},
        dot={"u3": "552 5.2.2 full", "u4": ["452 4.2.2 full for now",
                                            "250 2.0.0 now"]})
    it = postern(lab, users(lab, *names), f'lmtp "{path}"')
    it.send("a@c.test", [at(n) for n in names], "Subject: x\r\n\r\nx\r\n")
    r.wait(2)
    bounces = it.home.wait(1)
    base.wait_until(lambda: [q["recipient"] for q in it.queue()] == [at("u2")],
                    "one is left", 60)
    told = b"".join(b.content for b in it.home.messages)
    assert len(bounces) <= 2
    for user, code in (("u1", b"5.1.1"), ("u3", b"5.2.2")):
        assert b"rfc822; " + at(user).encode() in told and code in told
    assert b"rfc822; u0@" not in told and b"rfc822; u5@" not in told
    taken = [n for m in r.messages for n in m.rcpts]
    assert taken.count("u0") == taken.count("u5") == 1
    it.ctl("remove", "all")


def test_success(lab):
    """A server of ours that takes it has delivered it (RFC 3464 2.3.3)."""
    r, path = server(lab)
    it = postern(lab, users(lab), f'lmtp "{path}"')
    with it.smtp() as s:
        s.ehlo()
        s.mail("a@c.test")
        assert s.rcpt(at("ann"), ["NOTIFY=SUCCESS"])[0] == 250
        assert s.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250
    told, = it.home.wait(1)
    assert b"\r\nAction: delivered\r\n" in told.content, told.content
    it.empty()


# ---- whose socket ----

def test_user(lab):
    """Connected as `user` of the action, who may use it; not as one who may
    not, and as root where nobody is named."""
    root = users(lab)
    folder = lab.path("sockets")
    folder.mkdir(0o755)
    r = lab.receiver(path=folder / "lmtp", lmtp=True)
    os.chown(folder / "lmtp", root.uid("bob"), 0)
    os.chmod(folder / "lmtp", 0o600)
    for user, good in ((" user bob", True), (" user eve", False), ("", True)):
        it = postern(lab, root, f'lmtp "{folder}/lmtp"{user}')
        n = len(r.messages)
        it.send("a@c.test", at("ann"))
        if good:
            m = r.wait(n + 1)[-1]
            want = root.uid("bob") if user else 0
            assert m.peer[1:] == (want, want)
            it.empty()
        else:
            row, = base.wait_until(
                lambda: [q for q in it.queue() if q["attempts"]], "it waits")
            assert "Permission denied" in str(row["last"]), row
            it.ctl("remove", "all")
        it.stop()


def test_unknown_user(lab):
    """`user` that there is not: the configuration may stand, its mail waits."""
    r, path = server(lab)
    it = postern(lab, users(lab), f'lmtp "{path}" user nobody-such')
    it.send("a@c.test", at("ann"))
    row, = base.wait_until(
        lambda: [q for q in it.queue() if q["attempts"]], "it waits")
    assert "nobody-such: there is no such user" in str(row["last"]), row
    assert row["last"]["cause"] == "configuration" and not r.sessions
    it.ctl("remove", "all")


@pytest.mark.parametrize("what", ["none", "file", "refused"])
def test_no_server(lab, what):
    """No socket, or no server at it: later, and why."""
    path = lab.path("lmtp")
    words = "No such file or directory"
    if what == "file":
        path.write_text("")
        words = "Connection refused"
    if what == "refused":
        lab.receiver(path=path, lmtp=True).stop()
        words = "Connection refused"
    it = postern(lab, users(lab), f'lmtp "{path}"')
    it.send("a@c.test", at("ann"))
    row, = base.wait_until(
        lambda: [q for q in it.queue() if q["attempts"]], "it waits")
    assert words in str(row["last"]) and str(path) in str(row["last"]), row
    it.ctl("remove", "all")


# ---- trouble ----

@pytest.mark.parametrize("stage", ["banner", "ehlo", "mail", "rcpt", "data",
                                   "dot"])
def test_lost(lab, stage):
    """It goes away in the middle, once: delivered by the next connection, and
    only in the content's case perhaps twice."""
    again = {"banner": "220 x LMTP", "ehlo": "250 x", "mail": "250 ok",
             "rcpt": "250 ok", "data": "354 go", "dot": "250 ok"}[stage]
    r, path = server(lab, **{stage: [CLOSE] + [again] * 9})
    it = postern(lab, users(lab), f'lmtp "{path}"')
    it.send("a@c.test", [at("ann"), at("bob")])
    base.wait_until(lambda: {n for m in r.messages for n in m.rcpts} ==
                    {"ann", "bob"}, "both have it", 60)
    it.empty(60)
    assert sorted(n for m in r.messages for n in m.rcpts) == ["ann", "bob"] or \
        stage == "dot"


def test_silent_then_killed(lab):
    """Who waits for the server is killed, as are who asks for it and who
    connects it: nothing is lost, nothing comes twice."""
    r, path = server(lab)
    it = postern(lab, users(lab), f'lmtp "{path}"')
    n = 0
    for program in ("spawn", "deliver", "queue", "spawn"):
        for _ in range(10):
            it.send("a@c.test", at("ann"), f"Subject: {n}\r\n\r\nx\r\n")
            n += 1
        pid = it.pids(program)[0]
        os.kill(pid, signal.SIGKILL)
        base.wait_until(lambda: pid not in it.pids(program) and it.all_up(),
                        f"{program} is back", 30)
        time.sleep(0.3)
    it.empty(60)
    got = [int(re.search(rb"Subject: (\d+)", m.content)[1])
           for m in r.messages]
    assert set(got) == set(range(n))
    assert len(got) <= n + 4  # a process of each was killed


def test_reload(lab):
    """A new generation connects by its own configuration, and the old one
    finishes."""
    r, path = server(lab)
    other, elsewhere = server(lab)
    it = postern(lab, users(lab), f'lmtp "{path}"')
    it.send("a@c.test", at("ann"))
    r.wait(1)
    it.write_conf(it.text.replace(str(path), str(elsewhere)))
    it.ctl("reload")
    it.send("a@c.test", at("ann"))
    other.wait(1)
    it.empty()
    it.logged(r"generation-ended generation=1")


# ---- for people ----

def test_explain(lab):
    r, path = server(lab)
    it = postern(lab, users(lab), f'lmtp "{path}"')
    said = it.ctl("explain", at("ann")).stdout
    assert re.search(rf"^host +.*{re.escape(str(path))}", said, re.M), said
    assert re.search(r"^route +.*lmtp:box", said, re.M), said
    it.write_conf(it.text.replace(str(path), "localhost:2424"))
    it.ctl("reload")
    said = it.ctl("explain", at("ann")).stdout
    assert re.search(r"^host +.*localhost\[127.0.0.1\]:2424", said, re.M), said
    assert r.sessions == 0
