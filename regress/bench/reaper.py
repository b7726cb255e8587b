#!/usr/bin/python3
"""Runs a command, and waits for whatever it leaves behind, so that the CPU of
processes whose parent went first is counted too.

SPDX-License-Identifier: ISC
"""
import ctypes
import os
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = os.fork()
    if child == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda s, _: os.kill(child, s))
    status = 0
    while True:
        try:
            pid, got = os.wait()
        except InterruptedError:
            continue
        except ChildProcessError:
            return status
        if pid == child:
            status = os.waitstatus_to_exitcode(got)


if __name__ == "__main__":
    sys.exit(main() & 0xff)
