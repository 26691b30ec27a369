# SPDX-License-Identifier: LGPL-2.1-or-later
"""Groups that list DNs (rfc2307bis): members, groups in groups, and what lookups cost the server."""
import pytest

from container import Container
from slapd import BASE, USERS, Group, Slapd, User, group_dn, user_ldif
from suite import Suite, our_client

ERIN = User("erin", 10005, 20001, "Erin Example", "/home/erin", "/bin/sh")
ERIN_DN = f"cn=Erin Example\\, PhD,ou=people,{BASE}"

# a ─ b ─ c ─ d hold each other in a row; left and right are two ways from top to bottom.
GROUPS = [
    Group("workers", 20001, []),
    Group("a", 21001, ["alice", "bob"]),
    Group("b", 21002, [group_dn("a")]),
    Group("c", 21003, ["carol", group_dn("b")]),
    Group("d", 21004, [group_dn("c")]),
    Group("ring1", 21011, ["alice", group_dn("ring2")]),
    Group("ring2", 21012, ["bob", group_dn("ring1")]),
    Group("self", 21013, ["bob", group_dn("self")]),
    Group("bottom", 21021, ["carol"]),
    Group("left", 21022, [group_dn("bottom"), "dave.o-neill_1"]),
    Group("right", 21023, [group_dn("bottom"), "dave.o-neill_1"]),
    Group("top", 21024, [group_dn("left"), group_dn("right")]),
    Group("dangling", 21031, ["alice", f"cn=gone,ou=people,{BASE}", group_dn("gone")]),
    Group("spelt", 21032, [f"UID=bob, OU=People,{BASE.upper()}", ERIN_DN.upper()]),
    Group("nobody", 21033, []),
]

GROUP = [
    ("a", ("a", 21001, {"alice", "bob"})),
    (21001, ("a", 21001, {"alice", "bob"})),
    ("b", ("b", 21002, {"alice", "bob"})),
    ("c", ("c", 21003, {"alice", "bob", "carol"})),
    (21011, ("ring1", 21011, {"alice", "bob"})),
    ("ring2", ("ring2", 21012, {"alice", "bob"})),
    ("self", ("self", 21013, {"bob"})),
    ("top", ("top", 21024, {"carol", "dave.o-neill_1"})),
    ("gone", None),
    (21999, None),
]

# What Debian's sssd loses whole as soon as one member cannot be found.
LOST = [
    ("dangling", ("dangling", 21031, {"alice"})),
    ("spelt", ("spelt", 21032, {"bob", "erin"})),
    ("nobody", ("nobody", 21033, set())),
]

ID = [
    ("alice", (10001, 20001, {20001, 21001, 21002, 21003, 21011, 21012, 21031})),
    ("bob", (10002, 20001, {20001, 21001, 21002, 21003, 21011, 21012, 21013, 21032})),
    ("carol", (10003, 20003, {20003, 21003, 21004, 21021, 21022, 21023, 21024})),
    ("dave.o-neill_1", (10004, 20001, {20001, 21022, 21023, 21024})),
    ("erin", (10005, 20001, {20001, 21032})),
]


def start(c):
    slapd = Slapd(c, entries=(USERS, GROUPS), bis=True).start()
    slapd.add(user_ldif(ERIN, dn=ERIN_DN, cn="Erin Example, PhD"))
    return slapd


@pytest.fixture(scope="module")
def slapd(machine):
    return start(machine)


@pytest.fixture(scope="module")
def suite(machine, slapd):
    return Suite(machine, slapd).start(ldap_schema="rfc2307bis")


class Lookups:
    @pytest.mark.parametrize("key, group", GROUP)
    def test_group(self, suite, key, group):
        assert suite.group(key, client=self.client) == group

    @pytest.mark.parametrize("name, ids", ID)
    def test_id(self, suite, name, ids):
        assert suite.id(name, client=self.client) == ids


class Ours(Lookups):
    @pytest.mark.parametrize("key, group", LOST)
    def test_unknown_member(self, suite, key, group):
        assert suite.group(key, client=self.client) == group


class TestOurClientOurResponder(Ours):
    client = "ours"


class TestDebianClientOurResponder(Ours):
    client = "debian"


class TestDebianResponder(Lookups):
    """The reference: what the table says is what Debian's own pair answers."""

    client = "debian"

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd") as c:
            suite = Suite(c, start(c))
            suite.configure(services="nss", ldap_schema="rfc2307bis")
            c.systemctl("start", "sssd.service")
            yield suite
