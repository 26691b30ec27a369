# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory cache: answers that need no process of ours."""
import re

import pytest

from container import Container
from slapd import Slapd
from suite import Suite, our_client

# What is asked, and asked again with strace looking on.
QUESTIONS = [
    ("passwd", "alice"),
    ("passwd", "10002"),
    ("group", "devs"),
    ("group", "20006"),
    ("initgroups", "alice"),
]


def traced(c, *command):
    """What the command printed, and the calls in which it spoke to a socket of ours."""
    done = c.run(["strace", "-f", "-o", "/tmp/trace", "-e", "trace=%network", *command])
    return done.out, re.findall(r".*sss/pipes.*", c.read("/tmp/trace"))


class TestOurClientDebianFiles:
    """What Debian's sssd has written, our library reads."""

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd", install=[our_client()]) as c:
            suite = Suite(c, Slapd(c).start())
            suite.configure(services="nss")
            c.systemctl("start", "sssd.service")
            yield suite

    @pytest.mark.parametrize("database, key", QUESTIONS)
    def test_a_second_question_reaches_nobody(self, suite, database, key):
        first, calls = traced(suite.c, "getent", database, key)
        assert first
        second, calls = traced(suite.c, "getent", database, key)
        assert (second, calls) == (first, [])
        asked, calls = traced(
            suite.c, "env", "SSS_NSS_USE_MEMCACHE=NO", "getent", database, key
        )
        assert asked == first and calls

    def test_with_all_daemons_stopped(self, suite):
        want = [suite.getent(*question).out for question in QUESTIONS]
        files = "cd /var/lib/sss/mc && cp passwd group initgroups /tmp/"
        suite.c.sh(files)
        suite.c.systemctl("stop", "sssd.service")
        suite.c.sh("cp /tmp/passwd /tmp/group /tmp/initgroups /var/lib/sss/mc/")
        try:
            assert [suite.getent(*question).out for question in QUESTIONS] == want
        finally:
            suite.c.systemctl("start", "sssd.service")
