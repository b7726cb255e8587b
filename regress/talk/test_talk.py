"""Plays the dialogues: one .talk file is one test.

SPDX-License-Identifier: ISC
"""
from pathlib import Path

import pytest

from lib import talk
from lib.instance import conf

TALKS = sorted(Path(__file__).parent.glob("*.talk"))


@pytest.fixture(scope="module")
def stage(shared_lab):
    """Instances by their configuration, and the receiver of all."""
    dns = shared_lab.dns({"x.test": ["MX 10 mx.x.test."],
                          "mx.x.test": ["A 127.0.0.1"]}, ttl=60)
    receiver = shared_lab.receiver()
    running = {}

    def get(it):
        if it.key() not in running:
            text = conf(dns, receiver.port, lines=it.config, rules=it.rules)
            running[it.key()] = shared_lab.postern(text.replace(
                "{relay}", str(receiver.port)))
        return running[it.key()]
    return get, receiver


@pytest.mark.parametrize("path", TALKS, ids=lambda p: p.stem)
def test_talk(path, stage):
    get, receiver = stage
    it = talk.Talk(path)
    talk.play(it, get(it), receiver)
