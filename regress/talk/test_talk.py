"""Plays the dialogues: one .talk file is one test.

SPDX-License-Identifier: ISC
"""
from pathlib import Path

import pytest

from lib import base, talk
from lib.instance import conf

TALKS = sorted(Path(__file__).parent.glob("*.talk"))


@pytest.fixture(scope="module")
def stage(shared_lab):
    """Instances by their configuration, and the receiver of all."""
    dns = shared_lab.dns({"x.test": ["MX 10 mx.x.test."],
                          "mx.x.test": ["A 127.0.0.1"]}, ttl=60)
    receiver = shared_lab.receiver()
    cert, key = (shared_lab.dir / f"talk.{kind}" for kind in ("crt", "key"))
    made = base.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=mx.test", "-keyout", key, "-out", cert])
    assert made.returncode == 0, made.stderr
    running = {}

    def get(it):
        if it.key() not in running:
            listen, port = "listen on 127.0.0.1 port {port}", None
            if it.listen is not None:
                port = base.free_port()
                listen += f"\nlisten on 127.0.0.1 port {port} {it.listen}"
            text = conf(dns, receiver.port, lines=it.config, rules=it.rules,
                        listen=listen)
            for word, value in (("relay", receiver.port), ("cert", cert),
                                ("key", key)):
                text = text.replace("{" + word + "}", str(value))
            running[it.key()] = shared_lab.postern(text), port
        return running[it.key()]
    return get, receiver


@pytest.mark.parametrize("path", TALKS, ids=lambda p: p.stem)
def test_talk(path, stage):
    get, receiver = stage
    it = talk.Talk(path)
    instance, port = get(it)
    talk.play(it, instance, receiver, port)
