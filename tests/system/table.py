# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of lookups that every pair of client library and responder must pass, over the sample
directory of slapd.py. It says what Debian's sssd answers, and Debian's own pair is tested too."""
import pytest

PASSWD = [
    ("alice", "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"),
    (10001, "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"),
    ("bob", "bob:*:10002:20001:Bob Example:/home/bob:/bin/sh"),
    ("carol", "carol:*:10003:20003:Carol Ærlig:/home/carol:/bin/bash"),
    ("dave.o-neill_1", "dave.o-neill_1:*:10004:20001:dave.o-neill_1:/home/dave:"),
    (10004, "dave.o-neill_1:*:10004:20001:dave.o-neill_1:/home/dave:"),
    ("alice@LDAP", "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"),
    ("nobody-has-this-name", None),
    ("alice@NO-SUCH-DOMAIN", None),
    ("(uid=*)", None),
    ("*", None),
    ("x" * 300, None),
    (10999, None),
]

GROUP = [
    ("workers", ("workers", 20001, set())),
    (20001, ("workers", 20001, set())),
    ("devs", ("devs", 20002, {"alice", "bob"})),
    (20002, ("devs", 20002, {"alice", "bob"})),
    ("carol", ("carol", 20003, set())),
    ("with space", ("with space", 20006, {"bob", "carol"})),
    ("devs@LDAP", ("devs", 20002, {"alice", "bob"})),
    ("no-such-group", None),
    (20999, None),
]

ID = [
    ("alice", (10001, 20001, {20001, 20002, 20004})),
    ("bob", (10002, 20001, {20001, 20002, 20006})),
    ("carol", (10003, 20003, {20003, 20006})),
    ("dave.o-neill_1", (10004, 20001, {20001})),
]


class Lookups:
    """The table as tests. A subclass has the fixture `suite` and the attribute `client`."""

    @pytest.mark.parametrize("key, line", PASSWD)
    def test_passwd(self, suite, key, line):
        assert suite.passwd(key, client=self.client) == line

    @pytest.mark.parametrize("key, group", GROUP)
    def test_group(self, suite, key, group):
        assert suite.group(key, client=self.client) == group

    @pytest.mark.parametrize("name, ids", ID)
    def test_id(self, suite, name, ids):
        assert suite.id(name, client=self.client) == ids

    def test_initgroups_of_nobody(self, suite):
        assert suite.initgroups("nobody-has-this-name", client=self.client) in (None, set())

    def test_root_is_not_asked_for(self, suite):
        assert suite.id("root", client=self.client) == (0, 0, {0})
