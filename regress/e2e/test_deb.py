"""The Debian package, in a throw-away Debian (lib/debroot.py): built there,
installed over another MTA, used by the programs that send mail on a host,
configured by debconf, upgraded, removed and purged.

All tests share one Debian and stand in the order of its life.

SPDX-License-Identifier: ISC
"""
import email
import mailbox
import os
import re
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from email import policy
from pathlib import Path

import pytest

from lib import base
from lib.debroot import DebRoot, HOSTNAME, SOURCE

if base.SANITIZED:
    pytest.skip("the package is built without sanitizers: it was tried in the "
                "plain run", allow_module_level=True)

# The first test waits for packages and the compiler.
pytestmark = pytest.mark.timeout(1500)

# What a test needs, from Debian; the other MTA is the first.
OTHER = "exim4-daemon-light"
TOOLS = ("cron", "at", "php-cli", "git", "git-email", "libmailtools-perl",
         "mutt", "s-nail", "bsd-mailx", "msmtp", "logwatch", "fail2ban",
         "dovecot-lmtpd", "unattended-upgrades", "lintian", "openssl",
         "debconf-utils")
BUILT = "/var/tmp/built"
PACKED = f"{BUILT}/deb/postern"  # the copy of the sources
ANN = "/var/mail/ann"
CONF = "/etc/postern/smtpd.conf"
CRON_SAID = "cron ran this in a minute"


# ---- one Debian for all ----

@pytest.fixture(scope="module")
def box():
    it = DebRoot(Path(os.environ["POSTERN_TMP"]) / "debian")
    try:
        it.apt("update", online=True)
        it.run(["make", "-C", SOURCE, "packages-deb"], online=True,
               timeout=600)
        it.apt("install", "--download-only", OTHER, *TOOLS, online=True)
        # Without one Dovecot's package does not install.
        it.sh("mkdir -p /etc/dovecot/private && cd /etc/dovecot/private && "
              "openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
              f"-subj /CN={HOSTNAME} -keyout dovecot.key -out dovecot.pem && "
              "chmod 600 dovecot.key")
        # Nor fail2ban's, where there is no log of sshd.
        it.write("/etc/fail2ban/jail.d/zz.local", "[sshd]\nenabled = false\n")
        # What was compiled from these files is not compiled again, but for
        # the places; by the same warnings, or Debian's, which are fewer.
        shutil.copytree(base.BUILD / "obj", it.path(f"{PACKED}/build/obj"))
        # No network from here on.
        with ThreadPoolExecutor() as pool:
            build = pool.submit(
                it.run, ["make", "-C", SOURCE, "deb", f"B={BUILT}"],
                timeout=1200)
            it.apt("install", OTHER, *TOOLS, timeout=1200)
            made = build.result()
        it.build_log = made.stdout + made.stderr
        it.deb = next(str(p) for p in it.path(f"{BUILT}/deb").glob("*.deb")
                      if "dbgsym" not in p.name)
        it.deb = it.deb[it.deb.index(BUILT):]
        yield it
    finally:
        it.stop()


@pytest.fixture(scope="module")
def host(box):
    """... with the package in place of the other MTA."""
    assert "Exim" in box.sh("sendmail -bV").stdout
    box.write("/etc/cron.d/said", "SHELL=/bin/sh\n"
              f"* * * * * ann echo '{CRON_SAID}'\n", 0o644)
    # As somebody at a terminal sees it: a question would be on it.
    box.install_log = box.run(
        ["script", "-qec", "apt-get -y -o Dpkg::Use-Pty=0 install "
         + box.deb, "/dev/null"],
        env={"DEBIAN_FRONTEND": "readline", "TERM": "dumb"},
        timeout=120).stdout
    return box


def works(box):
    return box.sh("smtpctl show status", check=False).returncode == 0


def log_of(box):
    """What syslog has of it."""
    if box.systemd():
        return box.sh("journalctl -o short --no-pager -t postern", check=False
                      ).stdout
    return box.read("/var/log/syslog").decode(errors="replace")


def messages(box, path=ANN):
    """The messages of an mbox, as they are behind the "From " lines."""
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(box.read(path))
        copy.flush()
        box_of = mailbox.mbox(copy.name)
        return [box_of.get_bytes(k) for k in box_of.keys()]


def arrived(box, mark, path=ANN, timeout=40):
    """Waits for the message with these words; (parsed, bytes)."""
    def find():
        for raw in messages(box, path):
            if mark.encode() in raw:
                return raw
        return None
    try:
        raw = base.wait_until(find, f"{mark!r} in {path}", timeout, 0.1)
    except AssertionError:
        raise AssertionError(
            f"{mark!r} is not in {path}\n"
            + box.sh("smtpctl show queue; ls -l /var/mail", check=False).stdout
            + log_of(box)[-3000:])
    return email.message_from_bytes(raw, policy=policy.default), raw


def body_of(raw):
    return raw.partition(b"\n\n")[2].rstrip(b"\n")


def reload_with(box, changes):
    """smtpd.conf with replacements, at work; what it was."""
    was = box.read(CONF).decode()
    text = was
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    box.write(CONF, text)
    box.sh("smtpd -n && smtpctl reload")
    return was


# ---- the package itself ----

def test_builds(box):
    """Without a warning of the compiler, from a copy that is whole, and as the
    lists say it."""
    assert re.search(r"(?m)^gcc .*-ffile-prefix-map=.* common/places\.c$",
                     box.build_log)
    assert "warning:" not in box.build_log
    needed = {name for path in (base.BUILD / "obj").rglob("*.d")
              for name in re.findall(r"(?m)^(\S+\.h):$", path.read_text())}
    assert len(needed) > 100
    assert not [n for n in needed if not box.path(f"{PACKED}/{n}").exists()]
    control = (base.ROOT / "etc/debian/control").read_text()
    needs = set(re.findall(r"(?m)^ ([a-z0-9.+-]+-dev),$", control))
    make = (base.ROOT / "Makefile").read_text().replace("\\\n", " ")
    lists = re.search(r"(?m)^PKGS_BUILD = (.*)$", make)[1].split()
    assert needs == {p for p in lists if p.endswith("-dev")} - {"libc6-dev"}


def test_lintian(box):
    out = box.sh(f"lintian --allow-root --fail-on error,warning --tag-display-"
                 f"limit 0 {BUILT}/deb/*.changes", check=False, timeout=120)
    assert out.returncode == 0, out.stdout + out.stderr


# ---- in place of another ----

def test_replaces_another(host, record_property):
    """apt takes the other MTA away, asks nothing, and mail works."""
    record_property("note", f"test_deb: process 1 is "
                    f"{'systemd' if host.systemd() else 'a shell'}, the layer "
                    f"lies over {host.lower or 'what debootstrap made'}")
    assert re.search(r"Removing exim4-daemon-light", host.install_log)
    for question in ("Mail name of this host", "Recipients of the mail",
                     "Smarthost that mail"):
        assert question not in host.install_log
    assert host.read("/etc/postern/smtpd.conf")
    assert works(host), host.install_log[-3000:] + log_of(host)
    if host.systemd():
        for unit in ("postern.service", "postern.socket"):
            assert host.sh(f"systemctl is-active {unit} && systemctl "
                           f"is-enabled {unit}").stdout == "active\nenabled\n"
    assert host.read("/etc/mailname").decode() == HOSTNAME + "\n"
    assert "root: ann\n" in host.read("/etc/aliases").decode()


def test_nothing_open_to_strangers(host):
    """As installed it listens on the loopback alone."""
    listen = host.sh("ss -Hltn 'sport = :25 or sport = :465 or sport = :587'"
                     ).stdout.split("\n")
    found = {line.split()[3] for line in listen if line}
    assert "127.0.0.1:25" in found
    assert found <= {"127.0.0.1:25", "[::1]:25"}


def test_mail_root(host):
    """`mail root`, with no edit: to who reads root's mail."""
    host.sh("echo 'to root, by mail(1)' | mail -s hello root")
    message, raw = arrived(host, "to root, by mail(1)")
    assert message["Subject"] == "hello"
    assert message["From"].addresses[0].addr_spec == f"root@{HOSTNAME}"
    assert message["To"] == f"root@{HOSTNAME}"
    assert message["Return-Path"] == f"<root@{HOSTNAME}>"
    assert message["Delivered-To"] and message["Date"] and \
        message["Message-ID"]
    status = host.sh("stat -c '%U:%G %a' " + ANN).stdout.strip()
    assert status in ("ann:mail 660", "ann:mail 600"), status


# ---- who sends mail on a host ----

GIT = r"""
set -e
rm -rf ~/repo && mkdir ~/repo && cd ~/repo
git init -q
git config user.name Ann
git config user.email ann@%s
git commit -q --allow-empty -m first
printf 'by git send-email\n' >file
git add file
git commit -q -m 'a patch: by git send-email'
git send-email --quiet --confirm=never --suppress-cc=all --to root HEAD^
""" % HOSTNAME

UPGRADES = r"""
import importlib.machinery, importlib.util
path = "/usr/bin/unattended-upgrade"
spec = importlib.util.spec_from_loader(
    "u", importlib.machinery.SourceFileLoader("u", path))
u = importlib.util.module_from_spec(spec)
spec.loader.exec_module(u)
assert u._send_mail_using_sendmail("root", "root", "by unattended-upgrades",
                                   "All upgrades installed\n") == 0
"""

# Columns: who, as which user, the command line, the words that tell its
# message, the body byte by byte or None.
SENDERS = (
    ("bsd-mailx", "ann", "echo 'by bsd-mailx' | bsd-mailx -s x root",
     "by bsd-mailx", b"by bsd-mailx"),
    ("s-nail", "ann", "echo 'by s-nail' | s-nail -s x root", "by s-nail",
     b"by s-nail"),
    ("mutt", "ann", "echo 'by mutt' | mutt -s x root", "by mutt", b"by mutt"),
    ("php", "root", r"""php -r 'exit(mail("root", "by php mail()",
        "one\r\n.\r\n\r\nFrom four\r\n") ? 0 : 1);'""", "by php mail()",
     b"one\n.\n\n>From four"),
    ("git", "ann", GIT, "by git send-email", None),
    ("msmtp", "ann", "printf 'Subject: by msmtp\n\n\\303\\251\n' | msmtp "
     f"--host=127.0.0.1 --port=25 --from=ann@{HOSTNAME} ann@{HOSTNAME}",
     "by msmtp", b"\xc3\xa9"),
    ("msmtp -t", "ann", f"printf 'To: ann@{HOSTNAME}\nSubject: as sendmail, by "
     "msmtp\n\nx\n.\ny\n' | msmtp -oi -t --host=127.0.0.1 "
     f"--from=ann@{HOSTNAME}", "as sendmail, by msmtp", b"x\n.\ny"),
    ("logwatch", "root", "logwatch --output mail --mailto root --range all "
     "--detail high --service zz-disk_space", "Logwatch for", None),
    ("unattended-upgrades", "root", f"python3 -c '{UPGRADES}'",
     "by unattended-upgrades", b"All upgrades installed"),
    ("at", "ann", "echo 'echo at ran this' | at now", "at ran this", None),
    ("-bs", "ann", "printf 'EHLO x\r\nMAIL FROM:<ann>\r\nRCPT TO:<root>\r\n"
     "DATA\r\nSubject: by -bs\r\n\r\n..\r\n.\r\nQUIT\r\n' | "
     "sendmail -bs -odb -oem", "by -bs", b"."),
)


@pytest.mark.parametrize("who,user,command,mark,body", SENDERS,
                         ids=[s[0] for s in SENDERS])
def test_sends(host, who, user, command, mark, body):
    out = host.sh(command, user=user, timeout=60)
    message, raw = arrived(host, mark)
    assert message["From"] and message["Date"] and message["Message-ID"], \
        (out.stdout, raw)
    if body is not None:
        assert body_of(raw) == body


# ---- where mail arrives ----

def test_maildir(host):
    """One word in smtpd.conf, and root's mail goes to ann's ~/Maildir."""
    was = reload_with(host, {'action "local" mbox': 'action "local" maildir'})
    try:
        host.sh("printf 'Subject: into Maildir\n\nx\n' | sendmail -i root")

        def new():
            folder = host.path("/home/ann/Maildir/new")
            return list(folder.iterdir()) if folder.is_dir() else []
        path, = base.wait_until(new, "a message in ~ann/Maildir/new", 30)
        assert b"Subject: into Maildir\n" in path.read_bytes()
        assert path.stat().st_uid == 1000 and path.stat().st_mode & 0o77 == 0
    finally:
        host.write(CONF, was)
        host.sh("smtpctl reload")


DOVECOT = """\
protocols = lmtp
mail_location = maildir:~/dovecot
ssl = no
log_path = /var/log/dovecot.log
auth_username_format = %Ln
service lmtp {
  unix_listener lmtp {
    mode = 0600
  }
}
userdb {
  driver = passwd
}
passdb {
  driver = static
  args = nopassword=y
}
"""


def test_dovecot(host):
    """Dovecot's LMTP takes mail of an `lmtp` action, over a Unix socket."""
    host.write("/etc/dovecot/dovecot.conf", DOVECOT)
    host.run(["service", "dovecot", "restart"])
    base.wait_until(lambda: host.path("/run/dovecot/lmtp").exists(),
                    "Dovecot's socket", 30)
    was = reload_with(host, {'action "local" mbox':
                             'action "local" lmtp "/run/dovecot/lmtp"'})
    try:
        host.sh("printf 'Subject: to Dovecot\n\n.\nx\n' | sendmail -i root")

        def new():
            folder = host.path("/home/ann/dovecot/new")
            return list(folder.iterdir()) if folder.is_dir() else []
        path, = base.wait_until(new, "a message in Dovecot's mailbox", 30)
        assert body_of(path.read_bytes()) == b".\nx"
    finally:
        host.write(CONF, was)
        host.sh("smtpctl reload")
        host.run(["service", "dovecot", "stop"], check=False)


# ---- failed logins ----

# Of the second failure the client hears after two seconds.
LOGINS = r"""
import smtplib, ssl
with smtplib.SMTP("127.0.0.1", 587, timeout=20) as s:
    s.starttls(context=ssl._create_unverified_context())
    s.ehlo()
    for i in range(2):
        code, said = s.docmd("AUTH", "PLAIN AGFubgB3cm9uZw==")
        assert code == 535, said
"""


# All that it does about them is to mail root; a ban needs the host's kernel.
JAIL = """\
[DEFAULT]
ignoreself = false
ignoreip =
[sshd]
enabled = false
[postern]
enabled = true
backend = polling
logpath = /var/log/found
maxretry = 2
action = sendmail[name=postern, dest=root, sender=fail2ban]
"""


def test_fail2ban(host):
    """fail2ban finds failed logins in our log as it is on this host, and
    nothing in it when nobody tried; and its mail arrives."""
    def found():
        host.write("/var/log/found", log_of(host))
        out = host.run(["fail2ban-regex", "--print-all-matched",
                        "/var/log/found", "/etc/fail2ban/filter.d/postern.conf"
                        ], timeout=60)
        return int(re.search(r"(\d+) matched", out.stdout)[1]), out.stdout
    before, said = found()
    assert before == 0, said
    host.write("/etc/postern/passwords",
               "ann " + host.sh("smtpctl encrypt right").stdout, 0o600)
    was = reload_with(host, {"listen on localhost\n": f"""listen on localhost
pki {HOSTNAME} cert "/etc/dovecot/private/dovecot.pem"
pki {HOSTNAME} key "/etc/dovecot/private/dovecot.key"
table passwords file:/etc/postern/passwords
listen on 127.0.0.1 port 587 tls-require pki {HOSTNAME} auth <passwords>
"""})
    try:
        host.run(["python3", "-c", LOGINS])
        base.wait_until(lambda: found()[0] >= 2, "two failed logins", 45, 0.5)
    finally:
        host.write(CONF, was)
        host.sh("smtpctl reload; rm /etc/postern/passwords")
    host.write("/etc/fail2ban/jail.d/zz.local", JAIL)
    host.run(["service", "fail2ban", "restart"])
    message, raw = arrived(host, "The IP 127.0.0.1 has just been banned")
    assert message["Subject"] == f"[Fail2Ban] postern: banned 127.0.0.1 from " \
        f"{HOSTNAME}"
    assert message["Return-Path"] == f"<fail2ban@{HOSTNAME}>"
    host.run(["service", "fail2ban", "stop"])


# ---- debconf ----

def answers(box):
    said = box.sh("debconf-show postern").stdout
    return dict(re.findall(r"(?m)^.? ?postern/(\w+): ?(.*)$", said))


def test_debconf_defaults(host):
    """What was not asked is what the files say."""
    got = answers(host)
    assert got["mailname"] == HOSTNAME and got["root"] == "ann" and \
        got["smarthost"] == ""


def test_edits_stay(host):
    """What an administrator wrote is in the questions then, and stays when
    the package is configured again, by an upgrade or by him."""
    outbound = "/etc/postern/outbound.conf"
    was = {p: host.read(p) for p in (outbound, "/etc/aliases", CONF,
                                     "/etc/mailname")}
    edited = was[outbound].decode().replace(
        'relay', 'relay host "smtp+notls://relay.test:2525"')
    host.write(outbound, edited)
    host.write("/etc/aliases", was["/etc/aliases"].decode().replace(
        "root: ann", "root:\n\tann,\n\tbob@x.test"))
    aliases = host.read("/etc/aliases")
    host.write(CONF, was[CONF] + b"# mine\n")
    try:
        host.sh("dpkg-reconfigure postern")
        assert host.read(outbound).decode() == edited
        assert host.read("/etc/aliases") == aliases
        assert host.read(CONF).endswith(b"# mine\n")
        got = answers(host)
        assert got["smarthost"] == "smtp+notls://relay.test:2525"
        assert got["root"] == "ann, bob@x.test"
        said = host.sh("smtpctl explain x@y.test", check=False).stdout
        assert "relay.test" in said, said
        # What ucf cannot know for its own it leaves alone.
        host.write(outbound, edited + 'limit domain relay.test concurrency 1\n')
        host.sh("dpkg-reconfigure postern")
        assert "limit domain" in host.read(outbound).decode()
    finally:
        for path, text in was.items():
            host.write(path, text)
        host.sh("dpkg-reconfigure postern")
    assert works(host)


def test_root_alias_of_a_program(host):
    """What no answer can say stays, and does not stop anything."""
    was = host.read("/etc/aliases")
    odd = was.replace(b"root: ann\n", b'"Root" : "|/bin/cat", ann\n')
    assert odd != was
    host.write("/etc/aliases", odd)
    try:
        host.sh("dpkg-reconfigure postern")
        assert host.read("/etc/aliases") == odd
        assert answers(host)["root"] == ""
    finally:
        host.write("/etc/aliases", was)
        host.sh("dpkg-reconfigure postern")
    assert host.read("/etc/aliases") == was and answers(host)["root"] == "ann"


@pytest.mark.parametrize("script", ["config", "postinst"])
def test_smarthost_answers(script):
    """What would be no host of smtpd.conf(5) is refused: the host would have
    no MTA.  Who asks and who writes have the same rules."""
    text = (base.ROOT / f"etc/debian/postern.{script}").read_text()
    rule = re.search(r"(?ms)^plain_smarthost\(\) .*?^}$", text)[0]

    def is_good(answer):
        return base.run(["sh", "-c", rule + '\nplain_smarthost "$1"', "sh",
                         answer]).returncode == 0
    for good in ("", "m", "mail.x.test", "mail.x.test:587", "192.0.2.1:2525",
                 "[2001:db8::1]", "[2001:db8::1]:25", "smtps://mail.x.test",
                 "smtp+tls://label@mail.x.test:587"):
        assert is_good(good), good
    for bad in ("mail.x.test:smtp", "mail.x.test:", "2001:db8::1", "-x", ":25",
                "http://x", "smtp://", "a b", 'a"', "a@b@c", "$(id)", "x/",
                "x\nx", "[x]"):
        assert not is_good(bad), bad


@pytest.mark.parametrize("name,answer", [
    ("a.test", "a.test"), ("a_b", "a-b"), ("(none)", "none-"),
    ("-", "localhost")])
def test_default_mail_name(name, answer):
    """Whatever a machine is called, an installation without questions has a
    mail name that it takes."""
    text = (base.ROOT / "etc/debian/postern.config").read_text()
    made = re.search(r"(?ms)^host_name\(\) .*?^}$", text)[0]
    out = base.run(["sh", "-c", 'hostname() { false; }\n'
                    f'uname() {{ echo "$called"; }}\n{made}\nhost_name'],
                   env={"called": name, "PATH": os.environ["PATH"]})
    assert out.stdout == answer + "\n", out


@pytest.mark.parametrize("was,answer,is_now", [
    ("postmaster: root\n", "carol", "postmaster: root\nroot: carol\n"),
    ("Root : ann,\n  bob\nx: y\n", "a@b.test", "x: y\nroot: a@b.test\n"),
    ("root: ann\nx: y\n", "", "x: y\n"),
    ("root: ann,\n\tbob\n", "ann, bob", "root: ann,\n\tbob\n"),
    ("root: |/bin/x\n", "", "root: |/bin/x\n"),
])
def test_root_answer(tmp_path, was, answer, is_now):
    """The file of aliases may be a link, and stays one."""
    (tmp_path / "mail").mkdir()
    link, file = tmp_path / "aliases", tmp_path / "mail/aliases"
    file.write_text(was)
    file.chmod(0o640)
    link.symlink_to("mail/aliases")
    (tmp_path / "made").touch()
    text = (base.ROOT / "etc/debian/postern.postinst").read_text()
    text = text.partition('\nif [ "$1" = configure ]')[0].replace(
        ". /usr/share/debconf/confmodule", 'db_get() { RET="$answer"; }')
    for at, to in (("/etc/aliases", link),
                   ("/var/lib/postern/made", tmp_path / "made")):
        assert at in text
        text = text.replace(at, str(to))
    out = base.run(["sh", "-c", text + "\naliases\n"],
                   env=dict(os.environ, answer=answer))
    assert out.returncode == 0, out.stderr
    assert file.read_text() == is_now
    assert link.is_symlink() and file.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.rglob("*")) == \
        ["aliases", "aliases", "made", "mail"]


def test_bad_answer(host):
    """An answer that is none fails, says so, and leaves the files alone."""
    before = host.read("/etc/aliases")
    host.write("/var/tmp/answer", "postern postern/root string |/bin/sh\n")
    host.sh("cp /etc/aliases /var/tmp/aliases && sed -i /^root:/d /etc/aliases"
            " && debconf-set-selections /var/tmp/answer")
    try:
        out = host.sh("dpkg-reconfigure postern", check=False)
        assert out.returncode != 0
        assert 'postern/root: cannot be used: "|/bin/sh"' in \
            out.stdout + out.stderr
        assert b"|" not in host.read("/etc/aliases")
    finally:
        host.sh("cp /var/tmp/aliases /etc/aliases; dpkg --configure -a; "
                "dpkg-reconfigure postern")
    assert host.read("/etc/aliases") == before
    assert works(host)


# ---- its life ----

def newer(box):
    """The same package with a higher version."""
    box.sh(f"""set -e
        rm -rf /var/tmp/newer && dpkg-deb -R {box.deb} /var/tmp/newer
        sed -i 's/^Version: .*/&+1/' /var/tmp/newer/DEBIAN/control
        dpkg-deb --root-owner-group -b /var/tmp/newer /var/tmp/newer.deb""",
           timeout=120)
    return "/var/tmp/newer.deb"


def test_upgrade(host):
    """The queue and edits stay, the new programs run, and who sends mail all
    the while sees nothing of it."""
    deb = newer(host)
    host.sh("printf 'Subject: waits\n\nx\n' | sendmail -i nobody@waits.test")
    base.wait_until(lambda: "waits.test" in host.sh("smtpctl show queue"
                                                    ).stdout,
                    "a message in the queue", 45)
    host.write(CONF, host.read(CONF) + b"# mine\n")
    pid = host.read("/run/postern/smtpd.pid")
    done = threading.Event()
    sent, failed = [], []

    def send():
        while not done.is_set():
            n = len(sent)
            out = host.sh(f"printf 'Subject: upgrade {n}.\n\nx\n' | "
                          "sendmail -i ann", check=False)
            sent.append(n)
            if out.returncode != 0:
                failed.append(out.stderr)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        out = host.run(["apt-get", "-y", "-o", "Dpkg::Use-Pty=0", "install",
                        deb], timeout=120)
    finally:
        done.set()
        sender.join()
    assert not failed and len(sent) > 3, failed
    assert works(host), out.stdout
    assert host.read("/run/postern/smtpd.pid") != pid
    assert host.read(CONF).endswith(b"# mine\n")
    assert "waits.test" in host.sh("smtpctl show queue").stdout
    for n in sent:
        arrived(host, f"Subject: upgrade {n}.\n")


def test_cron(host):
    """cron ran its job of each minute meanwhile."""
    message, raw = arrived(host, CRON_SAID, timeout=120)
    assert message["Subject"].startswith("Cron <ann@")
    assert b"\nFrom: root@" in raw and b"(Cron Daemon)" in raw
    assert body_of(raw) == CRON_SAID.encode()


# What changes by itself, or belongs to the tools.
VOLATILE = ("/var/log", "/var/cache", "/var/tmp", "/var/backups",
            "/var/lib/dpkg", "/var/lib/apt", "/var/lib/ucf", "/var/spool/cron",
            "/var/lib/systemd/timers", "/var/lib/logrotate", "/var/mail",
            "/var/lib/private", "/etc/passwd-", "/etc/group-", "/etc/shadow-",
            "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/etc/.pwd.lock",
            "/etc/ld.so.cache", "/var/lib/man-db")


def tree(box):
    """Each file outside of them: kind, mode, owner; in /etc what it says."""
    prune = " -o ".join(f"-path {p}" for p in VOLATILE)
    files = box.sh(
        rf"find /etc /var /usr /home /root /run -xdev \( {prune} \) -prune -o "
        r"-printf '%p %y %m %U %G %l\n'", timeout=120).stdout.splitlines()
    sums = box.sh(
        rf"find /etc -xdev \( {prune} \) -prune -o -type f -exec sha256sum "
        r"{} +", timeout=60).stdout.splitlines()
    known = box.sh("ucfq -w postern 2>/dev/null; debconf-show postern; "
                   "grep -h postern /var/lib/ucf/hashfile "
                   "/var/lib/ucf/registry", check=False).stdout
    return set(files) | set(sums) | set(known.splitlines())


def test_purge(host):
    """A removed package keeps configuration and queue, a purged one nothing;
    and a fresh one takes answers given before."""
    host.run(["apt-get", "-y", "purge", "postern"], timeout=120)
    assert not host.path("/var/spool/postern").exists()
    assert host.read("/etc/aliases"), "which was there before us"
    host.sh("rm -f /etc/aliases /etc/mailname")
    before = tree(host)

    host.write("/var/tmp/answers",
               "postern postern/mailname string mail.example.org\n"
               "postern postern/root string ann, bob@example.net\n"
               "postern postern/smarthost string relay.test:2525\n")
    host.sh("debconf-set-selections /var/tmp/answers")
    host.apt("install", host.deb)
    assert works(host)
    assert host.read("/etc/mailname") == b"mail.example.org\n"
    aliases = host.read("/etc/aliases").decode()
    assert "root: ann, bob@example.net\n" in aliases
    assert re.search(r"(?m)^postmaster:\s*root$", aliases)
    said = host.sh("smtpctl explain x@y.test", check=False).stdout
    assert "relay.test" in said and "2525" in said, said
    host.sh("printf 'Subject: waits\n\nx\n' | sendmail -i root")
    base.wait_until(lambda: "example.net" in host.sh("smtpctl show queue"
                                                     ).stdout,
                    "a message in the queue", 30)

    host.run(["apt-get", "-y", "remove", "postern"], timeout=120)
    assert host.read(CONF) and host.read("/etc/postern/outbound.conf")
    assert any(host.path("/var/spool/postern").iterdir())
    assert host.sh("pgrep -x smtpd", check=False).returncode == 1

    host.run(["apt-get", "-y", "purge", "postern"], timeout=120)
    after = tree(host)
    assert not after - before, sorted(after - before)
    assert not before - after, sorted(before - after)
