# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of lookups, for each pair of client library and responder."""
import pytest

from container import Container
from slapd import Slapd
from suite import Suite, our_client
from table import Lookups


class TestOurClientOurResponder(Lookups):
    client = "ours"


class TestDebianClientOurResponder(Lookups):
    client = "debian"


class TestOurClientDebianResponder(Lookups):
    client = "ours"

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd", install=[our_client()]) as c:
            suite = Suite(c, Slapd(c).start())
            suite.configure(services="nss")
            c.systemctl("start", "sssd.service")
            yield suite


class TestDebianClientDebianResponder(Lookups):
    """The reference: what the table says is what Debian's own pair answers."""

    client = "debian"

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd") as c:
            suite = Suite(c, Slapd(c).start())
            suite.configure(services="nss")
            c.systemctl("start", "sssd.service")
            yield suite
