"""The test house: what pytest needs to know of it.

C unit tests are items too; each line "ok NAME" or "not ok NAME" of them counts
as a test.  The very last line of a run is "N passed, N failed" over all.

SPDX-License-Identifier: ISC
"""
import ctypes
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lib import base  # noqa: E402
from lib.dns import Dns  # noqa: E402
from lib.instance import Instance  # noqa: E402
from lib.liar import Liar  # noqa: E402
from lib.postfix import Postfix  # noqa: E402
from lib.receiver import Receiver  # noqa: E402

REGRESS = Path(__file__).parent


# ---- the closing line ----

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    config.outcome = {}  # nodeid -> [passed, failed]
    config.notes = []  # what tests want to be seen, also when they pass
    if not hasattr(config, "workerinput"):
        # One folder for all that is written, by the workers too: whatever
        # becomes of them, nothing stays behind.
        top = tempfile.mkdtemp(prefix="postern-")
        os.chmod(top, 0o755)
        os.environ["POSTERN_TMP"] = top
        config.option.basetemp = os.path.join(top, "pytest")


def pytest_addoption(parser):
    parser.addoption("--tally", help="write the two numbers to this file, and "
                     "below them what failed, without parameters")


class Tally:
    """Counts what the reports say; a test failed if any phase of it did."""

    def __init__(self, config):
        self.config = config

    def pytest_runtest_logreport(self, report):
        seen = self.config.outcome.setdefault(report.nodeid, [0, 0])
        unit = dict(report.user_properties).get("unit")
        if report.when == "call":
            self.config.notes += [v for k, v in report.user_properties
                                  if k == "note"]
        if report.when == "call" and unit is not None:
            seen[0] += unit[0]
            seen[1] += unit[1]
        elif report.failed:
            seen[:] = [0, 1]
        elif report.when == "call" and report.passed and not seen[1]:
            seen[0] = 1
        elif report.skipped:
            seen[:] = [0, 1]  # what was not tried has not passed

    def pytest_collectreport(self, report):
        if report.failed:
            self.config.outcome[report.nodeid] = [0, 1]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Tally(session.config), "tally")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """A run in which something failed, or nothing ran, is no good run."""
    passed, failed = _sum(session.config)
    if not hasattr(session.config, "workerinput") and \
            (failed or not passed) and session.exitstatus == 0:
        session.exitstatus = 1


def _sum(config):
    return (sum(p for p, _ in config.outcome.values()),
            sum(f for _, f in config.outcome.values()))


def pytest_terminal_summary(terminalreporter, config):
    for note in config.notes:
        terminalreporter.write_line(note)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["POSTERN_TMP"], ignore_errors=True)
    if hasattr(config, "workerinput") or config.option.collectonly or \
            config.pluginmanager.get_plugin("tally") is None:
        return
    passed, failed = _sum(config)
    if config.option.tally:
        names = sorted({f"regress/{node.partition('[')[0]}\n"
                        for node, (_, bad) in config.outcome.items() if bad})
        Path(config.option.tally).write_text(
            f"{passed} {failed}\n" + "".join(names))
    print(f"{passed} passed, {failed} failed", flush=True)


# ---- C unit tests ----

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".c" and file_path.parent.name == "unit":
        return UnitFile.from_parent(parent, path=file_path)
    return None


class UnitFile(pytest.File):
    def collect(self):
        yield Unit.from_parent(self, name=self.path.stem)


class UnitFailed(Exception):
    pass


CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000


def own_tmp(path):
    """For a child before it runs: its /tmp is this folder, so that what a
    program that breaks leaves in it goes with the folder."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter():
        if libc.unshare(CLONE_NEWNS) or \
                libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) or \
                libc.mount(path.encode(), b"/tmp", None, MS_BIND, None):
            os._exit(126)
    hidden = Path("/tmp") in base.BUILD.parents
    return enter if base.IS_ROOT and not hidden else None


class Unit(pytest.Item):
    """One program of regress/unit: its lines are the tests."""

    def runtest(self):
        program = base.BUILD / "unit" / self.name
        if not program.exists():
            raise UnitFailed(f"{program} is not there")
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1",
                   UBSAN_OPTIONS="print_stacktrace=1")
        with tempfile.TemporaryDirectory(
                prefix="unit-", dir=os.environ["POSTERN_TMP"]) as tmp:
            os.chmod(tmp, 0o1777)
            out = base.run([program], timeout=300, cwd="/", env=env,
                           preexec_fn=own_tmp(tmp))
        good = re.findall(r"^ok .+$", out.stdout, re.M)
        bad = re.findall(r"^not ok .+$", out.stdout, re.M)
        crashed = out.returncode not in (0, 1) or \
            (out.returncode == 1 and not bad) or \
            "Sanitizer" in out.stderr or "runtime error" in out.stderr
        if crashed:
            bad.append(f"not ok (ended with {out.returncode}) " +
                       out.stderr[-3000:])
        if not good and not bad:
            bad.append("not ok (no test in it)")
        self.user_properties.append(("unit", (len(good), len(bad))))
        if bad:
            raise UnitFailed("\n".join(bad))

    def repr_failure(self, excinfo):
        if excinfo.errisinstance(UnitFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, f"unit {self.name}"


# ---- what a test is given ----

class Lab:
    """Makes what a test asks for and puts it all away afterwards."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="test-",
                                         dir=os.environ["POSTERN_TMP"]))
        self.dir.chmod(0o755)
        self.things = []
        self.made = 0

    def path(self, name):
        self.made += 1
        return self.dir / f"{name}{self.made}"

    def keep(self, thing):
        self.things.append(thing)
        return thing

    def dns(self, names=None, **kw):
        """NSD with these names; x.test has its mail at 127.0.0.1."""
        if names is None:
            names = {"x.test": ["MX 10 mx.x.test."],
                     "mx.x.test": ["A 127.0.0.1"]}
        return self.keep(Dns(self.path("nsd"), names, **kw))

    def liar(self, *args, **kw):
        return self.keep(Liar(*args, **kw))

    def receiver(self, **kw):
        kw.setdefault("directory", self.dir)
        return self.keep(Receiver(**kw))

    def receivers(self, *addresses, **kw):
        """Receivers on several addresses and one port, and the port."""
        for _ in range(20):
            port = base.free_port(*addresses)
            try:
                return port, [self.receiver(address=a, port=port, **kw)
                              for a in addresses]
            except OSError:
                continue
        raise AssertionError("no port on " + " ".join(addresses))

    def postfix(self, *args, **kw):
        return self.keep(Postfix(self.path("postfix"), *args, **kw))

    def postern(self, text, **kw):
        return self.keep(Instance(self.path("postern"), text, **kw))

    def child(self, argv, name="child", **kw):
        return self.keep(base.Child(argv, self.path(name), **kw))

    def logs(self):
        for path in sorted(self.dir.glob("postern*/smtpd.log")):
            yield path.parent.name, path.read_text(errors="replace")[-12000:]

    def close(self):
        trouble = None
        for thing in reversed(self.things):
            try:
                thing.stop()
            except Exception as e:  # the others are put away all the same
                trouble = trouble or e
        if trouble is not None:
            raise trouble

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def lab(request):
    it = Lab()
    request.node.lab = it
    yield it
    try:
        it.close()
    finally:
        request.node.lab_logs = list(it.logs())
        it.remove()


@pytest.fixture(scope="module")
def shared_lab():
    """One for all tests of a file: what they start is used again."""
    it = Lab()
    yield it
    try:
        it.close()
    finally:
        it.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    result = yield
    report = result.get_result()
    if report.failed:
        found = getattr(item, "lab_logs", None)
        if found is None and hasattr(item, "lab"):
            found = item.lab.logs()
        for name, text in found or ():
            report.sections.append((f"log of {name}", text))


# What takes longest, beside the others.
LONG = {f"test_{name}.py": n for n, name in enumerate((
    "deb", "auth_out", "crash", "peers_out", "fail2ban", "tls_out", "reload",
    "local", "ctl", "dkim_rotate", "tables", "auth", "conf", "auth_secrets",
    "lmtp", "input", "spawn", "guard", "dsn", "srs", "submission", "disk",
    "activation", "tls", "forward", "out"))}


def pytest_collection_modifyitems(items):
    """The long ones first, so that the workers end together: those that are
    known for it, then files by their size, of C last."""
    size = {p: p.stat().st_size for p in {i.path for i in items}}
    items.sort(key=lambda i: (LONG.get(i.path.name, len(LONG)),
                              i.path.suffix == ".c", -size[i.path],
                              str(i.path)))
