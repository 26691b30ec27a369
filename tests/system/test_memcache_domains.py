# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory cache of several domains: what clients find by themselves is what they would be told, also
when a domain that is asked earlier gets somebody of the same name or id as a later one."""
import pytest

from memcache import CLIENTS, agree, in_files
from slapd import BASE, CA, Group, User, group_ldif, user_ldif
from suite import Suite

EARLY = "ou=early,dc=test"
ALICE = User("alice", 15001, 25001, "The earlier one", "/home/early", "/bin/early")
ZOE = User("zoe", 10002, 25001, "Of bob's id", "/home/zoe", "/bin/early")
DEVS = Group("devs", 25002, ["alice"])
JOHN = User("john doe", 15003, 25001, "The earlier one", "/home/early", "/bin/early")
LATER_JOHN = User("john doe", 10103, 20001, "The later one", "/home/later", "/bin/later")
THERE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
HERE = "alice:*:15001:25001:The earlier one:/home/early:/bin/early"

# How it is known to us, and what that tells of alice, of bob's id, and of the group devs.
WAYS = {
    "by name": [("passwd", "alice@A"), ("passwd", "zoe@A"), ("group", "devs@A")],
    "by id": [("passwd", 15001), ("passwd", "zoe@A"), ("group", 25002)],
    "by its groups": [("initgroups", "alice@A"), ("initgroups", "zoe@A"), ("group", "devs@A")],
    "sss_cache": [],
    "sss_cache of all": [],
}
QUESTIONS = [
    ("passwd", "alice"),
    ("passwd", "ALICE"),
    ("passwd", 10001),
    ("passwd", 15001),
    ("passwd", 10002),
    ("passwd", "bob"),
    ("group", "devs"),
    ("group", 20002),
    ("group", 25002),
    ("initgroups", "alice"),
    ("initgroups", "ALICE"),
    ("initgroups", "alice@B"),
    ("initgroups", "bob"),
]


def conf(cases, earlier=""):
    # Or the earlier domain, which was asked before and did not have them, would not be asked again.
    text = "[sssd]\nservices = nss\ndomains = A, B\n[nss]\nentry_negative_timeout = 0\n"
    for domain, base in (("A", EARLY), ("B", BASE)):
        below = base if domain == "A" else "ou=people,dc=test"
        groups = base if domain == "A" else "ou=groups,dc=test"
        text += (
            f"[domain/{domain}]\nid_provider = ldap\nldap_uri = ldaps://ldap.test\n"
            f"ldap_search_base = {base}\nldap_tls_cacert = {CA}\ncase_sensitive = {cases}\n"
            f"ldap_user_search_base = {below}\nldap_group_search_base = {groups}\n"
        )
        text += earlier if domain == "A" else ""
    return text


def early(ldif):
    return ldif.replace("ou=people,dc=test", EARLY).replace("ou=groups,dc=test", EARLY)


@pytest.fixture
def suite(machine, slapd):
    slapd.add(f"dn: {EARLY}\nobjectClass: organizationalUnit\nou: early\n\n")
    suite = Suite(machine, slapd)
    suite.stop()
    yield suite
    for name in ("uid=alice,", "uid=zoe,", "uid=john doe,", "cn=devs,", ""):
        slapd._admin("ldapdelete", name + EARLY, check=False)
    slapd._admin("ldapdelete", "uid=john doe,ou=people,dc=test", check=False)


@pytest.mark.parametrize("cases", ("true", "preserving"))
@pytest.mark.parametrize("way", WAYS)
def test_the_earlier_domain_has_its_say_at_once(suite, way, cases):
    c = suite.c
    suite.configure(conf(cases))
    c.systemctl("enable", "--now", "sssd-nss.socket")
    c.systemctl("start", "sssd.service")
    found = [agree(suite, database, key, "ours") for database, key in QUESTIONS]
    assert sum(found) >= 7, found
    assert in_files(suite, "passwd", "alice") == THERE
    suite.slapd.add(early(user_ldif(ALICE) + user_ldif(ZOE) + group_ldif(DEVS)))
    assert in_files(suite, "passwd", "alice") == THERE

    for question in WAYS[way]:
        assert suite.getent(*question).rc == 0, question
    if way == "sss_cache":
        for words in (["-u", "alice"], ["-g", "devs"]):
            c.run(["sss_cache", *words])
    elif way == "sss_cache of all":
        c.run(["sss_cache", "-E"])
    # Before anybody asks again, who could put it right.
    left = [in_files(suite, *question) for question in (("passwd", "alice"), ("group", "devs"))]
    assert left[0] in ("", HERE) and not left[1].startswith("devs:*:20002"), left
    for client in CLIENTS:
        assert suite.passwd("alice", client=client) == HERE
        assert suite.group("devs", client=client) == ("devs", 25002, {"alice"})
        assert suite.initgroups("alice", client=client) == {25002}
        if way != "sss_cache":
            assert suite.passwd(10002, client=client).startswith("zoe:")
        for question in QUESTIONS:
            agree(suite, *question, client)


def test_whom_the_earlier_domain_hides_is_the_later_ones(suite):
    """Its backend knows the namesake, and nobody is ever told of it: no reason to forget the other."""
    c = suite.c
    suite.configure(conf("true", earlier="filter_users = alice\nfilter_groups = devs\n"))
    suite.slapd.add(early(user_ldif(ALICE) + group_ldif(DEVS)))
    c.systemctl("enable", "--now", "sssd-nss.socket")
    c.systemctl("start", "sssd.service")
    for question in (("passwd", 15001), ("group", 25002)):
        assert suite.getent(*question).rc == 2, question
    for client in CLIENTS:
        assert suite.passwd("alice", client=client) == THERE
        assert suite.group("devs", client=client)[1] == 20002
        assert suite.initgroups("alice", client=client)
        for question in (("passwd", "alice"), ("group", "devs"), ("initgroups", "alice")):
            assert agree(suite, *question, client), question


def test_a_name_that_is_answered_without_its_spaces(suite):
    suite.slapd.add(user_ldif(LATER_JOHN))
    suite.configure(conf("true").replace("[sssd]", "[sssd]\noverride_space = _"))
    suite.c.systemctl("enable", "--now", "sssd-nss.socket")
    suite.c.systemctl("start", "sssd.service")
    assert suite.passwd("john_doe").startswith("john_doe:*:10103:")
    assert in_files(suite, "passwd", "john_doe").startswith("john_doe:*:10103:")
    suite.slapd.add(early(user_ldif(JOHN)))
    # He comes along, and nobody is told of him whose answer would take the place of the other one.
    suite.getent("initgroups", "john_doe@A")
    assert in_files(suite, "passwd", "john_doe") == ""
    for client in CLIENTS:
        assert suite.passwd("john_doe", client=client).startswith("john_doe:*:15003:")
