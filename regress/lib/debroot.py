"""A throw-away Debian: the host's own system with a layer over it, in
namespaces of its own, in which packages are installed, an MTA is swapped and
users get mail; nothing of it reaches the host.

The layer is an overlay on a tmpfs; where that cannot be mounted, a small
system is made by debootstrap from where the host's apt has its packages.  It
has its own processes, its own host name, its own network with nothing but a
loopback, and a real systemd as process 1 where the host lets us have a control
group, else a shell that waits.  It ends with the process that made it, whole:
its processes with their namespace, its files with their mounts.
POSTERN_DEBROOT=debootstrap and POSTERN_DEBROOT_INIT=none in the environment
choose what is else the last resort.

SPDX-License-Identifier: ISC
"""
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from . import base

HOSTNAME = "deb.postern.test"
# What the host's users and services have is not there: it is a fresh machine.
EMPTY = ("home", "tmp", "run", "root", "srv", "mnt", "media")
SEPARATE = ("usr", "var", "etc", "lib", "bin", "sbin")
SOURCE = "/source"  # the tree, as it stands, read only
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

# Runs in the new namespaces, as process 1 of them; $1 is the folder, $2 what
# lies below (empty: what debootstrap made is in $1/new), $3 the tree, $4 what
# becomes of process 1.
ENTER = r"""
set -e
dir=$1 lower=$2 source=$3 init=$4
cd "$dir"
if [ -n "$lower" ]; then
	mkdir up new
	mount -t tmpfs -o mode=755 layer up
	mkdir up/upper up/work
	mount -t overlay -o "lowerdir=$lower,upperdir=up/upper,workdir=up/work" \
	    layer new
else
	mount --bind new new
fi
cd new
for d in %(empty)s; do
	mkdir -p $d
	mount -t tmpfs -o mode=755 own $d
done
chmod 1777 tmp
chmod 700 root
mkdir -p ./%(source)s mnt/old
mount --rbind "$source" ./%(source)s
mount -o remount,bind,ro ./%(source)s
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
[ "$init" != systemd ] || mount -t cgroup2 cgroup sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
for d in %(devices)s; do
	touch dev/$d
	mount --bind /dev/$d dev/$d
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 pts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
touch dev/console
pivot_root . mnt/old
cd /
umount -l /mnt/old
rmdir /mnt/old
# Nothing of the host's own services, and nothing that is about its kernel.
rm -rf /etc/systemd/system/* /run/systemd/system
for unit in /lib/systemd/system/sysinit.target.wants/*; do
	case $unit in
	*/systemd-journald.service | */systemd-tmpfiles-setup.service) ;;
	*) rm "$unit" ;;
	esac
done
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' \
    >/etc/systemd/system/test.target
ip link set lo up
printf '127.0.0.1 localhost\n127.0.1.1 %(fqdn)s %(short)s\n' >/etc/hosts
echo %(short)s >/etc/hostname
hostname %(short)s
exec </dev/null
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo entered
case $init in
systemd)
	export container=postern
	exec /lib/systemd/systemd --system --unit=test.target --show-status=0 \
	    --log-target=null ;;
esac
while :; do
	sleep 1000 &
	wait $!
done
""" % {"empty": " ".join(EMPTY), "source": SOURCE[1:],
       "devices": " ".join(DEVICES), "fqdn": HOSTNAME,
       "short": HOSTNAME.partition(".")[0]}

# A fresh machine: nobody in it but the system's own users and ann; nothing
# starts but what a test installs, and packages may start what they bring.
PREPARE = r"""
set -e
sed -i -E '/^[^:]+:[^:]*:[1-5]?[0-9]{4}:/d' /etc/passwd \
    /etc/group
rm -f /usr/sbin/policy-rc.d /etc/mailname /etc/aliases /var/mail/* \
    /var/lib/man-db/auto-update
rm -rf /var/spool/postern /etc/postern
cat /etc/skel/.profile >/dev/null 2>&1 || mkdir -p /etc/skel
useradd -u 1000 -U -m -s /bin/sh ann
"""


def remove_cgroup(path):
    """Whether it is gone, with what systemd made below it."""
    for top, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(top)
        except OSError:
            return False
    return True


class DebRoot:
    """One throw-away Debian; stop() takes it away."""

    def __init__(self, directory, init=None, lower=None):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True)
        self.cgroup = None
        self.child = None
        init = init or os.environ.get("POSTERN_DEBROOT_INIT", "systemd")
        lower = lower or os.environ.get("POSTERN_DEBROOT", "overlay")
        if lower == "overlay" and not self._can_overlay():
            lower = "debootstrap"
        if lower == "debootstrap":
            self._debootstrap()
        self.lower = "/" if lower == "overlay" else ""
        self.init = init if init != "systemd" or self._make_cgroup() else "none"
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    # -- making it --
    def _can_overlay(self):
        """Whether the host's system is one file system, and takes a layer."""
        if any(os.path.ismount("/" + d) for d in SEPARATE):
            return False
        trial = self.dir / "trial"
        trial.mkdir()
        script = ('mount -t tmpfs t "$0" && cd "$0" && mkdir u w m && mount -t '
                  'overlay -o lowerdir=/,upperdir=u,workdir=w o m && ls m/etc')
        out = base.run(["unshare", "-m", "--propagation", "private", "sh",
                        "-c", script, trial])
        trial.rmdir()
        return out.returncode == 0

    def _debootstrap(self):
        """The suite that the host is, from where its apt has it."""
        out = base.run(["apt-get", "indextargets", "--format",
                        "$(SITE) $(CODENAME) $(SUITE)", "Created-By: Packages"])
        suite = base.run(["sh", "-c",
                          ". /etc/os-release; echo $VERSION_CODENAME"]
                         ).stdout.strip()
        site = next(line.split()[0] for line in out.stdout.splitlines()
                    if suite in line.split()[1:])
        new = self.dir / "new"
        made = base.run(["debootstrap", "--variant=minbase",
                         "--include=systemd,systemd-sysv,make,gcc,iproute2,"
                         "procps,ca-certificates", suite, new, site],
                        timeout=600)
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr
        shutil.rmtree(new / "etc/apt")
        shutil.copytree("/etc/apt", new / "etc/apt", symlinks=True)
        for path in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
            shutil.copy("/" + path, new / path)

    def _make_cgroup(self):
        """A control group for systemd, which makes its own below it."""
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, where, kind, *_ = line.split()
            if kind == "cgroup2":
                for old in Path(where).glob("postern-*"):
                    if not Path("/proc", old.name.split("-")[1]).exists():
                        remove_cgroup(old)  # of a run that was killed
                self.cgroup = Path(where) / f"postern-{os.getpid()}-{id(self)}"
                try:
                    self.cgroup.mkdir()
                    return True
                except OSError:
                    self.cgroup = None
        return False

    def _start(self):
        def join():
            if self.cgroup:
                (self.cgroup / "cgroup.procs").write_text("0")

        self.child = base.Child(
            ["unshare", "-muipnC", "--propagation", "private", "--fork",
             "--kill-child", "sh", "-c", ENTER, "enter", self.dir, self.lower,
             base.ROOT, self.init], self.dir / "log", preexec=join)
        base.wait_until(self._entered, "the throw-away root", 60)
        self.pid = base.children(self.child.pid)[0]
        self.sh(PREPARE)
        # It may be a link to a place that is not here.
        self.path("/etc/resolv.conf").unlink(missing_ok=True)
        self.write("/etc/resolv.conf", Path("/etc/resolv.conf").read_bytes())
        if self.init == "systemd":
            base.wait_until(self._booted, "systemd is up", 60, 0.2)
        else:
            self._syslog()

    def _entered(self):
        assert self.child.running(), self.child.log()
        return "entered" in self.child.log()

    def _booted(self):
        out = self.sh("systemctl is-active test.target", check=False)
        return out.stdout.strip() == "active"

    def _syslog(self):
        """What a syslog daemon would do."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(str(self.path("/dev/log")))
        self.path("/dev/log").chmod(0o666)
        out = open(self.path("/var/log/syslog"), "ab", buffering=0)

        def take():
            while True:
                line = sock.recv(65536)
                if not line:
                    return
                _, _, line = line.rstrip(b"\0\n").partition(b">")
                stamp, said = line[:15], line[15:].lstrip()
                out.write(stamp + b" " + HOSTNAME.partition(".")[0].encode() +
                          b" " + said + b"\n")
        threading.Thread(target=take, daemon=True).start()

    # -- working in it --
    def run(self, argv, online=False, user=None, env=(), check=True, timeout=60,
            input=None):
        """A command in it; online: with the host's network, for apt."""
        argv = [str(a) for a in argv]
        user = None if user == "root" else user
        if user:
            argv = ["setpriv", f"--reuid={user}", f"--regid={user}",
                    "--init-groups", "--", *argv]
        home = f"/home/{user}" if user else "/root"
        inside = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                          "/sbin:/bin",
                  "HOME": home, "USER": user or "root",
                  "LOGNAME": user or "root", "LANG": "C.UTF-8",
                  "DEBIAN_FRONTEND": "noninteractive"}
        if not self.systemd():
            inside.update(RUNLEVEL="2", PREVLEVEL="N")
        if online:
            inside.update((k, v) for k, v in os.environ.items()
                          if k.lower().endswith("_proxy"))
        inside.update(env)
        where = ["nsenter", "-t", self.pid, "-m", "-p", "-u", "-i",
                 *([] if online else ["-n"]), "--", "env", "-C", home]
        kw = {"stdin": subprocess.DEVNULL} if input is None else {}
        # Files, not pipes: a service that it starts may keep them open.
        with tempfile.TemporaryFile() as said, \
                tempfile.TemporaryFile() as trouble:
            out = subprocess.run([str(a) for a in where + argv], input=input,
                                 env=inside, stdout=said, stderr=trouble,
                                 timeout=timeout, **kw)
            said.seek(0)
            trouble.seek(0)
            out.stdout = said.read().decode(errors="replace")
            out.stderr = trouble.read().decode(errors="replace")
        if check:
            assert out.returncode == 0, \
                f"{shlex.join(argv)[:300]}: {out.returncode}\n" \
                f"{out.stdout[-1500:]}\n{out.stderr[-1500:]}"
        return out

    def sh(self, script, *args, **kw):
        """A shell script in it."""
        return self.run(["sh", "-c", script, "sh", *args], **kw)

    def apt(self, *args, online=False, timeout=600, **kw):
        """apt-get, by default without any network: from what is there."""
        return self.run(["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0",
                         "-o", "APT::Sandbox::User=root",
                         "--no-install-recommends", *args], online=online,
                        timeout=timeout, **kw)

    def path(self, name):
        """A file of it, as we see it from outside."""
        return Path(f"/proc/{self.pid}/root") / str(name).lstrip("/")

    def read(self, name):
        """Bytes of a file in it; none if it is not there."""
        try:
            return self.path(name).read_bytes()
        except OSError:
            return b""

    def write(self, name, text, mode=None, user=None):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if mode is not None:
            path.chmod(mode)
        if user is not None:
            self.run(["chown", f"{user}:{user}", name])

    def systemd(self):
        return self.init == "systemd"

    # -- putting it away --
    def stop(self):
        if self.child is not None:
            self.child.stop(5, sig=9)
        if self.cgroup is not None:
            # Its processes are dying; the groups go when the last one has.
            base.wait_until(lambda: remove_cgroup(self.cgroup),
                            f"{self.cgroup} is empty", 20)
        shutil.rmtree(self.dir, ignore_errors=True)
