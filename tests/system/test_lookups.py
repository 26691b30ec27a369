# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of lookups, for each pair of client library and responder."""
import pytest

from container import Container
from slapd import Group, Slapd, User, group_ldif, user_ldif
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


# -- ids that are negative where somebody takes them for signed --------------------------------------

LARGE = 3000000000


@pytest.fixture(scope="module")
def large(suite):
    user = User("large", LARGE, LARGE, "Large", "/home/large", "/bin/sh")
    groups = [Group("large", LARGE, []), Group("half", 2**31, ["large"])]
    groups.append(Group("larger", 2**32 - 2, ["large", "alice"]))
    suite.slapd.add(user_ldif(user) + "".join(map(group_ldif, groups)))
    return suite


@pytest.mark.parametrize("client", ["ours", "debian"])
@pytest.mark.parametrize("first", ["name", "id"])
def test_ids_beyond_2_31(large, client, first):
    """From the server and from the cache."""
    large.c.run(["sss_cache", "-E"], check=False)
    for key in ("large", LARGE) if first == "name" else (LARGE, "large"):
        assert large.passwd(key, client=client) == f"large:*:{LARGE}:{LARGE}:Large:/home/large:/bin/sh"
        assert large.group(key, client=client) == ("large", LARGE, set())
    for key in ("larger", 2**32 - 2):
        assert large.group(key, client=client) == ("larger", 2**32 - 2, {"large", "alice"})
    assert large.group(2**31, client=client) == ("half", 2**31, {"large"})
    assert large.initgroups("large", client=client) == {2**31, 2**32 - 2}
    assert large.id("large", client=client) == (LARGE, LARGE, {LARGE, 2**31, 2**32 - 2})
    assert large.passwd(LARGE + 1, client=client) is None
