# SPDX-License-Identifier: LGPL-2.1-or-later
"""auto_private_groups (sssd.conf(5)) and ldap_rfc2307_fallback_to_local_users (sssd-ldap(5)).

The tables say what Debian's own pair answers, but for what depends there on what was asked before.
"""
import pytest

from container import Container
from memcache import tables_agree
from slapd import GROUPS, USERS, Group, Slapd, User, group_ldif, user_ldif
from suite import MEMCACHE, Suite

SAME = User("same", 10007, 10007, "Same numbers", "/home/same", "/bin/sh")
REAL = User("real", 10008, 10008, "Same numbers as a group", "/home/real", "/bin/sh")
NO_GID = User("nogid", 10011, 0, "No group", "/home/nogid", "/bin/sh")
ORPHAN = User("orphan", 10012, 29999, "A group that is not there", "/home/orphan", "/bin/sh")

# mode: ({user: (primary, all of the groups)}, {group: (name, gid)}); None = not there
MODES = {
    "false": (
        {
            "alice": (20001, {20001, 20002, 20004}),
            "same": (10007, {10007}),
            "orphan": (29999, {29999}),
            "nogid": None,
        },
        {"alice": None, 10001: None, "same": None, 10007: None, 10008: ("realgroup", 10008)},
    ),
    "true": (
        {
            "alice": (10001, {10001, 20001, 20002, 20004}),
            "same": (10007, {10007}),
            "orphan": (10012, {10012, 29999}),
            "nogid": (10011, {10011}),
        },
        {
            "alice": ("alice", 10001),
            10001: ("alice", 10001),
            "same": ("same", 10007),
            10011: ("nogid", 10011),
            "devs": ("devs", 20002),
            20002: ("devs", 20002),
            10999: None,
            "nobody": None,
        },
    ),
    "hybrid": (
        {
            "alice": (20001, {20001, 20002, 20004}),
            "same": (10007, {10007}),
            "real": (10008, {10008}),
            "orphan": (29999, {29999}),
            "nogid": None,
        },
        {
            "alice": None,
            10001: None,
            "same": ("same", 10007),
            10007: ("same", 10007),
            "real": None,
            10008: ("realgroup", 10008),
            "realgroup": ("realgroup", 10008),
            "devs": ("devs", 20002),
            10012: None,
        },
    ),
}


def directory(c):
    slapd = Slapd(c, loose=True, entries=(USERS, GROUPS)).start()
    slapd.add(user_ldif(SAME) + user_ldif(REAL) + user_ldif(NO_GID, gidNumber=None))
    slapd.add(user_ldif(ORPHAN) + group_ldif(Group("realgroup", 10008, [])))
    slapd.add(group_ldif(Group("locals", 20010, ["daemon", "nosuch"])))
    return slapd


class Answers:
    @pytest.mark.parametrize("mode", MODES)
    def test_mode(self, suite, mode):
        self.configure(suite, auto_private_groups=mode)
        users, groups = MODES[mode]
        for _ in range(2):  # from the server, then from the cache
            for name, expected in users.items():
                if expected is None:
                    assert suite.passwd(name, client=self.client) is None, name
                else:
                    assert suite.id(name, client=self.client)[1:] == expected, name
            for key, expected in groups.items():
                group = suite.group(key, client=self.client)
                assert (group and group[:2]) == expected, key
        self.compare_files(suite, users, groups)

    def compare_files(self, suite, users, groups):
        """Where somebody else writes them, they are his."""

    @pytest.mark.parametrize("value, gids", [("true", {20010}), ("false", set())])
    def test_local_users(self, suite, value, gids):
        self.configure(suite, ldap_rfc2307_fallback_to_local_users=value)
        # First: upstream takes members out of the group when it does not find them.
        assert suite.group("locals", client=self.client)[2] == {"daemon", "nosuch"}
        assert suite.id("daemon", client=self.client) == (1, 1, {1} | gids)
        assert suite.initgroups("daemon", client=self.client) == gids
        assert suite.initgroups("nosuch", client=self.client) in (None, set())


class TestOurs(Answers):
    client = "ours"

    @pytest.fixture(scope="class")
    def suite(self, container):
        with container() as c:
            yield Suite(c, directory(c))

    def configure(self, suite, **options):
        suite.stop()
        suite.start(nss=MEMCACHE, **options)

    def compare_files(self, suite, users, groups):
        tables_agree(suite, self.client, passwd=users, group=groups, initgroups=users)

    def test_a_private_group_goes_with_its_user(self, suite):
        self.configure(suite, auto_private_groups="true", entry_cache_timeout=1)
        gone = User("gone", 10020, 20001, "Gone", "/home/gone", "/bin/sh")
        suite.slapd.add(user_ldif(gone))
        assert suite.group("gone", client=self.client) == ("gone", 10020, set())
        suite.slapd.delete("uid=gone,ou=people,dc=test")
        suite.c.wait_for(
            "the group is gone", lambda: suite.group(10020, client=self.client) is None
        )
        assert suite.group("gone", client=self.client) is None

    def test_offline(self, suite):
        self.configure(suite, auto_private_groups="true")
        assert suite.group("alice", client=self.client) == ("alice", 10001, set())
        suite.slapd.down()
        try:
            assert suite.group(10001, client=self.client) == ("alice", 10001, set())
        finally:
            suite.slapd.up()


class TestDebiansClient(TestOurs):
    client = "debian"


class TestDebians(Answers):
    """The reference."""

    client = "debian"

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd") as c:
            yield Suite(c, directory(c))

    def configure(self, suite, **options):
        suite.c.systemctl("stop", "sssd.service")
        suite.c.sh("rm -rf /var/lib/sss/db/* /var/lib/sss/mc/*")
        suite.configure(services="nss", **options)
        suite.c.systemctl("start", "sssd.service")
