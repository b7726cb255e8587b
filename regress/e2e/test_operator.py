"""What an operator does by hand, and reads in the manuals.

SPDX-License-Identifier: ISC
"""
import os
import re
import signal
import subprocess
import threading

import pytest

from lib import base
from lib.instance import conf
from lib.receiver import SILENT


def test_stop_in_order(lab):
    """Clients that never close and a server that never answers are left in
    time: nobody has to be killed."""
    r = lab.receiver(dot=SILENT)
    it = lab.postern(conf(lab.dns(), r.port))
    it.send("a@c.test", "b@x.test")
    base.wait_until(lambda: r.sessions, "a delivery is open")
    open_ones = [it.connect() for _ in range(20)]
    data = it.smtp()
    data.ehlo()
    data.mail("a@c.test")
    data.rcpt("b@x.test")
    data.putcmd("data")
    assert data.getreply()[0] == 354
    it.stop(within=10)
    assert "stop-killed" not in it.log()
    for s in open_ones:
        s.close()


def test_stop_when_slow(lab):
    """Whoever is slow has the time that others have left; one that hangs is
    killed, and named."""
    it = lab.postern(conf())
    slow, hangs = it.pids("lookup")[0], it.pids("control")[0]
    for pid in (slow, hangs):
        os.kill(pid, signal.SIGSTOP)
    goes_on = threading.Timer(6.5, os.kill, (slow, signal.SIGCONT))
    goes_on.start()
    it.stop(within=20)
    goes_on.join()
    assert re.findall(r"stop-killed name=(\w+)", it.log()) == ["control"]


@pytest.mark.parametrize("what", ["route", "one"])
def test_release_tries_now(lab, what):
    """Released recipients are tried now, also if their route is down."""
    port = base.free_port("127.0.0.1")
    host = f"smtp://127.0.0.1:{port}"
    it = lab.postern(conf(lab.dns(), host=host, retry="1h"))
    it.send("a@c.test", ["b@x.test", "c@x.test"])
    base.wait_until(lambda: [q["attempts"] for q in it.queue()] == [1, 1],
                    "one attempt each")
    selector = f"host:{host}" if what == "route" else "all"
    assert it.ctl("hold", selector, "--json").json["changed"] == 2
    before = it.log().count(" delivery ")
    assert it.ctl("release", selector, "--json").json["changed"] == 2
    base.wait_until(lambda: it.log().count(" delivery ") > before or
                    [q["attempts"] for q in it.queue()] == [2, 2],
                    "they are tried again", 45)


def test_trying(lab):
    """The listing tells who is being tried; one that was removed meanwhile is
    not listed any more, and comes to nothing."""
    r = lab.receiver(dot=SILENT, rcpt={"c@x.test": "451 4.2.0 later"})
    it = lab.postern(conf(lab.dns(), r.port, retry="1h"))
    sent = it.send("a@c.test", ["b@x.test", "c@x.test"])
    base.wait_until(lambda: [(q["attempts"], q["trying"]) for q in it.queue()]
                    == [(0, True), (1, False)], "one is refused")
    assert it.queue()[0]["state"] == "waiting"
    said = it.ctl("show", "queue").stdout.splitlines()
    assert re.search(r":0  waiting .* trying ", said[1])
    assert "trying" not in said[2]
    said = it.ctl("show", "envelope", sent).stdout
    assert said.count("next: trying") == 1
    assert it.ctl("remove", f"{sent}:0", "--json").json["in_flight"] == 1
    assert [q["n"] for q in it.queue()] == [1]
    gone = it.ctl("show", "queue", "--state", "removed", "--json").json
    assert gone["n"] == 0 and gone["trying"]
    for pid in it.pids("deliver"):
        os.kill(pid, signal.SIGKILL)
    base.wait_until(lambda: "trying" not in it.ctl(
        "show", "queue", "--state", "removed").stdout, "nobody tries it")


def test_unused_spool(lab):
    """A spool in which no message ever was is an empty one."""
    it = lab.postern(conf(lab.dns()), start=False)
    base.run(it.argv() + ["-n"])  # makes the directory
    out = it.ctl("show", "queue")
    assert len(out.stdout.splitlines()) == 1
    assert "No such file" not in out.stderr


def test_json_lines(lab):
    """Every command that prints an object prints one object."""
    it = lab.postern(conf(lab.dns()))
    key = it.dir / "made.key"
    got = it.ctl("dkim", "key", "x.test", "s1", "-o", key, "--json").json
    assert got["name"] == "s1._domainkey.x.test" and got["type"] == "TXT"
    assert got["value"].startswith("v=DKIM1; k=rsa; p=MII")
    assert it.ctl("dkim", "show", key, "x.test", "s1", "--json").json == got
    it.stop()
    got = it.ctl("rebuild", "--json").json
    assert got == {"verdict": "done", "messages": 0, "recipients": 0,
                   "set_aside": 0}


def test_one_line_for_one_error(lab):
    """What hinders a start is printed once, if the log is there too."""
    key = lab.dir / "weak.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "1024"], check=True,
                   stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    file = lab.dir / "weak.conf"
    file.write_text(f'dkim domain x.test selector s key "{key}"\n'
                    'action "out" relay\nmatch for any action "out"\n')
    out = base.run([base.BUILD / "smtpd", "-n", "-f", file])
    assert out.returncode == 1
    line, = out.stderr.splitlines()
    assert re.match(r".*weak\.conf:1: .*too weak", line), line


def test_foreign_descriptors(lab):
    """smtpd keeps nothing open that was open before it."""
    it = lab.postern(conf(lab.dns()), start=False)
    it.wrap = ["/bin/sh", "-c", 'exec 9</etc/passwd; exec "$@"', "sh"]
    it.start()
    held = [os.readlink(f"/proc/{it.pid}/fd/{n}")
            for n in os.listdir(f"/proc/{it.pid}/fd")]
    assert "/etc/passwd" not in held
