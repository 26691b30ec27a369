# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the options about names do to questions and answers: sssd.conf(5), [sssd] and [domain/NAME].

Each case is a configuration of domains over the same directory, asked with both clients; and, where
Debian's sssd knows the options, the same is asked of Debian's own pair.
"""
import collections

import pytest

from container import Container
from memcache import tables_agree
from slapd import BASE, CA, GROUPS, USERS, Slapd, User, user_ldif
from suite import Suite

EVE = User("Eve", 10005, 20001, "Eve", "/home/Eve", "/bin/sh")
SPACE = User("space man", 10008, 20001, "Space", "/home/sm", "/bin/sh")
BOTH = User("has_one and space", 10009, 20001, "Both", "/home/both", "/bin/sh")

# domains: {name: options}; users, groups: {what is asked: the name that is answered, None = nobody}
Case = collections.namedtuple("Case", "name sssd domains users groups")
FQ = {"use_fully_qualified_names": "true"}
CASES = [
    Case(
        "plain",
        {},
        {"A": {}, "B": {}},
        {"alice": "alice", "alice@A": "alice", "alice@b": "alice", "alice@C": None, "ALICE": None},
        {"devs": ("devs", {"alice", "bob"}), "devs@B": ("devs", {"alice", "bob"}), "DEVS": None},
    ),
    Case(
        "qualified",
        {},
        {"A": FQ, "B": FQ},
        {"10001": "alice@A", "alice": None, "alice@A": "alice@A", "alice@b": "alice@B"},
        {"devs": None, "devs@B": ("devs@B", {"alice@B", "bob@B"})},
    ),
    Case(
        "one-qualified",
        {},
        {"A": FQ, "B": {}},
        {"alice": "alice", "alice@A": "alice@A", "alice@B": "alice"},
        {"devs": ("devs", {"alice", "bob"}), "devs@A": ("devs@A", {"alice@A", "bob@A"})},
    ),
    Case(
        "format",
        {"full_name_format": "%2$s+%1$s"},
        {"A": FQ, "B": {"full_name_format": "%1$s^%2$s", **FQ}, "C": {}},
        {"alice@A": "A+alice", "alice@B": "alice^B", "alice": "alice"},
        {"devs@A": ("A+devs", {"A+alice", "A+bob"}), "devs@B": ("devs^B", {"alice^B", "bob^B"})},
    ),
    Case(
        "format-of-short-names",
        {"full_name_format": "%1$s"},
        {"A": FQ},
        {"alice": None, "alice@A": "alice"},
        {"devs@A": ("devs", {"alice", "bob"})},
    ),
    Case(
        "expression",
        {"re_expression": r"^((?P<domain>[^\\]*)\\(?P<name>.+)|(?P<name>[^\\]+))$"},
        {"A": {}, "B": {}},
        {r"B\alice": "alice", r"C\alice": None, "alice@A": None, "alice": "alice"},
        {r"A\devs": ("devs", {"alice", "bob"}), "devs@A": None},
    ),
    Case(
        "expression-and-format",
        {
            "re_expression": r"^((?P<domain>[^\\]*)\\(?P<name>.+)|(?P<name>[^\\]+))$",
            "full_name_format": r"%2$s\%1$s",
        },
        {"A": FQ},
        {r"A\alice": r"A\alice", "alice": None},
        {r"A\devs": (r"A\devs", {r"A\alice", r"A\bob"})},
    ),
    Case(
        "suffix",
        {"default_domain_suffix": "B"},
        {"A": {}, "B": {}},
        {"10001": "alice@A", "alice": "alice@B", "alice@A": "alice@A", "alice@B": "alice@B"},
        {"devs": ("devs@B", {"alice@B", "bob@B"})},
    ),
    Case(
        "resolution-order",
        {"domain_resolution_order": "B, A"},
        {"A": {}, "B": {}, "C": {}},
        {"10001": "alice@B", "alice": "alice@B", "alice@A": "alice@A", "alice@C": "alice@C"},
        {"devs": ("devs@B", {"alice@B", "bob@B"}), "20002": ("devs@B", {"alice@B", "bob@B"})},
    ),
    Case(
        "space",
        {"override_space": "_"},
        {"A": {}, "B": FQ},
        {
            "space_man": "space_man",
            "space man": "space_man",
            "space_man@B": "space_man@B",
            "10008": "space_man",
            "alice": "alice",
            "10009": "has_one and space",
        },
        {
            "with_space": ("with_space", {"bob", "carol"}),
            "20006": ("with_space", {"bob", "carol"}),
        },
    ),
    Case(
        "case-false",
        {},
        {"A": {"case_sensitive": "false"}},
        {"Eve": "eve", "eVE": "eve", "eve@A": "eve", "10005": "eve", "ALICE": "alice"},
        {"DEVS": ("devs", {"alice", "bob"})},
    ),
    Case(
        "case-preserving",
        {},
        {"A": {"case_sensitive": "preserving"}},
        {"Eve": "Eve", "eVE": "Eve", "10005": "Eve", "ALICE": "alice"},
        {"DEVS": ("devs", {"alice", "bob"})},
    ),
]


def conf(sssd, domains):
    text = f"[sssd]\nservices = nss\ndomains = {', '.join(domains)}\n"
    text += "".join(f"{name} = {value}\n" for name, value in sssd.items())
    for domain, options in domains.items():
        text += (
            f"[domain/{domain}]\nid_provider = ldap\nldap_uri = ldaps://ldap.test\n"
            f"ldap_search_base = {BASE}\nldap_tls_cacert = {CA}\n"
            "ldap_user_principal = description\n"
        )
        text += "".join(f"{name} = {value}\n" for name, value in options.items())
    return text


def directory(c):
    slapd = Slapd(c, entries=(USERS + [SPACE, BOTH], GROUPS)).start()
    slapd.add(user_ldif(EVE))
    return slapd


class Answers:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_names(self, suite, case):
        self.configure(suite, conf(case.sssd, case.domains))
        for asked, name in case.users.items():
            line = suite.passwd(asked, client=self.client)
            assert (line and line.split(":")[0]) == name, asked
        for asked, expected in case.groups.items():
            group = suite.group(asked, client=self.client)
            assert (group and (group[0], group[2])) == expected, asked
        self.compare_files(suite, case)

    def compare_files(self, suite, case):
        """Where somebody else writes them, they are his."""


class TestOurs(Answers):
    client = "ours"

    @pytest.fixture(scope="class")
    def suite(self, container):
        with container() as c:
            suite = Suite(c, directory(c))
            suite.configure(conf({}, {"A": {}}))
            c.systemctl("enable", "--now", "sssd-nss.socket")
            c.systemctl("start", "sssd.service")
            yield suite

    def configure(self, suite, text):
        suite.configure(text)
        suite.c.systemctl("reload", "sssd.service")

    def compare_files(self, suite, case):
        tables_agree(
            suite, self.client, passwd=case.users, group=case.groups, initgroups=case.users
        )

    def test_groups_of_a_user_by_each_name(self, suite):
        """id(1) goes on with the name it was answered."""
        for sssd, domains, name in [
            ({}, {"A": FQ}, "alice@A"),
            ({"domain_resolution_order": "A"}, {"A": {}}, "alice"),
            ({"default_domain_suffix": "A"}, {"A": {}}, "alice"),
            ({}, {"A": {"case_sensitive": "false"}}, "ALICE"),
        ]:
            self.configure(suite, conf(sssd, domains))
            assert suite.id(name, client=self.client) == (10001, 20001, {20001, 20002, 20004})

    def test_a_member_that_counts_once(self, suite):
        """case_sensitive = false: what is told in lower case is one and the same."""
        self.configure(suite, conf({}, {"A": {"case_sensitive": "false"}}))
        assert suite.passwd("CAROL", client=self.client).startswith("carol:")
        searches = suite.slapd.searches()
        assert suite.passwd("Carol", client=self.client).startswith("carol:")
        assert suite.slapd.searches() == searches


class TestDebiansClient(TestOurs):
    client = "debian"


class TestDebians(Answers):
    """The reference: what the table says is what Debian's own pair answers."""

    client = "debian"

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd") as c:
            yield Suite(c, directory(c))

    def configure(self, suite, text):
        suite.c.systemctl("stop", "sssd.service")
        suite.c.sh("rm -rf /var/lib/sss/db/* /var/lib/sss/mc/*")
        suite.configure(text)
        suite.c.systemctl("start", "sssd.service")
